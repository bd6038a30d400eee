//! Rows of every table, read and written without knowing what they mean.
//!
//! Both databases hold the same few types, so a value is a number, a double, a text, a blob or nothing.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::TryStreamExt;
use serde_json::{Value, json};
use sqlx::any::{AnyRow, AnyTypeInfoKind};
use sqlx::{
    Any, AssertSqlSafe, Column as _, Connection, Row as _, Transaction, TypeInfo as _, ValueRef as _,
};

use super::Line;
use crate::db::{Conn, Engine};

/// Every table of the schema but `login_session` (a restore signs nobody in), parents before children.
pub(super) const TABLES: &[&str] = &[
    "customer",
    "site",
    "account",
    "contact_method",
    "duty",
    "audit",
    "gateway",
    "gateway_epoch",
    "enrol_token",
    "command",
    "device",
    "device_parent",
    "gateway_parent",
    "maintenance",
    "device_fault",
    "device_event",
    "device_state",
    "metric_block",
    "rollup_due",
    "device_day",
    "record_gap",
    "incident",
    "ticket",
    "ticket_event",
    "ticket_hold",
    "contract",
    "contract_version",
    "contract_site",
    "contract_record",
    "contract_term",
    "clock",
    "clock_notice",
    "visit",
    "visit_member",
    "visit_event",
    "visit_photo",
    "call_back",
    "complaint",
    "complaint_event",
    "major_request",
    "major_event",
    "visit_code",
    "site_tag",
    "inspection_anchor",
    "site_closure",
    "inspection_plan",
    "occurrence",
    "occurrence_event",
    "occurrence_device",
    "part_kind",
    "part_place",
    "part_move",
    "loaner",
    "repair",
    "repair_event",
    "consignment",
    "consignment_line",
    "consignment_packed",
    "team",
    "team_member",
    "team_serves",
    "rota",
    "rota_version",
    "rota_swap",
    "rota_override",
    "rota_feed",
    "duty_call",
    "duty_fact",
    "duty_handover",
    "duty_terms",
    "duty_statement",
    "escalation_plan",
    "escalation_person",
    "escalation",
    "account_skill",
    "account_home",
    "pager_finding",
    "heartbeat",
    "peer",
    "page",
    "page_attempt",
    "knowledge_item",
    "remedy_site",
    "remedy_rule",
    "remedy_consent",
    "remedy",
    "port_seen",
    "port_recorded",
    "switch_view",
    "parent_proposal",
    "counter",
    "setting",
    "provider",
    "outlet",
    "outlet_ticket",
    "local_page",
];
/// A column that names a row of its own table, which may come later.
const OWN_PARENT: (&str, &str) = ("device", "parent_id");

/// A table that rows are written to.
pub(super) struct Target {
    table: String,
    columns: Vec<String>,
}

/// A device's parent, set once every device is there.
pub(super) struct Parent {
    id: String,
    parent: String,
}

/// Begins a transaction in which every table is seen at one moment.
pub(super) async fn snapshot(conn: &mut Conn, engine: Engine) -> sqlx::Result<Transaction<'_, Any>> {
    match engine {
        Engine::Sqlite => conn.begin().await,
        Engine::Postgres => conn.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await,
    }
}

/// The newest migration of this database.
pub(super) async fn schema(conn: &mut Conn) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT CAST(MAX(version) AS BIGINT) FROM _sqlx_migrations").fetch_one(conn).await
}

/// A table that holds a row, when there is one.
pub(super) async fn first_filled(conn: &mut Conn) -> sqlx::Result<Option<&'static str>> {
    for table in TABLES {
        let query = AssertSqlSafe(format!("SELECT 1 FROM {table} LIMIT 1"));
        if sqlx::query(query).fetch_optional(&mut *conn).await?.is_some() {
            return Ok(Some(*table));
        }
    }
    Ok(None)
}

/// Hands every row of `table` to `put`; returns how many.
pub(super) async fn dump(
    conn: &mut Conn,
    table: &str,
    put: &mut impl FnMut(&Line) -> Result<()>,
) -> Result<u64> {
    let mut rows = sqlx::query(AssertSqlSafe(format!("SELECT * FROM {table}"))).fetch(conn);
    let mut count = 0;
    while let Some(row) = rows.try_next().await? {
        if count == 0 {
            let columns = row.columns().iter().map(|column| column.name().to_owned()).collect();
            put(&Line::Table { name: table.to_owned(), columns })?;
        }
        let values = (0..row.columns().len()).map(|index| value(&row, index)).collect::<Result<_>>();
        put(&Line::Row(values.with_context(|| format!("a row of {table} cannot be read"))?))?;
        count += 1;
    }
    Ok(count)
}

