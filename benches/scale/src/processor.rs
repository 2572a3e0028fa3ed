//! What a process has used (proc(5)).

use std::collections::BTreeMap;
use std::fs;

use anyhow::Context;

/// What a process has used.
#[derive(Debug, Clone, Default)]
pub(crate) struct Used {
    /// Seconds of processor time of the process, user and system.
    pub(crate) cpu_s: f64,
    /// The same for the threads of each name that run now.
    pub(crate) threads: BTreeMap<String, f64>,
    /// Octets of resident memory.
    pub(crate) resident_octets: f64,
}

impl Used {
    /// By a process.
    pub(crate) fn by(process: u32) -> anyhow::Result<Self> {
        let directory = format!("/proc/{process}");
        let (_, cpu_s) = name_and_cpu_s(&fs::read_to_string(format!("{directory}/stat"))?)?;
        let mut used = Used { cpu_s, ..Used::default() };
        for thread in fs::read_dir(format!("{directory}/task"))? {
            // One that has just ended is left out.
            let Ok(text) = fs::read_to_string(thread?.path().join("stat")) else { continue };
            let (name, cpu_s) = name_and_cpu_s(&text)?;
            *used.threads.entry(name).or_default() += cpu_s;
        }
        let status = fs::read_to_string(format!("{directory}/status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
        used.resident_octets = resident.context("no VmRSS")?.parse::<f64>()? * 1024.0;
        Ok(used)
    }
}

/// Of a `stat` file. The name is in parentheses and may hold anything.
fn name_and_cpu_s(stat: &str) -> anyhow::Result<(String, f64)> {
    let (start, fields) = stat.rsplit_once(')').context("no name in stat")?;
    let name = start.split_once('(').context("no name in stat")?.1;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    // The first of them is proc(5)'s third.
    let ticks =
        |number: usize| -> anyhow::Result<f64> { Ok(fields.get(number - 3).context("stat is short")?.parse()?) };
    let ticks = ticks(14)? + ticks(15)?;
    Ok((name.to_owned(), ticks / rustix::param::clock_ticks_per_second() as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_whatever_the_name() {
        let stat = "12 (a (b) c) S 1 12 12 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 100 1000 10";
        let (name, cpu_s) = name_and_cpu_s(stat).unwrap();
        assert_eq!(name, "a (b) c");
        assert_eq!(cpu_s, 300.0 / rustix::param::clock_ticks_per_second() as f64);
        assert!(name_and_cpu_s("12 (a) S 1").is_err());
    }

    #[test]
    fn this_process_uses_memory_and_has_threads() {
        let used = Used::by(std::process::id()).unwrap();
        assert!(used.resident_octets > 0.0 && !used.threads.is_empty());
    }
}
