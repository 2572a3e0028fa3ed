//! Playing a recording back as an agent's instrumentation: values, their variations, and what SETs leave.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use hamsa_snmp::agent::{Instrumentation, Requester, SetError};
use hamsa_snmp::pdu::ErrorStatus;
use hamsa_snmp::{Oid, OidRef, OwnedValue, Value, VarBindBuf, VarBindList};

use super::library::Library;
use super::numeric::{LastRead, ReadAt};
use super::variation::{Delay, Instead, Multiplex, SubtreeRule, Variation, Wait};
use super::{Recorded, Recording};
use crate::clock::Epoch;
use crate::hold::Hold;
use crate::noise::Noise;

/// One agent that plays a recording. The recording is shared, what a SET writes is the agent's own.
pub(crate) struct RecordedAgent {
    recording: Arc<Recording>,
    /// What each `multiplex` rule of the recording chooses from.
    snapshots: HashMap<usize, Vec<Arc<Recording>>>,
    epoch: Epoch,
    hold: Arc<Hold>,
    state: Mutex<State>,
}

/// What single variables remember, by their indexes in the recording.
struct State {
    written: HashMap<usize, OwnedValue>,
    last_reads: HashMap<usize, Option<LastRead>>,
    /// Which snapshot a `multiplex` rule's control object has chosen.
    chosen: HashMap<usize, usize>,
    noise: Noise,
}

/// What a variable is answered with.
enum Answer {
    Pushed,
    Exception(Value<'static>),
}

impl fmt::Debug for RecordedAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordedAgent of {} variables", self.recording.len())
    }
}

impl RecordedAgent {
    pub(crate) fn new(recording: Arc<Recording>, library: &Library, epoch: Epoch, seed: u64, hold: Arc<Hold>) -> Self {
        let rules = recording.subtrees.iter().enumerate();
        let snapshots = rules
            .filter_map(|(i, (_, rule))| match rule {
                SubtreeRule::Multiplex(multiplex) => Some((i, library.snapshots(multiplex))),
                _ => None,
            })
            .collect();
        let state = State {
            written: HashMap::new(),
            last_reads: HashMap::new(),
            chosen: HashMap::new(),
            noise: Noise::new(seed),
        };
        RecordedAgent { recording, snapshots, epoch, hold, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic under this lock")
    }

    /// The rules for whole subtrees that a name is in.
    fn rules_of<'a>(&'a self, name: OidRef<'a>) -> impl Iterator<Item = (usize, &'a SubtreeRule)> {
        let rules = self.recording.subtrees.iter().enumerate();
        rules.filter(move |(_, (root, _))| name.starts_with(root.as_oid())).map(|(i, (_, rule))| (i, rule))
    }

    /// The rule that makes this name the control object of snapshots.
    fn controlled_by(&self, name: OidRef<'_>) -> Option<usize> {
        self.recording.subtrees.iter().position(|(_, rule)| {
            matches!(rule, SubtreeRule::Multiplex(Multiplex { control: Some(control), .. }) if control.as_oid() == name)
        })
    }

    /// The recording that a `multiplex` rule serves now.
    fn snapshot(&self, now: Instant, rule: usize, multiplex: &Multiplex) -> Option<&Recording> {
        let snapshots = self.snapshots.get(&rule)?;
        let index = match multiplex.control {
            Some(_) => self.state().chosen.get(&rule).copied().unwrap_or(0),
            None => multiplex.by_time(self.epoch.elapsed(now), snapshots.len()),
        };
        snapshots.get(index).map(|recording| &**recording)
    }

    fn wait(&self, now: Instant, delay: &Delay, written: Option<&Value<'_>>) -> Wait {
        delay.wait(self.epoch.unix(now).as_secs(), written, &mut self.state().noise)
    }

    fn hold_back(&self, now: Instant, delay: &Delay, written: Option<&Value<'_>>) {
        match self.wait(now, delay, written) {
            Wait::For(wait) => self.hold.add(wait),
            Wait::Never => self.hold.for_ever(),
        }
    }

