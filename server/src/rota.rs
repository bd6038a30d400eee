//! Who is on duty: teams, their rotas, shifts, overrides and gaps.
//! A rota is a list of versions, and each holds from one instant until the next one begins, so what was is never
//! changed by what is planned. A version has layers (the first line, the second), a layer has an order of people
//! whose [`Turn`]s follow each other, and a [`Window`] that says when anybody is on duty at all. Overrides put one
//! person in another's place, add somebody or let somebody out, for a span.
//! Everything here is a function of a loaded [`Rota`] and of instants. Spans are half open: who comes on at 08:00 is
//! on duty at 08:00:00, and who goes is not. A clock reading that a change of the clocks skips is the instant of the
//! change; of one that it repeats, a turn and a window begin at the first and a window ends at the last.

pub mod api;
pub mod feed;
pub mod pay;
pub mod plan;
pub mod store;
pub mod swap;
pub mod turn;
pub mod window;

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::id::id;
use crate::user::AccountId;

pub use turn::{Every, Turn, Turns};
pub use window::Window;

id! {
    /// Names a team.
    TeamId
}
id! {
    /// Names a rota.
    RotaId
}
id! {
    /// Names an override.
    OverrideId
}

/// Layers of a rota.
pub const LAYERS_MAX: usize = 8;
/// Turns of a layer before its order begins anew.
pub const ORDER_MAX: usize = 64;
/// People on one turn.
pub const TOGETHER_MAX: usize = 8;
/// How far ahead gaps are looked for, days.
pub const GAPS_DAYS: i64 = 14;
/// The longest time that is laid out at once, days.
pub const SPAN_DAYS_MAX: i64 = 400;
/// The most pieces that one layer is cut into at once; what lies beyond is left out.
const PIECES_MAX: usize = 20_000;

/// A rota as it was, is and is planned.
#[derive(Clone, Debug, Default)]
pub struct Rota {
    /// By number; a later one holds from its instant on, whatever an earlier one says.
    pub versions: Vec<Version>,
    /// In the order in which they were made, so that a later one can change what an earlier one did.
    pub overrides: Vec<Override>,
    /// From when on it is no longer kept.
    pub ends_at: Option<Timestamp>,
}

/// What holds from an instant on.
#[derive(Clone, Debug)]
pub struct Version {
    /// From when.
    pub from: Timestamp,
    /// The first line first.
    pub layers: Vec<Layer>,
}

/// People who take turns.
#[derive(Clone, Debug)]
pub struct Layer {
    /// What people call it.
    pub name: String,
    /// Where its times are local.
    pub zone: TimeZone,
    /// When one turn follows another.
    pub turns: Turns,
    /// Who has the first turn, the second, and so on from the beginning again. Several people share a turn.
    pub order: Vec<Vec<AccountId>>,
    /// When anybody is on duty.
    pub window: Window,
}

/// What an override does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// One person stands in for another.
    Replace {
        /// Who is let out.
        out: AccountId,
        /// Who stands in.
        by: AccountId,
    },
    /// One person is on duty besides, whatever the window says.
    Add {
        /// Who.
        by: AccountId,
    },
    /// One person is let out, and nobody stands in.
    Remove {
        /// Who.
        out: AccountId,
    },
}

/// A change of the plan for a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Names it.
    pub id: OverrideId,
    /// In which layer; `None` is all of them, and the first for who is added.
    pub layer: Option<usize>,
    /// What it does.
    pub change: Change,
    /// From when.
    pub from: Timestamp,
    /// Until when, itself not included.
    pub to: Timestamp,
}

/// One person's unbroken time on duty within one turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    /// In which layer.
    pub layer: usize,
    /// Who.
    pub account: AccountId,
    /// Who had been planned, where an override changed it.
    pub instead_of: Option<AccountId>,
    /// The override by which the person is on duty.
    pub override_id: Option<OverrideId>,
    /// From when.
    pub start: Timestamp,
    /// Until when, itself not included.
    pub end: Timestamp,
    /// The turn that it lies in; where somebody was added, the span of the override.
    pub turn: Turn,
}

