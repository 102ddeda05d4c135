//! `mm1c bisect`: which kernel of a model is wrong.
//!
//! A training step runs on made-up data with every tensor that its kernels store as an output. Then
//! the reference interpreter computes each of them from those before it, as the machine had them.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::Arc;

use mm1_compiler::build::{self, Purpose};
use mm1_compiler::compile::{CompileError, plan_model};
use mm1_compiler::fuse::Home;
use mm1_compiler::graph::{Graph, NodeId};
use mm1_compiler::interpret::{Check, replay};
use mm1_dsl::model::Model;
use mm1_package::{DType, Init, ModelFacts, Package};
use mm1_runtime::device::Device;
use mm1_runtime::executor::Executor;
use mm1_runtime::init::draw;

use super::bench::made_up_batch;
use crate::args::{BisectArgs, ProgramArgs};
use crate::compile::{Request, compile, read_package, refused, threads};
use crate::failure::Failure;
use crate::reference::{self, Tensors};
use crate::tensors::Values;
use crate::{device, given};

/// Weight of the square of the log-sum-exp, so that its derivative counts.
const Z_WEIGHT: f32 = 0.01;
/// Weights of the losses of experts likewise.
const EXPERT_WEIGHT: f32 = 0.02;

/// Runs and compares; exit code 1 where a tensor is wrong.
///
/// # Errors
/// A model that is refused.
pub fn run(args: &BisectArgs) -> Result<ExitCode, Failure> {
    let threads = threads(args.threads);
    let program = ProgramArgs {
        package: None,
        backend: args.backend.clone(),
        device: args.device,
        threads: args.threads,
    };
    let (model, program) = given::open(&args.model.model, &args.model.sets, &program)?;
    let device = device::open(args.device, threads)?;
    let code = match &program.package {
        Some(path) => Code::Package(Arc::new(read_package(path)?)),
        None => Code::Request(Request::new(&args.backend, args.device)),
    };
    let (graph, checks) = compare(&model, code, args.weights.as_deref(), threads, device)?;
    let wrong: Vec<&Check> = checks.iter().filter(|it| !it.passes()).collect();
    if args.all {
        for check in &checks {
            let verdict = if check.passes() { "ok" } else { "WRONG" };
            outln!(
                "{verdict}\t{}\t{}\t{:.1e} of {:.1e}",
                check.name,
                check.op,
                check.error,
                check.tolerance
            );
        }
    }
    if let Some(first) = wrong.first() {
        out!("{}", describe(&model, &graph, first));
        outln!(
            "{} of {} tensors are wrong; this one is the first",
            wrong.len(),
            checks.len()
        );
        return Ok(ExitCode::from(1));
    }
    let share = |it: &Check| it.error / it.tolerance;
    let worst = checks.iter().max_by(|a, b| share(a).total_cmp(&share(b)));
    outln!("{} tensors are right", checks.len());
    if let Some(worst) = worst {
        outln!(
            "nearest to its tolerance: `{}` ({}), {:.1e} of {:.1e}",
            worst.name,
            worst.op,
            worst.error,
            worst.tolerance
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Where the kernels come from.
enum Code {
    /// Compiled now.
    Request(Request),
    /// What `mm1c compile --for-bisect` wrote.
    Package(Arc<Package>),
}

/// The program of a training step with every stored tensor as an output, compiled.
///
/// # Errors
/// A model that is refused.
pub(crate) fn package(model: &Model, request: &Request) -> Result<Package, Failure> {
    let named = build::named(model).map_err(|found| refused(model, CompileError::Model(found)))?;
    let request = Request {
        fetch: stored(model, &named)?,
        gradients: named.trained,
        ..request.clone()
    };
    compile(model, &request)
}

/// The graph that ran, and each stored tensor against its meaning.
fn compare(
    model: &Model,
    code: Code,
    weights: Option<&std::path::Path>,
    threads: usize,
    device: Box<dyn Device>,
) -> Result<(Graph, Vec<Check>), Failure> {
    let named = build::named(model).map_err(|found| refused(model, CompileError::Model(found)))?;
    let fetch = stored(model, &named)?;
    let gradients = named.trained;
    let purpose = Purpose::Fetch {
        fetch: &fetch,
        gradients: &gradients,
    };
    let mut planned = plan_model(model, purpose, true).map_err(|error| refused(model, error))?;
    let graph = planned.programs.remove(0).source.graph;
    let package = match code {
        Code::Package(package) => package,
        Code::Request(request) => Arc::new(self::package(model, &request)?),
    };
    let missing = fetch.iter().find(|name| package.tensor(name).is_none());
    if let Some(name) = missing {
        return Err(Failure::new(format!(
            "the package does not leave `{name}`: compile it with --for-bisect"
        )));
    }
    let tensors = inputs(&package.model);
    let extents = reference::extents(&graph, &tensors)?;
    let mut given = reference::parameters(&graph, model.train.seed, weights, threads)?;
    if weights.is_none() {
        disturb(&mut given, model.train.seed, threads);
    }
    given.extend(tensors);
    let mut executor = Executor::with_device(Arc::clone(&package), device)?;
    for (name, size) in &extents {
        if package.extents.iter().any(|it| it.name == *name) {
            executor.set_extent(name, *size)?;
        }
    }
    given.retain(|name, _| graph.find(name).is_some());
    for (name, (_, values)) in &given {
        if package.tensor(name).is_some() {
            match values {
                Values::F32(values) => executor.write(name, values)?,
                Values::I32(values) => executor.write(name, values)?,
            }
        }
    }
    executor.run("run")?;
    let mut recorded = BTreeMap::new();
    for output in &graph.outputs {
        if package.tensor(&output.name).is_some() {
            recorded.insert(output.name.clone(), executor.read_f32(&output.name)?);
        }
    }
    let given = reference::interpreted(&given)?;
    let checks = replay(&graph, &extents, &given, &recorded).map_err(Failure::new)?;
    Ok((graph, checks))
}

/// Names of the tensors that the kernels of a training step leave in memory.
fn stored(model: &Model, named: &build::Named) -> Result<Vec<String>, Failure> {
    let mut names = vec!["loss".to_owned(), "z_loss".to_owned()];
    let purpose = Purpose::Fetch {
        fetch: &names,
        gradients: &named.trained,
    };
    let planned = plan_model(model, purpose, true).map_err(|error| refused(model, error))?;
    let mut taken: BTreeSet<String> = named.trained.iter().map(|it| format!("d({it})")).collect();
    taken.extend(names.iter().cloned());
    for info in planned.programs.iter().flat_map(|it| &it.fused.buffers) {
        // What a pass made has no name in a graph file; it is computed through.
        let known = named.graph.find(&info.name).is_some();
        let number = info.dtype != DType::I32;
        if info.home == Home::Arena && known && number && taken.insert(info.name.clone()) {
            names.push(info.name.clone());
        }
    }
    Ok(names)
}

/// A full micro-batch as inputs of the program.
pub(crate) fn inputs(facts: &ModelFacts) -> Tensors {
    let batch = made_up_batch(facts, 0);
    let (sequences, length) = (facts.sequences as usize, facts.length as usize);
    let side = facts.resolution as usize;
    let rows = batch.loss_rows.len();
    let weight = 1.0 / rows.max(1) as f32;
    [
        ("tokens", vec![sequences, length], Values::I32(batch.tokens)),
        (
            "image_rows",
            vec![sequences, length],
            Values::I32(batch.image_rows),
        ),
        (
            "positions",
            vec![sequences, length],
            Values::I32(batch.positions),
        ),
        (
            "segment_begin",
            vec![sequences, length],
            Values::I32(batch.segment_begin),
        ),
        (
            "pixels",
            vec![batch.image_count, 3, side, side],
            Values::F32(batch.images),
        ),
        ("loss_rows", vec![rows], Values::I32(batch.loss_rows)),
        ("loss_targets", vec![rows], Values::I32(batch.loss_targets)),
        ("loss_weights", vec![rows], Values::F32(vec![weight; rows])),
        ("z_weight", Vec::new(), Values::F32(vec![Z_WEIGHT])),
        (
            "load_balance_weight",
            Vec::new(),
            Values::F32(vec![EXPERT_WEIGHT]),
        ),
        (
            "router_z_weight",
            Vec::new(),
            Values::F32(vec![EXPERT_WEIGHT]),
        ),
    ]
    .map(|(name, sizes, values)| (name.to_owned(), (sizes, values)))
    .into()
}

/// Adds noise to every parameter: biases of zeros and scales of ones would hide faults.
fn disturb(parameters: &mut Tensors, seed: u64, threads: usize) {
    for (name, (_, values)) in parameters {
        if let Values::F32(values) = values {
            let noise = draw(
                seed.wrapping_add(1),
                name,
                Init::Normal(0.05),
                values.len(),
                threads,
            );
            for (value, noise) in values.iter_mut().zip(noise) {
                *value += noise;
            }
        }
    }
}

/// Where a wrong tensor comes from and how it is wrong.
fn describe(model: &Model, graph: &Graph, check: &Check) -> String {
    let place = origin(graph, check.node)
        .map(|span| format!(" ({})", model.sources().place(span)))
        .unwrap_or_default();
    format!(
        "`{}`, {}{place}: element {} is {:e} and should be {:e}; off by {:.1e} of the tensor's \
         scale, {:.1e} is allowed\n",
        check.name,
        check.op,
        check.element,
        check.recorded,
        check.expected,
        check.error,
        check.tolerance
    )
}

/// The line of a graph file that a node comes from; a derivative's is that of its node.
fn origin(graph: &Graph, node: NodeId) -> Option<mm1_dsl::span::Span> {
    let node = graph.node(node);
    node.span.or_else(|| {
        let of = node.name.strip_prefix("d(")?.split(')').next()?;
        graph.node(graph.find(of)?).span
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Backend;
    use crate::compile::load_model;
    use mm1_runtime::device::Choice;
    use std::path::PathBuf;

    fn tiny(name: &str, sets: &[&str]) -> Model {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../models/tiny")
            .join(format!("{name}.toml"));
        let small = [
            "train.global_batch_sequences=1",
            "train.micro_batch_sequences=1",
            "train.micro_batch_images=2",
            "data.max_images=1",
            "train.precision=\"f32\"",
        ];
        let sets: Vec<String> = small
            .iter()
            .chain(sets)
            .map(|it| (*it).to_owned())
            .collect();
        load_model(&path, &sets).expect("a correct file")
    }

    #[test]
    fn kernels_of_the_tiny_models_are_right() {
        for (name, sets) in [
            ("c-abstractor", &[][..]),
            ("attention-pool", &["train.precision=\"bf16\""][..]),
        ] {
            let request = Request {
                backend: Some(Backend::Cranelift),
                target: Some("cpu:x86-64-v3".to_owned()),
                ..Request::default()
            };
            let device = device::open(Choice::Cpu, 2).expect("every machine has it");
            let code = Code::Request(request);
            let compared = compare(&tiny(name, sets), code, None, 2, device);
            let (graph, checks) = compared.expect("a model that runs");
            let wrong: Vec<&Check> = checks.iter().filter(|it| !it.passes()).collect();
            assert!(wrong.is_empty(), "{name}: {wrong:#?}");
            // Activations and derivatives, not only results.
            assert!(checks.len() > graph.outputs.len() / 2 && checks.len() > 100);
        }
    }

    #[test]
    fn a_wrong_tensor_is_described_with_its_line() {
        let model = tiny("mlp", &[]);
        let named = build::named(&model).expect("a correct model");
        let node = named
            .graph
            .find("d(decoder.blocks.0.mlp.down)")
            .expect("every decoder has it");
        let check = Check {
            name: "d(decoder.blocks.0.mlp.down)".to_owned(),
            op: "matmul",
            node,
            error: 0.5,
            tolerance: 1e-6,
            element: 7,
            recorded: 1.5,
            expected: 1.0,
        };
        let text = describe(&model, &named.graph, &check);
        assert!(
            text.contains("element 7 is 1.5e0 and should be 1e0"),
            "{text}"
        );
        assert!(text.contains(".toml:"), "{text}");
    }
}
