//! A small HTTP client for tests: a connection a request, no redirects, no proxies, loopback only.

use std::net::IpAddr;
use std::sync::OnceLock;

use ureq::Agent;
use ureq::http::{Request, Uri};

use crate::limits::{HTTP_BODY_BYTES, LIVENESS};

/// A response, whatever its status.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header fields; names are in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The body as text, octets that are not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// It isn't; the panic shows it.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        let parsed = serde_json::from_slice(&self.body);
        parsed.unwrap_or_else(|error| panic!("status {}, not JSON ({error}): {}", self.status, self.text()))
    }

    /// The first header field of that name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field == name).map(|(_, value)| &**value)
    }
}

/// Why there is no response: nobody listens, time is up, or what came is not HTTP.
#[derive(Debug)]
pub struct HttpError {
    url: String,
    reason: String,
}

impl std::fmt::Display for HttpError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.url, self.reason)
    }
}

impl std::error::Error for HttpError {}

/// Asks for `url`.
///
/// # Errors
/// There is no response.
pub fn get(url: &str) -> Result<Response, HttpError> {
    send("GET", url, &[], &[])
}

/// Sends a request with these header fields and this body; an empty body is none.
///
/// # Errors
/// There is no response, the URL's host is not a loopback address, or the method, URL or a header is malformed.
pub fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Response, HttpError> {
    let error = |reason: String| HttpError { url: url.to_owned(), reason };
    if !is_loopback(url) {
        return Err(error("a test talks to loopback addresses only".to_owned()));
    }
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = if body.is_empty() {
        request.body(()).map_err(|source| error(source.to_string())).map(|request| agent().run(request))?
    } else {
        request.body(body).map_err(|source| error(source.to_string())).map(|request| agent().run(request))?
    };
    let mut response = response.map_err(|source| error(source.to_string()))?;
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let (status, headers) = (response.status().as_u16(), headers.collect());
    let body = response.body_mut().with_config().limit(HTTP_BODY_BYTES).read_to_vec();
    Ok(Response { status, headers, body: body.map_err(|source| error(source.to_string()))? })
}

fn is_loopback(url: &str) -> bool {
    let uri = url.parse::<Uri>().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn agent() -> &'static Agent {
    static AGENT: OnceLock<Agent> = OnceLock::new();
    AGENT.get_or_init(|| {
        let config = Agent::config_builder()
            .timeout_global(Some(LIVENESS))
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(0)
            .proxy(None);
        config.build().into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_asked() {
        for url in ["http://192.0.2.1/", "http://example.org/", "not a url", "http://[2001:db8::1]/"] {
            let error = get(url).unwrap_err().to_string();
            assert!(error.contains("loopback"), "{error}");
        }
        assert!(is_loopback("http://127.1.2.3:80/x") && is_loopback("http://[::1]:8161/"));
    }

    #[test]
    fn nobody_listening_is_an_error() {
        let error = get(&format!("http://{}/", crate::free_tcp())).unwrap_err().to_string();
        assert!(error.contains("refused"), "{error}");
    }
}
