//! From results to the study's page.

use std::fs;
use std::path::Path;

use mm1_runtime::report::{
    Chart, Sample, Series, StudyPage, StudyPicture, StudyTable, StudyVariant, line_chart,
};

use super::plan::{Plan, PlannedRun, short};
use super::results::{Results, Rows};
use crate::failure::Failure;
use crate::runs::RunFiles;

/// Points of a curve.
const POINTS: u64 = 60;
/// Variants in a chart, besides the base: a chart has four colours.
const LINES: usize = 3;
/// Held-out pictures of a variant on the page, with the words of its first seed.
const SAMPLES: usize = 6;

/// Writes `study.html` and `study.json` into `folder`.
///
/// # Errors
/// Files that cannot be written.
pub fn write(plan: &Plan, results: &Results, folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| Failure::at(folder, error))?;
    for (name, text) in [
        ("study.html", page(plan, results).to_html()),
        ("study.json", serde_json::to_string_pretty(results)?),
    ] {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| Failure::at(&path, error))?;
    }
    Ok(())
}

fn page(plan: &Plan, results: &Results) -> StudyPage {
    let table = |rows: Rows, note: &str| StudyTable {
        title: rows.title.to_owned(),
        head: rows.head,
        rows: rows.rows,
        note: note.to_owned(),
    };
    let study = &plan.study;
    let variant = |it: &super::plan::Planned| StudyVariant {
        name: it.variant.name.clone(),
        changes: it.diff.to_string(),
    };
    let said = plan.variants.iter().map(|it| {
        let samples = it.runs.first().map(samples).unwrap_or_default();
        (it.variant.name.clone(), samples)
    });
    let said: Vec<(String, Vec<Sample>)> = said.collect();
    let seeds: Vec<String> = study.seeds.iter().map(u64::to_string).collect();
    StudyPage {
        title: study.name.clone(),
        lead: format!(
            "The base and {} variants with seeds {}; equal {}; {} TFLOP in all.",
            plan.variants.len() - 1,
            seeds.join(", "),
            study.hold.name().replace('-', " "),
            short(plan.flops() / 1e12)
        ),
        tables: results
            .tables()
            .into_iter()
            .map(|(rows, note)| table(rows, note))
            .collect(),
        curves: curves(plan),
        variants: plan.variants.iter().map(variant).collect(),
        pictures: StudyPicture::together(&said),
        source: study
            .sources
            .get(0)
            .map(|it| it.text.clone())
            .unwrap_or_default(),
    }
}

/// The first pictures of a run, and what it says of them.
fn samples(run: &PlannedRun) -> Vec<Sample> {
    let bytes = fs::read(run.folder.join("samples.json")).unwrap_or_default();
    let mut samples: Vec<Sample> = serde_json::from_slice(&bytes).unwrap_or_default();
    samples.truncate(SAMPLES);
    samples
}

/// Training losses, and the score along the way where runs were evaluated more than once.
fn curves(plan: &Plan) -> Vec<String> {
    let mut losses = Vec::new();
    let mut scores = Vec::new();
    for variant in &plan.variants {
        let runs = variant.runs.iter();
        let runs: Vec<RunFiles> = runs
            .filter_map(|it| RunFiles::open(&it.folder).ok())
            .collect();
        let name = &variant.variant.name;
        let loss = |run: &RunFiles| {
            let records = run.step_records();
            records.map(|it| (it.step, it.loss)).collect::<Vec<_>>()
        };
        losses.push(mean(name, &runs, loss, variant.steps));
        let score = |run: &RunFiles| {
            let all = run.evaluations();
            all.filter_map(|it| Some((it.0, *it.1.get(&plan.score)?)))
                .collect::<Vec<_>>()
        };
        scores.push(mean(name, &runs, score, variant.steps));
    }
    let steps = plan.variants.iter().map(|it| it.steps).max().unwrap_or(0);
    let mut out = Vec::new();
    let mut charts = |title: &str, unit: &str, series: &[Series]| {
        let Some((base, others)) = series.split_first() else {
            return;
        };
        for others in others.chunks(LINES) {
            let mut lines = vec![base.clone()];
            lines.extend_from_slice(others);
            out.push(line_chart(&Chart {
                title: title.to_owned(),
                unit: unit.to_owned(),
                steps,
                series: lines,
            }));
        }
    };
    charts("Training loss, mean over seeds", "nats per token", &losses);
    if scores.iter().any(|it| it.points.len() > 1) {
        charts(&format!("{}, mean over seeds", plan.score), "", &scores);
    }
    out
}

/// Means over the runs, of the points in each of some equal stretches of the steps.
fn mean(
    name: &str,
    runs: &[RunFiles],
    points: impl Fn(&RunFiles) -> Vec<(u64, f64)>,
    steps: u64,
) -> Series {
    let all: Vec<(u64, f64)> = runs.iter().flat_map(points).collect();
    let mut out = Vec::new();
    let mut begin = 0;
    for row in 1..=POINTS {
        let end = steps * row / POINTS;
        let here = all.iter().filter(|it| it.0 > begin && it.0 <= end);
        let here: Vec<&(u64, f64)> = here.filter(|it| it.1.is_finite()).collect();
        if !here.is_empty() {
            let count = here.len() as f64;
            let step = here.iter().map(|it| it.0 as f64).sum::<f64>() / count;
            out.push((step, here.iter().map(|it| it.1).sum::<f64>() / count));
        }
        begin = end;
    }
    Series {
        name: name.to_owned(),
        points: out,
    }
}
