//! What each key of a grid is worth: means over all points at each of its values, and the best of them
//! against the worst, seed by seed.

use serde::Serialize;

use super::results::{Rows, VariantResults, signed, with_deviation};
use super::statistics::Spread;

/// A key of a grid.
#[derive(Debug, PartialEq, Serialize)]
pub struct Factor {
    /// The key.
    pub key: String,
    /// Its values in the order of the grid.
    pub levels: Vec<Level>,
    /// The value with the best mean, and that with the worst.
    pub ends: [String; 2],
    /// Best less worst, seed by seed.
    pub contrast: Spread,
    /// Interval of their mean.
    pub interval: Option<[f64; 2]>,
}

/// A value of a key.
#[derive(Debug, PartialEq, Serialize)]
pub struct Level {
    /// The value.
    pub value: String,
    /// Over the seeds, of means over the points with this value.
    pub spread: Spread,
}

/// A point of the grid: keys with their values, and the score of each seed.
pub struct Point {
    /// Keys and values.
    pub factors: Vec<(String, String)>,
    /// By seed.
    pub scores: Vec<f64>,
}

impl Point {
    /// That of a variant, if all its runs have the score.
    pub fn of(factors: &[(String, String)], variant: &VariantResults, score: &str) -> Option<Self> {
        let runs = variant.runs.iter();
        Some(Self {
            factors: factors.to_vec(),
            scores: runs
                .map(|run| run.scores.get(score).copied())
                .collect::<Option<_>>()?,
        })
    }
}

/// The keys of a whole grid, those first whose best and worst values are farthest apart.
pub fn factors(points: &[Point], lower_is_better: bool) -> Vec<Factor> {
    let Some(first) = points.first() else {
        return Vec::new();
    };
    let mut out: Vec<Factor> = first
        .factors
        .iter()
        .filter_map(|(key, _)| factor(points, key, lower_is_better))
        .collect();
    out.sort_by(|a, b| b.contrast.mean.abs().total_cmp(&a.contrast.mean.abs()));
    out
}

fn factor(points: &[Point], key: &str, lower_is_better: bool) -> Option<Factor> {
    let value = |point: &Point| -> Option<String> {
        let own = point.factors.iter().find(|it| it.0 == key)?;
        Some(own.1.clone())
    };
    let mut values: Vec<String> = Vec::new();
    for found in points.iter().filter_map(value) {
        if !values.contains(&found) {
            values.push(found);
        }
    }
    if values.len() < 2 {
        return None;
    }
    // By value, then by seed.
    let means = values.iter().map(|wanted| {
        let at = points
            .iter()
            .filter(|it| value(it).as_ref() == Some(wanted));
        let at: Vec<&Point> = at.collect();
        let seeds = at.iter().map(|it| it.scores.len()).min().unwrap_or(0);
        let mean = |seed: usize| {
            let sum: f64 = at.iter().map(|it| it.scores[seed]).sum();
            sum / at.len() as f64
        };
        (0..seeds).map(mean).collect::<Vec<f64>>()
    });
    let means: Vec<Vec<f64>> = means.collect();
    let levels = values.iter().zip(&means).map(|(value, means)| {
        Some(Level {
            value: value.clone(),
            spread: Spread::of(means)?,
        })
    });
    let levels: Vec<Level> = levels.collect::<Option<_>>()?;
    let order = |a: &usize, b: &usize| levels[*a].spread.mean.total_cmp(&levels[*b].spread.mean);
    let (low, high) = (
        (0..levels.len()).min_by(order)?,
        (0..levels.len()).max_by(order)?,
    );
    let (best, worst) = match lower_is_better {
        true => (low, high),
        false => (high, low),
    };
    let pairs = means[best].iter().zip(&means[worst]);
    let contrast = Spread::of(&pairs.map(|(a, b)| a - b).collect::<Vec<f64>>())?;
    Some(Factor {
        key: key.to_owned(),
        ends: [best, worst].map(|at| levels[at].value.clone()),
        interval: contrast.interval(),
        contrast,
        levels,
    })
}

/// The factors for a person.
pub fn rows(factors: &[Factor], score: &str) -> Rows {
    let head = [
        "key",
        "best less worst",
        "95 % interval",
        "verdict",
        "means",
    ];
    let row = |it: &Factor| {
        let levels = it.levels.iter();
        let levels: Vec<String> = levels
            .map(|level| format!("{}: {}", level.value, with_deviation(score, &level.spread)))
            .collect();
        let none = || "–".to_owned();
        let verdict = match it.interval {
            None => "one seed",
            Some([low, high]) if low > 0.0 || high < 0.0 => "more than noise",
            Some(_) => "within noise",
        };
        let [best, worst] = &it.ends;
        vec![
            it.key.clone(),
            format!("{best} less {worst}: {}", signed(score, it.contrast.mean)),
            it.interval.map_or_else(none, |[low, high]| {
                format!("{} … {}", signed(score, low), signed(score, high))
            }),
            verdict.to_owned(),
            levels.join("; "),
        ]
    };
    Rows {
        title: "Keys of the grid",
        head: head.map(str::to_owned).to_vec(),
        rows: factors.iter().map(row).collect(),
    }
}

/// What the numbers of [`rows`] are.
pub const NOTE: &str = "Means over all points of the grid with this value, ± deviation over seeds. Best \
and worst are chosen by the same numbers, so with more than two values the interval is a little too narrow.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_ranked_by_what_their_values_are_worth() {
        let mut points = Vec::new();
        for (tokens, by_tokens) in [("4", 0.0), ("16", 0.3)] {
            for (kind, by_kind) in [("avg", 0.02), ("attention", -0.02), ("c", 0.0)] {
                let names = [("tokens", tokens), ("kind", kind)];
                // A seed adds the same to all points; the noise of the kinds is larger than they are.
                let score = |seed: f64, noise: f64| 0.5 + by_tokens + by_kind * noise + seed;
                points.push(Point {
                    factors: names.map(|it| (it.0.to_owned(), it.1.to_owned())).to_vec(),
                    scores: vec![score(0.0, 3.0), score(0.05, -1.0), score(-0.02, 1.0)],
                });
            }
        }
        let found = factors(&points, false);
        let keys: Vec<&str> = found.iter().map(|it| &*it.key).collect();
        assert_eq!(keys, ["tokens", "kind"]);
        assert_eq!(found[0].ends, ["16", "4"]);
        assert!((found[0].contrast.mean - 0.3).abs() < 1e-12);
        let [low, high] = found[0].interval.expect("three seeds");
        assert!((low - 0.3).abs() < 1e-9 && (high - 0.3).abs() < 1e-9);
        assert_eq!(found[1].ends, ["avg", "attention"]);
        assert!((found[1].contrast.mean - 0.04).abs() < 1e-12);
        let table = rows(&found, "captions.all");
        assert_eq!(table.rows[0][3], "more than noise");
        assert_eq!(table.rows[1][3], "within noise");
        assert_eq!(table.rows[0][1], "16 less 4: +30.0 %");
        // With less being better the ends change places.
        assert_eq!(factors(&points, true)[0].ends, ["4", "16"]);
        assert!(factors(&[], true).is_empty());
    }
}
