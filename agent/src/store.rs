//! The queue as the pump sees it: on disk, and in memory while the disk takes nothing.
//!
//! A full or read-only disk must not stop the watching, nor silence the gateway. While it lasts, new records
//! wait in memory, within a bound of its own (samples go first, and a gap takes the place of what goes). What
//! the disk still holds is sent first. Then the records in memory get numbers of an epoch that never touched
//! the disk, and are sent from there: a number that a power cut can take back is of no epoch that lives on. When the
//! disk takes something again, it takes the memory's epoch over, or its records.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sitewarden_proto::wire::DiskTrouble;

use crate::clock::Boot;
use crate::config::Queue;
use crate::core::{Batch, ConfigChange, Kept, Size};
use crate::files::has_room;
use crate::seal::Seal;
use crate::session::Record;
use crate::spool::{Line, Spool, random_epoch, takes_nothing, trouble_of};
use crate::timeline::Clocks;

/// Bytes of records that wait in memory.
const MEMORY_MAX: u64 = 8 << 20;
/// Refusals of the disk before records are sent from memory.
const PATIENCE: u32 = 2;
/// What must fit on a disk that took nothing before it is written to again. Less than this is found in what SQLite has
/// left of a write that failed, and the next record finds the disk full once more.
const ROOM: usize = 256 << 10;
/// Changes of the configuration that wait for the disk; the last ones count.
const CHANGES: usize = 4;
/// Commands that wait for the disk.
const JOURNAL: usize = 4096;

/// The queue.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    seal: Seal,
    bounds: Queue,
    /// None when not even reading is possible.
    disk: Option<Spool>,
    /// The file was opened for reading only, or not at all.
    needs_opening: bool,
    memory: Option<Memory>,
    /// Epoch and newest number of the disk.
    numbers: Option<(u64, u64)>,
}

#[derive(Debug)]
struct Memory {
    spool: Spool,
    /// It has an epoch of its own, and is sent from.
    is_own: bool,
    refusals: u32,
    /// What keeps the disk from taking anything, as the last attempt saw it.
    trouble: DiskTrouble,
    /// What is not a record, for the disk to keep.
    kept: Batch,
    changes: Vec<ConfigChange>,
    /// What the server has of the disk's records.
    deleted_upto: u64,
}

/// What became of records that waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// Everything up to here is on disk.
    Committed(u64),
    /// The queue is another one, with numbers from 1 to `head`.
    Replaced {
        /// Its epoch.
        epoch: u64,
        /// Its newest number.
        head: u64,
    },
}

impl Store {
    /// Opens the queue; whatever state disk and file are in, there is a queue afterwards.
    pub async fn open(path: &Path, seal: Seal, bounds: Queue, now: Timestamp) -> anyhow::Result<Self> {
        let (path, needs_opening, memory) = (path.to_owned(), false, None);
        let mut store = Self { path, seal, bounds, disk: None, needs_opening, memory, numbers: None };
        let mut failed = None;
        match Spool::open(&store.path, store.seal.clone(), bounds, now).await {
            Ok(spool) => store.disk = Some(spool),
            Err(error) => {
                store.needs_opening = true;
                store.disk = Spool::read_only(&store.path, store.seal.clone(), bounds).await.ok();
                failed = Some(error);
            }
        }
        if let Some(disk) = &mut store.disk {
            store.numbers = disk.numbers().await.ok();
        }
        if let Some(error) = failed {
            store.begin_memory(&error).await?;
        }
        Ok(store)
    }

    async fn begin_memory(&mut self, error: &anyhow::Error) -> anyhow::Result<()> {
        tracing::error!(
            error = format!("{error:#}"),
            path = %self.path.display(),
            "the disk takes nothing: records wait in memory. Free some space, or look whether it is read-only"
        );
        let (epoch, head) = self.numbers.unwrap_or_else(|| (random_epoch(), 0));
        let bounds = Queue { max_bytes: self.bounds.max_bytes.min(MEMORY_MAX), ..self.bounds };
        let spool = Spool::in_memory(self.seal.clone(), bounds, epoch, head).await?;
        self.memory = Some(Memory {
            spool,
            is_own: self.numbers.is_none(),
            refusals: 0,
            trouble: trouble_of(error),
            kept: Batch::default(),
            changes: Vec::new(),
            deleted_upto: 0,
        });
        Ok(())
    }

    /// The disk takes nothing at present.
    pub fn is_failing(&self) -> bool {
        self.memory.is_some()
    }

    /// Goes on with the line of this boot, or begins one.
    pub async fn begin_line(&mut self, boot: &Boot, now: Timestamp) -> anyhow::Result<Line> {
        let at = now.as_millisecond();
        let unknown = Line { at: now, floor: now, clocks: Clocks::new(1, at, None, Vec::new()) };
        let Some(disk) = &mut self.disk else { return Ok(unknown) };
        match disk.begin_line(boot, now).await {
            Ok(line) => Ok(line),
            Err(error) if takes_nothing(&error) => Ok(unknown),
            Err(error) => Err(error),
        }
    }