    /// Lets the rules for subtrees do to a name what they do to all; `Ok(Some)` is what it is answered with.
    fn apply_rules(
        &self,
        now: Instant,
        name: OidRef<'_>,
        written: Option<&Value<'_>>,
    ) -> Result<Option<Instead>, ErrorStatus> {
        for (_, rule) in self.rules_of(name) {
            let instead = match rule {
                SubtreeRule::Delay(delay) => {
                    match self.wait(now, delay, written) {
                        // However many of its variables a request has: the answer is late once.
                        Wait::For(wait) => self.hold.at_least(wait),
                        Wait::Never => self.hold.for_ever(),
                    }
                    None
                }
                SubtreeRule::Error(erring) => written.map_or_else(|| erring.on_read(), |value| erring.on_write(value)),
                SubtreeRule::Multiplex(_) => None,
            };
            match instead {
                Some(Instead::Status(status)) => return Err(status),
                Some(exception) => return Ok(Some(exception)),
                None => {}
            }
        }
        Ok(None)
    }

    /// Appends the variable of an index of the recording.
    fn read(&self, now: Instant, index: usize, to: &mut VarBindBuf) -> Result<Answer, ErrorStatus> {
        let name = self.recording.name(index);
        if let Some(instead) = self.apply_rules(now, name, None)? {
            return Ok(Answer::Exception(exception(instead)));
        }
        let variation = match self.recording.recorded(index) {
            Recorded::Value(value) => return Ok(push(name, value, to)),
            Recorded::Variation(variation) => variation,
        };
        let (instead, value) = match variation {
            Variation::Numeric(numeric) => {
                let (uptime, unix) = (self.epoch.elapsed(now), self.epoch.unix(now));
                let at = ReadAt { uptime_s: uptime.as_secs_f64(), unix_s: unix.as_secs_f64() };
                let State { last_reads, noise, .. } = &mut *self.state();
                let value = numeric.read(at, last_reads.entry(index).or_default(), noise);
                to.push(name, value.as_value());
                return Ok(Answer::Pushed);
            }
            Variation::Delay(delay) => {
                self.hold_back(now, delay, None);
                let value = delay.value.as_ref().map_or(Value::Null, OwnedValue::as_value);
                return Ok(push(name, value, to));
            }
            Variation::Error(erring) => (erring.on_read(), &erring.value),
            Variation::WriteCache(cache) => (cache.on_read(), &cache.value),
        };
        match instead {
            Some(Instead::Status(status)) => Err(status),
            Some(instead) => Ok(Answer::Exception(exception(instead))),
            None => {
                let state = self.state();
                let value = state.written.get(&index).or(value.as_ref());
                Ok(push(name, value.map_or(Value::NoSuchInstance, OwnedValue::as_value), to))
            }
        }
    }

