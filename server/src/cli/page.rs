//! `sitewarden page`: what the pager would do.

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::clock::from_ms;
use crate::db::Db;
use crate::escalation::forecast::{Forecast, Foreseen, ForeseenPerson, Withheld, foresee, instant};
use crate::escalation::store::subject;
use crate::user::Scope;

#[derive(Debug, Subcommand)]
pub(super) enum PageCommand {
    /// Says who would be paged, when and how, if a device failed and nobody answered. Changes nothing.
    WhatIf {
        /// The device's id.
        #[arg(long)]
        device: String,
        /// The fault code.
        #[arg(long)]
        fault: String,
        /// When: `2026-11-29T03:00` in the site's zone, or an instant with `Z` or an offset; now when it is not given.
        #[arg(long)]
        at: Option<String>,
        /// Prints JSON instead of words.
        #[arg(long)]
        json: bool,
    },
}

impl PageCommand {
    pub(super) async fn run(self, db: &Db, now: Timestamp) -> Result<()> {
        let Self::WhatIf { device, fault, at, json } = self;
        if sitewarden_proto::fault::find(&fault).is_none() {
            let codes = sitewarden_proto::fault::catalogue().iter().map(|one| one.code.as_str());
            bail!("fault `{fault}` is unknown; use one of {}", codes.collect::<Vec<_>>().join(", "));
        }
        let mut conn = db.read().await?;
        let found = subject(&mut conn, &Scope::All, &device).await?;
        let found = found.with_context(|| format!("there is no device `{device}`; its page shows the id"))?;
        let at = match at {
            Some(text) => instant(&text, &found.zone)
                .with_context(|| format!("--at `{text}`: write it as 2026-11-29T03:00"))?,
            None => now,
        };
        let forecast = foresee(&mut conn, &device, found, &fault, at).await?;
        if json {
            println!("{}", serde_json::to_string_pretty(&forecast)?);
        } else {
            print!("{}", words(&forecast));
        }
        Ok(())
    }
}

/// The forecast as somebody reads it aloud: what, when and where; why nobody is paged yet; then one line for each thing
/// that would happen, in the site's time.
fn words(forecast: &Forecast) -> String {
    let zoned = |ms: i64| {
        let at = from_ms(ms);
        at.in_tz(&forecast.zone).unwrap_or_else(|_| at.to_zoned(TimeZone::UTC))
    };
    let when = |ms: i64| zoned(ms).strftime("%a %Y-%m-%d %H:%M").to_string();
    let title = sitewarden_proto::fault::find(&forecast.fault).map_or("", |fault| fault.title.get("en"));
    let zone = &forecast.zone;
    let mut lines = vec![
        format!(
            "{} at {}: {title} ({}, {})",
            forecast.device, forecast.site, forecast.fault, forecast.severity
        ),
        format!("confirmed on {} ({zone})", when(forecast.at)),
    ];
    lines.push(match forecast.plan.as_str() {
        "" => "plan: the built-in one, everybody on duty at once".to_owned(),
        plan => format!("plan: {plan}"),
    });
    for why in &forecast.withheld {
        lines.push(withheld(why, &when));
    }
    if forecast.begins_at > forecast.at {
        lines.push(format!("if it still stands on {}, people are paged:", when(forecast.begins_at)));
    }
    lines.push(String::new());
    for person in &forecast.informed {
        lines.push(format!("{}  the customer is told: {}", when(forecast.begins_at), who(person, &when)));
    }
    let of = forecast.steps.iter().filter_map(|one| one.step).max().unwrap_or(0);
    for one in &forecast.steps {
        lines.push(format!("{}  {}", when(one.at), happening(one, of, &when)));
        lines.extend(
            one.people.iter().map(|person| format!("                        {}", who(person, &when))),
        );
    }
    if !forecast.reaches_somebody {
        lines.push("Nobody would be paged.".to_owned());
    }
    lines.join("\n") + "\n"
}

fn withheld(why: &Withheld, when: &impl Fn(i64) -> String) -> String {
    let until = why.until.map(|until| format!(" until {}", when(until))).unwrap_or_default();
    match (why.reason.as_str(), why.ticket) {
        ("minor", _) => "nobody is paged: minor trouble wakes nobody".to_owned(),
        ("maintenance", None) => {
            let from = why.from.map(&when).unwrap_or_default();
            format!("nobody is paged: maintenance from {from}{until} ({})", why.detail)
        }
        ("remedy", None) => {
            format!("nobody is paged: {} is tried first{until}", why.detail.replace('_', " "))
        }
        ("under", number) => {
            let ticket = number.map(|number| format!(", #{number}")).unwrap_or_default();
            format!("nobody is paged for it: it is part of the trouble at {}{ticket}", why.detail)
        }
        (reason, Some(number)) => {
            format!("nobody is paged now: #{number} of this device is held ({reason}){until}")
        }
        (reason, None) => format!("nobody is paged: {reason}{until}"),
    }
}

/// What happens: `step 2 of 3, round 2: asked`.
fn happening(one: &Foreseen, of: usize, when: &impl Fn(i64) -> String) -> String {
    let what = match one.kind.as_str() {
        "step_asked" => "asks".to_owned(),
        "step_empty" => "leads to nobody who can be reached".to_owned(),
        "step_passed" => {
            let reason = one.reason.as_deref().unwrap_or_default();
            format!("is passed over, because of its condition on {reason}")
        }
        "step_waits" => {
            format!("waits for the end of its quiet hours: {}", one.until.map(when).unwrap_or_default())
        }
        "manager_asked" => "nobody has answered, the manager is asked".to_owned(),
        "administrators_asked" => "nobody has answered, the administrators are asked".to_owned(),
        "nobody_left" => "nobody has answered, and there is nobody left to ask".to_owned(),
        other => other.replace('_', " "),
    };
    match (one.round, one.step) {
        (Some(1), Some(step)) => format!("step {step} of {of} {what}"),
        (Some(round), Some(step)) => format!("round {round}, step {step} of {of} {what}"),
        _ => what,
    }
}

/// `li.wei (on the duty list): webhook, email from Thu 2026-11-26 07:00 on (quiet hours); in English`.
fn who(person: &ForeseenPerson, when: &impl Fn(i64) -> String) -> String {
    let way = |channel: &String| match person.waits.iter().find(|waits| waits.channel == *channel) {
        Some(waits) => {
            let why = if waits.reason == "quiet" { "quiet hours" } else { "the limit" };
            format!("{channel} only on {} ({why})", when(waits.until))
        }
        None => channel.clone(),
    };
    let ways: Vec<String> = person.channels.iter().map(way).collect();
    let because = match person.because.as_str() {
        "duty" => "on the duty list",
        "rota" => "on duty in the rota",
        "team" => "of the team",
        "skill" => "has the skill",
        "person" => "named by the plan",
        "manager" => "manager",
        "experts" => "of the expert panel",
        "administrator" => "administrator",
        "contact" => "contact person",
        other => other,
    };
    let far = person.distance_km.map(|km| format!(", {km} km away")).unwrap_or_default();
    if ways.is_empty() {
        return format!("{} ({because}{far}): cannot be reached, no channel is set", person.account);
    }
    let language = if person.language == "zh" { "in Chinese" } else { "in English" };
    format!("{} ({because}{far}): {}; {language}", person.account, ways.join(", "))
}
