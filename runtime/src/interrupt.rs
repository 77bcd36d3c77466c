//! Ctrl-C, where a run asks for it: the first one ends the step and keeps the state, the second one ends the process.

use crate::error::{Error, Result};
use signal_hook::consts::SIGINT;
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Watches for Ctrl-C as long as it lives.
#[derive(Debug)]
pub(crate) struct Guard {
    asked: Arc<AtomicBool>,
    hooks: Vec<signal_hook::SigId>,
}

impl Guard {
    /// Starts watching.
    pub fn new() -> Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        let failed = |source| Error::Io { action: "watch", path: "SIGINT".into(), source };
        // Registered first, so that it acts only on a signal that finds the flag set already: 130 is the exit code of an interrupt.
        let second = flag::register_conditional_shutdown(SIGINT, 130, asked.clone()).map_err(failed)?;
        let first = flag::register(SIGINT, asked.clone()).map_err(failed)?;
        Ok(Guard { asked, hooks: vec![first, second] })
    }

    /// Whether Ctrl-C was pressed.
    pub fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        for hook in &self.hooks {
            signal_hook::low_level::unregister(*hook);
        }
    }
}
