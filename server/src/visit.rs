//! A visit is somebody's attendance at a site for a ticket: planned, given to people, accepted, on the way, arrived,
//! worked on, done, signed or not, called back, filed. A ticket may have several, each following the one before, and
//! several people may go.
//!
//! A visit's life is an append-only log; its columns are only the latest reading of it. A phone may send a step late or
//! twice, and two people of one visit take the same steps: who comes second changes nothing, and stays on the record.

pub mod accepted;
pub mod api;
pub mod arrival;
pub mod form;
pub mod moment;
pub mod photo;
pub mod signature;
pub mod slip;
pub mod store;

use crate::id::id;

id! {
    /// Names a visit; made by whoever plans it.
    VisitId
}

/// Why work waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// A part is missing.
    Parts,
    /// Nobody lets us in.
    Access,
    /// The customer wants it so.
    Customer,
}

impl Pause {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Parts, Self::Access, Self::Customer];

    /// The word in the database and on the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parts => "parts",
            Self::Access => "access",
            Self::Customer => "customer",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// Where a visit stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is wanted; nobody has been asked.
    Planned,
    /// Somebody has been asked.
    Assigned,
    /// Somebody goes.
    Accepted,
    /// Somebody is on the way.
    Departed,
    /// Somebody is there.
    Arrived,
    /// The work has begun.
    Working,
    /// It waits.
    Paused(Pause),
    /// What was to be done is done.
    Done,
    /// The customer has signed for it.
    Signed,
    /// Nobody has signed, and why.
    Unsigned(String),
    /// The customer was asked whether all is well.
    CalledBack,
    /// Closed for good.
    Filed,
    /// It does not take place, and why.
    Cancelled(String),
}

impl State {
    /// The word in the database and on the API.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Assigned => "assigned",
            Self::Accepted => "accepted",
            Self::Departed => "departed",
            Self::Arrived => "arrived",
            Self::Working => "working",
            Self::Paused(_) => "paused",
            Self::Done => "done",
            Self::Signed => "signed",
            Self::Unsigned(_) => "unsigned",
            Self::CalledBack => "called_back",
            Self::Filed => "filed",
            Self::Cancelled(_) => "cancelled",
        }
    }

    /// Why it stands there, where that is asked; else empty.
    pub fn reason(&self) -> &str {
        match self {
            Self::Paused(pause) => pause.as_str(),
            Self::Unsigned(reason) | Self::Cancelled(reason) => reason,
            Self::Planned
            | Self::Assigned
            | Self::Accepted
            | Self::Departed
            | Self::Arrived
            | Self::Working
            | Self::Done
            | Self::Signed
            | Self::CalledBack
            | Self::Filed => "",
        }
    }

    /// Reads word and reason back.
    pub fn parse(word: &str, reason: &str) -> Option<Self> {
        Some(match word {
            "planned" => Self::Planned,
            "assigned" => Self::Assigned,
            "accepted" => Self::Accepted,
            "departed" => Self::Departed,
            "arrived" => Self::Arrived,
            "working" => Self::Working,
            "paused" => Self::Paused(Pause::parse(reason)?),
            "done" => Self::Done,
            "signed" => Self::Signed,
            "unsigned" => Self::Unsigned(reason.to_owned()),
            "called_back" => Self::CalledBack,
            "filed" => Self::Filed,
            "cancelled" => Self::Cancelled(reason.to_owned()),
            _ => return None,
        })
    }
}

/// What a person does in a visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Asks people to go.
    Assign,
    /// Says that he or she goes.
    Accept,
    /// Has spoken with the contact before leaving.
    Call,
    /// Leaves for the site.
    Depart,
    /// Is there, with what proves it; further proof comes as the same step.
    Arrive,
    /// Begins or goes on.
    Work,
    /// Cannot go on.
    Pause(Pause),
    /// Has done it.
    Finish,
    /// Has the customer's signature.
    Sign,
    /// Goes without one.
    Leave(String),
    /// Has asked the customer afterwards.
    CallBack,
    /// Puts it away.
    File,
    /// Calls it off.
    Cancel(String),
    /// Fills in the form.
    Write,
}

/// The words of the steps, as on the API; each is the name of its event.
pub const STEPS: [&str; 14] = [
    "assigned",
    "accepted",
    "called",
    "departed",
    "arrived",
    "working",
    "paused",
    "done",
    "signed",
    "unsigned",
    "called_back",
    "filed",
    "cancelled",
    "written",
];

