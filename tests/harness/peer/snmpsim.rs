//! `snmpsim`: plays back what real devices answered, from the recordings of the PyPI package `snmpsim-data`.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::process::{Process, folder, free_udp_port, write};
use crate::target_dir;

/// Plays recordings; each answers to the community that bears its name, over versions 1 and 2c.
#[derive(Debug)]
pub struct Snmpsim {
    /// The UDP port on 127.0.0.1.
    pub port: u16,
    _process: Process,
    _dir: TempDir,
}

/// Unpacks recordings: `NAME=path/inside/the/data/folder` becomes `NAME.snmprec` in the folder given first.
const UNPACK: &str = "
import bz2, os, sys, snmpsim_data
base = os.path.join(os.path.dirname(snmpsim_data.__file__), 'data')
for item in sys.argv[2:]:
    name, path = item.split('=', 1)
    packed = os.path.join(base, path)
    data = bz2.open(packed, 'rb').read() if path.endswith('.bz2') else open(packed, 'rb').read()
    open(os.path.join(sys.argv[1], name + '.snmprec'), 'wb').write(data)
";

impl Snmpsim {
    /// Plays recordings, given as (community, path within the data folder of `snmpsim-data`).
    pub async fn start(recordings: &[(&str, &str)]) -> Self {
        let dir = folder();
        let data = dir.path().join("data");
        std::fs::create_dir(&data).expect("the peer's folder takes a folder");
        let venv = venv();
        let unpacked = Command::new(venv.join("bin/python"))
            .args(["-c", UNPACK])
            .arg(&data)
            .args(recordings.iter().map(|(name, path)| format!("{name}={path}")))
            .status()
            .unwrap_or_else(|error| panic!("no Python in {}: {error}; run tests/run once", venv.display()));
        assert!(unpacked.success(), "the recordings {recordings:?} could not be unpacked");
        Self::play(dir).await
    }

    /// Plays recordings of our own, given as (community, lines of `OID|type|value` in the order of the OIDs).
    pub async fn of(recordings: &[(&str, &str)]) -> Self {
        let dir = folder();
        std::fs::create_dir(dir.path().join("data")).expect("the peer's folder takes a folder");
        for (name, lines) in recordings {
            write(dir.path(), &format!("data/{name}.snmprec"), lines);
        }
        Self::play(dir).await
    }

    async fn play(dir: TempDir) -> Self {
        let data = dir.path().join("data");
        let port = free_udp_port();
        let mut args = vec![
            format!("--data-dir={}", data.display()),
            format!("--cache-dir={}", dir.path().join("cache").display()),
            format!("--agent-udpv4-endpoint=127.0.0.1:{port}"),
        ];
        if is_root() {
            // It refuses to stay root unless told so; its files lie in a folder that only we can read.
            args.extend(["--process-user=root".to_owned(), "--process-group=root".to_owned()]);
        }
        let program = venv().join("bin/snmpsim-command-responder");
        let mut process = Process::start("snmpsim", &program, args, &[], dir.path());
        process.ready(|words| words.contains("Listening at")).await;
        Self { port, _process: process, _dir: dir }
    }
}

/// The virtual environment that `tests/run` fills from `tests/requirements.txt`.
pub(super) fn venv() -> PathBuf {
    target_dir().join("peers/venv")
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(Path::new("/proc/self")).is_ok_and(|own| own.uid() == 0)
}