/// Why nobody is on duty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The first turn has not begun, or the order is empty.
    NoTurn,
    /// Overrides let everybody out.
    LetOut,
    /// Everybody whose turn it is can no longer sign in.
    Gone,
}

/// Time in which a layer is in force and has nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Which layer.
    pub layer: usize,
    /// From when.
    pub from: Timestamp,
    /// Until when, itself not included.
    pub to: Timestamp,
    /// Why.
    pub why: Why,
}

impl Rota {
    /// Who is on duty at `at`, first line first; each shift whole, from its start to its end.
    pub fn on_duty(&self, at: Timestamp) -> Vec<Shift> {
        let next = Timestamp::from_nanosecond(at.as_nanosecond() + 1).unwrap_or(at);
        let mut shifts = self.shifts(at, next);
        shifts.sort_by(|a, b| (a.layer, a.start, &a.account).cmp(&(b.layer, b.start, &b.account)));
        shifts
    }

    /// The shifts that have a part in `from..to`, each whole, in order of their start.
    pub fn shifts(&self, from: Timestamp, to: Timestamp) -> Vec<Shift> {
        let mut shifts = Vec::new();
        for layer in 0..self.most_layers() {
            let mut standing: Vec<Shift> = Vec::new();
            let mut pieces = self.pieces(layer, from, to);
            self.lead_in(layer, &mut pieces);
            self.lead_out(layer, &mut pieces);
            for piece in &pieces {
                let (goes_on, over): (Vec<_>, Vec<_>) = standing
                    .into_iter()
                    .partition(|shift| piece.seats.iter().any(|seat| seat.continues(shift, piece)));
                shifts.extend(over);
                standing = goes_on;
                for seat in &piece.seats {
                    match standing.iter_mut().find(|shift| seat.continues(shift, piece)) {
                        Some(shift) => shift.end = piece.end,
                        None => standing.push(seat.shift(layer, piece)),
                    }
                }
            }
            shifts.extend(standing);
        }
        shifts.extend(self.added(from, to));
        shifts.retain(|shift| shift.start < to && from < shift.end);
        shifts.sort_by(|a, b| (a.start, a.layer, &a.account).cmp(&(b.start, b.layer, &b.account)));
        shifts
    }

