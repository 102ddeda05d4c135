//! Executor tests over hand-assembled kernels.

use mm1_package::{
    Extent, ExtentRef, Init, Kernel, Launch, ModelFacts, Parameter, Program, Region, Role, Slot,
    TileAxis,
};

use std::time::Instant;

use super::*;

/// `for t in begin..end { (args[0] as *mut i32)[t] = t }`
const STORE_INDEX: [u8; 17] = [
    0x48, 0x8b, 0x07, // mov rax, [rdi]
    0x4c, 0x39, 0xc1, // cmp rcx, r8
    0x7d, 0x08, // jge ret
    0x89, 0x0c, 0x88, // mov [rax + 4·rcx], ecx
    0x48, 0xff, 0xc1, // inc rcx
    0xeb, 0xf3, // jmp cmp
    0xc3, // ret
];

/// `for t in begin..end { (args[0] as *mut i32)[t] += extents[0] }`
const ADD_EXTENT: [u8; 21] = [
    0x48, 0x8b, 0x07, // mov rax, [rdi]
    0x4c, 0x8b, 0x16, // mov r10, [rsi]
    0x4c, 0x39, 0xc1, // cmp rcx, r8
    0x7d, 0x09, // jge ret
    0x44, 0x01, 0x14, 0x88, // add [rax + 4·rcx], r10d
    0x48, 0xff, 0xc1, // inc rcx
    0xeb, 0xf2, // jmp cmp
    0xc3, // ret
];

const ROWS: ExtentRef = ExtentRef::Scaled { index: 0, scale: 1 };
const LATER: ExtentRef = ExtentRef::Scaled { index: 1, scale: 2 };

fn slot(region: u32, offset: u64) -> Slot {
    Slot { region, offset }
}

fn tensor(name: &str, dtype: DType, dims: &[ExtentRef], slot: Slot) -> Tensor {
    Tensor {
        name: name.into(),
        role: Role::Input,
        dtype,
        dims: dims.to_vec(),
        slot,
        parameter: None,
    }
}

fn launch(name: &str, kernel: u32, slot: Slot, extents: &[ExtentRef], rows: ExtentRef) -> Launch {
    Launch {
        name: name.into(),
        kernel,
        args: vec![slot],
        extents: extents.to_vec(),
        tiles: vec![TileAxis {
            extent: rows,
            tile: 1,
        }],
        flops: 1 << 30,
        bytes: 8,
    }
}

fn program(name: &str, launches: Vec<Launch>) -> Program {
    Program {
        name: name.into(),
        launches,
        inputs: vec!["rows".into()],
        outputs: vec![],
        largest_live_bytes: 0,
        arena_bytes: 0,
    }
}

/// Region 0 `outputs`, 1 `constants`, 2 `parameters`, 3 `gradients`.
pub(crate) fn package() -> Package {
    let mut code = STORE_INDEX.to_vec();
    let second = code.len() as u64;
    code.extend(ADD_EXTENT);
    let kernel = |name: &str, entry| Kernel {
        name: name.into(),
        hash: String::new(),
        entry,
        scratch_bytes: 100,
        gpu: None,
    };
    let mut weight = tensor(
        "weight",
        DType::F32,
        &[ExtentRef::Fixed(2), ExtentRef::Fixed(3)],
        slot(2, 64),
    );
    weight.parameter = Some(Parameter {
        init: Init::Zeros,
        trained: true,
        decay: true,
        lr_scale: 1.0,
    });
    Package {
        target: "cpu:x86-64-v2".into(),
        backend: "hand".into(),
        cpu_features: vec!["sse2".into()],
        model: ModelFacts::default(),
        extents: vec![
            Extent {
                name: "rows".into(),
                bound: 1000,
                derived: None,
            },
            Extent {
                name: "later".into(),
                bound: 400,
                derived: Some((0, 8)),
            },
        ],
        regions: [("outputs", 16384), ("constants", 64)]
            .into_iter()
            .chain([("parameters", 128), ("gradients", 128)])
            .map(|(name, bytes)| Region {
                name: name.into(),
                bytes,
            })
            .collect(),
        tensors: vec![
            tensor("rows", DType::I32, &[ROWS], slot(0, 0)),
            tensor("later", DType::I32, &[LATER], slot(0, 4096)),
            tensor(
                "half",
                DType::Bf16,
                &[ExtentRef::Fixed(2), ROWS],
                slot(0, 8192),
            ),
            tensor("scalar", DType::F32, &[], slot(1, 0)),
            weight,
        ],
        constants: 1.5f32.to_le_bytes().to_vec(),
        kernels: vec![kernel("store", 0), kernel("add", second)],
        code,
        programs: vec![
            program("index", vec![launch("n", 0, slot(0, 0), &[], ROWS)]),
            program(
                "add",
                vec![
                    launch("a", 1, slot(0, 0), &[ROWS], ROWS),
                    launch("b", 1, slot(0, 4096), &[LATER], LATER),
                ],
            ),
        ],
    }
}

