//! Agents that lie about their objects: instrumentation between the true one and the command responder.

use std::sync::Arc;
use std::time::Instant;

use hamsa_snmp::agent::{Instrumentation, Requester, SetError};
use hamsa_snmp::pdu::ErrorStatus;
use hamsa_snmp::value::tag;
use hamsa_snmp::{Oid, OidRef, Value, VarBind, VarBindBuf, VarBindList};

use crate::fault::{Fault, Faults};
use crate::noise;

/// One variable in so many has a successor that does not increase.
const NOT_INCREASING_ONE_IN: u64 = 8;
/// An endless table's names grow to so many sub-identifiers, then count up in the last: below whatever
/// subtree is walked they are inside it.
const ENDLESS_ARCS: usize = 40;

/// Tells lies about what the true instrumentation says.
struct Lying {
    truth: Arc<dyn Instrumentation>,
    lie: Fault,
    seed: u64,
}

/// The instrumentation that these faults make of the true one.
pub(crate) fn tell(truth: Arc<dyn Instrumentation>, faults: &Faults, seed: u64) -> Arc<dyn Instrumentation> {
    let lies = faults.iter().filter(|fault| {
        matches!(
            fault,
            Fault::NotIncreasing | Fault::Endless | Fault::WrongTypes | Fault::GenErr(_) | Fault::NoSuchName
        )
    });
    lies.fold(truth, |truth, lie| Arc::new(Lying { truth, lie: lie.clone(), seed }))
}

impl Lying {
    /// Turns the true variable into the lie.
    fn twist(&self, varbind: VarBind<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus> {
        if varbind.value.is_exception() {
            to.push(varbind.name, varbind.value);
            return Ok(());
        }
        match &self.lie {
            Fault::GenErr(instance) if instance.as_oid() == varbind.name => return Err(ErrorStatus::GEN_ERR),
            Fault::NoSuchName if last_arc(varbind.name) % 2 == 1 => return Err(ErrorStatus::NO_SUCH_NAME),
            Fault::WrongTypes => to.push(varbind.name, wrong_type(varbind.value)),
            _ => to.push(varbind.name, varbind.value),
        }
        Ok(())
    }
}

impl Instrumentation for Lying {
    fn get(&self, now: Instant, name: OidRef<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus> {
        let mut truth = VarBindBuf::new();
        self.truth.get(now, name, &mut truth)?;
        truth.iter().try_for_each(|varbind| self.twist(varbind, to))
    }

    fn get_next(&self, now: Instant, after: OidRef<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus> {
        match self.lie {
            Fault::Endless => {
                to.push(endless(after).as_oid(), Value::Gauge32(last_arc(after)));
                return Ok(());
            }
            Fault::NotIncreasing if hash(self.seed, after).is_multiple_of(NOT_INCREASING_ONE_IN) => {
                to.push(after, Value::Integer(0));
                return Ok(());
            }
            _ => {}
        }
        let mut truth = VarBindBuf::new();
        self.truth.get_next(now, after, &mut truth)?;
        truth.iter().try_for_each(|varbind| self.twist(varbind, to))
    }

    fn set(&self, now: Instant, requester: Requester<'_>, varbinds: VarBindList<'_>) -> Result<(), SetError> {
        self.truth.set(now, requester, varbinds)
    }
}

fn endless(after: OidRef<'_>) -> Oid {
    if after.arc_count() < ENDLESS_ARCS {
        return after.to_owned().child(1).expect("below 128 sub-identifiers");
    }
    let mut arcs: Vec<u32> = after.arcs().collect();
    if let Some(last) = arcs.last_mut() {
        *last = last.wrapping_add(1);
    }
    Oid::from_arcs(&arcs).unwrap_or_else(|_| after.to_owned())
}

fn wrong_type(value: Value<'_>) -> Value<'_> {
    match value {
        Value::OctetString(octets) => Value::Integer(octets.len() as i32),
        Value::Integer(_) => Value::OctetString(b"not a number"),
        Value::Counter32(_) | Value::Gauge32(_) => Value::IpAddress([192, 0, 2, 1].into()),
        Value::Counter64(_) => Value::Null,
        Value::TimeTicks(_) => Value::Invalid { tag: 0x4f, content: &[1, 2, 3] },
        // A number that is longer than any: the tag is fine, the contents are not.
        _ => Value::Invalid { tag: tag::COUNTER64, content: &[1; 12] },
    }
}

fn last_arc(name: OidRef<'_>) -> u32 {
    name.arcs().last().unwrap_or(0)
}

fn hash(seed: u64, name: OidRef<'_>) -> u64 {
    name.arcs().fold(seed, |hash, arc| noise::at(hash, arc.into()))
}
