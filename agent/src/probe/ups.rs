//! How is an uninterruptible power supply? SNMP: the standard UPS-MIB (RFC 1628) and APC's PowerNet-MIB, whichever it has.
//!
//! Many cards answer both, some only one, and each leaves out a part. What the maker's own objects say goes before the standard's. Numbers
//! that stand for "unknown" (4294967295, negative loads) are none.

use std::time::Duration;

use async_snmp::{Value, VarBind};

use super::snmp::{self, Sessions};
use super::{OutcomeState, Reading};
use crate::config;
use crate::model::ups::{Seen, judge};

/// upsObjects of RFC 1628.
const RFC: &str = "1.3.6.1.2.1.33.1";
/// upsWellKnownAlarms of RFC 1628; upsAlarmDescr names one of them for each alarm that stands.
const ALARMS: &str = "1.3.6.1.2.1.33.1.6.3";
const ALARM_TABLE: &str = "1.3.6.1.2.1.33.1.6.2.1.2";
/// The ups group of PowerNet-MIB.
const APC: &str = "1.3.6.1.4.1.318.1.1.1";

/// Asks once for everything, and walks the alarms.
///
/// Values: `charge_percent`, `runtime_s`, `load_percent`, `temperature_c`, `input_v`, `answer_ms`. Faults: those of
/// [`crate::model::ups`], `health_unclear`, and those of [`super::snmp`].
pub(crate) async fn read(
    address: &str,
    asked: &config::Ups,
    limit: Duration,
    sessions: &Sessions,
) -> Reading {
    let objects = [
        (RFC, "1.1.0"),
        (RFC, "1.2.0"),
        (RFC, "2.1.0"),
        (RFC, "2.3.0"),
        (RFC, "2.4.0"),
        (RFC, "2.7.0"),
        (RFC, "3.3.1.3.1"),
        (RFC, "3.3.1.3.1.0"),
        (RFC, "4.1.0"),
        (RFC, "4.4.1.5.1"),
        (RFC, "4.4.1.5.1.0"),
        (RFC, "6.1.0"),
        (APC, "1.1.1.0"),
        (APC, "2.1.1.0"),
        (APC, "2.2.1.0"),
        (APC, "2.2.2.0"),
        (APC, "2.2.3.0"),
        (APC, "2.2.4.0"),
        (APC, "3.2.1.0"),
        (APC, "4.1.1.0"),
        (APC, "4.2.3.0"),
        (APC, "7.2.3.0"),
    ];
    let snmp = config::Snmp {
        get: objects.iter().map(|(base, object)| format!("{base}.{object}")).collect(),
        walk: vec![ALARM_TABLE.to_owned()],
        ..asked.snmp.clone()
    };
    match snmp::rows(address, &snmp, limit, sessions).await {
        Err(reading) => *reading,
        Ok((answer_ms, rows)) => {
            let seen = seen(&rows).plausible();
            let reading = judge(&seen, asked.min_runtime_s).value("answer_ms", answer_ms);
            if seen.is_anything() {
                return reading;
            }
            let why = "it has neither the objects of RFC 1628 nor those of APC";
            reading.fault(OutcomeState::Bad, "health_unclear", why, [("why", why.into())])
        }
    }
}

/// Reads the rows of both MIBs.
fn seen(rows: &[VarBind]) -> Seen {
    let number = |base: &str, object: &str| {
        let object: async_snmp::Oid = format!("{base}.{object}").parse().ok()?;
        match rows.iter().find(|row| row.oid == object)?.value {
            Value::Integer(number) => Some(f64::from(number)),
            Value::Gauge32(number) | Value::Counter32(number) | Value::UInteger32(number) => {
                Some(f64::from(number))
            }
            // Some cards give minutes this type, which makes them no hundredths of a second.
            Value::TimeTicks(ticks) if base == RFC => Some(f64::from(ticks)),
            Value::TimeTicks(ticks) => Some(f64::from(ticks) / 100.0),
            _ => None,
        }
    };
    let text = |base: &str, object: &str| {
        let object: async_snmp::Oid = format!("{base}.{object}").parse().ok()?;
        let Value::OctetString(bytes) = &rows.iter().find(|row| row.oid == object)?.value else {
            return None;
        };
        let text = String::from_utf8_lossy(bytes).trim_matches(['\0', ' ']).to_owned();
        (!text.is_empty()).then_some(text)
    };
    let alarms = Alarms::of(rows, number(RFC, "6.1.0"));
    let mut seen = standard(&number, &alarms);
    seen.model = match (text(RFC, "1.1.0"), text(RFC, "1.2.0").or_else(|| text(APC, "1.1.1.0"))) {
        (Some(maker), Some(model)) => Some(format!("{maker} {model}")),
        (None, model) => model,
        (maker, None) => maker,
    };
    apc(&number, seen)
}

