//! A version of a module that can be had: who it is, where it comes from, and how it is made.

use std::fmt;
use std::sync::Arc;

use crate::module::{ModuleError, ModuleId, Version};
use crate::proxy::Candidate;

/// Makes a module, as often as it is asked for.
pub type Make = Arc<dyn Fn() -> Result<Candidate, ModuleError> + Send + Sync>;

/// A version of a module, not instantiated yet.
#[derive(Clone)]
pub struct Package {
    /// The module.
    pub id: ModuleId,
    /// The version.
    pub version: Version,
    /// Where it comes from, for the authority: a key's name, or [`Package::BUILT_IN`].
    pub origin: String,
    /// How it is made.
    pub make: Make,
}

impl Package {
    /// The origin of what is compiled into the program.
    pub const BUILT_IN: &str = "built-in";

    /// A version that is compiled into the program.
    pub fn built_in(
        id: ModuleId,
        version: Version,
        make: impl Fn() -> Result<Candidate, ModuleError> + Send + Sync + 'static,
    ) -> Self {
        Package { id, version, origin: Package::BUILT_IN.to_owned(), make: Arc::new(make) }
    }
}

impl fmt::Debug for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Package({} {} from {})", self.id, self.version, self.origin)
    }
}
