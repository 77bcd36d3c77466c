//! Ctrl-C, where a run asks for it: the first one ends the step and keeps the state, the second one ends the process. What comes before the
//! run has seen the first is no second one: `timeout` and its like send a signal to the process and to its group, at once.

use crate::error::{Error, Result};
use signal_hook::consts::SIGINT;
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Watches for Ctrl-C as long as it lives.
#[derive(Debug)]
pub(crate) struct Guard {
    asked: Arc<AtomicBool>,
    seen: Arc<AtomicBool>,
    hooks: Vec<signal_hook::SigId>,
}

impl Guard {
    /// Starts watching.
    pub fn new() -> Result<Self> {
        let [asked, seen] = std::array::from_fn(|_| Arc::new(AtomicBool::new(false)));
        let failed = |source| Error::Io { action: "watch", path: "SIGINT".into(), source };
        // 130 is the exit code of an interrupt.
        let second = flag::register_conditional_shutdown(SIGINT, 130, seen.clone()).map_err(failed)?;
        let first = flag::register(SIGINT, asked.clone()).map_err(failed)?;
        Ok(Guard { asked, seen, hooks: vec![first, second] })
    }

    /// Whether Ctrl-C was pressed; from then on the next one ends the process.
    pub fn asked(&self) -> bool {
        let asked = self.asked.load(Ordering::Relaxed);
        if asked {
            self.seen.store(true, Ordering::Relaxed);
        }
        asked
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        for hook in &self.hooks {
            signal_hook::low_level::unregister(*hook);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The process lives on to say so.
    #[test]
    fn signals_at_once_are_one() {
        let guard = Guard::new().expect("it watches");
        assert!(!guard.asked());
        for _ in 0..2 {
            signal_hook::low_level::raise(SIGINT).expect("it is sent");
        }
        assert!(guard.asked());
    }
}