fn executor(threads: usize) -> Executor {
    Executor::new(Arc::new(package()), threads).unwrap()
}

fn bytes_of(executor: &Executor, region: &str) -> Vec<u8> {
    let mut bytes = vec![0; executor.region_bytes(region).unwrap() as usize];
    executor.read_region(region, 0, &mut bytes).unwrap();
    bytes
}

#[test]
fn kernels_run_over_all_tiles() {
    for threads in [1, 2, 5] {
        let mut executor = executor(threads);
        executor.run("index").unwrap();
        let expected: Vec<i32> = (0..1000).collect();
        assert_eq!(executor.read::<i32>("rows").unwrap(), expected);
    }
}

#[test]
fn threads_do_not_change_bytes() {
    let bytes = |threads| {
        let mut executor = executor(threads);
        for round in 0..500 {
            executor.set_extent("rows", round * 2).unwrap();
            executor.run("index").unwrap();
            executor.run("add").unwrap();
        }
        bytes_of(&executor, "outputs")
    };
    let one = bytes(1);
    assert!(one.iter().any(|&byte| byte != 0));
    assert_eq!(one, bytes(2));
    assert_eq!(one, bytes(3));
}

#[test]
fn run_time_sizes_reach_kernels_and_derived_ones_follow() {
    let mut executor = executor(2);
    executor.set_extent("rows", 10).unwrap();
    assert_eq!(executor.extent("later").unwrap(), 2);
    executor.run("add").unwrap();
    executor.run("add").unwrap();
    assert_eq!(executor.read::<i32>("rows").unwrap(), [20; 10]);
    assert_eq!(executor.read::<i32>("later").unwrap(), [8; 4]);
    // Nothing beyond the run-time size is touched.
    let outputs = bytes_of(&executor, "outputs");
    let outputs: Vec<i32> = bytemuck::pod_collect_to_vec(&outputs);
    assert_eq!(outputs[10], 0);
    assert_eq!(outputs[1024 + 4], 0);

    executor.set_extent("rows", 3).unwrap();
    assert_eq!(executor.extent("later").unwrap(), 0);
    executor.run("add").unwrap();
    assert_eq!(executor.read::<i32>("rows").unwrap(), [23; 3]);
    assert!(executor.read::<i32>("later").unwrap().is_empty());
    executor.set_extent("rows", 1000).unwrap();
    assert_eq!(executor.extent("later").unwrap(), 400);

    assert!(matches!(
        executor.set_extent("rows", 1001),
        Err(ExecutorError::ExtentBound { bound: 1000, .. })
    ));
    assert!(matches!(
        executor.set_extent("later", 1),
        Err(ExecutorError::DerivedExtent(_))
    ));
    assert!(matches!(
        executor.set_extent("cats", 1),
        Err(ExecutorError::UnknownExtent(_))
    ));
}

