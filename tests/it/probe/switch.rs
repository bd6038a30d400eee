//! Switches: recordings of our own by maker, recordings of real ones, and net-snmp's agent.

use sitewarden_agent::clock::Clock;
use sitewarden_agent::probe::OutcomeState::{Bad, Good};
use sitewarden_agent::probe::{self, Context, Outcome};
use sitewarden_tests::peer::{Snmpd, Snmpsim};

use super::{codes, device, run, value};

/// Rows of `OID|type|value`, put into the order that a recording needs.
fn recording(object: &str, rows: &str) -> String {
    let ports = "1.3.6.1.2.1.2.2.1.2.1|4|GigabitEthernet0/0/1\n1.3.6.1.2.1.2.2.1.3.1|2|6\n1.3.6.1.2.1.2.2.1.7.1|2|1\n\
                 1.3.6.1.2.1.2.2.1.8.1|2|1\n1.3.6.1.2.1.2.2.1.9.1|67|500\n1.3.6.1.2.1.31.1.1.1.1.1|4|GE0/0/1\n\
                 1.3.6.1.2.1.31.1.1.1.15.1|66|1000\n";
    let system = format!("1.3.6.1.2.1.1.2.0|6|{object}\n1.3.6.1.2.1.1.3.0|67|123456\n");
    let all = format!("{system}{ports}{rows}");
    let mut rows: Vec<(Vec<u32>, String)> = Vec::new();
    for row in all.lines() {
        let oid: Vec<u32> =
            row.split('|').next().unwrap().split('.').map(|arc| arc.parse().unwrap()).collect();
        // A later row takes the place of an earlier one.
        rows.retain(|(other, _)| *other != oid);
        rows.push((oid, row.to_owned()));
    }
    rows.sort();
    rows.into_iter().map(|(_, row)| row + "\n").collect()
}

const HUAWEI: &str = "1.3.6.1.4.1.2011.2.23.276";
const H3C: &str = "1.3.6.1.4.1.25506.1.578";
const CISCO: &str = "1.3.6.1.4.1.9.1.617";
const RUIJIE: &str = "1.3.6.1.4.1.4881.1.1.10.1.41";
const TP_LINK: &str = "1.3.6.1.4.1.11863.5.86";
const OTHER: &str = "1.3.6.1.4.1.8072.3.2.10";

async fn look(port: u16, community: &str, more: &str) -> Outcome {
    run(&format!("kind = \"switch\"\nport = {port}\nversion = \"2c\"\ncommunity = \"{community}\"\n{more}"))
        .await
}

