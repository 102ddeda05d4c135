//! The command line from the outside: training, resuming, faults and the small commands, each
//! on a model whose steps take milliseconds.

mod ablating;
mod commands;
mod data_faults;
mod determinism;
mod devices;
mod directory;
mod divergence;
mod docs;
mod experts;
mod face;
mod interruption;
mod looking;
mod objectives;
mod pictures;
mod resuming;
mod studies;
mod support;
mod tables;
mod training;
