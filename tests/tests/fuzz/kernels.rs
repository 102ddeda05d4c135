//! A graph as kernels: in plain loops by `kernel/evaluate.rs`, and as machine code.

use std::collections::BTreeMap;
use std::sync::Arc;

use mm1_compiler::codegen::Backend;
use mm1_compiler::compile::{Options, compile_graph};
use mm1_compiler::fuse::{Fused, Home, fuse};
use mm1_compiler::graph::{DType, Graph, InputRole, Op};
use mm1_compiler::kernel::evaluate::evaluate;
use mm1_compiler::schedules::Schedules;
use mm1_compiler::target::{CpuTarget, Target};
use mm1_package::ExtentRef;
use mm1_runtime::executor::Executor;
use mm1_tests::differences::Point;

/// Outputs by name.
pub type Outputs = BTreeMap<String, Vec<f64>>;

/// Bytes of numbers in memory.
fn encode(dtype: DType, values: &[f64]) -> Vec<u8> {
    let one = |x: &f64| match dtype {
        DType::I32 => (*x as i32).to_le_bytes(),
        _ => (*x as f32).to_le_bytes(),
    };
    values.iter().flat_map(one).collect()
}

fn decode(bytes: &[u8]) -> Vec<f64> {
    bytes
        .chunks_exact(4)
        .map(|x| f32::from_le_bytes(x.try_into().unwrap()).into())
        .collect()
}

/// Values of the run-time sizes, those that fusion derives included.
fn extent_sizes(fused: &Fused, point: &Point) -> Vec<u64> {
    let mut sizes: Vec<u64> = Vec::new();
    for extent in &fused.extents {
        sizes.push(match extent.derived {
            Some((base, offset)) => sizes[base as usize]
                .saturating_sub(offset)
                .min(extent.bound),
            None => point.extents[&extent.name],
        });
    }
    sizes
}

/// Runs the kernels of a graph one after the other, every buffer in memory of its own that is
/// filled with NaN before, and returns the outputs at their run-time sizes.
pub fn by_kernels(graph: &Graph, point: &Point) -> Result<Outputs, String> {
    let fused = fuse(graph)?;
    let sizes = extent_sizes(&fused, point);
    let mut memory: Vec<Vec<u8>> = Vec::new();
    for info in &fused.buffers {
        let mut bytes = vec![0xff; info.bytes() as usize];
        if let Home::Source(node) = info.home {
            let values = match graph.op(node) {
                Op::Constant(values) => values.clone(),
                Op::Input(_) => point.inputs[&graph.node(node).name].data.clone(),
                op => return Err(format!("{op:?} has memory")),
            };
            let source = encode(info.dtype, &values);
            bytes[..source.len()].copy_from_slice(&source);
        }
        memory.push(bytes);
    }
    for call in &fused.calls {
        let extents: Vec<u64> = call
            .extents
            .iter()
            .map(|extent| match *extent {
                ExtentRef::Fixed(size) => size,
                ExtentRef::Scaled { index, scale } => scale * sizes[index as usize],
            })
            .collect();
        let at = |first: u64, key: usize| (first * fused.buffers[key].dtype.size()) as usize;
        let mut buffers: Vec<Vec<u8>> = call
            .args
            .iter()
            .map(|(key, first)| memory[key.0 as usize][at(*first, key.0 as usize)..].to_vec())
            .collect();
        evaluate(&call.kernel, &mut buffers, &extents)
            .map_err(|error| format!("kernel of `{}`: {error}\n{}", call.name, call.kernel))?;
        for (((key, first), buffer), bytes) in
            call.args.iter().zip(&call.kernel.buffers).zip(buffers)
        {
            if buffer.written {
                let key = key.0 as usize;
                let at = at(*first, key);
                memory[key][at..].copy_from_slice(&bytes);
            }
        }
    }
    let mut results = Outputs::new();
    for (output, key) in graph.outputs.iter().zip(&fused.outputs) {
        let count = count(graph, point, output.value)?;
        let values = decode(&memory[key.0 as usize]);
        results.insert(output.name.clone(), values[..count].to_vec());
    }
    Ok(results)
}

/// Elements of a value at the run-time sizes.
fn count(graph: &Graph, point: &Point, value: mm1_compiler::graph::Value) -> Result<usize, String> {
    let dims = mm1_tests::differences::sizes(graph, &point.extents, graph.ty(value));
    Ok(dims.iter().product::<u64>() as usize)
}

/// Compiles a graph and runs it on `threads` threads through memory plan, package and executor.
pub fn by_machine(
    graph: &Graph,
    point: &Point,
    backend: Backend,
    threads: usize,
) -> Result<Outputs, String> {
    let options = Options {
        target: CpuTarget::host()
            .map(Target::Cpu)
            .ok_or("the tests run on x86-64-v3 or better")?,
        backend,
        verify: true,
        schedules: Schedules::default(),
    };
    let package = compile_graph(graph.clone(), &options)?;
    let fault = |error: mm1_runtime::executor::ExecutorError| error.to_string();
    let mut executor = Executor::new(Arc::new(package), threads).map_err(fault)?;
    for (name, size) in &point.extents {
        if executor.package().extents.iter().any(|it| it.name == *name) {
            executor.set_extent(name, *size).map_err(fault)?;
        }
    }
    for id in graph.nodes() {
        let node = graph.node(id);
        if !matches!(node.op, Op::Input(InputRole::Data | InputRole::State(_))) {
            continue;
        }
        // What no kernel reads has no memory.
        if executor.package().tensor(&node.name).is_none() {
            continue;
        }
        let values = &point.inputs[&node.name].data;
        match node.types[0].dtype {
            DType::I32 => {
                let values: Vec<i32> = values.iter().map(|x| *x as i32).collect();
                executor.write(&node.name, &values).map_err(fault)?;
            }
            _ => {
                let values: Vec<f32> = values.iter().map(|x| *x as f32).collect();
                executor.write(&node.name, &values).map_err(fault)?;
            }
        }
    }
    executor.run("run").map_err(fault)?;
    let mut results = Outputs::new();
    for output in &graph.outputs {
        let values = executor.read_f32(&output.name).map_err(fault)?;
        results.insert(
            output.name.clone(),
            values.into_iter().map(f64::from).collect(),
        );
    }
    Ok(results)
}
