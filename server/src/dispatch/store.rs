//! SQL for who may be sent.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Ability, Job, Person};
use crate::clock::from_ms;
use crate::db::Conn;
use crate::rota;
use crate::site::place::{Place, wgs84};

/// The most people that are looked at.
const PEOPLE_MAX: usize = 2000;

/// For what people are looked at.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The site.
    pub id: &'a str,
    /// Its customer.
    pub customer_id: &'a str,
    /// When somebody is wanted.
    pub at: Timestamp,
    /// The skills of which one is asked for; none where empty.
    pub skills: &'a [&'a str],
    /// A visit that does not count as anybody's: the one that somebody is wanted for.
    pub but: Option<&'a str>,
}

/// An account's id, name and role, and its home.
type PersonRow = (String, String, String, Option<f64>, Option<f64>, Option<String>);
type Spot = (Option<f64>, Option<f64>, Option<String>);

fn place((lat, lon, datum): Spot) -> Option<Place> {
    wgs84(&datum?, lat?, lon?)
}

/// Where a site lies, where that is known.
pub async fn find_place(conn: &mut Conn, site: &str) -> sqlx::Result<Option<Place>> {
    let spot: Option<Spot> = sqlx::query_as("SELECT lat, lon, datum FROM site WHERE id = $1")
        .bind(site)
        .fetch_optional(conn)
        .await?;
    Ok(spot.and_then(place))
}

/// Technicians, and whoever else of ours has a skill, serves the site or is on duty for it; at most [`PEOPLE_MAX`].
pub async fn list_people(conn: &mut Conn, site: Site<'_>) -> sqlx::Result<Vec<Person>> {
    let mut abilities = list_abilities(conn, site).await?;
    let mut jobs = list_jobs(conn, site.but).await?;
    let on_duty = list_on_duty(conn, site).await?;
    let teams = list_serving(conn, site).await?;
    let engineers: BTreeSet<String> = sqlx::query_scalar(
        "SELECT account_id FROM escalation_person WHERE kind = 'engineer' AND (site_id = $1 OR customer_id = $2)",
    )
    .bind(site.id)
    .bind(site.customer_id)
    .fetch_all(&mut *conn)
    .await?
    .into_iter()
    .collect();
    let vans: Vec<String> =
        sqlx::query_scalar("SELECT account_id FROM part_place WHERE kind = 'van' AND account_id IS NOT NULL")
            .fetch_all(&mut *conn)
            .await?;
    let vans: BTreeSet<String> = vans.into_iter().collect();
    let rows: Vec<PersonRow> = sqlx::query_as(
        "SELECT a.id, a.name, a.role, h.lat, h.lon, h.datum FROM account a LEFT JOIN account_home h ON h.account_id = a.id \
         WHERE a.disabled = 0 AND a.role <> 'customer' ORDER BY a.name, a.id",
    )
    .fetch_all(&mut *conn)
    .await?;
    let people = rows.into_iter().filter_map(|(id, account, role, lat, lon, datum)| {
        let ability = abilities.remove(&id);
        let (is_engineer, is_on_duty) = (engineers.contains(&id), on_duty.contains(&id));
        let team = teams.get(&id).cloned();
        let may_go = role == "technician" || ability.is_some() || is_engineer || is_on_duty || team.is_some();
        may_go.then(|| Person {
            ability: match ability {
                Some(ability) => ability,
                None if site.skills.is_empty() => Ability::NotAsked,
                None => Ability::Missing,
            },
            is_engineer,
            team,
            is_on_duty,
            has_van: vans.contains(&id),
            home: place((lat, lon, datum)),
            jobs: jobs.remove(&id).unwrap_or_default(),
            account_id: id,
            account,
        })
    });
    Ok(people.take(PEOPLE_MAX).collect())
}

/// What people have of the skills that are asked for: of several the one that holds longest.
async fn list_abilities(conn: &mut Conn, site: Site<'_>) -> sqlx::Result<BTreeMap<String, Ability>> {
    let mut best: BTreeMap<String, (i64, Ability)> = BTreeMap::new();
    for &skill in site.skills {
        let rows: Vec<(String, String, Option<i64>)> =
            sqlx::query_as("SELECT account_id, certificate, expires_at FROM account_skill WHERE skill = $1")
                .bind(skill)
                .fetch_all(&mut *conn)
                .await?;
        for (account, certificate, expires) in rows {
            let until = expires.unwrap_or(i64::MAX);
            let ability = match expires.map(from_ms) {
                Some(at) if at <= site.at => Ability::Expired { skill: skill.to_owned(), certificate, at },
                expires_at => Ability::Has { skill: skill.to_owned(), certificate, expires_at },
            };
            match best.get(&account) {
                Some((known, _)) if *known >= until => {}
                _ => drop(best.insert(account, (until, ability))),
            }
        }
    }
    Ok(best.into_iter().map(|(account, (_, ability))| (account, ability)).collect())
}

#[derive(sqlx::FromRow)]
struct JobRow {
    account_id: String,
    visit_id: String,
    number: i64,
    state: String,
    planned_at: Option<i64>,
    lat: Option<f64>,
    lon: Option<f64>,
    datum: Option<String>,
}

/// The visits that people have and that are not done.
async fn list_jobs(conn: &mut Conn, but: Option<&str>) -> sqlx::Result<BTreeMap<String, Vec<Job>>> {
    let rows: Vec<JobRow> = sqlx::query_as(
        "SELECT m.account_id, v.id AS visit_id, t.number, v.state, v.planned_at, s.lat, s.lon, s.datum FROM visit v \
         JOIN visit_member m ON m.visit_id = v.id JOIN ticket t ON t.id = v.ticket_id JOIN site s ON s.id = v.site_id \
         WHERE v.state IN ('assigned', 'accepted', 'departed', 'arrived', 'working', 'paused') \
         ORDER BY v.planned_at, t.number, v.number",
    )
    .fetch_all(conn)
    .await?;
    let mut jobs: BTreeMap<String, Vec<Job>> = BTreeMap::new();
    for row in rows.into_iter().filter(|row| Some(row.visit_id.as_str()) != but) {
        jobs.entry(row.account_id).or_default().push(Job {
            ticket_number: row.number,
            state: row.state,
            planned_at: row.planned_at.map(from_ms),
            place: place((row.lat, row.lon, row.datum)),
        });
    }
    Ok(jobs)
}

/// Who is on duty for the site at that time: by the rotas of the teams that serve it, else by its list.
async fn list_on_duty(conn: &mut Conn, site: Site<'_>) -> sqlx::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for rota in rota::store::list_for_site(conn, site.id).await? {
        let people = rota::store::list_on_duty(conn, &rota, site.at).await?;
        found.extend(people.into_iter().map(|one| one.account_id.to_string()));
    }
    if found.is_empty() {
        found.extend(crate::escalation::store::people::on_duty_list(conn, site.id).await?);
    }
    Ok(found)
}

/// Who is in a team that serves the site or its customer, and in which.
async fn list_serving(conn: &mut Conn, site: Site<'_>) -> sqlx::Result<BTreeMap<String, String>> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT m.account_id, t.name FROM team t JOIN team_member m ON m.team_id = t.id WHERE t.archived_at IS NULL \
         AND EXISTS (SELECT 1 FROM team_serves v WHERE v.team_id = t.id AND (v.site_id = $1 OR v.customer_id = $2)) \
         ORDER BY t.name DESC",
    )
    .bind(site.id)
    .bind(site.customer_id)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().collect())
}
