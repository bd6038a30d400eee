//! The hard cases, each with its answer worked out by hand.

mod fact;

use jiff::tz::TimeZone;

use crate::contract::document;
use crate::contract::template;

use fact::facts;

use super::event::{Event, What};
use super::share::Share;
use super::*;

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// 2026-03-02 is a Monday; a time of it in Shanghai.
fn monday(time: &str) -> Timestamp {
    at(&format!("2026-03-02T{time}+08:00"))
}

pub(super) fn contract(body: &str) -> Contract {
    let head = "[contract]\nid = \"t\"\nname = \"T\"\nkind = \"annual\"\nzone = \"Asia/Shanghai\"\n";
    let read = document::read(&if body.starts_with('#') { body.to_owned() } else { format!("{head}{body}") });
    read.contract.unwrap_or_else(|| panic!("{:#?}", read.remarks))
}

pub(super) fn event(what: What, at: Timestamp) -> Event {
    Event {
        id: format!("{at} {what:?}"),
        what,
        occurred_at: at,
        recorded_at: at,
        device_at: None,
        skew_s: 0,
        actor: "li.wei".into(),
        evidence: Vec::new(),
        supersedes: None,
    }
}

fn step(name: &str, at: Timestamp) -> Event {
    event(What::Step(name.into()), at)
}

fn pause(reason: &str, approver: &str, at: Timestamp) -> Event {
    event(What::Pause { reason: reason.into(), approver: approver.into() }, at)
}

fn zone(name: &str, at: Timestamp) -> Event {
    event(What::Zone(name.into()), at)
}

fn chosen(level: &str, assessed: bool, at: Timestamp) -> Event {
    event(What::Priority { level: level.into(), assessed }, at)
}

/// All runs of a clock under one contract; used and remaining must be the budget, and the ledger must be whole.
pub(super) fn runs(contract: &Contract, name: &str, events: &[Event], now: Timestamp) -> Vec<Clock> {
    let calendars = contract.calendars(None).unwrap();
    let version = Version { id: "v1", from: Timestamp::MIN, contract, calendars: &calendars };
    let runs = project(&[version], name, events, now).unwrap();
    for run in &runs {
        assert_eq!(run.used_s + run.remaining_s(), run.budget_s);
        assert_eq!(run.ledger.iter().map(|entry| entry.counted_s).sum::<i64>(), run.used_s);
        for pair in run.ledger.windows(2) {
            assert_eq!(pair[0].to, pair[1].from, "a second that nothing explains");
        }
    }
    runs
}

fn one(contract: &Contract, name: &str, events: &[Event], now: Timestamp) -> Clock {
    let mut runs = runs(contract, name, events, now);
    assert_eq!(runs.len(), 1);
    runs.remove(0)
}

fn named(name: &str) -> Contract {
    contract(template::find(name).unwrap().text)
}

#[test]
fn a_report_on_friday_night_before_the_spring_festival() {
    let regional = named("regional");
    let reported = at("2026-02-13T22:40:00+08:00");
    let under = |place: &str| {
        one(&regional, "arrive", &[zone(place, reported), step("reported", reported)], reported)
    };
    // Saturday the 14th is a make-up day: 08:30–12:00 are 3.5 h, the last half hour runs from 13:30 to 14:00.
    let city = under("city");
    assert_eq!(city.due_at, Some(at("2026-02-14T14:00:00+08:00")));
    // The first working day after Friday is Saturday, the second is Tuesday the 24th, which closes at 18:00.
    let province = under("province");
    assert_eq!(province.due_at, Some(at("2026-02-24T18:00:00+08:00")));
    // Both days have 3.5 h + 4.5 h: the budget is 16 h.
    assert_eq!((province.budget_s, province.provisional), (16 * 3_600, false));
    // The list for 2027 is not announced: Thursday the 24th has 2 h from 16:00 on, Friday the rest until 10:30.
    let late = at("2026-12-24T16:00:00+08:00");
    let open = one(&regional, "arrive", &[zone("city", late), step("reported", late)], late);
    assert_eq!((open.due_at, open.provisional), (Some(at("2026-12-25T10:30:00+08:00")), true));
}

