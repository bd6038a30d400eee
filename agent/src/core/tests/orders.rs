//! Signed commands: once per id, and remedies within their bounds.

use sitewarden_proto::wire::command_result::Status::{self, Accepted, Done, Failed, Rejected, Running};
use sitewarden_proto::wire::remedy::Kind as Wire;
use sitewarden_proto::wire::{Discover, PoeCycle, ProbeNow, Reboot, Remedy, WatchDevice};

use super::*;
use crate::config::Security;
use crate::remedy::{End, Report, Stage};

const REMEDIES: &str = r#"
[[device]]
id = "sw-1"
address = "10.0.0.1"
check = [{ kind = "icmp", every = "10s" }]
remedy = { snmp = { community = "writes" } }
[[device]]
id = "cam-3"
address = "10.0.0.3"
parent = "sw-1"
check = [{ kind = "icmp", every = "10s" }]
remedy = { http = { protocol = "onvif", user = "u", password = "p" } }
"#;

fn cycle() -> Action {
    let poe = PoeCycle { switch_id: "sw-1".into(), group: 1, port: 7, off_seconds: 10 };
    Action::Remedy(Remedy { device_id: "cam-3".into(), daily_limit: 0, kind: Some(Wire::PoeCycle(poe)) })
}

fn reboot() -> Action {
    Action::Remedy(Remedy { device_id: "cam-3".into(), daily_limit: 0, kind: Some(Wire::Reboot(Reboot {})) })
}

impl Bench {
    fn with_remedies(kept: Kept) -> Self {
        let mut bench = Self::with(REMEDIES, kept);
        bench.core.handle_connected(bench.now, 1);
        bench.settle();
        bench
    }

    fn remedy_ends(&mut self, id: &str, report: &Report) {
        self.core.handle_remedy(self.now, id, report);
        self.settle();
    }

    /// The answers so far, and none of them any more.
    fn statuses(&mut self) -> Vec<Status> {
        self.results.drain(..).map(|result| result.status()).collect()
    }
}

fn fresh() -> Kept {
    Kept { epoch: 7, tail: 1, ..Kept::default() }
}

#[test]
fn a_command_acts_once() {
    let mut bench = Bench::new();
    bench.fast_forward(60);
    let runs = bench.runs.len();
    let probe = Action::ProbeNow(ProbeNow { device_id: "cam-3".into() });
    bench.order("01-a", probe.clone());
    bench.order("01-a", probe);
    bench.fast_forward(2);
    let statuses: Vec<_> = bench.results.iter().map(CommandResult::status).collect();
    assert_eq!(statuses, [Accepted, Running, Done]);
    assert!(bench.runs[runs..].contains(&"cam-3/tls".to_owned()), "the hourly check ran at once");
    bench.results.clear();
    bench.order("01-b", Action::ProbeNow(ProbeNow { device_id: "none".into() }));
    bench.order("01-c", Action::Watch(WatchDevice { device_id: String::new(), seconds: 60 }));
    let statuses: Vec<_> = bench.results.iter().map(CommandResult::status).collect();
    assert_eq!(statuses, [Accepted, Rejected, Accepted, Done]);
    let before = bench.blocks;
    bench.fast_forward(30);
    assert!(bench.blocks >= before + 3, "samples come at once while somebody watches");

    let commands = BTreeMap::from([("01-x".to_owned(), false), ("01-y".to_owned(), true)]);
    let mut bench = Bench::with(SITE, Kept { epoch: 7, tail: 1, commands, ..Kept::default() });
    bench.core.handle_connected(bench.now, 1);
    bench.settle();
    assert_eq!(
        bench.results.iter().map(|r| (r.command_id.as_str(), r.status())).collect::<Vec<_>>(),
        [("01-x", Failed)]
    );
}

fn discover(net: &str, like: &str) -> Action {
    Action::Discover(Discover { net: net.into(), snmp_device_id: like.into() })
}

