//! Calendars on the API: which days are worked, which are free and why, how far that is known. The public holidays
//! stand by themselves; hours are those of a contract, in the zone of a site it covers.

use axum::Json;
use axum::extract::{Query, State};
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::holiday::{Day, Holidays, Kind};
use super::{Calendar, Span};
use crate::app::App;
use crate::contract;
use crate::contract::api::shown_text;
use crate::error::ApiError;
use crate::router::{Items, Routes};
use crate::user::{Act, Viewer};

/// Days of one answer: a year and the days around it.
const DAYS_MAX: i32 = 400;

/// A calendar to choose.
#[derive(Debug, Serialize, ToSchema)]
pub struct CalendarEntry {
    /// The contract it belongs to.
    pub contract_id: String,
    /// What people call that contract.
    pub contract: String,
    /// Its name in the contract.
    pub calendar: String,
    /// The sites that the contract covers.
    pub sites: Vec<CalendarSite>,
}

/// A site on whose clock a calendar runs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CalendarSite {
    /// The site.
    pub site_id: String,
    /// Its name.
    pub name: String,
    /// Its Chinese name; may be empty.
    pub name_zh: String,
    /// Its time zone.
    pub time_zone: String,
}

/// Which days of which calendar.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DaysQuery {
    /// The first day, `2026-02-01`.
    from: String,
    /// The last day, at most 400 days in all.
    to: String,
    /// A contract; without one, only the public holidays.
    contract_id: Option<String>,
    /// A calendar of the contract.
    calendar: Option<String>,
    /// A site, for its time zone.
    site_id: Option<String>,
}

/// A day.
#[derive(Debug, Serialize, ToSchema)]
pub struct CalendarDay {
    /// `2026-02-14`.
    pub date: String,
    /// `holiday` (by the regulation itself), `day_off` (free with it), `make_up` (worked for it) or empty.
    pub public: &'static str,
    /// The holiday's name.
    pub name: String,
    /// The same in Chinese.
    pub name_zh: String,
    /// Its hours, `08:30-12:00`; an end after 24:00 is on the next day.
    pub spans: Vec<String>,
    /// Whether the calendar names this day by itself.
    pub own: bool,
    /// Whether nobody has announced yet what this day is.
    pub provisional: bool,
}

/// Days of a calendar.
#[derive(Debug, Serialize, ToSchema)]
pub struct CalendarDays {
    /// The time zone of its hours.
    pub time_zone: String,
    /// The last day whose holidays are announced; `null` where they do not matter.
    pub known_until: Option<String>,
    /// Whether it has hours; the public holidays alone have none.
    pub has_hours: bool,
    /// The days.
    pub days: Vec<CalendarDay>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new().get("/api/v1/calendars", Act::SeeContracts, list).get(
        "/api/v1/calendars/days",
        Act::SeeContracts,
        days,
    )
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, days))]
pub struct Doc;

/// Contracts whose calendars are listed.
const CONTRACTS_MAX: usize = 300;

/// The calendars of the contracts that one may see and that have not ended.
#[utoipa::path(get, path = "/api/v1/calendars", tag = "calendars",
    responses((status = 200, body = Items<CalendarEntry>)))]
async fn list(State(app): State<App>, viewer: Viewer) -> Result<Json<Items<CalendarEntry>>, ApiError> {
    let mut conn = app.db.read().await?;
    let rows = contract::store::list(&mut conn, &viewer.scope, None).await?;
    let mut entries = Vec::new();
    for row in rows.into_iter().filter(|row| row.state != "ended").take(CONTRACTS_MAX) {
        let Ok(text) = shown_text(&mut conn, &viewer, &row.id).await else { continue };
        let Some(read) = contract::document::read(&text).contract else { continue };
        let covered = contract::store::list_sites(&mut conn, &row.id).await?;
        let sites: Vec<CalendarSite> = covered
            .into_iter()
            .map(|site| CalendarSite {
                site_id: site.site_id,
                name: site.name,
                name_zh: site.name_zh,
                time_zone: site.time_zone,
            })
            .collect();
        entries.extend(read.calendars.keys().map(|calendar| CalendarEntry {
            contract_id: row.id.clone(),
            contract: row.name.clone(),
            calendar: calendar.clone(),
            sites: sites.clone(),
        }));
    }
    Ok(Json(Items::all(entries)))
}

