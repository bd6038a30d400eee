//! Who is on duty, against cases that decide and against looking at every minute.

use jiff::civil::{Date, Weekday, date, time};
use jiff::{SignedDuration, ToSpan};
use proptest::prelude::*;

use super::*;
use crate::calendar::{Calendar, DAY_S, Span, file};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn office() -> Calendar {
    let week: String = ["monday", "tuesday", "wednesday", "thursday", "friday"]
        .map(|day| format!("{day} = [\"08:30-12:00\", \"13:30-18:00\"]\n"))
        .concat();
    file::read(&format!("name = \"Office\"\nzone = \"Asia/Shanghai\"\nholidays = \"CN\"\n[week]\n{week}"))
        .unwrap()
}

fn order(turns: &[&str]) -> Vec<Vec<AccountId>> {
    turns.iter().map(|turn| turn.split('+').map(AccountId::from).collect()).collect()
}

fn layer(zone: &str, every: Every, handover: jiff::civil::Time, start: Date, people: &[&str]) -> Layer {
    Layer {
        name: "First line".into(),
        zone: TimeZone::get(zone).unwrap(),
        turns: Turns { every, handover, start },
        order: order(people),
        window: Window::default(),
    }
}

fn rota(layers: Vec<Layer>) -> Rota {
    Rota { versions: vec![Version { from: Timestamp::UNIX_EPOCH, layers }], ..Rota::default() }
}

fn change(number: i64, change: Change, from: &str, to: &str) -> Override {
    Override { id: format!("o{number}").into(), layer: None, change, from: at(from), to: at(to) }
}

/// `who from to` of each shift.
fn lines(shifts: &[Shift]) -> Vec<String> {
    shifts.iter().map(|shift| format!("{} {} {}", shift.account, shift.start, shift.end)).collect()
}

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

#[test]
fn a_monthly_rotation_on_the_31st_clamps_and_does_not_drift() {
    let start = date(2028, 1, 31);
    let plan = layer("Asia/Shanghai", Every::Months(1, 31), time(8, 0, 0, 0), start, &["a", "b", "c"]);
    let begins: Vec<String> = (0..5)
        .map(|number| plan.turns.begin(&plan.zone, number).to_zoned(plan.zone.clone()).date().to_string())
        .collect();
    assert_eq!(begins, ["2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30", "2028-05-31"]);
    let rota = rota(vec![plan]);
    let on = |text: &str| rota.on_duty(at(text)).first().map(|shift| shift.account.to_string());
    assert_eq!(on("2028-02-29T07:59:59+08:00").as_deref(), Some("a"));
    assert_eq!(on("2028-02-29T08:00:00+08:00").as_deref(), Some("b"));
    assert_eq!(on("2028-01-31T07:59:59.999+08:00"), None);
}

#[test]
fn outside_office_hours_the_make_up_saturday_has_a_working_day() {
    // 2026-02-14 is a Saturday that is worked, the 15th to the 23rd are the Spring Festival.
    let mut plan =
        layer("Asia/Shanghai", Every::Months(1, 1), time(8, 0, 0, 0), date(2026, 1, 1), &["a", "b"]);
    plan.window.week = Some(std::array::from_fn(|_| vec![Span { from_s: 8 * 3600, to_s: 22 * 3600 + 1800 }]));
    plan.window.outside = Some(office());
    let rota = rota(vec![plan]);
    let of_day = |day: Date| {
        let begin = day.to_zoned(TimeZone::get("Asia/Shanghai").unwrap()).unwrap().timestamp();
        let shifts = rota.shifts(begin, begin + days(1));
        let local = |at: Timestamp| {
            at.to_zoned(TimeZone::get("Asia/Shanghai").unwrap()).strftime("%H:%M").to_string()
        };
        shifts
            .iter()
            .map(|shift| format!("{} {}-{}", shift.account, local(shift.start), local(shift.end)))
            .collect::<Vec<_>>()
    };
    let working = ["b 08:00-08:30", "b 12:00-13:30", "b 18:00-22:30"];
    assert_eq!(of_day(date(2026, 2, 13)), working, "an ordinary Friday");
    assert_eq!(of_day(date(2026, 2, 14)), working, "the make-up Saturday");
    assert_eq!(of_day(date(2026, 2, 15)), ["b 08:00-22:30"], "the holiday's first day");
    assert_eq!(of_day(date(2026, 2, 23)), ["b 08:00-22:30"], "a Monday within the holiday");
    assert_eq!(of_day(date(2026, 2, 7)), ["b 08:00-22:30"], "an ordinary Saturday");
    assert_eq!(of_day(date(2026, 3, 1)), ["a 08:00-22:30"], "the month's hand-over");
    assert!(
        rota.gaps(at("2026-02-01T00:00:00+08:00"), at("2026-03-01T00:00:00+08:00"), &BTreeSet::new())
            .is_empty()
    );
    assert!(!rota.is_in_force(0, at("2026-02-14T09:00:00+08:00")));
}

