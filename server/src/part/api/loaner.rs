//! Substitute devices on the API: out to a customer for a ticket until a day, and how that ended. Each is a movement of
//! stock and a line of what is settled with the customer, in one transaction.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::book::{self, Booking, book};
use crate::app::{App, Touched};
use crate::audit::{self, Entry};
use crate::deal::api as deals;
use crate::error::ApiError;
use crate::id::uuid_v7;
use crate::part::loaner::{Liable, No, State as Stands, end};
use crate::part::store::{self, loaner};
use crate::part::{Place, PlaceKind};
use crate::router::Items;
use crate::router::input::line;
use crate::sla;
use crate::ticket;
use crate::user::{Act, Viewer, allows};
use crate::visit::api::own_id;

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, lend, extend, finish))]
pub struct Doc;

/// Which ones.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct LoanerQuery {
    /// Those that are back, too.
    #[serde(default)]
    all: bool,
}

/// A substitute device. Times are Unix ms.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Loaner {
    pub id: String,
    pub kind_id: String,
    pub number: String,
    pub name: String,
    pub name_zh: String,
    pub serial: String,
    pub ticket_id: String,
    pub ticket_number: i64,
    pub site_id: String,
    pub site_name: String,
    pub site_name_zh: String,
    pub zone: String,
    pub customer: String,
    pub out_at: i64,
    /// When it is to be back.
    pub due_at: i64,
    pub out_by: String,
    /// `out`, `returned`, `damaged` or `lost`.
    pub state: String,
    /// Who answers for damage or loss: `customer`, `us`, or empty.
    pub liable: String,
    pub ended_at: Option<i64>,
    pub ended_by: String,
    pub note: String,
    /// Whether it should be back by now.
    pub overdue: bool,
}

/// A substitute device that goes out. Its id stands in the path and is made by the writer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLoaner {
    /// For which ticket, by id or number.
    pub ticket_id: String,
    /// Of which kind.
    pub kind_id: String,
    /// Which one; it goes from where it is.
    pub serial: String,
    /// When it is to be back, Unix ms.
    pub due_at: i64,
}

/// Another day by which it is to be back.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoanerDue {
    /// Unix ms.
    pub due_at: i64,
}

/// How it ended.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoanerEnd {
    /// `returned`, `damaged` or `lost`.
    pub outcome: String,
    /// Where it is returned to; the sender's own van where nothing is given. What is damaged goes to the workshop.
    pub to_id: Option<String>,
    /// Who answers for damage or loss: `customer` or `us`.
    #[serde(default)]
    pub liable: String,
    /// In words.
    #[serde(default)]
    pub note: String,
}

fn shown(row: loaner::Row, now: jiff::Timestamp) -> Loaner {
    Loaner {
        overdue: row.state == "out" && row.due_at <= now.as_millisecond(),
        id: row.id,
        kind_id: row.kind_id,
        number: row.number,
        name: row.name,
        name_zh: row.name_zh,
        serial: row.serial,
        ticket_id: row.ticket_id,
        ticket_number: row.ticket_number,
        site_id: row.site_id,
        site_name: row.site_name,
        site_name_zh: row.site_name_zh,
        zone: row.zone,
        customer: row.customer,
        out_at: row.out_at,
        due_at: row.due_at,
        out_by: row.out_by,
        state: row.state,
        liable: row.liable,
        ended_at: row.ended_at,
        ended_by: row.ended_by,
        note: row.note,
    }
}

/// Substitute devices at customers, those due first first; at most 500.
#[utoipa::path(get, path = "/api/v1/loaners", tag = "parts", params(LoanerQuery),
    responses((status = 200, body = Items<Loaner>)))]
pub(super) async fn list(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<LoanerQuery>,
) -> Result<Json<Items<Loaner>>, ApiError> {
    let now = app.clock.now();
    let rows = loaner::list(&mut *app.db.read().await?, &viewer.scope, query.all).await?;
    Ok(Json(Items::all(rows.into_iter().map(|row| shown(row, now)).collect())))
}

/// The longest loan, ms: two years.
const LOAN_MAX_MS: i64 = 730 * 86_400_000;

fn due(due_at: i64, now: jiff::Timestamp) -> Result<i64, ApiError> {
    let ahead = due_at.saturating_sub(now.as_millisecond());
    if (1..=LOAN_MAX_MS).contains(&ahead) {
        return Ok(due_at);
    }
    Err(ApiError::bad_request("due_at", "it is over, or years away", "give a day within two years"))
}

