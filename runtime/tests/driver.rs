//! The CUDA device over a stand-in for the driver's library (`driver/libcuda.c`).
//!
//! The stand-in delays all work until something waits for it, so a copy or a launch that is not
//! ordered as it must be gives wrong bytes. Each case runs in a process of its own, whose library
//! path leads to the stand-in.

#![cfg(feature = "cuda")]
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use mm1_package::{
    DType, Extent, ExtentRef, GpuKernel, Kernel, Launch, MapDim, ModelFacts, Package, Program,
    Region, Role, Slot, Tensor, TensorMap, TileAxis,
};
use mm1_runtime::device::choice::Settings;
use mm1_runtime::device::{Choice, open};
use mm1_runtime::executor::{Executor, ExecutorError};

/// Which case a child process is to run.
const CASE: &str = "MM1C_DRIVER_CASE";
/// Where it may keep machine code.
const CACHE: &str = "MM1C_DRIVER_CACHE";
const ROWS: ExtentRef = ExtentRef::Scaled { index: 0, scale: 1 };
const LATER: ExtentRef = ExtentRef::Scaled { index: 1, scale: 2 };
/// Bytes of `outputs`: a read of all of it is in several pieces.
const OUTPUTS: u64 = 10 << 20;
/// Bytes of `inputs`: what a half of the write buffer holds.
const INPUTS: u64 = 3 << 20;

/// The library, built once.
fn library() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap().keep();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/driver/libcuda.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]);
        compiler.arg(folder.join("libcuda.so")).arg(source);
        let built = compiler
            .arg("-lpthread")
            .output()
            .expect("there is a C compiler");
        let said = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "{said}");
        folder
    })
}

/// Runs a case in a process that finds the stand-in; returns what it said on standard error.
fn child(case: &str, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "in_a_child", "--nocapture"]);
    command.env("LD_LIBRARY_PATH", library()).env(CASE, case);
    command.envs(variables.iter().copied());
    let ran = command.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    let printed = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{case}: {printed}\n{said}");
    assert!(printed.contains("1 passed"), "{case}: {printed}");
    assert!(said.contains("stand-in: 0 objects live"), "{case}: {said}");
    said
}

#[test]
#[ignore = "runs as the child of the other tests"]
fn in_a_child() {
    match std::env::var(CASE).unwrap().as_str() {
        "programs" => programs(),
        "copies" => copies(),
        "load" => drop(executor(package()).unwrap()),
        "refused" => refused(),
        "broken" => broken(),
        "unlinkable" => unlinkable(),
        case => panic!("no case {case}"),
    }
}

#[test]
fn launches_follow_the_sizes() {
    child("programs", &[]);
    child("programs", &[("MM1C_CUDA_SYNC", "1")]);
}

#[test]
fn copies_keep_their_order() {
    child("copies", &[]);
}

#[test]
fn a_second_start_assembles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let cache = [(CACHE, folder.path().to_str().unwrap())];
    assert!(child("load", &cache).contains("3 modules assembled"));
    assert!(child("load", &cache).contains("0 modules assembled"));
    for file in std::fs::read_dir(folder.path().join("cubin")).unwrap() {
        std::fs::write(file.unwrap().path(), "damage").unwrap();
    }
    assert!(child("load", &cache).contains("3 modules assembled"));
    assert!(child("load", &cache).contains("0 modules assembled"));
}

#[test]
fn what_does_not_fit_is_refused_by_code() {
    child(
        "refused",
        &[
            ("STANDIN_VERSION", "12040"),
            ("EXPECTED", "MM1C0513|12.4|12.8"),
        ],
    );
    child(
        "refused",
        &[
            ("STANDIN_FREE", "1000"),
            ("EXPECTED", "MM1C0503|1000 free|outputs: 10485760"),
        ],
    );
    child("broken", &[]);
    let said = child("unlinkable", &[]);
    assert!(said.contains("warning: the driver's linker"), "{said}");
}

fn device() -> Result<Box<dyn mm1_runtime::device::Device>, ExecutorError> {
    let settings = Settings {
        threads: 3,
        cache: std::env::var_os(CACHE).map(PathBuf::from),
    };
    Ok(open(Choice::Cuda(0), settings)?)
}

fn executor(package: Package) -> Result<Executor, ExecutorError> {
    Executor::with_device(Arc::new(package), device()?)
}

fn tensor(name: &str, dtype: DType, dims: &[ExtentRef], region: u32, offset: u64) -> Tensor {
    Tensor {
        name: name.into(),
        role: Role::Output,
        dtype,
        dims: dims.to_vec(),
        slot: Slot { region, offset },
        parameter: None,
    }
}

/// PTX as far as the stand-in reads it: entry, parameters, and what to do.
fn ptx(hash: &str, kind: &str, maps: usize) -> String {
    let words = (0..3).map(|number| format!(".param .u64 p{number}"));
    let maps = (0..maps).map(|number| format!(".param .align 64 .b8 m{number}[128]"));
    let parameters: Vec<String> = words.chain(maps).collect();
    format!(
        ".version 8.6\n.target sm_90a\n// kernel {kind}\n.visible .entry k{hash}({})\n{{ ret; }}\n",
        parameters.join(", ")
    )
}

