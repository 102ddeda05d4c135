//! Checks between keys. Each needs only the keys that it reads, so an error elsewhere hides no other.

use crate::codes;
use crate::component::Argument;
use crate::diagnostic::Diagnostic;
use crate::edit;
use crate::layers::Merged;
use crate::nearest::quoted_list;
use crate::resolved::{Resolved, split_path};

/// Largest number of elements of one tensor or of parameters in all: 2^42.
const MOST_ELEMENTS: i64 = 1 << 42;

/// Reports everything that is wrong between keys.
///
/// `merged` is the tree, where a suggested line may go.
pub fn check(
    resolved: &Resolved,
    merged: &Merged,
    sources: &crate::source::Sources,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let context = Context {
        resolved,
        merged,
        sources,
    };
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
    merged: &'a Merged,
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

    /// A patch that gives `path` the value `text`: of its assignment, or a line in its table.
    pub(crate) fn set(
        &self,
        diagnostic: Diagnostic,
        path: &str,
        message: &str,
        text: impl std::fmt::Display,
    ) -> Diagnostic {
        if let Some(span) = self.resolved.assigned(path) {
            return diagnostic.patch(message, span, text.to_string());
        }
        let segments = split_path(path);
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let place = edit::added(
            self.sources,
            &self.merged.table,
            self.merged.start,
            &segments,
            &text.to_string(),
        );
        match place {
            Some((place, line)) => diagnostic.patch(message, place, line),
            None => diagnostic.help(format!("{message}: `{path} = {text}`")),
        }
    }

    /// A patch that removes the table `path`.
    pub(crate) fn remove_table(&self, diagnostic: Diagnostic, path: &str) -> Diagnostic {
        let entry = self.merged.table.at(path);
        match entry.and_then(|entry| edit::table(self.sources, entry.key)) {
            Some(lines) => diagnostic.patch("remove the table", lines, ""),
            None => diagnostic.help(format!("remove it: `remove = [\"{path}\"]`")),
        }
    }

    /// A patch to the divisor of `whole` next to `part`.
    fn divisor(&self, diagnostic: Diagnostic, path: &str, whole: i64, part: i64) -> Diagnostic {
        let diagnostic = diagnostic.help(near_divisors(whole, part));
        let divisors = (1..=whole.min(4096)).filter(|divisor| whole % divisor == 0);
        match divisors.min_by_key(|divisor| (divisor - part).abs()) {
            Some(nearest) => self.set(diagnostic, path, "take the nearest", nearest),
            None => diagnostic,
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
        Some(self.set(
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
        Some(self.divisor(diagnostic, heads_path, width, heads))
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
        Some(self.divisor(diagnostic, "decoder.kv_heads", heads, kv_heads))
    }

    fn rotary(&self) -> Option<Diagnostic> {
        let width = self.int("decoder.head_width")?;
        if self.resolved.text("decoder.position")? != "rotary" || width % 2 == 0 {
            return None;
        }
        let diagnostic = self.error(
            codes::ODD_ROTARY,
            format!("a head of {width} features has no two halves to rotate"),
            &[
                "decoder.head_width",
                "decoder.heads",
                "decoder.width",
                "decoder.position",
            ],
        );
        let (path, message) = ("decoder.head_width", "an even number of features");
        Some(self.set(diagnostic, path, message, width + 1))
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
        Some(self.divisor(diagnostic, "decoder.moe.every", depth, every))
    }

    fn sparse_offset(&self) -> Option<Diagnostic> {
        let (offset, every) = (
            self.int("decoder.moe.offset")?,
            self.int("decoder.moe.every")?,
        );
        if offset < every {
            return None;
        }
        let diagnostic = self.error(
            codes::SPARSE_LAYERS,
            format!(
                "there is no block {offset} among {every}, counted from 0 to {}",
                every - 1
            ),
            &["decoder.moe.offset", "decoder.moe.every"],
        );
        Some(self.set(
            diagnostic,
            "decoder.moe.offset",
            "the last of them",
            every - 1,
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
        let diagnostic = self.error(
            codes::SPARSE_LAYERS,
            format!("a token cannot choose {chosen} of {experts} experts"),
            &["decoder.moe.top_k", "decoder.moe.experts"],
        );
        Some(self.set(diagnostic, "decoder.moe.top_k", "all of them", experts))
    }

    fn expert_bias(&self) -> Option<Diagnostic> {
        self.int("decoder.moe.experts")?;
        if !self.flag("decoder.bias")? {
            return None;
        }
        let diagnostic = self.error(
            codes::SPARSE_LAYERS,
            "experts have no biases".to_string(),
            &["decoder.bias", "decoder.moe.experts"],
        );
        Some(self.set(diagnostic, "decoder.bias", "leave biases out", false))
    }

    fn run_blocks(&self) -> Option<Diagnostic> {
        let (run, depth) = (self.int("encoder.run_blocks")?, self.int("encoder.depth")?);
        if run <= depth {
            return None;
        }
        let diagnostic = self.error(
            codes::OUT_OF_RANGE,
            format!("{run} blocks run, but there are {depth}"),
            &["encoder.run_blocks", "encoder.depth"],
        );
        Some(self.set(diagnostic, "encoder.run_blocks", "run all", depth))
    }

    /// Connectors that walk a grid have no place for another token.
    fn kept_class_token(&self) -> Option<Diagnostic> {
        let keys = ["encoder.features.class_token", "connector.kind"];
        let projects = self.resolved.text("connector.kind") == Some("class-projection");
        if projects && self.resolved.text(keys[0])? != "keep" {
            let message = "connector `class-projection` reads the class token".to_string();
            let error = self.error(codes::WRONG_KIND, message, &keys);
            return Some(self.set(error, keys[0], "keep it", "\"keep\""));
        }
        if self.resolved.text("encoder.features.class_token")? != "keep" {
            return None;
        }
        if !self.flag("encoder.class_token")? {
            let error = self.error(
                codes::WRONG_KIND,
                "there is no class token to keep".to_string(),
                &["encoder.features.class_token", "encoder.class_token"],
            );
            return Some(self.set(error, keys[0], "take the patches alone", "\"drop\""));
        }
        let kind = self.resolved.text("connector.kind")?;
        if ["attention-pool", "class-projection"].contains(&kind) || kind.ends_with(".toml") {
            return None;
        }
        let error = self.error(
            codes::WRONG_KIND,
            format!("connector `{kind}` reads a grid of patches, without a class token"),
            &["encoder.features.class_token", "connector.kind"],
        );
        let error = error.help("connector `attention-pool` takes it".to_string());
        Some(self.set(error, keys[0], "drop the class token", "\"drop\""))
    }

    fn registers(&self) -> Option<Diagnostic> {
        let registers = self.int("encoder.registers")?;
        if registers == 0 || self.flag("encoder.class_token")? {
            return None;
        }
        let diagnostic = self.error(
            codes::WRONG_KIND,
            format!("{registers} registers follow a class token, but there is none"),
            &["encoder.registers", "encoder.class_token"],
        );
        Some(self.set(diagnostic, "encoder.registers", "leave them out", 0))
    }

    fn attention_prefix(&self) -> Option<Diagnostic> {
        let prefix = self.int("encoder.attention_prefix")?;
        let grid = self.int("encoder.resolution")? / self.int("encoder.patch")?;
        let others = self.int("encoder.registers")? + i64::from(self.flag("encoder.class_token")?);
        let tokens = grid.checked_mul(grid)?.checked_add(others)?;
        if prefix < tokens {
            return None;
        }
        let diagnostic = self.error(
            codes::OUT_OF_RANGE,
            format!("a prefix of {prefix} leaves nothing of {tokens} tokens"),
            &["encoder.attention_prefix", "encoder.resolution"],
        );
        let help = "`attention = \"bidirectional\"` lets every token see all";
        let (path, message) = ("encoder.attention_prefix", "the longest prefix");
        Some(self.set(
            diagnostic.help(help.to_string()),
            path,
            message,
            (tokens - 1).max(1),
        ))
    }

    fn sin_cos(&self) -> Option<Diagnostic> {
        let width = self.int("encoder.width")?;
        if self.resolved.text("encoder.position")? != "sin-cos" || width % 4 == 0 {
            return None;
        }
        let diagnostic = self.error(
            codes::QUARTERS,
            format!("a width of {width} has no quarters"),
            &["encoder.width", "encoder.position"],
        );
        // Heads take equal shares of it too.
        let heads = self.int("encoder.heads").unwrap_or(1);
        let part = [1, 2, 4].map(|factor| factor * heads);
        let part = part.into_iter().find(|part| part % 4 == 0).unwrap_or(4);
        let nearest = ((width + part / 2) / part).max(1) * part;
        let message = format!("the nearest multiple of {part}");
        Some(self.set(diagnostic, "encoder.width", &message, nearest))
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
        let diagnostic = self
            .error(
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
            ));
        Some(self.set(diagnostic, "encoder.features.block", "the last block", -1))
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
        if fit > 0 {
            let message = format!("at most {fit} such images leave room for text");
            return Some(self.set(diagnostic, "data.max_images", &message, fit));
        }
        let help = "not even one image fits; `connector.image_tokens` may be lowered";
        let diagnostic = diagnostic.help(help.to_string());
        let room = u64::try_from(needed).ok()?.checked_next_power_of_two()?;
        let room = match room <= needed.unsigned_abs() {
            true => room * 2,
            false => room,
        };
        let (path, message) = (
            "decoder.max_sequence_length",
            "or let the sequence be longer",
        );
        Some(self.set(diagnostic, path, message, room))
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
        let micro_batch = "train.micro_batch_sequences";
        Some(self.divisor(diagnostic, micro_batch, global, micro))
    }

    fn micro_batch_images(&self) -> Option<Diagnostic> {
        let bound = self.int("train.micro_batch_images")?;
        let images = crate::tiles::inputs(self.resolved, self.int("data.max_images")?);
        if bound >= images {
            return None;
        }
        let diagnostic = self.error(
            codes::TOKENS_FIT,
            format!("a micro batch holds {bound} images, but one sequence may have {images}"),
            &["train.micro_batch_images", "data.max_images"],
        );
        let (path, message) = ("train.micro_batch_images", "the least that holds it");
        Some(self.set(diagnostic, path, message, images))
    }

    fn tile_bounds(&self) -> Option<Diagnostic> {
        let (least, most) = (
            self.int("image.least_tiles")?,
            self.int("image.most_tiles")?,
        );
        if least <= most {
            return None;
        }
        let diagnostic = self.error(
            codes::OUT_OF_RANGE,
            format!("at least {least} tiles, but at most {most}"),
            &["image.least_tiles", "image.most_tiles"],
        );
        Some(self.set(diagnostic, "image.least_tiles", "as many as at most", most))
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
        Some(self.set(
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
            .note("sizes are limited to 2^42, or 4.4e12")
            .help("lower one of these; most often a digit is too many".to_string()),
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
        let diagnostic = self.error(
            codes::TOO_LARGE_MODEL,
            "the activations of one micro batch exceed 2^42 elements".to_string(),
            &[
                "train.micro_batch_sequences",
                "decoder.max_sequence_length",
                "decoder.mlp_width",
            ],
        );
        Some(diagnostic.help("fewer sequences in a micro batch take less".to_string()))
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
        let diagnostic = self.error(
            codes::TOO_LARGE_MODEL,
            "the patches of one micro batch exceed 2^42 elements".to_string(),
            &[
                "train.micro_batch_images",
                "encoder.resolution",
                "encoder.patch",
                "encoder.mlp_width",
            ],
        );
        Some(diagnostic.help("fewer images in a micro batch take less".to_string()))
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
        let diagnostic = self.error(
            codes::NO_WEIGHT,
            format!(
                "every source has weight 0: {}",
                quoted_list(paths.iter().copied())
            ),
            &paths,
        );
        Some(self.set(diagnostic, paths[0], "for example", "1.0"))
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
                _ => &["caption", "question", "digits", "interleaved", "text"],
            };
            if !tasks.contains(&task) {
                let known = quoted_list(tasks.iter().copied());
                let diagnostic = self.error(
                    codes::WRONG_KIND,
                    format!("a source of kind `{kind}` has no task `{task}`, only {known}"),
                    &[path, &format!("{source}.kind")],
                );
                diagnostics.push(self.set(diagnostic, path, "for example", "\"caption\""));
            } else if task != "text" && !self.resolved.vision {
                let diagnostic = self.error(
                    codes::INCOMPLETE,
                    format!("task `{task}` needs pictures, but the model has no `[encoder]`"),
                    &[path, &format!("{source}.kind")],
                );
                diagnostics.push(match kind {
                    "image-folder" => {
                        diagnostic.help("pictures alone teach a text model nothing".to_string())
                    }
                    _ => self.set(diagnostic, path, "learn from texts", "\"text\""),
                });
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
