//! Shapes of answers as devices of different ages give them.

use super::super::super::tree::parse;
use super::*;

fn tree(text: &str) -> Node {
    parse(text.as_bytes()).unwrap()
}

#[test]
fn a_list_of_disks_may_be_one_or_many_or_empty_or_absent() {
    let words = |text: &str| {
        let disks = disks(&tree(text));
        disks.map(|disks| disks.into_iter().map(|disk| (disk.id, disk.state)).collect::<Vec<_>>())
    };
    let one = "<storage><hddList><hdd><id>1</id><status>ok</status><capacity>1</capacity></hdd></hddList></storage>";
    assert_eq!(words(one), Some(vec![("1".to_owned(), DiskState::Fine)]));
    assert_eq!(words("<storage><hddList/></storage>"), Some(vec![]));
    assert_eq!(words("<storage><workMode>quota</workMode></storage>"), Some(vec![]));
    assert_eq!(words("<Time/>"), None);
    let json = r#"{"storage": {"hddList": [{"hdd": [{"id": 1, "status": "SMART failed"}, {"id": 2, "status": "tired"}]}],
        "nasList": {"nas": {"id": 1, "status": "offline", "capacity": 0}}}}"#;
    let wanted = [("1", DiskState::Failed), ("2", DiskState::Strange), ("nas 1", DiskState::Absent)];
    assert_eq!(words(json), Some(wanted.map(|(id, state)| (id.to_owned(), state)).to_vec()));
    for (word, state) in [
        ("ok", DiskState::Fine),
        ("sleeping", DiskState::Fine),
        ("formating", DiskState::Passing),
        ("unformatted", DiskState::Unformatted),
        ("notexist", DiskState::Absent),
        ("offline", DiskState::Failed),
        ("smartFailed", DiskState::Failed),
        ("mismatch", DiskState::Failed),
        ("locked", DiskState::Strange),
    ] {
        assert_eq!(disk_state(word, false), state, "{word}");
    }
}

#[test]
fn the_three_shapes_of_channels_at_work_are_one() {
    let inner = r#"[{"chanNo": 1, "enable": 1, "online": 1, "record": 0, "signal": 1}]"#;
    for text in [
        format!(r#"{{"ChanStatusList": {{"ChanStatus": {inner}}}}}"#),
        format!(r#"{{"ChanStatus": {inner}}}"#),
        format!(r#"{{"ChanStatus": {{"JSON_ChanStatus": {inner}}}}}"#),
        format!(r#"{{"JSON_WorkingStatus": {{"devStatus": 0, "ChanStatus": {inner}}}}}"#),
        "<WorkingStatus><ChanStatus><chanNo>1</chanNo><enable>true</enable><online>true</online><record>0</record>\
         <signal>1</signal></ChanStatus></WorkingStatus>"
            .to_owned(),
    ] {
        let (_, channels) = work(&tree(&text)).unwrap();
        let one = Work { id: "1".to_owned(), enabled: Some(true), online: Some(true), records: Some(false), signal: Some(false) };
        assert_eq!(channels, [one], "{text}");
    }
    assert_eq!(work(&tree("<ResponseStatus><x/></ResponseStatus>")), None);
}

#[test]
fn a_plan_is_read_by_the_minute() {
    let action = |from: &str, to: &str, mode: &str| {
        let time = |text: &str| {
            let (day, time) = text.split_once(' ').unwrap();
            format!("<DayOfWeek>{day}</DayOfWeek><TimeOfDay>{time}</TimeOfDay>")
        };
        format!(
            "<ScheduleAction><ScheduleActionStartTime>{}</ScheduleActionStartTime><ScheduleActionEndTime>{}</ScheduleActionEndTime>\
             <Actions><ActionRecordingMode>{mode}</ActionRecordingMode></Actions></ScheduleAction>",
            time(from),
            time(to)
        )
    };
    let plan = |actions: &str| {
        let text = format!(
            "<TrackList><Track><id>201</id><TrackSchedule>{actions}</TrackSchedule><enableSchedule>true</enableSchedule></Track>\
             <Track><id>202</id></Track><Track><id>x</id></Track></TrackList>"
        );
        let tracks = tracks(&tree(&text)).unwrap();
        assert_eq!((tracks.len(), tracks[0].channel.as_str(), tracks[0].scheduled), (1, "2", Some(true)));
        tracks.into_iter().next().unwrap()
    };
    // 2026-11-20 is a Friday.
    let at = |hour| jiff::civil::date(2026, 11, 20).at(hour, 30, 0, 0);
    let office = plan(
        &(action("Friday 08:00:00", "Friday 20:00:00", "CMR")
            + &action("Friday 20:00:00", "Friday 24:00:00", "MOTION")),
    );
    assert_eq!(
        [7, 8, 19, 20].map(|hour| office.is_due(at(hour))),
        [Some(false), Some(true), Some(true), Some(false)]
    );
    assert_eq!(office.is_daily(), Some(false));
    let week = plan(&action("1 00:00", "1 00:00", "CMR"));
    assert_eq!((week.is_due(at(3)), week.is_daily()), (Some(true), Some(true)));
    let over_sunday = plan(&action("Sun 22:00", "Fri 08:00", "cmr"));
    assert_eq!((over_sunday.is_due(at(7)), over_sunday.is_due(at(9))), (Some(true), Some(false)));
    assert_eq!(plan("").is_due(at(7)), None);
    // What a day owes: a span that ends where it began owes all of it, on the day of its ends in two parts.
    let day = |day| jiff::civil::date(2026, 11, day);
    assert_eq!(office.owed(day(20)), [(8 * 3_600, 20 * 3_600)]);
    assert_eq!(office.owed(day(21)), []);
    assert_eq!((week.owed(day(16)), week.owed(day(22))), (vec![(0, 86_400)], vec![(0, 86_400)]));
    assert_eq!(over_sunday.owed(day(22)), [(22 * 3_600, 86_400)]);
    assert_eq!(over_sunday.owed(day(20)), [(0, 8 * 3_600)]);
    let round = plan(&action("Mon 08:00", "Mon 08:00", "CMR"));
    assert_eq!(round.owed(day(16)), [(8 * 3_600, 86_400), (0, 8 * 3_600)]);
    assert_eq!(plan(&action("Someday 08:00", "Friday 99:00", "CMR")).is_due(at(8)), Some(false));
}

#[test]
fn uptimes_may_be_told_in_chinese() {
    for (text, seconds) in [
        ("864000", Some(864_000.0)),
        ("87天0时55分59秒", Some(7_520_159.0)),
        ("3小时5分钟", Some(11_100.0)),
        ("soon", None),
        ("12天3", None),
        ("-5", None),
        ("inf", None),
        ("", None),
    ] {
        assert_eq!(uptime_s(text), seconds, "{text}");
    }
}

#[test]
fn days_of_a_month_are_those_with_a_record() {
    let text = "<trackDailyDistribution><dayList><day><id>1</id><dayOfMonth>1</dayOfMonth><record>true</record></day>\
        <day><id>2</id><dayOfMonth>2</dayOfMonth><record>false</record></day><day><dayOfMonth>40</dayOfMonth><record>true</record></day>\
        </dayList></trackDailyDistribution>";
    assert_eq!(recorded_days(&tree(text)).unwrap().into_iter().collect::<Vec<_>>(), [1]);
    assert_eq!(recorded_days(&tree("<a/>")), None);
}
