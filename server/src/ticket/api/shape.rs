//! How a ticket, its log and its pages look on the API.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::device::effect_of;
use crate::escalation::store::Shown;
use crate::incident::api::Incident;
use crate::page;
use crate::ticket::store::{EventRow, Row, hold};

/// A person's work item. Times are Unix ms.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Ticket {
    /// Names it.
    pub id: String,
    /// The number people say.
    pub number: i64,
    /// Where.
    pub site_id: String,
    /// The site's name.
    pub site_name: String,
    /// The site's name in Chinese; may be empty.
    pub site_name_zh: String,
    /// The site's time zone, an IANA name.
    pub zone: String,
    /// The device it is about, if it is about one.
    pub device_id: Option<String>,
    /// The device's name.
    pub device_name: Option<String>,
    /// The gateway's name, for trouble of a gateway.
    pub gateway_name: Option<String>,
    /// `machine` or `person`.
    pub origin: String,
    /// The fault code; empty when a person opened it.
    pub code: String,
    /// What a person wrote; empty when the machine opened it.
    pub title: String,
    /// `critical`, `major` or `minor`.
    pub severity: String,
    /// The state that its fault puts the device in; empty when a person opened it.
    pub effect: String,
    /// `open`, `acked` or `closed`.
    pub state: String,
    /// When it was opened.
    pub opened_at: i64,
    /// When somebody took it.
    pub acked_at: Option<i64>,
    /// Who took it.
    pub acked_by: Option<String>,
    /// To whom it was handed.
    pub assignee_id: Option<String>,
    /// That person's name.
    pub assignee: Option<String>,
    /// When it was closed.
    pub closed_at: Option<i64>,
    /// When anything about it last changed.
    pub changed_at: i64,
    /// When the escalation does its next step; `null` when nothing happens by time.
    pub next_at: Option<i64>,
    /// Whom it would ask then, by name; may be empty.
    pub next_who: String,
    /// Why its pages wait: `cause`, `flapping`, `maintenance`, `replay` or `remedy`; empty when nothing holds them.
    pub held: String,
    /// What a person wrote as the reason of a maintenance window; else empty.
    pub held_why: String,
    /// Its incidents, newest first; on the live page the first few that stand, causes first.
    pub incidents: Vec<Incident>,
    /// How many symptoms of another one it has, those that are not listed included.
    pub symptoms: usize,
    /// The last good sample before the first bad one of them all.
    pub last_good_at: Option<i64>,
    /// The first bad sample of them all.
    pub first_bad_at: Option<i64>,
}

/// One event of a ticket's log.
#[derive(Debug, Serialize, ToSchema)]
pub struct TicketEvent {
    /// Its place in the log, from 1.
    pub seq: i64,
    /// What happened.
    pub kind: String,
    /// When it happened.
    pub occurred_at: i64,
    /// When the server learned of it.
    pub recorded_at: i64,
    /// Who did it; empty for machine and system.
    pub actor: String,
    /// `machine`, `person` or `system`.
    pub source: String,
    /// The particulars of this kind.
    #[schema(value_type = Object)]
    pub body: Value,
}

/// One page about a ticket.
#[derive(Debug, Serialize, ToSchema)]
pub struct TicketPage {
    /// Names it.
    pub id: String,
    /// The ticket.
    pub ticket_id: String,
    /// Whose account.
    pub account_id: String,
    /// Who was paged.
    pub account: String,
    /// On which channel.
    pub channel: String,
    /// Where to; empty for customers.
    pub address: String,
    /// `opened` or `closed`.
    pub purpose: String,
    /// `queued`, `claimed`, `sent`, `failed` or `withheld`.
    pub state: String,
    /// When it was decided.
    pub created_at: i64,
    /// When the provider took it.
    pub sent_at: Option<i64>,
    /// How often it was tried.
    pub attempts: i64,
    /// What the provider said last.
    pub last_answer: String,
    /// Why it waits: `limit` or `quiet`; empty when it does not.
    pub held: String,
    /// When it is due.
    pub due_at: i64,
}

/// Why a ticket's pages wait. Times are Unix ms.
#[derive(Debug, Serialize, ToSchema)]
pub struct TicketHold {
    /// `cause`, `flapping`, `maintenance`, `replay` or `remedy`.
    pub reason: String,
    /// Since when.
    pub since: i64,
    /// When it ends by itself at the latest.
    pub until: Option<i64>,
    /// The particulars of this reason.
    #[schema(value_type = Object)]
    pub detail: Value,
}

