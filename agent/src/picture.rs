//! What a camera's picture says about the camera: black, covered, one colour, white, noisy by rules that hold for
//! every picture; blurred, tinted, flat, turned away, frozen only against what this camera has shown before, by
//! day and by night apart, because a sharp picture of a wall has fewer edges than a blurred one of a tree.
//!
//! One picture is no verdict: a fault stands after [`CONFIRM`] pictures in a row, and is gone after as many
//! without it. While something is wrong the camera's own measure is not touched, so that a slow decay is not
//! learned as normal.

mod decode;
mod measure;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use decode::{FILE_MAX, Frame, Unreadable, decode, decode_with_small};
pub use measure::{Measures, measure};

/// Pictures in a row before a fault stands, and before it is gone.
pub const CONFIRM: u32 = 3;
/// Pictures of one mode before anything is judged against them.
pub const WARM_UP: u32 = 12;

/// What may be wrong with a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// No light at all.
    Black,
    /// Something stands before the lens: no contrast.
    Covered,
    /// One strong colour: what a recorder shows for a channel without a camera.
    SolidColour,
    /// Nearly everything is white.
    White,
    /// Snow.
    Noise,
    /// Far fewer edges than this camera has had.
    Blurred,
    /// Tinted as it has not been.
    ColourCast,
    /// Far flatter than it has been: fog, dirt, a bad iris.
    LowContrast,
    /// It does not show what it has shown.
    SceneChanged,
    /// The same picture again and again.
    Frozen,
}

impl Finding {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Black,
        Self::Covered,
        Self::SolidColour,
        Self::White,
        Self::Noise,
        Self::Blurred,
        Self::ColourCast,
        Self::LowContrast,
        Self::SceneChanged,
        Self::Frozen,
    ];

    /// Its fault code in the catalogue.
    pub fn code(self) -> &'static str {
        match self {
            Self::Black => "picture_black",
            Self::Covered => "picture_covered",
            Self::SolidColour => "picture_solid_colour",
            Self::White => "picture_white",
            Self::Noise => "picture_noise",
            Self::Blurred => "picture_blurred",
            Self::ColourCast => "picture_colour_cast",
            Self::LowContrast => "picture_low_contrast",
            Self::SceneChanged => "picture_scene_changed",
            Self::Frozen => "picture_frozen",
        }
    }
}

/// Day and night pictures of one camera have nothing in common: with infrared light there is no colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Mode {
    /// In colour.
    Day,
    /// Without colour.
    Night,
}

/// Mean chroma below which a picture is an infrared one.
const INFRARED_CHROMA: f64 = 2.0;
/// Weight of a new picture in what is normal.
const LEARN: f64 = 0.05;

/// What one camera shows when nothing is wrong, in one mode.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Normal {
    pictures: u32,
    sharpness: f64,
    contrast: f64,
    cb: f64,
    cr: f64,
    scene: Vec<f64>,
}

/// What is known about one camera's pictures. What it shows when nothing is wrong may be kept; the rest is of the moment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Watch {
    normal: BTreeMap<Mode, Normal>,
    #[serde(skip)]
    last: Option<(Measures, u64)>,
    /// Pictures in a row with, and without, each finding.
    #[serde(skip)]
    streaks: BTreeMap<Finding, Streak>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Streak {
    seen: u32,
    missed: u32,
    stands: bool,
}

/// What one picture said.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Wrong in this picture.
    pub suspects: Vec<Finding>,
    /// Standing after this picture.
    pub standing: Vec<Finding>,
    /// Whether enough pictures of this mode are known to judge it by them.
    pub is_judged: bool,
}

impl Watch {
    /// Takes a picture that is known to be good into what is normal.
    pub fn learn(&mut self, measures: &Measures) {
        let mode = mode(measures);
        match self.normal.get_mut(&mode) {
            Some(normal) => normal.add(measures),
            None => {
                self.normal.insert(mode, Normal::of(measures));
            }
        }
    }

    /// Whether what was kept can be compared with: a file may have been spoilt.
    pub fn is_sound(&self) -> bool {
        self.normal.values().all(|normal| {
            let numbers = [normal.sharpness, normal.contrast, normal.cb, normal.cr];
            normal.scene.len() == measure::SCENE * measure::SCENE
                && numbers.iter().chain(&normal.scene).all(|number| number.is_finite())
        })
    }

    /// How many pictures of a mode are known.
    pub fn known(&self, mode: Mode) -> u32 {
        self.normal.get(&mode).map_or(0, |normal| normal.pictures)
    }

