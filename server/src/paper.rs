//! Papers: documents that leave the screen, as PDF that can be printed, filed and copied from.
//!
//! A [`Paper`] says what stands on it, a [`Press`] makes pages of it: A4, with header, footer and page numbers, lines
//! broken as Chinese and Latin demand, the glyphs that are used embedded and their text kept beside them. The font is the
//! system's, because a Chinese font is larger than the server; it is looked for at the start, and where it is missing
//! everything else works.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Zoned;
use tokio::sync::Semaphore;

use crate::user::Language;

pub mod api;
mod compose;
mod face;
mod ink;
mod line;
pub mod scribe;

use face::Face;

/// What stands on a paper.
#[derive(Clone, Debug)]
pub struct Paper {
    /// The language it is in.
    pub language: Language,
    /// What it is: the title of the first page, and in the header of all.
    pub title: String,
    /// Which one it is: beside the title, and in the header of all.
    pub number: String,
    /// Under the title: what must be known of the whole, where there is such a thing.
    pub remark: String,
    /// When it was made, in the zone whose times it shows.
    pub made_at: Zoned,
    /// What the footer says.
    pub footer: String,
    /// The footer's page number, with `{page}` and `{pages}`.
    pub paging: String,
    /// What stands on it, from top to bottom.
    pub parts: Vec<Part>,
}

/// A part of a paper.
#[derive(Clone, Debug)]
pub enum Part {
    /// The heading of what follows.
    Heading(String),
    /// Facts by their names, two beside each other where both are short.
    Facts(Vec<Fact>),
    /// Rows under heads.
    Table {
        /// How wide each column is, in parts of the whole.
        widths: Vec<f32>,
        /// What stands over them.
        heads: Vec<String>,
        /// Their cells.
        rows: Vec<Vec<String>>,
    },
    /// Plain words.
    Words(String),
    /// Something drawn by hand, with who drew it; without strokes an empty box to be signed with a pen.
    Drawing {
        /// Points from stroke to stroke, each from 0 to 1 of width and height.
        strokes: Vec<Vec<(f32, f32)>>,
        /// Width by height of the whole.
        aspect: f32,
        /// The lines beside it.
        lines: Vec<String>,
    },
    /// Pictures, two beside each other.
    Pictures(Vec<Picture>),
    /// Codes to be cut out and hung up, one below the other.
    Codes(Vec<Code>),
}

/// A QR code with what stands beside it.
#[derive(Clone, Debug)]
pub struct Code {
    /// Modules on each side.
    pub side: usize,
    /// The dark modules: column and row, from the upper left.
    pub dark: Vec<(usize, usize)>,
    /// What stands beside it, the first line larger.
    pub lines: Vec<String>,
}

/// A fact by its name.
#[derive(Clone, Debug)]
pub struct Fact {
    /// Its name.
    pub name: String,
    /// What it is.
    pub text: String,
    /// Whether it has a row of its own.
    pub wide: bool,
}

/// A picture with what it shows.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The picture, JPEG.
    pub jpeg: Vec<u8>,
    /// What stands under it.
    pub caption: String,
}

/// Why there is no paper.
#[derive(Debug, thiserror::Error)]
pub enum Unprinted {
    /// The font is missing, or is none.
    #[error("the font {path} cannot be used: {reason}")]
    Font {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Its pages could not be written.
    #[error("the paper could not be made: {0}")]
    Pages(String),
}

/// What helps against a missing font.
pub const FONT_REMEDY: &str = "install the Debian package fonts-noto-cjk, or name a font with Chinese as `font` under [paper] in the configuration";

/// Makes papers, a few at a time.
#[derive(Clone, Debug)]
pub struct Press {
    font: PathBuf,
    turns: Arc<Semaphore>,
}

impl Press {
    /// Papers that are made at once; the others wait.
    const AT_ONCE: usize = 2;

    /// A press with the font in that file, which is read for each paper and not kept in memory.
    pub fn new(font: PathBuf) -> Self {
        Self { font, turns: Arc::new(Semaphore::new(Self::AT_ONCE)) }
    }

    /// Whether the font can be used.
    pub fn check(&self) -> Result<(), Unprinted> {
        read(&self.font).map(drop)
    }

    /// The paper as PDF.
    pub async fn print(&self, paper: Paper) -> Result<Vec<u8>, Unprinted> {
        let closed = |_| Unprinted::Pages("the server stops".into());
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(closed)?;
        let font = self.font.clone();
        let work = tokio::task::spawn_blocking(move || {
            let pdf = press(&read(&font)?, &paper);
            drop(turn);
            pdf
        });
        work.await.unwrap_or_else(|why| Err(Unprinted::Pages(why.to_string())))
    }
}

fn read(font: &Path) -> Result<Face, Unprinted> {
    Face::read(font).map_err(|reason| Unprinted::Font { path: font.display().to_string(), reason })
}

fn press(face: &Face, paper: &Paper) -> Result<Vec<u8>, Unprinted> {
    let sheets = compose::compose(&face.hand(), paper);
    ink::write(face, paper, &sheets).map_err(Unprinted::Pages)
}

#[cfg(test)]
mod tests;
