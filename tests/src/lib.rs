//! What the tests of whole models share: fixtures, comparison, running programs, golden text.

#[cfg(feature = "mlir")]
pub mod assemble;
pub mod case;
pub mod compare;
pub mod differences;
pub mod emulator;
pub mod fixture;
pub mod golden;
pub mod programs;
pub mod random;
