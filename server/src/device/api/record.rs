//! The record of a device: events, states and charts.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sitewarden_proto::id::{DeviceId, GatewayId};
use utoipa::{IntoParams, ToSchema};

use super::find;
use crate::app::App;
use crate::device::store;
use crate::error::ApiError;
use crate::gateway::command::{self, Action};
use crate::gateway::store::wire::Gap;
use crate::history::{BLOCK_RANGE_MAX_MS, HOUR_MS, buckets, coarser, step_ms, with_gaps};
use crate::router::Items;
use crate::user::Viewer;
use crate::{device, gateway, history};

/// The longest range that can be asked for: two years.
const RANGE_MAX_MS: i64 = 732 * 24 * HOUR_MS;
const MINUTE_MS: i64 = 60_000;
/// Gaps that are looked at for one chart; older ones, as the server learned of them, are left out.
const GAPS_MAX: i64 = 1000;
/// How long a look at the newest readings keeps them coming at once.
const WATCH_S: u32 = 60;

/// One event of a device's record. Times are Unix ms.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceEvent {
    /// Names it.
    id: String,
    /// When it happened, by the server's clock.
    at: i64,
    /// When the server learned of it.
    received_at: i64,
    /// The fault code; empty for a first good verdict.
    code: String,
    /// `raised`, `cleared`, `flap_began`, `flap_ended` or `baseline`.
    transition: String,
    /// The check that saw it.
    check: String,
    /// The last good sample before it.
    last_good_at: Option<i64>,
    /// The first bad sample.
    first_bad_at: Option<i64>,
    /// What was measured.
    #[schema(value_type = Object)]
    evidence: Value,
    /// How far the gateway's clock was off, if that was taken out.
    clock_offset_ms: i64,
}

/// A state of a device from `at` on.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceState {
    /// Since when, Unix ms.
    at: i64,
    /// `ok`, `degraded`, `down` or `unknown`.
    state: String,
    /// The fault code that decided it; empty when none did.
    because: String,
}

/// One series of a chart.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChartSeries {
    /// The check.
    check: String,
    /// The metric with its unit.
    metric: String,
    /// `blocks`, or `rollup` for hourly means.
    source: &'static str,
    /// The time that one point stands for.
    step_ms: i64,
    /// `[Unix ms, value]`, the value null where a gap begins.
    #[schema(value_type = Vec<Vec<f64>>)]
    points: Vec<(i64, Option<f64>)>,
}

/// The charts of a device.
#[derive(Debug, Serialize, ToSchema)]
pub struct History {
    /// One for each metric of each check.
    series: Vec<ChartSeries>,
    /// When records of the device's gateway were lost for good, oldest first.
    lost: Vec<Lost>,
}

/// A time from which records of the device's gateway are lost for good. Times are Unix ms.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Lost {
    /// The end of the last block before.
    from: i64,
    /// The beginning of the first block after.
    to: i64,
    /// How many records, whatever they held.
    records: i64,
    /// `queue_full`, `too_old`, `corrupt`, `already_deleted`, `refused` or `unknown`.
    reason: String,
}

/// Where the next part of a record begins.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// Only what is older, Unix ms.
    before: Option<i64>,
}

/// A range of time.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Unix ms; a day before `to` when it is left out.
    from: Option<i64>,
    /// Unix ms; now when it is left out.
    to: Option<i64>,
    /// How many points a series may have, at most 1,000.
    points: Option<i64>,
}

impl Range {
    fn bounds(&self, app: &App) -> Result<(i64, i64), ApiError> {
        let to = self.to.unwrap_or_else(|| app.clock.now().as_millisecond());
        let from = self.from.unwrap_or(to.saturating_sub(24 * HOUR_MS));
        match to.checked_sub(from) {
            Some(length) if (1..=RANGE_MAX_MS).contains(&length) => Ok((from, to)),
            Some(_) | None => Err(ApiError::bad_request(
                "from",
                "the range is empty or longer than two years",
                "ask for a shorter one",
            )),
        }
    }
}

/// The events of a device, newest first, 200 at a time.
#[utoipa::path(get, path = "/api/v1/devices/{id}/events", tag = "devices", params(("id" = String, Path), Before),
    responses((status = 200, body = Items<DeviceEvent>), (status = 404)))]
pub(super) async fn events(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Query(query): Query<Before>,
) -> Result<Json<Items<DeviceEvent>>, ApiError> {
    const PAGE: i64 = 200;
    let mut conn = app.db.read().await?;
    find(&mut conn, &viewer, &id).await?;
    let rows = store::list_events(&mut conn, &id, query.before.unwrap_or(i64::MAX), PAGE).await?;
    let next = (rows.len() as i64 == PAGE).then(|| rows.last().map(|row| row.at.to_string())).flatten();
    let items = rows
        .into_iter()
        .map(|row| DeviceEvent {
            evidence: serde_json::from_str(&row.evidence).unwrap_or_default(),
            id: row.id,
            at: row.at,
            received_at: row.received_at,
            code: row.code,
            transition: row.transition,
            check: row.check_name,
            last_good_at: row.last_good_at,
            first_bad_at: row.first_bad_at,
            clock_offset_ms: row.clock_offset_ms,
        })
        .collect();
    Ok(Json(Items { items, next }))
}

