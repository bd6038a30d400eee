//! What waits before it is sent: a person's own limit on a channel, and quiet hours. Nothing is dropped: what a
//! limit holds back goes later in one message, what quiet hours hold back goes at their end. Pure.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// What a person wants of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// So many messages in `limit_minutes`; 0 is no limit.
    pub limit_pages: i64,
    /// See `limit_pages`.
    pub limit_minutes: i64,
    /// Minutes of the day at which quiet hours begin and end.
    pub quiet: Option<(i64, i64)>,
    /// The zone of the quiet hours; an unknown one is UTC.
    pub zone: String,
}

/// A page that could go now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// It is about critical trouble, which no quiet hours hold back.
    pub critical: bool,
    /// The limit has held it back before.
    pub was_held: bool,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes alone.
    Alone,
    /// It goes in one message with the others of this kind.
    Together,
    /// It waits for the limit.
    Limit(Timestamp),
    /// It waits for the end of quiet hours.
    Quiet(Timestamp),
}

/// What becomes of pages to one address, in their order. `sent` is when messages went to it, oldest first, within
/// the limit's minutes.
///
/// The last message that the limit allows carries everything that is left, so that nobody waits for the next ten
/// minutes to hear of the eleventh trouble of a storm.
pub fn judge(waiting: &[Waiting], wishes: &Wishes, sent: &[i64], now: Timestamp) -> Vec<Verdict> {
    let quiet = quiet_until(wishes, now);
    let mut verdicts: Vec<Option<Verdict>> =
        waiting.iter().map(|page| quiet.filter(|_| !page.critical).map(Verdict::Quiet)).collect();
    let open: Vec<usize> = (0..waiting.len()).filter(|index| verdicts[*index].is_none()).collect();
    let free = match wishes.limit_pages {
        ..=0 => usize::MAX,
        limit => usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(sent.len()),
    };
    let held = open.iter().filter(|index| waiting[**index].was_held).count();
    // What was held back goes together and takes one place.
    let singles = free.saturating_sub(usize::from(held > 0));
    let fresh = open.len() - held;
    let alone = if fresh <= singles { fresh } else { singles.saturating_sub(usize::from(held == 0)) };
    let mut gone = 0;
    for index in &open {
        let verdict = if free == 0 {
            Verdict::Limit(next_place(wishes, sent, now))
        } else if waiting[*index].was_held || gone >= alone {
            Verdict::Together
        } else {
            gone += 1;
            Verdict::Alone
        };
        verdicts[*index] = Some(verdict);
    }
    verdicts.into_iter().map(|verdict| verdict.unwrap_or(Verdict::Alone)).collect()
}

/// When the oldest of the messages sent leaves the limit's minutes.
fn next_place(wishes: &Wishes, sent: &[i64], now: Timestamp) -> Timestamp {
    let window_ms = wishes.limit_minutes.clamp(1, 24 * 60) * 60_000;
    let excess = sent.len().saturating_sub(usize::try_from(wishes.limit_pages).unwrap_or(0));
    let oldest = sent.get(excess).or(sent.first()).copied().unwrap_or(now.as_millisecond());
    Timestamp::from_millisecond(oldest + window_ms).unwrap_or(now).max(now + SignedDuration::from_secs(1))
}

