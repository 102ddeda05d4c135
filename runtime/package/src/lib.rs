//! The package: everything that a model needs to run, in one file.
//!
//! A package holds machine code, the tensors that live across steps, the programs that run
//! over them and the model's facts. It is written by the compiler and read by the runtime;
//! this crate is all that the two share. Two compilations of one model give the same bytes.
//!
//! # Memory
//! Storage is a set of [`Region`]s, each one allocation: `parameters`, `gradients` (flat f32
//! arrays in which every trained parameter has the same offset), `moment1`, `moment2` (what the
//! optimizer keeps: arrays like these, or tensors of role state), `rounded` (bf16 copies of all
//! parameters in the same order, for targets that want them), `constants`, `state` (KV caches),
//! `inputs`, `outputs` and `arena` (values that live within one program run). A [`Slot`] is a
//! region and a byte offset. Regions persist between program runs except `arena`, whose content
//! is undefined at the start of a run.
//! All offsets are multiples of 64.
//!
//! # Programs
//! A [`Program`] is a list of launches in order; a launch runs one kernel over its tiles.
//! Tiles of one launch are independent, so any number of threads may share them; launches
//! are sequential. Results never depend on the number of threads.
//!
//! # Kernel calls
//! A CPU kernel is a leaf function with the C ABI
//! `fn(args: *const *mut u8, extents: *const i64, scalars: *const f32, tile_begin: i64, tile_end: i64, scratch: *mut u8)`.
//! `args[i]` is the address of the launch's i-th slot, `extents[i]` the launch's i-th extent,
//! `scalars` is unused by kernels so far and may be null. Tiles are numbered from 0 to
//! [`Launch::tiles`], the product over its tile axes of ceil(extent / tile). `scratch` is
//! private to the calling thread, 64-byte aligned and at least [`Kernel::scratch_bytes`] long.
//!
//! # GPU kernels
//! A package for `cuda:…` holds PTX instead: every kernel is a module of its own with one entry
//! function, called `k` and the kernel's hash. Its parameters, in this order:
//!
//! 1. each argument: `.u64`, its address in global memory;
//! 2. each extent: `.u64`, its value;
//! 3. the number of tiles: `.u64`;
//! 4. each of [`GpuKernel::tensor_maps`]: 128 bytes, aligned to 64.
//!
//! The grid has ceil(tiles / [`GpuKernel::tiles_per_block`]) blocks of [`GpuKernel::threads`]
//! threads, both in one dimension; with [`GpuKernel::blocks_per_sm`] no more than that many blocks
//! per multiprocessor, and each block walks tiles `blockIdx.x`, `blockIdx.x + gridDim.x`, … . A
//! launch without tiles is skipped. No result depends on the size of the grid.

mod codec;
pub mod cpu;
pub mod dtype;

pub use codec::{PackageError, content_hash};
pub use dtype::DType;

use serde::{Deserialize, Serialize};

/// Format version; a reader refuses any other.
pub const VERSION: u32 = 3;

/// A compiled model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Package {
    /// Named target, `cpu:x86-64-v4` or `cuda:sm_90a`.
    pub target: String,
    /// Code generator: `mlir`, `cranelift` or `nvgpu`.
    pub backend: String,
    /// CPU features that the code needs, as `is_x86_feature_detected!` spells them.
    pub cpu_features: Vec<String>,
    /// What the runtime must know of the model.
    pub model: ModelFacts,
    /// Run-time sizes, indexed by [`ExtentRef::Scaled`].
    pub extents: Vec<Extent>,
    /// Regions, indexed by [`Slot::region`].
    pub regions: Vec<Region>,
    /// Named tensors in regions that outlive a program run: parameters, inputs, outputs, state.
    pub tensors: Vec<Tensor>,
    /// Initial bytes of the region named `constants`.
    pub constants: Vec<u8>,
    /// Kernels, indexed by [`Launch::kernel`].
    pub kernels: Vec<Kernel>,
    /// Position-independent machine code of all kernels, or their PTX.
    pub code: Vec<u8>,
    /// Programs by name: `accumulate`, `apply`, `evaluate`, `encode_images`, `prefill`, `decode`,
    /// `round_weights`, `run`.
    pub programs: Vec<Program>,
}

