//! Greedy generation with a KV cache, several sequences at once.
//!
//! `encode_images` makes the image tokens, `prefill` reads the prompts in pieces of P tokens,
//! `decode` adds one token per sequence and call. A sequence that is done, or not there, is
//! padding: its cache row is −1, so nothing of it is kept.

mod prompt;
#[cfg(test)]
mod tests;

use crate::engine::{Engine, EngineExt, RunError};

pub use prompt::{PromptPart, parse_prompt};

/// A prompt as the model sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prompt {
    /// Token ids; −1 at each image position.
    pub tokens: Vec<i32>,
    /// Preprocessed pictures in order, each `[3, H, W]`; picture `i` fills the i-th group of
    /// `image_tokens` positions that are −1.
    pub images: Vec<Vec<f32>>,
}

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Token that ends an answer; it is not part of it.
    pub end: i32,
    /// Most tokens in an answer.
    pub tokens: usize,
}

/// Answers in the order of `prompts`, without the end token.
///
/// An answer also ends where its sequence is full. Results do not depend on which prompts
/// share a batch.
///
/// # Errors
/// A prompt that is empty, has an image-token count that does not fit its pictures, or leaves
/// no room for an answer; logits that are not numbers.
pub fn generate<E: Engine + ?Sized>(
    engine: &mut E,
    prompts: &[Prompt],
    limits: Limits,
) -> Result<Vec<Vec<i32>>, RunError> {
    engine.require(&["prefill", "decode"])?;
    let facts = engine.facts().clone();
    if prompts.iter().any(|prompt| !prompt.images.is_empty()) {
        engine.require(&["encode_images"])?;
    }
    for prompt in prompts {
        check(prompt, &facts)?;
    }
    let mut answers = Vec::with_capacity(prompts.len());
    for chunk in prompts.chunks(facts.decode_sequences.max(1) as usize) {
        answers.extend(Batch::new(engine, chunk, &facts)?.answer(limits)?);
    }
    Ok(answers)
}

fn check(prompt: &Prompt, facts: &mm1_package::ModelFacts) -> Result<(), RunError> {
    let places = prompt.tokens.iter().filter(|&&token| token < 0).count();
    let wanted = prompt.images.len() * facts.image_tokens as usize;
    let fault = if prompt.tokens.is_empty() {
        "the prompt is empty".to_string()
    } else if places != wanted {
        format!("the prompt has {places} image positions but its pictures need {wanted}")
    } else if prompt.tokens.len() as u64 >= facts.length {
        format!(
            "the prompt has {} tokens; the model reads {} at most, and the answer needs room",
            prompt.tokens.len(),
            facts.length
        )
    } else if prompt.images.len() as u64 > facts.images {
        format!(
            "the prompt has {} pictures; this package reads {} at most",
            prompt.images.len(),
            facts.images
        )
    } else {
        return Ok(());
    };
    Err(RunError::Invalid(fault))
}

/// Up to D sequences that run together.
struct Batch<'a, E: Engine + ?Sized> {
    engine: &'a mut E,
    prompts: &'a [Prompt],
    facts: &'a mm1_package::ModelFacts,
    sequences: usize,
}

/// One call's worth of inputs, `[D, P]` each.
struct Tokens {
    tokens: Vec<i32>,
    image_rows: Vec<i32>,
    positions: Vec<i32>,
    cache_rows: Vec<i32>,
    key_end: Vec<i32>,
    last_rows: Vec<i32>,
}

impl Tokens {
    fn padding(sequences: usize, length: usize) -> Self {
        let n = sequences * length;
        Self {
            tokens: vec![-1; n],
            image_rows: vec![-1; n],
            positions: vec![0; n],
            cache_rows: vec![-1; n],
            // One key, so that no softmax runs over nothing.
            key_end: vec![1; n],
            last_rows: vec![-1; sequences],
        }
    }

    fn put(&mut self, at: usize, token: i32, image_row: i32, position: usize) {
        self.tokens[at] = token;
        self.image_rows[at] = image_row;
        self.positions[at] = position as i32;
        self.cache_rows[at] = position as i32;
        self.key_end[at] = position as i32 + 1;
    }
}

impl<'a, E: Engine + ?Sized> Batch<'a, E> {
    fn new(
        engine: &'a mut E,
        prompts: &'a [Prompt],
        facts: &'a mm1_package::ModelFacts,
    ) -> Result<Self, RunError> {
        Ok(Self {
            engine,
            prompts,
            facts,
            sequences: facts.decode_sequences.max(1) as usize,
        })
    }

    fn answer(mut self, limits: Limits) -> Result<Vec<Vec<i32>>, RunError> {
        let mut answers = vec![Vec::new(); self.prompts.len()];
        if limits.tokens == 0 {
            return Ok(answers);
        }
        let mut next = self.read_prompts()?;
        loop {
            let mut step = Tokens::padding(self.sequences, 1);
            let mut running = false;
            for (d, prompt) in self.prompts.iter().enumerate() {
                let Some(token) = next[d] else { continue };
                next[d] = None;
                if token == limits.end {
                    continue;
                }
                answers[d].push(token);
                let position = prompt.tokens.len() + answers[d].len() - 1;
                if answers[d].len() < limits.tokens && (position as u64) < self.facts.length {
                    step.put(d, token, -1, position);
                    step.last_rows[d] = d as i32;
                    running = true;
                }
            }
            if !running {
                return Ok(answers);
            }
            self.call("decode", &step, &mut next)?;
        }
    }

