//! From the outcomes of a device's checks to samples for the verdicts. Pure.
//!
//! A device that dies is noticed by its most frequent check first; the last answers of the others are then
//! minutes old and prove nothing. So an answer from before the silence began does not count, the other checks
//! are hurried, and silence is judged only when the model has enough to tell a dead device from a dead service.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sitewarden_proto::id::{DeviceId, FaultCode};

use crate::config::{Check, Confirm, Device, Kind};
use crate::model;
use crate::probe::{Outcome, OutcomeState};
use crate::verdict::{Evidence, Rule, Sees};

/// The latest outcomes of all devices.
#[derive(Debug, Default)]
pub(super) struct Judge {
    devices: BTreeMap<DeviceId, Latest>,
}

#[derive(Debug, Default)]
struct Latest {
    outcomes: BTreeMap<String, (Timestamp, Outcome)>,
    /// When a check last turned silent; None while none is.
    silent_since: Option<Timestamp>,
    /// Checks whose latest outcome is not judged yet.
    waiting: BTreeSet<String>,
}

/// What one outcome leads to.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// Samples for the verdicts.
    pub(super) runs: Vec<Run>,
    /// These checks of the device should run soon: their outcomes are out of date.
    pub(super) hurry: Vec<String>,
    /// A check that answered, or that nobody had asked yet, does not answer.
    pub(super) fell_silent: bool,
}

/// One sample of one check.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) check: String,
    pub(super) rule: Rule,
    pub(super) bad: Vec<(FaultCode, Evidence)>,
    /// Codes of which it can say nothing.
    pub(super) blind: Vec<&'static str>,
}

impl Judge {
    /// Forgets what is no longer configured, or configured differently.
    pub(super) fn retain(&mut self, before: &[Device], after: &[Device]) {
        self.devices.retain(|id, latest| {
            let old = before.iter().find(|d| d.id == *id);
            let Some(new) = after.iter().find(|d| d.id == *id) else { return false };
            let is_kept = |check: &str| {
                new.find_check(check).is_some_and(|c| old.and_then(|d| d.find_check(check)) == Some(c))
            };
            latest.outcomes.retain(|check, _| is_kept(check));
            latest.waiting.retain(|check| is_kept(check));
            true
        });
    }

    /// Takes in one outcome.
    pub(super) fn add(&mut self, now: Timestamp, device: &Device, check: &str, outcome: Outcome) -> Judged {
        let latest = self.devices.entry(device.id.clone()).or_default();
        let is_silent = |o: &Outcome| o.state == OutcomeState::Silent;
        let is_silent_now = is_silent(&outcome);
        let before = latest.outcomes.insert(check.to_owned(), (now, outcome));
        let was_silent = before.as_ref().is_some_and(|(_, o)| is_silent(o));
        latest.waiting.insert(check.to_owned());
        if is_silent_now && !was_silent {
            latest.silent_since = Some(now);
        } else if !latest.outcomes.values().any(|(_, o)| is_silent(o)) {
            latest.silent_since = None;
        }
        // Silence puts the answers of the others in doubt, an answer their silence.
        let hurry = if is_silent_now == was_silent || (!is_silent_now && before.is_none()) {
            Vec::new()
        } else {
            let others = latest.outcomes.iter().filter(|(_, (_, o))| is_silent(o) != is_silent_now);
            others.map(|(name, _)| name.clone()).collect()
        };
        let fresh = latest.fresh(device);
        let standing = model::findings(device, &fresh);
        let is_decided = Latest::is_decided(device, &fresh);
        let primary = primary(device).map(|c| c.name.clone());
        let ready: Vec<String> = latest
            .waiting
            .iter()
            .filter(|name| is_decided || latest.outcomes.get(*name).is_none_or(|(_, o)| !is_silent(o)))
            .cloned()
            .collect();
        let mut runs = Vec::new();
        for name in ready {
            latest.waiting.remove(&name);
            let (Some(check), Some((_, outcome))) = (device.find_check(&name), latest.outcomes.get(&name))
            else {
                continue;
            };
            let is_primary = primary.as_ref() == Some(&name);
            let bad = standing
                .iter()
                .filter(|finding| {
                    let is_own = outcome.faults.iter().any(|own| own.code == finding.code);
                    is_own || (is_primary && finding.code == model::UNREACHABLE)
                })
                .filter_map(|finding| {
                    // The model keeps one finding of a code; the evidence is that of this check.
                    let own = outcome.faults.iter().find(|own| own.code == finding.code).unwrap_or(finding);
                    Some((FaultCode::try_from(finding.code.clone()).ok()?, own.evidence.clone()))
                })
                .collect();
            let blind = outcome.blind.clone();
            runs.push(Run { check: name, rule: rule(check, outcome), bad, blind });
        }
        Judged { runs, hurry, fell_silent: is_silent_now && !was_silent }
    }

