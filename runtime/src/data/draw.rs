//! A small antialiased rasteriser for the built-in scenes.
//!
//! Coordinates are in units of the picture's side, origin at the upper left. Coverage is
//! sampled on a 4 by 4 grid per pixel, so it needs no floating-point exactness and is the
//! same on every machine.

/// Shapes, in the order of the shape words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Filled disc.
    Circle,
    /// Filled square.
    Square,
    /// Equilateral triangle, point up.
    Triangle,
    /// Upright cross with arms a third as wide as long.
    Cross,
    /// Annulus whose hole is six tenths as wide.
    Ring,
    /// Lying rectangle, three and a half times as wide as high.
    Bar,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Shape; 6] = [
        Shape::Circle,
        Shape::Square,
        Shape::Triangle,
        Shape::Cross,
        Shape::Ring,
        Shape::Bar,
    ];

    /// Whether a point lies inside the shape of radius 1 around the origin (y down).
    fn contains(self, x: f64, y: f64) -> bool {
        let square = x * x + y * y;
        match self {
            Self::Circle => square <= 0.92,
            Self::Square => x.abs() <= 0.72 && y.abs() <= 0.72,
            // Half-planes at distance 1/2 from the centre, 120° apart.
            Self::Triangle => y <= 0.5 && 0.866_025 * x.abs() - 0.5 * y <= 0.5,
            Self::Cross => x.abs().max(y.abs()) <= 0.95 && x.abs().min(y.abs()) <= 0.3,
            Self::Ring => (0.36..=1.0).contains(&square),
            Self::Bar => x.abs() <= 0.98 && y.abs() <= 0.28,
        }
    }
}

/// Digits as 3 by 5 bitmaps, one row per three bits, upper row first.
const DIGITS: [u16; 10] = [
    0b111_101_101_101_111,
    0b010_110_010_010_111,
    0b111_001_111_100_111,
    0b111_001_111_001_111,
    0b101_101_111_001_001,
    0b111_100_111_001_111,
    0b111_100_111_101_111,
    0b111_001_010_010_010,
    0b111_101_111_101_111,
    0b111_101_111_001_111,
];

/// A square RGB picture in the making.
#[derive(Clone, Debug)]
pub struct Canvas {
    side: usize,
    rgb: Vec<u8>,
}

impl Canvas {
    /// `side` by `side` pixels of one colour.
    pub fn new(side: usize, ground: [u8; 3]) -> Self {
        Self {
            side,
            rgb: ground.repeat(side * side),
        }
    }

    /// Rows of RGB bytes.
    pub fn into_rgb(self) -> Vec<u8> {
        self.rgb
    }

    /// Draws a shape of `radius` around (x, y), turned by `turn` radians.
    pub fn shape(&mut self, shape: Shape, x: f64, y: f64, radius: f64, turn: f64, rgb: [u8; 3]) {
        let (sin, cos) = turn.sin_cos();
        self.fill(x, y, radius * 1.05, rgb, |px, py| {
            let (u, v) = ((px - x) / radius, (py - y) / radius);
            shape.contains(cos * u + sin * v, cos * v - sin * u)
        });
    }

    /// Draws a digit (0–9) inside the circle of `radius` around (x, y).
    pub fn digit(&mut self, digit: usize, x: f64, y: f64, radius: f64, rgb: [u8; 3]) {
        let cell = radius * 2.0 / 5.0 * 0.85;
        let bits = DIGITS[digit % 10];
        self.fill(x, y, radius, rgb, |px, py| {
            let column = ((px - x) / cell + 1.5).floor();
            let row = ((py - y) / cell + 2.5).floor();
            if !(0.0..3.0).contains(&column) || !(0.0..5.0).contains(&row) {
                return false;
            }
            bits >> (14 - (row as u32 * 3 + column as u32)) & 1 == 1
        });
    }

    /// Blends `rgb` over every pixel within `reach` of (x, y), by the share of its sixteen
    /// sample points that lie `inside`.
    fn fill(
        &mut self,
        x: f64,
        y: f64,
        reach: f64,
        rgb: [u8; 3],
        inside: impl Fn(f64, f64) -> bool,
    ) {
        const GRID: usize = 4;
        let side = self.side as f64;
        let span = |centre: f64| {
            let first = ((centre - reach) * side).floor().max(0.0) as usize;
            let end = ((centre + reach) * side).ceil().clamp(0.0, side) as usize;
            first..end
        };
        for row in span(y) {
            for column in span(x) {
                let mut covered = 0u32;
                for sample in 0..GRID * GRID {
                    let dx = (sample % GRID) as f64 / GRID as f64 + 0.5 / GRID as f64;
                    let dy = (sample / GRID) as f64 / GRID as f64 + 0.5 / GRID as f64;
                    let point = ((column as f64 + dx) / side, (row as f64 + dy) / side);
                    covered += u32::from(inside(point.0, point.1));
                }
                let at = (row * self.side + column) * 3;
                for (old, new) in self.rgb[at..at + 3].iter_mut().zip(rgb) {
                    let mixed = u32::from(*old) * (16 - covered) + u32::from(new) * covered;
                    *old = ((mixed + 8) / 16) as u8;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_those_of_the_shapes() {
        // Area of each shape of radius 1, from its definition.
        let pi = std::f64::consts::PI;
        let areas = [0.92 * pi, 2.0736, 1.299, 1.92, 0.64 * pi, 1.0976];
        for (shape, area) in Shape::ALL.into_iter().zip(areas) {
            let mut canvas = Canvas::new(128, [0; 3]);
            canvas.shape(shape, 0.5, 0.5, 0.3, 0.1, [255; 3]);
            let sum: f64 = canvas
                .into_rgb()
                .iter()
                .map(|&v| f64::from(v) / 255.0)
                .sum();
            let found = sum / 3.0 / (128.0f64 * 0.3).powi(2);
            assert!(
                (found - area).abs() < 0.02 * area,
                "{shape:?} {found} {area}"
            );
        }
    }

    #[test]
    fn digits_differ() {
        let draw = |digit| {
            let mut canvas = Canvas::new(32, [0; 3]);
            canvas.digit(digit, 0.5, 0.5, 0.3, [255; 3]);
            canvas.into_rgb()
        };
        for a in 0..10 {
            for b in 0..a {
                assert_ne!(draw(a), draw(b));
            }
        }
    }
}
