//! Who may ask, and from where. In this order: the method, where a browser says that the request comes from, the
//! host that it was meant for, and the token.
//!
//! A node without a token listens on loopback, where every page that the operator's browser shows could reach
//! it: by a name of its own that resolves to 127.0.0.1 (DNS rebinding), or by asking across sites; and a scrape
//! sends credentials to whatever target it names. So such a node answers to loopback's own names only, and no
//! node lets other sites do more than link to the console's pages.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use subtle::ConstantTimeEq;

use super::refusal::Refusal;
use super::stats::Endpoint;
use crate::config::{HttpConfig, Secret};

/// What is asked of every request.
#[derive(Debug)]
pub(crate) struct Guard {
    token: Option<Secret>,
    /// The address listened at, where only loopback's names are answered to.
    loopback_only: Option<SocketAddr>,
}

impl Guard {
    /// The guard of a server that listens at `local`.
    pub(crate) fn new(config: &HttpConfig, local: SocketAddr) -> Self {
        let is_open = config.token.is_none() && local.ip().to_canonical().is_loopback();
        Guard { token: config.token.clone(), loopback_only: is_open.then_some(local) }
    }

    /// Whether a request is let in.
    pub(crate) fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        check_method(method, headers)?;
        let endpoint = Endpoint::of(uri.path());
        check_site(endpoint, headers)?;
        if uri.path() == "/-/healthy" {
            return Ok(());
        }
        if let Some(local) = self.loopback_only {
            check_host(local, uri, headers)?;
        }
        self.check_token(headers)
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(token) = &self.token else { return Ok(()) };
        let given = headers.get(header::AUTHORIZATION).and_then(|value| given_token(value.as_bytes()));
        let is_right = given.as_deref().is_some_and(|given| given.ct_eq(token.expose()).into());
        if is_right {
            return Ok(());
        }
        let error = if given.is_some() { "the token is wrong" } else { "a token is needed" };
        let hint = "send \"Authorization: Bearer TOKEN\", or HTTP Basic with any user and the token as password; \
                    the token is http.token of the node's configuration";
        let field = |scheme| (header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
        Err(Refusal::new(StatusCode::UNAUTHORIZED, error, hint)
            .with(field("Basic realm=\"Hamsa\", charset=\"UTF-8\""))
            .with(field("Bearer realm=\"Hamsa\"")))
    }
}

/// What every answer carries. Scripts and styles come from files of ours only.
pub(crate) const SECURITY_HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];

fn check_method(method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    if *method != Method::GET && *method != Method::HEAD {
        let error = format!("the method {method} is not allowed");
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, error, "everything here is read with GET")
            .with((header::ALLOW, HeaderValue::from_static("GET, HEAD"))));
    }
    let is_empty = headers.get(header::CONTENT_LENGTH).is_none_or(|length| length == "0");
    if !is_empty || headers.contains_key(header::TRANSFER_ENCODING) {
        let error = "the request has a body";
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error, "put parameters into the query"));
    }
    Ok(())
}

/// Lets other sites link to pages, and nothing else.
fn check_site(endpoint: Endpoint, headers: &HeaderMap) -> Result<(), Refusal> {
    let field = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    let comes_from_elsewhere = matches!(field("sec-fetch-site"), Some(b"cross-site" | b"same-site"));
    let is_link = field("sec-fetch-mode") == Some(b"navigate") && field("sec-fetch-dest") == Some(b"document");
    if comes_from_elsewhere && !(is_link && endpoint == Endpoint::Console) {
        let error = "a page of another site asked for this";
        return Err(Refusal::new(StatusCode::FORBIDDEN, error, "open the address itself, or use a program"));
    }
    Ok(())
}

fn check_host(local: SocketAddr, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    let from_header = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let host = uri.authority().map(|authority| authority.as_str()).or(from_header).unwrap_or_default();
    if is_loopback_name(host_of(host), local.ip()) {
        return Ok(());
    }
    let error = format!("this node answers to localhost and loopback addresses only, not to {host:?}");
    let hint =
        format!("ask for http://{local}/; to reach the node by another name, give http.token in its configuration");
    Err(Refusal::new(StatusCode::FORBIDDEN, error, hint))
}

/// A host without its port and brackets.
fn host_of(authority: &str) -> &str {
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if let Some((address, _)) = authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    authority.rsplit_once(':').map_or(authority, |(host, _)| host)
}

fn is_loopback_name(host: &str, local: IpAddr) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let address = host.parse::<IpAddr>().map(|address| address.to_canonical());
    // Browsers and resolvers keep localhost and what is below it on the machine (RFC 6761 §6.3).
    let is_localhost = host == "localhost" || host.ends_with(".localhost");
    is_localhost || address.is_ok_and(|address| address.is_loopback() || address == local.to_canonical())
}

