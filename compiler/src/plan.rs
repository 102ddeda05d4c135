//! Memory plan: offsets in one arena for the buffers of a program.
//!
//! A buffer lives from the first call that names it to the last. Buffers are placed largest
//! first, each at the lowest offset that is free during its whole life; the result is compared
//! with the largest sum of live bytes at any call, below which no plan can go for this order.

use crate::fuse::{Call, Fused, Home};

/// Offsets are multiples of this many bytes, as those of all tensors of a package.
pub(crate) const ALIGN: u64 = 64;

/// Placement of a program's arena buffers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Byte offset by buffer; `None` for buffers that live elsewhere or are never used.
    pub offsets: Vec<Option<u64>>,
    /// Bytes of the arena.
    pub arena_bytes: u64,
    /// Largest sum of live bytes at one call.
    pub largest_live_bytes: u64,
}

struct Life {
    buffer: usize,
    bytes: u64,
    first: usize,
    last: usize,
}

/// Places the arena buffers of a program.
pub fn plan(program: &Fused) -> Plan {
    let mut lives = lives(program);
    let largest_live_bytes = largest_live(&lives, program.calls.len());
    lives.sort_by(|a, b| {
        b.bytes
            .cmp(&a.bytes)
            .then(a.first.cmp(&b.first))
            .then(a.buffer.cmp(&b.buffer))
    });
    let mut offsets = vec![None; program.buffers.len()];
    // (offset, end, first, last) of what is placed.
    let mut placed: Vec<(u64, u64, usize, usize)> = Vec::new();
    let mut arena_bytes = 0;
    for life in &lives {
        let mut taken: Vec<(u64, u64)> = placed
            .iter()
            .filter(|(_, _, first, last)| *first <= life.last && life.first <= *last)
            .map(|(start, end, _, _)| (*start, *end))
            .collect();
        taken.sort_unstable();
        // Best fit: the smallest gap that holds it, else after the last.
        let mut end = 0;
        let mut best: Option<(u64, u64)> = None;
        for (start, stop) in taken {
            if start >= end + life.bytes && best.is_none_or(|(gap, _)| start - end < gap) {
                best = Some((start - end, end));
            }
            end = end.max(stop);
        }
        let offset = best.map_or(end, |(_, offset)| offset);
        offsets[life.buffer] = Some(offset);
        arena_bytes = arena_bytes.max(offset + life.bytes);
        placed.push((offset, offset + life.bytes, life.first, life.last));
    }
    Plan {
        offsets,
        arena_bytes,
        largest_live_bytes,
    }
}

fn lives(program: &Fused) -> Vec<Life> {
    let mut spans: Vec<Option<(usize, usize)>> = vec![None; program.buffers.len()];
    for (index, call) in program.calls.iter().enumerate() {
        for buffer in buffers(call) {
            let span = spans[buffer].get_or_insert((index, index));
            span.1 = index;
        }
    }
    spans
        .into_iter()
        .enumerate()
        .filter(|(buffer, _)| program.buffers[*buffer].home == Home::Arena)
        .filter_map(|(buffer, span)| {
            let (first, last) = span?;
            let bytes = program.buffers[buffer].bytes().next_multiple_of(ALIGN);
            Some(Life {
                buffer,
                bytes,
                first,
                last,
            })
        })
        .collect()
}

fn buffers(call: &Call) -> impl Iterator<Item = usize> + '_ {
    call.args.iter().map(|(key, _)| key.0 as usize)
}

fn largest_live(lives: &[Life], calls: usize) -> u64 {
    let mut change = vec![0i64; calls + 1];
    for life in lives {
        change[life.first] += life.bytes as i64;
        change[life.last + 1] -= life.bytes as i64;
    }
    let mut live = 0;
    let mut largest = 0;
    for step in change {
        live += step;
        largest = largest.max(live);
    }
    largest as u64
}
