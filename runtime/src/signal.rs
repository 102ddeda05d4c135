//! SIGINT and SIGTERM: the first asks the run to stop after its step, the second ends the
//! process at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Says whether the process was asked to stop.
#[derive(Clone, Debug)]
pub struct Stop {
    asked: Arc<AtomicBool>,
}

impl Stop {
    /// Starts to listen. Once per process is enough; clones share the flag.
    pub fn listen() -> io::Result<Self> {
        let stop = Self::deaf();
        for signal in [SIGINT, SIGTERM] {
            // The order matters: at the first signal the flag is still down when the first
            // handler looks at it, and the second handler raises it.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop.asked))?;
            flag::register(signal, Arc::clone(&stop.asked))?;
        }
        Ok(stop)
    }

    /// A flag that only [`Stop::ask`] raises: for tests and for runs inside other programs.
    pub fn deaf() -> Self {
        Self {
            asked: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Whether to stop after the current step.
    pub fn asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// Asks to stop, as a signal does.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const CHILD: &str = "MM1C_SIGNAL_CHILD";

    #[test]
    #[ignore = "acts only as the child of another test"]
    fn child_receives() {
        let Ok(signals) = std::env::var(CHILD) else {
            return;
        };
        let stop = Stop::listen().unwrap();
        assert!(!stop.asked());
        for signal in signals.split(',') {
            // SAFETY: raising a signal touches no memory.
            unsafe { libc::raise(signal.parse().unwrap()) };
            assert!(stop.asked());
        }
    }

    #[test]
    fn the_first_signal_asks_and_the_second_ends() {
        let run = |signals: &str| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "--ignored", "signal::tests::child_receives"])
                .env(CHILD, signals)
                .output()
                .unwrap()
                .status
                .code()
        };
        let (int, term) = (SIGINT.to_string(), SIGTERM.to_string());
        assert_eq!(run(&int), Some(0));
        assert_eq!(run(&term), Some(0));
        assert_eq!(run(&format!("{int},{int}")), Some(128 + SIGINT));
        assert_eq!(run(&format!("{int},{term}")), Some(128 + SIGTERM));
    }

    #[test]
    fn clones_share_the_flag() {
        let stop = Stop::deaf();
        let other = stop.clone();
        other.ask();
        assert!(stop.asked());
    }
}