/// The token in an `Authorization` field: a bearer's (RFC 6750 §2.1) or the password of HTTP Basic (RFC 7617).
fn given_token(field: &[u8]) -> Option<Vec<u8>> {
    let blank = field.iter().position(|octet| *octet == b' ')?;
    let (scheme, rest) = field.split_at(blank);
    let rest = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(rest.to_vec());
    }
    if scheme.eq_ignore_ascii_case(b"basic") {
        let user_and_password = BASE64_STANDARD.decode(rest).ok()?;
        let colon = user_and_password.iter().position(|octet| *octet == b':')?;
        return Some(user_and_password[colon + 1..].to_vec());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "correct horse battery";

    fn guard(token: Option<&str>, listen: &str) -> Guard {
        let listen = listen.parse().unwrap();
        let token = token.map(|token| Secret::new(token.into()));
        Guard::new(&HttpConfig { listen, token, tls: None }, listen)
    }

    fn status(guard: &Guard, path: &str, fields: &[(&str, &str)]) -> u16 {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.insert(header::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        match guard.check(&Method::GET, &path.parse().unwrap(), &headers) {
            Ok(()) => 200,
            Err(refusal) => refusal.status.as_u16(),
        }
    }

    #[test]
    fn the_token_comes_as_bearer_or_as_password() {
        let guard = guard(Some(TOKEN), "192.0.2.1:8161");
        let basic = |text: &str| format!("Basic {}", BASE64_STANDARD.encode(text));
        for (field, expected) in [
            (format!("Bearer {TOKEN}"), 200),
            (format!("bearer   {TOKEN}"), 200),
            (basic(&format!("anyone:{TOKEN}")), 200),
            (basic(&format!(":{TOKEN}")), 200),
            (format!("Bearer {TOKEN}x"), 401),
            ("Bearer ".to_owned(), 401),
            ("Bearer".to_owned(), 401),
            (basic(TOKEN), 401),
            (basic("a:b"), 401),
            ("Basic ####".to_owned(), 401),
            (format!("Digest {TOKEN}"), 401),
        ] {
            assert_eq!(status(&guard, "/api/v1/devices", &[("authorization", &field)]), expected, "{field}");
        }
        assert_eq!(status(&guard, "/", &[]), 401);
        assert_eq!(status(&guard, "/-/ready", &[]), 401);
        assert_eq!(status(&guard, "/-/healthy", &[]), 200);
        assert!(!format!("{guard:?}").contains("horse"));
    }

    #[test]
    fn without_a_token_only_loopback_names_are_answered_to() {
        let guard = guard(None, "127.0.0.5:8161");
        for host in
            ["localhost:8161", "LOCALHOST", "hamsa.localhost.", "127.0.0.1:8161", "127.0.0.5:8161", "[::1]:8161", "::1"]
        {
            let expected = if host == "::1" { 403 } else { 200 };
            assert_eq!(status(&guard, "/", &[("host", host)]), expected, "{host}");
        }
        for host in
            ["evil.example:8161", "127.0.0.1.evil.example", "localhost.evil.example", "192.0.2.1", "", "0.0.0.0"]
        {
            assert_eq!(status(&guard, "/", &[("host", host)]), 403, "{host}");
        }
        assert_eq!(status(&guard, "http://evil.example/", &[("host", "localhost")]), 403);
        assert_eq!(status(&guard, "/", &[]), 403);
        assert_eq!(status(&guard, "/-/healthy", &[("host", "evil.example")]), 200);
    }

    #[test]
    fn with_a_token_any_name_will_do() {
        let guard = guard(Some(TOKEN), "127.0.0.1:8161");
        let token = format!("Bearer {TOKEN}");
        assert_eq!(status(&guard, "/", &[("host", "hamsa.example"), ("authorization", &token)]), 200);
    }

    #[test]
    fn other_sites_may_link_to_pages_only() {
        let guard = guard(None, "127.0.0.1:8161");
        let ask = |path: &str, site: &str, mode: &str, dest: &str| {
            let fields =
                [("host", "localhost"), ("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)];
            status(&guard, path, &fields)
        };
        assert_eq!(ask("/devices/core1", "cross-site", "navigate", "document"), 200);
        assert_eq!(ask("/devices/core1", "cross-site", "navigate", "iframe"), 403);
        assert_eq!(ask("/devices/core1", "cross-site", "no-cors", "image"), 403);
        assert_eq!(ask("/snmp?target=evil.example", "cross-site", "navigate", "document"), 403);
        assert_eq!(ask("/api/v1/devices", "same-site", "cors", "empty"), 403);
        assert_eq!(ask("/api/v1/devices", "same-origin", "cors", "empty"), 200);
        assert_eq!(ask("/api/v1/devices", "none", "navigate", "document"), 200);
    }

    #[test]
    fn only_reading_is_allowed() {
        let guard = guard(None, "127.0.0.1:8161");
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("localhost"));
        let check = |method: Method, headers: &HeaderMap| {
            guard.check(&method, &Uri::from_static("/"), headers).map_err(|refusal| refusal.status.as_u16())
        };
        assert_eq!(check(Method::HEAD, &headers), Ok(()));
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::TRACE] {
            assert_eq!(check(method, &headers), Err(405));
        }
        headers.insert("content-length", HeaderValue::from_static("0"));
        assert_eq!(check(Method::GET, &headers), Ok(()));
        headers.insert("content-length", HeaderValue::from_static("5"));
        assert_eq!(check(Method::GET, &headers), Err(413));
        headers.remove("content-length");
        headers.insert("transfer-encoding", HeaderValue::from_static("chunked"));
        assert_eq!(check(Method::GET, &headers), Err(413));
    }
}
