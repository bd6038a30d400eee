//! What each camera has shown, by day and by night: in memory, and in a small file of its own, so that a restart does not
//! begin to learn anew. A camera that is somewhere else, or whose check says so, is learned from the beginning.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, RgbImage};
use ring::digest::{SHA256, digest};
use tokio::sync::Semaphore;

use crate::files::{forget_the_oldest, make_data_dir, write_private};
use crate::picture::{Measures, Mode, Seen, Unreadable, WARM_UP, Watch, decode_with_small, measure};

/// Most cameras that are remembered; the file that was written longest ago goes.
const FILES_MAX: usize = 4_096;
/// A camera that is known well is written down each time it has shown so many good pictures more.
const WRITE_EVERY: u32 = 12;
/// Most bytes of a picture that proves a fault: with base64 it fits into a record's evidence.
const PROOF_MAX: usize = 2_640;
/// Widths and qualities of that picture, tried in turn.
const PROOFS: [(u32, u8); 6] = [(192, 60), (192, 40), (160, 35), (128, 30), (96, 25), (64, 20)];

/// Whose picture it is, and from where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    pub(super) device: String,
    pub(super) check: String,
    pub(super) source: String,
    pub(super) baseline: u16,
}

/// What was seen in one picture.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) measures: Measures,
    pub(super) seen: Seen,
    /// The picture, small, where something is wrong with it.
    pub(super) proof: Option<Vec<u8>>,
}

/// All cameras of a gateway.
#[derive(Debug, Default)]
pub(crate) struct Album {
    folder: Option<PathBuf>,
    watches: Mutex<BTreeMap<Subject, Watch>>,
    /// One picture at a time is decoded: it takes three bytes a pixel.
    pub(super) turn: Turn,
}

/// Whose turn it is.
#[derive(Debug)]
pub(super) struct Turn(pub(super) Semaphore);

impl Default for Turn {
    fn default() -> Self {
        Self(Semaphore::new(1))
    }
}

impl Album {
    /// Remembers in a folder, which is made when it is needed.
    pub(crate) fn in_folder(folder: PathBuf) -> Self {
        Self { folder: Some(folder), ..Self::default() }
    }

    /// Judges a file of a camera's and learns from it.
    pub(super) fn judge(&self, subject: &Subject, file: &[u8]) -> Result<Judged, Unreadable> {
        let (frame, small) = decode_with_small(file)?;
        let measures = measure(&frame);
        drop(frame);
        let path = self.folder.as_ref().map(|folder| folder.join(subject.file_name()));
        let mut watch = self.take(subject, path.as_deref());
        let known = |watch: &Watch| watch.known(Mode::Day) + watch.known(Mode::Night);
        let before = known(&watch);
        let seen = watch.observe(measures.clone(), fnv(file));
        let after = known(&watch);
        if let Some(path) = path
            && after != before
            && (after <= 2 * WARM_UP || after.is_multiple_of(WRITE_EVERY))
        {
            // A disk that takes nothing costs what was learned, not the watch.
            if let Err(error) = write(&path, &watch) {
                tracing::warn!(error = format!("{error:#}"), "what a camera shows is not written down");
            }
        }
        let proof = if seen.suspects.is_empty() { None } else { proof(&small) };
        let mut watches = self.watches();
        // A subject that has changed is never asked for again.
        watches.retain(|other, _| other.device != subject.device || other.check != subject.check);
        watches.insert(subject.clone(), watch);
        Ok(Judged { measures, seen, proof })
    }

    fn watches(&self) -> MutexGuard<'_, BTreeMap<Subject, Watch>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One device is asked by one probe at a time, so nobody else misses it meanwhile.
    fn take(&self, subject: &Subject, path: Option<&Path>) -> Watch {
        if let Some(watch) = self.watches().remove(subject) {
            return watch;
        }
        let read = path.and_then(|path| std::fs::read(path).ok());
        read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).filter(Watch::is_sound).unwrap_or_default()
    }
}

impl Subject {
    /// Names of devices are texts of the server's; a digest is a file name whatever they hold.
    fn file_name(&self) -> String {
        let Self { device, check, source, baseline } = self;
        let whole = digest(&SHA256, format!("{device}\n{check}\n{source}\n{baseline}").as_bytes());
        let whole = whole.as_ref();
        format!("{}.json", URL_SAFE_NO_PAD.encode(whole.get(..12).unwrap_or(whole)))
    }
}

fn write(path: &Path, watch: &Watch) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        make_data_dir(folder)?;
        if !path.exists() {
            forget_the_oldest(folder, FILES_MAX)?;
        }
    }
    write_private(path, &serde_json::to_vec(watch)?)
}

/// The picture as a JPEG that fits into a record; None where none does.
fn proof(small: &RgbImage) -> Option<Vec<u8>> {
    PROOFS.iter().find_map(|(width, quality)| {
        let width = (*width).min(small.width()).max(1);
        let height = (small.height() * width / small.width().max(1)).max(1);
        let picture = image::imageops::thumbnail(small, width, height);
        let mut file = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut file, *quality);
        encoder.encode(picture.as_raw(), width, height, ExtendedColorType::Rgb8).ok()?;
        (file.len() <= PROOF_MAX).then_some(file)
    })
}

/// FNV-1a, to tell equal files from different ones.
fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
