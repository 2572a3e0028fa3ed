//! Broken files, and the exact list of what is told about each.

use super::super::limits::MAX_FILE_OCTETS;
use super::Directory;

const CREDENTIALS: &str = "[credentials.lab]\nversion = \"v2c\"\ncommunity = \"s3cret\"\n";

#[track_caller]
fn told(text: &str, expected: &[&str]) {
    told_of(&[("hamsa.toml", text)], expected);
}

#[track_caller]
fn told_of(files: &[(&str, &str)], expected: &[&str]) {
    assert_eq!(Directory::new(files).lines(), expected);
}

/// Puts `text` behind credentials that devices can refer to, on line 4.
#[track_caller]
fn told_behind_credentials(text: &str, expected: &[&str]) {
    told(&format!("{CREDENTIALS}{text}"), expected);
}

#[test]
fn unknown_keys_and_tables_are_told_with_what_was_meant() {
    told(
        "intervall = 1\nlisten = 1\nxyzzy = 1\n[poll]\nintervall = \"60s\"\nretention = \"3d\"\n\"a\\u001b[31m b\" = 1\n[pol]\nx = 1\n[[devices]]\n",
        &[
            "hamsa.toml:1:1: intervall: unknown key; expected one of include, credentials, device, enterprise, group, http, log, mib, node, poll, profiles, store, traps",
            "hamsa.toml:2:1: listen: unknown key here; it belongs to [http] or [traps] or [enterprise]",
            "hamsa.toml:3:1: xyzzy: unknown key; expected one of include, credentials, device, enterprise, group, http, log, mib, node, poll, profiles, store, traps",
            "hamsa.toml:5:1: poll.intervall: unknown key; did you mean interval?",
            "hamsa.toml:6:1: poll.retention: unknown key here; it belongs to [store]",
            "hamsa.toml:7:1: poll.\"a\\u{1b}[31m b\": unknown key; expected one of interval, timeout, max_timeout, retries, \
             max_outstanding, max_repetitions, max_response_octets, refresh, receive_buffer",
            "hamsa.toml:8:2: pol: unknown table; did you mean poll?",
            "hamsa.toml:10:3: devices: unknown table; did you mean device?",
        ],
    );
}

#[test]
fn values_of_the_wrong_type_are_told_without_the_value() {
    told(
        "poll = 5\ncredentials = [1]\ndevice = { name = 1 }\ninclude = 1\n[store]\nretention = 30\n[log]\nlevel = 1.5\n[mib]\ndirs = \"mibs\"\nmodules = [1979-05-27, true]\n",
        &[
            "hamsa.toml:1:8: poll: found a whole number; expected a table: [poll]",
            "hamsa.toml:2:15: credentials: found a list; expected tables: [credentials.NAME]",
            "hamsa.toml:3:10: device: found a table; expected a list of tables: [[device]]",
            "hamsa.toml:4:11: include: found a whole number; expected a list, each the path of a file, with or without wildcards in the file's name",
            "hamsa.toml:6:13: store.retention: found a whole number; expected a duration from \"1d\" to \"10y\"",
            "hamsa.toml:8:9: log.level: found a number with a fraction; expected \"error\", \"warn\", \"info\", \"debug\", \"trace\"",
            "hamsa.toml:10:8: mib.dirs: found a string; expected a list, each a directory",
            "hamsa.toml:11:12: mib.modules[0]: found a date; expected a name of letters, digits, hyphens, underscores and dots",
            "hamsa.toml:11:24: mib.modules[1]: found a boolean; expected a name of letters, digits, hyphens, underscores and dots",
        ],
    );
}

