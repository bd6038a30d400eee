//! Which remedy may begin, and what becomes of it. Nothing is written to a device before the disk knows that it was
//! begun; nothing is switched off before the disk knows that it must be switched on again.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use sitewarden_proto::id::DeviceId;
use sitewarden_proto::limits::POE_OFF_S;
use sitewarden_proto::wire::Remedy;
use sitewarden_proto::wire::command_result::Status;
use sitewarden_proto::wire::remedy::Kind as Wire;

use super::{Command, Core};
use crate::clock::{after, shifted};
use crate::config::{Device, Protocol};
use crate::remedy::{End, Entry, Job, Kind, Port, Report, Stage, place};

const DAY_MS: i64 = 86_400_000;
/// A port that could not be switched on is tried again after a pause that doubles up to this, without end.
const AGAIN_MAX: Duration = Duration::from_mins(5);
const AGAIN_MIN: Duration = Duration::from_secs(5);
/// Remedies that are remembered; a day of them counts.
const REMEMBERED: usize = 1024;

#[derive(Debug)]
pub(super) struct Remedies {
    limit: u32,
    entries: BTreeMap<String, Entry>,
    running: Option<Running>,
    /// Ports that must be switched on: when, and how often that was tried.
    ports_off: BTreeMap<String, (Timestamp, u32)>,
}

#[derive(Debug)]
struct Running {
    id: String,
    began: Timestamp,
    /// What follows when the port is found to be on.
    then: Option<(Port, Duration)>,
}

/// What a remedy comes to.
struct Plan {
    device: DeviceId,
    kind: Kind,
    job: Job,
    then: Option<(Port, Duration)>,
}

