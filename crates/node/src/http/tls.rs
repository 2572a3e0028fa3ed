//! TLS (RFC 8446, RFC 5246) from PEM files, by rustls with the cryptography of ring.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::HttpError;
use crate::config::TlsFiles;

/// Reads certificate and key.
pub(super) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, HttpError> {
    let failed = |path: &Path, reason: String| HttpError::Tls { path: path.to_owned(), reason };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect)
        .map_err(|error| failed(&files.cert, reason(&error, "certificate")))?;
    if chain.is_empty() {
        return Err(failed(&files.cert, reason(&PemError::NoItemsFound, "certificate")));
    }
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| failed(&files.key, reason(&error, "private key")))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&files.cert, error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| failed(&files.key, format!("the key does not serve for the certificate: {error}")))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// What is wrong with a file, without any of its contents.
fn reason(error: &PemError, what: &str) -> String {
    match error {
        PemError::Io(error) => format!("it can't be read: {error}"),
        PemError::NoItemsFound => format!("it holds no {what} in PEM (-----BEGIN ...)"),
        _ => "it is no PEM: a section is damaged or cut off".to_owned(),
    }
}
