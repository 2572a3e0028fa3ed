//! One device's way: identified, read in full, then lean until something calls for names again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hamsa_snmp::manager::{DeviceId, PollOutcome, PollResult};
use hamsa_snmp::{Oid, OidRef};
use serde_json::json;

use super::rows::Series;
use super::run::{Raw, Run};
use super::uptime::{Uptime, UptimeTracker};
use super::{Context, DeviceSpec};
use crate::fleet::DeviceState;
use crate::limits::MAX_ERRORS_SHOWN;
use crate::profile::{DevicePlan, PlanChoice, Profile, ScalarRole};
use crate::writer::{EventWrite, Write};

pub(super) struct Device {
    pub(super) id: DeviceId,
    pub(super) spec: DeviceSpec,
    pub(super) plan: Arc<DevicePlan>,
    pub(super) profiles: Vec<Arc<Profile>>,
    /// By the instance that a series is read from.
    pub(super) series: HashMap<Oid, Series>,
    pub(super) uptime: UptimeTracker,
    refresh_at: Instant,
}

impl Device {
    pub(super) fn new(id: DeviceId, spec: DeviceSpec, plan: Arc<DevicePlan>, uptime: UptimeTracker) -> Self {
        let refresh_at = Instant::now();
        Device { id, spec, plan, profiles: Vec::new(), series: HashMap::new(), uptime, refresh_at }
    }

    /// Takes a poll's findings. Returns the plan for the next poll, if it is another one, and whether that
    /// should be at once.
    pub(super) fn finish(
        &mut self,
        mut run: Run,
        outcome: &PollOutcome,
        context: &mut Context,
    ) -> Option<(Arc<DevicePlan>, bool)> {
        let now = outcome.finished;
        let mut problems = self.note_outcome(outcome, context);
        if let PollResult::Failed(_) = outcome.result {
            return None;
        }
        let last_read = self.uptime.last_read();
        let uptime = run.uptime(self.plan.uptime).map(|(at, ticks)| (self.uptime.observe(at, ticks), ticks));
        let restarted = matches!(uptime, Some((Uptime::Restarted | Uptime::Jumped, _)));
        if let Some((Uptime::Restarted, _)) = uptime {
            self.spec.entry.lock().restarts += 1;
            self.event(now, json!({ "event": "restarted" }), context);
        }
        let choice = if self.plan.sys_object_id.is_some() && !self.identify(&run, context) {
            problems.push("the agent has no sysObjectID: its profiles can't be chosen".to_owned());
            None
        } else if self.plan.profiles.is_empty() {
            Some(PlanChoice::Full)
        } else {
            run.sort();
            let reading = super::rows::Reading { now, restarted, last_read };
            let found = self.store_findings(&run, &reading, context, &mut problems);
            self.next_choice(found, restarted, outcome)
        };
        self.note_problems(problems);
        let choice = choice?;
        let at_once = matches!(choice, PlanChoice::Full) && self.plan.profiles.is_empty();
        let plan = context.planner.plan(&self.profiles, choice, self.spec.walk);
        if Arc::ptr_eq(&plan, &self.plan) {
            return None;
        }
        self.plan = plan.clone();
        Some((plan, at_once))
    }

    /// Chooses the profiles; whether that was possible.
    fn identify(&mut self, run: &Run, context: &mut Context) -> bool {
        let value = |(index, value, _): &(usize, Raw, _)| match value {
            Raw::Oid(range) if Some(*index) == self.plan.sys_object_id => OidRef::from_ber(run.octets(range)).ok(),
            _ => None,
        };
        let sys_object_id = run.scalars.iter().find_map(value);
        self.profiles = match (&self.spec.profiles, sys_object_id) {
            (Some(profiles), _) => profiles.clone(),
            (None, Some(sys_object_id)) => context.profiles.matching(sys_object_id),
            // What every device gets, an agent without identity gets too.
            (None, None) => context.profiles.matching(OidRef::ZERO),
        };
        let mut status = self.spec.entry.lock();
        status.profiles = self.profiles.iter().map(|profile| profile.name.clone()).collect();
        self.spec.profiles.is_some() || sys_object_id.is_some()
    }

    /// After a full poll that went well a lean one; a full one again when names may have changed.
    fn next_choice(&mut self, found: super::rows::Found, restarted: bool, outcome: &PollOutcome) -> Option<PlanChoice> {
        let now = outcome.finished;
        if self.plan.is_full {
            // What a partial poll did not see may be there all the same: it is asked for in full again.
            if outcome.result != PollResult::Complete && found.series == 0 {
                return None;
            }
            self.refresh_at = now + found.refresh;
            return Some(PlanChoice::Lean(found.tables));
        }
        (restarted || found.has_new_rows || now >= self.refresh_at).then_some(PlanChoice::Full)
    }

