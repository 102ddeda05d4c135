//! The driver: from a model to a package.
//!
//! Each program goes through the passes, fusion and the memory plan; kernels that are equal by
//! content are compiled once, on all cores; then everything is laid out in one package.

use std::collections::BTreeMap;
use std::fmt;

use mm1_dsl::codes;
use mm1_dsl::diagnostic::Diagnostic;
use mm1_dsl::model::{Model, Objective, Precision};
use mm1_package::{
    DType, Extent, ExtentRef, Kernel as PackageKernel, Launch, ModelFacts, Package, Parameter,
    Program, Region, Role, Slot, Tensor, TileAxis,
};

use crate::build::{self, ProgramGraph, Programs, Purpose};
use crate::codegen::{self, Backend};
use crate::fuse::{self, Fused, Home};
use crate::graph::{Graph, InputRole, Op};
use crate::kernel::{AxisId, AxisSize, Kernel};
use crate::loops::Function;
use crate::lower::{self, Machine};
use crate::passes;
use crate::plan::{self, Plan};
use crate::schedules::Schedules;
use crate::target::Target;

/// How to compile.
#[derive(Clone, Debug)]
pub struct Options {
    /// Named processor or card.
    pub target: Target,
    /// Code generator of CPU code; a card has one only.
    pub backend: Backend,
    /// Check the graph after every pass.
    pub verify: bool,
    /// What a measurement chose for products on a card.
    pub schedules: Schedules,
}

impl Options {
    /// Options without checks between passes and without measured schedules.
    pub fn new(target: Target, backend: Backend) -> Self {
        Self {
            target,
            backend,
            verify: false,
            schedules: Schedules::default(),
        }
    }
}

/// Why there is no package.
#[derive(Debug)]
pub enum CompileError {
    /// The model file is at fault.
    Model(Vec<Diagnostic>),
    /// The compiler is at fault, or the target cannot do it.
    Internal(String),
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(found) => write!(f, "{} errors in the model", found.len()),
            Self::Internal(what) => write!(f, "the compiler failed: {what}"),
        }
    }
}

impl std::error::Error for CompileError {}

impl From<String> for CompileError {
    fn from(what: String) -> Self {
        Self::Internal(what)
    }
}

/// One program after fusion and planning.
pub struct PlannedProgram {
    /// Name, graph after the passes, bindings.
    pub source: ProgramGraph,
    /// Kernel calls.
    pub fused: Fused,
    /// Arena.
    pub plan: Plan,
}

/// A model up to, but without, machine code.
pub struct Planned {
    /// Programs.
    pub programs: Vec<PlannedProgram>,
    /// Parameters and sizes of generation.
    pub built: BuiltFacts,
}

/// What remains of [`Programs`] once its graphs are fused.
pub struct BuiltFacts {
    /// Memory of the parameters.
    pub layout: build::Layout,
    /// Sizes of generation.
    pub decode: build::DecodeShape,
    /// Whether products read bf16 copies of weights, in a region of their own.
    pub rounded_weights: bool,
}

/// Builds, optimises, fuses and plans all programs of a model, for no machine in particular.
///
/// # Errors
/// The model's errors, or what no kernel covers.
pub fn plan_model(
    model: &Model,
    purpose: Purpose<'_>,
    verify: bool,
) -> Result<Planned, CompileError> {
    plan_programs(model, purpose, None, verify)
}

/// As [`plan_model`], with what a target wants kept in memory beside.
///
/// # Errors
/// As [`plan_model`].
pub fn plan_for(
    model: &Model,
    purpose: Purpose<'_>,
    options: &Options,
) -> Result<Planned, CompileError> {
    plan_programs(model, purpose, Some(options), options.verify)
}

