//! Who may be sent to a ticket, on the API.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::store::{self, Site};
use super::{Ability, Candidate, Start, Wanted, asked, order};
use crate::app::App;
use crate::clock::from_ms;
use crate::db::Conn;
use crate::error::ApiError;
use crate::escalation::store::people;
use crate::router::Routes;
use crate::sla::step::late::ends_with_arrival;
use crate::sla::store::{Library, find_case, travel::list_running};
use crate::ticket;
use crate::user::store::{name_of, skill};
use crate::user::{Act, Viewer};

/// The most candidates of an answer.
const SHOWN_MAX: usize = 50;

/// For what somebody is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DispatchQuery {
    /// When, Unix ms; as soon as possible without it or where it is past.
    at: Option<i64>,
    /// The skill that is asked for, as people here call it. Without it those that the class of the device asks for;
    /// empty for none.
    skill: Option<String>,
    /// A visit that does not count as anybody's: the one that somebody else is wanted for.
    visit: Option<String>,
}

/// What somebody has of the skill that is asked for.
#[derive(Debug, Serialize, ToSchema)]
pub struct DispatchSkill {
    /// `has`, `expired` or `missing`.
    pub state: &'static str,
    /// The skill; empty where it is missing.
    pub skill: String,
    /// The certificate that says so; may be empty.
    pub certificate: String,
    /// When it runs out or ran out, Unix ms.
    pub expires_at: Option<i64>,
}

/// Somebody who may go, with what speaks for and against.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, as it stands on the wire")]
pub struct DispatchCandidate {
    /// Who.
    pub account_id: String,
    /// The name.
    pub account: String,
    /// Whether nothing speaks against this person.
    pub fit: bool,
    /// What of the skill; `null` where none is asked for.
    pub skill: Option<DispatchSkill>,
    /// Whether the site or its customer has this person as its own engineer.
    pub engineer: bool,
    /// The person's team that serves the site.
    pub team: Option<String>,
    /// Whether on duty for the site then.
    pub on_duty: bool,
    /// Whether a van goes with the person.
    pub van: bool,
    /// How far over ground, km; `null` where nobody knows.
    pub km: Option<f64>,
    /// From where: `home`, or `visit` for the site at which the person is.
    pub from: Option<&'static str>,
    /// When there at the earliest, Unix ms.
    pub there_at: Option<i64>,
    /// Whether that is after an arrival is due.
    pub late: Option<bool>,
    /// The number of the ticket that takes the person at that time.
    pub taken_by: Option<i64>,
    /// How many other visits the person has that are not done.
    pub visits: i64,
}

/// Who may be sent, the best first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Dispatch {
    /// The skills of which one is asked for.
    pub skills: Vec<String>,
    /// When an arrival is due by contract, Unix ms.
    pub due_at: Option<i64>,
    /// Whether it is known where the site lies.
    pub placed: bool,
    /// The people; at most fifty.
    pub items: Vec<DispatchCandidate>,
    /// How many more there are.
    pub more: i64,
    /// Whom to ask where nobody is fit: the site's managers.
    pub managers: Vec<String>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new().get("/api/v1/tickets/{id}/dispatch", Act::PlanVisits, get)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(get))]
pub struct Doc;

/// Who may be sent to a ticket, the best first, each with what speaks for and against.
#[utoipa::path(get, path = "/api/v1/tickets/{id}/dispatch", tag = "visits", params(("id" = String, Path), DispatchQuery),
    responses((status = 200, body = Dispatch), (status = 404)))]
async fn get(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Query(query): Query<DispatchQuery>,
) -> Result<Json<Dispatch>, ApiError> {
    let mut conn = app.db.read().await?;
    let now = app.clock.now();
    let ticket = ticket::store::find(&mut conn, &viewer.scope, &id)
        .await?
        .ok_or_else(|| ApiError::not_found("ticket", &id))?;
    let case = crate::escalation::store::find(&mut conn, &ticket.id)
        .await?
        .ok_or_else(|| ApiError::not_found("ticket", &id))?;
    let skills: Vec<String> = match query.skill.as_deref().map(str::trim) {
        Some("") => Vec::new(),
        Some(skill) => vec![skill.to_owned()],
        None => {
            let known = skill::list_names(&mut conn).await?;
            asked(&case.class, &known).into_iter().map(str::to_owned).collect()
        }
    };
    let planned = query.at.map(from_ms).filter(|at| *at > now);
    let at = planned.unwrap_or(now);
    let words: Vec<&str> = skills.iter().map(String::as_str).collect();
    let (id, customer_id, but) = (&ticket.site_id, &case.customer_id, query.visit.as_deref());
    let site = Site { id, customer_id, at, skills: &words, but };
    let people = store::list_people(&mut conn, site).await?;
    let due_at = arrival_due(&mut conn, &ticket.id).await?;
    let place = store::find_place(&mut conn, id).await?;
    let wanted = Wanted { site: place, at, is_planned: planned.is_some(), due: due_at.map(from_ms) };
    let found = order(people, &wanted, now);
    let mut managers = Vec::new();
    if !found.first().is_some_and(Candidate::is_fit) {
        for manager in people::named(&mut conn, "manager", id).await? {
            managers.extend(name_of(&mut conn, &manager).await?);
        }
    }
    let more = found.len().saturating_sub(SHOWN_MAX) as i64;
    let items = found.into_iter().take(SHOWN_MAX).map(Into::into).collect();
    Ok(Json(Dispatch { skills, due_at, placed: place.is_some(), items, more, managers }))
}

/// When the first of a ticket's clocks that end with an arrival is due.
async fn arrival_due(conn: &mut Conn, ticket: &str) -> sqlx::Result<Option<i64>> {
    let running = list_running(conn, &[ticket]).await?;
    let Some(case) = find_case(conn, &mut Library::default(), ticket).await? else { return Ok(None) };
    let arrivals = running.iter().filter(|clock| ends_with_arrival(&case, &clock.name));
    Ok(arrivals.map(|clock| clock.due_at).min())
}

impl From<Candidate> for DispatchCandidate {
    fn from(one: Candidate) -> Self {
        let fit = one.is_fit();
        let person = one.person;
        let skill = match person.ability {
            Ability::NotAsked => None,
            Ability::Has { skill, certificate, expires_at } => {
                let expires_at = expires_at.map(jiff::Timestamp::as_millisecond);
                Some(DispatchSkill { state: "has", skill, certificate, expires_at })
            }
            Ability::Expired { skill, certificate, at } => {
                let expires_at = Some(at.as_millisecond());
                Some(DispatchSkill { state: "expired", skill, certificate, expires_at })
            }
            Ability::Missing => Some(DispatchSkill {
                state: "missing",
                skill: String::new(),
                certificate: String::new(),
                expires_at: None,
            }),
        };
        Self {
            fit,
            skill,
            engineer: person.is_engineer,
            team: person.team,
            on_duty: person.is_on_duty,
            van: person.has_van,
            km: one.way.map(|(_, km)| (km * 10.0).round() / 10.0),
            from: one.way.map(|(start, _)| match start {
                Start::Home => "home",
                Start::Visit => "visit",
            }),
            there_at: one.there_at.map(jiff::Timestamp::as_millisecond),
            late: one.is_late,
            taken_by: one.taken_by,
            visits: person.jobs.len() as i64,
            account_id: person.account_id,
            account: person.account,
        }
    }
}
