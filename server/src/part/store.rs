//! SQL for kinds of parts, places and movements, and what these come to.

use jiff::Timestamp;

use super::{Place, PlaceKind};
use crate::db::Conn;
use crate::user::Scope;

pub mod consignment;
pub mod loaner;
pub mod repair;

/// A kind of part.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Kind {
    pub id: String,
    pub number: String,
    pub name: String,
    pub name_zh: String,
    pub by_serial: i64,
    pub price_fen: i64,
    pub reorder_at: i64,
    pub lead_days: i64,
    pub changed_at: i64,
}

const KIND: &str = "SELECT id, number, name, name_zh, by_serial, price_fen, reorder_at, lead_days, changed_at FROM part_kind";

/// Kinds of parts by their number; at most 5,000. They are the house's own and belong to no customer.
pub async fn list_kinds(conn: &mut Conn) -> sqlx::Result<Vec<Kind>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{KIND} ORDER BY number LIMIT 5000"))).fetch_all(conn).await
}

/// One kind.
pub async fn find_kind(conn: &mut Conn, id: &str) -> sqlx::Result<Option<Kind>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{KIND} WHERE id = $1"))).bind(id).fetch_optional(conn).await
}

/// Writes a kind, new or changed; false when another has its number.
pub async fn put_kind(conn: &mut Conn, kind: &Kind) -> sqlx::Result<bool> {
    let taken: Option<String> = sqlx::query_scalar("SELECT id FROM part_kind WHERE number = $1 AND id <> $2")
        .bind(&kind.number)
        .bind(&kind.id)
        .fetch_optional(&mut *conn)
        .await?;
    if taken.is_some() {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO part_kind (id, number, name, name_zh, by_serial, price_fen, reorder_at, lead_days, changed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO UPDATE SET number = excluded.number, \
         name = excluded.name, name_zh = excluded.name_zh, price_fen = excluded.price_fen, \
         reorder_at = excluded.reorder_at, lead_days = excluded.lead_days, changed_at = excluded.changed_at",
    )
    .bind(&kind.id)
    .bind(&kind.number)
    .bind(&kind.name)
    .bind(&kind.name_zh)
    .bind(kind.by_serial)
    .bind(kind.price_fen)
    .bind(kind.reorder_at)
    .bind(kind.lead_days)
    .bind(kind.changed_at)
    .execute(conn)
    .await?;
    Ok(true)
}

/// A place with the names a person needs beside it.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct PlaceRow {
    pub id: String,
    pub kind: String,
    pub name: String,
    pub account_id: Option<String>,
    pub account: Option<String>,
    pub site_id: Option<String>,
    pub site_name: Option<String>,
    pub site_name_zh: Option<String>,
    pub customer_id: Option<String>,
}

impl PlaceRow {
    /// As a movement sees it.
    pub fn place(&self) -> Place {
        Place {
            id: self.id.clone(),
            kind: PlaceKind::parse(&self.kind).unwrap_or(PlaceKind::Lost),
            account: self.account_id.clone(),
        }
    }
}

const PLACE: &str = "SELECT p.id, p.kind, p.name, p.account_id, a.name AS account, p.site_id, s.name AS site_name, \
     s.name_zh AS site_name_zh, s.customer_id FROM part_place p LEFT JOIN account a ON a.id = p.account_id \
     LEFT JOIN site s ON s.id = p.site_id WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1)";

/// Places that the viewer may see: all of ours, or those at the customer's own sites.
pub async fn list_places(conn: &mut Conn, scope: &Scope) -> sqlx::Result<Vec<PlaceRow>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{PLACE} ORDER BY p.kind, p.name, s.name, a.name, p.id LIMIT 5000"
    )))
    .bind(scope.customer())
    .fetch_all(conn)
    .await
}

