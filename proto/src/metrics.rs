//! Metric blocks: many series over one shared time axis, each a column of delta-coded scaled integers, so
//! that zstd finds little left to do. [`build`] makes a block, [`read`] takes it apart and trusts nothing:
//! every length is bounded before it is used, and no value that comes out is NaN or infinite.
//!
//! A value keeps up to six decimal places. What is not finite, or too large to keep exactly, is left out:
//! an absent sample says "not measured", and that is what it was.

use std::collections::BTreeMap;

use crate::limits::{AXIS_MAX, COLUMNS_MAX, NAME_MAX, POINTS_MAX, SCALE_MAX};
use crate::wire::{Column, MetricBlock};

/// Integers up to here are exact in an `f64`.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
/// Longest time a block may cover, milliseconds (the queue's seven days, and one to spare).
const SPAN_MAX_MS: i64 = 8 * 24 * 3600 * 1000;

/// The samples of one metric of one check of one device.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Device id.
    pub device: String,
    /// Name of the check within the device.
    pub check: String,
    /// Name of the metric with its unit: `rtt_ms`, `loss_ratio`.
    pub metric: String,
    /// (Unix milliseconds, value), by time.
    pub points: Vec<(i64, f64)>,
}

/// Why a block cannot be made or is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More than a block may hold; split it.
    #[error("the block has {count} {what}, the limit is {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// Its parts disagree.
    #[error("the block is inconsistent: {0}")]
    Inconsistent(&'static str),
}

fn at_most(what: &'static str, count: usize, limit: usize) -> Result<(), Error> {
    if count > limit { Err(Error::TooMany { what, count, limit }) } else { Ok(()) }
}

/// Makes a block. Two samples of one series at the same millisecond count once, the later one; a series
/// without a sample is left out.
pub fn build(series: &[Series]) -> Result<MetricBlock, Error> {
    at_most("columns", series.len(), COLUMNS_MAX)?;
    at_most("points", series.iter().map(|s| s.points.len()).sum(), POINTS_MAX)?;
    let mut axis: Vec<i64> = series.iter().flat_map(|s| s.points.iter().map(|p| p.0)).collect();
    axis.sort_unstable();
    axis.dedup();
    at_most("times", axis.len(), AXIS_MAX)?;
    let (Some(&start_ms), Some(&end_ms)) = (axis.first(), axis.last()) else {
        return Ok(MetricBlock::default());
    };
    if end_ms.checked_sub(start_ms).is_none_or(|span| span > SPAN_MAX_MS) {
        return Err(Error::Inconsistent("it covers more than eight days"));
    }
    let mut before = start_ms;
    let axis_deltas_ms = axis
        .iter()
        .map(|&at| {
            let delta = (at - before) as u32;
            before = at;
            delta
        })
        .collect();
    let columns = series.iter().filter_map(|s| column(s, &axis)).collect();
    Ok(MetricBlock { start_ms, axis_deltas_ms, columns })
}

fn column(series: &Series, axis: &[i64]) -> Option<Column> {
    let samples: BTreeMap<i64, f64> =
        series.points.iter().copied().filter(|(_, value)| value.abs() <= EXACT_MAX).collect();
    if samples.is_empty() {
        return None;
    }
    let scale = scale_of(samples.values().copied());
    let factor = 10_f64.powi(scale as i32);
    let mut before = 0_i64;
    let deltas = samples
        .values()
        .map(|value| {
            let scaled = (value * factor).round() as i64;
            let delta = scaled - before;
            before = scaled;
            delta
        })
        .collect();
    let present = if samples.len() == axis.len() {
        Vec::new()
    } else {
        let mut bits = vec![0_u8; axis.len().div_ceil(8)];
        for (index, at) in axis.iter().enumerate() {
            if samples.contains_key(at) {
                bits[index / 8] |= 1 << (index % 8);
            }
        }
        bits
    };
    Some(Column {
        device_id: series.device.clone(),
        check: series.check.clone(),
        metric: series.metric.clone(),
        scale,
        deltas,
        present,
    })
}

