//! How call-backs and satisfaction look on the API.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::follow::store::{Call, Row};
use crate::follow::{Asked, Scale, TRIES_MAX, Total};

/// A visit after which somebody is to be called, or of which the customer said that it is not done.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OwedCallBack {
    /// The visit.
    pub visit_id: String,
    /// Its number on the ticket.
    pub visit_number: i64,
    /// `done`, `signed`, `unsigned`, or `called_back` where the customer said that it is not done.
    pub visit_state: String,
    /// The ticket.
    pub ticket_id: String,
    /// Its number.
    pub ticket_number: i64,
    /// What it is about.
    pub title: String,
    /// The site.
    pub site_id: String,
    /// Its name.
    pub site_name: String,
    /// Its Chinese name; may be empty.
    pub site_name_zh: String,
    /// Its time zone.
    pub zone: String,
    /// Whom to call.
    pub contact_name: String,
    /// By which number.
    pub contact_phone: String,
    /// The day at the site on which the call is owed, `2026-11-27`.
    pub due_on: String,
    /// Whether that day has passed.
    pub overdue: bool,
    /// When the visit was done, Unix ms.
    pub done_at: i64,
    /// Calls that nobody answered.
    pub unanswered: i64,
    /// After so many none is owed any more.
    pub tries_max: i64,
    /// The last call, Unix ms.
    pub last_at: Option<i64>,
    /// What the customer said, where it is not done.
    pub opinion: String,
}

/// A word of the scale.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SatisfactionWord {
    /// The contract's own word, or `very_satisfied`, `satisfied`, `average`, `no_statement`, `dissatisfied`.
    pub word: String,
    /// What it is worth; `null` where no contract says so.
    pub points: Option<i64>,
}

impl SatisfactionWord {
    /// The words of a scale, best first.
    pub fn all(scale: &Scale) -> Vec<Self> {
        let words = scale.words().iter();
        words.map(|(word, points)| Self { word: word.clone(), points: *points }).collect()
    }
}

/// The calls after a visit, and what may be answered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct VisitCallBacks {
    /// Where the visit stands.
    pub visit_state: String,
    /// The contract whose scale it is; `null` without one.
    pub contract_id: Option<String>,
    /// The words, best first.
    pub scale: Vec<SatisfactionWord>,
    /// The calls, the first one first.
    pub calls: Vec<CallBack>,
}

/// A call after a visit.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CallBack {
    /// Its id.
    pub id: String,
    /// The nth of its visit.
    pub n: i64,
    /// When, Unix ms.
    pub at: i64,
    /// Who called.
    pub by: String,
    /// Whether somebody was reached.
    pub reached: bool,
    /// Who answered.
    pub who: String,
    /// The word of the scale.
    pub word: Option<String>,
    /// What it was worth.
    pub points: Option<i64>,
    /// Whether the customer says that the work is done.
    pub completed: Option<bool>,
    /// What else was said.
    pub opinion: String,
}

impl From<Call> for CallBack {
    fn from(call: Call) -> Self {
        Self {
            id: call.id,
            n: call.n,
            at: call.at,
            by: call.actor,
            reached: call.reached != 0,
            who: call.who,
            word: call.word,
            points: call.points,
            completed: call.completed.map(|completed| completed != 0),
            opinion: call.opinion,
        }
    }
}

/// A call that was made. Its id stands in the path and is made by whoever calls.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCallBack {
    /// Whether somebody was reached. If not, nothing else is said.
    pub reached: bool,
    /// Who answered.
    pub who: Option<String>,
    /// A word of the scale; nothing where nothing was said of it.
    pub word: Option<String>,
    /// Whether the customer says that the work is done. Only then is the visit filed.
    pub completed: Option<bool>,
    /// What else was said, in the customer's words.
    pub opinion: Option<String>,
    /// Why nobody has signed, where the visit is `done` and no more.
    pub unsigned: Option<String>,
}

