//! Derivatives by finite differences of the interpreter's f64.

use std::collections::BTreeMap;

use mm1_compiler::graph::{DType, Dim, Graph, InputRole, Op, Type, Value};
use mm1_compiler::interpret::{Tensor, interpret};

/// f'(0) by four points. Its error is h⁴·f⁽⁵⁾/30, and rounding of f divided by h.
///
/// # Errors
/// Where f fails.
pub fn slope(h: f64, f: impl Fn(f64) -> Result<f64, String>) -> Result<f64, String> {
    let near = f(h)? - f(-h)?;
    let far = f(2.0 * h)? - f(-2.0 * h)?;
    Ok((8.0 * near - far) / (12.0 * h))
}

/// A graph with values for everything that its nodes read.
#[derive(Clone, Debug, Default)]
pub struct Point {
    /// Run-time sizes.
    pub extents: BTreeMap<String, u64>,
    /// Inputs by name.
    pub inputs: BTreeMap<String, Tensor>,
}

impl Point {
    /// Values of some results.
    ///
    /// # Errors
    /// As [`interpret`].
    pub fn values(&self, graph: &Graph, wanted: &[Value]) -> Result<Vec<Tensor>, String> {
        let found = interpret(graph, &self.extents, &self.inputs, wanted)?;
        Ok(wanted.iter().map(|value| found[value].clone()).collect())
    }

    /// Σ adjoint·value over the seeds, each (value, input that holds its adjoint).
    ///
    /// # Errors
    /// As [`interpret`].
    pub fn objective(&self, graph: &Graph, seeds: &[(Value, String)]) -> Result<f64, String> {
        let values: Vec<Value> = seeds.iter().map(|(value, _)| *value).collect();
        let values = self.values(graph, &values)?;
        let pairs = values.iter().zip(seeds);
        Ok(pairs
            .map(|(value, (_, adjoint))| dot(&value.data, &self.inputs[adjoint].data))
            .sum())
    }

    /// The objective's derivative along `direction` in the input `leaf`.
    ///
    /// # Errors
    /// As [`interpret`].
    pub fn slope(
        &self,
        graph: &Graph,
        seeds: &[(Value, String)],
        leaf: &str,
        direction: &[f64],
        h: f64,
    ) -> Result<f64, String> {
        slope(h, |step| {
            let mut moved = self.clone();
            let tensor = moved.inputs.get_mut(leaf).ok_or("no such input")?;
            let pairs = tensor.data.iter_mut().zip(direction);
            pairs.for_each(|(x, d)| *x += step * d);
            moved.objective(graph, seeds)
        })
    }
}

/// Σ a·b.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The sizes of a type for these run-time sizes.
pub fn sizes(graph: &Graph, extents: &BTreeMap<String, u64>, ty: &Type) -> Vec<u64> {
    let size = |dim: &Dim| match *dim {
        Dim::Fixed(n) => n,
        Dim::Scaled { extent, scale } => run_time_size(graph, extents, extent.0) * scale,
    };
    ty.dims.iter().map(size).collect()
}

fn run_time_size(graph: &Graph, given: &BTreeMap<String, u64>, index: u32) -> u64 {
    let extent = &graph.extents[index as usize];
    match extent.derived {
        Some((base, offset)) => run_time_size(graph, given, base)
            .saturating_sub(offset)
            .min(extent.bound),
        None => given[&extent.name],
    }
}

/// An input that holds the adjoint of `value`, and its name.
pub fn adjoint(graph: &mut Graph, value: Value) -> (Value, String) {
    let ty = graph.ty(value).with_dtype(DType::F32);
    let name = format!("adjoint of {}", graph.value_name(value));
    let node = graph.add_typed(name, Op::Input(InputRole::Data), vec![ty], &[]);
    (node.into(), graph.node(node).name.clone())
}
