//! What the core writes and says of itself: numbered records, events with their evidence, the Session.

use std::collections::BTreeMap;

use jiff::Timestamp;
use prost::Message;
use sitewarden_proto::envelope::{self, Codec};
use sitewarden_proto::id::DeviceId;
use sitewarden_proto::limits::{EVIDENCE_MAX, WIRE_VERSION};
use sitewarden_proto::topic::Up;
use sitewarden_proto::wire::envelope::Body;
use sitewarden_proto::wire::{Envelope, Event, Session as Birth, Transition};

use super::judge::primary;
use super::{Command, Core};
use crate::clock::{from_ms, shifted};
use crate::config::Device;
use crate::gather::Sample;
use crate::session::{Record, RecordKind};
use crate::verdict::{Change, ChangeKind, Standing, Verdicts};

impl Core {
    pub(super) fn send_birth(&mut self, now: Timestamp, online: bool) {
        if let Some(session_id) = self.session.session_id() {
            let bytes = self.birth(now, session_id, online);
            self.commands.push_back(Command::Send { up: Up::Session, bytes });
        }
    }

    pub(super) fn birth(&self, now: Timestamp, session_id: u64, online: bool) -> Vec<u8> {
        let (tail_seq, head_seq) = self.session.range();
        let wall = |at: Timestamp| at.as_millisecond().saturating_add(self.wall.shift_ms);
        let birth = Birth {
            online,
            session_id,
            epoch: self.session.epoch(),
            head_seq,
            tail_seq,
            sent_at_ms: wall(now),
            started_at_ms: wall(self.born_at),
            clock: self.wall.number(),
            oldest_at_ms: self.oldest_at(now).map_or(0, wall),
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            wire_version: u32::from(WIRE_VERSION),
            config_version: self.desired.version(),
            heartbeat_s: u32::try_from(self.heartbeat.as_secs()).unwrap_or(u32::MAX),
            queue_records: self.stats.queue.records,
            queue_bytes: self.stats.queue.bytes,
            dropped_records: self.stats.queue.dropped,
            clock_synchronised: !self.wall.is_guess,
            refused_packets: self.stats.refused_packets,
            disk_trouble: self.stats.queue.trouble.into(),
        };
        envelope::encode_message(&birth, Codec::None).unwrap_or_default()
    }

    /// When the oldest record was written, on this boot's time line.
    fn oldest_at(&self, now: Timestamp) -> Option<Timestamp> {
        let (clock, at_ms) = self.stats.queue.oldest?;
        let shown = self.clocks.shows(clock, now).unwrap_or(now);
        let age_ms = shown.as_millisecond().saturating_sub(at_ms).max(0);
        Some(shifted(now, -age_ms))
    }

    /// Takes up what was open and what stood before a restart. Samples of an earlier boot are a block of their
    /// own, because their clock is another one.
    pub(super) fn wake_records(
        &mut self,
        now: Timestamp,
        samples: Vec<(u32, Sample)>,
        standing: Vec<Standing>,
    ) {
        let mut clocks: BTreeMap<u32, Vec<Sample>> = BTreeMap::new();
        for (clock, sample) in samples {
            clocks.entry(clock).or_default().push(sample);
        }
        for (clock, samples) in clocks {
            if clock == self.clocks.number {
                self.gather.restore(samples);
                continue;
            }
            let at = samples.iter().map(|sample| sample.at_ms).max().map_or(now, from_ms);
            for block in crate::gather::encode_samples(samples) {
                self.record_on(clock, at, RecordKind::Metrics, block);
            }
            self.batch.drop_samples = true;
        }
        // Kept in true time, as far as it was known.
        let to_line = self.clocks.offset_ms.map_or(0, i64::saturating_neg);
        let standing: Vec<Standing> = standing.into_iter().map(|fault| fault.shifted(to_line)).collect();
        self.verdicts = Verdicts::restore(&standing);
    }

    fn keep_standing(&mut self) {
        let to_true = self.clocks.offset_ms.unwrap_or_default();
        let standing = self.verdicts.standing().into_iter().map(|fault| fault.shifted(to_true));
        self.batch.standing = Some(standing.collect());
    }

    /// Gives a record its number.
    pub(super) fn record(&mut self, now: Timestamp, kind: RecordKind, bytes: Vec<u8>) {
        self.record_on(self.clocks.number, now, kind, bytes);
    }

