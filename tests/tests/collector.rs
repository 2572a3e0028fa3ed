//! Poller and collector against simulated devices, in virtual time: what befalls a device (a reboot, a counter that
//! wraps or begins anew, polls that are lost) never shows as a rate that it did not have.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use hamsa_node::collector::{Collector, CollectorConfig, DeviceSpec};
use hamsa_node::fleet::{DeviceEntry, DeviceIdentity, DeviceState, Fleet};
use hamsa_node::profile::ProfileSet;
use hamsa_node::writer::Write;
use hamsa_sim::clock::Epoch;
use hamsa_sim::device::{Recurring, Schedule};
use hamsa_sim::recording::Library;
use hamsa_sim::{AgentGroup, Faults, Rights, SimConfig, SimUser, Simulator, Source};
use hamsa_snmp::engine::{Community, CommunityTable, Engine, EngineId, EngineStats, EngineTime, Name};
use hamsa_snmp::limits::MAX_MESSAGE_OCTETS;
use hamsa_snmp::manager::{Poller, TargetConfig, Timing, WalkOptions};
use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::mib::Mib;
use hamsa_snmp::usm::{AuthProtocolId, PrivProtocolId, SaltSource, UserKey, Usm, UsmUser, UsmUsers, password_to_key};
use hamsa_store::rate::{CounterWidth, NoRate, RateRules, rates};
use hamsa_store::{Sample, SampleFlags, SeriesId, SeriesMeta, SeriesName};

const INTERVAL: Duration = Duration::from_secs(30);
const UNIX_START_MS: i64 = 1_700_000_000_000;
const DEVICE: &str = "device";
const USER: &str = "watcher";
const PASSWORDS: [&str; 2] = ["authenticates", "and encrypts"];

/// Salts that are never used twice in one test.
#[derive(Debug, Default)]
struct Salts(AtomicI64);

impl SaltSource for Salts {
    fn next_salt(&self) -> Result<u64, String> {
        Ok(self.0.fetch_add(1, Ordering::Relaxed).cast_unsigned())
    }
}

/// A node's poller and collector, and one simulated device.
struct World {
    start: Instant,
    now: Instant,
    poller: Poller,
    collector: Collector,
    simulator: Simulator,
    fleet: Arc<Fleet>,
    series: HashMap<u32, (SeriesName, SeriesMeta)>,
    samples: BTreeMap<(String, String), Vec<Sample>>,
    events: Vec<String>,
}

impl World {
    fn new(model: &str, version: Version, schedule: Schedule, faults: &str) -> Self {
        let start = Instant::now();
        let address: SocketAddr = "127.0.0.1:161".parse().unwrap();
        let (auth, privacy) = ((AuthProtocolId::Sha256, PASSWORDS[0]), (PrivProtocolId::Aes128, PASSWORDS[1]));
        let mut group = AgentGroup::new(Source::Device(model.parse().unwrap()), address);
        group.access.users = vec![SimUser::with_privacy(USER, Rights::ReadOnly, auth, privacy).unwrap()];
        group.schedule = schedule;
        group.faults = faults.parse::<Faults>().unwrap();
        let config = SimConfig { seed: 7, boots_at_start: 1, groups: vec![group] };
        let epoch = Epoch { instant: start, unix: Duration::from_millis(UNIX_START_MS.cast_unsigned()) };
        let simulator = Simulator::new(&config, &Library::new(), epoch).unwrap();

        let stats = Arc::new(EngineStats::default());
        let engine_id = EngineId::new(&[0x80, 0, 0x7e, 0xd9, 4, 1]).unwrap();
        let communities = Arc::new(CommunityTable::new());
        communities.insert(Community::new(b"public", name("by-community")));
        let users = Arc::new(UsmUsers::new(engine_id, EngineTime { boots: 1, time: 0 }, start));
        let hash = AuthProtocolId::Sha256.built_in();
        let key = |password| UserKey::Master(password_to_key(&*hash, password).unwrap());
        users
            .insert(UsmUser {
                security_name: name("by-user"),
                user_name: name(USER),
                engine_id: None,
                auth: Some((AuthProtocolId::Sha256, key(PASSWORDS[0].as_bytes()))),
                privacy: Some((PrivProtocolId::Aes128, key(PASSWORDS[1].as_bytes()))),
            })
            .unwrap();
        let usm = Usm::new(users, stats.clone(), Arc::new(Salts::default()));
        let engine = Engine::with_communities(engine_id, stats, communities).with_v3(Arc::new(usm));

        let mib = Mib::standard();
        let fleet = Arc::new(Fleet::default());
        let profiles = Arc::new(ProfileSet::shipped(&mib).unwrap());
        let unix_ms =
            Box::new(move |at: Instant| UNIX_START_MS + at.saturating_duration_since(start).as_millis() as i64);
        let refresh = Duration::from_secs(600);
        let collector = Collector::new(CollectorConfig { mib, profiles, fleet: fleet.clone(), refresh, unix_ms });
        let poller = Poller::new(Arc::new(engine), [5; 32]);
        let mut world = World {
            start,
            now: start,
            poller,
            collector,
            simulator,
            fleet,
            series: HashMap::new(),
            samples: BTreeMap::new(),
            events: Vec::new(),
        };
        world.add_device(address, version);
        world
    }