/// One place that the viewer may see.
pub async fn find_place(conn: &mut Conn, scope: &Scope, id: &str) -> sqlx::Result<Option<PlaceRow>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{PLACE} AND p.id = $2")))
        .bind(scope.customer())
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// The van of a person.
pub async fn find_van(conn: &mut Conn, account: &str) -> sqlx::Result<Option<PlaceRow>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{PLACE} AND p.account_id = $2")))
        .bind(Scope::All.customer())
        .bind(account)
        .fetch_optional(conn)
        .await
}

/// Writes a place, new or renamed; what it is and whose never changes. False when the person or the site has another.
pub async fn put_place(conn: &mut Conn, place: &Place, name: &str, site: Option<&str>) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "INSERT INTO part_place (id, kind, name, account_id, site_id) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(&place.id)
    .bind(place.kind.as_str())
    .bind(name)
    .bind(&place.account)
    .bind(site)
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() == 1 {
        return Ok(true);
    }
    let done = sqlx::query("UPDATE part_place SET name = $2 WHERE id = $1 AND kind = $3")
        .bind(&place.id)
        .bind(name)
        .bind(place.kind.as_str())
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// The only place of its kind, made when it is first needed.
pub async fn single(conn: &mut Conn, kind: PlaceKind) -> sqlx::Result<Place> {
    let place = Place { id: kind.as_str().to_owned(), kind, account: None };
    put_place(conn, &place, "", None).await?;
    Ok(place)
}

/// The place at a site, made when it is first needed.
pub async fn at_site(conn: &mut Conn, site: &str, now: Timestamp) -> sqlx::Result<Place> {
    let place = Place { id: crate::id::uuid_v7(now), kind: PlaceKind::Site, account: None };
    put_place(conn, &place, "", Some(site)).await?;
    let id: String =
        sqlx::query_scalar("SELECT id FROM part_place WHERE site_id = $1").bind(site).fetch_one(conn).await?;
    Ok(Place { id, ..place })
}

/// How many of a kind and an owner lie at a place.
pub async fn lies(conn: &mut Conn, place: &str, kind: &str, owner: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM (\
         SELECT quantity AS n FROM part_move WHERE to_id = $1 AND kind_id = $2 AND owner_id = $3 \
         UNION ALL SELECT -quantity FROM part_move WHERE from_id = $1 AND kind_id = $2 AND owner_id = $3) x",
    )
    .bind(place)
    .bind(kind)
    .bind(owner)
    .fetch_one(conn)
    .await
}

/// Where a serial number is: the place and the owner of its last movement.
pub async fn whereabouts(conn: &mut Conn, kind: &str, serial: &str) -> sqlx::Result<Option<(Place, String)>> {
    let found: Option<(String, String, Option<String>, String)> = sqlx::query_as(
        "SELECT p.id, p.kind, p.account_id, m.owner_id FROM part_move m JOIN part_place p ON p.id = m.to_id \
         WHERE m.kind_id = $1 AND m.serial = $2 AND m.serial <> '' ORDER BY m.seq DESC LIMIT 1",
    )
    .bind(kind)
    .bind(serial)
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|(id, kind, account, owner)| {
        (Place { id, kind: PlaceKind::parse(&kind).unwrap_or(PlaceKind::Lost), account }, owner)
    }))
}

/// A movement to be written.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct New<'a> {
    pub id: &'a str,
    pub kind_id: &'a str,
    pub from_id: &'a str,
    pub to_id: &'a str,
    pub quantity: i64,
    pub serial: &'a str,
    pub owner_id: &'a str,
    pub why: &'a str,
    pub note: &'a str,
    pub ticket_id: Option<&'a str>,
    pub visit_id: Option<&'a str>,
    pub occurred_at: i64,
    pub actor_id: &'a str,
    pub actor: &'a str,
    pub asked: &'a str,
}

