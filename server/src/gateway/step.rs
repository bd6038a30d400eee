//! The way down: commands and configurations go out from their rows, to gateways that are connected here.
//!
//! Nothing is lost when the server stops between two lines: a command stays queued, a configuration stays
//! newer than what the gateway reported, and both go out again.

use anyhow::Result;
use jiff::Timestamp;
use sitewarden_proto::id::GatewayId;
use sitewarden_proto::topic::Down;

use crate::app::App;

use super::{desired, store};

/// Sends what waits, and brings the door's list of who may connect up to date, because `sitewarden gateway
/// revoke` writes to the database from another process.
pub async fn publish(app: &App, now: Timestamp) -> Result<()> {
    let mut conn = app.db.read().await?;
    app.gateways.replace_standings(store::standings(&mut conn).await?);
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
