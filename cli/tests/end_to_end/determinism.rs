//! The same bytes from any number of threads, from every compilation, and for what two variants
//! share.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::support::{
    checkpoint, folder, micro, micro_mlp, mm1c, records, run, tensors, train_command, train_on,
};

fn backends() -> &'static [&'static str] {
    match cfg!(feature = "mlir") {
        true => &["cranelift", "mlir"],
        false => &["cranelift"],
    }
}

/// Every file of a checkpoint as it is.
fn bytes(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("a checkpoint")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            (name.into_owned(), fs::read(&path).expect("a file"))
        })
        .collect();
    files.sort();
    files
}

/// Compiles the micro model to `path` and returns the package's bytes.
fn compile(path: &Path, backend: &str, sets: &[&str]) -> Vec<u8> {
    let mut command = mm1c();
    command.arg("compile").arg(micro()).arg("-o").arg(path);
    command.args(["--backend", backend]);
    sets.iter().for_each(|set| {
        command.args(["--set", set]);
    });
    run(&mut command).ok();
    fs::read(path).expect("a package")
}

#[test]
fn neither_compilations_nor_threads_change_a_byte() {
    for backend in backends() {
        let folder = folder();
        let package = folder.path().join("a.mm1pkg");
        let first = compile(&package, backend, &[]);
        let second = compile(&folder.path().join("b.mm1pkg"), backend, &[]);
        assert!(first == second, "{backend}: two compilations differ");

        let train = |threads: &str| {
            let path = folder.path().join(threads);
            let sets = ["train.steps=12", "train.checkpoint_every=5"];
            let mut command = train_on([backend, threads], &micro(), &path, &sets);
            run(command.arg("--package").arg(&package)).ok();
            (bytes(&checkpoint(&path, 12)), records(&path))
        };
        let one = train("1");
        assert_eq!((one.0.len(), one.1.len()), (5, 13));
        for threads in ["2", "5"] {
            let differs = format!("{backend}: {threads} threads differ from 1");
            assert!(train(threads) == one, "{differs}");
        }
    }
}

#[test]
fn a_kept_package_changes_nothing() {
    let folder = folder();
    let cache = folder.path().join("cache");
    let train = |name: &str, cache: Option<&Path>| {
        let path = folder.path().join(name);
        let mut command = train_command(&micro(), &path, &["train.steps=4"]);
        if let Some(cache) = cache {
            command.env("MM1C_CACHE", cache);
        }
        run(&mut command).ok();
        bytes(&checkpoint(&path, 4))
    };
    // Its inode tells whether it was written again.
    let kept = || -> (PathBuf, u64) {
        let entries = fs::read_dir(&cache).expect("a cache");
        let entries = entries.map(|entry| entry.expect("an entry"));
        let mut packages = entries.filter(|it| {
            it.path()
                .extension()
                .is_some_and(|ending| ending == "mm1pkg")
        });
        let package = packages.next().expect("a package");
        assert!(packages.next().is_none(), "one package");
        (package.path(), package.metadata().expect("a file").ino())
    };
    let without = train("a", None);
    assert!(!cache.exists());
    assert!(train("b", Some(&cache)) == without);
    let first = kept();
    assert!(train("c", Some(&cache)) == without);
    assert_eq!(kept(), first, "used, not written again");
    let mut damaged = fs::read(&first.0).expect("a package");
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&first.0, &damaged).expect("writable");
    assert!(train("d", Some(&cache)) == without);
    assert!(fs::read(kept().0).expect("a package") != damaged);
}

#[test]
fn another_model_is_another_package() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let plain = compile(&at("a"), "cranelift", &[]);
    assert!(compile(&at("b"), "cranelift", &["decoder.mlp_width=48"]) != plain);
}

#[test]
fn variants_share_what_they_have_in_common() {
    let folder = folder();
    // A learning rate of 0 leaves the initial weights in the checkpoint.
    let sets = ["train.steps=1", "train.lr=0", "train.warmup_steps=0"];
    let initial = |model: &Path, name: &str| {
        let path = folder.path().join(name);
        run(&mut train_command(model, &path, &sets)).ok();
        tensors(&checkpoint(&path, 1).join("parameters.safetensors"))
    };
    let (plain, other) = (initial(&micro(), "a"), initial(&micro_mlp(), "b"));
    let of = |part: &str| {
        plain
            .keys()
            .filter(move |name| name.starts_with(part))
            .count()
    };
    assert!(of("decoder.") > 5 && of("encoder.") > 5);
    for (name, bytes) in plain
        .iter()
        .filter(|(name, _)| !name.starts_with("connector."))
    {
        assert!(other.get(name) == Some(bytes), "{name}");
    }
    let connector = |name: &&String| name.starts_with("connector.");
    assert_ne!(
        plain.keys().filter(connector).collect::<Vec<_>>(),
        other.keys().filter(connector).collect::<Vec<_>>()
    );
    // Weights are drawn, not constant.
    let embedding = plain.iter().find(|(name, _)| name.contains("embedding"));
    let (_, embedding) = embedding.expect("an embedding");
    assert!(embedding.chunks_exact(4).collect::<BTreeSet<_>>().len() > 1000);

    let kernels = |model: &Path| -> BTreeSet<String> {
        let mut command = mm1c();
        let ran = run(command
            .arg("compile")
            .arg(model)
            .args(["--emit", "kernels"]))
        .ok();
        let lines = ran.stdout.lines();
        let heads = lines.filter(|line| line.starts_with("kernel "));
        heads.map(str::to_owned).collect()
    };
    let (plain, other) = (kernels(&micro()), kernels(&micro_mlp()));
    let shared = plain.intersection(&other).count();
    assert!(
        shared * 10 >= plain.len() * 9,
        "{shared} of {}",
        plain.len()
    );
    assert!(shared > 0 && shared < other.len(), "the connectors differ");
}
