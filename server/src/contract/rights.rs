//! `[[coverage]]`, `[warranty]`, `[[window]]` and `[parts]`: what is free, until when, and what is not.

use super::clock::Names;
use super::measure::Length;
use super::reader::{Paper, Place, Table};
use super::remark::words;
use super::{Basis, Demand, Exclusion, PartTerms, Restart, Stage, Warranty, Window};

const BASES: [(&str, Basis); 6] = [
    ("free", Basis::Free),
    ("cost", Basis::Cost),
    ("deal", Basis::Deal),
    ("list", Basis::List),
    ("agree", Basis::Agree),
    ("none", Basis::None),
];
/// Kinds of service that a stage may be for.
pub(super) const SERVICES: [&str; 13] = [
    "repair",
    "upkeep",
    "inspection",
    "phone",
    "remote",
    "onsite",
    "training",
    "upgrade",
    "loaner",
    "parts",
    "coordination",
    "overseas_repair",
    "standby",
];

/// What a warranty may begin with, as a component's history tells it; inspections too.
pub(super) const ANCHORS: [&str; 8] = [
    "acceptance",
    "final_acceptance",
    "completion_form_signed",
    "handed_over",
    "sold",
    "produced",
    "installed",
    "commissioned",
];

/// Reads one stage.
pub(super) fn stage(mut table: Table<'_>) -> Option<Stage> {
    let service = table.required("service", "\"repair\"");
    if let Some(service) = &service {
        table.rename(format!("coverage.{}", service.value));
        if !SERVICES.contains(&service.value.as_str()) {
            let all = SERVICES.join(", ");
            table.paper().refuse(
                "word",
                &service.place,
                words(
                    format!("{:?} is no kind of service", service.value),
                    format!("{:?} 不是服务种类", service.value),
                ),
                words(format!("Use one of: {all}"), format!("可用：{all}")),
            );
        }
    }
    let only = table.plain_texts("only", "[\"camera\"]");
    let length = table.read("length", "\"1y\"", Length::parse);
    let price = table.required_word("price", &BASES);
    let parts = table.word("parts", &BASES);
    let labour = table.word("labour", &BASES);
    let travel = table.word("travel", &BASES);
    table.finish(("a stage of coverage", "服务范围"));
    let price = price?;
    Some(Stage {
        service: service?.value,
        only,
        length: length.map_or(Length::Life, |length| length.value),
        parts: parts.unwrap_or(price),
        labour: labour.unwrap_or(price),
        travel: travel.unwrap_or(price),
    })
}

/// A life that something follows is no stage.
pub(super) fn check_stages(paper: &Paper<'_>, stages: &[(Stage, Place)]) {
    for (index, (stage, _)) in stages.iter().enumerate() {
        let next = stages[index + 1..]
            .iter()
            .find(|(next, _)| next.service == stage.service && next.only == stage.only);
        if let (Length::Life, Some((_, place))) = (stage.length, next) {
            paper.refuse(
                "coverage.after_life",
                place,
                words("this stage would begin after a lifelong one", "此阶段排在终身阶段之后，永远不会开始"),
                words("Give the stage before it a length, for example 1y", "请给前一阶段写上期限，例如 1y"),
            );
        }
    }
}

