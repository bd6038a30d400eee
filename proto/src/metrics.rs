//! Metric blocks: many series over one shared time axis, delta-coded scaled integers, so that zstd finds little
//! left to do. [`pack`] makes a block of groups, in which names and times stand once for many devices; [`build`]
//! makes one of columns, for a server that reads nothing else. [`read`] takes both apart and trusts nothing: every
//! length is bounded before it is used, and no value that comes out is NaN or infinite.
//!
//! A value keeps up to six decimal places. What is not finite, or too large to keep exactly, is left out:
//! an absent sample says "not measured", and that is what it was.

mod group;

use std::collections::BTreeMap;

use crate::limits::{AXIS_MAX, COLUMNS_MAX, NAME_MAX, POINTS_MAX, SCALE_MAX};
use crate::wire::{Column, MetricBlock};

pub use group::pack;

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

/// Whose samples are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'b> {
    /// Device id.
    pub device: &'b str,
    /// Name of the check within the device.
    pub check: &'b str,
    /// Name of the metric with its unit.
    pub metric: &'b str,
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

/// Makes a block of columns. Two samples of one series at the same millisecond count once, the later one; a series
/// without a sample is left out.
pub fn build(series: &[Series]) -> Result<MetricBlock, Error> {
    let axis = axis_of(series)?;
    let columns = series.iter().filter_map(|s| column(s, &axis)).collect();
    Ok(MetricBlock { columns, ..on_axis(&axis) })
}

/// Every time at which one of them has a sample.
fn axis_of(series: &[Series]) -> Result<Vec<i64>, Error> {
    at_most("columns", series.len(), COLUMNS_MAX)?;
    at_most("points", series.iter().map(|s| s.points.len()).sum(), POINTS_MAX)?;
    let mut axis: Vec<i64> = series.iter().flat_map(|s| s.points.iter().map(|p| p.0)).collect();
    axis.sort_unstable();
    axis.dedup();
    at_most("times", axis.len(), AXIS_MAX)?;
    if let (Some(start_ms), Some(end_ms)) = (axis.first(), axis.last())
        && end_ms.checked_sub(*start_ms).is_none_or(|span| span > SPAN_MAX_MS)
    {
        return Err(Error::Inconsistent("it covers more than eight days"));
    }
    Ok(axis)
}

/// An empty block over an axis.
fn on_axis(axis: &[i64]) -> MetricBlock {
    let start_ms = axis.first().copied().unwrap_or_default();
    let mut before = start_ms;
    let deltas = axis.iter().map(|&at| {
        let delta = (at - before) as u32;
        before = at;
        delta
    });
    MetricBlock { start_ms, axis_deltas_ms: deltas.collect(), ..MetricBlock::default() }
}

/// A bitmap of whole bytes over an axis.
fn bitmap(axis: &[i64], is_present: impl Fn(i64) -> bool) -> Vec<u8> {
    let mut bits = vec![0_u8; axis.len().div_ceil(8)];
    for (index, at) in axis.iter().enumerate() {
        bits[index / 8] |= u8::from(is_present(*at)) << (index % 8);
    }
    bits
}

fn column(series: &Series, axis: &[i64]) -> Option<Column> {
    let samples = samples(series);
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
    let present =
        if samples.len() == axis.len() { Vec::new() } else { bitmap(axis, |at| samples.contains_key(&at)) };
    Some(Column {
        device_id: series.device.clone(),
        check: series.check.clone(),
        metric: series.metric.clone(),
        scale,
        deltas,
        present,
    })
}

/// What of a series can be kept, by time.
fn samples(series: &Series) -> BTreeMap<i64, f64> {
    series.points.iter().copied().filter(|(_, value)| value.abs() <= EXACT_MAX).collect()
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
    visit(block, |name, points| {
        all.push(Series {
            device: name.device.to_owned(),
            check: name.check.to_owned(),
            metric: name.metric.to_owned(),
            points: points.to_vec(),
        });
    })?;
    Ok(all)
}

/// Shows each series with its samples in time order, without a copy of either. A block that is refused may
/// have shown some of its series.
pub fn visit(block: &MetricBlock, mut each: impl FnMut(Name<'_>, &[(i64, f64)])) -> Result<(), Error> {
    at_most("times", block.axis_deltas_ms.len(), AXIS_MAX)?;
    at_most("columns", block.columns.len().saturating_add(group::series(block)), COLUMNS_MAX)?;
    let in_columns: usize = block.columns.iter().map(|c| c.deltas.len()).sum();
    at_most("points", in_columns.saturating_add(group::points(block)), POINTS_MAX)?;
    let axis = read_axis(block)?;
    group::visit(block, &axis, &mut each)?;
    let mut points = Vec::with_capacity(axis.len());
    for column in &block.columns {
        points.clear();
        read_column(column, &axis, &mut points)?;
        let (device, check, metric) = (&column.device_id, &column.check, &column.metric);
        each(Name { device, check, metric }, &points);
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
mod tests;
