//! What a member knows of the other one: which run of it is there, and whether it hears this one.
//!
//! A run counts as there only when it has answered something that was said after it was first heard of. So a datagram
//! of a past run, however late it comes, never ends the present one, and no list of past runs is needed.

use std::time::{Duration, Instant};

use super::limits::MAX_LEASE;
use super::wire::{Datagram, Echo, Heard};

#[derive(Debug, Default)]
pub(super) struct Peer {
    present: Option<Present>,
    candidate: Option<Candidate>,
    /// The run that was there last: one that comes back is not a new one.
    last_session: Option<u64>,
}

/// A run of the peer that is there.
#[derive(Debug)]
struct Present {
    session: u64,
    number: u64,
    heard_at: Instant,
    lease: Duration,
    stamp_us: u32,
    hears_me: bool,
}

/// A run that may be there.
#[derive(Debug)]
struct Candidate {
    session: u64,
    number: u64,
    heard_at: Instant,
    /// An answer to this number of ours, or a later one, proves it.
    proof: u64,
}

/// What a datagram says of the peer's presence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Of a run that is not known to be there: nothing in it counts. `answer`: it should be answered at once.
    Unknown { answer: bool },
    /// Of a run that has just shown that it is there. `is_other`: not the one that was there before.
    Appeared { is_other: bool },
    /// Of the run that is there, and later than all before.
    Fresh,
    /// Of the run that is there, and overtaken by a later one, or a copy.
    Old,
}

impl Peer {
    /// Takes in who sends a datagram. `me` is this run, `next_number` what it gives to its next datagram.
    pub(super) fn heard(&mut self, now: Instant, datagram: &Datagram, me: u64, next_number: u64) -> Standing {
        let hears_me = datagram.hears.is_some_and(|heard| heard.session == me);
        if let Some(present) = self.present.as_mut().filter(|present| present.session == datagram.session) {
            if datagram.number <= present.number {
                return Standing::Old;
            }
            *present = Present::new(now, datagram, hears_me);
            return Standing::Fresh;
        }
        let known = self.candidate.as_mut().filter(|candidate| candidate.session == datagram.session);
        let Some(candidate) = known else {
            let (session, number) = (datagram.session, datagram.number);
            self.candidate = Some(Candidate { session, number, heard_at: now, proof: next_number });
            return Standing::Unknown { answer: true };
        };
        if datagram.number <= candidate.number {
            return Standing::Unknown { answer: false };
        }
        (candidate.number, candidate.heard_at) = (datagram.number, now);
        let answered = [datagram.hears, datagram.asks].into_iter().flatten();
        if !answered.into_iter().any(|heard| heard.session == me && heard.number >= candidate.proof) {
            return Standing::Unknown { answer: false };
        }
        self.candidate = None;
        self.present = Some(Present::new(now, datagram, hears_me));
        let is_other = self.last_session.replace(datagram.session) != Some(datagram.session);
        Standing::Appeared { is_other }
    }

    /// Whether the run that is there says that it knows this one to be there.
    pub(super) fn hears_me(&self) -> bool {
        self.present.as_ref().is_some_and(|present| present.hears_me)
    }

    /// Whether a run is there.
    pub(super) fn is_present(&self) -> bool {
        self.present.is_some()
    }

    /// When [`Self::expire`] has something to do.
    pub(super) fn deadline(&self, lease: Duration) -> Option<Instant> {
        let present = self.present.as_ref().map(|present| present.heard_at + present.lease.max(lease));
        let candidate = self.candidate.as_ref().map(|candidate| candidate.heard_at + lease);
        present.into_iter().chain(candidate).min()
    }

    /// Forgets who was silent for a lease: this process's or the peer's, whichever is longer, so that two that are
    /// told different ones don't lose each other between beats. Whether the one that was there is gone so.
    pub(super) fn expire(&mut self, now: Instant, lease: Duration) -> bool {
        self.candidate.take_if(|candidate| now >= candidate.heard_at + lease);
        self.present.take_if(|present| now >= present.heard_at + present.lease.max(lease)).is_some()
    }

    /// The peer has said that it goes.
    pub(super) fn forget(&mut self) {
        self.present = None;
    }

    /// What goes into a datagram.
    pub(super) fn hears(&self) -> Option<Heard> {
        self.present.as_ref().map(|present| Heard { session: present.session, number: present.number })
    }

    /// What goes into a datagram.
    pub(super) fn asks(&self) -> Option<Heard> {
        self.candidate.as_ref().map(|candidate| Heard { session: candidate.session, number: candidate.number })
    }

    /// What goes into a datagram.
    pub(super) fn echo(&self, now: Instant) -> Option<Echo> {
        let present = self.present.as_ref()?;
        let held = now.saturating_duration_since(present.heard_at).as_micros();
        Some(Echo { stamp_us: present.stamp_us, held_us: u32::try_from(held).ok()? })
    }
}

impl Present {
    fn new(now: Instant, datagram: &Datagram, hears_me: bool) -> Self {
        let Datagram { session, number, stamp_us, lease_ms, .. } = *datagram;
        let lease = Duration::from_millis(lease_ms.into()).min(MAX_LEASE);
        Self { session, number, heard_at: now, lease, stamp_us, hears_me }
    }
}
