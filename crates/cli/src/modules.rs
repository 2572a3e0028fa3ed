//! `hamsa modules`: the modules of a running agent or node, and their replacement while it runs.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use hamsa_node::control::{ChangeRequest, ControlRequest, ProbationRequest, RollbackState};
use serde_json::Value as Json;

use crate::control::ControlOptions;
use crate::failure::usage;
use crate::print::line_out;
use crate::records::{LayoutOption, RowLayout, parse_duration, plain, print_records, print_rows, time_cell};
use crate::terminal::tell;

/// Show and replace the modules of a running agent or node
///
/// A module is named KIND/NAME, as `hamsa modules list` shows it: auth-protocol/SHA-256, MIB-module/IF-MIB.
#[derive(Debug, Args)]
pub struct Command {
    #[command(subcommand)]
    pub action: Action,
    #[command(flatten)]
    pub control: ControlOptions,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// List all modules: version, state, calls
    List(LayoutOption),
    /// Show all there is to know about a module
    Show {
        /// KIND/NAME
        module: String,
    },
    /// List the states that are kept of a module's versions
    States {
        /// KIND/NAME
        module: String,
        #[command(flatten)]
        layout: LayoutOption,
    },
    /// List what swaps came to, the last one first
    History(LayoutOption),
    Swap(Swap),
    Rollback(Rollback),
}

/// Replace modules by other versions while they serve: all that are named, or none
#[derive(Debug, Args)]
pub struct Swap {
    /// KIND/NAME and VERSION, as often as there are modules to replace
    #[arg(value_name = "KIND/NAME VERSION", required = true)]
    pub changes: Vec<String>,
    /// Find out only whether it would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Watch the new versions for so long, and take them back when they panic or err
    #[arg(long, value_name = "DURATION", value_parser = parse_span)]
    pub probation: Option<Duration>,
    /// On probation: the part of calls that may end in an error, 0 to 1
    #[arg(long, value_name = "RATE", requires = "probation")]
    pub max_error_rate: Option<f64>,
    /// On probation: panics that are borne
    #[arg(long, value_name = "COUNT", requires = "probation")]
    pub max_panics: Option<u64>,
    #[command(flatten)]
    pub common: Common,
}

/// Go back to earlier versions of modules
#[derive(Debug, Args)]
pub struct Rollback {
    /// KIND/NAME and VERSION, as often as there are modules to replace
    #[arg(value_name = "KIND/NAME VERSION", required = true)]
    pub changes: Vec<String>,
    /// Which state the earlier version gets
    #[arg(long, value_enum, default_value = "mapped")]
    pub state: State,
    /// Find out only whether it would be done
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub common: Common,
}

/// What swap and rollback have in common.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Give up, and let the old versions serve on, when gates would be closed for longer
    #[arg(long, value_name = "DURATION", value_parser = parse_span)]
    pub budget: Option<Duration>,
    /// Print the report as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Which state an earlier version gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum State {
    /// The present one, mapped backwards
    Mapped,
    /// The one that it had when it was replaced; what happened since is lost
    Kept,
    /// The present one if it can be mapped, else the one that it had
    MappedOrKept,
}

/// Runs it.
///
/// # Errors
/// Nobody answers, it is refused, or it was not done.
pub fn run(command: &Command) -> anyhow::Result<()> {
    let Command { action, control } = command;
    let ask = |request: ControlRequest| control.ask(&request, |_| {});
    match action {
        Action::List(LayoutOption { layout }) => list(&ask(ControlRequest::List)?, *layout),
        Action::Show { module } => {
            let shown = ask(ControlRequest::Show { module: module.clone() })?;
            line_out(&serde_json::to_string_pretty(&shown)?)
        }
        Action::States { module, layout } => {
            let kept = ask(ControlRequest::States { module: module.clone() })?;
            let header = ["module", "version", "schema", "commits", "octets", "objects"];
            print_records(&kept, layout.layout, &header, ", ")
        }
        Action::History(LayoutOption { layout }) => history(&ask(ControlRequest::History)?, *layout),
        Action::Swap(asked) => swap(asked, control),
        Action::Rollback(asked) => roll_back(asked, control),
    }
}

