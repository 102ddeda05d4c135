//! Byte-level byte-pair encoding through the `tokenizers` crate.
//!
//! A tokenizer file is untrusted input, and some crafted files make that crate panic at
//! load or at first use. So a file is checked first, and every call that runs it is
//! shielded.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::utils::parallelism::set_parallelism;
use tokenizers::{AddedToken, DecoderWrapper, ModelWrapper, PreTokenizerWrapper, TokenizerImpl};

/// Padding, begin, end and image tokens, in the order of their ids in a trained tokenizer.
pub const SPECIAL: [&str; 4] = ["<pad>", "<bos>", "<eos>", "<image>"];
/// Smallest vocabulary that can be trained: special tokens and one per byte.
pub const MIN_VOCABULARY: usize = 256 + SPECIAL.len();
/// Largest accepted `tokenizer.json`, bytes.
const MAX_FILE: u64 = 64 << 20;
/// Most entries accepted in a loaded vocabulary.
const MAX_VOCABULARY: usize = 4 << 20;

/// Why a tokenizer was refused or failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenizerError(pub String);

impl std::fmt::Display for TokenizerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "tokenizer: {}", self.0)
    }
}

impl std::error::Error for TokenizerError {}

fn refuse<T>(why: impl Into<String>) -> Result<T, TokenizerError> {
    Err(TokenizerError(why.into()))
}

/// Runs a call into `tokenizers`, turning errors and panics into values.
fn shielded<T>(
    what: &str,
    call: impl FnOnce() -> tokenizers::Result<T>,
) -> Result<T, TokenizerError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(e)) => refuse(format!("{what}: {e}")),
        Err(_) => refuse(format!(
            "{what}: the tokenizer is broken (internal failure)"
        )),
    }
}

/// Text to token ids and back.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    json: String,
    begin: u32,
    end: u32,
    vocabulary: usize,
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokenizer({} entries)", self.vocabulary)
    }
}

