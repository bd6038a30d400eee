//! What is sent to customers' sites, on the API: what a site needs, the list of it, its release when what was packed is
//! the list, and that it arrived. Each release is movements of stock in the same transaction.

use axum::Json;
use axum::extract::{Path, Query, State};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use utoipa::OpenApi;

use super::book::{self, Booking, book};
use super::{PRICE_MAX, number};
use crate::app::{App, Touched};
use crate::audit::{self, Entry};
use crate::db::{Conn, Tx};
use crate::error::ApiError;
use crate::id::uuid_v7;
use crate::part::consignment::{
    MONTHS_MAX, Purpose, RATE_MAX_BP, State as Stands, Supply, compare, needed, observed_bp,
};
use crate::part::store::{self, Kind, consignment as rows};
use crate::part::{Place, PlaceKind, QUANTITY_MAX};
use crate::router::Items;
use crate::router::input::line;
use crate::site;
use crate::ticket::{self, Actor};
use crate::user::{Act, Viewer, allows};
use crate::visit::api::own_id;

mod shape;

use shape::shown;
pub use shape::{
    Consignment, ConsignmentEnd, ConsignmentQuery, ConsignmentRelease, NewConsignment, NewConsignmentLine,
    PackedPart, ProposalQuery, SpareNeed,
};

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, propose, put, release, finish))]
pub struct Doc;

const LINES_MAX: usize = 200;
const PACKED_MAX: usize = 1000;
const DAY_MS: i64 = 86_400_000;
const YEAR_MS: i64 = 365 * DAY_MS;

async fn told(conn: &mut Conn, row: rows::Row, now: Timestamp) -> Result<Consignment, ApiError> {
    let lines = rows::list_lines(conn, &[&row.id]).await?;
    let packed = rows::list_packed(conn, &[&row.id]).await?;
    Ok(shown(row, &lines, &packed, now))
}

/// What is sent to sites: what has not arrived first, by the day on which it is due; at most 200.
#[utoipa::path(get, path = "/api/v1/consignments", tag = "parts", params(ConsignmentQuery),
    responses((status = 200, body = Items<Consignment>)))]
pub(super) async fn list(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<ConsignmentQuery>,
) -> Result<Json<Items<Consignment>>, ApiError> {
    let now = app.clock.now();
    let mut conn = app.db.read().await?;
    let all = rows::list(&mut conn, &viewer.scope, query.all).await?;
    let ids: Vec<&str> = all.iter().map(|row| row.id.as_str()).collect();
    let lines = rows::list_lines(&mut conn, &ids).await?;
    let packed = rows::list_packed(&mut conn, &ids).await?;
    Ok(Json(Items::all(all.into_iter().map(|row| shown(row, &lines, &packed, now)).collect())))
}

/// What a site needs: each kind of part that devices there are of, how often those were replaced at all sites in the last
/// year, and how many spares that makes.
#[utoipa::path(get, path = "/api/v1/consignments/proposal", tag = "parts", params(ProposalQuery),
    responses((status = 200, body = Items<SpareNeed>), (status = 404)))]
pub(super) async fn propose(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<ProposalQuery>,
) -> Result<Json<Items<SpareNeed>>, ApiError> {
    let months = number("months", query.months, MONTHS_MAX)?;
    let now = app.clock.now().as_millisecond();
    let mut conn = app.db.read().await?;
    let site = site::store::find(&mut conn, &viewer.scope, &query.site_id).await?;
    let site = site.ok_or_else(|| ApiError::not_found("site", &query.site_id))?;
    let found = rows::list_fitting(&mut conn, &viewer.scope, site.id.as_str(), now - YEAR_MS).await?;
    let items = found.into_iter().map(|one| {
        let rate_bp = observed_bp(one.used, ((now - one.since) / DAY_MS).min(365), one.everywhere);
        SpareNeed {
            quantity: needed(one.installed, rate_bp.unwrap_or(0), months),
            rate_bp,
            kind_id: one.kind_id,
            number: one.number,
            name: one.name,
            name_zh: one.name_zh,
            price_fen: one.price_fen,
            installed: one.installed,
            used: one.used,
            everywhere: one.everywhere,
        }
    });
    Ok(Json(Items::all(items.collect())))
}