#[test]
fn the_last_second_of_the_shift_is_in_hours_and_the_next_is_not() {
    let construction = named("construction");
    let due =
        |time: &str| one(&construction, "emergency", &[step("reported", monday(time))], monday(time)).due_at;
    assert_eq!(due("17:29:59"), Some(monday("21:29:59")));
    assert_eq!(due("17:30:00"), Some(monday("23:30:00")));
    // Lunch is not within hours; 08:30 is.
    assert_eq!(due("12:00:00"), Some(monday("18:00:00")));
    assert_eq!(due("08:30:00"), Some(monday("12:30:00")));
}

const PRIORITIES: &str = "priority_chooser = \"customer\"\n[[priority]]\nname = \"urgent\"\n[[priority]]\nname = \"general\"\n\
    [[clock]]\nname = \"restore\"\nstart = \"reported\"\nstop = \"restored\"\n\
    target = { urgent = \"1h\", general = \"4h\" }\npauses = [{ reason = \"access\", approver = \"customer\" }]\n";

#[test]
fn a_priority_raised_and_lowered_around_a_pause_that_is_allowed_and_one_that_is_not() {
    let contract = contract(PRIORITIES);
    let events = [
        chosen("general", false, monday("09:00:00")),
        step("reported", monday("09:00:00")),
        pause("access", "customer", monday("09:10:00")),
        event(What::Resume, monday("09:30:00")),
        pause("lunch", "customer", monday("09:35:00")),
        event(What::Resume, monday("09:45:00")),
        chosen("urgent", false, monday("09:50:00")),
        chosen("general", true, monday("09:55:00")),
        chosen("general", false, monday("10:10:00")),
    ];
    let minutes = |clock: &Clock| (clock.used_s / 60, clock.remaining_s() / 60, clock.paused_s / 60);
    // At 10:05 it is urgent: 65 min less the 20 of the allowed pause are 45 of 60; the desk's opinion changes nothing.
    let urgent = one(&contract, "restore", &events, monday("10:05:00"));
    assert_eq!(minutes(&urgent), (45, 15, 20));
    assert_eq!(urgent.due_at, Some(monday("10:20:00")));
    assert_eq!(urgent.segments.last().unwrap().priority.as_deref(), Some("urgent"));
    // At 10:30 it is general again: 90 − 20 = 70 of 240 are used; due 10:30 + 170 min = 13:20.
    let general = one(&contract, "restore", &events, monday("10:30:00"));
    assert_eq!(minutes(&general), (70, 170, 20));
    assert_eq!((general.due_at, general.state.clone()), (Some(monday("13:20:00")), State::Running));
    // Four segments: the desk's opinion stands on the record too, and governs nothing.
    assert_eq!(
        general.segments.iter().map(|segment| segment.budget_s).collect::<Vec<_>>(),
        [Some(14_400), Some(3_600), Some(3_600), Some(14_400)]
    );
    let refused = Why::PauseRefused("lunch".into());
    assert!(general.ledger.iter().any(|entry| entry.why == refused && entry.counted_s == 600));
    // 30 of 60 min were used at 09:50, 45 at 10:05; both were told, and undone when it was lowered.
    let calendars = contract.calendars(None).unwrap();
    let version = Version { id: "v1", from: Timestamp::MIN, contract: &contract, calendars: &calendars };
    let told: Vec<_> = facts(&[version], "restore", &events, monday("10:30:00"))
        .unwrap()
        .into_iter()
        .map(|fact| (fact.threshold, fact.reached, fact.known_at))
        .collect();
    assert_eq!(
        told,
        [
            (50, true, monday("09:50:00")),
            (75, true, monday("10:05:00")),
            (50, false, monday("10:10:00")),
            (75, false, monday("10:10:00")),
        ]
    );
}

#[test]
fn a_pause_lasts_no_longer_than_it_may() {
    let text = PRIORITIES.replace("approver = \"customer\" }", "approver = \"customer\", most = \"30m\" }");
    let events = [
        chosen("urgent", false, monday("09:00:00")),
        step("reported", monday("09:00:00")),
        pause("access", "customer", monday("09:20:00")),
    ];
    // Paused from 09:20 to 09:50, then it runs on by itself: 20 + 25 min at 10:15, due at 10:30.
    let clock = one(&contract(&text), "restore", &events, monday("10:15:00"));
    assert_eq!((clock.used_s, clock.paused_s, clock.state.as_str()), (45 * 60, 30 * 60, "running"));
    assert_eq!(clock.due_at, Some(monday("10:30:00")));
    let paused = one(&contract(&text), "restore", &events, monday("09:40:00"));
    assert_eq!((paused.state.as_str(), paused.due_at), ("paused", Some(monday("10:20:00"))));
}

