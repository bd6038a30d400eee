//! Which days suit an inspection, on the API.

use axum::Json;
use axum::extract::{Path, State};
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use crate::app::App;
use crate::contract::store::{Shelf, find_version};
use crate::dispatch::store::find_place;
use crate::error::ApiError;
use crate::inspection::step::date_in;
use crate::inspection::store::suit::{count_people, list_others};
use crate::inspection::store::{self, plan};
use crate::inspection::suit::{Near, Suit, suits};
use crate::inspection::{Window, open_days};
use crate::user::Viewer;

/// Days that are looked at, from the first that is left.
const AHEAD_DAYS: i32 = 62;
/// Neighbours of a day that are named; the others are counted.
const NAMED_MAX: usize = 4;

/// The days that suit.
#[derive(Debug, Serialize, ToSchema)]
pub struct SuitingDays {
    /// The best first; at most five.
    pub items: Vec<SuitingDay>,
    /// Technicians who can be sent.
    pub technicians: i64,
    /// Whether it is known where the site lies; without that, only the site itself is near.
    pub placed: bool,
}

/// A day with what speaks for it and against it.
#[derive(Debug, Serialize, ToSchema)]
pub struct SuitingDay {
    /// `2026-12-03`.
    pub day: String,
    /// Sites near by where something is planned that day, the nearest first; at most four.
    pub near: Vec<NearBy>,
    /// How many more there are.
    pub near_more: usize,
    /// Visits that are planned for the day, anywhere.
    pub visits: usize,
    /// Every technician has three visits that day already.
    pub full: bool,
}

/// Something that is planned near by.
#[derive(Debug, Serialize, ToSchema)]
pub struct NearBy {
    /// The site's name.
    pub site_name: String,
    /// Its name in Chinese; may be empty.
    pub site_name_zh: String,
    /// How far, km; 0 at the same site.
    pub km: f64,
    /// `visit` where somebody goes there that day, `inspection` where the day is still to be agreed.
    pub what: &'static str,
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(days))]
pub struct Doc;

/// The open days of an inspection's window that suit best: where our people are near anyway, and where they have time. Two months
/// are looked at, from today or from the first day of the window. Of a window that has passed, the two months from today.
#[utoipa::path(get, path = "/api/v1/inspections/{id}/days", tag = "inspections", params(("id" = String, Path)),
    responses((status = 200, body = SuitingDays), (status = 404)))]
pub(super) async fn days(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<SuitingDays>, ApiError> {
    let mut conn = app.db.read().await?;
    let missing = || ApiError::not_found("inspection", &id);
    let row = store::find(&mut conn, &viewer.scope, &id).await?.ok_or_else(missing)?;
    let window = row.window().ok_or_else(missing)?;
    let stands: Date = row.day.parse().map_err(|_| missing())?;
    let from = window.from.max(date_in(&row.zone, app.clock.now()));
    let furthest = from.saturating_add(AHEAD_DAYS.days());
    let until =
        if window.until > from && row.made_by.is_none() { window.until.min(furthest) } else { furthest };
    let look = Window { from, until };
    let place = find_place(&mut conn, &row.site_id).await?;
    let others = list_others(&mut conn, (&id, row.visit_id.as_deref()), look).await?;
    let technicians = count_people(&mut conn).await?;
    let closed = plan::closed(&mut conn, &row.site_id).await?;
    let version = find_version(&mut conn, &row.contract_id, row.version).await?;
    let contract = version.and_then(|version| Shelf::default().read(&version));
    let zone = TimeZone::get(&row.zone).unwrap_or(TimeZone::UTC);
    let open = open_days(contract.as_deref(), &row.rule, &zone, &closed)
        .map_err(|why| ApiError::from(anyhow::anyhow!("the contract's calendar: {why}")))?;
    let all = std::iter::successors(Some(from), |day| day.tomorrow().ok()).take_while(|day| *day < until);
    let people = usize::try_from(technicians).unwrap_or(0);
    let best = suits(all.filter(|day| open.is_open(*day)), (&row.site_id, place), (&others, people), stands);
    let items = best.into_iter().map(Into::into).collect();
    Ok(Json(SuitingDays { items, technicians, placed: place.is_some() }))
}

impl From<Suit<'_>> for SuitingDay {
    fn from(one: Suit<'_>) -> Self {
        Self {
            day: one.day.to_string(),
            near_more: one.near.len().saturating_sub(NAMED_MAX),
            near: one.near.into_iter().take(NAMED_MAX).map(Into::into).collect(),
            visits: one.visits,
            full: one.full,
        }
    }
}

impl From<Near<'_>> for NearBy {
    fn from(Near { km, other }: Near<'_>) -> Self {
        Self {
            site_name: other.site_name.clone(),
            site_name_zh: other.site_name_zh.clone(),
            km: (km * 10.0).round() / 10.0,
            what: if other.is_visit { "visit" } else { "inspection" },
        }
    }
}
