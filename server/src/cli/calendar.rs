//! `sitewarden calendar`: what a calendar file means, for the person who writes one.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::Subcommand;
use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::json;

use crate::calendar::holiday::{Holidays, Kind};
use crate::calendar::{Calendar, DAY_S, Span, file};

/// Days that `show` prints.
const SHOW_MAX: i32 = 1_000;

#[derive(Debug, Subcommand)]
pub(super) enum CalendarCommand {
    /// Prints the working time of each day, and why a day differs.
    Show {
        /// The calendar.
        file: PathBuf,
        /// First day.
        #[arg(long, value_name = "DATE")]
        from: Date,
        /// Last day; the first, when it is not given.
        #[arg(long, value_name = "DATE")]
        to: Option<Date>,
        /// One JSON object a day.
        #[arg(long)]
        json: bool,
    },
    /// Says when so much working time has passed.
    Add {
        /// The calendar.
        file: PathBuf,
        /// From when: `2026-02-13T22:40` in the calendar's zone, or with an offset.
        #[arg(long, value_name = "TIME")]
        from: String,
        /// How much: `4h`, `90m`, `1h30m`.
        #[arg(long, value_name = "DURATION")]
        working: SignedDuration,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Says how much working time lies between two times.
    Elapsed {
        /// The calendar.
        file: PathBuf,
        /// From when, as for `add`.
        #[arg(long, value_name = "TIME")]
        from: String,
        /// Until when.
        #[arg(long, value_name = "TIME")]
        to: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Reads holidays from an .ics file, the JSON of a notice or a file of our own, and prints them as ours.
    Holidays {
        /// The files; of two that name a day, the later one holds. Without any, those of mainland China.
        files: Vec<PathBuf>,
    },
}

impl CalendarCommand {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Show { file, from, to, json } => show(&open(&file)?, from, to.unwrap_or(from), json),
            Self::Add { file, from, working, json } => {
                let calendar = open(&file)?;
                let from = instant(&calendar, &from)?;
                let due = calendar.add(from, working).context("that lies beyond the year 9999")?;
                let provisional = calendar.is_provisional(due);
                let local = due.to_zoned(calendar.zone().clone());
                if json {
                    println!("{}", json!({ "due_at": due, "local": local, "provisional": provisional }));
                } else {
                    println!("{}", local.strftime("%Y-%m-%d %H:%M:%S %:z"));
                    warn_provisional(&calendar, provisional);
                }
                Ok(())
            }
            Self::Elapsed { file, from, to, json } => {
                let calendar = open(&file)?;
                let (from, to) = (instant(&calendar, &from)?, instant(&calendar, &to)?);
                let elapsed = calendar.elapsed(from, to);
                let provisional = calendar.is_provisional(from.max(to));
                if json {
                    println!("{}", json!({ "working_s": elapsed.as_secs(), "provisional": provisional }));
                } else {
                    println!("{elapsed:#}");
                    warn_provisional(&calendar, provisional);
                }
                Ok(())
            }
            Self::Holidays { files } => {
                let mut all: Option<Holidays> = None;
                for path in files {
                    let read = Holidays::read(&text(&path)?);
                    let read = read.map_err(|refused| anyhow!("{}: {refused}", path.display()))?;
                    match &mut all {
                        Some(all) => all.merge(read),
                        None => all = Some(read),
                    }
                }
                print!("{}", all.unwrap_or_else(Holidays::china).write());
                Ok(())
            }
        }
    }
}

fn show(calendar: &Calendar, from: Date, to: Date, as_json: bool) -> Result<()> {
    if to < from || (to - from).get_days() >= SHOW_MAX {
        bail!("--to is a day from --from on, at most {SHOW_MAX} days");
    }
    for date in from.series(1.day()).take_while(|date| *date <= to) {
        let spans: Vec<String> = calendar.spans(date).iter().map(write_span).collect();
        let noon = date.at(12, 0, 0, 0).to_zoned(calendar.zone().clone());
        let provisional = noon.is_ok_and(|noon| calendar.is_provisional(noon.timestamp()));
        let why = match calendar.public(date) {
            Some(Kind::Off { statutory: true }) => "holiday",
            Some(Kind::Off { statutory: false }) => "day off",
            Some(Kind::Work) => "make-up day",
            None => "",
        };
        if as_json {
            println!(
                "{}",
                json!({ "date": date, "spans": spans, "public": why, "provisional": provisional })
            );
        } else {
            let worked = if spans.is_empty() { "–".to_owned() } else { spans.join(", ") };
            let open = if provisional { "  (not announced yet)" } else { "" };
            println!("{date} {}  {worked:<28} {why}{open}", date.strftime("%a"));
        }
    }
    Ok(())
}

fn warn_provisional(calendar: &Calendar, provisional: bool) {
    if let (true, Some(until)) = (provisional, calendar.known_until()) {
        eprintln!("provisional: the holidays after {until} are not announced yet");
    }
}

fn write_span(span: &Span) -> String {
    let time = |second: i64| {
        let clock = format!("{:02}:{:02}", second / 3600, second / 60 % 60);
        if second % 60 == 0 { clock } else { format!("{clock}:{:02}", second % 60) }
    };
    let next = if span.to_s > DAY_S { " (next day)" } else { "" };
    let to_s = if span.to_s > DAY_S { span.to_s - DAY_S } else { span.to_s };
    format!("{}-{}{next}", time(span.from_s), time(to_s))
}

/// A time with its offset, or one in the calendar's zone; of a time that a change of the clocks repeats, the first.
fn instant(calendar: &Calendar, text: &str) -> Result<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let local: DateTime =
        text.parse().map_err(|_| anyhow!("`{text}` is no time; write it as 2026-02-13T22:40"))?;
    Ok(calendar.zone().to_timestamp(local)?)
}

fn open(path: &Path) -> Result<Calendar> {
    file::read(&text(path)?).map_err(|fault| anyhow!("{}: {fault}", path.display()))
}

fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
