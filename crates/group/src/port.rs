//! An engine that runs in a thread or task of its own, as its users hold it: two bounded queues.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

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

/// What an engine's user waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortNews {
    /// An event has come.
    Event(EngineEvent),
    /// It takes a message again.
    Writable,
    /// It has ended, and all of it is told.
    Ended,
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
        let event = self.incoming.recv().await;
        self.tell(event)
    }

    /// The next event, or that it takes a message, if that is wanted, whichever is first. Whoever stops waiting loses nothing.
    pub async fn news(&mut self, is_room_wanted: bool) -> PortNews {
        let event = {
            let mut event = pin!(self.incoming.recv());
            let mut room = pin!(self.outgoing.reserve());
            poll_fn(|context| match event.as_mut().poll(context) {
                Poll::Ready(event) => Poll::Ready(Some(event)),
                // An error says that it has ended, and the events tell so.
                Poll::Pending if is_room_wanted => match room.as_mut().poll(context) {
                    Poll::Ready(Ok(_)) => Poll::Ready(None),
                    Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
                },
                Poll::Pending => Poll::Pending,
            })
            .await
        };
        match event {
            None => PortNews::Writable,
            Some(event) => self.tell(event).map_or(PortNews::Ended, PortNews::Event),
        }
    }

    /// Returns when the engine takes a message, or has ended.
    pub async fn writable(&self) {
        // An error says that it has ended, and `send` tells so.
        drop(self.outgoing.reserve().await);
    }

    /// What is told of it: that it is lost, once.
    fn tell(&mut self, event: Option<EngineEvent>) -> Option<EngineEvent> {
        let was_lost = self.is_lost;
        self.is_lost = matches!(event, None | Some(EngineEvent::Lost { .. }));
        event.or_else(|| (!was_lost).then(|| EngineEvent::Lost { reason: "its task has ended".into() }))
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
            Ok(event) => self.tell(Some(event)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => self.tell(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPABILITIES: Capabilities =
        Capabilities { engine: "test", max_message_bytes: 10, max_nodes: 2, is_wide_area: false };

    fn poll<T>(future: impl Future<Output = T>) -> Poll<T> {
        pin!(future).poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
    }

    #[test]
    fn a_loss_is_told_once() {
        for says_so in [true, false] {
            let (mut port, side) = engine_port(CAPABILITIES, 1);
            if says_so {
                side.incoming.try_send(EngineEvent::Lost { reason: "it says so".into() }).unwrap();
            }
            drop(side);
            assert!(matches!(poll(port.event()), Poll::Ready(Some(EngineEvent::Lost { .. }))));
            assert_eq!(poll(port.event()), Poll::Ready(None));
            assert_eq!(port.poll_event(), None);
            assert_eq!(poll(port.news(true)), Poll::Ready(PortNews::Ended));
            assert_eq!(port.send(Bytes::new()), Err(EngineSendError::Lost));
        }
    }

    #[test]
    fn news_are_events_first_then_room() {
        let (mut port, mut side) = engine_port(CAPABILITIES, 1);
        assert_eq!(poll(port.news(false)), Poll::Pending);
        assert_eq!(poll(port.news(true)), Poll::Ready(PortNews::Writable));
        port.send(Bytes::new()).unwrap();
        assert_eq!(port.send(Bytes::new()), Err(EngineSendError::Full));
        assert_eq!(poll(port.news(true)), Poll::Pending);
        side.outgoing.try_recv().unwrap();
        let sender = crate::engine::Process { node: 1, process: 1 };
        let message = EngineEvent::Message { sender, data: Bytes::new() };
        side.incoming.try_send(message.clone()).unwrap();
        assert_eq!(poll(port.news(true)), Poll::Ready(PortNews::Event(message)));
        assert_eq!(poll(port.news(true)), Poll::Ready(PortNews::Writable));
    }
}
