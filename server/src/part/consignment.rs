//! What is sent to a customer's site: spares that lie there for months, listed with how often each kind is replaced, and
//! parts that replace what failed. Nothing goes before the list and what was packed are the same. Pure.

/// What it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Spares that lie at the site.
    Spares,
    /// Parts that replace what failed, for a ticket.
    Parts,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Spares, Self::Parts];

    /// The word in the database and on the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spares => "spares",
            Self::Parts => "parts",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// On what terms the customer has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supply {
    /// The contract's price covers it.
    Included,
    /// It is sold.
    Sale,
    /// It is rented and stays ours.
    Rental,
}

impl Supply {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Included, Self::Sale, Self::Rental];

    /// The word in the database and on the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Included => "included",
            Self::Sale => "sale",
            Self::Rental => "rental",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }

    /// Whether it is the customer's from then on.
    pub fn becomes_theirs(self) -> bool {
        match self {
            Self::Included | Self::Sale => true,
            Self::Rental => false,
        }
    }
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Listed; it may still change.
    Open,
    /// Looked at against the list, and on its way.
    Released,
    /// The customer has it.
    Delivered,
    /// It came back.
    Returned,
    /// Given up before it went.
    Dropped,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Open, Self::Released, Self::Delivered, Self::Returned, Self::Dropped];

    /// The word in the database and on the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Released => "released",
            Self::Delivered => "delivered",
            Self::Returned => "returned",
            Self::Dropped => "dropped",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }

    /// Whether it may end so.
    pub fn may_become(self, end: Self) -> bool {
        matches!(
            (self, end),
            (Self::Open, Self::Dropped) | (Self::Released, Self::Delivered | Self::Returned)
        )
    }
}

/// A kind of which not as many were packed as are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference<'a> {
    /// Which kind.
    pub kind: &'a str,
    /// So many are on the list.
    pub listed: i64,
    /// So many were packed.
    pub packed: i64,
}

/// Where a list and what was packed differ, in the list's order, then what is on no list.
pub fn compare<'a>(listed: &[(&'a str, i64)], packed: &[(&'a str, i64)]) -> Vec<Difference<'a>> {
    let mut kinds: Vec<&str> = Vec::new();
    for (kind, _) in listed.iter().chain(packed) {
        if !kinds.contains(kind) {
            kinds.push(kind);
        }
    }
    let sum = |of: &[(&str, i64)], kind: &str| -> i64 {
        of.iter().filter(|(one, _)| *one == kind).fold(0, |all, (_, n)| all.saturating_add(*n))
    };
    let differences = kinds.into_iter().map(|kind| Difference {
        kind,
        listed: sum(listed, kind),
        packed: sum(packed, kind),
    });
    differences.filter(|one| one.listed != one.packed).collect()
}

/// 1/100 % in a whole.
const WHOLE_BP: i64 = 10_000;
/// The highest rate: each is replaced ten times a year.
pub const RATE_MAX_BP: i64 = 10 * WHOLE_BP;
/// The longest time for which spares are listed, months.
pub const MONTHS_MAX: i64 = 120;

/// How many spares are needed for so many in use, of which `rate_bp` in 1/100 % are replaced in a year; rounded up, for
/// half a camera replaces nothing.
pub fn needed(installed: i64, rate_bp: i64, months: i64) -> i64 {
    let replaced = i128::from(installed.max(0)) * i128::from(rate_bp.max(0)) * i128::from(months.max(0));
    let whole = i128::from(WHOLE_BP) * 12;
    i64::try_from((replaced + whole - 1) / whole).unwrap_or(i64::MAX)
}

/// How many of those in use were replaced, as a rate for a year in 1/100 %; `None` where nothing is in use, or where it was
/// looked at for less than a month.
pub fn observed_bp(used: i64, days: i64, installed: i64) -> Option<i64> {
    (installed > 0 && days >= 30).then(|| {
        let rate =
            i128::from(used.max(0)) * 365 * i128::from(WHOLE_BP) / (i128::from(days) * i128::from(installed));
        i64::try_from(rate).unwrap_or(RATE_MAX_BP).min(RATE_MAX_BP)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_what_is_listed_or_it_does_not_go() {
        let listed = [("cam", 3), ("psu", 1)];
        assert_eq!(compare(&listed, &[("psu", 1), ("cam", 2), ("cam", 1)]), []);
        let differ = compare(&listed, &[("cam", 2), ("fan", 1)]);
        let told: Vec<_> = differ.iter().map(|one| (one.kind, one.listed, one.packed)).collect();
        assert_eq!(told, [("cam", 3, 2), ("psu", 1, 0), ("fan", 0, 1)]);
        assert_eq!(compare(&[("cam", i64::MAX), ("cam", i64::MAX)], &[("cam", i64::MAX)]), []);
    }

    #[test]
    fn so_many_are_needed() {
        // 117 cameras of which 5 % are replaced in a year: 11.7 in two years.
        assert_eq!(needed(117, 500, 24), 12);
        assert_eq!(needed(4, 500, 24), 1, "less than one is one");
        assert_eq!((needed(0, 500, 24), needed(4, 0, 24), needed(4, 500, 0)), (0, 0, 0));
        assert_eq!(needed(100, 1200, 12), 12, "what comes out even is not rounded");
        assert_eq!(needed(i64::MAX, RATE_MAX_BP, MONTHS_MAX), i64::MAX);
        assert_eq!(observed_bp(6, 365, 120), Some(500));
        assert_eq!(observed_bp(3, 182, 120), Some(501));
        assert_eq!((observed_bp(3, 29, 120), observed_bp(3, 365, 0)), (None, None));
        assert_eq!(observed_bp(i64::MAX, 30, 1), Some(RATE_MAX_BP));
    }

    #[test]
    fn it_goes_one_way() {
        let ends = |from: State| State::ALL.into_iter().filter(|to| from.may_become(*to)).collect::<Vec<_>>();
        assert_eq!(ends(State::Open), [State::Dropped]);
        assert_eq!(ends(State::Released), [State::Delivered, State::Returned]);
        for over in [State::Delivered, State::Returned, State::Dropped] {
            assert_eq!(ends(over), []);
        }
        assert!(State::ALL.iter().all(|one| State::parse(one.as_str()) == Some(*one)));
        assert!(Supply::ALL.iter().all(|one| Supply::parse(one.as_str()) == Some(*one)));
        assert!(Purpose::ALL.iter().all(|one| Purpose::parse(one.as_str()) == Some(*one)));
        assert!(!Supply::Rental.becomes_theirs() && Supply::Sale.becomes_theirs());
    }
}
