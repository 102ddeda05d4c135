//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use mm1_runtime::device::Choice;

use crate::runs::State;

/// Compile, train and inspect multimodal language models described in TOML.
#[derive(Debug, Parser)]
#[command(name = "mm1c", version, about, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check a graph file: keys, values, components and shapes.
    Check(CheckArgs),
    /// Print a graph file with `extends`, presets, `--set` and defaults applied.
    Resolve(ResolveArgs),
    /// Compare two graph files: resolved keys, parameters, FLOPs, memory, kernels.
    Diff(DiffArgs),
    /// Count a model's parameters, FLOPs, memory and kernels.
    Summary(SummaryArgs),
    /// Compile a model into a package.
    Compile(CompileArgs),
    /// Train a model: data, checkpoints, evaluations and a report in a run directory.
    Train(TrainArgs),
    /// Run a study: a base, variants and seeds, with their differences and a verdict for each.
    Ablate(AblateArgs),
    /// Evaluate a trained model on its held-out data.
    Eval(EvalArgs),
    /// Continue a prompt with a trained model.
    Generate(GenerateArgs),
    /// List the runs of a folder, or follow one.
    Runs(RunsArgs),
    /// Compare runs: what differs in their configurations, losses side by side, last scores.
    Compare(CompareArgs),
    /// Run a package's program on tensors of a file.
    Run(RunArgs),
    /// Compare every stored tensor of a training step with the reference interpreter.
    Bisect(BisectArgs),
    /// Measure a training step, kernel by kernel.
    Bench(BenchArgs),
    /// Measure every way to run a model's products on a card, and keep the fastest of each.
    Tune(TuneArgs),
    /// Work with data.
    #[command(subcommand)]
    Data(DataCommand),
    /// Look into weights files, and take weights of other programs.
    #[command(subcommand)]
    Weights(WeightsCommand),
    /// Say what a diagnostic code, a key, an operation or a kernel is.
    Explain(ExplainArgs),
    /// Draw a model: components folded to boxes, with sizes between them.
    Draw(DrawArgs),
    /// Keep what the models of a folder are as text, and compare.
    #[command(subcommand)]
    Golden(GoldenCommand),
    /// Say what is installed, and which targets work.
    Doctor(DoctorArgs),
    /// Print the JSON schema of graph files, for editors.
    Schema,
    /// Print the completions of a shell.
    Completions(CompletionsArgs),
    /// Write manual pages.
    Man(ManArgs),
}

/// `mm1c explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A code such as `MM1C0012`, a key such as `encoder.patch` or `patch`, a table such as
    /// `decoder.moe`, an operation, or a kernel's name or hash.
    pub name: String,
    /// The model that a kernel belongs to.
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Change a key of the model, with a TOML value. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "model")]
    pub sets: Vec<String>,
}

/// `mm1c draw`.
#[derive(Debug, Args)]
pub struct DrawArgs {
    /// Which model.
    #[command(flatten)]
    pub model: ModelArgs,
    /// `svg` is a picture of one program, `explorer` every node of all programs as the JSON that
    /// Model Explorer reads.
    #[arg(long, value_enum, default_value = "svg")]
    pub format: DrawFormat,
    /// Program to draw.
    #[arg(long, default_value = "evaluate")]
    pub program: String,
    /// Parts of a path that make a box: 1 for encoder, connector and decoder as one box each.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub depth: usize,
    /// File to write; the default is standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What `mm1c draw` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DrawFormat {
    /// A picture.
    Svg,
    /// JSON for Model Explorer.
    Explorer,
}

/// `mm1c golden …`.
#[derive(Debug, Subcommand)]
pub enum GoldenCommand {
    /// Compare the models of a folder with their texts; the exit code is 1 where they differ.
    Check(GoldenArgs),
    /// Write the texts to DIR/golden.
    Bless(GoldenArgs),
}

