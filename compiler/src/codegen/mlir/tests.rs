//! Text → numbers: compiled code is mapped and run where the machine can.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::codegen::mapped::{KernelCode, Mapped};
use crate::target::CPU_TARGETS;
use std::ptr::null_mut;

mod loops;

fn run(
    kernel: KernelCode,
    buffers: &mut [&mut [f32]],
    extents: &[i64],
    scalars: &[f32],
    tiles: i64,
) {
    let pointers: Vec<*mut u8> = buffers.iter_mut().map(|b| b.as_mut_ptr().cast()).collect();
    let (args, extents, scalars) = (pointers.as_ptr(), extents.as_ptr(), scalars.as_ptr());
    // SAFETY: the kernels of these tests stay inside the buffers they are given.
    unsafe { kernel(args, extents, scalars, 0, tiles, null_mut()) };
}

/// The targets whose code can run here.
fn runnable() -> impl Iterator<Item = CpuTarget> {
    CPU_TARGETS.into_iter().filter(CpuTarget::runs_here)
}

/// `out = scale · (x + y)` in tiles of `lanes`, the last tile masked.
fn add_text(lanes: usize) -> String {
    format!(
        r#"
func.func @add(%args: !llvm.ptr, %extents: !llvm.ptr, %scalars: !llvm.ptr, %begin: i64, %end: i64, %scratch: !llvm.ptr) {{
  %one = arith.constant 1 : i64
  %lanes = arith.constant {lanes} : i64
  %zero = arith.constant dense<0.0> : vector<{lanes}xf32>
  %p1 = llvm.getelementptr %args[1] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
  %p2 = llvm.getelementptr %args[2] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
  %x = llvm.load %args : !llvm.ptr -> !llvm.ptr
  %y = llvm.load %p1 : !llvm.ptr -> !llvm.ptr
  %out = llvm.load %p2 : !llvm.ptr -> !llvm.ptr
  %n = llvm.load %extents : !llvm.ptr -> i64
  %scale = llvm.load %scalars : !llvm.ptr -> f32
  %factor = vector.broadcast %scale : f32 to vector<{lanes}xf32>
  scf.for %tile = %begin to %end step %one : i64 {{
    %start = arith.muli %tile, %lanes : i64
    %left = arith.subi %n, %start : i64
    %count = arith.index_cast %left : i64 to index
    %mask = vector.create_mask %count : vector<{lanes}xi1>
    %px = llvm.getelementptr %x[%start] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %py = llvm.getelementptr %y[%start] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %po = llvm.getelementptr %out[%start] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %vx = llvm.intr.masked.load %px, %mask, %zero {{alignment = 4 : i32}} : (!llvm.ptr, vector<{lanes}xi1>, vector<{lanes}xf32>) -> vector<{lanes}xf32>
    %vy = llvm.intr.masked.load %py, %mask, %zero {{alignment = 4 : i32}} : (!llvm.ptr, vector<{lanes}xi1>, vector<{lanes}xf32>) -> vector<{lanes}xf32>
    %sum = arith.addf %vx, %vy : vector<{lanes}xf32>
    %scaled = arith.mulf %sum, %factor : vector<{lanes}xf32>
    llvm.intr.masked.store %scaled, %po, %mask {{alignment = 4 : i32}} : vector<{lanes}xf32>, vector<{lanes}xi1> into !llvm.ptr
  }}
  return
}}
"#
    )
}

/// Row sums of whole vectors; extent 0 is the row length, a tile is a row.
fn row_sum_text(lanes: usize) -> String {
    format!(
        r#"
func.func @row_sum(%args: !llvm.ptr, %extents: !llvm.ptr, %scalars: !llvm.ptr, %begin: i64, %end: i64, %scratch: !llvm.ptr) {{
  %zero = arith.constant 0 : i64
  %one = arith.constant 1 : i64
  %lanes = arith.constant {lanes} : i64
  %init = arith.constant dense<0.0> : vector<{lanes}xf32>
  %p1 = llvm.getelementptr %args[1] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
  %x = llvm.load %args : !llvm.ptr -> !llvm.ptr
  %out = llvm.load %p1 : !llvm.ptr -> !llvm.ptr
  %n = llvm.load %extents : !llvm.ptr -> i64
  scf.for %row = %begin to %end step %one : i64 {{
    %start = arith.muli %row, %n : i64
    %sum = scf.for %k = %zero to %n step %lanes iter_args(%acc = %init) -> (vector<{lanes}xf32>) : i64 {{
      %at = arith.addi %start, %k : i64
      %px = llvm.getelementptr %x[%at] : (!llvm.ptr, i64) -> !llvm.ptr, f32
      %v = llvm.load %px {{alignment = 4 : i64}} : !llvm.ptr -> vector<{lanes}xf32>
      %next = arith.addf %acc, %v : vector<{lanes}xf32>
      scf.yield %next : vector<{lanes}xf32>
    }}
    %total = vector.reduction <add>, %sum : vector<{lanes}xf32> into f32
    %po = llvm.getelementptr %out[%row] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    llvm.store %total, %po : f32, !llvm.ptr
  }}
  return
}}
"#
    )
}

