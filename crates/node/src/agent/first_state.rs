//! What modules begin with: what managers have set and is kept in the store, and over it what the configuration says.
//!
//! Rows from the configuration are volatile: a manager may change them until the agent starts again, and a user that
//! the configuration no longer has is gone then. All others stay until a manager removes them.

use std::sync::Arc;
use std::time::Instant;

use hamsa_snmp::agent::mibs::{CommunityMib, SystemMib, UsmMib, VacmMib};
use hamsa_snmp::agent::{Keep, MibModule, StorageType};
use hamsa_snmp::engine::{Community, CommunityTable, EngineId, EngineStats, EngineTime, Name, security_model};
use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::usm::{UserKey, UsmUser, UsmUsers, password_to_key};
use hamsa_snmp::vacm::{AccessEntry, ContextMatch, GroupMember, Vacm, VacmTables, ViewFamily};

use super::{AgentError, name};
use crate::config::agent::{AgentConfig, Rights, UserConfig};
use crate::config::{Privacy, UserAuthentication};

/// The state of SNMP-COMMUNITY-MIB.
pub(super) fn communities(config: &AgentConfig, local: EngineId, kept: Option<&[u8]>) -> Result<Vec<u8>, AgentError> {
    let module = CommunityMib::of(Arc::new(CommunityTable::new()), local);
    if let Some(kept) = kept {
        restore(&module, "SNMP-COMMUNITY-MIB", kept)?;
    }
    for (security_name, community) in &config.communities {
        let name = name(security_name)?;
        let community = Community::new(community.community.expose(), name.clone());
        module
            .put_community(&name, &community, StorageType::Volatile)
            .map_err(|error| AgentError::State { module: "SNMP-COMMUNITY-MIB", reason: error.to_string() })?;
    }
    Ok(module.save(Keep::All))
}

/// Brings SNMPv2-MIB into its first state. What is kept counts more than the configuration.
pub(super) fn system(config: &AgentConfig, module: &SystemMib, kept: Option<&[u8]>) -> Result<(), AgentError> {
    match kept {
        Some(kept) => restore(module, "SNMPv2-MIB", kept),
        None => {
            // The configuration's check has seen to it that they are such texts.
            module.set_texts(&config.contact, &config.name, &config.location);
            Ok(())
        }
    }
}

/// The state of SNMP-USER-BASED-SM-MIB.
pub(super) fn users(config: &AgentConfig, local: EngineId, kept: Option<&[u8]>) -> Result<Vec<u8>, AgentError> {
    let scratch = Arc::new(UsmUsers::new(local, EngineTime { boots: 1, time: 0 }, Instant::now()));
    let module = UsmMib::of(scratch, Arc::new(EngineStats::default()));
    if let Some(kept) = kept {
        restore(&module, "SNMP-USER-BASED-SM-MIB", kept)?;
    }
    for (name, user) in &config.users {
        let user = usm_user(name, user)?;
        module
            .put_user(&user, StorageType::Volatile)
            .map_err(|error| AgentError::State { module: "SNMP-USER-BASED-SM-MIB", reason: error.to_string() })?;
    }
    Ok(module.save(Keep::All))
}

/// The state of SNMP-VIEW-BASED-ACM-MIB.
pub(super) fn rights(config: &AgentConfig, kept: Option<&[u8]>) -> Result<Vec<u8>, AgentError> {
    let module = VacmMib::of(Arc::new(Vacm::default()));
    if let Some(kept) = kept {
        restore(&module, "SNMP-VIEW-BASED-ACM-MIB", kept)?;
    }
    module
        .put(&tables(config)?, StorageType::Volatile)
        .map_err(|error| AgentError::State { module: "SNMP-VIEW-BASED-ACM-MIB", reason: error.to_string() })?;
    Ok(module.save(Keep::All))
}

fn restore(module: &dyn MibModule, name: &'static str, kept: &[u8]) -> Result<(), AgentError> {
    module.restore(kept).map_err(|error| AgentError::State { module: name, reason: format!("what is kept: {error}") })
}

fn usm_user(user: &str, config: &UserConfig) -> Result<UsmUser, AgentError> {
    let failed = |source| AgentError::Key { user: user.to_owned(), source };
    let user_name = config.user.clone();
    let engine_id = config.engine_id;
    let mut known = UsmUser { security_name: user_name.clone(), user_name, engine_id, auth: None, privacy: None };
    if let Some(UserAuthentication { protocol, password, privacy }) = &config.authentication {
        let hash = protocol.built_in();
        known.auth = Some((*protocol, UserKey::Master(password_to_key(&*hash, password.expose()).map_err(failed)?)));
        if let Some(Privacy { protocol, password }) = privacy {
            let key = password_to_key(&*hash, password.expose()).map_err(failed)?;
            known.privacy = Some((*protocol, UserKey::Master(key)));
        }
    }
    Ok(known)
}

/// A group for each user and community, of the same name, with its rights; all views; the default context.
fn tables(config: &AgentConfig) -> Result<VacmTables, AgentError> {
    let mut tables = VacmTables { contexts: vec![Name::default()], ..VacmTables::default() };
    for (view, subtrees) in &config.views {
        let family = |subtree: &hamsa_snmp::Oid, included| {
            Ok::<_, AgentError>(ViewFamily::subtree(name(view)?, subtree.clone(), included))
        };
        for subtree in &subtrees.include {
            tables.families.push(family(subtree, true)?);
        }
        for subtree in &subtrees.exclude {
            tables.families.push(family(subtree, false)?);
        }
    }
    let mut grant = |who: &str, model: u32, level: SecurityLevel, access: Rights, view: &str| {
        let (group, view) = (name(who)?, name(view)?);
        tables.members.push(GroupMember { security_model: model, security_name: group.clone(), group: group.clone() });
        tables.access.push(AccessEntry {
            group,
            context: ContextMatch::Exact(Name::default()),
            security_model: model,
            level,
            read_view: view.clone(),
            write_view: if access == Rights::ReadWrite { view.clone() } else { Name::default() },
            notify_view: view,
        });
        Ok::<_, AgentError>(())
    };
    for (who, community) in &config.communities {
        for version in &community.versions {
            let model = if *version == Version::V1 { security_model::V1 } else { security_model::V2C };
            grant(who, model, SecurityLevel::NoAuthNoPriv, community.access, &community.view)?;
        }
    }
    for (who, user) in &config.users {
        grant(who, security_model::USM, user.level, user.access, &user.view)?;
    }
    Ok(tables)
}