/// `mm1c golden check` and `bless`.
#[derive(Debug, Args)]
pub struct GoldenArgs {
    /// Folder of graph files, those of folders below it included.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

/// `mm1c doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `mm1c completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Which shell.
    pub shell: clap_complete::Shell,
}

/// `mm1c man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Folder to write to.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

/// Which model.
#[derive(Clone, Debug, Args)]
pub struct ModelArgs {
    /// Graph file (`.toml`). Commands that run it also take its package (`.mm1pkg`), which keeps
    /// the graph file.
    pub model: PathBuf,
    /// Change a key, with a TOML value: `--set train.steps=20`. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
}

/// How to compile.
#[derive(Clone, Debug, Args)]
pub struct BackendArgs {
    /// Code generator; the default is `mlir` where it is built in.
    #[arg(long, value_enum)]
    pub backend: Option<Backend>,
    /// Named target such as `cpu:x86-64-v4`; the default is this machine's, or `cuda:sm_90a` with
    /// `--device cuda`.
    #[arg(long)]
    pub target: Option<String>,
    /// Schedules of products that `mm1c tune` measured.
    #[arg(long, value_name = "FILE")]
    pub schedules: Option<PathBuf>,
}

/// Code generators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    /// MLIR and LLVM: fast code.
    Mlir,
    /// Cranelift: compiles in a moment, needs no LLVM.
    Cranelift,
    /// `mm1c run` only: the reference interpreter, in f64 and slow.
    Reference,
}

/// A model or a package of it, and threads.
#[derive(Clone, Debug, Args)]
pub struct ProgramArgs {
    /// Run this package instead of compiling the graph file.
    #[arg(long, value_name = "FILE")]
    pub package: Option<PathBuf>,
    /// How to compile.
    #[command(flatten)]
    pub backend: BackendArgs,
    /// Where to run.
    #[arg(long, value_name = "cpu|cuda[:N]", default_value_t)]
    pub device: Choice,
    /// Threads in all, data loading included; the default is one per core.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// `mm1c check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Which model.
    #[command(flatten)]
    pub model: ModelArgs,
    /// Also open its data, reading one example of each source, and the weights that it starts from.
    #[arg(long)]
    pub strict: bool,
    /// Print the findings as JSON on standard output: places, notes, and changes by span and text.
    #[arg(long)]
    pub json: bool,
}

/// `mm1c resolve`.
#[derive(Debug, Args)]
pub struct ResolveArgs {
    /// Which model.
    #[command(flatten)]
    pub model: ModelArgs,
    /// Leave out the comments that say where each value comes from.
    #[arg(long)]
    pub plain: bool,
}

/// `mm1c diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// First graph file.
    pub left: PathBuf,
    /// Second graph file.
    pub right: PathBuf,
    /// Change a key of both.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Compare the keys only.
    #[arg(long)]
    pub keys: bool,
    /// Print JSON.
    #[arg(long, conflicts_with = "keys")]
    pub json: bool,
}

/// `mm1c summary`.
#[derive(Debug, Args)]
pub struct SummaryArgs {
    /// Which model.
    #[command(flatten)]
    pub model: ModelArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `mm1c compile`.
#[derive(Debug, Args)]
pub struct CompileArgs {
    /// Which model.
    #[command(flatten)]
    pub model: ModelArgs,
    /// How to compile.
    #[command(flatten)]
    pub backend: BackendArgs,
    /// Package to write; the default is NAME.mm1pkg.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print these stages instead of writing a package, separated by commas:
    /// model,graph,fused,kernels,plan,loops,mlir,clif,ptx.
    #[arg(long, value_name = "STAGES", value_delimiter = ',')]
    pub emit: Vec<String>,
    /// Plan without machine code, and print what `mm1c summary` prints: parameters, FLOPs, memory,
    /// kernels.
    #[arg(long, conflicts_with_all = ["emit", "for_bisect", "output", "backend", "target", "schedules"])]
    pub plan_only: bool,
    /// Write the package that `mm1c bisect` runs: one program that leaves every tensor of a
    /// training step.
    #[arg(long, conflicts_with = "emit")]
    pub for_bisect: bool,
}

/// `mm1c train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Which model.
    #[command(flatten)]
    pub model: ModelArgs,
    /// What to run.
    #[command(flatten)]
    pub program: ProgramArgs,
    /// Folder of the run; the default is runs/NAME.
    #[arg(long, value_name = "DIR")]
    pub run_dir: Option<PathBuf>,
    /// `auto` goes on from the run's newest checkpoint if there is one, `never` refuses to, and a
    /// path goes on from that checkpoint.
    #[arg(long, value_name = "auto|never|PATH", default_value = "auto")]
    pub resume: String,
    /// Peak rate of the machine in GFLOP/s; with it, log lines have the share of it in use (MFU).
    #[arg(long, value_name = "GFLOPS")]
    pub peak_gflops: Option<f64>,
}