#[test]
fn values_out_of_range_are_told_with_the_range() {
    told(
        "[poll]\ninterval = \"1ms\"\ntimeout = \"2h\"\nretries = 11\nmax_repetitions = -1\nmax_outstanding = 99999999999999999999999999999999\n\
         max_response_octets = 0x10\nrefresh = \"x\"\nreceive_buffer = \"4MB\"\n[store]\ncache_size = \"1KiB\"\n[log]\nformat = \"jsn\"\n",
        &[
            "hamsa.toml:2:12: poll.interval: \"1ms\": out of range; expected a duration from \"100ms\" to \"1d\"",
            "hamsa.toml:3:11: poll.timeout: \"2h\": out of range; expected a duration from \"10ms\" to \"1m\"",
            "hamsa.toml:4:11: poll.retries: 11 is out of range; expected a whole number from 0 to 10",
            "hamsa.toml:5:19: poll.max_repetitions: -1 is out of range; expected a whole number from 0 to 1000",
            "hamsa.toml:6:19: poll.max_outstanding: 999999999999999999999999... is out of range; expected a whole number from 1 to 64",
            "hamsa.toml:7:23: poll.max_response_octets: 0x10 is out of range; expected a whole number from 484 to 65507",
            "hamsa.toml:8:11: poll.refresh: \"x\": a number is missing, as in \"60s\"; expected a duration from \"1s\" to \"1d\"",
            "hamsa.toml:9:18: poll.receive_buffer: \"4MB\": \"MB\" is not a unit; use B, KiB, MiB, GiB, TiB; expected a size from \"64KiB\" to \"1GiB\"",
            "hamsa.toml:11:14: store.cache_size: \"1KiB\": out of range; expected a size from \"1MiB\" to \"64GiB\"",
            "hamsa.toml:13:10: log.format: \"jsn\": not known (did you mean \"json\"?); expected \"text\", \"json\"",
        ],
    );
}

#[test]
fn timeouts_fit_each_other() {
    let message = "a timeout of 2s is longer than the max_timeout of [poll], 1500ms";
    told(
        "[poll]\ntimeout = \"2s\"\nmax_timeout = \"1500ms\"\n",
        &[&format!("hamsa.toml:2:11: poll.timeout: {message}")],
    );
    told(
        "[poll]\nmax_timeout = \"500ms\"\n",
        &["hamsa.toml:2:15: poll.max_timeout: a timeout of 1s is longer than the max_timeout of [poll], 500ms"],
    );
    told_behind_credentials(
        "[poll]\nmax_timeout = \"1500ms\"\n[[device]]\naddress = \"192.0.2.1\"\ncredentials = \"lab\"\ntimeout = \"2s\"\n",
        &[&format!("hamsa.toml:9:11: device[0].timeout: {message}")],
    );
    // What one mistake makes uncertain is not told as another.
    told(
        "[poll]\ntimeout = \"20s\"\nmax_timeout = \"x\"\n",
        &[
            "hamsa.toml:3:15: poll.max_timeout: \"x\": a number is missing, as in \"60s\"; expected a duration from \"10ms\" to \"1m\"",
        ],
    );
}

#[test]
fn an_address_that_others_reach_needs_a_token_or_tls() {
    let told_of_listen = |listen: &str| {
        told(
            &format!("[http]\nlisten = \"{listen}\"\n"),
            &[&format!(
                "hamsa.toml:2:10: http.listen: {listen} is not a loopback address, so whoever reaches it could read all data; \
                 set token (or token_file, token_env), or tls_cert and tls_key, or listen on 127.0.0.1"
            )],
        );
    };
    told_of_listen("0.0.0.0:8161");
    told_of_listen("192.0.2.1:8161");
    told_of_listen("[::]:8161");
    told_of_listen("[::ffff:192.0.2.1]:8161");
    told("[http]\nlisten = \"127.9.9.9:0\"\n", &[]);
    told("[http]\nlisten = \"[::1]:8161\"\n", &[]);
    told("[http]\nlisten = \"[::ffff:127.0.0.1]:8161\"\n", &[]);
    told(
        "[http]\nlisten = \"0.0.0.0:8161\"\ntoken = \"0123456789abcdef\"\n",
        &["hamsa.toml:2:10: warning: http.listen: without TLS the token travels in clear"],
    );
    told_of(
        &[
            ("hamsa.toml", "[http]\nlisten = \"0.0.0.0:8161\"\ntls_cert = \"c.pem\"\ntls_key = \"k.pem\"\n"),
            ("c.pem", ""),
            ("k.pem", ""),
        ],
        &["hamsa.toml:2:10: warning: http.listen: without a token whoever reaches this address can read all data"],
    );
    told(
        "[http]\nlisten = \"localhost:8161\"\ntoken = \"short\"\n",
        &[
            "hamsa.toml:2:10: http.listen: \"localhost:8161\": not an IP address and a port; expected an IP address and a port, as in \"127.0.0.1:8161\" or \"[::1]:8161\"",
            "hamsa.toml:3:9: http.token: is too short; expected 16 or more of the characters A-Z a-z 0-9 - . _ ~ + / and = at the end (RFC 6750 §2.1)",
        ],
    );
    told(
        "[http]\ntoken = \"0123456789 abcdef\"\n",
        &[
            "hamsa.toml:2:9: http.token: has other characters than a bearer token may have; expected 16 or more of the characters A-Z a-z 0-9 - . _ ~ + / and = at the end (RFC 6750 §2.1)",
        ],
    );
}

