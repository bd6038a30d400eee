//! A check is asked over one protocol by one probe, and what comes back is an outcome.
//!
//! Every probe lives in a file of its own and answers one question: did the device answer, and is what it
//! said fine? [`run`] is the only door. It bounds the probe by the check's timeout and by the number of
//! probes that may run at once, so a device that swallows packets can hold up nobody but itself. A probe
//! never fails: a refused connection, a wrong password and a name that does not resolve are all outcomes.
//!
//! Probes only read. They change nothing on a device, keep no session open, and never try a rejected
//! password a second time, because cameras lock the account after a handful of tries.

pub mod dahua;
pub mod digest;
pub mod glance;
pub mod host;
pub mod http;
pub mod icmp;
pub mod isapi;
pub(crate) mod memory;
pub mod ntp;
pub mod nut;
pub mod onvif;
pub mod picture;
mod recording;
pub mod rtsp;
pub mod snmp;
pub(crate) mod switch;
pub mod tcp;
pub mod tls;
pub mod topology;
pub mod tree;
pub(crate) mod ups;
pub(crate) mod web;
pub(crate) mod wsse;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sitewarden_proto::limits::NAME_MAX;
use sitewarden_proto::wire::SwitchView;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::clock::Clock;
use crate::config::{Check, Device, Kind};

/// Facts kept from one run; further ones are dropped.
const MAX_FACTS: usize = 64;
/// Characters kept of one fact or one piece of evidence; the rest is cut off.
const MAX_TEXT: usize = 256;
/// Values kept from one run; further ones, and those whose name does not fit the wire, are dropped and
/// counted in the fact `values_dropped`.
const MAX_VALUES: usize = 512;

/// The result of one run of one check.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The check's name, unique within its device.
    pub check: String,
    /// What the run came to.
    pub state: OutcomeState,
    /// Fault codes this run speaks for, with what proves them.
    pub faults: Vec<Finding>,
    /// Measured numbers, each name carrying its unit (`rtt_ms`); always finite.
    pub values: Vec<(String, f64)>,
    /// What the device says about itself (`sysDescr`, `server`, `not_after`).
    pub facts: BTreeMap<String, String>,
    /// How long the run took, in milliseconds.
    pub elapsed_ms: u64,
    /// Who hangs on the ports of a switch.
    pub view: Option<Box<SwitchView>>,
    /// Fault codes of which this run can say neither that they stand nor that they do not.
    pub blind: Vec<&'static str>,
}

/// What one run of a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutcomeState {
    /// The device answered and all is well.
    Good,
    /// The device answered and something is wrong.
    Bad,
    /// No answer in time, or the connection was refused.
    Silent,
    /// The device answered and did not accept our credentials. Never to be retried quickly.
    Rejected,
    /// This gateway is not allowed to ask (for example no permission to send pings).
    NotPermitted,
}

impl OutcomeState {
    /// The word used in JSON and on screens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Silent => "silent",
            Self::Rejected => "rejected",
            Self::NotPermitted => "not_permitted",
        }
    }
}

/// One fault code that stands, with what proves it.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// A code of the fault catalogue, such as `http_silent`.
    pub code: String,
    /// What was seen: readings, addresses, and a `text` in plain English.
    pub evidence: BTreeMap<String, Value>,
}

/// What all probes of a gateway share: the sockets, the HTTP client, the derived SNMP keys, the clock.
#[derive(Debug)]
pub struct Context {
    clock: Clock,
    slots: Semaphore,
    icmp: icmp::Engine,
    http: http::Http,
    tls: tls::Tls,
    snmp: snmp::Sessions,
    host: host::Meter,
    album: Arc<picture::Album>,
    memory: memory::Memory,
}

impl Context {
    /// The clock.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The sockets and keys of SNMP.
    pub(crate) fn snmp(&self) -> &snmp::Sessions {
        &self.snmp
    }

    /// What is remembered of devices.
    pub(crate) fn memory(&self) -> &memory::Memory {
        &self.memory
    }

    /// The HTTP client.
    pub(crate) fn http(&self) -> &http::Http {
        &self.http
    }
}

