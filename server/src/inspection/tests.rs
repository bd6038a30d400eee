//! Plans worked out by hand, on the calendar of 2026 to 2032.

use std::fmt::Write as _;

use jiff::civil::Date;

use super::{Anchors, Occurrence, Plan, Window};
use crate::contract::{Contract, document, template};

const HEAD: &str = "[contract]\nid = \"t\"\nname = \"T\"\nkind = \"annual\"\nzone = \"Asia/Shanghai\"\n";

pub(super) fn contract(text: &str) -> Contract {
    let read = document::read(text);
    read.contract.unwrap_or_else(|| panic!("{:#?}", read.remarks))
}

pub(super) fn rules(body: &str) -> Contract {
    contract(&format!("{HEAD}{body}"))
}

pub(super) fn day(text: &str) -> Date {
    text.parse().unwrap()
}

/// Every event on one day.
pub(super) fn all_on(contract: &Contract, date: Date) -> Anchors {
    let events = contract.inspections.iter().filter_map(|rule| rule.from.clone());
    Anchors { events: events.map(|event| (event, date)).collect(), begins: Some(date) }
}

fn plan<'c>(contract: &'c Contract, from: &str, closed: &[Window]) -> Plan<'c> {
    Plan::new(contract, &all_on(contract, day(from)), None, closed).unwrap()
}

fn template(name: &str) -> Contract {
    contract(template::find(name).unwrap().text)
}

/// `rule n: day, from … last, + merged`.
fn line(one: &Occurrence) -> String {
    let mut text = format!(
        "{} {}: {} of {} to {}",
        one.key.rule,
        one.key.n,
        one.day,
        one.window.from,
        one.window.last()
    );
    if let Some(host) = &one.merged_into {
        let _ = write!(text, " in {} {}", host.rule, host.n);
    }
    if one.outside {
        text += " outside";
    }
    text
}

fn lines(plan: &Plan<'_>, until: &str) -> Vec<String> {
    plan.up_to(day(until)).iter().map(line).collect()
}

#[test]
fn commissioned_on_the_31st_every_month_ends_where_it_can_and_the_next_is_long_again() {
    let contract = template("intelligent-building");
    let plan = plan(&contract, "2026-01-31", &[]);
    assert_eq!(
        lines(&plan, "2026-07-31"),
        [
            // A Saturday; Sunday; Monday 2 February.
            "first_month 1: 2026-02-02 of 2026-01-31 to 2026-02-27",
            // Saturday 28 February is a make-up day.
            "second_month 1: 2026-02-28 of 2026-02-28 to 2026-03-06",
            "second_month 2: 2026-03-09 of 2026-03-07 to 2026-03-13",
            "second_month 3: 2026-03-16 of 2026-03-14 to 2026-03-20",
            "second_month 4: 2026-03-23 of 2026-03-21 to 2026-03-27",
            "monthly 1: 2026-03-31 of 2026-03-31 to 2026-04-29",
            "quarterly 1: 2026-03-31 of 2026-01-31 to 2026-04-29 in monthly 1",
            "monthly 2: 2026-04-30 of 2026-04-30 to 2026-05-30",
            // 31 May is a Sunday.
            "monthly 3: 2026-06-01 of 2026-05-31 to 2026-06-29",
            "monthly 4: 2026-06-30 of 2026-06-30 to 2026-07-30",
            "half_year 1: 2026-06-30 of 2026-06-30 to 2026-07-30 in monthly 4",
            "quarterly 2: 2026-06-30 of 2026-04-30 to 2026-07-30 in monthly 4",
            "monthly 5: 2026-07-31 of 2026-07-31 to 2026-08-30",
        ]
    );
    // Eight weeks are over on 28 March, the third month begins on the 31st.
    let gaps = plan.gaps(day("2030-01-01"));
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!((gaps[0].from, gaps[0].until), (day("2026-03-28"), Some(day("2026-03-31"))));
    assert_eq!(
        (gaps[0].after.as_deref(), gaps[0].before.as_deref()),
        (Some("second_month"), Some("monthly"))
    );
    let year = plan.up_to(day("2026-12-31"));
    let last: Vec<String> = year.iter().rev().take(3).rev().map(line).collect();
    assert_eq!(
        last,
        [
            "monthly 10: 2026-12-31 of 2026-12-31 to 2027-01-30",
            "annual 1: 2026-12-31 of 2026-12-31 to 2027-01-30 in monthly 10",
            "quarterly 4: 2026-12-31 of 2026-10-31 to 2027-01-30 in monthly 10",
        ]
    );
    let visit = &year[year.len() - 3];
    let carried: Vec<&str> = visit.carries.iter().map(|key| key.rule.as_str()).collect();
    assert_eq!(carried, ["annual", "quarterly"]);
    // The quarter's day may be moved until a month before it.
    assert_eq!(year[year.len() - 1].tell_by, Some(day("2026-11-30")));
    assert_eq!(year[year.len() - 1].merged_into.as_ref().map(|key| key.n), Some(10));
    // 36 months of warranty: the last month is the 34th of the monthly ones.
    assert_eq!(plan.last_day(), Some(day("2029-01-30")));
    let last = plan.up_to(day("2040-01-01")).into_iter().rfind(|one| one.key.rule == "monthly").unwrap();
    assert_eq!(
        (last.key.n, last.window.from, last.window.last()),
        (34, day("2028-12-31"), day("2029-01-30"))
    );
}

