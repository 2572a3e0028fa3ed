//! Members over one engine, and the faults that can be done to them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::process::{ChildStdin, Command as Program};
use std::time::{Duration, Instant};

use hamsa_group::{GroupName, Member};
use hamsa_group_corosync::create_key;
use hamsa_group_embedded::Fault;
use hamsa_group_member::{Command, EnginePlan, GroupPlan, Kept, MemberPlan, Notice, judge};
use hamsa_sim::groups::Record;
use hamsa_testkit::{Authority, Certified, Network, Process, Unavailable, Usage, Validity, program};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::seen::{Followed, Seen};

/// Long enough for daemons on a busy machine.
const TOKEN_MS: u32 = 1000;

/// How long anything that should happen is waited for: the slowest is a daemon that is started again after the longest pause
/// (15 s), and an exchange that begins again and again, each time with twice the patience.
const LIVENESS: Duration = Duration::from_secs(180);

/// Between two looks at the logs.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// An engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Embedded,
    Corosync,
    Zenoh,
}

impl Kind {
    /// As many members as a case asks for, or as there can be.
    pub fn members(self, wanted: u32) -> u32 {
        match self {
            Kind::Embedded | Kind::Corosync => wanted,
            Kind::Zenoh => wanted.min(2),
        }
    }
}

/// How members begin.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub messages_per_s: u32,
    pub message_bytes: usize,
    pub state_bytes: usize,
}

impl Default for Load {
    fn default() -> Self {
        Load { messages_per_s: 25, message_bytes: 200, state_bytes: 0 }
    }
}

/// The members of a test, numbered from 1.
pub struct Cluster {
    kind: Kind,
    load: Load,
    nodes: BTreeMap<u32, Node>,
    network: Option<Network>,
    /// For sockets, whose paths must be short, and keys.
    directory: TempDir,
    /// Kept where the test fails.
    logs: PathBuf,
}

#[derive(Default)]
struct Node {
    running: Option<Running>,
    lives: Vec<Followed>,
    groups: BTreeSet<GroupName>,
}

struct Running {
    process: Process,
    input: ChildStdin,
    is_paused: bool,
}

/// The group whose members give each other their states.
pub fn with_state() -> GroupName {
    GroupName::new("with-state").unwrap()
}

/// The group without state.
pub fn plain() -> GroupName {
    GroupName::new("plain").unwrap()
}

pub fn plan(group: &GroupName) -> GroupPlan {
    GroupPlan { name: group.clone(), has_state: *group == with_state() }
}

