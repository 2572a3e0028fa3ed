//! What went wrong with an agent, and what can be done about it. Nothing here shows a secret.

use hamsa_node::client::{AskError, WaitError};
use hamsa_node::config::{Credentials, Security};
use hamsa_snmp::engine::Statistic;
use hamsa_snmp::manager::{Problem, RequestError, WalkError};
use hamsa_snmp::message::SecurityLevel;
use hamsa_snmp::pdu::ErrorStatus;

use crate::failure::{Interrupted, advised};
use crate::options::Target;

/// Version and, in v3, user and level: `SNMPv3 authPriv as ops`.
pub fn speaker(credentials: &Credentials) -> String {
    match &credentials.security {
        Security::V1(_) => "SNMPv1".to_owned(),
        Security::V2c(_) => "SNMPv2c".to_owned(),
        Security::V3(user) => format!("SNMPv3 {} as {}", user.level.name(), user.user),
    }
}

/// An error of a request.
pub fn explain(target: &Target, error: AskError) -> anyhow::Error {
    match error {
        AskError::Wait(WaitError::Interrupted) => Interrupted("interrupted".to_owned()).into(),
        AskError::Request(error) => explain_request(target, &error),
        other => other.into(),
    }
}

fn explain_request(target: &Target, error: &RequestError) -> anyhow::Error {
    let Target { label, address, credentials, timing, .. } = target;
    let who = if *label == address.to_string() { label.clone() } else { format!("{label} ({address})") };
    match error {
        RequestError::Timeout { attempts, last_problem } => {
            let wait = timing.initial.as_secs_f64();
            let problem = format!("no answer from {who} to {} in {attempts} tries of {wait} s", speaker(credentials));
            advised(problem, timeout_advice(target, last_problem.as_ref()))
        }
        RequestError::Report(statistic) => {
            let problem = format!("{who} turned the request away: {} ({})", said(*statistic), statistic.object_name());
            advised(problem, report_advice(*statistic, credentials))
        }
        RequestError::NotSynchronised(statistic) => advised(
            format!("{who} keeps reporting {}: its engine could not be synchronised with", statistic.object_name()),
            "Its clock or engine ID may change all the time, or two devices may share the address.",
        ),
        RequestError::Send(error) => advised(format!("the request for {who} can't be made: {error}"), ""),
    }
}

fn timeout_advice(target: &Target, problem: Option<&Problem>) -> String {
    let is_there = "The agent is there, since it has told its engine ID.";
    let port = target.address.port();
    let reach =
        format!("Is the address right, and does an agent listen on UDP port {port}? Does a firewall let it through?");
    let mut advice = match &target.credentials.security {
        Security::V1(_) | Security::V2c(_) => {
            format!("{reach}\nAgents stay silent where the community is wrong, or where they take none from this host.")
        }
        Security::V3(user) if user.engine_id.is_some() => {
            format!("{reach}\nAgents stay silent to requests for another engine: leave -e out.")
        }
        Security::V3(_) if problem == Some(&Problem::NoDiscovery) => {
            format!("{reach}\nAn agent that has no SNMPv3 stays silent too.")
        }
        Security::V3(user) if user.level == SecurityLevel::AuthPriv => {
            format!("{is_there} Check -X and -x: many agents stay silent to what they can't decrypt.")
        }
        Security::V3(_) => format!("{is_there} The answer was lost, or the agent is slow: try a longer -t."),
    };
    match problem {
        Some(Problem::NoDiscovery) | None => {}
        Some(problem) => advice.push_str(&format!("\nSomething did come: {problem}.")),
    }
    advice
}

/// What a Report says, from the reader's side.
pub fn said(statistic: Statistic) -> &'static str {
    match statistic {
        Statistic::UnknownUserNames => "it knows no such user",
        Statistic::WrongDigests => "the digest is wrong",
        Statistic::DecryptionErrors => "it could not decrypt the request",
        Statistic::UnsupportedSecurityLevels => "the user can't be used at this security level",
        Statistic::UnknownEngineIds => "the engine ID is not its own",
        Statistic::NotInTimeWindows => "the time is not its own",
        Statistic::UnknownContexts => "it has no such context",
        Statistic::UnavailableContexts => "it can't reach that context now",
        Statistic::UnknownPduHandlers => "it takes no such requests for this engine ID",
        Statistic::UnknownSecurityModels => "it lacks the user-based security model",
        other => other.description(),
    }
}

