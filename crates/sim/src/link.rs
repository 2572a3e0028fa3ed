//! What a link does to the datagrams on it.

use std::time::Duration;

use crate::fault::{Fault, Faults, Share};
use crate::noise::Noise;

/// How long an overtaken answer waits at most: a burst of answers has passed by then.
const REORDER_WINDOW: Duration = Duration::from_millis(200);

/// The faults of a link, ready for use.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Link {
    loss: Share,
    delay: Duration,
    jitter: Duration,
    duplicate: Share,
    corrupt: Share,
    truncate: Share,
    reorder: Share,
}

/// One copy of an answer: how long it takes, and what of it arrives.
pub(crate) struct Copy {
    pub(crate) after: Duration,
    pub(crate) datagram: Vec<u8>,
}

impl Link {
    /// Of several faults of one kind the last counts, except delays, which add up.
    pub(crate) fn of(faults: &Faults) -> Self {
        let mut link = Link::default();
        for fault in faults.iter() {
            match *fault {
                Fault::Loss(share) => link.loss = share,
                Fault::Delay(time) | Fault::Late(time) => link.delay += time,
                Fault::Jitter(time) => link.jitter += time,
                Fault::Duplicate(share) => link.duplicate = share,
                Fault::Corrupt(share) => link.corrupt = share,
                Fault::Truncate(share) => link.truncate = share,
                Fault::Reorder(share) => link.reorder = share,
                _ => {}
            }
        }
        link
    }

    /// How many octets of a request arrive, after what happens to it; `None`: it is lost.
    pub(crate) fn request(&self, datagram: &mut [u8], noise: &mut Noise) -> Option<usize> {
        if self.loss.happens(noise) {
            return None;
        }
        Some(self.damage(datagram, noise))
    }

    /// What arrives of an answer.
    pub(crate) fn answer(&self, datagram: &[u8], noise: &mut Noise, mut arrives: impl FnMut(Copy)) {
        let copies = if self.duplicate.happens(noise) { 2 } else { 1 };
        for _ in 0..copies {
            if self.loss.happens(noise) {
                continue;
            }
            let mut datagram = datagram.to_vec();
            let length = self.damage(&mut datagram, noise);
            datagram.truncate(length);
            let overtaken = if self.reorder.happens(noise) { noise.up_to(REORDER_WINDOW) } else { Duration::ZERO };
            let jitter = if self.jitter.is_zero() { Duration::ZERO } else { noise.up_to(self.jitter) };
            arrives(Copy { after: self.delay + jitter + overtaken, datagram });
        }
    }

    fn damage(&self, datagram: &mut [u8], noise: &mut Noise) -> usize {
        if self.corrupt.happens(noise) && !datagram.is_empty() {
            let bit = noise.below(datagram.len() as u64 * 8);
            datagram[(bit / 8) as usize] ^= 1 << (bit % 8);
        }
        if self.truncate.happens(noise) { noise.below(datagram.len() as u64) as usize } else { datagram.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(faults: &str, count: usize) -> Vec<Copy> {
        let (link, mut noise, mut copies) = (Link::of(&faults.parse().unwrap()), Noise::new(2), Vec::new());
        for _ in 0..count {
            link.answer(&[0; 100], &mut noise, |copy| copies.push(copy));
        }
        copies
    }

    #[test]
    fn a_sound_link_changes_nothing() {
        let copies = answers("", 10);
        assert_eq!(copies.len(), 10);
        assert!(copies.iter().all(|copy| copy.after.is_zero() && copy.datagram == [0; 100]));
    }

    #[test]
    fn each_fault_does_what_it_says() {
        assert!(answers("loss=50%", 1_000).len().abs_diff(500) < 100);
        assert_eq!(answers("duplicate=100%", 10).len(), 20);
        assert!(answers("truncate=100%", 10).iter().all(|copy| copy.datagram.len() < 100));
        for copy in answers("corrupt=100%", 100) {
            assert_eq!(copy.datagram.iter().map(|octet| octet.count_ones()).sum::<u32>(), 1);
        }
        let delays = answers("delay=1s,jitter=1s,late=2s", 100);
        let second = Duration::from_secs(1);
        assert!(delays.iter().all(|copy| (3 * second..=4 * second).contains(&copy.after)));
        assert!(!answers("reorder=100%", 100).is_sorted_by_key(|copy| copy.after));
        let (link, mut noise) = (Link::of(&"loss=100%".parse().unwrap()), Noise::new(1));
        assert_eq!(link.request(&mut [0; 10], &mut noise), None);
    }
}
