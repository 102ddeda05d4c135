//! Which values exist in memory, and where.
//!
//! A value is stored if something outside its group reads it. Three kinds of stored values need
//! no memory of their own: one that replaces a parameter or state is written over it; one that
//! only feeds a concatenation is written into its place there; the sum of a state and a
//! scattered gradient is scattered into the state.

use std::collections::BTreeMap;

use mm1_package::DType;

use super::group::{Groups, Kind};
use super::view::View;
use crate::graph::{Binary, Dim, InputRole, NodeId, Op, Value};

/// Index into [`super::Fused::buffers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferKey(pub u32);

/// Where a buffer lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// In the region of an input or constant node.
    Source(NodeId),
    /// In the program's arena.
    Arena,
    /// Read by the caller: the graph's output of this number.
    Output(usize),
}

/// One dense tensor in memory.
#[derive(Clone, Debug)]
pub struct BufferInfo {
    /// Name of the value that it holds.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Elements at full bounds.
    pub elements: u64,
    /// Sizes.
    pub dims: Vec<Dim>,
    /// Where it lives.
    pub home: Home,
}

/// The assignment of values to buffers.
pub struct Storage {
    /// All buffers.
    pub buffers: Vec<BufferInfo>,
    /// Stored values: buffer and the view of it that is the value.
    places: BTreeMap<Value, (BufferKey, View)>,
}

impl Storage {
    /// Assigns every stored value of a partition.
    pub fn new(groups: &Groups<'_>) -> Result<Self, String> {
        let mut storage = Self {
            buffers: Vec::new(),
            places: BTreeMap::new(),
        };
        let graph = groups.graph;
        for id in graph.nodes() {
            if groups.kinds[id.index()] == Kind::Source {
                storage.own(groups, id.into(), Home::Source(id));
            }
        }
        storage.replace_sources(groups)?;
        for (index, output) in graph.outputs.iter().enumerate() {
            let (base, _) = groups.resolve(output.value);
            if output.replaces.is_none()
                && groups.group_of[base.node.index()].is_some()
                && !storage.places.contains_key(&base)
            {
                // The caller sees the output's sizes, not those of what it rearranges.
                let key = storage.own(groups, base, Home::Output(index));
                storage.buffers[key.0 as usize].dims = graph.ty(output.value).dims.clone();
            }
        }
        // Concatenations, the last first, so that nested ones land in the outermost.
        let mut concats: Vec<NodeId> = graph
            .nodes()
            .filter(|id| matches!(graph.op(*id), Op::Concat { .. }))
            .collect();
        concats.sort_unstable_by(|a, b| b.cmp(a));
        for id in concats {
            storage.place_parts(groups, id);
        }
        for (index, group) in groups.groups.iter().enumerate() {
            for member in &group.members {
                for result in 0..graph.node(*member).types.len() as u32 {
                    let value = Value {
                        node: *member,
                        result,
                    };
                    if !storage.places.contains_key(&value) && escapes(groups, index, value) {
                        storage.own(groups, value, Home::Arena);
                    }
                }
            }
        }
        Ok(storage)
    }

    /// Adds a buffer.
    pub fn buffer(
        &mut self,
        name: String,
        dtype: DType,
        dims: Vec<Dim>,
        bounds: &[u64],
        home: Home,
    ) -> BufferKey {
        let elements = bounds.iter().product();
        self.buffers.push(BufferInfo {
            name,
            dtype,
            elements,
            dims,
            home,
        });
        BufferKey(self.buffers.len() as u32 - 1)
    }

    fn own(&mut self, groups: &Groups<'_>, value: Value, home: Home) -> BufferKey {
        let graph = groups.graph;
        let ty = graph.ty(value);
        let bounds = graph.bounds(ty);
        let key = self.buffer(
            graph.value_name(value),
            ty.dtype,
            ty.dims.clone(),
            &bounds,
            home,
        );
        self.places.insert(value, (key, View::dense(&bounds)));
        key
    }

    /// Where a stored value is.
    pub fn place(&self, value: Value) -> Option<&(BufferKey, View)> {
        self.places.get(&value)
    }

    /// Values that replace a source are written over it.
    fn replace_sources(&mut self, groups: &Groups<'_>) -> Result<(), String> {
        for output in &groups.graph.outputs {
            let Some(source) = output.replaces else {
                continue;
            };
            let (base, view) = groups.resolve(output.value);
            if groups.group_of[base.node.index()].is_none()
                || !view.is_dense()
                || self.places.contains_key(&base)
            {
                return Err(format!(
                    "`{}` is replaced by a value that no kernel writes densely",
                    output.name
                ));
            }
            let place = self.places[&source.into()].clone();
            let dense = View::dense(&groups.graph.bounds(groups.graph.ty(base)));
            self.places.insert(base, (place.0, dense));
            if let Some(gradient) = accumulated(groups, base.node) {
                let dense = View::dense(&groups.graph.bounds(groups.graph.ty(gradient)));
                self.places.insert(gradient, (place.0, dense));
            }
        }
        Ok(())
    }

