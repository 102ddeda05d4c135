//! The same bytes from any number of threads, from every compilation, and for what two variants
//! share.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::{
    checkpoint, folder, metrics, micro, micro_mlp, mm1c, run, steps, tensors, train_command,
    train_on,
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

#[test]
fn threads_do_not_change_a_byte() {
    for backend in backends() {
        let folder = folder();
        let train = |threads: &str| {
            let path = folder.path().join(threads);
            let sets = ["train.steps=12", "train.checkpoint_every=5"];
            run(&mut train_on([backend, threads], &micro(), &path, &sets)).ok();
            (
                bytes(&checkpoint(&path, 12)),
                steps(&path),
                metrics(&path).pop(),
            )
        };
        let one = train("1");
        assert_eq!(one.0.len(), 5);
        for threads in ["2", "5"] {
            assert!(
                train(threads) == one,
                "{backend}: {threads} threads differ from 1"
            );
        }
    }
}

#[test]
fn compilations_repeat_themselves() {
    for backend in backends() {
        let folder = folder();
        let package = |name: &str, sets: &[&str]| {
            let path = folder.path().join(name);
            let mut command = mm1c();
            command.arg("compile").arg(micro()).arg("-o").arg(&path);
            command.args(["--backend", backend]);
            sets.iter().for_each(|set| {
                command.args(["--set", set]);
            });
            run(&mut command).ok();
            fs::read(path).expect("a package")
        };
        let first = package("a.mm1pkg", &[]);
        assert!(package("b.mm1pkg", &[]) == first, "{backend}");
        assert!(package("c.mm1pkg", &["decoder.mlp_width=48"]) != first);
    }
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
        ran.stdout.lines().map(str::to_owned).collect()
    };
    let (plain, other) = (kernels(&micro()), kernels(&micro_mlp()));
    let shared = plain.intersection(&other).count();
    assert!(
        shared * 10 >= plain.len() * 9,
        "{shared} of {}",
        plain.len()
    );
    assert!(shared < other.len(), "the connectors differ");
}
