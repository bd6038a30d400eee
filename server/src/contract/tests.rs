//! Contracts as people bring them: every template can be used, every trap of a printed paper is caught, and every
//! promise has a template and a key that express it.

use super::document::{Read, read};
use super::remark::{Verdict, Weight};
use super::template;

const HEAD: &str = "[contract]\nid = \"t\"\nname = \"T\"\nkind = \"annual\"\nzone = \"Asia/Shanghai\"\ntotal = \"1000.00\"\n";

fn codes(body: &str) -> Vec<String> {
    let read = read(&format!("{HEAD}{body}"));
    let open = read.remarks.iter().filter(|remark| remark.weight != Weight::Decided);
    open.map(|remark| format!("{} {}", remark.code, remark.key)).collect()
}

#[track_caller]
fn trap(body: &str, verdict: Verdict, wanted: &[&str]) -> Read {
    assert_eq!(codes(body), wanted, "{body}");
    let read = read(&format!("{HEAD}{body}"));
    assert_eq!(read.verdict(), verdict);
    assert!(read.contract.is_none());
    for remark in &read.remarks {
        assert!(
            !remark.remedy.en.is_empty() && !remark.remedy.zh.is_empty() && !remark.problem.zh.is_empty()
        );
        assert!(remark.line >= 1 && remark.column >= 1);
    }
    read
}

#[test]
fn every_template_can_be_used() {
    for template in &template::ALL {
        let read = read(template.text);
        let wrong: Vec<_> = read.remarks.iter().filter(|remark| remark.weight != Weight::Decided).collect();
        assert!(wrong.is_empty(), "{}: {wrong:#?}", template.name);
        let contract = read.contract.unwrap();
        assert_eq!(contract.id, template.name);
        contract.calendars(None).unwrap();
    }
}

#[test]
fn a_day_that_should_be_an_hour_is_asked_about() {
    let clock = |target: &str| {
        format!(
            "[[clock]]\nname = \"handle\"\nstart = \"notified\"\nstop = \"restored\"\ntarget = \"{target}\"\n"
        )
    };
    trap(&clock("24d"), Verdict::Open, &["target.long clock.handle.target"]);
    let read = trap(&clock("24天"), Verdict::Refused, &["target.form clock.handle.target"]);
    assert!(read.remarks[0].problem.zh.contains("小时"));
    assert_eq!((read.remarks[0].line, read.remarks[0].column), (11, 10));
    trap(&clock("立即"), Verdict::Open, &["target.at_once clock.handle.target"]);
    trap(&clock("0m"), Verdict::Refused, &["target.zero clock.handle.target"]);
    trap(&clock("ASK"), Verdict::Open, &["ask clock.handle.target"]);
    // Somebody says that it is meant; and a decision whose question is gone is refused.
    let decided =
        "[[decided]]\nkey = \"clock.handle.target\"\ncode = \"target.long\"\nby = \"li\"\nwhy = \"asked\"\n";
    let sure = read_all(&format!("{}{decided}", clock("24d")));
    assert_eq!(sure.verdict(), Verdict::Usable);
    trap(&format!("{}{decided}", clock("24h")), Verdict::Refused, &["decided.stale decided[1]"]);
    // What was left open cannot be decided without writing it.
    let open = format!("{}{}", clock("ASK"), decided.replace("target.long", "ask"));
    assert!(read_all(&open).contract.is_none());
}

fn read_all(body: &str) -> Read {
    read(&format!("{HEAD}{body}"))
}

fn tiers(by: &str, rows: &[(&str, &str)]) -> String {
    let applies = if by == "count" { "tier_applies = \"all\"\n" } else { "" };
    let mut text = format!(
        "[prices]\ntax = \"excluded\"\n[[price]]\nitem = \"x\"\nunit = \"piece_year\"\ntier_by = \"{by}\"\n{applies}"
    );
    for (band, fen) in rows {
        text += &["[[price.tier]]\nband = \"", band, "\"\namount = \"", fen, "\"\n"].concat();
    }
    text
}

