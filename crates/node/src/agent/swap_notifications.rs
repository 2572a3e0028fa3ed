//! The notifications of HAMSA-SWAP-MIB: what is told of swaps, one for each module of a transaction.

use hamsa_snmp::notification::Notification;
use hamsa_snmp::value::Value;
use hamsa_swap::{Abort, Cause, End, ModuleId, SwapReport, VersionNumber};

use super::swap_mib::{HAMSA_SWAP_MIB, TEXT_OCTETS};
use super::variables::below;

/// Below hamsaSwapNotifications.
const SWAPPED: u32 = 1;
const ABORTED: u32 = 2;
const ROLLED_BACK: u32 = 3;
const MODULE_FAILED: u32 = 4;

/// Below hamsaSwapEvent.
const TRANSACTION: u32 = 1;
const KIND: u32 = 2;
const NAME: u32 = 3;
const FROM: u32 = 4;
const TO: u32 = 5;
const BLACKOUT: u32 = 6;
const REASON: u32 = 7;
const STATE_LOST: u32 = 8;

/// What is told of a swap: nothing of a dry run.
pub(super) fn of_swap(report: &SwapReport, uptime_ticks: u32) -> Vec<Notification> {
    let transaction = Value::Gauge32(report.transaction as u32);
    let blackout = Value::Gauge32(u32::try_from(report.blackout.as_micros()).unwrap_or(u32::MAX));
    let told = report.changes.iter().filter_map(|change| {
        let to = if report.cause == Cause::Uninstall { String::new() } else { number(change.to) };
        let from = number(change.from);
        let is_lost = report.state_lost.contains(&change.module);
        let lost = Value::Integer(if is_lost { 1 } else { 2 });
        let abort;
        let (what, more) = match (&report.end, &report.cause) {
            (End::Aborted(Abort::DryRun), _) => return None,
            (End::Aborted(reason), _) => {
                abort = reason.to_string();
                (ABORTED, vec![(REASON, text(&abort))])
            }
            (End::Committed, Cause::Swap | Cause::Uninstall) => (SWAPPED, vec![(BLACKOUT, blackout)]),
            (End::Committed, Cause::TakenBack { reason } | Cause::Restart { reason }) => {
                (ROLLED_BACK, vec![(BLACKOUT, blackout), (REASON, text(reason)), (STATE_LOST, lost)])
            }
            // Asked for, so there is no reason but that.
            (End::Committed, _) => (ROLLED_BACK, vec![(BLACKOUT, blackout), (REASON, text("")), (STATE_LOST, lost)]),
        };
        let ModuleId { kind, name } = &change.module;
        let all = [(TRANSACTION, transaction), (KIND, text(kind)), (NAME, text(name)), (FROM, text(&from))];
        let all = all.into_iter().chain([(TO, text(&to))]).chain(more);
        Some(notification(what, uptime_ticks, all))
    });
    told.collect()
}

/// What is told of a module that panicked.
pub(super) fn of_failure(
    ModuleId { kind, name }: &ModuleId,
    version: VersionNumber,
    message: &str,
    uptime_ticks: u32,
) -> Notification {
    let version = number(version);
    let all = [(KIND, text(kind)), (NAME, text(name)), (FROM, text(&version)), (REASON, text(message))];
    notification(MODULE_FAILED, uptime_ticks, all)
}

fn notification<'a>(what: u32, uptime_ticks: u32, objects: impl IntoIterator<Item = (u32, Value<'a>)>) -> Notification {
    let mut notification = Notification::of(&[HAMSA_SWAP_MIB, &[0, what]].concat(), uptime_ticks);
    for (object, value) in objects {
        if let Some(name) = below(HAMSA_SWAP_MIB, [1, 4, object, 0]) {
            notification.varbinds.push(name.as_oid(), value);
        }
    }
    notification
}

fn text(text: &str) -> Value<'_> {
    Value::OctetString(&text.as_bytes()[..text.floor_char_boundary(TEXT_OCTETS)])
}

fn number((major, minor): VersionNumber) -> String {
    format!("{major}.{minor}")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use hamsa_swap::journal::Change;

    use super::*;

    fn report(cause: Cause, end: End, lost: bool) -> SwapReport {
        let ids = [ModuleId::new("MIB module", "IF-MIB"), ModuleId::new("auth protocol", "MD5")];
        let change = |id: &ModuleId| Change { module: id.clone(), from: (1, 1), to: (1, 0) };
        SwapReport {
            transaction: 7,
            cause,
            changes: ids.iter().map(change).collect(),
            state_lost: if lost { ids[..1].to_vec() } else { Vec::new() },
            end,
            blackout: Duration::from_micros(250),
            attempts: 1,
            at: Instant::now(),
        }
    }

    /// The last arc of each notification's name, and of its objects with their values.
    fn told(report: &SwapReport) -> Vec<(String, Vec<String>)> {
        let of = |notification: &Notification| {
            let objects = notification.varbinds.iter().map(|variable| {
                let name = variable.name.to_string();
                let value = match variable.value {
                    Value::OctetString(text) => String::from_utf8_lossy(text).into_owned(),
                    Value::Gauge32(number) => number.to_string(),
                    Value::Integer(number) => number.to_string(),
                    other => format!("{other:?}"),
                };
                format!("{}={value}", name.strip_prefix("1.3.6.1.4.1.32473.1.2.1.4.").unwrap())
            });
            let trap = notification.trap_oid.to_string();
            (trap.strip_prefix("1.3.6.1.4.1.32473.1.2.0.").unwrap().to_owned(), objects.collect())
        };
        of_swap(report, 5).iter().map(of).collect()
    }

    #[test]
    fn each_module_of_a_swap_is_told_of_and_none_of_a_dry_run() {
        let swapped = told(&report(Cause::Swap, End::Committed, false));
        let objects = ["1.0=7", "2.0=MIB module", "3.0=IF-MIB", "4.0=1.1", "5.0=1.0", "6.0=250"];
        assert_eq!(swapped[0], ("1".to_owned(), objects.map(str::to_owned).to_vec()));
        assert_eq!((swapped.len(), &*swapped[1].1[2]), (2, "3.0=MD5"));
        assert_eq!(told(&report(Cause::Swap, End::Aborted(Abort::DryRun), false)), []);
        let aborted = told(&report(Cause::RollBack, End::Aborted(Abort::Vote("no".to_owned())), false));
        assert_eq!((&*aborted[0].0, aborted[0].1.last().map(String::as_str)), ("2", Some("7.0=no")));
        let gone = told(&report(Cause::Uninstall, End::Committed, false));
        assert_eq!((&*gone[0].0, &*gone[0].1[4]), ("1", "5.0="));
    }

    #[test]
    fn a_version_that_was_taken_back_says_why_and_whether_state_was_lost() {
        let cause = Cause::TakenBack { reason: "3 panics".to_owned() };
        let told = told(&report(cause, End::Committed, true));
        assert_eq!((&*told[0].0, &told[0].1[6..]), ("3", &["7.0=3 panics".to_owned(), "8.0=1".to_owned()][..]));
        assert_eq!(told[1].1[7], "8.0=2");
    }
}
