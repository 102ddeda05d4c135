//! Resolved keys become a [`Model`]: typed fields and component calls.

use indexmap::IndexMap;

use crate::codes;
use crate::component::{Argument, Instance, Library};
use crate::diagnostic::Diagnostic;
use crate::edit;
use crate::keys::find;
use crate::model::{
    Adafactor, ComponentCall, Connector, Data, Decoder, Encoder, ImagePreprocessing, MixtureUnit,
    Model, Moe, Objective, Optimizer, Precision, Recompute, Source, Tiles, Train, Vision,
};
use crate::nearest::quoted_list;
use crate::resolved::{Resolved, split_path};
use crate::span::Span;

/// Builds the model. Call it with complete keys only: a key that is missing after validation
/// without errors does not apply, and reads as zero or empty.
///
/// # Errors
/// What the components say of their arguments, and an inapplicable learning-rate law.
pub fn lower(resolved: Resolved, library: Library) -> Result<Model, Vec<Diagnostic>> {
    let keys = Reader {
        resolved: &resolved,
    };
    let vision = resolved.vision.then(|| keys.vision(&library));
    let decoder = keys.decoder(&library);
    let data = resolved
        .get("data.tokenizer")
        .is_some()
        .then(|| keys.data());

    let mut diagnostics = Vec::new();
    for (call, part) in calls(vision.as_ref(), &decoder) {
        let missing = part.missing(&resolved, &library, call);
        if !missing.is_empty() {
            diagnostics.extend(missing);
            continue;
        }
        match library.instantiate_call(call, part.prefix) {
            Ok(instance) => diagnostics.extend(part.check(&resolved, &library, &instance, call)),
            Err(found) => diagnostics.extend(found),
        }
    }

    let mut warnings = Vec::new();
    let mut train = keys.train();
    if resolved.text("train.lr") == Some("mm1") {
        match law(&resolved, &decoder, &mut warnings) {
            Ok(rate) => train.peak_lr = rate,
            Err(diagnostic) => diagnostics.push(*diagnostic),
        }
        warnings.extend(scaled_law(&resolved, &train));
    }
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    let assigned = resolved
        .keys
        .iter()
        .filter_map(|(path, key)| Some((path.clone(), key.origin.assigned()?)))
        .collect();
    let init = ["encoder", "connector", "decoder"]
        .into_iter()
        .filter_map(|part| {
            Some((
                part.to_string(),
                resolved.text(&format!("init.{part}"))?.to_string(),
            ))
        })
        .collect();
    Ok(Model {
        name: keys.text("name"),
        objective: keys.objective(),
        vision,
        decoder,
        data,
        train,
        resolved: crate::resolve::canonical(&resolved, &library),
        components: library,
        assigned,
        init,
        warnings,
        keys: resolved,
    })
}

/// Adds what the components say of a model that has errors already: only calls with all their
/// arguments are tried, and a place that has a message gets no second one.
pub fn check_components(resolved: &Resolved, library: &Library, diagnostics: &mut Vec<Diagnostic>) {
    let keys = Reader { resolved };
    let vision = resolved.vision.then(|| keys.vision(library));
    let decoder = keys.decoder(library);
    for (call, part) in calls(vision.as_ref(), &decoder) {
        let Some(file) = library.get(&call.component) else {
            continue;
        };
        let is_complete =
            file.parameters
                .keys()
                .all(|parameter| match call.arguments.get(parameter) {
                    // A size whose key is missing or wrong reads as 0.
                    Some(Argument::Int(0)) => matches!(
                        parameter.as_str(),
                        "prefix_tokens" | "class_tokens" | "registers" | "attention_prefix"
                    ),
                    Some(Argument::Text(text)) => !text.is_empty(),
                    other => other.is_some(),
                });
        if !is_complete {
            diagnostics.extend(part.missing(resolved, library, call));
            continue;
        }
        for found in library
            .instantiate_call(call, part.prefix)
            .err()
            .unwrap_or_default()
        {
            let place = found.primary.as_ref().map(|label| label.span);
            let known = diagnostics
                .iter()
                .any(|earlier| earlier.primary.as_ref().map(|label| label.span) == place);
            if !known {
                diagnostics.push(found);
            }
        }
    }
}

/// A place for a component: what it takes and gives there.
struct Part {
    prefix: &'static str,
    inputs: &'static [&'static str],
    output: &'static str,
    key: &'static str,
}

