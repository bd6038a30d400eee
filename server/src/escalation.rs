//! Escalation: who is asked next, and when, until somebody has the ticket.
//!
//! A ticket's escalation is a snapshot: the plan as it was when it began, and a place in it. [`Standing::step`] is
//! the whole rule: given the plan, what is known of the ticket and the time, it says the one next thing to do and
//! where the escalation stands then. The shell does it in the same transaction in which it keeps the new standing,
//! so a restart neither loses nor repeats a step. What a plan does in a year's time is asked of the same function.
//!
//! While a ticket is held nothing moves: the wait that was left is left afterwards. A step whose condition does not
//! hold, or that leads to nobody, is on the record and costs no time. After the last round the manager is asked, then the
//! administrators. Whoever has the ticket and is silent is asked again once, then the escalation goes on.

pub mod api;
pub mod finding;
pub mod forecast;
pub mod plan;
pub mod step;
pub mod store;

use jiff::{SignedDuration, Timestamp};

use crate::id::id;
use plan::{Plan, Trouble, Why};

id! {
    /// Names a plan.
    PlanId
}

/// How long an expert panel may take to begin with measures (R42).
pub const EXPERTS_LIMIT: SignedDuration = SignedDuration::from_hours(4);
/// How long people who were asked by hand have before the manager is asked.
pub const BY_HAND_S: u32 = 15 * 60;

/// What the escalation is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Going through its steps.
    Asking,
    /// Somebody has the ticket.
    Acked,
    /// Whoever has the ticket was silent and has been asked again.
    Reminded,
    /// Every round is over; the manager has been asked.
    Manager,
    /// The administrators have been asked too; there is nobody further.
    Spent,
    /// Everybody whom the plan names has been asked, and it wants nobody further.
    Rest,
    /// The ticket is closed.
    Over,
}

impl Phase {
    const ALL: [Self; 7] =
        [Self::Asking, Self::Acked, Self::Reminded, Self::Manager, Self::Spent, Self::Rest, Self::Over];

    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asking => "asking",
            Self::Acked => "acked",
            Self::Reminded => "reminded",
            Self::Manager => "manager",
            Self::Spent => "spent",
            Self::Rest => "rest",
            Self::Over => "over",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == word)
    }
}

/// Where a ticket stands, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Nobody has it.
    Nobody,
    /// Somebody does, and last did something with it then.
    Somebody {
        /// When.
        heard_at: Timestamp,
    },
    /// It is closed.
    Closed,
}

/// What is known of a ticket.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What conditions are held against.
    pub trouble: Trouble,
    /// Who has it.
    pub holder: Holder,
    /// Its pages are held back for a reason.
    pub held: bool,
}

/// A place in a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// From 0.
    pub round: u32,
    /// The step that comes next, from 0; as many as there are when the round is over.
    pub next: usize,
    /// When something happens next; `None` when nothing does by time alone.
    pub due: Option<Timestamp>,
    /// What it is doing.
    pub phase: Phase,
    /// Since when the ticket is held.
    pub held_since: Option<Timestamp>,
    /// At least one person has been asked.
    pub reached: bool,
}

/// The one thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Ask the people of this step.
    Ask {
        /// From 0.
        round: u32,
        /// From 0.
        step: usize,
    },
    /// Say that this step is passed over.
    Pass {
        /// From 0.
        round: u32,
        /// From 0.
        step: usize,
        /// Why.
        why: Why,
    },
    /// Say that this step waits for the end of quiet hours.
    Wait {
        /// From 0.
        round: u32,
        /// From 0.
        step: usize,
        /// Until when.
        until: Timestamp,
    },
    /// Nobody has answered: ask the manager.
    Manager,
    /// Nobody has answered that either: ask the administrators.
    Administrators,
    /// Ask whoever has the ticket once more.
    Remind,
    /// Whoever has the ticket is silent: it is nobody's again, and the escalation goes on.
    Lapse,
    /// The ticket is closed.
    End,
}

impl Standing {
    /// The beginning.
    pub fn begin(plan: &Plan, now: Timestamp) -> Self {
        let first = plan.steps.first().map_or(0, |step| step.after_s);
        Self {
            round: 0,
            next: 0,
            due: Some(later(now, first)),
            phase: Phase::Asking,
            held_since: None,
            reached: false,
        }
    }

