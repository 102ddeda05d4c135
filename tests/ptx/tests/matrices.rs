//! Tensor cores: fragments by `ldmatrix` and `mma.sync`, and `wgmma` in every layout of shared memory.

// A failed expectation in a test is a failed test, in its helpers too.
#![allow(clippy::unwrap_used)]

mod common;

use std::fmt::Write;

use common::Body;
use half::{bf16, f16};
use mm1_ptx::{FaultKind, Options};

fn value(i: usize) -> f32 {
    ((i * 29 + i / 5) % 23) as f32 / 8.0 - 1.25
}

/// Copies the input to shared memory, word by word, and makes it visible to tensor cores.
fn fill(bytes: usize, threads: u32) -> String {
    format!(
        "shl.b32 %r90, %r0, 2; mov.u32 %r91, sh; add.u32 %r91, %r91, %r90; cvt.u64.u32 %rd90, %r90;
         add.u64 %rd90, %rd90, %rd1;
         FILL: setp.ge.u32 %p30, %r90, {bytes}; @%p30 bra FILLED;
         ld.global.u32 %r92, [%rd90]; st.shared.u32 [%r91], %r92;
         add.u32 %r90, %r90, {step}; add.u32 %r91, %r91, {step}; add.u64 %rd90, %rd90, {step}; bra FILL;
         FILLED: fence.proxy.async.shared::cta; bar.sync 0;\n",
        step = 4 * threads
    )
}

#[test]
fn fragments_of_ldmatrix_fit_mma() {
    for (element, of) in [("bf16", true), ("f16", false)] {
        let bits = |x: f32| match of {
            true => bf16::from_f32(x).to_bits(),
            false => f16::from_f32(x).to_bits(),
        };
        let a: Vec<f32> = (0..16 * 16).map(value).collect();
        let b: Vec<f32> = (0..16 * 8).map(|i| value(7 * i + 1)).collect();
        let input: Vec<u8> = a
            .iter()
            .chain(&b)
            .flat_map(|&x| bits(x).to_le_bytes())
            .collect();
        // A by rows of 32 bytes, B by rows of 16 bytes, which `.trans` turns.
        let code = format!(
            "{}
             and.b32 %r1, %r0, 15; shr.u32 %r2, %r0, 4; shl.b32 %r3, %r1, 5; shl.b32 %r2, %r2, 4;
             mov.u32 %r4, sh; add.u32 %r5, %r4, %r3; add.u32 %r5, %r5, %r2;
             ldmatrix.sync.aligned.m8n8.x4.shared.b16 {{%r10, %r11, %r12, %r13}}, [%r5];
             shl.b32 %r6, %r1, 4; add.u32 %r6, %r6, %r4;
             ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {{%r14, %r15}}, [%r6+512];
             mov.f32 %f0, 0f3F800000; mov.f32 %f1, 0f3F800000; mov.f32 %f2, 0f3F800000; mov.f32 %f3, 0f3F800000;
             mma.sync.aligned.m16n8k16.row.col.f32.{element}.{element}.f32
               {{%f0, %f1, %f2, %f3}}, {{%r10, %r11, %r12, %r13}}, {{%r14, %r15}}, {{%f0, %f1, %f2, %f3}};
             st.global.v4.f32 [%rd0], {{%f0, %f1, %f2, %f3}};",
            fill(768, 32)
        );
        let body = Body {
            words: 4,
            input,
            ..Body::new(&code)
        };
        let result = body.run().unwrap_or_else(|fault| panic!("{fault}"));
        for row in 0..16 {
            for column in 0..8 {
                let exact: f32 = 1.0
                    + (0..16)
                        .map(|k| a[row * 16 + k] * b[k * 8 + column])
                        .sum::<f32>();
                let lane = row % 8 * 4 + column / 2;
                let found = f32::from_bits(result[4 * lane + row / 8 * 2 + column % 2]);
                assert_eq!(found, exact, "{element} {row} {column}");
            }
        }
    }
}

