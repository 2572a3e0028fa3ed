//! Which addresses to look at: prefixes, ranges, single addresses and host names, within a bound.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::failure::usage;
use crate::limits::MAX_ADDRESSES;
use crate::options::{AgentAddress, SNMP_PORT};

/// The addresses that some texts name, each once, in order.
///
/// # Errors
/// A text is none of the forms, a host name is unknown, or there are more than [`MAX_ADDRESSES`].
pub fn read(texts: &[String]) -> anyhow::Result<Vec<IpAddr>> {
    let mut all = BTreeSet::new();
    for text in texts {
        let span = Span::parse(text)?;
        if span.count() > MAX_ADDRESSES as u128 {
            let count = span.count();
            return Err(usage(format!(
                "{text} has {count} addresses; at most {MAX_ADDRESSES} are looked at: name a smaller part"
            )));
        }
        all.extend(span.addresses());
        if all.len() > MAX_ADDRESSES {
            return Err(usage(format!("more than {MAX_ADDRESSES} addresses in all: name fewer")));
        }
    }
    Ok(all.into_iter().collect())
}

/// Addresses from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    is_ipv4: bool,
    first: u128,
    last: u128,
}

impl Span {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let span = match text.split_once('/') {
            Some((address, length)) => Span::of_prefix(text, address, length)?,
            None => match text.split_once('-') {
                Some((first, last)) if bare(first).parse::<IpAddr>().is_ok() => Span::of_range(text, first, last)?,
                _ => match bare(text).parse::<IpAddr>() {
                    Ok(address) => Span::one(address),
                    Err(_) => Span::one(text.parse::<AgentAddress>()?.resolve(SNMP_PORT)?.ip()),
                },
            },
        };
        let first = address_of(span.is_ipv4, span.first);
        if first.is_unspecified() || first.is_multicast() || first == IpAddr::V4(Ipv4Addr::BROADCAST) {
            return Err(usage(format!("{text}: {first} is not the address of one host")));
        }
        Ok(span)
    }

    fn one(address: IpAddr) -> Self {
        let (is_ipv4, number) = number_of(address);
        Span { is_ipv4, first: number, last: number }
    }

    /// A prefix. Of IPv4 networks that have them the network's and the broadcast address are no hosts.
    fn of_prefix(text: &str, address: &str, length: &str) -> anyhow::Result<Self> {
        let wrong = || usage(format!("{text:?} is no prefix such as 192.0.2.0/24 or 2001:db8::/120"));
        let address: IpAddr = bare(address).parse().map_err(|_| wrong())?;
        let (is_ipv4, number) = number_of(address);
        let bits = if is_ipv4 { 32 } else { 128 };
        let length: u32 = length.parse().ok().filter(|&length| length <= bits).ok_or_else(wrong)?;
        let hosts = if bits == length { 0 } else { u128::MAX >> (128 - (bits - length)) };
        let (first, last) = (number & !hosts, number | hosts);
        match is_ipv4 && bits - length >= 2 {
            true => Ok(Span { is_ipv4, first: first + 1, last: last - 1 }),
            false => Ok(Span { is_ipv4, first, last }),
        }
    }

    /// `192.0.2.1-192.0.2.50` or `192.0.2.1-50`.
    fn of_range(text: &str, first: &str, last: &str) -> anyhow::Result<Self> {
        let wrong = || usage(format!("{text:?} is no range such as 192.0.2.1-192.0.2.50 or 192.0.2.1-50"));
        let first: IpAddr = bare(first).parse().map_err(|_| wrong())?;
        let last = match (first, last.parse::<u8>()) {
            (IpAddr::V4(first), Ok(last)) => {
                let [a, b, c, _] = first.octets();
                IpAddr::V4(Ipv4Addr::new(a, b, c, last))
            }
            _ => bare(last).parse().map_err(|_| wrong())?,
        };
        let ((is_ipv4, from), (same_family, to)) = (number_of(first), number_of(last));
        if is_ipv4 != same_family || from > to {
            return Err(wrong());
        }
        Ok(Span { is_ipv4, first: from, last: to })
    }

    fn count(&self) -> u128 {
        (self.last - self.first).saturating_add(1)
    }

    fn addresses(self) -> impl Iterator<Item = IpAddr> {
        (self.first..=self.last).map(move |number| address_of(self.is_ipv4, number))
    }
}

