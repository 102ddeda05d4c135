//! `mm1c run`: one program of a package on tensors of a file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use mm1_compiler::build::{self, Purpose};
use mm1_compiler::compile::{CompileError, plan_model};
use mm1_compiler::graph::text::print_type;
use mm1_compiler::graph::{InputRole, Op, Value};
use mm1_compiler::interpret::interpret_rounded;
use mm1_dsl::model::Model;
use mm1_package::{DType, ExtentRef, Package, Role, Tensor};
use mm1_runtime::checkpoint::tensors::TensorsFile;
use mm1_runtime::executor::Executor;

use crate::args::{Backend, RunArgs};
use crate::compile::{Request, compile, load_model, read_package, refused, threads};
use crate::failure::Failure;
use crate::tensors::{self, Values};
use crate::{device, given, reference};

/// Lists tensors, or runs and writes what was asked for.
///
/// # Errors
/// Files that do not fit the package; names that it does not have.
pub fn run(args: &RunArgs) -> Result<(), Failure> {
    if given::is_package(&args.model) {
        given::refuse_compiling(&args.backend)?;
        let package = read_package(&args.model)?;
        if args.list {
            list(&package);
            return Ok(());
        }
        let seed = match package.model.resolved.is_empty() {
            true => 0,
            false => {
                given::model_of(&args.model, &package, &args.sets)?
                    .train
                    .seed
            }
        };
        return execute(args, package, seed, &args.gradients);
    }
    let model = load_model(&args.model, &args.sets)?;
    if args.list {
        return list_graph(&model);
    }
    let request = Request {
        fetch: args.fetch.clone(),
        gradients: match args.gradients.iter().any(|it| it == "all") {
            true => named(&model)?.trained,
            false => args.gradients.clone(),
        },
        ..Request::new(&args.backend, args.device)
    };
    if args.backend.backend == Some(Backend::Reference) {
        return interpret(args, &model, &request);
    }
    let package = compile(&model, &request)?;
    execute(args, package, model.train.seed, &request.gradients)
}

fn output(args: &RunArgs) -> Result<&Path, Failure> {
    let nothing = || Failure::new("nothing to do: give --out FILE, or --list");
    args.out.as_deref().ok_or_else(nothing)
}

/// Runs a package.
fn execute(
    args: &RunArgs,
    package: Package,
    seed: u64,
    gradients: &[String],
) -> Result<(), Failure> {
    let out = output(args)?;
    let package = Arc::new(package);
    let device = device::open(args.device, threads(args.threads))?;
    let mut executor = Executor::with_device(Arc::clone(&package), device)?;
    match &args.weights {
        Some(path) => {
            mm1_runtime::init::load_weights(&mut executor, path, "")?;
        }
        None => mm1_runtime::init::initialize(&mut executor, seed)?,
    }
    if let Some(path) = &args.inputs {
        write_inputs(&mut executor, &package, path)?;
    }
    executor.run(&args.program)?;
    let mut results = BTreeMap::new();
    for name in &args.fetch {
        results.insert(name.clone(), read(&executor, &package, name)?);
    }
    for name in gradient_names(&package, gradients) {
        let gradient = format!("d({name})");
        // A program made for it has the gradient as a result; one that trains adds it up.
        let found = match package.tensor(&gradient) {
            Some(_) => read(&executor, &package, &gradient)?,
            None => {
                let values = Values::F32(executor.read_gradient(&name)?);
                let shape = shape(&executor, &package, tensor(&package, &name)?);
                (shape, values)
            }
        };
        results.insert(gradient, found);
    }
    tensors::write(out, &results)
}

/// Evaluates the program `run` in f64, without compiling it.
fn interpret(args: &RunArgs, model: &Model, request: &Request) -> Result<(), Failure> {
    let out = output(args)?;
    if args.program != "run" {
        return Err(Failure::new(
            "the reference interpreter has the program `run` only",
        ));
    }
    let purpose = Purpose::Fetch {
        fetch: &request.fetch,
        gradients: &request.gradients,
    };
    let mut planned = plan_model(model, purpose, true).map_err(|error| refused(model, error))?;
    let graph = planned.programs.remove(0).source.graph;
    let mut given = match &args.inputs {
        Some(path) => reference::read_inputs(&named(model)?.graph, path)?,
        None => BTreeMap::new(),
    };
    given.retain(|name, _| graph.find(name).is_some());
    let extents = reference::extents(&graph, &given)?;
    let threads = threads(args.threads);
    let weights = args.weights.as_deref();
    given.extend(reference::parameters(
        &graph,
        model.train.seed,
        weights,
        threads,
    )?);
    let wanted: Vec<Value> = graph.outputs.iter().map(|it| it.value).collect();
    let inputs = reference::interpreted(&given)?;
    let found = interpret_rounded(&graph, &extents, &inputs, &wanted).map_err(Failure::new)?;
    let mut results = BTreeMap::new();
    for output in &graph.outputs {
        let tensor = &found[&output.value];
        let sizes = tensor.dims.iter().map(|size| *size as usize).collect();
        let values = match graph.ty(output.value).dtype {
            DType::I32 => Values::I32(tensor.data.iter().map(|it| *it as i32).collect()),
            DType::F32 | DType::Bf16 => {
                Values::F32(tensor.data.iter().map(|it| *it as f32).collect())
            }
        };
        results.insert(output.name.clone(), (sizes, values));
    }
    tensors::write(out, &results)
}

