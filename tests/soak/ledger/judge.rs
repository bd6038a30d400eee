//! The judge: every change of every target exactly once and at its time, one ticket for each trouble, no page
//! lost and none about nothing, high-water marks that agree, nothing left in a queue. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Flapping, Record, Truth};
use crate::soak::target::{Change, Mood};

/// A gateway may report its configuration so often; these numbers leave no row.
const REPORTS_MAX: usize = 12;
/// A ticket that stood longer was paged,
const UNPAGED_MS: i64 = 5_000;
/// unless it was told in a history, whose end a kill may put off; the record then says so.
const HELD_MS: i64 = 60_000;
/// How far a gateway's own time line may be from this machine's clock: the system tells a boot's age in steps of
/// 10 ms, and a line is taken up again after each kill.
const EARLY_MS: i64 = 40;

/// What was found.
#[derive(Debug, Default)]
pub struct Ledger {
    /// What is wrong; empty is good.
    pub complaints: Vec<String>,
    /// The head of each gateway's queue.
    pub(super) heads: BTreeMap<String, i64>,
    changes: usize,
    tickets: usize,
    blocks: usize,
    pages: usize,
    repeats: usize,
    withheld: usize,
    acked: usize,
    steps: usize,
    /// How far the earliest fact was before its change, ms.
    early_ms: i64,
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            changes,
            tickets,
            blocks,
            pages,
            repeats,
            withheld,
            acked,
            steps,
            early_ms,
            complaints,
            heads: _,
        } = self;
        write!(
            f,
            "{changes} changes, {tickets} tickets, {blocks} blocks, {pages} pages ({repeats} of them repeated, \
             {withheld} withheld, {acked} taken by link), {steps} steps asked, no time more than {early_ms} ms early, {} complaints",
            complaints.len()
        )
    }
}

impl Ledger {
    /// What is wrong with the record.
    pub(super) fn judge(truth: &Truth, record: &Record) -> Self {
        let mut ledger = Self { blocks: record.blocks, ..Self::default() };
        ledger.facts(truth, record);
        ledger.tickets(truth, record);
        ledger.story(truth, record);
        ledger.pages(truth, record);
        ledger.steps(record);
        ledger.silence(record);
        ledger.numbers(truth, record);
        ledger
    }

    fn wrong(&mut self, words: String) {
        if self.complaints.len() < 40 {
            self.complaints.push(words);
        }
    }

    /// Device by device: the facts are the changes, in order, each within its time.
    fn facts(&mut self, truth: &Truth, record: &Record) {
        for device in &truth.devices {
            self.changes += device.changes.len();
            let rows = record.facts.get(&device.id).map(Vec::as_slice).unwrap_or_default();
            let told: Vec<&str> = rows.iter().map(|(transition, _)| transition.as_str()).collect();
            let expected: Vec<&str> = device.changes.iter().map(|change| word(*change)).collect();
            if told != expected {
                self.wrong(format!(
                    "{}: {} facts for {} changes: {told:?}",
                    device.name,
                    told.len(),
                    expected.len()
                ));
                continue;
            }
            for (index, (transition, at)) in rows.iter().enumerate() {
                let from = device.changes[index].at;
                let until = device.changes.get(index + 1).map_or(i64::MAX, |next| next.at);
                self.early_ms = self.early_ms.max(from - at).max(at.saturating_sub(until));
                if *at < from - EARLY_MS || *at > until.saturating_add(EARLY_MS) {
                    self.wrong(format!(
                        "{}: {transition} at {at}, but it happened between {from} and {until}",
                        device.name
                    ));
                }
            }
        }
    }

