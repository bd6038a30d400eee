//! What a technician takes along for a day without a network: when on duty, what to know of each site, how the device is,
//! what was wrong with it before and what helped.

use axum::Json;
use axum::extract::State;
use jiff::SignedDuration;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use crate::app::App;
use crate::db::Conn;
use crate::error::ApiError;
use crate::site::place::wgs84;
use crate::user::Viewer;
use crate::visit::form::Form;
use crate::visit::store::{self, Filter, Row, briefing};
use crate::{device, rota, site, ticket};

/// Visits that are briefed, the newest.
const VISITS_MAX: usize = 50;
/// Tickets of a device's history.
const HISTORY_MAX: i64 = 5;
/// Other devices of a site that do not work.
const AROUND_MAX: usize = 20;
/// How far ahead one's shifts are told.
const AHEAD: SignedDuration = SignedDuration::from_hours(14 * 24);
/// The most shifts.
const SHIFTS_MAX: usize = 20;

/// What to know before a day on the road.
#[derive(Debug, Serialize, ToSchema)]
pub struct DayBriefing {
    /// One's shifts that have not ended, of the next 14 days, the soonest first; at most twenty.
    pub shifts: Vec<OwnShift>,
    /// One for each of one's visits that stand; at most fifty.
    pub items: Vec<VisitBriefing>,
}

/// A time on duty.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnShift {
    /// The rota.
    pub rota: String,
    /// Its layer.
    pub layer: String,
    /// Unix ms.
    pub start_at: i64,
    /// Unix ms.
    pub end_at: i64,
}

/// What to know of one visit.
#[derive(Debug, Serialize, ToSchema)]
pub struct VisitBriefing {
    /// The visit.
    pub visit_id: String,
    /// What to know of the site before; may be empty.
    pub notes: String,
    /// Degrees north of the site, in WGS-84.
    pub lat: Option<f64>,
    /// Degrees east, in WGS-84.
    pub lon: Option<f64>,
    /// The device; `null` where the ticket has none, or it is gone.
    pub device: Option<BriefedDevice>,
    /// What was wrong with the device before, the newest first; at most five.
    pub history: Vec<BriefedTicket>,
    /// Other devices of the site that do not work; at most twenty.
    pub around: Vec<BriefedState>,
    /// How many more there are.
    pub around_more: i64,
}

/// How a device is.
#[derive(Debug, Serialize, ToSchema)]
pub struct BriefedDevice {
    /// Names it.
    pub id: String,
    /// Its class.
    pub class: String,
    /// Where on the site.
    pub place: String,
    /// Under which address.
    pub address: String,
    /// Its model.
    pub model: String,
    /// Its serial number.
    pub serial: String,
    /// `ok`, `degraded`, `down`, `unknown` or `maintenance`.
    pub state: String,
    /// Since when, Unix ms.
    pub since: i64,
    /// When anything was known of it last, Unix ms.
    pub known_at: Option<i64>,
    /// What it hangs off, the nearest first, with its state.
    pub parents: Vec<BriefedParent>,
    /// What is wrong with it.
    pub faults: Vec<BriefedFault>,
}

/// What a device hangs off.
#[derive(Debug, Serialize, ToSchema)]
pub struct BriefedParent {
    /// The name.
    pub name: String,
    /// Its state.
    pub state: String,
}

/// A fault that stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct BriefedFault {
    /// Its code.
    pub code: String,
    /// Since when, Unix ms.
    pub since: i64,
}

/// An earlier ticket of the device.
#[derive(Debug, Serialize, ToSchema)]
pub struct BriefedTicket {
    /// Its number.
    pub number: i64,
    /// Its fault code; empty for one by hand.
    pub code: String,
    /// What it says.
    pub title: String,
    /// Unix ms.
    pub opened_at: i64,
    /// Unix ms.
    pub closed_at: Option<i64>,
    /// What its last visit found; may be empty.
    pub cause: String,
    /// What helped; may be empty.
    pub solution: String,
}

/// Another device that does not work.
#[derive(Debug, Serialize, ToSchema)]
pub struct BriefedState {
    /// The name.
    pub name: String,
    /// Its class.
    pub class: String,
    /// `down`, `degraded` or `unknown`.
    pub state: String,
    /// Since when, Unix ms.
    pub since: i64,
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(get))]
pub struct Doc;

