//! Clocks against a reference that looks at every second, and rules that hold for all of them.

use jiff::SignedDuration;
use proptest::prelude::*;

use super::event::{Event, What};
use super::tests::{contract, event, runs};
use super::*;

const TEXT: &str = "priority_chooser = \"customer\"\n[[priority]]\nname = \"a\"\n[[priority]]\nname = \"b\"\n\
    [calendar.shift]\ndaily = [\"00:10-00:25\", \"00:40-01:05\", \"01:30-23:00\"]\n\
    [[clock]]\nname = \"c\"\nstart = \"reported\"\nstop = \"restored\"\ncalendar = \"shift\"\n\
    target = { a = \"20m\", b = \"45m\" }\n\
    pauses = [{ reason = \"access\", approver = \"customer\" }, { reason = \"parts\", approver = \"manager\", most = \"7m\" }]\n";

fn second(seconds: i64) -> Timestamp {
    // Monday 2026-03-02 00:00 in Shanghai.
    Timestamp::from_second(1_772_380_800 + seconds).unwrap()
}

fn what() -> impl Strategy<Value = What> {
    let pause =
        |reason: &str, approver: &str| What::Pause { reason: reason.into(), approver: approver.into() };
    prop_oneof![
        2 => Just(pause("access", "customer")),
        1 => Just(pause("access", "nobody")),
        1 => Just(pause("parts", "manager")),
        3 => Just(What::Resume),
        1 => Just(What::Priority { level: "a".into(), assessed: false }),
        1 => Just(What::Priority { level: "b".into(), assessed: false }),
        1 => Just(What::Step("restored".into())),
        1 => Just(What::Reopened),
    ]
}

fn life() -> impl Strategy<Value = Vec<Event>> {
    let later = proptest::collection::btree_map(1_i64..6_900, what(), 0..9);
    (0_i64..3_000, later).prop_map(|(start, later)| {
        let mut events = vec![
            event(What::Priority { level: "b".into(), assessed: false }, second(start)),
            event(What::Step("reported".into()), second(start)),
        ];
        events.extend(later.into_iter().map(|(after, what)| event(what, second(start + after))));
        events
    })
}