    /// The time in `from..to` in which a layer is in force and nobody of it is on duty. Who is in `gone` counts as
    /// nobody: an account that cannot sign in, which is known only of now and of what comes.
    pub fn gaps(&self, from: Timestamp, to: Timestamp, gone: &BTreeSet<AccountId>) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = Vec::new();
        for layer in 0..self.most_layers() {
            let added = self.added(from, to);
            let first = gaps.len();
            for piece in self.pieces(layer, from, to).into_iter().filter(|piece| piece.in_force) {
                if piece.seats.iter().any(|seat| !gone.contains(&seat.account)) {
                    continue;
                }
                let why = match (piece.seats.is_empty(), piece.planned) {
                    (false, _) => Why::Gone,
                    (true, true) => Why::LetOut,
                    (true, false) => Why::NoTurn,
                };
                let there = |shift: &&Shift| shift.layer == layer && !gone.contains(&shift.account);
                for (begin, end) in without(piece.begin, piece.end, added.iter().filter(there)) {
                    match gaps[first..].last_mut() {
                        Some(gap) if gap.to == begin && gap.why == why => gap.to = end,
                        Some(_) | None => gaps.push(Gap { layer, from: begin, to: end, why }),
                    }
                }
            }
        }
        gaps.sort_by_key(|gap| (gap.from, gap.layer));
        gaps
    }

    /// Whether anybody has to be on duty at `at` in `layer`.
    pub fn is_in_force(&self, layer: usize, at: Timestamp) -> bool {
        self.piece(layer, at).in_force
    }

    /// What people call the layer of a shift, at its start.
    pub fn layer_name(&self, shift: &Shift) -> &str {
        let version = self.version(shift.start).or(self.versions.last());
        version.and_then(|version| version.layers.get(shift.layer)).map_or("", |layer| &layer.name)
    }

    /// For how long in `from..to` somebody of `layer` has to be on duty, seconds.
    pub fn in_force_s(&self, layer: usize, from: Timestamp, to: Timestamp) -> i64 {
        let pieces = self.pieces(layer, from, to);
        pieces
            .iter()
            .filter(|piece| piece.in_force)
            .map(|piece| piece.end.duration_since(piece.begin).as_secs())
            .sum()
    }

    /// The version that holds at `at`.
    pub fn version(&self, at: Timestamp) -> Option<&Version> {
        if self.ends_at.is_some_and(|end| end <= at) {
            return None;
        }
        self.versions.iter().rev().find(|version| version.from <= at)
    }

    fn most_layers(&self) -> usize {
        self.versions.iter().map(|version| version.layers.len()).max().unwrap_or(0)
    }

    /// `from..to` cut where anything may change; the first and the last piece are cut off there.
    fn pieces(&self, layer: usize, from: Timestamp, to: Timestamp) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut at = from;
        while at < to && pieces.len() < PIECES_MAX {
            let mut piece = self.piece(layer, at);
            piece.begin = at;
            piece.end = piece.end.min(to);
            at = piece.end;
            pieces.push(piece);
        }
        pieces
    }

    /// Puts before the first piece what its shifts began with.
    fn lead_in(&self, layer: usize, pieces: &mut Vec<Piece>) {
        let Some(mut first) = pieces.first().cloned() else { return };
        let mut before = Vec::new();
        while !first.seats.is_empty() && before.len() < PIECES_MAX {
            // The whole of the piece that was cut, then the one that ends where it begins.
            let whole = self.piece(layer, first.begin);
            let piece = if whole.begin < first.begin {
                Piece { end: first.begin, ..whole }
            } else if let Ok(at) = Timestamp::from_nanosecond(first.begin.as_nanosecond() - 1) {
                Piece { end: first.begin, ..self.piece(layer, at) }
            } else {
                break;
            };
            let goes_on = |seat: &Seat| first.seats.iter().any(|later| later.follows(seat, &piece, &first));
            if !piece.seats.iter().any(goes_on) {
                break;
            }
            before.push(piece.clone());
            first = piece;
        }
        before.reverse();
        pieces.splice(0..0, before);
    }

    /// Puts after the last piece what its shifts end with.
    fn lead_out(&self, layer: usize, pieces: &mut Vec<Piece>) {
        let mut count = 0;
        while let Some(last) = pieces.last().filter(|last| !last.seats.is_empty() && count < PIECES_MAX) {
            let mut piece = self.piece(layer, last.end);
            piece.begin = last.end;
            let goes_on = |seat: &Seat| piece.seats.iter().any(|later| later.follows(seat, last, &piece));
            if piece.begin >= piece.end || !last.seats.iter().any(goes_on) {
                break;
            }
            pieces.push(piece);
            count += 1;
        }
    }

    /// A stretch of time around `at` in which nothing changes.
    fn piece(&self, layer: usize, at: Timestamp) -> Piece {
        let mut piece = Piece::around(at);
        for edge in self.versions.iter().map(|version| version.from).chain(self.ends_at) {
            piece.cut(at, edge);
        }
        let Some(version) = self.version(at) else { return piece };
        piece.version = version.from;
        let Some(plan) = version.layers.get(layer) else { return piece };
        let (in_force, begin, end) = plan.window.around(&plan.zone, at);
        piece.cut(at, begin);
        piece.cut(at, end);
        piece.in_force = in_force;
        if !in_force {
            return piece;
        }
        let (turn, change) = plan.turns.at(&plan.zone, at);
        piece.cut(at, change);
        let Some(turn) = turn else { return piece };
        piece.cut(at, turn.begin);
        piece.cut(at, turn.end);
        let people = usize::try_from(turn.number).ok().filter(|_| !plan.order.is_empty());
        let people = people.map_or(&[][..], |number| &plan.order[number % plan.order.len()]);
        piece.turn = turn;
        piece.seats = people.iter().cloned().map(Seat::planned).collect();
        piece.planned = !piece.seats.is_empty();
        for change in &self.overrides {
            piece.cut(at, change.from);
            piece.cut(at, change.to);
            if change.from <= at && at < change.to && change.layer.is_none_or(|own| own == layer) {
                change.apply(&mut piece.seats);
            }
        }
        piece
    }

    /// Who was added, for the time that the rota is kept.
    fn added(&self, from: Timestamp, to: Timestamp) -> Vec<Shift> {
        let mut shifts = Vec::new();
        for change in &self.overrides {
            let Change::Add { by } = &change.change else { continue };
            let end = self.ends_at.map_or(change.to, |end| end.min(change.to));
            if change.from < end && change.from < to && from < end {
                shifts.push(Shift {
                    layer: change.layer.unwrap_or(0),
                    account: by.clone(),
                    instead_of: None,
                    override_id: Some(change.id.clone()),
                    start: change.from,
                    end,
                    turn: Turn { number: 0, begin: change.from, end },
                });
            }
        }
        shifts
    }
}

