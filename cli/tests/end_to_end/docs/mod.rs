//! The documentation: every command of README and guide runs, and every link leads somewhere.

mod commands;
mod links;
mod markdown;
mod output;