#[test]
fn tensors_are_written_and_read_at_run_time_sizes() {
    let mut executor = executor(1);
    let bf16 = half::bf16::from_f32;
    executor.set_extent("rows", 3).unwrap();
    let data: Vec<half::bf16> = (0..6).map(|n| bf16(n as f32)).collect();
    executor.write("half", &data).unwrap();
    assert_eq!(executor.read_f32("half").unwrap(), [0., 1., 2., 3., 4., 5.]);
    // The second row starts at the bound of the run-time axis.
    let row = &bytes_of(&executor, "outputs")[8192 + 2000..];
    assert_eq!(row[..2], bf16(3.0).to_le_bytes());
    // The full bounds are accepted as well.
    executor.write("half", &vec![bf16(9.0); 2000]).unwrap();
    assert_eq!(executor.read_f32("half").unwrap(), [9.0; 6]);

    let error = executor.write("half", &[bf16(0.0); 7]).unwrap_err();
    assert!(matches!(error, ExecutorError::Length { .. }), "{error}");
    let error = executor.write("half", &[0.0f32; 6]).unwrap_err();
    assert!(matches!(error, ExecutorError::DType { .. }), "{error}");
    assert!(executor.write("cats", &[0.0f32]).is_err());
    assert!(executor.read_f32("rows").is_err());
    executor.write("scalar", &[2.0f32]).unwrap();
    assert_eq!(executor.read_f32("scalar").unwrap(), [2.0]);
}

#[test]
fn constants_and_gradients_are_found() {
    let mut executor = executor(1);
    assert_eq!(executor.read_f32("scalar").unwrap(), [1.5]);
    let values = [1f32, 2., 3., 4., 5., 6.];
    executor
        .write_region("gradients", 64, bytemuck::cast_slice(&values))
        .unwrap();
    assert_eq!(
        executor.read_gradient("weight").unwrap(),
        [1., 2., 3., 4., 5., 6.]
    );
    assert!(executor.read_gradient("scalar").is_err());
    assert!(executor.region_bytes("cats").is_none());
    let error = executor.write_region("cats", 0, &[]).unwrap_err();
    assert_eq!(error.code(), "MM1C0506");
    for (offset, bytes) in [(0, 129), (128, 1), (u64::MAX, 1)] {
        let mut into = vec![0; bytes];
        let error = executor.read_region("gradients", offset, &mut into);
        assert_eq!(error.unwrap_err().code(), "MM1C0509");
    }
    executor.fill_region("gradients", 0xff).unwrap();
    assert!(executor.read_gradient("weight").unwrap()[0].is_nan());
    assert_eq!(bytes_of(&executor, "parameters"), [0; 128]);
}

#[test]
fn profiles_name_launches() {
    let mut executor = executor(2);
    let times = executor.profile("add", 3).unwrap();
    assert_eq!(times.len(), 2);
    assert_eq!((&*times[1].name, &*times[1].kernel), ("b", "add"));
    assert_eq!(times[0].flops, 1 << 30);
    assert!(times.iter().all(|time| time.seconds.is_finite()));
    assert_eq!(executor.read::<i32>("rows").unwrap(), [3000; 1000]);
}

#[test]
fn unknown_programs_list_the_known() {
    let error = executor(1).run("train").unwrap_err();
    assert_eq!(error.code(), "MM1C0505");
    assert!(error.to_string().ends_with("it has index, add"), "{error}");
}

