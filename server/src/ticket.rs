//! A ticket is a person's work item. The machine opens one when an incident opens on a device that has
//! none, adds later faults of the same device to it, and closes it when the last of them is gone. A
//! person may open one by hand, take it, hand it over, write into it, close it and open it again.
//!
//! A ticket's life is an append-only log of events; its columns are only the latest reading of it.

pub mod api;
pub mod store;

/// Where a ticket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody has it.
    Open,
    /// A person has taken it.
    Acked,
    /// Done.
    Closed,
}

impl State {
    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acked => "acked",
            Self::Closed => "closed",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Open, Self::Acked, Self::Closed].into_iter().find(|state| state.as_str() == word)
    }
}

/// What a person wants to do with a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Take it.
    Ack,
    /// Write into it.
    Note,
    /// Hand it to somebody.
    Assign,
    /// Say that it is done.
    Close,
    /// Say that it is not done after all.
    Reopen,
}

/// Why a step is not possible.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum StepError {
    /// The ticket is closed.
    #[error("the ticket is closed; open it again first")]
    Closed,
    /// The ticket is not closed.
    #[error("the ticket is not closed, so there is nothing to open again")]
    NotClosed,
}

/// The state after a step, or why the step is not possible. Taking a ticket that is taken is no error:
/// two people may press at the same time, and both answers stay on the record.
pub fn apply(state: State, step: &Step) -> Result<State, StepError> {
    match (state, step) {
        (State::Open | State::Acked, Step::Ack) => Ok(State::Acked),
        (_, Step::Note) => Ok(state),
        (State::Open | State::Acked, Step::Assign) => Ok(state),
        (State::Open | State::Acked, Step::Close) => Ok(State::Closed),
        (State::Closed, Step::Reopen) => Ok(State::Open),
        (State::Open | State::Acked, Step::Reopen) => Err(StepError::NotClosed),
        (State::Closed, Step::Ack | Step::Assign | Step::Close) => Err(StepError::Closed),
    }
}

/// Why a ticket's pages wait. What happens goes on the record meanwhile, and once no reason is left the
/// difference to what the people were told last is paged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Until it is known whether what the device hangs off is the cause.
    Cause,
    /// The trouble comes and goes.
    Flapping,
    /// Somebody works there by arrangement.
    Maintenance,
    /// The gateway is still telling its history.
    Replay,
    /// A remedy is under way.
    Remedy,
}

impl Hold {
    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cause => "cause",
            Self::Flapping => "flapping",
            Self::Maintenance => "maintenance",
            Self::Replay => "replay",
            Self::Remedy => "remedy",
        }
    }
}

/// Whether an event of a ticket may move the clocks of its contract; all others leave them as they are.
pub fn moves_clocks(kind: &str) -> bool {
    MOVING.contains(&kind)
}

/// `fact` is what people and machines say of the work: answered, arrived, restored, paused, ….
pub const MOVING: [&str; 7] = ["opened", "fault_raised", "acked", "closed", "reopened", "merged", "fact"];

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A gateway's report did it.
    Machine,
    /// The server did it by rule.
    System,
    /// A person did it.
    Person {
        /// The account.
        id: String,
        /// The name at that time.
        name: String,
    },
}

impl Actor {
    /// The word for where an event came from.
    pub fn source(&self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::System => "system",
            Self::Person { .. } => "person",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_meets_every_step() {
        use State::{Acked, Closed, Open};
        let closed = || Err(StepError::Closed);
        let open_again = || Err(StepError::NotClosed);
        let table = [
            (Step::Ack, [Ok(Acked), Ok(Acked), closed()]),
            (Step::Note, [Ok(Open), Ok(Acked), Ok(Closed)]),
            (Step::Assign, [Ok(Open), Ok(Acked), closed()]),
            (Step::Close, [Ok(Closed), Ok(Closed), closed()]),
            (Step::Reopen, [open_again(), open_again(), Ok(Open)]),
        ];
        for (step, results) in table {
            for (state, result) in [Open, Acked, Closed].into_iter().zip(results) {
                assert_eq!(apply(state, &step), result, "{state:?} {step:?}");
            }
        }
    }
}
