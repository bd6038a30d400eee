//! How what is settled with a customer looks on the API.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::contract::Contract;
use crate::contract::api::ask::QuoteLine;
use crate::contract::measure::Fen;
use crate::contract::penalty::Estimate;
use crate::deal::{Coverage, Deal, Line, Offer};

/// What is settled with the customer over a ticket. Times are Unix ms, amounts fen.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct TicketDeal {
    /// The contract's name; `null` where none governs the ticket, and then nothing can be settled.
    pub contract: Option<String>,
    /// Whether the work is free; `null` before anybody asked.
    pub coverage: Option<DealCoverage>,
    /// Plans and fees, oldest first.
    pub offers: Vec<DealOffer>,
    /// How many rounds the contract allows.
    pub rounds: i64,
    /// Whether our own wrong diagnosis is our cost.
    pub misdiagnosis_ours: bool,
    /// What the customer owes by what was agreed; `null` before anything was.
    pub owed_fen: Option<i64>,
    /// That our diagnosis was wrong.
    pub misdiagnosis: Option<DealNote>,
    /// Parts that were replaced.
    pub parts: Vec<DealPart>,
    /// Substitute devices.
    pub loaner: DealLoaner,
    /// What breaches may cost, and what was decided about it.
    pub penalties: Vec<DealPenalty>,
    /// Whether the work may not be left before it is restored, so that a shift's end needs a named successor.
    pub must_go_on: bool,
    /// The items of the price list.
    pub items: Vec<DealItem>,
    /// Causes that the warranty excludes.
    pub causes: Vec<String>,
}

/// Whether work is free.
#[derive(Debug, Serialize, ToSchema)]
pub struct DealCoverage {
    /// `free`, `chargeable` or `needs_person`.
    pub outcome: String,
    /// Whether a person decided it, not the contract.
    pub ruled: bool,
    /// Why, in English.
    pub reason: String,
    /// Why, in Chinese.
    pub reason_zh: String,
    /// The cause that was named.
    pub cause: String,
    /// The component; empty is the whole device.
    pub component: String,
    /// Evidence that is missing.
    pub missing: Value,
    /// The rights of the component, oldest first: `component`, `from`, `until`, `why`, `why_zh`.
    pub rights: Value,
    /// Who.
    pub by: String,
    /// When.
    pub at: i64,
}

/// A plan with its fee.
#[derive(Debug, Serialize, ToSchema)]
pub struct DealOffer {
    /// Which one, from 1.
    pub round: i64,
    /// What is to be done.
    pub plan: String,
    /// What it costs.
    pub fee_fen: i64,
    /// Its lines: `title`, `amount_fen`, `how`, `how_zh`.
    pub charges: Value,
    /// Who wrote it.
    pub by: String,
    /// When.
    pub at: i64,
    /// What the customer said; `null` while it waits.
    pub answer: Option<DealAnswer>,
}

/// What a customer said to a plan.
#[derive(Debug, Serialize, ToSchema)]
pub struct DealAnswer {
    /// Whether the customer agreed.
    pub accepted: bool,
    /// Who.
    pub by: String,
    /// How that is proved.
    pub evidence: String,
    /// When.
    pub at: i64,
}

/// A word with its reason.
#[derive(Debug, Serialize, ToSchema)]
pub struct DealNote {
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: i64,
}

/// A part that replaced another, or was used up.
#[derive(Debug, Serialize, ToSchema)]
pub struct DealPart {
    /// What was replaced; empty where nothing was.
    pub component: String,
    /// What it is called in English, where it came out of our stock.
    pub name: String,
    /// The same in Chinese.
    pub name_zh: String,
    /// How many.
    pub quantity: i64,
    /// With which.
    pub with: String,
    /// Who consented for the customer.
    pub consent: String,
    /// Whether the customer pays.
    pub paid: bool,
    /// Who wrote it.
    pub by: String,
    /// When.
    pub at: i64,
}

/// What holds for substitute devices.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct DealLoaner {
    /// Whether the contract offers any.
    pub offered: bool,
    /// Whether one is out.
    pub is_out: bool,
    /// Events that owe one at once.
    pub events: Vec<String>,
    /// Since when one is owed; `null` where none is.
    pub owed_at: Option<i64>,
    /// What must have happened before the original comes back.
    pub return_needs: Vec<String>,
    /// Whether the customer is liable for damage.
    pub liable: bool,
    /// Devices out and back, oldest first.
    pub moves: Vec<DealLoan>,
}

