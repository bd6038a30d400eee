//! How complaints look on the API.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::complaint::store::{Event, Row};
use crate::complaint::{State, Total};
use crate::user::{Role, Viewer};

/// A complaint. Times are Unix ms.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Complaint {
    /// Its id.
    pub id: String,
    /// Its number.
    pub number: i64,
    /// Whose.
    pub customer_id: String,
    /// The customer's name.
    pub customer: String,
    /// The site.
    pub site_id: String,
    /// Its name.
    pub site_name: String,
    /// Its Chinese name; may be empty.
    pub site_name_zh: String,
    /// Its time zone.
    pub zone: String,
    /// The ticket on which it stands.
    pub ticket_id: String,
    /// Its number.
    pub ticket_number: i64,
    /// What the ticket is about.
    pub ticket_title: String,
    /// Whether the ticket was opened for the complaint, which is about none.
    pub own_ticket: bool,
    /// The visit it is about.
    pub visit_id: Option<String>,
    /// Its number on the ticket.
    pub visit_number: Option<i64>,
    /// `attitude`, `response_time`, `result` or `fees`.
    pub subject: String,
    /// `phone`, `email`, `letter` or `in_person`.
    pub channel: String,
    /// Who complains.
    pub who: String,
    /// How to reach that person; may be empty.
    pub reach: String,
    /// What was said.
    pub words: String,
    /// When it came.
    pub received_at: i64,
    /// When it was taken down.
    pub raised_at: i64,
    /// By whom.
    pub raised_by: String,
    /// `raised`, `investigating`, `answered`, `closed` or `reopened`.
    pub state: String,
    /// Who looks into it; never shown to a customer.
    pub holder: Option<String>,
    /// Until when it is to be answered.
    pub due_at: i64,
    /// How the contract says that; empty where none does and the house's own time holds.
    pub promise: String,
    /// The contract.
    pub contract_id: Option<String>,
    /// Whether that lies beyond the known holidays.
    pub provisional: bool,
    /// Whether the customer still waits though its time is up.
    pub overdue: bool,
    /// The nth time that it is to be answered.
    pub run: i64,
    /// When the customer had the first answer.
    pub answered_at: Option<i64>,
}

impl Complaint {
    /// As a viewer may see it.
    pub fn new(row: Row, viewer: &Viewer, now: jiff::Timestamp) -> Self {
        let waits = State::parse(&row.state).is_some_and(State::is_waiting);
        Self {
            overdue: waits && row.due_at <= now.as_millisecond(),
            id: row.id,
            number: row.number,
            customer_id: row.customer_id,
            customer: row.customer,
            site_id: row.site_id,
            site_name: row.site_name,
            site_name_zh: row.site_name_zh,
            zone: row.zone,
            ticket_id: row.ticket_id,
            ticket_number: row.ticket_number,
            ticket_title: row.ticket_title,
            own_ticket: row.own_ticket != 0,
            visit_id: row.visit_id,
            visit_number: row.visit_number,
            subject: row.subject,
            channel: row.channel,
            who: row.who,
            reach: row.reach,
            words: row.words,
            received_at: row.received_at,
            raised_at: row.raised_at,
            raised_by: row.raised_by,
            state: row.state,
            holder: row.holder.filter(|_| viewer.role != Role::Customer),
            due_at: row.due_at,
            promise: row.promise,
            contract_id: row.contract_id,
            provisional: row.provisional != 0,
            run: row.run,
            answered_at: row.answered_at,
        }
    }
}

/// A complaint with its record.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ComplaintStory {
    /// The complaint.
    #[serde(flatten)]
    pub complaint: Complaint,
    /// What became of it, oldest first. A customer reads what was said to it and what is to be better, not what was found.
    pub events: Vec<ComplaintEvent>,
}

/// A line of a complaint's record.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ComplaintEvent {
    /// Its place.
    pub seq: i64,
    /// `raised`, `investigating`, `note`, `answered`, `closed`, `reopened`, or `late`.
    pub kind: String,
    /// The nth time that it was to be answered.
    pub run: i64,
    /// When, Unix ms.
    pub at: i64,
    /// By whom; empty where time did it.
    pub by: String,
    /// What was said.
    #[serde(flatten)]
    pub said: ComplaintWords,
}

