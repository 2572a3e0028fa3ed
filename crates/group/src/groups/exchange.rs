//! The exchange after each change of the configuration, and that within one group after a join or leave: see the head of
//! [`super`].

use std::collections::BTreeMap;
use std::time::Instant;

use xxhash_rust::xxh3::xxh3_64;

use super::{Exchange, Groups, LightExchange, Link, Peer, patience};
use crate::engine::{Configuration, Process};
use crate::light::{Installation, Trigger};
use crate::member::{GroupName, Member};
use crate::wire::{Claim, Control, ExchangeKey, Hello};

impl Groups {
    pub(super) fn begin(&mut self, now: Instant, configuration: Configuration) {
        self.counters.configurations += 1;
        let octets: Vec<u8> = configuration
            .members
            .iter()
            .flat_map(|process| [process.node.to_le_bytes(), process.process.to_le_bytes()])
            .flatten()
            .collect();
        let key = ExchangeKey { ring: configuration.ring, members: xxh3_64(&octets), round: 0 };
        let begun = match &self.link {
            Link::Down { .. } => self.since,
            Link::Exchanging(exchange) => exchange.begun,
            Link::Settled { .. } => now,
        };
        self.exchange(now, configuration, key, begun);
    }

    /// At a place of the order that is the same for all.
    pub(super) fn begin_again(&mut self, now: Instant, round: u32) {
        let (configuration, key, begun) = match &self.link {
            Link::Down { .. } => return,
            Link::Exchanging(exchange) => (exchange.configuration.clone(), exchange.key, exchange.begun),
            Link::Settled { configuration, key } => (configuration.clone(), *key, now),
        };
        self.exchange(now, configuration, ExchangeKey { round, ..key }, begun);
    }

    fn exchange(&mut self, now: Instant, configuration: Configuration, key: ExchangeKey, begun: Instant) {
        self.counters.exchanges += 1;
        // What waits here belongs to the exchange before, or the hello says it again.
        self.control.clear();
        self.exchanges.clear();
        let groups = self.lights.iter_mut().map(|(name, light)| (name.clone(), light.claim())).collect();
        let hello = Hello { key, member: self.options.me, name: self.options.name.clone(), groups };
        self.control.push_back(Control::Hello(hello).encode());
        let told = self.lights.keys().cloned().collect();
        let deadline = Some(now + patience(&self.options, key.round));
        self.link = Link::Exchanging(Exchange { configuration, key, heard: BTreeMap::new(), told, deadline, begun });
    }

    pub(super) fn handle_hello(&mut self, now: Instant, sender: Process, hello: Hello) {
        let Some(key) = self.key() else { return };
        if hello.key.is_later_round_of(&key) {
            // What began that round has not come to us: the engine owes it, but we need not rely on that.
            self.begin_again(now, hello.key.round);
        } else if hello.key != key {
            return;
        }
        match &mut self.link {
            Link::Exchanging(exchange) if exchange.deadline.is_some() => {
                if exchange.configuration.members.contains(&sender) {
                    exchange.heard.insert(sender, hello);
                }
                if exchange.heard.len() == exchange.configuration.members.len() {
                    self.settle(now);
                }
            }
            Link::Settled { .. } if self.peers.contains_key(&sender) => {}
            // Someone who was left out, we ourselves perhaps, and all see that here.
            _ => self.begin_again(now, key.round.saturating_add(1)),
        }
    }

    pub(super) fn handle_exclude(&mut self, now: Instant, key: ExchangeKey) {
        let Link::Exchanging(exchange) = &mut self.link else { return };
        if exchange.key != key || exchange.heard.is_empty() {
            return;
        }
        if exchange.heard.contains_key(&exchange.configuration.me) {
            self.settle(now);
        } else {
            exchange.deadline = None;
        }
    }

