//! A major request (重大请求): the customer's own mistake that touches its business, a hardware fault that needs a new
//! installation or lost data back, a fault that stops everything. Whoever leads reports it; our technical and our business
//! side consent, two people of whom neither raised it, and the customer's leader. Nothing is begun before all three
//! consents stand at that moment; a refusal ends it. Its record is only ever added to, and where it stands is read off
//! that. Pure.

use std::collections::BTreeMap;

pub mod api;
pub mod store;

/// What kind of request it is; each is a key of the texts.
pub const KINDS: [&str; 3] = ["misoperation", "restoration", "serious"];
/// What caused it.
pub const CAUSES: [&str; 7] =
    ["misuse", "hardware", "software", "network", "business", "environment", "unknown"];
/// How the work ended.
pub const OUTCOMES: [&str; 3] = ["solved", "partly", "failed"];
/// How a customer's leader can have consented.
pub const HOW: [&str; 5] = ["form", "letter", "email", "phone", "in_person"];
/// The customer's leader is signed in and consents in person.
pub const SIGNED_IN: &str = "signed_in";

/// Whose consent is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Our technical department's.
    Technical,
    /// Our business department's.
    Business,
    /// The customer's leader's.
    Customer,
}

impl Side {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Technical, Self::Business, Self::Customer];

    /// The word in the database and on the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Technical => "technical",
            Self::Business => "business",
            Self::Customer => "customer",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// What somebody does with a request; `who` is the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A side consents.
    Consent(Side),
    /// A side takes its consent back.
    Withdraw(Side),
    /// A side refuses.
    Refuse(Side),
    /// The work begins.
    Begin,
    /// The work is over.
    Finish,
}

impl Step {
    /// The kind of its line on the record.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Consent(_) => "consent",
            Self::Withdraw(_) => "withdrawn",
            Self::Refuse(_) => "refused",
            Self::Begin => "begun",
            Self::Finish => "done",
        }
    }

    /// The side that it is about.
    pub fn side(self) -> Option<Side> {
        match self {
            Self::Consent(side) | Self::Withdraw(side) | Self::Refuse(side) => Some(side),
            Self::Begin | Self::Finish => None,
        }
    }

    /// Reads a line of the record back; `None` for one that is no step.
    pub fn parse(kind: &str, side: &str) -> Option<Self> {
        match kind {
            "begun" => Some(Self::Begin),
            "done" => Some(Self::Finish),
            "consent" => Side::parse(side).map(Self::Consent),
            "withdrawn" => Side::parse(side).map(Self::Withdraw),
            "refused" => Side::parse(side).map(Self::Refuse),
            _ => None,
        }
    }
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A consent is lacking.
    Raised,
    /// All three stand.
    Granted,
    /// The work goes on.
    Executing,
    /// The work is over.
    Done,
    /// Somebody refused.
    Refused,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Raised, Self::Granted, Self::Executing, Self::Done, Self::Refused];

    /// The word in the database and on the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Granted => "granted",
            Self::Executing => "executing",
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// Why a step cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum No {
    /// It was refused.
    #[error("it was refused")]
    Refused,
    /// Its work was begun, or is over.
    #[error("its work was begun")]
    Begun,
    /// Its work was not begun.
    #[error("its work was not begun")]
    NotBegun,
    /// Consents are lacking.
    #[error("not everybody has consented")]
    Lacking(Vec<Side>),
    /// That side has consented.
    #[error("that side has consented")]
    Given,
    /// That side has not consented.
    #[error("that side has not consented")]
    NotGiven,
    /// Nobody approves of their own request.
    #[error("whoever raised it does not approve of it")]
    OwnRequest,
    /// The other department's answer is this person's.
    #[error("this person has consented for the other department")]
    SamePerson,
    /// Another person gave the consent.
    #[error("another person gave this consent")]
    Anothers,
}

impl No {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Begun => "begun",
            Self::NotBegun => "not_begun",
            Self::Lacking(_) => "lacking",
            Self::Given => "given",
            Self::NotGiven => "not_given",
            Self::OwnRequest => "own_request",
            Self::SamePerson => "same_person",
            Self::Anothers => "anothers",
        }
    }

    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::Refused => "raise another one, if the work is still needed".to_owned(),
            Self::Begun => "write down how it ends".to_owned(),
            Self::NotBegun => "begin it first".to_owned(),
            Self::Lacking(sides) => {
                let sides: Vec<&str> = sides.iter().map(|side| side.as_str()).collect();
                format!("still to consent: {}; nothing may be done before", sides.join(", "))
            }
            Self::Given => "nothing more is needed of it".to_owned(),
            Self::NotGiven => "there is nothing to take back".to_owned(),
            Self::OwnRequest | Self::SamePerson => "let somebody else answer for this side".to_owned(),
            Self::Anothers => "only that person takes it back, or refuses".to_owned(),
        }
    }
}

