//! `hamsa profiles`: what is polled of which device, and whether a file of the user's own is a profile.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, Subcommand};
use hamsa_node::profile::{Matching, Metric, Profile, ProfileObject, ProfileSet, Table};
use hamsa_snmp::mib::{Mib, OidFormat};

use crate::failure::{Told, usage};
use crate::options::{LazyMib, MibOptions};
use crate::print::{Column, Grid, line_out};
use crate::terminal::{self, counted, tell};

/// Show device profiles, and check files that are to be some
#[derive(Debug, Args)]
pub struct Command {
    #[command(subcommand)]
    pub action: Action,
    /// Directory with profiles of your own, besides those that are built in
    #[arg(long, value_name = "DIR", global = true)]
    pub dir: Vec<PathBuf>,
    #[command(flatten)]
    pub mib: MibOptions,
}

/// What is wanted.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// List all profiles
    List,
    /// Show what a profile reads
    Show {
        /// Its name
        name: String,
    },
    /// Check files that are to be profiles
    Check {
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

/// Runs it.
///
/// # Errors
/// No such profile, or a file is none.
pub fn run(command: &Command) -> anyhow::Result<()> {
    let mib = LazyMib::new(command.mib.clone());
    let mib = mib.get();
    if let Action::Check { files } = &command.action {
        return check(files, mib);
    }
    let mut set = ProfileSet::shipped(mib)?;
    let mut left_out = 0;
    for dir in &command.dir {
        for problem in set.add_dir(dir, mib) {
            left_out += 1;
            tell(&format!("left out: {problem}"));
        }
    }
    match &command.action {
        Action::Show { name } => {
            let profile = set.get(name).ok_or_else(|| {
                let known: Vec<&str> = set.iter().map(|profile| profile.name.as_str()).collect();
                usage(format!("no profile is called {name:?}; there are {}", known.join(", ")))
            })?;
            line_out(&shown(profile, mib))?;
        }
        Action::List | Action::Check { .. } => line_out(&list(&set)?)?,
    }
    if left_out > 0 { Err(Told.into()) } else { Ok(()) }
}

fn check(files: &[PathBuf], mib: &Mib) -> anyhow::Result<()> {
    let mut failed = false;
    for file in files {
        match check_one(file, mib) {
            Ok(()) => line_out(&format!("{}: fine", file.display()))?,
            Err(error) => {
                failed = true;
                tell(&format!("{error:#}"));
            }
        }
    }
    if failed { Err(Told.into()) } else { Ok(()) }
}

fn check_one(file: &Path, mib: &Mib) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    Ok(ProfileSet::default().add(file, &text, mib)?)
}

fn list(set: &ProfileSet) -> anyhow::Result<String> {
    let names = ["NAME", "DEVICES", "SCALARS", "TABLES", "DESCRIPTION"];
    let mut grid = Grid::new(names.into_iter().map(Column::automatic).collect());
    for profile in set.iter() {
        let Profile { name, also_known_as, description, matching, facts, scalars, tables } = &**profile;
        let mut all_names = vec![name.as_str()];
        all_names.extend(also_known_as.iter().map(String::as_str));
        let tables: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
        grid.push(vec![
            all_names.join(", "),
            match matching {
                Matching::Any => "all".to_owned(),
                Matching::SysObjectId(oids) => format!("{} by sysObjectID", counted(oids.len(), "kind")),
            },
            (facts.len() + scalars.len()).to_string(),
            tables.join(", "),
            description.clone(),
        ]);
    }
    let mut out = Vec::new();
    grid.write(&mut out, terminal::width(), 1)?;
    Ok(String::from_utf8_lossy(&out).trim_end().to_owned())
}

fn devices(matching: &Matching, mib: &Mib) -> String {
    match matching {
        Matching::Any => "all".to_owned(),
        Matching::SysObjectId(oids) => {
            oids.iter().map(|oid| mib.format_oid(oid.as_oid(), OidFormat::Module)).collect::<Vec<_>>().join(", ")
        }
    }
}

fn shown(profile: &Arc<Profile>, mib: &Mib) -> String {
    let mut lines = vec![format!("{}: {}", profile.name, profile.description)];
    if !profile.also_known_as.is_empty() {
        lines.push(format!("  also known as {}", profile.also_known_as.join(", ")));
    }
    lines.push(format!("  for devices: {}", devices(&profile.matching, mib)));
    for (what, objects) in [("facts", &profile.facts), ("scalars", &profile.scalars)] {
        if !objects.is_empty() {
            lines.push(format!("  {what}: {}", names(objects.iter())));
        }
    }
    for table in &profile.tables {
        lines.push(format!("  table {}", table.name));
        let columns = |indexes: &[usize]| names(indexes.iter().map(|&index| &table.columns[index]));
        for (what, indexes) in [("labels", &table.labels), ("info", &table.info)] {
            if !indexes.is_empty() {
                lines.push(format!("    {what}: {}", columns(indexes)));
            }
        }
        lines.extend(table.values.iter().map(|metric| format!("    value {}", value(metric, table))));
        if let Some(column) = table.discontinuity {
            lines.push(format!("    counters began at {}", table.columns[column].name));
        }
    }
    lines.join("\n")
}

fn value(metric: &Metric, table: &Table) -> String {
    let name = |column: usize| table.columns[column].name.as_str();
    let mut text = metric.columns.iter().map(|&column| name(column)).collect::<Vec<_>>().join(", or else ");
    if let Some((column, times)) = metric.ceiling {
        text.push_str(&format!("; at most {} times {times} a second", name(column)));
    }
    if let Some((prefix, precision)) = metric.scale {
        text.push_str(&format!("; scaled by {} and {}", name(prefix), name(precision)));
    }
    text
}

fn names<'o>(objects: impl Iterator<Item = &'o ProfileObject>) -> String {
    objects.map(|object| object.name.as_str()).collect::<Vec<_>>().join(", ")
}
