//! What people write down of a rota: the layers of one version, as JSON on the API and in the database.
//!
//! ```json
//! { "zone": "Asia/Shanghai", "layers": [ {
//!     "name": "First line", "every": { "unit": "month", "count": 1, "day": 1 }, "handover": "08:00",
//!     "start": "2026-12-01", "order": [["ACCOUNT"], ["ACCOUNT", "ACCOUNT"]],
//!     "week": [["08:00-22:30"], "… Monday to Sunday; left out: always"],
//!     "office": "a calendar file; its working time is left out" } ] }
//! ```

use std::collections::BTreeSet;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::turn::COUNT_MAX;
use super::{Every, LAYERS_MAX, Layer, ORDER_MAX, TOGETHER_MAX, Turns, Window};
use crate::calendar::{self, Span};
use crate::user::AccountId;

/// The longest name of a layer, characters.
const NAME_MAX: usize = 60;

/// One version of a rota.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Where its times are local: an IANA name, as `Asia/Shanghai`.
    pub zone: String,
    /// The first line first; at most 8.
    pub layers: Vec<LayerPlan>,
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LayerPlan {
    /// What people call it.
    pub name: String,
    /// When a turn ends.
    pub every: EveryPlan,
    /// Local time of the hand-over, `08:00`.
    pub handover: String,
    /// The first turn begins on this day, or on the first suitable one after it: `2026-12-01`.
    pub start: String,
    /// Who has the first turn, the second, …; several people share a turn. Account ids.
    pub order: Vec<Vec<String>>,
    /// The spans of Monday to Sunday in which somebody is on duty, `08:00-22:30`; `null` is always.
    #[serde(default)]
    pub week: Option<Vec<Vec<String>>>,
    /// The office whose working time is left out: the text of a calendar file. `null` leaves nothing out.
    #[serde(default)]
    pub office: Option<String>,
}

/// When a turn ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "unit", rename_all = "lowercase", deny_unknown_fields)]
pub enum EveryPlan {
    /// After so many days.
    Day {
        /// 1 to 52.
        count: u16,
    },
    /// After so many weeks.
    Week {
        /// 1 to 52.
        count: u16,
        /// 1 is Monday, 7 Sunday.
        weekday: i8,
    },
    /// After so many months.
    Month {
        /// 1 to 52.
        count: u16,
        /// 1 to 31; a shorter month's last day.
        day: i8,
    },
}

/// A plan that cannot be kept: the place, and what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {text}")]
pub struct Fault {
    /// Which field.
    pub place: String,
    /// What is wrong and what to write.
    pub text: String,
}

fn fault<T>(place: impl Into<String>, text: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { place: place.into(), text: text.into() })
}

impl Plan {
    /// Checks a plan and makes it ready for computing.
    pub fn build(&self) -> Result<Vec<Layer>, Fault> {
        let zone = TimeZone::get(&self.zone).ok().filter(|_| self.zone.len() <= 64);
        let Some(zone) = zone else {
            return fault("zone", format!("`{}` is not known; write it as Asia/Shanghai", self.zone));
        };
        if !(1..=LAYERS_MAX).contains(&self.layers.len()) {
            return fault("layers", format!("a rota has 1 to {LAYERS_MAX} layers"));
        }
        self.layers.iter().enumerate().map(|(number, layer)| layer.build(number, &zone)).collect()
    }

    /// Everybody it names.
    pub fn people(&self) -> BTreeSet<&str> {
        self.layers.iter().flat_map(|layer| layer.order.iter().flatten()).map(String::as_str).collect()
    }
}

impl LayerPlan {
    fn build(&self, number: usize, zone: &TimeZone) -> Result<Layer, Fault> {
        let place = |field: &str| format!("layers[{number}].{field}");
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
            return fault(place("name"), format!("write 1 to {NAME_MAX} characters in one line"));
        }
        let Some(handover) = time(&self.handover) else {
            return fault(
                place("handover"),
                format!("`{}` is no time of the day; write it as 08:00", self.handover),
            );
        };
        let start = self.start.parse::<Date>().ok().filter(|date| (1970..=9000).contains(&date.year()));
        let Some(start) = start else {
            return fault(place("start"), format!("`{}` is no date; write it as 2026-12-01", self.start));
        };
        if self.order.len() > ORDER_MAX {
            return fault(place("order"), format!("at most {ORDER_MAX} turns"));
        }
        for turn in &self.order {
            let once: BTreeSet<&String> = turn.iter().collect();
            if turn.is_empty() || turn.len() > TOGETHER_MAX || once.len() < turn.len() {
                return fault(place("order"), format!("a turn has 1 to {TOGETHER_MAX} different people"));
            }
        }
        let outside = self.office.as_deref().map(calendar::file::read).transpose();
        let outside = outside.or_else(|text| fault(place("office"), text))?;
        Ok(Layer {
            name: name.to_owned(),
            zone: zone.clone(),
            turns: Turns { every: self.every.build(&place("every"))?, handover, start },
            order: self
                .order
                .iter()
                .map(|turn| turn.iter().cloned().map(AccountId::from).collect())
                .collect(),
            window: Window {
                week: self.week.as_ref().map(|week| spans(week, &place("week"))).transpose()?,
                outside,
            },
        })
    }
}

impl EveryPlan {
    fn build(self, place: &str) -> Result<Every, Fault> {
        let (Self::Day { count } | Self::Week { count, .. } | Self::Month { count, .. }) = self;
        if !(1..=COUNT_MAX).contains(&count) {
            return fault(place, format!("count is 1 to {COUNT_MAX}"));
        }
        match self {
            Self::Day { count } => Ok(Every::Days(count)),
            Self::Week { count, weekday } => match Weekday::from_monday_one_offset(weekday) {
                Ok(weekday) => Ok(Every::Weeks(count, weekday)),
                Err(_) => fault(place, "weekday is 1 (Monday) to 7 (Sunday)"),
            },
            Self::Month { count, day } if (1..=31).contains(&day) => Ok(Every::Months(count, day)),
            Self::Month { .. } => fault(place, "day is 1 to 31"),
        }
    }
}

fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let sound = hour.len() == 2 && minute.len() == 2;
    let part =
        |text: &str| text.parse::<i8>().ok().filter(|_| sound && text.bytes().all(|c| c.is_ascii_digit()));
    Time::new(part(hour)?, part(minute)?, 0, 0).ok()
}

fn spans(week: &[Vec<String>], place: &str) -> Result<[Vec<Span>; 7], Fault> {
    let mut days = Vec::with_capacity(7);
    for texts in week {
        let spans = calendar::file::spans(place, texts).or_else(|text| fault(place, text))?;
        if let Err(wrong) = calendar::check(&spans, place) {
            return fault(place, wrong.to_string());
        }
        days.push(spans);
    }
    let days: [Vec<Span>; 7] = match days.try_into() {
        Ok(days) => days,
        Err(_) => return fault(place, "seven lists of spans, Monday to Sunday"),
    };
    if days.iter().all(Vec::is_empty) {
        return fault(place, "no day has a span, so nobody would ever be on duty");
    }
    Ok(days)
}
