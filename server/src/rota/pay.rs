//! What duty is worth: allowance, deductions and overtime of one person in one month, each line with its basis.
//!
//! Money is whole fen; a line is rounded once, half up. Overtime counts by actual seconds and by the kind of the day
//! on which each of them lies, as the calendar of the terms says: an ordinary working day (make-up Saturdays too), a
//! rest day (weekends and days shifted to a holiday), a statutory holiday.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::calendar::holiday::Kind as Public;
use crate::calendar::{Calendar, file};

/// The largest amount of one kind, fen.
const FEN_MAX: i64 = 10_000_000;
/// One hour, seconds.
const HOUR_S: i64 = 3_600;

/// Amounts as people agree on them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// For a month with duty, fen.
    pub allowance_fen: i64,
    /// `true`: the allowance is divided by duty time; `false`: whoever was on duty in the month has the whole.
    #[serde(default)]
    pub allowance_by_share: bool,
    /// Taken off for each complaint, fen.
    pub complaint_fen: i64,
    /// Taken off for each absence, fen.
    pub absence_fen: i64,
    /// Taken off each time that the person could not be reached, fen.
    pub unreachable_fen: i64,
    /// For an hour of overtime on a working day, fen.
    pub ordinary_hour_fen: i64,
    /// On a rest day, fen.
    pub rest_hour_fen: i64,
    /// On a statutory holiday, fen.
    pub statutory_hour_fen: i64,
    /// The calendar that says which day is which: the text of a calendar file.
    pub calendar: String,
}

/// Which kind a day is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayKind {
    /// Worked.
    Ordinary,
    /// A weekend, or a day shifted to a holiday.
    Rest,
    /// A holiday by the regulation itself.
    Statutory,
}

/// What is counted against somebody, or for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FactKind {
    /// A customer complained about the person's duty.
    Complaint,
    /// The person had left without leave.
    Absence,
    /// The person could not be reached: the phone was off, or nobody answered.
    Unreachable,
    /// Work beyond duty, from its start to its end.
    Overtime,
}

/// A recorded fact.
#[derive(Clone, Debug)]
pub struct Fact {
    /// Names it.
    pub id: String,
    /// What.
    pub kind: FactKind,
    /// When, or from when.
    pub from: Timestamp,
    /// Until when.
    pub to: Option<Timestamp>,
}

/// How much of the month somebody was on duty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DutyTime {
    /// Seconds on duty.
    pub own_s: i64,
    /// Seconds in which somebody had to be on duty in the layers that the person was in.
    pub all_s: i64,
}

/// One line of a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Line {
    /// `allowance`, `complaint`, `absence`, `unreachable`, `overtime_ordinary`, `overtime_rest`, `overtime_statutory`.
    pub kind: String,
    /// The fact it comes from.
    pub fact_id: Option<String>,
    /// When, Unix ms.
    pub at: Option<i64>,
    /// What is counted: seconds of overtime or of duty.
    pub seconds: Option<i64>,
    /// Of how many seconds, where it is a share.
    pub of_seconds: Option<i64>,
    /// The amount for one, for an hour, or for the month, fen.
    pub rate_fen: i64,
    /// What it comes to, fen; what is taken off is negative.
    pub amount_fen: i64,
}

impl FactKind {
    /// All of them.
    const ALL: [Self; 4] = [Self::Complaint, Self::Absence, Self::Unreachable, Self::Overtime];

