//! What a check remembers of its device: who it was, when it began to run, how far back its recordings reached. In memory,
//! and in a small file each, so that a restart of the gateway forgets nothing. What is remembered is written so that it seldom
//! changes: a flash card wears out.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::files::{forget_the_oldest, make_data_dir, write_private};

/// Most checks that are remembered; the file that was written longest ago goes.
const FILES_MAX: usize = 4_096;
/// Most bytes of what one check remembers; more is not kept.
const BYTES_MAX: usize = 64 * 1024;

/// Which check of which device, and whether somebody said that it is another device now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Whose {
    /// The device's id.
    pub(crate) device: String,
    /// The check's name.
    pub(crate) check: String,
    /// Another number forgets.
    pub(crate) baseline: u16,
}

/// What all checks of a gateway remember.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    folder: Option<PathBuf>,
    kept: Mutex<BTreeMap<Whose, Vec<u8>>>,
}

impl Memory {
    /// Remembers in a folder, which is made when it is needed.
    pub(crate) fn in_folder(folder: PathBuf) -> Self {
        Self { folder: Some(folder), ..Self::default() }
    }

    /// What was kept last; the default if that was nothing, or cannot be read any more.
    pub(crate) fn recall<T: DeserializeOwned + Default>(&self, whose: &Whose) -> T {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(whose).cloned();
        let kept = kept.or_else(|| {
            let bytes = std::fs::read(self.path(whose)?).ok().filter(|bytes| bytes.len() <= BYTES_MAX)?;
            // So that a change is seen as one.
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(whose.clone(), bytes.clone());
            Some(bytes)
        });
        kept.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Keeps it until the program ends: what changes all the time wears out a flash card.
    pub(crate) fn keep_briefly<T: Serialize>(&self, whose: &Whose, what: &T) {
        if let Some(bytes) = serde_json::to_vec(what).ok().filter(|bytes| bytes.len() <= BYTES_MAX) {
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(whose.clone(), bytes);
        }
    }

    /// Keeps it; nothing is written unless it has changed.
    pub(crate) fn keep<T: Serialize>(&self, whose: &Whose, what: &T) {
        let Some(bytes) = serde_json::to_vec(what).ok().filter(|bytes| bytes.len() <= BYTES_MAX) else {
            return;
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.get(whose) == Some(&bytes) {
            return;
        }
        if let Some(path) = self.path(whose)
            && let Err(error) = write(&path, &bytes)
        {
            // A disk that takes nothing costs what a restart would remember, not the watch.
            tracing::warn!(error = format!("{error:#}"), "what a check remembers is not written down");
        }
        kept.retain(|other, _| other.device != whose.device || other.check != whose.check);
        kept.insert(whose.clone(), bytes);
    }

    /// Names of devices are texts of the server's; a digest is a file name whatever they hold.
    fn path(&self, Whose { device, check, baseline }: &Whose) -> Option<PathBuf> {
        let whole = digest(&SHA256, format!("{device}\n{check}\n{baseline}").as_bytes());
        let whole = whole.as_ref();
        let name = URL_SAFE_NO_PAD.encode(whole.get(..12).unwrap_or(whole));
        Some(self.folder.as_ref()?.join(format!("{name}.json")))
    }
}

fn write(path: &std::path::Path, bytes: &[u8]) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        make_data_dir(folder)?;
        if !path.exists() {
            forget_the_oldest(folder, FILES_MAX)?;
        }
    }
    write_private(path, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_forgets_nothing_and_another_baseline_all() {
        let folder = tempfile::tempdir().unwrap();
        let whose = Whose { device: "nvr-1".to_owned(), check: "isapi".to_owned(), baseline: 1 };
        let memory = Memory::in_folder(folder.path().join("known"));
        assert_eq!(memory.recall::<Vec<u32>>(&whose), Vec::<u32>::new());
        memory.keep(&whose, &vec![7_u32]);
        assert_eq!(memory.recall::<Vec<u32>>(&whose), [7]);
        let after = Memory::in_folder(folder.path().join("known"));
        assert_eq!(after.recall::<Vec<u32>>(&whose), [7]);
        assert_eq!(after.recall::<Vec<u32>>(&Whose { baseline: 2, ..whose.clone() }), Vec::<u32>::new());
        let file = std::fs::read_dir(folder.path().join("known")).unwrap().next().unwrap().unwrap().path();
        std::fs::write(&file, "half a").unwrap();
        let broken = Memory::in_folder(folder.path().join("known"));
        assert_eq!(broken.recall::<Vec<u32>>(&whose), Vec::<u32>::new());
    }
}
