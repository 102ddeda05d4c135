//! What a kernel of attention becomes: its form, axes, tiles, ring, and tensor maps. A pure function
//! of the kernel and the buffers' alignment.

use mm1_package::{DType, MapDim, TensorMap};

use super::super::gemm::Facts;
use super::found::{forward, gradient, place, product};
use crate::kernel::{
    Address, AxisId, AxisSize, BufferId, Coordinate, Expr, ExprId, Kernel, StageKind, Window,
};

/// Rows of a tile: 64 for each of two consuming warpgroups.
pub(super) const ROWS: u32 = 128;
/// Threads of a block: two consuming warpgroups, one that produces.
pub(super) const THREADS: u32 = 384;
/// Elements of a swizzled line of 128 bytes.
const LINE: u32 = 64;
/// Dynamic shared memory that a block may have.
const SHARED: u32 = 227 << 10;
/// Fewer queries than this are left to the teams of threads: most rows of a tile would be empty.
const LEAST_QUERIES: u64 = 9;

/// An element of memory at given axes.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub buffer: u32,
    pub address: Address,
    pub dtype: DType,
}

/// A tile operand that bulk copies bring.
#[derive(Clone, Debug)]
pub(super) struct Operand {
    /// Number of its tensor map.
    pub map: u32,
    /// Axes of the map: features, sequence, others.
    pub axes: Vec<AxisId>,
}

/// Which of the three kernels it is.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// Output and log-sum-exp of a tile of queries.
    Forward {
        output: Place,
        /// Least divisor of the output.
        floor: f32,
        statistic: Option<Place>,
    },
    /// Gradient of a tile of queries.
    Queries { result: Place },
    /// Gradients of a tile of keys and of their values.
    Keys { results: [Place; 2] },
}

/// The schedule of a kernel.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub form: Form,
    /// Batch, key head, member of its group, query, key.
    pub axes: [AxisId; 5],
    /// Key heads, query heads of each, queries, keys.
    pub sizes: [u32; 4],
    /// Width of a head.
    pub features: u32,
    pub scale: f32,
    pub window: Option<Window>,
    /// Places of `window.begin` and `window.end`.
    pub limits: [Option<Place>; 2],
    /// Log-sum-exp and δ, where gradients read them.
    pub statistics: Option<[Place; 2]>,
    /// Operands whose tile stays: q; q and dout; k and v.
    pub resident: Vec<Operand>,
    /// Operands whose blocks go through the ring: k and v; k and v; q and dout.
    pub walked: [Operand; 2],
    /// Elements of the walked sequence in a block.
    pub block: u32,
    /// Slots of the ring.
    pub stages: u32,
    pub maps: Vec<TensorMap>,
}

impl Plan {
    /// The sequence whose elements are the rows of tiles.
    pub fn tiled(&self) -> AxisId {
        match self.form {
            Form::Forward { .. } | Form::Queries { .. } => self.axes[3],
            Form::Keys { .. } => self.axes[4],
        }
    }

    /// The grid.
    pub fn tiles(&self) -> Vec<(AxisId, u64)> {
        let [b, g, r, ..] = self.axes;
        let mut tiles = vec![(b, 1), (g, 1)];
        if !matches!(self.form, Form::Keys { .. }) {
            tiles.push((r, 1));
        }
        tiles.push((self.tiled(), u64::from(ROWS)));
        tiles
    }

    /// Swizzled lines side by side that hold a row.
    pub fn panels(&self) -> u32 {
        self.features.div_ceil(LINE)
    }

    /// Products of 16 that fold the features.
    pub fn slices(&self) -> u32 {
        self.features.div_ceil(16)
    }

    /// Bytes of a tile of so many rows.
    pub fn tile_bytes(&self, rows: u32) -> u32 {
        self.panels() * rows * 2 * LINE
    }

    /// Blocks in a slot: of one operand or of both.
    fn slot_tiles(&self) -> u32 {
        match self.form {
            Form::Forward { .. } => 1,
            Form::Queries { .. } | Form::Keys { .. } => 2,
        }
    }

    pub fn slot_bytes(&self) -> u32 {
        self.slot_tiles() * self.tile_bytes(self.block)
    }

    /// Bytes of what a block of queries needs beside its tiles: log-sum-exp, δ, first and last
    /// visible key, and whether a mask is needed.
    pub fn notes_bytes(&self) -> u32 {
        match self.form {
            Form::Forward { .. } | Form::Queries { .. } => 0,
            Form::Keys { .. } => 16 * self.block + 16,
        }
    }

