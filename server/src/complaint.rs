//! A complaint (投诉): a customer says that our attitude, our response time, the result or the fees are wrong. Somebody
//! takes it down, somebody looks into it, the customer has an answer in time, and what is to be better stands in the end.
//!
//! Its clock is its own: until the answer, on the contract's calendar at the site, or [`HOUSE`] where no contract says it.
//! Each time it is opened again the clock begins anew. Nobody looks into what is said of their own visit. Pure.

use jiff::{SignedDuration, Timestamp};

use crate::contract::{AnswerTime, Calendars};
use crate::sla::ruler::over_at;

pub mod api;
pub mod step;
pub mod store;

/// How long an answer may take where no contract says it: time that passes, weekends included.
pub const HOUSE: SignedDuration = SignedDuration::from_hours(24);

/// What is complained of; each is a key of the texts.
pub const SUBJECTS: [&str; 4] = ["attitude", "response_time", "result", "fees"];
/// How it came.
pub const CHANNELS: [&str; 4] = ["phone", "email", "letter", "in_person"];

/// Where a complaint stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It was taken down, and nobody looks into it yet.
    Raised,
    /// Somebody looks into it.
    Investigating,
    /// The customer has an answer.
    Answered,
    /// What is to be better is written down.
    Closed,
    /// The customer was not content with the answer.
    Reopened,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Raised, Self::Investigating, Self::Answered, Self::Closed, Self::Reopened];

    /// The word in the database and on the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Investigating => "investigating",
            Self::Answered => "answered",
            Self::Closed => "closed",
            Self::Reopened => "reopened",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }

    /// Whether the customer waits for an answer.
    pub fn is_waiting(self) -> bool {
        match self {
            Self::Raised | Self::Investigating | Self::Reopened => true,
            Self::Answered | Self::Closed => false,
        }
    }
}

/// What somebody does with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Look into it, or have somebody look into it.
    Investigate,
    /// Write down what was found.
    Note,
    /// Tell the customer.
    Answer,
    /// Sum it up, with what is to be better.
    Close,
    /// Begin again.
    Reopen,
}

impl Step {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Investigate, Self::Note, Self::Answer, Self::Close, Self::Reopen];

    /// The word of the API, which is also the kind of the line on its record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Investigate => "investigating",
            Self::Note => "note",
            Self::Answer => "answered",
            Self::Close => "closed",
            Self::Reopen => "reopened",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// Why a step cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum No {
    /// Nobody has looked into it.
    #[error("nobody has looked into it")]
    NotInvestigated,
    /// The customer has no answer yet.
    #[error("the customer has no answer yet")]
    NotAnswered,
    /// The customer has an answer.
    #[error("the customer has an answer")]
    Answered,
    /// It is closed.
    #[error("it is closed")]
    Closed,
    /// It is about a visit that the person went on.
    #[error("it is about a visit that this person went on")]
    OwnVisit,
}

impl No {
    /// A stable word for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotInvestigated => "not_investigated",
            Self::NotAnswered => "not_answered",
            Self::Answered => "answered",
            Self::Closed => "closed",
            Self::OwnVisit => "own_visit",
        }
    }

    /// What to do next.
    pub fn hint(self) -> &'static str {
        match self {
            Self::NotInvestigated => "say first who looks into it",
            Self::NotAnswered => "answer the customer first",
            Self::Answered => "close it, or open it again where the customer is not content",
            Self::Closed => "open it again first",
            Self::OwnVisit => "let somebody else look into it",
        }
    }
}

/// Where a step leads.
pub fn apply(state: State, step: Step) -> Result<State, No> {
    match (state, step) {
        (State::Raised | State::Reopened | State::Investigating, Step::Investigate) => {
            Ok(State::Investigating)
        }
        (State::Raised | State::Reopened | State::Investigating | State::Answered, Step::Note) => Ok(state),
        (State::Investigating, Step::Answer) => Ok(State::Answered),
        (State::Answered, Step::Close) => Ok(State::Closed),
        (State::Answered | State::Closed, Step::Reopen) => Ok(State::Reopened),
        (State::Raised | State::Reopened, Step::Answer) => Err(No::NotInvestigated),
        (State::Raised | State::Reopened | State::Investigating, Step::Close | Step::Reopen) => {
            Err(No::NotAnswered)
        }
        (State::Answered, Step::Investigate | Step::Answer) => Err(No::Answered),
        (State::Closed, Step::Investigate | Step::Note | Step::Answer | Step::Close) => Err(No::Closed),
    }
}

/// Whether somebody may look into a complaint about a visit of these people, and answer it.
pub fn may_judge(went: &[&str], who: &str) -> Result<(), No> {
    if went.contains(&who) { Err(No::OwnVisit) } else { Ok(()) }
}

/// Until when a complaint is to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The instant.
    pub at: Timestamp,
    /// How the contract says it; empty by the house's own time.
    pub promise: String,
    /// Whether that lies beyond the known holidays.
    pub provisional: bool,
}