    /// Ends the exchange with those who have said hello.
    fn settle(&mut self, now: Instant) {
        let Link::Exchanging(exchange) = &self.link else { return };
        let Exchange { configuration, key, heard, told, begun, .. } = exchange.clone();
        let me = configuration.me;
        self.link = Link::Settled { configuration, key };
        if !self.is_alone {
            self.since = now;
        }
        self.directory.clear();
        self.peers.clear();
        let mut claims: BTreeMap<GroupName, BTreeMap<Member, Claim>> = BTreeMap::new();
        for (process, hello) in heard {
            for (group, claim) in hello.groups {
                if process == me && !told.contains(&group) {
                    self.control.push_back(Control::Leave(group.clone()).encode());
                }
                self.directory.entry(group.clone()).or_default().members.insert(process);
                claims.entry(group).or_default().insert(hello.member, claim);
            }
            self.peers.insert(process, Peer { member: hello.member, name: hello.name });
        }
        let blocked = now.saturating_duration_since(begun);
        let how = Installation { now, trigger: Trigger::Configuration, blocked, is_alone: self.is_alone };
        for group in &told {
            if let Some(claims) = claims.get(group) {
                self.install(group, claims, how);
            }
        }
        let joined_since = self.lights.keys().filter(|group| !told.contains(*group)).cloned();
        self.control.extend(joined_since.map(|group| Control::Join(group).encode()));
    }

    fn install(&mut self, group: &GroupName, claims: &BTreeMap<Member, Claim>, how: Installation) {
        let Some(light) = self.lights.get_mut(group) else { return };
        if let Some(tag) = light.tag() {
            self.tags.remove(&tag);
        }
        light.install(claims, how, &mut self.events);
        if let Some(tag) = light.tag() {
            self.tags.insert(tag, group.clone());
        }
    }

    /// Somebody has joined or left: from here on the group's members exchange what they have been given.
    pub(super) fn handle_change(&mut self, now: Instant, sender: Process, group: GroupName, trigger: Trigger) {
        let Link::Settled { configuration, key } = &self.link else { return };
        if !self.peers.contains_key(&sender) {
            return;
        }
        let listed = self.directory.entry(group.clone()).or_default();
        match trigger {
            Trigger::Leave => listed.members.remove(&sender),
            _ => listed.members.insert(sender),
        };
        listed.change += 1;
        let change = listed.change;
        if listed.members.is_empty() {
            self.directory.remove(&group);
            self.exchanges.remove(&group);
            return;
        }
        if !listed.members.contains(&configuration.me) {
            return;
        }
        let Some(light) = self.lights.get_mut(&group) else { return };
        let claim = light.claim();
        let begun = self.exchanges.get(&group).map_or(now, |exchange| exchange.begun);
        let deadline = now + patience(&self.options, 0);
        let exchange = LightExchange { change, trigger, heard: BTreeMap::new(), deadline, begun };
        self.exchanges.insert(group.clone(), exchange);
        self.control.push_back(Control::Claim { key: *key, change, group, claim }.encode());
    }

    pub(super) fn handle_claim(
        &mut self,
        now: Instant,
        sender: Process,
        at: (ExchangeKey, u32),
        group: GroupName,
        claim: Claim,
    ) {
        let Link::Settled { key, .. } = &self.link else { return };
        let Some(listed) = self.directory.get(&group) else { return };
        let Some(exchange) = self.exchanges.get_mut(&group) else { return };
        if at != (*key, exchange.change) || !listed.members.contains(&sender) {
            return;
        }
        exchange.heard.insert(sender, claim);
        if exchange.heard.len() < listed.members.len() {
            return;
        }
        let Some(LightExchange { trigger, heard, begun, .. }) = self.exchanges.remove(&group) else { return };
        let claims = heard
            .into_iter()
            .filter_map(|(process, claim)| self.peers.get(&process).map(|peer| (peer.member, claim)))
            .collect();
        let blocked = now.saturating_duration_since(begun);
        self.install(&group, &claims, Installation { now, trigger, blocked, is_alone: false });
    }
}