#[tokio::test]
async fn each_makers_tables_tell_each_trouble_and_the_unknown_none() {
    let huawei = "1.3.6.1.4.1.2011.5.25.31.1.1.1.1.5.9|2|14\n1.3.6.1.4.1.2011.5.25.31.1.1.1.1.7.9|2|41\n\
                  1.3.6.1.4.1.2011.5.25.31.1.1.1.1.11.9|2|46\n1.3.6.1.4.1.2011.5.25.31.1.1.1.1.11.10|2|2147483647\n\
                  1.3.6.1.4.1.2011.5.25.31.1.1.10.1.6.0.1|2|1\n1.3.6.1.4.1.2011.5.25.31.1.1.10.1.7.0.1|2|1\n\
                  1.3.6.1.4.1.2011.5.25.31.1.1.18.1.5.0.1|2|1\n1.3.6.1.4.1.2011.5.25.31.1.1.18.1.6.0.1|2|1\n\
                  1.3.6.1.4.1.2011.5.25.31.1.1.18.1.5.0.2|2|2\n1.3.6.1.4.1.2011.5.25.31.1.1.18.1.6.0.2|2|2\n\
                  1.3.6.1.2.1.47.1.1.1.1.7.9|4|MPU Board 0\n";
    let h3c = "1.3.6.1.4.1.25506.2.6.1.1.1.1.6.2|2|20\n1.3.6.1.4.1.25506.2.6.1.1.1.1.8.2|2|55\n\
               1.3.6.1.4.1.25506.2.6.1.1.1.1.12.2|2|65535\n1.3.6.1.4.1.25506.2.6.1.1.1.1.12.3|2|38\n\
               1.3.6.1.4.1.25506.8.35.9.1.1.1.2.1|2|1\n1.3.6.1.4.1.25506.8.35.9.1.1.1.2.2|2|3\n\
               1.3.6.1.4.1.25506.8.35.9.1.2.1.2.1|2|1\n1.3.6.1.4.1.25506.8.35.9.1.2.1.2.2|2|4\n";
    let cisco = "1.3.6.1.4.1.9.9.109.1.1.1.1.8.1|66|28\n1.3.6.1.4.1.9.9.48.1.1.1.5.1|66|400\n\
                 1.3.6.1.4.1.9.9.48.1.1.1.6.1|66|600\n1.3.6.1.4.1.9.9.48.1.1.1.5.2|66|99\n1.3.6.1.4.1.9.9.48.1.1.1.6.2|66|1\n\
                 1.3.6.1.4.1.9.9.13.1.3.1.2.5|4|SW#1\n1.3.6.1.4.1.9.9.13.1.3.1.3.5|66|44\n\
                 1.3.6.1.4.1.9.9.13.1.3.1.4.5|2|66\n1.3.6.1.4.1.9.9.13.1.3.1.6.5|2|1\n\
                 1.3.6.1.4.1.9.9.13.1.4.1.3.4|2|1\n1.3.6.1.4.1.9.9.13.1.5.1.2.3|4|PS1\n1.3.6.1.4.1.9.9.13.1.5.1.3.3|2|1\n";
    let ruijie = "1.3.6.1.4.1.4881.1.1.10.2.36.1.2.1.5.1|2|37\n1.3.6.1.4.1.4881.1.1.10.2.35.1.2.1.3.1|2|50\n\
                  1.3.6.1.4.1.4881.1.1.10.2.1.1.23.1.3.1|2|0\n1.3.6.1.4.1.4881.1.1.10.2.1.1.18.1.2.1|2|4\n\
                  1.3.6.1.4.1.4881.1.1.10.2.1.1.18.1.2.2|2|1\n1.3.6.1.4.1.4881.1.1.10.2.1.1.21.1.2.1|2|4\n\
                  1.3.6.1.4.1.4881.1.1.10.2.1.1.21.1.3.1|4|fan1\n";
    let tp_link = "1.3.6.1.4.1.11863.6.4.1.1.1.1.2.1|2|9\n1.3.6.1.4.1.11863.6.4.1.2.1.1.2.1|2|61\n\
                   1.3.6.1.4.1.11863.6.56.1.1.1.1.0|2|1920\n1.3.6.1.4.1.11863.6.56.1.1.1.3.0|2|410\n\
                   1.3.6.1.4.1.11863.6.56.1.1.2.1.1.7.1|2|66\n1.3.6.1.4.1.11863.6.56.1.1.2.1.1.11.1|2|2\n";
    let other = "1.3.6.1.2.1.25.3.3.1.2.1|2|30\n1.3.6.1.2.1.105.1.1.1.3.1.1|2|1\n1.3.6.1.2.1.105.1.1.1.6.1.1|2|3\n\
                 1.3.6.1.2.1.105.1.3.1.1.2.1|66|120\n1.3.6.1.2.1.105.1.3.1.1.3.1|2|1\n1.3.6.1.2.1.105.1.3.1.1.4.1|66|31\n\
                 1.3.6.1.2.1.47.1.1.1.1.5.4|2|8\n1.3.6.1.2.1.47.1.1.1.1.7.4|4|inlet\n1.3.6.1.2.1.99.1.1.1.1.4|2|8\n\
                 1.3.6.1.2.1.99.1.1.1.2.4|2|9\n1.3.6.1.2.1.99.1.1.1.3.4|2|1\n1.3.6.1.2.1.99.1.1.1.4.4|2|415\n\
                 1.3.6.1.2.1.99.1.1.1.5.4|2|1\n1.3.6.1.2.1.10.7.2.1.19.1|2|3\n";
    let rows = [
        ("huawei", HUAWEI, huawei, "", ""),
        ("huawei-cpu", HUAWEI, huawei, "1.3.6.1.4.1.2011.5.25.31.1.1.1.1.5.9|2|97\n", "switch_cpu_high"),
        (
            "huawei-memory",
            HUAWEI,
            huawei,
            "1.3.6.1.4.1.2011.5.25.31.1.1.1.1.7.9|2|98\n",
            "switch_memory_high",
        ),
        ("huawei-hot", HUAWEI, huawei, "1.3.6.1.4.1.2011.5.25.31.1.1.1.1.11.9|2|91\n", "temperature_high"),
        ("huawei-fan", HUAWEI, huawei, "1.3.6.1.4.1.2011.5.25.31.1.1.10.1.7.0.1|2|2\n", "fan_failed"),
        (
            "huawei-power",
            HUAWEI,
            huawei,
            "1.3.6.1.4.1.2011.5.25.31.1.1.18.1.6.0.1|2|2\n",
            "power_supply_failed",
        ),
        ("h3c", H3C, h3c, "", ""),
        ("h3c-cpu", H3C, h3c, "1.3.6.1.4.1.25506.2.6.1.1.1.1.6.2|2|99\n", "switch_cpu_high"),
        ("h3c-fan", H3C, h3c, "1.3.6.1.4.1.25506.8.35.9.1.1.1.2.1|2|2\n", "fan_failed"),
        ("h3c-power", H3C, h3c, "1.3.6.1.4.1.25506.8.35.9.1.2.1.2.1|2|2\n", "power_supply_failed"),
        ("cisco", CISCO, cisco, "", ""),
        ("cisco-memory", CISCO, cisco, "1.3.6.1.4.1.9.9.48.1.1.1.5.1|66|40000\n", "switch_memory_high"),
        ("cisco-hot", CISCO, cisco, "1.3.6.1.4.1.9.9.13.1.3.1.6.5|2|2\n", "temperature_high"),
        ("cisco-fan", CISCO, cisco, "1.3.6.1.4.1.9.9.13.1.4.1.3.4|2|6\n", "fan_failed"),
        ("cisco-power", CISCO, cisco, "1.3.6.1.4.1.9.9.13.1.5.1.3.3|2|3\n", "power_supply_failed"),
        ("ruijie", RUIJIE, ruijie, "", ""),
        (
            "ruijie-memory",
            RUIJIE,
            ruijie,
            "1.3.6.1.4.1.4881.1.1.10.2.35.1.2.1.3.1|2|97\n",
            "switch_memory_high",
        ),
        ("ruijie-fan", RUIJIE, ruijie, "1.3.6.1.4.1.4881.1.1.10.2.1.1.21.1.2.1|2|5\n", "fan_failed"),
        (
            "ruijie-power",
            RUIJIE,
            ruijie,
            "1.3.6.1.4.1.4881.1.1.10.2.1.1.18.1.2.1|2|2\n",
            "power_supply_failed",
        ),
        ("tp-link", TP_LINK, tp_link, "", ""),
        ("tp-link-short", TP_LINK, tp_link, "1.3.6.1.4.1.11863.6.56.1.1.2.1.1.11.1|2|4\n", "poe_port_fault"),
        ("tp-link-power", TP_LINK, tp_link, "1.3.6.1.4.1.11863.6.56.1.1.1.3.0|2|1890\n", "poe_budget_high"),
        ("other", OTHER, other, "", ""),
        ("other-feed", OTHER, other, "1.3.6.1.2.1.105.1.1.1.6.1.1|2|4\n", "poe_port_fault"),
        ("other-supply", OTHER, other, "1.3.6.1.2.1.105.1.3.1.1.3.1|2|3\n", "poe_supply_failed"),
        ("other-budget", OTHER, other, "1.3.6.1.2.1.105.1.3.1.1.4.1|66|119\n", "poe_budget_high"),
        ("other-hot", OTHER, other, "1.3.6.1.2.1.99.1.1.1.4.4|2|855\n", "temperature_high"),
        ("other-half", OTHER, other, "1.3.6.1.2.1.10.7.2.1.19.1|2|2\n", "port_half_duplex"),
    ];
    let texts: Vec<(&str, String)> = rows
        .iter()
        .map(|(name, object, rows, change, _)| (*name, recording(object, &format!("{rows}{change}"))))
        .collect();
    let files: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let server = Snmpsim::of(&files).await;
    for (name, .., wanted) in rows {
        let outcome = look(server.port, name, "").await;
        let wanted: Vec<&str> = if wanted.is_empty() { Vec::new() } else { vec![wanted] };
        assert_eq!(codes(&outcome), wanted, "{name}: {outcome:#?}");
        assert_eq!(outcome.state, if wanted.is_empty() { Good } else { Bad }, "{name}");
    }
    let well = look(server.port, "cisco", "").await;
    assert!(
        (value(&well, "memory_percent") - 40.0).abs() < 1e-9
            && (value(&well, "temperature_c") - 44.0).abs() < 1e-9
    );
    // What it lacks is unknown: no power over Ethernet, no duplex, and no counters.
    for code in ["poe_port_fault", "poe_budget_high", "port_half_duplex", "port_errors"] {
        assert!(well.blind.contains(&code), "{code}: {well:#?}");
    }
    let feed = look(server.port, "other-feed", "").await;
    assert_eq!(feed.faults[0].evidence["ports"], "GE0/0/1 (fault)");
    let up = look(server.port, "huawei", "up = [\"GE0/0/1\", \"GE0/0/24\"]").await;
    assert_eq!((codes(&up), &up.faults[0].evidence["ports"]), (vec!["port_down"], &"GE0/0/24".into()));
}

