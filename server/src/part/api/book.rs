//! Writing a movement down: what is asked is looked at as it stands, in turn, and refused with a word, or booked.

use jiff::Timestamp;

use crate::db::Conn;
use crate::error::ApiError;
use crate::part::store::{self, Kind, New};
use crate::part::{Load, No, Place, PlaceKind, admit};
use crate::user::Viewer;

/// What is moved, and why.
pub(super) struct Booking<'a> {
    /// Its id.
    pub id: &'a str,
    /// Of which kind.
    pub kind: &'a Kind,
    /// From where.
    pub from: &'a Place,
    /// To where.
    pub to: &'a Place,
    /// How many.
    pub quantity: i64,
    /// Which one.
    pub serial: &'a str,
    /// Whose; what has a serial number and lies inside keeps its owner.
    pub owner: &'a str,
    /// What it is called.
    pub why: &'a str,
    /// In words.
    pub note: &'a str,
    /// For which ticket.
    pub ticket: Option<&'a str>,
    /// On which visit.
    pub visit: Option<&'a str>,
    /// When it happened.
    pub at: Timestamp,
    /// The request, by which a repetition is known.
    pub asked: &'a str,
}

/// Books it; whose it was.
pub(super) async fn book(
    conn: &mut Conn,
    viewer: &Viewer,
    booking: &Booking<'_>,
    now: Timestamp,
) -> Result<String, ApiError> {
    let Booking { kind, from, to, .. } = booking;
    let at = store::whereabouts(conn, &kind.id, booking.serial).await?;
    let owner = match &at {
        Some((place, owner)) if !place.kind.is_outside() => owner.clone(),
        Some(_) | None => booking.owner.to_owned(),
    };
    let lies = store::lies(conn, &from.id, &kind.id, &owner).await?;
    let load = Load { by_serial: kind.by_serial == 1, quantity: booking.quantity, serial: booking.serial };
    admit(from, to, load, lies, at.as_ref().map(|found| &found.0)).map_err(|why| no(&why, kind))?;
    let new = New {
        id: booking.id,
        kind_id: &kind.id,
        from_id: &from.id,
        to_id: &to.id,
        quantity: booking.quantity,
        serial: booking.serial,
        owner_id: &owner,
        why: booking.why,
        note: booking.note,
        ticket_id: booking.ticket,
        visit_id: booking.visit,
        occurred_at: booking.at.as_millisecond(),
        actor_id: viewer.account.as_str(),
        actor: &viewer.name,
        asked: booking.asked,
    };
    store::insert_move(conn, &new, now).await?;
    Ok(owner)
}

/// A refusal in words.
pub(super) fn no(why: &No, kind: &Kind) -> ApiError {
    let (code, hint) = match why {
        No::Nowhere => ("nowhere", "name two places, one of them ours"),
        No::Quantity(_) => ("quantity", "move 1 to 100000"),
        No::NeedsSerial => ("needs_serial", "name the serial number, one at a time"),
        No::HasNoSerial => ("has_no_serial", "leave the serial number out"),
        No::Below { .. } => ("not_enough", "look at what lies there, or count it anew"),
        No::Elsewhere => ("elsewhere", "look where it was moved to last"),
        No::NotYours => ("not_yours", "ask the desk"),
    };
    let text = format!("{}: {why}", kind.number);
    match why {
        No::NotYours => ApiError::forbidden(code, text),
        No::Nowhere
        | No::Quantity(_)
        | No::NeedsSerial
        | No::HasNoSerial
        | No::Below { .. }
        | No::Elsewhere => ApiError::conflict(code, text),
    }
    .hint(hint)
}

/// A kind by its id.
pub(super) async fn kind(conn: &mut Conn, id: &str) -> Result<Kind, ApiError> {
    store::find_kind(conn, id).await?.ok_or_else(|| ApiError::not_found("kind of part", id))
}

/// A place by its id; those of which there is one only are made when they are first named.
pub(super) async fn place(conn: &mut Conn, viewer: &Viewer, id: &str) -> Result<Place, ApiError> {
    if let Some(kind) = PlaceKind::parse(id).filter(|kind| kind.is_single()) {
        return Ok(store::single(conn, kind).await?);
    }
    let found = store::find_place(conn, &viewer.scope, id).await?;
    found.map(|row| row.place()).ok_or_else(|| ApiError::not_found("place", id))
}
