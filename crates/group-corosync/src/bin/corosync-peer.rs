//! For tests of the Corosync engine: joins a group, prints what it is told as lines of JSON, and does what the lines of
//! its standard input say. It ends with that.
//!
//! ```text
//! corosync-peer GROUP NODE                                         with a daemon that runs already
//! corosync-peer GROUP NODE DIRECTORY KEY TOKEN_MS NUMBER=ADDRESS…  with a daemon of its own
//!
//! send TEXT                    sends a message
//! burst PREFIX COUNT LENGTH    sends messages PREFIX0, PREFIX1…, with dots up to LENGTH octets
//! add NUMBER=ADDRESS           adds a node to the ring
//! ```

use std::collections::VecDeque;
use std::io::{BufRead, Write};
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use hamsa_group::{EngineEvent, EnginePort, EngineSendError, GroupEngine};
use hamsa_group_corosync::{
    CorosyncEngine, Daemon, DaemonEvent, DaemonOptions, EngineOptions, GroupName, Node, Ring, RingOptions,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Octets of a message that are printed.
const SHOWN_BYTES: usize = 32;

/// Commands that wait while messages are sent.
const COMMANDS: usize = 16;

/// Until a full queue is tried again.
const RETRY: Duration = Duration::from_millis(1);

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (group, node, ring) = match &arguments[..] {
        [group, node] => (group, node, None),
        [group, node, directory, key, token_ms, nodes @ ..] => (group, node, Some((directory, key, token_ms, nodes))),
        _ => bail!("arguments: GROUP NODE [DIRECTORY KEY TOKEN_MS NUMBER=ADDRESS…]"),
    };
    let node: u32 = node.parse().context("a node's number")?;
    let options = EngineOptions { group: GroupName::new(group)?, node: Some(node) };
    let (daemon, port) = match ring {
        None => (None, CorosyncEngine::start(options)),
        Some((directory, key, token_ms, nodes)) => {
            let nodes = nodes.iter().map(|text| read_node(text)).collect::<anyhow::Result<_>>()?;
            let token_ms = token_ms.parse().context("a time")?;
            let cluster = "test".to_owned();
            let ring = Ring::new(RingOptions { cluster, nodes, token_ms, consensus_ms: None, port: 5405 })?;
            let (key, directory) = (key.into(), directory.into());
            let daemon = Daemon::start(DaemonOptions { ring, node, key, directory, is_realtime: false }, observe)?;
            (Some(daemon), CorosyncEngine::start_reconnecting(options))
        }
    };
    match port {
        Ok(port) => tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(serve(port, daemon)),
        Err(error) => {
            print(&json!({ "refused": error.to_string() }));
            Ok(())
        }
    }
}

fn read_node(text: &str) -> anyhow::Result<Node> {
    let (number, address) = text.split_once('=').context("NUMBER=ADDRESS")?;
    Ok(Node { number: number.parse()?, name: format!("n{number}"), addresses: vec![address.parse()?] })
}

fn observe(event: DaemonEvent) {
    print(&match event {
        DaemonEvent::Started { pid } => json!({ "started": pid }),
        DaemonEvent::Problem(problem) => json!({ "problem": problem.to_string() }),
        DaemonEvent::Ended { reason, .. } => json!({ "ended": reason }),
    });
}

fn print(line: &Value) {
    // Whoever read it has ended; so will we.
    let _ = std::io::stdout().lock().write_all(format!("{line}\n").as_bytes());
}

async fn serve(mut port: EnginePort, mut daemon: Option<Daemon>) -> anyhow::Result<()> {
    let (sender, mut commands) = mpsc::channel(COMMANDS);
    std::thread::spawn(move || {
        let lines = std::io::stdin().lock().lines().map_while(Result::ok);
        // An error says that we are ending.
        lines.map(|line| sender.blocking_send(line)).find(Result::is_err)
    });
    let mut unsent = VecDeque::new();
    loop {
        while let Some(message) = unsent.pop_front() {
            match port.send(Bytes::clone(&message)) {
                Ok(()) => {}
                Err(EngineSendError::Full) => {
                    unsent.push_front(message);
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        tokio::select! {
            event = port.event() => match event {
                Some(event) => print(&shown(event)),
                None => return Ok(()),
            },
            command = commands.recv(), if unsent.is_empty() => match command {
                Some(command) => obey(&command, &mut unsent, daemon.as_mut())?,
                None => return Ok(()),
            },
            () = tokio::time::sleep(RETRY), if !unsent.is_empty() => {}
        }
    }
}

fn obey(command: &str, unsent: &mut VecDeque<Bytes>, daemon: Option<&mut Daemon>) -> anyhow::Result<()> {
    let words: Vec<&str> = command.split(' ').collect();
    match words[..] {
        ["send", text] => unsent.push_back(text.to_owned().into()),
        ["burst", prefix, count, length] => {
            let (count, length): (u32, usize) = (count.parse()?, length.parse()?);
            unsent.extend((0..count).map(|index| {
                let mut message = format!("{prefix}{index}").into_bytes();
                message.resize(length.max(message.len()), b'.');
                Bytes::from(message)
            }));
        }
        ["add", node] => daemon.context("no daemon of its own")?.add_node(read_node(node)?)?,
        _ => bail!("no such command: {command}"),
    }
    Ok(())
}

fn shown(event: EngineEvent) -> Value {
    match event {
        EngineEvent::Configuration(configuration) => {
            let members: Vec<u32> = configuration.members.iter().map(|member| member.node).collect();
            json!({ "ring": configuration.ring.to_string(), "me": configuration.me.to_string(), "members": members })
        }
        EngineEvent::Message { sender, data } => {
            let text = String::from_utf8_lossy(&data[..data.len().min(SHOWN_BYTES)]);
            json!({ "sender": sender.node, "text": text.trim_end_matches('.'), "length": data.len() })
        }
        EngineEvent::Lost { reason } => json!({ "lost": reason }),
    }
}
