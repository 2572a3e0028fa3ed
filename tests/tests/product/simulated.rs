//! `hamsa sim`, with net-snmp's tools and ours as those who ask.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};

use hamsa_testkit::limits::LIVENESS;
use hamsa_testkit::{NetSnmp, Process, require};
use tempfile::TempDir;

use crate::run::{Outcome, command, run};
use crate::sim::{Sim, free_port, next, nth};

const SYS_NAME: &str = "1.3.6.1.2.1.1.5.0";
const SYS_CONTACT: &str = "1.3.6.1.2.1.1.4.0";

/// Asks an agent with one of net-snmp's tools; values only, strings in quotes.
#[track_caller]
fn ask(tools: &NetSnmp, tool: &str, credentials: &[&str], address: SocketAddr, rest: &[&str]) -> String {
    let address = address.to_string();
    let arguments = [credentials, &["-t", "5", "-Oqv", &address], rest].concat();
    tools.run(tool, arguments).unwrap_or_else(|error| panic!("{error}")).trim_end().to_owned()
}

#[test]
fn net_snmp_reads_walks_and_changes_devices_in_every_version() {
    let tools = require!(NetSnmp::new());
    let sim = Sim::start(&["router:4*2", "server:2"]);
    let read: [&[&str]; 3] = [&["-v1", "-c", "public"], &["-v2c", "-c", "public"], &Sim::USER];
    let mut names = Vec::new();
    for number in 0..3 {
        let at = nth(sim.first, number);
        let said = read.map(|credentials| ask(&tools, "snmpget", credentials, at, &[SYS_NAME]));
        assert!(said.iter().all(|name| *name == said[0]), "{said:?}");
        names.push(said[0].clone());
        let interfaces =
            read.map(|credentials| ask(&tools, "snmpwalk", credentials, at, &["1.3.6.1.2.1.2.2.1.1"]).lines().count());
        assert!(interfaces[0] >= 2 && interfaces.iter().all(|count| *count == interfaces[0]), "{interfaces:?}");
        // All there is, to its end.
        let all = ask(&tools, "snmpbulkwalk", &Sim::USER, at, &["1"]);
        assert!(all.lines().count() > 100, "{all}");
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 3, "every agent has a name of its own: {names:?}");

    let write: [&[&str]; 3] = [&["-v1", "-c", "private"], &["-v2c", "-c", "private"], &Sim::USER];
    for (number, credentials) in write.into_iter().enumerate() {
        let contact = format!("contact {number}");
        ask(&tools, "snmpset", credentials, sim.first, &[SYS_CONTACT, "s", &contact]);
        assert_eq!(ask(&tools, "snmpget", read[number], sim.first, &[SYS_CONTACT]), format!("\"{contact}\""));
    }
    assert_ne!(ask(&tools, "snmpget", read[1], next(sim.first), &[SYS_CONTACT]), "\"contact 2\"");
    let address = sim.first.to_string();
    let refused = ["-v2c", "-c", "public", "-t", "5", &address, SYS_CONTACT, "s", "x"];
    let error = tools.run("snmpset", refused).unwrap_err();
    assert!(error.stderr.contains("authorizationError"), "{error}");
    let stranger = ["-v2c", "-c", "stranger", "-t", "0.3", "-r", "0", &address, SYS_NAME];
    tools.run("snmpget", stranger).expect_err("no such community");
}

#[test]
fn agents_are_told_apart_by_port() {
    let tools = require!(NetSnmp::new());
    // Somewhere below the ports that systems give out.
    let ip = hamsa_testkit::loopback();
    let sim = Sim::start_at(SocketAddr::new(ip.into(), 20_161), &["switch:4*20", "--by", "ports", "-c", "lab"]);
    let name = |number: u16| {
        ask(&tools, "snmpget", &["-v2c", "-c", "lab"], SocketAddr::new(ip.into(), 20_161 + number), &[SYS_NAME])
    };
    assert!(name(0) != name(19) && name(7) != name(19));
    assert!(sim.process.stderr().contains("20 agents at "), "{}", sim.process.stderr());
}

