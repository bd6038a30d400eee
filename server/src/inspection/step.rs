//! Where time acts on inspections: once a day at each site, and when something changed, the rows are brought in step with
//! the plan. What was not looked at for days comes to the same rows, since a plan knows no last time.

use std::sync::Arc;

use anyhow::Result;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use super::keep::{self, Change, Planned, Standing, Version};
use super::life::State;
use super::store::plan::Cover;
use super::store::{self, Stand, hand, plan};
use super::{Anchors, Plan};
use crate::app::App;
use crate::clock::from_ms;
use crate::contract::Contract;
use crate::contract::store::Shelf;
use crate::contract::store::list_versions;
use crate::db::Conn;
use crate::id::uuid_v7;

/// Inspections get a row so many days before their day.
const AHEAD_DAYS: i32 = 100;
/// A day that was moved is looked for so much further.
const FAR_DAYS: i32 = 500;
/// Plans of one look; the others follow at the next.
const PLANS_MAX: i64 = 200;

/// Brings every plan that is due in step, and takes over what became of visits.
pub async fn look(app: &App, shelf: &mut Shelf, now: Timestamp) -> Result<()> {
    let mut conn = app.db.read().await?;
    let visited = store::list_visited(&mut conn).await?;
    drop(conn);
    for (id, contract, site, zone, kind, at) in visited {
        let mut tx = app.db.write().await?;
        plan::hold(&mut tx, &contract, &site).await?;
        // It may have been taken over between the look and the lock.
        if store::list_visited(&mut tx).await?.iter().any(|still| still.0 == id) {
            let on = date_in(&zone, from_ms(at));
            follow_visit(&mut tx, &id, &kind, on, now).await?;
            Box::pin(replan(&mut tx, shelf, &contract, &site, now)).await?;
        }
        tx.commit().await?;
    }
    over(app, now).await?;
    let mut conn = app.db.read().await?;
    let due = plan::list_due(&mut conn, now, PLANS_MAX).await?;
    drop(conn);
    for (contract, site) in due {
        let mut tx = app.db.write().await?;
        Box::pin(replan(&mut tx, shelf, &contract, &site, now)).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// What was planned by hand and did not take place within its days is missed.
async fn over(app: &App, now: Timestamp) -> Result<()> {
    // The furthest date on earth: fourteen hours ahead of UTC.
    let furthest = date_in("UTC", now + jiff::SignedDuration::from_hours(14));
    let rows = hand::list_over(&mut *app.db.read().await?, furthest).await?;
    for (id, contract, site, zone, until) in rows {
        let today = date_in(&zone, now);
        if until > today.to_string() {
            continue;
        }
        let mut tx = app.db.write().await?;
        plan::hold(&mut tx, &contract, &site).await?;
        // It may have been moved or done between the look and the lock.
        let Some(row) = store::find(&mut tx, &crate::user::Scope::All, &id).await? else { continue };
        let (Some(state), Some(window), Ok(day)) = (State::parse(&row.state), row.window(), row.day.parse())
        else {
            continue;
        };
        if super::hand::is_missed(state, window, today) {
            let stand = Stand { state: State::Missed, day, merged_id: None, done_on: None };
            store::set(&mut tx, &id, &stand, now).await?;
            store::append(&mut tx, &id, "missed", (None, ""), &json!({ "day": row.day }), now).await?;
        }
        Box::pin(replan(&mut tx, &mut Shelf::default(), &contract, &site, now)).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// The date at a site.
pub fn date_in(zone: &str, at: Timestamp) -> Date {
    TimeZone::get(zone).unwrap_or(TimeZone::UTC).to_datetime(at).date()
}

/// A visit that was done did its inspection; one that was called off leaves it to be agreed anew.
async fn follow_visit(conn: &mut Conn, id: &str, kind: &str, on: Date, now: Timestamp) -> sqlx::Result<()> {
    let by = (None, "");
    if kind == "done" {
        let stand = Stand { state: State::Done, day: on, merged_id: None, done_on: Some(on) };
        store::set(conn, id, &stand, now).await?;
        return store::append(conn, id, "done", by, &json!({ "on": on.to_string(), "by": "visit" }), now)
            .await;
    }
    let Some(row) = store::find(conn, &crate::user::Scope::All, id).await? else { return Ok(()) };
    let day: Date = row.day.parse().unwrap_or(on);
    store::set_visit(conn, id, None, now).await?;
    let stand = Stand { state: State::Proposed, day, merged_id: None, done_on: None };
    store::set(conn, id, &stand, now).await?;
    store::append(conn, id, "visit_cancelled", by, &json!({ "day": row.day }), now).await
}

/// Brings one plan in step; the caller's transaction holds it.
pub async fn replan(
    conn: &mut Conn,
    shelf: &mut Shelf,
    contract: &str,
    site: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    plan::hold(conn, contract, site).await?;
    let Some(cover) = plan::find_cover(conn, contract, site).await? else { return Ok(()) };
    let zone = TimeZone::get(&cover.zone).unwrap_or(TimeZone::UTC);
    let date = |ms: i64| zone.to_datetime(from_ms(ms)).date();
    let today = zone.to_datetime(now).date();
    let mut texts: Vec<(i64, Date, Date, Arc<Contract>)> = Vec::new();
    let service = cover.service_at.filter(|_| cover.covered > 0);
    for row in list_versions(conn, contract).await? {
        if let (Some(service), Some(read)) = (service, shelf.read(&row)) {
            texts.push((row.number, date(row.valid_from), date(row.created_at.max(service)), read));
        }
    }
    let anchors = Anchors { events: plan::anchors(conn, contract, site).await?, begins: service.map(date) };
    let closed = plan::closed(conn, site).await?;
    let versions: Vec<Version<'_>> = texts
        .iter()
        .filter_map(|(number, from, since, read)| {
            let plan = Plan::new(read, &anchors, Some(&zone), &closed).ok()?;
            Some(Version { number: *number, from: *from, since: *since, plan })
        })
        .collect();
    let planned = keep::across(&versions, today.saturating_add(FAR_DAYS.days()), cover.ended_at.map(date));
    bring(conn, (contract, site), (&versions, &planned), today, now).await?;
    let next = today.tomorrow().ok().and_then(|day| day.to_zoned(zone.clone()).ok());
    let next = next.map_or(Timestamp::MAX, |next| next.timestamp());
    let (waiting, gaps) = said(&versions, &cover, today);
    plan::save(conn, (contract, site), (cover.changed_at, next), (&waiting, &gaps)).await
}

/// The version whose plan an inspection is of.
fn later(versions: &[Version<'_>], one: &Planned, from: Date) -> Date {
    let version = versions.iter().find(|version| version.number == one.version);
    version.map_or(from, |version| version.plan.day_from(&one.one, from))
}

async fn bring(
    conn: &mut Conn,
    (contract, site): (&str, &str),
    (versions, planned): (&[Version<'_>], &[Planned]),
    today: Date,
    now: Timestamp,
) -> sqlx::Result<()> {
    let mut standing = store::list_standing(conn, contract, site, planned).await?;
    let horizon = today.saturating_add(AHEAD_DAYS.days());
    let own = |one: &Planned, from: Date| later(versions, one, from);
    let missing = keep::missing(planned, &standing, (today, horizon), own);
    for (one, day) in &missing {
        let id = uuid_v7(now);
        if store::insert(conn, &id, (contract, site), one, *day, now).await? {
            let body = json!({ "day": day.to_string(), "version": one.version });
            store::append(conn, &id, "planned", (None, ""), &body, now).await?;
        }
    }
    if !missing.is_empty() {
        standing = store::list_standing(conn, contract, site, planned).await?;
    }
    for (id, change) in keep::settle(planned, &standing, today, own) {
        let Some(row) = standing.iter_mut().find(|row| row.id == id) else { continue };
        write(conn, row, planned, change, now).await?;
    }
    Ok(())
}

/// Writes a change down, and says on the record what it was. `row` is as it stood before.
async fn write(
    conn: &mut Conn,
    row: &mut Standing,
    planned: &[Planned],
    change: Change,
    now: Timestamp,
) -> sqlx::Result<()> {
    match change {
        Change::Replan { day } => {
            let found = planned.iter().find(|one| {
                one.one.key.n == row.n && one.one.key.rule == row.rule && one.one.series == row.series
            });
            let Some(one) = found else { return Ok(()) };
            store::rewrite(conn, &row.id, one, day, now).await?;
            if day != row.day || one.one.window != row.window {
                let body =
                    json!({ "day": day.to_string(), "was": row.day.to_string(), "version": one.version });
                store::append(conn, &row.id, "replanned", (None, ""), &body, now).await?;
            }
            row.day = day;
        }
        Change::Set { state, day, merged_id, done_on } => {
            let stand = Stand { state, day, merged_id: merged_id.as_deref(), done_on };
            store::set(conn, &row.id, &stand, now).await?;
            let kind = match (row.state, state) {
                (State::Merged, State::Due) => "apart",
                (State::Dropped, State::Due) => "restored",
                (_, state) => state.as_str(),
            };
            let mut body = json!({ "day": day.to_string() });
            if let Some(host) = &merged_id {
                body["with"] = host.as_str().into();
            }
            if row.state != state || row.merged_id != merged_id {
                store::append(conn, &row.id, kind, (None, ""), &body, now).await?;
            }
            (row.state, row.day, row.merged_id) = (state, day, merged_id);
        }
    }
    Ok(())
}

/// What the plan in force waits for, and where nothing is owed from today on for a year, as JSON.
fn said(versions: &[Version<'_>], cover: &Cover, today: Date) -> (String, String) {
    let in_force = versions.iter().rfind(|version| version.from <= today).or(versions.first());
    let Some(version) = in_force.filter(|_| cover.ended_at.is_none()) else {
        return ("[]".to_owned(), "[]".to_owned());
    };
    let waiting: Vec<Value> =
        version.plan.waiting().iter().map(|one| json!({ "rule": one.rule, "event": one.event })).collect();
    let gaps = version.plan.gaps(today.saturating_add(1.year()));
    let gaps: Vec<Value> = gaps
        .into_iter()
        .filter(|gap| gap.until.is_none_or(|until| until > today))
        .map(|gap| {
            let to = gap.until.and_then(|until| until.yesterday().ok()).map(|to| to.to_string());
            json!({ "from": gap.from.to_string(), "to": to, "after": gap.after, "before": gap.before })
        })
        .collect();
    (Value::from(waiting).to_string(), Value::from(gaps).to_string())
}
