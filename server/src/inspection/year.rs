//! A year of a site in figures, for the annual report. Every rate stands with what it is of, and with how much of the time
//! anything was known: what nobody knows is in no rate, and is never taken for fine.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A stretch of time, Unix ms; the end is not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Its beginning.
    pub from: i64,
    /// Its end.
    pub until: i64,
}

impl Stretch {
    /// How long it is, ms.
    pub fn length(self) -> i64 {
        (self.until - self.from).max(0)
    }
}

/// The year that ends with a day of a zone, as days and as time; a day that is not over ends it now.
pub fn year(last: Date, zone: &TimeZone, now: i64) -> (Date, Stretch) {
    let first = last.saturating_sub(1.year()).saturating_add(1.day());
    let begins = |day: Date| {
        let at = zone.to_ambiguous_zoned(day.at(0, 0, 0, 0)).compatible();
        at.map_or(0, |at| at.timestamp().as_millisecond())
    };
    let until = last.tomorrow().map_or(now, begins).min(now);
    (first, Stretch { from: begins(first), until })
}

/// How long a device, or many together, was in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uptime {
    /// All of the time that it was there, ms.
    pub whole: i64,
    /// It worked, with or without a lesser fault.
    pub online: i64,
    /// It was down.
    pub down: i64,
    /// It was being worked on.
    pub maintenance: i64,
}

impl Uptime {
    /// How long it was known whether it works.
    pub fn known(self) -> i64 {
        self.online + self.down
    }

    /// Adds another's.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            whole: self.whole + other.whole,
            online: self.online + other.online,
            down: self.down + other.down,
            maintenance: self.maintenance + other.maintenance,
        }
    }
}

/// Adds the states of one device up: the one that it was in when the stretch began (`None`: nobody knows), and each later
/// one from its time on.
pub fn uptime(stretch: Stretch, before: Option<&str>, changes: &[(i64, &str)]) -> Uptime {
    let mut all = Uptime { whole: stretch.length(), ..Uptime::default() };
    let mut add = |state: &str, from: i64, until: i64| {
        let length = (until.min(stretch.until) - from.max(stretch.from)).max(0);
        match state {
            "ok" | "degraded" => all.online += length,
            "down" => all.down += length,
            "maintenance" => all.maintenance += length,
            _ => {}
        }
    };
    let (mut state, mut since) = (before.unwrap_or("unknown"), stretch.from);
    for (at, next) in changes {
        add(state, since, *at);
        (state, since) = (*next, *at);
    }
    add(state, since, stretch.until);
    all
}

/// A share in hundredths of a per cent, never rounded up; `None` of nothing.
pub fn share(part: i64, of: i64) -> Option<i64> {
    (of > 0).then(|| i64::try_from(i128::from(part) * 10_000 / i128::from(of)).unwrap_or(0))
}

/// A device of the site in that year.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its class.
    pub class: String,
    /// The state that it is in now.
    pub state: String,
    /// Since when it was there, Unix ms.
    pub created_at: i64,
    /// Until when.
    pub removed_at: Option<i64>,
}

impl Device {
    /// When in the year it was there.
    pub fn there(&self, year: Stretch) -> Stretch {
        Stretch {
            from: self.created_at.max(year.from),
            until: self.removed_at.unwrap_or(year.until).min(year.until),
        }
    }

    /// Whether it is there when the year ends.
    pub fn stays(&self, year: Stretch) -> bool {
        self.removed_at.is_none_or(|at| at >= year.until)
    }
}

/// The devices of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Class {
    /// How many are there when the year ends.
    pub devices: usize,
    /// How many of them somebody looked at in this inspection.
    pub looked_at: usize,
    /// How many of them something was found wrong at.
    pub wrong: usize,
    /// How many of them nobody knows the state of now.
    pub unknown: usize,
    /// How long they, and those that went in the year, were in which state.
    pub uptime: Uptime,
}

/// What is known of one device: itself, its time, whether somebody looked at it, and whether something was wrong.
pub type Known = (Device, Uptime, bool, bool);

/// The devices by class.
pub fn classes(year: Stretch, devices: &[Known]) -> BTreeMap<String, Class> {
    let mut all: BTreeMap<String, Class> = BTreeMap::new();
    for (device, uptime, looked_at, wrong) in devices {
        let class = all.entry(device.class.clone()).or_default();
        class.uptime = class.uptime.and(*uptime);
        if device.stays(year) {
            class.devices += 1;
            class.looked_at += usize::from(*looked_at);
            class.wrong += usize::from(*wrong);
            class.unknown += usize::from(device.state == "unknown");
        }
    }
    all
}

/// Faults of one code, or of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The code, or the device's id.
    pub of: String,
    /// How many stood in the year.
    pub count: i64,
    /// How many of them stood still when it ended.
    pub standing: i64,
    /// How long they stood within it, all together, ms.
    pub ms: i64,
}

