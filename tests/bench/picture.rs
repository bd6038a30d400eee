//! What judging one 1080p snapshot costs, of one core: decoding it, measuring it, and both against the camera's
//! baseline. The limit it is held against in the same run is the bare decoding.
//! Run with `cargo bench -p sitewarden-tests --bench picture`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, RgbImage};
use sitewarden_agent::picture::{Watch, decode, measure};

const ROUNDS: u32 = 100;

fn main() {
    let file = snapshot();
    let bare = time(|| decode(&file).expect("a picture").luma.len());
    let frame = decode(&file).expect("a picture");
    let measured = time(|| measure(&frame).edges);
    let mut watch = Watch::default();
    let mut digest = 0;
    let whole = time(|| {
        digest += 1;
        watch.observe(measure(&decode(&file).expect("a picture")), digest).suspects.len()
    });
    println!(
        "1080p snapshot of {} KiB: {:.1} ms (goal: under 30 ms); decoding {:.1} ms, measuring {:.1} ms; {:.2} times the \
         bare decoding",
        file.len() / 1024,
        ms(whole),
        ms(bare),
        ms(measured),
        whole.as_secs_f64() / bare.as_secs_f64()
    );
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The fastest of many rounds: what the work costs when nobody disturbs it.
fn time<T>(mut work: impl FnMut() -> T) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        black_box(work());
        best = best.min(began.elapsed());
    }
    best
}

/// Light, edges and noise about as a street has them.
fn snapshot() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let picture = RgbImage::from_fn(1920, 1080, |x, y| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let noise = (state % 7) as u32;
        let field = (x / 40 * 37 + y / 27 * 91) % 120;
        image::Rgb(
            [60 + field + noise, 70 + field / 2 + noise, 90 + field / 3 + noise].map(|grey| grey as u8),
        )
    });
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, 80)
        .encode(picture.as_raw(), 1920, 1080, ExtendedColorType::Rgb8)
        .expect("a file");
    file
}
