//! What a visit's steps mean to the contract beyond the facts they are themselves: work that waits pauses the clocks
//! that may wait for this reason, once whoever must approve has done so; and what the contract demands consent to is
//! begun with a name, or its record says that there was none.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::db::Conn;
use crate::sla::store::{Case, Library, find_case};
use crate::ticket::Actor;
use crate::ticket::store::fact;
use crate::visit::moment::Moment;
use crate::visit::{Pause, State as VisitState, Step};

/// Operations that work on a visit is.
const OPERATIONS: [&str; 2] = ["maintenance", "repair_plan"];

/// Who must consent before work begins on a ticket, by its contract.
fn consents(case: &Case) -> Vec<String> {
    let mut wanted: Vec<String> = Vec::new();
    for operation in OPERATIONS {
        for one in case.contract().consent_to(operation) {
            if wanted.iter().all(|known| known != one) {
                wanted.push(one.to_owned());
            }
        }
    }
    wanted
}

/// What the contract makes of a visit's turn from one state into another; `who` agreed to it.
enum Meaning {
    /// Clocks may wait, approved so.
    Pause {
        /// Why.
        reason: Pause,
        /// Whose approval the contract asks for.
        approver: String,
    },
    /// They may, and whoever must approve has not.
    NotApproved {
        /// Whose approval is missing.
        approver: String,
    },
    /// They go on.
    Resume,
    /// Nothing.
    None,
}

/// Reads a turn. A pause that the contract does not know changes no clock.
fn meaning(case: &Case, before: &VisitState, after: &VisitState, has_name: bool) -> Meaning {
    let is_paused = case.is_paused();
    match (before, after) {
        (_, VisitState::Paused(reason)) if !is_paused => {
            let mut rules = case.contract().clocks.iter().flat_map(|rule| &rule.pauses);
            let Some(rule) = rules.find(|rule| rule.reason == reason.as_str()) else { return Meaning::None };
            if rule.approver == "none" || has_name {
                Meaning::Pause { reason: *reason, approver: rule.approver.clone() }
            } else {
                Meaning::NotApproved { approver: rule.approver.clone() }
            }
        }
        (VisitState::Paused(_), VisitState::Paused(_)) => Meaning::None,
        (VisitState::Paused(_), _) if is_paused => Meaning::Resume,
        _ => Meaning::None,
    }
}

/// Tells a ticket's clocks of a turn of its visit, and adds to `line` what its reader must know.
pub async fn tell(
    conn: &mut Conn,
    ticket: &str,
    by: &Actor,
    (step, before, after): (&Step, &VisitState, &VisitState),
    (moment, line): (Moment, &mut Value),
    now: Timestamp,
) -> sqlx::Result<()> {
    let Some(case) = find_case(conn, &mut Library::default(), ticket).await? else { return Ok(()) };
    let who = line["who"].as_str().unwrap_or_default().to_owned();
    if *step == Step::Work && *before == VisitState::Arrived && who.is_empty() {
        let wanted = consents(&case);
        if !wanted.is_empty() {
            line["without_consent"] = wanted.into();
        }
    }
    let fact = match meaning(&case, before, after, !who.is_empty()) {
        Meaning::Pause { reason, approver } => {
            let mut fact =
                json!({ "what": "paused", "reason": reason.as_str(), "approver": approver, "evidence": [] });
            if approver != "none" {
                fact["approved_by"] = who.into();
            }
            fact
        }
        Meaning::NotApproved { approver } => {
            line["not_approved"] = approver.into();
            return Ok(());
        }
        Meaning::Resume => json!({ "what": "resumed", "evidence": [] }),
        Meaning::None => return Ok(()),
    };
    let new = fact::New {
        actor: by,
        body: &fact,
        occurred_at: moment.at,
        device: moment.device(),
        supersedes: None,
    };
    fact::append(conn, ticket, &new, now).await?;
    Ok(())
}
