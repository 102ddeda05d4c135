//! A kernel that does nothing but multiply: how fast Hopper's matrix units are at most.
//!
//! Two warpgroups of a block multiply 64×64 by 64×256 numbers of bf16 in shared memory, again and again,
//! into f32 sums. Nothing is copied, so what it reaches is a roof for products and attention, at the
//! clock rate that the card holds under such work. Numbers are ±[½, 1) at random: zeros would draw
//! less power.

use std::fmt::Write as _;

/// Threads of a block.
pub const THREADS: u32 = 256;
/// Name of the kernel; its parameters are the address of [`THREADS`] f32 and the number of rounds.
pub const NAME: &str = "matrix";
/// Folded elements of a tile.
const DEPTH: u32 = 64;
/// Columns of a tile.
const COLUMNS: u32 = 256;
/// Times that a round multiplies each tile: enough to hide the wait at its end.
pub const REPEATS: u32 = 4;
/// Bytes of both warpgroups' rows, of columns, and of all.
const ROWS_BYTES: u32 = 2 * 64 * DEPTH * 2;
const BYTES: u32 = ROWS_BYTES + COLUMNS * DEPTH * 2;

/// Floating-point operations of so many blocks and rounds.
pub fn flops(blocks: u64, rounds: u64) -> f64 {
    let of_round = 2 * 2 * 64 * u64::from(COLUMNS * DEPTH * REPEATS);
    (blocks * rounds * of_round) as f64
}

/// The number of bf16 at byte `at` of a block's shared memory.
pub fn element(at: u32) -> f32 {
    let pair = pattern(at / 4);
    let half = if at.is_multiple_of(4) {
        pair << 16
    } else {
        pair & 0xffff_0000
    };
    f32::from_bits(half)
}

/// Two numbers; the kernel computes the same.
fn pattern(word: u32) -> u32 {
    let mixed = word.wrapping_mul(0x9e37_79b1);
    let mixed = (mixed ^ mixed >> 15).wrapping_mul(0x85eb_ca6b);
    (mixed ^ mixed >> 13) & 0x807f_807f | 0x3f00_3f00
}

/// PTX for sm_90a.
pub fn ptx() -> String {
    let sums: Vec<String> = (0..COLUMNS / 2)
        .map(|number| format!("%f{number}"))
        .collect();
    let list = sums.join(", ");
    let mut text = format!(
        "\
.version 8.0
.target sm_90a
.address_size 64
.visible .entry {NAME}(.param .u64 sums, .param .u64 rounds)
.maxntid {THREADS}, 1, 1
{{
  .reg .f32 %f<{registers}>;
  .reg .b32 %thread, %base, %word, %at, %mixed, %shifted, %group, %units;
  .reg .b64 %rows, %columns, %round, %rounds, %out, %offset;
  .reg .pred %more, %always;
  .shared .align 1024 .b8 tiles[{BYTES}];
  mov.u32 %thread, %tid.x;
  mov.u32 %base, tiles;
  mov.u32 %word, %thread;
fill:
  mul.lo.u32 %mixed, %word, {first};
  shr.u32 %shifted, %mixed, 15;
  xor.b32 %mixed, %mixed, %shifted;
  mul.lo.u32 %mixed, %mixed, {second};
  shr.u32 %shifted, %mixed, 13;
  xor.b32 %mixed, %mixed, %shifted;
  and.b32 %mixed, %mixed, {mask};
  or.b32 %mixed, %mixed, {half};
  shl.b32 %at, %word, 2;
  add.u32 %at, %at, %base;
  st.shared.u32 [%at], %mixed;
  add.u32 %word, %word, {THREADS};
  setp.lt.u32 %more, %word, {words};
  @%more bra fill;
  fence.proxy.async.shared::cta;
  bar.sync 0;
  shr.u32 %group, %thread, 7;
  shfl.sync.idx.b32 %group, %group, 0, 31, -1;
  mul.lo.u32 %at, %group, {group_bytes};
  add.u32 %at, %at, %base;
  shr.u32 %units, %at, 4;
  cvt.u64.u32 %rows, %units;
  or.b64 %rows, %rows, {descriptor};
  add.u32 %at, %base, {ROWS_BYTES};
  shr.u32 %units, %at, 4;
  cvt.u64.u32 %columns, %units;
  or.b64 %columns, %columns, {descriptor};
  setp.eq.u32 %always, 0, 0;
",
        registers = COLUMNS / 2,
        first = 0x9e37_79b1u32,
        second = 0x85eb_ca6bu32,
        mask = 0x807f_807fu32 as i32,
        half = 0x3f00_3f00u32,
        words = BYTES / 4,
        group_bytes = ROWS_BYTES / 2,
        // Lines of 128 bytes, swizzled; eight of them are 1024 bytes.
        descriptor = 1u64 << 62 | 64 << 32 | 1 << 16,
    );
    for sum in &sums {
        let _ = writeln!(text, "  mov.f32 {sum}, 0f00000000;");
    }
    text += "  ld.param.u64 %rounds, [rounds];\n  mov.u64 %round, 0;\nagain:\n  wgmma.fence.sync.aligned;\n";
    for number in 0..REPEATS * DEPTH / 16 {
        if number > 0 {
            // Sixteen elements on, or back to the first.
            let step = if number % (DEPTH / 16) == 0 { -6 } else { 2 };
            let _ = writeln!(
                text,
                "  add.s64 %rows, %rows, {step};\n  add.s64 %columns, %columns, {step};"
            );
        }
        let _ = writeln!(
            text,
            "  wgmma.mma_async.sync.aligned.m64n{COLUMNS}k16.f32.bf16.bf16 {{{list}}}, %rows, %columns, \
             %always, 1, 1, 0, 0;"
        );
    }
    text += "\
  wgmma.commit_group.sync.aligned;
  add.s64 %rows, %rows, -6;
  add.s64 %columns, %columns, -6;
  wgmma.wait_group.sync.aligned 0;
  add.u64 %round, %round, 1;
  setp.lt.u64 %more, %round, %rounds;
  @%more bra again;
  ld.param.u64 %out, [sums];
  mul.wide.u32 %offset, %thread, 4;
  add.u64 %out, %out, %offset;
  mov.u32 %word, %ctaid.x;
  setp.eq.u32 %more, %word, 0;
";
    // Only the first block stores, so that no two write one place.
    text += "  @%more st.global.f32 [%out], %f0;\n  ret;\n}\n";
    text
}
