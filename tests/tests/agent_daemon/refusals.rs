//! Who may not swap is told so.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use hamsa_testkit::limits::LIVENESS;
use hamsa_testkit::{NetSnmp, Process, free_tcp, hamsa, program, require, skip};
use serde_json::json;

use crate::support::Agent;

#[test]
fn other_users_of_the_host_may_not_use_the_socket() {
    let tools = require!(NetSnmp::new());
    let setpriv = require!(program("setpriv"));
    let agent = Agent::start(&[tools.user("priv-SHA-256-AES").clone()], "");
    let mode = std::fs::metadata(agent.socket()).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
    if !rustix::process::geteuid().is_root() {
        skip!("only root can become another user");
    }
    let mut command = Command::new(setpriv);
    command.args(["--reuid", "65534", "--clear-groups"]).arg(hamsa()).args(["modules", "list", "--socket"]);
    let output = Process::spawn("nobody", command.arg(agent.socket())).finish(LIVENESS).unwrap();
    assert!(!output.status.success(), "{output:?}");
    // Where nobody may not even run our binary, there is nothing to see.
    let is_told = output.stderr.contains("not allowed") && output.stderr.contains("the user that runs the agent");
    assert!(is_told || output.stderr.contains("setpriv"), "{output:?}");
}

#[test]
fn http_asks_for_the_token_and_the_socket_for_requests() {
    let tools = require!(NetSnmp::new());
    let address = free_tcp();
    let token = "sixteen-or-more-characters";
    let control = format!("[control]\nlisten = \"{address}\"\ntoken = \"{token}\"\n");
    let agent = Agent::start(&[tools.user("priv-SHA-256-AES").clone()], &control);
    let url = format!("http://{address}");
    let swap = ["modules", "swap", "application/command-responder", "1.0", "--url", &url];
    let without = agent.hamsa(&swap);
    assert!(!without.status.success() && without.stderr.contains("a token is needed"), "{without:?}");
    let wrong = agent.hamsa(&[&swap[..], &["--token", "some-other-characters"]].concat());
    assert!(!wrong.status.success() && wrong.stderr.contains("the token is wrong"), "{wrong:?}");
    assert!(agent.modules().contains(&("application/command-responder".to_owned(), "1.1".to_owned())));
    let right = agent.hamsa(&[&swap[..], &["--token", token]].concat());
    assert!(right.status.success() && right.stdout.contains("command-responder 1.1 -> 1.0"), "{right:?}");
    assert!(agent.modules().contains(&("application/command-responder".to_owned(), "1.0".to_owned())));

    // What a page of another site could send: no token, and no answer but that.
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIVENESS)).unwrap();
    let body = json!({ "op": "list" }).to_string();
    let length = body.len();
    write!(stream, "POST /control HTTP/1.0\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 401") || answer.starts_with("HTTP/1.1 401"), "{answer}");

    for wrong in [json!({ "op": "stop" }), json!([1, 2]), json!({ "op": "show" })] {
        let error = agent.try_ask(&wrong).unwrap_err();
        assert!(error.starts_with("not a request"), "{error}");
    }
    let error = agent.try_ask(&json!({ "op": "swap", "changes": [] })).unwrap_err();
    assert!(error.contains("a swap is of 1 to"), "{error}");
}
