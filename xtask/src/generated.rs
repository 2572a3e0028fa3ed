//! Files in the repository that a task of ours writes. Each such task takes `--check`: it writes nothing and fails
//! where the checked-in file is not what it would write.

/// The tasks, by the arguments that check them: `cargo xtask ARGUMENTS`.
pub(crate) const CHECKS: &[&[&str]] = &[];
