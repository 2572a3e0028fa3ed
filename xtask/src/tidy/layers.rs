//! Which package may depend on which, from what cargo says about the workspace.

use std::path::Path;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::{Tree, Violation};
use crate::run::cargo;

/// Each package of `crates/` with those of ours that it may depend on, dev-dependencies included. What is not
/// listed here (tests, benches, fuzz targets, tasks) is on top and may use all.
const LAYERS: &[(&str, &[&str])] = &[
    ("snmp", &[]),
    ("swap-macros", &[]),
    ("swap", &["swap-macros"]),
    ("group", &[]),
    ("group-corosync", &["group"]),
    ("group-embedded", &["group"]),
    ("group-zenoh", &["group"]),
    ("store", &[]),
    ("mlm", &["swap", "group"]),
    ("wasm", &["swap", "snmp"]),
    ("node", &["snmp", "swap", "group", "group-corosync", "group-embedded", "group-zenoh", "store", "mlm", "wasm"]),
    ("sim", &["snmp", "swap", "group", "store", "mlm", "wasm"]),
    ("cli", &["node", "sim", "snmp", "swap", "group", "store", "mlm", "wasm"]),
];

/// The support library of tests; any package may use it in its own tests.
const TESTKIT: &str = "tests";

/// Other people's implementations of SNMP that tests compare ours with.
const ORACLES: &[&str] = &["async-snmp", "rasn", "rasn-snmp", "rasn-smi", "snmp2"];

/// A package of the workspace.
#[derive(Debug, Clone)]
pub(super) struct Package {
    /// Its Cargo.toml, from the root.
    pub(super) manifest: String,
    pub(super) dependencies: Vec<Dependency>,
}

/// One dependency, as cargo resolved what the manifest says.
#[derive(Debug, Clone)]
pub(super) struct Dependency {
    pub(super) name: String,
    /// For tests and benches only.
    pub(super) dev: bool,
    /// Its directory from the root, where it is one of ours.
    pub(super) directory: Option<String>,
}

impl Package {
    fn directory(&self) -> &str {
        self.manifest.rsplit_once('/').map_or("", |(directory, _)| directory)
    }
}

/// Asks cargo for the packages of the workspace at `root`.
///
/// # Errors
/// cargo fails, which it has said why, or answers what we can't read.
pub(super) fn read_packages(root: &Path) -> anyhow::Result<Vec<Package>> {
    let mut command = cargo(&["metadata", "--no-deps", "--format-version", "1"]);
    let output = command.current_dir(root).output().context("cannot start cargo")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let root = metadata["workspace_root"].as_str().context("cargo metadata has no workspace_root")?;
    let from_root = |path: &Value| Some(path.as_str()?.strip_prefix(root)?.trim_start_matches('/').to_owned());
    let packages = metadata["packages"].as_array().context("cargo metadata has no packages")?;
    let package = |package: &Value| {
        let dependencies = package["dependencies"].as_array()?.iter().map(|dependency| {
            let name = dependency["name"].as_str()?.to_owned();
            let dev = dependency["kind"].as_str() == Some("dev");
            Some(Dependency { name, dev, directory: from_root(&dependency["path"]) })
        });
        Some(Package {
            manifest: from_root(&package["manifest_path"])?,
            dependencies: dependencies.collect::<Option<_>>()?,
        })
    };
    packages.iter().map(|value| package(value).context("cargo metadata has an odd package")).collect()
}

/// Dependencies among our packages follow [`LAYERS`].
pub(super) fn dependencies_point_down(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in &tree.packages {
        let Some(layer) = package.directory().strip_prefix("crates/") else { continue };
        let mut violation =
            |message: String| violations.push(Violation { path: package.manifest.clone(), line: 0, message });
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
            violation(format!("`{layer}` is not in the table of layers (xtask/src/tidy/layers.rs)"));
            continue;
        };
        for dependency in &package.dependencies {
            let Some(directory) = &dependency.directory else { continue };
            let below = directory.strip_prefix("crates/").is_some_and(|name| allowed.contains(&name));
            let kit_of_tests = dependency.dev && directory == TESTKIT;
            if !below && !kit_of_tests {
                violation(format!("`{layer}` may not depend on `{directory}`: dependencies point down only"));
            }
        }
    }
    violations
}

