//! The card as a [`Device`].

use std::sync::Arc;

use mm1_package::Package;

use super::card::Card;
use super::driver::is_out_of_memory;
use super::graph::{Program, Source, named};
use super::kernels::Kernels;
use super::memory::{DeviceMemory, Event, Stream, fill};
use super::normal::{Drawer, LEAST};
use super::rates;
use super::transfer::{Place, Reader, Writer};
use crate::device::choice::Settings;
use crate::device::{Device, DeviceError, Rates, Sizes};
use crate::normal::Normals;

/// With this variable set to `1`, launches run one by one and each is waited for, so that an
/// error names the launch that it comes from. Slow.
const CHECK_VARIABLE: &str = "MM1C_CUDA_SYNC";
/// About the time that the host needs to queue a launch between two events, seconds.
const QUEUE_SECONDS: f64 = 8e-6;
/// Bytes of a copy that keeps the card busy while the host queues; about 50 µs.
const HEAD_START_BYTES: u64 = 64 << 20;
/// About its rate, bytes per second: a card that is faster is only timed less exactly.
const HEAD_START_RATE: f64 = 1.2e12;

/// A loaded package. Fields are dropped in this order: what uses a thing before the thing.
struct Loaded {
    programs: Vec<Program>,
    kernels: Kernels,
    drawer: Option<Drawer>,
    writer: Writer,
    reader: Reader,
    regions: Vec<DeviceMemory>,
    addresses: Vec<u64>,
    compute: Stream,
    /// Grows with everything that may change memory.
    generation: u64,
    /// The program that ran last.
    last: Option<usize>,
    package: Arc<Package>,
}

impl Loaded {
    /// A failed call with the program that it may come from: the card works behind the host, so
    /// a kernel's fault shows at a later call.
    fn explain(&self, error: DeviceError) -> DeviceError {
        match (error, self.last) {
            (DeviceError::Call(what), Some(program)) => {
                let name = &self.package.programs[program].name;
                DeviceError::Call(format!(
                    "program `{name}`, or one before it: {what}\nhelp: with {CHECK_VARIABLE}=1 \
                     launches run one by one, and the failing one is named"
                ))
            }
            (other, _) => other,
        }
    }
}

/// An NVIDIA GPU.
pub struct CudaDevice {
    loaded: Option<Loaded>,
    settings: Settings,
    check_each: bool,
    card: Card,
}

impl CudaDevice {
    /// Opens card `number`.
    ///
    /// # Errors
    /// No driver, an old one, no such card.
    pub fn open(number: u32, settings: Settings) -> Result<Self, DeviceError> {
        Ok(Self {
            loaded: None,
            settings,
            check_each: std::env::var_os(CHECK_VARIABLE).is_some_and(|value| value == "1"),
            card: Card::open(number)?,
        })
    }

    fn loaded(&self) -> Result<&Loaded, DeviceError> {
        self.card.bind()?;
        Ok(self.loaded.as_ref().expect("a device is loaded first"))
    }

    fn loaded_mut(&mut self) -> Result<&mut Loaded, DeviceError> {
        self.card.bind()?;
        Ok(self.loaded.as_mut().expect("a device is loaded first"))
    }
}

/// What [`Program`] computes launches from.
macro_rules! source {
    ($self:expr, $loaded:expr, $program:expr) => {
        Source {
            package: &$loaded.package,
            program: $program,
            regions: &$loaded.addresses,
            multiprocessors: $self.card.multiprocessors,
        }
    };
}

impl Device for CudaDevice {
    fn name(&self) -> String {
        self.card.describe()
    }

    fn threads(&self) -> usize {
        self.settings.threads
    }

    fn load(&mut self, package: Arc<Package>) -> Result<(), DeviceError> {
        self.card.bind()?;
        let cache = self.settings.cache.as_deref();
        let kernels = Kernels::load(&self.card, &package, self.settings.threads, cache)?;
        let (free, total) = self.card.free_memory()?;
        let too_small =
            || DeviceError::card_too_small(self.card.describe(), &package.regions, free, total);
        let sizes = package.regions.iter().map(|it| it.bytes);
        if sizes.fold(0, u64::saturating_add) > free {
            return Err(too_small());
        }
        let compute = Stream::new()?;
        let mut regions = Vec::with_capacity(package.regions.len());
        for region in &package.regions {
            let memory =
                DeviceMemory::new(region.bytes).map_err(|error| {
                    match is_out_of_memory(&error) {
                        true => too_small(),
                        false => error,
                    }
                })?;
            memory.clear(&compute)?;
            regions.push(memory);
        }
        // Where something below fails, regions are freed: nothing may be on its way to them.
        compute.synchronize()?;
        let addresses: Vec<u64> = regions.iter().map(|it| it.address).collect();
        let inputs = package.region("inputs");
        let inputs = inputs.map_or(0, |index| package.regions[index as usize].bytes);
        // At the bounds, with a version that no sizes have: the first run brings them up.
        let sizes = Sizes {
            values: package.extents.iter().map(|it| it.bound).collect(),
            version: 0,
        };
        let programs = (0..package.programs.len())
            .map(|program| {
                let source = Source {
                    package: &package,
                    program,
                    regions: &addresses,
                    multiprocessors: self.card.multiprocessors,
                };
                Program::new(&source, &kernels, &sizes)
            })
            .collect::<Result<_, _>>()?;
        let loaded = Loaded {
            programs,
            kernels,
            drawer: None,
            writer: Writer::new(inputs)?,
            reader: Reader::new()?,
            regions,
            addresses,
            compute,
            generation: 1,
            last: None,
            package,
        };
        self.loaded = Some(loaded);
        Ok(())
    }

