//! The simulated site, judged twice: by programs that are not ours (net-snmp, curl) for whether it
//! speaks the protocols right, and by our agent's probes for whether each way to break a device
//! ends in the fault that a technician would expect.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use futures_util::StreamExt as _;
use sitewarden_agent::clock::Clock;
use sitewarden_agent::config::parse_device;
use sitewarden_agent::model;
use sitewarden_agent::picture::{Finding, WARM_UP, Watch, decode, measure};
use sitewarden_agent::probe::{self, Context};
use sitewarden_proto::fault;
use sitewarden_tests::sim::Site;
use sitewarden_tests::sim::picture::{jpeg, turned, yard};
use sitewarden_tests::sim::plan::{
    AUTH_PASSWORD, COMMUNITY, Layout, PRIVACY_PASSWORD, Plan, SNMP_PORT, USER, WEB_PASSWORD, WEB_PORT,
};
use sitewarden_tests::sim::trouble::Trouble;
use sitewarden_tests::until;

const PATIENCE: Duration = Duration::from_secs(20);
/// Devices that are asked beside each other.
const AT_ONCE: usize = 32;

/// A site in a network that no other test and no demonstration uses.
async fn site() -> Site {
    site_of(|network| Plan { network, ..Plan::default() }).await
}

async fn site_of(plan: impl Fn(u8) -> Plan) -> Site {
    for network in 101..=254 {
        if let Ok(site) = Site::start(&plan(network)).await {
            return site;
        }
    }
    panic!("every loopback network is taken");
}

/// What our agent says of a simulated device, asked once: its state, and its fault codes in order.
async fn probe(site: &Site, id: &str) -> (&'static str, Vec<String>) {
    look(site, id, &Context::new(Clock::system(), 4).unwrap()).await
}

/// The same by an agent that remembers what it has seen before.
async fn look(site: &Site, id: &str, context: &Context) -> (&'static str, Vec<String>) {
    let listing = site.device(id).unwrap().listing();
    let text = format!(
        "name = {:?}\nclass = {:?}\naddress = \"{}\"\n\n{}",
        listing.name, listing.class, listing.address, listing.checks
    );
    let device = parse_device(&text, "simulated", id).unwrap();
    let mut latest = BTreeMap::new();
    for check in &device.checks {
        latest.insert(check.name.clone(), probe::run(&device, check, context).await);
    }
    let standing = model::findings(&device, &latest);
    let mut codes: Vec<String> = standing.iter().map(|finding| finding.code.clone()).collect();
    codes.sort();
    (model::state(&latest, &standing).as_str(), codes)
}

/// Breaks a device one way, asks until the agent that knows it sees these faults and the state that the catalogue gives to the
/// worst of them, mends it, and asks until it is well.
async fn breaks(site: &Site, context: &Context, (id, trouble): (&str, Trouble), codes: &[&str]) {
    let effect =
        |code: &&str| fault::catalogue().iter().find(|fault| fault.code.as_str() == *code).unwrap().effect;
    let state = codes.iter().map(effect).max().unwrap().as_str();
    site.break_device(id, trouble).unwrap();
    until(&format!("{id} with {trouble:?} is {state} {codes:?}"), PATIENCE, async || {
        let seen = look(site, id, context).await;
        println!("{id} with {trouble:?}: {seen:?}");
        seen.0 == state && seen.1 == codes
    })
    .await;
    site.mend_device(id).unwrap();
    let well = format!("{id} is well again after {trouble:?}");
    until(&well, PATIENCE, async || look(site, id, context).await == ("ok", vec![])).await;
}

/// What many devices are, some at a time.
async fn look_at_all<'d>(
    site: &Site,
    ids: &[&'d str],
    context: &Context,
) -> Vec<(&'d str, &'static str, Vec<String>)> {
    let looks = ids.iter().map(|id| async move {
        let (state, codes) = look(site, id, context).await;
        (*id, state, codes)
    });
    futures_util::stream::iter(looks).buffer_unordered(AT_ONCE).collect().await
}

/// An agent that has seen these devices well so often.
async fn acquainted(site: &Site, ids: &[&str], times: u32) -> Context {
    let context = Context::new(Clock::system(), 4).unwrap();
    for id in ids {
        for _ in 0..times {
            assert_eq!(look(site, id, &context).await, ("ok", vec![]), "{id}");
        }
    }
    context
}

#[tokio::test(flavor = "multi_thread")]
async fn every_device_of_the_site_is_well_to_the_agent() {
    let site = site().await;
    for device in site.devices() {
        assert_eq!(probe(&site, device.id()).await, ("ok", vec![]), "{}", device.id());
    }
}

