//! From a gateway's packet to its effects, in one transaction.
//!
//! A report is named by (gateway, epoch, sequence). What is new is applied together with everything it
//! causes and with the gateway's high-water mark; only after the commit is it acknowledged. What is
//! known is acknowledged again; what leaves a hole is answered with where to resend from. A gateway
//! speaks for itself: what it says about another's devices is dropped and counted.

pub mod clocks;
pub mod effect;
mod report;

use std::time::Duration;

use jiff::Timestamp;
use sitewarden_proto::envelope::{Codec, DecodeError, decode, decode_message, encode_message};
use sitewarden_proto::id::GatewayId;
use sitewarden_proto::topic::{Down, Up};
use sitewarden_proto::{limits, wire};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::app::{App, Touched};
use crate::broker::Upstream;
use crate::db::Conn;
use crate::gateway::store::{hex_u64, replay};
use crate::gateway::{self, desired};
use crate::page;

use clocks::{Clocks, Name, correction};

/// Why a packet was not applied.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read. Sending it again would not help.
    #[error("the packet cannot be read: {0}")]
    Unreadable(#[from] DecodeError),
    /// No such gateway, or it was revoked.
    #[error("gateway {0} is not known here")]
    Unknown(GatewayId),
    /// The topic does not carry this body.
    #[error("topic {topic:?} does not carry {body}")]
    WrongTopic {
        /// Where it came in.
        topic: Up,
        /// What it held.
        body: &'static str,
    },
    /// The database did not take it. The gateway keeps it and sends it again.
    #[error("the database did not take it: {0}")]
    Database(#[from] sqlx::Error),
}

/// Where the history of a gateway ends that was taken for silent and has not said it yet: its next heartbeat
/// does.
const END_UNKNOWN: i64 = i64::MAX;

/// What ingest remembers between packets. Losing it costs no fact.
#[derive(Debug, Default)]
pub struct Memory {
    /// How far the clocks of gateways are off.
    pub clocks: Clocks,
}

/// What is known about the sender while one of its packets is applied.
pub(crate) struct Sender<'a> {
    /// Whose packet.
    pub id: &'a GatewayId,
    /// Of the epoch, as text.
    pub epoch: String,
    /// Server time minus gateway time, ms; 0 where the clock counts as right.
    pub offset_ms: i64,
    /// Server time.
    pub now: Timestamp,
    /// Its devices' states are up to date: it is heard, and not in the middle of its history.
    pub current: bool,
}

impl Sender<'_> {
    /// A time on the gateway's clock in server time, never later than now; `None` for the wire's 0.
    pub fn time(&self, ms: i64) -> Option<Timestamp> {
        (ms != 0).then(|| crate::clock::from_ms(ms.saturating_add(self.offset_ms)).min(self.now))
    }
}

/// Answers to a packet, for the gateway that sent it.
pub type Replies = Vec<(Down, Vec<u8>)>;

/// Applies one packet that is received at this moment. After it returned, everything in it is committed, and
/// the answers may be sent.
pub async fn receive(
    app: &App,
    gateway: &GatewayId,
    up: Up,
    packet: &[u8],
    now: Timestamp,
) -> Result<Replies, Error> {
    apply(app, gateway, up, packet, now, now).await
}

async fn apply(
    app: &App,
    gateway: &GatewayId,
    up: Up,
    packet: &[u8],
    received_at: Timestamp,
    now: Timestamp,
) -> Result<Replies, Error> {
    let (replies, touched) = match up {
        Up::Session => session(app, gateway, decode_message(packet)?, received_at, now).await?,
        Up::Events | Up::Metrics | Up::CommandResult | Up::ReportedConfig | Up::Discovered => {
            envelope(app, gateway, up, packet, received_at, now).await?
        }
    };
    app.touched(&touched);
    Ok(replies)
}

async fn session(
    app: &App,
    id: &GatewayId,
    session: wire::Session,
    received_at: Timestamp,
    now: Timestamp,
) -> Result<(Replies, Touched), Error> {
    let mut touched = Touched::default();
    let mut tx = app.db.write().await?;
    let known = replay::find_sender(&mut tx, id).await?.ok_or_else(|| Error::Unknown(id.clone()))?;
    let session_id = hex_u64(session.session_id);
    if !session.online {
        // The will of an old session says nothing about the one that took over.
        if known.session_id.as_deref() == Some(&session_id) && known.state == gateway::State::Online {
            gateway::store::set_state(&mut tx, id, gateway::State::Suspect, now).await?;
            touched.gateways.insert(id.to_string());
        }
        tx.commit().await?;
        return Ok((Vec::new(), touched));
    }
    let upto = upto(&mut tx, id, session.epoch).await?;
    let birth = known.session_id.as_deref() != Some(&session_id);
    let name = Name { session: session.session_id, clock: session.clock };
    let offset = app.ingest.clocks.observe(id, name, session.sent_at_ms, received_at);
    gateway::store::record_session(&mut tx, id, &session, offset.saturating_neg(), received_at).await?;
    // A gateway that was taken for silent has a history to tell, even on the connection that it had.
    if birth || !known.state.is_heard() || known.replay_to == Some(END_UNKNOWN) {
        let head = i64::try_from(session.head_seq).unwrap_or(i64::MAX);
        if head > upto {
            replay::set(&mut tx, id, Some(head), now).await?;
        } else {
            touched.add(effect::caught_up(&mut tx, id, now).await?);
        }
    }
    touched.add(effect::gateway_heard(&mut tx, id, now).await?);
    touched.add(Touched::tickets(page::step::plan(&mut tx, now).await?));
    let (desired, reported) = gateway::store::config_versions(&mut tx, id).await?.unwrap_or_default();
    let mut replies = vec![(Down::Ack, ack(session.epoch, upto, 0, desired, now))];
    // One that it rejected counts as told: it is not sent again with every heartbeat.
    if reported != desired {
        match desired::packet(&mut tx, &app.keys, id).await {
            Ok((_, packet)) => replies.push((Down::DesiredConfig, packet)),
            Err(error) => {
                tracing::error!(gateway = %id, error = format!("{error:#}"), "no configuration to send");
            }
        }
    }
    tx.commit().await?;
    Ok((replies, touched))
}

