//! The reference of all commands, `docs/cli.md`, from the definitions of their options.

use std::fmt::{self, Write};

use clap::{Arg, ArgAction, Command};

/// What stands before the commands.
const INTRODUCTION: &str = "\
# Commands

<!-- Written by `HAMSA_UPDATE=1 cargo test -p hamsa-cli reference`, from crates/cli/src/. -->

`hamsa COMMAND --help` tells the same. Letters are net-snmp's where it has one for the same thing.

- The exit status is 0 when it is done, 1 when an agent, the network or the system did not do what was asked, 2 when the
  command line is wrong, 130 after an interruption. As with net-snmp, a variable that the agent does not have
  (`noSuchObject`, `noSuchInstance`) is an answer and no failure.
- What was found goes to standard output, everything else to standard error.
- A secret on the command line can be seen by everyone who may list processes. It can also stand in a file
  (`--community-file`, `--auth-password-file`, `--priv-password-file`, `--token-file`), in the environment
  (`HAMSA_COMMUNITY`, `HAMSA_AUTH_PASSWORD`, `HAMSA_PRIV_PASSWORD`, `HAMSA_TOKEN`), or in a node's configuration (`--config`
  with `--credentials` or `--device`). The first of these counts: option, file, environment. Secrets are never shown.
- Names of objects are those of the MIB modules that come with Hamsa. `-M` and `-m`, or `MIBDIRS` and `MIBS`, add others.
";

/// All commands with all options, in Markdown. Options that several commands share stand once, after the commands.
pub fn reference(mut command: Command) -> String {
    command.build();
    let mut commands = Vec::new();
    collect(&command, "hamsa", &mut commands);
    let mut groups: Vec<Group> = Vec::new();
    for (_, command) in &commands {
        for argument in command.get_arguments().filter(|argument| !is_everywhere(argument)) {
            let Some(heading) = argument.get_help_heading() else { continue };
            let at = groups.iter().position(|group| group.heading == heading).unwrap_or_else(|| {
                groups.push(Group { heading: heading.to_owned(), rows: Vec::new() });
                groups.len() - 1
            });
            let row = row(argument);
            match groups[at].rows.iter_mut().find(|(known, _)| *known == row) {
                Some((_, uses)) => *uses += 1,
                None => groups[at].rows.push((row, 1)),
            }
        }
    }
    let mut text = INTRODUCTION.to_owned();
    for (name, command) in &commands {
        write_command(&mut text, name, command, &groups).expect("writing to a String");
    }
    for group in &groups {
        let shared: Vec<&str> = group.shared().collect();
        if !shared.is_empty() {
            let _ = write!(text, "\n## {}\n\n{TABLE}{}", group.heading, shared.concat());
        }
    }
    text
}

const TABLE: &str = "| Argument | Meaning |\n|---|---|\n";

/// Options under one heading, each with the number of commands that have it.
struct Group {
    heading: String,
    rows: Vec<(String, usize)>,
}

impl Group {
    fn shared(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().filter(|(_, uses)| *uses > 1).map(|(row, _)| row.as_str())
    }
}

/// Commands and theirs, each with its whole name.
fn collect<'c>(parent: &'c Command, name: &str, commands: &mut Vec<(String, &'c Command)>) {
    for command in parent.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = format!("{name} {}", command.get_name());
        commands.push((name.clone(), command));
        collect(command, &name, commands);
    }
}

fn write_command(text: &mut String, name: &str, command: &Command, groups: &[Group]) -> fmt::Result {
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let usage = command.clone().render_usage().to_string();
    let usage: Vec<&str> = usage.trim_start_matches("Usage:").lines().map(str::trim).collect();
    writeln!(text, "\n## {name}\n\n{}\n\n```text\n{}\n```", about.trim(), usage.join("\n"))?;
    let mut rows = String::new();
    let mut headings: Vec<String> = Vec::new();
    for argument in command.get_arguments().filter(|argument| !is_everywhere(argument)) {
        let row = row(argument);
        let group = groups.iter().find(|group| Some(group.heading.as_str()) == argument.get_help_heading());
        match group.filter(|group| group.shared().any(|shared| shared == row)) {
            Some(group) => headings.push(group.heading.clone()),
            None => rows.push_str(&row),
        }
    }
    if !rows.is_empty() {
        write!(text, "\n{TABLE}{rows}")?;
    }
    headings.dedup();
    if !headings.is_empty() {
        let links = headings.iter().map(|heading| format!("[{heading}](#{})", anchor(heading)));
        writeln!(text, "\nAlso: {}.", links.collect::<Vec<_>>().join(", "))?;
    }
    Ok(())
}

/// What a heading is linked by.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || *c == '-').collect()
}

/// Whether every command has it.
fn is_everywhere(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version)
}

/// A line of a table.
fn row(argument: &Arg) -> String {
    let value = match argument.get_action() {
        ArgAction::Set | ArgAction::Append => argument.get_value_names().unwrap_or_default().join(" "),
        _ => String::new(),
    };
    let mut names: Vec<String> = Vec::new();
    names.extend(argument.get_short().map(|letter| format!("`-{letter}`")));
    names.extend(argument.get_long().map(|name| format!("`--{name}`")));
    let name = match (names.is_empty(), value.is_empty()) {
        (true, _) => format!("`{value}`"),
        (false, true) => names.join(", "),
        (false, false) => format!("{} `{value}`", names.join(", ")),
    };
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut meaning = help.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
    let choices: Vec<String> = match argument.get_action() {
        ArgAction::Set | ArgAction::Append => {
            argument.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect()
        }
        _ => Vec::new(),
    };
    if !choices.is_empty() {
        meaning.push_str(&format!(": {}", choices.join(", ")));
    }
    let defaults: Vec<String> =
        argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    if !defaults.is_empty() && matches!(argument.get_action(), ArgAction::Set | ArgAction::Append) {
        meaning.push_str(&format!(" [default: {}]", defaults.join(", ")));
    }
    format!("| {name} | {meaning} |\n")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::CommandFactory;

    use super::*;
    use crate::args::Cli;

    #[test]
    fn the_checked_in_reference_is_fresh() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
        let fresh = reference(Cli::command());
        if std::env::var_os("HAMSA_UPDATE").is_some_and(|value| value == "1") {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &fresh).unwrap();
        }
        let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
        let hint = "docs/cli.md is stale: HAMSA_UPDATE=1 cargo test -p hamsa-cli reference";
        assert!(checked_in == fresh, "{hint}");
    }

    #[test]
    fn it_names_every_command_and_option() {
        let text = reference(Cli::command());
        for part in [
            "## hamsa get\n",
            "## hamsa profiles check\n",
            "| `-c`, `--community` `COMMUNITY` |",
            "`--rows`",
            "`table`",
        ] {
            assert!(text.contains(part), "{part}");
        }
        assert!(!text.contains("`--help`"), "{text}");
    }
}
