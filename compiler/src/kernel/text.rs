<<<<<<< HEAD
//! Kernel to text, for people: axes, buffers, then each stage with its expressions written out.

use std::fmt::Write;

use super::{
    Address, AxisId, AxisSize, Coordinate, Expr, ExprId, Guard, Kernel, Monoid, StageKind, Window,
};

/// The text of a kernel. Shared expressions are named `eN` and written once, before the stages.
pub fn print(kernel: &Kernel) -> String {
    let mut text = format!("kernel {} {}\n", kernel.hash(), kernel.name);
    for (index, axis) in kernel.axes.iter().enumerate() {
        let size = match axis.size {
            AxisSize::Fixed(size) => size.to_string(),
            AxisSize::Runtime(slot) => format!("extent {slot}"),
        };
        let parallel = if axis.parallel { ", parallel" } else { "" };
        let _ = writeln!(text, "  axis a{index}: {size}{parallel}");
    }
    for (index, buffer) in kernel.buffers.iter().enumerate() {
        let written = if buffer.written { ", written" } else { "" };
        let _ = writeln!(text, "  buffer b{index}: {}{written}", buffer.dtype);
    }
    for (index, expr) in kernel.exprs.iter().enumerate() {
        let _ = writeln!(text, "  e{index} = {}", expression(expr));
    }
    for (index, stage) in kernel.stages.iter().enumerate() {
        let over = axes(&stage.domain);
        let folded = match stage.reduced.is_empty() {
            true => String::new(),
            false => format!(", folding {}", axes(&stage.reduced)),
        };
        let _ = writeln!(text, "  stage s{index} over {over}{folded}");
        for line in stage_lines(&stage.kind) {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}

fn stage_lines(kind: &StageKind) -> Vec<String> {
    match kind {
        StageKind::Map { stores } => stores
            .iter()
            .map(|it| {
                let element = element(&it.address);
                format!("b{}[{element}] = e{}", it.buffer.0, it.value.0)
            })
            .collect(),
        StageKind::Reduce { monoid, value } => {
            let name = match monoid {
                Monoid::Sum => "sum",
                Monoid::Max => "max",
            };
            vec![format!("{name} e{}", value.0)]
        }
        StageKind::Contract {
            lhs,
            rhs,
            operands,
            window,
        } => vec![format!(
            "sum e{}·e{} in {operands}{}",
            lhs.0,
            rhs.0,
            window_text(window)
        )],
        StageKind::SoftmaxContract {
            score,
            value,
            operands,
            window,
        } => vec![format!(
            "softmax e{} · e{} in {operands}{}",
            score.0,
            value.0,
            window_text(window)
        )],
        StageKind::Scatter {
            buffer,
            address,
            value,
        } => vec![format!(
            "b{}[{}] += e{}",
            buffer.0,
            element(address),
            value.0
        )],
    }
}

fn window_text(window: &Option<Window>) -> String {
    let Some(window) = window else {
        return String::new();
    };
    let mut text = format!(", a{} sees a{}", window.query.0, window.key.0);
    if window.causal {
        text.push_str(" up to itself");
    }
    let mut bound = |word: &str, value: Option<ExprId>| {
        if let Some(value) = value {
            let _ = write!(text, " {word} e{}", value.0);
        }
    };
    bound("from", window.begin);
    bound("before", window.end);
    text
=======
//! Kernels as text: axes `a`, buffers `b`, expressions `e`, stages `s`, by number.

use std::fmt::{self, Display, Formatter};

use super::{Address, AxisId, AxisSize, Coordinate, Expr, Guard, Kernel, StageKind, Window};

impl Display for Kernel {
    /// One line per axis, buffer, expression and stage, after a head with name and hash.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "kernel {} {}", self.hash(), self.name)?;
        for (index, axis) in self.axes.iter().enumerate() {
            let parallel = if axis.parallel { ", parallel" } else { "" };
            match axis.size {
                AxisSize::Fixed(size) => writeln!(f, "  a{index} < {size}{parallel}")?,
                AxisSize::Runtime(slot) => writeln!(f, "  a{index} < extent {slot}{parallel}")?,
            }
        }
        for (index, buffer) in self.buffers.iter().enumerate() {
            let written = if buffer.written { ", written" } else { "" };
            writeln!(f, "  b{index}: {}{written}", buffer.dtype)?;
        }
        for (index, expr) in self.exprs.iter().enumerate() {
            writeln!(f, "  e{index} = {}", expression(expr))?;
        }
        for (index, stage) in self.stages.iter().enumerate() {
            let reduced = if stage.reduced.is_empty() {
                String::new()
            } else {
                format!(" over {}", axes(&stage.reduced))
            };
            let domain = axes(&stage.domain);
            writeln!(f, "  s{index}[{domain}]{reduced} = {}", what(&stage.kind))?;
        }
        Ok(())
    }
}

fn axes(axes: &[AxisId]) -> String {
    let names: Vec<String> = axes.iter().map(|axis| format!("a{}", axis.0)).collect();
    names.join(", ")
>>>>>>> main
}

fn expression(expr: &Expr) -> String {
    match expr {
        Expr::Const(bits) => format!("{:?}", f32::from_bits(*bits)),
<<<<<<< HEAD
        Expr::Index(axis) => format!("a{}", axis.0),
=======
        Expr::Index(axis) => format!("index a{}", axis.0),
>>>>>>> main
        Expr::Load {
            buffer,
            address,
            guards,
        } => {
            let guards: Vec<String> = guards.iter().map(guard).collect();
<<<<<<< HEAD
            let guards = match guards.is_empty() {
                true => String::new(),
                false => format!(" if {}", guards.join(" and ")),
            };
            format!("b{}[{}]{guards}", buffer.0, element(address))
        }
        Expr::Tile { stage, result } => format!("s{}.{result}", stage.0),
        Expr::Unary(f, x) => format!("{} e{}", format!("{f:?}").to_lowercase(), x.0),
        Expr::Binary(f, a, b) => {
            format!("{} e{} e{}", format!("{f:?}").to_lowercase(), a.0, b.0)
        }
        Expr::Round(x) => format!("bf16 e{}", x.0),
=======
            let guards = if guards.is_empty() {
                String::new()
            } else {
                format!(" if {}", guards.join(" and "))
            };
            format!("b{}[{}]{guards}", buffer.0, place(address))
        }
        Expr::Tile { stage, result } => format!("s{}.{result}", stage.0),
        Expr::Unary(function, x) => format!("{function:?}(e{})", x.0),
        Expr::Binary(function, a, b) => format!("{function:?}(e{}, e{})", a.0, b.0),
        Expr::Round(x) => format!("bf16(e{})", x.0),
>>>>>>> main
        Expr::SelectEqual {
            a,
            b,
            then,
            otherwise,
<<<<<<< HEAD
        } => format!("e{} if e{} = e{} else e{}", then.0, a.0, b.0, otherwise.0),
    }
}

fn guard(guard: &Guard) -> String {
    let terms = guard
        .terms
        .iter()
        .map(|(axis, factor)| (format!("a{}", axis.0), *factor));
    format!("0 ≤ {} < {}", sum(terms, guard.offset), guard.bound)
}

fn element(address: &Address) -> String {
    let terms = address.terms.iter().map(|(coordinate, stride)| {
        let name = match coordinate {
            Coordinate::Axis(axis) => format!("a{}", axis.0),
            Coordinate::Row(row) => format!("row e{}", row.0),
        };
        (name, *stride)
    });
    sum(terms, address.offset)
}

fn sum(terms: impl Iterator<Item = (String, i64)>, offset: i64) -> String {
    let mut parts: Vec<String> = terms
        .map(|(name, factor)| match factor {
            1 => name,
            factor => format!("{name}·{factor}"),
=======
        } => format!("e{} == e{} ? e{} : e{}", a.0, b.0, then.0, otherwise.0),
    }
}

/// `offset + name*factor + …`, without zeros and ones.
fn sum(offset: i64, terms: impl Iterator<Item = (String, i64)>) -> String {
    let mut parts: Vec<String> = terms
        .map(|(name, factor)| match factor {
            1 => name,
            factor => format!("{name}*{factor}"),
>>>>>>> main
        })
        .collect();
    if offset != 0 || parts.is_empty() {
        parts.push(offset.to_string());
    }
    parts.join(" + ")
}

<<<<<<< HEAD
fn axes(list: &[AxisId]) -> String {
    let names: Vec<String> = list.iter().map(|axis| format!("a{}", axis.0)).collect();
    format!("[{}]", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{BufferId, Store};
    use mm1_package::DType;

    #[test]
    fn a_row_sum_reads_as_one() {
        let mut kernel = Kernel::new("row_sum");
        let rows = kernel.axis(AxisSize::Runtime(0), true);
        let columns = kernel.axis(AxisSize::Fixed(8), false);
        let x = kernel.buffer(DType::F32, false);
        let y = kernel.buffer(DType::F32, true);
        let load = |buffer: BufferId, terms| Expr::Load {
            buffer,
            address: Address { offset: 0, terms },
            guards: Vec::new(),
        };
        let terms = vec![(Coordinate::Axis(rows), 8), (Coordinate::Axis(columns), 1)];
        let value = kernel.expr(load(x, terms));
        let monoid = Monoid::Sum;
        let stage = kernel.stage(
            &[rows, columns],
            &[columns],
            StageKind::Reduce { monoid, value },
        );
        let total = kernel.expr(Expr::Tile { stage, result: 0 });
        let address = Address {
            offset: 3,
            terms: vec![(Coordinate::Axis(rows), 1)],
        };
        let stores = vec![Store {
            buffer: y,
            address,
            value: total,
        }];
        kernel.stage(&[rows], &[], StageKind::Map { stores });
        let text = print(&kernel);
        let lines: Vec<&str> = text.lines().skip(1).map(str::trim).collect();
        assert_eq!(
            lines,
            [
                "axis a0: extent 0, parallel",
                "axis a1: 8",
                "buffer b0: f32",
                "buffer b1: f32, written",
                "e0 = b0[a0·8 + a1]",
                "e1 = s0.0",
                "stage s0 over [a0, a1], folding [a1]",
                "sum e0",
                "stage s1 over [a0]",
                "b1[a0 + 3] = e1",
            ]
        );
=======
fn place(address: &Address) -> String {
    let terms = address.terms.iter().map(|(coordinate, stride)| {
        let name = match coordinate {
            Coordinate::Axis(axis) => format!("a{}", axis.0),
            Coordinate::Row(row) => format!("row e{}", row.0),
        };
        (name, *stride)
    });
    sum(address.offset, terms)
}

fn guard(guard: &Guard) -> String {
    let terms = guard.terms.iter();
    let terms = terms.map(|(axis, factor)| (format!("a{}", axis.0), *factor));
    format!("0 <= {} < {}", sum(guard.offset, terms), guard.bound)
}

fn visible(window: Option<&Window>) -> String {
    let Some(window) = window else {
        return String::new();
    };
    let mut text = format!(", a{} sees", window.query.0);
    if let Some(begin) = window.begin {
        text += &format!(" from e{}", begin.0);
    }
    text += &format!(" a{}", window.key.0);
    if let Some(end) = window.end {
        text += &format!(" to e{}", end.0);
    }
    if window.causal {
        text += " causally";
    }
    text
}

fn what(kind: &StageKind) -> String {
    match kind {
        StageKind::Map { stores } => {
            let stores = stores.iter().map(|store| {
                let place = place(&store.address);
                format!("b{}[{place}] = e{}", store.buffer.0, store.value.0)
            });
            format!("store {}", stores.collect::<Vec<_>>().join("; "))
        }
        StageKind::Reduce { monoid, value } => format!("{monoid:?} e{}", value.0),
        StageKind::Contract {
            lhs,
            rhs,
            operands,
            window,
        } => format!(
            "contract e{} · e{} in {operands}{}",
            lhs.0,
            rhs.0,
            visible(window.as_ref())
        ),
        StageKind::SoftmaxContract {
            score,
            value,
            operands,
            window,
        } => format!(
            "softmax e{} · e{} in {operands}{}",
            score.0,
            value.0,
            visible(window.as_ref())
        ),
        StageKind::Scatter {
            buffer,
            address,
            value,
        } => format!("scatter b{}[{}] += e{}", buffer.0, place(address), value.0),
>>>>>>> main
    }
}