#[test]
fn malformed_packages_are_refused() {
    type Change = fn(&mut Package);
    let changes: &[(&str, Change)] = &[
        ("region 9 of 4", |p| p.tensors[0].slot.region = 9),
        ("no multiple of 64", |p| p.tensors[0].slot.offset = 4),
        ("do not fit", |p| p.tensors[0].slot.offset = 16384),
        ("do not fit", |p| p.tensors[0].slot.offset = u64::MAX - 63),
        ("do not fit", |p| p.regions[0].bytes = 100),
        ("overflows", |p| {
            p.tensors[0].dims = vec![ExtentRef::Fixed(1 << 31); 2]
        }),
        ("overflows", |p| {
            p.tensors[0].dims = vec![ExtentRef::Fixed(u64::MAX), ExtentRef::Fixed(0)];
        }),
        ("extent 7 of 2", |p| {
            p.tensors[0].dims = vec![ExtentRef::Scaled { index: 7, scale: 1 }];
        }),
        ("overflows", |p| {
            p.programs[0].launches[0].extents = vec![ExtentRef::Scaled {
                index: 0,
                scale: u64::MAX,
            }];
        }),
        ("no sane bound", |p| p.extents[0].bound = u64::MAX),
        ("does not come before", |p| {
            p.extents[0].derived = Some((1, 0))
        }),
        ("does not come before", |p| {
            p.extents[1].derived = Some((1, 0))
        }),
        ("called `rows`", |p| p.extents[1].name = "rows".into()),
        ("called `rows`", |p| p.tensors[1].name = "rows".into()),
        ("called `outputs`", |p| p.regions[1].name = "outputs".into()),
        ("called `add`", |p| p.programs[0].name = "add".into()),
        ("65 bytes of constants", |p| p.constants = vec![0; 65]),
        ("kernel 2 of 2", |p| p.programs[0].launches[0].kernel = 2),
        ("bytes of code", |p| p.kernels[0].entry = 38),
        ("region 4 of 4", |p| {
            p.programs[0].launches[0].args[0].region = 4
        }),
        ("do not fit", |p| {
            p.programs[0].launches[0].args[0].offset = 1 << 40
        }),
        ("tile of 0", |p| p.programs[0].launches[0].tiles[0].tile = 0),
        ("tiles overflows", |p| {
            let axis = TileAxis {
                extent: ExtentRef::Fixed(1 << 62),
                tile: 1,
            };
            p.programs[0].launches[0].tiles = vec![axis; 2];
        }),
        ("does not exist", |p| {
            p.programs[0].inputs = vec!["cats".into()]
        }),
        ("is f32, not bf16", |p| p.tensors[4].dtype = DType::Bf16),
        ("region `gradients` has 64", |p| p.regions[3].bytes = 64),
    ];
    for (expected, change) in changes {
        let mut package = package();
        change(&mut package);
        let error = Executor::new(Arc::new(package), 1).unwrap_err();
        assert!(
            matches!(&error, ExecutorError::Invalid(text) if text.contains(expected)),
            "{expected}: {error}"
        );
    }
}

#[test]
fn what_the_machine_lacks_is_refused() {
    let mut lacking = package();
    lacking.cpu_features.push("warp".into());
    let error = Executor::new(Arc::new(lacking), 1).unwrap_err();
    assert_eq!(error.code(), "MM1C0502");
    assert!(error.to_string().contains("warp"));

    for bytes in [1 << 50, u64::MAX] {
        let mut large = package();
        large.regions[0].bytes = bytes;
        let error = Executor::new(Arc::new(large), 1).unwrap_err();
        assert_eq!(error.code(), "MM1C0503");
        let mut large = package();
        large.kernels[0].scratch_bytes = bytes;
        let error = Executor::new(Arc::new(large), 2).unwrap_err();
        assert_eq!(error.code(), "MM1C0503");
    }
    let error = Executor::new(Arc::new(package()), 0).unwrap_err();
    assert_eq!(error.code(), "MM1C0504");
}

#[test]
fn a_launch_costs_microseconds() {
    let mut package = package();
    let launch = launch("n", 0, slot(0, 0), &[], ExtentRef::Fixed(1));
    package.programs[0].launches = vec![launch; 10_000];
    let mut executor = Executor::new(Arc::new(package), 2).unwrap();
    executor.run("index").unwrap();
    // The shortest of several: other load on the machine must not fail the test.
    let best = (0..20)
        .map(|_| {
            let begin = Instant::now();
            executor.run("index").unwrap();
            begin.elapsed()
        })
        .min()
        .unwrap();
    assert!(best.as_micros() < 10_000, "{best:?} for 10,000 launches");
}
