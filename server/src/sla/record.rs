//! From a ticket's log to what its clocks count: which line of the log is which event, and which are none.
//!
//! Nothing is decided here that a contract decides: a line says what happened, the contract says what that starts and
//! stops. A machine's report counts from when it was received, since nobody could answer before; its end counts from
//! when it happened, since that is when it worked again.

use jiff::Timestamp;
use serde_json::Value;

use super::event::{Event, What};
use crate::contract::{Chooser, Contract};

/// A line of a ticket's log.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its place in the log.
    pub seq: i64,
    /// What happened.
    pub kind: String,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When the server heard of it.
    pub recorded_at: Timestamp,
    /// What the clock of the device showed that recorded it.
    pub device_at: Option<Timestamp>,
    /// How far that clock was ahead, ms.
    pub skew_ms: i64,
    /// Who.
    pub actor: String,
    /// `machine`, `person` or `system`.
    pub source: String,
    /// The particulars.
    pub body: Value,
    /// The line it stands instead of.
    pub supersedes: Option<i64>,
}

/// What the log itself does not say.
#[derive(Clone, Copy, Debug)]
pub struct Heading<'a> {
    /// The ticket's number.
    pub number: i64,
    /// The contract's own key for where the site lies; may be empty.
    pub zone: &'a str,
    /// The contract that governs it.
    pub contract: &'a Contract,
    /// When the tickets were reported that were merged into this one, by their numbers.
    pub reported: &'a [(i64, Timestamp)],
}

/// The evidence of what is only claimed: something speaks against it, so it stops no clock, whatever the contract asks.
pub const CLAIMED: &str = "claimed";
/// The evidence of what was seen by measuring.
pub const TELEMETRY: &str = "telemetry";
/// The evidence of whoever takes a ticket.
pub const ACK: &str = "ack";

/// The events of a log.
pub fn events(lines: &[Line], heading: Heading<'_>) -> Vec<Event> {
    let mut events = Vec::with_capacity(lines.len() + 4);
    for line in lines {
        let mut told = Told { events: &mut events, line };
        match line.kind.as_str() {
            "opened" => {
                let severity = told.word("severity");
                if !heading.zone.is_empty() {
                    told.at_report("zone", What::Zone(heading.zone.to_owned()));
                }
                told.at_report("priority", assessed(heading.contract, &severity));
                told.at_report("notified", What::Step("notified".to_owned()));
                told.at_report("", What::Step("reported".to_owned()));
            }
            "fault_raised" => {
                let severity = told.word("severity");
                told.at_report("", assessed(heading.contract, &severity));
            }
            "acked" => told.step("", "first_human_reply", &[ACK]),
            "closed" => {
                let evidence: &[&str] = if line.source == "machine" { &[TELEMETRY] } else { &[] };
                // By the order of their ids: what is closed was restored first.
                told.step("1", "restored", evidence);
                told.step("2", "resolved", evidence);
                told.step("3", "closed", evidence);
            }
            "reopened" => told.plain("", What::Reopened),
            "merged" => {
                let from = line.body["from"].as_i64().unwrap_or_default();
                if from == heading.number {
                    let into = line.body["into"].as_i64().unwrap_or_default();
                    told.plain("", What::MergedInto(format!("#{into}")));
                } else if let Some((_, reported_at)) = heading.reported.iter().find(|one| one.0 == from) {
                    told.plain("", What::Absorbed { reported_at: *reported_at });
                }
            }
            "fact" => {
                if let Some(what) = fact(&line.body, heading.contract) {
                    let evidence: Vec<String> = line.body["evidence"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(|one| one.as_str().map(str::to_owned))
                        .collect();
                    told.push("", what, line.occurred_at, evidence);
                }
            }
            _ => {}
        }
    }
    events
}

/// What a fact says; `None` where it says nothing that is known.
fn fact(body: &Value, contract: &Contract) -> Option<What> {
    let word = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let what = word("what");
    Some(match what.as_str() {
        "" => return None,
        "paused" => What::Pause { reason: word("reason"), approver: word("approver") },
        "resumed" => What::Resume,
        "priority" => What::Priority {
            level: word("level"),
            assessed: contract.chooser != Chooser::Customer || body["assessed"] == true,
        },
        "zone" => What::Zone(word("zone")),
        "contract" => What::Contract(body["version"].as_i64()?.to_string()),
        "agreed" => What::Agreed {
            at: Timestamp::from_millisecond(body["at"].as_i64()?).ok()?,
            consent: Some(word("consent")).filter(|who| !who.is_empty()),
        },
        "void" => What::Void { clock: word("clock"), reason: word("reason"), approver: word("approver") },
        "withdrawn" => What::Withdrawn,
        step => What::Step(step.to_owned()),
    })
}

/// What a severity of the catalogue is by a contract: the priority of that name, or the one of its place among the
/// contract's, the most urgent first.
fn assessed(contract: &Contract, severity: &str) -> What {
    let levels = &contract.priorities;
    let last = levels.len().saturating_sub(1);
    let place = match severity {
        "critical" => 0,
        "major" => last.min(1),
        _ => last,
    };
    let named = levels.iter().find(|level| level.name == severity).or_else(|| levels.get(place));
    What::Priority {
        level: named.map_or_else(|| severity.to_owned(), |level| level.name.clone()),
        assessed: true,
    }
}

struct Told<'a> {
    events: &'a mut Vec<Event>,
    line: &'a Line,
}

