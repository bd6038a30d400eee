//! Groups: the rows of a block that measure the same, one after another, so that names, times and what is usual
//! of a metric stand once for many devices.
//!
//! A row is a check of one device with the metrics that have a sample at the same times. What a check measures
//! at other times (a round trip that was lost has no time) is a row of another group.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{EXACT_MAX, Error, Name, Series, at_most, axis_of, bitmap, on_axis, samples, scale_of};
use crate::limits::{COLUMNS_MAX, NAME_MAX, SCALE_MAX};
use crate::wire::{Group, Measure, MetricBlock};

/// Bytes of a device id that is a UUID.
const UUID: usize = 16;

/// A device and a check, and what was measured at these times: metric and values.
struct Row<'s> {
    device: &'s str,
    check: &'s str,
    times: Vec<i64>,
    measures: Vec<Values<'s>>,
}

/// A metric and its values.
type Values<'s> = (&'s str, Vec<f64>);

/// What the rows of a group have in common. A value so large that the others of its metric could not keep their
/// decimal places beside it stands in a group apart.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Kind<'s> {
    check: &'s str,
    metrics: Vec<&'s str>,
    is_large: bool,
}

/// Makes a block of groups. Two samples of one series at the same millisecond count once, the later one; a series
/// without a sample is left out.
pub fn pack(series: &[Series]) -> Result<MetricBlock, Error> {
    let axis = axis_of(series)?;
    let mut groups: BTreeMap<Kind<'_>, Vec<Row<'_>>> = BTreeMap::new();
    for row in rows(series) {
        let values = || row.measures.iter().flat_map(|(_, values)| values);
        let is_large = values().any(|value| value.abs() * 10_f64.powi(SCALE_MAX.cast_signed()) > EXACT_MAX);
        let metrics = row.measures.iter().map(|(metric, _)| *metric).collect();
        groups.entry(Kind { check: row.check, metrics, is_large }).or_default().push(row);
    }
    let mut devices: Vec<&str> = groups.values().flatten().map(|row| row.device).collect();
    // UUIDs before names.
    devices.sort_unstable_by_key(|device| (as_uuid(device).is_none(), *device));
    devices.dedup();
    let places: BTreeMap<&str, u32> = devices.iter().copied().zip(0..).collect();
    let uuids = devices.iter().filter_map(|device| as_uuid(device)).flat_map(Uuid::into_bytes).collect();
    let names = devices.iter().filter(|device| as_uuid(device).is_none()).map(ToString::to_string).collect();
    let groups = groups.into_iter().flat_map(|(kind, mut rows)| {
        rows.sort_by_key(|row| places.get(row.device));
        let rows_each = if kind.is_large { 1 } else { rows.len() };
        rows.chunks(rows_each).map(|rows| group(&kind, rows, &axis, &places)).collect::<Vec<_>>()
    });
    Ok(MetricBlock { uuids, names, groups: groups.collect(), ..on_axis(&axis) })
}

fn rows(series: &[Series]) -> Vec<Row<'_>> {
    let mut rows: BTreeMap<(&str, &str, Vec<i64>), Vec<Values<'_>>> = BTreeMap::new();
    for one in series {
        let (times, values): (Vec<i64>, Vec<f64>) = samples(one).into_iter().unzip();
        if !times.is_empty() {
            rows.entry((&one.device, &one.check, times)).or_default().push((&one.metric, values));
        }
    }
    let rows = rows.into_iter().map(|((device, check, times), mut measures)| {
        measures.sort_by_key(|(metric, _)| *metric);
        Row { device, check, times, measures }
    });
    rows.collect()
}

fn group(kind: &Kind<'_>, rows: &[Row<'_>], axis: &[i64], places: &BTreeMap<&str, u32>) -> Group {
    let measures = kind.metrics.iter().enumerate().map(|(index, metric)| {
        let values = || rows.iter().flat_map(|row| &row.measures[index].1).copied();
        let scale = scale_of(values());
        let factor = 10_f64.powi(scale.cast_signed());
        let mut before = 0_i64;
        let deltas = values().map(|value| {
            let scaled = (value * factor).round() as i64;
            let delta = scaled - before;
            before = scaled;
            delta
        });
        Measure { metric: (*metric).to_owned(), scale, deltas: deltas.collect() }
    });
    let present = if rows.iter().all(|row| row.times.len() == axis.len()) {
        Vec::new()
    } else {
        rows.iter().flat_map(|row| bitmap(axis, |at| row.times.binary_search(&at).is_ok())).collect()
    };
    let mut before = 0;
    let devices = rows.iter().filter_map(|row| places.get(row.device)).map(|place| {
        let step = place - before;
        before = *place;
        step
    });
    Group { check: kind.check.to_owned(), devices: devices.collect(), present, measures: measures.collect() }
}

