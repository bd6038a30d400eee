//! A substitute device that comes out of our stock and goes back into it: what the contract says of that, and the lines
//! of the record, written in the transaction of whoever moves the stock.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Desk, by, desk, lacking, no};
use crate::db::Conn;
use crate::deal::{No, store};
use crate::error::ApiError;
use crate::sla::store::{Library, find_case};
use crate::ticket::store::fact;
use crate::user::Viewer;

/// Whether the contract offers one and none is out.
pub(super) fn may_lend(desk: &Desk) -> Result<(), ApiError> {
    if desk.case.contract().loaner.is_none() {
        return Err(no(&No::NoLoaner));
    }
    if desk.deal.is_out() {
        return Err(no(&No::Out));
    }
    Ok(())
}

/// Whether one is out and what must come first has happened.
pub(super) fn may_take_back(desk: &Desk, now: Timestamp) -> Result<(), ApiError> {
    if !desk.deal.is_out() {
        return Err(no(&No::NoLoan));
    }
    let lacks = lacking(&desk.case, now);
    if lacks.is_empty() {
        return Ok(());
    }
    let text = format!("before the original comes back: {}", lacks.join(", "));
    Err(ApiError::conflict("not_yet", text).hint("say that it has happened, then take it back"))
}

/// Tells the ticket's clocks of a step of the work.
pub async fn state(
    conn: &mut Conn,
    viewer: &Viewer,
    ticket: &str,
    step: &str,
    now: Timestamp,
) -> Result<(), ApiError> {
    let (by, body) = (by(viewer), json!({ "what": step, "evidence": [] }));
    let fact = fact::New { actor: &by, body: &body, occurred_at: now, device: None, supersedes: None };
    fact::append(conn, ticket, &fact, now).await?;
    Ok(())
}

/// Writes down that a device goes out for a ticket, where its contract offers one.
pub async fn lend(
    conn: &mut Conn,
    viewer: &Viewer,
    ticket: &str,
    device: &str,
    now: Timestamp,
) -> Result<(), ApiError> {
    may_lend(&desk(conn, viewer, ticket).await?)?;
    state(conn, viewer, ticket, "loaner_out", now).await?;
    let body = json!({ "what": "loaner_out", "device": device });
    store::append(conn, ticket, &by(viewer), &body, now).await?;
    Ok(())
}

/// Writes down that it is out no more; `body` says how. What is lost does not come back, so nothing must come first.
pub async fn take_back(
    conn: &mut Conn,
    viewer: &Viewer,
    ticket: &str,
    mut body: Value,
    comes_back: bool,
    now: Timestamp,
) -> Result<(), ApiError> {
    if comes_back {
        may_take_back(&desk(conn, viewer, ticket).await?, now)?;
        state(conn, viewer, ticket, "loaner_returned", now).await?;
    }
    body["what"] = "loaner_back".into();
    store::append(conn, ticket, &by(viewer), &body, now).await?;
    Ok(())
}

/// Whether by the ticket's contract the customer answers for damage.
pub async fn is_customer_liable(conn: &mut Conn, ticket: &str) -> Result<bool, ApiError> {
    let case = find_case(conn, &mut Library::default(), ticket).await?;
    Ok(case.is_some_and(|case| case.contract().loaner.as_ref().is_some_and(|loaner| loaner.liable)))
}
