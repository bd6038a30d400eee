//! The rule under a hand-turned clock: steps, rounds, holds, acks, and any order of them.

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::plan::{Hours, Step, Target, When};
use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn step(after_s: u32) -> Step {
    Step { after_s, targets: vec![Target::Duty {}], when: When::default(), quiet: None }
}

fn plan(waits: &[u32]) -> Plan {
    Plan {
        steps: waits.iter().map(|wait| step(*wait)).collect(),
        answer_s: Some(600),
        ack_s: Some(1800),
        ..Plan::built_in()
    }
}

fn facts(holder: Holder) -> Facts {
    let trouble = Trouble {
        severity: "major".into(),
        class: "camera".into(),
        customer_id: "c".into(),
        site_id: "s".into(),
        zone: TimeZone::UTC,
    };
    Facts { trouble, holder, held: false }
}

/// Everything that happens in `seconds` seconds while nobody answers, each second looked at.
fn play(plan: &Plan, seconds: i64, reached: usize) -> Vec<(i64, Move)> {
    let mut standing = Standing::begin(plan, at(0));
    let mut story = Vec::new();
    for second in 0..=seconds {
        while let Some(found) = standing.step(plan, &facts(Holder::Nobody), at(second)) {
            if matches!(found, Move::Ask { .. } | Move::Manager) {
                standing.asked(reached, at(second));
            }
            story.push((second, found));
        }
    }
    story
}

fn ask(round: u32, step: usize) -> Move {
    Move::Ask { round, step }
}

#[test]
fn steps_then_the_manager_then_the_administrators() {
    let plan = plan(&[0, 300]);
    let story = play(&plan, 4000, 1);
    let expected = [(0, ask(0, 0)), (300, ask(0, 1)), (900, Move::Manager), (1500, Move::Administrators)];
    assert_eq!(story, expected);
}

#[test]
fn the_whole_round_is_gone_through_again() {
    let plan = Plan { rounds: 2, round_every_s: 900, ..plan(&[0, 300]) };
    let asked: Vec<_> = play(&plan, 3000, 1).into_iter().take(4).collect();
    assert_eq!(asked, [(0, ask(0, 0)), (300, ask(0, 1)), (1200, ask(1, 0)), (1500, ask(1, 1))]);
}

#[test]
fn nobody_is_not_waited_for() {
    let story = play(&plan(&[0, 300]), 10, 0);
    let expected = [(0, ask(0, 0)), (0, ask(0, 1)), (0, Move::Manager), (0, Move::Administrators)];
    assert_eq!(story, expected);
}

#[test]
fn the_built_in_plan_asks_once_and_rests() {
    assert_eq!(play(&Plan::built_in(), 90_000, 3), [(0, ask(0, 0))]);
}

#[test]
fn quiet_hours_put_a_step_off_unless_it_is_critical() {
    let hours = Hours {
        days: (1..=7).collect(),
        from: "00:00".into(),
        to: "24:00".into(),
        holidays: false,
        outside: false,
    };
    let mut plan = plan(&[0]);
    // All day and every day has no end: the step is done all the same.
    plan.steps[0].quiet = Some(hours.clone());
    assert_eq!(play(&plan, 5, 1), [(0, ask(0, 0))]);
    plan.steps[0].quiet = Some(Hours { from: "00:00".into(), to: "08:02".into(), ..hours });
    // 1,800,000,000 is 08:00 UTC.
    let story = play(&plan, 200, 1);
    assert_eq!(story, [(0, Move::Wait { round: 0, step: 0, until: at(120) }), (120, ask(0, 0))]);
    let grave = Facts {
        trouble: Trouble { severity: "critical".into(), ..facts(Holder::Nobody).trouble },
        ..facts(Holder::Nobody)
    };
    assert_eq!(Standing::begin(&plan, at(0)).step(&plan, &grave, at(0)), Some(ask(0, 0)));
}

#[test]
fn silence_after_an_ack_is_asked_about_and_then_goes_on() {
    let plan = plan(&[0, 300, 300]);
    let mut standing = Standing::begin(&plan, at(0));
    standing.step(&plan, &facts(Holder::Nobody), at(0));
    let taken = facts(Holder::Somebody { heard_at: at(100) });
    assert_eq!(standing.step(&plan, &taken, at(100)), None);
    assert_eq!(standing.step(&plan, &taken, at(1899)), None, "no step while somebody has it");
    assert_eq!(standing.step(&plan, &taken, at(1900)), Some(Move::Remind));
    let heard = facts(Holder::Somebody { heard_at: at(2000) });
    assert_eq!(standing.step(&plan, &heard, at(3700)), None, "a word begins the time anew");
    assert_eq!(standing.step(&plan, &heard, at(3800)), Some(Move::Remind));
    assert_eq!(standing.step(&plan, &heard, at(5599)), None);
    assert_eq!(standing.step(&plan, &heard, at(5600)), Some(Move::Lapse));
    assert_eq!(standing.step(&plan, &facts(Holder::Nobody), at(5600)), Some(ask(0, 1)));
}

