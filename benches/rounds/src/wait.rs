//! Waiting for datagrams, as a loop with one socket does.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Waits until a datagram has come or something is due.
///
/// # Errors
/// The system can't wait.
pub fn wait_for_datagram(socket: &impl AsFd, due: Option<Instant>, now: Instant) -> io::Result<()> {
    // Rounded up: too early a wake-up would find nothing to do.
    let wait = due.map(|due| due.saturating_duration_since(now) + Duration::from_millis(1));
    let wait = wait.map_or(PollTimeout::NONE, |wait| PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX));
    poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLIN)], wait)?;
    Ok(())
}
