//! Checkpoint tests: round trips, damage, and a process killed at every call.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;

use mm1_package::{DType, ExtentRef, Init, ModelFacts, Package, Parameter, Program, Region, Slot};
use serde_json::json;

use super::*;

/// Where the child process saves; its presence makes the child tests act.
const CHILD: &str = "MM1C_CHECKPOINT_CHILD";
/// Checkpoints that the killed child writes.
const SAVES: u64 = 4;

/// A package of parameters alone: name, type, sizes, whether trained.
pub(crate) fn package(parameters: &[(&str, DType, &[u64], bool)]) -> Package {
    let mut offset = 0;
    let tensors = parameters
        .iter()
        .map(|&(name, dtype, dims, trained)| {
            let slot = Slot { region: 0, offset };
            offset += (dims.iter().product::<u64>() * dtype.size()).next_multiple_of(64);
            Tensor {
                name: name.into(),
                role: Role::Parameter,
                dtype,
                dims: dims.iter().map(|&size| ExtentRef::Fixed(size)).collect(),
                slot,
                parameter: Some(Parameter {
                    init: Init::Zeros,
                    trained,
                    decay: true,
                    lr_scale: 1.0,
                }),
            }
        })
        .collect();
    Package {
        target: if cfg!(target_arch = "x86_64") {
            "cpu:x86-64".into()
        } else {
            format!("cpu:{}", std::env::consts::ARCH)
        },
        backend: "none".into(),
        cpu_features: vec![],
        model: ModelFacts::default(),
        extents: vec![],
        regions: ["parameters", "gradients", "moment1", "moment2"]
            .into_iter()
            .map(|name| Region {
                name: name.into(),
                bytes: offset,
            })
            .collect(),
        tensors,
        constants: vec![],
        kernels: vec![],
        code: vec![],
        programs: Vec::<Program>::new(),
    }
}

fn executor() -> Executor {
    let parameters: &[(&str, DType, &[u64], bool)] = &[
        ("decoder.weight", DType::F32, &[3, 5], true),
        ("encoder.weight", DType::Bf16, &[4], false),
        ("decoder.bias", DType::F32, &[5], true),
    ];
    Executor::new(Arc::new(package(parameters)), 1).unwrap()
}

/// State that depends on the step alone.
fn fill(executor: &mut Executor, step: u64) -> Snapshot {
    for (index, region) in ["parameters", "moment1", "moment2"].into_iter().enumerate() {
        let mut bytes = vec![0; executor.region_bytes(region).unwrap() as usize];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = (at as u64 * 7 + step * 31 + index as u64) as u8;
        }
        executor.write_region(region, 0, &bytes).unwrap();
    }
    Snapshot {
        step,
        counters: json!({"tokens": step * 100, "skipped": 0}),
        data: json!({"captions": {"epoch": 1, "next": step}}),
        resolved: "name = \"tiny\"\n".into(),
        code: Code::of(executor.package()),
    }
}

/// The bytes that a checkpoint must bring back (frozen parameters have no moments).
fn state(executor: &Executor) -> Vec<Vec<u8>> {
    let mut state = Vec::new();
    for place in parameters(executor).into_iter().chain(moments(executor)) {
        let mut bytes = vec![0; (place.range.end - place.range.start) as usize];
        executor
            .read_region(&place.region, place.range.start, &mut bytes)
            .unwrap();
        state.push(bytes);
    }
    state
}

/// The bytes of the region `parameters`.
pub(crate) fn parameters_of(executor: &Executor) -> Vec<u8> {
    let mut bytes = vec![0; executor.region_bytes("parameters").unwrap() as usize];
    executor.read_region("parameters", 0, &mut bytes).unwrap();
    bytes
}

fn assert_loads(store: &Store, step: u64) {
    let mut expected = executor();
    let snapshot = fill(&mut expected, step);
    let mut loaded = executor();
    let mut warn = |text: &str| panic!("{text}");
    let found = store.load_newest(&mut loaded, &mut warn).unwrap().unwrap();
    assert_eq!(found, snapshot);
    assert_eq!(state(&loaded), state(&expected));
}

