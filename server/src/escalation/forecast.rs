//! What would happen: the same rule that asks people, run ahead from a moment under the assumption that nobody
//! answers and the fault stands. It reads the plans, the duty lists, the rotas, the maintenance windows, the remedies and
//! what people want of their channels as they are now for the times to come, and changes nothing.

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::Serialize;
use utoipa::ToSchema;

use super::plan::{Target, Trouble};
use super::store::people::{self, Person};
use super::store::{Subject, plan as plans, zone};
use super::{Facts, Holder, Move, Standing};
use crate::db::Conn;
use crate::{incident, maintenance, remedy, ticket};

mod held;
mod post;

use held::Held;
use post::Post;

/// So many happenings are foreseen at most.
pub const FORESEEN_MAX: usize = 60;

/// What would happen when a device failed. Times are Unix ms.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Forecast {
    /// The device's name.
    pub device: String,
    /// Its site.
    pub site: String,
    /// The site's name in Chinese; may be empty.
    pub site_zh: String,
    /// The site's zone.
    pub zone: String,
    /// The fault.
    pub fault: String,
    /// `critical`, `major` or `minor`.
    pub severity: String,
    /// When it would be confirmed.
    pub at: i64,
    /// When the escalation would begin: at once, or when nothing holds the pages back any more.
    pub begins_at: i64,
    /// The plan that applies; empty for the built-in one.
    pub plan: String,
    /// Why nobody would be paged at once, as far as that is known now.
    pub withheld: Vec<Withheld>,
    /// Which of the customer's people would be told.
    pub informed: Vec<ForeseenPerson>,
    /// What would happen, in order, if nobody answered.
    pub steps: Vec<Foreseen>,
    /// False when nobody at all would be paged, nor has been for what would be the cause.
    pub reaches_somebody: bool,
}

/// A reason to page nobody.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Withheld {
    /// `minor`: wakes nobody; `under`: it would be part of a trouble that stands; `maintenance`: a window; `remedy`: what
    /// is tried from afar before; `cause`, `flapping`, `replay`: the device's ticket that stands now is held for it.
    pub reason: String,
    /// The number of the ticket that stands for this device, or for the trouble that it would be part of.
    pub ticket: Option<i64>,
    /// Since when.
    pub from: Option<i64>,
    /// Until when, where that is known.
    pub until: Option<i64>,
    /// What a window is for, which remedy is tried, or what the cause is called; else empty.
    pub detail: String,
}

/// One thing that would happen.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Foreseen {
    /// When.
    pub at: i64,
    /// `step_asked`, `step_empty`, `step_passed`, `step_waits`, `manager_asked`, `administrators_asked` or `nobody_left`.
    pub kind: String,
    /// Of which round, from 1.
    pub round: Option<u32>,
    /// Which step, from 1.
    pub step: Option<usize>,
    /// Why it is passed over: `severity`, `class`, `customer`, `site` or `hours`.
    pub reason: Option<String>,
    /// Until when it waits.
    pub until: Option<i64>,
    /// Who would be asked.
    pub people: Vec<ForeseenPerson>,
}

/// One person who would be paged.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ForeseenPerson {
    /// The name.
    pub account: String,
    /// Why: `duty`, `rota`, `team`, `skill`, `person`, `manager`, `experts`, `administrator` or `contact`.
    pub because: String,
    /// `en` or `zh`.
    pub language: String,
    /// On which channels; empty when the person cannot be reached.
    pub channels: Vec<String>,
    /// Which of them would wait, by the person's own wish.
    pub waits: Vec<Waits>,
    /// How far away from the site, where that was asked, km.
    pub distance_km: Option<f64>,
}

/// A channel that would not be used at once.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Waits {
    /// Which.
    pub channel: String,
    /// `quiet`: the person's quiet hours; `limit`: the person's limit, as far as what was sent so far and this trouble go.
    pub reason: String,
    /// Until when, Unix ms.
    pub until: i64,
}

