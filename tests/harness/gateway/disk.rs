//! A gateway's disk in a story: what the agent has committed, and nothing else, survives a restart. Like the
//! real queue it drops metric blocks before facts when it is full, oldest first, and leaves gaps in their place.

use std::collections::BTreeMap;

use jiff::Timestamp;
use prost::Message;
use sitewarden_agent::clock::shifted;
use sitewarden_agent::core::{Batch, ConfigChange, Kept};
use sitewarden_agent::session::{Record, RecordKind};
use sitewarden_agent::timeline::{Clocks, Earlier};
use sitewarden_proto::wire::{DiskTrouble, Gap, gap};

/// A disk.
#[derive(Debug)]
pub struct Disk {
    records: BTreeMap<u64, Record>,
    kept: Kept,
    /// Records that it holds at most, gaps not counted.
    bound: usize,
    dropped: u64,
    /// What it says of itself.
    pub trouble: DiskTrouble,
}

impl Disk {
    /// An empty one of a machine whose time line shows `line`.
    pub fn new(epoch: u64, line: Timestamp) -> Self {
        let clocks = Clocks::new(1, line.as_millisecond(), None, Vec::new());
        let kept = Kept { epoch, tail: 1, head: 0, clocks, ..Kept::default() };
        Self {
            records: BTreeMap::new(),
            kept,
            bound: usize::MAX,
            dropped: 0,
            trouble: DiskTrouble::Unspecified,
        }
    }

    /// From now on it holds so many records.
    pub fn set_bound(&mut self, records: usize) {
        self.bound = records;
    }

    /// Commits a batch; the newest number.
    pub fn append(&mut self, batch: Batch) -> u64 {
        let kept = &mut self.kept;
        if batch.drop_samples {
            kept.samples.clear();
        }
        kept.samples.extend(batch.samples.into_iter().map(|sample| (batch.clock, sample)));
        if batch.alone.is_some() {
            kept.alone.clone_from(&batch.alone);
        }
        if let Some(standing) = batch.standing {
            kept.standing = standing;
        }
        match batch.config {
            Some(ConfigChange::Trial(version, text)) => kept.trial = Some((version, text)),
            Some(ConfigChange::Confirm) => kept.config = kept.trial.take().or(kept.config.take()),
            Some(ConfigChange::Revert) => kept.trial = None,
            None => {}
        }
        kept.commands.extend(batch.journal);
        kept.remedies.extend(batch.remedies.into_iter().map(|entry| (entry.id.clone(), entry)));
        if let Some(last) = batch.records.last() {
            kept.head = last.last;
        }
        self.records.extend(batch.records.into_iter().map(|record| (record.seq, record)));
        for kind in [Some(RecordKind::Metrics), None] {
            while self.full() && self.drop_oldest(kind) {}
        }
        self.kept.head
    }

    /// Everything from `from` on.
    pub fn read(&self, from: u64) -> Vec<Record> {
        self.records.values().filter(|record| record.last >= from).take(2_000).cloned().collect()
    }

    /// Deletes what the server has.
    pub fn delete(&mut self, upto: u64) {
        self.records.retain(|_, record| record.last > upto);
    }

    /// The numbers belong to this epoch from now on.
    pub fn new_epoch(&mut self, epoch: u64) {
        self.kept.epoch = epoch;
    }

    /// The machine restarts: what the line of this boot shows, as the real queue decides it. The line of the
    /// boot that ended showed `shown`.
    pub fn next_boot(&mut self, ended: &Clocks, shown: Timestamp, wall: Timestamp) -> Timestamp {
        let line = wall.max(shifted(shown, ended.offset_ms.unwrap_or_default()));
        let earlier = Earlier {
            number: ended.number,
            began_ms: ended.began_ms,
            shown_ms: shown.as_millisecond(),
            told_ms: ended.offset_ms,
            wall_ms: None,
        };
        let earlier = ended.earlier.iter().copied().chain([earlier]).collect();
        self.kept.clocks = Clocks::new(ended.number + 1, line.as_millisecond(), None, earlier);
        line
    }

    /// The server told what the line of this boot lacks.
    pub fn heard(&mut self, offset_ms: i64) {
        self.kept.clocks.offset_ms = Some(offset_ms);
    }

    /// When the oldest record was written: its clock, and that clock's milliseconds.
    pub fn oldest(&self) -> Option<(u32, i64)> {
        let facts = self.records.values().find(|record| record.kind != RecordKind::Gap);
        facts.map(|record| (record.clock, record.at_ms))
    }

    /// What the agent wakes up with.
    pub fn kept(&self) -> Kept {
        let tail = self.records.keys().next().copied().unwrap_or(self.kept.head + 1);
        Kept { tail, ..self.kept.clone() }
    }

    /// How many records wait.
    pub fn waiting(&self) -> usize {
        self.records.len()
    }

    /// Their bytes.
    pub fn bytes(&self) -> usize {
        self.records.values().map(|record| record.bytes.len()).sum()
    }

    /// How many were dropped, ever.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The gaps that stand for what was dropped: first and last number.
    pub fn gaps(&self) -> Vec<(u64, u64)> {
        let gaps = self.records.values().filter(|record| record.kind == RecordKind::Gap);
        gaps.map(|gap| (gap.seq, gap.last)).collect()
    }

    fn full(&self) -> bool {
        self.records.values().filter(|record| record.kind != RecordKind::Gap).count() > self.bound
    }

    fn drop_oldest(&mut self, kind: Option<RecordKind>) -> bool {
        let goes = |record: &&Record| match kind {
            Some(kind) => record.kind == kind,
            None => record.kind != RecordKind::Gap,
        };
        let Some((mut seq, mut last)) = self.records.values().find(goes).map(|r| (r.seq, r.last)) else {
            return false;
        };
        self.records.remove(&seq);
        let is_gap = |record: &&Record| record.kind == RecordKind::Gap;
        let before = self.records.range(..seq).next_back().map(|(_, record)| record).filter(is_gap);
        if let Some(before) = before.filter(|before| before.last + 1 == seq) {
            seq = before.seq;
            self.records.remove(&seq);
        }
        if let Some(after) = self.records.get(&(last + 1)).filter(is_gap) {
            let first = after.seq;
            last = after.last;
            self.records.remove(&first);
        }
        let gap = Gap { from_seq: seq, to_seq: last, reason: gap::Reason::QueueFull.into() };
        let bytes = gap.encode_to_vec();
        self.records.insert(seq, Record { seq, last, kind: RecordKind::Gap, at_ms: 0, clock: 0, bytes });
        self.dropped += 1;
        true
    }
}
