//! `[calendar.NAME]`: the hours that a contract counts, with the traps of printed hours.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::calendar::holiday::Holidays;
use crate::calendar::{Calendar, DAY_S, Override, Parts, Span, file};

use super::ALWAYS;
use super::reader::{Found, Place, Table, inline};
use super::remark::words;

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
/// Days that differ, of one calendar of a contract.
const DAYS_MAX: i32 = 400;

/// All calendars of a contract.
pub(super) fn read(table: Option<Table<'_>>, zone: &TimeZone) -> BTreeMap<String, Parts> {
    let mut calendars = BTreeMap::new();
    let Some(table) = table else { return calendars };
    let paper = table.paper();
    for (name, raw) in table.own() {
        let place = raw.place.clone();
        let Ok(inner) = inline(paper, raw) else {
            paper.refuse(
                "type",
                &place,
                words(format!("calendar `{name}` must be a table"), format!("日历 `{name}` 必须是一个表")),
                words(
                    format!("Write [calendar.{name}] and its hours"),
                    format!("请写 [calendar.{name}] 和时段"),
                ),
            );
            continue;
        };
        if name == ALWAYS {
            paper.refuse(
                "calendar.always",
                &place,
                words("`always` is there without being written", "`always` 无须书写，本来就有"),
                words("Give your calendar another name", "请给日历另取一个名字"),
            );
        } else if let Some(parts) = one(inner, &name, zone, &place) {
            calendars.insert(name, parts);
        }
    }
    calendars
}

fn one(mut table: Table<'_>, name: &str, zone: &TimeZone, place: &Place) -> Option<Parts> {
    let daily = spans(&mut table, "daily");
    let workdays = spans(&mut table, "workdays");
    let mut week: [Vec<Span>; 7] = std::array::from_fn(|day| match (&daily, &workdays) {
        (Some(daily), _) => daily.clone(),
        (None, Some(workdays)) if day < 5 => workdays.clone(),
        (None, _) => Vec::new(),
    });
    for (day, name) in DAYS.into_iter().enumerate() {
        if let Some(own) = spans(&mut table, name) {
            week[day] = own;
        }
    }
    let work_day = spans(&mut table, "make_up_hours");
    let holidays = table.word("holidays", &[("CN", true), ("none", false)]);
    let make_up_days = table.flag("make_up_days").unwrap_or(true);
    let mut overrides = BTreeMap::new();
    for day in table.tables("day") {
        override_of(day, &mut overrides);
    }
    let paper = table.paper();
    table.finish(("a calendar", "日历"));
    let holidays = (holidays == Some(true)).then(Holidays::china);
    let parts = Parts {
        name: name.to_owned(),
        zone: zone.clone(),
        week,
        work_day,
        overrides,
        holidays,
        make_up_days,
    };
    if let Err(fault) = Calendar::new(parts.clone()) {
        paper.refuse(
            "calendar.empty",
            place,
            words(
                format!("calendar `{name}`: {fault}"),
                format!("日历 `{name}` 没有任何工作时间或时段有误，计时永远不会到期"),
            ),
            words(
                "Give it hours, for example daily = [\"08:00-24:00\"]",
                "请写时段，例如 daily = [\"08:00-24:00\"]",
            ),
        );
        return None;
    }
    Some(parts)
}

fn override_of(mut table: Table<'_>, overrides: &mut BTreeMap<Date, Override>) {
    let date = |text: &str| text.parse::<Date>().ok();
    let from = table.read("date", "\"2026-12-24\"", date);
    let until = table.read("until", "\"2026-12-26\"", date);
    let off = table.flag("off") == Some(true);
    let work = table.flag("work") == Some(true);
    let own = spans(&mut table, "spans");
    let (paper, here) = (table.paper(), table.here());
    table.finish(("a day of a calendar", "日历的一天"));
    let what = match (off, work, own) {
        (true, false, None) => Override::Off,
        (false, true, None) => Override::Work,
        (false, false, Some(spans)) => Override::Custom(spans),
        _ => {
            paper.refuse(
                "calendar.day",
                &here,
                words("a day that differs must say how", "特殊日期必须写明如何不同"),
                words(
                    "Give one of off = true, work = true, spans = […]",
                    "请写 off = true、work = true 或 spans = […] 之一",
                ),
            );
            return;
        }
    };
    let Some(from) = from else { return };
    let until = until.map_or(from.value, |until| until.value);
    if until < from.value || (until - from.value).get_days() > DAYS_MAX {
        paper.refuse(
            "calendar.day",
            &from.place,
            words("`until` is the last day, at most 400 days later", "`until` 是最后一天，最多晚 400 天"),
            words("Correct the two dates", "请改正这两个日期"),
        );
        return;
    }
    for day in from.value.series(jiff::Span::new().days(1)).take_while(|day| *day <= until) {
        overrides.insert(day, what.clone());
    }
}

/// The spans of a key; `None` where it is absent.
fn spans(table: &mut Table<'_>, key: &'static str) -> Option<Vec<Span>> {
    if !table.has(key) {
        table.texts(key, "[\"08:30-12:00\"]");
        return None;
    }
    let texts = table.texts(key, "[\"08:30-12:00\", \"13:30-18:00\"]");
    let mut spans = Vec::new();
    for found in &texts {
        match file::span(&found.value) {
            Some(span) => {
                suspect(table, found, span, texts.len());
                spans.push(span);
            }
            None => refuse(table, found),
        }
    }
    Some(spans)
}

fn refuse(table: &Table<'_>, found: &Found<String>) {
    let evening =
        ["晚", "夜", "凌晨", "pm", "PM", "上午", "下午", "早"].iter().any(|word| found.value.contains(word));
    let (en, zh) = if evening {
        (
            "Write the 24-hour clock; 晚12:00 is 24:00: \"08:00-24:00\"",
            "请用 24 小时制；晚12:00 即 24:00：\"08:00-24:00\"",
        )
    } else {
        (
            "Write it as \"08:30-18:00\", \"00:00-24:00\" or, over midnight, \"22:00-30:00\"",
            "请写成 \"08:30-18:00\"、\"00:00-24:00\"，跨午夜写 \"22:00-30:00\"",
        )
    };
    table.paper().refuse(
        "calendar.span",
        &found.place,
        words(format!("{:?} is no span of time", found.value), format!("{:?} 不是时段", found.value)),
        words(en, zh),
    );
}

/// Spans that are possible and yet look like a slip of the pen.
fn suspect(table: &Table<'_>, found: &Found<String>, span: Span, beside: usize) {
    if span.to_s == DAY_S / 2 && span.from_s < span.to_s && beside == 1 {
        table.paper().ask(
            "calendar.noon",
            &found.place,
            words(
                format!("{:?} ends at noon and nothing follows; 晚12:00 is midnight", found.value),
                format!("{:?} 到中午为止，之后没有时段；“晚12:00”是午夜", found.value),
            ),
            words(
                "Write 24:00 if midnight is meant; otherwise decide it under [[decided]]",
                "若指午夜请写 24:00；若确实是中午，请在 [[decided]] 里确认",
            ),
        );
    }
    if span.to_s % DAY_S >= DAY_S - 60 {
        table.paper().ask(
            "calendar.minute_lost",
            &found.place,
            words(
                format!("{:?} leaves out the last minute or second of the day", found.value),
                format!("{:?} 漏掉了一天的最后一分钟或一秒", found.value),
            ),
            words("Write 24:00, the end of the day", "请写 24:00，即一天的结束"),
        );
    }
}
