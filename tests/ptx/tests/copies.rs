//! Asynchronous copies: `cp.async`, bulk copies and tensor maps, in both directions.

// A failed expectation in a test is a failed test, in its helpers too.
#![allow(clippy::unwrap_used)]

mod common;

use common::Body;
use mm1_ptx::{FaultKind, Memory, Module, Options, Param, TensorMap, TensorType, launch};

fn words(count: u32) -> Vec<u8> {
    (0..count).flat_map(|i| (i * 3 + 1).to_le_bytes()).collect()
}

/// Each thread copies 16 bytes twice, in two groups, and reads a word of the first.
const GROUPS: &str = "
    shl.b32 %r1, %r0, 4; mov.u32 %r2, sh; add.u32 %r2, %r2, %r1; mul.wide.u32 %rd3, %r0, 16;
    add.u64 %rd3, %rd3, %rd1;
    cp.async.cg.shared.global [%r2], [%rd3], 16; cp.async.commit_group;
    cp.async.ca.shared.global [%r2+512], [%rd3+512], 8, 4; cp.async.commit_group;
    cp.async.wait_group 1;
    ld.shared.u32 %r3, [%r2+4]; cp.async.wait_group 0;
    ld.shared.v2.u32 {%r4, %r5}, [%r2+512]; add.u32 %r3, %r3, %r4; add.u32 %r3, %r3, %r5;
    st.global.u32 [%rd0], %r3;";

#[test]
fn groups_of_a_thread() {
    let body = Body {
        input: words(256),
        ..Body::new(GROUPS)
    };
    let word = |i: u32| 3 * i + 1;
    // Of the second copy only four bytes are read, the others are zero.
    let expected: Vec<u32> = (0..32)
        .map(|t| word(4 * t + 1) + word(4 * t + 128))
        .collect();
    assert_eq!(body.run().unwrap(), expected);
    let early = GROUPS.replace("cp.async.wait_group 1;", "cp.async.wait_group 2;");
    let fault = Body {
        input: words(256),
        ..Body::new(&early)
    }
    .fault();
    assert_eq!(fault.kind, FaultKind::NotWaited);
    assert!(fault.text.contains("ld.shared.u32"), "{fault}");
    let late = GROUPS.replace("[%r2+512], [%rd3+512], 8", "[%r2+8], [%rd3+512], 8");
    let fault = Body {
        input: words(256),
        ..Body::new(&late)
    }
    .fault();
    assert_eq!(fault.kind, FaultKind::SharedRace, "{fault}");
    let short = Body {
        input: words(64),
        ..Body::new(GROUPS)
    }
    .fault();
    assert_eq!(short.kind, FaultKind::OutOfBounds);
}

#[test]
fn another_threads_copy_needs_a_barrier() {
    let read = |between: &str| {
        GROUPS
            .replace(
                "cp.async.wait_group 1;",
                &format!("cp.async.wait_group 1; {between}"),
            )
            .replace(
                "ld.shared.u32 %r3, [%r2+4];",
                "xor.b32 %r6, %r2, 16; ld.shared.u32 %r3, [%r6+4];",
            )
    };
    Body {
        input: words(256),
        ..Body::new(&read("bar.warp.sync -1;"))
    }
    .run()
    .unwrap();
    let fault = Body {
        input: words(256),
        ..Body::new(&read(""))
    }
    .fault();
    assert_eq!(fault.kind, FaultKind::SharedRace);
}

#[test]
fn copies_arrive_at_an_mbarrier() {
    let code = "
        mov.u32 %r9, sh; setp.ne.u32 %p0, %r0, 0; @%p0 bra GO; mbarrier.init.shared.b64 [%r9], 32;
        GO: bar.sync 0; shl.b32 %r1, %r0, 2; add.u32 %r2, %r9, %r1; cvt.u64.u32 %rd3, %r1;
        add.u64 %rd3, %rd3, %rd1; cp.async.ca.shared.global [%r2+64], [%rd3], 4;
        cp.async.mbarrier.arrive.noinc.shared.b64 [%r9];
        WAIT: mbarrier.try_wait.parity.shared.b64 %p1, [%r9], 0; @!%p1 bra WAIT;
        xor.b32 %r1, %r2, 8; ld.shared.u32 %r3, [%r1+64]; st.global.u32 [%rd0], %r3;";
    for schedule in 0..5 {
        let options = Options {
            schedule,
            ..Options::default()
        };
        let body = Body {
            input: words(32),
            options,
            ..Body::new(code)
        };
        let result = body.run().unwrap_or_else(|fault| panic!("{fault}"));
        assert_eq!(
            result,
            (0..32).map(|t| 3 * (t ^ 2) + 1).collect::<Vec<u32>>()
        );
    }
    // Without `.noinc` the arrivals are extra, and 32 are missing.
    let fault = Body {
        input: words(32),
        ..Body::new(&code.replace(".noinc", ""))
    }
    .fault();
    assert_eq!(fault.kind, FaultKind::Deadlock);
}

