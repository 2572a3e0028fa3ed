//! An authority and certificates for tests of TLS with certificates of both sides.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd};

/// What it has signed is good for who listens and for who dials, unless it is said otherwise.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// When a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Validity {
    Now,
    Past,
    Future,
    /// From now on for so long.
    For(Duration),
}

/// What a certificate is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Usage {
    Both,
    Listen,
    Dial,
}

/// PEM files of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Certified {
    pub authority: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Certified {
    /// Where [`Authority::sign`] has put them.
    pub fn in_directory(directory: &Path) -> Self {
        let [authority, certificate, key] = ["ca.pem", "node.pem", "node.key"].map(|name| directory.join(name));
        Certified { authority, certificate, key }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// Unlike all others.
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Writes the files of a node that has these names, into a directory that is made.
    pub fn sign(&self, directory: &Path, names: &[&str], validity: Validity, usage: Usage) -> Certified {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("sound names");
        params.extended_key_usages = match usage {
            Usage::Both => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
            Usage::Listen => vec![ExtendedKeyUsagePurpose::ServerAuth],
            Usage::Dial => vec![ExtendedKeyUsagePurpose::ClientAuth],
        };
        match validity {
            Validity::Now => {}
            Validity::Past => params.not_after = date_time_ymd(2001, 1, 1),
            Validity::Future => params.not_before = date_time_ymd(4000, 1, 1),
            Validity::For(time) => {
                let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a sound clock");
                params.not_after = date_time_ymd(1970, 1, 1) + since_epoch + time;
            }
        }
        std::fs::create_dir_all(directory).expect("a directory");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let files = Certified::in_directory(directory);
        std::fs::write(&files.authority, &self.pem).expect("a file");
        std::fs::write(&files.certificate, certificate.pem()).expect("a file");
        std::fs::write(&files.key, key.serialize_pem()).expect("a file");
        files
    }
}
