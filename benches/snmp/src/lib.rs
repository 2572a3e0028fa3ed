//! One response, encoded, decoded, secured and opened by ours and by other people's code. `benches/README.md` says
//! what is compared and what is not. Here are the contenders; the programs beside measure them.

pub mod community;
pub mod secured;
pub mod workload;