const BULK: &str = "
    mov.u32 %r9, sh; setp.ne.u32 %p0, %r0, 0; @%p0 bra GO;
    mbarrier.init.shared.b64 [%r9], 1; fence.proxy.async.shared::cta;
    mbarrier.arrive.expect_tx.shared.b64 _, [%r9], 128;
    cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r9+1024], [%rd1], 128, [%r9];
    GO: bar.sync 0;
    WAIT: mbarrier.try_wait.parity.shared.b64 %p1, [%r9], 0; @!%p1 bra WAIT;
    shl.b32 %r1, %r0, 2; add.u32 %r2, %r9, %r1; ld.shared.u32 %r3, [%r2+1024]; add.u32 %r3, %r3, 5;
    st.shared.u32 [%r2+2048], %r3; fence.proxy.async.shared::cta; bar.sync 0; @%p0 bra END;
    cp.async.bulk.global.shared::cta.bulk_group [%rd0], [%r9+2048], 128;
    cp.async.bulk.commit_group; cp.async.bulk.wait_group 0;
    END: ";

#[test]
fn bulk_copies_in_and_out() {
    for schedule in 0..5 {
        let options = Options {
            schedule,
            ..Options::default()
        };
        let body = Body {
            input: words(32),
            options,
            ..Body::new(BULK)
        };
        let result = body.run().unwrap_or_else(|fault| panic!("{fault}"));
        assert_eq!(result, (0..32).map(|t| 3 * t + 6).collect::<Vec<u32>>());
    }
    let cases = [
        (
            "WAIT: mbarrier.try_wait.parity.shared.b64 %p1, [%r9], 0; @!%p1 bra WAIT;",
            "",
            FaultKind::NotWaited,
        ),
        (
            "cp.async.bulk.commit_group; cp.async.bulk.wait_group 0;",
            "",
            FaultKind::NotWaited,
        ),
        ("cp.async.bulk.commit_group;", "", FaultKind::NotWaited),
        (
            "fence.proxy.async.shared::cta; bar.sync 0; @%p0",
            "bar.sync 0; @%p0",
            FaultKind::SharedRace,
        ),
        (
            "[%rd1], 128, [%r9]",
            "[%rd1], 120, [%r9]",
            FaultKind::Misaligned,
        ),
        (
            "[%rd1], 128, [%r9]",
            "[%rd1], 256, [%r9]",
            FaultKind::OutOfBounds,
        ),
        (
            "[%rd1], 128, [%r9]",
            "[%rd1], 128, [%r9+8]",
            FaultKind::Mbarrier,
        ),
        ("[%r9], 0; @!", "[%r9], 1; @!", FaultKind::NotWaited),
        (
            "cp.async.bulk.commit_group;",
            "st.shared.u32 [%r9+2048], 1; cp.async.bulk.commit_group;",
            FaultKind::SharedRace,
        ),
        (
            "END: ",
            "END: ld.shared.u32 %r4, [%r9];",
            FaultKind::Mbarrier,
        ),
    ];
    for (from, to, kind) in cases {
        assert!(BULK.contains(from), "{from}");
        let code = BULK.replace(from, to);
        let fault = Body {
            input: words(32),
            ..Body::new(&code)
        }
        .fault();
        assert_eq!(fault.kind, kind, "{to}: {fault}");
    }
}

struct Tile {
    dims: Vec<u64>,
    boxes: Vec<u32>,
    steps: Vec<u32>,
    at: Vec<i32>,
    swizzle: u32,
}

