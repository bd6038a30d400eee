//! Where time acts on pages: telling others when one does not get through, telling the end, and sending what
//! is due. Who is asked when is the escalation's.

use jiff::Timestamp;
use serde_json::json;

use super::{Purpose, store};
use crate::db::Conn;
use crate::ticket::Actor;
use crate::user::Scope;
use crate::{escalation, ticket};

pub mod outlet;
pub mod send;

/// Queues a page to each of `targets` who has none of this round and severity; how many.
async fn queue(
    conn: &mut Conn,
    ticket: &str,
    severity: &str,
    targets: Vec<store::Target>,
    now: Timestamp,
) -> sqlx::Result<usize> {
    let round = store::count_rounds(conn, ticket).await?;
    let mut queued = 0;
    for to in targets {
        let key = format!("{ticket}/{round}/opened/{severity}/{}", to.contact_id);
        if store::insert(conn, &key, ticket, Purpose::Opened, &to, now).await? {
            let body = json!({ "account": to.account, "channel": to.channel, "purpose": "opened" });
            ticket::store::append(conn, ticket, "page_queued", &Actor::System, &body, now, now).await?;
            queued += 1;
        }
    }
    Ok(queued)
}

/// A page does not get through: the plan's next step comes now if nobody of its steps can be reached, and where the
/// plan has nobody further, whoever else is on duty is told. If nobody is left and nobody was reached, the record says so.
async fn widen(conn: &mut Conn, ticket: &str, now: Timestamp) -> sqlx::Result<()> {
    let Some(row) = ticket::store::find(conn, &Scope::All, ticket).await? else { return Ok(()) };
    if escalation::step::reach::go_on(conn, ticket, now).await? {
        return Ok(());
    }
    let others = store::list_others(conn, ticket).await?;
    let queued = queue(conn, ticket, &row.severity, others, now).await?;
    if queued == 0 && !store::is_anybody_told(conn, ticket).await? {
        let why = json!({ "reason": "not_reached" });
        ticket::store::append(conn, ticket, "nobody_to_page", &Actor::System, &why, now, now).await?;
    }
    Ok(())
}

/// Withdraws what nobody has been sent yet, because it is `over` or because the ticket was `merged` into another.
/// Called in the transaction that closes a ticket.
pub async fn withdraw(conn: &mut Conn, ticket: &str, reason: &str, now: Timestamp) -> sqlx::Result<()> {
    if store::withhold(conn, ticket).await? > 0 {
        let why = json!({ "reason": reason });
        ticket::store::append(conn, ticket, "not_paged", &Actor::System, &why, now, now).await?;
    }
    Ok(())
}

/// Tells those who were paged that the trouble is over, and withdraws what nobody has been sent yet.
/// Called in the transaction in which the machine closes a ticket.
pub async fn all_clear(conn: &mut Conn, ticket: &str, now: Timestamp) -> sqlx::Result<()> {
    withdraw(conn, ticket, "over", now).await?;
    let round = store::count_rounds(conn, ticket).await?;
    for to in store::list_paged(conn, ticket).await? {
        let key = format!("{ticket}/{round}/closed/{}", to.contact_id);
        if store::insert(conn, &key, ticket, Purpose::Closed, &to, now).await? {
            let body = json!({ "account": to.account, "channel": to.channel, "purpose": "closed" });
            ticket::store::append(conn, ticket, "page_queued", &Actor::System, &body, now, now).await?;
        }
    }
    Ok(())
}

/// Tells the end of trouble to people whom a gateway has told of it while it was cut off, when nobody else has.
/// Returns the tickets touched.
pub async fn plan_untold_ends(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<String>> {
    let mut touched = Vec::new();
    for (ticket, account) in store::told::list_untold_ends(conn).await? {
        let round = store::count_rounds(conn, &ticket).await?;
        for to in store::told::list_ways(conn, &account).await? {
            let key = format!("{ticket}/{round}/closed/{}", to.contact_id);
            if store::insert(conn, &key, &ticket, Purpose::Closed, &to, now).await? {
                let body = json!({ "account": to.account, "channel": to.channel, "purpose": "closed" });
                ticket::store::append(conn, &ticket, "page_queued", &Actor::System, &body, now, now).await?;
            }
        }
        store::told::settle(conn, &ticket, &account).await?;
        touched.push(ticket);
    }
    Ok(touched)
}
