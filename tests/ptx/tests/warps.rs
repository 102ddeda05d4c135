//! What threads do together: shuffles, votes, divergence, barriers.

// A failed expectation in a test is a failed test, in its helpers too.
#![allow(clippy::unwrap_used)]

mod common;

use common::Body;
use mm1_ptx::{FaultKind, Options};

fn results(code: &str) -> Vec<u32> {
    Body::new(code)
        .run()
        .unwrap_or_else(|fault| panic!("{code}: {fault}"))
}

fn kind(code: &str) -> FaultKind {
    Body::new(code).fault().kind
}

fn expect(code: &str, value: impl Fn(u32) -> u32) {
    let expected: Vec<u32> = (0..32).map(value).collect();
    assert_eq!(results(code), expected, "{code}");
}

#[test]
fn shuffles() {
    let store = "st.global.u32 [%rd0], %r1;";
    expect(
        &format!("shfl.sync.idx.b32 %r1, %r0, 5, 31, -1; {store}"),
        |_| 5,
    );
    expect(
        &format!("shfl.sync.bfly.b32 %r1, %r0, 3, 31, -1; {store}"),
        |t| t ^ 3,
    );
    expect(
        &format!("shfl.sync.up.b32 %r1, %r0, 2, 0, -1; {store}"),
        |t| if t < 2 { t } else { t - 2 },
    );
    expect(
        &format!("shfl.sync.down.b32 %r1, %r0, 4, 31, -1; {store}"),
        |t| {
            if t + 4 > 31 { t } else { t + 4 }
        },
    );
    // Segments of eight lanes: the mask is 24.
    expect(
        &format!("shfl.sync.down.b32 %r1, %r0, 3, 0x181F, -1; {store}"),
        |t| {
            if t % 8 + 3 > 7 { t } else { t + 3 }
        },
    );
    expect(
        &format!("shfl.sync.idx.b32 %r1, %r0, 2, 0x181F, -1; {store}"),
        |t| t / 8 * 8 + 2,
    );
    expect(
        "shfl.sync.up.b32 %r1|%p1, %r0, 1, 0x1800, -1; selp.u32 %r1, 1, 0, %p1; st.global.u32 [%rd0], %r1;",
        |t| u32::from(t % 8 != 0),
    );
}

#[test]
fn votes_matches_and_reductions() {
    let odd = "and.b32 %r1, %r0, 1; setp.ne.u32 %p0, %r1, 0;";
    expect(
        &format!("{odd} vote.sync.ballot.b32 %r2, %p0, -1; st.global.u32 [%rd0], %r2;"),
        |_| 0xAAAA_AAAA,
    );
    let flag = "selp.u32 %r2, 1, 0, %p1; st.global.u32 [%rd0], %r2;";
    expect(
        &format!("{odd} vote.sync.all.pred %p1, %p0, -1; {flag}"),
        |_| 0,
    );
    expect(
        &format!("{odd} vote.sync.any.pred %p1, %p0, -1; {flag}"),
        |_| 1,
    );
    expect(
        &format!("{odd} vote.sync.uni.pred %p1, !%p0, -1; {flag}"),
        |_| 0,
    );
    let group = "shr.u32 %r1, %r0, 2; and.b32 %r1, %r1, 1;";
    expect(
        &format!("{group} match.any.sync.b32 %r2, %r1, -1; st.global.u32 [%rd0], %r2;"),
        |t| {
            if t / 4 % 2 == 0 {
                0x0F0F_0F0F
            } else {
                0xF0F0_F0F0
            }
        },
    );
    expect(
        &format!("{group} match.all.sync.b32 %r2|%p1, %r1, -1; st.global.u32 [%rd0], %r2;"),
        |_| 0,
    );
    expect(
        "redux.sync.add.u32 %r1, %r0, -1; st.global.u32 [%rd0], %r1;",
        |_| 31 * 16,
    );
    expect(
        "sub.s32 %r1, 5, %r0; redux.sync.min.s32 %r1, %r1, -1; st.global.u32 [%rd0], %r1;",
        |_| -26i32 as u32,
    );
    expect("activemask.b32 %r1; st.global.u32 [%rd0], %r1;", |_| {
        u32::MAX
    });
    expect(
        "elect.sync %r1|%p1, -1; selp.u32 %r2, 1, 0, %p1; st.global.u32 [%rd0], %r2;",
        |t| u32::from(t == 0),
    );
}

#[test]
fn special_registers() {
    expect(
        "mov.u32 %r1, %lanemask_lt; st.global.u32 [%rd0], %r1;",
        |t| (1 << t) - 1,
    );
    expect(
        "mov.u32 %r1, %lanemask_ge; st.global.u32 [%rd0], %r1;",
        |t| u32::MAX << t,
    );
    let body = Body {
        threads: 96,
        ..Body::new(
            "mov.u32 %r1, %warpid; mov.u32 %r2, %laneid; mad.lo.u32 %r1, %r1, 100, %r2; st.global.u32 [%rd0], %r1;",
        )
    };
    let expected: Vec<u32> = (0..96).map(|t| t / 32 * 100 + t % 32).collect();
    assert_eq!(body.run().unwrap(), expected);
}

