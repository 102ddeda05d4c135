//! What the processor that runs this program can do.

/// Whether this processor and its system have `feature`, spelled as in
/// `is_x86_feature_detected!`; a name that is not known here counts as absent.
///
/// For `amx-tile` and `amx-bf16` the system's leave to use tiles is asked for, once, for every
/// thread of the process; where it is refused they count as absent.
#[cfg(target_arch = "x86_64")]
pub fn has(feature: &str) -> bool {
    macro_rules! known {
        ($($name:tt),* $(,)?) => {
            match feature {
                $($name => std::arch::is_x86_feature_detected!($name),)*
                "amx-tile" | "amx-bf16" => tiles(),
                _ => false,
            }
        };
    }
    known!(
        "sse",
        "sse2",
        "sse3",
        "ssse3",
        "sse4.1",
        "sse4.2",
        "popcnt",
        "cmpxchg16b",
        "movbe",
        "lzcnt",
        "bmi1",
        "bmi2",
        "adx",
        "avx",
        "avx2",
        "fma",
        "f16c",
        "fxsr",
        "xsave",
        "xsaveopt",
        "xsavec",
        "xsaves",
        "aes",
        "pclmulqdq",
        "vaes",
        "vpclmulqdq",
        "gfni",
        "sha",
        "avx512f",
        "avx512bw",
        "avx512cd",
        "avx512dq",
        "avx512vl",
        "avx512ifma",
        "avx512vbmi",
        "avx512vbmi2",
        "avx512vnni",
        "avx512bitalg",
        "avx512vpopcntdq",
        "avx512bf16",
        "avx512fp16",
        "avxvnni",
    )
}

/// Whether this processor has `feature`; no features are known for this kind of machine.
#[cfg(not(target_arch = "x86_64"))]
pub fn has(_feature: &str) -> bool {
    false
}

/// Whether bf16 products of tiles may be used in this process.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn tiles() -> bool {
    use std::arch::x86_64::__cpuid_count;
    use std::sync::OnceLock;

    static ALLOWED: OnceLock<bool> = OnceLock::new();
    *ALLOWED.get_or_init(|| {
        // CPUID leaf 7, EDX: bit 22 AMX-BF16, bit 24 AMX-TILE.
        let have = __cpuid_count(0, 0).eax >= 7 && __cpuid_count(7, 0).edx >> 22 & 0b101 == 0b101;
        // Linux enlarges a process's register file on demand only (arch_prctl ARCH_REQ_XCOMP_PERM).
        const REQUEST: libc::c_int = 0x1023;
        const TILE_DATA: libc::c_ulong = 18;
        // SAFETY: the call takes two numbers and touches no memory of this process.
        have && unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST, TILE_DATA) } == 0
    })
}

/// Whether bf16 products of tiles may be used in this process; not known on other systems.
#[cfg(all(target_arch = "x86_64", not(target_os = "linux")))]
fn tiles() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_are_absent() {
        assert!(!has("warp-drive"));
    }

    /// The kernel lists what it lets programs use.
    #[cfg(target_os = "linux")]
    #[test]
    fn tiles_are_what_the_system_says() {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let listed = ["amx_tile", "amx_bf16"]
            .iter()
            .all(|flag| info.split_whitespace().any(|word| word == *flag));
        assert_eq!(has("amx-bf16"), listed);
        assert_eq!(has("amx-tile"), listed);
    }
}
