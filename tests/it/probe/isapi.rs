//! Recorders and cameras that speak ISAPI, behind lighttpd's own Digest, with bodies of the field: each way to break one ends in
//! its own fault and in no other, each repair ends it, and what a device does not say is neither good nor bad.

use std::path::Path;

use jiff::civil::date;
use jiff::{Span, Timestamp};
use sitewarden_agent::clock::Clock;
use sitewarden_agent::probe::OutcomeState::{Bad, Good, Rejected, Silent};
use sitewarden_agent::probe::{self, Context, Outcome};
use sitewarden_tests::field::isapi::{Device, Disk};
use sitewarden_tests::peer::{IsapiPeer, Lighttpd, free_tcp_port};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{codes, device, value};

/// How to break a device, the fault that comes of it, and what its evidence says under which key.
type Break = (fn(&mut Device), &'static str, &'static str, &'static str);
/// What one path of a device answers.
type Way<'w> = (&'static str, &'w dyn Fn(&IsapiPeer));

/// A site with one device, at a time that the test turns.
struct Site {
    peer: IsapiPeer,
    context: Context,
    clock: Clock,
    device: Device,
    more: &'static str,
    password: &'static str,
}

impl Site {
    async fn new(folder: &Path, make: fn(Timestamp) -> Device) -> Self {
        let now: Timestamp = "2026-11-20T04:30:00Z".parse().unwrap();
        let clock = Clock::manual(now);
        let context = Context::new(clock.clone(), 4).unwrap().with_memory(folder.to_owned());
        let (peer, password) = (IsapiPeer::start("MD5").await, Lighttpd::PASSWORD);
        Self { peer, context, clock, device: make(now), more: "", password }
    }

    /// Asks the device as it stands.
    async fn look(&self) -> Outcome {
        let (now, mut bodies) = (self.clock.now(), self.device.bodies(self.clock.now()));
        if self.more.contains("min_integrity") {
            bodies.extend(self.device.searches(now));
        }
        self.peer.show(&bodies);
        self.look_again().await
    }

    /// Asks what the peer has been told to say.
    async fn look_again(&self) -> Outcome {
        let (port, user, password, more) = (self.peer.port(), Lighttpd::USER, self.password, self.more);
        let check =
            format!("kind = \"isapi\"\nport = {port}\nuser = \"{user}\"\npassword = \"{password}\"\n{more}");
        let device = device(&check);
        probe::run(&device, &device.checks[0], &self.context).await
    }

    fn later(&self, hours: i64) {
        self.clock.set(self.clock.now() + Span::new().hours(hours));
    }
}

fn proof<'o>(outcome: &'o Outcome, key: &str) -> &'o serde_json::Value {
    &outcome.faults[0].evidence[key]
}

#[tokio::test]
async fn a_recorder_in_order_is_well_and_only_asked() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site { more: "keep_days = 30", ..Site::new(folder.path(), Device::recorder).await };
    let outcome = site.look().await;
    assert_eq!((outcome.state, codes(&outcome)), (Good, vec![]), "{outcome:#?}");
    assert_eq!(outcome.blind, Vec::<&str>::new(), "{outcome:#?}");
    for (metric, wanted) in [
        ("parts_unknown", 0.0),
        ("disks", 2.0),
        ("disks_fine", 2.0),
        ("disk_free_mb.1", 0.0),
        ("channels", 4.0),
        ("channels_online", 4.0),
        ("channels_recording", 4.0),
        ("days_kept", 50.0),
        ("uptime_s", 864_000.0),
    ] {
        assert!((value(&outcome, metric) - wanted).abs() < 1e-9, "{metric}: {outcome:#?}");
    }
    assert_eq!(outcome.facts["model"], "DS-7604NI-K1");
    // Nothing but questions, one after the other, each with its own login and none of them twice.
    let asked = site.peer.asked();
    let questions = asked.iter().filter(|line| line.starts_with("GET /ISAPI/")).count();
    let days =
        asked.iter().filter(|line| line.starts_with("POST") && line.ends_with("/dailyDistribution")).count();
    assert_eq!((questions, days), (9, 8), "{asked:#?}");
    assert_eq!(questions + days, asked.len(), "{asked:#?}");
    assert_eq!(site.peer.most_at_once(), 1);
    assert_eq!(site.peer.statuses("/ISAPI/System/deviceInfo").await, [401, 200]);
    // The days are not asked for again soon.
    assert_eq!(codes(&site.look().await), Vec::<&str>::new());
    assert_eq!(site.peer.asked().len(), asked.len() + 9);
}

