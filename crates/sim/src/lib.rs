//! Simulated devices, recordings and faults.

pub mod clock;
mod hold;
pub mod limits;
pub mod noise;
pub mod recording;
