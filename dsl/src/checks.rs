//! Checks between keys. Each needs only the keys that it reads, so an error elsewhere hides no other.

use crate::codes;
use crate::component::Argument;
use crate::diagnostic::Diagnostic;
use crate::nearest::quoted_list;
use crate::resolved::Resolved;

/// Largest number of elements of one tensor or of parameters in all: 2^42.
const MOST_ELEMENTS: i64 = 1 << 42;

/// Reports everything that is wrong between keys.
pub fn check(
    resolved: &Resolved,
    sources: &crate::source::Sources,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let context = Context { resolved, sources };
    diagnostics.extend(
        [
            context.patch(),
            context.heads("encoder.heads", "encoder.width"),
            context.heads("connector.heads", "encoder.width"),
            context.decoder_heads(),
            context.kv_heads(),
            context.rotary(),
            context.run_blocks(),
            context.features(),
            context.kept_class_token(),
            context.registers(),
            context.attention_prefix(),
            context.sin_cos(),
            context.image_tokens(),
            context.micro_batch(),
            context.micro_batch_images(),
            context.tile_bounds(),
            context.warmup(),
            context.parameters(),
            context.activations(),
            context.patches(),
            context.weights(),
            context.sparse_layers(),
            context.sparse_offset(),
            context.chosen_experts(),
            context.expert_bias(),
        ]
        .into_iter()
        .flatten(),
    );
    context.tasks(diagnostics);
    diagnostics.extend(context.objective());
}

pub(crate) struct Context<'a> {
    pub(crate) resolved: &'a Resolved,
    sources: &'a crate::source::Sources,
}