    /// What the queue remembers, for the core to wake up with `clocks`.
    pub async fn kept(&mut self, clocks: Clocks) -> anyhow::Result<Kept> {
        let disk = match &mut self.disk {
            Some(disk) => disk.kept(clocks.clone()).await,
            None => Err(anyhow::anyhow!("there is no disk")),
        };
        match (disk, &mut self.memory) {
            (Ok(kept), _) => Ok(kept),
            (Err(_), Some(memory)) => {
                memory.is_own = true;
                let epoch = random_epoch();
                memory.spool.replace(epoch, 0, &[]).await?;
                Ok(Kept { epoch, head: 0, tail: 1, clocks, ..Kept::default() })
            }
            (Err(error), None) => Err(error),
        }
    }

    /// Counts a start with the configuration on trial; the version of one that ended the agent too often.
    pub async fn count_trial(&mut self) -> anyhow::Result<Option<u64>> {
        let mut failed = None;
        self.on_disk(async |disk| {
            failed = disk.count_trial().await?;
            Ok(())
        })
        .await?;
        Ok(failed)
    }

    /// Commits a batch. Returns the newest number that may be sent; None while the batch waits in memory.
    pub async fn append(&mut self, batch: &Batch) -> anyhow::Result<Option<u64>> {
        if self.memory.is_none()
            && let Some(disk) = &mut self.disk
        {
            match disk.append(batch).await {
                Ok(head) => {
                    self.numbers = self.numbers.map(|(epoch, _)| (epoch, head));
                    return Ok(Some(head));
                }
                Err(error) if takes_nothing(&error) => self.begin_memory(&error).await?,
                Err(error) => return Err(error),
            }
        }
        let Some(memory) = &mut self.memory else { anyhow::bail!("there is no queue") };
        memory.keep(batch);
        let records = batch.records.clone();
        let only = Batch { records, at_ms: batch.at_ms, clock: batch.clock, ..Batch::default() };
        let head = memory.spool.append(&only).await?;
        Ok(memory.is_own.then_some(head))
    }

    /// Records from `from` on, in order; a bounded number of them.
    pub async fn read(&mut self, from: u64) -> anyhow::Result<Vec<Record>> {
        match (&mut self.memory, &mut self.disk) {
            (Some(memory), _) if memory.is_own => memory.spool.read(from).await,
            (_, Some(disk)) => disk.read(from).await,
            (_, None) => Ok(Vec::new()),
        }
    }

    /// Deletes what the server has.
    pub async fn delete(&mut self, upto: u64) -> anyhow::Result<()> {
        if let Some(memory) = &mut self.memory {
            if memory.is_own {
                return memory.spool.delete(upto).await;
            }
            memory.deleted_upto = upto;
        }
        self.on_disk(async |disk| disk.delete(upto).await).await?;
        if let Some(memory) = &mut self.memory {
            memory.deleted_upto = upto;
        }
        Ok(())
    }

    /// A gap takes the place of records that the server will never read.
    pub async fn refuse(&mut self, from: u64, to: u64) -> anyhow::Result<()> {
        match &mut self.memory {
            Some(memory) if memory.is_own => memory.spool.refuse(from, to).await,
            Some(_) | None => self.on_disk(async |disk| disk.refuse(from, to).await).await,
        }
    }

    /// The numbers belong to this epoch from now on.
    pub async fn new_epoch(&mut self, epoch: u64) -> anyhow::Result<()> {
        if let Some(memory) = &mut self.memory {
            memory.spool.new_epoch(epoch).await?;
            if memory.is_own {
                return Ok(());
            }
        }
        self.numbers = self.numbers.map(|(_, head)| (epoch, head));
        self.on_disk(async |disk| disk.new_epoch(epoch).await).await
    }

    /// The line shows `now`; what is new about its offset is stored with it.
    pub async fn put_line(
        &mut self,
        now: Timestamp,
        offset_ms: Option<i64>,
        wall_ms: Option<i64>,
    ) -> anyhow::Result<()> {
        self.on_disk(async |disk| disk.put_line(now, offset_ms, wall_ms).await).await
    }

    /// A time that has certainly passed.
    pub async fn put_time(&mut self, now: Timestamp) -> anyhow::Result<()> {
        self.on_disk(async |disk| disk.put_time(now).await).await
    }

    /// Does something that can wait for a disk that takes nothing.
    async fn on_disk(
        &mut self,
        act: impl AsyncFnOnce(&mut Spool) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let Some(disk) = &mut self.disk else { return Ok(()) };
        match act(disk).await {
            Err(error) if takes_nothing(&error) && self.memory.is_none() => self.begin_memory(&error).await,
            Err(error) if takes_nothing(&error) => Ok(()),
            done => done,
        }
    }

