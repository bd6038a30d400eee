//! Where time acts on clocks: counting anew what was marked or is due, writing down each share of a budget as it is
//! used, and telling the ticket's people.
//!
//! A share is told once, while the clock still runs; of several that became known together the largest is told.
//! What holds a ticket's pages holds these too. What was over before the contract was entered here wakes nobody.

use jiff::Timestamp;
use serde_json::json;

use super::store::notice::{self, FORESEEN, Row as Notice};
use super::store::{self, Case, Library};
use super::{Clock, State};
use crate::app::{App, Touched};
use crate::db::{Conn, Db};
use crate::ticket::Actor;
use crate::{escalation, incident, page, ticket};

use escalation::plan::Target;
use escalation::store::people::{self, Person};
use page::Purpose;

pub mod late;

/// Tickets of one transaction.
const TOGETHER: i64 = 200;
/// Transactions of one call; what is left comes with the next.
const ROUNDS: usize = 10;
/// The shares from which on even minor trouble is told to people who have not taken it.
const PRESSING: i64 = 90;

/// Counts what was marked or is due, and tells what is to be told. True when something is left for the next call.
pub async fn step(app: &App, library: &mut Library, now: Timestamp) -> anyhow::Result<bool> {
    let mut left = false;
    for _ in 0..ROUNDS {
        let mut conn = app.db.read().await?;
        let marked = ticket::store::recount::is_any(&mut conn).await?;
        let due = store::list_due(&mut conn, now, TOGETHER).await?;
        drop(conn);
        left = marked || !due.is_empty();
        if !left {
            break;
        }
        let mut tx = app.db.write_in_turn().await?;
        let mut touched = Touched::default();
        if marked {
            for ticket in ticket::store::recount::take(&mut tx, app.db.engine(), TOGETHER).await? {
                recount(&mut tx, library, &ticket, now, &mut touched).await?;
            }
        } else {
            let mut tickets = due;
            tickets.sort_unstable();
            tickets.dedup();
            for ticket in tickets {
                store::lock(&mut tx, &ticket).await?;
                recount(&mut tx, library, &ticket, now, &mut touched).await?;
            }
        }
        tx.commit().await?;
        app.touched_quietly(&touched);
    }
    late::step(app, library, now).await?;
    tell(app, now).await?;
    Ok(left)
}

/// Counts a ticket's clocks in the transaction that has just written to it.
pub async fn count_now(conn: &mut Conn, ticket: &str, now: Timestamp) -> sqlx::Result<()> {
    store::lock(conn, ticket).await?;
    recount(conn, &mut Library::default(), ticket, now, &mut Touched::default()).await
}

/// Counts one ticket's clocks, whose row the transaction holds, and writes down what became known of them.
async fn recount(
    conn: &mut Conn,
    library: &mut Library,
    ticket: &str,
    now: Timestamp,
    touched: &mut Touched,
) -> sqlx::Result<()> {
    let case = store::find_case(conn, library, ticket).await?;
    let rows = case.as_ref().map(|case| store::rows(case, now)).unwrap_or_default();
    let mut changed = store::replace(conn, ticket, &rows).await?;
    if let Some(case) = &case {
        changed |= note(conn, case, now).await?;
    }
    if changed {
        touched.tickets.insert(ticket.to_owned());
    }
    Ok(())
}

/// Writes down each share that is reached and was not known to be, and each that turned out not to be.
async fn note(conn: &mut Conn, case: &Case, now: Timestamp) -> sqlx::Result<bool> {
    let told = case.clocks(now);
    let before = notice::list(conn, &case.heads.id).await?;
    let mut any = false;
    for clock in &told.clocks {
        for share in super::THRESHOLDS {
            let last = last_of(&before, &clock.name, i64::from(clock.run), i64::from(share));
            let stands = last.is_some_and(Notice::is_reached);
            let at = store::reached(clock).find(|one| one.0 == share).map(|one| one.1);
            let Some(row) = (match (at, stands) {
                (Some(at), false) => Some(reached(case, clock, share, at, last, now)),
                (None, true) => last.map(|last| undone(last, now)),
                (Some(_), true) | (None, false) => None,
            }) else {
                continue;
            };
            if notice::insert(conn, &row).await? {
                any = true;
                write(conn, case, clock, &row, now).await?;
            }
        }
    }
    Ok(any)
}