/// A directory with recordings: plain, compressed, below another directory, and one with mistakes.
fn recordings() -> TempDir {
    let directory = TempDir::with_prefix("hamsa-recordings-").unwrap();
    let write = |name: &str, octets: &[u8]| std::fs::write(directory.path().join(name), octets).unwrap();
    write(
        "office.snmprec",
        b"1.3.6.1.2.1.1.1.0|4|printer\n\
          1.3.6.1.2.1.1.3.0|67:numeric|rate=100,initial=4200\n\
          1.3.6.1.2.1.1.5.0|4|office\n\
          1.3.6.1.2.1.1.6.0|4:writecache|value=first floor\n\
          1.3.6.1.2.1.1.7.0|2:error|op=get,status=genErr,value=1\n\
          1.3.6.1.2.1.1.9.0|2:delay|wait=30,value=9\n\
          1.3.6.1.2.1.2.2.1.10.1|65:numeric|rate=1000,initial=5000000,cumulative=1\n\
          1.3.6.1.2.1.31.1.1.1.6.1|70:numeric|min=7000,max=9000,function=sin,scale=500,offset=8000,deviation=10\n\
          1.3.6.1.2.1.31.1.1.1.18.1|4x|666f6f\n",
    );
    std::fs::create_dir(directory.path().join("ups")).unwrap();
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    encoder.write_all(b"1.3.6.1.2.1.1.1.0|4|a battery\n1.3.6.1.2.1.1.5.0|4|ups\n").unwrap();
    write("ups/big.snmprec.bz2", &encoder.finish().unwrap());
    write(
        "broken.snmprec",
        b"1.3.6.1.2.1.1.1.0|4|fine\nthis is no line\n1.3.6.1.2.1.1.5.0|99|x\n1.3.6.1.2.1.1.6.0|4|too\n",
    );
    write("cut.snmprec.bz2", b"BZh9 this is none");
    write("readme.txt", b"no recording");
    directory
}

#[test]
fn recordings_are_told_apart_by_community_and_context() {
    let tools = require!(NetSnmp::new());
    let directory = recordings();
    let sim = Sim::start(&[directory.path().to_str().unwrap()]);
    let said = sim.process.stderr();
    assert!(said.contains("broken.snmprec:line 2: not OID|TAG|VALUE"), "{said}");
    assert!(said.contains("broken.snmprec:line 3: tag \"99\""), "{said}");
    assert!(said.contains("cut.snmprec.bz2: left out: ") && said.contains("3 recordings by community"), "{said}");

    let by_community = |name: &str, oid: &str| ask(&tools, "snmpget", &["-v2c", "-c", name], sim.first, &[oid]);
    assert_eq!(by_community("office", SYS_NAME), "\"office\"");
    assert_eq!(by_community("ups/big", SYS_NAME), "\"ups\"");
    assert_eq!(by_community("broken", "1.3.6.1.2.1.1.6.0"), "\"too\"");
    assert_eq!(ask(&tools, "snmpget", &["-v1", "-c", "office"], sim.first, &[SYS_NAME]), "\"office\"");
    let by_context = |name: &str| {
        let credentials = [&Sim::USER[..], &["-n", name]].concat();
        ask(&tools, "snmpget", &credentials, sim.first, &["1.3.6.1.2.1.1.1.0"])
    };
    assert_eq!([by_context("office"), by_context("ups/big")], ["\"printer\"", "\"a battery\""]);

    // What varies.
    let number = |oid: &str| -> u64 { by_community("office", oid).parse().unwrap_or_else(|_| panic!("{oid}")) };
    let (counter, wave) = ("1.3.6.1.2.1.2.2.1.10.1", "1.3.6.1.2.1.31.1.1.1.6.1");
    let before = number(counter);
    assert!(before >= 5_000_000 && number(counter) >= before);
    assert!((0..5).all(|_| (7_000..=9_000).contains(&number(wave))));
    assert_eq!(by_community("office", "1.3.6.1.2.1.31.1.1.1.18.1"), "\"foo\"");
    assert_eq!(by_community("office", "1.3.6.1.2.1.1.9.0"), "9");
    assert_eq!(by_community("office", "1.3.6.1.2.1.1.6.0"), "\"first floor\"");
    let address = sim.first.to_string();
    let failing = ["-v2c", "-c", "office", "-t", "5", &address, "1.3.6.1.2.1.1.7.0"];
    assert!(tools.run("snmpget", failing).unwrap_err().stderr.contains("genError"));
    // Ours, with the same names.
    let walked = run(&["walk", "-c", "office", "-t", "5", "-Oq", &address, "1.3.6.1.2.1.31"]).ok();
    assert!(walked.contains("IF-MIB::ifAlias.1 foo"), "{walked}");
}

#[test]
fn each_recording_can_have_an_agent_of_its_own() {
    let tools = require!(NetSnmp::new());
    let directory = recordings();
    let sim = Sim::start(&[directory.path().to_str().unwrap(), "--each"]);
    let names: Vec<String> = (0..3)
        .map(|number| ask(&tools, "snmpget", &["-v2c", "-c", "public"], nth(sim.first, number), &["1.3.6.1.2.1.1.1.0"]))
        .collect();
    assert_eq!(names, ["\"fine\"", "\"printer\"", "\"a battery\""]);
}