impl Context {
    /// Prepares what the probes share. At most `concurrent` probes run at a time; more wait for their turn,
    /// none is dropped. Nothing is sent and no socket opened before a probe needs it.
    ///
    /// # Errors
    /// When the HTTP client or the TLS configuration cannot be built.
    pub fn new(clock: Clock, concurrent: usize) -> anyhow::Result<Self> {
        let tls = tls::Tls::new()?;
        Ok(Self {
            clock,
            slots: Semaphore::new(concurrent.clamp(1, Semaphore::MAX_PERMITS)),
            icmp: icmp::Engine::new(icmp::CHECKS_PER_SECOND),
            http: http::Http::new(&tls)?,
            tls,
            snmp: snmp::Sessions::default(),
            host: host::Meter::default(),
            album: Arc::default(),
            memory: memory::Memory::default(),
        })
    }

    /// Remembers in this folder what each device was when it was seen last.
    #[must_use]
    pub fn with_memory(self, folder: PathBuf) -> Self {
        Self { memory: memory::Memory::in_folder(folder), ..self }
    }

    /// Remembers in this folder what each camera shows when nothing is wrong; without one it is learned anew each time.
    #[must_use]
    pub fn with_pictures(self, folder: PathBuf) -> Self {
        Self { album: Arc::new(picture::Album::in_folder(folder)), ..self }
    }
}