fn plan_programs(
    model: &Model,
    purpose: Purpose<'_>,
    compiled: Option<&Options>,
    verify: bool,
) -> Result<Planned, CompileError> {
    let rounded_weights = model.train.precision == Precision::Bf16
        && compiled.is_some_and(|it| it.target.keeps_rounded_weights());
    let Programs {
        programs,
        layout,
        decode,
    } = build::build_with(model, purpose, rounded_weights).map_err(CompileError::Model)?;
    let options = passes::Options {
        rounded_weights,
        ..passes::Options::of(&model.train, verify)
    };
    let mut planned = Vec::with_capacity(programs.len());
    for source in programs {
        planned.push(within_budget(source, model, &options, compiled)?);
    }
    Ok(Planned {
        programs: planned,
        built: BuiltFacts {
            layout,
            decode,
            rounded_weights,
        },
    })
}

/// Plans a program with as few products made again as `train.arena_mib` allows.
fn within_budget(
    source: ProgramGraph,
    model: &Model,
    options: &passes::Options,
    compiled: Option<&Options>,
) -> Result<PlannedProgram, CompileError> {
    let budget = model.train.arena_mib << 20;
    if budget == 0 {
        return Ok(plan_program(source, options, compiled)?);
    }
    let all = plan_program(source.clone(), options, compiled)?;
    let again = passes::products_made_again(&all.source.graph);
    if again == 0 {
        return Ok(all);
    }
    if all.plan.arena_bytes > budget {
        let needed = all.plan.arena_bytes.div_ceil(1 << 20);
        let message = format!(
            "program `{}` needs {needed} MiB when every product is made again, but `train.arena_mib` is {}",
            all.source.name, model.train.arena_mib
        );
        let span = model.assigned.get("train.arena_mib").copied();
        return Err(CompileError::Model(vec![
            Diagnostic::error(codes::BUDGET, message)
                .at(span, "this budget")
                .note("a smaller `train.micro_batch_sequences` needs less")
                .patch("what it needs", span, needed.to_string()),
        ]));
    }
    // `fits` does, `fails` does not or is not known to.
    let (mut fits, mut fails) = ((again, all), 0);
    while fails < fits.0 {
        let middle = (fails + fits.0) / 2;
        let options = passes::Options {
            most_products: middle,
            ..*options
        };
        let planned = plan_program(source.clone(), &options, compiled)?;
        match planned.plan.arena_bytes <= budget {
            true => fits = (middle, planned),
            false => fails = middle + 1,
        }
    }
    Ok(fits.1)
}

fn plan_program(
    mut source: ProgramGraph,
    options: &passes::Options,
    compiled: Option<&Options>,
) -> Result<PlannedProgram, String> {
    let fault = |error: String| format!("program `{}`: {error}", source.name);
    passes::optimize(&mut source.graph, options).map_err(fault)?;
    let (fused, plan) = fuse_and_plan(&source.graph, compiled).map_err(fault)?;
    Ok(PlannedProgram {
        source,
        fused,
        plan,
    })
}

/// Kernel calls of an optimised graph, for a target if it is known, and their memory.
///
/// # Errors
/// What no kernel covers.
pub fn fuse_and_plan(graph: &Graph, compiled: Option<&Options>) -> Result<(Fused, Plan), String> {
    #[cfg(feature = "mlir")]
    let fused = {
        let mut fused = fuse::fuse(graph)?;
        if let Some(options) = compiled
            && let Target::Gpu(target) = &options.target
        {
            codegen::nvgpu::split(&mut fused, target, &options.schedules);
        }
        fused
    };
    // Without MLIR there is no code for a card.
    #[cfg(not(feature = "mlir"))]
    let fused = {
        let _ = compiled;
        fuse::fuse(graph)?
    };
    let plan = plan::plan(&fused);
    Ok((fused, plan))
}

/// Compiles a model.
///
/// # Errors
/// The model's errors, or a failure of the compiler.
pub fn compile(
    model: &Model,
    purpose: Purpose<'_>,
    options: &Options,
) -> Result<Package, CompileError> {
    let planned = plan_for(model, purpose, options)?;
    Ok(package_of(model, &planned, options)?)
}

