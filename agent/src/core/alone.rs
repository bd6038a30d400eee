//! What the gateway pages by itself while the server cannot be reached. Pure.
//!
//! A fault is the gateway's to tell when it was raised since the server last had everything, has stood for a
//! moment, is grave enough and hangs on no parent that is down: what the server knew before the cut it has paged
//! itself. Each person gets one message with everything that is new, and one when it is over. What was told is a
//! record in the queue, so the server tells nobody twice; what stands untold is paged by the server.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sitewarden_proto::fault::{self, Severity};
use sitewarden_proto::id::{DeviceId, FaultCode};
use sitewarden_proto::wire::{Ack, Event, Transition};

use prost::Message;

use super::{Command, Core};
use crate::clock::{after, from_ms};
use crate::config::{LocalPage, Person};
use crate::session::RecordKind;
use crate::verdict::{Change, ChangeKind};

/// A fault is told when it has stood so long: what one cause drags along is told with it.
const SETTLE: Duration = Duration::from_secs(30);
/// How often the gateway looks while something is untold.
const LOOK: Duration = Duration::from_secs(15);
/// The longest wait for a channel that does not take a page; the first is `LOOK`.
const RETRY_MAX: Duration = Duration::from_mins(30);
/// So many faults are named in one message; of the others only the number is told.
const NAMED_MAX: usize = 8;
/// So many faults are kept; of more only the oldest are told.
const TROUBLES_MAX: usize = 500;

/// A page of the gateway's own, to one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tell {
    /// Lets the receiver recognise a repeat.
    pub key: String,
    /// The way out.
    pub page: LocalPage,
    /// To whom.
    pub person: Person,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
}

/// What the gateway pages by itself.
#[derive(Debug, Default)]
pub(super) struct Alone {
    page: Option<LocalPage>,
    heard_at: Option<Timestamp>,
    troubles: BTreeMap<(DeviceId, FaultCode), Trouble>,
    /// The message that is under way.
    under_way: Option<UnderWay>,
    look_at: Option<Timestamp>,
    failures: u32,
    /// Whose turn it is first: one who is not reached keeps no other waiting.
    turn: usize,
}

/// A fault that the server may not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Trouble {
    device: DeviceId,
    code: FaultCode,
    /// The number of the record that says so; 0 when it was numbered anew.
    seq: u64,
    /// Unix milliseconds on the time line.
    raised_ms: i64,
    /// When it ended.
    over_ms: Option<i64>,
    /// Who was told, by account.
    told: Vec<String>,
}

#[derive(Debug)]
struct UnderWay {
    person: Person,
    opened: Vec<(DeviceId, FaultCode)>,
    closed: Vec<(DeviceId, FaultCode)>,
}

impl Alone {
    pub(super) fn set_page(&mut self, page: Option<LocalPage>) {
        self.page = page;
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.look_at.filter(|_| self.page.is_some() && self.under_way.is_none())
    }

    fn look_by(&mut self, at: Timestamp) {
        self.look_at = Some(self.look_at.map_or(at, |before| before.min(at)));
    }
}

impl Core {
    pub(super) fn wake_alone(&mut self, now: Timestamp, kept: Option<String>) {
        self.alone.heard_at = Some(now);
        let troubles: Vec<Trouble> =
            kept.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        for trouble in troubles {
            self.alone.troubles.insert((trouble.device.clone(), trouble.code.clone()), trouble);
        }
        if !self.alone.troubles.is_empty() {
            self.alone.look_by(after(now, LOOK));
        }
    }

    /// A fact was recorded under `seq`.
    pub(super) fn note_alone(&mut self, change: &Change, seq: u64) {
        let key = (change.device.clone(), change.code.clone());
        let changed = match change.kind {
            ChangeKind::Raised => {
                if let Some(trouble) = self.alone.troubles.get_mut(&key) {
                    // It came back before its end was told: to those who were told it stands on.
                    trouble.over_ms.take().is_some()
                } else if self.alone.troubles.len() < TROUBLES_MAX {
                    let (device, code) = key.clone();
                    let raised_ms = change.at.as_millisecond();
                    let trouble = Trouble { device, code, seq, raised_ms, over_ms: None, told: Vec::new() };
                    self.alone.troubles.insert(key, trouble);
                    self.alone.look_by(after(change.at, SETTLE));
                    true
                } else {
                    false
                }
            }
            ChangeKind::Cleared => {
                let told = self.alone.troubles.get(&key).map(|trouble| !trouble.told.is_empty());
                if let Some(trouble) = self.alone.troubles.get_mut(&key).filter(|_| told == Some(true)) {
                    trouble.over_ms = Some(change.at.as_millisecond());
                    self.alone.look_by(change.at);
                } else {
                    self.alone.troubles.remove(&key);
                }
                told.is_some()
            }
            ChangeKind::FlapBegan | ChangeKind::FlapEnded => false,
        };
        if changed {
            self.keep_alone();
        }
    }

