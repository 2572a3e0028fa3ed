//! The task that keeps the enterprise: its engine, its directory's file, its pairs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use hamsa_group::enterprise::{EnterpriseEvent, Reading};
use hamsa_group_zenoh::{ZenohEngine, ZenohOptions};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::handle::EnterpriseHandle;
use super::kept::{self, Kept};
use super::{EnterpriseStartError, EnterpriseStatus};
use crate::config::EnterpriseConfig;
use crate::group::{GroupStartError, Link, NodeEngine, PairEngine, Ring, RingOptions};
use crate::limits::{
    DIRECTORY_KEPT_EVERY, ENTERPRISE_LOOK, ENTERPRISE_STOP_PATIENCE, ENTERPRISE_THREADS, GROUP_RECONNECT,
    GROUP_REQUESTS, GROUP_STATE_PATIENCE,
};

/// The directory's file in the data directory.
const FILE_NAME: &str = "enterprise-directory";

/// A node's part in its enterprise, while it runs. It ends when dropped.
#[derive(Debug)]
pub struct EnterpriseRuntime {
    handle: EnterpriseHandle,
    configs: mpsc::Sender<EnterpriseConfig>,
    stop: Option<oneshot::Sender<()>>,
    keeper: Option<JoinHandle<()>>,
    runtime: Option<Runtime>,
}

impl EnterpriseRuntime {
    /// Begins; whether the engine can be had turns out later.
    ///
    /// # Errors
    /// See [`EnterpriseStartError`].
    pub fn start(config: &EnterpriseConfig, data_dir: &Path) -> Result<Self, EnterpriseStartError> {
        let ZenohOptions { enterprise, links, .. } = &config.options;
        let handle = EnterpriseHandle::new(EnterpriseStatus {
            name: enterprise.clone(),
            listens: links.listen.clone(),
            dials: links.dial.clone(),
            error: Some("it has not started yet".into()),
            ..EnterpriseStatus::default()
        });
        let runtime = Builder::new_multi_thread()
            .worker_threads(ENTERPRISE_THREADS)
            .thread_name("enterprise")
            .enable_all()
            .build()?;
        let (configs, new_configs) = mpsc::channel(GROUP_REQUESTS);
        let (stop, stopped) = oneshot::channel();
        let mut keeper = Keeper {
            config: config.clone(),
            path: data_dir.join(FILE_NAME),
            handle: handle.clone(),
            engine: watch::channel(None).0,
            pairs: BTreeMap::new(),
            counted: None,
        };
        let entered = runtime.enter();
        keeper.set_pairs(config)?;
        drop(entered);
        let keeper = runtime.spawn(keeper.run(new_configs, stopped));
        Ok(EnterpriseRuntime { handle, configs, stop: Some(stop), keeper: Some(keeper), runtime: Some(runtime) })
    }

    /// For the rest of the daemon.
    pub fn handle(&self) -> &EnterpriseHandle {
        &self.handle
    }

    /// Takes on another set of pairs and neighbours.
    pub fn apply(&self, config: &EnterpriseConfig) {
        if self.configs.try_send(config.clone()).is_err() {
            tracing::error!("the enterprise takes no new configuration: reload it again");
        }
    }

    /// Ends it, with a good-bye to the others.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for EnterpriseRuntime {
    fn drop(&mut self) {
        // A task that has ended needs not be told.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let (Some(runtime), Some(keeper)) = (self.runtime.take(), self.keeper.take()) else { return };
        match runtime.block_on(async { timeout(ENTERPRISE_STOP_PATIENCE, keeper).await }) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the enterprise's task has ended badly"),
            Err(_) => tracing::error!("the enterprise did not end in time"),
        }
        runtime.shutdown_timeout(ENTERPRISE_STOP_PATIENCE);
    }
}

struct Keeper {
    /// What is in force.
    config: EnterpriseConfig,
    path: PathBuf,
    handle: EnterpriseHandle,
    engine: watch::Sender<Option<Arc<ZenohEngine>>>,
    pairs: BTreeMap<u32, PairTask>,
    /// The directory whose names and conflicts were counted last.
    counted: Option<u64>,
}

