//! Everything that `/metrics` tells, read at one moment.

use std::sync::Arc;

use hamsa_store::Stats as StoreStats;

use super::process::{ProcessFigures, udp_drops};
use crate::enterprise::{EnterpriseHandle, EnterpriseStatus};
use crate::fleet::DeviceState;
use crate::group::{GroupsHandle, GroupsStatus};
use crate::http::HttpStats;
use crate::io_loop::LoopStats;
use crate::state::NodeState;

/// A device at that moment.
pub(crate) struct DeviceSnapshot {
    /// Its labels, `device` and `address` first, then the operator's.
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) state: DeviceState,
    pub(crate) last_poll_ms: Option<i64>,
    pub(crate) last_stored_ms: Option<i64>,
    pub(crate) poll_duration_ms: u64,
    pub(crate) rtt_us: Option<u64>,
    pub(crate) retransmissions: u32,
    pub(crate) series: usize,
    pub(crate) restarts: u32,
}

/// The node at a moment.
pub(crate) struct Snapshot {
    pub(crate) node: Arc<NodeState>,
    pub(crate) http: Arc<HttpStats>,
    pub(crate) snmp: LoopStats,
    pub(crate) devices: Vec<DeviceSnapshot>,
    /// `None` where the store does not answer.
    pub(crate) store: Option<StoreStats>,
    pub(crate) process: Option<ProcessFigures>,
    /// Of its cluster and of each pair.
    pub(crate) groups: Vec<GroupsStatus>,
    /// `None` where the node is in no enterprise.
    pub(crate) enterprise: Option<EnterpriseStatus>,
    /// Datagrams dropped by the kernel, at the sockets for polls and at those for traps.
    pub(crate) udp_drops: (u64, u64),
}

impl Snapshot {
    /// Reads everything; looks at files.
    pub(crate) fn take(node: Arc<NodeState>, http: Arc<HttpStats>) -> Self {
        let trap_ports: Vec<u16> = node.trap_addresses.iter().map(|address| address.port()).collect();
        let store = node.store.stats().inspect_err(|error| tracing::warn!(%error, "the store's state can't be read"));
        let pairs: Vec<GroupsHandle> = node.enterprise.iter().flat_map(EnterpriseHandle::pair_groups).collect();
        Snapshot {
            snmp: node.snmp.stats(),
            devices: devices(&node),
            store: store.ok(),
            process: ProcessFigures::read(),
            groups: node.groups.iter().chain(&pairs).map(GroupsHandle::status).collect(),
            enterprise: node.enterprise.as_ref().map(EnterpriseHandle::status),
            udp_drops: udp_drops(&trap_ports),
            node,
            http,
        }
    }

    /// How many devices are in some state.
    pub(crate) fn devices_in(&self, state: DeviceState) -> usize {
        self.devices.iter().filter(|device| device.state == state).count()
    }
}

fn devices(node: &NodeState) -> Vec<DeviceSnapshot> {
    let snapshot = |device: Arc<crate::fleet::DeviceEntry>| {
        let mut labels =
            vec![("device".to_owned(), device.name.clone()), ("address".to_owned(), device.address.to_string())];
        let own = device.labels.iter().filter(|(name, _)| !matches!(name.as_str(), "device" | "address"));
        labels.extend(own.map(|(name, value)| (name.clone(), value.clone())));
        let status = device.lock();
        DeviceSnapshot {
            labels,
            state: status.state,
            last_poll_ms: status.last_poll_ms,
            last_stored_ms: status.last_stored_ms,
            poll_duration_ms: status.poll_duration_ms,
            rtt_us: status.rtt_us,
            retransmissions: status.retransmissions,
            series: status.series,
            restarts: status.restarts,
        }
    };
    node.fleet.all().into_iter().map(snapshot).collect()
}
