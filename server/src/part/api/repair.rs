//! Repairs on the API: what was taken out of a customer's system, who repairs it, how long it ran, and that it is back,
//! where its warranty begins anew. Each step tells the ticket's clocks what they wait for.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::book::{self, Booking, book};
use crate::app::{App, Touched};
use crate::audit::{self, Entry};
use crate::db::{Conn, Tx};
use crate::deal::api as deals;
use crate::error::ApiError;
use crate::id::uuid_v7;
use crate::part::repair::{Level, No, State as Stands, Step, apply};
use crate::part::store::repair::{self, Row};
use crate::part::{PlaceKind, store};
use crate::router::Items;
use crate::router::input::{line, prose};
use crate::ticket::Actor;
use crate::user::Viewer;
use crate::visit::api::own_id;
use crate::{deal, site, sla, ticket};

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, open, take))]
pub struct Doc;

/// Which ones.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct RepairQuery {
    /// Those that are over, too.
    #[serde(default)]
    all: bool,
}

/// Something that was taken out to be repaired. Times are Unix ms.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Repair {
    pub id: String,
    pub ticket_id: String,
    pub ticket_number: i64,
    pub site_name: String,
    pub site_name_zh: String,
    pub kind_id: String,
    pub number: String,
    pub name: String,
    pub name_zh: String,
    pub serial: String,
    /// What the lineage of its device calls it.
    pub component: String,
    /// `l1`, `l2` or `factory`.
    pub level: String,
    /// The factory's own work order.
    pub factory_order: String,
    /// `repair`, `burn_in`, `ready`, `refitted` or `scrapped`.
    pub state: String,
    pub changed_at: i64,
    /// What happened, oldest first.
    pub events: Vec<RepairEvent>,
}

/// A line of its log.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RepairEvent {
    /// Its place in the log, from 1.
    pub seq: i64,
    /// `opened`, `passed`, `repaired`, `burn_in`, `failed`, `refitted` or `scrapped`.
    pub kind: String,
    /// When.
    pub at: i64,
    /// Who.
    pub actor: String,
    /// The particulars: `level`, `order`, `work`, `hours`, `note`, `paid`.
    #[schema(value_type = Object)]
    pub body: Value,
}

/// Something that was taken out. Its id stands in the path and is made by the writer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRepair {
    /// For which ticket, by id or number.
    pub ticket_id: String,
    /// Of which kind; one with serial numbers.
    pub kind_id: String,
    /// Which one.
    pub serial: String,
    /// What the lineage of its device calls it.
    pub component: String,
    /// Who repairs it: `l1`, `l2` or `factory`.
    pub level: String,
}

/// A step of a repair.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RepairStep {
    /// `passed` (to another level), `repaired`, `burn_in`, `failed`, `refitted` or `scrapped`.
    pub step: String,
    /// With `passed`: to whom.
    #[serde(default)]
    pub level: String,
    /// The factory's own work order.
    #[serde(default)]
    pub factory_order: String,
    /// With `repaired`: what was done, and the parts that were changed.
    #[serde(default)]
    pub work: String,
    /// With `burn_in`: for how many hours it ran.
    pub hours: Option<i64>,
    /// With `refitted`: whether the customer pays for the repair.
    #[serde(default)]
    pub paid: bool,
    /// In words; needed with `failed` and `scrapped`.
    #[serde(default)]
    pub note: String,
}

fn shown(row: Row, events: &[repair::Event]) -> Repair {
    let own = events.iter().filter(|event| event.repair_id == row.id);
    let events = own.map(|event| RepairEvent {
        seq: event.seq,
        kind: event.kind.clone(),
        at: event.at,
        actor: event.actor.clone(),
        body: serde_json::from_str(&event.body).unwrap_or_default(),
    });
    Repair {
        events: events.collect(),
        id: row.id,
        ticket_id: row.ticket_id,
        ticket_number: row.ticket_number,
        site_name: row.site_name,
        site_name_zh: row.site_name_zh,
        kind_id: row.kind_id,
        number: row.number,
        name: row.name,
        name_zh: row.name_zh,
        serial: row.serial,
        component: row.component,
        level: row.level,
        factory_order: row.factory_order,
        state: row.state,
        changed_at: row.changed_at,
    }
}

/// What is being repaired, changed last first; at most 500.
#[utoipa::path(get, path = "/api/v1/repairs", tag = "parts", params(RepairQuery),
    responses((status = 200, body = Items<Repair>)))]
