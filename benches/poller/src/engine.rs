//! Engines of ours for the responder and for the contenders that are ours.

use std::sync::Arc;
use std::time::Instant;

use hamsa_bench_rounds::Principal;
use hamsa_snmp::engine::{Engine, EngineId, EngineTime, Name};

use crate::workload::{AUTH_PASSWORD, COMMUNITY, PRIVACY_PASSWORD, USER};

const PRINCIPAL: Principal<'_> =
    Principal { name: USER, community: COMMUNITY, auth_password: AUTH_PASSWORD, priv_password: PRIVACY_PASSWORD };

/// The name of all credentials.
pub(crate) fn security_name() -> anyhow::Result<Name> {
    Ok(Name::new(PRINCIPAL.name)?)
}

/// An engine that knows the community and the user, and has just booted.
pub(crate) fn engine(id: [u8; 8]) -> anyhow::Result<Arc<Engine>> {
    let time = EngineTime { boots: 1, time: 0 };
    let engine = PRINCIPAL.engine(EngineId::assigned(32_473, id), time, Instant::now());
    Ok(Arc::new(engine.map_err(anyhow::Error::from_boxed)?))
}