/// Writes a movement down. The caller has looked at what lies where, in turn.
pub async fn insert_move(conn: &mut Conn, new: &New<'_>, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO part_move (id, seq, kind_id, from_id, to_id, quantity, serial, owner_id, why, note, ticket_id, visit_id, \
         occurred_at, recorded_at, actor_id, actor, asked) SELECT $1, COALESCE(MAX(seq), 0) + 1, $2, $3, $4, $5, $6, $7, $8, \
         $9, $10, $11, $12, $13, $14, $15, $16 FROM part_move",
    )
    .bind(new.id)
    .bind(new.kind_id)
    .bind(new.from_id)
    .bind(new.to_id)
    .bind(new.quantity)
    .bind(new.serial)
    .bind(new.owner_id)
    .bind(new.why)
    .bind(new.note)
    .bind(new.ticket_id)
    .bind(new.visit_id)
    .bind(new.occurred_at)
    .bind(now.as_millisecond())
    .bind(new.actor_id)
    .bind(new.actor)
    .bind(new.asked)
    .execute(conn)
    .await?;
    Ok(())
}

/// A movement with the names a person needs beside it. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct MoveRow {
    pub id: String,
    pub seq: i64,
    pub kind_id: String,
    pub number: String,
    pub name: String,
    pub name_zh: String,
    pub from_id: String,
    pub to_id: String,
    pub quantity: i64,
    pub serial: String,
    pub owner_id: String,
    pub owner: Option<String>,
    pub why: String,
    pub note: String,
    pub ticket_id: Option<String>,
    pub ticket_number: Option<i64>,
    pub visit_id: Option<String>,
    pub occurred_at: i64,
    pub recorded_at: i64,
    pub actor: String,
    pub asked: String,
}

/// Which movements.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Filter {
    pub id: Option<String>,
    pub kind_id: Option<String>,
    pub place_id: Option<String>,
    pub ticket_id: Option<String>,
    pub visit_id: Option<String>,
    /// Only those before this one.
    pub before: Option<i64>,
}

/// Movements that the viewer may see, the newest first: all, or those of the customer's own parts.
pub async fn list_moves(
    conn: &mut Conn,
    scope: &Scope,
    filter: &Filter,
    limit: i64,
) -> sqlx::Result<Vec<MoveRow>> {
    sqlx::query_as(
        "SELECT m.id, m.seq, m.kind_id, k.number, k.name, k.name_zh, m.from_id, m.to_id, m.quantity, m.serial, m.owner_id, \
         c.name AS owner, m.why, m.note, m.ticket_id, t.number AS ticket_number, m.visit_id, m.occurred_at, m.recorded_at, \
         m.actor, m.asked FROM part_move m JOIN part_kind k ON k.id = m.kind_id LEFT JOIN customer c ON c.id = m.owner_id \
         LEFT JOIN ticket t ON t.id = m.ticket_id WHERE (CAST($1 AS TEXT) IS NULL OR m.owner_id = $1) \
         AND (CAST($2 AS TEXT) IS NULL OR m.id = $2) AND (CAST($3 AS TEXT) IS NULL OR m.kind_id = $3) \
         AND (CAST($4 AS TEXT) IS NULL OR m.from_id = $4 OR m.to_id = $4) \
         AND (CAST($5 AS TEXT) IS NULL OR m.ticket_id = $5) AND (CAST($6 AS TEXT) IS NULL OR m.visit_id = $6) \
         AND (CAST($7 AS BIGINT) IS NULL OR m.seq < $7) ORDER BY m.seq DESC LIMIT $8",
    )
    .bind(scope.customer())
    .bind(&filter.id)
    .bind(&filter.kind_id)
    .bind(&filter.place_id)
    .bind(&filter.ticket_id)
    .bind(&filter.visit_id)
    .bind(filter.before)
    .bind(limit)
    .fetch_all(conn)
    .await
}

/// What lies where: place, kind, owner, how many.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct StockRow {
    pub place_id: String,
    pub kind_id: String,
    pub owner_id: String,
    pub owner: Option<String>,
    pub quantity: i64,
}