    /// The first variable after a name, wherever it is kept.
    fn successor(&self, now: Instant, after: OidRef<'_>) -> Option<Found<'_>> {
        let mut index = self.recording.after(after);
        // What lies below a `multiplex` rule comes from its snapshots only.
        while index < self.recording.len() {
            let name = self.recording.name(index);
            let rules = self.recording.subtrees.iter();
            let mut covering = rules
                .filter(|(root, rule)| matches!(rule, SubtreeRule::Multiplex(_)) && name.starts_with(root.as_oid()));
            let Some((root, _)) = covering.next() else { break };
            index = self.recording.end_of(root.as_oid(), index);
        }
        let main =
            (index < self.recording.len()).then(|| Found { recording: &self.recording, index, is_snapshot: false });
        let rules = self.recording.subtrees.iter().enumerate();
        let snapshots = rules.filter_map(|(i, (root, rule))| {
            let SubtreeRule::Multiplex(multiplex) = rule else { return None };
            let snapshot = self.snapshot(now, i, multiplex)?;
            let root = root.as_oid();
            let index = if after < root { snapshot.first_from(root) } else { snapshot.after(after) };
            let is_inside = index < snapshot.len() && snapshot.name(index).starts_with(root);
            is_inside.then_some(Found { recording: snapshot, index, is_snapshot: true })
        });
        snapshots.chain(main).min_by(|a, b| a.name().cmp(&b.name()))
    }

    fn plan_set(&self, now: Instant, name: OidRef<'_>, value: &Value<'_>) -> Result<Planned, ErrorStatus> {
        if let Some(rule) = self.controlled_by(name) {
            let Value::Integer(chosen) = *value else { return Err(ErrorStatus::WRONG_TYPE) };
            let count = self.snapshots.get(&rule).map_or(0, Vec::len);
            let chosen = usize::try_from(chosen).ok().filter(|&chosen| chosen < count);
            return chosen.map(|chosen| Planned::Choose(rule, chosen)).ok_or(ErrorStatus::WRONG_VALUE);
        }
        if let Some(instead) = self.apply_rules(now, name, Some(value))? {
            return Err(instead.status_of_set());
        }
        if self.rules_of(name).any(|(_, rule)| matches!(rule, SubtreeRule::Multiplex(_))) {
            return Err(ErrorStatus::NOT_WRITABLE);
        }
        let index = self.recording.find(name).ok_or(ErrorStatus::NO_CREATION)?;
        let Recorded::Variation(variation) = self.recording.recorded(index) else {
            return Err(ErrorStatus::NOT_WRITABLE);
        };
        let (instead, tag) = match variation {
            Variation::Numeric(_) => return Err(ErrorStatus::NOT_WRITABLE),
            Variation::Delay(delay) => {
                self.hold_back(now, delay, Some(value));
                return Ok(Planned::Nothing);
            }
            Variation::Error(erring) => {
                (erring.on_write(value), erring.value.as_ref().map(|value| tag_of(&value.as_value())))
            }
            Variation::WriteCache(cache) => (cache.on_write(value), Some(cache.tag)),
        };
        match instead {
            Some(instead) => Err(instead.status_of_set()),
            None if tag.is_some_and(|tag| tag != tag_of(value)) => Err(ErrorStatus::WRONG_TYPE),
            None => Ok(Planned::Write(index, value.to_owned())),
        }
    }
}

impl Instrumentation for RecordedAgent {
    fn get(&self, now: Instant, name: OidRef<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus> {
        if let Some(rule) = self.controlled_by(name) {
            let chosen = self.state().chosen.get(&rule).copied().unwrap_or(0);
            to.push(name, Value::Integer(i32::try_from(chosen).unwrap_or(i32::MAX)));
            return Ok(());
        }
        let multiplexed = self.rules_of(name).find_map(|(i, rule)| match rule {
            SubtreeRule::Multiplex(multiplex) => Some((i, multiplex)),
            _ => None,
        });
        let answer = if let Some((rule, multiplex)) = multiplexed {
            let snapshot = self.snapshot(now, rule, multiplex);
            let found = snapshot
                .and_then(|recording| recording.find(name).map(|index| Found { recording, index, is_snapshot: true }));
            found.map_or(Ok(Answer::Exception(Value::NoSuchInstance)), |found| found.read(self, now, to))?
        } else if let Some(index) = self.recording.find(name) {
            self.read(now, index, to)?
        } else {
            let instead = self.apply_rules(now, name, None)?;
            Answer::Exception(instead.map_or(Value::NoSuchInstance, exception))
        };
        if let Answer::Exception(exception) = answer {
            to.push(name, exception);
        }
        Ok(())
    }

    fn get_next(&self, now: Instant, after: OidRef<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus> {
        let mut cursor: Oid;
        let mut last = after;
        // Each turn passes a variable, so this ends.
        while let Some(found) = self.successor(now, last) {
            if let Answer::Pushed = found.read(self, now, to)? {
                return Ok(());
            }
            // A successor can't be an exception: the next one is.
            cursor = found.name().to_owned();
            last = cursor.as_oid();
        }
        to.push(after, Value::EndOfMibView);
        Ok(())
    }

    fn set(&self, now: Instant, _requester: Requester<'_>, varbinds: VarBindList<'_>) -> Result<(), SetError> {
        let plans = varbinds.iter().enumerate().map(|(index, varbind)| {
            self.plan_set(now, varbind.name, &varbind.value).map_err(|status| SetError { status, index })
        });
        let plans: Vec<Planned> = plans.collect::<Result<_, _>>()?;
        // From here nothing fails.
        let mut state = self.state();
        for plan in plans {
            match plan {
                Planned::Nothing => {}
                Planned::Write(index, value) => drop(state.written.insert(index, value)),
                Planned::Choose(rule, chosen) => drop(state.chosen.insert(rule, chosen)),
            }
        }
        Ok(())
    }
}

/// What a SET of one variable will do.
enum Planned {
    Nothing,
    Write(usize, OwnedValue),
    Choose(usize, usize),
}

/// A variable of the recording or of a snapshot.
struct Found<'r> {
    recording: &'r Recording,
    index: usize,
    is_snapshot: bool,
}

impl Found<'_> {
    fn name(&self) -> OidRef<'_> {
        self.recording.name(self.index)
    }

