//! The warranty of each component through its replacements, and whether a repair is free.
//!
//! A term of years begins after the day of its anchor and ends with the day of the same date, as the civil code
//! counts; where a contract begins it a day later, both days are the same. A replacement never shortens a right that
//! was there, unless the contract says so. An unknown cause is nobody's to decide but a person's.

use jiff::ToSpan;
use jiff::civil::Date;

use super::measure::{Fen, Length};
use super::remark::{Words, words};
use super::{Basis, Contract, Stage, Warranty};

/// Something in the life of a device or one of its components.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub on: Date,
    /// What: an anchor (`acceptance`, `sold`, …), `replaced`, `reinstalled_and_accepted`, `repaired`, `registered`,
    /// `maker_term`.
    pub what: String,
    /// Which component; empty is the whole device.
    pub component: String,
    /// Its class.
    pub class: Option<String>,
    /// What it was replaced with.
    pub with: Option<String>,
    /// What proves it.
    pub evidence: Vec<String>,
    /// Which fault was repaired.
    pub fault: Option<String>,
    /// Whether the customer paid.
    pub paid: bool,
    /// A maker's last day.
    pub until: Option<Date>,
}

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// When.
    pub on: Date,
    /// For which component.
    pub component: String,
    /// Its class, where no moment tells it.
    pub class: Option<String>,
    /// Which service.
    pub service: String,
    /// The cause; `unknown` where nobody knows.
    pub cause: String,
    /// The fault.
    pub fault: Option<String>,
    /// What the customer shows.
    pub evidence: Vec<String>,
    /// What the part costs, after discount.
    pub part_price: Option<Fen>,
}

/// A right to free repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// Of which component.
    pub component: String,
    /// First day.
    pub from: Date,
    /// Last day; `None` is as long as it lives.
    pub until: Option<Date>,
    /// Where it comes from.
    pub why: Words,
}

/// Who pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nobody.
    Free,
    /// The customer, on the bases told beside it.
    Chargeable,
    /// A person must decide.
    NeedsPerson,
}

impl Outcome {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Chargeable => "chargeable",
            Self::NeedsPerson => "needs_person",
        }
    }
}

/// The decision, with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Who pays.
    pub outcome: Outcome,
    /// Why, in a word.
    pub code: &'static str,
    /// Why.
    pub reason: Words,
    /// What parts, labour and travel cost.
    pub bases: [Basis; 3],
    /// Evidence that is missing.
    pub missing: Vec<String>,
    /// The rights of the component, oldest first.
    pub rights: Vec<Right>,
    /// The right of the first days, and who must confirm it.
    pub window: Option<(String, String)>,
}

/// When a warranty begins: the strongest anchor that is told and proved, and what was missing for a stronger one.
fn anchor(warranty: &Warranty, moments: &[Moment], component: &str) -> (Option<(Date, String)>, Vec<String>) {
    let mut missing = Vec::new();
    for (event, needs) in &warranty.anchors {
        let of = |moment: &&Moment| moment.component.is_empty() || moment.component == component;
        let told =
            moments.iter().filter(of).filter(|moment| moment.what == *event).min_by_key(|moment| moment.on);
        match told {
            Some(moment) if needs.is_empty() || moment.evidence.iter().any(|own| needs.contains(own)) => {
                return (Some((moment.on, event.clone())), missing);
            }
            Some(_) => missing.extend(needs.iter().map(|need| format!("{event}: {need}"))),
            None => {}
        }
    }
    (None, missing)
}

/// The last day of a term: the day of the same date, or the end of a shorter month.
fn last_day(anchor: Date, offset_days: i32, length: Length) -> Option<Date> {
    let late = (offset_days - 1).max(0);
    length.after(anchor).map(|day| day.saturating_add(late.days()))
}

/// How long a right lasts that a replacement begins.
enum Last {
    Day(Date),
    Life,
}

impl Last {
    fn of(length: Length, from: Date) -> Self {
        length.after(from).map_or(Self::Life, Self::Day)
    }

    fn day(self) -> Option<Date> {
        match self {
            Self::Day(day) => Some(day),
            Self::Life => None,
        }
    }
}

/// The longer of two last days.
fn later(a: Option<Date>, b: Option<Date>) -> Option<Date> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (None, _) | (_, None) => None,
    }
}

