//! A part used on a visit: one movement out of the technician's van, and one line in the lineage of the device it went
//! into. A phone that was offline sends it again until it hears that it was taken.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::json;
use utoipa::OpenApi;

use super::book::{self, Booking, book};
use super::shape::{NewUse, PartMove};
use super::{repeated, written};
use crate::app::{App, Touched};
use crate::audit::{self, Entry};
use crate::clock::from_ms;
use crate::db::Conn;
use crate::error::ApiError;
use crate::part::{PlaceKind, store};
use crate::router::input::line;
use crate::sla::store::{Library, find_case};
use crate::ticket::Actor;
use crate::user::{Act, Viewer, allows};
use crate::visit::State as VisitState;
use crate::visit::api::own_id;
use crate::visit::api::step::earliest;
use crate::visit::moment::{Moment, Said};
use crate::visit::store::{self as visits, Row as Visit};
use crate::{deal, sla};

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(put))]
pub struct Doc;

/// Uses a part on a visit. The same once more is answered with what was written.
#[utoipa::path(put, path = "/api/v1/visits/{id}/parts/{part}", tag = "visits",
    params(("id" = String, Path), ("part" = String, Path)), request_body = NewUse,
    responses((status = 200, body = PartMove), (status = 404), (status = 409)))]
pub(super) async fn put(
    State(app): State<App>,
    viewer: Viewer,
    Path((id, part)): Path<(String, String)>,
    Json(new): Json<NewUse>,
) -> Result<Json<PartMove>, ApiError> {
    let part = own_id("part", &part)?;
    let serial = line("serial", &new.serial, 0..=80)?;
    let (component, class) = (line("component", &new.component, 0..=80)?, line("class", &new.class, 0..=80)?);
    let asked = serde_json::to_string(&NewUse { device_now: None, ..new.clone() }).unwrap_or_default();
    let now = app.clock.now();
    let mut tx = app.db.write_in_turn().await?;
    let visit =
        visits::find(&mut tx, &viewer.scope, &id).await?.ok_or_else(|| ApiError::not_found("visit", &id))?;
    if let Some(known) = repeated(&mut tx, &viewer, &part, &asked).await? {
        return Ok(Json(known));
    }
    admit(&mut tx, &viewer, &visit).await?;
    let kind = book::kind(&mut tx, &new.kind_id).await?;
    let from = match &new.from_id {
        Some(from) => book::place(&mut tx, &viewer, from).await?,
        None => {
            let van = store::find_van(&mut tx, viewer.account.as_str()).await?;
            let hint = "have a van made for you among the places, and parts moved into it";
            van.map(|row| row.place())
                .ok_or_else(|| ApiError::conflict("no_van", "you have no van with parts").hint(hint))?
        }
    };
    may_take(&mut tx, &viewer, &visit, &from).await?;
    let consent = consent(&mut tx, &visit, &new.consent, &component).await?;
    let used = store::single(&mut tx, PlaceKind::Used).await?;
    let said = Said {
        occurred_at: new.occurred_at.map(from_ms),
        device_at: new.device_at.map(from_ms),
        device_now: new.device_now.map(from_ms),
        skew_before_ms: new.skew_before_ms,
    };
    let at = Moment::read(said, earliest(&visit), now).at.max(earliest(&visit));
    let quantity = new.quantity.unwrap_or(1);
    let booking = Booking {
        id: &part,
        kind: &kind,
        from: &from,
        to: &used,
        quantity,
        serial: &serial,
        owner: new.owner_id.as_deref().unwrap_or_default(),
        why: "used",
        note: &component,
        ticket: Some(&visit.ticket_id),
        visit: Some(&visit.id),
        at,
        asked: &asked,
    };
    let owner = book(&mut tx, &viewer, &booking, now).await?;
    if !owner.is_empty() && Some(owner.as_str()) != customer_of(&mut tx, &viewer, &visit).await?.as_deref() {
        return Err(ApiError::conflict("not_theirs", format!("{} is another customer's", kind.number))
            .hint("use one of ours, or of this customer"));
    }
    let by = Actor::Person { id: viewer.account.to_string(), name: viewer.name.clone() };
    let with = if serial.is_empty() { kind.number.clone() } else { serial.clone() };
    let line = json!({ "what": if component.is_empty() { "part_used" } else { "replaced" }, "component": component,
        "with": with, "class": class, "consent": consent, "paid": new.paid, "part": part, "quantity": quantity,
        "name": kind.name, "name_zh": kind.name_zh, "visit": visit.number });
    deal::store::append(&mut tx, &visit.ticket_id, &by, &line, now).await?;
    let detail = json!({ "ticket": visit.ticket_number, "number": kind.number, "quantity": quantity, "serial": serial });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "part.use", &part, detail)).await?;
    sla::step::count_now(&mut tx, &visit.ticket_id, now).await?;
    let told = written(&mut tx, &viewer, &part).await?;
    tx.commit().await?;
    app.touched(&Touched::ticket(&visit.ticket_id));
    Ok(Json(told))
}