/// The end of a day at the site.
fn due(text: &str, zone: &str) -> Result<Option<i64>, ApiError> {
    if text.is_empty() {
        return Ok(None);
    }
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let end = text.parse::<Date>().and_then(Date::tomorrow).and_then(|day| day.to_zoned(zone));
    let end =
        end.map_err(|_| ApiError::bad_request("due_on", format!("`{text}` is no day"), "write YYYY-MM-DD"))?;
    Ok(Some(end.timestamp().as_millisecond()))
}

/// The lines as they are written; each kind once.
async fn lines(conn: &mut Conn, new: &[NewConsignmentLine]) -> Result<Vec<rows::NewLine>, ApiError> {
    if !(1..=LINES_MAX).contains(&new.len()) {
        let text = format!("{} lines are no list", new.len());
        return Err(ApiError::bad_request("lines", text, format!("give 1 to {LINES_MAX}")));
    }
    let mut all: Vec<rows::NewLine> = Vec::new();
    for one in new {
        let kind = book::kind(conn, &one.kind_id).await?;
        if all.iter().any(|(id, ..)| *id == kind.id) {
            let text = format!("{} stands on it twice", kind.number);
            return Err(ApiError::bad_request("lines", text, "write each kind once, with how many"));
        }
        if one.quantity == 0 {
            let text = format!("of {} none is sent", kind.number);
            return Err(ApiError::bad_request("quantity", text, "give how many, or take the line away"));
        }
        all.push((
            kind.id,
            number("installed", one.installed, QUANTITY_MAX)?,
            number("rate_bp", one.rate_bp, RATE_MAX_BP)?,
            number("quantity", one.quantity, QUANTITY_MAX)?,
            number("price_fen", one.price_fen, PRICE_MAX)?,
        ));
    }
    Ok(all)
}

fn over(row: &rows::Row) -> ApiError {
    ApiError::conflict("over", format!("it stands at {}", row.state)).hint("look at it anew")
}

/// Writes a list, new or changed, as long as it has not gone.
#[utoipa::path(put, path = "/api/v1/consignments/{id}", tag = "parts", params(("id" = String, Path)),
    request_body = NewConsignment, responses((status = 200, body = Consignment), (status = 404), (status = 409)))]
pub(super) async fn put(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<NewConsignment>,
) -> Result<Json<Consignment>, ApiError> {
    let id = own_id("id", &id)?;
    let purpose = Purpose::parse(&new.purpose).ok_or_else(|| {
        ApiError::bad_request("purpose", format!("`{}` is unknown", new.purpose), "use spares or parts")
    })?;
    let supply = Supply::parse(&new.supply).ok_or_else(|| {
        ApiError::bad_request(
            "supply",
            format!("`{}` is unknown", new.supply),
            "use included, sale or rental",
        )
    })?;
    let note = line("note", &new.note, 0..=400)?;
    let due_on = line("due_on", &new.due_on, 0..=10)?;
    let months = if purpose == Purpose::Spares { number("months", new.months, MONTHS_MAX)? } else { 0 };
    if purpose == Purpose::Spares && months == 0 {
        return Err(ApiError::bad_request(
            "months",
            "nobody says how long they are for",
            "give 1 to 120 months",
        ));
    }
    let now = app.clock.now();
    let mut tx = app.db.write_in_turn().await?;
    let site = site::store::find(&mut tx, &viewer.scope, &new.site_id).await?;
    let site = site.ok_or_else(|| ApiError::not_found("site", &new.site_id))?;
    let due_at = due(&due_on, &site.zone)?;
    let mut ticket = None;
    if purpose == Purpose::Parts {
        let asked = new.ticket_id.unwrap_or_default();
        let found = ticket::store::find(&mut tx, &viewer.scope, &asked).await?;
        let found = found.filter(|one| one.site_id == site.id.as_str());
        ticket = Some(found.ok_or_else(|| ApiError::not_found("ticket of this site", &asked))?.id);
    }
    let lines = lines(&mut tx, &new.lines).await?;
    let row = rows::New {
        id: &id,
        purpose: purpose.as_str(),
        supply: supply.as_str(),
        site_id: site.id.as_str(),
        ticket_id: ticket.as_deref(),
        months,
        due_on: &due_on,
        due_at,
        note: &note,
        made_by: &viewer.name,
    };
    if !rows::put(&mut tx, &row, &lines, now).await? {
        return Err(over(&found(&mut tx, &viewer, &id).await?));
    }
    let detail = json!({ "site": site.name, "purpose": purpose.as_str(), "supply": supply.as_str(), "lines": lines.len(),
        "due_on": due_on });
    close(&app, tx, &viewer, &id, ("consignment.put", detail), now).await
}