/// `install`.
///
/// # Errors
/// As [`run`].
pub fn install(module: &str, control: &ControlOptions) -> anyhow::Result<()> {
    let shown = control.ask(&ControlRequest::Install { module: module.to_owned() }, |_| {})?;
    line_out(&format!("Done: {} {} serves.", plain(&shown["module"]), plain(&shown["version"])))
}

/// `uninstall`.
///
/// # Errors
/// As [`run`].
pub fn uninstall(module: &str, control: &ControlOptions) -> anyhow::Result<()> {
    let report = control.ask(&ControlRequest::Uninstall { module: module.to_owned() }, |_| {})?;
    let gone = &report["changes"][0];
    let blackout = duration_text(&report["blackout_us"]);
    line_out(&format!(
        "Done: {} {} is taken out, and its state is kept. Callers waited for {blackout} at most.",
        plain(&gone["module"]),
        plain(&gone["from"])
    ))
}

/// `swap`.
///
/// # Errors
/// As [`run`].
pub fn swap(command: &Swap, control: &ControlOptions) -> anyhow::Result<()> {
    let Swap { changes, dry_run, probation, max_error_rate, max_panics, common } = command;
    let probation = probation.map(|lasts| {
        let usual = ProbationRequest::lasting(lasts);
        ProbationRequest {
            error_rate_max: max_error_rate.unwrap_or(usual.error_rate_max),
            panics_max: max_panics.unwrap_or(usual.panics_max),
            ..usual
        }
    });
    let budget_ms = common.budget.map(millis);
    let request = ControlRequest::Swap { changes: pairs(changes)?, dry_run: *dry_run, probation, budget_ms };
    carry_out(&request, common, control)
}

/// `rollback`.
///
/// # Errors
/// As [`run`].
pub fn roll_back(command: &Rollback, control: &ControlOptions) -> anyhow::Result<()> {
    let Rollback { changes, state, dry_run, common } = command;
    let state = match state {
        State::Mapped => RollbackState::Mapped,
        State::Kept => RollbackState::Kept,
        State::MappedOrKept => RollbackState::MappedOrKept,
    };
    let budget_ms = common.budget.map(millis);
    let request = ControlRequest::Rollback { changes: pairs(changes)?, state, dry_run: *dry_run, budget_ms };
    carry_out(&request, common, control)
}

fn carry_out(request: &ControlRequest, common: &Common, control: &ControlOptions) -> anyhow::Result<()> {
    let report = control.ask(request, |event| tell(&format!("  {}", progress(event))))?;
    if common.json {
        return line_out(&report.to_string());
    }
    let blackout = duration_text(&report["blackout_us"]);
    match report["end"].as_str() {
        Some("dry run") => line_out(&format!("It would be done: {}. Nothing was changed.", changes_text(&report))),
        _ => {
            line_out(&format!("Done: {}. Callers waited for {blackout} at most.", changes_text(&report)))?;
            let lost: Vec<String> = report["state_lost"].as_array().into_iter().flatten().map(plain).collect();
            if lost.is_empty() {
                return Ok(());
            }
            line_out(&format!("What happened to them since they were replaced is lost: {}.", lost.join(", ")))
        }
    }
}

/// `MODULE VERSION MODULE VERSION ...`
fn pairs(arguments: &[String]) -> anyhow::Result<Vec<ChangeRequest>> {
    let pairs = arguments.chunks(2).map(|pair| match pair {
        [module, version] => Ok(ChangeRequest { module: module.clone(), version: version.clone() }),
        _ => Err(usage(format!("{} has no version after it; say KIND/NAME VERSION", pair[0]))),
    });
    pairs.collect()
}