impl Tile {
    /// Elements of 4 bytes; rows are padded to multiples of 16 bytes.
    fn strides(&self) -> Vec<u64> {
        let mut strides = vec![(4 * self.dims[0]).next_multiple_of(16) + 16];
        for axis in 1..self.dims.len() {
            strides.push(strides[axis - 1] * self.dims[axis]);
        }
        strides
    }

    fn place(&self, index: &[i64]) -> Option<u64> {
        let inside = index
            .iter()
            .zip(&self.dims)
            .all(|(&i, &size)| i >= 0 && (i as u64) < size);
        let strides = self.strides();
        let rows: u64 = index[1..]
            .iter()
            .zip(&strides)
            .map(|(&i, s)| i as u64 * s)
            .sum();
        inside.then(|| 4 * index[0] as u64 + rows)
    }

    /// The box's elements in the order of shared memory: their places in global memory.
    fn places(&self) -> Vec<Option<u64>> {
        let sizes: Vec<u32> = (0..self.boxes.len())
            .map(|a| self.boxes[a].div_ceil(self.steps[a]))
            .collect();
        let count: u32 = sizes.iter().product();
        (0..count)
            .map(|mut element| {
                let mut index = Vec::new();
                for (axis, size) in sizes.iter().enumerate() {
                    let i = element % size * self.steps[axis];
                    element /= size;
                    index.push(i64::from(self.at[axis]) + i64::from(i));
                }
                self.place(&index)
            })
            .collect()
    }

    fn run(&self, store: bool) -> (Vec<u8>, Vec<u32>, Vec<Option<u8>>) {
        let rank = self.dims.len();
        let strides = self.strides();
        let bytes = (strides[rank - 1]) as usize;
        let data: Vec<u8> = (0..bytes as u32 / 4)
            .flat_map(|i| (i + 1000).to_le_bytes())
            .collect();
        let mut memory = Memory::new();
        let base = if store {
            memory.alloc(bytes)
        } else {
            memory.alloc_from(&data)
        };
        let count = self.places().len();
        let out = memory.alloc(4 * count);
        let map = TensorMap::encode(
            TensorType::U32,
            base,
            &self.dims,
            &strides[..rank - 1],
            &self.boxes,
            &self.steps,
            self.swizzle,
        );
        let at: Vec<String> = self.at.iter().map(|c| c.to_string()).collect();
        let at = at.join(", ");
        let move_tile = if store {
            format!(
                "st.shared.u32 [%r3+1024], %r0; fence.proxy.async.shared::cta; bar.sync 0; @%p0 ret;
                 cp.async.bulk.tensor.{rank}d.global.shared::cta.tile.bulk_group [map, {{{at}}}], [%r1+1024];
                 cp.async.bulk.commit_group; cp.async.bulk.wait_group.read 0;"
            )
        } else {
            format!(
                "@%p0 bra GO; mbarrier.init.shared.b64 [%r1], 1; fence.proxy.async;
                 mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%r1], {};
                 cp.async.bulk.tensor.{rank}d.shared::cluster.global.mbarrier::complete_tx::bytes
                   [%r1+1024], [map, {{{at}}}], [%r1];
                 mbarrier.arrive.shared.b64 %rd5, [%r1];
                 GO: bar.sync 0; WAIT: mbarrier.test_wait.parity.shared.b64 %p1, [%r1], 0; @!%p1 bra WAIT;
                 ld.shared.u32 %r4, [%r3+1024]; st.global.u32 [%rd1], %r4;",
                4 * count
            )
        };
        let text = format!(
            ".version 8.6\n.target sm_90a\n.address_size 64\n.extern .shared .align 1024 .b8 sh[];\n\
             .entry k(.param .align 64 .b8 map[128], .param .u64 out) {{\n\
             .reg .b32 %r<9>; .reg .b64 %rd<9>; .reg .pred %p<3>;\n\
             mov.u32 %r0, %tid.x; setp.ne.u32 %p0, %r0, 0; ld.param.u64 %rd0, [out]; mov.u32 %r1, sh;\n\
             shl.b32 %r2, %r0, 2; add.u32 %r3, %r1, %r2; mul.wide.u32 %rd1, %r0, 4; add.u64 %rd1, %rd1, %rd0;\n\
             {move_tile}\nret;\n}}"
        );
        let module = Module::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let params = [Param::Bytes(map.unwrap().to_vec()), Param::U64(out)];
        let block = [count as u32, 1, 1];
        let options = Options::default();
        launch(
            &module,
            "k",
            [1, 1, 1],
            block,
            1024 + 4 * 1024,
            &params,
            &mut memory,
            &options,
        )
        .unwrap_or_else(|fault| panic!("{fault}"));
        let result = match store {
            true => vec![],
            false => {
                let data = memory.read(out, 4 * count).unwrap();
                data.chunks(4)
                    .map(|x| u32::from_le_bytes(x.try_into().unwrap()))
                    .collect()
            }
        };
        (data, result, memory.read_partly(base, bytes).unwrap())
    }

    /// Where the swizzle puts element `i` of the tile.
    fn moved(&self, i: usize) -> usize {
        let bits = (self.swizzle / 32).min(4) as usize;
        let mask = [0, 1, 3, 0, 7][bits];
        i ^ (((i / 32) & mask) * 4)
    }

    fn check(&self) {
        let (data, loaded, _) = self.run(false);
        let (_, _, stored) = self.run(true);
        let mut hit = vec![None; stored.len() / 4];
        for (i, place) in self.places().into_iter().enumerate() {
            let expected = place.map_or(0, |place| {
                let at = place as usize;
                u32::from_le_bytes(data[at..at + 4].try_into().unwrap())
            });
            assert_eq!(loaded[self.moved(i)], expected, "{:?} element {i}", self.at);
            if let Some(place) = place {
                hit[place as usize / 4] = Some(self.moved(i) as u32);
            }
        }
        for (word, expected) in stored.chunks(4).zip(hit) {
            let bytes: Option<Vec<u8>> = word.iter().copied().collect();
            let found = bytes.map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap()));
            assert_eq!(found, expected, "{:?}", self.at);
        }
    }
}