async fn found(conn: &mut Conn, viewer: &Viewer, id: &str) -> Result<rows::Row, ApiError> {
    let row = rows::find(conn, &viewer.scope, id).await?;
    row.ok_or_else(|| ApiError::not_found("consignment", id))
}

/// Lets it go when what was packed is what is listed; its stock moves to the site with it.
#[utoipa::path(post, path = "/api/v1/consignments/{id}/release", tag = "parts", params(("id" = String, Path)),
    request_body = ConsignmentRelease, responses((status = 200, body = Consignment), (status = 404), (status = 409)))]
pub(super) async fn release(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<ConsignmentRelease>,
) -> Result<Json<Consignment>, ApiError> {
    let (waybill, carrier) = (line("waybill", &new.waybill, 1..=80)?, line("carrier", &new.carrier, 0..=80)?);
    if new.packed.len() > PACKED_MAX {
        let text = format!("{} lines are packed", new.packed.len());
        return Err(ApiError::bad_request("packed", text, format!("send {PACKED_MAX} at most at once")));
    }
    let now = app.clock.now();
    let mut tx = app.db.write_in_turn().await?;
    let row = found(&mut tx, &viewer, &id).await?;
    if row.state != Stands::Open.as_str() {
        return Err(over(&row));
    }
    let mut kinds: Vec<Kind> = Vec::new();
    let mut packed: Vec<(String, i64, String)> = Vec::new();
    for one in &new.packed {
        let kind = book::kind(&mut tx, &one.kind_id).await?;
        packed.push((kind.id.clone(), one.quantity, line("serial", &one.serial, 0..=80)?));
        if kinds.iter().all(|known| known.id != kind.id) {
            kinds.push(kind);
        }
    }
    differ(&rows::list_lines(&mut tx, &[&row.id]).await?, &packed, &kinds)?;
    let from = book::place(&mut tx, &viewer, &new.from_id).await?;
    if !matches!(from.kind, PlaceKind::Depot | PlaceKind::Workshop) {
        return Err(ApiError::bad_request("from_id", "nothing is sent from there", "name a depot of ours"));
    }
    let goods: Vec<(&str, i64, &str)> =
        packed.iter().map(|(kind, n, serial)| (kind.as_str(), *n, serial.as_str())).collect();
    hand_over(&mut tx, &viewer, &row, &from, &goods, now).await?;
    if !rows::release(&mut tx, &row.id, (&from.id, &waybill, &carrier), &goods, (&viewer.name, now)).await? {
        return Err(over(&row));
    }
    record(
        &mut tx,
        &viewer,
        &row,
        "parts_sent",
        &json!({ "waybill": waybill, "carrier": carrier, "packed": goods.len() }),
        now,
    )
    .await?;
    let detail = json!({ "site": row.site_name, "waybill": waybill, "from": from.id, "packed": goods.len() });
    close(&app, tx, &viewer, &row.id, ("consignment.release", detail), now).await
}

