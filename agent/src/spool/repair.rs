//! A damaged queue: put aside, read as far as it can be read, and begun anew under a new epoch. The records
//! that survive get new numbers; one gap of reason "corrupt" says that something was lost.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use prost::Message;
use sitewarden_proto::wire::{Gap, gap};
use sqlx::Row;

use super::Spool;
use super::clocks::{self, Stored};
use crate::config::Queue;
use crate::core::Batch;
use crate::remedy::Entry;
use crate::seal::Seal;
use crate::session::{Record, RecordKind};

/// Damaged files kept beside the queue for somebody to look at; older ones go.
const KEEP: usize = 2;

pub(super) async fn replace(path: &Path, seal: Seal, bounds: Queue, now: Timestamp) -> anyhow::Result<Spool> {
    let aside = put_aside(path, now)?;
    let (mut records, lines, remedies) = salvage(&aside).await;
    let db = Spool::open_sound(path).await?;
    let mut spool = Spool::begin(path, db, seal, bounds).await?;
    spool.take_lines(&lines).await?;
    tracing::warn!(records = records.len(), aside = %aside.display(), "the damaged queue was replaced");
    let gap = Gap { from_seq: 0, to_seq: 0, reason: gap::Reason::Corrupt.into() };
    records.push(Record {
        seq: 0,
        last: 0,
        kind: RecordKind::Gap,
        at_ms: now.as_millisecond(),
        clock: 0,
        bytes: gap.encode_to_vec(),
    });
    for (index, record) in records.iter_mut().enumerate() {
        (record.seq, record.last) = (index as u64 + 1, index as u64 + 1);
    }
    spool.append(&Batch { records, remedies, at_ms: now.as_millisecond(), ..Batch::default() }).await?;
    Ok(spool)
}

fn put_aside(path: &Path, now: Timestamp) -> anyhow::Result<PathBuf> {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let aside = path.with_file_name(format!("{name}.damaged-{}", now.as_second()));
    for tail in ["", "-wal", "-shm"] {
        let from = path.with_file_name(format!("{name}{tail}"));
        let to = path.with_file_name(format!("{name}.damaged-{}{tail}", now.as_second()));
        match std::fs::rename(from, to) {
            Ok(()) => {}
            // The connection that found the damage may still be closing, and SQLite then removes its own logs.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let prefix = format!("{name}.damaged-");
    let mut old: Vec<PathBuf> = std::fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(&prefix)))
        .filter(|p| {
            p.extension().is_none_or(|e| {
                !e.to_string_lossy().ends_with("-wal") && !e.to_string_lossy().ends_with("-shm")
            })
        })
        .collect();
    old.sort();
    for gone in old.iter().rev().skip(KEEP) {
        for tail in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{tail}", gone.display()));
        }
    }
    Ok(aside)
}

/// Every record up to the first that cannot be read; gaps of the old numbering are left out. With them what is known
/// of remedies, because a port may be off.
async fn salvage(aside: &Path) -> (Vec<Record>, Vec<Stored>, Vec<Entry>) {
    use futures_util::TryStreamExt;
    let mut records = Vec::new();
    let Ok(mut db) = Spool::connect(aside).await else {
        return (records, Vec::new(), Vec::new());
    };
    let lines = clocks::read(&mut db).await.unwrap_or_default();
    let remedies = super::remedies::read(&mut db).await.unwrap_or_default();
    let mut rows = sqlx::query("SELECT seq, last, kind, at_ms, clock, bytes, sum FROM record ORDER BY seq")
        .fetch(&mut db);
    while let Ok(Some(row)) = rows.try_next().await {
        match row.try_get::<i64, _>(0).map_err(anyhow::Error::from).and_then(|_| super::record(&row)) {
            Ok(Ok(record)) if record.kind != RecordKind::Gap => records.push(record),
            // One gap at the end stands for all that is lost.
            Ok(Ok(_) | Err(_)) => {}
            Err(_) => break,
        }
    }
    drop(rows);
    (records, lines, remedies.into_values().collect())
}
