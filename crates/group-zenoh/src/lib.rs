//! Groups of two members over a wide area, and the enterprise, on Zenoh: one session for hundreds of pairs.
//!
//! Zenoh only carries datagrams here, each key of its own direction, with congestion control that drops: reliability,
//! order and membership are [`hamsa_group::pair`]'s, presence and the directory [`hamsa_group::enterprise`]'s. So a peer
//! that does not read delays nobody. Sites dial, hubs listen, a second hub does both; all show certificates, over TLS of
//! our own (`tunnel/`).
//!
//! Without the feature `zenoh` there are the options, their checks and errors, and no engine.
//! It leaves out: which node may write to whom (whoever has a certificate of the authority is trusted), and links that
//! go through Zenoh routers.

#[cfg(feature = "zenoh")]
mod config;
#[cfg(feature = "zenoh")]
mod engine;
#[cfg(feature = "zenoh")]
mod enterprise;
#[cfg(feature = "zenoh")]
mod inbox;
pub mod limits;
mod options;
#[cfg(feature = "zenoh")]
mod pairs;
mod tls;
#[cfg(feature = "zenoh")]
mod tunnel;

#[cfg(feature = "zenoh")]
pub use engine::{NeighbourError, StartError, UsePairError, ZenohEngine};
#[cfg(feature = "zenoh")]
pub use enterprise::EnterpriseHandle;
pub use options::{Links, OptionsError, Protection, ZenohOptions, is_endpoint};
pub use tls::{DialProblem, TlsFiles, TlsFilesError};
#[cfg(feature = "zenoh")]
pub use tunnel::TunnelError;
