//! Cameras that speak ONVIF, judged by a program that computes every login again: what is wrong with one is told, what it does
//! not tell is unknown, and every place among its subscriptions is given back.

use std::path::Path;

use sitewarden_agent::clock::Clock;
use sitewarden_agent::probe::OutcomeState::{Bad, Good, Rejected};
use sitewarden_agent::probe::{self, Context, Outcome};
use sitewarden_tests::peer::{OnvifCamera, OnvifTold};

use super::{codes, device, value};

/// How to break a camera, the fault that comes of it, and what its evidence says under which key.
type Break = (fn(&mut OnvifTold), &'static str, &'static str, &'static str);

struct Site {
    camera: OnvifCamera,
    context: Context,
    told: OnvifTold,
}

impl Site {
    async fn new(folder: &Path, ahead_s: i32) -> Self {
        let context = Context::new(Clock::system(), 4).unwrap().with_memory(folder.to_owned());
        Self { camera: OnvifCamera::start(ahead_s).await, context, told: OnvifTold::default() }
    }

    async fn look(&self, password: &str, more: &str) -> Outcome {
        self.camera.tell(&self.told);
        let (port, user) = (self.camera.port, OnvifCamera::USER);
        let check =
            format!("kind = \"onvif\"\nport = {port}\nuser = \"{user}\"\npassword = \"{password}\"\n{more}");
        let device = device(&check);
        probe::run(&device, &device.checks[0], &self.context).await
    }

    async fn well(&self) -> Outcome {
        self.look(OnvifCamera::PASSWORD, "").await
    }
}

const HEALTHY: [(&str, &str, &str); 4] = [
    ("tns1:VideoSource/tns1:GlobalSceneChange/tns1:ImagingService", "VideoSource_1", "false"),
    ("tns1:VideoSource/SignalLoss", "VideoSource_1", "0"),
    ("tns1:Device/tns1:HardwareFailure/StorageFailure", "SD_DISK", "inactive"),
    ("tns1:Device/HardwareFailure/FanFailure", "1", "false"),
];

#[tokio::test]
async fn a_camera_in_order_is_well_with_either_login_and_whatever_its_clock() {
    for (auth, ahead_s) in [("wsse", 0), ("digest", 0), ("wsse", 3_600)] {
        let folder = tempfile::tempdir().unwrap();
        let mut site = Site::new(folder.path(), ahead_s).await;
        (site.told.auth, site.told.notices) = (auth, HEALTHY.to_vec());
        let outcome = site.well().await;
        assert_eq!((outcome.state, codes(&outcome)), (Good, vec![]), "{auth} {ahead_s}: {outcome:#?}");
        assert_eq!(outcome.blind, Vec::<&str>::new(), "{outcome:#?}");
        assert!((value(&outcome, "profiles") - 2.0).abs() < 1e-9);
        assert!((value(&outcome, "parts_unknown")).abs() < 1e-9, "{outcome:#?}");
        assert_eq!(outcome.facts["stream"], "rtsp://0.0.0.0:554/Streaming/Channels/101", "no login is shown");
        assert_eq!(outcome.facts["time_source"], "ntp");
        let seen = site.camera.seen().await;
        assert_eq!(
            seen.asked,
            [
                "GetSystemDateAndTime",
                "GetDeviceInformation",
                "GetServices",
                "GetProfiles",
                "GetStreamUri",
                "GetSnapshotUri",
                "CreatePullPointSubscription",
                "PullMessages",
                "Unsubscribe"
            ]
        );
        assert_eq!((seen.subscriptions, seen.most, seen.obeyed.len()), (0, 1, 0), "{seen:?}");
        assert_eq!(seen.refused, Vec::<String>::new());
    }
}

#[tokio::test]
async fn each_trouble_is_one_fault_and_its_repair_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut site = Site::new(folder.path(), 0).await;
    site.told.notices = HEALTHY.to_vec();
    assert_eq!(codes(&site.well().await), Vec::<&str>::new());
    let well = site.told.clone();
    let breaks: [Break; 7] = [
        (
            |t| t.notices[0].2 = "true",
            "camera_tampered",
            "topics",
            "GlobalSceneChange/ImagingService VideoSource_1",
        ),
        (|t| t.notices[1].2 = "1", "channel_no_signal", "channels", "SignalLoss"),
        (|t| t.notices[2].2 = "active", "disk_failed", "disks", "StorageFailure SD_DISK"),
        (|t| t.notices[3].2 = "true", "device_defective", "topics", "FanFailure"),
        (
            |t| t.notices.push(("tns1:RuleEngine/TamperDetector/Tamper", "1", "true")),
            "camera_tampered",
            "topics",
            "Tamper 1",
        ),
        (|t| t.serial = "another", "device_swapped", "found", "another"),
        (|t| t.profiles.clear(), "camera_no_profile", "text", "no media profile"),
    ];
    for (break_it, code, key, words) in breaks {
        break_it(&mut site.told);
        let outcome = site.well().await;
        assert_eq!((outcome.state, codes(&outcome)), (Bad, vec![code]), "{outcome:#?}");
        let said = outcome.faults[0].evidence[key].to_string();
        assert!(said.contains(words), "{code}: {words} in {said}");
        site.told = well.clone();
        let outcome = site.well().await;
        assert_eq!((codes(&outcome), outcome.blind.len()), (vec![], 0), "after {code}");
    }
    assert_eq!(site.camera.seen().await.subscriptions, 0);
}

