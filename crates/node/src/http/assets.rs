//! Files of the console: scripts, styles, the chart library. They are part of the program. A page names them with
//! their version, so that browsers keep them until it changes.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::query::Parameters;
use super::refusal::Refusal;

struct Asset {
    name: &'static str,
    media_type: &'static str,
    contents: &'static [u8],
}

macro_rules! asset {
    ($name:literal, $path:literal, $media_type:literal) => {
        Asset { name: $name, media_type: $media_type, contents: include_bytes!(concat!("../../../../web/", $path)) }
    };
}

const ASSETS: [Asset; 8] = [
    asset!("hamsa.css", "hamsa.css", "text/css; charset=utf-8"),
    asset!("parts.css", "parts.css", "text/css; charset=utf-8"),
    asset!("live.js", "live.js", "text/javascript; charset=utf-8"),
    asset!("times.js", "times.js", "text/javascript; charset=utf-8"),
    asset!("charts.js", "charts.js", "text/javascript; charset=utf-8"),
    asset!("icon.svg", "icon.svg", "image/svg+xml"),
    asset!("uplot.js", "vendor/uplot/uPlot.iife.min.js", "text/javascript; charset=utf-8"),
    asset!("uplot.css", "vendor/uplot/uPlot.min.css", "text/css; charset=utf-8"),
];

/// The address of an asset, its version included.
pub(super) fn url(name: &str) -> String {
    format!("/assets/{name}?v={}", version_of(name).unwrap_or_default())
}

/// `/assets/{file}`.
pub(super) async fn asset(
    Path(name): Path<String>,
    headers: HeaderMap,
    mut query: Parameters,
) -> Result<Response, Refusal> {
    let asked = query.take("v")?;
    query.finish()?;
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    let (Some(asset), Some(version)) = (asset, version_of(&name)) else {
        return Err(Refusal::not_found(format!("there is no asset {name:?}"), "load the page anew"));
    };
    let tag = format!("\"{version}\"");
    // An address without the version, or with an old one, may have other contents tomorrow.
    let keep =
        if asked.as_deref() == Some(version) { "private, max-age=31536000, immutable" } else { "private, no-cache" };
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_known = known.is_some_and(|tags| tags.split(',').any(|known| known.trim() == tag));
    let fields = [(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, keep)];
    if is_known {
        return Ok((StatusCode::NOT_MODIFIED, fields).into_response());
    }
    Ok((fields, [(header::CONTENT_TYPE, asset.media_type)], asset.contents).into_response())
}

/// A short text that changes with the contents.
fn version_of(name: &str) -> Option<&'static str> {
    static VERSIONS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let version = |asset: &Asset| {
            let mut hasher = DefaultHasher::new();
            asset.contents.hash(&mut hasher);
            format!("{:016x}", hasher.finish())
        };
        ASSETS.iter().map(version).collect()
    });
    let at = ASSETS.iter().position(|asset| asset.name == name)?;
    VERSIONS.get(at).map(String::as_str)
}