/// Collatz: each thread leaves the loop at its own time.
#[test]
fn threads_leave_a_loop_one_by_one_and_meet_behind_it() {
    let code = "
        add.u32 %r1, %r0, 1; mov.u32 %r2, 0;
        LOOP: setp.eq.u32 %p0, %r1, 1; @%p0 bra DONE;
        add.u32 %r2, %r2, 1; and.b32 %r3, %r1, 1; setp.eq.u32 %p1, %r3, 0; @%p1 bra EVEN;
        mad.lo.u32 %r1, %r1, 3, 1; bra LOOP;
        EVEN: shr.u32 %r1, %r1, 1; bra LOOP;
        DONE: shfl.sync.bfly.b32 %r4, %r2, 1, 31, -1; st.global.u32 [%rd0], %r4;";
    let steps = |t: u32| {
        let (mut n, mut count) = (t + 1, 0);
        while n != 1 {
            n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
            count += 1;
        }
        count
    };
    expect(code, |t| steps(t ^ 1));
}

#[test]
fn unstructured_branches_and_tables() {
    let code = "
        and.b32 %r1, %r0, 3; ts: .branchtargets A, B, C, D; brx.idx %r1, ts;
        A: mov.u32 %r2, 10; bra E;
        B: mov.u32 %r2, 20;
        C: mov.u32 %r2, 30; setp.gt.u32 %p0, %r0, 15; @%p0 bra D; bra E;
        D: mov.u32 %r2, 40;
        E: bar.warp.sync -1; st.global.u32 [%rd0], %r2;";
    expect(code, |t| match t % 4 {
        0 => 10,
        3 => 40,
        _ if t > 15 => 40,
        _ => 30,
    });
}

#[test]
fn threads_apart_must_meet_before_they_act_together() {
    let half = "setp.lt.u32 %p0, %r0, 16;";
    let apart = format!(
        "{half} @%p0 bra L; shfl.sync.idx.b32 %r1, %r0, 0, 31, -1; bra M;
         L: shfl.sync.idx.b32 %r1, %r0, 0, 31, -1; M: st.global.u32 [%rd0], %r1;"
    );
    assert_eq!(kind(&apart), FaultKind::Divergence);
    let apart = format!("{half} @%p0 bar.sync 0; st.global.u32 [%rd0], %r0;");
    assert_eq!(kind(&apart), FaultKind::Divergence);
    let outside = "shfl.sync.idx.b32 %r1, %r0, 0, 31, 0xFFFF; st.global.u32 [%rd0], %r1;";
    assert_eq!(kind(outside), FaultKind::Divergence);
    // Two halves, each for itself, are right.
    let halves = format!(
        "{half} @%p0 bra L; shfl.sync.idx.b32 %r1, %r0, 16, 31, 0xFFFF0000; bra M;
         L: shfl.sync.idx.b32 %r1, %r0, 0, 31, 0xFFFF; M: st.global.u32 [%rd0], %r1;"
    );
    expect(&halves, |t| t / 16 * 16);
    // Threads that have exited are not waited for.
    let code = "st.global.u32 [%rd0], %r0; setp.lt.u32 %p0, %r0, 16; @%p0 ret; bar.sync 0;
                shfl.sync.idx.b32 %r1, %r0, 20, 31, -1; st.global.u32 [%rd0], %r1;";
    expect(code, |t| if t < 16 { t } else { 20 });
}

#[test]
fn a_value_crosses_warps_behind_a_barrier_only() {
    let code = |barrier: &str| {
        format!(
            "mov.u32 %r1, sh; shl.b32 %r2, %r0, 2; add.u32 %r2, %r1, %r2; st.shared.u32 [%r2], %r0;
             {barrier}
             xor.b32 %r3, %r0, 32; shl.b32 %r3, %r3, 2; add.u32 %r3, %r1, %r3;
             ld.shared.u32 %r4, [%r3]; st.global.u32 [%rd0], %r4;"
        )
    };
    for schedule in 0..10 {
        let options = Options {
            schedule,
            ..Options::default()
        };
        for barrier in [
            "bar.sync 0;",
            "barrier.sync.aligned 3;",
            "bar.sync 1, 64;",
            "barrier.sync 2;",
            "barrier.cluster.arrive.aligned; barrier.cluster.wait.aligned;",
        ] {
            let code = code(barrier);
            let body = Body {
                threads: 64,
                options: options.clone(),
                ..Body::new(&code)
            };
            let expected: Vec<u32> = (0..64).map(|t| t ^ 32).collect();
            assert_eq!(body.run().unwrap(), expected, "{barrier}");
        }
        for barrier in ["", "bar.warp.sync -1;", "membar.cta;", "bar.arrive 0, 64;"] {
            let code = code(barrier);
            let body = Body {
                threads: 64,
                options: options.clone(),
                ..Body::new(&code)
            };
            let kind = body.fault().kind;
            let expected = [FaultKind::SharedRace, FaultKind::UninitialisedMemory];
            assert!(expected.contains(&kind), "{barrier}: {kind:?}");
        }
    }
}

