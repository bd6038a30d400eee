//! A disk on which nothing more fits.

use std::io::{ErrorKind, Write as _};
use std::path::Path;

/// Writes a file until nothing more fits on its file system, to the last byte.
pub fn fill(path: &Path) {
    let mut file = std::fs::File::create(path).expect("the disk takes a file");
    for size in [64 << 10, 4096, 1] {
        loop {
            match file.write_all(&vec![7; size]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
}