    fn read(&self, agent: &RecordedAgent, now: Instant, to: &mut VarBindBuf) -> Result<Answer, ErrorStatus> {
        if !self.is_snapshot {
            return agent.read(now, self.index, to);
        }
        if let Some(instead) = agent.apply_rules(now, self.name(), None)? {
            return Ok(Answer::Exception(exception(instead)));
        }
        match self.recording.recorded(self.index) {
            Recorded::Value(value) => Ok(push(self.name(), value, to)),
            // snmpsim's documentation: snapshots have no variations.
            Recorded::Variation(_) => Ok(Answer::Exception(Value::NoSuchInstance)),
        }
    }
}

fn push(name: OidRef<'_>, value: Value<'_>, to: &mut VarBindBuf) -> Answer {
    let exception = match value {
        Value::NoSuchObject => Value::NoSuchObject,
        Value::NoSuchInstance => Value::NoSuchInstance,
        Value::EndOfMibView => Value::EndOfMibView,
        value => {
            to.push(name, value);
            return Answer::Pushed;
        }
    };
    Answer::Exception(exception)
}

fn exception(instead: Instead) -> Value<'static> {
    match instead {
        Instead::NoSuchObject => Value::NoSuchObject,
        Instead::EndOfMibView => Value::EndOfMibView,
        Instead::NoSuchInstance | Instead::Status(_) => Value::NoSuchInstance,
    }
}

