//! The life of a contract: registered when it is written down, accepted when the customer's file is complete, in
//! service when its clocks run, ended.

use std::fmt;

/// Where a contract stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Written down; it promises nothing yet.
    Registered,
    /// The customer's file is complete.
    Accepted,
    /// Its clocks run.
    InService,
    /// It is over; what was opened before still runs under it.
    Ended,
}

/// A step that a contract does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a contract that is {from} does not become {to}; {hint}")]
pub struct NoSuchStep {
    from: Life,
    to: Life,
    hint: &'static str,
}

impl Life {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Registered, Self::Accepted, Self::InService, Self::Ended];

    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Accepted => "accepted",
            Self::InService => "in_service",
            Self::Ended => "ended",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|life| life.as_str() == word)
    }

    /// Whether a contract may go on from here to there: forwards one by one, back from accepted to registered, and
    /// to its end from anywhere.
    pub fn step(self, to: Self) -> Result<Self, NoSuchStep> {
        let hint = match (self, to) {
            (Self::Registered, Self::Accepted)
            | (Self::Accepted, Self::Registered | Self::InService)
            | (Self::Registered | Self::Accepted | Self::InService, Self::Ended) => return Ok(to),
            (Self::Registered, Self::InService) => "accept it first",
            (Self::InService, Self::Registered | Self::Accepted) => {
                "clocks run under it; end it, or write another version"
            }
            (Self::Ended, Self::Registered | Self::Accepted | Self::InService) => {
                "register a new contract for its renewal"
            }
            (
                Self::Registered | Self::Accepted | Self::InService | Self::Ended,
                Self::Registered | Self::Accepted | Self::InService | Self::Ended,
            ) => "it is already",
        };
        Err(NoSuchStep { from: self, to, hint })
    }
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Registered => "registered",
            Self::Accepted => "accepted",
            Self::InService => "in service",
            Self::Ended => "ended",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Life;

    #[test]
    fn a_contract_goes_forwards_step_by_step_and_ends_from_anywhere() {
        use Life::{Accepted, Ended, InService, Registered};
        let allowed =
            |from: Life| Life::ALL.into_iter().filter(|to| from.step(*to).is_ok()).collect::<Vec<_>>();
        assert_eq!(allowed(Registered), [Accepted, Ended]);
        assert_eq!(allowed(Accepted), [Registered, InService, Ended]);
        assert_eq!(allowed(InService), [Ended]);
        assert_eq!(allowed(Ended), []);
        assert!(Registered.step(InService).unwrap_err().to_string().contains("accept it first"));
    }
}
