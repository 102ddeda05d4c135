//! Tensors for the reference interpreter: parameters, inputs and run-time sizes by name.

use std::collections::BTreeMap;
use std::path::Path;

use mm1_compiler::graph::{Dim, Graph, InputRole, NodeId, Op};
use mm1_compiler::interpret::Tensor;
use mm1_package::DType;
use mm1_runtime::checkpoint::tensors::TensorsFile;
use mm1_runtime::init::draw;

use crate::failure::Failure;
use crate::tensors::{self, Values};

/// Tensors with their sizes, by name.
pub type Tensors = BTreeMap<String, (Vec<usize>, Values)>;

/// Source nodes of a graph that `wanted` accepts.
fn sources<'g>(
    graph: &'g Graph,
    wanted: impl Fn(&InputRole) -> bool + 'g,
) -> impl Iterator<Item = NodeId> + 'g {
    graph
        .nodes()
        .filter(move |id| matches!(graph.op(*id), Op::Input(role) if wanted(role)))
}

/// The parameters of a graph: read from `weights`, or drawn from `seed` as a new run draws them.
///
/// # Errors
/// A file that cannot be read, or that lacks a parameter or has it in other sizes.
pub fn parameters(
    graph: &Graph,
    seed: u64,
    weights: Option<&Path>,
    threads: usize,
) -> Result<Tensors, Failure> {
    let mut file = weights.map(TensorsFile::open).transpose()?;
    let mut found = Tensors::new();
    for id in sources(graph, |role| matches!(role, InputRole::Parameter(_))) {
        let Op::Input(InputRole::Parameter(facts)) = graph.op(id) else {
            continue;
        };
        let node = graph.node(id);
        let sizes: Vec<usize> = graph
            .bounds(&node.types[0])
            .iter()
            .map(|size| *size as usize)
            .collect();
        let values = match &mut file {
            Some(file) => {
                let there = file.tensors().get(&node.name).map(|it| it.shape.clone());
                if there.as_ref() != Some(&sizes) {
                    let there = there.map_or("nothing".to_owned(), |it| format!("{it:?}"));
                    return Err(Failure::at(
                        file.path(),
                        format!("`{}` has sizes {sizes:?}, the file has {there}", node.name),
                    ));
                }
                tensors::read_f32(file, &node.name)?
            }
            None => {
                let elements = sizes.iter().product();
                draw(seed, &node.name, facts.init, elements, threads)
            }
        };
        found.insert(node.name.clone(), (sizes, Values::F32(values)));
    }
    Ok(found)
}

/// Every tensor of a file, each an input of the graph.
///
/// # Errors
/// A file that cannot be read, or a tensor that is no input.
pub fn read_inputs(graph: &Graph, path: &Path) -> Result<Tensors, Failure> {
    let mut file = TensorsFile::open(path)?;
    let stored: Vec<(String, Vec<usize>)> = file
        .tensors()
        .iter()
        .map(|(name, stored)| (name.clone(), stored.shape.clone()))
        .collect();
    let mut found = Tensors::new();
    for (name, sizes) in stored {
        let node = sources(graph, |role| matches!(role, InputRole::Data))
            .find(|id| graph.node(*id).name == name)
            .ok_or_else(|| Failure::at(path, format!("`{name}` is no input")))?;
        let values = match graph.node(node).types[0].dtype {
            DType::I32 => Values::I32(tensors::read_i32(&mut file, &name)?),
            DType::F32 | DType::Bf16 => Values::F32(tensors::read_f32(&mut file, &name)?),
        };
        found.insert(name, (sizes, values));
    }
    Ok(found)
}

/// The run-time sizes that the sizes of inputs mean.
///
/// # Errors
/// Sizes that do not fit the graph's types.
pub fn extents(graph: &Graph, inputs: &Tensors) -> Result<BTreeMap<String, u64>, Failure> {
    let mut extents = BTreeMap::new();
    for (name, (sizes, _)) in inputs {
        let Some(node) = graph.find(name) else {
            continue;
        };
        let ty = &graph.node(node).types[0];
        let fault = || {
            Failure::new(format!(
                "`{name}` has sizes {sizes:?}, which do not fit those that --list says"
            ))
        };
        if ty.dims.len() != sizes.len() {
            return Err(fault());
        }
        for (dim, size) in ty.dims.iter().zip(sizes) {
            let size = *size as u64;
            match *dim {
                Dim::Fixed(n) if n == size => {}
                Dim::Scaled { extent, scale } if scale > 0 && size.is_multiple_of(scale) => {
                    let extent = &graph.extents[extent.0 as usize];
                    let known = extents.insert(extent.name.clone(), size / scale);
                    if known.is_some_and(|known| known != size / scale) {
                        return Err(fault());
                    }
                }
                _ => return Err(fault()),
            }
        }
    }
    Ok(extents)
}

/// Tensors as the interpreter takes them.
///
/// # Errors
/// Sizes that do not fit the elements.
pub fn interpreted(tensors: &Tensors) -> Result<BTreeMap<String, Tensor>, Failure> {
    tensors
        .iter()
        .map(|(name, (sizes, values))| {
            let data: Vec<f64> = match values {
                Values::F32(values) => values.iter().map(|it| f64::from(*it)).collect(),
                Values::I32(values) => values.iter().map(|it| f64::from(*it)).collect(),
            };
            let sizes: Vec<u64> = sizes.iter().map(|size| *size as u64).collect();
            let tensor = Tensor::new(sizes, data)
                .map_err(|error| Failure::new(format!("`{name}`: {error}")))?;
            Ok((name.clone(), tensor))
        })
        .collect()
}
