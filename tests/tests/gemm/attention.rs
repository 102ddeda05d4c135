//! Attention and its gradients: every kind of mask, width of head and ragged end, and planted mistakes.

use mm1_compiler::codegen::nvgpu::attention::schedule;
use mm1_compiler::codegen::nvgpu::gemm::Facts;
use mm1_compiler::codegen::nvgpu::{Schedule, schedule as choose};
use mm1_compiler::fuse::{Fused, Home, fuse};
use mm1_compiler::graph::text::parse;
use mm1_compiler::kernel::Kernel;
use mm1_compiler::kernel::evaluate::evaluate;
use mm1_compiler::schedules::Schedules;
use mm1_compiler::target::GPU_TARGETS;
use mm1_package::{DType, ExtentRef};

use super::build::{contents, decode};
use super::run::{Compiled, Way, two_orders};

/// Which keys a query sees besides the causal cut.
#[derive(Clone, Copy, Debug)]
enum Ranges {
    /// All.
    None,
    /// A first key, by a function of query and keys.
    Begin(fn(i32, i32) -> i32),
    /// One past the last.
    End(fn(i32, i32) -> i32),
    /// Both.
    Both(fn(i32, i32) -> i32, fn(i32, i32) -> i32),
}

/// An attention and its derivative.
#[derive(Clone, Copy)]
struct Case {
    batch: u64,
    queries: u64,
    keys: u64,
    heads: u64,
    groups: u64,
    width: u64,
    causal: bool,
    ranges: Ranges,
    /// Sequences that exist, where their number is a run-time size.
    runtime: Option<u64>,
}

const CASE: Case = Case {
    batch: 1,
    queries: 150,
    keys: 150,
    heads: 1,
    groups: 1,
    width: 64,
    causal: true,
    ranges: Ranges::None,
    runtime: None,
};

/// Three segments of uneven lengths.
fn segment(at: i32, keys: i32) -> [i32; 2] {
    let cuts = [0, keys / 5, keys * 2 / 3, keys];
    let number = cuts.iter().filter(|cut| **cut <= at).count().min(3);
    [cuts[number - 1], cuts[number]]
}

fn segment_begin(query: i32, keys: i32) -> i32 {
    segment(query, keys)[0]
}

fn segment_end(query: i32, keys: i32) -> i32 {
    segment(query, keys)[1]
}

/// Early keys are visible to all, later ones as in causal attention.
fn prefix_end(query: i32, keys: i32) -> i32 {
    (query + 1).max(keys / 3)
}

impl Case {
    fn graph(&self) -> String {
        let Self {
            queries,
            keys,
            heads,
            groups,
            width,
            ..
        } = *self;
        let (extent, batch) = match self.runtime {
            None => (String::new(), self.batch.to_string()),
            Some(_) => (format!("extent n <= {}\n", self.batch), "n".to_owned()),
        };
        let mut inputs = String::new();
        let mut ranges = String::new();
        let mut flags = if self.causal { ", causal" } else { "" }.to_owned();
        let (begin, end) = match self.ranges {
            Ranges::None => (false, false),
            Ranges::Begin(_) => (true, false),
            Ranges::End(_) => (false, true),
            Ranges::Both(..) => (true, true),
        };
        for (name, wanted) in [("begin", begin), ("end", end)] {
            if wanted {
                inputs += &format!("%{name}: i32[{batch}, {queries}] = input()\n");
                ranges += &format!(", %{name}");
                flags += &format!(", {name}");
            }
        }
        let q = format!("bf16[{batch}, {queries}, {heads}, {width}]");
        let k = format!("bf16[{batch}, {keys}, {groups}, {width}]");
        format!(
            "{extent}%q: {q} = input()\n%k: {k} = input()\n%v: {k} = input()\n%dout: {q} = input()\n\
             {inputs}\
             %out: {q}, f32[{batch}, {heads}, {queries}] = attention(%q, %k, %v{ranges}) \
             {{scale=0.25{flags}}}\n\
             %grad: {q}, {k}, {k} = attention_grad(%dout, %q, %k, %v, %out, %out#1{ranges}) \
             {{scale=0.25{flags}}}\n\
             output out = %out\noutput lse = %out#1\n\
             output dq = %grad\noutput dk = %grad#1\noutput dv = %grad#2\n"
        )
    }

    fn fused(&self) -> Fused {
        let text = self.graph();
        let graph = parse(&text).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
        fuse(&graph).unwrap()
    }

    /// Bytes of each buffer before anything ran; what a kernel must write is NaN.
    fn memory(&self, fused: &Fused) -> Vec<Vec<u8>> {
        let limit = |of: fn(i32, i32) -> i32| -> Vec<u8> {
            (0..self.batch * self.queries)
                .map(|at| (at % self.queries) as i32)
                .flat_map(|query| of(query, self.keys as i32).to_le_bytes())
                .collect()
        };
        let mut sources = 0;
        let mut limits = match self.ranges {
            Ranges::None => vec![],
            Ranges::Begin(of) | Ranges::End(of) => vec![limit(of)],
            Ranges::Both(begin, end) => vec![limit(begin), limit(end)],
        };
        limits.reverse();
        let buffers = fused.buffers.iter();
        buffers
            .map(|info| match (info.home, info.dtype) {
                (Home::Source(_), DType::I32) => limits.pop().unwrap(),
                (Home::Source(_), dtype) => {
                    sources += 1;
                    contents(dtype, info.elements as usize, sources)
                }
                _ => vec![0xff; info.bytes() as usize],
            })
            .collect()
    }
}

