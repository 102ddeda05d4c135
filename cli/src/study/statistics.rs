//! Means, deviations and intervals of few numbers.
//!
//! Runs of a variant and of the base that have one seed have initial weights of the parts that they
//! share and examples in common, so they are compared in pairs: the difference of each pair is one
//! observation, and the interval of their mean is Student's, with one degree of freedom less than pairs.

#[cfg(test)]
#[path = "statistics_scipy.rs"]
mod scipy;

use std::f64::consts::PI;

use serde::Serialize;

/// Probability that an interval holds the mean.
pub const CONFIDENCE: f64 = 0.95;

/// Numbers in short.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// How many.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Deviation of one from their mean, with one degree of freedom less than numbers; of one number
    /// there is none.
    pub deviation: Option<f64>,
}

impl Spread {
    /// That of `values`; `None` without any.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len();
        if count == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|it| (it - mean) * (it - mean)).sum();
        let deviation = (count > 1).then(|| (squares / (count - 1) as f64).sqrt());
        Some(Self {
            count,
            mean,
            deviation,
        })
    }

    /// The interval of the mean; of one number there is none.
    pub fn interval(&self) -> Option<[f64; 2]> {
        let deviation = self.deviation?;
        let root = (self.count as f64).sqrt();
        let half = quantile((1.0 + CONFIDENCE) / 2.0, self.count - 1) * deviation / root;
        Some([self.mean - half, self.mean + half])
    }
}

/// What differences to the base say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The interval is on the good side of zero.
    Better,
    /// The interval is on the bad side of zero.
    Worse,
    /// The interval holds zero.
    WithinNoise,
    /// All differences are zero: the runs are those of the base, or end where they do.
    Equal,
    /// One pair only.
    Undecided,
    /// No pair of finished runs.
    Missing,
}

impl Verdict {
    /// For differences of a score of which less is better, or more.
    pub fn of(differences: &[f64], lower_is_better: bool) -> Self {
        if differences.is_empty() {
            return Self::Missing;
        }
        if differences.iter().all(|it| *it == 0.0) {
            return Self::Equal;
        }
        let Some([low, high]) = Spread::of(differences).and_then(|it| it.interval()) else {
            return Self::Undecided;
        };
        match (low > 0.0, high < 0.0) {
            (false, false) => Self::WithinNoise,
            (more, _) if more != lower_is_better => Self::Better,
            _ => Self::Worse,
        }
    }

    /// For a person.
    pub fn word(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::WithinNoise => "within noise",
            Self::Equal => "equal",
            Self::Undecided => "one seed",
            Self::Missing => "no result",
        }
    }
}

/// Probability that Student's t with `degrees` of freedom, at least 1, is at most `t`.
///
/// The sums for a whole number of degrees are those of Abramowitz and Stegun, 26.7.3 and 26.7.4.
fn probability(t: f64, degrees: usize) -> f64 {
    let n = degrees as f64;
    let angle = (t / n.sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    let within = if degrees % 2 == 1 {
        // sin(cos + 2/3 cos³ + 2·4/(3·5) cos⁵ + …), without a term for one degree.
        let mut term = cosine;
        let mut sum = 0.0;
        let mut k = 1;
        while k + 2 <= degrees {
            sum += term;
            let next = (k + 1) as f64 / (k + 2) as f64;
            term *= next * cosine * cosine;
            k += 2;
        }
        2.0 / PI * (angle + sine * sum)
    } else {
        // sin(1 + 1/2 cos² + 1·3/(2·4) cos⁴ + …).
        let mut term = 1.0;
        let mut sum = 0.0;
        let mut k = 0;
        while k + 2 <= degrees {
            sum += term;
            term *= (k + 1) as f64 / (k + 2) as f64 * cosine * cosine;
            k += 2;
        }
        sine * sum
    };
    0.5 + within / 2.0
}

/// The t that Student's distribution with `degrees` of freedom stays below with probability `p`,
/// which is above a half.
fn quantile(p: f64, degrees: usize) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while probability(high, degrees) < p {
        high *= 2.0;
    }
    // Halving an interval of doubles ends where no number lies between.
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return high;
        }
        match probability(middle, degrees) < p {
            true => low = middle,
            false => high = middle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::scipy::{INTERVALS, QUANTILES};
    use super::*;

    fn close(left: f64, right: f64) {
        assert!(
            (left - right).abs() <= 1e-9 * right.abs().max(1.0),
            "{left} and {right}"
        );
    }

    #[test]
    fn quantiles_are_those_of_scipy() {
        for (degrees, p, t) in QUANTILES {
            close(quantile(p, degrees), t);
        }
        assert!(QUANTILES.len() > 10);
    }

    #[test]
    fn intervals_are_those_of_scipy() {
        for (values, mean, deviation, low, high) in INTERVALS {
            let spread = Spread::of(values).expect("numbers");
            close(spread.mean, mean);
            close(spread.deviation.expect("several"), deviation);
            let [least, most] = spread.interval().expect("several");
            close(least, low);
            close(most, high);
        }
    }

    #[test]
    fn one_number_has_no_interval() {
        assert_eq!(Spread::of(&[]), None);
        let one = Spread::of(&[2.0]).expect("a number");
        assert_eq!((one.mean, one.deviation, one.interval()), (2.0, None, None));
    }

    #[test]
    fn the_verdict_follows_the_interval() {
        let cases: [(&[f64], bool, Verdict); 8] = [
            (&[-0.30, -0.31, -0.29], true, Verdict::Better),
            (&[-0.30, -0.31, -0.29], false, Verdict::Worse),
            (&[0.30, 0.31, 0.29], true, Verdict::Worse),
            (&[0.30, 0.31, 0.29], false, Verdict::Better),
            (&[-0.30, 0.31, -0.29], true, Verdict::WithinNoise),
            (&[0.0, 0.0], true, Verdict::Equal),
            (&[-0.3], true, Verdict::Undecided),
            (&[], true, Verdict::Missing),
        ];
        for (differences, lower, verdict) in cases {
            assert_eq!(Verdict::of(differences, lower), verdict, "{differences:?}");
        }
    }
}