fn named(model: &Model) -> Result<build::Named, Failure> {
    build::named(model).map_err(|found| refused(model, CompileError::Model(found)))
}

/// Every tensor that `--fetch` finds and every gradient that `--gradients` finds.
fn list_graph(model: &Model) -> Result<(), Failure> {
    let build::Named {
        graph,
        with_gradient,
        ..
    } = named(model)?;
    let row = |role: &str, name: &str, value: Value| {
        let ty = print_type(&graph, graph.ty(value));
        let (dtype, sizes) = ty.split_once('[').unwrap_or((&ty, "]"));
        outln!("{role}\t{name}\t{dtype}\t[{sizes}");
    };
    for output in &graph.outputs {
        row("output", &output.name, output.value);
    }
    for id in graph.topological() {
        let node = graph.node(id);
        let role = match &node.op {
            Op::Input(InputRole::Parameter(_)) => "parameter",
            Op::Input(_) => "input",
            Op::Constant(_) | Op::Splat(_) => "constant",
            _ if node.name == "loss" => continue,
            _ => "tensor",
        };
        row(role, &node.name, id.into());
    }
    for id in with_gradient {
        row(
            "gradient",
            &format!("d({})", graph.node(id).name),
            id.into(),
        );
    }
    Ok(())
}

/// Every named tensor: role, type, sizes.
fn list(package: &Package) {
    for tensor in &package.tensors {
        let sizes: Vec<String> = tensor
            .dims
            .iter()
            .map(|dim| match *dim {
                ExtentRef::Fixed(n) => n.to_string(),
                ExtentRef::Scaled { index, scale } => {
                    let name = package
                        .extents
                        .get(index as usize)
                        .map_or("?", |it| &it.name);
                    if scale == 1 {
                        name.to_string()
                    } else {
                        format!("{scale}*{name}")
                    }
                }
            })
            .collect();
        let role = match tensor.role {
            Role::Parameter => "parameter",
            Role::Input => "input",
            Role::Output => "output",
            Role::State => "state",
        };
        outln!(
            "{role}\t{}\t{}\t[{}]",
            tensor.name,
            tensor.dtype,
            sizes.join(", ")
        );
    }
}

fn tensor<'a>(package: &'a Package, name: &str) -> Result<&'a Tensor, Failure> {
    package.tensor(name).ok_or_else(|| {
        Failure::new(format!(
            "the package has no tensor `{name}`; --list names them all"
        ))
    })
}

fn shape(executor: &Executor, package: &Package, tensor: &Tensor) -> Vec<usize> {
    let value = |dim: &ExtentRef| match *dim {
        ExtentRef::Fixed(n) => n,
        ExtentRef::Scaled { index, scale } => {
            let extent = &package.extents[index as usize];
            executor.extent(&extent.name).unwrap_or(extent.bound) * scale
        }
    };
    tensor.dims.iter().map(|dim| value(dim) as usize).collect()
}

fn read(
    executor: &Executor,
    package: &Package,
    name: &str,
) -> Result<(Vec<usize>, Values), Failure> {
    let tensor = tensor(package, name)?;
    let values = match tensor.dtype {
        DType::I32 => Values::I32(executor.read(name)?),
        DType::F32 | DType::Bf16 => Values::F32(executor.read_f32(name)?),
    };
    Ok((shape(executor, package, tensor), values))
}

fn gradient_names(package: &Package, asked: &[String]) -> Vec<String> {
    if asked != ["all"] {
        return asked.to_vec();
    }
    let trained = |it: &&Tensor| it.parameter.as_ref().is_some_and(|it| it.trained);
    let tensors = package.tensors.iter().filter(trained);
    tensors.map(|it| it.name.clone()).collect()
}

