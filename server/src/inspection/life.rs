//! Where an inspection stands, and what people may do with it. The day is no part of its name: moving it makes no other.

use std::fmt;

/// Where an inspection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// It is owed; its day is still far.
    Due,
    /// Its day is near and to be agreed with the customer.
    Proposed,
    /// The customer agreed to the day that was planned.
    Agreed,
    /// The customer consented to another day.
    Moved,
    /// Another one's visit does its work.
    Merged,
    /// It took place.
    Done,
    /// Its days are over and it did not take place.
    Missed,
    /// The customer does without it, and somebody approved that.
    Waived,
    /// A later version of the contract does not owe it, or it was planned by hand and taken back.
    Dropped,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Due,
        Self::Proposed,
        Self::Agreed,
        Self::Moved,
        Self::Merged,
        Self::Done,
        Self::Missed,
        Self::Waived,
        Self::Dropped,
    ];

    /// The word in the database and on the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Proposed => "proposed",
            Self::Agreed => "agreed",
            Self::Moved => "moved",
            Self::Merged => "merged",
            Self::Done => "done",
            Self::Missed => "missed",
            Self::Waived => "waived",
            Self::Dropped => "dropped",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether somebody is still to come for it, on a day of its own.
    pub fn is_ahead(self) -> bool {
        matches!(self, Self::Due | Self::Proposed | Self::Agreed | Self::Moved)
    }

    /// Whether its day may follow the plan: nobody has agreed to one.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Due | Self::Proposed | Self::Merged)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a person does with an inspection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The customer agrees to the day that stands.
    Agree,
    /// The customer consents to another day.
    Move,
    /// The customer does without it.
    Waive,
    /// It took place.
    Finish,
    /// It was planned by hand, and by mistake.
    Withdraw,
}

/// A step that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is {0}")]
pub struct Unfit(pub State);

/// Takes a step. What was missed may still be done, late, on another day that the customer consents to, or be waived
/// afterwards; its record keeps that it was missed.
pub fn apply(state: State, step: Step) -> Result<State, Unfit> {
    use State::{Agreed, Done, Dropped, Due, Merged, Missed, Moved, Proposed, Waived};
    match (step, state) {
        (Step::Agree, Due | Proposed) => Ok(Agreed),
        (Step::Move, Due | Proposed | Agreed | Moved | Missed) => Ok(Moved),
        (Step::Waive, Due | Proposed | Agreed | Moved | Merged | Missed) => Ok(Waived),
        (Step::Finish, Due | Proposed | Agreed | Moved | Missed) => Ok(Done),
        (Step::Withdraw, Due | Proposed | Agreed | Moved) => Ok(Dropped),
        (Step::Agree, Agreed | Moved | Merged | Done | Missed | Waived | Dropped)
        | (Step::Move | Step::Finish, Merged | Done | Waived | Dropped)
        | (Step::Waive, Done | Waived | Dropped)
        | (Step::Withdraw, Merged | Done | Missed | Waived | Dropped) => Err(Unfit(state)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_stays_so_and_what_was_missed_may_be_made_good() {
        use State::{Agreed, Due, Merged, Missed, Moved, Proposed};
        let from = |step: Step| {
            State::ALL.into_iter().filter(|state| apply(*state, step).is_ok()).collect::<Vec<_>>()
        };
        assert_eq!(from(Step::Agree), [Due, Proposed]);
        assert_eq!(from(Step::Move), [Due, Proposed, Agreed, Moved, Missed]);
        assert_eq!(from(Step::Waive), [Due, Proposed, Agreed, Moved, Merged, Missed]);
        assert_eq!(from(Step::Finish), [Due, Proposed, Agreed, Moved, Missed]);
        // What was missed is no mistake of the plan any more.
        assert_eq!(from(Step::Withdraw), [Due, Proposed, Agreed, Moved]);
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
    }
}
