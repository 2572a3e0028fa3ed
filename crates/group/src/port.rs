//! An engine that runs in a thread or task of its own, as its users hold it: two bounded queues.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::{TryRecvError, TrySendError};

use crate::engine::{Capabilities, EngineEvent, EngineSendError, GroupEngine};
use crate::groups::Groups;

/// The groups' end of an engine. Dropped, it ends the engine.
#[derive(Debug)]
pub struct EnginePort {
    capabilities: Capabilities,
    outgoing: mpsc::Sender<Bytes>,
    incoming: mpsc::Receiver<Incoming>,
    /// What is left of the last batch.
    batch: VecDeque<EngineEvent>,
    is_lost: bool,
}

/// What an engine gives at once. To wake its user up for each message costs it more than to take the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// One event.
    One(EngineEvent),
    /// Several, in their order.
    Batch(VecDeque<EngineEvent>),
}

impl From<EngineEvent> for Incoming {
    fn from(event: EngineEvent) -> Self {
        Incoming::One(event)
    }
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
    pub incoming: mpsc::Sender<Incoming>,
}

/// Both ends, with queues of so many messages each.
pub fn engine_port(capabilities: Capabilities, messages: usize) -> (EnginePort, EngineSide) {
    engine_port_in_batches(capabilities, messages, messages)
}

/// Both ends, for an engine that takes so many messages and gives so many batches before it waits.
pub fn engine_port_in_batches(capabilities: Capabilities, messages: usize, batches: usize) -> (EnginePort, EngineSide) {
    let (to_engine, outgoing) = mpsc::channel(messages);
    let (incoming, from_engine) = mpsc::channel(batches);
    let batch = VecDeque::new();
    let port = EnginePort { capabilities, outgoing: to_engine, incoming: from_engine, batch, is_lost: false };
    (port, EngineSide { outgoing, incoming })
}

impl EnginePort {
    /// The next event, when there is one; `None` once the engine has ended and all of it is told.
    pub async fn event(&mut self) -> Option<EngineEvent> {
        while self.batch.is_empty() {
            match self.incoming.recv().await {
                Some(incoming) => self.unpack(incoming),
                None => return self.tell(None),
            }
        }
        let event = self.batch.pop_front();
        self.tell(event)
    }

    /// The next event, or that it takes a message, if that is wanted, whichever is first. Whoever stops waiting loses nothing.
    pub async fn news(&mut self, is_room_wanted: bool) -> PortNews {
        while self.batch.is_empty() {
            let incoming = {
                let mut incoming = pin!(self.incoming.recv());
                let mut room = pin!(self.outgoing.reserve());
                poll_fn(|context| match incoming.as_mut().poll(context) {
                    Poll::Ready(incoming) => Poll::Ready(Some(incoming)),
                    // An error says that it has ended, and the events tell so.
                    Poll::Pending if is_room_wanted => match room.as_mut().poll(context) {
                        Poll::Ready(Ok(_)) => Poll::Ready(None),
                        Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
                    },
                    Poll::Pending => Poll::Pending,
                })
                .await
            };
            match incoming {
                None => return PortNews::Writable,
                Some(None) => return self.tell(None).map_or(PortNews::Ended, PortNews::Event),
                Some(Some(incoming)) => self.unpack(incoming),
            }
        }
        let event = self.batch.pop_front();
        self.tell(event).map_or(PortNews::Ended, PortNews::Event)
    }

    /// Returns when the engine takes a message, or has ended.
    pub async fn writable(&self) {
        // An error says that it has ended, and `send` tells so.
        drop(self.outgoing.reserve().await);
    }

    /// Sends what the groups have to send, until the engine takes no more: whether it does. Whoever is told so waits for
    /// [`PortNews::Writable`]. An engine that is lost takes nothing, and an event tells so.
    ///
    /// # Errors
    /// [`EngineSendError::TooLong`]: the groups were set up for longer messages than the engine's. They still have that message.
    pub fn transmit(&mut self, groups: &mut Groups) -> Result<bool, EngineSendError> {
        while let Some(data) = groups.poll_transmit() {
            match self.send(data) {
                Ok(()) => groups.transmitted(),
                Err(EngineSendError::Full) => return Ok(true),
                Err(EngineSendError::Lost) => return Ok(false),
                Err(error @ EngineSendError::TooLong { .. }) => return Err(error),
            }
        }
        Ok(false)
    }

    fn unpack(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::One(event) => self.batch.push_back(event),
            Incoming::Batch(events) => self.batch = events,
        }
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
        while self.batch.is_empty() {
            match self.incoming.try_recv() {
                Ok(incoming) => self.unpack(incoming),
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Disconnected) => return self.tell(None),
            }
        }
        let event = self.batch.pop_front();
        self.tell(event)
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
                side.incoming.try_send(EngineEvent::Lost { reason: "it says so".into() }.into()).unwrap();
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
        side.incoming.try_send(message.clone().into()).unwrap();
        assert_eq!(poll(port.news(true)), Poll::Ready(PortNews::Event(message)));
        assert_eq!(poll(port.news(true)), Poll::Ready(PortNews::Writable));
    }

    #[test]
    fn a_batch_comes_one_by_one_whoever_asks() {
        let event = |process| {
            let sender = crate::engine::Process { node: 1, process };
            EngineEvent::Message { sender, data: Bytes::new() }
        };
        let (mut port, side) = engine_port_in_batches(CAPABILITIES, 1, 3);
        side.incoming.try_send(Incoming::Batch([event(1), event(2), event(3)].into())).unwrap();
        side.incoming.try_send(Incoming::Batch([].into())).unwrap();
        side.incoming.try_send(event(4).into()).unwrap();
        drop(side);
        assert_eq!(poll(port.news(true)), Poll::Ready(PortNews::Event(event(1))));
        assert_eq!(port.poll_event(), Some(event(2)));
        assert_eq!(poll(port.event()), Poll::Ready(Some(event(3))));
        assert_eq!(poll(port.event()), Poll::Ready(Some(event(4))));
        assert!(matches!(port.poll_event(), Some(EngineEvent::Lost { .. })));
    }
}
