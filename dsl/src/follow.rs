//! What follows from the keys of a model and stands in none of them: grids, widths, counts of a run,
//! and the rate of a law. Two models may agree in a key and differ in what it comes to.

use crate::component::Argument;
use crate::model::Model;

/// A figure that keys decide together.
pub(crate) struct Row {
    /// Its name.
    pub name: &'static str,
    /// The keys that it is made of.
    pub of: &'static str,
    /// Its value; `None` where the model has no such thing.
    pub value: fn(&Model) -> Option<Argument>,
}

/// All figures, in the order of data flow.
pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "patches of an image",
        of: "encoder.resolution, encoder.patch",
        value: |model| count(model.vision.as_ref()?.encoder.grid().pow(2)),
    },
    Row {
        name: "features of a head of the encoder",
        of: "encoder.width, encoder.heads",
        value: |model| {
            let encoder = &model.vision.as_ref()?.encoder;
            count(encoder.width.checked_div(encoder.heads)?)
        },
    },
    Row {
        name: "images of a picture, at most",
        of: "image.tiles and its keys",
        value: |model| count(model.vision.as_ref()?.image.tiles.most().0),
    },
    Row {
        name: "image tokens of a picture, at most",
        of: "connector.image_tokens, image.tiles and its keys",
        value: |model| {
            let vision = model.vision.as_ref()?;
            count(vision.connector.image_tokens * vision.image.tiles.most().0)
        },
    },
    Row {
        name: "queries for a key",
        of: "decoder.heads, decoder.kv_heads",
        value: |model| count(model.decoder.heads.checked_div(model.decoder.kv_heads)?),
    },
    Row {
        name: "rate of the law",
        of: "train.lr = \"mm1\" and the decoder's sizes",
        value: |model| {
            model.keys.text("train.lr")?;
            let rounded = format!("{:.4e}", model.train.peak_lr);
            Some(Argument::Float(rounded.parse().ok()?))
        },
    },
    Row {
        name: "micro-batches of a step",
        of: "train.global_batch_sequences, train.micro_batch_sequences",
        value: |model| {
            let train = &model.train;
            let whole = train.global_batch_sequences;
            count(whole.checked_div(train.micro_batch_sequences)?)
        },
    },
    Row {
        name: "sequences of the run",
        of: "train.steps, train.global_batch_sequences",
        value: |model| count(sequences(model)),
    },
    Row {
        name: "positions of the run",
        of: "train.steps, train.global_batch_sequences, decoder.max_sequence_length",
        value: |model| {
            let length = model.decoder.max_sequence_length;
            (length > 0)
                .then(|| count(sequences(model).saturating_mul(length)))
                .flatten()
        },
    },
];

fn sequences(model: &Model) -> u64 {
    let train = &model.train;
    train.steps.saturating_mul(train.global_batch_sequences)
}

fn count(number: u64) -> Option<Argument> {
    Some(Argument::Int(i64::try_from(number).ok()?))
}
