//! Contracts in the database: what was promised to whom, in versions that never change, and which of them governs a
//! device at an instant.
//!
//! A document is stored as it was written; whoever needs it reads it with [`super::document::read`]. The caller has
//! checked that it can be used. Whatever changes what is promised has the tickets it is about counted anew, in the
//! same transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::Contract;
use super::document;
use super::life::Life;
use crate::db::Conn;
use crate::id::id;
use crate::ticket;
use crate::user::Scope;

pub mod record;

id! {
    /// Names a contract.
    ContractId
}

/// A site that a contract covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covered {
    /// The site.
    pub site_id: String,
    /// The contract's own key for where it lies; empty where the contract has no zones.
    pub zone: String,
}

/// A contract with what a person needs beside it. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Row {
    pub id: String,
    pub customer_id: String,
    pub customer: String,
    pub name: String,
    pub state: String,
    pub created_at: i64,
    pub changed_at: i64,
    pub service_at: Option<i64>,
    pub ended_at: Option<i64>,
    /// The newest version's number; 0 while there is none.
    pub version: i64,
    /// How many sites it covers.
    pub sites: i64,
}

/// One version of a contract.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct VersionRow {
    pub contract_id: String,
    pub number: i64,
    pub document: String,
    pub valid_from: i64,
    pub author: String,
    pub note: String,
    pub created_at: i64,
}

/// A site of a contract, by name.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct SiteRow {
    pub site_id: String,
    pub name: String,
    pub name_zh: String,
    pub zone: String,
    /// The site's time zone.
    pub time_zone: String,
}

/// Registers a contract; it promises nothing before it has a version and is in service.
pub async fn add(conn: &mut Conn, customer: &str, name: &str, now: Timestamp) -> sqlx::Result<ContractId> {
    let id = ContractId::new(now);
    sqlx::query(
        "INSERT INTO contract (id, customer_id, name, state, created_at, changed_at) VALUES ($1, $2, $3, $4, $5, $5)",
    )
    .bind(id.as_str())
    .bind(customer)
    .bind(name)
    .bind(Life::Registered.as_str())
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(id)
}

/// Writes a contract's name.
pub async fn rename(conn: &mut Conn, id: &str, name: &str, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query("UPDATE contract SET name = $2, changed_at = $3 WHERE id = $1")
        .bind(id)
        .bind(name)
        .bind(now.as_millisecond())
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes down a new version, in force from `valid_from` until a later one is; its number. The newest of several
/// with one beginning is in force.
pub async fn add_version(
    conn: &mut Conn,
    id: &str,
    document: &str,
    valid_from: Timestamp,
    (author, note): (&str, &str),
    now: Timestamp,
) -> sqlx::Result<i64> {
    touch(conn, id, now).await?;
    let number = sqlx::query_scalar(
        "INSERT INTO contract_version (contract_id, number, document, valid_from, author, note, created_at) \
         SELECT $1, COALESCE(MAX(number), 0) + 1, $2, $3, $4, $5, $6 FROM contract_version WHERE contract_id = $1 \
         RETURNING number",
    )
    .bind(id)
    .bind(document)
    .bind(valid_from.as_millisecond())
    .bind(author)
    .bind(note)
    .bind(now.as_millisecond())
    .fetch_one(&mut *conn)
    .await?;
    recount(conn, id, now).await?;
    Ok(number)
}

/// Says where a contract stands; the caller has asked [`Life::step`].
pub async fn set_state(conn: &mut Conn, id: &str, state: Life, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE contract SET state = $2, changed_at = $3, \
         service_at = CASE WHEN $2 = 'in_service' THEN $3 ELSE service_at END, \
         ended_at = CASE WHEN $2 = 'ended' THEN $3 ELSE ended_at END WHERE id = $1",
    )
    .bind(id)
    .bind(state.as_str())
    .bind(now.as_millisecond())
    .execute(&mut *conn)
    .await?;
    recount(conn, id, now).await
}

/// Writes which sites a contract covers.
pub async fn set_sites(conn: &mut Conn, id: &str, sites: &[Covered], now: Timestamp) -> sqlx::Result<()> {
    recount(conn, id, now).await?;
    touch(conn, id, now).await?;
    sqlx::query("DELETE FROM contract_site WHERE contract_id = $1").bind(id).execute(&mut *conn).await?;
    for site in sites {
        sqlx::query(
            "INSERT INTO contract_site (contract_id, site_id, zone) VALUES ($1, $2, $3) \
             ON CONFLICT (contract_id, site_id) DO UPDATE SET zone = excluded.zone",
        )
        .bind(id)
        .bind(&site.site_id)
        .bind(&site.zone)
        .execute(&mut *conn)
        .await?;
    }
    recount(conn, id, now).await
}

