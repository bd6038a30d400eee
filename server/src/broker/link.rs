//! One connection: greeting, then packets in their order until one side ends it.
//!
//! A PUBLISH is answered when ingest's channel has taken it; waiting there stops the reading, and TCP slows
//! that gateway alone. The will is sent when the connection ends in any way but a goodbye, a takeover, a
//! revocation or the server's own stop.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use sitewarden_proto::id::GatewayId;
use sitewarden_proto::limits::IN_FLIGHT_MAX;
use sitewarden_proto::topic::{Down, Up};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::codec::{
    self, ConnAck, ConnAckProperties, Connect, ConnectProperties, ConnectReturnCode, Disconnect,
    DisconnectProperties, DisconnectReasonCode, FRAME_MAX, Incoming, LastWill, Packet, PingResp, PubAck,
    PubAckReason, Publish, PublishProperties, QoS, SubAck, SubscribeReasonCode, UnsubAck, UnsubAckReason,
};
use super::conduct::Conduct;
use super::registry::{Farewell, Seat, lock};
use super::{Door, Refusal, Upstream, rules};
use crate::tls::Identity;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const WRITE_LIMIT: Duration = Duration::from_secs(30);
/// A CONNECT carries names and a will, never a payload.
const CONNECT_MAX: usize = 16 * 1024;
/// Filters of one SUBSCRIBE: a gateway has three topics to ask for.
const FILTERS_MAX: usize = 16;
/// What a connection holds ready for the first bytes of a packet: most connections wait most of the time.
const IDLE_BUFFER: usize = 64;
/// A buffer that was needed for a large packet is not kept.
const KEEP_BUFFER: usize = 512;

/// A connection after TLS.
pub(super) struct Link<'d> {
    stream: TlsStream<TcpStream>,
    door: &'d Door,
    identity: Identity,
    incoming: BytesMut,
    outgoing: BytesMut,
}

/// What CONNECT asked for, within our bounds.
pub(super) struct Greeting {
    keep_alive_s: u16,
    will: Option<Bytes>,
    /// Payloads with quality 1 that may be unanswered downwards.
    window: usize,
    packet_max: usize,
}

/// How a connection ended without a refusal.
enum End {
    /// DISCONNECT: the will is void.
    Goodbye,
    /// The bytes ended, or DISCONNECT asked for the will.
    Lost,
    /// The server stops.
    Shutdown,
}

/// What a connection remembers while it stands.
struct Talk<'s> {
    seat: &'s Seat,
    conduct: Arc<Mutex<Conduct>>,
    shutdown: CancellationToken,
    subscribed: HashMap<Down, QoS>,
    unanswered: HashSet<u16>,
    last_id: u16,
    greeting: Greeting,
}

impl<'d> Link<'d> {
    pub(super) fn new(stream: TlsStream<TcpStream>, door: &'d Door, identity: Identity) -> Self {
        Self { stream, door, identity, incoming: BytesMut::new(), outgoing: BytesMut::new() }
    }

    /// Waits for CONNECT and judges it. A refusal is answered as far as MQTT has a word for it.
    pub(super) async fn greet(&mut self) -> Result<Greeting, Refusal> {
        match self.connect().await {
            Ok(greeting) => Ok(greeting),
            Err(refusal) => Err(self.refuse(refusal).await),
        }
    }

    /// Answers CONNECT with a refusal and ends the connection; the refusal.
    pub(super) async fn refuse(&mut self, refusal: Refusal) -> Refusal {
        if let Some(code) = rules::connect_answer(refusal) {
            let connack = Packet::ConnAck(ConnAck { session_present: false, code }, None);
            if codec::put(connack, &mut self.outgoing).is_ok() && self.flush().await.is_ok() {
                self.close().await;
            }
        }
        refusal
    }

    /// Whose connection this is.
    pub(super) fn gateway(&self) -> &GatewayId {
        &self.identity.gateway
    }

