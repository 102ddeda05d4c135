//! `mm1c summary`: parameters, FLOPs, memory and kernels of a model, without compiling it.

use std::fmt::Write as _;

use mm1_compiler::build::Purpose;
use mm1_compiler::compile::plan_model;
use mm1_compiler::summary::{Component, Costs, Summary};
use mm1_dsl::model::Model;

use super::columns;
use crate::args::SummaryArgs;
use crate::compile::{load_model, refused};
use crate::failure::Failure;

/// Prints the costs.
///
/// # Errors
/// A model that is refused.
pub fn run(args: &SummaryArgs) -> Result<(), Failure> {
    let model = load_model(&args.model.model, &args.model.sets)?;
    let summary = of(&model)?;
    if args.json {
        outln!("{}", serde_json::to_string_pretty(&summary)?);
    } else {
        out!("{}", text(&summary));
    }
    Ok(())
}

/// The costs of a model.
///
/// # Errors
/// A model that the compiler refuses.
pub fn of(model: &Model) -> Result<Summary, Failure> {
    let planned = plan_model(model, Purpose::All, cfg!(debug_assertions))
        .map_err(|error| refused(model, error))?;
    Ok(Summary::of(model, &planned))
}

/// The costs for a person.
pub fn text(summary: &Summary) -> String {
    let mut text = String::new();
    let batch = &summary.batch;
    let _ = writeln!(
        text,
        "{}: {} sequences of {} tokens and at most {} images of {} tokens in a micro-batch, {} in a step",
        summary.model,
        batch.sequences,
        batch.length,
        batch.images,
        batch.image_tokens,
        batch.micro_batches
    );
    if batch.picture_images > 1 {
        let (images, marks) = (batch.picture_images, batch.picture_marks);
        let _ = writeln!(
            text,
            "a picture: at most {images} images and {marks} marks among them, {} tokens where a mark is one",
            images * batch.image_tokens + marks
        );
    }
    let head = [
        "part",
        "parameters",
        "trained",
        "GFLOP forward",
        "GFLOP training",
        "calls",
        "kernels",
    ];
    let mut rows = Vec::new();
    for component in &summary.components {
        add_rows(component, "", &mut rows);
    }
    rows.push(cells("total".to_owned(), &summary.total));
    text.push('\n');
    text += &columns(&head.map(String::from), &rows);
    text.push('\n');
    let _ = writeln!(
        text,
        "decoder without embedding: {} parameters",
        grouped(summary.decoder_without_embedding)
    );
    let flops = &summary.flops;
    let _ = writeln!(
        text,
        "training: {} GFLOP per step, {:.3} per sequence, {:.3} MFLOP per token; kernels do {}",
        giga(flops.training_step),
        flops.training_per_sequence / 1e9,
        flops.training_per_token / 1e6,
        giga(flops.executed * batch.micro_batches)
    );
    text.push('\n');
    let memory = &summary.memory;
    let rows = [
        ("parameters", memory.parameters),
        ("rounded", memory.rounded),
        ("gradients", memory.gradients),
        ("moments", memory.moments),
        ("constants", memory.constants),
        ("state", memory.state),
        ("inputs", memory.inputs),
        ("outputs", memory.outputs),
        ("arena", memory.arena),
        ("total", memory.total),
        ("largest live set", memory.largest_live),
    ]
    .map(|(name, bytes)| vec![name.to_owned(), mib(bytes)]);
    text += &columns(&["memory", "MiB"].map(String::from), &rows);
    text.push('\n');
    let head = ["program", "calls", "kernels", "GFLOP", "arena", "live"];
    let rows: Vec<Vec<String>> = summary
        .programs
        .iter()
        .map(|it| {
            vec![
                it.name.clone(),
                it.calls.to_string(),
                it.kernels.to_string(),
                giga(it.flops),
                mib(it.arena),
                mib(it.largest_live),
            ]
        })
        .collect();
    text += &columns(&head.map(String::from), &rows);
    text.push('\n');
    let _ = writeln!(
        text,
        "{} distinct kernels in {} calls",
        summary.kernels.len(),
        summary.kernels.iter().map(|it| it.calls).sum::<u64>()
    );
    text
}