/// Reads the warranty.
pub(super) fn warranty(mut table: Table<'_>, names: &Names<'_>) -> Option<Warranty> {
    let mut anchors = Vec::new();
    for mut anchor in table.tables("anchor") {
        let event = anchor.required("event", "\"acceptance\"");
        let needs = anchor.plain_texts("evidence", "[\"invoice\"]");
        anchor.finish(("an anchor", "质保起点"));
        if let Some(event) = event {
            if !ANCHORS.contains(&event.value.as_str()) {
                let all = ANCHORS.join(", ");
                table.paper().refuse(
                    "word",
                    &event.place,
                    words(
                        format!("no warranty begins with {:?}", event.value),
                        format!("质保不能从 {:?} 起算", event.value),
                    ),
                    words(format!("Use one of: {all}"), format!("可用：{all}")),
                );
            }
            anchors.push((event.value, needs));
        }
    }
    if anchors.is_empty() {
        table.paper().refuse(
            "missing",
            &table.here(),
            words("the event a warranty begins with is missing", "缺少质保起算的事件"),
            words(
                "Add [[warranty.anchor]] with event = \"acceptance\"",
                "请加 [[warranty.anchor]]，event = \"acceptance\"",
            ),
        );
    }
    let offset_days = table.number("offset_days", 0, 366).unwrap_or(0);
    let there = table.has("length");
    let length = table.read("length", "\"36mo\"", Length::parse);
    if !there {
        table.required("length", "\"36mo\"");
    }
    if let Some(length) = &length
        && length.value.rough_days() > 60 * 366
        && length.value != Length::Life
    {
        table.paper().ask(
            "warranty.long",
            &length.place,
            words(
                format!("a warranty of {} is very long", length.value),
                format!("质保期 {} 过长", length.value),
            ),
            words("Correct it, or decide it under [[decided]]", "请改正，或在 [[decided]] 里确认"),
        );
    }
    let mut classes = Vec::new();
    for mut class in table.tables("class") {
        let of = class.plain_texts("of", "[\"board\", \"cpu\"]");
        let length = class.read("length", "\"3y\"", Length::parse);
        let needs = class.plain("note", "\"…\"");
        class.finish(("a class of parts", "部件类别"));
        let _ = needs;
        if let Some(length) = length {
            classes.push((of, length.value));
        }
    }
    let maker_extends = table.flag("maker_extends").unwrap_or(false);
    let on_replace = table.table("on_replace").and_then(|table| restart(table, names));
    let paid_repair = table.read("paid_repair", "\"3mo\"", Length::parse).map(|found| found.value);
    let longest_wins = table.flag("longest_wins").unwrap_or(true);
    let repeat_fault = table.read("repeat_fault_free", "\"life\"", Length::parse).map(|found| found.value);
    let mut exclusions = Vec::new();
    for exclusion in table.tables("exclude") {
        exclusions.extend(self::exclusion(exclusion));
    }
    let mut demands = Vec::new();
    for mut demand in table.tables("demand") {
        let evidence = demand.required("evidence", "\"serial_label\"");
        let fails = demand.required_word("without", &[("not_covered", true), ("person", false)]);
        demand.finish(("evidence that is demanded", "须提供的凭证"));
        if let (Some(evidence), Some(fails)) = (evidence, fails) {
            demands.push(Demand { evidence: evidence.value, fails });
        }
    }
    let registration = table.read("registration_within", "\"1mo\"", Length::parse).map(|found| found.value);
    let not_from = table.plain_texts("not_from", "[\"customer_owned_spares\"]");
    table.finish(("the warranty", "质保"));
    Some(Warranty {
        anchors,
        offset_days: i32::try_from(offset_days).unwrap_or(0),
        length: length?.value,
        classes,
        maker_extends,
        on_replace,
        paid_repair,
        longest_wins,
        repeat_fault,
        exclusions,
        demands,
        registration,
        not_from,
    })
}

fn restart(mut table: Table<'_>, names: &Names<'_>) -> Option<Restart> {
    let length = table.read("length", "\"36mo\"", Length::parse);
    let from = table.required("from", "\"replaced\"");
    if let Some(from) = &from
        && !["replaced", "reinstalled_and_accepted"].contains(&from.value.as_str())
    {
        names.event(table.paper(), from);
    }
    if length.is_none() && !table.has("length") {
        let place = table.here();
        table.paper().refuse(
            "missing",
            &place,
            words("how long does a replaced part's warranty last?", "更换件的质保期多长？"),
            words("Add length = \"36mo\"", "请加 length = \"36mo\""),
        );
    }
    table.finish(("what a replacement begins", "更换后的质保"));
    Some(Restart { length: length?.value, from: from?.value })
}

fn exclusion(mut table: Table<'_>) -> Option<Exclusion> {
    let cause = table.required("cause", "\"misuse\"");
    if let Some(cause) = &cause {
        table.rename(format!("warranty.exclude.{}", cause.value));
    }
    let charge = table.required_word("charge", &BASES);
    let parts = table.word("parts", &BASES);
    let labour = table.word("labour", &BASES);
    table.finish(("an exclusion", "免责情形"));
    let charge = charge?;
    Some(Exclusion { cause: cause?.value, parts: parts.unwrap_or(charge), labour: labour.unwrap_or(charge) })
}