/// Refuses what is packed otherwise than listed, kind by kind.
fn differ(listed: &[rows::Line], packed: &[(String, i64, String)], kinds: &[Kind]) -> Result<(), ApiError> {
    if let Some((_, wrong, _)) = packed.iter().find(|(_, quantity, _)| !(1..=QUANTITY_MAX).contains(quantity))
    {
        return Err(ApiError::bad_request(
            "quantity",
            format!("{wrong} is no number of parts"),
            "give 1 to 100000",
        ));
    }
    let of_list: Vec<(&str, i64)> = listed.iter().map(|one| (one.kind_id.as_str(), one.quantity)).collect();
    let of_boxes: Vec<(&str, i64)> = packed.iter().map(|(kind, n, _)| (kind.as_str(), *n)).collect();
    let differences = compare(&of_list, &of_boxes);
    if differences.is_empty() {
        return Ok(());
    }
    let name = |id: &str| {
        let of_list = listed.iter().find(|one| one.kind_id == id).map(|one| one.number.as_str());
        of_list
            .or_else(|| kinds.iter().find(|one| one.id == id).map(|one| one.number.as_str()))
            .unwrap_or(id)
            .to_owned()
    };
    let told: Vec<String> = differences
        .iter()
        .take(10)
        .map(|one| format!("{}: {} listed, {} packed", name(one.kind), one.listed, one.packed))
        .collect();
    Err(ApiError::conflict("differs", told.join("; ")).hint("pack what is listed, or change the list first"))
}

/// Moves what was packed to the site. What becomes the customer's leaves our stock and enters theirs; what is rented stays ours.
async fn hand_over(
    tx: &mut Tx,
    viewer: &Viewer,
    row: &rows::Row,
    from: &Place,
    goods: &[(&str, i64, &str)],
    now: Timestamp,
) -> Result<(), ApiError> {
    let site = store::at_site(tx, &row.site_id, now).await?;
    if is_theirs(row) {
        let used = store::single(tx, PlaceKind::Used).await?;
        carry(tx, viewer, row, goods, (from, &used, "", "handed_over"), now).await?;
        carry(tx, viewer, row, goods, (&used, &site, &row.customer_id, "delivered"), now).await
    } else {
        carry(tx, viewer, row, goods, (from, &site, "", "rented"), now).await
    }
}

/// Moves it back to where it came from.
async fn take_back(tx: &mut Tx, viewer: &Viewer, row: &rows::Row, now: Timestamp) -> Result<(), ApiError> {
    let packed = rows::list_packed(tx, &[&row.id]).await?;
    let goods: Vec<(&str, i64, &str)> =
        packed.iter().map(|one| (one.kind_id.as_str(), one.quantity, one.serial.as_str())).collect();
    let site = store::at_site(tx, &row.site_id, now).await?;
    let from = book::place(tx, viewer, row.from_id.as_deref().unwrap_or_default()).await?;
    if is_theirs(row) {
        let used = store::single(tx, PlaceKind::Used).await?;
        carry(tx, viewer, row, &goods, (&site, &used, &row.customer_id, "came_back"), now).await?;
        carry(tx, viewer, row, &goods, (&used, &from, "", "came_back"), now).await
    } else {
        carry(tx, viewer, row, &goods, (&site, &from, "", "came_back"), now).await
    }
}

fn is_theirs(row: &rows::Row) -> bool {
    Supply::parse(&row.supply).is_some_and(Supply::becomes_theirs)
}

