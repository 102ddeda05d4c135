//! Random legal graphs: what holds for every graph is checked on graphs that nobody thought of.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod composites;
mod generate;
mod graphs;
mod kernels;
