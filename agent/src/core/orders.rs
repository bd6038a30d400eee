//! Signed commands. Each id is journalled before anything is done, so a command acts once even if it arrives
//! twice or the gateway restarts; it is answered accepted, running and done, or why not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use prost::Message;
use serde_json::{Value, json};
use sitewarden_proto::id::DeviceId;
use sitewarden_proto::wire::command::Action;
use sitewarden_proto::wire::command_result::Status;
use sitewarden_proto::wire::{Command as Order, CommandResult, Discover, SignedCommand};

use super::{Command, Core};
use crate::clock::{after, shifted};
use crate::config::Security;
use crate::discover::order;
use crate::session::RecordKind;
use crate::trust::{self, Refused};

/// Ids that are remembered; the disk keeps more than a command's life of them.
const REMEMBERED: usize = 4096;
/// How often the server hears how far a look around is.
const TELL_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Orders {
    key: Vec<u8>,
    /// Id, and whether it was answered for good.
    seen: BTreeMap<String, bool>,
    /// Probes on order: which checks have yet to come back.
    probing: Vec<Probing>,
    /// The look around that is under way.
    looking: Option<Looking>,
}

#[derive(Debug)]
struct Looking {
    id: String,
    told_at: Timestamp,
    steps: (usize, usize),
}

#[derive(Debug)]
struct Probing {
    id: String,
    device: DeviceId,
    checks: BTreeSet<String>,
}

impl Orders {
    pub(super) fn new(key: Vec<u8>, seen: BTreeMap<String, bool>) -> Self {
        Self { key, seen, probing: Vec::new(), looking: None }
    }
}

impl Core {
    /// What was begun before a restart did not end.
    pub(super) fn wake_orders(&mut self, now: Timestamp) {
        let unfinished: Vec<String> =
            self.orders.seen.iter().filter(|(_, done)| !**done).map(|(id, _)| id.clone()).collect();
        // Where a port may be off, it ends when that is on.
        for id in unfinished.into_iter().filter(|id| !self.remedies.is_port_off(id)).collect::<Vec<_>>() {
            self.answer(now, &id, Status::Failed, "the gateway restarted meanwhile; order it again");
        }
    }

    pub(super) fn handle_order(&mut self, now: Timestamp, signed: &SignedCommand) {
        // The server stamps its commands with true time.
        let true_now = shifted(now, self.clocks.offset_ms.unwrap_or(self.wall.shift_ms));
        match trust::open_command(true_now, &self.gateway, &self.orders.key, signed) {
            Ok(order) => {
                if self.is_new(&order.id) {
                    self.answer(now, &order.id, Status::Accepted, "");
                    self.act(now, order);
                }
            }
            Err((Refused::Expired, Some(order))) => {
                if self.is_new(&order.id) {
                    self.answer(now, &order.id, Status::Expired, &Refused::Expired.to_string());
                }
            }
            Err((refused, _)) => {
                self.stats.refused_packets += 1;
                tracing::warn!(error = %refused, "refused a command");
            }
        }
    }

    /// UUIDv7 ids sort by age: the oldest are forgotten first.
    fn is_new(&mut self, id: &str) -> bool {
        while self.orders.seen.len() >= REMEMBERED {
            self.orders.seen.pop_first();
        }
        !self.orders.seen.contains_key(id)
    }

    fn act(&mut self, now: Timestamp, order: Order) {
        match order.action {
            Some(Action::ProbeNow(probe)) => {
                let device = DeviceId::try_from(probe.device_id).ok().and_then(|id| self.desired.find(&id));
                let Some(device) = device else {
                    return self.answer(now, &order.id, Status::Rejected, "the gateway knows no such device");
                };
                let device_id = device.id.clone();
                let checks = device.checks.iter().map(|check| check.name.clone()).collect();
                self.schedule.run_now(now, &device_id);
                self.orders.probing.push(Probing { id: order.id.clone(), device: device_id, checks });
                self.answer(now, &order.id, Status::Running, "");
            }
            Some(Action::Watch(watch)) => {
                self.watch(now, watch.seconds);
                self.answer(now, &order.id, Status::Done, "");
            }
            Some(Action::Remedy(remedy)) => self.begin_remedy(now, &order.id, &remedy),
            Some(Action::Discover(asked)) => self.begin_discovery(now, order.id, &asked),
            None => self.answer(
                now,
                &order.id,
                Status::Rejected,
                "this agent does not know the command: update it",
            ),
        }
    }