fn length_of(warranty: &Warranty, class: Option<&str>) -> Length {
    let own =
        warranty.classes.iter().find(|(of, _)| class.is_some_and(|class| of.iter().any(|one| one == class)));
    own.map_or(warranty.length, |own| own.1)
}

/// The class of a component, inherited through replacements.
fn class_of(moments: &[Moment], component: &str) -> Option<String> {
    let own = moments.iter().find(|moment| {
        let named = moment.component == component && moment.with.is_none();
        (named || moment.with.as_deref() == Some(component)) && moment.class.is_some()
    });
    let before = || {
        moments
            .iter()
            .find(|moment| moment.with.as_deref() == Some(component) && moment.component != component)
    };
    own.and_then(|moment| moment.class.clone())
        .or_else(|| before().and_then(|moment| class_of_bounded(moments, &moment.component)))
}

/// As [`class_of`], through at most as many replacements as there are moments.
fn class_of_bounded(moments: &[Moment], component: &str) -> Option<String> {
    let own = moments.iter().find(|moment| moment.component == component && moment.class.is_some());
    own.and_then(|moment| moment.class.clone())
}

/// The rights of a component and of those it stands for. `rules` are the warranties of the contract's versions with
/// the day they begin; what a replacement begins is told by the one in force on its day.
pub fn rights(rules: &[(Date, &Warranty)], moments: &[Moment], component: &str) -> (Vec<Right>, Vec<String>) {
    let Some((_, first)) = rules.first() else { return (Vec::new(), Vec::new()) };
    let mut order: Vec<&Moment> = moments.iter().filter(|moment| moment.what == "replaced").collect();
    order.sort_by(|a, b| (a.on, &a.component).cmp(&(b.on, &b.component)));
    // The chain of replacements, back from the component.
    let mut chain: Vec<&Moment> = Vec::new();
    let mut name = component;
    let mut before = Date::MAX;
    // What was repaired and refitted stands for itself, so a moment is gone through once.
    while let Some(moment) = order.iter().rev().find(|moment| {
        let is_new = chain.iter().all(|gone| !std::ptr::eq(*gone, **moment));
        moment.with.as_deref() == Some(name) && moment.on <= before && is_new
    }) {
        chain.push(moment);
        (name, before) = (&moment.component, moment.on);
    }
    chain.reverse();
    let class = class_of(moments, name).or_else(|| class_of(moments, component));
    let (begin, missing) = anchor(first, moments, name);
    let mut rights = Vec::new();
    let mut until = None;
    if let Some((on, event)) = begin {
        let length = length_of(first, class.as_deref());
        let mut last = last_day(on, first.offset_days, length);
        let maker = moments.iter().filter(|moment| moment.what == "maker_term" && first.maker_extends);
        for moment in maker.filter(|moment| moment.component.is_empty() || moment.component == name) {
            last = later(last, moment.until);
        }
        let from = on.saturating_add(first.offset_days.days());
        rights.push(Right {
            component: name.to_owned(),
            from,
            until: last,
            why: words(format!("{event} on {on}, {length}"), format!("{on} {event}，{length}")),
        });
        until = Some(last);
    }
    for moment in chain {
        let rule = rules.iter().rev().find(|(from, _)| *from <= moment.on).map_or(*first, |rule| rule.1);
        let new = moment.with.as_deref().unwrap_or(component);
        let (own, why) = begun(rule, moments, moment, new);
        let own = own.map(Last::day);
        let last = match (own, until) {
            (Some(own), Some(before)) if rule.longest_wins => Some(later(own, before)),
            (Some(own), _) => Some(own),
            (None, before) => before,
        };
        if let Some(last) = last {
            rights.push(Right { component: new.to_owned(), from: moment.on, until: last, why });
        }
        until = last;
    }
    (rights, missing)
}

