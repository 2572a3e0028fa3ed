//! The view-based access control model (RFC 3415): groups, rights and views, and the decision over them.

use std::sync::RwLock;

use crate::engine::{AccessControl, AccessDenied, AccessRequest, Name, ViewType};
use crate::message::SecurityLevel;
use crate::oid::{Oid, OidRef};
use crate::varbind::VarBindList;

/// A row of `vacmSecurityToGroupTable`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct GroupMember {
    pub security_model: u32,
    pub security_name: Name,
    pub group: Name,
}

/// A row of `vacmAccessTable`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessEntry {
    /// Whose rights.
    pub group: Name,
    /// In which context: this one, or all that start so.
    pub context: ContextMatch,
    /// The security model's number; 0 is any.
    pub security_model: u32,
    /// The least security level.
    pub level: SecurityLevel,
    /// The view for reading; empty: nothing.
    pub read_view: Name,
    /// The view for writing; empty: nothing.
    pub write_view: Name,
    /// The view for notifications; empty: nothing.
    pub notify_view: Name,
}

/// `vacmAccessContextPrefix` with `vacmAccessContextMatch`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ContextMatch {
    Exact(Name),
    Prefix(Name),
}

/// A row of `vacmViewTreeFamilyTable`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewFamily {
    /// The view.
    pub view: Name,
    /// The subtree.
    pub subtree: Oid,
    /// A bit for each sub-identifier, the first in the top bit of the first octet: 0 lets it be anything.
    /// Missing bits are 1.
    pub mask: Vec<u8>,
    /// Whether the family is in the view, or out of it.
    pub included: bool,
}

/// The tables of RFC 3415.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct VacmTables {
    /// `vacmContextTable`: the contexts that exist.
    pub contexts: Vec<Name>,
    pub members: Vec<GroupMember>,
    pub access: Vec<AccessEntry>,
    pub families: Vec<ViewFamily>,
}

/// Access control by views.
#[derive(Debug, Default)]
pub struct Vacm(RwLock<VacmTables>);

impl Vacm {
    /// Access control by these tables.
    pub fn new(tables: VacmTables) -> Self {
        Vacm(RwLock::new(tables.sorted()))
    }

    /// Exchanges the tables.
    pub fn replace(&self, tables: VacmTables) {
        *self.0.write().expect("no panic under this lock") = tables.sorted();
    }
}

impl AccessControl for Vacm {
    fn is_access_allowed(&self, request: &AccessRequest<'_>, variable: OidRef<'_>) -> Result<(), AccessDenied> {
        let tables = self.0.read().expect("no panic under this lock");
        let view = tables.view(request)?;
        if tables.contains(view, variable)? { Ok(()) } else { Err(AccessDenied::NotInView) }
    }

    fn count_allowed(&self, request: &AccessRequest<'_>, variables: VarBindList<'_>) -> Result<usize, AccessDenied> {
        let tables = self.0.read().expect("no panic under this lock");
        let view = tables.view(request)?;
        for (i, variable) in variables.iter().enumerate() {
            if !tables.contains(view, variable.name)? {
                return Ok(i);
            }
        }
        Ok(variables.len())
    }
}

impl VacmTables {
    /// Every variable of every message asks for a context and a group: they are found by binary search.
    fn sorted(mut self) -> Self {
        self.contexts.sort();
        self.members.sort_by(|a, b| a.principal().cmp(&b.principal()));
        self
    }