#[test]
fn tls_needs_both_files() {
    let directory = Directory::new(&[("hamsa.toml", "[http]\ntls_cert = \"c.pem\"\n"), ("c.pem", "")]);
    assert_eq!(directory.lines(), ["hamsa.toml:2:12: http.tls_cert: tls_key is missing; TLS needs both, or neither"]);
    directory.write("hamsa.toml", b"[http]\ntls_key = \"c.pem\"\n", 0o600);
    assert_eq!(directory.lines(), ["hamsa.toml:2:11: http.tls_key: tls_cert is missing; TLS needs both, or neither"]);
    directory.write("hamsa.toml", b"[http]\ntls_key = \"k.pem\"\ntls_cert = \".\"\n", 0o600);
    assert_eq!(
        directory.lines(),
        [
            "hamsa.toml:2:11: http.tls_key: \"k.pem\": No such file or directory (os error 2) (relative paths start at DIR); expected a file",
            "hamsa.toml:3:12: http.tls_cert: \".\": not a regular file (relative paths start at DIR); expected a file",
        ]
    );
    directory.write("hamsa.toml", b"[http]\ntls_key = \"c.pem\"\ntls_cert = \"c.pem\"\n", 0o600);
    directory.write("c.pem", b"", 0o644);
    assert_eq!(
        directory.lines(),
        ["hamsa.toml:2:11: warning: http.tls_key: everyone may read this file: chmod o-r it"]
    );
}

#[test]
fn paths_lead_to_what_is_expected() {
    told(
        "[node]\ndata_dir = \"\"\n[mib]\ndirs = [\"hamsa.toml\", \"none\"]\n[profiles]\ndirs = [\"none\"]\n",
        &[
            "hamsa.toml:2:12: node.data_dir: \"\": not a path; expected a directory, created if missing",
            "hamsa.toml:4:9: mib.dirs[0]: \"hamsa.toml\": not a directory (relative paths start at DIR); expected a directory",
            "hamsa.toml:4:23: mib.dirs[1]: \"none\": No such file or directory (os error 2) (relative paths start at DIR); expected a directory",
            "hamsa.toml:6:9: profiles.dirs[0]: \"none\": No such file or directory (os error 2) (relative paths start at DIR); expected a directory",
        ],
    );
    told(
        "[node]\nname = \" a\"\ndata_dir = \"hamsa.toml\"\n",
        &[
            "hamsa.toml:2:8: node.name: \" a\": not a name; expected a text of 1 to 128 octets, without blanks around it",
            "hamsa.toml:3:12: node.data_dir: \"hamsa.toml\": not a directory (relative paths start at DIR); expected a directory, created if missing",
        ],
    );
}