    /// The word in the database and on the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complaint => "complaint",
            Self::Absence => "absence",
            Self::Unreachable => "unreachable",
            Self::Overtime => "overtime",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl Terms {
    /// Checks the amounts and reads the calendar.
    pub fn build(&self) -> Result<Calendar, String> {
        let amounts = [
            ("allowance_fen", self.allowance_fen),
            ("complaint_fen", self.complaint_fen),
            ("absence_fen", self.absence_fen),
            ("unreachable_fen", self.unreachable_fen),
            ("ordinary_hour_fen", self.ordinary_hour_fen),
            ("rest_hour_fen", self.rest_hour_fen),
            ("statutory_hour_fen", self.statutory_hour_fen),
        ];
        if let Some((name, _)) = amounts.iter().find(|(_, fen)| !(0..=FEN_MAX).contains(fen)) {
            return Err(format!("{name}: an amount is 0 to {FEN_MAX} fen"));
        }
        file::read(&self.calendar).map_err(|fault| format!("calendar: {fault}"))
    }

    fn hour_fen(&self, kind: DayKind) -> i64 {
        match kind {
            DayKind::Ordinary => self.ordinary_hour_fen,
            DayKind::Rest => self.rest_hour_fen,
            DayKind::Statutory => self.statutory_hour_fen,
        }
    }
}

/// Which kind a date is.
pub fn day_kind(calendar: &Calendar, date: Date) -> DayKind {
    match calendar.public(date) {
        Some(Public::Off { statutory: true }) => DayKind::Statutory,
        Some(Public::Off { statutory: false }) => DayKind::Rest,
        Some(Public::Work) => DayKind::Ordinary,
        None if calendar.spans(date).is_empty() => DayKind::Rest,
        None => DayKind::Ordinary,
    }
}

/// The instants at which a month begins and ends; `month` is written 2026-12.
pub fn month(text: &str, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
    let first: Date = (text.len() == 7).then(|| format!("{text}-01").parse().ok())??;
    let next = first.checked_add(1.month()).ok().filter(|_| (1970..=9000).contains(&first.year()))?;
    let begin = |date: Date| zone.to_zoned(date.at(0, 0, 0, 0)).ok().map(|zoned| zoned.timestamp());
    Some((begin(first)?, begin(next)?))
}

/// The lines of a month, allowance first, then by time.
pub fn lines(
    terms: &Terms,
    calendar: &Calendar,
    (begin, end): (Timestamp, Timestamp),
    duty: DutyTime,
    facts: &[Fact],
) -> Vec<Line> {
    let mut lines = Vec::new();
    if duty.own_s > 0 {
        let whole = terms.allowance_fen;
        let amount = if terms.allowance_by_share { share(whole, duty.own_s, duty.all_s) } else { whole };
        lines.push(Line {
            kind: "allowance".into(),
            fact_id: None,
            at: None,
            seconds: Some(duty.own_s),
            of_seconds: terms.allowance_by_share.then_some(duty.all_s),
            rate_fen: whole,
            amount_fen: amount,
        });
    }
    for fact in facts {
        let each = match fact.kind {
            FactKind::Complaint => terms.complaint_fen,
            FactKind::Absence => terms.absence_fen,
            FactKind::Unreachable => terms.unreachable_fen,
            FactKind::Overtime => {
                let to = fact.to.unwrap_or(fact.from);
                lines.extend(overtime(terms, calendar, fact, fact.from.max(begin), to.min(end)));
                continue;
            }
        };
        if begin <= fact.from && fact.from < end {
            lines.push(Line {
                kind: fact.kind.as_str().to_owned(),
                fact_id: Some(fact.id.clone()),
                at: Some(fact.from.as_millisecond()),
                seconds: None,
                of_seconds: None,
                rate_fen: each,
                amount_fen: -each,
            });
        }
    }
    lines
}

/// One stretch of overtime, a line for each kind of day that it touches, in order.
fn overtime(terms: &Terms, calendar: &Calendar, fact: &Fact, from: Timestamp, to: Timestamp) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut at = from;
    while at < to {
        let date = calendar.zone().to_datetime(at).date();
        let midnight = calendar.zone().to_zoned(date.saturating_add(1.day()).at(0, 0, 0, 0));
        // Where a change of the clocks shows a day's end twice, the rest is looked at again.
        let next = midnight.map_or(to, |zoned| zoned.timestamp()).min(to);
        let next = if next > at { next } else { to };
        let seconds = next.duration_since(at).as_secs();
        let kind = match day_kind(calendar, date) {
            DayKind::Ordinary => ("overtime_ordinary", DayKind::Ordinary),
            DayKind::Rest => ("overtime_rest", DayKind::Rest),
            DayKind::Statutory => ("overtime_statutory", DayKind::Statutory),
        };
        match lines.iter_mut().find(|line| line.kind == kind.0) {
            Some(line) => line.seconds = line.seconds.map(|before| before + seconds),
            None => lines.push(Line {
                kind: kind.0.to_owned(),
                fact_id: Some(fact.id.clone()),
                at: Some(at.as_millisecond()),
                seconds: Some(seconds),
                of_seconds: None,
                rate_fen: terms.hour_fen(kind.1),
                amount_fen: 0,
            }),
        }
        at = next;
    }
    for line in &mut lines {
        line.amount_fen = share(line.rate_fen, line.seconds.unwrap_or(0), HOUR_S);
    }
    lines
}

