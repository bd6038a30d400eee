//! SQL for escalations: where each ticket stands in the plan that it was given.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::plan::{Plan, Trouble};
use super::{Facts, Holder, Phase, Standing};
use crate::clock::from_ms;
use crate::db::Conn;
use crate::page::ATTEMPTS_MAX;
use crate::user::Scope;

pub mod finding;
pub mod peer;
pub mod people;
pub mod plan;

/// A ticket with its escalation, as far as deciding needs it. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Case {
    pub ticket_id: String,
    pub number: i64,
    pub site_id: String,
    pub customer_id: String,
    pub zone: String,
    pub class: String,
    pub severity: String,
    pub state: String,
    pub acked_by: Option<String>,
    pub held: i64,
    pub heard_at: Option<i64>,
    pub serial: Option<i64>,
    pub plan_name: Option<String>,
    pub plan: Option<String>,
    pub phase: Option<String>,
    pub round: Option<i64>,
    pub next_step: Option<i64>,
    pub due_at: Option<i64>,
    pub held_since: Option<i64>,
    pub reached: Option<i64>,
    pub informed: Option<i64>,
}

const CASE: &str = "SELECT t.id AS ticket_id, t.number, t.site_id, s.customer_id, s.zone, \
     COALESCE(d.class, CASE WHEN t.gateway_id IS NULL THEN 'other' ELSE 'gateway' END) AS class, t.severity, t.state, \
     t.acked_by, CASE WHEN EXISTS (SELECT 1 FROM ticket_hold h WHERE h.ticket_id = t.id) THEN CAST(1 AS BIGINT) \
     ELSE CAST(0 AS BIGINT) END AS held, \
     (SELECT MAX(v.recorded_at) FROM ticket_event v WHERE v.ticket_id = t.id AND v.source = 'person') AS heard_at, \
     e.serial, e.plan_name, e.plan, e.phase, e.round, e.next_step, e.due_at, e.held_since, e.reached, e.informed \
     FROM ticket t JOIN site s ON s.id = t.site_id LEFT JOIN device d ON d.id = t.device_id";

impl Case {
    /// What conditions are held against.
    pub fn trouble(&self) -> Trouble {
        Trouble {
            severity: self.severity.clone(),
            class: self.class.clone(),
            customer_id: self.customer_id.clone(),
            site_id: self.site_id.clone(),
            zone: zone(&self.zone),
        }
    }

    /// What the rule wants to know.
    pub fn facts(&self) -> Facts {
        let holder = match self.state.as_str() {
            "closed" => Holder::Closed,
            "acked" => Holder::Somebody { heard_at: from_ms(self.heard_at.unwrap_or_default()) },
            _ => Holder::Nobody,
        };
        Facts { trouble: self.trouble(), holder, held: self.held != 0 }
    }

    /// The plan that this escalation was given. What cannot be read is the built-in one: a page too many is
    /// better than none.
    pub fn plan(&self) -> Plan {
        let text = self.plan.as_deref().unwrap_or_default();
        if text.is_empty() {
            return Plan::built_in();
        }
        serde_json::from_str(text).unwrap_or_else(|error| {
            tracing::error!(ticket = self.number, %error, "a ticket's plan cannot be read; everybody on duty is asked");
            Plan::built_in()
        })
    }

    /// Where it stands, if it has begun.
    pub fn standing(&self) -> Option<Standing> {
        Some(Standing {
            round: self.round?.try_into().unwrap_or_default(),
            next: self.next_step?.try_into().unwrap_or_default(),
            due: self.due_at.map(from_ms),
            phase: Phase::parse(self.phase.as_deref()?).unwrap_or(Phase::Asking),
            held_since: self.held_since.map(from_ms),
            reached: self.reached? != 0,
        })
    }
}

/// A zone by its name; one that this system does not know is UTC.
pub fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// One ticket with its escalation.
pub async fn find(conn: &mut Conn, ticket: &str) -> sqlx::Result<Option<Case>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{CASE} LEFT JOIN escalation e ON e.ticket_id = t.id WHERE t.id = $1"
    )))
    .bind(ticket)
    .fetch_optional(conn)
    .await
}

