//! `sitewarden rota`: who is on duty, for the person at the machine.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Subcommand};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::db::{Conn, Db};
use crate::rota::store::{self, Row};
use crate::rota::{Gap, Rota, SPAN_DAYS_MAX, Shift, Why};
use crate::user;

#[derive(Debug, Subcommand)]
pub(super) enum RotaCommand {
    /// Prints the shifts and the gaps between two times.
    Show {
        #[command(flatten)]
        which: Which,
        /// From when: `2026-12-01T08:00` in the rota's zone, a day, or with an offset; now when it is not given.
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Until when; 14 days later when it is not given.
        #[arg(long, value_name = "TIME")]
        to: Option<String>,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Says who is on duty, in every rota or in one.
    Who {
        #[command(flatten)]
        which: Which,
        /// When, as for `show`; now when it is not given.
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// One JSON object a rota.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// The rota's id.
    #[arg(long, conflicts_with = "name")]
    id: Option<String>,
    /// The rota's exact name.
    #[arg(long)]
    name: Option<String>,
}

impl RotaCommand {
    pub(super) async fn run(self, db: &Db, now: Timestamp) -> Result<()> {
        let mut conn = db.read().await?;
        let accounts = user::store::list_accounts(&mut conn).await?;
        let names: HashMap<String, String> =
            accounts.into_iter().map(|account| (account.id.to_string(), account.name)).collect();
        let name = |id: &str| names.get(id).cloned().unwrap_or_else(|| id.to_owned());
        match self {
            Self::Show { which, from, to, json } => {
                let rows = which.rows(&mut conn).await?;
                let [row] = <[Row; 1]>::try_from(rows)
                    .map_err(|rows| anyhow!("say which of the {} rotas: --id or --name", rows.len()))?;
                let zone = zone(&mut conn, &row, now).await?;
                let from = from.map(|text| instant(&zone, &text)).transpose()?.unwrap_or(now);
                let to = to.map(|text| instant(&zone, &text)).transpose()?;
                let to = to.unwrap_or(from + SignedDuration::from_hours(24 * 14));
                if to <= from || to.duration_since(from) > SignedDuration::from_hours(24 * SPAN_DAYS_MAX) {
                    bail!("--to is later than --from, by at most {SPAN_DAYS_MAX} days");
                }
                let rota = load(&mut conn, &row, from, to).await?;
                // Of what is past, nobody is gone: an account that is disabled today was there.
                let gone = if to > now { store::list_gone(&mut conn).await? } else { BTreeSet::new() };
                let middle = now.clamp(from, to);
                let mut gaps = rota.gaps(from, middle, &BTreeSet::new());
                gaps.extend(rota.gaps(middle, to, &gone));
                let shifts = rota.shifts(from, to);
                if json {
                    let shifts: Vec<_> = shifts.iter().map(|shift| shift_json(&rota, shift, &name)).collect();
                    let gaps: Vec<_> = gaps.iter().map(gap_json).collect();
                    println!("{}", json!({ "id": row.id, "name": row.name, "shifts": shifts, "gaps": gaps }));
                    return Ok(());
                }
                println!("{} · {} ({})", row.name, row.team, zone.iana_name().unwrap_or("UTC"));
                let mut lines: Vec<(Timestamp, usize, String)> = Vec::new();
                for shift in &shifts {
                    let line =
                        format!("{}  {}", spell(&zone, shift.start, shift.end), words(&rota, shift, &name));
                    lines.push((shift.start, shift.layer, line));
                }
                for gap in &gaps {
                    let layer = layer_name(&rota, gap.layer, gap.from);
                    let line =
                        format!("{}  NOBODY ({layer}: {})", spell(&zone, gap.from, gap.to), why(gap.why));
                    lines.push((gap.from, gap.layer, line));
                }
                lines.sort();
                for (_, _, line) in &lines {
                    println!("{line}");
                }
                if shifts.is_empty() && gaps.is_empty() {
                    println!("nobody has to be on duty in that time");
                }
                Ok(())
            }
            Self::Who { which, at, json } => {
                for row in which.rows(&mut conn).await?.into_iter().filter(|row| row.archived_at.is_none()) {
                    let zone = zone(&mut conn, &row, now).await?;
                    let at = at.as_ref().map(|text| instant(&zone, text)).transpose()?.unwrap_or(now);
                    let rota = load(&mut conn, &row, at, at).await?;
                    let shifts = rota.on_duty(at);
                    if json {
                        let shifts: Vec<_> =
                            shifts.iter().map(|shift| shift_json(&rota, shift, &name)).collect();
                        println!(
                            "{}",
                            json!({ "id": row.id, "name": row.name, "at": at, "on_duty": shifts })
                        );
                        continue;
                    }
                    println!("{} · {}", row.name, row.team);
                    for shift in &shifts {
                        let until = shift.end.to_zoned(zone.clone()).strftime("%a %Y-%m-%d %H:%M");
                        println!("  {} until {until}", words(&rota, shift, &name));
                    }
                    let layers = rota.version(at).map_or(0, |version| version.layers.len());
                    for layer in 0..layers {
                        if shifts.iter().all(|shift| shift.layer != layer) {
                            let says =
                                if rota.is_in_force(layer, at) { "NOBODY" } else { "nobody has to be" };
                            println!("  {says} ({})", layer_name(&rota, layer, at));
                        }
                    }
                }
                Ok(())
            }
        }
    }
}

impl Which {
    async fn rows(&self, conn: &mut Conn) -> Result<Vec<Row>> {
        let found = match (&self.id, &self.name) {
            (Some(id), _) => store::find(conn, id).await?,
            (None, Some(name)) => store::find_by_name(conn, name).await?,
            (None, None) => return Ok(store::list(conn).await?),
        };
        let named = self.id.as_deref().or(self.name.as_deref()).unwrap_or_default();
        Ok(vec![found.with_context(|| format!("there is no rota `{named}`"))?])
    }
}

async fn load(conn: &mut Conn, row: &Row, from: Timestamp, to: Timestamp) -> Result<Rota> {
    store::load(conn, &row.id, from, to).await?.with_context(|| format!("there is no rota `{}`", row.id))
}

/// The zone of the plan that holds now, or else of the newest.
async fn zone(conn: &mut Conn, row: &Row, now: Timestamp) -> Result<TimeZone> {
    let rota = load(conn, row, now, now).await?;
    let version = rota.version(now).or(rota.versions.last());
    let layer = version.and_then(|version| version.layers.first());
    Ok(layer.map_or(TimeZone::UTC, |layer| layer.zone.clone()))
}

/// A time with its offset, or one in the rota's zone, or the beginning of a day there.
fn instant(zone: &TimeZone, text: &str) -> Result<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let local: DateTime =
        text.parse().map_err(|_| anyhow!("`{text}` is no time; write it as 2026-12-01T08:00"))?;
    Ok(zone.to_timestamp(local)?)
}

fn spell(zone: &TimeZone, from: Timestamp, to: Timestamp) -> String {
    let local = |at: Timestamp| at.to_zoned(zone.clone()).strftime("%a %Y-%m-%d %H:%M").to_string();
    format!("{} – {}", local(from), local(to))
}

fn words(rota: &Rota, shift: &Shift, name: &impl Fn(&str) -> String) -> String {
    let instead = shift.instead_of.as_ref().map(|id| format!(" instead of {}", name(id.as_str())));
    let layer = rota.layer_name(shift);
    format!("{} ({layer}){}", name(shift.account.as_str()), instead.unwrap_or_default())
}

/// What people call a layer at an instant.
fn layer_name(rota: &Rota, layer: usize, at: Timestamp) -> String {
    let found = rota.version(at).and_then(|version| version.layers.get(layer));
    found.map_or_else(|| format!("layer {}", layer + 1), |found| found.name.clone())
}

fn why(why: Why) -> &'static str {
    match why {
        Why::NoTurn => "no turn has begun, or the order is empty",
        Why::LetOut => "let out, and nobody stands in",
        Why::Gone => "the account cannot sign in",
    }
}

fn shift_json(rota: &Rota, shift: &Shift, name: &impl Fn(&str) -> String) -> serde_json::Value {
    json!({ "layer": shift.layer, "layer_name": rota.layer_name(shift), "account_id": shift.account,
        "name": name(shift.account.as_str()), "start": shift.start, "end": shift.end,
        "instead_of": shift.instead_of.as_ref().map(|id| name(id.as_str())), "override_id": shift.override_id })
}

fn gap_json(gap: &Gap) -> serde_json::Value {
    json!({ "layer": gap.layer, "from": gap.from, "to": gap.to, "why": why(gap.why) })
}
