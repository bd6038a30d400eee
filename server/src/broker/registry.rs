//! Who may connect, who is connected, and how often somebody was refused.
//!
//! Each connected gateway has a bounded queue downwards. What does not fit pushes out the oldest: acks are
//! cumulative, commands and configurations are rows that are sent again.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use sitewarden_proto::id::GatewayId;
use sitewarden_proto::topic::Down;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::conduct::Conduct;
use crate::config::Limits;
use crate::user::throttle::Throttle;

/// Payloads that wait for one gateway.
const QUEUE_LENGTH: usize = 64;
/// Failed enrolments of one address in a window, after which it is turned away; addresses remembered.
const ENROL_FAILURES: usize = 10;
const ENROL_WINDOW_MS: i64 = 600_000;
const ENROL_ADDRESSES: usize = 4096;
/// How long a configuration that was sent may stay unanswered before it is sent again.
const TELL_AGAIN: SignedDuration = SignedDuration::from_secs(60);
/// Certificates are dated to the second, enrolments to the millisecond.
const DATE_GRAIN: SignedDuration = SignedDuration::from_secs(1);

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// Why a connection, a packet or a payload went no further.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(usize)]
        pub enum Refusal { $($(#[$doc])* $name,)* }

        impl Refusal {
            /// All of them, in the order of the counters.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word in counters and logs.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

refusals! {
    /// More TLS handshakes under way than allowed.
    TooManyHandshakes = "too_many_handshakes",
    /// More TLS handshakes under way from one address than allowed.
    TooManyFromAddress = "too_many_from_address",
    /// The TLS handshake took too long.
    HandshakeLate = "handshake_late",
    /// TLS failed: no certificate, a strange one, an expired one, or not TLS at all.
    HandshakeFailed = "handshake_failed",
    /// The certificate names no gateway.
    Certificate = "certificate",
    /// All seats are taken.
    TooManyGateways = "too_many_gateways",
    /// No CONNECT in time.
    ConnectLate = "connect_late",
    /// The first packet was not CONNECT, or a second CONNECT came.
    ConnectOrder = "connect_order",
    /// The client id is not the certificate's name.
    ClientId = "client_id",
    /// The gateway was revoked, or the certificate is older than its newest enrolment.
    Revoked = "revoked",
    /// The database knows no such gateway.
    UnknownGateway = "unknown_gateway",
    /// A will on a foreign topic, retained, or with QoS 2.
    Will = "will",
    /// A publish on a topic that is not one of the gateway's own.
    Topic = "topic",
    /// A subscription to anything but the gateway's own.
    Filter = "filter",
    /// QoS 2.
    Quality = "quality",
    /// A retained publish.
    Retain = "retain",
    /// A topic alias.
    Alias = "alias",
    /// A packet that is not MQTT 5, or that a gateway never sends.
    Malformed = "malformed",
    /// A packet over the limit.
    TooLarge = "too_large",
    /// The codec panicked on a packet.
    Panic = "panic",
    /// Nothing came for one and a half times the keep-alive.
    KeepAlive = "keep_alive",
    /// The gateway did not take what was written to it.
    SlowReader = "slow_reader",
    /// A payload downwards was pushed out of a full queue, or was larger than the gateway takes.
    DownstreamDropped = "downstream_dropped",
    /// A payload downwards on a topic that the gateway has not subscribed to.
    NotSubscribed = "not_subscribed",
    /// A newer connection of the same gateway took over.
    TakenOver = "taken_over",
    /// A packet that had begun was not whole in time.
    PacketLate = "packet_late",
    /// A gateway sent faster than it may and was read more slowly; nothing was lost.
    Slowed = "slowed",
    /// Too many packets of a gateway were refused; its connection ended and it is locked out for a while.
    Quota = "quota",
    /// A gateway came while it was locked out.
    LockedOut = "locked_out",
}

impl Refusal {
    /// Whether this counts against the gateway that caused it. What a bad network or the server itself may
    /// cause does not.
    fn is_offence(self) -> bool {
        match self {
            Self::ConnectOrder
            | Self::ClientId
            | Self::Will
            | Self::Topic
            | Self::Filter
            | Self::Quality
            | Self::Retain
            | Self::Alias
            | Self::Malformed
            | Self::TooLarge
            | Self::Panic
            | Self::PacketLate
            | Self::TakenOver => true,
            Self::TooManyHandshakes
            | Self::TooManyFromAddress
            | Self::HandshakeLate
            | Self::HandshakeFailed
            | Self::Certificate
            | Self::TooManyGateways
            | Self::ConnectLate
            | Self::Revoked
            | Self::UnknownGateway
            | Self::KeepAlive
            | Self::SlowReader
            | Self::DownstreamDropped
            | Self::NotSubscribed
            | Self::Slowed
            | Self::Quota
            | Self::LockedOut => false,
        }
    }
}

/// Whether a gateway may connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its certificates are void.
    pub revoked: bool,
    /// Certificates issued before this are void: the time of its newest enrolment.
    pub since: Timestamp,
}

impl Standing {
    /// True when a certificate that begins at `not_before` may be used.
    pub fn accepts(&self, not_before: Timestamp) -> bool {
        !self.revoked && not_before + DATE_GRAIN > self.since
    }
}

/// What a list of standings amounts to; it changes whenever the list does.
pub type Mark = (i64, i64, i64);

/// Connected gateways. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Registry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    standings: RwLock<HashMap<GatewayId, Standing>>,
    /// Of the rows that `standings` was last read from.
    mark: Mutex<Option<Mark>>,
    seats: RwLock<HashMap<GatewayId, Arc<Seat>>>,
    counters: Vec<AtomicU64>,
    /// Of gateways that have a standing, so there are no more than the database knows.
    conducts: RwLock<HashMap<GatewayId, Arc<Mutex<Conduct>>>>,
    enrolments: Mutex<Throttle>,
}

/// Why the server ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    TakenOver,
    Revoked,
}

/// One connected gateway.
#[derive(Debug)]
pub(super) struct Seat {
    not_before: Timestamp,
    queue: Mutex<VecDeque<(Down, Bytes)>>,
    told: Mutex<Option<(u64, Timestamp)>>,
    bell: Notify,
    farewell: Mutex<Option<Farewell>>,
    ended: CancellationToken,
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    /// Nobody is connected and nobody may connect.
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            standings: RwLock::default(),
            mark: Mutex::default(),
            seats: RwLock::default(),
            counters: Refusal::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            conducts: RwLock::default(),
            enrolments: Mutex::new(Throttle::new(ENROL_FAILURES, ENROL_WINDOW_MS, ENROL_ADDRESSES)),
        }))
    }

    /// Queues a payload for a gateway; false when it is not connected. A full queue loses its oldest.
    #[expect(clippy::unused_async, reason = "an external broker will have to wait here")]
    pub async fn send(&self, gateway: &GatewayId, down: Down, payload: Vec<u8>) -> bool {
        let Some(seat) = read(&self.0.seats).get(gateway).cloned() else { return false };
        let mut queue = lock(&seat.queue);
        if queue.len() >= QUEUE_LENGTH {
            queue.pop_front();
            self.refused(Refusal::DownstreamDropped);
        }
        queue.push_back((down, payload.into()));
        drop(queue);
        seat.bell.notify_one();
        true
    }

    /// Whether a connected gateway should be told configuration `version` now: not on every tick, but again
    /// after a while, and on every new connection.
    pub fn tell(&self, gateway: &GatewayId, version: u64, now: Timestamp) -> bool {
        let Some(seat) = read(&self.0.seats).get(gateway).cloned() else { return false };
        let mut told = lock(&seat.told);
        let lately =
            told.is_some_and(|(before, at)| before == version && now.duration_since(at) < TELL_AGAIN);
        if !lately {
            *told = Some((version, now));
        }
        !lately
    }

    /// Counts failed enrolments by address.
    pub fn enrolments(&self) -> std::sync::MutexGuard<'_, Throttle> {
        lock(&self.0.enrolments)
    }

    /// True while a connection of this gateway stands.
    pub fn is_connected(&self, gateway: &GatewayId) -> bool {
        read(&self.0.seats).contains_key(gateway)
    }

    /// The gateways that are connected.
    pub fn connected(&self) -> Vec<GatewayId> {
        read(&self.0.seats).keys().cloned().collect()
    }

    /// Whether the list of who may connect was read from rows with this mark. If so, connections of those who may not
    /// any more end all the same: one may have begun while the list was replaced.
    pub fn knows_standings(&self, mark: Mark) -> bool {
        let knows = *lock(&self.0.mark) == Some(mark);
        if knows {
            self.sweep();
        }
        knows
    }

    /// Replaces the list of who may connect, and ends connections of those who may not any more.
    pub fn replace_standings(&self, standings: Vec<(GatewayId, Standing)>, mark: Mark) {
        *lock(&self.0.mark) = Some(mark);
        let fresh: HashMap<_, _> = standings.into_iter().collect();
        write(&self.0.conducts).retain(|gateway, _| fresh.contains_key(gateway));
        *write(&self.0.standings) = fresh;
        self.sweep();
    }

    /// Changes one gateway's standing at once.
    pub fn set_standing(&self, gateway: GatewayId, standing: Standing) {
        write(&self.0.standings).insert(gateway, standing);
        self.sweep();
    }

    /// How often each refusal happened since the start.
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        let count = |refusal: &Refusal| self.0.counters[*refusal as usize].load(Ordering::Relaxed);
        Refusal::ALL.iter().map(|refusal| (refusal.as_str(), count(refusal))).collect()
    }

    /// How often one refusal happened since the start.
    pub fn count(&self, refusal: Refusal) -> u64 {
        self.0.counters[refusal as usize].load(Ordering::Relaxed)
    }

    /// Packets of this gateway that were refused since the start.
    pub fn refusals(&self, gateway: &GatewayId) -> u64 {
        read(&self.0.conducts).get(gateway).map_or(0, |conduct| lock(conduct).refused)
    }

    /// Counts a packet that passed the door and was refused behind it.
    pub fn refused_packet(&self, gateway: &GatewayId) {
        if let Some(conduct) = read(&self.0.conducts).get(gateway) {
            lock(conduct).refused += 1;
        }
    }

    pub(super) fn refused(&self, refusal: Refusal) {
        self.0.counters[refusal as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a refusal of a known gateway; true when that was once too often.
    pub(super) fn refused_of(&self, gateway: &GatewayId, refusal: Refusal, limits: &Limits) -> bool {
        self.refused(refusal);
        let Some(conduct) = self.conduct(gateway, limits).filter(|_| refusal.is_offence()) else {
            return false;
        };
        let mut conduct = lock(&conduct);
        // Two connections of one gateway are odd, but no packet was refused.
        if refusal != Refusal::TakenOver {
            conduct.refused += 1;
        }
        let locked = conduct.offended(Instant::now());
        if locked {
            self.refused(Refusal::Quota);
            tracing::warn!(%gateway, "too many of its packets were refused; it is locked out for a while");
        }
        locked
    }

    /// How this gateway behaves; `None` where the database does not know it.
    pub(super) fn conduct(&self, gateway: &GatewayId, limits: &Limits) -> Option<Arc<Mutex<Conduct>>> {
        if let Some(conduct) = read(&self.0.conducts).get(gateway) {
            return Some(Arc::clone(conduct));
        }
        self.standing(gateway)?;
        let fresh = || Arc::new(Mutex::new(Conduct::new(limits, Instant::now())));
        Some(Arc::clone(write(&self.0.conducts).entry(gateway.clone()).or_insert_with(fresh)))
    }

    pub(super) fn standing(&self, gateway: &GatewayId) -> Option<Standing> {
        read(&self.0.standings).get(gateway).copied()
    }

    /// Seats a gateway; the connection that sat there before is told to go.
    pub(super) fn take_seat(&self, gateway: &GatewayId, not_before: Timestamp, limits: &Limits) -> Arc<Seat> {
        let seat = Arc::new(Seat {
            not_before,
            queue: Mutex::default(),
            told: Mutex::default(),
            bell: Notify::new(),
            farewell: Mutex::new(None),
            ended: CancellationToken::new(),
        });
        if let Some(before) = write(&self.0.seats).insert(gateway.clone(), Arc::clone(&seat)) {
            self.refused_of(gateway, Refusal::TakenOver, limits);
            before.end(Farewell::TakenOver);
        }
        seat
    }

    /// Empties the seat unless somebody else sits there by now.
    pub(super) fn leave_seat(&self, gateway: &GatewayId, seat: &Arc<Seat>) {
        let mut seats = write(&self.0.seats);
        if seats.get(gateway).is_some_and(|now| Arc::ptr_eq(now, seat)) {
            seats.remove(gateway);
        }
    }

    fn sweep(&self) {
        let standings = read(&self.0.standings);
        for (gateway, seat) in read(&self.0.seats).iter() {
            if !standings.get(gateway).is_some_and(|standing| standing.accepts(seat.not_before)) {
                seat.end(Farewell::Revoked);
            }
        }
    }
}

impl Seat {
    /// The next payload, when there is one.
    pub(super) fn next(&self) -> Option<(Down, Bytes)> {
        lock(&self.queue).pop_front()
    }

    /// Waits until there may be a payload.
    pub(super) async fn called(&self) {
        self.bell.notified().await;
    }

    /// Waits until the server ends this connection.
    pub(super) async fn farewell(&self) -> Farewell {
        self.ended.cancelled().await;
        lock(&self.farewell).unwrap_or(Farewell::TakenOver)
    }

    fn end(&self, farewell: Farewell) {
        lock(&self.farewell).get_or_insert(farewell);
        self.ended.cancel();
    }
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateway() -> GatewayId {
        "gw-0123456789".parse().unwrap()
    }

    #[tokio::test]
    async fn a_full_queue_loses_its_oldest_and_counts_it() {
        let registry = Registry::new();
        assert!(!registry.send(&gateway(), Down::Ack, vec![0]).await);
        let seat = registry.take_seat(&gateway(), Timestamp::UNIX_EPOCH, &Limits::default());
        for n in 0..=QUEUE_LENGTH {
            assert!(registry.send(&gateway(), Down::Ack, vec![n as u8]).await);
        }
        assert_eq!(seat.next(), Some((Down::Ack, Bytes::from_static(&[1]))));
        assert_eq!(registry.count(Refusal::DownstreamDropped), 1);
    }

    #[tokio::test]
    async fn the_first_to_sit_goes_and_cannot_empty_the_second_ones_seat() {
        let registry = Registry::new();
        let first = registry.take_seat(&gateway(), Timestamp::UNIX_EPOCH, &Limits::default());
        let second = registry.take_seat(&gateway(), Timestamp::UNIX_EPOCH, &Limits::default());
        assert_eq!(first.farewell().await, Farewell::TakenOver);
        registry.leave_seat(&gateway(), &first);
        assert!(registry.is_connected(&gateway()));
        registry.leave_seat(&gateway(), &second);
        assert!(!registry.is_connected(&gateway()));
    }

    #[tokio::test]
    async fn revoking_ends_the_connection() {
        let registry = Registry::new();
        let since = Timestamp::UNIX_EPOCH;
        registry.set_standing(gateway(), Standing { revoked: false, since });
        let seat = registry.take_seat(&gateway(), since, &Limits::default());
        registry.set_standing(gateway(), Standing { revoked: true, since });
        assert_eq!(seat.farewell().await, Farewell::Revoked);
    }

    #[test]
    fn a_certificate_from_before_the_newest_enrolment_is_void() {
        let since: Timestamp = "2026-01-01T00:00:00.9Z".parse().unwrap();
        let standing = Standing { revoked: false, since };
        assert!(standing.accepts("2026-01-01T00:00:00Z".parse().unwrap()));
        assert!(!standing.accepts("2025-12-31T23:59:59Z".parse().unwrap()));
    }
}