/// The end of the quiet hours that are now, if any. They are wall-clock times of the person's zone, so a night with
/// a change of the clocks is as long as the clocks make it.
pub fn quiet_until(wishes: &Wishes, now: Timestamp) -> Option<Timestamp> {
    let (from, to) = wishes.quiet.filter(|(from, to)| from != to)?;
    let zone = TimeZone::get(&wishes.zone).unwrap_or(TimeZone::UTC);
    let local = now.to_zoned(zone);
    let minute = i64::from(local.hour()) * 60 + i64::from(local.minute());
    let within = if from < to { (from..to).contains(&minute) } else { minute >= from || minute < to };
    if !within {
        return None;
    }
    let day = if minute < to { local.date() } else { local.date().checked_add(1.day()).ok()? };
    let end = day.at(i8::try_from(to / 60).ok()?, i8::try_from(to % 60).ok()?, 0, 0);
    let end = end.to_zoned(local.time_zone().clone()).ok()?.timestamp();
    (end > now).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    const FRESH: Waiting = Waiting { critical: false, was_held: false };
    const HELD: Waiting = Waiting { critical: false, was_held: true };

    fn wishes(limit: i64) -> Wishes {
        Wishes { limit_pages: limit, limit_minutes: 10, ..Wishes::default() }
    }

    fn words(verdicts: &[Verdict]) -> String {
        verdicts
            .iter()
            .map(|verdict| match verdict {
                Verdict::Alone => 'a',
                Verdict::Together => 't',
                Verdict::Limit(_) => 'l',
                Verdict::Quiet(_) => 'q',
            })
            .collect()
    }

    #[test]
    fn the_last_message_that_a_limit_allows_carries_the_rest() {
        let now = at("2026-11-26T10:00:00Z");
        let judged = |waiting: &[Waiting], limit, sent: usize| {
            let sent: Vec<i64> = (0..sent as i64).map(|n| now.as_millisecond() - 60_000 + n).collect();
            words(&judge(waiting, &wishes(limit), &sent, now))
        };
        assert_eq!(judged(&[FRESH; 5], 0, 99), "aaaaa", "no limit");
        assert_eq!(judged(&[FRESH; 3], 3, 0), "aaa");
        assert_eq!(judged(&[FRESH; 5], 3, 0), "aattt");
        assert_eq!(judged(&[FRESH; 5], 3, 2), "ttttt");
        assert_eq!(judged(&[FRESH; 2], 3, 3), "ll");
        assert_eq!(judged(&[HELD, HELD, FRESH], 3, 0), "tta");
        assert_eq!(
            judged(&[HELD, HELD, FRESH, FRESH], 3, 1),
            "ttat",
            "two places: one alone, and the held with what is left"
        );
        assert_eq!(judged(&[HELD], 3, 0), "t");
        assert_eq!(judged(&[], 3, 3), "");
    }

    #[test]
    fn a_place_is_free_when_the_oldest_message_leaves_the_window() {
        let now = at("2026-11-26T10:00:00Z");
        let sent = [now.as_millisecond() - 540_000, now.as_millisecond() - 1_000];
        let verdict = judge(&[FRESH], &wishes(2), &sent, now);
        assert_eq!(verdict, [Verdict::Limit(at("2026-11-26T10:01:00Z"))]);
    }

    #[test]
    fn quiet_hours_are_those_of_the_persons_wall_clock_and_critical_trouble_overrides_them() {
        let night = Wishes { quiet: Some((22 * 60, 7 * 60)), zone: "Asia/Shanghai".into(), ..wishes(0) };
        // 03:00 in Shanghai.
        let now = at("2026-11-18T19:00:00Z");
        assert_eq!(quiet_until(&night, now), Some(at("2026-11-18T23:00:00Z")));
        assert_eq!(quiet_until(&night, at("2026-11-18T14:30:00Z")), Some(at("2026-11-18T23:00:00Z")));
        assert_eq!(quiet_until(&night, at("2026-11-18T23:00:00Z")), None);
        assert_eq!(quiet_until(&night, at("2026-11-18T13:59:00Z")), None);
        let critical = Waiting { critical: true, was_held: false };
        assert_eq!(words(&judge(&[FRESH, critical], &night, &[], now)), "qa");
        // The night in which Berlin's clocks go back is an hour longer.
        let berlin = Wishes { zone: "Europe/Berlin".into(), ..night };
        assert_eq!(quiet_until(&berlin, at("2026-10-24T21:00:00Z")), Some(at("2026-10-25T06:00:00Z")));
        let noon = Wishes { quiet: Some((12 * 60, 13 * 60 + 30)), ..berlin };
        assert_eq!(quiet_until(&noon, at("2026-07-01T10:15:00Z")), Some(at("2026-07-01T11:30:00Z")));
    }
}
