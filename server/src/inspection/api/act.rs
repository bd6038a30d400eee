//! What people do with an inspection: agree to its day, move it, do without it, say that it took place and which devices
//! were looked at. Who consented and how that is proved is on its record.
//!
//! An inspection whose day is agreed is a visit for a ticket of its own, of origin `inspection`: minor, so that it wakes
//! nobody, and without a report, so that no clock runs on it. Everything that visits have (people, phone, proof of
//! arrival, slip, call-back) is so there for inspections too.

use axum::Json;
use axum::extract::{Path, State};
use jiff::Timestamp;
use jiff::civil::{Date, time};
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use utoipa::OpenApi;

use super::shape::{InspectedDevices, InspectionConsent, InspectionDone, InspectionStory};
use super::{day, story};
use crate::app::{App, Touched};
use crate::audit::{self, Entry};
use crate::contract::store::Shelf;
use crate::db::{Conn, Tx};
use crate::error::ApiError;
use crate::id::uuid_v7;
use crate::inspection::life::{State as Stands, Step, apply};
use crate::inspection::step::{date_in, replan};
use crate::inspection::store::{self, Row, Stand, coverage, plan};
use crate::inspection::{hand, kind_zh};
use crate::router::input::line;
use crate::ticket::{self, Actor};
use crate::user::{Role, Viewer};
use crate::visit;

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(agree, move_to, waive, done, devices))]
pub struct Doc;

/// The hour for which a visit is planned.
const HOUR: i8 = 9;
/// A day may be moved so far.
const MOVE_MAX_DAYS: i32 = 400;
/// Devices of one statement.
const DEVICES_MAX: usize = 2_000;

/// An inspection under work, in a transaction that holds its plan.
pub(super) struct Desk {
    pub(super) tx: Tx,
    pub(super) row: Row,
    pub(super) today: Date,
    pub(super) now: Timestamp,
}

pub(super) async fn open(app: &App, viewer: &Viewer, id: &str) -> Result<Desk, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write_in_turn().await?;
    let missing = || ApiError::not_found("inspection", id);
    let found = store::find(&mut tx, &viewer.scope, id).await?.ok_or_else(missing)?;
    plan::hold(&mut tx, &found.contract_id, &found.site_id).await?;
    let row = store::find(&mut tx, &viewer.scope, id).await?.ok_or_else(missing)?;
    let today = date_in(&row.zone, now);
    Ok(Desk { tx, row, today, now })
}

impl Desk {
    pub(super) fn step(&self, step: Step) -> Result<Stands, ApiError> {
        let stands = Stands::parse(&self.row.state).unwrap_or(Stands::Dropped);
        apply(stands, step).map_err(|why| {
            let hint = match (why.0, step) {
                (Stands::Merged, _) => "another one's visit does its work: do it with that one",
                (Stands::Agreed | Stands::Moved, Step::Agree) => {
                    "its day stands; move it where it must change"
                }
                _ => "look at it anew",
            };
            let text = format!("{} {}: {why}", self.row.rule, self.row.n);
            ApiError::conflict("not_possible", text).hint(hint)
        })
    }

    pub(super) async fn set(&mut self, stands: Stands, on: Date, done_on: Option<Date>) -> sqlx::Result<()> {
        let stand = Stand { state: stands, day: on, merged_id: None, done_on };
        store::set(&mut self.tx, &self.row.id, &stand, self.now).await
    }

    /// Writes the record, brings the plan in step, and answers.
    pub(super) async fn finish(
        mut self,
        app: &App,
        viewer: &Viewer,
        (kind, action): (&str, &'static str),
        body: Value,
    ) -> Result<Json<InspectionStory>, ApiError> {
        let (id, now) = (self.row.id.clone(), self.now);
        let by = (Some(viewer.account.as_str()), viewer.name.as_str());
        store::append(&mut self.tx, &id, kind, by, &body, now).await?;
        audit::store::insert(&mut self.tx, &Entry::by(viewer, now, action, &id, body)).await?;
        let (contract, site) = (&self.row.contract_id, &self.row.site_id);
        Box::pin(replan(&mut self.tx, &mut Shelf::default(), contract, site, now)).await?;
        crate::escalation::step::step(&mut self.tx, now).await?;
        let told = story(&mut self.tx, &viewer.scope, &id).await?;
        self.tx.commit().await?;
        if let Some(ticket) = &told.inspection.ticket_id {
            app.touched(&Touched::ticket(ticket));
        }
        Ok(Json(told))
    }
}

/// Who of the customer consented, and how that is proved.
fn consent(viewer: &Viewer, said: &InspectionConsent) -> Result<(String, String), ApiError> {
    if viewer.role == Role::Customer {
        return Ok((viewer.name.clone(), "account".to_owned()));
    }
    let by = line("by", said.by.as_deref().unwrap_or_default(), 1..=80)
        .map_err(|why| why.hint("name who of the customer consented"))?;
    let evidence = line("evidence", said.evidence.as_deref().unwrap_or_default(), 1..=40)
        .map_err(|why| why.hint("say how that is proved: call, mail, paper"))?;
    Ok((by, evidence))
}

fn reason(said: &InspectionConsent, least: usize) -> Result<String, ApiError> {
    line("reason", said.reason.as_deref().unwrap_or_default(), least..=400)
}

/// The customer agrees to the day that stands.
#[utoipa::path(post, path = "/api/v1/inspections/{id}/agree", tag = "inspections", params(("id" = String, Path)),
    request_body = InspectionConsent, responses((status = 200, body = InspectionStory), (status = 404), (status = 409)))]
