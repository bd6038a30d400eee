//! A substitute device's life: out to a customer until a day, then back, back damaged, or lost. Who is liable is said
//! when it ends, never assumed. Pure.

use super::PlaceKind;

/// Where one stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// At the customer.
    Out,
    /// Back as it went.
    Returned,
    /// Back, and broken.
    Damaged,
    /// It does not come back.
    Lost,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Out, Self::Returned, Self::Damaged, Self::Lost];

    /// The word in the database and on the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Returned => "returned",
            Self::Damaged => "damaged",
            Self::Lost => "lost",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// Who answers for damage or loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liable {
    /// The customer.
    Customer,
    /// We do.
    Us,
}

impl Liable {
    /// The word in the database and on the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Us => "us",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Customer, Self::Us].into_iter().find(|one| one.as_str() == word)
    }
}

/// Why it cannot end so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum No {
    /// It has ended.
    #[error("it is out no more")]
    Over,
    /// That is no end.
    #[error("it ends as returned, damaged or lost")]
    NoEnd,
    /// Nobody says who is liable.
    #[error("nobody says who is liable")]
    NotLiable,
    /// By the contract we are, whoever says what.
    #[error("by the contract the customer is not liable")]
    Ours,
}

/// How one ends: where it goes (where nobody names a place) and who is liable. `customer_liable` is what the contract says.
pub fn end(
    state: State,
    outcome: State,
    liable: Option<Liable>,
    customer_liable: bool,
) -> Result<(Option<PlaceKind>, Option<Liable>), No> {
    if state != State::Out {
        return Err(No::Over);
    }
    let answers = || match liable {
        None => Err(No::NotLiable),
        Some(Liable::Customer) if !customer_liable => Err(No::Ours),
        Some(liable) => Ok(Some(liable)),
    };
    match outcome {
        State::Out => Err(No::NoEnd),
        State::Returned => Ok((None, None)),
        State::Damaged => Ok((Some(PlaceKind::Workshop), answers()?)),
        State::Lost => Ok((Some(PlaceKind::Lost), answers()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_once_and_somebody_is_liable_for_damage() {
        let us = Some(Liable::Us);
        assert_eq!(end(State::Out, State::Returned, None, true), Ok((None, None)));
        assert_eq!(end(State::Out, State::Damaged, None, true), Err(No::NotLiable));
        assert_eq!(
            end(State::Out, State::Damaged, Some(Liable::Customer), true),
            Ok((Some(PlaceKind::Workshop), Some(Liable::Customer)))
        );
        assert_eq!(end(State::Out, State::Lost, Some(Liable::Customer), false), Err(No::Ours));
        assert_eq!(end(State::Out, State::Lost, us, false), Ok((Some(PlaceKind::Lost), us)));
        assert_eq!(end(State::Returned, State::Lost, us, true), Err(No::Over));
        assert_eq!(end(State::Out, State::Out, us, true), Err(No::NoEnd));
        assert!(State::ALL.iter().all(|state| State::parse(state.as_str()) == Some(*state)));
    }
}
