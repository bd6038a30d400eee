//! Parts on the API: kinds, places, what lies where, and movements. What is moved is a PUT under an id of the writer's
//! own making, like a visit's steps: the same once more changes nothing.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, OpenApi};

use super::store::{self, Filter, Kind};
use super::{Place, PlaceKind, may_move, why};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::customer;
use crate::db::Conn;
use crate::error::ApiError;
use crate::router::input::line;
use crate::router::{Items, Routes};
use crate::user::{self, Act, Viewer};
use crate::visit::api::own_id;
use crate::{part, site};

mod book;
pub mod consignment;
pub mod loaner;
pub mod reorder;
pub mod repair;
pub mod shape;
pub mod spend;

use book::{Booking, book};
use shape::{NewPartKind, NewPartMove, NewPartPlace, PartKind, PartMove, PartPlace, PartStock, owner};

/// What lies where.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct StockQuery {
    /// Only at this place.
    place_id: Option<String>,
    /// Only in my own van.
    #[serde(default)]
    mine: bool,
}

/// Which movements.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct MoveQuery {
    /// Only of this kind.
    kind_id: Option<String>,
    /// Only into or out of this place.
    place_id: Option<String>,
    /// Only for this ticket.
    ticket_id: Option<String>,
    /// Only on this visit.
    visit_id: Option<String>,
    /// Only those before this one, by `seq`.
    before: Option<i64>,
}

/// So many movements are listed at once.
const MOVES: i64 = 100;
/// The dearest part, fen; the longest order, days.
const PRICE_MAX: i64 = 10_000_000_000;
const DAYS_MAX: i64 = 730;

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/parts", Act::SeeParts, stock)
        .get("/api/v1/parts/kinds", Act::SeeParts, kinds)
        .put("/api/v1/parts/kinds/{id}", Act::EditParts, put_kind)
        .get("/api/v1/parts/places", Act::SeeParts, places)
        .put("/api/v1/parts/places/{id}", Act::EditParts, put_place)
        .get("/api/v1/parts/moves", Act::SeeParts, moves)
        .put("/api/v1/parts/moves/{id}", Act::WorkParts, put_move)
        .get("/api/v1/loaners", Act::SeeParts, loaner::list)
        .put("/api/v1/loaners/{id}", Act::WorkParts, loaner::lend)
        .post("/api/v1/loaners/{id}/due", Act::EditParts, loaner::extend)
        .post("/api/v1/loaners/{id}/end", Act::WorkParts, loaner::finish)
        .get("/api/v1/parts/reorder", Act::SeeParts, reorder::list)
        .get("/api/v1/repairs", Act::SeeParts, repair::list)
        .put("/api/v1/repairs/{id}", Act::WorkParts, repair::open)
        .post("/api/v1/repairs/{id}/steps", Act::WorkParts, repair::take)
        .get("/api/v1/consignments", Act::SeeParts, consignment::list)
        .get("/api/v1/consignments/proposal", Act::EditParts, consignment::propose)
        .put("/api/v1/consignments/{id}", Act::EditParts, consignment::put)
        .post("/api/v1/consignments/{id}/release", Act::EditParts, consignment::release)
        .post("/api/v1/consignments/{id}/end", Act::WorkParts, consignment::finish)
        .put("/api/v1/visits/{id}/parts/{part}", Act::WorkVisits, spend::put)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(stock, kinds, put_kind, places, put_place, moves, put_move))]
pub struct Doc;

/// What lies where: of every place inside, by kind and owner. It is the sum of the movements.
#[utoipa::path(get, path = "/api/v1/parts", tag = "parts", params(StockQuery),
    responses((status = 200, body = Items<PartStock>)))]
async fn stock(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<StockQuery>,
) -> Result<Json<Items<PartStock>>, ApiError> {
    let mut conn = app.db.read().await?;
    let van = if query.mine {
        store::find_van(&mut conn, viewer.account.as_str()).await?.map(|row| row.id)
    } else {
        None
    };
    if query.mine && van.is_none() {
        return Ok(Json(Items::all(Vec::new())));
    }
    let place = van.or(query.place_id);
    let rows = store::list_stock(&mut conn, &viewer.scope, place.as_deref()).await?;
    let serials = store::list_serials(&mut conn, &viewer.scope, place.as_deref()).await?;
    let items = rows.into_iter().map(|row| {
        let own = serials
            .iter()
            .filter(|one| (&one.0, &one.1, &one.2) == (&row.place_id, &row.kind_id, &row.owner_id));
        PartStock {
            serials: own.map(|one| one.3.clone()).collect(),
            place_id: row.place_id,
            kind_id: row.kind_id,
            owner_id: owner(row.owner_id),
            owner: row.owner,
            quantity: row.quantity,
        }
    });
    Ok(Json(Items::all(items.collect())))
}

