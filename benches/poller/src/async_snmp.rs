//! async-snmp as its documentation advises for many targets: one shared `UdpTransport`, a client a target, tasks on
//! a runtime of one thread.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, bail};
use async_snmp::{
    Auth, AuthProtocol, Client, EngineCache, MasterKeys, Oid, PrivProtocol, Retry, UdpHandle, UdpTransport, UsmConfig,
    Value, VarBind,
};
use tokio::task::JoinSet;

use crate::limits::{OUTSTANDING, RECEIVE_BUFFER_OCTETS, RETRIES, RUN_LIMIT, TIMEOUT};
use crate::workload::{
    AUTH_PASSWORD, COLUMN, COMMUNITY, ENTRY, Job, Meter, PRIVACY_PASSWORD, REPETITIONS, Rotation, Security, Taken,
    USER, share,
};

/// Sends requests and receives answers.
pub(crate) fn run(job: Job) -> anyhow::Result<Taken> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { tokio::time::timeout(RUN_LIMIT, ask_all(job)).await.context("not done in time")? })
}

/// What the tasks share; a mutex that nobody ever waits for.
struct Shared {
    rotation: Rotation<Client<UdpHandle>>,
    meter: Meter,
}

async fn ask_all(job: Job) -> anyhow::Result<Taken> {
    let transport = UdpTransport::builder().bind("127.0.0.1:0").recv_buffer_size(RECEIVE_BUFFER_OCTETS).build().await?;
    let auth = auth(job.security)?;
    let engines = Arc::new(EngineCache::new());
    let mut clients = Vec::new();
    for address in job.addresses() {
        let client = Client::builder(address, auth.clone())
            .request_timeout(TIMEOUT)
            .retry(Retry::fixed(u32::from(RETRIES), std::time::Duration::ZERO).context("a valid retry")?)
            .strict_source(true)
            .engine_cache(engines.clone());
        clients.push(client.build_with(&transport).await?);
    }
    let mut rotation = Rotation::new(clients);
    let first = rotation.first();
    anyhow::ensure!(first.len() == OUTSTANDING, "too few targets");
    let shared = Arc::new(Mutex::new(Shared { rotation, meter: Meter::new(job.requests) }));
    let mut tasks = JoinSet::new();
    for client in first {
        tasks.spawn(ask(client, shared.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.context("a task panicked")??;
        if shared.lock().unwrap_or_else(PoisonError::into_inner).meter.is_done() {
            break;
        }
    }
    tasks.abort_all();
    shared.lock().unwrap_or_else(PoisonError::into_inner).meter.taken()
}

/// Asks one target after the other until all is counted.
async fn ask(mut client: Client<UdpHandle>, shared: Arc<Mutex<Shared>>) -> anyhow::Result<()> {
    let column = [Oid::new(ENTRY.iter().copied().chain([COLUMN]))];
    loop {
        let answer = client.get_bulk(&column, 0, REPETITIONS).await;
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(varbinds) => shared.meter.answered(sum(&varbinds)?)?,
            Err(error) => shared.meter.failed(error)?,
        }
        shared.meter.check_time(Instant::now())?;
        if shared.meter.is_done() {
            return Ok(());
        }
        client = shared.rotation.after(client);
    }
}

fn auth(security: Security) -> anyhow::Result<Auth> {
    if security == Security::V2c {
        return Ok(Auth::v2c(COMMUNITY));
    }
    let keys = MasterKeys::new(AuthProtocol::Sha256, AUTH_PASSWORD.as_bytes())?;
    let keys = keys.with_privacy(PrivProtocol::Aes128, PRIVACY_PASSWORD.as_bytes())?;
    Ok(UsmConfig::new(USER).with_master_keys(keys)?.into())
}

fn sum(varbinds: &[VarBind]) -> anyhow::Result<u64> {
    let mut sum = 0u64;
    for varbind in varbinds {
        let below = varbind.oid.arcs().strip_prefix(ENTRY).context("another table")?;
        let (&[column, row], Value::Counter64(value)) = (below, &varbind.value) else {
            bail!("not a counter: {varbind:?}");
        };
        sum = sum.wrapping_add(share(column, row, *value));
    }
    Ok(sum)
}
