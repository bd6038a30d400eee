//! SQL for where devices hang: what switches have shown, what a person has recorded, and what is proposed.

use jiff::Timestamp;

use crate::db::Conn;
use crate::id::uuid_v7;
use crate::user::Scope;

/// The port that a device hangs on. Times are Unix ms.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Port {
    pub switch_id: String,
    pub switch_name: String,
    pub switch_gateway_id: String,
    pub name: String,
    pub poe_group: i64,
    pub poe_port: i64,
    /// Addresses on that port at the last look.
    pub macs: i64,
    /// The other end says that it is a switch.
    pub trunk: i64,
    pub first_seen_at: i64,
    pub seen_at: i64,
    pub recorded: i64,
    pub recorded_by: String,
}

impl Port {
    /// A person has recorded it; else switches have shown it.
    pub fn is_recorded(&self) -> bool {
        self.recorded == 1
    }
}

/// The port that a device hangs on: what a person has recorded, else where it was seen last.
pub async fn find_port(conn: &mut Conn, device: &str) -> sqlx::Result<Option<Port>> {
    Ok(list_ports(conn, device).await?.into_iter().next())
}

/// The ports of a device: the recorded one first, then those where it was seen, the newest first; at most 8.
pub async fn list_ports(conn: &mut Conn, device: &str) -> sqlx::Result<Vec<Port>> {
    sqlx::query_as(
        "SELECT p.switch_id, s.name AS switch_name, s.gateway_id AS switch_gateway_id, p.name, p.poe_group, p.poe_port, \
         CAST(1 AS BIGINT) AS macs, CAST(0 AS BIGINT) AS trunk, p.recorded_at AS first_seen_at, \
         p.recorded_at AS seen_at, CAST(1 AS BIGINT) AS recorded, p.recorded_by \
         FROM port_recorded p JOIN device s ON s.id = p.switch_id AND s.removed_at IS NULL WHERE p.device_id = $1 \
         UNION ALL \
         SELECT p.switch_id, s.name, s.gateway_id, p.name, p.poe_group, p.poe_port, p.macs, p.trunk, p.first_seen_at, \
         p.seen_at, CAST(0 AS BIGINT), '' \
         FROM port_seen p JOIN device s ON s.id = p.switch_id AND s.removed_at IS NULL WHERE p.device_id = $1 \
         ORDER BY recorded DESC, seen_at DESC LIMIT 8",
    )
    .bind(device)
    .fetch_all(conn)
    .await
}

/// Whether another device in service hangs on that port, as far as anybody knows.
pub async fn is_shared(conn: &mut Conn, device: &str, port: &Port) -> sqlx::Result<bool> {
    let other: Option<String> = sqlx::query_scalar(
        "SELECT d.id FROM device d WHERE d.id <> $1 AND d.removed_at IS NULL AND (EXISTS (SELECT 1 FROM port_recorded p \
         WHERE p.device_id = d.id AND p.switch_id = $2 AND p.poe_group = $3 AND p.poe_port = $4) OR EXISTS (SELECT 1 \
         FROM port_seen p WHERE p.device_id = d.id AND p.switch_id = $2 AND p.poe_group = $3 AND p.poe_port = $4 \
         AND NOT EXISTS (SELECT 1 FROM port_seen later WHERE later.device_id = d.id AND later.seen_at > p.seen_at) \
         AND NOT EXISTS (SELECT 1 FROM port_recorded r WHERE r.device_id = d.id))) LIMIT 1",
    )
    .bind(device)
    .bind(&port.switch_id)
    .bind(port.poe_group)
    .bind(port.poe_port)
    .fetch_optional(conn)
    .await?;
    Ok(other.is_some())
}

/// A port as a person records it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Recorded<'a> {
    pub switch_id: &'a str,
    pub name: &'a str,
    pub poe_group: i64,
    pub poe_port: i64,
    pub by: &'a str,
}

/// Records the port of a device by hand.
pub async fn record_port(
    conn: &mut Conn,
    device: &str,
    port: &Recorded<'_>,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO port_recorded (device_id, switch_id, name, poe_group, poe_port, recorded_at, recorded_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (device_id) DO UPDATE SET switch_id = excluded.switch_id, \
         name = excluded.name, poe_group = excluded.poe_group, poe_port = excluded.poe_port, \
         recorded_at = excluded.recorded_at, recorded_by = excluded.recorded_by",
    )
    .bind(device)
    .bind(port.switch_id)
    .bind(port.name)
    .bind(port.poe_group)
    .bind(port.poe_port)
    .bind(now.as_millisecond())
    .bind(port.by)
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets what was recorded by hand.
pub async fn forget_port(conn: &mut Conn, device: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM port_recorded WHERE device_id = $1").bind(device).execute(conn).await?;
    Ok(())
}

/// Keeps what a switch has shown last.
pub async fn put_view(conn: &mut Conn, switch: &str, at: i64, body: &[u8]) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO switch_view (switch_id, seen_at, body) VALUES ($1, $2, $3) \
         ON CONFLICT (switch_id) DO UPDATE SET seen_at = excluded.seen_at, body = excluded.body \
         WHERE switch_view.seen_at <= excluded.seen_at",
    )
    .bind(switch)
    .bind(at)
    .bind(body)
    .execute(conn)
    .await?;
    Ok(())
}

/// What the switches of a gateway have shown last: id, when, view.
pub async fn list_views(conn: &mut Conn, gateway: &str) -> sqlx::Result<Vec<(String, i64, Vec<u8>)>> {
    sqlx::query_as(
        "SELECT v.switch_id, v.seen_at, v.body FROM switch_view v JOIN device d ON d.id = v.switch_id \
         WHERE d.gateway_id = $1 AND d.removed_at IS NULL ORDER BY v.switch_id LIMIT 500",
    )
    .bind(gateway)
    .fetch_all(conn)
    .await
}

