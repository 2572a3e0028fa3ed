//! The exceptions to tidy's rules, each with its reason. One that is no longer needed is itself a violation.

/// Files past the line limit that have no seam.
pub(super) const LONG_FILES: &[(&str, &str)] =
    &[("docs/cli.md", "it is generated, and one page of all commands is what a reader searches")];

/// Files with `unsafe` code.
pub(super) const UNSAFE_FILES: &[(&str, &str)] = &[
    (
        "crates/swap/src/gate.rs",
        "a call reads the module with plain loads, since the gate keeps it from being replaced; what is safe costs two \
         locked instructions a call, where this has none. Every interleaving is tried in a test",
    ),
    (
        "crates/group-corosync/src/cpg.rs",
        "Corosync is reached through its C library alone, and the crate for that can't give the first ring and links \
         libraries that most hosts lack",
    ),
];
