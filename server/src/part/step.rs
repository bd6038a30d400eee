//! Time acts on a substitute device once: when it should be back and is not, a minor ticket says so at the site where it
//! is. It lies in the list, wakes nobody, and no clock runs on it.

use anyhow::Result;
use jiff::Timestamp;
use serde_json::json;
use sitewarden_proto::fault::Severity;

use super::store::loaner::{self, Row};
use crate::app::{App, Touched};
use crate::db::Tx;
use crate::ticket::{self, Actor};

/// Announces those that are overdue, each once for its day.
pub async fn remind(app: &App, now: Timestamp) -> Result<()> {
    let overdue = loaner::list_overdue(&mut *app.db.read().await?, now).await?;
    for row in overdue {
        let mut tx = app.db.write_in_turn().await?;
        // It may have come back between the look and the turn.
        let ticket = if loaner::set_told(&mut tx, &row.id, now).await? {
            Some(open(&mut tx, &row, now).await?)
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

async fn open(tx: &mut Tx, row: &Row, now: Timestamp) -> Result<String> {
    let title = format!("{} {} · 备用机到期未还, loaner overdue", row.number, row.serial);
    let severity = Severity::Minor.as_str();
    let opening = ticket::store::New {
        site_id: &row.site_id,
        gateway_id: None,
        device_id: None,
        origin: "person",
        code: "",
        title: &title,
        severity,
        opened_at: now,
    };
    let (id, number) = ticket::store::insert(tx, &opening, now).await?;
    let fact = json!({ "loaner": row.id, "part": row.number, "serial": row.serial, "due_at": row.due_at,
        "ticket": row.ticket_number, "title": title, "severity": severity });
    ticket::store::append(tx, id.as_str(), "loaner_overdue", &Actor::System, &fact, now, now).await?;
    let line = json!({ "loaner": row.id, "part": row.number, "serial": row.serial, "due_at": row.due_at,
        "ticket": number });
    ticket::store::append(tx, &row.ticket_id, "loaner_overdue", &Actor::System, &line, now, now).await?;
    Ok(id.to_string())
}
