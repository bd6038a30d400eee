//! What the API says of rotas: shifts, gaps, overrides, with the names people read.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::db::Conn;
use crate::rota::plan::Plan;
use crate::rota::store::{self, VersionRow, change};
use crate::rota::{GAPS_DAYS, Gap, Rota, Shift, Why};
use crate::user::{self, AccountId};

/// Somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Person {
    /// Names the account.
    pub id: String,
    /// What others read.
    pub name: String,
    /// Whether the account can no longer sign in.
    pub gone: bool,
}

/// A rota in a list, with who is on duty now.
#[derive(Debug, Serialize, ToSchema)]
pub struct RotaSummary {
    /// Names it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Free text.
    pub note: String,
    /// Whose it is.
    pub team_id: String,
    /// What people call the team.
    pub team: String,
    /// Where its times are local.
    pub zone: String,
    /// The names of its layers, first line first.
    pub layers: Vec<String>,
    /// Unix ms; from then on it is not kept any more.
    pub archived_at: Option<i64>,
    /// Whether somebody has to be on duty now, by layer.
    pub in_force: Vec<bool>,
    /// Who is on duty now, first line first.
    pub on_duty: Vec<ShiftView>,
    /// The next shifts to begin, one a layer, within 14 days.
    pub next: Vec<ShiftView>,
    /// The gaps of the next 14 days.
    pub gaps: Vec<GapView>,
}

/// A rota with its plan and its past plans.
#[derive(Debug, Serialize, ToSchema)]
pub struct RotaDetail {
    /// The rota and who is on duty now.
    #[serde(flatten)]
    pub rota: RotaSummary,
    /// What holds now; for a rota whose first version is still to come, that one.
    pub plan: Plan,
    /// Every version, oldest first.
    pub versions: Vec<VersionView>,
    /// Everybody that a version names.
    pub people: Vec<Person>,
}

/// A version.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionView {
    /// From 1.
    pub version: i64,
    /// Unix ms: from when it holds.
    pub from_at: i64,
    /// Why it was made.
    pub reason: String,
    /// Who made it, by name then.
    pub actor: String,
    /// Unix ms.
    pub created_at: i64,
    /// What it says.
    pub plan: Plan,
}

/// One person's unbroken time on duty.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShiftView {
    /// 0 is the first line.
    pub layer: usize,
    /// Who.
    pub account_id: String,
    /// What others read.
    pub name: String,
    /// Who had been planned, where an override changed it.
    pub instead_of: Option<Person>,
    /// The override by which the person is on duty.
    pub override_id: Option<String>,
    /// Unix ms.
    pub start_at: i64,
    /// Unix ms, itself not included.
    pub end_at: i64,
    /// When the turn began that this lies in, Unix ms.
    pub turn_start_at: i64,
    /// When the turn is handed over, Unix ms.
    pub turn_end_at: i64,
}

/// Time in which nobody is on duty although somebody has to be.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GapView {
    /// 0 is the first line.
    pub layer: usize,
    /// Unix ms.
    pub from_at: i64,
    /// Unix ms, itself not included.
    pub to_at: i64,
    /// `no_turn` (the order is empty, or its first turn has not begun), `let_out` (overrides let everybody out) or
    /// `gone` (the account cannot sign in).
    pub why: &'static str,
}

/// An override.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OverrideView {
    /// Names it.
    pub id: String,
    /// In which layer; `null` is all of them.
    pub layer: Option<i64>,
    /// Who is let out.
    pub out: Option<Person>,
    /// Who is on duty instead or besides.
    pub by: Option<Person>,
    /// Unix ms.
    pub from_at: i64,
    /// Unix ms, itself not included.
    pub to_at: i64,
    /// Why.
    pub reason: String,
    /// The swap it comes from.
    pub swap_id: Option<String>,
    /// Who made it, by name then.
    pub actor: String,
    /// Unix ms.
    pub created_at: i64,
    /// Unix ms. One that had begun stood until then.
    pub removed_at: Option<i64>,
    /// Who removed it.
    pub removed_by: Option<String>,
}

/// Names by account.
#[derive(Debug, Default)]
pub struct Names(HashMap<String, Person>);