fn report_advice(statistic: Statistic, credentials: &Credentials) -> String {
    let Security::V3(user) = &credentials.security else { return String::new() };
    let protocol = user.authentication.as_ref().map_or("none", |authentication| authentication.protocol.name());
    match statistic {
        Statistic::UnknownUserNames => format!(
            "Check -u: user names are case-sensitive (you asked as {}). On the agent the user must exist for this engine ID.",
            user.user
        ),
        Statistic::WrongDigests => format!(
            "Check -A, the password, and -a, the protocol (you used {protocol}): the agent has others for this user."
        ),
        Statistic::DecryptionErrors => {
            "Check -X, the password, and -x, the protocol: the agent has others for this user.\n\
             AES-192 and AES-256 come in two kinds: agents in Cisco's manner need AES-192-C and AES-256-C."
                .to_owned()
        }
        Statistic::UnsupportedSecurityLevels => {
            format!("You asked at {}. Check -l, -a and -x: the agent's user has other protocols.", user.level.name())
        }
        Statistic::UnknownEngineIds => "Leave -e out: the agent's engine ID is discovered then.".to_owned(),
        Statistic::UnknownContexts | Statistic::UnavailableContexts => "Check -n, the context, and -E.".to_owned(),
        Statistic::UnknownPduHandlers => "Check -E: the context's engine ID.".to_owned(),
        _ => String::new(),
    }
}

/// What an error-status means for the user.
pub fn status_advice(status: ErrorStatus) -> &'static str {
    match status {
        ErrorStatus::NO_SUCH_NAME => {
            "The agent has no such variable, or it may not be seen or changed with these credentials."
        }
        ErrorStatus::TOO_BIG => "The answer does not fit into a message: ask for less at once.",
        ErrorStatus::NO_ACCESS | ErrorStatus::AUTHORIZATION_ERROR => {
            "These credentials may not do this: the agent's access control (view, group) decides."
        }
        ErrorStatus::NOT_WRITABLE | ErrorStatus::READ_ONLY => {
            "The variable can't be changed, or not with these credentials: a community that may write is another one."
        }
        ErrorStatus::WRONG_TYPE | ErrorStatus::WRONG_ENCODING => {
            "The variable has another type: `=` takes it from the MIB."
        }
        ErrorStatus::WRONG_LENGTH => "The string is too long or too short for this variable.",
        ErrorStatus::WRONG_VALUE | ErrorStatus::BAD_VALUE => "The variable does not take this value.",
        ErrorStatus::NO_CREATION => "There is no such instance, and the agent makes none.",
        ErrorStatus::INCONSISTENT_NAME => "There is no such instance, and it can't be made as things are now.",
        ErrorStatus::INCONSISTENT_VALUE => "The value does not go with the others that the agent has now.",
        ErrorStatus::RESOURCE_UNAVAILABLE => "The agent lacks memory or the like for this.",
        ErrorStatus::COMMIT_FAILED => "The agent took the change and could not make it; nothing has changed.",
        ErrorStatus::UNDO_FAILED => "The agent could make the change only in part, and could not take it back.",
        ErrorStatus::GEN_ERR => "The agent failed; its log may tell why.",
        _ => "",
    }
}

/// What the end of a walk means for the user.
pub fn walk_advice(error: &WalkError) -> &'static str {
    match error {
        WalkError::NotIncreasing { .. } => "-Cc goes on all the same, for as long as the agent does.",
        WalkError::TooManyRows { .. } => "The agent may invent variables; walk a smaller part of the tree.",
        WalkError::EmptyResponse => "The agent breaks the protocol; -v1 or -Cr1 may work around it.",
        WalkError::Agent { status, .. } => status_advice(*status),
    }
}
