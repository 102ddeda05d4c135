//! A fused program to text: its kernel calls in order, each with the values that it reads and writes.

use std::fmt::Write;

use super::{BufferInfo, Fused, Home};
use mm1_package::{Extent, ExtentRef};

/// The text of a fused program. A buffer that a kernel writes stands after the arrow; a part of
/// a buffer has the number of its first element behind `+`.
pub fn print(fused: &Fused) -> String {
    let mut text = String::new();
    for call in &fused.calls {
        let mut reads = Vec::new();
        let mut writes = Vec::new();
        for ((key, first), buffer) in call.args.iter().zip(&call.kernel.buffers) {
            let name = argument(&fused.buffers[key.0 as usize], *first);
            match buffer.written {
                true => writes.push(name),
                false => reads.push(name),
            }
        }
        let extents: Vec<String> = call
            .extents
            .iter()
            .map(|it| extent(*it, &fused.extents))
            .collect();
        let extents = match extents.is_empty() {
            true => String::new(),
            false => format!(" [{}]", extents.join(", ")),
        };
        let _ = writeln!(
            text,
            "{}: {} {}{extents} ({}) -> {}",
            call.name,
            call.kernel.hash(),
            call.kernel.name,
            reads.join(", "),
            writes.join(", ")
        );
    }
    text
}

fn argument(buffer: &BufferInfo, first: u64) -> String {
    let home = match buffer.home {
        Home::Source(_) => "",
        Home::Arena => "%",
        Home::Output(_) => "=",
    };
    match first {
        0 => format!("{home}{}", buffer.name),
        first => format!("{home}{}+{first}", buffer.name),
    }
}

fn extent(extent: ExtentRef, extents: &[Extent]) -> String {
    match extent {
        ExtentRef::Fixed(size) => size.to_string(),
        ExtentRef::Scaled { index, scale } => {
            let name = extents.get(index as usize).map_or("?", |it| &it.name);
            match scale {
                1 => name.to_owned(),
                scale => format!("{name}*{scale}"),
            }
        }
    }
}