#[test]
fn tiers_with_gaps_overlaps_or_a_lost_digit_are_refused() {
    let at = "price.x.tier";
    let one = |code: &str, index: usize, key: &str| format!("{code} {at}[{index}].{key}");
    let check = |by: &str, rows: &[(&str, &str)], wanted: &[String]| {
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        trap(&tiers(by, rows), Verdict::Refused, &wanted);
    };
    check(
        "count",
        &[("1-5", "400.00"), ("5-10", "360.00"), (">10", "320.00")],
        &[one("tier.overlap", 2, "band")],
    );
    check(
        "size",
        &[("<=800", "450.00"), ("800-1500", "600.00"), (">=1500", "800.00")],
        &[one("tier.overlap", 2, "band"), one("tier.overlap", 3, "band")],
    );
    check(
        "size",
        &[("0-50", "600.00"), ("51-100", "100.00"), (">150", "1500.00")],
        &[
            one("tier.slope", 2, "amount"),
            one("tier.leap", 2, "amount"),
            one("tier.gap", 3, "band"),
            one("tier.leap", 3, "amount"),
        ],
    );
    let unsaid =
        tiers("count", &[("1..6", "400.00"), ("6..", "360.00")]).replace("tier_applies = \"all\"\n", "");
    trap(&unsaid, Verdict::Open, &["tier.applies price.x"]);
}

#[test]
fn exactly_two_hundred_yuan_is_asked_about() {
    trap("[parts]\nfree_within = \"200.00\"\n", Verdict::Open, &["parts.boundary parts.free_within"]);
    trap(
        "[parts]\nfree_up_to = \"200.00\"\ncharged_from = \"200.00\"\n",
        Verdict::Refused,
        &["parts.edge parts.charged_from"],
    );
    trap(
        "[parts]\nfree_below = 200\ncharged_from = 201\n",
        Verdict::Refused,
        &["parts.edge parts.charged_from"],
    );
    assert_eq!(read_all("[parts]\nfree_below = 200\n").verdict(), Verdict::Usable);
    trap("[parts]\nfree_below = 200.5\n", Verdict::Refused, &["money parts.free_below"]);
}

#[test]
fn a_complaint_is_answered_within_a_time_that_can_be_counted() {
    trap("[complaint]\n", Verdict::Open, &["complaint.answer complaint"]);
    trap("[complaint]\nanswer = \"ASK\"\n", Verdict::Open, &["ask complaint.answer"]);
    trap("[complaint]\nanswer = \"soon\"\n", Verdict::Refused, &["form complaint.answer"]);
    trap("[complaint]\nanswer = \"at:agreed\"\n", Verdict::Refused, &["form complaint.answer"]);
    let elsewhere = "[complaint]\nanswer = \"8h\"\ncalendar = \"desk\"\n";
    trap(elsewhere, Verdict::Refused, &["calendar.unknown complaint.calendar"]);
}

#[test]
fn a_worse_word_never_scores_more() {
    let scale = "[csat]\n[[csat.scale]]\nword = \"很满意\"\nscore = 5\n[[csat.scale]]\nword = \"不满意\"\nscore = 5\n";
    trap(scale, Verdict::Refused, &["csat.order csat.scale[2].score"]);
}

#[test]
fn printed_hours_are_looked_at() {
    trap(
        "[calendar.desk]\ndaily = [\"08:00-12:00\"]\n",
        Verdict::Open,
        &["calendar.noon calendar.desk.daily"],
    );
    trap(
        "[calendar.desk]\ndaily = [\"08:00-23:59\"]\n",
        Verdict::Open,
        &["calendar.minute_lost calendar.desk.daily"],
    );
    let late = trap(
        "[calendar.desk]\ndaily = [\"早8:00-晚12:00\"]\n",
        Verdict::Refused,
        &["calendar.empty calendar.desk", "calendar.span calendar.desk.daily"],
    );
    assert!(late.remarks[1].remedy.en.contains("24:00") || late.remarks[0].remedy.en.contains("24:00"));
    trap("[calendar.none]\nholidays = \"CN\"\n", Verdict::Refused, &["calendar.empty calendar.none"]);
    assert_eq!(read_all("[calendar.desk]\ndaily = [\"08:00-24:00\"]\n").verdict(), Verdict::Usable);
}

