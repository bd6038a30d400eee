//! A gateway's answer, in the transaction that takes it down. Most come while the remedy is followed. One that comes
//! when it was over already (the gateway was cut off when it acted, or has only now switched a port on again) is a
//! fact all the same: it counts for the limits of its day, and the ticket's record says what happened when. It pages
//! nobody and holds nothing: what the people had to know they were told when the time was up.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::app::Touched;
use crate::db::Conn;
use crate::remedy::store::{self, Late, Open};

use super::{follow, said, say};

/// The word for a remedy that began, and whose gateway said so only when it was over.
pub const TOLD_LATE: &str = "told_late";

/// A command was answered. Perhaps it was for a remedy.
pub async fn answered(
    conn: &mut Conn,
    command: &str,
    at: Timestamp,
    now: Timestamp,
) -> sqlx::Result<Touched> {
    let Some((remedy, is_over)) = store::find_by_command(conn, command).await? else {
        return Ok(Touched::default());
    };
    if is_over {
        late(conn, &remedy, at, now).await?;
    } else {
        follow(conn, &remedy, at, now).await?;
    }
    let mut touched = Touched::default();
    touched.devices.insert(remedy.device_id);
    touched.tickets.extend(remedy.ticket_id);
    Ok(touched)
}

async fn late(conn: &mut Conn, remedy: &Open, at: Timestamp, now: Timestamp) -> sqlx::Result<()> {
    let said = said(remedy);
    let word = remedy.command_state.as_deref().unwrap_or_default();
    let result = said.to_string();
    // What has healed stays healed; that it was refused, or not needed, has turned out to be wrong.
    let healed = remedy.state == "healed";
    let state = if healed { "healed" } else { "not_healed" };
    let reason = if healed { "" } else { TOLD_LATE };
    let begun = Late { state, reason, begun_at: Some(at), done_at: None, result: None };
    match word {
        "accepted" => {}
        "running" | "done" => {
            let is_done = word == "done";
            let done =
                Late { done_at: is_done.then_some(at), result: is_done.then_some(result.as_str()), ..begun };
            store::amend(conn, &remedy.id, &done).await?;
            if remedy.begun_at.is_none() {
                say(conn, remedy, "remedy_begun", json!({ "reason": TOLD_LATE }), at, now).await?;
            }
            if is_done {
                let body = json!({ "reason": reason, "result": said });
                say(conn, remedy, "remedy_done", body, at, now).await?;
            }
        }
        "rejected" | "failed" => {
            let (state, event, reason) = not_done(word, &said);
            let state = if healed { "healed" } else { state };
            let late = Late { state, reason, begun_at: None, done_at: None, result: Some(&result) };
            store::amend(conn, &remedy.id, &late).await?;
            say(conn, remedy, event, by_gateway(reason, &said), at, now).await?;
        }
        // That its time was over the record says already.
        _ => {}
    }
    Ok(())
}

/// How a remedy ends that the gateway did not do: its state, what the record calls it, and why.
pub(super) fn not_done<'a>(word: &'a str, said: &'a Value) -> (&'static str, &'static str, &'a str) {
    let reason = said.get("reason").and_then(Value::as_str).unwrap_or(word);
    if word == "rejected" {
        ("refused", "remedy_not_tried", reason)
    } else {
        ("failed", "remedy_failed", reason)
    }
}

/// That in the gateway's own words, for the record.
pub(super) fn by_gateway(reason: &str, said: &Value) -> Value {
    json!({ "reason": reason, "error": said.get("error"), "by": "gateway", "result": said })
}
