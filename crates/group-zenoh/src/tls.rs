//! The certificates of an engine, checked before Zenoh sees them, and the question why a hub cannot be reached: Zenoh
//! itself only tries again, and says so in its log.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::verify_server_cert_signed_by_trust_anchor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{AlertDescription, CertificateError, ClientConfig, Error, RootCertStore};

use crate::limits::{DIAGNOSIS_TIMEOUT, MAX_FILE_BYTES};
use crate::options::Protection;

/// PEM files. Both sides of a link show a certificate, and both must be signed by the same authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The enterprise's own authority.
    pub authority: PathBuf,
    /// This node's certificate, for clients and servers; then those between it and the authority, if any.
    pub certificate: PathBuf,
    /// The private key of the certificate.
    pub key: PathBuf,
}

/// What is wrong with the files.
#[derive(Debug, thiserror::Error)]
pub enum TlsFilesError {
    /// Missing, or not to be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Without anything in PEM that belongs there.
    #[error("{path} has no {expected} in PEM")]
    Content {
        /// Which file.
        path: PathBuf,
        /// What belongs there.
        expected: &'static str,
    },
    /// The key belongs to another certificate, or is of a kind that TLS does not know.
    #[error("{key} is not the key of {certificate}: {reason}")]
    Key {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
        /// What the TLS library says.
        reason: Error,
    },
    /// The certificate is past its time.
    #[error("the certificate in {0} has expired: have it renewed by the authority")]
    Expired(PathBuf),
    /// The certificate's time has not begun.
    #[error("the certificate in {0} is not valid yet: is this host's clock right?")]
    NotYetValid(PathBuf),
    /// The certificate is signed by somebody else.
    #[error("the certificate in {certificate} is not signed by the authority in {authority}")]
    OtherAuthority {
        /// The certificate's file.
        certificate: PathBuf,
        /// The authority's file.
        authority: PathBuf,
    },
    /// The certificate is not good for what it is needed for, or for anything.
    #[error("the certificate in {path} cannot be used by {role}: {reason}")]
    Unfit {
        /// Which file.
        path: PathBuf,
        /// One that listens, or one that dials.
        role: &'static str,
        /// What the TLS library says.
        reason: Error,
    },
}

/// What keeps a node from one that it dials, its hub.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialProblem {
    /// Nothing answers there.
    #[error("{endpoint} cannot be reached: {reason}")]
    Unreachable {
        /// Host and port.
        endpoint: String,
        /// In words.
        reason: String,
    },
    /// This node does not trust what the hub shows.
    #[error("the certificate of {endpoint} is refused here: {reason}")]
    HubRefused {
        /// Host and port.
        endpoint: String,
        /// In words.
        reason: String,
    },
    /// The hub does not trust what this node shows.
    #[error("{endpoint} refuses this node's certificate: {reason}")]
    SiteRefused {
        /// Host and port.
        endpoint: String,
        /// In words.
        reason: String,
    },
    /// This node's own files have become unusable since its start.
    #[error("{0}")]
    Files(String),
    /// It answers, but not with TLS as this side speaks it.
    #[error("{endpoint} does not speak TLS as it should: {reason}")]
    NotTls {
        /// Host and port.
        endpoint: String,
        /// In words.
        reason: String,
    },
}

/// What a certificate is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Listen,
    Dial,
}

/// Read and checked.
struct Material {
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl TlsFiles {
    /// Whether a node that listens, or one that dials, can work with them now.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub(crate) fn check(&self, purpose: Use) -> Result<(), TlsFilesError> {
        let Material { roots, chain, key } = self.read()?;
        let provider = Arc::new(ring::default_provider());
        let certificate = self.certificate.clone();
        CertifiedKey::from_der(chain.clone(), key, &provider).map_err(|reason| TlsFilesError::Key {
            key: self.key.clone(),
            certificate: certificate.clone(),
            reason,
        })?;
        let role = match purpose {
            Use::Listen => "a node that listens",
            Use::Dial => "a node that dials",
        };
        verify(roots, &chain, &provider, purpose).map_err(|reason| match &reason {
            Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
                TlsFilesError::Expired(certificate.clone())
            }
            Error::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
                TlsFilesError::NotYetValid(certificate.clone())
            }
            Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
                let authority = self.authority.clone();
                TlsFilesError::OtherAuthority { certificate: certificate.clone(), authority }
            }
            _ => TlsFilesError::Unfit { path: certificate.clone(), role, reason },
        })
    }

    /// For one that dials.
    fn client_config(&self) -> Result<ClientConfig, TlsFilesError> {
        let Material { roots, chain, key } = self.read()?;
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config =
            builder.and_then(|builder| builder.with_root_certificates(roots).with_client_auth_cert(chain, key));
        let (key, certificate) = (self.key.clone(), self.certificate.clone());
        config.map_err(|reason| TlsFilesError::Key { key, certificate, reason })
    }

    fn read(&self) -> Result<Material, TlsFilesError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.authority)? {
            roots.add(certificate).map_err(|_| TlsFilesError::Content {
                path: self.authority.clone(),
                expected: "certificate of an authority",
            })?;
        }
        let chain = certificates(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?)
            .map_err(|_| TlsFilesError::Content { path: self.key.clone(), expected: "private key" })?;
        Ok(Material { roots: Arc::new(roots), chain, key })
    }
}

