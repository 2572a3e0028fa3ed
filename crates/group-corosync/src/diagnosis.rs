//! What the daemon's log says is wrong, as something that a user can act on.
//!
//! The sentences are those of Corosync 3.1 and Kronosnet 1.25; one that a later version words otherwise is passed on
//! with the rest of the log and just not recognised.

/// What keeps the daemon from its work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Someone sends what our key does not open.
    #[error(
        "what comes from {from} can't be decrypted: that host's key file is another one than ours, and the two will \
         never meet; copy one key to all hosts of the ring"
    )]
    WrongKey {
        /// Its address.
        from: String,
    },
    /// No node of the ring has an address of this host.
    #[error("none of the ring's addresses is on this host: compare the node's addresses with `ip address`")]
    AddressNotHere,
    /// Another program listens there.
    #[error(
        "the node's UDP port is taken by another program (`ss -ulpn` names it): this node is alone until that ends"
    )]
    PortTaken,
    /// The daemon of the system, or a second one of ours.
    #[error(
        "a Corosync daemon runs on this host already: stop it (`systemctl disable --now corosync`), or let it serve by \
         having Hamsa start none"
    )]
    AlreadyRunning,
    /// It may not do what it has to.
    #[error(
        "the daemon is not permitted to run ({detail}): without root it needs unprivileged user namespaces; allow those, \
         or have root start the system's daemon and use that"
    )]
    NoPermission {
        /// What was refused.
        detail: String,
    },
    /// It reads the configuration otherwise than we do.
    #[error("the daemon refuses its configuration: {detail}")]
    Configuration {
        /// Its own words.
        detail: String,
    },
}

impl Problem {
    /// What a line of the log says is wrong, if it does. Several lines may say the same.
    pub(crate) fn in_line(line: &str) -> Option<Self> {
        let after = |sentence: &str| line.split_once(sentence).map(|(_, rest)| rest.trim());
        if let Some(rest) = after("Unable to decrypt packet from ") {
            return Some(Problem::WrongKey { from: sender(rest).to_owned() });
        }
        if line.contains("No valid name found for local host") {
            return Some(Problem::AddressNotHere);
        }
        if line.contains("bind listener socket: Address already in use") {
            return Some(Problem::PortTaken);
        }
        if line.contains("bind listener socket: Cannot assign requested address") {
            return Some(Problem::AddressNotHere);
        }
        // Another one's lock may be in a `/run` of its own; the names that clients connect to are the network's.
        let has_clients = line.contains("Could not bind AF_UNIX") && line.contains("Address already in use");
        if has_clients || line.contains("Another Corosync instance is already running") {
            return Some(Problem::AlreadyRunning);
        }
        let refusals = ["couldn't create lock file", "unshare failed", "mount: ", "Operation not permitted"];
        if !line.contains("RLIMIT_MEMLOCK") && refusals.iter().any(|refusal| line.contains(refusal)) {
            return Some(Problem::NoPermission { detail: said(line).to_owned() });
        }
        let detail = after("parse error in config: ").or_else(|| after("parser error: "));
        detail.map(|detail| Problem::Configuration { detail: detail.to_owned() })
    }
}

/// The address in `192.0.2.1:5405 (size 80)!`.
fn sender(rest: &str) -> &str {
    let endpoint = rest.split_once(' ').map_or(rest, |(endpoint, _)| endpoint);
    endpoint.rsplit_once(':').map_or(endpoint, |(address, _)| address)
}

/// A line without its level and subsystem.
pub(crate) fn said(line: &str) -> &str {
    line.split_once("] ").map_or(line, |(_, rest)| rest).trim()
}

/// The level of a line of the log.
pub(crate) fn level(line: &str) -> tracing::Level {
    match line.split_whitespace().next() {
        Some("emerg" | "alert" | "crit" | "error") => tracing::Level::ERROR,
        Some("warning") => tracing::Level::WARN,
        Some("debug" | "trace") => tracing::Level::DEBUG,
        _ => tracing::Level::INFO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_daemon_says_is_understood() {
        let wrong_key = |from: &str| Some(Problem::WrongKey { from: from.into() });
        let refused = |detail: &str| Some(Problem::NoPermission { detail: detail.into() });
        let cases = [
            ("error   [KNET  ] rx: Unable to decrypt packet from 10.77.0.2:5405 (size 80)!", wrong_key("10.77.0.2")),
            (
                "error   [KNET  ] rx: Unable to decrypt packet from 2001:db8::2:5405 (size 80)!",
                wrong_key("2001:db8::2"),
            ),
            (
                "error   [MAIN  ] parse error in config: No valid name found for local host",
                Some(Problem::AddressNotHere),
            ),
            ("error   [KNET  ] udp: Unable to bind listener socket: Address already in use", Some(Problem::PortTaken)),
            ("error   [MAIN  ] Another Corosync instance is already running.", Some(Problem::AlreadyRunning)),
            ("error   [QB    ] Could not bind AF_UNIX (): Address already in use (98)", Some(Problem::AlreadyRunning)),
            (
                "error   [MAIN  ] Corosync Executive couldn't create lock file.",
                refused("Corosync Executive couldn't create lock file."),
            ),
            (
                "unshare: unshare failed: Operation not permitted",
                refused("unshare: unshare failed: Operation not permitted"),
            ),
            (
                "error   [MAIN  ] parser error: /etc/corosync/corosync.conf:4: Missing closing brace",
                Some(Problem::Configuration { detail: "/etc/corosync/corosync.conf:4: Missing closing brace".into() }),
            ),
            // Every daemon in a container says so, and runs well.
            (
                "warning [MAIN  ] Could not increase RLIMIT_MEMLOCK, not locking memory: Operation not permitted (1)",
                None,
            ),
            ("info    [KNET  ] rx: host: 2 link: 0 is up", None),
            ("", None),
        ];
        for (line, expected) in cases {
            assert_eq!(Problem::in_line(line), expected, "{line}");
        }
    }

    #[test]
    fn levels_are_passed_on() {
        let levels = ["error   [MAIN  ] a", "warning [KNET  ] b", "notice  [TOTEM ] c", "unshare: d", ""].map(level);
        use tracing::Level;
        assert_eq!(levels, [Level::ERROR, Level::WARN, Level::INFO, Level::INFO, Level::INFO]);
    }
}
