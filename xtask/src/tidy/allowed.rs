//! The exceptions to tidy's rules, each with its reason. One that is no longer needed is itself a violation.

/// Files past the line limit that have no seam.
pub(super) const LONG_FILES: &[(&str, &str)] = &[];

/// Files with `unsafe` code.
pub(super) const UNSAFE_FILES: &[(&str, &str)] = &[];
