//! From single outcomes to facts. A fault is raised when N of the last M outcomes of a check show it, and
//! cleared after K good ones in a row; what goes up and down all the time is marked as flapping. Pure.
//!
//! Counting is per check, facts are per device and fault code: two closed ports are one fault `port_closed`,
//! which ends when both are open. Facts are never held back here, not even while a fault flaps or its parent
//! is down: they only carry the word that lets the server withhold a page.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sitewarden_proto::id::{DeviceId, FaultCode};

use crate::clock::after;
use crate::config::{Confirm, Device, FLAP_MAX};

/// A fault that is raised too often within this time flaps, and has to keep still for as long.
const FLAP_WINDOW: Duration = Duration::from_mins(30);

/// What proves a fact: a flat object.
pub type Evidence = BTreeMap<String, Value>;

/// What an outcome can prove by not showing a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sees {
    /// It looked inside: what it does not show is gone.
    Everything,
    /// It got an answer that let nobody look inside: only silence is gone.
    AnAnswer,
    /// It got no answer: the device may be as bad as before, only the kind of silence is known.
    Silence,
    /// It could not even ask.
    Nothing,
}

impl Sees {
    fn clears(self, code: &FaultCode) -> bool {
        match self {
            Self::Everything => true,
            Self::AnAnswer | Self::Silence => crate::model::is_silence(code.as_str()),
            Self::Nothing => false,
        }
    }
}

/// When a fault of a check is believed, and when its end.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// N bad of M raise.
    pub confirm: Confirm,
    /// So many good in a row clear.
    pub clear: u8,
    /// Raised so often within half an hour it flaps; 0 = it never does.
    pub flap: u8,
    /// What an outcome that does not show a fault says about it.
    pub sees: Sees,
}

/// A fact.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The device.
    pub device: DeviceId,
    /// The fault.
    pub code: FaultCode,
    /// What happened to it.
    pub kind: ChangeKind,
    /// When that was decided.
    pub at: Timestamp,
    /// The last good outcome before the fault; None if there was none.
    pub last_good_at: Option<Timestamp>,
    /// The first bad outcome.
    pub first_bad_at: Option<Timestamp>,
    /// The check that decided it.
    pub check: String,
    /// What was measured.
    pub evidence: Evidence,
}

/// What may happen to a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It stands now.
    Raised,
    /// It stands no more.
    Cleared,
    /// It was raised so often that it tells nothing.
    FlapBegan,
    /// It has kept still again.
    FlapEnded,
}

/// A fault that stands, as it is kept over a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The device.
    pub device: DeviceId,
    /// The fault.
    pub code: FaultCode,
    /// The check that shows it.
    pub check: String,
    /// Unix milliseconds of the last good outcome, 0 for none.
    pub last_good_ms: i64,
    /// Unix milliseconds of the first bad outcome.
    pub first_bad_ms: i64,
}

impl Standing {
    /// The same on a clock that shows so much more.
    #[must_use]
    pub fn shifted(self, by_ms: i64) -> Self {
        let shifted = |ms: i64| if ms == 0 { 0 } else { ms.saturating_add(by_ms) };
        let (last_good_ms, first_bad_ms) = (shifted(self.last_good_ms), shifted(self.first_bad_ms));
        Self { last_good_ms, first_bad_ms, ..self }
    }
}

/// All verdicts of a gateway.
#[derive(Debug, Default)]
pub struct Verdicts {
    devices: BTreeMap<DeviceId, Records>,
}

#[derive(Debug, Default)]
struct Records {
    codes: BTreeMap<FaultCode, Record>,
    /// When each check last had an outcome.
    seen: BTreeMap<String, Timestamp>,
}

#[derive(Debug, Default)]
struct Record {
    by_check: BTreeMap<String, Count>,
    raises: VecDeque<Timestamp>,
    is_flapping: bool,
}

impl Record {
    fn stands(&self) -> bool {
        self.by_check.values().any(|count| count.is_raised)
    }
}

#[derive(Debug, Default)]
struct Count {
    /// The last outcomes, newest in bit 0; 1 is bad.
    bits: u16,
    good_run: u8,
    is_raised: bool,
    last_good_at: Option<Timestamp>,
    first_bad_at: Option<Timestamp>,
}

