//! The gateways' door: an MQTT 5 front end (OASIS MQTT 5.0) on rumqttd's codec.
//!
//! It is a pipe, not a broker: what gateways publish goes into one bounded channel towards ingest, what the
//! server has to say goes to the connection of the gateway it is for. Nothing is stored, nothing retained,
//! nothing routed between gateways. A connection is a gateway only after TLS with a certificate of the
//! server's authority, whose name must be the client id, and it may then use its own nine topics.
//!
//! Every stage is bounded in number and in time, and every refusal has a reason, which the peer is told as
//! far as MQTT allows, and a counter.

mod codec;
mod conduct;
mod line;
mod link;
mod registry;
mod rules;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use rustls::ServerConfig;
use sitewarden_proto::id::GatewayId;
use sitewarden_proto::topic::Up;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

pub use registry::{Mark, Refusal, Registry, Standing};

use self::line::{Line, Turn};
use self::link::{Greeting, Link};
use crate::clock::Clock;
use crate::config::Limits;
use crate::tls::read_identity;

/// Length of the channel towards ingest, over all gateways.
pub const UPSTREAM_LENGTH: usize = 256;
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// After a failed accept (no file descriptors left), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// One payload from a gateway whose identity and topic were checked.
#[derive(Debug)]
pub struct Upstream {
    /// Who sent it.
    pub gateway: GatewayId,
    /// On which topic. A will arrives as [`Up::Session`].
    pub up: Up,
    /// The payload as it came.
    pub bytes: Bytes,
    /// When it was read from the wire; what it waits for afterwards bends no times.
    pub received_at: Timestamp,
    /// One of the gateway's few places in the channel; free again when this is dropped, after the commit.
    pub place: Option<OwnedSemaphorePermit>,
}

/// What the front end needs from the rest of the server.
#[derive(Clone, Debug)]
pub struct Door {
    /// TLS with client certificates of our authority required ([`crate::tls::Ca::wire_config`]).
    pub tls: Arc<ServerConfig>,
    /// Who may connect, who is connected, and the counters.
    pub registry: Registry,
    /// What payloads are stamped with.
    pub clock: Clock,
    /// Where payloads go.
    pub upstream: mpsc::Sender<Upstream>,
    /// Bounds.
    pub limits: Limits,
}

/// Reads whole packets until the bytes end or one is refused: how many, and why not further.
#[doc(hidden)]
pub fn read_packets(bytes: &mut bytes::BytesMut) -> (usize, Result<(), Refusal>) {
    let mut count = 0;
    loop {
        match codec::next(bytes, codec::FRAME_MAX) {
            Ok(Some(_)) => count += 1,
            Ok(None) => return (count, Ok(())),
            Err(refusal) => return (count, Err(refusal)),
        }
    }
}

/// Accepts gateways until `shutdown`, then says goodbye to each and returns.
pub async fn run(listener: TcpListener, door: Door, shutdown: CancellationToken) {
    let line = Line::new(&door.limits);
    let seats = Arc::new(Semaphore::new(door.limits.gateways));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(ended) = connections.join_next(), if !connections.is_empty() => {
                if let Err(error) = ended
                    && error.is_panic()
                {
                    door.registry.refused(Refusal::Panic);
                    tracing::error!(%error, "a gateway's connection task failed");
                }
            }
            accepted = listener.accept() => match accepted {
                Ok((socket, peer)) => match line.enter(peer.ip()) {
                    Ok(turn) => {
                        let (door, seats, shutdown) = (door.clone(), Arc::clone(&seats), shutdown.clone());
                        connections.spawn(connection(socket, peer, door, turn, seats, shutdown));
                    }
                    Err(refusal) => door.registry.refused(refusal),
                },
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a gateway; raise the limit of open files if this repeats");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    while connections.join_next().await.is_some() {}
}

/// One connection from its first byte to its last.
async fn connection(
    socket: TcpStream,
    peer: SocketAddr,
    door: Door,
    turn: Turn,
    seats: Arc<Semaphore>,
    shutdown: CancellationToken,
) {
    // What only the handshake needs lies in a box of its own and is gone when the connection stands.
    let (refusal, gateway) = match Box::pin(greeted(socket, &door, turn, &seats, &shutdown)).await {
        Ok(None) => return,
        Ok(Some((link, greeting, _seat))) => {
            let gateway = link.gateway().clone();
            match link.serve(greeting, shutdown).await {
                Ok(()) => return,
                Err(refusal) => (refusal, Some(gateway)),
            }
        }
        Err(refused) => refused,
    };
    match &gateway {
        // Counted when it happened.
        Some(_) if matches!(refusal, Refusal::Quota | Refusal::TakenOver) => {}
        Some(gateway) => {
            door.registry.refused_of(gateway, refusal, &door.limits);
        }
        None => door.registry.refused(refusal),
    }
    let gateway = gateway.as_ref().map_or("", GatewayId::as_str);
    tracing::debug!(%peer, gateway, refusal = refusal.as_str(), "a connection of the gateways' door ended");
}

/// From TCP to an accepted CONNECT and a seat; nothing when the server stops meanwhile. A refusal comes with
/// the gateway, once that is known.
async fn greeted<'d>(
    socket: TcpStream,
    door: &'d Door,
    turn: Turn,
    seats: &Arc<Semaphore>,
    shutdown: &CancellationToken,
) -> Result<Option<(Link<'d>, Greeting, OwnedSemaphorePermit)>, (Refusal, Option<GatewayId>)> {
    // Small packets, answered at once: waiting for more to send only adds delay.
    let _ = socket.set_nodelay(true);
    let nobody = |refusal| (refusal, None);
    let packet_limit = Duration::from_secs(door.limits.packet_s.into());
    let handshake = async {
        let turn = turn.come().await?;
        let accepting = TlsAcceptor::from(Arc::clone(&door.tls)).accept(socket);
        let stream = tokio::time::timeout(HANDSHAKE_LIMIT.min(packet_limit), accepting).await;
        let stream = stream.map_err(|_late| Refusal::HandshakeLate)?;
        Ok((stream.map_err(|_failed| Refusal::HandshakeFailed)?, turn))
    };
    let (stream, _turn) = tokio::select! {
        () = shutdown.cancelled() => return Ok(None),
        done = handshake => done.map_err(nobody)?,
    };
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let identity = certificate.and_then(|der| read_identity(der).ok());
    let identity = identity.ok_or(Refusal::Certificate).map_err(nobody)?;
    let gateway = identity.gateway.clone();
    let known = |refusal| (refusal, Some(gateway.clone()));
    let mut link = Link::new(stream, door, identity);
    let greeting = link.greet().await.map_err(known)?;
    match Arc::clone(seats).try_acquire_owned() {
        Ok(seat) => Ok(Some((link, greeting, seat))),
        Err(_) => Err(known(link.refuse(Refusal::TooManyGateways).await)),
    }
}
