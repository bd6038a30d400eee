//! Photos of a visit: JPEG, small enough for a bad network, looked at before they are kept. Pure.

use std::io::Cursor;

use image::codecs::jpeg::{JpegDecoder, JpegEncoder};
use image::{DynamicImage, ImageDecoder};

/// The largest file, bytes.
pub const BYTES_MAX: usize = 400 << 10;
/// The longest side, pixels.
pub const SIDE_MAX: u32 = 1600;
/// The shortest side that shows anything, pixels.
pub const SIDE_MIN: u32 = 16;
/// Most photos of a visit.
pub const PHOTOS_MAX: i64 = 20;
/// The longer side of the small picture that lists show.
const SMALL: u32 = 320;

/// What a photo turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photo {
    /// Width, pixels.
    pub width: u32,
    /// Height, pixels.
    pub height: u32,
    /// The same, small, JPEG.
    pub small: Vec<u8>,
}

/// Why a file is no photo.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPhoto {
    /// It does not begin or end as a JPEG does.
    #[error("it is no whole JPEG")]
    NoJpeg,
    /// Too many bytes.
    #[error("it has {0} bytes; the limit is {BYTES_MAX}")]
    TooLarge(usize),
    /// Too many pixels, or too few.
    #[error("it has {0} by {1} pixels; a side goes from {SIDE_MIN} to {SIDE_MAX}")]
    Sides(u32, u32),
    /// It is broken.
    #[error("it cannot be decoded: {0}")]
    Broken(String),
}

/// Looks at a file. Its sides are known before anything is decoded.
pub fn look(file: &[u8]) -> Result<Photo, NoPhoto> {
    if file.len() > BYTES_MAX {
        return Err(NoPhoto::TooLarge(file.len()));
    }
    if !file.starts_with(&[0xff, 0xd8, 0xff]) || !file.ends_with(&[0xff, 0xd9]) {
        return Err(NoPhoto::NoJpeg);
    }
    let broken = |why: image::ImageError| NoPhoto::Broken(why.to_string());
    let decoder = JpegDecoder::new(Cursor::new(file)).map_err(broken)?;
    let (width, height) = decoder.dimensions();
    if !(SIDE_MIN..=SIDE_MAX).contains(&width) || !(SIDE_MIN..=SIDE_MAX).contains(&height) {
        return Err(NoPhoto::Sides(width, height));
    }
    let picture = DynamicImage::from_decoder(decoder).map_err(broken)?.thumbnail(SMALL, SMALL).to_rgb8();
    let mut small = Vec::new();
    picture.write_with_encoder(JpegEncoder::new_with_quality(&mut small, 75)).map_err(broken)?;
    Ok(Photo { width, height, small })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jpeg(width: u32, height: u32) -> Vec<u8> {
        let mut file = Vec::new();
        let picture = image::RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 90]));
        picture.write_with_encoder(JpegEncoder::new_with_quality(&mut file, 60)).unwrap();
        file
    }

    #[test]
    fn a_photo_is_known_by_what_it_is() {
        let photo = look(&jpeg(1600, 1200)).unwrap();
        assert_eq!((photo.width, photo.height), (1600, 1200));
        assert!(
            photo.small.starts_with(&[0xff, 0xd8]) && photo.small.len() < 40_000,
            "{}",
            photo.small.len()
        );
        assert_eq!(look(&jpeg(1601, 100)), Err(NoPhoto::Sides(1601, 100)));
        assert_eq!(look(&jpeg(1600, 8)), Err(NoPhoto::Sides(1600, 8)));
        assert_eq!(look(b"\x89PNG\r\n\x1a\n"), Err(NoPhoto::NoJpeg));
        let whole = jpeg(64, 64);
        assert_eq!(look(&whole[..whole.len() - 9]), Err(NoPhoto::NoJpeg), "cut off");
        assert_eq!(look(&vec![0xff; BYTES_MAX + 1]), Err(NoPhoto::TooLarge(BYTES_MAX + 1)));
        assert!(matches!(look(b"\xff\xd8\xff nonsense \xff\xd9"), Err(NoPhoto::Broken(_))));
    }
}