/// The alarms of RFC 1628 that stand.
struct Alarms {
    /// Whether they can be told at all.
    are_known: bool,
    standing: Vec<u32>,
}

impl Alarms {
    fn of(rows: &[VarBind], count: Option<f64>) -> Self {
        let (Ok(table), Ok(base)) =
            (ALARM_TABLE.parse::<async_snmp::Oid>(), ALARMS.parse::<async_snmp::Oid>())
        else {
            return Self { are_known: false, standing: Vec::new() };
        };
        let standing: Vec<u32> = rows
            .iter()
            .filter(|row| row.oid.arcs().starts_with(table.arcs()))
            .filter_map(|row| match &row.value {
                Value::ObjectIdentifier(alarm) => alarm.arcs().strip_prefix(base.arcs())?.first().copied(),
                _ => None,
            })
            .collect();
        // It says that there are some and lists none that can be read: nobody knows which.
        let are_known = count.is_some_and(|count| count <= 0.0 || !standing.is_empty());
        Self { are_known, standing }
    }

    fn has(&self, alarms: &[u32]) -> Option<bool> {
        let stands = alarms.iter().any(|alarm| self.standing.contains(alarm));
        (self.are_known || stands).then_some(stands)
    }
}

/// RFC 1628: upsBatteryStatus unknown 1, normal 2, low 3, depleted 4; upsOutputSource other 1, none 2, normal 3, bypass 4,
/// battery 5, booster 6, reducer 7; alarms by their last number.
fn standard(number: &impl Fn(&str, &str) -> Option<f64>, alarms: &Alarms) -> Seen {
    let battery = number(RFC, "2.1.0").map(|status| status as i64);
    let source = number(RFC, "4.1.0").map(|source| source as i64);
    let known = |wanted: &[i64]| {
        source.filter(|source| (2..=7).contains(source)).map(|source| wanted.contains(&source))
    };
    Seen {
        on_battery: known(&[5]).or_else(|| alarms.has(&[2])),
        is_low: battery.filter(|status| (2..=4).contains(status)).map(|status| status >= 3),
        is_worn: alarms.has(&[1]),
        is_overloaded: alarms.has(&[8]),
        on_bypass: known(&[4]).or_else(|| alarms.has(&[9])),
        is_off: known(&[2]).or_else(|| alarms.has(&[14, 15])),
        // Charger, fan, fuse, general fault, a test that failed.
        is_defective: alarms.has(&[13, 16, 17, 18, 19]),
        charge_percent: number(RFC, "2.4.0"),
        runtime_s: number(RFC, "2.3.0").map(|minutes| minutes * 60.0),
        // Some give each cell of a table one number too many.
        load_percent: number(RFC, "4.4.1.5.1").or_else(|| number(RFC, "4.4.1.5.1.0")),
        // 0 and -1 stand for "no sensor".
        temperature_c: number(RFC, "2.7.0").filter(|degrees| *degrees > 0.0),
        input_v: number(RFC, "3.3.1.3.1").or_else(|| number(RFC, "3.3.1.3.1.0")),
        ..Seen::default()
    }
}

