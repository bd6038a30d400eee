//! The queue over kills, damage and bounds.

use std::time::Duration;

use proptest::prelude::*;
use prost::Message;
use sitewarden_proto::wire::{Gap, gap};

use super::*;
use crate::clock::from_ms;
use crate::verdict::Standing;

const NOW_MS: i64 = 1_800_000_000_000;

fn seal() -> Seal {
    Seal::new(&[5; 32]).unwrap()
}

async fn open(path: &Path, bounds: Queue) -> Spool {
    Spool::open(path, seal(), bounds, from_ms(NOW_MS)).await.unwrap()
}

fn record(seq: u64, kind: RecordKind, size: usize) -> Record {
    Record { seq, last: seq, kind, at_ms: NOW_MS, bytes: vec![seq as u8; size] }
}

fn batch(records: Vec<Record>) -> Batch {
    Batch { records, at_ms: NOW_MS, ..Batch::default() }
}

#[tokio::test]
async fn what_is_committed_is_there_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queue.db");
    let mut spool = open(&path, Queue::default()).await;
    let epoch = spool.kept().await.unwrap().epoch;
    let sample = Sample { at_ms: 1, device: "d".into(), check: "c".into(), metric: "m".into(), value: 1.5 };
    let standing = Standing {
        device: "d".parse().unwrap(),
        code: "unreachable".parse().unwrap(),
        check: "icmp".into(),
        last_good_ms: 1,
        first_bad_ms: 2,
    };
    let full = Batch {
        records: (1..=5).map(|seq| record(seq, RecordKind::Event, 10)).collect(),
        samples: vec![sample.clone()],
        standing: Some(vec![standing.clone()]),
        config: Some(ConfigChange::Trial(4, "password = \"hunter2\"".into())),
        journal: vec![("c1".into(), false)],
        drop_samples: false,
        at_ms: NOW_MS,
    };
    assert_eq!(spool.append(&full).await.unwrap(), 5);
    spool.delete(2).await.unwrap();
    drop(spool); // no orderly close: that is the kill
    let mut spool = open(&path, Queue::default()).await;
    let kept = spool.kept().await.unwrap();
    assert_eq!((kept.epoch, kept.tail, kept.head), (epoch, 3, 5));
    assert_eq!((kept.samples, kept.standing), (vec![sample], vec![standing]));
    assert_eq!(kept.trial, Some((4, "password = \"hunter2\"".into())));
    assert_eq!(kept.commands.get("c1"), Some(&false));
    assert_eq!(spool.size(), Size { records: 3, bytes: 30, dropped: 0 });
    spool
        .append(&Batch { config: Some(ConfigChange::Confirm), drop_samples: true, ..batch(vec![]) })
        .await
        .unwrap();
    let kept = spool.kept().await.unwrap();
    assert_eq!((kept.config.map(|c| c.0), kept.trial, kept.samples.len()), (Some(4), None, 0));
    spool.delete(5).await.unwrap();
    drop(spool);
    let kept = open(&path, Queue::default()).await.kept().await.unwrap();
    assert_eq!((kept.tail, kept.head), (6, 5), "numbers go on although the queue is empty");
    for file in std::fs::read_dir(dir.path()).unwrap() {
        // SQLite may remove its own log in the meantime.
        let Ok(bytes) = std::fs::read(file.unwrap().path()) else { continue };
        assert!(!bytes.windows(7).any(|w| w == b"hunter2"), "a credential lies readable on disk");
    }
}

#[tokio::test]
async fn a_damaged_file_is_put_aside_and_what_can_be_read_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queue.db");
    let mut spool = open(&path, Queue::default()).await;
    let epoch = spool.kept().await.unwrap().epoch;
    for seq in 1..=200 {
        spool.append(&batch(vec![record(seq, RecordKind::Event, 500)])).await.unwrap();
    }
    spool.close().await.unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 9000].fill(0xaa);
    std::fs::write(&path, bytes).unwrap();

    let mut spool = open(&path, Queue::default()).await;
    let kept = spool.kept().await.unwrap();
    assert_ne!(kept.epoch, epoch);
    let last = spool.read(kept.head).await.unwrap().pop().unwrap();
    assert_eq!(last.kind, RecordKind::Gap);
    assert_eq!(Gap::decode(last.bytes.as_slice()).unwrap().reason(), gap::Reason::Corrupt);
    assert!(
        dir.path().read_dir().unwrap().any(|f| f.unwrap().file_name().to_string_lossy().contains("damaged"))
    );
}

