//! An engine that runs in a thread or task of its own, as its users hold it: two bounded queues.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::{TryRecvError, TrySendError};

use crate::engine::{Capabilities, EngineEvent, EngineSendError, GroupEngine};

/// The groups' end of an engine. Dropped, it ends the engine.
#[derive(Debug)]
pub struct EnginePort {
    capabilities: Capabilities,
    outgoing: mpsc::Sender<Bytes>,
    incoming: mpsc::Receiver<EngineEvent>,
    is_lost: bool,
}

/// The engine's end. When its sender is dropped the groups see the engine lost, unless it has said so itself.
#[derive(Debug)]
pub struct EngineSide {
    /// What to send, in this order. Ends when the groups have let go of the engine.
    pub outgoing: mpsc::Receiver<Bytes>,
    /// What has come. A full queue is waited for: that is the engine's own back-pressure.
    pub incoming: mpsc::Sender<EngineEvent>,
}

/// Both ends, with queues of so many messages each.
pub fn engine_port(capabilities: Capabilities, messages: usize) -> (EnginePort, EngineSide) {
    let (to_engine, outgoing) = mpsc::channel(messages);
    let (incoming, from_engine) = mpsc::channel(messages);
    let port = EnginePort { capabilities, outgoing: to_engine, incoming: from_engine, is_lost: false };
    (port, EngineSide { outgoing, incoming })
}

impl EnginePort {
    /// The next event, when there is one; `None` once the engine has ended and all of it is told.
    pub async fn event(&mut self) -> Option<EngineEvent> {
        match self.incoming.recv().await {
            Some(event) => Some(event),
            None => self.end(),
        }
    }

    /// Returns when the engine takes a message, or has ended.
    pub async fn writable(&self) {
        // An error says that it has ended, and `send` tells so.
        drop(self.outgoing.reserve().await);
    }

    fn end(&mut self) -> Option<EngineEvent> {
        let is_news = !std::mem::replace(&mut self.is_lost, true);
        is_news.then(|| EngineEvent::Lost { reason: "its task has ended".into() })
    }
}

impl GroupEngine for EnginePort {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn send(&mut self, data: Bytes) -> Result<(), EngineSendError> {
        let (length, max) = (data.len(), self.capabilities.max_message_bytes);
        if length > max {
            return Err(EngineSendError::TooLong { length, max });
        }
        self.outgoing.try_send(data).map_err(|error| match error {
            TrySendError::Full(_) => EngineSendError::Full,
            TrySendError::Closed(_) => EngineSendError::Lost,
        })
    }

    fn poll_event(&mut self) -> Option<EngineEvent> {
        match self.incoming.try_recv() {
            Ok(event) => {
                self.is_lost = matches!(event, EngineEvent::Lost { .. });
                Some(event)
            }
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => self.end(),
        }
    }
}