/// What lies inside, by place; of one place, or of all. A customer sees what is the customer's own.
pub async fn list_stock(conn: &mut Conn, scope: &Scope, place: Option<&str>) -> sqlx::Result<Vec<StockRow>> {
    sqlx::query_as(
        "SELECT x.place_id, x.kind_id, x.owner_id, c.name AS owner, CAST(SUM(x.n) AS BIGINT) AS quantity FROM (\
         SELECT to_id AS place_id, kind_id, owner_id, quantity AS n FROM part_move WHERE (CAST($2 AS TEXT) IS NULL OR to_id = $2) \
         UNION ALL SELECT from_id, kind_id, owner_id, -quantity FROM part_move WHERE (CAST($2 AS TEXT) IS NULL OR from_id = $2)) x \
         JOIN part_place p ON p.id = x.place_id JOIN part_kind k ON k.id = x.kind_id LEFT JOIN customer c ON c.id = x.owner_id \
         WHERE p.kind NOT IN ('supplier', 'used', 'lost') AND (CAST($1 AS TEXT) IS NULL OR x.owner_id = $1) \
         GROUP BY x.place_id, x.kind_id, x.owner_id, c.name, k.number HAVING SUM(x.n) <> 0 \
         ORDER BY k.number, x.owner_id, x.place_id LIMIT 20000",
    )
    .bind(scope.customer())
    .bind(place)
    .fetch_all(conn)
    .await
}

/// Serial numbers inside, with place and kind: of one place, or of all.
pub async fn list_serials(
    conn: &mut Conn,
    scope: &Scope,
    place: Option<&str>,
) -> sqlx::Result<Vec<(String, String, String, String)>> {
    sqlx::query_as(
        "SELECT m.to_id, m.kind_id, m.owner_id, m.serial FROM part_move m JOIN part_place p ON p.id = m.to_id \
         WHERE m.serial <> '' AND p.kind NOT IN ('supplier', 'used', 'lost') \
         AND (CAST($1 AS TEXT) IS NULL OR m.owner_id = $1) AND (CAST($2 AS TEXT) IS NULL OR m.to_id = $2) \
         AND NOT EXISTS (SELECT 1 FROM part_move l WHERE l.kind_id = m.kind_id AND l.serial = m.serial AND l.seq > m.seq) \
         ORDER BY m.serial LIMIT 20000",
    )
    .bind(scope.customer())
    .bind(place)
    .fetch_all(conn)
    .await
}

/// What is known of a kind's use: how many of ours lie in depots, how many were used, when the first was moved, Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "named by what they are")]
pub struct Use {
    pub kind_id: String,
    pub lies: i64,
    pub used: i64,
    pub first_at: i64,
}

/// The use of every kind of ours since an instant; a customer's own is the customer's to order.
pub async fn list_use(conn: &mut Conn, scope: &Scope, since: i64) -> sqlx::Result<Vec<Use>> {
    sqlx::query_as(
        "SELECT m.kind_id, \
         CAST(SUM(CASE WHEN t.kind = 'depot' THEN m.quantity ELSE 0 END - CASE WHEN f.kind = 'depot' THEN m.quantity ELSE 0 END) AS BIGINT) AS lies, \
         CAST(SUM(CASE WHEN m.why = 'used' AND m.occurred_at >= $2 THEN m.quantity ELSE 0 END) AS BIGINT) AS used, \
         CAST(MIN(m.occurred_at) AS BIGINT) AS first_at \
         FROM part_move m JOIN part_place f ON f.id = m.from_id JOIN part_place t ON t.id = m.to_id \
         WHERE m.owner_id = COALESCE(CAST($1 AS TEXT), '') GROUP BY m.kind_id LIMIT 5000",
    )
    .bind(scope.customer())
    .bind(since)
    .fetch_all(conn)
    .await
}
