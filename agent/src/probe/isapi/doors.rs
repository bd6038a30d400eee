//! `AccessControl/AcsWorkStatus` of Hikvision's door controllers, in the shapes that they give it. Pure.
//!
//! Source: Hikvision, *Intelligent Security API (Access Control)*, and answers of real controllers: flags as numbers, words or
//! texts; 126 entries for two doors; readers as flags by position or as the numbers of those that answer.

use std::collections::BTreeSet;

use super::super::tree::{Node, truth};
use crate::model::access::{Door, Seen};

const DOORS_MAX: usize = 256;

/// What a controller says of itself; None when it is no such answer.
pub fn work(said: &Node) -> Option<Seen> {
    let said = said.find("AcsWorkStatus")?;
    let list = |name: &str| -> Vec<&str> {
        said.children.iter().filter(|child| child.name == name).map(|child| child.text.as_str()).collect()
    };
    let (locks, modes, contacts) = (list("doorLockStatus"), list("doorStatus"), list("magneticStatus"));
    let length = locks.len().max(contacts.len()).min(DOORS_MAX);
    let door = |index: usize| Door {
        // 0 holds, 1 is open.
        is_locked: locks.get(index).and_then(|word| truth(word)).map(|open| !open),
        is_open: contacts.get(index).and_then(|word| truth(word)),
        // 1 dormant, 2 stays open, 3 stays closed, 4 ordinary.
        stays_open: modes.get(index).is_some_and(|word| *word == "2"),
    };
    let readers = readers(&list("cardReaderOnlineStatus"));
    let opened: Vec<u32> = (1..)
        .zip(list("cardReaderAntiDismantleStatus"))
        .filter(|(_, word)| truth(word) == Some(true))
        .map(|(number, _)| number)
        .collect();
    let is_active = |number: &u32| readers.as_ref().is_none_or(|readers| readers.contains(number));
    let on_battery = said.word("powerSupplyStatus").and_then(|word| match word {
        "ACPowerSupply" | "1" => Some(false),
        "BatteryPowerSupply" | "2" => Some(true),
        _ => None,
    });
    let is_tampered = said.word("hostAntiDismantleStatus").and_then(|word| match word {
        "open" => Some(true),
        "close" | "closed" => Some(false),
        other => truth(other),
    });
    Some(Seen {
        doors: (0..length).map(door).collect(),
        tampered_readers: opened.into_iter().filter(is_active).collect(),
        readers,
        is_tampered,
        on_battery,
        is_low: said.flag("batteryLowVoltage"),
        // Tenths of a volt; 0 is a controller without a battery.
        battery_v: said
            .number("batteryVoltage")
            .filter(|tenths| (1.0..=600.0).contains(tenths))
            .map(|tenths| tenths / 10.0),
        fire_line: said.word("fireAlarmStatus").map(str::to_owned),
    })
}

/// Readers that answer. A list of ones and zeros with a zero or a repetition in it goes by position; everything else holds
/// the numbers of the readers themselves.
fn readers(words: &[&str]) -> Option<BTreeSet<u32>> {
    let first = words.first()?;
    if let ("true" | "false", [_]) = (*first, words) {
        return Some(if *first == "true" { BTreeSet::from([1]) } else { BTreeSet::new() });
    }
    let numbers: Vec<u32> = words
        .iter()
        .map(|word| match *word {
            "true" => Some(1),
            "false" => Some(0),
            number => number.parse().ok(),
        })
        .collect::<Option<_>>()?;
    Some(if numbers.iter().all(|number| *number <= 1) {
        (1..).zip(numbers).filter(|(_, on)| *on == 1).map(|(number, _)| number).collect()
    } else {
        numbers.into_iter().filter(|number| *number > 0).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::tree::parse;
    use super::*;

    fn seen(inner: &str) -> Seen {
        work(&parse(format!("{{\"AcsWorkStatus\": {{{inner}}}}}").as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn readers_are_listed_in_two_ways() {
        for (words, wanted) in [
            ("[1]", Some(vec![1])),
            ("[1, 2]", Some(vec![1, 2])),
            ("[2]", Some(vec![2])),
            ("[1, 1]", Some(vec![1, 2])),
            ("[1, 0, 0, 1]", Some(vec![1, 4])),
            ("[0, 0]", Some(vec![])),
            ("\"true\"", Some(vec![1])),
            ("[\"1\", \"3\"]", Some(vec![1, 3])),
            ("\"maybe\"", None),
            ("[]", None),
        ] {
            let found = seen(&format!("\"cardReaderOnlineStatus\": {words}")).readers;
            assert_eq!(found.map(|readers| readers.into_iter().collect::<Vec<_>>()), wanted, "{words}");
        }
    }

    #[test]
    fn words_numbers_and_texts_mean_the_same() {
        for (supply, on_battery) in [
            ("\"ACPowerSupply\"", Some(false)),
            ("1", Some(false)),
            ("\"2\"", Some(true)),
            ("\"BatteryPowerSupply\"", Some(true)),
            ("9", None),
        ] {
            assert_eq!(seen(&format!("\"powerSupplyStatus\": {supply}")).on_battery, on_battery, "{supply}");
        }
        let mixed = seen(
            "\"doorLockStatus\": [0, \"1\"], \"magneticStatus\": [\"0\", 1], \"doorStatus\": [4, 2], \"batteryVoltage\": 121",
        );
        assert_eq!(mixed.doors.len(), 2);
        assert_eq!(mixed.doors[0], Door { is_locked: Some(true), is_open: Some(false), stays_open: false });
        assert_eq!(mixed.doors[1], Door { is_locked: Some(false), is_open: Some(true), stays_open: true });
        assert_eq!((mixed.battery_v, seen("\"batteryVoltage\": 0").battery_v), (Some(12.1), None));
        assert_eq!(work(&parse(b"{\"statusCode\": 4}").unwrap()), None);
    }
}