fn last_of<'n>(notices: &'n [Notice], name: &str, run: i64, share: i64) -> Option<&'n Notice> {
    notices
        .iter()
        .filter(|one| one.name == name && one.run == run && one.share == share)
        .max_by_key(|one| one.turn)
}

fn reached(
    case: &Case,
    clock: &Clock,
    share: u8,
    at: Timestamp,
    last: Option<&Notice>,
    now: Timestamp,
) -> Notice {
    let runs = matches!(clock.state, State::Running | State::Paused { .. } | State::BreachedRunning);
    let outcome = if at < case.governing.entered_at {
        "before_contract"
    } else if !runs || case.heads.state == "closed" {
        "over"
    } else {
        ""
    };
    let version = clock.segments.last().and_then(|segment| segment.version.parse().ok());
    Notice {
        ticket_id: case.heads.id.clone(),
        name: clock.name.clone(),
        run: i64::from(clock.run),
        share: i64::from(share),
        turn: last.map_or(1, |last| last.turn + 1),
        contract_id: case.governing.contract_id.clone(),
        version: version.unwrap_or_else(|| case.version()),
        at: at.as_millisecond(),
        known_at: now.as_millisecond(),
        told_at: (!outcome.is_empty()).then_some(now.as_millisecond()),
        outcome: outcome.to_owned(),
    }
}

/// That it was not reached after all is told to people only where a breach was.
fn undone(last: &Notice, now: Timestamp) -> Notice {
    let owed = last.share == 100 && last.outcome == "paged";
    Notice {
        turn: last.turn + 1,
        known_at: now.as_millisecond(),
        told_at: (!owed).then_some(now.as_millisecond()),
        outcome: if owed { String::new() } else { "not_told".to_owned() },
        ..last.clone()
    }
}

/// The ticket's own record says what became known. Of the shares below a breach only the largest one at a time.
async fn write(
    conn: &mut Conn,
    case: &Case,
    clock: &Clock,
    row: &Notice,
    now: Timestamp,
) -> sqlx::Result<()> {
    let kind = match (row.is_reached(), row.share) {
        (true, 100) => "clock_breached",
        (true, _) => "clock_used",
        (false, 100) => "clock_kept_after_all",
        (false, _) => return Ok(()),
    };
    let body = about(case, clock, row);
    let at = crate::clock::from_ms(if row.is_reached() { row.at } else { row.known_at });
    ticket::store::append(conn, &case.heads.id, kind, &Actor::System, &body, at, now).await
}

/// What a notice is about, in words that do not change any more.
fn about(case: &Case, clock: &Clock, row: &Notice) -> serde_json::Value {
    let title =
        case.contract().find_clock(&clock.name).map_or(clock.name.as_str(), |rule| rule.title.as_str());
    json!({ "clock": clock.name, "title": title, "run": clock.run, "share": row.share,
        "due_at": clock.due_at.map(Timestamp::as_millisecond), "at": row.at, "provisional": clock.provisional })
}

/// Tells the ticket's people what is to be told and nothing holds.
async fn tell(app: &App, now: Timestamp) -> anyhow::Result<()> {
    if notice::list_untold(&mut *app.db.read().await?, 1).await?.is_empty() {
        return Ok(());
    }
    let mut library = Library::default();
    let mut tx = app.db.write_in_turn().await?;
    let mut touched = Touched::default();
    for ticket in notice::list_untold(&mut tx, TOGETHER).await? {
        store::lock_only(&mut tx, &ticket).await?;
        tell_one(&mut tx, &mut library, &ticket, now).await?;
        touched.tickets.insert(ticket);
    }
    tx.commit().await?;
    app.touched_quietly(&touched);
    Ok(())
}

