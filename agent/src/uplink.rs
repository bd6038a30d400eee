//! The connection to the server, and the only file that knows rumqttc. It connects, subscribes, and says what
//! happened; what is sent over it may be lost, because the disk queue is the only truth.
//!
//! Each attempt is a new event loop with a new session id in its will: rumqttc keeps what was pending over a
//! reconnection, or drops it, as the server pleases, and neither is wanted. Its other defaults that do not
//! serve are changed here: packet sizes, packets in flight, time-outs, and a pause between attempts.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, Filter, LastWill, Packet};
use rumqttc::v5::{
    AsyncClient, ConnectionError, Event as Polled, EventLoop, MqttOptions, StateError, mqttbytes,
};
use rumqttc::{TlsConfiguration, Transport};
use sitewarden_proto::id::GatewayId;
use sitewarden_proto::limits::{IN_FLIGHT_MAX, PACKET_MAX};
use sitewarden_proto::topic::{Down, Up};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;

use crate::clock::{Clock, after};
use crate::enrol::{Enrolment, Identity};
use crate::tls;

/// Topic and headers around a payload.
const OVERHEAD: usize = 1024;
const CONNECT_LIMIT: Duration = Duration::from_secs(20);
/// Publishes that may wait for the network; more are dropped, and the session sends them again.
const OUTBOX: usize = 64;
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_mins(5);
/// The same after the server said that this gateway may not speak: asking again soon is no use.
const REFUSED_MIN: Duration = Duration::from_mins(1);
const REFUSED_MAX: Duration = Duration::from_hours(1);
/// A connection that stood for so long begins the pauses anew.
const STEADY_S: i64 = 60;

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A connection will be tried; answer with its will.
    Attempt {
        /// Id of the session.
        session_id: u64,
        /// The will goes here.
        will: oneshot::Sender<Vec<u8>>,
    },
    /// The connection stands and the topics are subscribed.
    Connected {
        /// Id of the session.
        session_id: u64,
        /// To send over.
        link: Link,
    },
    /// The server says something.
    Packet(Down, Vec<u8>),
    /// The connection is gone, or could not be made.
    Disconnected {
        /// Why, for the log.
        reason: String,
        /// Whether the server refused this gateway.
        refused: Option<Refused>,
    },
}

/// Why the server does not want to speak with us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Our certificate has expired, says its clock: renew it.
    #[error("our certificate has expired")]
    Expired,
    /// It was revoked, or the server does not know this gateway.
    #[error("this gateway was revoked, or enrolled again on another machine; enrol it with a new token")]
    NotAdmitted,
}

/// To send over a connection.
#[derive(Clone, Debug)]
pub struct Link {
    client: AsyncClient,
    gateway: GatewayId,
}

impl Link {
    /// Hands a packet over; false if the way out is full or gone.
    pub fn send(&self, up: Up, bytes: Vec<u8>) -> bool {
        self.client.try_publish(up.topic(&self.gateway), quality(up), false, bytes).is_ok()
    }

    /// Ends the connection in order: the will is not published.
    pub fn close(&self) {
        let _ = self.client.try_disconnect();
    }
}

/// Records wait for the server's queue, one answer for each. A heartbeat needs none: the next one comes.
fn quality(up: Up) -> QoS {
    if up == Up::Session { QoS::AtMostOnce } else { QoS::AtLeastOnce }
}

/// How to connect.
pub struct Settings {
    /// Certificate, authority, address.
    pub enrolment: Enrolment,
    /// Ends a pause at once.
    pub nudge: Arc<Notify>,
    /// Overrides the address of the enrolment, host:port.
    pub address: Option<String>,
    /// MQTT keep-alive.
    pub keep_alive: Duration,
    /// A connection on which nothing was heard for so long is given up: the server answers every heartbeat.
    pub silence: Duration,
    /// For how long a connection stood.
    pub clock: Clock,
}

/// Connects again and again until nobody listens any more.
pub async fn run(settings: Settings, events: mpsc::Sender<Event>) {
    let mut failures = 0_u32;
    let mut next_failed = false;
    loop {
        let started = settings.clock.steady();
        let (is_next, ended) = match settings.enrolment.identity(!next_failed) {
            Ok(identity) => (identity.is_next, session(&settings, &identity, &events).await),
            Err(error) => (false, Err(error)),
        };
        let Err(error) = ended else { return };
        let refused = if tls::says_expired(&error) {
            Some(Refused::Expired)
        } else {
            error.downcast_ref::<Refused>().copied()
        };
        let reason = format!("{error:#}");
        // A renewed identity that does not serve is tried in turn with the one that did.
        next_failed = is_next && settings.enrolment.has_next();
        if settings.clock.steady().as_second() - started.as_second() >= STEADY_S {
            failures = 0;
        }
        if events.send(Event::Disconnected { reason, refused }).await.is_err() {
            return;
        }
        let pause = pause(failures, refused.is_some(), rand::random());
        tokio::select! {
            () = tokio::time::sleep(pause) => failures = failures.saturating_add(1),
            () = settings.nudge.notified() => failures = 0,
        }
    }
}

/// Full jitter: anything from a second to a bound that doubles up to five minutes; after a refusal a minute and
/// an hour.
fn pause(failures: u32, is_refused: bool, chance: f64) -> Duration {
    let (least, most) = if is_refused { (REFUSED_MIN, REFUSED_MAX) } else { (PAUSE_MIN, PAUSE_MAX) };
    let bound = (least * 2_u32.pow(failures.min(9) + 1)).min(most);
    least + bound.saturating_sub(least).mul_f64(chance.clamp(0.0, 1.0))
}

