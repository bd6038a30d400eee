//! Lines of the field, and lines that no device would send, as they are read.

use super::*;

fn table(text: &str) -> Table {
    Table::parse(text.as_bytes()).expect("an answer")
}

#[test]
fn disks_are_as_bad_as_their_worst_part_and_full_ones_are_well() {
    let said = table(
        "list.info[0].Name=/dev/sda\r\nlist.info[0].State=Success\r\nlist.info[0].Detail[0].Path=/dev/sda0\r\n\
         list.info[0].Detail[0].TotalBytes=2000324395008.000000\r\nlist.info[0].Detail[0].UsedBytes=2000324395008.000000\r\n\
         list.info[0].Detail[0].IsError=false\r\nlist.info[0].Detail[0].Type=ReadWrite\r\n\
         list.info[1].Name=/dev/sdb\r\nlist.info[1].State=Success\r\nlist.info[1].Detail[0].IsError=false\r\n\
         list.info[1].Detail[1].IsError=true\r\nlist.info[2].Name=/dev/md0\r\nlist.info[2].State=Degraded\r\n\
         list.info[10].Name=/dev/sdk\r\nlist.info[10].State=Initializing\r\nlist.info[11].State=Purple\r\n",
    );
    let told: Vec<(String, DiskState)> = disks(&said).into_iter().map(|disk| (disk.id, disk.state)).collect();
    let wanted = [
        ("/dev/sda", DiskState::Fine),
        ("/dev/sdb", DiskState::Failed),
        ("/dev/md0", DiskState::Failed),
        ("/dev/sdk", DiskState::Passing),
        ("12", DiskState::Strange),
    ];
    assert_eq!(told, wanted.map(|(id, state)| (id.to_owned(), state)));
    assert_eq!(disks(&said)[0].free_mb, Some(0.0));
    assert_eq!(disks(&said)[1].word, "IsError");
}

#[test]
fn channels_are_counted_from_one_and_empty_ones_are_none() {
    let said = table(
        "states[0].channel=0\nstates[0].connectionState=Connected\nstates[1].channel=1\nstates[1].connectionState=Unconnect\n\
         states[2].channel=2\nstates[2].connectionState=Empty\nstates[3].channel=3\nstates[3].connectionState=Connecting\n",
    );
    let told: Vec<(String, Option<bool>)> =
        cameras(&said).into_iter().map(|channel| (channel.id, channel.online)).collect();
    assert_eq!(told, [("1".to_owned(), Some(true)), ("2".to_owned(), Some(false)), ("4".to_owned(), None)]);
    assert!(!modes(&table("table.RecordMode[0].Mode=0\ntable.RecordMode[1].Mode=2"))["2"]);
    let gbk = [&b"table.ChannelTitle[0].Name="[..], &[0xb4, 0xf3, 0xc3, 0xc5]].concat();
    assert_eq!(titles(&Table::parse(&gbk).expect("an answer"))["1"], "大门");
}

#[test]
fn a_plan_is_daily_when_each_day_has_an_ordinary_record() {
    let plan = |days: usize, section: &str| {
        let lines: Vec<String> =
            (0..days).map(|day| format!("table.Record[1].TimeSection[{day}][0]={section}\r\n")).collect();
        let lines = lines.concat();
        daily(&table(&format!("{lines}table.Record[1].Stream=0\r\n"))).get("2").copied()
    };
    assert_eq!(plan(8, "1 00:00:00-24:00:00"), Some(true));
    assert_eq!(plan(7, "3 08:00:00-20:00:00"), Some(true));
    assert_eq!(plan(8, "2 00:00:00-24:00:00"), Some(false), "only what moves is recorded");
    assert_eq!(plan(8, "1 00:00:00-00:00:00"), Some(false));
    assert_eq!(plan(6, "1 00:00:00-24:00:00"), Some(false));
    assert_eq!(plan(0, ""), None);
}

#[test]
fn no_events_are_an_answer_and_an_error_is_none() {
    assert_eq!(events(b"Error: No Events\r\n"), Some(BTreeSet::new()));
    assert_eq!(events(b"channels[0]=2\r\nchannels[1]=5\r\n"), Some(["3", "6"].map(str::to_owned).into()));
    for other in [&b"Error\r\nBad Request!\r\n"[..], b"<html></html>", b"", b"OK"] {
        assert_eq!((events(other), Table::parse(other)), (None, None), "{other:?}");
    }
}

#[test]
fn files_touch_the_days_that_they_lie_in() {
    let said = table(
        "found=3\nitems[0].StartTime=2026-10-1 23:30:00\nitems[0].EndTime=2026-10-02 00:00:00\n\
         items[1].StartTime=2026-10-02 23:59:00\nitems[1].EndTime=2026-10-03 00:29:02\nitems[2].StartTime=nonsense\n",
    );
    let day = |day| jiff::civil::date(2026, 10, day);
    assert_eq!(files(&said), Some((3, [day(1), day(2), day(3)].into())));
    assert_eq!(files(&table("found=0")), Some((0, BTreeSet::new())));
    assert_eq!(wall("2026-7-2 9:09:25"), jiff::civil::DateTime::new(2026, 7, 2, 9, 9, 25, 0).ok());
    for wrong in ["2026-13-02 19:09:25", "2026-07-02", "a b", "2026-07-02 25:00:00"] {
        assert_eq!(wall(wrong), None, "{wrong}");
    }
}

#[test]
fn a_door_is_open_closed_or_unknown() {
    let door = |word: &str| super::door(&table(&format!("Info.status={word}"))).and_then(|door| door.is_open);
    assert_eq!(
        [door("Open"), door("Close"), door("Break"), door("What")],
        [Some(true), Some(false), Some(true), None]
    );
}
