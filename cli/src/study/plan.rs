//! From a study's file to a list of runs with their cost; nothing runs here but data.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use mm1_compiler::summary::Summary;
use mm1_dsl::codes;
use mm1_dsl::diagnostic::{Diagnostic, Diagnostics, render_one};
use mm1_dsl::diff::{Diff, diff};
use mm1_dsl::model::{Model, Objective};
use mm1_dsl::study::{DECIDED, Hold, Study, Variant};
use mm1_package::content_hash;
use mm1_runtime::data::DataConfig;
use mm1_runtime::evaluate;
use serde::{Deserialize, Serialize};

use crate::commands::columns;
use crate::commands::summary::{self, grouped};
use crate::compile::{colour, findings};
use crate::convert::data_config;
use crate::failure::Failure;
use crate::runs::{RunFiles, State};
use crate::seen::{Tokenizers, held};

/// What a run of a study says of itself, in its folder.
const MARK: &str = "study.json";
/// Micro-batches by which examples and tokens per step are measured.
const MEASURED: u64 = 64;

/// A variant, ready to run.
pub struct Planned {
    /// What the file says.
    pub variant: Variant,
    /// Keys in which it differs from the base, seeds and names aside.
    pub diff: Diff,
    /// Steps of each run.
    pub steps: u64,
    /// Parameters, those that are trained.
    pub parameters: [u64; 2],
    /// FLOPs of a step.
    pub step_flops: u64,
    /// Examples and text tokens of a step, where `hold` asks for them.
    pub consumed: Option<[f64; 2]>,
    /// Positions of a step, padding included.
    pub step_positions: u64,
    /// One for each seed.
    pub runs: Vec<PlannedRun>,
}

impl Planned {
    /// FLOPs of a run.
    pub fn flops(&self) -> f64 {
        self.step_flops as f64 * self.steps as f64
    }
}

/// A run of a variant.
pub struct PlannedRun {
    /// Its seed.
    pub seed: u64,
    /// The model.
    pub model: Model,
    /// Hash of everything that it resolves to but its name.
    pub hash: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Whether it is done.
    pub finished: bool,
    /// Whether an earlier run of this plan is the same.
    pub repeated: bool,
}

/// A study, ready to run.
pub struct Plan {
    /// The file.
    pub study: Study,
    /// The base and the variants.
    pub variants: Vec<Planned>,
    /// What ranks.
    pub score: String,
}

/// `study.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    hash: String,
    variant: String,
    seed: u64,
}

/// What a variant costs, in JSON.
#[derive(Debug, Serialize)]
pub struct Cost {
    name: String,
    steps: u64,
    runs: usize,
    parameters: u64,
    trained: u64,
    flops: f64,
    positions: u64,
    examples: Option<f64>,
    text_tokens: Option<f64>,
    finished: usize,
}

/// Whether less of a score is better.
pub fn lower_is_better(score: &str) -> bool {
    score.ends_with(".loss")
}