    /// The one thing to do now, if there is one, with the standing after it. To be called until there is none.
    pub fn step(&mut self, plan: &Plan, facts: &Facts, now: Timestamp) -> Option<Move> {
        if facts.holder == Holder::Closed {
            let over = std::mem::replace(&mut self.phase, Phase::Over) != Phase::Over;
            self.due = None;
            return over.then_some(Move::End);
        }
        if self.phase == Phase::Over || !self.is_free(facts.held, now) {
            return None;
        }
        match (facts.holder, self.phase) {
            (Holder::Nobody, Phase::Acked | Phase::Reminded) => {
                self.go_on(plan, now);
                self.ask(plan, &facts.trouble, now)
            }
            (Holder::Nobody, Phase::Asking) => self.ask(plan, &facts.trouble, now),
            (Holder::Nobody, Phase::Manager) if self.is_due(now) => {
                self.phase = Phase::Spent;
                self.due = None;
                Some(Move::Administrators)
            }
            (Holder::Nobody | Holder::Closed, _) => None,
            (Holder::Somebody { heard_at }, phase) => self.trust(plan, phase, heard_at, now),
        }
    }

    /// How many people the last move has asked: when it was nobody, nobody is waited for.
    pub fn asked(&mut self, people: usize, now: Timestamp) {
        if people > 0 {
            self.reached = true;
        } else if matches!(self.phase, Phase::Asking | Phase::Manager) {
            self.due = Some(now);
        }
    }

    /// The ticket is nobody's again: the next step comes at once, and after the last one a new round.
    pub fn go_on(&mut self, plan: &Plan, now: Timestamp) {
        if self.next >= plan.steps.len() {
            self.round += 1;
            self.next = 0;
        }
        self.phase = Phase::Asking;
        self.due = Some(now);
    }

    /// The step that was asked last, in its round.
    pub fn last_asked(&self) -> Option<(u32, usize)> {
        self.next.checked_sub(1).map(|step| (self.round, step))
    }

    fn is_due(&self, now: Timestamp) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// Whether nothing holds the ticket. A wait goes on where the hold began.
    fn is_free(&mut self, held: bool, now: Timestamp) -> bool {
        match (held, self.held_since) {
            (true, None) => self.held_since = Some(now),
            (false, Some(since)) => {
                self.due = self.due.map(|due| due.saturating_add(now.duration_since(since)).unwrap_or(due));
                self.held_since = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
        !held
    }

    fn ask(&mut self, plan: &Plan, trouble: &Trouble, now: Timestamp) -> Option<Move> {
        if !self.is_due(now) {
            return None;
        }
        if self.next >= plan.steps.len() && self.reached && self.round + 1 < plan.rounds {
            self.round += 1;
            self.next = 0;
        }
        let (round, index) = (self.round, self.next);
        let Some(step) = plan.steps.get(index) else {
            if self.reached && plan.answer_s.is_none() {
                self.phase = Phase::Rest;
                self.due = None;
                return None;
            }
            self.phase = Phase::Manager;
            self.due = Some(later(now, plan.answer_s.unwrap_or(0)));
            return Some(Move::Manager);
        };
        if let Some(why) = step.when.fails(trouble, now) {
            self.next += 1;
            return Some(Move::Pass { round, step: index, why });
        }
        if let Some(quiet) = &step.quiet
            && trouble.severity != "critical"
            && quiet.hold(&trouble.zone, now)
            && let Some(until) = quiet.end(&trouble.zone, now)
        {
            self.due = Some(until);
            return Some(Move::Wait { round, step: index, until });
        }
        self.next += 1;
        let wait = match plan.steps.get(self.next) {
            Some(next) => next.after_s,
            None if round + 1 < plan.rounds => plan.round_every_s,
            None => plan.answer_s.unwrap_or(0),
        };
        self.due = Some(later(now, wait));
        Some(Move::Ask { round, step: index })
    }

    /// Somebody has the ticket.
    fn trust(&mut self, plan: &Plan, phase: Phase, heard_at: Timestamp, now: Timestamp) -> Option<Move> {
        let silent_at = plan.ack_s.map(|limit| later(heard_at, limit));
        let waits = silent_at.is_none_or(|at| at > now);
        match phase {
            Phase::Acked if !waits && self.is_due(now) => {
                self.phase = Phase::Reminded;
                self.due = plan.ack_s.map(|limit| later(now, limit));
                Some(Move::Remind)
            }
            Phase::Reminded if !waits && self.is_due(now) => {
                self.go_on(plan, now);
                Some(Move::Lapse)
            }
            // A hold has put it off.
            Phase::Acked | Phase::Reminded if !waits && self.due.is_some() => None,
            _ => {
                self.phase = Phase::Acked;
                // A limit that ran out while nobody looked is due now.
                self.due = silent_at;
                if waits { None } else { self.trust(plan, Phase::Acked, heard_at, now) }
            }
        }
    }
}

fn later(from: Timestamp, seconds: u32) -> Timestamp {
    from.checked_add(SignedDuration::from_secs(i64::from(seconds))).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
