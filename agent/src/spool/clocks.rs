//! The time lines on disk: one row for each boot of the machine that left records, with what its line lacked
//! to the true time as far as anybody knew. A restart of the agent within a boot goes on with the boot's line.

use jiff::Timestamp;

use super::Spool;
use crate::clock::{Boot, from_ms};
use crate::timeline::{Clocks, Earlier};

pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS clock (number INTEGER PRIMARY KEY, boot TEXT NOT NULL, \
     began_ms INTEGER NOT NULL, shown_ms INTEGER NOT NULL, uptime_ms INTEGER NOT NULL, offset_ms INTEGER, \
     wall_ms INTEGER)";

/// Where the time line of this boot goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it shows now.
    pub at: Timestamp,
    /// It is at least that late: the last time that was stored.
    pub floor: Timestamp,
    /// All lines.
    pub clocks: Clocks,
}

/// One line as it is stored.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Stored {
    number: i64,
    boot: String,
    began_ms: i64,
    /// What it showed at `uptime_ms` of its boot, when it was last stored.
    shown_ms: i64,
    /// The newest record on it; 0 for none.
    written_ms: i64,
    uptime_ms: i64,
    /// True time minus the line, by the server.
    offset_ms: Option<i64>,
    /// The same by a system clock that was plausible.
    wall_ms: Option<i64>,
}

impl Stored {
    fn earlier(&self) -> Earlier {
        Earlier {
            number: u32::try_from(self.number).unwrap_or_default(),
            began_ms: self.began_ms,
            shown_ms: self.shown_ms.max(self.written_ms),
            told_ms: self.offset_ms,
            wall_ms: self.wall_ms,
        }
    }
}

impl Spool {
    /// Goes on with the line of this boot, or begins one: at `now`, unless more time has certainly passed.
    pub async fn begin_line(&mut self, boot: &Boot, now: Timestamp) -> anyhow::Result<Line> {
        let stored = read(&mut self.db).await?;
        let newest = stored.last();
        let mut floor = self.number("time").await?.unwrap_or_default();
        if let Some(line) = newest {
            let offset_ms = line.offset_ms.or(line.wall_ms).unwrap_or_default();
            floor = floor.max(line.written_ms.saturating_add(offset_ms));
        }
        let goes_on = newest
            .filter(|line| !boot.id.is_empty() && line.boot == boot.id && line.uptime_ms <= boot.uptime_ms);
        let (number, at) = match goes_on {
            Some(line) => (line.number, line.shown_ms.saturating_add(boot.uptime_ms - line.uptime_ms)),
            None => (newest.map_or(0, |line| line.number) + 1, now.as_millisecond().max(floor)),
        };
        let offset_ms = goes_on.and_then(|line| line.offset_ms);
        let began_ms = goes_on.map_or(at, |line| line.began_ms);
        let earlier = stored.iter().filter(|line| line.number != number).map(Stored::earlier).collect();
        let clocks = Clocks::new(u32::try_from(number).unwrap_or(1), began_ms, offset_ms, earlier);
        self.line = Some(Stored {
            number,
            boot: boot.id.clone(),
            began_ms,
            shown_ms: at,
            written_ms: at,
            uptime_ms: boot.uptime_ms,
            offset_ms,
            wall_ms: None,
        });
        self.earlier = stored.into_iter().filter(|line| line.number != number).collect();
        self.put_line(from_ms(at), None, None).await?;
        Ok(Line { at: from_ms(at), floor: from_ms(floor), clocks })
    }

    /// The line shows `now`; what is new about its offset is stored with it.
    pub async fn put_line(
        &mut self,
        now: Timestamp,
        offset_ms: Option<i64>,
        wall_ms: Option<i64>,
    ) -> anyhow::Result<()> {
        let Some(line) = &mut self.line else { return Ok(()) };
        line.uptime_ms += now.as_millisecond() - line.shown_ms;
        line.shown_ms = now.as_millisecond();
        line.offset_ms = offset_ms.or(line.offset_ms);
        line.wall_ms = wall_ms.or(line.wall_ms);
        let line = line.clone();
        let mut tx = sqlx::Connection::begin(&mut self.db).await?;
        insert(&mut tx, &line).await?;
        sqlx::query(
            "DELETE FROM clock WHERE number < $1 AND number NOT IN (SELECT DISTINCT clock FROM record)",
        )
        .bind(line.number)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Takes lines over from another file.
    pub(super) async fn take_lines(&mut self, lines: &[Stored]) -> anyhow::Result<()> {
        for line in lines {
            insert(&mut self.db, line).await?;
        }
        Ok(())
    }

    /// On a line, the time before which records have lain longer than `max_age_ms` for certain: the hours
    /// without power are not counted, and a clock that was set cannot age a record.
    pub(super) fn age_bound(&self, clock: i64, now_ms: i64, max_age_ms: i64) -> i64 {
        let Some(current) = self.line.as_ref().filter(|line| line.number != clock) else {
            return now_ms.saturating_sub(max_age_ms);
        };
        let Some(line) = self.earlier.iter().find(|line| line.number == clock) else { return i64::MIN };
        let later = self.earlier.iter().filter(|later| later.number > clock);
        let lived: i64 = later.map(|later| later.shown_ms - later.began_ms).sum();
        let passed = lived.saturating_add(now_ms - current.began_ms);
        line.shown_ms.saturating_sub(max_age_ms.saturating_sub(passed))
    }

    /// The oldest record that is not a gap: its clock, and that clock's milliseconds.
    pub(super) async fn oldest(&mut self) -> anyhow::Result<Option<(u32, i64)>> {
        let query = "SELECT clock, at_ms FROM record WHERE kind <> $1 ORDER BY seq LIMIT 1";
        let gap = super::kind_number(crate::session::RecordKind::Gap);
        let row: Option<(i64, i64)> = sqlx::query_as(query).bind(gap).fetch_optional(&mut self.db).await?;
        Ok(row.map(|(clock, at_ms)| (u32::try_from(clock).unwrap_or_default(), at_ms)))
    }
}

/// All lines, oldest first.
pub(super) async fn read(db: &mut sqlx::SqliteConnection) -> anyhow::Result<Vec<Stored>> {
    let query = "SELECT number, boot, began_ms, shown_ms, uptime_ms, offset_ms, wall_ms, \
         COALESCE((SELECT MAX(at_ms) FROM record WHERE clock = number), 0) AS written_ms FROM clock ORDER BY number";
    Ok(sqlx::query_as(query).fetch_all(db).await?)
}

async fn insert(db: &mut sqlx::SqliteConnection, line: &Stored) -> anyhow::Result<()> {
    sqlx::query(
        "INSERT INTO clock (number, boot, began_ms, shown_ms, uptime_ms, offset_ms, wall_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (number) DO UPDATE SET shown_ms = excluded.shown_ms, \
         uptime_ms = excluded.uptime_ms, offset_ms = excluded.offset_ms, wall_ms = excluded.wall_ms",
    )
    .bind(line.number)
    .bind(line.boot.as_str())
    .bind(line.began_ms)
    .bind(line.shown_ms)
    .bind(line.uptime_ms)
    .bind(line.offset_ms)
    .bind(line.wall_ms)
    .execute(db)
    .await?;
    Ok(())
}