/// Until when a complaint of `from` is to be answered: as the contract says, on its calendars at the site, else [`HOUSE`].
pub fn due(from: Timestamp, promised: Option<(&AnswerTime, &Calendars)>) -> Due {
    let by_contract = promised.and_then(|(answer, calendars)| {
        let (at, provisional) = over_at(answer.amount, &answer.calendar, calendars, from)?;
        Some(Due { at, promise: answer.words.clone(), provisional })
    });
    by_contract.unwrap_or_else(|| Due {
        at: from.checked_add(HOUSE).unwrap_or(from),
        promise: String::new(),
        provisional: false,
    })
}

/// What became of the complaints of a month, by the first answer to each. `raised` is the sum of the other three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// Those that came.
    pub raised: i64,
    /// Those that were answered in time.
    pub in_time: i64,
    /// Those that were answered late, or are late by now.
    pub late: i64,
    /// Those that may still be answered in time.
    pub waiting: i64,
}

impl Total {
    /// Counts one: until when it was to be answered, and when it first was.
    pub fn add(&mut self, due_at: Timestamp, answered_at: Option<Timestamp>, now: Timestamp) {
        self.raised += 1;
        match answered_at {
            Some(at) if at <= due_at => self.in_time += 1,
            None if now < due_at => self.waiting += 1,
            Some(_) | None => self.late += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::contract::document::read;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn words_are_read_back() {
        assert!(State::ALL.iter().all(|state| State::parse(state.as_str()) == Some(*state)));
        assert!(Step::ALL.iter().all(|step| Step::parse(step.as_str()) == Some(*step)));
    }

    #[test]
    fn it_is_looked_into_answered_and_summed_up_in_this_order() {
        let walk = |steps: &[Step]| steps.iter().try_fold(State::Raised, |state, step| apply(state, *step));
        let all = [Step::Investigate, Step::Note, Step::Answer, Step::Close];
        assert_eq!(walk(&all), Ok(State::Closed));
        assert_eq!(walk(&[Step::Answer]), Err(No::NotInvestigated), "an answer without a look is none");
        assert_eq!(walk(&[Step::Investigate, Step::Close]), Err(No::NotAnswered));
        assert_eq!(walk(&[Step::Investigate, Step::Answer, Step::Answer]), Err(No::Answered));
        assert_eq!(walk(&[Step::Investigate, Step::Answer, Step::Reopen]), Ok(State::Reopened));
        assert_eq!(apply(State::Closed, Step::Reopen), Ok(State::Reopened));
        assert_eq!(apply(State::Reopened, Step::Answer), Err(No::NotInvestigated), "it is looked into anew");
        assert_eq!(apply(State::Closed, Step::Note), Err(No::Closed));
        assert_eq!(may_judge(&["wang"], "wang"), Err(No::OwnVisit));
        assert_eq!(may_judge(&["wang"], "li"), Ok(()));
    }

    #[test]
    fn its_clock_is_the_contracts_at_the_site_or_the_houses() {
        let text = "[contract]\nid = \"t\"\nname = \"T\"\nkind = \"annual\"\nzone = \"Asia/Shanghai\"\n\
            [calendar.office]\nworkdays = [\"09:00-18:00\"]\n[complaint]\nanswer = \"4h\"\ncalendar = \"office\"\n";
        let read = read(text);
        let contract = read.contract.unwrap_or_else(|| panic!("{:#?}", read.remarks));
        let zone = |name| contract.calendars(Some(&TimeZone::get(name).unwrap())).unwrap();
        let promised = |zone: Calendars| {
            due(at("2026-11-20T09:00:00Z"), contract.complaint.as_ref().map(|answer| (answer, &zone)))
        };
        // Friday, 17:00 in Shanghai: an hour today, three on Monday.
        let here = promised(zone("Asia/Shanghai"));
        assert_eq!((here.at, here.promise.as_str()), (at("2026-11-23T04:00:00Z"), "4h"));
        // The same instant is 10:00 in Berlin.
        assert_eq!(promised(zone("Europe/Berlin")).at, at("2026-11-20T13:00:00Z"));
        let house = due(at("2026-11-20T09:00:00Z"), None);
        assert_eq!((house.at, house.promise.as_str()), (at("2026-11-21T09:00:00Z"), ""));
    }

    #[test]
    fn a_month_accounts_for_every_complaint() {
        let (due, now) = (at("2026-11-20T09:00:00Z"), at("2026-11-20T10:00:00Z"));
        let mut total = Total::default();
        for (due, answered) in [(due, Some(due)), (due, Some(now)), (due, None), (now + HOUSE, None)] {
            total.add(due, answered, now);
        }
        assert_eq!(total, Total { raised: 4, in_time: 1, late: 2, waiting: 1 });
    }
}
