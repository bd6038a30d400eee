//! `[[inspect]]`: what is inspected before anything breaks, how often, and from which day on.
//!
//! A rule owes exactly one inspection in each of its periods. Weeks and months are counted from its anchor, the first
//! week and the first month being number 1. Phases that leave days between them are asked about.

use super::Warranty;
use super::measure::Length;
use super::reader::{Found, Paper, Place, Table};
use super::remark::words;
use super::rights::ANCHORS;

/// A rule of inspections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectRule {
    /// Its name, by which its inspections are known.
    pub name: String,
    /// The event its weeks and months are counted from; `None` is the contract's first day.
    pub from: Option<String>,
    /// How often.
    pub when: When,
    /// Where it takes place.
    pub way: Way,
    /// What kinds of work it is.
    pub kinds: Vec<String>,
    /// What is looked at.
    pub checklist: Vec<String>,
    /// The report that it ends with.
    pub report: Option<String>,
    /// The rule whose visits do this one's work too; without one, any visit within its period may.
    pub satisfied_by: Option<String>,
    /// Whether it always has a visit of its own.
    pub own_visit: bool,
    /// How long before it a change must be told.
    pub notice: Option<Length>,
    /// The calendar on which days it may take place.
    pub calendar: Option<String>,
}

/// How often a rule inspects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Somebody stays for a whole phase.
    Stay(Phase),
    /// Once in every so many months, within a phase of months.
    Months {
        /// How many.
        every: i32,
        /// Within which.
        phase: Option<Phase>,
    },
    /// Once in every so many days, within a phase.
    Days {
        /// How many.
        every: i32,
        /// Within which.
        phase: Option<Phase>,
    },
    /// Once, in that month.
    Month(i32),
    /// So often in each span of so many months.
    Share {
        /// How often.
        count: i32,
        /// Months of the span.
        months: i32,
        /// Whether there is one span only.
        once: bool,
    },
}

/// A stretch of weeks or months from the anchor; the first is number 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// Whether it is counted in weeks; else in months.
    pub weeks: bool,
    /// Its first week or month.
    pub first: i32,
    /// Its last one; `None` goes on.
    pub last: Option<i32>,
}

/// Where an inspection takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// Somebody goes there.
    Visit,
    /// Somebody is there all the time.
    Resident,
    /// By telephone.
    Phone,
    /// On the platform, from afar.
    Remote,
}

impl Way {
    /// The word in the contract and on the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Visit => "visit",
            Self::Resident => "resident",
            Self::Phone => "phone",
            Self::Remote => "remote",
        }
    }
}

/// The contract's own first day, as an anchor.
const BEGINS: &str = "begins";
/// Rules of one contract.
const RULES_MAX: usize = 50;

/// A rule, and where it names another.
struct Read {
    rule: InspectRule,
    satisfied_by: Option<Place>,
}

/// Reads every `[[inspect]]`.
pub(super) fn read(
    paper: &Paper<'_>,
    tables: Vec<Table<'_>>,
    calendars: &[String],
    warranty: Option<&Warranty>,
) -> Vec<InspectRule> {
    let mut rules: Vec<Read> = Vec::new();
    let mut ends = None;
    for table in tables {
        let place = table.here();
        let Some(read) = one(table, calendars, warranty, &mut ends) else { continue };
        if rules.iter().any(|before| before.rule.name == read.rule.name) {
            let name = &read.rule.name;
            paper.refuse(
                "inspect.twice",
                &place,
                words(format!("there are two inspections `{name}`"), format!("有两个巡检 `{name}`")),
                words("Give one of them another name", "请给其中一个换个名字"),
            );
        }
        rules.push(read);
        if rules.len() == RULES_MAX + 1 {
            paper.refuse(
                "inspect.many",
                &place,
                words(format!("more than {RULES_MAX} inspections"), format!("巡检规则超过 {RULES_MAX} 条")),
                words("Join some of them", "请合并其中一些"),
            );
        }
    }
    check_hosts(paper, &rules);
    rules.into_iter().map(|read| read.rule).collect()
}