#[tokio::test]
async fn each_trouble_is_one_fault_and_its_repair_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut site = Site { more: "keep_days = 30", ..Site::new(folder.path(), Device::recorder).await };
    assert_eq!(codes(&site.look().await), Vec::<&str>::new());
    let well = site.device.clone();
    let breaks: [Break; 16] = [
        (|d| d.disks[1].status = "error", "disk_failed", "disks", "2 error"),
        (|d| d.disks[0].status = "smartFailed", "disk_failed", "disks", "1 smartFailed"),
        (|d| d.disks[0].status = "abnormal", "disk_failed", "disks", "1 abnormal"),
        (|d| d.disks[1].status = "offline", "disk_failed", "disks", "2 offline"),
        (|d| d.disks[1].status = "unformatted", "disk_unformatted", "disks", "2 unformatted"),
        (|d| d.disks[1] = Disk { status: "notexist", capacity: 0, free: 0 }, "disk_missing", "gone", "2"),
        (|d| d.disks[1] = Disk { status: "offline", capacity: 0, free: 0 }, "disk_missing", "gone", "2"),
        (|d| d.disks.truncate(1), "disk_missing", "gone", "2"),
        (
            |d| {
                (d.channels[0].online, d.channels[0].records, d.channels[0].why) =
                    (false, false, "pswdError");
            },
            "channel_offline",
            "channels",
            "1 大门 (pswdError)",
        ),
        (|d| d.channels[2].signal = false, "channel_no_signal", "channels", "3 Stairs & lift"),
        (
            |d| (d.channels[1].scheduled, d.channels[1].records) = (false, false),
            "recording_off",
            "channels",
            "2 Car park",
        ),
        (|d| d.channels[3].records = false, "recording_stopped", "channels", "4 IPCamera 04"),
        (|d| d.status = 2, "device_defective", "text", "hardware"),
        (|d| d.ahead_s = 600, "clock_offset", "offset_ms", "600500"),
        (|d| (d.ahead_s, d.hides_zone) = (-120, true), "clock_offset", "offset_ms", "-119500"),
        (|d| d.serial = "another".to_owned(), "device_swapped", "found", "another"),
    ];
    for (break_it, code, key, words) in breaks {
        break_it(&mut site.device);
        let outcome = site.look().await;
        assert_eq!((outcome.state, codes(&outcome)), (Bad, vec![code]), "{outcome:#?}");
        let said = proof(&outcome, key).to_string();
        assert!(said.contains(words), "{code}: {words} in {said}");
        site.device = well.clone();
        let outcome = site.look().await;
        assert_eq!((codes(&outcome), outcome.blind.len()), (vec![], 0), "after {code}");
    }
}

#[tokio::test]
async fn yesterdays_recordings_are_counted_against_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    let more = "keep_days = 30\nmin_integrity_percent = 95";
    let mut site = Site { more, ..Site::new(folder.path(), Device::recorder).await };
    // Two hours and a bit are lost on one channel, three minutes on another.
    site.device.channels[2].gaps = vec![(130, 250), (300, 303)];
    site.device.channels[1].gaps = vec![(600, 603)];
    let searches = |site: &Site| {
        site.peer.asked().iter().filter(|line| line.ends_with("/ISAPI/ContentMgmt/search")).count()
    };
    let outcome = site.look().await;
    assert_eq!((codes(&outcome), &outcome.blind[..]), (vec![], &["recording_gaps"][..]), "{outcome:#?}");
    assert!((value(&outcome, "recording_counted_percent") - 50.0).abs() < 1e-9, "{outcome:#?}");
    assert_eq!(searches(&site), 4, "two channels in two pages each");
    let outcome = site.look().await;
    assert_eq!((outcome.state, codes(&outcome)), (Bad, vec!["recording_gaps"]), "{outcome:#?}");
    let said = proof(&outcome, "channels").to_string();
    assert!(said.contains("3 Stairs & lift: 91.4 % (02:10–04:10, 05:00–05:03)"), "{said}");
    assert_eq!((proof(&outcome, "count"), proof(&outcome, "of")), (&1.into(), &4.into()));
    let whole = f64::from(4 * 1_440 - 126) / f64::from(4 * 1_440) * 100.0;
    assert!((value(&outcome, "recording_integrity_percent") - whole).abs() < 0.05, "{outcome:#?}");
    assert!((value(&outcome, "recording_counted_percent") - 100.0).abs() < 1e-9);
    let asked = searches(&site);
    assert_eq!(codes(&site.look().await), ["recording_gaps"]);
    assert_eq!(searches(&site), asked, "a day is counted once");

    // Shortly after midnight there is nothing to count yet, and what stood goes on; a whole day later it ends.
    site.device.channels.iter_mut().for_each(|channel| channel.gaps.clear());
    site.later(12);
    let outcome = site.look().await;
    assert_eq!((codes(&outcome), &outcome.blind[..]), (vec![], &["recording_gaps"][..]), "{outcome:#?}");
    assert_eq!(searches(&site), asked);
    site.later(3);
    site.look().await;
    let outcome = site.look().await;
    assert_eq!((codes(&outcome), outcome.blind.len()), (vec![], 0), "{outcome:#?}");
    assert!((value(&outcome, "recording_integrity_percent") - 100.0).abs() < 1e-9, "{outcome:#?}");
    // What cannot be listed stays unknown, and a plan that wants motion only owes nothing.
    site.later(24);
    site.peer.show(&site.device.bodies(site.clock.now()));
    let outcome = site.look_again().await;
    assert_eq!((codes(&outcome), &outcome.blind[..]), (vec![], &["recording_gaps"][..]));
    assert!(outcome.facts.contains_key("unknown.recordings"), "{outcome:#?}");
    site.device.channels.iter_mut().for_each(|channel| channel.mode = "MOTION");
    let outcome = site.look().await;
    assert_eq!((codes(&outcome), outcome.blind.len()), (vec![], 0), "{outcome:#?}");
}

