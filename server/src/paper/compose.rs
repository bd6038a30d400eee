//! Lays a paper out: what stands where on which sheet. Lengths are points, from the upper left corner.

use super::face::Hand;
use super::line::{Line, line, lines};
use super::{Code, Fact, Paper, Part, Picture};

/// A4.
pub const WIDTH: f32 = 595.28;
/// A4.
pub const HEIGHT: f32 = 841.89;
const LEFT: f32 = 48.0;
const RIGHT: f32 = WIDTH - 48.0;
const TOP: f32 = 68.0;
const BOTTOM: f32 = HEIGHT - 56.0;

const BODY: f32 = 9.5;
const SMALL: f32 = 8.0;
const LEADING: f32 = 14.0;
/// Space over and under the lines of a row.
const PAD: f32 = 3.0;
const NAME_WIDTH: f32 = 74.0;
const GAP: f32 = 12.0;
const BOX_HEIGHT: f32 = 84.0;
const PICTURE_HEIGHT: f32 = 190.0;
/// 60 mm: read from an arm's length by any phone.
const CODE_SIDE: f32 = 170.0;
/// White around a code, at least four modules of the smallest (ISO/IEC 18004).
const CODE_EDGE: f32 = 24.0;

/// How dark something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shade {
    /// What one reads.
    Ink,
    /// What one reads, heavier.
    Strong,
    /// What it is called.
    Quiet,
}

/// Something that stands on a sheet.
#[derive(Clone, Debug)]
pub enum Item {
    /// A line of text; `y` is its base line.
    Text {
        /// Where it begins.
        x: f32,
        /// On which line.
        y: f32,
        /// How large.
        size: f32,
        /// How dark.
        shade: Shade,
        /// What it says.
        line: Line,
    },
    /// A hairline.
    Rule {
        /// From here.
        from: f32,
        /// To there.
        to: f32,
        /// At this height.
        y: f32,
    },
    /// A frame, with strokes that were drawn in it.
    Drawing {
        /// The frame: left, top, width, height.
        frame: [f32; 4],
        /// Points from stroke to stroke.
        strokes: Vec<Vec<(f32, f32)>>,
    },
    /// A picture.
    Picture {
        /// The room it may take: left, top, width, height.
        frame: [f32; 4],
        /// Which one, counted over the whole paper.
        index: usize,
    },
    /// A code.
    Code {
        /// Left and top.
        at: (f32, f32),
        /// The side of one module.
        module: f32,
        /// The dark modules: column and row.
        dark: Vec<(usize, usize)>,
    },
}

/// What stands on one sheet.
pub type Sheet = Vec<Item>;

/// The sheets of a paper.
pub fn compose(hand: &Hand<'_>, paper: &Paper) -> Vec<Sheet> {
    let mut desk = Desk { hand, sheets: vec![Vec::new()], y: TOP, pictures: 0 };
    desk.title(paper);
    let mut parts = paper.parts.iter().peekable();
    while let Some(part) = parts.next() {
        match part {
            Part::Heading(text) => {
                // A heading never stands alone at the foot.
                let follows = match parts.peek() {
                    Some(Part::Drawing { .. }) => BOX_HEIGHT,
                    Some(Part::Pictures(_)) => PICTURE_HEIGHT + LEADING,
                    Some(Part::Codes(_)) => CODE_SIDE + 2.0 * CODE_EDGE,
                    Some(Part::Facts(_) | Part::Table { .. } | Part::Words(_) | Part::Heading(_)) | None => {
                        3.0 * LEADING
                    }
                };
                desk.heading(text, follows);
            }
            Part::Facts(facts) => desk.facts(facts),
            Part::Table { widths, heads, rows } => desk.table(widths, heads, rows),
            Part::Words(text) => desk.row(&[Cell { text, x: LEFT, width: RIGHT - LEFT, quiet: false }]),
            Part::Drawing { strokes, aspect, lines } => desk.drawing(strokes, *aspect, lines),
            Part::Pictures(pictures) => desk.pictures(pictures),
            Part::Codes(codes) => desk.codes(codes),
        }
    }
    desk.frame(paper);
    desk.sheets
}

struct Desk<'a> {
    hand: &'a Hand<'a>,
    sheets: Vec<Sheet>,
    y: f32,
    pictures: usize,
}

struct Cell<'t> {
    text: &'t str,
    x: f32,
    width: f32,
    quiet: bool,
}