impl Plan {
    /// Reads a study and everything that it names; `folder` is where its runs are.
    ///
    /// # Errors
    /// Whatever is wrong with it, at its line.
    pub fn new(path: &Path, folder: Option<&Path>) -> Result<Self, Failure> {
        let refused = |found: Diagnostics| Failure::rendered(found.render(colour()));
        let study = Study::read(path).map_err(refused)?;
        let folder = match folder {
            Some(folder) => folder.to_path_buf(),
            None => Path::new("runs").join(&study.name),
        };
        let models = load(&study)?;
        let score = score(&study, &models)?;
        let mut kept = Kept::below(&folder);
        let mut variants: Vec<Planned> = Vec::new();
        let mut tokenizers = Tokenizers::default();
        for (variant, model) in study.variants.iter().zip(&models) {
            let costs = summary::of(model)?;
            let consumed = match study.hold {
                Hold::Steps | Hold::Flops => None,
                Hold::Examples | Hold::TextTokens => {
                    Some(consumed(&study, model, &costs, &mut tokenizers)?)
                }
            };
            let step_flops = costs.flops.training_step;
            let batch = &costs.batch;
            let base = variants.first();
            let steps = match (study.hold, base) {
                (Hold::Steps, _) | (_, None) => model.train.steps,
                (Hold::Flops, Some(base)) => {
                    ratio(base.steps, base.step_flops as f64, step_flops as f64)
                }
                (Hold::Examples | Hold::TextTokens, Some(base)) => {
                    let at = usize::from(study.hold == Hold::TextTokens);
                    let of = |it: Option<[f64; 2]>| it.map_or(1.0, |it| it[at]);
                    ratio(base.steps, of(base.consumed), of(consumed))
                }
            };
            let mut planned = Planned {
                diff: between(&models[0], model),
                variant: variant.clone(),
                steps,
                parameters: [costs.total.parameters, costs.total.trained],
                step_flops,
                consumed,
                step_positions: batch.sequences * batch.length * batch.micro_batches,
                runs: Vec::new(),
            };
            for &seed in &study.seeds {
                let model = study
                    .load(variant, &sets(&study, variant, steps, seed))
                    .map_err(refused)?;
                let hash = hash(&model);
                let name = format!("{}-seed{seed}", variant.name);
                let (folder, finished, repeated) = kept.place(&folder, &name, &hash);
                planned.runs.push(PlannedRun {
                    seed,
                    model,
                    hash,
                    folder,
                    finished,
                    repeated,
                });
            }
            variants.push(planned);
        }
        let plan = Self {
            study,
            variants,
            score,
        };
        plan.check_budget()?;
        Ok(plan)
    }

    /// All runs but repetitions of one another.
    pub fn runs(&self) -> impl Iterator<Item = (&Planned, &PlannedRun)> {
        let all = self
            .variants
            .iter()
            .flat_map(|it| it.runs.iter().map(move |run| (it, run)));
        all.filter(|(_, run)| !run.repeated)
    }

    /// FLOPs of all runs, those that are done included.
    pub fn flops(&self) -> f64 {
        self.runs().map(|(variant, _)| variant.flops()).sum()
    }

    fn check_budget(&self) -> Result<(), Failure> {
        let budget = &self.study.budget;
        let runs = self.runs().count() as f64;
        let petaflop = self.flops() / 1e15;
        let mut found = Vec::new();
        for (limit, cost, key, what) in [
            (budget.runs, runs, "runs", "runs"),
            (budget.petaflop, petaflop, "petaflop", "PFLOP"),
        ] {
            if let Some(limit) = limit.filter(|it| cost > it.value) {
                let message = format!(
                    "the plan takes {} {what}, but the budget is {}",
                    short(cost),
                    short(limit.value)
                );
                let enough = match key {
                    "runs" => short(cost),
                    _ => short(above(cost)),
                };
                let variants = self.variants.len();
                let seeds = self.study.seeds.len();
                found.push(
                    Diagnostic::error(codes::STUDY_BUDGET, message)
                        .at(limit.span, "")
                        .note(format!(
                            "{variants} variants, the base included, with {seeds} seeds"
                        ))
                        .help(format!(
                            "take variants, seeds or steps away, or allow it: `{key} = {enough}`"
                        )),
                );
            }
        }
        match found.is_empty() {
            true => Ok(()),
            false => Err(Failure::rendered(
                self.study.findings(found).render(colour()),
            )),
        }
    }

    /// Refuses a plan that takes more minutes than its budget, at `rate` FLOP/s.
    ///
    /// # Errors
    /// If it does.
    pub fn check_minutes(&self, rate: f64) -> Result<(), Failure> {
        let minutes = self.flops() / rate / 60.0;
        let Some(limit) = self.study.budget.minutes.filter(|it| minutes > it.value) else {
            return Ok(());
        };
        let message = format!(
            "the plan takes {} minutes on this machine, but the budget is {}",
            short(minutes),
            short(limit.value)
        );
        let found = Diagnostic::error(codes::STUDY_BUDGET, message)
            .at(limit.span, "")
            .note("measured by some steps of the base, without compilation and evaluations")
            .help(format!(
                "take variants, seeds or steps away, or allow it: `minutes = {}`",
                minutes.ceil()
            ));
        Err(Failure::rendered(
            self.study.findings(vec![found]).render(colour()),
        ))
    }

