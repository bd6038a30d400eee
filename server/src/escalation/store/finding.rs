//! SQL of the pager's audit.

use jiff::Timestamp;

use crate::db::Conn;
use crate::escalation::finding::{Finding, Kind};

/// How late something may be before it counts as forgotten, ms.
const LATE_MS: i64 = 120_000;
/// A gateway's history may hold a ticket's first page back for five minutes; then something is wrong.
const UNBEGUN_MS: i64 = 6 * 60_000;
/// Findings of one kind that are kept; more are as bad.
const KEPT_MAX: usize = 500;
const AUDITED: &str = "pager_audited_at";
const PASSED: &str = "pager_passed_at";

/// A finding that stands. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Row {
    pub kind: String,
    pub subject: String,
    pub label: String,
    pub detail: String,
    pub since: i64,
}

/// A site, or the devices of one class at it.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Place {
    pub site_id: String,
    pub site: String,
    pub customer_id: String,
    pub zone: String,
    pub class: String,
    pub devices: i64,
}

/// What is wrong with open tickets and waiting pages.
pub async fn list_open(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<Finding>> {
    let now = now.as_millisecond();
    let stuck: Vec<(i64, String)> = sqlx::query_as(
        "SELECT t.number, COALESCE(e.phase, '') FROM ticket t LEFT JOIN escalation e ON e.ticket_id = t.id \
         WHERE t.state = 'open' AND t.severity IN ('critical', 'major') \
         AND NOT EXISTS (SELECT 1 FROM ticket_hold h WHERE h.ticket_id = t.id) \
         AND ((e.ticket_id IS NULL AND t.changed_at < $1 AND t.opened_at < $1) OR e.phase IN ('spent', 'over') \
         OR (e.phase = 'rest' AND e.reached = 0)) ORDER BY t.number LIMIT 500",
    )
    .bind(now - UNBEGUN_MS)
    .fetch_all(&mut *conn)
    .await?;
    let overdue: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT t.number, e.due_at FROM escalation e JOIN ticket t ON t.id = e.ticket_id WHERE e.phase <> 'over' \
         AND t.state <> 'closed' AND e.held_since IS NULL AND e.due_at < $1 \
         AND NOT EXISTS (SELECT 1 FROM ticket_hold h WHERE h.ticket_id = t.id) ORDER BY t.number LIMIT 500",
    )
    .bind(now - LATE_MS)
    .fetch_all(&mut *conn)
    .await?;
    let unsent: i64 = sqlx::query_scalar(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM page WHERE (state = 'queued' AND due_at < $1) \
         OR (state = 'claimed' AND claimed_until < $1)",
    )
    .bind(now - LATE_MS)
    .fetch_one(conn)
    .await?;
    let about = |kind: Kind, number: i64, detail: String| Finding {
        kind,
        subject: number.to_string(),
        label: format!("#{number}"),
        detail,
    };
    let mut found: Vec<Finding> =
        stuck.into_iter().map(|(number, phase)| about(Kind::NoNextStep, number, phase)).collect();
    found.extend(overdue.into_iter().map(|(number, _)| about(Kind::Overdue, number, String::new())));
    if unsent > 0 {
        found.push(Finding {
            kind: Kind::Unsent,
            subject: "pages".into(),
            label: unsent.to_string(),
            detail: String::new(),
        });
    }
    Ok(found)
}

/// Ways to people who can sign in that failed their last test.
pub async fn list_failed_ways(conn: &mut Conn) -> sqlx::Result<Vec<Finding>> {
    let rows: Vec<(String, String, String, String)> = sqlx::query_as(
        "SELECT c.id, a.name, c.channel, c.test_error FROM contact_method c JOIN account a ON a.id = c.account_id \
         WHERE c.enabled = 1 AND a.disabled = 0 AND c.test_error IS NOT NULL ORDER BY a.name, c.id LIMIT 500",
    )
    .fetch_all(conn)
    .await?;
    let found = rows.into_iter().map(|(id, name, channel, error)| Finding {
        kind: Kind::ChannelFailed,
        subject: id,
        label: format!("{name} · {channel}"),
        detail: error,
    });
    Ok(found.collect())
}

/// Contracts in service with sites that no rota serves and for which no duty list, not even the general one, names
/// anybody who can sign in.
pub async fn list_contracts_without_rota(conn: &mut Conn) -> sqlx::Result<Vec<Finding>> {
    let rows: Vec<(String, String, String, i64)> = sqlx::query_as(
        "SELECT c.id, c.name, MIN(s.name), CAST(COUNT(*) AS BIGINT) FROM contract c \
         JOIN contract_site b ON b.contract_id = c.id JOIN site s ON s.id = b.site_id WHERE c.state = 'in_service' \
         AND NOT EXISTS (SELECT 1 FROM rota r JOIN team_serves t ON t.team_id = r.team_id WHERE r.archived_at IS NULL \
         AND (t.site_id = s.id OR t.customer_id = s.customer_id)) \
         AND NOT EXISTS (SELECT 1 FROM duty d JOIN account a ON a.id = d.account_id WHERE a.disabled = 0 \
         AND (d.site_id IS NULL OR d.site_id = s.id)) GROUP BY c.id, c.name ORDER BY c.name, c.id LIMIT 500",
    )
    .fetch_all(conn)
    .await?;
    let found = rows.into_iter().map(|(id, name, site, sites)| Finding {
        kind: Kind::ContractWithoutRota,
        subject: id,
        label: name,
        detail: if sites > 1 { format!("{site} +{}", sites - 1) } else { site },
    });
    Ok(found.collect())
}