    fn add_device(&mut self, address: SocketAddr, version: Version) {
        let is_v3 = version == Version::V3;
        let target = TargetConfig {
            address,
            version,
            security_name: name(if is_v3 { "by-user" } else { "by-community" }),
            level: if is_v3 { SecurityLevel::AuthPriv } else { SecurityLevel::NoAuthNoPriv },
            context_name: Name::default(),
            context_engine_id: None,
            engine_id: None,
            timing: Timing::default(),
            max_outstanding: 2,
        };
        let identity = DeviceIdentity {
            name: DEVICE.to_owned(),
            address,
            credentials: "lab".to_owned(),
            version,
            interval: INTERVAL,
            labels: BTreeMap::new(),
        };
        let entry = Arc::new(DeviceEntry::new(identity, UNIX_START_MS));
        // v1 has no GETBULK.
        let usual = WalkOptions::default();
        let max_repetitions = if version == Version::V1 { 0 } else { usual.max_repetitions };
        let walk = WalkOptions { max_repetitions, ..usual };
        let spec = DeviceSpec { entry, target, profiles: None, walk, last_uptime: None };
        self.collector.add(self.now, self.now, spec, &mut self.poller);
    }

    /// Lets time pass.
    fn run_until(&mut self, end: Duration) {
        let end = self.start + end;
        let mut buffer = vec![0; MAX_MESSAGE_OCTETS];
        loop {
            self.poller.handle_timeout(self.now, &mut self.collector);
            self.exchange(&mut buffer);
            let due = [self.poller.poll_timeout(), self.simulator.poll_timeout()].into_iter().flatten().min();
            match due {
                Some(due) if due <= end => self.now = due.max(self.now + Duration::from_micros(1)),
                _ => break,
            }
        }
        self.now = end;
    }

    fn exchange(&mut self, buffer: &mut [u8]) {
        let manager: SocketAddr = "127.0.0.9:40000".parse().unwrap();
        loop {
            self.collector.act(&mut self.poller);
            self.take_writes();
            let mut is_idle = true;
            while let Some(transmit) = self.poller.poll_transmit(self.now, buffer) {
                is_idle = false;
                let mut datagram = buffer[buffer.len() - transmit.length..].to_vec();
                self.simulator.handle_datagram(self.now, transmit.address, manager, &mut datagram);
            }
            while let Some(mut transmit) = self.simulator.poll_transmit(self.now) {
                is_idle = false;
                let _ =
                    self.poller.handle_datagram(self.now, transmit.from, &mut transmit.datagram, &mut self.collector);
            }
            if is_idle {
                return;
            }
        }
    }

    fn take_writes(&mut self) {
        for write in self.collector.take_writes() {
            match write {
                Write::Poll(poll) => {
                    for new in poll.registrations {
                        self.series.insert(new.slot, (new.name, new.meta));
                    }
                    for sample in poll.samples {
                        let (name, _) = &self.series[&sample.slot];
                        let samples = self.samples.entry((name.object.clone(), name.instance.clone())).or_default();
                        let series = SeriesId::from_number(sample.slot);
                        samples.push(Sample {
                            series,
                            time_ms: sample.time_ms,
                            value: sample.value,
                            flags: sample.flags,
                        });
                    }
                }
                Write::Event(event) => self.events.push(event.payload.to_string()),
            }
        }
    }

    /// All series of counters: their name, what is known of them, and their samples.
    fn counters(&self) -> impl Iterator<Item = (&(String, String), RateRules, &Vec<Sample>)> {
        self.samples.iter().filter_map(|(key, samples)| {
            let of_key = |(name, _): &&(SeriesName, SeriesMeta)| (&name.object, &name.instance) == (&key.0, &key.1);
            let (_, meta) = self.series.values().find(of_key)?;
            let width = CounterWidth::of(meta.kind)?;
            let interval_ms = INTERVAL.as_millis() as i64;
            Some((key, RateRules { width, interval_ms, max_per_second: meta.max_per_second }, samples))
        })
    }

    /// Panics where a counter has a rate beyond its known ceiling; returns how often there was none, by reason.
    fn check_rates(&self) -> HashMap<NoRate, usize> {
        let mut reasons = HashMap::new();
        let mut rates_seen = 0;
        for (key, rules, samples) in self.counters() {
            for point in rates(samples.iter().copied(), rules) {
                match point.per_second {
                    Ok(rate) => {
                        rates_seen += 1;
                        let ceiling = rules.max_per_second.unwrap_or(10e9) * 1.1;
                        assert!((0.0..=ceiling).contains(&rate), "{key:?}: {rate} a second at {}", point.time_ms);
                    }
                    Err(reason) => *reasons.entry(reason).or_default() += 1,
                }
            }
        }
        assert!(rates_seen > 100, "only {rates_seen} rates");
        reasons
    }