/// Machine code and memory of planned programs.
///
/// # Errors
/// A kernel that has no schedule for the target, or a failure of the code generator.
pub fn package_of(model: &Model, planned: &Planned, options: &Options) -> Result<Package, String> {
    let kernels = compile_kernels(planned, options)?;
    Assembly::new(facts(model, planned), options, planned).assemble(kernels)
}

/// Compiles a graph that belongs to no model, as the program `run`: its inputs are data or state.
/// The passes are the caller's.
///
/// # Errors
/// What no kernel covers, a parameter (its memory is a model's), or a failure of the compiler.
pub fn compile_graph(graph: Graph, options: &Options) -> Result<Package, String> {
    let (fused, plan) = fuse_and_plan(&graph, Some(options))?;
    let source = ProgramGraph {
        name: "run".to_owned(),
        graph,
        bindings: BTreeMap::new(),
    };
    let planned = Planned {
        programs: vec![PlannedProgram {
            source,
            fused,
            plan,
        }],
        built: BuiltFacts {
            layout: build::Layout::default(),
            decode: build::DecodeShape {
                sequences: 0,
                prefill: 0,
            },
            rounded_weights: false,
        },
    };
    let kernels = compile_kernels(&planned, options)?;
    Assembly::new(ModelFacts::default(), options, &planned).assemble(kernels)
}

/// A kernel with the schedule that a machine gives it.
pub struct Scheduled {
    /// What is computed.
    pub kernel: Kernel,
    /// The grid: tiled axes, outermost first, and elements per tile.
    pub tiles: Vec<(AxisId, u64)>,
    /// What of the schedule changes results.
    pub schedule: String,
    /// Content hash of the kernel and of what its schedule changes in the results, hex.
    pub hash: String,
    /// What the code generator gets.
    pub body: Body,
}

/// A scheduled kernel before machine code.
pub enum Body {
    /// For a CPU.
    Loops(Function),
    /// For a card: MLIR text and how it is launched.
    #[cfg(feature = "mlir")]
    Gpu {
        /// A module with one kernel.
        text: String,
        /// Its launch, PTX aside.
        launch: mm1_package::GpuKernel,
    },
}

impl Scheduled {
    /// Schedules a kernel whose buffers start at multiples of so many bytes in every launch.
    ///
    /// # Errors
    /// A kernel that has no schedule for the target.
    pub fn new(kernel: Kernel, alignment: &[u32], options: &Options) -> Result<Self, String> {
        let fault = |error: String| format!("kernel `{}`: {error}", kernel.name);
        match &options.target {
            // Loads and stores of a CPU need no alignment.
            Target::Cpu(target) => Self::on_cpu(kernel, &options.backend.machine(target)),
            #[cfg(feature = "mlir")]
            Target::Gpu(target) => {
                let scheduled =
                    codegen::nvgpu::schedule(&kernel, alignment, target, &options.schedules)
                        .map_err(fault)?;
                let hash = Self::hash_of(&kernel, &scheduled.summary);
                // The schedule names its function before it knows what it will change.
                let (from, to) = (format!("@k{}(", kernel.hash()), format!("@k{hash}("));
                Ok(Self {
                    kernel,
                    tiles: scheduled.tiles,
                    schedule: scheduled.summary,
                    hash,
                    body: Body::Gpu {
                        text: scheduled.text.replacen(&from, &to, 1),
                        launch: scheduled.launch,
                    },
                })
            }
            #[cfg(not(feature = "mlir"))]
            Target::Gpu(target) => {
                let _ = alignment;
                Err(fault(format!(
                    "code for `{target}` needs MLIR, which this mm1c was built without"
                )))
            }
        }
    }