/// Lends a device for a ticket whose contract offers one. The same once more is answered with what was written.
#[utoipa::path(put, path = "/api/v1/loaners/{id}", tag = "parts", params(("id" = String, Path)),
    request_body = NewLoaner, responses((status = 200, body = Loaner), (status = 404), (status = 409)))]
pub(super) async fn lend(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<NewLoaner>,
) -> Result<Json<Loaner>, ApiError> {
    let id = own_id("id", &id)?;
    let now = app.clock.now();
    let serial = line("serial", &new.serial, 1..=80)?;
    let asked = serde_json::to_string(&new).unwrap_or_default();
    let mut tx = app.db.write_in_turn().await?;
    if let Some(known) = loaner::find(&mut tx, &viewer.scope, &id).await? {
        if known.asked == asked {
            return Ok(Json(shown(known, now)));
        }
        return Err(ApiError::conflict("other_loaner", format!("there is another loan `{id}`"))
            .hint("make a new id for what is new"));
    }
    let due_at = due(new.due_at, now)?;
    let ticket = ticket::store::find(&mut tx, &viewer.scope, &new.ticket_id)
        .await?
        .ok_or_else(|| ApiError::not_found("ticket", &new.ticket_id))?;
    let kind = book::kind(&mut tx, &new.kind_id).await?;
    let at = store::whereabouts(&mut tx, &kind.id, &serial).await?;
    let (from, owner) = at.filter(|(place, _)| !place.kind.is_outside()).ok_or_else(|| {
        ApiError::conflict("elsewhere", format!("{} {serial} lies nowhere of ours", kind.number))
            .hint("look at the stock")
    })?;
    if !owner.is_empty() {
        return Err(ApiError::conflict("not_ours", format!("{} {serial} is a customer's own", kind.number))
            .hint("lend one of ours"));
    }
    may_lend(&viewer, &from)?;
    let to = store::at_site(&mut tx, &ticket.site_id, now).await?;
    let device = format!("{} {serial}", kind.number);
    deals::lend(&mut tx, &viewer, &ticket.id, &device, now).await?;
    let booking = Booking {
        id: &id,
        kind: &kind,
        from: &from,
        to: &to,
        quantity: 1,
        serial: &serial,
        owner: "",
        why: "lent",
        note: "",
        ticket: Some(&ticket.id),
        visit: None,
        at: now,
        asked: &asked,
    };
    book(&mut tx, &viewer, &booking, now).await?;
    let row = loaner::New {
        id: &id,
        kind_id: &kind.id,
        serial: &serial,
        ticket_id: &ticket.id,
        site_id: &ticket.site_id,
        due_at,
        out_by: &viewer.name,
        asked: &asked,
    };
    loaner::insert(&mut tx, &row, now).await?;
    let detail = json!({ "ticket": ticket.number, "device": device, "due_at": due_at });
    close(&app, tx, &viewer, (&id, &ticket.id), ("loaner.lend", detail), now).await
}

/// Whoever leads lends from any place of ours; a technician from a depot or the own van.
fn may_lend(viewer: &Viewer, from: &Place) -> Result<(), ApiError> {
    let is_own = from.account.as_deref() == Some(viewer.account.as_str());
    if allows(viewer.role, Act::EditParts) || from.kind == PlaceKind::Depot || is_own {
        return Ok(());
    }
    Err(ApiError::forbidden("not_yours", "it lies in a place that is not yours to lend from")
        .hint("ask the desk"))
}

/// Gives it another day to be back.
#[utoipa::path(post, path = "/api/v1/loaners/{id}/due", tag = "parts", params(("id" = String, Path)),
    request_body = LoanerDue, responses((status = 200, body = Loaner), (status = 404), (status = 409)))]
pub(super) async fn extend(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<LoanerDue>,
) -> Result<Json<Loaner>, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write_in_turn().await?;
    let row = loaner::find(&mut tx, &viewer.scope, &id).await?;
    let row = row.ok_or_else(|| ApiError::not_found("loan", &id))?;
    let due_at = due(new.due_at, now)?;
    if !loaner::set_due(&mut tx, &row.id, due_at).await? {
        return Err(refused(No::Over));
    }
    let detail = json!({ "ticket": row.ticket_number, "due_at": due_at });
    close(&app, tx, &viewer, (&row.id, &row.ticket_id), ("loaner.due", detail), now).await
}

