//! Good files, and what becomes of them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hamsa_snmp::engine::Name;
use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::usm::{AuthProtocolId, PrivProtocolId};

use super::super::{
    DeviceAddress, DiscoveredDevice, LogFormat, LogLevel, PollConfig, Secret, Security, StoreConfig, TlsFiles,
    UserCredentials, to_toml,
};
use super::{Directory, valid};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

fn user(security: &Security) -> &UserCredentials {
    match security {
        Security::V3(user) => user,
        other => panic!("not SNMPv3: {other:?}"),
    }
}

#[test]
fn an_empty_file_is_a_configuration() {
    let directory = Directory::new(&[("hamsa.toml", "")]);
    let config = directory.check().config.unwrap();
    assert_eq!(config.node.name, "host1");
    assert_eq!(config.node.data_dir, directory.path("hamsa-data"));
    assert_eq!(config.http.listen, SocketAddr::from(([127, 0, 0, 1], 8161)));
    assert_eq!((config.http.token, config.http.tls), (None, None));
    let store =
        StoreConfig { retention: 30 * DAY, event_retention: 90 * DAY, sync_interval: SECOND, cache_size: 64 << 20 };
    assert_eq!(config.store, store);
    let poll = PollConfig {
        interval: 60 * SECOND,
        timeout: SECOND,
        max_timeout: 5 * SECOND,
        retries: 3,
        max_outstanding: 2,
        max_repetitions: 25,
        max_response_octets: 1400,
        refresh: 600 * SECOND,
        receive_buffer: 4 << 20,
    };
    assert_eq!(config.poll, poll);
    assert_eq!(config.traps.listen, [SocketAddr::from(([127, 0, 0, 1], 9162))]);
    assert_eq!(config.traps.accept, []);
    assert!(config.mib.dirs.is_empty() && config.mib.modules.is_empty() && config.profiles.dirs.is_empty());
    assert_eq!((config.log.level, config.log.format), (LogLevel::Info, LogFormat::Text));
    assert!(config.credentials.is_empty() && config.devices.is_empty());
}

#[test]
fn devices_take_from_poll_what_they_do_not_say() {
    let config = valid(
        "[poll]\ninterval = \"30s\"\nretries = 1\n\
         [credentials.lab]\nversion = \"v1\"\ncommunity = \"public\"\n\
         [credentials.campus]\nversion = \"v3\"\nuser = \"u\"\ncontext = \"base\"\n\
         [[device]]\naddress = \"192.0.2.1:1161\"\ncredentials = \"lab\"\n\
         [[device]]\nname = \"Core switch (Zürich)\"\naddress = \"Core.example\"\ncredentials = \"campus\"\n\
         profiles = [\"if-mib\", \"system\"]\ninterval = \"1m30s\"\ntimeout = \"5s\"\nretries = 0\nmax_outstanding = 64\n\
         enabled = false\nlabels = { site = \"berlin\", rack_2 = \"\" }\n\
         [[device]]\naddress = \"[2001:db8::1]\"\ncredentials = \"campus\"\ncontext = \"vrf-a\"\n",
    );
    let [first, second, third] = &config.devices[..] else { panic!("{:?}", config.devices) };
    assert_eq!(first.name, "192.0.2.1:1161");
    assert_eq!(first.address, DeviceAddress::Ip("192.0.2.1:1161".parse().unwrap()));
    assert_eq!(first.credentials, config.credentials["lab"]);
    assert_eq!(first.credentials.security, Security::V1(secret("public")));
    assert_eq!(first.profiles, None);
    assert_eq!((first.interval, first.timeout, first.retries, first.max_outstanding), (30 * SECOND, SECOND, 1, 2));
    assert!(first.context.is_empty() && first.labels.is_empty() && first.enabled);

    assert_eq!(second.name, "Core switch (Zürich)");
    assert_eq!(second.address, DeviceAddress::Host { name: "core.example".to_owned(), port: 161 });
    assert_eq!(second.profiles.as_deref(), Some(&["if-mib".to_owned(), "system".to_owned()][..]));
    assert_eq!((second.interval, second.timeout, second.retries), (90 * SECOND, 5 * SECOND, 0));
    assert_eq!((second.max_outstanding, second.enabled), (64, false));
    assert_eq!(
        second.labels.iter().map(|(k, v)| (&**k, &**v)).collect::<Vec<_>>(),
        [("rack_2", ""), ("site", "berlin")]
    );
    assert_eq!(second.context, Name::new("base").unwrap());
    assert_eq!(third.context, Name::new("vrf-a").unwrap());
    assert_eq!(third.name, "[2001:db8::1]");
}

