//! What discovery found, as a file that a node's configuration includes, or as JSON.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;

use hamsa_node::config::{Credentials, DiscoveredDevice, Security, to_toml};
use hamsa_node::profile::ProfileSet;
use hamsa_snmp::mib::{Mib, OidFormat};
use serde::Serialize;

use super::probe::Found;
use crate::terminal::in_one_line;

/// A device, as it is told.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Device {
    /// Unique; `None` where it tells no name.
    pub name: Option<String>,
    pub address: String,
    pub credentials: String,
    pub version: &'static str,
    pub sys_name: Option<String>,
    pub sys_descr: Option<String>,
    pub sys_object_id: Option<String>,
    /// The same as a name, as far as modules know it.
    pub sys_object_id_name: Option<String>,
    pub engine_id: Option<String>,
    pub profiles: Vec<String>,
    pub round_trip_ms: f64,
    /// The first address of what seems to be the same device.
    pub same_as: Option<String>,
}

/// What was found, by address.
pub fn devices(found: &BTreeMap<SocketAddr, Found>, profiles: &ProfileSet, mib: &Mib) -> Vec<Device> {
    let mut names = HashSet::new();
    let mut identities: Vec<(Identity<'_>, String)> = Vec::new();
    let mut devices = Vec::new();
    for found in found.values() {
        let address = hamsa_node::config::DeviceAddress::from(found.address).to_string();
        let identity = Identity::of(found);
        let same_as = identity.and_then(|identity| {
            let first = identities.iter().find(|(known, _)| *known == identity).map(|(_, address)| address.clone());
            if first.is_none() {
                identities.push((identity, address.clone()));
            }
            first
        });
        let object_id = found.object_id.as_ref();
        devices.push(Device {
            name: found.name.as_deref().map(|name| unique(name, &mut names)),
            address,
            credentials: found.credentials.name.clone(),
            version: found.credentials.security.version().name(),
            sys_name: found.name.clone(),
            sys_descr: found.description.clone(),
            sys_object_id: object_id.map(ToString::to_string),
            sys_object_id_name: object_id.map(|oid| mib.format_oid(oid.as_oid(), OidFormat::Module)),
            engine_id: found
                .engine_id
                .as_ref()
                .map(|octets| octets.iter().map(|octet| format!("{octet:02x}")).collect()),
            profiles: object_id.map_or_else(Vec::new, |oid| {
                profiles.matching(oid.as_oid()).iter().map(|profile| profile.name.clone()).collect()
            }),
            round_trip_ms: (found.round_trip.as_secs_f64() * 100_000.0).round() / 100.0,
            same_as,
        });
    }
    devices
}

/// What tells that two addresses are one device: its engine ID, or all that it says of itself.
#[derive(Clone, Copy, PartialEq)]
enum Identity<'f> {
    Engine(&'f [u8]),
    System(&'f str, Option<&'f str>),
}

impl<'f> Identity<'f> {
    fn of(found: &'f Found) -> Option<Self> {
        match (&found.engine_id, &found.name) {
            (Some(engine_id), _) => Some(Identity::Engine(engine_id)),
            (None, Some(name)) => Some(Identity::System(name, found.description.as_deref())),
            (None, None) => None,
        }
    }
}

/// The name, with a number after it if another device has it.
fn unique(name: &str, names: &mut HashSet<String>) -> String {
    let mut candidate = name.to_owned();
    let mut number = 1;
    while !names.insert(candidate.clone()) {
        number += 1;
        candidate = format!("{name}-{number}");
    }
    candidate
}

/// Devices in TOML. `from_command_line` are credentials that no configuration has yet; how they are to be written into
/// one is said in comments, without their secrets.
pub fn toml(devices: &[Device], from_command_line: &[&Credentials]) -> String {
    let mut text = String::from(
        "# Devices found by `hamsa discover`. A node reads this file if its configuration has it in `include`.\n",
    );
    let used = |credentials: &&&Credentials| devices.iter().any(|device| device.credentials == credentials.name);
    for credentials in from_command_line.iter().filter(used) {
        text.push_str("# The configuration needs these credentials:\n");
        text.push_str(&stanza(credentials));
    }
    text.push('\n');
    let discovered: Vec<DiscoveredDevice> = devices
        .iter()
        .map(|device| DiscoveredDevice {
            name: device.name.clone(),
            address: device.address.parse().expect("an address that was written is read again"),
            credentials: device.credentials.clone(),
            description: Some(comment(device)),
        })
        .collect();
    text.push_str(&to_toml(&discovered));
    text
}

fn comment(device: &Device) -> String {
    let mut parts = Vec::new();
    parts.extend(device.sys_descr.as_deref().map(in_one_line));
    parts.extend(device.sys_object_id_name.as_ref().map(|name| format!("sysObjectID {name}")));
    if !device.profiles.is_empty() {
        parts.push(format!("profiles {}", device.profiles.join(", ")));
    }
    parts.push(format!("{} ms", device.round_trip_ms));
    parts.extend(device.same_as.as_ref().map(|address| format!("seems to be the device at {address}")));
    parts.join("; ")
}

/// How credentials are written into a configuration, as comments.
fn stanza(credentials: &Credentials) -> String {
    let mut lines = vec![
        format!("[credentials.{}]", credentials.name),
        format!("version = \"{}\"", credentials.security.version().name()),
    ];
    match &credentials.security {
        Security::V1(_) | Security::V2c(_) => lines.push("community_env = \"HAMSA_COMMUNITY\"".to_owned()),
        Security::V3(user) => {
            lines.push(format!("user = \"{}\"", user.user));
            if let Some(authentication) = &user.authentication {
                lines.push(format!("auth_protocol = \"{}\"", authentication.protocol.name()));
                lines.push("auth_password_env = \"HAMSA_AUTH_PASSWORD\"".to_owned());
                if let Some(privacy) = &authentication.privacy {
                    lines.push(format!("priv_protocol = \"{}\"", privacy.protocol.name()));
                    lines.push("priv_password_env = \"HAMSA_PRIV_PASSWORD\"".to_owned());
                }
            }
        }
    }
    lines.into_iter().map(|line| format!("#   {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use hamsa_node::config::{Secret, Surroundings, check};

    use super::*;

    fn credentials() -> Arc<Credentials> {
        Arc::new(Credentials { name: "v2c-1".to_owned(), security: Security::V2c(Secret::new(b"maplesyrup".to_vec())) })
    }

    fn found(address: &str, name: Option<&str>, engine_id: Option<&[u8]>) -> (SocketAddr, Found) {
        let address = address.parse().unwrap();
        let found = Found {
            address,
            credentials: credentials(),
            round_trip: Duration::from_micros(1_234),
            description: Some("A router\r\nof \"some\" kind \u{1b}[2J".to_owned()),
            object_id: Some("1.3.6.1.4.1.8072.3.2.10".parse().unwrap()),
            name: name.map(str::to_owned),
            engine_id: engine_id.map(Into::into),
        };
        (address, found)
    }

    fn some() -> Vec<Device> {
        let mib = Mib::standard();
        let found = BTreeMap::from([
            found("192.0.2.1:161", Some("core"), Some(b"engine-1")),
            found("192.0.2.2:161", Some("core"), Some(b"engine-2")),
            found("192.0.2.3:1161", Some("other"), Some(b"engine-1")),
            found("[2001:db8::1]:161", None, None),
            found("192.0.2.5:161", Some("bad\u{1}name"), None),
        ]);
        devices(&found, &ProfileSet::shipped(&mib).unwrap(), &mib)
    }

    #[test]
    fn names_are_unique_and_one_device_is_recognised() {
        let devices = some();
        let told: Vec<_> =
            devices.iter().map(|d| (d.address.as_str(), d.name.as_deref(), d.same_as.as_deref())).collect();
        assert_eq!(
            told,
            [
                ("192.0.2.1", Some("core"), None),
                ("192.0.2.2", Some("core-2"), None),
                ("192.0.2.3:1161", Some("other"), Some("192.0.2.1")),
                ("192.0.2.5", Some("bad\u{1}name"), None),
                ("[2001:db8::1]", None, None),
            ]
        );
        assert!(devices[0].profiles.contains(&"if-mib".to_owned()));
        assert_eq!(devices[0].round_trip_ms, 1.23);
    }

    #[test]
    fn the_file_is_taken_by_a_configuration_and_has_no_secret() {
        let credentials = credentials();
        let text = toml(&some(), &[&credentials]);
        assert!(!text.contains("maplesyrup") && !text.contains('\u{1b}'), "{text}");
        assert!(text.contains("#   [credentials.v2c-1]"), "{text}");
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("found.toml"), &text).unwrap();
        let main = directory.path().join("hamsa.toml");
        let text = "include = [\"found.toml\"]\n[credentials.v2c-1]\nversion = \"v2c\"\ncommunity = \"x\"\n";
        std::fs::write(&main, text).unwrap();
        let report = check(&main, &Surroundings::of_process(&|_| Vec::new()));
        let config = report.config.unwrap_or_else(|| panic!("{:?}", report.mistakes));
        let names: Vec<&str> = config.devices.iter().map(|device| device.name.as_str()).collect();
        assert_eq!(names, ["core", "core-2", "other", "192.0.2.5", "[2001:db8::1]"]);
    }
}
