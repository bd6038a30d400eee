//! What the technician sees: the program itself, its words, its JSON and its exit codes.

use std::process::{Output, Stdio};

use serde_json::Value;
use sitewarden_agent::clock::Clock;
use sitewarden_tests::binary;
use sitewarden_tests::field::isapi::Device;
use sitewarden_tests::peer::{IsapiPeer, Lighttpd, RtspServer, Snmpd, free_tcp_port};
use tokio::process::Command;

/// Probes the device described by `text` in a file `gate-cam.toml`.
async fn probe(text: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gate-cam.toml");
    std::fs::write(&file, text).unwrap();
    let program = tokio::task::spawn_blocking(|| binary("sitewarden-agent")).await.unwrap();
    Command::new(program)
        .args(["probe", "--device"])
        .arg(&file)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[tokio::test]
async fn a_healthy_device_is_ok_and_exits_with_0() {
    let (web, snmp) = (Lighttpd::start("MD5").await, Snmpd::start().await);
    let text = format!(
        "name = \"Gate camera\"\nclass = \"camera\"\naddress = \"127.0.0.1\"\n\
         [[check]]\nkind = \"http\"\nport = {}\n\
         [[check]]\nkind = \"snmp\"\nport = {}\ncommunity = \"{}\"\n",
        web.port,
        snmp.port,
        Snmpd::COMMUNITY
    );
    let output = probe(&text, &["--json"]).await;
    let found = json(&output);
    assert_eq!(output.status.code(), Some(0), "{found:#}");
    assert_eq!((&found["device"], &found["state"]), (&"gate-cam".into(), &"ok".into()));
    assert_eq!(found["faults"], Value::Array(Vec::new()));
    assert_eq!(found["outcomes"][0]["check"], "http");
    assert_eq!(found["outcomes"][0]["values"]["status"], 200.0);
    assert_eq!(found["outcomes"][1]["state"], "good");
    assert_eq!(found["outcomes"][1]["facts"]["sysName"], Snmpd::NAME);
    assert!(found["outcomes"][1]["elapsed_ms"].is_u64());
}

#[tokio::test]
async fn half_a_device_is_degraded_and_a_dead_one_down_with_one_fault() {
    let web = Lighttpd::start("MD5").await;
    let closed = free_tcp_port();
    let half = format!(
        "address = \"127.0.0.1\"\n[[check]]\nkind = \"http\"\nport = {}\n[[check]]\nkind = \"tcp\"\nport = {closed}\n",
        web.port
    );
    let output = probe(&half, &["--json"]).await;
    let found = json(&output);
    assert_eq!((output.status.code(), &found["state"]), (Some(1), &"degraded".into()));
    assert_eq!(found["faults"][0]["code"], "port_closed");
    assert_eq!(found["faults"][0]["severity"], "major");
    assert_eq!(found["faults"][0]["evidence"]["reason"], "refused");

    let dead = format!("address = \"127.0.0.1\"\n[[check]]\nkind = \"tcp\"\nport = {closed}\n");
    let output = probe(&dead, &["--json"]).await;
    let found = json(&output);
    assert_eq!((output.status.code(), &found["state"]), (Some(1), &"down".into()));
    assert_eq!(found["faults"].as_array().unwrap().len(), 1);
    assert_eq!(found["faults"][0]["code"], "unreachable");
}

#[tokio::test]
async fn a_rejected_password_leaves_the_state_unknown_and_is_told_in_both_languages() {
    let web = Lighttpd::start("MD5").await;
    let text = format!(
        "address = \"127.0.0.1\"\n[[check]]\nkind = \"http\"\nport = {}\npath = \"/private/index.html\"\n\
         auth = \"digest\"\nuser = \"monitor\"\npassword = \"not-this-one\"\n",
        web.port
    );
    for (lang, word) in [("en", "unknown"), ("zh", "未知")] {
        let output = probe(&text, &["--lang", lang]).await;
        let table = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(2), "{table}");
        assert!(table.contains(word) && table.contains("http_auth_rejected"), "{table}");
        assert!(!table.contains("not-this-one"), "the password is in the table:\n{table}");
    }
}

#[tokio::test]
async fn a_bad_file_is_answered_with_line_key_and_remedy() {
    let output = probe("address = \"127.0.0.1\"\n[[check]]\nkind = \"http\"\nprot = 80\n", &[]).await;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(64), "{words}");
    assert!(words.contains("gate-cam.toml") && words.contains('4') && words.contains("prot"), "{words}");
    assert!(output.stdout.is_empty());
}

#[tokio::test]
async fn a_camera_of_a_few_lines_is_asked_by_its_usual_checks_and_breaks_and_heals() {
    let (web, stream) = tokio::join!(IsapiPeer::start("MD5"), RtspServer::start("digest"));
    let folder = tempfile::tempdir().unwrap();
    let sets = folder.path().join("credentials.toml");
    let login = format!("user = \"{}\"\npassword = \"{}\"\n", Lighttpd::USER, Lighttpd::PASSWORD);
    std::fs::write(&sets, format!("[credentials.cameras]\n{login}")).unwrap();
    // The peers listen on ports of their own, and show no picture.
    let text = format!(
        "name = \"Gate camera\"\nclass = \"camera\"\nmaker = \"hikvision\"\naddress = \"127.0.0.1\"\n\
         credentials = \"cameras\"\n[[check]]\nname = \"isapi\"\nport = {}\n\
         [[check]]\nname = \"rtsp\"\nport = {}\npath = \"/live\"\n[[check]]\nname = \"picture\"\noff = true\n",
        web.port(),
        stream.port
    );
    let arguments = ["--json", "--credentials", sets.to_str().unwrap()];
    let well = Device::camera(Clock::system().now());
    let wrong = Device { ahead_s: 400, ..well.clone() };
    for (device, code, state) in [(&well, 0, "ok"), (&wrong, 1, "degraded"), (&well, 0, "ok")] {
        web.show(&device.bodies(Clock::system().now()));
        let output = probe(&text, &arguments).await;
        let found = json(&output);
        assert_eq!((output.status.code(), &found["state"]), (Some(code), &state.into()), "{found:#}");
        let checks: Vec<&Value> =
            found["outcomes"].as_array().unwrap().iter().map(|outcome| &outcome["check"]).collect();
        assert_eq!(checks, ["icmp", "isapi", "rtsp"], "{found:#}");
        if code == 1 {
            assert_eq!(found["faults"][0]["code"], "clock_offset", "{found:#}");
        }
    }
    // Without its credentials it is refused by name, before anything is asked.
    let output = probe(&text, &[]).await;
    assert_eq!(output.status.code(), Some(64));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("gate-cam.toml:5") && said.contains("[credentials.cameras]"), "{said}");
}