    /// The server has spoken. What it has on record is its to tell.
    pub(super) fn server_heard(&mut self, now: Timestamp, ack: &Ack) {
        self.alone.heard_at = Some(now);
        self.alone.failures = 0;
        if self.alone.troubles.is_empty() {
            return;
        }
        let (epoch, upto, drained) = (self.session.epoch(), ack.upto, self.is_drained());
        let before = self.alone.troubles.len();
        self.alone
            .troubles
            .retain(|_, trouble| !drained && (ack.epoch != epoch || trouble.seq == 0 || trouble.seq > upto));
        if self.alone.troubles.len() != before {
            self.keep_alone();
        }
    }

    /// The records have other numbers now.
    pub(super) fn renumber_alone(&mut self) {
        for trouble in self.alone.troubles.values_mut() {
            trouble.seq = 0;
        }
    }

    fn keep_alone(&mut self) {
        let troubles: Vec<&Trouble> = self.alone.troubles.values().collect();
        self.batch.alone = serde_json::to_string(&troubles).ok();
    }

    /// Tells what is due, to one person at a time.
    pub(super) fn alone_timeout(&mut self, now: Timestamp) {
        if self.alone.next_due().is_none_or(|due| due > now) {
            return;
        }
        self.alone.look_at = (!self.alone.troubles.is_empty()).then(|| after(now, LOOK));
        let Some(page) = self.alone.page.clone() else { return };
        let heard_at = self.alone.heard_at.unwrap_or(now);
        if after(heard_at, page.after) > now || page.people.is_empty() {
            return;
        }
        let people = page.people.len();
        for index in 0..people {
            let person = page.people[(self.alone.turn + index) % people].clone();
            let told = |trouble: &Trouble| trouble.told.contains(&person.id);
            let keys = |wanted: &dyn Fn(&Trouble) -> bool| -> Vec<(DeviceId, FaultCode)> {
                let found = self.alone.troubles.iter().filter(|(_, trouble)| wanted(trouble));
                found.map(|(key, _)| key.clone()).collect()
            };
            let opened = keys(&|trouble| !told(trouble) && self.is_ours_to_tell(now, &page, trouble));
            let closed = keys(&|trouble| told(trouble) && trouble.over_ms.is_some());
            if opened.is_empty() && closed.is_empty() {
                continue;
            }
            let (subject, text) = self.words(&page, &person, &opened, &closed);
            let first = opened.first().or(closed.first());
            let at =
                first.and_then(|key| self.alone.troubles.get(key)).map_or(0, |trouble| trouble.raised_ms);
            let kind = if opened.is_empty() { "closed" } else { "opened" };
            let key = format!("{}/{at}/{}+{}/{kind}/{}", self.gateway, opened.len(), closed.len(), person.id);
            self.alone.under_way = Some(UnderWay { person: person.clone(), opened, closed });
            self.commands.push_back(Command::Tell(Box::new(Tell { key, page, person, subject, text })));
            return;
        }
    }

    fn is_ours_to_tell(&self, now: Timestamp, page: &LocalPage, trouble: &Trouble) -> bool {
        // A fault that only a newer catalogue knows counts as major, as on the server.
        let severity = fault::find(trouble.code.as_str()).map_or(Severity::Major, |fault| fault.severity);
        let parent = self.desired.find(&trouble.device).and_then(|device| device.parent.as_ref());
        let hangs_on = parent.is_some_and(|parent| self.verdicts.stands(parent, crate::model::UNREACHABLE));
        trouble.over_ms.is_none()
            && severity >= page.severity
            && !hangs_on
            && after(from_ms(trouble.raised_ms), SETTLE) <= now
    }

