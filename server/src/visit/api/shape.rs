//! How visits look on the API.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::visit::store::proof::Tag;
use crate::visit::store::{Event, Row};

/// A visit to be planned. Its id stands in the path and is made by whoever plans it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVisit {
    /// For which ticket, by id or number.
    pub ticket_id: String,
    /// For when, Unix ms.
    pub planned_at: Option<i64>,
    /// The visit that it follows, of the same ticket.
    pub follows_id: Option<String>,
    /// What is to be done, in one line.
    #[serde(default)]
    pub purpose: String,
    /// Who goes; without anybody it is only planned.
    #[serde(default)]
    pub members: Vec<String>,
}

/// A step of a visit. Its id stands in the path and is made by whoever takes it, so that it may be sent again.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVisitStep {
    /// `assigned`, `accepted`, `called` (the contact, before leaving), `departed`, `arrived`, `working`, `paused`, `done`,
    /// `signed`, `unsigned`, `called_back`, `filed`, `cancelled` or `written` (into the form).
    pub kind: String,
    /// When it happened, Unix ms, where a person says so; now where nothing is given.
    pub occurred_at: Option<i64>,
    /// What the clock of the phone showed, Unix ms.
    pub device_at: Option<i64>,
    /// What that clock shows while it is sent: the difference to ours corrects `device_at`.
    pub device_now: Option<i64>,
    /// How far it was ahead when the phone last heard of us before, ms: where the two differ, it was set in between.
    pub skew_before_ms: Option<i64>,
    /// `phone`, `desk` or `paper` (a paper slip written down later); `phone` where it is not given.
    pub source: Option<String>,
    /// Why: for `paused` one of parts, access, customer; for `unsigned`, `cancelled`, and `done` while the device is
    /// still down, in words.
    pub reason: Option<String>,
    /// More words.
    pub note: Option<String>,
    /// Who goes, for `assigned`.
    #[serde(default)]
    pub members: Vec<String>,
    /// What proves the arrival, for `arrived`.
    #[serde(default)]
    pub evidence: Vec<VisitEvidence>,
    /// What is written, by field, for `written`, and with `signed`.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// The last event of the visit that the writer had seen, where something is written.
    pub seen: Option<i64>,
    /// Who signed, for `signed`; whom one spoke with, for `called` and `called_back`; who agreed, for `working` and
    /// `paused`.
    pub who: Option<String>,
    /// How satisfied the customer is, 1 to 5, for `signed` and `called_back`.
    pub satisfied: Option<i64>,
    /// What was drawn, for `signed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<VisitSignature>,
}

/// A signature drawn with a finger. It is kept with its step; another one is another step, and both are shown.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VisitSignature {
    /// Width of the field, 100 to 4000.
    pub width: i64,
    /// Its height, 100 to 4000.
    pub height: i64,
    /// Points from stroke to stroke within the field: x, y, x, y and so on; at most 200 strokes and 4000 points.
    pub strokes: Vec<Vec<i64>>,
}

/// A piece of evidence for an arrival.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VisitEvidence {
    /// `gateway_code`, `qr`, `nfc`, `customer`, `geofence`, `photo` or `call`.
    pub kind: String,
    /// The digits that the gateway shows, what the tag says, or the id of the photo, which has been sent before.
    pub code: Option<String>,
    /// Who confirms it, for `customer`.
    pub by: Option<String>,
    /// Degrees north, for `geofence`.
    pub lat: Option<f64>,
    /// Degrees east.
    pub lon: Option<f64>,
    /// Of which map: `wgs84`, `gcj02` or `bd09`; `wgs84` where it is not given.
    pub datum: Option<String>,
    /// The radius in which the phone believes itself, m.
    pub accuracy_m: Option<f64>,
}

/// Who goes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct VisitMember {
    /// The account.
    pub account_id: String,
    /// The name.
    pub name: String,
}

/// What stands in a field of the form.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct VisitField {
    /// The words.
    pub text: String,
    /// Who wrote them.
    pub by: String,
    /// With which event.
    pub seq: i64,
}

