//! Every row of a database as text, to see what an attack has changed.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use sitewarden_server::db::{Db, Engine};
use sqlx::any::AnyTypeInfoKind;
use sqlx::{AssertSqlSafe, Column as _, Row as _, ValueRef as _};

/// Not part of the record.
const APART: [&str; 2] = ["_sqlx_migrations", "login_session"];

/// Every row of every table, with the name of its table before it.
pub async fn all_rows(db: &Db, engine: Engine) -> BTreeSet<String> {
    let mut conn = db.read().await.unwrap();
    let list = match engine {
        Engine::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        Engine::Postgres => {
            "SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = 'public'"
        }
    };
    let tables: Vec<String> = sqlx::query_scalar(list).fetch_all(&mut *conn).await.unwrap();
    assert!(tables.len() > 10, "a schema with {} tables", tables.len());
    let mut found = BTreeSet::new();
    for table in tables.iter().filter(|table| !APART.contains(&table.as_str())) {
        let query = AssertSqlSafe(format!("SELECT * FROM {table}"));
        for row in sqlx::query(query).fetch_all(&mut *conn).await.unwrap() {
            let mut line = table.clone();
            for (index, column) in row.columns().iter().enumerate() {
                let raw = row.try_get_raw(index).unwrap();
                let kind = if raw.is_null() { AnyTypeInfoKind::Null } else { raw.type_info().kind() };
                let value = match kind {
                    AnyTypeInfoKind::Null => continue,
                    AnyTypeInfoKind::Text => row.get::<String, _>(index),
                    AnyTypeInfoKind::Blob => format!("{:?}", row.get::<Vec<u8>, _>(index)),
                    AnyTypeInfoKind::Double | AnyTypeInfoKind::Real => row.get::<f64, _>(index).to_string(),
                    AnyTypeInfoKind::SmallInt | AnyTypeInfoKind::Integer | AnyTypeInfoKind::BigInt => {
                        row.get::<i64, _>(index).to_string()
                    }
                    AnyTypeInfoKind::Bool => {
                        panic!("{table}.{} has a type no migration makes", column.name())
                    }
                };
                write!(line, " {}={value}", column.name()).unwrap();
            }
            found.insert(line);
        }
    }
    found
}