async fn envelope(
    app: &App,
    id: &GatewayId,
    up: Up,
    packet: &[u8],
    received_at: Timestamp,
    now: Timestamp,
) -> Result<(Replies, Touched), Error> {
    let envelope = decode(packet)?;
    let epoch = hex_u64(envelope.epoch);
    let mut tx = app.db.write().await?;
    let known = replay::find_sender(&mut tx, id).await?.ok_or_else(|| Error::Unknown(id.clone()))?;
    let upto = upto(&mut tx, id, envelope.epoch).await?;
    let desired = desired_version(&mut tx, id).await?;
    let name = Name { session: envelope.session_id, clock: envelope.clock };
    let offset = app.ingest.clocks.observe(id, name, envelope.sent_at_ms, received_at);
    gateway::store::record_heard(&mut tx, id, received_at, offset.saturating_neg()).await?;
    let first = i64::try_from(envelope.first_seq).unwrap_or(i64::MAX);
    let last = first.saturating_add(i64::from(envelope.count)).saturating_sub(1);
    if first > upto + 1 {
        tx.commit().await?;
        app.metrics.ingested("hole", 1);
        let resend = u64::try_from(upto + 1).unwrap_or(1);
        return Ok((vec![(Down::Ack, ack(envelope.epoch, upto, resend, desired, now))], Touched::default()));
    }
    let mut replay_to = known.replay_to;
    if known.state == gateway::State::Silent && known.session_id.is_some() {
        replay_to = Some(END_UNKNOWN);
        replay::set(&mut tx, id, replay_to, now).await?;
    }
    let mut touched = effect::gateway_heard(&mut tx, id, now).await?;
    if last > upto {
        let current = replay_to.is_none_or(|to| upto >= to);
        let offset_ms = correction(offset);
        let sender = Sender { id, epoch: epoch.clone(), offset_ms, now, current };
        touched.add(report::apply(app, &mut tx, &sender, up, envelope.clone(), upto, packet).await?);
        gateway::store::set_upto(&mut tx, id, envelope.epoch, last.unsigned_abs(), now).await?;
        if replay_to.is_some_and(|to| last >= to) {
            touched.add(effect::caught_up(&mut tx, id, now).await?);
        }
        touched.add(Touched::tickets(page::step::plan(&mut tx, now).await?));
    } else {
        app.metrics.ingested("duplicate", u64::from(envelope.count));
    }
    tx.commit().await?;
    Ok((vec![(Down::Ack, ack(envelope.epoch, last.max(upto), 0, desired, now))], touched))
}

async fn upto(conn: &mut Conn, id: &GatewayId, epoch: u64) -> sqlx::Result<i64> {
    let upto = gateway::store::epoch_upto(conn, id, epoch).await?.unwrap_or(0);
    Ok(i64::try_from(upto).unwrap_or(i64::MAX))
}

async fn desired_version(conn: &mut Conn, id: &GatewayId) -> sqlx::Result<u64> {
    Ok(gateway::store::config_versions(conn, id).await?.map_or(0, |(desired, _)| desired))
}

fn ack(epoch: u64, upto: i64, resend_from: u64, desired: u64, now: Timestamp) -> Vec<u8> {
    let ack = wire::Ack {
        epoch,
        upto: u64::try_from(upto).unwrap_or_default(),
        resend_from,
        server_at_ms: now.as_millisecond(),
        desired_config_version: desired,
        oldest_wire_version: u32::from(limits::OLDEST_WIRE_VERSION),
        watch_seconds: 0,
        refused_from: 0,
    };
    encode_message(&ack, Codec::None).unwrap_or_default()
}

/// Applies packets as they come, until told to stop; then what has been accepted is finished. The
/// queue before it is bounded, so a slow database slows the gateways down and nothing piles up here.
pub async fn run(app: App, mut queue: mpsc::Receiver<Upstream>, stop: CancellationToken) {
    loop {
        let packet = tokio::select! {
            biased;
            packet = queue.recv() => packet,
            () = stop.cancelled() => {
                queue.close();
                queue.recv().await
            }
        };
        let Some(packet) = packet else { return };
        one(&app, &packet).await;
    }
}

async fn one(app: &App, packet: &Upstream) {
    let mut wait = Duration::from_millis(100);
    for attempt in 1.. {
        let now = app.clock.now();
        match apply(app, &packet.gateway, packet.up, &packet.bytes, packet.received_at, now).await {
            Ok(replies) => {
                app.metrics.committed(packet.received_at, app.clock.now());
                for (down, bytes) in replies {
                    app.gateways.send(&packet.gateway, down, bytes).await;
                }
                return;
            }
            // The gateway keeps what is not acknowledged and sends it again, so giving up loses nothing.
            Err(Error::Database(error)) if attempt < 5 => {
                tracing::warn!(gateway = %packet.gateway, %error, attempt, "a report waits for the database");
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
            Err(error) => {
                app.metrics.refused("ingest");
                tracing::warn!(gateway = %packet.gateway, up = ?packet.up, %error, "a report was not applied");
                return;
            }
        }
    }
}
