//! When something happened, by a device whose clock may be wrong and may have been set right meanwhile. Pure.
//!
//! A phone says what its clock showed when it happened, what it shows while it sends, and how far it was ahead when it
//! last heard of us before. The first two correct the time, unless the clock was set in between: then the two skews
//! differ, and the later instant counts until something proves the earlier one.

use jiff::{SignedDuration, Timestamp};

/// What a device says of time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said {
    /// When it happened, where a person says so.
    pub occurred_at: Option<Timestamp>,
    /// What the device's clock showed then.
    pub device_at: Option<Timestamp>,
    /// What it shows while it sends.
    pub device_now: Option<Timestamp>,
    /// How far it was ahead when the device last heard of us before it happened, ms.
    pub skew_before_ms: Option<i64>,
}

/// When it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// What counts.
    pub at: Timestamp,
    /// What else it may have been, when the device's clock was set in between.
    pub or_at: Option<Timestamp>,
    /// What the device's clock showed.
    pub device_at: Option<Timestamp>,
    /// How far that was ahead, ms, as measured while it was sent.
    pub skew_ms: Option<i64>,
    /// The clock said something that cannot be, so the time of its coming counts.
    pub unusable: bool,
}

/// The skews of before and after differ by more than a measurement does.
const CHANGED_MS: i64 = 5_000;

impl Moment {
    /// Reads it: never later than `now`; what would lie before `earliest` is not believed.
    pub fn read(said: Said, earliest: Timestamp, now: Timestamp) -> Self {
        let Some(device_at) = said.device_at else {
            let at = said.occurred_at.unwrap_or(now).min(now);
            return Self { at, or_at: None, device_at: None, skew_ms: None, unusable: false };
        };
        let ms = |later: Timestamp, sooner: Timestamp| later.as_millisecond() - sooner.as_millisecond();
        let skew_ms = said.device_now.map_or(0, |shows| ms(shows, now));
        let back = |skew: i64| {
            let at = device_at.checked_sub(SignedDuration::from_millis(skew)).ok()?.min(now);
            (at >= earliest).then_some(at)
        };
        let before = said.skew_before_ms.filter(|before| (before - skew_ms).abs() > CHANGED_MS);
        let (sent, known) = (back(skew_ms), before.and_then(back));
        let (at, or_at) = match (sent, known) {
            (Some(a), Some(b)) => (a.max(b), Some(a.min(b))),
            (Some(only), None) | (None, Some(only)) => (only, None),
            (None, None) => (now, None),
        };
        let unusable = sent.is_none() && known.is_none();
        Self { at, or_at, device_at: Some(device_at), skew_ms: Some(skew_ms), unusable }
    }

    /// What it may have been, the likelier first.
    pub fn candidates(&self) -> impl Iterator<Item = Timestamp> {
        std::iter::once(self.at).chain(self.or_at)
    }

    /// The same moment once it is proved which of the two it was.
    #[must_use]
    pub fn settled(self, at: Timestamp) -> Self {
        let or_at = self.or_at.filter(|_| at != self.at).map(|_| self.at);
        Self { at, or_at, ..self }
    }

    /// How far the device's clock was ahead by what counts, ms.
    pub fn device(&self) -> Option<(Timestamp, i64)> {
        let device_at = self.device_at?;
        Some((device_at, device_at.as_millisecond() - self.at.as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn read(said: Said) -> Moment {
        Moment::read(said, at(0), at(100_000))
    }

    #[test]
    fn a_fast_clock_is_corrected() {
        let said = Said { device_at: Some(at(50_660)), device_now: Some(at(100_660)), ..Said::default() };
        let moment = read(said);
        assert_eq!((moment.at, moment.or_at, moment.skew_ms), (at(50_000), None, Some(660_000)));
        let same = read(Said { skew_before_ms: Some(661_000), ..said });
        assert_eq!((same.at, same.or_at), (at(50_000), None), "a second is how well it is measured");
    }

    #[test]
    fn a_clock_that_was_set_leaves_two_instants() {
        let said = Said {
            device_at: Some(at(50_660)),
            device_now: Some(at(100_000)),
            skew_before_ms: Some(660_000),
            ..Said::default()
        };
        let moment = read(said);
        assert_eq!((moment.at, moment.or_at), (at(50_660), Some(at(50_000))), "the later one counts");
        let proved = moment.settled(at(50_000));
        assert_eq!((proved.at, proved.or_at), (at(50_000), Some(at(50_660))));
        assert_eq!(proved.device(), Some((at(50_660), 660_000)));
    }

    #[test]
    fn what_cannot_be_is_not_believed() {
        let wild = Said { device_at: Some(at(-86_400)), device_now: Some(at(100_000)), ..Said::default() };
        let moment = read(wild);
        assert_eq!((moment.at, moment.unusable), (at(100_000), true));
        let ahead = Said { device_at: Some(at(200_000)), device_now: Some(at(100_000)), ..Said::default() };
        assert_eq!(read(ahead).at, at(100_000), "never later than we hear of it");
        let said = Said { occurred_at: Some(at(70_000)), ..Said::default() };
        assert_eq!(read(said).at, at(70_000));
        assert_eq!(read(Said::default()).at, at(100_000));
    }
}
