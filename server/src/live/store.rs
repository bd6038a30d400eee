//! The read model behind the live page, the search and the metrics: reads across domains, writes
//! nothing. One pass over each table in scope, joined in memory.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;
use sqlx::FromRow;

use super::board::{
    Board, BoardDevice, BoardGateway, BoardSite, ByState, Counts, Delta, DeviceDelta, GatewayDelta, Latest,
};
use crate::app::Touched;
use crate::db::Conn;
use crate::escalation::store::finding;
use crate::gateway::store::wire;
use crate::incident::{self, api::Incident};
use crate::metrics::Readings;
use crate::metrics::gateways::GatewayReading;
use crate::ticket::{self, api::Ticket};
use crate::user::Scope;

pub mod search;

/// Rows asked for by id in one statement; SQLite takes 32,766 parameters, PostgreSQL 65,535.
const IDS_AT_ONCE: usize = 500;
/// Incidents and tickets on one board.
const STANDING_MAX: i64 = 2000;
/// How far back the latest events of one customer are looked for.
const EVENTS_SEARCHED: i64 = 2000;
const LATEST: i64 = 20;
/// Incidents shown with a ticket; its own page shows all of them.
const STANDING_OF_TICKET: i64 = 8;

#[derive(FromRow)]
struct SiteRow {
    id: String,
    name: String,
    name_zh: String,
    customer_id: String,
    zone: String,
    paged: i64,
}

#[derive(FromRow)]
struct DeviceRow {
    id: String,
    name: String,
    class: String,
    state: String,
    state_since: i64,
    parent_id: Option<String>,
    position: i64,
    site_id: String,
    customer_id: String,
}

#[derive(FromRow)]
struct GatewayRow {
    id: String,
    name: String,
    state: String,
    state_since: i64,
    last_heard_at: Option<i64>,
    site_id: String,
    customer_id: String,
}

#[derive(FromRow)]
struct LatestRow {
    id: String,
    at: i64,
    site_id: String,
    device_id: String,
    code: String,
    transition: String,
    name: String,
    customer_id: String,
}

const DEVICE: &str = "SELECT d.id, d.name, d.class, d.state, d.state_since, d.parent_id, d.position, d.site_id, \
     s.customer_id FROM device d JOIN site s ON s.id = d.site_id WHERE d.removed_at IS NULL";
const GATEWAY: &str = "SELECT g.id, g.name, g.state, g.state_since, g.last_heard_at, g.site_id, s.customer_id \
     FROM gateway g JOIN site s ON s.id = g.site_id WHERE 1 = 1";

