//! What is wrong with a configuration: all of it, each with its place.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::Config;
use super::limits::MAX_MISTAKES;
use super::source::Place;

/// What a check of a configuration found. It is printed one line a mistake, those of one file together.
#[derive(Debug, Clone, PartialEq)]
pub struct Report<C = Config> {
    /// The configuration, where there is no mistake.
    pub config: Option<C>,
    /// All mistakes, by file and line.
    pub mistakes: Vec<Mistake>,
    /// What works but is not wise, by file and line.
    pub warnings: Vec<Mistake>,
    /// Mistakes and warnings beyond the first thousand of each, as far as they were counted.
    pub left_out: usize,
}

/// One thing that is wrong. It never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file, named as the user or a pattern of `include` names it.
    pub file: Arc<Path>,
    /// The line and the column, in characters, both from 1; `None` for the file as a whole.
    pub position: Option<(usize, usize)>,
    /// The full path of the key, such as `device[0].labels.site`; empty where there is none.
    pub key: String,
    /// What is wrong, and what is allowed.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, "")
    }
}

impl Mistake {
    fn write(&self, f: &mut fmt::Formatter<'_>, severity: &str) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {severity}")?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

impl<C> fmt::Display for Report<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for mistake in &self.mistakes {
            writeln!(f, "{mistake}")?;
        }
        for warning in &self.warnings {
            warning.write(f, "warning: ")?;
            writeln!(f)?;
        }
        if self.left_out > 0 {
            writeln!(f, "and at least {} more", self.left_out)?;
        }
        Ok(())
    }
}

/// Collects mistakes while files are read.
///
/// A syntax error makes others seem to be there: what stands on its line is not told, and what its file lacks
/// is not, since it may be what could not be read.
#[derive(Default)]
pub(super) struct Log {
    mistakes: Vec<Mistake>,
    warnings: Vec<Mistake>,
    left_out: usize,
    /// The lines that have a syntax error.
    broken_lines: HashSet<(Arc<Path>, usize)>,
    broken_files: HashSet<Arc<Path>>,
    /// The order in which files were read.
    files: HashMap<Arc<Path>, usize>,
}

impl Log {
    /// A file is read now.
    pub(super) fn open(&mut self, file: &Arc<Path>) {
        let next = self.files.len();
        self.files.entry(Arc::clone(file)).or_insert(next);
    }

    /// Something is wrong.
    pub(super) fn mistake(&mut self, place: &Place, message: impl Into<String>) {
        if !self.is_broken(place) {
            self.keep(|log| &mut log.mistakes, || located(place, message.into()));
        }
    }

    /// Whether another mistake would be told, and not only counted.
    pub(super) fn has_room(&self) -> bool {
        self.mistakes.len() < MAX_MISTAKES
    }

    /// There are more mistakes, at least this many.
    pub(super) fn leave_out(&mut self, count: usize) {
        self.left_out += count;
    }

    /// The table that stands here lacks something.
    pub(super) fn missing(&mut self, place: &Place, message: impl Into<String>) {
        if !self.broken_files.contains(&place.source.path) {
            self.mistake(place, message);
        }
    }

    /// What is named here is in none of the files.
    pub(super) fn unresolved(&mut self, place: &Place, message: impl Into<String>) {
        if self.broken_files.is_empty() {
            self.mistake(place, message);
        }
    }

    /// A line is not TOML; only the first mistake of each is told.
    pub(super) fn syntax_error(&mut self, place: &Place, message: &str) {
        self.broken_files.insert(Arc::clone(&place.source.path));
        if self.broken_lines.insert((Arc::clone(&place.source.path), place.line())) {
            self.keep(|log| &mut log.mistakes, || located(place, format!("invalid TOML: {message}")));
        }
    }

    /// A file can't be used at all. It is told where it is included.
    pub(super) fn unreadable(&mut self, path: &Path, included_at: Option<&Place>, problem: &str) {
        let file = Arc::from(path);
        let mistake = match included_at {
            Some(place) => located(place, format!("{} {problem}", path.display())),
            None => {
                Mistake { file: Arc::clone(&file), position: None, key: String::new(), message: problem.to_owned() }
            }
        };
        self.broken_files.insert(file);
        self.keep(|log| &mut log.mistakes, || mistake);
    }

    /// Something is not wise.
    pub(super) fn warning(&mut self, place: &Place, message: impl Into<String>) {
        self.keep(|log| &mut log.warnings, || located(place, message.into()));
    }

    /// How many mistakes there are so far.
    pub(super) fn count(&self) -> usize {
        self.mistakes.len() + self.left_out
    }

    /// Whether this line has a syntax error.
    pub(super) fn is_broken(&self, place: &Place) -> bool {
        !self.broken_lines.is_empty() && self.broken_lines.contains(&(Arc::clone(&place.source.path), place.line()))
    }

    /// The report; `config` makes the configuration, if there is no mistake.
    pub(super) fn report<C>(self, config: Option<C>) -> Report<C> {
        let Log { mut mistakes, mut warnings, left_out, files, .. } = self;
        for list in [&mut mistakes, &mut warnings] {
            list.sort_by_cached_key(|mistake| (files.get(&mistake.file).copied(), mistake.position));
        }
        let config = config.filter(|_| mistakes.is_empty());
        Report { config, mistakes, warnings, left_out }
    }

    fn keep(&mut self, list: fn(&mut Self) -> &mut Vec<Mistake>, mistake: impl FnOnce() -> Mistake) {
        let list = list(self);
        if list.len() < MAX_MISTAKES {
            list.push(mistake());
        } else {
            self.left_out += 1;
        }
    }
}

fn located(place: &Place, message: String) -> Mistake {
    let position = Some((place.line(), place.column()));
    Mistake { file: Arc::clone(&place.source.path), position, key: place.key.clone(), message }
}