#[test]
fn credentials_have_the_keys_of_their_version() {
    told(
        "[credentials.a]\n[credentials.b]\nversion = \"2c\"\ncommunity = \"s3cret\"\nusr = \"x\"\n[credentials.c]\nversion = \"v2c\"\nuser = \"x\"\n\
         [credentials.d]\nversion = \"v3\"\ncommunity = \"s3cret\"\n[credentials.\"a b\"]\n[credentials]\ne = 5\n",
        &[
            "hamsa.toml:1:1: credentials.a.version: this key is missing; expected \"v1\", \"v2c\", \"v3\"",
            "hamsa.toml:3:11: credentials.b.version: \"2c\": not known (did you mean \"v2c\"?); expected \"v1\", \"v2c\", \"v3\"",
            "hamsa.toml:5:1: credentials.b.usr: unknown key; did you mean user?",
            "hamsa.toml:6:1: credentials.c.community: this key is missing (or community_file, community_env); expected a text of 1 to 255 octets",
            "hamsa.toml:8:1: credentials.c.user: unknown key here; it belongs to [credentials.NAME] of version \"v3\"",
            "hamsa.toml:9:1: credentials.d.user: this key is missing; expected a text of 1 to 32 octets (RFC 3414 §2.4)",
            "hamsa.toml:11:1: credentials.d.community: unknown key here; it belongs to [credentials.NAME] of version \"v1\" or \"v2c\"",
            "hamsa.toml:12:1: credentials.\"a b\": not a name for credentials; expected a name of letters, digits, hyphens, underscores and dots",
            "hamsa.toml:14:5: credentials.e: found a whole number; expected a table: [credentials.NAME]",
        ],
    );
}

/// The mistakes of SNMPv3 credentials with these keys, on line 4 and after.
#[track_caller]
fn told_of_user(keys: &str, expected: &[&str]) {
    told(&format!("[credentials.x]\nversion = \"v3\"\nuser = \"u\"\n{keys}"), expected);
}

#[test]
fn privacy_needs_authentication() {
    told_of_user(
        "priv_protocol = \"AES\"\npriv_password = \"s3cret-s3cret\"\n",
        &[
            "hamsa.toml:4:17: credentials.x.priv_protocol: there is no privacy without authentication (RFC 3411 §3.4.3); set auth_protocol and auth_password",
        ],
    );
    told_of_user(
        "priv_password = \"s3cret-s3cret\"\n",
        &[
            "hamsa.toml:1:1: credentials.x.priv_protocol: this key is missing; expected DES, 3DES, AES-128, AES-192, AES-256, AES-192-C, AES-256-C",
            "hamsa.toml:4:17: credentials.x.priv_password: there is no privacy without authentication (RFC 3411 §3.4.3); set auth_protocol and auth_password",
        ],
    );
}

#[test]
fn protocols_and_passwords_go_together() {
    told_of_user(
        "auth_protocol = \"sha256\"\n",
        &[
            "hamsa.toml:1:1: credentials.x.auth_password: this key is missing (or auth_password_file, auth_password_env); \
           expected a text of 8 octets or more (RFC 3414 §11.2)",
        ],
    );
    told_of_user(
        "auth_password = \"s3cret-s3cret\"\n",
        &[
            "hamsa.toml:1:1: credentials.x.auth_protocol: this key is missing; expected MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512",
        ],
    );
    told_of_user(
        "auth_protocol = \"SHA265\"\nauth_password = \"s3cret!\"\npriv_protocol = \"rot13\"\npriv_password = \"\"\n",
        &[
            "hamsa.toml:4:17: credentials.x.auth_protocol: \"SHA265\": not known (did you mean \"SHA-256\"?); expected MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512",
            "hamsa.toml:5:17: credentials.x.auth_password: is too short; expected a text of 8 octets or more (RFC 3414 §11.2)",
            "hamsa.toml:6:17: credentials.x.priv_protocol: \"rot13\": not known; expected DES, 3DES, AES-128, AES-192, AES-256, AES-192-C, AES-256-C",
            "hamsa.toml:7:17: credentials.x.priv_password: is too short; expected a text of 8 octets or more (RFC 3414 §11.2)",
        ],
    );
}