/// The snapshot for one viewer. `seq` is the number of the last delta before this read began.
pub async fn read_board(conn: &mut Conn, scope: &Scope, seq: u64, now: Timestamp) -> sqlx::Result<Board> {
    let mut sites = list_sites(conn, scope).await?;
    let place: HashMap<String, usize> =
        sites.iter().enumerate().map(|(index, site)| (site.id.clone(), index)).collect();

    let mut counts = Counts { sites: sites.len(), ..Counts::default() };
    let gateways: Vec<GatewayRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{GATEWAY} AND (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) AND g.state <> 'revoked' ORDER BY g.name, g.id"
    )))
    .bind(scope.customer())
    .fetch_all(&mut *conn)
    .await?;
    for row in gateways {
        counts.gateways += 1;
        counts.gateways_online += usize::from(row.state == "online");
        if let Some(index) = place.get(&row.site_id) {
            sites[*index].gateway.push(BoardGateway {
                id: row.id,
                name: row.name,
                state: row.state,
                state_since: row.state_since,
                last_heard_at: row.last_heard_at,
            });
        }
    }
    for (site, packed) in packed_devices(&mut *conn, scope).await? {
        let Some(index) = place.get(&site) else { continue };
        let site = &mut sites[*index];
        site.devices = packed.split(ROW_ENDS).filter_map(unpacked).collect();
        site.devices.sort_by(|a, b| (a.6, &a.1, &a.0).cmp(&(b.6, &b.1, &b.0)));
        counts.devices += site.devices.len();
        for device in &site.devices {
            site.counts.add(&device.3);
        }
    }
    for site in &mut sites {
        site.counts.worst().clone_into(&mut site.worst);
        counts.by_state.add_all(site.counts);
        counts.leads_to_nobody += usize::from(site.leads_to_nobody);
    }

    let standing = incident::store::Filter { open: Some(true), is_cause: true, ..Default::default() };
    let incidents = incident::store::list(&mut *conn, scope, &standing, STANDING_MAX).await?;
    let incidents: Vec<Incident> = incidents.into_iter().map(Incident::from).collect();
    let symptoms = incident::store::list_symptom_ids(&mut *conn, scope, STANDING_MAX).await?;
    let filter = ticket::store::Filter { state: Some("standing".to_owned()), ..Default::default() };
    let tickets = ticket::store::list(&mut *conn, scope, &filter, STANDING_MAX).await?;
    let tickets: Vec<Ticket> =
        with_incidents(&mut *conn, tickets).await?.into_iter().map(|(_, ticket)| ticket).collect();
    counts.incidents_open = (incidents.len() + symptoms.len()) as i64;
    counts.tickets_open = tickets.len() as i64;
    counts.tickets_unacked = tickets.iter().filter(|ticket| ticket.state == "open").count() as i64;
    let latest = list_latest(conn, scope).await?.into_iter().map(|(_, event)| event).collect();
    Ok(Board { at: now.as_millisecond(), seq, counts, sites, incidents, symptoms, tickets, latest })
}

/// What ends a column and a row of what is packed (ASCII US and RS). No name holds one.
const COLUMN_ENDS: char = '\u{1f}';
const ROW_ENDS: char = '\u{1e}';

/// The devices of each site, packed into one text for each: a hundred thousand rows cost more on their way here than all
/// else that a board takes.
async fn packed_devices(conn: &mut Conn, scope: &Scope) -> sqlx::Result<Vec<(String, String)>> {
    sqlx::query_as(
        "SELECT d.site_id, string_agg(d.id || CAST($2 AS TEXT) || \
           REPLACE(REPLACE(d.name, CAST($2 AS TEXT), ' '), CAST($3 AS TEXT), ' ') || CAST($2 AS TEXT) || d.class || CAST($2 AS TEXT) || \
           d.state || CAST($2 AS TEXT) || CAST(d.state_since AS TEXT) || CAST($2 AS TEXT) || COALESCE(d.parent_id, '') || \
           CAST($2 AS TEXT) || CAST(d.position AS TEXT), CAST($3 AS TEXT)) \
         FROM device d JOIN site s ON s.id = d.site_id \
         WHERE d.removed_at IS NULL AND (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) GROUP BY d.site_id",
    )
    .bind(scope.customer())
    .bind(COLUMN_ENDS.to_string())
    .bind(ROW_ENDS.to_string())
    .fetch_all(conn)
    .await
}

/// A device out of what is packed.
fn unpacked(row: &str) -> Option<BoardDevice> {
    let mut columns = row.split(COLUMN_ENDS);
    let mut text = || columns.next().map(str::to_owned);
    let (id, name, class, state) = (text()?, text()?, text()?, text()?);
    let (since, parent, position) = (text()?.parse().ok()?, text()?, text()?.parse().ok()?);
    Some((id, name, class, state, since, Some(parent).filter(|id| !id.is_empty()), position))
}

