//! Parts: what lies in which place, ours and customers' apart, and how it came there.
//!
//! Stock is double-entry. A movement takes a quantity, or the one with a serial number, from one place to another and
//! is never changed; what lies somewhere is the sum of the movements. The world outside (suppliers, what is built in,
//! what is lost) is made of places too, and only these have no bottom: nowhere else can there be less than nothing, and
//! what has a serial number is at exactly one place.

pub mod api;
pub mod consignment;
pub mod forecast;
pub mod loaner;
pub mod repair;
pub mod step;
pub mod store;

use crate::user::{Act, Role, allows};

/// What kind of place it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceKind {
    /// A depot of ours.
    Depot,
    /// The van of a person.
    Van,
    /// At a customer's site: the spares that lie there, and substitute devices.
    Site,
    /// Where things are repaired.
    Workshop,
    /// Who sells to us.
    Supplier,
    /// Built in, or thrown away after use.
    Used,
    /// Nobody knows.
    Lost,
}

impl PlaceKind {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Depot, Self::Van, Self::Site, Self::Workshop, Self::Supplier, Self::Used, Self::Lost];

    /// The word in the database and on the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Depot => "depot",
            Self::Van => "van",
            Self::Site => "site",
            Self::Workshop => "workshop",
            Self::Supplier => "supplier",
            Self::Used => "used",
            Self::Lost => "lost",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }

    /// Whether it is the world outside, which has no bottom. There is one of each, named by its word.
    pub fn is_outside(self) -> bool {
        match self {
            Self::Supplier | Self::Used | Self::Lost => true,
            Self::Depot | Self::Van | Self::Site | Self::Workshop => false,
        }
    }

    /// Whether there is only one, named by its word.
    pub fn is_single(self) -> bool {
        self.is_outside() || self == Self::Workshop
    }
}

/// A place as a movement sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Names it.
    pub id: String,
    /// What it is.
    pub kind: PlaceKind,
    /// Whose van it is.
    pub account: Option<String>,
}

/// What is to be moved.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// Whether each of the kind has a number of its own.
    pub by_serial: bool,
    /// How many.
    pub quantity: i64,
    /// Which; empty where the kind has no numbers.
    pub serial: &'a str,
}

/// The most that one movement moves.
pub const QUANTITY_MAX: i64 = 100_000;

/// Why nothing can be moved so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum No {
    /// Both ends are one place, or both lie outside.
    #[error("nothing goes from there to there")]
    Nowhere,
    /// The number is not one that can be moved.
    #[error("{0} is no number of parts that can be moved")]
    Quantity(i64),
    /// Each of the kind has a serial number.
    #[error("each of this kind has a serial number and is moved alone")]
    NeedsSerial,
    /// The kind has none.
    #[error("this kind has no serial numbers")]
    HasNoSerial,
    /// There are not so many.
    #[error("{has} lie there, {wants} are wanted")]
    Below {
        /// How many there are.
        has: i64,
        /// How many are wanted.
        wants: i64,
    },
    /// The serial number is at another place.
    #[error("this serial number is not there")]
    Elsewhere,
    /// Somebody else's place.
    #[error("only those who lead move parts between places that are not their own van")]
    NotYours,
}

/// Whether a load can be moved: `lies` is how many of the kind and the owner lie at the beginning, `at` where the serial
/// number is, if it ever was anywhere.
pub fn admit(from: &Place, to: &Place, load: Load<'_>, lies: i64, at: Option<&Place>) -> Result<(), No> {
    if from.id == to.id || (from.kind.is_outside() && to.kind.is_outside()) {
        return Err(No::Nowhere);
    }
    if !(1..=QUANTITY_MAX).contains(&load.quantity) {
        return Err(No::Quantity(load.quantity));
    }
    match (load.by_serial, load.serial.is_empty()) {
        (true, true) => return Err(No::NeedsSerial),
        (true, false) if load.quantity != 1 => return Err(No::NeedsSerial),
        (false, false) => return Err(No::HasNoSerial),
        (true, false) => {
            let there = match at {
                Some(place) if place.kind.is_outside() => from.kind.is_outside(),
                Some(place) => place.id == from.id,
                None => from.kind.is_outside(),
            };
            if !there {
                return Err(No::Elsewhere);
            }
        }
        (false, true) => {}
    }
    if !from.kind.is_outside() && lies < load.quantity {
        return Err(No::Below { has: lies, wants: load.quantity });
    }
    Ok(())
}

/// Whether a person may move between these places: whoever leads moves anything; a technician what goes into or out of
/// the own van, within our own places and to what is lost.
pub fn may_move(role: Role, account: &str, from: &Place, to: &Place) -> Result<(), No> {
    let is_own = |place: &Place| place.kind == PlaceKind::Van && place.account.as_deref() == Some(account);
    let is_ours = |place: &Place| {
        matches!(place.kind, PlaceKind::Depot | PlaceKind::Site | PlaceKind::Workshop | PlaceKind::Lost)
            || is_own(place)
    };
    let fits = allows(role, Act::WorkParts)
        && from.kind != PlaceKind::Lost
        && (is_own(from) || is_own(to))
        && is_ours(from)
        && is_ours(to);
    if allows(role, Act::EditParts) || fits { Ok(()) } else { Err(No::NotYours) }
}