    /// A check came back; perhaps the last one that a probe on order waited for.
    pub(super) fn order_outcome(&mut self, now: Timestamp, device: &DeviceId, check: &str) {
        let mut done = Vec::new();
        self.orders.probing.retain_mut(|probing| {
            if probing.device == *device {
                probing.checks.remove(check);
            }
            if probing.checks.is_empty() {
                done.push(probing.id.clone());
            }
            !probing.checks.is_empty()
        });
        for id in done {
            self.answer(now, &id, Status::Done, "");
        }
    }

    fn begin_discovery(&mut self, now: Timestamp, id: String, asked: &Discover) {
        if self.orders.looking.is_some() {
            return self.answer(now, &id, Status::Rejected, "the gateway is looking around already");
        }
        let snmp = match self.snmp_of(&asked.snmp_device_id) {
            Ok(snmp) => snmp,
            Err(error) => return self.answer(now, &id, Status::Rejected, error),
        };
        match order::wish(&asked.net, snmp) {
            Ok(wish) => {
                self.answer(now, &id, Status::Running, "");
                self.orders.looking = Some(Looking { id: id.clone(), told_at: now, steps: (0, 0) });
                self.commands.push_back(Command::Discover { id, wish });
            }
            Err(error) => self.answer(now, &id, Status::Rejected, &error),
        }
    }

    /// How a device is asked over SNMP; nothing when none is named.
    fn snmp_of(&self, device: &str) -> Result<Option<Security>, &'static str> {
        if device.is_empty() {
            return Ok(None);
        }
        let device = DeviceId::try_from(device.to_owned()).ok().and_then(|id| self.desired.find(&id));
        let device = device.ok_or("the gateway does not know the device that says how SNMP is asked")?;
        let found = device.checks.iter().find_map(|check| check.kind.security());
        found.cloned().map(Some).ok_or("the device that was to say how SNMP is asked is not asked over SNMP")
    }

    /// How far a look around is; the server hears of it now and then.
    pub fn handle_discovering(&mut self, now: Timestamp, steps: (usize, usize)) {
        let Some(looking) = &mut self.orders.looking else { return };
        if looking.steps == steps || now < after(looking.told_at, TELL_EVERY) {
            return;
        }
        (looking.told_at, looking.steps) = (now, steps);
        let id = looking.id.clone();
        let far = json!({ "done": steps.0, "all": steps.1 }).to_string();
        self.answer_with(now, &id, Status::Running, "", far);
        self.flush(now);
    }

    /// A look around is over.
    pub fn handle_discovery(&mut self, now: Timestamp, id: &str, said: &Result<Value, String>) {
        self.orders.looking = None;
        match said {
            Ok(found) => self.answer_with(now, id, Status::Done, "", found.to_string()),
            Err(error) => self.answer(now, id, Status::Failed, error),
        }
        self.flush(now);
    }

    pub(super) fn answer(&mut self, now: Timestamp, id: &str, status: Status, error: &str) {
        self.answer_with(now, id, status, error, String::new());
    }

    pub(super) fn answer_with(
        &mut self,
        now: Timestamp,
        id: &str,
        status: Status,
        error: &str,
        result_json: String,
    ) {
        let is_final = match status {
            Status::Done | Status::Rejected | Status::Expired | Status::Failed => true,
            Status::Accepted | Status::Running | Status::Unspecified => false,
        };
        self.orders.seen.insert(id.to_owned(), is_final);
        self.batch.journal.push((id.to_owned(), is_final));
        let result = CommandResult {
            command_id: id.to_owned(),
            status: status.into(),
            at_ms: now.as_millisecond(),
            result_json,
            error: error.to_owned(),
        };
        self.record(now, RecordKind::CommandResult, result.encode_to_vec());
    }
}