impl Told<'_> {
    fn word(&self, name: &str) -> String {
        self.line.body[name].as_str().unwrap_or_default().to_owned()
    }

    /// What counts from when the server heard of it.
    fn at_report(&mut self, part: &str, what: What) {
        self.push(part, what, self.line.recorded_at, Vec::new());
    }

    fn plain(&mut self, part: &str, what: What) {
        self.push(part, what, self.line.occurred_at, Vec::new());
    }

    fn step(&mut self, part: &str, step: &str, evidence: &[&str]) {
        let evidence = evidence.iter().map(|one| (*one).to_owned()).collect();
        self.push(part, What::Step(step.to_owned()), self.line.occurred_at, evidence);
    }

    fn push(&mut self, part: &str, what: What, occurred_at: Timestamp, evidence: Vec<String>) {
        let line = self.line;
        let id = if part.is_empty() { id_of(line.seq) } else { format!("{}.{part}", id_of(line.seq)) };
        self.events.push(Event {
            id,
            what,
            occurred_at,
            recorded_at: line.recorded_at,
            device_at: line.device_at,
            skew_s: line.skew_ms.div_euclid(1000),
            actor: line.actor.clone(),
            evidence,
            supersedes: line.supersedes.map(id_of),
        });
    }
}

/// The id of a line's event; ids are ordered as the lines are.
fn id_of(seq: i64) -> String {
    format!("{seq:06}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sla::tests::contract;

    fn line(seq: i64, kind: &str, source: &str, body: Value) -> Line {
        let at = Timestamp::from_second(1_772_380_800 + seq * 60).unwrap();
        Line {
            seq,
            kind: kind.into(),
            occurred_at: at,
            recorded_at: at + jiff::SignedDuration::from_secs(30),
            device_at: None,
            skew_ms: 0,
            actor: String::new(),
            source: source.into(),
            body,
            supersedes: None,
        }
    }

    #[test]
    fn a_log_says_what_happened_and_nothing_else() {
        let text = "priority_chooser = \"desk\"\n[[priority]]\nname = \"a\"\n[[priority]]\nname = \"b\"\n[[priority]]\nname = \"c\"\n";
        let contract = contract(text);
        let lines = [
            line(1, "opened", "machine", json!({ "severity": "major" })),
            line(2, "page_sent", "system", json!({})),
            line(3, "acked", "person", json!({})),
            line(4, "fact", "person", json!({ "what": "arrived", "evidence": ["qr"] })),
            line(
                5,
                "fact",
                "person",
                json!({ "what": "paused", "reason": "access", "approver": "customer" }),
            ),
            line(6, "merged", "system", json!({ "from": 7, "into": 1 })),
            line(7, "merged", "system", json!({ "from": 1, "into": 9 })),
            line(8, "closed", "machine", json!({ "reason": "machine" })),
        ];
        let reported = [(7, lines[0].occurred_at)];
        let heading = Heading { number: 1, zone: "city", contract: &contract, reported: &reported };
        let events = events(&lines, heading);
        let told: Vec<(&str, String)> =
            events.iter().map(|event| (event.id.as_str(), format!("{:?}", event.what))).collect();
        assert_eq!(
            told,
            [
                ("000001.zone", "Zone(\"city\")".to_owned()),
                ("000001.priority", "Priority { level: \"b\", assessed: true }".to_owned()),
                ("000001.notified", "Step(\"notified\")".to_owned()),
                ("000001", "Step(\"reported\")".to_owned()),
                ("000003", "Step(\"first_human_reply\")".to_owned()),
                ("000004", "Step(\"arrived\")".to_owned()),
                ("000005", "Pause { reason: \"access\", approver: \"customer\" }".to_owned()),
                ("000006", format!("Absorbed {{ reported_at: {:?} }}", lines[0].occurred_at)),
                ("000007", "MergedInto(\"#9\")".to_owned()),
                ("000008.1", "Step(\"restored\")".to_owned()),
                ("000008.2", "Step(\"resolved\")".to_owned()),
                ("000008.3", "Step(\"closed\")".to_owned()),
            ]
        );
        assert_eq!(events[3].occurred_at, lines[0].recorded_at, "a report counts from when it was received");
        assert_eq!(events[9].occurred_at, lines[7].occurred_at, "an end from when it happened");
        assert_eq!(
            (events[5].evidence.clone(), events[9].evidence.clone()),
            (vec!["qr".into()], vec![TELEMETRY.into()])
        );
    }
}
