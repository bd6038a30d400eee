//! Calls to customers after visits on the API: which are owed, what was answered, and what that comes to in a month.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, OpenApi};

use super::store::{self, Call, MONTH_MAX, Row};
use super::{Asked, Refused, Scale, Total, due_on, may_try};
use crate::app::{App, Touched};
use crate::audit::{self, Entry};
use crate::clock::from_ms;
use crate::db::Conn;
use crate::error::ApiError;
use crate::router::input::{line, prose};
use crate::router::{Items, Routes};
use crate::sla::store::{Library, find_case};
use crate::user::{Act, Viewer};
use crate::visit;
use crate::visit::api::shape::NewVisitStep;
use crate::visit::api::step::apply_to;

pub mod shape;

use shape::{
    CallBack, NewCallBack, OwedCallBack, SatisfactionMonth, SatisfactionTotal, SatisfactionWord,
    UnaskedVisit, VisitCallBacks,
};

/// Which month.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct SatisfactionQuery {
    /// `2026-11`; this month in UTC, where it is not given.
    month: Option<String>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/call-backs", Act::SeeVisits, owed)
        .get("/api/v1/visits/{id}/call-backs", Act::SeeVisits, of_visit)
        .put("/api/v1/visits/{id}/call-backs/{call}", Act::PlanVisits, call)
        .get("/api/v1/satisfaction", Act::SeeVisits, satisfaction)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(owed, of_visit, call, satisfaction))]
pub struct Doc;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// The visits after which the customer is to be called, those whose day has passed first; and those of which the
/// customer said that they are not done. At most 500.
#[utoipa::path(get, path = "/api/v1/call-backs", tag = "follow",
    responses((status = 200, body = Items<OwedCallBack>)))]
async fn owed(State(app): State<App>, viewer: Viewer) -> Result<Json<Items<OwedCallBack>>, ApiError> {
    let now = app.clock.now();
    let rows = store::list_owed(&mut *app.db.read().await?, &viewer.scope).await?;
    let told = rows.into_iter().map(|row| {
        let zone = zone(&row.zone);
        let day = due_on(from_ms(row.done_at), &zone);
        OwedCallBack::new(row, day.to_string(), day < zone.to_datetime(now).date())
    });
    let mut items: Vec<OwedCallBack> = told.collect();
    // What waits longest comes first within each.
    items.sort_by_key(|one| !one.overdue);
    Ok(Json(Items::all(items)))
}

async fn told(conn: &mut Conn, row: &visit::store::Row) -> Result<VisitCallBacks, ApiError> {
    let (scale, contract) = scale(conn, &row.ticket_id).await?;
    let calls = store::list(conn, &row.id).await?;
    Ok(VisitCallBacks {
        visit_state: row.state.clone(),
        contract_id: contract.map(|(id, _)| id),
        scale: SatisfactionWord::all(&scale),
        calls: calls.into_iter().map(CallBack::from).collect(),
    })
}

/// The scale of the contract that governs a ticket, and that contract with its version where the scale is its own.
async fn scale(conn: &mut Conn, ticket: &str) -> Result<(Scale, Option<(String, i64)>), ApiError> {
    let case = find_case(conn, &mut Library::default(), ticket).await?;
    let own = case.filter(|case| !case.contract().csat.is_empty());
    Ok(match own {
        Some(case) => {
            (Scale::of(&case.contract().csat), Some((case.governing.contract_id.clone(), case.version())))
        }
        None => (Scale::of(&[]), None),
    })
}

async fn seen(conn: &mut Conn, viewer: &Viewer, id: &str) -> Result<visit::store::Row, ApiError> {
    let row = visit::store::find(conn, &viewer.scope, id).await?;
    row.ok_or_else(|| ApiError::not_found("visit", id))
}

/// The calls after a visit, and the words that may be answered.
#[utoipa::path(get, path = "/api/v1/visits/{id}/call-backs", tag = "follow", params(("id" = String, Path)),
    responses((status = 200, body = VisitCallBacks), (status = 404)))]
async fn of_visit(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<VisitCallBacks>, ApiError> {
    let mut conn = app.db.read().await?;
    let row = seen(&mut conn, &viewer, &id).await?;
    Ok(Json(Box::pin(told(&mut conn, &row)).await?))
}

/// Writes down a call. Somebody who was reached moves the visit on: it is called back, and filed where the customer says
/// that the work is done. The same once more is answered as it stands.
#[utoipa::path(put, path = "/api/v1/visits/{id}/call-backs/{call}", tag = "follow",
    params(("id" = String, Path), ("call" = String, Path)), request_body = NewCallBack,
    responses((status = 200, body = VisitCallBacks), (status = 404), (status = 409)))]