/// An id that comes back as the same text.
fn as_uuid(device: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(device).ok()?;
    (uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == device).then_some(uuid)
}

/// How many series the groups hold.
pub(super) fn series(block: &MetricBlock) -> usize {
    block.groups.iter().map(|group| group.devices.len().saturating_mul(group.measures.len().max(1))).sum()
}

/// How many values the groups hold.
pub(super) fn points(block: &MetricBlock) -> usize {
    block.groups.iter().flat_map(|group| &group.measures).map(|measure| measure.deltas.len()).sum()
}

/// Shows each series of the groups.
pub(super) fn visit(
    block: &MetricBlock,
    axis: &[i64],
    each: &mut impl FnMut(Name<'_>, &[(i64, f64)]),
) -> Result<(), Error> {
    let (uuids, rest) = block.uuids.as_chunks::<UUID>();
    if !rest.is_empty() {
        return Err(Error::Inconsistent("a device id is cut off"));
    }
    if block.groups.is_empty() {
        return Ok(());
    }
    at_most("devices", uuids.len() + block.names.len(), COLUMNS_MAX)?;
    if block.names.iter().any(|name| name.len() > NAME_MAX) {
        return Err(Error::Inconsistent("a device id is too long"));
    }
    let mut devices: Vec<String> = Vec::with_capacity(uuids.len() + block.names.len());
    devices.extend(uuids.iter().map(|uuid| Uuid::from_bytes(*uuid).to_string()));
    devices.extend(block.names.iter().cloned());
    let mut times = Vec::new();
    let mut points = Vec::with_capacity(axis.len());
    for group in &block.groups {
        let mut names = group.measures.iter().map(|measure| &measure.metric).chain([&group.check]);
        if names.any(|name| name.len() > NAME_MAX) {
            return Err(Error::Inconsistent("a name is too long"));
        }
        let ends = row_times(group, axis, &mut times)?;
        for measure in &group.measures {
            if measure.scale > SCALE_MAX {
                return Err(Error::Inconsistent("a metric keeps more decimal places than allowed"));
            }
            if measure.deltas.len() != times.len() {
                return Err(Error::Inconsistent("a metric has more or fewer values than times"));
            }
            let factor = 10_f64.powi(measure.scale.cast_signed());
            let mut scaled = 0_i64;
            let (mut from, mut place) = (0, 0_usize);
            for (step, &end) in group.devices.iter().zip(&ends) {
                place = place.saturating_add(*step as usize);
                let device = devices.get(place);
                let device = device.ok_or(Error::Inconsistent("a row is of no device"))?;
                points.clear();
                for (at, delta) in times[from..end].iter().zip(&measure.deltas[from..end]) {
                    scaled = scaled.checked_add(*delta).ok_or(Error::Inconsistent("a value overflows"))?;
                    points.push((*at, scaled as f64 / factor));
                }
                from = end;
                each(Name { device, check: &group.check, metric: &measure.metric }, &points);
            }
        }
    }
    Ok(())
}

/// The times of all rows, one after another, and where each row ends.
fn row_times(group: &Group, axis: &[i64], times: &mut Vec<i64>) -> Result<Vec<usize>, Error> {
    times.clear();
    let width = axis.len().div_ceil(8);
    let rows = group.devices.len();
    if !group.present.is_empty() && group.present.len() != width * rows {
        return Err(Error::Inconsistent("a bitmap is too short or too long"));
    }
    // So many values must be there, or the block lies about its times: nothing is made that nobody sent.
    let most = group.measures.iter().map(|measure| measure.deltas.len()).max().unwrap_or_default();
    let mut ends = Vec::with_capacity(rows);
    for row in 0..rows {
        let bits = group.present.get(row * width..(row + 1) * width);
        let is_present = |index: usize| bits.is_none_or(|bits| bits[index / 8] >> (index % 8) & 1 == 1);
        times.extend(axis.iter().enumerate().filter(|(index, _)| is_present(*index)).map(|(_, at)| *at));
        if times.len() > most {
            return Err(Error::Inconsistent("there are more times than values"));
        }
        ends.push(times.len());
    }
    Ok(ends)
}
