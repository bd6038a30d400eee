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
use sitewarden_proto::wire::MetricBlock;

use crate::clock::{after, from_ms};

/// Samples that may be open before a block is closed early.
const OPEN_MAX: usize = 200_000;
/// Steps of time, seconds, that divide an hour: a sample bears the beginning of its step, so that the columns of
/// a block share their times and rollups keep their hours.
const STEPS_S: [u64; 7] = [60, 30, 15, 10, 5, 2, 1];
/// A step is this part of a check's interval at most: a sample a minute is dated to fifteen seconds.
const STEPS_OF_INTERVAL: u64 = 4;
/// What is measured in milliseconds is kept to the microsecond; what a clock says beyond that is chance.
const PER_MS: f64 = 1000.0;

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
    form: Form,
}

/// How a block is made of series.
type Form = fn(&[Series]) -> Result<MetricBlock, metrics::Error>;

impl Gather {
    /// Gathers for `block` at most.
    pub fn new(block: Duration) -> Self {
        Self {
            block,
            series: BTreeMap::new(),
            since: None,
            open: 0,
            watched_until: None,
            form: metrics::build,
        }
    }

    /// The server reads blocks of groups, which are half as long; one that does not say so gets columns.
    pub fn set_grouped(&mut self, is_read: bool) {
        self.form = if is_read { metrics::pack } else { metrics::build };
    }

    /// Takes up again what was open before a restart.
    pub fn restore(&mut self, samples: Vec<Sample>) {
        for sample in samples {
            self.insert(sample);
        }
    }

    /// Adds the values of one outcome of a check that runs `every` so often; returns what is new, to be kept on
    /// disk. A sample is dated to the beginning of its step; to the second while somebody watches, and when its
    /// step has one already. Changes of state are no samples: they keep their milliseconds.
    pub fn add(
        &mut self,
        now: Timestamp,
        device: &DeviceId,
        check: &str,
        every: Duration,
        values: &[(String, f64)],
    ) -> Vec<Sample> {
        let is_watched = self.watched_until.is_some_and(|until| until > now);
        let (second, step) = (floor(now, 1), floor(now, if is_watched { 1 } else { step_s(every) }));
        let is_taken = values.iter().any(|(metric, _)| {
            let key = (device.to_string(), check.to_owned(), metric.clone());
            self.series.get(&key).and_then(|points| points.last()).is_some_and(|(at, _)| *at >= step)
        });
        let at_ms = if is_taken { second } else { step };
        let samples: Vec<Sample> = values
            .iter()
            .filter(|(_, value)| value.is_finite())
            .map(|(metric, value)| Sample {
                at_ms,
                device: device.to_string(),
                check: check.to_owned(),
                metric: metric.clone(),
                value: if metric.ends_with("_ms") { (value * PER_MS).round() / PER_MS } else { *value },
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
        encode(self.form, series, &mut blocks);
        blocks
    }
}

/// The longest step that a check's interval allows, seconds.
fn step_s(every: Duration) -> u64 {
    STEPS_S.into_iter().find(|step| step * STEPS_OF_INTERVAL <= every.as_secs()).unwrap_or(1)
}

fn floor(at: Timestamp, step_s: u64) -> i64 {
    let step_ms = (step_s * 1000).cast_signed();
    at.as_millisecond().div_euclid(step_ms) * step_ms
}

/// Blocks of samples that are not to be mixed with others.
pub fn encode_samples(samples: Vec<Sample>) -> Vec<Vec<u8>> {
    let mut apart = Gather::new(Duration::ZERO);
    apart.restore(samples);
    apart.close()
}

fn encode(form: Form, mut series: Vec<Series>, blocks: &mut Vec<Vec<u8>>) {
    if let Ok(block) = form(&series) {
        let bytes = block.encode_to_vec();
        if bytes.len() <= RECORD_MAX {
            if !block.axis_deltas_ms.is_empty() {
                blocks.push(bytes);
            }
            return;
        }
    }
    if series.len() > 1 {
        let rest = series.split_off(series.len() / 2);
        encode(form, series, blocks);
        encode(form, rest, blocks);
    } else if let Some(one) = series.pop() {
        let half = one.points.len() / 2;
        if half == 0 || half > AXIS_MAX * 64 {
            return;
        }
        let (first, second) = one.points.split_at(half);
        encode(form, vec![Series { points: first.to_vec(), ..one.clone() }], blocks);
        encode(form, vec![Series { points: second.to_vec(), ..one.clone() }], blocks);
    }
}

#[cfg(test)]
mod tests {
    use sitewarden_proto::envelope::{Codec, encode_message};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

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
            gather.add(from_ms(second * 1000 + 7), &id(1), "icmp", SECOND, &[("rtt_ms".into(), 1.5)]);
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
            SECOND,
            &[("rtt_ms".into(), f64::NAN), ("loss_ratio".into(), 0.0)],
        );
        assert_eq!(gather.next_due(), Some(from_ms(401_000)));
        assert_eq!(values(&gather.close_due(from_ms(401_000))), 1);
        gather.add(from_ms(600_000), &id(1), "icmp", SECOND, &[("loss_ratio".into(), 0.0)]);
        assert_eq!(gather.next_due(), Some(from_ms(900_000)));
    }

