//! Processor time that a poller spends for each request: ours, net-snmp's C library and async-snmp, and the bare
//! system calls as the floor, all on the same canned responder in one run. `benches/README.md` says what is compared.
//!
//! This program is also what it starts: `role NAME ...` is one contender, or the responder.

mod async_snmp;
mod bare;
mod children;
mod engine;
mod limits;
mod netsnmp;
mod ours;
mod responder;
mod workload;

use std::process::{Command, ExitCode};

use anyhow::{Context, bail, ensure};
use hamsa_bench_rounds::{Figures, Target, claim, skipped, take_turns};

use children::{Running, say};
use limits::{REQUESTS, ROUNDS, RUN_LIMIT, START_LIMIT, V3_REQUESTS, V3_ROUNDS};
use netsnmp::{Program, Waiting};
use workload::{Job, Security, Taken, sum_of_answer};

/// Who polls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Contender {
    Manager,
    Poller,
    Bare,
    AsyncSnmp,
    NetSnmp(Waiting),
}

const USAGE: &str = "usage: hamsa-bench-poller [role (responder | CONTENDER PORT REQUESTS (v2c | v3))]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        [] => compare_all(),
        ["role", "responder"] => responder::run(),
        ["role", name, port, requests, security] => run_role(name, port, requests, security),
        _ => Err(anyhow::anyhow!(USAGE)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("hamsa-bench-poller: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run_role(name: &str, port: &str, requests: &str, security: &str) -> anyhow::Result<()> {
    children::end_with_parent(|| {});
    let job = Job {
        port: port.parse().context("PORT")?,
        requests: requests.parse().context("REQUESTS")?,
        security: Security::parse(security)?,
    };
    let taken = match name {
        "manager" => ours::run_manager(job),
        "poller" => ours::run_poller(job),
        "bare" => bare::run(job),
        "async-snmp" => async_snmp::run(job),
        _ => bail!("{USAGE}"),
    }?;
    say(&taken.line());
    Ok(())
}

fn compare_all() -> anyhow::Result<()> {
    let program = netsnmp::compile();
    if let Err(why) = &program {
        say(&format!("without net-snmp: {why:#}"));
    }
    compare(Security::V2c, &program)?;
    compare(Security::V3, &program)
}

/// Lets all contenders poll in turns, and claims.
fn compare(security: Security, program: &anyhow::Result<Program>) -> anyhow::Result<()> {
    let mut contenders = vec![Contender::Manager, Contender::Poller, Contender::AsyncSnmp];
    if security == Security::V2c {
        contenders.push(Contender::Bare);
    }
    if program.is_ok() {
        contenders.push(Contender::NetSnmp(Waiting::Epoll));
        contenders.push(Contender::NetSnmp(Waiting::Select));
    }
    let (requests, rounds) = match security {
        Security::V2c => (REQUESTS, ROUNDS),
        Security::V3 => (V3_REQUESTS, V3_ROUNDS),
    };
    let mut responder = Running::start(Command::new(std::env::current_exe()?).args(["role", "responder"]))?;
    let port = responder
        .wait_for(START_LIMIT, |line| Some(line.strip_prefix("READY ")?.parse::<u16>().context("the responder's port")))
        .context("the responder")?;
    let job = Job { port, requests, security };
    let mut runs: Vec<_> = contenders.iter().map(|&contender| move || run(contender, job, program)).collect();
    let mut turns: Vec<&mut dyn FnMut() -> anyhow::Result<f64>> = Vec::new();
    for run in &mut runs {
        turns.push(run);
    }
    let figures = take_turns(rounds, &mut turns)?;
    let spent = dismiss(responder).context("the responder")?;
    say(&format!("{} responder        {spent:8.0} ns of processor time an answer", security.name()));
    claim_all(security, &contenders, &figures, program);
    Ok(())
}

/// Ends the responder; the nanoseconds of processor time that it has spent on an answer.
fn dismiss(mut responder: Running) -> anyhow::Result<f64> {
    responder.dismiss();
    let spent = responder.wait_for(START_LIMIT, |line| {
        let (answers, cpu_us) = line.strip_prefix(responder::SPENT)?.trim().split_once(' ')?;
        let each = |answers: f64, cpu_us: f64| cpu_us * 1e3 / answers;
        Some(answers.parse().and_then(|answers| Ok(each(answers, cpu_us.parse()?))).context("its last line"))
    })?;
    responder.finish(START_LIMIT)?;
    Ok(spent)
}

/// One run of one contender; its nanoseconds of processor time a request.
fn run(contender: Contender, job: Job, program: &anyhow::Result<Program>) -> anyhow::Result<f64> {
    let Job { port, requests, security } = job;
    let mut command = match (contender, program) {
        (Contender::NetSnmp(waiting), Ok(program)) => {
            let mut command = program.command();
            command.arg(waiting.name());
            command
        }
        (Contender::NetSnmp(_), Err(why)) => bail!("{why:#}"),
        _ => {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["role", contender.name()]);
            command
        }
    };
    command.args([port.to_string(), requests.to_string(), security.name().to_owned()]);
    let mut child = Running::start(&mut command)?;
    let taken = child.wait_for(RUN_LIMIT, Taken::parse).with_context(|| contender.name().to_owned())?;
    child.finish(START_LIMIT).with_context(|| contender.name().to_owned())?;
    let expected = sum_of_answer(contender == Contender::Poller).wrapping_mul(taken.answers);
    ensure!(taken.sum == expected, "{} did not read what was sent", contender.name());
    say(&format!(
        "{} {:16} {:8.0} ns of processor time a request, {:8.0} ns of wall time, {} failed",
        security.name(),
        contender.name(),
        taken.cpu_ns,
        taken.wall_ns,
        taken.failures
    ));
    Ok(taken.cpu_ns)
}

fn claim_all(security: Security, contenders: &[Contender], figures: &[Figures], program: &anyhow::Result<Program>) {
    let of = |contender| contenders.iter().position(|&other| other == contender).map(|at| &figures[at]);
    let target = if security == Security::V2c { Target::AtLeast(2.0) } else { Target::Informs };
    for (ours, title) in [(Contender::Manager, "manager"), (Contender::Poller, "whole poller")] {
        let Some(our_figures) = of(ours) else { continue };
        let what = format!("{} poll, processor time a request, {title}", security.name());
        for peer in [Contender::NetSnmp(Waiting::Epoll), Contender::NetSnmp(Waiting::Select), Contender::AsyncSnmp] {
            if let Some(peer_figures) = of(peer) {
                claim(&what, peer.name(), &our_figures.against(peer_figures), target);
            }
        }
        if let Err(why) = program {
            skipped(&what, "net-snmp", &format!("{why:#}"), target);
        }
        if let Some(bare) = of(Contender::Bare) {
            claim(&what, "bare system calls", &our_figures.against(bare), Target::Informs);
        }
    }
}

impl Contender {
    fn name(self) -> &'static str {
        match self {
            Contender::Manager => "manager",
            Contender::Poller => "poller",
            Contender::Bare => "bare",
            Contender::AsyncSnmp => "async-snmp",
            Contender::NetSnmp(Waiting::Epoll) => "net-snmp (epoll)",
            Contender::NetSnmp(Waiting::Select) => "net-snmp (select)",
        }
    }
}
