//! What is found out about a swap before it becomes a transaction: whether its modules fit, what they need is there, and
//! their states can be mapped; and in which order gates close.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::participants::guarded;
use crate::error::SwapError;
use crate::mapping::{Mapping, path};
use crate::module::{Module, ModuleId, Version};
use crate::package::Package;
use crate::proxy::{Candidate, Place};

/// Makes the module of a package, and sees whether it is what the package says.
pub(super) fn instantiate(package: &Package) -> Result<Candidate, SwapError> {
    let failed = |reason: String| SwapError::Instantiate { module: package.id.clone(), reason };
    let candidate = guarded(|| (package.make)()).map_err(|error| failed(error.0))?;
    if candidate.kind() != package.id.kind {
        return Err(failed(format!("the package makes a module of kind {}", candidate.kind())));
    }
    let version = guarded(|| Ok(candidate.module().version())).map_err(|error| failed(error.0))?;
    if version.number() != package.version.number() {
        return Err(failed(format!("the package is of version {}, and makes version {version}", package.version)));
    }
    Ok(candidate)
}

/// Makes the module of a package for a place.
pub(super) fn instantiate_for(package: &Package, place: &dyn Place) -> Result<Candidate, SwapError> {
    let candidate = instantiate(package)?;
    if !place.fits(&candidate) {
        let reason = "the package makes a module of another kind of the same name".to_owned();
        return Err(SwapError::Instantiate { module: package.id.clone(), reason });
    }
    Ok(candidate)
}

/// Sees whether all modules would have what they need: `modules` are those that would serve.
pub(super) fn check_dependencies(modules: &BTreeMap<ModuleId, Arc<dyn Module>>) -> Result<(), SwapError> {
    let versions: BTreeMap<&ModuleId, Version> = modules.iter().map(|(id, module)| (id, module.version())).collect();
    for (id, module) in modules {
        for dependency in module.dependencies() {
            let found = versions.get(&dependency.on);
            if !found.is_some_and(|version| dependency.is_met_by(version)) {
                let found = match found {
                    Some(version) => format!("it would be {version}"),
                    None => "there is none".to_owned(),
                };
                return Err(SwapError::Dependency { module: id.clone(), needs: dependency.to_string(), found });
            }
        }
    }
    Ok(())
}

/// How a state of schema `from` becomes one of the new version's.
pub(super) fn path_of_states(
    id: &ModuleId,
    old: &dyn Module,
    new: &dyn Module,
    from: u32,
) -> Result<Vec<Mapping>, SwapError> {
    let found = guarded(|| Ok((old.mappings(), new.mappings(), new.schema())));
    let (mut mappings, of_new, to) =
        found.map_err(|error| SwapError::Instantiate { module: id.clone(), reason: error.0 })?;
    // The newer one knows better.
    let newer = if new.version().number() >= old.version().number() { 0 } else { mappings.len() };
    mappings.splice(newer..newer, of_new);
    path(&mappings, from, to).map_err(|source| SwapError::Mapping { module: id.clone(), source: Box::new(source) })
}

/// The order in which gates close: who calls comes before whom it calls. Where modules call each other in a circle, some
/// order is as good as another.
pub(super) fn closing_order(dependencies: &BTreeMap<ModuleId, Vec<ModuleId>>) -> Vec<ModuleId> {
    fn visit<'a>(
        id: &'a ModuleId,
        dependencies: &'a BTreeMap<ModuleId, Vec<ModuleId>>,
        seen: &mut BTreeSet<&'a ModuleId>,
        order: &mut Vec<ModuleId>,
    ) {
        // At most PARTS_MAX deep: only modules of the transaction are keys.
        let Some((id, below)) = dependencies.get_key_value(id) else { return };
        if seen.insert(id) {
            below.iter().for_each(|below| visit(below, dependencies, seen, order));
            order.push(id.clone());
        }
    }
    let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
    dependencies.keys().for_each(|id| visit(id, dependencies, &mut seen, &mut order));
    order.reverse();
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> ModuleId {
        ModuleId::new("k", name)
    }

    fn order(edges: &[(&str, &[&str])]) -> Vec<String> {
        let of = |(from, to): &(&str, &[&str])| (id(from), to.iter().map(|to| id(to)).collect());
        closing_order(&edges.iter().map(of).collect()).into_iter().map(|id| id.name).collect()
    }

    #[test]
    fn callers_close_before_what_they_call() {
        assert_eq!(order(&[("a", &["b"]), ("b", &["c"]), ("c", &[])]), ["a", "b", "c"]);
        assert_eq!(order(&[("a", &[]), ("b", &["a"]), ("c", &["b", "elsewhere"])]), ["c", "b", "a"]);
    }

    #[test]
    fn circles_have_some_order_with_each_module_once() {
        let mut names = order(&[("a", &["b"]), ("b", &["c", "b"]), ("c", &["a"])]);
        names.sort();
        assert_eq!(names, ["a", "b", "c"]);
    }
}
