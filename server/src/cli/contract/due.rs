//! `sitewarden contract due`: when a clock is due, and what every second since its start was.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;

use crate::contract::measure::Fen;
use crate::contract::penalty::{Breach, estimate_breaches};
use crate::contract::{Calendars, Contract, Level, measure};
use crate::sla::event::{Event, What};
use crate::sla::{Clock, Undecided, Version, project};

use super::show::{clock_json, listing, penalty_json};
use super::{Lang, text, usable};

/// Events of one file.
const EVENTS_MAX: usize = 10_000;

#[derive(Debug, Args)]
pub(in crate::cli) struct Due {
    /// The contract. Given again it is a later version, in force from a time on: `FILE@2026-03-01T00:00`; without a
    /// time, from its own first day.
    #[arg(long, value_name = "FILE[@TIME]", required = true)]
    contract: Vec<String>,
    /// The clock's name.
    #[arg(long)]
    clock: String,
    /// When it starts: `2026-02-13T22:40` in the site's zone, or with an offset. Not with `--events` that tell it.
    #[arg(long, value_name = "TIME")]
    start: Option<String>,
    /// When it is stopped.
    #[arg(long, value_name = "TIME")]
    stop: Option<String>,
    /// The priority.
    #[arg(long)]
    priority: Option<String>,
    /// The contract's zone that the site lies in.
    #[arg(long)]
    zone: Option<String>,
    /// A pause, `FROM/TO=REASON` or `FROM/TO=REASON@APPROVER`; without one, the approver the contract asks for.
    #[arg(long, value_name = "FROM/TO=REASON")]
    pause: Vec<String>,
    /// A file of events.
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// The site's time zone, where it is not the contract's.
    #[arg(long, value_name = "ZONE")]
    site_zone: Option<String>,
    /// As seen when; without it, at the last time that is given.
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// The language of the words.
    #[arg(long, value_enum, default_value = "en")]
    lang: Lang,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    event: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: Option<String>,
    what: String,
    at: String,
    recorded_at: Option<String>,
    device_at: Option<String>,
    skew: Option<String>,
    actor: Option<String>,
    #[serde(default)]
    evidence: Vec<String>,
    supersedes: Option<String>,
    level: Option<String>,
    #[serde(default)]
    assessed: bool,
    zone: Option<String>,
    version: Option<String>,
    reason: Option<String>,
    approver: Option<String>,
    #[serde(rename = "for")]
    for_when: Option<String>,
    consent: Option<String>,
    reported_at: Option<String>,
    ticket: Option<String>,
    clock: Option<String>,
}

/// A version of the contract as the command line gives it.
struct Given {
    id: String,
    from: Timestamp,
    contract: Contract,
    calendars: Calendars,
}

/// Splits `FILE@TIME`; a file may have an `@` in its name.
fn at_time(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once('@') {
        Some((file, time)) if !Path::new(text).exists() => (file, Some(time)),
        Some(_) | None => (text, None),
    }
}

impl Due {
    /// The versions in the order in which they come into force.
    fn versions(&self, site: Option<&TimeZone>) -> Result<Vec<Given>> {
        let mut versions: Vec<Given> = Vec::new();
        for (index, text) in self.contract.iter().enumerate() {
            let (file, time) = at_time(text);
            let contract = usable(Path::new(file), self.lang)?;
            let zone = site.unwrap_or(&contract.zone);
            let from = match (time, contract.begins) {
                (Some(time), _) => instant(zone, time).with_context(|| format!("--contract: {text}"))?,
                (None, _) if index == 0 => Timestamp::MIN,
                (None, Some(begins)) => begins.to_zoned(contract.zone.clone())?.timestamp(),
                (None, None) => bail!(
                    "--contract: {file} does not say when it begins; give it as {file}@2026-03-01T00:00"
                ),
            };
            if let Some(before) = versions.iter().find(|before| before.from == from) {
                bail!("--contract: {} and {file} are in force from the same time on", before.id);
            }
            let id = if self.contract.len() == 1 { contract.id.clone() } else { file.to_owned() };
            versions.push(Given { id, from, calendars: contract.calendars(site)?, contract });
        }
        versions.sort_by_key(|version| version.from);
        Ok(versions)
    }

