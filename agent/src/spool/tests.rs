//! The queue over kills, damage and bounds.

use std::time::Duration;

use proptest::prelude::*;
use prost::Message;
use rand::{Rng as _, SeedableRng};
use sitewarden_proto::wire::{Ack, Gap, gap};

use super::*;
use crate::clock::{Boot, from_ms};
use crate::session::Session;
use crate::verdict::Standing;

const NOW_MS: i64 = 1_800_000_000_000;

fn seal() -> Seal {
    Seal::new(&[5; 32]).unwrap()
}

async fn open(path: &Path, bounds: Queue) -> Spool {
    Spool::open(path, seal(), bounds, from_ms(NOW_MS)).await.unwrap()
}

fn record(seq: u64, kind: RecordKind, size: usize) -> Record {
    Record { seq, last: seq, kind, at_ms: NOW_MS, clock: 1, bytes: vec![seq as u8; size] }
}

fn batch(records: Vec<Record>) -> Batch {
    Batch { records, at_ms: NOW_MS, ..Batch::default() }
}

#[tokio::test]
async fn what_is_committed_is_there_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queue.db");
    let mut spool = open(&path, Queue::default()).await;
    let epoch = spool.kept(Clocks::default()).await.unwrap().epoch;
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
        alone: Some("[]".into()),
        config: Some(ConfigChange::Trial(4, "password = \"hunter2\"".into())),
        journal: vec![("c1".into(), false)],
        remedies: Vec::new(),
        drop_samples: false,
        at_ms: NOW_MS,
        clock: 1,
    };
    assert_eq!(spool.append(&full).await.unwrap(), 5);
    spool.delete(2).await.unwrap();
    drop(spool); // no orderly close: that is the kill
    let mut spool = open(&path, Queue::default()).await;
    let kept = spool.kept(Clocks::default()).await.unwrap();
    assert_eq!((kept.epoch, kept.tail, kept.head), (epoch, 3, 5));
    assert_eq!((kept.samples, kept.standing), (vec![(1, sample)], vec![standing]));
    assert_eq!(kept.trial, Some((4, "password = \"hunter2\"".into())));
    assert_eq!(kept.commands.get("c1"), Some(&false));
    assert_eq!(spool.size(), Size { records: 3, bytes: 30, oldest: Some((1, NOW_MS)), ..Size::default() });
    spool
        .append(&Batch { config: Some(ConfigChange::Confirm), drop_samples: true, ..batch(vec![]) })
        .await
        .unwrap();
    let kept = spool.kept(Clocks::default()).await.unwrap();
    assert_eq!((kept.config.map(|c| c.0), kept.trial, kept.samples.len()), (Some(4), None, 0));
    spool.delete(5).await.unwrap();
    drop(spool);
    let kept = open(&path, Queue::default()).await.kept(Clocks::default()).await.unwrap();
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
    let epoch = spool.kept(Clocks::default()).await.unwrap().epoch;
    for seq in 1..=200 {
        spool.append(&batch(vec![record(seq, RecordKind::Event, 500)])).await.unwrap();
    }
    spool.close().await.unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 9000].fill(0xaa);
    std::fs::write(&path, bytes).unwrap();

    let mut spool = open(&path, Queue::default()).await;
    let kept = spool.kept(Clocks::default()).await.unwrap();
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
        let head = spool.kept(Clocks::default()).await.unwrap().head;
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

fn boot(id: &str, uptime_ms: i64) -> Boot {
    Boot { id: id.into(), uptime_ms }
}

const HOUR_MS: i64 = 3_600_000;

