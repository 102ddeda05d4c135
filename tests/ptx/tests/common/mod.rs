//! Runs one piece of PTX on many values and compares every result.

#![allow(dead_code)] // Each test file uses its part.

use std::fmt::Write;

use mm1_ptx::{Fault, Memory, Module, Options, Param, launch};

/// What register an operand needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Pred,
    B16,
    B32,
    B64,
}

/// Values that sit where rules change: zeros, ends of ranges, NaN, infinities, subnormals, ties.
fn values(kind: Kind) -> Vec<u64> {
    let f16 = [
        0x0000, 0x8000, 0x3C00, 0xBC00, 0x7C00, 0xFC00, 0x7E01, 0x0001, 0x83FF, 0x7BFF,
    ];
    let bf16 = [
        0x3F80, 0xBF81, 0x4049, 0xC2C8, 0x7F7F, 0x7F80, 0xFF80, 0x7FC1, 0x0080, 0x807F,
    ];
    let mut list: Vec<u64> = match kind {
        Kind::Pred => vec![0, 1],
        Kind::B16 => [f16, bf16].concat(),
        Kind::B32 => vec![
            0,
            1,
            2,
            5,
            7,
            24,
            31,
            32,
            33,
            63,
            64,
            255,
            256,
            0x7FFF_FFFF,
            0x8000_0000,
            0x8000_0001,
            0xFFFF_FFFF,
            0xFFFF_FF80,
            0x0000_8000,
            0x00FF_FFFF,
            0x0080_0000,
            0x0012_3456,
            0x3F80_0000,
            0xBF80_0000,
            0x3F00_0000,
            0x4020_0000,
            0xC020_0000,
            0x4B7F_FFFF,
            0x4F00_0000,
            0xCF00_0001,
            0x5F00_0000,
            0x7F7F_FFFF,
            0xFF7F_FFFF,
            0x7F80_0000,
            0xFF80_0000,
            0x7FC0_0001,
            0x3F80_8000,
            0x3F81_8000,
            0x3F80_1000,
            0x3DCC_CCCD,
            0xC2AE_0000,
            0x4049_0FDB,
            0x7654_3210,
            0xFEDC_BA98,
        ],
        Kind::B64 => vec![
            0,
            1,
            3,
            0x7FFF_FFFF,
            0x8000_0000,
            0xFFFF_FFFF,
            0x1_0000_0000,
            1 << 62,
            i64::MAX as u64,
            1 << 63,
            u64::MAX,
            u64::MAX - 1,
            0x8000_0000_0000_0001,
            0x0123_4567_89AB_CDEF,
            0x0100_0080_0000_0001,
            0x3FF0_0000_0000_0000,
            0xBFF8_0000_0000_0000,
            0x3FF0_0000_1000_0000,
            0x3FF0_0000_1000_0001,
            0x47EF_FFFF_F000_0000,
            0x41DF_FFFF_FFC0_0000,
            0xC3E0_0000_0000_0000,
            0x7FF0_0000_0000_0000,
            0xFFF0_0000_0000_0000,
            0x7FF8_0000_0000_0000,
            0x0000_0000_0000_0001,
            0x3810_0000_0000_0000,
            0x36A0_0000_0000_0000,
        ],
    };
    // A few without any pattern.
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    for _ in 0..4 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        list.push(match kind {
            Kind::Pred => state & 1,
            Kind::B16 => state & 0xFFFF,
            Kind::B32 => state & 0xFFFF_FFFF,
            Kind::B64 => state,
        });
    }
    list
}

fn register(kind: Kind) -> &'static str {
    match kind {
        Kind::Pred => "pred",
        Kind::B16 => "b16",
        Kind::B32 => "b32",
        Kind::B64 => "b64",
    }
}

fn bytes(kind: Kind) -> u64 {
    match kind {
        Kind::Pred | Kind::B32 => 4,
        Kind::B16 => 2,
        Kind::B64 => 8,
    }
}