async fn touch(conn: &mut Conn, id: &str, now: Timestamp) -> sqlx::Result<()> {
    // The row lock keeps two writers from taking the same number.
    sqlx::query("UPDATE contract SET changed_at = $2 WHERE id = $1")
        .bind(id)
        .bind(now.as_millisecond())
        .execute(conn)
        .await?;
    Ok(())
}

/// Has the tickets of a contract's sites counted anew, where it is or was in service.
async fn recount(conn: &mut Conn, id: &str, now: Timestamp) -> sqlx::Result<()> {
    let sites: Vec<String> = sqlx::query_scalar(
        "SELECT s.site_id FROM contract_site s JOIN contract c ON c.id = s.contract_id \
         WHERE s.contract_id = $1 AND c.service_at IS NOT NULL ORDER BY s.site_id",
    )
    .bind(id)
    .fetch_all(&mut *conn)
    .await?;
    for site in sites {
        ticket::store::recount::mark_site(conn, &site, now).await?;
    }
    Ok(())
}

/// The contracts in scope, by customer and name; or the one named `id`.
pub async fn list(conn: &mut Conn, scope: &Scope, id: Option<&str>) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "SELECT c.id, c.customer_id, k.name AS customer, c.name, c.state, c.created_at, c.changed_at, c.service_at, \
         c.ended_at, (SELECT COALESCE(MAX(v.number), 0) FROM contract_version v WHERE v.contract_id = c.id) AS version, \
         (SELECT CAST(COUNT(*) AS BIGINT) FROM contract_site s WHERE s.contract_id = c.id) AS sites \
         FROM contract c JOIN customer k ON k.id = c.customer_id \
         WHERE (CAST($1 AS TEXT) IS NULL OR c.customer_id = $1) AND (CAST($2 AS TEXT) IS NULL OR c.id = $2) \
         ORDER BY k.name, c.name, c.id LIMIT 10000",
    )
    .bind(scope.customer())
    .bind(id)
    .fetch_all(conn)
    .await
}

/// The contract named `id`, when it is in scope.
pub async fn find(conn: &mut Conn, scope: &Scope, id: &str) -> sqlx::Result<Option<Row>> {
    Ok(list(conn, scope, Some(id)).await?.pop())
}

/// The sites that a contract covers, by name. The caller has checked that the viewer may see the contract.
pub async fn list_sites(conn: &mut Conn, id: &str) -> sqlx::Result<Vec<SiteRow>> {
    sqlx::query_as(
        "SELECT s.id AS site_id, s.name, s.name_zh, c.zone, s.zone AS time_zone FROM contract_site c \
         JOIN site s ON s.id = c.site_id WHERE c.contract_id = $1 ORDER BY s.name, s.id",
    )
    .bind(id)
    .fetch_all(conn)
    .await
}

/// The contracts that cover a site. The caller shows only those that the viewer may see.
pub async fn list_of_site(conn: &mut Conn, site: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("SELECT contract_id FROM contract_site WHERE site_id = $1 ORDER BY contract_id")
        .bind(site)
        .fetch_all(conn)
        .await
}

const VERSION: &str =
    "SELECT contract_id, number, document, valid_from, author, note, created_at FROM contract_version";

/// The versions of a contract in the order in which they come into force. The caller has checked that the viewer
/// may see the contract.
pub async fn list_versions(conn: &mut Conn, id: &str) -> sqlx::Result<Vec<VersionRow>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{VERSION} WHERE contract_id = $1 ORDER BY valid_from, number"
    )))
    .bind(id)
    .fetch_all(conn)
    .await
}

/// One version of a contract.
pub async fn find_version(conn: &mut Conn, id: &str, number: i64) -> sqlx::Result<Option<VersionRow>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{VERSION} WHERE contract_id = $1 AND number = $2")))
        .bind(id)
        .bind(number)
        .fetch_optional(conn)
        .await
}

/// Contracts that were read once; a version never changes, so none is read twice. Bounded: when it is full it
/// begins anew.
#[derive(Debug, Default)]
pub struct Shelf(BTreeMap<(String, i64), Option<Arc<Contract>>>);

impl Shelf {
    const MOST: usize = 500;