/// Runs one check of one device once, within the check's timeout.
pub async fn run(device: &Device, check: &Check, context: &Context) -> Outcome {
    // The semaphore is never closed, so a failed acquire cannot happen; running without a slot is harmless.
    let _slot = context.slots.acquire().await.ok();
    let started = Instant::now();
    let reading = match timeout(check.timeout, read(device, check, context)).await {
        Ok(reading) => reading,
        Err(_) => no_answer(check, check.timeout),
    };
    Outcome {
        check: check.name.clone(),
        state: reading.state,
        faults: reading.faults,
        values: reading.values,
        facts: reading.facts,
        view: reading.view,
        blind: reading.blind,
        elapsed_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}

/// What a probe brings home; [`run`] adds the check's name and the time it took.
#[derive(Debug)]
pub(crate) struct Reading {
    state: OutcomeState,
    faults: Vec<Finding>,
    values: Vec<(String, f64)>,
    facts: BTreeMap<String, String>,
    view: Option<Box<SwitchView>>,
    blind: Vec<&'static str>,
}

impl Reading {
    /// The device answered; nothing wrong so far.
    pub(crate) fn good() -> Self {
        Self {
            state: OutcomeState::Good,
            faults: Vec::new(),
            values: Vec::new(),
            facts: BTreeMap::new(),
            view: None,
            blind: Vec::new(),
        }
    }

    /// Who hangs on the ports of a switch, if the run was about that.
    pub(crate) fn into_view(self) -> Option<SwitchView> {
        self.view.map(|view| *view)
    }

    /// This run cannot tell whether that fault stands, so it goes on as it was.
    pub(crate) fn blind(mut self, code: &'static str) -> Self {
        self.blind.push(code);
        self
    }

    /// A reading that consists of one fault.
    pub(crate) fn of(state: OutcomeState, code: &str, text: &str) -> Self {
        Self::good().fault(state, code, text, [])
    }

    /// Adds a fault. The state becomes `state`.
    pub(crate) fn fault<const N: usize>(
        mut self,
        state: OutcomeState,
        code: &str,
        text: &str,
        evidence: [(&str, Value); N],
    ) -> Self {
        let mut proof = BTreeMap::from([("text".to_owned(), Value::from(clip(text)))]);
        for (key, value) in evidence {
            let value = match value {
                Value::String(text) => Value::from(clip(&text)),
                other @ (Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::Array(_)
                | Value::Object(_)) => other,
            };
            proof.insert(key.to_owned(), value);
        }
        self.state = state;
        self.faults.push(Finding { code: code.to_owned(), evidence: proof });
        self
    }

    /// Adds a measured number; one that is not finite is left out.
    pub(crate) fn value(mut self, metric: impl Into<String>, value: f64) -> Self {
        if !value.is_finite() {
            return self;
        }
        let metric = metric.into();
        if self.values.len() < MAX_VALUES && metric.len() <= NAME_MAX {
            self.values.push((metric, value));
            return self;
        }
        let dropped =
            self.facts.get("values_dropped").and_then(|count| count.parse::<u64>().ok()).unwrap_or(0);
        self.facts.insert("values_dropped".to_owned(), (dropped + 1).to_string());
        self
    }

    /// Adds the picture that proves the faults, a small JPEG.
    pub(crate) fn picture(mut self, jpeg: &[u8]) -> Self {
        for finding in &mut self.faults {
            finding.evidence.insert("picture_jpeg".to_owned(), Value::from(STANDARD.encode(jpeg)));
        }
        self
    }

    /// Adds who hangs on the ports of a switch.
    pub(crate) fn view(self, view: SwitchView) -> Self {
        Self { view: Some(Box::new(view)), ..self }
    }

    /// Adds something the device says about itself, cut to a bearable length.
    pub(crate) fn fact(self, name: impl Into<String>, text: &str) -> Self {
        if self.facts.len() < MAX_FACTS { self.note(name, text) } else { self }
    }

    /// Adds a fact about the run itself, however many the device has given; each probe has only a few.
    pub(crate) fn note(mut self, name: impl Into<String>, text: &str) -> Self {
        self.facts.insert(name.into(), clip(text));
        self
    }
}

async fn read(device: &Device, check: &Check, context: &Context) -> Reading {
    let address = device.address.as_str();
    let limit = check.timeout;
    match &check.kind {
        Kind::Icmp { count } => icmp::read(address, *count, limit, &context.icmp).await,
        Kind::Tcp { port } => tcp::read(address, *port).await,
        Kind::Http(asked) => http::read(address, asked, &context.http).await,
        Kind::Tls { port, warn_days } => {
            tls::read(address, *port, *warn_days, &context.tls, context.clock.now()).await
        }
        Kind::Ntp { port, max_offset_ms } => {
            ntp::read(address, *port, *max_offset_ms, limit, &context.clock).await
        }
        Kind::Snmp(asked) => snmp::read(address, asked, limit, &context.snmp).await,
        Kind::Topology(asked) => topology::read(address, asked, limit, &context.snmp).await,
        Kind::Rtsp(asked) => rtsp::read(address, asked, limit).await,
        Kind::Picture(asked) => {
            let subject = (device.id.as_str(), check.name.as_str(), address);
            picture::read(subject, asked, &context.http, &context.album).await
        }
        Kind::Isapi(asked) => {
            let subject = (device.id.as_str(), check.name.as_str(), address);
            isapi::read(subject, asked, limit, context).await
        }
        Kind::Dahua(asked) => {
            let subject = (device.id.as_str(), check.name.as_str(), address);
            dahua::read(subject, asked, limit, context).await
        }
        Kind::Onvif(asked) => {
            let subject = (device.id.as_str(), check.name.as_str(), address);
            onvif::read(subject, asked, limit, context).await
        }
        Kind::Switch(asked) => {
            let subject = (device.id.as_str(), check.name.as_str(), address);
            switch::read(subject, asked, limit, context).await
        }
        Kind::Ups(asked) => ups::read(address, asked, limit, &context.snmp).await,
        Kind::Nut(asked) => nut::read(address, asked).await,
        Kind::Host => host::read(&context.host).await,
    }
}

/// The reading of a probe that did not come back within the check's timeout.
fn no_answer(check: &Check, limit: Duration) -> Reading {
    let code = match &check.kind {
        Kind::Icmp { .. } => "icmp_silent",
        Kind::Tcp { .. } => "port_closed",
        Kind::Http(_) | Kind::Picture(_) | Kind::Isapi(_) | Kind::Dahua(_) | Kind::Onvif(_) => "http_silent",
        Kind::Tls { .. } => "tls_silent",
        Kind::Ntp { .. } => "ntp_silent",
        Kind::Snmp(_) | Kind::Topology(_) | Kind::Switch(_) | Kind::Ups(_) => "snmp_silent",
        Kind::Rtsp(_) => "rtsp_silent",
        Kind::Nut(_) => "nut_silent",
        // The gateway's own meter asks nobody, so there is nobody to call silent.
        Kind::Host => return Reading { state: OutcomeState::NotPermitted, ..Reading::good() },
    };
    let waited_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    Reading::good().fault(
        OutcomeState::Silent,
        code,
        &format!("no answer within {waited_ms} ms"),
        [("reason", Value::from("timeout")), ("waited_ms", Value::from(waited_ms))],
    )
}

/// Why a name or a connection led nowhere, as a word for evidence and a sentence for people.
pub(crate) struct Failure {
    reason: &'static str,
    text: String,
}

impl Failure {
    /// Turns the failure into a silent reading under the probe's own fault code.
    pub(crate) fn into_reading(self, code: &str) -> Reading {
        Reading::good().fault(OutcomeState::Silent, code, &self.text, [("reason", Value::from(self.reason))])
    }

    /// Names the reason behind a socket error.
    pub(crate) fn from_io(error: &std::io::Error, target: SocketAddr) -> Self {
        use std::io::ErrorKind;
        let (reason, words) = match error.kind() {
            ErrorKind::ConnectionRefused => ("refused", "refused the connection"),
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
                ("reset", "broke the connection off")
            }
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => {
                ("no_route", "cannot be reached: no route or no neighbour")
            }
            ErrorKind::TimedOut => ("timeout", "did not answer"),
            ErrorKind::UnexpectedEof => ("closed", "closed the connection without an answer"),
            // std's list of kinds is open; whatever is left is told in the system's own words.
            _ => return Self { reason: "failed", text: format!("{target}: {error}") },
        };
        Self { reason, text: format!("{target} {words}") }
    }
}

