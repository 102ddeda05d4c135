//! Scalars of one thread: f32 and i32 arithmetic, and folds over the four threads of a row.

use super::super::text::Text;

pub(super) fn least(text: &mut Text, a: &str, b: &str) -> String {
    text.value(format_args!("llvm.intr.smin({a}, {b}) : (i32, i32) -> i32"))
}

pub(super) fn largest(text: &mut Text, a: &str, b: &str) -> String {
    text.value(format_args!("llvm.intr.smax({a}, {b}) : (i32, i32) -> i32"))
}

pub(super) fn fma(text: &mut Text, a: &str, b: &str, c: &str) -> String {
    text.value(format_args!(
        "llvm.intr.fma({a}, {b}, {c}) : (f32, f32, f32) -> f32"
    ))
}

/// The larger; the other one where one is NaN.
pub(super) fn maximum(text: &mut Text, a: &str, b: &str) -> String {
    text.value(format_args!(
        "llvm.intr.maxnum({a}, {b}) : (f32, f32) -> f32"
    ))
}

/// 2ˣ, right to two units in the last place.
pub(super) fn power(text: &mut Text, x: &str) -> String {
    text.pure("ex2.approx.ftz.f32 $0, $1;", "=f,f", &[(x, "f32")], "f32")
}

/// Folds a value of the four threads that share rows of an accumulator; all get the result.
pub(super) fn quad(
    text: &mut Text,
    x: &str,
    fold: impl Fn(&mut Text, &str, &str) -> String,
) -> String {
    let mut x = x.to_owned();
    for distance in [1, 2] {
        let other = text.answer(
            &format!("shfl.sync.bfly.b32 $0, $1, {distance}, 31, -1;"),
            "=f,f",
            &[(&x, "f32")],
            "f32",
        );
        x = fold(text, &x, &other);
    }
    x
}

/// Values of consecutive words in shared memory.
pub(super) fn shared_words(text: &mut Text, at: &str, count: u32, ty: &str) -> Vec<String> {
    let at = text.value(format_args!("llvm.inttoptr {at} : i32 to !llvm.ptr<3>"));
    if count == 1 {
        return vec![text.value(format_args!(
            "llvm.load {at} {{alignment = 4 : i64}} : !llvm.ptr<3> -> {ty}"
        ))];
    }
    let vector = text.value(format_args!(
        "llvm.load {at} {{alignment = {} : i64}} : !llvm.ptr<3> -> vector<{count}x{ty}>",
        4 * count
    ));
    (0..i64::from(count))
        .map(|lane| {
            let lane = text.int(lane, "i32");
            text.value(format_args!(
                "llvm.extractelement {vector}[{lane} : i32] : vector<{count}x{ty}>"
            ))
        })
        .collect()
}

/// Stores a word to shared memory.
pub(super) fn store_shared(text: &mut Text, at: &str, word: &str, ty: &str) {
    let at = text.value(format_args!("llvm.inttoptr {at} : i32 to !llvm.ptr<3>"));
    text.line(format_args!(
        "llvm.store {word}, {at} {{alignment = 4 : i64}} : {ty}, !llvm.ptr<3>"
    ));
}
