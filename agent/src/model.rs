//! From the latest outcome of every check to the fault codes that stand on a device, and its state.
//!
//! One dead device is one fault. When every check that expects an answer is silent, the device is
//! `unreachable`, and the silence of each single check is only what that looks like from several sides. As
//! soon as one check gets an answer the device lives, and every silent check is a fault of its own. Credentials
//! that are turned away are an answer.
//!
//! Nothing is concluded from what has not been asked yet: while a check has never run and no other has got an
//! answer, silence is kept back. A ping that the gateway may not send says nothing about the device.
//!
//! This file is pure: it reads no clock, asks nobody and remembers nothing.

pub mod access;
pub(crate) mod archive;
pub(crate) mod camera;
pub(crate) mod health;
pub(crate) mod integrity;
pub mod recorder;
pub mod switch;
pub mod ups;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sitewarden_proto::fault::{self, Effect};

use crate::config::{Check, Device, Kind};
use crate::probe::{Finding, Outcome, OutcomeState};

/// The code for a device none of whose checks got an answer.
pub const UNREACHABLE: &str = "unreachable";

/// Whether a code says that no answer came; any other code says something about an answer.
pub fn is_silence(code: &str) -> bool {
    code == UNREACHABLE || code == "port_closed" || code.ends_with("_silent")
}

/// The state of a device. Worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It answers and nothing is wrong.
    Ok,
    /// Nobody can say.
    Unknown,
    /// It works in part.
    Degraded,
    /// It does not work.
    Down,
}

impl State {
    /// The word used in JSON and on screens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}

/// The fault codes that stand on a device by the latest outcome of each of its checks (keyed by the check's
/// name), in the order of the checks, each code once.
pub fn findings(device: &Device, latest: &BTreeMap<String, Outcome>) -> Vec<Finding> {
    let runs: Vec<(&Check, Option<&Outcome>)> =
        device.checks.iter().map(|check| (check, latest.get(&check.name))).collect();
    let reach = Reach::of(&runs);
    let mut standing = Vec::new();
    match reach {
        Reach::None => standing.push(unreachable(device, &runs)),
        Reach::Answered | Reach::Undecided => {}
    }
    for (_, outcome) in &runs {
        let Some(outcome) = outcome else { continue };
        match (outcome.state, reach) {
            // A symptom of the device being unreachable, or not to be judged yet.
            (OutcomeState::Silent, Reach::None | Reach::Undecided) => {}
            (OutcomeState::Silent, Reach::Answered)
            | (
                OutcomeState::Good | OutcomeState::Bad | OutcomeState::Rejected | OutcomeState::NotPermitted,
                Reach::None | Reach::Answered | Reach::Undecided,
            ) => standing.extend(outcome.faults.iter().map(|finding| by_check(finding, &outcome.check))),
        }
    }
    let mut seen = BTreeSet::new();
    standing.retain(|finding| seen.insert(finding.code.clone()));
    standing
}

/// The state of a device with these faults standing: the worst of their effects. Without faults it is
/// unknown as long as no check has got an answer that says how the device is.
pub fn state(latest: &BTreeMap<String, Outcome>, standing: &[Finding]) -> State {
    let worst = standing.iter().map(|finding| effect(&finding.code)).max();
    let is_known = latest.values().any(|outcome| match outcome.state {
        OutcomeState::Good | OutcomeState::Bad => true,
        // A silence without a fault is one that was kept back.
        OutcomeState::Silent | OutcomeState::Rejected | OutcomeState::NotPermitted => false,
    });
    match worst {
        Some(worst) => worst,
        None if is_known => State::Ok,
        None => State::Unknown,
    }
}

/// Whether anything on the device answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// At least one check got an answer.
    Answered,
    /// Every check that could be asked was, and none got an answer.
    None,
    /// Nothing answered so far, and not everything has been asked.
    Undecided,
}

impl Reach {
    fn of(runs: &[(&Check, Option<&Outcome>)]) -> Self {
        let mut silent = 0;
        let mut unasked = 0;
        for (check, outcome) in runs {
            if !expects_answer(&check.kind) {
                continue;
            }
            match outcome.map(|outcome| outcome.state) {
                Some(OutcomeState::Good | OutcomeState::Bad | OutcomeState::Rejected) => {
                    return Self::Answered;
                }
                Some(OutcomeState::Silent) => silent += 1,
                Some(OutcomeState::NotPermitted) => {}
                None => unasked += 1,
            }
        }
        if silent > 0 && unasked == 0 { Self::None } else { Self::Undecided }
    }
}

