//! Checks of `[objective]` with the other tables.

use crate::checks::Context;
use crate::codes;
use crate::diagnostic::Diagnostic;

impl Context<'_> {
    /// Everything that an objective other than `language` wants of the rest.
    pub(crate) fn objective(&self) -> Vec<Diagnostic> {
        // Without an image side that is what is wrong.
        if !self.resolved.vision {
            return Vec::new();
        }
        let kind = self.resolved.text("objective.kind");
        let found = match kind.unwrap_or("language") {
            "contrastive" => vec![
                self.no_drawn_prefix(),
                self.whole_batch(),
                self.tokens(1),
                self.dense_tower(),
            ],
            "reconstruction" => {
                let patches = self.patches_of_a_picture();
                vec![
                    self.drawn_prefix(),
                    self.only_patches(),
                    patches.and_then(|patches| self.tokens(patches)),
                ]
            }
            _ => return self.no_drawn_prefix().into_iter().collect(),
        };
        let mut found: Vec<Diagnostic> = found.into_iter().flatten().collect();
        found.extend(self.one_picture());
        found.extend(self.room_for_pictures());
        found.extend(self.captions());
        found
    }

    fn patches_of_a_picture(&self) -> Option<i64> {
        let side = self.int("encoder.resolution")? / self.int("encoder.patch")?;
        side.checked_mul(side)
    }

    fn no_drawn_prefix(&self) -> Option<Diagnostic> {
        if self.resolved.text("encoder.attention")? != "drawn-prefix" {
            return None;
        }
        let keys = ["encoder.attention", "objective.kind"];
        let message = "only objective `reconstruction` draws a prefix for each picture";
        let error = self.error(codes::WRONG_KIND, message.to_string(), &keys);
        let message = "as a part of other models such an encoder sees all";
        Some(self.set(error, keys[0], message, "\"bidirectional\""))
    }

    fn drawn_prefix(&self) -> Option<Diagnostic> {
        let attention = self.resolved.text("encoder.attention")?;
        if attention == "drawn-prefix" {
            return None;
        }
        let message =
            format!("with attention `{attention}` a patch may see the one that it is to predict");
        let keys = ["encoder.attention", "objective.kind"];
        let error = self.error(codes::WRONG_KIND, message, &keys);
        Some(self.set(error, keys[0], "draw the prefix", "\"drawn-prefix\""))
    }

    /// A prefix is counted in patches.
    fn only_patches(&self) -> Option<Diagnostic> {
        let others = self.int("encoder.registers")? + i64::from(self.flag("encoder.class_token")?);
        if others == 0 {
            return None;
        }
        let diagnostic = self.error(
            codes::WRONG_KIND,
            "objective `reconstruction` knows neither class token nor registers".to_string(),
            &["encoder.class_token", "encoder.registers", "objective.kind"],
        );
        Some(match self.int("encoder.registers")? {
            0 => self.set(diagnostic, "encoder.class_token", "leave it out", false),
            _ => self.set(diagnostic, "encoder.registers", "leave them out", 0),
        })
    }

    fn tokens(&self, wanted: i64) -> Option<Diagnostic> {
        let tokens = self.int("connector.image_tokens")?;
        let kind = self.resolved.text("objective.kind")?;
        let what = match kind {
            "contrastive" => "one token per picture",
            _ => "one token per patch",
        };
        if tokens == wanted {
            return None;
        }
        let diagnostic = self.error(
            codes::TOKENS_FIT,
            format!("objective `{kind}` wants {what}, {wanted} in all, not {tokens}"),
            &["connector.image_tokens", "objective.kind"],
        );
        Some(self.set(diagnostic, "connector.image_tokens", what, wanted))
    }

    /// The losses of experts are those of a language model's step.
    fn dense_tower(&self) -> Option<Diagnostic> {
        self.int("decoder.moe.experts")?;
        let message = "the text tower of objective `contrastive` has no experts".to_string();
        let keys = ["decoder.moe.experts", "objective.kind"];
        let diagnostic = self.error(codes::WRONG_KIND, message, &keys);
        Some(self.remove_table(diagnostic, "decoder.moe"))
    }

    /// A text is compared with every picture of its step.
    fn whole_batch(&self) -> Option<Diagnostic> {
        let global = self.int("train.global_batch_sequences")?;
        let micro = self.int("train.micro_batch_sequences")?;
        if micro == global {
            return None;
        }
        let diagnostic = self.error(
            codes::BATCH_DIVIDES,
            format!("all pairs of {global} are compared, but a forward pass has {micro}"),
            &[
                "train.micro_batch_sequences",
                "train.global_batch_sequences",
                "objective.kind",
            ],
        );
        let message = "all pairs in one forward pass";
        Some(self.set(diagnostic, "train.micro_batch_sequences", message, global))
    }

    fn one_picture(&self) -> Option<Diagnostic> {
        if self
            .resolved
            .text("image.tiles")
            .is_some_and(|it| it != "none")
        {
            let message = "an example of this objective is one picture, not its tiles";
            let keys = ["image.tiles", "objective.kind"];
            let diagnostic = self.error(codes::WRONG_KIND, message.to_string(), &keys);
            return Some(self.set(diagnostic, keys[0], "show the picture once", "\"none\""));
        }
        let images = self.int("data.max_images")?;
        if images == 1 {
            return None;
        }
        let diagnostic = self.error(
            codes::TOKENS_FIT,
            format!("an example of this objective has one picture, not {images}"),
            &["data.max_images", "objective.kind"],
        );
        Some(self.set(diagnostic, "data.max_images", "one picture", 1))
    }

    fn room_for_pictures(&self) -> Option<Diagnostic> {
        let images = self.int("train.micro_batch_images")?;
        let sequences = self.int("train.micro_batch_sequences")?;
        if images >= sequences {
            return None;
        }
        let diagnostic = self.error(
            codes::TOKENS_FIT,
            format!("{sequences} examples have as many pictures, but room is for {images}"),
            &["train.micro_batch_images", "train.micro_batch_sequences"],
        );
        let path = "train.micro_batch_images";
        Some(self.set(diagnostic, path, "room for all", sequences))
    }

    fn captions(&self) -> Vec<Diagnostic> {
        let paths = self.resolved.keys.keys();
        paths
            .filter(|path| path.starts_with("data.sources.") && path.ends_with(".task"))
            .filter_map(|path| {
                let task = self.resolved.text(path).filter(|task| *task != "caption")?;
                let message =
                    format!("an example of this objective is a captioned picture, not `{task}`");
                let diagnostic = self.error(codes::WRONG_KIND, message, &[path, "objective.kind"]);
                Some(self.set(diagnostic, path, "captions", "\"caption\""))
            })
            .collect()
    }
}
