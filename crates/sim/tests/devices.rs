//! Generated devices through the eyes of a manager: complete tables, counters that only grow and agree with
//! the stated truth, reboots, flaps and wraps.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hamsa_sim::clock::Epoch;
use hamsa_sim::device::{Device, DeviceEvent, DeviceKind, DeviceModel, DeviceOptions, Direction, Recurring, Schedule};
use hamsa_snmp::agent::{Instrumentation, Requester};
use hamsa_snmp::engine::Name;
use hamsa_snmp::message::SecurityLevel;
use hamsa_snmp::pdu::ErrorStatus;
use hamsa_snmp::{Oid, OwnedValue, Value, VarBindBuf};

const S: Duration = Duration::from_secs(1);
const IF_TABLE: &str = "1.3.6.1.2.1.2.2.1";
const IF_X_TABLE: &str = "1.3.6.1.2.1.31.1.1.1";

fn oid(text: &str) -> Oid {
    text.parse().unwrap()
}

struct Simulated {
    device: Device,
    start: Instant,
}

impl Simulated {
    fn new(model: impl Into<DeviceModel>, seed: u64, schedule: Schedule) -> Self {
        let start = Instant::now();
        let epoch = Epoch { instant: start, unix: Duration::from_millis(1_700_000_000_123) };
        let device =
            Device::new(DeviceOptions { model: model.into(), number: 7, seed, epoch, schedule: Arc::new(schedule) });
        Simulated { device, start }
    }

    fn get(&self, after: Duration, name: &str) -> OwnedValue {
        let mut varbinds = VarBindBuf::new();
        self.device.get(self.start + after, oid(name).as_oid(), &mut varbinds).unwrap();
        varbinds.iter().next().unwrap().value.to_owned()
    }

    fn number(&self, after: Duration, name: &str) -> u64 {
        self.get(after, name).as_value().as_u64().unwrap_or_else(|| panic!("{name} is no number"))
    }

    fn walk(&self, after: Duration) -> BTreeMap<Oid, OwnedValue> {
        let (mut found, mut cursor) = (BTreeMap::new(), oid("0.0"));
        loop {
            let mut varbinds = VarBindBuf::new();
            self.device.get_next(self.start + after, cursor.as_oid(), &mut varbinds).unwrap();
            let varbind = varbinds.iter().next().unwrap();
            if varbind.value == Value::EndOfMibView {
                return found;
            }
            assert!(varbind.name > cursor.as_oid());
            cursor = varbind.name.to_owned();
            found.insert(cursor.clone(), varbind.value.to_owned());
        }
    }
}

#[test]
fn every_kind_walks_as_it_is_read() {
    for kind in DeviceKind::ALL {
        for size in [1, 2, 3, 5, 60] {
            let model = DeviceModel::new(kind, size).unwrap();
            let simulated = Simulated::new(model, 11, Schedule::default());
            let walked = simulated.walk(S);
            for (name, value) in &walked {
                assert_eq!(simulated.get(S, &name.to_string()), *value, "{model} {name}");
                assert!(!value.as_value().is_exception());
            }
            let below = |root: &str| {
                let root = oid(root);
                walked.keys().filter(|name| name.as_oid().starts_with(root.as_oid())).count()
            };
            let interfaces = match walked[&oid("1.3.6.1.2.1.2.1.0")] {
                OwnedValue::Integer(count) => count as usize,
                _ => panic!("ifNumber"),
            };
            assert_eq!(below(IF_TABLE), 18 * interfaces);
            assert_eq!(below(IF_X_TABLE), 19 * interfaces);
            assert_eq!(below("1.3.6.1.2.1.25") > 0, kind == DeviceKind::Server);
            let has_sensors = matches!(kind, DeviceKind::Router | DeviceKind::Switch | DeviceKind::Sensors);
            assert_eq!(below("1.3.6.1.2.1.99") > 0, has_sensors);
            assert_eq!(below("1.3.6.1.2.1.99") % 8, 0);
            assert_eq!(below("1.3.6.1.2.1.47") % 15, 0);
        }
    }
}

#[test]
fn the_same_seed_is_the_same_device_and_another_is_not() {
    for kind in DeviceKind::ALL {
        let walk = |seed| Simulated::new(kind, seed, Schedule::default()).walk(1_000 * S);
        assert_eq!(walk(1), walk(1));
        assert_ne!(walk(1), walk(2));
    }
}