#[test]
fn a_look_around_is_one_at_a_time_tells_how_far_it_is_and_asks_snmp_as_a_device_is_asked() {
    let local = "[[device]]\nid = \"sw-1\"\naddress = \"10.0.0.1\"\ncheck = [{ kind = \"icmp\" }, \
                 { kind = \"topology\", community = \"reads\" }]\n[[device]]\nid = \"cam-3\"\naddress = \"10.0.0.3\"\n\
                 check = [{ kind = \"icmp\" }]\n";
    let mut bench = Bench::with(local, fresh());
    bench.core.handle_connected(bench.now, 1);
    bench.settle();
    for (at, (net, like, why)) in [
        ("10.0.0.0/24", "cam-3", "not asked over SNMP"),
        ("10.0.0.0/24", "none", "does not know the device"),
        ("8.8.8.0/24", "", "no private network"),
        ("10.0.0.0/8", "", "more than"),
    ]
    .into_iter()
    .enumerate()
    {
        bench.order(&format!("01-{at}"), discover(net, like));
        let said = bench.results.last().unwrap().error.clone();
        assert!(said.contains(why), "{said}");
        assert_eq!(bench.statuses(), [Accepted, Rejected]);
    }
    assert!(bench.looks.is_empty());

    bench.order("01-a", discover("10.0.0.0/24", "sw-1"));
    bench.order("01-b", discover("10.0.1.0/24", ""));
    assert_eq!(bench.statuses(), [Accepted, Running, Accepted, Rejected]);
    let [(id, wish)] = &bench.looks[..] else { panic!("{:?}", bench.looks) };
    assert!(matches!(&wish.snmp, Some(Security::V2c { community }) if community.reveal() == "reads"));
    let id = id.clone();
    for (second, steps) in [(1, (10, 508)), (11, (100, 508)), (12, (120, 508)), (30, (120, 508))] {
        bench.core.handle_discovering(after(bench.now, Duration::from_secs(second)), steps);
        bench.settle();
    }
    let far: Vec<_> = bench.results.iter().map(|result| result.result_json.clone()).collect();
    assert_eq!(
        far,
        [r#"{"all":508,"done":100}"#, r#"{"all":508,"done":120}"#],
        "now and then, and only news"
    );
    bench.statuses();
    bench.core.handle_discovery(bench.now, &id, &Ok(serde_json::json!({ "found": [] })));
    bench.settle();
    assert_eq!(bench.results.last().unwrap().result_json, r#"{"found":[]}"#);
    assert_eq!(bench.statuses(), [Done]);
    bench.order("01-c", discover("10.0.1.0/24", ""));
    bench.core.handle_discovery(bench.now, "01-c", &Err("pings cannot be sent".into()));
    bench.settle();
    assert_eq!(bench.statuses(), [Accepted, Running, Failed]);
}

#[test]
fn a_port_is_looked_at_then_cycled_and_the_disk_knows_before_it_is_off() {
    let mut bench = Bench::with_remedies(fresh());
    bench.order("01-a", cycle());
    bench.order("01-a", cycle());
    assert_eq!(bench.statuses(), [Accepted, Running], "a command acts once");
    assert!(matches!(bench.jobs[..], [(_, Job::LookAtPort(_))]));
    assert_eq!(bench.remedies["01-a"].state, Stage::Begun);
    bench.order("01-b", reboot());
    assert_eq!(bench.statuses(), [Accepted, Rejected], "one at a time");
    bench.remedy_ends("01-a", &Report::new(End::Ready));
    assert!(
        matches!(bench.remedies["01-a"].state, Stage::PortOff(_)),
        "written down before it is switched off"
    );
    assert!(matches!(bench.jobs[1], (_, Job::CyclePort { .. })));
    bench.fast_forward(12);
    bench.remedy_ends("01-a", &Report::new(End::Done).with("port", "1.7"));
    assert_eq!(bench.remedies["01-a"].state, Stage::Ended);
    let said = bench.results.last().unwrap().result_json.clone();
    assert!(said.contains("\"port\":\"1.7\"") && said.contains("\"elapsed_ms\":12000"), "{said}");
    assert_eq!(bench.statuses(), [Done]);
}

#[test]
fn a_gateway_bounds_remedies_by_itself_over_restarts_and_a_day() {
    let mut bench = Bench::with_remedies(fresh());
    for id in ["01-a", "01-b"] {
        bench.order(id, reboot());
        bench.remedy_ends(id, &Report::new(End::Done));
    }
    bench.statuses();
    bench.order("01-c", reboot());
    assert!(bench.results.last().unwrap().result_json.contains("\"limit\""));
    assert_eq!(bench.statuses(), [Accepted, Rejected]);
    let now = bench.now;
    let mut bench = Bench::with_remedies(Kept { remedies: bench.remedies, ..fresh() });
    bench.now = now;
    bench.order("01-d", reboot());
    assert_eq!(bench.statuses(), [Accepted, Rejected], "the disk counts");
    bench.order("01-e", cycle());
    assert_eq!(bench.statuses(), [Accepted, Running], "another kind has its own count");
    bench.remedy_ends("01-e", &Report::failed("no such port"));
    bench.now = after(now, Duration::from_hours(24));
    bench.settle();
    bench.order("01-f", reboot());
    assert_eq!(bench.statuses(), [Failed, Accepted, Running]);
}

#[test]
fn a_refused_login_is_not_tried_again_until_the_configuration_changes() {
    let mut bench = Bench::with_remedies(fresh());
    bench.order("01-a", reboot());
    bench.remedy_ends("01-a", &Report::unauthorized("the device does not accept the password"));
    assert_eq!(bench.statuses(), [Accepted, Running, Failed]);
    bench.order("01-b", reboot());
    assert!(bench.results.last().unwrap().result_json.contains("unauthorized"));
    assert_eq!(bench.statuses(), [Accepted, Rejected]);
    bench.config(3, REMEDIES);
    bench.order("01-c", reboot());
    assert_eq!(bench.statuses(), [Accepted, Running]);
}

#[test]
fn a_port_that_was_off_when_the_agent_died_is_switched_on_again_and_again() {
    let mut bench = Bench::with_remedies(fresh());
    bench.order("01-a", cycle());
    bench.remedy_ends("01-a", &Report::new(End::Ready));
    let commands = BTreeMap::from([("01-a".to_owned(), false)]);
    let kept = Kept { remedies: bench.remedies.clone(), commands, ..fresh() };
    let mut bench = Bench::with_remedies(kept);
    assert!(matches!(bench.jobs[..], [(_, Job::SwitchOn(_))]), "{:?}", bench.jobs);
    assert_eq!(bench.statuses(), [], "it is not over");
    bench.remedy_ends("01-a", &Report { error: "no answer".into(), ..Report::new(End::PortOff) });
    assert_eq!(bench.statuses(), [Running]);
    bench.order("01-b", reboot());
    assert_eq!(bench.statuses(), [Accepted, Rejected], "nothing else is begun meanwhile");
    bench.fast_forward(11);
    assert_eq!(bench.jobs.len(), 2, "it is tried again");
    bench.remedy_ends("01-a", &Report::new(End::Done));
    assert!(bench.results.last().unwrap().result_json.contains("switched_on_late"));
    assert_eq!(bench.statuses(), [Done]);
    bench.fast_forward(600);
    assert_eq!(bench.jobs.len(), 2);
}

#[test]
fn a_device_without_rights_is_only_read() {
    let mut bench = Bench::new();
    bench.order("01-a", cycle());
    bench.order("01-b", reboot());
    assert!(bench.jobs.is_empty());
    assert!(
        bench.results.iter().filter(|r| r.status() == Rejected).all(|r| r.result_json.contains("no_rights"))
    );
    assert_eq!(bench.statuses(), [Accepted, Rejected, Accepted, Rejected]);
}
