//! What can be asked for, as JSON, and as the kernel takes it.

use std::time::Duration;

use hamsa_swap::{Probation, Request, RollBackState, SwapOptions, Timing};
use serde::{Deserialize, Serialize};

use crate::limits::{MAX_PROBATION, MAX_SWAP_BUDGET};
use crate::swapping::{Asker, SwapHost, UnknownModule};

/// A request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
#[allow(missing_docs)]
pub enum ControlRequest {
    /// About groups.
    Group { ask: GroupRequest },
    /// About the enterprise.
    Enterprise { ask: EnterpriseRequest },
    /// All modules.
    List,
    /// One module with its methods.
    Show { module: String },
    /// What is kept of a module's versions.
    States { module: String },
    /// What swaps came to.
    History,
    /// A module that is not there yet.
    Install { module: String },
    /// A module that is to be there no more.
    Uninstall { module: String },
    /// Other versions.
    Swap {
        changes: Vec<ChangeRequest>,
        #[serde(default)]
        dry_run: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        probation: Option<ProbationRequest>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        budget_ms: Option<u64>,
    },
    /// Earlier versions.
    Rollback {
        changes: Vec<ChangeRequest>,
        #[serde(default)]
        state: RollbackState,
        #[serde(default)]
        dry_run: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        budget_ms: Option<u64>,
    },
}

/// What can be asked about groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
#[allow(missing_docs)]
pub enum GroupRequest {
    /// The node, its engine, and all nodes that it knows.
    Members,
    /// The views of now.
    Views(NamedGroups),
    /// The views that there were.
    History(NamedGroups),
    /// What was counted.
    Counters,
    /// Nodes are to reach those only with which they are listed.
    Cut { sides: Vec<Vec<u32>> },
    /// All are to reach each other, without delay.
    Heal,
    /// A node is to be given everything so late.
    Delay { node: u32, ms: u64 },
    /// The engine is to be lost to a node.
    Drop { node: u32 },
    /// The ring is to have a node more: `NUMBER=ADDRESS`, with more addresses after commas.
    Add { node: String },
}

/// Which groups are meant; all that nothing excludes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedGroups {
    /// Those of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Those with members of the `cluster`, or of `pair-N`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// What can be asked about the enterprise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
#[allow(missing_docs)]
pub enum EnterpriseRequest {
    /// How the node stands in it, and all nodes that it knows.
    Nodes,
    /// Its pairs.
    Pairs,
    /// Names of the directory that start with this, and what stands there.
    List { prefix: String },
    /// What stands under a name.
    Get { name: String },
    /// Puts a value there, in the place of all that stand there now.
    Set { name: String, value: String },
    /// Takes a name out.
    Delete { name: String },
}

/// A module and the version that it is to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeRequest {
    /// `KIND/NAME`.
    pub module: String,
    /// `MAJOR.MINOR`.
    pub version: String,
}

/// When new versions are taken back by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbationRequest {
    /// How long they are watched.
    pub lasts_ms: u64,
    /// More panics than this are too many.
    #[serde(default)]
    pub panics_max: u64,
    /// A larger part of calls that end in an error is too large, 0.0 to 1.0.
    #[serde(default = "ProbationRequest::error_rate_max")]
    pub error_rate_max: f64,
    /// No rate is made of fewer calls.
    #[serde(default = "ProbationRequest::calls_min")]
    pub calls_min: u64,
}

impl ProbationRequest {
    fn error_rate_max() -> f64 {
        0.01
    }

    fn calls_min() -> u64 {
        100
    }

    /// One that lasts so long, with usual bounds.
    pub fn lasting(lasts: Duration) -> Self {
        ProbationRequest {
            lasts_ms: u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX),
            panics_max: 0,
            error_rate_max: Self::error_rate_max(),
            calls_min: Self::calls_min(),
        }
    }
}

/// See [`RollBackState`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum RollbackState {
    #[default]
    Mapped,
    Kept,
    MappedOrKept,
}

