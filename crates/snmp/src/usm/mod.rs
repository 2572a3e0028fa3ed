//! The user-based security model (RFC 3414).
//!
//! [`keys`] turns passwords into keys, [`auth`] authenticates messages, [`privacy`] encrypts scoped PDUs;
//! [`UsmUsers`] knows users, their keys for each engine and the engines' clocks; [`Usm`] puts it together.
//! The protocols are stateless trait objects that take plain octets, so that each can be replaced while
//! the engine runs. Salts, engine boots and engine time are arguments: keeping them unique and current is
//! the business of whoever calls.

pub mod auth;
mod clock;
pub mod keys;
mod model;
pub mod privacy;
mod users;

pub use auth::{AuthProtocol, AuthProtocolId, Mac};
pub use keys::{Key, KeyError, change_key, localize, password_to_key};
pub use model::{SaltSource, Usm};
pub use privacy::{DecryptInput, EncryptInput, PRIVACY_PARAMETERS_OCTETS, PrivError, PrivProtocol, PrivProtocolId};
pub use users::{AddUserError, UserKey, UsmUser, UsmUsers};

/// A protocol name that is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownProtocol {
    /// Not an authentication protocol.
    #[error(
        "unknown authentication protocol {0:?}: use one of {known}",
        known = AuthProtocolId::ALL.map(AuthProtocolId::name).join(", ")
    )]
    Auth(String),
    /// Not a privacy protocol.
    #[error(
        "unknown privacy protocol {0:?}: use one of {known}",
        known = PrivProtocolId::ALL.map(PrivProtocolId::name).join(", ")
    )]
    Privacy(String),
}

/// A typed name in capitals and without hyphens: people write `sha256`, `SHA-256`, `AES192C` and `AES-192-C`.
fn folded(name: &str) -> String {
    name.chars().filter(|&c| c != '-').map(|c| c.to_ascii_uppercase()).collect()
}

#[cfg(test)]
fn from_hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}
