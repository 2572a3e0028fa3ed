//! One node's engine: the hub itself where nobody is it, or a connection to the hub.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use hamsa_group::EnginePort;

use crate::client::{self, Faults};
use crate::error::{ConnectError, FaultError};
use crate::fault::Fault;
use crate::serve::{Rules, Server};

/// What a node's engine needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddedOptions {
    /// The socket, the same for all nodes. Beside it a file is kept with `.lock` at the end of its name.
    pub socket: PathBuf,
    /// Nodes of another cluster are not let in.
    pub cluster: String,
    /// This node's number, 1 or greater.
    pub node: u32,
    /// Whether faults may be asked for.
    pub allow_faults: bool,
}

/// How a node takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It has no engine at the moment.
    None,
    /// It is the hub.
    Hub,
    /// The hub serves it.
    Member,
}

/// A node's engine. Dropped, it ends: if it was the hub, another node's becomes it.
#[derive(Debug)]
pub struct Embedded {
    options: EmbeddedOptions,
    server: Option<Server>,
    faults: Faults,
    is_member: bool,
    /// The sequence number of the last ring.
    seen: Arc<AtomicU64>,
}

impl Embedded {
    /// Not connected yet.
    pub fn new(options: EmbeddedOptions) -> Self {
        Embedded { options, server: None, faults: None, is_member: false, seen: Arc::default() }
    }

    /// Connects, or becomes the hub where there is none. The tasks of both run on the runtime that this is called on.
    ///
    /// # Errors
    /// See [`ConnectError`]. Some pass by themselves, such as that a hub has just ended: it may be tried again and again.
    pub async fn connect(&mut self) -> Result<EnginePort, ConnectError> {
        (self.faults, self.is_member) = (None, false);
        if self.server.is_none()
            && let Some(lock) = self.lock()?
        {
            let EmbeddedOptions { socket, cluster, allow_faults, .. } = &self.options;
            let rules = Rules { cluster: cluster.clone(), allows_faults: *allow_faults };
            self.server = Some(Server::start(socket, lock, rules)?);
        }
        if let Some(server) = &self.server {
            return Ok(server.hub.attach(self.options.node, self.seen.clone())?);
        }
        let (port, faults) = client::dial(&self.options, &self.seen).await?;
        (self.faults, self.is_member) = (faults, true);
        Ok(port)
    }

    /// How this node takes part.
    pub fn role(&self) -> Role {
        match &self.server {
            Some(_) => Role::Hub,
            None if self.is_member => Role::Member,
            None => Role::None,
        }
    }

    /// Makes a fault, or has the hub make it.
    ///
    /// # Errors
    /// See [`FaultError`].
    pub fn inject(&self, fault: Fault) -> Result<(), FaultError> {
        match (&self.server, &self.faults) {
            (Some(server), _) if self.options.allow_faults => server.hub.inject(fault),
            (None, Some(faults)) => faults.try_send(fault).map_err(|error| match error {
                tokio::sync::mpsc::error::TrySendError::Full(_) => FaultError::Busy,
                tokio::sync::mpsc::error::TrySendError::Closed(_) => FaultError::NoEngine,
            })?,
            (None, None) if !self.is_member => return Err(FaultError::NoEngine),
            _ => return Err(FaultError::NotAllowed),
        }
        Ok(())
    }

    /// The lock that makes this process the hub, if no other has it. Its file is never removed: two processes could
    /// have locked two files of its name then.
    fn lock(&self) -> Result<Option<File>, ConnectError> {
        let mut path = self.options.socket.clone().into_os_string();
        path.push(".lock");
        let path = PathBuf::from(path);
        let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = opened.map_err(|source| ConnectError::Lock { path: path.clone(), source })?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(ConnectError::Lock { path, source }),
        }
    }
}
