//! Standard output and error, and signals.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::limits::MIN_WIDTH;

/// Writes a line to standard error. Nobody listening is no failure.
pub fn tell(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Columns of the terminal that standard output goes to; `None` where it goes elsewhere.
pub fn width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0).max(MIN_WIDTH))
}

/// A flag that SIGINT and SIGTERM set, so that a command can end by itself. The second signal ends the process.
pub fn stop_flag() -> io::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: at the second signal the first handler finds the flag set.
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, flag.clone())?;
        signal_hook::flag::register(signal, flag.clone())?;
    }
    Ok(flag)
}

/// A number of things: `1 agent`, `2 agents`.
pub fn counted(count: usize, one: &str) -> String {
    let ending = match (count, one.ends_with('s')) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{count} {one}{ending}")
}

/// Text from a device, safe for a terminal: control characters are escaped, but for ends of lines and tabs.
pub fn harmless(text: &str) -> String {
    if !text.contains(|c: char| c.is_control() && c != '\n' && c != '\t') {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len() + 8);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\r' if rest.peek() == Some(&'\n') => {}
            '\n' | '\t' => safe.push(c),
            c if c.is_control() => safe.extend(c.escape_default()),
            c => safe.push(c),
        }
    }
    safe
}

/// The same in one line.
pub fn in_one_line(text: &str) -> String {
    harmless(text).replace(['\n', '\t'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_counted() {
        assert_eq!(
            [counted(1, "address"), counted(2, "address"), counted(0, "agent")],
            ["1 address", "2 addresses", "0 agents"]
        );
    }

    #[test]
    fn escape_sequences_of_a_device_reach_no_terminal() {
        assert_eq!(harmless("plain, ünïcode\tand\nlines"), "plain, ünïcode\tand\nlines");
        assert_eq!(harmless("\u{1b}[2Jgone\u{7}\u{9b}1m"), "\\u{1b}[2Jgone\\u{7}\\u{9b}1m");
        assert_eq!(harmless("two\r\nlines\rover"), "two\nlines\\rover");
        assert_eq!(in_one_line("two\r\nlines"), "two lines");
    }
}
