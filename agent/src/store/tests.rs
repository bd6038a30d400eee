//! A disk that takes nothing, with the core in front of it. The disk refuses by SQLite's own means
//! (`max_page_count` is the error of a full disk, `query_only` that of a read-only one), so no root is needed.

use std::collections::BTreeMap;

use sitewarden_proto::wire::{Gap, gap};

use super::*;
use crate::clock::from_ms;
use crate::session::RecordKind;

const NOW_MS: i64 = 1_800_000_000_000;

async fn open(path: &Path) -> Store {
    Store::open(path, Seal::new(&[5; 32]).unwrap(), Queue::default(), from_ms(NOW_MS)).await.unwrap()
}

fn batch(seqs: std::ops::RangeInclusive<u64>, kind: RecordKind, size: usize) -> Batch {
    let record = |seq| Record { seq, last: seq, kind, at_ms: NOW_MS, clock: 1, bytes: vec![seq as u8; size] };
    Batch { records: seqs.map(record).collect(), at_ms: NOW_MS, clock: 1, ..Batch::default() }
}

async fn numbers(store: &mut Store) -> Vec<(u64, u64)> {
    store.read(0).await.unwrap().iter().map(|record| (record.seq, record.last)).collect()
}

fn each(seqs: std::ops::RangeInclusive<u64>) -> Vec<(u64, u64)> {
    seqs.map(|seq| (seq, seq)).collect()
}

#[tokio::test]
async fn while_the_disk_is_full_records_wait_and_then_lie_on_it() {
    for how in ["full", "read-only"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("queue.db");
        let mut store = open(&path).await;
        assert_eq!(store.append(&batch(1..=3, RecordKind::Event, 10)).await.unwrap(), Some(3));
        store.disk.as_mut().unwrap().refuse_writes(how).await;
        let large = batch(4..=5, RecordKind::Event, 100_000);
        assert_eq!(store.append(&large).await.unwrap(), None, "{how}: not sent before it is on disk");
        let change = ConfigChange::Trial(9, "x".into());
        let more = Batch { config: Some(change), ..batch(6..=6, RecordKind::Event, 100_000) };
        assert_eq!(store.append(&more).await.unwrap(), None);
        assert_eq!(numbers(&mut store).await, each(1..=3), "what the disk holds is sent meanwhile");
        assert_eq!(store.retry(from_ms(NOW_MS), false).await.unwrap(), Change::None);
        assert!(store.is_failing() && store.size().records == 6);
        store.delete(2).await.unwrap();
        store.disk.as_mut().unwrap().refuse_writes("nothing").await;
        assert_eq!(store.retry(from_ms(NOW_MS), false).await.unwrap(), Change::Committed(6));
        assert!(!store.is_failing());
        drop(store);
        let mut store = open(&path).await;
        assert_eq!(numbers(&mut store).await, each(3..=6), "{how}");
        let kept = store.kept(Clocks::default()).await.unwrap();
        assert_eq!((kept.head, kept.trial), (6, Some((9, "x".into()))));
    }
}

#[tokio::test]
async fn a_disk_that_stays_read_only_does_not_silence_the_gateway() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queue.db");
    let mut store = open(&path).await;
    store.append(&batch(1..=3, RecordKind::Event, 10)).await.unwrap();
    let disk_epoch = store.numbers.unwrap().0;
    store.disk.as_mut().unwrap().refuse_writes("read-only").await;
    store.append(&batch(4..=5, RecordKind::Event, 10)).await.unwrap();
    let now = from_ms(NOW_MS);
    assert_eq!(store.retry(now, false).await.unwrap(), Change::None);
    assert_eq!(store.retry(now, false).await.unwrap(), Change::None, "the disk's records go first");
    let Change::Replaced { epoch, head } = store.retry(now, true).await.unwrap() else {
        panic!("the records in memory are to be sent");
    };
    assert_ne!(epoch, disk_epoch, "a number that a power cut takes back is of no epoch that lives on");
    assert_eq!((head, numbers(&mut store).await), (2, each(1..=2)));
    assert_eq!(store.append(&batch(3..=3, RecordKind::Event, 10)).await.unwrap(), Some(3));
    store.delete(1).await.unwrap();
    store.disk.as_mut().unwrap().refuse_writes("nothing").await;
    assert_eq!(store.retry(now, false).await.unwrap(), Change::None, "the numbers stay as they are");
    assert!(!store.is_failing());
    assert_eq!(store.append(&batch(4..=4, RecordKind::Event, 10)).await.unwrap(), Some(4));
    drop(store);
    let mut store = open(&path).await;
    let kept = store.kept(Clocks::default()).await.unwrap();
    assert_eq!((kept.epoch, kept.tail, kept.head), (epoch, 2, 4));
    assert_eq!(numbers(&mut store).await, each(2..=4));
}