/// The largest difference in units of what rounded weights allow, and where.
fn difference(dtype: DType, got: &[u8], want: &[u8]) -> (f64, usize) {
    let (relative, absolute) = match dtype {
        // Weights and slopes are rounded beside a running maximum.
        DType::Bf16 => (1.0 / 128.0, 3e-3),
        DType::F32 => (2e-5, 2e-5),
        DType::I32 => (0.0, 0.0),
    };
    let pairs = decode(dtype, got).into_iter().zip(decode(dtype, want));
    let mut worst = (0.0, 0);
    for (element, (got, want)) in pairs.enumerate() {
        let off = (got - want).abs() / (relative * want.abs() + absolute);
        let off = match (got == want || got.is_nan() && want.is_nan(), off.is_nan()) {
            (true, _) => 0.0,
            (false, true) => f64::INFINITY,
            (false, false) => off,
        };
        if off > worst.0 {
            worst = (off, element);
        }
    }
    worst
}

/// Runs each kernel on what the kernels before it mean. Returns how many ran on matrix units.
fn each_kernel(case: &Case, mut check: impl FnMut(&Kernel, &[Vec<u8>], &[u64], &[Vec<u8>])) {
    let fused = case.fused();
    let mut memory = case.memory(&fused);
    for call in &fused.calls {
        let extents: Vec<u64> = call
            .extents
            .iter()
            .map(|extent| match *extent {
                ExtentRef::Fixed(size) => size,
                ExtentRef::Scaled { scale, .. } => scale * case.runtime.unwrap(),
            })
            .collect();
        let before: Vec<Vec<u8>> = call
            .args
            .iter()
            .map(|(key, first)| {
                assert_eq!(*first, 0);
                memory[key.0 as usize].clone()
            })
            .collect();
        let mut want = before.clone();
        evaluate(&call.kernel, &mut want, &extents).unwrap();
        check(&call.kernel, &before, &extents, &want);
        for ((key, _), bytes) in call.args.iter().zip(want) {
            memory[key.0 as usize] = bytes;
        }
    }
}

fn check(case: &Case) {
    let mut checked = 0;
    each_kernel(case, |kernel, before, extents, want| {
        // δ is a sum over rows.
        let Ok(schedule) = schedule(kernel, &Facts::of(kernel)) else {
            assert!(kernel.stages.len() == 2, "{kernel}");
            return;
        };
        checked += 1;
        let compiled = Compiled::of(kernel, schedule);
        let (given, ways) = ((before, extents), two_orders());
        compiled.agrees(kernel, given, want, &ways, difference);
    });
    assert_eq!(checked, 3);
}

#[test]
fn every_width_of_heads() {
    for width in [8, 16, 40, 64, 80, 128] {
        check(&Case { width, ..CASE });
    }
}

#[test]
fn every_kind_of_mask() {
    let kinds = [
        (false, Ranges::None),
        (false, Ranges::End(prefix_end)),
        (false, Ranges::Both(segment_begin, segment_end)),
        (true, Ranges::Begin(segment_begin)),
        (true, Ranges::Both(segment_begin, segment_end)),
        (true, Ranges::End(|_, keys| keys / 2)),
    ];
    for (causal, ranges) in kinds {
        let case = Case {
            queries: 200,
            keys: 200,
            width: 32,
            causal,
            ranges,
            ..CASE
        };
        check(&case);
    }
}

#[test]
fn queries_that_see_nothing() {
    let none = |query: i32, keys: i32| if query % 3 == 0 { 0 } else { keys };
    for ranges in [
        Ranges::End(none),
        Ranges::End(|_, _| 0),
        Ranges::Begin(|_, keys| keys + 5),
        // Whole tiles of queries and of keys that are not seen.
        Ranges::Both(|_, _| 140, |query, _| if query < 130 { 145 } else { 0 }),
    ] {
        let case = Case {
            queries: 160,
            keys: 150,
            width: 16,
            causal: false,
            ranges,
            ..CASE
        };
        check(&case);
    }
}

#[test]
fn query_heads_that_share_keys() {
    for groups in [1, 2] {
        let case = Case {
            batch: 2,
            queries: 90,
            keys: 90,
            heads: 4,
            groups,
            width: 32,
            ..CASE
        };
        check(&case);
    }
}

#[test]
fn every_ragged_end() {
    for (queries, keys) in [
        (9, 300),
        (300, 9),
        (64, 128),
        (128, 64),
        (129, 257),
        (191, 127),
    ] {
        let case = Case {
            queries,
            keys,
            width: 16,
            causal: queries == keys + 64,
            ..CASE
        };
        check(&case);
    }
}