/// Switches of four makers as they were recorded. One Cisco says itself that it is too warm.
#[tokio::test]
async fn recordings_of_real_switches_are_what_they_say() {
    let recordings = [
        ("huawei", "network/router/huawei-s5720.snmprec.bz2", vec![]),
        ("h3c", "network/switch/h3c-e528-1.snmprec.bz2", vec![]),
        ("ruijie", "network/switch/ruijie-s5750-24gt12sfp.snmprec.bz2", vec![]),
        ("cisco", "network/switch/cisco-c3560.snmprec.bz2", vec!["temperature_high"]),
        ("cisco-cool", "network/switch/cisco-c3750.snmprec.bz2", vec![]),
    ];
    let files: Vec<(&str, &str)> = recordings.iter().map(|(name, path, _)| (*name, *path)).collect();
    let server = Snmpsim::start(&files).await;
    for (name, _, wanted) in recordings {
        let outcome = look(server.port, name, "").await;
        assert_eq!(codes(&outcome), wanted, "{name}: {outcome:#?}");
        assert!(value(&outcome, "ports") >= 10.0, "{name}: {outcome:#?}");
        assert!(
            value(&outcome, "cpu_percent") <= 100.0 && value(&outcome, "memory_percent") <= 100.0,
            "{name}"
        );
    }
}

