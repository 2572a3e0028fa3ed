//! The console: pages for people, rendered here whole, so that tables can be read without scripts. Scripts in
//! `web/` then keep them current: a page listens to `/api/v1/stream`, asks for itself anew when something it shows has
//! changed, and takes over the parts that are marked `data-live`.
//!
//! One file a page. `layout` has what all share, `parts` what several do.

mod device;
mod device_tables;
mod events;
mod layout;
mod overview;
mod parts;
mod status;
mod together;

use axum::Router;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use maud::{Markup, html};

use super::AppRef;
use super::refusal::Refusal;
use layout::{Frame, frame};

pub(super) fn routes() -> Router<AppRef> {
    Router::new()
        .route("/", get(overview::overview))
        .route("/devices/{name}", get(device::device))
        .route("/traps", get(events::traps))
        .route("/events", get(events::events))
        .route("/status", get(status::status))
        .route("/favicon.ico", get(|| async { Redirect::temporary(&super::assets::url("icon.svg")) }))
}

/// The page that says why there is none.
pub(super) fn refusal_page(refusal: &Refusal) -> Html<String> {
    let title = refusal.status.canonical_reason().unwrap_or("Not possible");
    let body = html! {
        h1 { (title) }
        div.empty {
            p { strong { (sentence(&refusal.error)) } }
            p { (sentence(&refusal.hint)) }
            p { a href="/" { "To the overview" } }
        }
    };
    Html(frame(Frame { title, node: None, tab: None, live: None, charts: false }, &body).into_string())
}

fn page(frame_of: Frame<'_>, body: &Markup) -> Response {
    Html(frame(frame_of, body).into_string()).into_response()
}

/// With a capital at the start and a full stop at the end.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}
