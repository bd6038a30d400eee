//! A server that is away for days: the agent's real mind on its real disk queue, in fast motion. The queue stays
//! within its bound, samples go before changes of state, each loss is a gap, and the mind holds no more on the
//! third day than on the first.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sitewarden_agent::clock::Boot;
use sitewarden_agent::config::Queue;
use sitewarden_agent::core::{Core, Setup};
use sitewarden_agent::probe::{Finding, Outcome, OutcomeState};
use sitewarden_agent::pump::{Effect, Pump};
use sitewarden_agent::seal::Seal;
use sitewarden_agent::store::Store;
use sitewarden_proto::envelope::{Codec, decode, decode_message, encode_message};
use sitewarden_proto::topic::{Down, Up};
use sitewarden_proto::wire::envelope::Body;
use sitewarden_proto::wire::gap::Reason;
use sitewarden_proto::wire::{Ack, DesiredConfig, Envelope, Event, Session, Transition};

const DEVICES: usize = 20;
const DAYS: i64 = 3;
const BOUND: u64 = 256 << 10;
const STEP: SignedDuration = SignedDuration::from_mins(1);
/// A device is well for so long, then dead for so long.
const TURN_MIN: i64 = 180;

/// A gateway, and what a server has of it.
struct Site {
    pump: Pump,
    now: Timestamp,
    /// Whether the server answers.
    is_there: bool,
    arrived: Vec<Envelope>,
    upto: u64,
    minute: i64,
}

impl Site {
    /// Which devices answer: each turns at its own time.
    fn is_well(&self, device: &str) -> bool {
        let number: i64 = device.strip_prefix("cam-").and_then(|n| n.parse().ok()).expect("a device");
        ((self.minute + number * 7) / TURN_MIN) % 2 == 0
    }

    fn outcome(&self, device: &str) -> Outcome {
        let well = self.is_well(device);
        let silent = Finding {
            code: "icmp_silent".to_owned(),
            evidence: BTreeMap::from([("text".to_owned(), "no answer".into())]),
        };
        Outcome {
            check: "icmp".to_owned(),
            state: if well { OutcomeState::Good } else { OutcomeState::Silent },
            faults: if well { Vec::new() } else { vec![silent] },
            values: if well { vec![("rtt_ms".to_owned(), 2.5)] } else { Vec::new() },
            facts: BTreeMap::new(),
            elapsed_ms: 3,
            view: None,
            blind: Vec::new(),
        }
    }

    async fn turn(&mut self) {
        if self.pump.core.poll_timeout().is_some_and(|due| due <= self.now) {
            self.pump.core.handle_timeout(self.now);
        }
        let mut effects = VecDeque::from(self.pump.settle(self.now).await.unwrap());
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::RunCheck { device, check } => {
                    let outcome = self.outcome(device.as_str());
                    self.pump.core.handle_outcome(self.now, &device, &check, outcome);
                }
                Effect::Send { up, bytes } if self.is_there => self.answer(up, &bytes),
                Effect::Send { .. } | Effect::Heard { .. } | Effect::Remedy { .. } => {}
                Effect::Discover { .. } | Effect::Tell(_) => {}
            }
            effects.extend(self.pump.settle(self.now).await.unwrap());
        }
    }

    fn answer(&mut self, up: Up, bytes: &[u8]) {
        let epoch = if up == Up::Session {
            decode_message::<Session>(bytes).unwrap().epoch
        } else {
            let envelope = decode(bytes).unwrap();
            if envelope.first_seq == self.upto + 1 {
                self.upto += u64::from(envelope.count);
                self.arrived.push(envelope.clone());
            }
            envelope.epoch
        };
        let ack = Ack { epoch, upto: self.upto, server_at_ms: self.now.as_millisecond(), ..Ack::default() };
        let ack = encode_message(&ack, Codec::None).unwrap();
        self.pump.core.handle_packet(self.now, Down::Ack, &ack);
    }

    async fn pass(&mut self, minutes: i64) {
        for _ in 0..minutes {
            self.now += STEP;
            self.minute += 1;
            self.turn().await;
        }
    }
}