/// Why a word and a reason make no step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoStep {
    /// There is no such step.
    #[error("it is unknown")]
    Unknown,
    /// The reason is missing, or not one of those that exist.
    #[error("it needs a reason: {0}")]
    Reason(&'static str),
}

impl Step {
    /// The step of that word.
    pub fn parse(word: &str, reason: &str) -> Result<Self, NoStep> {
        let said = |step: fn(String) -> Self| match reason {
            "" => Err(NoStep::Reason("in words")),
            reason => Ok(step(reason.to_owned())),
        };
        Ok(match word {
            "assigned" => Self::Assign,
            "accepted" => Self::Accept,
            "called" => Self::Call,
            "departed" => Self::Depart,
            "arrived" => Self::Arrive,
            "working" => Self::Work,
            "paused" => Self::Pause(Pause::parse(reason).ok_or(NoStep::Reason("parts, access or customer"))?),
            "done" => Self::Finish,
            "signed" => Self::Sign,
            "unsigned" => said(Self::Leave)?,
            "called_back" => Self::CallBack,
            "filed" => Self::File,
            "cancelled" => said(Self::Cancel)?,
            "written" => Self::Write,
            _ => return Err(NoStep::Unknown),
        })
    }

    /// Whether only those who lead may take it; the others are the technician's own.
    pub fn is_led(&self) -> bool {
        match self {
            Self::Assign | Self::CallBack | Self::File | Self::Cancel(_) => true,
            Self::Accept
            | Self::Call
            | Self::Depart
            | Self::Arrive
            | Self::Work
            | Self::Pause(_)
            | Self::Finish
            | Self::Sign
            | Self::Leave(_)
            | Self::Write => false,
        }
    }
}

/// Why a step is not possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It was called off.
    #[error("the visit was cancelled")]
    Cancelled,
    /// It is put away.
    #[error("the visit is filed")]
    Filed,
    /// Something comes before it.
    #[error("the visit is not that far")]
    TooEarly,
    /// It is past that.
    #[error("the visit is past that")]
    TooLate,
}

/// The state after a step, or why it is not possible. Of two people who take the same step the second changes nothing.
pub fn apply(state: &State, step: &Step) -> Result<State, Refused> {
    use State as S;
    match state {
        S::Cancelled(_) => return Err(Refused::Cancelled),
        S::Filed => return Err(Refused::Filed),
        S::Planned
        | S::Assigned
        | S::Accepted
        | S::Departed
        | S::Arrived
        | S::Working
        | S::Paused(_)
        | S::Done
        | S::Signed
        | S::Unsigned(_)
        | S::CalledBack => {}
    }
    let (at, same) = (rank(state), || Ok(state.clone()));
    match step {
        Step::Write => same(),
        Step::Assign if at < DONE => Ok(if at == 0 { S::Assigned } else { state.clone() }),
        Step::Accept if at < DONE => Ok(if at < ACCEPTED { S::Accepted } else { state.clone() }),
        Step::Call if (ACCEPTED..DONE).contains(&at) => same(),
        Step::Depart if at == ACCEPTED => Ok(S::Departed),
        Step::Depart if (DEPARTED..DONE).contains(&at) => same(),
        Step::Arrive if at == ACCEPTED || at == DEPARTED => Ok(S::Arrived),
        // More proof may come whenever it is found.
        Step::Arrive if at > DEPARTED => same(),
        Step::Work if (ARRIVED..DONE).contains(&at) => Ok(S::Working),
        Step::Pause(pause) if (ARRIVED..DONE).contains(&at) => Ok(S::Paused(*pause)),
        Step::Finish if (ARRIVED..DONE).contains(&at) => Ok(S::Done),
        Step::Finish if at == DONE => same(),
        Step::Sign if at == DONE || at == SIGNED => Ok(S::Signed),
        Step::Leave(reason) if at == DONE => Ok(S::Unsigned(reason.clone())),
        Step::CallBack if at == SIGNED => Ok(S::CalledBack),
        Step::File if *state == S::CalledBack => Ok(S::Filed),
        Step::Cancel(reason) if at < DONE => Ok(S::Cancelled(reason.clone())),
        Step::Assign | Step::Accept | Step::Call | Step::Depart | Step::Cancel(_) if at >= DONE => {
            Err(Refused::TooLate)
        }
        Step::Work | Step::Pause(_) | Step::Finish if at >= DONE => Err(Refused::TooLate),
        Step::Sign | Step::Leave(_) | Step::CallBack if at >= SIGNED => Err(Refused::TooLate),
        Step::Assign
        | Step::Accept
        | Step::Call
        | Step::Depart
        | Step::Arrive
        | Step::Work
        | Step::Pause(_)
        | Step::Finish
        | Step::Sign
        | Step::Leave(_)
        | Step::CallBack
        | Step::File
        | Step::Cancel(_) => Err(Refused::TooEarly),
    }
}

