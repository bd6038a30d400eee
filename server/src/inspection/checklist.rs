//! What is looked at in an inspection, and what measurement already knows of it.
//!
//! A contract's own list is asked of the site as it is written; without one, the lists of the house by kind of
//! inspection. Each device is asked what its class is asked. What telemetry answers is proposed with its time and its
//! evidence and is only to be confirmed; what nobody measured is proposed by nobody.

use std::collections::HashSet;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Answer;

const LISTS: &str = include_str!("checklists.toml");

/// An item of a site.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SiteItem {
    key: String,
    kinds: Vec<String>,
    en: String,
    zh: String,
    #[serde(default)]
    reading: bool,
}

/// An item of a device.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceItem {
    key: String,
    kinds: Vec<String>,
    classes: Vec<String>,
    en: String,
    zh: String,
    #[serde(default)]
    state: bool,
    check: Option<String>,
    #[serde(default)]
    faults: Vec<String>,
}

/// What is asked for inspections of one kind, whatever the contract lists.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    kind: String,
    item: Vec<FormItem>,
}

/// An item of a form.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FormItem {
    key: String,
    #[serde(default)]
    answer: Answer,
    en: String,
    zh: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lists {
    site: Vec<SiteItem>,
    device: Vec<DeviceItem>,
    form: Vec<Form>,
}

static HOUSE: LazyLock<Lists> = LazyLock::new(|| {
    toml::from_str(LISTS).unwrap_or_else(|_| unreachable!("a test reads the lists that are built in"))
});

/// A device, as far as a checklist asks. Times are Unix ms.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its class.
    pub class: String,
    /// `ok`, `degraded`, `down`, `unknown` or `maintenance`.
    pub state: String,
    /// Since when it is in that state.
    pub state_since: i64,
    /// When anything was known of it last.
    pub known_at: Option<i64>,
    /// The kinds of its checks.
    pub checks: Vec<String>,
    /// The faults that stand: code, since when, by which check, with what evidence.
    pub faults: Vec<(String, i64, String, Value)>,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its key; with the device it names the item on a sheet.
    pub key: String,
    /// The device; empty for the site.
    pub device_id: String,
    /// The device's name.
    pub device: String,
    /// English.
    pub en: String,
    /// Chinese.
    pub zh: String,
    /// How it is answered.
    pub answer: Answer,
    /// Whether a reading is to be written down.
    pub reading: bool,
    /// Whether it may stay without an answer: one more test beside those that were made.
    pub spare: bool,
    /// What measurement says.
    pub proposed: Option<Proposed>,
}

/// What measurement says of an item.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposed {
    /// Whether it is fine.
    pub ok: bool,
    /// Since when that is known, Unix ms.
    pub at: i64,
    /// What was measured.
    pub evidence: Value,
}

/// What one inspection asks for: its kinds, and the list of the contract's own.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Its kinds.
    pub kinds: Vec<String>,
    /// What the contract's rule asks of the site; empty = the house's list.
    pub own: Vec<String>,
}

/// Everything that is asked in one visit for these inspections, each item once. An inspection without a list of its own
/// brings the house's for its kinds, whatever the others bring.
pub fn items(inspections: &[Wanted], devices: &[Subject]) -> Vec<Item> {
    let wants = |of: &[String], one: &Wanted| of.iter().any(|kind| one.kinds.contains(kind));
    let plain = |key: String, en: &str, zh: &str, reading| Item {
        key,
        device_id: String::new(),
        device: String::new(),
        en: en.to_owned(),
        zh: zh.to_owned(),
        answer: Answer::Check,
        reading,
        spare: false,
        proposed: None,
    };
    let mut all: Vec<Item> = Vec::new();
    for one in inspections {
        all.extend(one.own.iter().map(|text| plain(format!("own.{text}"), text, text, true)));
        if one.own.is_empty() {
            let house = HOUSE.site.iter().filter(|item| wants(&item.kinds, one));
            all.extend(house.map(|item| plain(item.key.clone(), &item.en, &item.zh, item.reading)));
        }
    }
    for one in inspections {
        let forms = HOUSE.form.iter().filter(|form| one.kinds.contains(&form.kind));
        let asked = forms.flat_map(|form| form.item.iter());
        all.extend(
            asked.map(|item| Item {
                answer: item.answer,
                ..plain(item.key.clone(), &item.en, &item.zh, false)
            }),
        );
    }
    let mut known = HashSet::new();
    all.retain(|item| known.insert(item.key.clone()));
    let wanted = |of: &[String]| inspections.iter().any(|one| wants(of, one));
    for device in devices {
        let asked = HOUSE.device.iter().filter(|item| {
            wanted(&item.kinds) && (item.classes.is_empty() || item.classes.contains(&device.class))
        });
        all.extend(asked.map(|item| Item {
            device_id: device.id.clone(),
            device: device.name.clone(),
            proposed: proposed(item, device),
            ..plain(item.key.clone(), &item.en, &item.zh, false)
        }));
    }
    all
}