pub(super) async fn agree(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(said): Json<InspectionConsent>,
) -> Result<Json<InspectionStory>, ApiError> {
    let (by, evidence) = consent(&viewer, &said)?;
    let reason = reason(&said, 0)?;
    let mut desk = open(&app, &viewer, &id).await?;
    let stands = desk.step(Step::Agree)?;
    let on = day("day", &desk.row.day)?;
    if let Some(meant) = &said.day
        && day("day", meant)? != on
    {
        return Err(ApiError::conflict("other_day", format!("it stands on {on} now"))
            .hint("look at it anew; move it where another day is meant"));
    }
    if on < desk.today {
        return Err(ApiError::conflict("passed", format!("{on} has passed")).hint("move it to another day"));
    }
    desk.set(stands, on, None).await?;
    visit_on(&mut desk, &viewer, on).await?;
    let body = json!({ "day": on.to_string(), "by": by, "evidence": evidence, "reason": reason });
    desk.finish(&app, &viewer, ("agreed", "inspection.agree"), body).await
}

/// The customer consents to another day.
#[utoipa::path(post, path = "/api/v1/inspections/{id}/move", tag = "inspections", params(("id" = String, Path)),
    request_body = InspectionConsent, responses((status = 200, body = InspectionStory), (status = 404), (status = 409)))]
pub(super) async fn move_to(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(said): Json<InspectionConsent>,
) -> Result<Json<InspectionStory>, ApiError> {
    let (by, evidence) = consent(&viewer, &said)?;
    let reason = reason(&said, 0)?;
    let on = day("day", said.day.as_deref().unwrap_or_default())?;
    let mut desk = open(&app, &viewer, &id).await?;
    let stands = desk.step(Step::Move)?;
    if on < desk.today || (on - desk.today).get_days() > MOVE_MAX_DAYS {
        let hint = format!("choose a day from {} on", desk.today);
        return Err(ApiError::bad_request("day", "it has passed, or lies too far ahead", hint));
    }
    // No rule says when one that was planned by hand is owed: its days move with it.
    if let Some(window) = desk.row.window().filter(|_| desk.row.made_by.is_some()) {
        let window = hand::moved(window, on);
        store::hand::set_window(&mut desk.tx, &id, window).await?;
        desk.row.window_from = window.from.to_string();
        desk.row.window_until = window.until.to_string();
    }
    let late = desk.row.tell_by.as_deref().is_some_and(|by| desk.today.to_string().as_str() > by);
    let outside = on.to_string() >= desk.row.window_until || on.to_string() < desk.row.window_from;
    desk.set(stands, on, None).await?;
    visit_on(&mut desk, &viewer, on).await?;
    let body = json!({ "day": on.to_string(), "was": desk.row.day, "by": by, "evidence": evidence, "reason": reason,
        "late_notice": late, "outside": outside });
    desk.finish(&app, &viewer, ("moved", "inspection.move"), body).await
}

/// The customer does without it; whoever says so here approves that.
#[utoipa::path(post, path = "/api/v1/inspections/{id}/waive", tag = "inspections", params(("id" = String, Path)),
    request_body = InspectionConsent, responses((status = 200, body = InspectionStory), (status = 404), (status = 409)))]
pub(super) async fn waive(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(said): Json<InspectionConsent>,
) -> Result<Json<InspectionStory>, ApiError> {
    let (by, evidence) = consent(&viewer, &said)?;
    let reason = reason(&said, 1)?;
    let mut desk = open(&app, &viewer, &id).await?;
    let stands = desk.step(Step::Waive)?;
    let runs = desk.row.visit_state.as_deref().is_some_and(|state| !matches!(state, "filed" | "cancelled"));
    if runs {
        return Err(ApiError::conflict("has_visit", "its visit is planned").hint("cancel that visit first"));
    }
    let on = day("day", &desk.row.day)?;
    desk.set(stands, on, None).await?;
    let body = json!({ "by": by, "evidence": evidence, "reason": reason, "approver": viewer.name });
    desk.finish(&app, &viewer, ("waived", "inspection.waive"), body).await
}

/// It took place.
#[utoipa::path(post, path = "/api/v1/inspections/{id}/done", tag = "inspections", params(("id" = String, Path)),
    request_body = InspectionDone, responses((status = 200, body = InspectionStory), (status = 404), (status = 409)))]
