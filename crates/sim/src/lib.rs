//! Simulated devices, recordings and faults.

pub mod clock;
pub mod device;
mod hold;
pub mod limits;
pub mod noise;
pub mod recording;
