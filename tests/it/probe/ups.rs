//! Power supplies: recordings of real ones and some of our own over SNMP, and `upsd` with its dummy driver.

use std::time::Duration;

use sitewarden_agent::probe::Outcome;
use sitewarden_agent::probe::OutcomeState::{Bad, Good, Silent};
use sitewarden_tests::peer::{Nut, Snmpsim, free_tcp_port};
use sitewarden_tests::until;

use super::{codes, run, value};

/// A recording of RFC 1628 with the three things that change: what feeds the load, how the battery is, which alarm stands.
fn standard(source: u8, battery: u8, alarm: Option<u8>) -> String {
    let alarm_row = alarm.map_or_else(String::new, |number| {
        format!("1.3.6.1.2.1.33.1.6.2.1.2.1|6|1.3.6.1.2.1.33.1.6.3.{number}\n")
    });
    format!(
        "1.3.6.1.2.1.1.3.0|67|123456\n1.3.6.1.2.1.33.1.1.1.0|4|HUAWEI\n1.3.6.1.2.1.33.1.1.2.0|4|UPS2000\n\
         1.3.6.1.2.1.33.1.2.1.0|2|{battery}\n1.3.6.1.2.1.33.1.2.3.0|66|4294967295\n1.3.6.1.2.1.33.1.2.4.0|2|98\n\
         1.3.6.1.2.1.33.1.2.7.0|2|25\n1.3.6.1.2.1.33.1.3.3.1.3.1|2|229\n1.3.6.1.2.1.33.1.4.1.0|2|{source}\n\
         1.3.6.1.2.1.33.1.4.4.1.5.1|2|-12\n1.3.6.1.2.1.33.1.6.1.0|66|{}\n{alarm_row}",
        u8::from(alarm.is_some())
    )
}

/// The same of PowerNet.
fn apc(output: u8, replace: u8, battery: u8, load: u8) -> String {
    format!(
        "1.3.6.1.2.1.1.3.0|67|123456\n1.3.6.1.4.1.318.1.1.1.1.1.1.0|4|Smart-UPS 3000\n1.3.6.1.4.1.318.1.1.1.2.1.1.0|2|{battery}\n\
         1.3.6.1.4.1.318.1.1.1.2.2.1.0|66|100\n1.3.6.1.4.1.318.1.1.1.2.2.2.0|66|31\n1.3.6.1.4.1.318.1.1.1.2.2.3.0|67|180000\n\
         1.3.6.1.4.1.318.1.1.1.2.2.4.0|2|{replace}\n1.3.6.1.4.1.318.1.1.1.4.1.1.0|2|{output}\n\
         1.3.6.1.4.1.318.1.1.1.4.2.3.0|66|{load}\n1.3.6.1.4.1.318.1.1.1.7.2.3.0|2|1\n"
    )
}

async fn look(port: u16, community: &str, more: &str) -> Outcome {
    let asked =
        format!("kind = \"ups\"\nport = {port}\nversion = \"2c\"\ncommunity = \"{community}\"\n{more}");
    run(&asked).await
}

#[tokio::test]
async fn each_trouble_of_either_mib_is_one_fault_and_the_unknown_none() {
    let recordings = [
        ("well", standard(3, 2, None), vec![]),
        ("battery", standard(5, 2, None), vec!["ups_on_battery"]),
        ("low", standard(5, 3, None), vec!["ups_on_battery", "ups_battery_low"]),
        ("bypass", standard(4, 2, None), vec!["ups_bypass"]),
        ("off", standard(2, 2, None), vec!["ups_output_off"]),
        ("worn", standard(3, 2, Some(1)), vec!["ups_battery_worn"]),
        ("overload", standard(3, 2, Some(8)), vec!["ups_overload"]),
        ("charger", standard(3, 2, Some(13)), vec!["device_defective"]),
        ("apc-well", apc(2, 1, 2, 31), vec![]),
        ("apc-test", apc(15, 1, 2, 31), vec![]),
        ("apc-battery", apc(3, 1, 2, 31), vec!["ups_on_battery"]),
        ("apc-replace", apc(2, 2, 2, 31), vec!["ups_battery_worn"]),
        ("apc-low", apc(3, 1, 3, 31), vec!["ups_on_battery", "ups_battery_low"]),
        ("apc-overload", apc(2, 1, 2, 112), vec!["ups_overload"]),
        ("no-ups", "1.3.6.1.2.1.1.3.0|67|123456\n".to_owned(), vec!["health_unclear"]),
    ];
    let files: Vec<(&str, &str)> = recordings.iter().map(|(name, text, _)| (*name, text.as_str())).collect();
    let server = Snmpsim::of(&files).await;
    for (name, _, wanted) in &recordings {
        let outcome = look(server.port, name, "").await;
        assert_eq!(&codes(&outcome), wanted, "{name}: {outcome:#?}");
        assert_eq!(outcome.state, if wanted.is_empty() { Good } else { Bad }, "{name}");
    }
    // A number that stands for "unknown" is none, and a load below nothing is none either.
    let well = look(server.port, "well", "min_runtime = \"10m\"").await;
    assert_eq!((well.state, codes(&well)), (Good, vec![]), "{well:#?}");
    assert!(well.blind.contains(&"ups_runtime_short"));
    assert!(!well.values.iter().any(|(name, _)| name == "runtime_s" || name == "load_percent"), "{well:#?}");
    assert!((value(&well, "charge_percent") - 98.0).abs() < 1e-9);
    let short = look(server.port, "apc-well", "min_runtime = \"45m\"").await;
    assert_eq!(codes(&short), ["ups_runtime_short"]);
    assert_eq!(short.faults[0].evidence["runtime_min"], 30.0);
    let unclear = look(server.port, "no-ups", "").await;
    assert!(unclear.blind.contains(&"ups_on_battery"), "what stood before goes on: {unclear:#?}");
}

