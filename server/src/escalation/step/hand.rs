//! What people do with an escalation by hand: hand a ticket on to somebody else, or call the experts.

use jiff::Timestamp;
use serde_json::json;

use super::Escalation;
use crate::db::Conn;
use crate::escalation::plan::{Plan, Target};
use crate::escalation::store::plan::Applies;
use crate::escalation::store::{self, Case, people};
use crate::escalation::{BY_HAND_S, EXPERTS_LIMIT, Phase, Standing};
use crate::ticket;
use crate::ticket::Actor;

/// A plan of one step for what a person asks for by hand. Where the ticket's own plan trusts whoever takes it
/// only for a while, so does this.
pub fn one_step(case: &Case, target: Target) -> Applies {
    let plan = Plan::by_hand(target, Some(BY_HAND_S), case.plan().ack_s);
    let text = serde_json::to_string(&plan).unwrap_or_default();
    Applies { name: String::new(), text, plan }
}

/// Begins a new escalation of a ticket with another plan; whoever had the ticket has it no more.
pub async fn reroute(conn: &mut Conn, case: &Case, plan: &Applies, now: Timestamp) -> sqlx::Result<()> {
    ticket::store::set_untaken(conn, &case.ticket_id, now).await?;
    ticket::store::set_paged(conn, &case.ticket_id, &case.severity).await?;
    let open = store::find(conn, &case.ticket_id).await?.unwrap_or_else(|| case.clone());
    super::begin(conn, &open, plan, now).await
}

/// Asks the expert panel, beside whatever the escalation does; how many people can be reached. From now on their
/// measures are owed within [`EXPERTS_LIMIT`].
pub async fn experts(
    conn: &mut Conn,
    case: &Case,
    actor: &Actor,
    reason: &str,
    now: Timestamp,
) -> sqlx::Result<usize> {
    let until = now.saturating_add(EXPERTS_LIMIT).unwrap_or(now);
    let panel = people::resolve(conn, &[Target::Experts {}], &case.site_id, now).await?;
    let reachable: Vec<&str> =
        panel.iter().filter(|one| one.is_reachable()).map(|one| one.account.as_str()).collect();
    let count = reachable.len();
    let body = json!({ "text": reason, "people": reachable, "until": until.as_millisecond() });
    ticket::store::append(conn, &case.ticket_id, "experts_called", actor, &body, now, now).await?;
    let standing = case.standing().unwrap_or(Standing {
        phase: Phase::Rest,
        due: None,
        ..Standing::begin(&Plan::built_in(), now)
    });
    if case.serial.is_none() {
        store::begin(conn, &case.ticket_id, "", "", &standing, now).await?;
    }
    store::set_experts(conn, &case.ticket_id, Some(until)).await?;
    let key = format!("experts/{}", now.as_millisecond());
    Escalation::of(case, standing).page(conn, &panel, &key, &json!({}), now).await?;
    Ok(count)
}

/// Tells the manager, or else the administrators, of experts who have not begun with the measures that they owe.
/// Whoever of the panel has done anything with the ticket has begun. Returns the tickets touched.
pub(super) async fn experts_late(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<String>> {
    let mut touched = Vec::new();
    for (ticket, measures) in store::list_experts_due(conn, now).await? {
        if measures != 0 {
            store::set_experts(conn, &ticket, None).await?;
            continue;
        }
        let Some(case) = store::find(conn, &ticket).await? else { continue };
        let Some(standing) = case.standing() else { continue };
        let mut people = people::resolve(conn, &[Target::Manager {}], &case.site_id, now).await?;
        people.retain(people::Person::is_reachable);
        if people.is_empty() {
            people = people::administrators(conn).await?;
        }
        let names: Vec<&str> = people.iter().map(|one| one.account.as_str()).collect();
        let one = Escalation::of(&case, standing);
        one.note(conn, "experts_late", &json!({ "people": names }), now).await?;
        one.page(conn, &people, &format!("experts_late/{}", now.as_millisecond()), &json!({}), now).await?;
        touched.push(ticket);
    }
    Ok(touched)
}
