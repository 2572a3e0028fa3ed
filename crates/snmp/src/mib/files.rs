//! The user's own MIB files: where to look and what to take, by the habits of net-snmp's `-M` and `-m`.
//! The only file of this crate that touches the file system; it reads, and only what it is told to.

use std::borrow::Cow;
use std::fmt;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Mib;
use super::link::compile_table;
use super::read::module_names;
use crate::limits::{MAX_MIB_FILE_BYTES, MAX_MIB_FILES, MAX_MIB_TOTAL_BYTES};

/// The text of a MIB file.
#[derive(Debug, Clone)]
pub struct MibFile {
    /// What messages call it: its path.
    pub label: String,
    /// Its contents.
    pub text: Vec<u8>,
}

impl MibFile {
    pub(super) fn diagnostic(&self, line: Option<u32>, message: String) -> MibDiagnostic {
        MibDiagnostic { file: self.label.clone(), line, message }
    }
}

/// Something about a MIB file that the user should know; what it concerns was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MibDiagnostic {
    /// The file.
    pub file: String,
    /// The line, counted from one.
    pub line: Option<u32>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for MibDiagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.as_str(), self.line) {
            ("", _) => f.write_str(&self.message),
            (file, Some(line)) => write!(f, "{file}:{line}: {}", self.message),
            (file, None) => write!(f, "{file}: {}", self.message),
        }
    }
}

/// Which modules of the files to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModuleChoice {
    /// All that are found.
    All,
    /// These, and those that they import from.
    Named(Vec<String>),
}

/// Where the user's MIB files are, and which of their modules to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MibPaths {
    /// Directories, the first ones win. Directories in them are not searched.
    pub dirs: Vec<PathBuf>,
    /// Single files, which win over directories. All their modules are loaded.
    pub files: Vec<PathBuf>,
    /// What to load from the directories.
    pub choice: ModuleChoice,
}

impl MibPaths {
    /// From the options `-M` and `-m` and the values of the environment variables `MIBDIRS` and `MIBS`, which
    /// the options take the place of. `-M` is a list of directories; with `+` before it they are added after
    /// those of `MIBDIRS`, with `-` before them. `-m` is a list of modules, of paths of files, or `ALL`; with
    /// `+` before it they are added to those of `MIBS`. Without any directory nothing is loaded; without a
    /// list of modules all that the directories hold.
    pub fn new(
        dirs_option: Option<&str>,
        modules_option: Option<&str>,
        mibdirs: Option<&str>,
        mibs: Option<&str>,
    ) -> Self {
        let split = |list: &str| std::env::split_paths(list).filter(|dir| !dir.as_os_str().is_empty()).collect();
        let from_env: Vec<PathBuf> = mibdirs.map(|list| list.trim_start_matches(['+', '-'])).map_or(vec![], split);
        let dirs = match dirs_option {
            None => from_env,
            Some(list) => match (list.strip_prefix('+'), list.strip_prefix('-')) {
                (Some(added), _) => [from_env, split(added)].concat(),
                (_, Some(added)) => [split(added), from_env].concat(),
                _ => split(list),
            },
        };
        let (mut names, mut files, mut all) = (Vec::new(), Vec::new(), modules_option.or(mibs).is_none());
        let added = modules_option.and_then(|list| list.strip_prefix('+'));
        let lists = match (modules_option, added) {
            (_, Some(added)) => {
                all |= mibs.is_none();
                [mibs, Some(added)]
            }
            (Some(list), None) => [Some(list), None],
            (None, _) => [mibs, None],
        };
        for item in lists.into_iter().flatten().flat_map(|list| list.trim_start_matches('+').split([':', ','])) {
            match item {
                "" => {}
                "ALL" => all = true,
                path if path.contains(std::path::is_separator) => files.push(PathBuf::from(path)),
                name => names.push(name.to_owned()),
            }
        }
        MibPaths { dirs, files, choice: if all { ModuleChoice::All } else { ModuleChoice::Named(names) } }
    }

    /// Whether there is nothing to load.
    pub fn is_empty(&self) -> bool {
        self.dirs.is_empty() && self.files.is_empty()
    }
}