/// The groups of a pair, while they run.
struct PairTask {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// What was written last.
struct LastKept {
    digest: u64,
    at: Instant,
}

impl Keeper {
    async fn run(mut self, mut configs: mpsc::Receiver<EnterpriseConfig>, mut stopped: oneshot::Receiver<()>) {
        let kept = self.read_kept().await;
        let engine = tokio::select! {
            engine = self.started(&kept, &mut configs) => Arc::new(engine),
            _ = &mut stopped => return self.end_pairs().await,
        };
        let directory = engine.enterprise();
        for piece in &kept.pieces {
            if let Err(error) = directory.restore(piece) {
                tracing::error!(%error, path = %self.path.display(), "a part of the directory that was kept is lost");
            }
        }
        // The run's beginning must be on the disk before a change of it can be anywhere.
        let mut last = self.keep(&directory).await;
        *self.handle.shared.directory.write().unwrap_or_else(PoisonError::into_inner) = Some(directory.clone());
        self.handle.status_mut().error = None;
        self.engine.send_replace(Some(engine.clone()));
        for node in self.config.neighbours.clone() {
            add_neighbour(&engine, node).await;
        }
        let mut look = interval(ENTERPRISE_LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(config) = configs.recv() => self.apply(&engine, config).await,
                event = directory.event() => tell(&event, &directory),
                _ = look.tick() => {
                    self.look(&engine, &directory).await;
                    if last.digest != directory.digest() && last.at.elapsed() >= DIRECTORY_KEPT_EVERY {
                        last = self.keep(&directory).await;
                    }
                }
                _ = &mut stopped => break,
            }
        }
        self.end_pairs().await;
        if last.digest != directory.digest() {
            self.keep(&directory).await;
        }
        self.engine.send_replace(None);
        match Arc::try_unwrap(engine) {
            Ok(engine) => engine.stop().await,
            // A pair's task was cut off in a call: dropped, it ends too, without waiting.
            Err(engine) => drop(engine),
        }
    }

    async fn read_kept(&self) -> Kept {
        let path = self.path.clone();
        let read = spawn_blocking(move || {
            kept::read(&path).unwrap_or_else(|error| {
                tracing::error!(%error, "the directory that was kept is not used: other nodes give what they know of it");
                match kept::set_aside(&path) {
                    Ok(aside) => tracing::error!(aside = %aside.display(), "it is set aside"),
                    Err(error) => tracing::error!(%error, "it can't be set aside"),
                }
                Kept::default()
            })
        });
        read.await.unwrap_or_default()
    }

