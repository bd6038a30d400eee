//! What an operator's Prometheus reads about this server itself.
//!
//! Counters are counted where things happen; gauges are read from the database when somebody asks.
//! The text is OpenMetrics 1.0. Every bound of the server that can overflow has its counter here.

pub mod gateways;
mod lag;

use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use gateways::GatewayReading;
use lag::Lag;

type Labels = Vec<(&'static str, String)>;

/// The counters of a running server.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    ingested: Family<Labels, Counter>,
    refused: Family<Labels, Counter>,
    pages: Family<Labels, Counter>,
    stream_refetches: Counter,
    lag: Lag,
}

/// What the database says at this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readings {
    /// Devices by state.
    pub devices: Vec<(String, i64)>,
    /// Gateways by state.
    pub gateways: Vec<(String, i64)>,
    /// Tickets that are not closed, by state.
    pub tickets: Vec<(String, i64)>,
    /// Incidents that stand, by severity.
    pub incidents: Vec<(String, i64)>,
    /// Pages that wait for a sender.
    pub pages_waiting: i64,
    /// How long the oldest of them waits, in seconds.
    pub pages_oldest_s: i64,
    /// Gateways that are not revoked, by id.
    pub each_gateway: Vec<GatewayReading>,
    /// Gateways that are heard and hold records back.
    pub gateways_holding: i64,
    /// Gateways that are telling their history.
    pub gateways_replaying: i64,
    /// Gateways whose clock is wrong.
    pub gateways_clock_wrong: i64,
    /// Gateways whose own disk takes nothing.
    pub gateways_disk_wrong: i64,
    /// What the audit of the pager finds, by kind.
    pub pager_findings: Vec<(String, i64)>,
    /// How long ago an audit of the pager was passed, in seconds; -1 when never.
    pub pager_passed_s: i64,
    /// Gateways connected to this process.
    pub connected: i64,
    /// Open live streams.
    pub streams: i64,
    /// What the gateways' door has turned away since the start, by reason.
    pub door_refused: Vec<(&'static str, u64)>,
}

impl Metrics {
    /// Counts `n` records of `kind` that were committed.
    pub fn ingested(&self, kind: &str, n: u64) {
        self.ingested.get_or_create(&vec![("kind", kind.to_owned())]).inc_by(n);
    }

    /// Counts something that was turned away, by a reason from a fixed set of words.
    pub fn refused(&self, reason: &str) {
        self.refused_times(reason, 1);
    }

    /// The same, so many times.
    pub fn refused_times(&self, reason: &str, times: u64) {
        self.refused.get_or_create(&vec![("reason", reason.to_owned())]).inc_by(times);
    }

    /// Counts an attempt to send a page.
    pub fn page(&self, channel: &str, outcome: &str) {
        self.pages
            .get_or_create(&vec![("channel", channel.to_owned()), ("outcome", outcome.to_owned())])
            .inc();
    }

    /// Counts a live page that had to fetch everything again because it had fallen behind.
    pub fn stream_refetched(&self) {
        self.stream_refetches.inc();
    }

    /// A report that was read at `received_at` is committed.
    pub fn committed(&self, received_at: Timestamp, now: Timestamp) {
        self.lag.observe(received_at, now);
    }

    /// The longest time that a report waited for its commit in the last minute or two, ms.
    pub fn commit_lag_ms(&self, now: Timestamp) -> u64 {
        self.lag.worst_ms(now)
    }

    /// The text for a scraper.
    pub fn render(&self, now: &Readings) -> String {
        let mut registry = Registry::with_prefix("sitewarden");
        registry.register("ingested_records", "Records committed, by kind", self.ingested.clone());
        registry.register("refused", "What was turned away, by reason", self.refused.clone());
        registry.register(
            "page_attempts",
            "Attempts to send a page, by channel and outcome",
            self.pages.clone(),
        );
        registry.register(
            "stream_refetches",
            "Live pages that fell behind and fetched everything again",
            self.stream_refetches.clone(),
        );
        let build: Family<Labels, Gauge> = Family::default();
        build.get_or_create(&vec![("version", env!("CARGO_PKG_VERSION").to_owned())]).set(1);
        registry.register("build", "Always 1; the version is the label", build);
        for (name, help, label, rows) in [
            ("devices", "Devices by state", "state", &now.devices),
            ("gateways", "Gateways by state", "state", &now.gateways),
            ("tickets", "Tickets that are not closed, by state", "state", &now.tickets),
            ("incidents", "Incidents that stand, by severity", "severity", &now.incidents),
            ("pager_findings", "What keeps people from being paged, by kind", "kind", &now.pager_findings),
        ] {
            let family: Family<Labels, Gauge> = Family::default();
            for (word, count) in rows {
                family.get_or_create(&vec![(label, word.clone())]).set(*count);
            }
            registry.register(name, help, family);
        }
        for (name, help, value) in [
            ("pages_waiting", "Pages that wait for a sender", now.pages_waiting),
            ("pager_passed_seconds", "How long ago the pager passed its audit; -1 never", now.pager_passed_s),
            ("pages_oldest_seconds", "How long the oldest of them waits", now.pages_oldest_s),
            (
                "gateways_holding",
                "Gateways that hold records back for over two minutes",
                now.gateways_holding,
            ),
            ("gateways_replaying", "Gateways that are telling their history", now.gateways_replaying),
            ("gateways_clock_wrong", "Gateways whose clock is wrong", now.gateways_clock_wrong),
            ("gateways_disk_wrong", "Gateways whose own disk takes nothing", now.gateways_disk_wrong),
            ("gateways_connected", "Gateways connected to this process", now.connected),
            ("live_streams", "Open live streams", now.streams),
        ] {
            let gauge: Gauge = Gauge::default();
            gauge.set(value);
            registry.register(name, help, gauge);
        }
        let help = "From the door that read a report to its commit";
        registry.register("ingest_lag_seconds", help, self.lag.histogram());
        gateways::register(&mut registry, &now.each_gateway);
        let door: Family<Labels, Counter> = Family::default();
        for (reason, count) in &now.door_refused {
            door.get_or_create(&vec![("reason", (*reason).to_owned())]).inc_by(*count);
        }
        registry.register("door_refused", "What the gateways' door turned away, by reason", door);
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &registry) {
            tracing::error!(%error, "cannot write the metrics");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_shows_counters_and_readings() {
        let metrics = Metrics::default();
        metrics.ingested("event", 3);
        metrics.refused("foreign_topic");
        metrics.page("email", "page_sent");
        let now = Readings { devices: vec![("down".into(), 2)], pages_waiting: 4, ..Readings::default() };
        let text = metrics.render(&now);
        for line in [
            "sitewarden_ingested_records_total{kind=\"event\"} 3",
            "sitewarden_refused_total{reason=\"foreign_topic\"} 1",
            "sitewarden_page_attempts_total{channel=\"email\",outcome=\"page_sent\"} 1",
            "sitewarden_devices{state=\"down\"} 2",
            "sitewarden_pages_waiting 4",
            "# EOF",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