#[tokio::test]
async fn rubbish_instead_of_a_queue_does_not_stop_the_agent() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queue.db");
    for rubbish in
        [b"not a database at all, just some text that is long enough".to_vec(), vec![0; 4096], vec![]]
    {
        std::fs::write(&path, rubbish).unwrap();
        let mut spool = open(&path, Queue::default()).await;
        let head = spool.kept().await.unwrap().head;
        spool.append(&batch(vec![record(head + 1, RecordKind::Event, 3)])).await.unwrap();
        spool.close().await.unwrap();
    }
}

#[tokio::test]
async fn when_it_is_full_samples_go_first_and_a_gap_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let bounds = Queue { max_bytes: 10_000, ..Queue::default() };
    let mut spool = open(&dir.path().join("queue.db"), bounds).await;
    for seq in 1..=60 {
        let kind = if seq % 3 == 0 { RecordKind::Event } else { RecordKind::Metrics };
        spool.append(&batch(vec![record(seq, kind, 400)])).await.unwrap();
        assert!(spool.size().bytes <= 10_000, "{:?}", spool.size());
    }
    let records = spool.read(1).await.unwrap();
    assert_eq!(records.iter().filter(|r| r.kind == RecordKind::Event).count(), 20, "no fact was dropped");
    check_whole(&records, 60);
    assert!(spool.size().dropped >= 35);
    // Only facts now: the oldest of them go too.
    for seq in 61..=120 {
        spool.append(&batch(vec![record(seq, RecordKind::Event, 400)])).await.unwrap();
    }
    let records = spool.read(1).await.unwrap();
    check_whole(&records, 120);
    assert!(spool.size().bytes <= 10_000);
    assert_eq!(records[0].kind, RecordKind::Gap);
}

#[tokio::test]
async fn what_is_too_old_goes() {
    let dir = tempfile::tempdir().unwrap();
    let bounds = Queue { max_age: Duration::from_secs(100), ..Queue::default() };
    let mut spool = open(&dir.path().join("queue.db"), bounds).await;
    for seq in 1..=10 {
        let at_ms = NOW_MS + seq as i64 * 20_000;
        let record = Record { at_ms, ..record(seq, RecordKind::Event, 10) };
        spool.append(&Batch { at_ms, ..batch(vec![record]) }).await.unwrap();
    }
    let records = spool.read(1).await.unwrap();
    check_whole(&records, 10);
    assert_eq!((records[0].kind, records[0].seq, records[0].last), (RecordKind::Gap, 1, 4));
    let gap = Gap::decode(records[0].bytes.as_slice()).unwrap();
    assert_eq!((gap.from_seq, gap.to_seq, gap.reason()), (1, 4, gap::Reason::TooOld));
}

/// Every number up to `head` is there once, as a record or in a gap.
fn check_whole(records: &[Record], head: u64) {
    let mut next = 1;
    for record in records {
        assert_eq!(record.seq, next);
        next = record.last + 1;
    }
    assert_eq!(next, head + 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Appends, deletes and kills in any order: the numbers stay whole.
    #[test]
    fn numbers_stay_whole(steps in proptest::collection::vec((0_u8..10, 1_usize..600), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("queue.db");
            let bounds = Queue { max_bytes: 3_000, ..Queue::default() };
            let mut spool = open(&path, bounds).await;
            let (mut head, mut acked) = (0_u64, 0_u64);
            for (step, size) in steps {
                match step {
                    0 => { drop(spool); spool = open(&path, bounds).await; }
                    1 => { acked = (acked + 3).min(head); spool.delete(acked).await.unwrap(); }
                    _ => {
                        let kind = if step < 6 { RecordKind::Metrics } else { RecordKind::Event };
                        head += 1;
                        assert_eq!(spool.append(&batch(vec![record(head, kind, size)])).await.unwrap(), head);
                    }
                }
            }
            let records = spool.read(acked + 1).await.unwrap();
            let mut next = acked + 1;
            for record in &records {
                assert!(record.seq <= next && record.last >= next);
                next = record.last + 1;
            }
            assert_eq!(next, head + 1);
            assert_eq!(spool.kept().await.unwrap().head, head);
        });
    }
}
