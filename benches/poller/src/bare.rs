//! The floor: the same datagrams with the same system calls, and no SNMP. Each answer is answered with the same
//! request, whose octets are made once; nothing is parsed, matched, timed or checked.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hamsa_bench_rounds::wait_for_datagram;
use hamsa_node::net::{UdpBatch, UdpOptions};
use hamsa_snmp::ber::Writer;
use hamsa_snmp::message::{CommunityMessage, Version};
use hamsa_snmp::pdu::{AnyPdu, Bulk, Pdu};
use hamsa_snmp::{Oid, VarBindBuf};

use crate::limits::{BUFFER_OCTETS, OUTSTANDING, RECEIVE_BUFFER_OCTETS, TIMEOUT};
use crate::workload::{COLUMN, COMMUNITY, ENTRY, Job, Meter, REPETITIONS, Rotation, Taken, sum_of_answer};

/// Sends requests and receives answers.
pub(crate) fn run(job: Job) -> anyhow::Result<Taken> {
    let options = UdpOptions { receive_buffer_bytes: RECEIVE_BUFFER_OCTETS, local_addresses: false };
    let mut socket = UdpBatch::bind("127.0.0.1:0".parse()?, options)?;
    let request = request()?;
    let mut rotation = Rotation::new(job.addresses());
    let mut meter = Meter::new(job.requests);
    let mut answered: Vec<SocketAddr> = rotation.first();
    let mut last_heard = Instant::now();
    while !meter.is_done() {
        for address in answered.drain(..) {
            socket.queue(rotation.after(address), None, &request);
        }
        socket.flush();
        let now = Instant::now();
        meter.check_time(now)?;
        wait_for_datagram(&socket, Some(now + Duration::from_millis(100)), now)?;
        socket.receive(|arrival| answered.push(arrival.from))?;
        for _ in &answered {
            // Nobody has looked: what it holds is known.
            meter.answered(sum_of_answer(false))?;
        }
        if !answered.is_empty() {
            last_heard = now;
        } else if now.saturating_duration_since(last_heard) > TIMEOUT {
            // All were lost: which, nobody knows.
            meter.failed("nothing comes any more")?;
            answered = job.addresses().take(OUTSTANDING).collect();
            last_heard = now;
        }
    }
    meter.taken()
}

fn request() -> anyhow::Result<Vec<u8>> {
    let column = Oid::from_arcs(&[ENTRY, &[COLUMN]].concat())?;
    let varbinds = VarBindBuf::of_names([column.as_oid()]);
    let bulk = Bulk { non_repeaters: 0, max_repetitions: REPETITIONS };
    let pdu = AnyPdu::Pdu(Pdu::get_bulk(0x1234_5678, bulk, varbinds.as_list()));
    let mut buffer = vec![0; BUFFER_OCTETS];
    let mut writer = Writer::new(&mut buffer);
    CommunityMessage { version: Version::V2c, community: COMMUNITY.as_bytes(), pdu }.encode(&mut writer);
    Ok(writer.finish()?.to_vec())
}