#[test]
fn users_are_secured_as_far_as_their_protocols_allow() {
    let config = valid(
        "[credentials.none]\nversion = \"v3\"\nuser = \"u\"\n\
         [credentials.auth]\nversion = \"v3\"\nuser = \"u\"\nauth_protocol = \"sha\"\nauth_password = \"maplesyrup\"\n\
         [credentials.priv]\nversion = \"v3\"\nuser = \"u\"\nauth_protocol = \"SHA-512\"\nauth_password = \"maplesyrup\"\n\
         priv_protocol = \"aes256c\"\npriv_password = \"pancakes\"\nengine_id = \"0x80001f8804\"\n\
         [credentials.less]\nversion = \"v3\"\nuser = \"u\"\nauth_protocol = \"MD5\"\nauth_password = \"maplesyrup\"\n\
         priv_protocol = \"DES\"\npriv_password = \"pancakes\"\nlevel = \"authNoPriv\"\n",
    );
    let user = |name: &str| user(&config.credentials[name].security);
    assert_eq!(user("none").level, SecurityLevel::NoAuthNoPriv);
    assert_eq!(user("none").authentication, None);
    assert_eq!(user("auth").level, SecurityLevel::AuthNoPriv);
    let auth = user("auth").authentication.as_ref().unwrap();
    assert_eq!((auth.protocol, &auth.password, &auth.privacy), (AuthProtocolId::Sha1, &secret("maplesyrup"), &None));
    assert_eq!(user("priv").level, SecurityLevel::AuthPriv);
    assert_eq!(user("priv").engine_id, Some("80001f8804".parse().unwrap()));
    let auth = user("priv").authentication.as_ref().unwrap();
    let privacy = auth.privacy.as_ref().unwrap();
    assert_eq!(auth.protocol, AuthProtocolId::Sha512);
    assert_eq!((privacy.protocol, &privacy.password), (PrivProtocolId::Aes256C, &secret("pancakes")));
    assert_eq!(user("less").level, SecurityLevel::AuthNoPriv);
    assert_eq!(config.credentials["less"].security.version(), Version::V3);
    // Notifications are taken from all of them.
    assert_eq!(config.traps.accept.len(), 4);
}

#[test]
fn secrets_come_from_the_file_another_file_or_the_environment() {
    let directory = Directory::new(&[
        (
            "hamsa.toml",
            "include = [\"more/devices.toml\"]\n[http]\ntoken_file = \"token\"\n[traps]\naccept = [\"c\"]\nlisten = []\n\
             [credentials.a]\nversion = \"v2c\"\ncommunity = \"tab\\there\"\n\
             [credentials.b]\nversion = \"v2c\"\ncommunity_env = \"HAMSA_COMMUNITY\"\n",
        ),
        ("token", "0123456789abcdef==\r\n"),
        ("more/devices.toml", "[credentials.c]\nversion = \"v2c\"\ncommunity_file = \"secret\"\n"),
    ]);
    directory.write("more/secret", b"from \xff file\n\n", 0o640);
    let report = directory.check();
    assert_eq!(report.to_string(), "");
    let config = report.config.unwrap();
    assert_eq!(config.http.token, Some(secret("0123456789abcdef==")));
    assert_eq!(config.credentials["a"].security, Security::V2c(secret("tab\there")));
    assert_eq!(config.credentials["b"].security, Security::V2c(secret("from-environment")));
    assert_eq!(config.credentials["c"].security, Security::V2c(Secret::new(b"from \xff file\n".to_vec())));
    assert_eq!(config.traps.accept, [config.credentials["c"].clone()]);
    assert_eq!(config.traps.listen, []);
}

#[test]
fn paths_start_at_the_directory_of_their_file() {
    let directory = Directory::new(&[
        (
            "hamsa.toml",
            "[node]\nname = \"n1\"\ndata_dir = \"/var/empty/hamsa\"\n[http]\nlisten = \"0.0.0.0:8161\"\ntoken = \"0123456789abcdef\"\n\
             tls_cert = \"tls/cert.pem\"\ntls_key = \"tls/key.pem\"\n[mib]\ndirs = [\"tls\"]\nmodules = [\"ACME-MIB\"]\n\
             [profiles]\ndirs = [\"./acme\"]\n[credentials.a]\nversion = \"v2c\"\ncommunity = \"c\"\n\
             [[device]]\naddress = \"h\"\ncredentials = \"a\"\nprofiles = [\"acme\"]\n",
        ),
        ("tls/cert.pem", ""),
        ("tls/key.pem", ""),
        ("acme/x", ""),
    ]);
    let report = directory.check();
    assert_eq!(report.to_string(), "");
    let config = report.config.unwrap();
    assert_eq!(config.node.name, "n1");
    assert_eq!(config.node.data_dir, Path::new("/var/empty/hamsa"));
    let tls = TlsFiles { cert: directory.path("tls/cert.pem"), key: directory.path("tls/key.pem") };
    assert_eq!(config.http.tls, Some(tls));
    assert_eq!(config.mib.dirs, [directory.path("tls")]);
    assert_eq!(config.mib.modules, ["ACME-MIB"]);
    assert_eq!(config.profiles.dirs, [directory.path("./acme")]);
}

