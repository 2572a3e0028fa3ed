//! Whatever a file holds, there is a report, and it shows no secret.

use std::path::Path;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::super::keys::SECTIONS;
use super::super::{Report, check_text};
use super::surroundings;

const SECRET: &str = "s3cret-s3cret-s3cret";

/// A file with every table, several devices and a secret in each place, on one line with nothing else.
fn seed_text() -> String {
    format!(
        "# A comment\n[node]\nname = \"n1\"\n[http]\nlisten = \"0.0.0.0:8161\"\ntoken = \"{SECRET}\"\n[store]\nretention = \"30d\"\ncache_size = \"64MiB\"\n\
         [poll]\ninterval = \"1m30s\"\ntimeout = \"1s\"\nretries = 3\n[traps]\nlisten = [\"127.0.0.1:9162\", \"[::1]:9162\"]\naccept = [\n  \"lab\",\n  \"campus\",\n]\n\
         [mib]\nmodules = []\n[log]\nlevel = \"info\"\n\
         [credentials.campus]\nversion = \"v3\"\nuser = \"monitor\"\nlevel = \"authPriv\"\nauth_protocol = \"SHA-256\"\nauth_password = \"{SECRET}\"\n\
         priv_protocol = \"AES-128\"\npriv_password = '{SECRET}'\ncontext = \"\"\nengine_id = \"80001f8880c0ffee01\"\n\
         [credentials.lab]\nversion = \"v2c\"\ncommunity = \"{SECRET}\"\n\
         [credentials.\"é\"]\nversion = \"v1\"\ncommunity_env = \"{SECRET}\"\n\
         [[device]]\nname = \"core1\"\naddress = \"192.0.2.1:1161\"\ncredentials = \"campus\"\nprofiles = [\"if-mib\"]\nlabels = {{ site = \"berlin\" }}\n\
         [[device]]\naddress = \"router.example.net\"\ncredentials = \"lab\"\nenabled = false\n[device.labels]\nrack = \"3\"\n"
    )
}

fn check(text: &str) -> Report {
    check_text(Path::new("/nonexistent/hamsa.toml"), text, &surroundings())
}

#[track_caller]
fn assert_sound(text: &str, seed: u64) {
    let report = check(text);
    assert_eq!(report.config.is_some(), report.mistakes.is_empty(), "seed {seed}:\n{text}\n{report}");
    let lines = text.split('\n').count();
    for mistake in report.mistakes.iter().chain(&report.warnings) {
        let (line, column) = mistake.position.unwrap_or((1, 1));
        assert!((1..=lines).contains(&line) && column >= 1, "seed {seed}: {mistake}");
        assert!(
            !mistake.message.is_empty() && !mistake.to_string().contains(char::is_control),
            "seed {seed}: {mistake}"
        );
    }
    let shown = format!("{report} {report:?}");
    assert!(!shown.contains("cret-s3c"), "seed {seed}:\n{text}\n{report}");
}

/// Changes at most a few characters or whole lines, as a person at a keyboard does. A secret so stays behind its key.
fn slip(text: &str, random: &mut StdRng) -> String {
    const TYPED: [&str; 24] = [
        "\"", "'", "[", "]", "[[", "]]", "{", "}", "=", ".", ",", "#", "\\", "\n", " ", "\t", "\u{0}", "\r",
        "\u{feff}", "é", "9", "\"\"", "'''", "-",
    ];
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    for _ in 0..random.random_range(1..=4) {
        let at = random.random_range(0..lines.len());
        let other = random.random_range(0..lines.len());
        match random.random_range(0..7) {
            0 => lines[at].clear(),
            1 => lines.swap(at, other),
            2 => lines[at] = lines[other].clone(),
            3 if lines.len() > 1 => _ = lines.remove(at),
            kind => {
                let mut line: Vec<char> = lines[at].chars().collect();
                let place = random.random_range(0..=line.len());
                if kind != 4 && place < line.len() {
                    line.remove(place);
                }
                if kind != 5 {
                    line.splice(place..place, TYPED[random.random_range(0..TYPED.len())].chars());
                }
                lines[at] = line.into_iter().collect();
            }
        }
    }
    lines.join("\n")
}

#[test]
fn slips_of_the_finger_give_a_report_without_secrets() {
    let text = seed_text();
    for seed in 0..4000 {
        assert_sound(&slip(&text, &mut StdRng::seed_from_u64(seed)), seed);
    }
}

/// Three quotes in place of two take in all that follows, secrets too.
#[test]
fn what_a_wrong_quote_swallows_is_not_shown() {
    for (table, key) in SECTIONS.iter().flat_map(|section| section.keys.iter().map(move |key| (section, key))) {
        for (open, close) in
            [("\"\"\"", "\"\"\""), ("[\"\"\"", "\"\"\"]"), ("{ x = \"\"\"", "\"\"\" }"), ("\"\"\"60s", "\"\"\"")]
        {
            let header = table.title.replace("NAME", "x").split(" of ").next().map(str::to_owned).unwrap_or_default();
            let version = if table.title.ends_with("\"v3\"") { "version = \"v3\"\n" } else { "" };
            for end in [close, ""] {
                let text = format!("{header}\n{version}{} = {open}\nauth_password = '{SECRET}'\n{end}\n", key.name);
                assert_sound(&text, 0);
                assert!(!check(&text).mistakes.is_empty(), "{text}");
            }
        }
    }
}

#[test]
fn cut_and_pasted_pieces_give_a_report() {
    // Pieces may put a secret at another key, so this one has none.
    let text: Vec<char> = seed_text().replace(SECRET, "x").chars().collect();
    for seed in 0..2000 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut pasted = String::new();
        for _ in 0..random.random_range(1..12) {
            let start = random.random_range(0..text.len());
            let length = random.random_range(0..120).min(text.len() - start);
            pasted.extend(&text[start..start + length]);
        }
        assert_sound(&pasted, seed);
    }
}

#[test]
fn noise_gives_a_report() {
    const ALPHABET: &[u8] = b"\"'[]{}=.,#\\\n\r\t _-+:0123456789abcdefxopintru\x00\x7f\xc3\xa9";
    for seed in 0..2000 {
        let mut random = StdRng::seed_from_u64(seed);
        let length = random.random_range(0..200);
        let noise: Vec<u8> = (0..length).map(|_| ALPHABET[random.random_range(0..ALPHABET.len())]).collect();
        assert_sound(&String::from_utf8_lossy(&noise), seed);
    }
}

#[test]
fn extremes_give_a_report() {
    let deep = format!("a = {}", "[".repeat(100_000));
    let dotted = format!("{}b = 1", "a.".repeat(1_000_000));
    let header = format!("[{}b]", "a.".repeat(1_000_000));
    let long_key = format!("{} = 1", "k".repeat(1 << 20));
    let long_value = format!("[log]\nlevel = \"{}\"", "v".repeat(1 << 20));
    let list = format!("[mib]\nmodules = [{}]", "\"a\", ".repeat(1001));
    let labels: String = (0..33).map(|i| format!("l{i} = \"\"\n")).collect();
    let labels = format!("[[device]]\n[device.labels]\n{labels}");
    for text in [&deep, &dotted, &header, &long_key, &long_value, &list, &labels] {
        assert_sound(text, 0);
        assert!(check(text).to_string().len() < 4000);
    }
    assert!(check(&list).to_string().contains("1001 elements; at most 1000 are taken"));
    assert!(check(&labels).to_string().contains("33 labels; at most 32 are taken"));
}
