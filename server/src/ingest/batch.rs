//! Many packets, one transaction.
//!
//! Nearly everything that comes is a metric block of a gateway that is online: it changes no state, so the
//! blocks of a whole batch are written together, in one statement for the blocks, one for the marks, one for who
//! was heard. So it is with faults that many gateways raise at the same moment: in a storm they are what comes.
//! Everything else goes through the steps of one packet, in the same transaction; what its gateway
//! said before is written first, so each gateway's packets take effect in their order.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use sitewarden_proto::id::GatewayId;
use sitewarden_proto::topic::{Down, Up};
use sitewarden_proto::wire::{Envelope, Session};

use super::block::stored;
use super::clocks::correction;
use super::devices::Own;
use super::raise::{Raises, new_events};
use super::read::{Content, Cover, Head, Packet};
use super::{Answer, Error, Sender, effect, report};
use crate::app::{App, Touched};
use crate::db::{self, Conn};
use crate::gateway::store::batch::{self, Mark, Standing};
use crate::gateway::store::{hex_u64, replay};
use crate::gateway::{self, State, desired};
use crate::history::store::Block;
use crate::{device, escalation, history, incident, maintenance};

/// Where the history of a gateway ends that was taken for silent and has not said it yet: its next heartbeat
/// does.
const END_UNKNOWN: i64 = i64::MAX;

/// What a committed batch leaves to do.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// For open pages and the engine.
    pub touched: Touched,
    /// Answers, in the order in which they were made.
    pub replies: Vec<(GatewayId, Down, Vec<u8>)>,
    /// Packets that were not applied, by their place in the batch.
    pub refused: Vec<(usize, Error)>,
    /// Records committed, by kind.
    pub counts: BTreeMap<&'static str, u64>,
    /// What was turned away inside of packets that were applied, by reason.
    pub turned_away: BTreeMap<&'static str, u64>,
}

impl Done {
    pub fn count(&mut self, kind: &'static str, records: u64) {
        *self.counts.entry(kind).or_default() += records;
    }

    pub fn turn_away(&mut self, reason: &'static str, times: u64) {
        if times > 0 {
            *self.turned_away.entry(reason).or_default() += times;
        }
    }
}

/// Applies packets and commits. Nothing has happened when it fails.
pub(super) async fn apply(app: &App, packets: &[Packet], now: Timestamp) -> sqlx::Result<Done> {
    let mut tx = app.db.write().await?;
    let mut batch = Batch { app, now, done: Done::default(), known: HashMap::new(), plain: Plain::default() };
    batch.meet(&mut tx, packets).await?;
    let mut told = false;
    for (place, packet) in packets.iter().enumerate() {
        match batch.one(&mut tx, packet).await {
            Ok(plain) => told |= !plain,
            Err(Error::Database(error)) => return Err(error),
            Err(error) => batch.done.refused.push((place, error)),
        }
    }
    batch.flush(&mut tx).await?;
    if told && db::try_turn(&mut tx).await? {
        batch.done.touched.add(incident::step::settle(&mut tx, now).await?);
        batch.done.touched.add(maintenance::step::step(&mut tx, now).await?);
        batch.done.touched.add(Touched::tickets(escalation::step::step(&mut tx, now).await?));
    }
    tx.commit().await?;
    let done = batch.done;
    for (kind, records) in &done.counts {
        app.metrics.ingested(kind, *records);
    }
    for (reason, times) in &done.turned_away {
        app.metrics.refused_times(reason, *times);
    }
    Ok(done)
}

/// Tells the gateway of a packet that no database would take where its record stands.
pub(super) async fn refuse(app: &App, packet: &Packet, now: Timestamp) -> sqlx::Result<Done> {
    let mut conn = app.db.read().await?;
    let mut batch = Batch { app, now, done: Done::default(), known: HashMap::new(), plain: Plain::default() };
    batch.meet(&mut conn, std::slice::from_ref(packet)).await?;
    batch.refuse(&mut conn, &packet.gateway).await?;
    Ok(batch.done)
}

struct Batch<'a> {
    app: &'a App,
    now: Timestamp,
    done: Done,
    /// Every sender; `None` for one that is not known or was revoked.
    known: HashMap<GatewayId, Option<Known>>,
    plain: Plain<'a>,
}