    fn on_cpu(kernel: Kernel, machine: &Machine) -> Result<Self, String> {
        let mut lowered = lower::lower(&kernel, machine)
            .map_err(|error| format!("kernel `{}`: {error}", kernel.name))?;
        let hash = Self::hash_of(&kernel, &lowered.schedule);
        lowered.function.name = format!("k{hash}");
        Ok(Self {
            kernel,
            tiles: lowered.tiles,
            schedule: lowered.schedule,
            hash,
            body: Body::Loops(lowered.function),
        })
    }

    fn hash_of(kernel: &Kernel, schedule: &str) -> String {
        let text = format!("{} {schedule}", kernel.hash());
        blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
    }

    /// The loop program of a CPU kernel.
    ///
    /// # Errors
    /// A kernel for a card.
    pub fn function(&self) -> Result<&Function, String> {
        match &self.body {
            Body::Loops(function) => Ok(function),
            #[cfg(feature = "mlir")]
            Body::Gpu { .. } => Err(format!(
                "kernel `{}` for a card has no loop program of its own",
                self.kernel.name
            )),
        }
    }
}

/// Distinct kernels in order of first use, lowered and compiled.
struct Kernels {
    /// By the hash of the kernel alone: one machine gives equal kernels equal schedules.
    index: BTreeMap<String, usize>,
    scheduled: Vec<Scheduled>,
    /// Entry in the code, and the launch of a GPU kernel.
    entries: Vec<(u64, Option<mm1_package::GpuKernel>)>,
    code: Vec<u8>,
}

/// The kernels of a model, each once, in order of first use.
pub fn distinct_kernels(planned: &Planned) -> Vec<Kernel> {
    let mut seen = std::collections::BTreeSet::new();
    let calls = planned
        .programs
        .iter()
        .flat_map(|program| &program.fused.calls);
    calls
        .filter(|call| seen.insert(call.kernel.hash()))
        .map(|call| call.kernel.clone())
        .collect()
}

/// The kernels of a model as a code generator gets them, each once, in order of first use.
///
/// # Errors
/// A kernel that has no schedule for the target.
pub fn schedule_kernels(planned: &Planned, options: &Options) -> Result<Vec<Scheduled>, String> {
    let alignments = alignments(planned);
    distinct_kernels(planned)
        .into_iter()
        .map(|kernel| {
            let alignment = &alignments[&kernel.hash()];
            Scheduled::new(kernel, alignment, options)
        })
        .collect()
}

/// Bytes that each buffer's address is a multiple of in all calls of a kernel, by its hash.
fn alignments(planned: &Planned) -> BTreeMap<String, Vec<u32>> {
    let mut found: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for PlannedProgram { source, fused, .. } in &planned.programs {
        for call in &fused.calls {
            let of_call: Vec<u32> = call
                .args
                .iter()
                .map(|(key, first)| {
                    let info = &fused.buffers[key.0 as usize];
                    let start = match info.home {
                        Home::Source(node) => {
                            let name = &source.graph.node(node).name;
                            source.bindings.get(name).map_or(0, |(_, offset)| *offset)
                        }
                        Home::Arena | Home::Output(_) => 0,
                    };
                    let offset = start + first * info.dtype.size();
                    1 << offset.trailing_zeros().min(plan::ALIGN.trailing_zeros())
                })
                .collect();
            let all = found
                .entry(call.kernel.hash())
                .or_insert_with(|| of_call.clone());
            for (all, own) in all.iter_mut().zip(of_call) {
                *all = own.min(*all);
            }
        }
    }
    found
}