#[test]
fn a_masked_vector_add_runs() {
    for target in runnable() {
        let lanes = target.vector_lanes_f32;
        let mapped = Mapped::new(&compile_module(&add_text(lanes), &target).unwrap());
        let n = 5 * lanes + 3;
        let mut x: Vec<f32> = (0..n).map(|i| i as f32).collect();
        let mut y: Vec<f32> = (0..n).map(|i| 1.0 - 3.0 * i as f32).collect();
        let mut out = vec![-1.0; n + lanes];
        let buffers: &mut [&mut [f32]] = &mut [&mut x, &mut y, &mut out];
        run(mapped.kernel("add"), buffers, &[n as i64], &[0.5], 6);
        for (i, value) in out.iter().enumerate() {
            let expected = if i < n { 0.5 - i as f32 } else { -1.0 };
            assert_eq!(*value, expected, "element {i} on {target}");
        }
    }
}

#[test]
fn a_reduction_runs() {
    for target in runnable() {
        let lanes = target.vector_lanes_f32;
        let mapped = Mapped::new(&compile_module(&row_sum_text(lanes), &target).unwrap());
        let (rows, n) = (7, 9 * lanes);
        // Small integers: every order of addition gives the same sum.
        let mut x: Vec<f32> = (0..rows * n).map(|i| (i % 13) as f32 - 4.0).collect();
        let expected: Vec<f32> = x.chunks(n).map(|row| row.iter().sum()).collect();
        let mut out = vec![f32::NAN; rows];
        let buffers: &mut [&mut [f32]] = &mut [&mut x, &mut out];
        run(
            mapped.kernel("row_sum"),
            buffers,
            &[n as i64],
            &[],
            rows as i64,
        );
        assert_eq!(out, expected, "{target}");
    }
}

