//! Verdicts by the sequence of outcomes.

use proptest::prelude::*;

use super::*;
use crate::clock::from_ms;
use crate::config::parse_device;

const RULE: Rule = Rule { confirm: Confirm { bad: 2, of: 3 }, clear: 2, flap: 4, sees: Sees::Everything };

fn code() -> FaultCode {
    "port_closed".parse().unwrap()
}

fn device() -> DeviceId {
    "cam-3".parse().unwrap()
}

struct Bench {
    verdicts: Verdicts,
    second: i64,
    rule: Rule,
}

impl Bench {
    fn new() -> Self {
        Self { verdicts: Verdicts::default(), second: 1_000, rule: RULE }
    }

    /// Feeds outcomes to a rule of this many raises.
    fn feed_at(&mut self, flap: u8, outcomes: &str) -> String {
        self.rule.flap = flap;
        self.feed("tcp", outcomes)
    }

    /// Feeds outcomes ten seconds apart, `x` bad and `.` good, and writes what came of each:
    /// R raised, C cleared, F flap began, - nothing.
    fn feed(&mut self, check: &str, outcomes: &str) -> String {
        let mut said = String::new();
        for outcome in outcomes.chars() {
            self.second += 10;
            let bad: Vec<_> = if outcome == 'x' { vec![(code(), Evidence::new())] } else { Vec::new() };
            let changes =
                self.verdicts.observe(from_ms(self.second * 1000), &device(), check, self.rule, (&bad, &[]));
            if changes.is_empty() {
                said.push('-');
            }
            for change in changes {
                said.push(match change.kind {
                    ChangeKind::Raised => 'R',
                    ChangeKind::Cleared => 'C',
                    ChangeKind::FlapBegan => 'F',
                    ChangeKind::FlapEnded => 'E',
                });
            }
        }
        said
    }
}

#[track_caller]
fn check(outcomes: &str, said: &str) {
    assert_eq!(Bench::new().feed("tcp", outcomes), said, "{outcomes}");
}

#[test]
fn two_of_three_raise_and_two_in_a_row_clear() {
    check("..x..", "-----");
    check("..xx", "---R");
    check("..x.x", "----R");
    check("..x..x", "------");
    check("xxxx..", "-R---C");
    check("xx.x.x..", "-R-----C");
    check("xx..x.x", "-R-C--R");
}

#[test]
fn the_fact_carries_the_last_good_and_the_first_bad_time() {
    let mut bench = Bench::new();
    bench.feed("tcp", "..x");
    let bad = [(code(), Evidence::from([("port".into(), 554.into())]))];
    let now = from_ms(1_040_000);
    let change = bench.verdicts.observe(now, &device(), "tcp", RULE, (&bad, &[])).pop().unwrap();
    assert_eq!(change.last_good_at, Some(from_ms(1_020_000)));
    assert_eq!(change.first_bad_at, Some(from_ms(1_030_000)));
    assert_eq!(change.at, now);
    assert_eq!(change.evidence["port"], 554);
}

#[test]
fn two_checks_with_the_same_fault_are_one_fact() {
    let mut bench = Bench::new();
    assert_eq!(bench.feed("tcp-80", "xx"), "-R");
    assert_eq!(bench.feed("tcp-554", "xx"), "--");
    assert_eq!(bench.feed("tcp-80", ".."), "--");
    assert_eq!(bench.feed("tcp-554", ".."), "-C");
    assert!(bench.verdicts.is_quiet(&device()));
}

#[test]
fn a_fault_that_comes_and_goes_flaps_until_it_keeps_still() {
    let mut bench = Bench::new();
    assert_eq!(bench.feed("tcp", "xx..xx..xx..xx.."), "-R-C-R-C-R-C-RF-C");
    let end = bench.verdicts.next_due().unwrap();
    assert_eq!(
        bench.verdicts.settle(end).iter().map(|c| c.kind).collect::<Vec<_>>(),
        [ChangeKind::FlapEnded]
    );
    assert_eq!(bench.verdicts.next_due(), None);
    assert!(bench.verdicts.devices[&device()].codes.is_empty());
}

#[test]
fn how_often_is_too_often_is_said_by_the_check() {
    let thrice = "xx..xx..xx..";
    assert_eq!(Bench::new().feed_at(2, thrice), "-R-C-RF-C-R-C");
    assert_eq!(Bench::new().feed_at(5, &thrice.repeat(2)), "-R-C-R-C-R-C-R-C-RF-C-R-C");
    let mut bench = Bench::new();
    assert!(!bench.feed_at(0, &thrice.repeat(60)).contains('F'));
    assert!(bench.verdicts.devices[&device()].codes[&code()].raises.len() <= usize::from(FLAP_MAX));
}

