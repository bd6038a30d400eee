//! From the channel to the committed row: what cannot be read, comes again, comes in the wrong order or lies about
//! itself counts for nothing, many packets at once count as each alone, and a slow database fills no memory.

mod packet;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sitewarden_proto::topic::Up;
use sitewarden_proto::wire::envelope::Body;
use sitewarden_proto::wire::{Envelope, Transition};
use sitewarden_server::broker::{UPSTREAM_LENGTH, Upstream};
use sitewarden_server::db::Engine;
use sitewarden_server::ingest::{self, WAITING_MAX};
use sitewarden_tests::world::World;
use sitewarden_tests::{stories, until};
use sqlx::Executor as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use packet::{Ask, EPOCH, asked, block, count, event, gap, pack, unchecked, upto};

stories![
    what_cannot_be_read_is_answered_and_the_next_is_taken,
    what_comes_again_or_too_early_counts_once,
    an_envelope_that_lies_about_itself_writes_nothing,
    a_device_that_left_keeps_its_late_history,
    a_crowd_of_packets_counts_as_each_alone,
    a_database_that_is_busy_fills_no_memory,
];

async fn what_cannot_be_read_is_answered_and_the_next_is_taken(engine: Engine) {
    let mut w = World::usual(engine).await;
    let device = w.device("North Gate", "cam-3").await;
    w.forward_minutes(6).await;
    let head = upto(&w, 7).await;
    assert!(head > 0, "the gateway has said something in its epoch");
    for (up, bytes) in [(Up::Metrics, &b"\x11nonsense"[..]), (Up::Events, b""), (Up::Events, b"\x10\xff\xff")]
    {
        let answer = asked(&mut w, up, bytes).await;
        assert_eq!(answer, Ask { epoch: 7, upto: head, resend: 0, refused: head + 1 });
    }
    // A body where it does not belong cannot be taken either.
    let astray = pack(&w, 1, block(&w, &[&device], 1.0));
    assert_eq!(asked(&mut w, Up::Events, &astray).await.refused, head + 1);
    // A session has no numbers: nothing is known about any record.
    let id = w.gateway_mut("North Gate").id.clone();
    let replies = ingest::receive(&w.app, &id, Up::Session, b"\x11x", w.now()).await.unwrap();
    assert!(replies.is_empty(), "{replies:?}");
    assert_eq!(upto(&w, 7).await, head);
    let blocks = count(&w, "metric_block").await;
    let good = pack(&w, 1, block(&w, &[&device], 1.0));
    assert_eq!(asked(&mut w, Up::Metrics, &good).await, Ask { epoch: EPOCH, upto: 1, resend: 0, refused: 0 });
    assert_eq!(count(&w, "metric_block").await, blocks + 1);
}

async fn what_comes_again_or_too_early_counts_once(engine: Engine) {
    let mut w = World::usual(engine).await;
    let device = w.device("North Gate", "cam-3").await;
    let before = (count(&w, "device_event").await, count(&w, "metric_block").await);
    let packets = [
        (Up::Events, pack(&w, 1, event(&w, &device, Transition::Raised))),
        (Up::Metrics, pack(&w, 2, block(&w, &[&device], 2.0))),
        (Up::Events, pack(&w, 3, event(&w, &device, Transition::Cleared))),
        (Up::Metrics, pack(&w, 4, block(&w, &[&device], 3.0))),
    ];
    // Each one too early, then in its order, then all of them again, backwards.
    for (up, bytes) in packets.iter().rev().take(3) {
        assert_eq!(asked(&mut w, *up, bytes).await, Ask { epoch: EPOCH, upto: 0, resend: 1, refused: 0 });
    }
    for (number, (up, bytes)) in (1..).zip(&packets) {
        assert_eq!(
            asked(&mut w, *up, bytes).await,
            Ask { epoch: EPOCH, upto: number, resend: 0, refused: 0 }
        );
    }
    for (up, bytes) in packets.iter().rev() {
        assert_eq!(asked(&mut w, *up, bytes).await, Ask { epoch: EPOCH, upto: 4, resend: 0, refused: 0 });
    }
    assert_eq!(
        (count(&w, "device_event").await, count(&w, "metric_block").await),
        (before.0 + 2, before.1 + 2)
    );
    assert_eq!(w.incidents("all").await.len(), 1);
    assert!(w.incidents("open").await.is_empty(), "an old packet raises nothing again");

    // An epoch that the gateway never opened begins with its first record or not at all.
    let forged = Envelope { epoch: 99, ..packet::envelope(&w, 5, event(&w, &device, Transition::Raised)) };
    assert_eq!(
        asked(&mut w, Up::Events, &unchecked(&forged)).await,
        Ask { epoch: 99, upto: 0, resend: 1, refused: 0 }
    );
    assert_eq!(count(&w, "device_event").await, before.0 + 2);
    // What is new in a packet that overlaps is taken, and only that.
    let grown = pack(&w, 3, gap(3, 6));
    let lost = asked(&mut w, Up::Events, &grown).await;
    assert_eq!(lost.upto, 6);
    let mut conn = w.app.db.read().await.unwrap();
    let lost: (i64, i64) =
        sqlx::query_as("SELECT from_seq, to_seq FROM record_gap").fetch_one(&mut *conn).await.unwrap();
    assert_eq!(lost, (5, 6));
}