/// The fewest decimal places that keep every value, but no more than stay exact.
pub fn scale_of(values: impl Iterator<Item = f64>) -> u32 {
    let mut needed = 0;
    let mut allowed = SCALE_MAX;
    for value in values {
        while allowed > 0 && value.abs() * 10_f64.powi(allowed as i32) > EXACT_MAX {
            allowed -= 1;
        }
        while needed < SCALE_MAX {
            let scaled = value * 10_f64.powi(needed as i32);
            if (scaled - scaled.round()).abs() < 1e-6 {
                break;
            }
            needed += 1;
        }
    }
    needed.min(allowed)
}

/// Takes a block apart; every series comes back with its samples in time order.
pub fn read(block: &MetricBlock) -> Result<Vec<Series>, Error> {
    let mut all = Vec::with_capacity(block.columns.len().min(COLUMNS_MAX));
    visit(block, |column, points| {
        all.push(Series {
            device: column.device_id.clone(),
            check: column.check.clone(),
            metric: column.metric.clone(),
            points: points.to_vec(),
        });
    })?;
    Ok(all)
}

/// Shows each column with its samples in time order, without a copy of either. A block that is refused may
/// have shown some of its columns.
pub fn visit<'b>(
    block: &'b MetricBlock,
    mut each: impl FnMut(&'b Column, &[(i64, f64)]),
) -> Result<(), Error> {
    at_most("times", block.axis_deltas_ms.len(), AXIS_MAX)?;
    at_most("columns", block.columns.len(), COLUMNS_MAX)?;
    at_most("points", block.columns.iter().map(|c| c.deltas.len()).sum(), POINTS_MAX)?;
    let axis = read_axis(block)?;
    let mut points = Vec::with_capacity(axis.len());
    for column in &block.columns {
        points.clear();
        read_column(column, &axis, &mut points)?;
        each(column, &points);
    }
    Ok(())
}

fn read_axis(block: &MetricBlock) -> Result<Vec<i64>, Error> {
    if block.axis_deltas_ms.first().is_some_and(|first| *first != 0) {
        return Err(Error::Inconsistent("the time axis does not begin at its start"));
    }
    let mut at = block.start_ms;
    let mut axis = Vec::with_capacity(block.axis_deltas_ms.len());
    for (index, delta) in block.axis_deltas_ms.iter().enumerate() {
        if index > 0 && *delta == 0 {
            return Err(Error::Inconsistent("a time is there twice"));
        }
        at = at.checked_add(i64::from(*delta)).ok_or(Error::Inconsistent("the times overflow"))?;
        axis.push(at);
    }
    if at.checked_sub(block.start_ms).is_none_or(|span| span > SPAN_MAX_MS) {
        return Err(Error::Inconsistent("it covers more than eight days"));
    }
    Ok(axis)
}

