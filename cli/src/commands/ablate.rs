//! `mm1c ablate`: a base, variants and seeds, run one after the other and compared.

use std::fs;
use std::path::Path;
use std::time::Instant;

use mm1_runtime::signal::Stop;
use mm1_runtime::train::Ending;
use serde_json::json;

use super::train::Job;
use crate::args::{AblateArgs, ProgramArgs};
use crate::compile::colour;
use crate::failure::Failure;
use crate::runs::RunFiles;
use crate::study::page;
use crate::study::plan::Plan;
use crate::study::results::Results;

/// Steps by which the machine's rate is measured, and those at the beginning that do not count.
const MEASURED: [usize; 2] = [10, 2];

/// Runs what is left of a study and says what all of it tells.
///
/// # Errors
/// A study that is wrong or over its budget, before anything runs; runs that failed, after all the
/// others.
pub fn run(args: &AblateArgs) -> Result<(), Failure> {
    let plan = Plan::new(&args.study, args.folder.as_deref())?;
    let folder = match &args.folder {
        Some(folder) => folder.clone(),
        None => Path::new("runs").join(&plan.study.name),
    };
    let mut minutes = None;
    if plan.study.budget.minutes.is_some() {
        let rate = rate(&plan, &args.program, &folder)?;
        plan.check_minutes(rate)?;
        minutes = Some(plan.flops() / rate / 60.0);
    }
    if args.plan_only && args.json {
        let plan = json!({
            "study": plan.study.name,
            "score": plan.score,
            "hold": plan.study.hold.name(),
            "seeds": plan.study.seeds,
            "flops": plan.flops(),
            "minutes": minutes,
            "variants": plan.costs(),
        });
        outln!("{}", serde_json::to_string_pretty(&plan)?);
        return Ok(());
    }
    let mut text = plan.text();
    if let Some(minutes) = minutes {
        text += &format!("about {minutes:.1} minutes, compilation and evaluations not counted\n");
    }
    if args.plan_only {
        out!("{text}");
        return Ok(());
    }
    eprintln!("{text}");
    if !train(&plan, &args.program)? {
        eprintln!("stopped; the same command goes on");
        return Ok(());
    }
    let results = Results::of(&plan);
    page::write(&plan, &results, &folder)?;
    match args.json {
        true => outln!("{}", serde_json::to_string_pretty(&results)?),
        false => out!("{}", results.text()),
    }
    eprintln!("page: {}", folder.join("study.html").display());
    results.complete()
}

/// Trains what is not finished; whether nobody asked to stop.
fn train(plan: &Plan, program: &ProgramArgs) -> Result<bool, Failure> {
    let left: Vec<_> = plan.runs().filter(|(_, run)| !run.finished).collect();
    if left.is_empty() {
        return Ok(true);
    }
    let stop = Stop::listen()?;
    for (place, (variant, run)) in left.iter().enumerate() {
        let name = &variant.variant.name;
        eprintln!(
            "run {} of {}: {name}, seed {}",
            place + 1,
            left.len(),
            run.seed
        );
        run.mark(name)?;
        let job = Job {
            model: &run.model,
            program,
            directory: &run.folder,
            resume: "auto",
            peak_gflops: None,
            stop: Some(&stop),
        };
        match job.train(Instant::now()) {
            Ok(Ending::Finished(_)) => {}
            Ok(Ending::Stopped(_)) => return Ok(false),
            // The other runs do not depend on it.
            Err(failure) => eprintln!("{failure}"),
        }
        if stop.asked() {
            return Ok(place + 1 == left.len());
        }
    }
    Ok(true)
}

/// FLOP/s of this machine, by some steps of the base.
fn rate(plan: &Plan, program: &ProgramArgs, folder: &Path) -> Result<f64, Failure> {
    let base = &plan.variants[0];
    let folder = folder.join(".rate");
    let [steps, unmeasured] = MEASURED;
    let sets = [
        format!("train.steps={steps}"),
        "train.warmup_steps=0".to_owned(),
        "train.log_every=1".to_owned(),
        "train.evaluate_every=0".to_owned(),
        "train.checkpoint_every=0".to_owned(),
        "train.evaluation_examples=1".to_owned(),
        "train.generate_tokens=1".to_owned(),
    ];
    let model = plan.study.load(&base.variant, &sets);
    let model = model.map_err(|found| Failure::rendered(found.render(colour())))?;
    remove(&folder)?;
    eprintln!("measuring {steps} steps of the base");
    Job {
        model: &model,
        program,
        directory: &folder,
        resume: "never",
        peak_gflops: None,
        stop: None,
    }
    .train(Instant::now())?;
    let run = RunFiles::open(&folder)?;
    let times = run.step_records().skip(unmeasured);
    // What else runs on the machine only makes a step longer.
    let fastest = times
        .map(|it| it.step_seconds)
        .fold(f64::INFINITY, f64::min);
    remove(&folder)?;
    Ok(base.step_flops as f64 / fastest.max(1e-9))
}

fn remove(folder: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(folder) {
        Err(error) if folder.exists() => Err(Failure::at(folder, error)),
        _ => Ok(()),
    }
}