/// What to know before a day on the road: one's shifts, and of each of one's visits that stand what helps there.
#[utoipa::path(get, path = "/api/v1/briefing", tag = "visits", responses((status = 200, body = DayBriefing)))]
pub(super) async fn get(State(app): State<App>, viewer: Viewer) -> Result<Json<DayBriefing>, ApiError> {
    let mut conn = app.db.read().await?;
    let filter = Filter { ticket_id: None, member: Some(viewer.account.to_string()), standing: true };
    let mut items = Vec::new();
    for row in store::list(&mut conn, &viewer.scope, &filter).await?.into_iter().take(VISITS_MAX) {
        items.extend(brief(&mut conn, &viewer, row).await?);
    }
    let shifts = shifts(&mut conn, &app, &viewer).await?;
    Ok(Json(DayBriefing { shifts, items }))
}

async fn brief(conn: &mut Conn, viewer: &Viewer, row: Row) -> sqlx::Result<Option<VisitBriefing>> {
    let Some(site) = site::store::find(conn, &viewer.scope, &row.site_id).await? else { return Ok(None) };
    let (mut device, mut history) = (None, Vec::new());
    if let Some(id) = &row.device_id {
        if let Some(found) = device::store::find(conn, &viewer.scope, id).await? {
            let parents = device::store::list_parents(conn, id).await?.into_iter();
            let faults = device::store::list_faults(conn, id).await?.into_iter();
            device = Some(BriefedDevice {
                id: found.id,
                class: found.class,
                place: found.place,
                address: found.address,
                model: found.model,
                serial: found.serial,
                state: found.state,
                since: found.state_since,
                known_at: found.known_at,
                parents: parents.map(|(_, name, state)| BriefedParent { name, state }).collect(),
                faults: faults.map(|one| BriefedFault { code: one.code, since: one.raised_at }).collect(),
            });
        }
        let filter = ticket::store::Filter { device_id: Some(id.clone()), ..Default::default() };
        let before = ticket::store::list(conn, &viewer.scope, &filter, HISTORY_MAX + 1).await?;
        let before = before.into_iter().filter(|one| one.id != row.ticket_id).take(HISTORY_MAX as usize);
        for ticket in before {
            let form = briefing::last_form(conn, &ticket.id).await?.unwrap_or_default();
            let form = Form::read(&form);
            history.push(BriefedTicket {
                number: ticket.number,
                code: ticket.code,
                title: ticket.title,
                opened_at: ticket.opened_at,
                closed_at: ticket.closed_at,
                cause: form.said("cause"),
                solution: form.said("solution"),
            });
        }
    }
    let place = site.lat.zip(site.lon).and_then(|(lat, lon)| wgs84(&site.datum, lat, lon));
    let mut around = briefing::list_around(conn, &row.site_id, row.device_id.as_deref()).await?;
    let around_more = around.len().saturating_sub(AROUND_MAX) as i64;
    around.truncate(AROUND_MAX);
    Ok(Some(VisitBriefing {
        visit_id: row.id,
        notes: if viewer.scope.customer().is_none() { site.notes } else { String::new() },
        lat: place.map(|place| place.lat),
        lon: place.map(|place| place.lon),
        device,
        history,
        around: around
            .into_iter()
            .map(|(name, class, state, since)| BriefedState { name, class, state, since })
            .collect(),
        around_more,
    }))
}

async fn shifts(conn: &mut Conn, app: &App, viewer: &Viewer) -> sqlx::Result<Vec<OwnShift>> {
    let now = app.clock.now();
    let until = now + AHEAD;
    let mut shifts = Vec::new();
    for row in rota::store::list(conn).await?.into_iter().filter(|row| row.archived_at.is_none()) {
        let Some(loaded) = rota::store::load(conn, &row.id, now, until).await? else { continue };
        for shift in loaded.shifts(now, until).into_iter().filter(|shift| shift.account == viewer.account) {
            shifts.push(OwnShift {
                rota: row.name.clone(),
                layer: loaded.layer_name(&shift).to_owned(),
                start_at: shift.start.as_millisecond(),
                end_at: shift.end.as_millisecond(),
            });
        }
    }
    shifts.sort_by_key(|shift| (shift.start_at, shift.end_at));
    shifts.truncate(SHIFTS_MAX);
    Ok(shifts)
}
