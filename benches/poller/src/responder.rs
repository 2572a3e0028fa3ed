//! The responder that all contenders ask: one answer, 25 counters, whatever is asked, from the address that was
//! asked, in clear or secured. It runs in a process of its own, and nothing that it spends is counted.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::Context;
use hamsa_node::net::{UdpBatch, UdpOptions};
use hamsa_snmp::ber::Writer;
use hamsa_snmp::engine::Engine;
use hamsa_snmp::pdu::{AnyPdu, Pdu, PduKind};
use hamsa_snmp::{Oid, Value, VarBindBuf};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::children::{end_with_parent, say};
use crate::engine::engine;
use crate::limits::{BUFFER_OCTETS, RECEIVE_BUFFER_OCTETS};
use crate::workload::{Clocks, ENTRY, answer};

/// The first word of the responder's last line, before its answers and its microseconds of processor time.
pub(crate) const SPENT: &str = "SPENT";

/// Answers until the process that has started this one ends.
pub(crate) fn run() -> anyhow::Result<()> {
    let options = UdpOptions { receive_buffer_bytes: RECEIVE_BUFFER_OCTETS, local_addresses: true };
    // Every address of 127.0.0.0/8 is local; what comes from elsewhere, or to elsewhere, is not answered.
    let mut socket = UdpBatch::bind("0.0.0.0:0".parse()?, options)?;
    let agent = Agent::new()?;
    let answered = Arc::new(AtomicU64::new(0));
    let start = Clocks::now()?;
    let counted = answered.clone();
    end_with_parent(move || {
        let cpu_us = Clocks::now().map_or(0, |end| end.cpu_us - start.cpu_us);
        say(&format!("{SPENT} {} {cpu_us}", counted.load(Ordering::Relaxed)));
    });
    say(&format!("READY {}", socket.local_addr()?.port()));
    let mut buffer = vec![0; BUFFER_OCTETS];
    let mut answers: Vec<(SocketAddr, Option<IpAddr>, Vec<u8>)> = Vec::new();
    loop {
        poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE)?;
        let now = Instant::now();
        answers.clear();
        socket.receive(|arrival| {
            let is_local = arrival.from.ip().is_loopback() && arrival.to.is_some_and(|to| to.is_loopback());
            if is_local && let Some(answer) = agent.answer(now, arrival.datagram, &mut buffer) {
                answers.push((arrival.from, arrival.to, answer.to_vec()));
            }
        })?;
        for (to, from, answer) in &answers {
            socket.queue(*to, *from, answer);
        }
        socket.flush();
        answered.fetch_add(answers.len() as u64, Ordering::Relaxed);
    }
}

struct Agent {
    engine: Arc<Engine>,
    varbinds: VarBindBuf,
}

impl Agent {
    fn new() -> anyhow::Result<Self> {
        let engine = engine(*b"answers.")?;
        let mut varbinds = VarBindBuf::new();
        for (column, row, value) in answer() {
            let name = Oid::from_arcs(&[ENTRY, &[column, row]].concat()).context("a valid OID")?;
            varbinds.push(name.as_oid(), Value::Counter64(value));
        }
        Ok(Agent { engine, varbinds })
    }

    /// The answer, or the Report that SNMPv3 owes who does not know the engine yet.
    fn answer<'b>(&self, now: Instant, message: &mut [u8], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        let length = {
            let mut writer = Writer::new(buffer);
            match self.engine.receive(now, message, &mut writer) {
                Ok(received) => {
                    let AnyPdu::Pdu(asked) = received.pdu else { return None };
                    let response = Pdu::new(PduKind::Response, asked.request_id, self.varbinds.as_list());
                    self.engine.respond(now, &received.envelope, &response, &mut writer).ok()?;
                }
                Err(rejected) if rejected.has_report => {}
                Err(_) => return None,
            }
            writer.finish().ok()?.len()
        };
        Some(&buffer[buffer.len() - length..])
    }
}