#[test]
fn a_level_is_not_above_the_protocols() {
    told_of_user(
        "level = \"authNoPriv\"\n",
        &[
            "hamsa.toml:4:9: credentials.x.level: authNoPriv is more than the protocols allow, noAuthNoPriv; set auth_protocol and auth_password",
        ],
    );
    told_of_user(
        "level = \"authPriv\"\nauth_protocol = \"MD5\"\nauth_password = \"s3cret-s3cret\"\n",
        &[
            "hamsa.toml:4:9: credentials.x.level: authPriv is more than the protocols allow, authNoPriv; set priv_protocol and priv_password",
        ],
    );
    told_of_user("level = \"noAuthNoPriv\"\nauth_protocol = \"MD5\"\nauth_password = \"s3cret-s3cret\"\n", &[]);
    told_of_user(
        "level = \"AuthPriv\"\nengine_id = \"\"\ncontext = 5\n",
        &[
            "hamsa.toml:4:9: credentials.x.level: \"AuthPriv\": not known (did you mean \"authPriv\"?); expected \"noAuthNoPriv\", \"authNoPriv\", \"authPriv\"",
            "hamsa.toml:5:13: credentials.x.engine_id: \"\": no digits; expected 1 to 32 octets as hexadecimal digits",
            "hamsa.toml:6:11: credentials.x.context: found a whole number; expected a text of at most 255 octets (RFC 3411 SnmpAdminString)",
        ],
    );
}

#[test]
fn devices_refer_to_what_is_there() {
    told_behind_credentials(
        "[traps]\naccept = [\"lab\", \"la\", \"x y\"]\n[[device]]\naddress = \"192.0.2.1\"\ncredentials = \"lap\"\n[[device]]\nname = \"b\"\naddress = \"10.1\"\n\
         profiles = [\"if-mip\", \"foo\", \"system\", \"x y\"]\n[[device]]\nprofiles = []\n",
        &[
            "hamsa.toml:5:18: traps.accept[1]: the credentials \"la\" are not known (did you mean \"lab\"?); expected a table [credentials.la]",
            "hamsa.toml:5:24: traps.accept[2]: \"x y\": not such a name; expected a name of letters, digits, hyphens, underscores and dots",
            "hamsa.toml:8:15: device[0].credentials: the credentials \"lap\" are not known (did you mean \"lab\"?); expected a table [credentials.lap]",
            "hamsa.toml:9:1: device[1].credentials: this key is missing; expected a name of letters, digits, hyphens, underscores and dots",
            "hamsa.toml:11:11: device[1].address: \"10.1\" is not an IPv4 address; expected an IP address or host name, with or without a port",
            "hamsa.toml:12:13: device[1].profiles[0]: the profile \"if-mip\" is not known (did you mean \"if-mib\"?)",
            "hamsa.toml:12:23: device[1].profiles[1]: the profile \"foo\" is not known",
            "hamsa.toml:12:40: device[1].profiles[3]: \"x y\": not such a name; expected a name of letters, digits, hyphens, underscores and dots",
            "hamsa.toml:13:1: device[2].address: this key is missing; expected an IP address or host name, with or without a port",
            "hamsa.toml:13:1: device[2].credentials: this key is missing; expected a name of letters, digits, hyphens, underscores and dots",
            "hamsa.toml:14:12: device[2].profiles: no profile: nothing is polled; without this key those that fit the device are",
        ],
    );
    // Broken credentials are known all the same, and profiles are not looked for in directories that are not there.
    told(
        "[profiles]\ndirs = [\"none\"]\n[credentials.a]\nversion = 2\n[[device]]\naddress = \"h\"\ncredentials = \"a\"\nprofiles = [\"mine\"]\n",
        &[
            "hamsa.toml:2:9: profiles.dirs[0]: \"none\": No such file or directory (os error 2) (relative paths start at DIR); expected a directory",
            "hamsa.toml:4:11: credentials.a.version: found a whole number; expected \"v1\", \"v2c\", \"v3\"",
        ],
    );
}