#[tokio::test]
async fn a_clock_that_is_off_is_told_and_a_zone_is_not() {
    for (ahead_s, wanted) in
        [(600, vec!["clock_offset"]), (-200, vec!["clock_offset"]), (8 * 3_600, vec![]), (10, vec![])]
    {
        let folder = tempfile::tempdir().unwrap();
        let site = Site::new(folder.path(), ahead_s).await;
        assert_eq!(codes(&site.well().await), wanted, "{ahead_s}");
    }
}

/// The same refusal twice: where the clock is far off, it is the clock that is told.
#[tokio::test]
async fn a_refused_login_is_sent_once_and_told_by_its_cause() {
    for (ahead_s, code) in [(0, "http_auth_rejected"), (620, "clock_offset")] {
        let folder = tempfile::tempdir().unwrap();
        let site = Site::new(folder.path(), ahead_s).await;
        let outcome = site.look("something else", "").await;
        assert_eq!((outcome.state, codes(&outcome)), (Rejected, vec![code]), "{outcome:#?}");
        let seen = site.camera.seen().await;
        assert_eq!(seen.refused, ["digest"], "one login, and nothing after it");
        assert_eq!(seen.asked, ["GetSystemDateAndTime"]);
    }
    let folder = tempfile::tempdir().unwrap();
    let mut site = Site::new(folder.path(), 0).await;
    site.told.auth = "digest";
    let outcome = site.look("something else", "").await;
    assert_eq!((outcome.state, codes(&outcome)), (Rejected, vec!["http_auth_rejected"]));
    assert_eq!(site.camera.seen().await.refused, ["digest"]);
}

#[tokio::test]
async fn what_is_not_answered_is_unknown_and_the_rest_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    let mut site = Site::new(folder.path(), 0).await;
    site.told.notices = HEALTHY.to_vec();
    assert_eq!(codes(&site.well().await), Vec::<&str>::new());
    let well = site.told.clone();
    let html = "<!DOCTYPE html><html><body>log in<br></body></html>".to_owned();
    let ways: [(&str, &str, (u16, &'static str, String)); 6] = [
        ("GetProfiles", "camera_no_profile", (200, "text/html", html.clone())),
        (
            "GetProfiles",
            "camera_no_profile",
            (200, "application/soap+xml", "<s:Envelope><s:Body><a".to_owned()),
        ),
        ("GetProfiles", "camera_no_profile", (403, "text/plain", String::new())),
        ("GetProfiles", "camera_no_profile", (200, "application/soap+xml", "x".repeat(8 << 20))),
        ("GetDeviceInformation", "device_swapped", (200, "application/soap+xml", "<a/>".to_owned())),
        ("PullMessages", "channel_no_signal", (500, "text/html", html)),
    ];
    for (operation, code, said) in ways {
        site.told.breaks.insert(operation, said);
        let outcome = site.well().await;
        assert_eq!(codes(&outcome), Vec::<&str>::new(), "{operation}: {outcome:#?}");
        assert!(outcome.blind.contains(&code), "{operation}: {outcome:#?}");
        site.told = well.clone();
    }
    // An older device lists its services another way; a full one has no subscription left; a shy one tells no time.
    site.told.lacks = vec!["GetServices"];
    let outcome = site.well().await;
    assert_eq!((codes(&outcome), outcome.blind.len()), (vec![], 0), "{:#?}", outcome.facts);
    site.told = OnvifTold { slots: 0, ..well.clone() };
    let outcome = site.well().await;
    assert_eq!(codes(&outcome), Vec::<&str>::new());
    assert!(outcome.blind.contains(&"camera_tampered"), "{outcome:#?}");
    site.told = OnvifTold { clock_login: true, ..well.clone() };
    let outcome = site.well().await;
    assert_eq!((codes(&outcome), outcome.blind.len()), (vec![], 0), "{outcome:#?}");
    assert_eq!(site.camera.seen().await.subscriptions, 0, "whatever happened, nothing is left behind");
    // Nobody asks for events where the check says so.
    let before = site.camera.seen().await.asked.len();
    site.look(OnvifCamera::PASSWORD, "events = false").await;
    assert!(!site.camera.seen().await.asked[before..].iter().any(|name| name.contains("PullPoint")));
}
