//! `mm1c bench`: a training step on made-up tokens, and where its time goes.

use std::collections::BTreeMap;

use mm1_dsl::model::Precision;
use mm1_package::{ExtentRef, Launch, ModelFacts, Package};
use mm1_runtime::data::Batch;
use mm1_runtime::executor::Executor;
use mm1_runtime::metrics::resident_memory;
use mm1_runtime::philox::Philox;
use serde_json::json;

use super::print_table;
use crate::args::BenchArgs;
use crate::compile::{package_of, threads};
use crate::convert::train_config;
use crate::failure::Failure;
use crate::roof::Roof;
use crate::{device, given, undisturbed};

/// Repeats of a program when its launches are timed one by one; the shortest counts.
const REPEATS: usize = 5;

/// One kernel of one program over a step.
struct Row {
    program: &'static str,
    kernel: String,
    launches: usize,
    seconds: f64,
    flops: f64,
    bytes: f64,
    /// Time at the machine's rates, launch by launch.
    roof: f64,
}

/// Measures and prints.
///
/// # Errors
/// A model that is refused, or a package without training programs.
pub fn run(args: &BenchArgs) -> Result<(), Failure> {
    let start_rss = resident_memory().map_or(0, |(now, _)| now);
    let (model, program) = given::open(&args.model.model, &args.model.sets, &args.program)?;
    let threads = threads(program.threads);
    let device = device::open(program.device, threads)?;
    let package = package_of(&model, &program)?;
    let loaded_rss = resident_memory().map_or(0, |(now, _)| now);
    let mut executor = Executor::with_device(package.clone(), device)?;
    mm1_runtime::init::initialize(&mut executor, model.train.seed)?;
    let config = train_config(&model)?;
    let batches: Vec<Batch> = (0..config.micro_batches)
        .map(|number| made_up_batch(&package.model, number as u64))
        .collect();
    let tokens: u64 = batches
        .iter()
        .map(|it| it.stats.text_tokens + it.stats.image_tokens)
        .sum();
    let mut number = 0;
    let mut step = || -> Result<(), Failure> {
        number += 1;
        config
            .optimizer
            .step(&mut executor, number, number, &batches)?;
        // A GPU may still be at work on the update.
        executor.synchronize()?;
        Ok(())
    };
    // The first step touches memory for the first time; it is not timed.
    step()?;
    let times = undisturbed::time(args.steps, step)?;
    let peak_rss = resident_memory().map_or(0, |(_, peak)| peak);
    let median = times.median();
    let bf16 = model.train.precision == Precision::Bf16;
    let roof = Roof::new(args, &mut executor, bf16)?;
    let (peak_flops, peak_bytes) = (roof.flops, roof.bytes);
    let mut rows = Vec::new();
    for (program, times) in [
        ("accumulate", config.micro_batches),
        ("gradient_norm", 1),
        ("apply", 1),
    ] {
        rows.extend(profile(
            &mut executor,
            &package,
            program,
            times,
            peak_flops,
            peak_bytes,
        )?);
    }
    rows.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    let flops = package.model.flops as f64 * config.micro_batches as f64;
    if args.json {
        let kernels: Vec<_> = rows
            .iter()
            .map(|row| {
                json!({
                    "program": row.program, "kernel": row.kernel, "launches": row.launches,
                    "ms": row.seconds * 1e3, "gflop": row.flops / 1e9, "mb": row.bytes / 1e6,
                    "roof_share": row.share(), "gbs_share": row.bytes_share(peak_bytes),
                    "gflops_share": row.flops_share(peak_flops),
                })
            })
            .collect();
        let out = json!({
            "model": model.name, "target": package.target, "backend": package.backend,
            "device": executor.device_name(), "device_memory_bytes": executor.memory(),
            "threads": threads, "step_ms": median * 1e3, "min_step_ms": times.shortest * 1e3,
            "steps": times.counted.len(), "all_steps": times.all, "undisturbed": times.undisturbed,
            "tokens_per_second": tokens as f64 / median,
            "gflop_per_step": flops / 1e9,
            "peak_gflops": peak_flops.map(|it| it / 1e9), "peak_gbs": peak_bytes / 1e9,
            "start_rss_bytes": start_rss, "loaded_rss_bytes": loaded_rss,
            "peak_rss_bytes": peak_rss, "kernels": kernels,
        });
        outln!("{}", serde_json::to_string_pretty(&out)?);
        return Ok(());
    }
    outln!(
        "{} on {}, {} {}: {:.1} ms per step (best {:.1}; {} of {} steps{}), {:.0} tokens/s, \
         {:.1} GFLOP",
        model.name,
        executor.device_name(),
        package.target,
        package.backend,
        median * 1e3,
        times.shortest * 1e3,
        times.counted.len(),
        times.all,
        match times.undisturbed {
            true => "",
            false => ", the fastest: others used the machine",
        },
        tokens as f64 / median,
        flops / 1e9,
    );
    outln!(
        "memory: {} at the start, {} loaded, {} at most, {} of the device; roofs: {} GFLOP/s, \
         {:.1} GB/s",
        mib(start_rss),
        mib(loaded_rss),
        mib(peak_rss),
        mib(executor.memory()),
        peak_flops.map_or("unknown".into(), |it| format!("{:.0}", it / 1e9)),
        peak_bytes / 1e9
    );
    let head = [
        "kernel",
        "program",
        "launches",
        "ms",
        "GFLOP",
        "MB",
        "of GFLOP/s",
        "of GB/s",
        "of roof",
    ];
    let cells: Vec<Vec<String>> = rows.iter().map(|row| row.cells(roof)).collect();
    print_table(&head.map(String::from), &cells);
    Ok(())
}

