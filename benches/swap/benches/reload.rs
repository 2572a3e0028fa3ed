//! What clients notice of a hundred swaps of `hamsa agent`'s modules, all in one transaction, and of as many reloads of
//! nginx: requests that got no answer, connections closed under a client, and requests that took long. The same once more
//! without swaps and reloads, so that one sees what the machine itself delays.
//!
//! Each server has two clients: one asks again and again over one socket or connection that it keeps, the other takes a new
//! one for each request. Wall-clock time.
#![allow(clippy::print_stdout, reason = "what a bench says, it says on its standard output")]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use hamsa_bench_rounds::{Target, informs, skipped};
use hamsa_snmp::ber::Writer as BerWriter;
use hamsa_snmp::message::{CommunityMessage, Version};
use hamsa_snmp::pdu::{AnyPdu, Pdu, PduKind};
use hamsa_snmp::{Oid, VarBindBuf};
use hamsa_testkit::{Process, free_tcp, free_udp, hamsa, program};
use serde_json::{Value, json};

/// Swaps, and reloads.
const CHANGES: usize = 100;

/// Between two of them: nginx's new workers are there long before.
const PAUSE: Duration = Duration::from_millis(100);

/// A request that takes longer is delayed.
const DELAYED: Duration = Duration::from_millis(10);

/// A request that takes longer is lost.
const PATIENCE: Duration = Duration::from_secs(2);

/// Of one swap: on a busy machine one may be past its budget.
const TRIES_MAX: u32 = 20;

/// Between two requests that take a socket or connection of their own: the system has only so many ports.
const NEW_EVERY: Duration = Duration::from_millis(1);

/// For an answer of the agent's control socket.
const CONTROL_LIMIT: Duration = Duration::from_secs(60);

fn main() -> anyhow::Result<()> {
    let directory = tempfile::TempDir::with_prefix("hamsa-bench-reload-")?;
    let binary = hamsa();
    let nginx = program("nginx");
    let mut agent = Agent::start(binary, directory.path())?;
    let ours = watch(&mut agent)?;
    drop(agent);
    let peer = match nginx {
        Ok(path) => {
            let mut nginx = Nginx::start(&path, directory.path())?;
            Ok(watch(&mut nginx)?)
        }
        Err(why) => Err(why.to_string()),
    };
    for (at, changing) in [(0, false), (1, true)] {
        let when =
            if changing { format!("{CHANGES} swaps or reloads") } else { "the same time without any".to_owned() };
        let what = |what: &str| format!("beside nginx, {when}: {what}");
        let rows: [(&str, Count, &str); 4] = [
            ("requests without an answer", |seen| seen.lost as f64, ""),
            ("connections closed under a client", |seen| seen.closed as f64, ""),
            ("requests delayed by more than 10 ms", |seen| seen.delayed as f64, ""),
            ("longest time for an answer", |seen| seen.longest.as_secs_f64() * 1e3, " ms"),
        ];
        for (name, figure, unit) in rows {
            let text = |seen: &[Seen; 2]| {
                let seen = &seen[at];
                format!("{:.0}{unit} of {} requests", figure(seen), seen.answered)
            };
            // Of swaps, none may be lost; all else depends on the machine.
            let target =
                if changing && name.starts_with("requests without") { Target::AtMost(0.0) } else { Target::Informs };
            match &peer {
                Ok(peer) => {
                    let peer = format!("{} nginx", text(peer));
                    informs(&what(name), &text(&ours), &peer, figure(&ours[at]), target);
                }
                Err(why) => skipped(&what(name), "nginx", why, target),
            }
        }
    }
    Ok(())
}

type Count = fn(&Seen) -> f64;

/// What clients have seen of a server.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    answered: u64,
    /// Sent, and no whole answer came.
    lost: u64,
    /// Connections that ended while a client held them, between two requests or in one.
    closed: u64,
    /// Longer than [`DELAYED`].
    delayed: u64,
    longest: Duration,
}

impl Seen {
    fn plus(self, other: Seen) -> Seen {
        Seen {
            answered: self.answered + other.answered,
            lost: self.lost + other.lost,
            closed: self.closed + other.closed,
            delayed: self.delayed + other.delayed,
            longest: self.longest.max(other.longest),
        }
    }

    fn took(&mut self, time: Duration) {
        self.answered += 1;
        self.delayed += u64::from(time > DELAYED);
        self.longest = self.longest.max(time);
    }
}

trait Server {
    /// A client that holds nothing yet.
    fn client(&self) -> Box<dyn Client + Send>;