#[test]
fn nothing_that_is_printed_has_a_secret() {
    let secrets = ["maplesyrup-1", "maplesyrup-2", "maplesyrup-3", "maplesyrup-4-5-6"];
    let config = valid(&format!(
        "[http]\ntoken = \"{}\"\n[credentials.a]\nversion = \"v2c\"\ncommunity = \"{}\"\n\
         [credentials.b]\nversion = \"v3\"\nuser = \"u\"\nauth_protocol = \"SHA\"\nauth_password = \"{}\"\npriv_protocol = \"AES\"\n\
         priv_password = \"{}\"\n[[device]]\naddress = \"h\"\ncredentials = \"b\"\n",
        secrets[3], secrets[0], secrets[1], secrets[2]
    ));
    let octets = format!("{:?}", secrets[0].as_bytes());
    for shown in [format!("{config:?}"), format!("{config:#?}")] {
        assert!(shown.contains("Sha1") && shown.contains("Secret"), "{shown}");
        assert!(!shown.contains("maplesyrup") && !shown.contains(octets.trim_matches(['[', ']'])), "{shown}");
    }
}

#[test]
fn discovered_devices_are_included_as_they_are() {
    let device = |name: Option<&str>, address: &str, description: Option<&str>| DiscoveredDevice {
        name: name.map(str::to_owned),
        address: address.parse().unwrap(),
        credentials: "lab".to_owned(),
        description: description.map(str::to_owned),
    };
    let text = to_toml(&[
        device(Some("core1"), "192.0.2.1", Some("Acme router\r\n[[device]]\n\u{7f}\u{0}address = \"x\"")),
        device(Some("core1"), "192.0.2.2:1161", None),
        device(Some("a \"quoted\\\" \u{85} name"), "192.0.2.3", Some("")),
        device(Some("a \"quoted\\\" näme"), "[2001:db8::1]", Some("#")),
        device(Some(""), "192.0.2.5", None),
        device(None, "router.example", None),
    ]);
    assert_eq!(
        text.lines().take(9).collect::<Vec<_>>(),
        [
            "# Acme router [[device]] address = \"x\"",
            "[[device]]",
            "name = \"core1\"",
            "address = \"192.0.2.1\"",
            "credentials = \"lab\"",
            "",
            "[[device]]",
            "address = \"192.0.2.2:1161\"",
            "credentials = \"lab\"",
        ]
    );
    let main = "include = [\"found.toml\"]\n[credentials.lab]\nversion = \"v2c\"\ncommunity = \"public\"\n";
    let report = Directory::new(&[("hamsa.toml", main), ("found.toml", &text)]).check();
    assert_eq!(report.to_string(), "");
    let devices = report.config.unwrap().devices;
    let found: Vec<_> = devices.iter().map(|device| (device.name.as_str(), device.address.to_string())).collect();
    let expected = [
        ("core1", "192.0.2.1"),
        ("192.0.2.2:1161", "192.0.2.2:1161"),
        ("192.0.2.3", "192.0.2.3"),
        ("a \"quoted\\\" näme", "[2001:db8::1]"),
        ("192.0.2.5", "192.0.2.5"),
        ("router.example", "router.example"),
    ];
    assert_eq!(found, expected.map(|(name, address)| (name, address.to_owned())));
}

#[test]
fn files_are_included_once_whatever_leads_to_them() {
    let directory = Directory::new(&[
        ("hamsa.toml", "include = [\"*.toml\", \"./a.toml\", \"d/../a.toml\", \"link.toml\"]\n"),
        ("a.toml", "[credentials.a]\nversion = \"v2c\"\ncommunity = \"c\"\n"),
        ("d/x", ""),
    ]);
    std::os::unix::fs::symlink(directory.path("a.toml"), directory.path("link.toml")).unwrap();
    let report = directory.check();
    assert_eq!(report.to_string(), "");
    assert_eq!(report.config.unwrap().credentials.len(), 1);
}

#[test]
fn a_file_in_the_working_directory_has_plain_paths() {
    let place = PathBuf::from("hamsa.toml");
    let source = super::super::source::Source::new(&place, Default::default(), false);
    assert_eq!(source.directory.join("x"), Path::new("x"));
}
