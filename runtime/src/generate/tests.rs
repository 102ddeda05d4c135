//! Generation over a model whose next token is a hash of everything it sees: any token,
//! picture or cache row in the wrong place changes all that follows.

use std::collections::BTreeMap;

use mm1_package::ModelFacts;

use super::*;

const VOCABULARY: u64 = 97;
const END: i32 = 5;

struct Hasher {
    facts: ModelFacts,
    inputs: BTreeMap<String, Vec<i32>>,
    pixels: Vec<f32>,
    images: usize,
    features: Vec<u64>,
    /// Cache of each sequence.
    cache: Vec<Vec<u64>>,
    logits: Vec<f32>,
    encodings: usize,
}

impl Hasher {
    fn new(decode_sequences: u64, prefill_length: u64, images: u64) -> Self {
        let facts = ModelFacts {
            length: 24,
            images,
            resolution: 1,
            image_tokens: 2,
            vocabulary: VOCABULARY,
            decode_sequences,
            prefill_length,
            ..ModelFacts::default()
        };
        Self {
            // What an earlier batch left behind.
            cache: vec![vec![999; 24]; decode_sequences as usize],
            facts,
            inputs: BTreeMap::new(),
            pixels: Vec::new(),
            images: 0,
            features: Vec::new(),
            logits: Vec::new(),
            encodings: 0,
        }
    }

    fn step(&mut self, program: &str, length: usize) {
        let get = |name: &str| self.inputs[&format!("{program}.{name}")].clone();
        let (tokens, rows) = (get("tokens"), get("image_rows"));
        let (positions, cache_rows) = (get("positions"), get("cache_rows"));
        let (key_end, last) = (get("key_end"), get("last_rows"));
        self.logits = vec![0.0; last.len() * VOCABULARY as usize];
        for (d, &last) in last.iter().enumerate() {
            for at in d * length..(d + 1) * length {
                if cache_rows[at] >= 0 {
                    let content = match rows[at] {
                        row if row >= 0 => self.features[row as usize],
                        _ => tokens[at] as u64,
                    };
                    self.cache[d][cache_rows[at] as usize] = content * 31 + positions[at] as u64;
                }
            }
            if last >= 0 {
                assert_eq!(last as usize / length, d, "a row of its own sequence");
                let seen = &self.cache[d][..key_end[last as usize] as usize];
                let next = next_of(seen) as usize;
                self.logits[d * VOCABULARY as usize + next] = 1.0;
            }
        }
    }
}

fn next_of(seen: &[u64]) -> u64 {
    let hash = seen
        .iter()
        .fold(7u64, |hash, &it| (hash * 131 + it) % 1_000_003);
    hash % VOCABULARY
}

impl Engine for Hasher {
    fn facts(&self) -> &ModelFacts {
        &self.facts
    }

    fn inputs(&self, program: &str) -> Option<Vec<String>> {
        let names: &[&str] = match program {
            "prefill" | "decode" => &[
                "tokens",
                "image_rows",
                "positions",
                "cache_rows",
                "key_end",
                "last_rows",
            ],
            "encode_images" => &[],
            _ => return None,
        };
        Some(
            names
                .iter()
                .map(|name| format!("{program}.{name}"))
                .collect(),
        )
    }

    fn set_extent(&mut self, name: &str, value: u64) -> Result<(), RunError> {
        assert!(name != "images" || value <= self.facts.images);
        self.images = value as usize;
        Ok(())
    }

    fn write_f32(&mut self, _: &str, values: &[f32]) -> Result<(), RunError> {
        self.pixels = values.to_vec();
        Ok(())
    }

    fn write_i32(&mut self, name: &str, values: &[i32]) -> Result<(), RunError> {
        self.inputs.insert(name.into(), values.to_vec());
        Ok(())
    }

    fn read_f32(&self, _: &str) -> Result<Vec<f32>, RunError> {
        Ok(self.logits.clone())
    }

    fn run(&mut self, program: &str) -> Result<(), RunError> {
        match program {
            "encode_images" => {
                assert_eq!(self.pixels.len(), self.images * 3);
                self.encodings += 1;
                let pixels = self.pixels.chunks(3).map(|it| (it[0] * 1000.0) as u64);
                self.features = pixels.flat_map(|it| [it, it + 500]).collect();
            }
            "prefill" => self.step("prefill", self.facts.prefill_length as usize),
            _ => self.step("decode", 1),
        }
        Ok(())
    }

    fn zero_gradients(&mut self) -> Result<(), RunError> {
        Ok(())
    }