fn reopened(how: &str) -> Vec<Clock> {
    let text = format!(
        "[[clock]]\nname = \"restore\"\nstart = \"reported\"\nstop = \"restored\"\ntarget = \"24h\"\n\
         reopen = \"{how}\"\nreopen_within = \"7d\"\n"
    );
    let events = [
        step("reported", monday("08:00:00")),
        step("restored", monday("10:00:00")),
        step("closed", monday("10:30:00")),
        event(What::Reopened, at("2026-03-03T09:00:00+08:00")),
    ];
    runs(&contract(&text), "restore", &events, at("2026-03-03T12:00:00+08:00"))
}

#[test]
fn reopened_the_next_day_it_goes_on_begins_again_or_is_a_repeated_fault() {
    // 2 h were used; the 23 h until it was opened again do not count; 3 h more are 5, due 09:00 + 22 h.
    let goes_on = reopened("continue");
    assert_eq!((goes_on.len(), goes_on[0].used_s, goes_on[0].state.as_str()), (1, 5 * 3_600, "running"));
    assert_eq!(goes_on[0].due_at, Some(at("2026-03-04T07:00:00+08:00")));
    assert!(goes_on[0].ledger.iter().any(|entry| entry.why == Why::Stopped));
    // Begun again: 24 h from 09:00; the first run does not count for a share of tickets.
    let again = reopened("restart");
    assert_eq!(again[1].due_at, Some(at("2026-03-04T09:00:00+08:00")));
    assert_eq!((again[0].counts, again[1].counts, again[1].repeat), (false, true, false));
    let share = Share::of(&again);
    assert_eq!((share.met, share.running, share.begun_again, share.per_10_000()), (0, 1, 1, None));
    // A repeated fault is a fault of its own.
    let repeat = reopened("repeat_fault");
    assert_eq!((repeat[0].counts, repeat[1].counts, repeat[1].repeat), (true, true, true));
    assert_eq!(Share::of(&repeat).per_10_000(), Some(10_000));
    // After the seven days it is one too, whatever the contract says of the days before.
    let text = "[[clock]]\nname = \"restore\"\nstart = \"reported\"\nstop = \"restored\"\ntarget = \"24h\"\nreopen_within = \"7d\"\n";
    let late = at("2026-03-09T10:00:01+08:00");
    let events = [
        step("reported", monday("08:00:00")),
        step("restored", monday("10:00:00")),
        event(What::Reopened, late),
    ];
    assert!(runs(&contract(text), "restore", &events, late)[1].repeat);
}