impl Count {
    fn add(&mut self, at: Timestamp, is_bad: bool, rule: Rule) {
        self.bits = self.bits << 1 | u16::from(is_bad);
        if is_bad {
            self.good_run = 0;
            self.first_bad_at.get_or_insert(at);
            let window = u16::MAX >> (16 - u16::from(rule.confirm.of.clamp(1, 16)));
            if (self.bits & window).count_ones() >= u32::from(rule.confirm.bad) {
                self.is_raised = true;
            }
        } else {
            self.good_run = self.good_run.saturating_add(1);
            if self.is_raised && self.good_run >= rule.clear {
                self.is_raised = false;
                self.bits = 0;
            }
            if !self.is_raised {
                self.last_good_at = Some(at);
                let window = u16::MAX >> (16 - u16::from(rule.confirm.of.clamp(1, 16)));
                if self.bits & window == 0 {
                    self.first_bad_at = None;
                }
            }
        }
    }

    fn is_idle(&self) -> bool {
        !self.is_raised && self.bits == 0
    }
}

impl Verdicts {
    /// Takes up again what stood before a restart.
    pub fn restore(standing: &[Standing]) -> Self {
        let mut verdicts = Self::default();
        for fault in standing {
            let ms = |ms: i64| (ms != 0).then(|| crate::clock::from_ms(ms));
            let count = Count {
                bits: 1,
                is_raised: true,
                last_good_at: ms(fault.last_good_ms),
                first_bad_at: ms(fault.first_bad_ms),
                good_run: 0,
            };
            let records = verdicts.devices.entry(fault.device.clone()).or_default();
            records.codes.entry(fault.code.clone()).or_default().by_check.insert(fault.check.clone(), count);
        }
        verdicts
    }

    /// What stands, to be kept over a restart.
    pub fn standing(&self) -> Vec<Standing> {
        let mut standing = Vec::new();
        for (device, records) in &self.devices {
            for (code, record) in &records.codes {
                for (check, count) in record.by_check.iter().filter(|(_, count)| count.is_raised) {
                    let ms = |at: Option<Timestamp>| at.map_or(0, Timestamp::as_millisecond);
                    standing.push(Standing {
                        device: device.clone(),
                        code: code.clone(),
                        check: check.clone(),
                        last_good_ms: ms(count.last_good_at),
                        first_bad_ms: ms(count.first_bad_at),
                    });
                }
            }
        }
        standing
    }

    /// Counts one outcome of a check: `bad` are the fault codes it shows; every other code that this check
    /// showed before counts a good one, as far as the outcome can tell; of those in `blind` it cannot.
    pub fn observe(
        &mut self,
        now: Timestamp,
        device: &DeviceId,
        check: &str,
        rule: Rule,
        (bad, blind): (&[(FaultCode, Evidence)], &[&str]),
    ) -> Vec<Change> {
        let records = self.devices.entry(device.clone()).or_default();
        let before = records.seen.insert(check.to_owned(), now);
        for (code, _) in bad {
            let record = records.codes.entry(code.clone()).or_default();
            record
                .by_check
                .entry(check.to_owned())
                .or_insert_with(|| Count { last_good_at: before, ..Count::default() });
        }
        let mut changes = Vec::new();
        for (code, record) in &mut records.codes {
            let stood = record.stands();
            let Some(count) = record.by_check.get_mut(check) else { continue };
            let shown = bad.iter().find(|(shown, _)| shown == code);
            if shown.is_none() && (!rule.sees.clears(code) || blind.contains(&code.as_str())) {
                continue;
            }
            let (last_good_at, first_bad_at) = (count.last_good_at, count.first_bad_at);
            count.add(now, shown.is_some(), rule);
            let change = Change {
                device: device.clone(),
                code: code.clone(),
                kind: ChangeKind::Raised,
                at: now,
                last_good_at: count.last_good_at,
                first_bad_at: count.first_bad_at,
                check: check.to_owned(),
                evidence: shown.map(|(_, evidence)| evidence.clone()).unwrap_or_default(),
            };
            match (stood, record.stands()) {
                (false, true) => {
                    changes.push(change.clone());
                    changes.extend(record.raised(now, rule.flap, change));
                }
                (true, false) => {
                    changes.push(Change { kind: ChangeKind::Cleared, last_good_at, first_bad_at, ..change });
                }
                (false, false) | (true, true) => {}
            }
        }
        records.forget_idle();
        changes
    }

