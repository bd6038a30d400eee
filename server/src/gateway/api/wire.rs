//! The wire on the API: of each gateway, in sums for the strip of the live page, and gap by gap.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::db::Conn;
use crate::error::ApiError;
use crate::gateway::store::{self, wire::Row};
use crate::router::Items;
use crate::user::{Scope, Viewer};

/// Gaps of a gateway in one answer.
const GAPS: i64 = 200;

/// How the wire of one gateway is. Times are Unix ms by the server's clock.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct GatewayWire {
    /// When the oldest record that waits on its disk was written; null when nothing waits.
    pub queue_oldest_at: Option<i64>,
    /// The newest sample that is committed.
    pub newest_at: Option<i64>,
    /// How long that sample took from the probe to the commit, ms: gathering, the way, the database.
    pub late_ms: Option<i64>,
    /// Records of its history that are still to come; null when it is not telling any.
    pub replay_left: Option<i64>,
    /// Gaps in its record, as far as they are kept.
    pub gaps: i64,
    /// Of those, how many the server learned of in the last 24 hours.
    pub gaps_day: i64,
    /// Records that are lost for good.
    pub lost_records: i64,
    /// When the server learned of the newest gap.
    pub last_gap_at: Option<i64>,
    /// Why: `queue_full`, `too_old`, `corrupt`, `already_deleted`, `refused` or `unknown`.
    pub last_gap_reason: Option<String>,
    /// Packets of this server that its agent refused.
    pub refused_by_agent: i64,
    /// What the server turned away from it, since the server started.
    pub refused_here: u64,
    /// Since when its clock is further off than the limit; null when it is right.
    pub clock_wrong_at: Option<i64>,
    /// What its own disk is: `full`, `read_only` or `failing`; null when it takes what is written.
    pub disk_trouble: Option<String>,
    /// Since when.
    pub disk_wrong_at: Option<i64>,
}

/// The wire of all gateways, in sums: what the strip of the live page says in words.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct WireSums {
    /// Gateways that are heard and hold records back for more than two minutes.
    pub holding: i64,
    /// The records on their disks.
    pub records_held: i64,
    /// When the oldest of those was written, Unix ms.
    pub oldest_held_at: Option<i64>,
    /// Gateways that are telling their history.
    pub replaying: i64,
    /// Gaps of which the server learned in the last 24 hours.
    pub gaps_day: i64,
    /// The records lost in them.
    pub lost_day: i64,
    /// Gateways whose clock is wrong.
    pub clocks_wrong: i64,
    /// Gateways whose own disk takes nothing.
    pub disks_wrong: i64,
    /// Gateways whose certificate ends within 14 days: it should have been renewed.
    pub certificates_ending: i64,
    /// The longest time that a report waited here for its commit in the last minute or two, ms.
    pub commit_lag_ms: u64,
}

/// A gap in a gateway's record. Times are Unix ms.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RecordGap {
    /// When the server learned of it.
    pub received_at: i64,
    /// The end of the last block before it; null when that is not kept any more, or there is none.
    pub from: Option<i64>,
    /// The beginning of the first block after it; null when there is none yet.
    pub to: Option<i64>,
    /// How many records are lost.
    pub records: i64,
    /// `queue_full`, `too_old`, `corrupt`, `already_deleted`, `refused` or `unknown`.
    pub reason: String,
}

impl From<Row> for GatewayWire {
    fn from(row: Row) -> Self {
        let to_go = |to: i64| (to != i64::MAX).then(|| to.saturating_sub(row.upto.unwrap_or(0)).max(0));
        Self {
            queue_oldest_at: row.queue_oldest_at,
            newest_at: row.newest_at,
            late_ms: row.late_ms,
            replay_left: row.replay_to.and_then(to_go),
            gaps: row.gaps.unwrap_or(0),
            gaps_day: row.gaps_day.unwrap_or(0),
            lost_records: row.lost_records.unwrap_or(0),
            last_gap_at: row.last_gap_at,
            last_gap_reason: row.last_gap_reason,
            refused_by_agent: row.refused_packets.unwrap_or(0),
            refused_here: 0,
            clock_wrong_at: row.clock_wrong_at,
            disk_trouble: row.disk_trouble,
            disk_wrong_at: row.disk_wrong_at,
        }
    }
}

/// The wires by gateway: of one gateway, of one site, or of all that the viewer may see.
pub(super) async fn read(
    app: &App,
    conn: &mut Conn,
    scope: &Scope,
    gateway: Option<&str>,
    site: Option<&str>,
) -> sqlx::Result<HashMap<String, GatewayWire>> {
    let rows = store::wire::list(conn, scope, gateway, site, app.clock.now()).await?;
    let refused = |id: &str| id.parse().map_or(0, |id| app.gateways.refusals(&id));
    let wire = |row: Row| (row.id.clone(), GatewayWire { refused_here: refused(&row.id), ..row.into() });
    Ok(rows.into_iter().map(wire).collect())
}

/// The wire of all gateways that the viewer may see, in sums.
#[utoipa::path(get, path = "/api/v1/wire", tag = "gateways", responses((status = 200, body = WireSums)))]
pub(super) async fn sums(State(app): State<App>, viewer: Viewer) -> Result<Json<WireSums>, ApiError> {
    let now = app.clock.now();
    let sums = store::wire::sums(&mut *app.db.read().await?, &viewer.scope, now).await?;
    Ok(Json(WireSums {
        holding: sums.holding,
        records_held: sums.records_held,
        oldest_held_at: sums.oldest_held_at,
        replaying: sums.replaying,
        gaps_day: sums.gaps_day,
        lost_day: sums.lost_day,
        clocks_wrong: sums.clocks_wrong,
        disks_wrong: sums.disks_wrong,
        certificates_ending: sums.certificates_ending,
        commit_lag_ms: app.metrics.commit_lag_ms(now),
    }))
}

/// The gaps in a gateway's record, newest first; at most 200.
#[utoipa::path(get, path = "/api/v1/gateways/{id}/gaps", tag = "gateways", params(("id" = String, Path)),
    responses((status = 200, body = Items<RecordGap>), (status = 404)))]
pub(super) async fn gaps(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<Items<RecordGap>>, ApiError> {
    let mut conn = app.db.read().await?;
    let found = store::find_in(&mut conn, &viewer.scope, &id).await?;
    found.ok_or_else(|| ApiError::not_found("gateway", &id))?;
    let rows = store::wire::list_gaps(&mut conn, &id, 0, GAPS).await?;
    let gap = |row: store::wire::Gap| RecordGap {
        received_at: row.received_at,
        from: row.before_at,
        to: row.after_at,
        records: row.records,
        reason: row.reason,
    };
    Ok(Json(Items::all(rows.into_iter().map(gap).collect())))
}
