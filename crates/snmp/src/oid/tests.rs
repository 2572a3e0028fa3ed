//! OIDs and suffixes: what is read, written and refused, and their order.

use super::*;

fn oid(text: &str) -> Oid {
    text.parse().unwrap()
}

#[test]
fn text_and_octets_agree() {
    let ber: &[u8] = &[0x2b, 6, 1, 4, 1, 0x81, 0x80, 0x00, 0x8f, 0xff, 0xff, 0xff, 0x7f];
    let parsed = OidRef::from_ber(ber).unwrap();
    assert_eq!(parsed.to_string(), "1.3.6.1.4.1.16384.4294967295");
    assert_eq!(oid("1.3.6.1.4.1.16384.4294967295").as_oid(), parsed);
    assert_eq!(oid(".2.4294967295.1").to_string(), "2.4294967295.1");
    assert_eq!(oid("2.40").to_string(), "2.40");
    assert_eq!(parsed.arc_count(), 8);
    assert_eq!(OidRef::from_ber(&[]).unwrap().to_string(), "0.0");
}

#[test]
fn bad_text_is_refused_with_the_reason() {
    for (text, reason) in [
        ("", OidError::Empty),
        ("1", OidError::Empty),
        ("1..3", OidError::NotNumeric),
        ("1.3.+6", OidError::NotNumeric),
        ("1.3.6.4294967296", OidError::ArcTooLarge),
        ("3.1", OidError::BadRoot),
        ("1.40", OidError::BadRoot),
    ] {
        assert_eq!(text.parse::<Oid>(), Err(reason), "{text}");
    }
    let long = format!("1.3{}", ".1".repeat(127));
    assert_eq!(long.parse::<Oid>(), Err(OidError::TooManyArcs));
    assert_eq!(format!("1.3{}", ".1".repeat(126)).parse::<Oid>().unwrap().as_oid().arc_count(), 128);
}

#[test]
fn bad_octets_are_refused_with_the_reason() {
    for (octets, reason) in [
        (&[0x2b, 0x80, 0x01][..], OidError::Padded),
        (&[0x2b, 0x81], OidError::Unfinished),
        (&[0x2b, 0x90, 0x80, 0x80, 0x80, 0x00], OidError::ArcTooLarge),
        (&[0x2b, 0x81, 0x80, 0x80, 0x80, 0x80, 0x00], OidError::ArcTooLarge),
        (&[1; 128], OidError::TooManyArcs),
    ] {
        assert_eq!(OidRef::from_ber(octets), Err(reason), "{octets:x?}");
    }
    assert!(OidRef::from_ber(&[1; 127]).is_ok());
}

#[test]
fn a_suffix_has_no_root() {
    // 2^32, which only the two root sub-identifiers together may be.
    let too_large = [0x90, 0x80, 0x80, 0x80, 0x00];
    assert!(OidRef::from_ber(&too_large).is_ok());
    assert_eq!(OidSuffix::from_ber(&too_large), Err(OidError::ArcTooLarge));
    assert_eq!(OidSuffix::from_ber(&[1; 128]).unwrap().arcs().count(), 128);
    assert_eq!(OidSuffix::from_ber(&[1; 129]), Err(OidError::TooManyArcs));
    assert!(OidSuffix::from_ber(&[]).unwrap().is_empty());
}

#[test]
fn a_long_sub_identifier_is_read_at_any_place() {
    for (place, arc) in (1..20).flat_map(|place| [128, 16_384, u32::MAX].map(|arc| (place, arc))) {
        let mut arcs = [1, 3, 6, 1, 4, 1, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        arcs[0] = 2;
        arcs[place] = arc;
        let written = Oid::from_arcs(&arcs).unwrap();
        let ber = written.as_oid().as_ber();
        let read = OidRef::from_ber(ber).unwrap();
        assert!(read.arcs().eq(arcs), "{read}");
        let ends = ber.iter().enumerate().filter(|(_, octet)| **octet >= 0x80).map(|(at, _)| at + 1);
        for end in ends {
            assert_eq!(OidRef::from_ber(&ber[..end]), Err(OidError::Unfinished), "{read}");
        }
    }
}

#[test]
fn order_is_by_sub_identifier() {
    let sorted = [
        "0.0",
        "1.3",
        "1.3.6",
        "1.3.6.127",
        "1.3.6.128",
        "1.3.6.128.1",
        "1.3.6.16383",
        "1.3.6.16384",
        "1.3.7",
        "2.0",
        "2.999",
    ];
    for (i, a) in sorted.iter().enumerate() {
        for (j, b) in sorted.iter().enumerate() {
            assert_eq!(oid(a).cmp(&oid(b)), i.cmp(&j), "{a} {b}");
        }
    }
}

#[test]
fn order_is_the_same_wherever_the_difference_is() {
    let base = [1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6, 300, 7, 8, 9, 10, 11, 12, 13, 14];
    for (place, length) in (2..base.len()).flat_map(|place| (0..=base.len()).map(move |length| (place, length))) {
        let mut other = base;
        other[place] = 40_000;
        let (a, b) = (Oid::from_arcs(&base).unwrap(), Oid::from_arcs(&other).unwrap());
        assert_eq!(a.cmp(&b), Ordering::Less, "{place}");
        assert_eq!(b.cmp(&a), Ordering::Greater, "{place}");
        if length >= 2 {
            let short = Oid::from_arcs(&base[..length]).unwrap();
            assert_eq!(short.cmp(&a), length.cmp(&base.len()), "{length}");
        }
    }
}

#[test]
fn a_prefix_is_one_whatever_its_length() {
    let arcs: Vec<u32> = [1, 3].into_iter().chain(4..40).collect();
    let name = Oid::from_arcs(&arcs).unwrap();
    for length in 2..=arcs.len() {
        let prefix = Oid::from_arcs(&arcs[..length]).unwrap();
        assert!(name.as_oid().starts_with(prefix.as_oid()), "{length}");
        let rest = name.as_oid().strip_prefix(prefix.as_oid()).unwrap();
        assert!(rest.arcs().eq(arcs[length..].iter().copied()), "{length}");
        assert_eq!(prefix.as_oid().starts_with(name.as_oid()), length == arcs.len(), "{length}");
        for place in 2..length {
            let mut other = arcs[..length].to_vec();
            other[place] += 1;
            let other = Oid::from_arcs(&other).unwrap();
            assert!(!name.as_oid().starts_with(other.as_oid()), "{length} {place}");
            assert_eq!(name.as_oid().strip_prefix(other.as_oid()), None, "{length} {place}");
        }
    }
}

#[test]
fn family() {
    let column = oid("1.3.6.1.2.1.2.2.1.10");
    let instance = column.child(1000).unwrap();
    assert!(instance.as_oid().starts_with(column.as_oid()));
    assert!(!oid("1.3.6.1.2.1.2.2.1.100").as_oid().starts_with(column.as_oid()));
    assert_eq!(instance.as_oid().strip_prefix(column.as_oid()).unwrap().to_string(), "1000");
    assert_eq!(instance.parent(), Some(column));
    assert_eq!(oid("1.3").parent(), None);
}
