//! SNMP against Net-SNMP's agent, which is strict, and against recordings of devices, which are odd.

use sitewarden_agent::probe::OutcomeState::{Good, Rejected, Silent};
use sitewarden_tests::peer::{Snmpd, Snmpsim};

use super::{codes, run, text, value};

/// A check of that snmpd by a version 3 user with these passwords.
fn v3(agent: &Snmpd, user: &str, auth_password: &str, privacy_password: &str) -> String {
    format!(
        "kind = \"snmp\"\nport = {}\ntimeout = \"4s\"\nversion = \"3\"\nuser = \"{user}\"\nauth = \"sha256\"\n\
         auth_password = \"{auth_password}\"\nprivacy = \"aes128\"\nprivacy_password = \"{privacy_password}\"",
        agent.port
    )
}

fn v2c(port: u16, community: &str) -> String {
    format!("kind = \"snmp\"\nport = {port}\ntimeout = \"4s\"\nversion = \"2c\"\ncommunity = \"{community}\"")
}

#[tokio::test]
async fn every_version_reads_the_system_group_and_the_ports() {
    let agent = Snmpd::start().await;
    let v1 = v2c(agent.port, Snmpd::COMMUNITY).replace("\"2c\"", "\"1\"");
    let v2c = v2c(agent.port, Snmpd::COMMUNITY);
    let v3 = v3(&agent, Snmpd::USER, Snmpd::AUTH_PASSWORD, Snmpd::PRIVACY_PASSWORD);
    for check in [v1, v2c, v3] {
        let outcome = run(&check).await;
        assert_eq!(outcome.state, Good, "{check}\n{outcome:#?}");
        assert_eq!(outcome.facts["sysName"], Snmpd::NAME);
        assert!(outcome.facts["sysDescr"].starts_with("Linux"), "{outcome:#?}");
        assert!(value(&outcome, "uptime_s") >= 0.0);
        // Every machine has a loopback, and it is up.
        assert!((value(&outcome, "ifOperStatus.1") - 1.0).abs() < f64::EPSILON, "{outcome:#?}");
        assert_eq!(outcome.facts["ifDescr.1"], "lo");
    }
}

#[tokio::test]
async fn authentication_without_encryption_is_enough_for_a_user_who_may() {
    let agent = Snmpd::start().await;
    let check = format!(
        "kind = \"snmp\"\nport = {}\nversion = \"3\"\nuser = \"{}\"\nauth = \"sha1\"\nauth_password = \"{}\"",
        agent.port,
        Snmpd::SIGNER,
        Snmpd::AUTH_PASSWORD
    );
    assert_eq!(run(&check).await.state, Good);
}

#[tokio::test]
async fn the_four_ways_to_be_turned_away_are_told_apart() {
    let agent = Snmpd::start().await;
    let right = (Snmpd::USER, Snmpd::AUTH_PASSWORD, Snmpd::PRIVACY_PASSWORD);
    for (code, user, auth, privacy) in [
        ("snmp_unknown_user", "nobody", right.1, right.2),
        ("snmp_wrong_key", right.0, "not-the-password", right.2),
        ("snmp_wrong_privacy_key", right.0, right.1, "not-the-password"),
        ("snmp_unsupported_level", Snmpd::SIGNER, right.1, right.2),
    ] {
        let mut check = v3(&agent, user, auth, privacy);
        if user == Snmpd::SIGNER {
            check = check.replace("sha256", "sha1");
        }
        let outcome = run(&check).await;
        assert_eq!(codes(&outcome), [code], "{outcome:#?}");
        assert_eq!(outcome.state, Rejected);
    }
}

#[tokio::test]
async fn too_low_a_level_is_not_called_a_wrong_password() {
    let agent = Snmpd::start().await;
    let check = format!(
        "kind = \"snmp\"\nport = {}\nversion = \"3\"\nuser = \"{}\"\nauth = \"sha256\"\nauth_password = \"{}\"",
        agent.port,
        Snmpd::USER,
        Snmpd::AUTH_PASSWORD
    );
    assert_eq!(codes(&run(&check).await), ["snmp_unsupported_level"]);
}

#[tokio::test]
async fn a_wrong_community_is_silence_with_a_hint() {
    let agent = Snmpd::start().await;
    let outcome = run(&v2c(agent.port, "wrong").replace("4s", "1s")).await;
    assert_eq!((outcome.state, codes(&outcome)), (Silent, vec!["snmp_silent"]));
    assert!(text(&outcome).contains("community is wrong"), "{outcome:#?}");
}

#[tokio::test]
async fn an_agent_that_dies_falls_silent_and_comes_back() {
    let mut agent = Snmpd::start().await;
    let check = v3(&agent, Snmpd::USER, Snmpd::AUTH_PASSWORD, Snmpd::PRIVACY_PASSWORD).replace("4s", "2s");
    agent.kill();
    let outcome = run(&check).await;
    assert_eq!((outcome.state, codes(&outcome)), (Silent, vec!["snmp_silent"]));
    agent.start_again().await;
    assert_eq!(run(&check).await.state, Good);
}

#[tokio::test]
async fn a_walk_takes_its_rows_and_stops_at_its_bound() {
    let player = Snmpsim::start(&[("huawei", "network/router/huawei-s5720.snmprec.bz2")]).await;
    let check = v2c(player.port, "huawei").replace("4s", "30s");
    let ports =
        run(&format!("{check}\nget = [\"1.3.6.1.2.1.1.5.0\"]\nwalk = [\"1.3.6.1.2.1.2.2.1.8\"]")).await;
    assert_eq!(ports.state, Good, "{ports:#?}");
    assert_eq!(ports.facts["sysName"], "DUMSYS-05");
    assert!((value(&ports, "rows.1.3.6.1.2.1.2.2.1.8") - 39.0).abs() < f64::EPSILON, "{ports:#?}");

    // The whole recording has 28,128 rows.
    let everything = run(&format!("{check}\nwalk = [\"1.3.6.1\"]")).await;
    assert!((value(&everything, "rows.1.3.6.1") - 256.0).abs() < f64::EPSILON, "{everything:#?}");
    assert!(everything.facts.contains_key("walk_truncated.1.3.6.1"), "{everything:#?}");
}

#[tokio::test]
async fn a_camera_without_a_system_group_is_alive_all_the_same() {
    let player = Snmpsim::start(&[("hikvision", "camera/hikvision.snmprec.bz2")]).await;
    let plain = run(&v2c(player.port, "hikvision")).await;
    assert_eq!(plain.state, Good, "{plain:#?}");
    assert!(!plain.facts.contains_key("sysDescr"));

    let own = format!("{}\nget = [\"1.3.6.1.4.1.39165.1.1.0\"]\nwalk = []", v2c(player.port, "hikvision"));
    let own = run(&own).await;
    assert!(own.facts["1.3.6.1.4.1.39165.1.1.0"].starts_with("DS-2CD"), "{own:#?}");

    // Version 1 has no "no such object" within an answer; the objects are asked for one by one.
    let old = run(&v2c(player.port, "hikvision").replace("\"2c\"", "\"1\"")).await;
    assert_eq!(old.state, Good, "{old:#?}");
}