fn save(store: &Store, step: u64) -> PathBuf {
    let mut executor = executor();
    let snapshot = fill(&mut executor, step);
    store.save(&executor, &snapshot).unwrap()
}

#[test]
fn what_is_saved_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().join("run/ckpt"), 2);
    let mut none = executor();
    assert_eq!(store.load_newest(&mut none, &mut |_| ()).unwrap(), None);
    let path = save(&store, 7);
    assert!(path.ends_with("step-000007"));
    assert_loads(&store, 7);
    assert_eq!(peek(&path).unwrap().step, 7);
    assert_eq!(state(&executor()).len(), 3 + 4);
}

#[test]
fn old_checkpoints_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), 2);
    for step in [1, 2, 3, 10] {
        save(&store, step);
    }
    let steps: Vec<u64> = store.list().into_iter().map(|(step, _)| step).collect();
    assert_eq!(steps, [3, 10]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    // Taken back to step 3 and saved there again: that is the newest now, and one goes.
    save(&store, 3);
    save(&store, 4);
    let steps: Vec<u64> = store.list().into_iter().map(|(step, _)| step).collect();
    assert_eq!(steps, [3, 4]);
    assert_loads(&store, 4);
}

#[test]
fn every_flipped_or_missing_byte_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), 3);
    save(&store, 1);
    let newest = save(&store, 2);
    let mut loaded = executor();
    for name in [PARAMETERS, OPTIMIZER, RESOLVED, MANIFEST, COMMITTED] {
        let path = newest.join(name);
        let good = fs::read(&path).unwrap();
        let mut variants: Vec<Option<Vec<u8>>> = vec![None, Some(good[..good.len() - 1].into())];
        for at in (0..good.len()).step_by(7) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            variants.push(Some(bad));
        }
        for bad in variants {
            match bad {
                Some(bad) => fs::write(&path, bad).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            let mut warnings = Vec::new();
            let found = store
                .load_newest(&mut loaded, &mut |text| warnings.push(text.to_string()))
                .unwrap()
                .unwrap();
            assert_eq!(found.step, 1, "{name}");
            assert_eq!(warnings.len(), 1);
            assert!(warnings[0].contains("step 2 is damaged"), "{warnings:?}");
            let error = load(&newest, &mut loaded).unwrap_err();
            assert_eq!(error.code(), "MM1C0602", "{error}");
        }
        fs::write(&path, good).unwrap();
    }
    assert_loads(&store, 2);
}

#[test]
fn a_store_of_damaged_checkpoints_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), 3);
    for step in [1, 2] {
        fs::write(save(&store, step).join(PARAMETERS), "").unwrap();
    }
    let error = store.load_newest(&mut executor(), &mut |_| ()).unwrap_err();
    assert!(matches!(&error, CheckpointError::AllDamaged { damages, .. } if damages.len() == 2));
    assert!(error.to_string().contains("step-000001"));
}

#[test]
fn other_models_are_refused_with_every_difference() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), 1);
    let path = save(&store, 1);
    let parameters: &[(&str, DType, &[u64], bool)] = &[
        ("decoder.weight", DType::F32, &[5, 3], true),
        ("encoder.weight", DType::F32, &[2], false),
        ("connector.weight", DType::F32, &[5], false),
    ];
    let mut other = Executor::new(Arc::new(package(parameters)), 1).unwrap();
    let error = load(&path, &mut other).unwrap_err();
    let CheckpointError::OtherModel { differences, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(
        differences,
        &[
            "`decoder.weight` is F32 [3, 5] where the model has F32 [5, 3]",
            "`encoder.weight` is BF16 [4] where the model has F32 [2]",
            "`connector.weight` is missing in it",
            "`decoder.bias` is not in the model",
            "`moment1.decoder.weight` is F32 [3, 5] where the model has F32 [5, 3]",
            "`moment2.decoder.weight` is F32 [3, 5] where the model has F32 [5, 3]",
            "`moment1.decoder.bias` is not in the model",
            "`moment2.decoder.bias` is not in the model",
        ]
    );
    assert!(parameters_of(&other).iter().all(|&b| b == 0));
}

