//! Only operations that the rest of the way can take.
//!
//! Neither of the two steps after lowering reports a wrong operation kindly:
//! translating one that has no translation fails far from its cause, and an
//! intrinsic that the processor lacks ends the *process* in instruction
//! selection. So everything is compared with a list first. The list also keeps
//! out operations that would become calls into the C library (`exp`, `pow`,
//! `round`, …), which a blob cannot make.

use super::CodegenError;
use crate::target::Target;
use melior::ir::{
    Module,
    operation::{OperationLike, WalkOrder, WalkResult},
};

/// Operations of the LLVM dialect that every target takes.
const OPERATIONS: &[&str] = &[
    "llvm.add",
    "llvm.addrspacecast",
    "llvm.alloca",
    "llvm.and",
    "llvm.ashr",
    "llvm.bitcast",
    "llvm.br",
    "llvm.call",
    "llvm.cond_br",
    "llvm.extractelement",
    "llvm.extractvalue",
    "llvm.fadd",
    "llvm.fcmp",
    "llvm.fdiv",
    "llvm.fmul",
    "llvm.fneg",
    "llvm.fpext",
    "llvm.fptosi",
    "llvm.fptoui",
    "llvm.fptrunc",
    "llvm.freeze",
    "llvm.fsub",
    "llvm.func",
    "llvm.getelementptr",
    "llvm.icmp",
    "llvm.insertelement",
    "llvm.insertvalue",
    "llvm.inttoptr",
    "llvm.load",
    "llvm.lshr",
    "llvm.mlir.addressof",
    "llvm.mlir.constant",
    "llvm.mlir.global",
    "llvm.mlir.poison",
    "llvm.mlir.undef",
    "llvm.mlir.zero",
    "llvm.mul",
    "llvm.or",
    "llvm.ptrtoint",
    "llvm.return",
    "llvm.sdiv",
    "llvm.select",
    "llvm.sext",
    "llvm.shl",
    "llvm.shufflevector",
    "llvm.sitofp",
    "llvm.srem",
    "llvm.store",
    "llvm.sub",
    "llvm.switch",
    "llvm.trunc",
    "llvm.udiv",
    "llvm.uitofp",
    "llvm.unreachable",
    "llvm.urem",
    "llvm.xor",
    "llvm.zext",
];

/// Intrinsic operations (`llvm.intr.…`) that become instructions, not calls.
const INTRINSICS: &[&str] = &[
    "abs",
    "assume",
    "bswap",
    "ceil",
    "copysign",
    "ctlz",
    "ctpop",
    "cttz",
    "fabs",
    "floor",
    "fma",
    "fmuladd",
    "fshl",
    "fshr",
    "lifetime.end",
    "lifetime.start",
    "masked.compressstore",
    "masked.expandload",
    "masked.gather",
    "masked.load",
    "masked.scatter",
    "masked.store",
    "maximum",
    "maxnum",
    "memcpy",
    "memmove",
    "memset",
    "minimum",
    "minnum",
    "nearbyint",
    "prefetch",
    "rint",
    "roundeven",
    "smax",
    "smin",
    "sqrt",
    "stepvector",
    "trunc",
    "umax",
    "umin",
    "vector.extract",
    "vector.insert",
    "vector.reduce.add",
    "vector.reduce.and",
    "vector.reduce.fadd",
    "vector.reduce.fmax",
    "vector.reduce.fmaximum",
    "vector.reduce.fmin",
    "vector.reduce.fminimum",
    "vector.reduce.fmul",
    "vector.reduce.mul",
    "vector.reduce.or",
    "vector.reduce.smax",
    "vector.reduce.smin",
    "vector.reduce.umax",
    "vector.reduce.umin",
    "vector.reduce.xor",
];

/// Operations of the NVVM dialect that the GPU emitters use (`nvvm.…`).
const GPU_OPERATIONS: &[&str] = &[
    "bar.warp.sync",
    "barrier0",
    "read.ptx.sreg.ctaid.x",
    "read.ptx.sreg.laneid",
    "read.ptx.sreg.nctaid.x",
    "read.ptx.sreg.tid.x",
    "shfl.sync",
];

/// Processor intrinsics by name (`llvm.call_intrinsic`) of targets with `bf16`
/// dot products.
const BF16_INTRINSICS: &[&str] = &[
    "llvm.x86.avx512bf16.cvtne2ps2bf16.512",
    "llvm.x86.avx512bf16.dpbf16ps.128",
    "llvm.x86.avx512bf16.dpbf16ps.256",
    "llvm.x86.avx512bf16.dpbf16ps.512",
];

/// Processor intrinsics of targets with tiles.
const TILE_INTRINSICS: &[&str] = &[
    "llvm.x86.tdpbf16ps.internal",
    "llvm.x86.tileloadd64.internal",
    "llvm.x86.tilestored64.internal",
    "llvm.x86.tilezero.internal",
];

/// Whether a target has a processor intrinsic.
fn has_intrinsic(target: &Target, intrinsic: &str) -> bool {
    let Target::Cpu(target) = target else {
        return false;
    };
    target.bf16_dot && BF16_INTRINSICS.contains(&intrinsic)
        || target.tiles && TILE_INTRINSICS.contains(&intrinsic)
}

/// Refuses the first operation of a lowered module that cannot go on.
///
/// # Errors
///
/// [`CodegenError::Unsupported`], naming the operation and the target.
pub fn check_operations(module: &Module, target: &Target) -> Result<(), CodegenError> {
    let mut fault = None;
    module
        .as_operation()
        .walk(WalkOrder::PreOrder, |operation| {
            let name = operation.name();
            let name = name.as_string_ref();
            let name = name.as_str().unwrap_or("(not UTF-8)");
            let allowed = match name {
                "builtin.module" => true,
                "llvm.inline_asm" => matches!(target, Target::Gpu(_)),
                "llvm.call_intrinsic" => {
                    let intrinsic = operation
                        .attribute("intrin")
                        .map(|attribute| attribute.to_string())
                        .unwrap_or_default();
                    let intrinsic = intrinsic.trim_matches('"');
                    if !has_intrinsic(target, intrinsic) {
                        fault = Some(format!("target `{target}` has no intrinsic `{intrinsic}`"));
                        return WalkResult::Interrupt;
                    }
                    true
                }
                _ => match (name.strip_prefix("nvvm."), name.strip_prefix("llvm.intr.")) {
                    (Some(operation), _) => {
                        matches!(target, Target::Gpu(_))
                            && GPU_OPERATIONS.binary_search(&operation).is_ok()
                    }
                    (_, Some(intrinsic)) => INTRINSICS.binary_search(&intrinsic).is_ok(),
                    _ => OPERATIONS.binary_search(&name).is_ok(),
                },
            };
            if allowed {
                return WalkResult::Advance;
            }
            fault = Some(format!(
                "operation `{name}` has no machine code on `{target}` at {}",
                operation.location()
            ));
            WalkResult::Interrupt
        });
    match fault {
        Some(message) => Err(CodegenError::Unsupported(message)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_for_binary_search() {
        assert!(OPERATIONS.is_sorted());
        assert!(INTRINSICS.is_sorted());
        assert!(GPU_OPERATIONS.is_sorted());
    }
}