impl Tokenizer {
    /// Trains on texts until the vocabulary has `vocabulary` entries, special tokens
    /// included, or no pair is left to merge. The same texts give the same bytes.
    pub fn train<I, S>(texts: I, vocabulary: usize) -> Result<Self, TokenizerError>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<str> + Send,
    {
        if vocabulary < MIN_VOCABULARY {
            return refuse(format!(
                "vocabulary of {vocabulary}: byte-level encoding needs at least {MIN_VOCABULARY}"
            ));
        }
        // One thread: the training sets here are small, and steps share the machine.
        set_parallelism(false);
        let byte_level = ByteLevel::new(false, false, true);
        let mut trainer = BpeTrainer::builder()
            .vocab_size(vocabulary)
            .show_progress(false)
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect::<HashSet<_>>())
            .special_tokens(SPECIAL.map(|t| AddedToken::from(t, true)).to_vec())
            .build();
        type Parts = TokenizerImpl<
            BPE,
            tokenizers::NormalizerWrapper,
            PreTokenizerWrapper,
            tokenizers::PostProcessorWrapper,
            DecoderWrapper,
        >;
        let mut parts: Parts = TokenizerImpl::new(BPE::default());
        parts.with_pre_tokenizer(Some(PreTokenizerWrapper::ByteLevel(byte_level)));
        parts.with_decoder(Some(DecoderWrapper::ByteLevel(byte_level)));
        let json = shielded("train", || {
            let texts: Vec<S> = texts.into_iter().collect();
            parts.train(&mut trainer, texts.into_iter())?;
            parts.to_string(true)
        })?;
        Self::from_json(json.as_bytes())
    }

    /// Reads the text of a `tokenizer.json`.
    pub fn from_json(bytes: &[u8]) -> Result<Self, TokenizerError> {
        if bytes.len() as u64 > MAX_FILE {
            return refuse(format!("file of {} bytes is too large", bytes.len()));
        }
        let json = match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => return refuse("file is not UTF-8"),
        };
        check_file(&json)?;
        set_parallelism(false);
        let mut inner = shielded("load", || tokenizers::Tokenizer::from_bytes(bytes))?;
        if !matches!(inner.get_model(), ModelWrapper::BPE(_)) {
            return refuse("only byte-pair encodings are supported");
        }
        // Captions are data: "<eos>" inside one must not become the token.
        inner.set_encode_special_tokens(true);
        let find = |names: &[&str]| {
            let id = names.iter().find_map(|name| inner.token_to_id(name));
            id.ok_or_else(|| TokenizerError(format!("no token called {}", names.join(" or "))))
        };
        let begin = find(&["<bos>", "<s>", "<|begin_of_text|>", "<|endoftext|>"])?;
        let end = find(&["<eos>", "</s>", "<|end_of_text|>", "<|endoftext|>"])?;
        let vocabulary = inner.get_vocab_size(true);
        let tokenizer = Self {
            inner,
            json,
            begin,
            end,
            vocabulary,
        };
        // A broken file shows at first use rather than at load: use it once.
        tokenizer.decode(&tokenizer.encode("a B 1 é!")?)?;
        Ok(tokenizer)
    }

    /// Reads a `tokenizer.json`.
    pub fn load(path: &Path) -> Result<Self, TokenizerError> {
        let fault = |e: std::io::Error| TokenizerError(format!("{}: {e}", path.display()));
        let size = std::fs::metadata(path).map_err(fault)?.len();
        if size > MAX_FILE {
            return refuse(format!("{}: {size} bytes is too large", path.display()));
        }
        let bytes = std::fs::read(path).map_err(fault)?;
        Self::from_json(&bytes).map_err(|e| TokenizerError(format!("{}: {}", path.display(), e.0)))
    }

    /// The text of the `tokenizer.json`, as trained or as loaded.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Writes the `tokenizer.json`.
    pub fn save(&self, path: &Path) -> Result<(), TokenizerError> {
        std::fs::write(path, &self.json)
            .map_err(|e| TokenizerError(format!("{}: {e}", path.display())))
    }

    /// Token ids of a text, without begin and end tokens; special tokens spelled out in the
    /// text are encoded as plain text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let encoding = shielded("encode", || self.inner.encode_fast(text, false))?;
        let ids = encoding.get_ids().to_vec();
        match ids.iter().find(|&&id| id as usize >= self.vocabulary) {
            Some(id) => refuse(format!("token {id} lies outside the vocabulary")),
            None => Ok(ids),
        }
    }

    /// The text of token ids, special tokens left out; bytes that are not UTF-8 become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        shielded("decode", || self.inner.decode(ids, true))
    }

    /// Id of the begin token.
    pub fn begin(&self) -> u32 {
        self.begin
    }

    /// Id of the end token.
    pub fn end(&self) -> u32 {
        self.end
    }

    /// Entries, special tokens included; every id is below this.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }
}

