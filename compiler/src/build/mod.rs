//! From a model to the graphs of its programs (docs/programs.md).
//!
//! The components of the model file are expanded by `expand.rs`; what is written here in Rust
//! is only the boundary: tokens and pictures in, loss and gradients out, the optimizer, the caches.

mod blame;
mod expand;
mod experts;
mod layout;
mod objective;
mod optimizer;

use std::collections::BTreeMap;

use mm1_dsl::codes;
use mm1_dsl::diagnostic::Diagnostic;
use mm1_dsl::model::{ComponentCall, Model, Objective, Optimizer, Precision};
use mm1_package::{DType, Init};

pub use expand::{Expander, Keys};
pub use layout::{FlatGroup, Layout, ParameterSlot};

use crate::autodiff::differentiate;
use crate::graph::{Binary, Dim, Graph, InputRole, NodeId, Op, Type, Unary, Value};

/// Region of the parameters' bf16 copies, which has their order; the copy of NAME is `rounded.NAME`.
pub const ROUNDED: &str = "rounded";

/// Rows whose logits exist at one time.
pub const LOSS_CHUNK: u64 = 256;

/// What building needs of a model besides its components.
pub struct Settings<'m> {
    model: &'m Model,
    /// Standard deviation of weights that are not told otherwise.
    pub init_std: f64,
    /// Rows of position tables.
    pub positions: u64,
}

impl<'m> Settings<'m> {
    /// Settings of a model.
    pub fn new(model: &'m Model) -> Self {
        Self {
            model,
            init_std: model.train.init_std,
            positions: model.decoder.max_sequence_length,
        }
    }

    /// Whether the optimizer changes a parameter.
    pub fn trains(&self, name: &str) -> bool {
        !self
            .model
            .train
            .freeze
            .iter()
            .any(|pattern| matches(pattern, name))
    }

    /// Whether no pattern excludes a parameter from decay.
    pub fn decays(&self, name: &str) -> bool {
        !self
            .model
            .train
            .no_decay
            .iter()
            .any(|pattern| matches(pattern, name))
    }

    /// Factor on the learning rate: the last pattern that matches.
    pub fn lr_scale(&self, name: &str) -> f64 {
        let scales = self.model.train.lr_scale.iter().rev();
        scales
            .filter(|(pattern, _)| matches(pattern, name))
            .map(|(_, scale)| *scale)
            .next()
            .unwrap_or(1.0)
    }

    /// Least and largest value that a parameter has after each step.
    pub fn bounds(&self, name: &str) -> Option<[f64; 2]> {
        match self.model.objective {
            Objective::Contrastive { largest_scale, .. } if name == objective::SCALE => {
                Some([0.0, largest_scale.ln()])
            }
            _ => None,
        }
    }

    /// Element type of key and value caches.
    pub fn cache_dtype(&self) -> DType {
        match self.model.train.precision {
            Precision::F32 => DType::F32,
            Precision::Bf16 => DType::Bf16,
        }
    }
}

/// Whether `pattern`, in which `*` stands for any text, matches the whole name.
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

/// One program before compilation.
#[derive(Clone, Debug)]
pub struct ProgramGraph {
    /// Name by which the runtime calls it.
    pub name: String,
    /// What it computes.
    pub graph: Graph,
    /// Parameters, gradients and moments: region and byte offset of source nodes by name.
    pub bindings: BTreeMap<String, (String, u64)>,
}

/// Sizes of generation.
#[derive(Clone, Copy, Debug)]
pub struct DecodeShape {
    /// Sequences at once.
    pub sequences: u64,
    /// New tokens per sequence in one `prefill`.
    pub prefill: u64,
}

/// Everything that a model is compiled to.
pub struct Programs {
    /// Programs in a fixed order.
    pub programs: Vec<ProgramGraph>,
    /// Memory of the parameters.
    pub layout: Layout,
    /// Sizes of generation.
    pub decode: DecodeShape,
}

