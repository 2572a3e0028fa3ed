//! Who is let in, TLS, and what bounds a connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use hamsa_node::http::{HttpError, HttpServer};
use hamsa_testkit::http::send;
use hamsa_testkit::limits::LIVENESS;
use hamsa_testkit::{free_udp, loopback};
use tempfile::TempDir;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::support::{Node, NodeConfig};

const TOKEN: &str = "a-token-of-some-length";

/// What a server answers to octets, until it closes the connection.
fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIVENESS)).unwrap();
    // The server may have closed it before all is written.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn with_token() -> NodeConfig {
    let mut config = NodeConfig::new();
    config.http = format!("token = \"{TOKEN}\"");
    config
}

#[test]
fn a_token_is_asked_for() {
    let node = with_token().start();
    let status = |path: &str, field: Option<&str>| {
        let headers: Vec<_> = field.map(|field| ("authorization", field)).into_iter().collect();
        send("GET", &node.url(path), &headers, &[]).unwrap().status
    };
    for path in [
        "/",
        "/metrics",
        "/snmp?target=127.0.0.1",
        "/api/v1/devices",
        "/api/v1/stream",
        "/assets/hamsa.css",
        "/-/ready",
    ] {
        assert_eq!(status(path, None), 401, "{path}");
        assert_eq!(status(path, Some("Bearer wrong-token-of-length")), 401, "{path}");
    }
    assert_eq!(status("/-/healthy", None), 200);
    assert_eq!(status("/api/v1/devices", Some(&format!("Bearer {TOKEN}"))), 200);
    // HTTP Basic: base64 of `admin:` and the token.
    assert_eq!(status("/", Some("Basic YWRtaW46YS10b2tlbi1vZi1zb21lLWxlbmd0aA==")), 200);
    let refused = send("GET", &node.url("/"), &[], &[]).unwrap();
    let asked: Vec<&str> =
        refused.headers.iter().filter(|(name, _)| name == "www-authenticate").map(|(_, value)| &**value).collect();
    assert_eq!(asked, ["Basic realm=\"Hamsa\", charset=\"UTF-8\"", "Bearer realm=\"Hamsa\""]);
}