#[tokio::test]
async fn what_is_no_trouble_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut site = Site::new(folder.path(), Device::recorder).await;
    let well = site.device.clone();
    let fine: [fn(&mut Device); 8] = [
        |d| d.disks[0].status = "idle",
        |d| d.disks[0].status = "repairing",
        |d| d.status = 1,
        // Motion is recorded when there is some.
        |d| (d.channels[0].mode, d.channels[0].records) = ("MOTION", false),
        // A zone that is set wrong by hours is no clock that runs wrong, nor is one that is not told.
        |d| d.hides_zone = true,
        |d| (d.hides_zone, d.ahead_s) = (true, -3_600),
        |d| d.ahead_s = 20,
        // It was restarted.
        |d| d.uptime_s = 30,
    ];
    for (number, change) in fine.into_iter().enumerate() {
        change(&mut site.device);
        let outcome = site.look().await;
        assert_eq!((outcome.state, codes(&outcome)), (Good, vec![]), "{number}: {outcome:#?}");
        site.device = well.clone();
    }
    // In the band below the limit what stood goes on.
    site.device.ahead_s = 45;
    let outcome = site.look().await;
    assert_eq!((codes(&outcome), &outcome.blind[..]), (vec![], &["clock_offset"][..]));
}

#[tokio::test]
async fn one_cause_is_one_fault() {
    let folder = tempfile::tempdir().unwrap();
    let mut site = Site::new(folder.path(), Device::recorder).await;
    site.device.disks.truncate(1);
    assert_eq!(codes(&site.look().await), Vec::<&str>::new());
    site.device.disks[0].status = "error";
    site.device.channels.iter_mut().for_each(|channel| channel.records = false);
    let outcome = site.look().await;
    assert_eq!(codes(&outcome), ["disk_failed"], "{outcome:#?}");
    assert_eq!(outcome.blind, ["recording_stopped"]);
    // A channel that nobody needs is not judged.
    site.device = Device::recorder(site.clock.now());
    (site.device.channels[3].online, site.device.channels[3].scheduled) = (false, false);
    assert_eq!(codes(&site.look().await), ["channel_offline", "recording_off"]);
    site.more = "spare = [\"4\"]";
    assert_eq!(codes(&site.look().await), Vec::<&str>::new());
}

#[tokio::test]
async fn days_that_were_promised_are_counted_and_a_new_recorder_may_fill() {
    let folder = tempfile::tempdir().unwrap();
    let mut site = Site { more: "keep_days = 30", ..Site::new(folder.path(), Device::recorder).await };
    // Channel 1 began twelve days ago, and has lost nothing yet.
    site.device.channels[0].days.0 = date(2026, 11, 8);
    let outcome = site.look().await;
    assert_eq!(codes(&outcome), Vec::<&str>::new(), "{outcome:#?}");
    assert!((value(&outcome, "days_kept") - 12.0).abs() < 1e-9);
    site.later(24);
    site.device.channels[0].days.0 = date(2026, 11, 15);
    // Another restart of the gateway has forgotten nothing.
    site.context = Context::new(site.clock.clone(), 4).unwrap().with_memory(folder.path().to_owned());
    let outcome = site.look().await;
    assert_eq!(codes(&outcome), ["recording_days_short"], "{outcome:#?}");
    assert_eq!(proof(&outcome, "channels"), "1 大门: 6");
    site.later(25 * 24);
    let outcome = site.look().await;
    assert_eq!(codes(&outcome), Vec::<&str>::new(), "thirty days again: {outcome:#?}");
    // A day of which nothing is there, last of all yesterday.
    site.later(24);
    site.device.channels[1].days.1 = vec![date(2026, 12, 16)];
    let outcome = site.look().await;
    assert_eq!(codes(&outcome), ["recording_day_missing"], "{outcome:#?}");
    assert_eq!(proof(&outcome, "channels"), "2 Car park: 2026-12-16");
    site.device.channels[1].mode = "MOTION";
    assert_eq!(codes(&site.look().await), Vec::<&str>::new(), "nothing may have moved on that day");
}

