//! The thread pool that runs the tiles of a launch.
//!
//! The calling thread is worker 0 and takes tiles like the others. A launch is cut into
//! chunks of consecutive tiles, claimed through one atomic word that holds the launch's
//! number and the chunks left. A worker reads the task only after a successful claim, and
//! the caller returns only when every claimed chunk is done, so a worker that wakes late
//! (or never, while the machine is busy) holds nobody up.
//!
//! Which thread runs a tile never shows in the result: tiles of one launch are independent.

use std::any::Any;
use std::cell::UnsafeCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use super::memory::{Memory, MemoryError};

/// How long a thread without work spins before it sleeps. Launches of one program follow
/// each other within a few microseconds; waking a sleeping thread costs tens of them.
const SPIN: Duration = Duration::from_micros(50);
/// Chunks per thread: enough to even out threads of unequal speed, few enough that a kernel
/// amortises what it sets up per call.
const CHUNKS_PER_THREAD: u64 = 8;
/// Threads that a pool may have.
const MAX_THREADS: usize = 1024;

/// Why a pool cannot be made.
#[derive(Debug)]
pub enum PoolError {
    /// 0 threads or more than the pool supports.
    Threads(usize),
    /// The system gave no thread.
    Spawn(std::io::Error),
    /// No memory for the scratch buffers.
    Memory(MemoryError),
}

impl fmt::Display for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Threads(count) => {
                write!(f, "{count} threads: give a number from 1 to {MAX_THREADS}")
            }
            Self::Spawn(error) => write!(f, "cannot start a worker thread: {error}"),
            Self::Memory(error) => write!(f, "scratch of the worker threads: {error}"),
        }
    }
}

impl std::error::Error for PoolError {}

/// Runs tiles `begin..end` with the calling thread's scratch.
type Work<'a> = dyn Fn(u64, u64, *mut u8) + Sync + 'a;

/// A launch as the workers see it.
struct Task {
    /// Lifetime erased; valid from the claim of a chunk until that chunk counts as done.
    work: *const Work<'static>,
    tiles: u64,
    chunks: u32,
    caller: Thread,
}

impl Task {
    /// Tiles of chunk `index`: sizes differ by at most one.
    fn range(&self, index: u32) -> (u64, u64) {
        let chunks = u64::from(self.chunks);
        let (each, rest) = (self.tiles / chunks, self.tiles % chunks);
        let index = u64::from(index);
        let begin = index * each + index.min(rest);
        (begin, begin + each + u64::from(index < rest))
    }
}

struct Shared {
    /// Launch number in the upper half, chunks not yet claimed in the lower.
    claim: AtomicU64,
    /// Number of the current launch: what idle workers watch.
    epoch: AtomicU32,
    /// Chunks of the current launch that are finished.
    done: AtomicU32,
    /// Written by the caller while no chunk is claimable, read only under a claim.
    task: UnsafeCell<Option<Task>>,
    /// Per worker: asleep, to be unparked.
    asleep: Vec<AtomicBool>,
    caller_asleep: AtomicBool,
    stop: AtomicBool,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `task` is the only field that is not Sync. The caller writes it only while the
// claim word has no chunks left and every claimed one is done; others read it only between
// a successful claim and the matching increment of `done`.
unsafe impl Sync for Shared {}
// SAFETY: as above; a `Task` is plain data.
unsafe impl Send for Shared {}

impl Shared {
    /// Claims and runs chunks until none is left.
    fn work(&self, scratch: *mut u8) {
        let mut word = self.claim.load(Ordering::SeqCst);
        while word & 0xffff_ffff != 0 {
            if let Err(now) =
                self.claim
                    .compare_exchange_weak(word, word - 1, Ordering::SeqCst, Ordering::SeqCst)
            {
                word = now;
                continue;
            }
            // SAFETY: the claim succeeded, so the caller keeps the task until `done` says so.
            let task = unsafe { (*self.task.get()).as_ref() }.expect("a claim implies a task");
            let (chunks, caller) = (task.chunks, task.caller.clone());
            let (begin, end) = task.range(chunks - (word & 0xffff_ffff) as u32);
            // SAFETY: as above; the closure outlives the launch.
            let work = unsafe { &*task.work };
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| work(begin, end, scratch)))
                && let Ok(mut slot) = self.panic.lock()
            {
                slot.get_or_insert(payload);
            }
            // After this increment the task may be gone.
            let finished = self.done.fetch_add(1, Ordering::SeqCst) + 1;
            if finished == chunks && self.caller_asleep.swap(false, Ordering::SeqCst) {
                caller.unpark();
            }
            word = self.claim.load(Ordering::SeqCst);
        }
    }

    /// A worker thread's life.
    fn serve(&self, index: usize, scratch: *mut u8) {
        while !self.stop.load(Ordering::SeqCst) {
            let seen = self.epoch.load(Ordering::SeqCst);
            self.work(scratch);
            let changed = || self.epoch.load(Ordering::SeqCst) != seen;
            if spin_until(changed) {
                continue;
            }
            self.asleep[index].store(true, Ordering::SeqCst);
            // The caller bumps `epoch` before it looks at `asleep`, so one of the two sees
            // the other. A stale unpark only makes one extra round.
            if !changed() {
                std::thread::park();
            }
            self.asleep[index].store(false, Ordering::SeqCst);
        }
    }
}