/// A sender as it stands at this point of the batch.
struct Known {
    standing: Standing,
    marks: HashMap<u64, i64>,
    own: Option<Arc<Own>>,
}

/// What is to be written for packets that need no more than that.
#[derive(Default)]
struct Plain<'a> {
    blocks: Vec<Block>,
    raises: Raises<'a>,
    marks: BTreeMap<(GatewayId, u64), Mark>,
    heard: BTreeMap<GatewayId, i64>,
    answers: BTreeMap<(GatewayId, u64), Answer>,
}

impl<'a> Batch<'a> {
    /// Reads who sent the batch and how far each of them has come.
    async fn meet(&mut self, conn: &mut Conn, packets: &[Packet]) -> sqlx::Result<()> {
        let ids: BTreeSet<&GatewayId> = packets.iter().map(|packet| &packet.gateway).collect();
        let ids: Vec<&GatewayId> = ids.into_iter().collect();
        let standings = batch::list_standings(conn, &ids).await?;
        let mut epochs: BTreeMap<(&GatewayId, String), u64> = BTreeMap::new();
        for packet in packets {
            if let Content::Block(head, _) | Content::Records(head, _) = &packet.content {
                epochs.insert((&packet.gateway, hex_u64(head.epoch)), head.epoch);
            }
        }
        let pairs: Vec<(&GatewayId, String)> = epochs.keys().cloned().collect();
        let found: HashMap<(String, String), i64> = batch::list_marks(conn, &pairs)
            .await?
            .into_iter()
            .map(|(id, epoch, upto)| ((id, epoch), upto))
            .collect();
        self.known = standings
            .into_iter()
            .map(|(id, standing)| (id, Some(Known { standing, marks: HashMap::new(), own: None })))
            .collect();
        for ((id, text), epoch) in epochs {
            let upto = found.get(&(id.to_string(), text)).copied().unwrap_or(0);
            if let Some(Some(known)) = self.known.get_mut(id) {
                known.marks.insert(epoch, upto);
            }
        }
        for id in ids {
            self.known.entry(id.clone()).or_insert(None);
        }
        Ok(())
    }

    /// True when it was a plain one.
    async fn one(&mut self, conn: &mut Conn, packet: &'a Packet) -> Result<bool, Error> {
        let gateway = &packet.gateway;
        let unknown = || Error::Unknown(gateway.clone());
        if !self.known.contains_key(gateway) {
            // What it said before has changed how it stands.
            let standing = batch::list_standings(conn, &[gateway]).await?.remove(gateway);
            let known = standing.map(|standing| Known { standing, marks: HashMap::new(), own: None });
            self.known.insert(gateway.clone(), known);
        }
        let known = self.known.get(gateway).and_then(Option::as_ref).ok_or_else(unknown)?;
        let is_told_all = known.standing.state == State::Online && known.standing.replay_to.is_none();
        match &packet.content {
            Content::Block(head, cover) if known.is_plain(head) => {
                self.block(conn, packet, head, cover).await?;
                Ok(true)
            }
            Content::Records(head, envelope)
                if is_told_all && self.raise(conn, packet, head, envelope).await? =>
            {
                Ok(false)
            }
            Content::Unreadable(error) => {
                let error = match error {
                    Error::WrongTopic { topic, body } => Error::WrongTopic { topic: *topic, body },
                    Error::Unreadable(error) => Error::Unreadable(error.clone()),
                    Error::Unknown(_) | Error::Database(_) => unknown(),
                };
                if packet.up != Up::Session {
                    self.refuse(conn, gateway).await?;
                }
                Err(error)
            }
            content => {
                if self.plain.heard.contains_key(gateway) {
                    self.flush(conn).await?;
                }
                // Read again when it is needed.
                self.known.remove(gateway);
                let touched = match content {
                    Content::Session(session) => self.session(conn, packet, session).await?,
                    Content::Block(head, _) | Content::Records(head, _) => {
                        self.records(conn, packet, head).await?
                    }
                    Content::Unreadable(_) => Touched::default(),
                };
                self.done.touched.add(touched);
                Ok(false)
            }
        }
    }