    /// Fills the cache and returns the first token of every answer.
    ///
    /// Sequences go in groups whose pictures fit the encoder's bound.
    fn read_prompts(&mut self) -> Result<Vec<Option<i32>>, RunError> {
        let mut next = vec![None; self.prompts.len()];
        let bound = self.facts.images as usize;
        let mut begin = 0;
        while begin < self.prompts.len() {
            let mut end = begin + 1;
            let mut images = self.prompts[begin].images.len();
            while end < self.prompts.len() && images + self.prompts[end].images.len() <= bound {
                images += self.prompts[end].images.len();
                end += 1;
            }
            self.encode(begin, end)?;
            self.prefill(begin, end, &mut next)?;
            begin = end;
        }
        Ok(next)
    }

    fn encode(&mut self, begin: usize, end: usize) -> Result<(), RunError> {
        let pixels: Vec<f32> = self.prompts[begin..end]
            .iter()
            .flat_map(|prompt| &prompt.images)
            .flatten()
            .copied()
            .collect();
        let images: usize = self.prompts[begin..end]
            .iter()
            .map(|prompt| prompt.images.len())
            .sum();
        let side = self.facts.resolution as usize;
        if pixels.len() != images * 3 * side * side {
            return Err(RunError::Invalid(format!(
                "a picture does not have the model's size of {side}×{side} pixels"
            )));
        }
        self.engine.set_extent("images", images as u64)?;
        if images > 0 {
            self.engine.write_f32("pixels", &pixels)?;
            self.engine.run("encode_images")?;
        }
        Ok(())
    }

    fn prefill(
        &mut self,
        begin: usize,
        end: usize,
        next: &mut [Option<i32>],
    ) -> Result<(), RunError> {
        let length = self.facts.prefill_length.max(1) as usize;
        let longest = self.prompts[begin..end]
            .iter()
            .map(|prompt| prompt.tokens.len())
            .max()
            .unwrap_or(0);
        let prompts = self.prompts;
        let group = || prompts.iter().enumerate().take(end).skip(begin);
        let mut image_row = vec![0i32; prompts.len()];
        let mut first_row = 0;
        for (d, prompt) in group() {
            image_row[d] = first_row;
            first_row += (prompt.images.len() as u64 * self.facts.image_tokens) as i32;
        }
        for start in (0..longest).step_by(length) {
            let mut piece = Tokens::padding(self.sequences, length);
            for (d, prompt) in group() {
                let tokens = &prompt.tokens;
                let stop = tokens.len().min(start + length);
                let here = tokens.iter().enumerate().take(stop).skip(start);
                for (position, &token) in here {
                    let at = d * length + position - start;
                    let row = if token < 0 {
                        image_row[d] += 1;
                        image_row[d] - 1
                    } else {
                        -1
                    };
                    piece.put(at, token, row, position);
                }
                if start < tokens.len() && stop == tokens.len() {
                    piece.last_rows[d] = (d * length + stop - 1 - start) as i32;
                }
            }
            self.call("prefill", &piece, next)?;
        }
        Ok(())
    }

    /// Runs `program` and puts the likeliest token of every sequence with a last row into `next`.
    fn call(
        &mut self,
        program: &str,
        call: &Tokens,
        next: &mut [Option<i32>],
    ) -> Result<(), RunError> {
        let inputs = self.engine.inputs(program).unwrap_or_default();
        for (name, values) in [
            ("tokens", &call.tokens),
            ("image_rows", &call.image_rows),
            ("positions", &call.positions),
            ("cache_rows", &call.cache_rows),
            ("key_end", &call.key_end),
            ("last_rows", &call.last_rows),
        ] {
            let name = format!("{program}.{name}");
            if inputs.contains(&name) {
                self.engine.write_i32(&name, values)?;
            }
        }
        self.engine.run(program)?;
        if call.last_rows.iter().all(|&row| row < 0) {
            return Ok(());
        }
        let logits = self.engine.read_f32(&format!("{program}.logits"))?;
        let vocabulary = self.facts.vocabulary as usize;
        for (d, next) in next.iter_mut().enumerate() {
            if call.last_rows[d] >= 0 {
                *next = Some(likeliest(&logits[d * vocabulary..][..vocabulary])?);
            }
        }
        Ok(())
    }
}

/// Index of the largest value, the first of equals.
fn likeliest(logits: &[f32]) -> Result<i32, RunError> {
    let mut best = 0;
    for (i, &value) in logits.iter().enumerate() {
        if value.is_nan() {
            return Err(RunError::Engine(
                "the model's logits are not numbers: its weights have diverged".into(),
            ));
        }
        if value > logits[best] {
            best = i;
        }
    }
    Ok(best as i32)
}