    /// One incident and one ticket for each trouble, opened once, closed once.
    fn tickets(&mut self, truth: &Truth, record: &Record) {
        self.tickets = record.tickets.len();
        if record.standing_faults != 0 {
            self.wrong(format!("{} faults stand although everything is well", record.standing_faults));
        }
        for device in &truth.devices {
            let id = Some(device.id.as_str());
            let troubles = device.changes.iter().filter(|change| change.to != Mood::Well).count();
            let own: Vec<_> = record.tickets.iter().filter(|t| t.device_id.as_deref() == id).collect();
            let open = own.iter().filter(|ticket| ticket.state != "closed").count();
            let seen: Vec<_> = record.incidents.iter().filter(|i| i.device_id.as_deref() == id).collect();
            let standing = seen.iter().filter(|incident| incident.closed_at.is_none()).count();
            let unsteady = record.flapping.get(&device.id).copied().unwrap_or_default();
            let expected = (troubles - unsteady.further.min(troubles), unsteady.tickets, troubles, 0);
            if (own.len(), open, seen.len(), standing) != expected {
                self.wrong(format!(
                    "{}: {troubles} troubles, {} tickets of which {open} open, {} incidents of which {standing} open{}",
                    device.name,
                    own.len(),
                    seen.len(),
                    if unsteady == Flapping::default() { String::new() } else { format!(", {unsteady:?}") }
                ));
            }
            for ticket in own.iter().filter(|ticket| ticket.state != "closed") {
                if !record.is_flapping(&ticket.id) {
                    self.wrong(format!("ticket {} is open, and does not say why", ticket.id));
                }
            }
        }
        if let Some(ticket) = record.tickets.iter().find(|ticket| ticket.device_id.is_none()) {
            self.wrong(format!("ticket {} is about no device", ticket.id));
        }
    }

    /// A ticket's log tells each step once, and forgets nobody who took it.
    fn story(&mut self, truth: &Truth, record: &Record) {
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for event in &record.events {
            *counts.entry((&event.ticket_id, &event.kind)).or_default() += 1;
        }
        for ((ticket, kind), count) in &counts {
            let is_odd = match *kind {
                "fault_raised" | "fault_cleared" if record.is_flapping(ticket) => false,
                "reopened" | "fault_raised" => true,
                "opened" | "closed" | "fault_cleared" | "acked" => *count != 1,
                _ => false,
            };
            if is_odd {
                self.wrong(format!("ticket {ticket} has {count} times {kind}"));
            }
        }
        for ticket in &truth.acked {
            self.acked += 1;
            let is_taken = counts.contains_key(&(ticket.as_str(), "acked"));
            // Whoever presses after the end is told that it is over, and that is no ack.
            let ended =
                record.tickets.iter().any(|t| t.id == *ticket && t.acked_at.is_none() && t.state == "closed");
            if !is_taken && !ended {
                self.wrong(format!("ticket {ticket} was taken, the server said so and forgot it"));
            }
        }
    }

    /// Pages: each ended, each sent one was received, none came that is not on record, repeats say so.
    fn pages(&mut self, truth: &Truth, record: &Record) {
        self.pages = record.pages.len();
        let keys: BTreeSet<&str> = record.pages.iter().map(|page| page.idem_key.as_str()).collect();
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for receipt in truth.receipts.iter().filter(|receipt| receipt.is_taken) {
            let before = times.entry(&receipt.key).or_default();
            *before += 1;
            if *before > 1 {
                self.repeats += 1;
                if !receipt.is_repeat {
                    self.wrong(format!("page {} came again and did not say so", receipt.key));
                }
            }
            if !keys.contains(receipt.key.as_str()) {
                self.wrong(format!("page {} is not on record", receipt.key));
            }
        }
        let mut told: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for page in &record.pages {
            match page.state.as_str() {
                "sent" => {
                    *told.entry((&page.ticket_id, &page.purpose)).or_default() += 1;
                    if !times.contains_key(page.idem_key.as_str()) {
                        self.wrong(format!("page {} is on record as sent and never came", page.idem_key));
                    }
                }
                "withheld" => self.withheld += 1,
                other => self.wrong(format!("page {} is {other}", page.idem_key)),
            }
        }
        for ((ticket, purpose), count) in &told {
            let asked =
                record.events.iter().filter(|one| one.ticket_id == *ticket && one.kind == "step_asked");
            let most = if *purpose == "opened" { asked.count().max(1) } else { 1 };
            if *count > most {
                self.wrong(format!("ticket {ticket}: {count} pages sent that say {purpose}"));
            }
            let is_over = told.contains_key(&(*ticket, "closed"));
            if *purpose == "opened" && !is_over && !record.is_flapping(ticket) {
                self.wrong(format!("ticket {ticket}: nobody was told that it is over"));
            }
        }
    }