#[test]
fn tf32_products() {
    // Fragments as the manual lists them; low bits of the registers do not count.
    let a: Vec<f32> = (0..16 * 8).map(value).collect();
    let b: Vec<f32> = (0..8 * 8).map(|i| value(7 * i + 1)).collect();
    let mut input = Vec::new();
    for lane in 0..32 {
        let (group, thread) = (lane / 4, lane % 4);
        for (row, k) in [(0, 0), (8, 0), (0, 4), (8, 4)] {
            let bits = a[(group + row) * 8 + thread + k].to_bits();
            input.extend((bits | 0x1FFF).to_le_bytes());
        }
        for k in [0, 4] {
            input.extend(b[(thread + k) * 8 + group].to_bits().to_le_bytes());
        }
    }
    let code = "mad.wide.u32 %rd3, %r0, 24, %rd1;
        ld.global.v2.u32 {%r1, %r2}, [%rd3]; ld.global.v2.u32 {%r3, %r4}, [%rd3+8];
        ld.global.v2.u32 {%r5, %r6}, [%rd3+16]; mov.f32 %f0, 0f00000000;
        mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32
          {%f1, %f2, %f3, %f4}, {%r1, %r2, %r3, %r4}, {%r5, %r6}, {%f0, %f0, %f0, %f0};
        st.global.v4.f32 [%rd0], {%f1, %f2, %f3, %f4};";
    let result = Body {
        words: 4,
        input,
        ..Body::new(code)
    }
    .run()
    .unwrap();
    for row in 0..16 {
        for column in 0..8 {
            let exact: f32 = (0..8).map(|k| a[row * 8 + k] * b[k * 8 + column]).sum();
            let lane = row % 8 * 4 + column / 2;
            let found = f32::from_bits(result[4 * lane + row / 8 * 2 + column % 2]);
            assert_eq!(found, exact, "{row} {column}");
        }
    }
}

#[test]
fn stmatrix_turns_ldmatrix_round() {
    let input: Vec<u8> = (0..128u16).flat_map(|i| i.to_le_bytes()).collect();
    for (trans, expected) in [("", false), (".trans", true)] {
        let code = format!(
            "{}
             and.b32 %r1, %r0, 7; shl.b32 %r1, %r1, 4; mov.u32 %r2, sh; add.u32 %r1, %r1, %r2;
             ldmatrix.sync.aligned.m8n8.x1.shared.b16 {{%r3}}, [%r1]; bar.warp.sync -1;
             stmatrix.sync.aligned.m8n8.x1{trans}.shared.b16 [%r1+512], {{%r3}}; bar.warp.sync -1;
             shl.b32 %r4, %r0, 2; add.u32 %r4, %r4, %r2; ld.shared.u32 %r5, [%r4+512];
             st.global.u32 [%rd0], %r5;",
            fill(256, 32)
        );
        let result = Body {
            input: input.clone(),
            ..Body::new(&code)
        }
        .run()
        .unwrap();
        for (i, word) in result.iter().enumerate() {
            let place = |i: u32| if expected { i % 8 * 8 + i / 8 } else { i };
            let i = 2 * i as u32;
            assert_eq!(*word, place(i + 1) << 16 | place(i));
        }
    }
}

/// One operand of a `wgmma` in shared memory, by the canonical layouts of the PTX manual: "core matrices"
/// of eight rows of 16 bytes, swizzled over rows of 16, 32, 64 or 128 bytes.
#[derive(Clone, Copy, Debug)]
struct Layout {
    swizzle: u64,
    /// Rows along k, each with consecutive m or n.
    mn_major: bool,
    /// Bytes of an element.
    bytes: u64,
    /// Rows of the operand along m or n.
    mn: u64,
}

impl Layout {
    fn row(&self) -> u64 {
        self.swizzle.max(16)
    }

    /// Bytes of eight rows.
    fn atom(&self) -> u64 {
        8 * self.row()
    }