/// Writes every tensor of the file; its sizes set the run-time sizes.
fn write_inputs(executor: &mut Executor, package: &Package, path: &Path) -> Result<(), Failure> {
    let mut file = TensorsFile::open(path)?;
    let stored: Vec<(String, Vec<usize>)> = file
        .tensors()
        .iter()
        .map(|(name, stored)| (name.clone(), stored.shape.clone()))
        .collect();
    // All sizes first: a tensor is written at the sizes of the run.
    for (name, sizes) in &stored {
        let tensor = tensor(package, name)?;
        let fault = || {
            Failure::at(
                path,
                format!("`{name}` has sizes {sizes:?}, which do not fit those that --list says"),
            )
        };
        if tensor.role != Role::Input {
            return Err(Failure::at(path, format!("`{name}` is no input")));
        }
        if tensor.dims.len() != sizes.len() {
            return Err(fault());
        }
        for (dim, &size) in tensor.dims.iter().zip(sizes) {
            match *dim {
                ExtentRef::Fixed(n) if n == size as u64 => {}
                ExtentRef::Scaled { index, scale }
                    if scale > 0 && (size as u64).is_multiple_of(scale) =>
                {
                    let extent = &package.extents[index as usize];
                    if extent.derived.is_none() {
                        executor.set_extent(&extent.name, size as u64 / scale)?;
                    }
                }
                _ => return Err(fault()),
            }
        }
    }
    for (name, _) in &stored {
        match tensor(package, name)?.dtype {
            DType::I32 => executor.write(name, &tensors::read_i32(&mut file, name)?)?,
            DType::F32 => executor.write(name, &tensors::read_f32(&mut file, name)?)?,
            DType::Bf16 => {
                return Err(Failure::at(
                    path,
                    format!("`{name}` is a bf16 input; none is known"),
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::BackendArgs;
    use crate::commands::bisect;
    use std::path::PathBuf;

    #[test]
    fn the_interpreter_and_the_machine_agree() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let sets = [
            "train.global_batch_sequences=1",
            "train.micro_batch_sequences=1",
            "train.micro_batch_images=2",
            "data.max_images=1",
            "train.precision=\"f32\"",
        ];
        let mut args = RunArgs {
            model: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../models/tiny/tokens-4.toml"),
            sets: sets.map(str::to_owned).to_vec(),
            backend: BackendArgs {
                backend: Some(Backend::Cranelift),
                target: Some("cpu:x86-64-v3".to_owned()),
                schedules: None,
            },
            device: mm1_runtime::device::Choice::Cpu,
            threads: Some(2),
            program: "run".to_owned(),
            inputs: Some(folder.path().join("in.safetensors")),
            weights: None,
            fetch: ["loss", "connector.projected"].map(str::to_owned).to_vec(),
            gradients: vec!["all".to_owned()],
            out: None,
            list: false,
        };
        let model = load_model(&args.model, &args.sets).expect("a correct file");
        let request = Request {
            fetch: args.fetch.clone(),
            ..Request::from(&args.backend)
        };
        let package = compile(&model, &request).expect("it compiles");
        // Programs that are not in the package read inputs of their own.
        let mut values = bisect::inputs(&package.model);
        values.retain(|name, _| package.tensor(name).is_some());
        let inputs = folder.path().join("in.safetensors");
        tensors::write(&inputs, &values).expect("writable");
        let files = [Backend::Cranelift, Backend::Reference].map(|backend| {
            let out = folder.path().join(format!("{backend:?}.safetensors"));
            args.backend.backend = Some(backend);
            args.out = Some(out.clone());
            run(&args).expect("a program that runs");
            TensorsFile::open(&out).expect("a file of the format")
        });
        let [mut machine, mut reference] = files;
        let names: Vec<String> = machine.tensors().keys().cloned().collect();
        let expected: Vec<String> = reference.tensors().keys().cloned().collect();
        assert_eq!(names, expected);
        assert!(names.len() > 80, "{names:?}");
        for name in names {
            let a = tensors::read_f32(&mut machine, &name).expect("floats");
            let b = tensors::read_f32(&mut reference, &name).expect("floats");
            let scale = b.iter().fold(0f32, |most, it| it.abs().max(most));
            assert!(scale > 0.0, "`{name}` is all zeros");
            for (a, b) in a.iter().zip(&b) {
                assert!((a - b).abs() <= 1e-4 * scale, "{name}: {a} and {b}");
            }
        }
    }
}
