//! `--device`, and packages in the place of graph files.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{assert_same, checkpoint, folder, micro, mm1c, run, train, train_command};

fn command(name: &str, model: &Path) -> Command {
    let mut command = mm1c();
    command.arg(name).arg(model);
    command
}

/// The micro model's package in `folder`.
fn package(folder: &Path, more: &[&str]) -> PathBuf {
    let path = folder.join("micro.mm1pkg");
    let mut compile = command("compile", &micro());
    compile.args(["--backend", "cranelift"]).args(more);
    run(compile.arg("-o").arg(&path)).ok();
    path
}

/// Machines that run these tests may have a card; without one the driver, or the card, is missing.
#[test]
fn a_missing_device_is_said_before_anything_is_written() {
    let folder = folder();
    let directory = folder.path().join("run");
    let missing = match cfg!(feature = "cuda") {
        true => ["error: MM1C051", "cuda"],
        false => ["error: MM1C0517", "--features cuda"],
    };
    let mut train = command("train", &micro());
    train.arg("--run-dir").arg(&directory);
    let ran = run(train.args(["--device", "cuda:4096"])).refused(&missing);
    assert!(!directory.exists(), "{}", ran.stderr);
    for name in ["bench", "bisect"] {
        let mut other = command(name, &micro());
        run(other.args(["--device", "cuda:4096"])).refused(&missing);
    }
    let missing = match cfg!(feature = "mlir") {
        true => missing,
        false => ["MM1C0401", "without MLIR"],
    };
    let schedules = folder.path().join("schedules.toml");
    let mut tune = command("tune", &micro());
    tune.args(["--device", "cuda:4096", "-o"]).arg(&schedules);
    run(&mut tune).refused(&missing);
    assert!(!schedules.exists());
    let mut train = command("train", &micro());
    run(train.args(["--device", "gpu"])).refused(&["`gpu` is no device", "cuda:N"]);
}

/// A package, and a run's folder, hold what their project wrote: both work without it.
#[test]
fn a_projects_component_goes_along() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("project")).expect("writable");
    std::fs::create_dir(at("away")).expect("writable");
    let custom = micro().with_file_name("micro-pixel-shuffle.toml");
    let custom = std::fs::read_to_string(custom).expect("readable");
    let component = "../../../models/custom/components/pixel-shuffle.toml";
    let shuffle = micro().with_file_name(component);
    std::fs::copy(shuffle, at("project/shuffle.toml")).expect("readable");
    std::fs::copy(micro(), at("project/micro.toml")).expect("readable");
    let model = at("project/model.toml");
    let custom = custom.replace(component, "shuffle.toml");
    std::fs::write(&model, custom).expect("writable");
    let package = at("away/model.mm1pkg");
    let mut compile = command("compile", &model);
    compile.args(["--backend", "cranelift", "-o"]).arg(&package);
    run(&mut compile).ok();
    let train = |model: &Path, directory: &Path| {
        let mut train = command("train", model);
        train
            .current_dir(at("away"))
            .arg("--run-dir")
            .arg(directory);
        train.args(["--threads", "2", "--set", "train.steps=2"]);
        train
    };
    let (from_file, from_package) = (at("file"), at("package"));
    run(train(&model, &from_file).args(["--backend", "cranelift"])).ok();
    std::fs::remove_dir_all(at("project")).expect("writable");
    run(&mut train(&package, &from_package)).ok();
    assert_same(&checkpoint(&from_file, 2), &checkpoint(&from_package, 2));
    let resolved = from_file.join("config.resolved.toml");
    let mut eval = command("eval", &resolved);
    eval.args(["--backend", "cranelift", "--run-dir"])
        .arg(&from_file);
    run(eval.args(["--json", "--examples", "2"]))
        .ok()
        .prints("loss");
}

#[test]
fn an_unknown_target_lists_the_known() {
    let compile = |target| run(command("compile", &micro()).args(["--target", target]));
    compile("cuda:sm_70").refused(&["MM1C0402", "`cuda:sm_90a`", "`cpu:x86-64-v3`"]);
}