async fn carry(
    tx: &mut Tx,
    viewer: &Viewer,
    row: &rows::Row,
    goods: &[(&str, i64, &str)],
    (from, to, owner, why): (&Place, &Place, &str, &str),
    now: Timestamp,
) -> Result<(), ApiError> {
    for (kind, quantity, serial) in goods {
        let kind = book::kind(tx, kind).await?;
        let booking = Booking {
            id: &uuid_v7(now),
            kind: &kind,
            from,
            to,
            quantity: *quantity,
            serial,
            owner,
            why,
            note: "",
            ticket: row.ticket_id.as_deref(),
            visit: None,
            at: now,
            asked: "",
        };
        book(tx, viewer, &booking, now).await?;
    }
    Ok(())
}

/// Writes down that it arrived, came back, or is not sent at all.
#[utoipa::path(post, path = "/api/v1/consignments/{id}/end", tag = "parts", params(("id" = String, Path)),
    request_body = ConsignmentEnd, responses((status = 200, body = Consignment), (status = 404), (status = 409)))]
pub(super) async fn finish(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<ConsignmentEnd>,
) -> Result<Json<Consignment>, ApiError> {
    let end = Stands::parse(&new.outcome).filter(|end| !matches!(end, Stands::Open | Stands::Released));
    let end = end.ok_or_else(|| {
        let hint = "use delivered, returned or dropped";
        ApiError::bad_request("outcome", format!("`{}` is no end", new.outcome), hint)
    })?;
    let arrived = end == Stands::Delivered;
    let received_by = line("received_by", &new.received_by, usize::from(arrived)..=80)?;
    let note = line("note", &new.note, usize::from(!arrived)..=400)?;
    if !arrived && !allows(viewer.role, Act::EditParts) {
        return Err(
            ApiError::forbidden("not_yours", "only those who lead give up what is sent").hint("ask the desk")
        );
    }
    let now = app.clock.now();
    let mut tx = app.db.write_in_turn().await?;
    let row = found(&mut tx, &viewer, &id).await?;
    let was = Stands::parse(&row.state).unwrap_or(Stands::Dropped);
    if !was.may_become(end) {
        return Err(over(&row));
    }
    if end == Stands::Returned {
        take_back(&mut tx, &viewer, &row, now).await?;
    }
    let words = (received_by.as_str(), note.as_str());
    if !rows::end(&mut tx, &row.id, (was.as_str(), end.as_str()), words, (&viewer.name, now)).await? {
        return Err(over(&row));
    }
    if was == Stands::Released {
        let kind = if arrived { "parts_arrived" } else { "parts_came_back" };
        let fact = json!({ "waybill": row.waybill, "received_by": received_by, "note": note });
        record(&mut tx, &viewer, &row, kind, &fact, now).await?;
    }
    let detail = json!({ "site": row.site_name, "outcome": end.as_str(), "received_by": received_by });
    close(&app, tx, &viewer, &row.id, ("consignment.end", detail), now).await
}

/// A line on the record of the ticket it is for.
async fn record(
    tx: &mut Tx,
    viewer: &Viewer,
    row: &rows::Row,
    kind: &str,
    fact: &Value,
    now: Timestamp,
) -> Result<(), ApiError> {
    if let Some(ticket) = &row.ticket_id {
        let by = Actor::Person { id: viewer.account.to_string(), name: viewer.name.clone() };
        ticket::store::append(tx, ticket, kind, &by, fact, now, now).await?;
    }
    Ok(())
}

async fn close(
    app: &App,
    mut tx: Tx,
    viewer: &Viewer,
    id: &str,
    (action, detail): (&'static str, Value),
    now: Timestamp,
) -> Result<Json<Consignment>, ApiError> {
    audit::store::insert(&mut tx, &Entry::by(viewer, now, action, id, detail)).await?;
    let row = found(&mut tx, viewer, id).await?;
    let ticket = row.ticket_id.clone();
    let answer = told(&mut tx, row, now).await?;
    tx.commit().await?;
    if let Some(ticket) = ticket {
        app.touched(&Touched::ticket(&ticket));
    }
    Ok(Json(answer))
}