/// What a movement by hand is called.
pub fn why(from: PlaceKind, to: PlaceKind) -> &'static str {
    use PlaceKind as K;
    match (from, to) {
        (K::Supplier, _) => "bought",
        (_, K::Supplier) => "sent_back",
        (K::Lost, _) => "found",
        (_, K::Lost) => "lost",
        (K::Used, _) => "taken_out",
        (_, K::Used) => "used",
        (K::Depot | K::Van | K::Site | K::Workshop, K::Depot | K::Van | K::Site | K::Workshop) => "moved",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(kind: PlaceKind, id: &str) -> Place {
        let account = (kind == PlaceKind::Van).then(|| id.to_owned());
        Place { id: id.into(), kind, account }
    }

    #[test]
    fn nothing_falls_below_zero_and_nothing_comes_from_nowhere() {
        let (depot, van) = (place(PlaceKind::Depot, "d"), place(PlaceKind::Van, "li"));
        let (supplier, used) = (place(PlaceKind::Supplier, "supplier"), place(PlaceKind::Used, "used"));
        let load = |quantity| Load { by_serial: false, quantity, serial: "" };
        assert_eq!(admit(&supplier, &depot, load(5), 0, None), Ok(()));
        assert_eq!(admit(&depot, &van, load(5), 5, None), Ok(()));
        assert_eq!(admit(&depot, &van, load(6), 5, None), Err(No::Below { has: 5, wants: 6 }));
        assert_eq!(admit(&depot, &depot, load(1), 5, None), Err(No::Nowhere));
        assert_eq!(admit(&supplier, &used, load(1), 5, None), Err(No::Nowhere));
        for wrong in [0, -1, QUANTITY_MAX + 1] {
            assert_eq!(admit(&depot, &van, load(wrong), 5, None), Err(No::Quantity(wrong)));
        }
    }

    #[test]
    fn a_serial_number_is_at_one_place() {
        let (depot, van) = (place(PlaceKind::Depot, "d"), place(PlaceKind::Van, "li"));
        let (supplier, used) = (place(PlaceKind::Supplier, "supplier"), place(PlaceKind::Used, "used"));
        let one = Load { by_serial: true, quantity: 1, serial: "S1" };
        assert_eq!(admit(&supplier, &depot, one, 0, None), Ok(()));
        assert_eq!(admit(&supplier, &depot, one, 0, Some(&van)), Err(No::Elsewhere), "it was bought once");
        assert_eq!(admit(&depot, &van, one, 3, Some(&van)), Err(No::Elsewhere));
        assert_eq!(admit(&depot, &van, one, 3, None), Err(No::Elsewhere));
        assert_eq!(admit(&depot, &van, one, 3, Some(&depot)), Ok(()));
        assert_eq!(admit(&used, &van, one, 0, Some(&used)), Ok(()), "taken out again");
        let two = Load { quantity: 2, ..one };
        assert_eq!(admit(&depot, &van, two, 3, Some(&depot)), Err(No::NeedsSerial));
        assert_eq!(admit(&depot, &van, Load { serial: "", ..one }, 3, None), Err(No::NeedsSerial));
        let plain = Load { by_serial: false, ..one };
        assert_eq!(admit(&depot, &van, plain, 3, Some(&depot)), Err(No::HasNoSerial));
    }

    #[test]
    fn a_technician_moves_by_the_own_van() {
        let (depot, other) = (place(PlaceKind::Depot, "d"), place(PlaceKind::Van, "wang"));
        let (own, supplier) = (place(PlaceKind::Van, "li"), place(PlaceKind::Supplier, "supplier"));
        let lost = place(PlaceKind::Lost, "lost");
        let may = |from: &Place, to: &Place| may_move(Role::Technician, "li", from, to).is_ok();
        assert!(may(&depot, &own) && may(&own, &depot) && may(&own, &lost));
        assert!(!may(&depot, &other) && !may(&other, &own) && !may(&supplier, &own) && !may(&lost, &own));
        assert_eq!(may_move(Role::Noc, "li", &supplier, &other), Ok(()));
        assert_eq!(may_move(Role::Customer, "li", &depot, &own), Err(No::NotYours));
    }

    #[test]
    fn words_are_read_back() {
        assert!(PlaceKind::ALL.iter().all(|kind| PlaceKind::parse(kind.as_str()) == Some(*kind)));
        assert_eq!(why(PlaceKind::Depot, PlaceKind::Van), "moved");
        assert_eq!(why(PlaceKind::Supplier, PlaceKind::Van), "bought");
    }
}