#[test]
fn a_value_crosses_lanes_behind_a_warp_barrier_only() {
    let code = |barrier: &str| {
        format!(
            "mov.u32 %r1, sh; shl.b32 %r2, %r0, 2; add.u32 %r2, %r1, %r2; st.shared.u32 [%r2], %r0;
             {barrier} xor.b32 %r3, %r2, 4; ld.shared.u32 %r4, [%r3]; st.global.u32 [%rd0], %r4;"
        )
    };
    expect(&code("bar.warp.sync -1;"), |t| t ^ 1);
    expect(&code("bar.sync 0;"), |t| t ^ 1);
    let fault = Body::new(&code("")).fault();
    assert_eq!(fault.kind, FaultKind::SharedRace);
    assert!(fault.message.contains("bar.warp.sync"), "{fault}");
    // All lanes may store one value to one place.
    expect(
        "mov.u32 %r1, sh; st.shared.u32 [%r1], 7; ld.shared.u32 %r2, [%r1]; st.global.u32 [%rd0], 7;",
        |_| 7,
    );
}

#[test]
fn producers_and_consumers_count_at_named_barriers() {
    // Warp 0 fills, warps 1 and 2 read; two barriers of 96 threads.
    let code = "
        shr.u32 %r5, %r0, 5; setp.eq.u32 %p0, %r5, 0; mov.u32 %r1, sh; and.b32 %r6, %r0, 31;
        shl.b32 %r2, %r6, 2; add.u32 %r2, %r1, %r2; mov.u32 %r7, 0; mov.u32 %r8, 0;
        @!%p0 bra READ;
        FILL: setp.eq.u32 %p1, %r7, 0; @%p1 bra FIRST; bar.sync 2, 96;
        FIRST: add.u32 %r3, %r7, %r6; st.shared.u32 [%r2], %r3; bar.arrive 1, 96;
        add.u32 %r7, %r7, 1; setp.lt.u32 %p2, %r7, 4; @%p2 bra FILL; bra END;
        READ: bar.sync 1, 96; xor.b32 %r4, %r2, 8; ld.shared.u32 %r3, [%r4]; add.u32 %r8, %r8, %r3;
        add.u32 %r7, %r7, 1; setp.eq.u32 %p2, %r7, 4; @%p2 bra END; bar.arrive 2, 96; bra READ;
        END: st.global.u32 [%rd0], %r8;";
    for schedule in 0..10 {
        let options = Options {
            schedule,
            ..Options::default()
        };
        let body = Body {
            threads: 96,
            options,
            ..Body::new(code)
        };
        let result = body.run().unwrap_or_else(|fault| panic!("{fault}"));
        for (t, &sum) in result.iter().enumerate().skip(32) {
            assert_eq!(sum, 4 * ((t as u32 % 32) ^ 2) + 6);
        }
    }
    // One warp too many for the count, and one too few.
    let narrow = code.replace("bar.sync 1, 96", "bar.sync 1, 64");
    assert_eq!(
        Body {
            threads: 96,
            ..Body::new(&narrow)
        }
        .fault()
        .kind,
        FaultKind::Barrier
    );
    assert_eq!(
        Body {
            threads: 64,
            ..Body::new(code)
        }
        .fault()
        .kind,
        FaultKind::Deadlock
    );
}

#[test]
fn reductions_at_barriers() {
    let code = "setp.lt.u32 %p0, %r0, 40; barrier.red.popc.aligned.u32 %r1, 0, %p0;
                barrier.red.and.aligned.pred %p1, 0, %p0; selp.u32 %r2, 1000, 0, %p1; add.u32 %r1, %r1, %r2;
                barrier.red.or.aligned.pred %p2, 0, !%p0; selp.u32 %r2, 2000, 0, %p2; add.u32 %r1, %r1, %r2;
                st.global.u32 [%rd0], %r1;";
    let body = Body {
        threads: 64,
        ..Body::new(code)
    };
    assert_eq!(body.run().unwrap(), [2040; 64]);
}

#[test]
fn one_half_of_a_warp_may_wait_for_the_other() {
    // Lanes 0 to 15 wait at the mbarrier until lanes 16 to 31, which stand behind, arrive.
    let code = "
        mov.u32 %r1, sh; setp.ne.u32 %p0, %r0, 0; @%p0 bra READY; mbarrier.init.shared.b64 [%r1], 16;
        READY: bar.sync 0; setp.gt.u32 %p1, %r0, 15; @%p1 bra ARRIVE;
        WAIT: mbarrier.try_wait.parity.shared.b64 %p2, [%r1], 0; @!%p2 bra WAIT;
        mov.u32 %r2, 1; bra END;
        ARRIVE: mbarrier.arrive.shared.b64 %rd3, [%r1]; mov.u32 %r2, 2;
        END: st.global.u32 [%rd0], %r2;";
    expect(code, |t| if t < 16 { 1 } else { 2 });
}