fn value(row: &AnyRow, index: usize) -> Result<Value> {
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let info = raw.type_info().into_owned();
    Ok(match info.kind() {
        AnyTypeInfoKind::SmallInt | AnyTypeInfoKind::Integer | AnyTypeInfoKind::BigInt => {
            json!(row.try_get::<i64, _>(index)?)
        }
        // The bits, because a decimal text may come back as a neighbour.
        AnyTypeInfoKind::Double => json!({ "d": row.try_get::<f64, _>(index)?.to_bits() }),
        AnyTypeInfoKind::Text => json!(row.try_get::<String, _>(index)?),
        AnyTypeInfoKind::Blob => json!({ "b": STANDARD.encode(row.try_get::<Vec<u8>, _>(index)?) }),
        AnyTypeInfoKind::Null | AnyTypeInfoKind::Bool | AnyTypeInfoKind::Real => {
            bail!("column {index} has the type {}, which no migration makes", info.name())
        }
    })
}

impl Target {
    pub(super) fn new(table: &str, columns: &[String]) -> Result<Self> {
        let plain =
            |name: &String| name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_');
        if !TABLES.contains(&table) || !columns.iter().all(plain) {
            bail!("the backup holds a table `{table}` that this release does not know");
        }
        Ok(Self { table: table.to_owned(), columns: columns.to_vec() })
    }

    /// Writes one row. What names a row of the same table is left open and returned.
    pub(super) async fn insert(&self, conn: &mut Conn, mut values: Vec<Value>) -> Result<Option<Parent>> {
        if values.len() != self.columns.len() {
            bail!("a row of {} has {} values for {} columns", self.table, values.len(), self.columns.len());
        }
        let parent = self.take_parent(&mut values);
        let mut sql = format!("INSERT INTO {} ({}) VALUES (", self.table, self.columns.join(", "));
        let mut number = 0;
        for (index, value) in values.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            // NULL is written out: a bound one would need the column's type.
            if value.is_null() {
                write!(sql, "{comma}NULL")?;
            } else {
                number += 1;
                write!(sql, "{comma}${number}")?;
            }
        }
        sql.push(')');
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for value in values {
            query = match value {
                Value::Null => query,
                Value::Number(number) => query.bind(number.as_i64().context("a number is not whole")?),
                Value::String(text) => query.bind(text),
                Value::Object(object) => {
                    let double = object.get("d").and_then(Value::as_u64);
                    let blob = object.get("b").and_then(Value::as_str);
                    match (double, blob) {
                        (Some(bits), None) => query.bind(f64::from_bits(bits)),
                        (None, Some(text)) => query.bind(STANDARD.decode(text)?),
                        (_, _) => bail!("a value of {} is neither a double nor a blob", self.table),
                    }
                }
                Value::Bool(_) | Value::Array(_) => {
                    bail!("a value of {} has a type no column has", self.table)
                }
            };
        }
        query.execute(conn).await.with_context(|| format!("a row of {} cannot be written", self.table))?;
        Ok(parent)
    }

    fn take_parent(&self, values: &mut [Value]) -> Option<Parent> {
        if self.table != OWN_PARENT.0 {
            return None;
        }
        let place = |name: &str| self.columns.iter().position(|column| column == name);
        let (id, parent) = (place("id")?, place(OWN_PARENT.1)?);
        let (id, parent) = (values[id].as_str()?.to_owned(), values[parent].take().as_str()?.to_owned());
        Some(Parent { id, parent })
    }
}

impl Parent {
    pub(super) async fn set(&self, conn: &mut Conn) -> sqlx::Result<()> {
        let (table, column) = OWN_PARENT;
        sqlx::query(AssertSqlSafe(format!("UPDATE {table} SET {column} = $2 WHERE id = $1")))
            .bind(&self.id)
            .bind(&self.parent)
            .execute(conn)
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_of_the_schema_is_in_a_backup() {
        let mut files: Vec<_> =
            std::fs::read_dir("migrations/sqlite").unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        let mut made: Vec<String> = Vec::new();
        for text in files.iter().map(|file| std::fs::read_to_string(file).unwrap()) {
            for line in text.lines() {
                let name = |rest: &str| rest.split([' ', ';']).next().unwrap_or_default().to_owned();
                if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
                    made.push(name(rest));
                } else if let Some(rest) = line.strip_prefix("DROP TABLE ") {
                    made.retain(|table| *table != name(rest));
                }
            }
        }
        made.retain(|table| table != "login_session");
        let mut kept = TABLES.to_vec();
        made.sort_unstable();
        kept.sort_unstable();
        assert_eq!(made, kept);
    }
}