#[test]
fn commissioned_on_29_february_and_31_december() {
    let contract = rules("[[inspect]]\nname = \"m\"\nevery = \"1mo\"\nfrom = \"commissioned\"\n");
    let from = |anchor: &str, n: usize| {
        let all = plan(&contract, anchor, &[]).up_to(day("2033-12-31"));
        let window = all.into_iter().find(|one| one.key.n as usize == n).unwrap().window;
        format!("{} {}", window.from, window.last())
    };
    assert_eq!(from("2028-02-29", 1), "2028-02-29 2028-03-28");
    assert_eq!(from("2028-02-29", 12), "2029-01-29 2029-02-27");
    assert_eq!(from("2028-02-29", 13), "2029-02-28 2029-03-28");
    assert_eq!(from("2028-02-29", 14), "2029-03-29 2029-04-28");
    assert_eq!(from("2028-02-29", 49), "2032-02-29 2032-03-28");
    assert_eq!(from("2026-12-31", 2), "2027-01-31 2027-02-27");
    assert_eq!(from("2026-12-31", 3), "2027-02-28 2027-03-30");
    assert_eq!(from("2026-12-31", 4), "2027-03-31 2027-04-29");
    assert_eq!(from("2026-12-31", 15), "2028-02-29 2028-03-30");
    assert_eq!(from("2026-08-31", 7), "2027-02-28 2027-03-30");
}

#[test]
fn weeks_and_month_three_from_a_leap_day_leave_other_gaps() {
    let contract = template("intelligent-building");
    // 29 February 2028 + 56 days is 25 April; the third month begins on 29 April.
    let gaps = plan(&contract, "2028-02-29", &[]).gaps(day("2028-12-31"));
    assert_eq!((gaps[0].from, gaps[0].until), (day("2028-04-25"), Some(day("2028-04-29"))));
    // 31 December 2026 + 56 days is 25 February; the third month begins on the 28th.
    let plan = plan(&contract, "2026-12-31", &[]);
    let gaps = plan.gaps(day("2027-12-31"));
    assert_eq!((gaps[0].from, gaps[0].until), (day("2027-02-25"), Some(day("2027-02-28"))));
    assert!(plan.gaps(day("2027-02-24")).is_empty());
}

#[test]
fn one_visit_does_the_work_of_three_rules() {
    let contract = template("park");
    let all = plan(&contract, "2026-01-01", &[]).up_to(day("2026-12-31"));
    let visits: Vec<&Occurrence> = all.iter().filter(|one| one.merged_into.is_none()).collect();
    assert_eq!((all.len(), visits.len()), (12 + 4 + 2, 12));
    let june = visits.iter().find(|one| one.key.n == 6).unwrap();
    let carried: Vec<String> = june.carries.iter().map(|key| format!("{} {}", key.rule, key.n)).collect();
    assert_eq!(carried, ["quarterly_upkeep 2", "half_yearly_patrol 1"]);
    assert_eq!(june.day, day("2026-06-01"));

    let apart = rules(
        "[[inspect]]\nname = \"a\"\nevery = \"1mo\"\n[[inspect]]\nname = \"b\"\nevery = \"3mo\"\nown_visit = true\n\
         [[inspect]]\nname = \"c\"\nevery = \"3mo\"\nmode = \"phone\"\n",
    );
    let all = plan(&apart, "2026-01-05", &[]).up_to(day("2026-06-30"));
    assert!(all.iter().all(|one| one.merged_into.is_none()));
    // Two rules with one period share a visit; the first in the text has it.
    let twins =
        rules("[[inspect]]\nname = \"x\"\nevery = \"3mo\"\n[[inspect]]\nname = \"y\"\ncount_per_year = 4\n");
    let all = plan(&twins, "2026-01-05", &[]).up_to(day("2026-04-30"));
    assert_eq!(all[1].merged_into.as_ref().map(|key| key.rule.as_str()), Some("x"));
}

