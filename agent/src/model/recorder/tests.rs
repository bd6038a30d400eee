//! A recorder's faults by what was seen, without a device.

use super::*;
use crate::config::{Kind, parse_device};

const NOW_S: i64 = 1_793_600_000;

fn asked(more: &str) -> config::Recorder {
    let text = format!(
        "address = \"192.0.2.7\"\n[[check]]\nkind = \"isapi\"\nuser = \"u\"\npassword = \"p\"\n{more}\n"
    );
    match parse_device(&text, "f", "d").unwrap().checks.remove(0).kind {
        Kind::Isapi(asked) => asked,
        other => panic!("{other:?}"),
    }
}

fn run(seen: &Seen, more: &str, known: &mut Known) -> Reading {
    judge(seen, &asked(more), known, Timestamp::from_second(NOW_S).unwrap())
}

fn disk(id: &str, state: DiskState) -> Disk {
    Disk { id: id.to_owned(), word: format!("{state:?}"), state, free_mb: None }
}

#[test]
fn nothing_said_is_nothing_known() {
    let reading =
        run(&Seen { records: Some(true), ..Seen::default() }, "keep_days = 30", &mut Known::default());
    assert_eq!(reading.codes(), Vec::<&str>::new());
    for code in [
        "device_swapped",
        "reboot_loop",
        "clock_offset",
        "device_defective",
        "disk_failed",
        "disk_unformatted",
        "disk_missing",
        "channel_offline",
        "channel_no_signal",
        "recording_off",
        "recording_stopped",
        "recording_days_short",
        "recording_day_missing",
    ] {
        assert!(reading.unseen().contains(&code), "{code}");
    }
}

#[test]
fn a_word_that_nobody_knows_neither_raises_nor_ends_a_fault() {
    let mut known = Known::default();
    let seen = |state| Seen { disks: Some(vec![disk("1", state)]), ..Seen::default() };
    assert_eq!(run(&seen(DiskState::Failed), "", &mut known).codes(), ["disk_failed"]);
    let strange = run(&seen(DiskState::Strange), "", &mut known);
    assert!(strange.codes().is_empty() && strange.unseen().contains(&"disk_failed"));
    assert!(!run(&seen(DiskState::Fine), "", &mut known).unseen().contains(&"disk_failed"));
}

#[test]
fn bays_count_only_when_they_held_a_disk_or_should() {
    let empty = Seen { disks: Some(vec![disk("1", DiskState::Absent)]), ..Seen::default() };
    assert!(run(&empty, "", &mut Known::default()).codes().is_empty());
    let missing = run(&empty, "disks = 2", &mut Known::default());
    assert_eq!(missing.proof("disk_missing", "expected"), Some(&Value::from(2)));
    let mut known = Known::default();
    run(&Seen { disks: Some(vec![disk("1", DiskState::Fine)]), ..Seen::default() }, "", &mut known);
    assert_eq!(run(&empty, "", &mut known).codes(), ["disk_missing"]);
    // It was there to fail first, then it was pulled.
    assert_eq!(run(&empty, "disks = 1", &mut known).codes(), ["disk_missing"]);
}

#[test]
fn one_channel_that_does_not_say_keeps_the_fault_of_another_that_ended() {
    let channel = |id: &str, online| Channel { id: id.to_owned(), online, ..Channel::default() };
    let seen =
        |first, second| Seen { channels: vec![channel("1", first), channel("2", second)], ..Seen::default() };
    let mut known = Known::default();
    assert_eq!(run(&seen(Some(false), Some(true)), "", &mut known).codes(), ["channel_offline"]);
    assert!(run(&seen(None, Some(true)), "", &mut known).unseen().contains(&"channel_offline"));
    assert!(!run(&seen(Some(true), Some(true)), "", &mut known).unseen().contains(&"channel_offline"));
    let spare = run(&seen(Some(false), Some(true)), "spare = [\"1\"]", &mut known);
    assert!(spare.codes().is_empty() && !spare.unseen().contains(&"channel_offline"));
}
