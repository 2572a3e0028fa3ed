//! A master's state as the packets that lead to it: each with its connection, in the byte order of its session. So
//! sessions go over to another version of the master, and the format is the protocol's own.

use std::time::Instant;

use super::codec::{ByteOrder, DecodeError};
use super::master::{Master, Session};
use super::packet::{Body, HEADER_OCTETS, Header, Packet, frame_octets};
use crate::limits::{MAX_AGENTX_CAPABILITIES, MAX_AGENTX_INDEXES, MAX_AGENTX_SESSIONS, MAX_MODULE_SUBTREES};

/// Octets are no state of a master.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum RestoreError {
    #[error("the state ends within a packet")]
    Truncated,
    #[error("the state: {0}")]
    Packet(#[from] DecodeError),
    #[error("the state has a packet that makes no state")]
    OtherPacket,
    #[error("the state has a packet of session {0}, which is not there")]
    Session(u32),
    #[error("the state has more of something than there may be")]
    TooMuch,
}

impl Master {
    /// All that there is to know of the sessions.
    pub fn save(&self) -> Vec<u8> {
        let mut octets = self.last_session.to_be_bytes().to_vec();
        let mut put = |connection: u64, packet: Packet| {
            octets.extend(connection.to_be_bytes());
            octets.extend(packet.encode());
        };
        for (&id, session) in &self.sessions {
            let Session { connection, order, timeout_s, .. } = *session;
            let header = Header { order, session: id, transaction: 0, packet: 0 };
            let mut put = |body| put(connection, Packet::new(header, body));
            put(Body::Open { timeout_s, id: session.id.clone(), description: session.description.clone() });
            for registration in &session.registrations {
                put(Body::Register(registration.clone()));
            }
            for (id, description) in &session.capabilities {
                put(Body::AddAgentCaps { id: id.clone(), description: description.clone() });
            }
        }
        for (session, variable) in self.indexes.all() {
            let header = Header { order: ByteOrder::Network, session: session.unwrap_or(0), transaction: 0, packet: 0 };
            let body = Body::IndexAllocate { is_new: false, is_any: false, variables: vec![variable] };
            put(0, Packet::new(header, body));
        }
        octets
    }

    /// The master that saved this. `started` is when `sysUpTime` was zero.
    ///
    /// # Errors
    /// See [`RestoreError`].
    pub fn restore(started: Instant, state: &[u8]) -> Result<Self, RestoreError> {
        let mut master = Master::new(started);
        let (last_session, mut rest) = state.split_first_chunk().ok_or(RestoreError::Truncated)?;
        master.last_session = u32::from_be_bytes(*last_session);
        let (mut subtrees, mut capabilities, mut indexes) = (0, 0, 0);
        while !rest.is_empty() {
            let (connection, behind) = rest.split_first_chunk().ok_or(RestoreError::Truncated)?;
            let header = behind.first_chunk::<HEADER_OCTETS>().ok_or(RestoreError::Truncated)?;
            let (packet, behind) = behind.split_at_checked(frame_octets(header)?).ok_or(RestoreError::Truncated)?;
            rest = behind;
            let Packet { header, body, .. } = Packet::decode(packet)?;
            let id = header.session;
            let session = master.sessions.get_mut(&id).ok_or(RestoreError::Session(id));
            match body {
                Body::Open { timeout_s, id: object, description } => {
                    let session =
                        Session::new(u64::from_be_bytes(*connection), header.order, timeout_s, object, description);
                    master.sessions.insert(id, session);
                }
                Body::Register(registration) => {
                    session?;
                    let each = registration.subtrees().map_err(|_| RestoreError::TooMuch)?;
                    subtrees += each.len();
                    master.claim(id, registration, each);
                }
                Body::AddAgentCaps { id, description } => {
                    capabilities += 1;
                    session?.capabilities.push((id, description));
                }
                Body::IndexAllocate { variables, .. } => {
                    if id != 0 {
                        session?;
                    }
                    indexes += variables.len();
                    variables.into_iter().for_each(|variable| master.indexes.put((id != 0).then_some(id), variable));
                }
                _ => return Err(RestoreError::OtherPacket),
            }
            let is_too_much = master.sessions.len() > MAX_AGENTX_SESSIONS
                || subtrees > MAX_MODULE_SUBTREES
                || capabilities > MAX_AGENTX_CAPABILITIES
                || indexes > MAX_AGENTX_INDEXES;
            if is_too_much {
                return Err(RestoreError::TooMuch);
            }
        }
        master.cut();
        Ok(master)
    }
}
