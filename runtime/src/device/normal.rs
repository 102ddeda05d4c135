//! A kernel that draws normals into a tensor of f32, bit for bit as [`crate::normal::Normals::fill`] does.
//!
//! Each thread draws pairs of elements, a grid apart. What is beyond the bound is drawn anew as
//! [`crate::philox::Philox::truncated_normal`] does. Every operation is rounded by itself, so nothing
//! may be contracted to a fused multiply-add: each has its rounding written.

use std::fmt::Write as _;

use crate::normal::{COS, LN, ONE, REDRAW, SIGNIFICAND, SIN};
use crate::philox::{MULTIPLIER, REDRAWS, WEYL};

/// Threads of a block.
pub const THREADS: u32 = 256;
/// Name of the kernel. Parameters: address and number of the elements (u64), both words of the key
/// (u32), standard deviation and bound (f64).
pub const NAME: &str = "normal";

/// An f64 as PTX writes it.
fn literal(x: f64) -> String {
    format!("0d{:016X}", x.to_bits())
}

/// `into` = Σ c[n]·zⁿ, as `normal::polynomial`.
fn polynomial(text: &mut String, coefficients: &[f64], into: &str) {
    let (last, rest) = coefficients.split_last().expect("no table is empty");
    let _ = writeln!(text, "  mov.f64 {into}, {};", literal(*last));
    for next in rest.iter().rev() {
        let _ = writeln!(text, "  mul.rn.f64 {into}, {into}, %z;");
        let _ = writeln!(text, "  add.rn.f64 {into}, {into}, {};", literal(*next));
    }
}

/// A uniform in [0, 1) from two words of the counter, as `philox::unit_f64`.
fn unit(text: &mut String, high: &str, low: &str) {
    let _ = writeln!(
        text,
        "  mov.b64 %w, {{{low}, {high}}};
  shr.u64 %w, %w, 11;
  cvt.rn.f64.u64 %u, %w;
  mul.rn.f64 %u, %u, {};",
        literal(1.0 / 9_007_199_254_740_992.0)
    );
}

/// The counter `%c0` to `%c3`, encrypted; then `%a` and `%b`, the two normals of the block.
fn pair(text: &mut String) {
    *text += "  mov.u32 %k0, %key0;\n  mov.u32 %k1, %key1;\n";
    for round in 0..10 {
        if round > 0 {
            let _ = writeln!(
                text,
                "  add.u32 %k0, %k0, {};\n  add.u32 %k1, %k1, {};",
                WEYL[0], WEYL[1]
            );
        }
        let _ = writeln!(
            text,
            "  mul.hi.u32 %h0, %c0, {first};
  mul.lo.u32 %l0, %c0, {first};
  mul.hi.u32 %h1, %c2, {second};
  mul.lo.u32 %l1, %c2, {second};
  xor.b32 %c0, %h1, %c1;
  xor.b32 %c0, %c0, %k0;
  mov.u32 %c1, %l1;
  xor.b32 %c2, %h0, %c3;
  xor.b32 %c2, %c2, %k1;
  mov.u32 %c3, %l0;",
            first = MULTIPLIER[0],
            second = MULTIPLIER[1],
        );
    }
    unit(text, "%c0", "%c1");
    let _ = writeln!(
        text,
        "  sub.rn.f64 %u, {one}, %u;
  mov.b64 %w, %u;
  shr.u64 %high, %w, 52;
  cvt.u32.u64 %e, %high;
  sub.s32 %e, %e, 1023;
  and.b64 %w, %w, {SIGNIFICAND};
  or.b64 %w, %w, {ONE};
  mov.b64 %m, %w;
  setp.gt.f64 %p, %m, {root};
  @%p mul.rn.f64 %m, %m, {half};
  @%p add.s32 %e, %e, 1;
  sub.rn.f64 %s, %m, {one};
  add.rn.f64 %m, %m, {one};
  div.rn.f64 %s, %s, %m;
  mul.rn.f64 %z, %s, %s;",
        one = literal(1.0),
        half = literal(0.5),
        root = literal(std::f64::consts::SQRT_2),
    );
    polynomial(text, &LN, "%x");
    let _ = writeln!(
        text,
        "  mul.rn.f64 %x, %x, %s;
  add.rn.f64 %x, %x, %x;
  cvt.rn.f64.s32 %m, %e;
  mul.rn.f64 %m, %m, {};
  add.rn.f64 %x, %x, %m;
  mul.rn.f64 %x, %x, {};
  sqrt.rn.f64 %radius, %x;",
        literal(std::f64::consts::LN_2),
        literal(-2.0),
    );
    unit(text, "%c2", "%c3");
    let _ = writeln!(
        text,
        "  mul.rn.f64 %x, %u, {};
  add.rn.f64 %x, %x, {};
  cvt.rmi.s32.f64 %e, %x;
  cvt.rn.f64.s32 %x, %e;
  mul.rn.f64 %x, %x, {};
  sub.rn.f64 %x, %u, %x;
  mul.rn.f64 %t, %x, {};
  mul.rn.f64 %z, %t, %t;",
        literal(4.0),
        literal(0.5),
        literal(0.25),
        literal(std::f64::consts::TAU),
    );
    polynomial(text, &SIN, "%x");
    *text += "  mul.rn.f64 %x, %x, %t;\n";
    polynomial(text, &COS, "%y");
    *text += "\
  and.b32 %l0, %e, 1;
  setp.eq.u32 %p, %l0, 0;
  selp.f64 %a, %y, %x, %p;
  selp.f64 %b, %x, %y, %p;
  add.s32 %l0, %e, 1;
  and.b32 %l0, %l0, 2;
  setp.ne.u32 %p, %l0, 0;
  @%p neg.f64 %a, %a;
  and.b32 %l0, %e, 2;
  setp.ne.u32 %p, %l0, 0;
  @%p neg.f64 %b, %b;
  mul.rn.f64 %a, %radius, %a;
  mul.rn.f64 %b, %radius, %b;
";
}