async fn tell_one(conn: &mut Conn, library: &mut Library, ticket: &str, now: Timestamp) -> sqlx::Result<()> {
    let notices = notice::list(conn, ticket).await?;
    let untold: Vec<&Notice> = notices.iter().filter(|one| one.told_at.is_none()).collect();
    let case = store::find_case(conn, library, ticket).await?;
    let Some(case) = case else {
        for one in untold {
            notice::settle(conn, one, "over", now).await?;
        }
        return Ok(());
    };
    let told = case.clocks(now);
    for one in &untold {
        let clock =
            told.clocks.iter().find(|clock| clock.name == one.name && i64::from(clock.run) == one.run);
        let later = |other: &&&Notice| {
            other.name == one.name
                && other.run == one.run
                && (other.share == FORESEEN) == (one.share == FORESEEN)
                && (other.share, other.turn) > (one.share, one.turn)
        };
        let outcome = match clock {
            // Of what became known together the largest is told, and what was taken back before it was told is not.
            _ if untold.iter().any(|other| later(&other)) => "together",
            Some(clock) if one.is_reached() && is_over(clock) => "over",
            Some(clock) => page(conn, &case, clock, one, now).await?,
            None => "over",
        };
        notice::settle(conn, one, outcome, now).await?;
    }
    Ok(())
}

fn is_over(clock: &Clock) -> bool {
    match clock.state {
        State::NotStarted | State::Met | State::BreachedMet | State::Void { .. } => true,
        State::Running | State::Paused { .. } | State::BreachedRunning => false,
    }
}

/// Pages the ticket's people about a clock; what became of it.
async fn page(
    conn: &mut Conn,
    case: &Case,
    clock: &Clock,
    row: &Notice,
    now: Timestamp,
) -> sqlx::Result<&'static str> {
    let purpose = match (row.is_reached(), row.share) {
        (true, 100) => Purpose::Breached,
        (true, _) => Purpose::AtRisk,
        (false, _) => Purpose::Kept,
    };
    let ticket = case.heads.id.as_str();
    let mut people = if purpose == Purpose::Kept {
        told_of_breach(conn, case, row).await?
    } else {
        let Some(people) = whom(conn, case, clock, row.share, now).await? else { return Ok("minor") };
        people
    };
    let mut about = about(case, clock, row);
    if row.share == FORESEEN {
        let going = store::travel::list_going(conn, Some(ticket)).await?;
        let Some(first) = late::First::of(&going, now) else { return Ok("over") };
        if people.iter().all(|person| person.account_id != first.account_id) {
            people.extend(people::person(conn, first.account_id.clone(), "person", None).await?);
        }
        late::merge(&mut about, first.told());
    }
    let mut reached = false;
    for person in people {
        for to in &person.ways {
            reached = true;
            let key = format!(
                "{ticket}/clock/{}/{}/{}/{}/{}",
                row.name, row.run, row.share, row.turn, to.contact_id
            );
            if page::store::insert_about(conn, &key, ticket, purpose, to, &about, now).await? {
                let body = json!({ "account": to.account, "channel": to.channel, "purpose": purpose.as_str(),
                    "clock": about["title"], "share": row.share });
                ticket::store::append(conn, ticket, "page_queued", &Actor::System, &body, now, now).await?;
            }
        }
    }
    Ok(if reached { "paged" } else { "nobody" })
}