#[test]
fn a_site_that_is_closed_all_week_is_visited_after_it() {
    let contract = rules("[[inspect]]\nname = \"w\"\nevery = \"1w\"\n");
    // Spring Festival is from 15 to 23 February 2026.
    let lines_of = |closed: &[Window]| lines(&plan(&contract, "2026-02-09", closed), "2026-03-08");
    assert_eq!(
        lines_of(&[]),
        [
            "w 1: 2026-02-09 of 2026-02-09 to 2026-02-15",
            "w 2: 2026-02-24 of 2026-02-16 to 2026-02-22 outside",
            "w 3: 2026-02-24 of 2026-02-23 to 2026-03-01",
            "w 4: 2026-03-02 of 2026-03-02 to 2026-03-08",
        ]
    );
    // The site closes a week longer on both sides: the first is not possible before, either.
    let closed = Window { from: day("2026-02-09"), until: day("2026-03-02") };
    assert_eq!(
        lines_of(&[closed]),
        [
            "w 1: 2026-03-02 of 2026-02-09 to 2026-02-15 outside",
            "w 2: 2026-03-02 of 2026-02-16 to 2026-02-22 outside",
            "w 3: 2026-03-02 of 2026-02-23 to 2026-03-01 outside",
            "w 4: 2026-03-02 of 2026-03-02 to 2026-03-08",
        ]
    );
    // A month whose first day lies in the holiday waits for its end; one whose last days do is earlier.
    let month = rules("[[inspect]]\nname = \"m\"\nevery = \"1mo\"\n");
    assert_eq!(
        lines(&plan(&month, "2026-01-16", &[]), "2026-02-28")[1],
        "m 2: 2026-02-24 of 2026-02-16 to 2026-03-15"
    );
    let rest = Window { from: day("2026-02-16"), until: day("2026-03-16") };
    assert_eq!(
        lines(&plan(&month, "2026-01-16", &[rest]), "2026-03-31"),
        [
            "m 1: 2026-01-16 of 2026-01-16 to 2026-02-15",
            "m 2: 2026-03-16 of 2026-02-16 to 2026-03-15 outside",
            "m 3: 2026-03-16 of 2026-03-16 to 2026-04-15",
        ]
    );
}

#[test]
fn the_end_of_a_contract_cuts_a_period_and_leaves_out_one_that_is_too_short() {
    let body = "begins = \"2026-01-01\"\nends = \"2026-12-31\"\n[[inspect]]\nname = \"q\"\nevery = \"3mo\"\nfrom = \"commissioned\"\n";
    let contract = rules(body);
    assert_eq!(
        lines(&plan(&contract, "2026-01-20", &[]), "2030-01-01"),
        [
            "q 1: 2026-03-20 of 2026-01-20 to 2026-04-19",
            "q 2: 2026-06-22 of 2026-04-20 to 2026-07-19",
            // 20 September 2026 is a Sunday and a make-up day.
            "q 3: 2026-09-20 of 2026-07-20 to 2026-10-19",
            // 20 December 2026 is a Sunday.
            "q 4: 2026-12-21 of 2026-10-20 to 2026-12-31",
        ]
    );
    let late = plan(&contract, "2026-03-15", &[]);
    assert_eq!(lines(&late, "2030-01-01").len(), 3);
    let gaps = late.gaps(day("2026-12-31"));
    assert_eq!((gaps.len(), gaps[0].from, gaps[0].until), (1, day("2026-12-15"), Some(day("2027-01-01"))));
}

#[test]
fn five_a_year_and_four_in_a_warranty_are_spread_evenly() {
    let contract = template("construction");
    let first = &lines(&plan(&contract, "2026-01-01", &[]), "2026-12-31")[0];
    // 73 days each; its last 28 days begin with the holiday.
    assert_eq!(first, "revisit 1: 2026-02-24 of 2026-01-01 to 2026-03-14");
    let warranty = template("it-service");
    let all = plan(&warranty, "2026-01-31", &[]).up_to(day("2040-01-01"));
    let windows: Vec<String> = all.iter().map(|one| one.window.last().to_string()).collect();
    assert_eq!(windows, ["2026-04-29", "2026-07-30", "2026-10-30", "2027-01-30"]);
}

#[test]
fn a_rule_whose_anchor_is_unknown_waits_and_the_others_are_planned() {
    let contract = template("intelligent-building");
    let anchors = Anchors { begins: Some(day("2026-01-31")), ..Anchors::default() };
    let plan = Plan::new(&contract, &anchors, None, &[]).unwrap();
    let waiting: Vec<&str> = plan.waiting().iter().map(|one| one.rule.as_str()).collect();
    assert_eq!(waiting, ["first_month", "second_month", "monthly", "half_year", "annual"]);
    assert!(plan.waiting().iter().all(|one| one.event == "commissioned"));
    assert_eq!(plan.up_to(day("2026-12-31")).len(), 4);
}

#[test]
fn what_was_not_announced_yet_is_provisional() {
    let contract = rules("[[inspect]]\nname = \"m\"\nevery = \"1mo\"\n");
    let known = crate::calendar::holiday::Holidays::china().known_until();
    for one in plan(&contract, "2026-01-31", &[]).up_to(day("2029-01-01")) {
        assert_eq!(one.provisional, one.day > known, "{}", one.day);
    }
}