/// A Linux box over version 3, twice: it has processors, memory and ports, and nothing is wrong with it.
#[tokio::test]
async fn net_snmp_is_read_by_the_standards_tables() {
    let agent = Snmpd::start().await;
    let device = device(&format!(
        "kind = \"switch\"\nport = {}\nversion = \"3\"\nuser = \"{}\"\nauth = \"sha256\"\nauth_password = \"{}\"\n\
         privacy = \"aes128\"\nprivacy_password = \"{}\"\nmax_cpu_percent = 100\nmax_memory_percent = 100",
        agent.port,
        Snmpd::USER,
        Snmpd::AUTH_PASSWORD,
        Snmpd::PRIVACY_PASSWORD
    ));
    let context = Context::new(Clock::system(), 8).unwrap();
    for _ in 0..2 {
        let outcome = probe::run(&device, &device.checks[0], &context).await;
        let codes: Vec<&str> =
            codes(&outcome).into_iter().filter(|code| *code != "switch_cpu_high").collect();
        assert_eq!(codes, Vec::<&str>::new(), "{outcome:#?}");
        assert_eq!(outcome.facts["name"], Snmpd::NAME);
        assert!((0.0..100.0).contains(&value(&outcome, "memory_percent")), "{outcome:#?}");
        assert!(value(&outcome, "uptime_s") >= 0.0);
        for code in ["fan_failed", "power_supply_failed", "poe_port_fault"] {
            assert!(outcome.blind.contains(&code), "{code}");
        }
    }
}
