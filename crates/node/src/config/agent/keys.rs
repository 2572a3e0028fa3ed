//! Every key of an agent's configuration, once: the types, the sample and the reference come from here.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use hamsa_snmp::Oid;
use hamsa_snmp::engine::EngineId;
use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::usm::{AuthProtocolId, PrivProtocolId};

use super::super::Secret;
use super::super::keys::{LogConfig, auth_protocol, priv_protocol};
use super::super::limits::RECEIVE_BUFFER_OCTETS;
use super::super::section::{Effect, Field, Key, Placed, Presence, Section, TableReader, section};
use super::super::shape::{
    Flag, Kept, List, NumberIn, OneOf, PathTo, SecretKind, Shape, SizeIn, Text, listen_address, plain_name,
};
use super::Rights;
use crate::limits::MAX_AGENT_WORKERS;

/// All tables, in the order in which they are shown.
pub(super) const SECTIONS: [&Section; 8] = [
    &AgentKeys::SECTION,
    &SystemKeys::SECTION,
    &AgentxKeys::SECTION,
    &ControlKeys::SECTION,
    &LogConfig::SECTION,
    &ViewKeys::SECTION,
    &CommunityKeys::SECTION,
    &UserKeys::SECTION,
];

const LEVELS: [SecurityLevel; 3] = [SecurityLevel::NoAuthNoPriv, SecurityLevel::AuthNoPriv, SecurityLevel::AuthPriv];

section! {
    /// The agent.
    pub(super) struct AgentKeys = "[agent]" {
        /// Where to listen for SNMP over UDP. Port 161 is the usual one and needs a privilege
        /// (`CAP_NET_BIND_SERVICE`).
        restart listen: Vec<SocketAddr> = List(listen_address()), default(["127.0.0.1:9161"]),
            example(["0.0.0.0:161", "[::]:161"]);
        /// Where boots, salts, what managers have set, states of modules and the journal of swaps are kept, and where
        /// the control socket is. Only one agent may use it.
        restart data_dir: PathBuf = PathTo::DirectoryToCreate, default("hamsa-agent-data");
        /// Threads that answer.
        restart workers: u8 = NumberIn { min: 1, max: MAX_AGENT_WORKERS }, default(1);
        /// What each socket asks of the kernel as receive buffer. Too small a one drops requests, in the milliseconds
        /// of a swap too.
        restart receive_buffer: u64 =
            SizeIn { min: RECEIVE_BUFFER_OCTETS.0, max: RECEIVE_BUFFER_OCTETS.1 }, default("4MiB");
    }
}

section! {
    /// What SNMPv2-MIB tells about this system, as long as no manager has set it otherwise.
    pub(super) struct SystemKeys = "[system]" {
        /// `sysContact`: who looks after it.
        restart contact: String = ascii(), default("");
        /// `sysName`.
        restart name: Field<String> = ascii(), optional("the host's name"), example("web1.example.net");
        /// `sysLocation`: where it stands.
        restart location: String = ascii(), default("");
    }
}

section! {
    /// The AgentX master (RFC 2741): sub-agents bring parts of the MIB from processes of their own. They connect to the
    /// socket `agentx.sock` in the data directory, which only the user that runs the agent, and root, may open.
    pub(super) struct AgentxKeys = "[agentx]" {
        /// Install it at the start. It can also be installed at any time later: `hamsa agent install MIB-module/AgentX`.
        restart install: bool = Flag, default(false);
        /// Where to listen for sub-agents over TCP too, on a loopback address. Every user of this host can connect there.
        restart listen: Field<SocketAddr> = listen_address(), optional("no TCP"), example("127.0.0.1:705");
    }
}

section! {
    /// Who may replace modules while the agent runs. Whoever runs the agent, and root, always may, by the socket
    /// `control.sock` in the data directory.
    pub(super) struct ControlKeys = "[control]" {
        /// Where to listen for HTTP, on a loopback address. It needs the token.
        restart listen: Field<SocketAddr> = listen_address(), optional("no HTTP"), example("127.0.0.1:9163");
        /// The bearer token that every request must carry.
        restart token: Field<Secret> = SecretKind::TOKEN, secret("no HTTP"),
            example("replace-this-by-32-random-characters");
        /// The users that may replace modules by HAMSA-SWAP-MIB. They need a view to write it as well.
        restart snmp_users: Vec<Placed<String>> = List(Kept(plain_name())), default([]), example(["admin"]);
    }
}

