//! A program as a CUDA graph: a chain of kernel nodes.
//!
//! The graph is built at a program's first run and kept. Run-time sizes change with nearly every
//! micro-batch and have far more values than any cache of graphs has room for, and building a
//! graph costs several microseconds per node; so a change of size only sets the parameters of
//! those nodes whose grid, numbers or descriptors differ, about a microsecond each, and turns
//! nodes without tiles off. The driver copies parameters, so nothing waits for runs under way.

use std::ffi::c_void;

use cudarc::driver::sys::{self, CUDA_KERNEL_NODE_PARAMS};
use mm1_package::{ExtentRef, Launch, Package, Slot};

use super::driver::driver;
use super::kernels::{Function, Kernels};
use super::memory::Stream;
use super::tensor_map;
use crate::device::gpu::Shape;
use crate::device::{DeviceError, Sizes};

/// A launch with everything resolved.
struct Prepared {
    function: Function,
    shape: Shape,
    /// Addresses, then [`Shape::numbers`].
    words: Vec<u64>,
    maps: Vec<sys::CUtensorMap>,
    /// Addresses of `words` and `maps`, which never move: the kernel's parameters.
    parameters: Vec<*mut c_void>,
    /// Whether its shape depends on run-time sizes.
    dynamic: bool,
}

/// The driver's graph of a program.
struct Graph {
    graph: sys::CUgraph,
    exec: sys::CUgraphExec,
    nodes: Vec<sys::CUgraphNode>,
}

/// A program with everything resolved.
pub(super) struct Program {
    launches: Vec<Prepared>,
    graph: Option<Graph>,
    /// [`Sizes::version`] that all of it reflects.
    version: u64,
}

// SAFETY: handles may be used from any thread that binds their context; the addresses in
// `parameters` are of memory that the same program owns.
unsafe impl Send for Program {}

/// What launches are computed from.
pub(super) struct Source<'a> {
    /// The package.
    pub(super) package: &'a Package,
    /// Its number of the program.
    pub(super) program: usize,
    /// Address of each region.
    pub(super) regions: &'a [u64],
    /// Of the card.
    pub(super) multiprocessors: u32,
}

impl Source<'_> {
    fn launches(&self) -> &[Launch] {
        &self.package.programs[self.program].launches
    }

    fn address(&self, slot: Slot) -> u64 {
        self.regions[slot.region as usize] + slot.offset
    }

    fn shape(&self, launch: &Launch, sizes: &Sizes) -> Result<Shape, DeviceError> {
        let kernel = &self.package.kernels[launch.kernel as usize];
        let gpu = kernel.gpu.as_ref().ok_or_else(|| {
            DeviceError::Kernel(format!("kernel `{}` is not a GPU's", kernel.name))
        })?;
        Shape::new(gpu, launch, sizes, self.multiprocessors)
    }
}

impl Prepared {
    fn new(
        source: &Source<'_>,
        launch: &Launch,
        function: Function,
        sizes: &Sizes,
    ) -> Result<Self, DeviceError> {
        let shape = source.shape(launch, sizes)?;
        let addresses = launch.args.iter().map(|&slot| source.address(slot));
        let mut words: Vec<u64> = addresses.chain(shape.numbers.iter().copied()).collect();
        let mut maps = shape
            .maps
            .iter()
            .map(|map| tensor_map::encode(map, source.address(map.base)))
            .collect::<Result<Vec<_>, _>>()?;
        let parameters = words
            .iter_mut()
            .map(|word| std::ptr::from_mut(word).cast())
            .chain(maps.iter_mut().map(|map| std::ptr::from_mut(map).cast()))
            .collect();
        // The driver would copy whatever lies behind an address that is missing.
        let given: Vec<usize> = std::iter::repeat_n(size_of::<u64>(), words.len())
            .chain(std::iter::repeat_n(
                size_of::<sys::CUtensorMap>(),
                maps.len(),
            ))
            .collect();
        if given != function.parameters {
            return Err(DeviceError::Kernel(format!(
                "the kernel takes parameters of {:?} bytes, but the launch has {} addresses, {} \
                 numbers and {} descriptors",
                function.parameters,
                launch.args.len(),
                shape.numbers.len(),
                maps.len()
            )));
        }
        let mut sizes = launch.tiles.iter().map(|axis| axis.extent);
        let scaled = |extent: ExtentRef| matches!(extent, ExtentRef::Scaled { .. });
        Ok(Self {
            function,
            shape,
            words,
            maps,
            parameters,
            dynamic: sizes.any(scaled) || launch.extents.iter().any(|&it| scaled(it)),
        })
    }