    /// What stands, as facts once more, for a server that will never read the records in which it was raised.
    pub fn restate(&self, now: Timestamp) -> Vec<Change> {
        let mut changes: Vec<Change> = Vec::new();
        for fault in self.standing() {
            if changes.last().is_some_and(|last| last.device == fault.device && last.code == fault.code) {
                continue;
            }
            let ms = |ms: i64| (ms != 0).then(|| crate::clock::from_ms(ms));
            let mut change = plain(&fault.device, &fault.code, ChangeKind::Raised, now, &fault.check);
            (change.last_good_at, change.first_bad_at) = (ms(fault.last_good_ms), ms(fault.first_bad_ms));
            change.evidence.insert("text".into(), "it still stands; earlier records were lost".into());
            changes.push(change);
        }
        changes
    }

    /// Ends flapping that has kept still.
    pub fn settle(&mut self, now: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        for (device, records) in &mut self.devices {
            for (code, record) in &mut records.codes {
                if record.flap_end().is_some_and(|end| end <= now) {
                    record.is_flapping = false;
                    record.raises.clear();
                    changes.push(plain(device, code, ChangeKind::FlapEnded, now, ""));
                }
            }
            records.forget_idle();
        }
        changes
    }

    /// When [`Verdicts::settle`] has something to say next.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.devices.values().flat_map(|r| r.codes.values()).filter_map(Record::flap_end).min()
    }

    /// Follows a new configuration: what can no longer be measured no longer stands.
    pub fn retain(&mut self, now: Timestamp, devices: &[Device]) -> Vec<Change> {
        let known: BTreeSet<(&DeviceId, &str)> =
            devices.iter().flat_map(|d| d.checks.iter().map(|c| (&d.id, c.name.as_str()))).collect();
        let mut changes = Vec::new();
        for (device, records) in &mut self.devices {
            records.seen.retain(|check, _| known.contains(&(device, check.as_str())));
            for (code, record) in &mut records.codes {
                let stood = record.stands();
                record.by_check.retain(|check, _| known.contains(&(device, check.as_str())));
                if stood && !record.stands() {
                    let mut change = plain(device, code, ChangeKind::Cleared, now, "");
                    change.evidence.insert("text".into(), "the check is no longer configured".into());
                    changes.push(change);
                }
            }
            records.forget_idle();
        }
        self.devices.retain(|_, records| !records.seen.is_empty() || !records.codes.is_empty());
        changes
    }

    /// Whether a fault stands.
    pub fn stands(&self, device: &DeviceId, code: &str) -> bool {
        self.devices.get(device).and_then(|r| r.codes.get(code)).is_some_and(Record::stands)
    }

    /// Whether nothing stands on a device and nothing is about to.
    pub fn is_quiet(&self, device: &DeviceId) -> bool {
        self.devices
            .get(device)
            .is_none_or(|r| r.codes.values().all(|record| record.by_check.values().all(Count::is_idle)))
    }
}

impl Records {
    fn forget_idle(&mut self) {
        for record in self.codes.values_mut() {
            record.by_check.retain(|_, count| !count.is_idle());
        }
        self.codes.retain(|_, record| !record.by_check.is_empty() || !record.raises.is_empty());
    }
}

impl Record {
    fn raised(&mut self, now: Timestamp, limit: u8, change: Change) -> Option<Change> {
        self.raises.push_back(now);
        while self.raises.len() > usize::from(FLAP_MAX)
            || self.raises.front().is_some_and(|at| after(*at, FLAP_WINDOW) < now)
        {
            self.raises.pop_front();
        }
        if self.is_flapping || limit == 0 || self.raises.len() < usize::from(limit) {
            return None;
        }
        self.is_flapping = true;
        Some(Change { kind: ChangeKind::FlapBegan, ..change })
    }

    /// When it will have kept still for long enough; None for a fault that does not flap.
    fn flap_end(&self) -> Option<Timestamp> {
        self.is_flapping.then(|| self.raises.back().map(|at| after(*at, FLAP_WINDOW))).flatten()
    }
}

fn plain(device: &DeviceId, code: &FaultCode, kind: ChangeKind, at: Timestamp, check: &str) -> Change {
    Change {
        device: device.clone(),
        code: code.clone(),
        kind,
        at,
        last_good_at: None,
        first_bad_at: None,
        check: check.to_owned(),
        evidence: Evidence::new(),
    }
}

#[cfg(test)]
mod tests;
