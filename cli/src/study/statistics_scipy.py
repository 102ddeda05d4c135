"""Figures of scipy for the tests of statistics.rs: python statistics_scipy.py > statistics_scipy.rs"""

import numpy
import scipy
from scipy import stats

print(f"//! Figures that statistics.rs is tested with: statistics_scipy.py, scipy {scipy.__version__}.\n")
print("/// Degrees of freedom, probability, t.")
print("pub const QUANTILES: [(usize, f64, f64); 14] = [")
for degrees in [1, 2, 3, 4, 5, 9, 30]:
    for p in [0.975, 0.995]:
        print(f"    ({degrees}, {p}, {float(stats.t.ppf(p, degrees))!r}),")
print("];")
SETS = [[-0.12, -0.05], [0.31, 0.27, 0.4], [1.5, 2.5, -0.25, 0.75, 3.125]]
print("\n/// Numbers with their mean, deviation and interval at 95 %.")
print(f"pub const INTERVALS: [(&[f64], f64, f64, f64, f64); {len(SETS)}] = [")
for values in SETS:
    mean, deviation = float(numpy.mean(values)), float(numpy.std(values, ddof=1))
    low, high = stats.t.interval(0.95, len(values) - 1, loc=mean, scale=stats.sem(values))
    print(f"    (&{values}, {mean!r}, {deviation!r}, {float(low)!r}, {float(high)!r}),")
print("];")
