//! What was taken out of a customer's system to be repaired: repaired, run in, refitted, or given up. Nothing goes back
//! before it has run without a fault, and a factory's repair needs the factory's own work order. Pure.

/// Who repairs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Recurring faults, mostly of software.
    L1,
    /// With parts of our own or the customer's.
    L2,
    /// The maker.
    Factory,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::L1, Self::L2, Self::Factory];

    /// The word in the database and on the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::L1 => "l1",
            Self::L2 => "l2",
            Self::Factory => "factory",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// In the workshop or at the maker's.
    Repair,
    /// Repaired; it runs to show that it works.
    BurnIn,
    /// It ran without a fault.
    Ready,
    /// Back in the system.
    Refitted,
    /// Given up.
    Scrapped,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Repair, Self::BurnIn, Self::Ready, Self::Refitted, Self::Scrapped];

    /// The word in the database and on the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Repair => "repair",
            Self::BurnIn => "burn_in",
            Self::Ready => "ready",
            Self::Refitted => "refitted",
            Self::Scrapped => "scrapped",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is given to another level.
    Pass,
    /// It is repaired.
    Repaired,
    /// It ran without a fault.
    RanIn,
    /// It failed while it ran.
    Failed,
    /// It is back in the system.
    Refit,
    /// It is given up.
    Scrap,
}

impl Step {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Pass, Self::Repaired, Self::RanIn, Self::Failed, Self::Refit, Self::Scrap];

    /// The word in the log and on the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "passed",
            Self::Repaired => "repaired",
            Self::RanIn => "burn_in",
            Self::Failed => "failed",
            Self::Refit => "refitted",
            Self::Scrap => "scrapped",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// Why a step is not possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum No {
    /// It is over.
    #[error("it is over")]
    Over,
    /// Something comes before it.
    #[error("that is not its next step")]
    NotYet,
    /// The factory's work order is missing.
    #[error("the factory's work order is missing")]
    NoOrder,
}

/// The state after a step.
pub fn apply(state: State, level: Level, step: Step, has_order: bool) -> Result<State, No> {
    match (state, step) {
        (State::Refitted | State::Scrapped, _) => Err(No::Over),
        (State::Repair, Step::Repaired) if level == Level::Factory && !has_order => Err(No::NoOrder),
        (State::Repair, Step::Repaired) => Ok(State::BurnIn),
        (State::Repair, Step::Pass) => Ok(State::Repair),
        (State::BurnIn, Step::RanIn) => Ok(State::Ready),
        (State::BurnIn | State::Ready, Step::Failed) => Ok(State::Repair),
        (State::Ready, Step::Refit) => Ok(State::Refitted),
        (State::Repair | State::BurnIn | State::Ready, Step::Scrap) => Ok(State::Scrapped),
        (State::Repair, Step::RanIn | Step::Failed | Step::Refit)
        | (State::BurnIn, Step::Pass | Step::Repaired | Step::Refit)
        | (State::Ready, Step::Pass | Step::Repaired | Step::RanIn) => Err(No::NotYet),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_goes_back_before_it_has_run() {
        let walk = |level, has_order: bool, steps: &[Step]| {
            steps.iter().try_fold(State::Repair, |state, step| apply(state, level, *step, has_order))
        };
        assert_eq!(walk(Level::L2, false, &[Step::Repaired, Step::RanIn, Step::Refit]), Ok(State::Refitted));
        assert_eq!(walk(Level::L2, false, &[Step::Repaired, Step::Refit]), Err(No::NotYet));
        assert_eq!(walk(Level::L1, false, &[Step::Refit]), Err(No::NotYet));
        assert_eq!(walk(Level::L2, false, &[Step::Repaired, Step::Failed, Step::Pass]), Ok(State::Repair));
        assert_eq!(walk(Level::Factory, false, &[Step::Repaired]), Err(No::NoOrder));
        assert_eq!(walk(Level::Factory, true, &[Step::Repaired]), Ok(State::BurnIn));
        assert_eq!(walk(Level::L1, false, &[Step::Scrap, Step::Pass]), Err(No::Over));
        assert!(State::ALL.iter().all(|state| State::parse(state.as_str()) == Some(*state)));
        assert!(Step::ALL.iter().all(|step| Step::parse(step.as_str()) == Some(*step)));
        assert!(Level::ALL.iter().all(|level| Level::parse(level.as_str()) == Some(*level)));
    }
}
