//! What holds for every plan, whatever its rules, its anchor and the days on which the site is closed.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::ToSpan;
use jiff::civil::Date;
use proptest::prelude::*;

use super::tests::{all_on, day, rules};
use super::{Key, Occurrence, Plan, Window};
use crate::contract::Contract;

/// A rule that recurs within the years that are looked at.
fn rule() -> impl Strategy<Value = String> {
    let every = prop_oneof![
        (1..=6).prop_map(|count| format!("every = \"{count}mo\"\n")),
        (1..=9).prop_map(|count| format!("every = \"{count}w\"\n")),
        (5..=100).prop_map(|count| format!("every = \"{count}d\"\n")),
        (1..=12, 1..=4).prop_map(|(first, every)| format!("months = \"{first}-\"\nevery = \"{every}mo\"\n")),
        (1..=5, 0..=6, 1..=3).prop_map(|(first, more, every)| {
            format!("weeks = \"{first}-{}\"\nevery = \"{every}w\"\n", first + more)
        }),
        (1..=4, 0..=3).prop_map(|(first, more)| {
            format!("weeks = \"{first}-{}\"\nmode = \"resident\"\n", first + more)
        }),
        (1..=24).prop_map(|month| format!("month = {month}\n")),
        (1..=13).prop_map(|count| format!("count_per_year = {count}\n")),
        (1..=13).prop_map(|count| format!("count_per_warranty = {count}\n")),
    ];
    let own = prop_oneof![4 => Just(""), 1 => Just("own_visit = true\n")];
    (every, own).prop_map(|(every, own)| format!("{every}{own}"))
}

/// Phases leave days between them, which the contract must decide; here each has its own anchor word, and no plan
/// depends on which.
fn contract_text() -> impl Strategy<Value = String> {
    let ends = prop_oneof![2 => Just(None), 1 => (0_i32..1_500).prop_map(Some)];
    (proptest::collection::vec(rule(), 1..5), ends).prop_map(|(rules, ends)| {
        let mut text = match ends {
            Some(after) => format!("ends = \"{}\"\n", day("2026-01-01") + after.days()),
            None => String::new(),
        };
        text += "[warranty]\nlength = \"2y\"\n[[warranty.anchor]]\nevent = \"commissioned\"\n";
        let mut decided = String::new();
        for (at, rule) in rules.iter().enumerate() {
            let _ = write!(text, "[[inspect]]\nname = \"r{at}\"\n{rule}");
            for key in ["weeks", "months"] {
                let asked = format!("key = \"inspect.r{at}.{key}\"\ncode = \"inspect.seam\"\n");
                let _ = write!(decided, "[[decided]]\n{asked}by = \"test\"\nwhy = \"a test\"\n");
            }
        }
        text + "#decided\n" + &decided
    })
}

/// The contract, with those decisions whose question there is.
fn settled(text: &str) -> Contract {
    let (body, decided) = text.split_once("#decided\n").unwrap();
    let head = "[contract]\nid = \"t\"\nname = \"T\"\nkind = \"annual\"\nzone = \"Asia/Shanghai\"\n";
    let read = crate::contract::document::read(&format!("{head}{body}"));
    let asked = |decision: &&str| {
        read.remarks
            .iter()
            .any(|remark| remark.code == "inspect.seam" && decision.contains(&format!("\"{}\"", remark.key)))
    };
    let mut kept = String::new();
    for decision in decided.split("[[decided]]\n").filter(asked) {
        let _ = write!(kept, "[[decided]]\n{decision}");
    }
    rules(&format!("{body}{kept}"))
}

fn closures() -> impl Strategy<Value = Vec<Window>> {
    let one = (0_i32..1_400, 1_i32..60).prop_map(|(from, days)| {
        let from = day("2026-01-01") + from.days();
        Window { from, until: from + days.days() }
    });
    proptest::collection::vec(one, 0..4)
}

fn anchor() -> impl Strategy<Value = Date> {
    prop_oneof![
        2 => (0_i32..800).prop_map(|days| day("2026-01-01") + days.days()),
        1 => prop_oneof![Just("2026-01-31"), Just("2028-02-29"), Just("2026-12-31"), Just("2026-08-31")].prop_map(day),
    ]
}

fn keys(all: &[Occurrence]) -> BTreeSet<&Key> {
    all.iter().map(|one| &one.key).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn a_longer_horizon_never_changes_what_a_shorter_one_said(
        text in contract_text(), anchor in anchor(), closed in closures(), near in 0_i32..900, more in 0_i32..900,
    ) {
        let contract = settled(&text);
        let plan = Plan::new(&contract, &all_on(&contract, anchor), None, &closed).unwrap();
        let (short, long) = (anchor + near.days(), anchor + (near + more).days());
        let (first, all) = (plan.up_to(short), plan.up_to(long));
        prop_assert!(all.len() >= first.len());
        prop_assert_eq!(&all[..first.len()], &first[..]);
        prop_assert!(all[first.len()..].iter().all(|one| one.day > short));
        let (few, gaps) = (plan.gaps(short), plan.gaps(long));
        prop_assert_eq!(&gaps[..few.len()], &few[..]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn every_period_has_its_one_inspection_on_a_day_of_it(
        text in contract_text(), anchor in anchor(), closed in closures(),
    ) {
        let contract = settled(&text);
        let plan = Plan::new(&contract, &all_on(&contract, anchor), None, &closed).unwrap();
        let all = plan.up_to(anchor + 900.days());
        prop_assert_eq!(keys(&all).len(), all.len());
        for one in &all {
            prop_assert!(one.window.from < one.window.until);
            prop_assert!(one.window.holds(one.aim));
            prop_assert_eq!(one.outside, !one.window.holds(one.day));
            prop_assert!(one.window.from <= one.day);
            match &one.merged_into {
                None => {}
                Some(host) => {
                    let host = all.iter().find(|other| other.key == *host).unwrap();
                    prop_assert!(host.merged_into.is_none() && host.day == one.day && host.carries.contains(&one.key));
                    prop_assert!(one.window.covers(host.window));
                }
            }
            let guests = all.iter().filter(|other| other.merged_into.as_ref() == Some(&one.key)).count();
            prop_assert_eq!(guests, one.carries.len());
        }
        // Periods of one rule follow each other without a day between them or twice.
        for series in &plan.series {
            let slots: Vec<_> = series.slots(1).take(60).collect();
            for pair in slots.windows(2) {
                prop_assert_eq!(pair[0].window.until, pair[1].window.from);
                prop_assert_eq!(pair[0].n + 1, pair[1].n);
            }
            for slot in &slots {
                for date in [slot.window.from, slot.aim, slot.window.last()] {
                    prop_assert!(series.near(date).contains(slot), "{} {date} {:?}", series.text, series.near(date));
                }
            }
        }
    }

    #[test]
    fn a_closed_site_moves_inspections_and_loses_none(
        text in contract_text(), anchor in anchor(), closed in closures(),
    ) {
        let contract = settled(&text);
        let far = anchor + 2_000.days();
        let up_to = |closed: &[Window]| {
            let plan = Plan::new(&contract, &all_on(&contract, anchor), None, closed).unwrap();
            let mut all = plan.up_to(far);
            // What a closure moves beyond the horizon is seen further on.
            all.retain(|one| one.window.until < anchor + 1_500.days());
            all
        };
        let (open, shut) = (up_to(&[]), up_to(&closed));
        prop_assert_eq!(keys(&open), keys(&shut));
        for one in &shut {
            prop_assert!(one.outside || !closed.iter().any(|closed| closed.holds(one.day)));
        }
    }
}
