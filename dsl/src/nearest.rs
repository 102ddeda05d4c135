//! Nearest names for "did you mean".

/// Number of insertions, deletions, replacements and swaps of neighbours between two names.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=right.len()).collect();
    for row in 1..=left.len() {
        let mut current = vec![row; right.len() + 1];
        for column in 1..=right.len() {
            let replace = usize::from(left[row - 1] != right[column - 1]);
            let mut best = (previous[column - 1] + replace)
                .min(previous[column] + 1)
                .min(current[column - 1] + 1);
            if row > 1
                && column > 1
                && left[row - 1] == right[column - 2]
                && left[row - 2] == right[column - 1]
            {
                best = best.min(before[column - 2] + 1);
            }
            current[column] = best;
        }
        before = previous;
        previous = current;
    }
    previous[right.len()]
}

/// Longest name that is compared; longer ones have no neighbours.
const LONGEST: usize = 64;

/// Up to three of `candidates` that are near `name`, nearest first, ties in the given order.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    if name.chars().count() > LONGEST {
        return Vec::new();
    }
    let mut found: Vec<(usize, &str)> = Vec::new();
    for candidate in candidates {
        let allowed = (name.chars().count().max(candidate.chars().count()) / 3).max(1);
        let steps = distance(name, candidate);
        // A name that is a part of another is likely meant: `sequence_length`.
        // The other way round only if little is left over.
        let contained = name.len() >= 4
            && (candidate.contains(name)
                || (name.contains(candidate) && candidate.len() * 3 >= name.len() * 2));
        if (steps <= allowed || contained) && !found.iter().any(|(_, known)| *known == candidate) {
            found.push((
                if contained { steps.min(allowed) } else { steps },
                candidate,
            ));
        }
    }
    found.sort_by_key(|(steps, _)| *steps);
    found.into_iter().take(3).map(|(_, name)| name).collect()
}

/// "did you mean `a`?" or "did you mean `a` or `b`?"; nothing without a candidate.
pub fn did_you_mean(names: &[&str]) -> Option<String> {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => None,
        [one] => Some(format!("did you mean {one}?")),
        [init @ .., last] => Some(format!("did you mean {} or {last}?", init.join(", "))),
    }
}

/// `a`, `b`, `c`: names in backticks, separated by commas.
pub fn quoted_list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swapped_letters_are_one_step() {
        assert_eq!(distance("widht", "width"), 1);
        assert_eq!(nearest("widht", ["depth", "width"]), ["width"]);
    }

    #[test]
    fn far_names_are_not_offered() {
        assert!(nearest("zebra", ["width", "depth"]).is_empty());
    }
}