impl Row {
    fn share(&self) -> f64 {
        self.roof / self.seconds.max(1e-12)
    }

    /// Share of the peak rate of arithmetic.
    fn flops_share(&self, peak: Option<f64>) -> Option<f64> {
        peak.map(|peak| self.flops / peak / self.seconds.max(1e-12))
    }

    /// Share of the peak rate of memory.
    fn bytes_share(&self, peak: f64) -> f64 {
        self.bytes / peak / self.seconds.max(1e-12)
    }

    fn cells(&self, roof: Roof) -> Vec<String> {
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        let flops = self.flops_share(roof.flops);
        vec![
            self.kernel.clone(),
            self.program.to_string(),
            self.launches.to_string(),
            format!("{:.3}", self.seconds * 1e3),
            format!("{:.3}", self.flops / 1e9),
            format!("{:.2}", self.bytes / 1e6),
            flops.map_or("–".into(), percent),
            percent(self.bytes_share(roof.bytes)),
            percent(self.share()),
        ]
    }
}

fn mib(bytes: u64) -> String {
    format!("{:.0} MiB", bytes as f64 / (1u64 << 20) as f64)
}

/// Time per kernel of `program`, run `times` times in a step.
fn profile(
    executor: &mut Executor,
    package: &Package,
    name: &'static str,
    times: usize,
    peak_flops: Option<f64>,
    peak_bytes: f64,
) -> Result<Vec<Row>, Failure> {
    let launches = executor.profile(name, REPEATS)?;
    let Some(program) = package.program(name) else {
        return Ok(Vec::new());
    };
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for (time, launch) in launches.into_iter().zip(&program.launches) {
        let share = used_share(executor, package, launch);
        let (flops, bytes) = (time.flops as f64 * share, time.bytes as f64 * share);
        let compute = peak_flops.map_or(0.0, |peak| flops / peak);
        let row = rows.entry(time.kernel.clone()).or_insert_with(|| Row {
            program: name,
            kernel: time.kernel.clone(),
            launches: 0,
            seconds: 0.0,
            flops: 0.0,
            bytes: 0.0,
            roof: 0.0,
        });
        let times_f = times as f64;
        row.launches += times;
        row.seconds += time.seconds * times_f;
        row.flops += flops * times_f;
        row.bytes += bytes * times_f;
        row.roof += compute.max(bytes / peak_bytes) * times_f;
    }
    Ok(rows.into_values().collect())
}

