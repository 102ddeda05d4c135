//! The text form of a graph.
//!
//! ```text
//! extent images <= 8
//! %features: f32[images*49, 64] = input()
//! %weight: f32[128, 64] = parameter() {init=normal(0.02), trained, decay}
//! %y: f32[images*49, 128] = matmul(%features, %weight) {transpose_b}
//! %n: f32[images*49, 128], f32[images*49] = rms_norm(%y, %scale) {epsilon=1e-5}
//! %s: f32[] = reduce_sum(%n#1) {axes=[0]}
//! output loss = %s
//! update %weight = %weight.new
//! ```
//!
//! One line is one run-time size, node or output; operands stand above their users. `%name` is
//! a node's first result, `%name#i` its i-th. A derived run-time size is
//! `extent chunk <= 64 = images - 128`. A name that holds other than letters, digits,
//! `_ . ' + - /` and balanced brackets is quoted, as in `%"a b"`. Large constants stand as the
//! hash and the hexadecimal little-endian bytes of their elements. Empty lines and lines that
//! begin with `//` are skipped. Source spans are not part of the text.
//!
//! [`parse`] reads what [`print`] writes and gives the same graph, with nodes numbered in the
//! order of the text. [`display`] is for people: it leaves out the bytes of large constants.
//! `parse` checks the form only; whether sizes fit is the verifier's question.

mod attributes;
mod cursor;
mod parser;
mod printer;

pub use parser::{ParseError, parse};
pub use printer::{display, print, print_dim, print_dims, print_type};