impl From<&Person> for ForeseenPerson {
    fn from(person: &Person) -> Self {
        Self {
            account: person.account.clone(),
            because: person.because.to_owned(),
            language: person.ways.first().map(|way| way.language.clone()).unwrap_or_default(),
            channels: person.ways.iter().map(|way| way.channel.clone()).collect(),
            waits: Vec::new(),
            distance_km: person.distance_km.map(|far| (far * 10.0).round() / 10.0),
        }
    }
}

/// An instant with `Z` or an offset, or a time that a clock in this zone shows; `None` for what is neither.
pub fn instant(text: &str, zone_name: &str) -> Option<Timestamp> {
    let local = || text.parse::<DateTime>().ok()?.to_zoned(zone(zone_name)).ok();
    text.parse().ok().or_else(|| local().map(|zoned| zoned.timestamp()))
}

/// What would happen if `fault` were confirmed on a device at `at`.
pub async fn foresee(
    conn: &mut Conn,
    device_id: &str,
    subject: Subject,
    fault: &str,
    at: Timestamp,
) -> sqlx::Result<Forecast> {
    let severity = incident::severity_of(fault).as_str().to_owned();
    let trouble = Trouble {
        severity: severity.clone(),
        class: subject.class.clone(),
        customer_id: subject.customer_id.clone(),
        site_id: subject.site_id.clone(),
        zone: zone(&subject.zone),
    };
    let cause = incident::step::foresee(conn, &subject.site_id, device_id, fault, at).await?;
    let wakes = incident::wakes(&severity) && cause.is_none();
    let (held, mut withheld) = look_for_holds(conn, device_id, &subject, fault, at).await?;
    if let Some(cause) = &cause {
        let ticket = match &cause.ticket_id {
            Some(id) => Some(ticket::store::number_of(conn, id).await?),
            None => None,
        };
        let detail = cause.name.clone();
        withheld.insert(0, Withheld { reason: "under".to_owned(), ticket, from: None, until: None, detail });
    } else if !wakes {
        let minor = "minor".to_owned();
        let detail = String::new();
        withheld.insert(0, Withheld { reason: minor, ticket: None, from: None, until: None, detail });
    }
    // What is held begins when nothing holds it, with the plan that applies then.
    let begin = held.end(at).unwrap_or(at);
    let applies = plans::applies(conn, &trouble, begin).await?;
    let mut post = Post::new(severity == "critical", at);
    let mut informed = Vec::new();
    if wakes {
        for account in people::named(conn, "contact", &subject.site_id).await? {
            let person = people::person(conn, account, "contact", None).await?;
            informed.extend(post.send(conn, &person.into_iter().collect::<Vec<_>>(), begin).await?);
        }
    }
    let steps =
        if wakes { walk(conn, &applies.plan, trouble, begin, &held, &mut post).await? } else { Vec::new() };
    // A window that begins after the last thing that would happen changes nothing.
    let last = steps.last().map_or(begin.as_millisecond(), |step| step.until.unwrap_or(step.at));
    withheld.retain(|one| one.from.is_none_or(|from| from <= last));
    Ok(Forecast {
        device: subject.device,
        site: subject.site,
        site_zh: subject.site_zh,
        zone: subject.zone,
        fault: fault.to_owned(),
        severity,
        at: at.as_millisecond(),
        begins_at: begin.as_millisecond(),
        plan: applies.name,
        withheld,
        informed,
        reaches_somebody: cause.is_some()
            || steps.iter().flat_map(|one| &one.people).any(|one| !one.channels.is_empty()),
        steps,
    })
}

