//! Time acts on a substitute device once: when it should be back and is not, a minor ticket says so at the site where it
//! is; and on what is sent to a site, when its day is over and the customer does not have it. Such a ticket lies in the
//! list, wakes nobody, and no clock runs on it.

use anyhow::Result;
use jiff::Timestamp;
use serde_json::{Value, json};
use sitewarden_proto::fault::Severity;

use super::consignment::Purpose;
use super::store::consignment::{self, Row as Sent};
use super::store::loaner::{self, Row};
use crate::app::{App, Touched};
use crate::db::Tx;
use crate::ticket::{self, Actor};

/// Announces what is overdue, each once for its day.
pub async fn remind(app: &App, now: Timestamp) -> Result<()> {
    let overdue = loaner::list_overdue(&mut *app.db.read().await?, now).await?;
    for row in overdue {
        let mut tx = app.db.write_in_turn().await?;
        // It may have come back between the look and the turn.
        let ticket = if loaner::set_told(&mut tx, &row.id, now).await? {
            Some(say_overdue(&mut tx, &row, now).await?)
        } else {
            None
        };
        tx.commit().await?;
        if let Some(id) = ticket {
            app.touched(&Touched::ticket(&id));
        }
    }
    for row in consignment::list_late(&mut *app.db.read().await?, now).await? {
        let mut tx = app.db.write_in_turn().await?;
        let ticket = if consignment::set_told(&mut tx, &row.id, now).await? {
            Some(say_late(&mut tx, &row, now).await?)
        } else {
            None
        };
        tx.commit().await?;
        if let Some(id) = ticket {
            app.touched(&Touched::ticket(&id));
        }
    }
    Ok(())
}

async fn say_late(tx: &mut Tx, row: &Sent, now: Timestamp) -> Result<String> {
    let title = if row.purpose == Purpose::Spares.as_str() {
        format!("{} · 备件到期未交, spares late", row.due_on)
    } else {
        format!("{} · 更换零件到期未交, replacement parts late", row.due_on)
    };
    let what =
        json!({ "consignment": row.id, "due_on": row.due_on, "state": row.state, "waybill": row.waybill });
    let of = row.ticket_id.as_deref().zip(row.ticket_number);
    open(tx, (&row.site_id, of), (&title, "parts_late", &what), now).await
}

async fn say_overdue(tx: &mut Tx, row: &Row, now: Timestamp) -> Result<String> {
    let title = format!("{} {} · 备用机到期未还, loaner overdue", row.number, row.serial);
    let what = json!({ "loaner": row.id, "part": row.number, "serial": row.serial, "due_at": row.due_at });
    let of = Some((row.ticket_id.as_str(), row.ticket_number));
    open(tx, (&row.site_id, of), (&title, "loaner_overdue", &what), now).await
}

/// A minor ticket at a site that says what is overdue; it and the ticket that it comes from name each other.
async fn open(
    tx: &mut Tx,
    (site, of): (&str, Option<(&str, i64)>),
    (title, kind, what): (&str, &str, &Value),
    now: Timestamp,
) -> Result<String> {
    let severity = Severity::Minor.as_str();
    let opening = ticket::store::New {
        site_id: site,
        gateway_id: None,
        device_id: None,
        origin: "person",
        code: "",
        title,
        severity,
        opened_at: now,
    };
    let (id, number) = ticket::store::insert(tx, &opening, now).await?;
    let mut fact = what.clone();
    (fact["ticket"], fact["title"], fact["severity"]) =
        (of.map(|(_, number)| number).into(), title.into(), severity.into());
    ticket::store::append(tx, id.as_str(), kind, &Actor::System, &fact, now, now).await?;
    if let Some((of, _)) = of {
        let mut line = what.clone();
        line["ticket"] = number.into();
        ticket::store::append(tx, of, kind, &Actor::System, &line, now, now).await?;
    }
    Ok(id.to_string())
}
