//! Eight sequences of unequal length at once, as two micro-batches of four and as eight of one:
//! the same loss and gradients, and PyTorch's.

use mm1_compiler::build::Purpose;
use mm1_compiler::codegen::Backend;
use mm1_runtime::data::Batch;
use mm1_runtime::train::Optimizer;
use mm1_tests::case::Case;
use mm1_tests::compare::{Tensors, errors, within};
use mm1_tests::fixture::Fixture;
use mm1_tests::programs::{executor, package};

use crate::per_backend;
use crate::training::optimizer;

const TOLERANCE: f64 = 1e-5;

per_backend! {
    micro_batches_add_up_to_the_batch => micro_batches_add_up,
    a_changed_definition_is_seen => a_changed_definition_is_seen,
}

/// Sequences `first .. first + count` of a batch as a batch of their own.
fn part(whole: &Batch, images: &[i32], tokens: usize, first: usize, count: usize) -> Batch {
    let length = whole.tokens.len() / images.len();
    let range = first * length..(first + count) * length;
    let pixels = whole.images.len() / whole.image_count;
    let before: usize = images[..first].iter().map(|n| *n as usize).sum();
    let own: usize = images[first..first + count]
        .iter()
        .map(|n| *n as usize)
        .sum();
    let rows: Vec<usize> = (0..whole.loss_rows.len())
        .filter(|at| range.contains(&(whole.loss_rows[*at] as usize)))
        .collect();
    let image_row = |row: &i32| match *row {
        -1 => -1,
        row => row - (before * tokens) as i32,
    };
    Batch {
        tokens: whole.tokens[range.clone()].to_vec(),
        image_rows: whole.image_rows[range.clone()]
            .iter()
            .map(image_row)
            .collect(),
        positions: whole.positions[range.clone()].to_vec(),
        segment_begin: whole.segment_begin[range.clone()].to_vec(),
        images: whole.images[before * pixels..(before + own) * pixels].to_vec(),
        image_count: own,
        loss_rows: rows
            .iter()
            .map(|at| whole.loss_rows[*at] - range.start as i32)
            .collect(),
        loss_targets: rows.iter().map(|at| whole.loss_targets[*at]).collect(),
        loss_weights: rows.iter().map(|at| whole.loss_weights[*at]).collect(),
        ..Batch::default()
    }
}

/// Loss and gradients of the batch of eight in micro-batches of `size`.
fn results(size: usize, sets: &[&str], backend: Backend) -> Tensors {
    let micro = format!("train.micro_batch_sequences={size}");
    let mut all = vec![
        "train.global_batch_sequences=8",
        "train.micro_batch_images=8",
        &micro,
    ];
    all.extend(sets);
    let case = Case::load("avg-pool", &all);
    let reference = Fixture::load("accumulated");
    let mut executor = executor(
        package(&case.model, Purpose::All, backend),
        &case.fixture,
        1,
    );
    let whole = reference.batch("");
    let images = reference.i32("images_per_sequence");
    let tokens = executor.package().model.image_tokens as usize;
    let parts: Vec<Batch> = (0..8)
        .step_by(size)
        .map(|first| part(&whole, &images, tokens, first, size))
        .collect();
    if size == 8 {
        assert_eq!(parts[0], whole);
    }
    let optimizer = Optimizer {
        clip_norm: 0.0,
        ..optimizer(&case.model)
    };
    let outcome = optimizer.step(&mut executor, 1, 1, &parts).unwrap();
    let mut results = Tensors::from([("loss".to_owned(), vec![outcome.loss])]);
    for name in case.parameters() {
        let gradient = executor.read_gradient(&name).unwrap();
        let gradient = gradient.into_iter().map(f64::from).collect();
        results.insert(format!("d({name})"), gradient);
    }
    results
}

/// PyTorch's.
fn wanted() -> Tensors {
    let reference = Fixture::load("accumulated");
    let gradients = reference.under("gradients").into_iter();
    let mut wanted: Tensors = gradients
        .map(|(name, b)| (format!("d({name})"), b.data.clone()))
        .collect();
    wanted.insert("loss".to_owned(), reference.get("loss").data.clone());
    wanted
}

fn micro_batches_add_up(backend: Backend) {
    let whole = results(8, &[], backend);
    let worst = within(&whole, &wanted(), TOLERANCE).unwrap_or_else(|error| panic!("{error}"));
    println!("8 × 1: {worst:.1e} from float64");
    for size in [4, 1] {
        let found = results(size, &[], backend);
        for (what, reference) in [("float64", &wanted()), ("the batch at once", &whole)] {
            let worst = within(&found, reference, TOLERANCE)
                .unwrap_or_else(|error| panic!("micro-batches of {size}, {what}: {error}"));
            println!("micro-batches of {size}: {worst:.1e} from {what}");
        }
    }
}

fn a_changed_definition_is_seen(backend: Backend) {
    for change in [
        "decoder.norm_epsilon=1e-6",
        "encoder.activation=\"gelu-tanh\"",
    ] {
        let (tensor, error) = errors(&results(4, &[change], backend), &wanted()).swap_remove(0);
        println!("{change} moves {tensor} by {error:.1e}");
        assert!(error > 10.0 * TOLERANCE, "{change} would pass");
    }
}
