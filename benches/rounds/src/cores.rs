//! Which core a process runs on, and the processor time that it has used.

use std::io;
use std::time::Duration;

use nix::time::ClockId;
use nix::unistd::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The two cores: of what is measured, and of everything else. The same one where this process has only one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cores {
    /// Of what is measured.
    pub measured: usize,
    /// Of everything else.
    pub rest: usize,
}

impl Cores {
    /// The last and the first of those that this process may use.
    ///
    /// # Errors
    /// The system does not say which these are.
    pub fn choose() -> io::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
        let rest = cores.next().ok_or(io::ErrorKind::Unsupported)?;
        Ok(Cores { measured: cores.next_back().unwrap_or(rest), rest })
    }
}

/// Keeps the calling thread, and each process that it starts from now on, on one core.
///
/// # Errors
/// The core is not this process's to use.
pub fn stay_on(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

/// Linux numbers no process higher (`PID_MAX_LIMIT`). The C library takes a much larger number for another clock.
const PROCESSES_MAX: u32 = 1 << 22;

/// User and system time of all threads of a process so far, those that have ended included.
///
/// # Errors
/// There is no such process.
pub fn cpu_time_of_process(process: u32) -> io::Result<Duration> {
    let process = i32::try_from(process).ok().filter(|_| process <= PROCESSES_MAX).ok_or(io::ErrorKind::NotFound)?;
    let time = ClockId::pid_cpu_clock_id(Pid::from_raw(process))?.now()?;
    Ok(time.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_uses_time_when_it_works() {
        let own = std::process::id();
        let before = cpu_time_of_process(own).unwrap();
        let mut sum = 0u64;
        while cpu_time_of_process(own).unwrap() == before {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(cpu_time_of_process(own).unwrap() > before);
        assert!(cpu_time_of_process(PROCESSES_MAX + 1).is_err());
        assert!(cpu_time_of_process(u32::MAX).is_err());
    }

    #[test]
    fn a_thread_stays_where_it_is_put() {
        let cores = Cores::choose().unwrap();
        std::thread::spawn(move || {
            stay_on(cores.measured).unwrap();
            let only = sched_getaffinity(None).unwrap();
            assert!(only.is_set(cores.measured) && only.count() == 1);
        })
        .join()
        .unwrap();
    }
}