    /// Runs a connection whose CONNECT was accepted.
    pub(super) async fn serve(
        mut self,
        greeting: Greeting,
        shutdown: CancellationToken,
    ) -> Result<(), Refusal> {
        let gateway = self.identity.gateway.clone();
        let will = greeting.will.clone();
        let (registry, limits) = (&self.door.registry, &self.door.limits);
        let conduct = registry.conduct(&gateway, limits).ok_or(Refusal::UnknownGateway)?;
        let seat: Arc<Seat> = registry.take_seat(&gateway, self.identity.not_before, limits);
        let mut talk = Talk {
            seat: &seat,
            conduct: Arc::clone(&conduct),
            shutdown,
            subscribed: HashMap::new(),
            unanswered: HashSet::new(),
            last_id: 0,
            greeting,
        };
        let end = self.talk(&mut talk).await;
        self.door.registry.leave_seat(&gateway, &seat);
        let (will_due, last_word) = match &end {
            Ok(End::Goodbye) => (false, None),
            Ok(End::Lost) => (true, None),
            Ok(End::Shutdown) => (false, Some((DisconnectReasonCode::ServerShuttingDown, "server stops"))),
            Err(refusal @ (Refusal::TakenOver | Refusal::Revoked)) => {
                (false, Some((rules::goodbye(*refusal), refusal.as_str())))
            }
            Err(refusal) => (true, Some((rules::goodbye(*refusal), refusal.as_str()))),
        };
        if let Some((reason_code, text)) = last_word {
            self.say_goodbye(reason_code, text).await;
        }
        if let (true, Some(bytes)) = (will_due, will) {
            self.pass_on(Up::Session, bytes, &conduct).await;
        }
        end.map(|_| ())
    }

    async fn connect(&mut self) -> Result<Greeting, Refusal> {
        let deadline = Instant::now() + CONNECT_LIMIT.min(self.packet_limit());
        let packet = loop {
            if let Some(packet) = codec::next(&mut self.incoming, CONNECT_MAX)? {
                break packet;
            }
            match timeout_at(deadline, self.read()).await {
                Ok(Ok(1..)) => {}
                Ok(Ok(0) | Err(_)) | Err(_) => return Err(Refusal::ConnectLate),
            }
        };
        let Incoming::Other(Packet::Connect(connect, properties, will, _, _)) = packet else {
            return Err(Refusal::ConnectOrder);
        };
        let standing = self.door.registry.standing(&self.identity.gateway);
        rules::connect(&self.identity, standing, &connect.client_id, will.as_ref())?;
        let conduct = self.door.registry.conduct(&self.identity.gateway, &self.door.limits);
        if conduct.is_none_or(|conduct| lock(&conduct).is_locked(Instant::now())) {
            return Err(Refusal::LockedOut);
        }
        Ok(greeting(&connect, properties.as_ref(), will))
    }