pub(super) async fn list(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<RepairQuery>,
) -> Result<Json<Items<Repair>>, ApiError> {
    let mut conn = app.db.read().await?;
    let rows = repair::list(&mut conn, &viewer.scope, query.all).await?;
    let mut events = Vec::new();
    for row in &rows {
        events.extend(repair::list_events(&mut conn, &viewer.scope, Some(&row.id)).await?);
    }
    Ok(Json(Items::all(rows.into_iter().map(|row| shown(row, &events)).collect())))
}

async fn found(conn: &mut Conn, viewer: &Viewer, id: &str) -> Result<Row, ApiError> {
    let row = repair::find(conn, &viewer.scope, id).await?;
    row.ok_or_else(|| ApiError::not_found("repair", id))
}

fn level(word: &str) -> Result<Level, ApiError> {
    Level::parse(word).ok_or_else(|| {
        ApiError::bad_request("level", format!("`{word}` is unknown"), "use l1, l2 or factory")
    })
}

/// Takes something out of a customer's system to be repaired. The same once more is answered with what was written.
#[utoipa::path(put, path = "/api/v1/repairs/{id}", tag = "parts", params(("id" = String, Path)),
    request_body = NewRepair, responses((status = 200, body = Repair), (status = 404), (status = 409)))]
pub(super) async fn open(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<NewRepair>,
) -> Result<Json<Repair>, ApiError> {
    let id = own_id("id", &id)?;
    let now = app.clock.now();
    let (serial, component) =
        (line("serial", &new.serial, 1..=80)?, line("component", &new.component, 1..=80)?);
    let level = level(&new.level)?;
    let asked = serde_json::to_string(&new).unwrap_or_default();
    let mut tx = app.db.write_in_turn().await?;
    if let Some(known) = repair::find(&mut tx, &viewer.scope, &id).await? {
        if known.asked == asked {
            let events = repair::list_events(&mut tx, &viewer.scope, Some(&id)).await?;
            return Ok(Json(shown(known, &events)));
        }
        return Err(ApiError::conflict("other_repair", format!("there is another repair `{id}`"))
            .hint("make a new id for what is new"));
    }
    let ticket = ticket::store::find(&mut tx, &viewer.scope, &new.ticket_id)
        .await?
        .ok_or_else(|| ApiError::not_found("ticket", &new.ticket_id))?;
    let site = site::store::find(&mut tx, &viewer.scope, &ticket.site_id).await?;
    let owner = site.map(|site| site.customer_id).unwrap_or_default();
    let kind = book::kind(&mut tx, &new.kind_id).await?;
    let (from, to) =
        (store::single(&mut tx, PlaceKind::Used).await?, store::single(&mut tx, PlaceKind::Workshop).await?);
    let booking = Booking {
        id: &id,
        kind: &kind,
        from: &from,
        to: &to,
        quantity: 1,
        serial: &serial,
        owner: &owner,
        why: "to_repair",
        note: &component,
        ticket: Some(&ticket.id),
        visit: None,
        at: now,
        asked: &asked,
    };
    book(&mut tx, &viewer, &booking, now).await?;
    let row = repair::New {
        id: &id,
        ticket_id: &ticket.id,
        kind_id: &kind.id,
        serial: &serial,
        owner_id: &owner,
        component: &component,
        level: level.as_str(),
        asked: &asked,
    };
    repair::insert(&mut tx, &row, now).await?;
    repair::append(&mut tx, &id, ("opened", &viewer.name, &json!({ "level": level.as_str() })), now).await?;
    let fact = if level == Level::Factory { "factory_return" } else { "device_received" };
    deals::state(&mut tx, &viewer, &ticket.id, fact, now).await?;
    let detail =
        json!({ "ticket": ticket.number, "part": kind.number, "serial": serial, "level": level.as_str() });
    close(&app, tx, &viewer, &id, &ticket.id, ("repair.open", detail), now).await
}

/// Takes a step of a repair.
#[utoipa::path(post, path = "/api/v1/repairs/{id}/steps", tag = "parts", params(("id" = String, Path)),
    request_body = RepairStep, responses((status = 200, body = Repair), (status = 404), (status = 409)))]