fn compile_kernels(planned: &Planned, options: &Options) -> Result<Kernels, String> {
    let scheduled = schedule_kernels(planned, options)?;
    let index = scheduled
        .iter()
        .enumerate()
        .map(|(index, it)| (it.kernel.hash(), index))
        .collect();
    let (code, entries) = match &options.target {
        Target::Cpu(target) => {
            let functions = scheduled
                .iter()
                .map(|it| it.function().cloned())
                .collect::<Result<Vec<Function>, String>>()?;
            let blob = codegen::generate(&functions, options.backend, target)?;
            let entries = functions.iter().map(|function| {
                let entry = blob
                    .entry(&function.name)
                    .ok_or_else(|| format!("no code for kernel `{}`", function.name))?;
                Ok((entry as u64, None))
            });
            let entries = entries.collect::<Result<Vec<_>, String>>()?;
            (blob.bytes, entries)
        }
        #[cfg(feature = "mlir")]
        Target::Gpu(target) => codegen::nvgpu::compile(&scheduled, target)?,
        #[cfg(not(feature = "mlir"))]
        Target::Gpu(target) => {
            return Err(format!(
                "code for `{target}` needs MLIR, which this mm1c was built without"
            ));
        }
    };
    Ok(Kernels {
        index,
        scheduled,
        entries,
        code,
    })
}

/// The region `constants`: each run of numbers once.
#[derive(Default)]
pub(crate) struct Constants {
    pub(crate) bytes: Vec<u8>,
}

impl Constants {
    /// Offset of these numbers, f64 in a graph and f32 in memory.
    pub(crate) fn place(&mut self, values: &[f64]) -> u64 {
        let new: Vec<u8> = values
            .iter()
            .flat_map(|value| (*value as f32).to_le_bytes())
            .collect();
        let known = (0..self.bytes.len())
            .step_by(64)
            .find(|start| self.bytes[*start..].starts_with(&new));
        let offset = known.unwrap_or_else(|| {
            let start = self.bytes.len();
            self.bytes.extend(&new);
            let end = self.bytes.len().next_multiple_of(64);
            self.bytes.resize(end, 0);
            start
        });
        offset as u64
    }
}

/// Lays out regions and tensors.
struct Assembly<'a> {
    planned: &'a Planned,
    package: Package,
    constants: Constants,
    /// Next free byte by region.
    ends: BTreeMap<String, u64>,
}

impl<'a> Assembly<'a> {
    fn new(model: ModelFacts, options: &Options, planned: &'a Planned) -> Self {
        let regions = [
            "parameters",
            build::ROUNDED,
            "gradients",
            "moment1",
            "moment2",
            "constants",
            "inputs",
            "outputs",
            "state",
            "arena",
        ];
        let package = Package {
            target: options.target.name().to_owned(),
            backend: match options.target {
                Target::Cpu(_) => options.backend.to_string(),
                Target::Gpu(_) => "nvgpu".to_owned(),
            },
            cpu_features: match &options.target {
                Target::Cpu(target) => options.backend.cpu_features(target),
                Target::Gpu(_) => Vec::new(),
            },
            model,
            extents: Vec::new(),
            regions: regions
                .map(|name| Region {
                    name: name.to_owned(),
                    bytes: 0,
                })
                .to_vec(),
            tensors: Vec::new(),
            constants: Vec::new(),
            kernels: Vec::new(),
            code: Vec::new(),
            programs: Vec::new(),
        };
        Self {
            planned,
            package,
            constants: Constants::default(),
            ends: BTreeMap::new(),
        }
    }

    fn assemble(mut self, kernels: Kernels) -> Result<Package, String> {
        self.parameters();
        for (it, (entry, gpu)) in kernels.scheduled.iter().zip(&kernels.entries) {
            self.package.kernels.push(PackageKernel {
                name: it.kernel.name.clone(),
                hash: it.hash.clone(),
                entry: *entry,
                scratch_bytes: match &it.body {
                    Body::Loops(function) => function.scratch_bytes,
                    #[cfg(feature = "mlir")]
                    Body::Gpu { .. } => 0,
                },
                gpu: gpu.clone(),
            });
        }
        for program in &self.planned.programs {
            let program = self.program(program, &kernels)?;
            self.package.programs.push(program);
        }
        self.package.code = kernels.code;
        self.package.constants = self.constants.bytes;
        let arena = self
            .package
            .programs
            .iter()
            .map(|program| program.arena_bytes)
            .max()
            .unwrap_or(0);
        self.ends.insert("arena".to_owned(), arena);
        self.ends
            .insert("constants".to_owned(), self.package.constants.len() as u64);
        for region in &mut self.package.regions {
            region.bytes = region
                .bytes
                .max(self.ends.get(&region.name).copied().unwrap_or(0));
        }
        Ok(self.package)
    }