/// The days of a calendar, or of the public holidays alone.
#[utoipa::path(get, path = "/api/v1/calendars/days", tag = "calendars", params(DaysQuery),
    responses((status = 200, body = CalendarDays), (status = 400), (status = 404)))]
async fn days(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<DaysQuery>,
) -> Result<Json<CalendarDays>, ApiError> {
    let date = |field: &str, text: &str| {
        text.parse::<Date>().map_err(|_| {
            ApiError::bad_request(field, format!("`{text}` is no date"), "write it as 2026-02-01")
        })
    };
    let (from, to) = (date("from", &query.from)?, date("to", &query.to)?);
    if to < from || (to - from).get_days() >= DAYS_MAX {
        let hint = format!("ask for 1 to {DAYS_MAX} days");
        return Err(ApiError::bad_request("to", "that are too many days, or none", hint));
    }
    let Some(id) = query.contract_id.as_deref() else {
        return Ok(Json(public_days(from, to)));
    };
    let mut conn = app.db.read().await?;
    let text = shown_text(&mut conn, &viewer, id).await?;
    let zone = match query.site_id.as_deref() {
        Some(site) => {
            let sites = contract::store::list_sites(&mut conn, id).await?;
            let found = sites.into_iter().find(|covered| covered.site_id == site);
            let found = found.ok_or_else(|| ApiError::not_found("site under this contract", site))?;
            TimeZone::get(&found.time_zone).ok()
        }
        None => None,
    };
    drop(conn);
    let read = contract::document::read(&text).contract;
    let read =
        read.ok_or_else(|| ApiError::conflict("not_possible", "the contract cannot be used any more"))?;
    let name = query.calendar.as_deref().unwrap_or_default();
    let parts = read.calendars.get(name).cloned().ok_or_else(|| {
        let names: Vec<&str> = read.calendars.keys().map(String::as_str).collect();
        ApiError::not_found("calendar in this contract", name).hint(format!("it has: {}", names.join(", ")))
    })?;
    let parts = super::Parts { zone: zone.unwrap_or_else(|| parts.zone.clone()), ..parts };
    let calendar =
        Calendar::new(parts).map_err(|fault| ApiError::conflict("not_possible", fault.to_string()))?;
    let days = series(from, to).map(|date| {
        day(date, calendar.holiday(date), calendar.spans(date), calendar.is_own(date), calendar.known_until())
    });
    Ok(Json(CalendarDays {
        time_zone: calendar.zone().iana_name().unwrap_or("UTC").to_owned(),
        known_until: calendar.known_until().map(|until| until.to_string()),
        has_hours: true,
        days: days.collect(),
    }))
}

fn public_days(from: Date, to: Date) -> CalendarDays {
    let holidays = Holidays::china();
    let until = holidays.known_until();
    CalendarDays {
        time_zone: "Asia/Shanghai".to_owned(),
        known_until: Some(until.to_string()),
        has_hours: false,
        days: series(from, to).map(|date| day(date, holidays.day(date), &[], false, Some(until))).collect(),
    }
}

fn series(from: Date, to: Date) -> impl Iterator<Item = Date> {
    from.series(1.day()).take_while(move |date| *date <= to)
}

fn day(date: Date, named: Option<&Day>, spans: &[Span], own: bool, known_until: Option<Date>) -> CalendarDay {
    let public = match named.map(|day| day.kind) {
        Some(Kind::Off { statutory: true }) => "holiday",
        Some(Kind::Off { statutory: false }) => "day_off",
        Some(Kind::Work) => "make_up",
        None => "",
    };
    CalendarDay {
        date: date.to_string(),
        public,
        name: named.map(|day| day.name.clone()).unwrap_or_default(),
        name_zh: named.map(|day| day.name_zh.clone()).unwrap_or_default(),
        spans: spans.iter().map(Span::to_string).collect(),
        own,
        provisional: known_until.is_some_and(|until| date > until),
    }
}
