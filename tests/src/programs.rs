//! Compiled programs on a fixture's batch.

use std::sync::Arc;

use mm1_compiler::build::Purpose;
use mm1_compiler::codegen::Backend;
use mm1_compiler::compile::{Options, compile};
use mm1_compiler::target::{CpuTarget, Target};
use mm1_dsl::model::Model;
use mm1_package::Package;
use mm1_runtime::data::Batch;
use mm1_runtime::device::Device;
use mm1_runtime::device::cpu::CpuDevice;
use mm1_runtime::executor::Executor;
use mm1_runtime::train::write_batch;

use crate::case::Case;
use crate::compare::Tensors;
use crate::fixture::Fixture;

/// The code generators of this build.
pub fn backends() -> Vec<Backend> {
    vec![
        Backend::Cranelift,
        #[cfg(feature = "mlir")]
        Backend::Mlir,
    ]
}

/// For this machine, the graph verified after every pass.
///
/// # Panics
/// On a machine for which nothing is compiled.
pub fn host(backend: Backend) -> Options {
    let target = CpuTarget::host().expect("the tests run on x86-64-v3 or better");
    Options {
        verify: true,
        ..Options::new(Target::Cpu(target), backend)
    }
}

/// For a card by its architecture, such as `sm_90a`, the graph verified after every pass.
///
/// # Panics
/// If it is none of the targets.
pub fn card(architecture: &str) -> Options {
    let target = Target::parse(&format!("cuda:{architecture}")).expect("a target");
    Options {
        verify: true,
        ..Options::new(target, Backend::preferred())
    }
}

/// Compiles by the options of [`host`].
///
/// # Panics
/// If the model cannot be compiled.
pub fn package(model: &Model, purpose: Purpose<'_>, backend: Backend) -> Package {
    compile(model, purpose, &host(backend))
        .unwrap_or_else(|error| panic!("`{}` by {backend}: {error}", model.name))
}

/// A loaded package with the fixture's weights.
///
/// # Panics
/// If the package is refused, or the parameters are not those of the fixture.
pub fn executor(package: Package, fixture: &Fixture, threads: usize) -> Executor {
    executor_on(Box::new(CpuDevice::new(threads)), package, fixture)
}

/// As [`executor`], on a device.
///
/// # Panics
/// As [`executor`].
pub fn executor_on(device: Box<dyn Device>, package: Package, fixture: &Fixture) -> Executor {
    let executor = Executor::with_device(Arc::new(package), device);
    let mut executor = executor.unwrap_or_else(|error| panic!("{error}"));
    for (name, tensor) in fixture.under("weights") {
        let values: Vec<f32> = tensor.data.iter().map(|x| *x as f32).collect();
        executor
            .write(&name, &values)
            .expect("the fixture has the model's parameters");
    }
    executor
}

/// f64 values of a tensor after a run.
///
/// # Panics
/// If there is no such tensor.
pub fn read(executor: &Executor, name: &str) -> Vec<f64> {
    let values = executor.read_f32(name);
    let values = values.unwrap_or_else(|error| panic!("`{name}`: {error}"));
    values.into_iter().map(f64::from).collect()
}

/// Writes a batch and runs a program that takes one.
///
/// # Panics
/// If the program cannot be run.
pub fn run(executor: &mut Executor, program: &str, batch: &Batch, weights: f64, z_weight: f64) {
    executor
        .write("z_weight", &[z_weight as f32])
        .expect("the loss has a z weight");
    write_batch(executor, program, batch, weights).expect("the batch fits");
    executor.run(program).expect("the program exists");
}

impl Case {
    /// Tells a program with experts the weights of their losses.
    ///
    /// # Panics
    /// If it has none.
    pub fn weigh_experts(&self, executor: &mut Executor) {
        if self.model.decoder.moe.is_some() {
            let weights = self.expert_weights();
            for (name, weight) in ["load_balance_weight", "router_z_weight"]
                .iter()
                .zip(weights)
            {
                executor
                    .write(name, &[weight as f32])
                    .expect("the loss has weights of the experts' losses");
            }
        }
    }

