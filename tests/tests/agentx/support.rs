//! An agent with the AgentX master installed while it runs, and snmpd as its sub-agent.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use hamsa_testkit::limits::LIVENESS;
use hamsa_testkit::{NetSnmp, Process, Snmptrapd, ToolError, Unavailable, free_udp, hamsa, program, wait_until};
use tempfile::TempDir;

/// Scalars that snmpd has in these modules: caches, tcp, udp.
pub const NS_CACHE: &str = ".1.3.6.1.4.1.8072.1.5";
pub const NS_CACHE_TIMEOUT: &str = ".1.3.6.1.4.1.8072.1.5.1.0";
pub const NS_CACHE_ENABLED: &str = ".1.3.6.1.4.1.8072.1.5.2.0";
pub const UDP: &str = ".1.3.6.1.2.1.7";
pub const MODULES: &str = "system_mib,nsCache,nsDebug,nsLogging,udp,tcp";

pub const V2C: [&str; 3] = ["-v2c", "-c", "hamsa-rw"];

/// A running agent.
pub struct Agent {
    _process: Process,
    tools: NetSnmp,
    address: SocketAddr,
    home: TempDir,
}

impl Agent {
    /// Starts it without AgentX, and installs that.
    pub fn start() -> Result<Self, Unavailable> {
        let tools = NetSnmp::new()?;
        let home = TempDir::with_prefix("hamsa-agentx-").expect("a temporary directory");
        let address = free_udp();
        let config = format!(
            "[agent]\nlisten = [\"{address}\"]\ndata_dir = \"data\"\n\
             [communities.rw]\ncommunity = \"hamsa-rw\"\naccess = \"read-write\"\n\
             [communities.tellers]\ncommunity = \"{}\"\n\
             [users.priv-SHA-256-AES]\nauth_protocol = \"SHA-256\"\nauth_password = \"authentication-pass\"\n\
             priv_protocol = \"AES-128\"\npriv_password = \"privacy-pass\"\naccess = \"read-write\"\n",
            Snmptrapd::COMMUNITY
        );
        let path = home.path().join("agent.toml");
        std::fs::write(&path, config).expect("a configuration file");
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("its mode");
        let mut process = Process::spawn("agent", Command::new(hamsa()).arg("agent").arg("--config").arg(&path));
        let control = home.path().join("data/control.sock");
        process.wait_until("the agent listens", |_| control.exists().then_some(()));
        let agent = Agent { _process: process, tools, address, home };
        assert!(!agent.socket().exists(), "AgentX is not there by itself");
        let installed = agent.control(&["install", "MIB-module/AgentX"]).expect("it is installed");
        assert_eq!(installed, "Done: MIB-module/AgentX 1.1 serves.\n");
        Ok(agent)
    }

    /// Where sub-agents connect.
    pub fn socket(&self) -> PathBuf {
        self.home.path().join("data/agentx.sock")
    }

    /// `hamsa agent …` to this agent; its standard output, or what it complains of.
    pub fn control(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(hamsa());
        command.arg("agent").args(arguments).arg("--socket").arg(self.home.path().join("data/control.sock"));
        let output = Process::spawn("control", &mut command).finish(LIVENESS).expect("it ends");
        if output.status.success() { Ok(output.stdout) } else { Err(output.stderr) }
    }

    /// One of net-snmp's tools, without retries: an answer that is lost is an error.
    pub fn tool(&self, tool: &str, credentials: &[impl AsRef<str>], rest: &[&str]) -> Result<String, ToolError> {
        let address = self.address.to_string();
        let options = ["-r", "0", "-t", "20", "-On", &address];
        let credentials = credentials.iter().map(AsRef::as_ref);
        self.tools.run(tool, credentials.chain(options).chain(rest.iter().copied()))
    }

    /// The value of a variable, with its type.
    pub fn get(&self, credentials: &[impl AsRef<str>], name: &str) -> String {
        let line = self.tool("snmpget", credentials, &[name]).unwrap_or_else(|error| panic!("{error}"));
        line.split_once(" = ").map_or(line.clone(), |(_, value)| value.trim_end().to_owned())
    }

    /// The options of an authPriv user that may write.
    pub fn user(&self) -> Vec<String> {
        self.tools.user("priv-SHA-256-AES").arguments()
    }
}

/// The names of a walk's lines.
pub fn names(walk: &str) -> Vec<String> {
    let names = walk.lines().filter_map(|line| line.split_once(" = ")).filter(|(_, value)| !value.starts_with("No "));
    names.map(|(name, _)| name.to_owned()).collect()
}

/// snmpd as a sub-agent.
pub fn sub_agent(socket: &Path, modules: &str) -> Result<(Process, TempDir), Unavailable> {
    let snmpd = program("snmpd")?;
    let home = TempDir::with_prefix("hamsa-sub-agent-").expect("a temporary directory");
    let mut command = Command::new(snmpd);
    command
        .args(["-f", "-r", "-Le", "-C", "-X", "-I", modules, "-c", "/dev/null", "-x"])
        .arg(format!("unix:{}", socket.display()))
        .envs(["HOME", "SNMPCONFPATH", "SNMP_PERSISTENT_DIR", "MIBDIRS"].map(|name| (name, home.path())))
        .env("MIBS", "")
        .current_dir(home.path());
    Ok((Process::spawn("sub-agent", &mut command), home))
}

/// Waits until a variable is there, or is there no more.
pub fn wait_for(agent: &Agent, name: &str, is_there: bool) {
    wait_until("the sub-agent comes or goes", || {
        let value = agent.tool("snmpget", &V2C, &[name]).ok()?;
        (value.contains("No Such") != is_there).then_some(())
    });
}
