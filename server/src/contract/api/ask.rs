//! Asking a text of a contract what it would promise to a call, and what it would charge. Nothing is kept.

use axum::Json;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::text::{ContractRefusal, Refused, Said, usable};
use crate::contract::Level;
use crate::contract::measure::{Fen, duration};
use crate::contract::quote::{Line, quote};
use crate::error::ApiError;
use crate::sla::foresee::{Call, Promise, foresee};

/// A call to somebody's telephone, against a text.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewQuestion {
    /// The contract's text; it must be usable.
    pub text: String,
    /// When: `2026-02-13T22:40` in the site's time zone, or with an offset.
    pub at: String,
    /// The priority.
    pub priority: Option<String>,
    /// The contract's zone.
    pub zone: Option<String>,
    /// The site's time zone, where it is not the contract's.
    pub time_zone: Option<String>,
}

/// A stretch of the time since a clock's start.
#[derive(Debug, Serialize, ToSchema)]
pub struct CountedStretch {
    /// Its first second, Unix ms.
    pub from_at: i64,
    /// The second after its last.
    pub to_at: i64,
    /// How many of its seconds were used.
    pub counted_s: i64,
    /// `working`, `closed`, `paused`, `pause_refused`, `pause_used_up`, `stopped` or `summed`.
    pub why: &'static str,
    /// The reason of a pause.
    pub reason: Option<String>,
}

/// What is promised to a call.
#[derive(Debug, Serialize, ToSchema)]
pub struct PromiseView {
    /// The clock's name.
    pub clock: String,
    /// What people call it.
    pub title: String,
    /// Whether a supplier owes it.
    pub supplier: bool,
    /// Events that begin it.
    pub start: Vec<String>,
    /// Events that end it.
    pub stop: Vec<String>,
    /// Whether the call itself begins it; otherwise it is told as if its start happened at the same instant.
    pub with_call: bool,
    /// When it is due, Unix ms.
    pub due_at: Option<i64>,
    /// Whether a day that is not announced yet may move it.
    pub provisional: bool,
    /// Its budget, seconds on its ruler.
    pub budget_s: Option<i64>,
    /// The share of tickets that must keep it, per cent.
    pub goal_percent: u8,
    /// Why it cannot be told.
    pub undecided: Option<Said>,
    /// Every second until it is due, at most 40 stretches.
    pub ledger: Vec<CountedStretch>,
    /// Stretches that are not listed.
    pub more: usize,
}

/// Everything that is promised to a call.
#[derive(Debug, Serialize, ToSchema)]
pub struct Preview {
    /// When the call is, Unix ms.
    pub at: i64,
    /// The time zone in which it was read.
    pub time_zone: String,
    /// The promises, those that the call begins first.
    pub promises: Vec<PromiseView>,
}

/// Lines of work, against a text.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuoteQuestion {
    /// The contract's text; it must be usable.
    pub text: String,
    /// At most 200.
    pub lines: Vec<QuoteLine>,
}

/// A line of work. Numbers go from 0 to 1,000,000.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the words of the price list")]
pub struct QuoteLine {
    pub item: String,
    pub zone: Option<String>,
    pub count: Option<i64>,
    pub size: Option<i64>,
    pub persons: Option<i64>,
    pub days: Option<i64>,
    /// `2h30m`.
    pub time: Option<String>,
    pub km: Option<i64>,
    pub periods: Option<i64>,
    /// Yuan, `400.00`.
    pub amount: Option<String>,
    /// Who consented for the customer.
    pub consent: Option<String>,
    /// Why it is not charged.
    pub free: Option<String>,
}

/// A charge.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChargeView {
    /// The item.
    pub item: String,
    /// What people call it.
    pub title: String,
    /// Fen; `null` where a person must decide first.
    pub amount_fen: Option<i64>,
    /// How it was worked out.
    pub how: Said,
    /// Whether tax is included.
    pub tax_included: bool,
    /// What must be done before it may be charged.
    pub needs: Vec<Said>,
}

