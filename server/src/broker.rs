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
mod link;
mod registry;
mod rules;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
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

pub use registry::{Refusal, Registry, Standing};

use crate::clock::Clock;
use crate::config::Limits;
use crate::tls::read_identity;

/// Length of the channel towards ingest, over all gateways.
pub const UPSTREAM_LENGTH: usize = 256;
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// After a failed accept (no file descriptors left), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// One payload from a gateway whose identity and topic were checked.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Who sent it.
    pub gateway: GatewayId,
    /// On which topic. A will arrives as [`Up::Session`].
    pub up: Up,
    /// The payload as it came.
    pub bytes: Bytes,
    /// When it was read from the wire; what it waits for afterwards bends no times.
    pub received_at: Timestamp,
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

/// Accepts gateways until `shutdown`, then says goodbye to each and returns.
pub async fn run(listener: TcpListener, door: Door, shutdown: CancellationToken) {
    let stages = Stages {
        handshakes: Arc::new(Semaphore::new(door.limits.handshakes)),
        gateways: Arc::new(Semaphore::new(door.limits.gateways)),
        addresses: Addresses::new(door.limits.handshakes_per_address),
    };
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
                Ok((socket, peer)) => admit(socket, peer, &door, &stages, &mut connections, &shutdown),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a gateway; raise the limit of open files if this repeats");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    while connections.join_next().await.is_some() {}
}

/// The bounds that a connection passes one after the other.
struct Stages {
    handshakes: Arc<Semaphore>,
    gateways: Arc<Semaphore>,
    addresses: Addresses,
}

/// Gives a fresh socket its own task, or drops it when too many are under way.
fn admit(
    socket: TcpStream,
    peer: SocketAddr,
    door: &Door,
    stages: &Stages,
    connections: &mut JoinSet<()>,
    shutdown: &CancellationToken,
) {
    let Ok(handshake) = Arc::clone(&stages.handshakes).try_acquire_owned() else {
        return door.registry.refused(Refusal::TooManyHandshakes);
    };
    let Some(address) = stages.addresses.enter(peer.ip()) else {
        return door.registry.refused(Refusal::TooManyFromAddress);
    };
    let (door, gateways, shutdown) = (door.clone(), Arc::clone(&stages.gateways), shutdown.clone());
    connections.spawn(async move {
        let limits = (handshake, address);
        if let Err(refusal) = connection(socket, &door, limits, gateways, shutdown).await {
            door.registry.refused(refusal);
            tracing::debug!(%peer, refusal = refusal.as_str(), "a connection of the gateways' door ended");
        }
    });
}

/// One connection from its first byte to its last.
async fn connection(
    socket: TcpStream,
    door: &Door,
    limits: (OwnedSemaphorePermit, Address),
    gateways: Arc<Semaphore>,
    shutdown: CancellationToken,
) -> Result<(), Refusal> {
    // Small packets, answered at once: waiting for more to send only adds delay.
    let _ = socket.set_nodelay(true);
    let handshake = TlsAcceptor::from(Arc::clone(&door.tls)).accept(socket);
    let stream = tokio::select! {
        () = shutdown.cancelled() => return Ok(()),
        done = tokio::time::timeout(HANDSHAKE_LIMIT, handshake) => done
            .map_err(|_late| Refusal::HandshakeLate)?
            .map_err(|_failed| Refusal::HandshakeFailed)?,
    };
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let identity = certificate.and_then(|der| read_identity(der).ok()).ok_or(Refusal::Certificate)?;
    let mut link = link::Link::new(stream, door, identity);
    let connect = link.greet().await?;
    drop(limits);
    let Ok(_seat) = gateways.try_acquire_owned() else {
        return link.refuse(Refusal::TooManyGateways).await;
    };
    link.serve(connect, shutdown).await
}

/// Handshakes under way by address.
#[derive(Clone)]
struct Addresses {
    limit: usize,
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A place among the handshakes of one address; gives it back when dropped.
struct Address {
    ip: IpAddr,
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Addresses {
    fn new(limit: usize) -> Self {
        Self { limit, counts: Arc::default() }
    }

    fn enter(&self, ip: IpAddr) -> Option<Address> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(ip).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(Address { ip, counts: Arc::clone(&self.counts) })
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gets_its_places_back() {
        let addresses = Addresses::new(2);
        let ip = IpAddr::from([192, 0, 2, 1]);
        let (first, second) = (addresses.enter(ip), addresses.enter(ip));
        assert!(first.is_some() && second.is_some() && addresses.enter(ip).is_none());
        assert!(addresses.enter(IpAddr::from([192, 0, 2, 2])).is_some());
        drop(first);
        assert!(addresses.enter(ip).is_some());
        drop(second);
        assert!(addresses.counts.lock().unwrap().is_empty());
    }
}