impl Desk<'_> {
    fn put(&mut self, item: Item) {
        if let Some(sheet) = self.sheets.last_mut() {
            sheet.push(item);
        }
    }

    fn write(&mut self, x: f32, y: f32, size: f32, shade: Shade, line: Line) {
        if !line.glyphs.is_empty() {
            self.put(Item::Text { x, y, size, shade, line });
        }
    }

    /// Goes on to the next sheet unless there is so much room on this one; whether it went.
    fn room(&mut self, height: f32) -> bool {
        if self.y + height <= BOTTOM || self.y <= TOP {
            return false;
        }
        self.sheets.push(Vec::new());
        self.y = TOP;
        true
    }

    fn title(&mut self, paper: &Paper) {
        let number = line(self.hand, &paper.number);
        let beside = number.width(BODY);
        let title = lines(self.hand, &paper.title, 17.0, RIGHT - LEFT - beside - GAP);
        self.write(RIGHT - beside, self.y + 17.0, BODY, Shade::Ink, number);
        for one in title {
            self.write(LEFT, self.y + 17.0, 17.0, Shade::Strong, one);
            self.y += 24.0;
        }
        self.y += 2.0;
        if !paper.remark.is_empty() {
            for one in lines(self.hand, &paper.remark, BODY, RIGHT - LEFT) {
                self.write(LEFT, self.y + 10.0, BODY, Shade::Quiet, one);
                self.y += LEADING;
            }
        }
    }

    fn heading(&mut self, text: &str, follows: f32) {
        self.y += 10.0;
        self.room(20.0 + follows);
        for one in lines(self.hand, text, 11.0, RIGHT - LEFT) {
            self.write(LEFT, self.y + 11.0, 11.0, Shade::Strong, one);
            self.y += 16.0;
        }
        self.put(Item::Rule { from: LEFT, to: RIGHT, y: self.y + 1.0 });
        self.y += 3.0;
    }

    fn facts(&mut self, facts: &[Fact]) {
        let half = (RIGHT - LEFT - GAP) / 2.0;
        let mut rest = facts;
        while let Some(first) = rest.first() {
            let beside = rest.get(1).filter(|second| !first.wide && !second.wide);
            let mut cells = Vec::with_capacity(4);
            let all = if first.wide { RIGHT - LEFT } else { half };
            cells.extend(fact(first, LEFT, all));
            if let Some(second) = beside {
                cells.extend(fact(second, LEFT + half + GAP, half));
            }
            self.row(&cells);
            rest = &rest[if beside.is_some() { 2 } else { 1 }..];
        }
    }

    fn table(&mut self, widths: &[f32], heads: &[String], rows: &[Vec<String>]) {
        let all: f32 = widths.iter().sum::<f32>().max(f32::EPSILON);
        let mut places = Vec::with_capacity(widths.len());
        let mut x = LEFT;
        for width in widths {
            let width = width / all * (RIGHT - LEFT);
            places.push((x, width - 8.0));
            x += width;
        }
        self.cells(heads, &places, true);
        for row in rows {
            // The heads stand over what goes on on the next sheet, too.
            if self.room(PAD + 2.0 * LEADING) {
                self.cells(heads, &places, true);
            }
            self.cells(row, &places, false);
        }
    }

    fn cells(&mut self, texts: &[String], places: &[(f32, f32)], quiet: bool) {
        let cell = |(text, (x, width)): (_, &(f32, f32))| Cell { text, x: *x, width: *width, quiet };
        let cells: Vec<Cell<'_>> = texts.iter().map(String::as_str).zip(places).map(cell).collect();
        self.row(&cells);
    }

    /// Cells beside each other. What does not fit on this sheet goes on on the next.
    fn row(&mut self, cells: &[Cell<'_>]) {
        let size = |cell: &Cell<'_>| if cell.quiet { SMALL } else { BODY };
        let texts: Vec<Vec<Line>> =
            cells.iter().map(|cell| lines(self.hand, cell.text, size(cell), cell.width)).collect();
        let count = texts.iter().map(Vec::len).max().unwrap_or_default();
        // Short rows are kept whole.
        self.room(PAD + LEADING * if count <= 4 { count as f32 } else { 2.0 });
        self.y += PAD;
        for index in 0..count {
            self.room(LEADING);
            for (cell, text) in cells.iter().zip(&texts) {
                if let Some(one) = text.get(index) {
                    let shade = if cell.quiet { Shade::Quiet } else { Shade::Ink };
                    self.write(cell.x, self.y + 10.5, size(cell), shade, one.clone());
                }
            }
            self.y += LEADING;
        }
        self.y += PAD - 1.0;
        self.put(Item::Rule { from: LEFT, to: RIGHT, y: self.y });
    }

    fn drawing(&mut self, strokes: &[Vec<(f32, f32)>], aspect: f32, beside: &[String]) {
        let width = 240.0;
        let texts: Vec<Line> =
            beside.iter().flat_map(|text| lines(self.hand, text, BODY, RIGHT - LEFT - width - GAP)).collect();
        let height = BOX_HEIGHT.max(texts.len() as f32 * LEADING + 8.0).min(BOTTOM - TOP);
        self.room(height + 10.0);
        self.y += 8.0;
        let frame = [LEFT, self.y, width, BOX_HEIGHT];
        self.put(Item::Drawing { frame, strokes: fitted(strokes, aspect, width / BOX_HEIGHT) });
        for (index, text) in texts.into_iter().enumerate() {
            self.write(LEFT + width + GAP, self.y + 12.0 + index as f32 * LEADING, BODY, Shade::Ink, text);
        }
        self.y += height + 4.0;
    }

    fn pictures(&mut self, pictures: &[Picture]) {
        let half = (RIGHT - LEFT - GAP) / 2.0;
        for pair in pictures.chunks(2) {
            let texts: Vec<Vec<Line>> =
                pair.iter().map(|one| lines(self.hand, &one.caption, SMALL, half)).collect();
            let under = texts.iter().map(Vec::len).max().unwrap_or_default().min(6) as f32 * 11.0;
            self.room(PICTURE_HEIGHT + under + 16.0);
            self.y += 8.0;
            for (column, text) in texts.into_iter().enumerate() {
                let x = LEFT + column as f32 * (half + GAP);
                self.put(Item::Picture { frame: [x, self.y, half, PICTURE_HEIGHT], index: self.pictures });
                self.pictures += 1;
                for (index, one) in text.into_iter().take(6).enumerate() {
                    let y = self.y + PICTURE_HEIGHT + 11.0 + index as f32 * 11.0;
                    self.write(x, y, SMALL, Shade::Quiet, one);
                }
            }
            self.y += PICTURE_HEIGHT + under + 8.0;
        }
    }

    fn codes(&mut self, codes: &[Code]) {
        for code in codes {
            let height = CODE_SIDE + 2.0 * CODE_EDGE;
            self.room(height + 8.0);
            self.y += 8.0;
            let (x, y) = (LEFT + CODE_EDGE, self.y + CODE_EDGE);
            self.put(Item::Drawing { frame: [LEFT, self.y, RIGHT - LEFT, height], strokes: Vec::new() });
            let module = CODE_SIDE / code.side.max(1) as f32;
            self.put(Item::Code { at: (x, y), module, dark: code.dark.clone() });
            let (left, mut base) = (x + CODE_SIDE + CODE_EDGE, y + 14.0);
            for (index, text) in code.lines.iter().enumerate() {
                let (size, shade) = if index == 0 { (13.0, Shade::Strong) } else { (BODY, Shade::Ink) };
                for one in lines(self.hand, text, size, RIGHT - left - CODE_EDGE) {
                    if base < y + CODE_SIDE {
                        self.write(left, base, size, shade, one);
                    }
                    base += size * 1.5;
                }
                base += 4.0;
            }
            self.y += height;
        }
    }

    /// Header and footer of every sheet, now that their number is known.
    fn frame(&mut self, paper: &Paper) {
        let pages = self.sheets.len();
        for page in 1..=pages {
            let paging =
                paper.paging.replace("{page}", &page.to_string()).replace("{pages}", &pages.to_string());
            let paging = line(self.hand, &paging);
            let mut texts = vec![
                (LEFT, BOTTOM + 24.0, line(self.hand, &paper.footer)),
                (RIGHT - paging.width(SMALL), BOTTOM + 24.0, paging),
            ];
            if page > 1 {
                let number = line(self.hand, &paper.number);
                texts.push((RIGHT - number.width(SMALL), TOP - 22.0, number));
                texts.push((LEFT, TOP - 22.0, line(self.hand, &paper.title)));
            }
            let Some(sheet) = self.sheets.get_mut(page - 1) else { continue };
            sheet.push(Item::Rule { from: LEFT, to: RIGHT, y: BOTTOM + 12.0 });
            if page > 1 {
                sheet.push(Item::Rule { from: LEFT, to: RIGHT, y: TOP - 14.0 });
            }
            for (x, y, line) in texts {
                sheet.push(Item::Text { x, y, size: SMALL, shade: Shade::Quiet, line });
            }
        }
    }
}

fn fact(fact: &Fact, x: f32, width: f32) -> [Cell<'_>; 2] {
    [
        Cell { text: &fact.name, x, width: NAME_WIDTH - 6.0, quiet: true },
        Cell { text: &fact.text, x: x + NAME_WIDTH, width: width - NAME_WIDTH, quiet: false },
    ]
}

/// Strokes drawn in a field of one shape, in the middle of a frame of another, undistorted.
fn fitted(strokes: &[Vec<(f32, f32)>], aspect: f32, frame: f32) -> Vec<Vec<(f32, f32)>> {
    let aspect = if aspect.is_finite() && aspect > 0.0 { aspect } else { frame };
    let (wide, high) = if aspect > frame { (1.0, frame / aspect) } else { (aspect / frame, 1.0) };
    let place = |(x, y): &(f32, f32)| ((1.0 - wide) / 2.0 + x * wide, (1.0 - high) / 2.0 + y * high);
    strokes.iter().map(|stroke| stroke.iter().map(place).collect()).collect()
}