#[test]
fn counters_grow_and_the_narrow_ones_are_the_low_bits_of_the_wide_ones() {
    // Narrow column in ifTable or ifXTable, wide one in ifXTable.
    let pairs = [
        (IF_TABLE, 10, 6),
        (IF_TABLE, 11, 7),
        (IF_TABLE, 16, 10),
        (IF_TABLE, 17, 11),
        (IF_X_TABLE, 2, 8),
        (IF_X_TABLE, 5, 13),
    ];
    for seed in 0..5 {
        let simulated = Simulated::new("router:12".parse::<DeviceModel>().unwrap(), seed, Schedule::default());
        let mut last = BTreeMap::new();
        for minute in 0..200u32 {
            let at = minute * Duration::from_millis(61_003);
            for index in 1..=12 {
                for (table, narrow, wide) in pairs {
                    let wide_value = simulated.number(at, &format!("{IF_X_TABLE}.{wide}.{index}"));
                    let narrow_value = simulated.number(at, &format!("{table}.{narrow}.{index}"));
                    assert_eq!(narrow_value, wide_value & 0xffff_ffff);
                    let before = last.insert((wide, index), wide_value).unwrap_or(0);
                    assert!(wide_value >= before, "column {wide} of {index} fell at {at:?}");
                }
            }
        }
    }
}

#[test]
fn rates_are_what_the_truth_says_and_below_the_speed() {
    let mut busy = 0;
    for seed in 0..8 {
        let simulated = Simulated::new("router:20".parse::<DeviceModel>().unwrap(), seed, Schedule::default());
        for index in 1..=20 {
            let speed = simulated.number(S, &format!("{IF_X_TABLE}.15.{index}")) as f64 * 1e6 / 8.0;
            for (direction, column) in [(Direction::In, 6), (Direction::Out, 10)] {
                for step in 0..24u32 {
                    let (from, to) = (step * 3_600 * S, step * 3_600 * S + 60 * S);
                    let name = format!("{IF_X_TABLE}.{column}.{index}");
                    let read = (simulated.number(to, &name) - simulated.number(from, &name)) as f64 / 60.0;
                    let (start, device) = (simulated.start, &simulated.device);
                    let truth = device.mean_octets_per_s(index, direction, start + from, start + to).unwrap();
                    assert!((read - truth).abs() < 1e-3, "{read} {truth}");
                    assert!(truth <= speed, "{truth} of {speed}");
                    busy += usize::from(truth > speed / 100.0);
                }
            }
        }
    }
    assert!(busy > 100, "some interfaces carry more than a hundredth of their speed: {busy}");
}

#[test]
fn a_reboot_starts_everything_anew() {
    let schedule = Schedule {
        reboots: Recurring::At(vec![100 * S, 500 * S]),
        boot_time: 10 * S,
        uptime_at_start: Some(1_000 * S),
        ..Schedule::default()
    };
    let simulated = Simulated::new(DeviceKind::Router, 3, schedule);
    let device = &simulated.device;
    let uptime = |at: Duration| device.uptime(simulated.start + at);
    assert_eq!((uptime(Duration::ZERO), uptime(99 * S)), (Some(1_000 * S), Some(1_099 * S)));
    assert_eq!((uptime(100 * S), uptime(109 * S), uptime(110 * S)), (None, None, Some(Duration::ZERO)));
    assert_eq!(uptime(130 * S), Some(20 * S));
    assert_eq!([0, 100, 130, 500].map(|s| device.boots(simulated.start + s * S)), [0, 1, 1, 2]);
    assert_eq!(simulated.get(130 * S, "1.3.6.1.2.1.1.3.0"), OwnedValue::TimeTicks(2_000));
    let octets = |at| simulated.number(at, &format!("{IF_X_TABLE}.6.1"));
    assert_eq!(octets(110 * S), 0);
    assert!(octets(99 * S) > octets(130 * S));
    let rate = |from, to| device.mean_octets_per_s(1, Direction::In, simulated.start + from, simulated.start + to);
    assert!(rate(50 * S, 90 * S).is_some() && rate(120 * S, 300 * S).is_some());
    assert_eq!(rate(50 * S, 120 * S), None);
    assert_eq!(simulated.get(130 * S, &format!("{IF_X_TABLE}.19.1")), OwnedValue::TimeTicks(0));
    assert_eq!(device.next_events(Duration::ZERO), Some((110 * S, vec![DeviceEvent::ColdStart])));
    assert_eq!(device.next_events(105 * S), Some((110 * S, vec![DeviceEvent::ColdStart])));
    assert_eq!(device.next_events(110 * S), Some((510 * S, vec![DeviceEvent::ColdStart])));
    assert_eq!(device.next_events(510 * S), None);
}

#[test]
fn a_flapping_link_is_down_carries_nothing_and_is_told() {
    let schedule = Schedule {
        link_flaps: Recurring::At(vec![100 * S]),
        link_down_for: 30 * S,
        uptime_at_start: Some(1_000 * S),
        ..Schedule::default()
    };
    let simulated = Simulated::new(DeviceKind::Switch, 3, schedule);
    let octets = |at| simulated.number(at, &format!("{IF_X_TABLE}.6.2"));
    let status = |at| simulated.number(at, &format!("{IF_TABLE}.8.2"));
    let last_change = |at| simulated.number(at, &format!("{IF_TABLE}.9.2"));
    assert_eq!([99, 100, 129, 130].map(|s| status(s * S)), [1, 2, 2, 1]);
    assert_eq!([99, 110, 140].map(|s| last_change(s * S)), [0, 110_000, 113_000]);
    assert_eq!(octets(100 * S), octets(130 * S));
    assert!(octets(90 * S) < octets(100 * S) && octets(130 * S) < octets(140 * S));
    let events = |after| simulated.device.next_events(after);
    assert_eq!(events(Duration::ZERO), Some((100 * S, vec![DeviceEvent::LinkDown(2)])));
    assert_eq!(events(100 * S), Some((130 * S, vec![DeviceEvent::LinkUp(2)])));
    assert_eq!(events(130 * S), None);
}