/// Regions 0 `outputs`, 1 `constants`, 2 `inputs`; every kernel has an address and an extent.
fn package() -> Package {
    let map = TensorMap {
        arg: 0,
        offset: 0,
        dtype: DType::Bf16,
        dims: vec![MapDim::Fixed(64), MapDim::Extent(0)],
        strides: vec![128],
        box_dims: vec![64, 8],
        swizzle: 128,
    };
    let mut code = String::new();
    let kernels = [
        ("a1", "store", vec![]),
        ("a2", "add", vec![]),
        ("a3", "map", vec![map]),
    ];
    let kernels = kernels.map(|(hash, kind, tensor_maps)| {
        let text = ptx(hash, kind, tensor_maps.len());
        let entry = code.len() as u64;
        code.push_str(&text);
        Kernel {
            name: kind.into(),
            hash: hash.into(),
            entry,
            scratch_bytes: 0,
            gpu: Some(GpuKernel {
                ptx_bytes: text.len() as u64,
                threads: 128,
                shared_bytes: 50_000,
                tiles_per_block: 4,
                blocks_per_sm: None,
                tensor_maps,
            }),
        }
    });
    let launch = |name: &str, kernel, offset, extent, tiles| Launch {
        name: name.into(),
        kernel,
        args: vec![Slot { region: 0, offset }],
        extents: vec![extent],
        tiles: vec![TileAxis {
            extent: tiles,
            tile: 1,
        }],
        flops: 0,
        bytes: 0,
    };
    let program = |name: &str, launches| Program {
        name: name.into(),
        launches,
        inputs: vec![],
        outputs: vec![],
        largest_live_bytes: 0,
        arena_bytes: 0,
    };
    Package {
        target: "cuda:sm_90a".into(),
        backend: "hand".into(),
        cpu_features: vec![],
        model: ModelFacts::default(),
        extents: [("rows", 1000, None), ("later", 400, Some((0, 8)))]
            .map(|(name, bound, derived)| Extent {
                name: name.into(),
                bound,
                derived,
            })
            .to_vec(),
        regions: [("outputs", OUTPUTS), ("constants", 64), ("inputs", INPUTS)]
            .map(|(name, bytes)| Region {
                name: name.into(),
                bytes,
            })
            .to_vec(),
        tensors: vec![
            tensor("rows", DType::I32, &[ROWS], 0, 0),
            tensor("later", DType::I32, &[LATER], 0, 4096),
            tensor("map", DType::I32, &[ExtentRef::Fixed(2)], 0, 8192),
            tensor("constant", DType::F32, &[], 1, 0),
        ],
        constants: 1.5f32.to_le_bytes().to_vec(),
        kernels: kernels.to_vec(),
        code: code.into_bytes(),
        programs: vec![
            program("index", vec![launch("n", 0, 0, ROWS, ROWS)]),
            program(
                "add",
                vec![
                    launch("a", 1, 0, ROWS, ROWS),
                    launch("b", 1, 4096, LATER, LATER),
                ],
            ),
            program("map", vec![launch("m", 2, 8192, ROWS, ExtentRef::Fixed(1))]),
            program("nothing", vec![]),
        ],
    }
}

fn programs() {
    let mut executor = executor(package()).unwrap();
    assert_eq!(executor.device_name(), "cuda:0 (Stand-in)");
    assert!(executor.memory() > OUTPUTS + INPUTS);
    assert_eq!(executor.read_f32("constant").unwrap(), [1.5]);
    // Fresh memory is garbage until the device clears it.
    assert_eq!(executor.read::<i32>("rows").unwrap(), [0; 1000]);
    executor.run("nothing").unwrap();

    executor.set_extent("rows", 10).unwrap();
    executor.run("add").unwrap();
    executor.run("add").unwrap();
    assert_eq!(executor.read::<i32>("rows").unwrap(), [20; 10]);
    assert_eq!(executor.read::<i32>("later").unwrap(), [8; 4]);
    // A launch without tiles is turned off, and on again.
    executor.set_extent("rows", 3).unwrap();
    executor.run("add").unwrap();
    assert_eq!(executor.read::<i32>("rows").unwrap(), [23; 3]);
    let times = executor.profile("add", 1).unwrap();
    assert_eq!([times[0].seconds, times[1].seconds], [1e-3, 0.0]);
    executor.set_extent("rows", 1000).unwrap();
    executor.run("add").unwrap();
    let later = executor.read::<i32>("later").unwrap();
    assert_eq!((later[0], later[4], later.len()), (808, 800, 800));
    assert_eq!(
        executor.read::<i32>("rows").unwrap()[..4],
        [1026, 1026, 1026, 1020]
    );
    // Nothing waits between two sizes: a run under way keeps its own.
    executor.run("index").unwrap();
    executor.set_extent("rows", 2).unwrap();
    executor.run("add").unwrap();
    executor.set_extent("rows", 5).unwrap();
    executor.run("add").unwrap();
    assert_eq!(executor.read::<i32>("rows").unwrap(), [7, 8, 7, 8, 9]);
    // Descriptors follow; they are never empty.
    for (rows, expected) in [(7, 7), (9, 9), (0, 1), (1000, 1000)] {
        executor.set_extent("rows", rows).unwrap();
        executor.run("map").unwrap();
        assert_eq!(executor.read::<i32>("map").unwrap(), [expected, 1]);
    }
    executor.synchronize().unwrap();
}