    #[test]
    fn samples_of_a_minute_share_their_times_and_none_is_lost() {
        let mut gather = Gather::new(Duration::from_mins(5));
        let minute = Duration::from_mins(1);
        let at = |gather: &mut Gather, ms: i64| {
            let value = [("rtt_ms".to_owned(), 0.123_456_7), ("loss_percent".to_owned(), 33.333_333)];
            gather.add(from_ms(ms), &id(1), "icmp", minute, &value)[0].at_ms
        };
        assert_eq!(at(&mut gather, 61_999), 60_000);
        assert_eq!(at(&mut gather, 63_500), 63_000, "its step has one already");
        assert_eq!(at(&mut gather, 63_900), 63_000, "and so has its second: the later one counts");
        assert_eq!(at(&mut gather, 119_999), 105_000);
        gather.watch(from_ms(130_000));
        assert_eq!(at(&mut gather, 122_345), 122_000, "somebody watches");
        let blocks = gather.close_due(from_ms(400_000));
        let series = metrics::read(&MetricBlock::decode(blocks[0].as_slice()).unwrap()).unwrap();
        assert_eq!(series[0].points[0], (60_000, 33.333_333));
        assert_eq!(series[1].points[0], (60_000, 0.123));
        assert_eq!(series.iter().map(|s| s.points.len()).collect::<Vec<_>>(), [4, 4]);
    }

    #[test]
    fn steps_divide_an_hour_and_are_short_beside_the_interval() {
        assert!(STEPS_S.iter().all(|step| 3600 % step == 0));
        let steps = [1, 3, 4, 8, 30, 60, 300, 3600].map(|s| step_s(Duration::from_secs(s)));
        assert_eq!(steps, [1, 1, 1, 2, 5, 15, 60, 60]);
    }

    /// The figure of the design: 15 KiB for each device and day, of which heartbeats take two.
    #[test]
    fn two_hundred_devices_take_less_than_ten_kib_each_and_day() {
        assert!(day_of_200_kib(true) < 10.0, "{} KiB", day_of_200_kib(true));
        // A server that reads nothing but columns gets them.
        assert!(day_of_200_kib(false) < 13.0, "{} KiB", day_of_200_kib(false));
    }

    fn day_of_200_kib(grouped: bool) -> f64 {
        let mut gather = Gather::new(Duration::from_mins(5));
        gather.set_grouped(grouped);
        let mut noise = 1_u64;
        let mut chance = move || {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (noise >> 33) as f64 / f64::from(1_u32 << 31)
        };
        let ids: Vec<DeviceId> = (0..200)
            .map(|n| {
                let mut digits = || {
                    (0..4)
                        .map(|_| char::from_digit((chance() * 16.0) as u32, 16).unwrap())
                        .collect::<String>()
                };
                format!(
                    "019c{:04x}-{:04x}-7{}-{}-{}{}{}",
                    n / 8,
                    n * 31,
                    &digits()[1..],
                    digits(),
                    digits(),
                    digits(),
                    digits()
                )
                .parse()
                .unwrap()
            })
            .collect();
        for minute in 0..5 {
            for (n, device) in ids.iter().enumerate() {
                let at = from_ms(1_795_000_020_000 + minute * 60_000 + n as i64 * 47);
                let rtt = 0.4 + 0.06 * chance();
                let values = [("rtt_ms", rtt), ("rtt_max_ms", rtt + 0.03 * chance()), ("loss_percent", 0.0)];
                let values = values.map(|(metric, value)| (metric.to_owned(), value));
                gather.add(at, device, "icmp", Duration::from_mins(1), &values);
                let values = [("connect_ms".to_owned(), 0.5 + 0.06 * chance())];
                gather.add(at, device, "tcp", Duration::from_mins(1), &values);
            }
        }
        let blocks = gather.close_due(from_ms(i64::MAX / 2_000_000));
        let body = MetricBlock::decode(blocks[0].as_slice()).unwrap();
        let bytes = encode_message(&body, Codec::ZstdSmall).unwrap().len();
        assert_eq!((blocks.len(), body.columns.is_empty()), (1, grouped));
        bytes as f64 * 288.0 / 200.0 / 1024.0
    }

    #[test]
    fn a_large_site_becomes_several_blocks_and_loses_nothing() {
        for grouped in [false, true] {
            large_site(grouped);
        }
    }

    fn large_site(grouped: bool) {
        let mut gather = Gather::new(Duration::from_mins(5));
        gather.set_grouped(grouped);
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
                gather.add(from_ms(second * 15_000), &id(device), "snmp", SECOND, &values);
            }
        }
        let blocks = gather.close_due(from_ms(300_000));
        assert!(blocks.len() > 1, "{}", blocks.len());
        assert!(blocks.iter().all(|b| b.len() <= RECORD_MAX));
        assert_eq!(values(&blocks), 900 * 20 * 4);
    }
}
