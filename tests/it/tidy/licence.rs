//! What is linked in, judged by `.deny.toml` as cargo-deny would: licences, banned crates, sources.
//! Advisories need their database and are not judged here.

use std::process::Command;

use serde::Deserialize;

use super::source::root;

/// The part of `.deny.toml` that is judged.
#[derive(Debug, Deserialize)]
pub(super) struct Rules {
    licenses: Licences,
    bans: Bans,
    sources: Sources,
}

#[derive(Debug, Deserialize)]
struct Licences {
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Banned>,
}

#[derive(Debug, Deserialize)]
struct Banned {
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

/// One crate that is linked in.
#[derive(Debug)]
pub(super) struct Linked {
    pub name: String,
    /// An SPDX expression.
    pub licence: String,
    /// `None` is this workspace.
    pub source: Option<String>,
}

impl Rules {
    pub(super) fn read() -> Self {
        let text = std::fs::read_to_string(root().join(".deny.toml")).expect(".deny.toml is readable");
        toml::from_str(&text).expect(".deny.toml has the parts that are judged")
    }

    pub(super) fn complaints(&self, crates: &[Linked]) -> Vec<String> {
        let mut found = Vec::new();
        for one in crates {
            if !self.permits(&one.licence) {
                found.push(format!("{}: the licence `{}` is not on the list", one.name, one.licence));
            }
            if self.bans.deny.iter().any(|banned| banned.name == one.name) {
                found.push(format!("{} is banned", one.name));
            }
            let known = |source: &str| {
                self.sources.allow_registry.iter().any(|url| source == format!("registry+{url}"))
            };
            if one.source.as_deref().is_some_and(|source| !known(source)) {
                found.push(format!("{} comes from {:?}", one.name, one.source));
            }
        }
        found
    }

    /// Whether an SPDX expression is fulfilled: `AND` binds tighter than `OR`; `/` is an old `OR`.
    fn permits(&self, expression: &str) -> bool {
        let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let mut at = 0;
        let ok = self.either(&words, &mut at);
        ok && at == words.len()
    }

    fn either(&self, words: &[&str], at: &mut usize) -> bool {
        let mut ok = self.both(words, at);
        while words.get(*at) == Some(&"OR") {
            *at += 1;
            ok |= self.both(words, at);
        }
        ok
    }

    fn both(&self, words: &[&str], at: &mut usize) -> bool {
        let mut ok = self.single(words, at);
        while words.get(*at) == Some(&"AND") {
            *at += 1;
            ok &= self.single(words, at);
        }
        ok
    }

    fn single(&self, words: &[&str], at: &mut usize) -> bool {
        let Some(word) = words.get(*at) else { return false };
        *at += 1;
        if *word == "(" {
            let ok = self.either(words, at);
            *at += 1;
            return ok;
        }
        let mut name = (*word).to_owned();
        if words.get(*at) == Some(&"WITH") {
            name = format!("{name} WITH {}", words.get(*at + 1).unwrap_or(&""));
            *at += 2;
        }
        self.licenses.allow.contains(&name)
    }
}

/// Every crate that a build for this machine links, from `cargo metadata`.
pub(super) fn linked() -> Vec<Linked> {
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let answer = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", &host])
        .current_dir(root())
        .output()
        .expect("cargo can be started");
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&answer.stdout).expect("cargo answers JSON");
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let packages = metadata["packages"].as_array().expect("cargo names packages");
    packages
        .iter()
        .map(|package| Linked {
            name: text(&package["name"]).unwrap_or_default(),
            licence: text(&package["license"]).unwrap_or_default(),
            source: text(&package["source"]),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spdx_expressions_are_read() {
        let rules = Rules::read();
        for good in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-2.0 OR MIT",
            "(MIT OR GPL-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(rules.permits(good), "{good}");
        }
        for bad in ["", "GPL-2.0", "MIT AND GPL-2.0", "(MIT OR ISC) AND (GPL-2.0)", "MIT MIT", "MIT WITH X"] {
            assert!(!rules.permits(bad), "{bad}");
        }
    }
}
