//! From when to when pages would be held back, as far as that is known before. Pure.

use jiff::Timestamp;

use crate::clock::from_ms;

/// Stretches of time in which nothing is paged; they may overlap.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    stretches: Vec<(i64, i64)>,
}

impl Held {
    /// Adds a stretch; its end is not in it.
    pub(super) fn add(&mut self, from: i64, until: i64) {
        self.stretches.push((from, until));
    }

    /// When nothing holds any more what is held at `at`; `None` when nothing does then.
    pub(super) fn end(&self, at: Timestamp) -> Option<Timestamp> {
        let mut end = at.as_millisecond();
        while let Some((_, until)) =
            self.stretches.iter().find(|(from, until)| (*from..*until).contains(&end))
        {
            end = *until;
        }
        (end > at.as_millisecond()).then(|| from_ms(end))
    }

    /// When the next stretch begins.
    pub(super) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let after = after.as_millisecond();
        self.stretches.iter().map(|(from, _)| *from).filter(|from| *from > after).min().map(from_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_that_touch_or_overlap_are_one() {
        let mut held = Held::default();
        for (from, until) in [(100, 200), (150, 300), (300, 400), (500, 600)] {
            held.add(from, until);
        }
        let end = |at| held.end(from_ms(at)).map(Timestamp::as_millisecond);
        assert_eq!([99, 100, 399, 400, 500].map(end), [None, Some(400), Some(400), None, Some(600)]);
        let next = |at| held.next(from_ms(at)).map(Timestamp::as_millisecond);
        assert_eq!([0, 100, 350, 500].map(next), [Some(100), Some(150), Some(500), None]);
    }
}
