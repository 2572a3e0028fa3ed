//! Samples, events and state on an embedded engine.