pub(super) async fn done(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(said): Json<InspectionDone>,
) -> Result<Json<InspectionStory>, ApiError> {
    let (on, note) = (day("on", &said.on)?, line("note", &said.note, 0..=400)?);
    let mut desk = open(&app, &viewer, &id).await?;
    let stands = desk.step(Step::Finish)?;
    if on > desk.today || on.to_string() < desk.row.window_from {
        let hint = format!("give a day from {} to {}", desk.row.window_from, desk.today);
        return Err(ApiError::bad_request("on", "it lies ahead, or before its days", hint));
    }
    desk.set(stands, on, Some(on)).await?;
    let late = on.to_string() >= desk.row.window_until;
    let body = json!({ "on": on.to_string(), "note": note, "late": late });
    desk.finish(&app, &viewer, ("done", "inspection.done"), body).await
}

/// Says which devices somebody looked at in an inspection that was done.
#[utoipa::path(post, path = "/api/v1/inspections/{id}/devices", tag = "inspections", params(("id" = String, Path)),
    request_body = InspectedDevices, responses((status = 200, body = InspectionStory), (status = 404), (status = 409)))]
pub(super) async fn devices(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(said): Json<InspectedDevices>,
) -> Result<Json<InspectionStory>, ApiError> {
    if said.devices.as_ref().is_some_and(|devices| devices.is_empty() || devices.len() > DEVICES_MAX) {
        return Err(ApiError::bad_request(
            "devices",
            "none, or too many",
            "name them, or leave it out for all",
        ));
    }
    let mut desk = open(&app, &viewer, &id).await?;
    let Some(on) = desk.row.done_on.as_deref().and_then(|on| on.parse::<Date>().ok()) else {
        return Err(
            ApiError::conflict("not_done", "it was not done yet").hint("say that it took place first")
        );
    };
    let site = desk.row.site_id.clone();
    let new = coverage::check(&mut desk.tx, &id, (&site, on), said.devices.as_deref()).await?;
    let body = json!({ "new": new, "all": said.devices.is_none() });
    desk.finish(&app, &viewer, ("devices", "inspection.devices"), body).await
}

/// Plans the visit of an inspection for a day, on a ticket of its own; or moves the one that is planned.
pub(super) async fn visit_on(desk: &mut Desk, viewer: &Viewer, on: Date) -> Result<(), ApiError> {
    let row = &desk.row;
    if row.way != "visit" {
        return Ok(());
    }
    let zone = TimeZone::get(&row.zone).unwrap_or(TimeZone::UTC);
    let at = on.to_datetime(time(HOUR, 0, 0, 0)).to_zoned(zone).ok();
    let at = at.map(|at| at.timestamp().as_millisecond());
    let now = desk.now;
    let by = Actor::Person { id: viewer.account.to_string(), name: viewer.name.clone() };
    let stands = row.visit_state.as_deref().is_some_and(|state| state != "cancelled");
    if let (Some(visit), Some(ticket), true) = (&row.visit_id, &row.ticket_id, stands) {
        visit::store::set_planned(&mut desk.tx, visit, at, now).await?;
        let body = json!({ "visit": 1, "step": "planned", "title": "inspection", "at": at });
        ticket::store::append(&mut desk.tx, ticket, "visit", &by, &body, now, now).await?;
        return Ok(());
    }
    let (ticket, title) = open_ticket(&mut desk.tx, row, &by, on, now).await?;
    let id = uuid_v7(now);
    let new = visit::store::New {
        id: &id,
        ticket_id: &ticket,
        site_id: &row.site_id,
        follows_id: None,
        purpose: &title,
        planned_at: at,
        created_by: &viewer.name,
        asked: "",
    };
    let number = visit::store::insert(&mut desk.tx, &new, now).await?;
    let body = json!({ "visit": number, "step": "planned", "title": "inspection", "at": at });
    ticket::store::append(&mut desk.tx, &ticket, "visit", &by, &body, now, now).await?;
    store::set_visit(&mut desk.tx, &row.id, Some((&ticket, &id)), now).await?;
    Ok(())
}

async fn open_ticket(
    conn: &mut Conn,
    row: &Row,
    by: &Actor,
    on: Date,
    now: Timestamp,
) -> Result<(String, String), ApiError> {
    let carried = store::list_carried(conn, &row.id).await?;
    let by_hand = row.made_by.is_some();
    let own = if by_hand { format!("{} {}", kind_zh(&row.rule), row.rule) } else { row.rule.clone() };
    let mut names = vec![format!("{own} {}", row.n)];
    names.extend(carried.iter().map(|(_, rule, n)| format!("{rule} {n}")));
    let title: String = format!("巡检 Inspection · {}", names.join(" + ")).chars().take(200).collect();
    let opening = ticket::store::New {
        site_id: &row.site_id,
        gateway_id: None,
        device_id: None,
        origin: "inspection",
        code: "",
        title: &title,
        severity: "minor",
        opened_at: now,
    };
    let (ticket, _) = ticket::store::insert(conn, &opening, now).await?;
    let fact = json!({ "inspection": row.id, "title": title, "day": on.to_string(), "severity": "minor" });
    ticket::store::append(conn, ticket.as_str(), "inspection_due", by, &fact, now, now).await?;
    Ok((ticket.to_string(), title))
}
