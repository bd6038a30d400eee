//! SQL for causes and symptoms: what is to be judged, what the judge needs to know, and what follows.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::db::{Conn, named_places, pieces, places};
use crate::device::parent::Need;
use crate::incident::cause::{Node, Parent};

/// An open incident as it is judged. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Open {
    pub id: String,
    pub site_id: String,
    pub gateway_id: String,
    pub device_id: Option<String>,
    pub name: String,
    pub code: String,
    pub opened_at: i64,
    pub last_good_at: Option<i64>,
    pub first_bad_at: Option<i64>,
    pub recorded_at: i64,
    pub evidence: String,
    pub ticket_id: Option<String>,
    pub cause_id: Option<String>,
    pub settle_at: Option<i64>,
    /// The node and the end of the incident that causes it.
    pub cause_node: Option<String>,
    pub cause_closed_at: Option<i64>,
    /// The fault is marked as coming and going.
    pub flapping: i64,
}

const OPEN: &str = "SELECT i.id, i.site_id, i.gateway_id, i.device_id, COALESCE(d.name, g.name) AS name, i.code, i.opened_at, \
     i.last_good_at, i.first_bad_at, i.recorded_at, i.evidence, i.ticket_id, i.cause_id, i.settle_at, \
     COALESCE(c.device_id, c.gateway_id) AS cause_node, c.closed_at AS cause_closed_at, \
     COALESCE(f.flapping, CAST(0 AS BIGINT)) AS flapping FROM incident i JOIN gateway g ON g.id = i.gateway_id \
     LEFT JOIN device d ON d.id = i.device_id LEFT JOIN incident c ON c.id = i.cause_id \
     LEFT JOIN device_fault f ON f.device_id = i.device_id AND f.code = i.code WHERE i.closed_at IS NULL";

impl Open {
    /// The device, or the gateway where it is the gateway's own trouble.
    pub fn node(&self) -> &str {
        self.device_id.as_deref().unwrap_or(&self.gateway_id)
    }
}

impl Open {
    /// The parent that its gateway says has answered since the first bad sample, and when.
    pub fn answered(&self) -> Option<(String, i64)> {
        if !self.evidence.contains("parent_answered") {
            return None;
        }
        let evidence: serde_json::Value = serde_json::from_str(&self.evidence).ok()?;
        let parent = evidence["parent_answered"].as_str()?.to_owned();
        let after_ms = evidence["parent_answered_after_ms"].as_i64()?;
        Some((parent, self.first_bad_at?.saturating_add(after_ms)))
    }
}

/// Sites where an incident waits to be judged.
pub async fn list_unsettled_sites(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT DISTINCT site_id FROM incident WHERE settle_at IS NOT NULL AND settle_at <= $1 ORDER BY site_id",
    )
    .bind(now.as_millisecond())
    .fetch_all(conn)
    .await
}

/// What stands at a site, in the order in which it was recorded.
pub async fn list_open(conn: &mut Conn, site: &str) -> sqlx::Result<Vec<Open>> {
    let mut open = list_open_at(conn, &[site.to_owned()]).await?;
    Ok(open.remove(site).unwrap_or_default())
}

/// What stands at each of these sites, in the order in which it was recorded.
pub async fn list_open_at(conn: &mut Conn, sites: &[String]) -> sqlx::Result<BTreeMap<String, Vec<Open>>> {
    let mut open: BTreeMap<String, Vec<Open>> = BTreeMap::new();
    for piece in pieces(sites) {
        let text = format!("{OPEN} AND i.site_id IN {} ORDER BY i.id", places(conn, 1, piece.len()));
        let mut asked = sqlx::query_as::<_, Open>(sqlx::AssertSqlSafe(text));
        for site in piece {
            asked = asked.bind(site);
        }
        for row in asked.fetch_all(&mut *conn).await? {
            open.entry(row.site_id.clone()).or_default().push(row);
        }
    }
    Ok(open)
}

/// One incident, if it stands.
pub async fn find_open(conn: &mut Conn, id: &str) -> sqlx::Result<Option<Open>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{OPEN} AND i.id = $1"))).bind(id).fetch_optional(conn).await
}

/// Asks for an incident to be judged at `at`; `None` = it is settled.
pub async fn set_settle(conn: &mut Conn, id: &str, at: Option<i64>) -> sqlx::Result<()> {
    sqlx::query("UPDATE incident SET settle_at = $2 WHERE id = $1").bind(id).bind(at).execute(conn).await?;
    Ok(())
}

/// Asks for everything that stands at a site to be judged again: what hangs off what has changed.
pub async fn unsettle(conn: &mut Conn, site: &str) -> sqlx::Result<()> {
    sqlx::query("UPDATE incident SET settle_at = 0 WHERE site_id = $1 AND closed_at IS NULL")
        .bind(site)
        .execute(conn)
        .await?;
    Ok(())
}

/// Puts an incident under a cause, or says that it is a cause of its own, and ties it to the ticket. It is settled.
pub async fn place(conn: &mut Conn, id: &str, cause: Option<&str>, ticket: &str) -> sqlx::Result<()> {
    sqlx::query("UPDATE incident SET cause_id = $2, ticket_id = $3, settle_at = NULL WHERE id = $1")
        .bind(id)
        .bind(cause)
        .bind(ticket)
        .execute(conn)
        .await?;
    Ok(())
}