/// Finds the address a device's host name stands for; IPv4 is preferred where it has both.
pub(crate) async fn resolve(host: &str, port: u16) -> Result<SocketAddr, Failure> {
    if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, port));
    }
    let found: Vec<SocketAddr> = match tokio::net::lookup_host((host, port)).await {
        Ok(found) => found.collect(),
        Err(error) => {
            return Err(Failure {
                reason: "name",
                text: format!("the name {host} does not resolve: {error}"),
            });
        }
    };
    found
        .iter()
        .find(|address| address.is_ipv4())
        .or_else(|| found.first())
        .copied()
        .ok_or_else(|| Failure { reason: "name", text: format!("the name {host} has no address") })
}

/// Cuts a text from a device to a bearable length and takes control characters out of it.
pub(crate) fn clip(text: &str) -> String {
    text.trim_matches(|letter: char| letter.is_whitespace() || letter == '\0')
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(MAX_TEXT)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Reading {
        /// The codes of its faults.
        pub(crate) fn codes(&self) -> Vec<&str> {
            self.faults.iter().map(|fault| fault.code.as_str()).collect()
        }

        /// The codes of which it cannot tell.
        pub(crate) fn unseen(&self) -> &[&'static str] {
            &self.blind
        }

        /// One piece of the evidence for a fault.
        pub(crate) fn proof(&self, code: &str, key: &str) -> Option<&Value> {
            self.faults.iter().find(|fault| fault.code == code)?.evidence.get(key)
        }
    }

    #[test]
    fn texts_from_devices_are_cut_and_cleaned() {
        assert_eq!(clip("  DS-2CD\r\nbuild 5\u{0}"), "DS-2CD  build 5");
        assert_eq!(clip(&"x".repeat(5_000)).len(), MAX_TEXT);
    }

    #[test]
    fn values_are_bounded_and_finite() {
        let mut reading = Reading::good().value("nan", f64::NAN);
        for number in 0..MAX_VALUES + 3 {
            reading = reading.value(number.to_string(), 1.0);
        }
        assert_eq!(reading.values.len(), MAX_VALUES);
        assert_eq!(reading.facts["values_dropped"], "3");
    }
}
