//! How clocks and what a breach may cost are printed: as JSON, and in lines for people in either language.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Lang;
use crate::contract::ClockRule;
use crate::contract::penalty::Estimate;
use crate::sla::{Clock, Why};

/// RFC 3339 with the offset of the site's zone.
pub(super) fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.display_with_offset(zone.to_offset(at)).to_string()
}

pub(super) fn clock_json(clock: &Clock, zone: &TimeZone) -> Value {
    let time = |at: Option<Timestamp>| at.map(|at| local(at, zone));
    let ledger: Vec<Value> = clock
        .ledger
        .iter()
        .map(|entry| {
            let (why, reason) = entry.why.words();
            json!({
                "from": local(entry.from, zone),
                "to": local(entry.to, zone),
                "seconds": entry.to.as_second() - entry.from.as_second(),
                "counted_seconds": entry.counted_s,
                "why": why,
                "reason": reason,
            })
        })
        .collect();
    let segments: Vec<Value> = clock
        .segments
        .iter()
        .map(|segment| {
            json!({
                "from": local(segment.from, zone),
                "priority": segment.priority,
                "zone": segment.zone,
                "version": segment.version,
                "budget_seconds": segment.budget_s,
            })
        })
        .collect();
    let crossed: Vec<Value> =
        clock.crossed.iter().map(|(share, at)| json!({ "percent": share, "at": local(*at, zone) })).collect();
    json!({
        "clock": clock.name,
        "run": clock.run,
        "repeat_fault": clock.repeat,
        "counts": clock.counts,
        "state": clock.state.as_str(),
        "started_at": time(clock.started_at),
        "stopped_at": time(clock.stopped_at),
        "due_at": time(clock.due_at),
        "provisional": clock.provisional,
        "breached": clock.is_breached(),
        "breached_at": time(clock.breached_at),
        "budget_seconds": clock.budget_s,
        "used_seconds": clock.used_s,
        "remaining_seconds": clock.remaining_s(),
        "paused_seconds": clock.paused_s,
        "thresholds": crossed,
        "claimed": clock.claimed,
        "segments": segments,
        "ledger": ledger,
    })
}

pub(super) fn penalty_json(estimate: &Estimate, lang: Lang) -> Value {
    json!({
        "amount_fen": estimate.fen.0,
        "capped": estimate.capped,
        "how": lang.pick(&estimate.how),
        "evidence": lang.pick(&estimate.evidence),
        "needs_approval_by": estimate.approval,
    })
}

pub(super) fn listing(clock: &Clock, zone: &TimeZone, rule: Option<&ClockRule>, lang: Lang) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    let span = |seconds: i64| format!("{:#}", SignedDuration::from_secs(seconds));
    let due = clock.due_at.map_or_else(
        || lang.say("not due", "无期限").to_owned(),
        |at| format!("{} {}", lang.say("due", "期限"), local(at, zone)),
    );
    let open = if clock.provisional {
        lang.say(", provisional: the holidays there are not announced yet", "，暂定：当时的节假日尚未公布")
    } else {
        ""
    };
    let run = lang.say("run", "第");
    let _ = writeln!(out, "{} ({run} {}): {}, {due}{open}", clock.name, clock.run, clock.state.as_str());
    let (used, left) = (span(clock.used_s), span(clock.remaining_s()));
    let (budget, paused) = (span(clock.budget_s), span(clock.paused_s));
    let _ = match lang {
        Lang::En => writeln!(out, "  used {used} of {budget}, {left} left, paused {paused}"),
        Lang::Zh => writeln!(out, "  已用 {used}，共 {budget}，剩余 {left}，暂停 {paused}"),
    };
    for entry in &clock.ledger {
        let (_, reason) = entry.why.words();
        let (from, to) = (local(entry.from, zone), local(entry.to, zone));
        let why = why(&entry.why, lang);
        let why = reason.map_or_else(|| why.to_owned(), |reason| format!("{why} {reason}"));
        let _ = writeln!(out, "  {from} – {to}  {why:<24} {}", span(entry.counted_s));
    }
    let refused = clock.ledger.iter().any(|entry| matches!(entry.why, Why::PauseRefused(_)));
    if let Some(rule) = rule.filter(|_| refused) {
        let allowed = rule.pauses.iter().map(|pause| format!("{} ({})", pause.reason, pause.approver));
        let allowed = allowed.collect::<Vec<_>>().join(", ");
        let allowed = if allowed.is_empty() { lang.say("none", "无").to_owned() } else { allowed };
        let _ = writeln!(
            out,
            "  {} {allowed}",
            lang.say(
                "pauses that the contract allows, and who must approve them:",
                "合同允许的暂停及其批准人："
            )
        );
    }
    out
}

/// Why an interval counts or does not; in English the word of the JSON.
fn why(why: &Why, lang: Lang) -> &'static str {
    match (lang, why) {
        (Lang::En, why) => why.words().0,
        (Lang::Zh, Why::Working) => "计时",
        (Lang::Zh, Why::Closed) => "非工作时间",
        (Lang::Zh, Why::Paused(_)) => "暂停",
        (Lang::Zh, Why::PauseRefused(_)) => "暂停无效，照计",
        (Lang::Zh, Why::PauseUsedUp(_)) => "暂停已到上限，照计",
        (Lang::Zh, Why::Stopped) => "已停止",
        (Lang::Zh, Why::Summed) => "合计",
    }
}
