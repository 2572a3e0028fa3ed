//! All pairs of an engine in one task: a pair costs its queues and a place in the tables, and is looked at only when
//! something has come for it or its time is there.

use std::collections::{BTreeSet, HashMap};
use std::future::pending;
use std::pin::Pin;
use std::time::Instant;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hamsa_group::pair::{Pair, PairStatus};
use hamsa_group::{EngineSide, Incoming};
use tokio::sync::mpsc;
use zenoh::Wait;
use zenoh::pubsub::Publisher;

use crate::limits::BATCH_MESSAGES;

/// Tells two pairs with the same peer, one after the other, apart.
type Generation = u64;

#[derive(Debug, Default)]
pub(crate) struct Pairs {
    slots: HashMap<u32, Slot>,
    timers: BTreeSet<(Instant, u32)>,
    generations: Generation,
}

#[derive(Debug)]
struct Slot {
    pair: Pair,
    generation: Generation,
    publisher: Publisher<'static>,
    incoming: mpsc::Sender<Incoming>,
    /// An event that the user's queue has no room for; its room is waited for.
    is_blocked: bool,
    outgoing: Outgoing,
    timer: Option<Instant>,
}

/// Where the end of the user's messages is.
#[derive(Debug)]
enum Outgoing {
    /// In [`Waiting`], for the next message.
    Awaited,
    /// Here, maybe with a message that the pair has no room for.
    Here { outgoing: mpsc::Receiver<Bytes>, next: Option<Bytes> },
}

/// What happens at the users' ends.
pub(crate) enum UserEvent {
    /// The user has given a message, or has let go of the pair.
    Message { peer: u32, generation: Generation, message: Option<Bytes>, outgoing: mpsc::Receiver<Bytes> },
    /// The user's queue has room, or nobody reads it any more.
    Room { peer: u32, generation: Generation },
}

impl UserEvent {
    pub(crate) fn peer(&self) -> u32 {
        let (Self::Message { peer, .. } | Self::Room { peer, .. }) = self;
        *peer
    }
}

/// Waits for all users at once; each wakes only for itself.
#[derive(Default)]
pub(crate) struct Waiting {
    events: FuturesUnordered<Pin<Box<dyn Future<Output = UserEvent> + Send>>>,
}

impl Waiting {
    pub(crate) fn push(&mut self, wish: Wish) {
        self.events.push(Box::pin(wish.come_true()));
    }

    /// The next event; never, when nobody is waited for.
    pub(crate) async fn next(&mut self) -> UserEvent {
        match self.events.next().await {
            Some(event) => event,
            None => pending().await,
        }
    }
}

/// What to wait for.
pub(crate) enum Wish {
    Message { peer: u32, generation: Generation, outgoing: mpsc::Receiver<Bytes> },
    Room { peer: u32, generation: Generation, incoming: mpsc::Sender<Incoming> },
}

impl Wish {
    async fn come_true(self) -> UserEvent {
        match self {
            Self::Message { peer, generation, mut outgoing } => {
                let message = outgoing.recv().await;
                UserEvent::Message { peer, generation, message, outgoing }
            }
            Self::Room { peer, generation, incoming } => {
                // An error says that nobody reads it; the other end tells.
                drop(incoming.reserve().await);
                UserEvent::Room { peer, generation }
            }
        }
    }
}

impl Pairs {
    pub(crate) fn contains(&self, peer: u32) -> bool {
        self.slots.contains_key(&peer)
    }