    /// Byte of an element from the operand's start, which is a multiple of 1024.
    fn place(&self, mn: u64, k: u64) -> u64 {
        let linear = if self.mn_major {
            // Atoms of 8 values of k; first along k, then along mn.
            let per_row = self.row() / self.bytes;
            let atom = mn / per_row * 2 + k / 8;
            atom * self.atom() + k % 8 * self.row() + mn % per_row * self.bytes
        } else {
            // Atoms of 8 rows; without a swizzle two for the 32 bytes of k, side by side.
            let at = k * self.bytes;
            let atoms = if self.swizzle == 0 { 2 } else { 1 };
            let atom = mn / 8 * atoms + at / self.row();
            atom * self.atom() + mn % 8 * self.row() + at % self.row()
        };
        // Chunks of 16 bytes change places with the row of 128 bytes in which they lie.
        let chunks = self.row() / 16;
        let (line, chunk) = (linear / 128, linear / 16 % 8);
        let moved = chunk ^ (line & (chunks - 1));
        line * 128 + moved * 16 + linear % 16
    }

    /// Bytes of the operand with its gaps.
    fn size(&self) -> u64 {
        if self.mn_major {
            self.mn.div_ceil(self.row() / self.bytes) * 2 * self.atom()
        } else {
            self.mn / 8 * self.atom() * if self.swizzle == 0 { 2 } else { 1 }
        }
    }

    fn descriptor(&self, start: u64) -> u64 {
        let mode = match self.swizzle {
            0 => 0,
            128 => 1,
            64 => 2,
            _ => 3,
        };
        let (leading, stride) = match (self.mn_major, self.swizzle) {
            (false, 0) => (self.atom(), 2 * self.atom()),
            (false, _) => (16, self.atom()),
            (true, 0) => (self.atom(), 2 * self.atom()),
            (true, _) => (2 * self.atom(), self.atom()),
        };
        start >> 4 | leading >> 4 << 16 | stride >> 4 << 32 | mode << 62
    }
}

struct Case {
    n: u64,
    element: &'static str,
    a: Layout,
    b: Layout,
    a_in_registers: bool,
    signs: (i32, i32),
}

impl Case {
    fn code(&self, image: usize, second: u64) -> String {
        let k = 32 / self.a.bytes;
        let count = self.n / 2;
        let list = (0..count)
            .map(|i| format!("%acc{i}"))
            .collect::<Vec<_>>()
            .join(", ");
        let mut code = fill(image, 128);
        writeln!(code, ".reg .f32 %acc<{count}>;").unwrap();
        for i in 0..count {
            writeln!(code, "mov.f32 %acc{i}, 0f40000000;").unwrap();
        }
        let a = if self.a_in_registers {
            // The fragments stand behind the operands: four words for each thread.
            writeln!(
                code,
                "shl.b32 %r1, %r0, 4; add.u32 %r1, %r1, {second}; mov.u32 %r2, sh; add.u32 %r1, %r1, %r2;
                 ld.shared.v4.u32 {{%r3, %r4, %r5, %r6}}, [%r1];"
            )
            .unwrap();
            "{%r3, %r4, %r5, %r6}".to_string()
        } else {
            writeln!(code, "mov.b64 %rd3, {:#x};", self.a.descriptor(1024)).unwrap();
            "%rd3".to_string()
        };
        writeln!(
            code,
            "mov.b64 %rd4, {:#x};",
            self.b.descriptor(1024 + self.b_start())
        )
        .unwrap();
        let transposed = match (self.element, self.a_in_registers) {
            ("tf32", _) => String::new(),
            (_, true) => format!(", {}", u32::from(self.b.mn_major)),
            (_, false) => {
                format!(
                    ", {}, {}",
                    u32::from(self.a.mn_major),
                    u32::from(self.b.mn_major)
                )
            }
        };
        let (element, n) = (self.element, self.n);
        let (sign_a, sign_b) = self.signs;
        writeln!(
            code,
            "setp.eq.u32 %p1, %r0, %r0; wgmma.fence.sync.aligned;
             wgmma.mma_async.sync.aligned.m64n{n}k{k}.f32.{element}.{element}
               {{{list}}}, {a}, %rd4, %p1, {sign_a}, {sign_b}{transposed};
             wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 0;"
        )
        .unwrap();
        for i in 0..count {
            writeln!(code, "st.global.f32 [%rd0+{}], %acc{i};", 4 * i).unwrap();
        }
        code
    }

    fn b_start(&self) -> u64 {
        self.a.size().next_multiple_of(1024)
    }