#[test]
fn a_hold_stops_the_clock_and_costs_no_step() {
    let plan = plan(&[0, 300]);
    let mut standing = Standing::begin(&plan, at(0));
    standing.step(&plan, &facts(Holder::Nobody), at(0));
    let held = Facts { held: true, ..facts(Holder::Nobody) };
    assert_eq!(standing.step(&plan, &held, at(200)), None);
    assert_eq!(standing.step(&plan, &held, at(5000)), None);
    assert_eq!(standing.step(&plan, &facts(Holder::Nobody), at(5000)), None);
    assert_eq!(standing.step(&plan, &facts(Holder::Nobody), at(5099)), None);
    assert_eq!(standing.step(&plan, &facts(Holder::Nobody), at(5100)), Some(ask(0, 1)));
}

#[test]
fn handed_back_after_the_last_step_begins_a_new_round() {
    let plan = Plan::built_in();
    let mut standing = Standing::begin(&plan, at(0));
    standing.step(&plan, &facts(Holder::Nobody), at(0));
    standing.asked(1, at(0));
    standing.step(&plan, &facts(Holder::Somebody { heard_at: at(9) }), at(9));
    assert_eq!(standing.step(&plan, &facts(Holder::Nobody), at(20)), Some(ask(1, 0)));
}

#[derive(Clone, Debug)]
enum Happening {
    Tick(i64),
    Hold(bool),
    Ack,
    Word,
    HandBack,
    Restart,
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let one = prop_oneof![
        6 => (1_i64..900).prop_map(Happening::Tick),
        1 => any::<bool>().prop_map(Happening::Hold),
        1 => Just(Happening::Ack),
        1 => Just(Happening::Word),
        1 => Just(Happening::HandBack),
        1 => Just(Happening::Restart),
    ];
    proptest::collection::vec(one, 1..120)
}

proptest! {
    /// Whatever happens in whatever order: the steps of a round come one after the other, none without a word
    /// and none twice, none while the ticket is held or taken, and each waits at least its delay.
    #[test]
    fn no_step_is_skipped_and_none_comes_twice(
        waits in proptest::collection::vec(0_u32..600, 1..5),
        rounds in 1_u32..4,
        limits in (60_u32..2000, 60_u32..2000),
        reach in proptest::collection::vec(0_usize..3, 16),
        story in happenings(),
    ) {
        let plan = Plan { rounds, round_every_s: 300, answer_s: Some(limits.0), ack_s: Some(limits.1), ..plan(&waits) };
        let mut standing = Standing::begin(&plan, at(0));
        let (mut now, mut known) = (0, facts(Holder::Nobody));
        let mut last: Option<(u32, usize)> = None;
        let (mut asked_at, mut paused) = (0, 0);
        let mut asks = 0;
        for happening in story {
            match happening {
                Happening::Tick(seconds) => {
                    if known.held { paused += seconds; }
                    now += seconds;
                }
                Happening::Hold(held) => known.held = held,
                Happening::Ack => known.holder = Holder::Somebody { heard_at: at(now) },
                Happening::Word => if let Holder::Somebody { heard_at } = &mut known.holder { *heard_at = at(now) },
                Happening::HandBack => known.holder = Holder::Nobody,
                // What is kept is the standing alone.
                Happening::Restart => standing = standing.clone(),
            }
            let mut freed = false;
            for _ in 0..50 {
                let before = standing.clone();
                let Some(found) = standing.step(&plan, &known, at(now)) else { break };
                prop_assert!(!known.held, "{found:?} while held");
                freed |= matches!(before.phase, Phase::Acked | Phase::Reminded);
                match found {
                    Move::Ask { round, step } | Move::Pass { round, step, .. } => {
                        prop_assert_eq!(known.holder, Holder::Nobody);
                        let next = match last {
                            None => (0, 0),
                            Some((of, done)) if done + 1 < plan.steps.len() => (of, done + 1),
                            Some((of, _)) => (of + 1, 0),
                        };
                        prop_assert_eq!((round, step), next, "after {:?}", last);
                        if step > 0 && !freed && standing.reached && before.due > Some(at(asked_at)) {
                            let waited = now - asked_at - paused;
                            prop_assert!(waited >= i64::from(plan.steps[step].after_s), "waited {waited} s");
                        }
                        last = Some((round, step));
                        (asked_at, paused) = (now, 0);
                        standing.asked(reach[asks % reach.len()], at(now));
                        asks += 1;
                    }
                    Move::Manager => standing.asked(reach[asks % reach.len()], at(now)),
                    Move::Lapse => known.holder = Holder::Nobody,
                    Move::Remind | Move::Administrators | Move::Wait { .. } | Move::End => {}
                }
            }
            prop_assert_eq!(standing.step(&plan, &known, at(now)), None, "it comes to rest");
        }
    }
}