#[test]
fn rings_go_round() {
    for (causal, ranges) in [
        (false, Ranges::None),
        (true, Ranges::Both(segment_begin, segment_end)),
    ] {
        let case = Case {
            queries: 620,
            keys: 620,
            width: 8,
            causal,
            ranges,
            ..CASE
        };
        check(&case);
    }
    let case = Case {
        queries: 300,
        keys: 300,
        heads: 2,
        width: 128,
        ..CASE
    };
    check(&case);
}

#[test]
fn batches_of_run_time_length() {
    for runtime in [0, 2] {
        let case = Case {
            batch: 3,
            queries: 40,
            keys: 40,
            heads: 2,
            width: 16,
            causal: false,
            runtime: Some(runtime),
            ..CASE
        };
        check(&case);
    }
}

#[test]
fn what_is_not_covered_runs_by_teams() {
    let target = GPU_TARGETS.iter().find(|target| target.wgmma).unwrap();
    let none = Schedules::default();
    for (case, teams) in [
        (CASE, false),
        (Case { width: 12, ..CASE }, true),
        (Case { width: 136, ..CASE }, true),
        // One new token beside a cache of keys.
        (
            Case {
                queries: 1,
                causal: false,
                ..CASE
            },
            true,
        ),
    ] {
        for call in &case.fused().calls {
            if call.kernel.stages.len() > 2 {
                let aligned = vec![64; call.kernel.buffers.len()];
                let summary = choose(&call.kernel, &aligned, target, &none)
                    .unwrap()
                    .summary;
                assert_eq!(summary.starts_with("teams"), teams, "{summary}");
            }
        }
    }
}

/// A schedule with one place of its text changed.
fn tampered(kernel: &Kernel, right: &str, wrong: &str, place: usize) -> Option<Schedule> {
    let mut schedule = schedule(kernel, &Facts::of(kernel)).ok()?;
    let (at, _) = schedule.text.match_indices(right).nth(place)?;
    schedule.text.replace_range(at..at + right.len(), wrong);
    Some(schedule)
}

#[test]
fn a_planted_mistake_is_noticed() {
    // Text, what stands in its place, which occurrence, and in how many kernels that must be seen.
    let of_all = [
        // A wait for the other phase of a barrier.
        ("p, [$1], $2;", "p, [$1], 1;", 1, 3),
        // A product that nobody waits for.
        ("wgmma.wait_group.sync.aligned 1; ", "", 0, 3),
        ("wgmma.wait_group.sync.aligned 0; ", "", 0, 3),
        // Keys where they should be transposed, and the other way round.
        ("yes, 1, 1, 1;", "yes, 1, 1, 0;", 0, 3),
        ("no, 1, 1, 0, 0;", "no, 1, 1, 0, 1;", 0, 3),
        // A barrier that waits for half of the bytes.
        ("b64 _, [$0], 32768;", "b64 _, [$0], 16384;", 0, 2),
    ];
    // Rows that see one key too many.
    let of_causal = [("llvm.icmp \"ult\"", "llvm.icmp \"ule\"", 6, 3)];
    let of_short = [
        // Rows that do not see a key.
        ("llvm.icmp \"ult\"", "llvm.icmp \"uge\"", 5, 2),
        // A key past the end, which is 0 and so adds nothing to a gradient.
        ("llvm.icmp \"ult\"", "llvm.icmp \"uge\"", 13, 1),
    ];
    let ragged = Case {
        queries: 150,
        keys: 620,
        width: 8,
        causal: false,
        ..CASE
    };
    let causal = Case {
        causal: true,
        ..ragged
    };
    let short = Case { keys: 20, ..ragged };
    for (case, mistakes) in [
        (ragged, &of_all[..]),
        (causal, &of_causal[..]),
        (short, &of_short[..]),
    ] {
        let mut found = vec![0; mistakes.len()];
        each_kernel(&case, |kernel, before, extents, want| {
            for ((right, wrong, place, kernels), found) in mistakes.iter().zip(&mut found) {
                let schedule = tampered(kernel, right, wrong, *place);
                let Some(schedule) = schedule.filter(|_| *found < *kernels) else {
                    continue;
                };
                *found += 1;
                let compiled = Compiled::of(kernel, schedule);
                let noticed = match compiled.run(before, extents, &Way::default()) {
                    Err(_) => true,
                    Ok((got, _)) => {
                        let buffers = got.iter().zip(want).zip(&kernel.buffers);
                        let mut worst = buffers
                            .map(|((got, want), buffer)| difference(buffer.dtype, got, want).0);
                        worst.any(|worst| worst > 1.0)
                    }
                };
                assert!(noticed, "{}: `{right}` as `{wrong}`", kernel.name);
            }
        });
        for ((right, _, _, kernels), found) in mistakes.iter().zip(found) {
            assert_eq!(found, *kernels, "`{right}` occurs in {found} kernels");
        }
    }
}
