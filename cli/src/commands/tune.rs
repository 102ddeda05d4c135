//! `mm1c tune`: schedules of products that a card's own times choose.

use std::path::Path;
use std::sync::Arc;

use mm1_compiler::build::Purpose;
use mm1_compiler::compile::{Options, compile};
use mm1_compiler::schedules::Schedules;
use mm1_compiler::target::Target;
use mm1_compiler::tune::{Product, Times, Tuning};
use mm1_dsl::model::Model;
use mm1_package::Package;
use mm1_runtime::device::Choice;
use mm1_runtime::executor::Executor;

use super::bench::made_up_batch;
use super::print_table;
use crate::args::TuneArgs;
use crate::compile::{Request, load_model, options, refused};
use crate::convert::train_config;
use crate::device;
use crate::failure::Failure;
use crate::schedules::{Measured, ScheduleFile};

/// Programs of a training step that have products.
const PROGRAMS: [&str; 1] = ["accumulate"];

/// Measures and writes the file.
///
/// # Errors
/// A device that is no card or is not there, a model that is refused, a file of another card.
pub fn run(args: &TuneArgs) -> Result<(), Failure> {
    if !matches!(args.device, Choice::Cuda(_)) {
        return Err(Failure::new(
            "the schedules of a CPU follow from kernel and target; `mm1c tune` measures those of a \
             card: give --device cuda",
        ));
    }
    let model = load_model(&args.model.model, &args.model.sets)?;
    let options = options(&Request::new(&args.backend, args.device))?;
    let name = card(&device::open(args.device, 1)?.name());
    let mut file = known(&args.output, &options, &name)?;
    let known = file.schedules(&args.output, &options.target.to_string())?;
    let fault = |error| refused(&model, error);
    let mut tuning = Tuning::new(&model, &options, &PROGRAMS, args.ways, &known).map_err(fault)?;
    while let Some(schedules) = tuning.next() {
        let options = Options {
            schedules,
            ..options.clone()
        };
        let package = compile(&model, Purpose::All, &options).map_err(fault)?;
        tuning.record(&times(args, &model, package)?);
    }
    let best = tuning.best();
    file.products
        .extend(tuning.products.iter().filter_map(|it| measured(it, &best)));
    file.products.sort_by(|a, b| a.kernel.cmp(&b.kernel));
    file.write(&args.output)?;
    print(&tuning.products, &best);
    eprintln!(
        "`{}`: {} products, {} of them new, on {name}",
        args.output.display(),
        file.products.len(),
        tuning.products.len()
    );
    Ok(())
}

/// The card's own name of `cuda:0 (NVIDIA H200)`: its number is this machine's.
fn card(name: &str) -> String {
    let inner = name
        .split_once(" (")
        .map(|(_, it)| it.trim_end_matches(')'));
    inner.unwrap_or(name).to_owned()
}

/// The file as it is, or an empty one for this card.
fn known(path: &Path, options: &Options, device: &str) -> Result<ScheduleFile, Failure> {
    let target = match &options.target {
        Target::Gpu(target) if target.wgmma => options.target.to_string(),
        other => {
            return Err(Failure::new(format!(
                "products for `{other}` have one schedule each: there is nothing to choose from"
            )));
        }
    };
    if !path.exists() {
        return Ok(ScheduleFile {
            target,
            device: device.to_owned(),
            products: Vec::new(),
        });
    }
    let file = ScheduleFile::read(path)?;
    if file.device != device {
        return Err(Failure::at(
            path,
            format!(
                "these times are of `{}`, and this is `{device}`: give another --output",
                file.device
            ),
        ));
    }
    Ok(file)
}

/// Times of a package's launches, after a step that warms up.
fn times(args: &TuneArgs, model: &Model, package: Package) -> Result<Times, Failure> {
    let package = Arc::new(package);
    let device = device::open(args.device, 1)?;
    let mut executor = Executor::with_device(Arc::clone(&package), device)?;
    mm1_runtime::init::initialize(&mut executor, model.train.seed)?;
    let batch = made_up_batch(&package.model, 0);
    let optimizer = train_config(model)?.optimizer;
    optimizer.step(&mut executor, 1, 1, &[batch])?;
    let mut times = Times::new();
    for program in PROGRAMS {
        for launch in executor.profile(program, args.repeats)? {
            times.insert((program.to_owned(), launch.name), launch.seconds);
        }
    }
    Ok(times)
}

/// The entry of a product, if it was measured.
fn measured(product: &Product, best: &Schedules) -> Option<Measured> {
    let schedule = best.get(&product.hash)?.clone();
    let microseconds =
        |way: usize| (product.seconds[way] / product.uses() as f64 * 1e8).round() / 100.0;
    Some(Measured {
        kernel: product.hash.clone(),
        name: product.name.clone(),
        microseconds: microseconds(product.best()?),
        estimate_microseconds: microseconds(0),
        parts: schedule.parts,
        multiplies: schedule.multiplies,
        tile: schedule.tile,
        blocks: schedule.blocks,
    })
}

fn print(products: &[Product], best: &Schedules) {
    let head = [
        "product",
        "uses",
        "µs by estimate",
        "µs measured",
        "parts",
        "tile",
    ];
    let mut rows = Vec::new();
    for product in products {
        let Some(it) = measured(product, best) else {
            continue;
        };
        rows.push(vec![
            it.name,
            product.uses().to_string(),
            format!("{:.1}", it.estimate_microseconds),
            format!("{:.1}", it.microseconds),
            it.parts.to_string(),
            format!("{}x{}, {} a processor", it.tile[0], it.tile[1], it.blocks),
        ]);
    }
    print_table(&head.map(String::from), &rows);
}
