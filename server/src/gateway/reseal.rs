//! A new master key: every device's credentials are opened with the old one and sealed with the new one.
//!
//! All rows change in one transaction. The key before the new one stays in the ring, because a running
//! server may seal with it until it next meets the new one; keys before that are dropped.

use anyhow::{Context, Result};

use crate::db::Db;
use crate::device::store as devices;
use crate::keys::Keys;

/// Makes a new master key and seals everything with it; returns how many rows were sealed.
pub async fn rotate(db: &Db, keys: &Keys) -> Result<usize> {
    let old = keys.rotate()?;
    let mut tx = db.write().await?;
    let sealed = devices::list_sealed(&mut tx).await?;
    let count = sealed.len();
    for (id, checks) in sealed {
        let plain = keys.open(&checks).with_context(|| format!("device {id}"))?;
        devices::reseal(&mut tx, &id, keys.seal(&plain)).await?;
    }
    tx.commit().await?;
    keys.retire(&old)?;
    Ok(count)
}