/// Reads one window of return, exchange or repair: days as printed, both in it.
pub(super) fn window(mut table: Table<'_>) -> Option<(Window, Place)> {
    let right =
        table.required_word("right", &[("return", "return"), ("exchange", "exchange"), ("repair", "repair")]);
    if let Some(right) = right {
        table.rename(format!("window.{right}"));
    }
    let days = table.read("days", "\"8-30\"", |text| {
        let (from, to) = text.split_once('-')?;
        let number = |text: &str| text.trim().parse::<i32>().ok().filter(|day| (0..=3_660).contains(day));
        let to = if to.trim().is_empty() { None } else { Some(number(to)?) };
        Some((number(from)?, to)).filter(|(from, to)| to.is_none_or(|to| to >= *from))
    });
    let confirm_by = table.plain("confirm_by", "\"after_sales_engineer\"");
    let here = table.here();
    table.finish(("a window", "退换修期限"));
    let (from_day, to_day) = days?.value;
    let window =
        Window { right: right?.to_owned(), from_day, to_day, confirm_by: confirm_by.unwrap_or_default() };
    Some((window, here))
}

/// Windows follow each other without gap and overlap, from day 0 on.
pub(super) fn check_windows(paper: &Paper<'_>, windows: &[(Window, Place)]) {
    let mut next = Some(0);
    for (window, place) in windows {
        let fault = match next {
            None => Some(("begins after an endless one", "排在无限期之后")),
            Some(day) if window.from_day < day => Some(("overlaps the one before", "与前一项重叠")),
            Some(day) if window.from_day > day => Some(("leaves days between", "与前一项之间有空档")),
            Some(_) => None,
        };
        if let Some((en, zh)) = fault {
            let day = next.map_or_else(String::new, |day| day.to_string());
            paper.refuse(
                "window.edge",
                place,
                words(format!("this window {en}"), format!("此期限{zh}")),
                words(format!("Let it begin on day {day}"), format!("请从第 {day} 天开始")),
            );
        }
        next = window.to_day.map(|day| day + 1);
    }
}

/// Reads what holds for parts.
pub(super) fn parts(mut table: Table<'_>) -> PartTerms {
    let up_to = table.money("free_up_to");
    let below = table.money("free_below");
    let within = table.money("free_within");
    let charged_from = table.money("charged_from");
    table.word("above", &BASES);
    table.plain("least_function", "\"as_before\"");
    table.plain_texts("kinds", "[\"original\", \"authorised\"]");
    table.flag("stand_in_free");
    table.plain("released_against", "\"replacement_list\"");
    let paper = table.paper();
    table.finish(("the rules for parts", "配件条款"));
    if let Some(found) = &within {
        paper.ask(
            "parts.boundary",
            &found.place,
            words(
                format!("is a part of exactly {} free? 内 and 以上 both hold it", found.value),
                format!("正好 {} 元的配件是否免费？“内”与“以上”都包含它", found.value),
            ),
            words(
                "Write free_up_to (free) or free_below (charged) instead",
                "请改写 free_up_to（免费）或 free_below（收费）",
            ),
        );
    }
    let edge = up_to.as_ref().or(below.as_ref()).or(within.as_ref());
    if let (Some(edge), Some(charged)) = (edge, &charged_from) {
        let both = charged.value < edge.value || (charged.value == edge.value && below.is_none());
        let none = charged.value > edge.value;
        if both || none {
            let (en, zh) = if both {
                ("both free and charged", "既免费又收费")
            } else {
                ("neither free nor charged", "既不免费也不收费")
            };
            paper.refuse(
                "parts.edge",
                &charged.place,
                words(
                    format!(
                        "a part between {} and {} is {en}",
                        edge.value.min(charged.value),
                        edge.value.max(charged.value)
                    ),
                    format!(
                        "{} 至 {} 元的配件{zh}",
                        edge.value.min(charged.value),
                        edge.value.max(charged.value)
                    ),
                ),
                words(
                    "Leave out charged_from; free_up_to or free_below decides both",
                    "请删去 charged_from，由 free_up_to 或 free_below 决定",
                ),
            );
        }
    }
    PartTerms {
        free_up_to: up_to.as_ref().or(below.as_ref()).map(|found| found.value),
        boundary_charged: up_to.is_none() && below.is_some(),
    }
}
