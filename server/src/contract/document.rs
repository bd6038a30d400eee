//! Reads a whole contract, and everything there is to say about it.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::clock::{self, Names};
use super::reader::{Paper, Place, Table};
use super::remark::{Remark, Verdict, Weight, Words, words};
use super::{
    Chooser, Contract, Level, PartTerms, Penalties, Scope, calendars, clauses, inspect, price, rights,
};

/// The largest contract, bytes.
pub const TEXT_MAX: usize = 512 * 1024;

/// What a text is worth as a contract.
#[derive(Clone, Debug)]
pub struct Read {
    /// The contract, where nothing is refused and nothing is open.
    pub contract: Option<Contract>,
    /// Every remark, in the order of the text.
    pub remarks: Vec<Remark>,
}

impl Read {
    /// What the remarks come to.
    pub fn verdict(&self) -> Verdict {
        Verdict::of(&self.remarks)
    }
}

/// A decision that stands in the contract.
struct Decision {
    key: String,
    code: Option<String>,
    by: String,
    why: String,
    place: Place,
}

/// Reads a contract.
pub fn read(text: &str) -> Read {
    let paper = Paper::new(text);
    let mut decisions = Vec::new();
    let contract = if text.len() > TEXT_MAX {
        let place = Place { key: String::new(), at: 0..0 };
        let most = TEXT_MAX / 1024;
        paper.refuse(
            "size",
            &place,
            words(format!("the file is larger than {most} KiB"), format!("文件超过 {most} KiB")),
            words("Split it into one contract for each promise", "请按承诺拆成几份合同"),
        );
        None
    } else {
        paper.parse().and_then(|table| whole(table, &mut decisions))
    };
    let remarks = settle(&paper, decisions);
    let usable = Verdict::of(&remarks) == Verdict::Usable;
    Read { contract: contract.filter(|_| usable), remarks }
}

fn whole(mut table: Table<'_>, decisions: &mut Vec<Decision>) -> Option<Contract> {
    let paper = table.paper();
    let head = table.table("contract");
    if head.is_none() {
        paper.refuse(
            "missing",
            &table.here(),
            words("[contract] is missing", "缺少 [contract]"),
            words("Begin with [contract], id and name", "请以 [contract] 开头，写上 id 与 name"),
        );
    }
    let head = head.and_then(self::head);
    let zone = head.as_ref().map_or(TimeZone::UTC, |head| head.zone.clone());
    let parties = table.table("parties").map(Table::own_texts).unwrap_or_default();
    let scope = table.table("scope").map(scope).unwrap_or_default();
    let priorities = levels(table.tables("priority"), "priority");
    let zones = levels(table.tables("zone"), "zone");
    check_chooser(paper, head.as_ref(), &priorities);
    let calendars = calendars::read(table.table("calendar"), &zone);
    let calendar_names: Vec<String> = calendars.keys().cloned().collect();
    let own_events = table.table("events").map(own_events).unwrap_or_default();
    let names =
        Names { priorities: &priorities, zones: &zones, calendars: &calendar_names, own_events: &own_events };
    let mut clocks = Vec::new();
    for row in table.tables("clock") {
        let here = row.here();
        if let Some(rule) = clock::read(row, &names) {
            if clocks.iter().any(|before: &super::ClockRule| before.name == rule.name) {
                twice(paper, &here, &rule.name);
            }
            clocks.push(rule);
        }
    }
    let coverage = with_places(table.tables("coverage"), rights::stage);
    rights::check_stages(paper, &coverage);
    let warranty = table.table("warranty").and_then(|table| rights::warranty(table, &names));
    let windows: Vec<_> = table.tables("window").into_iter().filter_map(rights::window).collect();
    rights::check_windows(paper, &windows);
    let parts = table.table("parts").map_or_else(PartTerms::default, rights::parts);
    let prices: Vec<_> =
        table.tables("price").into_iter().filter_map(|row| price::read(row, &names)).collect();
    price::check_rows(paper, &prices);
    let has_terms = table.has("prices");
    let price_terms = table.table("prices").map(price::terms);
    if !prices.is_empty() && !has_terms {
        paper.ask(
            "prices.tax",
            &prices[0].1,
            words("do the prices include tax?", "价格是否含税？"),
            words(
                "Add [prices] with tax = \"excluded\" or \"included\"",
                "请加 [prices]，tax = \"excluded\" 或 \"included\"",
            ),
        );
    }
    let penalties = table.table("penalties").map(|table| clauses::penalties(table, &clocks, &names));
    let total = head.as_ref().and_then(|head| head.total);
    check_total(paper, penalties.as_ref(), total, &table.here());
    let loaner = table.table("loaner").and_then(|table| clauses::loaner(table, &clocks, &names));
    let owed = loaner.as_ref().and_then(|loaner| clauses::loaner_clock(loaner, &clocks));
    clocks.extend(owed);
    let csat = table.table("csat").map(clauses::csat).unwrap_or_default();
    let complaint = table.table("complaint").and_then(|table| clauses::complaint(table, &names));
    let mut consents: Vec<_> = table.tables("consent").into_iter().filter_map(clauses::consent).collect();
    consents.extend(table.table("major_request").and_then(clauses::major_request));
    let letter = table.table("letter").map(clauses::letter);
    let continuous = table.table("work").is_some_and(clauses::work);
    let inspections = inspect::read(paper, table.tables("inspect"), &calendar_names, warranty.as_ref());
    table.tables("report").into_iter().for_each(clauses::report);
    table.tables("goal").into_iter().for_each(clauses::goal);
    if let Some(spares) = table.table("spares") {
        clauses::spares(spares);
    }
    if let Some(duty) = table.table("duty") {
        clauses::duty(duty, &calendar_names, paper);
    }
    let terms = table.table("life").map(clauses::life).unwrap_or_default();
    for free in ["routing", "forms", "notes"] {
        let _ = table.table(free).map(Table::own_texts);
    }
    for row in table.tables("decided") {
        decisions.extend(decision(row));
    }
    table.finish(("a contract", "合同"));
    let head = head?;
    Some(Contract {
        id: head.id,
        name: head.name,
        kind: head.kind.to_owned(),
        zone,
        total,
        begins: head.begins,
        ends: head.ends,
        parties,
        scope,
        chooser: head.chooser,
        priorities,
        zones,
        calendars,
        clocks,
        coverage: coverage.into_iter().map(|stage| stage.0).collect(),
        warranty,
        windows: windows.into_iter().map(|window| window.0).collect(),
        parts,
        prices: prices.into_iter().map(|price| price.0).collect(),
        price_terms: price_terms.unwrap_or_default(),
        penalties: penalties.unwrap_or_default(),
        loaner,
        csat,
        complaint,
        consents,
        letter,
        inspections,
        continuous,
        terms,
    })
}

