//! Who a target is at a moment, and by which ways each of them can be paged.

use jiff::Timestamp;

use crate::db::Conn;
use crate::escalation::plan::Target;
use crate::page::store::{Target as Way, list_ways};
use crate::site::place::{Place, distance_km, wgs84};
use crate::user::store::skill;
use crate::{rota, user};

/// The most people that one skill asks.
const SKILLED_MAX: usize = 20;

/// Somebody a step asks.
#[derive(Clone, Debug)]
pub struct Person {
    /// Who.
    pub account_id: String,
    /// What others read.
    pub account: String,
    /// In how many words why: `duty`, `rota`, `team`, `skill`, `person`, `manager`, `experts`, `administrator`.
    pub because: &'static str,
    /// How far away, where that was asked.
    pub distance_km: Option<f64>,
    /// How the person can be paged; empty when not at all.
    pub ways: Vec<Way>,
}

impl Person {
    /// Whether a page can go to the person.
    pub fn is_reachable(&self) -> bool {
        !self.ways.is_empty()
    }
}

/// A row of `escalation_person` with the names it needs.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Named {
    pub id: String,
    pub kind: String,
    pub site_id: Option<String>,
    pub site_name: Option<String>,
    pub customer_id: Option<String>,
    pub customer_name: Option<String>,
    pub account_id: String,
    pub account: String,
}

/// Whom these targets mean for a site at `at`: each person once, by the first target that names the person.
pub async fn resolve(
    conn: &mut Conn,
    targets: &[Target],
    site: &str,
    at: Timestamp,
) -> sqlx::Result<Vec<Person>> {
    let mut people: Vec<Person> = Vec::new();
    for target in targets {
        for (account_id, because, distance_km) in accounts(conn, target, site, at).await? {
            if people.iter().any(|one| one.account_id == account_id) {
                continue;
            }
            if let Some(person) = person(conn, account_id, because, distance_km).await? {
                people.push(person);
            }
        }
    }
    Ok(people)
}

/// The administrators who can be paged.
pub async fn administrators(conn: &mut Conn) -> sqlx::Result<Vec<Person>> {
    let mut people = Vec::new();
    for account in user::store::list_accounts(conn).await? {
        if account.role == user::Role::Administrator.as_str()
            && let Some(person) = person(conn, account.id.to_string(), "administrator", None).await?
            && person.is_reachable()
        {
            people.push(person);
        }
    }
    Ok(people)
}

/// One person, with the ways; `None` when the account is disabled or gone.
pub async fn person(
    conn: &mut Conn,
    account_id: String,
    because: &'static str,
    distance_km: Option<f64>,
) -> sqlx::Result<Option<Person>> {
    let Some(account) = user::store::find_account(conn, &account_id).await? else { return Ok(None) };
    if account.disabled != 0 {
        return Ok(None);
    }
    let ways = list_ways(conn, &account_id).await?;
    Ok(Some(Person { account_id, account: account.name, because, distance_km, ways }))
}

type Found = Vec<(String, &'static str, Option<f64>)>;

async fn accounts(conn: &mut Conn, target: &Target, site: &str, at: Timestamp) -> sqlx::Result<Found> {
    let plain = |ids: Vec<String>, because: &'static str| -> Found {
        ids.into_iter().map(|id| (id, because, None)).collect()
    };
    Ok(match target {
        Target::Person { account_id } => vec![(account_id.clone(), "person", None)],
        Target::Duty {} => plain(on_duty_list(conn, site).await?, "duty"),
        Target::Rota { rota_id, layer } => {
            let rota = rota::RotaId::from(rota_id.as_str());
            let people = rota::store::list_on_duty(conn, &rota, at).await?;
            let wanted = layer.map(|layer| layer as usize);
            let of_layer = people.into_iter().filter(|one| wanted.is_none_or(|layer| layer == one.layer));
            plain(of_layer.map(|one| one.account_id.to_string()).collect(), "rota")
        }
        Target::Team { team_id } => {
            let members = rota::store::team::list_members(conn, Some(team_id)).await?;
            plain(members.into_iter().map(|one| one.account_id.to_string()).collect(), "team")
        }
        Target::Skill { skill, within_km } => skilled(conn, skill, *within_km, site, at).await?,
        Target::Manager {} => plain(named(conn, "manager", site).await?, "manager"),
        Target::Experts {} => plain(named(conn, "expert", site).await?, "experts"),
    })
}

