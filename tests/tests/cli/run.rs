//! Running `hamsa` in a test: with nothing of the user's environment, within a bound.

use std::process::Command;

use hamsa_testkit::limits::LIVENESS;
use hamsa_testkit::{Process, Snmpd, hamsa};
use serde_json::Value;

/// How a command ended and what it said.
#[derive(Debug)]
pub struct Outcome {
    /// The exit status; `None` after a signal.
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// Its standard output, if it is done.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.status, Some(0), "{self:?}");
        self.stdout
    }

    /// Its standard error, if it has failed with this status.
    #[track_caller]
    pub fn failed(self, status: i32) -> String {
        assert_eq!(self.status, Some(status), "{self:?}");
        self.stderr
    }
}

/// A command, ready to be started.
pub fn command<S: AsRef<str>>(arguments: &[S]) -> Command {
    let mut command = Command::new(hamsa());
    command.env_clear().args(arguments.iter().map(AsRef::as_ref)).current_dir("/");
    command
}

/// Runs a command to its end.
#[track_caller]
pub fn run<S: AsRef<str>>(arguments: &[S]) -> Outcome {
    run_with(arguments, &[])
}

/// The same with some environment variables.
#[track_caller]
pub fn run_with<S: AsRef<str>>(arguments: &[S], environment: &[(&str, &str)]) -> Outcome {
    let mut command = command(arguments);
    command.envs(environment.iter().copied());
    let output = Process::spawn("hamsa", &mut command).finish(LIVENESS).expect("hamsa ends by itself");
    Outcome { status: output.status.code(), stdout: output.stdout, stderr: output.stderr }
}

/// Runs a command with these first words against an agent, by the community that may read.
#[track_caller]
pub fn read<S: AsRef<str>>(snmpd: &Snmpd, words: &[&str], names: &[S]) -> Outcome {
    let address = snmpd.address().to_string();
    let mut arguments: Vec<&str> = words.to_vec();
    arguments.extend(["-c", Snmpd::READ_COMMUNITY, "-t", "5", &address]);
    arguments.extend(names.iter().map(AsRef::as_ref));
    run(&arguments)
}

/// Each line of a text as JSON.
#[track_caller]
pub fn json_lines(text: &str) -> Vec<Value> {
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(parse).collect()
}
