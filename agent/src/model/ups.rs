//! What is wrong with an uninterruptible power supply, whoever tells it. Pure.

use serde_json::Value;

use crate::probe::OutcomeState::Bad;
use crate::probe::Reading;

/// What one run has seen; None is not told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// Maker and model.
    pub model: Option<String>,
    /// The load runs from the battery, and not for a test.
    pub on_battery: Option<bool>,
    /// The battery is nearly empty.
    pub is_low: Option<bool>,
    /// The battery has to be replaced.
    pub is_worn: Option<bool>,
    /// More hangs on it than it can carry.
    pub is_overloaded: Option<bool>,
    /// The load runs past it, unprotected.
    pub on_bypass: Option<bool>,
    /// Its output is off.
    pub is_off: Option<bool>,
    /// It says that a part of it has failed.
    pub is_defective: Option<bool>,
    /// Charge, percent.
    pub charge_percent: Option<f64>,
    /// How long the battery would last, or lasts.
    pub runtime_s: Option<f64>,
    /// Load, percent of what it can carry.
    pub load_percent: Option<f64>,
    /// Of the battery or the inside.
    pub temperature_c: Option<f64>,
    /// Voltage of the mains.
    pub input_v: Option<f64>,
}

/// A percentage beyond this is no percentage; an overload of half as much again is one.
const PERCENT_MAX: f64 = 150.0;
/// A week on battery: more is a way to say "unknown".
const RUNTIME_MAX_S: f64 = 7.0 * 86_400.0;

impl Seen {
    /// The same without what no device can mean: values that stand for "unknown".
    #[must_use]
    pub fn plausible(self) -> Self {
        let within = |value: Option<f64>, low: f64, high: f64| value.filter(|v| (low..=high).contains(v));
        // Many cards say that no time is left, with a full battery and the mains there.
        let on_battery = self.on_battery == Some(true);
        Self {
            charge_percent: within(self.charge_percent, 0.0, 100.0),
            runtime_s: within(self.runtime_s, 0.0, RUNTIME_MAX_S).filter(|left| *left > 0.0 || on_battery),
            load_percent: within(self.load_percent, 0.0, PERCENT_MAX),
            temperature_c: within(self.temperature_c, -40.0, 120.0),
            input_v: within(self.input_v, 0.0, 1_000.0),
            ..self
        }
    }

    /// It said something about how it is.
    pub fn is_anything(&self) -> bool {
        [self.on_battery, self.is_low, self.is_worn].iter().any(Option::is_some)
    }
}

/// Turns what was seen into faults; `min_runtime_s` is how long the battery has to last, 0 is not judged.
pub(crate) fn judge(seen: &Seen, min_runtime_s: u32) -> Reading {
    let mut reading = Reading::good();
    if let Some(model) = &seen.model {
        reading = reading.fact("model", model);
    }
    for (name, value) in [
        ("charge_percent", seen.charge_percent),
        ("runtime_s", seen.runtime_s),
        ("load_percent", seen.load_percent),
        ("temperature_c", seen.temperature_c),
        ("input_v", seen.input_v),
    ] {
        if let Some(value) = value {
            reading = reading.value(name, value);
        }
    }
    let charge = Value::from(seen.charge_percent.map(f64::round));
    let runtime = Value::from(seen.runtime_s.map(|seconds| (seconds / 60.0).floor()));
    let load = Value::from(seen.load_percent.map(f64::round));
    for (code, is_bad, text) in [
        ("ups_on_battery", seen.on_battery, "the load runs from the battery"),
        ("ups_battery_low", seen.is_low, "the battery is nearly empty"),
        ("ups_battery_worn", seen.is_worn, "the battery has to be replaced"),
        ("ups_overload", seen.is_overloaded, "more hangs on it than it can carry"),
        ("ups_bypass", seen.on_bypass, "the load runs past it, unprotected"),
        ("ups_output_off", seen.is_off, "its output is off"),
        ("device_defective", seen.is_defective, "it says that a part of it has failed"),
    ] {
        reading = match is_bad {
            Some(true) => {
                let proof = [
                    ("charge_percent", charge.clone()),
                    ("runtime_min", runtime.clone()),
                    ("load_percent", load.clone()),
                ];
                reading.fault(Bad, code, text, proof)
            }
            Some(false) => reading,
            None => reading.blind(code),
        };
    }
    short(reading, seen, min_runtime_s)
}

/// While it runs from the battery the time runs down, which is told as that.
fn short(reading: Reading, seen: &Seen, min_runtime_s: u32) -> Reading {
    let code = "ups_runtime_short";
    match (min_runtime_s, seen.on_battery, seen.runtime_s) {
        (0, _, _) => reading,
        (_, Some(true), _) | (_, _, None) => reading.blind(code),
        (wanted, Some(false) | None, Some(runtime_s)) if runtime_s < f64::from(wanted) => {
            let (found, wanted) = ((runtime_s / 60.0).floor(), f64::from(wanted) / 60.0);
            let text = format!("the battery would last {found} min, {wanted} min are wanted");
            let evidence = [("runtime_min", Value::from(found)), ("limit_min", Value::from(wanted.round()))];
            reading.fault(Bad, code, &text, evidence)
        }
        (_, Some(false) | None, Some(_)) => reading,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_mean_unknown_are_none() {
        let seen = Seen {
            charge_percent: Some(-1.0),
            runtime_s: Some(4_294_967_295.0 * 60.0),
            load_percent: Some(-5.0),
            temperature_c: Some(65_535.0),
            input_v: Some(230.0),
            ..Seen::default()
        };
        let wanted = Seen { input_v: Some(230.0), ..Seen::default() };
        assert_eq!(seen.plausible(), wanted);
    }

    #[test]
    fn a_runtime_is_short_only_while_the_mains_are_there() {
        let seen = |on_battery, runtime_s| Seen { on_battery, runtime_s, ..Seen::default() };
        assert_eq!(judge(&seen(Some(false), Some(500.0)), 600).codes(), ["ups_runtime_short"]);
        assert_eq!(judge(&seen(Some(false), Some(700.0)), 600).codes(), Vec::<&str>::new());
        let running = judge(&seen(Some(true), Some(500.0)), 600);
        assert_eq!(running.codes(), ["ups_on_battery"]);
        assert!(running.unseen().contains(&"ups_runtime_short"));
        assert!(judge(&seen(Some(false), None), 600).unseen().contains(&"ups_runtime_short"));
        assert!(!judge(&seen(Some(false), None), 0).unseen().contains(&"ups_runtime_short"));
    }
}
