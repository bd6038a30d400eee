//! What a gateway should watch: its devices as one TOML text of `[[device]]` tables, with the checks opened.
//!
//! The text exists only between this function and the wire. It depends on the rows alone, so the same
//! version is the same text. An agent refuses a whole configuration for one word that it does not know, and agents
//! live for years; so what the first release did not know goes apart, where agents leave out what is new to them.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use sitewarden_proto::envelope::{Codec, encode_message};
use sitewarden_proto::id::GatewayId;
use sitewarden_proto::limits::CONFIG_MAX;
use sitewarden_proto::wire::DesiredConfig;
use toml::{Table, Value};

use crate::db::Conn;
use crate::device::store::{ForConfig, list_for_config};
use crate::keys::Keys;

/// Kinds of checks that every agent knows. Checks of later kinds travel in `[[more]]`.
const FIRST_KINDS: [&str; 7] = ["icmp", "tcp", "http", "tls", "ntp", "snmp", "host"];

/// Keys that checks of every kind got later. They travel in `[[more]]`, too, beside the name of their check.
const LATER_KEYS: [&str; 1] = ["flap"];

/// What a gateway should watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// The number that the gateway reports when it runs this.
    pub version: u64,
    /// `[[device]]` tables with what every agent knows.
    pub body: Vec<u8>,
    /// `[[more]]` tables with the rest; an agent leaves out what it does not know of it.
    pub more: Vec<u8>,
}

/// The desired configuration of a gateway.
pub async fn config(conn: &mut Conn, keys: &Keys, gateway: &GatewayId) -> Result<Desired> {
    let versions = super::store::config_versions(conn, gateway).await?;
    let (version, _) = versions.with_context(|| format!("there is no gateway `{gateway}`"))?;
    let mut devices = Vec::new();
    for device in list_for_config(conn, gateway).await? {
        match table(keys, &device) {
            Ok(table) => devices.push(table),
            // One row that does not open must not leave the others unwatched.
            Err(error) => {
                tracing::error!(device = device.id, error = format!("{error:#}"), "a device is not watched");
            }
        }
    }
    let (devices, more) = split(devices);
    let text = |key: &str, tables: Vec<Table>| -> Result<Vec<u8>> {
        if tables.is_empty() {
            return Ok(Vec::new());
        }
        let tables = tables.into_iter().map(Value::Table).collect();
        Ok(toml::to_string(&Table::from_iter([(key.to_owned(), Value::Array(tables))]))?.into_bytes())
    };
    let (body, more) = (text("device", devices)?, text("more", more)?);
    let length = body.len() + more.len();
    if length > CONFIG_MAX {
        anyhow::bail!("the configuration of {gateway} takes {length} bytes of {CONFIG_MAX}; add a gateway");
    }
    Ok(Desired { version, body, more })
}

/// Divides devices into what every agent knows and what came later: `[remedy]` tables and checks of later kinds. A
/// device of which nothing else would be left is only in the second part, whole, and so is whatever names it.
fn split(devices: Vec<Table>) -> (Vec<Table>, Vec<Table>) {
    let mut parts: Vec<(Table, Table)> = devices.into_iter().map(split_device).collect();
    let word = |table: &Table, key: &str| table.get(key).and_then(Value::as_str).map(str::to_owned);
    let bodies: BTreeSet<String> = parts
        .iter()
        .filter(|(body, _)| body.contains_key("check"))
        .filter_map(|(body, _)| word(body, "id"))
        .collect();
    for (body, more) in &mut parts {
        if word(body, "parent").is_some_and(|parent| !bodies.contains(&parent))
            && let Some(parent) = body.remove("parent")
        {
            more.insert("parent".to_owned(), parent);
        }
        if !body.contains_key("check") {
            let whole = std::mem::take(body).into_iter().filter(|(key, _)| key != "id");
            more.extend(whole);
        } else if more.len() == 1 {
            more.clear();
        }
    }
    let (body, more): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    let full = |tables: Vec<Table>| tables.into_iter().filter(|table| !table.is_empty()).collect();
    (full(body), full(more))
}

fn split_device(mut body: Table) -> (Table, Table) {
    let mut more = Table::new();
    if let Some(id) = body.get("id") {
        more.insert("device".to_owned(), id.clone());
    }
    if let Some(remedy) = body.remove("remedy") {
        more.insert("remedy".to_owned(), remedy);
    }
    if let Some(Value::Array(checks)) = body.remove("check") {
        let is_first = |check: &Value| {
            let kind = check.get("kind").and_then(Value::as_str);
            kind.is_some_and(|kind| FIRST_KINDS.contains(&kind))
        };
        let (mut first, mut later): (Vec<_>, Vec<_>) = checks.into_iter().partition(is_first);
        later.extend(first.iter_mut().filter_map(Value::as_table_mut).filter_map(later_keys));
        for (table, checks) in [(&mut body, first), (&mut more, later)] {
            if !checks.is_empty() {
                table.insert("check".to_owned(), Value::Array(checks));
            }
        }
    }
    (body, more)
}

/// Takes what came later out of a check that every agent knows.
fn later_keys(check: &mut Table) -> Option<Value> {
    let mut later: Table =
        LATER_KEYS.iter().filter_map(|key| Some(((*key).to_owned(), check.remove(*key)?))).collect();
    if later.is_empty() {
        return None;
    }
    let name = check.get("name").or_else(|| check.get("kind"))?.clone();
    later.insert("name".to_owned(), name);
    Some(Value::Table(later))
}