/// Checks that a file's parts refer to each other as the crate assumes.
fn check_file(json: &str) -> Result<(), TokenizerError> {
    use serde_json::Value;
    let value: Value = match serde_json::from_str(json) {
        Ok(value) => value,
        Err(e) => return refuse(format!("not JSON: {e}")),
    };
    for key in ["truncation", "padding"] {
        if value.get(key).is_some_and(|v| !v.is_null()) {
            return refuse(format!(
                "`{key}` must be null: lengths are the data pipeline's"
            ));
        }
    }
    let model = value.get("model").unwrap_or(&Value::Null);
    if model.get("type").and_then(Value::as_str) != Some("BPE") {
        return refuse("`model.type` is not \"BPE\"");
    }
    let Some(entries) = model.get("vocab").and_then(Value::as_object) else {
        return refuse("`model.vocab` is not a table");
    };
    if entries.len() > MAX_VOCABULARY {
        return refuse(format!("{} vocabulary entries are too many", entries.len()));
    }
    let added = value.get("added_tokens").and_then(Value::as_array);
    let added = added.map_or(&[][..], Vec::as_slice);
    let all = entries.len() + added.len();
    let added_ids = added.iter().map(|token| token.get("id"));
    let mut seen = HashSet::new();
    for (i, id) in entries.values().map(Some).chain(added_ids).enumerate() {
        match id.and_then(Value::as_u64) {
            // An added token may repeat a vocabulary entry; two entries may not share an id.
            Some(id) if (id as usize) < all && (seen.insert(id) || i >= entries.len()) => {}
            _ => return refuse("token ids are not 0, 1, 2, … each once"),
        }
    }
    if (0..seen.len() as u64).any(|id| !seen.contains(&id)) {
        return refuse("token ids have gaps");
    }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
        if model
            .get(key)
            .and_then(Value::as_str)
            .is_some_and(|s| !s.is_empty())
        {
            return refuse(format!("`model.{key}` is not supported"));
        }
    }
    let merges = model.get("merges").and_then(Value::as_array);
    for merge in merges.map_or(&[][..], Vec::as_slice) {
        let pair = match merge {
            Value::String(text) => text.split_once(' '),
            Value::Array(two) => match two.as_slice() {
                [Value::String(a), Value::String(b)] => Some((a.as_str(), b.as_str())),
                _ => None,
            },
            _ => None,
        };
        let known = |text: &str| entries.contains_key(text);
        match pair {
            Some((a, b)) if known(a) && known(b) && known(&format!("{a}{b}")) => {}
            _ => {
                return refuse(format!(
                    "merge {merge} does not lead from entries to an entry"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts() -> Vec<String> {
        let shapes = ["circle", "square", "ring"];
        (0..60)
            .map(|i| format!("there are {} {}s in a picture é", i % 7, shapes[i % 3]))
            .collect()
    }

    #[test]
    fn training_is_deterministic_and_round_trips() {
        let a = Tokenizer::train(texts(), 300).expect("trains");
        let b = Tokenizer::train(texts(), 300).expect("trains");
        assert_eq!(a.json(), b.json());
        assert_eq!(a.vocabulary(), 300);
        assert_eq!((a.begin(), a.end()), (1, 2));
        for text in ["three circles", "naïve 🦀 <eos> <image>\n\t x", ""] {
            let ids = a.encode(text).expect("encodes");
            assert!(ids.iter().all(|&id| id > 3), "{ids:?}");
            assert_eq!(a.decode(&ids).expect("decodes"), text);
        }
        assert!(
            a.encode(" circle").expect("encodes").len() <= 3,
            "merges apply"
        );
        assert_eq!(
            a.decode(&[1, a.encode("a").expect("encodes")[0], 2])
                .expect("decodes"),
            "a"
        );
        assert!(Tokenizer::train(texts(), 100).is_err());
    }

    #[test]
    fn files_round_trip() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("tokenizer.json");
        let a = Tokenizer::train(texts(), 280).expect("trains");
        a.save(&path).expect("writes");
        let b = Tokenizer::load(&path).expect("loads");
        assert_eq!(a.json(), b.json());
        assert_eq!(
            a.encode("5 rings").expect("encodes"),
            b.encode("5 rings").expect("encodes")
        );
        assert!(Tokenizer::load(&folder.path().join("none.json")).is_err());
    }

    /// Each crafted change is refused, and refused for its own reason.
    #[test]
    fn crafted_files_are_refused() {
        let good = Tokenizer::train(texts(), 300).expect("trains");
        let value: serde_json::Value = serde_json::from_str(good.json()).expect("JSON");
        type Change = fn(&mut serde_json::Value);
        let changes: [(&str, Change); 7] = [
            ("merge", |v| {
                v["model"]["merges"][0] = serde_json::json!(["zzzzzzzz", "qqqqqqqqqq"])
            }),
            ("merge", |v| {
                v["model"]["merges"][0] = serde_json::json!("onlyone")
            }),
            ("ids", |v| {
                v["model"]["vocab"]["a"] = serde_json::json!(4_000_000_000u64)
            }),
            ("ids", |v| v["model"]["vocab"]["a"] = serde_json::json!(5)),
            ("truncation", |v| {
                v["truncation"] = serde_json::json!({"max_length": 0, "stride": 9});
            }),
            ("padding", |v| {
                v["padding"] = serde_json::json!({"strategy": {"Fixed": 0}})
            }),
            ("BPE", |v| v["model"]["type"] = serde_json::json!("Unigram")),
        ];
        for (reason, change) in changes {
            let mut bad = value.clone();
            change(&mut bad);
            let error = Tokenizer::from_json(bad.to_string().as_bytes()).expect_err(reason);
            assert!(error.0.contains(reason), "{reason}: {error}");
        }
        for bytes in [&b"{"[..], b"[]", b"\xff", b"", b"{\"model\":{}}"] {
            assert!(Tokenizer::from_json(bytes).is_err());
        }
    }
}