/// A visit. Times are Unix ms.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Visit {
    /// Names it.
    pub id: String,
    /// Its ticket.
    pub ticket_id: String,
    /// The ticket's number.
    pub ticket_number: i64,
    /// `open`, `acked` or `closed`.
    pub ticket_state: String,
    /// What a person wrote as the ticket's title; empty when the machine opened it.
    pub title: String,
    /// The ticket's fault code; empty when a person opened it.
    pub code: String,
    /// The ticket's severity.
    pub severity: String,
    /// When the ticket was opened.
    pub opened_at: i64,
    /// The device that the ticket is about.
    pub device_id: Option<String>,
    /// Its name.
    pub device_name: Option<String>,
    /// Its state now.
    pub device_state: Option<String>,
    /// Where.
    pub site_id: String,
    /// The site's name.
    pub site_name: String,
    /// The site's name in Chinese; may be empty.
    pub site_name_zh: String,
    /// Its time zone.
    pub zone: String,
    /// Its address.
    pub address: String,
    /// Whom to call there.
    pub contact_name: String,
    /// Under which number.
    pub contact_phone: String,
    /// Which visit of the ticket, from 1.
    pub number: i64,
    /// The visit that it follows.
    pub follows_id: Option<String>,
    /// What is to be done.
    pub purpose: String,
    /// For when.
    pub planned_at: Option<i64>,
    /// Where it stands.
    pub state: String,
    /// Why it stands there, where that is asked.
    pub reason: String,
    /// What proves its arrival best: a kind of evidence, `stated` (nothing was given), `claimed` (nothing holds), or empty.
    pub level: String,
    /// When somebody arrived.
    pub arrived_at: Option<i64>,
    /// When the ticket's next clock is due.
    pub due_at: Option<i64>,
    /// What the contract calls that clock.
    pub due_what: Option<String>,
    /// How many photos it has; each is an event of kind `photo`, whose id names it.
    pub photos: i64,
    /// The inspection that it is for, whose sheet it fills in.
    pub inspection_id: Option<String>,
    /// Who goes.
    pub members: Vec<VisitMember>,
    /// The form, by field.
    pub form: BTreeMap<String, VisitField>,
    /// Who planned it.
    pub created_by: String,
    /// When.
    pub created_at: i64,
    /// When anything about it last changed.
    pub changed_at: i64,
}

/// What happened in a visit. Times are Unix ms.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct VisitEvent {
    /// Names it.
    pub id: String,
    /// Its place in the log, from 1.
    pub seq: i64,
    /// Which step, or `photo`.
    pub kind: String,
    /// When it happened, corrected.
    pub occurred_at: i64,
    /// When the server heard of it.
    pub recorded_at: i64,
    /// What the clock of the phone showed.
    pub device_at: Option<i64>,
    /// How far that was ahead, ms, as measured while it was sent.
    pub skew_ms: Option<i64>,
    /// Who.
    pub actor: String,
    /// `phone`, `desk` or `paper`.
    pub source: String,
    /// The particulars.
    #[schema(value_type = Object)]
    pub body: Value,
}

/// A visit with its log.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct VisitStory {
    /// The visit.
    #[serde(flatten)]
    pub visit: Visit,
    /// What happened, oldest first.
    pub events: Vec<VisitEvent>,
}

/// A tag that hangs at a site.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SiteTag {
    /// Names it.
    pub id: String,
    /// What it says.
    pub code: String,
    /// Where it hangs.
    pub place: String,
    /// Who made it.
    pub made_by: String,
    /// When, Unix ms.
    pub made_at: i64,
    /// When it was taken out of use.
    pub revoked_at: Option<i64>,
}

/// A tag to be hung up.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSiteTag {
    /// Where it hangs, in one line.
    pub place: String,
}

impl Visit {
    /// A row with its people, which are given for many visits at once.
    pub fn new(row: Row, members: &[(String, String, String)]) -> Self {
        let members = members
            .iter()
            .filter(|member| member.0 == row.id)
            .map(|(_, account, name)| VisitMember { account_id: account.clone(), name: name.clone() })
            .collect();
        Self {
            form: serde_json::from_str(&row.form).unwrap_or_default(),
            id: row.id,
            ticket_id: row.ticket_id,
            ticket_number: row.ticket_number,
            ticket_state: row.ticket_state,
            title: row.title,
            code: row.code,
            severity: row.severity,
            opened_at: row.opened_at,
            device_id: row.device_id,
            device_name: row.device_name,
            device_state: row.device_state,
            site_id: row.site_id,
            site_name: row.site_name,
            site_name_zh: row.site_name_zh,
            zone: row.zone,
            address: row.address,
            contact_name: row.contact_name,
            contact_phone: row.contact_phone,
            number: row.number,
            follows_id: row.follows_id,
            purpose: row.purpose,
            planned_at: row.planned_at,
            state: row.state,
            reason: row.reason,
            level: row.level,
            arrived_at: row.arrived_at,
            due_at: row.due_at,
            due_what: row.due_what,
            photos: row.photos,
            inspection_id: row.inspection_id,
            members,
            created_by: row.created_by,
            created_at: row.created_at,
            changed_at: row.changed_at,
        }
    }
}

impl From<Event> for VisitEvent {
    fn from(event: Event) -> Self {
        Self {
            body: serde_json::from_str(&event.body).unwrap_or_default(),
            id: event.id,
            seq: event.seq,
            kind: event.kind,
            occurred_at: event.occurred_at,
            recorded_at: event.recorded_at,
            device_at: event.device_at,
            skew_ms: event.skew_ms,
            actor: event.actor,
            source: event.source,
        }
    }
}

impl From<Tag> for SiteTag {
    fn from(tag: Tag) -> Self {
        Self {
            id: tag.id,
            code: tag.code,
            place: tag.place,
            made_by: tag.made_by,
            made_at: tag.made_at,
            revoked_at: tag.revoked_at,
        }
    }
}
