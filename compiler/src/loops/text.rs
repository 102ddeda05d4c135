//! Loop program to text, for people.

use std::fmt::Write;

use super::{Function, Operation, Stmt, Type, ValueId};

/// The text of a function: one statement per line, bodies indented.
pub fn print(function: &Function) -> String {
    let mut text = format!(
        "function {} scratch {} bytes\n",
        function.name, function.scratch_bytes
    );
    block(function, &function.body, 1, &mut text);
    text
}

fn block(function: &Function, body: &[Stmt], depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    for statement in body {
        match statement {
            Stmt::Let(value, operation) => {
                let ty = type_text(function.ty(*value));
                let _ = writeln!(
                    text,
                    "{indent}%{}: {ty} = {}",
                    value.0,
                    operation_text(operation)
                );
            }
            Stmt::Store {
                ptr,
                offset,
                value,
                dtype,
            } => {
                let _ = writeln!(
                    text,
                    "{indent}store {dtype} %{} at %{}+{offset}",
                    value.0, ptr.0
                );
            }
            Stmt::TileStore {
                ptr,
                offset,
                row,
                value,
            } => {
                let _ = writeln!(
                    text,
                    "{indent}store tile %{} at %{}+{offset} rows {row}",
                    value.0, ptr.0
                );
            }
            Stmt::For {
                variable,
                low,
                high,
                step,
                carried,
                body,
            } => {
                let _ = write!(
                    text,
                    "{indent}for %{} in %{}..%{} step {step}",
                    variable.0, low.0, high.0
                );
                for it in carried {
                    let _ = write!(text, ", %{} = %{}", it.inside.0, it.init.0);
                }
                text.push_str(" {\n");
                block(function, body, depth + 1, text);
                let _ = write!(text, "{indent}}}");
                for it in carried {
                    let _ = write!(text, " %{} = %{}", it.result.0, it.next.0);
                }
                text.push('\n');
            }
            Stmt::TeamSync => {
                let _ = writeln!(text, "{indent}team_sync");
            }
            Stmt::If { condition, body } => {
                let _ = writeln!(text, "{indent}if %{} {{", condition.0);
                block(function, body, depth + 1, text);
                let _ = writeln!(text, "{indent}}}");
            }
        }
    }
}

fn type_text(ty: Type) -> String {
    let lanes = |name: &str, lanes: u32| match lanes {
        1 => name.to_owned(),
        lanes => format!("{name}x{lanes}"),
    };
    match ty {
        Type::Index => "index".to_owned(),
        Type::Ptr => "ptr".to_owned(),
        Type::F32(n) => lanes("f32", n),
        Type::I32(n) => lanes("i32", n),
        Type::Mask(n) => lanes("mask", n),
        Type::Tile => "tile".to_owned(),
    }
}

fn operation_text(operation: &Operation) -> String {
    let call = |name: &str, operands: &[&ValueId]| {
        let operands: Vec<String> = operands.iter().map(|it| format!("%{}", it.0)).collect();
        format!("{name} {}", operands.join(" "))
    };
    let lower = |name: &dyn std::fmt::Debug| format!("{name:?}").to_lowercase();
    match operation {
        Operation::Index(value) => value.to_string(),
        Operation::Float(value, _) => format!("{value:?}"),
        Operation::Int(value, _) => value.to_string(),
        Operation::Argument(number) => format!("argument {number}"),
        Operation::Extent(number) => format!("extent {number}"),
        Operation::Scratch => "scratch".to_owned(),
        Operation::TileBegin => "tile_begin".to_owned(),
        Operation::TileEnd => "tile_end".to_owned(),
        Operation::IndexOp(op, a, b) => call(&lower(op), &[a, b]),
        Operation::Offset(ptr, bytes) => call("offset", &[ptr, bytes]),
        Operation::Load {
            ptr, offset, dtype, ..
        } => format!("load {dtype} at %{}+{offset}", ptr.0),
        Operation::LoadIndex { ptr, offset } => format!("load index at %{}+{offset}", ptr.0),
        Operation::Splat(x, _) => call("splat", &[x]),
        Operation::Ramp(x, _) => call("ramp", &[x]),
        Operation::FloatUnary(op, x) => call(&lower(op), &[x]),
        Operation::FloatBinary(op, a, b) => call(&lower(op), &[a, b]),
        Operation::Fma(a, b, c) => call("fma", &[a, b, c]),
        Operation::IntBinary(op, a, b) => call(&lower(op), &[a, b]),
        Operation::Bitcast(x) => call("bitcast", &[x]),
        Operation::FloatToInt(x) => call("float_to_int", &[x]),
        Operation::IntToFloat(x) => call("int_to_float", &[x]),
        Operation::Compare(op, a, b) => call(&lower(op), &[a, b]),
        Operation::MaskAnd(a, b) => call("and", &[a, b]),
        Operation::Select(mask, a, b) => call("select", &[mask, a, b]),
        Operation::SumLanes(x) => call("sum_lanes", &[x]),
        Operation::MaxLanes(x) => call("max_lanes", &[x]),
        Operation::RoundBf16(x) => call("round_bf16", &[x]),
        Operation::DotPairs(acc, a, b) => call("dot_pairs", &[acc, a, b]),
        Operation::Shuffle(a, b, lanes) => format!("{} {lanes:?}", call("shuffle", &[a, b])),
        Operation::TileZero => "zero".to_owned(),
        Operation::TileLoad { ptr, offset, row } => {
            format!("load tile at %{}+{offset} rows {row}", ptr.0)
        }
        Operation::TileDot(acc, a, b) => call("tile_dot", &[acc, a, b]),
        Operation::Member => "member".to_owned(),
        Operation::TeamSum(x) => call("team_sum", &[x]),
        Operation::TeamMax(x) => call("team_max", &[x]),
    }
}
