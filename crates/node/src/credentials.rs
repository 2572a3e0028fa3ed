//! The configuration's credentials become what the engine knows: communities and users (RFC 3584 §6,
//! RFC 3414 §2.1). The credentials' name is their `securityName`.

use hamsa_snmp::engine::{Community, CommunityTable, Name, NameTooLong};
use hamsa_snmp::message::SecurityLevel;
use hamsa_snmp::usm::{AddUserError, KeyError, UserKey, UsmUser, UsmUsers, password_to_key};

use crate::config::{Credentials, Security, UserAuthentication, UserCredentials};

/// Credentials that the engine can't take.
#[derive(Debug, thiserror::Error)]
#[error("credentials {name}: {source}")]
pub struct CredentialsError {
    /// Which.
    pub name: String,
    /// Why.
    pub source: CredentialsErrorKind,
}

/// What can be wrong with credentials beyond what the configuration's check sees.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum CredentialsErrorKind {
    #[error(transparent)]
    Name(#[from] NameTooLong),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    User(#[from] AddUserError),
}

impl Credentials {
    /// The name under which the engine knows them.
    pub fn security_name(&self) -> Result<Name, CredentialsError> {
        Name::new(&self.name).map_err(|error| self.error(error))
    }

    /// How far messages in their name are secured.
    pub fn level(&self) -> SecurityLevel {
        match &self.security {
            Security::V1(_) | Security::V2c(_) => SecurityLevel::NoAuthNoPriv,
            Security::V3(user) => user.level,
        }
    }

    /// Makes them known. Keys are made from passwords here, which takes milliseconds.
    pub fn install(&self, communities: &CommunityTable, users: &UsmUsers) -> Result<(), CredentialsError> {
        let security_name = self.security_name()?;
        match &self.security {
            Security::V1(community) | Security::V2c(community) => {
                communities.insert(Community::new(community.expose(), security_name));
                Ok(())
            }
            Security::V3(user) => {
                let user = usm_user(security_name, user).map_err(|error| self.error(error))?;
                users.insert(user).map_err(|error| self.error(error))
            }
        }
    }

    fn error(&self, source: impl Into<CredentialsErrorKind>) -> CredentialsError {
        CredentialsError { name: self.name.clone(), source: source.into() }
    }
}

fn usm_user(security_name: Name, user: &UserCredentials) -> Result<UsmUser, KeyError> {
    let UserCredentials { user: user_name, authentication, engine_id, .. } = user;
    let mut known =
        UsmUser { security_name, user_name: user_name.clone(), engine_id: *engine_id, auth: None, privacy: None };
    if let Some(UserAuthentication { protocol, password, privacy }) = authentication {
        let hash = protocol.built_in();
        known.auth = Some((*protocol, UserKey::Master(password_to_key(&*hash, password.expose())?)));
        if let Some(privacy) = privacy {
            let key = password_to_key(&*hash, privacy.password.expose())?;
            known.privacy = Some((privacy.protocol, UserKey::Master(key)));
        }
    }
    Ok(known)
}
