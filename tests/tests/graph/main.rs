//! Single graphs and operations: text form, verifier, interpreter, derivatives, passes.

mod interpreter;
mod operations;
mod passes;
mod text;