    /// The cost of each variant.
    pub fn costs(&self) -> Vec<Cost> {
        let cost = |it: &Planned| Cost {
            name: it.variant.name.clone(),
            steps: it.steps,
            runs: it.runs.len(),
            parameters: it.parameters[0],
            trained: it.parameters[1],
            flops: it.flops(),
            positions: it.step_positions * it.steps,
            examples: it.consumed.map(|of| of[0] * it.steps as f64),
            text_tokens: it.consumed.map(|of| of[1] * it.steps as f64),
            finished: it.runs.iter().filter(|run| run.finished).count(),
        };
        self.variants.iter().map(cost).collect()
    }

    /// The plan for a person.
    pub fn text(&self) -> String {
        let study = &self.study;
        let mut out = format!(
            "{}: {} variants with the base, {} seeds, equal {}, ranked by {}\n\n",
            study.name,
            self.variants.len(),
            study.seeds.len(),
            study.hold.name(),
            self.score
        );
        let measured = self.variants.iter().any(|it| it.consumed.is_some());
        let mut head = vec![
            "variant",
            "runs",
            "done",
            "steps",
            "parameters",
            "GFLOP a step",
        ];
        head.extend(["TFLOP a run", "positions a run"]);
        if measured {
            head.extend(["examples a run", "text tokens a run"]);
        }
        let row = |cost: Cost, planned: &Planned| {
            let mut row = vec![
                cost.name,
                cost.runs.to_string(),
                cost.finished.to_string(),
                grouped(cost.steps),
                grouped(cost.parameters),
                format!("{:.3}", planned.step_flops as f64 / 1e9),
                format!("{:.3}", cost.flops / 1e12),
                grouped(cost.positions),
            ];
            for of in [cost.examples, cost.text_tokens].into_iter().flatten() {
                row.push(format!("about {}", grouped(of.round() as u64)));
            }
            row
        };
        let costs = self.costs().into_iter().zip(&self.variants);
        let rows: Vec<Vec<String>> = costs.map(|(cost, it)| row(cost, it)).collect();
        let head: Vec<String> = head.into_iter().map(str::to_owned).collect();
        out += &columns(&head, &rows);
        let runs = self.runs().count();
        let done = self.runs().filter(|(_, run)| run.finished).count();
        let left: f64 = self
            .runs()
            .filter(|(_, run)| !run.finished)
            .map(|(variant, _)| variant.flops())
            .fold(0.0, |sum, flops| sum + flops);
        out += &format!(
            "\n{runs} runs of {} TFLOP in all; {done} are done, {} TFLOP are left\n",
            short(self.flops() / 1e12),
            short(left / 1e12)
        );
        out
    }
}

impl PlannedRun {
    /// Makes the run's folder and notes there what it is, so that it is found again.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub fn mark(&self, variant: &str) -> Result<(), Failure> {
        let path = self.folder.join(MARK);
        fs::create_dir_all(&self.folder).map_err(|error| Failure::at(&self.folder, error))?;
        let mark = Mark {
            hash: self.hash.clone(),
            variant: variant.to_owned(),
            seed: self.seed,
        };
        fs::write(&path, serde_json::to_string_pretty(&mark)?)
            .map_err(|error| Failure::at(&path, error))
    }
}

/// Three digits, or all of a whole number.
pub fn short(value: f64) -> String {
    match value.fract() == 0.0 && value.abs() < 1e9 {
        true => format!("{value}"),
        false if value.abs() >= 100.0 => format!("{value:.0}"),
        false if value.abs() >= 1.0 => format!("{value:.2}"),
        false if value.abs() >= 1e-2 => format!("{value:.3}"),
        false => {
            let text = format!("{value:.2e}");
            text.replace(".00e", "e")
        }
    }
}

/// A number of two digits that is not less.
fn above(value: f64) -> f64 {
    let unit = 10f64.powf(value.log10().floor() - 1.0);
    (value / unit).ceil() * unit
}

/// Steps of which each has `own`, as much together as `steps` that have `base` each.
fn ratio(steps: u64, base: f64, own: f64) -> u64 {
    ((steps as f64 * base / own).round() as u64).max(1)
}