/// What a replacement begins: its last day, where it begins something.
fn begun(rule: &Warranty, moments: &[Moment], moment: &Moment, new: &str) -> (Option<Last>, Words) {
    if moment.paid
        && let Some(length) = rule.paid_repair
    {
        let on = moment.on;
        let why = words(format!("paid repair on {on}, {length}"), format!("{on} 收费维修，{length}"));
        return (Some(Last::of(length, on)), why);
    }
    let on = moment.on;
    match &rule.on_replace {
        Some(restart) if restart.from == "replaced" => {
            let length = restart.length;
            let why = words(format!("replaced on {on}, {length}"), format!("{on} 更换，{length}"));
            (Some(Last::of(length, on)), why)
        }
        Some(restart) => {
            let done = moments.iter().find(|done| {
                done.what == restart.from
                    && (done.component == new || done.component.is_empty())
                    && done.on >= moment.on
            });
            match done {
                Some(done) => {
                    let (from, done, length) = (&restart.from, done.on, restart.length);
                    let why =
                        words(format!("{from} on {done}, {length}"), format!("{done} {from}，{length}"));
                    (Some(Last::of(length, done)), why)
                }
                None => {
                    let from = &restart.from;
                    (
                        None,
                        words(format!("replaced on {on}; not yet {from}"), format!("{on} 更换，尚无 {from}")),
                    )
                }
            }
        }
        None => (
            None,
            words(format!("replaced on {on}, the rest of the term"), format!("{on} 更换，沿用剩余质保期")),
        ),
    }
}

/// Whether what is claimed is free.
pub fn decide(
    contract: &Contract,
    versions: &[(Date, &Warranty)],
    moments: &[Moment],
    claim: &Claim,
) -> Decision {
    let own: Vec<(Date, &Warranty)> = match (&contract.warranty, versions) {
        (Some(warranty), []) => vec![(Date::MIN, warranty)],
        _ => versions.to_vec(),
    };
    let past: Vec<Moment> = moments.iter().filter(|moment| moment.on <= claim.on).cloned().collect();
    let (rights, mut missing) = rights(&own, &past, &claim.component);
    let until = rights.last().map(|right| right.until);
    let in_term = until.is_some_and(|until| until.is_none_or(|until| claim.on <= until));
    let window = rights.first().and_then(|right| window(contract, right, claim));
    let warranty = own.last().map(|rule| rule.1);
    let say = |outcome, code, reason: Words, bases, missing| Decision {
        outcome,
        code,
        reason,
        bases,
        missing,
        rights: rights.clone(),
        window: window.clone(),
    };
    let free = [Basis::Free; 3];
    if claim.cause.is_empty() || claim.cause == "unknown" {
        let reason = words(
            "the cause is not known: neither free nor charged without a person",
            "原因不明：是否免费须由人决定",
        );
        return say(Outcome::NeedsPerson, "cause_unknown", reason, [Basis::Agree; 3], missing);
    }
    let demands = warranty.map_or(&[][..], |warranty| &warranty.demands);
    let lacking: Vec<_> =
        demands.iter().filter(|demand| !claim.evidence.contains(&demand.evidence)).collect();
    if !lacking.is_empty() {
        missing.extend(lacking.iter().map(|demand| demand.evidence.clone()));
        let reason = words(
            format!("the claim lacks {}", missing.join(", ")),
            format!("缺少凭证：{}", missing.join("、")),
        );
        return if lacking.iter().any(|demand| demand.fails) {
            say(Outcome::Chargeable, "evidence_missing", reason, [Basis::List; 3], missing)
        } else {
            say(Outcome::NeedsPerson, "evidence_missing", reason, [Basis::Agree; 3], missing)
        };
    }
    let excluded = warranty
        .and_then(|warranty| warranty.exclusions.iter().find(|exclusion| exclusion.cause == claim.cause));
    if let Some(exclusion) = excluded {
        let bases = [exclusion.parts, exclusion.labour, exclusion.labour];
        let cause = &claim.cause;
        let reason = words(format!("{cause} is excluded"), format!("{cause} 不在质保范围内"));
        return say(charged(bases), "excluded", reason, bases, missing);
    }
    if rights.is_empty() && warranty.is_some() {
        let events = warranty.map_or_else(String::new, |warranty| {
            warranty.anchors.iter().map(|anchor| anchor.0.as_str()).collect::<Vec<_>>().join(" or ")
        });
        let reason = words(
            format!("nothing proves when the warranty began: {events}"),
            format!("没有质保起始的凭证：{events}"),
        );
        return say(Outcome::NeedsPerson, "anchor_missing", reason, [Basis::Agree; 3], missing);
    }
    if claim.service == "repair" && in_term {
        let reason = until.flatten().map_or_else(
            || words("in the term, for life", "质保期内，终身"),
            |until| words(format!("in the term, until {until}"), format!("质保期内，至 {until}")),
        );
        return say(Outcome::Free, "in_term", reason, free, missing);
    }
    if let Some(length) = warranty.and_then(|warranty| warranty.repeat_fault)
        && let Some(before) = repaired_before(&past, claim)
        && length.after(before).is_none_or(|until| claim.on <= until)
    {
        let reason =
            words(format!("the same fault was repaired on {before}"), format!("同一故障曾于 {before} 维修"));
        return say(Outcome::Free, "repeat_fault", reason, free, missing);
    }
    let class = claim.class.clone().or_else(|| class_of(&past, &claim.component));
    let begin = rights.first().map_or(claim.on, |right| right.from);
    let offset = warranty.map_or(0, |warranty| warranty.offset_days);
    let stage = stage_at(contract, begin.saturating_sub(offset.days()), claim, class.as_deref());
    let mut bases = stage.map_or([Basis::List; 3], |stage| [stage.parts, stage.labour, stage.travel]);
    if let (Some(length), Some(Length::Life)) =
        (warranty.and_then(|warranty| warranty.registration), stage.map(|stage| stage.length))
    {
        let anchored = begin.saturating_sub(offset.days());
        let in_time = |moment: &Moment| {
            moment.what == "registered" && length.after(anchored).is_none_or(|last| moment.on <= last)
        };
        if !past.iter().any(in_time) {
            missing.push("registration".to_owned());
            let reason = words(
                format!("the card was not returned within {length}: the lifelong service is lost"),
                format!("回执卡未在 {length} 内寄回，不再享受终身服务"),
            );
            return say(Outcome::Chargeable, "not_registered", reason, [Basis::List; 3], missing);
        }
    }
    let small = claim.part_price.is_some_and(|price| {
        contract
            .parts
            .free_up_to
            .is_some_and(|most| price < most || (price == most && !contract.parts.boundary_charged))
    });
    if small {
        bases[0] = Basis::Free;
    }
    let (code, reason) = match stage {
        Some(stage) => {
            let (service, length) = (&claim.service, stage.length);
            ("stage", words(format!("{service}: the stage of {length}"), format!("{service}：{length} 阶段")))
        }
        None => {
            let service = &claim.service;
            ("no_stage", words(format!("the contract covers no {service}"), format!("合同不含 {service}")))
        }
    };
    let code = if small { "small_part" } else { code };
    say(charged(bases), code, reason, bases, missing)
}