const ACCEPTED: u8 = 2;
const DEPARTED: u8 = 3;
const ARRIVED: u8 = 4;
const DONE: u8 = 6;
const SIGNED: u8 = 7;

/// How far a visit is.
fn rank(state: &State) -> u8 {
    match state {
        State::Planned => 0,
        State::Assigned => 1,
        State::Accepted => ACCEPTED,
        State::Departed => DEPARTED,
        State::Arrived => ARRIVED,
        State::Working | State::Paused(_) => 5,
        State::Done => DONE,
        State::Signed | State::Unsigned(_) => SIGNED,
        State::CalledBack => 8,
        State::Filed | State::Cancelled(_) => 9,
    }
}

/// The fields of the form: what the slip says. Each is plain text.
pub const FIELDS: [&str; 14] = [
    "contact",
    "phone",
    "request",
    "present_state",
    "appointment",
    "agreement",
    "work",
    "readings",
    "symptom",
    "cause",
    "solution",
    "test",
    "handling",
    "opinion",
];

/// Whether done needs a reason: what the visit is about is still down.
pub fn needs_reason(device_state: &str) -> bool {
    device_state == "down"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(from: State, words: &[&str]) -> Result<State, Refused> {
        words.iter().try_fold(from, |state, word| {
            let (word, reason) = word.split_once(':').unwrap_or((word, ""));
            apply(&state, &Step::parse(word, reason).unwrap())
        })
    }

    #[test]
    fn a_visit_goes_its_way() {
        let whole =
            ["assigned", "accepted", "called", "departed", "arrived", "working", "paused:parts", "working"];
        assert_eq!(walk(State::Planned, &whole), Ok(State::Working));
        let end = ["done", "signed", "called_back", "filed"];
        assert_eq!(walk(State::Working, &end), Ok(State::Filed));
        let unsigned = walk(State::Working, &["done", "unsigned:nobody there"]).unwrap();
        assert_eq!(unsigned, State::Unsigned("nobody there".into()));
        assert_eq!(walk(unsigned.clone(), &["signed"]), Ok(State::Signed), "the paper came later");
        assert_eq!(walk(unsigned, &["called_back"]), Ok(State::CalledBack));
        assert_eq!(
            walk(State::Planned, &["accepted", "arrived"]),
            Ok(State::Arrived),
            "who is there already"
        );
    }

    #[test]
    fn a_second_person_changes_nothing() {
        for (state, step) in [
            (State::Working, "accepted"),
            (State::Arrived, "departed"),
            (State::Working, "arrived"),
            (State::Done, "done"),
            (State::Signed, "arrived"),
            (State::Paused(Pause::Access), "assigned"),
        ] {
            assert_eq!(walk(state.clone(), &[step]), Ok(state.clone()), "{state:?} {step}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (state, step, why) in [
            (State::Planned, "arrived", Refused::TooEarly),
            (State::Assigned, "departed", Refused::TooEarly),
            (State::Accepted, "done", Refused::TooEarly),
            (State::Departed, "working", Refused::TooEarly),
            (State::Done, "working", Refused::TooLate),
            (State::Done, "called_back", Refused::TooEarly),
            (State::Signed, "filed", Refused::TooEarly),
            (State::Done, "cancelled:late", Refused::TooLate),
            (State::Cancelled("rain".into()), "arrived", Refused::Cancelled),
            (State::Filed, "written", Refused::Filed),
            (State::CalledBack, "signed", Refused::TooLate),
        ] {
            assert_eq!(walk(state.clone(), &[step]), Err(why), "{state:?} {step}");
        }
        assert_eq!(Step::parse("paused", "weather"), Err(NoStep::Reason("parts, access or customer")));
        assert_eq!(Step::parse("unsigned", ""), Err(NoStep::Reason("in words")));
        assert_eq!(Step::parse("flown", ""), Err(NoStep::Unknown));
    }

    #[test]
    fn words_are_read_back() {
        for state in [State::Planned, State::Paused(Pause::Parts), State::Unsigned("x".into()), State::Filed]
        {
            assert_eq!(State::parse(state.as_str(), state.reason()), Some(state));
        }
        assert!(STEPS.iter().all(|step| Step::parse(step, "parts").is_ok()));
    }
}