/// Which programs are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// Training, evaluation and generation.
    All,
    /// `run` with these outputs: names of graph nodes, and parameters or inputs whose gradients are wanted.
    Fetch {
        /// Node names.
        fetch: &'a [String],
        /// Names whose gradient of the summed loss is wanted; `["all"]` for every trained parameter.
        gradients: &'a [String],
    },
}

type Outcome<T> = Result<T, Vec<Diagnostic>>;

/// Builds the programs of a model.
///
/// # Errors
/// Diagnostics that point at the graph files.
pub fn build(model: &Model, purpose: Purpose<'_>) -> Outcome<Programs> {
    build_with(model, purpose, false)
}

/// As [`build`]; `rounded` adds what keeps bf16 copies of all parameters up to date.
///
/// # Errors
/// As [`build`].
pub fn build_with(model: &Model, purpose: Purpose<'_>, rounded: bool) -> Outcome<Programs> {
    let settings = Settings::new(model);
    let accumulate = loss_graph(model, &settings, true)?;
    let layout = Layout::new(
        &accumulate.graph,
        &accumulate.parameters,
        |name| settings.bounds(name),
        matches!(model.train.optimizer, Optimizer::AdamW { .. }),
    );
    blame::patterns(model, &layout)?;
    let decode = decode_shape(model);
    let mut programs = Vec::new();
    let round = rounded.then(|| layout.bind("round_weights", round_graph(&layout)));
    if let Purpose::Fetch { fetch, gradients } = purpose {
        let graph = fetch_graph(accumulate, fetch, gradients)?;
        programs.push(layout.bind("run", graph));
        programs.extend(round);
        return Ok(Programs {
            programs,
            layout,
            decode,
        });
    }
    programs.push(layout.bind("accumulate", gradient_graph(accumulate)?));
    programs.push(layout.bind("gradient_norm", norm_graph(&layout)));
    let mut apply = optimizer::apply_graph(model, &layout);
    if rounded {
        round_new_weights(&mut apply);
    }
    programs.push(layout.bind("apply", apply));
    let mut evaluate = loss_graph(model, &settings, false)?;
    evaluate.name_losses();
    programs.push(layout.bind("evaluate", evaluate.graph));
    if model.objective != Objective::Language {
        programs.extend(round);
        return Ok(Programs {
            programs,
            layout,
            decode,
        });
    }
    if model.vision.is_some() {
        programs.push(layout.bind("encode_images", encode_graph(model, &settings)?));
    }
    programs.push(layout.bind(
        "prefill",
        decode_graph(
            model,
            &settings,
            "prefill",
            decode.sequences,
            decode.prefill,
        )?,
    ));
    programs.push(layout.bind(
        "decode",
        decode_graph(model, &settings, "decode", decode.sequences, 1)?,
    ));
    programs.extend(round);
    Ok(Programs {
        programs,
        layout,
        decode,
    })
}

/// Sixteen sequences unless their caches pass 2 GiB.
fn decode_shape(model: &Model) -> DecodeShape {
    let decoder = &model.decoder;
    if model.objective != Objective::Language {
        return DecodeShape {
            sequences: 0,
            prefill: 0,
        };
    }
    let row = 2 * decoder.depth * decoder.kv_heads * decoder.head_width * 4;
    let sequence = row.saturating_mul(decoder.max_sequence_length).max(1);
    DecodeShape {
        sequences: ((2 << 30) / sequence).clamp(1, 16),
        prefill: decoder.max_sequence_length.min(64),
    }
}

