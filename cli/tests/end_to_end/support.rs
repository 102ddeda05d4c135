//! Running the binary, and reading what a run leaves behind.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The model that most tests train.
pub fn micro() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/end_to_end/micro.toml")
}

/// The same model with another connector.
pub fn micro_mlp() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/end_to_end/micro-mlp.toml")
}

/// Adafactor in the place of the micro model's optimizer, its matrices of 32 columns factored.
pub const ADAFACTOR: [&str; 3] = [
    "train.optimizer='adafactor'",
    "train.scale_parameter=false",
    "train.factor_minimum=32",
];

/// An empty folder.
pub fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// The binary, without what the environment could tell it.
pub fn mm1c() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mm1c"));
    command.env_remove("MM1C_FAULT").stdin(Stdio::null());
    // Each run compiles: a package kept by an earlier one would hide what differs.
    command.env("MM1C_CACHE", "off");
    command
}

/// What a finished process said.
#[derive(Debug)]
pub struct Ran {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("messages are UTF-8");
        Self {
            status: output.status,
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Ran {
    /// It must have succeeded.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(
            self.status.success(),
            "{}\n{}{}",
            self.status,
            self.stdout,
            self.stderr
        );
        self
    }

    /// It must have failed by itself, saying all of `words` and not panicking.
    #[track_caller]
    pub fn refused(self, words: &[&str]) -> Self {
        assert!(
            matches!(self.status.code(), Some(code) if code != 0 && code != 101),
            "{}\n{}{}",
            self.status,
            self.stdout,
            self.stderr
        );
        self.says(words)
    }

    /// Standard error must hold all of `words`.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        for word in words {
            assert!(
                self.stderr.contains(word),
                "no `{word}` in\n{}",
                self.stderr
            );
        }
        self
    }

    /// Standard output must hold `word`.
    #[track_caller]
    pub fn prints(self, word: &str) -> Self {
        assert!(
            self.stdout.contains(word),
            "no `{word}` in\n{}",
            self.stdout
        );
        self
    }
}

/// Runs to the end.
pub fn run(command: &mut Command) -> Ran {
    command.output().expect("the binary runs").into()
}

/// `mm1c train` of `model` in `directory` on two threads of Cranelift's code.
pub fn train_command(model: &Path, directory: &Path, sets: &[&str]) -> Command {
    train_on(["cranelift", "2"], model, directory, sets)
}

/// `mm1c train` on a backend and a number of threads.
pub fn train_on(on: [&str; 2], model: &Path, directory: &Path, sets: &[&str]) -> Command {
    let mut command = mm1c();
    command.arg("train").arg(model);
    command.arg("--run-dir").arg(directory);
    command.args(["--backend", on[0], "--threads", on[1]]);
    for set in sets {
        command.args(["--set", set]);
    }
    command
}

/// Trains the micro model.
pub fn train(directory: &Path, sets: &[&str]) -> Ran {
    run(&mut train_command(&micro(), directory, sets))
}