#[test]
fn without_a_token_other_names_are_refused() {
    let node = NodeConfig::new().start();
    let status = |host: &str| {
        let request = format!("GET /api/v1/devices HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let answer = exchange(node.address(), request.as_bytes());
        (answer[9..12].to_owned(), answer.contains("http.token"))
    };
    assert_eq!(status("localhost:8161"), ("200".to_owned(), false));
    assert_eq!(status(&node.address().to_string()), ("200".to_owned(), false));
    assert_eq!(status("rebound.example:8161"), ("403".to_owned(), true));
}

#[test]
fn every_answer_carries_the_headers_that_keep_pages_to_themselves() {
    let node = NodeConfig::new().start();
    for path in ["/", "/api/v1/devices", "/metrics", "/nothing", "/assets/hamsa.css"] {
        let answer = node.get(path);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    }
    assert_eq!(node.get("/").header("cache-control"), Some("no-store"));
    let page = node.get("/").text();
    assert!(!page.contains("<script>") && !page.contains(" onclick") && !page.contains(" style="), "{page}");
}

#[test]
fn assets_are_kept_until_they_change() {
    let node = NodeConfig::new().start();
    let page = node.get("/").text();
    let path = page.split('"').find(|text| text.starts_with("/assets/hamsa.css?v=")).unwrap();
    let asset = node.get(path);
    assert_eq!((asset.status, asset.header("content-type")), (200, Some("text/css; charset=utf-8")));
    assert!(asset.header("cache-control").unwrap().contains("immutable"));
    let tag = asset.header("etag").unwrap();
    let again = node.get_with(path, &[("if-none-match", tag)]);
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(node.get("/assets/hamsa.css").header("cache-control"), Some("private, no-cache"));
    assert_eq!(node.get("/assets/nothing.css").status, 404);
    assert_eq!(node.get("/assets/..%2f..%2fCargo.toml").status, 404);
}

#[test]
fn requests_are_bounded() {
    let node = NodeConfig::new().start();
    let status = |request: String| exchange(node.address(), request.as_bytes()).get(9..12).unwrap_or("none").to_owned();
    let head = "HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n";
    assert_eq!(status(format!("POST /api/v1/devices {head}content-length: 2\r\n\r\n{{}}")), "405");
    assert_eq!(status(format!("GET / {head}content-length: 2\r\n\r\n{{}}")), "413");
    assert_eq!(status(format!("GET / {head}x: {}\r\n\r\n", "x".repeat(40_000))), "431");
    let fields: String = (0..200).map(|i| format!("x-{i}: y\r\n")).collect();
    assert_eq!(status(format!("GET / {head}{fields}\r\n")), "431");
    assert!(["414", "431", "none"].contains(&&*status(format!("GET /?{} {head}\r\n", "x".repeat(80_000)))));
    assert_eq!(status("nonsense\r\n\r\n".to_owned()), "400");
    assert_eq!(node.get("/-/healthy").status, 200);
}

#[test]
fn clients_of_the_stream_are_bounded() {
    let node = NodeConfig::new().start();
    let open: Vec<TcpStream> = (0..hamsa_node::limits::MAX_STREAM_CLIENTS)
        .map(|_| {
            let mut stream = TcpStream::connect(node.address()).unwrap();
            stream.set_read_timeout(Some(LIVENESS)).unwrap();
            write!(stream, "GET /api/v1/stream HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
            let mut start = [0; 15];
            stream.read_exact(&mut start).unwrap();
            assert_eq!(&start, b"HTTP/1.1 200 OK");
            stream
        })
        .collect();
    let refused = node.json("/api/v1/stream", 503);
    assert_eq!(refused["error"], "too many clients of the stream");
    drop(open);
    hamsa_testkit::wait_until("places are free again", || {
        let metrics = node.get("/metrics").text();
        metrics.contains("\nhamsa_http_stream_clients 0\n").then_some(())
    });
}

#[test]
fn a_server_that_can_not_start_says_why() {
    let node = NodeConfig::new().start();
    let home = TempDir::new().unwrap();
    let mut config = NodeConfig::new().check(&home).http;

    let taken = TcpListener::bind((loopback(), 0)).unwrap();
    config.listen = taken.local_addr().unwrap();
    let error = start_error(&node, &config);
    assert!(error.contains(&config.listen.to_string()) && error.contains("another program listens there"), "{error}");

    config.listen = "192.0.2.1:8161".parse().unwrap();
    assert!(start_error(&node, &config).contains("this host has no such address"));

    let (cert, key) = certificate();
    let file = |name: &str, contents: &str| {
        let path = home.path().join(name);
        std::fs::write(&path, contents).unwrap();
        path
    };
    config.listen = (loopback(), 0).into();
    let (good_cert, good_key) = (file("cert", &cert), file("key", &key));
    for (cert, key, named, reason) in [
        (file("text", "no PEM"), good_key.clone(), "text", "it holds no certificate in PEM"),
        (home.path().join("missing"), good_key, "missing", "it can't be read: No such file"),
        (good_cert.clone(), file("cut", "-----BEGIN PRIVATE KEY-----\nAAAA"), "cut", "it is no PEM"),
        (good_cert.clone(), good_cert.clone(), "cert", "it holds no private key in PEM"),
        (good_cert, file("other", &certificate().1), "other", "the key does not serve for the certificate"),
    ] {
        config.tls = Some(hamsa_node::config::TlsFiles { cert, key });
        let error = start_error(&node, &config);
        assert!(error.starts_with(&home.path().join(named).display().to_string()) && error.contains(reason), "{error}");
    }
}

fn start_error(node: &Node, config: &hamsa_node::config::HttpConfig) -> String {
    // The node has a server already; this one would show the same.
    let state = node.shared_state();
    match HttpServer::start(config, state) {
        Ok(_) => panic!("it has started"),
        Err(error @ (HttpError::Bind { .. } | HttpError::Tls { .. } | HttpError::System(_))) => error.to_string(),
    }
}

/// A certificate for 127.0.0.1 and localhost, and its key, both PEM.
fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[test]
fn tls_is_spoken_and_nothing_else() {
    let (cert, key) = certificate();
    let mut config = NodeConfig::new();
    config.device("router1", free_udp());
    config.http = "tls_cert = \"cert.pem\"\ntls_key = \"key.pem\"".to_owned();
    config.files = vec![("cert.pem", cert.clone()), ("key.pem", key)];
    let node = config.start();
    let address = node.address();
    hamsa_testkit::wait_until("the device is known", || node.state().fleet.get("router1"));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ask = |trust: &str| {
        let mut roots = RootCertStore::empty();
        let trusted = tokio_rustls::rustls::pki_types::pem::PemObject::from_pem_slice(trust.as_bytes()).unwrap();
        roots.add(trusted).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        runtime.block_on(async {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let stream = tokio::net::TcpStream::connect(address).await?;
            let name = ServerName::try_from("localhost").unwrap();
            let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
            stream.write_all(b"GET /api/v1/devices HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer).into_owned())
        })
    };
    let answer = ask(&cert).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("\"router1\""), "{answer}");
    // A client that trusts another certificate does not go on.
    assert!(ask(&certificate().0).unwrap_err().to_string().contains("certificate"));
    // Whoever speaks plain HTTP gets no HTTP back.
    assert!(!exchange(address, b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").contains("HTTP/1.1"));
}

#[test]
fn stopping_closes_the_address() {
    let node = NodeConfig::new().start();
    let address = node.address();
    let _idle = TcpStream::connect(address).unwrap();
    node.stop();
    assert!(TcpStream::connect(address).is_err());
}