    /// When a device last gave an answer, good or bad.
    pub(super) fn answered_at(&self, device: &DeviceId) -> Option<Timestamp> {
        let outcomes = self.devices.get(device)?.outcomes.values();
        let answers = outcomes.filter(|(_, outcome)| match outcome.state {
            OutcomeState::Good | OutcomeState::Bad | OutcomeState::Rejected => true,
            OutcomeState::Silent | OutcomeState::NotPermitted => false,
        });
        answers.map(|(at, _)| *at).max()
    }

    /// Whether every check of the device has run and was good.
    pub(super) fn is_all_good(&self, device: &Device) -> bool {
        self.devices.get(&device.id).is_some_and(|latest| {
            device.checks.iter().all(|check| {
                latest.outcomes.get(&check.name).is_some_and(|(_, o)| o.state == OutcomeState::Good)
            })
        })
    }
}

impl Latest {
    /// The outcomes that still prove something.
    fn fresh(&self, device: &Device) -> BTreeMap<String, Outcome> {
        let mut fresh = BTreeMap::new();
        for (name, (at, outcome)) in &self.outcomes {
            let is_stale = device.find_check(name).is_some_and(asks_the_device)
                && self.silent_since.is_some_and(|since| *at < since);
            match (is_stale, outcome.state) {
                (false, _) | (true, OutcomeState::NotPermitted | OutcomeState::Silent) => {
                    fresh.insert(name.clone(), outcome.clone());
                }
                // Rejected credentials are not tried again soon: the check stays out of the question.
                (true, OutcomeState::Rejected) => {
                    let outcome = Outcome { state: OutcomeState::NotPermitted, ..outcome.clone() };
                    fresh.insert(name.clone(), outcome);
                }
                (true, OutcomeState::Good | OutcomeState::Bad) => {}
            }
        }
        fresh
    }

    /// Whether every check that asks the device has a fresh outcome, or one of them got an answer.
    fn is_decided(device: &Device, fresh: &BTreeMap<String, Outcome>) -> bool {
        let mut asking = device.checks.iter().filter(|check| asks_the_device(check));
        let answered = device.checks.iter().filter(|c| asks_the_device(c)).any(|c| {
            fresh.get(&c.name).is_some_and(|o| match o.state {
                OutcomeState::Good | OutcomeState::Bad | OutcomeState::Rejected => true,
                OutcomeState::Silent | OutcomeState::NotPermitted => false,
            })
        });
        answered || asking.all(|check| fresh.contains_key(&check.name))
    }
}

/// The check whose outcomes count for the device as a whole: the most frequent one that asks it.
pub(super) fn primary(device: &Device) -> Option<&Check> {
    device.checks.iter().filter(|check| asks_the_device(check)).min_by_key(|check| check.every)
}

fn asks_the_device(check: &Check) -> bool {
    match check.kind {
        Kind::Icmp { .. }
        | Kind::Tcp { .. }
        | Kind::Http(_)
        | Kind::Tls { .. }
        | Kind::Ntp { .. }
        | Kind::Snmp(_)
        | Kind::Topology(_)
        | Kind::Rtsp(_)
        | Kind::Picture(_)
        | Kind::Isapi(_)
        | Kind::Dahua(_)
        | Kind::Onvif(_)
        | Kind::Switch(_)
        | Kind::Ups(_)
        | Kind::Nut(_) => true,
        Kind::Host => false,
    }
}

/// Rejected credentials are believed at once: asking again could lock the account.
fn rule(check: &Check, outcome: &Outcome) -> Rule {
    let usual = |sees| Rule { confirm: check.confirm, clear: check.clear, flap: check.flap, sees };
    match outcome.state {
        OutcomeState::Rejected => {
            Rule { confirm: Confirm { bad: 1, of: 1 }, clear: 1, ..usual(Sees::AnAnswer) }
        }
        OutcomeState::Good | OutcomeState::Bad => usual(Sees::Everything),
        OutcomeState::Silent => usual(Sees::Silence),
        OutcomeState::NotPermitted => usual(Sees::Nothing),
    }
}