    /// Takes over another shape; all addresses stay.
    fn reshape(&mut self, source: &Source<'_>, shape: Shape) -> Result<(), DeviceError> {
        let begin = self.words.len() - shape.numbers.len();
        self.words[begin..].copy_from_slice(&shape.numbers);
        for ((map, new), old) in self.maps.iter_mut().zip(&shape.maps).zip(&self.shape.maps) {
            if new != old {
                *map = tensor_map::encode(new, source.address(new.base))?;
            }
        }
        self.shape = shape;
        Ok(())
    }

    fn node(&mut self) -> CUDA_KERNEL_NODE_PARAMS {
        CUDA_KERNEL_NODE_PARAMS {
            func: self.function.handle,
            // A node that is turned off still needs a legal grid.
            gridDimX: self.shape.blocks.max(1),
            gridDimY: 1,
            gridDimZ: 1,
            blockDimX: self.function.threads,
            blockDimY: 1,
            blockDimZ: 1,
            sharedMemBytes: self.function.shared_bytes,
            kernelParams: self.parameters.as_mut_ptr(),
            extra: std::ptr::null_mut(),
            kern: std::ptr::null_mut(),
            ctx: std::ptr::null_mut(),
        }
    }

    /// Queues the launch by itself.
    fn launch(&mut self, stream: &Stream) -> Result<(), DeviceError> {
        if self.shape.blocks == 0 {
            return Ok(());
        }
        driver!(cuLaunchKernel(
            self.function.handle,
            self.shape.blocks,
            1,
            1,
            self.function.threads,
            1,
            1,
            self.function.shared_bytes,
            stream.handle,
            self.parameters.as_mut_ptr(),
            std::ptr::null_mut()
        ))
    }
}

impl Graph {
    fn build(launches: &mut [Prepared]) -> Result<Self, DeviceError> {
        let mut graph = std::ptr::null_mut();
        driver!(cuGraphCreate(&raw mut graph, 0))?;
        // From here on a failure drops what exists.
        let mut built = Self {
            graph,
            exec: std::ptr::null_mut(),
            nodes: Vec::with_capacity(launches.len()),
        };
        for launch in launches.iter_mut() {
            let parameters = launch.node();
            let before = built.nodes.last().copied();
            let before = before.as_slice();
            let mut node = std::ptr::null_mut();
            driver!(cuGraphAddKernelNode_v2(
                &raw mut node,
                built.graph,
                before.as_ptr(),
                before.len(),
                &raw const parameters
            ))?;
            built.nodes.push(node);
        }
        driver!(cuGraphInstantiateWithFlags(
            &raw mut built.exec,
            built.graph,
            0
        ))?;
        for (launch, node) in launches.iter().zip(&built.nodes) {
            if launch.shape.blocks == 0 {
                built.enable(*node, false)?;
            }
        }
        Ok(built)
    }

    fn enable(&self, node: sys::CUgraphNode, enabled: bool) -> Result<(), DeviceError> {
        driver!(cuGraphNodeSetEnabled(self.exec, node, u32::from(enabled)))
    }

