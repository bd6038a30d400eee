//! Whether whoever goes to a site will be there in time, by how far away it is. Pure.
//!
//! The way by road is taken as 1.4 times the distance over ground, its first 10 km at 25 km/h (a town), the rest at
//! 60 km/h; who has accepted and not set out yet needs 10 minutes to do so. Where nobody knows how far it is, it may
//! be near: nothing is foreseen but what was planned too late.

use jiff::{SignedDuration, Timestamp};

const ROAD: f64 = 1.4;
const TOWN_KM: f64 = 10.0;
const TOWN_KMH: f64 = 25.0;
const COUNTRY_KMH: f64 = 60.0;
const GET_READY: SignedDuration = SignedDuration::from_mins(10);

/// Somebody who has accepted a visit and is not there yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Way {
    /// The distance over ground, km.
    pub km: Option<f64>,
    /// Since when the visit is accepted.
    pub accepted_at: Timestamp,
    /// Since when somebody is on the way.
    pub departed_at: Option<Timestamp>,
    /// For when the visit is planned.
    pub planned_at: Option<Timestamp>,
}

impl Way {
    /// How long the way takes at least.
    pub fn travel(&self) -> SignedDuration {
        let road = self.km.unwrap_or(0.0).max(0.0) * ROAD;
        let hours = road.min(TOWN_KM) / TOWN_KMH + (road - TOWN_KM).max(0.0) / COUNTRY_KMH;
        SignedDuration::from_secs((hours * 3600.0).round() as i64)
    }

    /// When the person is there at the earliest, as it looks at `now`.
    pub fn arrives_at(&self, now: Timestamp) -> Timestamp {
        let leaves_at = self.departed_at.unwrap_or_else(|| now.max(later(self.accepted_at, GET_READY)));
        let there = later(leaves_at, self.travel()).max(now);
        match self.planned_at.filter(|_| self.departed_at.is_none()) {
            Some(planned) => there.max(planned),
            None => there,
        }
    }

    /// When the person must set out to be there at `due`; `None` where it is not known how far it is, or somebody is
    /// on the way.
    pub fn leave_by(&self, due: Timestamp) -> Option<Timestamp> {
        self.km.filter(|_| self.departed_at.is_none())?;
        due.checked_sub(self.travel()).ok()
    }
}

/// When the first of them is there, and which one that is.
pub fn first(ways: &[Way], now: Timestamp) -> Option<(usize, Timestamp)> {
    let there = ways.iter().map(|way| way.arrives_at(now)).enumerate();
    there.min_by_key(|(_, at)| *at)
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
    }

    fn going(km: Option<f64>) -> Way {
        Way { km, accepted_at: at(0), departed_at: None, planned_at: None }
    }

    #[test]
    fn the_way_takes_its_time_in_town_and_out_of_it() {
        // 5 km over ground are 7 km by road, all in town: 7 / 25 h = 16 min 48 s.
        assert_eq!(going(Some(5.0)).travel(), SignedDuration::from_secs(16 * 60 + 48));
        // 50 km are 70 km: 10 / 25 h + 60 / 60 h = 24 min + 60 min.
        assert_eq!(going(Some(50.0)).travel(), SignedDuration::from_mins(84));
        assert_eq!(going(None).travel(), SignedDuration::ZERO, "it may be next door");
    }

    #[test]
    fn who_has_not_set_out_leaves_in_ten_minutes_or_now() {
        let way = going(Some(50.0));
        assert_eq!(way.arrives_at(at(0)), at(94));
        assert_eq!(way.arrives_at(at(10)), at(94));
        assert_eq!(way.arrives_at(at(30)), at(114));
        assert_eq!(way.leave_by(at(120)), Some(at(36)));
        assert_eq!(going(None).leave_by(at(120)), None);
    }

    #[test]
    fn who_is_on_the_way_is_there_when_the_way_is_over_or_any_moment() {
        let way = Way { departed_at: Some(at(20)), planned_at: Some(at(500)), ..going(Some(50.0)) };
        assert_eq!(way.arrives_at(at(25)), at(104));
        assert_eq!(way.arrives_at(at(110)), at(110));
        assert_eq!(way.leave_by(at(120)), None);
    }

    #[test]
    fn a_visit_is_not_expected_before_it_is_planned_for() {
        assert_eq!(Way { planned_at: Some(at(300)), ..going(None) }.arrives_at(at(0)), at(300));
    }

    #[test]
    fn the_nearest_of_several_counts() {
        let far = going(Some(50.0));
        assert_eq!(first(&[far, going(Some(5.0))], at(0)).map(|one| one.0), Some(1));
        assert_eq!(first(&[far, going(None)], at(0)), Some((1, at(10))));
        assert_eq!(first(&[], at(0)), None);
    }
}
