//! Writes the Hopper contractions that `scripts/gpu-gemm` times: MLIR text of each kernel and
//! one description of all.
//!
//! `gemm_bundle FOLDER`; `scripts/gpu-gemm-bundle` makes PTX of the text.

use std::fmt::Write as _;
use std::path::Path;

use mm1_compiler::codegen::nvgpu::gemm::{Facts, MapDim, Schedule, plan, schedule};
use mm1_compiler::graph::Unary;
use mm1_compiler::kernel::{
    Address, AxisId, AxisSize, BufferId, Coordinate, Expr, ExprId, Kernel, StageKind, Store,
};
use mm1_package::DType;

/// How the operands of C[m, n] lie in memory, and what else is computed.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// x[m, k]·w[n, k], both bf16: a forward product.
    Forward,
    /// As `Forward` with w in f32, rounded where it is read.
    ForwardF32,
    /// dy[m, k]·w[k, n]: a product for the derivative of the input.
    Input,
    /// As `Input` with w in f32.
    InputF32,
    /// dy[k, m]·x[k, n] added to f32: the derivative of a weight.
    Weight,
    /// `Forward`, bias, rounding, GELU, rounding.
    Gelu,
}

const FORMS: [(Form, &str); 6] = [
    (Form::Forward, "forward"),
    (Form::ForwardF32, "forward_f32"),
    (Form::Input, "input"),
    (Form::InputF32, "input_f32"),
    (Form::Weight, "weight"),
    (Form::Gelu, "gelu"),
];

/// m, n, k.
const SHAPES: [[u64; 3]; 6] = [
    [4096, 4096, 4096],
    [2048, 8192, 1024],
    [2048, 2816, 1024],
    [2048, 1024, 2816],
    [2048, 1024, 1024],
    [1000, 1032, 520],
];

fn load(kernel: &mut Kernel, buffer: BufferId, terms: &[(AxisId, i64)]) -> ExprId {
    let address = address(terms);
    kernel.expr(Expr::Load {
        buffer,
        address,
        guards: Vec::new(),
    })
}

fn address(terms: &[(AxisId, i64)]) -> Address {
    let terms = terms.iter();
    Address {
        offset: 0,
        terms: terms
            .map(|(axis, stride)| (Coordinate::Axis(*axis), *stride))
            .collect(),
    }
}

fn build(form: Form, [m, n, k]: [u64; 3]) -> Kernel {
    let mut kernel = Kernel::new("matmul");
    let [rows, columns] = [m, n].map(|size| kernel.axis(AxisSize::Fixed(size), true));
    let folded = kernel.axis(AxisSize::Fixed(k), false);
    let [m, n, k] = [m, n, k].map(|size| size as i64);
    let a = kernel.buffer(DType::Bf16, false);
    let f32_factor = matches!(form, Form::ForwardF32 | Form::InputF32);
    let b = kernel.buffer(if f32_factor { DType::F32 } else { DType::Bf16 }, false);
    let lhs = match form {
        Form::Weight => load(&mut kernel, a, &[(rows, 1), (folded, m)]),
        _ => load(&mut kernel, a, &[(rows, k), (folded, 1)]),
    };
    let mut rhs = match form {
        Form::Forward | Form::ForwardF32 | Form::Gelu => {
            load(&mut kernel, b, &[(columns, k), (folded, 1)])
        }
        Form::Input | Form::InputF32 | Form::Weight => {
            load(&mut kernel, b, &[(columns, 1), (folded, n)])
        }
    };
    if f32_factor {
        rhs = kernel.expr(Expr::Round(rhs));
    }
    let stage = kernel.stage(
        &[rows, folded, columns],
        &[folded],
        StageKind::Contract {
            lhs,
            rhs,
            operands: DType::Bf16,
            window: None,
        },
    );
    let mut value = kernel.expr(Expr::Tile { stage, result: 0 });
    if form == Form::Gelu {
        let bias = kernel.buffer(DType::F32, false);
        let bias = load(&mut kernel, bias, &[(columns, 1)]);
        value = kernel.expr(Expr::Binary(mm1_compiler::graph::Binary::Add, value, bias));
        value = kernel.expr(Expr::Round(value));
        value = kernel.expr(Expr::Unary(Unary::Gelu, value));
    }
    let result = if form == Form::Weight {
        let result = kernel.buffer(DType::F32, true);
        let before = load(&mut kernel, result, &[(rows, n), (columns, 1)]);
        value = kernel.expr(Expr::Binary(
            mm1_compiler::graph::Binary::Add,
            before,
            value,
        ));
        result
    } else {
        value = kernel.expr(Expr::Round(value));
        kernel.buffer(DType::Bf16, true)
    };
    kernel.stage(
        &[rows, columns],
        &[],
        StageKind::Map {
            stores: vec![Store {
                buffer: result,
                address: address(&[(rows, n), (columns, 1)]),
                value,
            }],
        },
    );
    kernel
}