#[tokio::test]
async fn memory_is_bounded_samples_go_first_and_a_gap_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(&dir.path().join("queue.db")).await;
    store.append(&batch(1..=1, RecordKind::Event, 10)).await.unwrap();
    store.disk.as_mut().unwrap().refuse_writes("read-only").await;
    for seq in 2..=200 {
        let kind = if seq % 10 == 0 { RecordKind::Event } else { RecordKind::Metrics };
        store.append(&batch(seq..=seq, kind, 100_000)).await.unwrap();
        assert!(store.size().bytes <= MEMORY_MAX + 10);
    }
    assert!(store.size().dropped > 100);
    store.disk.as_mut().unwrap().refuse_writes("nothing").await;
    assert_eq!(store.retry(from_ms(NOW_MS), false).await.unwrap(), Change::Committed(200));
    let mut kinds = BTreeMap::new();
    let mut next = 1;
    while next <= 200 {
        for record in store.read(next).await.unwrap() {
            assert_eq!(record.seq, next);
            *kinds.entry(format!("{:?}", record.kind)).or_insert(0) += 1;
            if record.kind == RecordKind::Gap {
                let gap = <Gap as prost::Message>::decode(record.bytes.as_slice()).unwrap();
                assert_eq!(gap.reason(), gap::Reason::QueueFull);
            }
            next = record.last + 1;
        }
    }
    assert_eq!(kinds["Event"], 21, "no fact was dropped: {kinds:?}");
    assert!(store.size().dropped > 100, "and it is still counted");
}

#[tokio::test]
async fn without_any_disk_it_begins_in_memory_and_moves_when_there_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("not-mounted-yet");
    let path = folder.join("queue.db");
    let mut store = open(&path).await;
    let line = store.begin_line(&Boot::current(), from_ms(NOW_MS)).await.unwrap();
    let kept = store.kept(line.clocks).await.unwrap();
    assert_eq!((kept.tail, kept.head), (1, 0));
    assert_eq!(store.append(&batch(1..=2, RecordKind::Event, 10)).await.unwrap(), Some(2));
    assert_eq!(numbers(&mut store).await, each(1..=2));
    assert_eq!(store.retry(from_ms(NOW_MS), false).await.unwrap(), Change::None);
    std::fs::create_dir(&folder).unwrap();
    assert_eq!(store.retry(from_ms(NOW_MS), false).await.unwrap(), Change::None);
    assert!(!store.is_failing());
    drop(store);
    let mut store = open(&path).await;
    assert_eq!(store.kept(Clocks::default()).await.unwrap().epoch, kept.epoch);
    assert_eq!(numbers(&mut store).await, each(1..=2));
}

#[tokio::test]
async fn what_a_read_only_file_remembers_is_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queue.db");
    let mut store = open(&path).await;
    let change = ConfigChange::Trial(9, "x".into());
    store.append(&Batch { config: Some(change), ..batch(1..=2, RecordKind::Event, 10) }).await.unwrap();
    store.close().await.unwrap();
    let seal = Seal::new(&[5; 32]).unwrap();
    let mut disk = Spool::read_only(&path, seal, Queue::default()).await.unwrap();
    let kept = disk.kept(Clocks::default()).await.unwrap();
    assert_eq!((kept.head, kept.trial), (2, Some((9, "x".into()))));
    let refused = disk.append(&batch(3..=3, RecordKind::Event, 10)).await.unwrap_err();
    assert!(takes_nothing(&refused), "{refused:#}");
}
