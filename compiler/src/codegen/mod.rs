//! Code generators: loop programs in, machine code out.

pub mod cranelift;
#[cfg(feature = "mlir")]
pub mod mlir;
#[cfg(feature = "mlir")]
pub mod nvgpu;

use crate::loops::Function;
use crate::lower::Machine;
use crate::target::CpuTarget;

#[cfg(test)]
pub(crate) mod mapped;

#[cfg(test)]
mod tests;

/// Position-independent machine code: instructions and read-only data in one
/// block without outside references.
///
/// It may be mapped at any address that is a multiple of
/// [`CodeBlob::ALIGNMENT`], readable and executable, never writable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodeBlob {
    /// The code and its data.
    pub bytes: Vec<u8>,
    /// Public functions and their byte offsets in `bytes`.
    pub entries: Vec<(String, usize)>,
}

impl CodeBlob {
    /// What the address of the first byte must be a multiple of.
    pub const ALIGNMENT: usize = 64;

    /// The byte offset of the function `name`.
    pub fn entry(&self, name: &str) -> Option<usize> {
        self.entries
            .iter()
            .find(|(entry, _)| entry == name)
            .map(|&(_, offset)| offset)
    }
}

/// Which code generator makes CPU code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// 128-bit vectors, compiled in milliseconds, no LLVM.
    Cranelift,
    /// Through MLIR and LLVM.
    #[cfg(feature = "mlir")]
    Mlir,
}

impl Backend {
    /// The best that this build has.
    pub fn preferred() -> Self {
        #[cfg(feature = "mlir")]
        return Self::Mlir;
        #[cfg(not(feature = "mlir"))]
        return Self::Cranelift;
    }

    /// The generator called `name`.
    ///
    /// # Errors
    /// The names that this build knows.
    pub fn parse(name: &str) -> Result<Self, String> {
        match name {
            "cranelift" => Ok(Self::Cranelift),
            #[cfg(feature = "mlir")]
            "mlir" => Ok(Self::Mlir),
            #[cfg(not(feature = "mlir"))]
            "mlir" => Err("this mm1c was built without MLIR; use `--backend cranelift`".to_owned()),
            other => Err(format!(
                "unknown backend `{other}`; known are `mlir` and `cranelift`"
            )),
        }
    }

    /// What schedules may use of a target.
    pub fn machine(self, target: &CpuTarget) -> Machine {
        #[cfg(not(feature = "mlir"))]
        let _ = target;
        match self {
            Self::Cranelift => Machine::with_lanes(4),
            #[cfg(feature = "mlir")]
            Self::Mlir => Machine {
                bf16_dot: target.bf16_dot,
                tiles: target.tiles,
                ..Machine::with_lanes(target.vector_lanes_f32 as u32)
            },
        }
    }

    /// CPU features that the code needs, as `is_x86_feature_detected!` spells them.
    pub fn cpu_features(self, target: &CpuTarget) -> Vec<String> {
        #[cfg(not(feature = "mlir"))]
        let _ = target;
        match self {
            Self::Cranelift => cranelift::CPU_FEATURES.map(str::to_owned).to_vec(),
            #[cfg(feature = "mlir")]
            Self::Mlir => target.required().map(str::to_owned).collect(),
        }
    }
}

impl std::fmt::Display for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cranelift => "cranelift",
            #[cfg(feature = "mlir")]
            Self::Mlir => "mlir",
        })
    }
}

/// Compiles functions; entries carry their names.
///
/// # Errors
/// What the generator refuses.
pub fn generate(
    functions: &[Function],
    backend: Backend,
    target: &CpuTarget,
) -> Result<CodeBlob, String> {
    #[cfg(not(feature = "mlir"))]
    let _ = target;
    match backend {
        Backend::Cranelift => cranelift::compile_functions(functions),
        #[cfg(feature = "mlir")]
        Backend::Mlir => mlir::compile_functions(functions, target),
    }
}