    /// Swaps, or reloads; returns when that is done, or under way where the server does not tell.
    fn change(&mut self, number: usize) -> anyhow::Result<()>;
}

trait Client {
    /// Asks once.
    fn ask(&mut self, seen: &mut Seen) -> anyhow::Result<()>;

    /// Lets go of what it holds.
    fn let_go(&mut self);
}

/// First without changes, then with them.
fn watch(server: &mut dyn Server) -> anyhow::Result<[Seen; 2]> {
    let mut all = [Seen::default(); 2];
    for (changing, all) in [false, true].into_iter().zip(&mut all) {
        let stop = AtomicBool::new(false);
        let seen = thread::scope(|scope| -> anyhow::Result<Seen> {
            let mut threads = Vec::new();
            for takes_new in [false, true] {
                let (mut client, stop) = (server.client(), &stop);
                threads.push(scope.spawn(move || -> anyhow::Result<Seen> {
                    let mut seen = Seen::default();
                    while !stop.load(Ordering::Relaxed) {
                        client.ask(&mut seen)?;
                        if takes_new {
                            client.let_go();
                            sleep(NEW_EVERY);
                        }
                    }
                    Ok(seen)
                }));
            }
            let changed = (0..CHANGES).try_for_each(|number| {
                sleep(PAUSE);
                if changing { server.change(number) } else { Ok(()) }
            });
            sleep(PAUSE);
            stop.store(true, Ordering::Relaxed);
            let mut seen = Seen::default();
            for thread in threads {
                seen = seen.plus(thread.join().map_err(|_| anyhow::anyhow!("a client has panicked"))??);
            }
            changed.map(|()| seen)
        })?;
        *all = seen;
    }
    Ok(all)
}

/// `hamsa agent`, and all its modules of which there are two versions.
struct Agent {
    address: SocketAddr,
    control: PathBuf,
    modules: Vec<String>,
    _process: Process,
}

impl Agent {
    fn start(binary: &Path, directory: &Path) -> anyhow::Result<Self> {
        let (address, data, config) = (free_udp(), directory.join("data"), directory.join("agent.toml"));
        std::fs::write(
            &config,
            format!(
                "[agent]\nlisten = [\"{address}\"]\ndata_dir = {data:?}\n[communities.readers]\ncommunity = \"public\"\n"
            ),
        )?;
        let mut process = Process::spawn("agent", Command::new(binary).args(["agent", "--config"]).arg(&config));
        process.wait_until("the agent answers", |process| process.stderr().contains("control: ").then_some(()));
        let control = data.join("control.sock");
        let list = converse(&control, &json!({ "op": "list" }))?;
        let list = list["result"].as_array().context("no list of modules")?;
        let has_both = |module: &&Value| {
            let versions = module["versions"].as_array().map_or(&[][..], Vec::as_slice);
            ["1.0", "1.1"].iter().all(|version| versions.iter().any(|known| known == version))
        };
        let modules = list.iter().filter(has_both).filter_map(|module| Some(module["module"].as_str()?.to_owned()));
        let modules: Vec<String> = modules.collect();
        ensure!(!modules.is_empty(), "no module has the versions 1.0 and 1.1: {list:?}");
        Ok(Agent { address, control, modules, _process: process })
    }
}

impl Server for Agent {
    fn client(&self) -> Box<dyn Client + Send> {
        Box::new(Asker { address: self.address, socket: None, number: 0 })
    }

    fn change(&mut self, number: usize) -> anyhow::Result<()> {
        let version = if number.is_multiple_of(2) { "1.1" } else { "1.0" };
        let changes = self.modules.iter().map(|module| json!({ "module": module, "version": version }));
        let request = json!({ "op": "swap", "changes": changes.collect::<Vec<_>>() });
        let mut answer = Value::Null;
        for _ in 0..TRIES_MAX {
            answer = converse(&self.control, &request)?;
            if answer["result"]["end"] == "committed" {
                return Ok(());
            }
            println!("a swap is not done, and asked for once more: {answer}");
        }
        bail!("a swap is not done: {answer}")
    }
}

/// The last line of the answer.
fn converse(socket: &Path, request: &Value) -> anyhow::Result<Value> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(CONTROL_LIMIT))?;
    stream.write_all(format!("{request}\n").as_bytes())?;
    let mut last = None;
    for line in BufReader::new(stream).lines() {
        last = Some(line?);
    }
    Ok(serde_json::from_str(&last.context("no answer")?)?)
}