struct Head {
    id: String,
    name: String,
    kind: &'static str,
    zone: TimeZone,
    total: Option<super::measure::Fen>,
    begins: Option<Date>,
    ends: Option<Date>,
    chooser: Chooser,
    chooser_place: Place,
}

fn head(mut table: Table<'_>) -> Option<Head> {
    let id = table.required("id", "\"HT-2026-001\"");
    let name = table.required("name", "\"Park CCTV 园区监控\"");
    let kind = table.required_word(
        "kind",
        &[
            ("warranty", "warranty"),
            ("annual", "annual"),
            ("per_visit", "per_visit"),
            ("retail", "retail"),
            ("construction", "construction"),
            ("supplier", "supplier"),
        ],
    );
    let zone = table.read("zone", "\"Asia/Shanghai\"", |text| TimeZone::get(text).ok());
    if zone.is_none() && !table.has("zone") {
        table.required("zone", "\"Asia/Shanghai\"");
    }
    let total = table.money("total").map(|found| found.value);
    let date = |text: &str| text.parse::<Date>().ok();
    let begins = table.read("begins", "\"2026-01-01\"", date).map(|found| found.value);
    let ends = table.read("ends", "\"2026-12-31\"", date);
    if let (Some(begins), Some(ends)) = (begins, &ends)
        && ends.value < begins
    {
        table.paper().refuse(
            "contract.dates",
            &ends.place,
            words("the contract ends before it begins", "合同先结束后开始"),
            words("Correct one of the two dates", "请改正其中一个日期"),
        );
    }
    let chooser_place = Place { key: table.path("priority_chooser"), at: table.here().at };
    let chooser = table
        .word(
            "priority_chooser",
            &[
                ("customer", Chooser::Customer),
                ("desk", Chooser::Desk),
                ("company", Chooser::Company),
                ("rule", Chooser::Rule),
                ("monitoring", Chooser::Monitoring),
                ("none", Chooser::None),
            ],
        )
        .unwrap_or(Chooser::None);
    table.finish(("the head of a contract", "合同首部"));
    Some(Head {
        id: id?.value,
        name: name?.value,
        kind: kind?,
        zone: zone?.value,
        total,
        begins,
        ends: ends.map(|found| found.value),
        chooser,
        chooser_place,
    })
}

fn check_chooser(paper: &Paper<'_>, head: Option<&Head>, priorities: &[Level]) {
    let Some(head) = head else { return };
    if priorities.is_empty() != (head.chooser == Chooser::None) {
        paper.refuse(
            "priority.chooser",
            &head.chooser_place,
            words("priorities and who chooses them belong together", "优先级与由谁选定必须一起写"),
            words(
                "Write priority_chooser and [[priority]] tables, or neither of them",
                "请同时写 priority_chooser 与 [[priority]]，或都不写",
            ),
        );
    }
}

fn check_total(
    paper: &Paper<'_>,
    penalties: Option<&Penalties>,
    total: Option<super::measure::Fen>,
    here: &Place,
) {
    if penalties.is_some_and(|penalties| !penalties.rules.is_empty()) && total.is_none() {
        let place = Place { key: "contract.total".into(), at: here.at.start..here.at.start };
        paper.ask(
            "penalty.total",
            &place,
            words("the penalties are a share of a total that is not given", "罚金按总价计算，但没有写总价"),
            words("Add total = \"300000.00\" under [contract]", "请在 [contract] 下加 total = \"300000.00\""),
        );
    }
}