/// `mm1c ablate`.
#[derive(Debug, Args)]
pub struct AblateArgs {
    /// The study's file.
    pub study: PathBuf,
    /// How to compile and where to run.
    #[command(flatten)]
    pub program: ProgramArgs,
    /// Folder of its runs; the default is runs/NAME.
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Print the runs, their steps and their cost, and run nothing.
    #[arg(long)]
    pub plan_only: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// A trained model.
#[derive(Clone, Debug, Args)]
pub struct TrainedArgs {
    /// Graph file or package; the default is the graph file that the run directory keeps.
    pub model: Option<PathBuf>,
    /// Change a key, with a TOML value. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// What to run.
    #[command(flatten)]
    pub program: ProgramArgs,
    /// Folder of the run; the default is runs/NAME, or without a graph file the newest in runs/.
    #[arg(long, value_name = "DIR")]
    pub run_dir: Option<PathBuf>,
    /// A checkpoint folder; the default is the run's newest.
    #[arg(long, value_name = "DIR")]
    pub checkpoint: Option<PathBuf>,
}

/// `mm1c eval`.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// Which trained model.
    #[command(flatten)]
    pub trained: TrainedArgs,
    /// Held-out examples per source; the default is `train.evaluation_examples`.
    #[arg(long, value_name = "N")]
    pub examples: Option<usize>,
    /// Leave out the baseline with shuffled pictures, which takes as long as the model itself.
    #[arg(long)]
    pub no_blind: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `mm1c generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// Which trained model.
    #[command(flatten)]
    pub trained: TrainedArgs,
    /// Text to go on from; `<image:FILE>` stands for a picture. May be repeated.
    #[arg(long, required = true)]
    pub prompt: Vec<String>,
    /// Most tokens in an answer; the default is `train.generate_tokens`.
    #[arg(long, value_name = "N")]
    pub tokens: Option<usize>,
}

/// `mm1c run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Graph file or package (`.mm1pkg`).
    pub model: PathBuf,
    /// Change a key, with a TOML value. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// How to compile.
    #[command(flatten)]
    pub backend: BackendArgs,
    /// Where to run.
    #[arg(long, value_name = "cpu|cuda[:N]", default_value_t)]
    pub device: Choice,
    /// Threads; the default is one per core.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Program of the package to run.
    #[arg(long, default_value = "run")]
    pub program: String,
    /// Input tensors by name (safetensors).
    #[arg(long, value_name = "FILE")]
    pub inputs: Option<PathBuf>,
    /// Parameters by name (safetensors); without them they are initialised from `train.seed`.
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Tensors to write, separated by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub fetch: Vec<String>,
    /// Parameters whose gradients to write (as d(NAME)), separated by commas; `all` for all.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub gradients: Vec<String>,
    /// File to write (safetensors).
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// List every named tensor with its type and shape instead of running.
    #[arg(long)]
    pub list: bool,
}

