//! The core on a site that breaks: devices die and come back, passwords are wrong, the server says things.

use prost::Message;
use sitewarden_proto::envelope::{decode, decode_message, encode_message};
use sitewarden_proto::wire::command::Action;
use sitewarden_proto::wire::envelope::Body;
use sitewarden_proto::wire::{
    Command as Order, CommandResult, DesiredConfig, Event, ReportedConfig, Session as Birth, SignedCommand,
    reported_config,
};

use std::collections::BTreeMap;

use super::*;
use crate::config::parse_devices;
use crate::discover::Wish;
use crate::gather::Sample;
use crate::probe::Finding;
use crate::remedy::{Entry, Job};
use crate::verdict::Standing;

mod orders;

const SITE: &str = r#"
[[device]]
id = "sw-1"
address = "10.0.0.1"
check = [{ kind = "icmp", every = "10s" }]
[[device]]
id = "cam-3"
address = "10.0.0.3"
parent = "sw-1"
check = [{ kind = "icmp", every = "10s" }, { kind = "http", every = "60s", auth = "digest", user = "u", password = "p" }, { kind = "tls", every = "1h" }]
"#;

/// A gateway whose disk is a map and whose devices answer by a table.
struct Bench {
    core: Core,
    now: Timestamp,
    queue: BTreeMap<u64, Record>,
    /// "device/check" → what it comes to.
    broken: BTreeMap<String, (OutcomeState, &'static str)>,
    runs: Vec<String>,
    events: Vec<Event>,
    blocks: usize,
    results: Vec<CommandResult>,
    reports: Vec<ReportedConfig>,
    births: Vec<Birth>,
    config: Vec<ConfigChange>,
    standing: Vec<Standing>,
    refused: Vec<(u64, u64)>,
    sent: Vec<Envelope>,
    jobs: Vec<(String, Job)>,
    looks: Vec<(String, Wish)>,
    remedies: BTreeMap<String, Entry>,
    acks: bool,
}

fn setup(local: &str, kept: Kept) -> Setup {
    Setup {
        gateway: "gw-0123456789".parse().unwrap(),
        local: parse_devices(local, "f").unwrap(),
        heartbeat: Duration::from_secs(30),
        block: Duration::from_mins(5),
        command_key: key().1,
        spare_epoch: 99,
        remedies_a_day: 2,
        kept,
    }
}

fn key() -> (ring::signature::Ed25519KeyPair, Vec<u8>) {
    use ring::signature::KeyPair;
    let pair = ring::signature::Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let public = pair.public_key().as_ref().to_vec();
    (pair, public)
}

impl Bench {
    fn with(local: &str, kept: Kept) -> Self {
        let now = from_ms(1_800_000_000_000);
        Self {
            core: Core::new(now, setup(local, kept)),
            now,
            queue: BTreeMap::new(),
            broken: BTreeMap::new(),
            runs: Vec::new(),
            events: Vec::new(),
            blocks: 0,
            results: Vec::new(),
            reports: Vec::new(),
            births: Vec::new(),
            config: Vec::new(),
            standing: Vec::new(),
            refused: Vec::new(),
            sent: Vec::new(),
            jobs: Vec::new(),
            looks: Vec::new(),
            remedies: BTreeMap::new(),
            acks: true,
        }
    }

    fn new() -> Self {
        let mut bench = Self::with(SITE, Kept { epoch: 7, tail: 1, ..Kept::default() });
        bench.core.handle_connected(bench.now, 1);
        bench.settle();
        bench
    }

    fn settle(&mut self) {
        while let Some(command) = self.core.next_command() {
            match command {
                Command::RunCheck { device, check } => {
                    let key = format!("{device}/{check}");
                    let (state, code) = self.broken.get(&key).copied().unwrap_or((OutcomeState::Good, ""));
                    let finding = Finding { code: code.into(), evidence: BTreeMap::new() };
                    let outcome = Outcome {
                        check: check.clone(),
                        state,
                        faults: if code.is_empty() { vec![] } else { vec![finding] },
                        values: vec![("rtt_ms".into(), 1.0)],
                        facts: BTreeMap::new(),
                        elapsed_ms: 1,
                        view: None,
                        blind: Vec::new(),
                    };
                    self.runs.push(key);
                    self.core.handle_outcome(self.now, &device, &check, outcome);
                }
                Command::Append(batch) => {
                    self.config.extend(batch.config);
                    self.remedies.extend(batch.remedies.into_iter().map(|e| (e.id.clone(), e)));
                    if let Some(standing) = batch.standing {
                        self.standing = standing;
                    }
                    let head = batch.records.last().map(|r| r.last);
                    self.queue.extend(batch.records.into_iter().map(|r| (r.seq, r)));
                    self.core.handle_appended(head.unwrap_or(0));
                }
                Command::Read { from } => {
                    let records: Vec<Record> = self.queue.range(from..).map(|(_, r)| r.clone()).collect();
                    self.core.handle_records(self.now, &records);
                }
                Command::Send { up: Up::Session, bytes } => {
                    self.births.push(decode_message(&bytes).unwrap());
                    if self.acks {
                        self.ack(0);
                    }
                }
                Command::Send { bytes, .. } => self.receive(&decode(&bytes).unwrap()),
                Command::Delete { upto } => self.queue.retain(|seq, _| *seq > upto),
                Command::Remedy { id, job } => self.jobs.push((id, job)),
                Command::Discover { id, wish } => self.looks.push((id, wish)),
                Command::NewEpoch { .. } | Command::Heard { .. } => {}
                Command::Tell(_) => {}
                Command::Refuse { from, to } => self.refused.push((from, to)),
            }
        }
    }

