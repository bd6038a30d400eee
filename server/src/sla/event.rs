//! What happened to a ticket, append-only: when it happened, when the server heard of it, what the device's clock
//! said. An event that was wrong is never changed; a later one supersedes it.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id.
    pub id: String,
    /// What happened.
    pub what: What,
    /// When, as far as the server knows by itself.
    pub occurred_at: Timestamp,
    /// When the server heard of it.
    pub recorded_at: Timestamp,
    /// What the clock of the device showed that recorded it.
    pub device_at: Option<Timestamp>,
    /// How far that clock was ahead, seconds, as measured when the device sent it.
    pub skew_s: i64,
    /// Who.
    pub actor: String,
    /// How it is proved.
    pub evidence: Vec<String>,
    /// The event it stands instead of.
    pub supersedes: Option<String>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A step of the ticket by its name: `reported`, `arrived`, `restored`.
    Step(String),
    /// A priority was chosen, or assessed beside the chosen one.
    Priority {
        /// Which.
        level: String,
        /// Whether it was only assessed.
        assessed: bool,
    },
    /// The site's zone was told or corrected.
    Zone(String),
    /// The ticket goes under another version of the contract.
    Contract(String),
    /// Work cannot go on.
    Pause {
        /// Why.
        reason: String,
        /// Who approved that.
        approver: String,
    },
    /// It can.
    Resume,
    /// A time was agreed.
    Agreed {
        /// For when.
        at: Timestamp,
        /// Who consented to moving it.
        consent: Option<String>,
    },
    /// Another ticket for the same thing was merged into this one.
    Absorbed {
        /// When that one was reported.
        reported_at: Timestamp,
    },
    /// This ticket was merged into another.
    MergedInto(String),
    /// The fault is there again.
    Reopened,
    /// A clock does not count.
    Void {
        /// Which; an empty name is all.
        clock: String,
        /// Why.
        reason: String,
        /// Who said so.
        approver: String,
    },
    /// Only withdraws what it supersedes.
    Withdrawn,
}

impl What {
    /// Of things at the same instant, terms come first and pauses last.
    fn rank(&self) -> u8 {
        match self {
            Self::Withdrawn => 0,
            Self::Contract(_) | Self::Zone(_) | Self::Priority { .. } => 1,
            Self::Absorbed { .. } | Self::Agreed { .. } => 2,
            Self::Step(_) => 3,
            Self::Reopened => 4,
            Self::Resume => 5,
            Self::Pause { .. } => 6,
            Self::Void { .. } | Self::MergedInto(_) => 7,
        }
    }
}

impl Event {
    /// When it happened: by the device's clock, corrected by how far that was ahead, where there is one; never
    /// later than the server heard of it.
    pub fn happened_at(&self) -> Timestamp {
        let corrected =
            self.device_at.and_then(|at| at.checked_sub(SignedDuration::from_secs(self.skew_s)).ok());
        corrected.unwrap_or(self.occurred_at).min(self.recorded_at)
    }
}

/// What was known at `now`, in the order of what happened, without what was superseded. The order depends on
/// nothing but the events themselves.
pub fn effective(events: &[Event], now: Timestamp) -> Vec<&Event> {
    let mut known: Vec<&Event> = events.iter().filter(|event| event.recorded_at <= now).collect();
    let gone: BTreeSet<&str> = known.iter().filter_map(|event| event.supersedes.as_deref()).collect();
    known.retain(|event| !gone.contains(event.id.as_str()) && event.what != What::Withdrawn);
    known.sort_by(|a, b| {
        let key = |event: &Event| (event.happened_at(), event.what.rank(), event.recorded_at);
        key(a).cmp(&key(b)).then_with(|| a.id.cmp(&b.id))
    });
    known.dedup_by(|a, b| a.id == b.id);
    known
}
