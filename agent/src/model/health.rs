//! What every device can say of itself, whatever it is: who it is, what time it thinks it is, since when it runs. Pure.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::probe::OutcomeState::Bad;
use crate::probe::Reading;

/// So many reboots within [`LOOP_S`] are no update and no power cut any more.
const LOOP_REBOOTS: usize = 3;
const LOOP_S: i64 = 3 * 3_600;
/// The beginning of a run is known this well only: uptimes are rounded, and clocks are set.
const BOOT_SLACK_S: i64 = 180;
/// From here on a shift of the beginning is followed, so that years of drift never look like a reboot.
const DRIFT_S: i64 = 60;
/// Differences of time zones are whole multiples of it.
const QUARTER_MS: i64 = 15 * 60 * 1_000;
/// The widest difference between two zones, UTC+14 and UTC-12.
const ZONES_MS: i64 = 26 * 3_600 * 1_000;

/// What is remembered of any device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Past {
    /// The serial number that it has shown first.
    pub(crate) serial: Option<String>,
    /// When it began to run, Unix seconds.
    pub(crate) booted_at_s: Option<i64>,
    /// When it was seen to have begun anew, Unix seconds.
    pub(crate) reboots_s: Vec<i64>,
}

/// What a device's clock showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The instant, by the zone that it named.
    pub(crate) at: Timestamp,
    /// What stood there.
    pub(crate) wall: DateTime,
    /// It named its zone. Many write local time with a Z behind it, which names none.
    pub(crate) names_zone: bool,
}

impl Shown {
    /// Reads `2026-04-10T12:00:00+07:00`, without or with any fraction; `zone` as POSIX writes it, `CST-8:00:00`.
    pub(crate) fn parse(text: &str, zone: Option<&str>) -> Option<Self> {
        let text = text.trim();
        let wall: DateTime = text.get(..19)?.replace(' ', "T").parse().ok()?;
        let rest = text.get(19..)?.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
        let told = match rest.trim() {
            "" | "Z" | "z" | "+00:00" | "-00:00" => zone.and_then(posix_offset_s),
            offset => Some(iso_offset_s(offset)?),
        };
        let offset = Offset::from_seconds(i32::try_from(told.unwrap_or(0)).ok()?).ok()?;
        let at = wall.to_zoned(TimeZone::fixed(offset)).ok()?.timestamp();
        Some(Self { at, wall, names_zone: told.is_some() })
    }

    /// How far it is ahead of `now`, ms. A difference of whole quarter hours is one between zones, which says that a zone is set
    /// wrong or not told, not that the clock runs wrong.
    pub(crate) fn offset_ms(self, now: Timestamp, limit_ms: i64) -> i64 {
        let raw = self.at.as_millisecond().saturating_sub(now.as_millisecond());
        let step = if limit_ms * 2 < QUARTER_MS { QUARTER_MS } else { 2 * QUARTER_MS };
        let zones = (raw as f64 / step as f64).round() as i64 * step;
        let folded = raw - zones;
        if raw.abs() <= limit_ms || zones.abs() > ZONES_MS {
            raw
        } else if folded.abs() <= limit_ms || !self.names_zone {
            folded
        } else {
            raw
        }
    }
}

/// `+07:00`, `-0330`.
fn iso_offset_s(text: &str) -> Option<i64> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: String = text.get(1..)?.chars().filter(|c| *c != ':').collect();
    let (hours, minutes) = (digits.get(..2)?, digits.get(2..4)?);
    Some(sign * (hours.parse::<i64>().ok()? * 3_600 + minutes.parse::<i64>().ok()? * 60))
}

/// The zone of POSIX, whose sign is the other way round: `CST-8:00:00` is eight hours ahead. One with summer time is not read.
fn posix_offset_s(text: &str) -> Option<i64> {
    let at = text.find(|c: char| c == '+' || c == '-' || c.is_ascii_digit())?;
    let (sign, digits) = match text.as_bytes().get(at)? {
        b'-' => (1, text.get(at + 1..)?),
        b'+' => (-1, text.get(at + 1..)?),
        _ => (-1, text.get(at..)?),
    };
    let mut parts = digits.split(':');
    let hours: i64 = parts.next()?.parse().ok()?;
    let minutes: i64 = parts.next().map_or(Some(0), |part| part.parse().ok())?;
    let seconds: i64 = parts.next().map_or(Some(0), |part| part.parse().ok())?;
    let is_one = parts.next().is_none() && hours <= 14 && minutes < 60 && seconds < 60;
    is_one.then_some(sign * (hours * 3_600 + minutes * 60 + seconds))
}

/// Is it still the device that it was? Without a serial number nobody knows.
pub(crate) fn identity(
    reading: Reading,
    past: &mut Past,
    wanted: Option<&str>,
    found: Option<&str>,
) -> Reading {
    let Some(found) = found.map(str::trim).filter(|found| !found.is_empty()) else {
        return reading.blind("device_swapped");
    };
    let reading = reading.fact("serial", found);
    let first = past.serial.get_or_insert_with(|| found.to_owned()).clone();
    let (expected, is_it) = match wanted {
        // What stands on a label is often the end of what the device says.
        Some(wanted) => (wanted, found.to_lowercase().contains(&wanted.trim().to_lowercase())),
        None => (first.as_str(), first == found),
    };
    if is_it {
        return reading;
    }
    let text = format!("the device says that its serial number is {found}, it was {expected}");
    let evidence = [("found", Value::from(found)), ("expected", Value::from(expected))];
    reading.fault(Bad, "device_swapped", &text, evidence)
}

