//! What is deleted, and when: each kind of row on its own rule, in small steps, so that nothing else
//! waits for it.

pub mod step;

use crate::config::Retention;

const DAY_MS: i64 = 24 * 3_600_000;

/// One rule: rows of `table` whose `column` is older than so many days go, `also` narrowing them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The table.
    pub table: &'static str,
    /// What names a row, a list of columns.
    pub key: &'static str,
    /// Its time, Unix ms.
    pub column: &'static str,
    /// A further condition, SQL.
    pub also: &'static str,
    /// Age at which a row goes, ms.
    pub age_ms: i64,
}

impl Rule {
    /// Deletes some rows: `$1` is the time before which they go, `$2` how many at most.
    pub fn statement(&self) -> String {
        let Self { table, key, column, also, .. } = self;
        format!(
            "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {column} < $1 AND {also} LIMIT $2)"
        )
    }
}

/// The rules that the configuration makes. Tickets, incidents and their events are never deleted here:
/// they are what a contract is settled by.
pub fn rules(keep: &Retention) -> Vec<Rule> {
    let days = |days: u32| i64::from(days) * DAY_MS;
    let rule = |table, key, column, also, age_ms| Rule { table, key, column, also, age_ms };
    vec![
        rule("metric_block", "gateway_id, epoch, seq", "end_at", "1 = 1", days(keep.blocks_days)),
        rule("device_day", "device_id, day_at", "day_at", "1 = 1", days(keep.rollups_days)),
        rule("device_event", "id", "received_at", "1 = 1", days(keep.events_days)),
        // The last state of a device stays however old it is: it is the one that stands.
        rule(
            "device_state",
            "id",
            "at",
            "EXISTS (SELECT 1 FROM device_state later WHERE later.device_id = device_state.device_id \
             AND later.at > device_state.at)",
            days(keep.events_days),
        ),
        rule("record_gap", "gateway_id, epoch, from_seq", "received_at", "1 = 1", days(keep.events_days)),
        rule("audit", "id", "at", "1 = 1", days(keep.audit_days)),
        rule("command", "id", "expires_at", "1 = 1", days(keep.pages_days)),
        // What was done to a customer's device, and who had agreed to it, is kept like the audit; a ticket's record
        // tells of it for ever. A consent goes after what was done by it, one that may still be used not at all.
        rule("remedy", "id", "ended_at", "1 = 1", days(keep.audit_days)),
        rule(
            "remedy_consent",
            "id",
            "given_at",
            "(standing = 0 OR revoked_at < $1 OR until_at < $1) \
             AND NOT EXISTS (SELECT 1 FROM remedy r WHERE r.consent_id = remedy_consent.id)",
            days(keep.audit_days),
        ),
        // Where a device hung before. Where it was seen last stays however long ago that is: a dead device hangs there.
        rule(
            "port_seen",
            "device_id, switch_id, if_index",
            "seen_at",
            "EXISTS (SELECT 1 FROM port_seen later WHERE later.device_id = port_seen.device_id \
             AND later.seen_at > port_seen.seen_at)",
            days(keep.events_days),
        ),
        // A proposal that is still shown by a switch is seen again and again, whatever was answered to it.
        rule("parent_proposal", "id", "seen_at", "1 = 1", days(keep.events_days)),
        // A ticket's record says who was paged when; how each attempt went is for those who run this server. Of a
        // ticket that stands nothing goes: its people are still to be told that it is over.
        rule(
            "page_attempt",
            "page_id, attempt",
            "at",
            "EXISTS (SELECT 1 FROM page p JOIN ticket t ON t.id = p.ticket_id WHERE p.id = page_attempt.page_id \
             AND p.state IN ('sent', 'failed', 'withheld') AND t.state = 'closed')",
            days(keep.pages_days),
        ),
        rule(
            "page",
            "id",
            "created_at",
            "state IN ('sent', 'failed', 'withheld') \
             AND EXISTS (SELECT 1 FROM ticket t WHERE t.id = page.ticket_id AND t.state = 'closed') \
             AND NOT EXISTS (SELECT 1 FROM page_attempt a WHERE a.page_id = page.id)",
            days(keep.pages_days),
        ),
        rule(
            "outlet_ticket",
            "outlet_id, ticket_id",
            "told_at",
            "state = 'sent' AND want_state = 'closed'",
            days(keep.pages_days),
        ),
        rule("login_session", "token_hash", "expires_at", "1 = 1", 0),
        rule("enrol_token", "token_hash", "expires_at", "1 = 1", days(30)),
    ]
}
