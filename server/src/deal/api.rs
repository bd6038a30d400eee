//! What is settled with a customer, on the API: who pays, plan and fee, consents, parts, substitute devices, a named
//! successor, and what a breach costs.

use axum::Json;
use axum::extract::{Path, State};
use jiff::Timestamp;
use serde_json::{Value, json};
use utoipa::OpenApi;

use super::{Deal, Line, No, read, store};
use crate::app::{App, Touched};
use crate::audit::{self, Entry};
use crate::contract::measure::Fen;
use crate::contract::penalty::{Breach, Estimate, estimate_breaches};
use crate::db::{Conn, Tx};
use crate::error::ApiError;
use crate::router::Routes;
use crate::router::input::{line, prose};
use crate::sla::event::{What, effective};
use crate::sla::store::{Case, Library, find_case};
use crate::sla::{self, State as ClockState};
use crate::ticket::store::{Row, fact};
use crate::ticket::{self, Actor};
use crate::user::{self, Act, Role, Viewer};

mod ask;
mod lend;
pub mod shape;

use ask::{coverage, offer};
pub use lend::{is_customer_liable, lend, state, take_back};
use lend::{may_lend, may_take_back};
use shape::{DealPenalty, DealRuling, NewDeal, NewDealAnswer, TicketDeal};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/tickets/{id}/deal", Act::SeeTickets, get)
        .post("/api/v1/tickets/{id}/deal", Act::RecordFacts, settle)
        .post("/api/v1/tickets/{id}/deal/answer", Act::NoteTickets, answer)
        .post("/api/v1/tickets/{id}/deal/ruling", Act::JudgeClocks, rule)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(get, settle, answer, rule))]
pub struct Doc;

/// A ticket with everything that is asked of it here.
struct Desk {
    row: Row,
    case: Case,
    lines: Vec<Line>,
    deal: Deal,
}

async fn open(
    conn: &mut Conn,
    viewer: &Viewer,
    id: &str,
) -> Result<(Row, Option<Case>, Vec<Line>), ApiError> {
    let found = ticket::store::find(conn, &viewer.scope, id).await?;
    let row = found.ok_or_else(|| ApiError::not_found("ticket", id))?;
    let case = find_case(conn, &mut Library::default(), &row.id).await?;
    let lines = store::list(conn, &row.id).await?;
    Ok((row, case, lines))
}

async fn desk(conn: &mut Conn, viewer: &Viewer, id: &str) -> Result<Desk, ApiError> {
    let (row, case, lines) = open(conn, viewer, id).await?;
    let case = case.ok_or_else(|| {
        ApiError::conflict("no_contract", format!("no contract governs #{}", row.number))
            .hint("put a contract that covers this site into service")
    })?;
    let deal = read(&lines);
    Ok(Desk { row, case, lines, deal })
}

/// What is settled over a ticket.
#[utoipa::path(get, path = "/api/v1/tickets/{id}/deal", tag = "clocks", params(("id" = String, Path)),
    responses((status = 200, body = TicketDeal), (status = 404)))]
