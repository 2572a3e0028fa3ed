//! The certificates of an engine, read and checked, and what may keep a site from its hub. It leaves out the links
//! themselves (`tunnel/`). Certificates are those of RFC 5280, verified as rustls-webpki does.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tokio_rustls::rustls::client::verify_server_cert_signed_by_trust_anchor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{CertificateError, Error, RootCertStore};

use crate::limits::MAX_FILE_BYTES;

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
    /// The hub does not trust what this site showed when it started, and its files have become unusable since then.
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
pub(crate) struct Material {
    pub(crate) roots: Arc<RootCertStore>,
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl TlsFiles {
    /// Whether a node that listens, or one that dials, can work with them now.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub(crate) fn check(&self, purpose: Use) -> Result<(), TlsFilesError> {
        self.load(&[purpose]).map(drop)
    }

    /// Reads them, and checks that they serve all of these purposes now.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub(crate) fn load(&self, purposes: &[Use]) -> Result<Material, TlsFilesError> {
        let material = self.read()?;
        let provider = Arc::new(ring::default_provider());
        let certified = CertifiedKey::from_der(material.chain.clone(), material.key.clone_key(), &provider);
        certified.map_err(|reason| TlsFilesError::Key {
            key: self.key.clone(),
            certificate: self.certificate.clone(),
            reason,
        })?;
        for purpose in purposes {
            let verified = now().and_then(|now| verify(&material.roots, &material.chain, *purpose, now));
            verified.map_err(|reason| self.unfit(reason, *purpose))?;
        }
        Ok(material)
    }

    fn unfit(&self, reason: Error, purpose: Use) -> TlsFilesError {
        let certificate = self.certificate.clone();
        let role = match purpose {
            Use::Listen => "a node that listens",
            Use::Dial => "a node that dials",
        };
        match &reason {
            Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
                TlsFilesError::Expired(certificate)
            }
            Error::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
                TlsFilesError::NotYetValid(certificate)
            }
            Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
                TlsFilesError::OtherAuthority { certificate, authority: self.authority.clone() }
            }
            _ => TlsFilesError::Unfit { path: certificate, role, reason },
        }
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

/// Verifies a chain for what it is needed for, at that time, as the side does that is shown it.
///
/// # Errors
/// The TLS library's.
pub(crate) fn verify(
    roots: &Arc<RootCertStore>,
    chain: &[CertificateDer<'static>],
    purpose: Use,
    at: UnixTime,
) -> Result<(), Error> {
    let (own, between) = chain.split_first().ok_or(Error::NoCertificatesPresented)?;
    let provider = ring::default_provider();
    match purpose {
        Use::Dial => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::new(provider)).build();
            let verifier = verifier.map_err(|error| Error::General(error.to_string()))?;
            verifier.verify_client_cert(own, between, at).map(drop)
        }
        Use::Listen => {
            let own = ParsedCertificate::try_from(own)?;
            let algorithms = provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&own, roots, between, at, algorithms)
        }
    }
}

fn now() -> Result<UnixTime, Error> {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since_epoch.map(UnixTime::since_unix_epoch).map_err(|_| Error::FailedToGetCurrentTime)
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