    /// An engine, as soon as one can be had.
    async fn started(&mut self, kept: &Kept, configs: &mut mpsc::Receiver<EnterpriseConfig>) -> ZenohEngine {
        let mut pause = GROUP_RECONNECT.0;
        loop {
            let options = ZenohOptions { began_after_ms: kept.began_ms, ..self.config.options.clone() };
            match ZenohEngine::start(options).await {
                Ok(engine) => return engine,
                Err(error) => {
                    let text = error.to_string();
                    if self.handle.status_mut().error.replace(text.clone()).as_ref() != Some(&text) {
                        tracing::error!(%error, "the enterprise's engine does not start");
                    }
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(GROUP_RECONNECT.1);
            while let Ok(config) = configs.try_recv() {
                self.take_on(config);
            }
        }
    }

    async fn apply(&mut self, engine: &ZenohEngine, config: EnterpriseConfig) {
        let old = self.config.clone();
        self.take_on(config);
        for node in old.pairs.union(&old.neighbours) {
            if !self.config.pairs.contains(node) && !self.config.neighbours.contains(node) {
                // It fails only when the engine has ended, and all neighbours with it.
                drop(engine.remove_neighbour(*node).await);
            }
        }
        for node in self.config.neighbours.difference(&old.neighbours) {
            add_neighbour(engine, *node).await;
        }
    }

    /// The pairs and neighbours of a new configuration. All else is read at the start only.
    fn take_on(&mut self, config: EnterpriseConfig) {
        if let Err(error) = self.set_pairs(&config) {
            tracing::error!(%error, "a pair can't be set up: reload the configuration again");
        }
        (self.config.pairs, self.config.neighbours) = (config.pairs, config.neighbours);
    }

    fn set_pairs(&mut self, config: &EnterpriseConfig) -> Result<(), GroupStartError> {
        let shared = self.handle.shared.clone();
        let mut handles = shared.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        self.pairs.retain(|peer, _| {
            let stays = config.pairs.contains(peer);
            if !stays {
                handles.remove(peer);
            }
            stays
        });
        let new: Vec<u32> = config.pairs.iter().copied().filter(|peer| !handles.contains_key(peer)).collect();
        for peer in new {
            let options = RingOptions {
                link: Link::Pair(peer),
                cluster: config.options.enterprise.clone(),
                node: config.options.me.node,
                name: config.options.name.clone(),
                exchange_patience: None,
                alone_after: None,
                groups: Vec::new(),
                state_patience: GROUP_STATE_PATIENCE,
            };
            let engine = PairEngine { engine: self.engine.subscribe(), peer };
            let ring = Ring::new(options, NodeEngine::Pair(engine))?;
            handles.insert(peer, ring.handle().clone());
            let (stop, stopped) = oneshot::channel();
            // Who drops `stop` stops it too.
            let task = tokio::spawn(ring.run(stopped));
            self.pairs.insert(peer, PairTask { stop, task });
        }
        Ok(())
    }

    async fn end_pairs(&mut self) {
        for (_, PairTask { stop, task }) in std::mem::take(&mut self.pairs) {
            drop(stop);
            if let Err(error) = task.await {
                tracing::error!(%error, "the groups of a pair have ended badly");
            }
        }
    }

    /// What people are told is brought up to date.
    async fn look(&mut self, engine: &ZenohEngine, directory: &hamsa_group_zenoh::EnterpriseHandle) {
        let pairs = engine.pairs().await;
        let digest = directory.digest();
        let counted = (self.counted != Some(digest)).then(|| {
            let names = directory.names("");
            (names.len(), names.iter().filter(|name| directory.read(name).is_conflict()).count())
        });
        self.counted = Some(digest);
        let mut status = self.handle.status_mut();
        status.problem = engine.problem().map(|problem| problem.to_string());
        status.pairs = pairs;
        (status.names, status.conflicts) = counted.unwrap_or((status.names, status.conflicts));
    }

    /// Writes the directory to its file. One that can't be written is tried again.
    async fn keep(&self, directory: &hamsa_group_zenoh::EnterpriseHandle) -> LastKept {
        let (path, source) = (self.path.clone(), directory.clone());
        let written = spawn_blocking(move || {
            let digest = source.digest();
            let kept = Kept { began_ms: source.run().began_ms, pieces: source.export() };
            match kept::write(&path, &kept) {
                Ok(()) => digest,
                Err(error) => {
                    tracing::error!(%error, "the directory can't be kept");
                    !digest
                }
            }
        });
        LastKept { digest: written.await.unwrap_or_default(), at: Instant::now() }
    }
}

async fn add_neighbour(engine: &ZenohEngine, node: u32) {
    if let Err(error) = engine.add_neighbour(node).await {
        tracing::error!(node, %error, "a neighbour is not told of the enterprise");
    }
}

fn tell(event: &EnterpriseEvent, directory: &hamsa_group_zenoh::EnterpriseHandle) {
    match event {
        EnterpriseEvent::Came(node) => tracing::info!(node, "a node of the enterprise is there"),
        EnterpriseEvent::Went(node) => tracing::warn!(node, "a node of the enterprise is away"),
        EnterpriseEvent::Changed(name) => tracing::debug!(name, "a name of the directory has changed"),
        EnterpriseEvent::Conflict(name) => {
            let Reading { values, .. } = directory.read(name);
            tracing::warn!(
                name,
                values = values.len(),
                "a name of the directory was changed at two places at once: all values are kept until it is set again"
            );
        }
        EnterpriseEvent::Resolved(name) => tracing::info!(name, "a name of the directory has one value again"),
        EnterpriseEvent::Dropped(name) => {
            tracing::error!(name, "a name of the directory had too many concurrent values: the oldest are dropped");
        }
        EnterpriseEvent::Refused(name) => tracing::error!(name, "the directory has no room for a name of another node"),
        EnterpriseEvent::Overrun => tracing::info!(
            "much has changed in the enterprise at once, or was read from its file: the log does not tell each"
        ),
    }
}