/// A quote.
#[derive(Debug, Serialize, ToSchema)]
pub struct QuoteView {
    /// Its lines.
    pub charges: Vec<ChargeView>,
    /// Their sum in fen, as far as all are decided.
    pub total_fen: Option<i64>,
    /// Whether something must be done before it may be charged.
    pub open: bool,
    /// Whether the list names least prices.
    pub least_prices: bool,
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(preview, quote_lines))]
pub struct Doc;

/// When every promise to a call would be due, and why. Nothing is kept.
#[utoipa::path(post, path = "/api/v1/contracts/preview", tag = "contracts", request_body = PreviewQuestion,
    responses((status = 200, body = Preview), (status = 400), (status = 422, body = ContractRefusal)))]
pub(super) async fn preview(Json(asked): Json<PreviewQuestion>) -> Result<Json<Preview>, Refused> {
    let contract = usable(asked.text).await?;
    let site = match asked.time_zone.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => Some(TimeZone::get(name).map_err(|_| {
            ApiError::bad_request(
                "time_zone",
                format!("`{name}` is not known"),
                "write it as Asia/Shanghai, or leave it out",
            )
        })?),
        None => None,
    };
    let zone = site.clone().unwrap_or_else(|| contract.zone.clone());
    let at = instant(&zone, &asked.at)?;
    if !YEARS.contains(&at.to_zoned(zone.clone()).year()) {
        let hint = format!("choose a time between {} and {}", YEARS.start(), YEARS.end());
        return Err(ApiError::bad_request("at", "it is too far away", hint).into());
    }
    let known = |field: &str, given: &Option<String>, levels: &[Level]| match given.as_deref() {
        None | Some("") => Ok(None),
        Some(name) => {
            let names: Vec<&str> = levels.iter().map(|level| level.name.as_str()).collect();
            if names.contains(&name) {
                return Ok(Some(name.to_owned()));
            }
            let hint = if names.is_empty() {
                "the contract has none; leave it out".to_owned()
            } else {
                format!("use one of: {}", names.join(", "))
            };
            Err(ApiError::bad_request(field, format!("the contract has no `{name}`"), hint))
        }
    };
    let priority = known("priority", &asked.priority, &contract.priorities)?;
    let place = known("zone", &asked.zone, &contract.zones)?;
    let calendars = contract
        .calendars(site.as_ref())
        .map_err(|fault| ApiError::bad_request("text", fault, "correct the calendar"))?;
    let call = Call { at, priority: priority.as_deref(), zone: place.as_deref() };
    let promises = foresee(&contract, &calendars, &call).iter().map(promise).collect();
    Ok(Json(Preview {
        at: at.as_millisecond(),
        time_zone: zone.iana_name().unwrap_or("UTC").to_owned(),
        promises,
    }))
}

/// Years in which a call may be.
const YEARS: std::ops::RangeInclusive<i16> = 2000..=2100;

/// Stretches of a ledger that are listed.
const LEDGER_MAX: usize = 40;

fn promise(promise: &Promise<'_>) -> PromiseView {
    let clock = promise.clock.as_ref().ok();
    let ledger = clock.map_or(&[][..], |clock| &clock.ledger);
    let entries = ledger.iter().take(LEDGER_MAX).map(|entry| {
        let (why, reason) = entry.why.words();
        CountedStretch {
            from_at: entry.from.as_millisecond(),
            to_at: entry.to.as_millisecond(),
            counted_s: entry.counted_s,
            why,
            reason: reason.map(str::to_owned),
        }
    });
    PromiseView {
        clock: promise.rule.name.clone(),
        title: promise.rule.title.clone(),
        supplier: promise.rule.supplier,
        start: promise.rule.start.clone(),
        stop: promise.rule.stop.clone(),
        with_call: promise.with_call,
        due_at: clock.and_then(|clock| clock.due_at).map(Timestamp::as_millisecond),
        provisional: clock.is_some_and(|clock| clock.provisional),
        budget_s: clock.map(|clock| clock.budget_s),
        goal_percent: promise.rule.goal_percent,
        undecided: promise.clock.as_ref().err().map(|why| why.words().into()),
        ledger: entries.collect(),
        more: ledger.len().saturating_sub(LEDGER_MAX),
    }
}

