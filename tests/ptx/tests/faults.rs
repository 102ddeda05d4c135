//! Mistakes of single threads: each is named by its kind, thread and address.

// A failed expectation in a test is a failed test, in its helpers too.
#![allow(clippy::unwrap_used)]

mod common;

use common::Body;
use mm1_ptx::{Fault, FaultKind, Memory, Module, Options, Param, launch};

fn fault(code: &str) -> Fault {
    Body::new(code).fault()
}

#[test]
fn addresses() {
    let kinds = [
        ("ld.global.u32 %r1, [%rd1+16];", FaultKind::OutOfBounds),
        ("ld.global.u32 %r1, [%rd1+-4];", FaultKind::OutOfBounds),
        (
            "ld.global.v2.u32 {%r1, %r2}, [%rd1+12];",
            FaultKind::Misaligned,
        ),
        ("ld.global.u32 %r1, [%rd1+2];", FaultKind::Misaligned),
        ("ld.u32 %r1, [0];", FaultKind::OutOfBounds),
        (
            "mov.u32 %r2, sh; ld.shared.u32 %r1, [%r2+32768];",
            FaultKind::OutOfBounds,
        ),
        ("ld.shared.u32 %r1, [0];", FaultKind::OutOfBounds),
        ("st.shared.u32 [sh+2], %r0;", FaultKind::Misaligned),
        ("ld.shared.u32 %r1, [sh];", FaultKind::UninitialisedMemory),
        ("ld.global.u32 %r1, [%rd0];", FaultKind::UninitialisedMemory),
        (
            "st.shared.u16 [sh], 5; ld.shared.u32 %r1, [sh];",
            FaultKind::UninitialisedMemory,
        ),
        ("add.u32 %r1, %r0, %r2;", FaultKind::UninitialisedRegister),
        (
            "st.global.u32 [%rd0], %r9;",
            FaultKind::UninitialisedRegister,
        ),
        ("@%p3 mov.u32 %r1, 0;", FaultKind::UninitialisedRegister),
        ("red.global.add.f32 [%rd1], %f0;", FaultKind::Refused),
        ("trap;", FaultKind::Trap),
        ("bar.sync 16;", FaultKind::Barrier),
        ("bar.sync 1, 33;", FaultKind::Barrier),
        ("bar.sync 1, 64;", FaultKind::Deadlock),
        ("mbarrier.arrive.shared.b64 _, [sh];", FaultKind::Mbarrier),
        ("mbarrier.init.shared.b64 [sh+4], 1;", FaultKind::Misaligned),
        ("wgmma.fence.sync.aligned;", FaultKind::Divergence),
    ];
    for (code, kind) in kinds {
        let fault = fault(code);
        assert_eq!(fault.kind, kind, "{code}: {fault}");
        assert!(fault.line > 0 && !fault.text.is_empty(), "{fault}");
    }
}

#[test]
fn the_thread_and_the_address_are_named() {
    let code = "setp.ne.u32 %p0, %r0, 13; @%p0 bra L; ld.global.u32 %r1, [%rd1+16]; L: ";
    let fault = fault(code);
    assert_eq!(fault.thread, [13, 0, 0]);
    assert_eq!(fault.block, [0, 0, 0]);
    assert_eq!(fault.address.unwrap() % 4096, 16);
    assert_eq!(&fault.text, "ld.global.u32 %r1, [%rd1+16];");
    assert!(
        fault
            .to_string()
            .contains("in `k`, block [0, 0, 0], thread [13, 0, 0]"),
        "{fault}"
    );
}

#[test]
fn a_register_written_by_some_threads_only() {
    let code = "setp.gt.u32 %p0, %r0, 3; @%p0 mov.u32 %r1, 0; st.global.u32 [%rd0], %r1;";
    let fault = fault(code);
    assert_eq!(
        (fault.kind, fault.thread),
        (FaultKind::UninitialisedRegister, [0, 0, 0])
    );
    assert!(fault.message.contains("4 threads"), "{fault}");
}

