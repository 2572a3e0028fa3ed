//! What this node shows and whom it trusts, read again when the files have changed: a renewed certificate needs no
//! restart. It leaves out links that are up: they go on with what they began with, until that expires.
//!
//! TLS 1.3 (RFC 8446) with certificates of both sides. Sessions are never resumed: with a resumed one, the peer's
//! certificate would not be looked at again.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{CertificateError, ClientConfig, Error, RootCertStore, ServerConfig};

use crate::limits::MAX_CHAIN;
use crate::tls::{Material, TlsFiles, TlsFilesError, Use, verify};

/// The end of the year 9999, which stands for no end (RFC 5280, section 4.1.2.5).
const NO_END: Duration = Duration::from_secs(253_402_300_799);

/// The files, and what was in them when they were last good.
#[derive(Debug)]
pub(super) struct Credentials {
    files: TlsFiles,
    purposes: Vec<Use>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    stamps: [Option<Stamp>; 3],
    current: Arc<Loaded>,
    broken: Option<String>,
}

/// Inode, octets, and time of the last change in seconds and nanoseconds: any change of a file changes one of them.
type Stamp = (u64, u64, i64, i64);

/// Ready for handshakes.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) client: Arc<ClientConfig>,
    pub(super) server: Arc<ServerConfig>,
    roots: Arc<RootCertStore>,
}

impl Credentials {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// They are not good for one of the purposes.
    pub(super) fn new(files: TlsFiles, purposes: Vec<Use>) -> Result<Self, TlsFilesError> {
        let stamps = stamps(&files);
        let current = Arc::new(load(&files, &purposes)?);
        Ok(Self { files, purposes, state: Mutex::new(State { stamps, current, broken: None }) })
    }

    /// For a new connection. Files that have become unusable are told of once, and leave the old ones in use.
    pub(super) fn current(&self) -> Arc<Loaded> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Before they are read: a change meanwhile is seen by the next connection.
        let stamps = stamps(&self.files);
        if state.stamps != stamps {
            state.stamps = stamps;
            match load(&self.files, &self.purposes) {
                Ok(loaded) => {
                    tracing::info!(certificate = %self.files.certificate.display(), "certificates read again");
                    state.current = Arc::new(loaded);
                    state.broken = None;
                }
                Err(error) => {
                    tracing::warn!(%error, "certificates have changed and are not good: the old ones stay in use");
                    state.broken = Some(error.to_string());
                }
            }
        }
        Arc::clone(&state.current)
    }

    /// Why the files are not what is in use.
    pub(super) fn broken(&self) -> Option<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).broken.clone()
    }
}

impl Loaded {
    /// When the first certificate of a peer's chain ends, if one does; the peer uses it for `purpose`.
    ///
    /// # Errors
    /// The chain is not good now.
    pub(super) fn expiry(&self, chain: &[CertificateDer<'static>], purpose: Use) -> Result<Option<UnixTime>, Error> {
        let mut at = UnixTime::since_unix_epoch(NO_END);
        let mut first = None;
        // At the end of time, whoever verifies names a certificate that has ended before, and when; at that time, one
        // that has ended still earlier; so on, to the earliest.
        for _ in 0..MAX_CHAIN {
            match verify(&self.roots, chain, purpose, at) {
                Ok(()) => return Ok(first),
                Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }))
                    if not_after < at =>
                {
                    at = not_after;
                    first = Some(not_after);
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::InvalidCertificate(CertificateError::BadEncoding))
    }
}

fn stamps(files: &TlsFiles) -> [Option<Stamp>; 3] {
    let stamp = |of: Metadata| (of.ino(), of.size(), of.ctime(), of.ctime_nsec());
    [&files.authority, &files.certificate, &files.key].map(|path| std::fs::metadata(path).ok().map(stamp))
}

fn load(files: &TlsFiles, purposes: &[Use]) -> Result<Loaded, TlsFilesError> {
    let Material { roots, chain, key } = files.load(purposes)?;
    let provider = Arc::new(ring::default_provider());
    let refused =
        |reason| TlsFilesError::Key { key: files.key.clone(), certificate: files.certificate.clone(), reason };
    let client = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(&[&TLS13]);
    let mut client = client
        .and_then(|builder| {
            builder.with_root_certificates(Arc::clone(&roots)).with_client_auth_cert(chain.clone(), key.clone_key())
        })
        .map_err(refused)?;
    client.resumption = Resumption::disabled();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider)).build();
    let verifier = verifier.map_err(|error| refused(Error::General(error.to_string())))?;
    let server = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13]);
    let mut server = server
        .and_then(|builder| builder.with_client_cert_verifier(verifier).with_single_cert(chain, key))
        .map_err(refused)?;
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    Ok(Loaded { client: Arc::new(client), server: Arc::new(server), roots })
}