/// What a clock comes to by looking at every second.
fn reference(contract: &Contract, events: &[Event], now: Timestamp) -> (i64, i64, Option<Timestamp>, bool) {
    let calendars = contract.calendars(None).unwrap();
    let shift = calendars.find("shift").unwrap();
    // The last priority that was told while the clock was not stopped, or that stood when it went on.
    let (mut level, mut pending, mut stopped) = ("b".to_owned(), "b".to_owned(), false);
    for event in &events[2..] {
        match &event.what {
            What::Priority { level: new, .. } => pending.clone_from(new),
            What::Step(_) => stopped = true,
            What::Reopened => stopped = false,
            _ => {}
        }
        if !stopped {
            level.clone_from(&pending);
        }
    }
    let budget = if level == "a" { 20 * 60 } else { 45 * 60 };
    let (mut used, mut paused_parts, mut breached) = (0, 0, None);
    let (mut doing, mut is_stopped) = ("run", false);
    let mut next = 2;
    let mut at = events[0].occurred_at;
    while at < now {
        while next < events.len() && events[next].occurred_at <= at {
            match &events[next].what {
                What::Pause { reason, approver } if !is_stopped && doing == "run" => {
                    doing = match (reason.as_str(), approver.as_str()) {
                        ("access", "customer") => "access",
                        ("parts", "manager") => "parts",
                        _ => "refused",
                    };
                }
                What::Resume if !is_stopped => doing = "run",
                What::Step(_) if !is_stopped => is_stopped = true,
                What::Reopened if is_stopped => (is_stopped, doing) = (false, "run"),
                _ => {}
            }
            next += 1;
        }
        let is_paused = doing == "access" || (doing == "parts" && paused_parts < 7 * 60);
        if !is_stopped && !is_paused && used >= budget && breached.is_none() {
            breached = Some(());
        }
        if shift.is_working(at) && !is_stopped {
            if doing == "parts" && is_paused {
                paused_parts += 1;
            } else if !is_paused {
                used += 1;
            }
        }
        at += SignedDuration::from_secs(1);
    }
    let stopped_now = is_stopped
        || events[next..].iter().any(|event| event.occurred_at == now && matches!(event.what, What::Step(_)));
    (budget, used, breached.map(|()| at), stopped_now)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_clock_agrees_with_looking_at_every_second(events in life(), after in 1_i64..7_200) {
        let contract = contract(TEXT);
        let now = events[0].occurred_at + SignedDuration::from_secs(after);
        let known: Vec<Event> = events.iter().filter(|event| event.occurred_at <= now).cloned().collect();
        let clock = &runs(&contract, "c", &known, now)[0];
        let (budget, used, breached, _) = reference(&contract, &known, now);
        prop_assert_eq!(clock.budget_s, budget);
        prop_assert_eq!(clock.used_s, used, "{:#?}", clock);
        prop_assert_eq!(clock.is_breached(), breached.is_some());
    }

    /// Whoever looks at a clock only when it says that something changes sees everything that happens to it.
    #[test]
    fn nothing_changes_by_time_alone_before_it_is_said_to(events in life(), after in 1_i64..7_200, wait in 0_i64..6_000) {
        let contract = contract(TEXT);
        let now = events[0].occurred_at + SignedDuration::from_secs(after);
        let known: Vec<Event> = events.iter().filter(|event| event.occurred_at <= now).cloned().collect();
        let clock = runs(&contract, "c", &known, now).pop().unwrap();
        let told = |clock: &Clock| (clock.state.clone(), clock.crossed.len(), clock.breached_at, clock.next_at);
        let later = now + SignedDuration::from_secs(wait);
        let then = runs(&contract, "c", &known, later).pop().unwrap();
        if clock.next_at.is_none_or(|next| later < next) {
            // The whole budget may be used up to the second; its time is up one second later.
            let mut then_told = told(&then);
            if then.crossed.len() > clock.crossed.len() && then.breached_at.is_none() && then.used_s == then.budget_s {
                then_told.1 = clock.crossed.len();
            }
            prop_assert_eq!(then_told, told(&clock), "{:#?}", then);
        } else {
            let next = clock.next_at.unwrap();
            prop_assert!(next > now, "{:?} {:?}", next, now);
            let at = runs(&contract, "c", &known, next).pop().unwrap();
            prop_assert_ne!(told(&at), told(&clock));
            prop_assert_eq!(at.turned_at, Some(next));
        }
    }

    #[test]
    fn the_order_of_telling_changes_nothing(events in life(), seed in any::<u64>()) {
        let contract = contract(TEXT);
        let now = second(12_000);
        let mut shuffled = events.clone();
        let mut state = seed;
        for index in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            shuffled.swap(index, usize::try_from(state >> 33).unwrap() % (index + 1));
        }
        let told = runs(&contract, "c", &events, now);
        prop_assert_eq!(&told, &runs(&contract, "c", &shuffled, now));
        // And telling it twice gives the same bytes.
        prop_assert_eq!(format!("{told:?}"), format!("{:?}", runs(&contract, "c", &events, now)));
    }

    #[test]
    fn a_pause_moves_what_is_due_by_its_own_working_seconds(start in 0_i64..4_000, from in 0_i64..1_000, length in 1_i64..5_000) {
        let contract = contract(TEXT);
        let calendars = contract.calendars(None).unwrap();
        let shift = calendars.find("shift").unwrap();
        let mut events = vec![
            event(What::Priority { level: "b".into(), assessed: false }, second(start)),
            event(What::Step("reported".into()), second(start)),
        ];
        let now = second(start + from + length);
        let due = runs(&contract, "c", &events, second(start)).remove(0).due_at.unwrap();
        events.push(event(What::Pause { reason: "access".into(), approver: "customer".into() }, second(start + from)));
        events.push(event(What::Resume, now));
        let moved = runs(&contract, "c", &events, now).remove(0);
        prop_assume!(!moved.is_breached());
        let paused = shift.elapsed(second(start + from), now);
        prop_assert_eq!(moved.paused_s, paused.as_secs());
        prop_assert_eq!(shift.elapsed(due, moved.due_at.unwrap()), paused);
    }
}
