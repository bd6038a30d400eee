//! Packets of the gateway at North Gate in an epoch of their own, and what the server says to them.

use sitewarden_proto::envelope::{Codec, decode_message, encode, encode_message};
use sitewarden_proto::metrics::{Series, build};
use sitewarden_proto::topic::Up;
use sitewarden_proto::wire::envelope::Body;
use sitewarden_proto::wire::gap::Reason;
use sitewarden_proto::wire::{Ack, Envelope, Event, EventBatch, Gap, Transition};
use sitewarden_server::ingest;
use sitewarden_tests::world::World;
use sqlx::AssertSqlSafe;

/// The epoch of these packets; the gateway itself uses 7.
pub const EPOCH: u64 = 4242;

/// What an ack says.
#[derive(Debug, PartialEq, Eq)]
pub struct Ask {
    pub epoch: u64,
    pub upto: u64,
    pub resend: u64,
    pub refused: u64,
}

pub fn envelope(w: &World, seq: u64, body: Body) -> Envelope {
    let count = if let Body::Gap(gap) = &body { (gap.to_seq - gap.from_seq + 1) as u32 } else { 1 };
    Envelope {
        epoch: EPOCH,
        first_seq: seq,
        count,
        sent_at_ms: w.now().as_millisecond(),
        session_id: 1,
        body: Some(body),
        clock: 0,
    }
}

pub fn pack(w: &World, seq: u64, body: Body) -> Vec<u8> {
    encode(&envelope(w, seq, body), Codec::Zstd).unwrap()
}

/// Packs without a look at whether it is consistent.
pub fn unchecked(envelope: &Envelope) -> Vec<u8> {
    encode_message(envelope, Codec::None).unwrap()
}

/// One sample of each device, a minute ago.
pub fn block(w: &World, devices: &[&str], value: f64) -> Body {
    let at = w.now().as_millisecond() - 60_000;
    let series: Vec<Series> = devices
        .iter()
        .map(|device| Series {
            device: (*device).to_owned(),
            check: "icmp".to_owned(),
            metric: "rtt_ms".to_owned(),
            points: vec![(at, value)],
        })
        .collect();
    Body::Metrics(build(&series).unwrap())
}

pub fn event(w: &World, device: &str, transition: Transition) -> Body {
    let event = Event {
        device_id: device.to_owned(),
        fault_code: "http_silent".to_owned(),
        transition: transition.into(),
        at_ms: w.now().as_millisecond(),
        check: "http".to_owned(),
        evidence_json: "{}".to_owned(),
        ..Event::default()
    };
    Body::Events(EventBatch { events: vec![event] })
}

pub fn gap(from_seq: u64, to_seq: u64) -> Body {
    Body::Gap(Gap { from_seq, to_seq, reason: Reason::QueueFull.into() })
}

/// Sends a packet as the gateway at North Gate; the last ack.
pub async fn asked(w: &mut World, up: Up, bytes: &[u8]) -> Ask {
    let id = w.gateway_mut("North Gate").id.clone();
    let replies = ingest::receive(&w.app, &id, up, bytes, w.now()).await.unwrap();
    let ack: Ack = decode_message(&replies.last().expect("an answer").1).unwrap();
    Ask { epoch: ack.epoch, upto: ack.upto, resend: ack.resend_from, refused: ack.refused_from }
}

/// How far an epoch is committed, over all gateways.
pub async fn upto(w: &World, epoch: u64) -> u64 {
    let upto: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(upto), 0) FROM gateway_epoch WHERE epoch = $1")
        .bind(format!("{epoch:016x}"))
        .fetch_one(&mut *w.app.db.read().await.unwrap())
        .await
        .unwrap();
    upto.unsigned_abs()
}

/// Rows of a table.
pub async fn count(w: &World, table: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(format!("SELECT CAST(COUNT(*) AS BIGINT) FROM {table}")))
        .fetch_one(&mut *w.app.db.read().await.unwrap())
        .await
        .unwrap()
}