#[test]
fn an_arrival_uploaded_hours_later_from_a_phone_that_was_fast_undoes_the_breach() {
    let text = "[[clock]]\nname = \"arrive\"\nstart = \"reported\"\nstop = \"arrived\"\ntarget = \"4h\"\nevidence = [\"qr\"]\n";
    let contract = contract(text);
    let mut arrival = step("arrived", monday("15:30:00"));
    // The phone showed 11:41 and was 11 min fast: it was 11:30. The server heard of it at 15:30.
    arrival.device_at = Some(monday("11:41:00"));
    arrival.skew_s = 660;
    arrival.evidence = vec!["qr".into()];
    let mut claim = step("arrived", monday("11:00:00"));
    claim.evidence = vec!["phone_call".into()];
    let mut events = vec![step("reported", monday("08:00:00")), claim, arrival.clone()];
    let before = one(&contract, "arrive", &events, monday("12:30:00"));
    assert_eq!((before.state.as_str(), before.breached_at), ("breached_running", Some(monday("12:00:00"))));
    assert_eq!(before.claimed.len(), 1, "weaker evidence is a claim");
    let after = one(&contract, "arrive", &events, monday("15:30:00"));
    assert_eq!((after.state.as_str(), after.stopped_at), ("met", Some(monday("11:30:00"))));
    assert_eq!(after.used_s, 3 * 3_600 + 1_800);
    // Told: half at 10:00, three quarters at 11:00, 90 % at 11:36, all at 12:00; at 15:30 the last two are undone.
    let calendars = contract.calendars(None).unwrap();
    let version = Version { id: "v1", from: Timestamp::MIN, contract: &contract, calendars: &calendars };
    let told = |events: &[Event]| -> Vec<(u8, bool, Timestamp)> {
        let facts = facts(&[version], "arrive", events, monday("18:00:00")).unwrap();
        facts.into_iter().map(|fact| (fact.threshold, fact.reached, fact.known_at)).collect()
    };
    let story = vec![
        (50, true, monday("10:00:00")),
        (75, true, monday("11:00:00")),
        (90, true, monday("11:36:00")),
        (100, true, monday("12:00:00")),
        (90, false, monday("15:30:00")),
        (100, false, monday("15:30:00")),
    ];
    assert_eq!(told(&events), story);
    // At 16:00 it turns out that it was another visit, at 12:05: broken again, and all of it stays on the record.
    let mut corrected = step("arrived", monday("12:05:00"));
    corrected.recorded_at = monday("16:00:00");
    corrected.evidence = vec!["qr".into()];
    corrected.supersedes = Some(arrival.id);
    events.push(corrected);
    let last = one(&contract, "arrive", &events, monday("18:00:00"));
    assert_eq!((last.state.as_str(), last.breached_at), ("breached_met", Some(monday("12:00:00"))));
    let again = vec![(90, true, monday("16:00:00")), (100, true, monday("16:00:00"))];
    assert_eq!(told(&events), [story, again].concat());
}

#[test]
fn merged_tickets_keep_the_earliest_report_and_only_one_clock() {
    let text = "[[clock]]\nname = \"arrive\"\nstart = \"reported\"\nstop = \"arrived\"\ntarget = \"4h\"\n";
    let contract = contract(text);
    let earlier = monday("07:30:00");
    let survivor = [
        step("reported", monday("08:00:00")),
        event(What::Absorbed { reported_at: earlier }, monday("09:00:00")),
    ];
    assert_eq!(one(&contract, "arrive", &survivor, monday("09:00:00")).due_at, Some(monday("11:30:00")));
    let merged = [step("reported", earlier), event(What::MergedInto("T-7".into()), monday("09:00:00"))];
    let gone = one(&contract, "arrive", &merged, monday("15:00:00"));
    assert_eq!((gone.state.as_str(), gone.counts, gone.is_breached()), ("void", false, false));
    // A technician who was there before the ticket has arrived when it begins.
    let there = [step("arrived", monday("07:50:00")), step("reported", monday("08:00:00"))];
    let met = one(&contract, "arrive", &there, monday("09:00:00"));
    assert_eq!((met.state.as_str(), met.used_s, met.stopped_at), ("met", 0, Some(monday("08:00:00"))));
    let void = [
        step("reported", earlier),
        event(
            What::Void {
                clock: "arrive".into(),
                reason: "customer closed the site".into(),
                approver: "wang".into(),
            },
            monday("08:00:00"),
        ),
    ];
    let share = Share::of(&[one(&contract, "arrive", &void, monday("20:00:00"))]);
    assert_eq!((share.void, share.per_10_000()), (1, None));
}

#[test]
fn a_ticket_of_the_last_minutes_stays_under_the_contract_it_began_with() {
    let clock = |target: &str| {
        contract(&format!(
            "[[clock]]\nname = \"restore\"\nstart = \"reported\"\nstop = \"restored\"\ntarget = \"{target}\"\n"
        ))
    };
    let (old, new) = (clock("24h"), clock("4h"));
    let calendars = old.calendars(None).unwrap();
    let new_year = at("2027-01-01T00:00:00+08:00");
    let versions = [
        Version { id: "2026", from: at("2026-01-01T00:00:00+08:00"), contract: &old, calendars: &calendars },
        Version { id: "2027", from: new_year, contract: &new, calendars: &calendars },
    ];
    let reported = at("2026-12-31T23:58:00+08:00");
    let restored = at("2027-01-01T05:00:00+08:00");
    let mut events = vec![step("reported", reported), step("restored", restored)];
    let kept = &project(&versions, "restore", &events, restored).unwrap()[0];
    assert_eq!((kept.budget_s, kept.state.as_str()), (24 * 3_600, "met"));
    // Put under the new one by agreement, what was used is measured again from the same start: 5 h 2 min of 4 h.
    events.push(event(What::Contract("2027".into()), at("2027-01-01T01:00:00+08:00")));
    let moved = &project(&versions, "restore", &events, restored).unwrap()[0];
    assert_eq!(
        (moved.budget_s, moved.used_s, moved.state.as_str()),
        (4 * 3_600, 5 * 3_600 + 120, "breached_met")
    );
    assert_eq!(
        moved.segments.iter().map(|segment| segment.version.as_str()).collect::<Vec<_>>(),
        ["2026", "2027"]
    );
    let first_minute = [step("reported", new_year)];
    assert_eq!(project(&versions, "restore", &first_minute, new_year).unwrap()[0].budget_s, 4 * 3_600);
}

