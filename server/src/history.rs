//! What was measured: the blocks as they came, and hourly rollups of them for long ranges.
//!
//! A chart of a short range decodes the blocks of one gateway and period; a long one reads the
//! rollups, and the blocks of those hours that are not rolled up yet. Either way it is cut to the number of points that was asked for, and a time without a
//! sample stays a gap: no line may cross it.

pub mod day;
pub mod step;
pub mod store;

use std::collections::BTreeMap;

/// Ranges up to this length are drawn from blocks, longer ones from rollups.
pub const BLOCK_RANGE_MAX_MS: i64 = 26 * HOUR_MS;
/// One hour, the step of a rollup.
pub const HOUR_MS: i64 = 3_600_000;
/// One UTC day, the row of rollups.
pub const DAY_MS: i64 = 24 * HOUR_MS;
/// The most points one series is drawn with.
pub const POINTS_MAX: i64 = 1_000;

/// The samples of one metric in one step of a chart, or in one hour of a rollup.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// Smallest sample.
    pub min: f64,
    /// Largest sample.
    pub max: f64,
    /// Sum of the samples.
    pub sum: f64,
    /// How many samples; never 0.
    pub samples: i64,
}

impl Bucket {
    /// A bucket of one sample.
    pub fn of(value: f64) -> Self {
        Self { min: value, max: value, sum: value, samples: 1 }
    }

    /// Adds the samples of `other`.
    pub fn add(&mut self, other: Self) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum += other.sum;
        self.samples += other.samples;
    }

    /// The mean of the samples.
    pub fn mean(&self) -> f64 {
        self.sum / self.samples as f64
    }
}

/// Sorts samples into buckets of `step_ms`, keyed by the start of the bucket.
pub fn buckets(points: &[(i64, f64)], step_ms: i64) -> BTreeMap<i64, Bucket> {
    let mut buckets: BTreeMap<i64, Bucket> = BTreeMap::new();
    for &(at, value) in points {
        let start = at.div_euclid(step_ms) * step_ms;
        buckets
            .entry(start)
            .and_modify(|bucket| bucket.add(Bucket::of(value)))
            .or_insert_with(|| Bucket::of(value));
    }
    buckets
}

/// Puts buckets together into larger ones.
pub fn coarser(buckets: BTreeMap<i64, Bucket>, step_ms: i64) -> BTreeMap<i64, Bucket> {
    let mut all: BTreeMap<i64, Bucket> = BTreeMap::new();
    for (at, bucket) in buckets {
        let start = at.div_euclid(step_ms) * step_ms;
        all.entry(start).and_modify(|sum| sum.add(bucket)).or_insert(bucket);
    }
    all
}

/// The step that draws `from..to` with at most `points` points, not finer than `finest_ms`.
pub fn step_ms(from: i64, to: i64, points: i64, finest_ms: i64) -> i64 {
    let points = points.clamp(10, POINTS_MAX);
    let wanted = (to - from).max(1).div_euclid(points).max(1);
    (wanted + finest_ms - 1) / finest_ms * finest_ms
}

/// A series with explicit gaps: between two buckets that are further apart than `gap_ms` stands a
/// point without a value.
pub fn with_gaps(buckets: &BTreeMap<i64, Bucket>, gap_ms: i64) -> Vec<(i64, Option<f64>)> {
    let mut points: Vec<(i64, Option<f64>)> = Vec::with_capacity(buckets.len());
    let mut last: Option<i64> = None;
    for (&at, bucket) in buckets {
        if let Some(before) = last
            && at - before > gap_ms
        {
            points.push((before + 1, None));
        }
        points.push((at, Some(bucket.mean())));
        last = Some(at);
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_samples_is_a_gap_and_no_line_crosses_it() {
        let minute = 60_000;
        let points = [(0, 1.0), (minute, 3.0), (20 * minute, 5.0)];
        let series = with_gaps(&buckets(&points, minute), 3 * minute);
        assert_eq!(
            series,
            [(0, Some(1.0)), (minute, Some(3.0)), (minute + 1, None), (20 * minute, Some(5.0))]
        );
    }

    #[test]
    fn a_bucket_keeps_the_extremes_and_the_mean() {
        let all = buckets(&[(10, 1.0), (20, 2.0), (30, 6.0)], 100);
        assert_eq!(all, BTreeMap::from([(0, Bucket { min: 1.0, max: 6.0, sum: 9.0, samples: 3 })]));
        assert!((all[&0].mean() - 3.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_step_is_a_multiple_of_the_finest_and_bounds_the_points() {
        assert_eq!(step_ms(0, 24 * HOUR_MS, 480, 60_000), 180_000);
        assert_eq!(step_ms(0, 60_000, 480, 60_000), 60_000);
        assert_eq!(step_ms(0, 30 * 24 * HOUR_MS, 480, HOUR_MS), 2 * HOUR_MS);
    }
}
