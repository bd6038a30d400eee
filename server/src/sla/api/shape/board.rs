//! How the board of clocks looks on the API.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::router::Items;
use crate::sla::store::board;

/// A part of the board, and how many clocks there are in all, by state.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClockBoard {
    /// The clocks.
    #[serde(flatten)]
    pub list: Items<BoardClock>,
    /// How many, by state.
    pub counts: BTreeMap<String, i64>,
}

/// A clock that nothing has stopped. Times are Unix ms.
#[derive(Debug, Serialize, ToSchema)]
pub struct BoardClock {
    /// The ticket.
    pub ticket_id: String,
    /// The ticket's number.
    pub number: i64,
    /// What a person wrote; empty when the machine opened it.
    pub title: String,
    /// The fault code; empty when a person opened it.
    pub code: String,
    /// `critical`, `major` or `minor`.
    pub severity: String,
    /// `open`, `acked` or `closed`.
    pub ticket_state: String,
    /// Where.
    pub site_id: String,
    /// The site's name.
    pub site_name: String,
    /// The site's name in Chinese; may be empty.
    pub site_name_zh: String,
    /// The site's time zone.
    pub zone: String,
    /// The device, if it is about one.
    pub device_name: Option<String>,
    /// Who has it; `null` where nobody does.
    pub holder: Option<String>,
    /// The clock's name.
    pub name: String,
    /// Which run of it.
    pub run: i64,
    /// What the contract calls it.
    pub clock: String,
    /// `running`, `paused` or `breached_running`.
    pub state: String,
    /// Why it is paused; empty otherwise.
    pub reason: String,
    /// Whether a supplier owes it to us.
    pub supplier: bool,
    /// When it is due; of a paused one, as it was when it was paused.
    pub due_at: i64,
    /// Whether a day that is not announced yet may move it.
    pub provisional: bool,
    /// The budget, seconds.
    pub budget_s: i64,
    /// What was used of it at `counted_at`.
    pub used_s: i64,
    /// The last share that was reached, per cent.
    pub share: i64,
    /// Whether whoever goes there is expected too late; a customer is not told.
    pub foreseen: bool,
    /// When it last changed.
    pub counted_at: i64,
}

impl From<board::Row> for BoardClock {
    fn from(row: board::Row) -> Self {
        Self {
            holder: row.assignee.or(row.acked_by),
            ticket_id: row.ticket_id,
            number: row.number,
            title: row.title,
            code: row.code,
            severity: row.severity,
            ticket_state: row.ticket_state,
            site_id: row.site_id,
            site_name: row.site_name,
            site_name_zh: row.site_name_zh,
            zone: row.zone,
            device_name: row.device_name,
            name: row.name,
            run: row.run,
            clock: row.clock,
            state: row.state,
            reason: row.reason,
            supplier: row.supplier == 1,
            due_at: row.due_at,
            provisional: row.provisional == 1,
            budget_s: row.budget_s,
            used_s: row.used_s,
            share: row.share,
            foreseen: row.foreseen % 2 == 1,
            counted_at: row.counted_at,
        }
    }
}