#[test]
fn what_stood_stands_after_a_restart_and_clears_once() {
    let mut bench = Bench::new();
    bench.feed("tcp", "xx");
    let text = serde_json::to_string(&bench.verdicts.standing()).unwrap();
    bench.verdicts = Verdicts::restore(&serde_json::from_str::<Vec<Standing>>(&text).unwrap());
    assert_eq!(bench.feed("tcp", "xx...x"), "---C--");
}

#[test]
fn a_check_that_is_removed_clears_its_fault() {
    let mut bench = Bench::new();
    bench.feed("tcp", "xx");
    let now = from_ms(2_000_000);
    let text = "address = \"h\"\ncheck = [{ kind = \"icmp\" }]";
    assert_eq!(
        bench.verdicts.retain(now, &[parse_device(text, "f", "cam-3").unwrap()])[0].kind,
        ChangeKind::Cleared
    );
    assert_eq!(bench.verdicts.retain(now, &[]), []);
}

proptest! {
    /// Against the plain definition, over any history.
    #[test]
    fn raises_and_clears_alternate_and_are_justified(history in proptest::collection::vec(any::<bool>(), 0..120)) {
        let text: String = history.iter().map(|bad| if *bad { 'x' } else { '.' }).collect();
        let mut bench = Bench::new();
        let mut stands = false;
        for index in 0..history.len() {
            let said = bench.feed("tcp", &text[index..=index]);
            if said.contains('R') {
                prop_assert!(!stands && history[index]);
                prop_assert!(history[index.saturating_sub(2)..=index].iter().filter(|b| **b).count() >= 2);
                stands = true;
            }
            if said.contains('C') {
                prop_assert!(stands && !history[index] && !history[index - 1]);
                stands = false;
            }
            prop_assert_eq!(stands, bench.verdicts.stands(&device(), "port_closed"));
        }
    }
}

#[test]
fn silence_does_not_clear_what_an_answer_showed() {
    let mut verdicts = Verdicts::default();
    let mut run = |second: i64, sees, codes: &[&str]| -> Vec<(String, ChangeKind)> {
        let bad: Vec<_> = codes
            .iter()
            .map(|code| (FaultCode::try_from((*code).to_owned()).unwrap(), Evidence::new()))
            .collect();
        let rule = Rule { sees, ..RULE };
        let changes = verdicts.observe(from_ms(second * 1000), &device(), "http", rule, (&bad, &[]));
        changes.into_iter().map(|change| (change.code.to_string(), change.kind)).collect()
    };
    run(0, Sees::Everything, &["http_status"]);
    let raised = vec![("http_status".to_owned(), ChangeKind::Raised)];
    assert_eq!(run(30, Sees::Everything, &["http_status"]), raised);
    for second in 2..10 {
        let changes = run(second * 30, Sees::Silence, &["unreachable"]);
        assert!(changes.iter().all(|(code, _)| code == "unreachable"), "{changes:?}");
    }
    for second in 10..20 {
        assert_eq!(run(second * 30, Sees::Nothing, &[]), vec![]);
    }
    run(600, Sees::Everything, &[]);
    let mut cleared = run(630, Sees::Everything, &[]);
    cleared.sort_by(|a, b| a.0.cmp(&b.0));
    let both = ["http_status", "unreachable"].map(|code| (code.to_owned(), ChangeKind::Cleared));
    assert_eq!(cleared, both);
}

#[test]
fn what_an_answer_leaves_open_goes_on_as_it_was() {
    let mut verdicts = Verdicts::default();
    let mut run = |second: i64, codes: &[&str], blind: &[&str]| -> Vec<(String, ChangeKind)> {
        let bad: Vec<_> = codes
            .iter()
            .map(|code| (FaultCode::try_from((*code).to_owned()).unwrap(), Evidence::new()))
            .collect();
        let rule = Rule { sees: Sees::Everything, ..RULE };
        let changes = verdicts.observe(from_ms(second * 1000), &device(), "isapi", rule, (&bad, blind));
        changes.into_iter().map(|change| (change.code.to_string(), change.kind)).collect()
    };
    run(0, &["disk_failed", "channel_offline"], &[]);
    assert_eq!(run(30, &["disk_failed", "channel_offline"], &[]).len(), 2);
    // The user lost the right to see the disks; that the channels are back is seen.
    let mut changes = Vec::new();
    for round in 2..20 {
        changes.extend(run(round * 30, &[], &["disk_failed"]));
    }
    assert_eq!(changes, [("channel_offline".to_owned(), ChangeKind::Cleared)]);
    run(600, &[], &[]);
    assert_eq!(run(630, &[], &[]), [("disk_failed".to_owned(), ChangeKind::Cleared)]);
}