/// Tests of one item.
const TESTS_MAX: usize = 50;

/// A test is asked for once more than it was answered: `key`, `key.2`, `key.3`; the last one may stay open.
pub fn repeat(items: Vec<Item>, answered: impl Fn(&str) -> bool) -> Vec<Item> {
    let mut all = Vec::with_capacity(items.len());
    for item in items {
        if item.answer != Answer::Test {
            all.push(item);
            continue;
        }
        for n in 1..=TESTS_MAX {
            let key = if n == 1 { item.key.clone() } else { format!("{}.{n}", item.key) };
            let is_answered = answered(&key);
            all.push(Item { key, spare: n > 1 && !is_answered, ..item.clone() });
            if !is_answered {
                break;
            }
        }
    }
    all
}

/// What measurement says; nothing of a device whose state nobody knows, or where nothing measures it.
fn proposed(item: &DeviceItem, device: &Subject) -> Option<Proposed> {
    if !matches!(device.state.as_str(), "ok" | "degraded" | "down") {
        return None;
    }
    if item.state {
        let evidence = json!({ "state": device.state });
        let (ok, at) = (device.state == "ok", device.known_at.unwrap_or(device.state_since));
        return Some(Proposed { ok, at: if ok { at } else { device.state_since }, evidence });
    }
    let kind = item.check.as_ref().filter(|kind| device.checks.contains(kind))?;
    let stands = device.faults.iter().find(|fault| item.faults.contains(&fault.0));
    match stands {
        Some((code, at, check, evidence)) => {
            let evidence = json!({ "code": code, "check": check, "evidence": evidence });
            Some(Proposed { ok: false, at: *at, evidence })
        }
        // A device that is down cannot be measured further.
        None if device.state == "down" => None,
        None => Some(Proposed { ok: true, at: device.known_at?, evidence: json!({ "check": kind }) }),
    }
}

#[cfg(test)]
mod tests {
    use sitewarden_proto::fault;

    use super::*;
    use crate::device::{CHECK_KINDS, CLASSES};
    use crate::inspection::kind::{self, KINDS};

    fn camera(state: &str, checks: &[&str]) -> Subject {
        Subject {
            id: "d".into(),
            name: "cam-3".into(),
            class: "camera".into(),
            state: state.into(),
            state_since: 5,
            known_at: Some(9),
            checks: checks.iter().map(|kind| (*kind).to_owned()).collect(),
            faults: Vec::new(),
        }
    }

    fn wanted(kind: &str, own: &[&str]) -> Wanted {
        Wanted { kinds: vec![kind.into()], own: own.iter().map(|text| (*text).to_owned()).collect() }
    }

    fn keys(inspections: &[Wanted]) -> Vec<String> {
        items(inspections, &[]).into_iter().map(|item| item.key).collect()
    }

    fn said(device: Subject) -> Vec<(String, Option<(bool, i64)>)> {
        let items = items(&[wanted("check", &["host"])], &[device]);
        items.into_iter().map(|item| (item.key, item.proposed.map(|said| (said.ok, said.at)))).collect()
    }

