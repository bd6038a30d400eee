//! On which day of its window an inspection takes place.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::Window;
use crate::calendar::holiday::Holidays;
use crate::calendar::{Calendar, Fault, Parts, Span};

/// Days after a window that are looked at for one that is worked and open.
const AFTER_MAX: usize = 400;
/// Zones whose public holidays are those of mainland China.
const CHINA: [&str; 5] = ["Asia/Shanghai", "Asia/Urumqi", "Asia/Chongqing", "Asia/Harbin", "Asia/Kashgar"];

/// The days on which somebody may come.
#[derive(Debug)]
pub struct Days {
    name: Option<String>,
    calendar: Calendar,
    closed: Vec<Window>,
}

/// A day that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) day: Date,
    pub(super) provisional: bool,
}

impl Days {
    /// The days of a contract's calendar; without one, Monday to Friday, in mainland China with its holidays and
    /// make-up days.
    pub(super) fn new(
        name: Option<&str>,
        own: Option<Calendar>,
        zone: &TimeZone,
        closed: &[Window],
    ) -> Result<Self, Fault> {
        let calendar = match own {
            Some(calendar) => calendar,
            None => usual(zone)?,
        };
        Ok(Self { name: name.map(str::to_owned), calendar, closed: closed.to_vec() })
    }

    /// The name of its calendar.
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The first open day from `aim` on in a window, else the last one before, else the first one after the window.
    pub(super) fn choose(&self, window: Window, aim: Date) -> Chosen {
        let later = std::iter::successors(Some(aim), |day| day.tomorrow().ok());
        let earlier = std::iter::successors(aim.yesterday().ok(), |day| day.yesterday().ok());
        let within = later.take_while(|day| *day < window.until).find(|day| self.is_open(*day));
        let within =
            within.or_else(|| earlier.take_while(|day| *day >= window.from).find(|day| self.is_open(*day)));
        let day = within.or_else(|| {
            let day = self.first(window.until);
            self.is_open(day).then_some(day)
        });
        let day = day.unwrap_or(aim);
        Chosen { day, provisional: self.calendar.known_until().is_some_and(|until| day > until) }
    }

    /// The first open day from a day on.
    pub(super) fn first(&self, from: Date) -> Date {
        let days = std::iter::successors(Some(from), |day| day.tomorrow().ok());
        days.take(AFTER_MAX).find(|day| self.is_open(*day)).unwrap_or(from)
    }

    /// Whether somebody may come that day.
    pub(super) fn is_open(&self, day: Date) -> bool {
        !self.calendar.spans(day).is_empty() && !self.closed.iter().any(|closed| closed.holds(day))
    }
}

fn usual(zone: &TimeZone) -> Result<Calendar, Fault> {
    let china = zone.iana_name().is_some_and(|name| CHINA.contains(&name));
    let hours = vec![Span { from_s: 9 * 3_600, to_s: 17 * 3_600 }];
    Calendar::new(Parts {
        name: String::new(),
        zone: zone.clone(),
        week: std::array::from_fn(|day| if day < 5 { hours.clone() } else { Vec::new() }),
        work_day: None,
        overrides: BTreeMap::new(),
        holidays: china.then(Holidays::china),
        make_up_days: true,
    })
}