/// A request can't be passed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum RequestError {
    #[error(transparent)]
    Unknown(#[from] UnknownModule),
    #[error("{0:?} is no version; say MAJOR.MINOR, such as 1.1")]
    Version(String),
    #[error("a {what} is between 1 ms and {} ms", max.as_millis())]
    Time { what: &'static str, max: Duration },
    #[error("an error rate is between 0 and 1")]
    Rate,
    #[error("nothing to swap")]
    Nothing,
}

impl ControlRequest {
    /// For the kernel. Only for a swap or a rollback; of others there is nothing to swap.
    ///
    /// # Errors
    /// It names what is not there, or bounds that make no sense.
    pub fn for_kernel(self, host: &SwapHost, who: &Asker) -> Result<Request, RequestError> {
        let who = who.principal();
        match self {
            ControlRequest::Swap { changes, dry_run, probation, budget_ms } => {
                let packages = changes.iter().map(|change| {
                    let module = host.catalogue().module(&change.module)?;
                    Ok(host.catalogue().package(&module, version(&change.version)?)?)
                });
                let packages = packages.collect::<Result<Vec<_>, RequestError>>()?;
                let probation = probation.map(checked).transpose()?;
                let options = SwapOptions { timing: timing(budget_ms)?, probation, dry_run };
                Ok(Request::Swap { who, packages, options })
            }
            ControlRequest::Rollback { changes, state, dry_run, budget_ms } => {
                let to = changes
                    .iter()
                    .map(|change| Ok((host.catalogue().module(&change.module)?, version(&change.version)?)));
                let to = to.collect::<Result<Vec<_>, RequestError>>()?;
                let state = match state {
                    RollbackState::Mapped => RollBackState::Mapped,
                    RollbackState::Kept => RollBackState::Kept,
                    RollbackState::MappedOrKept => RollBackState::MappedOrKept,
                };
                let options = SwapOptions { timing: timing(budget_ms)?, probation: None, dry_run };
                Ok(Request::RollBack { who, to, state, options })
            }
            _ => Err(RequestError::Nothing),
        }
    }
}

/// `MAJOR.MINOR`.
pub(crate) fn version(text: &str) -> Result<(u32, u32), RequestError> {
    let parts = text.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    parts.ok_or_else(|| RequestError::Version(text.chars().take(32).collect()))
}

fn timing(budget_ms: Option<u64>) -> Result<Timing, RequestError> {
    let usual = Timing::default();
    let Some(budget_ms) = budget_ms else { return Ok(usual) };
    Ok(Timing { budget: time(budget_ms, "budget", MAX_SWAP_BUDGET)?, ..usual })
}

fn checked(asked: ProbationRequest) -> Result<Probation, RequestError> {
    if !(0.0..=1.0).contains(&asked.error_rate_max) {
        return Err(RequestError::Rate);
    }
    Ok(Probation {
        lasts: time(asked.lasts_ms, "probation", MAX_PROBATION)?,
        panics_max: asked.panics_max,
        error_rate_max: asked.error_rate_max,
        calls_min: asked.calls_min,
    })
}

fn time(ms: u64, what: &'static str, max: Duration) -> Result<Duration, RequestError> {
    let time = Duration::from_millis(ms);
    if ms > 0 && time <= max { Ok(time) } else { Err(RequestError::Time { what, max }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_strictly() {
        let read = |text: &str| serde_json::from_str::<ControlRequest>(text);
        assert_eq!(read(r#"{"op":"list"}"#).unwrap(), ControlRequest::List);
        let swap = read(r#"{"op":"swap","changes":[{"module":"a/b","version":"1.1"}],"probation":{"lasts_ms":5}}"#);
        let ControlRequest::Swap { changes, dry_run: false, probation: Some(probation), .. } = swap.unwrap() else {
            panic!("no swap")
        };
        assert_eq!(
            (changes[0].module.as_str(), probation),
            ("a/b", ProbationRequest::lasting(Duration::from_millis(5)))
        );
        for wrong in [r#"{"op":"stop"}"#, r#"{"op":"show"}"#, r#"{"op":"swap","changes":[],"dryrun":true}"#, "[]", ""] {
            read(wrong).expect_err(wrong);
        }
        assert_eq!(version("12.3"), Ok((12, 3)));
        for wrong in ["", "1", "1.x", "-1.0", "1.0.0"] {
            version(wrong).expect_err(wrong);
        }
        assert!(timing(Some(0)).is_err() && timing(Some(u64::MAX)).is_err() && timing(None).is_ok());
        assert!(checked(ProbationRequest { error_rate_max: f64::NAN, ..probation }).is_err());
    }
}
