//! The losses of encoders under objectives of their own (docs/programs.md has their inputs).
//!
//! *Contrastive*: with u and t the pictures' and texts' vectors of length 1 and s the learned scale,
//! row i of s·u·tᵀ should choose text i, and column i picture i; the loss is the mean of both
//! cross-entropies. Each is a linear cross-entropy whose weights are the other side's vectors, so
//! the matrix of all pairs exists in chunks only.
//!
//! *Reconstruction*: the prediction at patch k is compared with patch k + 1, for the patches that
//! the data name: those past the first part of their picture.

use mm1_package::{DType, Init};

use super::{
    Expander, LOSS_CHUNK, LossGraph, Outcome, Settings, hidden_states, image_tokens, shape_error,
};
use crate::graph::{Binary, Dim, Graph, Op, Type, Unary, Value};
use mm1_dsl::model::Model;

/// Name of the logarithm of the factor on the cosines.
pub(super) const SCALE: &str = "objective.logit_scale";

/// Symmetric cross-entropy over all pairs of the batch.
pub(super) fn contrastive(
    model: &Model,
    settings: &Settings<'_>,
    gradient: bool,
    width: u64,
    temperature: f64,
) -> Outcome<LossGraph> {
    let pairs = model.train.micro_batch_sequences;
    let mut expander = Expander::new(settings, pairs, model.decoder.max_sequence_length);
    let pictures = pictures(model, &mut expander)?;
    let hidden = hidden_states(model, &mut expander, "", None, None)?;
    let rows = vec![Dim::Fixed(pairs)];
    let chosen = expander.input("loss_rows", DType::I32, rows.clone());
    let targets = expander.input("loss_targets", DType::I32, rows.clone());
    let weights = expander.input("loss_weights", DType::F32, rows);
    let z_weight = expander.input("z_weight", DType::F32, Vec::new());
    let dims = vec![Dim::Fixed(width), Dim::Fixed(model.decoder.width)];
    let init = Init::TruncatedNormal(settings.init_std as f32);
    let projection = expander.parameter("text.projection.weight", dims, init);
    let log_scale = expander.parameter(
        SCALE,
        vec![Dim::Fixed(1)],
        Init::Constant(-temperature.ln() as f32),
    );
    let half = expander.splat("loss.half", 0.5);
    let graph = &mut expander.graph;
    let last = graph.add("text.last", Op::GatherRows, &[hidden, chosen]);
    let product = Op::MatMul {
        transpose_a: false,
        transpose_b: true,
    };
    let texts = graph.add("text.projected", product, &[last, projection]);
    let pictures = unit(graph, "image.unit", pictures);
    let texts = unit(graph, "text.unit", texts);
    let scale = graph.add("objective.scale", Op::Unary(Unary::Exp), &[log_scale]);
    let weights = graph.add("loss.shares", Op::Binary(Binary::Mul), &[weights, half]);
    let op = Op::LinearCrossEntropy {
        chunk: LOSS_CHUNK,
        gradient,
        softcap: 0.0,
    };
    let mut seeds = Vec::new();
    let mut losses = Vec::new();
    for (name, [side, other]) in [("image", [pictures, texts]), ("text", [texts, pictures])] {
        let scaled = format!("loss.{name}.scaled");
        let x = graph.add(scaled, Op::Binary(Binary::Mul), &[side, scale]);
        let operands = [x, other, targets, weights, z_weight];
        let loss = graph.add(format!("loss.{name}"), op.clone(), &operands);
        if gradient {
            seeds.extend([(x, loss.sibling(2)), (other, loss.sibling(3))]);
        }
        losses.push(loss);
    }
    let [first, second] = losses[..] else {
        return Err(shape_error("a pair has two sides".to_owned()));
    };
    let loss = graph.add("loss", Op::Binary(Binary::Add), &[first, second]);
    let z_operands = [first.sibling(1), second.sibling(1)];
    let z_loss = graph.add("z_loss", Op::Binary(Binary::Add), &z_operands);
    Ok(LossGraph {
        graph: expander.graph,
        parameters: expander.parameters,
        loss,
        z_loss: Some(z_loss),
        seeds,
        reports: Vec::new(),
    })
}

