//! Rolling up hours that are over.
//!
//! An hour is read from its blocks as a whole and replaces itself in the days of its devices, so doing it twice
//! changes nothing. The blocks are read and packed outside of any transaction; what is left for the transaction is to
//! take the note away, which fails when a block has come meanwhile, and to write the rows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use sitewarden_proto::id::GatewayId;

use super::day::merge;
use super::store::day::{Due, list_days, list_due, roll_up, set_days, settle};
use super::{DAY_MS, HOUR_MS};
use crate::app::App;
use crate::device;

/// Hours looked at in one step.
const HOURS_AT_ONCE: i64 = 48;
/// The last block of an hour comes within it; history that is being told comes at once. Whoever waits a little
/// longer rolls an hour up once.
const SETTLE_MS: i64 = 600_000;

/// Rolls up what is due; true when there is more.
pub async fn step(app: &App, now: Timestamp) -> anyhow::Result<bool> {
    let now = now.as_millisecond();
    let mut conn = app.db.read().await?;
    let due = list_due(&mut conn, now - HOUR_MS - SETTLE_MS, now - SETTLE_MS, HOURS_AT_ONCE).await?;
    drop(conn);
    let more = due.len() as i64 == HOURS_AT_ONCE;
    let mut days: BTreeMap<(String, i64), Vec<Due>> = BTreeMap::new();
    for due in due {
        let day_at = due.hour_at.div_euclid(DAY_MS) * DAY_MS;
        days.entry((due.gateway_id.clone(), day_at)).or_default().push(due);
    }
    for ((gateway, day_at), due) in days {
        one_day(app, &gateway, day_at, &due, now).await?;
    }
    Ok(more)
}

async fn one_day(app: &App, gateway: &str, day_at: i64, due: &[Due], now: i64) -> anyhow::Result<()> {
    let hours: BTreeSet<i64> = due.iter().map(|due| due.hour_at).collect();
    let mut conn = app.db.read().await?;
    let id = GatewayId::try_from(gateway.to_owned())?;
    let own = device::store::list_own(&mut conn, &id).await?.into_iter().map(|(id, _)| id).collect();
    let fresh = roll_up(&mut conn, gateway, day_at, &hours, &own).await?;
    let ids: Vec<&str> = fresh.keys().map(String::as_str).collect();
    let stands: HashMap<String, Vec<u8>> = list_days(&mut conn, &ids, day_at).await?.into_iter().collect();
    drop(conn);
    // Where the blocks of an hour may be gone already, what they once said is not written over.
    let blocks_from = now - i64::from(app.config.retention.blocks_days) * DAY_MS;
    let keep = |hour: usize| day_at + (hour as i64) * HOUR_MS < blocks_from;
    let mut packed = Vec::with_capacity(fresh.len());
    for (device, day) in &fresh {
        let body = merge(stands.get(device).map(Vec::as_slice), day, keep)?;
        packed.push((device.clone(), body));
    }
    let mut tx = app.db.write().await?;
    for due in due {
        if !settle(&mut tx, due).await? {
            // A block came meanwhile: the day is read again in the next step.
            return Ok(());
        }
    }
    set_days(&mut tx, day_at, &packed).await?;
    tx.commit().await?;
    Ok(())
}