/// A part and, indented, its parts.
fn add_rows(component: &Component, indent: &str, rows: &mut Vec<Vec<String>>) {
    rows.push(cells(
        format!("{indent}{}", component.name),
        &component.costs,
    ));
    for part in &component.parts {
        add_rows(part, &format!("{indent}  "), rows);
    }
}

fn cells(name: String, costs: &Costs) -> Vec<String> {
    vec![
        name,
        grouped(costs.parameters),
        grouped(costs.trained),
        giga(costs.forward_flops),
        giga(costs.training_flops),
        costs.calls.to_string(),
        costs.kernels.to_string(),
    ]
}

/// A number with its digits in threes.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// FLOPs in billions.
pub fn giga(flops: u64) -> String {
    format!("{:.3}", flops as f64 / 1e9)
}

/// Bytes in MiB.
pub fn mib(bytes: u64) -> String {
    format!("{:.2}", bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Backend;
    use crate::compile::{Request, options};
    use std::path::PathBuf;

    /// Parameters (encoder, connector, decoder without embedding, embedding and head) and forward
    /// FLOPs (encoder, connector, decoder, head) of the PyTorch program that the bench models
    /// mirror: `sum(p.numel() for p in part.parameters())`, and its formula for FLOPs, which is what
    /// torch.utils.flop_counter counts except that causal attention is halved.
    const PYTORCH: [(&str, [u64; 4], [u64; 4]); 5] = [
        (
            "tiny",
            [1_905_792, 49_408, 4_746_496, 4_194_304],
            [2_059_689_984, 12_582_912, 10_519_314_432, 4_294_967_296],
        ),
        (
            "tiny-cabstractor",
            [1_905_792, 699_168, 4_746_496, 4_194_304],
            [2_059_689_984, 320_880_640, 10_519_314_432, 4_294_967_296],
        ),
        (
            "9m",
            [10_973_184, 147_840, 10_621_824, 6_291_456],
            [24_725_458_944, 75_497_472, 24_159_191_040, 6_442_450_944],
        ),
        (
            "9m-cabstractor",
            [10_973_184, 2_643_264, 10_621_824, 6_291_456],
            [24_725_458_944, 2_446_000_128, 24_159_191_040, 6_442_450_944],
        ),
        (
            "85m",
            [85_707_264, 590_592, 84_953_856, 49_152_000],
            [92_644_909_056, 150_994_944, 91_804_925_952, 25_165_824_000],
        ),
    ];

    fn bench(name: &str) -> Summary {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../models/bench")
            .join(format!("{name}.toml"));
        of(&load_model(&path, &[]).expect("a correct file")).expect("a model that compiles")
    }

    fn part<'a>(list: &'a [Component], name: &str) -> &'a Costs {
        let found = list.iter().find(|it| it.name == name);
        &found.expect("a part of every bench model").costs
    }

    #[test]
    fn parameters_and_flops_are_those_of_pytorch() {
        for (name, parameters, flops) in PYTORCH {
            let summary = bench(name);
            let of = |name| part(&summary.components, name);
            let decoder = &summary
                .components
                .iter()
                .find(|it| it.name == "decoder")
                .expect("every model has a decoder")
                .parts;
            let counted = [
                of("encoder").parameters,
                of("connector").parameters,
                summary.decoder_without_embedding,
                part(decoder, "decoder.embedding").parameters + of("head").parameters,
            ];
            assert_eq!(counted, parameters, "{name}");
            assert_eq!(summary.total.parameters, parameters.iter().sum::<u64>());
            assert_eq!(summary.total.trained, summary.total.parameters);
            let mut counted =
                ["encoder", "connector", "decoder", "head"].map(|it| of(it).forward_flops);
            counted[1] -= pooling(&summary);
            assert_eq!(counted, flops, "{name}");
        }
    }

    /// The contraction with the table of the connector's pooling, which PyTorch's program does not
    /// count: from a grid of points to the image's tokens.
    fn pooling(summary: &Summary) -> u64 {
        let (points, width) = match summary.model.as_str() {
            "bench/tiny" | "bench/tiny-cabstractor" => (64, 192),
            "bench/85m" => (256, 768),
            _ => (256, 384),
        };
        2 * summary.batch.images * summary.batch.image_tokens * points * width
    }

    #[test]
    fn a_training_step_is_three_forwards_without_the_pixels_derivative() {
        let summary = bench("tiny");
        let patches = 8 * 64;
        let pixels = 2 * patches * (14 * 14 * 3) * 192;
        assert_eq!(
            summary.flops.training,
            3 * summary.flops.forward - pixels - pooling(&summary)
        );
        assert_eq!(summary.flops.training_step, summary.flops.training);
        assert!(summary.flops.executed >= summary.flops.training);
    }

    #[test]
    fn parts_add_up() {
        let summary = bench("tiny");
        let sum =
            |list: &[Component], of: fn(&Costs) -> u64| list.iter().map(|it| of(&it.costs)).sum();
        let parts = &summary.components;
        let total = &summary.total;
        let costs: [fn(&Costs) -> u64; 5] = [
            |it| it.parameters,
            |it| it.trained,
            |it| it.forward_flops,
            |it| it.training_flops,
            |it| it.calls,
        ];
        for of in costs {
            let whole: u64 = sum(parts, of);
            assert_eq!(whole, of(total));
        }
        let memory = &summary.memory;
        assert!(memory.largest_live <= memory.arena && memory.arena < memory.total);
    }

    #[test]
    fn memory_is_that_of_the_package() {
        let path =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../models/tiny/c-abstractor.toml");
        let model = load_model(&path, &[]).expect("a correct file");
        let request = Request {
            backend: Some(Backend::Cranelift),
            target: Some("cpu:x86-64-v3".to_owned()),
            ..Request::default()
        };
        // Not through the cache of packages, which belongs to the user.
        let options = options(&request).expect("a known target");
        let package = mm1_compiler::compile::compile(&model, Purpose::All, &options)
            .expect("a model that compiles");
        let bytes = |name| {
            let region = package.regions.iter().find(|it| it.name == name);
            region.expect("every package has it").bytes
        };
        let summary = of(&model).expect("a model that compiles");
        let memory = summary.memory;
        assert_eq!(memory.parameters, bytes("parameters"));
        assert_eq!(memory.gradients, bytes("gradients"));
        assert_eq!(memory.moments, bytes("moment1") + bytes("moment2"));
        assert_eq!(memory.constants, bytes("constants"));
        assert_eq!(memory.state, bytes("state"));
        assert_eq!(memory.inputs, bytes("inputs"));
        assert_eq!(memory.outputs, bytes("outputs"));
        assert_eq!(memory.arena, bytes("arena"));
        assert_eq!(
            memory.total,
            package.regions.iter().map(|it| it.bytes).sum::<u64>()
        );
        assert_eq!(summary.kernels.len(), package.kernels.len());
        assert_eq!(summary.flops.executed, package.model.flops);
    }

    /// AdamW keeps two numbers for each parameter, Adafactor one for each row and column, and with
    /// momentum one more for each parameter.
    #[test]
    fn adafactor_keeps_a_small_share_of_what_adamw_keeps() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../models/bench/9m.toml");
        let moments = |sets: &[&str]| {
            let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
            let model = load_model(&path, &sets).expect("a correct file");
            let memory = of(&model).expect("a model that compiles").memory;
            (memory.moments, memory.parameters)
        };
        let (adamw, parameters) = moments(&[]);
        assert_eq!(adamw, 2 * parameters);
        let keys = ["train.optimizer=adafactor", "train.scale_parameter=false"];
        let (adafactor, _) = moments(&keys);
        assert!(
            adafactor > 0 && adafactor * 200 < adamw,
            "{adafactor} bytes against {adamw}"
        );
        let (with_momentum, _) = moments(&[keys[0], keys[1], "train.momentum=0.9"]);
        let more = with_momentum - adafactor;
        assert!(
            more.abs_diff(parameters) * 1000 < parameters,
            "{more} bytes more"
        );
    }

    #[test]
    fn digits_stand_in_threes() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(10_896_000), "10 896 000");
    }
}