/// The desired configuration as a payload.
pub async fn packet(conn: &mut Conn, keys: &Keys, gateway: &GatewayId) -> Result<(u64, Vec<u8>)> {
    let Desired { version, body, more } = config(conn, keys, gateway).await?;
    let sha256 = |bytes: &[u8]| digest(&SHA256, bytes).as_ref().to_vec();
    let of = |bytes: &[u8]| if bytes.is_empty() { Vec::new() } else { sha256(bytes) };
    let alone = alone(conn, keys, gateway).await?;
    let arrival = arrival(conn, keys, gateway).await?;
    let config = DesiredConfig {
        version,
        sha256: sha256(&body),
        more_sha256: of(&more),
        alone_sha256: of(&alone),
        arrival_sha256: of(&arrival),
        body,
        more,
        alone,
        arrival,
    };
    Ok((version, encode_message(&config, Codec::Zstd)?))
}

/// The key of the codes that the gateway shows, as `[arrival]`.
async fn arrival(conn: &mut Conn, keys: &Keys, gateway: &GatewayId) -> Result<Vec<u8>> {
    let record = super::store::find(conn, gateway).await?.context("the gateway is gone")?;
    let key = keys.arrival_key(gateway.as_str(), record.enrolled_at);
    Ok(format!("[arrival]\nkey = \"{}\"\n", STANDARD.encode(key)).into_bytes())
}

/// How the gateway pages by itself while it is cut off, as `[local_page]`; empty when it does not.
async fn alone(conn: &mut Conn, keys: &Keys, gateway: &GatewayId) -> Result<Vec<u8>> {
    let Some(row) = super::store::local::find(conn, gateway).await? else { return Ok(Vec::new()) };
    let record = super::store::find(conn, gateway).await?.context("the gateway is gone")?;
    let site = crate::site::store::find(conn, &crate::user::Scope::All, &record.site_id).await?;
    let site = site.context("the gateway's site is gone")?;
    let template = String::from_utf8(keys.open(&row.sealed)?).context("the template is not text")?;
    let mut people = Vec::new();
    for person in super::local::people(&row.people) {
        let account = crate::user::store::find_account(conn, &person.account_id).await?;
        let Some(account) = account.filter(|account| account.disabled == 0) else { continue };
        let text = |word: &str| Value::String(word.to_owned());
        people.push(Value::Table(Table::from_iter([
            ("id".to_owned(), text(&person.account_id)),
            ("name".to_owned(), text(&account.name)),
            ("address".to_owned(), text(&person.address)),
            ("language".to_owned(), text(&account.language)),
        ])));
    }
    let mut page = Table::new();
    for (key, word) in [
        ("url", &row.url),
        ("template", &template),
        ("severity", &row.severity),
        ("site", &site.name),
        ("site_zh", &site.name_zh),
        ("zone", &site.zone),
    ] {
        page.insert(key.to_owned(), Value::String(word.clone()));
    }
    page.insert("after_minutes".to_owned(), Value::Integer(row.after_minutes));
    page.insert("person".to_owned(), Value::Array(people));
    let text = toml::to_string(&Table::from_iter([("local_page".to_owned(), Value::Table(page))]))?;
    Ok(text.into_bytes())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(devices: &str) -> (String, String) {
        let table: Table = devices.parse().unwrap();
        let devices =
            table["device"].as_array().unwrap().iter().map(|d| d.as_table().unwrap().clone()).collect();
        let (body, more) = split(devices);
        let text = |tables: Vec<Table>| {
            tables.iter().map(|t| toml::to_string(t).unwrap()).collect::<Vec<_>>().join("--\n")
        };
        (text(body), text(more))
    }

    #[test]
    fn what_every_agent_knows_stays_where_it_was() {
        let plain = "[[device]]\nid = \"cam-1\"\nparent = \"sw-1\"\n[[device.check]]\nkind = \"icmp\"\n\
                     [[device]]\nid = \"sw-1\"\n[[device.check]]\nkind = \"snmp\"\n";
        let (body, more) = texts(plain);
        assert!(more.is_empty(), "{more}");
        assert!(body.contains("parent = \"sw-1\"") && body.contains("snmp"), "{body}");
    }

    #[test]
    fn a_later_key_leaves_its_check_where_it_was() {
        let later =
            "[[device]]\nid = \"cam-1\"\n[[device.check]]\nkind = \"icmp\"\nflap = 20\nevery = \"9s\"\n";
        let (body, more) = texts(later);
        assert!(body.contains("9s") && !body.contains("flap"), "{body}");
        assert!(
            more.contains("flap = 20") && more.contains("name = \"icmp\"") && !more.contains("9s"),
            "{more}"
        );
    }

    #[test]
    fn what_came_later_goes_apart() {
        let later = "[[device]]\nid = \"cam-1\"\nparent = \"sw-1\"\n[[device.check]]\nkind = \"icmp\"\n\
                     [device.remedy.http]\nprotocol = \"onvif\"\n\
                     [[device]]\nid = \"sw-1\"\nname = \"Core\"\n[[device.check]]\nkind = \"topology\"\n";
        let (body, more) = texts(later);
        // The switch has nothing that every agent knows, so nothing may hang off it there.
        assert!(!body.contains("remedy") && !body.contains("sw-1"), "{body}");
        assert!(body.contains("icmp"), "{body}");
        let [camera, switch] = &more.split("--\n").collect::<Vec<_>>()[..] else { panic!("{more}") };
        assert!(
            camera.contains("onvif") && camera.contains("parent = \"sw-1\"") && !camera.contains("icmp"),
            "{camera}"
        );
        assert!(
            switch.contains("device = \"sw-1\"") && switch.contains("Core") && switch.contains("topology"),
            "{switch}"
        );
    }
}
