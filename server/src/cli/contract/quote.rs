//! `sitewarden contract quote` and `sitewarden contract warranty`: what is charged, and whether it is free.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use jiff::civil::Date;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::contract::measure::{Fen, duration};
use crate::contract::quote::{Line, quote};
use crate::contract::warranty::{Claim, Moment, decide};

use super::{Lang, text, usable};

/// Lines or moments of one file.
const ROWS_MAX: usize = 10_000;

#[derive(Debug, Args)]
pub(in crate::cli) struct QuoteArgs {
    /// The contract.
    #[arg(long, value_name = "FILE")]
    contract: PathBuf,
    /// The lines of work: `[[line]]` with item, zone, count, size, persons, days, time, km, periods, amount,
    /// consent, free.
    #[arg(long, value_name = "FILE")]
    lines: PathBuf,
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// The language of the words.
    #[arg(long, value_enum, default_value = "en")]
    lang: Lang,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct WarrantyArgs {
    /// The contract.
    #[arg(long, value_name = "FILE")]
    contract: PathBuf,
    /// What happened and what is claimed: `[[moment]]` with on, what, component, class, with, evidence, fault, paid,
    /// until; `[claim]` with on, component, class, service, cause, fault, evidence, part_price.
    #[arg(long, value_name = "FILE")]
    history: PathBuf,
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// The language of the words.
    #[arg(long, value_enum, default_value = "en")]
    lang: Lang,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lines {
    #[serde(default)]
    line: Vec<LineRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LineRow {
    item: String,
    zone: Option<String>,
    count: Option<i64>,
    size: Option<i64>,
    persons: Option<i64>,
    days: Option<i64>,
    time: Option<String>,
    km: Option<i64>,
    periods: Option<i64>,
    amount: Option<String>,
    consent: Option<String>,
    free: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct History {
    #[serde(default)]
    moment: Vec<MomentRow>,
    claim: ClaimRow,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MomentRow {
    on: Date,
    what: String,
    #[serde(default)]
    component: String,
    class: Option<String>,
    with: Option<String>,
    #[serde(default)]
    evidence: Vec<String>,
    fault: Option<String>,
    #[serde(default)]
    paid: bool,
    until: Option<Date>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimRow {
    on: Date,
    #[serde(default)]
    component: String,
    class: Option<String>,
    service: Option<String>,
    cause: Option<String>,
    fault: Option<String>,
    #[serde(default)]
    evidence: Vec<String>,
    part_price: Option<String>,
}

fn open<T: DeserializeOwned>(path: &Path) -> Result<T> {
    toml::from_str(&text(path)?)
        .map_err(|error| anyhow!("{}: {}", path.display(), error.to_string().trim_end()))
}

fn money(text: Option<String>, key: &str) -> Result<Option<Fen>> {
    let read = |text: String| {
        Fen::parse(&text).with_context(|| format!("{key}: `{text}` is no amount such as \"400.00\""))
    };
    text.map(read).transpose()
}

impl LineRow {
    fn read(self) -> Result<Line> {
        let numbers = [self.count, self.size, self.persons, self.days, self.km, self.periods];
        if numbers.iter().flatten().any(|number| !(0..=1_000_000).contains(number)) {
            bail!("a number lies outside of 0 to 1000000");
        }
        let time = match self.time {
            Some(text) => Some(
                duration(&text).with_context(|| format!("time: `{text}` is no duration such as 2h30m"))?,
            ),
            None => None,
        };
        Ok(Line {
            item: self.item,
            zone: self.zone,
            count: self.count,
            size: self.size,
            persons: self.persons,
            days: self.days,
            time,
            km: self.km,
            periods: self.periods,
            amount: money(self.amount, "amount")?,
            consent: self.consent,
            free: self.free,
        })
    }
}

impl QuoteArgs {
    pub(super) fn run(self) -> Result<()> {
        let lang = self.lang;
        let contract = usable(&self.contract, self.lang)?;
        let rows = open::<Lines>(&self.lines)?.line;
        if rows.len() > ROWS_MAX {
            bail!("{}: at most {ROWS_MAX} lines", self.lines.display());
        }
        let mut lines = Vec::new();
        for (index, row) in rows.into_iter().enumerate() {
            lines.push(row.read().with_context(|| format!("{}: line {}", self.lines.display(), index + 1))?);
        }
        let quote = quote(&contract, &lines);
        if self.json {
            let charges: Vec<Value> = quote
                .charges
                .iter()
                .map(|charge| {
                    json!({
                        "item": charge.item,
                        "title": charge.title,
                        "amount_fen": charge.fen.map(|fen| fen.0),
                        "how": lang.pick(&charge.how),
                        "tax_included": charge.tax_included,
                        "needs": charge.needs.iter().map(|need| lang.pick(need)).collect::<Vec<_>>(),
                    })
                })
                .collect();
            let told = json!({
                "charges": charges,
                "total_fen": quote.total.map(|fen| fen.0),
                "least_prices": contract.price_terms.are_minimum,
                "open": quote.is_open(),
            });
            println!("{told:#}");
            return Ok(());
        }
        for charge in &quote.charges {
            let fen = charge.fen.map_or_else(|| "?".to_owned(), |fen| fen.to_string());
            let tax = if charge.tax_included {
                lang.say("tax included", "含税")
            } else {
                lang.say("tax excluded", "不含税")
            };
            println!("{fen:>12}  {}: {} ({tax})", charge.title, lang.pick(&charge.how));
            for need in &charge.needs {
                println!("{:>12}  {} {}", "", lang.say("needs", "还需"), lang.pick(need));
            }
        }
        match quote.total {
            Some(total) => println!("{:>12}  {}", total.to_string(), lang.say("yuan", "元")),
            None => {
                let open = lang.say("yuan: a line above must be decided first", "元：上面有一行须先定价");
                println!("{:>12}  {open}", "?");
            }
        }
        let unknown = quote.charges.iter().any(|charge| {
            charge.fen.is_none() && !contract.prices.iter().any(|price| price.item == charge.item)
        });
        if unknown {
            let items: BTreeSet<&str> = contract.prices.iter().map(|price| price.item.as_str()).collect();
            let items: Vec<&str> = items.into_iter().collect();
            eprintln!("{} {}", lang.say("the price list has:", "价目表有："), items.join(", "));
        }
        Ok(())
    }
}

impl WarrantyArgs {
    pub(super) fn run(self) -> Result<()> {
        let lang = self.lang;
        let contract = usable(&self.contract, self.lang)?;
        let history: History = open(&self.history)?;
        if history.moment.len() > ROWS_MAX {
            bail!("{}: at most {ROWS_MAX} moments", self.history.display());
        }
        let moments: Vec<Moment> = history
            .moment
            .into_iter()
            .map(|row| Moment {
                on: row.on,
                what: row.what,
                component: row.component,
                class: row.class,
                with: row.with,
                evidence: row.evidence,
                fault: row.fault,
                paid: row.paid,
                until: row.until,
            })
            .collect();
        let row = history.claim;
        let claim = Claim {
            on: row.on,
            component: row.component,
            class: row.class,
            service: row.service.unwrap_or_else(|| "repair".to_owned()),
            cause: row.cause.unwrap_or_else(|| "unknown".to_owned()),
            fault: row.fault,
            evidence: row.evidence,
            part_price: money(row.part_price, "part_price")?,
        };
        let decision = decide(&contract, &[], &moments, &claim);
        let [parts, labour, travel] = decision.bases.map(crate::contract::Basis::as_str);
        if self.json {
            let rights: Vec<Value> = decision
                .rights
                .iter()
                .map(|right| json!({ "component": right.component, "from": right.from, "until": right.until, "why": lang.pick(&right.why) }))
                .collect();
            let window =
                decision.window.as_ref().map(|(right, by)| json!({ "right": right, "confirm_by": by }));
            let told = json!({
                "decision": decision.outcome.as_str(),
                "code": decision.code,
                "reason": lang.pick(&decision.reason),
                "parts": parts,
                "labour": labour,
                "travel": travel,
                "missing": decision.missing,
                "window": window,
                "rights": rights,
            });
            println!("{told:#}");
            return Ok(());
        }
        println!(
            "{}: {} ({} {parts}, {} {labour}, {} {travel})",
            decision.outcome.as_str(),
            lang.pick(&decision.reason),
            lang.say("parts", "部件"),
            lang.say("labour", "人工"),
            lang.say("travel", "差旅"),
        );
        for missing in &decision.missing {
            println!("  {} {missing}", lang.say("missing:", "缺："));
        }
        for right in &decision.rights {
            let until = right
                .until
                .map_or_else(|| lang.say("for life", "终身").to_owned(), |until| until.to_string());
            println!("  {}: {} – {until}, {}", right.component, right.from, lang.pick(&right.why));
        }
        Ok(())
    }
}
