//! `mm1c`.
fn main() {}