fn twice(paper: &Paper<'_>, place: &Place, name: &str) {
    paper.refuse(
        "clock.twice",
        place,
        words(format!("there are two clocks `{name}`"), format!("有两个计时 `{name}`")),
        words("Give one of them another name", "请给其中一个换个名字"),
    );
}

fn levels(tables: Vec<Table<'_>>, kind: &str) -> Vec<Level> {
    let mut levels: Vec<Level> = Vec::new();
    for mut table in tables {
        let name = table.required("name", "\"urgent\"");
        if let Some(name) = &name {
            table.rename(format!("{kind}.{}", name.value));
            if levels.iter().any(|level| level.name == name.value) || name.value == "other" {
                table.paper().refuse(
                    "name",
                    &name.place,
                    words(
                        format!("{:?} cannot be a name here", name.value),
                        format!("{:?} 不能用作此处的名称", name.value),
                    ),
                    words(
                        "Use a name that is not taken, and not `other`",
                        "请用未被占用的名称，且不能是 `other`",
                    ),
                );
            }
        }
        let title = table.plain("title", "\"紧急\"");
        let when = table.plain_texts("when", "\"system unusable, work affected\"");
        table.finish(("a priority or a zone", "优先级或区域"));
        if let Some(name) = name {
            let title = title.unwrap_or_else(|| name.value.clone());
            levels.push(Level { name: name.value, title, when });
        }
    }
    levels
}

fn scope(mut table: Table<'_>) -> Scope {
    let scope = Scope {
        devices: table.plain_texts("devices", "[\"SN-1\"]"),
        classes: table.plain_texts("classes", "[\"camera\"]"),
        work_items: table.plain_texts("work_items", "[\"waterproofing\"]"),
        only_listed: table.flag("only_listed").unwrap_or(false),
    };
    for mut row in table.tables("list") {
        row.required("class", "\"camera\"");
        row.number("count", 1, 1_000_000);
        row.finish(("a row of the equipment list", "设备清单"));
    }
    table.finish(("the scope", "范围"));
    scope
}

fn own_events(mut table: Table<'_>) -> Vec<String> {
    let own = table.plain_texts("own", "[\"cut_over\"]");
    table.flag("watch_with_customer");
    table.finish(("the events", "事件"));
    own
}

fn with_places<'p, T>(tables: Vec<Table<'p>>, read: impl Fn(Table<'p>) -> Option<T>) -> Vec<(T, Place)> {
    let read = tables.into_iter().filter_map(|table| {
        let here = table.here();
        read(table).map(|value| (value, here))
    });
    read.collect()
}

fn decision(mut table: Table<'_>) -> Option<Decision> {
    let key = table.required("key", "\"clock.reply.target\"");
    let code = table.plain("code", "\"tier.leap\"");
    let by = table.required("by", "\"wang.fang\"");
    let why = table.required("why", "\"confirmed by telephone\"");
    table.read("on", "\"2026-03-02\"", |text| text.parse::<Date>().ok());
    let place = table.here();
    table.finish(("a decision", "决定"));
    Some(Decision { key: key?.value, code, by: by?.value, why: why?.value, place })
}

/// Lets decisions answer the questions they name. A decision with a code must find its question, so that none
/// outlives what it was about; one without tells what an open value was decided to be.
fn settle(paper: &Paper<'_>, decisions: Vec<Decision>) -> Vec<Remark> {
    let mut remarks = paper.take();
    for decision in decisions {
        let said = Words {
            en: format!("decided by {}: {}", decision.by, decision.why),
            zh: format!("由 {} 决定：{}", decision.by, decision.why),
        };
        let mut found = false;
        for remark in &mut remarks {
            let named = decision.code.as_deref().is_some_and(|code| code == remark.code);
            if remark.key == decision.key
                && named
                && remark.weight == Weight::Question
                && remark.code != "ask"
            {
                remark.weight = Weight::Decided;
                remark.remedy = said.clone();
                found = true;
            }
        }
        match &decision.code {
            Some(code) if !found => paper.refuse(
                "decided.stale",
                &decision.place,
                words(
                    format!("no question `{code}` stands at `{}` any more", decision.key),
                    format!("`{}` 处已没有问题 `{code}`", decision.key),
                ),
                words("Remove the decision, or correct its key and code", "请删去此决定，或改正 key 与 code"),
            ),
            Some(_) => {}
            None => {
                let place = Place { key: decision.key, ..decision.place };
                let problem = words("was left open by the source", "原文没有约定");
                paper.say(Weight::Decided, "decided", &place, problem, said);
            }
        }
    }
    remarks.extend(paper.take());
    remarks.sort_by_key(|remark| (remark.line, remark.column));
    remarks
}
