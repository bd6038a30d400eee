//! The way down: commands and configurations go out from their rows, to gateways that are connected here.
//!
//! Nothing is lost when the server stops between two lines: a command stays queued, a configuration stays
//! newer than what the gateway reported, and both go out again.

use anyhow::Result;
use jiff::Timestamp;
use sitewarden_proto::id::GatewayId;
use sitewarden_proto::topic::Down;

use crate::app::App;

use super::wire::{CLOCK_LASTS, GATEWAY_CLOCK_WRONG, GATEWAY_DISK};
use super::{desired, store};
use crate::clock::from_ms;
use crate::db::Conn;
use crate::ingest::effect;

/// Takes down whose clock is wrong. A clock that stays wrong is one incident at its gateway; it closes when the
/// clock is right. While a gateway is silent nobody knows its clock, and nothing changes.
pub async fn clocks(app: &App, now: Timestamp) -> Result<()> {
    let limit_s = app.config.limits.clock_offset_s;
    let limit_ms = i64::from(limit_s) * 1000;
    let mut conn = app.db.read().await?;
    if store::wire::clocks_turned(&mut conn, limit_ms).await? {
        let mut tx = app.db.write().await?;
        store::wire::note_clocks(&mut tx, limit_ms, now).await?;
        tx.commit().await?;
    }
    let before = now.saturating_sub(CLOCK_LASTS)?;
    let changes = store::wire::list_clock_changes(&mut conn, GATEWAY_CLOCK_WRONG, before).await?;
    drop(conn);
    for (id, wrong_at, offset_ms) in changes {
        let Ok(gateway) = GatewayId::try_from(id) else { continue };
        let evidence = serde_json::json!({ "offset_s": offset_ms / 1000, "limit_s": limit_s });
        let mut tx = app.db.write().await?;
        let wrong_at = wrong_at.map(from_ms);
        let touched =
            effect::gateway_fault(&mut tx, &gateway, GATEWAY_CLOCK_WRONG, wrong_at, &evidence, now).await?;
        tx.commit().await?;
        app.touched(&touched);
    }
    Ok(())
}

/// A gateway whose own disk takes nothing has one incident; it closes when the gateway says that it is well.
pub async fn disks(app: &App, now: Timestamp) -> Result<()> {
    let mut conn = app.db.read().await?;
    let changes = store::wire::list_disk_changes(&mut conn, GATEWAY_DISK).await?;
    drop(conn);
    for (id, wrong_at, trouble) in changes {
        let Ok(gateway) = GatewayId::try_from(id) else { continue };
        let evidence = serde_json::json!({ "trouble": trouble });
        let wrong_at = wrong_at.map(from_ms);
        let mut tx = app.db.write().await?;
        let touched =
            effect::gateway_fault(&mut tx, &gateway, GATEWAY_DISK, wrong_at, &evidence, now).await?;
        tx.commit().await?;
        app.touched(&touched);
    }
    Ok(())
}

/// Brings the door's list of who may connect up to date, if it is not.
pub async fn admit(app: &App, conn: &mut Conn) -> sqlx::Result<()> {
    // The mark before the rows: what changes in between is seen by the next look.
    let mark = store::standings_mark(conn).await?;
    if !app.gateways.knows_standings(mark) {
        app.gateways.replace_standings(store::standings(conn).await?, mark);
    }
    Ok(())
}

/// Sends what waits, and brings the door's list of who may connect up to date, because `sitewarden gateway
/// revoke` writes to the database from another process.
pub async fn publish(app: &App, now: Timestamp) -> Result<()> {
    let mut conn = app.db.read().await?;
    admit(app, &mut conn).await?;
    let waiting = store::command::list_waiting(&mut conn, now).await?;
    let expired = store::command::any_expired(&mut conn, now).await?;
    let behind = store::list_behind(&mut conn).await?;
    drop(conn);
    if expired {
        let mut tx = app.db.write().await?;
        store::command::expire(&mut tx, now).await?;
        tx.commit().await?;
    }
    for command in waiting {
        let Ok(gateway) = GatewayId::try_from(command.gateway_id) else { continue };
        if app.gateways.send(&gateway, Down::Command, command.body).await {
            let mut tx = app.db.write().await?;
            store::command::record_sent(&mut tx, &command.id, now).await?;
            tx.commit().await?;
        }
    }
    for (gateway, version) in behind {
        if app.gateways.tell(&gateway, version, now) {
            let mut conn = app.db.read().await?;
            match desired::packet(&mut conn, &app.keys, &gateway).await {
                Ok((_, packet)) => {
                    app.gateways.send(&gateway, Down::DesiredConfig, packet).await;
                }
                // One gateway's trouble must not keep the others waiting.
                Err(error) => {
                    tracing::error!(%gateway, error = format!("{error:#}"), "a configuration cannot be sent");
                }
            }
        }
    }
    Ok(())
}
