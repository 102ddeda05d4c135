//! An emulator of PTX: runs the text that a driver would be given, and stops at what a card would let pass.
//!
//! ```
//! use mm1_ptx::{Memory, Module, Options, Param, launch};
//!
//! let text = "
//!     .version 8.6
//!     .target sm_90a
//!     .address_size 64
//!     .entry double(.param .u64 x) {
//!         .reg .b64 %a, %i; .reg .b32 %t, %v;
//!         ld.param.u64 %a, [x];
//!         mov.u32 %t, %tid.x;
//!         mul.wide.u32 %i, %t, 4;
//!         add.u64 %a, %a, %i;
//!         ld.global.u32 %v, [%a];
//!         add.u32 %v, %v, %v;
//!         st.global.u32 [%a], %v;
//!         ret;
//!     }";
//! let module = Module::parse(text)?;
//! let mut memory = Memory::new();
//! let data: Vec<u8> = (0..64u32).flat_map(|x| x.to_le_bytes()).collect();
//! let x = memory.alloc_from(&data);
//! let (grid, block) = ([1, 1, 1], [64, 1, 1]);
//! launch(&module, "double", grid, block, 0, &[Param::U64(x)], &mut memory, &Options::default())?;
//! assert_eq!(memory.read(x + 4 * 63, 4)?, 126u32.to_le_bytes());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it takes
//!
//! The PTX that LLVM's NVPTX back end prints for sm_90a, and Hopper's instructions: integer and float
//! arithmetic, all state spaces, warp collectives, barriers, `cp.async`, bulk and tensor copies,
//! mbarriers, `ldmatrix`, `mma.sync` and `wgmma` of f16, bf16 and tf32. Clusters have one block. What is
//! not known is an error of [`Module::parse`] with its line. Device functions are expanded where they are
//! called; they may neither recurse nor be called through pointers.
//!
//! # What it checks
//!
//! Each rule is a [`FaultKind`], and a [`Fault`] names kernel, line, instruction, block, thread and
//! address.
//!
//! - **Memory**: each allocation is a range of its own with gaps between; bytes that nobody wrote,
//!   freed ones and constants are told apart. Registers that a thread never wrote cannot be read, except
//!   those that LLVM marks `implicit-def`, which hold odd values.
//! - **Asynchrony**: a copy happens as late as it may; before it is waited for its target cannot be used,
//!   nor its source changed. Accumulators of `wgmma` likewise. `fence.proxy.async`,
//!   `fence.mbarrier_init` and `wgmma.fence` are asked for where the manual asks.
//! - **Order**: two threads that use one byte of shared memory need a barrier, an mbarrier or, within a
//!   warp, `bar.warp.sync` between them ([`Options::shared_races`]). Shuffles and votes order no memory.
//!   [`Options::schedule`] runs warps in other orders.
//! - **Blocks**: two blocks of a launch must not use one byte of global memory if one of them writes it
//!   ([`Options::block_races`]); atomics are left out. Atomics of floats are refused.
//! - **Progress**: when all threads wait, the fault says for what.
//!
//! Not checked: races in global memory within a block, and what one thread of a warp learns at an
//! mbarrier counts for the whole warp. With several [`Options::threads`] a race between blocks that happens
//! at the same instant may go unnoticed once.
//!
//! # What numbers it gives
//!
//! Correctly rounded results where PTX defines them, with PTX's NaN. `.approx` functions are rounded from
//! f64, so they differ from a card's in the last places. Tensor cores multiply exactly and add in f32, one
//! product after the other in the order of k; cards add groups of products with truncation.

mod decode;
mod fault;
pub(crate) mod machine;
mod memory;
mod module;
mod number;
mod parse;
pub(crate) mod program;
mod tensor_map;

pub use fault::{Fault, FaultKind};
pub use machine::{Options, Stats, launch};
pub use memory::Memory;
pub use module::{Module, Param};
pub use parse::ParseError;
pub use tensor_map::{TensorMap, TensorType};
