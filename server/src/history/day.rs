//! One device and one UTC day: for every metric the samples of each hour, in a few hundred bytes.
//!
//! The numbers are whole: what a gateway sends has at most six decimal places, so the smallest and the largest
//! sample of an hour keep the places they need. Columns of small differences are what zstd packs best. The
//! first byte names the version of the layout, the next four say how long the rest is once unpacked.

use std::collections::BTreeMap;

use prost::Message;
use sitewarden_proto::metrics::scale_of;

use super::Bucket;

/// Hours of a day.
pub const HOURS: usize = 24;
/// Metrics of one device that a day keeps. More come only from a gateway that invents names.
pub const LINES_MAX: usize = 2_048;
const VERSION: u8 = 1;
/// A whole day of [`LINES_MAX`] metrics takes less.
const UNPACKED_MAX: usize = 4 * 1024 * 1024;

/// The hours of one metric.
pub type Hours = [Option<Bucket>; HOURS];
/// A device's day by (check, metric).
pub type Day = BTreeMap<(String, String), Hours>;

/// Why a day cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Written by a newer release, or not a day at all.
    #[error("layout {0:?} is not known here")]
    Layout(Option<u8>),
    /// Not a zstd frame.
    #[error("not valid zstd")]
    Packed(#[from] std::io::Error),
    /// Not the message it should be.
    #[error("not a day: {0}")]
    Message(#[from] prost::DecodeError),
}

#[derive(Clone, PartialEq, Message)]
struct Lines {
    #[prost(message, repeated, tag = "1")]
    lines: Vec<Line>,
}

#[derive(Clone, PartialEq, Message)]
struct Line {
    #[prost(string, tag = "1")]
    check: String,
    #[prost(string, tag = "2")]
    metric: String,
    /// One bit for each hour that has samples.
    #[prost(uint32, tag = "3")]
    hours: u32,
    /// Decimal places of the columns.
    #[prost(uint32, tag = "4")]
    scale: u32,
    /// Smallest samples, each as the difference from the one before.
    #[prost(sint64, repeated, tag = "5")]
    least: Vec<i64>,
    /// How far the largest sample is above the smallest.
    #[prost(uint64, repeated, tag = "6")]
    spread: Vec<u64>,
    /// How far the sum is above as many times the smallest sample.
    #[prost(uint64, repeated, tag = "7")]
    above: Vec<u64>,
    #[prost(uint32, repeated, tag = "8")]
    samples: Vec<u32>,
}

/// Packs a day.
pub fn pack(day: &Day) -> std::io::Result<Vec<u8>> {
    let lines = day.iter().map(|((check, metric), hours)| line(check, metric, hours)).collect();
    let plain = Lines { lines }.encode_to_vec();
    let length = u32::try_from(plain.len()).unwrap_or(u32::MAX).to_le_bytes();
    Ok([&[VERSION][..], &length, &zstd::bulk::compress(&plain, 3)?].concat())
}

/// Unpacks a day.
pub fn unpack(packed: &[u8]) -> Result<Day, Error> {
    let [VERSION, a, b, c, d, rest @ ..] = packed else {
        return Err(Error::Layout(packed.first().copied()));
    };
    let length = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
    let plain = zstd::bulk::decompress(rest, length.min(UNPACKED_MAX))?;
    let Lines { lines } = Lines::decode(plain.as_slice())?;
    Ok(lines
        .into_iter()
        .map(|line| {
            let hours = hours(&line);
            ((line.check, line.metric), hours)
        })
        .collect())
}

/// Puts hours into a day that stands and packs it. `keep` leaves an hour alone that is there already.
pub fn merge(stands: Option<&[u8]>, fresh: &Day, keep: impl Fn(usize) -> bool) -> std::io::Result<Vec<u8>> {
    let mut day = match stands.map(unpack) {
        Some(Ok(day)) => day,
        Some(Err(error)) => {
            tracing::error!(%error, "a day of rollups cannot be read and begins anew");
            Day::new()
        }
        None => Day::new(),
    };
    for (key, hours) in fresh {
        if day.len() >= LINES_MAX && !day.contains_key(key) {
            continue;
        }
        let line = day.entry(key.clone()).or_insert([None; HOURS]);
        for (hour, (place, bucket)) in line.iter_mut().zip(hours).enumerate() {
            if bucket.is_some() && !(place.is_some() && keep(hour)) {
                *place = *bucket;
            }
        }
    }
    pack(&day)
}

fn line(check: &str, metric: &str, hours: &Hours) -> Line {
    let scale = scale_of(hours.iter().flatten().flat_map(|bucket| [bucket.min, bucket.max]));
    let factor = 10_f64.powi(scale as i32);
    let mut line = Line { check: check.to_owned(), metric: metric.to_owned(), scale, ..Line::default() };
    let mut before = 0_i64;
    for (hour, bucket) in hours.iter().enumerate() {
        let Some(bucket) = bucket else { continue };
        let least = (bucket.min * factor).round() as i64;
        line.hours |= 1 << hour;
        line.least.push(least.wrapping_sub(before));
        line.spread.push(((bucket.max - bucket.min) * factor).round() as u64);
        line.above.push(((bucket.sum - bucket.min * bucket.samples as f64) * factor).round() as u64);
        line.samples.push(u32::try_from(bucket.samples).unwrap_or(u32::MAX));
        before = least;
    }
    line
}

fn hours(line: &Line) -> Hours {
    let factor = 10_f64.powi(line.scale.min(18) as i32);
    let mut hours = [None; HOURS];
    let mut least = 0_i64;
    let columns = line.least.iter().zip(&line.spread).zip(line.above.iter().zip(&line.samples));
    let present = (0..HOURS).filter(|hour| line.hours >> hour & 1 == 1);
    for (hour, ((delta, spread), (above, samples))) in present.zip(columns) {
        least = least.wrapping_add(*delta);
        let min = least as f64 / factor;
        let samples = i64::from(*samples);
        let sum = min * samples as f64 + *above as f64 / factor;
        hours[hour] = Some(Bucket { min, max: min + *spread as f64 / factor, sum, samples });
    }
    hours
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(hours: &Hours) -> Day {
        Day::from([(("icmp".to_owned(), "rtt_ms".to_owned()), *hours)])
    }

    #[test]
    fn a_day_of_six_metrics_takes_a_few_hundred_bytes() {
        let mut all = Day::new();
        for metric in 0..6 {
            let mut hours = [None; HOURS];
            for (hour, place) in hours.iter_mut().enumerate() {
                let min = 20.0 + ((hour * 7 + metric) % 10) as f64 / 10.0;
                *place =
                    Some(Bucket { min, max: min + 2.9, sum: 60.0 * min + 71.3 + hour as f64, samples: 60 });
            }
            all.insert(("icmp".to_owned(), format!("metric_{metric}")), hours);
        }
        let packed = pack(&all).unwrap();
        assert!(packed.len() < 700, "{} bytes", packed.len());
    }

    #[test]
    fn an_hour_is_replaced_and_the_others_stay() {
        let of = |hours: &[(usize, f64)]| {
            let mut line = [None; HOURS];
            for (hour, value) in hours {
                line[*hour] = Some(Bucket::of(*value));
            }
            day(&line)
        };
        let first = merge(None, &of(&[(1, 1.0), (2, 2.0)]), |_| false).unwrap();
        let second = merge(Some(&first), &of(&[(2, 5.0), (3, 3.0)]), |_| false).unwrap();
        assert_eq!(unpack(&second).unwrap(), of(&[(1, 1.0), (2, 5.0), (3, 3.0)]));
        let kept = merge(Some(&first), &of(&[(2, 5.0), (3, 3.0)]), |_| true).unwrap();
        assert_eq!(unpack(&kept).unwrap(), of(&[(1, 1.0), (2, 2.0), (3, 3.0)]));
    }

    #[test]
    fn what_is_no_day_is_refused() {
        assert!(matches!(unpack(&[]), Err(Error::Layout(None))));
        assert!(matches!(unpack(&[9, 1, 2, 0, 0, 0]), Err(Error::Layout(Some(9)))));
        assert!(matches!(unpack(&[VERSION, 9, 0, 0, 0, 1, 2]), Err(Error::Packed(_))));
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(
            raw in proptest::collection::vec(proptest::option::of(
                (-1_000_000_000_i64..1_000_000_000, 0_i64..1_000_000, 1_i64..4000)), HOURS),
            scale in 0_i32..=6,
        ) {
            let factor = 10_f64.powi(scale);
            let mut hours = [None; HOURS];
            for (place, raw) in hours.iter_mut().zip(raw) {
                *place = raw.map(|(min, spread, samples)| Bucket {
                    min: min as f64 / factor,
                    max: (min + spread) as f64 / factor,
                    sum: (min * samples + spread) as f64 / factor,
                    samples,
                });
            }
            let back = unpack(&pack(&day(&hours)).unwrap()).unwrap();
            for (a, b) in hours.iter().zip(&back[&("icmp".to_owned(), "rtt_ms".to_owned())]) {
                prop_assert_eq!(a.is_some(), b.is_some());
                if let (Some(a), Some(b)) = (a, b) {
                    let near = |x: f64, y: f64| (x - y).abs() <= 1e-6 * x.abs().max(1.0);
                    prop_assert!(near(a.min, b.min) && near(a.max, b.max) && near(a.sum, b.sum), "{a:?} {b:?}");
                    prop_assert_eq!(a.samples, b.samples);
                }
            }
        }
    }
}