/// Runs `code`, which computes `%d` from `%a`, `%b` and `%c`, on all combinations of [`values`].
/// Results that are NaN of 64 bits need not agree in their payload.
pub fn check(code: &str, result: Kind, arguments: &[Kind], expected: impl Fn(&[u64]) -> u64) {
    let lists: Vec<Vec<u64>> = arguments.iter().map(|&kind| values(kind)).collect();
    let mut cases = vec![vec![]];
    for list in &lists {
        cases = cases
            .iter()
            .flat_map(|case: &Vec<u64>| {
                list.iter().map(|&value| {
                    let mut case = case.clone();
                    case.push(value);
                    case
                })
            })
            .collect();
    }
    if cases.len() > 30_000 {
        let step = cases.len() / 30_000 + 1;
        cases = cases.into_iter().step_by(step).collect();
    }
    assert!(cases.len() >= 10);

    let mut text = String::from(".version 8.7\n.target sm_90a\n.address_size 64\n.entry k(");
    text += ".param .u64 pd, .param .u64 pa, .param .u64 pb, .param .u64 pc, .param .u64 n)\n{\n";
    writeln!(text, ".reg .{} %d;", register(result)).unwrap();
    for (name, &kind) in ["%a", "%b", "%c"].iter().zip(arguments) {
        writeln!(text, ".reg .{} {name};", register(kind)).unwrap();
    }
    text += ".reg .b32 %r<8>; .reg .b64 %i<8>; .reg .pred %out;\n";
    text += "mov.u32 %r0, %tid.x; mov.u32 %r1, %ctaid.x; mov.u32 %r2, %ntid.x;\n";
    text += "mad.lo.s32 %r0, %r1, %r2, %r0; cvt.u64.u32 %i0, %r0; ld.param.b64 %i1, [n];\n";
    text += "setp.ge.u64 %out, %i0, %i1;\n@%out ret;\n";
    for (name, &kind) in ["a", "b", "c"].iter().zip(arguments) {
        writeln!(text, "ld.param.b64 %i2, [p{name}];").unwrap();
        writeln!(text, "mad.lo.s64 %i2, %i0, {}, %i2;", bytes(kind)).unwrap();
        writeln!(text, "ld.global.{} %{name}, [%i2];", register(kind)).unwrap();
    }
    writeln!(text, "{code}").unwrap();
    text += "ld.param.b64 %i3, [pd];\n";
    writeln!(text, "mad.lo.s64 %i3, %i0, {}, %i3;", bytes(result)).unwrap();
    if result == Kind::Pred {
        text += "selp.b32 %r3, 1, 0, %d;\nst.global.b32 [%i3], %r3;\n";
    } else {
        writeln!(text, "st.global.{} [%i3], %d;", register(result)).unwrap();
    }
    text += "ret;\n}\n";

    let module = Module::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let mut memory = Memory::new();
    let out = memory.alloc(cases.len() * bytes(result) as usize);
    let mut params = vec![Param::U64(out)];
    for index in 0..3 {
        let data: Vec<u8> = match arguments.get(index) {
            None => vec![],
            Some(&kind) => cases
                .iter()
                .flat_map(|case| case[index].to_le_bytes()[..bytes(kind) as usize].to_vec())
                .collect(),
        };
        params.push(Param::U64(memory.alloc_from(&data)));
    }
    params.push(Param::U64(cases.len() as u64));
    let grid = [cases.len().div_ceil(128) as u32, 1, 1];
    let options = Options::default();
    launch(
        &module,
        "k",
        grid,
        [128, 1, 1],
        0,
        &params,
        &mut memory,
        &options,
    )
    .unwrap_or_else(|fault| panic!("{code}: {fault}"));
    let size = bytes(result) as usize;
    let data = memory.read(out, cases.len() * size).unwrap();
    for (case, chunk) in cases.iter().zip(data.chunks(size)) {
        let mut value = [0; 8];
        value[..size].copy_from_slice(chunk);
        let (found, wanted) = (u64::from_le_bytes(value), expected(case));
        let nan = |bits: u64| size == 8 && f64::from_bits(bits).is_nan();
        let text = || {
            case.iter()
                .map(|x| format!("{x:#x}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let agree = found == wanted || (nan(found) && nan(wanted));
        assert!(
            agree,
            "`{code}` of {}: {found:#x} instead of {wanted:#x}",
            text()
        );
    }
}

/// A kernel around `body`, which finds its thread number in `%r0`, the address of its own results in
/// `%rd0` (`words` of 32 bits for each thread), the input in `%rd1`, and 32 KiB of shared memory `sh`.
pub struct Body<'a> {
    pub code: &'a str,
    pub threads: u32,
    pub words: usize,
    pub input: Vec<u8>,
    pub options: Options,
}

impl<'a> Body<'a> {
    /// One warp with one word of result for each thread.
    pub fn new(code: &'a str) -> Body<'a> {
        Body {
            code,
            threads: 32,
            words: 1,
            input: vec![0; 16],
            options: Options::default(),
        }
    }

    /// The results, thread by thread.
    pub fn run(&self) -> Result<Vec<u32>, Fault> {
        let text = format!(
            ".version 8.6\n.target sm_90a\n.address_size 64\n\
             .entry k(.param .u64 out, .param .u64 in)\n{{\n\
             .shared .align 1024 .b8 sh[32768];\n\
             .reg .b32 %r<99>; .reg .b64 %rd<99>; .reg .pred %p<32>; .reg .f32 %f<99>;\n\
             .reg .b16 %rs<32>;\n\
             mov.u32 %r0, %tid.x; ld.param.u64 %rd0, [out]; ld.param.u64 %rd1, [in];\n\
             mul.wide.u32 %rd2, %r0, {}; add.u64 %rd0, %rd0, %rd2;\n{}\nret;\n}}\n",
            4 * self.words,
            self.code
        );
        let module = Module::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let mut memory = Memory::new();
        let bytes = 4 * self.words * self.threads as usize;
        let out = memory.alloc(bytes);
        let input = memory.alloc_from(&self.input);
        let params = [Param::U64(out), Param::U64(input)];
        let block = [self.threads, 1, 1];
        launch(
            &module,
            "k",
            [1, 1, 1],
            block,
            0,
            &params,
            &mut memory,
            &self.options,
        )?;
        let data = memory.read(out, bytes).unwrap();
        Ok(data
            .chunks(4)
            .map(|x| u32::from_le_bytes(x.try_into().unwrap()))
            .collect())
    }

    pub fn fault(&self) -> Fault {
        self.run().expect_err("the mistake must be noticed")
    }
}
