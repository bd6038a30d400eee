//! The measures that contracts speak in: money in whole fen, lengths of time by the calendar, targets of clocks.

use std::fmt;

use jiff::civil::Date;
use jiff::{SignedDuration, ToSpan};

/// Money in fen (1/100 yuan).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fen(pub i64);

impl Fen {
    /// The largest amount a contract may name: a hundred thousand million yuan.
    pub const MOST: Self = Self(10_000_000_000_000);

    /// `400`, `400.5`, `400.00`, with or without ¥, commas or 元.
    pub fn parse(text: &str) -> Option<Self> {
        let plain =
            text.trim().trim_start_matches(['¥', '￥']).trim_end_matches('元').trim().replace(',', "");
        let (yuan, fen) = plain.split_once('.').unwrap_or((&plain, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if yuan.is_empty() || !digits(yuan) || !digits(fen) || fen.len() > 2 {
            return None;
        }
        let fen: i64 = format!("{fen:0<2}").parse().ok()?;
        yuan.parse::<i64>().ok()?.checked_mul(100)?.checked_add(fen).map(Self)
    }

    /// A share of it in parts of ten thousand, a half fen counting as a whole one.
    #[must_use]
    pub fn share(self, per_10_000: i64) -> Self {
        let exact = i128::from(self.0) * i128::from(per_10_000);
        Self(i64::try_from((exact + 5_000).div_euclid(10_000)).unwrap_or(i64::MAX))
    }

    /// So many times it.
    #[must_use]
    pub fn times(self, count: i64) -> Self {
        Self(self.0.saturating_mul(count))
    }
}

impl fmt::Display for Fen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}.{:02}", if self.0 < 0 { "-" } else { "" }, self.0.abs() / 100, self.0.abs() % 100)
    }
}

/// A length of time by the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Days.
    Days(i32),
    /// Months; a year is twelve.
    Months(i32),
    /// As long as the thing lives.
    Life,
}

impl Length {
    /// `7d`, `4w`, `36mo`, `1y`, `life`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "life" {
            return Some(Self::Life);
        }
        let split = text.find(|c: char| !c.is_ascii_digit())?;
        let count: i32 = text[..split].parse().ok().filter(|count| (1..=1_200).contains(count))?;
        match &text[split..] {
            "d" => Some(Self::Days(count)),
            "w" => Some(Self::Days(count * 7)),
            "mo" => Some(Self::Months(count)),
            "y" => Some(Self::Months(count * 12)),
            _ => None,
        }
    }

    /// The date so much later; the end of a shorter month. `None` for a life.
    pub fn after(self, date: Date) -> Option<Date> {
        match self {
            Self::Days(days) => Some(date.saturating_add(days.days())),
            Self::Months(months) => Some(date.saturating_add(months.months())),
            Self::Life => None,
        }
    }

    /// For comparing: roughly how many days.
    pub fn rough_days(self) -> i64 {
        match self {
            Self::Days(days) => i64::from(days),
            Self::Months(months) => i64::from(months) * 30,
            Self::Life => i64::MAX,
        }
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(days) => write!(f, "{days}d"),
            Self::Months(months) if months % 12 == 0 => write!(f, "{}y", months / 12),
            Self::Months(months) => write!(f, "{months}mo"),
            Self::Life => write!(f, "life"),
        }
    }
}

/// How long a clock may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Working time of the clock's calendar.
    Working(SignedDuration),
    /// Time that passes, whatever the calendar says.
    Elapsed(SignedDuration),
    /// The same time of day, so many working days later.
    WorkingDays(u16),
    /// The close of the n-th working day.
    EndOfWorkingDay(u16),
    /// The instant that both sides agreed on.
    Agreed,
}

impl Amount {
    /// `4h`, `1h30m`, `30m`: working time; `3d` and `elapsed 4h`: elapsed time; `2wd`; `end_of_wd(2)`; `at:agreed`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "at:agreed" {
            return Some(Self::Agreed);
        }
        let few = |count: &str| count.parse::<u16>().ok().filter(|count| (1..=400).contains(count));
        if let Some(inner) = text.strip_prefix("end_of_wd(") {
            return few(inner.strip_suffix(')')?).map(Self::EndOfWorkingDay);
        }
        if let Some(count) = text.strip_suffix("wd") {
            return few(count).map(Self::WorkingDays);
        }
        if let Some(rest) = text.strip_prefix("elapsed ") {
            return duration(rest).map(Self::Elapsed);
        }
        let length = duration(text)?;
        Some(if text.contains('d') { Self::Elapsed(length) } else { Self::Working(length) })
    }
}

/// Seconds of a day and of the smaller units, longest first.
const UNITS: [(char, i64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// `1d12h`, `4h`, `1h30m`, `90s`: each unit once, longest first.
pub fn duration(text: &str) -> Option<SignedDuration> {
    let (mut total, mut digits, mut last) = (0_i64, String::new(), 0);
    for c in text.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let place = UNITS.iter().position(|unit| unit.0 == c)? + 1;
        let count: i64 = digits.parse().ok().filter(|count| *count <= 1_000_000)?;
        if place <= last {
            return None;
        }
        (last, total) = (place, total + count * UNITS[place - 1].1);
        digits.clear();
    }
    (digits.is_empty() && last > 0).then(|| SignedDuration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_whole_fen() {
        for (text, fen) in [
            ("400", Some(40_000)),
            ("¥1,500.00", Some(150_000)),
            ("0.5", Some(50)),
            ("200元", Some(20_000)),
            ("1.005", None),
            ("-1", None),
            (".5", None),
            ("", None),
        ] {
            assert_eq!(Fen::parse(text), fen.map(Fen), "{text}");
        }
        assert_eq!(Fen(30_000_000).share(100).to_string(), "3000.00");
        // 1 % of 0.50 yuan is half a fen, which counts.
        assert_eq!(Fen(50).share(100), Fen(1));
        assert_eq!(Fen(-5).to_string(), "-0.05");
    }

    #[test]
    fn lengths_end_with_the_month() {
        let leap: Date = "2028-02-29".parse().unwrap();
        assert_eq!(Length::parse("1y").unwrap().after(leap), Some("2029-02-28".parse().unwrap()));
        let long: Date = "2026-08-31".parse().unwrap();
        assert_eq!(Length::parse("6mo").unwrap().after(long), Some("2027-02-28".parse().unwrap()));
        assert_eq!((Length::parse("0d"), Length::parse("1m"), Length::parse("y")), (None, None, None));
    }

    #[test]
    fn targets_say_on_which_ruler() {
        assert_eq!(Amount::parse("1h30m"), Some(Amount::Working(SignedDuration::from_mins(90))));
        assert_eq!(Amount::parse("3d"), Some(Amount::Elapsed(SignedDuration::from_hours(72))));
        assert_eq!(Amount::parse("elapsed 6h"), Some(Amount::Elapsed(SignedDuration::from_hours(6))));
        assert_eq!(Amount::parse("2wd"), Some(Amount::WorkingDays(2)));
        assert_eq!(Amount::parse("end_of_wd(2)"), Some(Amount::EndOfWorkingDay(2)));
        assert_eq!(Amount::parse("at:agreed"), Some(Amount::Agreed));
        for text in ["", "4", "h", "1m1h", "1h1h", "-4h", "0wd", "end_of_wd(2", "立即", "4 h"] {
            assert_eq!(Amount::parse(text), None, "{text}");
        }
    }
}
