//! The schemes against the MIB modules that they are of, as the shipped table has them: no object is missing, none is
//! made up, and types, bounds, access and indexes are the same.

use super::*;
use crate::agent::scheme::{Access, IndexPart, Scheme, Source, Syntax};
use crate::mib::{Access as MaxAccess, BaseType, IndexEncoding, Mib, NodeKind, Object};
use crate::oid::Oid;

/// Objects of SNMPv2-MIB that RFC 3418 calls obsolete.
const OBSOLETE: [&str; 22] = [
    "snmpOutPkts",
    "snmpInTooBigs",
    "snmpInNoSuchNames",
    "snmpInBadValues",
    "snmpInReadOnlys",
    "snmpInGenErrs",
    "snmpInTotalReqVars",
    "snmpInTotalSetVars",
    "snmpInGetRequests",
    "snmpInGetNexts",
    "snmpInSetRequests",
    "snmpInGetResponses",
    "snmpInTraps",
    "snmpOutTooBigs",
    "snmpOutNoSuchNames",
    "snmpOutBadValues",
    "snmpOutGenErrs",
    "snmpOutGetRequests",
    "snmpOutGetNexts",
    "snmpOutSetRequests",
    "snmpOutGetResponses",
    "snmpOutTraps",
];

fn schemes() -> [&'static Scheme; 9] {
    [
        &system::SCHEME,
        &framework::FRAMEWORK,
        &framework::MPD,
        &usm::SCHEME,
        &vacm::SCHEME,
        &target::SCHEME,
        &notification::SCHEME,
        &community::SCHEME,
        &proxy::SCHEME,
    ]
}

fn oid(arcs: &[u32]) -> Oid {
    Oid::from_arcs(arcs).unwrap()
}

/// An object of a scheme: where it is, what it holds, and who may write it.
fn objects(scheme: &Scheme) -> Vec<(Oid, Syntax, MaxAccess)> {
    let scalars = scheme.scalars.iter().map(|scalar| {
        let access = if scalar.source == Source::Computed { MaxAccess::ReadOnly } else { MaxAccess::ReadWrite };
        (oid(scalar.oid), scalar.syntax, access)
    });
    let columns = scheme.tables.iter().flat_map(|table| {
        let shown = table.columns.iter().filter(|column| column.access != Access::Internal);
        shown.map(|column| {
            let name = oid(column.augmenting.unwrap_or(table.entry)).child(column.number).unwrap();
            let access = if column.access == Access::ReadOnly { MaxAccess::ReadOnly } else { MaxAccess::ReadCreate };
            (name, column.syntax, access)
        })
    });
    scalars.chain(columns).collect()
}

/// The type on the wire and the bounds of numbers or lengths, where they are of one piece.
fn shape(syntax: Syntax) -> (BaseType, Option<(i128, i128)>) {
    let lengths = |min: usize, max: usize| (BaseType::OctetString, Some((min as i128, max as i128)));
    match syntax {
        Syntax::Integer(min, max) => (BaseType::Integer32, Some((i128::from(min), i128::from(max)))),
        Syntax::RowStatus | Syntax::StorageType => (BaseType::Integer32, None),
        Syntax::TestAndIncr => (BaseType::Integer32, Some((0, i128::from(i32::MAX)))),
        Syntax::Gauge32 => (BaseType::Gauge32, None),
        Syntax::Counter32 => (BaseType::Counter32, None),
        Syntax::TimeTicks => (BaseType::TimeTicks, None),
        Syntax::Octets(min, max) | Syntax::Utf8(min, max) | Syntax::Ascii(min, max) => lengths(min, max),
        Syntax::Tag | Syntax::TagList => lengths(0, 255),
        Syntax::KeyChange => (BaseType::OctetString, None),
        Syntax::Oid => (BaseType::ObjectIdentifier, None),
    }
}