/// Where a ticket's escalation stands. Times are Unix ms.
#[derive(Debug, Serialize, ToSchema)]
pub struct TicketEscalation {
    /// How many escalations the ticket has had with this one.
    pub serial: i64,
    /// The plan's name when it began; empty for the built-in one and for one by hand.
    pub plan: String,
    /// `asking`, `acked`, `reminded`, `manager`, `spent`, `rest` or `over`.
    pub phase: String,
    /// Which round, from 1.
    pub round: i64,
    /// How many of its steps have been done.
    pub done: i64,
    /// How many steps a round has.
    pub steps: i64,
    /// Since when the ticket is held.
    pub held_since: Option<i64>,
    /// By when the expert panel is to have begun with measures.
    pub experts_until: Option<i64>,
    /// When it began.
    pub began_at: i64,
}

/// A ticket with its whole record.
#[derive(Debug, Serialize, ToSchema)]
pub struct TicketStory {
    /// The ticket.
    #[serde(flatten)]
    pub ticket: Ticket,
    /// Its log, oldest first.
    pub events: Vec<TicketEvent>,
    /// The pages about it, oldest first.
    pub pages: Vec<TicketPage>,
    /// Why its pages wait; empty when nothing holds them.
    pub holds: Vec<TicketHold>,
    /// Who is asked next; `null` when nobody has been asked yet.
    pub escalation: Option<TicketEscalation>,
}

impl Ticket {
    /// A ticket as the API shows it.
    pub fn new(row: Row, incidents: Vec<Incident>) -> Self {
        let first = incidents.iter().min_by_key(|incident| incident.first_bad_at.unwrap_or(i64::MAX));
        Self {
            effect: if row.code.is_empty() {
                String::new()
            } else {
                effect_of(&row.code).as_str().to_owned()
            },
            id: row.id,
            number: row.number,
            site_id: row.site_id,
            site_name: row.site_name,
            site_name_zh: row.site_name_zh,
            zone: row.zone,
            device_id: row.device_id,
            device_name: row.device_name,
            gateway_name: row.gateway_name,
            origin: row.origin,
            code: row.code,
            title: row.title,
            severity: row.severity,
            state: row.state,
            opened_at: row.opened_at,
            acked_at: row.acked_at,
            acked_by: row.acked_by,
            assignee_id: row.assignee_id,
            assignee: row.assignee,
            closed_at: row.closed_at,
            changed_at: row.changed_at,
            next_at: row.next_at,
            next_who: row.next_who.unwrap_or_default(),
            held: row.held.unwrap_or_default(),
            held_why: row.held_detail.as_deref().map(why_of).unwrap_or_default(),
            symptoms: incidents.iter().filter(|incident| incident.cause_id.is_some()).count(),
            last_good_at: first.and_then(|incident| incident.last_good_at),
            first_bad_at: first.and_then(|incident| incident.first_bad_at),
            incidents,
        }
    }
}

/// The reason that a person gave, of a hold's particulars.
fn why_of(detail: &str) -> String {
    let detail: Value = serde_json::from_str(detail).unwrap_or_default();
    detail.get("why").and_then(Value::as_str).unwrap_or_default().to_owned()
}

impl From<EventRow> for TicketEvent {
    fn from(event: EventRow) -> Self {
        Self {
            seq: event.seq,
            kind: event.kind,
            occurred_at: event.occurred_at,
            recorded_at: event.recorded_at,
            actor: event.actor,
            source: event.source,
            body: serde_json::from_str(&event.body).unwrap_or_default(),
        }
    }
}

impl From<Shown> for TicketEscalation {
    fn from(row: Shown) -> Self {
        Self {
            serial: row.serial,
            steps: row.steps(),
            plan: row.plan_name,
            phase: row.phase,
            round: row.round + 1,
            done: row.next_step,
            held_since: row.held_since,
            experts_until: row.experts_until,
            began_at: row.began_at,
        }
    }
}

impl From<hold::Row> for TicketHold {
    fn from(row: hold::Row) -> Self {
        Self {
            reason: row.reason,
            since: row.since,
            until: row.until_at,
            detail: serde_json::from_str(&row.detail).unwrap_or_default(),
        }
    }
}

impl TicketPage {
    /// A page as the API shows it; a customer does not see where people are reached.
    pub fn new(page: page::store::Row, for_customer: bool) -> Self {
        let inside = |text: String| if for_customer { String::new() } else { text };
        Self {
            id: page.id,
            ticket_id: page.ticket_id,
            account_id: page.account_id,
            account: page.account,
            channel: page.channel,
            address: inside(page.address),
            purpose: page.purpose,
            state: page.state,
            created_at: page.created_at,
            sent_at: page.sent_at,
            attempts: page.attempts,
            last_answer: inside(page.last_answer),
            held: page.held,
            due_at: page.due_at,
        }
    }
}
