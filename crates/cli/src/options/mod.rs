//! Options that several commands share. Letters are net-snmp's where it has one for the same thing.

mod address;
mod credentials;
mod mib;
mod output;
mod specific;

pub use address::{AgentAddress, SNMP_PORT, TRAP_PORT};
pub use credentials::{
    ConfigOptions, CredentialOptions, SecretArg, Target, TargetOptions, TimingOptions, load_config, parse_timeout,
    secret,
};
pub use mib::{LazyMib, MibOptions};
pub use output::{Layout, LineFormat, NameStyle, OutputOptions, Separator, StringStyle, ValueOptions};
pub use specific::{WalkLetters, parse_bulk_letters, parse_walk_letters};
