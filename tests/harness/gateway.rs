//! A gateway in a story: the agent's real mind on a disk that is a map, in front of devices whose
//! condition the story sets. Its packets are the real bytes. Its clock is its own: it can be set, and the
//! machine can come up with any time.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use sitewarden_agent::clock::shifted;
use sitewarden_agent::core::{Command, Core, Setup, Size};
use sitewarden_agent::probe::{Finding, Outcome, OutcomeState};
use sitewarden_proto::id::GatewayId;
use sitewarden_proto::topic::{Down, Up};

pub mod disk;

use disk::Disk;

/// How a device answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// Every check is good.
    Fine,
    /// Nothing answers.
    Dead,
    /// One check sees one fault; the others are good.
    Faulty {
        /// The check.
        check: String,
        /// The fault code.
        code: String,
    },
    /// One check's credentials are rejected; the others are good.
    Rejects {
        /// The check.
        check: String,
        /// The fault code.
        code: String,
    },
}

/// A gateway in a story.
pub struct Gateway {
    /// Its id.
    pub id: GatewayId,
    /// What survives a restart.
    pub disk: Disk,
    core: Core,
    command_key: Vec<u8>,
    conditions: BTreeMap<String, Condition>,
    /// Whether the connection stands.
    linked: bool,
    /// Whether packets are lost on a connection that stands.
    stalled: bool,
    /// Whether it has power.
    running: bool,
    will: Vec<u8>,
    sessions: u64,
    /// Its time line minus true time, ms.
    line_ms: i64,
    /// Its system's clock minus true time, ms.
    wall_ms: i64,
}

impl Gateway {
    /// A gateway that was just enrolled and has not connected yet.
    pub fn new(id: GatewayId, command_key: Vec<u8>, now: Timestamp, behind_ms: i64) -> Self {
        let line = shifted(now, -behind_ms);
        let disk = Disk::new(7, line);
        Self {
            core: wake(&id, &disk, &command_key, line),
            id,
            disk,
            command_key,
            conditions: BTreeMap::new(),
            linked: false,
            stalled: false,
            running: true,
            will: Vec::new(),
            sessions: 0,
            line_ms: -behind_ms,
            wall_ms: -behind_ms,
        }
    }

    /// Sets how a device answers from now on.
    pub fn set(&mut self, device: &str, condition: Condition) {
        self.conditions.insert(device.to_owned(), condition);
    }

    /// Its clock is set: so far behind from now on.
    pub fn set_behind(&mut self, behind_ms: i64) {
        self.wall_ms = -behind_ms;
    }

    /// Whether packets get through.
    pub fn is_linked(&self) -> bool {
        self.linked && !self.stalled
    }

    /// The connection stands, but nothing gets through it, or does again.
    pub fn stall(&mut self, stalled: bool) {
        self.stalled = stalled;
    }

    /// The connection comes up.
    pub fn connect(&mut self, now: Timestamp) {
        self.sessions += 1;
        self.linked = true;
        let now = self.own(now);
        self.will = self.core.will(now, self.sessions);
        self.core.handle_connected(now, self.sessions);
    }

    /// The connection breaks; the will that the broker would publish.
    pub fn disconnect(&mut self, now: Timestamp) -> Vec<u8> {
        self.linked = false;
        self.core.handle_disconnected(self.own(now));
        std::mem::take(&mut self.will)
    }

    /// The power goes: it neither looks nor speaks.
    pub fn stop(&mut self, now: Timestamp) -> Vec<u8> {
        self.running = false;
        self.disconnect(now)
    }

    /// The power comes back.
    pub fn start(&mut self, now: Timestamp) {
        self.running = true;
        self.connect(now);
    }

    /// The agent is killed and starts again: what it had not committed is gone, and so is the connection.
    pub fn restart(&mut self, now: Timestamp) -> Vec<u8> {
        self.linked = false;
        self.core = wake(&self.id, &self.disk, &self.command_key, self.own(now));
        std::mem::take(&mut self.will)
    }

    /// Somebody sets the system's clock: NTP, or a hand that errs.
    pub fn set_clock(&mut self, now: Timestamp, to: Timestamp) {
        self.wall_ms = to.as_millisecond() - now.as_millisecond();
    }