/// Share of a launch's work at full bounds that its present run-time sizes ask for.
fn used_share(executor: &Executor, package: &Package, launch: &Launch) -> f64 {
    let tiles = launch.tiles.iter().map(|axis| axis.extent);
    let mut sizes: Vec<u32> = tiles
        .chain(launch.extents.iter().copied())
        .filter_map(|extent| match extent {
            ExtentRef::Scaled { index, .. } => Some(index),
            ExtentRef::Fixed(_) => None,
        })
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
        .into_iter()
        .filter_map(|index| package.extents.get(index as usize))
        .map(|extent| match executor.extent(&extent.name) {
            Ok(value) if extent.bound > 0 => value as f64 / extent.bound as f64,
            _ => 1.0,
        })
        .product()
}

/// A full batch: images spread evenly over the sequences and each sequence, random text
/// between them, every text token a target.
pub(crate) fn made_up_batch(facts: &ModelFacts, number: u64) -> Batch {
    let (sequences, length) = (facts.sequences as usize, facts.length as usize);
    let image_tokens = facts.image_tokens as usize;
    let mut draws = Philox::new(0, 0x0062_656e_6368).draws(number);
    let mut batch = Batch::default();
    for sequence in 0..sequences {
        let begin = sequence * length;
        // Even shares of the images; the last token of a sequence stays text.
        let share = facts.images as usize * (sequence + 1) / sequences
            - facts.images as usize * sequence / sequences;
        let images = match image_tokens {
            0 => 0,
            tokens => share.min((length - 1) / tokens),
        };
        let spacing = length / images.max(1);
        let side = facts.resolution as usize;
        for position in 0..length {
            let (image, place) = (position / spacing, position % spacing);
            let is_image = image < images && place < image_tokens;
            let row = (batch.image_count + image) * image_tokens + place;
            let token = draws.below(facts.vocabulary.max(1) as u32) as i32;
            batch.tokens.push(if is_image { -1 } else { token });
            batch
                .image_rows
                .push(if is_image { row as i32 } else { -1 });
            batch.positions.push(position as i32);
            batch.segment_begin.push(0);
            if position > 0 && !is_image {
                batch.loss_rows.push((begin + position - 1) as i32);
                batch.loss_targets.push(token);
                batch.loss_weights.push(1.0);
            }
            match is_image {
                true => batch.stats.image_tokens += 1,
                false => batch.stats.text_tokens += 1,
            }
        }
        batch.image_count += images;
        let pixels = images * 3 * side * side;
        batch
            .images
            .extend((0..pixels).map(|_| draws.range(-1.0, 1.0) as f32));
    }
    batch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_batch_is_full_and_consistent() {
        let facts = ModelFacts {
            sequences: 3,
            length: 32,
            images: 5,
            resolution: 4,
            image_tokens: 6,
            vocabulary: 50,
            ..ModelFacts::default()
        };
        let batch = made_up_batch(&facts, 1);
        assert_eq!(batch.image_count, 5);
        assert_eq!(batch.images.len(), 5 * 3 * 16);
        assert_eq!(batch.tokens.len(), 96);
        let mut rows: Vec<i32> = batch
            .image_rows
            .iter()
            .copied()
            .filter(|&row| row >= 0)
            .collect();
        assert_eq!(rows.len() as u64, batch.stats.image_tokens);
        rows.dedup();
        assert_eq!(rows, (0..30).collect::<Vec<i32>>());
        for (&row, &target) in batch.loss_rows.iter().zip(&batch.loss_targets) {
            assert_eq!(batch.tokens[row as usize + 1], target);
            assert!(target >= 0 && (row + 1) % 32 != 0);
        }
        assert_ne!(made_up_batch(&facts, 2).tokens, batch.tokens);
    }
}
