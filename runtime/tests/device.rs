//! A device from outside the crate: kernels in Rust, memory that the host does not share.
//!
//! A model of one parameter trains on it, which takes everything that the loops ask of a device.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use mm1_package::{
    DType, Extent, ExtentRef, GpuKernel, Init, Kernel, Launch, ModelFacts, Package, Parameter,
    Program, Region, Role, Slot, Tensor, TileAxis,
};
use mm1_runtime::checkpoint::{self, Code, Snapshot, Store};
use mm1_runtime::data::Batch;
use mm1_runtime::device::gpu::Shape;
use mm1_runtime::device::{Device, DeviceError, Sizes};
use mm1_runtime::engine::Engine;
use mm1_runtime::executor::{Executor, ExecutorError};
use mm1_runtime::schedule::{DecayConvention, Schedule};
use mm1_runtime::train::{ExpertLosses, Optimizer, Rule};

const PTX: &str = ".version 8.0\n.target sm_90a\n";
/// Most targets in a batch.
const ROWS: u64 = 8;

/// Kernels by name, on memory of its own.
struct Fake {
    package: Option<Arc<Package>>,
    regions: Vec<Vec<u8>>,
    /// Bytes that were copied to the host.
    read: Arc<std::sync::atomic::AtomicU64>,
}

impl Fake {
    fn new() -> Self {
        Self {
            package: None,
            regions: Vec::new(),
            read: Arc::default(),
        }
    }

    fn f32(&self, slot: Slot, index: usize) -> f32 {
        let at = slot.offset as usize + 4 * index;
        let bytes = &self.regions[slot.region as usize][at..at + 4];
        f32::from_le_bytes(bytes.try_into().unwrap())
    }

    fn i32(&self, slot: Slot, index: usize) -> i32 {
        self.f32(slot, index).to_bits() as i32
    }