async fn an_envelope_that_lies_about_itself_writes_nothing(engine: Engine) {
    let mut w = World::usual(engine).await;
    let device = w.device("North Gate", "cam-3").await;
    let before = (count(&w, "device_event").await, count(&w, "gateway_epoch").await);
    let good = packet::envelope(&w, 1, event(&w, &device, Transition::Raised));
    let good = || good.clone();
    let lies = [
        Envelope { count: 2, ..good() },
        Envelope { count: 0, ..good() },
        Envelope { first_seq: 0, ..good() },
        Envelope { epoch: 0, ..good() },
        Envelope { first_seq: u64::MAX, count: 2, ..good() },
        Envelope { first_seq: i64::MAX.unsigned_abs(), count: 2, ..good() },
        Envelope { count: 3, body: Some(gap(1, 2)), ..good() },
        Envelope { body: None, ..good() },
    ];
    for lie in lies {
        let answer = asked(&mut w, Up::Events, &unchecked(&lie)).await;
        assert!(answer.epoch == 7 && answer.refused == answer.upto + 1, "{lie:?}: {answer:?}");
    }
    // The last number that there is leaves a hole, not an overflow.
    let far = Envelope { first_seq: i64::MAX.unsigned_abs(), ..good() };
    assert_eq!(asked(&mut w, Up::Events, &unchecked(&far)).await.resend, 1);
    assert_eq!((count(&w, "device_event").await, count(&w, "gateway_epoch").await), before);
    assert!(w.incidents("all").await.is_empty());
}

async fn a_device_that_left_keeps_its_late_history(engine: Engine) {
    let mut w = World::usual(engine).await;
    let device = w.device("North Gate", "cam-3").await;
    let packets = [
        (Up::Events, pack(&w, 1, event(&w, &device, Transition::Raised))),
        (Up::Metrics, pack(&w, 2, block(&w, &[&device], 2.0))),
    ];
    let path = format!("/api/v1/devices/{device}");
    w.admin.send(axum::http::Method::DELETE, &path, None).await.ok();
    let before = (count(&w, "device_event").await, count(&w, "metric_block").await);
    for (up, bytes) in &packets {
        asked(&mut w, *up, bytes).await;
    }
    assert_eq!(
        (count(&w, "device_event").await, count(&w, "metric_block").await),
        (before.0 + 1, before.1 + 1)
    );
    assert_eq!(count(&w, "device_fault").await, 0);
    assert!(w.incidents("all").await.is_empty(), "nobody watches it any more");
}

