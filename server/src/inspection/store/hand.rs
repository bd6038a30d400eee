//! SQL for inspections that somebody plans by hand.

use jiff::Timestamp;
use jiff::civil::Date;

use super::list_text;
use crate::contract::Way;
use crate::db::Conn;
use crate::inspection::Window;
use crate::inspection::hand::SERIES;

/// An inspection that somebody plans by hand.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct New<'a> {
    pub id: &'a str,
    pub contract: (&'a str, i64),
    pub site: &'a str,
    pub kind: &'a str,
    pub way: Way,
    pub checklist: &'a [String],
    pub window: Window,
    pub made_by: &'a str,
    pub asked_by: &'a str,
    pub asked_how: &'a str,
    pub why: &'a str,
}

/// Writes one down under the next number of its kind at the site, and says which that is. The caller holds the plan.
pub async fn insert(conn: &mut Conn, new: &New<'_>, now: Timestamp) -> sqlx::Result<i64> {
    let day = new.window.from.to_string();
    sqlx::query_scalar(
        "INSERT INTO occurrence (id, contract_id, site_id, rule, series, n, version, way, kinds, checklist, window_from, \
         window_until, planned, day, provisional, state, changed_at, made_by, asked_by, asked_how, why) \
         SELECT $1, $2, $3, $4, $5, COALESCE(MAX(n), 0) + 1, $6, $7, $8, $9, $10, $11, $10, $10, 0, 'proposed', $12, $13, $14, \
         $15, $16 FROM occurrence WHERE contract_id = $2 AND site_id = $3 AND rule = $4 AND series = $5 RETURNING n",
    )
    .bind(new.id)
    .bind(new.contract.0)
    .bind(new.site)
    .bind(new.kind)
    .bind(SERIES)
    .bind(new.contract.1)
    .bind(new.way.as_str())
    .bind(list_text(&[new.kind.to_owned()]))
    .bind(list_text(new.checklist))
    .bind(&day)
    .bind(new.window.until.to_string())
    .bind(now.as_millisecond())
    .bind(new.made_by)
    .bind(new.asked_by)
    .bind(new.asked_how)
    .bind(new.why)
    .fetch_one(conn)
    .await
}

/// Writes within which days it is now.
pub async fn set_window(conn: &mut Conn, id: &str, window: Window) -> sqlx::Result<()> {
    sqlx::query("UPDATE occurrence SET window_from = $2, window_until = $3 WHERE id = $1")
        .bind(id)
        .bind(window.from.to_string())
        .bind(window.until.to_string())
        .execute(conn)
        .await?;
    Ok(())
}

/// Those that are ahead and whose days are over by a date: id, contract, site, zone, the day after the last one. At most
/// 200.
pub async fn list_over(
    conn: &mut Conn,
    date: Date,
) -> sqlx::Result<Vec<(String, String, String, String, String)>> {
    sqlx::query_as(
        "SELECT o.id, o.contract_id, o.site_id, s.zone, o.window_until FROM occurrence o \
         JOIN site s ON s.id = o.site_id WHERE o.made_by IS NOT NULL AND o.state IN ('due', 'proposed', 'agreed', 'moved') \
         AND o.window_until <= $1 ORDER BY o.window_until, o.id LIMIT 200",
    )
    .bind(date.to_string())
    .fetch_all(conn)
    .await
}

/// The contracts that cover a site and have not ended, those in service first: id and the newest version that holds.
pub async fn list_contracts(conn: &mut Conn, site: &str, now: Timestamp) -> sqlx::Result<Vec<(String, i64)>> {
    sqlx::query_as(
        "SELECT c.id, COALESCE((SELECT MAX(v.number) FROM contract_version v WHERE v.contract_id = c.id AND v.valid_from <= $2), \
         (SELECT MIN(v.number) FROM contract_version v WHERE v.contract_id = c.id), 1) AS version \
         FROM contract c JOIN contract_site x ON x.contract_id = c.id WHERE x.site_id = $1 AND c.ended_at IS NULL \
         ORDER BY CASE WHEN c.state = 'in_service' THEN 0 ELSE 1 END, c.id LIMIT 100",
    )
    .bind(site)
    .bind(now.as_millisecond())
    .fetch_all(conn)
    .await
}
