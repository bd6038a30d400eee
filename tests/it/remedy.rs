//! Remedies against real peers: a switch's PoE port behind Net-SNMP, cameras that check every login by the standard,
//! and the whole chain with an agent that is killed while the power is off.

mod killed;
mod vendors;

use sitewarden_agent::clock::Clock;
use sitewarden_agent::config::{Login, Protocol, Secret, Security, SnmpWrite};
use sitewarden_agent::probe::Context;
use sitewarden_agent::remedy::{End, Job, Report, act, poe::Place};
use sitewarden_tests::peer::Snmpd;
use tokio::sync::watch;

fn context() -> Context {
    // The programs do this in their main; a second time is no harm.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Context::new(Clock::system(), 4).unwrap()
}

/// Does it; pauses end at once if `hurry`.
async fn done(job: Job, hurry: bool) -> Report {
    let (_keep, hurry) = watch::channel(hurry);
    act(job, &context(), hurry).await
}

fn place(switch: &Snmpd, community: &str) -> Place {
    let security = Security::V2c { community: Secret::new(community) };
    let access = SnmpWrite { port: switch.port, security };
    Place { address: "127.0.0.1".to_owned(), access, group: 1, port: 7 }
}

fn login(protocol: Protocol, port: u16, user: &str, password: &str) -> Login {
    Login { protocol, port, tls: false, user: user.to_owned(), password: Secret::new(password) }
}

#[tokio::test]
async fn a_port_goes_off_and_on_once() {
    let switch = Snmpd::with_poe().await;
    let there = place(&switch, Snmpd::WRITER);
    assert_eq!(done(Job::LookAtPort(there.clone()), false).await.end, End::Ready);
    let off = std::time::Duration::from_millis(300);
    let report = done(Job::CyclePort { place: there, off }, false).await;
    assert_eq!(report.end, End::Done, "{report:?}");
    assert_eq!(report.said["power_before"], "delivering_power");
    assert_eq!((switch.poe(), switch.poe_sets()), (1, vec![2, 1]));
}

#[tokio::test]
async fn an_agent_that_is_asked_to_end_leaves_no_port_off() {
    let switch = Snmpd::with_poe().await;
    let off = std::time::Duration::from_hours(1);
    let report = done(Job::CyclePort { place: place(&switch, Snmpd::WRITER), off }, true).await;
    assert_eq!(report.end, End::Done, "{report:?}");
    assert_eq!((switch.poe(), switch.poe_sets()), (1, vec![2, 1]));
}

#[tokio::test]
async fn a_port_that_somebody_switched_off_stays_off() {
    let switch = Snmpd::with_poe().await;
    switch.set_poe(2);
    let report = done(Job::LookAtPort(place(&switch, Snmpd::WRITER)), false).await;
    assert_eq!((report.end, &report.said["reason"]), (End::Failed, &"port_off_before".into()));
    assert!(switch.poe_sets().is_empty());
}

#[tokio::test]
async fn whoever_may_only_read_changes_nothing() {
    let switch = Snmpd::with_poe().await;
    let reader = place(&switch, Snmpd::COMMUNITY);
    assert_eq!(done(Job::LookAtPort(reader.clone()), false).await.end, End::Ready);
    let off = std::time::Duration::from_millis(10);
    let report = done(Job::CyclePort { place: reader, off }, false).await;
    assert_ne!(report.end, End::Done, "{report:?}");
    assert!(!report.error.is_empty());
    assert_eq!((switch.poe(), switch.poe_sets()), (1, Vec::new()));
    let mut nowhere = place(&switch, Snmpd::WRITER);
    nowhere.port = 9;
    let report = done(Job::LookAtPort(nowhere), false).await;
    assert_eq!((report.end, &report.said["reason"]), (End::Failed, &"no_such_port".into()));
}
