//! The host of the hot-swap kernel: what [`hamsa_swap`] leaves out. Its clock is the system's, its journal a file
//! ([`FileJournal`]), its states are kept in the store ([`StoreRepository`]), [`Permissions`] say who may do what, a
//! [`Catalogue`] has all versions that there are, and one thread does all swaps ([`Attendant`]).
//!
//! Packages from elsewhere are not here: all versions are compiled in.

mod attendant;
mod catalogue;
mod host;
mod journal;
mod permissions;
mod repository;

pub use attendant::Attendant;
pub use catalogue::{Catalogue, UnknownModule, shown};
pub use host::{HostError, HostOptions, Offer, SwapHost};
pub use journal::FileJournal;
pub use permissions::{Asker, Permissions};
pub use repository::StoreRepository;