#[test]
fn a_camera_that_was_turned_is_known_wherever_it_hangs() {
    let seen = |picture: &image::RgbImage| measure(&decode(&jpeg(picture)).unwrap());
    let unknown: Vec<_> = (0..60_u8)
        .map(|net| u64::from(u32::from(std::net::Ipv4Addr::new(127, 70 + net, 0, 1 + net % 5))))
        .map(|place| {
            let mut watch = Watch::default();
            for moment in 0..u64::from(WARM_UP) {
                watch.learn(&seen(&yard(place, moment)));
            }
            (place, watch.observe(seen(&turned(place, 1)), 1).suspects)
        })
        .filter(|(_, suspects)| *suspects != [Finding::SceneChanged])
        .collect();
    assert_eq!(unknown, Vec::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_break_a_camera_ends_in_its_fault() {
    let site = site().await;
    let context = acquainted(&site, &["cam-1"], WARM_UP + 1).await;
    let rejected = ["http_auth_rejected", "rtsp_auth_rejected"];
    for (trouble, codes) in [
        (Trouble::Unplug, &["unreachable"][..]),
        (Trouble::Password, &rejected),
        (Trouble::Port, &["rtsp_silent"]),
        (Trouble::Certificate, &["tls_expired"]),
        (Trouble::Clock, &["clock_offset"]),
        (Trouble::Disk, &["disk_failed"]),
        (Trouble::Tamper, &["camera_tampered"]),
        (Trouble::Signal, &["channel_no_signal"]),
        (Trouble::Stall, &["rtsp_no_packets"]),
        (Trouble::Renamed, &["rtsp_not_found"]),
        (Trouble::Busy, &["rtsp_busy"]),
        (Trouble::Source, &["rtsp_unavailable"]),
        (Trouble::KeyFrame, &["rtsp_no_key_frame"]),
        (Trouble::Loss, &["rtsp_loss_high"]),
        (Trouble::Black, &["picture_black"]),
        (Trouble::Turned, &["picture_scene_changed"]),
        (Trouble::Frozen, &["picture_frozen"]),
        (Trouble::Blurred, &["picture_blurred"]),
    ] {
        breaks(&site, &context, ("cam-1", trouble), codes).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_break_a_switch_ends_in_its_fault() {
    let site = site().await;
    let context = acquainted(&site, &["sw-1"], 2).await;
    for (trouble, codes) in [
        (Trouble::Unplug, &["unreachable"][..]),
        (Trouble::Password, &["snmp_wrong_key"]),
        (Trouble::Feed, &["poe_port_fault"]),
        (Trouble::Budget, &["poe_budget_high"]),
        (Trouble::Fan, &["fan_failed"]),
        (Trouble::Supply, &["power_supply_failed"]),
        (Trouble::Heat, &["temperature_high"]),
        (Trouble::Load, &["switch_cpu_high"]),
        (Trouble::Memory, &["switch_memory_high"]),
        (Trouble::Errors, &["port_errors"]),
        (Trouble::Duplex, &["port_half_duplex"]),
    ] {
        breaks(&site, &context, ("sw-1", trouble), codes).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_break_any_other_device_ends_in_its_fault() {
    let site = site().await;
    let context = acquainted(&site, &["nvr-1", "door-1", "ups-1", "time-1"], 1).await;
    for (id, trouble, code) in [
        ("time-1", Trouble::Clock, "clock_offset"),
        ("ups-1", Trouble::Slow, "unreachable"),
        ("ups-1", Trouble::Battery, "ups_on_battery"),
        ("nvr-1", Trouble::Disk, "disk_failed"),
        ("nvr-1", Trouble::Clock, "clock_offset"),
        ("nvr-1", Trouble::Channel, "channel_offline"),
        ("nvr-1", Trouble::Recording, "recording_stopped"),
        ("nvr-1", Trouble::Schedule, "recording_off"),
        ("door-1", Trouble::Battery, "access_on_battery"),
        ("door-1", Trouble::Tamper, "access_tampered"),
        ("door-1", Trouble::Reader, "reader_offline"),
        ("door-1", Trouble::Ajar, "door_ajar"),
        ("door-1", Trouble::Fire, "fire_input_fault"),
    ] {
        breaks(&site, &context, (id, trouble), &[code]).await;
    }
}

/// 117 cameras, 94 door controllers, 4 recorders and 19 switches: all of it is well, and a fault in the middle is seen where it is.
#[tokio::test(flavor = "multi_thread")]
async fn an_estate_is_well_and_breaks_where_it_is_broken() {
    let plan = |network| Plan { network, layout: Layout::Estate, ..Plan::default() };
    let site = site_of(plan).await;
    let count =
        |class: &str| site.devices().iter().filter(|device| device.blueprint().class == class).count();
    assert_eq!(["camera", "access", "nvr", "switch"].map(count), [117, 94, 4, 19]);
    let context = Context::new(Clock::system(), AT_ONCE).unwrap();
    let ids: Vec<&str> = site.devices().iter().map(|device| device.id()).collect();
    for (id, state, codes) in look_at_all(&site, &ids, &context).await {
        assert_eq!((state, codes), ("ok", vec![]), "{id}");
    }
    site.break_device("sw-7", Trouble::Unplug).unwrap();
    let behind: Vec<&str> = site
        .devices()
        .iter()
        .filter(|device| device.parent() == Some("sw-7"))
        .map(|device| device.id())
        .collect();
    assert!(behind.len() >= 11, "{behind:?}");
    until("what hangs off the switch is gone", PATIENCE, async || {
        look_at_all(&site, &behind, &context).await.iter().all(|(_, state, _)| *state == "down")
    })
    .await;
    assert_eq!(look(&site, "cam-1", &context).await, ("ok", vec![]));
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
