//! Reference pages that are made from tables of this crate and of the compiler: the commands, and
//! the operations of graphs. A test keeps the files under `docs/reference/` equal to them.

use std::fmt::Write as _;
use std::path::Path;

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory};
use mm1_compiler::graph::table::OPS;

use crate::args::Cli;

/// The page of all commands.
fn commands() -> String {
    let mut root = Cli::command();
    root.build();
    let mut text = String::from(
        "# Commands\n\nWhat `mm1c help COMMAND` prints. `scripts/mm1c` builds the program and passes all arguments on.\n",
    );
    for command in root.get_subcommands() {
        section(&mut text, "mm1c", command);
    }
    text
}

/// The sections of a command and of those below it.
fn section(text: &mut String, above: &str, command: &Command) {
    let name = format!("{above} {}", command.get_name());
    if command.get_name() == "help" {
        return;
    }
    let about = command.get_long_about().or_else(|| command.get_about());
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let usage: Vec<&str> = usage.lines().map(str::trim).collect();
    let _ = write!(
        text,
        "\n## `{name}`\n\n{}\n\n`{}`\n",
        said(about),
        usage.join("`, `")
    );
    let mut arguments = command
        .get_arguments()
        .filter(|it| !it.is_hide_set() && !["help", "version"].contains(&it.get_id().as_str()))
        .peekable();
    if arguments.peek().is_some() {
        text.push_str("\n| argument | default | meaning |\n| --- | --- | --- |\n");
    }
    for argument in arguments {
        let default: Vec<String> = argument
            .get_default_values()
            .iter()
            .map(|value| format!("`{}`", value.to_string_lossy()))
            .collect();
        let _ = writeln!(
            text,
            "| `{}` | {} | {} |",
            spelled(argument),
            if argument.get_num_args().is_some_and(|it| it.takes_values()) {
                default.join(" ")
            } else {
                String::new()
            },
            meaning(argument)
        );
    }
    for inner in command.get_subcommands() {
        section(text, &name, inner);
    }
}

/// The argument as one writes it; `|` would end a cell.
fn spelled(argument: &Arg) -> String {
    argument.to_string().replace('|', "\\|")
}

fn meaning(argument: &Arg) -> String {
    let help = argument.get_long_help().or_else(|| argument.get_help());
    let mut text = said(help);
    let values = argument.get_possible_values();
    if argument.get_num_args().is_some_and(|it| it.takes_values()) && !values.is_empty() {
        let values: Vec<String> = values
            .iter()
            .map(|value| match value.get_help() {
                Some(help) => format!("`{}`: {}", value.get_name(), said(Some(help))),
                None => format!("`{}`", value.get_name()),
            })
            .collect();
        let _ = write!(text, " Values: {}", values.join("; "));
    }
    if let Some(short) = argument
        .get_short()
        .filter(|_| argument.get_long().is_some())
    {
        let _ = write!(text, " Short: `-{short}`.");
    }
    text
}

/// Help in one line, fit for a cell, with its full stop.
fn said(help: Option<&StyledStr>) -> String {
    let text = help.map(ToString::to_string).unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ").replace('|', "\\|");
    if text.is_empty() || text.ends_with(['.', '!', '?']) {
        text
    } else {
        format!("{text}.")
    }
}

/// The page of the operations of graphs.
fn graph_ops() -> String {
    let mut text = String::from(
        "# Operations of graphs\n\nThose that components become, as `graph.txt` of a run and `mm1c compile --emit graph` name \
         them.\nThose of component files are in [a table of their own](ops.md). `x?` may be absent, `x…` stands for one or more.\n\n\
         | op | operands | results | what it computes |\n| --- | --- | --- | --- |\n",
    );
    let list = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    for row in OPS {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            row.name,
            list(row.operands),
            list(row.results),
            row.doc.replace('|', "\\|")
        );
    }
    text
}

#[test]
fn generated_pages_are_up_to_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference");
    for (name, text) in [("commands.md", commands()), ("graph-ops.md", graph_ops())] {
        let path = folder.join(name);
        if std::env::var_os("MM1C_BLESS").is_some() {
            std::fs::write(&path, &text).expect("is writable");
        }
        assert!(
            std::fs::read_to_string(&path).unwrap_or_default() == text,
            "{name} is out of date; `MM1C_BLESS=1 cargo test -p mm1c pages` rewrites it"
        );
    }
}

#[test]
fn every_command_has_its_section() {
    let page = commands();
    for name in ["train", "runs tail", "weights convert", "golden bless"] {
        assert!(page.contains(&format!("\n## `mm1c {name}`\n")), "{name}");
    }
    let folder = "| `--run-dir <DIR>` |  | Folder of the run; the default is runs/NAME. |";
    assert!(page.contains(folder), "{page}");
}