fn parse_span(text: &str) -> Result<Duration, String> {
    parse_duration(text).map(|ms| Duration::from_millis(ms.unsigned_abs()))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn list(modules: &Json, layout: RowLayout) -> anyhow::Result<()> {
    let header = ["module", "version", "versions", "phase", "failed", "calls", "errors", "panics", "waiting"];
    print_records(modules, layout, &header, ", ")
}

fn history(swaps: &Json, layout: RowLayout) -> anyhow::Result<()> {
    let header = ["transaction", "time", "cause", "end", "blackout_us", "attempts", "changes", "state_lost", "reason"];
    print_rows(swaps.as_array().map_or(&[][..], Vec::as_slice), layout, &header, |swap, layout| {
        vec![
            plain(&swap["transaction"]),
            time_cell(&plain(&swap["time"]), layout),
            plain(&swap["cause"]),
            plain(&swap["end"]),
            plain(&swap["blackout_us"]),
            plain(&swap["attempts"]),
            changes_text(swap),
            swap["state_lost"].as_array().into_iter().flatten().map(plain).collect::<Vec<_>>().join(", "),
            plain(&swap["reason"]),
        ]
    })
}

fn changes_text(report: &Json) -> String {
    let change = |change: &Json| {
        let [module, from, to] = ["module", "from", "to"].map(|name| plain(&change[name]));
        format!("{module} {from} -> {to}")
    };
    report["changes"].as_array().into_iter().flatten().map(change).collect::<Vec<_>>().join(", ")
}

/// An event in words.
fn progress(event: &Json) -> String {
    let transaction = plain(&event["transaction"]);
    let what = plain(&event["event"]);
    let more = match what.as_str() {
        "began" => event["modules"].as_array().into_iter().flatten().map(plain).collect::<Vec<_>>().join(", "),
        "waiting" => plain(&event["for"]),
        "committed" => format!("gates were closed for {}", duration_text(&event["blackout_us"])),
        "aborted" => plain(&event["reason"]),
        "trouble" => format!("{}: {}", plain(&event["module"]), plain(&event["reason"])),
        _ => String::new(),
    };
    let what = if transaction.is_empty() { what } else { format!("transaction {transaction}: {what}") };
    if more.is_empty() { what } else { format!("{what}; {more}") }
}

fn duration_text(micros: &Json) -> String {
    match micros.as_u64() {
        Some(micros) if micros < 10_000 => format!("{micros} µs"),
        Some(micros) => format!("{} ms", micros / 1000),
        None => "an unknown time".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn modules_and_versions_come_in_pairs() {
        let asked = ["a/b", "1.1", "c/d", "1.0"].map(str::to_owned);
        let changes = pairs(&asked).unwrap();
        assert_eq!(changes[1], ChangeRequest { module: "c/d".into(), version: "1.0".into() });
        assert!(pairs(&asked[..3]).unwrap_err().to_string().contains("c/d has no version"));
    }

    #[test]
    fn events_and_reports_are_told_in_words() {
        let began = json!({ "event": "began", "transaction": 7, "modules": ["a/b 1.1", "c/d 1.0"] });
        assert_eq!(progress(&began), "transaction 7: began; a/b 1.1, c/d 1.0");
        let committed = json!({ "event": "committed", "transaction": 7, "blackout_us": 90 });
        assert_eq!(progress(&committed), "transaction 7: committed; gates were closed for 90 µs");
        assert_eq!(progress(&json!({ "event": "gates closed", "transaction": 7 })), "transaction 7: gates closed");
        let report = json!({ "changes": [{ "module": "a/b", "from": "1.0", "to": "1.1" }] });
        assert_eq!(changes_text(&report), "a/b 1.0 -> 1.1");
        assert_eq!(duration_text(&json!(12_345)), "12 ms");
    }
}