impl Context<'_> {
    pub(crate) fn int(&self, path: &str) -> Option<i64> {
        self.resolved.int(path)
    }

    /// Adds the place of `path` with its value.
    fn mark(&self, diagnostic: Diagnostic, path: &str) -> Diagnostic {
        let Some(value) = self.resolved.get(path) else {
            return diagnostic;
        };
        match self.resolved.place(path) {
            Some(span) if diagnostic.primary.is_none() => {
                diagnostic.at(span, format!("`{path}` is {value}"))
            }
            Some(span) => diagnostic.with(span, format!("`{path}` is {value}")),
            None => diagnostic.note(format!("`{path}` is {value} by default")),
        }
    }

    /// An error at the keys `paths`, the first being the one to change.
    pub(crate) fn error(&self, code: codes::Code, message: String, paths: &[&str]) -> Diagnostic {
        // A key that nobody wrote cannot be marked; then the next one is.
        paths
            .iter()
            .fold(Diagnostic::error(code, message), |diagnostic, path| {
                self.mark(diagnostic, path)
            })
    }

    /// A patch of the assignment of `path`, if a file wrote the value plainly.
    fn replace(&self, diagnostic: Diagnostic, path: &str, message: &str, value: i64) -> Diagnostic {
        let Some(span) = self.resolved.assigned(path) else {
            return diagnostic;
        };
        let written = self.sources.slice(span);
        let plain = self
            .resolved
            .get(path)
            .is_some_and(|old| old.to_string() == written);
        if plain {
            diagnostic.patch(message, span, value.to_string())
        } else {
            diagnostic
        }
    }

    fn patch(&self) -> Option<Diagnostic> {
        let (resolution, patch) = (self.int("encoder.resolution")?, self.int("encoder.patch")?);
        if resolution % patch == 0 {
            return None;
        }
        let diagnostic = self.error(
            codes::PATCH_DIVIDES,
            format!("resolution {resolution} is not a multiple of the patch size {patch}"),
            &["encoder.resolution", "encoder.patch"],
        );
        let nearest = ((resolution + patch / 2) / patch).max(1) * patch;
        Some(self.replace(
            diagnostic,
            "encoder.resolution",
            "the nearest multiple",
            nearest,
        ))
    }

    fn heads(&self, heads_path: &str, width_path: &str) -> Option<Diagnostic> {
        let (heads, width) = (self.int(heads_path)?, self.int(width_path)?);
        if width % heads == 0 {
            return None;
        }
        let diagnostic = self.error(
            codes::HEADS_DIVIDE,
            format!("{heads} heads do not divide the width {width}"),
            &[heads_path, width_path],
        );
        Some(diagnostic.help(near_divisors(width, heads)))
    }

    fn decoder_heads(&self) -> Option<Diagnostic> {
        // With a head width of its own the heads need not divide the width.
        if self.resolved.get("decoder.head_width").is_some() {
            return None;
        }
        self.heads("decoder.heads", "decoder.width")
    }

    fn kv_heads(&self) -> Option<Diagnostic> {
        let (kv_heads, heads) = (self.int("decoder.kv_heads")?, self.int("decoder.heads")?);
        if heads % kv_heads == 0 {
            return None;
        }
        let diagnostic = self.error(
            codes::KV_HEADS_DIVIDE,
            format!("{kv_heads} key/value heads do not divide {heads} heads"),
            &["decoder.kv_heads", "decoder.heads"],
        );
        Some(diagnostic.help(near_divisors(heads, kv_heads)))
    }

    fn rotary(&self) -> Option<Diagnostic> {
        let width = self.int("decoder.head_width")?;
        if self.resolved.text("decoder.position")? != "rotary" || width % 2 == 0 {
            return None;
        }
        Some(self.error(
            codes::ODD_ROTARY,
            format!("a head of {width} features has no two halves to rotate"),
            &[
                "decoder.head_width",
                "decoder.heads",
                "decoder.width",
                "decoder.position",
            ],
        ))
    }

    fn sparse_layers(&self) -> Option<Diagnostic> {
        let (every, depth) = (self.int("decoder.moe.every")?, self.int("decoder.depth")?);
        if depth % every == 0 {
            return None;
        }
        let diagnostic = self.error(
            codes::SPARSE_LAYERS,
            format!("one sparse block of {every} does not divide {depth} blocks"),
            &["decoder.moe.every", "decoder.depth"],
        );
        Some(diagnostic.help(near_divisors(depth, every)))
    }

    fn sparse_offset(&self) -> Option<Diagnostic> {
        let (offset, every) = (
            self.int("decoder.moe.offset")?,
            self.int("decoder.moe.every")?,
        );
        if offset < every {
            return None;
        }
        Some(self.error(
            codes::SPARSE_LAYERS,
            format!(
                "there is no block {offset} among {every}, counted from 0 to {}",
                every - 1
            ),
            &["decoder.moe.offset", "decoder.moe.every"],
        ))
    }

    fn chosen_experts(&self) -> Option<Diagnostic> {
        let (chosen, experts) = (
            self.int("decoder.moe.top_k")?,
            self.int("decoder.moe.experts")?,
        );
        if chosen <= experts {
            return None;
        }
        Some(self.error(
            codes::SPARSE_LAYERS,
            format!("a token cannot choose {chosen} of {experts} experts"),
            &["decoder.moe.top_k", "decoder.moe.experts"],
        ))
    }

    fn expert_bias(&self) -> Option<Diagnostic> {
        self.int("decoder.moe.experts")?;
        if !self.flag("decoder.bias")? {
            return None;
        }
        Some(
            self.error(
                codes::SPARSE_LAYERS,
                "experts have no biases".to_string(),
                &["decoder.bias", "decoder.moe.experts"],
            )
            .help("write `bias = false`".to_string()),
        )
    }

    fn run_blocks(&self) -> Option<Diagnostic> {
        let (run, depth) = (self.int("encoder.run_blocks")?, self.int("encoder.depth")?);
        if run <= depth {
            return None;
        }
        Some(self.error(
            codes::OUT_OF_RANGE,
            format!("{run} blocks run, but there are {depth}"),
            &["encoder.run_blocks", "encoder.depth"],
        ))
    }

    /// Connectors that walk a grid have no place for another token.
    fn kept_class_token(&self) -> Option<Diagnostic> {
        let keys = ["encoder.features.class_token", "connector.kind"];
        let projects = self.resolved.text("connector.kind") == Some("class-projection");
        if projects && self.resolved.text(keys[0])? != "keep" {
            let message = "connector `class-projection` reads the class token".to_string();
            let error = self.error(codes::WRONG_KIND, message, &keys);
            return Some(error.help("`features.class_token = \"keep\"`".to_string()));
        }
        if self.resolved.text("encoder.features.class_token")? != "keep" {
            return None;
        }
        if !self.flag("encoder.class_token")? {
            return Some(self.error(
                codes::WRONG_KIND,
                "there is no class token to keep".to_string(),
                &["encoder.features.class_token", "encoder.class_token"],
            ));
        }
        let kind = self.resolved.text("connector.kind")?;
        if ["attention-pool", "class-projection"].contains(&kind) || kind.ends_with(".toml") {
            return None;
        }
        Some(
            self.error(
                codes::WRONG_KIND,
                format!("connector `{kind}` reads a grid of patches, without a class token"),
                &["encoder.features.class_token", "connector.kind"],
            )
            .help("drop the class token, or choose the attention pool".to_string()),
        )
    }

    fn registers(&self) -> Option<Diagnostic> {
        let registers = self.int("encoder.registers")?;
        if registers == 0 || self.flag("encoder.class_token")? {
            return None;
        }
        Some(self.error(
            codes::WRONG_KIND,
            format!("{registers} registers follow a class token, but there is none"),
            &["encoder.registers", "encoder.class_token"],
        ))
    }

    fn attention_prefix(&self) -> Option<Diagnostic> {
        let prefix = self.int("encoder.attention_prefix")?;
        let grid = self.int("encoder.resolution")? / self.int("encoder.patch")?;
        let others = self.int("encoder.registers")? + i64::from(self.flag("encoder.class_token")?);
        let tokens = grid.checked_mul(grid)?.checked_add(others)?;
        if prefix < tokens {
            return None;
        }
        Some(
            self.error(
                codes::OUT_OF_RANGE,
                format!("a prefix of {prefix} leaves nothing of {tokens} tokens"),
                &["encoder.attention_prefix", "encoder.resolution"],
            )
            .help("`attention = \"bidirectional\"` lets every token see all".to_string()),
        )
    }

    fn sin_cos(&self) -> Option<Diagnostic> {
        let width = self.int("encoder.width")?;
        if self.resolved.text("encoder.position")? != "sin-cos" || width % 4 == 0 {
            return None;
        }
        Some(self.error(
            codes::QUARTERS,
            format!("a width of {width} has no quarters"),
            &["encoder.width", "encoder.position"],
        ))
    }

    pub(crate) fn flag(&self, path: &str) -> Option<bool> {
        match self.resolved.get(path)? {
            Argument::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    fn features(&self) -> Option<Diagnostic> {
        let (block, depth) = (
            self.int("encoder.features.block")?,
            self.int("encoder.run_blocks")?,
        );
        if (-depth..depth).contains(&block) {
            return None;
        }
        Some(
            self.error(
                codes::OUT_OF_RANGE,
                format!("there is no block {block} among {depth}"),
                &[
                    "encoder.features.block",
                    "encoder.run_blocks",
                    "encoder.depth",
                ],
            )
            .note(format!(
                "blocks are counted from 0 to {}, or from -{depth} to -1",
                depth - 1
            )),
        )
    }

    fn image_tokens(&self) -> Option<Diagnostic> {
        let (tokens, images) = (
            self.int("connector.image_tokens")?,
            self.int("data.max_images")?,
        );
        let length = self.int("decoder.max_sequence_length")?;
        let inputs = crate::tiles::inputs(self.resolved, images);
        let marks = |pictures: i64| crate::tiles::marks(self.resolved, pictures);
        let needed = tokens.checked_mul(inputs)?.checked_add(marks(images))?;
        if needed < length
            || self
                .resolved
                .text("objective.kind")
                .is_some_and(|it| it != "language")
        {
            return None;
        }
        let what = match inputs == images {
            true => format!("{images} images"),
            false => format!("{images} images in {inputs} tiles and overviews"),
        };
        let diagnostic = self.error(
            codes::TOKENS_FIT,
            format!(
                "{what} of {tokens} tokens{} are {needed} tokens, but a sequence has {length}",
                match marks(images) {
                    0 => String::new(),
                    count => format!(" with {count} marks among them"),
                }
            ),
            &[
                "data.max_images",
                "connector.image_tokens",
                "decoder.max_sequence_length",
            ],
        );
        // Most pictures that fit: their inputs grow with their number.
        let fits = |pictures: &i64| {
            let inputs = crate::tiles::inputs(self.resolved, *pictures);
            inputs * tokens + marks(*pictures) < length
        };
        let fit = (1..images).take_while(fits).last().unwrap_or(0);
        let help = if fit == 0 {
            "not even one image fits; lower `connector.image_tokens` or raise `decoder.max_sequence_length`".to_string()
        } else {
            format!("at most {fit} such images leave room for text")
        };
        Some(diagnostic.help(help))
    }

    fn micro_batch(&self) -> Option<Diagnostic> {
        let global = self.int("train.global_batch_sequences")?;
        let micro = self.int("train.micro_batch_sequences")?;
        if global % micro == 0 {
            return None;
        }
        let diagnostic = self.error(
            codes::BATCH_DIVIDES,
            format!("a micro batch of {micro} does not divide the global batch of {global}"),
            &[
                "train.micro_batch_sequences",
                "train.global_batch_sequences",
            ],
        );
        Some(diagnostic.help(near_divisors(global, micro)))
    }

    fn micro_batch_images(&self) -> Option<Diagnostic> {
        let bound = self.int("train.micro_batch_images")?;
        let images = crate::tiles::inputs(self.resolved, self.int("data.max_images")?);
        if bound >= images {
            return None;
        }
        Some(
            self.error(
                codes::TOKENS_FIT,
                format!("a micro batch holds {bound} images, but one sequence may have {images}"),
                &["train.micro_batch_images", "data.max_images"],
            )
            .help(format!(
                "raise `train.micro_batch_images` to at least {images}"
            )),
        )
    }

    fn tile_bounds(&self) -> Option<Diagnostic> {
        let (least, most) = (
            self.int("image.least_tiles")?,
            self.int("image.most_tiles")?,
        );
        (least > most).then(|| {
            self.error(
                codes::OUT_OF_RANGE,
                format!("at least {least} tiles, but at most {most}"),
                &["image.least_tiles", "image.most_tiles"],
            )
        })
    }

    fn warmup(&self) -> Option<Diagnostic> {
        let (warmup, steps) = (self.int("train.warmup_steps")?, self.int("train.steps")?);
        if warmup * 2 <= steps {
            return None;
        }
        let diagnostic = self.error(
            codes::LONG_WARMUP,
            format!("a warm-up of {warmup} steps is longer than half the run of {steps}"),
            &["train.warmup_steps", "train.steps"],
        );
        Some(self.replace(
            diagnostic,
            "train.warmup_steps",
            "a tenth of the run",
            steps / 10,
        ))
    }

    /// Parameters of the decoder, embedding included, and of the encoder.
    fn parameters(&self) -> Option<Diagnostic> {
        let mut totals = Vec::new();
        for section in ["encoder", "decoder"] {
            let read = |key: &str| self.int(&format!("{section}.{key}"));
            let (Some(width), Some(depth), Some(mlp)) =
                (read("width"), read("depth"), read("mlp_width"))
            else {
                continue;
            };
            let rows = read("vocabulary").unwrap_or(0);
            let total = (|| {
                let attention = width.checked_mul(width)?.checked_mul(4)?;
                let block = attention.checked_add(width.checked_mul(mlp)?.checked_mul(3)?)?;
                block
                    .checked_mul(depth)?
                    .checked_add(width.checked_mul(rows)?)
            })();
            if total.is_none_or(|total| total > MOST_ELEMENTS) {
                totals.push((section, total));
            }
        }
        let (section, total) = totals.first()?;
        let count = total.map_or("more than 2^63".to_string(), |total| {
            format!("about {:.1e}", approximate(total))
        });
        let keys =
            ["width", "depth", "mlp_width", "vocabulary"].map(|key| format!("{section}.{key}"));
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        Some(
            self.error(
                codes::TOO_LARGE_MODEL,
                format!("the {section} has {count} parameters"),
                &keys,
            )
            .note("sizes are limited to 2^42, or 4.4e12"),
        )
    }

    /// Elements of the widest activation of one micro batch.
    fn activations(&self) -> Option<Diagnostic> {
        let micro = self.int("train.micro_batch_sequences")?;
        let length = self.int("decoder.max_sequence_length")?;
        let width = self
            .int("decoder.mlp_width")?
            .max(self.int("decoder.width")?);
        let total = micro
            .checked_mul(length)
            .and_then(|rows| rows.checked_mul(width));
        if total.is_some_and(|total| total <= MOST_ELEMENTS) {
            return None;
        }
        Some(self.error(
            codes::TOO_LARGE_MODEL,
            "the activations of one micro batch exceed 2^42 elements".to_string(),
            &[
                "train.micro_batch_sequences",
                "decoder.max_sequence_length",
                "decoder.mlp_width",
            ],
        ))
    }

    /// Patches of one micro batch.
    fn patches(&self) -> Option<Diagnostic> {
        let grid = self.int("encoder.resolution")? / self.int("encoder.patch")?;
        let width = self
            .int("encoder.mlp_width")?
            .max(self.int("encoder.width")?);
        let images = self.int("train.micro_batch_images")?;
        let total = (|| {
            grid.checked_mul(grid)?
                .checked_add(1)?
                .checked_mul(images)?
                .checked_mul(width)
        })();
        if total.is_some_and(|total| total <= MOST_ELEMENTS) {
            return None;
        }
        Some(self.error(
            codes::TOO_LARGE_MODEL,
            "the patches of one micro batch exceed 2^42 elements".to_string(),
            &[
                "train.micro_batch_images",
                "encoder.resolution",
                "encoder.patch",
                "encoder.mlp_width",
            ],
        ))
    }

    fn weights(&self) -> Option<Diagnostic> {
        let paths: Vec<&String> = self
            .resolved
            .keys
            .keys()
            .filter(|path| path.starts_with("data.sources.") && path.ends_with(".weight"))
            .collect();
        let any = paths
            .iter()
            .any(|path| self.resolved.float(path).is_some_and(|weight| weight > 0.0));
        if paths.is_empty() || any {
            return None;
        }
        let paths: Vec<&str> = paths.into_iter().map(String::as_str).collect();
        Some(self.error(
            codes::NO_WEIGHT,
            format!(
                "every source has weight 0: {}",
                quoted_list(paths.iter().copied())
            ),
            &paths,
        ))
    }

    /// Only the generator makes questions, folders hold captions, and pictures need an encoder.
    fn tasks(&self, diagnostics: &mut Vec<Diagnostic>) {
        for path in self.resolved.keys.keys() {
            let Some(source) = path
                .strip_suffix(".task")
                .filter(|path| path.starts_with("data.sources."))
            else {
                continue;
            };
            let (Some(task), Some(kind)) = (
                self.resolved.text(path),
                self.resolved.text(&format!("{source}.kind")),
            ) else {
                continue;
            };
            let tasks: &[&str] = match kind {
                "image-folder" => &["caption"],
                "webdataset" | "json-lines" | "parquet" => &["caption", "interleaved", "text"],
                _ => &["caption", "question", "interleaved", "text"],
            };
            if !tasks.contains(&task) {
                let known = quoted_list(tasks.iter().copied());
                diagnostics.push(self.error(
                    codes::WRONG_KIND,
                    format!("a source of kind `{kind}` has no task `{task}`, only {known}"),
                    &[path, &format!("{source}.kind")],
                ));
            } else if task != "text" && !self.resolved.vision {
                diagnostics.push(self.error(
                    codes::INCOMPLETE,
                    format!("task `{task}` needs pictures, but the model has no `[encoder]`"),
                    &[path, &format!("{source}.kind")],
                ));
            }
        }
    }
}

/// The divisors of `whole` next to `part`, in words.
fn near_divisors(whole: i64, part: i64) -> String {
    let below = (1..=part.min(whole))
        .rev()
        .find(|divisor| whole % divisor == 0);
    let above = (part..=whole).find(|divisor| whole % divisor == 0);
    match (below, above) {
        (Some(below), Some(above)) if below != above => {
            format!("the nearest divisors of {whole} are {below} and {above}")
        }
        (Some(one), _) | (None, Some(one)) => format!("the nearest divisor of {whole} is {one}"),
        (None, None) => format!("{whole} has no divisor near {part}"),
    }
}

#[allow(clippy::cast_precision_loss, reason = "for a message")]
fn approximate(value: i64) -> f64 {
    value as f64
}