    fn record_on(&mut self, clock: u32, at: Timestamp, kind: RecordKind, bytes: Vec<u8>) {
        self.last_seq += 1;
        let seq = self.last_seq;
        self.batch.records.push(Record { seq, last: seq, kind, at_ms: at.as_millisecond(), clock, bytes });
    }

    pub(super) fn record_changes(&mut self, now: Timestamp, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        for mut change in changes {
            if let Some(parent) = self.desired.find(&change.device).and_then(|d| d.parent.clone()) {
                if self.verdicts.stands(&parent, crate::model::UNREACHABLE) {
                    change.evidence.insert("parent_unreachable".into(), parent.to_string().into());
                }
                let (first_bad, answered) = (change.first_bad_at, self.judge.answered_at(&parent));
                if change.kind == ChangeKind::Raised
                    && let (Some(bad), Some(at)) = (first_bad, answered)
                    && at >= bad
                {
                    // So nobody has to wait for what the parent may turn out to be.
                    let after_ms = at.as_millisecond() - bad.as_millisecond();
                    change.evidence.insert("parent_answered".into(), parent.to_string().into());
                    change.evidence.insert("parent_answered_after_ms".into(), after_ms.into());
                }
            }
            let event = event(&change);
            self.record(now, RecordKind::Event, event.encode_to_vec());
            self.note_alone(&change, self.last_seq);
        }
        self.keep_standing();
    }

    /// A device has fallen silent. Is it the device, or what it hangs off? That is asked at once, too, so that the
    /// cause is known as soon as the trouble is.
    pub(super) fn ask_parent(&mut self, now: Timestamp, device: &Device) {
        let parent = device.parent.as_ref().and_then(|parent| self.desired.find(parent));
        if let Some(parent) = parent
            && let Some(check) = primary(parent)
        {
            self.schedule.extra(now, &parent.id, &check.name);
        }
    }

    /// The server will never read the records of a gap, and a fault may have begun or ended in them: it is told
    /// again what stands, and of every device when it is next seen entirely good. Once for each gap, which is
    /// sent again until it is acknowledged.
    pub(super) fn restate_after(&mut self, now: Timestamp, envelope: &Envelope) {
        let Some(Body::Gap(gap)) = &envelope.body else { return };
        if gap.to_seq <= self.restated {
            return;
        }
        self.restated = gap.to_seq;
        self.unbaselined = self.desired.devices().iter().map(|device| device.id.clone()).collect();
        let changes = self.verdicts.restate(now);
        self.record_changes(now, changes);
    }

    pub(super) fn record_baseline(&mut self, now: Timestamp, device: &DeviceId) {
        let event = Event {
            device_id: device.to_string(),
            transition: Transition::Baseline.into(),
            at_ms: now.as_millisecond(),
            last_good_at_ms: now.as_millisecond(),
            ..Event::default()
        };
        self.record(now, RecordKind::Event, event.encode_to_vec());
    }
}

fn event(change: &Change) -> Event {
    let ms = |at: Option<Timestamp>| at.map_or(0, Timestamp::as_millisecond);
    let transition = match change.kind {
        ChangeKind::Raised => Transition::Raised,
        ChangeKind::Cleared => Transition::Cleared,
        ChangeKind::FlapBegan => Transition::FlapBegan,
        ChangeKind::FlapEnded => Transition::FlapEnded,
    };
    let mut evidence = change.evidence.clone();
    let mut evidence_json = serde_json::to_string(&evidence).unwrap_or_default();
    while evidence_json.len() > EVIDENCE_MAX {
        // The longest value goes first; what is left still says the most.
        let longest =
            evidence.iter().max_by_key(|(_, value)| value.to_string().len()).map(|(key, _)| key.clone());
        let Some(key) = longest else { break };
        evidence.remove(&key);
        evidence_json = serde_json::to_string(&evidence).unwrap_or_default();
    }
    Event {
        device_id: change.device.to_string(),
        fault_code: change.code.to_string(),
        transition: transition.into(),
        at_ms: change.at.as_millisecond(),
        last_good_at_ms: ms(change.last_good_at),
        first_bad_at_ms: ms(change.first_bad_at),
        check: change.check.clone(),
        evidence_json,
    }
}