/// An IPv6 address without the brackets that it may have.
fn bare(text: &str) -> &str {
    text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text)
}

fn number_of(address: IpAddr) -> (bool, u128) {
    match address {
        IpAddr::V4(address) => (true, u128::from(u32::from(address))),
        IpAddr::V6(address) => (false, u128::from(address)),
    }
}

fn address_of(is_ipv4: bool, number: u128) -> IpAddr {
    match is_ipv4 {
        true => Ipv4Addr::from(number as u32).into(),
        false => Ipv6Addr::from(number).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> anyhow::Result<Vec<String>> {
        let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
        Ok(read(&texts)?.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn prefixes_leave_network_and_broadcast_out() {
        assert_eq!(addresses(&["192.0.2.0/30"]).unwrap(), ["192.0.2.1", "192.0.2.2"]);
        assert_eq!(addresses(&["192.0.2.7/30"]).unwrap(), ["192.0.2.5", "192.0.2.6"]);
        assert_eq!(addresses(&["192.0.2.0/31"]).unwrap(), ["192.0.2.0", "192.0.2.1"]);
        assert_eq!(addresses(&["192.0.2.9/32"]).unwrap(), ["192.0.2.9"]);
        assert_eq!(addresses(&["127.0.0.0/28"]).unwrap().len(), 14);
        assert_eq!(
            addresses(&["2001:db8::/126"]).unwrap(),
            ["2001:db8::", "2001:db8::1", "2001:db8::2", "2001:db8::3"]
        );
        assert_eq!(addresses(&["10.0.0.0/13"]).unwrap().len(), (1 << 19) - 2);
    }

    #[test]
    fn ranges_and_single_addresses() {
        assert_eq!(
            addresses(&["192.0.2.254-192.0.3.1"]).unwrap(),
            ["192.0.2.254", "192.0.2.255", "192.0.3.0", "192.0.3.1"]
        );
        assert_eq!(addresses(&["192.0.2.1-3"]).unwrap(), ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
        assert_eq!(addresses(&["2001:db8::1-2001:db8::2"]).unwrap(), ["2001:db8::1", "2001:db8::2"]);
        assert_eq!(addresses(&["[2001:db8::1]", "192.0.2.1"]).unwrap(), ["192.0.2.1", "2001:db8::1"]);
    }

    #[test]
    fn what_overlaps_is_looked_at_once() {
        assert_eq!(addresses(&["192.0.2.1-3", "192.0.2.0/29", "192.0.2.2"]).unwrap().len(), 6);
    }

    #[test]
    fn too_much_and_nonsense_are_refused() {
        for (text, part) in [
            ("10.0.0.0/8", "16777214 addresses"),
            ("::/0", "not the address of one host"),
            ("2001::/16", "addresses"),
            ("2001:db8::/64", "18446744073709551616 addresses"),
            ("192.0.2.0/33", "no prefix"),
            ("192.0.2.0/", "no prefix"),
            ("192.0.2/24", "no prefix"),
            ("192.0.2.9-3", "no range"),
            ("192.0.2.9-300", "no range"),
            ("192.0.2.9-2001:db8::1", "no range"),
            ("224.0.0.0/24", "not the address of one host"),
            ("0.0.0.0", "not the address of one host"),
            ("a b", "no AGENT"),
        ] {
            let error = addresses(&[text]).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        let error = addresses(&["10.0.0.0/13", "11.0.0.0/13", "12.0.0.0/13"]).unwrap_err().to_string();
        assert!(error.contains("in all"), "{error}");
    }
}
