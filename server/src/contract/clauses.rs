//! The other clauses: penalties, substitute devices, satisfaction, consents, reports, goals and duty.

use super::clock::Names;
use super::file::Terms;
use super::measure::{Amount, Length};
use super::reader::{Paper, Table, integer, wrong};
use super::remark::words;
use super::{ALWAYS, AnswerTime, ClockRule, Consent, Letter, Loaner, Penalties, PenaltyRule, Target};

/// `1%`, `0.5%` in parts of ten thousand.
fn percent(text: &str) -> Option<i64> {
    let plain = text.trim().strip_suffix('%')?.trim();
    let (whole, part) = plain.split_once('.').unwrap_or((plain, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 3 || !digits(whole) || !digits(part) || part.len() > 2 {
        return None;
    }
    let value = whole.parse::<i64>().ok()? * 100 + format!("{part:0<2}").parse::<i64>().ok()?;
    (1..=10_000).contains(&value).then_some(value)
}

/// Reads `[penalties]`.
pub(super) fn penalties(mut table: Table<'_>, clocks: &[ClockRule], names: &Names<'_>) -> Penalties {
    let (paper, here) = (table.paper(), table.here());
    let asked = table.has("cap");
    let cap = table.text("cap", "\"10%\"");
    let mut cap_per_10_000 = None;
    match &cap {
        Some(found) if found.value == "none" => paper.ask(
            "penalty.uncapped",
            &found.place,
            words("the penalties have no cap", "罚金没有上限"),
            words(
                "Agree on one, for example cap = \"10%\", or decide it under [[decided]]",
                "请约定上限，例如 cap = \"10%\"，或在 [[decided]] 里确认",
            ),
        ),
        Some(found) => {
            cap_per_10_000 = percent(&found.value);
            if cap_per_10_000.is_none() {
                wrong(paper, &found.place, "text", "\"10%\"");
            }
        }
        None if !asked => paper.ask(
            "penalty.cap",
            &here,
            words("do the penalties end somewhere? No cap is given", "罚金有无上限？没有写明"),
            words(
                "Add cap = \"10%\" of the total, or cap = \"none\"",
                "请加 cap = \"10%\"（占总价），或 cap = \"none\"",
            ),
        ),
        None => {}
    }
    let approval = table.required("approval", "\"manager\"");
    table.flag("damages_by_hand");
    table.plain("by_rules_of", "\"tender\"");
    let mut rules = Vec::new();
    for row in table.tables("rule") {
        rules.extend(rule(row, clocks, names));
    }
    table.finish(("the penalties", "违约金"));
    Penalties { rules, cap_per_10_000, approval: approval.map_or_else(String::new, |found| found.value) }
}

fn rule(mut table: Table<'_>, clocks: &[ClockRule], names: &Names<'_>) -> Option<PenaltyRule> {
    let clock = table.text("clock", "\"restore\"");
    let event = table.text("event", "\"outage_after_inspection\"");
    let rate = table.read("rate", "\"1%\"", percent);
    let per = table.required_word("per", &[("case", false), ("started_day", true)]);
    table.required_word("of", &[("contract_total", ())]);
    let (paper, here) = (table.paper(), table.here());
    table.finish(("a penalty", "罚则"));
    if let Some(clock) = &clock
        && !clocks.iter().any(|rule| rule.name == clock.value)
    {
        paper.refuse(
            "penalty.clock",
            &clock.place,
            words(format!("there is no clock {:?}", clock.value), format!("没有计时 {:?}", clock.value)),
            words("Name one of the [[clock]] tables", "请写某个 [[clock]] 的名称"),
        );
    }
    if let Some(event) = &event {
        names.event(paper, event);
    }
    if clock.is_some() == event.is_some() {
        paper.refuse(
            "penalty.for",
            &here,
            words("a penalty is for one clock or for one event", "罚则须对应一个计时或一个事件"),
            words("Write clock = \"…\" or event = \"…\"", "请写 clock = \"…\" 或 event = \"…\""),
        );
    }
    Some(PenaltyRule {
        clock: clock.map(|found| found.value),
        event: event.map(|found| found.value),
        per_10_000: rate?.value,
        per_started_day: per?,
    })
}

/// Reads `[loaner]`.
pub(super) fn loaner(mut table: Table<'_>, clocks: &[ClockRule], names: &Names<'_>) -> Option<Loaner> {
    let offered = table.flag("offered");
    let after = table.read("after", "\"restore > 12h\"", |text| {
        let (clock, amount) = text.split_once('>')?;
        Amount::parse(amount.trim()).map(|amount| (clock.trim().to_owned(), amount))
    });
    if let Some(after) = &after
        && !clocks.iter().any(|rule| rule.name == after.value.0)
    {
        table.paper().refuse(
            "loaner.clock",
            &after.place,
            words(format!("there is no clock {:?}", after.value.0), format!("没有计时 {:?}", after.value.0)),
            words("Name one of the [[clock]] tables", "请写某个 [[clock]] 的名称"),
        );
    }
    let events = table.texts("events", "[\"factory_return\"]");
    let return_after = table.texts("return_after", "[\"repaired\", \"burn_in\"]");
    for event in events.iter().chain(&return_after) {
        names.event(table.paper(), event);
    }
    let liable = table.flag("customer_liable").unwrap_or(false);
    table.plain("slip", "\"维修单\"");
    let here = table.here();
    let paper = table.paper();
    table.finish(("the loaner", "备用机"));
    if offered != Some(false) && after.is_none() && events.is_empty() {
        paper.refuse(
            "loaner.never",
            &here,
            words("nothing ever demands a substitute device", "没有任何条件触发备用机"),
            words(
                "Write after = \"restore > 12h\" or events = […], or offered = false",
                "请写 after = \"restore > 12h\" 或 events = […]，或 offered = false",
            ),
        );
    }
    (offered != Some(false)).then(|| Loaner {
        after: after.map(|found| found.value),
        events: events.into_iter().map(|found| found.value).collect(),
        return_after: return_after.into_iter().map(|found| found.value).collect(),
        liable,
    })
}

/// The clock of a substitute device: it begins with the clock it depends on, and is kept when that one is or when the
/// device is there. A contract that writes a clock of this name has its own.
pub(super) fn loaner_clock(loaner: &Loaner, clocks: &[ClockRule]) -> Option<ClockRule> {
    let (name, amount) = loaner.after.as_ref()?;
    let of = clocks.iter().find(|rule| rule.name == *name)?;
    if clocks.iter().any(|rule| rule.name == LOANER) {
        return None;
    }
    let mut stop = of.stop.clone();
    stop.push("loaner_out".to_owned());
    Some(ClockRule {
        name: LOANER.to_owned(),
        title: "Substitute device 备用机".to_owned(),
        target: Target::Same(*amount),
        hours: None,
        goal_percent: 100,
        stop,
        evidence: Vec::new(),
        escalate: None,
        ..of.clone()
    })
}

/// The name of the clock of a substitute device.
const LOANER: &str = "loaner";

/// Reads `[csat]`: the scale is written best first, and no worse word may count as much as a better one.
pub(super) fn csat(mut table: Table<'_>) -> Vec<(String, i64)> {
    let mut scale: Vec<(String, i64)> = Vec::new();
    for mut row in table.tables("scale") {
        let word = row.required("word", "\"很满意\"");
        let there = row.has("score");
        let raw = row.raw("score");
        let (paper, here) = (row.paper(), row.here());
        row.finish(("a word of the scale", "满意度分值"));
        let Some(word) = word else { continue };
        let Some(score) = raw.as_ref().and_then(|raw| integer(&raw.value)) else {
            if raw.is_some() || !there {
                wrong(paper, &here, "nothing", "-5");
            }
            continue;
        };
        if let (Some(raw), Some((better, points))) = (&raw, scale.last())
            && score >= *points
        {
            paper.refuse(
                "csat.order",
                &raw.place,
                words(
                    format!(
                        "{:?} scores {score}, as much as the better {better:?} ({points}) or more",
                        word.value
                    ),
                    format!("{:?} 得 {score} 分，不低于更好的 {better:?}（{points} 分）", word.value),
                ),
                words(
                    "A minus was probably lost: write -5 if that is meant",
                    "可能漏印了负号：若是如此请写 -5",
                ),
            );
        }
        scale.push((word.value, score));
    }
    table.plain("callback", "\"same_day\"");
    table.plain("published", "\"monthly\"");
    table.plain("survey", "\"monthly\"");
    table.finish(("the scale of satisfaction", "满意度"));
    scale
}

/// Reads `[complaint]`: how long its answer may take. An agreed instant is none, because nobody agrees on one with whoever
/// complains.
pub(super) fn complaint(mut table: Table<'_>, names: &Names<'_>) -> Option<AnswerTime> {
    let there = table.has("answer");
    let answer = table.read("answer", "\"1wd\"", |text| {
        let amount = Amount::parse(text).filter(|amount| *amount != Amount::Agreed)?;
        Some((text.to_owned(), amount))
    });
    let calendar = table.text("calendar", "\"office\"");
    if let Some(found) = &calendar {
        names.calendar(table.paper(), found);
    }
    table.plain_texts("channels", "[\"phone\", \"email\"]");
    let (paper, here) = (table.paper(), table.here());
    table.finish(("complaints", "投诉"));
    if !there {
        paper.ask(
            "complaint.answer",
            &here,
            words("by when is a complaint answered?", "投诉须在多久内答复？"),
            words(
                "Add answer = \"1wd\", or 8h with a calendar",
                "请加 answer = \"1wd\"，或 8h 并写明 calendar",
            ),
        );
    }
    let (words, amount) = answer?.value;
    let calendar = calendar.map_or_else(|| ALWAYS.to_owned(), |found| found.value);
    Some(AnswerTime { words, amount, calendar })
}

/// What a consent is asked for: anything done to the customer's system, remedies from afar among it; the plan before a
/// repair; a repair that is charged; a part that is replaced.
const OPERATIONS: [(&str, &str); 4] = [
    ("maintenance", "maintenance"),
    ("repair_plan", "repair_plan"),
    ("charged_repair", "charged_repair"),
    ("replace_part", "replace_part"),
];

/// Reads one `[[consent]]`.
pub(super) fn consent(mut table: Table<'_>) -> Option<Consent> {
    let operation = table.required_word("operation", &OPERATIONS);
    let from = table.plain_texts("from", "[\"customer\"]");
    table.plain_texts("forms", "[\"重大请求审批表\"]");
    let (paper, here) = (table.paper(), table.here());
    table.finish(("a consent", "同意"));
    if from.is_empty() {
        paper.refuse(
            "consent.from",
            &here,
            words("nobody is named who must consent", "没有写明须经谁同意"),
            words("Add from = [\"customer\"]", "请加 from = [\"customer\"]"),
        );
    }
    Some(Consent { operation: operation?.to_owned(), from })
}

/// Reads `[letter]`.
pub(super) fn letter(mut table: Table<'_>) -> Letter {
    let rounds = table.number("rounds", 1, 20).unwrap_or(3);
    let ours = table.word("misdiagnosis", &[("ours", true), ("charged", false)]);
    table.flag("fee_before_work");
    table.finish(("the letter before work", "联络函"));
    Letter { rounds, misdiagnosis_ours: ours.unwrap_or(true) }
}

/// Reads one `[[report]]`.
pub(super) fn report(mut table: Table<'_>) {
    table.required("name", "\"maintenance summary\"");
    table.required_word(
        "every",
        &[("week", ()), ("month", ()), ("quarter", ()), ("year", ()), ("visit", ()), ("request", ())],
    );
    table.plain("day", "\"friday\"");
    table.plain_texts("contents", "[\"repairs\"]");
    table.plain("to", "\"customer\"");
    table.finish(("a report", "报告"));
}

/// Reads one `[[goal]]`: a share that a period must reach.
pub(super) fn goal(mut table: Table<'_>) {
    let name = table.required("name", "\"solved_by_phone\"");
    if let Some(name) = &name {
        table.rename(format!("goal.{}", name.value));
    }
    table.read("at_least", "\"80%\"", percent);
    table.required_word("period", &[("month", ()), ("quarter", ()), ("year", ()), ("contract", ())]);
    table.finish(("a goal", "指标"));
}

/// Reads `[work]`; whether work goes on until restored.
pub(super) fn work(mut table: Table<'_>) -> bool {
    let continuous = table.flag("continuous_until_restored").unwrap_or(false);
    table.plain("handover_needs", "\"named_successor\"");
    table.plain("visit_most", "\"8h\"");
    table.flag("same_day");
    table.plain("plan_within", "\"4h\"");
    table.flag("phone_first");
    table.plain("remote_report", "\"test_report\"");
    table.flag("coordinates_other_vendors");
    table.plain("coordination_cost", "\"ours\"");
    table.flag("onsite_when_only_suspected");
    table.plain_texts("classes_of_support", "[\"general\", \"major\"]");
    table.plain_texts("brings", "[\"parts\", \"tools\"]");
    table.plain("kpi_reviewed", "\"monthly\"");
    table.finish(("how work is done", "作业规定"));
    continuous
}

/// Reads `[spares]`.
pub(super) fn spares(mut table: Table<'_>) {
    table.read("hold_for", "\"2y\"", Length::parse);
    table.plain("list_before", "\"warranty_start\"");
    table.plain("depot", "\"at the customer's\"");
    table.flag("replacement_rate");
    table.plain_texts("supplied_by", "[\"sale\", \"rental\"]");
    table.finish(("the spares", "备件"));
}

/// Reads `[duty]`: hours of duty that a contract promises; the rota itself is kept elsewhere.
pub(super) fn duty(mut table: Table<'_>, calendars: &[String], paper: &Paper<'_>) {
    if let Some(found) = table.text("calendar", "\"duty\"")
        && !calendars.contains(&found.value)
    {
        paper.refuse(
            "calendar.unknown",
            &found.place,
            words(format!("there is no calendar {:?}", found.value), format!("没有日历 {:?}", found.value)),
            words("Write [calendar.NAME] for it", "请写 [calendar.名称]"),
        );
    }
    table.plain("when", "\"outside office hours and on holidays\"");
    table.read("rotates", "\"1mo\"", Length::parse);
    table.plain("handover", "\"值班记录表\"");
    table.flag("tools_carried");
    table.money("allowance_month");
    table.money("deduction_complaint");
    table.money("deduction_unreachable");
    table.finish(("the duty", "值班"));
}

/// Reads `[major_request]`.
pub(super) fn major_request(mut table: Table<'_>) -> Option<Consent> {
    let mut from = table.plain_texts("approvals", "[\"technical_dept\", \"business_dept\"]");
    let customer = table.plain("customer_consent", "\"leader\"");
    table.plain_texts("forms", "[\"重大请求审批表\"]");
    table.plain_texts("causes", "[\"misuse\"]");
    table.finish(("major requests", "重大请求"));
    from.extend(customer.map(|who| format!("customer:{who}")));
    (!from.is_empty()).then(|| Consent { operation: "major_request".into(), from })
}

/// Reads `[life]`: what must be there before service begins, and when somebody is reminded.
pub(super) fn life(mut table: Table<'_>) -> Terms {
    let mut needs = table.plain_texts("accepted_needs", "[\"customer_file\", \"completion_form\"]");
    // The customer's file is looked at in any case.
    needs.retain(|need| need != "customer_file");
    let reminder = table.read("renewal_reminder", "\"2mo\"", Length::parse).map(|found| found.value);
    table.plain("trial_run", "\"before_acceptance\"");
    table.plain("payment_due", "\"30d\"");
    table.plain("afterwards", "\"renegotiated\"");
    table.finish(("the life of the contract", "合同周期"));
    Terms { needs, reminder }
}
