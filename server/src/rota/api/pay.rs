//! Terms and monthly statements on the API. A person sees the own statement, an administrator everybody's.

use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeSet, HashMap};

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::shape::{Names, Person};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::clock::from_ms;
use crate::db::Conn;
use crate::error::ApiError;
use crate::rota::pay::{DutyTime, Fact, FactKind, Line, Terms, lines, month};
use crate::rota::store::{self, log, pay};
use crate::router::{Items, Routes};
use crate::user::{Act, Viewer, allows};

/// Everybody's duty time, by the beginning of the month, which depends on the zone of the terms.
type Times = HashMap<Timestamp, HashMap<String, DutyTime>>;

/// New terms.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTerms {
    /// Whose; `null` is everybody without terms of their own.
    pub account_id: Option<String>,
    /// From which month on, `2026-12`.
    pub from_month: String,
    /// The amounts.
    pub terms: Terms,
}

/// Terms as they were made.
#[derive(Debug, Serialize, ToSchema)]
pub struct TermsView {
    /// Whose; `null` is everybody without terms of their own.
    pub person: Option<Person>,
    /// From which month on.
    pub from_month: String,
    /// The amounts.
    pub terms: Terms,
    /// Who made them.
    pub created_by: String,
    /// Unix ms.
    pub created_at: i64,
}

/// Which month.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Month {
    /// `2026-12`.
    pub month: String,
}

/// What duty is worth for one person in one month.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Statement {
    /// The account.
    pub account_id: String,
    /// What others read.
    pub name: String,
    /// `2026-12`.
    pub month: String,
    /// Where the month's days begin.
    pub zone: String,
    /// Each line with its basis.
    pub lines: Vec<Line>,
    /// The sum, fen.
    pub total_fen: i64,
    /// The month is not over, or its holidays are not announced: it may yet change.
    pub provisional: bool,
    /// When it was closed, Unix ms; from then on it does not change.
    pub closed_at: Option<i64>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/duty_terms", Act::EditPay, list_terms)
        .post("/api/v1/duty_terms", Act::EditPay, create_terms)
        .get("/api/v1/statements", Act::LogDuty, list)
        .post("/api/v1/statements/{id}/close", Act::EditPay, close)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list_terms, create_terms, list, close))]
pub struct Doc;

/// All terms, newest first.
#[utoipa::path(get, path = "/api/v1/duty_terms", tag = "rota", responses((status = 200, body = Items<TermsView>)))]
async fn list_terms(State(app): State<App>) -> Result<Json<Items<TermsView>>, ApiError> {
    let mut conn = app.db.read().await?;
    let names = Names::load(&mut conn).await?;
    let mut items = Vec::new();
    for row in pay::list(&mut conn).await? {
        items.push(TermsView {
            person: row.account_id.as_deref().map(|id| names.person(id)),
            from_month: row.from_month,
            terms: serde_json::from_str(&row.body).map_err(anyhow::Error::from)?,
            created_by: names.person(&row.created_by).name,
            created_at: row.created_at,
        });
    }
    Ok(Json(Items::all(items)))
}

/// Sets the amounts from a month on. Closed statements stay as they are.
#[utoipa::path(post, path = "/api/v1/duty_terms", tag = "rota", request_body = NewTerms,
    responses((status = 204), (status = 400), (status = 404)))]
async fn create_terms(
    State(app): State<App>,
    viewer: Viewer,
    Json(new): Json<NewTerms>,
) -> Result<StatusCode, ApiError> {
    let now = app.clock.now();
    let calendar = new.terms.build().map_err(|fault| ApiError::bad_request("terms", fault, "correct it"))?;
    if month(&new.from_month, calendar.zone()).is_none() {
        return Err(ApiError::bad_request("from_month", "it is no month", "write it as 2026-12"));
    }
    let mut tx = app.db.write().await?;
    if let Some(id) = &new.account_id {
        super::get_staff(&mut tx, id).await?;
    }
    let body = serde_json::to_string(&new.terms).map_err(anyhow::Error::from)?;
    pay::insert(&mut tx, new.account_id.as_deref(), &new.from_month, &body, &viewer.account, now).await?;
    let subject = new.account_id.as_deref().unwrap_or("everybody");
    let what = json!({ "from_month": new.from_month, "terms": new.terms });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "terms.set", subject, what)).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The statements of a month: of everybody for an administrator, else the own one. Without terms there are none.
#[utoipa::path(get, path = "/api/v1/statements", tag = "rota", params(Month),
    responses((status = 200, body = Items<Statement>), (status = 400)))]
async fn list(
    State(app): State<App>,
    viewer: Viewer,
    Query(of): Query<Month>,
) -> Result<Json<Items<Statement>>, ApiError> {
    let now = app.clock.now();
    let mut conn = app.db.read().await?;
    let names = Names::load(&mut conn).await?;
    let all = allows(viewer.role, Act::EditPay);
    let (mut items, mut times) = (Vec::new(), Times::new());
    for person in names.everybody().filter(|person| all || person.id == viewer.account.as_str()) {
        if let Some(statement) = compute(&mut conn, &mut times, person, &of.month, now).await? {
            // Who had neither duty nor facts has nothing to read, unless it is the person who asks.
            if !statement.lines.is_empty() || person.id == viewer.account.as_str() {
                items.push(statement);
            }
        }
    }
    items.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Json(Items::all(items)))
}