/// PowerNet: upsBasicBatteryStatus unknown 1, normal 2, low 3, in fault 4; upsAdvBatteryReplaceIndicator no 1, yes 2;
/// upsBasicOutputStatus on line 2, on battery 3, boost 4, software bypass 6, off 7, switched bypass 9, hardware failure bypass
/// 10, trim 12, eco 13, test 15, emergency bypass 16; upsAdvTestDiagnosticsResults ok 1, failed 2.
fn apc(number: &impl Fn(&str, &str) -> Option<f64>, standard: Seen) -> Seen {
    let whole = |object: &str| number(APC, object).map(|value| value as i64);
    let (battery, output) = (whole("2.1.1.0"), whole("4.1.1.0").filter(|status| *status >= 2));
    let among = |wanted: &[i64]| output.map(|status| wanted.contains(&status));
    let in_fault = battery.filter(|status| *status >= 2).map(|status| status == 4);
    let worn = whole("2.2.4.0").map(|indicator| indicator == 2);
    let or = |first: Option<bool>, second: Option<bool>| match (first, second) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), _) | (_, Some(false)) => Some(false),
        (None, None) => None,
    };
    Seen {
        on_battery: among(&[3]).or(standard.on_battery),
        is_low: battery.filter(|status| *status >= 2).map(|status| status == 3).or(standard.is_low),
        is_worn: or(or(worn, in_fault), standard.is_worn),
        on_bypass: among(&[6, 9, 10, 16]).or(standard.on_bypass),
        is_off: among(&[7]).or(standard.is_off),
        is_defective: or(or(among(&[10]), whole("7.2.3.0").map(|result| result == 2)), standard.is_defective),
        is_overloaded: or(number(APC, "4.2.3.0").map(|load| load > 100.0), standard.is_overloaded),
        charge_percent: number(APC, "2.2.1.0").or(standard.charge_percent),
        runtime_s: number(APC, "2.2.3.0").or(standard.runtime_s),
        load_percent: number(APC, "4.2.3.0").or(standard.load_percent),
        temperature_c: number(APC, "2.2.2.0").or(standard.temperature_c),
        input_v: number(APC, "3.2.1.0").or(standard.input_v),
        ..standard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(base: &str, object: &str, value: Value) -> VarBind {
        VarBind::new(format!("{base}.{object}").parse().unwrap(), value)
    }

    fn alarm(number: u32) -> VarBind {
        row(ALARM_TABLE, "1", Value::ObjectIdentifier(format!("{ALARMS}.{number}").parse().unwrap()))
    }

    #[test]
    fn the_standard_alone_is_enough() {
        let rows = |source, battery, alarms| {
            vec![
                row(RFC, "2.1.0", Value::Integer(battery)),
                row(RFC, "2.3.0", Value::Gauge32(4_294_967_295)),
                row(RFC, "2.4.0", Value::Integer(97)),
                row(RFC, "4.1.0", Value::Integer(source)),
                row(RFC, "4.4.1.5.1", Value::Integer(-12)),
                row(RFC, "6.1.0", Value::Gauge32(alarms)),
            ]
        };
        let fine = seen(&rows(3, 2, 0)).plausible();
        assert_eq!(judge(&fine, 600).codes(), Vec::<&str>::new());
        assert_eq!((fine.runtime_s, fine.load_percent, fine.charge_percent), (None, None, Some(97.0)));
        assert_eq!(judge(&seen(&rows(5, 2, 0)), 0).codes(), ["ups_on_battery"]);
        assert_eq!(judge(&seen(&rows(5, 4, 0)), 0).codes(), ["ups_on_battery", "ups_battery_low"]);
        assert_eq!(judge(&seen(&rows(4, 2, 0)), 0).codes(), ["ups_bypass"]);
        assert_eq!(judge(&seen(&rows(2, 2, 0)), 0).codes(), ["ups_output_off"]);
        for (number, code) in
            [(1, "ups_battery_worn"), (8, "ups_overload"), (13, "device_defective"), (18, "device_defective")]
        {
            let mut with = rows(3, 2, 1);
            with.push(alarm(number));
            assert_eq!(judge(&seen(&with), 0).codes(), [code]);
        }
        // It says that something is wrong, and not what.
        let unsaid = judge(&seen(&rows(3, 1, 1)), 0);
        assert!(unsaid.codes().is_empty(), "{unsaid:?}");
        for code in ["ups_battery_low", "ups_battery_worn", "ups_overload", "device_defective"] {
            assert!(unsaid.unseen().contains(&code), "{code}");
        }
    }

    #[test]
    fn the_makers_own_word_goes_before() {
        let rows = |output, replace, battery| {
            [
                row(APC, "2.1.1.0", Value::Integer(battery)),
                row(APC, "2.2.3.0", Value::TimeTicks(180_000)),
                row(APC, "2.2.4.0", Value::Integer(replace)),
                row(APC, "4.1.1.0", Value::Integer(output)),
                row(APC, "4.2.3.0", Value::Gauge32(31)),
            ]
        };
        let fine = seen(&rows(2, 1, 2));
        assert_eq!((judge(&fine, 0).codes(), fine.runtime_s), (vec![], Some(1_800.0)));
        assert_eq!(judge(&fine, 3_600).codes(), ["ups_runtime_short"]);
        assert_eq!(judge(&seen(&rows(3, 1, 2)), 0).codes(), ["ups_on_battery"]);
        assert_eq!(judge(&seen(&rows(15, 1, 2)), 0).codes(), Vec::<&str>::new(), "a test is no power cut");
        assert_eq!(judge(&seen(&rows(2, 2, 2)), 0).codes(), ["ups_battery_worn"]);
        assert_eq!(judge(&seen(&rows(10, 1, 2)), 0).codes(), ["ups_bypass", "device_defective"]);
        assert_eq!(judge(&seen(&rows(1, 1, 1)), 0).codes(), Vec::<&str>::new());
        assert!(!seen(&[]).is_anything());
    }
}
