//! The stages of a compilation as text, for `--emit` and for golden files.
//!
//! Everything here is a function of the model alone. With `once`, what the layers of a stack
//! repeat is printed for the first of them only.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::build::Layout;
use crate::compile::{Planned, PlannedProgram};
use crate::fuse::Home;
use crate::graph::text::{display, print};

/// Graph of every program after the passes. Without `once` the text parses back.
pub fn graphs(planned: &Planned, once: bool) -> String {
    sections(planned, |program| {
        let graph = &program.source.graph;
        if once {
            repeated_once(&display(graph))
        } else {
            print(graph)
        }
    })
}

/// Kernel calls of every program: hash, kernel, name of the call.
pub fn calls(planned: &Planned, once: bool) -> String {
    sections(planned, |program| {
        let calls = program.fused.calls.iter();
        let lines: Vec<String> = calls
            .map(|call| {
                let kernel = &call.kernel;
                format!("{} {} %{}\n", kernel.hash(), kernel.name, call.name)
            })
            .collect();
        if once {
            repeated_once(&lines.concat())
        } else {
            lines.concat()
        }
    })
}

/// Arena of every program: offset, bytes, type and name of each buffer.
pub fn plans(planned: &Planned) -> String {
    sections(planned, |program| {
        let plan = &program.plan;
        let mut text = format!(
            "arena {} bytes, largest live set {} bytes\n",
            plan.arena_bytes, plan.largest_live_bytes
        );
        for (info, offset) in program.fused.buffers.iter().zip(&plan.offsets) {
            if let (Home::Arena, Some(offset)) = (info.home, offset) {
                let (bytes, dtype) = (info.bytes(), info.dtype);
                let _ = writeln!(text, "{offset:>10} {bytes:>10} {dtype} {}", info.name);
            }
        }
        text
    })
}

/// Parameters in order of memory: offset, sizes, initialiser, decay, factor on the learning rate.
pub fn parameters(layout: &Layout) -> String {
    let mut text = String::new();
    for slot in &layout.parameters {
        let decay = if slot.decay { "decay" } else { "no decay" };
        let group = if slot.trained {
            format!("{decay}, rate × {}", slot.lr_scale)
        } else {
            "frozen".to_owned()
        };
        let (offset, dims, init) = (slot.offset, &slot.dims, slot.init);
        let _ = writeln!(
            text,
            "{offset:>10} {}: {dims:?} {init:?}, {group}",
            slot.name
        );
    }
    let _ = writeln!(
        text,
        "{} elements, {} trained in {} groups",
        layout.elements,
        layout.trained_elements,
        layout.groups.len()
    );
    text
}

fn sections(planned: &Planned, text: impl Fn(&PlannedProgram) -> String) -> String {
    let programs = planned.programs.iter();
    let sections = programs.map(|program| format!("// {}\n{}", program.source.name, text(program)));
    sections.collect::<Vec<_>>().join("\n")
}

/// Leaves out each line that another line equals but for the number of its layer, and says how
/// many. A line's layer is the first number between dots; other numbers count from it.
fn repeated_once(text: &str) -> String {
    let mut seen = BTreeSet::new();
    let mut left_out = 0;
    let mut kept = String::new();
    for line in text.lines() {
        if seen.insert(relative(line)) {
            kept.push_str(line);
            kept.push('\n');
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        let _ = writeln!(
            kept,
            "// and {left_out} lines that repeat these for other layers"
        );
    }
    kept
}

/// The line with the numbers of layers counted from its first one; lines without any are
/// themselves.
fn relative(line: &str) -> String {
    let mut first: Option<i64> = None;
    // 0.5 is no layer: a name stands before the first dot.
    let mut after_name = false;
    let parts: Vec<String> = line
        .split('.')
        .map(|part| {
            let layer = part.parse::<i64>().ok().filter(|_| after_name);
            let word = part
                .rsplit(|c: char| !c.is_alphanumeric() && c != '_')
                .next();
            after_name = word.is_some_and(|word| word.starts_with(|c: char| c.is_alphabetic()));
            layer.map_or(part.to_owned(), |layer| {
                format!("layer {}", layer - *first.get_or_insert(layer))
            })
        })
        .collect();
    parts.join(".")
}

#[cfg(test)]
mod tests {
    use super::repeated_once;

    #[test]
    fn layers_are_printed_once() {
        let text = "%a.0.x = f(%in)\n%a.1.x = f(%a.0.y)\n%a.2.x = f(%a.1.y)\n%a.0.w: f32[2]\n\
            %a.1.w: f32[2]\n%b = 0.5\n%b = 0.25\n";
        let wanted = "%a.0.x = f(%in)\n%a.1.x = f(%a.0.y)\n%a.0.w: f32[2]\n%b = 0.5\n%b = 0.25\n\
            // and 2 lines that repeat these for other layers\n";
        assert_eq!(repeated_once(text), wanted);
    }
}