/// The component calls of a model.
fn calls<'a>(vision: Option<&'a Vision>, decoder: &'a Decoder) -> Vec<(&'a ComponentCall, Part)> {
    let mut calls = Vec::new();
    if let Some(vision) = vision {
        let encoder = Part {
            prefix: "encoder",
            inputs: &["pixels"],
            output: "features",
            key: "encoder.arch",
        };
        let connector = Part {
            prefix: "connector",
            inputs: &["features"],
            output: "tokens",
            key: "connector.kind",
        };
        calls.push((&vision.encoder.call, encoder));
        calls.push((&vision.connector.call, connector));
    }
    // Reconstruction has none.
    if decoder.call.component.is_empty() {
        return calls;
    }
    let part = Part {
        prefix: "decoder",
        inputs: match decoder.moe {
            None => &["x", "positions", "segment_begin"],
            Some(_) => &["x", "positions", "segment_begin", "present"],
        },
        output: "x",
        key: "decoder.arch",
    };
    calls.push((&decoder.call, part));
    calls
}

impl Part {
    /// Parameters of a project component that no key gives and whose absence no other check reports.
    fn missing(
        &self,
        resolved: &Resolved,
        library: &Library,
        call: &ComponentCall,
    ) -> Vec<Diagnostic> {
        let Some(file) = library
            .get(&call.component)
            .filter(|file| file.name.ends_with(".toml"))
        else {
            return Vec::new();
        };
        let is_silent =
            |name: &str| find(&[self.prefix, name]).is_none_or(|row| row.when.is_some());
        let absent = |name: &str| !call.arguments.contains_key(name);
        file.parameters
            .iter()
            .filter(|(name, _)| absent(name) && is_silent(name))
            .map(|(name, declared)| {
                let message = format!("`{}.{name}` is missing", self.prefix);
                let kind = resolved.assigned(self.key);
                let diagnostic = Diagnostic::error(codes::MISSING_KEY, message)
                    .at(kind, "this component wants it")
                    .with(*declared, "declared here");
                // Beside the line that names the component, if a value is known that would do.
                let line = kind.and_then(|kind| edit::assignment(&library.sources, kind));
                let choice = file.choices.get(name).and_then(|choices| choices.first());
                match (line, choice) {
                    (Some(line), Some(choice)) => {
                        let end = line.end as usize;
                        let place = Span::new(line.source, end..end);
                        let feed = match library.sources.slice(line).ends_with('\n') {
                            true => "",
                            false => "\n",
                        };
                        let text = format!("{feed}{name} = \"{choice}\"\n");
                        diagnostic.patch(format!("it is {}", file.wanted(name)), place, text)
                    }
                    _ => diagnostic.help(format!(
                        "add `{name} = ...` to `[{}]`: {}",
                        self.prefix,
                        file.wanted(name)
                    )),
                }
            })
            .collect()
    }

    fn check(
        &self,
        resolved: &Resolved,
        library: &Library,
        instance: &Instance,
        call: &ComponentCall,
    ) -> Option<Diagnostic> {
        let found: Vec<&str> = instance
            .inputs
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        if found == self.inputs && instance.outputs.contains_key(self.output) {
            return None;
        }
        let file = library.get(&call.component).map(|file| file.span);
        let outputs = quoted_list(instance.outputs.keys().map(String::as_str));
        Some(
            Diagnostic::error(
                codes::WRONG_INTERFACE,
                format!(
                    "component `{}` does not fit as {}",
                    call.component, self.prefix
                ),
            )
            .at(resolved.assigned(self.key).or(file), "")
            .note(format!(
                "wanted: inputs {}, output `{}`",
                quoted_list(self.inputs.iter().copied()),
                self.output
            ))
            .note(format!(
                "it has: inputs {}, outputs {outputs}",
                quoted_list(found)
            ))
            .with(file, "declared here")
            .help("rename its inputs and outputs, or name another component".to_string()),
        )
    }
}

/// The learning-rate law of the paper, eta = exp(-0.4214 ln N - 0.5535).
pub fn mm1_learning_rate(parameters: f64) -> f64 {
    (-0.4214 * parameters.ln() - 0.5535).exp()
}