/// One connection from attempt to end; Ok when nobody listens any more.
async fn session(
    settings: &Settings,
    identity: &Identity,
    events: &mpsc::Sender<Event>,
) -> anyhow::Result<()> {
    let enrolment = &settings.enrolment;
    let gateway = &enrolment.server.gateway_id;
    let session_id = rand::random_range(1..=i64::MAX as u64);
    let (sender, will) = oneshot::channel();
    if events.send(Event::Attempt { session_id, will: sender }).await.is_err() {
        return Ok(());
    }
    let Ok(will) = will.await else { return Ok(()) };
    let options = options(settings, &identity.pem, will)?;
    let (client, mut network) = AsyncClient::new(options, OUTBOX);
    let mut heard_at = settings.clock.steady();
    loop {
        let left = after(heard_at, settings.silence).duration_since(settings.clock.steady());
        let packet = match next(&mut network, left.try_into().unwrap_or_default()).await? {
            Polled::Incoming(packet) => packet,
            Polled::Outgoing(_) => continue,
        };
        heard_at = settings.clock.steady();
        let happened = match packet {
            Packet::ConnAck(ack) if ack.code == ConnectReturnCode::Success => {
                let filters = Down::ALL.map(|down| {
                    // An ack is cumulative and answers every heartbeat: one that is lost is no loss.
                    let quality = if down == Down::Ack { QoS::AtMostOnce } else { QoS::AtLeastOnce };
                    Filter::new(down.topic(gateway), quality)
                });
                client.try_subscribe_many(filters).map_err(|_| anyhow!("cannot subscribe"))?;
                continue;
            }
            Packet::ConnAck(ack) => return Err(refusal(ack.code)),
            Packet::SubAck(_) => {
                if identity.is_next {
                    // On a disk that takes nothing it stays where it is, and serves from there.
                    match enrolment.promote() {
                        Ok(()) => tracing::info!("the renewed certificate is in use"),
                        Err(error) => tracing::warn!(error = format!("{error:#}"), "the renewed certificate"),
                    }
                }
                Event::Connected {
                    session_id,
                    link: Link { client: client.clone(), gateway: gateway.clone() },
                }
            }
            Packet::Publish(publish) => {
                let topic = std::str::from_utf8(&publish.topic).unwrap_or_default();
                match Down::parse(topic, gateway) {
                    Ok(down) => Event::Packet(down, publish.payload.to_vec()),
                    Err(error) => {
                        tracing::warn!(%error, "the server published on a topic that is not ours");
                        continue;
                    }
                }
            }
            Packet::Disconnect(end) => bail!("the server ended the connection: {:?}", end.reason_code),
            Packet::Connect(..)
            | Packet::PubAck(_)
            | Packet::PingReq(_)
            | Packet::PingResp(_)
            | Packet::Subscribe(_)
            | Packet::PubRec(_)
            | Packet::PubRel(_)
            | Packet::PubComp(_)
            | Packet::Unsubscribe(_)
            | Packet::UnsubAck(_)
            | Packet::Auth(_) => continue,
        };
        if events.send(happened).await.is_err() {
            return Ok(());
        }
    }
}

async fn next(network: &mut EventLoop, limit: Duration) -> anyhow::Result<Polled> {
    match timeout(limit, network.poll()).await {
        Ok(Err(ConnectionError::ConnectionRefused(code))) => Err(refusal(code)),
        // This variant keeps its cause to itself, and TLS alerts come in it.
        Ok(Err(ConnectionError::MqttState(StateError::Deserialization(mqttbytes::Error::Io(error))))) => {
            Err(error.into())
        }
        Ok(polled) => Ok(polled?),
        Err(_) => bail!("nothing was heard for more than two heartbeats"),
    }
}

fn refusal(code: ConnectReturnCode) -> anyhow::Error {
    match code {
        ConnectReturnCode::Banned | ConnectReturnCode::NotAuthorized => Refused::NotAdmitted.into(),
        other => anyhow!("the server refused the connection: {other:?}"),
    }
}

fn options(settings: &Settings, identity_pem: &str, will: Vec<u8>) -> anyhow::Result<MqttOptions> {
    let enrolment = &settings.enrolment;
    let server = &enrolment.server;
    let address = settings.address.as_ref().unwrap_or(&server.mqtt);
    let (host, port) = address
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host.trim_matches(['[', ']']), port.parse::<u16>().ok()?)))
        .with_context(|| format!("{address:?} is not host:port"))?;
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let tls = tls::wire(&enrolment.ca_pem, identity_pem, &server.server_name)?;
    let mut options = MqttOptions::new(server.gateway_id.as_str(), host, port);
    options
        .set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)))
        .set_keep_alive(settings.keep_alive)
        .set_clean_start(true)
        .set_session_expiry_interval(Some(0))
        .set_receive_maximum(Some(IN_FLIGHT_MAX))
        .set_outgoing_inflight_upper_limit(IN_FLIGHT_MAX)
        .set_max_packet_size(Some((PACKET_MAX + OVERHEAD) as u32))
        .set_topic_alias_max(Some(0))
        .set_connection_timeout(CONNECT_LIMIT.as_secs())
        .set_last_will(LastWill::new(
            Up::Session.topic(&server.gateway_id),
            will,
            QoS::AtLeastOnce,
            false,
            None,
        ));
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_jitter_to_five_minutes() {
        assert_eq!(pause(0, false, 0.0), PAUSE_MIN);
        assert_eq!(pause(0, false, 1.0), Duration::from_secs(2));
        assert_eq!(pause(3, false, 1.0), Duration::from_secs(16));
        assert_eq!(pause(99, false, 1.0), PAUSE_MAX);
        assert!(pause(99, false, 0.5) < PAUSE_MAX);
        assert_eq!((pause(0, true, 0.0), pause(99, true, 1.0)), (REFUSED_MIN, REFUSED_MAX));
    }
}