#[tokio::test]
async fn three_restarts_within_hours_are_a_loop() {
    let folder = tempfile::tempdir().unwrap();
    let mut site = Site::new(folder.path(), Device::recorder).await;
    site.look().await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        site.clock.set(site.clock.now() + Span::new().minutes(20));
        site.device.uptime_s = 60;
        seen.push(codes(&site.look().await).len());
    }
    assert_eq!(seen, [0, 0, 1]);
    site.later(4);
    site.device.uptime_s = 4 * 3_600 + 60;
    assert_eq!(codes(&site.look().await), Vec::<&str>::new());
}

#[tokio::test]
async fn a_camera_is_asked_what_a_camera_has() {
    let folder = tempfile::tempdir().unwrap();
    let mut site = Site::new(folder.path(), Device::camera).await;
    let outcome = site.look().await;
    assert_eq!((outcome.state, codes(&outcome)), (Good, vec![]), "an empty slot is no fault: {outcome:#?}");
    assert!(!site.peer.asked().iter().any(|line| line.contains("InputProxy")), "a camera has no channels");
    // With a card it is one that can fail.
    site.device.disks = vec![Disk { status: "ok", capacity: 121_942, free: 0 }];
    assert_eq!(codes(&site.look().await), Vec::<&str>::new());
    site.device.disks = vec![Disk { status: "offline", capacity: 0, free: 0 }];
    assert_eq!(codes(&site.look().await), ["disk_missing"]);
    site.more = "baseline = 2";
    assert_eq!(codes(&site.look().await), Vec::<&str>::new(), "the card was taken out on purpose");
    site.more = "disks = 1";
    assert_eq!(codes(&site.look().await), ["disk_missing"]);
    site.more = "baseline = 3\nkeep_days = 7";
    site.device.disks = vec![Disk { status: "ok", capacity: 121_942, free: 0 }];
    assert_eq!(codes(&site.look().await), Vec::<&str>::new());
    site.device.channels[0].scheduled = false;
    assert_eq!(codes(&site.look().await), ["recording_off"]);
}

