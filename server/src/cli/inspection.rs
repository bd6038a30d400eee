//! `sitewarden inspection`: which inspections a contract comes to, for whoever writes one and for scripts. Nothing
//! here needs a server or a database.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};
use clap::{Args, Subcommand};
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::contract::{Lang, usable};
use crate::contract::Contract;
use crate::inspection::{Anchors, Gap, Key, Occurrence, Plan, Window, kind_zh};

/// Years that are looked ahead.
const YEARS_MAX: i32 = 30;

#[derive(Debug, Subcommand)]
pub(super) enum InspectionCommand {
    /// Lists the inspections that a contract owes, on which days, in which visits, and the days on which it owes none.
    Preview(Preview),
}

#[derive(Debug, Args)]
pub(super) struct Preview {
    /// The contract.
    #[arg(long, value_name = "FILE")]
    contract: PathBuf,
    /// The day on which the site was commissioned.
    #[arg(long, value_name = "DATE")]
    commissioned: Date,
    /// The last day to look at.
    #[arg(long, value_name = "DATE")]
    until: Date,
    /// The day of another event that rules are counted from, `handed_over=2026-03-01`; without it, the day of
    /// commissioning.
    #[arg(long, value_name = "EVENT=DATE")]
    anchor: Vec<String>,
    /// Days on which the site is closed, the last one included: `2026-02-15/2026-02-23`.
    #[arg(long, value_name = "FROM/TO")]
    closed: Vec<String>,
    /// The site's time zone, where it is not the contract's: its holidays follow from it.
    #[arg(long, value_name = "ZONE")]
    site_zone: Option<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// The language of the words.
    #[arg(long, value_enum, default_value = "en")]
    lang: Lang,
}

impl InspectionCommand {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Preview(preview) => preview.run(),
        }
    }
}

impl Preview {
    fn run(self) -> Result<()> {
        let zone = match &self.site_zone {
            Some(name) => Some(
                TimeZone::get(name)
                    .map_err(|_| anyhow!("--site-zone: `{name}` is not known; write it as Asia/Shanghai"))?,
            ),
            None => None,
        };
        let contract = usable(&self.contract, self.lang)?;
        if self.until < self.commissioned || self.until > self.commissioned.saturating_add(YEARS_MAX.years())
        {
            bail!("--until is a day from --commissioned on, at most {YEARS_MAX} years later");
        }
        let anchors = self.anchors(&contract)?;
        let closed = self.closed.iter().map(|text| closure(text)).collect::<Result<Vec<_>>>()?;
        let plan = Plan::new(&contract, &anchors, zone.as_ref(), &closed)?;
        let (found, gaps) = (plan.up_to(self.until), plan.gaps(self.until));
        if self.json {
            let told = json!({
                "contract": contract.id,
                "commissioned": self.commissioned,
                "until": self.until,
                "last_day": plan.last_day(),
                "visits": visits(&found),
                "occurrences": found.iter().map(occurrence_json).collect::<Vec<_>>(),
                "gaps": gaps.iter().map(gap_json).collect::<Vec<_>>(),
            });
            println!("{told:#}");
        } else {
            print!("{}", self.listing(&contract, &plan, &found, &gaps));
        }
        Ok(())
    }

    fn anchors(&self, contract: &Contract) -> Result<Anchors> {
        let named: Vec<&str> = contract.inspections.iter().filter_map(|rule| rule.from.as_deref()).collect();
        let usual = named.iter().map(|event| ((*event).to_owned(), self.commissioned));
        let mut anchors = Anchors { events: usual.collect(), begins: Some(self.commissioned) };
        for text in &self.anchor {
            let given =
                text.split_once('=').and_then(|(event, day)| Some((event, day.parse::<Date>().ok()?)));
            let Some((event, day)) = given else {
                bail!("--anchor: `{text}` is not EVENT=DATE; write it as handed_over=2026-03-01");
            };
            if !named.contains(&event) {
                bail!(
                    "--anchor: no inspection is counted from `{event}`; they are from: {}",
                    named.join(", ")
                );
            }
            anchors.events.insert(event.to_owned(), day);
        }
        Ok(anchors)
    }

    fn listing(&self, contract: &Contract, plan: &Plan<'_>, found: &[Occurrence], gaps: &[Gap]) -> String {
        let (lang, mut out) = (self.lang, String::new());
        let _ = match lang {
            Lang::En => writeln!(
                out,
                "{}: commissioned {}, until {}: inspections {}, visits {}",
                contract.name,
                self.commissioned,
                self.until,
                found.len(),
                visits(found)
            ),
            Lang::Zh => writeln!(
                out,
                "{}：{} 开通，至 {}：巡检 {} 项，上门 {} 次",
                contract.name,
                self.commissioned,
                self.until,
                found.len(),
                visits(found)
            ),
        };
        for occurrence in found {
            let _ = writeln!(out, "{}", line(occurrence, lang));
        }
        for gap in gaps {
            let _ = writeln!(out, "{}", gap_line(gap, lang));
        }
        if let Some(last) = plan.last_day().filter(|last| *last < self.until) {
            let said = lang.say("nothing is owed after ", "此日之后不再有约定：");
            let _ = writeln!(out, "{said}{last}");
        }
        out
    }
}