#[test]
fn a_source_that_is_none_is_explained() {
    let directory = TempDir::new().unwrap();
    let empty = directory.path().to_str().unwrap();
    for (source, text) in [("toaster", "no file or directory"), (empty, "no recordings"), ("router:4*x", "how many")] {
        let output = Process::spawn("hamsa-sim", &mut command(&["sim", source])).finish(LIVENESS).unwrap();
        assert!(!output.status.success() && output.stderr.contains(text), "{source}: {output:?}");
    }
    let unknown = run(&["sim", "router", "--fault", "gremlins"]).failed(2);
    assert!(unknown.contains("gremlins") && unknown.contains("loss=10%"), "{unknown}");
}

/// What `hamsa walk` makes of an agent, its whole tree.
fn walk(sim: &Sim, credentials: &[&str]) -> Outcome {
    let address = sim.first.to_string();
    // Enough tries for what is lost.
    let options = ["-t", "0.1", "-r", "12", "-On", &address, "1.3.6.1.2.1.2"];
    run(&[&["walk"], credentials, &options].concat())
}

#[test]
fn faults_end_in_the_right_answer_or_a_clear_error() {
    const SEED: [&str; 2] = ["--seed", "7"];
    let community = ["-v2c", "-c", "public"];
    let names = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split_once(" = ").unwrap_or((line, "")).0.to_owned()).collect()
    };
    let truth = {
        let sim = Sim::start(&[&["router:6"], &SEED[..]].concat());
        names(&walk(&sim, &community).ok())
    };
    assert!(truth.len() > 60, "{truth:?}");
    // Nothing of this changes what is read.
    for (fault, credentials) in [
        ("loss=20%", &community[..]),
        ("loss=20%", &Sim::USER),
        ("duplicate=60%", &community),
        ("duplicate=60%", &Sim::USER),
        ("reorder=40%,delay=10ms,jitter=20ms", &community),
        ("truncate=15%", &community),
    ] {
        let sim = Sim::start(&[&["router:6", "--fault", fault], &SEED[..]].concat());
        let outcome = walk(&sim, credentials);
        assert_eq!(outcome.status, Some(0), "{fault} {credentials:?}: {}", outcome.stderr);
        assert_eq!(names(&outcome.stdout), truth, "{fault} {credentials:?}");
    }
    // A wrong bit under SNMPv3 may end a walk, as a request that the agent turns away, but never changes a value.
    let sim = Sim::start(&[&["router:6", "--fault", "corrupt=15%"], &SEED[..]].concat());
    let outcome = walk(&sim, &Sim::USER);
    let read = names(&outcome.stdout);
    assert!(truth.starts_with(&read) && (outcome.status == Some(0)) == (read == truth), "{outcome:?}");
    assert!(outcome.status == Some(0) || outcome.stderr.contains("turned the request away"), "{outcome:?}");
    // A community protects nothing: what is wrong may be read, or told.
    let outcome = walk(&sim, &community);
    assert!(outcome.status == Some(0) || outcome.stderr.contains("hamsa walk: "), "{outcome:?}");
    for (fault, text) in [
        ("loss=100%", "no answer"),
        ("not-increasing", "increas"),
        ("too-big", "tooBig"),
        ("empty-response", ""),
        ("wrong-request-id", "no answer"),
    ] {
        let sim = Sim::start(&[&["router:6", "--fault", fault], &SEED[..]].concat());
        let address = sim.first.to_string();
        let options = ["-t", "0.2", "-r", "1", "-On", &address, "1.3.6.1.2.1.2"];
        let outcome = run(&[&["walk"], &community[..], &options].concat());
        assert_eq!(outcome.status, Some(1), "{fault}: {} {}", outcome.stdout.len(), outcome.stderr);
        assert!(
            outcome.stderr.contains(text) && outcome.stderr.contains("hamsa walk: "),
            "{fault}: {}",
            outcome.stderr
        );
        assert!(!outcome.stderr.contains("panicked"), "{fault}: {}", outcome.stderr);
    }
}

#[test]
fn thousands_of_agents_answer_on_one_machine() {
    let tools = require!(NetSnmp::new());
    let first = SocketAddr::new(Ipv4Addr::new(127, 91, 0, 1).into(), free_port());
    let sim = Sim::start_at(first, &["router:4*2000"]);
    assert!(sim.process.stderr().contains("2000 agents at "), "{}", sim.process.stderr());
    let name = |number| ask(&tools, "snmpget", &["-v2c", "-c", "public"], nth(first, number), &[SYS_NAME]);
    let names = [name(0), name(1), name(999), name(1_999)];
    assert!(names.iter().enumerate().all(|(i, name)| !names[..i].contains(name)), "{names:?}");
    assert_eq!(ask(&tools, "snmpget", &Sim::USER, nth(first, 1_999), &[SYS_NAME]), names[3]);
    let beyond = nth(first, 2_000).to_string();
    let nobody = ["-v2c", "-c", "public", "-t", "0.3", "-r", "0", &beyond, SYS_NAME];
    tools.run("snmpget", nobody).expect_err("there is no agent beyond the last");
}
