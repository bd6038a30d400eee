//! Finds the programs of this workspace, as built beside the running test.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// The path of a program of this workspace (`sitewarden-agent`, `sitewarden`), freshly built with the same
/// features as the test that asks, once per run.
pub fn binary(name: &str) -> PathBuf {
    static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(path) = built.get(name) {
        return path.clone();
    }
    let folder = profile_dir();
    let path = folder.join(name);
    let cargo = std::env::var_os("CARGO");
    // Outside of cargo (a copied test program, say) whatever lies beside it has to do.
    if cargo.is_some() || !path.exists() {
        let mut build = Command::new(cargo.unwrap_or_else(|| "cargo".into()));
        build.args(["build", "--quiet", "--workspace", "--bin", name]).arg("--target-dir").arg(target_dir());
        build.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        if folder.file_name().is_some_and(|profile| profile == "release") {
            build.arg("--release");
        }
        // What cargo tells a test of its package would make build scripts that look at it run again, and with
        // them everything above.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                build.env_remove(&name);
            }
        }
        let status = build.status().expect("cargo can be run");
        assert!(status.success(), "building {name} failed");
    }
    assert!(path.exists(), "{} is not there", path.display());
    built.insert(name.to_owned(), path.clone());
    path
}

/// The folder that cargo builds into.
pub fn target_dir() -> PathBuf {
    profile_dir().parent().map_or_else(|| PathBuf::from("target"), Path::to_path_buf)
}

/// `target/debug` or `target/release`: the running test lies in its folder `deps`, a program in itself.
fn profile_dir() -> PathBuf {
    let own = std::env::current_exe().expect("a program knows where it lies");
    let folder = own.parent().unwrap_or(Path::new("."));
    if folder.ends_with("deps") {
        folder.parent().unwrap_or(folder).to_path_buf()
    } else {
        folder.to_path_buf()
    }
}