/// Who is told: whoever has the ticket; otherwise those who were paged for it, or are on duty. That somebody comes too
/// late, those on duty hear too, and whoever that is. When time is up, the manager too, and whom the contract names. `None` where nobody has it and it is too minor to wake anybody for.
async fn whom(
    conn: &mut Conn,
    case: &Case,
    clock: &Clock,
    share: i64,
    now: Timestamp,
) -> sqlx::Result<Option<Vec<Person>>> {
    let (ticket, site) = (case.heads.id.as_str(), case.heads.site_id.as_str());
    let mut accounts: Vec<String> = Vec::new();
    let holder = ticket::store::find(conn, &crate::user::Scope::All, ticket).await?;
    let severity = holder.as_ref().map(|row| row.severity.clone()).unwrap_or_default();
    if let Some(row) = holder.filter(|row| row.state == "acked") {
        accounts.extend(row.assignee_id);
        if accounts.is_empty() {
            accounts.extend(escalation::store::find_taker(conn, ticket).await?);
        }
    }
    let mut found: Vec<Person> = Vec::new();
    for account in accounts {
        found.extend(people::person(conn, account, "person", None).await?.filter(Person::is_reachable));
    }
    if found.is_empty() {
        if !incident::wakes(&severity) && share < PRESSING {
            return Ok(None);
        }
        let mut paged: Vec<String> =
            page::store::list_paged(conn, ticket).await?.into_iter().map(|to| to.account_id).collect();
        paged.dedup();
        for account in paged {
            found.extend(people::person(conn, account, "person", None).await?.filter(Person::is_reachable));
        }
    }
    if found.is_empty() {
        found = people::resolve(conn, &[Target::Duty {}], site, now).await?;
    }
    if share == FORESEEN {
        // Somebody nearer may still go: whoever sends people must know.
        found.extend(people::resolve(conn, &[Target::Duty {}], site, now).await?);
    }
    if share == 100 {
        let named = case.contract().find_clock(&clock.name).and_then(|rule| rule.escalate.as_deref());
        let mut above = vec![Target::Manager {}];
        if named.is_some_and(|named| named.contains("expert")) {
            above.push(Target::Experts {});
        }
        found.extend(people::resolve(conn, &above, site, now).await?);
    }
    let mut known = std::collections::BTreeSet::new();
    found.retain(|person| known.insert(person.account_id.clone()));
    Ok(Some(found))
}

/// Those who were told that the time was up.
async fn told_of_breach(conn: &mut Conn, case: &Case, row: &Notice) -> sqlx::Result<Vec<Person>> {
    let key = format!("{}/clock/{}/{}/{}/{}/", case.heads.id, row.name, row.run, row.share, row.turn - 1);
    let mut found = Vec::new();
    for account in page::store::list_keyed(conn, &case.heads.id, &key).await? {
        found.extend(people::person(conn, account, "person", None).await?);
    }
    Ok(found)
}

/// Throws every row away and makes all of them again; how many tickets there are and how many rows. Nothing is told
/// twice, and nothing new is told.
pub async fn rebuild(db: &Db, now: Timestamp) -> anyhow::Result<(u64, u64)> {
    let mut library = Library::default();
    let mut tx = db.write().await?;
    store::clear(&mut tx).await?;
    tx.commit().await?;
    let (mut after, mut tickets, mut clocks) = (String::new(), 0, 0);
    loop {
        let mut tx = db.write_in_turn().await?;
        let part = store::list_after(&mut tx, &after, TOGETHER).await?;
        // A mark stays: what is to be told of a ticket is told by whoever takes it.
        store::many::lock_only(&mut tx, &part).await?;
        let cases = store::many::list_cases(&mut tx, &mut library, &part).await?;
        let rows: Vec<store::Row> = cases.iter().flat_map(|case| store::rows(case, now)).collect();
        store::many::replace(&mut tx, &part, &rows).await?;
        clocks += rows.len() as u64;
        tickets += part.len() as u64;
        tx.commit().await?;
        let Some(last) = part.last() else { return Ok((tickets, clocks)) };
        after.clone_from(last);
    }
}