    /// Whether there is a pair whose user has dropped its port.
    pub(crate) fn is_let_go(&self, peer: u32) -> bool {
        self.slots.get(&peer).is_some_and(|slot| slot.incoming.is_closed())
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Takes a pair up.
    pub(crate) fn add(&mut self, peer: u32, pair: Pair, publisher: Publisher<'static>, side: EngineSide) -> Wish {
        self.generations += 1;
        let generation = self.generations;
        let EngineSide { outgoing, incoming } = side;
        let slot =
            Slot { pair, generation, publisher, incoming, is_blocked: false, outgoing: Outgoing::Awaited, timer: None };
        self.slots.insert(peer, slot);
        Wish::Message { peer, generation, outgoing }
    }

    /// Says good-bye to a peer.
    pub(crate) fn remove(&mut self, peer: u32) {
        let Some(mut slot) = self.slots.remove(&peer) else { return };
        if let Some(timer) = slot.timer {
            self.timers.remove(&(timer, peer));
        }
        slot.pair.leave();
        slot.transmit(Instant::now());
    }

    /// All nodes there is a pair with.
    pub(crate) fn peers(&self) -> Vec<u32> {
        self.slots.keys().copied().collect()
    }

    pub(crate) fn handle_datagram(&mut self, now: Instant, from: u32, octets: &[u8]) {
        if let Some(slot) = self.slots.get_mut(&from) {
            slot.pair.handle_datagram(now, octets);
        }
    }

    /// Takes what a user has done. What follows from it comes with [`Self::drive`]; false: the user has let go.
    pub(crate) fn handle_user(&mut self, now: Instant, event: UserEvent) -> bool {
        let (UserEvent::Message { peer, generation, .. } | UserEvent::Room { peer, generation }) = &event;
        let Some(slot) = self.slots.get_mut(peer).filter(|slot| slot.generation == *generation) else { return true };
        match event {
            UserEvent::Room { .. } => slot.is_blocked = false,
            UserEvent::Message { message: None, .. } => return false,
            UserEvent::Message { message: Some(message), outgoing, .. } => {
                slot.outgoing = Outgoing::Here { outgoing, next: Some(message) };
                slot.take_messages(now);
            }
        }
        true
    }

    /// The peers whose time has come.
    pub(crate) fn handle_timeouts(&mut self, now: Instant) -> Vec<u32> {
        let mut due = Vec::new();
        while let Some((timer, peer)) = self.timers.first().copied()
            && timer <= now
        {
            self.timers.pop_first();
            if let Some(slot) = self.slots.get_mut(&peer) {
                slot.timer = None;
                slot.pair.handle_timeout(now);
                due.push(peer);
            }
        }
        due
    }

    /// When [`Self::handle_timeouts`] has something to do.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(timer, _)| *timer)
    }

    /// Moves all that a pair has to say on to its user and its peer.
    pub(crate) fn drive(&mut self, now: Instant, peer: u32) -> Vec<Wish> {
        let mut wishes = Vec::new();
        let Some(slot) = self.slots.get_mut(&peer) else { return wishes };
        slot.tell_user(now, peer, &mut wishes);
        slot.take_messages(now);
        slot.tell_user(now, peer, &mut wishes);
        if let Outgoing::Here { next: None, .. } = slot.outgoing
            && let Outgoing::Here { outgoing, .. } = std::mem::replace(&mut slot.outgoing, Outgoing::Awaited)
        {
            wishes.push(Wish::Message { peer, generation: slot.generation, outgoing });
        }
        slot.transmit(now);
        let timer = slot.pair.poll_timeout();
        if timer != slot.timer {
            if let Some(old) = slot.timer {
                self.timers.remove(&(old, peer));
            }
            self.timers.extend(timer.map(|timer| (timer, peer)));
            slot.timer = timer;
        }
        wishes
    }

    pub(crate) fn status(&self) -> Vec<PairStatus> {
        let mut all: Vec<PairStatus> = self.slots.values().map(|slot| slot.pair.status()).collect();
        all.sort_by_key(|status| status.peer);
        all
    }
}

impl Slot {
    /// Gives the pair what its user has for it, as far as there is room and not all at once.
    fn take_messages(&mut self, now: Instant) {
        let Outgoing::Here { outgoing, next } = &mut self.outgoing else { return };
        for _ in 0..BATCH_MESSAGES {
            let Some(message) = next.take().or_else(|| outgoing.try_recv().ok()) else { return };
            if !self.pair.has_room(message.len()) {
                *next = Some(message);
                return;
            }
            if let Err(error) = self.pair.send(now, message) {
                // The port has checked its length, and there is room.
                tracing::error!(%error, "a pair took no message");
            }
        }
    }

    fn tell_user(&mut self, now: Instant, peer: u32, wishes: &mut Vec<Wish>) {
        while !self.is_blocked {
            match self.incoming.try_reserve() {
                Ok(permit) => match self.pair.poll_event(now) {
                    Some(event) => permit.send(event.into()),
                    None => return,
                },
                Err(mpsc::error::TrySendError::Closed(())) => return,
                Err(mpsc::error::TrySendError::Full(())) => {
                    self.is_blocked = true;
                    let (generation, incoming) = (self.generation, self.incoming.clone());
                    wishes.push(Wish::Room { peer, generation, incoming });
                }
            }
        }
    }

    fn transmit(&mut self, now: Instant) {
        while let Some(octets) = self.pair.poll_transmit(now) {
            if let Err(error) = self.publisher.put(octets).wait() {
                // As good as lost on the way: the pair sends it again.
                tracing::debug!(%error, "Zenoh took no datagram");
            }
        }
    }
}