fn read_column(column: &Column, axis: &[i64], points: &mut Vec<(i64, f64)>) -> Result<(), Error> {
    if column.scale > SCALE_MAX {
        return Err(Error::Inconsistent("a column keeps more decimal places than allowed"));
    }
    if [&column.device_id, &column.check, &column.metric].iter().any(|name| name.len() > NAME_MAX) {
        return Err(Error::Inconsistent("a name is too long"));
    }
    let factor = 10_f64.powi(column.scale as i32);
    let mut scaled = 0_i64;
    let mut deltas = column.deltas.iter();
    for (index, at) in axis.iter().enumerate() {
        let present = if column.present.is_empty() {
            true
        } else {
            let byte = column.present.get(index / 8);
            byte.ok_or(Error::Inconsistent("a bitmap is short"))? >> (index % 8) & 1 == 1
        };
        if present {
            let delta = deltas.next().ok_or(Error::Inconsistent("a column has fewer values than times"))?;
            scaled = scaled.checked_add(*delta).ok_or(Error::Inconsistent("a value overflows"))?;
            points.push((*at, scaled as f64 / factor));
        }
    }
    if deltas.next().is_some() {
        return Err(Error::Inconsistent("a column has more values than times"));
    }
    if column.present.len() > axis.len().div_ceil(8) {
        return Err(Error::Inconsistent("a bitmap is long"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn series(metric: &str, points: Vec<(i64, f64)>) -> Series {
        Series { device: "d".into(), check: "c".into(), metric: metric.into(), points }
    }

    #[test]
    fn columns_share_one_axis() {
        let a = series("a", vec![(1000, 1.0), (2000, 2.5), (4000, -3.125)]);
        let b = series("b", vec![(2000, 1e15), (3000, 0.0)]);
        let block = build(&[a.clone(), b.clone(), series("none", vec![])]).unwrap();
        assert_eq!(block.axis_deltas_ms, [0, 1000, 1000, 1000]);
        assert_eq!(block.columns[0].present, [0b1011]);
        assert_eq!(block.columns[0].scale, 3);
        assert_eq!(read(&block).unwrap(), [a, b]);
    }

    #[test]
    fn what_is_no_number_is_absent() {
        let block =
            build(&[series("a", vec![(1, f64::NAN), (2, f64::INFINITY), (3, 1e300), (4, 7.0)])]).unwrap();
        assert_eq!(read(&block).unwrap(), [series("a", vec![(4, 7.0)])]);
    }

    #[test]
    fn fifty_devices_each_minute_stay_small() {
        let mut all = Vec::new();
        for device in 0..50_i64 {
            for metric in 0..6_i64 {
                let points = (0..5)
                    .map(|m| (m * 60_000 + device * 1000, ((device * 7 + metric + m) % 23) as f64 / 10.0));
                all.push(Series {
                    device: format!("device-{device}"),
                    check: format!("check-{}", metric / 2),
                    metric: format!("metric_{metric}"),
                    points: points.collect(),
                });
            }
        }
        let block = build(&all).unwrap();
        let packet = crate::envelope::encode_message(&block, crate::envelope::Codec::Zstd).unwrap();
        // 288 blocks of 5 minutes a day for 50 devices: 7 KiB a device and day is 1.2 KiB a block, plus
        // names, which cost most of it.
        assert!(packet.len() < 5_000, "{} bytes", packet.len());
    }

    #[test]
    fn a_block_that_lies_is_refused() {
        let good =
            build(&[series("a", vec![(1, 1.0), (2, 2.0), (9, 3.0)]), series("b", vec![(2, 1.0)])]).unwrap();
        let refuse = |change: fn(&mut MetricBlock)| {
            let mut block = good.clone();
            change(&mut block);
            assert!(read(&block).is_err(), "{block:?}");
        };
        refuse(|b| b.axis_deltas_ms[0] = 1);
        refuse(|b| b.axis_deltas_ms[1] = 0);
        refuse(|b| b.axis_deltas_ms = vec![1; AXIS_MAX + 1]);
        refuse(|b| b.start_ms = i64::MAX);
        refuse(|b| b.columns[0].deltas.push(1));
        refuse(|b| b.columns[0].deltas.clear());
        refuse(|b| b.columns[0].deltas[0] = i64::MAX);
        refuse(|b| b.columns[0].scale = 400);
        refuse(|b| b.columns[1].present = vec![2, 0]);
        refuse(|b| b.columns[1].metric = "x".repeat(65));
        refuse(|b| b.columns = vec![Column::default(); COLUMNS_MAX + 1]);
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(raw in proptest::collection::vec(
            proptest::collection::btree_map(0_i64..100_000, -1_000_000_000_i64..1_000_000_000, 1..40), 1..8),
            scale in 0_i32..=6,
        ) {
            let all: Vec<Series> = raw.into_iter().enumerate().map(|(i, points)| series(
                &format!("m{i}"),
                points.into_iter().map(|(at, v)| (at, v as f64 / 10_f64.powi(scale))).collect(),
            )).collect();
            let back = read(&build(&all).unwrap()).unwrap();
            prop_assert_eq!(back.len(), all.len());
            for (a, b) in all.iter().zip(&back) {
                prop_assert_eq!(a.points.len(), b.points.len());
                for (p, q) in a.points.iter().zip(&b.points) {
                    prop_assert_eq!(p.0, q.0);
                    prop_assert!((p.1 - q.1).abs() <= 2e-6, "{} {}", p.1, q.1);
                }
            }
        }

        #[test]
        fn any_block_is_read_or_refused(start in any::<i64>(), axis in proptest::collection::vec(any::<u32>(), 0..20),
            deltas in proptest::collection::vec(any::<i64>(), 0..20), present in proptest::collection::vec(any::<u8>(), 0..4), scale in any::<u32>()) {
            let column = Column { scale, deltas, present, ..Column::default() };
            if let Ok(all) = read(&MetricBlock { start_ms: start, axis_deltas_ms: axis, columns: vec![column] }) {
                prop_assert!(all.iter().flat_map(|s| &s.points).all(|(_, v)| v.is_finite()));
            }
        }
    }
}
