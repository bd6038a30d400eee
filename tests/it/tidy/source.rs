//! The source files of the project, and a file's code without comments and tests.

use std::path::{Path, PathBuf};

const KINDS: [&str; 7] = ["rs", "ts", "svelte", "mjs", "toml", "sql", "js"];
const NOT_OURS: [&str; 6] = ["target", "node_modules", "dist", ".git", "out", "package-lock.json"];

/// One file with its path relative to the top level, `/` between names.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// `server/src/ticket.rs`
    pub path: String,
    /// Everything in it.
    pub text: String,
}

impl File {
    pub(super) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// `rs`, `svelte`, …
    pub(super) fn kind(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or("")
    }

    /// The file's name without folders and ending.
    pub(super) fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or("");
        name.split('.').next().unwrap_or("")
    }

    /// True for product code: not tests, not tools.
    pub(super) fn is_product(&self) -> bool {
        ["proto/src/", "agent/src/", "server/src/"].iter().any(|folder| self.path.starts_with(folder))
    }

    /// Numbered lines of code, without line comments and without the unit tests at the end.
    pub(super) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = self.text.find("#[cfg(test)]\nmod ").unwrap_or(self.text.len());
        self.text[..tests]
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line.split("// ").next().unwrap_or(line)))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// True when `line` speaks of the path that begins with `name`: `name::…` or `use name;`.
pub(super) fn names(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + name.len()..];
        let whole = !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '"');
        let used = after.starts_with("::")
            || (line.trim_start().starts_with("use ") && after.starts_with([';', ' ', ',', '}']));
        whole && used
    })
}

/// The top level of the project.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests crate lies in a folder").to_owned()
}

/// Every file of ours that has a rule.
pub(super) fn all() -> Vec<File> {
    let mut files = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the project is readable") {
            let path = entry.expect("a folder entry is readable").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if NOT_OURS.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| KINDS.iter().any(|k| kind == *k)) {
                let text = std::fs::read_to_string(&path).expect("a source file is text");
                let inside = path.strip_prefix(root()).expect("it lies below the top level");
                files.push(File { path: inside.to_string_lossy().replace('\\', "/"), text });
            }
        }
    }
    assert!(files.len() > 50, "only {} source files found below {}", files.len(), root().display());
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// File names and texts of one engine's migrations, in order.
pub(super) fn migrations(engine: &str) -> Vec<(String, String)> {
    let folder = format!("server/migrations/{engine}/");
    all()
        .into_iter()
        .filter_map(|file| Some((file.path.strip_prefix(&folder)?.to_owned(), file.text)))
        .collect()
}

/// Names at the top level.
pub(super) fn top_level() -> Vec<String> {
    let entries = std::fs::read_dir(root()).expect("the top level is readable");
    entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