    pub fn resident_bytes(&self) -> u32 {
        self.resident.len() as u32 * self.tile_bytes(ROWS)
    }

    /// Bytes before the notes.
    pub fn notes_at(&self) -> u32 {
        self.resident_bytes() + self.stages * self.slot_bytes()
    }

    pub fn barriers_at(&self) -> u32 {
        self.notes_at() + self.stages * self.notes_bytes()
    }

    /// Bytes before the results of warps when the range is found.
    pub fn scan_at(&self) -> u32 {
        self.barriers_at() + 8 * (2 * self.stages + 2)
    }

    /// Dynamic shared memory, with slack to align it.
    pub fn shared_bytes(&self) -> u32 {
        1024 + self.scan_at() + 4 * 4 * THREADS / 32
    }

    /// Whether any pair of an existing query and key may be invisible, or a block reach past the keys.
    pub fn masks(&self) -> bool {
        let ragged =
            !matches!(self.form, Form::Keys { .. }) && !self.sizes[3].is_multiple_of(self.block);
        self.window.is_some() || ragged
    }

    /// Whether visible keys are read from memory.
    pub fn has_limits(&self) -> bool {
        self.limits.iter().any(Option::is_some)
    }

    pub fn is_causal(&self) -> bool {
        self.window.as_ref().is_some_and(|window| window.causal)
    }

    /// What changes results.
    pub fn summary(&self) -> String {
        let name = match self.form {
            Form::Forward { .. } => "attention",
            Form::Queries { .. } => "attention dq",
            Form::Keys { .. } => "attention dk dv",
        };
        format!(
            "wgmma {name} {ROWS}x{} of {}, {} slots",
            self.block, self.features, self.stages
        )
    }
}

/// Plans a kernel.
///
/// # Errors
/// Why the schedule does not cover the kernel.
pub(super) fn plan(kernel: &Kernel, facts: &Facts) -> Result<Plan, String> {
    let first = kernel.stages.first().ok_or("no stage")?;
    let [b, g, r, i, j, d] = first.domain[..] else {
        return Err("scores do not span six axes".to_owned());
    };
    let (q, k) = product(first, d)?;
    let fixed = |axis: AxisId| match kernel.axis_of(axis).size {
        AxisSize::Fixed(size) => Ok(size),
        AxisSize::Runtime(_) => Err(format!("axis {} has a run-time size", axis.0)),
    };
    let features = fixed(d)?;
    if features == 0 || features % 8 != 0 || features > 128 {
        return Err(format!("heads of {features} elements"));
    }
    let mut sizes = [0; 4];
    for (size, axis) in sizes.iter_mut().zip([g, r, i, j]) {
        *size = u32::try_from(fixed(axis)?).map_err(|error| error.to_string())?;
    }
    if u64::from(sizes[2]) < LEAST_QUERIES || sizes[3] < 2 {
        return Err(format!("{} queries of {} keys", sizes[2], sizes[3]));
    }
    let axes = [b, g, r, i, j];
    let found = match &kernel.stages[1..] {
        [fold, maps @ ..] if matches!(fold.kind, StageKind::SoftmaxContract { .. }) => {
            forward(kernel, axes, fold, maps)?
        }
        [dweights, rest @ ..] => gradient(kernel, axes, [(q, d), (k, d)], dweights, rest)?,
        [] => return Err("no stage folds the scores".to_owned()),
    };
    if found
        .features
        .iter()
        .any(|axis| fixed(*axis) != Ok(features))
    {
        return Err("keys and values have other widths".to_owned());
    }
    if !(found.scale.is_finite() && found.scale > 0.0) {
        return Err(format!("a scale of {}", found.scale));
    }
    let by_queries = found.dout.map(|(load, along)| (load, along, i));
    let keys = [(k, d, j), (found.v, found.e, j)];
    let (resident, walked) = match (&found.form, by_queries) {
        (Form::Forward { .. }, _) => (vec![(q, d, i)], keys),
        (Form::Queries { .. }, Some(dout)) => (vec![(q, d, i), dout], keys),
        (Form::Keys { .. }, Some(dout)) => (keys.to_vec(), [(q, d, i), dout]),
        (_, None) => return Err("a gradient without its source".to_owned()),
    };
    // Wider blocks read less shared memory for each product, as far as registers go.
    let block = match found.form {
        Form::Forward { .. } => 128,
        Form::Queries { .. } if features <= u64::from(LINE) => 128,
        Form::Queries { .. } | Form::Keys { .. } => 64,
    };
    let mut maps = Vec::new();
    let mut operand = |(load, feature, sequence): (ExprId, AxisId, AxisId), rows: u32| {
        let (map, axes) = tensor_map(kernel, facts, load, feature, sequence, rows)?;
        maps.push(map);
        Ok::<_, String>(Operand {
            map: maps.len() as u32 - 1,
            axes,
        })
    };
    let resident = resident
        .into_iter()
        .map(|it| operand(it, ROWS))
        .collect::<Result<_, _>>()?;
    let walked = [operand(walked[0], block)?, operand(walked[1], block)?];
    let mut limits = [None, None];
    if let Some(window) = &found.window {
        if (window.query, window.key) != (i, j) {
            return Err("a window of other axes".to_owned());
        }
        for (limit, load) in limits.iter_mut().zip([window.begin, window.end]) {
            *limit = load
                .map(|load| place(kernel, load, &[b, i], DType::I32))
                .transpose()?;
        }
    }
    for target in found.stores() {
        is_pairwise(target, facts)?;
    }
    let mut plan = Plan {
        form: found.form,
        axes,
        sizes,
        features: features as u32,
        scale: found.scale,
        window: found.window,
        limits,
        statistics: found.statistics,
        resident,
        walked,
        block,
        stages: 0,
        maps,
    };
    let slot = plan.slot_bytes() + plan.notes_bytes() + 16;
    plan.stages = ((SHARED - plan.shared_bytes()) / slot).min(match plan.form {
        Form::Forward { .. } => 6,
        Form::Queries { .. } | Form::Keys { .. } => 4,
    });
    match plan.stages {
        0..2 => Err("no room for a ring".to_owned()),
        _ => Ok(plan),
    }
}

