//! From gateways' packets to their effects, in one transaction.
//!
//! A report is named by (gateway, epoch, sequence). What is new is applied together with everything it
//! causes and with the gateway's high-water mark; only after the commit is it acknowledged. What is
//! known is acknowledged again; what leaves a hole is answered with where to resend from; what cannot be
//! read is answered with where it was, so that its gateway need not send it for ever. A gateway speaks for
//! itself: what it says about another's devices is dropped and counted.
//!
//! ```text
//! door ─channel→ read (beside each other, in order) ─channel→ batch: what waits, one transaction → acks
//! ```
//!
//! A commit costs the same for one packet as for a hundred, so whatever waits is committed together:
//! the busier the server, the less a packet costs.

mod batch;
mod block;
pub mod clocks;
pub mod devices;
pub mod effect;
mod pipe;
mod raise;
mod read;
mod report;
mod topology;

use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use sitewarden_proto::envelope::{Codec, DecodeError, encode_message};
use sitewarden_proto::id::GatewayId;
use sitewarden_proto::topic::{Down, Up};
use sitewarden_proto::{limits, wire};

use crate::app::App;
use crate::broker::Upstream;
use crate::notify::Pulse;

use clocks::Clocks;
use devices::Devices;
pub use pipe::{WAITING_MAX, run};

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

/// A packet that has waited so long shows that ingest is behind.
const BEHIND: SignedDuration = SignedDuration::from_secs(10);

/// What ingest remembers between packets. Losing it costs no fact.
#[derive(Debug, Default)]
pub struct Memory {
    /// How far the clocks of gateways are off.
    pub clocks: Clocks,
    /// Whose devices are whose.
    pub devices: Devices,
    /// Whether packets get through to the database.
    pub pulse: Pulse,
    /// When the oldest packet came that is being applied, Unix ms; 0 when none is.
    oldest: AtomicI64,
}

impl Memory {
    /// True while what gateways have said waits to be taken down.
    pub fn is_behind(&self, now: Timestamp) -> bool {
        let oldest = self.oldest.load(Ordering::Relaxed);
        oldest != 0 && now.duration_since(crate::clock::from_ms(oldest)) > BEHIND
    }
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
    let bytes = Bytes::copy_from_slice(packet);
    let packet = read::read(Upstream { gateway: gateway.clone(), up, bytes, received_at: now, place: None });
    let done = batch::apply(app, std::slice::from_ref(&packet), now).await?;
    app.touched(&done.touched);
    match done.refused.into_iter().next() {
        Some((_, Error::Unreadable(_) | Error::WrongTopic { .. })) | None => {
            Ok(done.replies.into_iter().map(|(_, down, bytes)| (down, bytes)).collect())
        }
        Some((_, error)) => Err(error),
    }
}

/// What the server says about an epoch of a gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Answer {
    epoch: u64,
    upto: i64,
    resend_from: i64,
    refused_from: i64,
    config_version: i64,
}

impl Answer {
    fn packet(self, now: Timestamp) -> Vec<u8> {
        let number = |number: i64| u64::try_from(number).unwrap_or_default();
        let ack = wire::Ack {
            epoch: self.epoch,
            upto: number(self.upto),
            resend_from: number(self.resend_from),
            server_at_ms: now.as_millisecond(),
            desired_config_version: number(self.config_version),
            oldest_wire_version: u32::from(limits::OLDEST_WIRE_VERSION),
            watch_seconds: 0,
            reads_groups: true,
            refused_from: number(self.refused_from),
        };
        encode_message(&ack, Codec::None).unwrap_or_default()
    }
}
