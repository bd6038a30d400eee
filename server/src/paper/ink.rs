//! Writes sheets down as PDF. The only file that names krilla.

use std::sync::Arc;

use krilla::color::luma;
use krilla::geom::{PathBuilder, Point, Size, Transform};
use krilla::image::Image;
use krilla::metadata::{DateTime, Metadata};
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::{Fill, LineCap, LineJoin, Stroke};
use krilla::surface::Surface;
use krilla::text::{Font, GlyphId, KrillaGlyph};
use krilla::{Data, Document};

use super::compose::{HEIGHT, Item, Shade, Sheet, WIDTH};
use super::face::Face;
use super::line::Line;
use super::{Paper, Part};

/// The PDF.
pub fn write(face: &Face, paper: &Paper, sheets: &[Sheet]) -> Result<Vec<u8>, String> {
    let bytes: Arc<dyn AsRef<[u8]> + Send + Sync> = Arc::clone(&face.bytes) as _;
    let font = Font::new(bytes.into(), face.index).ok_or("the font cannot be embedded")?;
    let pictures = pictures(paper)?;
    let mut document = Document::new();
    for sheet in sheets {
        let size = PageSettings::from_wh(WIDTH, HEIGHT).ok_or("no such sheet")?;
        let mut page = document.start_page_with(size);
        let mut surface = page.surface();
        for item in sheet {
            draw(&mut surface, &font, &pictures, item);
        }
        surface.finish();
        page.finish();
    }
    document.set_metadata(metadata(paper));
    document.finish().map_err(|why| format!("{why:?}"))
}

fn pictures(paper: &Paper) -> Result<Vec<Image>, String> {
    let mut found = Vec::new();
    for part in &paper.parts {
        if let Part::Pictures(pictures) = part {
            for picture in pictures {
                found.push(Image::from_jpeg(Data::from(picture.jpeg.clone()), true)?);
            }
        }
    }
    Ok(found)
}

fn metadata(paper: &Paper) -> Metadata {
    let at = &paper.made_at;
    let offset = at.offset().seconds();
    let made = DateTime::new(u16::try_from(at.year()).unwrap_or_default())
        .month(at.month().unsigned_abs())
        .day(at.day().unsigned_abs())
        .hour(at.hour().unsigned_abs())
        .minute(at.minute().unsigned_abs())
        .second(at.second().unsigned_abs())
        .utc_offset_hour((offset / 3600) as i8)
        .utc_offset_minute((offset.abs() / 60 % 60) as u8);
    Metadata::new()
        .title(format!("{} {}", paper.title, paper.number))
        .language(paper.language.as_str().to_owned())
        .creator("Sitewarden".to_owned())
        .creation_date(made)
}

fn fill(darkness: u8) -> Fill {
    Fill { paint: luma::Color::new(darkness).into(), ..Fill::default() }
}

fn stroke(darkness: u8, width: f32) -> Stroke {
    Stroke {
        paint: luma::Color::new(darkness).into(),
        width,
        line_cap: LineCap::Round,
        line_join: LineJoin::Round,
        opacity: NormalizedF32::ONE,
        ..Stroke::default()
    }
}

fn draw(surface: &mut Surface<'_>, font: &Font, pictures: &[Image], item: &Item) {
    match item {
        Item::Text { x, y, size, shade, line } => text(surface, font, (*x, *y), *size, *shade, line),
        Item::Rule { from, to, y } => path(surface, &[(*from, *y), (*to, *y)], stroke(190, 0.5)),
        Item::Drawing { frame: [x, y, width, height], strokes } => {
            let (right, bottom) = (x + width, y + height);
            path(
                surface,
                &[(*x, *y), (right, *y), (right, bottom), (*x, bottom), (*x, *y)],
                stroke(150, 0.7),
            );
            for one in strokes {
                let place = |(px, py): &(f32, f32)| (x + px * width, y + py * height);
                let mut points: Vec<(f32, f32)> = one.iter().map(place).collect();
                // A dot is a stroke of no length, with round ends.
                if let [(px, py)] = points[..] {
                    points.push((px + 0.1, py));
                }
                path(surface, &points, stroke(20, 1.3));
            }
        }
        Item::Code { at: (x, y), module, dark } => {
            let mut builder = PathBuilder::new();
            for (column, row) in dark {
                let (left, top) = (x + *column as f32 * module, y + *row as f32 * module);
                builder.move_to(left, top);
                builder.line_to(left + module, top);
                builder.line_to(left + module, top + module);
                builder.line_to(left, top + module);
                builder.close();
            }
            surface.set_fill(Some(fill(0)));
            surface.set_stroke(None);
            if let Some(path) = builder.finish() {
                surface.draw_path(&path);
            }
        }
        Item::Picture { frame: [x, y, width, height], index } => {
            let Some(image) = pictures.get(*index) else { return };
            let (wide, high) = (image.size().0.max(1) as f32, image.size().1.max(1) as f32);
            let scale = (width / wide).min(height / high);
            let Some(size) = Size::from_wh(wide * scale, high * scale) else { return };
            surface.push_transform(&Transform::from_translate(*x, y + height - high * scale));
            surface.draw_image(image.clone(), size);
            surface.pop();
        }
    }
}

fn text(surface: &mut Surface<'_>, font: &Font, (x, y): (f32, f32), size: f32, shade: Shade, line: &Line) {
    let darkness = match shade {
        Shade::Ink | Shade::Strong => 20,
        Shade::Quiet => 95,
    };
    surface.set_fill(Some(fill(darkness)));
    // One weight is read from the system; what is heavier is drawn with an edge.
    surface.set_stroke((shade == Shade::Strong).then(|| stroke(darkness, size * 0.028)));
    let glyphs: Vec<KrillaGlyph> = line
        .glyphs
        .iter()
        .map(|glyph| {
            let range = glyph.from..glyph.to;
            KrillaGlyph::new(GlyphId::new(glyph.id), glyph.advance, glyph.dx, glyph.dy, 0.0, range, None)
        })
        .collect();
    surface.draw_glyphs(Point::from_xy(x, y), &glyphs, font.clone(), &line.text, size, false);
}

fn path(surface: &mut Surface<'_>, points: &[(f32, f32)], with: Stroke) {
    let mut builder = PathBuilder::new();
    for (index, (x, y)) in points.iter().enumerate() {
        if index == 0 {
            builder.move_to(*x, *y);
        } else {
            builder.line_to(*x, *y);
        }
    }
    let Some(path) = builder.finish() else { return };
    surface.set_fill(None);
    surface.set_stroke(Some(with));
    surface.draw_path(&path);
}
