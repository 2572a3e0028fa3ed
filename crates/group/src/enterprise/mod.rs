//! What all nodes of an enterprise know together: who is there, and a directory of names.
//!
//! Each node talks to its neighbours (a site to its hubs, a hub to its sites) with datagrams that may be lost, copied,
//! reordered and late. A change of the directory is sent to all neighbours at once and passed on; whatever is lost is
//! found later, since neighbours compare digests of all they have: first one, then one a bucket, then one a name.
//!
//! Without sockets, clock and randomness: `handle_*` and [`Enterprise::write`] change it, `poll_*` say what to do. Who a
//! datagram comes from is the carrier's word. It leaves out: what names mean, who may write them, and the disk: whoever
//! keeps the directory takes it from [`Enterprise::export`], gives it back to [`Enterprise::restore`], and keeps
//! [`Run::began_ms`] with it, so that the next run begins later also when the clock was set back.

mod directory;
mod entry;
pub mod limits;
mod outgoing;
mod presence;
mod version;
mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;

use directory::{Directory, Taken};
pub use directory::{Reading, WriteError};
use limits::{BEATS_PER_RELAY, MAX_EVENTS, MAX_HEADS, MAX_NEIGHBOURS, MIN_LEASE_BEATS};
use outgoing::Outgoing;
use presence::{GONE, News, Presence};
pub use presence::{NodeRecord, NodeStatus};
pub use version::{Run, Seen};
use wire::{Datagram, VERSION};

/// A node's part in its enterprise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnterpriseOptions {
    /// This node. Its run must have begun later than all its earlier ones: changes are counted for each run by itself,
    /// and two runs that began at the same time would count the same for different changes.
    pub me: NodeRecord,
    /// The wall clock as it begins, in milliseconds since 1970: deletions are dated by it. It differs from the run's
    /// `began_ms` when the clock was set back since an earlier run.
    pub wall_ms: u64,
    /// Time between beats.
    pub beat: Duration,
    /// How long a node's beats may be missing, at least ten beats. The same at all nodes, or nearly so.
    pub lease: Duration,
}

impl EnterpriseOptions {
    /// With a beat each second and a lease of fifteen, and the clock that the run has begun by.
    pub fn new(me: NodeRecord) -> Self {
        Self { wall_ms: me.run.began_ms, me, beat: Duration::from_secs(1), lease: Duration::from_secs(15) }
    }
}

/// Why there is no such enterprise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnterpriseError {
    /// The node's texts or addresses are too long or too many.
    #[error("the name, the version or the addresses of node {0} are too long or too many")]
    Record(u32),
    /// The lease is shorter than some beats.
    #[error("a lease of {lease:?} is shorter than {MIN_LEASE_BEATS} beats of {beat:?}")]
    Lease {
        /// As given.
        lease: Duration,
        /// As given.
        beat: Duration,
    },
    /// There are as many neighbours as there may be.
    #[error("a node has at most {MAX_NEIGHBOURS} neighbours")]
    Neighbours,
}

/// Why a piece of an exported directory is not taken, or not whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// Another encoding, or no piece at all. Nothing of it is taken.
    #[error(
        "the piece is of version {0} of the encoding, and this is version {VERSION}: restore it with the Hamsa that wrote it"
    )]
    Version(u8),
    /// Damaged, or cut off. Nothing of it is taken.
    #[error("the piece cannot be read: take an earlier copy, or none and learn the directory from the neighbours")]
    Unreadable,
    /// There are [`limits::MAX_ENTRIES`] names. All others of the piece are taken.
    #[error("there is no room for {0} names of the piece: delete what is no longer used and restore it again")]
    NoRoom(usize),
}

/// What has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnterpriseEvent {
    /// A node is there, or there anew in another run.
    Came(u32),
    /// A node is away.
    Went(u32),
    /// A name has another value, or is deleted.
    Changed(String),
    /// A name has several values now, by changes that did not know of each other.
    Conflict(String),
    /// A name has one value again, or is deleted.
    Resolved(String),
    /// A name had more concurrent values than [`limits::MAX_VALUES`]: the oldest are dropped.
    Dropped(String),
    /// An entry of another node has no room here.
    Refused(String),
    /// More has changed than there was room for events, or names were restored: look at all of it anew.
    Overrun,
}

