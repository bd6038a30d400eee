//! Lines: text broken where Chinese and Latin may be broken, each line no wider than it may be.

use icu_segmenter::LineSegmenter;
use icu_segmenter::options::LineBreakOptions;

use super::face::{Glyph, Hand};

/// A line of text with its glyphs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// The text; what the glyphs name lies in it.
    pub text: String,
    /// Its glyphs.
    pub glyphs: Vec<Glyph>,
}

impl Line {
    /// How wide it is at a size.
    pub fn width(&self, size: f32) -> f32 {
        self.glyphs.iter().map(|glyph| glyph.advance).sum::<f32>() * size
    }

    fn cut(text: &str, glyphs: &[Glyph], from: usize, to: usize) -> Self {
        let kept = text[from..to].trim_end();
        let end = from + kept.len();
        let moved = |glyph: &Glyph| Glyph { from: glyph.from - from, to: glyph.to - from, ..glyph.clone() };
        let within = glyphs.iter().filter(|glyph| glyph.from >= from && glyph.to <= end);
        Self { text: kept.to_owned(), glyphs: within.map(moved).collect() }
    }
}

/// One line, however wide.
pub fn line(hand: &Hand<'_>, text: &str) -> Line {
    let text = plain(text);
    Line { glyphs: hand.shape(&text), text }
}

/// Text as lines of at most `width` at `size`. A line break in the text is one on paper.
pub fn lines(hand: &Hand<'_>, text: &str, size: f32, width: f32) -> Vec<Line> {
    let text = text.replace("\r\n", "\n");
    let most = (width / size).max(1.0);
    text.split(['\n', '\r']).flat_map(|paragraph| broken(hand, &plain(paragraph), most)).collect()
}

/// Without what cannot be drawn.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn broken(hand: &Hand<'_>, text: &str, most: f32) -> Vec<Line> {
    let glyphs = hand.shape(text);
    let ruler = Ruler::new(&glyphs);
    let segmenter = LineSegmenter::new_for_non_complex_scripts(LineBreakOptions::default());
    let mut lines = Vec::new();
    // Where this line begins and where it may end.
    let (mut begin, mut end) = (0, 0);
    for stop in segmenter.segment_str(text).filter(|stop| *stop > 0) {
        // What hangs over the edge of blanks is not seen.
        let word_end = end + text[end..stop].trim_end().len();
        if ruler.width(begin, word_end) > most && end > begin {
            lines.push(Line::cut(text, &glyphs, begin, end));
            begin = end;
        }
        // A word that is wider than a line is broken wherever it must be.
        while ruler.width(begin, word_end) > most {
            let Some(fits) = ruler.fitting(begin, word_end, most) else { break };
            lines.push(Line::cut(text, &glyphs, begin, fits));
            begin = fits;
        }
        end = stop;
    }
    if begin < text.len() || lines.is_empty() {
        lines.push(Line::cut(text, &glyphs, begin, text.len()));
    }
    lines
}

/// Measures between bytes of a text.
struct Ruler {
    /// Where each glyph begins, and how wide all before it are; at last the whole.
    marks: Vec<(usize, f32)>,
}

impl Ruler {
    fn new(glyphs: &[Glyph]) -> Self {
        let mut width = 0.0;
        let mut marks = Vec::with_capacity(glyphs.len() + 1);
        for glyph in glyphs {
            marks.push((glyph.from, width));
            width += glyph.advance;
        }
        marks.push((usize::MAX, width));
        Self { marks }
    }

    fn before(&self, at: usize) -> f32 {
        let place = self.marks.partition_point(|mark| mark.0 < at);
        self.marks[place.min(self.marks.len() - 1)].1
    }

    fn width(&self, from: usize, to: usize) -> f32 {
        self.before(to) - self.before(from)
    }

    /// The end of what fits into one line: at least one glyph, and less than all.
    fn fitting(&self, from: usize, to: usize, most: f32) -> Option<usize> {
        let starts = self.marks.iter().map(|mark| mark.0).filter(|start| *start > from && *start < to);
        let mut ends = starts.peekable();
        let first = ends.peek().copied()?;
        Some(ends.take_while(|end| self.width(from, *end) <= most).last().unwrap_or(first))
    }
}
