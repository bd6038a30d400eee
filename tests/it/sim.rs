//! The simulated site, judged twice: by programs that are not ours (net-snmp, curl) for whether it
//! speaks the protocols right, and by our agent's probes for whether each way to break a device
//! ends in the fault that a technician would expect.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use sitewarden_agent::clock::Clock;
use sitewarden_agent::config::parse_device;
use sitewarden_agent::model;
use sitewarden_agent::probe::{self, Context};
use sitewarden_tests::sim::Site;
use sitewarden_tests::sim::device::Trouble;
use sitewarden_tests::sim::plan::{
    AUTH_PASSWORD, COMMUNITY, PRIVACY_PASSWORD, Plan, SNMP_PORT, USER, WEB_PASSWORD, WEB_PORT,
};
use sitewarden_tests::until;

const PATIENCE: Duration = Duration::from_secs(20);

/// A site in a network that no other test and no demonstration uses.
async fn site() -> Site {
    for network in 101..=254 {
        if let Ok(site) = Site::start(&Plan { network, ..Plan::default() }).await {
            return site;
        }
    }
    panic!("every loopback network is taken");
}

/// What our agent says of a simulated device, asked once: its state, and its fault codes in order.
async fn probe(site: &Site, id: &str) -> (&'static str, Vec<String>) {
    let listing = site.device(id).unwrap().listing();
    let text = format!(
        "name = {:?}\nclass = {:?}\naddress = \"{}\"\n\n{}",
        listing.name, listing.class, listing.address, listing.checks
    );
    let device = parse_device(&text, "simulated", id).unwrap();
    let context = Context::new(Clock::system(), 4).unwrap();
    let mut latest = BTreeMap::new();
    for check in &device.checks {
        latest.insert(check.name.clone(), probe::run(&device, check, &context).await);
    }
    let standing = model::findings(&device, &latest);
    let mut codes: Vec<String> = standing.iter().map(|finding| finding.code.clone()).collect();
    codes.sort();
    (model::state(&latest, &standing).as_str(), codes)
}

/// Breaks a device one way, asks until the agent sees it so, mends it, and asks until it is well.
async fn breaks(site: &Site, id: &str, trouble: Trouble, state: &str, codes: &[&str]) {
    site.break_device(id, trouble).unwrap();
    until(&format!("{id} with {trouble:?} is {state} {codes:?}"), PATIENCE, async || {
        let seen = probe(site, id).await;
        println!("{id} with {trouble:?}: {seen:?}");
        seen.0 == state && seen.1 == codes
    })
    .await;
    site.mend_device(id).unwrap();
    let well = format!("{id} is well again after {trouble:?}");
    until(&well, PATIENCE, async || probe(site, id).await.0 == "ok").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_device_of_the_site_is_well_to_the_agent() {
    let site = site().await;
    for device in site.devices() {
        assert_eq!(probe(&site, device.id()).await, ("ok", vec![]), "{}", device.id());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_break_a_device_ends_in_its_fault() {
    let site = site().await;
    breaks(&site, "cam-1", Trouble::Unplug, "down", &["unreachable"]).await;
    breaks(&site, "cam-1", Trouble::Password, "unknown", &["http_auth_rejected"]).await;
    breaks(&site, "cam-1", Trouble::Port, "degraded", &["port_closed"]).await;
    breaks(&site, "cam-1", Trouble::Certificate, "degraded", &["tls_expired"]).await;
    breaks(&site, "time-1", Trouble::Clock, "degraded", &["clock_offset"]).await;
    breaks(&site, "sw-1", Trouble::Password, "unknown", &["snmp_wrong_key"]).await;
    breaks(&site, "ups-1", Trouble::Slow, "down", &["unreachable"]).await;
    breaks(&site, "ups-1", Trouble::Battery, "degraded", &["ups_on_battery"]).await;
    breaks(&site, "nvr-1", Trouble::Disk, "degraded", &["disk_failed"]).await;
    breaks(&site, "nvr-1", Trouble::Channel, "degraded", &["channel_offline"]).await;
    breaks(&site, "nvr-1", Trouble::Recording, "degraded", &["recording_stopped"]).await;
    breaks(&site, "door-1", Trouble::Battery, "degraded", &["access_on_battery"]).await;
    breaks(&site, "door-1", Trouble::Tamper, "degraded", &["access_tampered"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_off_a_dead_switch_is_cut_off_with_it() {
    let site = site().await;
    site.break_device("sw-1", Trouble::Unplug).unwrap();
    until("camera 4 is gone", PATIENCE, async || probe(&site, "cam-4").await.0 == "down").await;
    site.mend_device("sw-1").unwrap();
    until("camera 4 is back", PATIENCE, async || probe(&site, "cam-4").await.0 == "ok").await;
}

/// Runs a program and returns what it printed, or what it complained of.
fn judge(program: &str, arguments: &[&str]) -> Result<String, String> {
    let answer = Command::new(program).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if answer.status.success() { Ok(text(&answer.stdout)) } else { Err(text(&answer.stderr)) }
}

#[tokio::test(flavor = "multi_thread")]
async fn net_snmp_gets_answers_and_the_right_refusals() {
    let site = site().await;
    let switch = format!("{}:{SNMP_PORT}", site.device("sw-1").unwrap().address());
    let ups = format!("{}:{SNMP_PORT}", site.device("ups-1").unwrap().address());
    tokio::task::spawn_blocking(move || {
        let v3 = |user: &str, auth: &str, oid: &str| {
            let security =
                ["-v3", "-l", "authPriv", "-a", "SHA-256", "-x", "AES", "-r", "1", "-t", "2", "-Oqv"];
            let login = ["-u", user, "-A", auth, "-X", PRIVACY_PASSWORD, &switch, oid];
            judge("snmpget", &[&security[..], &login[..]].concat())
        };
        assert_eq!(v3(USER, AUTH_PASSWORD, "1.3.6.1.2.1.1.5.0").unwrap(), "\"sw-1\"");
        assert_eq!(v3(USER, AUTH_PASSWORD, "1.3.6.1.2.1.2.2.1.8.1").unwrap(), "1");
        let wrong_key = v3(USER, "not-the-password", "1.3.6.1.2.1.1.5.0").unwrap_err();
        assert!(wrong_key.contains("Authentication failure"), "{wrong_key}");
        let wrong_user = v3("nobody", AUTH_PASSWORD, "1.3.6.1.2.1.1.5.0").unwrap_err();
        assert!(wrong_user.contains("Unknown user name"), "{wrong_user}");
        let walk = ["-v2c", "-c", COMMUNITY, "-On", &ups, "1.3.6.1.2.1.33"];
        let rows = judge("snmpbulkwalk", &walk).unwrap();
        assert_eq!(rows.lines().filter(|row| !row.contains("No more variables")).count(), 12, "{rows}");
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_logs_in_by_digest_with_both_hashes() {
    let site = site().await;
    for id in ["cam-1", "cam-2"] {
        let url = format!("http://{}:{WEB_PORT}/ISAPI/System/deviceInfo", site.device(id).unwrap().address());
        tokio::task::spawn_blocking(move || {
            let get = |password: &str| {
                let login = format!("{USER}:{password}");
                judge("curl", &["-s", "-f", "--noproxy", "*", "--digest", "-u", &login, &url])
            };
            assert!(get(WEB_PASSWORD).unwrap().contains("<model>SIM-CAM4</model>"));
            assert!(get("wrong").is_err());
        })
        .await
        .unwrap();
    }
}
