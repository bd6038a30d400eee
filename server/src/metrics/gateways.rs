//! The gauges of single gateways. The first [`NAMED_MAX`] by id, which is the order in which they were added,
//! have rows of their own; whatever is beyond is one row `others`, so that sums stay true and a scrape small.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Labels;

/// Gateways with rows of their own.
pub const NAMED_MAX: usize = 500;

/// What a scrape says about one gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewayReading {
    /// Its id.
    pub id: String,
    /// Records that wait on its disk.
    pub queue_records: i64,
    /// How long the oldest of them waits, s.
    pub queue_age_s: i64,
    /// Records that its queue had to drop, ever.
    pub dropped_records: i64,
    /// Gaps in its record.
    pub gaps: i64,
    /// Records that are lost for good.
    pub lost_records: i64,
    /// How far its clock is ahead, ms.
    pub clock_offset_ms: i64,
    /// How long the newest sample took from the probe to the commit, ms.
    pub late_ms: i64,
    /// Since when it was last heard, s; -1 = never.
    pub silent_s: i64,
    /// What the server turned away from it since the start.
    pub refused: i64,
    /// When its certificate ends, Unix s; 0 = it has none.
    pub certificate_ends: i64,
}

/// How rows become the row `others`.
#[derive(Clone, Copy)]
enum Fold {
    Sum,
    Worst,
    Earliest,
}

impl Fold {
    fn two(self, a: i64, b: i64) -> i64 {
        match self {
            Self::Sum => a.saturating_add(b),
            Self::Worst => std::cmp::max_by_key(a, b, |value| value.unsigned_abs()),
            Self::Earliest => match (a, b) {
                (0, other) | (other, 0) => other,
                (a, b) => a.min(b),
            },
        }
    }
}

/// A gauge: its name, what it says, where it comes from, how many become one.
type Row = (&'static str, &'static str, fn(&GatewayReading) -> i64, Fold);

const ROWS: [Row; 10] = [
    ("gateway_queue_records", "Records waiting on the gateway's disk", |g| g.queue_records, Fold::Sum),
    ("gateway_queue_age_seconds", "How long the oldest of them waits", |g| g.queue_age_s, Fold::Worst),
    ("gateway_dropped_records", "Records its queue had to drop", |g| g.dropped_records, Fold::Sum),
    ("gateway_gaps", "Gaps in its record", |g| g.gaps, Fold::Sum),
    ("gateway_lost_records", "Records lost in its gaps", |g| g.lost_records, Fold::Sum),
    ("gateway_clock_offset_milliseconds", "How far its clock is ahead", |g| g.clock_offset_ms, Fold::Worst),
    ("gateway_late_milliseconds", "From the probe to the commit, newest sample", |g| g.late_ms, Fold::Worst),
    ("gateway_silent_seconds", "Since when it was last heard; -1 is never", |g| g.silent_s, Fold::Worst),
    ("gateway_refused", "What was turned away from it since the start", |g| g.refused, Fold::Sum),
    (
        "gateway_certificate_ends_seconds",
        "When its certificate ends, Unix time",
        |g| g.certificate_ends,
        Fold::Earliest,
    ),
];

/// Adds the gauges of `gateways`, which come in the order of their ids.
pub fn register(registry: &mut Registry, gateways: &[GatewayReading]) {
    let (named, others) = gateways.split_at(gateways.len().min(NAMED_MAX));
    for (name, help, value, fold) in ROWS {
        let family: Family<Labels, Gauge> = Family::default();
        let set = |id: &str, value: i64| {
            family.get_or_create(&vec![("gateway", id.to_owned())]).set(value);
        };
        for gateway in named {
            set(&gateway.id, value(gateway));
        }
        if let Some(all) = others.iter().map(value).reduce(|a, b| fold.two(a, b)) {
            set("others", all);
        }
        registry.register(name, help, family);
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn what_is_beyond_the_bound_is_one_row() {
        let gateway = |n: usize| GatewayReading {
            id: format!("gw-{n:04}"),
            queue_records: 2,
            clock_offset_ms: if n == 501 { -9_000 } else { 10 },
            certificate_ends: if n == 500 { 0 } else { n as i64 },
            ..GatewayReading::default()
        };
        let all: Vec<GatewayReading> = (0..NAMED_MAX + 3).map(gateway).collect();
        let mut registry = Registry::default();
        register(&mut registry, &all);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "gateway_queue_records{gateway=\"gw-0499\"} 2",
            "gateway_queue_records{gateway=\"others\"} 6",
            "gateway_clock_offset_milliseconds{gateway=\"others\"} -9000",
            "gateway_certificate_ends_seconds{gateway=\"others\"} 501",
        ] {
            assert!(text.contains(line), "{line} is missing");
        }
        assert!(!text.contains("gw-0500"));
    }
}
