//! A font's face and the hand that writes with it: text to glyphs with their widths.

use std::path::Path;
use std::sync::Arc;

use harfrust::{Direction, FontRef, ShapeOptions, Shaper, ShaperData, UnicodeBuffer};
use skrifa::MetadataProvider;
use skrifa::string::StringId;

/// One face of a font file.
#[derive(Clone)]
pub struct Face {
    /// The file.
    pub bytes: Arc<Vec<u8>>,
    /// Which face of it.
    pub index: u32,
}

/// Faces of one file that are looked at.
const FACES_MAX: u32 = 64;
/// The largest font that is read, bytes.
const FONT_MAX: u64 = 128 << 20;

impl Face {
    /// Reads a font; of a collection, the face for simplified Chinese where there is one.
    pub fn read(path: &Path) -> Result<Self, String> {
        let size = std::fs::metadata(path).map_err(|why| why.to_string())?.len();
        if size > FONT_MAX {
            return Err(format!("it has {size} bytes, more than {FONT_MAX}"));
        }
        let bytes = std::fs::read(path).map_err(|why| why.to_string())?;
        let family = |index| {
            let font = FontRef::from_index(&bytes, index).ok()?;
            Some(
                font.localized_strings(StringId::FAMILY_NAME)
                    .map(|name| name.to_string())
                    .collect::<Vec<_>>(),
            )
        };
        if family(0).is_none() {
            return Err("it is no font that can be read".into());
        }
        let simplified =
            |index: &u32| family(*index).is_some_and(|names| names.iter().any(|name| name.ends_with(" SC")));
        let index = (0..FACES_MAX).take_while(|index| family(*index).is_some()).find(simplified).unwrap_or(0);
        let font = FontRef::from_index(&bytes, index).map_err(|why| why.to_string())?;
        if font.charmap().map('单').is_none() {
            return Err("it has no Chinese".into());
        }
        Ok(Self { bytes: Arc::new(bytes), index })
    }

    /// Writes with this face.
    pub fn hand(&self) -> Hand<'_> {
        // Whoever made the face has read it from the same bytes.
        let font = FontRef::from_index(&self.bytes, self.index).ok();
        Hand { data: font.as_ref().map(ShaperData::new), font }
    }
}

/// Shapes text.
pub struct Hand<'a> {
    font: Option<FontRef<'a>>,
    data: Option<ShaperData>,
}

/// A glyph on a line; lengths in parts of the font's size.
#[derive(Clone, Debug, PartialEq)]
pub struct Glyph {
    /// Which glyph of the font.
    pub id: u32,
    /// How far the line goes on.
    pub advance: f32,
    /// Where it is drawn, from where the line stands.
    pub dx: f32,
    /// The same, upwards.
    pub dy: f32,
    /// The first byte of the text it stands for.
    pub from: usize,
    /// The byte after its last.
    pub to: usize,
}

impl Hand<'_> {
    /// The glyphs of a line of text, from left to right.
    pub fn shape(&self, text: &str) -> Vec<Glyph> {
        let (Some(font), Some(data)) = (&self.font, &self.data) else { return Vec::new() };
        let shaper: Shaper<'_> = data.shaper(font).build();
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.guess_segment_properties();
        buffer.set_direction(Direction::LeftToRight);
        let em = shaper.units_per_em().max(1) as f32;
        let shaped = shaper.shape(buffer, ShapeOptions::new());
        let starts: Vec<usize> = shaped.glyph_infos().iter().map(|info| info.cluster as usize).collect();
        let end = |at: usize| starts.iter().copied().filter(|start| *start > at).min().unwrap_or(text.len());
        let mut glyphs: Vec<Glyph> = Vec::with_capacity(starts.len());
        for (index, (info, place)) in shaped.glyph_infos().iter().zip(shaped.glyph_positions()).enumerate() {
            let from = starts[index];
            let to = match (starts.get(index + 1), glyphs.last()) {
                (_, Some(last)) if last.from == from => last.to,
                (Some(next), _) if *next > from => *next,
                _ => end(from),
            };
            glyphs.push(Glyph {
                id: info.glyph_id,
                advance: place.x_advance as f32 / em,
                dx: place.x_offset as f32 / em,
                dy: place.y_offset as f32 / em,
                from,
                to,
            });
        }
        glyphs
    }
}
