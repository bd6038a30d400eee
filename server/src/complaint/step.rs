//! Who hears of a complaint: the manager when it is taken down, and once more, with whoever looks into it, when its time is
//! up and the customer still waits. Both are pages of the complaint's ticket, queued in the transaction that knows of it.

use anyhow::Result;
use jiff::Timestamp;
use serde_json::json;

use super::store::{self, Event, Row};
use crate::app::{App, Touched};
use crate::db::Conn;
use crate::escalation::plan::Target;
use crate::escalation::store::people::{self, Person};
use crate::page::{self, Purpose};
use crate::ticket::{self, Actor};

/// Tells of those that are late, each once for its run.
pub async fn remind(app: &App, now: Timestamp) -> Result<()> {
    let late = store::list_late(&mut *app.db.read().await?, now).await?;
    for row in late {
        let mut tx = app.db.write_in_turn().await?;
        // It may have been answered between the look and the turn.
        let told = store::set_told(&mut tx, &row, now).await?;
        if told {
            let names = tell(&mut tx, &row, Purpose::ComplaintLate, now).await?;
            let event = Event {
                complaint_id: row.id.clone(),
                seq: 0,
                id: format!("{}.late.{}", row.id, row.run),
                kind: "late".to_owned(),
                run: row.run,
                at: now.as_millisecond(),
                actor_id: None,
                actor: String::new(),
                body: json!({ "due_at": row.due_at, "told": names }).to_string(),
                asked: String::new(),
            };
            store::append(&mut tx, &event).await?;
            note(&mut tx, &row, "late", &Actor::System, now).await?;
        }
        tx.commit().await?;
        if told {
            app.touched(&Touched::ticket(&row.ticket_id));
        }
    }
    Ok(())
}

/// Writes on the ticket's record that something became of a complaint. What it is about stands with the complaint, because
/// more people read a ticket.
pub async fn note(conn: &mut Conn, row: &Row, step: &str, by: &Actor, now: Timestamp) -> sqlx::Result<()> {
    let body = json!({ "complaint": row.id, "number": row.number, "step": step });
    ticket::store::append(conn, &row.ticket_id, "complaint", by, &body, now, now).await
}

/// Queues a page about a complaint for each who is to hear of it, once for its run; their names.
pub async fn tell(conn: &mut Conn, row: &Row, purpose: Purpose, now: Timestamp) -> sqlx::Result<Vec<String>> {
    let about = json!({ "complaint": row.id, "number": row.number, "subject": row.subject, "who": row.who,
        "due_at": row.due_at });
    let mut names = Vec::new();
    for person in whom(conn, row, purpose, now).await? {
        for to in &person.ways {
            let key = format!("{}/complaint/{}/{}/{}", row.id, purpose.as_str(), row.run, to.contact_id);
            if page::store::insert_about(conn, &key, &row.ticket_id, purpose, to, &about, now).await? {
                let body =
                    json!({ "account": to.account, "channel": to.channel, "purpose": purpose.as_str() });
                ticket::store::append(conn, &row.ticket_id, "page_queued", &Actor::System, &body, now, now)
                    .await?;
            }
        }
        names.push(person.account);
    }
    Ok(names)
}

/// The manager of the site, and of a late one whoever looks into it; where nobody of these can be reached, the
/// administrators.
async fn whom(conn: &mut Conn, row: &Row, purpose: Purpose, now: Timestamp) -> sqlx::Result<Vec<Person>> {
    let mut found = people::resolve(conn, &[Target::Manager {}], &row.site_id, now).await?;
    if let Some(holder) = row.holder_id.as_ref().filter(|_| purpose == Purpose::ComplaintLate)
        && found.iter().all(|person| person.account_id != *holder)
    {
        found.extend(people::person(conn, holder.clone(), "person", None).await?);
    }
    found.retain(Person::is_reachable);
    if found.is_empty() {
        found = people::administrators(conn).await?;
    }
    Ok(found)
}
