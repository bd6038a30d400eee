//! The usual checks of a device, by its class and its maker: so that a person says what a device is and not how it is watched.
//! Their source is `usual.toml`, which is compiled in and parsed once; the agent expands device files by it, and the server
//! what people fill in.

use std::sync::OnceLock;

use serde::Deserialize;
use toml::{Table, Value};

/// The makers that a device may name; those without rows of their own are watched as any other.
pub const MAKERS: &[&str] = &[
    "hikvision",
    "dahua",
    "uniview",
    "axis",
    "huawei",
    "h3c",
    "cisco",
    "ruijie",
    "tplink",
    "apc",
    "nut",
    "zkteco",
    "other",
];

/// What a kind of check takes of a device's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// None.
    Nothing,
    /// User and password; it means little without.
    Login,
    /// User and password; it sees something without, too.
    PerhapsLogin,
    /// A community, or a user of SNMP version 3.
    Snmp,
}

/// What a check of that kind takes; `logs_in` is whether an HTTP check says that it logs in.
pub fn takes(kind: &str, logs_in: bool) -> Takes {
    match kind {
        "isapi" | "dahua" | "picture" | "rtsp" => Takes::Login,
        "http" if logs_in => Takes::Login,
        "onvif" => Takes::PerhapsLogin,
        "snmp" | "switch" | "topology" | "ups" => Takes::Snmp,
        _ => Takes::Nothing,
    }
}

/// One usual check.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Unique among the checks of a device.
    pub name: String,
    /// The kind's word.
    pub kind: String,
    /// What it takes of the device's credentials.
    pub takes: Takes,
    /// The keys of its `[[check]]`.
    pub keys: Table,
    /// The same as text.
    pub text: String,
}

/// The usual checks of one class and maker.
#[derive(Clone, Debug, PartialEq)]
pub struct Usual {
    /// The class.
    pub class: String,
    /// The maker; empty for all that have none of their own.
    pub maker: String,
    /// The checks.
    pub checks: Vec<Check>,
}

/// The credentials that checks are filled with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credentials<'c> {
    /// User and password.
    pub login: Option<(&'c str, &'c str)>,
    /// A community of SNMP version 2c.
    pub community: Option<&'c str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    class: String,
    #[serde(default)]
    maker: String,
    check: Vec<Table>,
}

/// Everything that is usual.
pub fn all() -> &'static [Usual] {
    static ALL: OnceLock<Vec<Usual>> = OnceLock::new();
    ALL.get_or_init(|| read().unwrap_or_default())
}

fn read() -> Option<Vec<Usual>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        usual: Vec<Row>,
    }
    let file: File = toml::from_str(include_str!("../usual.toml")).ok()?;
    let check = |keys: Table| {
        let word = |key: &str| keys.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let kind = word("kind");
        let name = if keys.contains_key("name") { word("name") } else { kind.clone() };
        let takes = takes(&kind, keys.contains_key("auth"));
        let text = toml::to_string(&keys).ok()?;
        Some(Check { name, kind, takes, keys, text })
    };
    let of = |row: Row| {
        let checks = row.check.into_iter().map(check).collect::<Option<Vec<_>>>()?;
        Some(Usual { class: row.class, maker: row.maker, checks })
    };
    file.usual.into_iter().map(of).collect()
}

/// The usual checks of a class; a class without a row is watched as `other` is, a maker without one as any.
pub fn checks(class: &str, maker: &str) -> &'static [Check] {
    let row = |class: &str, maker: &str| all().iter().find(|row| row.class == class && row.maker == maker);
    row(class, maker)
        .or_else(|| row(class, ""))
        .or_else(|| row("other", ""))
        .map_or(&[], |row| row.checks.as_slice())
}

/// The usual checks as `[[check]]` tables with credentials filled in, and the names of those that lack theirs.
pub fn text(class: &str, maker: &str, credentials: Credentials<'_>) -> (String, Vec<&'static str>) {
    let (mut tables, mut lacking) = (Vec::new(), Vec::new());
    for check in checks(class, maker) {
        let mut keys = check.keys.clone();
        let mut put = |key: &str, word: &str| keys.insert(key.to_owned(), Value::String(word.to_owned()));
        match (check.takes, credentials.login, credentials.community) {
            (Takes::Login | Takes::PerhapsLogin, Some((user, password)), _) => {
                put("user", user);
                put("password", password);
            }
            (Takes::Snmp, _, Some(community)) => {
                put("version", "2c");
                put("community", community);
            }
            (Takes::Login, None, _) | (Takes::Snmp, _, None) => {
                lacking.push(check.name.as_str());
                continue;
            }
            (Takes::Nothing, _, _) | (Takes::PerhapsLogin, None, _) => {}
        }
        tables.push(Value::Table(keys));
    }
    let whole = Table::from_iter([("check".to_owned(), Value::Array(tables))]);
    // A table of texts and numbers always has a text.
    (toml::to_string(&whole).unwrap_or_default(), lacking)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_whole_and_names_no_stranger() {
        assert!(all().len() > 10, "usual.toml does not parse");
        for (at, row) in all().iter().enumerate() {
            assert!(row.maker.is_empty() || MAKERS.contains(&row.maker.as_str()), "{}", row.maker);
            let twice =
                all()[..at].iter().any(|other| (&other.class, &other.maker) == (&row.class, &row.maker));
            assert!(!twice, "{} of {} is there twice", row.class, row.maker);
            for (at, check) in row.checks.iter().enumerate() {
                assert!(row.checks[..at].iter().all(|other| other.name != check.name), "{}", check.name);
                assert!(check.keys.contains_key("every"), "{} says no interval", check.name);
            }
        }
    }

    fn names(class: &str, maker: &str) -> Vec<&'static str> {
        checks(class, maker).iter().map(|check| check.name.as_str()).collect()
    }

    #[test]
    fn a_class_and_a_maker_say_what_is_watched() {
        assert_eq!(names("camera", "hikvision"), ["icmp", "isapi", "rtsp", "picture"]);
        assert_eq!(names("nvr", "dahua"), ["icmp", "dahua", "rtsp"]);
        assert_eq!(names("camera", "other"), ["icmp", "onvif", "stream-port"]);
        assert_eq!(names("switch", "huawei"), ["icmp", "switch", "topology"]);
        assert_eq!(names("gateway", ""), ["host"]);
        assert_eq!(names("phone", "cisco"), ["icmp"]);
    }

    #[test]
    fn a_check_without_its_credentials_is_left_out_by_name() {
        let (text, lacking) = super::text("camera", "hikvision", Credentials::default());
        assert_eq!(lacking, ["isapi", "rtsp", "picture"]);
        assert!(text.contains("icmp") && !text.contains("isapi"), "{text}");
        let login = Credentials { login: Some(("viewer", "a\"b")), community: None };
        let (text, lacking) = super::text("camera", "hikvision", login);
        assert!(lacking.is_empty() && text.parse::<Table>().is_ok(), "{text}");
        assert_eq!(text.matches("viewer").count(), 3, "{text}");
    }
}