    fn receive(&mut self, envelope: &Envelope) {
        self.sent.push(envelope.clone());
        if !self.acks {
            return;
        }
        match envelope.body.clone().unwrap() {
            Body::Events(batch) => self.events.extend(batch.events),
            Body::Metrics(_) => self.blocks += 1,
            Body::CommandResult(result) => self.results.push(result),
            Body::ReportedConfig(report) => self.reports.push(report),
            Body::Gap(_) | Body::Discovered(_) => {}
        }
        self.ack(envelope.first_seq + u64::from(envelope.count) - 1);
    }

    fn ack(&mut self, upto: u64) {
        let ack = Ack { epoch: 7, upto, server_at_ms: self.now.as_millisecond(), ..Ack::default() };
        self.hear(Down::Ack, &ack);
    }

    fn hear<M: Message>(&mut self, down: Down, message: &M) {
        self.core.handle_packet(self.now, down, &encode_message(message, Codec::None).unwrap());
    }

    fn order(&mut self, id: &str, action: Action) {
        let at = self.now.as_millisecond();
        let order = Order {
            id: id.into(),
            gateway_id: "gw-0123456789".into(),
            issued_at_ms: at,
            expires_at_ms: at + 60_000,
            action: Some(action),
        };
        let signed = order.encode_to_vec();
        let signature = key().0.sign(&signed).as_ref().to_vec();
        self.hear(Down::Command, &SignedCommand { signed, signature });
        self.settle();
    }

    fn config(&mut self, version: u64, text: &str) {
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        let (sha256, body) = (digest.as_ref().to_vec(), text.as_bytes().to_vec());
        let config = DesiredConfig { version, sha256, body, ..DesiredConfig::default() };
        self.hear(Down::DesiredConfig, &config);
        self.settle();
    }

    fn fast_forward(&mut self, seconds: u64) {
        let end = after(self.now, Duration::from_secs(seconds));
        while let Some(due) = self.core.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.core.handle_timeout(self.now);
            self.settle();
        }
        self.now = end;
    }

    fn breaks(&mut self, check: &str, state: OutcomeState, code: &'static str) {
        self.broken.insert(check.into(), (state, code));
    }

    fn camera_dies(&mut self) {
        self.breaks("cam-3/icmp", OutcomeState::Silent, "icmp_silent");
        self.breaks("cam-3/http", OutcomeState::Silent, "http_silent");
        self.breaks("cam-3/tls", OutcomeState::Silent, "tls_silent");
    }

    /// The events so far as "device code TRANSITION", and forgets them.
    fn told(&mut self) -> Vec<String> {
        let line = |e: Event| {
            format!(
                "{} {} {}",
                e.device_id,
                e.fault_code,
                e.transition().as_str_name().trim_start_matches("TRANSITION_")
            )
        };
        self.events.drain(..).map(line).collect()
    }
}

#[test]
fn a_sound_site_tells_its_baseline_once_and_its_samples() {
    let mut bench = Bench::new();
    bench.fast_forward(900);
    let mut told = bench.told();
    told.sort();
    assert_eq!(told, ["cam-3  BASELINE", "sw-1  BASELINE"]);
    assert!((2..=4).contains(&bench.blocks), "{}", bench.blocks);
    assert!((30..=32).contains(&bench.births.len()), "{}", bench.births.len());
    assert!(bench.queue.is_empty());
}

#[test]
fn a_dead_camera_is_one_fact_within_half_a_minute_and_clears_when_it_returns() {
    let mut bench = Bench::new();
    bench.fast_forward(120);
    bench.told();
    bench.camera_dies();
    bench.fast_forward(30);
    assert_eq!(bench.told(), ["cam-3 unreachable RAISED"]);
    bench.fast_forward(3600);
    assert_eq!(bench.told(), [""; 0]);
    bench.broken.clear();
    bench.fast_forward(300);
    assert_eq!(bench.told(), ["cam-3 unreachable CLEARED"]);
}

