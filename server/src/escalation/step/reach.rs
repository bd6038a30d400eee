//! Pages that do not get through: a plan that waits for an answer of somebody who cannot be reached waits in vain.

use jiff::Timestamp;
use serde_json::json;

use super::Escalation;
use crate::db::Conn;
use crate::escalation::{Holder, Phase, store};

/// Does what comes next in a ticket's plan at once, if nobody whom it has asked so far was reached or still may be.
/// True when the plan sees to it that somebody hears of the ticket; false when others have to be told.
pub async fn go_on(conn: &mut Conn, ticket: &str, now: Timestamp) -> sqlx::Result<bool> {
    let Some(case) = store::find(conn, ticket).await? else { return Ok(false) };
    let Some(standing) = case.standing() else { return Ok(false) };
    let facts = case.facts();
    let mut one = Escalation::of(&case, standing);
    let waits = matches!(one.standing.phase, Phase::Asking | Phase::Manager) && one.standing.due.is_some();
    if one.is_built_in || !waits || facts.held || facts.holder != Holder::Nobody {
        return Ok(false);
    }
    if store::may_reach(conn, ticket).await? {
        return Ok(true);
    }
    let place = match one.standing.last_asked() {
        Some((round, step)) => json!({ "round": round + 1, "step": step + 1, "of": one.plan.steps.len() }),
        None => json!({}),
    };
    one.note(conn, "not_reached", &place, now).await?;
    one.standing.due = Some(now);
    one.advance(conn, &facts, now).await?;
    one.save(conn, now).await?;
    store::may_reach(conn, ticket).await
}
