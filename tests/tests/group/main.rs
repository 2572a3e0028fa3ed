//! Groups of `hamsa node`: on one machine over the embedded engine, and on hosts of their own over Corosync and Zenoh.

mod enterprise;
mod nodes;
mod ring;