    async fn talk(&mut self, talk: &mut Talk<'_>) -> Result<End, Refusal> {
        self.welcome(&talk.greeting)?;
        // Section 3.1.2.10: one and a half times the keep-alive.
        let silence_limit = Duration::from_millis(u64::from(talk.greeting.keep_alive_s) * 1500);
        let packet_limit = self.packet_limit();
        let mut heard = Instant::now();
        // When the packet began that is not whole yet, and until when this gateway is not read.
        let (mut began, mut resume) = (heard, None);
        loop {
            // 1. Everything that came, in its order, as fast as this gateway may.
            while resume.is_none() {
                let waiting = self.incoming.len();
                let Some(packet) = codec::next(&mut self.incoming, FRAME_MAX)? else { break };
                let pause = lock(&talk.conduct).sent(waiting - self.incoming.len(), Instant::now());
                if let Some(end) = self.handle(packet, talk).await? {
                    return Ok(end);
                }
                began = Instant::now();
                if !pause.is_zero() {
                    self.door.registry.refused(Refusal::Slowed);
                    resume = Some(began + pause);
                }
            }
            // 2. Everything that waits downwards and may go.
            self.drain(talk)?;
            self.flush().await?;
            // 3. Whatever happens next.
            let (may_send, paused) = (talk.may_send(), resume);
            let partial = !self.incoming.is_empty();
            let silent_at = heard + silence_limit;
            let limit = if partial { silent_at.min(began + packet_limit) } else { silent_at };
            tokio::select! {
                biased;
                () = talk.shutdown.cancelled() => return Ok(End::Shutdown),
                farewell = talk.seat.farewell() => return Err(refusal_of(farewell)),
                read = self.read(), if paused.is_none() => match read {
                    Ok(1..) => {
                        heard = Instant::now();
                        began = if partial { began } else { heard };
                    }
                    Ok(0) | Err(_) => return Ok(End::Lost),
                },
                () = talk.seat.called(), if may_send => {}
                // Who was not read cannot have been late.
                () = sleep_until(paused.unwrap_or(limit)) => match paused {
                    Some(_) => (heard, began, resume) = (Instant::now(), Instant::now(), None),
                    None if limit < silent_at => return Err(Refusal::PacketLate),
                    None => return Err(Refusal::KeepAlive),
                },
            }
        }
    }

    fn packet_limit(&self) -> Duration {
        Duration::from_secs(self.door.limits.packet_s.into())
    }

    /// Waits for more bytes. The buffer grows with what comes, not with what a packet claims to be.
    async fn read(&mut self) -> std::io::Result<usize> {
        if self.incoming.is_empty() && self.incoming.capacity() != IDLE_BUFFER {
            self.incoming = BytesMut::with_capacity(IDLE_BUFFER);
        }
        self.stream.read_buf(&mut self.incoming).await
    }

    /// Hands a payload to ingest; false when that has ended. Waiting here is what slows a gateway down: first
    /// for one of its own places, so that it cannot take those of others.
    async fn pass_on(&self, up: Up, bytes: Bytes, conduct: &Mutex<Conduct>) -> bool {
        let received_at = self.door.clock.now();
        let places = Arc::clone(&lock(conduct).places);
        let Ok(place) = places.acquire_owned().await else { return false };
        let gateway = self.identity.gateway.clone();
        self.door
            .upstream
            .send(Upstream { gateway, up, bytes, received_at, place: Some(place) })
            .await
            .is_ok()
    }

    /// Counts a packet that was refused; the connection ends when there were too many.
    fn refuse_packet(&self, refusal: Refusal) -> Result<(), Refusal> {
        let (registry, limits) = (&self.door.registry, &self.door.limits);
        let too_often = registry.refused_of(&self.identity.gateway, refusal, limits);
        if too_often { Err(Refusal::Quota) } else { Ok(()) }
    }

    /// CONNACK with our bounds (OASIS MQTT 5.0, section 3.2.2.3).
    fn welcome(&mut self, greeting: &Greeting) -> Result<(), Refusal> {
        let properties = ConnAckProperties {
            session_expiry_interval: Some(0),
            receive_max: Some(IN_FLIGHT_MAX),
            max_qos: Some(1),
            retain_available: Some(0),
            max_packet_size: Some(FRAME_MAX as u32),
            topic_alias_max: Some(0),
            shared_subscription_available: Some(0),
            subscription_identifiers_available: Some(0),
            server_keep_alive: Some(greeting.keep_alive_s),
            ..ConnAckProperties::default()
        };
        let connack = ConnAck { session_present: false, code: ConnectReturnCode::Success };
        codec::put(Packet::ConnAck(connack, Some(properties)), &mut self.outgoing)
    }

    async fn handle(&mut self, incoming: Incoming, talk: &mut Talk<'_>) -> Result<Option<End>, Refusal> {
        match incoming {
            Incoming::Publish { publish, properties, quality, id } => {
                self.publish(publish, properties.as_ref(), quality, id, talk).await
            }
            Incoming::Disconnect { with_will: true } => Ok(Some(End::Lost)),
            Incoming::Disconnect { with_will: false } => Ok(Some(End::Goodbye)),
            Incoming::Other(packet) => self.answer(packet, talk).map(|()| None),
        }
    }

