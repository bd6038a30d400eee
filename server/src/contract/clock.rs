//! `[[clock]]`: a promise with a time. Every table of targets must be complete, and no target may be zero: a clock
//! that is due at once is broken the moment it starts.

use jiff::SignedDuration;

use super::measure::{Amount, duration};
use super::reader::{Found, Paper, Place, Raw, Table, inline};
use super::remark::words;
use super::{ALWAYS, Axis, ClockRule, Level, PauseRule, Reopen, Target};

/// What tickets tell; a contract may name more under `[events] own`.
pub const EVENTS: [&str; 44] = [
    "reported",
    "notified",
    "first_human_reply",
    "resolved_remote",
    "onsite_assigned",
    "onsite_requested",
    "onsite_needed",
    "arrived",
    "arrived_with_part",
    "diagnosed_hardware",
    "solution_ready",
    "measures_taken",
    "classified_major",
    "restored",
    "resolved",
    "handed_back",
    "customer_confirmed",
    "closed",
    "agreed_time_set",
    "loaner_out",
    "loaner_returned",
    "device_received",
    "device_shipped",
    "device_returned",
    "factory_return",
    "not_fixable_on_site",
    "repaired",
    "burn_in",
    "repair_accepted",
    "service_arranged",
    "plan_approved",
    "quality_report_sent",
    "quality_report_answered",
    "parts_ordered",
    "parts_shipped",
    "shipping_notified",
    "visit_started",
    "visit_ended",
    "after_warranty",
    "outage_after_inspection",
    "damage",
    "software_cause",
    "hardware_cause",
    "suspected_fault",
];

/// What clocks may refer to.
pub(super) struct Names<'a> {
    pub(super) priorities: &'a [Level],
    pub(super) zones: &'a [Level],
    pub(super) calendars: &'a [String],
    pub(super) own_events: &'a [String],
}

impl Names<'_> {
    pub(super) fn event(&self, paper: &Paper<'_>, found: &Found<String>) {
        let known = EVENTS.contains(&found.value.as_str()) || self.own_events.contains(&found.value);
        if !known {
            paper.refuse(
                "event",
                &found.place,
                words(
                    format!("no ticket tells the event {:?}", found.value),
                    format!("工单没有 {:?} 这个事件", found.value),
                ),
                words(
                    format!("Use one of: {}; or name it under [events] own", EVENTS.join(", ")),
                    format!("可用：{}；或在 [events] own 里声明", EVENTS.join("、")),
                ),
            );
        }
    }

    pub(super) fn calendar(&self, paper: &Paper<'_>, found: &Found<String>) {
        if found.value != ALWAYS && !self.calendars.contains(&found.value) {
            paper.refuse(
                "calendar.unknown",
                &found.place,
                words(
                    format!("there is no calendar {:?}", found.value),
                    format!("没有日历 {:?}", found.value),
                ),
                words(
                    format!("Use always, or one of: {}", self.calendars.join(", ")),
                    format!("请用 always，或：{}", self.calendars.join("、")),
                ),
            );
        }
    }
}

/// Reads one clock.
pub(super) fn read(mut table: Table<'_>, names: &Names<'_>) -> Option<ClockRule> {
    let name = table.required("name", "\"arrive\"");
    if let Some(name) = &name {
        table.rename(format!("clock.{}", name.value));
    }
    let title = table.plain("title", "\"Arrival 到场\"");
    let supplier = table.word("owed_by", &[("us", false), ("supplier", true)]).unwrap_or(false);
    let start = events(&mut table, "start", "\"reported\"", names);
    let stop = events(&mut table, "stop", "\"arrived\"", names);
    let only_if = table.text("only_if", "\"onsite_needed\"");
    if let Some(only_if) = &only_if {
        names.event(table.paper(), only_if);
    }
    let calendar = table.text("calendar", "\"always\"");
    let hours = table.text("hours", "\"work\"");
    for named in [&calendar, &hours].into_iter().flatten() {
        names.calendar(table.paper(), named);
    }
    let there = table.has("target");
    let target = table.raw("target");
    if !there {
        table.required("target", "\"4h\"");
    }
    let target = target.and_then(|raw| self::target(table.paper(), raw, names, hours.is_some()));
    let count_start_day = table.flag("count_start_day").unwrap_or(false);
    let pauses = table.tables("pauses").into_iter().filter_map(pause).collect();
    let goal_percent = goal(&mut table);
    let from_change =
        table.word("on_change", &[("retroactive", false), ("from_change", true)]).unwrap_or(false);
    let reopen = table
        .word(
            "reopen",
            &[
                ("continue", Reopen::Continue),
                ("restart", Reopen::Restart),
                ("repeat_fault", Reopen::RepeatFault),
            ],
        )
        .unwrap_or(Reopen::Continue);
    let reopen_within = table.read("reopen_within", "\"7d\"", duration).map(|found| found.value);
    let evidence = table.plain_texts("evidence", "[\"qr\", \"gateway_code\", \"customer\"]");
    let escalate = table.plain("escalate", "\"expert_panel\"");
    let reset_needs = table.plain("reset_needs", "\"customer_consent\"");
    let paper = table.paper();
    let (here, name_place) = (table.here(), name.as_ref().map(|name| name.place.clone()));
    table.finish(("a clock", "计时"));
    let (name, target) = (name?.value, target?);
    let agreed = mentions(&target, &|amount| matches!(amount, Amount::Agreed));
    if agreed && reset_needs.is_none() {
        paper.ask(
            "clock.reset_needs",
            &name_place.unwrap_or(here),
            words("who must consent before the agreed time is moved?", "约定时间改期须经谁同意？"),
            words("Add reset_needs = \"customer_consent\"", "请加上 reset_needs = \"customer_consent\""),
        );
    }
    Some(ClockRule {
        title: title.unwrap_or_else(|| name.clone()),
        name,
        supplier,
        start,
        stop,
        only_if: only_if.map(|found| found.value),
        calendar: calendar.map_or_else(|| ALWAYS.to_owned(), |found| found.value),
        hours: hours.map(|found| found.value),
        target,
        count_start_day,
        pauses,
        goal_percent,
        from_change,
        reopen,
        reopen_within,
        evidence,
        escalate,
        reset_needs,
    })
}