#[test]
fn errors_name_path_and_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let store = Store::new(file.join("ckpt"), 1);
    let error = store
        .save(&executor(), &fill(&mut executor(), 1))
        .unwrap_err();
    assert_eq!(error.code(), "MM1C0601");
    assert!(error.to_string().contains("file/ckpt: "), "{error}");
}

/// Runs this test binary again with only the ignored test `name` and the given environment.
fn child(name: &str, folder: &Path, environment: &[(&str, String)]) -> (bool, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .arg(format!("checkpoint::tests::{name}"))
        .env_remove(files::FAULT_VARIABLE)
        .env(CHILD, folder);
    for (key, value) in environment {
        command.env(key, value);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), text)
}

#[test]
#[ignore = "acts only as the child of another test"]
fn child_saves() {
    let Some(folder) = std::env::var_os(CHILD) else {
        return;
    };
    let store = Store::new(Path::new(&folder).join("ckpt"), 2);
    // The second save repeats the first one's step: it takes another way.
    for step in [1, 1, 2, 3].into_iter().take(SAVES as usize) {
        save(&store, step);
        println!("committed {step}.");
    }
}

#[test]
fn killed_at_any_call_the_last_commit_survives() {
    let mut kills = BTreeMap::new();
    for number in 1.. {
        // In memory where the system has such a folder: a hundred saves flush a lot.
        let folder = tempfile::tempdir_in("/dev/shm")
            .or_else(|_| tempfile::tempdir())
            .unwrap();
        let fault = (files::FAULT_VARIABLE, format!("checkpoint@{number}"));
        let (finished, output) = child("child_saves", folder.path(), &[fault]);
        let committed: Vec<&str> = output
            .lines()
            .filter_map(|line| line.split_once("committed ")?.1.strip_suffix('.'))
            .collect();
        let store = Store::new(folder.path().join("ckpt"), 2);
        if finished {
            assert_eq!(committed.len() as u64, SAVES, "{output}");
            break;
        }
        *kills.entry(committed.len()).or_insert(0) += 1;
        let last: u64 = committed.last().map_or(0, |step| step.parse().unwrap());
        let mut loaded = executor();
        let mut warn = |text: &str| panic!("killed at call {number}: {text}");
        let step = store
            .load_newest(&mut loaded, &mut warn)
            .unwrap()
            .map_or(0, |snapshot| snapshot.step);
        assert!(
            step == last || step == last + 1,
            "killed at {number}: {step}"
        );
        if step > 0 {
            assert_loads(&store, step);
        }
        // The next save works and tidies up.
        save(&store, 9);
        assert_loads(&store, 9);
        let mut names: Vec<String> = fs::read_dir(folder.path().join("ckpt"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        assert!(
            names.iter().all(|name| name.starts_with("step-")),
            "{names:?}"
        );
    }
    // Faults fired in each of the saves, and in many places of each.
    assert_eq!(kills.len() as u64, SAVES, "{kills:?}");
    assert!(kills.values().all(|&count| count >= 15), "{kills:?}");
}

#[test]
#[ignore = "acts only as the child of another test"]
fn child_runs_out_of_space() {
    let Some(folder) = std::env::var_os(CHILD) else {
        return;
    };
    let store = Store::new(Path::new(&folder), 2);
    save(&store, 1);
    let limit = libc::rlimit {
        rlim_cur: 300,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: plain system calls; without the signal a write past the limit is an error.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        libc::setrlimit(libc::RLIMIT_FSIZE, &limit);
    }
    let mut executor = executor();
    let snapshot = fill(&mut executor, 2);
    let error = store.save(&executor, &snapshot).unwrap_err();
    println!("refused {error}");
}

#[test]
fn without_space_the_error_is_clear_and_the_previous_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (finished, output) = child("child_runs_out_of_space", folder.path(), &[]);
    assert!(finished, "{output}");
    let line = output
        .lines()
        .find(|line| line.contains("refused "))
        .unwrap();
    assert!(line.contains("MM1C0601"), "{line}");
    assert!(line.contains("parameters.safetensors ("), "{line}");
    assert!(line.contains(" bytes): "), "{line}");
    let store = Store::new(folder.path(), 2);
    assert_loads(&store, 1);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