#[test]
fn devices_are_told_apart() {
    let device = |keys: &str| format!("[[device]]\ncredentials = \"lab\"\n{keys}\n");
    let text = [
        device("name = \"a\"\naddress = \"192.0.2.1\""),
        device("name = \"a\"\naddress = \"192.0.2.1:1161\""),
        device("name = \"b\"\naddress = \"192.0.2.1:161\""),
        device("address = \"HOST\""),
        device("address = \"host:161\""),
        device("name = \"192.0.2.9\"\naddress = \"192.0.2.8\""),
        device("address = \"192.0.2.9\""),
    ];
    told_behind_credentials(
        &text.concat(),
        &[
            "hamsa.toml:10:8: device[1].name: \"a\" is the name of the device at hamsa.toml:6 already",
            "hamsa.toml:15:11: device[2].address: the device at hamsa.toml:7 has this address, credentials and context already",
            "hamsa.toml:21:11: device[4].address: \"host\" is the name of the device at hamsa.toml:18 already",
            "hamsa.toml:21:11: device[4].address: the device at hamsa.toml:18 has this address, credentials and context already",
            "hamsa.toml:28:11: device[6].address: \"192.0.2.9\" is the name of the device at hamsa.toml:24 already",
        ],
    );
}

#[test]
fn only_snmpv3_has_contexts() {
    told_behind_credentials(
        "[[device]]\naddress = \"h\"\ncredentials = \"lab\"\ncontext = \"vrf-a\"\n",
        &["hamsa.toml:7:11: device[0].context: only SNMPv3 has contexts; these credentials are v2c"],
    );
}

#[test]
fn labels_are_those_that_prometheus_takes() {
    told_behind_credentials(
        "[[device]]\naddress = \"h\"\ncredentials = \"lab\"\nenabled = \"yes\"\n[device.labels]\nsite = 1\n\"a-b\" = \"x\"\n__name__ = \"x\"\ndevice = \"x\"\n9 = \"x\"\n",
        &[
            "hamsa.toml:7:11: device[0].enabled: found a string; expected true or false",
            "hamsa.toml:9:8: device[0].labels.site: found a whole number; expected a text of at most 256 octets",
            "hamsa.toml:10:1: device[0].labels.a-b: not a label name; expected letters, digits and underscores, no digit first",
            "hamsa.toml:11:1: device[0].labels.__name__: label names with two underscores in front are reserved by Prometheus",
            "hamsa.toml:12:1: device[0].labels.device: this label is the device's name already",
            "hamsa.toml:13:1: device[0].labels.9: not a label name; expected letters, digits and underscores, no digit first",
        ],
    );
}

#[test]
fn included_files_add_devices_and_credentials_only() {
    told_of(
        &[
            ("hamsa.toml", "include = [\"devices.d/*.toml\", \"*.toml\"]\n"),
            ("devices.d/b.toml", "[[device]]\nname = \"a\"\naddress = \"h\"\ncredentials = \"lab\"\ncredentails = 1\n"),
            ("devices.d/a.toml", "[poll]\n[[device]]\nname = \"a\"\naddress = \"h\"\ncredentials = \"lab\"\n"),
            ("devices.d/c.toml", CREDENTIALS),
            ("devices.d/d.toml", &format!("{CREDENTIALS}include = []\n")),
            ("devices.d/.hidden.toml", "x"),
            ("devices.d/c.toml~", "x"),
        ],
        &[
            "devices.d/a.toml:1:2: poll: only the main file has this; an included one has [[device]] and [credentials.NAME]",
            "devices.d/b.toml:2:8: device[0].name: \"a\" is the name of the device at devices.d/a.toml:3 already",
            "devices.d/b.toml:3:11: device[0].address: the device at devices.d/a.toml:4 has this address, credentials and context already",
            "devices.d/b.toml:5:1: device[0].credentails: unknown key; did you mean credentials?",
            "devices.d/d.toml:1:1: credentials.lab: credentials of this name are at devices.d/c.toml:1 already",
        ],
    );
}