/// What would hold the pages back, for the walk and for people.
async fn look_for_holds(
    conn: &mut Conn,
    device_id: &str,
    subject: &Subject,
    fault: &str,
    at: Timestamp,
) -> sqlx::Result<(Held, Vec<Withheld>)> {
    let (mut held, mut withheld) = (Held::default(), Vec::new());
    let at_ms = at.as_millisecond();
    let windows =
        maintenance::store::list_covering(conn, &subject.site_id, &subject.gateway_id, device_id, fault)
            .await?;
    for row in windows {
        let Some((from, until)) = row.window().holds_back(at_ms) else { continue };
        held.add(from, until);
        let reason = "maintenance".to_owned();
        let (from, until, detail) = (Some(from), Some(until), row.reason);
        withheld.push(Withheld { reason, ticket: None, from, until, detail });
    }
    let in_window = held.end(at).is_some();
    if let Some((kind, wait)) = remedy::step::foresee(conn, device_id, fault, in_window, at).await? {
        let until = at.saturating_add(wait).unwrap_or(at).as_millisecond();
        held.add(at_ms, until);
        let (from, until, detail) = (Some(at_ms), Some(until), kind.as_str().to_owned());
        withheld.push(Withheld { reason: "remedy".to_owned(), ticket: None, from, until, detail });
    }
    for (number, hold) in ticket::store::hold::list_of_device(conn, device_id).await? {
        // Windows are known by themselves, and a hold that has an end before then holds nothing.
        if hold.reason != "maintenance" && hold.until_at.is_none_or(|until| until > at_ms) {
            let (ticket, until, detail) = (Some(number), hold.until_at, String::new());
            withheld.push(Withheld { reason: hold.reason, ticket, from: None, until, detail });
        }
    }
    Ok((held, withheld))
}

async fn walk(
    conn: &mut Conn,
    plan: &super::plan::Plan,
    trouble: Trouble,
    at: Timestamp,
    held: &Held,
    post: &mut Post,
) -> sqlx::Result<Vec<Foreseen>> {
    let site = trouble.site_id.clone();
    let mut facts = Facts { trouble, holder: Holder::Nobody, held: false };
    let mut standing = Standing::begin(plan, at);
    let mut foreseen: Vec<Foreseen> = Vec::new();
    let mut now = at;
    while foreseen.len() < FORESEEN_MAX {
        let free = held.end(now);
        facts.held = free.is_some();
        let Some(found) = standing.step(plan, &facts, now) else {
            let next = match (free, standing.due) {
                (_, None) => None,
                (Some(free), Some(_)) => Some(free),
                (None, Some(due)) => Some(held.next(now).map_or(due, |next| next.min(due))),
            };
            match next.filter(|next| *next > now) {
                Some(next) => now = next,
                None => break,
            }
            continue;
        };
        let mut one = Foreseen {
            at: now.as_millisecond(),
            kind: String::new(),
            round: None,
            step: None,
            reason: None,
            until: None,
            people: Vec::new(),
        };
        let manager = [Target::Manager {}];
        let (kind, people) = match found {
            Move::Ask { round, step } => {
                (one.round, one.step) = (Some(round + 1), Some(step + 1));
                let targets = plan.steps.get(step).map_or(&[][..], |step| &step.targets);
                ("step_asked", people::resolve(conn, targets, &site, now).await?)
            }
            Move::Pass { round, step, why } => {
                (one.round, one.step) = (Some(round + 1), Some(step + 1));
                one.reason = Some(why.as_str().to_owned());
                ("step_passed", Vec::new())
            }
            Move::Wait { round, step, until } => {
                (one.round, one.step) = (Some(round + 1), Some(step + 1));
                one.until = Some(until.as_millisecond());
                ("step_waits", Vec::new())
            }
            Move::Manager => ("manager_asked", people::resolve(conn, &manager, &site, now).await?),
            Move::Administrators => ("administrators_asked", people::administrators(conn).await?),
            Move::Remind | Move::Lapse | Move::End => break,
        };
        let reachable = people.iter().filter(|person| person.is_reachable()).count();
        let kind = match (kind, reachable) {
            ("step_asked", 0) => "step_empty",
            ("administrators_asked", 0) => "nobody_left",
            (kind, _) => kind,
        };
        if matches!(found, Move::Ask { .. } | Move::Manager) {
            standing.asked(reachable, now);
        }
        kind.clone_into(&mut one.kind);
        one.people = post.send(conn, &people, now).await?;
        if !(kind == "manager_asked" && reachable == 0) {
            foreseen.push(one);
        }
    }
    Ok(foreseen)
}