#[test]
fn a_hand_over_that_a_change_of_the_clocks_skips_or_repeats_happens_once() {
    let every_day = |at| layer("Europe/Berlin", Every::Days(1), at, date(2026, 3, 1), &["a", "b"]);
    let rota = rota(vec![every_day(time(2, 30, 0, 0))]);
    // 02:30 on 29 March does not exist: the hand-over is at the jump, 03:00 summer time.
    let spring = rota.shifts(at("2026-03-28T12:00:00Z"), at("2026-03-30T12:00:00Z"));
    assert_eq!(
        lines(&spring),
        [
            "b 2026-03-28T01:30:00Z 2026-03-29T01:00:00Z",
            "a 2026-03-29T01:00:00Z 2026-03-30T00:30:00Z",
            "b 2026-03-30T00:30:00Z 2026-03-31T00:30:00Z"
        ]
    );
    // On 25 October it exists twice: the first time.
    let autumn = rota.shifts(at("2026-10-24T12:00:00Z"), at("2026-10-25T12:00:00Z"));
    assert_eq!(
        lines(&autumn),
        ["b 2026-10-24T00:30:00Z 2026-10-25T00:30:00Z", "a 2026-10-25T00:30:00Z 2026-10-26T01:30:00Z"]
    );
}

#[test]
fn two_people_share_a_shift_and_ends_are_exact() {
    let plan =
        layer("UTC", Every::Weeks(1, Weekday::Monday), time(8, 0, 0, 0), date(2026, 3, 4), &["a+b", "c"]);
    let rota = rota(vec![plan]);
    let who =
        |text: &str| rota.on_duty(at(text)).iter().map(|shift| shift.account.to_string()).collect::<String>();
    assert_eq!(who("2026-03-09T07:59:59.999Z"), "", "the first Monday after the start");
    assert_eq!(who("2026-03-09T08:00:00Z"), "ab");
    assert_eq!(who("2026-03-16T07:59:59.999Z"), "ab");
    assert_eq!(who("2026-03-16T08:00:00Z"), "c");
    let gaps = rota.gaps(
        at("2026-03-01T00:00:00Z"),
        at("2026-03-20T00:00:00Z"),
        &BTreeSet::from(["a".into(), "c".into()]),
    );
    let told: Vec<_> = gaps.iter().map(|gap| (gap.from.to_string(), gap.to.to_string(), gap.why)).collect();
    assert_eq!(
        told,
        [
            ("2026-03-01T00:00:00Z".into(), "2026-03-09T08:00:00Z".into(), Why::NoTurn),
            ("2026-03-16T08:00:00Z".into(), "2026-03-20T00:00:00Z".into(), Why::Gone)
        ]
    );
}