#[test]
fn tiles_of_one_to_five_dimensions_at_edges() {
    let tile = |dims: &[u64], boxes: &[u32], at: &[i32], swizzle| Tile {
        dims: dims.to_vec(),
        boxes: boxes.to_vec(),
        steps: vec![1; dims.len()],
        at: at.to_vec(),
        swizzle,
    };
    tile(&[100], &[64], &[50], 0).check();
    tile(&[40, 9], &[32, 8], &[0, 0], 128).check();
    tile(&[40, 9], &[32, 8], &[-5, 3], 128).check();
    tile(&[40, 9], &[32, 8], &[20, -2], 128).check();
    tile(&[24, 20], &[16, 16], &[8, 8], 64).check();
    tile(&[24, 20], &[8, 32], &[-1, -7], 32).check();
    tile(&[12, 5, 4], &[8, 4, 3], &[6, 2, 2], 0).check();
    tile(&[12, 5, 4, 3], &[4, 4, 2, 2], &[9, -1, 3, 2], 0).check();
    tile(&[12, 5, 4, 3, 2], &[4, 2, 2, 2, 2], &[1, 4, -1, 2, 1], 0).check();
    tile(&[12, 5], &[4, 4], &[12, 0], 0).check();
    let tile = Tile {
        dims: vec![16, 9],
        boxes: vec![8, 7],
        steps: vec![1, 3],
        at: vec![4, 2],
        swizzle: 0,
    };
    let (_, loaded, _) = tile.run(false);
    assert_eq!(loaded.len(), 24);
}

#[test]
fn only_encoded_maps_are_maps() {
    let text = ".version 8.6\n.target sm_90a\n.address_size 64\n\
        .entry k(.param .align 64 .b8 map[128]) {\n.shared .align 1024 .b8 sh[2048]; .reg .b32 %r<3>;\n\
        mov.u32 %r1, sh; mbarrier.init.shared.b64 [%r1], 1; fence.proxy.async;\n\
        cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%r1+1024], [map, {0, 0}], [%r1];\n\
        ret;\n}";
    let module = Module::parse(text).unwrap();
    let map = TensorMap::encode(TensorType::U8, 0, &[64], &[], &[64], &[1], 0).unwrap();
    for bytes in [vec![0; 128], map.to_vec()] {
        let params = [Param::Bytes(bytes)];
        let options = Options::default();
        let block = [1, 1, 1];
        let fault = launch(
            &module,
            "k",
            block,
            block,
            0,
            &params,
            &mut Memory::new(),
            &options,
        )
        .unwrap_err();
        assert_eq!(fault.kind, FaultKind::Operand, "{fault}");
    }
}