    fn status(&self) -> hamsa_node::fleet::DeviceStatus {
        self.fleet.get(DEVICE).unwrap().status()
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn steady() -> Schedule {
    Schedule { uptime_at_start: Some(Duration::from_secs(86_400)), ..Schedule::default() }
}

/// Times of samples that are flagged, by series of one object.
fn flagged(world: &World, object: &str) -> BTreeMap<String, BTreeSet<i64>> {
    let flagged = |samples: &[Sample]| -> BTreeSet<i64> {
        let new = samples.iter().filter(|sample| sample.flags.contains(SampleFlags::DISCONTINUITY));
        new.map(|sample| (sample.time_ms - UNIX_START_MS) / 1000).collect()
    };
    let of_object = world.samples.iter().filter(|((name, _), _)| name == object);
    of_object.map(|((_, instance), samples)| (instance.clone(), flagged(samples))).collect()
}

#[test]
fn a_steady_device_has_a_rate_at_every_poll() {
    for version in [Version::V1, Version::V2c, Version::V3] {
        let mut world = World::new("router:4", version, steady(), "");
        world.run_until(Duration::from_secs(1_800));
        assert_eq!(world.status().state, DeviceState::Up, "{version:?}: {:?}", world.status().errors);
        let octets = if version == Version::V1 { "ifInOctets" } else { "ifHCInOctets" };
        let samples = &world.samples[&(octets.to_owned(), "1".to_owned())];
        assert!((60..=62).contains(&samples.len()), "{version:?}: {} samples", samples.len());
        let reasons = world.check_rates();
        assert!(!reasons.contains_key(&NoRate::Discontinuity), "{version:?}: {reasons:?}");
        if version != Version::V1 {
            assert!(reasons.is_empty(), "{version:?}: {reasons:?}");
        }
        let down_or_restarted = world.events.iter().find(|event| !event.contains("\"up\""));
        assert_eq!(down_or_restarted, None, "{version:?}");
    }
}

#[test]
fn a_reboot_is_a_gap_in_every_counter_and_no_spike() {
    for version in [Version::V2c, Version::V3] {
        let reboots = [Duration::from_secs(605), Duration::from_secs(1_210)];
        let schedule = Schedule { reboots: Recurring::At(reboots.to_vec()), ..steady() };
        let mut world = World::new("router:4", version, schedule, "");
        world.run_until(Duration::from_secs(1_800));
        assert_eq!(world.status().restarts, 2, "{version:?}");
        assert_eq!(world.events.iter().filter(|event| event.contains("restarted")).count(), 2, "{version:?}");
        world.check_rates();
        for (instance, times) in flagged(&world, "ifHCInOctets") {
            assert_eq!(times.len(), 2, "{version:?}: interface {instance} is flagged at {times:?}");
            assert!(reboots.iter().zip(&times).all(|(reboot, &at)| (0..90).contains(&(at - reboot.as_secs() as i64))));
        }
    }
}

#[test]
fn a_line_card_that_is_replaced_resets_its_own_counters_only() {
    let schedule = Schedule { counter_resets: Recurring::At(vec![Duration::from_secs(905)]), ..steady() };
    let mut world = World::new("router:4", Version::V2c, schedule, "");
    world.run_until(Duration::from_secs(1_800));
    assert_eq!(world.status().restarts, 0);
    world.check_rates();
    let flagged = flagged(&world, "ifHCInOctets");
    let reset: Vec<_> = flagged.iter().filter(|(_, times)| !times.is_empty()).collect();
    assert!(matches!(reset.as_slice(), [(instance, times)] if *instance == "3" && times.len() == 1), "{flagged:?}");
}

#[test]
fn counters_that_wrap_keep_their_rates() {
    let mut world = World::new("counter-wrap", Version::V2c, steady(), "");
    world.run_until(Duration::from_secs(1_800));
    let reasons = world.check_rates();
    assert!(!reasons.contains_key(&NoRate::Discontinuity), "{reasons:?}");
    let wraps = |samples: &[Sample]| samples.windows(2).filter(|pair| pair[1].value < pair[0].value).count();
    let wrapped: usize = world.counters().map(|(_, _, samples)| wraps(samples)).sum();
    assert!(wrapped > 0, "nothing has wrapped");
}

#[test]
fn lost_messages_and_missed_polls_make_no_spike() {
    let schedule = Schedule { reboots: Recurring::At(vec![Duration::from_secs(1_205)]), ..steady() };
    let mut world = World::new("router:4", Version::V2c, schedule, "loss=40%,delay=30ms,jitter=200ms");
    world.run_until(Duration::from_secs(3_600));
    world.check_rates();
    assert_eq!(world.status().restarts, 1, "{:?}", world.events);
}
