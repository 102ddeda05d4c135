//! `mm1c run`: one program of a package on tensors of a file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use mm1_package::{DType, ExtentRef, Package, Role, Tensor};
use mm1_runtime::checkpoint::tensors::TensorsFile;
use mm1_runtime::executor::Executor;

use crate::args::RunArgs;
use crate::compile::{Request, compile, load_model, read_package, threads};
use crate::failure::Failure;
use crate::tensors::{self, Values};

/// Lists tensors, or runs and writes what was asked for.
///
/// # Errors
/// Files that do not fit the package; names that it does not have.
pub fn run(args: &RunArgs) -> Result<(), Failure> {
    let is_package = args.model.extension().is_some_and(|it| it == "mm1pkg");
    let (package, seed) = if is_package {
        (read_package(&args.model)?, 0)
    } else {
        let model = load_model(&args.model, &args.sets)?;
        let request = Request {
            fetch: args.fetch.clone(),
            gradients: args.gradients.clone(),
            ..Request::from(&args.backend)
        };
        (compile(&model, &request)?, model.train.seed)
    };
    let package = Arc::new(package);
    if args.list {
        list(&package);
        return Ok(());
    }
    let Some(out) = &args.out else {
        return Err(Failure::new("nothing to do: give --out FILE, or --list"));
    };
    let mut executor = Executor::new(Arc::clone(&package), threads(args.threads))?;
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
    for name in gradient_names(&package, &args.gradients) {
        let output = format!("d({name})");
        // A program made for this request has gradients as outputs, `accumulate` a region of them.
        let result = if package.tensor(&output).is_some() {
            read(&executor, &package, &output)?
        } else {
            let values = Values::F32(executor.read_gradient(&name)?);
            (shape(&executor, &package, tensor(&package, &name)?), values)
        };
        results.insert(output, result);
    }
    tensors::write(out, &results)
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
                ExtentRef::Scaled { index, scale } if scale > 0 && size as u64 % scale == 0 => {
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
