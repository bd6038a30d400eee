//! A database that is slow, seen from the gateways' side of real TLS: what it does not take is not read from the
//! wire, a gateway holds its few places and no more, others are let in and answered, and in the end everything is
//! committed once.

use std::time::Duration;

use sitewarden_proto::topic::Up;
use sitewarden_proto::wire::envelope::Body;
use sitewarden_proto::wire::{Event, EventBatch, Transition};
use sitewarden_server::clock::Clock;
use sitewarden_server::config::Limits;
use sitewarden_tests::database::Engine;
use sitewarden_tests::fleet::Fleet;
use sitewarden_tests::raw::{Raw, birth, envelope, publish, subscribe};
use sitewarden_tests::stories_in_parallel;
use tokio::time::timeout;

stories_in_parallel![a_slow_database_slows_the_wire];

/// Places of one gateway in ingest's channel, and batches under way beside it.
const PLACES: usize = 16;
const PACKETS: u64 = 400;
/// Nothing came for so long: nothing will while the database stands.
const QUIET: Duration = Duration::from_secs(1);
/// A record as large as it may well be.
const EVIDENCE: usize = 3_000;

async fn a_slow_database_slows_the_wire(engine: Engine) {
    super::allow_many_sockets();
    let fleet = Fleet::enrolled(engine, 2, Limits::default()).await;
    let server = fleet.serve().await;
    let mut raw = fleet.passes[0].dial(server.door).await;
    assert!(raw.greet(600, None).await);
    raw.send(&subscribe(&format!("v1/{}/d/+", raw.id), 0)).await;
    let now = Clock::System.now().as_millisecond();
    raw.publish("s", &birth(0, now)).await;
    raw.committed(0).await;

    // Another program holds the database.
    let mut held = fleet.desk.app.db.write().await.unwrap();
    sqlx::query("UPDATE gateway SET name = name").execute(&mut *held).await.unwrap();
    let packets: Vec<u8> = (1..=PACKETS).flat_map(|seq| report(&raw, &fleet.device, seq, now)).collect();
    let total = packets.len();
    let (mut answers, mut writing) = raw.halves();
    let writer = tokio::spawn(async move {
        let mut sent = 0;
        for piece in packets.chunks(4096) {
            tokio::io::AsyncWriteExt::write_all(&mut writing, piece).await.unwrap();
            sent += piece.len();
        }
        (sent, writing)
    });
    let mut taken = 0;
    while let Ok(packet) = timeout(QUIET, answers.packet()).await {
        let packet = packet.expect("the connection stands");
        let is_ack = packet.windows(4).any(|bytes| bytes == b"/d/k");
        assert!(!is_ack, "nothing is committed, so nothing may be acknowledged");
        taken += usize::from(packet[0] >> 4 == 4);
    }
    assert!(taken <= 2 * PLACES, "{taken} packets wait in the server");
    // The others are let in and heard by the door meanwhile.
    let mut other = fleet.passes[1].dial(server.door).await;
    assert!(other.greet(600, None).await);
    other.send(&[0xc0, 0]).await;
    assert_eq!(other.answer().await[0], 0xd0, "and its ping is answered");

    held.rollback().await.unwrap();
    answers.committed(PACKETS).await;
    let (sent, _writing) = writer.await.unwrap();
    assert_eq!(sent, total);
    let mut conn = fleet.desk.app.db.read().await.unwrap();
    let rows: i64 =
        sqlx::query_scalar("SELECT CAST(COUNT(*) AS BIGINT) FROM device_event WHERE gateway_id = $1")
            .bind(answers.id.as_str())
            .fetch_one(&mut *conn)
            .await
            .unwrap();
    assert_eq!(rows, PACKETS as i64, "each once");
}

fn report(raw: &Raw, device: &str, seq: u64, now: i64) -> Vec<u8> {
    let transition = if seq % 2 == 1 { Transition::Raised } else { Transition::Cleared };
    let event = Event {
        device_id: device.to_owned(),
        fault_code: "http_silent".to_owned(),
        transition: transition.into(),
        at_ms: now + seq as i64,
        check: "http".to_owned(),
        evidence_json: format!("{{\"text\":\"{}\"}}", "x".repeat(EVIDENCE)),
        ..Event::default()
    };
    let body = Body::Events(EventBatch { events: vec![event] });
    publish(Up::Events.topic(&raw.id).as_bytes(), &envelope(seq, now, body), 1, 7, false)
}