/// Only those who go on a visit, or lead, use parts on it, and only once somebody has arrived.
async fn admit(conn: &mut Conn, viewer: &Viewer, visit: &Visit) -> Result<(), ApiError> {
    let members = visits::list_members(conn, &[&visit.id]).await?;
    let goes = members.iter().any(|member| member.1 == viewer.account.as_str());
    if !goes && !allows(viewer.role, Act::PlanVisits) {
        return Err(
            ApiError::forbidden("not_yours", "this visit is not yours").hint("accept the visit first")
        );
    }
    let is_there = match VisitState::parse(&visit.state, &visit.reason) {
        Some(
            VisitState::Arrived
            | VisitState::Working
            | VisitState::Paused(_)
            | VisitState::Done
            | VisitState::Signed
            | VisitState::Unsigned(_)
            | VisitState::CalledBack,
        ) => true,
        Some(
            VisitState::Planned
            | VisitState::Assigned
            | VisitState::Accepted
            | VisitState::Departed
            | VisitState::Filed
            | VisitState::Cancelled(_),
        )
        | None => false,
    };
    if is_there {
        return Ok(());
    }
    let text = format!("visit {} of #{}: nobody works there", visit.number, visit.ticket_number);
    Err(ApiError::conflict("not_possible", text).hint(format!("it is {}; look at it anew", visit.state)))
}

/// From where somebody may take: the own van, what lies at the visit's site, and for those who lead any place of ours.
async fn may_take(
    conn: &mut Conn,
    viewer: &Viewer,
    visit: &Visit,
    from: &crate::part::Place,
) -> Result<(), ApiError> {
    let row = store::find_place(conn, &viewer.scope, &from.id).await?;
    let is_here = row.is_some_and(|row| row.site_id.as_deref() == Some(visit.site_id.as_str()));
    let is_own = from.account.as_deref() == Some(viewer.account.as_str());
    let leads = allows(viewer.role, Act::EditParts) && !from.kind.is_outside();
    if is_here || is_own || leads {
        return Ok(());
    }
    Err(ApiError::forbidden("not_yours", "that place is not yours to take from")
        .hint("take from your own van or from what lies at this site"))
}

async fn customer_of(conn: &mut Conn, viewer: &Viewer, visit: &Visit) -> Result<Option<String>, ApiError> {
    let site = crate::site::store::find(conn, &viewer.scope, &visit.site_id).await?;
    Ok(site.map(|site| site.customer_id))
}

/// Who consented: who is named, or who agreed to the plan. Without either no part is changed under a contract, nor is
/// anything used for which the contract names who must consent.
async fn consent(conn: &mut Conn, visit: &Visit, named: &str, component: &str) -> Result<String, ApiError> {
    let named = line("consent", named, 0..=80)?;
    if !named.is_empty() {
        return Ok(named);
    }
    let settled = deal::read(&deal::store::list(conn, &visit.ticket_id).await?);
    if let Some(answer) = settled.agreed().and_then(|offer| offer.answer.as_ref()) {
        return Ok(answer.by.clone());
    }
    let Some(case) = find_case(conn, &mut Library::default(), &visit.ticket_id).await? else {
        return Ok(named);
    };
    let from = case.contract().consent_to("replace_part");
    if component.is_empty() && from.is_empty() {
        return Ok(named);
    }
    let who = if from.is_empty() { "the customer".to_owned() } else { from.join(", ") };
    Err(ApiError::bad_request(
        "consent",
        "no part is changed without it",
        format!("name who consented: {who}"),
    ))
}
