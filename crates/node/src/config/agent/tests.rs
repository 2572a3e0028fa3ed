//! An agent's configuration: what is read, and what is told.

use std::path::Path;

use super::*;

fn checked(text: &str) -> Report<AgentConfig> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("agent.toml");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let profiles = |_: &[PathBuf]| Vec::new();
    let surroundings = Surroundings { profiles: &profiles, environment: &|_| None, host_name: "host.example".into() };
    check(&path, &surroundings)
}

fn mistakes(text: &str) -> Vec<String> {
    let report = checked(text);
    assert_eq!(report.config.is_some(), report.mistakes.is_empty());
    report.mistakes.iter().map(|mistake| format!("{}: {}", mistake.key, mistake.message)).collect()
}

#[test]
fn the_sample_is_a_configuration_and_so_is_each_of_its_lines() {
    let config = checked(&sample()).config.unwrap();
    assert_eq!((config.name.as_str(), config.workers, config.users.len()), ("host.example", 1, 0));
    assert_eq!(config.views[VIEW_ALL].include[0].to_string(), "1.3");
    let set: String = sample()
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(set) if !set.starts_with(' ') => format!("{set}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let set =
        set.replace("[\"0.0.0.0:161\", \"[::]:161\"]", "[\"127.0.0.1:9161\"]").replace("\"admin\"", "\"example\"");
    // One name can't be a community's and a user's.
    let set = set.replace("[communities.example]", "[communities.other]");
    let report = checked(&set);
    assert!(report.mistakes.is_empty(), "{report}");
    let config = report.config.unwrap();
    assert_eq!(config.users["example"].level, SecurityLevel::AuthPriv);
    assert_eq!(config.control.unwrap().listen.port(), 9163);
}

#[test]
fn mistakes_are_told_with_their_keys_and_without_secrets() {
    let found = mistakes(
        "[agent]\nlisten = []\nworker = 2\n[control]\nlisten = \"0.0.0.0:1\"\nsnmp_users = [\"root\"]\n\
         [agentx]\nlisten = \"0.0.0.0:705\"\n[views.part]\ninclude = [\"sysDescr\"]\n[communities.c]\nview = \"al\"\n\
         [users.u]\nauth_protocol = \"SHA-256\"\nauth_password = \"geheim\"\npriv_password = \"geheimgeheim\"\n\
         [users.v]\nlevel = \"authPriv\"\n[user.x]\n",
    );
    let has = |key: &str, part: &str| {
        let is_there = found.iter().any(|line| line.starts_with(&format!("{key}: ")) && line.contains(part));
        assert!(is_there, "{key}: {part}: {found:#?}");
    };
    has("agent.listen", "nobody could ask");
    has("agent.worker", "did you mean workers");
    has("control.listen", "not a loopback address");
    has("agentx.listen", "not a loopback address");
    has("control.listen", "token");
    has("control.snmp_users[0]", "not known");
    has("views.part.include[0]", "an OID in numbers");
    has("communities.c.community", "missing");
    has("communities.c.view", "did you mean \"all\"");
    has("users.u.auth_password", "too short");
    has("users.u.priv_protocol", "missing");
    has("users.v.level", "more than the protocols allow");
    has("user", "unknown table; did you mean users?");
    assert!(!format!("{found:?}").contains("geheim"));
    assert_eq!(
        mistakes("[users.a]\n[communities.a]\ncommunity = \"c\"\n"),
        ["communities.a: \"a\" is the name of a user too"]
    );
}

#[test]
fn the_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/agent-config.md");
    if std::env::var_os("HAMSA_UPDATE").is_some() {
        std::fs::write(&path, reference()).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == reference(), "docs/agent-config.md is stale: HAMSA_UPDATE=1 cargo test -p hamsa-node config");
}