/// A process that is killed if the test ends before it does.
pub struct Running(Option<Child>);

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(Some(command.spawn().expect("the binary starts")))
    }

    fn child(&mut self) -> &mut Child {
        self.0.as_mut().expect("taken only when it ends")
    }

    pub fn ended(&mut self) -> bool {
        let status = self.child().try_wait().expect("a child can be asked");
        status.is_some()
    }

    /// Waits until `ready` or the process' end.
    pub fn wait_for(&mut self, ready: impl Fn() -> bool) {
        let begin = Instant::now();
        while !ready() && !self.ended() {
            assert!(begin.elapsed() < Duration::from_secs(60), "never ready");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Sends `TERM` or `KILL`; a process that has ended already does not mind.
    pub fn signal(&mut self, name: &str) {
        let id = self.child().id().to_string();
        let sent = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", name, &id])
            .stderr(Stdio::null())
            .status();
        sent.expect("a shell");
    }

    pub fn end(mut self) -> Ran {
        let child = self.0.take().expect("taken only here");
        child.wait_with_output().expect("a child ends").into()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The records of `metrics.jsonl`, each a JSON object in a line of its own.
pub fn metrics(directory: &Path) -> Vec<Value> {
    let text = fs::read_to_string(directory.join("metrics.jsonl")).expect("metrics.jsonl");
    assert!(text.ends_with('\n'));
    let parse = |line| serde_json::from_str(line).expect("a line is JSON");
    text.lines().map(parse).collect()
}

/// Lines of `metrics.jsonl` so far; 0 without one.
pub fn logged(directory: &Path) -> usize {
    let text = fs::read(directory.join("metrics.jsonl")).unwrap_or_default();
    text.iter().filter(|&&byte| byte == b'\n').count()
}

/// All records without what depends on the clock or the machine.
pub fn records(directory: &Path) -> Vec<Value> {
    const MEASURED: [&str; 6] = [
        "tokens_per_second",
        "text_tokens_per_second",
        "image_tokens_per_second",
        "step_seconds",
        "memory_gib",
        "mfu",
    ];
    let mut records = metrics(directory);
    for record in &mut records {
        let map = record.as_object_mut().expect("an object");
        MEASURED.iter().for_each(|key| {
            map.remove(*key);
        });
    }
    records
}

/// Those of them that are of steps, not of evaluations.
pub fn steps(directory: &Path) -> Vec<Value> {
    let mut records = records(directory);
    records.retain(|record| record.get("loss").is_some());
    records
}

/// Loss of each logged step.
pub fn losses(directory: &Path) -> Vec<f64> {
    let loss = |record: &Value| record["loss"].as_f64().expect("a finite loss");
    steps(directory).iter().map(loss).collect()
}

/// The folder of a checkpoint.
pub fn checkpoint(directory: &Path, step: u64) -> PathBuf {
    directory.join(format!("ckpt/step-{step:06}"))
}

/// Steps of the checkpoints under their final names.
pub fn checkpoints(directory: &Path) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(directory.join("ckpt")) else {
        return Vec::new();
    };
    let mut steps: Vec<u64> = entries
        .filter_map(|entry| {
            let name = entry.expect("an entry").file_name().into_string().ok()?;
            name.strip_prefix("step-")?.parse().ok()
        })
        .collect();
    steps.sort_unstable();
    steps
}

/// What a checkpoint holds: its tensor files and graph file byte by byte, and its manifest
/// without the number of the commit and what follows from it.
pub fn content(checkpoint: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files: BTreeMap<String, Vec<u8>> = fs::read_dir(checkpoint)
        .unwrap_or_else(|error| panic!("{}: {error}", checkpoint.display()))
        .map(|entry| {
            let entry = entry.expect("an entry");
            let bytes = fs::read(entry.path()).expect("a file");
            (entry.file_name().into_string().expect("UTF-8"), bytes)
        })
        .collect();
    files.remove("COMMITTED").expect("a commit mark");
    let manifest = files.get_mut("manifest.json").expect("a manifest");
    let mut value: Value = serde_json::from_slice(manifest).expect("a manifest is JSON");
    let map = value.as_object_mut().expect("an object");
    assert!(map.remove("sequence").is_some());
    *manifest = serde_json::to_vec(&value).expect("JSON");
    for name in ["parameters.safetensors", "optimizer.safetensors"] {
        assert!(files.contains_key(name), "no {name}");
    }
    files
}

/// Fails, naming the files, where two checkpoints differ.
#[track_caller]
pub fn assert_same(left: &Path, right: &Path) {
    let (a, b) = (content(left), content(right));
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    let differ: Vec<_> = a.keys().filter(|name| a[*name] != b[*name]).collect();
    let (left, right) = (left.display(), right.display());
    assert!(differ.is_empty(), "{left} and {right} differ in {differ:?}");
}

/// Copies a folder of files and folders.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a new folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Names and bytes of the tensors of a safetensors file.
pub fn tensors(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let bytes = fs::read(path).expect("a tensor file");
    let (length, rest) = bytes.split_at(8);
    let length = u64::from_le_bytes(length.try_into().expect("8 bytes")) as usize;
    let (head, data) = rest.split_at(length);
    let head: BTreeMap<String, Value> = serde_json::from_slice(head).expect("a JSON head");
    head.into_iter()
        .filter(|(name, _)| name != "__metadata__")
        .map(|(name, entry)| {
            let offset = |i: usize| entry["data_offsets"][i].as_u64().expect("a number") as usize;
            (name, data[offset(0)..offset(1)].to_vec())
        })
        .collect()
}

/// The f32 values of all tensors of a safetensors file.
pub fn values(path: &Path) -> Vec<f32> {
    let parse = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().expect("4 bytes"));
    tensors(path)
        .values()
        .flat_map(|bytes| bytes.chunks_exact(4).map(parse).collect::<Vec<_>>())
        .collect()
}