#[tokio::test]
async fn the_time_line_of_a_boot_survives_restarts_and_each_boot_has_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queue.db");
    let mut spool = open(&path, Queue::default()).await;
    let line = spool.begin_line(&boot("a", 1_000), from_ms(NOW_MS)).await.unwrap();
    assert_eq!((line.at, line.clocks.number, line.clocks.offset_ms), (from_ms(NOW_MS), 1, None));
    spool.put_line(from_ms(NOW_MS + 10_000), Some(77), Some(55)).await.unwrap();
    let last = Record { at_ms: NOW_MS + 20_000, ..record(1, RecordKind::Event, 5) };
    spool.append(&batch(vec![last])).await.unwrap();
    drop(spool);
    // The agent restarts; somebody set the system's clock back by three hours meanwhile.
    let mut spool = open(&path, Queue::default()).await;
    let line = spool.begin_line(&boot("a", 41_000), from_ms(NOW_MS - 3 * HOUR_MS)).await.unwrap();
    assert_eq!(line.at, from_ms(NOW_MS + 40_000));
    assert_eq!((line.clocks.number, line.clocks.offset_ms), (1, Some(77)));
    drop(spool);
    // The machine restarts in 1970.
    let mut spool = open(&path, Queue::default()).await;
    let line = spool.begin_line(&boot("b", 1_000), from_ms(5_000)).await.unwrap();
    assert_eq!(line.at, from_ms(NOW_MS + 20_077), "not before what the earlier boot wrote, in true time");
    assert_eq!((line.clocks.number, line.clocks.offset_ms), (2, None));
    assert_eq!(line.clocks.earlier.len(), 1);
    assert_eq!((line.clocks.earlier[0].number, line.clocks.earlier[0].told_ms), (1, Some(77)));
    assert_eq!(line.clocks.earlier[0].shown_ms, NOW_MS + 40_000);
    spool.delete(1).await.unwrap();
    spool.put_line(line.at, None, None).await.unwrap();
    drop(spool);
    let mut spool = open(&path, Queue::default()).await;
    let line = spool.begin_line(&boot("c", 1_000), from_ms(NOW_MS + HOUR_MS)).await.unwrap();
    assert_eq!((line.at, line.clocks.number), (from_ms(NOW_MS + HOUR_MS), 3));
    let earlier: Vec<u32> = line.clocks.earlier.iter().map(|line| line.number).collect();
    assert_eq!(earlier, [2], "what no record needs is forgotten");
}

#[tokio::test]
async fn a_clock_far_ahead_drops_nothing_as_too_old_and_boots_age_together() {
    let dir = tempfile::tempdir().unwrap();
    let bounds = Queue { max_age: Duration::from_hours(10), ..Queue::default() };
    let mut spool = open(&dir.path().join("queue.db"), bounds).await;
    let at = |clock, seq, at_ms| Batch {
        at_ms,
        clock,
        ..batch(vec![Record { at_ms, clock, ..record(seq, RecordKind::Event, 9) }])
    };
    let mut begin = NOW_MS;
    for (number, id) in ["a", "b", "c"].iter().enumerate() {
        let line = spool.begin_line(&boot(id, 0), from_ms(begin)).await.unwrap();
        let (clock, now) = (line.clocks.number, line.at.as_millisecond());
        spool.append(&at(clock, number as u64 * 2 + 1, now)).await.unwrap();
        spool.append(&at(clock, number as u64 * 2 + 2, now + 4 * HOUR_MS)).await.unwrap();
        spool.put_line(from_ms(now + 4 * HOUR_MS), None, None).await.unwrap();
        // The next boot comes up in another century.
        begin += 80 * 8_766 * HOUR_MS;
    }
    let records = spool.read(1).await.unwrap();
    check_whole(&records, 6);
    assert_eq!((records[0].kind, records[0].last), (RecordKind::Gap, 1), "12 hours of uptime are certain");
    assert!(records[1..].iter().all(|r| r.kind == RecordKind::Event), "{records:?}");
}

#[tokio::test]
async fn what_the_server_cannot_read_becomes_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(&dir.path().join("queue.db"), Queue::default()).await;
    spool.append(&batch((1..=5).map(|seq| record(seq, RecordKind::Event, 10)).collect())).await.unwrap();
    spool.refuse(2, 3).await.unwrap();
    let records = spool.read(1).await.unwrap();
    check_whole(&records, 5);
    let gap = Gap::decode(records[1].bytes.as_slice()).unwrap();
    assert_eq!((gap.from_seq, gap.to_seq, gap.reason()), (2, 3, gap::Reason::Refused));
    assert_eq!((spool.size().dropped, records.len()), (2, 4));
}

#[tokio::test]
async fn a_configuration_that_ends_the_agent_twice_goes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queue.db");
    let trial = |version| Batch { config: Some(ConfigChange::Trial(version, "x".into())), ..batch(vec![]) };
    let mut spool = open(&path, Queue::default()).await;
    assert_eq!(spool.count_trial().await.unwrap(), None);
    for version in [4, 5] {
        spool.append(&trial(version)).await.unwrap();
        let mut counted = Vec::new();
        for _ in 0..3 {
            drop(spool);
            spool = open(&path, Queue::default()).await;
            counted.push(spool.count_trial().await.unwrap());
        }
        assert_eq!(counted, [None, None, Some(version)]);
        assert_eq!(spool.kept(Clocks::default()).await.unwrap().trial, None);
    }
}