    /// The local channel took the message that is under way, or why it did not.
    pub fn handle_told(&mut self, now: Timestamp, result: Result<String, String>) {
        let Some(under_way) = self.alone.under_way.take() else { return };
        match result {
            Ok(answer) => {
                self.alone.failures = 0;
                self.alone.look_at = Some(now);
                self.told(now, &under_way, &answer);
            }
            Err(error) => {
                tracing::warn!(
                    person = under_way.person.name,
                    error,
                    "the local channel did not take a page"
                );
                let wait = (LOOK * 2_u32.pow(self.alone.failures.min(10))).min(RETRY_MAX);
                self.alone.failures = self.alone.failures.saturating_add(1);
                self.alone.turn = self.alone.turn.wrapping_add(1);
                self.alone.look_at = Some(after(now, wait));
            }
        }
        self.flush(now);
    }

    fn told(&mut self, now: Timestamp, under_way: &UnderWay, answer: &str) {
        let person = &under_way.person;
        for (keys, purpose) in [(&under_way.opened, "opened"), (&under_way.closed, "closed")] {
            for key in keys {
                if let Some(trouble) = self.alone.troubles.get_mut(key) {
                    match purpose {
                        "opened" => trouble.told.push(person.id.clone()),
                        _ => trouble.told.retain(|id| *id != person.id),
                    }
                }
                let evidence = serde_json::json!({ "purpose": purpose, "account_id": person.id, "to": person.name,
                    "address": person.address, "answer": answer.chars().take(200).collect::<String>() });
                let event = Event {
                    device_id: key.0.to_string(),
                    fault_code: key.1.to_string(),
                    transition: Transition::Told.into(),
                    at_ms: now.as_millisecond(),
                    evidence_json: evidence.to_string(),
                    ..Event::default()
                };
                self.record(now, RecordKind::Event, event.encode_to_vec());
            }
        }
        // What is over and told to be over to everybody who was told of it is done.
        self.alone.troubles.retain(|_, trouble| trouble.over_ms.is_none() || !trouble.told.is_empty());
        self.keep_alone();
    }

    fn words(
        &self,
        page: &LocalPage,
        person: &Person,
        opened: &[(DeviceId, FaultCode)],
        closed: &[(DeviceId, FaultCode)],
    ) -> (String, String) {
        let zh = person.language == "zh";
        let lang = if zh { "zh" } else { "en" };
        let site = if zh && !page.site.1.is_empty() { &page.site.1 } else { &page.site.0 };
        let clock = |ms: i64| {
            // Kept on the time line; people are told true time.
            let at = from_ms(ms.saturating_add(self.clocks.offset_ms.unwrap_or_default()));
            at.in_tz(&page.zone).map_or_else(|_| at.to_string(), |at| at.strftime("%m-%d %H:%M").to_string())
        };
        let what = |(device, code): &(DeviceId, FaultCode)| {
            let name = self.desired.find(device).map_or(device.as_str(), |device| device.name.as_str());
            let title = fault::find(code.as_str()).map_or(code.as_str(), |fault| fault.title.get(lang));
            format!("{name}: {title}")
        };
        let mut lines = Vec::new();
        for key in opened.iter().chain(closed).take(NAMED_MAX) {
            let Some(trouble) = self.alone.troubles.get(key) else { continue };
            let since = clock(trouble.raised_ms);
            lines.push(match (trouble.over_ms, zh) {
                (None, false) => format!("{}, since {since}", what(key)),
                (None, true) => format!("{}，始于 {since}", what(key)),
                (Some(over), false) => format!("{}: over, {since} – {}", what(key), clock(over)),
                (Some(over), true) => format!("{}：已恢复，{since} – {}", what(key), clock(over)),
            });
        }
        let count = opened.len() + closed.len();
        if count > NAMED_MAX {
            let more = count - NAMED_MAX;
            lines.push(if zh { format!("另有 {more} 条") } else { format!("and {more} more") });
        }
        let heard = self.alone.heard_at.map_or(0, Timestamp::as_millisecond);
        let first = opened.first().or(closed.first()).map(what).unwrap_or_default();
        let over = opened.is_empty();
        let more = count.saturating_sub(1);
        let (subject, cut) = if zh {
            let rest = if more > 0 { format!("，另 {more} 条") } else { String::new() };
            (
                format!("[{site}] {}{first}{rest}", if over { "已恢复：" } else { "" }),
                format!("网关自 {} 起无法连接服务器，本条由网关自行发送。", clock(heard)),
            )
        } else {
            let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
            (
                format!("[{site}] {}{first}{rest}", if over { "over: " } else { "" }),
                format!(
                    "The gateway has not reached the server since {}, so it sends this itself.",
                    clock(heard)
                ),
            )
        };
        lines.push(cut);
        (subject.replace(['\r', '\n'], " "), lines.join("\n"))
    }
}