    fn region(&self, name: &str) -> u32 {
        self.package
            .region(name)
            .expect("all regions are declared in `new`")
    }

    fn parameters(&mut self) {
        let layout = &self.planned.built.layout;
        let region = self.region("parameters");
        for slot in &layout.parameters {
            self.package.tensors.push(Tensor {
                name: slot.name.clone(),
                role: Role::Parameter,
                dtype: DType::F32,
                dims: slot.dims.iter().map(|dim| ExtentRef::Fixed(*dim)).collect(),
                slot: Slot {
                    region,
                    offset: slot.offset * 4,
                },
                parameter: Some(Parameter {
                    init: slot.init,
                    trained: slot.trained,
                    decay: slot.decay,
                    lr_scale: slot.lr_scale as f32,
                }),
            });
        }
        self.ends
            .insert("parameters".to_owned(), layout.elements * 4);
        if self.planned.built.rounded_weights {
            self.ends
                .insert(build::ROUNDED.to_owned(), layout.elements * 2);
        }
        // What another optimizer keeps are tensors of its program.
        let flat: &[&str] = match layout.flat_moments {
            true => &["gradients", "moment1", "moment2"],
            false => &["gradients"],
        };
        for name in flat {
            self.ends
                .insert((*name).to_owned(), layout.trained_elements * 4);
        }
    }

    /// The package's number of a program's run-time size.
    fn extent(&mut self, extents: &[Extent], index: u32) -> u32 {
        let extent = &extents[index as usize];
        let derived = extent
            .derived
            .map(|(base, offset)| (self.extent(extents, base), offset));
        let wanted = Extent {
            derived,
            ..extent.clone()
        };
        if let Some(known) = self
            .package
            .extents
            .iter()
            .position(|known| *known == wanted)
        {
            return known as u32;
        }
        self.package.extents.push(wanted);
        self.package.extents.len() as u32 - 1
    }

    fn extent_ref(&mut self, extents: &[Extent], extent: ExtentRef) -> ExtentRef {
        match extent {
            ExtentRef::Fixed(_) => extent,
            ExtentRef::Scaled { index, scale } => ExtentRef::Scaled {
                index: self.extent(extents, index),
                scale,
            },
        }
    }

    /// A tensor in a region that is filled in order; programs share tensors by name.
    fn shared(
        &mut self,
        region: &str,
        role: Role,
        name: &str,
        info: &fuse::BufferInfo,
        extents: &[Extent],
    ) -> Result<Slot, String> {
        let dims: Vec<ExtentRef> = info
            .dims
            .iter()
            .map(|dim| {
                let extent = match *dim {
                    crate::graph::Dim::Fixed(n) => ExtentRef::Fixed(n),
                    crate::graph::Dim::Scaled { extent, scale } => ExtentRef::Scaled {
                        index: extent.0,
                        scale,
                    },
                };
                self.extent_ref(extents, extent)
            })
            .collect();
        if let Some(known) = self.package.tensor(name) {
            return if known.dims == dims && known.dtype == info.dtype {
                Ok(known.slot)
            } else {
                Err(format!("two programs disagree on the type of `{name}`"))
            };
        }
        let end = self.ends.entry(region.to_owned()).or_insert(0);
        let offset = *end;
        *end = (offset + info.bytes()).next_multiple_of(64);
        let slot = Slot {
            region: self.region(region),
            offset,
        };
        self.package.tensors.push(Tensor {
            name: name.to_owned(),
            role,
            dtype: info.dtype,
            dims,
            slot,
            parameter: None,
        });
        Ok(slot)
    }