fn law(
    resolved: &Resolved,
    decoder: &Decoder,
    warnings: &mut Vec<Diagnostic>,
) -> Result<f64, Box<Diagnostic>> {
    let span = resolved.assigned("train.lr");
    let Some(count) = decoder.non_embedding_parameters() else {
        return Err(Box::new(
            Diagnostic::error(
                codes::LAW_INAPPLICABLE,
                "`lr = \"mm1\"` needs the number of parameters of the built-in decoder",
            )
            .at(span, "")
            .with(
                resolved.assigned("decoder.arch"),
                "the decoder is a project component",
            )
            .patch("write a number, for example", span, "3e-4"),
        ));
    };
    #[allow(clippy::cast_precision_loss, reason = "counts stay below 2^42")]
    let parameters = count as f64;
    let rate = mm1_learning_rate(parameters);
    if !(9e6..=3e10).contains(&parameters) {
        warnings.push(
            Diagnostic::warning(
                codes::LAW_EXTRAPOLATED,
                format!("the learning-rate law is extrapolated to {parameters:.2e} parameters"),
            )
            .at(span, format!("gives {rate:.3e}"))
            .note("the law was fitted on 9 M to 1.2 B non-embedding parameters and used up to 30 B")
            .patch(
                "write the number, if it is meant, or one that was tried",
                span,
                format!("{rate:.2e}"),
            ),
        );
    }
    Ok(rate)
}

/// A warning where the law's rate meets updates that are not of the size it was fitted for.
fn scaled_law(resolved: &Resolved, train: &Train) -> Option<Diagnostic> {
    let Optimizer::Adafactor(keys) = train.optimizer else {
        return None;
    };
    let key = "train.scale_parameter";
    keys.scale_parameter.then(|| {
        let warning = Diagnostic::warning(
            codes::LAW_SCALED,
            "`lr = \"mm1\"` is a rate for updates that `scale_parameter` does not scale",
        );
        let warning = warning
            .at(
                resolved.assigned("train.lr"),
                format!("gives {:.3e}", train.peak_lr),
            )
            .with(
                resolved.assigned(key),
                "multiplies by the size of each parameter",
            );
        warning.help("write the rate as a number, or `scale_parameter = false`".to_owned())
    })
}

impl Decoder {
    /// Parameters of blocks and final norm of the built-in decoder: linear layers, their biases and
    /// norms, without embedding, positions and output head; of a mixture of experts those of its
    /// dense backbone, whose rates it takes over. `None` for a project component or on overflow.
    pub fn non_embedding_parameters(&self) -> Option<u64> {
        if !["decoder", "moe-decoder"].contains(&self.call.component.as_str()) {
            return None;
        }
        let is = |name: &str, value: &str| {
            self.call.arguments.get(name) == Some(&Argument::Text(value.to_string()))
        };
        let flag = |name: &str| self.call.arguments.get(name) == Some(&Argument::Bool(true));
        let with_bias = |rows: u64, columns: u64, bias: bool| {
            let weight = rows.checked_mul(columns)?;
            weight.checked_add(if bias { rows } else { 0 })
        };
        let linear = |rows: u64, columns: u64| with_bias(rows, columns, flag("bias"));
        let queries = self.heads.checked_mul(self.head_width)?;
        let keys = self.kv_heads.checked_mul(self.head_width)?;
        let rows = queries.checked_add(keys.checked_mul(2)?)?;
        let qkv = with_bias(rows, self.width, flag("qkv_bias"))?;
        let out = linear(self.width, queries)?;
        let gates = if is("mlp", "swiglu") { 2 } else { 1 };
        let up = linear(self.mlp_width.checked_mul(gates)?, self.width)?;
        let down = linear(self.width, self.mlp_width)?;
        let norm = self
            .width
            .checked_mul(if is("norm", "layer-norm") { 2 } else { 1 })?;
        let post = if is("post_norm", "identity") { 0 } else { norm };
        let heads = if is("qk_norm", "identity") {
            0
        } else {
            2 * self.head_width
        };
        let parts = [qkv, out, up, down, norm, norm, post, post, heads];
        let block = parts.into_iter().try_fold(0u64, u64::checked_add)?;
        block.checked_mul(self.depth)?.checked_add(norm)
    }
}

/// Arguments that a component may ask for: parameter, value, and the key that gave it.
type Pool = Vec<(&'static str, Argument, &'static str)>;

struct Reader<'a> {
    resolved: &'a Resolved,
}