async fn call(
    State(app): State<App>,
    viewer: Viewer,
    Path((id, call)): Path<(String, String)>,
    Json(new): Json<NewCallBack>,
) -> Result<Json<VisitCallBacks>, ApiError> {
    let call = visit::api::own_id("call", &call)?;
    let now = app.clock.now();
    let mut tx = app.db.write_in_turn().await?;
    let mut row = seen(&mut tx, &viewer, &id).await?;
    let asked = serde_json::to_string(&new).unwrap_or_default();
    if let Some(known) = store::find(&mut tx, &call).await? {
        if known.visit_id == row.id && known.asked == asked {
            return Ok(Json(Box::pin(told(&mut tx, &row)).await?));
        }
        return Err(ApiError::conflict("other_call", format!("there is another call `{call}`"))
            .hint("make a new id for what is new"));
    }
    let before = store::list(&mut tx, &row.id).await?;
    let mut made = Call {
        id: call,
        visit_id: row.id.clone(),
        n: 0,
        reached: i64::from(new.reached),
        at: now.as_millisecond(),
        actor_id: viewer.account.to_string(),
        actor: viewer.name.clone(),
        who: String::new(),
        word: None,
        points: None,
        contract_id: None,
        version: None,
        completed: None,
        opinion: String::new(),
        asked,
    };
    if new.reached {
        answer(&mut tx, &new, &row, &mut made).await?;
        Box::pin(move_on(&app, &mut tx, &viewer, (&mut row, &before), (&new, &made), now)).await?;
    } else {
        unanswered(&new, &row, &before, now)?;
    }
    store::insert(&mut tx, &made).await?;
    let detail = json!({ "ticket": row.ticket_number, "number": row.number, "reached": new.reached });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "visit.call_back", &row.id, detail)).await?;
    crate::escalation::step::step(&mut tx, now).await?;
    crate::sla::step::count_now(&mut tx, &row.ticket_id, now).await?;
    let story = Box::pin(told(&mut tx, &row)).await?;
    tx.commit().await?;
    app.touched(&Touched::ticket(&row.ticket_id));
    Ok(Json(story))
}

/// Reads what was answered into the call.
async fn answer(
    conn: &mut Conn,
    new: &NewCallBack,
    row: &visit::store::Row,
    made: &mut Call,
) -> Result<(), ApiError> {
    made.who = line("who", new.who.as_deref().unwrap_or_default(), 1..=80)?;
    made.opinion = prose("opinion", new.opinion.as_deref().unwrap_or_default(), 0..=2000)?;
    let completed = new.completed.ok_or_else(|| {
        ApiError::bad_request("completed", "it is missing", "say whether the customer says that it is done")
    })?;
    made.completed = Some(i64::from(completed));
    let Some(word) = new.word.as_deref() else { return Ok(()) };
    let (scale, contract) = Box::pin(scale(conn, &row.ticket_id)).await?;
    let Some(points) = scale.points(word) else {
        let known: Vec<&str> = scale.words().iter().map(|known| known.0.as_str()).collect();
        let hint = format!("use one of {}", known.join(", "));
        return Err(ApiError::bad_request("word", format!("`{word}` is not on the scale"), hint));
    };
    (made.word, made.points) = (Some(word.to_owned()), points);
    if let Some((id, version)) = contract {
        (made.contract_id, made.version) = (Some(id), Some(version));
    }
    Ok(())
}

/// Takes the visit's steps that an answered call is.
async fn move_on(
    app: &App,
    conn: &mut Conn,
    viewer: &Viewer,
    (row, before): (&mut visit::store::Row, &[Call]),
    (new, made): (&NewCallBack, &Call),
    now: Timestamp,
) -> Result<(), ApiError> {
    let step = |kind: &str| NewVisitStep {
        kind: kind.to_owned(),
        source: Some("desk".to_owned()),
        ..Default::default()
    };
    if row.state == "done" {
        let reason = prose("unsigned", new.unsigned.as_deref().unwrap_or_default(), 1..=500)
            .map_err(|why| why.hint("nobody has signed yet: say why, or have it signed first"))?;
        let left = NewVisitStep { reason: Some(reason), ..step("unsigned") };
        apply_to(app, conn, viewer, row, &format!("{}.unsigned", made.id), &left, now).await?;
    }
    // Of one that was said not to be done the customer may be asked again.
    let again = row.state == "called_back"
        && before.iter().rfind(|call| call.reached != 0).is_some_and(|call| call.completed == Some(0));
    if !again {
        let note = Some(made.opinion.clone()).filter(|opinion| !opinion.is_empty());
        let called = NewVisitStep { who: Some(made.who.clone()), note, ..step("called_back") };
        apply_to(app, conn, viewer, row, &made.id, &called, now).await?;
    }
    if made.completed == Some(1) {
        apply_to(app, conn, viewer, row, &format!("{}.filed", made.id), &step("filed"), now).await?;
    }
    Ok(())
}