/// A substitute device on its way.
#[derive(Debug, Serialize, ToSchema)]
pub struct DealLoan {
    /// Whether it goes out; otherwise it comes back.
    pub out: bool,
    /// Which.
    pub device: String,
    /// Whether it came back damaged.
    pub damaged: bool,
    /// Who wrote it.
    pub by: String,
    /// When.
    pub at: i64,
}

/// What a breach may cost.
#[derive(Debug, Serialize, ToSchema)]
pub struct DealPenalty {
    /// The clock or the event.
    pub of: String,
    /// The estimate.
    pub fen: i64,
    /// Whether the cap made it smaller.
    pub capped: bool,
    /// How it was worked out.
    pub how: String,
    /// The same in Chinese.
    pub how_zh: String,
    /// What proves it.
    pub evidence: String,
    /// The same in Chinese.
    pub evidence_zh: String,
    /// Who must approve it, by the contract.
    pub approval: String,
    /// What was decided; `null` before anybody did.
    pub decision: Option<DealDecision>,
}

/// What was decided about a penalty.
#[derive(Debug, Serialize, ToSchema)]
pub struct DealDecision {
    /// Whether it is granted.
    pub granted: bool,
    /// How much.
    pub fen: i64,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: i64,
}

/// An item of the price list.
#[derive(Debug, Serialize, ToSchema)]
pub struct DealItem {
    /// Its key.
    pub item: String,
    /// What people call it.
    pub title: String,
}

fn word(body: &Value, key: &str) -> String {
    body[key].as_str().unwrap_or_default().to_owned()
}

fn ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

impl From<&Coverage> for DealCoverage {
    fn from(one: &Coverage) -> Self {
        let reason = word(&one.body, "reason");
        let zh = word(&one.body, "reason_zh");
        Self {
            outcome: one.outcome.clone(),
            ruled: one.ruled,
            reason_zh: if zh.is_empty() { reason.clone() } else { zh },
            reason,
            cause: word(&one.body, "cause"),
            component: word(&one.body, "component"),
            missing: one.body["missing"].clone(),
            rights: one.body["rights"].clone(),
            by: one.by.clone(),
            at: ms(one.at),
        }
    }
}

impl From<&Offer> for DealOffer {
    fn from(one: &Offer) -> Self {
        Self {
            round: one.round,
            plan: one.plan.clone(),
            fee_fen: one.fee.0,
            charges: one.charges.clone(),
            by: one.by.clone(),
            at: ms(one.at),
            answer: one.answer.as_ref().map(|answer| DealAnswer {
                accepted: answer.accepted,
                by: answer.by.clone(),
                evidence: answer.evidence.clone(),
                at: ms(answer.at),
            }),
        }
    }
}

impl From<&Line> for DealPart {
    fn from(one: &Line) -> Self {
        Self {
            component: word(&one.body, "component"),
            name: word(&one.body, "name"),
            name_zh: word(&one.body, "name_zh"),
            quantity: one.body["quantity"].as_i64().unwrap_or(1),
            with: word(&one.body, "with"),
            consent: word(&one.body, "consent"),
            paid: one.body["paid"] == true,
            by: one.actor.clone(),
            at: ms(one.at),
        }
    }
}

impl From<&Line> for DealLoan {
    fn from(one: &Line) -> Self {
        Self {
            out: one.body["what"] == "loaner_out",
            device: word(&one.body, "device"),
            damaged: one.body["damaged"] == true,
            by: one.actor.clone(),
            at: ms(one.at),
        }
    }
}

impl DealPenalty {
    /// An estimate with what was decided about it.
    pub fn new(estimate: Estimate, decided: Option<&Line>) -> Self {
        Self {
            of: estimate.of,
            fen: estimate.fen.0,
            capped: estimate.capped,
            how: estimate.how.en,
            how_zh: estimate.how.zh,
            evidence: estimate.evidence.en,
            evidence_zh: estimate.evidence.zh,
            approval: estimate.approval,
            decision: decided.map(|line| DealDecision {
                granted: line.body["granted"] == true,
                fen: line.body["fen"].as_i64().unwrap_or_default(),
                reason: word(&line.body, "reason"),
                by: line.actor.clone(),
                at: ms(line.at),
            }),
        }
    }
}