#[test]
fn files_that_are_not_there_are_told_where_they_are_included() {
    told_of(
        &[
            (
                "hamsa.toml",
                "include = [\"none.toml\", \"no/*.toml\", \"*/x.toml\", \"..\", \"[.toml\", \"d\"]\nxyz = 1\n",
            ),
            ("d/x", ""),
        ],
        &[
            "hamsa.toml:1:12: include[0]: none.toml can't be read: No such file or directory (os error 2)",
            "hamsa.toml:1:25: include[1]: no/*.toml can't be looked for: No such file or directory (os error 2)",
            "hamsa.toml:1:38: include[2]: \"*/x.toml\": wildcards stand in the directory; expected the path of a file, with or without wildcards in the file's name",
            "hamsa.toml:1:50: include[3]: \"..\": not the path of a file; expected the path of a file, with or without wildcards in the file's name",
            "hamsa.toml:1:56: include[4]: \"[.toml\": invalid range pattern; expected the path of a file, with or without wildcards in the file's name",
            "hamsa.toml:1:66: include[5]: d is not a regular file",
            "hamsa.toml:2:1: xyz: unknown key; expected one of include, credentials, device, enterprise, group, http, log, mib, node, poll, profiles, store, traps",
        ],
    );
    assert_eq!(Directory::new(&[]).lines(), ["hamsa.toml: can't be read: No such file or directory (os error 2)"]);
    assert_eq!(Directory::new(&[("hamsa.toml/x", "")]).lines(), ["hamsa.toml: is not a regular file"]);
    let long = Directory::new(&[]);
    long.write("hamsa.toml", &vec![b'\n'; MAX_FILE_OCTETS as usize + 1], 0o600);
    assert_eq!(long.lines(), ["hamsa.toml: has more than 8388608 octets"]);
    let latin_1 = Directory::new(&[]);
    latin_1.write("hamsa.toml", b"[node]\n# \xc3\xa9\nname = \"Z\xfcrich\"", 0o600);
    assert_eq!(latin_1.lines(), ["hamsa.toml:3:10: invalid TOML: not UTF-8"]);
}

#[test]
fn all_of_tomls_own_mistakes_are_told_with_their_keys() {
    told(
        "[poll]\ninterval 60\ntimeout = 5s\nretries = \nrefresh = \"10m\nmax_outstanding = 0\nretries = 3\n[store]\nretention = \"30d\"\"\n[mib]\ndirs = [\"a\" \"b\"]\n\
         [log\nformat = \"text\"\nlevell = 1\n[http]\nlisten : 1\nlistn = 1\n[[device]]\nname = \"\\q\"\n",
        &[
            "hamsa.toml:2:10: poll: invalid TOML: key with no value, expected `=`",
            "hamsa.toml:3:11: poll.timeout: invalid TOML: string values must be quoted, expected literal string",
            "hamsa.toml:4:11: poll.retries: invalid TOML: string values must be quoted, expected literal string",
            "hamsa.toml:5:15: poll.refresh: invalid TOML: invalid basic string, expected `\"`",
            "hamsa.toml:6:19: poll.max_outstanding: 0 is out of range; expected a whole number from 1 to 64",
            "hamsa.toml:7:1: poll.retries: invalid TOML: duplicate key",
            "hamsa.toml:9:18: store.retention: invalid TOML: unexpected key or value, expected newline, `#`",
            "hamsa.toml:11:13: mib.dirs: invalid TOML: missing comma between array elements, expected `,`",
            "hamsa.toml:12:5: invalid TOML: unclosed table, expected `]`",
            "hamsa.toml:16:8: http: invalid TOML: key with no value, expected `=`",
            "hamsa.toml:17:1: http.listn: unknown key; did you mean listen?",
            "hamsa.toml:19:10: device[0].name: invalid TOML: missing escaped value, expected `b`, `e`, `f`, `n`, `r`, `\\`, `\"`, `x`, `u`, `U`",
        ],
    );
}

