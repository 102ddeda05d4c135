//! How near two sets of tensors are: ‖a − b‖ / ‖b‖ per tensor.

use std::collections::BTreeMap;

/// Tensors by name, without their sizes.
pub type Tensors = BTreeMap<String, Vec<f64>>;

/// A reference of less than this share of the largest gradient is rounding noise.
const NOISE: f64 = 1e-10;

/// ‖a‖.
pub fn norm(a: &[f64]) -> f64 {
    a.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// ‖a − b‖; infinite where the numbers of elements differ or a difference is not finite.
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    if a.len() != b.len() {
        return f64::INFINITY;
    }
    let square = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
    if square.is_finite() {
        square.sqrt()
    } else {
        f64::INFINITY
    }
}

/// The error of every wanted tensor, the largest first; `d(…)` are gradients.
///
/// It is ‖a − b‖ / ‖b‖. A gradient that is 0 but for rounding (‖b‖ below 1e-10 of the largest)
/// has no digits to compare; there it is 20·‖a‖ as a share of the largest, so that a tolerance
/// of 2e-5 asks for 1e-6 of it. A tensor that was not found has an infinite error.
pub fn errors(found: &Tensors, wanted: &Tensors) -> Vec<(String, f64)> {
    let largest = wanted
        .iter()
        .filter(|(name, _)| name.starts_with("d("))
        .map(|(_, b)| norm(b))
        .fold(0.0, f64::max);
    let mut errors: Vec<(String, f64)> = wanted
        .iter()
        .map(|(name, b)| {
            let size = norm(b);
            let error = match found.get(name) {
                None => f64::INFINITY,
                Some(a) if name.starts_with("d(") && size < NOISE * largest => {
                    20.0 * distance(a, &vec![0.0; b.len()]) / largest
                }
                Some(a) => distance(a, b) / size,
            };
            (name.clone(), error)
        })
        .collect();
    errors.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    errors
}

/// Refuses errors beyond a tolerance, naming the worst ones.
///
/// # Errors
/// Text for a person.
pub fn within(found: &Tensors, wanted: &Tensors, tolerance: f64) -> Result<f64, String> {
    let errors = errors(found, wanted);
    let worst = errors.first().ok_or("nothing is compared")?.1;
    if worst <= tolerance {
        return Ok(worst);
    }
    let beyond = errors.iter().filter(|(_, error)| *error > tolerance);
    let lines: Vec<String> = beyond
        .clone()
        .take(12)
        .map(|(name, error)| format!("  {name}: {error:.1e}"))
        .collect();
    Err(format!(
        "{} of {} tensors are farther than {tolerance:.0e} from the reference:\n{}",
        beyond.count(),
        errors.len(),
        lines.join("\n")
    ))
}