    fn constant(&mut self, values: &[f64]) -> Slot {
        Slot {
            region: self.region("constants"),
            offset: self.constants.place(values),
        }
    }

    fn program(&mut self, planned: &PlannedProgram, kernels: &Kernels) -> Result<Program, String> {
        let PlannedProgram {
            source,
            fused,
            plan,
        } = planned;
        let graph = &source.graph;
        let arena = self.region("arena");
        let mut inputs = Vec::new();
        let mut outputs = Vec::new();
        let used: std::collections::BTreeSet<u32> = fused
            .calls
            .iter()
            .flat_map(|call| call.args.iter().map(|(key, _)| key.0))
            .collect();
        let mut slots = Vec::with_capacity(fused.buffers.len());
        for (index, info) in fused.buffers.iter().enumerate() {
            let slot = match info.home {
                Home::Arena => plan.offsets[index].map(|offset| Slot {
                    region: arena,
                    offset,
                }),
                Home::Output(number) => {
                    let name = graph.outputs[number].name.clone();
                    let slot = self.shared("outputs", Role::Output, &name, info, &fused.extents)?;
                    outputs.push(name);
                    Some(slot)
                }
                Home::Source(_) if !used.contains(&(index as u32)) => None,
                Home::Source(node) => Some(match graph.op(node) {
                    Op::Constant(values) => self.constant(values),
                    Op::Input(role) => {
                        let name = graph.node(node).name.clone();
                        match (source.bindings.get(&name), role) {
                            (Some((region, offset)), _) => Slot {
                                region: self.region(region),
                                offset: *offset,
                            },
                            (None, InputRole::Data) => {
                                let slot = self.shared(
                                    "inputs",
                                    Role::Input,
                                    &name,
                                    info,
                                    &fused.extents,
                                )?;
                                inputs.push(name);
                                slot
                            }
                            (None, InputRole::State(region)) => {
                                self.shared(region, Role::State, &name, info, &fused.extents)?
                            }
                            (None, InputRole::Parameter(_)) => {
                                return Err(format!("parameter `{name}` has no memory"));
                            }
                        }
                    }
                    op => return Err(format!("{op:?} is no source")),
                }),
            };
            slots.push(slot);
        }
        let mut launches = Vec::with_capacity(fused.calls.len());
        for call in &fused.calls {
            launches.push(self.launch(call, fused, &slots, kernels)?);
        }
        Ok(Program {
            name: source.name.clone(),
            launches,
            inputs,
            outputs,
            largest_live_bytes: plan.largest_live_bytes,
            arena_bytes: plan.arena_bytes,
        })
    }

    fn launch(
        &mut self,
        call: &fuse::Call,
        fused: &Fused,
        slots: &[Option<Slot>],
        kernels: &Kernels,
    ) -> Result<Launch, String> {
        let index = kernels.index[&call.kernel.hash()];
        let Scheduled { kernel, tiles, .. } = &kernels.scheduled[index];
        let args = call
            .args
            .iter()
            .map(|(key, first)| {
                let info = &fused.buffers[key.0 as usize];
                let slot = slots[key.0 as usize]
                    .ok_or_else(|| format!("`{}` has no memory", info.name))?;
                Ok(Slot {
                    offset: slot.offset + first * info.dtype.size(),
                    ..slot
                })
            })
            .collect::<Result<Vec<Slot>, String>>()?;
        let bytes = call
            .args
            .iter()
            .map(|(key, _)| fused.buffers[key.0 as usize].bytes())
            .sum();
        let extents: Vec<ExtentRef> = call
            .extents
            .iter()
            .map(|extent| self.extent_ref(&fused.extents, *extent))
            .collect();
        let tiles = tiles
            .iter()
            .map(|(axis, tile)| {
                let extent = match kernel.axis_of(*axis).size {
                    AxisSize::Fixed(n) => ExtentRef::Fixed(n),
                    AxisSize::Runtime(slot) => extents[slot as usize],
                };
                TileAxis {
                    extent,
                    tile: *tile,
                }
            })
            .collect();
        Ok(Launch {
            name: call.name.clone(),
            kernel: index as u32,
            args,
            extents,
            tiles,
            flops: call.flops,
            bytes,
        })
    }
}