/// Tickets of one code and origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tickets {
    /// The fault's code; empty where a person opened it.
    pub code: String,
    /// `machine`, `person` or `inspection`.
    pub origin: String,
    /// How many were opened in the year.
    pub opened: i64,
    /// How many of these are closed.
    pub closed: i64,
}

/// Parts of one kind that were used at the site in the year, less those that were taken out again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The kind's number.
    pub number: String,
    /// Its name.
    pub name: String,
    /// Its Chinese name; may be empty.
    pub name_zh: String,
    /// How many.
    pub quantity: i64,
    /// On how many tickets.
    pub tickets: i64,
}

/// The inspections of one rule, or of one kind that was planned by hand, whose day lay in the year.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspections {
    /// The rule, or the kind.
    pub rule: String,
    /// Whether they were planned by hand.
    pub by_hand: bool,
    /// How many were owed or asked for.
    pub owed: i64,
    /// How many were done.
    pub done: i64,
    /// How many of these after their days.
    pub late: i64,
    /// How many were missed.
    pub missed: i64,
    /// How many the customer did without.
    pub waived: i64,
}

/// A year of a site.
#[derive(Clone, Debug)]
pub struct Year {
    /// Its first day.
    pub first: Date,
    /// Its last day.
    pub last: Date,
    /// Both as time.
    pub stretch: Stretch,
    /// Its devices.
    pub devices: Vec<Known>,
    /// Its faults by code, the most frequent first.
    pub faults: Vec<Faults>,
    /// Its faults by device, the most first.
    pub worst: Vec<Faults>,
    /// Its tickets.
    pub tickets: Vec<Tickets>,
    /// Its parts.
    pub parts: Vec<Part>,
    /// Its inspections.
    pub inspections: Vec<Inspections>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn device(class: &str, state: &str, removed_at: Option<i64>) -> Device {
        let (id, name) = (String::new(), String::new());
        Device { id, name, class: class.into(), state: state.into(), created_at: 2 * HOUR, removed_at }
    }

    #[test]
    fn time_that_nobody_knows_is_in_no_rate() {
        let day = Stretch { from: 0, until: 24 * HOUR };
        let told = uptime(
            day,
            None,
            &[
                (2 * HOUR, "ok"),
                (10 * HOUR, "down"),
                (12 * HOUR, "degraded"),
                (20 * HOUR, "unknown"),
                (22 * HOUR, "maintenance"),
            ],
        );
        assert_eq!(
            told,
            Uptime { whole: 24 * HOUR, online: 16 * HOUR, down: 2 * HOUR, maintenance: 2 * HOUR }
        );
        assert_eq!(share(told.online, told.known()), Some(8_888));
        assert_eq!(share(told.known(), told.whole), Some(7_500));
        // What began before and goes on is cut at both ends.
        let part = Stretch { from: 4 * HOUR, until: 6 * HOUR };
        assert_eq!(uptime(part, Some("ok"), &[]).online, 2 * HOUR);
        assert_eq!(uptime(part, Some("ok"), &[(5 * HOUR, "down")]).down, HOUR);
        assert_eq!(uptime(part, None, &[]).known(), 0);
        assert_eq!(share(0, 0), None);
        // A rate is never rounded up to the whole.
        assert_eq!(share(999_999, 1_000_000), Some(9_999));
    }

    #[test]
    fn a_device_that_went_counts_by_its_time_and_not_among_those_that_are_there() {
        let year = Stretch { from: 0, until: 24 * HOUR };
        let (new, gone) = (device("camera", "unknown", None), device("camera", "ok", Some(12 * HOUR)));
        assert_eq!(new.there(year), Stretch { from: 2 * HOUR, until: 24 * HOUR });
        assert_eq!(gone.there(year), Stretch { from: 2 * HOUR, until: 12 * HOUR });
        let time = |device: &Device| uptime(device.there(year), Some("ok"), &[]);
        let all = [(time(&new), new, true, false), (time(&gone), gone, true, true)]
            .map(|(time, device, looked, wrong)| (device, time, looked, wrong));
        let cameras = classes(year, &all)["camera"];
        assert_eq!((cameras.devices, cameras.looked_at, cameras.wrong, cameras.unknown), (1, 1, 0, 1));
        assert_eq!(cameras.uptime.whole, 32 * HOUR);
    }

    #[test]
    fn a_year_ends_with_its_day_or_now_and_knows_leap_days() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let (first, stretch) = year("2026-11-19".parse().unwrap(), &zone, at("2026-11-25T00:00:00Z"));
        assert_eq!(first.to_string(), "2025-11-20");
        let whole = Stretch { from: at("2025-11-19T16:00:00Z"), until: at("2026-11-19T16:00:00Z") };
        assert_eq!(stretch, whole);
        let (_, stretch) = year("2026-11-19".parse().unwrap(), &zone, at("2026-11-19T04:00:00Z"));
        assert_eq!(stretch.until, at("2026-11-19T04:00:00Z"));
        let (first, _) = year("2028-02-29".parse().unwrap(), &zone, at("2028-03-25T00:00:00Z"));
        assert_eq!(first.to_string(), "2027-03-01");
    }
}