/// A table of constants lands in read-only data, a switch in a jump table, and
/// zeroing a large array in a call of `memset`: all three must be linked.
const LINKED: &str = r#"
llvm.mlir.global internal constant @table(dense<[3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0]> : tensor<8xf32>) : !llvm.array<8 x f32>
func.func @linked(%args: !llvm.ptr, %extents: !llvm.ptr, %scalars: !llvm.ptr, %begin: i64, %end: i64, %scratch: !llvm.ptr) {
  %one = arith.constant 1 : i64
  %bytes = arith.constant 4096 : i64
  %nothing = arith.constant 0 : i8
  %out = llvm.load %args : !llvm.ptr -> !llvm.ptr
  %which = llvm.load %extents : !llvm.ptr -> i64
  "llvm.intr.memset"(%out, %nothing, %bytes) <{isVolatile = false}> : (!llvm.ptr, i8, i64) -> ()
  %table = llvm.mlir.addressof @table : !llvm.ptr
  scf.for %i = %begin to %end step %one : i64 {
    %p = llvm.getelementptr %table[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %v = llvm.load %p : !llvm.ptr -> f32
    %q = llvm.getelementptr %out[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    llvm.store %v, %q : f32, !llvm.ptr
  }
  %last = llvm.getelementptr %out[1023] : (!llvm.ptr) -> !llvm.ptr, f32
  cf.switch %which : i64, [default: ^other, 0: ^a, 1: ^b, 2: ^c, 3: ^d, 4: ^e, 5: ^f]
^a:
  %va = arith.constant 10.5 : f32
  %sa = llvm.load %scalars : !llvm.ptr -> f32
  %ra = arith.addf %va, %sa : f32
  llvm.store %ra, %last : f32, !llvm.ptr
  return
^b:
  llvm.store %one, %out : i64, !llvm.ptr
  return
^c:
  llvm.store %begin, %last : i64, !llvm.ptr
  return
^d:
  %pd = llvm.getelementptr %out[9] : (!llvm.ptr) -> !llvm.ptr, f32
  %vd = arith.constant 13.5 : f32
  llvm.store %vd, %pd : f32, !llvm.ptr
  return
^e:
  %pe = llvm.getelementptr %out[99] : (!llvm.ptr) -> !llvm.ptr, i16
  llvm.store %nothing, %pe : i8, !llvm.ptr
  return
^f:
  llvm.store %end, %scratch : i64, !llvm.ptr
  return
^other:
  return
}
"#;

#[test]
fn tables_jumps_and_memory_routines_are_linked() {
    for target in runnable() {
        let blob = compile_module(LINKED, &target).unwrap();
        assert_eq!(blob.entries.len(), 1, "{:?}", blob.entries);
        let mapped = Mapped::new(&blob);
        for which in [0, 3, 6] {
            let mut out = vec![7.0; 1025];
            run(
                mapped.kernel("linked"),
                &mut [&mut out],
                &[which],
                &[0.25],
                8,
            );
            let mut expected = vec![0.0; 1025];
            expected[..8].copy_from_slice(&[3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0]);
            expected[1024] = 7.0;
            match which {
                0 => expected[1023] = 10.75,
                3 => expected[9] = 13.5,
                _ => {}
            }
            assert_eq!(out, expected, "case {which} on {target}");
        }
    }
}

/// Moves bytes within a buffer by a routine: extents are the count of bytes and
/// the places, in floats, from and to.
const MOVE: &str = r#"
func.func @move(%args: !llvm.ptr, %extents: !llvm.ptr, %scalars: !llvm.ptr, %begin: i64, %end: i64, %scratch: !llvm.ptr) {
  %bytes = llvm.load %extents : !llvm.ptr -> i64
  %pf = llvm.getelementptr %extents[1] : (!llvm.ptr) -> !llvm.ptr, i64
  %pt = llvm.getelementptr %extents[2] : (!llvm.ptr) -> !llvm.ptr, i64
  %from = llvm.load %pf : !llvm.ptr -> i64
  %to = llvm.load %pt : !llvm.ptr -> i64
  %x = llvm.load %args : !llvm.ptr -> !llvm.ptr
  %source = llvm.getelementptr %x[%from] : (!llvm.ptr, i64) -> !llvm.ptr, f32
  %target = llvm.getelementptr %x[%to] : (!llvm.ptr, i64) -> !llvm.ptr, f32
  "llvm.intr.memmove"(%target, %source, %bytes) <{isVolatile = false}> : (!llvm.ptr, !llvm.ptr, i64) -> ()
  return
}
"#;

#[test]
fn overlapping_moves_are_right_both_ways() {
    let target = CPU_TARGETS[3];
    if !target.runs_here() {
        return;
    }
    let mapped = Mapped::new(&compile_module(MOVE, &target).unwrap());
    for (from, to) in [(0, 3), (3, 0), (10, 200), (5, 5)] {
        let mut x: Vec<f32> = (0..300).map(|i| i as f32).collect();
        let mut expected = x.clone();
        expected.copy_within(from..from + 75, to);
        let extents = [300, from as i64, to as i64];
        run(mapped.kernel("move"), &mut [&mut x], &extents, &[], 0);
        assert_eq!(x, expected, "{from} to {to}");
    }
}

/// `out[i] += x[2i + 1]·y[2i + 1], then x[2i]·y[2i]`, one vector.
const BF16_DOT: &str = r#"
func.func @dot(%args: !llvm.ptr, %extents: !llvm.ptr, %scalars: !llvm.ptr, %begin: i64, %end: i64, %scratch: !llvm.ptr) {
  %p1 = llvm.getelementptr %args[1] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
  %p2 = llvm.getelementptr %args[2] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
  %x = llvm.load %args : !llvm.ptr -> !llvm.ptr
  %y = llvm.load %p1 : !llvm.ptr -> !llvm.ptr
  %out = llvm.load %p2 : !llvm.ptr -> !llvm.ptr
  %vx = llvm.load %x {alignment = 4 : i64} : !llvm.ptr -> vector<32xbf16>
  %vy = llvm.load %y {alignment = 4 : i64} : !llvm.ptr -> vector<32xbf16>
  %acc = llvm.load %out {alignment = 4 : i64} : !llvm.ptr -> vector<16xf32>
  %r = llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"(%acc, %vx, %vy) : (vector<16xf32>, vector<32xbf16>, vector<32xbf16>) -> vector<16xf32>
  llvm.store %r, %out {alignment = 4 : i64} : vector<16xf32>, !llvm.ptr
  return
}
"#;

#[test]
fn bf16_dot_belongs_to_its_target() {
    let [_, bf16, plain, _] = CPU_TARGETS;
    let error = compile_module(BF16_DOT, &plain).unwrap_err();
    assert!(matches!(error, CodegenError::Unsupported(_)), "{error}");
    let blob = compile_module(BF16_DOT, &bf16).unwrap();
    if !bf16.runs_here() {
        return;
    }
    let mapped = Mapped::new(&blob);
    // Two bf16 in a float: the high half is the odd element.
    let pair =
        |even: f32, odd: f32| f32::from_bits(even.to_bits() >> 16 | odd.to_bits() & 0xffff_0000);
    let mut x: Vec<f32> = (0..16).map(|i| pair(i as f32, 2.0)).collect();
    let mut y = vec![pair(3.0, 0.5); 16];
    let mut out = vec![10.0; 16];
    run(
        mapped.kernel("dot"),
        &mut [&mut x, &mut y, &mut out],
        &[],
        &[],
        0,
    );
    let expected: Vec<f32> = (0..16).map(|i| 11.0 + 3.0 * i as f32).collect();
    assert_eq!(out, expected);
}

#[test]
fn faults_are_errors_with_messages() {
    let target = CPU_TARGETS[3];
    let mut compiler = Compiler::new(&crate::target::Target::Cpu(target)).unwrap();
    let mut fault = |body: &str| {
        let text = format!("func.func @k(%x: f32, %p: !llvm.ptr) -> f32 {{\n{body}\n}}");
        compiler.compile(&text).unwrap_err()
    };
    let error = fault("return %y : f32");
    assert!(
        matches!(&error, CodegenError::Parse(m) if m.contains("undeclared SSA value")),
        "{error}"
    );
    assert!(
        error.to_string().contains(":2:8"),
        "no position in: {error}"
    );
    let error = fault("%y = llvm.load %p : !llvm.ptr -> f64\nreturn %y : f64");
    assert!(
        matches!(&error, CodegenError::Parse(m) if m.contains("f64")),
        "{error}"
    );
    let error = fault("%y = math.exp %x : f32\nreturn %y : f32");
    assert!(
        matches!(&error, CodegenError::Unsupported(m) if m.contains("llvm.intr.exp")),
        "{error}"
    );
    let error = fault("gpu.barrier\nreturn %x : f32");
    assert!(
        matches!(&error, CodegenError::Parse(m) if m.contains("gpu.barrier")),
        "{error}"
    );
    let error =
        fault("%y = llvm.call_intrinsic \"llvm.x86.nothing\"(%x) : (f32) -> f32\nreturn %y : f32");
    assert!(
        matches!(&error, CodegenError::Unsupported(m) if m.contains("llvm.x86.nothing")),
        "{error}"
    );
    let text = "func.func private @expf(f32) -> f32\nfunc.func @k(%x: f32) -> f32 { %y = call @expf(%x) : (f32) -> f32\n return %y : f32 }";
    let error = compiler.compile(text).unwrap_err();
    assert!(
        matches!(&error, CodegenError::Link(m) if m.contains("`expf`")),
        "{error}"
    );
    let text = "llvm.mlir.global @g(1 : i32) : i32\nfunc.func @k() -> i32 { %a = llvm.mlir.addressof @g : !llvm.ptr\n %v = llvm.load %a : !llvm.ptr -> i32\n return %v : i32 }";
    let error = compiler.compile(text).unwrap_err();
    assert!(matches!(error, CodegenError::Link(_)), "{error}");
    assert!(compiler.compile("\0").is_err());
    // And still works.
    assert!(compiler.compile(&add_text(8)).is_ok());
}

#[test]
fn the_same_text_gives_the_same_bytes_on_any_thread() {
    let texts = [
        add_text(8),
        row_sum_text(8),
        LINKED.to_owned(),
        "broken".to_owned(),
    ];
    let modules: Vec<&str> = texts.iter().map(String::as_str).collect();
    let target = CPU_TARGETS[3];
    let one = compile_modules(&modules, &target, 1);
    let four = compile_modules(&modules, &target, 4);
    assert_eq!(one, four);
    assert_eq!(one.iter().filter(|result| result.is_ok()).count(), 3);
    for (text, result) in modules.iter().zip(&one) {
        assert_eq!(compile_module(text, &target), *result);
    }
    assert!(compile_modules(&[], &target, 4).is_empty());
}