    pub(super) fn run(self) -> Result<()> {
        let site = match &self.site_zone {
            Some(name) => Some(
                TimeZone::get(name)
                    .map_err(|_| anyhow!("--site-zone: `{name}` is not known; write it as Asia/Shanghai"))?,
            ),
            None => None,
        };
        let given = self.versions(site.as_ref())?;
        let first = given.first().context("--contract is missing")?;
        let zone = site.clone().unwrap_or_else(|| first.contract.zone.clone());
        let versions: Vec<Version<'_>> = given
            .iter()
            .map(|given| Version {
                id: &given.id,
                from: given.from,
                contract: &given.contract,
                calendars: &given.calendars,
            })
            .collect();
        let mut events = self.given(&given, &zone)?;
        if let Some(path) = &self.events {
            let file: File = toml::from_str(&text(path)?)
                .map_err(|error| anyhow!("{}: {}", path.display(), error.to_string().trim_end()))?;
            if file.event.len() > EVENTS_MAX {
                bail!("{}: at most {EVENTS_MAX} events", path.display());
            }
            for (index, row) in file.event.into_iter().enumerate() {
                let place = || format!("{}: event {}", path.display(), index + 1);
                events.push(row.read(index, &zone).with_context(place)?);
            }
        }
        let last = events.iter().map(|event| event.recorded_at).max();
        let now = match &self.now {
            Some(text) => instant(&zone, text)?,
            None => last.context("nothing starts the clock; give --start or --events")?,
        };
        let runs = project(&versions, &self.clock, &events, now).map_err(|why| lacking(&why, &given))?;
        let mut estimates = Vec::new();
        for (index, version) in given.iter().enumerate() {
            // What a breach costs is what was promised when it happened.
            let until = given.get(index + 1).map_or(Timestamp::MAX, |next| next.from);
            let breaches = runs.iter().filter_map(|run| breach(run, now));
            let here: Vec<Breach> =
                breaches.filter(|breach| version.from <= breach.from && breach.from < until).collect();
            estimates.extend(estimate_breaches(&version.contract, &here, Fen(0)));
        }
        if self.json {
            let mut told: Vec<Value> = runs.iter().map(|clock| clock_json(clock, &zone)).collect();
            let mut first = told.remove(0);
            first["penalties"] = estimates.iter().map(|one| penalty_json(one, self.lang)).collect();
            first["later_runs"] = told.into();
            println!("{first:#}");
        } else {
            let rule = given.iter().rev().find_map(|version| version.contract.find_clock(&self.clock));
            for clock in &runs {
                print!("{}", listing(clock, &zone, rule, self.lang));
            }
            for estimate in &estimates {
                let (what, by) = (
                    self.lang.say("penalty, an estimate:", "违约金（估算）："),
                    self.lang.say("to be approved by", "须批准："),
                );
                let how = self.lang.pick(&estimate.how);
                println!("  {what} {} ({how}), {by} {}", estimate.fen, estimate.approval);
            }
        }
        Ok(())
    }

    /// The events that the flags tell.
    fn given(&self, versions: &[Given], zone: &TimeZone) -> Result<Vec<Event>> {
        let start = self.start.as_deref().map(|text| instant(zone, text)).transpose()?;
        // The terms in force at the start say which events begin and end the clock.
        let in_force = versions.iter().rfind(|version| start.is_none_or(|start| version.from <= start));
        let contract = &in_force.or(versions.first()).context("--contract is missing")?.contract;
        let rule = contract.find_clock(&self.clock).ok_or_else(|| {
            let names: Vec<&str> = contract.clocks.iter().map(|clock| clock.name.as_str()).collect();
            anyhow!("the contract has no clock `{}`; it has: {}", self.clock, names.join(", "))
        })?;
        let mut events = Vec::new();
        let Some(start) = start else { return Ok(events) };
        if let Some(level) = &self.priority {
            known("--priority", level, contract.priorities.iter().map(|level| level.name.as_str()))?;
            events.push(event("priority", What::Priority { level: level.clone(), assessed: false }, start));
        }
        if let Some(name) = &self.zone {
            known("--zone", name, contract.zones.iter().map(|zone| zone.name.as_str()))?;
            events.push(event("zone", What::Zone(name.clone()), start));
        }
        let first = rule.start.first().cloned().unwrap_or_default();
        events.push(event("start", What::Step(first), start));
        if let Some(needed) = &rule.only_if {
            events.push(event("only_if", What::Step(needed.clone()), start));
        }
        for (index, text) in self.pause.iter().enumerate() {
            let form = || anyhow!("--pause: `{text}` is not FROM/TO=REASON");
            let (times, reason) = text.split_once('=').ok_or_else(form)?;
            let (from, to) = times.split_once('/').ok_or_else(form)?;
            let (reason, approver) = reason.split_once('@').unwrap_or((reason, ""));
            let asked = rule.pauses.iter().find(|pause| pause.reason == reason);
            let approver =
                if approver.is_empty() { asked.map_or("", |pause| &pause.approver) } else { approver };
            let what = What::Pause { reason: reason.to_owned(), approver: approver.to_owned() };
            let (from, to) = (instant(zone, from)?, instant(zone, to)?);
            if to < from {
                bail!("--pause: `{text}` ends before it begins");
            }
            events.push(event(&format!("pause {index}"), what, from));
            events.push(event(&format!("resume {index}"), What::Resume, to));
        }
        if let Some(stop) = &self.stop {
            let mut event = event(
                "stop",
                What::Step(rule.stop.first().cloned().unwrap_or_default()),
                instant(zone, stop)?,
            );
            event.evidence.clone_from(&rule.evidence);
            events.push(event);
        }
        Ok(events)
    }
}