/// `fen · part / whole`, rounded half up.
fn share(fen: i64, part: i64, whole: i64) -> i64 {
    if whole <= 0 {
        return 0;
    }
    let (fen, part, whole) = (i128::from(fen), i128::from(part), i128::from(whole));
    i64::try_from((2 * fen * part + whole).div_euclid(2 * whole)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn terms() -> Terms {
        let week: String = ["monday", "tuesday", "wednesday", "thursday", "friday"]
            .map(|day| format!("{day} = [\"08:30-18:00\"]\n"))
            .concat();
        Terms {
            allowance_fen: 30_000,
            allowance_by_share: true,
            complaint_fen: 5_000,
            absence_fen: 20_000,
            unreachable_fen: 10_000,
            ordinary_hour_fen: 4_500,
            rest_hour_fen: 6_000,
            statutory_hour_fen: 9_000,
            calendar: format!(
                "name = \"Office\"\nzone = \"Asia/Shanghai\"\nholidays = \"CN\"\n[week]\n{week}"
            ),
        }
    }

    #[test]
    fn overtime_is_counted_by_the_kind_of_each_day() {
        let (terms, calendar) = (terms(), terms().build().unwrap());
        let kind = |date: &str| day_kind(&calendar, date.parse().unwrap());
        assert_eq!(kind("2026-02-13"), DayKind::Ordinary);
        assert_eq!(kind("2026-02-14"), DayKind::Ordinary, "a make-up Saturday");
        assert_eq!(kind("2026-02-15"), DayKind::Rest, "shifted to the holiday");
        assert_eq!(kind("2026-02-17"), DayKind::Statutory);
        assert_eq!(kind("2026-02-07"), DayKind::Rest, "a Saturday");
        // From Sunday the 15th, 23:30, to New Year's Eve the 16th, 00:20, and beyond the month's end.
        let fact = |id: &str, from: &str, to: &str| Fact {
            id: id.into(),
            kind: FactKind::Overtime,
            from: at(from),
            to: Some(at(to)),
        };
        let facts = [
            fact("a", "2026-02-14T23:30:00+08:00", "2026-02-15T00:20:01+08:00"),
            fact("b", "2026-02-28T22:00:00+08:00", "2026-03-01T03:00:00+08:00"),
        ];
        let february = month("2026-02", calendar.zone()).unwrap();
        let lines = lines(&terms, &calendar, february, DutyTime::default(), &facts);
        let told: Vec<_> =
            lines.iter().map(|line| (line.kind.as_str(), line.seconds.unwrap(), line.amount_fen)).collect();
        assert_eq!(
            told,
            [
                ("overtime_ordinary", 1_800, 2_250),
                ("overtime_rest", 1_201, 2_002),
                ("overtime_ordinary", 7_200, 9_000)
            ]
        );
    }

    #[test]
    fn allowance_and_deductions_have_their_basis() {
        let (mut terms, calendar) = (terms(), terms().build().unwrap());
        let december = month("2026-12", calendar.zone()).unwrap();
        let fact = |kind, from: &str| Fact { id: "f".into(), kind, from: at(from), to: None };
        let facts = [
            fact(FactKind::Unreachable, "2026-12-01T00:00:00+08:00"),
            fact(FactKind::Complaint, "2026-12-31T23:59:59+08:00"),
            fact(FactKind::Absence, "2027-01-01T00:00:00+08:00"),
        ];
        let duty = DutyTime { own_s: 100, all_s: 300 };
        let amounts = |terms: &Terms| -> Vec<i64> {
            lines(terms, &calendar, december, duty, &facts).iter().map(|line| line.amount_fen).collect()
        };
        assert_eq!(amounts(&terms), [10_000, -10_000, -5_000]);
        terms.allowance_by_share = false;
        assert_eq!(amounts(&terms), [30_000, -10_000, -5_000]);
        assert_eq!(share(1, 1, 2), 1, "half up");
        assert_eq!(month("2026-13", calendar.zone()), None);
        terms.rest_hour_fen = -1;
        assert!(terms.build().unwrap_err().contains("rest_hour_fen"));
    }
}