#[test]
fn a_site_has_its_own_zone_and_midnight_is_the_end_of_a_day() {
    let highway = named("highway-cctv");
    // The desk is open until 24:00 and again from 08:00: 10 min before midnight, 5 after opening.
    let reported = monday("23:50:00");
    let reply = one(&highway, "reply", &[step("reported", reported)], reported);
    assert_eq!(reply.due_at, Some(at("2026-03-03T08:05:00+08:00")));
    // The same contract at a site in Berlin, in the night in which the hour from two to three does not exist.
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let calendars = highway.calendars(Some(&berlin)).unwrap();
    let version = Version { id: "v1", from: Timestamp::MIN, contract: &highway, calendars: &calendars };
    let saturday = at("2026-03-28T23:50:00+01:00");
    let there = &project(&[version], "reply", &[step("reported", saturday)], saturday).unwrap()[0];
    assert_eq!(there.due_at, Some(at("2026-03-29T08:05:00+02:00")));
    // Eight hours that pass are eight hours: 23:00 + 8 h is 08:00 summer time.
    let night = [step("onsite_requested", at("2026-03-28T23:00:00+01:00"))];
    let arrive = &project(&[version], "arrive", &night, night[0].recorded_at).unwrap()[0];
    assert_eq!(arrive.due_at, Some(at("2026-03-29T08:00:00+02:00")));
}

#[test]
fn an_agreed_time_moves_by_consent_only_and_a_condition_may_come_late() {
    let contract = named("it-service");
    let agreed = |at: Timestamp, for_when: &str, consent: Option<&str>| {
        event(What::Agreed { at: monday(for_when), consent: consent.map(str::to_owned) }, at)
    };
    let mut events =
        vec![agreed(monday("09:00:00"), "12:00:00", None), agreed(monday("10:00:00"), "15:00:00", None)];
    assert_eq!(one(&contract, "agreed", &events, monday("10:00:00")).due_at, Some(monday("12:00:00")));
    events.push(agreed(monday("11:00:00"), "16:00:00", Some("customer")));
    assert_eq!(one(&contract, "agreed", &events, monday("11:00:00")).due_at, Some(monday("16:00:00")));
    // 48 h only run where somebody must go there, and then from the notice on.
    let maker = named("manufacturer");
    let mut events = vec![step("notified", monday("08:00:00"))];
    assert_eq!(one(&maker, "onsite_restore", &events, monday("09:00:00")).state, State::NotStarted);
    events.push(step("onsite_needed", monday("12:00:00")));
    let started = one(&maker, "onsite_restore", &events, monday("12:00:00"));
    assert_eq!((started.started_at, started.used_s), (Some(monday("08:00:00")), 4 * 3_600));
}

#[test]
fn two_working_days_end_at_the_same_time_of_day() {
    let share = named("pc-share");
    // Friday 13 February, 10:00; Saturday is worked (1), Tuesday the 24th is the second.
    let reported = at("2026-02-13T10:00:00+08:00");
    let clock = one(&share, "restore", &[step("reported", reported)], reported);
    assert_eq!(clock.due_at, Some(at("2026-02-24T10:00:00+08:00")));
    // On Friday night work on it begins on Saturday at 09:00, so it is due with the close of Tuesday.
    let night = at("2026-02-13T22:00:00+08:00");
    let clock = one(&share, "restore", &[step("reported", night)], night);
    assert_eq!(clock.due_at, Some(at("2026-02-24T18:00:00+08:00")));
}
