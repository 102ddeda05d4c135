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
}

fn expression(expr: &Expr) -> String {
    match expr {
        Expr::Const(bits) => format!("{:?}", f32::from_bits(*bits)),
        Expr::Index(axis) => format!("index a{}", axis.0),
        Expr::Load {
            buffer,
            address,
            guards,
        } => {
            let guards: Vec<String> = guards.iter().map(guard).collect();
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
        Expr::SelectEqual {
            a,
            b,
            then,
            otherwise,
        } => format!("e{} == e{} ? e{} : e{}", a.0, b.0, then.0, otherwise.0),
    }
}

/// `offset + name*factor + …`, without zeros and ones.
fn sum(offset: i64, terms: impl Iterator<Item = (String, i64)>) -> String {
    let mut parts: Vec<String> = terms
        .map(|(name, factor)| match factor {
            1 => name,
            factor => format!("{name}*{factor}"),
        })
        .collect();
    if offset != 0 || parts.is_empty() {
        parts.push(offset.to_string());
    }
    parts.join(" + ")
}

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
    }
}