    /// Everything of [`Case::wanted`] by one `run` program of kernels.
    ///
    /// Logits are the fetched rows times the head in f64; [`Case::trained`] has the kernels'.
    pub fn fetched(&self, backend: Backend) -> Tensors {
        let (fetch, gradients) = (self.fetch(), self.parameters());
        let purpose = Purpose::Fetch {
            fetch: &fetch,
            gradients: &gradients,
        };
        let package = package(&self.model, purpose, backend);
        let mut executor = executor(package, &self.fixture, 1);
        let batch = self.fixture.batch("");
        let z_weight = self.model.train.z_loss;
        self.weigh_experts(&mut executor);
        run(&mut executor, "run", &batch, batch.weight_sum(), z_weight);
        let outputs = &executor.package().programs[0].outputs;
        let results = outputs
            .iter()
            .map(|name| (name.clone(), read(&executor, name)));
        self.named(results.collect())
    }

    /// Image tokens, loss and gradients by the programs of training, logits by that of
    /// generation.
    pub fn trained(&self, backend: Backend, threads: usize) -> Tensors {
        let package = package(&self.model, Purpose::All, backend);
        let mut executor = executor(package, &self.fixture, threads);
        let batch = self.fixture.batch("");
        let (weights, z_weight) = (batch.weight_sum(), self.model.train.z_loss);
        self.weigh_experts(&mut executor);
        run(&mut executor, "accumulate", &batch, weights, z_weight);
        let scalar = |executor: &Executor, name: &str| read(executor, name)[0];
        let total = |executor: &Executor| {
            let mut total = scalar(executor, "loss") + z_weight * scalar(executor, "z_loss");
            if self.model.decoder.moe.is_some() {
                let weights = self.expert_weights();
                total += weights[0] * scalar(executor, "load_balance");
                total += weights[1] * scalar(executor, "router_z");
            }
            total
        };
        let mut results = Tensors::from([("loss".to_owned(), vec![total(&executor)])]);
        for name in self.parameters() {
            let gradient = executor.read_gradient(&name).expect("nothing is frozen");
            let gradient = gradient.into_iter().map(f64::from).collect();
            results.insert(format!("d({name})"), gradient);
        }
        run(&mut executor, "evaluate", &batch, weights, z_weight);
        results.insert("evaluated".to_owned(), vec![total(&executor)]);
        if self.model.vision.is_some() {
            executor
                .run("encode_images")
                .expect("the model has pictures");
            results.insert("image_tokens".to_owned(), read(&executor, "image_features"));
        }
        if self.name != "packed" {
            results.insert("logits".to_owned(), self.generated(&mut executor));
        }
        results
    }

    /// Logits of the rows with a loss by `prefill`: each row is the last one of a copy of its
    /// sequence. One segment per sequence is assumed.
    fn generated(&self, executor: &mut Executor) -> Vec<f64> {
        let facts = executor.package().model.clone();
        let (slots, width) = (
            facts.decode_sequences as usize,
            facts.prefill_length as usize,
        );
        let length = facts.length as usize;
        assert_eq!(width, length, "a fixture's sequence is prefilled at once");
        let batch = self.fixture.batch("");
        let mut logits = Vec::new();
        for rows in self.fixture.i32("loss_rows").chunks(slots) {
            // The copy of sequence s in a slot: positions s·L … of every input.
            let copies = |values: &[i32], missing: i32| -> Vec<i32> {
                let mut all = vec![missing; slots * width];
                for (slot, row) in rows.iter().enumerate() {
                    let begin = *row as usize / length * length;
                    all[slot * width..][..length].copy_from_slice(&values[begin..begin + length]);
                }
                all
            };
            let own: Vec<i32> = (0..self.fixture.i32("tokens").len())
                .map(|at| (at % length) as i32)
                .collect();
            let end: Vec<i32> = own.iter().map(|at| at + 1).collect();
            let mut last = vec![-1; slots];
            for (slot, row) in rows.iter().enumerate() {
                last[slot] = (slot * width) as i32 + row % length as i32;
            }
            for (name, values) in [
                ("tokens", copies(&self.fixture.i32("tokens"), -1)),
                ("image_rows", copies(&batch.image_rows, -1)),
                ("positions", copies(&self.fixture.i32("positions"), 0)),
                ("cache_rows", copies(&own, -1)),
                ("key_end", copies(&end, 0)),
                ("last_rows", last),
            ] {
                let name = format!("prefill.{name}");
                if name == "prefill.image_rows" && self.model.vision.is_none() {
                    continue;
                }
                executor.write(&name, &values).expect("the sizes fit");
            }
            executor.run("prefill").expect("the program exists");
            let found = read(executor, "prefill.logits");
            let vocabulary = facts.vocabulary as usize;
            logits.extend_from_slice(&found[..rows.len() * vocabulary]);
        }
        logits
    }
}