/// The model's facts that training, evaluation and generation need.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// `name` of the graph file.
    pub name: String,
    /// The resolved graph file.
    pub resolved: String,
    /// Sequences in one micro-batch.
    pub sequences: u64,
    /// Tokens per sequence.
    pub length: u64,
    /// Bound on images in one micro-batch; 0 without an encoder.
    pub images: u64,
    /// Side of the encoder's input, pixels.
    pub resolution: u64,
    /// Tokens per image.
    pub image_tokens: u64,
    /// Rows of the embedding.
    pub vocabulary: u64,
    /// Sequences that `prefill` and `decode` run at once.
    pub decode_sequences: u64,
    /// New tokens per sequence in one `prefill` call.
    pub prefill_length: u64,
    /// FLOPs of one `accumulate` at full bounds (2 per multiply-add of contractions).
    pub flops: u64,
    /// What an example is and what is learnt of it.
    pub objective: Objective,
    /// Patches of a picture, where they are what is learnt; else 0.
    pub patches: u64,
}

/// What a model learns; the inputs that follow from it are in docs/programs.md.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// Text after text and pictures.
    #[default]
    Language,
    /// Which picture of the batch belongs to which text.
    Contrastive,
    /// Patches of a picture after those before them.
    Reconstruction,
}

/// A run-time size.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Extent {
    /// `images`, `loss_rows` …
    pub name: String,
    /// Largest value; memory is planned at it.
    pub bound: u64,
    /// `Some((base, offset))`: the value is clamp(base − offset, 0, bound), otherwise the caller sets it.
    pub derived: Option<(u32, u64)>,
}

/// A size as a launch sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ExtentRef {
    /// Known when compiled.
    Fixed(u64),
    /// `scale` × the run-time value of extent `index`.
    Scaled {
        /// Index into [`Package::extents`].
        index: u32,
        /// Factor.
        scale: u64,
    },
}

/// One allocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region {
    /// Unique name.
    pub name: String,
    /// Size.
    pub bytes: u64,
}

/// An address: region and byte offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Slot {
    /// Index into [`Package::regions`].
    pub region: u32,
    /// Bytes from its start.
    pub offset: u64,
}

/// What a tensor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Trained or frozen weight.
    Parameter,
    /// Written by the caller before a program runs.
    Input,
    /// Read by the caller after a program ran.
    Output,
    /// Kept by the runtime between runs (KV cache).
    State,
}

/// A named tensor, dense and row-major.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tensor {
    /// Graph name: `decoder.blocks.0.qkv.weight`, `tokens`, `loss`.
    pub name: String,
    /// Purpose.
    pub role: Role,
    /// Element type.
    pub dtype: DType,
    /// Sizes; run-time sizes at their bound in memory.
    pub dims: Vec<ExtentRef>,
    /// Where it lives. A trained parameter has the same offset in `parameters`, `gradients` and
    /// arrays of moments.
    pub slot: Slot,
    /// For parameters.
    pub parameter: Option<Parameter>,
}

/// Facts of a parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// Distribution at step 0, drawn from the Philox stream of the tensor's name.
    pub init: Init,
    /// Whether the optimizer changes it.
    pub trained: bool,
    /// Whether weight decay applies.
    pub decay: bool,
    /// Factor on the learning rate.
    pub lr_scale: f32,
}

/// An initial distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Init {
    /// All zeros.
    Zeros,
    /// All ones.
    Ones,
    /// N(0, std²).
    Normal(f32),
    /// N(0, std²) cut at ±2 std.
    TruncatedNormal(f32),
    /// All this number.
    Constant(f32),
}

/// A compiled kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kernel {
    /// Readable name from its anchor: `matmul+bias+gelu`.
    pub name: String,
    /// Content hash of the kernel IR and the result-changing schedule, hex.
    pub hash: String,
    /// Entry point, bytes from the start of [`Package::code`]; of a GPU kernel, its PTX module.
    pub entry: u64,
    /// Scratch that one thread needs.
    pub scratch_bytes: u64,
    /// How a GPU runs it; `None` for a CPU kernel.
    pub gpu: Option<GpuKernel>,
}