/// Whether a check asks the device over the network; the gateway's look at itself does not.
fn expects_answer(kind: &Kind) -> bool {
    match kind {
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

fn unreachable(device: &Device, runs: &[(&Check, Option<&Outcome>)]) -> Finding {
    let mut symptoms = serde_json::Map::new();
    for (_, outcome) in runs {
        let Some(outcome) = outcome.filter(|outcome| outcome.state == OutcomeState::Silent) else { continue };
        let texts: Vec<&str> =
            outcome.faults.iter().filter_map(|f| f.evidence.get("text")?.as_str()).collect();
        symptoms.insert(outcome.check.clone(), Value::from(texts.join("; ")));
    }
    let text = format!("none of {} checks of {} got an answer", symptoms.len(), device.address);
    Finding {
        code: UNREACHABLE.to_owned(),
        evidence: BTreeMap::from([
            ("text".to_owned(), Value::from(text)),
            ("address".to_owned(), Value::from(device.address.clone())),
            ("checks".to_owned(), Value::from(symptoms)),
        ]),
    }
}

/// Names the check in a finding's evidence, since two checks of a device may find the same thing.
fn by_check(finding: &Finding, check: &str) -> Finding {
    let mut finding = finding.clone();
    finding.evidence.insert("check".to_owned(), Value::from(check));
    finding
}

/// What a fault does to its device. A code this build does not know leaves the device unknown.
fn effect(code: &str) -> State {
    match fault::find(code).map(|fault| fault.effect) {
        Some(Effect::Down) => State::Down,
        Some(Effect::Degraded) => State::Degraded,
        Some(Effect::Unknown) | None => State::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse_device;
    use OutcomeState::{Bad, Good, NotPermitted, Rejected, Silent};

    const CAMERA: &str = r#"
        address = "192.0.2.7"
        [[check]]
        kind = "icmp"
        [[check]]
        kind = "http"
        [[check]]
        kind = "tcp"
        port = 554
    "#;

    /// Judges the camera by (check, state, code) and returns the codes that stand and the state.
    fn check(seen: &[(&str, OutcomeState, &str)]) -> (Vec<String>, State) {
        let device = parse_device(CAMERA, "test.toml", "cam-3").unwrap();
        let latest: BTreeMap<String, Outcome> = seen
            .iter()
            .map(|(check, state, code)| {
                let faults = if code.is_empty() {
                    Vec::new()
                } else {
                    vec![Finding { code: (*code).to_owned(), evidence: BTreeMap::new() }]
                };
                let outcome = Outcome {
                    check: (*check).to_owned(),
                    state: *state,
                    faults,
                    values: Vec::new(),
                    facts: BTreeMap::new(),
                    elapsed_ms: 1,
                    view: None,
                    blind: Vec::new(),
                };
                ((*check).to_owned(), outcome)
            })
            .collect();
        let standing = findings(&device, &latest);
        let state = state(&latest, &standing);
        (standing.into_iter().map(|finding| finding.code).collect(), state)
    }

    #[test]
    fn a_healthy_camera_is_ok() {
        assert_eq!(check(&[("icmp", Good, ""), ("http", Good, ""), ("tcp", Good, "")]), (vec![], State::Ok));
    }

    #[test]
    fn a_dead_camera_is_one_fault() {
        let dead = check(&[
            ("icmp", Silent, "icmp_silent"),
            ("http", Silent, "http_silent"),
            ("tcp", Silent, "port_closed"),
        ]);
        assert_eq!(dead, (vec!["unreachable".to_owned()], State::Down));
    }

    #[test]
    fn one_answer_makes_the_others_faults_of_their_own() {
        let half =
            check(&[("icmp", Good, ""), ("http", Silent, "http_silent"), ("tcp", Silent, "port_closed")]);
        assert_eq!(half, (vec!["http_silent".to_owned(), "port_closed".to_owned()], State::Degraded));
    }

    #[test]
    fn a_rejected_password_is_an_answer_and_leaves_the_state_unknown() {
        let locked = check(&[("http", Rejected, "http_auth_rejected")]);
        assert_eq!(locked, (vec!["http_auth_rejected".to_owned()], State::Unknown));
        let locked = check(&[
            ("icmp", Silent, "icmp_silent"),
            ("http", Rejected, "http_auth_rejected"),
            ("tcp", Good, ""),
        ]);
        assert_eq!(
            locked,
            (vec!["icmp_silent".to_owned(), "http_auth_rejected".to_owned()], State::Degraded)
        );
    }

    #[test]
    fn silence_is_kept_back_until_everything_was_asked() {
        assert_eq!(check(&[]), (vec![], State::Unknown));
        assert_eq!(check(&[("icmp", Silent, "icmp_silent")]), (vec![], State::Unknown));
        assert_eq!(check(&[("icmp", Silent, "icmp_silent"), ("tcp", Good, "")]).0, ["icmp_silent"]);
    }

    #[test]
    fn a_ping_that_may_not_be_sent_neither_saves_nor_kills_a_device() {
        let down = check(&[
            ("icmp", NotPermitted, "icmp_not_permitted"),
            ("http", Silent, "http_silent"),
            ("tcp", Silent, "port_closed"),
        ]);
        assert_eq!(down, (vec!["unreachable".to_owned(), "icmp_not_permitted".to_owned()], State::Down));
        let blind = check(&[("icmp", NotPermitted, "icmp_not_permitted")]);
        assert_eq!(blind.1, State::Unknown);
    }

    #[test]
    fn a_bad_answer_stands_beside_the_others() {
        let bad = check(&[("icmp", Bad, "loss_high"), ("http", Bad, "http_status"), ("tcp", Good, "")]);
        assert_eq!(bad, (vec!["loss_high".to_owned(), "http_status".to_owned()], State::Degraded));
    }
}
