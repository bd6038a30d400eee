//! Pictures made here, broken in each way, through the same JPEG that a camera would send.

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, RgbImage};

use super::*;

const WIDTH: u32 = 176;
const HEIGHT: u32 = 96;

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 33) as u32) % below
    }

    /// About normal, mean 0.
    fn noise(&mut self, sigma: f64) -> f64 {
        let bits = self.roll(u32::MAX);
        let sum: u32 = (0..4).map(|part| bits >> (8 * part) & 0xff).sum();
        (f64::from(sum) - 510.0) / 148.0 * sigma
    }
}

/// A yard with things in it; another `place` is another yard, another `moment` another noise.
fn yard(place: u64, moment: u64) -> RgbImage {
    let mut picture = RgbImage::from_fn(WIDTH, HEIGHT, |_, y| {
        let light = 150 - y * 80 / HEIGHT;
        image::Rgb([light as u8, (light + 10) as u8, (light + 25) as u8])
    });
    let mut dice = Dice(place * 7919 + 1);
    for _ in 0..60 {
        let (x, y) = (dice.roll(WIDTH - 30), dice.roll(HEIGHT - 25));
        let (w, h) = (4 + dice.roll(40), 3 + dice.roll(28));
        let colour = image::Rgb([0, 1, 2].map(|_| 20 + dice.roll(200) as u8));
        for y in y..(y + h).min(HEIGHT) {
            for x in x..(x + w).min(WIDTH) {
                picture.put_pixel(x, y, colour);
            }
        }
    }
    let mut dice = Dice(moment * 104_729 + 3);
    change(&mut picture, |channel| channel + dice.noise(1.5));
    picture
}

fn change(picture: &mut RgbImage, mut by: impl FnMut(f64) -> f64) {
    for channel in picture.iter_mut() {
        *channel = by(f64::from(*channel)).round().clamp(0.0, 255.0) as u8;
    }
}

/// A box blur, `times` over.
fn blur(picture: &RgbImage, times: u32) -> RgbImage {
    let mut blurred = picture.clone();
    for _ in 0..times {
        let from = blurred.clone();
        for y in 1..HEIGHT - 1 {
            for x in 1..WIDTH - 1 {
                let mut sums = [0_u32; 3];
                for (dx, dy) in (0..3).flat_map(|dx| (0..3).map(move |dy| (dx, dy))) {
                    for (sum, channel) in sums.iter_mut().zip(from.get_pixel(x + dx - 1, y + dy - 1).0) {
                        *sum += u32::from(channel);
                    }
                }
                blurred.put_pixel(x, y, image::Rgb(sums.map(|sum| (sum / 9) as u8)));
            }
        }
    }
    blurred
}

fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut file = Vec::new();
    let (width, height) = picture.dimensions();
    JpegEncoder::new_with_quality(&mut file, 85)
        .encode(picture.as_raw(), width, height, ExtendedColorType::Rgb8)
        .unwrap();
    file
}

fn see(watch: &mut Watch, picture: &RgbImage, digest: u64) -> Seen {
    watch.observe(measure(&decode(&jpeg(picture)).unwrap()), digest)
}

/// A camera that has looked at its yard for a while.
fn settled() -> Watch {
    let mut watch = Watch::default();
    for moment in 0..u64::from(WARM_UP) {
        assert_eq!(see(&mut watch, &yard(1, moment), moment).suspects, []);
    }
    watch
}

/// The way is found after three pictures, nothing else is, and it is gone after three good ones.
#[track_caller]
fn check(break_it: impl Fn(u64) -> RgbImage, expected: Finding) {
    let mut watch = settled();
    for moment in 100..103 {
        let seen = see(&mut watch, &break_it(moment), moment);
        assert!(seen.is_judged || expected != Finding::Blurred);
        assert_eq!(seen.suspects, [expected], "picture {moment}");
        assert_eq!(seen.standing.is_empty(), moment < 102, "one picture is no verdict");
    }
    for moment in 200..203 {
        let seen = see(&mut watch, &yard(1, moment), moment);
        assert_eq!((seen.suspects.is_empty(), seen.standing.is_empty()), (true, moment == 202));
    }
}

fn with(moment: u64, by: impl Fn(f64, &mut Dice) -> f64) -> RgbImage {
    let mut picture = yard(1, moment);
    let mut dice = Dice(moment + 17);
    change(&mut picture, |channel| by(channel, &mut dice));
    picture
}

#[test]
fn no_light_is_black() {
    check(|moment| with(moment, |channel, dice| channel * 0.06 + dice.noise(0.7)), Finding::Black);
}