/// The launch of a GPU kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuKernel {
    /// Bytes of PTX (UTF-8) from [`Kernel::entry`].
    pub ptx_bytes: u64,
    /// Threads of a block, a multiple of 32.
    pub threads: u32,
    /// Dynamic shared memory of a block, bytes.
    pub shared_bytes: u32,
    /// Tiles of one block.
    pub tiles_per_block: u32,
    /// `Some(n)`: a persistent kernel, launched with at most n blocks per multiprocessor.
    pub blocks_per_sm: Option<u32>,
    /// TMA descriptors, passed after the other parameters.
    pub tensor_maps: Vec<TensorMap>,
}

/// A TMA descriptor: how bulk copies see an argument. Elements out of bounds read as zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorMap {
    /// Index into [`Launch::args`]: the base.
    pub arg: u32,
    /// Bytes added to the base, a multiple of 16.
    pub offset: u64,
    /// Element type.
    pub dtype: DType,
    /// Sizes in elements, innermost first, at most five. No descriptor has a size of 0: a run-time
    /// size of 0 is encoded as 1, so a kernel must not load along an axis that is empty.
    pub dims: Vec<MapDim>,
    /// Strides of `dims[1..]` in bytes, multiples of 16.
    pub strides: Vec<u64>,
    /// Box in elements, innermost first, each at most 256.
    pub box_dims: Vec<u32>,
    /// Swizzle in bytes: 0, 32, 64 or 128.
    pub swizzle: u32,
}

/// A size of a [`TensorMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MapDim {
    /// Known when compiled.
    Fixed(u64),
    /// Index into [`Launch::extents`].
    Extent(u32),
}

/// One axis of a launch's tile grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TileAxis {
    /// Its length.
    pub extent: ExtentRef,
    /// Elements per tile.
    pub tile: u64,
}

/// One kernel over all of its tiles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Launch {
    /// The graph node at its heart, for profiles and messages.
    pub name: String,
    /// Index into [`Package::kernels`].
    pub kernel: u32,
    /// Buffers in the kernel's order.
    pub args: Vec<Slot>,
    /// Run-time sizes in the kernel's order.
    pub extents: Vec<ExtentRef>,
    /// Grid; its product is the number of tiles.
    pub tiles: Vec<TileAxis>,
    /// FLOPs at full bounds.
    pub flops: u64,
    /// Bytes read and written at full bounds, each buffer once.
    pub bytes: u64,
}

/// Launches in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// Name by which the runtime calls it.
    pub name: String,
    /// In order.
    pub launches: Vec<Launch>,
    /// Names of the tensors that the caller must write before a run.
    pub inputs: Vec<String>,
    /// Names of the tensors that hold results after a run.
    pub outputs: Vec<String>,
    /// Peak of live arena bytes under the chosen order (the lower bound of the plan).
    pub largest_live_bytes: u64,
    /// Arena bytes that the plan uses.
    pub arena_bytes: u64,
}

impl Package {
    /// The program called `name`.
    pub fn program(&self, name: &str) -> Option<&Program> {
        self.programs.iter().find(|program| program.name == name)
    }

    /// The tensor called `name`.
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }

    /// The index of the region called `name`.
    pub fn region(&self, name: &str) -> Option<u32> {
        self.regions
            .iter()
            .position(|region| region.name == name)
            .map(|index| index as u32)
    }

    /// Tensors of role state in the region called `name`.
    pub fn states(&self, name: &str) -> impl Iterator<Item = &Tensor> {
        let region = self.region(name);
        self.tensors
            .iter()
            .filter(move |tensor| tensor.role == Role::State && Some(tensor.slot.region) == region)
    }
}

impl Tensor {
    /// Elements at full bounds.
    pub fn bound_elements(&self, extents: &[Extent]) -> u64 {
        self.dims.iter().map(|dim| dim.bound(extents)).product()
    }
}

impl ExtentRef {
    /// Largest value.
    pub fn bound(self, extents: &[Extent]) -> u64 {
        match self {
            Self::Fixed(n) => n,
            Self::Scaled { index, scale } => extents[index as usize].bound * scale,
        }
    }

    /// Value under the given run-time sizes (one per extent, derived ones filled in).
    pub fn value(self, values: &[u64]) -> u64 {
        match self {
            Self::Fixed(n) => n,
            Self::Scaled { index, scale } => values[index as usize] * scale,
        }
    }
}
