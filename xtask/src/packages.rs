//! The programs that whole-process tests need, and the Debian packages they come from. Where something is
//! missing and can be installed it is; where it can't, the tests that need it skip themselves and say so.
//!
//! No daemon that comes with a package is left running or enabled: the tests start their own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::run::{End, run, shown};
use crate::summary::Outcome;

/// Downloads of about 150 MB on a slow line, and dpkg's own work.
const INSTALL_LIMIT: Duration = Duration::from_secs(20 * 60);

/// A package, and how its presence is seen.
struct Package {
    debian: &'static str,
    probe: Probe,
    serves: &'static str,
}

enum Probe {
    Program(&'static str),
    File(&'static str),
}

const fn package(debian: &'static str, probe: Probe, serves: &'static str) -> Package {
    Package { debian, probe, serves }
}

const PACKAGES: &[Package] = &[
    package("snmpd", Probe::Program("snmpd"), "tests that poll a real agent"),
    package("snmp", Probe::Program("snmpget"), "tests with net-snmp's tools as the peer"),
    package("snmptrapd", Probe::Program("snmptrapd"), "tests of sent notifications"),
    package("smitools", Probe::Program("smilint"), "the check of our MIB file by libsmi"),
    package(
        "libsnmp-dev",
        Probe::File("/usr/include/net-snmp/net-snmp-config.h"),
        "comparisons with net-snmp's library",
    ),
    package("iproute2", Probe::Program("ip"), "tests of group engines on hosts that can be cut from each other"),
    package("nftables", Probe::Program("nft"), "tests of group engines on hosts that can be cut from each other"),
    package("corosync", Probe::Program("corosync"), "tests of the Corosync engine"),
    package("libcpg-dev", Probe::File("/usr/include/corosync/cpg.h"), "comparisons with bare CPG"),
    package("gcc", Probe::Program("cc"), "comparisons with net-snmp's library"),
    package("libc6-dev", Probe::File("/usr/include/stdio.h"), "comparisons with net-snmp's library"),
    package("chromium", Probe::Program("chromium"), "tests of the console in a browser"),
    package("chromium-driver", Probe::Program("chromedriver"), "tests of the console in a browser"),
    package("prometheus", Probe::Program("prometheus"), "tests with a real Prometheus as the peer"),
    package("prometheus-snmp-exporter", Probe::Program("prometheus-snmp-exporter"), "comparisons with snmp_exporter"),
];

/// Run as root with the packages as arguments. policy-rc.d keeps their daemons from being started where the
/// machine has no policy of its own, also where there is no init; systemd would start enabled ones at the next
/// boot, so they and their sockets are disabled. Package lists are fetched only where the first try shows that they
/// are needed, and a package that this distribution lacks does not keep out the others.
const INSTALL_SCRIPT: &str = r##"
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
mark='# Written by "cargo xtask test" while it installs packages; safe to remove.'
if [ ! -e $policy ] || grep -qF "$mark" $policy; then
    trap 'rm -f $policy' EXIT
    trap 'exit 130' INT TERM HUP
    printf '#!/bin/sh\n%s\nexit 101\n' "$mark" > $policy && chmod 755 $policy
fi
install() { apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"; }
if ! install "$@"; then
    echo "the lists of packages may be missing or old: apt-get update"
    apt-get update
    if ! install "$@"; then
        echo "not all can be had: trying one by one"
        for package; do install "$package"; done
    fi
fi
if [ -d /run/systemd/system ]; then
    for package; do
        for unit in "$package.service" "$package.socket"; do
            if systemctl cat "$unit" >/dev/null 2>&1; then systemctl disable --now "$unit"; fi
        done
    done
fi
"##;

/// Installs what is missing, or says what that costs.
///
/// # Errors
/// The task is interrupted.
pub(crate) fn install_missing() -> anyhow::Result<Outcome> {
    let missing = missing();
    if missing.is_empty() {
        println!("all {} packages are there", PACKAGES.len());
        return Ok(Outcome::Passed);
    }
    let names: Vec<&str> = missing.iter().map(|package| package.debian).collect();
    println!("missing: {}", names.join(" "));
    let Some(mut command) = root_shell() else {
        return Ok(not_installed(&missing, "this needs apt-get, and root or sudo without a password"));
    };
    println!(
        "installing with `apt-get install --yes --no-install-recommends {}` (daemons are neither started nor enabled)",
        names.join(" ")
    );
    command.args(["-c", INSTALL_SCRIPT, "install"]).args(&names).current_dir("/");
    let end = match run(command, INSTALL_LIMIT) {
        Ok(end) => end,
        Err(error) if error.is::<crate::run::Interrupted>() => return Err(error),
        Err(error) => return Ok(not_installed(&missing, &error.to_string())),
    };
    let missing = self::missing();
    if missing.is_empty() {
        return Ok(Outcome::Passed);
    }
    let reason = match end {
        End::TimedOut(_) => end.to_string(),
        End::Exited(_) => "apt-get could not install them".to_owned(),
    };
    Ok(not_installed(&missing, &reason))
}

fn missing() -> Vec<&'static Package> {
    let present = |package: &&Package| match package.probe {
        Probe::Program(name) => find_program(name).is_some(),
        Probe::File(path) => Path::new(path).exists(),
    };
    PACKAGES.iter().filter(|package| !present(package)).collect()
}

fn not_installed(missing: &[&Package], reason: &str) -> Outcome {
    println!("{reason}; these tests will be skipped:");
    for package in missing {
        println!("  without {}: {}", package.debian, package.serves);
    }
    let names: Vec<&str> = missing.iter().map(|package| package.debian).collect();
    Outcome::Skipped(format!("not installed: {} ({reason})", names.join(" ")))
}

/// A shell with root's rights on a machine with apt-get, or `None`. It asks for no password.
fn root_shell() -> Option<Command> {
    find_program("apt-get")?;
    if rustix::process::geteuid().is_root() {
        return Some(Command::new("sh"));
    }
    let mut probe = Command::new(find_program("sudo")?);
    probe.args(["-n", "true"]);
    if !probe.output().is_ok_and(|output| output.status.success()) {
        println!("`{}` was refused", shown(&probe));
        return None;
    }
    let mut command = Command::new("sudo");
    command.args(["-n", "sh"]);
    Some(command)
}

/// A program on the search path, or where Debian keeps daemons.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
}