/// Whatever one path does, the rest is judged as ever, and of this part nothing is said.
#[tokio::test]
async fn what_is_not_answered_is_unknown_and_the_rest_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    let mut site = Site::new(folder.path(), Device::recorder).await;
    site.device.disks[1].status = "error";
    site.device.channels[2].online = false;
    assert_eq!(codes(&site.look().await), ["disk_failed", "channel_offline"]);
    let bodies = site.device.bodies(site.clock.now());
    let storage = bodies.iter().find(|(path, _)| path == "ContentMgmt/Storage").unwrap().1.clone();
    let not_supported = "<ResponseStatus version=\"1.0\"><requestURL>/ISAPI/ContentMgmt/Storage</requestURL><statusCode>4</statusCode>\
        <statusString>Invalid Operation</statusString><subStatusCode>notSupport</subStatusCode></ResponseStatus>";
    let path = "ContentMgmt/Storage";
    let ways: [Way<'_>; 10] = [
        ("403", &|peer| peer.refuses(path, 403, "")),
        ("notSupport", &|peer| peer.refuses(path, 403, not_supported)),
        ("notSupport with 200", &|peer| peer.says(path, not_supported.as_bytes())),
        ("404", &|peer| peer.lacks(path)),
        ("500", &|peer| {
            peer.refuses(path, 500, "<ResponseStatus><statusCode>3</statusCode><statusString>Device Error</statusString></ResponseStatus>");
        }),
        ("cut off", &|peer| peer.says(path, &storage.as_bytes()[..storage.len() * 2 / 3])),
        ("a login page", &|peer| {
            peer.says(path, b"<!DOCTYPE html><html><body><br>please log in</body></html>");
        }),
        ("empty", &|peer| peer.says(path, b"")),
        ("eight megabytes", &|peer| peer.says(path, &vec![b'<'; 8 << 20])),
        ("another answer", &|peer| peer.says(path, b"<Time><localTime>x</localTime></Time>")),
    ];
    for (name, change) in ways {
        site.peer.show(&bodies);
        change(&site.peer);
        let outcome = site.look_again().await;
        assert_eq!(codes(&outcome), ["channel_offline"], "{name}: {outcome:#?}");
        assert_eq!(outcome.blind, ["disk_failed", "disk_unformatted", "disk_missing"], "{name}");
        assert!(outcome.facts.contains_key("unknown.disks"), "{name}: {outcome:#?}");
        assert!((value(&outcome, "parts_unknown") - 1.0).abs() < 1e-9, "{name}");
    }
    // One that never ends takes its own time and no more.
    site.peer.show(&bodies);
    site.peer.drips(path);
    site.more = "timeout = \"6s\"";
    let outcome = site.look_again().await;
    assert!(outcome.blind.contains(&"disk_failed"), "{outcome:#?}");
    assert!(!codes(&outcome).contains(&"disk_failed") && outcome.elapsed_ms < 6_000, "{outcome:#?}");
    // Names in the old encoding are read.
    site.peer.show(&bodies);
    let gb: Vec<u8> = [
        b"<?xml version=\"1.0\" encoding=\"GB2312\"?><InputProxyChannelList><InputProxyChannel><id>3</id><name>".as_slice(),
        &[0xb4, 0xf3, 0xc3, 0xc5],
        b"</name></InputProxyChannel></InputProxyChannelList>",
    ]
    .concat();
    site.peer.says("ContentMgmt/InputProxy/channels", &gb);
    site.more = "";
    let outcome = site.look_again().await;
    let offline = outcome.faults.iter().find(|fault| fault.code == "channel_offline").unwrap();
    assert_eq!(offline.evidence["channels"], "3 大门");
}

#[tokio::test]
async fn a_device_of_another_make_is_unclear_and_clears_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path(), Device::recorder).await;
    site.peer.show(&Vec::new());
    let outcome = site.look_again().await;
    assert_eq!((outcome.state, codes(&outcome)), (Bad, vec!["health_unclear"]), "{outcome:#?}");
    for code in ["disk_failed", "channel_offline", "device_swapped", "clock_offset", "reboot_loop"] {
        assert!(outcome.blind.contains(&code), "{code}: {outcome:#?}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_sent_once_and_the_rest_is_not_asked() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site { password: "wrong", ..Site::new(folder.path(), Device::recorder).await };
    let outcome = site.look().await;
    assert_eq!((outcome.state, codes(&outcome)), (Rejected, vec!["http_auth_rejected"]));
    assert_eq!(site.peer.statuses("/ISAPI/Security/userCheck").await, [401, 401]);
    assert_eq!(site.peer.statuses("/ISAPI/System/deviceInfo").await, Vec::<u16>::new());
    assert_eq!(site.peer.asked(), Vec::<String>::new());
    let nobody =
        super::run(&format!("kind = \"isapi\"\nport = {}\nuser = \"u\"\npassword = \"p\"", free_tcp_port()))
            .await;
    assert_eq!((nobody.state, codes(&nobody)), (Silent, vec!["http_silent"]));
}

/// The device says that the account is locked in the very refusal that hands out a nonce: no password is sent.
#[tokio::test]
async fn a_locked_account_is_left_alone() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let mut heads = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4_096];
            let length = stream.read(&mut head).await.unwrap();
            heads.push(String::from_utf8_lossy(&head[..length]).into_owned());
            let body = "<userCheck><statusValue>401</statusValue><isIllegalLogin>true</isIllegalLogin><retryLoginTime>0</retryLoginTime>\
                <lockStatus>lock</lockStatus><unlockTime>1712</unlockTime></userCheck>";
            let answer = format!(
                "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
            if heads.len() == 2 {
                return heads;
            }
        }
    });
    let check = format!("kind = \"isapi\"\nport = {port}\nuser = \"u\"\npassword = \"p\"");
    for _ in 0..2 {
        let outcome = super::run(&check).await;
        assert_eq!((outcome.state, codes(&outcome)), (Rejected, vec!["account_locked"]), "{outcome:#?}");
        assert_eq!(proof(&outcome, "unlock_s"), 1712);
    }
    for head in serving.await.unwrap() {
        assert!(
            head.starts_with("GET /ISAPI/Security/userCheck") && !head.contains("uthorization"),
            "{head}"
        );
    }
}