fn events(table: &mut Table<'_>, key: &'static str, example: &str, names: &Names<'_>) -> Vec<String> {
    if !table.has(key) {
        table.required(key, example);
        return Vec::new();
    }
    let found = table.texts(key, example);
    for event in &found {
        names.event(table.paper(), event);
    }
    found.into_iter().map(|found| found.value).collect()
}

fn pause(mut table: Table<'_>) -> Option<PauseRule> {
    let reason = table.required("reason", "\"access\"");
    let approver = table.required("approver", "\"customer\"");
    let most = table.read("most", "\"3d\"", duration).map(|found| found.value);
    table.finish(("a pause", "暂停"));
    Some(PauseRule { reason: reason?.value, approver: approver?.value, most })
}

/// `each` or `p90`.
fn goal(table: &mut Table<'_>) -> u8 {
    let share = |text: &str| match text {
        "each" => Some(100),
        _ => text.strip_prefix('p')?.parse::<u8>().ok().filter(|share| (1..=99).contains(share)),
    };
    table.read("goal", "\"p90\"", share).map_or(100, |found| found.value)
}

/// Whether any leaf is of a kind.
pub(super) fn mentions(target: &Target, kind: &impl Fn(&Amount) -> bool) -> bool {
    match target {
        Target::Same(amount) => kind(amount),
        Target::By { cases, other, .. } => {
            let mut all = cases.iter().map(|case| &case.1).chain(other.as_deref());
            all.any(|target| mentions(target, kind))
        }
    }
}

fn target<'p>(paper: &'p Paper<'p>, raw: Raw<'p>, names: &Names<'_>, has_hours: bool) -> Option<Target> {
    let place = raw.place.clone();
    let table = match inline(paper, raw) {
        Ok(table) => table,
        Err(raw) => return leaf(paper, &raw).map(Target::Same),
    };
    let cases = table.own();
    let axis = axis(paper, &place, &cases, names, has_hours)?;
    let wanted: Vec<&str> = match axis {
        Axis::Priority => names.priorities.iter().map(|level| level.name.as_str()).collect(),
        Axis::Zone => names.zones.iter().map(|level| level.name.as_str()).collect(),
        Axis::Hours => vec!["in_hours", "out_of_hours"],
    };
    let given: Vec<String> = cases.iter().map(|case| case.0.clone()).collect();
    let (mut read, mut other) = (Vec::new(), None);
    for (name, raw) in cases {
        let Some(inner) = target(paper, raw, names, has_hours) else { continue };
        if name == "other" {
            other = Some(Box::new(inner));
        } else {
            read.push((name, inner));
        }
    }
    let lacking: Vec<&str> = wanted
        .into_iter()
        .filter(|name| !given.iter().any(|given| given == name || given == "other"))
        .collect();
    if !lacking.is_empty() {
        let lacking = lacking.join(", ");
        paper.refuse(
            "target.incomplete",
            &place,
            words(format!("there is no target for {lacking}"), format!("没有为 {lacking} 约定时限")),
            words("Add it, or `other` for all the rest", "请补上，或用 `other` 表示其余情形"),
        );
        return None;
    }
    Some(Target::By { axis, cases: read, other })
}