fn config() -> Vec<u8> {
    let device = |n| {
        let check = "check = [{ kind = \"icmp\", every = \"60s\", confirm = \"2/2\", clear = 2 }]";
        format!("[[device]]\nid = \"cam-{n}\"\naddress = \"h\"\n{check}\n")
    };
    let body = (0..DEVICES).map(device).collect::<String>().into_bytes();
    let sha256 = ring::digest::digest(&ring::digest::SHA256, &body).as_ref().to_vec();
    encode_message(&DesiredConfig { version: 1, sha256, body, ..DesiredConfig::default() }, Codec::Zstd)
        .unwrap()
}

#[tokio::test]
async fn three_days_without_a_server_lose_samples_and_no_change_of_state() {
    let folder = tempfile::tempdir().unwrap();
    let now: Timestamp = "2026-11-18T19:00:00Z".parse().unwrap();
    let seal = Seal::load_or_create(folder.path()).unwrap();
    let bounds = Queue { max_age: Duration::from_hours(30 * 24), max_bytes: BOUND };
    let mut store = Store::open(&folder.path().join("queue.db"), seal, bounds, now).await.unwrap();
    let line = store.begin_line(&Boot::current(), now).await.unwrap();
    let setup = Setup {
        gateway: "gw-0123456789".parse().unwrap(),
        local: Vec::new(),
        heartbeat: Duration::from_mins(1),
        block: Duration::from_mins(5),
        command_key: Vec::new(),
        spare_epoch: 99,
        remedies_a_day: 2,
        kept: store.kept(line.clocks).await.unwrap(),
    };
    let pump = Pump { core: Core::new(now, setup), store };
    let mut site = Site { pump, now, is_there: true, arrived: Vec::new(), upto: 0, minute: 0 };
    site.pump.core.handle_connected(now, 1);
    site.pump.core.handle_packet(now, Down::DesiredConfig, &config());
    site.pass(20).await;
    let before = site.arrived.len();

    site.is_there = false;
    site.pump.core.handle_disconnected(site.now);
    let mut held = Vec::new();
    for _ in 0..DAYS {
        site.pass(24 * 60).await;
        held.push(format!("{:?}", site.pump.core).len());
        assert!(site.pump.store.size().bytes <= BOUND, "{:?}", site.pump.store.size());
    }
    assert!(site.pump.store.size().dropped > 100, "the bound was met: {:?}", site.pump.store.size());
    let (least, most) = (held.iter().min().unwrap(), held.iter().max().unwrap());
    assert!(most * 10 <= least * 11, "the mind holds as much on the last day as on the first: {held:?}");

    site.is_there = true;
    site.pump.core.handle_connected(site.now, 2);
    site.pass(10).await;
    assert_eq!(site.pump.store.size().records, 0, "everything is delivered");
    judge(&site, before);
}

/// Every number is there once, as a record or inside a gap, and the story of each device has no hole.
fn judge(site: &Site, before: usize) {
    let mut next = 1;
    let mut stories: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    let (mut lost, mut blocks) = (0, 0);
    for envelope in &site.arrived {
        assert_eq!(envelope.first_seq, next);
        next += u64::from(envelope.count);
        match envelope.body.as_ref().unwrap() {
            Body::Gap(gap) => {
                assert_eq!(gap.reason(), Reason::QueueFull);
                lost += gap.to_seq - gap.from_seq + 1;
            }
            Body::Events(batch) => {
                for event in &batch.events {
                    stories.entry(&event.device_id).or_default().push(event);
                }
            }
            Body::Metrics(_) => blocks += 1,
            Body::CommandResult(_) | Body::ReportedConfig(_) | Body::Discovered(_) => {}
        }
    }
    assert_eq!(lost, site.pump.store.size().dropped, "what was dropped is what the gaps say");
    assert!(blocks > before / 2 + 10, "the newest samples are still there: {blocks}");
    assert_eq!(stories.len(), DEVICES);
    for (device, events) in stories {
        let number: i64 = device.strip_prefix("cam-").unwrap().parse().unwrap();
        let turns = (site.minute + number * 7) / TURN_MIN - (number * 7) / TURN_MIN;
        let told: Vec<&&Event> = events.iter().filter(|event| event.fault_code == "unreachable").collect();
        assert!((turns - 1..=turns).contains(&(told.len() as i64)), "{device}: {} of {turns}", told.len());
        for (index, event) in told.iter().enumerate() {
            let expected = if index % 2 == 0 { Transition::Raised } else { Transition::Cleared };
            assert_eq!(event.transition(), expected, "{device}: {told:#?}");
            assert!(index == 0 || told[index - 1].at_ms < event.at_ms, "in order");
        }
    }
}