/// Bytes that tell where they belong.
fn pattern(length: u64, seed: u64) -> Vec<u8> {
    (0..length)
        .map(|at| (at * 7 + at / 251 + seed) as u8)
        .collect()
}

fn read(executor: &Executor, region: &str, offset: u64, length: u64) -> Vec<u8> {
    let mut bytes = vec![0; length as usize];
    executor.read_region(region, offset, &mut bytes).unwrap();
    bytes
}

fn copies() {
    let mut executor = executor(package()).unwrap();
    // More than the write buffer holds, and nothing waits for any of it.
    for seed in 0..5 {
        let bytes = pattern(OUTPUTS - 64, seed);
        executor.write_region("outputs", 0, &bytes).unwrap();
    }
    assert_eq!(
        read(&executor, "outputs", 0, OUTPUTS - 64),
        pattern(OUTPUTS - 64, 4)
    );
    assert_eq!(
        read(&executor, "outputs", 5 << 20, 300),
        pattern(OUTPUTS, 4)[5 << 20..][..300]
    );
    assert_eq!(read(&executor, "outputs", OUTPUTS - 64, 64), [0; 64]);
    // Large and small pieces, with runs between them.
    executor.set_extent("rows", 4).unwrap();
    for seed in 0..7u64 {
        executor
            .write_region("inputs", 0, &pattern(INPUTS, seed))
            .unwrap();
        executor.write("rows", &[seed as i32; 4]).unwrap();
        executor.run("add").unwrap();
    }
    assert_eq!(executor.read::<i32>("rows").unwrap(), [10; 4]);
    assert_eq!(read(&executor, "inputs", 0, INPUTS), pattern(INPUTS, 6));
    // A small read sees what changed since the last one.
    executor.write("rows", &[1, 2, 3, 4]).unwrap();
    assert_eq!(read(&executor, "outputs", 4, 4), 2i32.to_le_bytes());
    executor.run("add").unwrap();
    assert_eq!(read(&executor, "outputs", 4, 4), 6i32.to_le_bytes());
    assert_eq!(read(&executor, "outputs", 8, 4), 7i32.to_le_bytes());
    executor.fill_region("outputs", 3).unwrap();
    assert_eq!(read(&executor, "outputs", 4, 4), [3; 4]);
    assert!(
        read(&executor, "outputs", 0, OUTPUTS)
            .iter()
            .all(|&byte| byte == 3)
    );
    let mut visited = Vec::new();
    executor
        .visit_region::<ExecutorError>("inputs", 1..INPUTS, &mut |piece| {
            visited.extend_from_slice(piece);
            Ok(())
        })
        .unwrap();
    assert_eq!(visited, pattern(INPUTS, 6)[1..]);
}

fn refused() {
    let error = executor(package()).unwrap_err().to_string();
    for part in std::env::var("EXPECTED").unwrap().split('|') {
        assert!(error.contains(part), "{part}: {error}");
    }
}

/// The package with a comment in the PTX of its last kernel.
fn commented(comment: &str) -> Package {
    let mut package = package();
    package
        .code
        .extend_from_slice(format!("// {comment}\n").as_bytes());
    let added = comment.len() as u64 + 4;
    package.kernels[2].gpu.as_mut().unwrap().ptx_bytes += added;
    package
}

fn broken() {
    let check = |package: Package, parts: &[&str]| {
        let error = executor(package).unwrap_err();
        assert_eq!(error.code(), "MM1C0515", "{error}");
        for part in parts {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
    };
    check(
        commented("broken"),
        &[
            "`map`",
            "cuModuleLoadDataEx failed: CUDA_ERROR_INVALID_PTX (218)",
            "line 7",
        ],
    );
    let mut fewer = package();
    fewer.programs[0].launches[0].extents.clear();
    check(
        fewer,
        &[
            "launch `n` of program `index`",
            "takes parameters of [8, 8, 8]",
        ],
    );
    let mut other = package();
    other.target = "cuda:sm_100a".into();
    let error = executor(other).unwrap_err();
    assert_eq!(error.code(), "MM1C0514");
    let settings = Settings {
        threads: 1,
        cache: None,
    };
    let error = open(Choice::Cuda(1), settings).map(|_| ()).unwrap_err();
    assert_eq!(error.code(), "MM1C0512");
    assert!(error.to_string().contains("finds 1 cards"), "{error}");
}

fn unlinkable() {
    let mut executor = executor(commented("unlinkable")).unwrap();
    executor.run("map").unwrap();
    assert_eq!(executor.read::<i32>("map").unwrap(), [1000, 1]);
}