pub(super) async fn take(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<RepairStep>,
) -> Result<Json<Repair>, ApiError> {
    let step = Step::parse(&new.step).ok_or_else(|| {
        let hint = format!("use one of {}", Step::ALL.map(Step::as_str).join(", "));
        ApiError::bad_request("step", format!("`{}` is unknown", new.step), hint)
    })?;
    let needs_words = matches!(step, Step::Failed | Step::Scrap);
    let note = line("note", &new.note, usize::from(needs_words)..=400)?;
    let work = prose("work", &new.work, usize::from(step == Step::Repaired)..=2000)?;
    let order = line("factory_order", &new.factory_order, 0..=80)?;
    if step == Step::RanIn && !new.hours.is_some_and(|hours| (1..=10_000).contains(&hours)) {
        return Err(ApiError::bad_request("hours", "nobody says how long it ran", "give 1 to 10000 hours"));
    }
    let now = app.clock.now();
    let mut tx = app.db.write_in_turn().await?;
    let row = found(&mut tx, &viewer, &id).await?;
    let level =
        if step == Step::Pass { level(&new.level)? } else { Level::parse(&row.level).unwrap_or(Level::L1) };
    let order = if order.is_empty() { row.factory_order.clone() } else { order };
    let before = Stands::parse(&row.state).unwrap_or(Stands::Scrapped);
    let after = apply(before, level, step, !order.is_empty()).map_err(|why| refused(why, &row))?;
    let mut body = json!({});
    for (key, words) in [("note", &note), ("work", &work), ("order", &order)] {
        if !words.is_empty() {
            body[key] = words.as_str().into();
        }
    }
    match step {
        Step::Pass => body["level"] = level.as_str().into(),
        Step::RanIn => body["hours"] = new.hours.into(),
        Step::Refit => body["paid"] = new.paid.into(),
        Step::Repaired | Step::Failed | Step::Scrap => {}
    }
    let fact = match step {
        Step::Pass if level == Level::Factory => Some("factory_return"),
        Step::Repaired => Some("repaired"),
        Step::RanIn => Some("burn_in"),
        Step::Refit => Some("device_returned"),
        Step::Pass | Step::Failed | Step::Scrap => None,
    };
    if let Some(fact) = fact {
        deals::state(&mut tx, &viewer, &row.ticket_id, fact, now).await?;
    }
    if matches!(step, Step::Refit | Step::Scrap) {
        leave(&mut tx, &viewer, &row, step, &note, now).await?;
    }
    if step == Step::Refit {
        let by = Actor::Person { id: viewer.account.to_string(), name: viewer.name.clone() };
        let line = json!({ "what": "reinstalled", "component": row.component, "with": row.serial, "paid": new.paid,
            "name": row.name, "name_zh": row.name_zh });
        deal::store::append(&mut tx, &row.ticket_id, &by, &line, now).await?;
    }
    repair::append(&mut tx, &row.id, (step.as_str(), &viewer.name, &body), now).await?;
    repair::update(&mut tx, &row.id, (after.as_str(), level.as_str(), &order), now).await?;
    let detail = json!({ "ticket": row.ticket_number, "part": row.number, "serial": row.serial, "step": step.as_str() });
    close(&app, tx, &viewer, &row.id, &row.ticket_id, ("repair.step", detail), now).await
}

fn refused(why: No, row: &Row) -> ApiError {
    let (code, hint) = match why {
        No::Over => ("over", "look at it anew".to_owned()),
        No::NotYet => ("not_yet", format!("it stands at {}", row.state)),
        No::NoOrder => {
            ("no_order", "write down the number of the work order that came back with it".to_owned())
        }
    };
    ApiError::conflict(code, format!("{} {}: {why}", row.number, row.serial)).hint(hint)
}

/// Moves it out of the workshop: back into the system, or away.
async fn leave(
    conn: &mut Conn,
    viewer: &Viewer,
    row: &Row,
    step: Step,
    note: &str,
    now: jiff::Timestamp,
) -> Result<(), ApiError> {
    let kind = book::kind(conn, &row.kind_id).await?;
    let (from, to) =
        (store::single(conn, PlaceKind::Workshop).await?, store::single(conn, PlaceKind::Used).await?);
    let booking = Booking {
        id: &uuid_v7(now),
        kind: &kind,
        from: &from,
        to: &to,
        quantity: 1,
        serial: &row.serial,
        owner: &row.owner_id,
        why: step.as_str(),
        note,
        ticket: Some(&row.ticket_id),
        visit: None,
        at: now,
        asked: "",
    };
    book(conn, viewer, &booking, now).await?;
    Ok(())
}

async fn close(
    app: &App,
    mut tx: Tx,
    viewer: &Viewer,
    id: &str,
    ticket: &str,
    (action, detail): (&'static str, Value),
    now: jiff::Timestamp,
) -> Result<Json<Repair>, ApiError> {
    audit::store::insert(&mut tx, &Entry::by(viewer, now, action, id, detail)).await?;
    sla::step::count_now(&mut tx, ticket, now).await?;
    let row = found(&mut tx, viewer, id).await?;
    let events = repair::list_events(&mut tx, &viewer.scope, Some(id)).await?;
    tx.commit().await?;
    app.touched(&Touched::ticket(ticket));
    Ok(Json(shown(row, &events)))
}