    /// A block of a gateway whose state it does not change.
    async fn block(
        &mut self,
        conn: &mut Conn,
        packet: &'a Packet,
        head: &Head,
        cover: &Cover,
    ) -> sqlx::Result<()> {
        let gateway = &packet.gateway;
        let offset = self.observe(packet, head);
        let upto = self.upto(conn, gateway, head.epoch).await?;
        self.plain.heard.insert(gateway.clone(), packet.received_at.as_millisecond());
        let Some(Some(known)) = self.known.get_mut(gateway) else { return Ok(()) };
        let config_version = known.standing.config_version;
        let mut answer = Answer { epoch: head.epoch, upto, config_version, ..Answer::default() };
        if head.first > upto + 1 {
            answer.resend_from = upto + 1;
            self.done.count("hole", 1);
        } else if head.last > upto {
            answer.upto = head.last;
            let own = self.own(conn, gateway).await?;
            let sender = self.advance(packet, head, offset);
            let block = stored(&mut self.done, &own, &sender, head.first, cover, packet);
            self.plain.blocks.extend(block);
        } else {
            self.done.count("duplicate", 1);
        }
        // One that asks for records stands until a later one has them: acks are cumulative.
        self.plain.answers.insert((gateway.clone(), head.epoch), answer);
        Ok(())
    }

    /// Takes in records that do nothing but raise faults; false when they have to be gone through one by one.
    async fn raise(
        &mut self,
        conn: &mut Conn,
        packet: &'a Packet,
        head: &Head,
        envelope: &'a Envelope,
    ) -> sqlx::Result<bool> {
        let gateway = &packet.gateway;
        let upto = self.upto(conn, gateway, head.epoch).await?;
        if head.first > upto + 1 {
            return Ok(false);
        }
        let events = new_events(head, envelope, upto);
        if events.is_empty() {
            return Ok(false);
        }
        let own = self.own(conn, gateway).await?;
        if !self.plain.raises.fits(&own, &events) {
            return Ok(false);
        }
        let Some(Some(known)) = self.known.get(gateway) else { return Ok(false) };
        let config_version = known.standing.config_version;
        let offset = self.observe(packet, head);
        let sender = self.advance(packet, head, offset);
        self.done.count("event", events.len() as u64);
        self.plain.raises.add(sender, &events);
        self.plain.heard.insert(gateway.clone(), packet.received_at.as_millisecond());
        let answer = Answer { epoch: head.epoch, upto: head.last, config_version, ..Answer::default() };
        self.plain.answers.insert((gateway.clone(), head.epoch), answer);
        Ok(true)
    }