async fn get(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<TicketDeal>, ApiError> {
    let mut conn = app.db.read().await?;
    let (row, case, lines) = open(&mut conn, &viewer, &id).await?;
    let Some(case) = case else { return Ok(Json(TicketDeal::default())) };
    let deal = read(&lines);
    let desk = Desk { row, case, lines, deal };
    Ok(Json(Box::pin(view(&mut conn, &viewer, &desk, app.clock.now())).await?))
}

async fn view(conn: &mut Conn, viewer: &Viewer, desk: &Desk, now: Timestamp) -> Result<TicketDeal, ApiError> {
    let (case, deal) = (&desk.case, &desk.deal);
    let found = crate::contract::store::find(conn, &viewer.scope, &case.governing.contract_id).await?;
    let name = found.map_or_else(|| case.contract().name.clone(), |row| row.name);
    let mut told = TicketDeal::new(case.contract(), name, deal);
    told.must_go_on = case.must_go_on(now);
    told.loaner.owed_at = owed_since(case, deal, now).map(Timestamp::as_millisecond);
    for estimate in estimates(conn, case, &desk.row.id, now).await? {
        let decided = deal.penalties.iter().rfind(|line| line.body["of"] == estimate.of.as_str());
        told.penalties.push(DealPenalty::new(estimate, decided));
    }
    if viewer.role == Role::Customer {
        // What is only an estimate is ours alone.
        told.penalties.retain(|one| one.decision.as_ref().is_some_and(|decision| decision.granted));
    }
    Ok(told)
}

/// Since when a substitute device is owed and none is there.
fn owed_since(case: &Case, deal: &Deal, now: Timestamp) -> Option<Timestamp> {
    let loaner = case.contract().loaner.as_ref()?;
    if deal.is_out() {
        return None;
    }
    let known = effective(&case.events, now);
    let done = |name: &str| matches!(name, "restored" | "resolved" | "closed" | "loaner_out");
    let (mut since, mut over) = (None, false);
    for event in known {
        if let What::Step(step) = &event.what {
            if loaner.events.contains(step) {
                since = since.or(Some(event.happened_at()));
            } else if done(step) {
                since = None;
                over = true;
            }
        }
    }
    let clocks = case.clocks(now).clocks;
    let late =
        clocks.iter().rfind(|clock| clock.name == "loaner" && clock.state == ClockState::BreachedRunning);
    since.or_else(|| late.filter(|_| !over).and_then(|clock| clock.breached_at))
}

/// What the breaches of a ticket may cost, bounded by what was granted on other tickets of the contract.
async fn estimates(
    conn: &mut Conn,
    case: &Case,
    ticket: &str,
    now: Timestamp,
) -> sqlx::Result<Vec<Estimate>> {
    let contract = case.contract();
    if contract.penalties.rules.is_empty() {
        return Ok(Vec::new());
    }
    let mut breaches = Vec::new();
    for clock in case.clocks(now).clocks {
        if let Some(from) = clock.breached_at.filter(|_| clock.counts) {
            let to = clock.stopped_at.unwrap_or(now);
            breaches.push(Breach { of: clock.name, from, to });
        }
    }
    for event in effective(&case.events, now) {
        let What::Step(step) = &event.what else { continue };
        if contract.penalties.rules.iter().any(|rule| rule.event.as_ref() == Some(step)) {
            let at = event.happened_at();
            breaches.push(Breach { of: step.clone(), from: at, to: at });
        }
    }
    if breaches.is_empty() {
        return Ok(Vec::new());
    }
    let mut newest = std::collections::BTreeMap::new();
    for (other, line) in store::list_penalties(conn, &case.governing.contract_id, ticket).await? {
        let of = line.body["of"].as_str().unwrap_or_default().to_owned();
        let fen =
            if line.body["granted"] == true { line.body["fen"].as_i64().unwrap_or_default() } else { 0 };
        newest.insert((other, of), fen);
    }
    Ok(estimate_breaches(contract, &breaches, Fen(newest.values().sum())))
}

/// Settles something. What the contract does not allow is refused with a word.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/deal", tag = "clocks", params(("id" = String, Path)),
    request_body = NewDeal, responses((status = 200, body = TicketDeal), (status = 404), (status = 409)))]
async fn settle(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<NewDeal>,
) -> Result<Json<TicketDeal>, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write_in_turn().await?;
    let desk = desk(&mut tx, &viewer, &id).await?;
    let what = new.word();
    let (contract, deal) = (desk.case.contract(), &desk.deal);
    let mut step = None;
    let body = match new {
        NewDeal::Coverage(question) => Some(Box::pin(coverage(&mut tx, &desk, question, now)).await?),
        NewDeal::Offer { plan, lines } => Some(offer(&desk, &plan, lines)?),
        NewDeal::Misdiagnosis { reason } => {
            if contract.letter.is_some_and(|letter| !letter.misdiagnosis_ours) {
                return Err(no(&No::Charged));
            }
            Some(json!({ "reason": line("reason", &reason, 1..=400)? }))
        }
        NewDeal::Replaced { component, with, class, paid, consent } => {
            let consent = line("consent", &consent, 1..=80).map_err(|_| {
                ApiError::bad_request("consent", "no part is changed without it", "name who consented")
            })?;
            let (component, with) = (line("component", &component, 1..=80)?, line("with", &with, 1..=80)?);
            let class = line("class", &class, 0..=80)?;
            Some(
                json!({ "component": component, "with": with, "class": class, "consent": consent, "paid": paid }),
            )
        }
        NewDeal::LoanerOut { device } => {
            may_lend(&desk)?;
            step = Some("loaner_out");
            Some(json!({ "device": line("device", &device, 1..=120)? }))
        }
        NewDeal::LoanerBack { damaged } => {
            if crate::part::store::loaner::is_out(&mut tx, &desk.row.id).await? {
                return Err(ApiError::conflict("from_stock", "it came out of our stock")
                    .hint("take it back among the parts; the record follows"));
            }
            may_take_back(&desk, now)?;
            step = Some("loaner_returned");
            let device = deal.loans.last().map(|line| line.body["device"].clone()).unwrap_or_default();
            Some(json!({ "device": device, "damaged": damaged }))
        }
        NewDeal::Successor { account_id } => {
            let name = user::store::name_of(&mut tx, &account_id).await?;
            let name = name.ok_or_else(|| ApiError::not_found("account", &account_id))?;
            ticket::store::set_assignee(&mut tx, &desk.row.id, &account_id, now).await?;
            let body = json!({ "account_id": account_id, "account": name, "successor": true });
            ticket::store::append(&mut tx, &desk.row.id, "assigned", &by(&viewer), &body, now, now).await?;
            None
        }
    };
    if let Some(step) = step {
        state(&mut tx, &viewer, &desk.row.id, step, now).await?;
    }
    finish(&app, tx, &viewer, desk, (what, body), now).await
}

fn by(viewer: &Viewer) -> Actor {
    Actor::Person { id: viewer.account.to_string(), name: viewer.name.clone() }
}

