//! `sitewarden contract`: what a contract says, for whoever writes one and for scripts. Nothing here needs a server
//! or a database.
//!
//! Exit codes of `check`, and of every other command that is given a contract: 0 it can be used, 3 questions are
//! open, 4 it is refused; 1 a file cannot be read or a question has no answer, 2 the command line is wrong.

mod due;
mod quote;
mod show;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use clap::{Subcommand, ValueEnum};
use serde_json::json;

use crate::cli::Exit;
use crate::contract::document::{self, Read};
use crate::contract::remark::{Remark, Verdict, Weight, Words};
use crate::contract::{Contract, template};

use due::Due;
use quote::{QuoteArgs, WarrantyArgs};

/// The language of what is printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Lang {
    /// English.
    En,
    /// Chinese.
    Zh,
}

impl Lang {
    fn pick(self, words: &Words) -> &str {
        match self {
            Self::En => &words.en,
            Self::Zh => &words.zh,
        }
    }

    /// One of two fixed texts.
    pub(super) fn say<'t>(self, en: &'t str, zh: &'t str) -> &'t str {
        match self {
            Self::En => en,
            Self::Zh => zh,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum ContractCommand {
    /// Says everything that is wrong with a contract, looks wrong, or is left open.
    Check {
        /// The contract.
        file: PathBuf,
        /// As JSON, in both languages.
        #[arg(long)]
        json: bool,
        /// The language of the words.
        #[arg(long, value_enum, default_value = "en")]
        lang: Lang,
    },
    /// Prints a contract to begin with; without a name, the names.
    Template {
        /// Its name.
        name: Option<String>,
    },
    /// Says when a clock is due, what of its time is used, and why.
    Due(Due),
    /// Prices lines of work by the contract's list.
    Quote(QuoteArgs),
    /// Says whether a repair is free, from a component's history.
    Warranty(WarrantyArgs),
}

impl ContractCommand {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Check { file, json, lang } => check(&file, json, lang),
            Self::Due(due) => due.run(),
            Self::Quote(quote) => quote.run(),
            Self::Warranty(warranty) => warranty.run(),
            Self::Template { name: None } => {
                for template in &template::ALL {
                    let title = template.text.lines().next().unwrap_or("").trim_start_matches("# ");
                    println!("{:<22} {title}", template.name);
                }
                Ok(())
            }
            Self::Template { name: Some(name) } => {
                let found = template::find(&name).ok_or_else(|| {
                    anyhow!("there is no template `{name}`; `sitewarden contract template` lists them")
                })?;
                print!("{}", found.text);
                Ok(())
            }
        }
    }
}

fn check(path: &Path, as_json: bool, lang: Lang) -> Result<()> {
    let read = document::read(&text(path)?);
    if as_json {
        let remarks: Vec<_> = read.remarks.iter().map(remark_json).collect();
        println!("{:#}", json!({ "verdict": read.verdict().as_str(), "remarks": remarks }));
    } else {
        print!("{}", listing(path, &read, lang));
    }
    end(read.verdict())
}

fn end(verdict: Verdict) -> Result<()> {
    match verdict {
        Verdict::Usable => Ok(()),
        Verdict::Open => Err(Exit(3).into()),
        Verdict::Refused => Err(Exit(4).into()),
    }
}

fn remark_json(remark: &Remark) -> serde_json::Value {
    json!({
        "weight": remark.weight.as_str(),
        "code": remark.code,
        "key": remark.key,
        "line": remark.line,
        "column": remark.column,
        "problem": { "en": remark.problem.en, "zh": remark.problem.zh },
        "remedy": { "en": remark.remedy.en, "zh": remark.remedy.zh },
    })
}

fn listing(path: &Path, read: &Read, lang: Lang) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for remark in &read.remarks {
        let (weight, stop) = match lang {
            Lang::En => (remark.weight.as_str(), ". "),
            Lang::Zh => (remark.weight.zh(), "。"),
        };
        let (problem, remedy) = (lang.pick(&remark.problem), lang.pick(&remark.remedy));
        let at = format!("{}:{}:{}", path.display(), remark.line, remark.column);
        let _ = writeln!(out, "{at}: {weight} [{}] {}: {problem}{stop}{remedy}", remark.code, remark.key);
    }
    let count = |weight| read.remarks.iter().filter(|remark| remark.weight == weight).count();
    let (errors, questions, decided) =
        (count(Weight::Error), count(Weight::Question), count(Weight::Decided));
    let _ = match (lang, read.verdict()) {
        (Lang::En, Verdict::Usable) => {
            writeln!(out, "This contract can be used ({decided} decisions in it).")
        }
        (Lang::Zh, Verdict::Usable) => writeln!(out, "合同可以使用（其中有 {decided} 项决定）。"),
        (Lang::En, Verdict::Open | Verdict::Refused) => {
            writeln!(out, "This contract cannot be used: errors {errors}, open questions {questions}.")
        }
        (Lang::Zh, Verdict::Open | Verdict::Refused) => {
            writeln!(out, "合同不能使用：错误 {errors} 处，待定 {questions} 处。")
        }
    };
    out
}

/// A contract that can be used; otherwise what is wrong goes to standard error.
pub(super) fn usable(path: &Path, lang: Lang) -> Result<Contract> {
    let read = document::read(&text(path)?);
    let verdict = read.verdict();
    if let Some(contract) = read.contract {
        return Ok(contract);
    }
    eprint!("{}", listing(path, &read, lang));
    Err(end(verdict).err().unwrap_or_else(|| Exit(4).into()))
}

fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