/// What was said of the visits of a month.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SatisfactionMonth {
    /// `2026-11`: visits belong to the month in which they were done, at their site.
    pub month: String,
    /// All of them.
    pub all: SatisfactionTotal,
    /// By site, by name.
    pub sites: Vec<SatisfactionTotal>,
    /// By customer.
    pub customers: Vec<SatisfactionTotal>,
    /// By technician: a visit of two people counts for each of them.
    pub technicians: Vec<SatisfactionTotal>,
    /// Those of which nothing is known, the earliest first; at most 500.
    pub unasked: Vec<UnaskedVisit>,
}

/// What was said of some visits. `visits` is the sum of `answered`, `silent`, `not_reached` and `owed`.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct SatisfactionTotal {
    /// Of whom or what.
    pub id: String,
    /// The name.
    pub name: String,
    /// A site's Chinese name; else empty.
    pub name_zh: String,
    /// Visits that were done.
    pub visits: i64,
    /// Those of which a word of the scale was said.
    pub answered: i64,
    /// Of these, those without points, because their contract has no scale.
    pub unscored: i64,
    /// The sum of the points, over `answered` less `unscored`.
    pub points: i64,
    /// Somebody was reached, and said nothing on the scale.
    pub silent: i64,
    /// Nobody was reached.
    pub not_reached: i64,
    /// A call is still owed.
    pub owed: i64,
    /// How often each word was said.
    pub words: Vec<SatisfactionCount>,
}

/// How often a word was said.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SatisfactionCount {
    /// The word.
    pub word: String,
    /// How often.
    pub count: i64,
}

impl SatisfactionTotal {
    /// A total under a name.
    pub fn new(id: &str, (name, name_zh): (&str, &str), total: Total) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            name_zh: name_zh.to_owned(),
            visits: total.visits,
            answered: total.answered,
            unscored: total.unscored,
            points: total.points,
            silent: total.silent,
            not_reached: total.not_reached,
            owed: total.owed,
            words: total.words.into_iter().map(|(word, count)| SatisfactionCount { word, count }).collect(),
        }
    }
}

/// A visit of which nothing is known.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UnaskedVisit {
    /// The visit.
    pub visit_id: String,
    /// Its number on the ticket.
    pub visit_number: i64,
    /// The ticket's number.
    pub ticket_number: i64,
    /// The site's name.
    pub site_name: String,
    /// Its Chinese name.
    pub site_name_zh: String,
    /// When it was done, Unix ms.
    pub done_at: i64,
    /// Why: `silent`, `not_reached` or `owed`.
    pub why: String,
}

impl UnaskedVisit {
    /// A visit, and why nothing is known of it.
    pub fn new(row: &Row, asked: &Asked) -> Self {
        Self {
            visit_id: row.visit_id.clone(),
            visit_number: row.visit_number,
            ticket_number: row.ticket_number,
            site_name: row.site_name.clone(),
            site_name_zh: row.site_name_zh.clone(),
            done_at: row.done_at,
            why: asked.as_str().to_owned(),
        }
    }
}

impl OwedCallBack {
    /// A visit, with the day on which its call is owed and whether that has passed.
    pub fn new(row: Row, due_on: String, overdue: bool) -> Self {
        Self {
            visit_id: row.visit_id,
            visit_number: row.visit_number,
            visit_state: row.visit_state,
            ticket_id: row.ticket_id,
            ticket_number: row.ticket_number,
            title: row.title,
            site_id: row.site_id,
            site_name: row.site_name,
            site_name_zh: row.site_name_zh,
            zone: row.zone,
            contact_name: row.contact_name,
            contact_phone: row.contact_phone,
            due_on,
            overdue,
            done_at: row.done_at,
            unanswered: row.unanswered,
            tries_max: i64::try_from(TRIES_MAX).unwrap_or(i64::MAX),
            last_at: row.last_at,
            opinion: row.opinion.unwrap_or_default(),
        }
    }
}