/// A graph up to the loss, and what its derivative needs.
struct LossGraph {
    graph: Graph,
    parameters: BTreeMap<String, Value>,
    /// What is minimised, but for the z-loss.
    loss: Value,
    /// Weighted squares of the logits' log-sum-exp, where there are logits.
    z_loss: Option<Value>,
    /// (value, adjoint) pairs that the loss node gives, and those of the losses of experts.
    seeds: Vec<(Value, Value)>,
    /// What a mixture of experts reports, by name.
    reports: Vec<(&'static str, Value)>,
}

impl LossGraph {
    fn name_losses(&mut self) {
        self.graph.output("loss", self.loss);
        if let Some(z_loss) = self.z_loss {
            self.graph.output("z_loss", z_loss);
        }
        for (name, value) in &self.reports {
            self.graph.output(*name, *value);
        }
    }
}

/// pixels → tokens of all images `[I·K, d]`.
fn image_tokens(model: &Model, expander: &mut Expander<'_>) -> Outcome<Option<Value>> {
    let Some(vision) = &model.vision else {
        return Ok(None);
    };
    let images = match model.objective {
        // Every picture of the batch is compared with every text: two sizes of one tensor, of which
        // only the first could be known at run time.
        Objective::Contrastive { .. } => Dim::Fixed(model.train.micro_batch_sequences),
        Objective::Language | Objective::Reconstruction { .. } => {
            let bound = model.train.micro_batch_images.max(1);
            let extent = expander.graph.extent("images", bound);
            Dim::Scaled { extent, scale: 1 }
        }
    };
    expander.images = Some(images);
    let side = Dim::Fixed(vision.encoder.resolution);
    let pixels = expander.input(
        "pixels",
        DType::F32,
        vec![images, Dim::Fixed(3), side, side],
    );
    if let Objective::Reconstruction { .. } = model.objective {
        let tokens = Dim::Fixed(vision.encoder.grid().pow(2));
        let end = expander.input("visible_end", DType::I32, vec![images, tokens]);
        expander.visible_end = Some(end);
    }
    let encoder = ("encoder.arch", &vision.encoder.call);
    let features = part(
        model,
        expander,
        encoder,
        &[("pixels", pixels)],
        "features",
        |_, _| Ok(()),
    )?;
    let connector = ("connector.kind", &vision.connector.call);
    let inputs = [("features", features)];
    let tokens = part(
        model,
        expander,
        connector,
        &inputs,
        "tokens",
        |graph, tokens| {
            // What other objectives do with it is their own.
            let Objective::Language = model.objective else {
                return Ok(());
            };
            let width = Dim::Fixed(model.decoder.width);
            let wanted = [images, Dim::Fixed(vision.connector.image_tokens), width];
            blame::gives(graph, "tokens", tokens, &wanted)
        },
    )?;
    let tokens = expander
        .rows("connector.image_tokens", tokens)
        .map_err(shape_error)?;
    Ok(Some(tokens))
}

/// Expands the component that a key such as `encoder.arch` chose, and gives the output of this name;
/// what is wrong in it, or what `check` finds wrong with the output, names the key.
fn part(
    model: &Model,
    expander: &mut Expander<'_>,
    (key, call): (&str, &ComponentCall),
    inputs: &[(&str, Value)],
    output: &str,
    check: impl FnOnce(&Graph, Value) -> Outcome<()>,
) -> Outcome<Value> {
    let (role, _) = key.split_once('.').unwrap_or((key, ""));
    let instance = model.components.instantiate_call(call, role)?;
    let expanded = expander.expand(&instance, inputs).and_then(|mut outputs| {
        let value = outputs.remove(output).ok_or_else(|| {
            vec![Diagnostic::error(
                codes::WRONG_INTERFACE,
                format!("the component has no output `{output}`"),
            )]
        })?;
        check(&expander.graph, value).map(|()| value)
    });
    blame::chosen(model, key, &call.component, expanded)
}

fn shape_error(message: String) -> Vec<Diagnostic> {
    vec![Diagnostic::error(codes::SHAPE, message)]
}

/// Token embeddings, image tokens spliced in, through the decoder: `[S, L, d]` → `[S·L, d]`.
fn hidden_states(
    model: &Model,
    expander: &mut Expander<'_>,
    prefix: &str,
    images: Option<Value>,
    last_visible: Option<Value>,
) -> Outcome<Value> {
    let decoder = &model.decoder;
    let shape = vec![Dim::Fixed(expander.sequences), Dim::Fixed(expander.length)];
    let tokens = expander.input(&format!("{prefix}tokens"), DType::I32, shape.clone());
    let table = embedding(model, expander);
    let mut x = expander
        .graph
        .add("decoder.embedding", Op::GatherRows, &[table, tokens]);
    // Image tokens come as they are.
    if decoder.embedding_scale != 1.0 {
        let factor = expander.splat("decoder.embedding.factor", decoder.embedding_scale);
        x = expander.graph.add(
            "decoder.embedding.scaled",
            Op::Binary(Binary::Mul),
            &[x, factor],
        );
    }
    let picked = images.map(|images| {
        let rows = expander.input(&format!("{prefix}image_rows"), DType::I32, shape.clone());
        let picked = expander
            .graph
            .add("decoder.images", Op::GatherRows, &[images, rows]);
        (rows, picked)
    });
    if let Some((_, picked)) = picked {
        x = expander
            .graph
            .add("decoder.spliced", Op::Binary(Binary::Add), &[x, picked]);
    }
    let positions = expander.input(&format!("{prefix}positions"), DType::I32, shape.clone());
    let begin = match last_visible {
        Some(end) => end,
        None => expander.input("segment_begin", DType::I32, shape),
    };
    let mut inputs = vec![("x", x), ("positions", positions), ("segment_begin", begin)];
    if decoder.moe.is_some() {
        let rows = picked.map(|(rows, _)| rows);
        let present = expander.present(tokens, rows).map_err(shape_error)?;
        inputs.push(("present", present));
    }
    let wanted = expander.graph.ty(x).dims.clone();
    let chosen = ("decoder.arch", &decoder.call);
    let x = part(model, expander, chosen, &inputs, "x", |graph, x| {
        blame::gives(graph, "x", x, &wanted)
    })?;
    expander.rows("decoder.hidden", x).map_err(shape_error)
}

fn embedding(model: &Model, expander: &mut Expander<'_>) -> Value {
    let dims = vec![
        Dim::Fixed(model.decoder.vocabulary),
        Dim::Fixed(model.decoder.width),
    ];
    let std = model.train.init_std as f32;
    expander.parameter("decoder.embedding.weight", dims, Init::TruncatedNormal(std))
}

fn head(model: &Model, expander: &mut Expander<'_>) -> Value {
    if model.decoder.tied_head {
        return embedding(model, expander);
    }
    let dims = vec![
        Dim::Fixed(model.decoder.vocabulary),
        Dim::Fixed(model.decoder.width),
    ];
    expander.parameter(
        "head.weight",
        dims,
        Init::TruncatedNormal(model.train.init_std as f32),
    )
}

fn loss_graph(model: &Model, settings: &Settings<'_>, gradient: bool) -> Outcome<LossGraph> {
    match model.objective {
        Objective::Language => language(model, settings, gradient),
        Objective::Contrastive {
            width, temperature, ..
        } => objective::contrastive(model, settings, gradient, width, temperature),
        Objective::Reconstruction { normalize, epsilon } => {
            objective::reconstruction(model, settings, normalize.then_some(epsilon))
        }
    }
}

fn language(model: &Model, settings: &Settings<'_>, gradient: bool) -> Outcome<LossGraph> {
    let mut expander = Expander::new(
        settings,
        model.train.micro_batch_sequences,
        model.decoder.max_sequence_length,
    );
    let images = image_tokens(model, &mut expander)?;
    let hidden = hidden_states(model, &mut expander, "", images, None)?;
    let bound = expander.sequences * expander.length;
    let extent = expander.graph.extent("loss_rows", bound);
    let rows = vec![Dim::Scaled { extent, scale: 1 }];
    let chosen = expander.input("loss_rows", DType::I32, rows.clone());
    let targets = expander.input("loss_targets", DType::I32, rows.clone());
    let weights = expander.input("loss_weights", DType::F32, rows);
    let z_weight = expander.input("z_weight", DType::F32, Vec::new());
    let weight = head(model, &mut expander);
    let losses = match &model.decoder.moe {
        Some(moe) => Some(expander.expert_losses(moe).map_err(shape_error)?),
        None => None,
    };
    let graph = &mut expander.graph;
    let x = graph.add("loss.rows", Op::GatherRows, &[hidden, chosen]);
    let op = Op::LinearCrossEntropy {
        chunk: LOSS_CHUNK,
        gradient,
        softcap: model.decoder.logit_softcap,
    };
    let loss = graph.add("loss", op, &[x, weight, targets, weights, z_weight]);
    let mut seeds = if gradient {
        vec![(x, loss.sibling(2)), (weight, loss.sibling(3))]
    } else {
        Vec::new()
    };
    let mut reports = Vec::new();
    if let Some(losses) = losses {
        for (name, value) in [
            ("load_balance_weight", losses.load_balance),
            ("router_z_weight", losses.router_z),
        ] {
            if gradient {
                let factor = expander.input(name, DType::F32, Vec::new());
                seeds.push((value, factor));
            }
        }
        reports = losses.reports();
    }
    Ok(LossGraph {
        graph: expander.graph,
        parameters: expander.parameters,
        loss,
        z_loss: Some(loss.sibling(1)),
        seeds,
        reports,
    })
}

/// Adds the gradient of every trained parameter to the region `gradients`.
fn gradient_graph(mut built: LossGraph) -> Outcome<Graph> {
    built.name_losses();
    let graph = &mut built.graph;
    let trained: Vec<(String, Value)> = built
        .parameters
        .iter()
        .filter(|(_, value)| matches!(graph.op(value.node), Op::Input(InputRole::Parameter(facts)) if facts.trained))
        .map(|(name, value)| (name.clone(), *value))
        .collect();
    let wanted: Vec<Value> = trained.iter().map(|(_, value)| *value).collect();
    let gradients = differentiate(graph, &built.seeds, &wanted).map_err(shape_error)?;
    for (name, value) in trained {
        let ty = graph.ty(value).clone();
        let role = Op::Input(InputRole::State("gradients".to_owned()));
        let state = graph.add_typed(format!("gradient.{name}"), role, vec![ty], &[]);
        let sum = graph.add(
            format!("d({name}).sum"),
            Op::Binary(Binary::Add),
            &[state.into(), gradients[&value]],
        );
        graph.update(state, sum);
    }
    Ok(built.graph)
}

/// Σ g² over all trained parameters, in rows of [`layout::BLOCK`].
fn norm_graph(layout: &Layout) -> Graph {
    let mut graph = Graph::default();
    let dims = [
        Dim::Fixed(layout.trained_elements / layout::BLOCK),
        Dim::Fixed(layout::BLOCK),
    ];
    let role = Op::Input(InputRole::State("gradients".to_owned()));
    let all: Value = graph
        .add_typed("gradients", role, vec![Type::new(DType::F32, dims)], &[])
        .into();
    let square = graph.add("gradient_norm.square", Op::Unary(Unary::Square), &[all]);
    let rows = graph.add("gradient_norm.rows", Op::sum(&[1]), &[square]);
    let total = graph.add("gradient_norm_squared", Op::sum(&[0]), &[rows]);
    graph.output("gradient_norm_squared", total);
    graph
}

/// The bf16 copies of all parameters, for when the host has written some.
fn round_graph(layout: &Layout) -> Graph {
    let mut graph = Graph::default();
    let role = Op::Input(InputRole::State("parameters".to_owned()));
    let ty = Type::new(DType::F32, [Dim::Fixed(layout.elements)]);
    let all = graph.add_typed("parameters", role, vec![ty], &[]);
    round(&mut graph, all, all.into());
    graph
}

/// Keeps the bf16 copies up to date with the weights that a program replaces.
fn round_new_weights(graph: &mut Graph) {
    for output in graph.outputs.clone() {
        let Some(replaced) = output.replaces else {
            continue;
        };
        if matches!(graph.op(replaced), Op::Input(InputRole::State(region)) if region == "parameters")
        {
            round(graph, replaced, output.value);
        }
    }
}

/// Replaces the copy of some parameters by a value that is rounded.
fn round(graph: &mut Graph, parameters: NodeId, value: Value) {
    let ty = graph.ty(value).with_dtype(DType::Bf16);
    let role = Op::Input(InputRole::State(ROUNDED.to_owned()));
    let name = format!("{ROUNDED}.{}", graph.node(parameters).name);
    let copy = graph.add_typed(name, role, vec![ty.clone()], &[]);
    let cast = format!("{}.bf16", graph.value_name(value));
    let cast = graph.add_typed(cast, Op::Cast, vec![ty], &[value]);
    graph.update(copy, cast.into());
}

/// The state that holds the tokens of the images in use.
fn image_features(model: &Model, graph: &mut Graph) -> Option<Value> {
    let vision = model.vision.as_ref()?;
    let extent = graph.extent("images", model.train.micro_batch_images.max(1));
    let dims = [
        Dim::Scaled {
            extent,
            scale: vision.connector.image_tokens,
        },
        Dim::Fixed(model.decoder.width),
    ];
    let role = Op::Input(InputRole::State("state".to_owned()));
    Some(
        graph
            .add_typed(
                "image_features",
                role,
                vec![Type::new(DType::F32, dims)],
                &[],
            )
            .into(),
    )
}

fn encode_graph(model: &Model, settings: &Settings<'_>) -> Outcome<Graph> {
    let mut expander = Expander::new(settings, 1, 1);
    let tokens = image_tokens(model, &mut expander)?;
    if let (Some(tokens), Some(state)) = (tokens, image_features(model, &mut expander.graph)) {
        expander.graph.update(state.node, tokens);
    }
    Ok(expander.graph)
}

/// Logits of the wanted rows; keys and values go through the caches.
fn decode_graph(
    model: &Model,
    settings: &Settings<'_>,
    program: &str,
    sequences: u64,
    length: u64,
) -> Outcome<Graph> {
    let mut expander = Expander::new(settings, sequences, length);
    let shape = vec![Dim::Fixed(sequences), Dim::Fixed(length)];
    let rows = expander.input(&format!("{program}.cache_rows"), DType::I32, shape.clone());
    let end = expander.input(&format!("{program}.key_end"), DType::I32, shape);
    expander.keys = Keys::Cache {
        length: model.decoder.max_sequence_length,
        rows,
        end,
    };
    let images = image_features(model, &mut expander.graph);
    let hidden = hidden_states(
        model,
        &mut expander,
        &format!("{program}."),
        images,
        Some(end),
    )?;
    let last = expander.input(
        &format!("{program}.last_rows"),
        DType::I32,
        vec![Dim::Fixed(sequences)],
    );
    let weight = head(model, &mut expander);
    let chosen = expander
        .graph
        .add("head.rows", Op::GatherRows, &[hidden, last]);
    let cap = model.decoder.logit_softcap;
    let name = if cap == 0.0 {
        "head.logits"
    } else {
        "head.products"
    };
    let mut logits = expander.graph.add(
        name,
        Op::MatMul {
            transpose_a: false,
            transpose_b: true,
        },
        &[chosen, weight],
    );
    if cap != 0.0 {
        let share = expander.splat("head.cap.share", 1.0 / cap);
        let factor = expander.splat("head.cap", cap);
        let graph = &mut expander.graph;
        let shares = graph.add("head.shares", Op::Binary(Binary::Mul), &[logits, share]);
        let bounded = graph.add("head.bounded", Op::Unary(Unary::Tanh), &[shares]);
        logits = graph.add("head.logits", Op::Binary(Binary::Mul), &[bounded, factor]);
    }
    expander.graph.output(format!("{program}.logits"), logits);
    Ok(expander.graph)
}

/// Everything that a program `run` can be asked for.
pub struct Named {
    /// The loss graph with the derivatives of its trained parameters; [`Purpose::Fetch`] finds its
    /// names here.
    pub graph: Graph,
    /// Nodes whose gradient can be wanted: floats that the summed loss depends on.
    pub with_gradient: Vec<NodeId>,
    /// Names of the trained parameters.
    pub trained: Vec<String>,
}

/// The tensors of a model by name.
///
/// # Errors
/// Diagnostics that point at the graph files.
pub fn named(model: &Model) -> Outcome<Named> {
    let settings = Settings::new(model);
    let mut built = loss_graph(model, &settings, true)?;
    built.name_losses();
    let graph = &mut built.graph;
    let mut depends = vec![false; graph.capacity()];
    let mut pending: Vec<NodeId> = built.seeds.iter().map(|(value, _)| value.node).collect();
    while let Some(id) = pending.pop() {
        if !std::mem::replace(&mut depends[id.index()], true) {
            pending.extend(graph.operands(id).iter().map(|value| value.node));
        }
    }
    let with_gradient = graph
        .nodes()
        .filter(|id| depends[id.index()])
        .filter(|id| graph.node(*id).types[0].dtype != DType::I32)
        .filter(|id| !matches!(graph.op(*id), Op::Constant(_) | Op::Splat(_)))
        .collect();
    let trained: BTreeMap<&String, Value> = built
        .parameters
        .iter()
        .filter(|(name, _)| settings.trains(name))
        .map(|(name, value)| (name, *value))
        .collect();
    let wanted: Vec<Value> = trained.values().copied().collect();
    let trained = trained.into_keys().cloned().collect();
    differentiate(graph, &built.seeds, &wanted).map_err(shape_error)?;
    Ok(Named {
        graph: built.graph,
        with_gradient,
        trained,
    })
}

/// Named tensors of the loss graph and gradients of its summed loss.
fn fetch_graph(mut built: LossGraph, fetch: &[String], gradients: &[String]) -> Outcome<Graph> {
    let graph = &mut built.graph;
    let trained = |value: &Value| matches!(graph.op(value.node), Op::Input(InputRole::Parameter(facts)) if facts.trained);
    let all: Vec<String> = built
        .parameters
        .iter()
        .filter(|(_, value)| trained(value))
        .map(|(name, _)| name.clone())
        .collect();
    let gradients = if gradients == ["all"] {
        &all
    } else {
        gradients
    };
    let find = |graph: &Graph, name: &String| {
        graph.find(name).ok_or_else(|| {
            shape_error(format!(
                "no tensor is called `{name}`; `mm1c run --list` prints the names"
            ))
        })
    };
    let wanted: Vec<Value> = gradients
        .iter()
        .map(|name| find(graph, name).map(Value::from))
        .collect::<Result<_, _>>()?;
    let found = differentiate(graph, &built.seeds, &wanted).map_err(shape_error)?;
    for name in fetch {
        match name.as_str() {
            "loss" => graph.output("loss", built.loss),
            "z_loss" => {
                let z_loss = built.z_loss;
                let none = || shape_error("this objective has no z-loss".to_owned());
                graph.output("z_loss", z_loss.ok_or_else(none)?);
            }
            name if let Some((_, value)) = built.reports.iter().find(|it| it.0 == name) => {
                graph.output(name, *value);
            }
            _ => {
                let node = find(graph, name)?;
                graph.output(name.clone(), node.into());
            }
        }
    }
    for (name, value) in gradients.iter().zip(&wanted) {
        graph.output(format!("d({name})"), found[value]);
    }
    Ok(built.graph)
}