/// Kinds of parts, by number.
#[utoipa::path(get, path = "/api/v1/parts/kinds", tag = "parts", responses((status = 200, body = Items<PartKind>)))]
async fn kinds(State(app): State<App>, _viewer: Viewer) -> Result<Json<Items<PartKind>>, ApiError> {
    let rows = store::list_kinds(&mut *app.db.read().await?).await?;
    Ok(Json(Items::all(rows.into_iter().map(Into::into).collect())))
}

fn number(field: &str, value: i64, most: i64) -> Result<i64, ApiError> {
    if (0..=most).contains(&value) {
        return Ok(value);
    }
    Err(ApiError::bad_request(field, format!("{value} is out of bounds"), format!("give 0 to {most}")))
}

/// Writes a kind of part, new or changed.
#[utoipa::path(put, path = "/api/v1/parts/kinds/{id}", tag = "parts", params(("id" = String, Path)),
    request_body = NewPartKind, responses((status = 200, body = PartKind), (status = 409)))]
async fn put_kind(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<NewPartKind>,
) -> Result<Json<PartKind>, ApiError> {
    let id = own_id("id", &id)?;
    let now = app.clock.now();
    let name = line("name", &new.name, 1..=120)?;
    let zh = line("name_zh", &new.name_zh, 0..=120)?;
    let mut kind = Kind {
        id: id.clone(),
        number: line("number", &new.number, 1..=60)?,
        name_zh: if zh.is_empty() { name.clone() } else { zh },
        name,
        by_serial: i64::from(new.by_serial),
        price_fen: number("price_fen", new.price_fen, PRICE_MAX)?,
        reorder_at: number("reorder_at", new.reorder_at, part::QUANTITY_MAX)?,
        lead_days: number("lead_days", new.lead_days, DAYS_MAX)?,
        changed_at: now.as_millisecond(),
    };
    let mut tx = app.db.write_in_turn().await?;
    if let Some(known) = store::find_kind(&mut tx, &id).await? {
        // What lies there was counted in one way.
        kind.by_serial = known.by_serial;
    }
    if !store::put_kind(&mut tx, &kind).await? {
        return Err(ApiError::conflict(
            "number_taken",
            format!("another kind has the number {}", kind.number),
        )
        .hint("give another number, or change that kind"));
    }
    let detail = json!({ "number": kind.number, "name": kind.name, "price_fen": kind.price_fen });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "part.kind", &id, detail)).await?;
    tx.commit().await?;
    Ok(Json(kind.into()))
}

/// Places: ours, and the world outside as far as anything came from there or went there.
#[utoipa::path(get, path = "/api/v1/parts/places", tag = "parts", responses((status = 200, body = Items<PartPlace>)))]
async fn places(State(app): State<App>, viewer: Viewer) -> Result<Json<Items<PartPlace>>, ApiError> {
    let rows = store::list_places(&mut *app.db.read().await?, &viewer.scope).await?;
    Ok(Json(Items::all(rows.into_iter().map(Into::into).collect())))
}

/// Writes a place, new or renamed.
#[utoipa::path(put, path = "/api/v1/parts/places/{id}", tag = "parts", params(("id" = String, Path)),
    request_body = NewPartPlace, responses((status = 200, body = PartPlace), (status = 404), (status = 409)))]
async fn put_place(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<NewPartPlace>,
) -> Result<Json<PartPlace>, ApiError> {
    let id = own_id("id", &id)?;
    let kind = PlaceKind::parse(&new.kind).filter(|kind| !kind.is_single()).ok_or_else(|| {
        ApiError::bad_request("kind", format!("`{}` is no place to add", new.kind), "use depot, van or site")
    })?;
    let now = app.clock.now();
    let name = line("name", &new.name, if kind == PlaceKind::Depot { 1..=120 } else { 0..=120 })?;
    let mut tx = app.db.write_in_turn().await?;
    let (mut account, mut at) = (None, None);
    match kind {
        PlaceKind::Van => {
            let whose = new.account_id.unwrap_or_default();
            let found = user::store::find_account(&mut tx, &whose).await?;
            let found = found.filter(|one| one.disabled == 0 && one.role != "customer");
            account = Some(found.ok_or_else(|| ApiError::not_found("account that has a van", &whose))?.id);
        }
        PlaceKind::Site => {
            let whose = new.site_id.unwrap_or_default();
            let found = site::store::find(&mut tx, &viewer.scope, &whose).await?;
            at = Some(found.ok_or_else(|| ApiError::not_found("site", &whose))?.id.to_string());
        }
        PlaceKind::Depot | PlaceKind::Workshop | PlaceKind::Supplier | PlaceKind::Used | PlaceKind::Lost => {}
    }
    let place = Place { id: id.clone(), kind, account: account.map(|id| id.to_string()) };
    if !store::put_place(&mut tx, &place, &name, at.as_deref()).await? {
        return Err(ApiError::conflict("place_taken", "this person or this site has a place already")
            .hint("use that one"));
    }
    let detail = json!({ "kind": kind.as_str(), "name": name });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "part.place", &id, detail)).await?;
    let row = store::find_place(&mut tx, &viewer.scope, &id).await?;
    let row = row.ok_or_else(|| ApiError::not_found("place", &id))?;
    tx.commit().await?;
    Ok(Json(row.into()))
}

