//! The kernel that draws a card's first weights gives the bits that the host gives.

use mm1_ptx::{Memory, Module, Options, Param, launch};
use mm1_runtime::device::normal;
use mm1_runtime::normal::Normals;
use mm1_runtime::philox::Philox;

/// What the kernel draws, with what follows it in memory.
fn drawn(normals: &Normals, elements: usize, blocks: u32) -> Vec<f32> {
    let module = Module::parse(&normal::ptx()).unwrap();
    let mut memory = Memory::new();
    let out = memory.alloc(4 * (elements + 2));
    let before = vec![0xff; 4 * (elements + 2)];
    memory.write(out, &before).unwrap();
    let [first, second] = normals.philox.key();
    let params = [
        Param::U64(out),
        Param::U64(elements as u64),
        Param::U32(first),
        Param::U32(second),
        Param::Bytes(normals.std.to_le_bytes().to_vec()),
        Param::Bytes(normals.bound.to_le_bytes().to_vec()),
    ];
    launch(
        &module,
        normal::NAME,
        [blocks, 1, 1],
        [normal::THREADS, 1, 1],
        0,
        &params,
        &mut memory,
        &Options::default(),
    )
    .unwrap();
    let bytes = memory.read(out, 4 * (elements + 2)).unwrap();
    assert_eq!(bytes[4 * elements..], [0xff; 8], "the end is kept");
    bytes[..4 * elements]
        .chunks(4)
        .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
        .collect()
}

#[test]
fn a_card_draws_the_weights_of_the_host() {
    let philox = Philox::new(7, 0x0123_4567_89ab_cdef);
    // A narrow bound draws anew many times; the narrowest gives up and cuts.
    for (bound, elements) in [
        (f64::INFINITY, 5001),
        (2.0, 5000),
        (0.3, 777),
        (1e-4, 20),
        (2.0, 1),
    ] {
        let normals = Normals {
            philox,
            std: 0.02,
            bound,
        };
        let mut host = vec![0.0; elements];
        normals.fill(0, &mut host);
        for blocks in [1, 3] {
            let card = drawn(&normals, elements, blocks);
            for (index, (card, host)) in card.iter().zip(&host).enumerate() {
                assert_eq!(card.to_bits(), host.to_bits(), "{bound}: element {index}");
            }
        }
    }
}