#[test]
fn a_counter_reset_moves_the_discontinuity_time() {
    let schedule = Schedule {
        counter_resets: Recurring::At(vec![100 * S]),
        uptime_at_start: Some(1_000 * S),
        ..Schedule::default()
    };
    let simulated = Simulated::new(DeviceKind::Router, 3, schedule);
    let at = |seconds: u32, column: u32, index: u32| {
        simulated.number(seconds * S, &format!("{IF_X_TABLE}.{column}.{index}"))
    };
    assert_eq!((at(99, 19, 3), at(100, 19, 3), at(200, 19, 3)), (0, 110_000, 110_000));
    assert_eq!(at(100, 6, 3), 0);
    assert!(at(99, 6, 3) > at(150, 6, 3));
    assert!(at(99, 6, 1) <= at(150, 6, 1), "the others go on");
    let (start, device) = (simulated.start, &simulated.device);
    assert_eq!(device.mean_octets_per_s(3, Direction::In, start + 50 * S, start + 150 * S), None);
    assert!(device.mean_octets_per_s(1, Direction::In, start + 50 * S, start + 150 * S).is_some());
}

#[test]
fn the_wrap_device_wraps_every_counter_and_the_uptime() {
    let simulated = Simulated::new(DeviceKind::CounterWrap, 3, Schedule::default());
    for (index, rate) in [(1, 1_000_000), (2, 2_000_000)] {
        let wide = |at| simulated.number(at, &format!("{IF_X_TABLE}.6.{index}"));
        let narrow = |at| simulated.number(at, &format!("{IF_TABLE}.10.{index}"));
        assert_eq!(wide(59 * S), u64::MAX - rate + 1);
        assert_eq!(narrow(59 * S), u64::from(u32::MAX) - rate + 1);
        assert_eq!((wide(60 * S), narrow(60 * S)), (0, 0));
        assert_eq!(wide(61 * S).wrapping_sub(wide(59 * S)), 2 * rate);
        let truth =
            simulated.device.mean_octets_per_s(index, Direction::Out, simulated.start, simulated.start + 120 * S);
        assert_eq!(truth, Some(rate as f64));
    }
    assert!(simulated.number(89 * S, "1.3.6.1.2.1.1.3.0") > u64::from(u32::MAX) - 101);
    assert_eq!(simulated.number(90 * S, "1.3.6.1.2.1.1.3.0"), 0);
}

#[test]
fn what_a_manager_writes_stays_and_the_rest_is_not_writable() {
    let simulated = Simulated::new(DeviceKind::Server, 3, Schedule::default());
    let set = |pairs: &[(&str, Value<'_>)]| {
        let mut varbinds = VarBindBuf::new();
        for (name, value) in pairs {
            varbinds.push(oid(name).as_oid(), *value);
        }
        let security_name = Name::default();
        let level = SecurityLevel::NoAuthNoPriv;
        let requester = Requester { security_model: 2, security_name: &security_name, level };
        simulated
            .device
            .set(simulated.start, requester, varbinds.as_list())
            .map_err(|error| (error.status, error.index))
    };
    let (contact, name, location) = ("1.3.6.1.2.1.1.4.0", "1.3.6.1.2.1.1.5.0", "1.3.6.1.2.1.1.6.0");
    let text = Value::OctetString(b"renamed");
    let long = [b'x'; 256];
    assert_eq!(set(&[(name, text), (contact, Value::Integer(1))]), Err((ErrorStatus::WRONG_TYPE, 1)));
    assert_ne!(simulated.get(S, name), text.to_owned());
    assert_eq!(set(&[(name, text), (location, Value::OctetString(b""))]), Ok(()));
    assert_eq!(simulated.get(S, name), text.to_owned());
    assert_eq!(simulated.get(S, location), Value::OctetString(b"").to_owned());
    assert_eq!(set(&[(name, Value::OctetString(&long))]), Err((ErrorStatus::WRONG_LENGTH, 0)));
    assert_eq!(set(&[("1.3.6.1.2.1.1.1.0", text)]), Err((ErrorStatus::NOT_WRITABLE, 0)));
    assert_eq!(set(&[("1.3.6.1.2.1.1.99.0", text)]), Err((ErrorStatus::NO_CREATION, 0)));
}

#[test]
fn a_device_takes_little_memory() {
    assert!(size_of::<Device>() <= 192, "{}", size_of::<Device>());
}
