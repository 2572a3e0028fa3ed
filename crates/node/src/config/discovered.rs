//! Discovered devices as a file that `include` takes.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::DeviceAddress;
use super::shape::name;

/// A device that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoveredDevice {
    /// What it calls itself (`sysName`), if it does.
    pub name: Option<String>,
    /// Where it answered.
    pub address: DeviceAddress,
    /// The name of the credentials that it answered to. The secrets stay where they are.
    pub credentials: String,
    /// What it says that it is (`sysDescr`), for the reader.
    pub description: Option<String>,
}

/// One `[[device]]` for each device, in TOML. A name that can't be a device's, or that another one has, is left out:
/// the address is the device's name then.
pub fn to_toml(devices: &[DiscoveredDevice]) -> String {
    let mut text = String::new();
    let mut names = HashSet::new();
    for device in devices {
        write_device(&mut text, device, &mut names).expect("writing to a String");
    }
    text
}

fn write_device<'d>(text: &mut String, device: &'d DiscoveredDevice, names: &mut HashSet<&'d str>) -> std::fmt::Result {
    if !text.is_empty() {
        text.push('\n');
    }
    // An agent's text must not end the comment.
    let words = device.description.iter().flat_map(|text| text.split(|c: char| c.is_whitespace() || c.is_control()));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    if !words.is_empty() {
        writeln!(text, "# {}", words.join(" "))?;
    }
    writeln!(text, "[[device]]")?;
    let name = device.name.as_deref().filter(|text| (name().parse)(text).is_ok());
    if let Some(name) = name.filter(|name| names.insert(name)) {
        writeln!(text, "name = {}", toml_text(name))?;
    }
    writeln!(text, "address = {}", toml_text(&device.address.to_string()))?;
    writeln!(text, "credentials = {}", toml_text(&device.credentials))
}

/// A basic string of TOML (TOML 1.0, "String").
fn toml_text(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => write!(quoted, "\\u{:04X}", u32::from(c)).expect("writing to a String"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
