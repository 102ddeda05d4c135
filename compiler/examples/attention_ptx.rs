//! Writes PTX of attention and its gradients on Hopper's matrix units, for an assembler to judge.
//!
//! `attention_ptx FOLDER`, then `ptxas -arch sm_90a -v FOLDER/NAME.ptx`: registers, spills and
//! remarks on serialised matrix instructions.

use std::path::Path;

use mm1_compiler::codegen::mlir::compile_modules_to_ptx;
use mm1_compiler::codegen::nvgpu::{attention, gemm::Facts};
use mm1_compiler::fuse::fuse;
use mm1_compiler::graph::text::parse;
use mm1_compiler::target::GPU_TARGETS;

/// Width of a head, query heads, key heads, length.
const SHAPES: [[u64; 4]; 5] = [
    [16, 4, 4, 4096],
    [64, 16, 16, 4096],
    [80, 16, 16, 4000],
    [128, 16, 16, 4096],
    [128, 16, 4, 4000],
];

/// Masks by name.
const MASKS: [(&str, bool, &str); 3] = [
    ("all", false, ""),
    ("causal", true, ""),
    ("segments", true, ", %begin, %end"),
];

fn graph([width, heads, groups, length]: [u64; 4], causal: bool, ranges: &str) -> String {
    let q = format!("bf16[2, {length}, {heads}, {width}]");
    let k = format!("bf16[2, {length}, {groups}, {width}]");
    let mut flags = if causal { ", causal" } else { "" }.to_owned();
    if !ranges.is_empty() {
        flags += ", begin, end";
    }
    format!(
        "%q: {q} = input()\n%k: {k} = input()\n%v: {k} = input()\n%dout: {q} = input()\n\
         %begin: i32[2, {length}] = input()\n%end: i32[2, {length}] = input()\n\
         %out: {q}, f32[2, {heads}, {length}] = attention(%q, %k, %v{ranges}) {{scale=0.125{flags}}}\n\
         %grad: {q}, {k}, {k} = attention_grad(%dout, %q, %k, %v, %out, %out#1{ranges}) \
         {{scale=0.125{flags}}}\n\
         output out = %out\noutput lse = %out#1\n\
         output dq = %grad\noutput dk = %grad#1\noutput dv = %grad#2\n"
    )
}

fn main() -> Result<(), String> {
    let folder = std::env::args()
        .nth(1)
        .ok_or("usage: attention_ptx FOLDER")?;
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let target = GPU_TARGETS.iter().find(|target| target.wgmma);
    let target = target.ok_or("no target has matrix units")?;
    for shape in SHAPES {
        for (mask, causal, ranges) in MASKS {
            let graph =
                parse(&graph(shape, causal, ranges)).map_err(|error| format!("{error:?}"))?;
            for call in fuse(&graph)?.calls {
                // δ is a sum over rows.
                let Ok(schedule) = attention::schedule(&call.kernel, &Facts::of(&call.kernel))
                else {
                    continue;
                };
                let ptx = compile_modules_to_ptx(&[&schedule.text], target, 1).remove(0);
                let ptx = ptx.map_err(|error| error.to_string())?;
                let [width, heads, groups, _] = shape;
                let part = call.name.split('.').nth(1).unwrap_or("out");
                let name = format!("{part}_{width}_{heads}_{groups}_{mask}");
                println!("{name}: {}", schedule.summary);
                for (text, ending) in [(&ptx, "ptx"), (&schedule.text, "mlir")] {
                    std::fs::write(folder.join(format!("{name}.{ending}")), text)
                        .map_err(|error| error.to_string())?;
                }
            }
        }
    }
    Ok(())
}
