//! Members of groups in processes of their own: what they are told, what they write down, and who judges that.
//!
//! The program `group-member` takes a [`MemberPlan`] as its only argument, in JSON, joins groups over the plan's engine, keeps a
//! state as the simulated users do ([`hamsa_sim::groups`]), and writes each [`hamsa_sim::groups::Record`] as a line of JSON
//! before anybody else can know of it. Each line of its standard input is a [`Command`]; what it says of itself, as a [`Notice`], it prints. It ends
//! with its standard input.
//!
//! Times are those of a clock that all processes of the machine share, so that [`judge`] can put the logs of several members into
//! one order. A process may be killed at any moment: its log ends there, at worst in the middle of a line.

mod log;
mod plan;

pub use log::{Log, judge, machine_time};
pub use plan::{Command, EnginePlan, GroupPlan, Kept, KeptState, MemberPlan, Notice};
