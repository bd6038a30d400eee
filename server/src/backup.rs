//! Everything a server is, in one encrypted file: its keys, its authority, and every row.
//!
//! The rows are written in a form that neither database owns, so a backup made on one is restored on the
//! other. They are read in one snapshot while the server runs. A restore reads the whole file first, and
//! only a file that is whole and opens with the passphrase is put anywhere; it goes into an empty data
//! folder and an empty database, never over something.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::db::Db;
use crate::keys::{self, FILES, Keys};

mod archive;
mod store;

use archive::{Reader, Writer};

/// Version of the lines inside; a release refuses what it does not know.
const FORMAT: u32 = 1;
/// The longest line: the largest blob of a row in base64, and its neighbours.
const LINE_MAX: u64 = 8 << 20;

/// One line of a backup.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    /// The first one.
    Backup { format: u32, schema: i64, made_at: i64, release: String },
    /// A key file.
    Key { name: String, base64: String },
    /// Rows of this table follow.
    Table { name: String, columns: Vec<String> },
    /// One row: numbers and texts as they are, `{"d": bits}` a double, `{"b": base64}` a blob.
    Row(Vec<Value>),
    /// The last one.
    End { rows: u64 },
}

/// Writes a backup to `out`, which must not exist. Returns the number of rows.
pub async fn write(db: &Db, keys: &Keys, out: &Path, passphrase: &str, now: Timestamp) -> Result<u64> {
    let partial = out.with_extension("partial");
    if out.exists() {
        bail!("{} exists; a backup overwrites nothing, choose another name", out.display());
    }
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&partial)
        .with_context(|| format!("cannot write {}", partial.display()))?;
    let done = fill(db, keys, file, passphrase, now).await;
    match done {
        Ok(rows) => {
            std::fs::rename(&partial, out).with_context(|| format!("cannot name {}", out.display()))?;
            Ok(rows)
        }
        Err(error) => {
            // What is half written is no backup.
            let _ = std::fs::remove_file(&partial);
            Err(error)
        }
    }
}

/// Restores `from` into the empty folder `data_dir` and the empty database `url`. Returns the number of rows.
pub async fn restore(from: &Path, passphrase: &str, data_dir: &Path, url: &str) -> Result<u64> {
    let open = || File::open(from).with_context(|| format!("cannot read {}", from.display()));
    // 1. The whole file, without touching anything.
    let schema = inspect(open()?, passphrase).with_context(|| format!("{}", from.display()))?;
    // 2. Everything empty, before anything is written.
    if data_dir.join("keys").exists() {
        bail!("{} already holds keys; restore into an empty data folder", data_dir.display());
    }
    std::fs::create_dir_all(data_dir).with_context(|| format!("cannot make {}", data_dir.display()))?;
    let db = Db::open(url).await?;
    let mut tx = db.write().await?;
    if let Some(table) = store::first_filled(&mut tx).await? {
        bail!("the database already holds rows (table {table}); restore into an empty database");
    }
    let known = store::schema(&mut tx).await?;
    if known != schema {
        bail!(
            "the backup was made with database schema {schema}, this release makes {known}; restore it with the \
             release that made it, then upgrade"
        );
    }
    // 3. Rows in one transaction, keys just before it commits.
    let (mut files, mut table, mut rows) = (Vec::new(), None, 0);
    let mut parents = Vec::new();
    for line in lines(open()?, passphrase)? {
        match line? {
            Line::Backup { .. } | Line::End { .. } => {}
            Line::Key { name, base64 } => files.push((name, STANDARD.decode(base64)?)),
            Line::Table { name, columns } => table = Some(store::Target::new(&name, &columns)?),
            Line::Row(values) => {
                let target = table.as_ref().context("a row came before its table")?;
                parents.extend(target.insert(&mut tx, values).await?);
                rows += 1;
            }
        }
    }
    for parent in parents {
        parent.set(&mut tx).await?;
    }
    keys::restore(data_dir, &files)?;
    tx.commit().await?;
    db.close().await;
    Ok(rows)
}

async fn fill(db: &Db, keys: &Keys, file: File, passphrase: &str, now: Timestamp) -> Result<u64> {
    let mut conn = db.read().await?;
    let mut tx = store::snapshot(&mut conn, db.engine()).await?;
    let sealed = Writer::new(BufWriter::new(file), passphrase)?;
    let mut out = zstd::stream::write::Encoder::new(sealed, 3)?;
    let mut put = |line: &Line| -> Result<()> {
        serde_json::to_writer(&mut out, line)?;
        out.write_all(b"\n")?;
        Ok(())
    };
    put(&Line::Backup {
        format: FORMAT,
        schema: store::schema(&mut tx).await?,
        made_at: now.as_millisecond(),
        release: env!("CARGO_PKG_VERSION").to_owned(),
    })?;
    for name in FILES {
        let body =
            std::fs::read(keys.folder().join(name)).with_context(|| format!("cannot read keys/{name}"))?;
        put(&Line::Key { name: name.to_owned(), base64: STANDARD.encode(body) })?;
    }
    let mut rows = 0;
    for table in store::TABLES {
        rows += store::dump(&mut tx, table, &mut put).await?;
    }
    put(&Line::End { rows })?;
    drop(tx);
    let file = out.finish()?.finish()?.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(rows)
}

/// Reads a backup from its first line to its last; returns its schema.
fn inspect(file: File, passphrase: &str) -> Result<i64> {
    let (mut schema, mut rows, mut keys, mut ended) = (None, 0_u64, 0, false);
    for line in lines(file, passphrase)? {
        if ended {
            bail!("something follows the last line; this is not a backup");
        }
        match line? {
            Line::Backup { format: FORMAT, schema: made, .. } => schema = Some(made),
            Line::Backup { format, release, .. } => {
                bail!("the backup has format {format} of release {release}; restore it with that release")
            }
            Line::Key { .. } => keys += 1,
            Line::Table { .. } => {}
            Line::Row(_) => rows += 1,
            Line::End { rows: expected } => ended = rows == expected,
        }
    }
    match schema {
        Some(schema) if ended && keys == FILES.len() => Ok(schema),
        Some(_) | None => bail!("the backup is not whole; use another copy"),
    }
}

fn lines(file: File, passphrase: &str) -> Result<impl Iterator<Item = Result<Line>> + use<>> {
    let opened = Reader::new(BufReader::new(file), passphrase)?;
    let mut text = BufReader::new(zstd::stream::read::Decoder::new(opened)?);
    Ok(std::iter::from_fn(move || {
        let mut line = Vec::new();
        match (&mut text).take(LINE_MAX).read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) if line.last() != Some(&b'\n') => {
                Some(Err(anyhow::anyhow!("a line is cut; use another copy")))
            }
            Ok(_) => Some(serde_json::from_slice(&line).context("a line is not understood by this release")),
            Err(error) => Some(Err(error.into())),
        }
    })
    // Nothing after an error is worth reading.
    .scan(false, |failed, line| {
        if *failed {
            return None;
        }
        *failed = line.is_err();
        Some(line)
    }))
}