/// Whether two neighbours of a result are one aligned access.
fn is_pairwise(place: &Place, facts: &Facts) -> Result<(), String> {
    let bytes = match place.dtype {
        DType::Bf16 => 4,
        DType::F32 => 8,
        DType::I32 => return Err("a result of integers".to_owned()),
    };
    let base = facts.alignment.get(place.buffer as usize).copied();
    let even = place.address.offset % 2 == 0
        && place.address.terms.iter().all(|(_, by)| by % 2 == 0)
        && base.is_some_and(|base| base % bytes == 0);
    match even {
        true => Ok(()),
        false => Err("a result whose rows are not aligned".to_owned()),
    }
}

/// A tensor map for a load of bf16: features along the lines, then the sequence, then the rest.
fn tensor_map(
    kernel: &Kernel,
    facts: &Facts,
    load: ExprId,
    feature: AxisId,
    sequence: AxisId,
    rows: u32,
) -> Result<(TensorMap, Vec<AxisId>), String> {
    let Expr::Load {
        buffer: BufferId(buffer),
        address,
        guards,
    } = kernel.expr_of(load)
    else {
        return Err("an operand that is no load".to_owned());
    };
    let memory = &kernel.buffers[*buffer as usize];
    let aligned = facts.alignment.get(*buffer as usize).copied();
    let plain = memory.dtype == DType::Bf16
        && !memory.written
        && guards.is_empty()
        && aligned.is_some_and(|by| by % 16 == 0)
        && address.offset >= 0
        && address.offset % 8 == 0
        && address.stride(feature) == 1;
    let mut axes = vec![feature, sequence];
    for (coordinate, _) in &address.terms {
        match coordinate {
            Coordinate::Axis(axis) if axes.contains(axis) => {}
            Coordinate::Axis(axis) => axes.push(*axis),
            Coordinate::Row(_) => return Err("an operand of chosen rows".to_owned()),
        }
    }
    let strides: Vec<i64> = axes[1..].iter().map(|axis| address.stride(*axis)).collect();
    if !plain || axes.len() > 5 || strides.iter().any(|by| *by <= 0 || by % 8 != 0) {
        return Err("an operand that bulk copies do not reach".to_owned());
    }
    let mut box_dims = vec![1; axes.len()];
    (box_dims[0], box_dims[1]) = (LINE, rows);
    let dims = axes.iter().map(|axis| match kernel.axis_of(*axis).size {
        AxisSize::Fixed(size) => MapDim::Fixed(size),
        AxisSize::Runtime(extent) => MapDim::Extent(extent),
    });
    let map = TensorMap {
        arg: *buffer,
        offset: 2 * address.offset as u64,
        dtype: DType::Bf16,
        dims: dims.collect(),
        strides: strides.iter().map(|by| 2 * *by as u64).collect(),
        box_dims,
        swizzle: 128,
    };
    Ok((map, axes))
}
