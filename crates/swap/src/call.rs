//! What a caller meets: the errors of a call, and how long it waits at a closed gate.

use std::cell::Cell;
use std::time::Duration;

use crate::limits::{PATIENCE, QUEUE_MAX};
use crate::module::ModuleId;

/// A call was not served, or not to its end. The error of each method of a kind can be made of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The module was being replaced for longer than the caller waits.
    #[error("{module} is being replaced, and the caller's time to wait is over")]
    Waited {
        /// Which module.
        module: ModuleId,
    },
    /// The module is being replaced, and no more callers may wait.
    #[error("{module} is being replaced, and {QUEUE_MAX} callers wait already")]
    QueueFull {
        /// Which module.
        module: ModuleId,
    },
    /// The module failed, and its policy says that it serves no more until it is replaced.
    #[error("{module} has failed and does not serve")]
    Failed {
        /// Which module.
        module: ModuleId,
    },
    /// The call panicked. What it had done by then, it has done.
    #[error("{module} panicked: {message}")]
    Panicked {
        /// Which module.
        module: ModuleId,
        /// What it said.
        message: String,
    },
    /// The version that serves now does not have the method.
    #[error("the version that serves now does not understand {method}")]
    NotUnderstood {
        /// What was called.
        method: String,
    },
    /// The arguments or the result of a dynamic call are not what the signature says.
    #[error("{method}: {problem}")]
    Arguments {
        /// What was called.
        method: String,
        /// What does not fit.
        problem: String,
    },
    /// The module answered a dynamic call with an error of its own.
    #[error("{message}")]
    Application {
        /// What it said.
        message: String,
    },
    /// The calling thread is coming to its end, or there are too many threads.
    #[error("{module} can't be called from this thread: it is ending, or there are too many")]
    Thread {
        /// Which module.
        module: ModuleId,
    },
}

thread_local! {
    static PATIENCE_HERE: Cell<Duration> = const { Cell::new(PATIENCE) };
}

/// Runs `calls`, in which no call of this thread waits at a closed gate for longer than `patience`. What is set
/// outside of it holds again afterwards; without, it is [`PATIENCE`].
pub fn with_patience<R>(patience: Duration, calls: impl FnOnce() -> R) -> R {
    struct Restore(Duration);
    impl Drop for Restore {
        fn drop(&mut self) {
            PATIENCE_HERE.set(self.0);
        }
    }
    let _restore = Restore(PATIENCE_HERE.replace(patience));
    calls()
}

pub(crate) fn patience() -> Duration {
    PATIENCE_HERE.get()
}