/// What a person with a card would run, over the emulator as the driver's library: kernels against the
/// interpreter, two runs with the same bytes, trainings, measurements, schedules.
#[cfg(all(feature = "mlir", feature = "cuda"))]
#[test]
fn the_scripts_for_a_card_run_to_their_end() {
    let program = Path::new(env!("CARGO_BIN_EXE_mm1c"));
    let examples = program.with_file_name("examples");
    let library = examples.join("libemulated_card.so");
    assert!(
        library.exists(),
        "`cargo build --release -p mm1-ptx --example emulated_card` makes {}",
        library.display()
    );
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("driver")).expect("writable");
    for name in ["libcuda.so", "libcuda.so.1"] {
        std::os::unix::fs::symlink(&library, at("driver").join(name)).expect("writable");
    }
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts");
    let script = |name: &str| {
        let mut command = Command::new(scripts.join(name));
        command.arg(program);
        command
    };
    let mut packages = script("gpu-packages");
    run(packages.arg(at("packages")).arg(micro())).ok();
    let mut check = script("gpu-check");
    check.env("LD_LIBRARY_PATH", at("driver"));
    let ran = run(check.args([at("packages"), at("out")]).arg("2"));
    let said = ran.ok().stdout;
    for step in [
        "bisect-f32-simt: status 0",
        "bisect-bf16-simt: status 0",
        "bisect-bf16-hopper: status 0",
        "losses-cuda-b: status 0",
        "two runs give the same bytes",
        "train-mm1-tiny-hopper: status 0",
        "tune: status 0",
        "bench-tuned: status 0",
    ] {
        assert!(said.contains(step), "{step}: {said}");
    }
    let read = |name: &str| std::fs::read_to_string(at("out").join(name)).expect("written");
    assert!(read("bench-tuned.txt").contains("emulated card"));
    assert!(read("schedules.toml").contains("device = \"emulated card\""));
    assert!(read("losses-cuda.jsonl").lines().count() >= 2);
}

#[cfg(feature = "mlir")]
#[test]
fn schedules_are_for_cards_and_for_one_target() {
    let folder = folder();
    let tune = |device| run(command("tune", &micro()).args(["--device", device]));
    tune("cpu").refused(&["follow from kernel and target", "--device cuda"]);
    let path = folder.path().join("schedules.toml");
    let compile = |target: &str| {
        let mut compile = command("compile", &micro());
        compile.args(["--target", target, "--schedules"]).arg(&path);
        run(compile.arg("-o").arg(folder.path().join("micro.mm1pkg")))
    };
    compile("cuda:sm_90a").refused(&["schedules.toml"]);
    let text = "target = \"cuda:sm_90a\"\ndevice = \"a card\"\nproduct = []\n";
    std::fs::write(&path, text).expect("writable");
    compile("cuda:sm_90a").refused(&["schedules.toml", "line 3", "product"]);
    std::fs::write(&path, text.replace("product =", "products =")).expect("writable");
    compile("cpu:x86-64-v3").refused(&["for `cuda:sm_90a`", "cpu:x86-64-v3"]);
    compile("cuda:sm_90a").ok();
}

#[test]
fn a_package_is_all_that_training_needs() {
    let folder = folder();
    let (from_file, from_package) = (folder.path().join("file"), folder.path().join("package"));
    train(&from_file, &["train.steps=3"]).ok();
    let away = folder.path().join("away");
    std::fs::create_dir(&away).expect("writable");
    let path = package(&away, &[]);
    let named = |name: &str, model: &Path| {
        let mut command = command(name, model);
        command.current_dir(&away).args(["--threads", "2"]);
        command
    };
    let mut train = named("train", &path);
    train.arg("--run-dir").arg(&from_package);
    run(train.args(["--set", "train.steps=3"])).ok();
    assert_same(&checkpoint(&from_file, 3), &checkpoint(&from_package, 3));

    let in_run = |name: &str| {
        let mut command = named(name, &path);
        command.arg("--run-dir").arg(&from_package);
        command
    };
    run(in_run("eval").args(["--json", "--examples", "2"]))
        .ok()
        .prints("loss");
    run(in_run("generate").args(["--prompt", "There", "--tokens", "2"])).ok();
    run(named("bench", &path).args(["--steps", "1", "--peak-gflops", "1", "--peak-gbs", "1"]))
        .ok()
        .prints("accumulate");
    run(named("run", &path).arg("--list")).ok();

    let refused = |more: &[&str], words: &[&str]| {
        run(named("train", &path).args(more)).refused(words);
    };
    refused(
        &["--set", "decoder.depth=3"],
        &["compiled with other values", "decoder.depth"],
    );
    refused(&["--backend", "cranelift"], &["compiled already"]);
    refused(&["--set", "train.stepz=3"], &["train.steps"]);
}

#[test]
fn bisect_runs_a_package_made_for_it() {
    let folder = folder();
    let sets = [
        "--set",
        "train.global_batch_sequences=1",
        "--set",
        "train.micro_batch_sequences=1",
    ];
    let whole = package(folder.path(), &sets);
    run(command("bisect", &whole).args(["--threads", "2"])).refused(&["--for-bisect"]);
    let path = package(folder.path(), &[&sets[..], &["--for-bisect"]].concat());
    run(command("bisect", &path).args(["--threads", "2"]))
        .ok()
        .prints("tensors are right");
}

#[test]
fn a_package_resumes_what_its_file_began() {
    let folder = folder();
    let parts = folder.path().join("parts");
    let sets = ["train.steps=2", "train.warmup_steps=0"];
    run(&mut train_command(&micro(), &parts, &sets)).ok();
    let path = package(folder.path(), &[]);
    let mut resume = command("train", &path);
    resume.arg("--run-dir").arg(&parts).args(["--threads", "2"]);
    resume.args(["--set", "train.steps=4", "--set", "train.warmup_steps=0"]);
    run(&mut resume).ok().says(&["going on after step 2"]);
    assert!(checkpoint(&parts, 4).exists());
}