/// Flips bytes, cuts the file or its log short, anywhere: there is a queue afterwards, and no number of an epoch
/// that the server has comes back with other content.
#[tokio::test]
async fn whatever_is_damaged_the_queue_opens_and_gives_no_number_twice() {
    let seed: u64 = rand::random();
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let mut dir = tempfile::tempdir().unwrap();
    // What the server has; it is told everything at once.
    let mut told: BTreeMap<u64, BTreeMap<u64, Vec<u8>>> = BTreeMap::new();
    for round in 0..40_u8 {
        let mut spool = open(&dir.path().join("queue.db"), Queue::default()).await;
        let kept = spool.kept(Clocks::default()).await.unwrap();
        let mut session = Session::new(kept.epoch, kept.tail, kept.head);
        session.connected(1);
        let head = kept.head + random.random_range(1..20);
        for seq in kept.head + 1..=head {
            let bytes = vec![round; random.random_range(1..3_000)];
            spool.append(&batch(vec![Record { bytes, ..record(seq, RecordKind::Event, 0) }])).await.unwrap();
        }
        session.committed(head);
        let upto = told.get(&kept.epoch).and_then(|epoch| epoch.keys().next_back()).copied().unwrap_or(0);
        let ack = Ack { epoch: kept.epoch, upto, ..Ack::default() };
        let acked = session.ack(from_ms(NOW_MS), &Clocks::default(), &ack);
        if let Some(upto) = acked.delete_upto {
            spool.delete(upto).await.unwrap();
        }
        if acked.is_ahead {
            session.renumbered(random_epoch());
            spool.new_epoch(session.epoch()).await.unwrap();
        }
        let known = told.entry(session.epoch()).or_default();
        let mut next = session.wants().unwrap_or(1);
        for record in spool.read(next).await.unwrap() {
            assert_eq!(record.seq, next, "seed {seed}: a hole that no gap tells");
            next = record.last + 1;
            if record.kind != RecordKind::Gap {
                let before = known.entry(record.seq).or_insert_with(|| record.bytes.clone());
                assert!(*before == record.bytes, "seed {seed}: {} has another content", record.seq);
            }
        }
        assert_eq!(next, head + 1, "seed {seed}");
        // The power goes: what lies on disk is found by another machine, damaged or not.
        let copy = tempfile::tempdir().unwrap();
        if random.random_bool(0.5) {
            spool.close().await.unwrap();
        }
        for file in dir.path().read_dir().unwrap() {
            let file = file.unwrap();
            let _ = std::fs::copy(file.path(), copy.path().join(file.file_name()));
        }
        dir = copy;
        damage(dir.path(), &mut random);
    }
}

fn damage(folder: &Path, random: &mut impl rand::Rng) {
    let tail = ["", "-wal", "-wal", "-shm"][random.random_range(0..4)];
    let path = folder.join(format!("queue.db{tail}"));
    let Ok(mut bytes) = std::fs::read(&path) else { return };
    if bytes.is_empty() {
        return;
    }
    let at = random.random_range(0..bytes.len());
    match random.random_range(0..3) {
        0 => bytes.truncate(at),
        1 => bytes[at] ^= 1 << random.random_range(0..8),
        _ => {
            let end = (at + random.random_range(1..5_000)).min(bytes.len());
            random.fill(&mut bytes[at..end]);
        }
    }
    std::fs::write(&path, bytes).unwrap();
}

impl Spool {
    /// The disk refuses writes as SQLite tells it of a full or a read-only one, or takes them again.
    pub(crate) async fn refuse_writes(&mut self, how: &'static str) {
        let pragma = match how {
            "full" => "PRAGMA max_page_count = 1",
            "read-only" => "PRAGMA query_only = 1",
            _ => "PRAGMA query_only = 0; PRAGMA max_page_count = 1000000",
        };
        sqlx::raw_sql(pragma).execute(&mut self.db).await.unwrap();
    }
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
            assert_eq!(spool.kept(Clocks::default()).await.unwrap().head, head);
        });
    }
}