/// The states of a device, oldest first, beginning with the one that stood at `from`.
#[utoipa::path(get, path = "/api/v1/devices/{id}/states", tag = "devices", params(("id" = String, Path), Range),
    responses((status = 200, body = Items<DeviceState>), (status = 400), (status = 404)))]
pub(super) async fn states(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Query(range): Query<Range>,
) -> Result<Json<Items<DeviceState>>, ApiError> {
    let (from, to) = range.bounds(&app)?;
    let mut conn = app.db.read().await?;
    find(&mut conn, &viewer, &id).await?;
    let rows = device::store::list_states(&mut conn, &id, from, to).await?;
    let items = rows.into_iter().map(|(at, state, because)| DeviceState { at, state, because }).collect();
    Ok(Json(Items::all(items)))
}

/// What was measured on a device: from the blocks for about a day, from hourly rollups beyond.
#[utoipa::path(get, path = "/api/v1/devices/{id}/history", tag = "devices", params(("id" = String, Path), Range),
    responses((status = 200, body = History), (status = 400), (status = 404)))]
pub(super) async fn history(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Query(range): Query<Range>,
) -> Result<Json<History>, ApiError> {
    let (from, to) = range.bounds(&app)?;
    let points = range.points.unwrap_or(480);
    let mut conn = app.db.read().await?;
    let row = find(&mut conn, &viewer, &id).await?;
    let gaps = gateway::store::wire::list_gaps(&mut conn, &row.gateway_id, from, GAPS_MAX).await?;
    if to >= app.clock.now().as_millisecond() - MINUTE_MS {
        watch(&app, &viewer, &row).await?;
    }
    let series = if to - from <= BLOCK_RANGE_MAX_MS {
        let samples = history::store::list_samples(&mut conn, &row.gateway_id, &id, from, to).await?;
        drop(conn);
        let step = step_ms(from, to, points, 1000);
        samples
            .into_iter()
            .map(|((check, metric), mut samples)| {
                samples.sort_by_key(|sample| sample.0);
                let gap = (3 * spacing(&samples)).max(step + MINUTE_MS / 2);
                let points = with_gaps(&buckets(&samples, step), gap);
                ChartSeries { check, metric, source: "blocks", step_ms: step, points }
            })
            .collect()
    } else {
        let hours = history::store::day::list_hours(&mut conn, &row.gateway_id, &id, from, to).await?;
        drop(conn);
        let step = step_ms(from, to, points, HOUR_MS);
        hours
            .into_iter()
            .map(|((check, metric), hours)| {
                let points = with_gaps(&coarser(hours, step), step);
                ChartSeries { check, metric, source: "rollup", step_ms: step, points }
            })
            .collect()
    };
    Ok(Json(History { series, lost: lost(gaps, from, to) }))
}

/// The gaps that touch `from..to`. What fell out of a queue is many gaps between the facts that it kept: those
/// between the same two blocks are one loss.
fn lost(gaps: Vec<Gap>, from: i64, to: i64) -> Vec<Lost> {
    let mut lost: Vec<Lost> = Vec::new();
    for gap in gaps.into_iter().rev() {
        let (Some(begin), Some(end)) = (gap.before_at, gap.after_at) else { continue };
        if end < from || begin > to {
            continue;
        }
        match lost.last_mut() {
            Some(last) if (last.from, last.to, &last.reason) == (begin, end, &gap.reason) => {
                last.records += gap.records;
            }
            Some(_) | None => {
                lost.push(Lost { from: begin, to: end, records: gap.records, reason: gap.reason });
            }
        }
    }
    lost
}

/// Somebody looks at a device's newest readings: its gateway sends them at once for a while instead of in
/// blocks of five minutes. A gateway that is not connected is not asked.
async fn watch(app: &App, viewer: &Viewer, row: &store::Row) -> Result<(), ApiError> {
    let device = DeviceId::try_from(row.id.clone()).map_err(anyhow::Error::from)?;
    let gateway = GatewayId::try_from(row.gateway_id.clone()).map_err(anyhow::Error::from)?;
    if app.gateways.is_connected(&gateway) {
        let now = app.clock.now();
        let action = Action::Watch { device, seconds: WATCH_S };
        let mut tx = app.db.write().await?;
        command::issue(&mut tx, &app.keys, &gateway, &action, Some(&viewer.account), now).await?;
        tx.commit().await?;
        app.wake.notify_one();
    }
    Ok(())
}

/// The usual time between two samples: the median of the differences, at least a second.
fn spacing(samples: &[(i64, f64)]) -> i64 {
    let mut steps: Vec<i64> = samples.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    steps.sort_unstable();
    steps.get(steps.len() / 2).copied().unwrap_or(MINUTE_MS).max(1000)
}
