//! Whether a command printed what its page shows.
//!
//! A `text` block shows the whole output, in lines. Runs of spaces count as one. `…` within a line
//! stands for anything, a line of `…` for any lines. In a block `text varies` a number stands for any
//! number: what is measured or learnt differs from run to run.

/// `None` where `found` is what `shown` says, else both as they were compared.
pub fn difference(shown: &str, found: &str, varies: bool) -> Option<String> {
    let shown = lines(shown, varies);
    let found = lines(found, varies);
    (!agree(&shown, &found)).then(|| {
        let (shown, found) = (shown.join("\n"), found.join("\n"));
        format!("the page shows\n{shown}\n\nbut the command prints\n{found}")
    })
}

fn lines(text: &str, varies: bool) -> Vec<String> {
    let text = text.trim_end();
    text.lines()
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let line = words.join(" ");
            if varies { numberless(&line) } else { line }
        })
        .collect()
}

/// The line with `#` for each number.
fn numberless(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        out.push_str(&rest[..at]);
        out.push('#');
        rest = &rest[at..];
        let mut end = digits(rest);
        if rest[end..].starts_with('.') && digits(&rest[end + 1..]) > 0 {
            end += 1 + digits(&rest[end + 1..]);
        }
        if let Some(exponent) = rest[end..].strip_prefix('e') {
            let signless = exponent.trim_start_matches(['-', '+']);
            let sign = exponent.len() - signless.len();
            if sign < 2 && digits(signless) > 0 {
                end += 1 + sign + digits(signless);
            }
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// How many digits `text` begins with.
fn digits(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len())
}

fn agree(shown: &[String], found: &[String]) -> bool {
    match shown.split_first() {
        None => found.is_empty(),
        Some((first, rest)) if first == "…" => {
            (0..=found.len()).any(|skipped| agree(rest, &found[skipped..]))
        }
        Some((first, rest)) => match found.split_first() {
            Some((line, more)) => line_agrees(first, line) && agree(rest, more),
            None => false,
        },
    }
}

fn line_agrees(shown: &str, found: &str) -> bool {
    match shown.split_once('…') {
        None => shown == found,
        Some((begin, rest)) => found.strip_prefix(begin).is_some_and(|found| {
            let ends = found.char_indices().map(|it| it.0).chain([found.len()]);
            ends.into_iter().any(|at| line_agrees(rest, &found[at..]))
        }),
    }
}

#[test]
fn output_is_compared() {
    let same = |shown, found, varies| difference(shown, found, varies).is_none();
    assert!(same("a  b\nc\n", "a b\nc", false));
    assert!(!same("a\nc", "a\nb\nc", false));
    assert!(same("a\n…\nc", "a\nb\nb\nc", false));
    assert!(same("a\n…", "a", false));
    assert!(same("loss …  lr …", "loss 1 2  lr 3", false));
    assert!(!same("loss … lr", "loss 1", false));
    assert!(!same("loss 1", "loss 2", false));
    assert!(same("loss 1.5e-3 x", "loss 22 x", true));
    assert!(!same("loss 1.5", "loss –", true));
    assert!(!same("", "a", false));
}