fn describe(
    name: &str,
    form: &str,
    [m, n, k]: [u64; 3],
    kernel: &Kernel,
    schedule: &Schedule,
) -> String {
    let launch = &schedule.launch;
    let sizes: Vec<u64> = schedule
        .tiles
        .iter()
        .map(|(axis, tile)| match kernel.axis_of(*axis).size {
            AxisSize::Fixed(size) => size.div_ceil(*tile),
            AxisSize::Runtime(_) => 0,
        })
        .collect();
    let maps: Vec<String> = launch
        .tensor_maps
        .iter()
        .map(|map| {
            let dims: Vec<u64> = map
                .dims
                .iter()
                .map(|dim| match dim {
                    MapDim::Fixed(size) => *size,
                    MapDim::Extent(_) => 0,
                })
                .collect();
            format!(
                "{{\"arg\": {}, \"offset\": {}, \"dims\": {dims:?}, \"strides\": {:?}, \"box\": {:?}, \
                 \"swizzle\": {}}}",
                map.arg, map.offset, map.strides, map.box_dims, map.swizzle
            )
        })
        .collect();
    let buffers: Vec<String> = kernel
        .buffers
        .iter()
        .map(|buffer| format!("\"{}\"", buffer.dtype))
        .collect();
    format!(
        "{{\"name\": \"{name}\", \"form\": \"{form}\", \"m\": {m}, \"n\": {n}, \"k\": {k}, \
         \"entry\": \"k{}\", \"buffers\": [{}], \"threads\": {}, \"shared_bytes\": {}, \
         \"tiles\": {}, \"blocks_per_sm\": {}, \"maps\": [{}], \"summary\": \"{}\"}}",
        kernel.hash(),
        buffers.join(", "),
        launch.threads,
        launch.shared_bytes,
        sizes.iter().product::<u64>(),
        launch.blocks_per_sm.unwrap_or(0),
        maps.join(", "),
        schedule.summary
    )
}

fn main() -> Result<(), String> {
    let folder = std::env::args().nth(1).ok_or("usage: gemm_bundle FOLDER")?;
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let mut descriptions = Vec::new();
    let mut cases = Vec::new();
    for shape in SHAPES {
        cases.extend(FORMS.map(|(form, name)| (shape, form, name, None)));
    }
    // What the choice of the shape is worth.
    for shape in [SHAPES[0], SHAPES[2], SHAPES[4]] {
        for (form, name) in [FORMS[0], FORMS[1], FORMS[4]] {
            for blocks in plan::SHAPES {
                cases.push((shape, form, name, Some(blocks)));
            }
        }
    }
    for (shape, form, form_name, blocks) in cases {
        let kernel = build(form, shape);
        let facts = Facts {
            shape: blocks,
            ..Facts::of(&kernel)
        };
        let schedule = match (schedule(&kernel, &facts), blocks) {
            (Ok(schedule), _) => schedule,
            // Not every shape takes every operand.
            (Err(_), Some(_)) => continue,
            (Err(refusal), None) => return Err(refusal),
        };
        let mut name = String::from(form_name);
        for size in shape {
            let _ = write!(name, "_{size}");
        }
        if let Some(blocks) = blocks {
            let [rows, columns] = blocks.tile;
            let _ = write!(name, "_{rows}x{columns}x{}", blocks.blocks);
        }
        std::fs::write(folder.join(format!("{name}.mlir")), &schedule.text)
            .map_err(|error| error.to_string())?;
        descriptions.push(describe(&name, form_name, shape, &kernel, &schedule));
        println!("{name}: {}", schedule.summary);
    }
    let text = format!("[\n{}\n]\n", descriptions.join(",\n"));
    std::fs::write(folder.join("kernels.json"), text).map_err(|error| error.to_string())
}