async fn list_sites(conn: &mut Conn, scope: &Scope) -> sqlx::Result<Vec<BoardSite>> {
    let rows: Vec<SiteRow> = sqlx::query_as(
        "WITH reached AS (SELECT d.site_id FROM duty d JOIN account a ON a.id = d.account_id AND a.disabled = 0 \
           JOIN contact_method c ON c.account_id = a.id AND c.enabled = 1) \
         SELECT s.id, s.name, s.name_zh, s.customer_id, s.zone, \
           CASE WHEN EXISTS (SELECT 1 FROM duty d WHERE d.site_id = s.id) \
             THEN CASE WHEN EXISTS (SELECT 1 FROM reached r WHERE r.site_id = s.id) THEN CAST(1 AS BIGINT) \
               ELSE CAST(0 AS BIGINT) END \
             ELSE CASE WHEN EXISTS (SELECT 1 FROM reached r WHERE r.site_id IS NULL) THEN CAST(1 AS BIGINT) \
               ELSE CAST(0 AS BIGINT) END END \
             + CASE WHEN EXISTS (SELECT 1 FROM escalation_plan p WHERE p.site_id = s.id OR p.customer_id = s.customer_id \
               OR (p.site_id IS NULL AND p.customer_id IS NULL)) THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS paged \
         FROM site s WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) ORDER BY s.name, s.id",
    )
    .bind(scope.customer())
    .fetch_all(conn)
    .await?;
    let site = |row: SiteRow| BoardSite {
        id: row.id,
        name: row.name,
        name_zh: row.name_zh,
        customer_id: row.customer_id,
        zone: row.zone,
        worst: "ok".to_owned(),
        counts: ByState::default(),
        leads_to_nobody: row.paged == 0,
        gateway: Vec::new(),
        devices: Vec::new(),
    };
    Ok(rows.into_iter().map(site).collect())
}

async fn list_latest(conn: &mut Conn, scope: &Scope) -> sqlx::Result<Vec<(String, Latest)>> {
    let rows: Vec<LatestRow> = sqlx::query_as(
        "SELECT e.id, e.at, d.site_id, e.device_id, e.code, e.transition, d.name, s.customer_id \
         FROM (SELECT id, at, device_id, code, transition FROM device_event ORDER BY id DESC LIMIT $2) e \
         JOIN device d ON d.id = e.device_id JOIN site s ON s.id = d.site_id \
         WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) ORDER BY e.id DESC LIMIT $3",
    )
    .bind(scope.customer())
    .bind(EVENTS_SEARCHED)
    .bind(LATEST)
    .fetch_all(conn)
    .await?;
    let latest = |row: LatestRow| {
        let event = Latest {
            id: row.id,
            at: row.at,
            site_id: row.site_id,
            device_id: row.device_id,
            text_code: row.code,
            transition: row.transition,
            name: row.name,
        };
        (row.customer_id, event)
    };
    Ok(rows.into_iter().map(latest).collect())
}

/// The rows that were touched, as they are now.
pub async fn read_delta(conn: &mut Conn, touched: &Touched, now: Timestamp) -> sqlx::Result<Delta> {
    let mut delta = Delta { at: now.as_millisecond(), ..Delta::default() };
    for row in by_ids::<DeviceRow>(&mut *conn, DEVICE, "d.id", &touched.devices).await? {
        delta.shapes.push((row.id.clone(), shape_of_device(&row)));
        let change =
            DeviceDelta { id: row.id, site_id: row.site_id, state: row.state, state_since: row.state_since };
        delta.devices.push((row.customer_id, change));
    }
    for row in by_ids::<GatewayRow>(&mut *conn, GATEWAY, "g.id", &touched.gateways).await? {
        delta.shapes.push((row.id.clone(), shape_of_gateway(&row)));
        let change = GatewayDelta {
            id: row.id,
            site_id: row.site_id,
            state: row.state,
            state_since: row.state_since,
            last_heard_at: row.last_heard_at,
        };
        delta.gateways.push((row.customer_id, change));
    }
    for row in incident::store::many::list_causes(&mut *conn, &touched.incidents).await? {
        delta.incidents.push((row.customer_id.clone(), Incident::from(row)));
    }
    for row in incident::store::many::list_symptoms(&mut *conn, &touched.incidents).await? {
        let symptom = (row.id, row.device_id, row.ticket_id, row.is_over == 1);
        delta.symptoms.push((row.customer_id, symptom));
    }
    let tickets = ticket::store::list_by_ids(&mut *conn, &touched.tickets).await?;
    delta.tickets = with_incidents(&mut *conn, tickets).await?;
    if !touched.devices.is_empty() || !touched.incidents.is_empty() {
        delta.latest = list_latest(conn, &Scope::All).await?;
    }
    Ok(delta)
}

