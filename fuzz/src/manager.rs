//! Targets for the manager's side: requests to several agents under loss, delay, duplication and forgery, in
//! any order that a script wants. Whatever happens, every request ends exactly once, nothing is forgotten, and
//! nobody without a key can end a request that was to be authenticated.

use std::collections::BTreeMap;

use hamsa_snmp::VarBindBuf;
use hamsa_snmp::manager::{Failure, Handled, Manager, RequestKind, SubmitError, TargetConfig, TargetId};
use hamsa_snmp::pdu::Bulk;

use crate::entity::Entity;
use crate::script::Script;
use crate::world::{World, some_name};

/// Steps after a script's end within which everything must have come to an end too.
const MAX_STEPS_TO_THE_END: usize = 100_000;

/// The largest message that is sent.
const SEND_OCTETS: usize = 1472;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Open,
    Answered,
    Failed,
    TakenBack,
}

struct Play {
    world: World,
    entity: Entity,
    manager: Manager,
    targets: Vec<(TargetId, TargetConfig)>,
    /// By token: the target, and what became of it.
    requests: BTreeMap<u64, (TargetId, Fate)>,
    /// Tokens with what takes them back.
    ids: Vec<(u64, hamsa_snmp::manager::RequestId)>,
}

/// A manager and a script.
pub fn manager(data: &[u8]) {
    let mut script = Script::new(data);
    let entity = Entity::manager();
    let manager = Manager::new(entity.engine.clone(), [7; 32]);
    let (targets, requests, ids) = (Vec::new(), BTreeMap::new(), Vec::new());
    let mut play = Play { world: World::default(), entity, manager, targets, requests, ids };
    play.add_target(&mut script.step());
    while !script.is_over() {
        play.step(&mut script.step());
        play.take_failures();
        play.manager.check_invariants();
    }
    play.end();
}

impl Play {
    fn add_target(&mut self, script: &mut Script<'_>) {
        if self.targets.len() < 6 {
            let config = World::target(script);
            let id = self.manager.add_target(config.clone());
            assert!(self.targets.iter().all(|(other, _)| *other != id), "a target's ID is its own");
            self.targets.push((id, config));
        }
    }

    fn step(&mut self, script: &mut Script<'_>) {
        match script.below(16) {
            0..=3 => self.submit(script),
            4 | 5 => self.transmit(),
            6 | 7 => self.world.answer_one(script),
            8..=10 => self.deliver(script),
            11 | 12 => {
                let next = self.manager.poll_timeout();
                self.world.pass_time(script, next);
                self.manager.handle_timeout(self.world.now);
            }
            13 => self.cancel(script),
            14 => self.add_target(script),
            _ => self.remove_target(script),
        }
    }

    fn submit(&mut self, script: &mut Script<'_>) {
        if self.targets.is_empty() {
            return;
        }
        let target = self.targets[script.below(self.targets.len())].0;
        let bulk = Bulk { non_repeaters: u32::from(script.octet() & 3), max_repetitions: u32::from(script.octet()) };
        let kinds =
            [RequestKind::Get, RequestKind::GetNext, RequestKind::GetBulk(bulk), RequestKind::Set, RequestKind::Inform];
        let kind = script.one_of(&kinds);
        let names: Vec<_> = (0..script.below(5)).map(|_| some_name(script)).collect();
        let varbinds = VarBindBuf::of_names(names.iter().map(|name| name.as_oid()));
        let token = self.requests.len() as u64;
        match self.manager.submit(target, kind, varbinds, token) {
            Ok(id) => {
                self.requests.insert(token, (target, Fate::Open));
                self.ids.push((token, id));
            }
            Err(SubmitError::TargetQueueFull | SubmitError::TooManyRequests) => {}
            Err(SubmitError::NoSuchTarget) => panic!("the target is there"),
        }
    }

    fn transmit(&mut self) {
        let mut buffer = [0; SEND_OCTETS];
        while let Some(transmit) = self.manager.poll_transmit(self.world.now, &mut buffer) {
            self.world.sent(transmit.address, buffer[SEND_OCTETS - transmit.length..].to_vec());
        }
    }

    fn deliver(&mut self, script: &mut Script<'_>) {
        let Some(mut datagram) = self.world.arrival(script) else { return };
        let before = self.entity.memory(self.world.now);
        let handled = self.manager.handle_datagram(self.world.now, datagram.from, &mut datagram.octets);
        if let Handled::Completed(done) = handled {
            let target = self.targets.iter().find(|(id, _)| *id == done.target);
            let (_, config) = target.expect("whoever is answered for is there");
            assert_eq!(datagram.from, config.address);
            assert!(datagram.is_genuine || !config.level.is_authenticated(), "nobody can forge this");
            let token = done.token;
            self.end_one(token, Fate::Answered);
        }
        if !datagram.is_genuine {
            assert_eq!(self.entity.memory(self.world.now), before, "a stranger changes nothing");
        }
    }

    fn cancel(&mut self, script: &mut Script<'_>) {
        if self.ids.is_empty() {
            return;
        }
        let (token, id) = self.ids[script.below(self.ids.len().min(256))];
        self.manager.cancel(id);
        let fate = &mut self.requests.get_mut(&token).expect("submitted").1;
        if *fate == Fate::Open {
            *fate = Fate::TakenBack;
        }
    }

    fn remove_target(&mut self, script: &mut Script<'_>) {
        if self.targets.len() < 2 {
            return;
        }
        let (target, _) = self.targets.swap_remove(script.below(self.targets.len()));
        self.manager.remove_target(target);
        self.manager.remove_target(target);
        for (_, fate) in self.requests.values_mut().filter(|(of, fate)| *of == target && *fate == Fate::Open) {
            *fate = Fate::TakenBack;
        }
        assert_eq!(self.manager.engine_of(target), None);
        let refused = self.manager.submit(target, RequestKind::Get, VarBindBuf::new(), u64::MAX);
        assert_eq!(refused, Err(SubmitError::NoSuchTarget));
    }

    fn take_failures(&mut self) {
        while let Some(Failure { token, error, .. }) = self.manager.poll_failure() {
            assert!(!error.to_string().is_empty());
            self.end_one(token, Fate::Failed);
        }
    }

    fn end_one(&mut self, token: u64, fate: Fate) {
        let (_, known) = self.requests.get_mut(&token).expect("only what was submitted ends");
        assert_eq!(*known, Fate::Open, "request {token} ends a second time, {fate:?}");
        *known = fate;
    }

    /// Nobody answers any more: all that is open fails in the end.
    fn end(mut self) {
        for _ in 0..MAX_STEPS_TO_THE_END {
            self.transmit();
            self.take_failures();
            let Some(next) = self.manager.poll_timeout() else { break };
            self.world.now = self.world.now.max(next);
            self.manager.handle_timeout(self.world.now);
        }
        self.take_failures();
        self.manager.check_invariants();
        assert_eq!(self.manager.pending(), 0, "everything has ended");
        let count = |fate| self.requests.values().filter(|(_, known)| *known == fate).count() as u64;
        assert_eq!(count(Fate::Open), 0);
        let stats = self.manager.stats();
        assert_eq!((stats.completed, stats.timed_out + stats.failed), (count(Fate::Answered), count(Fate::Failed)));
    }
}