#[test]
fn every_object_is_the_mibs() {
    let mib = Mib::standard();
    for scheme in schemes() {
        for (name, syntax, access) in objects(scheme) {
            let object = mib.node_at(name.as_oid()).and_then(|node| node.object());
            let object = object.unwrap_or_else(|| panic!("{name} of {} is no object", scheme.name));
            let label = object.name();
            assert_eq!(object.access(), access, "{label}");
            let theirs = object.syntax().unwrap();
            let (base, bounds) = shape(syntax);
            assert_eq!(theirs.base(), base, "{label}");
            let ranges: Vec<_> = theirs.ranges().collect();
            let labels: Vec<i128> = theirs.labels().map(|(_, number)| i128::from(number)).collect();
            if let Some((min, max)) = bounds {
                let expected = match (&labels[..], &ranges[..]) {
                    ([], []) if base == BaseType::OctetString => (min, 255.max(max)),
                    ([], []) => (min, i128::from(i32::MAX)),
                    ([], ranges) => (ranges[0].0, ranges[ranges.len() - 1].1),
                    (labels, _) => (labels[0], labels[labels.len() - 1]),
                };
                assert_eq!((min, max), expected, "{label}");
            }
            for (ours, tc) in [
                (Syntax::RowStatus, "RowStatus"),
                (Syntax::StorageType, "StorageType"),
                (Syntax::TestAndIncr, "TestAndIncr"),
                (Syntax::KeyChange, "KeyChange"),
                (Syntax::Tag, "SnmpTagValue"),
                (Syntax::TagList, "SnmpTagList"),
            ] {
                assert_eq!(syntax == ours, theirs.name() == tc, "{label}");
            }
        }
    }
}

#[test]
fn no_object_is_missing() {
    let mib = Mib::standard();
    let ours: Vec<Oid> = schemes().into_iter().flat_map(objects).map(|(name, ..)| name).collect();
    let is_shown = |object: &Object<'_>| {
        matches!(object.access(), MaxAccess::ReadOnly | MaxAccess::ReadWrite | MaxAccess::ReadCreate)
    };
    let mut count = 0;
    for scheme in schemes() {
        let of_module = mib.definitions().filter(|node| node.module() == scheme.name);
        for object in of_module.filter_map(|node| node.object()).filter(is_shown) {
            let is_there = ours.iter().any(|name| name.as_oid() == object.oid());
            assert!(is_there || OBSOLETE.contains(&object.name()), "{} {:?}", object.name(), object.kind());
            count += usize::from(is_there);
        }
    }
    assert_eq!(count, ours.len());
    assert!(ours.len() > 90);
}

#[test]
fn every_index_is_the_mibs() {
    let mib = Mib::standard();
    for scheme in schemes() {
        for table in scheme.tables {
            let row = mib.node_at(oid(table.entry).as_oid()).unwrap();
            assert_eq!(row.kind(), NodeKind::Row, "{row}");
            let index = row.object().unwrap().index_schema().unwrap();
            let theirs: Vec<IndexEncoding> = index.parts().iter().map(|part| part.encoding()).collect();
            let encoding = |part: &IndexPart| match part {
                IndexPart::Number(..) => IndexEncoding::Integer,
                IndexPart::Octets(..) => IndexEncoding::String,
                IndexPart::ImpliedOctets(..) => IndexEncoding::ImpliedString,
                IndexPart::Oid => IndexEncoding::ObjectIdentifier,
                IndexPart::ImpliedOid => IndexEncoding::ImpliedObjectIdentifier,
            };
            assert_eq!(table.index.iter().map(encoding).collect::<Vec<_>>(), theirs, "{row}");
            for (part, theirs) in table.index.iter().zip(index.parts()) {
                let bounds = match *part {
                    IndexPart::Number(min, max) => Some((i128::from(min), i128::from(max))),
                    IndexPart::Octets(min, max) | IndexPart::ImpliedOctets(min, max) => {
                        Some((min as i128, max as i128))
                    }
                    IndexPart::Oid | IndexPart::ImpliedOid => None,
                };
                let syntax = theirs.syntax();
                let (first, last) = match (syntax.labels().next(), syntax.ranges().next()) {
                    (Some((_, first)), _) => (i128::from(first), i128::from(syntax.labels().last().unwrap().1)),
                    (None, Some(range)) => range,
                    (None, None) => continue,
                };
                assert!(bounds.is_none_or(|bounds| bounds == (first, last)), "{row}: {part:?} {first}..{last}");
            }
        }
    }
}