impl Reader<'_> {
    fn count(&self, path: &str) -> u64 {
        self.resolved
            .int(path)
            .and_then(|value| u64::try_from(value).ok())
            .unwrap_or_default()
    }

    #[allow(clippy::cast_precision_loss, reason = "sizes stay below 2^42")]
    fn size(&self, path: &str) -> f64 {
        self.count(path) as f64
    }

    fn float(&self, path: &str) -> f64 {
        self.resolved.float(path).unwrap_or_default()
    }

    fn bool(&self, path: &str) -> bool {
        self.resolved.bool(path).unwrap_or_default()
    }

    fn text(&self, path: &str) -> String {
        self.resolved.text(path).unwrap_or_default().to_string()
    }

    fn optional(&self, path: &str) -> Option<String> {
        self.resolved.text(path).map(str::to_string)
    }

    fn texts(&self, path: &str) -> Vec<String> {
        let Some(Argument::List(items)) = self.resolved.get(path) else {
            return Vec::new();
        };
        items
            .iter()
            .filter_map(|item| match item {
                Argument::Text(text) => Some(text.clone()),
                _ => None,
            })
            .collect()
    }

    fn triple(&self, path: &str) -> [f64; 3] {
        let mut triple = [0.0; 3];
        if let Some(Argument::List(items)) = self.resolved.get(path) {
            for (slot, item) in triple.iter_mut().zip(items) {
                if let Argument::Float(value) = item {
                    *slot = *value;
                }
            }
        }
        triple
    }

    /// A call of `component` with those of `pool` that it declares, and the keys of `section` that
    /// only it declares.
    fn call(&self, library: &Library, component: &str, section: &str, pool: Pool) -> ComponentCall {
        let mut call = ComponentCall {
            component: component.to_string(),
            arguments: IndexMap::new(),
            assigned: IndexMap::new(),
        };
        let Some(file) = library.get(component) else {
            return call;
        };
        for parameter in file.parameters.keys() {
            let pooled = pool.iter().find(|(name, ..)| name == parameter);
            let own = format!("{section}.{parameter}");
            let (value, key) = match pooled {
                Some((_, value, key)) => (value.clone(), *key),
                None => match self.resolved.get(&own) {
                    Some(value) => (value.clone(), own.as_str()),
                    // Instantiation reports it.
                    None => continue,
                },
            };
            call.arguments.insert(parameter.clone(), value);
            if let Some(span) = self.resolved.assigned(key) {
                call.assigned.insert(parameter.clone(), span);
            }
        }
        call
    }

    fn tiles(&self) -> Tiles {
        let overview = self.text("image.overview");
        let last = self.count("image.tiled_pictures");
        let marks = self.text("image.tile_marks");
        match self.text("image.tiles").as_str() {
            "grid" => Tiles::Grid {
                side: self.count("image.tile_grid"),
                overview,
                last,
                marks,
            },
            "dynamic" => Tiles::Dynamic {
                least: self.count("image.least_tiles"),
                most: self.count("image.most_tiles"),
                overview,
                last,
                marks,
            },
            _ => Tiles::None,
        }
    }

    fn objective(&self) -> Objective {
        match self.text("objective.kind").as_str() {
            "contrastive" => Objective::Contrastive {
                width: self.count("objective.width"),
                temperature: self.float("objective.temperature"),
                largest_scale: self.float("objective.largest_scale"),
            },
            "reconstruction" => Objective::Reconstruction {
                normalize: self.bool("objective.normalize_targets"),
                epsilon: self.float("objective.target_epsilon"),
            },
            _ => Objective::Language,
        }
    }

    /// Width of what the connector gives.
    fn out_width(&self) -> (u64, &'static str) {
        match self.objective() {
            Objective::Language => (self.count("decoder.width"), "decoder.width"),
            Objective::Contrastive { width, .. } => (width, "objective.width"),
            Objective::Reconstruction { .. } => {
                let side = self.count("encoder.patch");
                (3 * side * side, "encoder.patch")
            }
        }
    }

    fn vision(&self, library: &Library) -> Vision {
        let arch = self.text("encoder.arch");
        let (resolution, patch) = (
            self.count("encoder.resolution"),
            self.count("encoder.patch"),
        );
        let (width, depth) = (self.count("encoder.width"), self.count("encoder.depth"));
        let grid = resolution / patch.max(1);
        let block = self.resolved.int("encoder.features.block").unwrap_or(-1);
        let run = self.count("encoder.run_blocks");
        let run_blocks = if block < 0 {
            int(run).saturating_add(1 + block)
        } else {
            block + 1
        };
        let class_token = self.bool("encoder.class_token");
        let registers = self.count("encoder.registers");
        let keeps = self.text("encoder.features.class_token") == "keep";
        let norm = self.text("encoder.norm");
        let norm_or_identity = |present: bool| {
            Argument::Text(if present {
                norm.clone()
            } else {
                "identity".to_string()
            })
        };
        let pool: Pool = vec![
            ("resolution", known(resolution), "encoder.resolution"),
            ("patch", known(patch), "encoder.patch"),
            ("grid", known(grid), "encoder.resolution"),
            ("width", known(width), "encoder.width"),
            ("depth", known(depth), "encoder.depth"),
            (
                "run_blocks",
                Argument::Int(run_blocks),
                "encoder.features.block",
            ),
            (
                "class_token",
                text(if class_token {
                    "class-token"
                } else {
                    "identity"
                }),
                "encoder.class_token",
            ),
            (
                "class_tokens",
                Argument::Int(i64::from(class_token)),
                "encoder.class_token",
            ),
            (
                "prefix_tokens",
                known(registers.saturating_add(u64::from(class_token))),
                "encoder.class_token",
            ),
            (
                "register_tokens",
                text(if registers > 0 {
                    "register-tokens"
                } else {
                    "identity"
                }),
                "encoder.registers",
            ),
            (
                "kept_token",
                text(if keeps {
                    "with-class-token"
                } else {
                    "identity"
                }),
                "encoder.features.class_token",
            ),
            (
                "patch_norm",
                norm_or_identity(self.bool("encoder.patch_norm")),
                "encoder.patch_norm",
            ),
            (
                "layer_scale",
                text(if self.bool("encoder.layer_scale") {
                    "layer-scale"
                } else {
                    "identity"
                }),
                "encoder.layer_scale",
            ),
            (
                "position",
                text(match self.text("encoder.position").as_str() {
                    "sin-cos" => "sin-cos-2d",
                    _ => "parameter",
                }),
                "encoder.position",
            ),
            (
                "mask",
                text(match self.text("encoder.attention").as_str() {
                    "causal" => "causal",
                    "prefix" => "prefix",
                    "drawn-prefix" => "drawn-prefix",
                    _ => "none",
                }),
                "encoder.attention",
            ),
            (
                "attention_prefix",
                known(self.count("encoder.attention_prefix")),
                "encoder.attention_prefix",
            ),
            (
                "norm_pre",
                norm_or_identity(self.bool("encoder.pre_norm")),
                "encoder.pre_norm",
            ),
            (
                "norm_final",
                norm_or_identity(self.bool("encoder.features.final_norm")),
                "encoder.features.final_norm",
            ),
        ];
        let encoder = Encoder {
            call: self.call(library, &arch, "encoder", pool),
            arch,
            resolution,
            patch,
            width,
            depth,
            heads: self.count("encoder.heads"),
            mlp_width: self.count("encoder.mlp_width"),
            position_resize: self.optional("encoder.position_resize"),
            class_token,
            weights: self.optional("encoder.weights"),
        };
        let image = ImagePreprocessing {
            fit: self.text("image.fit"),
            filter: self.text("image.filter"),
            mean: self.triple("image.mean"),
            std: self.triple("image.std"),
            tiles: self.tiles(),
        };
        let kind = self.text("connector.kind");
        let image_tokens = self.count("connector.image_tokens");
        let (out_width, out_key) = self.out_width();
        let same_width = self.resolved.int("connector.hidden") == Some(int(width));
        let pool: Pool = vec![
            ("grid", known(grid), "encoder.resolution"),
            (
                "feature_tokens",
                known((grid.saturating_mul(grid)).saturating_add(u64::from(keeps))),
                "encoder.resolution",
            ),
            ("in_width", known(width), "encoder.width"),
            ("out_width", known(out_width), out_key),
            (
                "image_tokens",
                known(image_tokens),
                "connector.image_tokens",
            ),
            (
                "shortcut",
                text(if same_width {
                    "identity"
                } else {
                    "regnet-shortcut"
                }),
                "connector.hidden",
            ),
        ];
        let connector = Connector {
            image_tokens,
            position_resize: self.optional("connector.position_resize"),
            call: self.call(library, &kind, "connector", pool),
        };
        Vision {
            encoder,
            image,
            connector,
        }
    }

    fn decoder(&self, library: &Library) -> Decoder {
        let arch = self.text("decoder.arch");
        let position = self.text("decoder.position");
        let rotary = position == "rotary";
        let rotary_base = self
            .resolved
            .float("decoder.rotary_base")
            .unwrap_or(10_000.0);
        let norm = |present: &str, norm: &str| {
            let present = self.bool(present);
            text(if present { norm } else { "identity" })
        };
        let moe = self.moe();
        let mut pool: Pool = vec![
            (
                "qk_norm",
                norm("decoder.qk_norm", "rms-norm"),
                "decoder.qk_norm",
            ),
            (
                "post_norm",
                norm("decoder.post_norm", &self.text("decoder.norm")),
                "decoder.post_norm",
            ),
            (
                "rotation",
                text(if rotary { "rotary" } else { "identity" }),
                "decoder.position",
            ),
            (
                "rotary_base",
                Argument::Float(rotary_base),
                "decoder.rotary_base",
            ),
            (
                "position_table",
                text(if rotary {
                    "identity"
                } else {
                    "learned-position"
                }),
                "decoder.position",
            ),
        ];
        if let Some(moe) = &moe {
            let expert = match self.text("decoder.mlp").as_str() {
                "swiglu" => "expert-swiglu",
                _ => "expert-gelu-mlp",
            };
            let factor = moe.capacity_factor.unwrap_or(0.0);
            pool.extend([
                ("expert", text(expert), "decoder.mlp"),
                ("experts", known(moe.experts), "decoder.moe.experts"),
                ("every", known(moe.every), "decoder.moe.every"),
                ("offset", known(moe.offset), "decoder.moe.offset"),
                ("top_k", known(moe.top_k), "decoder.moe.top_k"),
                (
                    "capacity_factor",
                    Argument::Float(factor),
                    "decoder.moe.capacity_factor",
                ),
                ("group", text(&moe.group), "decoder.moe.group"),
            ]);
        }
        let component = match (arch.as_str(), &moe) {
            ("decoder", Some(_)) => "moe-decoder",
            (arch, _) => arch,
        };
        Decoder {
            width: self.count("decoder.width"),
            depth: self.count("decoder.depth"),
            heads: self.count("decoder.heads"),
            kv_heads: self.count("decoder.kv_heads"),
            head_width: self.count("decoder.head_width"),
            mlp_width: self.count("decoder.mlp_width"),
            vocabulary: self.count("decoder.vocabulary"),
            max_sequence_length: self.count("decoder.max_sequence_length"),
            tied_head: self.bool("decoder.tied_head"),
            embedding_scale: match self.text("decoder.embedding_scale").as_str() {
                "sqrt-width" => self.size("decoder.width").sqrt(),
                _ => self.float("decoder.embedding_scale"),
            },
            logit_softcap: self.float("decoder.logit_softcap"),
            position,
            rotary_base,
            call: self.call(library, component, "decoder", pool),
            weights: self.optional("decoder.weights"),
            moe,
        }
    }

    fn moe(&self) -> Option<Moe> {
        let key = |leaf: &str| format!("decoder.moe.{leaf}");
        self.resolved.get(&key("experts"))?;
        Some(Moe {
            experts: self.count(&key("experts")),
            every: self.count(&key("every")),
            offset: self.count(&key("offset")),
            top_k: self.count(&key("top_k")),
            capacity_factor: self.resolved.float(&key("capacity_factor")),
            group: self.text(&key("group")),
            load_balance_weight: self.float(&key("load_balance_weight")),
            load_balance_convention: self.text(&key("load_balance_convention")),
            load_balance_layers: self.text(&key("load_balance_layers")),
            router_z_weight: self.float(&key("router_z_weight")),
            from_dense: self.bool(&key("from_dense")),
        })
    }

    fn data(&self) -> Data {
        let mut sources = IndexMap::new();
        for path in self.resolved.keys.keys() {
            let segments = split_path(path);
            let [data, list, name, leaf] = segments.as_slice() else {
                continue;
            };
            if data == "data" && list == "sources" && leaf == "kind" {
                sources.insert(name.clone(), self.source(&format!("data.sources.{name}")));
            }
        }
        Data {
            tokenizer: self.text("data.tokenizer"),
            mixture_unit: match self.text("data.mixture_unit").as_str() {
                "example" => MixtureUnit::Example,
                "token" => MixtureUnit::Token,
                _ => MixtureUnit::Sequence,
            },
            sources,
            max_images: self.count("data.max_images"),
            bad_sample_budget: self.float("data.bad_sample_budget"),
            shuffle_seed: self.count("data.shuffle_seed"),
        }
    }

    fn source(&self, path: &str) -> Source {
        let key = |leaf: &str| format!("{path}.{leaf}");
        Source {
            kind: self.text(&key("kind")),
            task: self.text(&key("task")),
            weight: self.float(&key("weight")),
            path: self.optional(&key("path")),
            examples: self.count(&key("examples")),
            prompt: self.text(&key("prompt")),
            evaluation_path: self.optional(&key("evaluation_path")),
            classes: self.texts(&key("classes")),
            image_column: self.optional(&key("image_column")),
            text_column: self.optional(&key("text_column")),
            prompt_column: self.optional(&key("prompt_column")),
        }
    }

    fn optimizer(&self) -> Optimizer {
        match self.text("train.optimizer").as_str() {
            "adafactor" => Optimizer::Adafactor(Adafactor {
                scale_parameter: self.bool("train.scale_parameter"),
                momentum: self.float("train.momentum"),
                decay_exponent: self.float("train.decay_exponent"),
                update_clip: self.float("train.update_clip"),
                factor_minimum: self.count("train.factor_minimum"),
                epsilon_square: self.float("train.epsilon_square"),
                epsilon_scale: self.float("train.epsilon_scale"),
            }),
            _ => Optimizer::AdamW {
                beta1: self.float("train.beta1"),
                beta2: self.float("train.beta2"),
                epsilon: self.float("train.epsilon"),
            },
        }
    }

    fn train(&self) -> Train {
        let precision = |path: &str| match self.text(path).as_str() {
            "bf16" => Precision::Bf16,
            _ => Precision::F32,
        };
        let lr_scale = self
            .resolved
            .keys
            .iter()
            .filter_map(
                |(path, key)| match (split_path(path).as_slice(), &key.value) {
                    ([train, table, pattern], Argument::Float(factor))
                        if train == "train" && table == "lr_scale" =>
                    {
                        Some((pattern.clone(), *factor))
                    }
                    _ => None,
                },
            )
            .collect();
        Train {
            seed: self.count("train.seed"),
            steps: self.count("train.steps"),
            global_batch_sequences: self.count("train.global_batch_sequences"),
            micro_batch_sequences: self.count("train.micro_batch_sequences"),
            micro_batch_images: self.count("train.micro_batch_images"),
            precision: precision("train.precision"),
            residual: precision("train.residual"),
            recompute: match self.text("train.recompute").as_str() {
                "none" => Recompute::None,
                "cheap" => Recompute::Cheap,
                _ => Recompute::Products,
            },
            arena_mib: self.count("train.arena_mib"),
            peak_lr: self.float("train.lr"),
            warmup_steps: self.count("train.warmup_steps"),
            lr_floor: self.float("train.lr_floor"),
            optimizer: self.optimizer(),
            weight_decay: self.float("train.weight_decay"),
            weight_decay_convention: self.text("train.weight_decay_convention"),
            no_decay: self.texts("train.no_decay"),
            clip_norm: self.float("train.clip_norm"),
            loss_normalization: self.text("train.loss_normalization"),
            z_loss: self.float("train.z_loss"),
            freeze: self.texts("train.freeze"),
            lr_scale,
            init_std: self.float("train.init_std"),
            log_every: self.count("train.log_every"),
            evaluate_every: self.count("train.evaluate_every"),
            checkpoint_every: self.count("train.checkpoint_every"),
            keep_checkpoints: self.count("train.keep_checkpoints"),
            evaluation_examples: self.count("train.evaluation_examples"),
            generate_tokens: self.count("train.generate_tokens"),
            nonfinite_limit: self.count("train.nonfinite_limit"),
        }
    }
}

/// An integer from a size; sizes come from 64-bit integers and fit.
fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn known(value: u64) -> Argument {
    Argument::Int(int(value))
}

fn text(value: &str) -> Argument {
    Argument::Text(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::mm1_learning_rate;

    #[test]
    fn the_law_gives_the_papers_rates() {
        // 2.2e-5 for 30 B is the paper's number; the others follow from its formula.
        for (parameters, rate) in [(3e10, 2.21e-5), (1.2e9, 8.58e-5), (9e6, 6.75e-4)] {
            let found = mm1_learning_rate(parameters);
            assert!((found / rate - 1.0).abs() < 5e-3, "{parameters}: {found}");
        }
    }
}