fn axis(
    paper: &Paper<'_>,
    place: &Place,
    cases: &[(String, Raw<'_>)],
    names: &Names<'_>,
    has_hours: bool,
) -> Option<Axis> {
    let within = |levels: &[Level], name: &str| levels.iter().any(|level| level.name == name);
    let mut found = None;
    for (name, raw) in cases.iter().filter(|case| case.0 != "other") {
        let axis = if name == "in_hours" || name == "out_of_hours" {
            Axis::Hours
        } else if within(names.priorities, name) {
            Axis::Priority
        } else if within(names.zones, name) {
            Axis::Zone
        } else {
            paper.refuse(
                "target.case",
                &raw.place,
                words(
                    format!("`{name}` is neither a priority nor a zone of this contract"),
                    format!("`{name}` 既不是本合同的优先级，也不是区域"),
                ),
                words(
                    "Name it under [[priority]] or [[zone]], or write in_hours and out_of_hours",
                    "请在 [[priority]] 或 [[zone]] 中声明，或写 in_hours 与 out_of_hours",
                ),
            );
            return None;
        };
        if found.is_some_and(|found| found != axis) {
            paper.refuse(
                "target.mixed",
                &raw.place,
                words(
                    "priorities, zones and hours are mixed in one table",
                    "优先级、区域、时段混在同一张表里",
                ),
                words(
                    "Nest one in the other: { urban = { urgent = \"1h\", other = \"4h\" }, … }",
                    "请嵌套：{ urban = { urgent = \"1h\", other = \"4h\" }, … }",
                ),
            );
            return None;
        }
        found = Some(axis);
    }
    if found == Some(Axis::Hours) && !has_hours {
        paper.refuse(
            "target.hours",
            place,
            words("which calendar says what lies within hours?", "由哪个日历决定是否在工作时间内？"),
            words("Add hours = \"work\" beside the target", "请在 target 旁加上 hours = \"work\""),
        );
        return None;
    }
    if found.is_none() {
        paper.refuse(
            "target.incomplete",
            place,
            words("the table of targets has no case", "时限表没有任何一项"),
            words("Write target = \"4h\" where it is the same for all", "若一律相同请写 target = \"4h\""),
        );
    }
    found
}

const TARGET_EXAMPLES: (&str, &str) = (
    "Write 30m, 4h, 1h30m (working time of the calendar), 3d or `elapsed 4h`, 2wd, end_of_wd(2) or at:agreed",
    "请写 30m、4h、1h30m（按日历的工作时间）、3d 或 `elapsed 4h`、2wd、end_of_wd(2) 或 at:agreed",
);

fn leaf(paper: &Paper<'_>, raw: &Raw<'_>) -> Option<Amount> {
    let text = raw.value.as_str().map(str::trim);
    let Some(amount) = text.and_then(Amount::parse) else {
        let said = text.unwrap_or("");
        let vague = ["立即", "即刻", "马上", "当即", "尽快", "immediately", "at once"]
            .iter()
            .any(|word| said.contains(word));
        if vague {
            paper.ask(
                "target.at_once",
                &raw.place,
                words(
                    format!("{said:?} is no time; a zero would break on every ticket"),
                    format!("{said:?} 不是时限；按零计算则每张工单都会超时"),
                ),
                words(
                    "Ask both sides how many minutes are meant and write them",
                    "请与双方约定具体分钟数后填写",
                ),
            );
        } else {
            let days =
                said.contains('天').then_some(("; 天 is often a slip for 小时", "；“天”常是“小时”之误"));
            let (more_en, more_zh) = days.unwrap_or_default();
            paper.refuse(
                "target.form",
                &raw.place,
                words(format!("{said:?} is no target{more_en}"), format!("{said:?} 不是时限{more_zh}")),
                words(TARGET_EXAMPLES.0, TARGET_EXAMPLES.1),
            );
        }
        return None;
    };
    let length = match amount {
        Amount::Working(length) | Amount::Elapsed(length) => Some(length),
        Amount::WorkingDays(_) | Amount::EndOfWorkingDay(_) | Amount::Agreed => None,
    };
    if length.is_some_and(|length| length.is_zero()) {
        paper.refuse(
            "target.zero",
            &raw.place,
            words("a target of zero breaks on every ticket", "时限为零，每张工单都会超时"),
            words("Write how long it may take, for example 15m", "请写允许多久，例如 15m"),
        );
        return None;
    }
    let text = text.unwrap_or("");
    let hours_as_days = ["24d", "48d", "72d", "12d", "8d"].contains(&text);
    if hours_as_days || length.is_some_and(|length| length > SignedDuration::from_hours(24 * 14)) {
        paper.ask(
            "target.long",
            &raw.place,
            words(
                format!("{text:?} is very long for a promise; 24天 is often a slip for 24小时"),
                format!("{text:?} 作为时限过长；“24天”常是“24小时”之误"),
            ),
            words(
                "Write 24h if hours are meant; otherwise decide it under [[decided]]",
                "若指小时请写 24h；若确实如此，请在 [[decided]] 里确认",
            ),
        );
    }
    if length.is_some_and(|length| length < SignedDuration::from_secs(60)) {
        paper.ask(
            "target.short",
            &raw.place,
            words(format!("{text:?} is shorter than a minute"), format!("{text:?} 不足一分钟")),
            words(
                "Write at least 1m, or decide it under [[decided]]",
                "请至少写 1m，或在 [[decided]] 里确认",
            ),
        );
    }
    Some(amount)
}
