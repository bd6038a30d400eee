//! The manual of frequent faults (常见问题手册): causes that came again and again are proposed, a person accepts, edits or passes
//! them over, and what was accepted is offered where it fits. Pure.

use std::collections::BTreeSet;

use super::{Case, Trouble, plain};

/// Tickets with the same fault and the same cause that make a proposal.
pub const OFTEN: usize = 3;
/// Characters of a cause that tell it from others: an index of PostgreSQL holds no row of more than 2,704 bytes.
const CAUSE_MAX: usize = 200;
/// Solutions that a proposal lists, the newest.
const SOLUTIONS_MAX: usize = 5;
/// Proposals of one answer.
const PROPOSED_MAX: usize = 50;

/// What it is about and what helps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// Fault code that it fits; empty fits all.
    pub code: String,
    /// Class of device that it fits; empty fits all.
    pub class: String,
    /// Model that it fits; empty fits all.
    pub model: String,
    /// What is seen; may be empty.
    pub symptom: String,
    /// What is wrong.
    pub cause: String,
    /// What helps.
    pub solution: String,
}

/// How closely an item fits a trouble: how many of code, class and model it names. None where one differs, and for an item that
/// names nothing.
pub fn fit(item: &Item, trouble: &Trouble) -> Option<usize> {
    let all = [(&item.code, &trouble.code), (&item.class, &trouble.class), (&item.model, &trouble.model)];
    let named = all.iter().filter(|(mine, _)| !mine.is_empty());
    let fits = named.clone().all(|(mine, theirs)| mine.eq_ignore_ascii_case(theirs));
    fits.then(|| named.count()).filter(|count| *count > 0)
}

/// Whether an item holds all of these words, in whatever field.
pub fn holds(item: &Item, words: &str) -> bool {
    let Item { code, class, model, symptom, cause, solution } = item;
    let all = plain(&[code, class, model, symptom, cause, solution].map(String::as_str).join(" "));
    plain(words).split(' ').all(|word| all.contains(word))
}

/// A cause that came again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The fault and the cause, without capital letters and marks.
    pub key: String,
    /// What the newest ticket says; of class and model what all of them share.
    pub item: Item,
    /// The different solutions, the newest first.
    pub solutions: Vec<String>,
    /// The tickets, the newest first.
    pub tickets: Vec<i64>,
}

/// What names a fault with a cause: causes that are alike so far are one, and the key has a bound.
fn key(case: &Case) -> String {
    let cause: String = plain(&case.cause).chars().take(CAUSE_MAX).collect();
    format!("{}: {cause}", case.code)
}

/// The causes of at least [`OFTEN`] tickets of the same fault that nobody has decided about, the most frequent first. The cases
/// come newest first.
pub fn repeated(cases: Vec<Case>, decided: &BTreeSet<String>) -> Vec<Proposal> {
    let mut all: Vec<Proposal> = Vec::new();
    for case in cases {
        let key = key(&case);
        if plain(&case.cause).is_empty() || decided.contains(&key) {
            continue;
        }
        let found = all.iter().position(|one| one.key == key);
        let Some(proposal) = found.map(|at| &mut all[at]) else {
            let Case { code, class, model, symptom, cause, solution, ticket_number, .. } = case;
            let solutions = vec![solution.clone()];
            let item = Item { code, class, model, symptom, cause, solution };
            all.push(Proposal { key, item, solutions, tickets: vec![ticket_number] });
            continue;
        };
        if !proposal.item.class.eq_ignore_ascii_case(&case.class) {
            proposal.item.class.clear();
        }
        if !proposal.item.model.eq_ignore_ascii_case(&case.model) {
            proposal.item.model.clear();
        }
        let is_new = |one: &String| plain(one) != plain(&case.solution);
        if proposal.solutions.len() < SOLUTIONS_MAX && proposal.solutions.iter().all(is_new) {
            proposal.solutions.push(case.solution);
        }
        if !proposal.tickets.contains(&case.ticket_number) {
            proposal.tickets.push(case.ticket_number);
        }
    }
    all.retain(|one| one.tickets.len() >= OFTEN);
    all.sort_by_key(|one| std::cmp::Reverse(one.tickets.len()));
    all.truncate(PROPOSED_MAX);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(number: i64, model: &str, cause: &str, solution: &str) -> Case {
        Case {
            ticket_number: number,
            code: "unreachable".into(),
            class: "camera".into(),
            model: model.into(),
            cause: cause.into(),
            solution: solution.into(),
            ..Case::default()
        }
    }

    #[test]
    fn three_tickets_make_a_proposal_and_a_decision_ends_it() {
        let cases = || {
            vec![
                case(9, "A", "Water in the plug.", "new plug"),
                case(8, "B", "water in the plug", "New plug!"),
                // The second visit of the same ticket counts once.
                case(8, "B", "water in the plug", "dried"),
                case(7, "A", "lightning", "new camera"),
                case(6, "A", "lightning", "new camera"),
                case(5, "A", "", "restarted"),
                case(4, "A", "", "restarted"),
                case(3, "A", "", "restarted"),
                case(2, "A", "WATER in the plug", "gel"),
            ]
        };
        let [only] = &repeated(cases(), &BTreeSet::new())[..] else { panic!("one proposal") };
        assert_eq!(only.tickets, [9, 8, 2]);
        assert_eq!(only.solutions, ["new plug", "dried", "gel"]);
        assert_eq!((only.item.class.as_str(), only.item.model.as_str()), ("camera", ""), "what all share");
        assert!(repeated(cases(), &BTreeSet::from([only.key.clone()])).is_empty());
    }

    #[test]
    fn a_long_cause_has_a_key_that_an_index_holds() {
        let long = "水".repeat(4_000);
        let cases = (1..=3).map(|number| case(number, "A", &long, "dried")).collect();
        let [only] = &repeated(cases, &BTreeSet::new())[..] else { panic!("one proposal") };
        assert!(only.key.len() < 1_000, "{}", only.key.len());
    }

    #[test]
    fn an_item_fits_what_it_names_and_nothing_fits_all() {
        let trouble = Trouble {
            device_id: None,
            class: "camera".into(),
            model: "DS-2CD".into(),
            code: "unreachable".into(),
        };
        let item = |code: &str, class: &str, model: &str| Item {
            code: code.into(),
            class: class.into(),
            model: model.into(),
            ..Item::default()
        };
        assert_eq!(fit(&item("unreachable", "camera", "ds-2cd"), &trouble), Some(3));
        assert_eq!(fit(&item("unreachable", "", ""), &trouble), Some(1));
        assert_eq!(fit(&item("unreachable", "switch", ""), &trouble), None);
        assert_eq!(fit(&item("", "", ""), &trouble), None);
    }
}
