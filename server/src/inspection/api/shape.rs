//! How inspections look on the API. Days are text, `2026-01-31`, in the site's zone.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::inspection::store::coverage;
use crate::inspection::store::plan::{Closure, PlanRow};
use crate::inspection::store::{Event, Row};

/// An inspection that is owed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Inspection {
    /// Names it, whatever its day.
    pub id: String,
    /// Under which contract.
    pub contract_id: String,
    /// What people call that.
    pub contract: String,
    /// At which site.
    pub site_id: String,
    /// Its name.
    pub site_name: String,
    /// Its Chinese name; may be empty.
    pub site_name_zh: String,
    /// Its time zone.
    pub zone: String,
    /// The contract's rule; of one that was planned by hand, its kind.
    pub rule: String,
    /// Which one of the rule, from 1.
    pub n: i64,
    /// The version of the contract that plans it.
    pub version: i64,
    /// `visit`, `resident`, `phone` or `remote`.
    pub way: String,
    /// What kinds of work it is.
    pub kinds: Vec<String>,
    /// What is looked at.
    pub checklist: Vec<String>,
    /// The first day on which it may be.
    pub window_from: String,
    /// The last one.
    pub window_to: String,
    /// The day that the plan alone gives.
    pub planned: String,
    /// The day that stands.
    pub day: String,
    /// Whether that day is not within its days.
    pub outside: bool,
    /// Whether the day may change, since its holidays are not announced.
    pub provisional: bool,
    /// By when a change must be told.
    pub tell_by: Option<String>,
    /// `due`, `proposed`, `agreed`, `moved`, `merged`, `done`, `missed`, `waived` or `dropped`.
    pub state: String,
    /// The inspection whose visit does this one's work.
    pub merged_id: Option<String>,
    /// Its ticket.
    pub ticket_id: Option<String>,
    /// That ticket's number.
    pub ticket_number: Option<i64>,
    /// Its visit.
    pub visit_id: Option<String>,
    /// Where that stands.
    pub visit_state: Option<String>,
    /// The day on which it was done.
    pub done_on: Option<String>,
    /// Whether that was after its days.
    pub late: bool,
    /// When something of it changed last. Unix ms.
    pub changed_at: i64,
    /// How it came to be, where somebody planned it by hand and no rule owes it.
    pub by_hand: Option<ByHand>,
}

/// How an inspection came to be that no rule owes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ByHand {
    /// Who planned it.
    pub made_by: String,
    /// Who of the customer asked for it.
    pub asked_by: String,
    /// How that is proved.
    pub asked_how: String,
    /// Why.
    pub why: String,
}

impl From<Row> for Inspection {
    fn from(row: Row) -> Self {
        let list = |text: &str| serde_json::from_str(text).unwrap_or_default();
        let until: Option<jiff::civil::Date> = row.window_until.parse().ok();
        let to = until.and_then(|until| until.yesterday().ok());
        let after = |day: &str| day >= row.window_until.as_str();
        Self {
            outside: after(&row.day) || row.day < row.window_from,
            late: row.done_on.as_deref().is_some_and(after),
            kinds: list(&row.kinds),
            checklist: list(&row.checklist),
            window_to: to.map(|to| to.to_string()).unwrap_or_default(),
            id: row.id,
            contract_id: row.contract_id,
            contract: row.contract,
            site_id: row.site_id,
            site_name: row.site_name,
            site_name_zh: row.site_name_zh,
            zone: row.zone,
            rule: row.rule,
            n: row.n,
            version: row.version,
            way: row.way,
            window_from: row.window_from,
            planned: row.planned,
            day: row.day,
            provisional: row.provisional == 1,
            tell_by: row.tell_by,
            state: row.state,
            merged_id: row.merged_id,
            ticket_id: row.ticket_id,
            ticket_number: row.ticket_number,
            visit_id: row.visit_id,
            visit_state: row.visit_state,
            done_on: row.done_on,
            changed_at: row.changed_at,
            by_hand: row.made_by.map(|made_by| ByHand {
                made_by,
                asked_by: row.asked_by,
                asked_how: row.asked_how,
                why: row.why,
            }),
        }
    }
}