    /// Tells the graph a launch's new shape.
    fn update(
        &self,
        index: usize,
        launch: &mut Prepared,
        was_enabled: bool,
    ) -> Result<(), DeviceError> {
        let node = self.nodes[index];
        let enabled = launch.shape.blocks > 0;
        if enabled {
            let parameters = launch.node();
            driver!(cuGraphExecKernelNodeSetParams_v2(
                self.exec,
                node,
                &raw const parameters
            ))?;
        }
        if enabled != was_enabled {
            self.enable(node, enabled)?;
        }
        Ok(())
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // A drop cannot report.
        if !self.exec.is_null() {
            let _ = driver!(cuGraphExecDestroy(self.exec));
        }
        let _ = driver!(cuGraphDestroy(self.graph));
    }
}

impl Program {
    /// A program of a checked package at `sizes`.
    ///
    /// # Errors
    /// A descriptor that the driver refuses.
    pub(super) fn new(
        source: &Source<'_>,
        kernels: &Kernels,
        sizes: &Sizes,
    ) -> Result<Self, DeviceError> {
        let launches = source
            .launches()
            .iter()
            .map(|launch| {
                let function = kernels.functions[launch.kernel as usize].clone();
                Prepared::new(source, launch, function, sizes)
                    .map_err(|error| named(error, source, launch))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            launches,
            graph: None,
            version: sizes.version,
        })
    }

    /// Brings launches and graph up to `sizes`.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(super) fn refresh(
        &mut self,
        source: &Source<'_>,
        sizes: &Sizes,
    ) -> Result<(), DeviceError> {
        if self.version == sizes.version {
            return Ok(());
        }
        let launches = source.launches().iter().zip(&mut self.launches);
        for (index, (launch, prepared)) in launches.enumerate() {
            if !prepared.dynamic {
                continue;
            }
            let shape = source.shape(launch, sizes)?;
            if shape == prepared.shape {
                continue;
            }
            let was_enabled = prepared.shape.blocks > 0;
            let updated = prepared.reshape(source, shape).and_then(|()| {
                let graph = self.graph.as_ref();
                graph.map_or(Ok(()), |graph| graph.update(index, prepared, was_enabled))
            });
            updated.map_err(|error| named(error, source, launch))?;
        }
        self.version = sizes.version;
        Ok(())
    }

    /// Queues the whole program.
    ///
    /// # Errors
    /// A card that has failed.
    pub(super) fn run(&mut self, stream: &Stream) -> Result<(), DeviceError> {
        if self.launches.is_empty() {
            return Ok(());
        }
        if self.graph.is_none() {
            self.graph = Some(Graph::build(&mut self.launches)?);
        }
        let exec = self.graph.as_ref().map(|graph| graph.exec);
        exec.map_or(Ok(()), |exec| driver!(cuGraphLaunch(exec, stream.handle)))
    }

    /// Queues one launch.
    ///
    /// # Errors
    /// A card that has failed.
    pub(super) fn launch(
        &mut self,
        source: &Source<'_>,
        index: usize,
        stream: &Stream,
    ) -> Result<(), DeviceError> {
        self.launches[index]
            .launch(stream)
            .map_err(|error| named(error, source, &source.launches()[index]))
    }

    /// Launches.
    pub(super) fn len(&self) -> usize {
        self.launches.len()
    }
}

/// An error with the launch that it is about.
pub(super) fn named(error: DeviceError, source: &Source<'_>, launch: &Launch) -> DeviceError {
    let kernel = &source.package.kernels[launch.kernel as usize];
    let place = format!(
        "launch `{}` of program `{}` (kernel `{}`, k{})",
        launch.name, source.package.programs[source.program].name, kernel.name, kernel.hash
    );
    match error {
        DeviceError::Kernel(what) => DeviceError::Kernel(format!("{place}: {what}")),
        DeviceError::Call(what) => DeviceError::Call(format!("{place}: {what}")),
        other => other,
    }
}
