//! What a customer hears of a ticket: once when it opens, once when it is over, in a customer's words.

use jiff::Timestamp;
use serde_json::json;

use crate::db::Conn;
use crate::escalation::store::people::{self, Person};
use crate::escalation::store::{self, Case};
use crate::page::Purpose;
use crate::ticket::Actor;
use crate::{page, ticket};

/// Tells the contact persons of the site's customer that trouble stands, where they are named and have not been told.
pub(super) async fn opened(conn: &mut Conn, case: &Case, now: Timestamp) -> sqlx::Result<()> {
    if case.informed == Some(1) {
        return Ok(());
    }
    let people = contacts(conn, case).await?;
    if people.is_empty() {
        return Ok(());
    }
    store::set_informed(conn, &case.ticket_id, true).await?;
    tell(conn, case, &people, Purpose::Informed, now).await
}

/// Tells those who were told that it is over. What was merged into another ticket is not.
pub(super) async fn closed(conn: &mut Conn, case: &Case, now: Timestamp) -> sqlx::Result<()> {
    if case.informed != Some(1) {
        return Ok(());
    }
    store::set_informed(conn, &case.ticket_id, false).await?;
    if store::is_merged(conn, &case.ticket_id).await? {
        return Ok(());
    }
    let people = contacts(conn, case).await?;
    tell(conn, case, &people, Purpose::InformedOver, now).await
}

async fn contacts(conn: &mut Conn, case: &Case) -> sqlx::Result<Vec<Person>> {
    let mut people = Vec::new();
    for account in people::named(conn, "contact", &case.site_id).await? {
        people.extend(people::person(conn, account, "contact", None).await?);
    }
    Ok(people)
}

async fn tell(
    conn: &mut Conn,
    case: &Case,
    people: &[Person],
    purpose: Purpose,
    now: Timestamp,
) -> sqlx::Result<()> {
    let round = page::store::count_rounds(conn, &case.ticket_id).await?;
    for to in people.iter().flat_map(|person| &person.ways) {
        let key = format!("{}/{round}/{}/{}", case.ticket_id, purpose.as_str(), to.contact_id);
        if page::store::insert(conn, &key, &case.ticket_id, purpose, to, now).await? {
            let body = json!({ "account": to.account, "channel": to.channel, "purpose": purpose.as_str() });
            ticket::store::append(conn, &case.ticket_id, "page_queued", &Actor::System, &body, now, now)
                .await?;
        }
    }
    Ok(())
}
