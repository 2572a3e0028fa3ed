//! All versions of modules that there are, and how people name modules: `KIND/NAME`, where blanks may be hyphens and
//! case does not matter.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use hamsa_swap::journal::VersionNumber;
use hamsa_swap::{ModuleId, Package};

/// Nothing of that name is there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no {0}")]
pub struct UnknownModule(pub String);

/// All versions of modules that there are.
#[derive(Debug, Default)]
pub struct Catalogue(RwLock<BTreeMap<ModuleId, BTreeMap<VersionNumber, Package>>>);

impl Catalogue {
    /// Adds a version.
    pub fn add(&self, package: Package) {
        let mut packages = self.0.write().unwrap_or_else(PoisonError::into_inner);
        packages.entry(package.id.clone()).or_default().insert(package.version.number(), package);
    }

    /// The module that somebody names.
    ///
    /// # Errors
    /// There is none.
    pub fn module(&self, named: &str) -> Result<ModuleId, UnknownModule> {
        let wanted = plain(named);
        let packages = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = packages.keys().find(|id| plain(&id.to_string()) == wanted).cloned();
        found.ok_or_else(|| UnknownModule(format!("module {named:?}; `hamsa modules list` shows all")))
    }

    /// A version of a module.
    ///
    /// # Errors
    /// There is none.
    pub fn package(&self, module: &ModuleId, version: VersionNumber) -> Result<Package, UnknownModule> {
        let packages = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let versions = packages.get(module);
        let found = versions.and_then(|versions| versions.get(&version)).cloned();
        found.ok_or_else(|| {
            let known: Vec<String> =
                versions.into_iter().flatten().map(|(version, _)| version_text(*version)).collect();
            let version = version_text(version);
            UnknownModule(format!("version {version} of {}; there are {}", shown(module), known.join(", ")))
        })
    }

    /// The versions of a module, the oldest first.
    pub fn versions(&self, module: &ModuleId) -> Vec<Package> {
        let packages = self.0.read().unwrap_or_else(PoisonError::into_inner);
        packages.get(module).into_iter().flat_map(BTreeMap::values).cloned().collect()
    }
}

/// A module's name as a shell takes it without quotes.
pub fn shown(module: &ModuleId) -> String {
    module.to_string().replace(' ', "-")
}

/// Whether somebody means this module.
pub(super) fn is_named(module: &ModuleId, named: &str) -> bool {
    plain(&module.to_string()) == plain(named)
}

fn plain(name: &str) -> String {
    name.trim().replace(' ', "-").to_ascii_lowercase()
}

fn version_text((major, minor): VersionNumber) -> String {
    format!("{major}.{minor}")
}

#[cfg(test)]
mod tests {
    use hamsa_swap::{ModuleError, Version};

    use super::*;

    #[test]
    fn modules_are_found_by_what_people_type() {
        let catalogue = Catalogue::default();
        let id = ModuleId::new("auth protocol", "SHA-256");
        for minor in [1, 0] {
            let make = || Err(ModuleError("never made".to_owned()));
            catalogue.add(Package::built_in(id.clone(), Version::new(1, minor, ""), make));
        }
        for named in ["auth protocol/SHA-256", "auth-protocol/sha-256", " Auth-Protocol/SHA-256"] {
            assert_eq!(catalogue.module(named).as_ref(), Ok(&id), "{named}");
        }
        assert_eq!(shown(&id), "auth-protocol/SHA-256");
        catalogue.module("auth protocol/MD5").unwrap_err();
        assert_eq!(catalogue.package(&id, (1, 1)).unwrap().version.number(), (1, 1));
        let unknown = catalogue.package(&id, (2, 0)).unwrap_err().to_string();
        assert_eq!(unknown, "there is no version 2.0 of auth-protocol/SHA-256; there are 1.0, 1.1");
        assert_eq!(catalogue.versions(&id).len(), 2);
    }
}