    fn check(&self) {
        let k = 32 / self.a.bytes;
        let a = |row: u64, k: u64| value((row * 31 + k) as usize);
        let b = |row: u64, k: u64| value((row * 17 + 3 * k + 2) as usize);
        let bits = |x: f32| -> Vec<u8> {
            match self.element {
                "bf16" => bf16::from_f32(x).to_le_bytes().into(),
                "f16" => f16::from_f32(x).to_le_bytes().into(),
                _ => x.to_le_bytes().into(),
            }
        };
        let registers = self.b_start() + self.b.size().next_multiple_of(1024);
        let mut image = vec![0; (registers + 2048) as usize];
        let size = self.a.bytes as usize;
        for k in 0..k {
            for row in 0..64 {
                let place = self.a.place(row, k) as usize;
                image[place..place + size].copy_from_slice(&bits(a(row, k)));
            }
            for row in 0..self.n {
                let place = (self.b_start() + self.b.place(row, k)) as usize;
                image[place..place + size].copy_from_slice(&bits(b(row, k)));
            }
        }
        let per_word = 4 / self.a.bytes;
        for thread in 0..128u64 {
            for register in 0..4 {
                let row = thread / 32 * 16 + thread % 32 / 4 + 8 * (register % 2);
                let first = per_word * (thread % 4 + 4 * (register / 2));
                let at = (registers + 16 * thread + 4 * register) as usize;
                let word: Vec<u8> = (first..first + per_word)
                    .flat_map(|k| bits(a(row, k)))
                    .collect();
                image[at..at + 4].copy_from_slice(&word);
            }
        }
        assert!(image.len() <= 32768);
        let code = self.code(image.len(), registers);
        let words = self.n as usize / 2;
        let body = Body {
            threads: 128,
            words,
            input: image,
            ..Body::new(&code)
        };
        let result = body
            .run()
            .unwrap_or_else(|fault| panic!("{:?} {:?}: {fault}", self.a, self.b));
        for thread in 0..128u64 {
            for index in 0..self.n / 2 {
                let row = thread / 32 * 16 + thread % 32 / 4 + 8 * (index / 2 % 2);
                let column = 8 * (index / 4) + 2 * (thread % 4) + index % 2;
                let sign = (self.signs.0 * self.signs.1) as f32;
                let exact: f32 = 2.0 + sign * (0..k).map(|k| a(row, k) * b(column, k)).sum::<f32>();
                let found = f32::from_bits(result[(thread * self.n / 2 + index) as usize]);
                assert_eq!(found, exact, "{:?} {:?} {row} {column}", self.a, self.b);
            }
        }
    }
}

#[test]
fn wgmma_in_every_layout() {
    let mut checked = 0;
    for swizzle in [0, 32, 64, 128] {
        for (n, mn_a, mn_b) in [
            (64, false, false),
            (128, false, true),
            (64, true, false),
            (192, true, true),
            (8, false, false),
            (24, true, false),
        ] {
            let a = Layout {
                swizzle,
                mn_major: mn_a,
                bytes: 2,
                mn: 64,
            };
            let b = Layout {
                swizzle,
                mn_major: mn_b,
                bytes: 2,
                mn: n,
            };
            let element = if n == 24 { "f16" } else { "bf16" };
            for a_in_registers in [false, true] {
                if a_in_registers && mn_a {
                    continue;
                }
                let signs = if n == 128 { (-1, 1) } else { (1, 1) };
                Case {
                    n,
                    element,
                    a,
                    b,
                    a_in_registers,
                    signs,
                }
                .check();
                checked += 1;
            }
        }
        let layout = |mn| Layout {
            swizzle,
            mn_major: false,
            bytes: 4,
            mn,
        };
        for a_in_registers in [false, true] {
            let (a, b) = (layout(64), layout(32));
            Case {
                n: 32,
                element: "tf32",
                a,
                b,
                a_in_registers,
                signs: (-1, -1),
            }
            .check();
            checked += 1;
        }
    }
    assert_eq!(checked, 4 * 11);
}

