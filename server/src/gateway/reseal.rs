//! A new master key: everything that is sealed (the credentials of devices, of channels, of receivers of events, the
//! templates of gateways that page alone) is opened with the old one and sealed with the new one.
//!
//! All rows change in one transaction. The key before the new one stays in the ring, because a running
//! server may seal with it until it next meets the new one; keys before that are dropped.

use anyhow::{Context, Result};

use crate::db::Db;
use crate::device::store as devices;
use crate::gateway::store::local;
use crate::keys::Keys;
use crate::page::store::{outlet, provider};

/// Makes a new master key and seals everything with it; returns how many rows were sealed.
pub async fn rotate(db: &Db, keys: &Keys) -> Result<usize> {
    let old = keys.rotate()?;
    let mut tx = db.write().await?;
    let sealed = devices::list_sealed(&mut tx).await?;
    let mut count = sealed.len();
    for (id, checks) in sealed {
        let plain = keys.open(&checks).with_context(|| format!("device {id}"))?;
        devices::reseal(&mut tx, &id, keys.seal(&plain)).await?;
    }
    for (channel, sealed) in provider::list(&mut tx).await? {
        let plain = keys.open(&sealed).with_context(|| format!("channel {channel}"))?;
        provider::reseal(&mut tx, &channel, keys.seal(&plain)).await?;
        count += 1;
    }
    for row in outlet::list(&mut tx).await? {
        let plain = keys.open(&row.sealed).with_context(|| format!("receiver {}", row.name))?;
        outlet::reseal(&mut tx, &row.id, keys.seal(&plain)).await?;
        count += 1;
    }
    for (gateway, sealed) in local::list_sealed(&mut tx).await? {
        let plain = keys.open(&sealed).with_context(|| format!("gateway {gateway}"))?;
        local::reseal(&mut tx, &gateway, keys.seal(&plain)).await?;
        count += 1;
    }
    tx.commit().await?;
    keys.retire(&old)?;
    Ok(count)
}
