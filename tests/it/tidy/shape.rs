//! How files look: their length, their names, their first line, what tests may not do, and that the
//! two databases get the same schema.

use super::Complaint;
use super::source::File;

const MOST_LINES: usize = 500;
const EMPTY_NAMES: [&str; 10] =
    ["mod", "util", "utils", "common", "helper", "helpers", "manager", "service", "misc", "data"];
const EMPTY_ENDS: [&str; 5] = ["Util", "Utils", "Helper", "Manager", "Misc"];
const TOP_LEVEL: [&str; 7] = ["Cargo.lock", "Cargo.toml", "README.md", "agent", "deploy", "proto", "server"];

/// Length, name and first line.
pub(super) fn files(file: &File) -> Vec<Complaint> {
    let mut found = Vec::new();
    let lines = file.text.lines().count();
    let counted = matches!(file.kind(), "rs" | "ts" | "svelte" | "mjs" | "js");
    if counted && !file.path.ends_with(".d.ts") && lines > MOST_LINES {
        found.push(Complaint::new(
            &file.path,
            lines,
            format!("{lines} lines; split it, {MOST_LINES} is the most"),
        ));
    }
    let in_code = matches!(file.kind(), "rs" | "ts" | "svelte");
    if in_code && (EMPTY_NAMES.contains(&file.stem().to_lowercase().as_str()) || file.stem() == "info") {
        found.push(Complaint::new(&file.path, 1, "a name that says nothing; name it for what it holds"));
    }
    let story = file.text.starts_with("//!") || file.text.starts_with("#![doc");
    if file.kind() == "rs" && !story {
        found.push(Complaint::new(&file.path, 1, "begin with a `//!` story: what this is for"));
    }
    found
}

/// Tests neither wait by the clock nor are switched off. The simulator is slow on purpose, and the
/// harness's one waiting function sleeps between two looks.
pub(super) fn tests(file: &File) -> Vec<Complaint> {
    let ignored = concat!("#[", "ignore");
    let sleeps = concat!("sle", "ep(");
    let waits = file.path.starts_with("tests/it/");
    let mut found = Vec::new();
    for (number, line) in file.text.lines().enumerate().filter(|_| file.kind() == "rs") {
        if line.contains(ignored) {
            found.push(Complaint::new(&file.path, number + 1, "a test that is switched off is no test"));
        }
        if waits && line.contains(sleeps) && !line.contains('"') {
            found.push(Complaint::new(
                &file.path,
                number + 1,
                "wait for a condition with `until`, not for time",
            ));
        }
    }
    found
}

/// Nothing left for later, and no type named after nothing.
pub(super) fn words(file: &File) -> Vec<Complaint> {
    let later = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), concat!("HA", "CK:")];
    let mut found = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        if later.iter().any(|word| line.contains(word)) {
            found.push(Complaint::new(&file.path, number + 1, "left for later; do it or drop it"));
        }
    }
    for (number, line) in file.code().filter(|_| file.kind() == "rs") {
        let mut words =
            line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
        if words.any(|word| matches!(word, "struct" | "enum" | "trait"))
            && words.next().is_some_and(|name| EMPTY_ENDS.iter().any(|end| name.ends_with(end)))
            && !line.contains('"')
        {
            found.push(Complaint::new(&file.path, number, "a type name that says nothing"));
        }
    }
    found
}

/// How two engines' migrations differ beyond the name of a blob.
pub(super) fn unlike(sqlite: &[(String, String)], postgres: &[(String, String)]) -> Vec<String> {
    let plain = |text: &str| {
        let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
        code.join(" ").replace("BYTEA", "BLOB").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let mut found = Vec::new();
    for index in 0..sqlite.len().max(postgres.len()) {
        match (sqlite.get(index), postgres.get(index)) {
            (Some((a, _)), Some((b, _))) if a != b => found.push(format!("{a} stands beside {b}")),
            (Some((name, a)), Some((_, b))) if plain(a) != plain(b) => found.push(format!("{name} differs")),
            (Some(_), Some(_)) | (None, None) => {}
            (Some((name, _)), None) => found.push(format!("{name} is missing for PostgreSQL")),
            (None, Some((name, _))) => found.push(format!("{name} is missing for SQLite")),
        }
    }
    found
}

/// Names at the top level that the house does not have; files with a leading dot are tools' own.
pub(super) fn strangers(names: &[String]) -> Vec<&str> {
    names
        .iter()
        .map(String::as_str)
        .filter(|name| {
            !name.starts_with('.') && !TOP_LEVEL.contains(name) && !["tests", "target"].contains(name)
        })
        .collect()
}