#[test]
fn an_override_crosses_a_hand_over_and_touches_only_whom_it_names() {
    let plan = layer("UTC", Every::Days(1), time(8, 0, 0, 0), date(2026, 3, 1), &["a", "b", "c"]);
    let mut rota = rota(vec![plan]);
    let swap = Change::Replace { out: "b".into(), by: "d".into() };
    rota.overrides.push(change(1, swap, "2026-03-02T20:00:00Z", "2026-03-05T12:00:00Z"));
    let shifts = rota.shifts(at("2026-03-02T08:00:00Z"), at("2026-03-06T08:00:00Z"));
    assert_eq!(
        lines(&shifts),
        [
            "b 2026-03-02T08:00:00Z 2026-03-02T20:00:00Z",
            "d 2026-03-02T20:00:00Z 2026-03-03T08:00:00Z",
            "c 2026-03-03T08:00:00Z 2026-03-04T08:00:00Z",
            "a 2026-03-04T08:00:00Z 2026-03-05T08:00:00Z",
            "d 2026-03-05T08:00:00Z 2026-03-05T12:00:00Z",
            "b 2026-03-05T12:00:00Z 2026-03-06T08:00:00Z"
        ]
    );
    assert_eq!(shifts[1].instead_of, Some("b".into()));
    // A second one that lets the stand-in out opens a gap, and somebody added closes a part of it.
    rota.overrides.push(change(
        2,
        Change::Remove { out: "d".into() },
        "2026-03-02T22:00:00Z",
        "2026-03-03T04:00:00Z",
    ));
    rota.overrides.push(change(
        3,
        Change::Add { by: "e".into() },
        "2026-03-02T23:00:00Z",
        "2026-03-03T01:00:00Z",
    ));
    let gaps = rota.gaps(at("2026-03-01T08:00:00Z"), at("2026-03-10T00:00:00Z"), &BTreeSet::new());
    let told: Vec<_> = gaps.iter().map(|gap| (gap.from.to_string(), gap.to.to_string(), gap.why)).collect();
    assert_eq!(
        told,
        [
            ("2026-03-02T22:00:00Z".into(), "2026-03-02T23:00:00Z".into(), Why::LetOut),
            ("2026-03-03T01:00:00Z".into(), "2026-03-03T04:00:00Z".into(), Why::LetOut)
        ]
    );
}

#[test]
fn a_new_version_changes_nothing_that_is_past_and_a_shift_goes_on_through_it() {
    let plan = |people: &[&str]| {
        layer("UTC", Every::Weeks(1, Weekday::Monday), time(8, 0, 0, 0), date(2026, 3, 2), people)
    };
    let mut rota = rota(vec![plan(&["a", "b"])]);
    let (then, now) = (at("2026-03-02T08:00:00Z"), at("2026-03-11T12:00:00Z"));
    let before = rota.shifts(then, now);
    rota.versions.push(Version { from: now, layers: vec![plan(&["c", "b", "a"])] });
    let after = rota.shifts(then, now);
    assert_eq!(before, after, "b stays in the shift that runs, and what was is as it was");
    assert_eq!(rota.on_duty(at("2026-03-16T08:00:00Z"))[0].account, "a".into(), "the new order counts");
    rota.versions.push(Version { from: at("2026-03-12T00:00:00Z"), layers: vec![plan(&["c"])] });
    assert_eq!(rota.on_duty(at("2026-03-11T23:59:59Z"))[0].end, at("2026-03-12T00:00:00Z"));
    rota.ends_at = Some(at("2026-03-20T00:00:00Z"));
    assert_eq!(rota.on_duty(at("2026-03-20T00:00:00Z")), []);
    assert!(rota.gaps(at("2026-03-19T00:00:00Z"), at("2026-03-25T00:00:00Z"), &BTreeSet::new()).is_empty());
}

/// Two months of minutes in a zone: what its clocks show.
struct Minutes {
    first: Timestamp,
    local: Vec<i64>,
}

impl Minutes {
    fn new(zone: &TimeZone, first: Timestamp) -> Self {
        let show = |minute: i64| {
            let local = zone.to_datetime(first + SignedDuration::from_mins(minute));
            minute_of(local.date()) + i64::from(local.hour()) * 60 + i64::from(local.minute())
        };
        Self { first, local: (0..60 * 1440).map(show).collect() }
    }

    fn instant(&self, minute: usize) -> Timestamp {
        self.first + SignedDuration::from_mins(minute as i64)
    }

    /// The first minute whose clock shows this reading or a later one.
    fn begin(&self, reading: i64) -> usize {
        self.local.iter().position(|local| *local >= reading).unwrap_or(self.local.len())
    }

    /// The minute after the last whose clock shows an earlier reading.
    fn end(&self, reading: i64) -> usize {
        self.local.iter().rposition(|local| *local < reading).map_or(0, |last| last + 1)
    }
}

