//! An authority for an enterprise, and certificates of it for its nodes: what `[enterprise]` needs where there is no
//! authority yet that one would rather use.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use jiff::{Span, ToSpan, Zoned};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

use crate::limits::{AUTHORITY_YEARS, MAX_CERTIFICATE_DAYS, MAX_KEY_FILE_BYTES};

/// Its subject, in all of its certificates: with its key it is all that signing needs.
const AUTHORITY: &str = "Hamsa enterprise authority";

/// Files in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key, which only its owner may read.
    pub key: PathBuf,
}

/// There is no certificate.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum CertificateError {
    #[error("{} is there already: it is not replaced; remove it first, or say another directory", .0.display())]
    Exists(PathBuf),
    #[error("{path}: {source}", path = path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} is not the private key of an authority, in PEM: `hamsa enterprise authority` makes one", .0.display())]
    NoKey(PathBuf),
    #[error("a certificate lasts from 1 to {MAX_CERTIFICATE_DAYS} days, not {0}")]
    Days(u32),
    #[error("{name:?} is no host name or address: {reason}")]
    Name { name: String, reason: String },
    #[error("the certificate can't be made: {0}")]
    Made(#[from] rcgen::Error),
}

/// Makes an authority, `authority.pem` and `authority.key`, that lasts for ten years.
///
/// # Errors
/// There is one already, or the files can't be written.
pub fn create_authority(directory: &Path) -> Result<CertificateFiles, CertificateError> {
    let key = KeyPair::generate()?;
    let mut params = authority()?;
    set_validity(&mut params, AUTHORITY_YEARS.years());
    write(directory, "authority", &params.self_signed(&key)?.pem(), &key)
}

/// Makes a certificate for a node, `node-N.pem` and `node-N.key`, with the names and addresses by which others dial it, if
/// any do.
///
/// # Errors
/// What is wrong with which file, name or time.
pub fn create_certificate(
    authority_key: &Path,
    directory: &Path,
    node: u32,
    names: &[String],
    days: u32,
) -> Result<CertificateFiles, CertificateError> {
    if !(1..=MAX_CERTIFICATE_DAYS).contains(&days) {
        return Err(CertificateError::Days(days));
    }
    let failed = |source| CertificateError::File { path: authority_key.to_owned(), source };
    let length = std::fs::metadata(authority_key).map_err(failed)?.len();
    let text = if length > MAX_KEY_FILE_BYTES {
        String::new()
    } else {
        std::fs::read_to_string(authority_key).map_err(failed)?
    };
    let signing = KeyPair::from_pem(&text).map_err(|_| CertificateError::NoKey(authority_key.to_owned()))?;
    let issuer = Issuer::new(authority()?, signing);
    let mut params = CertificateParams::default();
    for name in names {
        let one = CertificateParams::new([name.clone()]);
        let one = one.map_err(|reason| CertificateError::Name { name: name.clone(), reason: reason.to_string() })?;
        params.subject_alt_names.extend(one.subject_alt_names);
    }
    params.distinguished_name.push(DnType::CommonName, format!("hamsa node {node}"));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params, i64::from(days).days());
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer)?;
    write(directory, &format!("node-{node}"), &certificate.pem(), &key)
}

fn authority() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, AUTHORITY);
    Ok(params)
}

/// From yesterday on, since clocks differ.
fn set_validity(params: &mut CertificateParams, lasts: Span) {
    let midnight =
        |date: Date| date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs());
    let today = Zoned::now().date();
    params.not_before = midnight(today.saturating_sub(1.day()));
    params.not_after = midnight(today.saturating_add(lasts));
}

fn write(directory: &Path, name: &str, pem: &str, key: &KeyPair) -> Result<CertificateFiles, CertificateError> {
    // Shown to people: without a ./ before it.
    let directory = if directory == Path::new(".") { Path::new("") } else { directory };
    let path = |extension: &str| directory.join(format!("{name}.{extension}"));
    let files = CertificateFiles { certificate: path("pem"), key: path("key") };
    if files.certificate.exists() {
        return Err(CertificateError::Exists(files.certificate));
    }
    create(&files.key, 0o600, &key.serialize_pem())?;
    create(&files.certificate, 0o644, pem)?;
    Ok(files)
}

fn create(path: &Path, mode: u32, text: &str) -> Result<(), CertificateError> {
    let written = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|source| match source.kind() {
        ErrorKind::AlreadyExists => CertificateError::Exists(path.to_owned()),
        _ => CertificateError::File { path: path.to_owned(), source },
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use hamsa_group_zenoh::{Links, OptionsError, Protection, TlsFiles, TlsFilesError, ZenohOptions};
    use tempfile::TempDir;

    use super::*;

    fn check(authority: &Path, files: &CertificateFiles) -> Result<(), OptionsError> {
        let CertificateFiles { certificate, key } = files.clone();
        let options = ZenohOptions {
            enterprise: "acme".into(),
            me: hamsa_group::Process { node: 1, process: 1 },
            links: Links { listen: vec!["127.0.0.1:1".into()], dial: vec!["127.0.0.1:2".into()] },
            protection: Protection::Tls(TlsFiles { authority: authority.to_owned(), certificate, key }),
            lease: std::time::Duration::from_secs(1),
            name: "node".into(),
            version: "test".into(),
            began_after_ms: 0,
        };
        options.check()
    }

    #[test]
    fn a_certificate_is_good_for_its_authority_and_for_no_other() {
        let directory = TempDir::new().unwrap();
        let [one, other] = ["one", "other"].map(|name| directory.path().join(name));
        [&one, &other].into_iter().for_each(|directory| std::fs::create_dir(directory).unwrap());
        let [authority, another] = [&one, &other].map(|directory| create_authority(directory).unwrap());
        let names = ["hub.example.net".to_owned(), "192.0.2.1".to_owned(), "2001:db8::1".to_owned()];
        let files = create_certificate(&authority.key, &one, 7, &names, 730).unwrap();
        assert_eq!(files.certificate, one.join("node-7.pem"));
        assert_eq!(std::fs::metadata(&files.key).unwrap().permissions().mode() & 0o777, 0o600);
        check(&authority.certificate, &files).unwrap();
        let error = check(&another.certificate, &files).unwrap_err();
        assert!(matches!(error, OptionsError::Tls(TlsFilesError::OtherAuthority { .. })), "{error}");
    }

    #[test]
    fn nothing_is_replaced_and_mistakes_are_told() {
        let directory = TempDir::new().unwrap();
        let authority = create_authority(directory.path()).unwrap();
        let made = std::fs::read(&authority.key).unwrap();
        assert!(matches!(create_authority(directory.path()), Err(CertificateError::Exists(_))));
        assert_eq!(std::fs::read(&authority.key).unwrap(), made);
        let create = |key: &Path, names: &[String], days| create_certificate(key, directory.path(), 1, names, days);
        assert!(matches!(create(&authority.certificate, &[], 1), Err(CertificateError::NoKey(_))));
        assert!(matches!(create(&directory.path().join("none"), &[], 1), Err(CertificateError::File { .. })));
        assert!(matches!(create(&authority.key, &[], 0), Err(CertificateError::Days(0))));
        assert!(matches!(create(&authority.key, &["ä".into()], 1), Err(CertificateError::Name { .. })));
        create(&authority.key, &[], 1).unwrap();
        assert!(matches!(create(&authority.key, &[], 1), Err(CertificateError::Exists(_))));
        assert!(matches!(create_authority(&directory.path().join("none")), Err(CertificateError::File { .. })));
    }
}