impl Cluster {
    /// So many members, all started, in both groups.
    pub fn start(kind: Kind, members: u32, load: Load) -> Result<Self, Unavailable> {
        let network = network(kind, members)?;
        let directory = TempDir::with_prefix("hamsa-contract-").unwrap();
        create_key(&directory.path().join("key")).unwrap();
        if let (Kind::Zenoh, Some(network)) = (kind, &network) {
            let hub = network.address(1).to_string();
            Authority::new().sign(directory.path(), &[&hub], Validity::Now, Usage::Both);
        }
        let test = std::thread::current().name().unwrap_or_default().replace("::", "-");
        let logs = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
        std::fs::create_dir_all(&logs).unwrap();
        let mut cluster = Cluster { kind, load, nodes: BTreeMap::new(), network, directory, logs };
        (1..=members).for_each(|node| cluster.start_member(node));
        Ok(cluster)
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// All that there are, running or not.
    pub fn all(&self) -> Vec<u32> {
        self.nodes.keys().copied().collect()
    }

    pub fn running(&self) -> Vec<u32> {
        self.nodes.iter().filter(|(_, node)| node.running.is_some()).map(|(number, _)| *number).collect()
    }

    /// Starts a member, with the states that it has kept.
    pub fn start_member(&mut self, number: u32) {
        let life = self.nodes.get(&number).map_or(0, |node| node.lives.len());
        let log = self.logs.join(format!("member-{number}-life-{life}.jsonl"));
        let groups = [with_state(), plain()];
        let plan = MemberPlan {
            engine: self.engine(number),
            node: number,
            groups: groups.iter().map(plan).collect(),
            messages_per_s: self.load.messages_per_s,
            message_bytes: self.load.message_bytes,
            state_bytes: self.load.state_bytes,
            log: log.clone(),
            kept: self.kept_path(number),
        };
        let program = env!("CARGO_BIN_EXE_group-member");
        let mut command = match &self.network {
            Some(network) => network.command(host(number), program),
            None => Program::new(program),
        };
        command.arg(serde_json::to_string(&plan).unwrap());
        let (process, input) = Process::spawn_with_input(&format!("member-{number}"), &mut command);
        let node = self.nodes.entry(number).or_default();
        assert!(node.running.is_none(), "member {number} runs already");
        node.running = Some(Running { process, input, is_paused: false });
        node.lives.push(Followed::new(log));
        node.groups = BTreeSet::from(groups);
    }

    fn engine(&self, number: u32) -> EnginePlan {
        match (self.kind, &self.network) {
            (Kind::Corosync, Some(network)) => EnginePlan::Corosync {
                directory: network.directory(host(number)).join("corosync"),
                key: self.directory.path().join("key"),
                token_ms: TOKEN_MS,
                nodes: (1..=network.hosts()).map(|host| (u32::from(host), network.address(host).into())).collect(),
            },
            (Kind::Zenoh, Some(network)) => {
                let Certified { authority, certificate, key } = Certified::in_directory(self.directory.path());
                let hub = format!("{}:7447", network.address(1));
                EnginePlan::Zenoh { hub, is_hub: number == 1, peer: 3 - number, authority, certificate, key }
            }
            _ => EnginePlan::Embedded { socket: self.directory.path().join("socket") },
        }
    }

    fn kept_path(&self, number: u32) -> PathBuf {
        self.logs.join(format!("member-{number}-kept.json"))
    }

    /// Gives a member a command.
    #[track_caller]
    pub fn tell(&mut self, number: u32, command: &Command) {
        let running = self.running_mut(number);
        let line = serde_json::to_string(command).unwrap();
        writeln!(running.input, "{line}").unwrap_or_else(|error| panic!("member {number} hears nothing: {error}"));
    }

    #[track_caller]
    pub fn tell_all(&mut self, command: &Command) {
        self.running().into_iter().for_each(|number| self.tell(number, command));
    }

    pub fn join(&mut self, number: u32, group: &GroupName) {
        self.tell(number, &Command::Join(plan(group)));
        self.node_mut(number).groups.insert(group.clone());
    }

    pub fn leave(&mut self, number: u32, group: &GroupName) {
        self.tell(number, &Command::Leave(group.clone()));
        self.node_mut(number).groups.remove(group);
    }

    pub fn is_in(&self, number: u32, group: &GroupName) -> bool {
        self.nodes[&number].groups.contains(group)
    }

    /// What a member has said of itself.
    pub fn notices(&self, number: u32) -> Vec<Notice> {
        let Some(running) = &self.nodes[&number].running else { return Vec::new() };
        let text = running.process.stdout();
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Has a member keep its states, and gives them.
    #[track_caller]
    pub fn save(&mut self, number: u32) -> Kept {
        let count = |cluster: &Self| cluster.notices(number).iter().filter(|notice| **notice == Notice::Saved).count();
        let before = count(self);
        self.tell(number, &Command::Save);
        self.wait("states are kept", |cluster| (count(cluster) > before).then_some(()));
        serde_json::from_slice(&std::fs::read(self.kept_path(number)).unwrap()).unwrap()
    }

    /// What those who run have met in their present lives: exclusions, missed packets; and, in all lives, views of
    /// members who had been in one view and had not been given the same in it, or had lost their engine meanwhile.
    #[track_caller]
    pub fn anomalies(&mut self) -> (u64, u64, usize) {
        self.tell_all(&Command::Count);
        let counted = |cluster: &Self, number: u32| {
            cluster.notices(number).into_iter().rev().find_map(|notice| match notice {
                Notice::Counted { exclusions, missed } => Some((exclusions, missed)),
                _ => None,
            })
        };
        let all = self.running();
        let counts: Vec<(u64, u64)> =
            self.wait("all have counted", |cluster| all.iter().map(|number| counted(cluster, *number)).collect());
        let torn = self.nodes.values().flat_map(|node| &node.lives).map(Followed::torn).sum();
        (counts.iter().map(|count| count.0).sum(), counts.iter().map(|count| count.1).sum(), torn)
    }

    /// Ends a member as a crash does, and its daemon with it.
    #[track_caller]
    pub fn kill(&mut self, number: u32) {
        self.resume(number);
        let node = self.node_mut(number);
        let mut running = node.running.take().unwrap_or_else(|| panic!("member {number} does not run"));
        running.process.kill();
        // The end of its log.
        node.lives.last_mut().into_iter().for_each(Followed::follow);
    }

    /// Ends what a member has its engine from, as a crash does: Corosync's daemon, or the process that is the hub.
    #[track_caller]
    pub fn kill_daemon(&mut self, number: u32) {
        match self.daemon(number) {
            Some(daemon) => signal(daemon, Signal::KILL),
            None => self.kill(number),
        }
    }

    /// Stops a member and its daemon where they are.
    #[track_caller]
    pub fn pause(&mut self, number: u32) {
        self.daemon(number).into_iter().for_each(|daemon| signal(daemon, Signal::STOP));
        let running = self.running_mut(number);
        running.process.pause();
        running.is_paused = true;
    }

    /// Lets a member go on, if it was stopped.
    pub fn resume(&mut self, number: u32) {
        self.daemon(number).into_iter().for_each(|daemon| signal(daemon, Signal::CONT));
        if let Some(running) = &mut self.node_mut(number).running {
            running.process.resume();
            running.is_paused = false;
        }
    }

    fn daemon(&self, number: u32) -> Option<Pid> {
        let pid = self.notices(number).into_iter().rev().find_map(|notice| match notice {
            Notice::Daemon { pid } => Some(pid),
            _ => None,
        })?;
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        // It may have ended since.
        (name == "corosync\n").then(|| Pid::from_raw(pid.cast_signed())).flatten()
    }

    /// Members reach those on their own side only. Who is on no side reaches all where cables are cut, and nobody else but
    /// those on no side in the embedded engine.
    pub fn cut(&mut self, sides: &[&[u32]]) {
        if let Some(network) = &self.network {
            let sides: Vec<Vec<u8>> = sides.iter().map(|side| side.iter().map(|node| host(*node)).collect()).collect();
            return network.cut(&sides.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }
        let numbered = (1..).zip(sides);
        let sides = numbered.flat_map(|(number, side)| side.iter().map(move |node| (*node, number))).collect();
        self.inject(Fault::Cut { sides });
    }

    /// Cuts what members send to others, pair by pair.
    ///
    /// # Panics
    /// The engine has no cables.
    pub fn cut_directed(&self, pairs: &[(u32, u32)]) {
        let pairs: Vec<(u8, u8)> = pairs.iter().map(|(from, to)| (host(*from), host(*to))).collect();
        self.network.as_ref().expect("cables").cut_directed(&pairs);
    }

    /// Pulls a cable out or plugs it in; whether there is one.
    pub fn set_carrier(&self, number: u32, is_up: bool) -> bool {
        if let Some(network) = &self.network {
            network.set_carrier(host(number), is_up);
        }
        self.network.is_some()
    }

    pub fn heal(&mut self) {
        match &self.network {
            Some(network) => network.heal(),
            None => self.inject(Fault::Heal),
        }
    }

    /// Each is asked, since the hub may have been another a moment ago. Who is stopped would do it when all is over.
    fn inject(&mut self, fault: Fault) {
        let is_awake = |node: &Node| node.running.as_ref().is_some_and(|running| !running.is_paused);
        let awake: Vec<u32> = self.nodes.iter().filter(|(_, node)| is_awake(node)).map(|(number, _)| *number).collect();
        awake.into_iter().for_each(|number| self.tell(number, &Command::Fault(fault.clone())));
    }

    /// A group as a member was last seen in it.
    pub fn seen(&self, number: u32, group: &GroupName) -> Seen {
        self.nodes[&number].lives.last().map(|life| life.group(group)).unwrap_or_default()
    }

    /// Of a member's present life, as last read.
    pub fn records(&self, number: u32) -> &[Record] {
        self.nodes[&number].lives.last().map(|life| life.log.records()).unwrap_or_default()
    }

    pub fn me(&self, number: u32) -> Option<Member> {
        self.nodes[&number].lives.last()?.me
    }

    /// Looks at the logs until `poll` has found what it looks for.
    #[track_caller]
    pub fn wait<T>(&mut self, what: &str, mut poll: impl FnMut(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + LIVENESS;
        loop {
            self.follow();
            if let Some(found) = poll(self) {
                return found;
            }
            assert!(
                Instant::now() < deadline,
                "still waiting after {} s: {what}\n{}",
                LIVENESS.as_secs(),
                self.shown()
            );
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    #[track_caller]
    fn follow(&mut self) {
        for (number, node) in &mut self.nodes {
            if let Some(running) = &mut node.running {
                assert!(running.process.is_running(), "member {number} has ended: {}", running.process.stderr());
            }
            node.lives.last_mut().into_iter().for_each(Followed::follow);
        }
    }

    /// Waits until these, and nobody else, are in one view of each group.
    #[track_caller]
    pub fn together(&mut self, numbers: &[u32]) {
        for group in [with_state(), plain()] {
            self.wait(&format!("{numbers:?} are in one view of {group}"), |cluster| {
                cluster.is_together(numbers, &group).then_some(())
            });
        }
    }

    pub fn is_together(&self, numbers: &[u32], group: &GroupName) -> bool {
        let me: Option<Vec<Member>> = numbers.iter().map(|number| self.me(*number)).collect();
        let views: Vec<_> = numbers.iter().map(|number| self.seen(*number, group).view).collect();
        me.is_some_and(|me| {
            let is_theirs = |view: &Option<hamsa_group::View>| {
                view.as_ref().is_some_and(|view| view.members == me)
                    && view.as_ref().map(|view| view.id) == views[0].as_ref().map(|view| view.id)
            };
            views.iter().all(is_theirs)
        })
    }

    /// Waits until each of these was given so many messages more in each of its groups.
    #[track_caller]
    pub fn go_on(&mut self, numbers: &[u32], messages: usize) {
        self.follow();
        for group in [with_state(), plain()] {
            let in_it = || numbers.iter().filter(|number| self.nodes[number].groups.contains(&group));
            let before: Vec<(u32, usize)> = in_it().map(|number| (*number, self.seen(*number, &group).given)).collect();
            self.wait(&format!("{numbers:?} go on in {group}"), |cluster| {
                let has_more = |(number, given): &(u32, usize)| cluster.seen(*number, &group).given >= given + messages;
                before.iter().all(has_more).then_some(())
            });
        }
    }

    /// Ends the load, waits until all that run agree about everything, and judges all that has ever happened. How many
    /// records that were, and how many views.
    #[track_caller]
    pub fn rest(&mut self) -> (u64, usize) {
        self.tell_all(&Command::Rate(0));
        for group in [with_state(), plain()] {
            self.wait(&format!("all agree in {group}"), |cluster| cluster.agrees(&group).then_some(()));
        }
        let lives = self.nodes.values().flat_map(|node| &node.lives);
        let checkers = judge(lives.map(|life| life.log.records())).unwrap_or_else(|violation| panic!("{violation}"));
        for group in [with_state(), plain()] {
            let side = self.members_of(&group).into_iter().filter_map(|number| self.me(number)).collect();
            checkers.converged(&group, &[side]).unwrap_or_else(|violation| panic!("{violation}"));
        }
        (checkers.records(), checkers.views())
    }

    /// Those who run and are in it.
    pub fn members_of(&self, group: &GroupName) -> Vec<u32> {
        self.running().into_iter().filter(|number| self.is_in(*number, group)).collect()
    }

    fn agrees(&self, group: &GroupName) -> bool {
        let members = self.members_of(group);
        let seen: Vec<Seen> = members.iter().map(|number| self.seen(*number, group)).collect();
        let Some(first) = seen.first() else { return true };
        let is_whole = |seen: &Seen| {
            seen.outstanding == 0
                && seen.given_in_view == first.given_in_view
                && (*group != with_state()
                    || seen.state == first.state
                        && seen.state.map(|(version, _)| version.view) == seen.view.as_ref().map(|view| view.id))
        };
        self.is_together(&members, group) && seen.iter().all(is_whole)
    }

    /// How all of it looks, for who has waited in vain.
    fn shown(&self) -> String {
        let mut text = String::new();
        for number in self.all() {
            for group in [with_state(), plain()] {
                let seen = self.seen(number, &group);
                let members: Option<Vec<String>> =
                    seen.view.as_ref().map(|view| view.members.iter().map(Member::to_string).collect());
                let (id, me) = (seen.view.as_ref().map(|view| view.id.to_string()), self.me(number));
                text += &format!(
                    "member {number} ({:?}, runs: {}) in {group}: view {id:?} of {members:?}, {} given in it, {} \
                     outstanding, state {:?}\n",
                    me.map(|me| me.to_string()),
                    self.nodes[&number].running.is_some(),
                    seen.given_in_view,
                    seen.outstanding,
                    seen.state.map(|(version, content)| (version.to_string(), content)),
                );
            }
        }
        text
    }

    #[track_caller]
    fn node_mut(&mut self, number: u32) -> &mut Node {
        self.nodes.get_mut(&number).unwrap_or_else(|| panic!("there is no member {number}"))
    }

    #[track_caller]
    fn running_mut(&mut self, number: u32) -> &mut Running {
        self.node_mut(number).running.as_mut().unwrap_or_else(|| panic!("member {number} does not run"))
    }
}

impl Drop for Cluster {
    #[allow(clippy::print_stderr, reason = "the harness shows it with the test that panicked")]
    fn drop(&mut self) {
        // A daemon that is stopped could not end with its member.
        self.running().into_iter().for_each(|number| self.resume(number));
        if std::thread::panicking() {
            eprintln!("the members' logs are kept in {}", self.logs.display());
        } else {
            // What stays is only clutter.
            let _ = std::fs::remove_dir_all(&self.logs);
        }
    }
}

fn host(number: u32) -> u8 {
    u8::try_from(number).expect("hosts are few")
}

fn signal(process: Pid, signal: Signal) {
    // It may have ended just now.
    let _ = kill_process(process, signal);
}

/// The hosts of the engines that need some.
fn network(kind: Kind, members: u32) -> Result<Option<Network>, Unavailable> {
    match kind {
        Kind::Embedded => return Ok(None),
        Kind::Corosync => drop(program("corosync")?),
        Kind::Zenoh if cfg!(feature = "zenoh") => {}
        Kind::Zenoh => return Err(Unavailable::new("built without the feature `zenoh`: `cargo xtask test` has it")),
    }
    Network::new(host(members)).map(Some)
}