#[test]
fn what_a_broken_file_lacks_is_not_told() {
    // The name of the credentials may be in the broken line, and the address of the device.
    told_of(
        &[
            ("hamsa.toml", "include = [\"a.toml\", \"b.toml\"]\n[[device]]\naddress = \"h\"\ncredentials = \"lab\"\n"),
            ("a.toml", "[credentials.lab\n"),
            ("b.toml", "[[device]]\naddress \"h\"\n[[device]]\nname = 5\n"),
        ],
        &[
            "a.toml:1:17: credentials.lab: invalid TOML: unclosed table, expected `]`",
            "b.toml:2:9: device[0]: invalid TOML: key with no value, expected `=`",
            "b.toml:4:8: device[1].name: found a whole number; expected a text of 1 to 128 octets, without blanks around it",
        ],
    );
}

#[test]
fn secrets_are_given_once_and_can_be_read() {
    let v2c = |name: &str, keys: &str| format!("[credentials.{name}]\nversion = \"v2c\"\n{keys}\n");
    let directory = Directory::new(&[("s3cret", "s3cret\n"), ("empty", "\n"), ("d/x", "")]);
    directory.write("long", &[b'x'; 5000], 0o600);
    directory.write("public", b"s3cret", 0o644);
    let text = [
        v2c("a", "community = \"s3cret\"\ncommunity_file = \"s3cret\""),
        v2c("b", "community_env = \"s3cret\"\ncommunity_file = \"s3cret\""),
        v2c("c", "community_file = \"s3cret-not-there\""),
        v2c("d", "community_file = \"empty\""),
        v2c("e", "community_file = \"long\""),
        v2c("f", "community_file = \"d\""),
        v2c("g", "community_env = \"s3cret\""),
        v2c("h", "community_env = \"s3cret!\""),
        v2c("i", "community_env = \"HAMSA_LONG\""),
        v2c("j", "community = 5"),
        v2c("k", "community_file = 5"),
        v2c("l", "community = \"\""),
        v2c("m", "community_file = \"public\""),
    ];
    directory.write("hamsa.toml", text.concat().as_bytes(), 0o600);
    assert_eq!(
        directory.lines(),
        [
            "hamsa.toml:4:18: credentials.a.community_file: give only one of community, community_file, community_env",
            "hamsa.toml:7:17: credentials.b.community_env: give only one of community, community_file, community_env",
            "hamsa.toml:11:18: credentials.c.community_file: the file can't be read: No such file or directory (os error 2) (relative paths start at DIR)",
            "hamsa.toml:14:18: credentials.d.community_file: is empty; expected a text of 1 to 255 octets",
            "hamsa.toml:17:18: credentials.e.community_file: the file has more than 4096 octets (relative paths start at DIR)",
            "hamsa.toml:20:18: credentials.f.community_file: the file is not a regular file (relative paths start at DIR)",
            "hamsa.toml:23:17: credentials.g.community_env: the environment variable of this name is not set",
            "hamsa.toml:26:17: credentials.h.community_env: is not the name of an environment variable: letters, digits and underscores",
            "hamsa.toml:29:17: credentials.i.community_env: the environment variable has more than 4096 octets",
            "hamsa.toml:32:13: credentials.j.community: found a whole number; expected a text of 1 to 255 octets",
            "hamsa.toml:35:18: credentials.k.community_file: found a whole number; expected a path",
            "hamsa.toml:38:13: credentials.l.community: is empty; expected a text of 1 to 255 octets",
            "hamsa.toml:41:18: warning: credentials.m.community_file: everyone may read this file: chmod o-r it",
        ]
    );
}

#[test]
fn a_secret_in_a_file_that_everyone_may_read_is_a_warning() {
    let directory = Directory::new(&[]);
    directory.write("hamsa.toml", CREDENTIALS.as_bytes(), 0o644);
    assert_eq!(
        directory.lines(),
        [
            "hamsa.toml:3:13: warning: credentials.lab.community: a secret in a file that everyone may read: chmod o-r it, or use community_file"
        ]
    );
    assert!(directory.check().config.is_some());
}

#[test]
fn thousands_of_mistakes_are_counted() {
    let report = Directory::new(&[("hamsa.toml", &"[[device]]\n".repeat(1500))]).check();
    assert_eq!((report.mistakes.len(), report.left_out), (1000, 2000));
    assert!(report.config.is_none());
    assert!(report.to_string().ends_with("\nand at least 2000 more\n"));
}
