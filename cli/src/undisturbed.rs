//! Timing on a machine that others use too: what ran while they used the processors is set aside.
//!
//! Steps are timed in windows of at least [`WINDOW`]. Linux says how long all processors were busy
//! (`/proc/stat`, stolen time included) and for how much of that this process was; where the rest
//! exceeds [`OTHERS`] of the processors, the window does not count.

use std::fs;
use std::time::{Duration, Instant};

/// Shortest time over which processor time is compared; it is counted in hundredths of a second.
const WINDOW: Duration = Duration::from_millis(300);
/// Share of the processors that others may use while a step counts.
const OTHERS: f64 = 0.06;
/// Steps that are run for each that is wanted, at most.
const PATIENCE: usize = 3;
/// Steps that must count, or the fastest quarter of all stands for them.
const ENOUGH: usize = 5;

/// Times of steps, in seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Times {
    /// Those that count, shortest first.
    pub counted: Vec<f64>,
    /// Whether the machine was otherwise idle while they ran, or could not be asked.
    pub undisturbed: bool,
    /// All steps that were run.
    pub all: usize,
    /// The shortest of all.
    pub shortest: f64,
}

impl Times {
    /// The middle one of those that count.
    pub fn median(&self) -> f64 {
        self.counted[self.counted.len() / 2]
    }

    /// Chooses what counts among windows of steps and whether each was undisturbed.
    fn new(windows: &[(Vec<f64>, bool)], wanted: usize) -> Self {
        let sorted = |only_undisturbed: bool| {
            let chosen = windows
                .iter()
                .filter(|window| window.1 || !only_undisturbed);
            let mut times: Vec<f64> = chosen.flat_map(|window| &window.0).copied().collect();
            times.sort_by(f64::total_cmp);
            times
        };
        let (all, mut counted) = (sorted(false), sorted(true));
        let undisturbed = counted.len() >= ENOUGH.min(wanted);
        if !undisturbed {
            counted = all[..all.len().div_ceil(4)].to_vec();
        }
        Self {
            counted,
            undisturbed,
            all: all.len(),
            shortest: all[0],
        }
    }
}

/// Times `step` until `wanted` (at least one) calls count, or three times as many have run.
///
/// # Errors
/// The first error of a step.
pub fn time<E>(wanted: usize, mut step: impl FnMut() -> Result<(), E>) -> Result<Times, E> {
    let wanted = wanted.max(1);
    let mut windows: Vec<(Vec<f64>, bool)> = Vec::new();
    let (mut all, mut counted) = (0, 0);
    while counted < wanted && all < PATIENCE * wanted {
        let (before, begin) = (processor_time(), Instant::now());
        let mut times = Vec::new();
        while times.is_empty()
            || (begin.elapsed() < WINDOW && all + times.len() < PATIENCE * wanted)
        {
            let begin = Instant::now();
            step()?;
            times.push(begin.elapsed().as_secs_f64());
        }
        let wall = begin.elapsed().as_secs_f64();
        let undisturbed = match (before, processor_time()) {
            (Some(before), Some(after)) => after.others_since(&before) < OTHERS * wall,
            _ => true,
        };
        all += times.len();
        counted += if undisturbed { times.len() } else { 0 };
        windows.push((times, undisturbed));
    }
    Ok(Times::new(&windows, wanted))
}

/// Seconds of processor time since the machine, and this process, started.
#[derive(Clone, Copy, Debug)]
struct ProcessorTime {
    machine: f64,
    process: f64,
    processors: f64,
}

impl ProcessorTime {
    /// Seconds that the average processor has worked for others.
    fn others_since(&self, before: &Self) -> f64 {
        let busy = self.machine - before.machine;
        (busy - (self.process - before.process)) / self.processors
    }
}

/// `None` where the system has no `/proc`.
fn processor_time() -> Option<ProcessorTime> {
    // What Linux counts in, whatever its own clock.
    const PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let fields = stat.lines().next()?.split_whitespace().skip(1);
    let ticks: Vec<u64> = fields.map_while(|field| field.parse().ok()).collect();
    // user, nice, system, (idle, waiting,) interrupts twice, stolen.
    let machine: u64 = [0, 1, 2, 5, 6, 7]
        .iter()
        .map(|&at| ticks.get(at))
        .sum::<Option<_>>()?;
    let processors = stat
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with("cpu"))
        .count();
    let own = fs::read_to_string("/proc/self/stat").ok()?;
    // The name, which may hold anything, ends at the last bracket; user and system time are
    // fields 14 and 15, counted from 1.
    let mut fields = own.rsplit(')').next()?.split_whitespace().skip(11);
    let [user, system] = [fields.next()?, fields.next()?].map(|field| field.parse::<u64>().ok());
    Some(ProcessorTime {
        machine: machine as f64 / PER_SECOND,
        process: (user? + system?) as f64 / PER_SECOND,
        processors: processors.max(1) as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disturbed_steps_are_set_aside() {
        let windows = [
            (vec![9.0, 8.0], false),
            (vec![3.0, 2.0, 1.0], true),
            (vec![5.0, 4.0], true),
        ];
        let times = Times::new(&windows, 5);
        assert_eq!(times.counted, [1.0, 2.0, 3.0, 4.0, 5.0]);
        assert!(times.undisturbed && times.all == 7);
        assert_eq!((times.median(), times.shortest), (3.0, 1.0));
        // Too few are left: the fastest quarter of all.
        let times = Times::new(&windows[..2], 5);
        assert_eq!(times.counted, [1.0, 2.0]);
        assert!(!times.undisturbed);
    }

    #[test]
    fn the_work_of_this_process_is_not_that_of_others() {
        let (Some(before), begin) = (processor_time(), Instant::now()) else {
            return;
        };
        let mut x = 1u64;
        while begin.elapsed() < Duration::from_millis(100) {
            x = std::hint::black_box(x.wrapping_mul(3));
        }
        let after = processor_time().expect("it was there before");
        assert!(after.process > before.process && after.machine > before.machine);
    }

    #[test]
    fn an_error_ends_the_timing() {
        let mut calls = 0;
        let result = time(3, || {
            calls += 1;
            if calls == 2 { Err("no") } else { Ok(()) }
        });
        assert_eq!((result, calls), (Err("no"), 2));
    }
}
