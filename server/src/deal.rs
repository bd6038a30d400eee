//! What is settled with the customer over a ticket: whether the work is free and why, the plan and the fee before work
//! begins (联络函), who consented to a part or a charge, the substitute device, and what a breach costs us.
//!
//! All of it is read off the ticket's own record, which is append-only. An unknown cause is neither free nor charged
//! before a person decides; no fee is offered where the work is free, none is owed that the customer did not agree
//! to, and where our diagnosis was wrong the contract may make it our own cost.

pub mod api;
pub mod store;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

use crate::contract::Contract;
use crate::contract::measure::Fen;
use crate::contract::warranty::Moment;

/// Rounds of plan and fee where the contract names none.
pub const ROUNDS: i64 = 3;

/// A line of the record.
#[derive(Clone, Debug)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// Who wrote it.
    pub actor: String,
    /// `what` and its particulars.
    pub body: Value,
}

/// Whether the work is free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// `free`, `chargeable` or `needs_person`.
    pub outcome: String,
    /// Whether a person decided it, not the contract.
    pub ruled: bool,
    /// Who asked or decided.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Everything that was asked and answered.
    pub body: Value,
}

/// A plan with its fee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Which one, from 1.
    pub round: i64,
    /// What is to be done.
    pub plan: String,
    /// What it costs.
    pub fee: Fen,
    /// How that was worked out.
    pub charges: Value,
    /// Who wrote it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What the customer said.
    pub answer: Option<Answer>,
}

/// What the customer said to a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether the customer agreed.
    pub accepted: bool,
    /// Who.
    pub by: String,
    /// How that is proved.
    pub evidence: String,
    /// When.
    pub at: Timestamp,
}

/// What was settled.
#[derive(Clone, Debug, Default)]
pub struct Deal {
    /// The newest decision about who pays.
    pub coverage: Option<Coverage>,
    /// Plans and fees, oldest first.
    pub offers: Vec<Offer>,
    /// That our diagnosis was wrong.
    pub misdiagnosis: Option<Line>,
    /// Parts that replaced others, or were used up.
    pub parts: Vec<Line>,
    /// Substitute devices out and back.
    pub loans: Vec<Line>,
    /// What was decided about penalties, the newest of a clock's run last.
    pub penalties: Vec<Line>,
}

/// Why something cannot be settled so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum No {
    /// Nobody has decided who pays.
    #[error("nobody has decided whether this work is free")]
    CoverageOpen,
    /// It is free.
    #[error("by the contract this work is free")]
    Free,
    /// The customer has not answered the last plan.
    #[error("the customer has not answered round {0}")]
    Waits(i64),
    /// The rounds are used up.
    #[error("the contract allows {0} rounds, and all were refused")]
    UsedUp(i64),
    /// There is no plan to answer.
    #[error("no plan waits for an answer")]
    NoOffer,
    /// The contract charges a wrong diagnosis.
    #[error("by the contract a wrong diagnosis is charged")]
    Charged,
    /// No substitute device is out.
    #[error("no substitute device is out")]
    NoLoan,
    /// One is out already.
    #[error("a substitute device is out already")]
    Out,
    /// The contract offers none.
    #[error("the contract offers no substitute device")]
    NoLoaner,
}

/// Reads the record.
pub fn read(lines: &[Line]) -> Deal {
    let mut deal = Deal::default();
    for line in lines {
        let word = |key: &str| line.body[key].as_str().unwrap_or_default().to_owned();
        match word("what").as_str() {
            what @ ("coverage" | "coverage_ruling") => {
                let ruled = what == "coverage_ruling";
                // A ruling keeps what was asked beside what was decided.
                let mut body = line.body.clone();
                if let (true, Some(asked)) = (ruled, &deal.coverage) {
                    for key in ["cause", "component", "rights", "missing"] {
                        body[key] = asked.body[key].clone();
                    }
                }
                deal.coverage = Some(Coverage {
                    outcome: word("outcome"),
                    ruled,
                    by: line.actor.clone(),
                    at: line.at,
                    body,
                });
            }
            "offer" => deal.offers.push(Offer {
                round: deal.offers.len() as i64 + 1,
                plan: word("plan"),
                fee: Fen(line.body["fee_fen"].as_i64().unwrap_or_default()),
                charges: line.body["charges"].clone(),
                by: line.actor.clone(),
                at: line.at,
                answer: None,
            }),
            "answer" => {
                if let Some(offer) = deal.offers.last_mut() {
                    offer.answer = Some(Answer {
                        accepted: line.body["accepted"] == true,
                        by: word("by"),
                        evidence: word("evidence"),
                        at: line.at,
                    });
                }
            }
            "misdiagnosis" => deal.misdiagnosis = Some(line.clone()),
            "replaced" | "part_used" => deal.parts.push(line.clone()),
            "loaner_out" | "loaner_back" => deal.loans.push(line.clone()),
            "penalty" => deal.penalties.push(line.clone()),
            _ => {}
        }
    }
    deal
}