#[test]
fn penalties_without_an_end_windows_with_gaps_and_typos() {
    let penalties = "[[clock]]\nname = \"r\"\nstart = \"reported\"\nstop = \"restored\"\ntarget = \"4h\"\n\
        [penalties]\napproval = \"manager\"\n[[penalties.rule]]\nclock = \"r\"\nrate = \"1%\"\nof = \"contract_total\"\nper = \"case\"\n";
    trap(penalties, Verdict::Open, &["penalty.cap penalties"]);
    let windows =
        "[[window]]\nright = \"return\"\ndays = \"0-7\"\n[[window]]\nright = \"exchange\"\ndays = \"9-30\"\n";
    trap(windows, Verdict::Refused, &["window.edge window.exchange"]);
    trap("[warrenty]\nlength = \"1y\"\n", Verdict::Refused, &["unknown_key warrenty"]);
    let typo = read_all("[loanr]\noffered = true\n");
    assert_eq!(typo.remarks[0].remedy.en, "Did you mean `loaner`?");
    trap(
        "[[clock]]\nname = \"r\"\nstart = \"reportet\"\nstop = \"restored\"\ntarget = \"4h\"\n",
        Verdict::Refused,
        &["event clock.r.start"],
    );
    trap("[[price]]\nitem = \"a\"\nunit = \"case\"\namount = 5\n", Verdict::Open, &["prices.tax price.a"]);
    trap("x = ", Verdict::Refused, &["toml "]);
}

#[test]
fn targets_are_complete() {
    let zones = "[[zone]]\nname = \"urban\"\n[[zone]]\nname = \"suburb\"\n";
    let clock = |target: &str| {
        format!(
            "{zones}[[clock]]\nname = \"a\"\nstart = \"reported\"\nstop = \"arrived\"\ntarget = {target}\n"
        )
    };
    trap(&clock("{ urban = \"4h\" }"), Verdict::Refused, &["target.incomplete clock.a.target"]);
    trap(&clock("{ urban = \"4h\", far = \"8h\" }"), Verdict::Refused, &["target.case clock.a.target.far"]);
    trap(
        &clock("{ in_hours = \"4h\", out_of_hours = \"6h\" }"),
        Verdict::Refused,
        &["target.hours clock.a.target"],
    );
    assert_eq!(read_all(&clock("{ urban = \"4h\", other = \"8h\" }")).verdict(), Verdict::Usable);
}

/// Whatever stands in a file, reading it ends with remarks and never with a panic.
#[test]
fn torn_templates_are_read_to_the_end() {
    for template in &template::ALL {
        for cut in (0..template.text.len()).step_by(37).filter(|cut| template.text.is_char_boundary(*cut)) {
            let _ = read(&template.text[..cut]);
            let swapped = template.text.replacen('=', "= [", 1 + cut % 5);
            let _ = read(&swapped);
        }
    }
}

/// The promises, each as `number | template | key | value`, the key found by the names of the tables.
const PROMISES: &str = include_str!("promises.txt");

fn find<'t>(value: &'t toml::Value, path: &str) -> Option<&'t toml::Value> {
    let mut here = value;
    for segment in path.split('.') {
        here = match here {
            toml::Value::Array(rows) => {
                let (name, nth) = segment.split_once('#').unwrap_or((segment, "1"));
                let (name, zone) = name.split_once('@').unwrap_or((name, ""));
                let named = |row: &toml::Value| {
                    let keys = [
                        "name",
                        "item",
                        "service",
                        "event",
                        "cause",
                        "right",
                        "evidence",
                        "band",
                        "word",
                        "operation",
                        "clock",
                        "of",
                    ];
                    let hit = |key: &&str| match row.get(*key) {
                        Some(toml::Value::String(text)) => text.replace("..", ":") == name,
                        Some(toml::Value::Array(texts)) => {
                            texts.iter().any(|text| text.as_str() == Some(name))
                        }
                        _ => false,
                    };
                    let zone_of = row.get("zone").and_then(toml::Value::as_str).unwrap_or("");
                    keys.iter().any(hit) && zone_of == zone
                };
                rows.iter().filter(|row| named(row)).nth(nth.parse::<usize>().ok()? - 1)?
            }
            table => table.get(segment)?,
        };
    }
    Some(here)
}

