//! The gateway's whole mind, without hands: what it is told (outcomes, packets, the passing of time) goes in
//! through `handle_*`, what is to be done comes out of [`Core::next_command`]. It does no IO and reads no
//! clock, so a test can play a week of a site in milliseconds and with the same code that runs on site.
//!
//! ```text
//! outcome → judge (model) → verdicts → events ─┐
//!         → gather ──────────→ metric blocks ──┤→ Append → (committed) → Read → Send → ack → Delete
//! config, commands ──────────→ reports ────────┘
//! ```
//!
//! Numbers are given out here, one after the other, but nothing is sent before the disk has it. Every time
//! here is of the time line (see [`crate::clock`]): a system clock that is set moves no timer and no record.

mod alone;
mod desired;
mod judge;
mod orders;
mod port;
mod record;
mod remedies;
mod sights;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use sitewarden_proto::envelope::{self, Codec};
use sitewarden_proto::id::{DeviceId, GatewayId};
use sitewarden_proto::topic::{Down, Up};
use sitewarden_proto::wire::{Ack, Envelope};

use crate::clock::{after, from_ms};
use crate::config::Device;
use crate::gather::Gather;
use crate::probe::{Outcome, OutcomeState};
use crate::schedule::{Ran, Schedule};
use crate::session::{Record, RecordKind, Session};
use crate::timeline::{Clocks, Wall};
use crate::verdict::Verdicts;

pub use alone::Tell;
pub use port::{Batch, Command, ConfigChange, Kept, Setup, Size, Stats};

use alone::Alone;
use desired::Desired;
use judge::Judge;
use orders::Orders;
use remedies::Remedies;
use sights::Sights;

/// Samples are committed to disk at most this often.
const STAGE_EVERY: Duration = Duration::from_secs(1);

/// The mind of one gateway.
#[derive(Debug)]
pub struct Core {
    gateway: GatewayId,
    heartbeat: Duration,
    spare_epoch: u64,
    schedule: Schedule,
    judge: Judge,
    verdicts: Verdicts,
    gather: Gather,
    session: Session,
    desired: Desired,
    orders: Orders,
    alone: Alone,
    remedies: Remedies,
    sights: Sights,
    /// Devices that have not yet been seen entirely good since their configuration was applied.
    unbaselined: BTreeSet<DeviceId>,
    commands: VecDeque<Command>,
    batch: Batch,
    staged_at: Timestamp,
    last_seq: u64,
    /// The last number of the newest gap after which the server was told again what stands.
    restated: u64,
    is_reading: bool,
    born_at: Timestamp,
    beat_at: Option<Timestamp>,
    clocks: Clocks,
    wall: Wall,
    stats: Stats,
}

impl Core {
    /// Wakes up with what the disk remembers.
    pub fn new(now: Timestamp, setup: Setup) -> Self {
        let Setup { gateway, local, heartbeat, block, command_key, spare_epoch, remedies_a_day, kept } =
            setup;
        let mut core = Self {
            gateway,
            heartbeat,
            spare_epoch,
            schedule: Schedule::default(),
            judge: Judge::default(),
            verdicts: Verdicts::default(),
            gather: Gather::new(block),
            session: Session::new(kept.epoch, kept.tail, kept.head),
            desired: Desired::new(local),
            orders: Orders::new(command_key, kept.commands),
            alone: Alone::default(),
            remedies: Remedies::new(remedies_a_day, kept.remedies),
            sights: Sights::default(),
            unbaselined: BTreeSet::new(),
            commands: VecDeque::new(),
            batch: Batch::default(),
            staged_at: now,
            last_seq: kept.head,
            restated: 0,
            is_reading: false,
            born_at: now,
            beat_at: None,
            clocks: kept.clocks,
            wall: Wall::default(),
            stats: Stats::default(),
        };
        core.wake_records(now, kept.samples, kept.standing);
        core.wake_alone(now, kept.alone);
        core.wake_config(now, kept.config, kept.trial, kept.failed);
        core.wake_remedies(now);
        core.wake_orders(now);
        core
    }

    /// The device as it is configured now.
    pub fn find_device(&self, id: &DeviceId) -> Option<&Device> {
        self.desired.find(id)
    }

    /// All devices.
    pub fn devices(&self) -> &[Device] {
        self.desired.devices()
    }

    /// The version of the configuration that is applied; 0 for none.
    pub fn config_version(&self) -> u64 {
        self.desired.version()
    }

    /// What the queue holds now.
    pub fn handle_queue(&mut self, now: Timestamp, queue: Size) {
        if self.stats.queue.trouble != queue.trouble {
            self.beat_at = self.beat_at.map(|_| now);
        }
        self.stats.queue = queue;
    }