impl Names {
    /// Everybody's.
    pub async fn load(conn: &mut Conn) -> sqlx::Result<Self> {
        let accounts = user::store::list_accounts(conn).await?;
        let people = accounts.into_iter().map(|account| {
            let id = account.id.to_string();
            (id.clone(), Person { id, name: account.name, gone: account.disabled != 0 })
        });
        Ok(Self(people.collect()))
    }

    /// Whether there is such an account.
    pub fn knows(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    /// All of them.
    pub fn everybody(&self) -> impl Iterator<Item = &Person> {
        self.0.values()
    }

    /// Somebody by the id; an account that is not there any more is its own name.
    pub fn person(&self, id: &str) -> Person {
        let known = self.0.get(id).cloned();
        known.unwrap_or_else(|| Person { id: id.to_owned(), name: id.to_owned(), gone: true })
    }

    /// A shift as people read it.
    pub fn shift(&self, shift: &Shift) -> ShiftView {
        ShiftView {
            layer: shift.layer,
            account_id: shift.account.to_string(),
            name: self.person(shift.account.as_str()).name,
            instead_of: shift.instead_of.as_ref().map(|id| self.person(id.as_str())),
            override_id: shift.override_id.as_ref().map(ToString::to_string),
            start_at: shift.start.as_millisecond(),
            end_at: shift.end.as_millisecond(),
            turn_start_at: shift.turn.begin.as_millisecond(),
            turn_end_at: shift.turn.end.as_millisecond(),
        }
    }

    /// An override as people read it.
    pub fn change(&self, row: change::Row) -> OverrideView {
        OverrideView {
            id: row.id.to_string(),
            layer: row.layer,
            out: row.out_id.map(|id| self.person(&id)),
            by: row.by_id.map(|id| self.person(&id)),
            from_at: row.from_at,
            to_at: row.to_at,
            reason: row.reason,
            swap_id: row.swap_id,
            actor: row.actor,
            created_at: row.created_at,
            removed_at: row.removed_at,
            removed_by: row.removed_by,
        }
    }
}

impl From<Gap> for GapView {
    fn from(gap: Gap) -> Self {
        let why = match gap.why {
            Why::NoTurn => "no_turn",
            Why::LetOut => "let_out",
            Why::Gone => "gone",
        };
        Self { layer: gap.layer, from_at: gap.from.as_millisecond(), to_at: gap.to.as_millisecond(), why }
    }
}

/// A version with its plan.
pub fn version(row: &VersionRow) -> sqlx::Result<VersionView> {
    Ok(VersionView {
        version: row.version,
        from_at: row.from_at,
        reason: row.reason.clone(),
        actor: row.actor.clone(),
        created_at: row.created_at,
        plan: row.plan()?,
    })
}

/// The version that holds at `now`, or else the first one.
pub fn holding(versions: &[VersionRow], now: Timestamp) -> Option<&VersionRow> {
    let now = now.as_millisecond();
    versions.iter().rev().find(|version| version.from_at <= now).or(versions.first())
}

/// A rota as a list shows it.
pub fn summary(
    row: store::Row,
    rota: &Rota,
    plan: &Plan,
    names: &Names,
    gone: &BTreeSet<AccountId>,
    now: Timestamp,
) -> RotaSummary {
    let until = now + SignedDuration::from_hours(24 * GAPS_DAYS);
    let coming = rota.shifts(now, until);
    let next = (0..plan.layers.len())
        .filter_map(|layer| coming.iter().find(|shift| shift.layer == layer && shift.start > now))
        .map(|shift| names.shift(shift))
        .collect();
    RotaSummary {
        id: row.id.to_string(),
        name: row.name,
        note: row.note,
        team_id: row.team_id.to_string(),
        team: row.team,
        zone: plan.zone.clone(),
        layers: plan.layers.iter().map(|layer| layer.name.clone()).collect(),
        archived_at: row.archived_at,
        in_force: (0..plan.layers.len()).map(|layer| rota.is_in_force(layer, now)).collect(),
        on_duty: rota.on_duty(now).iter().map(|shift| names.shift(shift)).collect(),
        next,
        gaps: rota.gaps(now, until, gone).into_iter().map(GapView::from).collect(),
    }
}