    fn read(&self, region: usize, offset: u64, into: &mut [u8]) -> Result<(), DeviceError> {
        let loaded = self.loaded()?;
        let place = Place {
            region: loaded.regions[region].address,
            bytes: loaded.regions[region].bytes,
            offset,
            generation: loaded.generation,
        };
        let read = loaded.reader.read(&place, into, &loaded.compute);
        read.map_err(|error| loaded.explain(error))
    }

    fn write(&mut self, region: usize, offset: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        let loaded = self.loaded_mut()?;
        loaded.generation += 1;
        let address = loaded.addresses[region] + offset;
        loaded.writer.write(address, bytes, &loaded.compute)
    }

    fn fill(
        &mut self,
        region: usize,
        offset: u64,
        bytes: u64,
        value: u8,
    ) -> Result<(), DeviceError> {
        let loaded = self.loaded_mut()?;
        loaded.generation += 1;
        let address = loaded.addresses[region] + offset;
        fill(address, bytes, value, &loaded.compute)
    }

    fn draw(
        &mut self,
        region: usize,
        offset: u64,
        elements: u64,
        normals: &Normals,
    ) -> Result<bool, DeviceError> {
        if elements < LEAST {
            return Ok(false);
        }
        let multiprocessors = self.card.multiprocessors;
        let loaded = self.loaded_mut()?;
        loaded.generation += 1;
        let address = loaded.addresses[region] + offset;
        let drawer = match loaded.drawer.take() {
            Some(drawer) => drawer,
            None => Drawer::new()?,
        };
        let drawer = loaded.drawer.insert(drawer);
        let compute = &loaded.compute;
        drawer.queue(address, elements, normals, multiprocessors, compute)?;
        Ok(true)
    }

    fn launch(&mut self, program: usize, launch: usize, sizes: &Sizes) -> Result<(), DeviceError> {
        self.loaded_mut()?;
        let loaded = self.loaded.as_mut().expect("bound above");
        loaded.generation += 1;
        loaded.last = Some(program);
        loaded.writer.turn(&loaded.compute)?;
        let source = source!(self, loaded, program);
        let prepared = &mut loaded.programs[program];
        prepared.refresh(&source, sizes)?;
        prepared.launch(&source, launch, &loaded.compute)
    }

    fn run(&mut self, program: usize, sizes: &Sizes) -> Result<(), DeviceError> {
        self.loaded_mut()?;
        let loaded = self.loaded.as_mut().expect("bound above");
        loaded.generation += 1;
        loaded.last = Some(program);
        loaded.writer.turn(&loaded.compute)?;
        let source = source!(self, loaded, program);
        let prepared = &mut loaded.programs[program];
        prepared.refresh(&source, sizes)?;
        if !self.check_each {
            let queued = prepared.run(&loaded.compute);
            return queued.map_err(|error| loaded.explain(error));
        }
        for launch in 0..prepared.len() {
            prepared.launch(&source, launch, &loaded.compute)?;
            loaded.compute.synchronize().map_err(|error| {
                let launch = &loaded.package.programs[program].launches[launch];
                named(error, &source, launch)
            })?;
        }
        Ok(())
    }

    fn time(
        &mut self,
        program: usize,
        launches: usize,
        repeats: usize,
        sizes: &Sizes,
    ) -> Result<Vec<f64>, DeviceError> {
        self.loaded_mut()?;
        let loaded = self.loaded.as_mut().expect("bound above");
        loaded.generation += 1;
        loaded.last = Some(program);
        loaded.writer.turn(&loaded.compute)?;
        let source = source!(self, loaded, program);
        loaded.programs[program].refresh(&source, sizes)?;
        let events = (0..=launches)
            .map(|_| Event::timed())
            .collect::<Result<Vec<_>, _>>()?;
        let mut seconds = vec![f64::INFINITY; launches];
        let head_start = rates::Copy::new(HEAD_START_BYTES)?;
        let copies = launches as f64 * QUEUE_SECONDS * HEAD_START_RATE / HEAD_START_BYTES as f64;
        for _ in 0..repeats {
            // The card works on these copies while the host queues the launches, so that no
            // launch waits for the host and the events are as far apart as the kernels take.
            for _ in 0..copies.ceil() as usize {
                head_start.queue(&loaded.compute)?;
            }
            events[0].record(&loaded.compute)?;
            for launch in 0..launches {
                loaded.programs[program].launch(&source, launch, &loaded.compute)?;
                events[launch + 1].record(&loaded.compute)?;
            }
            let done = loaded.compute.synchronize();
            done.map_err(|error| loaded.explain(error))?;
            for (best, pair) in seconds.iter_mut().zip(events.windows(2)) {
                *best = best.min(pair[1].seconds_since(&pair[0])?);
            }
        }
        Ok(seconds)
    }

    fn synchronize(&self) -> Result<(), DeviceError> {
        let loaded = self.loaded()?;
        let done = loaded.compute.synchronize();
        done.map_err(|error| loaded.explain(error))
    }

    fn memory(&self) -> u64 {
        let Some(loaded) = &self.loaded else {
            return 0;
        };
        let regions = loaded.regions.iter().map(|it| it.bytes);
        regions.sum::<u64>() + loaded.writer.bytes() + loaded.kernels.code_bytes
    }

    fn rates(&mut self) -> Result<Option<Rates>, DeviceError> {
        self.card.bind()?;
        rates::measure(&self.card).map(Some)
    }
}

impl Drop for CudaDevice {
    fn drop(&mut self) {
        // Objects are destroyed in the context of the thread that drops them, and not before the
        // work that uses them is done. A drop cannot report.
        if self.card.bind().is_ok()
            && let Some(loaded) = &self.loaded
        {
            let _ = loaded.compute.synchronize();
        }
        self.loaded = None;
    }
}
