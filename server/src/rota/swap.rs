//! Swaps: one person asks another to take over a span, for a span in return or for nothing, and the other agrees.
//!
//! A swap is requested, then accepted, declined or withdrawn, once. It lapses by itself when one of its spans is over
//! before it was answered. Only what is still to come is exchanged.

use jiff::Timestamp;

/// Where a swap stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The other has not answered.
    Requested,
    /// Agreed.
    Accepted,
    /// The other does not want it.
    Declined,
    /// Who asked has taken it back.
    Withdrawn,
}

/// What a person does with a swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The other agrees.
    Accept,
    /// The other does not.
    Decline,
    /// Who asked takes it back.
    Withdraw,
}

/// Why an answer does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Answered already.
    #[error("the swap has been answered")]
    Answered,
    /// A span is over.
    #[error("one of the two shifts is over, so there is nothing to swap")]
    Lapsed,
}

impl State {
    /// All of them.
    const ALL: [Self; 4] = [Self::Requested, Self::Accepted, Self::Declined, Self::Withdrawn];

    /// The word in the database and on the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// The state after an answer. `ends` are the ends of the spans.
pub fn answer(state: State, answer: Answer, ends: &[Timestamp], now: Timestamp) -> Result<State, Refused> {
    match (state, answer) {
        (State::Requested, Answer::Accept) if ends.iter().any(|end| *end <= now) => Err(Refused::Lapsed),
        (State::Requested, Answer::Accept) => Ok(State::Accepted),
        (State::Requested, Answer::Decline) => Ok(State::Declined),
        (State::Requested, Answer::Withdraw) => Ok(State::Withdrawn),
        (State::Accepted | State::Declined | State::Withdrawn, _) => Err(Refused::Answered),
    }
}