/// One node of an enterprise.
#[derive(Debug)]
pub struct Enterprise {
    options: EnterpriseOptions,
    presence: Presence,
    directory: Directory,
    neighbours: BTreeMap<u32, Outgoing>,
    /// The neighbour that is asked first for something to send, so that each has its turn.
    turn: u32,
    events: VecDeque<EnterpriseEvent>,
    epoch: Instant,
    next_beat: Instant,
    beats: u64,
}

impl Enterprise {
    /// Alone at first, and with an empty directory.
    pub fn new(now: Instant, options: EnterpriseOptions) -> Result<Self, EnterpriseError> {
        let EnterpriseOptions { me, beat, lease, .. } = &options;
        if !me.is_sound() {
            return Err(EnterpriseError::Record(me.run.node));
        }
        if beat.is_zero() || *lease < *beat * MIN_LEASE_BEATS {
            return Err(EnterpriseError::Lease { lease: *lease, beat: *beat });
        }
        Ok(Self {
            presence: Presence::new(now, me.clone(), *lease),
            directory: Directory::new(me.run),
            neighbours: BTreeMap::new(),
            turn: 0,
            events: VecDeque::new(),
            epoch: now,
            next_beat: now,
            beats: 0,
            options,
        })
    }

    /// Talks to a node from now on.
    pub fn add_neighbour(&mut self, node: u32) -> Result<(), EnterpriseError> {
        if self.neighbours.len() >= MAX_NEIGHBOURS && !self.neighbours.contains_key(&node) {
            return Err(EnterpriseError::Neighbours);
        }
        self.neighbours.entry(node).or_default();
        Ok(())
    }

    /// Talks to a node no more.
    pub fn remove_neighbour(&mut self, node: u32) {
        self.neighbours.remove(&node);
    }

    /// Takes what the carrier has brought from a neighbour; what comes from others is ignored.
    pub fn handle_datagram(&mut self, now: Instant, from: u32, octets: &[u8]) {
        if !self.neighbours.contains_key(&from) {
            return;
        }
        match Datagram::decode(octets) {
            Some(Datagram::Beat { beat, root }) if beat.run.node == from => {
                self.hear(now, from, &[beat]);
                if root != self.directory.root() && beat.count != GONE {
                    let buckets = self.directory.buckets().to_vec();
                    self.tell_once(from, outgoing::Slot::Buckets, &Datagram::Buckets { buckets });
                }
            }
            Some(Datagram::Relay { beats }) => self.hear(now, from, &beats),
            Some(Datagram::AskRecords { runs }) => self.tell_records(from, &runs),
            Some(Datagram::Records { records }) => {
                for record in records {
                    let node = record.run.node;
                    if self.presence.learned(now, record) == News::BeganAnew {
                        self.event(EnterpriseEvent::Came(node));
                    }
                }
            }
            Some(Datagram::Buckets { buckets }) => self.compare_buckets(from, &buckets),
            Some(Datagram::Heads { first, last, heads }) => {
                let (ask, send) = self.directory.compare(first, last, &heads);
                self.tell_entries(from, &send);
                for keys in ask.chunks(MAX_HEADS) {
                    self.tell(from, &Datagram::Ask { keys: keys.to_vec() });
                }
            }
            Some(Datagram::Ask { keys }) => self.tell_entries(from, &keys),
            Some(Datagram::Entries { entries }) => {
                let mut changed = Vec::new();
                for (name, entry) in entries {
                    let taken = self.directory.merge(self.wall_ms(now), &name, &entry);
                    if matches!(taken, Taken::Changed { .. }) {
                        changed.push(Directory::key(&name));
                    }
                    self.tell_of(taken, name);
                }
                self.pass_on(Some(from), &changed);
            }
            Some(Datagram::Beat { .. }) | None => {}
        }
    }

