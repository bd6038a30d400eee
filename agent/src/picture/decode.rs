//! JPEG (ITU-T T.81) to brightness and colour. A file from a device is not trusted: its size and its number of
//! pixels are bounded before anything is decoded.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Largest file, bytes.
pub const FILE_MAX: usize = 8 * 1024 * 1024;
/// Smallest file that can be a picture, bytes: some recorders answer with a few bytes and call them a JPEG.
pub const FILE_MIN: usize = 64;
/// Longest side, pixels: 8K cameras exist.
const SIDE_MAX: usize = 8192;
/// Shortest side, pixels.
const SIDE_MIN: usize = 64;

/// A decoded picture: brightness in full, colour as its sums.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Brightness, row by row, 0–255.
    pub luma: Vec<u8>,
    /// Mean of the blue difference, 128 for none.
    pub cb: f64,
    /// Mean of the red difference, 128 for none.
    pub cr: f64,
}

/// Why a file is no picture. It says nothing about what the camera sees: the snapshot failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not a JPEG, or cut off at its beginning.
    #[error("it is no JPEG ({0} bytes)")]
    NoJpeg(usize),
    /// Larger than anything a camera sends.
    #[error("{0} bytes are too many; the limit is {FILE_MAX}")]
    TooLarge(usize),
    /// Too many pixels, or too few to see anything.
    #[error("{0} × {1} pixels cannot be judged; a side has {SIDE_MIN} to {SIDE_MAX}")]
    Sides(usize, usize),
    /// It is broken.
    #[error("it cannot be decoded: {0}")]
    Broken(String),
}

/// Decodes a JPEG.
pub fn decode(file: &[u8]) -> Result<Frame, Unreadable> {
    if file.len() > FILE_MAX {
        return Err(Unreadable::TooLarge(file.len()));
    }
    if file.len() < FILE_MIN || !file.starts_with(&[0xff, 0xd8]) {
        return Err(Unreadable::NoJpeg(file.len()));
    }
    let broken = |error: &dyn std::fmt::Debug| Unreadable::Broken(format!("{error:?}"));
    let options = DecoderOptions::default().set_max_width(SIDE_MAX).set_max_height(SIDE_MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), options);
    decoder.decode_headers().map_err(|error| broken(&error))?;
    let (width, height) = decoder.dimensions().unwrap_or_default();
    if !(SIDE_MIN..=SIDE_MAX).contains(&width) || !(SIDE_MIN..=SIDE_MAX).contains(&height) {
        return Err(Unreadable::Sides(width, height));
    }
    let is_grey = decoder.input_colorspace() == Some(ColorSpace::Luma);
    let wanted = if is_grey { ColorSpace::Luma } else { ColorSpace::YCbCr };
    decoder.set_options(options.jpeg_set_out_colorspace(wanted));
    let pixels = decoder.decode().map_err(|error| broken(&error))?;
    if is_grey {
        return Ok(Frame { width, height, luma: pixels, cb: 128.0, cr: 128.0 });
    }
    let (mut cb, mut cr) = (0_u64, 0_u64);
    let luma: Vec<u8> = pixels
        .chunks_exact(3)
        .map(|pixel| {
            cb += u64::from(pixel[1]);
            cr += u64::from(pixel[2]);
            pixel[0]
        })
        .collect();
    if luma.len() != width * height {
        return Err(Unreadable::Broken("fewer pixels than it says".to_owned()));
    }
    let count = luma.len() as f64;
    Ok(Frame { width, height, luma, cb: cb as f64 / count, cr: cr as f64 / count })
}