/// Tickets with the first few of what stands on them, each with the customer it belongs to.
async fn with_incidents(
    conn: &mut Conn,
    rows: Vec<ticket::store::Row>,
) -> sqlx::Result<Vec<(String, Ticket)>> {
    let ids: BTreeSet<String> = rows.iter().map(|row| row.id.clone()).collect();
    let symptoms = incident::store::many::count_symptoms(&mut *conn, &ids).await?;
    let mut standing: HashMap<String, Vec<Incident>> = HashMap::new();
    for row in incident::store::many::list_standing(&mut *conn, &ids, STANDING_OF_TICKET).await? {
        standing.entry(row.ticket_id.clone().unwrap_or_default()).or_default().push(Incident::from(row));
    }
    let ticket = |row: ticket::store::Row| {
        let incidents = standing.remove(&row.id).unwrap_or_default();
        let symptoms = symptoms.get(&row.id).copied().unwrap_or_default();
        let customer = row.customer_id.clone();
        (
            customer,
            Ticket { symptoms: usize::try_from(symptoms).unwrap_or_default(), ..Ticket::new(row, incidents) },
        )
    };
    Ok(rows.into_iter().map(ticket).collect())
}

/// A fingerprint of every device and gateway, of what a snapshot says beside its state.
pub async fn list_shapes(conn: &mut Conn) -> sqlx::Result<HashMap<String, u64>> {
    let mut shapes = HashMap::new();
    let devices: Vec<DeviceRow> = sqlx::query_as(DEVICE).fetch_all(&mut *conn).await?;
    shapes.extend(devices.into_iter().map(|row| (row.id.clone(), shape_of_device(&row))));
    let gateways: Vec<GatewayRow> = sqlx::query_as(GATEWAY).fetch_all(conn).await?;
    shapes.extend(gateways.into_iter().map(|row| (row.id.clone(), shape_of_gateway(&row))));
    Ok(shapes)
}

fn shape_of_device(row: &DeviceRow) -> u64 {
    fingerprint((&row.name, &row.class, &row.parent_id, row.position, &row.site_id))
}

fn shape_of_gateway(row: &GatewayRow) -> u64 {
    fingerprint((&row.name, &row.site_id, row.state == "revoked"))
}