fn tag_of(value: &Value<'_>) -> u8 {
    value.to_ber(&mut [0; 9]).0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hamsa_snmp::engine::Name;
    use hamsa_snmp::message::SecurityLevel;

    use super::*;
    use crate::recording::Format;

    fn oid(text: &str) -> Oid {
        text.parse().unwrap()
    }

    fn recording(text: &str) -> Recording {
        let (recording, diagnostics) = Recording::read(text.as_bytes(), Format::Snmprec).unwrap();
        assert_eq!(diagnostics.first(), []);
        recording
    }

    struct Played {
        agent: RecordedAgent,
        hold: Arc<Hold>,
        now: Instant,
    }

    impl Played {
        fn new(text: &str) -> Self {
            Played::from_library(text, &Library::new())
        }

        fn from_library(text: &str, library: &Library) -> Self {
            let (now, hold) = (Instant::now(), Arc::new(Hold::default()));
            let epoch = Epoch { instant: now, unix: Duration::from_secs(1_700_000_000) };
            let agent = RecordedAgent::new(Arc::new(recording(text)), library, epoch, 1, hold.clone());
            Played { agent, hold, now }
        }

        fn get(&self, name: &str) -> Result<OwnedValue, ErrorStatus> {
            let mut varbinds = VarBindBuf::new();
            self.agent.get(self.now, oid(name).as_oid(), &mut varbinds)?;
            assert_eq!(varbinds.len(), 1);
            let varbind = varbinds.iter().next().unwrap();
            assert_eq!(varbind.name, oid(name).as_oid());
            Ok(varbind.value.to_owned())
        }

        /// The names of a walk.
        fn walk(&self) -> Vec<String> {
            let (mut names, mut cursor) = (Vec::new(), oid("0.0"));
            loop {
                let mut varbinds = VarBindBuf::new();
                self.agent.get_next(self.now, cursor.as_oid(), &mut varbinds).unwrap();
                let varbind = varbinds.iter().next().unwrap();
                if varbind.value == Value::EndOfMibView {
                    assert_eq!(varbind.name, cursor.as_oid());
                    return names;
                }
                assert!(varbind.name > cursor.as_oid(), "{} after {cursor}", varbind.name);
                cursor = varbind.name.to_owned();
                names.push(cursor.to_string());
            }
        }

        fn set(&self, pairs: &[(&str, Value<'_>)]) -> Result<(), SetError> {
            let mut varbinds = VarBindBuf::new();
            for (name, value) in pairs {
                varbinds.push(oid(name).as_oid(), *value);
            }
            let security_name = Name::default();
            let level = SecurityLevel::NoAuthNoPriv;
            let requester = Requester { security_model: 2, security_name: &security_name, level };
            self.agent.set(self.now, requester, varbinds.as_list())
        }

        fn held(&self) -> Option<u128> {
            let held = self.hold.get().map(|held| held.as_millis());
            self.hold.reset();
            held
        }
    }

    #[test]
    fn exceptions_are_answered_to_get_and_stepped_over_by_walks() {
        let played = Played::new("1.3.1|2|1\n1.3.2|128|\n1.3.3|129|\n1.3.4|130|\n1.3.5|2|5\n1.3.6|5|\n");
        assert_eq!(played.get("1.3.1"), Ok(OwnedValue::Integer(1)));
        assert_eq!(played.get("1.3.2"), Ok(OwnedValue::NoSuchObject));
        assert_eq!(played.get("1.3.4"), Ok(OwnedValue::EndOfMibView));
        assert_eq!(played.get("1.3.9"), Ok(OwnedValue::NoSuchInstance));
        assert_eq!(played.walk(), ["1.3.1", "1.3.5", "1.3.6"]);
    }

    #[test]
    fn writecache_keeps_what_is_set_and_sets_are_all_or_nothing() {
        let played = Played::new(
            "1.3.1|4:writecache|value=old\n1.3.2|2:writecache|value=42,vlist=lt:40:wrongvalue:gt:50:noaccess\n\
             1.3.3|66:writecache|value=1,op=get,status=noaccess\n1.3.4|2|4\n1.3.5|2:writecache|status=genError,op=set\n",
        );
        let text = Value::OctetString(b"new");
        let failed = |status, index| Err(SetError { status, index });
        assert_eq!(played.set(&[("1.3.1", text), ("1.3.2", Value::Integer(39))]), failed(ErrorStatus::WRONG_VALUE, 1));
        assert_eq!(played.get("1.3.1"), Ok(Value::OctetString(b"old").to_owned()));
        assert_eq!(played.set(&[("1.3.1", text), ("1.3.2", Value::Integer(45))]), Ok(()));
        assert_eq!(played.get("1.3.1"), Ok(text.to_owned()));
        assert_eq!(played.get("1.3.2"), Ok(OwnedValue::Integer(45)));
        assert_eq!(played.set(&[("1.3.2", Value::Integer(51))]), failed(ErrorStatus::NO_ACCESS, 0));
        assert_eq!(played.set(&[("1.3.1", Value::Integer(1))]), failed(ErrorStatus::WRONG_TYPE, 0));
        assert_eq!(played.get("1.3.3"), Err(ErrorStatus::NO_ACCESS));
        assert_eq!(played.set(&[("1.3.4", Value::Integer(1))]), failed(ErrorStatus::NOT_WRITABLE, 0));
        assert_eq!(played.set(&[("1.3.5", Value::Integer(1))]), failed(ErrorStatus::GEN_ERR, 0));
        assert_eq!(played.set(&[("1.3.9", Value::Integer(1))]), failed(ErrorStatus::NO_CREATION, 0));
        assert_eq!(played.get("1.3.5"), Ok(OwnedValue::NoSuchInstance), "it has no value");
    }

    #[test]
    fn errors_and_delays_reach_single_objects_and_subtrees() {
        let played = Played::new(
            "1.3.1|2:delay|value=6,wait=100\n1.3.2|2:delay|wait=1000000\n1.3.3|2:error|op=get,status=authorizationError\n\
             1.3.4|2:error|vlist=gt:2:wrongvalue,value=1\n1.3.5.1|2|1\n1.3.5.2|2|2\n1.3.5|:delay|wait=70\n\
             1.3.6.1|2|1\n1.3.6|:error|status=resourceUnavailable\n1.3.7|4:error|status=endOfMib\n",
        );
        assert_eq!((played.get("1.3.1"), played.held()), (Ok(OwnedValue::Integer(6)), Some(100)));
        assert_eq!((played.get("1.3.2"), played.held()), (Ok(OwnedValue::Null), None));
        assert_eq!(played.get("1.3.3"), Err(ErrorStatus::AUTHORIZATION_ERROR));
        assert_eq!(played.set(&[("1.3.4", Value::Integer(2))]), Ok(()));
        assert_eq!(played.get("1.3.4"), Ok(OwnedValue::Integer(2)));
        assert!(played.set(&[("1.3.4", Value::Integer(3))]).is_err());
        assert_eq!(played.held(), Some(0));
        assert_eq!(
            (played.get("1.3.5.1"), played.get("1.3.5.2")),
            (Ok(OwnedValue::Integer(1)), Ok(OwnedValue::Integer(2)))
        );
        assert_eq!(played.held(), Some(70), "once for both");
        assert_eq!(played.get("1.3.6.1"), Err(ErrorStatus::RESOURCE_UNAVAILABLE));
        assert_eq!(played.get("1.3.6.9"), Err(ErrorStatus::RESOURCE_UNAVAILABLE));
        assert_eq!(played.get("1.3.7"), Ok(OwnedValue::EndOfMibView));
        played.hold.reset();
        assert_eq!(played.set(&[("1.3.1", Value::Integer(9))]), Ok(()));
        assert_eq!((played.held(), played.get("1.3.1")), (Some(100), Ok(OwnedValue::Integer(6))));
    }

    #[test]
    fn snapshots_serve_their_subtree_and_nothing_else() {
        let mut library = Library::new();
        library.insert("shots/0", recording("1.3.1.9|2|0\n1.3.2.1|2|10\n1.3.2.5|2|11\n1.3.3|2|0\n"));
        library.insert("shots/1", recording("1.3.2.3|2|20\n1.3.2.7|2:delay|value=1\n"));
        let text = "1.3.1|2|1\n1.3.2|:multiplex|dir=shots,period=10\n1.3.2.4|2|99\n1.3.4|2|4\n";
        let mut played = Played::from_library(text, &library);
        assert_eq!(played.walk(), ["1.3.1", "1.3.2.1", "1.3.2.5", "1.3.4"]);
        assert_eq!(played.get("1.3.2.5"), Ok(OwnedValue::Integer(11)));
        assert_eq!(played.get("1.3.2.4"), Ok(OwnedValue::NoSuchInstance));
        assert!(played.set(&[("1.3.2.5", Value::Integer(1))]).is_err());
        played.now += Duration::from_secs(10);
        assert_eq!(played.walk(), ["1.3.1", "1.3.2.3", "1.3.4"]);
        assert_eq!(played.get("1.3.2.5"), Ok(OwnedValue::NoSuchInstance));
    }

    #[test]
    fn a_control_object_chooses_the_snapshot() {
        let mut library = Library::new();
        library.insert("shots/0", recording("1.3.2.1|2|10\n"));
        library.insert("shots/1", recording("1.3.2.1|2|20\n"));
        let played = Played::from_library("1.3.2|:multiplex|dir=shots,control=1.3.2.999\n", &library);
        let failed = |status| Err(SetError { status, index: 0 });
        assert_eq!(
            (played.get("1.3.2.999"), played.get("1.3.2.1")),
            (Ok(OwnedValue::Integer(0)), Ok(OwnedValue::Integer(10)))
        );
        assert_eq!(played.set(&[("1.3.2.999", Value::Integer(2))]), failed(ErrorStatus::WRONG_VALUE));
        assert_eq!(played.set(&[("1.3.2.999", Value::Null)]), failed(ErrorStatus::WRONG_TYPE));
        assert_eq!(played.set(&[("1.3.2.999", Value::Integer(1))]), Ok(()));
        assert_eq!(
            (played.get("1.3.2.999"), played.get("1.3.2.1")),
            (Ok(OwnedValue::Integer(1)), Ok(OwnedValue::Integer(20)))
        );
    }
}
