//! A fixture with its model: what is asked of the compiler, and what PyTorch says.

use std::collections::BTreeMap;
use std::path::Path;

use mm1_compiler::build::{Purpose, build};
use mm1_compiler::graph::{Graph, InputRole, Op, Value};
use mm1_compiler::interpret::{Tensor, interpret};
use mm1_dsl::model::Model;

use crate::compare::Tensors;
use crate::fixture::{Fixture, folder};

/// Models of `fixtures/parity`: every connector; the last one packs several segments.
pub const MODELS: [&str; 5] = [
    "avg-pool",
    "attention-pool",
    "c-abstractor",
    "mlp",
    "packed",
];

/// Fetched node → name in the fixture.
const FETCHED: [(&str, &str); 3] = [
    ("encoder.norm_final", "features"),
    ("connector.image_tokens", "image_tokens"),
    ("decoder.hidden", "hidden"),
];

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
        Self::with_model(name, &folder().join(format!("{name}.toml")), sets)
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

    /// Nodes that are compared, besides gradients.
    pub fn fetch(&self) -> Vec<String> {
        let nodes = FETCHED.iter().map(|(node, _)| (*node).to_owned());
        let rest = ["loss.rows", "loss", "z_loss"].map(str::to_owned);
        nodes.chain(rest).collect()
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
        let mut built = build(&self.model, purpose)
            .unwrap_or_else(|found| panic!("{}: {found:?}", self.name));
        built.programs.remove(0).graph
    }

    /// Run-time sizes of the fixture's batch.
    pub fn extents(&self) -> BTreeMap<String, u64> {
        BTreeMap::from([
            ("images".to_owned(), self.fixture.get("images").dims[0]),
            ("loss_rows".to_owned(), self.fixture.get("loss_rows").dims[0]),
        ])
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
                        name => self.fixture.get(name).clone(),
                    },
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
        let wanted: Vec<Value> = graph.outputs.iter().map(|output| output.value).collect();
        let results = interpret(graph, &self.extents(), &self.inputs(graph), &wanted)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let named = graph.outputs.iter();
        self.named(
            named
                .map(|output| (output.name.clone(), results[&output.value].data.clone()))
                .collect(),
        )
    }

    /// Renames fetched tensors as in the fixture; adds logits and the whole loss.
    pub fn named(&self, mut results: Tensors) -> Tensors {
        for (node, name) in FETCHED {
            if let Some(values) = results.remove(node) {
                results.insert(name.to_owned(), values);
            }
        }
        if let Some(rows) = results.remove("loss.rows") {
            results.insert("logits".to_owned(), self.logits(&rows));
        }
        if let (Some(loss), Some(z)) = (results.remove("loss"), results.remove("z_loss")) {
            let total = loss[0] + self.model.train.z_loss * z[0];
            results.insert("loss".to_owned(), vec![total]);
        }
        results
    }

    /// Rows of hidden states times the head.
    pub fn logits(&self, rows: &[f64]) -> Vec<f64> {
        let tied = self.model.decoder.tied_head;
        let head = if tied { "decoder.embedding" } else { "head" };
        let head = self.fixture.get(&format!("weights/{head}.weight"));
        let width = head.dims[1] as usize;
        rows.chunks_exact(width)
            .flat_map(|row| {
                let dot = |word: &[f64]| word.iter().zip(row).map(|(a, b)| a * b).sum::<f64>();
                head.data.chunks_exact(width).map(dot).collect::<Vec<f64>>()
            })
            .collect()
    }

    /// PyTorch's results in float64: `features`, `image_tokens`, `hidden`, `logits`, `loss` and
    /// `d(NAME)` of every parameter.
    pub fn wanted(&self) -> Tensors {
        let outputs = ["features", "image_tokens", "hidden", "logits", "loss"];
        let outputs = outputs.map(|name| (name.to_owned(), self.fixture.get(name).data.clone()));
        let gradients = self.fixture.under("gradients").into_iter();
        let gradients = gradients.map(|(name, b)| (format!("d({name})"), b.data.clone()));
        outputs.into_iter().chain(gradients).collect()
    }
}
