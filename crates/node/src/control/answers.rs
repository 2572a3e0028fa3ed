//! What is answered, as JSON.

use hamsa_swap::{Abort, Cause, End, Happening, Health, ModuleInfo, Signature, SwapReport, Version};
use serde_json::{Value, json};

use super::moment::time;
use crate::swapping::{SwapHost, shown};

pub(super) fn list(host: &SwapHost) -> Value {
    host.manager().modules().iter().map(|module| info(host, module)).collect()
}

pub(super) fn show(host: &SwapHost, named: &str) -> Result<Value, String> {
    let id = host.catalogue().module(named).map_err(|error| error.to_string())?;
    let found = host.manager().modules().into_iter().find(|module| module.id == id);
    let module = found.ok_or_else(|| format!("{} is not installed", shown(&id)))?;
    let mut shown = info(host, &module);
    let methods = host.manager().signatures(&id).unwrap_or_default();
    shown["methods"] = methods.iter().map(method).collect();
    shown["catalogue"] = host.catalogue().versions(&id).iter().map(|package| version(&package.version)).collect();
    shown["depends_on"] = module.dependencies.iter().map(ToString::to_string).collect();
    Ok(shown)
}

pub(super) fn states(host: &SwapHost, named: &str) -> Result<Value, String> {
    let id = host.catalogue().module(named).map_err(|error| error.to_string())?;
    let kept = host.manager().kept_states(&id).map_err(|error| error.to_string())?;
    let state = |kept: &hamsa_swap::KeptState| {
        // Contents are not told: they may be keys.
        json!({
            "module": shown(&id),
            "version": number(kept.version),
            "schema": kept.state.schema(),
            "commits": kept.state.commits(),
            "objects": kept.state.objects().map(|(name, _)| name).collect::<Vec<_>>(),
            "octets": kept.state.octets(),
        })
    };
    Ok(kept.iter().map(state).collect())
}

pub(super) fn history(host: &SwapHost) -> Value {
    host.manager().history().iter().map(|swap| report(host, swap)).collect()
}

/// A report of a swap.
pub(super) fn report(host: &SwapHost, report: &SwapReport) -> Value {
    let changes = report
        .changes
        .iter()
        .map(|change| json!({ "module": shown(&change.module), "from": number(change.from), "to": number(change.to) }));
    let (end, reason) = match &report.end {
        End::Committed => ("committed", None),
        End::Aborted(Abort::DryRun) => ("dry run", None),
        End::Aborted(abort) => ("aborted", Some(abort.to_string())),
    };
    json!({
        "transaction": report.transaction,
        "time": time(host.time_of_day(report.at)),
        "cause": cause(&report.cause),
        "end": end,
        "reason": reason,
        "state_lost": report.state_lost.iter().map(shown).collect::<Vec<_>>(),
        "blackout_us": u64::try_from(report.blackout.as_micros()).unwrap_or(u64::MAX),
        "attempts": report.attempts,
        "changes": changes.collect::<Vec<_>>(),
    })
}

/// Why modules were replaced, in a few words.
fn cause(cause: &Cause) -> String {
    match cause {
        Cause::Swap => "swap".to_owned(),
        Cause::RollBack => "rollback".to_owned(),
        Cause::TakenBack { reason } => format!("taken back: {reason}"),
        Cause::Restart { reason } => format!("made again: {reason}"),
        Cause::Uninstall => "uninstall".to_owned(),
        other => format!("{other:?}"),
    }
}

/// What is told while a swap goes on; `None`: nothing.
pub(super) fn event(what: &Happening) -> Option<Value> {
    Some(match what {
        Happening::Began { transaction, modules } => {
            let modules: Vec<String> = modules.iter().map(|(id, to)| format!("{} {to}", shown(id))).collect();
            json!({ "event": "began", "transaction": transaction, "modules": modules })
        }
        Happening::Waiting { transaction, what } => {
            json!({ "event": "waiting", "transaction": transaction, "for": what })
        }
        Happening::Closed { transaction } => json!({ "event": "gates closed", "transaction": transaction }),
        Happening::Drained { transaction } => json!({ "event": "calls drained", "transaction": transaction }),
        Happening::Committed { transaction, blackout, state_lost, .. } => {
            let blackout_us = u64::try_from(blackout.as_micros()).unwrap_or(u64::MAX);
            let lost: Vec<String> = state_lost.iter().map(shown).collect();
            json!({ "event": "committed", "transaction": transaction, "blackout_us": blackout_us, "state_lost": lost })
        }
        Happening::Aborted { transaction, reason } => {
            json!({ "event": "aborted", "transaction": transaction, "reason": reason })
        }
        Happening::Trouble { module, reason } => {
            json!({ "event": "trouble", "module": shown(module), "reason": reason })
        }
        _ => return None,
    })
}

fn info(host: &SwapHost, module: &ModuleInfo) -> Value {
    let Health { calls, errors, panics, queued } = module.health;
    let available = host.catalogue().versions(&module.id);
    json!({
        "module": shown(&module.id),
        "kind": module.id.kind,
        "name": module.id.name,
        "version": module.version.to_string(),
        "note": module.version.note,
        "origin": module.origin,
        "phase": module.phase.name,
        "swappable": module.phase.swappable,
        "failed": module.has_failed,
        "schema": module.schema,
        "calls": calls,
        "errors": errors,
        "panics": panics,
        "waiting": queued,
        "versions": available.iter().map(|package| package.version.to_string()).collect::<Vec<_>>(),
    })
}

/// A method as it can be called by name: typed calls have more.
fn method(signature: &Signature) -> Value {
    let Signature { name, parameters, returns } = signature;
    let parameters: Vec<String> =
        parameters.iter().map(|parameter| format!("{}: {:?}", parameter.name, parameter.of)).collect();
    format!("{name}({}) -> {returns:?}", parameters.join(", ")).into()
}

fn version(version: &Version) -> Value {
    json!({ "version": version.to_string(), "note": version.note })
}

fn number((major, minor): (u32, u32)) -> String {
    format!("{major}.{minor}")
}
