//! The agent's side of SNMP: the command responder (RFC 3413 §3.2) over some instrumentation, and MIB modules.
//!
//! What an agent instruments is behind [`Instrumentation`]; who may see it is access control's. Both are
//! trait objects, as every other part of the engine is. [`MibView`] is an instrumentation made of [`MibModule`]s that
//! can be exchanged while requests run; [`Tabular`] is a module made of scalars and tables, by a [`Scheme`] and some
//! [`Rules`]; [`mibs`] are those of SNMP itself.

mod forwarder;
mod index;
pub mod mibs;
mod module;
mod originator;
mod outbox;
mod peers;
mod responder;
mod row_status;
pub mod scheme;
pub(crate) mod segments;
mod state;
mod tabular;
mod view;

pub use forwarder::{Answer, Forwarded, Forwardings, ProxyForwarder, ProxyTables, Way};
pub use index::{IndexValue, RowKey};
pub use module::{MibModule, SearchRange, SetBinding, SetId, SetRequest};
pub use originator::{InformOutcome, NotificationOriginator, NotificationTables, Notifications, Notified};
pub use responder::{CommandResponder, Instrumentation, Requester, SetError};
pub use row_status::{Refused, RowStatus, StorageType};
pub use scheme::Scheme;
pub use state::{Keep, MibState, Row, Rows, StateError};
pub use tabular::{PutRowError, RowChange, Rules, Tabular};
pub use view::{MibView, ModuleId, RegisterError};
