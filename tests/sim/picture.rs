//! What a simulated camera sees: a yard of its own, as a small JPEG with the noise of a sensor, by day and night the same.

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, Rgb, RgbImage};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::device::Device;
use super::trouble::Trouble;

/// Pixels across and down.
pub const SIDE: (u32, u32) = (176, 96);
const QUALITY: u8 = 92;
/// Things in a yard.
const THINGS: u32 = 60;
/// By how much the sensor is off, of 255.
const NOISE: f64 = 2.5;

/// The file that it hands out now.
pub fn snapshot(device: &Device) -> Vec<u8> {
    let seed = u64::from(u32::from(device.address()));
    let moment = if device.has(Trouble::Frozen) { seed } else { rand::random() };
    let picture = if device.has(Trouble::Black) {
        RgbImage::from_pixel(SIDE.0, SIDE.1, Rgb([3, 3, 3]))
    } else if device.has(Trouble::Blurred) {
        image::imageops::blur(&yard(seed, moment), 2.5)
    } else if device.has(Trouble::Turned) {
        turned(seed, moment)
    } else {
        yard(seed, moment)
    };
    jpeg(&picture)
}

/// A yard with things in it; another `place` is another yard, another `moment` another noise of the sensor.
pub fn yard(place: u64, moment: u64) -> RgbImage {
    let (width, height) = SIDE;
    let mut picture = RgbImage::from_fn(width, height, |_, y| {
        let light = (150 - y * 80 / height) as u8;
        Rgb([light, light + 10, light + 25])
    });
    let mut dice = StdRng::seed_from_u64(place);
    for _ in 0..THINGS {
        let (x, y) = (dice.random_range(0..width - 30), dice.random_range(0..height - 25));
        let (w, h) = (dice.random_range(4..44), dice.random_range(3..31));
        let colour = Rgb([0; 3].map(|_: u8| dice.random_range(20..220)));
        for y in y..(y + h).min(height) {
            for x in x..(x + w).min(width) {
                picture.put_pixel(x, y, colour);
            }
        }
    }
    let mut dice = StdRng::seed_from_u64(moment.wrapping_add(1_000_000));
    change(picture, |_, channel| channel + dice.random_range(-NOISE..NOISE))
}

/// What the camera of a yard sees once somebody has turned it: the same yard by half a picture further, and the light upside down. Quite
/// another yard may by chance be as like it as the same one is at two times of a day, or so grey that it counts as night.
pub fn turned(place: u64, moment: u64) -> RgbImage {
    let before = yard(place, moment);
    let (width, height) = SIDE;
    RgbImage::from_fn(width, height, |x, y| {
        *before.get_pixel((x + width / 2) % width, (height - 1 - y + height / 3) % height)
    })
}

/// Another value for each channel of each pixel.
pub fn change(mut picture: RgbImage, mut by: impl FnMut(usize, f64) -> f64) -> RgbImage {
    for pixel in picture.pixels_mut() {
        for (index, channel) in pixel.0.iter_mut().enumerate() {
            *channel = by(index, f64::from(*channel)).round().clamp(0.0, 255.0) as u8;
        }
    }
    picture
}

/// The picture as a file.
pub fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut file, QUALITY);
    let (width, height) = picture.dimensions();
    encoder.encode(picture.as_raw(), width, height, ExtendedColorType::Rgb8).unwrap_or_default();
    file
}
