//! Recorders that speak Dahua's CGI, behind lighttpd's own Digest, with answers of the field: each way to break one ends in its
//! own fault and in no other, each repair ends it, and what a device does not say is neither good nor bad.

use std::path::Path;

use jiff::Timestamp;
use sitewarden_agent::clock::Clock;
use sitewarden_agent::probe::OutcomeState::{Bad, Good, Rejected};
use sitewarden_agent::probe::{self, Context, Outcome};
use sitewarden_tests::field::dahua::Recorder;
use sitewarden_tests::peer::{DahuaPeer, Lighttpd};

use super::{codes, device, value};

/// How to break a recorder, the fault that comes of it, and what its evidence says under which key.
type Break = (fn(&mut Recorder), &'static str, &'static str, &'static str);

struct Site {
    peer: DahuaPeer,
    context: Context,
    clock: Clock,
    recorder: Recorder,
    more: &'static str,
    password: &'static str,
}

impl Site {
    async fn new(folder: &Path, algorithm: &str, more: &'static str) -> Self {
        let now: Timestamp = "2026-11-20T04:30:00Z".parse().unwrap();
        let clock = Clock::manual(now);
        let context = Context::new(clock.clone(), 4).unwrap().with_memory(folder.to_owned());
        let peer = DahuaPeer::start(algorithm).await;
        Self { peer, context, clock, recorder: Recorder::default(), more, password: Lighttpd::PASSWORD }
    }

    /// Asks the recorder as it stands.
    async fn look(&self) -> Outcome {
        self.peer.show(&self.recorder.answers(self.clock.now()));
        self.look_again().await
    }

    /// Asks what the peer has been told to say.
    async fn look_again(&self) -> Outcome {
        let (port, user, password, more) = (self.peer.port(), Lighttpd::USER, self.password, self.more);
        let check =
            format!("kind = \"dahua\"\nport = {port}\nuser = \"{user}\"\npassword = \"{password}\"\n{more}");
        let device = device(&check);
        probe::run(&device, &device.checks[0], &self.context).await
    }
}

#[tokio::test]
async fn a_recorder_in_order_is_well_and_only_asked() {
    for algorithm in ["MD5", "SHA-256"] {
        let folder = tempfile::tempdir().unwrap();
        let site = Site::new(folder.path(), algorithm, "keep_days = 30").await;
        let outcome = site.look().await;
        assert_eq!((outcome.state, codes(&outcome)), (Good, vec![]), "{outcome:#?}");
        for (metric, wanted) in [
            ("parts_unknown", 0.0),
            ("disks", 2.0),
            ("disks_fine", 2.0),
            ("disk_free_mb./dev/sda", 0.0),
            ("channels", 3.0),
            ("channels_online", 3.0),
            ("days_kept", 40.0),
        ] {
            assert!((value(&outcome, metric) - wanted).abs() < 1e-9, "{metric}: {outcome:#?}");
        }
        assert_eq!(outcome.facts["model"], "DHI-NVR5216-16P-I");
        // What it does not tell stays unknown: whether it records at this moment, and how long it has run.
        assert!(outcome.blind.contains(&"recording_stopped") && !outcome.blind.contains(&"recording_off"));
        let asked = site.peer.asked();
        assert!(asked.iter().all(|line| line.starts_with("GET ")), "{asked:#?}");
        let searches = |word: &str| asked.iter().filter(|line| line.contains(word)).count();
        assert_eq!(
            ["factory.create", "findFile", "close", "destroy"].map(searches),
            [3; 4],
            "each channel's search is given back: {asked:#?}"
        );
        assert_eq!((searches("findNextFile"), site.peer.searches()), (3 * 5, 0), "{asked:#?}");
        // The days are not asked for again soon.
        assert_eq!(codes(&site.look().await), Vec::<&str>::new());
        assert_eq!(site.peer.asked().iter().filter(|line| line.contains("factory.create")).count(), 3);
    }
}

#[tokio::test]
async fn each_trouble_is_one_fault_and_its_repair_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut site = Site::new(folder.path(), "MD5", "").await;
    assert_eq!(codes(&site.look().await), Vec::<&str>::new());
    let well = site.recorder.clone();
    let breaks: [Break; 9] = [
        (|r| r.disks[0].state = "Failure", "disk_failed", "disks", "/dev/sda Failure"),
        (|r| r.disks[1].parts[1] = true, "disk_failed", "disks", "/dev/sdb IsError"),
        (|r| r.storage_fails = true, "disk_failed", "disks", "storage StorageFailure"),
        (|r| r.disks.truncate(1), "disk_missing", "gone", "/dev/sdb"),
        (|r| r.channels[1].link = "Unconnect", "channel_offline", "channels", "2 Car park"),
        (|r| r.channels[0].is_dark = true, "channel_no_signal", "channels", "1 大门"),
        (|r| r.channels[2].mode = 2, "recording_off", "channels", "3 Stairs"),
        (|r| r.ahead_s = 200, "clock_offset", "offset_ms", "200"),
        (|r| r.serial = "another".to_owned(), "device_swapped", "found", "another"),
    ];
    for (break_it, code, key, words) in breaks {
        break_it(&mut site.recorder);
        let outcome = site.look().await;
        assert_eq!((outcome.state, codes(&outcome)), (Bad, vec![code]), "{outcome:#?}");
        let said = outcome.faults[0].evidence[key].to_string();
        assert!(said.contains(words), "{code}: {words} in {said}");
        site.recorder = well.clone();
        let outcome = site.look().await;
        assert_eq!((outcome.state, codes(&outcome)), (Good, vec![]), "after {code}: {outcome:#?}");
    }
}