/// Arguments that make a run of a variant.
fn sets(study: &Study, variant: &Variant, steps: u64, seed: u64) -> Vec<String> {
    vec![
        format!("name='{}/{}'", study.name, variant.name),
        format!("train.steps={steps}"),
        format!("train.seed={seed}"),
        format!("data.shuffle_seed={seed}"),
    ]
}

/// Hash of what a model resolves to, its name aside; the project's components that it uses are in it.
fn hash(model: &Model) -> String {
    // Components below may have lines like the model's name.
    let name = model
        .resolved
        .lines()
        .position(|line| line.starts_with("name = "));
    let lines = model.resolved.lines().enumerate();
    let text: Vec<&str> = lines
        .filter(|it| Some(it.0) != name)
        .map(|it| it.1)
        .collect();
    content_hash([text.join("\n").as_bytes()])
}

/// The models of the base and the variants, with the base's seeds and steps.
fn load(study: &Study) -> Result<Vec<Model>, Failure> {
    let mut models = Vec::new();
    let mut refusal = Refusal::default();
    for variant in &study.variants {
        match study.load(variant, &[]) {
            Ok(model) => {
                if models.is_empty() {
                    eprint!("{}", model.render_warnings(colour()));
                }
                refusal.add(&findings(&model));
                models.push(model);
            }
            Err(found) => refusal.add(&found),
        }
        // What is wrong with the base is wrong with all.
        if models.is_empty() {
            break;
        }
    }
    refusal.into_result()?;
    let base = &models[0];
    let mut refusal = Refusal::default();
    for (variant, model) in study.variants.iter().zip(&models).skip(1) {
        for (key, by) in DECIDED {
            if model.keys.get(key) == base.keys.get(key) {
                continue;
            }
            let span = model.keys.assigned(key);
            let found = Diagnostic::error(
                codes::STUDY_DECIDES,
                format!("`{}` sets `{key}`, which follows from {by}", variant.name),
            )
            .at(span, "")
            .help("set it for all runs, in the base or in the study's `set`".to_string());
            let sources = model.sources().clone();
            let list = vec![found];
            refusal.add(&Diagnostics { list, sources });
        }
    }
    refusal.into_result()?;
    Ok(models)
}

/// Findings of several models, each once: what is wrong with a key of a grid is wrong with every point.
#[derive(Default)]
struct Refusal {
    texts: Vec<String>,
}

impl Refusal {
    fn add(&mut self, found: &Diagnostics) {
        for diagnostic in &found.list {
            let text = render_one(diagnostic, &found.sources, colour());
            if !self.texts.contains(&text) {
                self.texts.push(text);
            }
        }
    }

    fn into_result(self) -> Result<(), Failure> {
        let count = match self.texts.len() {
            0 => return Ok(()),
            1 => "1 error".to_owned(),
            errors => format!("{errors} errors"),
        };
        let text = self.texts.join("\n\n");
        Err(Failure::rendered(format!("{text}\n\n{count}\n")))
    }
}

/// What differs but names.
fn between(base: &Model, model: &Model) -> Diff {
    let mut found = diff(base, model);
    found.changes.retain(|change| change.path != "name");
    found
}

/// What ranks: what the study says, or the loss of the first source that has held-out examples.
fn score(study: &Study, models: &[Model]) -> Result<String, Failure> {
    let mut common: Option<Vec<String>> = None;
    for model in models {
        let own = match model.train.evaluation_examples {
            0 => Vec::new(),
            _ => evaluate::names(&data_config(model)?, &shape_kind(model)),
        };
        common = Some(match common {
            None => own,
            Some(known) => known.into_iter().filter(|it| own.contains(it)).collect(),
        });
    }
    let common = common.unwrap_or_default();
    let list: Vec<String> = common.iter().map(|it| format!("`{it}`")).collect();
    let list = match list.is_empty() {
        true => "no source of all variants has held-out examples".to_owned(),
        false => format!("scores of all variants: {}", list.join(", ")),
    };
    let found = match &study.score {
        Some((score, _)) if common.contains(score) => return Ok(score.clone()),
        Some((score, span)) => Diagnostic::error(
            codes::UNKNOWN_SCORE,
            format!("no run of this study has the score `{score}`"),
        )
        .at(*span, "")
        .note(list),
        None => match common.into_iter().find(|it| lower_is_better(it)) {
            Some(score) => return Ok(score),
            None => Diagnostic::error(codes::UNKNOWN_SCORE, "the study has nothing to rank by")
                .at(study.base.span, "")
                .note(list),
        },
    };
    Err(Failure::rendered(
        study.findings(vec![found]).render(colour()),
    ))
}

