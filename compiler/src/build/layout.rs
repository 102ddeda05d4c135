//! Memory of the parameters.
//!
//! Trained parameters stand in one flat f32 array, sorted into groups of equal decay and
//! learning-rate factor, so that AdamW is one launch per group. Gradients and AdamW's moments
//! have the same offsets in arrays of their own. Frozen parameters follow in the first array.

use std::collections::BTreeMap;

use mm1_package::Init;

use super::{ProgramGraph, ROUNDED};
use crate::graph::{Graph, InputRole, Op, Value};

/// Elements of one row of the gradient-norm reduction; the flat arrays are a multiple of it.
pub const BLOCK: u64 = 4096;

/// Elements to which each parameter is aligned: 64 bytes of its bf16 copy.
const ALIGN: u64 = 32;

/// One parameter.
#[derive(Clone, Debug)]
pub struct ParameterSlot {
    /// Name.
    pub name: String,
    /// Sizes.
    pub dims: Vec<u64>,
    /// Distribution at step 0.
    pub init: Init,
    /// Whether the optimizer changes it.
    pub trained: bool,
    /// Whether weight decay applies.
    pub decay: bool,
    /// Factor on the learning rate.
    pub lr_scale: f64,
    /// Least and largest value after each step, for a parameter that has bounds.
    pub bounds: Option<[f64; 2]>,
    /// First element in the flat array.
    pub offset: u64,
}

/// Parameters that the optimizer treats alike, one after the other.
#[derive(Clone, Debug)]
pub struct FlatGroup {
    /// First element.
    pub offset: u64,
    /// Elements, gaps included (gaps are zero and stay so).
    pub elements: u64,
    /// Whether weight decay applies.
    pub decay: bool,
    /// Factor on the learning rate.
    pub lr_scale: f64,
    /// Least and largest value after each step; a parameter with bounds is a group of its own.
    pub bounds: Option<[f64; 2]>,
}

/// Where parameters are.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// In order of memory.
    pub parameters: Vec<ParameterSlot>,
    /// Trained parts.
    pub groups: Vec<FlatGroup>,
    /// Elements of the trained part, a multiple of [`BLOCK`].
    pub trained_elements: u64,
    /// Elements of the whole.
    pub elements: u64,
    /// Whether the optimizer keeps two moments of every element, in arrays like that of the gradients.
    pub flat_moments: bool,
}

impl Layout {
    /// Lays out the parameters of a graph; `bounds` has those of a parameter by its name.
    pub fn new(
        graph: &Graph,
        parameters: &BTreeMap<String, Value>,
        bounds: impl Fn(&str) -> Option<[f64; 2]>,
        flat_moments: bool,
    ) -> Self {
        let mut slots: Vec<ParameterSlot> = parameters
            .iter()
            .filter_map(|(name, value)| match graph.op(value.node) {
                Op::Input(InputRole::Parameter(facts)) => Some(ParameterSlot {
                    name: name.clone(),
                    dims: graph.bounds(graph.ty(*value)),
                    init: facts.init,
                    trained: facts.trained,
                    decay: facts.decay,
                    lr_scale: facts.lr_scale,
                    bounds: bounds(name),
                    offset: 0,
                }),
                _ => None,
            })
            .collect();
        let key = |slot: &ParameterSlot| {
            let rate = slot.lr_scale.to_bits();
            (!slot.trained, !slot.decay, rate, slot.bounds.is_some())
        };
        slots.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name)));
        let mut layout = Self {
            flat_moments,
            ..Self::default()
        };
        let mut next = 0;
        for slot in &mut slots {
            if !slot.trained && layout.trained_elements == 0 {
                next = u64::next_multiple_of(next, BLOCK);
                layout.trained_elements = next;
            }
            slot.offset = next;
            next += slot.elements().next_multiple_of(ALIGN);
            if slot.trained {
                match layout.groups.last_mut() {
                    Some(group)
                        if group.decay == slot.decay
                            && group.lr_scale == slot.lr_scale
                            && group.bounds.is_none()
                            && slot.bounds.is_none() =>
                    {
                        group.elements = next - group.offset;
                    }
                    _ => layout.groups.push(FlatGroup {
                        offset: slot.offset,
                        elements: next - slot.offset,
                        decay: slot.decay,
                        lr_scale: slot.lr_scale,
                        bounds: slot.bounds,
                    }),
                }
            }
        }
        if layout.trained_elements == 0 {
            next = next.next_multiple_of(BLOCK);
            layout.trained_elements = next;
        }
        layout.elements = next;
        layout.parameters = slots;
        layout
    }

    /// A program whose source nodes are bound to this layout.
    pub fn bind(&self, name: &str, graph: Graph) -> ProgramGraph {
        let mut bindings = BTreeMap::new();
        let mut bind = |name: String, region: &str, offset: u64| {
            if region == "parameters" {
                let copy = (ROUNDED.to_owned(), offset * 2);
                bindings.insert(format!("{ROUNDED}.{name}"), copy);
            }
            bindings.insert(name, (region.to_owned(), offset * 4));
        };
        for slot in &self.parameters {
            bind(slot.name.clone(), "parameters", slot.offset);
            bind(format!("gradient.{}", slot.name), "gradients", slot.offset);
        }
        for (index, group) in self.groups.iter().enumerate() {
            for region in ["parameters", "gradients", "moment1", "moment2"] {
                bind(format!("{region}.{index}"), region, group.offset);
            }
        }
        for region in ["parameters", "gradients"] {
            bind(region.to_owned(), region, 0);
        }
        ProgramGraph {
            name: name.to_owned(),
            graph,
            bindings,
        }
    }
}

impl ParameterSlot {
    /// Number of elements.
    pub fn elements(&self) -> u64 {
        self.dims.iter().product()
    }
}