    /// Steps 1 to 4 of RFC 3415 §3.2: the view that the principal's group has.
    fn view(&self, request: &AccessRequest<'_>) -> Result<&Name, AccessDenied> {
        if self.contexts.binary_search(request.context_name).is_err() {
            return Err(AccessDenied::NoSuchContext);
        }
        let principal = (request.security_model, request.security_name);
        // The first of equal rows, as they were given.
        let at = self.members.partition_point(|member| member.principal() < principal);
        let member = self.members.get(at).filter(|member| member.principal() == principal);
        let group = &member.ok_or(AccessDenied::NoGroupName)?.group;
        let fits = |entry: &&AccessEntry| {
            entry.group == *group
                && entry.context.admits(request.context_name)
                && (entry.security_model == 0 || entry.security_model == request.security_model)
                && entry.level <= request.level
        };
        let entry = self.access.iter().filter(fits).max_by_key(|e| e.precision());
        let entry = entry.ok_or(AccessDenied::NoAccessEntry)?;
        let view = match request.view_type {
            ViewType::Read => &entry.read_view,
            ViewType::Write => &entry.write_view,
            ViewType::Notify => &entry.notify_view,
        };
        if view.is_empty() { Err(AccessDenied::NoSuchView) } else { Ok(view) }
    }

    /// RFC 3415 §4: the longest family that has the variable decides, the greatest of equally long ones.
    fn contains(&self, view: &Name, variable: OidRef<'_>) -> Result<bool, AccessDenied> {
        let mut families = self.families.iter().filter(|family| family.view == *view).peekable();
        families.peek().ok_or(AccessDenied::NoSuchView)?;
        let deciding = families.filter(|family| family.has(variable)).max_by(|a, b| {
            a.subtree.as_oid().arc_count().cmp(&b.subtree.as_oid().arc_count()).then(a.subtree.cmp(&b.subtree))
        });
        Ok(deciding.is_some_and(|family| family.included))
    }
}

impl GroupMember {
    fn principal(&self) -> (u32, &Name) {
        (self.security_model, &self.security_name)
    }
}

impl AccessEntry {
    /// RFC 3415 `vacmAccessTable`: the given model before any, a longer prefix before a shorter, a higher level
    /// before a lower. A prefix that is the whole context is the longest there can be, whether it must match
    /// exactly or not.
    fn precision(&self) -> (bool, usize, SecurityLevel) {
        let (ContextMatch::Exact(prefix) | ContextMatch::Prefix(prefix)) = &self.context;
        (self.security_model != 0, prefix.as_octets().len(), self.level)
    }
}

impl ContextMatch {
    fn admits(&self, context: &Name) -> bool {
        match self {
            ContextMatch::Exact(name) => name == context,
            ContextMatch::Prefix(prefix) => context.as_octets().starts_with(prefix.as_octets()),
        }
    }
}

impl ViewFamily {
    /// A subtree without a mask.
    pub fn subtree(view: Name, subtree: Oid, included: bool) -> Self {
        ViewFamily { view, subtree, mask: Vec::new(), included }
    }