fn charged(bases: [Basis; 3]) -> Outcome {
    if bases.iter().any(|basis| matches!(basis, Basis::Agree | Basis::None)) {
        Outcome::NeedsPerson
    } else if bases.iter().all(|basis| *basis == Basis::Free) {
        Outcome::Free
    } else {
        Outcome::Chargeable
    }
}

/// When the same fault of the same component was repaired before.
fn repaired_before(past: &[Moment], claim: &Claim) -> Option<Date> {
    let same = |moment: &&Moment| {
        moment.what == "repaired"
            && moment.component == claim.component
            && moment.fault.is_some()
            && moment.fault == claim.fault
    };
    past.iter().filter(same).map(|moment| moment.on).max()
}

/// The stage of a service on the day of a claim: the stages follow each other from the anchor on.
fn stage_at<'c>(
    contract: &'c Contract,
    anchor: Date,
    claim: &Claim,
    class: Option<&str>,
) -> Option<&'c Stage> {
    let fits = |stage: &&Stage| {
        stage.service == claim.service
            && (stage.only.is_empty()
                || stage.only.iter().any(|only| Some(only.as_str()) == class || *only == claim.component))
    };
    let mut end = anchor;
    contract.coverage.iter().filter(fits).find(|stage| match stage.length.after(end) {
        Some(last) => {
            end = last;
            claim.on <= last
        }
        None => true,
    })
}

/// The right of the first days after the anchor.
fn window(contract: &Contract, right: &Right, claim: &Claim) -> Option<(String, String)> {
    let day = (claim.on - right.from).get_days();
    let hit = contract.windows.iter().find(|window| {
        let last = window.to_day.or_else(|| right.until.map(|until| (until - right.from).get_days()));
        day >= window.from_day && last.is_none_or(|last| day <= last)
    });
    hit.map(|window| (window.right.clone(), window.confirm_by.clone()))
}

#[cfg(test)]
mod tests;