section! {
    /// Views: parts of the MIB, by names that communities and users refer to. The view `all` is there already.
    pub(super) struct ViewKeys = "[views.NAME]" {
        /// The subtrees that are in it.
        restart include: Vec<Oid> = List(oid()), default([]), example(["1.3.6.1.2.1.1", "1.3.6.1.2.1.2"]);
        /// The subtrees below those that are not in it.
        restart exclude: Vec<Oid> = List(oid()), default([]), example(["1.3.6.1.2.1.1.4"]);
    }
}

section! {
    /// SNMPv1 and SNMPv2c: communities, by names that are none of the secret.
    pub(super) struct CommunityKeys = "[communities.NAME]" {
        /// The community. It travels in clear.
        restart community: Field<Secret> = SecretKind::COMMUNITY, secret("not allowed"), example("public");
        /// The versions of SNMP that it holds for.
        restart versions: Vec<Version> = List(OneOf(&[Version::V1, Version::V2c], Version::name)),
            default(["v1", "v2c"]);
        /// What may be done.
        restart access: Rights = OneOf(&Rights::ALL, Rights::name), default("read-only");
        /// The view that may be read and, with `read-write`, written.
        restart view: Placed<String> = Kept(plain_name()), default("all");
    }
}

section! {
    /// SNMPv3: users of the user-based security model (RFC 3414), by their names.
    pub(super) struct UserKeys = "[users.NAME]" {
        /// The authentication protocol.
        restart auth_protocol: Field<AuthProtocolId> = auth_protocol(), optional("no authentication"),
            example("SHA-256");
        /// The password for authentication.
        restart auth_password: Field<Secret> = SecretKind::PASSWORD, secret("no authentication"),
            example("replace this password");
        /// The privacy (encryption) protocol. AES-192-C and AES-256-C are Cisco's way to make the key.
        restart priv_protocol: Field<PrivProtocolId> = priv_protocol(), optional("no encryption"), example("AES-128");
        /// The password for privacy.
        restart priv_password: Field<Secret> = SecretKind::PASSWORD, secret("no encryption"),
            example("replace this one too");
        /// The engine that knows this user, if that is not the agent's own: the one that an inform is for, or one behind
        /// the agent's proxy. The agent speaks to it in this name, and nobody can ask the agent by it.
        restart engine_id: Field<EngineId> = engine_id(), optional("the agent's own"),
            example("80001f8804636f6c6c6563746f72");
        /// How far messages must be secured at least.
        restart level: Field<SecurityLevel> = OneOf(&LEVELS, SecurityLevel::name),
            optional("the highest that the protocols allow"), example("authPriv");
        /// What may be done.
        restart access: Rights = OneOf(&Rights::ALL, Rights::name), default("read-only");
        /// The view that may be read and, with `read-write`, written.
        restart view: Placed<String> = Kept(plain_name()), default("all");
    }
}

fn ascii() -> Text<String> {
    fn parse(text: &str) -> Result<String, String> {
        let is_text = text.is_ascii() && text.len() <= 255 && !text.contains(char::is_control);
        if is_text { Ok(text.to_owned()) } else { Err("not such a text".to_owned()) }
    }
    Text { allowed: "a text of at most 255 ASCII characters (RFC 2579 DisplayString)".into(), parse }
}

fn engine_id() -> Text<EngineId> {
    fn parse(text: &str) -> Result<EngineId, String> {
        let id: EngineId = text.parse().map_err(|error: <EngineId as FromStr>::Err| error.to_string())?;
        if id.as_octets().len() < 5 { Err("an engine ID has 5 octets at least".to_owned()) } else { Ok(id) }
    }
    Text { allowed: "an snmpEngineID in hexadecimal, 5 to 32 octets, as in \"80001f8804636f6c\"".into(), parse }
}

fn oid() -> Text<Oid> {
    fn parse(text: &str) -> Result<Oid, String> {
        text.parse().map_err(|error: <Oid as FromStr>::Err| error.to_string())
    }
    Text { allowed: "an OID in numbers, as in \"1.3.6.1.2.1\"".into(), parse }
}