/// Connects to a hub as Zenoh does, and says what keeps it from that; `None` when nothing does.
#[cfg_attr(not(feature = "zenoh"), expect(dead_code, reason = "only an engine dials"))]
pub(crate) async fn dial_problem(protection: &Protection, endpoint: &str) -> Option<DialProblem> {
    let config = match protection {
        Protection::None => None,
        Protection::Tls(files) => match files.client_config() {
            Ok(config) => Some(config),
            // They were good at the start.
            Err(error) => return Some(DialProblem::Files(error.to_string())),
        },
    };
    let handshake = timeout(DIAGNOSIS_TIMEOUT, shake_hands(config, endpoint));
    handshake.await.unwrap_or_else(|_| Some(unreachable(endpoint, "it did not answer in time")))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsFilesError> {
    let failed = |source| TlsFilesError::Read { path: path.to_owned(), source };
    let mut octets = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_FILE_BYTES).read_to_end(&mut octets).map_err(failed)?;
    Ok(octets)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFilesError> {
    let octets = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&octets).collect();
    let found = found.ok().filter(|found| !found.is_empty());
    found.ok_or_else(|| TlsFilesError::Content { path: path.to_owned(), expected: "certificate" })
}

/// As the other side will.
fn verify(
    roots: Arc<RootCertStore>,
    chain: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
    purpose: Use,
) -> Result<(), Error> {
    let now = UnixTime::since_unix_epoch(
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_err(|_| Error::FailedToGetCurrentTime)?,
    );
    let (own, between) = chain.split_first().ok_or(Error::NoCertificatesPresented)?;
    match purpose {
        Use::Dial => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider)).build();
            let verifier = verifier.map_err(|error| Error::General(error.to_string()))?;
            verifier.verify_client_cert(own, between, now).map(drop)
        }
        Use::Listen => {
            let own = ParsedCertificate::try_from(own)?;
            let algorithms = provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&own, &roots, between, now, algorithms)
        }
    }
}

async fn shake_hands(config: Option<ClientConfig>, endpoint: &str) -> Option<DialProblem> {
    let tcp = match TcpStream::connect(endpoint).await {
        Ok(tcp) => tcp,
        Err(error) => return Some(unreachable(endpoint, &error.to_string())),
    };
    let config = config?;
    let host = endpoint.rsplit_once(':').map_or(endpoint, |(host, _)| host);
    let name = match ServerName::try_from(host.trim_matches(['[', ']']).to_owned()) {
        Ok(name) => name,
        Err(error) => return Some(unreachable(endpoint, &error.to_string())),
    };
    let mut tls = match TlsConnector::from(Arc::new(config)).connect(name, tcp).await {
        Ok(tls) => tls,
        Err(error) => return Some(problem(endpoint, &error)),
    };
    // A hub that refuses says so after the handshake; one that accepts waits for Zenoh's first message.
    match timeout(DIAGNOSIS_TIMEOUT / 4, tls.read_u8()).await {
        Ok(Err(error)) => Some(problem(endpoint, &error)),
        Ok(Ok(_)) | Err(_) => None,
    }
}

fn unreachable(endpoint: &str, reason: &str) -> DialProblem {
    DialProblem::Unreachable { endpoint: endpoint.to_owned(), reason: reason.to_owned() }
}

fn problem(endpoint: &str, error: &io::Error) -> DialProblem {
    let endpoint = endpoint.to_owned();
    let Some(tls) = error.get_ref().and_then(|source| source.downcast_ref::<Error>()) else {
        // Whoever refuses may close so soon that its reason is lost.
        return match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                let reason = format!("it closes the connection ({error})");
                DialProblem::SiteRefused { endpoint, reason }
            }
            _ => DialProblem::Unreachable { endpoint, reason: error.to_string() },
        };
    };
    match tls {
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            DialProblem::HubRefused { endpoint, reason: "it is not signed by this node's authority".into() }
        }
        Error::InvalidCertificate(error) => DialProblem::HubRefused { endpoint, reason: error.to_string() },
        Error::AlertReceived(alert) => {
            let reason = match alert {
                AlertDescription::CertificateExpired => "it has expired, by the hub's clock",
                AlertDescription::UnknownCA | AlertDescription::DecryptError => {
                    "it is not signed by the hub's authority"
                }
                AlertDescription::CertificateRequired => "none was shown",
                AlertDescription::BadCertificate | AlertDescription::UnsupportedCertificate => {
                    "it is not fit for a node that dials"
                }
                alert => return DialProblem::NotTls { endpoint, reason: format!("its alert is {alert:?}") },
            };
            DialProblem::SiteRefused { endpoint, reason: reason.into() }
        }
        error => DialProblem::NotTls { endpoint, reason: error.to_string() },
    }
}