/// Addresses of a gateway's devices: id, address, recorded parent.
pub async fn list_addresses(
    conn: &mut Conn,
    gateway: &str,
) -> sqlx::Result<Vec<(String, String, Option<String>)>> {
    sqlx::query_as(
        "SELECT id, address, parent_id FROM device WHERE gateway_id = $1 AND removed_at IS NULL ORDER BY id",
    )
    .bind(gateway)
    .fetch_all(conn)
    .await
}

/// The last MAC under which a device was seen.
pub async fn list_macs(conn: &mut Conn, gateway: &str) -> sqlx::Result<Vec<(String, String)>> {
    sqlx::query_as(
        "SELECT p.device_id, p.mac FROM port_seen p JOIN device d ON d.id = p.device_id \
         WHERE d.gateway_id = $1 AND d.removed_at IS NULL ORDER BY p.seen_at",
    )
    .bind(gateway)
    .fetch_all(conn)
    .await
}

/// A device seen on a port.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Sighting<'a> {
    pub device_id: &'a str,
    pub switch_id: &'a str,
    pub if_index: i64,
    pub name: &'a str,
    pub poe_group: i64,
    pub poe_port: i64,
    pub mac: &'a str,
    pub macs: i64,
    pub trunk: bool,
}

/// Notes that a device was seen on a port; earlier ports stay as where it hung before.
pub async fn see(conn: &mut Conn, seen: &Sighting<'_>, at: i64) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO port_seen (device_id, switch_id, if_index, name, poe_group, poe_port, mac, macs, trunk, first_seen_at, \
         seen_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) \
         ON CONFLICT (device_id, switch_id, if_index) DO UPDATE SET name = excluded.name, \
         poe_group = excluded.poe_group, poe_port = excluded.poe_port, mac = excluded.mac, macs = excluded.macs, \
         trunk = excluded.trunk, seen_at = CASE WHEN port_seen.seen_at > excluded.seen_at THEN port_seen.seen_at \
         ELSE excluded.seen_at END",
    )
    .bind(seen.device_id)
    .bind(seen.switch_id)
    .bind(seen.if_index)
    .bind(seen.name)
    .bind(seen.poe_group)
    .bind(seen.poe_port)
    .bind(seen.mac)
    .bind(seen.macs)
    .bind(i64::from(seen.trunk))
    .bind(at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Proposes a parent; one that was proposed before, in whatever state, is only seen again. A proposal for another
/// switch that nobody has answered makes way.
pub async fn propose(
    conn: &mut Conn,
    device: &str,
    switch: &str,
    port: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM parent_proposal WHERE device_id = $1 AND switch_id <> $2 AND state = 'open'")
        .bind(device)
        .bind(switch)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "INSERT INTO parent_proposal (id, device_id, switch_id, port, state, created_at, seen_at, decided_by) \
         VALUES ($1, $2, $3, $4, 'open', $5, $5, '') ON CONFLICT (device_id, switch_id) DO UPDATE SET \
         port = excluded.port, seen_at = excluded.seen_at",
    )
    .bind(uuid_v7(now))
    .bind(device)
    .bind(switch)
    .bind(port)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// What is recorded is what is seen: nothing is left to propose.
pub async fn settle(conn: &mut Conn, device: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM parent_proposal WHERE device_id = $1 AND state = 'open'")
        .bind(device)
        .execute(conn)
        .await?;
    Ok(())
}

/// A proposal with the names a person needs. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Proposal {
    pub id: String,
    pub device_id: String,
    pub device_name: String,
    pub gateway_id: String,
    pub site_id: String,
    pub switch_id: String,
    pub switch_name: String,
    pub port: String,
    pub recorded_id: Option<String>,
    pub recorded_name: Option<String>,
    pub created_at: i64,
    pub seen_at: i64,
}

/// Proposals that nobody has answered; of one site, of one device, or all that the viewer may see; at most 500.
pub async fn list_proposals(
    conn: &mut Conn,
    scope: &Scope,
    site: Option<&str>,
    device: Option<&str>,
) -> sqlx::Result<Vec<Proposal>> {
    sqlx::query_as(
        "SELECT p.id, p.device_id, d.name AS device_name, d.gateway_id, d.site_id, p.switch_id, w.name AS switch_name, \
         p.port, d.parent_id AS recorded_id, r.name AS recorded_name, p.created_at, p.seen_at FROM parent_proposal p \
         JOIN device d ON d.id = p.device_id AND d.removed_at IS NULL \
         JOIN device w ON w.id = p.switch_id AND w.removed_at IS NULL JOIN site s ON s.id = d.site_id \
         LEFT JOIN device r ON r.id = d.parent_id \
         WHERE p.state = 'open' AND (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) \
         AND (CAST($2 AS TEXT) IS NULL OR d.site_id = $2) AND (CAST($3 AS TEXT) IS NULL OR d.id = $3) \
         ORDER BY CASE WHEN d.parent_id IS NULL THEN 1 ELSE 0 END, p.created_at, p.id LIMIT 500",
    )
    .bind(scope.customer())
    .bind(site)
    .bind(device)
    .fetch_all(conn)
    .await
}

/// A person has answered a proposal; false when it was answered already.
pub async fn decide(conn: &mut Conn, id: &str, state: &str, by: &str, now: Timestamp) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE parent_proposal SET state = $2, decided_at = $3, decided_by = $4 WHERE id = $1 AND state = 'open'",
    )
    .bind(id)
    .bind(state)
    .bind(now.as_millisecond())
    .bind(by)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}
