//! `-m` and `-M`: MIB modules beside those that are built in. The table of names is read only when a name is needed.

use std::cell::OnceCell;
use std::sync::Arc;

use clap::Args;
use hamsa_snmp::mib::{Mib, MibPaths, ResolveError};
use hamsa_snmp::{Oid, OidRef};

use crate::failure::usage;
use crate::limits::MAX_MIB_PROBLEMS_SHOWN;
use crate::terminal::tell;

/// Options that say where names come from.
#[derive(Debug, Clone, Args, Default)]
#[command(next_help_heading = "Names")]
pub struct MibOptions {
    /// Load these modules from the directories, by name or path, with colons between; "" knows no names at all
    #[arg(short = 'm', long, value_name = "MODULES")]
    pub mibs: Option<String>,
    /// Directories with MIB files, with colons between; +DIR adds to MIBDIRS
    #[arg(short = 'M', long, value_name = "DIRS")]
    pub mibdirs: Option<String>,
}

/// Names, read when they are first needed.
pub struct LazyMib {
    options: MibOptions,
    mib: OnceCell<Arc<Mib>>,
}

impl LazyMib {
    /// Reads nothing yet.
    pub fn new(options: MibOptions) -> Self {
        LazyMib { options, mib: OnceCell::new() }
    }

    /// The names. What is wrong with the user's MIB files is told once, on standard error.
    pub fn get(&self) -> &Arc<Mib> {
        self.mib.get_or_init(|| load(&self.options))
    }

    /// The OID of a name. Numbers need no table.
    ///
    /// # Errors
    /// No such name.
    pub fn resolve(&self, text: &str) -> anyhow::Result<Oid> {
        if let Ok(oid) = text.parse() {
            return Ok(oid);
        }
        self.get().resolve(text).map_err(|error| unknown_name(text, &error))
    }

    /// The OIDs of some names.
    ///
    /// # Errors
    /// One is unknown.
    pub fn resolve_all(&self, texts: &[String]) -> anyhow::Result<Vec<Oid>> {
        texts.iter().map(|text| self.resolve(text)).collect()
    }

    /// The name of an OID, for messages.
    pub fn name(&self, oid: OidRef<'_>) -> String {
        self.get().format_oid(oid, hamsa_snmp::mib::OidFormat::Module)
    }
}

fn unknown_name(text: &str, error: &ResolveError) -> anyhow::Error {
    let hint = match error {
        ResolveError::UnknownName { .. } | ResolveError::UnknownModule { .. } => {
            "; -M DIRS loads your own MIB files, `hamsa translate --search PART` looks for names"
        }
        _ => "",
    };
    let message = error.to_string();
    if message.contains(text) { usage(format!("{message}{hint}")) } else { usage(format!("{text}: {message}{hint}")) }
}

fn load(options: &MibOptions) -> Arc<Mib> {
    let environment = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let (dirs, modules) = (environment("MIBDIRS"), environment("MIBS"));
    if options.mibs.as_deref() == Some("") {
        return Arc::new(Mib::from_table("".into()).expect("a table of nothing"));
    }
    // MIBS is net-snmp's, where a list that is empty means that no module is loaded; without a directory it is moot.
    let paths = MibPaths::new(options.mibdirs.as_deref(), options.mibs.as_deref(), dirs.as_deref(), modules.as_deref());
    let (mib, problems) = Mib::load(&paths);
    problems.iter().take(MAX_MIB_PROBLEMS_SHOWN).for_each(|problem| tell(&format!("MIB: {problem}")));
    if problems.len() > MAX_MIB_PROBLEMS_SHOWN {
        tell(&format!("MIB: and {} more problems", problems.len() - MAX_MIB_PROBLEMS_SHOWN));
    }
    mib
}
