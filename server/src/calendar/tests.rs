//! Working time as a contract counts it, against cases that decide and against looking at every minute.

use jiff::ToSpan;
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

fn office(lines: &str) -> Calendar {
    let week: String = ["monday", "tuesday", "wednesday", "thursday", "friday"]
        .map(|day| format!("{day} = [\"09:00-12:00\", \"13:30-18:00\"]\n"))
        .concat();
    let text =
        format!("name = \"Office\"\nzone = \"Asia/Shanghai\"\nholidays = \"CN\"\n[week]\n{week}{lines}");
    file::read(&text).unwrap()
}

fn around_the_clock(zone: &str) -> Calendar {
    let day = || vec![Span { from_s: 0, to_s: DAY_S }];
    Calendar::new(Parts {
        name: "always".into(),
        zone: TimeZone::get(zone).unwrap(),
        week: std::array::from_fn(|_| day()),
        work_day: None,
        overrides: BTreeMap::new(),
        holidays: None,
        make_up_days: false,
    })
    .unwrap()
}

#[track_caller]
fn check(calendar: &Calendar, from: &str, working: SignedDuration, due: &str) {
    let got = calendar.add(at(from), working).unwrap();
    assert_eq!(got, at(due), "{working:?} after {from}");
    assert_eq!(calendar.elapsed(at(from), got), working);
}

#[test]
fn a_report_before_the_spring_festival_is_due_after_the_make_up_saturday_and_the_holiday() {
    let office = office("");
    // Friday night; Saturday the 14th is worked, the 15th to the 23rd are free.
    check(&office, "2026-02-13T22:40:00+08:00", hours(4), "2026-02-14T14:30:00+08:00");
    check(&office, "2026-02-13T22:40:00+08:00", hours(8), "2026-02-24T09:30:00+08:00");
    // Saturday the 28th is worked too.
    check(&office, "2026-02-27T17:59:59+08:00", SignedDuration::from_secs(2), "2026-02-28T09:00:01+08:00");
}

#[test]
fn due_is_the_end_of_a_day_rather_than_the_beginning_of_the_next() {
    check(
        &office(""),
        "2026-03-02T09:00:00+08:00",
        SignedDuration::from_mins(450),
        "2026-03-02T18:00:00+08:00",
    );
    let nothing = office("").add(at("2026-03-01T03:00:00+08:00"), SignedDuration::ZERO);
    assert_eq!(nothing, Some(at("2026-03-01T03:00:00+08:00")));
}

#[test]
fn a_contract_may_leave_the_make_up_days_free() {
    let text = "name = \"Finance\"\nzone = \"Asia/Shanghai\"\nholidays = \"CN\"\nmake_up_days = false\n\
                [week]\nmonday = [\"09:00-17:00\"]\nfriday = [\"09:00-17:00\"]";
    let calendar = file::read(text).unwrap();
    check(&calendar, "2026-02-13T17:00:00+08:00", hours(1), "2026-02-27T10:00:00+08:00");
}

#[test]
fn a_night_shift_belongs_to_the_day_on_which_it_begins() {
    let text = "name = \"Nights\"\nzone = \"Asia/Shanghai\"\n[week]\nfriday = [\"22:00-30:00\"]\n\
                [[day]]\ndate = \"2026-03-07\"\noff = true";
    let nights = file::read(text).unwrap();
    // Saturday is free, Friday's shift still ends on it.
    check(&nights, "2026-03-06T22:00:00+08:00", hours(8), "2026-03-07T06:00:00+08:00");
    assert!(nights.is_working(at("2026-03-07T05:59:59+08:00")));
    assert!(!nights.is_working(at("2026-03-07T06:00:00+08:00")));
}

#[test]
fn spans_that_overlap_count_once_and_24_00_is_the_end() {
    let text = "name = \"Both\"\nzone = \"UTC\"\n[week]\nmonday = [\"20:00-26:00\", \"22:00-24:00\"]\n\
                tuesday = [\"00:00-04:00\"]";
    let both = file::read(text).unwrap();
    assert_eq!(both.elapsed(at("2026-03-02T00:00:00Z"), at("2026-03-09T00:00:00Z")), hours(8));
}

#[test]
fn a_skipped_hour_is_no_working_time_and_a_repeated_one_counts_twice() {
    let berlin = around_the_clock("Europe/Berlin");
    let day = |from: &str, to: &str| berlin.elapsed(at(from), at(to));
    assert_eq!(day("2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"), hours(23));
    assert_eq!(day("2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00"), hours(25));
    let early =
        file::read("name = \"E\"\nzone = \"Europe/Berlin\"\n[week]\nsunday = [\"02:00-03:00\"]").unwrap();
    assert_eq!(early.elapsed(at("2026-03-29T00:00:00Z"), at("2026-03-30T00:00:00Z")), hours(0));
    assert_eq!(early.elapsed(at("2026-10-24T22:00:00Z"), at("2026-10-25T22:00:00Z")), hours(2));
    // The change of the clocks at midnight, and a date that was left out.
    let samoa = around_the_clock("Pacific/Apia");
    let two_days = samoa.elapsed(at("2011-12-29T00:00:00-10:00"), at("2012-01-01T00:00:00+14:00"));
    assert_eq!(two_days, hours(48));
}

#[test]
fn years_are_as_quick_as_days() {
    let office = office("");
    let due = office.add(at("2018-01-01T00:00:00+08:00"), hours(7 * 250 * 8)).unwrap();
    assert_eq!(office.elapsed(at("2018-01-01T00:00:00+08:00"), due), hours(7 * 250 * 8));
    assert_eq!(office.add(at("2018-01-01T00:00:00+08:00"), hours(i64::MAX / 3600)), None);
}