impl Override {
    fn apply(&self, seats: &mut Vec<Seat>) {
        match &self.change {
            Change::Replace { out, by } => {
                for seat in seats.iter_mut().filter(|seat| seat.account == *out) {
                    seat.instead_of = Some(seat.instead_of.take().unwrap_or_else(|| seat.account.clone()));
                    seat.account = by.clone();
                    seat.override_id = Some(self.id.clone());
                }
            }
            Change::Remove { out } => seats.retain(|seat| seat.account != *out),
            Change::Add { .. } => {}
        }
    }
}

/// A stretch of time in which nothing changes in a layer.
#[derive(Clone, Debug)]
struct Piece {
    begin: Timestamp,
    end: Timestamp,
    /// When the version began.
    version: Timestamp,
    in_force: bool,
    /// Whether the order names anybody.
    planned: bool,
    turn: Turn,
    seats: Vec<Seat>,
}

/// One person on duty.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seat {
    account: AccountId,
    instead_of: Option<AccountId>,
    override_id: Option<OverrideId>,
}

impl Piece {
    /// Everything there is, before it is cut.
    fn around(at: Timestamp) -> Self {
        Self {
            begin: Timestamp::MIN,
            end: Timestamp::MAX,
            version: Timestamp::MIN,
            in_force: false,
            planned: false,
            turn: Turn { number: 0, begin: at, end: at },
            seats: Vec::new(),
        }
    }

    fn cut(&mut self, at: Timestamp, edge: Timestamp) {
        if edge <= at {
            self.begin = self.begin.max(edge);
        } else {
            self.end = self.end.min(edge);
        }
    }
}

impl Seat {
    fn planned(account: AccountId) -> Self {
        Self { account, instead_of: None, override_id: None }
    }

    fn shift(&self, layer: usize, piece: &Piece) -> Shift {
        Shift {
            layer,
            account: self.account.clone(),
            instead_of: self.instead_of.clone(),
            override_id: self.override_id.clone(),
            start: piece.begin,
            end: piece.end,
            turn: piece.turn,
        }
    }

    /// Whether this seat of `piece` is the same shift: nothing between, the same person for the same reason, and no
    /// hand-over but by a new version.
    fn continues(&self, shift: &Shift, piece: &Piece) -> bool {
        let same = Self {
            account: shift.account.clone(),
            instead_of: shift.instead_of.clone(),
            override_id: shift.override_id.clone(),
        };
        shift.end == piece.begin
            && *self == same
            && (shift.turn.begin == piece.turn.begin || piece.begin == piece.version)
    }

    /// The same of two pieces that touch.
    fn follows(&self, earlier: &Self, before: &Piece, after: &Piece) -> bool {
        before.end == after.begin
            && self == earlier
            && (before.turn.begin == after.turn.begin || after.begin == after.version)
    }
}

/// What is left of `begin..end` without the time of `shifts`.
fn without<'a>(
    begin: Timestamp,
    end: Timestamp,
    shifts: impl Iterator<Item = &'a Shift>,
) -> Vec<(Timestamp, Timestamp)> {
    let mut left = vec![(begin, end)];
    for shift in shifts {
        left = left
            .into_iter()
            .flat_map(|(begin, end)| [(begin, end.min(shift.start)), (begin.max(shift.end), end)])
            .filter(|(begin, end)| begin < end)
            .collect();
    }
    left
}

#[cfg(test)]
mod tests;