/// What a line of a complaint's record says.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ComplaintWords {
    /// What was found, answered, summed up, or why it is opened again.
    pub text: String,
    /// Whom the answer was given to.
    pub who: String,
    /// How: `phone`, `email`, `letter` or `in_person`.
    pub how: String,
    /// Who looks into it.
    pub holder: String,
    /// What is to be better.
    pub improvement: String,
    /// Who sees to that.
    pub responsible: String,
    /// By which day, `2026-12-31`; may be empty.
    pub by_day: String,
    /// Who of ours was told.
    pub told: Vec<String>,
    /// Until when it is to be answered, Unix ms.
    pub due_at: Option<i64>,
}

impl ComplaintEvent {
    /// A line as a viewer may read it; `None` where it is ours alone.
    pub fn new(event: Event, viewer: &Viewer) -> Option<Self> {
        let mut said: ComplaintWords = serde_json::from_str(&event.body).unwrap_or_default();
        let mut by = event.actor;
        if viewer.role == Role::Customer {
            match event.kind.as_str() {
                "note" => return None,
                "investigating" => {
                    said = ComplaintWords::default();
                    by = String::new();
                }
                "closed" => said.text = String::new(),
                _ => said.told = Vec::new(),
            }
        }
        Some(Self { seq: event.seq, kind: event.kind, run: event.run, at: event.at, by, said })
    }
}

/// A complaint that is taken down. Its id stands in the path and is made by the writer. It is about one of a visit, a ticket,
/// a site or a customer; for the last two a minor ticket is opened, on which it stands.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewComplaint {
    /// The visit.
    pub visit_id: Option<String>,
    /// The ticket, by id or number.
    pub ticket_id: Option<String>,
    /// The site.
    pub site_id: Option<String>,
    /// The customer; the ticket is opened at its first site.
    pub customer_id: Option<String>,
    /// `attitude`, `response_time`, `result` or `fees`.
    pub subject: String,
    /// `phone`, `email`, `letter` or `in_person`.
    pub channel: String,
    /// Who complains.
    pub who: String,
    /// How to reach that person.
    #[serde(default)]
    pub reach: String,
    /// What was said, in the customer's words.
    pub words: String,
    /// When it came, Unix ms, at most thirty days ago; now, where nothing is given. Its clock begins then.
    pub received_at: Option<i64>,
}

/// Something that is done with a complaint. The step's id stands in the path and is made by the writer.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewComplaintStep {
    /// `investigating`, `note`, `answered`, `closed` or `reopened`.
    pub kind: String,
    /// What was found, answered, summed up, or why it is opened again; needless where somebody begins to look into it.
    pub text: Option<String>,
    /// Who looks into it; the sender, where nothing is given.
    pub holder_id: Option<String>,
    /// Whom the answer was given to.
    pub who: Option<String>,
    /// How: `phone`, `email`, `letter` or `in_person`.
    pub how: Option<String>,
    /// What is to be better; with `closed`.
    pub improvement: Option<String>,
    /// Who sees to that; with `closed`.
    pub responsible: Option<String>,
    /// By which day, `2026-12-31`; with `closed`.
    pub by_day: Option<String>,
}

/// What became of the complaints of a month.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ComplaintMonth {
    /// `2026-11`: complaints belong to the month in which they came, at their site.
    pub month: String,
    /// All of them.
    pub all: ComplaintTotal,
    /// By what is complained of.
    pub subjects: Vec<ComplaintTotal>,
    /// By customer.
    pub customers: Vec<ComplaintTotal>,
}

/// What became of some complaints, by the first answer to each. `raised` is the sum of the other three.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ComplaintTotal {
    /// Of whom or what.
    pub name: String,
    /// Those that came.
    pub raised: i64,
    /// Those that were answered in time.
    pub in_time: i64,
    /// Those that were answered late, or are late by now.
    pub late: i64,
    /// Those that may still be answered in time.
    pub waiting: i64,
}

impl ComplaintTotal {
    /// A total under a name.
    pub fn new(name: &str, total: Total) -> Self {
        let Total { raised, in_time, late, waiting } = total;
        Self { name: name.to_owned(), raised, in_time, late, waiting }
    }
}