/// The cause of these symptoms is gone: each of them has time to end, as long as its checks may take to see it and
/// a minute more; what stands after that is judged again.
pub async fn await_recovery(conn: &mut Conn, cause: &str, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE incident SET settle_at = $2 + 2 * COALESCE((SELECT d.confirm_ms FROM device d WHERE d.id = incident.device_id), \
         CAST(60000 AS BIGINT)) WHERE cause_id = $1 AND closed_at IS NULL",
    )
    .bind(cause)
    .bind(now.as_millisecond() + 60_000)
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a device or a gateway hangs off anything, or anything off it, so that its trouble concerns others.
pub async fn is_in_topology(conn: &mut Conn, gateway: &str, device: Option<&str>) -> sqlx::Result<bool> {
    let found: Option<i64> =
        match device {
            Some(device) => sqlx::query_scalar(
                "SELECT CAST(1 AS BIGINT) WHERE EXISTS (SELECT 1 FROM device_parent WHERE device_id = $1) \
                 OR EXISTS (SELECT 1 FROM device_parent WHERE parent_id = $1) \
                 OR EXISTS (SELECT 1 FROM gateway_parent WHERE parent_id = $1)",
            )
            .bind(device)
            .fetch_optional(conn)
            .await?,
            None => sqlx::query_scalar(
                "SELECT CAST(1 AS BIGINT) WHERE EXISTS (SELECT 1 FROM gateway_parent WHERE gateway_id = $1)",
            )
            .bind(gateway)
            .fetch_optional(conn)
            .await?,
        };
    Ok(found.is_some())
}

/// The end of the last incident of a ticket; `None` while one stands or when it has none.
pub async fn last_end(conn: &mut Conn, ticket: &str) -> sqlx::Result<Option<i64>> {
    let (open, end): (i64, Option<i64>) = sqlx::query_as(
        "SELECT CAST(COUNT(*) - COUNT(closed_at) AS BIGINT), MAX(closed_at) FROM incident WHERE ticket_id = $1",
    )
    .bind(ticket)
    .fetch_one(conn)
    .await?;
    Ok(end.filter(|_| open == 0))
}

/// Whether an incident that is a cause of its own stands on a ticket.
pub async fn has_root(conn: &mut Conn, ticket: &str) -> sqlx::Result<bool> {
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT CAST(1 AS BIGINT) FROM incident WHERE ticket_id = $1 AND closed_at IS NULL AND cause_id IS NULL LIMIT 1",
    )
    .bind(ticket)
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}

/// Whether an incident is a cause of its own, as far as it is known.
pub async fn is_root(conn: &mut Conn, id: &str) -> sqlx::Result<bool> {
    let cause: Option<String> =
        sqlx::query_scalar("SELECT cause_id FROM incident WHERE id = $1").bind(id).fetch_one(conn).await?;
    Ok(cause.is_none())
}

/// How often a gateway has fallen silent since `from`.
pub async fn count_silences(conn: &mut Conn, gateway: &str, from: i64) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM incident WHERE gateway_id = $1 AND opened_at >= $2 AND device_id IS NULL \
         AND code = 'gateway_silent'",
    )
    .bind(gateway)
    .bind(from)
    .fetch_one(conn)
    .await
}

#[derive(sqlx::FromRow)]
struct NodeRow {
    id: String,
    watched: i64,
    heard: i64,
    confirm_ms: i64,
    parent_id: Option<String>,
    kind: Option<String>,
    group_name: Option<String>,
}

/// Everything that `ids` hang off, up to the top, and themselves.
pub async fn list_nodes(conn: &mut Conn, ids: &[String]) -> sqlx::Result<BTreeMap<String, Node>> {
    let mut nodes: BTreeMap<String, Node> = BTreeMap::new();
    let mut next: Vec<String> = ids.to_vec();
    while !next.is_empty() {
        let mut above = Vec::new();
        for ids in pieces(&next) {
            let places = named_places(ids.len());
            let query = format!(
                "SELECT d.id, CASE WHEN d.enabled = 1 AND d.known_at IS NOT NULL THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) \
                 END AS watched, CASE WHEN g.state IN ('online', 'suspect') THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END \
                 AS heard, d.confirm_ms, p.parent_id, p.kind, p.group_name FROM device d JOIN gateway g ON g.id = d.gateway_id \
                 LEFT JOIN device_parent p ON p.device_id = d.id WHERE d.removed_at IS NULL AND d.id IN {places} \
                 UNION ALL SELECT g.id, CAST(1 AS BIGINT), CAST(1 AS BIGINT), CAST(0 AS BIGINT), p.parent_id, p.kind, p.group_name \
                 FROM gateway g LEFT JOIN gateway_parent p ON p.gateway_id = g.id WHERE g.id IN {places} ORDER BY 1, 5, 6"
            );
            let mut asked = sqlx::query_as::<_, NodeRow>(sqlx::AssertSqlSafe(query));
            for id in ids {
                asked = asked.bind(id);
            }
            for row in asked.fetch_all(&mut *conn).await? {
                let node = nodes.entry(row.id).or_insert_with(|| Node {
                    parents: Vec::new(),
                    watched: row.watched == 1,
                    heard: row.heard == 1,
                    confirm_ms: row.confirm_ms,
                });
                let need = row.kind.as_deref().and_then(Need::parse);
                let (Some(parent), Some(need)) = (row.parent_id, need) else { continue };
                node.parents.push(Parent {
                    id: parent.clone(),
                    need,
                    group: row.group_name.unwrap_or_default(),
                });
                above.push(parent);
            }
        }
        above.sort_unstable();
        above.dedup();
        above.retain(|id| !nodes.contains_key(id));
        next = above;
    }
    Ok(nodes)
}
