//! Simulated devices, recordings and faults.
