//! Time acts on a contract once: its end is announced, so that somebody talks about its renewal before it is over. What
//! people work through is the list of tickets, so a minor ticket is opened on a site of the contract, at nine in the
//! morning. It wakes nobody, and no clock runs on it: nobody reported anything.

use anyhow::Result;
use jiff::Timestamp;
use serde_json::json;
use sitewarden_proto::fault::Severity;

use super::store::record::{self, Term};
use super::store::{self, Row};
use crate::app::{App, Touched};
use crate::db::{Conn, Tx};
use crate::site;
use crate::ticket::{self, Actor};
use crate::user::Scope;

/// The longest name that a ticket's title carries, characters.
const NAME_MAX: usize = 80;

/// Announces the ends that are near.
pub async fn remind(app: &App, now: Timestamp) -> Result<()> {
    let mut conn = app.db.read().await?;
    let due = record::list_due(&mut conn, now).await?;
    drop(conn);
    for term in due {
        let mut tx = app.db.write().await?;
        record::hold(&mut tx, &term.contract_id).await?;
        // It may have been announced, ended or written anew between the look and the lock.
        let still = record::list_due(&mut tx, now).await?.contains(&term);
        let ticket = if still { announce(&mut tx, &term, now).await? } else { None };
        tx.commit().await?;
        if let Some(id) = ticket {
            app.touched(&Touched::ticket(&id));
        }
    }
    Ok(())
}

/// Opens the ticket and writes down that it was opened; the ticket, where the contract has a site to open it on.
async fn announce(tx: &mut Tx, term: &Term, now: Timestamp) -> Result<Option<String>> {
    record::set_reminded(tx, &term.contract_id, now).await?;
    let Some(row) = store::find(tx, &Scope::All, &term.contract_id).await? else { return Ok(None) };
    let ends = term.ends.as_deref().unwrap_or_default();
    let ticket = match place(tx, &row).await? {
        Some(site) => Some(open(tx, &row, term, ends, &site, now).await?),
        None => None,
    };
    let number = match &ticket {
        Some(id) => Some(ticket::store::number_of(tx, id).await?),
        None => None,
    };
    let detail = json!({ "ends": ends, "ticket": number }).to_string();
    record::append(tx, &term.contract_id, "renewal", (None, ""), &detail, now).await?;
    Ok(ticket)
}

/// The first site that the contract covers, or any of its customer's.
async fn place(conn: &mut Conn, row: &Row) -> Result<Option<String>> {
    let covered = store::list_sites(conn, &row.id).await?;
    if let Some(first) = covered.into_iter().next() {
        return Ok(Some(first.site_id));
    }
    let sites = site::store::list(conn, &Scope::Customer(row.customer_id.as_str().into()), None).await?;
    Ok(sites.into_iter().next().map(|site| site.id.to_string()))
}

async fn open(tx: &mut Tx, row: &Row, term: &Term, ends: &str, site: &str, now: Timestamp) -> Result<String> {
    let name: String = row.name.chars().take(NAME_MAX).collect();
    let title = format!("{} {name} · {ends} 到期, contract ends", term.number);
    let severity = Severity::Minor.as_str();
    let opening = ticket::store::New {
        site_id: site,
        gateway_id: None,
        device_id: None,
        origin: "person",
        code: "",
        title: &title,
        severity,
        opened_at: now,
    };
    let (id, _) = ticket::store::insert(tx, &opening, now).await?;
    let fact = json!({ "contract": row.id, "title": title, "ends": ends, "severity": severity });
    ticket::store::append(tx, id.as_str(), "renewal_due", &Actor::System, &fact, now, now).await?;
    Ok(id.to_string())
}