/// Each manifest has `[lints] workspace = true`: the lints, `unsafe_code = "forbid"` among them, hold nowhere else.
pub(super) fn every_package_takes_the_lints(tree: &Tree) -> Vec<Violation> {
    let manifests =
        tree.packages.iter().filter_map(|package| tree.files.iter().find(|file| file.path == package.manifest));
    let lacking = manifests.filter(|file| {
        let mut lines = file.text.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
        lines.find(|line| !line.is_empty()) != Some("workspace = true")
    });
    let message = "it lacks `[lints]` with `workspace = true`";
    lacking.map(|file| Violation { path: file.path.clone(), line: 0, message: message.to_owned() }).collect()
}

/// No package of the product depends on an [`ORACLES`] implementation other than in its tests.
pub(super) fn oracles_stay_in_tests(tree: &Tree) -> Vec<Violation> {
    let of_product = tree.packages.iter().filter(|package| package.manifest.starts_with("crates/"));
    let used = of_product.flat_map(|package| package.dependencies.iter().map(move |dependency| (package, dependency)));
    used.filter(|(_, dependency)| !dependency.dev && ORACLES.contains(&dependency.name.as_str()))
        .map(|(package, dependency)| Violation {
            path: package.manifest.clone(),
            line: 0,
            message: format!("`{}` judges ours in tests; the product may not use it", dependency.name),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    fn ours(directory: &str, dev: bool) -> Dependency {
        Dependency { name: format!("hamsa-{directory}"), dev, directory: Some(directory.to_owned()) }
    }

    fn tree(directory: &str, dependencies: Vec<Dependency>) -> Tree {
        let manifest = format!("{directory}/Cargo.toml");
        let mut tree = Tree::of(&[(&manifest, "[package]\n\n[lints]\nworkspace = true\n")]);
        tree.packages.push(Package { manifest, dependencies });
        tree
    }

    #[test]
    fn the_table_itself_points_down() {
        for (index, (name, below)) in LAYERS.iter().enumerate() {
            for lower in *below {
                let position = LAYERS.iter().position(|(name, _)| name == lower).unwrap();
                assert!(position < index || *name == "cli", "{name} is above {lower}");
            }
        }
    }

    #[test]
    fn a_dependency_that_points_up_is_found() {
        let up = tree("crates/snmp", vec![ours("crates/node", false)]);
        assert_eq!(places(dependencies_point_down, &up), ["crates/snmp/Cargo.toml:0"]);
        let up_in_tests = tree("crates/store", vec![ours("crates/sim", true)]);
        assert_eq!(places(dependencies_point_down, &up_in_tests), ["crates/store/Cargo.toml:0"]);
        let unknown = tree("crates/helpers", vec![]);
        assert_eq!(places(dependencies_point_down, &unknown), ["crates/helpers/Cargo.toml:0"]);
        let kit_in_product = tree("crates/cli", vec![ours("tests", false)]);
        assert_eq!(places(dependencies_point_down, &kit_in_product), ["crates/cli/Cargo.toml:0"]);
    }

    #[test]
    fn dependencies_that_point_down_are_fine() {
        for (package, below, dev) in [
            ("crates/cli", "crates/node", false),
            ("crates/sim", "crates/snmp", false),
            ("crates/cli", "tests", true),
            ("benches/codec", "crates/snmp", false),
        ] {
            assert!(places(dependencies_point_down, &tree(package, vec![ours(below, dev)])).is_empty(), "{package}");
        }
    }

    #[test]
    fn a_package_without_the_lints_is_found() {
        let mut tree = tree("crates/snmp", vec![]);
        assert!(places(every_package_takes_the_lints, &tree).is_empty());
        tree.files[0].text = "[package]\n[lints.rust]\nunsafe_code = \"allow\"\n".to_owned();
        assert_eq!(places(every_package_takes_the_lints, &tree), ["crates/snmp/Cargo.toml:0"]);
    }

    #[test]
    fn an_oracle_in_the_product_is_found() {
        let oracle = |dev| vec![Dependency { name: "rasn-snmp".to_owned(), dev, directory: None }];
        assert_eq!(places(oracles_stay_in_tests, &tree("crates/node", oracle(false))), ["crates/node/Cargo.toml:0"]);
        assert!(places(oracles_stay_in_tests, &tree("crates/snmp", oracle(true))).is_empty());
        assert!(places(oracles_stay_in_tests, &tree("benches/codec", oracle(false))).is_empty());
    }
}