#[tokio::test]
async fn days_that_are_lost_or_missing_are_told_and_a_young_recorder_is_left_to_fill_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut site = Site::new(folder.path(), "MD5", "keep_days = 30").await;
    site.recorder.channels[1].days = (12, vec![2]);
    let outcome = site.look().await;
    assert_eq!((outcome.state, codes(&outcome)), (Bad, vec!["recording_day_missing"]), "{outcome:#?}");
    assert!(
        outcome.faults[0].evidence["channels"].to_string().contains("2 Car park: 2026-11-18"),
        "{outcome:#?}"
    );
    site.clock.set(site.clock.now() + jiff::SignedDuration::from_hours(24));
    site.recorder.channels[1].days = (5, vec![]);
    let outcome = site.look().await;
    assert_eq!((outcome.state, codes(&outcome)), (Bad, vec!["recording_days_short"]), "{outcome:#?}");
    assert!(outcome.faults[0].evidence["channels"].to_string().contains("2 Car park: 5"), "{outcome:#?}");
}

/// Eight hours off because it names no zone, and a disk that writes over its oldest files, are no faults.
#[tokio::test]
async fn what_is_not_answered_is_unknown_and_a_refused_login_is_sent_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut site = Site::new(folder.path(), "MD5", "").await;
    assert_eq!(codes(&site.look().await), Vec::<&str>::new());
    for (question, code) in [
        ("storageDevice.cgi?action=getDeviceAllInfo", "disk_failed"),
        ("LogicDeviceManager.cgi?action=getCameraState&uniqueChannels[0]=-1", "channel_offline"),
        ("eventManager.cgi?action=getEventIndexes&code=VideoLoss", "channel_no_signal"),
        ("configManager.cgi?action=getConfig&name=RecordMode", "recording_off"),
        ("global.cgi?action=getCurrentTime", "clock_offset"),
    ] {
        for text in [&b"Error\r\nBad Request!\r\n"[..], b"<html>log in</html>", b"", &vec![b'x'; 9 << 20]] {
            site.peer.show(&site.recorder.answers(site.clock.now()));
            site.peer.says(question, text);
            let outcome = site.look_again().await;
            assert_eq!((outcome.state, codes(&outcome)), (Good, vec![]), "{question}: {outcome:#?}");
            assert!(outcome.blind.contains(&code), "{question}: {outcome:#?}");
        }
    }
    site.peer.show(&Vec::new());
    assert_eq!(codes(&site.look_again().await), ["health_unclear"]);
    site.password = "something else";
    let before = site.peer.asked().len();
    let outcome = site.look().await;
    assert_eq!((outcome.state, codes(&outcome)), (Rejected, vec!["http_auth_rejected"]));
    assert_eq!(site.peer.asked().len(), before, "nothing is asked behind a refusal");
}

#[tokio::test]
async fn a_door_is_asked_for_and_never_moved() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path(), "SHA-256", "doors = 2\nheld_open = \"10m\"").await;
    site.peer.show(&site.recorder.answers(site.clock.now()));
    let door = |number: u8, word: &str| {
        let question = format!("accessControl.cgi?action=getDoorStatus&channel={number}");
        site.peer.says(&question, format!("Info.status={word}\r\n").as_bytes());
    };
    door(1, "Close");
    door(2, "Close");
    let outcome = site.look_again().await;
    assert_eq!((outcome.state, codes(&outcome)), (Good, vec![]), "{outcome:#?}");
    door(2, "Open");
    assert_eq!(codes(&site.look_again().await), Vec::<&str>::new());
    site.clock.set(site.clock.now() + jiff::SignedDuration::from_mins(11));
    let outcome = site.look_again().await;
    assert!(codes(&outcome).contains(&"door_held_open"), "{outcome:#?}");
    door(2, "Close");
    let asked = site.peer.asked();
    assert!(asked.iter().all(|line| line.starts_with("GET ") && !line.contains("openDoor")), "{asked:#?}");
}