#[test]
fn an_endless_loop_ends_at_the_step_limit() {
    let options = Options {
        step_limit: 10_000,
        ..Options::default()
    };
    let body = Body {
        options,
        ..Body::new("L: bra L;")
    };
    assert_eq!(body.fault().kind, FaultKind::StepLimit);
}

const COPY: &str = ".version 8.6\n.target sm_90a\n.address_size 64\n\
    .const .align 4 .b8 table[8] = {1, 0, 0, 0, 2};\n\
    .global .align 4 .u32 counter;\n\
    .entry k(.param .u64 p) .reqntid 32\n{\n.reg .u64 %a; .reg .u32 %x, %y;\n\
    ld.param.u64 %a, [p];\nld.const.u32 %x, [table+4];\n\
    atom.global.add.u32 %y, [counter], %x;\nadd.u32 %x, %x, %y;\nst.global.u32 [%a], %x;\nret;\n}\n";

#[test]
fn freed_memory_and_wrong_launches() {
    let module = Module::parse(COPY).unwrap();
    let mut memory = Memory::new();
    let out = memory.alloc(4);
    let run = |memory: &mut Memory, entry: &str, threads: u32, params: &[Param]| {
        let options = Options::default();
        launch(
            &module,
            entry,
            [1, 1, 1],
            [threads, 1, 1],
            0,
            params,
            memory,
            &options,
        )
    };
    let good = [Param::U64(out)];
    run(&mut memory, "k", 32, &good).unwrap();
    // 32 threads added 2 each; the variable lives on between launches.
    assert_eq!(memory.read(out, 4).unwrap(), 64u32.to_le_bytes());
    run(&mut memory, "k", 32, &good).unwrap();
    assert_eq!(memory.read(out, 4).unwrap(), 128u32.to_le_bytes());
    for (entry, threads, params) in [
        ("j", 32, &good[..]),
        ("k", 64, &good),
        ("k", 32, &[]),
        ("k", 32, &[Param::U32(1)]),
    ] {
        let fault = run(&mut memory, entry, threads, params).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Launch);
    }
    memory.free(out).unwrap();
    let fault = run(&mut memory, "k", 32, &good).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Freed);
    assert!(memory.free(out).is_err() && memory.read(out, 4).is_err());
}

#[test]
fn constant_memory_cannot_be_written() {
    let text = COPY.replace(
        "st.global.u32 [%a]",
        "mov.u64 %a, table; st.global.u32 [%a]",
    );
    let module = Module::parse(&text).unwrap();
    let params = [Param::U64(0)];
    let (mut memory, options) = (Memory::new(), Options::default());
    let fault = launch(
        &module,
        "k",
        [1, 1, 1],
        [32, 1, 1],
        0,
        &params,
        &mut memory,
        &options,
    )
    .unwrap_err();
    assert_eq!(fault.kind, FaultKind::ReadOnly);
}

#[test]
fn what_is_not_known_is_refused_when_parsed() {
    let parse = |line: &str| {
        let text = format!(".entry k()\n{{\n.reg .b32 %r<3>;\n{line}\nret;\n}}\n");
        Module::parse(&text).err().unwrap()
    };
    let error = parse("tcgen05.fence;");
    assert_eq!(
        (error.line, error.message.as_str()),
        (4, "`tcgen05.fence` is not supported")
    );
    assert!(parse("add.s32 %r0, %r1;").message.contains("2 operands"));
    assert!(
        parse("add.s32 %r0, %r1, %r7;")
            .message
            .contains("`%r7` is not declared")
    );
    assert!(parse("add.s64 %r0, %r1, %r2;").message.contains("Wide"));
    assert!(
        parse("add.ftz.s32 %r0, %r1, %r2;")
            .message
            .contains("not supported")
    );
    assert!(parse("bra NOWHERE;").message.contains("not a label"));
}