/// What to give where a target depends on something that is not known.
fn lacking(why: &Undecided, versions: &[Given]) -> anyhow::Error {
    let names = |levels: fn(&Contract) -> &Vec<Level>| {
        let mut names: Vec<&str> = Vec::new();
        for level in versions.iter().flat_map(|version| levels(&version.contract)) {
            if !names.contains(&level.name.as_str()) {
                names.push(&level.name);
            }
        }
        names.join(", ")
    };
    match why {
        Undecided::NoCase { clock, on: "zone" } => {
            let zones = names(|contract| &contract.zones);
            anyhow!("the target of `{clock}` depends on the zone; give --zone, one of: {zones}")
        }
        Undecided::NoCase { clock, on: "priority" } => {
            let levels = names(|contract| &contract.priorities);
            anyhow!("the target of `{clock}` depends on the priority; give --priority, one of: {levels}")
        }
        Undecided::NoCase { .. } | Undecided::NoClock(_) | Undecided::NoInstant(_) => anyhow!("{why}"),
    }
}

fn known<'n>(flag: &str, given: &str, names: impl Iterator<Item = &'n str>) -> Result<()> {
    let names: Vec<&str> = names.collect();
    if names.contains(&given) {
        Ok(())
    } else {
        bail!("{flag}: the contract has no `{given}`; it has: {}", names.join(", "))
    }
}

fn event(id: &str, what: What, at: Timestamp) -> Event {
    Event {
        id: id.to_owned(),
        what,
        occurred_at: at,
        recorded_at: at,
        device_at: None,
        skew_s: 0,
        actor: "command line".to_owned(),
        evidence: Vec::new(),
        supersedes: None,
    }
}

impl Row {
    fn read(self, index: usize, zone: &TimeZone) -> Result<Event> {
        let at = instant(zone, &self.at)?;
        let time = |text: &Option<String>| text.as_deref().map(|text| instant(zone, text)).transpose();
        let need = |text: Option<String>, key: &str| text.with_context(|| format!("`{key}` is missing"));
        let skew_s = match &self.skew {
            None => 0,
            Some(text) => {
                let (sign, plain) = text.strip_prefix('-').map_or((1, text.as_str()), |rest| (-1, rest));
                sign * measure::duration(plain)
                    .with_context(|| format!("skew: `{text}` is no duration such as 11m"))?
                    .as_secs()
            }
        };
        let (recorded_at, device_at, reported_at) =
            (time(&self.recorded_at)?, time(&self.device_at)?, time(&self.reported_at)?);
        let what = match self.what.as_str() {
            "priority" => What::Priority { level: need(self.level, "level")?, assessed: self.assessed },
            "zone" => What::Zone(need(self.zone, "zone")?),
            "contract" => What::Contract(need(self.version, "version")?),
            "pause" => What::Pause {
                reason: need(self.reason, "reason")?,
                approver: self.approver.unwrap_or_default(),
            },
            "resume" => What::Resume,
            "agreed" => {
                What::Agreed { at: instant(zone, &need(self.for_when, "for")?)?, consent: self.consent }
            }
            "absorbed" => What::Absorbed { reported_at: reported_at.context("`reported_at` is missing")? },
            "merged_into" => What::MergedInto(need(self.ticket, "ticket")?),
            "reopened" => What::Reopened,
            "void" => What::Void {
                clock: self.clock.unwrap_or_default(),
                reason: need(self.reason, "reason")?,
                approver: need(self.approver, "approver")?,
            },
            "withdrawn" => What::Withdrawn,
            step => What::Step(step.to_owned()),
        };
        Ok(Event {
            id: self.id.unwrap_or_else(|| format!("event {}", index + 1)),
            what,
            occurred_at: at,
            recorded_at: recorded_at.unwrap_or(at),
            device_at,
            skew_s,
            actor: self.actor.unwrap_or_default(),
            evidence: self.evidence,
            supersedes: self.supersedes,
        })
    }
}

/// A time with its offset, or one in the site's zone; of a time that a change of the clocks repeats, the first.
fn instant(zone: &TimeZone, text: &str) -> Result<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let local: DateTime =
        text.parse().map_err(|_| anyhow!("`{text}` is no time; write it as 2026-02-13T22:40"))?;
    Ok(zone.to_timestamp(local)?)
}

/// A run that was not kept, and that counts.
fn breach(clock: &Clock, now: Timestamp) -> Option<Breach> {
    let from = clock.breached_at.filter(|_| clock.counts)?;
    Some(Breach { of: clock.name.clone(), from, to: clock.stopped_at.unwrap_or(now) })
}
