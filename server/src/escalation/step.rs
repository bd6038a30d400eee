//! Where time acts on escalations: beginning them, asking whoever is next, and saying so on the ticket.
//!
//! Everything happens in the caller's transaction: the pages are rows, the record is rows, and so is the standing.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::plan::{Plan, Target};
use super::store::people::{self, Person};
use super::store::plan::{Applies, applies};
use super::store::{self, Case};
use super::{Facts, Holder, Move, Phase, Standing};
use crate::db::Conn;
use crate::page::Purpose;
use crate::ticket::Actor;
use crate::{incident, page, ticket};

pub mod beat;
pub mod hand;
pub mod inform;
pub mod reach;
pub mod watch;

/// So many moves at one moment are more than any plan has.
const MOVES_MAX: usize = 200;

/// Begins the escalations that the tickets as they stand call for, and does what is due in those that stand.
/// Returns the tickets touched.
pub async fn step(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<String>> {
    let mut touched = ticket::store::hold::histories(conn, now).await?;
    for due in ticket::store::list_unpaged(conn).await? {
        if !ticket::store::set_paged(conn, &due.id, &due.severity).await? {
            continue;
        }
        touched.push(due.id.clone());
        if !incident::wakes(&due.severity) {
            let why = json!({ "reason": "minor" });
            ticket::store::append(conn, &due.id, "not_paged", &Actor::System, &why, now, now).await?;
            continue;
        }
        let Some(case) = store::find(conn, &due.id).await? else { continue };
        let plan = applies(conn, &case.trouble(), now).await?;
        begin(conn, &case, &plan, now).await?;
    }
    for case in store::list_due(conn, now).await? {
        let Some(before) = case.standing() else { continue };
        let mut one = Escalation::of(&case, before.clone());
        let moved = one.advance(conn, &case.facts(), now).await?;
        if one.standing != before {
            one.save(conn, now).await?;
        }
        if moved {
            touched.push(case.ticket_id);
        }
    }
    touched.extend(hand::experts_late(conn, now).await?);
    Ok(touched)
}

/// Begins an escalation of a ticket with a plan. Graver trouble is told at once even to those who have the ticket.
pub(super) async fn begin(conn: &mut Conn, case: &Case, plan: &Applies, now: Timestamp) -> sqlx::Result<()> {
    let standing = Standing::begin(&plan.plan, now);
    let serial = store::begin(conn, &case.ticket_id, &plan.name, &plan.text, &standing, now).await?;
    let mut one = Escalation {
        case: case.clone(),
        serial,
        plan: plan.plan.clone(),
        is_built_in: plan.text.is_empty(),
        standing,
    };
    if !one.is_built_in {
        let body = json!({ "plan": plan.name, "serial": serial });
        one.note(conn, "escalated", &body, now).await?;
    }
    inform::opened(conn, case, now).await?;
    let facts = case.facts();
    if matches!(facts.holder, Holder::Somebody { .. }) {
        let as_open = Facts { holder: Holder::Nobody, ..facts.clone() };
        if let Some(found) = one.standing.step(&one.plan, &as_open, now) {
            one.act(conn, found, &mut facts.clone(), now).await?;
        }
    }
    one.advance(conn, &facts, now).await?;
    one.save(conn, now).await
}

/// Asks those who came on duty, or got another address, after the last step of a ticket that nobody has taken.
/// Whoever has a page of that step gets none. With `by_rota` it is about rotas, where no further step comes by
/// time: until then the next step asks whoever is on duty. Returns the tickets touched.
pub async fn latecomers(conn: &mut Conn, by_rota: bool, now: Timestamp) -> sqlx::Result<Vec<String>> {
    let mut touched = Vec::new();
    for case in store::list_untaken(conn).await? {
        let Some(standing) = case.standing() else { continue };
        let mut one = Escalation::of(&case, standing);
        let Some((round, index)) = one.standing.last_asked() else { continue };
        let Some(step) = one.plan.steps.get(index) else { continue };
        let is_late = |target: &Target| match target {
            Target::Duty {} => !by_rota,
            Target::Rota { .. } => by_rota && one.standing.due.is_none(),
            Target::Person { .. } | Target::Team { .. } | Target::Skill { .. } => false,
            Target::Manager {} | Target::Experts {} => false,
        };
        if !step.targets.iter().any(is_late) {
            continue;
        }
        let people = people::resolve(conn, &step.targets, &case.site_id, now).await?;
        if one.page(conn, &people, &format!("{round}/{index}"), &json!({}), now).await? == 0 {
            continue;
        }
        one.standing.reached = true;
        if one.standing.phase == Phase::Spent {
            one.standing.phase = Phase::Rest;
        }
        one.save(conn, now).await?;
        touched.push(case.ticket_id);
    }
    Ok(touched)
}

/// One escalation at work.
pub(super) struct Escalation {
    pub(super) case: Case,
    pub(super) serial: i64,
    pub(super) plan: Plan,
    is_built_in: bool,
    pub(super) standing: Standing,
}

impl Escalation {
    pub(super) fn of(case: &Case, standing: Standing) -> Self {
        Self {
            case: case.clone(),
            serial: case.serial.unwrap_or(1),
            plan: case.plan(),
            is_built_in: case.plan.as_deref().unwrap_or_default().is_empty(),
            standing,
        }
    }

    /// Does all that is to be done now; whether that was anything.
    pub(super) async fn advance(
        &mut self,
        conn: &mut Conn,
        facts: &Facts,
        now: Timestamp,
    ) -> sqlx::Result<bool> {
        let mut facts = facts.clone();
        for count in 0..MOVES_MAX {
            let Some(found) = self.standing.step(&self.plan, &facts, now) else { return Ok(count > 0) };
            self.act(conn, found, &mut facts, now).await?;
        }
        Ok(true)
    }

    /// Writes where it stands, and whom it would ask next.
    pub(super) async fn save(&self, conn: &mut Conn, now: Timestamp) -> sqlx::Result<()> {
        let next = self.upcoming(conn).await?;
        store::save(conn, &self.case.ticket_id, &self.standing, &next, now).await
    }

    async fn act(
        &mut self,
        conn: &mut Conn,
        found: Move,
        facts: &mut Facts,
        now: Timestamp,
    ) -> sqlx::Result<()> {
        let of = self.plan.steps.len();
        match found {
            Move::Ask { round, step } => {
                let targets = self.plan.steps.get(step).map_or(&[][..], |step| &step.targets);
                let people = people::resolve(conn, targets, &self.case.site_id, now).await?;
                let place = json!({ "round": round + 1, "step": step + 1, "of": of });
                self.ask(conn, &people, "step_asked", &format!("{round}/{step}"), &place, now).await?;
            }
            Move::Pass { round, step, why } => {
                let body = json!({ "round": round + 1, "step": step + 1, "of": of, "reason": why.as_str() });
                self.note(conn, "step_passed", &body, now).await?;
            }
            Move::Wait { round, step, until } => {
                let body = json!({ "round": round + 1, "step": step + 1, "of": of, "until": until.as_millisecond() });
                self.note(conn, "step_waits", &body, now).await?;
            }
            Move::Manager => {
                let targets = [Target::Manager {}];
                let people = people::resolve(conn, &targets, &self.case.site_id, now).await?;
                let key = format!("{}/manager", self.standing.round);
                self.ask(conn, &people, "manager_asked", &key, &json!({}), now).await?;
            }
            Move::Administrators => {
                let people = people::administrators(conn).await?;
                let key = format!("{}/administrators", self.standing.round);
                let told = self.ask(conn, &people, "administrators_asked", &key, &json!({}), now).await?;
                if told == 0 {
                    let kind = if self.standing.reached { "nobody_left" } else { "nobody_to_page" };
                    self.note(conn, kind, &json!({}), now).await?;
                }
            }
            Move::Remind => {
                let taker = store::find_taker(conn, &self.case.ticket_id).await?;
                let mut people = Vec::new();
                if let Some(account) = taker {
                    people.extend(people::person(conn, account, "person", None).await?);
                }
                let key = format!("ack/{}", now.as_millisecond());
                let who =
                    json!({ "account": self.case.acked_by, "minutes": self.plan.ack_s.unwrap_or(0) / 60 });
                self.note(conn, "taker_asked", &who, now).await?;
                self.page(conn, &people, &key, &json!({}), now).await?;
            }
            Move::Lapse => {
                let who = json!({ "account": self.case.acked_by });
                self.note(conn, "ack_lapsed", &who, now).await?;
                ticket::store::set_untaken(conn, &self.case.ticket_id, now).await?;
                facts.holder = Holder::Nobody;
            }
            Move::End => inform::closed(conn, &self.case, now).await?,
        }
        Ok(())
    }

    /// Asks people, and says on the record whom. The built-in plan's one step is told by its pages alone.
    async fn ask(
        &mut self,
        conn: &mut Conn,
        people: &[Person],
        kind: &str,
        key: &str,
        place: &Value,
        now: Timestamp,
    ) -> sqlx::Result<usize> {
        let reachable = people.iter().filter(|one| one.is_reachable()).count();
        let is_step = kind == "step_asked";
        let silent = if is_step { self.is_built_in } else { reachable == 0 };
        if !silent {
            let mut body = place.clone();
            body["people"] =
                people.iter().filter(|one| one.is_reachable()).map(|one| one.account.as_str()).collect();
            let without: Vec<&str> =
                people.iter().filter(|one| !one.is_reachable()).map(|one| one.account.as_str()).collect();
            if !without.is_empty() {
                body["without_a_way"] = without.into();
            }
            let kind = if reachable == 0 { "step_empty" } else { kind };
            self.note(conn, kind, &body, now).await?;
        }
        self.page(conn, people, key, place, now).await?;
        self.standing.asked(reachable, now);
        Ok(reachable)
    }

    /// Queues a page on each way of each person who has none under this key; how many.
    pub(super) async fn page(
        &self,
        conn: &mut Conn,
        people: &[Person],
        key: &str,
        place: &Value,
        now: Timestamp,
    ) -> sqlx::Result<usize> {
        let mut queued = 0;
        for to in people.iter().flat_map(|person| &person.ways) {
            // A way names the person, the channel and the address.
            let key = format!("{}/{}/{key}/{}", self.case.ticket_id, self.serial, to.contact_id);
            if page::store::insert(conn, &key, &self.case.ticket_id, Purpose::Opened, to, now).await? {
                let mut body = json!({ "account": to.account, "channel": to.channel, "purpose": "opened" });
                if let (Value::Object(body), Value::Object(place)) = (&mut body, place) {
                    body.extend(place.clone());
                }
                self.note(conn, "page_queued", &body, now).await?;
                queued += 1;
            }
        }
        Ok(queued)
    }

    pub(super) async fn note(
        &self,
        conn: &mut Conn,
        kind: &str,
        body: &Value,
        now: Timestamp,
    ) -> sqlx::Result<()> {
        ticket::store::append(conn, &self.case.ticket_id, kind, &Actor::System, body, now, now).await
    }

    /// Whom it would ask next, as far as that is known now; empty when nothing happens by time.
    async fn upcoming(&self, conn: &mut Conn) -> sqlx::Result<String> {
        let Some(due) = self.standing.due else { return Ok(String::new()) };
        let manager = [Target::Manager {}];
        let targets = match self.standing.phase {
            Phase::Acked => return Ok(self.case.acked_by.clone().unwrap_or_default()),
            Phase::Manager => {
                let people = people::administrators(conn).await?;
                return Ok(names(&people));
            }
            Phase::Spent | Phase::Rest | Phase::Over => return Ok(String::new()),
            Phase::Asking | Phase::Reminded => {
                let again =
                    self.standing.round + 1 < self.plan.rounds || self.standing.phase == Phase::Reminded;
                match self.plan.steps.get(self.standing.next) {
                    Some(step) => &step.targets,
                    None if again => self.plan.steps.first().map_or(&[][..], |step| &step.targets),
                    None if self.plan.answer_s.is_some() => &manager[..],
                    None => return Ok(String::new()),
                }
            }
        };
        Ok(names(&people::resolve(conn, targets, &self.case.site_id, due).await?))
    }
}

/// A few names, and how many more there are.
fn names(people: &[Person]) -> String {
    const SHOWN: usize = 4;
    let reachable: Vec<&str> =
        people.iter().filter(|one| one.is_reachable()).map(|one| one.account.as_str()).collect();
    let shown = reachable.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if reachable.len() > SHOWN { format!("{shown} +{}", reachable.len() - SHOWN) } else { shown }
}
