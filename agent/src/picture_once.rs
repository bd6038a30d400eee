//! What a technician asks of pictures in files: what is wrong with each, and what stands after all of them.
//!
//! Files are judged in the order in which they are given, as a camera would have sent them. Pictures of
//! `--baseline` are known to be good and of the same camera; without them only what holds for every camera is
//! judged. Exit codes: 0 nothing is wrong, 1 something is, 64 a file cannot be read (sysexits.h EX_USAGE).

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};
use sitewarden_proto::fault;

use crate::picture::{
    CONFIRM, Finding, Measures, Mode, Seen, Unreadable, WARM_UP, Watch, decode, measure, mode,
};
use crate::probe_once::Lang;

const BAD_FILE: u8 = 64;
/// Pictures that are read from the folder of good ones.
const BASELINE_MAX: usize = 500;

/// One file's verdict.
struct Judged {
    path: PathBuf,
    said: Result<(Measures, Seen), Unreadable>,
}

/// Judges the files and prints a table, or JSON: `{"pictures": [{"file", "suspects", "standing", "error",
/// "measures"}], "standing": [{"code", "text", "remedy"}], "learned": {"day", "night"}}`.
pub fn run(files: &[PathBuf], baseline: Option<&Path>, json: bool, lang: Lang) -> ExitCode {
    let (watch, judged) = match judge(files, baseline) {
        Ok(done) => done,
        Err(error) => {
            eprintln!("sitewarden-agent: {error:#}");
            return ExitCode::from(BAD_FILE);
        }
    };
    let wrong = wrong(&judged);
    let text =
        if json { as_json(&watch, &judged, &wrong, lang) } else { as_table(&watch, &judged, &wrong, lang) };
    // A reader that has gone away, as with `| head`, is no reason to fail.
    let _ = std::io::stdout().write_all(text.as_bytes());
    let is_broken = judged.iter().any(|judged| judged.said.is_err());
    if wrong.is_empty() && !is_broken { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn judge(files: &[PathBuf], baseline: Option<&Path>) -> anyhow::Result<(Watch, Vec<Judged>)> {
    let mut watch = Watch::default();
    for path in baseline.map(list).transpose()?.unwrap_or_default() {
        match decode(&read(&path)?) {
            Ok(frame) => watch.learn(&measure(&frame)),
            Err(error) => eprintln!("{}: {error}; left out", path.display()),
        }
    }
    let mut judged = Vec::with_capacity(files.len());
    for path in files {
        let bytes = read(path)?;
        let said = decode(&bytes).map(|frame| {
            let measures = measure(&frame);
            (measures.clone(), watch.observe(measures, digest(&bytes)))
        });
        judged.push(Judged { path: path.clone(), said });
    }
    Ok((watch, judged))
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    use anyhow::Context as _;
    let size = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
    anyhow::ensure!(size <= 64 * 1024 * 1024, "{} is too large for a picture", path.display());
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn list(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    use anyhow::Context as _;
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read the folder {} of good pictures", folder.display()))?;
    let is_picture = |path: &PathBuf| {
        path.extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("jpg") || end.eq_ignore_ascii_case("jpeg"))
    };
    let mut paths: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_picture).collect();
    anyhow::ensure!(
        !paths.is_empty(),
        "{} holds no .jpg; put good pictures of this camera there",
        folder.display()
    );
    paths.sort();
    paths.truncate(BASELINE_MAX);
    Ok(paths)
}

/// FNV-1a, to tell equal files from different ones.
fn digest(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// What stands at the end; with fewer pictures than a verdict takes, what the last one shows.
fn wrong(judged: &[Judged]) -> BTreeSet<Finding> {
    let Some((_, last)) = judged.iter().rev().find_map(|judged| judged.said.as_ref().ok()) else {
        return BTreeSet::new();
    };
    let too_few = judged.iter().filter(|judged| judged.said.is_ok()).count() < CONFIRM as usize;
    let found = if too_few { &last.suspects } else { &last.standing };
    found.iter().copied().collect()
}

fn words(finding: Finding, lang: Lang) -> (String, String) {
    let Some(fault) = fault::find(finding.code()) else { return (finding.code().to_owned(), String::new()) };
    match lang {
        Lang::En => (fault.title.en.clone(), fault.remedy.en.clone()),
        Lang::Zh => (fault.title.zh.clone(), fault.remedy.zh.clone()),
    }
}

fn as_json(watch: &Watch, judged: &[Judged], wrong: &BTreeSet<Finding>, lang: Lang) -> String {
    let codes = |findings: &[Finding]| findings.iter().map(|finding| finding.code()).collect::<Vec<_>>();
    let pictures: Vec<Value> = judged
        .iter()
        .map(|judged| match &judged.said {
            Err(error) => json!({ "file": judged.path, "error": error.to_string() }),
            Ok((measures, seen)) => json!({
                "file": judged.path,
                "suspects": codes(&seen.suspects),
                "standing": codes(&seen.standing),
                "compared": seen.is_judged,
                "measures": {
                    "mean": measures.mean, "deviation": measures.deviation, "p1": measures.p1, "p99": measures.p99,
                    "edges": measures.edges, "noise": measures.noise, "chroma": measures.chroma(),
                    "mode": mode_word(mode(measures)),
                },
            }),
        })
        .collect();
    let standing: Vec<Value> = wrong
        .iter()
        .map(|finding| {
            let (text, remedy) = words(*finding, lang);
            json!({ "code": finding.code(), "text": text, "remedy": remedy })
        })
        .collect();
    let learned = json!({ "day": watch.known(Mode::Day), "night": watch.known(Mode::Night) });
    format!("{:#}\n", json!({ "pictures": pictures, "standing": standing, "learned": learned }))
}

fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Day => "day",
        Mode::Night => "night",
    }
}

fn as_table(watch: &Watch, judged: &[Judged], wrong: &BTreeSet<Finding>, lang: Lang) -> String {
    let of = |en: &'static str, zh: &'static str| match lang {
        Lang::En => en,
        Lang::Zh => zh,
    };
    let mut text = String::new();
    for judged in judged {
        let name = judged.path.display();
        let _ = match &judged.said {
            Err(error) => writeln!(text, "{name}: {error}"),
            Ok((measures, seen)) => {
                let found: Vec<String> =
                    seen.suspects.iter().map(|finding| words(*finding, lang).0).collect();
                let said = if found.is_empty() {
                    of("nothing wrong", "正常").to_owned()
                } else {
                    found.join(", ")
                };
                writeln!(
                    text,
                    "{name}: {said}  ({} {:.0} ± {:.0}, {} {:.0}, {} {:.1})",
                    of("light", "亮度"),
                    measures.mean,
                    measures.deviation,
                    of("edges", "边缘"),
                    measures.edges,
                    of("noise", "噪声"),
                    measures.noise,
                )
            }
        };
    }
    let known = watch.known(Mode::Day).max(watch.known(Mode::Night));
    if known < WARM_UP {
        let _ = writeln!(
            text,
            "{}",
            match lang {
                Lang::En => format!(
                    "Blur, tint, contrast and scene were not judged: {WARM_UP} good pictures of this camera are needed, \
                     {known} are known. Give their folder with --baseline."
                ),
                Lang::Zh => format!(
                    "未判断模糊、偏色、对比度和场景变化：需要该摄像机的 {WARM_UP} 张正常图片，目前只有 {known} 张。请用 --baseline 指定其所在文件夹。"
                ),
            }
        );
    }
    for finding in wrong {
        let (title, remedy) = words(*finding, lang);
        let _ = writeln!(text, "{title} ({}): {remedy}", finding.code());
    }
    text
}
