//! Named targets.
//!
//! A target is a *name* with a fixed meaning: which instructions may be used and
//! how wide a vector is. Generated code, schedules and golden files depend on
//! the name alone, never on the machine that compiles; the machine only decides
//! which name [`CpuTarget::host`] picks.

use std::fmt;

/// What code is generated for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// A processor.
    Cpu(CpuTarget),
    /// A graphics processor.
    Gpu(GpuTarget),
}

/// A graphics processor, known by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GpuTarget {
    /// The name that selects this target.
    pub name: &'static str,
    /// LLVM's processor name.
    pub llvm_cpu: &'static str,
    /// LLVM features, among them the PTX version, which a driver must know.
    pub features: &'static str,
    /// Whether products of bf16 run on the matrix units of Hopper.
    pub wgmma: bool,
}

/// Every GPU target. The driver compiles code for `cuda:sm_80` for any later card too; code for
/// `cuda:sm_90a` runs on that architecture only. PTX 8.6 is what drivers from 560 on take.
pub const GPU_TARGETS: [GpuTarget; 2] = [
    GpuTarget {
        name: "cuda:sm_90a",
        llvm_cpu: "sm_90a",
        features: "+ptx86",
        wgmma: true,
    },
    GpuTarget {
        name: "cuda:sm_80",
        llvm_cpu: "sm_80",
        features: "+ptx80",
        wgmma: false,
    },
];

impl Target {
    /// Finds a target by its name.
    ///
    /// # Errors
    ///
    /// The name is that of no target.
    pub fn parse(name: &str) -> Result<Self, UnknownTarget> {
        let gpu = GPU_TARGETS.iter().find(|target| target.name == name);
        let cpu = CPU_TARGETS.iter().find(|target| target.name == name);
        match (cpu, gpu) {
            (Some(target), _) => Ok(Self::Cpu(*target)),
            (None, Some(target)) => Ok(Self::Gpu(*target)),
            (None, None) => Err(UnknownTarget {
                name: name.to_owned(),
            }),
        }
    }

    /// Whether bf16 copies of weights are kept for products. On Hopper the copy is read by bulk
    /// copies at twice the speed (docs/bench/gpu.md); a CPU rounds while it packs, which costs
    /// nothing beside the copy's memory.
    pub fn keeps_rounded_weights(&self) -> bool {
        match self {
            Self::Cpu(_) => false,
            Self::Gpu(target) => target.wgmma,
        }
    }

    /// The name that selects it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Cpu(target) => target.name,
            Self::Gpu(target) => target.name,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for GpuTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

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
    /// Whether `bf16` products of 16 × 16 tiles have an instruction (`tdpbf16ps`), which sums even
    /// and odd products apart.
    pub tiles: bool,
    /// Groups of what the processor must have, as `is_x86_feature_detected!` spells it.
    requires: &'static [&'static [&'static str]],
}

const V3: &[&str] = &["avx2", "bmi1", "bmi2", "f16c", "fma", "lzcnt", "movbe"];
const V4: &[&str] = &["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"];
const BF16: &[&str] = &["avx512bf16"];
const AMX: &[&str] = &["amx-tile", "amx-bf16"];

/// Every CPU target, the most capable first.
pub const CPU_TARGETS: [CpuTarget; 4] = [
    CpuTarget {
        name: "cpu:x86-64-v4-amx",
        llvm_cpu: "x86-64-v4",
        features: "+avx512bf16,+amx-tile,+amx-bf16",
        vector_lanes_f32: 16,
        bf16_dot: true,
        tiles: true,
        requires: &[V3, V4, BF16, AMX],
    },
    CpuTarget {
        name: "cpu:x86-64-v4-bf16",
        llvm_cpu: "x86-64-v4",
        features: "+avx512bf16",
        vector_lanes_f32: 16,
        bf16_dot: true,
        tiles: false,
        requires: &[V3, V4, BF16],
    },
    CpuTarget {
        name: "cpu:x86-64-v4",
        llvm_cpu: "x86-64-v4",
        features: "",
        vector_lanes_f32: 16,
        bf16_dot: false,
        tiles: false,
        requires: &[V3, V4],
    },
    CpuTarget {
        name: "cpu:x86-64-v3",
        llvm_cpu: "x86-64-v3",
        features: "",
        vector_lanes_f32: 8,
        bf16_dot: false,
        tiles: false,
        requires: &[V3],
    },
];

/// A name that is none of [`CPU_TARGETS`] and [`GPU_TARGETS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownTarget {
    /// The name that was asked for.
    pub name: String,
}

impl fmt::Display for UnknownTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MM1C0402: unknown target `{}`; known are", self.name)?;
        let cpu = CPU_TARGETS.iter().map(|target| target.name);
        let gpu = GPU_TARGETS.iter().map(|target| target.name);
        for (index, name) in cpu.chain(gpu).enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator} `{name}`")?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownTarget {}

impl CpuTarget {
    /// The most capable target whose code this machine can run, or `None` on a
    /// machine below `cpu:x86-64-v3` or of another architecture.
    pub fn host() -> Option<Self> {
        CPU_TARGETS
            .iter()
            .find(|target| target.runs_here())
            .copied()
    }

    /// What the processor must have, as `is_x86_feature_detected!` spells it.
    pub fn required(&self) -> impl Iterator<Item = &'static str> {
        self.requires.iter().copied().flatten().copied()
    }

    /// Whether this machine has every instruction of the target.
    pub fn runs_here(&self) -> bool {
        self.required().all(mm1_package::cpu::has)
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
        let cpu = CPU_TARGETS.map(Target::Cpu);
        let gpu = GPU_TARGETS.map(Target::Gpu);
        for target in cpu.into_iter().chain(gpu) {
            assert_eq!(Target::parse(&target.to_string()), Ok(target));
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let message = Target::parse("cpu:x86-64-v5").unwrap_err().to_string();
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
