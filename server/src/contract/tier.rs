//! Tiers of a price: half open, without gap or overlap, and never up and down.
//!
//! Papers write closed bands (`1-5`, `5-10`, `800W内`), so a band is read as it is printed and the bands are laid
//! side by side: a number in two of them or in none is named, and nothing is guessed.

use super::measure::Fen;

/// What the number of a tier is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// How many pieces are paid for.
    Count,
    /// A property of the piece: ports, watts, kilometres.
    Size,
}

/// A checked row of tiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tiers {
    /// What the number is.
    pub of: Of,
    /// Whether each piece is charged by the tier it falls in, rather than all by the last one's.
    pub marginal: bool,
    /// First number of a tier and what a piece costs there, ascending.
    pub steps: Vec<(i64, Fen)>,
    /// The first number beyond the last tier, where there is an end.
    pub end: Option<i64>,
}

/// A half-open band; no end is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// First number.
    pub from: i64,
    /// The number after the last.
    pub to: Option<i64>,
}

impl Band {
    /// As printed: `1-5` (both ends in it), `1..6` (half open), `<=800`, `<800`, `>10`, `>=11`, `10+`.
    pub fn parse(text: &str, zero: i64) -> Option<Self> {
        let number = |text: &str| {
            let text = text.trim();
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse::<i64>().ok().filter(|number| *number < 1_000_000_000)).flatten()
        };
        let text = text.trim();
        let band = if let Some(rest) = text.strip_prefix(">=") {
            Self { from: number(rest)?, to: None }
        } else if let Some(rest) = text.strip_prefix('>') {
            Self { from: number(rest)? + 1, to: None }
        } else if let Some(rest) = text.strip_suffix('+') {
            Self { from: number(rest)?, to: None }
        } else if let Some(rest) = text.strip_prefix("<=") {
            Self { from: zero, to: Some(number(rest)? + 1) }
        } else if let Some(rest) = text.strip_prefix('<') {
            Self { from: zero, to: Some(number(rest)?) }
        } else if let Some((from, to)) = text.split_once("..") {
            Self { from: number(from)?, to: if to.trim().is_empty() { None } else { Some(number(to)?) } }
        } else {
            let (from, to) = text.split_once('-')?;
            Self { from: number(from)?, to: Some(number(to)? + 1) }
        };
        band.to.is_none_or(|to| to > band.from).then_some(band)
    }
}

/// What is wrong with two bands that should lie side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// These numbers fall in both.
    Overlap(i64, Option<i64>),
    /// These fall in none.
    Gap(i64, i64),
}

/// What is wrong between neighbours; the number is the later one's place in the list.
pub fn flaws(bands: &[Band], zero: i64) -> Vec<(usize, Flaw)> {
    let mut order: Vec<usize> = (0..bands.len()).collect();
    order.sort_by_key(|index| (bands[*index].from, bands[*index].to.unwrap_or(i64::MAX)));
    let mut found = Vec::new();
    let mut covered = Some(zero);
    for index in order {
        let band = bands[index];
        match covered {
            Some(until) if band.from > until => found.push((index, Flaw::Gap(until, band.from - 1))),
            Some(until) if band.from < until && band.from >= zero => {
                let last = band.to.map_or(until, |to| to.min(until)) - 1;
                found.push((index, Flaw::Overlap(band.from, Some(last))));
            }
            None => found.push((index, Flaw::Overlap(band.from, band.to.map(|to| to - 1)))),
            Some(_) => {}
        }
        covered = match (covered, band.to) {
            (Some(until), Some(to)) => Some(until.max(to)),
            (None, _) | (_, None) => None,
        };
    }
    found
}

impl Tiers {
    /// What a piece costs whose number is `number`; `None` outside all tiers.
    pub fn find(&self, number: i64) -> Option<Fen> {
        if self.end.is_some_and(|end| number >= end) {
            return None;
        }
        self.steps.iter().rev().find(|(from, _)| *from <= number).map(|(_, fen)| *fen)
    }

    /// What `count` pieces cost, with how it was worked out. `size` is the property where tiers are by size.
    pub fn price(&self, count: i64, size: Option<i64>) -> Option<(Fen, String)> {
        match self.of {
            Of::Size => {
                let each = self.find(size?)?;
                Some((each.times(count), format!("{count} × {each}")))
            }
            Of::Count if !self.marginal => {
                let each = self.find(count)?;
                Some((each.times(count), format!("{count} × {each}")))
            }
            Of::Count => {
                let (mut sum, mut said) = (Fen(0), Vec::new());
                for (index, (from, fen)) in self.steps.iter().enumerate() {
                    let to = self.steps.get(index + 1).map(|step| step.0).or(self.end).unwrap_or(i64::MAX);
                    let here = (count + 1).min(to) - (*from).max(1);
                    if here > 0 {
                        sum = Fen(sum.0 + fen.times(here).0);
                        said.push(format!("{here} × {fen}"));
                    }
                }
                if self.end.is_some_and(|end| count >= end) { None } else { Some((sum, said.join(" + "))) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bands(texts: &[&str], zero: i64) -> Vec<Band> {
        texts.iter().map(|text| Band::parse(text, zero).unwrap()).collect()
    }

    #[test]
    fn the_printed_tables_are_caught() {
        // Switches: 5 falls in two tiers, and so does 10 unless 以上 leaves it out.
        assert_eq!(flaws(&bands(&["1-5", "5-10", ">10"], 1), 1), [(1, Flaw::Overlap(5, Some(5)))]);
        assert_eq!(flaws(&bands(&["1-5", "6-10", "10+"], 1), 1), [(2, Flaw::Overlap(10, Some(10)))]);
        // Amplifiers: 800 W and 1500 W.
        let amplifiers = flaws(&bands(&["<=800", "800-1500", ">=1500"], 0), 0);
        assert_eq!(amplifiers, [(1, Flaw::Overlap(800, Some(800))), (2, Flaw::Overlap(1500, Some(1500)))]);
        // Exchanges: 0–100 twice, 101–150 in none, and the open ends lie in each other.
        let exchanges = flaws(&bands(&["<=50", "<=100", ">150", ">200", ">300"], 0), 0);
        assert_eq!(
            exchanges,
            [
                (1, Flaw::Overlap(0, Some(50))),
                (2, Flaw::Gap(101, 150)),
                (3, Flaw::Overlap(201, None)),
                (4, Flaw::Overlap(301, None)),
            ]
        );
        assert_eq!(flaws(&bands(&["1..6", "6..11", "11.."], 1), 1), []);
        assert_eq!(flaws(&bands(&["2..6"], 1), 1), [(0, Flaw::Gap(1, 1))]);
    }

    #[test]
    fn all_pieces_or_only_those_beyond() {
        let steps = vec![(1, Fen(40_000)), (6, Fen(36_000)), (11, Fen(32_000))];
        let all = Tiers { of: Of::Count, marginal: false, steps, end: None };
        // 12 × 320 = 3840; by margins 5 × 400 + 5 × 360 + 2 × 320 = 2000 + 1800 + 640 = 4440.
        assert_eq!(all.price(12, None).unwrap().0, Fen(384_000));
        let marginal = Tiers { marginal: true, ..all };
        let (fen, said) = marginal.price(12, None).unwrap();
        assert_eq!((fen, said.as_str()), (Fen(444_000), "5 × 400.00 + 5 × 360.00 + 2 × 320.00"));
        assert_eq!(marginal.price(5, None).unwrap().0, Fen(200_000));
    }
}
