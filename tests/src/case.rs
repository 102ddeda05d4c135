//! A fixture with its model: what is asked of the compiler, and what PyTorch says.

use std::collections::BTreeMap;
use std::path::Path;

use mm1_compiler::build::{Purpose, ROUNDED, build};
use mm1_compiler::graph::{Graph, InputRole, Op, Value, capped};
use mm1_compiler::interpret::{Tensor, interpret, interpret_rounded};
use mm1_dsl::model::Model;

use crate::compare::Tensors;
use crate::fixture::{Fixture, place};

/// Models of `fixtures/parity`: every connector; the last one packs several segments.
pub const MODELS: [&str; 5] = [
    "avg-pool",
    "attention-pool",
    "c-abstractor",
    "mlp",
    "packed",
];

/// Models of `fixtures/references`: decoders alone, encoders and connectors by other libraries.
pub const REFERENCES: [&str; 18] = [
    "references/llama",
    "references/qwen2",
    "references/qwen3",
    "references/gemma2",
    "references/gpt2",
    "references/mixtral",
    "references/gshard",
    "references/clip-openai",
    "references/clip-openclip",
    "references/siglip",
    "references/dinov2",
    "references/aim",
    "references/aim-prefix",
    "references/open-clip-larger",
    "references/open-clip-smaller",
    "references/timm-c-abstractor",
    "references/timm-identity",
    "references/pixel-shuffle",
];

/// What mixtures of experts report besides; a fixture holds what its library says of them.
const EXPERT_REPORTS: [&str; 4] = ["load_balance", "router_z", "expert_load", "dropped"];

/// A model and its reference.
#[derive(Clone, Debug)]
pub struct Case {
    /// Name of the fixture.
    pub name: String,
    /// The model of the graph file.
    pub model: Model,
    /// Weights, inputs and results.
    pub fixture: Fixture,
}

impl Case {
    /// A fixture with its own model, changed by `sets`.
    pub fn load(name: &str, sets: &[&str]) -> Self {
        Self::with_model(name, &place(name).with_extension("toml"), sets)
    }

    /// A fixture with the model of another file.
    ///
    /// # Panics
    /// With the diagnostics of a model that is refused.
    pub fn with_model(name: &str, path: &Path, sets: &[&str]) -> Self {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let model = mm1_dsl::load(path, &sets)
            .unwrap_or_else(|found| panic!("{name}: {}", found.render(false)));
        Self {
            name: name.to_owned(),
            model,
            fixture: Fixture::load(name),
        }
    }

    /// Names of all parameters.
    pub fn parameters(&self) -> Vec<String> {
        self.fixture.under("weights").into_keys().collect()
    }

    /// Fetched node → name in the fixture.
    fn fetched_nodes(&self) -> Vec<(String, &'static str)> {
        let features = self.fixture.config["features"].as_str();
        [
            (features.unwrap_or("encoder.norm_final"), "features"),
            ("connector.image_tokens", "image_tokens"),
            ("decoder.hidden", "hidden"),
        ]
        .into_iter()
        .filter(|(_, name)| self.fixture.tensors.contains_key(*name))
        .map(|(node, name)| (node.to_owned(), name))
        .collect()
    }

    /// Nodes that are compared, besides gradients.
    pub fn fetch(&self) -> Vec<String> {
        let nodes = self.fetched_nodes().into_iter().map(|(node, _)| node);
        let rest = ["loss.rows", "loss", "z_loss"].map(str::to_owned);
        let experts = match self.model.decoder.moe {
            Some(_) => &EXPERT_REPORTS[..],
            None => &[],
        };
        let experts = experts.iter().map(|name| (*name).to_owned());
        nodes.chain(rest).chain(experts).collect()
    }

    /// The program `run` before the passes: all that is compared.
    ///
    /// # Panics
    /// If the model cannot be built.
    pub fn graph(&self) -> Graph {
        let (fetch, gradients) = (self.fetch(), self.parameters());
        let purpose = Purpose::Fetch {
            fetch: &fetch,
            gradients: &gradients,
        };
        let mut built =
            build(&self.model, purpose).unwrap_or_else(|found| panic!("{}: {found:?}", self.name));
        built.programs.remove(0).graph
    }

    /// The program `accumulate` before the passes: loss and gradients as training computes them.
    /// (A fetched tensor keeps its type, so under bf16 fetching is not without effect.)
    ///
    /// # Panics
    /// If the model cannot be built.
    pub fn training_graph(&self) -> Graph {
        let built = build(&self.model, Purpose::All)
            .unwrap_or_else(|found| panic!("{}: {found:?}", self.name));
        let mut programs = built.programs.into_iter();
        let accumulate = programs.find(|program| program.name == "accumulate");
        accumulate.expect("the model is trained").graph
    }

    /// Run-time sizes of the fixture's batch.
    pub fn extents(&self) -> BTreeMap<String, u64> {
        [("images", "images"), ("loss_rows", "loss_rows")]
            .into_iter()
            .filter_map(|(extent, name)| {
                let tensor = self.fixture.tensors.get(name)?;
                Some((extent.to_owned(), tensor.dims[0]))
            })
            .collect()
    }

