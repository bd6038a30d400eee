//! What the notices say, and what other files of holidays may say.

use super::*;

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

#[test]
fn the_announced_years_are_there_with_their_traps() {
    let china = Holidays::china();
    let off = |statutory| Some(Kind::Off { statutory });
    // A working Saturday of 2018 stands in the notice for 2019, a free one of 2022 in that for 2023.
    assert_eq!(china.find(day("2018-12-29")), Some(Kind::Work));
    assert_eq!(china.find(day("2022-12-31")), off(false));
    // The second notice of 2020 made the Spring Festival longer; its holiday is still three days.
    assert_eq!(china.find(day("2020-02-02")), off(false));
    assert_eq!(china.find(day("2020-01-27")), off(true));
    // Since 2025 New Year's Eve and the second of May are holidays.
    assert_eq!((china.find(day("2024-05-02")), china.find(day("2025-05-02"))), (off(false), off(true)));
    assert_eq!((china.find(day("2018-02-15")), china.find(day("2025-01-28"))), (off(false), off(true)));
    assert_eq!(china.find(day("2026-02-28")), Some(Kind::Work));
    assert_eq!(china.find(day("2026-07-04")), None);
    assert_eq!(china.known_until(), day("2026-12-24"));
    for year in 2018..=2026 {
        let statutory = |(date, kind): &(Date, Kind)| {
            date.year() == year && matches!(kind, Kind::Off { statutory: true })
        };
        // One day is two holidays when the Mid-Autumn Festival falls on National Day.
        let days = if year >= 2025 { 13 } else { 11 } - usize::from(year == 2020);
        assert_eq!(china.days().filter(statutory).count(), days, "{year}");
    }
}

#[test]
fn a_notice_that_is_not_out_is_not_a_year_without_holidays() {
    let mut all = Holidays::china();
    all.merge(Holidays::read(r#"{"year": 2027, "papers": [], "days": []}"#).unwrap());
    assert_eq!(all.known_until(), day("2026-12-24"));
    let notice = r#"{"year": 2027, "days": [{"name": "元旦", "date": "2026-12-27", "isOffDay": false},
        {"name": "元旦", "date": "2027-01-01", "isOffDay": true}]}"#;
    all.merge(Holidays::read(notice).unwrap());
    assert_eq!((all.find(day("2026-12-27")), all.known_until()), (Some(Kind::Work), day("2027-12-24")));
}

#[test]
fn a_calendar_of_a_phone_is_read() {
    let text = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:春节\r\n 假期（休）\r\nDTSTART;VALUE=DATE:20260215\r\n\
        DTEND;VALUE=DATE:20260224\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20260228\r\n\
        SUMMARY:春节（班）\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nSUMMARY:Dentist\\, late\r\n\
        DTSTART:20260301T080000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let read = Holidays::read(text).unwrap();
    assert_eq!(read.days().count(), 10);
    assert_eq!(read.day(day("2026-02-23")).unwrap().name, "春节假期（休）");
    assert_eq!((read.find(day("2026-02-24")), read.find(day("2026-02-28"))), (None, Some(Kind::Work)));
}

#[test]
fn what_is_wrong_is_named() {
    for (text, word) in [
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260101\nRRULE:FREQ=YEARLY\nEND:VEVENT", "line 4"),
        ("BEGIN:VCALENDAR\nEND:VCALENDAR", "no all-day event"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:2026011\nEND:VEVENT", "line 3"),
        ("{\"year\": 2026}", "days"),
        ("known_until = \"tomorrow\"", "known_until"),
        (
            "known_until = \"2026-12-24\"\n[[holiday]]\nname = \"X\"\noff = [\"2026-02-02\", \"2026-02-01\"]",
            "X: ",
        ),
        (
            "known_until = \"2026-12-24\"\n[[holiday]]\nname = \"X\"\nstatutory = [\"2026-02-02\"]",
            "not within",
        ),
    ] {
        let error = Holidays::read(text).unwrap_err();
        assert!(error.0.contains(word), "{text}: {error}");
    }
}

#[test]
fn what_was_read_can_be_written_and_read_again() {
    let china = Holidays::china();
    assert_eq!(Holidays::read(&china.write()).unwrap(), china);
}