    /// Does what time asks for. To be called at [`Self::poll_timeout`]; earlier and later do no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        for node in self.presence.expire(now) {
            self.event(EnterpriseEvent::Went(node));
        }
        if now < self.next_beat {
            return;
        }
        self.next_beat = now + self.options.beat;
        self.presence.beat(now);
        self.beats += 1;
        self.directory.forget_tombstones(self.wall_ms(now));
        self.tell_beat(self.presence.own_beat());
        if self.beats.is_multiple_of(BEATS_PER_RELAY) {
            let octets = Datagram::Relay { beats: self.presence.beats() }.encode();
            for outgoing in self.neighbours.values_mut() {
                outgoing.set(outgoing::Slot::Relay, octets.clone());
            }
        }
    }

    /// The next datagram, and for whom.
    pub fn poll_transmit(&mut self) -> Option<(u32, Bytes)> {
        let later = self.neighbours.range_mut(self.turn..).find(|(_, outgoing)| !outgoing.is_empty());
        let (node, outgoing) = match later {
            Some(found) => found,
            None => self.neighbours.iter_mut().find(|(_, outgoing)| !outgoing.is_empty())?,
        };
        self.turn = node.wrapping_add(1);
        Some((*node, outgoing.pop()?))
    }

    /// When to call [`Self::handle_timeout`] next.
    pub fn poll_timeout(&self) -> Instant {
        self.presence.deadline().map_or(self.next_beat, |deadline| deadline.min(self.next_beat))
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<EnterpriseEvent> {
        self.events.pop_front()
    }

    /// Says good-bye to all neighbours, so that nobody need wait for a lease. To be called last.
    pub fn leave(&mut self) {
        let run = self.options.me.run;
        self.tell_beat(presence::Beat { run, count: GONE });
    }

    /// All nodes that are known, by number, this one among them.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeStatus> {
        self.presence.all()
    }

    /// What is known of a node.
    pub fn node(&self, node: u32) -> Option<&NodeStatus> {
        self.presence.get(node)
    }

    /// What stands under a name.
    pub fn read(&self, name: &str) -> Reading {
        self.directory.read(name)
    }

    /// Names that start with a prefix and are not deleted, in their order.
    pub fn names(&self, prefix: &str) -> impl Iterator<Item = &str> {
        self.directory.names(prefix)
    }

    /// How many names there are.
    pub fn entries(&self) -> usize {
        self.directory.len()
    }

    /// A digest of the directory: equal where its contents are.
    pub fn digest(&self) -> u64 {
        self.directory.root()
    }

    /// Sets a name to a value, or deletes it without one. `seen` is of the [`Reading`] that led to the change: values
    /// that came since then stay beside the new one, as a conflict.
    pub fn write(&mut self, now: Instant, name: &str, value: Option<Bytes>, seen: &Seen) -> Result<(), WriteError> {
        let taken = self.directory.write(self.wall_ms(now), name, value, seen)?;
        self.tell_of(taken, name.to_owned());
        self.pass_on(None, &[Directory::key(name)]);
        Ok(())
    }

    /// The whole directory, deleted names too, in pieces of at most [`limits::MAX_DATAGRAM_BYTES`]; the first octet of
    /// each is the version of the encoding. Any of them can be restored alone and in any order. Nothing in them shows
    /// that an octet has changed: whoever keeps them sees to that.
    pub fn export(&self) -> impl Iterator<Item = Bytes> {
        // Not all at once: what is being encoded is copied.
        let keys: Vec<u64> = self.directory.keys().collect();
        let chunks = keys.len().div_ceil(MAX_HEADS);
        (0..chunks).flat_map(move |chunk| {
            let last = keys.len().min((chunk + 1) * MAX_HEADS);
            self.encode_entries(&keys[chunk * MAX_HEADS..last])
        })
    }

    /// Takes in a piece that this node, or another, has exported, as if a neighbour had told it: what has come since
    /// then stays, and neighbours learn what they lack when digests are compared.
    ///
    /// A name that something stood under already is told of as in any merge. Those that nothing was known of are not
    /// told one by one, since they are more than there is room for and are no news: one [`EnterpriseEvent::Overrun`]
    /// stands for all, for whoever has looked before. Names that were deleted everywhere longer ago than
    /// [`limits::TOMBSTONES_LAST`] come back from a piece that is older than that.
    ///
    /// # Errors
    /// The piece is unreadable, of another encoding, or has more names than there is room for.
    pub fn restore(&mut self, now: Instant, piece: &[u8]) -> Result<(), RestoreError> {
        match piece.first() {
            None => return Err(RestoreError::Unreadable),
            Some(&version) if version != VERSION => return Err(RestoreError::Version(version)),
            Some(_) => {}
        }
        let Some(Datagram::Entries { entries }) = Datagram::decode(piece) else { return Err(RestoreError::Unreadable) };
        let wall_ms = self.wall_ms(now);
        let (mut has_more, mut refused) = (false, 0);
        for (name, entry) in entries {
            let is_new = self.directory.entry(Directory::key(&name)).is_none();
            match self.directory.merge(wall_ms, &name, &entry) {
                Taken::Refused => refused += 1,
                Taken::Changed { .. } if is_new => has_more = true,
                taken => self.tell_of(taken, name),
            }
        }
        if has_more && self.events.back() != Some(&EnterpriseEvent::Overrun) {
            self.events.push_back(EnterpriseEvent::Overrun);
        }
        if refused > 0 { Err(RestoreError::NoRoom(refused)) } else { Ok(()) }
    }

    /// This run. The next one of this node must begin later: keep its `began_ms`.
    pub fn run(&self) -> Run {
        self.options.me.run
    }

    /// By the clock that was true when the node began.
    fn wall_ms(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.epoch).as_millis() as u64;
        self.options.wall_ms.saturating_add(since)
    }

    fn hear(&mut self, now: Instant, from: u32, beats: &[presence::Beat]) {
        let mut runs = Vec::new();
        for beat in beats {
            match self.presence.heard(now, *beat) {
                News::Unknown => runs.push(beat.run),
                News::Came | News::BeganAnew => self.event(EnterpriseEvent::Came(beat.run.node)),
                News::Went => self.event(EnterpriseEvent::Went(beat.run.node)),
                News::None => {}
            }
        }
        if !runs.is_empty() {
            self.tell(from, &Datagram::AskRecords { runs });
        }
    }

    fn tell_beat(&mut self, beat: presence::Beat) {
        let octets = Datagram::Beat { beat, root: self.directory.root() }.encode();
        for outgoing in self.neighbours.values_mut() {
            outgoing.set(outgoing::Slot::Beat, octets.clone());
        }
    }

    fn tell_records(&mut self, to: u32, runs: &[Run]) {
        let known = runs.iter().filter_map(|run| self.presence.get(run.node));
        let records: Vec<NodeRecord> = known.map(|status| status.record.clone()).collect();
        let datagrams = outgoing::split(records, |records| Datagram::Records { records });
        for octets in datagrams {
            self.queue(to, octets);
        }
    }

    fn compare_buckets(&mut self, from: u32, theirs: &[u64]) {
        let ours = self.directory.buckets().iter().zip(theirs);
        let differ: Vec<usize> = ours.enumerate().filter(|(_, (ours, theirs))| ours != theirs).map(|it| it.0).collect();
        for bucket in differ {
            for (first, last, heads) in self.directory.heads(bucket) {
                self.tell(from, &Datagram::Heads { first, last, heads });
            }
        }
    }

    fn tell_entries(&mut self, to: u32, keys: &[u64]) {
        for octets in self.encode_entries(keys) {
            self.queue(to, octets);
        }
    }

    fn pass_on(&mut self, except: Option<u32>, keys: &[u64]) {
        let datagrams = self.encode_entries(keys);
        for (_, outgoing) in self.neighbours.iter_mut().filter(|(node, _)| Some(**node) != except) {
            for octets in &datagrams {
                outgoing.push(octets.clone());
            }
        }
    }

    fn encode_entries(&self, keys: &[u64]) -> Vec<Bytes> {
        let entries = keys.iter().filter_map(|key| self.directory.entry(*key));
        let entries: Vec<_> = entries.map(|(name, entry)| (name.to_owned(), entry.clone())).collect();
        outgoing::split(entries, |entries| Datagram::Entries { entries })
    }

    fn tell(&mut self, to: u32, datagram: &Datagram) {
        self.queue(to, datagram.encode());
    }

    fn tell_once(&mut self, to: u32, slot: outgoing::Slot, datagram: &Datagram) {
        if let Some(outgoing) = self.neighbours.get_mut(&to) {
            outgoing.set(slot, datagram.encode());
        }
    }

    fn queue(&mut self, to: u32, octets: Bytes) {
        if let Some(outgoing) = self.neighbours.get_mut(&to) {
            outgoing.push(octets);
        }
    }

    fn tell_of(&mut self, taken: Taken, name: String) {
        match taken {
            Taken::Nothing => {}
            Taken::Refused => self.event(EnterpriseEvent::Refused(name)),
            Taken::Changed { was_conflict, is_conflict, has_dropped } => {
                if has_dropped {
                    self.event(EnterpriseEvent::Dropped(name.clone()));
                }
                self.event(match (was_conflict, is_conflict) {
                    (_, true) => EnterpriseEvent::Conflict(name),
                    (true, false) => EnterpriseEvent::Resolved(name),
                    (false, false) => EnterpriseEvent::Changed(name),
                });
            }
        }
    }

    fn event(&mut self, event: EnterpriseEvent) {
        if self.events.len() < MAX_EVENTS {
            self.events.push_back(event);
        } else if self.events.back() != Some(&EnterpriseEvent::Overrun) {
            self.events.push_back(EnterpriseEvent::Overrun);
        }
    }
}