fn no(why: &No) -> ApiError {
    let (code, hint) = match why {
        No::CoverageOpen => ("coverage_open", "ask the contract who pays, or have it decided"),
        No::Free => ("free", "there is nothing to charge"),
        No::Waits(_) => ("waits", "write down what the customer says to it first"),
        No::UsedUp(_) => ("used_up", "talk to the manager; nothing more is offered"),
        No::NoOffer => ("no_offer", "write a plan first"),
        No::Charged => ("charged", "have it decided who pays"),
        No::NoLoan | No::Out => ("not_possible", "look at the record"),
        No::NoLoaner => ("no_loaner", "the contract says `[loaner]` when it offers one"),
    };
    ApiError::conflict(code, why.to_string()).hint(hint)
}

/// What the contract wants to have happened before an original comes back.
fn lacking(case: &Case, now: Timestamp) -> Vec<String> {
    let known = effective(&case.events, now);
    let has =
        |name: &String| known.iter().any(|event| matches!(&event.what, What::Step(step) if step == name));
    let needs = case.contract().loaner.iter().flat_map(|loaner| &loaner.return_after);
    needs.filter(|name| !has(name)).cloned().collect()
}

/// What the customer says to the plan that waits.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/deal/answer", tag = "clocks", params(("id" = String, Path)),
    request_body = NewDealAnswer, responses((status = 200, body = TicketDeal), (status = 404), (status = 409)))]
async fn answer(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<NewDealAnswer>,
) -> Result<Json<TicketDeal>, ApiError> {
    let now = app.clock.now();
    let own = viewer.role == Role::Customer;
    let said = if own { Some(viewer.name.clone()) } else { new.by };
    let who = line("by", said.as_deref().unwrap_or_default(), 1..=80)?;
    let proof = if own { "account" } else { new.evidence.as_deref().unwrap_or_default() };
    let proof = line("evidence", proof, 1..=40)?;
    let mut tx = app.db.write_in_turn().await?;
    let desk = desk(&mut tx, &viewer, &id).await?;
    desk.deal.may_answer().map_err(|why| no(&why))?;
    let body = json!({ "accepted": new.accepted, "by": who, "evidence": proof });
    if new.accepted {
        let by = by(&viewer);
        let fact = json!({ "what": "plan_approved", "evidence": [proof] });
        let fact = fact::New { actor: &by, body: &fact, occurred_at: now, device: None, supersedes: None };
        fact::append(&mut tx, &desk.row.id, &fact, now).await?;
    }
    finish(&app, tx, &viewer, desk, ("answer", Some(body)), now).await
}

/// Decides who pays, or whether a penalty is granted.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/deal/ruling", tag = "clocks", params(("id" = String, Path)),
    request_body = DealRuling, responses((status = 200, body = TicketDeal), (status = 404), (status = 409)))]
async fn rule(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(ruling): Json<DealRuling>,
) -> Result<Json<TicketDeal>, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write_in_turn().await?;
    let desk = desk(&mut tx, &viewer, &id).await?;
    let (what, body) = match ruling {
        DealRuling::Coverage { outcome, reason } => {
            let reason = prose("reason", &reason, 1..=2000)?;
            ("coverage_ruling", json!({ "outcome": outcome, "reason": reason }))
        }
        DealRuling::Penalty { of, granted, fen, reason } => {
            let reason = prose("reason", &reason, 1..=2000)?;
            let estimates = estimates(&mut tx, &desk.case, &desk.row.id, now).await?;
            let estimate = estimates.iter().find(|one| one.of == of);
            let estimate = estimate.ok_or_else(|| ApiError::not_found("estimated penalty", &of))?;
            let fen = fen.unwrap_or(estimate.fen.0);
            if !(0..=estimate.fen.0).contains(&fen) {
                let hint = format!("grant 0 to {} fen", estimate.fen.0);
                return Err(ApiError::bad_request("fen", "it is more than the contract says", hint));
            }
            let body = json!({ "of": of, "granted": granted, "fen": if granted { fen } else { 0 },
                "how": estimate.how.en, "evidence": estimate.evidence.en, "reason": reason });
            ("penalty", body)
        }
    };
    finish(&app, tx, &viewer, desk, (what, Some(body)), now).await
}

async fn finish(
    app: &App,
    mut tx: Tx,
    viewer: &Viewer,
    desk: Desk,
    (what, body): (&str, Option<Value>),
    now: Timestamp,
) -> Result<Json<TicketDeal>, ApiError> {
    let ticket = desk.row.id;
    if let Some(mut body) = body {
        body["what"] = what.into();
        store::append(&mut tx, &ticket, &by(viewer), &body, now).await?;
    }
    audit::store::insert(&mut tx, &Entry::by(viewer, now, "ticket.deal", &ticket, json!({ "what": what })))
        .await?;
    sla::step::count_now(&mut tx, &ticket, now).await?;
    let desk = self::desk(&mut tx, viewer, &ticket).await?;
    let told = Box::pin(view(&mut tx, viewer, &desk, now)).await?;
    tx.commit().await?;
    app.touched(&Touched::ticket(&ticket));
    Ok(Json(told))
}