    /// Each step of an escalation was asked once, and its page was sent or withheld for a reason.
    fn steps(&mut self, record: &Record) {
        let mut seen = BTreeSet::new();
        for asked in record.events.iter().filter(|event| event.kind == "step_asked") {
            self.steps += 1;
            let ticket = &asked.ticket_id;
            let place: serde_json::Value = serde_json::from_str(&asked.body).unwrap_or_default();
            let number = |name: &str| place[name].as_i64().unwrap_or_default() - 1;
            let (round, step) = (number("round"), number("step"));
            if !seen.insert((ticket.clone(), round, step)) {
                self.wrong(format!("ticket {ticket}: step {step} of round {round} was asked twice"));
            }
            let key = format!("/{round}/{step}/");
            let mut pages = record.pages.iter().filter(|page| page.ticket_id == *ticket);
            if !pages.any(|page| {
                page.idem_key.contains(&key) && ["sent", "withheld"].contains(&page.state.as_str())
            }) {
                self.wrong(format!("ticket {ticket}: the page of step {step} of round {round} is lost"));
            }
        }
    }

    /// Who is not told, is not told for a reason that stands on the record.
    fn silence(&mut self, record: &Record) {
        let of = |ticket: &str, kind: &str| {
            record.events.iter().find(|event| event.ticket_id == ticket && event.kind == kind)
        };
        let withheld = record.pages.iter().filter(|page| page.state == "withheld");
        let withheld: BTreeSet<&str> = withheld.map(|page| page.ticket_id.as_str()).collect();
        for ticket in withheld.into_iter().filter(|ticket| of(ticket, "not_paged").is_none()) {
            self.wrong(format!("ticket {ticket}: a page was withheld, and the record does not say why"));
        }
        let paged: BTreeSet<&str> = record.pages.iter().map(|page| page.ticket_id.as_str()).collect();
        for ticket in record.tickets.iter().filter(|ticket| !paged.contains(ticket.id.as_str())) {
            let (Some(opened), Some(closed)) = (of(&ticket.id, "opened"), of(&ticket.id, "closed")) else {
                continue;
            };
            let is_history = record.events.iter().any(|event| {
                event.ticket_id == ticket.id && event.kind == "withheld" && event.body.contains("\"replay\"")
            });
            let stood_ms = closed.recorded_at - opened.recorded_at;
            if stood_ms > if is_history { HELD_MS } else { UNPAGED_MS } {
                self.wrong(format!("ticket {} stood for {stood_ms} ms and was never paged", ticket.id));
            }
        }
    }

    /// One epoch, the same head on both sides, every number used once, nothing waiting but what was said last.
    fn numbers(&mut self, truth: &Truth, record: &Record) {
        for (number, queue) in truth.queues.iter().enumerate() {
            let marks: Vec<_> = record.marks.iter().filter(|mark| mark.0 == queue.gateway).collect();
            let [(gateway, epoch, upto)] = marks.as_slice() else {
                self.wrong(format!("gateway {number}: {} epochs", marks.len()));
                continue;
            };
            let rested = truth.rested.as_ref().and_then(|heads| heads.get(&queue.gateway));
            let said_last = rested.map_or(0, |head| queue.head - head);
            if queue.waiting > said_last || queue.head != *upto {
                self.wrong(format!(
                    "gateway {number}: {} records wait, its head is {}, the server has {upto}",
                    queue.waiting, queue.head
                ));
            }
            let rows: Vec<i64> = record
                .numbers
                .iter()
                .filter(|(of, in_epoch, _)| of == gateway && in_epoch == epoch)
                .map(|(_, _, seq)| *seq)
                .collect();
            let used: BTreeSet<i64> = rows.iter().copied().collect();
            let holes = usize::try_from(*upto).unwrap_or_default().saturating_sub(used.len());
            if used.len() != rows.len() || used.last().is_some_and(|last| last > upto) || holes > REPORTS_MAX
            {
                self.wrong(format!(
                    "gateway {number}: {} rows with {} numbers up to {:?} of {upto}, {holes} without a row",
                    rows.len(),
                    used.len(),
                    used.last()
                ));
            }
            if record.gaps.contains(gateway) {
                self.wrong(format!("gateway {number}: there are gaps, and nothing was lost"));
            }
        }
    }
}

impl Record {
    /// Whether a ticket says that its fault comes and goes.
    fn is_flapping(&self, ticket: &str) -> bool {
        self.events.iter().any(|event| {
            event.ticket_id == ticket && event.kind == "withheld" && event.body.contains("\"flapping\"")
        })
    }
}

fn word(change: Change) -> &'static str {
    match change.to {
        Mood::Well => "cleared",
        Mood::Refuses | Mood::Silent => "raised",
    }
}

#[cfg(test)]
mod tests;