/// Whether a call that nobody answered counts.
fn unanswered(
    new: &NewCallBack,
    row: &visit::store::Row,
    before: &[Call],
    now: Timestamp,
) -> Result<(), ApiError> {
    let said = new.who.is_some() || new.word.is_some() || new.completed.is_some() || new.opinion.is_some();
    if said || new.unsigned.is_some() {
        let hint = "leave the answers out, or say that somebody was reached";
        return Err(ApiError::bad_request("reached", "nobody was reached, and something was said", hint));
    }
    if !matches!(row.state.as_str(), "done" | "signed" | "unsigned") {
        let text = format!("visit {} of #{} is {}", row.number, row.ticket_number, row.state);
        return Err(ApiError::conflict("not_possible", text).hint("no call is owed after it"));
    }
    let tries: Vec<Timestamp> =
        before.iter().filter(|call| call.reached == 0).map(|call| from_ms(call.at)).collect();
    may_try(&tries, now).map_err(|why| match why {
        Refused::TooSoon(next) => {
            let minutes = (next.duration_since(now).as_secs() + 59) / 60;
            ApiError::conflict("too_soon", why.to_string()).hint(format!("call again in {minutes} min"))
        }
        Refused::GivenUp => ApiError::conflict("given_up", why.to_string())
            .hint("no call is owed any more; write the answer down where the customer calls"),
    })
}

/// Visits of which nothing is known, in one answer.
const UNASKED_MAX: usize = 500;

/// What was said of the visits of a month, by site, by customer and by technician; each with what it is counted over
/// and of whom nothing is known.
#[utoipa::path(get, path = "/api/v1/satisfaction", tag = "follow", params(SatisfactionQuery),
    responses((status = 200, body = SatisfactionMonth), (status = 400)))]
async fn satisfaction(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<SatisfactionQuery>,
) -> Result<Json<SatisfactionMonth>, ApiError> {
    let first = month_of(query.month.as_deref(), app.clock.now())?;
    let mut conn = app.db.read().await?;
    let rows = store::list_done(&mut conn, &viewer.scope, around(first)).await?;
    if rows.len() > MONTH_MAX {
        return Err(ApiError::conflict(
            "too_many",
            format!("more than {MONTH_MAX} visits were done in this month"),
        )
        .hint("count them from the database"));
    }
    let rows: Vec<Row> = rows
        .into_iter()
        .filter(|row| due_on(from_ms(row.done_at), &zone(&row.zone)).first_of_month() == first)
        .collect();
    let ids: Vec<&str> = rows.iter().map(|row| row.visit_id.as_str()).collect();
    let members = visit::store::list_members(&mut conn, &ids).await?;
    let month = format!("{:04}-{:02}", first.year(), first.month());
    Ok(Json(count(month, &rows, &members)))
}

/// The first day of the month that is asked for; of this month in UTC, where none is.
pub(crate) fn month_of(asked: Option<&str>, now: Timestamp) -> Result<Date, ApiError> {
    let Some(text) = asked else { return Ok(TimeZone::UTC.to_datetime(now).date().first_of_month()) };
    let day = format!("{}-01", text.trim()).parse::<Date>().ok();
    day.filter(|day| (1970..=9000).contains(&day.year()))
        .ok_or_else(|| ApiError::bad_request("month", format!("`{text}` is no month"), "write it as 2026-01"))
}

/// The instants between which a month lies at any site: its days begin and end within fifteen hours of UTC's.
pub(crate) fn around(first: Date) -> (Timestamp, Timestamp) {
    let margin = SignedDuration::from_hours(15);
    let utc = |day: Date| day.to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |day| day.timestamp());
    (
        utc(first).saturating_sub(margin).unwrap_or(Timestamp::MIN),
        utc(first.saturating_add(1.month())).saturating_add(margin).unwrap_or(Timestamp::MAX),
    )
}

type Named<'a> = BTreeMap<(&'a str, &'a str), (&'a str, Total)>;

fn totals(named: Named<'_>) -> Vec<SatisfactionTotal> {
    let told =
        named.into_iter().map(|((name, id), (zh, total))| SatisfactionTotal::new(id, (name, zh), total));
    told.collect()
}

fn count(month: String, rows: &[Row], members: &[(String, String, String)]) -> SatisfactionMonth {
    let mut goes: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for (visit, account, name) in members {
        goes.entry(visit).or_default().push((account, name));
    }
    let (mut all, mut unasked) = (Total::default(), Vec::new());
    let (mut sites, mut customers, mut technicians) = (Named::new(), Named::new(), Named::new());
    for row in rows {
        let answer = row.word.clone().map(|word| (word, row.points));
        let over = row.reached > 0 || matches!(row.visit_state.as_str(), "called_back" | "filed");
        let asked = Asked::read(row.unanswered, over, answer);
        all.add(&asked);
        let site = (row.site_name.as_str(), row.site_id.as_str());
        sites.entry(site).or_insert((&row.site_name_zh, Total::default())).1.add(&asked);
        let customer = (row.customer.as_str(), row.customer_id.as_str());
        customers.entry(customer).or_default().1.add(&asked);
        for (account, name) in goes.get(row.visit_id.as_str()).into_iter().flatten() {
            technicians.entry((*name, *account)).or_default().1.add(&asked);
        }
        if !matches!(asked, Asked::Answer(..)) && unasked.len() < UNASKED_MAX {
            unasked.push(UnaskedVisit::new(row, &asked));
        }
    }
    SatisfactionMonth {
        month,
        all: SatisfactionTotal::new("", ("", ""), all),
        sites: totals(sites),
        customers: totals(customers),
        technicians: totals(technicians),
        unasked,
    }
}