#[test]
fn a_dead_service_is_a_fault_of_its_own() {
    let mut bench = Bench::new();
    bench.fast_forward(120);
    bench.told();
    bench.breaks("cam-3/http", OutcomeState::Silent, "http_silent");
    bench.fast_forward(180);
    assert_eq!(bench.told(), ["cam-3 http_silent RAISED"]);
    bench.camera_dies();
    bench.fast_forward(600);
    assert_eq!(bench.told(), ["cam-3 unreachable RAISED", "cam-3 http_silent CLEARED"]);
}

#[test]
fn a_blink_is_no_fact() {
    let mut bench = Bench::new();
    bench.fast_forward(120);
    bench.told();
    bench.camera_dies();
    bench.fast_forward(9);
    bench.broken.clear();
    bench.fast_forward(600);
    assert_eq!(bench.told(), [""; 0]);
}

#[test]
fn the_camera_behind_a_dead_switch_says_so() {
    let mut bench = Bench::new();
    bench.fast_forward(120);
    bench.told();
    bench.breaks("sw-1/icmp", OutcomeState::Silent, "icmp_silent");
    bench.fast_forward(60);
    bench.camera_dies();
    bench.fast_forward(60);
    assert!(bench.events[1].evidence_json.contains(r#""parent_unreachable":"sw-1""#));
    assert_eq!(bench.told(), ["sw-1 unreachable RAISED", "cam-3 unreachable RAISED"]);
}

#[test]
fn a_rejected_password_is_told_at_once_and_not_tried_again() {
    let mut bench = Bench::new();
    bench.breaks("cam-3/http", OutcomeState::Rejected, "http_auth_rejected");
    bench.fast_forward(3000);
    assert_eq!(bench.runs.iter().filter(|run| *run == "cam-3/http").count(), 1);
    assert_eq!(bench.told(), ["sw-1  BASELINE", "cam-3 http_auth_rejected RAISED"]);
    // It dies meanwhile: that must be seen although the web check rests.
    bench.breaks("cam-3/icmp", OutcomeState::Silent, "icmp_silent");
    bench.breaks("cam-3/tls", OutcomeState::Silent, "tls_silent");
    bench.fast_forward(60);
    assert_eq!(bench.told(), ["cam-3 unreachable RAISED"]);
}

#[test]
fn nothing_is_lost_while_the_server_is_silent() {
    let mut bench = Bench::new();
    bench.fast_forward(60);
    bench.told();
    bench.acks = false;
    bench.camera_dies();
    bench.fast_forward(600);
    bench.broken.clear();
    bench.fast_forward(600);
    assert!(bench.told().is_empty() && bench.queue.len() >= 2);
    bench.acks = true;
    bench.fast_forward(60);
    assert_eq!(bench.told(), ["cam-3 unreachable RAISED", "cam-3 unreachable CLEARED"]);
    assert!(bench.queue.is_empty());
}

#[test]
fn what_stood_before_a_restart_is_cleared_after_it() {
    let mut bench = Bench::new();
    bench.fast_forward(60);
    bench.camera_dies();
    bench.fast_forward(60);
    let kept = Kept { epoch: 7, tail: 50, head: 49, standing: bench.standing.clone(), ..Kept::default() };
    let mut bench = Bench::with(SITE, kept);
    bench.core.handle_connected(bench.now, 2);
    bench.fast_forward(600);
    let mut told = bench.told();
    told.sort();
    assert_eq!(told, ["cam-3  BASELINE", "cam-3 unreachable CLEARED", "sw-1  BASELINE"]);
}

#[test]
fn a_configuration_is_applied_proved_and_reported() {
    let mut bench = Bench::new();
    let text = "[[device]]\nid = \"new-1\"\naddress = \"h\"\ncheck = [{ kind = \"icmp\" }]\n";
    bench.config(3, text);
    assert_eq!(bench.core.devices().len(), 3);
    bench.fast_forward(40);
    assert_eq!(bench.config, [ConfigChange::Trial(3, text.into()), ConfigChange::Confirm]);
    assert_eq!(bench.reports.len(), 1);
    assert_eq!((bench.reports[0].version, bench.reports[0].status()), (3, reported_config::Status::Applied));
    assert_eq!(bench.births.last().unwrap().config_version, 3);
}

#[test]
fn a_configuration_that_does_not_parse_is_rejected_whole() {
    let mut bench = Bench::new();
    bench.config(3, "[[device]]\nid = \"new-1\"\n");
    bench.fast_forward(40);
    assert_eq!(bench.core.devices().len(), 2);
    assert_eq!(bench.reports[0].status(), reported_config::Status::Rejected);
    assert!(bench.reports[0].error.contains("`address` is missing"), "{}", bench.reports[0].error);
    assert!(bench.config.is_empty());
}

#[test]
fn a_configuration_that_loses_the_server_goes_back() {
    let mut bench = Bench::new();
    bench.acks = false;
    bench.config(3, "[[device]]\nid = \"new-1\"\naddress = \"h\"\ncheck = [{ kind = \"icmp\" }]\n");
    bench.fast_forward(299);
    assert_eq!(bench.core.config_version(), 3);
    bench.fast_forward(2);
    assert_eq!((bench.core.config_version(), bench.core.devices().len()), (0, 2));
    assert_eq!(bench.config.last(), Some(&ConfigChange::Revert));
    bench.acks = true;
    bench.fast_forward(60);
    assert_eq!(bench.reports[0].status(), reported_config::Status::Reverted);
}

#[test]
fn a_configuration_that_ended_the_agent_is_reported_and_not_tried_again() {
    let kept = Kept { epoch: 7, tail: 1, failed: Some(3), ..Kept::default() };
    let mut bench = Bench::with(SITE, kept);
    bench.core.handle_connected(bench.now, 1);
    bench.settle();
    assert_eq!((bench.reports[0].version, bench.reports[0].status()), (3, reported_config::Status::Reverted));
    bench.config(3, "[[device]]\nid = \"new-1\"\naddress = \"h\"\ncheck = [{ kind = \"icmp\" }]\n");
    assert_eq!((bench.core.config_version(), bench.core.devices().len()), (0, 2));
}

#[test]
fn packets_from_outside_never_panic() {
    let mut bench = Bench::new();
    for down in Down::ALL {
        for bytes in [&[][..], &[0x10], &[0x11, 1, 2], &[0x10, 0xff], &[0x20, 0]] {
            bench.core.handle_packet(bench.now, down, bytes);
        }
    }
    bench.settle();
    assert!(bench.core.stats().refused_packets >= 9);
}

#[test]
fn after_a_gap_the_server_hears_again_what_stands() {
    let mut bench = Bench::new();
    bench.fast_forward(120);
    bench.camera_dies();
    bench.fast_forward(60);
    bench.told();
    // A server that was restored from a backup asks for what is long deleted.
    let at = bench.now.as_millisecond();
    let ack = Ack { epoch: 7, upto: 0, resend_from: 1, server_at_ms: at, ..Ack::default() };
    bench.hear(Down::Ack, &ack);
    bench.settle();
    bench.fast_forward(60);
    assert_eq!(bench.told(), ["cam-3 unreachable RAISED", "sw-1  BASELINE"]);
    bench.fast_forward(600);
    assert_eq!(bench.told(), [""; 0], "once for each gap");
}

#[test]
fn a_clock_that_is_set_moves_no_record_and_the_server_hears_of_it_at_once() {
    let mut bench = Bench::new();
    bench.fast_forward(60);
    bench.told();
    let wall = |bench: &Bench, hours: i64| crate::clock::shifted(bench.now, hours * 3_600_000);
    for hours in [-3, 5] {
        let births = bench.births.len();
        bench.core.handle_wall(bench.now, wall(&bench, hours), false);
        bench.fast_forward(1);
        let birth = bench.births.last().unwrap();
        assert_eq!(bench.births.len(), births + 1);
        assert_eq!(birth.sent_at_ms, wall(&bench, hours).as_millisecond() - 1000);
        assert_ne!(birth.clock, bench.births[births - 1].clock, "another clock has another name");
    }
    let before = bench.now;
    bench.camera_dies();
    bench.fast_forward(60);
    assert!(
        bench.events[0].at_ms >= before.as_millisecond()
            && bench.events[0].at_ms <= bench.now.as_millisecond()
    );
}

#[test]
fn what_was_open_before_a_reboot_is_told_on_its_own_clock() {
    let sample = |at_ms| Sample {
        at_ms,
        device: "sw-1".into(),
        check: "icmp".into(),
        metric: "rtt_ms".into(),
        value: 1.0,
    };
    let earlier = crate::timeline::Earlier { number: 2, told_ms: Some(70_000), ..Default::default() };
    let clocks = crate::timeline::Clocks::new(3, 0, None, vec![earlier]);
    let samples = vec![(2, sample(1_000)), (2, sample(61_000))];
    let kept = Kept { epoch: 7, tail: 5, head: 4, clocks, samples, ..Kept::default() };
    let mut bench = Bench::with(SITE, kept);
    bench.acks = false;
    bench.core.handle_connected(bench.now, 1);
    bench.settle();
    let record = bench.queue[&5].clone();
    assert_eq!((record.kind, record.clock, record.at_ms), (RecordKind::Metrics, 2, 61_000));
    assert!(bench.sent.is_empty(), "nobody has told the time yet");
    bench.acks = true;
    bench.ack(4);
    bench.settle();
    let sent = &bench.sent[0];
    assert_eq!((sent.clock, sent.sent_at_ms), (2, bench.now.as_millisecond() - 70_000));
}
