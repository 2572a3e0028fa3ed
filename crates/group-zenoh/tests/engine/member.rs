//! A site or hub as a process of its own: this test binary, run again. It does what its standard input says and prints
//! what happens, a line each.

use std::io::{BufRead, Write};
use std::process::{ChildStdin, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hamsa_group::EngineEvent;
use hamsa_group_zenoh::{Protection, TlsFiles, ZenohEngine};
use hamsa_testkit::limits::LIVENESS;
use hamsa_testkit::{Process, wait_until};

use crate::support::{hub, process, send, site};

/// `<node> hub|site <endpoint> <directory of certificates, or -> <lease in ms> <peer>...`
const ROLE: &str = "HAMSA_ZENOH_MEMBER";

/// A running member.
pub struct Member {
    pub process: Process,
    input: ChildStdin,
    /// Lines of the output before this are known.
    seen: AtomicUsize,
}

impl Member {
    /// Runs `command`, which is this test binary, maybe in some namespace.
    pub fn start(mut command: Command, role: &str) -> Self {
        command.args(["--exact", "member::run", "--nocapture"]).env(ROLE, role);
        let name = format!("member {}", role.split(' ').next().unwrap_or_default());
        let (process, input) = Process::spawn_with_input(&name, &mut command);
        Self { process, input, seen: AtomicUsize::new(0) }
    }

    pub fn tell(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("it reads");
    }

    /// Ends its input, upon which it stops its engine, and waits for its end.
    pub fn stop(self) {
        let Self { process, input, .. } = self;
        drop(input);
        let output = process.finish(LIVENESS).expect("it stops");
        assert!(output.status.success(), "{output:?}");
    }

    /// Waits for a line, after those that were waited for before, and returns what follows its beginning.
    #[track_caller]
    pub fn wait_for(&self, beginning: &str) -> String {
        wait_until(&format!("{beginning}: {:.2000}", self.process.stderr()), || {
            let output = self.process.stdout();
            // The last line may not be whole.
            let whole = &output[..output.rfind('\n')?];
            let from = self.seen.load(Ordering::Relaxed);
            let (at, rest) = whole.lines().enumerate().skip(from).find_map(|(at, line)| {
                let line = line.split_once('@')?.1;
                Some((at, line.strip_prefix(beginning)?.trim().to_owned()))
            })?;
            self.seen.store(at + 1, Ordering::Relaxed);
            Some(rest)
        })
    }
}

/// Not a test: what [`Member::start`] runs.
#[test]
fn run() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime").block_on(live(&role));
}

#[expect(clippy::print_stdout, reason = "its parent reads it")]
fn tell(line: &str) {
    println!("@{line}");
}

async fn live(role: &str) {
    let words: Vec<&str> = role.split(' ').collect();
    let [node, side, endpoint, certificates, lease_ms, peers @ ..] = &words[..] else { panic!("{role}") };
    let node = node.parse().expect("a number");
    let protection = match std::path::Path::new(certificates) {
        none if none.as_os_str() == "-" => Protection::None,
        at => Protection::Tls(TlsFiles {
            authority: at.join("ca.pem"),
            certificate: at.join("node.pem"),
            key: at.join("node.key"),
        }),
    };
    let mut options = match *side {
        "hub" => hub(node, endpoint, protection),
        _ => site(node, endpoint, protection),
    };
    options.lease = Duration::from_millis(lease_ms.parse().expect("a number"));
    let engine = ZenohEngine::start(options).await.expect("it starts");
    let (to_peers, _) = tokio::sync::broadcast::channel::<(u32, Bytes)>(64);
    for peer in peers {
        let peer: u32 = peer.parse().expect("a number");
        let mut port = engine.pair(process(peer)).await.expect("a pair");
        let mut say = to_peers.subscribe();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    said = say.recv() => match said {
                        Ok((to, data)) if to == peer => send(&mut port, data).await,
                        Ok(_) => {}
                        Err(_) => return,
                    },
                    event = port.event() => match event {
                        Some(EngineEvent::Configuration(now)) => {
                            tell(&format!("ring {peer} of {} {}", now.members.len(), now.ring));
                        }
                        Some(EngineEvent::Message { sender, data }) => {
                            let text = String::from_utf8_lossy(&data);
                            tell(&format!("message {peer} from {} {text:.60}", sender.node));
                        }
                        Some(EngineEvent::Lost { .. }) | None => return,
                    },
                }
            }
        });
    }
    let enterprise = engine.enterprise();
    let events = enterprise.clone();
    tokio::spawn(async move {
        loop {
            tell(&format!("{:?}", events.event().await));
        }
    });
    tell("started");
    let (to_main, mut lines) = tokio::sync::mpsc::channel(64);
    // Its end is the parent's, and this process's.
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if to_main.blocking_send(line).is_err() {
                return;
            }
        }
    });
    while let Some(line) = lines.recv().await {
        let words: Vec<&str> = line.splitn(3, ' ').collect();
        match words[..] {
            ["say", peer, text] => {
                let _ = to_peers.send((peer.parse().expect("a number"), Bytes::from(text.to_owned())));
            }
            ["write", name, value] => {
                let seen = enterprise.read(name).seen;
                enterprise.write(name, Some(Bytes::from(value.to_owned())), &seen).expect("it fits");
            }
            ["read", name] => {
                let values = enterprise.read(name).values;
                tell(&format!(
                    "values {name} {}",
                    values.iter().map(|value| String::from_utf8_lossy(value)).collect::<Vec<_>>().join("|")
                ));
            }
            _ => panic!("{line}"),
        }
    }
    engine.stop().await;
}
