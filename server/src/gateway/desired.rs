//! What a gateway should watch: its devices as one TOML text of `[[device]]` tables, with the checks opened.
//!
//! The text exists only between this function and the wire. It depends on the rows alone, so the same
//! version is the same text.

use anyhow::{Context, Result};
use ring::digest::{SHA256, digest};
use sitewarden_proto::envelope::{Codec, encode_message};
use sitewarden_proto::id::GatewayId;
use sitewarden_proto::limits::CONFIG_MAX;
use sitewarden_proto::wire::DesiredConfig;
use toml::{Table, Value};

use crate::db::Conn;
use crate::device::store::{ForConfig, list_for_config};
use crate::keys::Keys;

/// The desired configuration of a gateway: its version and its text.
pub async fn config(conn: &mut Conn, keys: &Keys, gateway: &GatewayId) -> Result<(u64, Vec<u8>)> {
    let versions = super::store::config_versions(conn, gateway).await?;
    let (version, _) = versions.with_context(|| format!("there is no gateway `{gateway}`"))?;
    let mut devices = Vec::new();
    for device in list_for_config(conn, gateway).await? {
        match table(keys, &device) {
            Ok(table) => devices.push(Value::Table(table)),
            // One row that does not open must not leave the others unwatched.
            Err(error) => {
                tracing::error!(device = device.id, error = format!("{error:#}"), "a device is not watched");
            }
        }
    }
    let mut text = Table::new();
    if !devices.is_empty() {
        text.insert("device".to_owned(), Value::Array(devices));
    }
    let body = toml::to_string(&text)?.into_bytes();
    if body.len() > CONFIG_MAX {
        anyhow::bail!(
            "the configuration of {gateway} takes {} bytes of {CONFIG_MAX}; add a gateway",
            body.len()
        );
    }
    Ok((version, body))
}

/// The desired configuration as a payload.
pub async fn packet(conn: &mut Conn, keys: &Keys, gateway: &GatewayId) -> Result<(u64, Vec<u8>)> {
    let (version, body) = config(conn, keys, gateway).await?;
    let sha256 = digest(&SHA256, &body).as_ref().to_vec();
    Ok((version, encode_message(&DesiredConfig { version, sha256, body }, Codec::Zstd)?))
}

fn table(keys: &Keys, device: &ForConfig) -> Result<Table> {
    let text = String::from_utf8(keys.open(&device.checks)?).context("the checks are not text")?;
    let mut table: Table = text.parse().context("the checks are not TOML")?;
    let words =
        [("id", &device.id), ("name", &device.name), ("class", &device.class), ("address", &device.address)];
    for (key, word) in words {
        table.insert(key.to_owned(), Value::String(word.clone()));
    }
    if let Some(parent) = &device.parent_id {
        table.insert("parent".to_owned(), Value::String(parent.clone()));
    }
    Ok(table)
}
