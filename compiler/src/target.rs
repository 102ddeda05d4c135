//! Named targets: CPUs, and NVIDIA GPUs by architecture.
//!
//! A target is a *name* with a fixed meaning: which instructions may be used and
//! how wide a vector is. Generated code, schedules and golden files depend on
//! the name alone, never on the machine that compiles; the machine only decides
//! which name [`CpuTarget::host`] picks.

use std::fmt;

/// A set of instructions that CPU code may use, known by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CpuTarget {
    /// The name that selects this target, such as `cpu:x86-64-v4`.
    pub name: &'static str,
    /// LLVM's processor name.
    pub llvm_cpu: &'static str,
    /// LLVM features added to those of `llvm_cpu`, comma separated, each `+name`.
    pub features: &'static str,
    /// Lanes of one `f32` vector register.
    pub vector_lanes_f32: usize,
    /// Whether `bf16` dot products have an instruction (`vdpbf16ps`).
    ///
    /// It changes results: the instruction adds the odd product first and
    /// flushes subnormals, so it is part of the name.
    pub bf16_dot: bool,
}

/// Every CPU target, the most capable first.
pub const CPU_TARGETS: [CpuTarget; 3] = [
    CpuTarget {
        name: "cpu:x86-64-v4-bf16",
        llvm_cpu: "x86-64-v4",
        features: "+avx512bf16",
        vector_lanes_f32: 16,
        bf16_dot: true,
    },
    CpuTarget {
        name: "cpu:x86-64-v4",
        llvm_cpu: "x86-64-v4",
        features: "",
        vector_lanes_f32: 16,
        bf16_dot: false,
    },
    CpuTarget {
        name: "cpu:x86-64-v3",
        llvm_cpu: "x86-64-v3",
        features: "",
        vector_lanes_f32: 8,
        bf16_dot: false,
    },
];

/// A GPU architecture, known by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CudaTarget {
    /// The name that selects this target, `cuda:sm_90a`.
    pub name: &'static str,
}

/// Every GPU target.
pub const CUDA_TARGETS: [CudaTarget; 1] = [CudaTarget {
    name: "cuda:sm_90a",
}];

/// What code is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A CPU.
    Cpu(CpuTarget),
    /// An NVIDIA GPU.
    Cuda(CudaTarget),
}

impl Target {
    /// Finds a target by its name.
    ///
    /// # Errors
    /// The names that exist.
    pub fn parse(name: &str) -> Result<Self, UnknownCpuTarget> {
        let cuda = CUDA_TARGETS.iter().find(|target| target.name == name);
        match cuda {
            Some(target) => Ok(Self::Cuda(*target)),
            None => CpuTarget::parse(name).map(Self::Cpu),
        }
    }

    /// The name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Cpu(target) => target.name,
            Self::Cuda(target) => target.name,
        }
    }

    /// The CPU, if it is one.
    pub fn cpu(&self) -> Option<&CpuTarget> {
        match self {
            Self::Cpu(target) => Some(target),
            Self::Cuda(_) => None,
        }
    }

    /// Whether this build has a code generator for the target.
    ///
    /// # Errors
    /// `MM1C0401`, in words.
    pub fn supported(&self) -> Result<(), String> {
        match self {
            Self::Cpu(_) => Ok(()),
            Self::Cuda(target) => Err(format!(
                "MM1C0401: this mm1c generates no code for `{}`; it runs packages that were \
                 compiled elsewhere",
                target.name
            )),
        }
    }
}

impl From<CpuTarget> for Target {
    fn from(target: CpuTarget) -> Self {
        Self::Cpu(target)
    }
}

/// A target name that is not one of [`CUDA_TARGETS`] or one of [`CPU_TARGETS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownCpuTarget {
    /// The name that was asked for.
    pub name: String,
}

impl fmt::Display for UnknownCpuTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MM1C0402: unknown target `{}`; known are", self.name)?;
        let cuda = CUDA_TARGETS.iter().map(|target| target.name);
        let names = CPU_TARGETS.iter().map(|target| target.name).chain(cuda);
        for (index, name) in names.enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator} `{name}`")?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownCpuTarget {}

impl CpuTarget {
    /// Finds a target by its name.
    ///
    /// # Errors
    ///
    /// The name is not one of [`CPU_TARGETS`].
    pub fn parse(name: &str) -> Result<Self, UnknownCpuTarget> {
        CPU_TARGETS
            .iter()
            .find(|target| target.name == name)
            .copied()
            .ok_or_else(|| UnknownCpuTarget {
                name: name.to_owned(),
            })
    }

    /// The most capable target whose code this machine can run, or `None` on a
    /// machine below `cpu:x86-64-v3` or of another architecture.
    pub fn host() -> Option<Self> {
        CPU_TARGETS
            .iter()
            .find(|target| target.runs_here())
            .copied()
    }

    /// Whether this machine has every instruction of the target.
    #[cfg(target_arch = "x86_64")]
    pub fn runs_here(&self) -> bool {
        let v3 = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("f16c")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("movbe");
        let v4 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512cd")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        let bf16 = is_x86_feature_detected!("avx512bf16");
        v3 && (self.vector_lanes_f32 < 16 || v4) && (!self.bf16_dot || bf16)
    }

    /// Whether this machine has every instruction of the target.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn runs_here(&self) -> bool {
        false
    }

    /// Bytes of one vector register.
    pub fn vector_bytes(&self) -> usize {
        self.vector_lanes_f32 * size_of::<f32>()
    }
}

impl fmt::Display for CpuTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for target in CPU_TARGETS {
            assert_eq!(CpuTarget::parse(&target.to_string()), Ok(target));
            assert_eq!(Target::parse(target.name), Ok(Target::Cpu(target)));
        }
        for target in CUDA_TARGETS {
            assert_eq!(Target::parse(target.name), Ok(Target::Cuda(target)));
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let message = CpuTarget::parse("cpu:x86-64-v5").unwrap_err().to_string();
        assert!(message.contains("`cpu:x86-64-v5`"), "{message}");
        assert!(message.contains("`cpu:x86-64-v3`"), "{message}");
    }

    #[test]
    fn the_host_runs_what_it_picks_and_all_below() {
        let Some(host) = CpuTarget::host() else {
            return;
        };
        let position = CPU_TARGETS.iter().position(|t| *t == host).unwrap();
        for (index, target) in CPU_TARGETS.iter().enumerate() {
            assert_eq!(target.runs_here(), index >= position, "{target}");
        }
    }
}