/// What a record comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The state.
    pub state: State,
    /// The consents that stand, each with the account that gave or recorded it.
    pub consents: BTreeMap<Side, String>,
}

impl Standing {
    /// The sides that have not consented.
    pub fn lacking(&self) -> Vec<Side> {
        Side::ALL.into_iter().filter(|side| !self.consents.contains_key(side)).collect()
    }
}

/// What a record comes to: its steps with the accounts that took them, oldest first.
pub fn read<'r>(record: impl IntoIterator<Item = (Step, &'r str)>) -> Standing {
    let mut consents: BTreeMap<Side, String> = BTreeMap::new();
    let mut over = None;
    for (step, who) in record {
        match step {
            Step::Consent(side) => {
                consents.insert(side, who.to_owned());
            }
            Step::Withdraw(side) => {
                consents.remove(&side);
            }
            Step::Refuse(side) => {
                consents.remove(&side);
                over = Some(State::Refused);
            }
            Step::Begin => over = Some(State::Executing),
            Step::Finish => over = Some(State::Done),
        }
    }
    let state =
        over.unwrap_or(if consents.len() == Side::ALL.len() { State::Granted } else { State::Raised });
    Standing { state, consents }
}

/// Whether somebody may take a step on a request that another, or the same, person raised.
pub fn may(standing: &Standing, raised_by: &str, step: Step, who: &str) -> Result<(), No> {
    match (standing.state, step) {
        (State::Refused, _) => return Err(No::Refused),
        (State::Done, _) | (State::Executing, Step::Begin) => return Err(No::Begun),
        (State::Executing, Step::Consent(_) | Step::Withdraw(_) | Step::Refuse(_)) => return Err(No::Begun),
        (State::Executing, Step::Finish) | (State::Granted, Step::Begin) => return Ok(()),
        (State::Raised, Step::Begin) => return Err(No::Lacking(standing.lacking())),
        (State::Raised | State::Granted, Step::Finish) => return Err(No::NotBegun),
        (State::Raised | State::Granted, Step::Consent(_) | Step::Withdraw(_) | Step::Refuse(_)) => {}
    }
    let Some(side) = step.side() else { return Ok(()) };
    let given = standing.consents.get(&side);
    match step {
        Step::Consent(_) if given.is_some() => return Err(No::Given),
        Step::Withdraw(_) if given.is_none() => return Err(No::NotGiven),
        _ => {}
    }
    // What the customer's leader says is only recorded here.
    let other = match side {
        Side::Technical => Side::Business,
        Side::Business => Side::Technical,
        Side::Customer => return Ok(()),
    };
    if who == raised_by {
        return Err(No::OwnRequest);
    }
    if given.is_some_and(|one| one != who) {
        return Err(No::Anothers);
    }
    if standing.consents.get(&other).is_some_and(|one| one == who) {
        return Err(No::SamePerson);
    }
    Ok(())
}

/// What became of the requests of a month. `raised` is the sum of `waiting`, `refused`, `executing` and `done`; `solved`,
/// `partly` and `failed` add up to `done`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// Those that were raised.
    pub raised: i64,
    /// Those that wait for a consent, or to be begun.
    pub waiting: i64,
    /// Those that were refused.
    pub refused: i64,
    /// Those that are worked on.
    pub executing: i64,
    /// Those whose work is over.
    pub done: i64,
    /// Of these, those that were solved,
    pub solved: i64,
    /// in part,
    pub partly: i64,
    /// or not.
    pub failed: i64,
}