/// Movements, the newest first, a hundred at a time; `next` is what to send as `before`.
#[utoipa::path(get, path = "/api/v1/parts/moves", tag = "parts", params(MoveQuery),
    responses((status = 200, body = Items<PartMove>)))]
async fn moves(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<MoveQuery>,
) -> Result<Json<Items<PartMove>>, ApiError> {
    let filter = Filter {
        id: None,
        kind_id: query.kind_id,
        place_id: query.place_id,
        ticket_id: query.ticket_id,
        visit_id: query.visit_id,
        before: query.before,
    };
    let rows = store::list_moves(&mut *app.db.read().await?, &viewer.scope, &filter, MOVES).await?;
    let next = (rows.len() as i64 == MOVES).then(|| rows.last().map(|row| row.seq.to_string())).flatten();
    Ok(Json(Items { items: rows.into_iter().map(Into::into).collect(), next }))
}

/// The movement of that id when it was asked for in the same words; refused when it was not.
async fn repeated(
    conn: &mut Conn,
    viewer: &Viewer,
    id: &str,
    asked: &str,
) -> Result<Option<PartMove>, ApiError> {
    let filter = Filter { id: Some(id.to_owned()), ..Filter::default() };
    match store::list_moves(conn, &viewer.scope, &filter, 1).await?.pop() {
        Some(row) if row.asked == asked => Ok(Some(row.into())),
        Some(_) => Err(ApiError::conflict("other_move", format!("there is another movement `{id}`"))
            .hint("make a new id for what is new")),
        None => Ok(None),
    }
}

/// The movement as it was written.
async fn written(conn: &mut Conn, viewer: &Viewer, id: &str) -> Result<PartMove, ApiError> {
    let filter = Filter { id: Some(id.to_owned()), ..Filter::default() };
    let row = store::list_moves(conn, &viewer.scope, &filter, 1).await?.pop();
    row.map(Into::into).ok_or_else(|| ApiError::not_found("movement", id))
}

/// Moves parts. The same once more is answered with what was written.
#[utoipa::path(put, path = "/api/v1/parts/moves/{id}", tag = "parts", params(("id" = String, Path)),
    request_body = NewPartMove, responses((status = 200, body = PartMove), (status = 404), (status = 409)))]
async fn put_move(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<NewPartMove>,
) -> Result<Json<PartMove>, ApiError> {
    let id = own_id("id", &id)?;
    let (serial, note) = (line("serial", &new.serial, 0..=80)?, line("note", &new.note, 0..=400)?);
    let asked = serde_json::to_string(&new).unwrap_or_default();
    let now = app.clock.now();
    let mut tx = app.db.write_in_turn().await?;
    if let Some(known) = repeated(&mut tx, &viewer, &id, &asked).await? {
        return Ok(Json(known));
    }
    let kind = book::kind(&mut tx, &new.kind_id).await?;
    let from = book::place(&mut tx, &viewer, &new.from_id).await?;
    let to = book::place(&mut tx, &viewer, &new.to_id).await?;
    may_move(viewer.role, viewer.account.as_str(), &from, &to).map_err(|why| book::no(&why, &kind))?;
    let whose = match &new.owner_id {
        Some(owner) => {
            let found = customer::store::find(&mut tx, &viewer.scope, owner).await?;
            found.ok_or_else(|| ApiError::not_found("customer", owner))?.id.to_string()
        }
        None => String::new(),
    };
    let booking = Booking {
        id: &id,
        kind: &kind,
        from: &from,
        to: &to,
        quantity: new.quantity.unwrap_or(1),
        serial: &serial,
        owner: &whose,
        why: why(from.kind, to.kind),
        note: &note,
        ticket: None,
        visit: None,
        at: now,
        asked: &asked,
    };
    book(&mut tx, &viewer, &booking, now).await?;
    let detail =
        json!({ "number": kind.number, "quantity": booking.quantity, "why": booking.why, "serial": serial });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "part.move", &id, detail)).await?;
    let told = written(&mut tx, &viewer, &id).await?;
    tx.commit().await?;
    Ok(Json(told))
}