/// The site's duty list, or else the general one.
pub async fn on_duty_list(conn: &mut Conn, site: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT a.id FROM duty JOIN account a ON a.id = duty.account_id WHERE duty.site_id = $1 OR (duty.site_id IS NULL \
         AND NOT EXISTS (SELECT 1 FROM duty own WHERE own.site_id = $1)) ORDER BY a.name, a.id",
    )
    .bind(site)
    .fetch_all(conn)
    .await
}

/// People of a kind: the site's, or else its customer's, or else everybody's.
pub async fn named(conn: &mut Conn, kind: &str, site: &str) -> sqlx::Result<Vec<String>> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT p.account_id, CASE WHEN p.site_id IS NOT NULL THEN CAST(0 AS BIGINT) WHEN p.customer_id IS NOT NULL \
         THEN CAST(1 AS BIGINT) ELSE CAST(2 AS BIGINT) END AS level FROM escalation_person p JOIN site s ON s.id = $2 \
         JOIN account a ON a.id = p.account_id WHERE p.kind = $1 AND (p.site_id = s.id OR p.customer_id = s.customer_id \
         OR (p.site_id IS NULL AND p.customer_id IS NULL)) ORDER BY level, a.name, a.id",
    )
    .bind(kind)
    .bind(site)
    .fetch_all(conn)
    .await?;
    let nearest = rows.first().map_or(0, |(_, level)| *level);
    Ok(rows.into_iter().filter(|(_, level)| *level == nearest).map(|(account, _)| account).collect())
}

async fn skilled(
    conn: &mut Conn,
    skill: &str,
    within_km: Option<f64>,
    site: &str,
    at: Timestamp,
) -> sqlx::Result<Found> {
    let here: Option<(Option<f64>, Option<f64>, String)> =
        sqlx::query_as("SELECT lat, lon, datum FROM site WHERE id = $1")
            .bind(site)
            .fetch_optional(&mut *conn)
            .await?;
    let here = here.and_then(|(lat, lon, datum)| wgs84(&datum, lat?, lon?));
    let mut found: Found = Vec::new();
    for one in skill::list_skilled(conn, skill, at).await? {
        let home = one.lat.zip(one.lon).zip(one.datum.as_deref());
        let home: Option<Place> = home.and_then(|((lat, lon), datum)| wgs84(datum, lat, lon));
        let distance = here.zip(home).map(|(a, b)| distance_km(a, b));
        // Whose distance nobody knows is not within any.
        if within_km.is_none_or(|most| distance.is_some_and(|far| far <= most)) {
            found.push((one.account_id, "skill", distance));
        }
    }
    found.sort_by(|a, b| a.2.unwrap_or(f64::MAX).total_cmp(&b.2.unwrap_or(f64::MAX)));
    found.truncate(SKILLED_MAX);
    Ok(found)
}

/// Managers, experts, engineers and contact persons; at most 2,000.
pub async fn list_named(conn: &mut Conn) -> sqlx::Result<Vec<Named>> {
    sqlx::query_as(
        "SELECT p.id, p.kind, p.site_id, s.name AS site_name, p.customer_id, c.name AS customer_name, p.account_id, \
         a.name AS account FROM escalation_person p JOIN account a ON a.id = p.account_id \
         LEFT JOIN site s ON s.id = p.site_id LEFT JOIN customer c ON c.id = p.customer_id \
         ORDER BY p.kind, c.name, s.name, a.name LIMIT 2000",
    )
    .fetch_all(conn)
    .await
}

/// Names a manager, an expert, an engineer or a contact person; `false` when it is so already. Names beside ids are not looked at.
pub async fn insert_named(conn: &mut Conn, row: &Named, now: Timestamp) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "INSERT INTO escalation_person (id, kind, site_id, customer_id, account_id, created_at) \
         SELECT $1, $2, CAST($3 AS TEXT), CAST($4 AS TEXT), $5, CAST($6 AS BIGINT) WHERE NOT EXISTS (SELECT 1 FROM \
         escalation_person WHERE kind = $2 AND account_id = $5 AND COALESCE(site_id, '') = COALESCE(CAST($3 AS TEXT), '') \
         AND COALESCE(customer_id, '') = COALESCE(CAST($4 AS TEXT), ''))",
    )
    .bind(&row.id)
    .bind(&row.kind)
    .bind(&row.site_id)
    .bind(&row.customer_id)
    .bind(&row.account_id)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes the name away; `false` when there was none.
pub async fn delete_named(conn: &mut Conn, id: &str) -> sqlx::Result<bool> {
    let done = sqlx::query("DELETE FROM escalation_person WHERE id = $1").bind(id).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}