/// `FROM/TO`, the last day included.
fn closure(text: &str) -> Result<Window> {
    let days = text.split_once('/').and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    let Some((from, to)) = days.filter(|days: &(Date, Date)| days.0 <= days.1) else {
        bail!("--closed: `{text}` is not FROM/TO; write it as 2026-02-15/2026-02-23");
    };
    Ok(Window { from, until: to.tomorrow().unwrap_or(to) })
}

/// How often somebody goes there.
fn visits(found: &[Occurrence]) -> usize {
    let goes = |one: &&Occurrence| one.merged_into.is_none() && one.way == crate::contract::Way::Visit;
    found.iter().filter(goes).count()
}

fn key_json(key: &Key) -> Value {
    json!({ "rule": key.rule, "n": key.n })
}

fn occurrence_json(one: &Occurrence) -> Value {
    let with: Vec<&Key> = one.merged_into.iter().chain(&one.carries).collect();
    json!({
        "rule": one.key.rule,
        "n": one.key.n,
        "way": one.way.as_str(),
        "kinds": one.kinds,
        "checklist": one.checklist,
        "report": one.report,
        "date": one.day,
        "window": { "from": one.window.from, "to": one.window.last() },
        "aim": one.aim,
        "merged_with": with.into_iter().map(key_json).collect::<Vec<_>>(),
        "merged_into": one.merged_into.as_ref().map(key_json),
        "outside_window": one.outside,
        "provisional": one.provisional,
        "tell_by": one.tell_by,
    })
}

fn gap_json(gap: &Gap) -> Value {
    let to = gap.until.and_then(|until| until.yesterday().ok());
    let days = gap.until.map(|until| (until - gap.from).get_days());
    json!({ "from": gap.from, "to": to, "days": days, "after": gap.after, "before": gap.before })
}

fn line(one: &Occurrence, lang: Lang) -> String {
    let name = format!("{} {}", one.key.rule, one.key.n);
    let kinds: Vec<&str> = match lang {
        Lang::En => one.kinds.iter().map(String::as_str).collect(),
        Lang::Zh => one.kinds.iter().map(|kind| kind_zh(kind)).collect(),
    };
    let weekday = match lang {
        Lang::En => one.day.strftime("%a").to_string(),
        Lang::Zh => {
            let at = usize::try_from(one.day.weekday().to_monday_zero_offset()).unwrap_or(0);
            ["周一", "周二", "周三", "周四", "周五", "周六", "周日"][at].to_owned()
        }
    };
    let mut text = format!(
        "{} {weekday}  {name:<20} {:<16} {} … {}",
        one.day,
        kinds.join(", "),
        one.window.from,
        one.window.last()
    );
    let keys = |keys: &[Key]| {
        keys.iter().map(|key| format!("{} {}", key.rule, key.n)).collect::<Vec<_>>().join(", ")
    };
    if let Some(host) = &one.merged_into {
        let _ = write!(text, "  {} {} {}", lang.say("in the visit of", "并入"), host.rule, host.n);
    }
    if !one.carries.is_empty() {
        let _ = write!(text, "  {} {}", lang.say("does the work of", "一并完成"), keys(&one.carries));
    }
    if let Some(by) = one.tell_by {
        let _ = write!(text, "  {} {by}", lang.say("changes by", "改期最迟提出日"));
    }
    if one.outside {
        text.push_str(lang.say("  no open day in its window", "  期内没有可上门的日子"));
    }
    if one.provisional {
        text.push_str(lang.say("  holidays not announced yet", "  节假日尚未公布"));
    }
    text
}

fn gap_line(gap: &Gap, lang: Lang) -> String {
    let says = lang.say("nothing owed: ", "没有约定：");
    let mut text = match gap.until {
        Some(until) => {
            let (last, days) = (until.yesterday().unwrap_or(until), (until - gap.from).get_days());
            let days = match lang {
                Lang::En => format!(" ({days} days)"),
                Lang::Zh => format!("（{days} 天）"),
            };
            format!("{says}{} … {last}{days}", gap.from)
        }
        None => format!("{says}{} …", gap.from),
    };
    if let Some(rule) = &gap.after {
        let _ = write!(text, "{} {rule}", lang.say(", after", "，此前"));
    }
    if let Some(rule) = &gap.before {
        let _ = write!(text, "{} {rule}", lang.say(", before", "，此后"));
    }
    text
}