/// Addresses of people who can sign in that a provider called gone and that nobody has replaced or removed.
pub async fn list_gone_ways(conn: &mut Conn) -> sqlx::Result<Vec<Finding>> {
    let rows: Vec<(String, String, String, String)> = sqlx::query_as(
        "SELECT c.id, a.name, c.channel, COALESCE(c.gone_why, '') FROM contact_method c JOIN account a ON a.id = c.account_id \
         WHERE c.enabled = 0 AND a.disabled = 0 AND c.gone_at IS NOT NULL ORDER BY a.name, c.id LIMIT 500",
    )
    .fetch_all(conn)
    .await?;
    let found = rows.into_iter().map(|(id, name, channel, why)| Finding {
        kind: Kind::AddressGone,
        subject: id,
        label: format!("{name} · {channel}"),
        detail: why,
    });
    Ok(found.collect())
}

/// Every site that has something to watch, as one place for the trouble of a gateway.
pub async fn list_sites(conn: &mut Conn) -> sqlx::Result<Vec<Place>> {
    sqlx::query_as(
        "SELECT s.id AS site_id, s.name AS site, s.customer_id, s.zone, 'gateway' AS class, CAST(0 AS BIGINT) AS devices \
         FROM site s WHERE EXISTS (SELECT 1 FROM gateway g WHERE g.site_id = s.id AND g.revoked_at IS NULL) \
         ORDER BY s.name, s.id LIMIT 10000",
    )
    .fetch_all(conn)
    .await
}

/// Every class of devices at every site. Costs what is watched.
pub async fn list_classes(conn: &mut Conn) -> sqlx::Result<Vec<Place>> {
    sqlx::query_as(
        "SELECT s.id AS site_id, s.name AS site, s.customer_id, s.zone, d.class, CAST(COUNT(*) AS BIGINT) AS devices \
         FROM device d JOIN site s ON s.id = d.site_id WHERE d.removed_at IS NULL AND d.enabled = 1 \
         GROUP BY s.id, s.name, s.customer_id, s.zone, d.class ORDER BY s.name, s.id, d.class LIMIT 50000",
    )
    .fetch_all(conn)
    .await
}

/// Puts what was found of these kinds in the place of what stood; what still stands keeps its beginning.
pub async fn replace(conn: &mut Conn, kinds: &[Kind], found: &[Finding], now: Timestamp) -> sqlx::Result<()> {
    for kind in kinds {
        for one in found.iter().filter(|one| one.kind == *kind).take(KEPT_MAX) {
            sqlx::query(
                "INSERT INTO pager_finding (kind, subject, label, detail, since, seen_at) VALUES ($1, $2, $3, $4, $5, $5) \
                 ON CONFLICT (kind, subject) DO UPDATE SET label = $3, detail = $4, seen_at = $5",
            )
            .bind(kind.as_str())
            .bind(&one.subject)
            .bind(&one.label)
            .bind(one.detail.chars().take(300).collect::<String>())
            .bind(now.as_millisecond())
            .execute(&mut *conn)
            .await?;
        }
        sqlx::query("DELETE FROM pager_finding WHERE kind = $1 AND seen_at < $2")
            .bind(kind.as_str())
            .bind(now.as_millisecond())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// Every finding that stands, oldest first.
pub async fn list(conn: &mut Conn) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as("SELECT kind, subject, label, detail, since FROM pager_finding ORDER BY since, kind, label LIMIT 3000")
        .fetch_all(conn)
        .await
}

/// How many findings of each kind stand.
pub async fn count(conn: &mut Conn) -> sqlx::Result<Vec<(String, i64)>> {
    sqlx::query_as("SELECT kind, CAST(COUNT(*) AS BIGINT) FROM pager_finding GROUP BY kind ORDER BY kind")
        .fetch_all(conn)
        .await
}

/// Takes down that an audit was made, and whether it was passed.
pub async fn set_audited(conn: &mut Conn, passed: bool, now: Timestamp) -> sqlx::Result<()> {
    for name in [AUDITED].into_iter().chain(passed.then_some(PASSED)) {
        sqlx::query(
            "INSERT INTO counter (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2",
        )
        .bind(name)
        .bind(now.as_millisecond())
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// When the last audit was made and when one was last passed, Unix ms.
pub async fn audited(conn: &mut Conn) -> sqlx::Result<(Option<i64>, Option<i64>)> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT name, value FROM counter WHERE name IN ('pager_audited_at', 'pager_passed_at')",
    )
    .fetch_all(conn)
    .await?;
    let value = |name: &str| rows.iter().find(|row| row.0 == name).map(|row| row.1);
    Ok((value(AUDITED), value(PASSED)))
}
