//! A gateway in a story: the agent's real mind on a disk that is a map, in front of devices whose
//! condition the story sets. Its packets are the real bytes. Its clock is its own: it can be set, and the
//! machine can come up with any time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sitewarden_agent::clock::shifted;
use sitewarden_agent::core::{Command, Core, Setup, Size, Tell};
use sitewarden_agent::discover::Wish;
use sitewarden_agent::probe::{Finding, Outcome, OutcomeState};
use sitewarden_agent::remedy::{End, Job, Report};
use sitewarden_proto::id::GatewayId;
use sitewarden_proto::topic::{Down, Up};
use sitewarden_proto::wire::DiskTrouble;

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

/// What stands for a small JPEG: its beginning, in base64, and as long as the longest.
pub const SNAPSHOT: &str = concat!("/9j/4AAQSkZJRg", include_str!("gateway/filler.txt"));

/// What comes of it when the gateway acts on a device.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// It is done, and nothing is better.
    Done,
    /// It is done, and this device is fine.
    Heals(String),
    /// The device refuses the login.
    Unauthorized,
    /// Nothing comes back: the agent is killed before.
    Lost,
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
    /// What comes of remedies.
    pub deed: Deed,
    /// What was done to devices so far.
    pub deeds: Vec<Job>,
    /// Whether the connection stands.
    linked: bool,
    /// Whether packets are lost on a connection that stands.
    stalled: bool,
    /// Packets with records that left and did not arrive yet, on a slow line.
    way: VecDeque<(Up, Vec<u8>)>,
    /// The time that the line takes for each of them, and when it is free again.
    pace: Option<(SignedDuration, Timestamp)>,
    /// Whether it has power.
    running: bool,
    will: Vec<u8>,
    sessions: u64,
    /// What it paged by itself.
    pub told: Vec<Tell>,
    /// Why its local channel takes nothing, if it does not.
    pub modem_refuses: Option<&'static str>,
    /// What the next look around finds; nothing comes back without it.
    pub finds: Option<Result<serde_json::Value, String>>,
    /// The networks it was to look at so far, each by its command.
    pub looked: Vec<(String, Wish)>,
    /// Its time line minus true time, ms.
    line_ms: i64,
    /// Its system's clock minus true time, ms.
    wall_ms: i64,
}

impl Gateway {
    /// What it shows on its own page to whoever stands before it; nothing before it has a key.
    pub fn arrival_code(&self, now: Timestamp) -> Option<String> {
        sitewarden_agent::arrival::code(self.core.arrival_key()?, &self.id, now)
    }

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
            deed: Deed::Done,
            deeds: Vec::new(),
            linked: false,
            stalled: false,
            way: VecDeque::new(),
            pace: None,
            running: true,
            will: Vec::new(),
            sessions: 0,
            told: Vec::new(),
            modem_refuses: None,
            finds: None,
            looked: Vec::new(),
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

    /// From now on its disk takes nothing, for this reason, and records wait in memory; or it does again.
    pub fn disk_trouble(&mut self, now: Timestamp, trouble: DiskTrouble) {
        self.disk.trouble = trouble;
        let size = self.size();
        self.core.handle_queue(self.own(now), size);
    }

    /// The line takes so long for each packet with records from now on; heartbeats find their way beside them.
    pub fn slow(&mut self, now: Timestamp, each: SignedDuration) {
        self.pace = Some((each, now));
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
        self.way.clear();
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
        self.way.clear();
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
        let (true_now, wall) = (now, shifted(now, self.wall_ms));
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
                    self.core.handle_queue(now, self.size());
                    self.core.handle_appended(head);
                }
                Command::Read { from } => {
                    self.core.handle_records(now, &self.disk.read(from));
                }
                Command::Send { up, bytes } => packets.push((up, bytes)),
                Command::Delete { upto } => self.disk.delete(upto),
                Command::NewEpoch { epoch } => self.disk.new_epoch(epoch),
                Command::Heard { offset_ms } => self.disk.heard(offset_ms),
                Command::Tell(tell) => {
                    let result = self.modem_refuses.map_or(Ok("HTTP 200 sent"), Err);
                    if result.is_ok() {
                        self.told.push(*tell);
                    }
                    self.core.handle_told(now, result.map(str::to_owned).map_err(str::to_owned));
                }
                Command::Refuse { .. } => {}
                Command::Discover { id, wish } => {
                    if let Some(said) = self.finds.take() {
                        self.core.handle_discovery(now, &id, &said);
                    }
                    self.looked.push((id, wish));
                }
                Command::Remedy { id, job } => {
                    if let Some(report) = self.act(job) {
                        self.core.handle_remedy(now, &id, &report);
                    }
                }
            }
        }
        let Some((each, free_at)) = &mut self.pace else { return packets };
        let (beats, records): (Vec<_>, Vec<_>) = packets.into_iter().partition(|(up, _)| *up == Up::Session);
        self.way.extend(records);
        let mut arrived = beats;
        if *free_at <= true_now
            && let Some(packet) = self.way.pop_front()
        {
            *free_at = true_now + *each;
            arrived.push(packet);
        }
        arrived
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
        Size {
            records,
            bytes,
            dropped: self.disk.dropped(),
            oldest: self.disk.oldest(),
            trouble: self.disk.trouble,
        }
    }

    fn act(&mut self, job: Job) -> Option<Report> {
        if matches!(job, Job::LookAtPort(_)) {
            return Some(Report::new(End::Ready));
        }
        let deed = if matches!(job, Job::SwitchOn(_)) { Deed::Done } else { self.deed.clone() };
        self.deeds.push(job);
        match deed {
            Deed::Done => Some(Report::new(End::Done)),
            Deed::Heals(device) => {
                self.set(&device, Condition::Fine);
                Some(Report::new(End::Done).with("off_s", 10))
            }
            Deed::Unauthorized => Some(Report::unauthorized("the device does not accept the password")),
            Deed::Lost => None,
        }
    }

    fn own(&self, now: Timestamp) -> Timestamp {
        shifted(now, self.line_ms)
    }

    fn outcome(&self, device: &str, check: &str) -> Outcome {
        let outcome = |state, code: Option<&str>| Outcome {
            check: check.to_owned(),
            state,
            faults: code
                .map(|code| Finding { code: code.to_owned(), evidence: evidence(check, code) })
                .into_iter()
                .collect(),
            values: if state == OutcomeState::Good { vec![("rtt_ms".to_owned(), 2.5)] } else { Vec::new() },
            facts: BTreeMap::new(),
            elapsed_ms: 3,
            view: None,
            blind: Vec::new(),
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

/// What proves a fault; of a picture's fault a picture.
fn evidence(check: &str, code: &str) -> BTreeMap<String, serde_json::Value> {
    let mut evidence = BTreeMap::from([("text".to_owned(), format!("{check} saw {code}").into())]);
    if code.starts_with("picture_") {
        evidence.insert("picture_jpeg".to_owned(), SNAPSHOT.into());
    }
    evidence
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
        remedies_a_day: 2,
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
        "rtsp" => "rtsp_silent",
        _ => "port_closed",
    }
}