/// What is evaluated of a model.
fn shape_kind(model: &Model) -> evaluate::Scored {
    evaluate::Scored {
        resolution: side(model) as usize,
        speaks: matches!(model.objective, Objective::Language),
    }
}

fn side(model: &Model) -> u64 {
    model.vision.as_ref().map_or(0, |it| it.encoder.resolution)
}

/// Examples and text tokens of a step, by the first micro-batches of the first seed.
fn consumed(
    study: &Study,
    model: &Model,
    costs: &Summary,
    tokenizers: &mut Tokenizers,
) -> Result<[f64; 2], Failure> {
    if !matches!(model.objective, Objective::Language) {
        let found = Diagnostic::error(
            codes::UNSUPPORTED,
            format!("`hold = \"{}\"` needs a language model", study.hold.name()),
        )
        .at(study.hold_span, "");
        return Err(Failure::rendered(
            study.findings(vec![found]).render(colour()),
        ));
    }
    let seed = study.seeds.first().copied().unwrap_or(0);
    let data = DataConfig {
        shuffle_seed: seed,
        ..data_config(model)?
    };
    // Below a file there is no run: what one keeps may be of other data.
    let tokenizer = tokenizers.get(model, &data, &study.path)?;
    let batch = &costs.batch;
    let count = MEASURED.min(model.train.steps * batch.micro_batches).max(1);
    let [examples, text_tokens, _] = held(model, batch, data, tokenizer, count)?;
    let sums = [examples, text_tokens];
    Ok(sums.map(|sum| (sum.max(1) * batch.micro_batches) as f64 / count as f64))
}

/// Runs that the study's folder has already.
struct Kept {
    /// Folders by hash, and whether the run in it is finished.
    runs: BTreeMap<String, (PathBuf, bool)>,
    /// Hashes of the plan so far.
    planned: BTreeMap<String, PathBuf>,
}

impl Kept {
    fn below(folder: &Path) -> Self {
        let mut runs: BTreeMap<String, (PathBuf, bool)> = BTreeMap::new();
        let entries = fs::read_dir(folder).into_iter().flatten();
        let mut paths: Vec<PathBuf> = entries.filter_map(|it| Some(it.ok()?.path())).collect();
        paths.sort();
        for path in paths {
            let Some(mark) = read_mark(&path) else {
                continue;
            };
            let finished = RunFiles::open(&path).is_ok_and(|run| run.state == State::Finished);
            let known = runs.get(&mark.hash).is_some_and(|it| it.1);
            if !known {
                runs.insert(mark.hash, (path, finished));
            }
        }
        Self {
            runs,
            planned: BTreeMap::new(),
        }
    }

    /// Where the run of a hash is or goes: its folder, whether it is finished, and whether the plan has
    /// it already. A folder that holds another run stays as it is.
    fn place(&mut self, folder: &Path, name: &str, hash: &str) -> (PathBuf, bool, bool) {
        let kept = self.runs.get(hash);
        let finished = kept.is_some_and(|it| it.1);
        if let Some(path) = self.planned.get(hash) {
            return (path.clone(), finished, true);
        }
        let path = match kept {
            Some((path, _)) => path.clone(),
            None => {
                let path = folder.join(name);
                match path.exists() {
                    false => path,
                    true => folder.join(format!("{name}-{}", &hash[..8])),
                }
            }
        };
        self.planned.insert(hash.to_owned(), path.clone());
        (path, finished, false)
    }
}

fn read_mark(folder: &Path) -> Option<Mark> {
    serde_json::from_slice(&fs::read(folder.join(MARK)).ok()?).ok()
}