    /// A version's contract; `None` where its document cannot be used any more.
    pub fn read(&mut self, version: &VersionRow) -> Option<Arc<Contract>> {
        let key = (version.contract_id.clone(), version.number);
        if let Some(known) = self.0.get(&key) {
            return known.clone();
        }
        if self.0.len() >= Self::MOST {
            self.0.clear();
        }
        let read = document::read(&version.document).contract.map(Arc::new);
        self.0.insert(key, read.clone());
        read
    }
}

/// The device that a ticket is about, as far as a contract asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// Its class; empty where the ticket is about none.
    pub class: String,
    /// Its name and serial number.
    pub numbers: Vec<String>,
}

/// What governs a device at an instant.
#[derive(Clone, Debug)]
pub struct Governing {
    /// The contract.
    pub contract_id: String,
    /// Where the site lies by the contract's own key; may be empty.
    pub zone: String,
    /// When it was entered here: what was over by then wakes nobody.
    pub entered_at: Timestamp,
    /// Which of `versions` is in force at the instant.
    pub index: usize,
    /// Its usable versions in the order in which they come into force.
    pub versions: Vec<(VersionRow, Arc<Contract>)>,
}

/// A contract that covers a site and is, or was, in service. Times are Unix ms.
#[derive(Clone, Debug)]
pub struct Covering {
    contract_id: String,
    zone: String,
    service_at: i64,
    ended_at: Option<i64>,
    versions: Vec<VersionRow>,
}

/// The contracts that cover a site, the ones in service first that were so first.
pub async fn list_covering(conn: &mut Conn, site: &str) -> sqlx::Result<Vec<Covering>> {
    let known: Vec<(String, String, i64, Option<i64>)> = sqlx::query_as(
        "SELECT c.id, s.zone, c.service_at, c.ended_at FROM contract_site s JOIN contract c ON c.id = s.contract_id \
         WHERE s.site_id = $1 AND c.service_at IS NOT NULL ORDER BY c.service_at, c.id",
    )
    .bind(site)
    .fetch_all(&mut *conn)
    .await?;
    let mut covering = Vec::with_capacity(known.len());
    for (contract_id, zone, service_at, ended_at) in known {
        let versions = list_versions(conn, &contract_id).await?;
        covering.push(Covering { contract_id, zone, service_at, ended_at, versions });
    }
    Ok(covering)
}

/// The version that governs a device of a site at an instant.
pub async fn version_at(
    conn: &mut Conn,
    shelf: &mut Shelf,
    site: &str,
    subject: &Subject,
    at: Timestamp,
) -> sqlx::Result<Option<Governing>> {
    Ok(govern(&list_covering(conn, site).await?, shelf, subject, at))
}

/// What governs a device at an instant: of the contracts in service then whose scope it lies in, the one that names the
/// device, else its class, else the one entered last.
pub fn govern(
    covering: &[Covering],
    shelf: &mut Shelf,
    subject: &Subject,
    at: Timestamp,
) -> Option<Governing> {
    let mut best: Option<(u8, Governing)> = None;
    for one in covering.iter().filter(|one| one.ended_at.is_none_or(|end| end > at.as_millisecond())) {
        let readable = one.versions.iter().filter_map(|row| Some((row.clone(), shelf.read(row)?)));
        let versions: Vec<(VersionRow, Arc<Contract>)> = readable.collect();
        let Some(index) = versions.iter().rposition(|version| version.0.valid_from <= at.as_millisecond())
        else {
            continue;
        };
        let (row, contract) = &versions[index];
        let Some(weight) = weight(contract, subject) else { continue };
        if best.as_ref().is_none_or(|before| weight >= before.0) {
            let entered_at = crate::clock::from_ms(row.created_at.max(one.service_at));
            let (contract_id, zone) = (one.contract_id.clone(), one.zone.clone());
            best = Some((weight, Governing { contract_id, zone, entered_at, index, versions }));
        }
    }
    best.map(|best| best.1)
}

/// How exactly a contract's scope names a device; `None` where it does not cover it.
fn weight(contract: &Contract, subject: &Subject) -> Option<u8> {
    let scope = &contract.scope;
    if scope.devices.iter().any(|number| subject.numbers.contains(number)) {
        return Some(2);
    }
    if !subject.class.is_empty() && scope.classes.contains(&subject.class) {
        return Some(1);
    }
    let no_device = subject.class.is_empty() && subject.numbers.is_empty();
    (!scope.only_listed || no_device).then_some(0)
}
