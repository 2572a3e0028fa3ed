//! What must be true of a [`Manager`] between any two calls. Simulations, fuzzers and tests ask; the product
//! does not.

use std::collections::HashSet;

use super::{Manager, Peer};
use crate::limits::{MAX_QUEUE_PER_TARGET, MAX_REQUESTS, TIMERS_PER_REQUEST};

impl Manager {
    /// Panics, naming the invariant, if one is broken.
    #[doc(hidden)]
    pub fn check_invariants(&self) {
        self.invariant_ids();
        self.invariant_bounds();
        self.invariant_progress();
        self.invariant_discovery();
    }

    /// Every identifier in use belongs to exactly one request that was sent under it.
    fn invariant_ids(&self) {
        let requests = self.requests.iter().enumerate().filter_map(|(slot, request)| Some((slot, request.as_ref()?)));
        let sent = requests.flat_map(|(slot, request)| request.attempts.iter().map(move |attempt| (attempt.id, slot)));
        let mut count = 0;
        for (id, slot) in sent {
            assert_eq!(self.ids.get(&id), Some(&(slot as u32)), "invariant_ids: {id}");
            count += 1;
        }
        assert_eq!(self.ids.len(), count, "invariant_ids: an identifier of no request");
    }

    /// No target has more requests out than it allows, nor more waiting than it may; what is counted is there.
    fn invariant_bounds(&self) {
        let targets = self.targets.iter().flatten().count();
        assert!(self.pending() <= MAX_REQUESTS + targets, "invariant_bounds: requests");
        assert!(self.timers.len() <= TIMERS_PER_REQUEST * self.requests.len(), "invariant_bounds: timers");
        for (index, target) in self.targets.iter().enumerate().filter_map(|(i, target)| Some((i, target.as_ref()?))) {
            let of_target = || self.requests.iter().flatten().filter(|request| request.target as usize == index);
            let released = of_target().filter(|request| request.is_released && !request.is_discovery).count();
            assert_eq!(usize::from(target.outstanding), released, "invariant_bounds: outstanding");
            assert!(target.outstanding <= target.config.max_outstanding.max(1), "invariant_bounds: too many out");
            assert!(target.waiting.len() <= MAX_QUEUE_PER_TARGET, "invariant_bounds: too many waiting");
            let waiting: HashSet<u32> = target.waiting.iter().copied().collect();
            let unreleased = of_target().filter(|request| !request.is_released).count();
            assert_eq!((waiting.len(), target.waiting.len()), (unreleased, unreleased), "invariant_bounds: waiting");
            for slot in waiting {
                let request = self.requests[slot as usize].as_ref();
                let is_its_own =
                    request.is_some_and(|request| request.target as usize == index && !request.is_released);
                assert!(is_its_own, "invariant_bounds: a stranger waits");
            }
        }
    }

    /// Every request will be heard of again: it is about to be sent, has a timer, or waits for one that has.
    fn invariant_progress(&self) {
        let to_send: HashSet<u32> = self.to_send.iter().copied().collect();
        let timers: HashSet<_> = self.timers.iter().map(|timer| timer.0).collect();
        for (slot, request) in self.requests.iter().enumerate() {
            let (slot, Some(request)) = (slot as u32, request) else { continue };
            let is_moving = match request.deadline {
                Some(deadline) => timers.contains(&(deadline, slot)),
                None if request.is_released => to_send.contains(&slot),
                None => true,
            };
            assert!(is_moving, "invariant_progress: request in slot {slot} is forgotten");
        }
        for target in self.targets.iter().flatten().filter(|target| !target.waiting.is_empty()) {
            let waits_for_discovery = matches!(target.peer, Peer::Discovering(_));
            let waits_for_room = target.outstanding >= target.config.max_outstanding.max(1);
            assert!(waits_for_discovery || waits_for_room, "invariant_progress: requests wait for nothing");
        }
    }

    /// A target is being discovered exactly while a request does it.
    fn invariant_discovery(&self) {
        for (index, target) in self.targets.iter().enumerate().filter_map(|(i, target)| Some((i, target.as_ref()?))) {
            let discovering: Vec<usize> = (0..self.requests.len())
                .filter(|&slot| {
                    let request = self.requests[slot].as_ref();
                    request.is_some_and(|request| request.is_discovery && request.target as usize == index)
                })
                .collect();
            match target.peer {
                Peer::Discovering(slot) => assert_eq!(discovering, [slot as usize], "invariant_discovery"),
                _ => assert!(discovering.is_empty(), "invariant_discovery: by nobody's order"),
            }
        }
    }
}