/// Is its clock right? Between half the limit and the limit what stood goes on.
pub(crate) fn clock(reading: Reading, offset_ms: Option<i64>, limit_ms: u32) -> Reading {
    let Some(offset_ms) = offset_ms else { return reading.blind("clock_offset") };
    let reading = reading.value("clock_offset_ms", offset_ms as f64);
    let limit_ms = i64::from(limit_ms);
    if offset_ms.abs() <= limit_ms / 2 {
        return reading;
    }
    if offset_ms.abs() <= limit_ms {
        return reading.blind("clock_offset");
    }
    let side = if offset_ms > 0 { "ahead of" } else { "behind" };
    let text =
        format!("the device's clock is {:.1} s {side} the gateway's", offset_ms.abs() as f64 / 1_000.0);
    let evidence = [("offset_ms", Value::from(offset_ms)), ("limit_ms", Value::from(limit_ms))];
    reading.fault(Bad, "clock_offset", &text, evidence)
}

/// Does it begin anew again and again?
pub(crate) fn reboots(reading: Reading, past: &mut Past, uptime_s: Option<f64>, now: Timestamp) -> Reading {
    let Some(uptime_s) = uptime_s.filter(|uptime| (0.0..4e9).contains(uptime)) else {
        return reading.blind("reboot_loop");
    };
    let now_s = now.as_second();
    let booted_s = now_s - uptime_s.round() as i64;
    match past.booted_at_s {
        Some(before_s) if booted_s > before_s + BOOT_SLACK_S => {
            past.reboots_s.push(booted_s);
            past.booted_at_s = Some(booted_s);
        }
        Some(before_s) if (booted_s - before_s).abs() <= DRIFT_S => {}
        Some(_) | None => past.booted_at_s = Some(booted_s),
    }
    past.reboots_s.retain(|at| (now_s - LOOP_S..=now_s + BOOT_SLACK_S).contains(at));
    let reading = reading.value("uptime_s", uptime_s);
    let count = past.reboots_s.len();
    if count < LOOP_REBOOTS {
        return reading;
    }
    let hours = LOOP_S / 3_600;
    let text = format!("the device has begun anew {count} times within {hours} hours");
    let evidence = [("reboots", Value::from(count)), ("hours", Value::from(hours))];
    reading.fault(Bad, "reboot_loop", &text, evidence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset_ms(text: &str, zone: Option<&str>) -> Option<i64> {
        let now: Timestamp = "2026-04-10T04:00:00Z".parse().unwrap();
        Some(Shown::parse(text, zone)?.offset_ms(now, 60_000))
    }

    #[test]
    fn a_zone_is_no_drift() {
        for (text, zone) in [
            ("2026-04-10T12:00:00+08:00", None),
            ("2026-04-10T12:00:00Z", None),
            ("2026-04-10T12:00:00", Some("CST-8:00:00")),
            ("2026-04-10T12:00:00Z", Some("CST-8:00:00DST01:00:00,M4.1.0/02:00:00,M10.5.0/03:00:00")),
            ("2026-04-09 22:15:00", None),
            ("2026-04-10T09:30:00.123Z", Some("nonsense")),
        ] {
            assert_eq!(offset_ms(text, zone), Some(0), "{text} {zone:?}");
        }
    }

    #[test]
    fn drift_is_told_beside_a_zone() {
        assert_eq!(offset_ms("2026-04-10T12:10:00+08:00", None), Some(600_000));
        assert_eq!(offset_ms("2026-04-10T12:02:00Z", None), Some(120_000));
        assert_eq!(offset_ms("2026-04-10T12:10:00Z", Some("CST-8:00:00")), Some(600_000));
        assert_eq!(offset_ms("2025-04-10T12:00:00Z", None), Some(-364 * 86_400_000 - 57_600_000));
        assert_eq!(offset_ms("1970-01-01T00:00:00", None).map(|ms| ms < -1_000_000_000), Some(true));
        for text in
            ["0000-00-00T00:00:00Z", "soon", "2026-04-10T12:00:00 lunch", "", "二零二六-04-10T12:00:00"]
        {
            assert_eq!(offset_ms(text, None), None, "{text}");
        }
    }

    #[test]
    fn three_reboots_are_a_loop_and_a_slow_clock_is_none() {
        let mut past = Past::default();
        let mut at = |second: i64, uptime: f64| {
            let now = Timestamp::from_second(1_700_000_000 + second).unwrap();
            reboots(Reading::good(), &mut past, Some(uptime), now).codes().len()
        };
        assert_eq!(at(0, 86_400.0), 0);
        for run in 1..2_000 {
            // It loses a second in each minute.
            assert_eq!(at(run * 60, 86_400.0 + f64::from(run as i32) * 59.0), 0);
        }
        assert_eq!(at(121_000, 40.0), 0);
        assert_eq!(at(121_900, 40.0), 0);
        assert_eq!(at(122_800, 40.0), 1);
        assert_eq!(at(123_000, 240.0), 1);
        assert_eq!(at(122_760 + LOOP_S, 10_800.0), 0, "the first of them is long ago");
    }

    #[test]
    fn the_label_may_hold_less_than_the_device_says() {
        let mut past = Past::default();
        let mut seen = |wanted, found| identity(Reading::good(), &mut past, wanted, found).codes().len();
        assert_eq!(seen(Some("d31234567"), Some("DS-7616NI-K2/16P1620190705CCRRD31234567WCVU")), 0);
        assert_eq!(seen(None, Some("another")), 1);
        assert_eq!(seen(Some("another"), Some("another")), 0);
        assert_eq!(seen(None, None), 0);
    }
}