    async fn publish(
        &mut self,
        publish: Publish,
        properties: Option<&PublishProperties>,
        quality: u8,
        id: u16,
        talk: &Talk<'_>,
    ) -> Result<Option<End>, Refusal> {
        if quality > 1 {
            return Err(Refusal::Quality);
        }
        if publish.retain {
            return Err(Refusal::Retain);
        }
        if properties.is_some_and(|properties| properties.topic_alias.is_some()) {
            return Err(Refusal::Alias);
        }
        let up = match rules::topic(&publish.topic, &self.identity.gateway) {
            Ok(up) => up,
            Err(refusal) if quality == 0 => return Err(refusal),
            Err(refusal) => {
                self.acknowledge(id, rules::FOREIGN_TOPIC)?;
                return self.refuse_packet(refusal).map(|()| None);
            }
        };
        tokio::select! {
            biased;
            () = talk.shutdown.cancelled() => return Ok(Some(End::Shutdown)),
            farewell = talk.seat.farewell() => return Err(refusal_of(farewell)),
            taken = self.pass_on(up, publish.payload, &talk.conduct) => if !taken {
                return Ok(Some(End::Shutdown));
            }
        }
        if quality == 1 {
            self.acknowledge(id, PubAckReason::Success)?;
        }
        Ok(None)
    }

    fn acknowledge(&mut self, pkid: u16, reason: PubAckReason) -> Result<(), Refusal> {
        codec::put(Packet::PubAck(PubAck { pkid, reason }, None), &mut self.outgoing)
    }

    fn answer(&mut self, packet: Packet, talk: &mut Talk<'_>) -> Result<(), Refusal> {
        match packet {
            Packet::PingReq(_) => codec::put(Packet::PingResp(PingResp), &mut self.outgoing),
            Packet::PubAck(ack, _) => {
                talk.unanswered.remove(&ack.pkid);
                Ok(())
            }
            Packet::Subscribe(subscribe, _) => {
                if subscribe.pkid == 0 || subscribe.filters.len() > FILTERS_MAX {
                    return Err(Refusal::Malformed);
                }
                let mut return_codes = Vec::with_capacity(subscribe.filters.len());
                let mut refused = 0;
                for filter in &subscribe.filters {
                    return_codes.push(match rules::subscribe(filter, &self.identity.gateway) {
                        Ok(downs) => {
                            let qos = if filter.qos == QoS::AtMostOnce {
                                QoS::AtMostOnce
                            } else {
                                QoS::AtLeastOnce
                            };
                            talk.subscribed.extend(downs.into_iter().map(|down| (down, qos)));
                            SubscribeReasonCode::Success(qos)
                        }
                        Err(code) => {
                            refused += 1;
                            code
                        }
                    });
                }
                let suback = SubAck { pkid: subscribe.pkid, return_codes };
                codec::put(Packet::SubAck(suback, None), &mut self.outgoing)?;
                (0..refused).try_for_each(|_| self.refuse_packet(Refusal::Filter))
            }
            Packet::Unsubscribe(unsubscribe, _) => {
                if unsubscribe.pkid == 0 || unsubscribe.filters.len() > FILTERS_MAX {
                    return Err(Refusal::Malformed);
                }
                let forget = |path: &String| match Down::parse(path, &self.identity.gateway) {
                    Ok(down) if talk.subscribed.remove(&down).is_some() => UnsubAckReason::Success,
                    Ok(_) | Err(_) => UnsubAckReason::NoSubscriptionExisted,
                };
                let reasons = unsubscribe.filters.iter().map(forget).collect();
                let unsuback = UnsubAck { pkid: unsubscribe.pkid, reasons };
                codec::put(Packet::UnsubAck(unsuback, None), &mut self.outgoing)
            }
            Packet::Connect(..) => Err(Refusal::ConnectOrder),
            Packet::PubRec(..) | Packet::PubRel(..) | Packet::PubComp(..) => Err(Refusal::Quality),
            Packet::ConnAck(..)
            | Packet::Publish(..)
            | Packet::PingResp(_)
            | Packet::SubAck(..)
            | Packet::UnsubAck(..)
            | Packet::Disconnect(..) => Err(Refusal::Malformed),
        }
    }

