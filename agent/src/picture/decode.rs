//! JPEG (ITU-T T.81) to brightness and colour. A file from a device is not trusted: its size and its number of
//! pixels are bounded before anything is decoded.

use image::{Rgb, RgbImage};
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
/// Most pixels: an 8K picture has 33 million.
const PIXELS_MAX: usize = 40_000_000;
/// Most pixels that a byte of a file can stand for; the plainest picture has 60. A file that says more lies.
const PIXELS_A_BYTE_MAX: usize = 400;
/// Width of the small picture.
const SMALL: usize = 192;
/// Points, each way, that a pixel of the small picture is the mean of.
const POINTS: usize = 4;

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
///
/// # Errors
/// When the file is no picture.
pub fn decode(file: &[u8]) -> Result<Frame, Unreadable> {
    let pixels = pixels(file)?;
    Ok(pixels.into_frame())
}

/// The same with a small picture in colour, for people.
///
/// # Errors
/// When the file is no picture.
pub fn decode_with_small(file: &[u8]) -> Result<(Frame, RgbImage), Unreadable> {
    let pixels = pixels(file)?;
    let small = pixels.small();
    Ok((pixels.into_frame(), small))
}

/// A decoded picture, its channels side by side: brightness alone, or with both differences.
struct Pixels {
    width: usize,
    height: usize,
    channels: usize,
    bytes: Vec<u8>,
}

fn pixels(file: &[u8]) -> Result<Pixels, Unreadable> {
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
    if width * height > PIXELS_MAX.min(file.len() * PIXELS_A_BYTE_MAX) {
        return Err(Unreadable::Broken(format!("{width} × {height} pixels are not in {} bytes", file.len())));
    }
    let is_grey = decoder.input_colorspace() == Some(ColorSpace::Luma);
    let wanted = if is_grey { ColorSpace::Luma } else { ColorSpace::YCbCr };
    decoder.set_options(options.jpeg_set_out_colorspace(wanted));
    let bytes = decoder.decode().map_err(|error| broken(&error))?;
    let channels = if is_grey { 1 } else { 3 };
    if bytes.len() != width * height * channels {
        return Err(Unreadable::Broken("fewer pixels than it says".to_owned()));
    }
    Ok(Pixels { width, height, channels, bytes })
}

impl Pixels {
    fn into_frame(self) -> Frame {
        let Self { width, height, channels, bytes } = self;
        if channels == 1 {
            return Frame { width, height, luma: bytes, cb: 128.0, cr: 128.0 };
        }
        let (mut cb, mut cr) = (0_u64, 0_u64);
        let luma: Vec<u8> = bytes
            .chunks_exact(3)
            .map(|pixel| {
                cb += u64::from(pixel[1]);
                cr += u64::from(pixel[2]);
                pixel[0]
            })
            .collect();
        let count = luma.len() as f64;
        Frame { width, height, luma, cb: cb as f64 / count, cr: cr as f64 / count }
    }

    /// At most [`SMALL`] pixels wide; each is the mean of some points of its field. ITU-T T.871 tells its colour.
    fn small(&self) -> RgbImage {
        let (width, height) =
            (SMALL.min(self.width), (self.height * SMALL.min(self.width) / self.width).max(1));
        let mean = |x: usize, y: usize, channel: usize| {
            let sum: u32 = (0..POINTS * POINTS)
                .map(|point| {
                    let x = (x * POINTS + point % POINTS) * self.width / (width * POINTS);
                    let y = (y * POINTS + point / POINTS) * self.height / (height * POINTS);
                    u32::from(self.bytes[(y * self.width + x) * self.channels + channel])
                })
                .sum();
            f64::from(sum) / (POINTS * POINTS) as f64
        };
        RgbImage::from_fn(width as u32, height as u32, |x, y| {
            let (x, y) = (x as usize, y as usize);
            let luma = mean(x, y, 0);
            let (cb, cr) =
                if self.channels == 1 { (0.0, 0.0) } else { (mean(x, y, 1) - 128.0, mean(x, y, 2) - 128.0) };
            let channels = [luma + 1.402 * cr, luma - 0.344_136 * cb - 0.714_136 * cr, luma + 1.772 * cb];
            Rgb(channels.map(|channel| channel.round().clamp(0.0, 255.0) as u8))
        })
    }
}
