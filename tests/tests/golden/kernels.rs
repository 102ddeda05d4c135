//! What a card gets, as text for review: some kernels of `models/mm1-tiny.toml` as MLIR in the NVVM
//! dialect and as PTX, in `tests/kernels`. MLIR is our own text; PTX is compared where this LLVM is
//! the one that its first line names.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use mm1_compiler::codegen::mlir::llvm_version;
use mm1_tests::assemble::{Module, modules, ptx};
use mm1_tests::golden;

use crate::root;

/// File name, precision, kernel (any if empty), a word of its schedule. The first kernel that fits is shown.
const SHOWN: [(&str, &str, &str, &str); 10] = [
    ("pointwise", "bf16", "adamw+cast", ""),
    ("norm", "bf16", "norm", ""),
    ("loss", "bf16", "linear_cross_entropy_rows", ""),
    ("transposing-copy", "f32", "copy", ""),
    ("sum-over-rows", "f32", "reduce+add", ""),
    ("scatter", "f32", "scatter", ""),
    ("gemm-hopper", "bf16", "matmul+add+add", "wgmma"),
    ("gemm-parts", "bf16", "", " parts of "),
    ("gemm-teams", "f32", "matmul+add", "contract by teams"),
    ("attention", "bf16", "attention", ""),
];

/// The text without what is not the kernel's own: its hash, the printer's header, blank lines.
fn plain(text: &str, module: &Module) -> String {
    let text = text.replace(&format!("k{}", module.hash), "kernel");
    let lines = text.lines().map(str::trim_end);
    let kept = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
    kept.map(|line| format!("{line}\n")).collect()
}

fn made_by() -> String {
    format!("// LLVM {}", llvm_version())
}

/// Whether a kept file names another LLVM than this program has.
fn is_of_another_llvm(path: &Path) -> bool {
    let kept = fs::read_to_string(path).unwrap_or_default();
    let named = kept.lines().next().unwrap_or_default();
    named.starts_with("// LLVM ") && named != made_by()
}

#[test]
fn kernels_of_a_card_are_as_kept() {
    let model = root().join("../models/mm1-tiny.toml");
    let mut seen = BTreeSet::new();
    let mut shown = Vec::new();
    for precision in ["f32", "bf16"] {
        // A kernel that both have may be shown for either.
        seen.clear();
        let all = modules(&model, Some(precision), &mut seen).unwrap();
        for (file, of, name, schedule) in SHOWN {
            if of == precision {
                let found = all
                    .iter()
                    .position(|it| {
                        (name.is_empty() || it.name == name) && it.schedule.contains(schedule)
                    })
                    .unwrap_or_else(|| panic!("no kernel `{name}` in {precision}"));
                shown.push((file, precision, found));
            }
        }
        let (files, wanted): (Vec<_>, Vec<_>) = shown
            .iter()
            .filter(|(_, of, _)| *of == precision)
            .map(|(file, _, index)| (*file, *index))
            .unzip();
        let mut all: Vec<Option<Module>> = all.into_iter().map(Some).collect();
        let wanted: Vec<Module> = wanted.iter().filter_map(|at| all[*at].take()).collect();
        assert_eq!(files.len(), wanted.len(), "two files show one kernel");
        let folder = root().join("kernels");
        let failures: Vec<String> = files
            .iter()
            .zip(wanted.iter().zip(ptx(&wanted).unwrap()))
            .flat_map(|(file, (module, ptx))| {
                let mlir = format!(
                    "// {}: {}\n{}",
                    module.name,
                    module.schedule,
                    plain(&module.mlir, module)
                );
                let ptx = format!("{}\n{}", made_by(), plain(&ptx, module));
                let kept = folder.join(format!("{file}.ptx"));
                [
                    golden::check(&folder.join(format!("{file}.mlir")), &mlir),
                    match is_of_another_llvm(&kept) && !golden::bless() {
                        true => Ok(()),
                        false => golden::check(&kept, &ptx),
                    },
                ]
            })
            .filter_map(Result::err)
            .collect();
        assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    }
    let kept = fs::read_dir(root().join("kernels")).unwrap().count();
    assert_eq!(
        kept,
        2 * SHOWN.len(),
        "a file in tests/kernels shows nothing"
    );
}

/// Row kernels of a large model reach memory by 16 bytes a thread.
#[test]
fn rows_are_read_and_written_by_sixteen_bytes() {
    let model = root().join("../models/bench/3b.toml");
    let mut all = modules(&model, None, &mut BTreeSet::new()).unwrap();
    let names = [
        "adamw+cast",
        "add",
        "cast",
        "gather",
        "norm",
        "norm_grad",
        "silu",
    ];
    all.retain(|it| it.schedule.starts_with("teams rows") && names.contains(&it.name.as_str()));
    for name in names {
        assert!(all.iter().any(|it| it.name == name), "no kernel `{name}`");
    }
    for (module, ptx) in all.iter().zip(ptx(&all).unwrap()) {
        let what = format!("{}: {}", module.name, module.schedule);
        let lanes = ["4 lanes", "8 lanes"].iter().any(|it| what.contains(it));
        assert!(lanes, "{what}");
        let wide = ["ld.global.v4.b32", "st.global.v4.b32"]
            .iter()
            .any(|it| ptx.contains(it));
        assert!(wide, "{what}\n{ptx}");
    }
}