/// Why a remedy does not begin: a word for the server, a sentence for people.
struct No(&'static str, String);

impl Remedies {
    pub(super) fn new(limit: u32, entries: BTreeMap<String, Entry>) -> Self {
        Self { limit, entries, running: None, ports_off: BTreeMap::new() }
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        if self.running.is_some() {
            return None;
        }
        self.ports_off.values().map(|(at, _)| *at).min()
    }

    /// Whether a remedy of this id is open because a port may be off.
    pub(super) fn is_port_off(&self, id: &str) -> bool {
        self.entries.get(id).is_some_and(|entry| matches!(entry.state, Stage::PortOff(_)))
    }
}

impl Core {
    /// What was begun before a restart: a port that may be off is switched on, whatever else.
    pub(super) fn wake_remedies(&mut self, now: Timestamp) {
        let open: Vec<(String, Stage)> =
            self.remedies.entries.iter().map(|(id, entry)| (id.clone(), entry.state.clone())).collect();
        for (id, state) in open {
            match state {
                Stage::PortOff(_) => {
                    self.remedies.ports_off.insert(id, (now, 0));
                }
                Stage::Begun => self.keep(&id, Stage::Ended),
                Stage::Ended | Stage::Unauthorized => {}
            }
        }
    }

    pub(super) fn begin_remedy(&mut self, now: Timestamp, id: &str, asked: &Remedy) {
        match self.plan_remedy(now, asked) {
            Ok(Plan { device, kind, job, then }) => {
                let entry = Entry {
                    id: id.to_owned(),
                    device,
                    kind,
                    at_ms: self.true_ms(now),
                    state: Stage::Begun,
                    config_version: self.desired.version(),
                };
                while self.remedies.entries.len() >= REMEMBERED {
                    self.remedies.entries.pop_first();
                }
                self.batch.remedies.push(entry.clone());
                self.remedies.entries.insert(id.to_owned(), entry);
                self.remedies.running = Some(Running { id: id.to_owned(), began: now, then });
                self.answer(now, id, Status::Running, "");
                self.start(now, id, job);
            }
            Err(No(reason, text)) => {
                let said = json!({ "reason": reason, "kind": word(asked) });
                self.answer_with(now, id, Status::Rejected, &text, said.to_string());
            }
        }
    }

    /// The disk first, then the deed.
    fn start(&mut self, now: Timestamp, id: &str, job: Job) {
        self.append(now);
        self.commands.push_back(Command::Remedy { id: id.to_owned(), job });
    }

    fn true_ms(&self, now: Timestamp) -> i64 {
        shifted(now, self.clocks.offset_ms.unwrap_or(self.wall.shift_ms)).as_millisecond()
    }

    fn plan_remedy(&self, now: Timestamp, asked: &Remedy) -> Result<Plan, No> {
        let device = self.asked_device(&asked.device_id)?;
        let (kind, job, then) = match &asked.kind {
            Some(Wire::PoeCycle(poe)) => {
                let switch = self.asked_device(&poe.switch_id)?;
                let Some(access) = &switch.remedy.snmp else {
                    return Err(no_rights(switch, "[remedy.snmp]"));
                };
                let off =
                    Duration::from_secs(poe.off_seconds.clamp(*POE_OFF_S.start(), *POE_OFF_S.end()).into());
                let port = Port { switch: switch.id.clone(), group: poe.group, port: poe.port };
                let place = place(&switch.address, access, poe.group, poe.port);
                (Kind::PoeCycle, Job::LookAtPort(place), Some((port, off)))
            }
            Some(Wire::Reboot(_)) => {
                let Some(login) = &device.remedy.http else { return Err(no_rights(device, "[remedy.http]")) };
                let job = Job::Reboot { address: device.address.clone(), login: login.clone() };
                (Kind::Reboot, job, None)
            }
            Some(Wire::ReaddChannel(channel)) => {
                let Some(login) = &device.remedy.http else { return Err(no_rights(device, "[remedy.http]")) };
                if login.protocol != Protocol::Isapi {
                    let text = "a channel is taken up anew over ISAPI only".to_owned();
                    return Err(No("not_possible", text));
                }
                let (address, login) = (device.address.clone(), login.clone());
                (Kind::ReaddChannel, Job::ReaddChannel { address, login, channel: channel.channel }, None)
            }
            None => {
                return Err(No("unknown_kind", "this agent does not know the remedy: update it".to_owned()));
            }
        };
        self.may_begin(now, device, kind, asked.daily_limit)?;
        Ok(Plan { device: device.id.clone(), kind, job, then })
    }

    fn asked_device(&self, id: &str) -> Result<&Device, No> {
        let found = DeviceId::try_from(id.to_owned()).ok().and_then(|id| self.desired.find(&id));
        found.ok_or_else(|| No("unknown_device", format!("the gateway knows no device \"{id}\"")))
    }

    fn may_begin(&self, now: Timestamp, device: &Device, kind: Kind, asked: u32) -> Result<(), No> {
        if let Some(running) = &self.remedies.running {
            let text = format!("another remedy is under way: command {}", running.id);
            return Err(No("busy", text));
        }
        if let Some(id) = self.remedies.ports_off.keys().next() {
            let text = format!("the port of command {id} has yet to be switched on");
            return Err(No("busy", text));
        }
        let limit = if asked == 0 { self.remedies.limit } else { self.remedies.limit.min(asked) };
        let at_ms = self.true_ms(now);
        let of_day = self.remedies.entries.values().filter(|entry| {
            // What lies ahead was stamped by a clock that was wrong; it counts.
            entry.device == device.id && entry.kind == kind && entry.at_ms > at_ms - DAY_MS
        });
        let (mut count, mut refused) = (0_u32, false);
        for entry in of_day {
            count += 1;
            refused |= entry.state == Stage::Unauthorized && entry.config_version == self.desired.version();
        }
        if refused {
            let text = "the device refused this login within the last day; change it, then try again";
            return Err(No("unauthorized", text.to_owned()));
        }
        if count >= limit {
            let text = format!("{count} within the last 24 hours, and this gateway takes {limit}");
            return Err(No("limit", text));
        }
        Ok(())
    }

    /// A job came back.
    pub fn handle_remedy(&mut self, now: Timestamp, id: &str, report: &Report) {
        let running = self.remedies.running.take_if(|running| running.id == id);
        let elapsed_ms = running.as_ref().map(|r| now.as_millisecond() - r.began.as_millisecond());
        match report.end {
            End::Ready => {
                let Some((port, off)) = running.as_ref().and_then(|r| r.then.clone()) else { return };
                let job = self.port_place(&port).map(|place| Job::CyclePort { place, off });
                let Some(job) = job else {
                    return self.end_remedy(
                        now,
                        id,
                        &Report::failed("the switch has left meanwhile"),
                        elapsed_ms,
                    );
                };
                self.keep(id, Stage::PortOff(port));
                self.remedies.running = running.map(|running| Running { then: None, ..running });
                self.start(now, id, job);
            }
            End::PortOff => {
                let tries = self.remedies.ports_off.get(id).map_or(0, |(_, tries)| *tries) + 1;
                let pause = (AGAIN_MIN * 2_u32.pow(tries.min(10))).min(AGAIN_MAX);
                self.remedies.ports_off.insert(id.to_owned(), (after(now, pause), tries));
                tracing::error!(
                    command = id,
                    error = report.error,
                    "a PoE port could not be switched on again"
                );
                if tries == 1 {
                    self.answer_with(now, id, Status::Running, &report.error, said(report, elapsed_ms));
                }
            }
            End::Done | End::Failed | End::Unauthorized => self.end_remedy(now, id, report, elapsed_ms),
        }
        self.flush(now);
    }

    fn end_remedy(&mut self, now: Timestamp, id: &str, report: &Report, elapsed_ms: Option<i64>) {
        let was_off = self.remedies.ports_off.remove(id).is_some();
        let (status, state) = match report.end {
            End::Done => (Status::Done, Stage::Ended),
            End::Unauthorized => (Status::Failed, Stage::Unauthorized),
            End::Ready | End::Failed | End::PortOff => (Status::Failed, Stage::Ended),
        };
        let mut report = report.clone();
        if was_off {
            report.said.insert("switched_on_late".to_owned(), Value::Bool(true));
        }
        if report.end == End::Unauthorized {
            report.said.insert("reason".to_owned(), "unauthorized".into());
        }
        self.keep(id, state);
        self.answer_with(now, id, status, &report.error, said(&report, elapsed_ms));
    }

    /// Switches on what may be off, one port at a time.
    pub(super) fn remedies_timeout(&mut self, now: Timestamp) {
        if self.remedies.running.is_some() {
            return;
        }
        let due = self.remedies.ports_off.iter().find(|(_, (at, _))| *at <= now).map(|(id, _)| id.clone());
        let Some(id) = due else { return };
        let port = match self.remedies.entries.get(&id).map(|entry| &entry.state) {
            Some(Stage::PortOff(port)) => port.clone(),
            Some(Stage::Begun | Stage::Ended | Stage::Unauthorized) | None => {
                self.remedies.ports_off.remove(&id);
                return;
            }
        };
        match self.port_place(&port) {
            Some(place) => {
                self.remedies.running = Some(Running { id: id.clone(), began: now, then: None });
                self.start(now, &id, Job::SwitchOn(place));
            }
            None => {
                // Perhaps the next configuration knows it again.
                let text = format!("`{}` is no device here any more", port.switch);
                let report = Report { error: text, ..Report::new(End::PortOff) };
                self.handle_remedy(now, &id, &report);
            }
        }
    }

    fn port_place(&self, port: &Port) -> Option<crate::remedy::poe::Place> {
        let switch = self.desired.find(&port.switch)?;
        let access = switch.remedy.snmp.as_ref()?;
        Some(place(&switch.address, access, port.group, port.port))
    }

    fn keep(&mut self, id: &str, state: Stage) {
        if let Some(entry) = self.remedies.entries.get_mut(id) {
            entry.state = state;
            self.batch.remedies.push(entry.clone());
        }
    }
}

fn no_rights(device: &Device, table: &str) -> No {
    No("no_rights", format!("\"{}\" has no {table} table, so this gateway may not do that", device.id))
}

fn word(asked: &Remedy) -> &'static str {
    match asked.kind {
        Some(Wire::PoeCycle(_)) => Kind::PoeCycle.as_str(),
        Some(Wire::Reboot(_)) => Kind::Reboot.as_str(),
        Some(Wire::ReaddChannel(_)) => Kind::ReaddChannel.as_str(),
        None => "",
    }
}

fn said(report: &Report, elapsed_ms: Option<i64>) -> String {
    let mut said = report.said.clone();
    if let Some(elapsed_ms) = elapsed_ms {
        said.insert("elapsed_ms".to_owned(), elapsed_ms.into());
    }
    serde_json::to_string(&said).unwrap_or_default()
}
