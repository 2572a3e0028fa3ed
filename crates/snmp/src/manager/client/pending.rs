//! A request under way, as the manager keeps it.

use std::time::Instant;

use smallvec::SmallVec;

use crate::ber::Reader;
use crate::engine::EngineId;
use crate::manager::request::{Problem, RequestKind};
use crate::message::{CommunityParts, V3Message};
use crate::pdu::{Pdu, PduKind};
use crate::varbind::VarBindBuf;

pub(super) struct Attempt {
    pub(super) id: i32,
    pub(super) sent: Instant,
}

pub(super) struct Request {
    pub(super) target: u32,
    pub(super) serial: u32,
    pub(super) token: u64,
    pub(super) kind: RequestKind,
    pub(super) varbinds: VarBindBuf,
    pub(super) is_discovery: bool,
    /// Whether it may be sent: it counts as outstanding, unless it is a discovery.
    pub(super) is_released: bool,
    pub(super) attempts: SmallVec<[Attempt; 2]>,
    pub(super) tries: u8,
    pub(super) synchronisations: u8,
    /// When to stop waiting; the timer that names another time is stale.
    pub(super) deadline: Option<Instant>,
    pub(super) asked: EngineId,
    pub(super) last_problem: Option<Problem>,
}

impl Request {
    pub(super) fn new(target: u32, token: u64, kind: RequestKind, varbinds: VarBindBuf) -> Self {
        Request {
            target,
            serial: 0,
            token,
            kind,
            varbinds,
            is_discovery: false,
            is_released: false,
            attempts: SmallVec::new(),
            tries: 0,
            synchronisations: 0,
            deadline: None,
            asked: EngineId::EMPTY,
            last_problem: None,
        }
    }

    pub(super) fn pdu(&self, id: i32) -> Pdu<'_> {
        let varbinds = self.varbinds.as_list();
        match self.kind {
            RequestKind::Get => Pdu::new(PduKind::GetRequest, id, varbinds),
            RequestKind::GetNext => Pdu::new(PduKind::GetNextRequest, id, varbinds),
            RequestKind::GetBulk(bulk) => Pdu::get_bulk(id, bulk, varbinds),
            RequestKind::Set => Pdu::new(PduKind::SetRequest, id, varbinds),
            RequestKind::Inform => Pdu::new(PduKind::InformRequest, id, varbinds),
        }
    }
}

/// The identifier that a message claims to answer, as far as it can be read without security.
pub(super) fn peek_id(message: &[u8]) -> Option<i32> {
    if let Ok(message) = V3Message::parse(message) {
        return Some(message.header.msg_id);
    }
    let parts = CommunityParts::parse(message).ok()?;
    let (_, mut pdu) = Reader::within(message, parts.pdu.start, parts.pdu.end).tlv().ok()?;
    pdu.integer().ok()
}