/// Mean squared error of the patches to predict; `epsilon` where they are normalised.
pub(super) fn reconstruction(
    model: &Model,
    settings: &Settings<'_>,
    epsilon: Option<f64>,
) -> Outcome<LossGraph> {
    let mut expander = Expander::new(settings, 1, 1);
    let predicted = pictures(model, &mut expander)?;
    let pixels = expander.graph.find("pixels").map(Value::from);
    let pixels = pixels.ok_or_else(|| shape_error("there are no pixels".to_owned()))?;
    let side = model.vision.as_ref().map_or(1, |it| it.encoder.patch);
    let built = expander.patchify("loss.patches", pixels, side);
    let patches = built
        .and_then(|patches| expander.rows("loss.patch_rows", patches))
        .map_err(shape_error)?;
    // Every patch but the first part of each picture and the first patch of all.
    let bound = model.train.micro_batch_images.max(1) * patches_of(model).saturating_sub(1).max(1);
    let extent = expander.graph.extent("loss_rows", bound);
    let rows = vec![Dim::Scaled { extent, scale: 1 }];
    let chosen = expander.input("loss_rows", DType::I32, rows.clone());
    let targets = expander.input("loss_targets", DType::I32, rows.clone());
    let weights = expander.input("loss_weights", DType::F32, rows);
    let pixels_of_a_patch = 3 * side * side;
    let mean_share = expander.splat("loss.share", 1.0 / pixels_of_a_patch as f64);
    let one = expander.splat("loss.one", 1.0);
    let mut target = expander
        .graph
        .add("loss.targets.picked", Op::GatherRows, &[patches, targets]);
    if let Some(epsilon) = epsilon {
        let freedom = 1.0 / (pixels_of_a_patch - 1) as f64;
        let constants = [
            mean_share,
            expander.splat("loss.targets.freedom", freedom),
            expander.splat("loss.targets.epsilon", epsilon),
        ];
        target = normalized(&mut expander.graph, target, constants);
    }
    let graph = &mut expander.graph;
    let x = graph.add("loss.rows", Op::GatherRows, &[predicted, chosen]);
    let error = graph.add("loss.error", Op::Binary(Binary::Sub), &[x, target]);
    let square = graph.add("loss.square", Op::Unary(Unary::Square), &[error]);
    let sums = graph.add("loss.sums", Op::sum(&[1]), &[square]);
    let means = graph.add("loss.means", Op::Binary(Binary::Mul), &[sums, mean_share]);
    let weighted = graph.add("loss.weighted", Op::Binary(Binary::Mul), &[means, weights]);
    let loss = graph.add("loss", Op::sum(&[0]), &[weighted]);
    Ok(LossGraph {
        graph: expander.graph,
        parameters: expander.parameters,
        loss,
        z_loss: None,
        seeds: vec![(loss, one)],
        reports: Vec::new(),
    })
}

fn patches_of(model: &Model) -> u64 {
    model
        .vision
        .as_ref()
        .map_or(1, |it| it.encoder.grid().pow(2))
}

/// What the connector gives, as rows; with the range of each token where the encoder draws it.
fn pictures(model: &Model, expander: &mut Expander<'_>) -> Outcome<Value> {
    let rows = image_tokens(model, expander)?;
    rows.ok_or_else(|| shape_error("an objective about pictures needs an encoder".to_owned()))
}

/// Rows of x [R, C] over their lengths.
fn unit(graph: &mut Graph, name: &str, x: Value) -> Value {
    let square = graph.add(format!("{name}.square"), Op::Unary(Unary::Square), &[x]);
    let length = graph.add(format!("{name}.sum"), Op::sum(&[1]), &[square]);
    let reciprocal = graph.add(format!("{name}.length"), Op::Unary(Unary::Rsqrt), &[length]);
    let reciprocal = column(graph, &format!("{name}.column"), reciprocal);
    graph.add(name, Op::Binary(Binary::Mul), &[x, reciprocal])
}

/// Rows less their mean, over their deviation: share 1/C, 1/(C − 1), and the term under the root.
fn normalized(graph: &mut Graph, x: Value, [share, freedom, epsilon]: [Value; 3]) -> Value {
    let name = |part: &str| format!("loss.targets.{part}");
    let total = graph.add(name("sum"), Op::sum(&[1]), &[x]);
    let mean = graph.add(name("mean"), Op::Binary(Binary::Mul), &[total, share]);
    let mean = column(graph, &name("mean.column"), mean);
    let centred = graph.add(name("centred"), Op::Binary(Binary::Sub), &[x, mean]);
    let square = graph.add(name("square"), Op::Unary(Unary::Square), &[centred]);
    let squares = graph.add(name("squares"), Op::sum(&[1]), &[square]);
    let variance = [squares, freedom];
    let variance = graph.add(name("variance"), Op::Binary(Binary::Mul), &variance);
    let lifted = [variance, epsilon];
    let lifted = graph.add(name("lifted"), Op::Binary(Binary::Add), &lifted);
    let factor = graph.add(name("factor"), Op::Unary(Unary::Rsqrt), &[lifted]);
    let factor = column(graph, &name("factor.column"), factor);
    graph.add("loss.targets", Op::Binary(Binary::Mul), &[centred, factor])
}

/// [R] → [R, 1].
fn column(graph: &mut Graph, name: &str, x: Value) -> Value {
    let dims = vec![graph.ty(x).dims[0], Dim::Fixed(1)];
    let ty = Type::new(graph.ty(x).dtype, dims);
    graph.add_typed(name, Op::Reshape, vec![ty], &[x]).into()
}
