//! Small files that must be whole or not there: keys, certificates, addresses. Written beside, flushed,
//! renamed; readable by the agent's user only.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};

/// Replaces a file in one step, mode 0600.
pub fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let beside = path.with_extension("part");
    let write = || {
        let _ = std::fs::remove_file(&beside);
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        if let Some(folder) = path.parent() {
            std::fs::File::open(folder)?.sync_all()?;
        }
        Ok::<_, std::io::Error>(())
    };
    write().with_context(|| format!("cannot write {}: check the folder and its owner", path.display()))
}

/// Makes room for one file more in a folder of at most so many: those that were written longest ago go.
pub fn forget_the_oldest(folder: &Path, files_max: usize) -> std::io::Result<()> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        files.push((entry.metadata()?.modified()?, entry.path()));
    }
    files.sort();
    let too_many = (files.len() + 1).saturating_sub(files_max);
    files.iter().take(too_many).try_for_each(|(_, path)| std::fs::remove_file(path))
}

/// Makes the data folder, mode 0700.
pub fn make_data_dir(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot make the data folder {}", path.display()))
}

/// Makes sure that no other agent uses the data folder, for as long as the returned file is open: two agents
/// with one queue and one identity would take numbers and connections from each other. On a disk that takes
/// nothing and holds no lock yet there is none.
pub fn lock_data_dir(path: &Path) -> anyhow::Result<Option<std::fs::File>> {
    let path = path.join("lock");
    let made = std::fs::OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = match made.or_else(|_| std::fs::File::open(&path)) {
        Ok(file) => file,
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "the data folder cannot be locked");
            return Ok(None);
        }
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => {
            bail!(
                "another agent already runs on {}: stop it, or give this one a `data_dir` of its own",
                path.display()
            )
        }
        Err(std::fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// Makes sure that `bytes` more fit beside `path`, by writing them there for a moment.
pub fn has_room(path: &Path, bytes: usize) -> std::io::Result<()> {
    let beside = path.with_extension("room");
    let written = std::fs::File::create(&beside).and_then(|mut file| file.write_all(&vec![0; bytes]));
    // Left behind by a power cut it is written over and removed by the next look.
    let removed = std::fs::remove_file(&beside);
    written.and(removed)
}

/// How many files this process may have open at once (`Max open files` of proc(5), the soft limit).
pub fn open_files_limit() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn room_is_tried_and_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        has_room(&dir.path().join("queue.db"), 5000).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(has_room(&dir.path().join("away/queue.db"), 1).is_err());
        // A device on which nothing fits: Linux has one.
        let full = dir.path().join("queue.db");
        std::os::unix::fs::symlink("/dev/full", full.with_extension("room")).unwrap();
        assert_eq!(has_room(&full, 1).unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    }

    #[test]
    fn a_file_is_replaced_whole_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        write_private(&path, b"one").unwrap();
        write_private(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(dir.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn one_agent_for_one_folder() {
        let dir = tempfile::tempdir().unwrap();
        let held = lock_data_dir(dir.path()).unwrap();
        assert!(lock_data_dir(dir.path()).unwrap_err().to_string().contains("another agent"));
        drop(held);
        assert!(lock_data_dir(dir.path()).is_ok());
    }
}