/// A time with its offset, or one in the zone; of a time that a change of the clocks repeats, the first.
fn instant(zone: &TimeZone, text: &str) -> Result<Timestamp, ApiError> {
    let wrong =
        || ApiError::bad_request("at", format!("`{text}` is no time"), "write it as 2026-02-13T22:40");
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let local: DateTime = text.parse().map_err(|_| wrong())?;
    zone.to_timestamp(local).map_err(|_| wrong())
}

/// Lines of one quote.
const LINES_MAX: usize = 200;

/// Prices lines of work by the contract's list. Nothing is kept.
#[utoipa::path(post, path = "/api/v1/contracts/quote", tag = "contracts", request_body = QuoteQuestion,
    responses((status = 200, body = QuoteView), (status = 400), (status = 422, body = ContractRefusal)))]
pub(super) async fn quote_lines(Json(asked): Json<QuoteQuestion>) -> Result<Json<QuoteView>, Refused> {
    let contract = usable(asked.text).await?;
    let lines = priced(asked.lines)?;
    let quote = quote(&contract, &lines);
    let open = quote.is_open();
    let charges = quote.charges.into_iter().map(|charge| ChargeView {
        item: charge.item,
        title: charge.title,
        amount_fen: charge.fen.map(|fen| fen.0),
        how: charge.how.into(),
        tax_included: charge.tax_included,
        needs: charge.needs.into_iter().map(Said::from).collect(),
    });
    Ok(Json(QuoteView {
        charges: charges.collect(),
        total_fen: quote.total.map(|fen| fen.0),
        open,
        least_prices: contract.price_terms.are_minimum,
    }))
}

/// Lines of work as a quote reads them, checked.
pub(crate) fn priced(rows: Vec<QuoteLine>) -> Result<Vec<Line>, ApiError> {
    if rows.len() > LINES_MAX {
        let hint = format!("ask for at most {LINES_MAX} lines at once");
        return Err(ApiError::bad_request("lines", "there are too many", hint));
    }
    rows.into_iter().enumerate().map(|(index, row)| line(index, row)).collect()
}

fn line(index: usize, row: QuoteLine) -> Result<Line, ApiError> {
    let at = |key: &str| format!("lines[{index}].{key}");
    let numbers = [
        ("count", row.count),
        ("size", row.size),
        ("persons", row.persons),
        ("days", row.days),
        ("km", row.km),
        ("periods", row.periods),
    ];
    for (key, number) in numbers {
        if number.is_some_and(|number| !(0..=1_000_000).contains(&number)) {
            return Err(ApiError::bad_request(
                &at(key),
                "it is out of range",
                "use a number from 0 to 1000000",
            ));
        }
    }
    let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let time = filled(row.time).map(|text| {
        duration(&text).ok_or_else(|| {
            ApiError::bad_request(&at("time"), format!("`{text}` is no duration"), "write it as 2h30m")
        })
    });
    let amount = filled(row.amount).map(|text| {
        Fen::parse(&text).ok_or_else(|| {
            ApiError::bad_request(&at("amount"), format!("`{text}` is no amount"), "write it as 400.00")
        })
    });
    Ok(Line {
        item: row.item,
        zone: filled(row.zone),
        count: row.count,
        size: row.size,
        persons: row.persons,
        days: row.days,
        time: time.transpose()?,
        km: row.km,
        periods: row.periods,
        amount: amount.transpose()?,
        consent: filled(row.consent),
        free: filled(row.free),
    })
}
