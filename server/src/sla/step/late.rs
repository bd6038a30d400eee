//! Whoever is on the way may come too late, by the distance: the ticket's people hear of it while somebody nearer can
//! still go. Told once for a clock, and once more only after it had turned out otherwise.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::app::{App, Touched};
use crate::db::Conn;
use crate::sla::store::notice::{self, FORESEEN, Row as Notice};
use crate::sla::store::travel::{Going, Running, list_going, list_running};
use crate::sla::store::{self, Case, Library};
use crate::sla::travel::{Way, first};
use crate::ticket::{self, Actor};

/// The events that an arrival is, in contracts.
const ARRIVALS: [&str; 2] = ["arrived", "arrived_with_part"];

/// Who comes first to a ticket, and when.
#[derive(Clone, Debug)]
pub struct First {
    /// Who.
    pub account_id: String,
    /// The person's name.
    pub account: String,
    /// The distance over ground, km.
    pub km: Option<f64>,
    /// When the person is there at the earliest.
    pub at: Timestamp,
}

impl First {
    /// Of those who go to one ticket.
    pub fn of(going: &[Going], now: Timestamp) -> Option<Self> {
        let ways: Vec<Way> = going.iter().map(Going::way).collect();
        let (index, at) = first(&ways, now)?;
        let (way, one) = (ways.get(index)?, going.get(index)?);
        Some(Self { account_id: one.account_id.clone(), account: one.account.clone(), km: way.km, at })
    }

    /// In words that do not change any more.
    pub fn told(&self) -> Value {
        json!({ "who": self.account, "km": self.km.map(|km| (km * 10.0).round() / 10.0), "arrives_at": self.at.as_millisecond() })
    }
}

/// Whether a clock of a case ends with somebody's arrival.
pub fn ends_with_arrival(case: &Case, name: &str) -> bool {
    let rule = case.contract().find_clock(name);
    rule.is_some_and(|rule| rule.stop.iter().any(|event| ARRIVALS.contains(&event.as_str())))
}

/// Writes down what is foreseen now and was not, and the other way round.
pub async fn step(app: &App, library: &mut Library, now: Timestamp) -> anyhow::Result<()> {
    let mut conn = app.db.read().await?;
    let turned = turned(&mut conn, library, now).await?;
    drop(conn);
    if turned.is_empty() {
        return Ok(());
    }
    let mut tx = app.db.write_in_turn().await?;
    let mut touched = Touched::default();
    for ticket in turned {
        store::lock_only(&mut tx, &ticket).await?;
        // It may have changed between the look and the lock.
        let going = list_going(&mut tx, Some(&ticket)).await?;
        let running = list_running(&mut tx, &[&ticket]).await?;
        let Some(case) = store::find_case(&mut tx, library, &ticket).await? else { continue };
        let Some(first) = First::of(&going, now) else { continue };
        for clock in running.iter().filter(|clock| has_turned(&case, clock, &first)) {
            write(&mut tx, &case, clock, &first, now).await?;
        }
        touched.tickets.insert(ticket);
    }
    tx.commit().await?;
    app.touched_quietly(&touched);
    Ok(())
}

/// Tickets of which something is foreseen that was not, or no more.
async fn turned(conn: &mut Conn, library: &mut Library, now: Timestamp) -> sqlx::Result<BTreeSet<String>> {
    let mut by_ticket: BTreeMap<String, Vec<Going>> = BTreeMap::new();
    for one in list_going(conn, None).await? {
        by_ticket.entry(one.ticket_id.clone()).or_default().push(one);
    }
    let tickets: Vec<&str> = by_ticket.keys().map(String::as_str).collect();
    let running = list_running(conn, &tickets).await?;
    let mut turned = BTreeSet::new();
    for clock in running {
        let Some(first) = by_ticket.get(&clock.ticket_id).and_then(|going| First::of(going, now)) else {
            continue;
        };
        // Most are in time: only for the others is the contract asked.
        if (first.at > clock.due()) != clock.is_foreseen()
            && let Some(case) = store::find_case(conn, library, &clock.ticket_id).await?
            && has_turned(&case, &clock, &first)
        {
            turned.insert(clock.ticket_id);
        }
    }
    Ok(turned)
}

fn has_turned(case: &Case, clock: &Running, first: &First) -> bool {
    (first.at > clock.due()) != clock.is_foreseen() && ends_with_arrival(case, &clock.name)
}

async fn write(
    conn: &mut Conn,
    case: &Case,
    clock: &Running,
    first: &First,
    now: Timestamp,
) -> sqlx::Result<()> {
    let is_late = !clock.is_foreseen();
    let row = Notice {
        ticket_id: clock.ticket_id.clone(),
        name: clock.name.clone(),
        run: clock.run,
        share: FORESEEN,
        turn: clock.turns + 1,
        contract_id: case.governing.contract_id.clone(),
        version: case.version(),
        at: now.as_millisecond(),
        known_at: now.as_millisecond(),
        told_at: (!is_late).then_some(now.as_millisecond()),
        outcome: if is_late { String::new() } else { "not_told".to_owned() },
    };
    if notice::insert(conn, &row).await? && is_late {
        let rule = case.contract().find_clock(&clock.name);
        let mut body = json!({ "clock": clock.name, "title": rule.map_or(clock.name.as_str(), |rule| rule.title.as_str()),
            "run": clock.run, "share": FORESEEN, "due_at": clock.due_at });
        merge(&mut body, first.told());
        ticket::store::append(conn, &clock.ticket_id, "clock_foreseen", &Actor::System, &body, now, now)
            .await?;
    }
    Ok(())
}

/// Adds the particulars of one object to another.
pub fn merge(body: &mut Value, more: Value) {
    if let (Value::Object(body), Value::Object(more)) = (body, more) {
        body.extend(more);
    }
}