    #[test]
    fn the_lists_speak_of_what_there_is() {
        for item in &HOUSE.device {
            assert!(item.classes.iter().all(|class| CLASSES.contains(&class.as_str())), "{}", item.key);
            assert!(item.faults.iter().all(|code| fault::find(code).is_some()), "{}", item.key);
            assert!(item.check.as_deref().is_none_or(|kind| CHECK_KINDS.contains(&kind)), "{}", item.key);
            assert_eq!(item.check.is_some(), !item.faults.is_empty(), "{}", item.key);
        }
        for item in &HOUSE.site {
            assert!(!item.kinds.is_empty() && item.en != item.zh, "{}", item.key);
        }
        let mut known = HashSet::new();
        for form in &HOUSE.form {
            assert!(kind::find(&form.kind).is_some() && known.insert(form.kind.as_str()), "{}", form.kind);
            for item in &form.item {
                let of = item.key.split_once('.').map(|(kind, _)| kind);
                assert!(of == Some(form.kind.as_str()) && item.en != item.zh, "{}", item.key);
                assert!(known.insert(item.key.as_str()), "{} stands twice", item.key);
            }
        }
        // Nothing is planned by hand that would be an empty sheet, device or not.
        for kind in KINDS.iter().filter(|kind| kind.by_hand.is_some()) {
            let of_device = HOUSE.device.iter().any(|item| item.kinds.iter().any(|word| word == kind.word));
            assert!(of_device || !keys(&[wanted(kind.word, &[])]).is_empty(), "{}", kind.word);
        }
    }

    #[test]
    fn only_what_was_measured_is_proposed() {
        let own = ("own.host".to_owned(), None);
        let row = |key: &str, said| (key.to_owned(), said);
        let fine =
            [own.clone(), row("state", Some((true, 9))), row("clock", None), row("picture", Some((true, 9)))];
        assert_eq!(said(camera("ok", &["icmp", "picture"])), fine);
        let dark = [own.clone(), row("state", None), row("clock", None), row("picture", None)];
        assert_eq!(said(camera("unknown", &["icmp", "ntp", "picture"])), dark);
        let mut bad = camera("degraded", &["ntp", "picture"]);
        bad.faults.push(("picture_frozen".into(), 7, "picture".into(), json!({ "same_s": 60 })));
        let frozen = [
            own.clone(),
            row("state", Some((false, 5))),
            row("clock", Some((true, 9))),
            row("picture", Some((false, 7))),
        ];
        assert_eq!(said(bad), frozen);
        let down = [own, row("state", Some((false, 5))), row("clock", None), row("picture", None)];
        assert_eq!(said(camera("down", &["ntp", "picture"])), down);
        // Without a list of the contract's own, the house's is asked.
        assert_eq!(keys(&[wanted("annual", &[])]), ANNUAL);
    }

    /// The house's list of an annual inspection, then its form.
    const ANNUAL: [&str; 6] =
        ["power", "functions", "left_over", "together", "annual.forecast", "annual.proposals"];

    #[test]
    fn a_form_is_asked_whatever_the_contract_lists_and_a_test_as_often_as_it_is_made() {
        let tests = [wanted("sample_test", &["lens 3"])];
        assert_eq!(
            keys(&tests),
            [
                "own.lens 3",
                "sample_test.demanded",
                "sample_test.witness",
                "sample_test.test",
                "sample_test.instrument"
            ]
        );
        let shown = |answered: &[&str]| -> Vec<(String, bool)> {
            let all = repeat(items(&tests, &[]), |key| answered.contains(&key));
            let tests = all.into_iter().filter(|item| item.answer == Answer::Test);
            tests.map(|item| (item.key, item.spare)).collect()
        };
        let test = |key: &str, spare| (format!("sample_test.test{key}"), spare);
        assert_eq!(shown(&[]), [test("", false)]);
        assert_eq!(shown(&["sample_test.test"]), [test("", false), test(".2", true)]);
        assert_eq!(
            shown(&["sample_test.test", "sample_test.test.2"]),
            [test("", false), test(".2", false), test(".3", true)]
        );
    }

    #[test]
    fn one_visit_for_several_inspections_asks_everything_once() {
        // Two rules' own lists share an item that does not stand beside itself.
        let (half, year) = (wanted("check", &["host", "cabling"]), wanted("annual", &["host", "lenses"]));
        assert_eq!(
            keys(&[half.clone(), year]),
            ["own.host", "own.cabling", "own.lenses", ANNUAL[4], ANNUAL[5]]
        );
        // The annual one has no list of its own: the house's is asked beside the other's own.
        let house = wanted("annual", &[]);
        assert_eq!(keys(&[half, house.clone(), house]), [&["own.host", "own.cabling"][..], &ANNUAL].concat());
    }
}