fn minute_of(date: Date) -> i64 {
    date.duration_since(Date::constant(1, 1, 1)).as_secs() / 60
}

/// By walking through the days: at which minutes which turn begins.
fn hand_overs(plan: &Layer, minutes: &Minutes, last: Date) -> Vec<usize> {
    let suits = |date: Date| match plan.turns.every {
        Every::Days(_) => true,
        Every::Weeks(_, weekday) => date.weekday() == weekday,
        Every::Months(_, day) => date.day() == day.min(date.days_in_month()),
    };
    let (Every::Days(count) | Every::Weeks(count, _) | Every::Months(count, _)) = plan.turns.every;
    let handover = i64::from(plan.turns.handover.hour()) * 60 + i64::from(plan.turns.handover.minute());
    let suitable =
        plan.turns.start.series(1.day()).take_while(|date| *date <= last).filter(|date| suits(*date));
    suitable.step_by(usize::from(count)).map(|date| minutes.begin(minute_of(date) + handover)).collect()
}

/// In which minutes the window is open.
fn open_minutes(plan: &Layer, minutes: &Minutes, office_minutes: &Minutes) -> Vec<bool> {
    let mut open = vec![plan.window.week.is_none(); minutes.local.len()];
    let zone = &plan.zone;
    let first = zone.to_datetime(minutes.first).date().saturating_sub(4.days());
    for date in first.series(1.day()).take(70) {
        let spans = plan.window.week.as_ref().map_or(&[][..], |week| {
            &week[usize::from(date.weekday().to_monday_zero_offset().unsigned_abs())]
        });
        for span in spans {
            let begin = minutes.begin(minute_of(date) + span.from_s / 60);
            let end = minutes.end(minute_of(date) + span.to_s / 60);
            open[begin.min(end)..end].fill(true);
        }
    }
    if let Some(office) = &plan.window.outside {
        for (minute, open) in open.iter_mut().enumerate() {
            let reading = office_minutes.local[minute];
            let date = Date::constant(1, 1, 1).saturating_add((reading / 1440).days());
            let second = reading % 1440 * 60;
            let holds = |date: Date, second: i64| {
                office.spans(date).iter().any(|span| (span.from_s..span.to_s).contains(&second))
            };
            *open &= !(holds(date, second) || holds(date.saturating_sub(1.day()), second + DAY_S));
        }
    }
    open
}

/// Zones, and a day some forty days before something odd happens to their clocks or their months.
const ODD: [(&str, &str); 7] = [
    ("Asia/Shanghai", "2026-01-10"),
    ("Europe/Berlin", "2026-02-20"),
    ("Europe/Berlin", "2026-09-16"),
    ("America/St_Johns", "2024-01-29"),
    ("Australia/Lord_Howe", "2026-02-24"),
    ("Pacific/Apia", "2011-11-21"),
    ("America/Sao_Paulo", "2018-09-26"),
];

fn spans() -> impl Strategy<Value = Vec<Span>> {
    let span = (0_i64..140, 1_i64..52)
        .prop_map(|(from, length)| Span { from_s: from * 900, to_s: ((from + length) * 900).min(2 * DAY_S) });
    proptest::collection::vec(span, 0..3)
}

fn plans() -> impl Strategy<Value = (&'static str, Layer, bool)> {
    let every = prop_oneof![
        (1_u16..4).prop_map(Every::Days),
        (1_u16..3, 1_i8..8)
            .prop_map(|(count, day)| Every::Weeks(count, Weekday::from_monday_one_offset(day).unwrap())),
        (1_u16..3, 1_i8..32).prop_map(|(count, day)| Every::Months(count, day)),
    ];
    let turns = (0_i64..30, every, 0_i8..24, prop_oneof![Just(0_i8), Just(30)]);
    let week = proptest::option::of(proptest::array::uniform7(spans()));
    let people = proptest::collection::vec(
        prop_oneof![Just("a"), Just("b"), Just("c"), Just("a+b"), Just("b+d")],
        0..4,
    );
    (0..ODD.len(), turns, week, any::<bool>(), people).prop_map(
        |(odd, (wait, every, hour, minute), week, outside, people)| {
            let (zone, first) = ODD[odd];
            let start = first.parse::<Date>().unwrap() + wait.days();
            let mut plan = layer(zone, every, time(hour, minute, 0, 0), start, &people);
            plan.window = Window { week, outside: outside.then(office) };
            (first, plan, outside)
        },
    )
}