    /// Values of a graph's inputs; weights of the loss divided by their sum.
    pub fn inputs(&self, graph: &Graph) -> BTreeMap<String, Tensor> {
        let mut weights = self.fixture.get("loss_weights").clone();
        let total: f64 = weights.data.iter().sum();
        weights.data.iter_mut().for_each(|w| *w /= total);
        let scalar = |x: f64| Tensor {
            dims: Vec::new(),
            data: vec![x],
        };
        graph
            .nodes()
            .map(|id| graph.node(id))
            .filter_map(|node| {
                let tensor = match &node.op {
                    Op::Input(InputRole::Parameter(_)) => {
                        self.fixture.get(&format!("weights/{}", node.name)).clone()
                    }
                    Op::Input(InputRole::Data) => match node.name.as_str() {
                        "pixels" => self.fixture.get("images").clone(),
                        "loss_weights" => weights.clone(),
                        "z_weight" => scalar(self.model.train.z_loss),
                        "load_balance_weight" => scalar(self.expert_weights()[0]),
                        "router_z_weight" => scalar(self.expert_weights()[1]),
                        name => self.fixture.get(name).clone(),
                    },
                    Op::Input(InputRole::State(region)) if region == ROUNDED => {
                        let weight = node.name.strip_prefix("rounded.").unwrap_or_default();
                        let mut copy = self.fixture.get(&format!("weights/{weight}")).clone();
                        for x in &mut copy.data {
                            *x = half::bf16::from_f32(*x as f32).to_f64();
                        }
                        copy
                    }
                    // Gradients start from nothing.
                    Op::Input(InputRole::State(_)) => {
                        let dims = node.types[0].dims.iter().filter_map(|dim| dim.fixed());
                        let dims: Vec<u64> = dims.collect();
                        let data = vec![0.0; dims.iter().product::<u64>() as usize];
                        Tensor { dims, data }
                    }
                    _ => return None,
                };
                Some((node.name.clone(), tensor))
            })
            .collect()
    }

    /// The interpreter's results, unrounded, by the names of [`Case::wanted`].
    ///
    /// # Panics
    /// If the graph cannot be evaluated.
    pub fn interpreted(&self, graph: &Graph) -> Tensors {
        self.evaluated(graph, false)
    }

    /// As [`Case::interpreted`], every bf16 value rounded.
    ///
    /// # Panics
    /// If the graph cannot be evaluated.
    pub fn rounded(&self, graph: &Graph) -> Tensors {
        self.evaluated(graph, true)
    }

    fn evaluated(&self, graph: &Graph, round: bool) -> Tensors {
        let wanted: Vec<Value> = graph.outputs.iter().map(|output| output.value).collect();
        let evaluate = if round { interpret_rounded } else { interpret };
        let results = evaluate(graph, &self.extents(), &self.inputs(graph), &wanted)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let outputs = graph.outputs.iter();
        let results =
            outputs.map(|output| (output.name.clone(), results[&output.value].data.clone()));
        self.named(results.collect())
    }

    /// Renames tensors as in the fixture; adds logits and the whole loss.
    pub fn named(&self, results: Tensors) -> Tensors {
        let gradient = |name: String| match name.strip_prefix("gradient.") {
            Some(parameter) => format!("d({parameter})"),
            None => name,
        };
        let results = results.into_iter();
        let mut results: Tensors = results
            .map(|(name, values)| (gradient(name), values))
            .collect();
        for (node, name) in self.fetched_nodes() {
            if let Some(values) = results.remove(&node) {
                results.insert(name.to_owned(), values);
            }
        }
        if let Some(rows) = results.remove("loss.rows") {
            results.insert("logits".to_owned(), self.logits(&rows));
        }
        if let (Some(loss), Some(z)) = (results.remove("loss"), results.remove("z_loss")) {
            let mut total = loss[0] + self.model.train.z_loss * z[0];
            let weights = self.expert_weights();
            for (name, weight) in ["load_balance", "router_z"].into_iter().zip(weights) {
                total += weight * results.get(name).map_or(0.0, |values| values[0]);
            }
            results.insert("loss".to_owned(), vec![total]);
        }
        results
    }

    /// Weights of the load-balance loss and of the router's z-loss; 0 without experts.
    pub fn expert_weights(&self) -> [f64; 2] {
        let moe = self.model.decoder.moe.as_ref();
        moe.map_or([0.0; 2], |moe| {
            [moe.load_balance_weight, moe.router_z_weight]
        })
    }

    /// Rows of hidden states times the head.
    pub fn logits(&self, rows: &[f64]) -> Vec<f64> {
        let tied = self.model.decoder.tied_head;
        let head = if tied { "decoder.embedding" } else { "head" };
        let head = self.fixture.get(&format!("weights/{head}.weight"));
        let width = head.dims[1] as usize;
        rows.chunks_exact(width)
            .flat_map(|row| {
                let cap = self.model.decoder.logit_softcap;
                let dot = |word: &[f64]| {
                    let product = word.iter().zip(row).map(|(a, b)| a * b).sum::<f64>();
                    capped(product, cap).0
                };
                head.data.chunks_exact(width).map(dot).collect::<Vec<f64>>()
            })
            .collect()
    }

    /// PyTorch's results in float64: `features`, `image_tokens`, `hidden`, `logits`, `loss` and
    /// `d(NAME)` of every parameter.
    pub fn wanted(&self) -> Tensors {
        let outputs = ["features", "image_tokens", "hidden", "logits", "loss"];
        let outputs = outputs
            .into_iter()
            .chain(EXPERT_REPORTS)
            .filter_map(|name| {
                let tensor = self.fixture.tensors.get(name)?;
                Some((name.to_owned(), tensor.data.clone()))
            });
        let gradients = self.fixture.under("gradients").into_iter();
        let gradients = gradients.map(|(name, b)| (format!("d({name})"), b.data.clone()));
        outputs.into_iter().chain(gradients).collect()
    }
}
