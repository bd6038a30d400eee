//! Rows that are looked at every day, or only now and then, or twice: they come to the same.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;
use proptest::prelude::*;

use super::keep::{Change, Planned, Standing, Version, across, missing, settle};
use super::life::State;
use super::tests::{all_on, day, rules};
use super::{Plan, Window};
use crate::contract::Contract;

/// Rows in memory, brought in step as the server does it.
struct Rows<'c> {
    versions: Vec<Version<'c>>,
    rows: Vec<Standing>,
}

impl<'c> Rows<'c> {
    fn new(contracts: &[(&'c Contract, Date)], anchor: Date, closed: &[Window]) -> Self {
        let since = contracts[0].1;
        let version = |(at, (contract, from)): (usize, &(&'c Contract, Date))| Version {
            number: at as i64 + 1,
            from: *from,
            since,
            plan: Plan::new(contract, &all_on(contract, anchor), None, closed).unwrap(),
        };
        Self { versions: contracts.iter().enumerate().map(version).collect(), rows: Vec::new() }
    }

    fn look(&mut self, today: Date) -> usize {
        let planned = across(&self.versions, today + 500.days(), None);
        let later = |one: &Planned, from: Date| {
            let version = self.versions.iter().find(|version| version.number == one.version).unwrap();
            version.plan.day_from(&one.one, from)
        };
        for (one, on) in missing(&planned, &self.rows, (today, today + 100.days()), later) {
            self.rows.push(Standing {
                id: format!("{} {} {}", one.one.key.rule, one.one.series, one.one.key.n),
                rule: one.one.key.rule.clone(),
                series: one.one.series.clone(),
                n: one.one.key.n,
                state: State::Due,
                window: one.one.window,
                planned: one.one.day,
                day: on,
                merged_id: None,
                done_on: None,
                is_current: true,
            });
        }
        let changes = settle(&planned, &self.rows, today, later);
        let count = changes.len();
        for (id, change) in changes {
            let row = self.rows.iter_mut().find(|row| row.id == id).unwrap();
            match change {
                Change::Set { state, day, merged_id, done_on } => {
                    (row.state, row.day, row.merged_id, row.done_on) = (state, day, merged_id, done_on);
                }
                Change::Replan { day } => {
                    let plan = planned.iter().find(|one| {
                        (&one.one.key.rule, &one.one.series, one.one.key.n) == (&row.rule, &row.series, row.n)
                    });
                    row.planned = plan.unwrap().one.day;
                    row.day = day;
                }
            }
        }
        count
    }

    fn states(&self) -> BTreeMap<String, State> {
        self.rows.iter().map(|row| (row.id.clone(), row.state)).collect()
    }
}

const ONE: &str = "[[inspect]]\nname = \"m\"\nfrom = \"commissioned\"\nevery = \"1mo\"\n\
    [[inspect]]\nname = \"q\"\nfrom = \"commissioned\"\nevery = \"3mo\"\n\
    [[inspect]]\nname = \"w\"\nfrom = \"commissioned\"\nevery = \"2w\"\nmode = \"phone\"\n";
const OTHER: &str = "[[inspect]]\nname = \"m\"\nfrom = \"commissioned\"\nevery = \"2mo\"\n\
    [[inspect]]\nname = \"y\"\nfrom = \"commissioned\"\ncount_per_year = 2\n";

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, ..ProptestConfig::default() })]

    #[test]
    fn days_without_a_look_change_nothing_in_the_end(
        anchor in 0_i32..400, edited in 40_i32..200, gaps in proptest::collection::vec(1_i32..40, 1..12),
        shut in 0_i32..300, closed in 1_i32..40,
    ) {
        let (one, other) = (rules(ONE), rules(OTHER));
        let begin = day("2026-06-01");
        let anchor = begin - anchor.days();
        let shut = begin + shut.days();
        let closed = [Window { from: shut, until: shut + closed.days() }];
        let both = [(&one, begin), (&other, begin + edited.days())];
        let (mut daily, mut rarely) = (Rows::new(&both, anchor, &closed), Rows::new(&both, anchor, &closed));
        let mut today = begin;
        for gap in gaps {
            for _ in 0..gap {
                daily.look(today);
                today += 1.day();
            }
            daily.look(today);
            rarely.look(today);
            prop_assert_eq!(daily.states(), rarely.states());
            // Nothing is left to do, and no row is there twice.
            prop_assert_eq!(daily.look(today), 0);
            prop_assert_eq!(rarely.look(today), 0);
            prop_assert_eq!(rarely.rows.len(), rarely.states().len());
        }
        for row in &rarely.rows {
            // Whatever is over has an outcome; nothing hangs on a visit that does not come.
            let over = row.window.until <= today && row.day < today;
            prop_assert!(!over || matches!(row.state, State::Missed | State::Dropped), "{row:?}");
            if let Some(host) = &row.merged_id {
                let host = rarely.rows.iter().find(|other| other.id == *host).unwrap();
                prop_assert!(host.state.is_ahead() && host.day == row.day && row.window.holds(row.day));
            }
        }
    }
}
