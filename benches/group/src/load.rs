//! A run as one member has it: what it sends when, and what it counts.

use std::time::Duration;

use bytes::Bytes;

use crate::limits::MAX_LATENCIES;
use crate::protocol::{Run, Window, own_cpu_time};

/// A message begins with the time at which it was sent.
const STAMP_OCTETS: usize = 8;

/// A run, before, while and after it runs.
#[derive(Debug)]
pub(crate) struct Load {
    run: Run,
    next_send: Duration,
    /// A message that was refused, with the time at which it should have gone.
    refused: Option<Bytes>,
    part: Part,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    delivered: u64,
    latencies: Vec<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    WarmUp,
    Measured { cpu: Duration },
    Over,
}

impl Load {
    pub(crate) fn new(run: Run) -> Self {
        Load {
            next_send: run.start,
            run,
            refused: None,
            part: Part::WarmUp,
            sent: 0,
            received: 0,
            delivered: 0,
            latencies: Vec::with_capacity(MAX_LATENCIES),
        }
    }

    /// Opens and closes the part that counts; what it saw, when it ends.
    pub(crate) fn turn(&mut self, now: Duration) -> Option<Window> {
        match self.part {
            Part::WarmUp if now >= self.run.window() => self.part = Part::Measured { cpu: own_cpu_time() },
            Part::Measured { cpu } if now >= self.run.end() => {
                self.part = Part::Over;
                let cpu = own_cpu_time().saturating_sub(cpu);
                return Some(Window::new(self.delivered, cpu, &mut self.latencies));
            }
            _ => {}
        }
        None
    }

    /// The next message, if it is time for one.
    pub(crate) fn next(&mut self, now: Duration) -> Option<Bytes> {
        let is_due = self.run.period.is_zero() || self.next_send <= now;
        if now < self.run.start || now >= self.run.end() || !is_due {
            return None;
        }
        Some(self.refused.take().unwrap_or_else(|| {
            let mut octets = vec![0; self.run.octets.max(STAMP_OCTETS)];
            octets[..STAMP_OCTETS].copy_from_slice(&(now.as_nanos() as u64).to_le_bytes());
            octets.into()
        }))
    }

    /// The message was taken.
    pub(crate) fn was_sent(&mut self) {
        self.sent += 1;
        self.next_send += self.run.period;
    }

    /// It was not, and is the next again.
    pub(crate) fn was_refused(&mut self, message: Bytes) {
        self.refused = Some(message);
    }

    /// Counts a message of any sender.
    ///
    /// # Errors
    /// It is not what was sent.
    pub(crate) fn receive(&mut self, now: Duration, data: &Bytes) -> anyhow::Result<()> {
        anyhow::ensure!(data.len() == self.run.octets, "a message of {} octets", data.len());
        self.received += 1;
        if let (Part::Measured { .. }, Some(stamp)) = (self.part, data.first_chunk()) {
            self.delivered += 1;
            if self.latencies.len() < MAX_LATENCIES {
                self.latencies.push((now.as_nanos() as u64).saturating_sub(u64::from_le_bytes(*stamp)));
            }
        }
        Ok(())
    }

    /// When there is something to do again, but for what a refusal waits for.
    pub(crate) fn wake_at(&self, now: Duration) -> Option<Duration> {
        let turn_at = match self.part {
            Part::WarmUp => self.run.window(),
            Part::Measured { .. } => self.run.end(),
            Part::Over => return None,
        };
        let is_waiting = self.run.period.is_zero() || self.refused.is_some();
        let send_at = match () {
            () if now < self.run.start => self.run.start,
            () if is_waiting => turn_at,
            () => self.next_send,
        };
        Some(turn_at.min(send_at))
    }
}
