//! Where causes are found and what follows: which incident has a ticket of its own, which stands under another, when
//! a ticket is done. Runs before the pages are planned, and only where something is unsettled.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::cause::{Node, Trouble, Verdict, judge};
use super::store::New;
use super::store::cause::{self as store, Open};
use super::store::many;
use super::{FLAP_LASTS, rank, severity_of};
use crate::app::Touched;
use crate::clock::from_ms;
use crate::db::Conn;
use crate::ticket::{self, Actor, Hold};
use crate::{gateway, page, remedy};

/// Symptoms that an event names.
const NAMED: usize = 20;
/// How long a symptom is left under a cause that comes and goes before it is looked at again.
const LOOK_AGAIN: i64 = 60_000;

/// Sites that are read at once.
const SITES_AT_ONCE: usize = 16;

/// Judges what is unsettled, ends the holds whose time is over, and closes what was only held open.
pub async fn settle(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Touched> {
    let mut touched = Touched::default();
    let sites = store::list_unsettled_sites(conn, now).await?;
    for sites in sites.chunks(SITES_AT_ONCE) {
        touched.add(settle_sites(conn, sites, now).await?);
    }
    for ticket in ticket::store::hold::release_due(conn, now).await? {
        close_if_done(conn, &ticket, now).await?;
        touched.tickets.insert(ticket);
    }
    Ok(touched)
}

/// Judges everything that stands at these sites, each site by itself. What is done at one changes nothing of
/// what was read of another.
pub async fn settle_sites(conn: &mut Conn, sites: &[String], now: Timestamp) -> sqlx::Result<Touched> {
    let standing = store::list_open_at(conn, sites).await?;
    let mut ids: Vec<String> =
        standing.values().flatten().map(|incident| incident.node().to_owned()).collect();
    ids.sort_unstable();
    ids.dedup();
    let nodes = store::list_nodes(conn, &ids).await?;
    let mut touched = Touched::default();
    for open in standing.values() {
        touched.add(settle_site(conn, open, &nodes, now).await?);
    }
    Ok(touched)
}

async fn settle_site(
    conn: &mut Conn,
    open: &[Open],
    nodes: &BTreeMap<String, Node>,
    now: Timestamp,
) -> sqlx::Result<Touched> {
    let troubles: Vec<Trouble> = open.iter().map(Trouble::from).collect();
    let verdicts = judge(nodes, &troubles, now.as_millisecond());
    let mut round = Round::new(now);
    // Causes first: a symptom goes to its cause's ticket.
    let mut tickets: BTreeMap<usize, String> = BTreeMap::new();
    for (at, incident) in open.iter().enumerate() {
        match &verdicts[at] {
            Verdict::Root => {
                if let Some(ticket) = round.root(conn, incident).await? {
                    tickets.insert(at, ticket);
                }
            }
            Verdict::Wait { until, .. } => round.wait(conn, incident, *until).await?,
            Verdict::Symptom(_) => {}
        }
    }
    for (at, incident) in open.iter().enumerate() {
        let Verdict::Symptom(cause) = &verdicts[at] else { continue };
        if let Some(ticket) = tickets.get(cause) {
            round.symptom(conn, incident, &open[*cause], ticket).await?;
        }
    }
    round.place(conn).await?;
    round.tell(conn).await?;
    Ok(round.touched)
}

impl From<&Open> for Trouble {
    fn from(incident: &Open) -> Self {
        Self {
            node: incident.node().to_owned(),
            code: incident.code.clone(),
            last_good_at: incident.last_good_at,
            first_bad_at: incident.first_bad_at.unwrap_or(incident.opened_at),
            under: incident.cause_node.clone(),
            answered: incident.answered(),
        }
    }
}

/// What stands at the site and would be the cause if `code` were confirmed on a device at `at`.
pub async fn foresee(
    conn: &mut Conn,
    site: &str,
    device: &str,
    code: &str,
    at: Timestamp,
) -> sqlx::Result<Option<Open>> {
    let mut open = store::list_open(conn, site).await?;
    open.retain(|incident| incident.node() != device);
    let mut ids: Vec<String> = open.iter().map(|incident| incident.node().to_owned()).collect();
    ids.push(device.to_owned());
    ids.sort_unstable();
    ids.dedup();
    let nodes = store::list_nodes(conn, &ids).await?;
    let mut troubles: Vec<Trouble> = open.iter().map(Trouble::from).collect();
    let confirm_ms = nodes.get(device).map_or(0, |node| node.confirm_ms);
    let first_bad_at = at.as_millisecond().saturating_sub(confirm_ms);
    troubles.push(Trouble {
        node: device.to_owned(),
        code: code.to_owned(),
        first_bad_at,
        ..Trouble::default()
    });
    Ok(match judge(&nodes, &troubles, at.as_millisecond()).pop() {
        Some(Verdict::Symptom(cause)) if cause < open.len() => Some(open.swap_remove(cause)),
        _ => None,
    })
}

struct Round {
    now: Timestamp,
    touched: Touched,
    /// Symptoms that go under a cause on its ticket, and when the first of them opened.
    placing: BTreeMap<(String, String), (Vec<String>, i64)>,
    /// Symptoms that a ticket has got, by name.
    gained: BTreeMap<String, Vec<String>>,
}

impl Round {
    fn new(now: Timestamp) -> Self {
        Self { now, touched: Touched::default(), placing: BTreeMap::new(), gained: BTreeMap::new() }
    }

    /// An incident that is a cause of its own; its ticket.
    async fn root(&mut self, conn: &mut Conn, incident: &Open) -> sqlx::Result<Option<String>> {
        let now = self.now.as_millisecond();
        if let Some(ticket) = &incident.ticket_id {
            if incident.cause_id.is_none() {
                if incident.settle_at.is_some() {
                    store::set_settle(conn, &incident.id, None).await?;
                }
                return Ok(Some(ticket.clone()));
            }
            // Its cause is gone; it may still follow.
            if incident.cause_closed_at.is_some() {
                if incident.settle_at.is_some_and(|at| at > now) {
                    return Ok(None);
                }
                if is_held(conn, ticket, Hold::Flapping).await? {
                    store::set_settle(conn, &incident.id, Some(now + LOOK_AGAIN)).await?;
                    return Ok(None);
                }
            }
        }
        let left = incident.ticket_id.clone();
        let own = own_ticket(conn, incident, left.as_deref(), self.now).await?;
        self.touch(incident, &own);
        if let Some(left) = left {
            leave(conn, &left, incident, self.now).await?;
            self.touched.tickets.insert(left);
        }
        Ok(Some(own))
    }

    /// An incident whose cause may yet turn up.
    async fn wait(&self, conn: &mut Conn, incident: &Open, until: i64) -> sqlx::Result<()> {
        if incident.ticket_id.is_none() || incident.cause_id.is_some() {
            let until =
                incident.settle_at.filter(|_| incident.cause_id.is_some()).map_or(until, |at| at.max(until));
            store::set_settle(conn, &incident.id, Some(until)).await?;
        } else if incident.settle_at.is_some() {
            store::set_settle(conn, &incident.id, None).await?;
        }
        Ok(())
    }

    /// An incident under another one.
    async fn symptom(
        &mut self,
        conn: &mut Conn,
        incident: &Open,
        cause: &Open,
        ticket: &str,
    ) -> sqlx::Result<()> {
        let left = incident.ticket_id.as_deref().filter(|left| *left != ticket);
        if incident.cause_id.as_deref() == Some(&cause.id) && left.is_none() {
            if incident.settle_at.is_some() {
                store::set_settle(conn, &incident.id, None).await?;
            }
            return Ok(());
        }
        let is_new = incident.ticket_id.as_deref() != Some(ticket) || incident.cause_id.is_none();
        self.touch(incident, ticket);
        let (ids, first) = self
            .placing
            .entry((cause.id.clone(), ticket.to_owned()))
            .or_insert_with(|| (Vec::new(), incident.opened_at));
        ids.push(incident.id.clone());
        *first = incident.opened_at.min(*first);
        if let Some(left) = left {
            // What is left behind is looked at, so this one has to be gone from it.
            self.place(conn).await?;
            if incident.cause_id.is_some() {
                leave(conn, left, incident, self.now).await?;
            } else {
                merge(conn, left, ticket, incident, cause, self.now).await?;
            }
            self.touched.tickets.insert(left.to_owned());
        }
        if is_new {
            self.gained.entry(ticket.to_owned()).or_default().push(incident.name.clone());
        }
        Ok(())
    }

    /// Puts symptoms under their causes, all of a cause at once.
    async fn place(&mut self, conn: &mut Conn) -> sqlx::Result<()> {
        for ((cause, ticket), (ids, first)) in std::mem::take(&mut self.placing) {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            many::place(conn, &ids, &cause, &ticket).await?;
            ticket::store::set_begun(conn, &ticket, first).await?;
        }
        Ok(())
    }

    /// One line on each ticket's record for all that it has got.
    async fn tell(&mut self, conn: &mut Conn) -> sqlx::Result<()> {
        for (ticket, mut names) in std::mem::take(&mut self.gained) {
            names.sort_unstable();
            names.dedup();
            let count = names.len();
            names.truncate(NAMED);
            let body = json!({ "count": count, "names": names });
            ticket::store::append(conn, &ticket, "symptoms", &Actor::System, &body, self.now, self.now)
                .await?;
        }
        Ok(())
    }

    fn touch(&mut self, incident: &Open, ticket: &str) {
        self.touched.incidents.insert(incident.id.clone());
        self.touched.tickets.insert(ticket.to_owned());
        self.touched.devices.extend(incident.device_id.clone());
    }
}

/// An incident that ended before its cause could turn up has a ticket of its own.
pub async fn stands_alone(conn: &mut Conn, id: &str, now: Timestamp) -> sqlx::Result<Touched> {
    let mut round = Round::new(now);
    if let Some(incident) = store::find_open(conn, id).await? {
        let ticket = own_ticket(conn, &incident, None, now).await?;
        round.touch(&incident, &ticket);
    }
    Ok(round.touched)
}

/// A ticket for an incident that is a cause of its own. `left` is the ticket under which it stood.
async fn own_ticket(
    conn: &mut Conn,
    incident: &Open,
    left: Option<&str>,
    now: Timestamp,
) -> sqlx::Result<String> {
    let new = New {
        gateway_id: &incident.gateway_id,
        device_id: incident.device_id.as_deref(),
        code: &incident.code,
        opened_at: from_ms(incident.opened_at),
        last_good_at: incident.last_good_at.map(from_ms),
        first_bad_at: incident.first_bad_at.map(from_ms),
        evidence: &incident.evidence,
    };
    let mut more = json!({});
    let waited = now.as_millisecond() - incident.recorded_at;
    if let Some(left) = left {
        more = json!({ "left": ticket::store::number_of(conn, left).await? });
    } else if waited >= 1000 {
        more = json!({ "waited_s": waited / 1000 });
    }
    let ticket = ticket_for(conn, &new, &more, now).await?;
    store::place(conn, &incident.id, None, &ticket).await?;
    if let Some(device) = new.device_id {
        remedy::step::consider(conn, device, new.code, &ticket, new.opened_at, now).await?;
    }
    if incident.flapping == 1 {
        hold_flapping(conn, &ticket, &incident.code, now).await?;
    }
    Ok(ticket)
}

/// The machine's ticket for a new incident: the one that stands for this device, made graver if need
/// be, or a new one. `more` are particulars for its record.
pub async fn ticket_for(
    conn: &mut Conn,
    new: &New<'_>,
    more: &Value,
    now: Timestamp,
) -> sqlx::Result<String> {
    let severity = severity_of(new.code).as_str();
    let mut fact = json!({ "code": new.code, "severity": severity,
        "last_good_at": new.last_good_at.map(Timestamp::as_millisecond),
        "first_bad_at": new.first_bad_at.map(Timestamp::as_millisecond),
        "evidence": serde_json::from_str::<Value>(new.evidence).unwrap_or_default() });
    if let (Value::Object(fact), Value::Object(more)) = (&mut fact, more) {
        fact.extend(more.clone());
    }
    if let Some((id, stands)) =
        ticket::store::find_machine(conn, new.gateway_id, new.device_id, new.code).await?
    {
        if rank(severity) > rank(&stands) {
            ticket::store::worsen(conn, &id, new.code, severity, now).await?;
        }
        ticket::store::append(conn, &id, "fault_raised", &Actor::Machine, &fact, new.opened_at, now).await?;
        return Ok(id);
    }
    let site = gateway::store::replay::site_of(conn, new.gateway_id).await?;
    let opening = ticket::store::New {
        site_id: &site,
        gateway_id: Some(new.gateway_id),
        device_id: new.device_id,
        origin: "machine",
        code: new.code,
        title: "",
        severity,
        opened_at: new.opened_at,
    };
    let (id, _) = ticket::store::insert(conn, &opening, now).await?;
    ticket::store::append(conn, id.as_str(), "opened", &Actor::Machine, &fact, new.opened_at, now).await?;
    Ok(id.to_string())
}

/// A symptom leaves the ticket of what is no longer its cause.
async fn leave(conn: &mut Conn, left: &str, incident: &Open, now: Timestamp) -> sqlx::Result<()> {
    let body = json!({ "name": incident.name, "code": incident.code });
    ticket::store::append(conn, left, "symptom_left", &Actor::System, &body, now, now).await?;
    close_if_done(conn, left, now).await?;
    Ok(())
}

/// An incident leaves its ticket for the one of its cause. A ticket on which nothing else stands is over: its work
/// goes on in the other, and what nobody was sent yet is withdrawn. Both records say so.
async fn merge(
    conn: &mut Conn,
    from: &str,
    into: &str,
    incident: &Open,
    cause: &Open,
    now: Timestamp,
) -> sqlx::Result<()> {
    let numbers = (ticket::store::number_of(conn, from).await?, ticket::store::number_of(conn, into).await?);
    let body = json!({ "from": numbers.0, "into": numbers.1, "name": incident.name, "code": incident.code,
        "cause": cause.name, "cause_code": cause.code });
    let over = !store::has_root(conn, from).await? && ticket::store::is_standing(conn, from).await?;
    if over {
        ticket::store::set_closed(conn, from, now, now).await?;
        page::step::withdraw(conn, from, "merged", now).await?;
    }
    let kind = if over { "merged" } else { "symptom_left" };
    ticket::store::append(conn, from, kind, &Actor::System, &body, now, now).await?;
    if over {
        ticket::store::append(conn, into, "merged", &Actor::System, &body, now, now).await?;
    }
    Ok(())
}

/// Closes a machine's ticket on which nothing stands any more, at the end of its last fault, unless it is still
/// coming and going. True when it did.
pub async fn close_if_done(conn: &mut Conn, ticket: &str, now: Timestamp) -> sqlx::Result<bool> {
    let Some(end) = store::last_end(conn, ticket).await? else { return Ok(false) };
    if !ticket::store::is_standing(conn, ticket).await? || is_held(conn, ticket, Hold::Flapping).await? {
        return Ok(false);
    }
    let at = from_ms(end);
    let healed = remedy::step::heal(conn, ticket, at, now).await?;
    ticket::store::set_closed(conn, ticket, at, now).await?;
    let why = healed.unwrap_or_else(|| json!({ "reason": "machine" }));
    ticket::store::append(conn, ticket, "closed", &Actor::Machine, &why, at, now).await?;
    page::step::all_clear(conn, ticket, now).await?;
    Ok(true)
}

/// A ticket's trouble comes and goes: its pages wait until it has kept still, and so does its closing.
pub async fn hold_flapping(conn: &mut Conn, ticket: &str, code: &str, now: Timestamp) -> sqlx::Result<()> {
    let until = now.saturating_add(FLAP_LASTS).unwrap_or(now);
    ticket::store::hold::hold(conn, ticket, Hold::Flapping, &json!({ "code": code }), Some(until), now)
        .await?;
    Ok(())
}

/// A ticket's trouble has kept still: what the people do not know yet is paged, or it closes.
pub async fn release_flapping(conn: &mut Conn, ticket: &str, now: Timestamp) -> sqlx::Result<()> {
    if ticket::store::hold::release(conn, ticket, Hold::Flapping, now).await? {
        close_if_done(conn, ticket, now).await?;
    }
    Ok(())
}

/// Whether a ticket is held for this reason.
pub async fn is_held(conn: &mut Conn, ticket: &str, reason: Hold) -> sqlx::Result<bool> {
    Ok(ticket::store::hold::list(conn, ticket).await?.iter().any(|hold| hold.reason == reason.as_str()))
}

/// A gateway that falls silent so often is said to come and go.
pub const SILENCES: i64 = 4;
/// Within this time.
pub const SILENCES_WITHIN: SignedDuration = SignedDuration::from_hours(1);