    /// Facts, scalars and tables of a poll.
    fn store_findings(
        &mut self,
        run: &Run,
        reading: &super::rows::Reading,
        context: &mut Context,
        problems: &mut Vec<String>,
    ) -> super::rows::Found {
        if self.plan.is_full {
            self.note_facts(run, context);
        }
        let found = self.store_rows(run, reading, context, problems);
        if run.left_out > 0 {
            problems.push(format!("{} cells were left out: the device has too many", run.left_out));
        }
        self.spec.entry.lock().series = self.series.len();
        found
    }

    fn note_facts(&self, run: &Run, context: &Context) {
        let mut status = self.spec.entry.lock();
        for (index, raw, _) in &run.scalars {
            let ScalarRole::Fact(..) = self.plan.scalars[*index] else { continue };
            let (Some(object), Some(value)) = (self.plan.scalar_object(*index), run.value(raw)) else { continue };
            let text = super::rows::text_of(&context.mib, object, &value);
            status.facts.insert(object.name.clone(), text);
        }
    }

    /// Puts a poll's outcome into the status; returns what went wrong.
    fn note_outcome(&mut self, outcome: &PollOutcome, context: &mut Context) -> Vec<String> {
        let now_ms = (context.unix_ms)(outcome.finished);
        let (state, problems) = match &outcome.result {
            PollResult::Complete => (DeviceState::Up, Vec::new()),
            PollResult::Partial(errors) if outcome.variables == 0 => {
                (DeviceState::Down, errors.iter().map(ToString::to_string).collect())
            }
            PollResult::Partial(errors) => {
                (DeviceState::Degraded, errors.iter().map(|error| self.describe(error, context)).collect())
            }
            PollResult::Failed(error) => (DeviceState::Down, vec![error.to_string()]),
        };
        let millis = |duration: Duration| duration.as_millis() as u64;
        let mut status = self.spec.entry.lock();
        let before = status.state;
        status.last_poll_ms = Some(now_ms);
        status.poll_duration_ms = millis(outcome.finished.saturating_duration_since(outcome.started));
        status.poll_lateness_ms = millis(outcome.started.saturating_duration_since(outcome.due));
        (status.requests, status.retransmissions) = (outcome.requests, outcome.retransmissions);
        status.variables = outcome.variables;
        status.rtt_us = outcome.rtt.map(|rtt| rtt.as_micros() as u64);
        if state != DeviceState::Down {
            status.last_success_ms = Some(now_ms);
        }
        if before != state {
            status.state = state;
            status.state_since_ms = now_ms;
        }
        status.errors = problems.iter().take(MAX_ERRORS_SHOWN).cloned().collect();
        drop(status);
        let was_down = before == DeviceState::Down;
        if was_down != (state == DeviceState::Down) {
            let event =
                if was_down { json!({ "event": "up" }) } else { json!({ "event": "down", "errors": problems }) };
            self.event(outcome.finished, event, context);
        }
        problems
    }

    fn note_problems(&self, problems: Vec<String>) {
        let mut status = self.spec.entry.lock();
        if !problems.is_empty() && status.state == DeviceState::Up {
            status.state = DeviceState::Degraded;
        }
        status.errors = problems;
        status.errors.truncate(MAX_ERRORS_SHOWN);
    }

    /// An error with the object's name in the place of its OID.
    fn describe(&self, error: &hamsa_snmp::manager::PollError, context: &Context) -> String {
        use hamsa_snmp::manager::PollError;
        use hamsa_snmp::mib::OidFormat;
        let name = |oid: &Oid| context.mib.format_oid(oid.as_oid(), OidFormat::Short);
        match error {
            PollError::Scalar { name: oid, error } => format!("{}: {error}", name(oid)),
            PollError::Column { column, error } => format!("{}: {error}", name(column)),
            other => other.to_string(),
        }
    }

    fn event(&self, now: Instant, payload: serde_json::Value, context: &mut Context) {
        context.writes.push(Write::Event(EventWrite {
            time_ms: (context.unix_ms)(now),
            kind: "device",
            device: self.spec.entry.name.clone(),
            payload: payload.to_string().into(),
            acknowledgement: None,
        }));
    }
}
