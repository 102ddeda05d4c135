//! Measured schedules: every way of every product computes the same, and the fastest is taken.

use std::collections::BTreeSet;

use mm1_compiler::build::Purpose;
use mm1_compiler::codegen::nvgpu::gemm::ways;
use mm1_compiler::compile::{Options, compile};
use mm1_compiler::kernel::Kernel;
use mm1_compiler::schedules::{Schedule, Schedules};
use mm1_compiler::tune::{Times, Tuning};
use mm1_package::{DType, Package};
use mm1_runtime::executor::Executor;
use mm1_tests::case::Case;
use mm1_tests::emulator::Emulator;
use mm1_tests::programs::{card, executor_on, run};

use super::hand::product;

fn on_emulator(case: &Case, package: Package) -> Executor {
    let device = Box::new(Emulator::new(mm1_ptx::Options::default()));
    executor_on(device, package, &case.fixture)
}

/// A step's program on the emulator: its outcome, and what its launches took there.
fn step(case: &Case, package: Package) -> (f64, Vec<f32>, Times) {
    let name = case.parameters().remove(0);
    let mut executor = on_emulator(case, package);
    let batch = case.fixture.batch("");
    run(&mut executor, "accumulate", &batch, batch.weight_sum(), 0.0);
    let loss = f64::from(executor.read_f32("loss").unwrap()[0]);
    let gradient = executor.read_gradient(&name).unwrap();
    let launches = executor.profile("accumulate", 1).unwrap();
    let times = launches
        .into_iter()
        .map(|it| (("accumulate".to_owned(), it.name), it.seconds))
        .collect();
    (loss, gradient, times)
}

#[test]
fn rounds_agree_and_the_fastest_ways_are_taken() {
    let case = Case::load("avg-pool", &["train.precision=\"bf16\""]);
    let options = card("sm_90a");
    let none = Schedules::default();
    let programs = ["accumulate"];
    let mut tuning = Tuning::new(&case.model, &options, &programs, 12, &none).unwrap();
    assert!(tuning.products.len() > 10 && tuning.rounds() > 3);
    let by_estimate = compile(&case.model, Purpose::All, &options).unwrap();
    let mut rounds = Vec::new();
    let mut packages = BTreeSet::new();
    while let Some(schedules) = tuning.next() {
        let options = Options {
            schedules,
            ..options.clone()
        };
        let package = compile(&case.model, Purpose::All, &options).unwrap();
        if rounds.is_empty() {
            assert_eq!(package, by_estimate, "the first round is the estimate's");
        }
        packages.insert(package.to_bytes());
        let (loss, gradient, times) = step(&case, package);
        tuning.record(&times);
        rounds.push((loss, gradient));
    }
    assert_eq!(packages.len(), tuning.rounds());
    let (loss, gradient) = &rounds[0];
    let scale = gradient.iter().map(|x| x.abs()).fold(0.0, f32::max);
    for (other, theirs) in &rounds[1..] {
        assert!((loss - other).abs() < 1e-3 * loss.abs(), "{loss}, {other}");
        let pairs = gradient.iter().zip(theirs);
        let off = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < 0.02 * scale, "{off} of {scale}");
    }
    // What was chosen takes no more time than any way that was measured, but for noise.
    let best = tuning.best();
    let mut gains = 0;
    for product in &tuning.products {
        assert_eq!(product.seconds.len(), product.ways.len());
        let way = product.best().unwrap();
        let least = product
            .seconds
            .iter()
            .copied()
            .fold(f64::INFINITY, f64::min);
        assert!(product.seconds[way] <= least / 0.98, "{}", product.name);
        assert_eq!(best.get(&product.hash), Some(&product.ways[way]));
        gains += usize::from(way > 0);
    }
    assert!(
        gains > 0,
        "instructions are no cycles: the estimate is not always best"
    );
    let chosen = Options {
        schedules: best.clone(),
        ..options.clone()
    };
    let package = compile(&case.model, Purpose::All, &chosen).unwrap();
    let before: f64 = tuning.products.iter().map(|it| it.seconds[0]).sum();
    let (.., times) = step(&case, package);
    let mut again = Tuning::new(&case.model, &options, &programs, 12, &none).unwrap();
    again.record(&times);
    let after: f64 = again.products.iter().map(|it| it.seconds[0]).sum();
    assert!(after < before, "{before} to {after}");
    // What is known is not measured again.
    let known = Tuning::new(&case.model, &options, &programs, 12, &best).unwrap();
    assert_eq!((known.products.len(), known.next()), (0, None));
    assert_eq!(known.best(), best);
}

#[test]
fn ways_are_the_estimates_own_first_and_all_different() {
    let [m, n, k] = [256u64, 256, 16384];
    let bf16 = |a: [i64; 2]| (DType::Bf16, a);
    let it = product([m, n, k], bf16([1, m as i64]), bf16([1, n as i64]));
    let all = ways(&it.kernel);
    assert!(all.len() > 10, "{}", all.len());
    assert!(
        all[0].parts > 1,
        "an idle card is better used: {:?}",
        all[0]
    );
    for (number, way) in all.iter().enumerate() {
        assert!(!all[..number].contains(way), "{way:?} twice");
        assert_eq!(way.parts == 1, way.multiplies == it.kernel.hash());
    }
    assert!(ways(&Kernel::new("no product")).is_empty());
}

#[test]
fn schedules_that_do_not_fit_are_as_if_there_were_none() {
    let case = Case::load("avg-pool", &["train.precision=\"bf16\""]);
    let options = card("sm_90a");
    let tuning = Tuning::new(
        &case.model,
        &options,
        &["accumulate"],
        12,
        &Schedules::default(),
    );
    let mut schedules = Schedules::default();
    let foreign = |kernel: &str| Schedule {
        parts: 1,
        multiplies: kernel.to_owned(),
        tile: [7, 9],
        blocks: 3,
    };
    schedules.insert("of another model".to_owned(), foreign("of another model"));
    for product in tuning.unwrap().products {
        if product.ways[0].parts == 1 {
            schedules.insert(product.hash.clone(), foreign(&product.hash));
        }
    }
    let package = |options: &Options| compile(&case.model, Purpose::All, options).unwrap();
    let plain = package(&options);
    assert_eq!(
        package(&Options {
            schedules,
            ..options
        }),
        plain
    );
}