    fn has(&self, variable: OidRef<'_>) -> bool {
        if self.mask.is_empty() {
            return variable.starts_with(self.subtree.as_oid());
        }
        let mut variable = variable.arcs();
        self.subtree.as_oid().arcs().enumerate().all(|(i, arc)| {
            let fixed = self.mask.get(i / 8).is_none_or(|octet| octet & 0x80 >> (i % 8) != 0);
            variable.next().is_some_and(|found| !fixed || found == arc)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn tables() -> VacmTables {
        let family = |view: &str, subtree: &str, mask: &[u8], included| ViewFamily {
            view: name(view),
            subtree: subtree.parse().unwrap(),
            mask: mask.to_vec(),
            included,
        };
        let access = |level, read_view: &str| AccessEntry {
            group: name("staff"),
            context: ContextMatch::Exact(name("")),
            security_model: 0,
            level,
            read_view: name(read_view),
            write_view: name(""),
            notify_view: name(""),
        };
        VacmTables {
            contexts: vec![name("")],
            members: vec![GroupMember { security_model: 3, security_name: name("ops"), group: name("staff") }],
            access: vec![access(SecurityLevel::NoAuthNoPriv, "system"), access(SecurityLevel::AuthPriv, "all")],
            families: vec![
                family("system", "1.3.6.1.2.1.1", &[], true),
                family("all", "1.3", &[], true),
                family("all", "1.3.6.1.6.3", &[], false),
                // ifEntry of interface 2, any column: 1.3.6.1.2.1.2.2.1.*.2
                family("all", "1.3.6.1.2.1.2.2.1.0.2", &[0xff, 0xa0], false),
            ],
        }
    }

    fn ask(level: SecurityLevel, view_type: ViewType, variable: &str) -> Result<(), AccessDenied> {
        let (ops, context) = (name("ops"), name(""));
        let request =
            AccessRequest { security_model: 3, security_name: &ops, level, context_name: &context, view_type };
        Vacm::new(tables()).is_access_allowed(&request, variable.parse::<Oid>().unwrap().as_oid())
    }

    #[test]
    fn the_best_secured_rights_and_the_longest_family_decide() {
        use SecurityLevel::{AuthNoPriv, AuthPriv};
        use ViewType::{Read, Write};
        assert_eq!(ask(AuthNoPriv, Read, "1.3.6.1.2.1.1.1.0"), Ok(()));
        assert_eq!(ask(AuthNoPriv, Read, "1.3.6.1.2.1.2.1.0"), Err(AccessDenied::NotInView));
        assert_eq!(ask(AuthPriv, Read, "1.3.6.1.2.1.2.1.0"), Ok(()));
        assert_eq!(ask(AuthPriv, Read, "1.3.6.1.6.3.15.1.1.1.0"), Err(AccessDenied::NotInView));
        assert_eq!(ask(AuthPriv, Read, "1.3.6.1.2.1.2.2.1.10.1"), Ok(()));
        assert_eq!(ask(AuthPriv, Read, "1.3.6.1.2.1.2.2.1.10.2"), Err(AccessDenied::NotInView));
        assert_eq!(ask(AuthPriv, Write, "1.3.6.1.2.1.1.4.0"), Err(AccessDenied::NoSuchView));
    }

    #[test]
    fn strangers_and_unknown_contexts_are_refused() {
        let vacm = Vacm::new(tables());
        let variable = OidRef::ZERO;
        let (ops, nobody, context, other) = (name("ops"), name("nobody"), name(""), name("vrf1"));
        let request = |security_name, context_name| AccessRequest {
            security_model: 3,
            security_name,
            level: SecurityLevel::AuthPriv,
            context_name,
            view_type: ViewType::Read,
        };
        assert_eq!(vacm.is_access_allowed(&request(&nobody, &context), variable), Err(AccessDenied::NoGroupName));
        assert_eq!(vacm.is_access_allowed(&request(&ops, &other), variable), Err(AccessDenied::NoSuchContext));
    }

    #[test]
    fn rows_may_come_in_any_order_and_the_first_of_equal_ones_counts() {
        let mut tables = tables();
        tables.contexts = ["vrf2", "", "vrf1"].map(name).to_vec();
        let member = |security_model, security_name: &str, group: &str| GroupMember {
            security_model,
            security_name: name(security_name),
            group: name(group),
        };
        tables.members = vec![
            member(3, "zoe", "staff"),
            member(2, "ops", "nobody"),
            member(3, "ops", "staff"),
            member(3, "ops", "nobody"),
            member(1, "ann", "staff"),
        ];
        let vacm = Vacm::new(tables);
        let decide = |security_model, security_name: &str, context: &str| {
            let (security_name, context_name) = (&name(security_name), &name(context));
            let (level, view_type) = (SecurityLevel::AuthPriv, ViewType::Read);
            let request = AccessRequest { security_model, security_name, level, context_name, view_type };
            vacm.is_access_allowed(&request, "1.3.6.1.2.1".parse::<Oid>().unwrap().as_oid())
        };
        for principal in [(3, "ops"), (3, "zoe"), (1, "ann")] {
            assert_eq!(decide(principal.0, principal.1, ""), Ok(()), "{principal:?}");
        }
        assert_eq!(decide(2, "ops", ""), Err(AccessDenied::NoAccessEntry));
        assert_eq!(decide(2, "zoe", ""), Err(AccessDenied::NoGroupName));
        assert_eq!(decide(3, "zoe", "vrf1"), Err(AccessDenied::NoAccessEntry));
        assert_eq!(decide(3, "zoe", "vrf3"), Err(AccessDenied::NoSuchContext));
    }
}