/// Escalations for which something is due, or whose ticket is not where they believe it is; longest due first.
pub async fn list_due(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<Case>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{CASE} JOIN escalation e ON e.ticket_id = t.id WHERE e.phase <> 'over' AND ((e.due_at <= $1 AND e.held_since IS NULL) \
         OR t.state = 'closed' OR (t.state = 'acked' AND e.phase NOT IN ('acked', 'reminded')) \
         OR (t.state = 'open' AND e.phase IN ('acked', 'reminded')) \
         OR (e.held_since IS NULL AND EXISTS (SELECT 1 FROM ticket_hold h WHERE h.ticket_id = t.id)) \
         OR (e.held_since IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ticket_hold h WHERE h.ticket_id = t.id))) \
         ORDER BY e.due_at, t.number LIMIT 500"
    )))
    .bind(now.as_millisecond())
    .fetch_all(conn)
    .await
}

/// Escalations whose ticket nobody has taken, that nothing holds and that have asked somebody; newest first.
pub async fn list_untaken(conn: &mut Conn) -> sqlx::Result<Vec<Case>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{CASE} JOIN escalation e ON e.ticket_id = t.id WHERE e.phase <> 'over' AND t.state = 'open' \
         AND t.paged_severity = t.severity AND e.held_since IS NULL AND e.next_step > 0 \
         AND NOT EXISTS (SELECT 1 FROM ticket_hold h WHERE h.ticket_id = t.id) ORDER BY t.number DESC LIMIT 5000"
    )))
    .fetch_all(conn)
    .await
}

/// Begins a ticket's next escalation with a plan as it is now; how many it has had with this one.
pub async fn begin(
    conn: &mut Conn,
    ticket: &str,
    name: &str,
    plan: &str,
    standing: &Standing,
    now: Timestamp,
) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "INSERT INTO escalation (ticket_id, serial, plan_name, plan, phase, round, next_step, due_at, held_since, reached, \
         next_who, informed, began_at, changed_at) VALUES ($1, 1, $2, $3, $4, $5, $6, $7, NULL, 0, '', 0, $8, $8) \
         ON CONFLICT (ticket_id) DO UPDATE SET serial = escalation.serial + 1, plan_name = $2, plan = $3, phase = $4, \
         round = $5, next_step = $6, due_at = $7, held_since = NULL, reached = 0, next_who = '', began_at = $8, \
         changed_at = $8 RETURNING serial",
    )
    .bind(ticket)
    .bind(name)
    .bind(plan)
    .bind(standing.phase.as_str())
    .bind(i64::from(standing.round))
    .bind(standing.next as i64)
    .bind(standing.due.map(Timestamp::as_millisecond))
    .bind(now.as_millisecond())
    .fetch_one(conn)
    .await
}

/// Writes where an escalation stands, and in words who would be asked next.
pub async fn save(
    conn: &mut Conn,
    ticket: &str,
    standing: &Standing,
    next_who: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE escalation SET phase = $2, round = $3, next_step = $4, due_at = CAST($5 AS BIGINT), \
         held_since = CAST($6 AS BIGINT), reached = $7, next_who = $8, changed_at = $9 WHERE ticket_id = $1",
    )
    .bind(ticket)
    .bind(standing.phase.as_str())
    .bind(i64::from(standing.round))
    .bind(standing.next as i64)
    .bind(standing.due.map(Timestamp::as_millisecond))
    .bind(standing.held_since.map(Timestamp::as_millisecond))
    .bind(i64::from(standing.reached))
    .bind(next_who)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// Remembers that the customer has been told of a ticket, or that it is over.
pub async fn set_informed(conn: &mut Conn, ticket: &str, informed: bool) -> sqlx::Result<()> {
    sqlx::query("UPDATE escalation SET informed = $2 WHERE ticket_id = $1")
        .bind(ticket)
        .bind(i64::from(informed))
        .execute(conn)
        .await?;
    Ok(())
}

/// Remembers until when the expert panel is to have begun with measures; `None` once it has.
pub async fn set_experts(conn: &mut Conn, ticket: &str, until: Option<Timestamp>) -> sqlx::Result<()> {
    sqlx::query("UPDATE escalation SET experts_until = CAST($2 AS BIGINT) WHERE ticket_id = $1")
        .bind(ticket)
        .bind(until.map(Timestamp::as_millisecond))
        .execute(conn)
        .await?;
    Ok(())
}