    /// Tries the disk again. `is_drained`: the server has everything that may be sent.
    pub async fn retry(&mut self, now: Timestamp, is_drained: bool) -> anyhow::Result<Change> {
        if self.memory.is_none() {
            return Ok(Change::None);
        }
        let trouble = match self.move_to_disk(now).await {
            Ok(change) => {
                tracing::info!("the disk takes something again");
                self.memory = None;
                return Ok(change);
            }
            Err(error) if takes_nothing(&error) => {
                tracing::debug!(%error, "the disk still takes nothing");
                trouble_of(&error)
            }
            Err(error) => return Err(error),
        };
        let Some(memory) = &mut self.memory else { return Ok(Change::None) };
        memory.trouble = trouble;
        memory.refusals = memory.refusals.saturating_add(1);
        if memory.is_own || !is_drained || memory.refusals < PATIENCE {
            return Ok(Change::None);
        }
        let epoch = random_epoch();
        let head = memory.spool.renumber(epoch).await?;
        memory.is_own = true;
        tracing::warn!(records = head, "records are sent from memory: a power cut would lose them");
        Ok(Change::Replaced { epoch, head })
    }

    async fn move_to_disk(&mut self, now: Timestamp) -> anyhow::Result<Change> {
        has_room(&self.path, ROOM)?;
        if self.needs_opening {
            let disk = Spool::open(&self.path, self.seal.clone(), self.bounds, now).await?;
            // An open that had to put the file aside begins an epoch of its own.
            self.disk = Some(disk);
            self.needs_opening = false;
        }
        let (Some(disk), Some(memory)) = (&mut self.disk, &mut self.memory) else { return Ok(Change::None) };
        let records = memory.spool.all().await?;
        let (epoch, head) = memory.spool.numbers().await?;
        let (disk_epoch, disk_head) = disk.numbers().await?;
        let dropped = memory.spool.size().dropped;
        // The same queue as before, unless the file had to be put aside.
        let base = self.numbers.map(|(_, base)| base).filter(|base| disk_head == *base || disk_head == head);
        match base.filter(|_| !memory.is_own) {
            Some(base) => {
                disk.delete(memory.deleted_upto).await?;
                if disk_epoch != epoch {
                    disk.new_epoch(epoch).await?;
                }
                disk.take_over(&records, base, head).await?;
            }
            None => disk.replace(epoch, head, &records).await?,
        }
        disk.count_dropped(dropped).await?;
        disk.append(&Batch { drop_samples: true, ..memory.kept.clone() }).await?;
        for config in memory.changes.drain(..) {
            disk.append(&Batch { config: Some(config), at_ms: memory.kept.at_ms, ..Batch::default() })
                .await?;
        }
        self.numbers = Some((epoch, head));
        Ok(if memory.is_own { Change::None } else { Change::Committed(head) })
    }

    /// What the queue holds.
    pub fn size(&self) -> Size {
        let disk = self.disk.as_ref().map(Spool::size).unwrap_or_default();
        let Some(memory) = &self.memory else { return disk };
        let waiting = memory.spool.size();
        if memory.is_own {
            return Size { dropped: disk.dropped + waiting.dropped, trouble: memory.trouble, ..waiting };
        }
        Size {
            records: disk.records + waiting.records,
            bytes: disk.bytes + waiting.bytes,
            dropped: disk.dropped + waiting.dropped,
            oldest: disk.oldest.or(waiting.oldest),
            trouble: memory.trouble,
        }
    }

    /// Closes the file in order.
    pub async fn close(self) -> anyhow::Result<()> {
        match self.disk {
            Some(disk) if self.memory.is_none() => disk.close().await,
            Some(_) | None => Ok(()),
        }
    }
}

impl Memory {
    fn keep(&mut self, batch: &Batch) {
        if batch.alone.is_some() {
            self.kept.alone.clone_from(&batch.alone);
        }
        if batch.standing.is_some() {
            self.kept.standing.clone_from(&batch.standing);
        }
        self.kept.journal.extend(batch.journal.iter().cloned());
        let over = self.kept.journal.len().saturating_sub(JOURNAL);
        self.kept.journal.drain(..over);
        self.kept.remedies.extend(batch.remedies.iter().cloned());
        let over = self.kept.remedies.len().saturating_sub(JOURNAL);
        self.kept.remedies.drain(..over);
        self.changes.extend(batch.config.clone());
        let over = self.changes.len().saturating_sub(CHANGES);
        self.changes.drain(..over);
        (self.kept.at_ms, self.kept.clock) = (batch.at_ms, batch.clock);
    }
}

#[cfg(test)]
mod tests;
