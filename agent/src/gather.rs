//! Samples between two metric blocks. They are gathered for five minutes, or only a second while somebody
//! watches, and then closed into blocks that fit into a record. Pure; the disk queue keeps a copy of what is
//! open here, so that a restart loses none.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use prost::Message;
use serde::{Deserialize, Serialize};
use sitewarden_proto::id::DeviceId;
use sitewarden_proto::limits::{AXIS_MAX, COLUMNS_MAX, RECORD_MAX};
use sitewarden_proto::metrics::{self, Series};

use crate::clock::{after, from_ms};

/// Samples that may be open before a block is closed early.
const OPEN_MAX: usize = 200_000;
/// Samples are kept to the second, so that the columns of a block share their times.
const GRID_MS: i64 = 1000;

/// One measured value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// Device.
    pub device: String,
    /// Check of that device.
    pub check: String,
    /// Metric with its unit.
    pub metric: String,
    /// The value.
    pub value: f64,
}

/// The open block.
#[derive(Debug)]
pub struct Gather {
    block: Duration,
    series: BTreeMap<(String, String, String), Vec<(i64, f64)>>,
    since: Option<Timestamp>,
    open: usize,
    watched_until: Option<Timestamp>,
}

impl Gather {
    /// Gathers for `block` at most.
    pub fn new(block: Duration) -> Self {
        Self { block, series: BTreeMap::new(), since: None, open: 0, watched_until: None }
    }

    /// Takes up again what was open before a restart.
    pub fn restore(&mut self, samples: Vec<Sample>) {
        for sample in samples {
            self.insert(sample);
        }
    }

    /// Adds the values of one outcome; returns what is new, to be kept on disk.
    pub fn add(
        &mut self,
        now: Timestamp,
        device: &DeviceId,
        check: &str,
        values: &[(String, f64)],
    ) -> Vec<Sample> {
        let at_ms = now.as_millisecond().div_euclid(GRID_MS) * GRID_MS;
        let samples: Vec<Sample> = values
            .iter()
            .filter(|(_, value)| value.is_finite())
            .map(|(metric, value)| Sample {
                at_ms,
                device: device.to_string(),
                check: check.to_owned(),
                metric: metric.clone(),
                value: *value,
            })
            .collect();
        for sample in samples.clone() {
            self.insert(sample);
        }
        samples
    }

    fn insert(&mut self, sample: Sample) {
        let at = from_ms(sample.at_ms);
        self.since = Some(self.since.map_or(at, |since| since.min(at)));
        self.open += 1;
        let key = (sample.device, sample.check, sample.metric);
        self.series.entry(key).or_default().push((sample.at_ms, sample.value));
    }

    /// Somebody watches until then: samples are sent at once.
    pub fn watch(&mut self, until: Timestamp) {
        self.watched_until = self.watched_until.max(Some(until));
    }

    /// When the block is to be closed.
    pub fn next_due(&self) -> Option<Timestamp> {
        let since = self.since?;
        let is_watched = self.watched_until.is_some_and(|until| until > since);
        if self.open >= OPEN_MAX || self.series.len() >= COLUMNS_MAX / 2 {
            return Some(since);
        }
        Some(after(since, if is_watched { Duration::from_secs(1) } else { self.block }))
    }

    /// Closes the block if it is time; returns the encoded `MetricBlock`s, each small enough for a record.
    pub fn close_due(&mut self, now: Timestamp) -> Vec<Vec<u8>> {
        if self.next_due().is_some_and(|due| due <= now) { self.close() } else { Vec::new() }
    }

    fn close(&mut self) -> Vec<Vec<u8>> {
        self.since = None;
        self.open = 0;
        let series: Vec<Series> = std::mem::take(&mut self.series)
            .into_iter()
            .map(|((device, check, metric), points)| Series { device, check, metric, points })
            .collect();
        let mut blocks = Vec::new();
        encode(series, &mut blocks);
        blocks
    }
}

/// Blocks of samples that are not to be mixed with others.
pub fn encode_samples(samples: Vec<Sample>) -> Vec<Vec<u8>> {
    let mut apart = Gather::new(Duration::ZERO);
    apart.restore(samples);
    apart.close()
}

fn encode(mut series: Vec<Series>, blocks: &mut Vec<Vec<u8>>) {
    if let Ok(block) = metrics::build(&series) {
        let bytes = block.encode_to_vec();
        if bytes.len() <= RECORD_MAX {
            if !block.columns.is_empty() {
                blocks.push(bytes);
            }
            return;
        }
    }
    if series.len() > 1 {
        let rest = series.split_off(series.len() / 2);
        encode(series, blocks);
        encode(rest, blocks);
    } else if let Some(one) = series.pop() {
        let half = one.points.len() / 2;
        if half == 0 || half > AXIS_MAX * 64 {
            return;
        }
        let (first, second) = one.points.split_at(half);
        encode(vec![Series { points: first.to_vec(), ..one.clone() }], blocks);
        encode(vec![Series { points: second.to_vec(), ..one.clone() }], blocks);
    }
}

#[cfg(test)]
mod tests {
    use sitewarden_proto::wire::MetricBlock;

    use super::*;

    fn id(n: usize) -> DeviceId {
        format!("d{n}").parse().unwrap()
    }

    fn values(blocks: &[Vec<u8>]) -> usize {
        blocks
            .iter()
            .flat_map(|bytes| metrics::read(&MetricBlock::decode(bytes.as_slice()).unwrap()).unwrap())
            .map(|series| series.points.len())
            .sum()
    }

    #[test]
    fn a_block_closes_after_its_time_or_at_once_when_watched() {
        let mut gather = Gather::new(Duration::from_mins(5));
        assert_eq!(gather.next_due(), None);
        for second in 0..100 {
            gather.add(from_ms(second * 1000 + 7), &id(1), "icmp", &[("rtt_ms".into(), 1.5)]);
        }
        assert_eq!(gather.next_due(), Some(from_ms(300_000)));
        assert!(gather.close_due(from_ms(299_999)).is_empty());
        assert_eq!(values(&gather.close_due(from_ms(300_000))), 100);
        assert_eq!(gather.next_due(), None);
        gather.watch(from_ms(500_000));
        gather.add(
            from_ms(400_000),
            &id(1),
            "icmp",
            &[("rtt_ms".into(), f64::NAN), ("loss_ratio".into(), 0.0)],
        );
        assert_eq!(gather.next_due(), Some(from_ms(401_000)));
        assert_eq!(values(&gather.close_due(from_ms(401_000))), 1);
        gather.add(from_ms(600_000), &id(1), "icmp", &[("loss_ratio".into(), 0.0)]);
        assert_eq!(gather.next_due(), Some(from_ms(900_000)));
    }

    #[test]
    fn a_large_site_becomes_several_blocks_and_loses_nothing() {
        let mut gather = Gather::new(Duration::from_mins(5));
        for device in 0..900 {
            for second in 0..20 {
                let values: Vec<(String, f64)> = (0..4)
                    .map(|m| {
                        (
                            format!("m{m}"),
                            f64::from(m) + 0.123_456 * (device as i64 * (second + 7) % 9973) as f64,
                        )
                    })
                    .collect();
                gather.add(from_ms(second * 15_000), &id(device), "snmp", &values);
            }
        }
        let blocks = gather.close_due(from_ms(300_000));
        assert!(blocks.len() > 1, "{}", blocks.len());
        assert!(blocks.iter().all(|b| b.len() <= RECORD_MAX));
        assert_eq!(values(&blocks), 900 * 20 * 4);
    }
}
