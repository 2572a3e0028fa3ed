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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rcgen::{
        BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd,
    };
    use tempfile::TempDir;
    use tokio_rustls::rustls::pki_types::pem::PemObject;

    use super::*;

    /// Files of a node whose chain goes through an authority in between, each good to the end of its year.
    fn sign(at: &Path, year_between: i32, year_own: i32) -> TlsFiles {
        let authority = |name: &str| {
            let mut params = CertificateParams::new(Vec::new()).expect("no names");
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params
        };
        let [root_key, between_key, key] = [(); 3].map(|()| KeyPair::generate().expect("a key"));
        let root = authority("root");
        let root_pem = root.self_signed(&root_key).expect("a certificate").pem();
        let root = Issuer::new(root, root_key);
        let mut between = authority("between");
        between.not_after = date_time_ymd(year_between, 12, 31);
        let between_pem = between.signed_by(&between_key, &root).expect("a certificate").pem();
        let mut own = CertificateParams::new(["node.example".to_owned()]).expect("a sound name");
        own.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        own.not_after = date_time_ymd(year_own, 12, 31);
        let own_pem = own.signed_by(&key, &Issuer::new(between, between_key)).expect("a certificate").pem();
        let [authority, certificate, private] = ["ca.pem", "node.pem", "node.key"].map(|name| at.join(name));
        std::fs::write(&authority, root_pem).expect("a file");
        std::fs::write(&certificate, own_pem + &between_pem).expect("a file");
        std::fs::write(&private, key.serialize_pem()).expect("a file");
        TlsFiles { authority, certificate, key: private }
    }

    #[test]
    fn a_chain_ends_with_the_first_of_its_certificates() {
        let directory = TempDir::new().expect("a directory");
        // Seconds from 1970 to the beginning of these years' last days, by `date -u -d 2100-12-31 +%s`.
        for (year_between, year_own, end) in [(2100, 2150, 4_133_894_400), (2150, 2100, 4_133_894_400)] {
            let files = sign(directory.path(), year_between, year_own);
            let loaded = load(&files, &[Use::Listen, Use::Dial]).expect("they are good");
            let chain: Vec<_> = CertificateDer::pem_file_iter(&files.certificate)
                .expect("a file")
                .collect::<Result<_, _>>()
                .expect("certificates");
            for purpose in [Use::Listen, Use::Dial] {
                let expiry = loaded.expiry(&chain, purpose).expect("it is good").expect("it ends");
                assert_eq!(expiry.as_secs(), end);
            }
            // Without the one in between it is signed by nobody known.
            loaded.expiry(&chain[..1], Use::Dial).expect_err("it is not good");
            loaded.expiry(&[], Use::Dial).expect_err("there is none");
        }
    }

    #[test]
    fn what_has_changed_is_read_again_and_what_is_broken_is_not_used() {
        let directory = TempDir::new().expect("a directory");
        let files = sign(directory.path(), 2100, 2100);
        let credentials = Credentials::new(files.clone(), vec![Use::Dial]).expect("they are good");
        let first = credentials.current();
        assert!(Arc::ptr_eq(&first, &credentials.current()));
        std::fs::write(&files.key, "no key").expect("a file");
        assert!(Arc::ptr_eq(&first, &credentials.current()));
        assert!(credentials.broken().expect("it is told").contains("has no private key in PEM"));
        std::fs::remove_file(&files.key).expect("it is there");
        assert!(Arc::ptr_eq(&first, &credentials.current()));
        assert!(credentials.broken().expect("it is told").contains("cannot read"));
        sign(directory.path(), 2100, 2100);
        assert!(!Arc::ptr_eq(&first, &credentials.current()));
        assert_eq!(credentials.broken(), None);
    }
}