/// Asks for `sysName`.
struct Asker {
    address: SocketAddr,
    socket: Option<UdpSocket>,
    number: i32,
}

impl Client for Asker {
    fn ask(&mut self, seen: &mut Seen) -> anyhow::Result<()> {
        self.number += 1;
        let start = Instant::now();
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => {
                let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
                socket.connect(self.address)?;
                socket.set_read_timeout(Some(PATIENCE))?;
                socket
            }
        };
        let mut buffer = [0; 1024];
        let name = Oid::from_arcs(&[1, 3, 6, 1, 2, 1, 1, 5, 0])?;
        let varbinds = VarBindBuf::of_names([name.as_oid()]);
        let pdu = AnyPdu::Pdu(Pdu::new(PduKind::GetRequest, self.number, varbinds.as_list()));
        let mut writer = BerWriter::new(&mut buffer);
        CommunityMessage { version: Version::V2c, community: b"public", pdu }.encode(&mut writer);
        socket.send(writer.finish()?)?;
        match socket.recv(&mut buffer) {
            Ok(length) => {
                let message = CommunityMessage::parse(&buffer[..length])?;
                let AnyPdu::Pdu(answer) = message.pdu else { bail!("not an answer") };
                ensure!(answer.request_id == self.number && answer.field1 == 0, "a wrong answer: {answer:?}");
                seen.took(start.elapsed());
                self.socket = Some(socket);
            }
            // With a late answer in it the socket is of no use any more.
            Err(_) => seen.lost += 1,
        }
        Ok(())
    }

    fn let_go(&mut self) {
        self.socket = None;
    }
}

/// nginx with one worker, which answers by itself. Ended when dropped.
struct Nginx {
    address: SocketAddr,
    process: Process,
}

impl Nginx {
    fn start(binary: &Path, directory: &Path) -> anyhow::Result<Self> {
        let address = free_tcp();
        let mut temporary = String::new();
        for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            writeln!(temporary, "{kind}_temp_path {};", directory.join(kind).display())?;
        }
        let config = directory.join("nginx.conf");
        std::fs::write(
            &config,
            format!(
                "daemon off;\nworker_processes 1;\npid {};\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}\
                 keepalive_requests 100000000;\nserver {{ listen {address}; location / {{ return 200 ok; }} }}\n}}\n",
                directory.join("nginx.pid").display()
            ),
        )?;
        let mut command = Command::new(binary);
        command.arg("-p").arg(directory).arg("-c").arg(config).args(["-e", "stderr"]);
        let mut process = Process::spawn("nginx", &mut command);
        process.wait_until("nginx listens", |_| TcpStream::connect(address).ok());
        Ok(Nginx { address, process })
    }
}

impl Server for Nginx {
    fn client(&self) -> Box<dyn Client + Send> {
        Box::new(Browser { address: self.address, connection: None })
    }

    fn change(&mut self, _: usize) -> anyhow::Result<()> {
        ensure!(self.process.is_running(), "nginx has ended:\n{}", self.process.stderr());
        self.process.hang_up();
        Ok(())
    }
}

/// Asks over HTTP.
struct Browser {
    address: SocketAddr,
    connection: Option<TcpStream>,
}

impl Client for Browser {
    fn ask(&mut self, seen: &mut Seen) -> anyhow::Result<()> {
        let start = Instant::now();
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => match TcpStream::connect(self.address) {
                Ok(connection) => connection,
                Err(_) => {
                    seen.lost += 1;
                    return Ok(());
                }
            },
        };
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_nodelay(true)?;
        let request = b"GET / HTTP/1.1\r\nHost: measured\r\n\r\n";
        match connection.write_all(request).and_then(|()| read_answer(&mut connection)) {
            Ok(goes_on) => {
                seen.took(start.elapsed());
                if goes_on {
                    self.connection = Some(connection);
                } else {
                    seen.closed += 1;
                }
            }
            Err(_) => {
                seen.lost += 1;
                seen.closed += 1;
            }
        }
        Ok(())
    }

    fn let_go(&mut self) {
        self.connection = None;
    }
}

/// Whether the connection goes on after the answer.
fn read_answer(connection: &mut TcpStream) -> std::io::Result<bool> {
    let mut octets = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let length = connection.read(&mut buffer)?;
        if length == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        octets.extend_from_slice(&buffer[..length]);
        if octets.ends_with(b"\r\n\r\nok") {
            let head = String::from_utf8_lossy(&octets);
            return Ok(!head.contains("Connection: close"));
        }
    }
}