#[test]
fn a_hand_before_the_lens_is_covered() {
    check(|moment| with(moment, |_, dice| 60.0 + dice.noise(0.4)), Finding::Covered);
}

#[test]
fn the_blue_of_a_recorder_is_no_video() {
    check(|_| RgbImage::from_pixel(WIDTH, HEIGHT, image::Rgb([0, 0, 200])), Finding::SolidColour);
}

#[test]
fn a_light_into_the_lens_is_white() {
    check(|moment| with(moment, |channel, _| channel * 0.2 + 220.0), Finding::White);
}

#[test]
fn snow_is_noise() {
    check(|moment| with(moment, |channel, dice| channel + dice.noise(25.0)), Finding::Noise);
}

#[test]
fn out_of_focus_is_blurred() {
    check(|moment| blur(&yard(1, moment), 4), Finding::Blurred);
}

#[test]
fn a_stuck_filter_is_a_colour_cast() {
    let tinted = |moment| {
        let mut picture = yard(1, moment);
        for pixel in picture.pixels_mut() {
            pixel.0[0] = pixel.0[0].saturating_add(45);
            pixel.0[2] = pixel.0[2].saturating_sub(35);
        }
        picture
    };
    check(tinted, Finding::ColourCast);
}

#[test]
fn fog_is_low_contrast() {
    check(
        |moment| with(moment, |channel, dice| 165.0 + (channel - 110.0) * 0.3 + dice.noise(1.5)),
        Finding::LowContrast,
    );
}

#[test]
fn another_yard_is_a_changed_scene() {
    check(|moment| yard(2, moment), Finding::SceneChanged);
}

#[test]
fn a_picture_that_never_changes_is_frozen_even_when_the_clock_runs() {
    let mut watch = settled();
    let mut standing = Vec::new();
    for moment in 100..105_u64 {
        let mut picture = yard(1, 50);
        for x in 0..moment as u32 {
            picture.put_pixel(x, 5, image::Rgb([255, 255, 255]));
        }
        standing = see(&mut watch, &picture, moment).standing;
    }
    assert_eq!(standing, [Finding::Frozen]);
}

#[test]
fn dusk_is_no_fault_and_night_has_its_own_measure() {
    let mut watch = settled();
    for moment in 300..320 {
        let dusk = with(moment, |channel, _| channel * (1.0 - 0.02 * (moment - 300) as f64));
        assert_eq!(see(&mut watch, &dusk, moment).suspects, [], "dusk {moment}");
    }
    for moment in 400..420 {
        let mut night = yard(1, moment);
        for pixel in night.pixels_mut() {
            let grey = (u32::from(pixel.0[0]) + u32::from(pixel.0[1]) + u32::from(pixel.0[2])) / 5;
            pixel.0 = [grey as u8; 3];
        }
        let seen = see(&mut watch, &night, moment);
        assert_eq!(seen.suspects, [], "night {moment}");
        assert_eq!(seen.is_judged, moment >= 400 + u64::from(WARM_UP));
    }
}

#[test]
fn a_file_that_is_no_picture_is_a_failed_snapshot_and_says_nothing_of_the_camera() {
    let good = jpeg(&yard(1, 1));
    assert!(matches!(decode(b"<html>login</html>"), Err(Unreadable::NoJpeg(18))));
    assert!(matches!(decode(&[0xff, 0xd8, 0xff]), Err(Unreadable::NoJpeg(3))));
    assert!(matches!(decode(&vec![0xff; 9_000_000]), Err(Unreadable::TooLarge(_))));
    assert!(decode(&good[..200]).is_err());
    let tiny = jpeg(&RgbImage::new(16, 16));
    assert!(matches!(decode(&tiny), Err(Unreadable::Sides(16, 16))));
    // A picture that says it is 65,535 pixels wide is refused before any memory is taken for it.
    let mut huge = good.clone();
    let frame = good.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    huge[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
    assert!(decode(&huge).is_err());
}

#[test]
fn broken_files_break_nothing() {
    let good = jpeg(&yard(3, 3));
    let mut dice = Dice(99);
    for _ in 0..200 {
        let mut bad = good.clone();
        for _ in 0..=dice.roll(8) {
            let at = dice.roll(bad.len() as u32) as usize;
            bad[at] = dice.roll(256) as u8;
        }
        bad.truncate(64 + dice.roll(bad.len() as u32 - 64) as usize);
        if let Ok(frame) = decode(&bad) {
            let _ = measure(&frame);
        }
    }
}
