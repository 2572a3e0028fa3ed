//! The sockets from which the agent speaks first: to targets of notifications, and to those behind its proxy.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use hamsa_snmp::limits::MAX_MESSAGE_OCTETS;
use hamsa_snmp::manager::Transmit;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};

use super::LOOK;
use crate::limits::{MAX_OUTWARD_BATCH, OUTWARD_BUFFER_OCTETS};
use crate::net::BindError;

/// One socket for each family of addresses that the host has.
pub(super) struct OutwardSockets {
    v4: UdpSocket,
    v6: Option<UdpSocket>,
}

impl OutwardSockets {
    /// Binds them to ports that are free.
    pub(super) fn bind() -> Result<Self, BindError> {
        let v4 = bind(Ipv4Addr::UNSPECIFIED.into())?;
        let v6 = bind(Ipv6Addr::UNSPECIFIED.into());
        let v6 = v6.inspect_err(|error| tracing::info!(%error, "no targets with IPv6 addresses")).ok();
        Ok(OutwardSockets { v4, v6 })
    }

    /// Takes what has arrived, so much at most that nothing else waits for long.
    pub(super) fn receive(&self, mut handle: impl FnMut(SocketAddr, &mut [u8])) {
        let mut message = vec![0; MAX_MESSAGE_OCTETS];
        for socket in std::iter::once(&self.v4).chain(&self.v6) {
            for _ in 0..MAX_OUTWARD_BATCH {
                match socket.recv_from(&mut message) {
                    Ok((length, from)) => handle(from, &mut message[..length]),
                    Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => break,
                    Err(error) => {
                        tracing::debug!(%error, "receiving failed");
                        break;
                    }
                }
            }
        }
    }

    /// Sends the message at the end of a buffer. One that the kernel refuses is lost, as in a network.
    pub(super) fn send(&self, transmit: Transmit, buffer: &[u8]) {
        let socket = if transmit.address.is_ipv4() { Some(&self.v4) } else { self.v6.as_ref() };
        let message = &buffer[buffer.len() - transmit.length..];
        let sent = socket.map(|socket| socket.send_to(message, transmit.address));
        if let Some(Err(error)) = sent {
            tracing::debug!(to = %transmit.address, %error, "a message is not sent");
        }
    }

    /// Until something has arrived, or time is up.
    pub(super) fn wait(&self, patience: Duration) {
        let sockets = std::iter::once(&self.v4).chain(&self.v6);
        let mut fds: Vec<PollFd<'_>> = sockets.map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)).collect();
        // Not too early: then it would be asked again and again.
        let patience = patience + Duration::from_millis(1);
        match poll(&mut fds, PollTimeout::try_from(patience).unwrap_or(PollTimeout::ZERO)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => {
                tracing::error!(%error, "waiting for answers failed");
                thread::sleep(LOOK);
            }
        }
    }
}

fn bind(address: IpAddr) -> Result<UdpSocket, BindError> {
    let address = SocketAddr::new(address, 0);
    let open = || -> io::Result<UdpSocket> {
        let socket = UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        // What the kernel does not grant is no error.
        let _ = setsockopt(&socket, sockopt::RcvBuf, &OUTWARD_BUFFER_OCTETS);
        Ok(socket)
    };
    open().map_err(|source| BindError { address, source })
}
