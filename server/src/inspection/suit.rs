//! Which days of its window suit an inspection: where our people are near anyway, and where they have time. Pure. What a plan
//! proposes depends on nothing but the contract; this stands beside it, for whoever agrees on the day.

use jiff::civil::Date;

use crate::site::place::{Place, distance_km};

/// Sites so near to each other are visited in one day, km.
pub const NEAR_KM: f64 = 20.0;
/// Visits that one person makes in a day; a day with so many for everybody is full.
const VISITS_A_DAY: usize = 3;
/// Days of one answer.
const DAYS_MAX: usize = 5;

/// Something else that is planned on a day.
#[derive(Clone, Debug, PartialEq)]
pub struct Other {
    /// On which day, at its site.
    pub day: Date,
    /// Its site.
    pub site_id: String,
    /// The site's name.
    pub site_name: String,
    /// The site's name in Chinese; may be empty.
    pub site_name_zh: String,
    /// Where the site lies; `None` where nobody has said.
    pub place: Option<Place>,
    /// Somebody goes there that day: a visit is planned. Otherwise it is an inspection whose day is still to be agreed.
    pub is_visit: bool,
}

/// Something else that is planned near the site.
#[derive(Clone, Debug, PartialEq)]
pub struct Near<'a> {
    /// How far its site is, km; 0 at the same site.
    pub km: f64,
    /// What it is.
    pub other: &'a Other,
}

/// A day with what speaks for it and against it.
#[derive(Clone, Debug, PartialEq)]
pub struct Suit<'a> {
    /// The day.
    pub day: Date,
    /// What is planned near the site, the nearest first.
    pub near: Vec<Near<'a>>,
    /// All visits that are planned for the day.
    pub visits: usize,
    /// Everybody has as many visits as one makes in a day.
    pub full: bool,
}

/// The days that suit best: those with time before those without, then where most is planned near, then where least is planned at
/// all, then the nearest to the day that stands.
pub fn suits<'a>(
    days: impl Iterator<Item = Date>,
    (site, place): (&str, Option<Place>),
    (others, people): (&'a [Other], usize),
    stands: Date,
) -> Vec<Suit<'a>> {
    let km = |other: &Other| {
        if other.site_id == site { Some(0.0) } else { Some(distance_km(place?, other.place?)) }
    };
    let mut all: Vec<Suit<'a>> = days
        .map(|day| {
            let there = others.iter().filter(|other| other.day == day);
            let visits = there.clone().filter(|other| other.is_visit).count();
            let near = there.filter_map(|other| Some(Near { km: km(other)?, other }));
            let mut near: Vec<Near<'a>> = near.filter(|near| near.km <= NEAR_KM).collect();
            near.sort_by(|a, b| a.km.total_cmp(&b.km));
            Suit { day, near, visits, full: people > 0 && visits >= VISITS_A_DAY * people }
        })
        .collect();
    all.sort_by_key(|one| {
        let off = (one.day - stands).get_days().abs();
        (one.full, std::cmp::Reverse(one.near.len()), one.visits, off)
    });
    all.truncate(DAYS_MAX);
    all
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn other(day: i8, site: &str, north: Option<f64>, is_visit: bool) -> Other {
        Other {
            day: date(2026, 12, day),
            site_id: site.into(),
            site_name: site.into(),
            site_name_zh: String::new(),
            place: north.map(|north| Place { lat: 22.0 + north, lon: 113.5 }),
            is_visit,
        }
    }

    fn days() -> impl Iterator<Item = Date> {
        (1..=4).map(|day| date(2026, 12, day))
    }

    #[test]
    fn near_sites_first_full_days_last_then_the_emptier_then_the_nearer() {
        let place = Some(Place { lat: 22.0, lon: 113.5 });
        let others = [
            // Full: one person, three visits, though all are near.
            other(1, "a", Some(0.01), true),
            other(1, "b", Some(0.02), true),
            other(1, "f", Some(0.03), true),
            // One near, one whose place nobody knows.
            other(2, "c", Some(0.1), false),
            other(2, "d", None, true),
            // A visit far away.
            other(3, "e", Some(2.0), true),
        ];
        let told = suits(days(), ("x", place), (&others, 1), date(2026, 12, 3));
        let told: Vec<(i8, usize, usize, bool)> =
            told.iter().map(|one| (one.day.day(), one.near.len(), one.visits, one.full)).collect();
        assert_eq!(told, [(2, 1, 1, false), (4, 0, 0, false), (3, 0, 1, false), (1, 3, 3, true)]);
    }

    #[test]
    fn the_same_site_is_near_also_where_nobody_knows_its_place() {
        let others = [other(4, "x", None, true), other(3, "a", Some(0.0), true)];
        let told = suits(days(), ("x", None), (&others, 9), date(2026, 12, 1));
        assert_eq!((told[0].day.day(), told[0].near[0].km), (4, 0.0));
        assert!(told[1..].iter().all(|one| one.near.is_empty()));
    }
}