#[test]
fn beyond_the_announced_holidays_a_deadline_is_provisional() {
    let office = office("");
    assert!(!office.is_provisional(at("2026-12-24T23:59:59+08:00")));
    assert!(office.is_provisional(at("2026-12-25T00:00:00+08:00")));
    assert!(!around_the_clock("UTC").is_provisional(at("2999-01-01T00:00:00Z")));
}

#[test]
fn what_would_never_be_due_is_refused() {
    let never = file::read("name = \"N\"\nzone = \"UTC\"\n[[day]]\ndate = \"2026-01-01\"\nwork = true");
    assert!(never.unwrap_err().contains("give at least one day a span"));
}

#[test]
fn a_typo_is_named_with_its_place() {
    for (text, word) in [
        ("[week]\nmonday = [\"9-17\"]", "week.monday: `9-17`"),
        ("[week]\nmonday = [\"17:00-09:00\"]", "Monday: a span"),
        ("[week]\nmondey = []", "mondey"),
        ("[week]\nmonday = [\"00:00-48:01\"]", "Monday: a span"),
        ("[[day]]\ndate = \"2026-02-30\"\noff = true", "2026-02-30"),
        ("[[day]]\ndate = \"2026-02-03\"", "give one of"),
        ("[[day]]\ndate = \"2026-02-03\"\noff = true\n[[day]]\ndate = \"2026-02-03\"\noff = true", "twice"),
    ] {
        let error = file::read(&format!("name = \"T\"\nzone = \"UTC\"\n{text}")).unwrap_err();
        assert!(error.contains(word), "{text}: {error}");
    }
    assert!(file::read("name = \"T\"\nzone = \"Mars/Base\"").unwrap_err().contains("Asia/Shanghai"));
}

/// Whether the second at `at` is worked, found by looking at the spans of its day and of the day before.
fn is_worked(calendar: &Calendar, at: Timestamp) -> bool {
    let local = calendar.zone().to_datetime(at);
    let second = i64::from(local.hour()) * 3600 + i64::from(local.minute()) * 60 + i64::from(local.second());
    let holds = |date: Date, second: i64| {
        calendar.spans(date).iter().any(|span| (span.from_s..span.to_s).contains(&second))
    };
    holds(local.date(), second) || holds(local.date().saturating_sub(1.day()), second + DAY_S)
}

/// Calendars of quarter hours, so that minutes are enough to count by.
fn calendars() -> impl Strategy<Value = Calendar> {
    let span = (0_i64..140, 1_i64..48).prop_map(|(from, length)| Span {
        from_s: from * 900,
        to_s: ((from + length) * 900).min(SPAN_END_MAX_S),
    });
    let spans = || proptest::collection::vec(span.clone(), 0..3);
    let week = proptest::array::uniform7(spans());
    let day = prop_oneof![Just(Override::Off), Just(Override::Work), spans().prop_map(Override::Custom)];
    let overrides = proptest::collection::btree_map(
        (0_i64..40).prop_map(|day| Date::constant(2026, 3, 1) + day.days()),
        day,
        0..5,
    );
    let zone = prop_oneof![Just("Asia/Shanghai"), Just("Europe/Berlin"), Just("America/St_Johns")];
    (week, overrides, zone, any::<bool>()).prop_filter_map(
        "never due",
        |(week, overrides, zone, holidays)| {
            Calendar::new(Parts {
                name: "any".into(),
                zone: TimeZone::get(zone).unwrap(),
                week,
                work_day: None,
                overrides,
                holidays: holidays.then(Holidays::china),
                make_up_days: true,
            })
            .ok()
        },
    )
}

fn minute(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_772_300_000 / 900 * 900 + minutes * 60).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn counting_agrees_with_looking_at_every_minute(calendar in calendars(), from in 0_i64..40_000, length in 0_i64..6_000) {
        let worked = (from..from + length).filter(|at| is_worked(&calendar, minute(*at))).count() as i64;
        prop_assert_eq!(calendar.elapsed(minute(from), minute(from + length)), SignedDuration::from_mins(worked));
    }

    #[test]
    fn what_was_added_has_elapsed_and_not_a_second_earlier(calendar in calendars(), from in 0_i64..40_000, working in 1_i64..2_000_000) {
        let (from, working) = (minute(from), SignedDuration::from_secs(working));
        let due = calendar.add(from, working).unwrap();
        prop_assert_eq!(calendar.elapsed(from, due), working);
        prop_assert!(calendar.elapsed(from, due - SignedDuration::from_secs(1)) < working);
        prop_assert!(is_worked(&calendar, due - SignedDuration::from_secs(1)));
    }

    #[test]
    fn splitting_changes_no_sum_and_adding_twice_is_adding_the_sum(
        calendar in calendars(), from in 0_i64..40_000, first in 0_i64..400_000, second in 0_i64..400_000
    ) {
        let from = minute(from);
        let (first, second) = (SignedDuration::from_secs(first), SignedDuration::from_secs(second));
        let middle = calendar.add(from, first).unwrap();
        let end = calendar.add(from, first + second).unwrap();
        prop_assert_eq!(calendar.add(middle, second).unwrap(), end);
        prop_assert!(middle <= end);
        prop_assert_eq!(calendar.elapsed(from, middle) + calendar.elapsed(middle, end), calendar.elapsed(from, end));
    }
}