    /// Writes what waits downwards, as far as the gateway's window reaches.
    fn drain(&mut self, talk: &mut Talk<'_>) -> Result<(), Refusal> {
        while talk.may_send() {
            let Some((down, payload)) = talk.seat.next() else { break };
            let topic = down.topic(&self.identity.gateway);
            let Some(qos) = talk.subscribed.get(&down).copied() else {
                self.door.registry.refused(Refusal::NotSubscribed);
                continue;
            };
            if payload.len() + topic.len() + 16 > talk.greeting.packet_max {
                self.door.registry.refused(Refusal::DownstreamDropped);
                continue;
            }
            let id = if qos == QoS::AtMostOnce { 0 } else { talk.next_id() };
            codec::put_publish(&topic, &payload, id, &mut self.outgoing)?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Refusal> {
        if self.outgoing.is_empty() {
            return Ok(());
        }
        let written = timeout(WRITE_LIMIT, async {
            self.stream.write_all(&self.outgoing).await?;
            self.stream.flush().await
        })
        .await;
        self.outgoing.clear();
        if self.outgoing.capacity() > KEEP_BUFFER {
            self.outgoing = BytesMut::new();
        }
        match written {
            Ok(Ok(())) => Ok(()),
            // A broken pipe is read as the end of the bytes next; a full one is the peer's fault.
            Ok(Err(_)) => Ok(()),
            Err(_late) => Err(Refusal::SlowReader),
        }
    }

    async fn say_goodbye(&mut self, reason_code: DisconnectReasonCode, text: &str) {
        // With properties, because without them the codec writes a length that is one short.
        let properties = DisconnectProperties {
            session_expiry_interval: None,
            reason_string: Some(text.to_owned()),
            user_properties: Vec::new(),
            server_reference: None,
        };
        let packet = Packet::Disconnect(Disconnect { reason_code }, Some(properties));
        if codec::put(packet, &mut self.outgoing).is_ok() && self.flush().await.is_ok() {
            self.close().await;
        }
    }

    /// Ends TLS properly, so that the peer reads our last packet instead of a reset.
    async fn close(&mut self) {
        let _ = timeout(CONNECT_LIMIT, self.stream.shutdown()).await;
    }
}

impl Talk<'_> {
    fn may_send(&self) -> bool {
        !self.subscribed.is_empty() && self.unanswered.len() < self.greeting.window
    }

    fn next_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            // At most sixteen are taken.
            if self.unanswered.insert(self.last_id) {
                return self.last_id;
            }
        }
    }
}

fn greeting(connect: &Connect, properties: Option<&ConnectProperties>, will: Option<LastWill>) -> Greeting {
    let receive_max = properties.and_then(|p| p.receive_maximum).unwrap_or(IN_FLIGHT_MAX).max(1);
    let packet_max = properties.and_then(|p| p.max_packet_size).map_or(FRAME_MAX, |max| max as usize);
    Greeting {
        keep_alive_s: rules::keep_alive_s(connect.keep_alive),
        will: will.map(|will| will.message),
        window: usize::from(receive_max.min(IN_FLIGHT_MAX)),
        packet_max: packet_max.min(FRAME_MAX),
    }
}

fn refusal_of(farewell: Farewell) -> Refusal {
    match farewell {
        Farewell::TakenOver => Refusal::TakenOver,
        Farewell::Revoked => Refusal::Revoked,
    }
}