fn refused(why: No) -> ApiError {
    let (code, hint) = match why {
        No::Over => ("over", "look at it anew"),
        No::NoEnd => ("no_end", "use returned, damaged or lost"),
        No::NotLiable => ("not_liable", "name the customer or us"),
        No::Ours => ("not_liable", "by `[loaner]` of the contract it is our own cost"),
    };
    ApiError::conflict(code, why.to_string()).hint(hint)
}

/// Takes it back, whole or damaged, or gives it up as lost.
#[utoipa::path(post, path = "/api/v1/loaners/{id}/end", tag = "parts", params(("id" = String, Path)),
    request_body = LoanerEnd, responses((status = 200, body = Loaner), (status = 404), (status = 409)))]
pub(super) async fn finish(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<LoanerEnd>,
) -> Result<Json<Loaner>, ApiError> {
    let now = app.clock.now();
    let note = line("note", &new.note, 0..=400)?;
    let outcome = Stands::parse(&new.outcome).ok_or_else(|| refused(No::NoEnd))?;
    let mut tx = app.db.write_in_turn().await?;
    let row = loaner::find(&mut tx, &viewer.scope, &id).await?;
    let row = row.ok_or_else(|| ApiError::not_found("loan", &id))?;
    let customer_liable = deals::is_customer_liable(&mut tx, &row.ticket_id).await?;
    let state = Stands::parse(&row.state).unwrap_or(Stands::Lost);
    let (goes, liable) = end(state, outcome, Liable::parse(&new.liable), customer_liable).map_err(refused)?;
    let liable = liable.map_or("", Liable::as_str);
    let kind = book::kind(&mut tx, &row.kind_id).await?;
    let from = store::at_site(&mut tx, &row.site_id, now).await?;
    let to = match (goes, &new.to_id) {
        (Some(kind), _) => store::single(&mut tx, kind).await?,
        (None, Some(to)) => book::place(&mut tx, &viewer, to).await?,
        (None, None) => {
            let van = store::find_van(&mut tx, viewer.account.as_str()).await?;
            let van = van.map(|row| row.place());
            van.ok_or_else(|| {
                ApiError::bad_request("to_id", "nobody says where it is now", "name a depot or a van")
            })?
        }
    };
    if to.kind.is_outside() != (outcome == Stands::Lost) {
        return Err(ApiError::bad_request("to_id", "it does not come back there", "name a depot or a van"));
    }
    let device = format!("{} {}", kind.number, row.serial);
    let line = json!({ "device": device, "damaged": outcome == Stands::Damaged, "lost": outcome == Stands::Lost,
        "liable": liable });
    deals::take_back(&mut tx, &viewer, &row.ticket_id, line, outcome != Stands::Lost, now).await?;
    let booking = Booking {
        id: &uuid_v7(now),
        kind: &kind,
        from: &from,
        to: &to,
        quantity: 1,
        serial: &row.serial,
        owner: "",
        why: if outcome == Stands::Returned { "back" } else { outcome.as_str() },
        note: &note,
        ticket: Some(&row.ticket_id),
        visit: None,
        at: now,
        asked: "",
    };
    book(&mut tx, &viewer, &booking, now).await?;
    if !loaner::end(&mut tx, &row.id, (outcome.as_str(), liable), (&viewer.name, &note), now).await? {
        return Err(refused(No::Over));
    }
    let detail = json!({ "ticket": row.ticket_number, "device": device, "outcome": outcome.as_str(), "liable": liable });
    close(&app, tx, &viewer, (&row.id, &row.ticket_id), ("loaner.end", detail), now).await
}

async fn close(
    app: &App,
    mut tx: crate::db::Tx,
    viewer: &Viewer,
    (id, ticket): (&str, &str),
    (action, detail): (&'static str, serde_json::Value),
    now: jiff::Timestamp,
) -> Result<Json<Loaner>, ApiError> {
    audit::store::insert(&mut tx, &Entry::by(viewer, now, action, id, detail)).await?;
    sla::step::count_now(&mut tx, ticket, now).await?;
    let row = loaner::find(&mut tx, &viewer.scope, id).await?;
    let row = row.ok_or_else(|| ApiError::not_found("loan", id))?;
    tx.commit().await?;
    app.touched(&Touched::ticket(ticket));
    Ok(Json(shown(row, now)))
}
