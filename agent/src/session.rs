//! What to send, what is acknowledged, when to send again. Pure.
//!
//! Records are numbered and lie on disk; this file knows only their numbers. It sends those that are
//! committed, a few packets ahead of the server's cumulative ack, and begins again at the first
//! unacknowledged one after a reconnection or when an ack stays away. When the server asks for something that
//! no longer exists, the answer is an explicit gap. Nothing is deleted before the server has it.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use prost::Message;
use sitewarden_proto::limits::{BATCH_TARGET, RECORDS_MAX};
use sitewarden_proto::wire::envelope::Body;
use sitewarden_proto::wire::{
    Ack, CommandResult, DiscoveredDevices, Envelope, Event, EventBatch, Gap, MetricBlock, ReportedConfig, gap,
};

use crate::clock::after;
use crate::timeline::Clocks;

/// Envelopes on their way without an ack.
const WINDOW: usize = 8;
/// How long acks may stay away before everything unacknowledged is sent again; each one that takes something
/// off begins it anew, so that a slow line carries nothing twice.
const ACK_LIMIT: Duration = Duration::from_secs(30);
/// A repeated request to send from the same number is heeded once in this time: several acks carry it.
const RESEND_PAUSE: Duration = Duration::from_secs(5);
/// A packet is given up when the server could not read it so often,
const REFUSALS: u32 = 3;
/// over so long a time: a server that is being updated may read it later.
const REFUSED_FOR: Duration = Duration::from_mins(2);

/// What kind of record it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// One event.
    Event,
    /// A metric block.
    Metrics,
    /// What became of a command.
    CommandResult,
    /// Which configuration is applied.
    ReportedConfig,
    /// Devices found on the LAN.
    Discovered,
    /// Numbers whose records are lost.
    Gap,
}

/// A record as it lies in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number, or the first of a gap.
    pub seq: u64,
    /// Its number, or the last of a gap.
    pub last: u64,
    /// What it is.
    pub kind: RecordKind,
    /// When it was written, Unix milliseconds on its clock.
    pub at_ms: i64,
    /// The clock of that time and of the times in `bytes`.
    pub clock: u32,
    /// The protobuf message of its kind.
    pub bytes: Vec<u8>,
}

/// What an ack leads to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Acked {
    /// Delete everything up to and including this.
    pub delete_upto: Option<u64>,
    /// Answer with this.
    pub gap: Option<Envelope>,
    /// The server knows numbers that this queue never gave out: it is an old copy, and needs a new epoch.
    pub is_ahead: bool,
    /// The server will never read these records: put a gap in their place.
    pub refused: Option<(u64, u64)>,
}

/// The numbered stream of one gateway.
#[derive(Debug)]
pub struct Session {
    epoch: u64,
    /// Oldest record in the queue; `head + 1` when it is empty.
    tail: u64,
    /// Newest committed record.
    head: u64,
    /// Next record to send.
    next: u64,
    /// Oldest first.
    in_flight: VecDeque<Flight>,
    /// When an ack last took something off.
    acked_at: Option<Timestamp>,
    link: Link,
    resent: Option<(u64, Timestamp)>,
    /// The next record is of an earlier clock, and the server has not told the time yet.
    awaits_time: bool,
    refused: Option<Refused>,
    /// The newest record that was in the queue when the program woke up.
    woken: u64,
    /// The server has said how far it is in this epoch. Until then nothing that was written since is sent:
    /// a queue that lost its end, or an old copy, would give out numbers that the server already knows.
    is_confirmed: bool,
    /// Up to here records travel alone, so that a refusal names one of them.
    alone_upto: u64,
}

/// An envelope on its way.
#[derive(Clone, Copy, Debug)]
struct Flight {
    first: u64,
    last: u64,
    sent_at: Timestamp,
}

/// A packet that the server could not read.
#[derive(Clone, Copy, Debug)]
struct Refused {
    first: u64,
    last: u64,
    times: u32,
    since: Timestamp,
    heard_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Down,
    Up { session_id: u64 },
}

impl Session {
    /// A stream over a queue that holds `tail..=head`.
    pub fn new(epoch: u64, tail: u64, head: u64) -> Self {
        Self {
            epoch,
            tail,
            head,
            next: tail,
            in_flight: VecDeque::new(),
            acked_at: None,
            link: Link::Down,
            resent: None,
            awaits_time: false,
            refused: None,
            woken: head,
            is_confirmed: false,
            alone_upto: 0,
        }
    }

    /// The epoch of the numbers.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// (oldest, newest) record of the queue.
    pub fn range(&self) -> (u64, u64) {
        (self.tail, self.head)
    }