/// An inspection of another rule that is done in the same visit.
#[derive(Debug, Serialize, ToSchema)]
pub struct CarriedInspection {
    /// Names it.
    pub id: String,
    /// Its rule.
    pub rule: String,
    /// Which one of the rule.
    pub n: i64,
}

/// One thing that happened to an inspection.
#[derive(Debug, Serialize, ToSchema)]
pub struct InspectionEvent {
    /// From 1.
    pub seq: i64,
    /// `planned`, `replanned`, `proposed`, `agreed`, `moved`, `merged`, `apart`, `visit`, `visit_cancelled`, `done`,
    /// `devices`, `sheet`, `missed`, `waived`, `dropped` or `restored`; of one that was planned by hand also `asked` and
    /// `withdrawn`.
    pub kind: String,
    /// When. Unix ms.
    pub at: i64,
    /// Who; empty for the machine.
    pub actor: String,
    /// Its particulars: days, who consented, why.
    pub body: Value,
}

impl From<Event> for InspectionEvent {
    fn from(event: Event) -> Self {
        Self {
            seq: event.seq,
            kind: event.kind,
            at: event.at,
            actor: event.actor,
            body: serde_json::from_str(&event.body).unwrap_or_default(),
        }
    }
}

/// An inspection with its record.
#[derive(Debug, Serialize, ToSchema)]
pub struct InspectionStory {
    /// The inspection.
    #[serde(flatten)]
    pub inspection: Inspection,
    /// What is done in its visit, too.
    pub carries: Vec<CarriedInspection>,
    /// How many devices somebody looked at in it.
    pub devices: i64,
    /// What happened, oldest first.
    pub events: Vec<InspectionEvent>,
}

/// What the customer says to a day or to doing without.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InspectionConsent {
    /// Who of the customer consented. A customer who is signed in consents in their own name.
    pub by: Option<String>,
    /// How that is proved: `call`, `mail`, `paper`; in a word.
    pub evidence: Option<String>,
    /// Why, in a line; a waiver needs one.
    pub reason: Option<String>,
    /// The other day, to move it to.
    pub day: Option<String>,
}

/// An inspection that no rule owes.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInspection {
    /// At which site.
    pub site_id: String,
    /// Under which contract; without one, the one that is in service there.
    pub contract_id: Option<String>,
    /// `training`, `sample_test`, `upgrade`, `event_watch`, `revisit`, `phone`, `check`, `remote`, `upkeep` or `annual`.
    pub kind: String,
    /// `visit`, `phone` or `remote`; without one, what is usual for its kind.
    pub way: Option<String>,
    /// Its first day.
    pub day: String,
    /// Its last day; without one, its first.
    pub until: Option<String>,
    /// Who of the customer asked for it.
    pub by: String,
    /// How that is proved: `call`, `mail`, `paper`; in a word.
    pub evidence: String,
    /// Why, in a line.
    pub why: String,
    /// What is looked at besides what its kind asks, each in a line.
    #[serde(default)]
    pub checklist: Vec<String>,
    /// Whether the customer asked for this day, so that it is agreed to.
    #[serde(default)]
    pub agreed: bool,
}

/// Why an inspection is taken back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InspectionWithdrawal {
    /// Why, in a line.
    pub reason: String,
}

/// That an inspection took place.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InspectionDone {
    /// On which day.
    pub on: String,
    /// What is worth saying, in a line.
    #[serde(default)]
    pub note: String,
}

/// Which devices somebody looked at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InspectedDevices {
    /// Their ids; without any, all of the site.
    pub devices: Option<Vec<String>>,
}

/// A day that inspections are counted from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InspectionAnchor {
    /// Of which contract.
    pub contract_id: String,
    /// At which site.
    pub site_id: String,
    /// The event: `commissioned`.
    pub event: String,
    /// Its day.
    pub day: String,
}