/// Power supplies of five makers as they were recorded, all of them well. Three say that the battery would last no minute, one that
/// it would last -1; neither is a runtime.
#[tokio::test]
async fn recordings_of_real_power_supplies_are_well() {
    let recordings = [
        ("phoenixtec", "UPS/phoenixtec-power.snmprec.bz2", None, Some(100.0), None),
        ("huawei", "UPS/huawei-gse200m.snmprec.bz2", Some("HUAWEI UPS5000"), None, None),
        ("santak", "UPS/ingrasys-power-switch.snmprec.bz2", Some("Santak Array-3A3"), Some(100.0), None),
        ("eaton", "UPS/eaton-93e-80.snmprec.bz2", Some("EATON EATON 93E 80"), Some(100.0), Some(65_520.0)),
        ("east", "UPS/eastpower-istars-swv053.snmprec.bz2", Some("EAST EA9080"), Some(100.0), None),
    ];
    let server = Snmpsim::start(&recordings.map(|(name, path, ..)| (name, path))).await;
    for (name, _, model, charge, runtime) in recordings {
        let outcome = look(server.port, name, "min_runtime = \"10m\"").await;
        assert_eq!((outcome.state, codes(&outcome)), (Good, vec![]), "{name}: {outcome:#?}");
        assert_eq!(outcome.facts.get("model").map(String::as_str), model, "{name}");
        let of =
            |metric: &str| outcome.values.iter().find(|(name, _)| name == metric).map(|(_, value)| *value);
        assert_eq!((of("charge_percent"), of("runtime_s")), (charge, runtime), "{name}");
        assert_eq!(outcome.blind.contains(&"ups_runtime_short"), runtime.is_none(), "{name}");
        assert!(of("load_percent").is_some(), "{name}: {outcome:#?}");
    }
}

/// A power strip of the same maker, as it was recorded, is no power supply.
#[tokio::test]
async fn a_recording_of_another_device_is_unclear() {
    let server = Snmpsim::start(&[("strip", "UPS/apc-8932.snmprec")]).await;
    let outcome = look(server.port, "strip", "").await;
    assert_eq!((outcome.state, codes(&outcome)), (Bad, vec!["health_unclear"]), "{outcome:#?}");
}

#[tokio::test]
async fn upsd_is_heard_and_what_it_says_is_told() {
    let mut nut = Nut::start().await;
    let check = format!("kind = \"nut\"\nport = {}", nut.port);
    let sees = async |wanted: &[&str]| {
        let seen = async || {
            let outcome = run(&check).await;
            codes(&outcome) == wanted
        };
        until(&format!("{wanted:?} is told"), Duration::from_secs(20), seen).await;
    };
    sees(&[]).await;
    let well = run(&check).await;
    assert_eq!(well.state, Good);
    assert_eq!(well.facts["model"], "Dummy Rack 1");
    assert!(
        (value(&well, "runtime_s") - 1_800.0).abs() < 1e-9 && (value(&well, "input_v") - 229.5).abs() < 1e-9
    );
    for (status, wanted) in [
        ("OB DISCHRG", &["ups_on_battery"][..]),
        ("OB DISCHRG LB", &["ups_on_battery", "ups_battery_low"]),
        ("OL RB", &["ups_battery_worn"]),
        ("OL OVER", &["ups_overload"]),
        ("OL BYPASS", &["ups_bypass"]),
        ("OFF", &["ups_output_off"]),
        ("OL", &[]),
    ] {
        nut.says(&Nut::WELL.replace("OL CHRG", status));
        sees(wanted).await;
    }
    let short = run(&format!("{check}\nmin_runtime = \"45m\"")).await;
    assert_eq!(codes(&short), ["ups_runtime_short"], "{short:#?}");
    let unknown = run(&format!("{check}\nups = \"cellar\"")).await;
    assert_eq!((unknown.state, codes(&unknown)), (Bad, vec!["health_unclear"]), "{unknown:#?}");
    assert_eq!(unknown.faults[0].evidence["why"], "UNKNOWN-UPS");
    // The server lives, and nobody knows how the power supply is.
    nut.loses_its_driver();
    sees(&["ups_link_lost"]).await;
    assert!(run(&check).await.blind.contains(&"ups_on_battery"));
    let nobody = run(&format!("kind = \"nut\"\nport = {}", free_tcp_port())).await;
    assert_eq!((nobody.state, codes(&nobody)), (Silent, vec!["nut_silent"]));
}