    /// Judges a picture; `digest` tells equal files apart from different ones.
    pub fn observe(&mut self, measures: Measures, digest: u64) -> Seen {
        let mode = mode(&measures);
        let normal = self.normal.get(&mode).filter(|normal| normal.pictures >= WARM_UP);
        let is_judged = normal.is_some();
        let mut suspects: Vec<Finding> = absolute(&measures).into_iter().collect();
        // A picture that is black or covered is not also blurred, turned away and frozen.
        if suspects.is_empty() {
            suspects.extend(normal.into_iter().flat_map(|normal| normal.compare(&measures)));
            if let Some((last, last_digest)) = &self.last
                && (*last_digest == digest || last.difference(&measures) < FROZEN_DIFFERENCE)
            {
                suspects.push(Finding::Frozen);
            }
        }
        for finding in Finding::ALL {
            self.streaks.entry(finding).or_default().count(suspects.contains(&finding));
        }
        let standing: Vec<Finding> =
            self.streaks.iter().filter(|(_, streak)| streak.stands).map(|(finding, _)| *finding).collect();
        if suspects.is_empty() && standing.is_empty() {
            self.learn(&measures);
        }
        self.last = Some((measures, digest));
        Seen { suspects, standing, is_judged }
    }
}

/// Mean difference of two pictures, grey levels, below which nothing moved and no sensor made noise.
const FROZEN_DIFFERENCE: f64 = 0.2;

/// The mode that a picture is in.
pub fn mode(measures: &Measures) -> Mode {
    if measures.chroma() < INFRARED_CHROMA { Mode::Night } else { Mode::Day }
}

/// What holds for every picture, whatever the camera looks at.
fn absolute(measures: &Measures) -> Option<Finding> {
    let range = measures.p99 - measures.p1;
    let is_flat = measures.deviation < 4.0 && range < 12.0;
    if is_flat && measures.chroma() > 40.0 {
        Some(Finding::SolidColour)
    } else if measures.mean > 235.0 {
        Some(Finding::White)
    } else if measures.mean < 16.0 && measures.p99 < 40.0 {
        Some(Finding::Black)
    } else if is_flat {
        Some(Finding::Covered)
    } else if measures.noise > 8.0 {
        Some(Finding::Noise)
    } else {
        None
    }
}

impl Normal {
    fn of(measures: &Measures) -> Self {
        Self {
            pictures: 1,
            sharpness: measures.sharpness(),
            contrast: measures.deviation,
            cb: measures.cb,
            cr: measures.cr,
            scene: measures.scene.iter().map(|grey| f64::from(*grey)).collect(),
        }
    }

    fn add(&mut self, measures: &Measures) {
        self.pictures = self.pictures.saturating_add(1);
        // The first ones count alike, later ones a little.
        let weight = LEARN.max(1.0 / f64::from(self.pictures));
        let blend = |old: &mut f64, new: f64| *old += (new - *old) * weight;
        blend(&mut self.sharpness, measures.sharpness());
        blend(&mut self.contrast, measures.deviation);
        blend(&mut self.cb, measures.cb);
        blend(&mut self.cr, measures.cr);
        for (old, new) in self.scene.iter_mut().zip(&measures.scene) {
            blend(old, f64::from(*new));
        }
    }

    fn compare(&self, measures: &Measures) -> Vec<Finding> {
        let mut found = Vec::new();
        if likeness(&self.scene, &measures.scene) < 0.5 {
            found.push(Finding::SceneChanged);
        }
        if (measures.cb - self.cb).hypot(measures.cr - self.cr) > 20.0 {
            found.push(Finding::ColourCast);
        }
        if measures.deviation < 0.4 * self.contrast {
            found.push(Finding::LowContrast);
        }
        if measures.sharpness() < 0.25 * self.sharpness {
            found.push(Finding::Blurred);
        }
        found
    }
}

impl Streak {
    fn count(&mut self, is_seen: bool) {
        if is_seen {
            self.seen += 1;
            self.missed = 0;
            self.stands |= self.seen >= CONFIRM;
        } else {
            self.seen = 0;
            self.missed = self.missed.saturating_add(1);
            self.stands &= self.missed < CONFIRM;
        }
    }
}

/// Normalised cross-correlation of two small pictures: 1 for the same scene in any light, 0 for unrelated ones.
fn likeness(a: &[f64], b: &[u8]) -> f64 {
    let count = a.len().min(b.len()).max(1) as f64;
    let mean_a = a.iter().sum::<f64>() / count;
    let mean_b = b.iter().map(|grey| f64::from(*grey)).sum::<f64>() / count;
    let (mut both, mut own_a, mut own_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, f64::from(*b) - mean_b);
        both += a * b;
        own_a += a * a;
        own_b += b * b;
    }
    let scale = (own_a * own_b).sqrt();
    // Two pictures without any structure cannot be told apart.
    if scale < 1.0 { 1.0 } else { both / scale }
}