/// `mm1c bisect`.
#[derive(Debug, Args)]
pub struct BisectArgs {
    /// Which model.
    #[command(flatten)]
    pub model: ModelArgs,
    /// How to compile.
    #[command(flatten)]
    pub backend: BackendArgs,
    /// Where to run.
    #[arg(long, value_name = "cpu|cuda[:N]", default_value_t)]
    pub device: Choice,
    /// Threads; the default is one per core.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Parameters by name (safetensors); without them they are initialised from `train.seed`.
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Go on after the first wrong tensor and print every one.
    #[arg(long)]
    pub all: bool,
}

/// `mm1c bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Which model.
    #[command(flatten)]
    pub model: ModelArgs,
    /// What to run.
    #[command(flatten)]
    pub program: ProgramArgs,
    /// Timed steps.
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub steps: usize,
    /// Peak rate of the machine in GFLOP/s in the model's precision; the default measures f32.
    #[arg(long, value_name = "GFLOPS")]
    pub peak_gflops: Option<f64>,
    /// Memory rate of the machine in GB/s; the default measures it.
    #[arg(long, value_name = "GBS")]
    pub peak_gbs: Option<f64>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `mm1c tune`.
#[derive(Debug, Args)]
pub struct TuneArgs {
    /// Which model.
    #[command(flatten)]
    pub model: ModelArgs,
    /// How to compile.
    #[command(flatten)]
    pub backend: BackendArgs,
    /// The card.
    #[arg(long, value_name = "cuda[:N]")]
    pub device: Choice,
    /// File to write; products that it has already are not measured again.
    #[arg(short, long, value_name = "FILE", default_value = "schedules.toml")]
    pub output: PathBuf,
    /// Ways of a product that are measured, at most: those that the estimate likes best.
    #[arg(long, default_value_t = 12, value_name = "N")]
    pub ways: usize,
    /// Times that each launch is measured; the shortest counts.
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub repeats: usize,
}

/// `mm1c runs`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct RunsArgs {
    /// Folder of run directories.
    #[arg(default_value = "runs")]
    pub folder: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// What else to do.
    #[command(subcommand)]
    pub command: Option<RunsCommand>,
}

/// `mm1c runs …`.
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// Print the last lines of a run's metrics, and those that follow while it runs.
    Tail(TailArgs),
}

/// `mm1c runs tail`.
#[derive(Debug, Args)]
pub struct TailArgs {
    /// Run directory.
    pub run: PathBuf,
    /// Lines to begin with.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    pub lines: usize,
    /// Print what is there and end.
    #[arg(long)]
    pub no_follow: bool,
}

impl TailArgs {
    /// Whether there is more to wait for.
    pub fn follow(&self, state: State) -> bool {
        !self.no_follow && state == State::Running
    }
}

/// `mm1c compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Run directories, two or more.
    #[arg(required = true, num_args = 2..)]
    pub runs: Vec<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `mm1c data …`.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Train a byte-level BPE tokenizer on the texts of a graph file's sources.
    Tokenizer(TokenizerArgs),
    /// Write samples of a source as a webdataset shard.
    Export(ExportArgs),
}

/// `mm1c data export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Which model; generated pictures have the size of its encoder's input.
    #[command(flatten)]
    pub model: ModelArgs,
    /// Name of the source.
    #[arg(long, value_name = "NAME")]
    pub source: String,
    /// Samples, the first ones.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub count: u64,
    /// File to write.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

/// `mm1c data tokenizer`.
#[derive(Debug, Args)]
pub struct TokenizerArgs {
    /// Which model; `decoder.vocabulary` bounds the entries.
    #[command(flatten)]
    pub model: ModelArgs,
    /// File to write.
    #[arg(short, long, value_name = "FILE", default_value = "tokenizer.json")]
    pub output: PathBuf,
    /// Entries; the default is `decoder.vocabulary`.
    #[arg(long, value_name = "N")]
    pub vocabulary: Option<usize>,
    /// Texts to train on.
    #[arg(long, value_name = "N", default_value_t = crate::trained::TOKENIZER_TEXTS)]
    pub texts: usize,
}

