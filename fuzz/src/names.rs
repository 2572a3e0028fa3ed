//! Targets for names: OIDs as octets and as text, engine IDs, protocol names.

use hamsa_snmp::engine::{EngineId, Name};
use hamsa_snmp::oid::OidError;
use hamsa_snmp::usm::{AuthProtocolId, PrivProtocolId};
use hamsa_snmp::{Oid, OidRef, OidSuffix};

/// Octets as OIDs: the first octet says how many belong to a first one, the rest is a second one. Compared with
/// lists of sub-identifiers.
pub fn oid_octets(data: &[u8]) {
    let Some((&at, rest)) = data.split_first() else { return };
    let (first, second) = rest.split_at(usize::from(at).min(rest.len()));
    let (a, b) = (OidRef::from_ber(first), OidRef::from_ber(second));
    assert_eq!(a.is_ok(), first.is_empty() || naive_arcs(first).is_some(), "{first:x?}");
    let (Ok(a), Ok(b)) = (a, b) else { return };
    check_one(a, first);
    let (arcs_a, arcs_b) = (arcs(a), arcs(b));
    assert_eq!(a.cmp(&b), arcs_a.cmp(&arcs_b));
    assert_eq!(a == b, arcs_a == arcs_b);
    assert_eq!(b.starts_with(a), arcs_b.starts_with(&arcs_a));
    let below = b.strip_prefix(a);
    assert_eq!(
        below.map(|suffix| suffix.arcs().collect()),
        arcs_b.strip_prefix(arcs_a.as_slice()).map(<[u32]>::to_vec)
    );
    if let Some(suffix) = below {
        assert_eq!(OidSuffix::from_ber(suffix.as_ber()), Ok(suffix));
        let mut joined = a.to_owned();
        joined.extend(suffix).expect("it was one OID before");
        assert_eq!(joined.as_oid(), b);
    }
    check_suffix(a, second);
}

fn arcs(oid: OidRef<'_>) -> Vec<u32> {
    oid.arcs().collect()
}

fn check_one(oid: OidRef<'_>, octets: &[u8]) {
    let arcs = arcs(oid);
    assert_eq!(arcs.len(), oid.arc_count());
    if !octets.is_empty() {
        assert_eq!((oid.as_ber(), Some(&arcs)), (octets, naive_arcs(octets).as_ref()));
    }
    let owned = Oid::from_arcs(&arcs).expect("arcs of an OID");
    assert_eq!(owned.as_oid(), oid);
    assert_eq!(oid.to_string().parse(), Ok(owned.clone()));
    assert_eq!(
        owned.parent().map(|parent| self::arcs(parent.as_oid())),
        arcs.get(..arcs.len() - 1).filter(|a| a.len() > 1).map(<[u32]>::to_vec)
    );
    match owned.child(u32::MAX) {
        Ok(child) => assert_eq!((child.parent(), child.as_oid() > oid), (Some(owned), true)),
        Err(error) => assert_eq!((error, arcs.len()), (OidError::TooManyArcs, 128)),
    }
}

/// What may stand after an OID must make an OID of it.
fn check_suffix(oid: OidRef<'_>, octets: &[u8]) {
    let Ok(suffix) = OidSuffix::from_ber(octets) else { return };
    let mut longer = oid.to_owned();
    if longer.extend(suffix).is_ok() {
        assert_eq!(OidRef::from_ber(longer.as_oid().as_ber()), Ok(longer.as_oid()), "{octets:x?}");
        assert_eq!(longer.as_oid().strip_prefix(oid), Some(suffix));
        assert!(longer.as_oid().arcs().eq(oid.arcs().chain(suffix.arcs())));
    }
}

/// The sub-identifiers that octets say, `None` where X.690 §8.19 or RFC 2578 §3.5 has something against them.
fn naive_arcs(octets: &[u8]) -> Option<Vec<u32>> {
    let mut numbers = Vec::new();
    let mut number = 0u128;
    let mut is_inside = false;
    for &octet in octets {
        if !is_inside && octet == 0x80 {
            return None;
        }
        number = number.checked_mul(128)? + u128::from(octet & 0x7f);
        is_inside = octet >= 0x80;
        if !is_inside {
            numbers.push(number);
            number = 0;
        }
    }
    let first = *numbers.first().filter(|_| !is_inside)?;
    let root = (first / 40).min(2);
    let all = [root, first - root * 40].into_iter().chain(numbers.drain(1..));
    let arcs: Option<Vec<u32>> = all.map(|number| u32::try_from(number).ok()).collect();
    arcs.filter(|arcs| arcs.len() <= 128)
}

/// Text as an OID, an engine ID, a protocol and a name.
pub fn names_text(data: &[u8]) {
    if let Ok(name) = Name::new(data) {
        assert_eq!(name.as_octets(), data);
        assert!(name.to_string().is_ascii());
    }
    let text = String::from_utf8_lossy(data);
    match text.parse::<Oid>() {
        Ok(oid) => {
            assert_eq!(oid.to_string().parse(), Ok(oid.clone()));
            let plain = text.strip_prefix('.').unwrap_or(&text);
            let numbers: Vec<u32> = plain.split('.').map(|part| part.parse().expect("a number")).collect();
            assert_eq!(oid.as_oid().arcs().collect::<Vec<_>>(), numbers);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Ok(id) = text.parse::<EngineId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(EngineId::new(id.as_octets()), Ok(id));
    }
    if let Ok(id) = text.parse::<AuthProtocolId>() {
        assert_eq!(id.name().parse(), Ok(id));
    }
    if let Ok(id) = text.parse::<PrivProtocolId>() {
        assert_eq!(id.name().parse(), Ok(id));
    }
}