/// Every `satisfied_by` names another rule, and no two wait for each other.
fn check_hosts(paper: &Paper<'_>, rules: &[Read]) {
    let host = |name: &str| rules.iter().find(|read| read.rule.name == name);
    for read in rules {
        let (Some(first), Some(place)) = (&read.rule.satisfied_by, &read.satisfied_by) else { continue };
        if host(first).is_none() || *first == read.rule.name {
            paper.refuse(
                "inspect.satisfied_by",
                place,
                words(format!("there is no other inspection {first:?}"), format!("没有另一个巡检 {first:?}")),
                words("Name another [[inspect]] table", "请写另一个 [[inspect]] 的名称"),
            );
            continue;
        }
        let mut next = Some(first);
        for _ in 0..rules.len() {
            next = next.and_then(|name| host(name)).and_then(|read| read.rule.satisfied_by.as_ref());
        }
        if next.is_some() {
            paper.refuse(
                "inspect.circle",
                place,
                words("these inspections satisfy each other in a circle", "这些巡检互相抵充，成了循环"),
                words("Remove one `satisfied_by`", "请删去其中一个 satisfied_by"),
            );
        }
    }
}

/// The frequencies that a rule names; it needs exactly one.
struct Wanted {
    /// Whether any stands there, readable or not.
    named: bool,
    every: Option<Found<Length>>,
    month: Option<i64>,
    per_year: Option<i64>,
    per_warranty: Option<i64>,
    phase: Option<Phase>,
    resident: bool,
}

fn one(
    mut table: Table<'_>,
    calendars: &[String],
    warranty: Option<&Warranty>,
    ends: &mut Option<i64>,
) -> Option<Read> {
    let name = table.required("name", "\"monthly\"");
    if let Some(name) = &name {
        table.rename(format!("inspect.{}", name.value));
    }
    let from = table.text("from", "\"commissioned\"");
    let weeks = table.read("weeks", "\"1-4\"", range);
    let months = table.read("months", "\"3-\"", range);
    let named = ["every", "month", "count_per_year", "count_per_warranty"].iter().any(|key| table.has(key));
    let month = table.number("month", 1, 1_200);
    let every = table.read("every", "\"3mo\"", Length::parse);
    let per_year = table.number("count_per_year", 1, 365);
    let per_warranty = table.number("count_per_warranty", 1, 1_000);
    table.plain("irregular", "\"twice in the first year\"");
    let ways = [Way::Visit, Way::Resident, Way::Phone, Way::Remote].map(|way| (way.as_str(), way));
    let way = table.word("mode", &ways).unwrap_or(Way::Visit);
    table.plain("staff", "\"1-2\"");
    let mut kinds = table.plain_texts("kind", "\"annual\"");
    if kinds.is_empty() {
        kinds.push(if way == Way::Visit { "check" } else { way.as_str() }.to_owned());
    }
    let checklist = table.plain_texts("checklist", "[\"power\", \"host\"]");
    let report = table.plain("report", "\"annual_test_report\"");
    let spacing = table.read("spacing", "\"3mo\"", Length::parse);
    let notice = table.read("change_notice", "\"1mo\"", Length::parse);
    let satisfied_by = table.text("satisfied_by", "\"monthly\"");
    let own_visit = table.flag("own_visit").unwrap_or(false);
    let calendar = table.text("calendar", "\"work\"");
    table.flag("agree_with_customer");
    let (paper, here) = (table.paper(), table.here());
    table.finish(("an inspection", "巡检"));

    check_names(paper, from.as_ref(), calendar.as_ref(), calendars);
    check_spacing(paper, per_year, spacing.as_ref());
    if weeks.is_some() && months.is_some() {
        both(paper, &here, "weeks, months");
    }
    seam(paper, weeks.as_ref(), months.as_ref(), ends);
    let phase = match (&weeks, &months) {
        (Some(weeks), _) => Some(Phase { weeks: true, first: weeks.value.0, last: weeks.value.1 }),
        (None, Some(months)) => Some(Phase { weeks: false, first: months.value.0, last: months.value.1 }),
        (None, None) => None,
    };
    let resident = way == Way::Resident;
    let when = Wanted { named, every, month, per_year, per_warranty, phase, resident }
        .settle(paper, &here, warranty);
    let place = satisfied_by.as_ref().map(|found| found.place.clone());
    let rule = InspectRule {
        name: name?.value,
        from: from.map(|found| found.value).filter(|from| from != BEGINS),
        when: when?,
        way,
        kinds,
        checklist,
        report,
        satisfied_by: satisfied_by.map(|found| found.value),
        own_visit,
        notice: notice.map(|found| found.value),
        calendar: calendar.map(|found| found.value),
    };
    Some(Read { rule, satisfied_by: place })
}

