//! The numbers that a picture is judged by.
//!
//! Edges and noise are measured at full resolution: a blur of two pixels takes the variance of the Laplacian from
//! thousands to below ten there, and hardly changes it on a picture an eighth of the size. Light and scene are
//! measured on a small one, where they cost nothing.

use super::decode::Frame;

/// Side of the small picture of the scene.
pub(super) const SCENE: usize = 32;
/// Every so many pixels, each way, are kept to see whether the next picture differs.
const KEEP_EVERY: usize = 4;
/// Part of the height, at the top and at the bottom, where cameras write the time.
const CLOCK_PART: usize = 10;

/// What was measured on one picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Measures {
    /// Mean brightness, 0–255.
    pub mean: f64,
    /// Standard deviation of the brightness.
    pub deviation: f64,
    /// Brightness that 1 % of the pixels do not reach.
    pub p1: f64,
    /// Brightness that 99 % do not exceed.
    pub p99: f64,
    /// Variance of the Laplacian.
    pub edges: f64,
    /// Standard deviation of the noise, by Immerkær's estimate (J. Immerkær, Fast Noise Variance Estimation, 1996).
    pub noise: f64,
    /// Mean blue difference, −128–127.
    pub cb: f64,
    /// Mean red difference, −128–127.
    pub cr: f64,
    /// The scene, 32 × 32.
    pub scene: Vec<u8>,
    kept: Vec<u8>,
}

impl Measures {
    /// Edges in proportion to the light: a darker picture of the same scene has weaker ones.
    pub fn sharpness(&self) -> f64 {
        self.edges / (self.deviation * self.deviation).max(1.0)
    }

    /// How far the mean colour is from grey.
    pub fn chroma(&self) -> f64 {
        self.cb.hypot(self.cr)
    }

    /// Mean difference of two pictures in grey levels, the camera's clock left out; infinite between sizes.
    pub fn difference(&self, other: &Self) -> f64 {
        if self.kept.len() != other.kept.len() || self.kept.is_empty() {
            return f64::INFINITY;
        }
        let sum: u64 = self.kept.iter().zip(&other.kept).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        sum as f64 / self.kept.len() as f64
    }
}

/// Measures a picture.
pub fn measure(frame: &Frame) -> Measures {
    let Frame { width, height, luma, cb, cr } = frame;
    let (width, height) = (*width, *height);
    let mut histogram = [0_u64; 256];
    for grey in luma {
        histogram[usize::from(*grey)] += 1;
    }
    let count = luma.len().max(1) as f64;
    let weigh = |by: &dyn Fn(f64) -> f64| -> f64 {
        histogram.iter().enumerate().map(|(grey, n)| by(grey as f64) * *n as f64).sum::<f64>() / count
    };
    let mean = weigh(&|grey| grey);
    let deviation = weigh(&|grey| (grey - mean) * (grey - mean)).sqrt();
    let (edges, noise) = texture(luma, width);
    let clock = height / CLOCK_PART;
    let kept = luma
        .chunks_exact(width)
        .take(height - clock)
        .skip(clock)
        .step_by(KEEP_EVERY)
        .flat_map(|row| row.iter().step_by(KEEP_EVERY).copied())
        .collect();
    Measures {
        mean,
        deviation,
        p1: percentile(&histogram, count * 0.01),
        p99: percentile(&histogram, count * 0.99),
        edges,
        noise,
        cb: cb - 128.0,
        cr: cr - 128.0,
        scene: scene(luma, width, height),
        kept,
    }
}

fn percentile(histogram: &[u64; 256], wanted: f64) -> f64 {
    let mut sum = 0.0;
    for (grey, count) in histogram.iter().enumerate() {
        sum += *count as f64;
        if sum > wanted {
            return grey as f64;
        }
    }
    255.0
}

/// Variance of the Laplacian, and the noise.
fn texture(luma: &[u8], width: usize) -> (f64, f64) {
    let rows: Vec<&[u8]> = luma.chunks_exact(width).collect();
    let (mut sum, mut squares, mut rough, mut count) = (0_i64, 0_i64, 0_i64, 0_i64);
    for three in rows.windows(3) {
        let (above, row, below) = (three[0], three[1], three[2]);
        let (mut row_sum, mut row_squares, mut row_rough) = (0_i32, 0_i64, 0_i32);
        for ((up, here), down) in above.windows(3).zip(row.windows(3)).zip(below.windows(3)) {
            let at = |pixel: u8| i32::from(pixel);
            let cross = at(up[1]) + at(down[1]) + at(here[0]) + at(here[2]);
            let corners = at(up[0]) + at(up[2]) + at(down[0]) + at(down[2]);
            let laplacian = cross - 4 * at(here[1]);
            row_sum += laplacian;
            row_squares += i64::from(laplacian * laplacian);
            row_rough += (corners - 2 * cross + 4 * at(here[1])).abs();
        }
        sum += i64::from(row_sum);
        squares += row_squares;
        rough += i64::from(row_rough);
        count += width as i64 - 2;
    }
    let count = count.max(1) as f64;
    let mean = sum as f64 / count;
    let noise = (std::f64::consts::PI / 2.0).sqrt() / 6.0 * rough as f64 / count;
    (squares as f64 / count - mean * mean, noise)
}

/// Means of 32 × 32 fields.
fn scene(luma: &[u8], width: usize, height: usize) -> Vec<u8> {
    let mut sums = vec![(0_u64, 0_u64); SCENE * SCENE];
    // Every second row and pixel is enough for a mean.
    for (y, row) in luma.chunks_exact(width).enumerate().step_by(2) {
        let fields = y * SCENE / height * SCENE;
        for (x, grey) in row.iter().enumerate().step_by(2) {
            let field = &mut sums[fields + x * SCENE / width];
            field.0 += u64::from(*grey);
            field.1 += 1;
        }
    }
    sums.into_iter().map(|(sum, count)| u8::try_from(sum / count.max(1)).unwrap_or(u8::MAX)).collect()
}