    /// The connection that is up.
    pub fn session_id(&self) -> Option<u64> {
        match self.link {
            Link::Down => None,
            Link::Up { session_id } => Some(session_id),
        }
    }

    /// A connection stands; what was on its way counts as lost.
    pub fn connected(&mut self, session_id: u64) {
        self.link = Link::Up { session_id };
        self.begin_at(self.tail);
        self.resent = None;
        self.awaits_time = false;
    }

    /// The connection is gone.
    pub fn disconnected(&mut self) {
        self.link = Link::Down;
        self.begin_at(self.tail);
    }

    /// Everything up to `head` is committed to disk.
    pub fn committed(&mut self, head: u64) {
        self.head = self.head.max(head);
    }

    /// All numbers belong to a new epoch; everything is sent again.
    pub fn renumbered(&mut self, epoch: u64) {
        self.epoch = epoch;
        (self.refused, self.alone_upto) = (None, 0);
        // Nobody else has ever spoken in a new epoch.
        self.is_confirmed = true;
        self.begin_at(self.tail);
    }

    /// The queue is another one now, with other numbers.
    pub fn replaced(&mut self, epoch: u64, tail: u64, head: u64) {
        (self.tail, self.head) = (tail, head);
        self.renumbered(epoch);
    }

    /// The server has told the time: records of earlier clocks may go.
    pub fn time_known(&mut self) {
        self.awaits_time = false;
    }

    fn begin_at(&mut self, seq: u64) {
        self.next = seq;
        self.in_flight.clear();
    }

    /// From which number records should be read now, if any can be sent.
    pub fn wants(&self) -> Option<u64> {
        let is_up = self.link != Link::Down && !self.awaits_time;
        (is_up && self.next <= self.sendable() && self.in_flight.len() < WINDOW).then_some(self.next)
    }

    fn sendable(&self) -> u64 {
        if self.is_confirmed { self.head } else { self.head.min(self.woken) }
    }

    /// Packs records that were read from [`Session::wants`] on, as many as the window allows. An envelope holds
    /// records of one clock, and says what that clock shows now.
    pub fn take(&mut self, now: Timestamp, clocks: &Clocks, records: &[Record]) -> Vec<Envelope> {
        let mut envelopes = Vec::new();
        let Link::Up { session_id } = self.link else { return envelopes };
        let records: Vec<&Record> =
            records.iter().filter(|r| r.last >= self.next && r.seq <= self.sendable()).collect();
        let mut rest = records.as_slice();
        while let Some(first) = rest.first()
            && self.in_flight.len() < WINDOW
        {
            // A gap holds no times.
            let clock = if first.kind == RecordKind::Gap { clocks.number } else { first.clock };
            let Some(shown) = clocks.shows(clock, now) else {
                self.awaits_time = true;
                break;
            };
            let (from, to, body) = if first.seq > self.next {
                // The queue lost what it promised to keep: say so rather than wait for ever.
                (self.next, first.seq - 1, gap_body(self.next, first.seq - 1, gap::Reason::Corrupt))
            } else {
                let is_alone = first.seq <= self.alone_upto;
                let (taken, last, body) = pack(if is_alone { &rest[..1] } else { rest });
                rest = &rest[taken..];
                (first.seq, last, body)
            };
            let sent = Envelope {
                epoch: self.epoch,
                first_seq: from,
                count: u32::try_from(to - from + 1).unwrap_or(u32::MAX),
                sent_at_ms: shown.as_millisecond(),
                session_id,
                clock,
                body: Some(body),
            };
            self.next = to + 1;
            self.in_flight.push_back(Flight { first: from, last: to, sent_at: now });
            envelopes.push(sent);
        }
        envelopes
    }

    /// The server says what it has committed, and perhaps what it misses.
    pub fn ack(&mut self, now: Timestamp, clocks: &Clocks, ack: &Ack) -> Acked {
        let Link::Up { session_id } = self.link else { return Acked::default() };
        if ack.epoch != self.epoch {
            return Acked::default();
        }
        let is_first = !std::mem::replace(&mut self.is_confirmed, true);
        if ack.upto > self.head || (is_first && ack.upto > self.woken) {
            // What we woke up with is older than what the server has.
            let delete_upto = (self.woken >= self.tail).then_some(self.woken);
            self.tail = self.tail.max(self.woken + 1);
            return Acked { is_ahead: true, delete_upto, ..Acked::default() };
        }
        let mut acked = Acked::default();
        if ack.upto >= self.tail {
            self.tail = ack.upto + 1;
            self.next = self.next.max(self.tail);
            acked.delete_upto = Some(ack.upto);
        }
        if ack.refused_from >= self.tail {
            acked.refused = self.is_refused(now, ack.refused_from);
        }
        while self.in_flight.front().is_some_and(|flight| flight.last <= ack.upto) {
            self.in_flight.pop_front();
            self.acked_at = Some(now);
        }
        if let Some((from, _)) = acked.refused {
            self.begin_at(from);
            return acked;
        }
        let from = ack.resend_from;
        let is_repeated = self.resent.is_some_and(|(seq, at)| seq == from && after(at, RESEND_PAUSE) > now);
        if from == 0 || from > self.head || is_repeated {
            return acked;
        }
        self.resent = Some((from, now));
        if from < self.tail {
            let to = self.tail - 1;
            acked.gap = Some(Envelope {
                epoch: self.epoch,
                first_seq: from,
                count: u32::try_from(to - from + 1).unwrap_or(u32::MAX),
                sent_at_ms: now.as_millisecond(),
                session_id,
                clock: clocks.number,
                body: Some(gap_body(from, to, gap::Reason::AlreadyDeleted)),
            });
        }
        self.begin_at(from.max(self.tail));
        acked
    }