#[test]
fn every_promise_has_a_template_and_a_key() {
    let mut missing: std::collections::BTreeSet<u32> = (27..=110).chain(205..=257).collect();
    for line in PROMISES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('|').map(str::trim).collect();
        let [number, name, key, value] = fields[..] else { panic!("{line}: four fields") };
        let template = template::find(name).unwrap_or_else(|| panic!("{line}: no such template"));
        let parsed: toml::Value = toml::from_str(template.text).unwrap();
        let found = find(&parsed, key).unwrap_or_else(|| panic!("{line}: no such key"));
        let said = match found {
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        assert_eq!(said, value, "{line}");
        missing.remove(&number.trim_start_matches('R').parse().unwrap());
    }
    assert_eq!(
        missing.into_iter().collect::<Vec<_>>(),
        Vec::<u32>::new(),
        "promises that no template expresses"
    );
}

#[test]
fn an_inspection_says_when_once_and_names_what_there_is() {
    let one = |body: &str| format!("[[inspect]]\nname = \"a\"\n{body}\n");
    let refused = |body: &str, code: &str| {
        let read = trap(body, Verdict::Refused, &[code]);
        assert_ne!(read.remarks[0].problem.en, read.remarks[0].problem.zh);
    };
    refused("[[inspect]]\nevery = \"3mo\"\n", "missing inspect[1].name");
    refused(&one(""), "inspect.when inspect.a");
    refused(&one("every = \"3mo\"\nmonth = 6"), "inspect.both inspect.a");
    refused(&one("months = \"3-\"\ncount_per_year = 4"), "inspect.both inspect.a");
    refused(&one("weeks = \"1-4\"\nevery = \"1mo\""), "inspect.unit inspect.a.every");
    refused(&one("every = \"life\""), "inspect.unit inspect.a.every");
    refused(&one("mode = \"resident\""), "inspect.stay inspect.a");
    refused(&one("mode = \"drone\"\nevery = \"1mo\""), "word inspect.a.mode");
    refused(&one("count_per_warranty = 4"), "inspect.term inspect.a");
    refused(&one("every = \"3mo\"\nfrom = \"yesterday\""), "inspect.from inspect.a.from");
    refused(&one("every = \"3mo\"\ncalendar = \"work\""), "calendar.unknown inspect.a.calendar");
    refused(&one("count_per_year = 4\nspacing = \"6mo\""), "inspect.spacing inspect.a.spacing");
    refused(&one("every = \"3mo\"\nsatisfied_by = \"b\""), "inspect.satisfied_by inspect.a.satisfied_by");
    refused(&(one("every = \"3mo\"") + &one("every = \"1mo\"")), "inspect.twice inspect[2]");
    let circle = one("every = \"3mo\"\nsatisfied_by = \"b\"")
        + "[[inspect]]\nname = \"b\"\nevery = \"3mo\"\nsatisfied_by = \"a\"\n";
    trap(
        &circle,
        Verdict::Refused,
        &["inspect.circle inspect.a.satisfied_by", "inspect.circle inspect.b.satisfied_by"],
    );
    let phases = one("weeks = \"1-8\"\nevery = \"1w\"")
        + "[[inspect]]\nname = \"b\"\nmonths = \"3-\"\nevery = \"1mo\"\n";
    trap(&phases, Verdict::Open, &["inspect.seam inspect.b.months"]);
    assert_eq!(
        read_all(&one("every = \"3mo\"\nfrom = \"begins\"\nmode = \"phone\"")).verdict(),
        Verdict::Usable
    );
}