impl Total {
    /// Counts one.
    pub fn add(&mut self, state: State, outcome: &str) {
        self.raised += 1;
        match state {
            State::Raised | State::Granted => self.waiting += 1,
            State::Refused => self.refused += 1,
            State::Executing => self.executing += 1,
            State::Done => {
                self.done += 1;
                match outcome {
                    "solved" => self.solved += 1,
                    "partly" => self.partly += 1,
                    _ => self.failed += 1,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Side::{Business, Customer, Technical};
    use Step::{Begin, Consent, Finish, Refuse, Withdraw};

    /// Takes the steps in order; where it stands, or the first refusal.
    fn walk(steps: &[(Step, &'static str)]) -> Result<Standing, No> {
        let mut record: Vec<(Step, &str)> = Vec::new();
        for (step, who) in steps {
            may(&read(record.clone()), "li", *step, who)?;
            record.push((*step, *who));
        }
        Ok(read(record))
    }

    const ALL: [(Step, &str); 3] =
        [(Consent(Technical), "wang"), (Consent(Business), "zhao"), (Consent(Customer), "li")];

    #[test]
    fn words_are_read_back() {
        assert!(State::ALL.iter().all(|one| State::parse(one.as_str()) == Some(*one)));
        for step in [Begin, Finish].into_iter().chain(Side::ALL.map(Consent)).chain(Side::ALL.map(Withdraw)) {
            assert_eq!(Step::parse(step.kind(), step.side().map_or("", Side::as_str)), Some(step));
        }
        assert_eq!(Step::parse("raised", ""), None);
    }

    #[test]
    fn nothing_begins_without_all_three_in_whatever_order() {
        for mask in 0..8_u8 {
            let given: Vec<_> =
                ALL.iter().enumerate().filter(|(n, _)| mask & (1 << n) != 0).map(|(_, one)| *one).collect();
            for order in [given.clone(), given.into_iter().rev().collect()] {
                let standing = walk(&order).unwrap();
                let begun = may(&standing, "li", Begin, "li");
                assert_eq!(begun.is_ok(), mask == 7, "{order:?}: {begun:?}");
                assert_eq!(standing.state == State::Granted, mask == 7);
                assert_eq!(may(&standing, "li", Finish, "li"), Err(No::NotBegun));
            }
        }
        assert_eq!(walk(&ALL[..1]).unwrap().lacking(), [Business, Customer]);
    }

    #[test]
    fn two_departments_are_two_people_and_neither_raised_it() {
        assert_eq!(walk(&[(Consent(Technical), "li")]), Err(No::OwnRequest));
        assert_eq!(walk(&[(Refuse(Business), "li")]), Err(No::OwnRequest));
        let both = [(Consent(Technical), "wang"), (Consent(Business), "wang")];
        assert_eq!(walk(&both), Err(No::SamePerson));
        let again = [(Consent(Technical), "wang"), (Consent(Technical), "zhao")];
        assert_eq!(walk(&again), Err(No::Given));
    }

    #[test]
    fn a_consent_is_taken_back_before_the_work_and_never_after() {
        let back = |who| [ALL[0], ALL[1], ALL[2], (Withdraw(Technical), who), (Begin, "li")];
        assert_eq!(walk(&back("wang")), Err(No::Lacking(vec![Technical])));
        assert_eq!(walk(&back("zhao")), Err(No::Anothers));
        assert_eq!(walk(&back("qian")), Err(No::Anothers));
        assert_eq!(walk(&[(Withdraw(Customer), "li")]), Err(No::NotGiven));
        let late = [ALL[0], ALL[1], ALL[2], (Begin, "li"), (Withdraw(Technical), "wang")];
        assert_eq!(walk(&late), Err(No::Begun));
        let anew = [
            ALL[0],
            (Withdraw(Technical), "wang"),
            (Consent(Technical), "qian"),
            ALL[1],
            ALL[2],
            (Begin, "li"),
        ];
        assert_eq!(walk(&anew).unwrap().state, State::Executing);
    }

    #[test]
    fn a_refusal_ends_it_even_after_all_have_consented() {
        let refused = [ALL[0], ALL[1], ALL[2], (Refuse(Customer), "li")];
        assert_eq!(walk(&refused).unwrap().state, State::Refused);
        for step in [Begin, Finish, Consent(Customer), Refuse(Technical)] {
            let mut steps = refused.to_vec();
            steps.push((step, "qian"));
            assert_eq!(walk(&steps), Err(No::Refused));
        }
    }

    #[test]
    fn it_is_begun_and_over_once() {
        let done = [ALL[0], ALL[1], ALL[2], (Begin, "li"), (Finish, "li")];
        assert_eq!(walk(&done).unwrap().state, State::Done);
        assert_eq!(walk(&[&done[..4], &[(Begin, "li")]].concat()), Err(No::Begun));
        assert_eq!(walk(&[&done[..], &[(Finish, "li")]].concat()), Err(No::Begun));
    }

    #[test]
    fn a_month_accounts_for_every_request() {
        let mut total = Total::default();
        for state in State::ALL {
            total.add(state, "solved");
        }
        total.add(State::Done, "failed");
        assert_eq!(total.raised, total.waiting + total.refused + total.executing + total.done);
        assert_eq!(total.done, total.solved + total.partly + total.failed);
        assert_eq!((total.raised, total.waiting, total.done, total.failed), (6, 2, 2, 1));
    }
}