/// Whether anybody whom a ticket's escalation has asked was reached, or still may be: a page of it was sent, or is on its
/// way and does not count as stuck.
pub async fn may_reach(conn: &mut Conn, ticket: &str) -> sqlx::Result<bool> {
    let one: Option<String> = sqlx::query_scalar(
        "SELECT p.id FROM page p JOIN escalation e ON e.ticket_id = p.ticket_id WHERE p.ticket_id = $1 \
         AND p.purpose = 'opened' AND p.created_at >= e.began_at AND (p.state = 'sent' \
         OR (p.state IN ('queued', 'claimed') AND p.attempts < $2 AND p.refused = 0)) LIMIT 1",
    )
    .bind(ticket)
    .bind(ATTEMPTS_MAX)
    .fetch_optional(conn)
    .await?;
    Ok(one.is_some())
}

/// Open tickets whose experts owe measures since before `now` and that were not said to be late yet, each with whether
/// one of the panel has done something with it since it was called.
pub async fn list_experts_due(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<(String, i64)>> {
    let since = "v.ticket_id = t.id AND v.seq > (SELECT MAX(c.seq) FROM ticket_event c WHERE c.ticket_id = t.id \
         AND c.kind = 'experts_called')";
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT t.id, CASE WHEN EXISTS (SELECT 1 FROM ticket_event v WHERE {since} AND v.source = 'person' \
         AND v.actor_id IN (SELECT p.account_id FROM escalation_person p WHERE p.kind = 'expert')) \
         THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS measures \
         FROM escalation e JOIN ticket t ON t.id = e.ticket_id WHERE e.phase <> 'over' AND e.experts_until <= $1 \
         AND t.state <> 'closed' AND NOT EXISTS (SELECT 1 FROM ticket_hold h WHERE h.ticket_id = t.id) \
         AND NOT EXISTS (SELECT 1 FROM ticket_event v WHERE {since} AND v.kind = 'experts_late') ORDER BY t.number LIMIT 500"
    )))
    .bind(now.as_millisecond())
    .fetch_all(conn)
    .await
}

/// An escalation as people see it. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Shown {
    pub serial: i64,
    pub plan_name: String,
    pub plan: String,
    pub phase: String,
    pub round: i64,
    pub next_step: i64,
    pub due_at: Option<i64>,
    pub held_since: Option<i64>,
    pub next_who: String,
    pub experts_until: Option<i64>,
    pub began_at: i64,
}

impl Shown {
    /// How many steps a round of it has.
    pub fn steps(&self) -> i64 {
        serde_json::from_str::<Plan>(&self.plan).map_or(1, |plan| plan.steps.len() as i64)
    }
}

/// The escalation of a ticket. The caller has checked that the viewer may see the ticket.
pub async fn find_shown(conn: &mut Conn, ticket: &str) -> sqlx::Result<Option<Shown>> {
    sqlx::query_as(
        "SELECT serial, plan_name, plan, phase, round, next_step, due_at, held_since, next_who, experts_until, began_at \
         FROM escalation WHERE ticket_id = $1",
    )
    .bind(ticket)
    .fetch_optional(conn)
    .await
}

/// A device that may fail.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Subject {
    pub device: String,
    pub class: String,
    pub gateway_id: String,
    pub site_id: String,
    pub site: String,
    pub site_zh: String,
    pub zone: String,
    pub customer_id: String,
}

/// A device that may fail, where the viewer may see it.
pub async fn subject(conn: &mut Conn, scope: &Scope, device: &str) -> sqlx::Result<Option<Subject>> {
    sqlx::query_as(
        "SELECT d.name AS device, d.class, d.gateway_id, d.site_id, s.name AS site, s.name_zh AS site_zh, s.zone, s.customer_id \
         FROM device d JOIN site s ON s.id = d.site_id WHERE d.id = $2 AND d.removed_at IS NULL \
         AND (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1)",
    )
    .bind(scope.customer())
    .bind(device)
    .fetch_optional(conn)
    .await
}

/// The account of whoever last took a ticket.
pub async fn find_taker(conn: &mut Conn, ticket: &str) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar(
        "SELECT actor_id FROM ticket_event WHERE ticket_id = $1 AND kind IN ('acked', 'taken_over') \
         AND actor_id IS NOT NULL ORDER BY seq DESC LIMIT 1",
    )
    .bind(ticket)
    .fetch_optional(conn)
    .await
}

/// Whether a ticket was closed because it is only what another one drags along.
pub async fn is_merged(conn: &mut Conn, ticket: &str) -> sqlx::Result<bool> {
    let merged: Option<i64> =
        sqlx::query_scalar("SELECT seq FROM ticket_event WHERE ticket_id = $1 AND kind = 'merged' LIMIT 1")
            .bind(ticket)
            .fetch_optional(conn)
            .await?;
    Ok(merged.is_some())
}