fn fingerprint(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

async fn by_ids<T>(
    conn: &mut Conn,
    select: &str,
    column: &str,
    ids: &BTreeSet<String>,
) -> sqlx::Result<Vec<T>>
where
    T: for<'r> FromRow<'r, sqlx::any::AnyRow> + Send + Unpin,
{
    let ids: Vec<&String> = ids.iter().collect();
    let mut rows = Vec::new();
    for chunk in ids.chunks(IDS_AT_ONCE) {
        let places: Vec<String> = (1..=chunk.len()).map(|n| format!("${n}")).collect();
        let sql = format!("{select} AND {column} IN ({})", places.join(", "));
        let mut query = sqlx::query_as(sqlx::AssertSqlSafe(sql));
        for id in chunk {
            query = query.bind((*id).clone());
        }
        rows.extend(query.fetch_all(&mut *conn).await?);
    }
    Ok(rows)
}

/// Asks the database for nothing.
pub async fn ping(conn: &mut Conn) -> sqlx::Result<()> {
    sqlx::query("SELECT 1").execute(conn).await.map(|_| ())
}

/// What the metrics show of the database.
pub async fn read_gauges(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Readings> {
    async fn counts(conn: &mut Conn, sql: &'static str) -> sqlx::Result<Vec<(String, i64)>> {
        sqlx::query_as(sql).fetch_all(conn).await
    }
    let devices =
        "SELECT state, CAST(COUNT(*) AS BIGINT) FROM device WHERE removed_at IS NULL GROUP BY state";
    let gateways = "SELECT state, CAST(COUNT(*) AS BIGINT) FROM gateway GROUP BY state";
    let tickets = "SELECT state, CAST(COUNT(*) AS BIGINT) FROM ticket WHERE state <> 'closed' GROUP BY state";
    let incidents =
        "SELECT severity, CAST(COUNT(*) AS BIGINT) FROM incident WHERE closed_at IS NULL GROUP BY severity";
    let (waiting, oldest): (i64, Option<i64>) = sqlx::query_as(
        "SELECT CAST(COUNT(*) AS BIGINT), MIN(created_at) FROM page WHERE state IN ('queued', 'claimed')",
    )
    .fetch_one(&mut *conn)
    .await?;
    let pager_findings = finding::count(&mut *conn).await?;
    let (_, passed) = finding::audited(&mut *conn).await?;
    let sums = wire::sums(&mut *conn, &Scope::All, now).await?;
    let each = wire::list(&mut *conn, &Scope::All, None, None, now).await?;
    let each = each.into_iter().filter(|row| row.state != "revoked").map(|row| reading(row, now)).collect();
    Ok(Readings {
        devices: counts(&mut *conn, devices).await?,
        gateways: counts(&mut *conn, gateways).await?,
        tickets: counts(&mut *conn, tickets).await?,
        incidents: counts(conn, incidents).await?,
        pager_findings,
        pager_passed_s: passed.map_or(-1, |at| (now.as_millisecond() - at).max(0) / 1000),
        pages_waiting: waiting,
        pages_oldest_s: oldest.map_or(0, |at| (now.as_millisecond() - at).max(0) / 1000),
        each_gateway: each,
        gateways_holding: sums.holding,
        gateways_replaying: sums.replaying,
        gateways_clock_wrong: sums.clocks_wrong,
        gateways_disk_wrong: sums.disks_wrong,
        ..Readings::default()
    })
}

fn reading(row: wire::Row, now: Timestamp) -> GatewayReading {
    let seconds_since = |at: i64| (now.as_millisecond() - at).max(0) / 1000;
    GatewayReading {
        id: row.id,
        queue_records: row.queue_records.unwrap_or(0),
        queue_age_s: row.queue_oldest_at.map_or(0, seconds_since),
        dropped_records: row.dropped_records.unwrap_or(0),
        gaps: row.gaps.unwrap_or(0),
        lost_records: row.lost_records.unwrap_or(0),
        clock_offset_ms: row.clock_offset_ms.unwrap_or(0),
        late_ms: row.late_ms.unwrap_or(0),
        silent_s: row.last_heard_at.map_or(-1, seconds_since),
        refused: 0,
        certificate_ends: row.cert_not_after.unwrap_or(0) / 1000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_whole() {
        let packed = "d1\u{1f}cam, | 3\u{1f}camera\u{1f}ok\u{1f}17\u{1f}\u{1f}0\u{1e}d2\u{1f}门\u{1f}door\u{1f}down\u{1f}9\u{1f}d1\u{1f}1";
        let all: Vec<BoardDevice> = packed.split(ROW_ENDS).filter_map(unpacked).collect();
        let first = ("d1".into(), "cam, | 3".into(), "camera".into(), "ok".into(), 17, None, 0);
        let second = ("d2".into(), "门".into(), "door".into(), "down".into(), 9, Some("d1".into()), 1);
        assert_eq!(all, [first, second]);
        assert_eq!(unpacked("d1\u{1f}half"), None);
    }
}
