//! Control of the modules of a running process: one JSON request, any number of JSON lines that tell how it goes, and one
//! JSON answer. A Unix socket in the data directory ([`ControlSocket`]) and HTTP ([`ControlHttp`]) carry them.
//!
//! ```text
//! request = {"op":"group","ask":"members"|"counters"|{"views":{"group":G,"link":L}}|{"history":{"group":G,"link":L}}|{"cut":{"sides":[[N]]}}|"heal"|{"delay":{"node":N,"ms":N}}|{"drop":{"node":N}}|{"add":{"node":N}}}
//!         | {"op":"enterprise","ask":"nodes"|"pairs"|{"list":{"prefix":P}}|{"get":{"name":N}}|{"set":{"name":N,"value":V}}|{"delete":{"name":N}}}
//!         | {"op":"list"} | {"op":"show","module":M} | {"op":"states","module":M} | {"op":"history"}
//!         | {"op":"install","module":M} | {"op":"uninstall","module":M}
//!         | {"op":"swap","changes":[{"module":M,"version":V},...],"dry_run":B,"probation":{...},"budget_ms":N}
//!         | {"op":"rollback","changes":[...],"state":"mapped"|"kept"|"mapped-or-kept","dry_run":B,...}
//! event   = {"event":TEXT,...}
//! answer  = {"result":...} | {"error":TEXT}
//! ```

mod answers;
mod controlled;
mod http;
mod moment;
mod request;
mod socket;

pub(crate) use moment::moment;
pub(crate) use request::version;

pub use controlled::Controlled;
pub use http::{ControlHttp, ControlHttpError};
pub use request::{
    ChangeRequest, ControlRequest, EnterpriseRequest, GroupRequest, NamedGroups, ProbationRequest, RollbackState,
};
pub use socket::{ControlSocket, ControlSocketError, SOCKET_NAME};

use std::time::{Duration, Instant};

use hamsa_swap::{Request, SwapError, SwapOptions, Ticket};
use serde_json::{Value, json};

use crate::limits::{CONTROL_ANSWER_WAIT, MAX_SWAP_EVENTS};
use crate::swapping::{Asker, SwapHost};
use crate::{enterprise, group};

/// Carries a request out; `tell` gets the events on the way. The answer is a `result` or an `error`.
pub fn carry_out(controlled: &Controlled, who: &Asker, request: ControlRequest, mut tell: impl FnMut(&Value)) -> Value {
    let host = &*controlled.host;
    let done = match request {
        _ if !host.permissions().may_swap(who) => {
            Err(format!("{} may not look at or replace modules", who.principal().0))
        }
        ControlRequest::Group { ask } => group::answer(&controlled.all_groups(), ask),
        ControlRequest::Enterprise { ask } => match &controlled.enterprise {
            Some(enterprise) => enterprise::answer(enterprise, ask),
            None => Err("this node is in no enterprise: it has no [enterprise] in its configuration".to_owned()),
        },
        ControlRequest::List => Ok(answers::list(host)),
        ControlRequest::Show { module } => answers::show(host, &module),
        ControlRequest::States { module } => answers::states(host, &module),
        ControlRequest::History => Ok(answers::history(host)),
        ControlRequest::Install { module } => host.install_offered(&module).and_then(|_| answers::show(host, &module)),
        ControlRequest::Uninstall { module } => {
            host.uninstall_offered(&module).map(|report| answers::report(host, &report))
        }
        ControlRequest::Swap { .. } | ControlRequest::Rollback { .. } => swap(host, who, request, &mut tell),
    };
    match done {
        Ok(result) => json!({ "result": result }),
        Err(error) => json!({ "error": error }),
    }
}

fn swap(host: &SwapHost, who: &Asker, request: ControlRequest, tell: &mut impl FnMut(&Value)) -> Result<Value, String> {
    let request = request.for_kernel(host, who).map_err(|error| error.to_string())?;
    let (Request::Swap { options, .. } | Request::RollBack { options, .. }) = &request;
    // It may wait for its turn, then for readiness, then for the budget.
    let patience = CONTROL_ANSWER_WAIT + options.timing.ready_within + options.timing.budget;
    let SwapOptions { dry_run, .. } = *options;
    let events = host.manager().observe(MAX_SWAP_EVENTS);
    let ticket = host.submit(request).map_err(|error| error.to_string())?;
    let deadline = Instant::now() + patience;
    let answer = loop {
        let answer = wait(&ticket, deadline);
        while let Some(event) = events.next_event() {
            if let Some(event) = answers::event(&event.what) {
                tell(&event);
            }
        }
        if let Some(answer) = answer {
            break answer?;
        }
    };
    match answer {
        Ok(report) => {
            if !dry_run {
                // Whoever hears that it is done may rely on what follows from it.
                host.settle();
            }
            Ok(answers::report(host, &report))
        }
        Err(SwapError::Denied(denied)) => Err(denied.to_string()),
        Err(error) => Err(format!("{error}; the old versions serve on")),
    }
}

/// How often events are passed on.
const EVENTS_EVERY: Duration = Duration::from_millis(20);

/// `None`: not yet.
fn wait(ticket: &Ticket, deadline: Instant) -> Option<Result<hamsa_swap::Answer, String>> {
    match ticket.wait(EVENTS_EVERY) {
        Some(answer) => Some(Ok(answer)),
        None if Instant::now() >= deadline => {
            Some(Err("no answer yet: the swap still waits for its turn, see `hamsa modules history`".to_owned()))
        }
        None => None,
    }
}
