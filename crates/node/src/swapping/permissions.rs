//! Who may swap what (invariant S4): the process itself installs; whoever runs it, root, the bearer of its token, and
//! SNMP users that its configuration names may replace. Only what is compiled in is ever made.

use std::collections::BTreeSet;

use hamsa_swap::{Action, Authority, Denied, Package, Principal};

/// Who asks, as far as the way says on which the request came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    /// The process itself.
    Host,
    /// A process on this host, by the user that runs it.
    Local(u32),
    /// Somebody with the token of the HTTP interface.
    Token,
    /// An SNMP user, by its security name.
    Snmp(String),
}

impl Asker {
    /// The kernel's word for it.
    pub fn principal(&self) -> Principal {
        Principal(match self {
            Asker::Host => HOST.to_owned(),
            Asker::Local(uid) => format!("{LOCAL}{uid}"),
            Asker::Token => TOKEN.to_owned(),
            Asker::Snmp(name) => format!("{SNMP}{name}"),
        })
    }
}

const HOST: &str = "host";
const LOCAL: &str = "local user ";
const TOKEN: &str = "HTTP token";
const SNMP: &str = "SNMP user ";

/// Who may do what.
#[derive(Debug, Clone)]
pub struct Permissions {
    /// The user that runs the process.
    uid: u32,
    /// Security names.
    snmp: BTreeSet<String>,
}

impl Permissions {
    /// For this process, and these SNMP security names.
    pub fn new(snmp: impl IntoIterator<Item = String>) -> Self {
        Permissions { uid: nix::unistd::geteuid().as_raw(), snmp: snmp.into_iter().collect() }
    }

    /// Whether somebody may replace modules at all.
    pub fn may_swap(&self, who: &Asker) -> bool {
        match who {
            Asker::Host | Asker::Token => true,
            Asker::Local(uid) => *uid == 0 || *uid == self.uid,
            Asker::Snmp(name) => self.snmp.contains(name),
        }
    }

    fn knows(&self, who: &Principal) -> bool {
        let text = &*who.0;
        let asker = match (text.strip_prefix(LOCAL), text.strip_prefix(SNMP)) {
            (Some(uid), _) => uid.parse().ok().map(Asker::Local),
            (_, Some(name)) => Some(Asker::Snmp(name.to_owned())),
            _ if text == HOST => Some(Asker::Host),
            _ if text == TOKEN => Some(Asker::Token),
            _ => None,
        };
        asker.is_some_and(|asker| self.may_swap(&asker))
    }
}

impl Authority for Permissions {
    fn authorise(&self, who: &Principal, action: Action<'_>) -> Result<(), Denied> {
        let (Action::Install(package) | Action::Uninstall(package) | Action::Swap(package) | Action::RollBack(package)) =
            action;
        if package.origin != Package::BUILT_IN {
            return Err(Denied(format!("{package:?}: only what is compiled in is trusted")));
        }
        let may = match action {
            Action::Install(_) | Action::Uninstall(_) => who.0 == HOST,
            Action::Swap(_) | Action::RollBack(_) => self.knows(who),
        };
        if may { Ok(()) } else { Err(Denied(format!("{} may not replace modules", who.0))) }
    }
}

#[cfg(test)]
mod tests {
    use hamsa_swap::{ModuleError, ModuleId, Version};

    use super::*;

    #[test]
    fn only_those_who_are_named_may_swap_and_only_the_host_installs() {
        let permissions = Permissions { uid: 7, snmp: BTreeSet::from(["admin".to_owned()]) };
        let make = || Err(ModuleError("never made".to_owned()));
        let package = Package::built_in(ModuleId::new("kind", "name"), Version::new(1, 0, ""), make);
        let asked = |asker: Asker, action| permissions.authorise(&asker.principal(), action).is_ok();
        let swap = Action::Swap(&package);
        for (asker, may) in [
            (Asker::Host, true),
            (Asker::Local(0), true),
            (Asker::Local(7), true),
            (Asker::Local(8), false),
            (Asker::Token, true),
            (Asker::Snmp("admin".to_owned()), true),
            (Asker::Snmp("guest".to_owned()), false),
            (Asker::Snmp("host".to_owned()), false),
        ] {
            assert_eq!(asked(asker.clone(), swap), may, "{asker:?}");
            for action in [Action::Install(&package), Action::Uninstall(&package)] {
                assert_eq!(asked(asker.clone(), action), asker == Asker::Host, "{asker:?}");
            }
        }
        let foreign = Package { origin: "somebody".to_owned(), ..package.clone() };
        assert!(!asked(Asker::Host, Action::Swap(&foreign)));
        assert!(permissions.authorise(&Principal("nobody".to_owned()), swap).is_err());
    }
}