fn changes() -> impl Strategy<Value = Vec<(u8, u8, i64, i64)>> {
    proptest::collection::vec((0_u8..4, 0_u8..7, 30 * 1440_i64..55 * 1440, 1_i64..6_000), 0..5)
}

fn account(number: u8) -> AccountId {
    ["a", "b", "c", "d"][usize::from(number % 4)].into()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn shifts_and_gaps_agree_with_looking_at_every_minute((first, plan, _) in plans(), changes in changes(), sample in 0_usize..14_000) {
        let begin = format!("{first}T00:00:00Z").parse::<Timestamp>().unwrap();
        let minutes = Minutes::new(&plan.zone, begin);
        let office_minutes = Minutes::new(&TimeZone::get("Asia/Shanghai").unwrap(), begin);
        let open = open_minutes(&plan, &minutes, &office_minutes);
        let last = plan.zone.to_datetime(begin).date() + 70.days();
        let turns = hand_overs(&plan, &minutes, last);
        let mut rota = rota(vec![plan.clone()]);
        for (number, (who, other, from, length)) in changes.into_iter().enumerate() {
            let (out, by) = (account(who), account(other));
            let what = match other {
                4 => Change::Remove { out },
                5 => Change::Add { by },
                _ => Change::Replace { out, by },
            };
            let (from, to) = (minutes.instant(from as usize), minutes.instant((from + length).min(59 * 1440) as usize));
            rota.overrides.push(Override { id: format!("o{number}").into(), layer: None, change: what, from, to });
        }
        // What must be, minute by minute.
        let expected = |minute: usize| -> (Vec<AccountId>, bool) {
            let now = minutes.instant(minute);
            let mut people = Vec::new();
            let begun = turns.iter().filter(|begin| **begin <= minute).count();
            if open[minute] && begun > 0 && !plan.order.is_empty() {
                people.clone_from(&plan.order[(begun - 1) % plan.order.len()]);
            }
            let mut added = Vec::new();
            for change in rota.overrides.iter().filter(|change| change.from <= now && now < change.to) {
                match &change.change {
                    Change::Replace { out, by } => people.iter_mut().filter(|who| *who == out).for_each(|who| *who = by.clone()),
                    Change::Remove { out } => people.retain(|who| who != out),
                    Change::Add { by } => added.push(by.clone()),
                }
            }
            people.extend(added);
            people.sort_unstable();
            let gap = open[minute] && people.is_empty();
            (people, gap)
        };
        let (from, to) = (40 * 1440, 50 * 1440);
        let shifts = rota.shifts(minutes.instant(from), minutes.instant(to));
        let gaps = rota.gaps(minutes.instant(from), minutes.instant(to), &BTreeSet::new());
        for minute in from..to {
            let now = minutes.instant(minute);
            let mut people: Vec<AccountId> =
                shifts.iter().filter(|shift| shift.start <= now && now < shift.end).map(|shift| shift.account.clone()).collect();
            people.sort_unstable();
            let gap = gaps.iter().any(|gap| gap.from <= now && now < gap.to);
            prop_assert_eq!((people, gap), expected(minute), "{}", now);
        }
        // The same shifts whichever part is asked for, and the same as who is on duty at one instant.
        let now = minutes.instant(from + sample);
        let whole: Vec<&Shift> = shifts.iter().filter(|shift| shift.start <= now && now < shift.end).collect();
        let mut one = rota.on_duty(now);
        one.sort_by(|a, b| (a.start, a.layer, &a.account).cmp(&(b.start, b.layer, &b.account)));
        prop_assert_eq!(one.iter().collect::<Vec<_>>(), whole);
        // No shift is two.
        for shift in &shifts {
            let twin = |other: &&Shift| other.start == shift.end && other.account == shift.account
                && other.turn.begin == shift.turn.begin && other.override_id == shift.override_id && other.instead_of == shift.instead_of;
            prop_assert!(shifts.iter().find(twin).is_none(), "{:?}", shift);
        }
    }
}