impl TicketDeal {
    /// What the record and the contract say; the rest is added by whoever has the clocks.
    pub fn new(contract: &Contract, name: String, deal: &Deal) -> Self {
        let mut items: Vec<DealItem> = Vec::new();
        for price in &contract.prices {
            if !items.iter().any(|one| one.item == price.item) {
                items.push(DealItem { item: price.item.clone(), title: price.title.clone() });
            }
        }
        let loaner = contract.loaner.as_ref();
        let exclusions = contract.warranty.iter().flat_map(|warranty| &warranty.exclusions);
        Self {
            contract: Some(name),
            coverage: deal.coverage.as_ref().map(DealCoverage::from),
            offers: deal.offers.iter().map(DealOffer::from).collect(),
            rounds: Deal::rounds(contract),
            misdiagnosis_ours: contract.letter.is_none_or(|letter| letter.misdiagnosis_ours),
            owed_fen: deal.owed().map(|Fen(fen)| fen),
            misdiagnosis: deal.misdiagnosis.as_ref().map(|line| DealNote {
                reason: word(&line.body, "reason"),
                by: line.actor.clone(),
                at: ms(line.at),
            }),
            parts: deal.parts.iter().map(DealPart::from).collect(),
            loaner: DealLoaner {
                offered: loaner.is_some(),
                is_out: deal.is_out(),
                events: loaner.map(|loaner| loaner.events.clone()).unwrap_or_default(),
                owed_at: None,
                return_needs: loaner.map(|loaner| loaner.return_after.clone()).unwrap_or_default(),
                liable: loaner.is_some_and(|loaner| loaner.liable),
                moves: deal.loans.iter().map(DealLoan::from).collect(),
            },
            penalties: Vec::new(),
            must_go_on: false,
            items,
            causes: exclusions.map(|exclusion| exclusion.cause.clone()).collect(),
        }
    }
}

/// What is settled over a ticket.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "what", rename_all = "snake_case", deny_unknown_fields)]
pub enum NewDeal {
    /// The contract is asked who pays.
    Coverage(DealQuestion),
    /// A plan with its fee.
    Offer {
        /// What is to be done.
        plan: String,
        /// What it costs by the price list; none is no fee.
        #[serde(default)]
        lines: Vec<QuoteLine>,
    },
    /// The diagnosis was ours and wrong.
    Misdiagnosis {
        /// In which way.
        reason: String,
    },
    /// A component was replaced.
    Replaced {
        /// Which.
        component: String,
        /// With what.
        with: String,
        /// Its class.
        #[serde(default)]
        class: String,
        /// Whether the customer pays for it.
        #[serde(default)]
        paid: bool,
        /// Who consented for the customer.
        #[serde(default)]
        consent: String,
    },
    /// A substitute device went out.
    LoanerOut {
        /// Which.
        device: String,
    },
    /// It came back.
    LoanerBack {
        /// Whether it is damaged.
        #[serde(default)]
        damaged: bool,
    },
    /// Somebody goes on with the work.
    Successor {
        /// Who.
        account_id: String,
    },
}

impl NewDeal {
    /// The word in the record.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Coverage(_) => "coverage",
            Self::Offer { .. } => "offer",
            Self::Misdiagnosis { .. } => "misdiagnosis",
            Self::Replaced { .. } => "replaced",
            Self::LoanerOut { .. } => "loaner_out",
            Self::LoanerBack { .. } => "loaner_back",
            Self::Successor { .. } => "successor",
        }
    }
}

/// What the contract is asked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DealQuestion {
    /// The cause; `unknown` where nobody knows.
    pub cause: Option<String>,
    /// Which component; without it, the whole device.
    pub component: Option<String>,
    /// Its class.
    pub class: Option<String>,
    /// What the part costs, yuan: `199.00`.
    pub part_price: Option<String>,
    /// Which fault; without it, the ticket's.
    pub fault: Option<String>,
    /// The day on which the warranty began, where it is not the contract's acceptance: `2026-03-10`.
    pub anchored_on: Option<String>,
    /// What the customer shows.
    #[serde(default)]
    pub evidence: Vec<String>,
}

/// What a customer says to a plan.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDealAnswer {
    /// Whether the customer agrees.
    pub accepted: bool,
    /// Who said so; a customer who is signed in says it in their own name.
    pub by: Option<String>,
    /// How that is proved: `call`, `message`, `signature`, ….
    pub evidence: Option<String>,
}

/// What somebody decides who may.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "what", rename_all = "snake_case", deny_unknown_fields)]
pub enum DealRuling {
    /// Who pays.
    Coverage {
        /// The customer or nobody.
        outcome: RuledOutcome,
        /// Why.
        reason: String,
    },
    /// Whether a penalty is granted.
    Penalty {
        /// The clock or the event.
        of: String,
        /// Whether it is.
        #[serde(default)]
        granted: bool,
        /// How much, fen; without it, the estimate.
        fen: Option<i64>,
        /// Why.
        reason: String,
    },
}

/// Whether the customer pays.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuledOutcome {
    /// No.
    Free,
    /// Yes.
    Chargeable,
}
