//! Lines over time, on a scale of powers of ten: what is a hundred times slower is to be seen beside it.

use std::fmt::Write as _;

use super::tally::Point;

/// Seconds that a chart shows.
pub const SECONDS: f64 = 60.0;

/// Width of a chart, in units of its own.
pub const WIDTH: f64 = 600.0;
/// Its height.
pub const HEIGHT: f64 = 180.0;

/// What a chart shows: from and to which power of ten of milliseconds, and from which second on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The least power.
    pub least: i32,
    /// The greatest.
    pub most: i32,
    /// The first second.
    pub from: f64,
}

impl Range {
    /// Room for all of `lines`, and for a tenth to ten thousand milliseconds where that is not much.
    pub fn of(lines: &[Vec<Point>]) -> Self {
        let points = || lines.iter().flatten();
        let power = |point: &Point| point.ms.max(1e-3).log10();
        let least = points().map(power).fold(0.0_f64, f64::min).floor() as i32;
        let most = points().map(power).fold(2.0_f64, f64::max).ceil() as i32;
        let last = points().map(|point| f64::from(point.at)).fold(0.0, f64::max);
        Self { least, most: most.max(least + 1), from: (last - SECONDS + 1.0).max(0.0) }
    }

    /// Where a time stands, from above.
    pub fn y(&self, ms: f64) -> f64 {
        let share = (ms.max(1e-3).log10() - f64::from(self.least)) / f64::from(self.most - self.least);
        HEIGHT * (1.0 - share.clamp(0.0, 1.0))
    }

    fn x(&self, at: f64) -> f64 {
        WIDTH * ((at - self.from) / (SECONDS - 1.0)).clamp(0.0, 1.0)
    }

    /// The line's path, in SVG's form (SVG 2, section 9.3). It breaks where there was nothing for a second.
    pub fn path(&self, line: &[Point]) -> String {
        let mut path = String::new();
        let mut last = None;
        for point in line.iter().filter(|point| f64::from(point.at) >= self.from) {
            let follows = last.is_some_and(|last| point.at <= last + 2);
            let command = if follows { 'L' } else { 'M' };
            // A point by itself is a line of no length, which round ends make a dot.
            let (x, y) = (self.x(point.at.into()), self.y(point.ms));
            let _ = write!(path, "{command}{x:.1} {y:.1}");
            if !follows {
                let _ = write!(path, "h0.1");
            }
            last = Some(point.at);
        }
        path
    }

    /// Its ticks, in milliseconds.
    pub fn ticks(&self) -> Vec<f64> {
        (self.least..=self.most).map(|power| 10_f64.powi(power)).collect()
    }
}

/// Milliseconds in words of at most three digits that count.
pub fn duration(ms: f64) -> String {
    match ms {
        ms if ms >= 10_000.0 => format!("{:.0} s", ms / 1_000.0),
        ms if ms >= 1_000.0 => format!("{:.1} s", ms / 1_000.0),
        ms if ms >= 10.0 => format!("{ms:.0} ms"),
        ms if ms >= 1.0 => format!("{ms:.1} ms"),
        ms => format!("{ms:.2} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(points: &[(u32, f64)]) -> Vec<Point> {
        points.iter().map(|(at, ms)| Point { at: *at, ms: *ms }).collect()
    }

    #[test]
    fn a_tenth_of_the_time_stands_one_power_lower() {
        let range = Range::of(&[line(&[(0, 1.0), (1, 1_000.0)])]);
        assert_eq!((range.least, range.most), (0, 3));
        assert_eq!([1_000.0, 100.0, 1.0].map(|ms| range.y(ms).round()), [0.0, 60.0, 180.0]);
        assert_eq!(range.ticks(), [1.0, 10.0, 100.0, 1_000.0]);
    }

    #[test]
    fn the_newest_minute_is_shown() {
        let lines = [line(&[(0, 1.0), (89, 1.0)])];
        let range = Range::of(&lines);
        assert_eq!(range.from, 30.0);
        assert_eq!(range.path(&lines[0]), "M600.0 180.0h0.1");
    }

    #[test]
    fn a_line_breaks_where_nothing_was_answered() {
        let lines = [line(&[(0, 100.0), (1, 100.0), (9, 100.0)])];
        let path = Range::of(&lines).path(&lines[0]);
        assert_eq!(path.matches('M').count(), 2, "{path}");
        assert_eq!(path.matches('L').count(), 1, "{path}");
    }

    #[test]
    fn nothing_has_a_range_as_well() {
        assert_eq!(Range::of(&[]), Range { least: 0, most: 2, from: 0.0 });
    }

    #[test]
    fn durations_have_as_many_digits_as_count() {
        for (ms, text) in
            [(0.123, "0.12 ms"), (4.56, "4.6 ms"), (78.9, "79 ms"), (1_234.0, "1.2 s"), (30_000.0, "30 s")]
        {
            assert_eq!(duration(ms), text);
        }
    }
}