    fn nonfinite_gradient(&self) -> Option<String> {
        None
    }
}

/// The same without a cache, batch or pieces.
fn plainly(prompt: &Prompt, limit: usize) -> Vec<i32> {
    let mut contents: Vec<u64> = Vec::new();
    let mut image_tokens = 0;
    for (position, &token) in prompt.tokens.iter().enumerate() {
        let content = match token {
            -1 => {
                image_tokens += 1;
                let image = &prompt.images[(image_tokens - 1) / 2];
                (image[0] * 1000.0) as u64 + 500 * ((image_tokens as u64 - 1) % 2)
            }
            token => token as u64,
        };
        contents.push(content * 31 + position as u64);
    }
    let mut answer = Vec::new();
    while answer.len() < limit {
        let next = next_of(&contents) as i32;
        if next == END {
            break;
        }
        answer.push(next);
        if contents.len() == 24 {
            break;
        }
        contents.push(next as u64 * 31 + contents.len() as u64);
    }
    answer
}

fn prompts() -> Vec<Prompt> {
    let picture = |value: f32| vec![value, 0.0, 0.0];
    let with = |tokens: &[i32], images: Vec<Vec<f32>>| Prompt {
        tokens: tokens.to_vec(),
        images,
    };
    let mut out = vec![
        with(&[1, -1, -1, 8], vec![picture(0.25)]),
        with(&[1], vec![]),
        with(
            &[1, -1, -1, 9, -1, -1, 10, 11, 12],
            vec![picture(0.5), picture(0.125)],
        ),
        with(
            &[
                1, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39,
            ],
            vec![],
        ),
        with(&[1, -1, -1], vec![picture(0.75)]),
    ];
    out.extend((0..8).map(|i| with(&[1, 40 + i], vec![])));
    out
}

#[test]
fn batches_answer_as_single_sequences_do() {
    let limits = Limits {
        end: END,
        tokens: 9,
    };
    let prompts = prompts();
    let expected: Vec<_> = prompts.iter().map(|it| plainly(it, 9)).collect();
    assert!(
        expected.iter().any(|it| it.len() == 9),
        "one runs to the limit"
    );
    assert!(expected[3].len() <= 4, "one fills its sequence");
    for (together, piece, images) in [(1, 4, 2), (3, 4, 2), (4, 1, 3), (8, 24, 8)] {
        let mut engine = Hasher::new(together, piece, images);
        let answers = generate(&mut engine, &prompts, limits).unwrap();
        assert_eq!(answers, expected, "{together} at once, pieces of {piece}");
    }
    // Four pictures in one call where the bound allows it, in three where it is two.
    let mut engine = Hasher::new(8, 4, 8);
    generate(&mut engine, &prompts, limits).unwrap();
    assert_eq!(engine.encodings, 1);
}

#[test]
fn answers_end_at_the_end_token() {
    // Tries one-token prompts until one ends early.
    let short = (0..96).find(|&token| {
        let prompt = Prompt {
            tokens: vec![token],
            images: vec![],
        };
        plainly(&prompt, 20).len() < 20
    });
    let prompt = Prompt {
        tokens: vec![short.unwrap()],
        images: vec![],
    };
    let limits = Limits {
        end: END,
        tokens: 20,
    };
    let expected = plainly(&prompt, 20);
    let answers = generate(&mut Hasher::new(2, 4, 2), &[prompt.clone()], limits).unwrap();
    assert_eq!(answers, [expected]);
    let none = Limits {
        tokens: 0,
        ..limits
    };
    let answers = generate(&mut Hasher::new(2, 4, 2), &[prompt], none).unwrap();
    assert_eq!(answers, [Vec::<i32>::new()]);
}

#[test]
fn prompts_that_do_not_fit_are_refused() {
    let limits = Limits {
        end: END,
        tokens: 4,
    };
    let refuse = |tokens: Vec<i32>, images: usize, word: &str| {
        let prompt = Prompt {
            tokens,
            images: vec![vec![0.0; 3]; images],
        };
        let error = generate(&mut Hasher::new(2, 4, 2), &[prompt], limits).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    };
    refuse(vec![], 0, "empty");
    refuse(vec![1, -1], 1, "image positions");
    refuse(vec![1; 24], 0, "24");
    refuse([vec![1], vec![-1; 6]].concat(), 3, "2 at most");
}

#[test]
fn logits_that_are_no_numbers_are_an_error() {
    assert!(likeliest(&[0.0, f32::NAN]).is_err());
    assert_eq!(likeliest(&[0.5, 2.0, 2.0]).unwrap(), 1);
}