fn facts(model: &Model, planned: &Planned) -> ModelFacts {
    let flops = planned
        .programs
        .iter()
        .find(|program| program.source.name == "accumulate")
        .map_or(0, |program| {
            program.fused.calls.iter().map(|call| call.flops).sum()
        });
    let vision = model.vision.as_ref();
    let patches = vision.map_or(0, |vision| vision.encoder.grid().pow(2));
    let images = match model.objective {
        Objective::Contrastive { .. } => model.train.micro_batch_sequences,
        Objective::Language | Objective::Reconstruction { .. } => {
            model.train.micro_batch_images.max(1)
        }
    };
    ModelFacts {
        name: model.name.clone(),
        resolved: model.resolved.clone(),
        sequences: model.train.micro_batch_sequences,
        length: model.decoder.max_sequence_length,
        images: vision.map_or(0, |_| images),
        resolution: vision.map_or(0, |vision| vision.encoder.resolution),
        image_tokens: vision.map_or(0, |vision| vision.connector.image_tokens),
        vocabulary: model.decoder.vocabulary,
        decode_sequences: planned.built.decode.sequences,
        prefill_length: planned.built.decode.prefill,
        flops,
        objective: match model.objective {
            Objective::Language => mm1_package::Objective::Language,
            Objective::Contrastive { .. } => mm1_package::Objective::Contrastive,
            Objective::Reconstruction { .. } => mm1_package::Objective::Reconstruction,
        },
        patches: match model.objective {
            Objective::Reconstruction { .. } => patches,
            Objective::Language | Objective::Contrastive { .. } => 0,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Address, AxisId, Coordinate, Expr, Monoid, StageKind, Store};

    #[test]
    fn a_hash_covers_the_schedule_and_not_the_name() {
        let mut kernel = Kernel::new("row_sum");
        let rows = kernel.axis(AxisSize::Runtime(0), true);
        let columns = kernel.axis(AxisSize::Fixed(64), false);
        let x = kernel.buffer(DType::F32, false);
        let y = kernel.buffer(DType::F32, true);
        let at = |terms: &[(AxisId, i64)]| Address {
            offset: 0,
            terms: terms
                .iter()
                .map(|(axis, stride)| (Coordinate::Axis(*axis), *stride))
                .collect(),
        };
        let value = kernel.expr(Expr::Load {
            buffer: x,
            address: at(&[(rows, 64), (columns, 1)]),
            guards: Vec::new(),
        });
        let monoid = Monoid::Sum;
        let sum = StageKind::Reduce { monoid, value };
        let stage = kernel.stage(&[rows, columns], &[columns], sum);
        let value = kernel.expr(Expr::Tile { stage, result: 0 });
        let address = at(&[(rows, 1)]);
        let stores = vec![Store {
            buffer: y,
            address,
            value,
        }];
        kernel.stage(&[rows], &[], StageKind::Map { stores });
        let hash = |kernel: &Kernel, lanes| {
            let scheduled = Scheduled::on_cpu(kernel.clone(), &Machine::with_lanes(lanes));
            scheduled.expect("a sum of rows lowers").hash
        };
        let renamed = Kernel {
            name: "other".to_owned(),
            ..kernel.clone()
        };
        // A sum over sixteen lanes adds in another order than one over four.
        assert_ne!(hash(&kernel, 4), hash(&kernel, 16));
        assert_eq!(hash(&kernel, 16), hash(&renamed, 16));
    }
}
