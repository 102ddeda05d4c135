//! From the language's [`Model`] to the configurations of the runtime, which knows no TOML.

use mm1_dsl::model::{Data, MixtureUnit, Model, Source, Tiles};
use mm1_package::ModelFacts;
use mm1_runtime::data::{
    self, BatchShape, DataConfig, ImageConfig, LossNormalization, SourceConfig,
};
use mm1_runtime::evaluate::EvaluationConfig;
use mm1_runtime::schedule::{DecayConvention, Schedule};
use mm1_runtime::train::{ExpertLosses, Optimizer, Rule, TrainConfig};
use serde_json::Value;

use crate::failure::Failure;

/// The runtime's enum value that a validated word stands for.
macro_rules! word {
    ($type:ty, $word:expr, $key:literal) => {
        serde_json::from_value::<$type>(Value::String($word.to_string()))
            .map_err(|_| Failure::new(format!("`{}` is no value of `{}` here", $word, $key)))
    };
}

/// The data of a run.
///
/// # Errors
/// A graph file without `[data]`, or a word that the runtime does not know.
pub fn data_config(model: &Model) -> Result<DataConfig, Failure> {
    let data = model.data.as_ref().ok_or_else(|| {
        Failure::new(format!(
            "`{}` has no `[data]`, so there is nothing to read",
            model.name
        ))
    })?;
    Ok(DataConfig {
        mixture_unit: match data.mixture_unit {
            MixtureUnit::Sequence => data::MixtureUnit::Sequence,
            MixtureUnit::Example => data::MixtureUnit::Example,
            MixtureUnit::Token => data::MixtureUnit::Token,
        },
        sources: sources(data),
        max_images: data.max_images as usize,
        bad_sample_budget: data.bad_sample_budget,
        shuffle_seed: data.shuffle_seed,
        loss_normalization: word!(
            LossNormalization,
            model.train.loss_normalization,
            "train.loss_normalization"
        )?,
        image: image_config(model)?,
    })
}

fn sources(data: &Data) -> Vec<SourceConfig> {
    data.sources
        .iter()
        .map(|(name, source): (&String, &Source)| SourceConfig {
            name: name.clone(),
            kind: source.kind.clone(),
            task: source.task.clone(),
            weight: source.weight,
            path: source.path.clone(),
            examples: source.examples,
            prompt: source.prompt.clone(),
            evaluation_path: source.evaluation_path.clone(),
            classes: source.classes.clone(),
            columns: data::rows::Columns {
                image: source.image_column.clone(),
                text: source.text_column.clone(),
                prompt: source.prompt_column.clone(),
            },
        })
        .collect()
}

/// Preprocessing of pictures; for a model without an encoder, values that nothing reads.
///
/// # Errors
/// A word that the runtime does not know.
pub fn image_config(model: &Model) -> Result<ImageConfig, Failure> {
    let Some(vision) = &model.vision else {
        return Ok(ImageConfig {
            fit: data::image::Fit::Squash,
            filter: data::image::Filter::Bicubic,
            mean: [0.0; 3],
            std: [1.0; 3],
            tiles: data::tiles::Tiles::None,
        });
    };
    let image = &vision.image;
    Ok(ImageConfig {
        fit: word!(data::image::Fit, image.fit, "image.fit")?,
        filter: word!(data::image::Filter, image.filter, "image.filter")?,
        mean: image.mean,
        std: image.std,
        tiles: match &image.tiles {
            Tiles::None => data::tiles::Tiles::None,
            Tiles::Grid {
                side,
                overview,
                last,
                marks,
            } => data::tiles::Tiles::Grid {
                side: *side as usize,
                overview: word!(data::tiles::Overview, overview, "image.overview")?,
                last: *last as usize,
                marks: word!(data::tiles::Marks, marks, "image.tile_marks")?,
            },
            Tiles::Dynamic {
                least,
                most,
                overview,
                last,
                marks,
            } => data::tiles::Tiles::Dynamic {
                least: *least as usize,
                most: *most as usize,
                overview: word!(data::tiles::Overview, overview, "image.overview")?,
                last: *last as usize,
                marks: word!(data::tiles::Marks, marks, "image.tile_marks")?,
            },
        },
    })
}

/// Bounds of a micro-batch, as the package was compiled.
pub fn batch_shape(facts: &ModelFacts) -> BatchShape {
    BatchShape {
        sequences: facts.sequences as usize,
        length: facts.length as usize,
        max_images: facts.images as usize,
        resolution: facts.resolution as usize,
        image_tokens: facts.image_tokens as usize,
        objective: facts.objective,
        patches: facts.patches as usize,
    }
}

/// Evaluation of a run.
pub fn evaluation_config(model: &Model) -> EvaluationConfig {
    EvaluationConfig {
        examples: model.train.evaluation_examples as usize,
        tokens: model.train.generate_tokens as usize,
    }
}

/// The training loop's part of the model.
///
/// # Errors
/// A decay convention that the runtime does not know.
pub fn train_config(model: &Model) -> Result<TrainConfig, Failure> {
    let train = &model.train;
    let convention = &train.weight_decay_convention;
    Ok(TrainConfig {
        steps: train.steps,
        micro_batches: (train.global_batch_sequences / train.micro_batch_sequences.max(1)).max(1)
            as usize,
        optimizer: Optimizer {
            schedule: Schedule {
                peak_lr: train.peak_lr,
                warmup_steps: train.warmup_steps,
                steps: train.steps,
                floor: train.lr_floor,
            },
            rule: match train.optimizer {
                mm1_dsl::model::Optimizer::AdamW { beta1, beta2, .. } => {
                    Rule::AdamW { beta1, beta2 }
                }
                mm1_dsl::model::Optimizer::Adafactor(keys) => Rule::Adafactor {
                    decay_exponent: keys.decay_exponent,
                },
            },
            weight_decay: train.weight_decay,
            decay_convention: DecayConvention::from_name(convention)
                .ok_or_else(|| Failure::new(format!("unknown decay convention `{convention}`")))?,
            clip_norm: train.clip_norm,
            z_loss: train.z_loss,
            experts: model
                .decoder
                .moe
                .as_ref()
                .map_or_else(ExpertLosses::default, |moe| ExpertLosses {
                    load_balance: moe.load_balance_weight,
                    router_z: moe.router_z_weight,
                }),
        },
        log_every: train.log_every,
        evaluate_every: train.evaluate_every,
        checkpoint_every: train.checkpoint_every,
        evaluation: evaluation_config(model),
        nonfinite_limit: train.nonfinite_limit,
        peak_flops: None,
        load_ahead: false,
    })
}
