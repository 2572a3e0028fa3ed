//! `hamsa node`s of one machine with groups over the embedded engine. The engines themselves are tried by the contract of
//! all engines (`tests/group-member`).

mod nodes;