    /// The machine restarts while it is cut off, and its system's clock shows `wall`.
    pub fn reboot(&mut self, now: Timestamp, wall: Timestamp) {
        let line = self.disk.next_boot(self.core.clocks(), self.own(now), wall);
        self.line_ms = line.as_millisecond() - now.as_millisecond();
        self.set_clock(now, wall);
        self.restart(now);
    }

    /// What the server answered.
    pub fn receive(&mut self, now: Timestamp, down: Down, bytes: &[u8]) {
        let now = self.own(now);
        self.core.handle_packet(now, down, bytes);
    }

    /// Lets the mind work until nothing is left to do now; the packets that leave.
    pub fn work(&mut self, now: Timestamp) -> Vec<(Up, Vec<u8>)> {
        let mut packets = Vec::new();
        if !self.running {
            return packets;
        }
        let wall = shifted(now, self.wall_ms);
        let now = self.own(now);
        self.core.handle_wall(now, wall, false);
        if self.core.poll_timeout().is_some_and(|due| due <= now) {
            self.core.handle_timeout(now);
        }
        while let Some(command) = self.core.next_command() {
            match command {
                Command::RunCheck { device, check } => {
                    let outcome = self.outcome(device.as_str(), &check);
                    self.core.handle_outcome(now, &device, &check, outcome);
                }
                Command::Append(batch) => {
                    let head = self.disk.append(batch);
                    self.core.handle_queue(self.size());
                    self.core.handle_appended(head);
                }
                Command::Read { from } => {
                    self.core.handle_records(now, &self.disk.read(from));
                }
                Command::Send { up, bytes } => packets.push((up, bytes)),
                Command::Delete { upto } => self.disk.delete(upto),
                Command::NewEpoch { epoch } => self.disk.new_epoch(epoch),
                Command::Heard { offset_ms } => self.disk.heard(offset_ms),
                Command::Refuse { .. } => {}
            }
        }
        packets
    }

    /// How much the agent's mind holds: the length of its description.
    pub fn mind(&self) -> usize {
        format!("{:?}", self.core).len()
    }

    /// How many records wait for the server.
    pub fn waiting(&self) -> usize {
        self.disk.waiting()
    }

    fn size(&self) -> Size {
        let (records, bytes) = (self.disk.waiting() as u64, self.disk.bytes() as u64);
        Size { records, bytes, dropped: self.disk.dropped(), oldest: self.disk.oldest() }
    }

    fn own(&self, now: Timestamp) -> Timestamp {
        shifted(now, self.line_ms)
    }

    fn outcome(&self, device: &str, check: &str) -> Outcome {
        let outcome = |state, code: Option<&str>| Outcome {
            check: check.to_owned(),
            state,
            faults: code
                .map(|code| Finding {
                    code: code.to_owned(),
                    evidence: BTreeMap::from([("text".to_owned(), format!("{check} saw {code}").into())]),
                })
                .into_iter()
                .collect(),
            values: if state == OutcomeState::Good { vec![("rtt_ms".to_owned(), 2.5)] } else { Vec::new() },
            facts: BTreeMap::new(),
            elapsed_ms: 3,
        };
        match self.conditions.get(device).unwrap_or(&Condition::Fine) {
            Condition::Dead => outcome(OutcomeState::Silent, Some(silence(check))),
            Condition::Faulty { check: at, code } if at == check => outcome(OutcomeState::Bad, Some(code)),
            Condition::Rejects { check: at, code } if at == check => {
                outcome(OutcomeState::Rejected, Some(code))
            }
            Condition::Fine | Condition::Faulty { .. } | Condition::Rejects { .. } => {
                outcome(OutcomeState::Good, None)
            }
        }
    }
}

/// The agent's mind as it wakes up with what is on its disk.
fn wake(id: &GatewayId, disk: &Disk, command_key: &[u8], now: Timestamp) -> Core {
    let setup = Setup {
        gateway: id.clone(),
        local: Vec::new(),
        heartbeat: Duration::from_secs(30),
        block: Duration::from_secs(300),
        command_key: command_key.to_vec(),
        spare_epoch: 99,
        kept: disk.kept(),
    };
    Core::new(now, setup)
}

/// The fault code of a check that got no answer; in stories a check is named after its kind.
fn silence(check: &str) -> &'static str {
    match check {
        "icmp" => "icmp_silent",
        "http" => "http_silent",
        "snmp" => "snmp_silent",
        "ntp" => "ntp_silent",
        _ => "port_closed",
    }
}