impl Mib {
    /// The built-in modules with the user's own over them. Whatever is wrong with a file is reported, and
    /// costs only what it concerns.
    pub fn load(paths: &MibPaths) -> (Arc<Mib>, Vec<MibDiagnostic>) {
        let standard = Mib::standard();
        if paths.is_empty() {
            return (standard, Vec::new());
        }
        let mut reader = FileReader::default();
        paths.files.iter().for_each(|path| reader.read_file(path));
        let single = reader.files.len();
        paths.dirs.iter().for_each(|dir| reader.read_dir(dir));
        let choice = match &paths.choice {
            ModuleChoice::All => ModuleChoice::All,
            ModuleChoice::Named(names) => {
                let of_files = reader.files[..single].iter().filter_map(|file| module_names(file).ok()).flatten();
                let mut names = names.clone();
                names.extend(of_files);
                ModuleChoice::Named(names)
            }
        };
        let (mib, mut diagnostics) = standard.with_files(&reader.files, &choice);
        diagnostics.splice(0..0, reader.diagnostics);
        if let ModuleChoice::Named(names) = &choice {
            let missing = names.iter().filter(|name| mib.module_index(name).is_none());
            diagnostics.extend(missing.map(|name| MibDiagnostic {
                file: name.clone(),
                line: None,
                message: "no such module, neither built in nor in the MIB directories".to_owned(),
            }));
        }
        (Arc::new(mib), diagnostics)
    }

    /// These modules with those of some files over them.
    pub fn with_files(&self, files: &[MibFile], choice: &ModuleChoice) -> (Mib, Vec<MibDiagnostic>) {
        let compiled = compile_table(files, choice, Some(self));
        let mut diagnostics = compiled.diagnostics;
        let built_in = |text: Cow<'static, str>| Mib::from_table(text);
        match built_in(Cow::Owned(format!("{}\n{}", self.text(), compiled.text))) {
            Ok(mut mib) => {
                mib.mark_added(self);
                (mib, diagnostics)
            }
            Err(error) => {
                let message = format!("the user's MIB files are left out: {error}");
                diagnostics.push(MibDiagnostic { file: String::new(), line: None, message });
                let mib = built_in(Cow::Owned(self.text().to_owned()));
                (mib.expect("invariant: a table that was read once is read again"), diagnostics)
            }
        }
    }
}

/// The files of a directory that may be MIB files, sorted by name, and what couldn't be read.
pub fn read_dir(dir: &Path) -> (Vec<MibFile>, Vec<MibDiagnostic>) {
    let mut reader = FileReader::default();
    reader.read_dir(dir);
    (reader.files, reader.diagnostics)
}

#[derive(Default)]
struct FileReader {
    files: Vec<MibFile>,
    diagnostics: Vec<MibDiagnostic>,
    total_bytes: u64,
}

impl FileReader {
    fn read_dir(&mut self, dir: &Path) {
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) => return self.report(dir, error.to_string()),
        };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // Hidden files hold indexes of other tools, and the tilde marks an editor's backup.
            if !name.starts_with('.') && !name.ends_with('~') && path.is_file() {
                self.read_file(&path);
            }
        }
    }

    fn read_file(&mut self, path: &Path) {
        if self.files.len() >= MAX_MIB_FILES {
            return self.report(path, format!("left out: more than {MAX_MIB_FILES} files"));
        }
        let mut text = Vec::new();
        // One byte more than allowed tells a file that is too long, whatever its metadata say.
        let read = fs::File::open(path).and_then(|file| file.take(MAX_MIB_FILE_BYTES + 1).read_to_end(&mut text));
        if let Err(error) = read {
            return self.report(path, error.to_string());
        }
        if text.len() as u64 > MAX_MIB_FILE_BYTES {
            return self.report(path, format!("left out: longer than {MAX_MIB_FILE_BYTES} bytes"));
        }
        self.total_bytes += text.len() as u64;
        if self.total_bytes > MAX_MIB_TOTAL_BYTES {
            self.total_bytes -= text.len() as u64;
            return self.report(path, format!("left out: all files together exceed {MAX_MIB_TOTAL_BYTES} bytes"));
        }
        self.files.push(MibFile { label: path.display().to_string(), text });
    }

    fn report(&mut self, path: &Path, message: String) {
        self.diagnostics.push(MibDiagnostic { file: path.display().to_string(), line: None, message });
    }
}