/// Spins until `ready` or the time is up; says whether it became ready.
fn spin_until(ready: impl Fn() -> bool) -> bool {
    let mut begin = None;
    loop {
        for _ in 0..32 {
            if ready() {
                return true;
            }
            std::hint::spin_loop();
        }
        if begin.get_or_insert_with(Instant::now).elapsed() > SPIN {
            return ready();
        }
    }
}

/// A fixed set of threads, the caller among them.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    scratch: Memory,
    epoch: u32,
}

impl Pool {
    /// Starts `threads − 1` workers; each thread, the caller included, gets
    /// `scratch_bytes` of its own.
    pub fn new(threads: usize, scratch_bytes: u64) -> Result<Self, PoolError> {
        if threads == 0 || threads > MAX_THREADS {
            return Err(PoolError::Threads(threads));
        }
        let scratch = || Memory::zeroed(scratch_bytes).map_err(PoolError::Memory);
        let mut pool = Self {
            shared: Arc::new(Shared {
                claim: AtomicU64::new(0),
                epoch: AtomicU32::new(0),
                done: AtomicU32::new(0),
                task: UnsafeCell::new(None),
                asleep: (1..threads).map(|_| AtomicBool::new(false)).collect(),
                caller_asleep: AtomicBool::new(false),
                stop: AtomicBool::new(false),
                panic: Mutex::new(None),
            }),
            workers: Vec::with_capacity(threads - 1),
            scratch: scratch()?,
            epoch: 0,
        };
        for index in 0..threads - 1 {
            let shared = Arc::clone(&pool.shared);
            let own = scratch()?;
            // A failure half-way drops `pool`, which stops the workers that already run.
            let worker = std::thread::Builder::new()
                .name(format!("kernel-{}", index + 1))
                .spawn(move || {
                    shared.serve(index, own.start());
                    drop(own);
                })
                .map_err(PoolError::Spawn)?;
            pool.workers.push(worker);
        }
        Ok(pool)
    }