    /// The server cannot read the packet that begins at `first`: its records go alone from now on, and the
    /// one that is refused again and again is given up.
    fn is_refused(&mut self, now: Timestamp, first: u64) -> Option<(u64, u64)> {
        let sent = self.in_flight.iter().find(|flight| flight.first == first)?;
        let refused = match self.refused {
            // Packets behind it that are on their way bring the same word.
            Some(before) if before.first == first && before.heard_at >= sent.sent_at => return None,
            Some(before) if before.first == first && before.last == sent.last => {
                Refused { times: before.times + 1, heard_at: now, ..before }
            }
            Some(_) | None => Refused { first, last: sent.last, times: 1, since: now, heard_at: now },
        };
        self.alone_upto = self.alone_upto.max(refused.last);
        if refused.times >= REFUSALS && after(refused.since, REFUSED_FOR) <= now {
            self.refused = None;
            return Some((refused.first, refused.last));
        }
        self.refused = Some(refused);
        None
    }

    /// An ack stayed away too long: begin again.
    pub fn timeout(&mut self, now: Timestamp) {
        if self.next_due().is_some_and(|due| due <= now) {
            self.begin_at(self.tail);
        }
    }

    /// When [`Session::timeout`] has something to do.
    pub fn next_due(&self) -> Option<Timestamp> {
        let oldest = self.in_flight.front()?;
        Some(after(self.acked_at.map_or(oldest.sent_at, |at| at.max(oldest.sent_at)), ACK_LIMIT))
    }
}

fn gap_body(from_seq: u64, to_seq: u64, reason: gap::Reason) -> Body {
    Body::Gap(Gap { from_seq, to_seq, reason: reason.into() })
}

/// Packs the longest run from the front that fits one envelope: (records taken, last number, body).
fn pack(records: &[&Record]) -> (usize, u64, Body) {
    let first = records[0];
    let unreadable = |_| gap_body(first.seq, first.last, gap::Reason::Corrupt);
    let body = match first.kind {
        RecordKind::Event => return pack_events(records),
        RecordKind::Metrics => MetricBlock::decode(first.bytes.as_slice()).map(Body::Metrics),
        RecordKind::CommandResult => CommandResult::decode(first.bytes.as_slice()).map(Body::CommandResult),
        RecordKind::ReportedConfig => {
            ReportedConfig::decode(first.bytes.as_slice()).map(Body::ReportedConfig)
        }
        RecordKind::Discovered => DiscoveredDevices::decode(first.bytes.as_slice()).map(Body::Discovered),
        RecordKind::Gap => Gap::decode(first.bytes.as_slice())
            .map(|gap| Body::Gap(Gap { from_seq: first.seq, to_seq: first.last, reason: gap.reason })),
    };
    (1, first.last, body.unwrap_or_else(unreadable))
}

fn pack_events(records: &[&Record]) -> (usize, u64, Body) {
    let first = records[0];
    let mut events = Vec::new();
    let mut bytes = 0;
    for (index, record) in records.iter().enumerate() {
        let fits = bytes + record.bytes.len() <= BATCH_TARGET && events.len() < RECORDS_MAX as usize;
        let follows = record.kind == RecordKind::Event
            && record.clock == first.clock
            && record.seq == first.seq + index as u64;
        if index > 0 && !(fits && follows) {
            break;
        }
        let Ok(event) = Event::decode(record.bytes.as_slice()) else { break };
        bytes += record.bytes.len();
        events.push(event);
    }
    match events.len() {
        0 => (1, first.last, gap_body(first.seq, first.last, gap::Reason::Corrupt)),
        n => (n, first.seq + n as u64 - 1, Body::Events(EventBatch { events })),
    }
}

#[cfg(test)]
mod tests;
