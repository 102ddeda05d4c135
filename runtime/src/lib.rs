//! Loads packages and runs them: data, training, evaluation, generation, reports.

pub mod engine;
pub mod generate;
pub mod report;
pub mod schedule;