impl Deal {
    /// How many rounds a contract allows.
    pub fn rounds(contract: &Contract) -> i64 {
        contract.letter.map_or(ROUNDS, |letter| letter.rounds)
    }

    /// Whether another plan with this fee may be sent to the customer.
    pub fn may_offer(&self, contract: &Contract, fee: Fen) -> Result<(), No> {
        match &self.coverage {
            _ if fee == Fen(0) => {}
            None => return Err(No::CoverageOpen),
            Some(coverage) if coverage.outcome == "free" => return Err(No::Free),
            Some(coverage) if coverage.outcome != "chargeable" => return Err(No::CoverageOpen),
            Some(_) => {}
        }
        match self.offers.last() {
            Some(offer) if offer.answer.is_none() => Err(No::Waits(offer.round)),
            Some(offer)
                if offer.answer.as_ref().is_some_and(|answer| !answer.accepted)
                    && offer.round >= Self::rounds(contract) =>
            {
                Err(No::UsedUp(offer.round))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether a plan waits for the customer.
    pub fn may_answer(&self) -> Result<(), No> {
        let waits = self.offers.last().is_some_and(|offer| offer.answer.is_none());
        if waits { Ok(()) } else { Err(No::NoOffer) }
    }

    /// The plan that the customer agreed to last.
    pub fn agreed(&self) -> Option<&Offer> {
        let accepted = |offer: &&Offer| offer.answer.as_ref().is_some_and(|answer| answer.accepted);
        self.offers.iter().rfind(accepted)
    }

    /// What the customer owes: what was agreed, unless it is free or our own cost after all.
    pub fn owed(&self) -> Option<Fen> {
        let agreed = self.agreed()?;
        let free = self.coverage.as_ref().is_some_and(|coverage| coverage.outcome == "free");
        Some(if free || self.misdiagnosis.is_some() { Fen(0) } else { agreed.fee })
    }

    /// Whether a substitute device is out.
    pub fn is_out(&self) -> bool {
        self.loans.last().is_some_and(|line| line.body["what"] == "loaner_out")
    }
}

/// What the records of a device's tickets say of its components: replacements, and repairs of a fault that was named.
/// `closed` is when each ticket was closed.
pub fn moments(lines: &[(Line, Option<Timestamp>)], day: impl Fn(Timestamp) -> Date) -> Vec<Moment> {
    let mut moments = Vec::new();
    for (line, closed) in lines {
        let word = |key: &str| line.body[key].as_str().unwrap_or_default().to_owned();
        let filled = |key: &str| Some(word(key)).filter(|text| !text.is_empty());
        match (word("what").as_str(), closed) {
            ("replaced", _) => moments.push(Moment {
                on: day(line.at),
                what: "replaced".to_owned(),
                component: word("component"),
                class: filled("class"),
                with: filled("with"),
                paid: line.body["paid"] == true,
                ..Moment::default()
            }),
            // What was repaired elsewhere and is back stands for itself from then on.
            ("reinstalled", _) => {
                let back = Moment { on: day(line.at), component: word("component"), ..Moment::default() };
                moments.push(Moment {
                    what: "replaced".to_owned(),
                    with: Some(word("component")),
                    paid: line.body["paid"] == true,
                    ..back.clone()
                });
                moments.push(Moment { what: "reinstalled_and_accepted".to_owned(), ..back });
            }
            ("coverage", Some(closed)) => moments.push(Moment {
                on: day(*closed),
                what: "repaired".to_owned(),
                component: word("component"),
                fault: filled("fault"),
                ..Moment::default()
            }),
            _ => {}
        }
    }
    moments
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::contract::{document, template};

    fn line(minute: i64, body: Value) -> Line {
        Line {
            at: Timestamp::from_second(1_772_380_800 + minute * 60).unwrap(),
            actor: "li.wei".into(),
            body,
        }
    }

    #[test]
    fn a_fee_is_agreed_in_at_most_three_rounds_and_only_where_the_work_is_not_free() {
        let contract = document::read(template::find("per-visit").unwrap().text).contract.unwrap();
        let fee = Fen(40_000);
        let mut lines = Vec::new();
        assert_eq!(read(&lines).may_offer(&contract, fee), Err(No::CoverageOpen));
        lines.push(line(0, json!({ "what": "coverage", "outcome": "needs_person", "cause": "unknown" })));
        assert_eq!(read(&lines).may_offer(&contract, fee), Err(No::CoverageOpen), "nobody has decided");
        lines.push(line(1, json!({ "what": "coverage_ruling", "outcome": "free" })));
        assert_eq!(read(&lines).may_offer(&contract, fee), Err(No::Free));
        lines.push(line(
            2,
            json!({ "what": "coverage_ruling", "outcome": "chargeable", "reason": "lightning" }),
        ));
        let asked = read(&lines).coverage.unwrap();
        assert_eq!((asked.ruled, asked.body["cause"].as_str()), (true, Some("unknown")));
        for round in 1..=3 {
            assert_eq!(read(&lines).may_offer(&contract, fee), Ok(()), "round {round}");
            lines.push(line(3, json!({ "what": "offer", "plan": "change the arm", "fee_fen": 40_000 })));
            assert_eq!(read(&lines).may_offer(&contract, fee), Err(No::Waits(round)));
            assert_eq!(read(&lines).owed(), None);
            lines.push(line(4, json!({ "what": "answer", "accepted": false, "by": "Ms Zhou" })));
            assert_eq!(read(&lines).may_answer(), Err(No::NoOffer));
        }
        assert_eq!(read(&lines).may_offer(&contract, fee), Err(No::UsedUp(3)));
    }

    #[test]
    fn what_was_agreed_is_owed_unless_our_diagnosis_was_wrong() {
        let mut lines = vec![
            line(0, json!({ "what": "coverage", "outcome": "chargeable" })),
            line(1, json!({ "what": "offer", "plan": "a new arm", "fee_fen": 40_000 })),
            line(2, json!({ "what": "answer", "accepted": true, "by": "Ms Zhou", "evidence": "call" })),
        ];
        assert_eq!(read(&lines).owed(), Some(Fen(40_000)));
        lines.push(line(3, json!({ "what": "misdiagnosis", "reason": "it was the cable" })));
        assert_eq!(read(&lines).owed(), Some(Fen(0)));
        lines.push(line(4, json!({ "what": "loaner_out", "device": "spare-1" })));
        assert!(read(&lines).is_out());
        lines.push(line(5, json!({ "what": "loaner_back" })));
        assert!(!read(&lines).is_out());
    }

    #[test]
    fn the_record_of_a_device_is_its_lineage() {
        let lines = [
            (
                line(0, json!({ "what": "replaced", "component": "psu", "with": "psu-2", "class": "power" })),
                None,
            ),
            (
                line(1, json!({ "what": "coverage", "component": "psu", "fault": "dead" })),
                Some(line(9, json!({})).at),
            ),
            (line(2, json!({ "what": "coverage", "component": "psu", "fault": "dead" })), None),
        ];
        let told = moments(&lines, |at| at.to_zoned(jiff::tz::TimeZone::UTC).date());
        assert_eq!(told.len(), 2, "what is still open was not repaired");
        assert_eq!((told[0].with.as_deref(), told[1].fault.as_deref()), (Some("psu-2"), Some("dead")));
    }
}