async fn a_crowd_of_packets_counts_as_each_alone(engine: Engine) {
    let mut w = World::usual(engine).await;
    let customer = w.customer("Tunnel Company").await;
    w.site(&customer, "Tunnel East", "东隧道").await;
    w.gateway("Tunnel East").await;
    let cameras = [w.device("North Gate", "cam-3").await, w.device("Tunnel East", "cam-4").await];
    let ids = ["North Gate", "Tunnel East"].map(|site| w.gateway_mut(site).id.clone());
    let before = (count(&w, "device_event").await, count(&w, "metric_block").await);
    let mut packets = Vec::new();
    for seq in 1..=100_u64 {
        for (id, camera) in ids.iter().zip(&cameras) {
            // Every tenth is a change of state.
            let (up, body) = match seq % 20 {
                0 => (Up::Events, event(&w, camera, Transition::Cleared)),
                10 => (Up::Events, event(&w, camera, Transition::Raised)),
                _ => (Up::Metrics, block(&w, &[camera.as_str()], seq as f64)),
            };
            packets.push((id.clone(), up, pack(&w, seq, body)));
        }
        if seq % 25 == 0 {
            packets.push((ids[0].clone(), Up::Metrics, b"\x11garbage".to_vec()));
        }
    }
    // Text with a zero byte, which PostgreSQL takes nowhere: it alone must not be applied.
    let mut spoilt = event(&w, &cameras[1], Transition::Raised);
    if let Body::Events(batch) = &mut spoilt {
        "ht\0tp".clone_into(&mut batch.events[0].check);
    }
    packets.push((ids[1].clone(), Up::Events, pack(&w, 101, spoilt)));
    packets.push((ids[0].clone(), Up::Metrics, pack(&w, 101, block(&w, &[&cameras[0]], 101.0))));
    let (sender, queue) = mpsc::channel(packets.len());
    for (gateway, up, bytes) in packets {
        let packet = Upstream { gateway, up, bytes: bytes.into(), received_at: w.now(), place: None };
        sender.send(packet).await.unwrap();
    }
    drop(sender);
    ingest::run(w.app.clone(), queue, CancellationToken::new()).await;
    let mut conn = w.app.db.read().await.unwrap();
    let marks: Vec<i64> =
        sqlx::query_scalar("SELECT upto FROM gateway_epoch WHERE epoch = $1 ORDER BY upto DESC")
            .bind(format!("{EPOCH:016x}"))
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    let spoilt = i64::from(engine == Engine::Sqlite);
    assert_eq!(marks, [101, 100 + spoilt]);
    drop(conn);
    assert_eq!(
        (count(&w, "device_event").await, count(&w, "metric_block").await),
        (before.0 + 20 + spoilt, before.1 + 181)
    );
    assert_eq!(w.incidents("closed").await.len(), 10, "each rise and fall is on the record");
}

async fn a_database_that_is_busy_fills_no_memory(engine: Engine) {
    const PACKETS: usize = 1_500;
    let mut w = World::usual(engine).await;
    let device = w.device("North Gate", "cam-3").await;
    let gateway = w.gateway_mut("North Gate").id.clone();
    let before = count(&w, "metric_block").await;
    let packets: Vec<Upstream> = (1..=PACKETS as u64)
        .map(|seq| Upstream {
            gateway: gateway.clone(),
            up: Up::Metrics,
            bytes: pack(&w, seq, block(&w, &[&device], seq as f64)).into(),
            received_at: w.now(),
            place: None,
        })
        .collect();
    let mut held = w.app.db.write().await.unwrap();
    if engine == Engine::Postgres {
        held.execute("LOCK TABLE metric_block IN ACCESS EXCLUSIVE MODE").await.unwrap();
    }
    let (sender, queue) = mpsc::channel(UPSTREAM_LENGTH);
    let ingesting = tokio::spawn(ingest::run(w.app.clone(), queue, CancellationToken::new()));
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    let sending = tokio::spawn(async move {
        for packet in packets {
            sender.send(packet).await.unwrap();
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    let limit = Duration::from_secs(60);
    until("everything on the way is full", limit, async || {
        taken.load(Ordering::SeqCst) > UPSTREAM_LENGTH + 128
    })
    .await;
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    let waiting = taken.load(Ordering::SeqCst);
    assert!(waiting <= WAITING_MAX, "{waiting} packets wait, {WAITING_MAX} may");
    assert!(!sending.is_finished(), "who sends has to wait");
    held.rollback().await.unwrap();
    sending.await.unwrap();
    ingesting.await.unwrap();
    assert_eq!(count(&w, "metric_block").await, before + PACKETS as i64, "everything is taken then");
    assert_eq!(upto(&w, EPOCH).await, PACKETS as u64);
}
