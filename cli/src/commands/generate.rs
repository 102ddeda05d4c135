//! `mm1c generate`.

use mm1_runtime::data::image::decode;
use mm1_runtime::data::layout::{Layout, Place};
use mm1_runtime::data::tiles::views;
use mm1_runtime::engine::Engine;
use mm1_runtime::evaluate::known_text;
use mm1_runtime::generate::{Limits, Prompt, PromptPart, generate, parse_prompt};

use crate::args::GenerateArgs;
use crate::convert::{batch_shape, image_config};
use crate::failure::Failure;
use crate::trained::{self, Trained};

/// Prints one answer per prompt.
///
/// # Errors
/// Pictures that cannot be read, prompts that are too long.
pub fn run(args: &GenerateArgs) -> Result<(), Failure> {
    let parsed = args
        .prompt
        .iter()
        .map(|prompt| parse_prompt(prompt))
        .collect::<Result<Vec<_>, _>>()?;
    let mut it = trained::open(&args.trained)?;
    let prompts = parsed
        .iter()
        .map(|parts| lay_out(&it, parts))
        .collect::<Result<Vec<_>, _>>()?;
    let limits = Limits {
        end: it.tokenizer.end() as i32,
        tokens: args
            .tokens
            .unwrap_or(it.model.train.generate_tokens as usize),
    };
    for answer in generate(&mut it.executor, &prompts, limits)? {
        let ids: Vec<u32> = answer.iter().map(|&token| token as u32).collect();
        outln!("{}", known_text(&it.tokenizer, &ids)?);
    }
    Ok(())
}

/// Tokens and pictures of a prompt, laid out as training lays out its examples.
fn lay_out(it: &Trained, parts: &[PromptPart]) -> Result<Prompt, Failure> {
    let facts = it.executor.facts();
    let image = image_config(&it.model)?;
    let layout = Layout {
        tokenizer: &it.tokenizer,
        image: &image,
        shape: batch_shape(facts),
        max_pictures: facts.images as usize,
    };
    let mut prompt = Prompt {
        tokens: vec![it.tokenizer.begin() as i32],
        images: Vec::new(),
    };
    let pictures = parts.iter().filter(|it| matches!(it, PromptPart::Image(_)));
    let pictures = pictures.count();
    let whole = pictures - image.tiles.cut(pictures);
    let mut seen = 0;
    for part in parts {
        match part {
            PromptPart::Text(text) => {
                let ids = it.tokenizer.encode(text)?;
                prompt.tokens.extend(ids.into_iter().map(|id| id as i32));
            }
            PromptPart::Image(path) => {
                if facts.image_tokens == 0 {
                    return Err(Failure::new(format!(
                        "`{}` reads no pictures",
                        it.model.name
                    )));
                }
                let bytes = std::fs::read(path).map_err(|error| Failure::at(path, error))?;
                let picture = decode(&bytes).map_err(|error| Failure::at(path, error.0))?;
                let place = Place {
                    number: seen,
                    cut: seen >= whole,
                    first: prompt.images.len() as u32,
                };
                seen += 1;
                let views = views(&picture, facts.resolution as usize, &image, place.cut)
                    .map_err(|error| Failure::at(path, error.0))?;
                let (_, cells) = layout.picture(&picture, place).map_err(Failure::new)?;
                prompt.tokens.extend(cells.iter().map(|cell| cell.token()));
                prompt.images.extend(views);
            }
        }
    }
    Ok(prompt)
}
