//! A driver library whose card is the emulator: programs that load `libcuda.so.1` run their kernels by it.
//!
//! `scripts/gpu-check` and all it starts can so be run to its end without a card. Every call is done when it
//! returns, whatever its stream. Times are those of executed instructions, a nanosecond each. A fault of
//! a kernel is said on standard error and fails the call, as a card would much later.
//!
//! `cargo build --release -p mm1-ptx --example emulated_card` makes `libemulated_card.so`, which a folder on
//! `LD_LIBRARY_PATH` offers under the driver's name. Only what `runtime/src/device/cuda` calls is here.

#![allow(non_snake_case, clippy::missing_safety_doc)]

mod calls;
mod graphs;

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::{Mutex, MutexGuard};

use mm1_ptx::{Memory, Module, Options, Param, launch};

/// A status as the driver's calls return it.
pub type Status = i32;

/// All went well.
pub const OK: Status = 0;
/// An argument is wrong.
pub const INVALID_VALUE: Status = 1;
/// An allocation is too large.
pub const OUT_OF_MEMORY: Status = 2;
/// PTX that the emulator does not take.
pub const INVALID_PTX: Status = 218;
/// A module has no such function.
pub const NOT_FOUND: Status = 500;
/// A kernel failed.
pub const LAUNCH_FAILED: Status = 719;

/// Bytes that the card claims to have.
pub const BYTES: u64 = 4 << 30;
/// Multiprocessors.
pub const PROCESSORS: i32 = 4;

/// What the one card holds.
#[derive(Default)]
pub struct Card {
    /// Global memory.
    pub memory: Memory,
    /// Sizes of allocations by their address.
    pub sizes: BTreeMap<u64, u64>,
    /// Instructions that all threads have executed.
    pub executed: u64,
}

static CARD: Mutex<Option<Card>> = Mutex::new(None);

/// A kernel that was loaded.
pub struct Function {
    /// Its module.
    pub module: Module,
    /// Name of its entry.
    pub name: String,
    /// Bytes of each parameter.
    pub parameters: Vec<usize>,
}

/// A launch with its arguments.
#[derive(Clone)]
pub struct Call {
    /// The kernel.
    pub function: *const Function,
    /// Blocks, threads of each, and bytes of shared memory.
    pub shape: [u32; 3],
    /// Arguments in order.
    pub arguments: Vec<Param>,
}

/// Does something with the card.
pub fn card<T>(action: impl FnOnce(&mut Card) -> T) -> T {
    let mut guard: MutexGuard<'_, Option<Card>> = CARD.lock().unwrap_or_else(|it| it.into_inner());
    action(guard.get_or_insert_with(Card::default))
}

impl Function {
    /// Reads PTX, with or without the mark of what `cuLinkComplete` gives.
    ///
    /// # Errors
    /// What the emulator does not take.
    pub fn parse(text: &str) -> Result<Self, String> {
        let module = Module::parse(text).map_err(|error| error.to_string())?;
        let name = module.entries().next().ok_or("no entry")?.to_owned();
        let head = text.split(&format!(".entry {name}(")).nth(1).unwrap_or("");
        let head = head.split(')').next().unwrap_or("");
        let parameters = head.lines().filter(|line| line.contains(".param"));
        let parameters = parameters
            .map(|line| match line.rsplit_once('[') {
                Some((_, bytes)) => bytes.split(']').next()?.parse().ok(),
                None if line.contains(".u64") || line.contains(".b64") => Some(8),
                None => None,
            })
            .collect::<Option<Vec<usize>>>();
        Ok(Self {
            module,
            name,
            parameters: parameters.ok_or("parameters that cannot be read")?,
        })
    }
}

impl Call {
    /// Takes a launch's arguments from where a program left them.
    ///
    /// # Safety
    /// The function is loaded, and `arguments` has the address of each of its parameters.
    pub unsafe fn new(
        function: *const Function,
        shape: [u32; 3],
        arguments: *const *const c_void,
    ) -> Self {
        // SAFETY: the caller's.
        let sizes = unsafe { &(*function).parameters };
        let taken = sizes.iter().enumerate().map(|(number, size)| {
            // SAFETY: as above; a parameter is as long as its kernel says.
            let bytes = unsafe {
                let from = *arguments.add(number);
                std::slice::from_raw_parts(from.cast::<u8>(), *size)
            };
            match <[u8; 8]>::try_from(bytes) {
                Ok(word) => Param::U64(u64::from_le_bytes(word)),
                Err(_) => Param::Bytes(bytes.to_vec()),
            }
        });
        Self {
            function,
            shape,
            arguments: taken.collect(),
        }
    }

    /// Runs the kernel to its end.
    pub fn run(&self) -> Status {
        // SAFETY: programs unload modules after their last launch.
        let function = unsafe { &*self.function };
        let [blocks, threads, shared] = self.shape;
        let options = Options::default();
        card(|card| {
            let ran = launch(
                &function.module,
                &function.name,
                [blocks, 1, 1],
                [threads, 1, 1],
                shared,
                &self.arguments,
                &mut card.memory,
                &options,
            );
            match ran {
                Ok(stats) => {
                    card.executed += stats.thread_instructions;
                    OK
                }
                Err(fault) => {
                    eprintln!("emulated card: {fault}");
                    LAUNCH_FAILED
                }
            }
        })
    }
}
