//! From the profiles of a device to what the poller asks it. A full plan reads everything a profile names; a
//! lean one only what moves and what the device was seen to have. Devices that are alike share their plan.

use std::collections::HashMap;
use std::sync::Arc;

use hamsa_snmp::Oid;
use hamsa_snmp::manager::{PollPlan, WalkOptions};

use super::{Profile, ProfileObject, ValueKind};
use crate::limits::MAX_TABLE_ROWS;

/// `sysUpTime` (RFC 3418), which dates every response.
const SYS_UPTIME: [u32; 8] = [1, 3, 6, 1, 2, 1, 1, 3];
/// `sysObjectID.0`.
const SYS_OBJECT_ID_0: [u32; 9] = [1, 3, 6, 1, 2, 1, 1, 2, 0];

/// What the value of a scalar is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScalarRole {
    /// Only the node's own bookkeeping needs it.
    Internal,
    /// It describes the device: an index into the facts of this profile.
    Fact(usize, usize),
    /// It is recorded: an index into the scalars of this profile.
    Value(usize, usize),
}

/// Columns of a table that are read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PlanTable {
    /// Index of the profile.
    pub profile: usize,
    /// Index of its table.
    pub table: usize,
    /// Indexes of the columns, in the order of the poller's.
    pub columns: Vec<usize>,
}

/// What is read from a device, and what for.
#[derive(Debug)]
pub struct DevicePlan {
    /// What the poller does.
    pub poll: Arc<PollPlan>,
    /// Whose profiles.
    pub profiles: Vec<Arc<Profile>>,
    /// What each scalar of the poll is for.
    pub scalars: Vec<ScalarRole>,
    /// What each table of the poll is.
    pub tables: Vec<PlanTable>,
    /// Whether names and facts are read too.
    pub is_full: bool,
    /// Which scalar is sysUpTime.
    pub uptime: Option<usize>,
    /// Which scalar is sysObjectID.
    pub sys_object_id: Option<usize>,
}

impl DevicePlan {
    /// The object of a scalar, if a profile asks for it.
    pub fn scalar_object(&self, index: usize) -> Option<&ProfileObject> {
        match self.scalars[index] {
            ScalarRole::Internal => None,
            ScalarRole::Fact(profile, fact) => self.profiles[profile].facts.get(fact),
            ScalarRole::Value(profile, value) => self.profiles[profile].scalars.get(value),
        }
    }
}

/// What to read of the tables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PlanChoice {
    /// Only who the device is.
    Identify,
    /// Everything.
    Full,
    /// These columns, and no facts.
    Lean(Vec<PlanTable>),
}

/// Makes plans, each only once.
#[derive(Debug, Default)]
pub struct Planner {
    plans: HashMap<PlanKey, Arc<DevicePlan>>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct PlanKey {
    profiles: Vec<String>,
    choice: PlanChoice,
    max_repetitions: u16,
    max_response_octets: u32,
}

impl Planner {
    /// A planner.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets every plan: profiles have changed.
    pub fn clear(&mut self) {
        self.plans.clear();
    }

    /// The plan for a device.
    pub fn plan(&mut self, profiles: &[Arc<Profile>], choice: PlanChoice, walk: WalkOptions) -> Arc<DevicePlan> {
        let key = PlanKey {
            profiles: profiles.iter().map(|profile| profile.name.clone()).collect(),
            choice,
            max_repetitions: walk.max_repetitions,
            max_response_octets: walk.max_response_octets,
        };
        if let Some(plan) = self.plans.get(&key) {
            return plan.clone();
        }
        self.plans.retain(|_, plan| Arc::strong_count(plan) > 1);
        let plan = Arc::new(make(profiles, &key.choice, walk));
        self.plans.insert(key, plan.clone());
        plan
    }
}

fn make(profiles: &[Arc<Profile>], choice: &PlanChoice, walk: WalkOptions) -> DevicePlan {
    let profiles = if *choice == PlanChoice::Identify { &[] } else { profiles };
    let is_full = *choice == PlanChoice::Full;
    let mut scalars = Scalars::default();
    let sys_uptime = Oid::from_arcs(&SYS_UPTIME).expect("a constant");
    let uptime = scalars.add(sys_uptime.child(0).expect("a constant"), ScalarRole::Internal);
    let sys_object_id = (!matches!(choice, PlanChoice::Lean(_)))
        .then(|| scalars.add(Oid::from_arcs(&SYS_OBJECT_ID_0).expect("a constant"), ScalarRole::Internal));
    for (p, profile) in profiles.iter().enumerate() {
        for (i, object) in profile.scalars.iter().enumerate() {
            scalars.add(object.oid.clone(), ScalarRole::Value(p, i));
        }
        for (i, object) in profile.facts.iter().enumerate().filter(|_| is_full) {
            scalars.add(object.oid.clone(), ScalarRole::Fact(p, i));
        }
    }
    let tables = match choice {
        PlanChoice::Lean(tables) => tables.clone(),
        _ => all_tables(profiles),
    };
    let oids = |plan: &PlanTable| {
        let table = &profiles[plan.profile].tables[plan.table];
        plan.columns.iter().map(|&column| table.columns[column].oid.clone()).collect()
    };
    let poll = PollPlan {
        scalars: scalars.names,
        tables: tables.iter().map(oids).collect(),
        dated_by: Some(sys_uptime),
        // A row has a variable in each column, and all are held until the table is read.
        walk: WalkOptions { max_rows: walk.max_rows.min(MAX_TABLE_ROWS), ..walk },
        scalars_per_request: 0,
    };
    DevicePlan {
        poll: Arc::new(poll),
        profiles: profiles.to_vec(),
        scalars: scalars.roles,
        tables,
        is_full,
        uptime: Some(uptime),
        sys_object_id,
    }
}

fn all_tables(profiles: &[Arc<Profile>]) -> Vec<PlanTable> {
    let of_profile = |(p, profile): (usize, &Arc<Profile>)| {
        let tables = profile.tables.iter().enumerate();
        tables
            .map(|(t, table)| PlanTable { profile: p, table: t, columns: (0..table.columns.len()).collect() })
            .collect::<Vec<_>>()
    };
    profiles.iter().enumerate().flat_map(of_profile).collect()
}

/// The scalars of a plan, each once. A role that says more replaces one that says less.
#[derive(Default)]
struct Scalars {
    names: Vec<Oid>,
    roles: Vec<ScalarRole>,
}

impl Scalars {
    fn add(&mut self, name: Oid, role: ScalarRole) -> usize {
        if let Some(at) = self.names.iter().position(|known| *known == name) {
            if self.roles[at] == ScalarRole::Internal {
                self.roles[at] = role;
            }
            return at;
        }
        self.names.push(name);
        self.roles.push(role);
        self.names.len() - 1
    }
}

impl ValueKind {
    /// Whether it only counts up, so that differences mean something.
    pub fn is_counter(self) -> bool {
        matches!(self, ValueKind::Counter32 | ValueKind::Counter64)
    }
}