    fn store(&mut self, slot: Slot, value: f32) {
        let at = slot.offset as usize;
        self.regions[slot.region as usize][at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
}

impl Device for Fake {
    fn name(&self) -> String {
        "a fake".into()
    }

    fn threads(&self) -> usize {
        1
    }

    fn load(&mut self, package: Arc<Package>) -> Result<(), DeviceError> {
        let regions = package.regions.iter();
        self.regions = regions.map(|it| vec![0; it.bytes as usize]).collect();
        self.package = Some(package);
        Ok(())
    }

    fn read(&self, region: usize, offset: u64, into: &mut [u8]) -> Result<(), DeviceError> {
        let bytes = into.len() as u64;
        self.read
            .fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
        into.copy_from_slice(&self.regions[region][offset as usize..][..into.len()]);
        Ok(())
    }

    fn write(&mut self, region: usize, offset: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        self.regions[region][offset as usize..][..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn fill(
        &mut self,
        region: usize,
        offset: u64,
        bytes: u64,
        value: u8,
    ) -> Result<(), DeviceError> {
        self.regions[region][offset as usize..][..bytes as usize].fill(value);
        Ok(())
    }

    fn launch(&mut self, program: usize, launch: usize, sizes: &Sizes) -> Result<(), DeviceError> {
        let package = Arc::clone(self.package.as_ref().unwrap());
        let launch = &package.programs[program].launches[launch];
        let kernel = &package.kernels[launch.kernel as usize];
        let shape = Shape::new(kernel.gpu.as_ref().unwrap(), launch, sizes, 4)?;
        if shape.blocks == 0 {
            return Ok(());
        }
        match (kernel.name.as_str(), launch.args.as_slice()) {
            ("error", &[p, gradient, targets, weights, loss, z_loss]) => {
                let rows = shape.numbers[0] as usize;
                assert_eq!(shape.numbers[1], rows as u64);
                let (mut sum, mut slope) = (0.0, self.f32(gradient, 0));
                for row in 0..rows {
                    let error = self.f32(p, 0) - self.i32(targets, row) as f32;
                    let weight = self.f32(weights, row);
                    sum += weight * error * error;
                    slope += 2.0 * weight * error;
                }
                self.store(loss, sum);
                self.store(z_loss, 0.0);
                self.store(gradient, slope);
            }
            ("square", &[gradient, out]) => self.store(out, self.f32(gradient, 0).powi(2)),
            ("step", &[p, gradient, lr, scale]) => {
                let change = self.f32(lr, 0) * self.f32(scale, 0) * self.f32(gradient, 0);
                self.store(p, self.f32(p, 0) - change);
            }
            (name, args) => {
                let count = args.len();
                return Err(DeviceError::Kernel(format!(
                    "{name} with {count} arguments"
                )));
            }
        }
        Ok(())
    }

    fn run(&mut self, program: usize, sizes: &Sizes) -> Result<(), DeviceError> {
        let launches = self.package.as_ref().unwrap().programs[program]
            .launches
            .len();
        (0..launches).try_for_each(|launch| self.launch(program, launch, sizes))
    }

    fn synchronize(&self) -> Result<(), DeviceError> {
        Ok(())
    }

    fn memory(&self) -> u64 {
        self.regions.iter().map(|it| it.len() as u64).sum()
    }
}

/// Regions 0 `parameters`, 1 `gradients`, 2 `moment1`, 3 `moment2`, 4 `inputs`, 5 `outputs`.
fn package() -> Package {
    let rows = ExtentRef::Scaled { index: 0, scale: 1 };
    let slot = |region, number: u64| Slot {
        region,
        offset: 64 * number,
    };
    let inputs = [
        "loss_targets",
        "loss_weights",
        "z_weight",
        "lr",
        "gradient_scale",
        "decay",
        "bias_correction1",
        "bias_correction2",
    ];
    let outputs = ["loss", "z_loss", "gradient_norm_squared"];
    let tensor = |(number, name): (usize, &&str), role, region| Tensor {
        name: (*name).into(),
        role,
        dtype: match *name {
            "loss_targets" => DType::I32,
            _ => DType::F32,
        },
        dims: match name.starts_with("loss_") {
            true => vec![rows],
            false => vec![],
        },
        slot: slot(region, number as u64),
        parameter: None,
    };
    let mut tensors = vec![Tensor {
        name: "decoder.p".into(),
        role: Role::Parameter,
        dtype: DType::F32,
        dims: vec![ExtentRef::Fixed(1)],
        slot: slot(0, 0),
        parameter: Some(Parameter {
            init: Init::Ones,
            trained: true,
            decay: false,
            lr_scale: 1.0,
        }),
    }];
    let numbered = inputs.iter().enumerate();
    tensors.extend(numbered.map(|it| tensor(it, Role::Input, 4)));
    let numbered = outputs.iter().enumerate();
    tensors.extend(numbered.map(|it| tensor(it, Role::Output, 5)));
    let kernel = |(number, name): (usize, &str)| Kernel {
        name: name.into(),
        hash: number.to_string(),
        entry: 0,
        scratch_bytes: 0,
        gpu: Some(GpuKernel {
            ptx_bytes: PTX.len() as u64,
            threads: 32,
            shared_bytes: 0,
            tiles_per_block: 1,
            blocks_per_sm: None,
            tensor_maps: vec![],
        }),
    };
    let program = |name: &str, kernel, args: &[Slot], extent: Option<ExtentRef>| Program {
        name: name.into(),
        launches: vec![Launch {
            name: name.into(),
            kernel,
            args: args.to_vec(),
            extents: extent.into_iter().collect(),
            tiles: vec![TileAxis {
                extent: extent.unwrap_or(ExtentRef::Fixed(1)),
                tile: 1,
            }],
            flops: 0,
            bytes: 0,
        }],
        inputs: match name {
            "accumulate" => ["loss_targets", "loss_weights", "z_weight"]
                .map(str::to_owned)
                .into(),
            _ => vec![],
        },
        outputs: vec![],
        largest_live_bytes: 0,
        arena_bytes: 0,
    };
    Package {
        target: "cuda:sm_90a".into(),
        backend: "hand".into(),
        cpu_features: vec![],
        model: ModelFacts::default(),
        extents: vec![Extent {
            name: "loss_rows".into(),
            bound: ROWS,
            derived: None,
        }],
        regions: [
            ("parameters", 64),
            ("gradients", 64),
            ("moment1", 64),
            ("moment2", 64),
            ("inputs", 512),
            ("outputs", 256),
        ]
        .map(|(name, bytes)| Region {
            name: name.into(),
            bytes,
        })
        .to_vec(),
        tensors,
        constants: vec![],
        kernels: ["error", "square", "step"]
            .into_iter()
            .enumerate()
            .map(kernel)
            .collect(),
        code: PTX.as_bytes().to_vec(),
        programs: vec![
            program(
                "accumulate",
                0,
                &[
                    slot(0, 0),
                    slot(1, 0),
                    slot(4, 0),
                    slot(4, 1),
                    slot(5, 0),
                    slot(5, 1),
                ],
                Some(rows),
            ),
            program("gradient_norm", 1, &[slot(1, 0), slot(5, 2)], None),
            program(
                "apply",
                2,
                &[slot(0, 0), slot(1, 0), slot(4, 3), slot(4, 4)],
                None,
            ),
        ],
    }
}

fn optimizer() -> Optimizer {
    Optimizer {
        schedule: Schedule {
            peak_lr: 0.25,
            warmup_steps: 0,
            steps: 1000,
            floor: 1.0,
        },
        rule: Rule::AdamW {
            beta1: 0.9,
            beta2: 0.9,
        },
        weight_decay: 0.0,
        decay_convention: DecayConvention::from_name("times-lr").unwrap(),
        clip_norm: 0.0,
        z_loss: 0.0,
        experts: ExpertLosses::default(),
    }
}

fn batch(targets: &[i32]) -> Batch {
    Batch {
        loss_rows: (0..targets.len() as i32).collect(),
        loss_targets: targets.to_vec(),
        loss_weights: vec![1.0; targets.len()],
        ..Batch::default()
    }
}

#[test]
fn a_model_trains_on_a_device_from_outside() {
    let device = Fake::new();
    let read = Arc::clone(&device.read);
    let mut executor = Executor::with_device(Arc::new(package()), Box::new(device)).unwrap();
    assert_eq!(executor.device_name(), "a fake");
    assert_eq!(executor.memory(), 1024);
    mm1_runtime::init::initialize(&mut executor, 0).unwrap();
    // Micro-batches of different sizes; the mean of all targets is 5.
    let batches = [batch(&[1, 2, 3]), batch(&[4, 5, 6, 7, 12])];
    let optimizer = optimizer();
    let first = optimizer.step(&mut executor, 1, 1, &batches).unwrap();
    let squares = [0, 1, 2, 3, 4, 5, 6, 11].map(|it| f64::from(it * it));
    assert!((first.loss - squares.iter().sum::<f64>() / 8.0).abs() < 1e-5);
    assert!((first.gradient_norm - 8.0).abs() < 1e-5);
    // 1 + 0.25 · 8
    assert_eq!(executor.read_f32("decoder.p").unwrap(), [3.0]);
    let before = read.load(std::sync::atomic::Ordering::Relaxed);
    for step in 2..40 {
        optimizer.step(&mut executor, step, step, &batches).unwrap();
    }
    let found = executor.read_f32("decoder.p").unwrap()[0];
    assert!((found - 5.0).abs() < 1e-5, "{found}");
    // A step reads its scalars (two of each micro-batch, one of the norm) and nothing else.
    let bytes = read.load(std::sync::atomic::Ordering::Relaxed) - before;
    assert_eq!(bytes, 38 * 5 * 4 + 4);
    let times = executor.profile("apply", 2).unwrap();
    assert!(times[0].seconds.is_finite() && times[0].kernel == "step");
}

#[test]
fn a_launch_without_rows_is_skipped() {
    let mut executor = Executor::with_device(Arc::new(package()), Box::new(Fake::new())).unwrap();
    executor
        .write("loss", &[7.0f32; ROWS as usize])
        .unwrap_err();
    executor.write("loss", &[7.0f32]).unwrap();
    executor.set_extent("loss_rows", 0).unwrap();
    executor.run("accumulate").unwrap();
    assert_eq!(executor.read_f32("loss").unwrap(), [7.0]);
}

/// The same parameters in a package of this processor.
fn cpu_package() -> Package {
    Package {
        target: format!("cpu:{}", std::env::consts::ARCH.replace('_', "-")),
        kernels: vec![],
        code: vec![],
        programs: vec![],
        ..package()
    }
}

#[test]
fn checkpoints_go_from_one_device_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().join("ckpt"), 2);
    let mut source = Executor::with_device(Arc::new(package()), Box::new(Fake::new())).unwrap();
    source.write("decoder.p", &[2.5f32]).unwrap();
    source
        .write_region("moment2", 0, &0.125f32.to_le_bytes())
        .unwrap();
    let snapshot = Snapshot {
        step: 3,
        counters: serde_json::json!({}),
        data: serde_json::json!({}),
        resolved: "name = \"one\"\n".into(),
        code: Code::default(),
    };
    let path = store.save(&source, &snapshot).unwrap();
    let mut cpu = Executor::new(Arc::new(cpu_package()), 1).unwrap();
    assert_eq!(checkpoint::load(&path, &mut cpu).unwrap(), snapshot);
    assert_eq!(cpu.read_f32("decoder.p").unwrap(), [2.5]);
    let path = store
        .save(
            &cpu,
            &Snapshot {
                step: 4,
                ..snapshot
            },
        )
        .unwrap();
    let mut back = Executor::with_device(Arc::new(package()), Box::new(Fake::new())).unwrap();
    checkpoint::load(&path, &mut back).unwrap();
    assert_eq!(back.read_f32("decoder.p").unwrap(), [2.5]);
    let mut moment = [0; 4];
    back.read_region("moment2", 0, &mut moment).unwrap();
    assert_eq!(f32::from_le_bytes(moment), 0.125);
}

#[test]
fn gradients_that_are_not_finite_are_named() {
    let mut executor = Executor::with_device(Arc::new(package()), Box::new(Fake::new())).unwrap();
    assert_eq!(executor.nonfinite_gradient(), None);
    executor
        .write_region("gradients", 0, &f32::NAN.to_le_bytes())
        .unwrap();
    assert_eq!(executor.nonfinite_gradient().as_deref(), Some("decoder.p"));
    executor.zero_gradients().unwrap();
    assert_eq!(executor.nonfinite_gradient(), None);
}

#[test]
fn a_device_that_fails_says_so_with_its_code() {
    let mut broken = package();
    broken.kernels[2].name = "leap".into();
    let mut executor = Executor::with_device(Arc::new(broken), Box::new(Fake::new())).unwrap();
    let error = executor.run("apply").unwrap_err();
    assert!(matches!(
        error,
        ExecutorError::Device(DeviceError::Kernel(_))
    ));
    assert_eq!(error.to_string(), "MM1C0515: leap with 4 arguments");
}

#[test]
fn a_gpu_package_names_its_device_on_a_cpu() {
    let error = Executor::new(Arc::new(package()), 1).unwrap_err();
    assert_eq!(error.code(), "MM1C0502");
    assert!(error.to_string().contains("--device cuda"), "{error}");
}
