//! How major requests look on the API.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::major::store::{Event, Row};
use crate::major::{Side, Standing, State, Total};

/// A major request. Times are Unix ms.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct MajorRequest {
    pub id: String,
    pub number: i64,
    pub customer_id: String,
    pub customer: String,
    pub site_id: String,
    pub site_name: String,
    pub site_name_zh: String,
    pub zone: String,
    pub ticket_id: String,
    pub ticket_number: i64,
    pub ticket_title: String,
    /// `misoperation`, `restoration` or `serious`.
    pub kind: String,
    /// `misuse`, `hardware`, `software`, `network`, `business`, `environment` or `unknown`.
    pub cause: String,
    /// The formal report: what happened and what it touches.
    pub report: String,
    /// What is to be done.
    pub plan: String,
    pub raised_by: String,
    pub raised_at: i64,
    /// `raised`, `granted`, `executing`, `done` or `refused`.
    pub state: String,
    /// `solved`, `partly` or `failed`; empty before it is done.
    pub outcome: String,
    pub changed_at: i64,
    /// The sides that have not consented, while it waits for them.
    pub lacking: Vec<String>,
}

impl MajorRequest {
    /// A request, with what its record comes to.
    pub fn new(row: Row, standing: &Standing) -> Self {
        let lacking = if standing.state == State::Raised { standing.lacking() } else { Vec::new() };
        Self {
            lacking: lacking.into_iter().map(|side| side.as_str().to_owned()).collect(),
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
            kind: row.kind,
            cause: row.cause,
            report: row.report,
            plan: row.plan,
            raised_by: row.raised_by,
            raised_at: row.raised_at,
            state: row.state,
            outcome: row.outcome,
            changed_at: row.changed_at,
        }
    }
}

/// A request with its consents and its record.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MajorStory {
    /// The request.
    #[serde(flatten)]
    pub request: MajorRequest,
    /// The three sides, whether each consents now, and whose word that is.
    pub consents: Vec<MajorConsent>,
    /// Whether the person asking raised it, and so does not approve of it.
    pub own: bool,
    /// What became of it, oldest first.
    pub events: Vec<MajorEvent>,
}

/// Whether a side consents.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MajorConsent {
    /// `technical`, `business` or `customer`.
    pub side: String,
    /// Whether its consent stands.
    pub given: bool,
    /// Who consented.
    pub who: String,
    /// How the customer's leader did: `form`, `letter`, `email`, `phone`, `in_person`, or `signed_in`.
    pub how: String,
    /// When, Unix ms.
    pub at: Option<i64>,
}

impl MajorConsent {
    /// The three sides, by what a record comes to.
    pub fn all(standing: &Standing, events: &[MajorEvent]) -> Vec<Self> {
        let told = Side::ALL.map(|side| {
            let last = events.iter().rfind(|event| event.kind == "consent" && event.side == side.as_str());
            let last = last.filter(|_| standing.consents.contains_key(&side));
            Self {
                side: side.as_str().to_owned(),
                given: last.is_some(),
                who: last.map(|event| event.said.who.clone()).unwrap_or_default(),
                how: last.map(|event| event.said.how.clone()).unwrap_or_default(),
                at: last.map(|event| event.said.given_at.unwrap_or(event.at)),
            }
        });
        told.to_vec()
    }
}

/// A line of a request's record.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MajorEvent {
    /// Its place.
    pub seq: i64,
    /// `raised`, `consent`, `withdrawn`, `refused`, `begun` or `done`.
    pub kind: String,
    /// Whose consent it is about; empty where it is about none.
    pub side: String,
    /// When it was written down, Unix ms.
    pub at: i64,
    /// Who wrote it down.
    pub by: String,
    /// What was said.
    #[serde(flatten)]
    pub said: MajorWords,
}

/// What a line of a request's record says.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct MajorWords {
    /// A condition, why it is refused or taken back, or what was done.
    pub text: String,
    /// Who consented, refused or took it back.
    pub who: String,
    /// How the customer's leader did.
    pub how: String,
    /// When that was, Unix ms.
    pub given_at: Option<i64>,
    /// How the work ended.
    pub outcome: String,
}

impl From<Event> for MajorEvent {
    fn from(event: Event) -> Self {
        Self {
            seq: event.seq,
            kind: event.kind,
            side: event.side,
            at: event.at,
            by: event.actor,
            said: serde_json::from_str(&event.body).unwrap_or_default(),
        }
    }
}

/// A request that is raised. Its id stands in the path and is made by the writer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMajorRequest {
    /// The ticket, by id or number.
    pub ticket_id: String,
    /// `misoperation`, `restoration` or `serious`.
    pub kind: String,
    /// `misuse`, `hardware`, `software`, `network`, `business`, `environment` or `unknown`.
    pub cause: String,
    /// The formal report: what happened and what it touches.
    pub report: String,
    /// What is to be done.
    pub plan: String,
}

/// A side's answer. Its id stands in the path and is made by the writer. Each department answers in its own person; what the
/// customer's leader says is recorded with who, how and when, and a customer who is signed in answers in their own name.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMajorAnswer {
    /// `consent`, `withdrawn` or `refused`.
    pub kind: String,
    /// `technical`, `business` or `customer`.
    pub side: String,
    /// Why it is refused or taken back; with a consent, a condition that may be left out.
    pub text: Option<String>,
    /// Who of the customer.
    pub who: Option<String>,
    /// How: `form`, `letter`, `email`, `phone` or `in_person`.
    pub how: Option<String>,
    /// When that was, Unix ms, at most thirty days ago; now, where nothing is given.
    pub given_at: Option<i64>,
}

/// The work begins, or is over. Its id stands in the path and is made by the writer.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMajorWork {
    /// `begun` or `done`.
    pub kind: String,
    /// The handler's record of what was done; with `done`.
    pub text: Option<String>,
    /// `solved`, `partly` or `failed`; with `done`.
    pub outcome: Option<String>,
}

/// What became of the requests of a month.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MajorMonth {
    /// `2026-11`: requests belong to the month in which they were raised, at their site.
    pub month: String,
    /// All of them.
    pub all: MajorTotal,
    /// By kind.
    pub kinds: Vec<MajorTotal>,
    /// By cause.
    pub causes: Vec<MajorTotal>,
    /// By customer.
    pub customers: Vec<MajorTotal>,
}

/// What became of some requests. `raised` is the sum of `waiting`, `refused`, `executing` and `done`; `done` of `solved`,
/// `partly` and `failed`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MajorTotal {
    /// Of whom or what.
    pub name: String,
    /// Those that were raised.
    pub raised: i64,
    /// Those that wait for a consent, or to be begun.
    pub waiting: i64,
    /// Those that were refused.
    pub refused: i64,
    /// Those that are worked on.
    pub executing: i64,
    /// Those whose work is over.
    pub done: i64,
    /// Of these, those that were solved.
    pub solved: i64,
    /// Of these, those that were solved in part.
    pub partly: i64,
    /// Of these, those that were not.
    pub failed: i64,
}

impl MajorTotal {
    /// A total under a name.
    pub fn new(name: &str, total: Total) -> Self {
        let Total { raised, waiting, refused, executing, done, solved, partly, failed } = total;
        Self { name: name.to_owned(), raised, waiting, refused, executing, done, solved, partly, failed }
    }
}