#[test]
fn generic_stores_need_a_proxy_fence_before_tensor_cores() {
    let layout = |mn| Layout {
        swizzle: 128,
        mn_major: false,
        bytes: 2,
        mn,
    };
    let (a, b) = (layout(64), layout(64));
    let case = Case {
        n: 64,
        element: "bf16",
        a,
        b,
        a_in_registers: false,
        signs: (1, 1),
    };
    let code = case
        .code(8192, 0)
        .replace("fence.proxy.async.shared::cta;", "");
    let body = Body {
        threads: 128,
        words: 32,
        input: vec![0; 8192],
        ..Body::new(&code)
    };
    let fault = body.fault();
    assert_eq!(fault.kind, FaultKind::SharedRace);
    assert!(fault.message.contains("fence.proxy.async"), "{fault}");
    // With the fence and without the barrier, the order of threads is what is missing.
    for schedule in 0..4 {
        let code = case.code(8192, 0).replace("bar.sync 0;", "");
        let options = Options {
            schedule,
            ..Options::default()
        };
        let input = vec![0; 8192];
        let body = Body {
            threads: 128,
            words: 32,
            input,
            options,
            ..Body::new(&code)
        };
        let kind = body.fault().kind;
        assert!(matches!(
            kind,
            FaultKind::SharedRace | FaultKind::UninitialisedMemory
        ));
    }
}

#[test]
fn registers_that_wgmma_uses_are_left_alone() {
    let layout = |mn| Layout {
        swizzle: 128,
        mn_major: false,
        bytes: 2,
        mn,
    };
    let (a, b) = (layout(64), layout(64));
    let case = Case {
        n: 64,
        element: "bf16",
        a,
        b,
        a_in_registers: true,
        signs: (1, 1),
    };
    let code = case.code(16384, 8192);
    let run = |code: &str| {
        let input = vec![0; 16384];
        Body {
            threads: 128,
            words: 32,
            input,
            ..Body::new(code)
        }
        .run()
    };
    run(&code).unwrap();
    let before = |text: &str, inserted: &str| code.replace(text, &format!("{inserted} {text}"));
    let wait = "wgmma.wait_group.sync.aligned 0;";
    for (inserted, kind) in [
        ("add.f32 %f1, %acc3, %acc3;", FaultKind::NotWaited),
        ("mov.f32 %acc3, 0f00000000;", FaultKind::NotWaited),
        ("add.u32 %r5, %r0, 1;", FaultKind::NotWaited),
    ] {
        assert_eq!(
            run(&before(wait, inserted)).unwrap_err().kind,
            kind,
            "{inserted}"
        );
    }
    // Reading the operand is no harm, nor is moving an accumulator that nobody looks at.
    run(&before(wait, "add.u32 %r7, %r5, 1; mov.f32 %f1, %acc3;")).unwrap();
    let used = before(wait, "mov.f32 %f1, %acc3; add.f32 %f2, %f1, %f1;");
    assert_eq!(run(&used).unwrap_err().kind, FaultKind::NotWaited);
    // Arithmetic on an accumulator needs a fence before the next instruction, a plain move does not.
    let call = "wgmma.mma_async";
    let late = before(call, "add.f32 %acc3, %acc3, %acc3;");
    let options = Options {
        wgmma_fences: false,
        ..Options::default()
    };
    let input = vec![0; 16384];
    Body {
        threads: 128,
        words: 32,
        input,
        options,
        ..Body::new(&late)
    }
    .run()
    .unwrap();
    let fault = run(&before(call, "add.f32 %acc3, %acc3, %acc3;")).unwrap_err();
    assert!(fault.message.contains("wgmma.fence"), "{fault}");
    run(&before(call, "mov.f32 %acc3, 0f00000000;")).unwrap();
    // All four warps issue the same.
    let differ = before(
        call,
        "setp.gt.u32 %p2, %r0, 63; @%p2 add.u64 %rd4, %rd4, 2;",
    );
    assert_eq!(run(&differ).unwrap_err().kind, FaultKind::Divergence);
    let exits = code.replace(wait, "st.global.f32 [%rd0], 0f00000000; ret;");
    assert_eq!(run(&exits).unwrap_err().kind, FaultKind::NotWaited);
}