/// Closes a person's statement of a month that is over: it stays as it is now.
#[utoipa::path(post, path = "/api/v1/statements/{id}/close", tag = "rota",
    params(("id" = String, Path, description = "the account"), Month),
    responses((status = 200, body = Statement), (status = 404), (status = 409)))]
async fn close(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Query(of): Query<Month>,
) -> Result<Json<Statement>, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let names = Names::load(&mut tx).await?;
    if !names.knows(&id) {
        return Err(ApiError::not_found("person", &id));
    }
    let statement = compute(&mut tx, &mut Times::new(), &names.person(&id), &of.month, now).await?;
    let mut statement = statement.ok_or_else(|| {
        ApiError::conflict("no_terms", format!("no amounts are set for {}", of.month)).hint("set them first")
    })?;
    if statement.provisional {
        return Err(ApiError::conflict(
            "provisional",
            "the month is not over, or its holidays are not announced",
        )
        .hint("close it afterwards"));
    }
    statement.closed_at = Some(now.as_millisecond());
    let body = serde_json::to_string(&statement).map_err(anyhow::Error::from)?;
    if !pay::close(&mut tx, &id, &of.month, &body, &viewer.account, now).await? {
        return Err(ApiError::conflict("closed", "this statement is closed already"));
    }
    let what = json!({ "month": of.month, "total_fen": statement.total_fen });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "statement.close", &id, what)).await?;
    tx.commit().await?;
    Ok(Json(statement))
}

/// A person's statement of a month; `None` when no terms hold.
async fn compute(
    conn: &mut Conn,
    times: &mut Times,
    person: &Person,
    text: &str,
    now: Timestamp,
) -> Result<Option<Statement>, ApiError> {
    if let Some((body, closed_at)) = pay::find_closed(conn, &person.id, text).await? {
        let kept: Statement = serde_json::from_str(&body).map_err(anyhow::Error::from)?;
        return Ok(Some(Statement { closed_at: Some(closed_at), ..kept }));
    }
    let Some(row) = pay::find(conn, &person.id, text).await? else { return Ok(None) };
    let terms: Terms = serde_json::from_str(&row.body).map_err(anyhow::Error::from)?;
    let calendar = terms.build().map_err(|fault| anyhow::anyhow!("kept terms: {fault}"))?;
    let Some((begin, end)) = month(text, calendar.zone()) else {
        return Err(ApiError::bad_request("month", "it is no month", "write it as 2026-12"));
    };
    let month = match times.entry(begin) {
        Slot::Occupied(known) => known.into_mut(),
        Slot::Vacant(unknown) => unknown.insert(duty_times(conn, begin, end).await?),
    };
    let duty = month.get(&person.id).copied().unwrap_or_default();
    let rows = log::list_facts(conn, Some(&person.id), begin.as_millisecond(), end.as_millisecond()).await?;
    let facts: Vec<Fact> = rows
        .into_iter()
        .filter(|row| row.withdrawn_at.is_none())
        .filter_map(|row| {
            let kind = FactKind::parse(&row.kind)?;
            Some(Fact { id: row.id, kind, from: from_ms(row.from_at), to: row.to_at.map(from_ms) })
        })
        .collect();
    let lines = lines(&terms, &calendar, (begin, end), duty, &facts);
    Ok(Some(Statement {
        account_id: person.id.clone(),
        name: person.name.clone(),
        month: text.to_owned(),
        zone: calendar.zone().iana_name().unwrap_or("UTC").to_owned(),
        total_fen: lines.iter().map(|line| line.amount_fen).sum(),
        lines,
        provisional: end > now || calendar.is_provisional(end - jiff::SignedDuration::from_secs(1)),
        closed_at: None,
    }))
}

/// How long everybody was on duty between two instants, in all rotas, by account.
async fn duty_times(
    conn: &mut Conn,
    begin: Timestamp,
    end: Timestamp,
) -> sqlx::Result<HashMap<String, DutyTime>> {
    let mut times: HashMap<String, DutyTime> = HashMap::new();
    for row in store::list(conn).await? {
        let Some(rota) = store::load(conn, &row.id, begin, end).await? else { continue };
        let mut layers: BTreeSet<(String, usize)> = BTreeSet::new();
        for shift in rota.shifts(begin, end) {
            let own_s = shift.end.min(end).duration_since(shift.start.max(begin)).as_secs();
            times.entry(shift.account.to_string()).or_default().own_s += own_s;
            layers.insert((shift.account.to_string(), shift.layer));
        }
        let mut all_s: HashMap<usize, i64> = HashMap::new();
        for (account, layer) in layers {
            let seconds = *all_s.entry(layer).or_insert_with(|| rota.in_force_s(layer, begin, end));
            times.entry(account).or_default().all_s += seconds;
        }
    }
    Ok(times)
}
