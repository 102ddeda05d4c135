//! All ways to run a product, for measurements to choose from.

use super::Facts;
use super::plan::{self, SHAPES, Shape};
use super::split::{MOST, best, into};
use crate::kernel::Kernel;
use crate::schedules::Schedule;

/// How many times the estimate of the least way's cost a way may have that is worth a measurement.
const SPREAD: u64 = 2;

/// Ways that the schedule covers: the estimate's own choice first, then from the cheapest on. None
/// for a kernel that is no product of matrix instructions.
pub fn ways(kernel: &Kernel) -> Vec<Schedule> {
    let Some(own) = own(kernel) else {
        return Vec::new();
    };
    let mut ways = Vec::new();
    for parts in 1..=MOST {
        let split = match parts {
            1 => None,
            _ => match into(kernel, parts) {
                Some(split) => Some(split),
                None => continue,
            },
        };
        let multiplies = split.as_ref().map_or(kernel, |it| &it.partial).hash();
        for shape in SHAPES {
            let shaped = Facts {
                shape: Some(shape),
                ..Facts::of(kernel)
            };
            let cost = match &split {
                None => plan::plan(kernel, &shaped).ok().map(|plan| plan.cost),
                Some(split) => split.cost(Some(shape)),
            };
            let schedule = || Schedule {
                parts,
                multiplies: multiplies.clone(),
                tile: shape.tile,
                blocks: shape.blocks,
            };
            ways.extend(cost.map(|cost| ((parts, shape) != own, cost, schedule())));
        }
    }
    ways.sort_by_key(|(other, cost, _)| (*other, *cost));
    let least = ways.iter().map(|(_, cost, _)| *cost).min().unwrap_or(0);
    ways.retain(|(other, cost, _)| !other || *cost <= SPREAD * least);
    ways.into_iter().map(|(.., schedule)| schedule).collect()
}

/// Parts and blocks that the estimate takes.
fn own(kernel: &Kernel) -> Option<(u64, Shape)> {
    let shape = |kernel: &Kernel| {
        plan::plan(kernel, &Facts::of(kernel))
            .ok()
            .map(|it| it.shape)
    };
    match best(kernel) {
        None => Some((1, shape(kernel)?)),
        Some(split) => Some((split.parts, shape(&split.partial)?)),
    }
}