/// `3-` or `5-8`.
fn range(text: &str) -> Option<(i32, Option<i32>)> {
    let (from, to) = text.split_once('-')?;
    let number = |text: &str| text.trim().parse::<i32>().ok().filter(|count| (1..=520).contains(count));
    let to = if to.trim().is_empty() { None } else { Some(number(to)?) };
    Some((number(from)?, to)).filter(|(from, to)| to.is_none_or(|to| to >= *from))
}

impl Wanted {
    /// The one frequency, where it makes sense.
    fn settle(self, paper: &Paper<'_>, here: &Place, warranty: Option<&Warranty>) -> Option<When> {
        let read = [
            self.every.is_some(),
            self.month.is_some(),
            self.per_year.is_some(),
            self.per_warranty.is_some(),
        ];
        match (read.iter().filter(|is| **is).count(), self.resident) {
            (0, _) if self.named => return None,
            (0, true) => return self.stay(paper, here),
            (1, false) => {}
            (0, false) => {
                paper.refuse(
                    "inspect.when",
                    here,
                    words("how often is inspected?", "多久巡检一次？"),
                    words(
                        "Write every = \"3mo\", count_per_year = 4, month = 6 or mode = \"resident\"",
                        "请写 every = \"3mo\"、count_per_year = 4、month = 6 或 mode = \"resident\"",
                    ),
                );
                return None;
            }
            (_, resident) => {
                both(paper, here, if resident { "mode = \"resident\"" } else { "every, month, count_per_…" });
                return None;
            }
        }
        let small = |count: i64| i32::try_from(count).unwrap_or(i32::MAX);
        if let Some(every) = self.every {
            return periods(paper, &every, self.phase);
        }
        if self.phase.is_some() {
            both(paper, here, "weeks/months, count_per_…/month");
        }
        if let Some(month) = self.month {
            return Some(When::Month(small(month)));
        }
        if let Some(count) = self.per_year {
            return Some(When::Share { count: small(count), months: 12, once: false });
        }
        let months = match warranty.map(|warranty| warranty.length) {
            Some(Length::Months(months)) => months,
            Some(Length::Days(_) | Length::Life) | None => {
                paper.refuse(
                    "inspect.term",
                    here,
                    words(
                        "so many in the warranty, and no [warranty] with a length in months or years",
                        "按质保期计次，但没有以月或年为单位的 [warranty] length",
                    ),
                    words(
                        "Write length = \"1y\" under [warranty], or count_per_year",
                        "请在 [warranty] 写 length = \"1y\"，或改用 count_per_year",
                    ),
                );
                return None;
            }
        };
        Some(When::Share { count: small(self.per_warranty?), months, once: true })
    }

    /// Somebody stays; until when must be known.
    fn stay(&self, paper: &Paper<'_>, here: &Place) -> Option<When> {
        if let Some(phase) = self.phase.filter(|phase| phase.last.is_some()) {
            return Some(When::Stay(phase));
        }
        paper.refuse(
            "inspect.stay",
            here,
            words("until when does somebody stay?", "驻场到什么时候为止？"),
            words("Write weeks = \"1-4\" or months = \"1-2\"", "请写 weeks = \"1-4\" 或 months = \"1-2\""),
        );
        None
    }
}