/// A day that was written down.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KnownAnchor {
    /// The event.
    pub event: String,
    /// Its day.
    pub day: String,
    /// Who wrote it down.
    pub set_by: String,
    /// When. Unix ms.
    pub set_at: i64,
}

/// The inspections of a contract at a site, as a whole.
#[derive(Debug, Serialize, ToSchema)]
pub struct InspectionPlan {
    /// The contract.
    pub contract_id: String,
    /// What people call it.
    pub contract: String,
    /// The site.
    pub site_id: String,
    /// Its name.
    pub site_name: String,
    /// Its Chinese name; may be empty.
    pub site_name_zh: String,
    /// The days that it is counted from.
    pub anchors: Vec<KnownAnchor>,
    /// Rules that wait for a day to be counted from.
    pub waiting: Vec<WaitingRule>,
    /// Days of the coming year on which nothing is owed.
    pub gaps: Vec<InspectionGap>,
}

/// A rule that waits for a day to be counted from.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct WaitingRule {
    /// The rule.
    pub rule: String,
    /// The event whose day is asked for.
    pub event: String,
}

/// Days on which nothing is owed though the contract runs.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct InspectionGap {
    /// The first of them.
    pub from: String,
    /// The last; `null` goes on.
    pub to: Option<String>,
    /// The rule that ended before it.
    pub after: Option<String>,
    /// The rule that begins after it.
    pub before: Option<String>,
}

impl InspectionPlan {
    pub(super) fn new(row: PlanRow, anchors: Vec<KnownAnchor>) -> Self {
        Self {
            contract_id: row.contract_id,
            contract: row.contract,
            site_id: row.site_id,
            site_name: row.site_name,
            site_name_zh: row.site_name_zh,
            anchors,
            waiting: serde_json::from_str(&row.waiting).unwrap_or_default(),
            gaps: serde_json::from_str(&row.gaps).unwrap_or_default(),
        }
    }
}

/// Which devices of a site somebody looked at in a month.
#[derive(Debug, Serialize, ToSchema)]
pub struct InspectionCoverage {
    /// The site.
    pub site_id: String,
    /// Its name.
    pub site_name: String,
    /// Its Chinese name; may be empty.
    pub site_name_zh: String,
    /// How many devices it has.
    pub devices: i64,
    /// How many of them somebody looked at in an inspection of the month.
    pub checked: i64,
    /// How many of them nobody knows the state of now.
    pub unknown: i64,
    /// Inspections that were done in the month.
    pub done: i64,
    /// How many of these say nothing about devices, so that `checked` may be too small.
    pub unstated: i64,
}

impl From<coverage::Row> for InspectionCoverage {
    fn from(row: coverage::Row) -> Self {
        Self {
            site_id: row.site_id,
            site_name: row.site_name,
            site_name_zh: row.site_name_zh,
            devices: row.devices,
            checked: row.checked,
            unknown: row.unknown,
            done: row.done,
            unstated: row.unstated,
        }
    }
}

/// Days on which a site is to be closed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSiteClosure {
    /// The first day.
    pub from: String,
    /// The last day.
    pub to: String,
    /// Why, in a line.
    pub reason: String,
}

/// Days on which a site is closed.
#[derive(Debug, Serialize, ToSchema)]
pub struct SiteClosure {
    /// Names it.
    pub id: String,
    /// The first day.
    pub from: String,
    /// The last day.
    pub to: String,
    /// Why.
    pub reason: String,
    /// Who wrote it down.
    pub made_by: String,
    /// When. Unix ms.
    pub made_at: i64,
}

impl From<Closure> for SiteClosure {
    fn from(row: Closure) -> Self {
        let until: Option<jiff::civil::Date> = row.until_day.parse().ok();
        let to = until.and_then(|until| until.yesterday().ok());
        Self {
            id: row.id,
            from: row.from_day,
            to: to.map(|to| to.to_string()).unwrap_or_default(),
            reason: row.reason,
            made_by: row.made_by,
            made_at: row.made_at,
        }
    }
}
