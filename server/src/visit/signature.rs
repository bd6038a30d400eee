//! A signature drawn with a finger: strokes on a field, as whole numbers. Bounded and looked at strictly, because
//! whatever comes here is shown and printed for years. Pure.

/// The field and what was drawn on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Width of the field.
    pub width: i64,
    /// Its height.
    pub height: i64,
    /// Points from stroke to stroke: x, y, x, y and so on, from the upper left corner.
    pub strokes: Vec<Vec<i64>>,
}

/// Most strokes.
pub const STROKES_MAX: usize = 200;
/// Most points of all strokes.
pub const POINTS_MAX: usize = 4000;
/// The least and the most of a side.
const SIDE: std::ops::RangeInclusive<i64> = 100..=4000;

/// Why it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSignature {
    /// The field has no usable size.
    #[error("its sides go from 100 to 4000")]
    Field,
    /// Too many strokes or points.
    #[error("it has more than 200 strokes or 4000 points")]
    TooMuch,
    /// A point that is half given, or lies outside.
    #[error("a point is half given or lies outside of the field")]
    Outside,
    /// A dot, or nothing.
    #[error("it is too little to be a signature")]
    TooLittle,
}

impl Signature {
    /// Whether it can be kept.
    pub fn check(&self) -> Result<(), NoSignature> {
        if !SIDE.contains(&self.width) || !SIDE.contains(&self.height) {
            return Err(NoSignature::Field);
        }
        let points: usize = self.strokes.iter().map(Vec::len).sum::<usize>() / 2;
        if self.strokes.len() > STROKES_MAX || points > POINTS_MAX {
            return Err(NoSignature::TooMuch);
        }
        let lies_in = |point: &[i64]| matches!(point, [x, y] if (0..=self.width).contains(x) && (0..=self.height).contains(y));
        if self.strokes.iter().any(|stroke| stroke.is_empty() || !stroke.chunks(2).all(lies_in)) {
            return Err(NoSignature::Outside);
        }
        if self.length() < self.width / 10 {
            return Err(NoSignature::TooLittle);
        }
        Ok(())
    }

    /// How far the finger went, along x and y.
    fn length(&self) -> i64 {
        let of = |stroke: &Vec<i64>| -> i64 {
            let (before, after) = (stroke.iter(), stroke.iter().skip(2));
            before.zip(after).map(|(a, b)| (a - b).abs()).sum()
        };
        self.strokes.iter().map(of).sum()
    }

    /// The strokes in parts of what was used of the field, with width by height of that: a small signature on a large
    /// field is shown as large as any.
    pub fn drawn(&self) -> (Vec<Vec<(f32, f32)>>, f32) {
        let (left, width) = self.used(0, self.width);
        let (top, height) = self.used(1, self.height);
        let part = |point: &[i64]| match point {
            [x, y] => ((x - left) as f32 / width as f32, (y - top) as f32 / height as f32),
            _ => (0.0, 0.0),
        };
        let strokes = self.strokes.iter().map(|stroke| stroke.chunks(2).map(part).collect()).collect();
        (strokes, width as f32 / height as f32)
    }

    /// Where what was drawn begins along one axis, and how far it goes, with a margin of the field's twentieth.
    fn used(&self, axis: usize, side: i64) -> (i64, i64) {
        let places = || self.strokes.iter().flat_map(|stroke| stroke.iter().skip(axis).step_by(2));
        let margin = (side / 20).max(1);
        let (least, most) = (places().min().copied().unwrap_or(0), places().max().copied().unwrap_or(side));
        (least - margin, most - least + 2 * margin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(width: i64, height: i64, strokes: Vec<Vec<i64>>) -> Result<(), NoSignature> {
        Signature { width, height, strokes }.check()
    }

    #[test]
    fn what_can_be_drawn_is_taken_and_nothing_else() {
        assert_eq!(check(1000, 400, vec![vec![0, 0, 100, 0], vec![1000, 400]]), Ok(()));
        assert_eq!(check(1000, 400, vec![]), Err(NoSignature::TooLittle));
        assert_eq!(
            check(1000, 400, vec![vec![10, 10], vec![20, 20]]),
            Err(NoSignature::TooLittle),
            "two dots"
        );
        assert_eq!(check(1000, 400, vec![vec![0, 0, 99, 0]]), Err(NoSignature::TooLittle));
        assert_eq!(check(1000, 400, vec![vec![0, 0, 500]]), Err(NoSignature::Outside), "half a point");
        assert_eq!(check(1000, 400, vec![vec![]]), Err(NoSignature::Outside));
        assert_eq!(check(1000, 400, vec![vec![0, 0, 500, 401]]), Err(NoSignature::Outside));
        assert_eq!(check(1000, 400, vec![vec![-1, 0, 500, 300]]), Err(NoSignature::Outside));
        assert_eq!(check(99, 400, vec![vec![0, 0, 50, 50]]), Err(NoSignature::Field));
        assert_eq!(check(1000, i64::MAX, vec![vec![0, 0, 500, 50]]), Err(NoSignature::Field));
        assert_eq!(check(1000, 400, vec![vec![0, 0, 500, 50]; STROKES_MAX]), Ok(()));
        assert_eq!(check(1000, 400, vec![vec![0, 0, 500, 50]; STROKES_MAX + 1]), Err(NoSignature::TooMuch));
        let long = [1, 1].repeat(POINTS_MAX + 1);
        assert_eq!(check(1000, 400, vec![long]), Err(NoSignature::TooMuch));
    }

    #[test]
    fn strokes_become_parts_of_what_they_use() {
        // Used are 80 by 40 points, with margins of 10 and 5.
        let small = Signature { width: 200, height: 100, strokes: vec![vec![50, 20, 130, 60], vec![90, 40]] };
        let (strokes, aspect) = small.drawn();
        assert_eq!(strokes, [vec![(0.1, 0.1), (0.9, 0.9)], vec![(0.5, 0.5)]]);
        assert!((aspect - 2.0).abs() < f32::EPSILON);
    }
}