/// `%r0` or `%r1`, the element `%index`, drawn anew while it is beyond the bound.
fn redraw(text: &mut String, element: usize) {
    let _ = writeln!(
        text,
        "  add.u64 %index, %first, {element};
  mov.u32 %attempt, 0;
redraw{element}:
  abs.f64 %x, %r{element};
  setp.le.f64 %p, %x, %bound;
  @%p bra drawn{element};
  setp.eq.u32 %p, %attempt, {REDRAWS};
  @%p bra cut{element};
  mov.b64 {{%c0, %c1}}, %index;
  mov.u32 %c2, {REDRAW};
  shl.b32 %c3, %attempt, 24;
  add.u32 %attempt, %attempt, 1;"
    );
    pair(text);
    let _ = writeln!(
        text,
        "  mov.f64 %r{element}, %a;
  abs.f64 %x, %a;
  setp.le.f64 %p, %x, %bound;
  @%p bra drawn{element};
  mov.f64 %r{element}, %b;
  bra redraw{element};
cut{element}:
  min.f64 %r{element}, %r{element}, %bound;
  neg.f64 %x, %bound;
  max.f64 %r{element}, %r{element}, %x;
drawn{element}:
  mul.rn.f64 %x, %std, %r{element};
  cvt.rn.f32.f64 %value, %x;"
    );
}

/// PTX for any card that kernels run on.
pub fn ptx() -> String {
    let mut text = format!(
        "\
.version 8.0
.target sm_80
.address_size 64
.visible .entry {NAME}(.param .u64 out, .param .u64 elements, .param .u32 key0, .param .u32 key1, \
.param .f64 std, .param .f64 bound)
.maxntid {THREADS}, 1, 1
{{
  .reg .b32 %key0, %key1, %k0, %k1, %c0, %c1, %c2, %c3, %h0, %h1, %l0, %l1, %e, %attempt, %threads;
  .reg .b64 %out, %elements, %first, %index, %step, %at, %w, %high;
  .reg .f64 %std, %bound, %u, %m, %s, %t, %x, %y, %z, %radius, %a, %b, %r0, %r1;
  .reg .f32 %value;
  .reg .pred %p;
  ld.param.u64 %out, [out];
  ld.param.u64 %elements, [elements];
  ld.param.u32 %key0, [key0];
  ld.param.u32 %key1, [key1];
  ld.param.f64 %std, [std];
  ld.param.f64 %bound, [bound];
  mov.u32 %c0, %ctaid.x;
  mov.u32 %c1, %tid.x;
  mul.wide.u32 %first, %c0, {THREADS};
  cvt.u64.u32 %index, %c1;
  add.u64 %first, %first, %index;
  shl.b64 %first, %first, 1;
  mov.u32 %threads, %nctaid.x;
  mul.wide.u32 %step, %threads, {both};
again:
  setp.ge.u64 %p, %first, %elements;
  @%p bra end;
  shr.u64 %index, %first, 1;
  mov.b64 {{%c0, %c1}}, %index;
  mov.u32 %c2, 0;
  mov.u32 %c3, 0;
",
        both = 2 * THREADS,
    );
    pair(&mut text);
    text += "  mov.f64 %r0, %a;\n  mov.f64 %r1, %b;\n";
    redraw(&mut text, 0);
    text += "\
  shl.b64 %at, %first, 2;
  add.u64 %at, %at, %out;
  st.global.f32 [%at], %value;
";
    redraw(&mut text, 1);
    text += "\
  setp.ge.u64 %p, %index, %elements;
  @%p bra end;
  st.global.f32 [%at+4], %value;
  add.u64 %first, %first, %step;
  bra again;
end:
  ret;
}
";
    text
}