    /// What the system's clock shows, and whether that is only a guess. The server hears of a step at once.
    pub fn handle_wall(&mut self, now: Timestamp, wall: Timestamp, is_guess: bool) {
        if self.wall.look(now, wall, is_guess) {
            self.beat_at = self.beat_at.map(|_| now);
        }
    }

    /// The time lines.
    pub fn clocks(&self) -> &Clocks {
        &self.clocks
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// A check came back.
    pub fn handle_outcome(&mut self, now: Timestamp, device: &DeviceId, check: &str, outcome: Outcome) {
        let ran = match outcome.state {
            OutcomeState::Good | OutcomeState::Bad | OutcomeState::NotPermitted => Ran::Answered,
            OutcomeState::Silent => Ran::Silent,
            OutcomeState::Rejected => Ran::Rejected,
        };
        self.schedule.finished(now, device, check, ran);
        let Some(device) = self.desired.find(device).cloned() else { return };
        let Some(every) = device.find_check(check).map(|check| check.every) else { return };
        let samples = self.gather.add(now, &device.id, check, every, &outcome.values);
        self.batch.samples.extend(samples);
        let mut outcome = outcome;
        self.record_view(now, &device.id, outcome.view.take());
        let judged = self.judge.add(now, &device, check, outcome);
        self.schedule.hurry(now, &device.id, &judged.hurry);
        if judged.fell_silent {
            self.ask_parent(now, &device);
        }
        let mut changes = Vec::new();
        for run in judged.runs {
            changes.extend(self.verdicts.observe(
                now,
                &device.id,
                &run.check,
                run.rule,
                (&run.bad, &run.blind),
            ));
        }
        self.record_changes(now, changes);
        if self.unbaselined.contains(&device.id)
            && self.judge.is_all_good(&device)
            && self.verdicts.is_quiet(&device.id)
        {
            self.unbaselined.remove(&device.id);
            self.record_baseline(now, &device.id);
        }
        self.order_outcome(now, &device.id, check);
        self.flush(now);
    }

    /// The connection stands.
    pub fn handle_connected(&mut self, now: Timestamp, session_id: u64) {
        self.session.connected(session_id);
        self.is_reading = false;
        self.born_at = now;
        self.beat_at = Some(now);
        self.handle_timeout(now);
    }

    /// The connection is gone.
    pub fn handle_disconnected(&mut self, _now: Timestamp) {
        self.session.disconnected();
        self.beat_at = None;
    }

    /// The server says something.
    pub fn handle_packet(&mut self, now: Timestamp, down: Down, bytes: &[u8]) {
        let handled = match down {
            Down::Ack => envelope::decode_message(bytes).map(|ack| self.handle_ack(now, &ack)),
            Down::Command => envelope::decode_message(bytes).map(|signed| self.handle_order(now, &signed)),
            Down::DesiredConfig => {
                envelope::decode_message(bytes).map(|config| self.handle_config(now, &config))
            }
        };
        if let Err(error) = handled {
            self.stats.refused_packets += 1;
            tracing::warn!(%error, topic = ?down, "refused a packet from the server");
        }
        self.flush(now);
    }

    fn handle_ack(&mut self, now: Timestamp, ack: &Ack) {
        if let Some(offset_ms) = self.clocks.hear(now, from_ms(ack.server_at_ms)) {
            self.commands.push_back(Command::Heard { offset_ms });
            self.session.time_known();
        }
        self.config_reached_server(now);
        self.gather.set_grouped(ack.reads_groups);
        if ack.watch_seconds > 0 {
            self.watch(now, ack.watch_seconds);
        }
        let acked = self.session.ack(now, &self.clocks, ack);
        if acked.is_ahead {
            tracing::warn!("the server knows more than this queue: it is an old copy, beginning a new epoch");
            self.renumber_alone();
            self.session.renumbered(self.spare_epoch);
            self.spare_epoch = self.spare_epoch.rotate_left(17) ^ 0x9e37_79b9_7f4a_7c15;
            self.commands.push_back(Command::NewEpoch { epoch: self.session.epoch() });
            self.beat_at = Some(now);
        }
        self.server_heard(now, ack);
        if let Some(upto) = acked.delete_upto {
            self.commands.push_back(Command::Delete { upto });
        }
        if let Some((from, to)) = acked.refused {
            tracing::error!(from, to, "the server cannot read these records; a gap takes their place");
            self.commands.push_back(Command::Refuse { from, to });
        }
        if let Some(gap) = acked.gap {
            self.send_envelope(&gap);
            self.restate_after(now, &gap);
        }
    }

    /// Everything up to `head` is on disk.
    pub fn handle_appended(&mut self, head: u64) {
        self.session.committed(head);
        self.read_more();
    }

    /// The queue is another one now: what was not yet sent has the numbers from 1 to `head` in it.
    pub fn handle_replaced(&mut self, now: Timestamp, epoch: u64, head: u64) {
        self.renumber_alone();
        self.session.replaced(epoch, 1, head);
        self.last_seq = head;
        self.restated = 0;
        for record in &mut self.batch.records {
            self.last_seq += 1;
            (record.seq, record.last) = (self.last_seq, self.last_seq);
        }
        self.is_reading = false;
        self.beat_at = self.beat_at.map(|_| now);
        self.read_more();
    }

    /// Whether the server has everything that is committed.
    pub fn is_drained(&self) -> bool {
        let (tail, head) = self.session.range();
        tail > head
    }

    /// Records that were asked for, in order of their numbers; empty if there are none.
    pub fn handle_records(&mut self, now: Timestamp, records: &[Record]) {
        self.is_reading = false;
        let envelopes = self.session.take(now, &self.clocks, records);
        for envelope in &envelopes {
            self.send_envelope(envelope);
            self.restate_after(now, envelope);
        }
        if self.batch.is_urgent() {
            self.flush(now);
        }
        if !envelopes.is_empty() {
            self.read_more();
        }
    }

    /// Time has passed: at least [`Core::poll_timeout`] is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        for (device, check) in self.schedule.start_due(now) {
            self.commands.push_back(Command::RunCheck { device, check });
        }
        let changes = self.verdicts.settle(now);
        self.record_changes(now, changes);
        self.config_timeout(now);
        self.remedies_timeout(now);
        self.session.timeout(now);
        self.alone_timeout(now);
        if self.beat_at.is_some_and(|at| at <= now) {
            self.beat_at = Some(after(now, self.heartbeat));
            self.send_birth(now, true);
        }
        self.flush(now);
    }

    /// When [`Core::handle_timeout`] is to be called at the latest.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let stage = (!self.batch.samples.is_empty()).then(|| after(self.staged_at, STAGE_EVERY));
        [
            self.schedule.next_due(),
            self.verdicts.next_due(),
            self.gather.next_due(),
            self.session.next_due(),
            self.desired.next_due(),
            self.alone.next_due(),
            self.remedies.next_due(),
            self.beat_at,
            stage,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The agent ends in order: what is open goes to disk, the server hears that we go.
    pub fn handle_shutdown(&mut self, now: Timestamp) {
        if !self.batch.is_empty() {
            self.append(now);
        }
        self.send_birth(now, false);
    }

    /// The next thing to do; None when all is done.
    pub fn next_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// What the connection announces for the case that it breaks.
    pub fn will(&self, now: Timestamp, session_id: u64) -> Vec<u8> {
        self.birth(now, session_id, false)
    }

    fn watch(&mut self, now: Timestamp, seconds: u32) {
        let seconds = seconds.min(sitewarden_proto::limits::WATCH_MAX_S);
        self.gather.watch(after(now, Duration::from_secs(u64::from(seconds))));
    }

    fn send_envelope(&mut self, envelope: &Envelope) {
        use sitewarden_proto::wire::envelope::Body;
        let up = match &envelope.body {
            Some(Body::Events(_) | Body::Gap(_)) | None => Up::Events,
            Some(Body::Metrics(_)) => Up::Metrics,
            Some(Body::CommandResult(_)) => Up::CommandResult,
            Some(Body::ReportedConfig(_)) => Up::ReportedConfig,
            Some(Body::Discovered(_)) => Up::Discovered,
        };
        match envelope::encode(envelope, Codec::ZstdSmall) {
            Ok(bytes) => self.commands.push_back(Command::Send { up, bytes }),
            Err(error) => tracing::error!(%error, seq = envelope.first_seq, "a record cannot be sent"),
        }
    }

    fn read_more(&mut self) {
        if !self.is_reading
            && let Some(from) = self.session.wants()
        {
            self.is_reading = true;
            self.commands.push_back(Command::Read { from });
        }
    }

    /// Closes what is due and hands the batch over: facts at once, samples once a second.
    fn flush(&mut self, now: Timestamp) {
        let blocks = self.gather.close_due(now);
        if !blocks.is_empty() {
            self.batch.samples.clear();
            self.batch.drop_samples = true;
        }
        for block in blocks {
            self.record(now, RecordKind::Metrics, block);
        }
        let is_time = after(self.staged_at, STAGE_EVERY) <= now;
        if self.batch.is_urgent() || (is_time && !self.batch.is_empty()) {
            self.append(now);
        }
        self.read_more();
    }

    fn append(&mut self, now: Timestamp) {
        self.staged_at = now;
        let batch = std::mem::take(&mut self.batch);
        let batch = Batch { at_ms: now.as_millisecond(), clock: self.clocks.number, ..batch };
        self.commands.push_back(Command::Append(batch));
    }
}