    /// Threads, the caller included.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `work(begin, end, scratch)` so that every tile of `0..tiles` is covered exactly
    /// once, and returns when all calls have. `alone` keeps it on the calling thread, in one
    /// call: for launches that are shorter than a wake-up.
    ///
    /// A panic in `work` is raised again here after every thread has left it.
    pub fn launch(&mut self, tiles: u64, alone: bool, work: &Work<'_>) {
        if tiles == 0 {
            return;
        }
        if tiles == 1 || alone || self.workers.is_empty() {
            return work(0, tiles, self.scratch.start());
        }
        let shared = &*self.shared;
        let chunks = tiles.min(self.threads() as u64 * CHUNKS_PER_THREAD) as u32;
        // SAFETY: only the lifetime changes; this function returns after the last use.
        let erased = unsafe {
            std::mem::transmute::<*const Work<'_>, *const Work<'static>>(std::ptr::from_ref(work))
        };
        // SAFETY: the previous launch is finished, so nobody reads the task.
        unsafe {
            *shared.task.get() = Some(Task {
                work: erased,
                tiles,
                chunks,
                caller: std::thread::current(),
            });
        }
        shared.done.store(0, Ordering::SeqCst);
        self.epoch = self.epoch.wrapping_add(1);
        let word = u64::from(self.epoch) << 32 | u64::from(chunks);
        shared.claim.store(word, Ordering::SeqCst);
        shared.epoch.store(self.epoch, Ordering::SeqCst);
        for (worker, asleep) in self.workers.iter().zip(&shared.asleep) {
            if asleep.swap(false, Ordering::SeqCst) {
                worker.thread().unpark();
            }
        }

        shared.work(self.scratch.start());
        let finished = || shared.done.load(Ordering::SeqCst) == chunks;
        if !spin_until(finished) {
            loop {
                shared.caller_asleep.store(true, Ordering::SeqCst);
                if finished() {
                    break;
                }
                std::thread::park();
            }
            shared.caller_asleep.store(false, Ordering::SeqCst);
        }
        let payload = shared.panic.lock().ok().and_then(|mut slot| slot.take());
        if let Some(payload) = payload {
            resume_unwind(payload);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        let next = self.epoch.wrapping_add(1);
        self.shared.epoch.store(next, Ordering::SeqCst);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // A worker cannot fail (panics are caught above), and a drop must not panic.
            let _ = worker.join();
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("threads", &self.threads())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tile_runs_exactly_once() {
        for threads in [1, 2, 3, 8] {
            let mut pool = Pool::new(threads, 64).unwrap();
            for tiles in [0, 1, 2, 7, 8, 15, 16, 17, 1000, 12345] {
                let counts: Vec<AtomicU32> = (0..tiles).map(|_| AtomicU32::new(0)).collect();
                pool.launch(tiles, false, &|begin, end, _| {
                    assert!(begin < end && end <= tiles);
                    for tile in begin..end {
                        counts[tile as usize].fetch_add(1, Ordering::Relaxed);
                    }
                });
                assert!(
                    counts
                        .iter()
                        .all(|count| count.load(Ordering::Relaxed) == 1)
                );
            }
        }
    }

    #[test]
    fn many_launches_in_a_row() {
        let mut pool = Pool::new(4, 0).unwrap();
        let sum = AtomicU64::new(0);
        for round in 0..20_000u64 {
            // Pauses long enough to let the workers fall asleep now and then.
            if round % 4_000 == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
            let tiles = round % 13;
            pool.launch(tiles, false, &|begin, end, _| {
                for tile in begin..end {
                    sum.fetch_add(tile + 1, Ordering::Relaxed);
                }
            });
        }
        let expected: u64 = (0..20_000u64)
            .map(|round| round % 13)
            .map(|tiles| tiles * (tiles + 1) / 2)
            .sum();
        assert_eq!(sum.into_inner(), expected);
    }

    #[test]
    fn scratch_is_private_and_aligned() {
        let mut pool = Pool::new(3, 4096).unwrap();
        let clashes = AtomicU32::new(0);
        pool.launch(300, false, &|begin, _, scratch| {
            assert_eq!(scratch as usize % 64, 0);
            let cell = scratch.cast::<u64>();
            // SAFETY: scratch is 4096 bytes of this thread alone.
            unsafe { cell.write_volatile(begin) };
            std::thread::sleep(Duration::from_micros(200));
            // SAFETY: as above.
            if unsafe { cell.read_volatile() } != begin {
                clashes.fetch_add(1, Ordering::Relaxed);
            }
        });
        assert_eq!(clashes.into_inner(), 0);
    }

    #[test]
    fn alone_stays_on_the_caller() {
        let mut pool = Pool::new(4, 0).unwrap();
        let caller = std::thread::current().id();
        let calls = AtomicU32::new(0);
        pool.launch(1000, true, &|begin, end, _| {
            assert_eq!((begin, end), (0, 1000));
            assert_eq!(std::thread::current().id(), caller);
            calls.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(calls.into_inner(), 1);
    }

    #[test]
    fn work_is_shared() {
        let mut pool = Pool::new(2, 0).unwrap();
        let caller = std::thread::current().id();
        let elsewhere = AtomicU32::new(0);
        pool.launch(16, false, &|_, _, _| {
            std::thread::sleep(Duration::from_millis(5));
            if std::thread::current().id() != caller {
                elsewhere.fetch_add(1, Ordering::Relaxed);
            }
        });
        assert!(elsewhere.into_inner() > 0);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_survives() {
        let mut pool = Pool::new(3, 0).unwrap();
        let result = catch_unwind(AssertUnwindSafe(|| {
            pool.launch(100, false, &|begin, _, _| assert!(begin < 50, "planted"));
        }));
        assert!(result.is_err());
        let count = AtomicU32::new(0);
        pool.launch(100, false, &|begin, end, _| {
            count.fetch_add((end - begin) as u32, Ordering::Relaxed);
        });
        assert_eq!(count.into_inner(), 100);
    }

    #[test]
    fn absurd_thread_counts_are_refused() {
        assert!(matches!(Pool::new(0, 0), Err(PoolError::Threads(0))));
        assert!(Pool::new(1 << 20, 0).is_err());
    }
}