/// `mm1c weights …`.
#[derive(Debug, Subcommand)]
pub enum WeightsCommand {
    /// List the tensors of a safetensors file, or compare them with a model.
    Inspect(InspectWeightsArgs),
    /// Make a file of the model's parameters from weights of another program, or the other way.
    Convert(ConvertArgs),
}

/// `mm1c weights inspect`.
#[derive(Debug, Args)]
pub struct InspectWeightsArgs {
    /// A safetensors file, the index of several, or a folder of them.
    pub file: PathBuf,
    /// Compare with this model, by the map.
    #[arg(long, value_name = "MODEL", requires = "map")]
    pub model: Option<PathBuf>,
    /// A name map of the binary, or a `.toml` file.
    #[arg(long, value_name = "NAME", requires = "model")]
    pub map: Option<String>,
    /// Change a key of the model, with a TOML value. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "model")]
    pub sets: Vec<String>,
}

/// `mm1c weights convert`.
#[derive(Debug, Args)]
pub struct ConvertArgs {
    /// Which model.
    #[command(flatten)]
    pub model: ModelArgs,
    /// A name map of the binary, or a `.toml` file.
    #[arg(long, value_name = "NAME")]
    pub map: String,
    /// A safetensors file, the index of several, or a folder of them.
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,
    /// File to write, in f32.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// From the model's names to the other program's.
    #[arg(long)]
    pub export: bool,
    /// What exported names begin with.
    #[arg(long, value_name = "TEXT", default_value = "", requires = "export")]
    pub prefix: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn commands_parse() {
        for line in [
            "mm1c check a.toml --set a.b=1 --set c=2",
            "mm1c check a.toml --strict",
            "mm1c check a.toml --json",
            "mm1c explain MM1C0012",
            "mm1c explain matmul+bias --model a.toml --set a.b=1",
            "mm1c golden check models",
            "mm1c golden bless models",
            "mm1c doctor --json",
            "mm1c draw a.toml -o a.svg --depth 1 --program prefill",
            "mm1c draw a.toml --format explorer",
            "mm1c schema",
            "mm1c completions bash",
            "mm1c man pages",
            "mm1c train a.toml --run-dir runs/x --resume never --threads 2 --backend cranelift",
            "mm1c generate --prompt hello",
            "mm1c compile a.toml -o a.mm1pkg --target cpu:x86-64-v3 --emit graph,plan",
            "mm1c run a.mm1pkg --inputs i.safetensors --fetch logits,loss --out o.safetensors",
            "mm1c bench a.toml --json",
            "mm1c bench a.mm1pkg --device cuda:1",
            "mm1c train a.toml --device cpu",
            "mm1c bisect a.toml --device cuda",
            "mm1c compile a.toml --for-bisect --target cuda:sm_90a",
            "mm1c compile a.toml --plan-only",
            "mm1c summary a.toml --json --set a.b=1",
            "mm1c bisect a.toml --backend cranelift --all",
            "mm1c run a.toml --backend reference --fetch loss --out o.safetensors",
            "mm1c diff a.toml b.toml --keys",
            "mm1c runs",
            "mm1c runs studies/demo --json",
            "mm1c runs tail runs/x -n 3 --no-follow",
            "mm1c compare runs/a runs/b runs/c --json",
            "mm1c weights inspect a.safetensors --model m.toml --map clip",
            "mm1c weights convert m.toml --map llama --from a -o b",
            "mm1c data tokenizer a.toml -o t.json",
            "mm1c data export a.toml --source captions --count 8 -o a.tar",
        ] {
            let parsed = Cli::try_parse_from(line.split(' '));
            assert!(parsed.is_ok(), "{line}: {parsed:?}");
        }
        assert!(Cli::try_parse_from(["mm1c", "generate"]).is_err());
        assert!(Cli::try_parse_from(["mm1c", "compare", "runs/a"]).is_err());
        assert!(Cli::try_parse_from(["mm1c", "train", "a.toml", "--device", "gpu"]).is_err());
    }
}