    /// Moves a sender's mark behind a packet.
    fn advance(&mut self, packet: &'a Packet, head: &Head, offset: i64) -> Sender<'a> {
        let gateway = &packet.gateway;
        let epoch = hex_u64(head.epoch);
        if let Some(Some(known)) = self.known.get_mut(gateway) {
            known.marks.insert(head.epoch, head.last);
            let session_started_at =
                known.standing.session_started_at.unwrap_or_else(|| self.now.as_millisecond());
            let mark =
                Mark { gateway: gateway.clone(), epoch: epoch.clone(), upto: head.last, session_started_at };
            self.plain.marks.insert((gateway.clone(), head.epoch), mark);
        }
        Sender { id: gateway, epoch, offset_ms: correction(offset), now: self.now, current: true }
    }

    /// Writes what has gathered.
    async fn flush(&mut self, conn: &mut Conn) -> sqlx::Result<()> {
        let plain = std::mem::take(&mut self.plain);
        history::store::insert_blocks(conn, &plain.blocks).await?;
        self.done.touched.add(plain.raises.apply(conn).await?);
        let marks: Vec<Mark> = plain.marks.into_values().collect();
        batch::set_marks(conn, &marks, self.now).await?;
        let heard: Vec<(GatewayId, i64)> = plain.heard.into_iter().collect();
        batch::record_heard(conn, &heard).await?;
        for ((gateway, _), answer) in plain.answers {
            self.done.replies.push((gateway, Down::Ack, answer.packet(self.now)));
        }
        Ok(())
    }

    /// Server time minus the sender's, ms.
    fn observe(&self, packet: &Packet, head: &Head) -> i64 {
        let clocks = &self.app.ingest.clocks;
        clocks.observe(&packet.gateway, head.name, head.sent_at_ms, packet.received_at)
    }

    async fn upto(&mut self, conn: &mut Conn, gateway: &GatewayId, epoch: u64) -> sqlx::Result<i64> {
        let known = self.known.get(gateway).and_then(Option::as_ref);
        if let Some(upto) = known.and_then(|known| known.marks.get(&epoch)) {
            return Ok(*upto);
        }
        let upto = gateway::store::epoch_upto(conn, gateway, epoch).await?.unwrap_or(0);
        let upto = i64::try_from(upto).unwrap_or(i64::MAX);
        if let Some(Some(known)) = self.known.get_mut(gateway) {
            known.marks.insert(epoch, upto);
        }
        Ok(upto)
    }

    /// The sender's devices, as they are under its configuration version.
    async fn own(&mut self, conn: &mut Conn, gateway: &GatewayId) -> sqlx::Result<Arc<Own>> {
        let Some(Some(known)) = self.known.get_mut(gateway) else { return Ok(Arc::default()) };
        if let Some(own) = &known.own {
            return Ok(Arc::clone(own));
        }
        let (devices, version) = (&self.app.ingest.devices, known.standing.config_version);
        let own = match devices.find(gateway, version) {
            Some(own) => own,
            None => {
                let own = device::store::list_own(conn, gateway).await?;
                devices.keep(gateway, version, own.into_iter().collect())
            }
        };
        known.own = Some(Arc::clone(&own));
        Ok(own)
    }

    /// Says that the packet after the sender's newest record cannot be read.
    async fn refuse(&mut self, conn: &mut Conn, gateway: &GatewayId) -> sqlx::Result<()> {
        let Some(Some(known)) = self.known.get(gateway) else { return Ok(()) };
        let config_version = known.standing.config_version;
        let epoch = known.standing.epoch.as_deref().and_then(|text| u64::from_str_radix(text, 16).ok());
        // Before its first word nobody knows which record it was.
        let Some(epoch) = epoch else { return Ok(()) };
        let upto = self.upto(conn, gateway, epoch).await?;
        let answer = Answer { epoch, upto, refused_from: upto + 1, config_version, ..Answer::default() };
        self.done.replies.push((gateway.clone(), Down::Ack, answer.packet(self.now)));
        Ok(())
    }

    async fn session(
        &mut self,
        conn: &mut Conn,
        packet: &Packet,
        session: &Session,
    ) -> Result<Touched, Error> {
        let (id, now) = (&packet.gateway, self.now);
        let mut touched = Touched::default();
        let known = replay::find_sender(conn, id).await?.ok_or_else(|| Error::Unknown(id.clone()))?;
        let session_id = hex_u64(session.session_id);
        if !session.online {
            // The will of an old session says nothing about the one that took over.
            if known.session_id.as_deref() == Some(&session_id) && known.state == State::Online {
                gateway::store::set_state(conn, id, State::Suspect, now).await?;
                touched.gateways.insert(id.to_string());
            }
            return Ok(touched);
        }
        let name = super::clocks::Name { session: session.session_id, clock: session.clock };
        let offset = self.app.ingest.clocks.observe(id, name, session.sent_at_ms, packet.received_at);
        let upto = self.upto(conn, id, session.epoch).await?;
        let birth = known.session_id.as_deref() != Some(&session_id);
        gateway::store::record_session(conn, id, session, offset.saturating_neg(), packet.received_at)
            .await?;
        // A gateway that was taken for silent has a history to tell, even on the connection that it had.
        if birth || !known.state.is_heard() || known.replay_to == Some(END_UNKNOWN) {
            let head = i64::try_from(session.head_seq).unwrap_or(i64::MAX);
            if head > upto {
                replay::set(conn, id, Some(head), now).await?;
            } else {
                touched.add(effect::caught_up(conn, id, now).await?);
            }
        }
        touched.add(effect::gateway_heard(conn, id, now).await?);
        let (version, reported) = gateway::store::config_versions(conn, id).await?.unwrap_or_default();
        let config_version = i64::try_from(version).unwrap_or(i64::MAX);
        // What it says next is about its devices; in a storm nobody has the time to look them up.
        self.own_of(conn, id, config_version).await?;
        let resend_from = asked_again(session, upto);
        let answer = Answer { epoch: session.epoch, upto, resend_from, config_version, ..Answer::default() };
        self.done.replies.push((id.clone(), Down::Ack, answer.packet(now)));
        // One that it rejected counts as told: it is not sent again with every heartbeat.
        if reported != version {
            match desired::packet(conn, &self.app.keys, id).await {
                Ok((_, packet)) => self.done.replies.push((id.clone(), Down::DesiredConfig, packet)),
                Err(error) => {
                    tracing::error!(gateway = %id, error = format!("{error:#}"), "no configuration to send");
                }
            }
        }
        Ok(touched)
    }

    /// Records that change what stands, or a block of a gateway whose state it changes.
    async fn records(&mut self, conn: &mut Conn, packet: &Packet, head: &Head) -> Result<Touched, Error> {
        let (id, now) = (&packet.gateway, self.now);
        let known = replay::find_sender(conn, id).await?.ok_or_else(|| Error::Unknown(id.clone()))?;
        let upto = self.upto(conn, id, head.epoch).await?;
        let (version, _) = gateway::store::config_versions(conn, id).await?.unwrap_or_default();
        let config_version = i64::try_from(version).unwrap_or(i64::MAX);
        let mut answer = Answer { epoch: head.epoch, upto, config_version, ..Answer::default() };
        let offset = self.observe(packet, head);
        gateway::store::record_heard(conn, id, packet.received_at).await?;
        if head.first > upto + 1 {
            self.done.count("hole", 1);
            answer.resend_from = upto + 1;
            self.done.replies.push((id.clone(), Down::Ack, answer.packet(now)));
            return Ok(Touched::default());
        }
        let mut replay_to = known.replay_to;
        if known.state == State::Silent && known.session_id.is_some() {
            replay_to = Some(END_UNKNOWN);
            replay::set(conn, id, replay_to, now).await?;
        }
        let mut touched = effect::gateway_heard(conn, id, now).await?;
        if head.last > upto {
            let current = replay_to.is_none_or(|to| upto >= to);
            let epoch = hex_u64(head.epoch);
            let sender = Sender { id, epoch, offset_ms: correction(offset), now, current };
            let own = self.own_of(conn, id, config_version).await?;
            match &packet.content {
                Content::Block(_, cover) => {
                    let block = stored(&mut self.done, &own, &sender, head.first, cover, packet);
                    history::store::insert_blocks(conn, block.as_slice()).await?;
                }
                Content::Records(_, envelope) => {
                    touched.add(
                        report::apply(conn, &mut self.done, &sender, &own, envelope, head.first, upto)
                            .await?,
                    );
                }
                Content::Session(_) | Content::Unreadable(_) => {}
            }
            gateway::store::set_upto(conn, id, head.epoch, head.last.unsigned_abs(), now).await?;
            if replay_to.is_some_and(|to| head.last >= to) {
                touched.add(effect::caught_up(conn, id, now).await?);
            }
        } else {
            self.done.count("duplicate", (head.last - head.first + 1).unsigned_abs());
        }
        answer.upto = head.last.max(upto);
        self.done.replies.push((id.clone(), Down::Ack, answer.packet(now)));
        Ok(touched)
    }

    async fn own_of(&self, conn: &mut Conn, gateway: &GatewayId, version: i64) -> sqlx::Result<Arc<Own>> {
        let devices = &self.app.ingest.devices;
        if let Some(own) = devices.find(gateway, version) {
            return Ok(own);
        }
        let own = device::store::list_own(conn, gateway).await?;
        Ok(devices.keep(gateway, version, own.into_iter().collect()))
    }
}

impl Known {
    /// True when a block does nothing but be stored: the sender is online, and its history does not end here.
    fn is_plain(&self, head: &Head) -> bool {
        self.standing.state == State::Online && self.standing.replay_to.is_none_or(|to| head.last < to)
    }
}

/// A gateway that holds nothing, and knows numbers that we do not, was acknowledged by a server whose place a
/// backup took: it is asked for them at once, and says what is lost. With anything in its queue the hole shows
/// by itself.
fn asked_again(session: &Session, upto: i64) -> i64 {
    let next = upto.saturating_add(1);
    if session.queue_records == 0 && session.head_seq >= next.unsigned_abs() { next } else { 0 }
}