    /// Parts of a concatenation that nothing else reads are written into their place.
    fn place_parts(&mut self, groups: &Groups<'_>, id: NodeId) {
        let graph = groups.graph;
        let Op::Concat { axis } = graph.op(id) else {
            return;
        };
        let whole = id.into();
        if !self.places.contains_key(&whole) {
            self.own(groups, whole, Home::Arena);
        }
        let (key, view) = self.places[&whole].clone();
        let mut start = 0;
        for part in graph.operands(id) {
            let length = graph.bound(graph.ty(part).dims[*axis]);
            let target = view.slice(*axis, start, length);
            start += length;
            if let Some(base) = sole_reader_chain(groups, part)
                && !self.places.contains_key(&base)
                && let Some(target) = target.reshape(&graph.bounds(graph.ty(base)))
            {
                self.places.insert(base, (key, target));
            }
        }
    }

    /// Sources that a group writes: (source, group).
    pub fn overwritten(&self, groups: &Groups<'_>) -> Vec<(NodeId, usize)> {
        let outputs = groups.graph.outputs.iter();
        outputs
            .filter_map(|output| {
                let (base, _) = groups.resolve(output.value);
                Some((output.replaces?, groups.group_of[base.node.index()]?))
            })
            .collect()
    }

    /// Buffers of the graph's outputs.
    pub fn outputs(&self, groups: &Groups<'_>) -> Result<Vec<BufferKey>, String> {
        let graph = groups.graph;
        graph
            .outputs
            .iter()
            .map(|output| {
                let (base, view) = groups.resolve(output.value);
                match self.places.get(&base) {
                    Some((key, place)) if view.is_dense() && place.is_dense() => Ok(*key),
                    _ => Err(format!("output `{}` is not dense in memory", output.name)),
                }
            })
            .collect()
    }
}

/// For `state + gradient`, which replaces the state: the gradient, if its kernels can add to
/// what is there (a scatter, or the weight gradient of a chunked cross-entropy).
pub(super) fn accumulated(groups: &Groups<'_>, id: NodeId) -> Option<Value> {
    let graph = groups.graph;
    if !matches!(graph.op(id), Op::Binary(Binary::Add))
        || !graph
            .outputs
            .iter()
            .any(|output| output.replaces.is_some() && output.value.node == id)
    {
        return None;
    }
    let operands = graph.operands(id);
    let is_state = |value: &Value| matches!(graph.op(value.node), Op::Input(InputRole::State(_)));
    let gradient = *operands.iter().find(|value| {
        matches!(
            (graph.op(value.node), value.result),
            (Op::ScatterAddRows, 0) | (Op::LinearCrossEntropy { .. }, 3)
        )
    })?;
    let readers = groups
        .readers_of(gradient.node)
        .filter(|(_, _, result)| *result == gradient.result);
    (readers.count() == 1 && operands.iter().any(is_state)).then_some(gradient)
}

/// The produced value behind reshapes that each have one reader.
fn sole_reader_chain(groups: &Groups<'_>, mut value: Value) -> Option<Value> {
    let graph = groups.graph;
    loop {
        let uses = groups
            .readers_of(value.node)
            .filter(|(_, _, result)| *result == value.result)
            .count();
        if uses != 1 || graph.outputs.iter().any(|output| output.value == value) {
            return None;
        }
        if groups.kinds[value.node.index()] != Kind::View {
            break;
        }
        if !matches!(graph.op(value.node), Op::Reshape) {
            return None;
        }
        value = graph.operands(value.node)[0];
    }
    groups.group_of[value.node.index()].map(|_| value)
}

/// Whether anything outside the group reads a value.
fn escapes(groups: &Groups<'_>, index: usize, value: Value) -> bool {
    let graph = groups.graph;
    let mut stack = vec![value];
    while let Some(value) = stack.pop() {
        if graph.outputs.iter().any(|output| output.value == value) {
            return true;
        }
        for (user, _, result) in groups.readers_of(value.node) {
            if result != value.result {
                continue;
            }
            match groups.kinds[user.index()] {
                Kind::View | Kind::ReadCast | Kind::Inline => stack.push(user.into()),
                _ if groups.group_of[user.index()] == Some(index) => {}
                _ => return true,
            }
        }
    }
    false
}

impl BufferInfo {
    /// Bytes at full bounds.
    pub fn bytes(&self) -> u64 {
        self.elements * self.dtype.size()
    }
}