/// `every`, in a phase that is counted in the same unit; a phase of months may be walked through in days.
fn periods(paper: &Paper<'_>, every: &Found<Length>, phase: Option<Phase>) -> Option<When> {
    match every.value {
        Length::Days(days) => Some(When::Days { every: days, phase }),
        Length::Months(months) if phase.is_none_or(|phase| !phase.weeks) => {
            Some(When::Months { every: months, phase })
        }
        Length::Months(_) | Length::Life => {
            paper.refuse(
                "inspect.unit",
                &every.place,
                words("this period does not fit its phase", "周期与阶段的单位不符"),
                words(
                    "In weeks write every = \"1w\"; in months every = \"1mo\" or days",
                    "阶段按周计请写 every = \"1w\"；按月计请写 every = \"1mo\" 或天数",
                ),
            );
            None
        }
    }
}

fn both(paper: &Paper<'_>, here: &Place, what: &str) {
    paper.refuse(
        "inspect.both",
        here,
        words(format!("these exclude each other: {what}"), format!("以下不能同时写：{what}")),
        words("Keep one; write another [[inspect]] for the other", "请只留一个，另一个另写一个 [[inspect]]"),
    );
}

fn check_names(
    paper: &Paper<'_>,
    from: Option<&Found<String>>,
    calendar: Option<&Found<String>>,
    calendars: &[String],
) {
    if let Some(from) = from.filter(|from| from.value != BEGINS && !ANCHORS.contains(&from.value.as_str())) {
        let all = ANCHORS.join(", ");
        paper.refuse(
            "inspect.from",
            &from.place,
            words(
                format!("nothing begins with {:?}", from.value),
                format!("没有 {:?} 这个起算事件", from.value),
            ),
            words(
                format!("Use {BEGINS} (the contract's first day), or one of: {all}"),
                format!("请用 {BEGINS}（合同首日），或：{all}"),
            ),
        );
    }
    if let Some(found) = calendar.filter(|found| !calendars.contains(&found.value)) {
        paper.refuse(
            "calendar.unknown",
            &found.place,
            words(format!("there is no calendar {:?}", found.value), format!("没有日历 {:?}", found.value)),
            words("Write [calendar.NAME] for it", "请写 [calendar.名称]"),
        );
    }
}

/// So many a year, so far apart, must fit into a year.
fn check_spacing(paper: &Paper<'_>, per_year: Option<i64>, spacing: Option<&Found<Length>>) {
    let (Some(count), Some(spacing)) = (per_year, spacing) else { return };
    if spacing.value.rough_days().saturating_mul(count) > 366 {
        paper.refuse(
            "inspect.spacing",
            &spacing.place,
            words(
                format!("{count} a year do not lie {} apart", spacing.value),
                format!("一年 {count} 次，间隔不可能是 {}", spacing.value),
            ),
            words("Correct one of the two", "请改正其中之一"),
        );
    }
}

/// Asks about days between one phase and the next.
fn seam(
    paper: &Paper<'_>,
    weeks: Option<&Found<(i32, Option<i32>)>>,
    months: Option<&Found<(i32, Option<i32>)>>,
    ends: &mut Option<i64>,
) {
    let (found, days) = match (weeks, months) {
        (Some(weeks), _) => (weeks, 7),
        (None, Some(months)) => (months, 30),
        (None, None) => return,
    };
    let from = i64::from(found.value.0 - 1) * days;
    if let Some(end) = *ends
        && end != from
    {
        paper.ask(
            "inspect.seam",
            &found.place,
            words(
                format!("this phase begins about day {from}, the one before ends on day {end}"),
                format!("本阶段约从第 {from} 天开始，前一阶段到第 {end} 天结束"),
            ),
            words("Say under [[decided]] what holds in between", "请在 [[decided]] 里写明其间如何处理"),
        );
    }
    *ends = found.value.1.map(|to| i64::from(to) * days);
}
