//! The files that operators copy: each is read by the parser of the program it is for.

use std::path::PathBuf;

fn deploy(path: &str) -> (PathBuf, String) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    (path, text)
}

#[test]
fn the_example_of_the_servers_file_is_accepted() {
    let (path, _) = deploy("examples/server.toml");
    let config = sitewarden_server::config::Config::read(&path).unwrap();
    assert_eq!(config.public_url(), "https://watch.example.com");
    assert_eq!(config.mqtt_host(), "watch.example.com");
}

#[test]
fn the_example_of_the_agents_file_is_accepted() {
    let (path, _) = deploy("examples/agent.toml");
    let config = sitewarden_agent::config::Config::load(&path).unwrap();
    assert_eq!(config.data_dir, PathBuf::from("/var/lib/sitewarden-agent"));
}

#[test]
fn the_example_of_a_switch_is_accepted_by_both_ends() {
    let (_, text) = deploy("examples/switch.toml");
    assert_eq!(sitewarden_server::device::parse_checks(&text).unwrap().len(), 3);
    assert!(sitewarden_server::remedy::rights(&text).snmp);
    let device = format!("address = \"10.20.7.2\"\nclass = \"switch\"\n{text}");
    let device = sitewarden_agent::config::parse_device(&device, "switch.toml", "sw-1").unwrap();
    assert!(device.remedy.snmp.is_some());
}

#[test]
fn the_example_of_a_camera_is_accepted_by_both_ends() {
    let (path, text) = deploy("examples/camera.toml");
    let device = sitewarden_agent::config::read_device_file(&path).unwrap();
    assert_eq!(
        device.checks.iter().map(|check| check.kind.word()).collect::<Vec<_>>(),
        ["icmp", "rtsp", "picture"]
    );
    let (_, checks) = text.split_once("\n\n").unwrap();
    assert_eq!(sitewarden_server::device::parse_checks(checks).unwrap().len(), 3);
}

#[test]
fn the_example_of_a_recorder_is_accepted_by_both_ends() {
    let (path, text) = deploy("examples/recorder.toml");
    let device = sitewarden_agent::config::read_device_file(&path).unwrap();
    assert_eq!(device.checks.iter().map(|check| check.kind.word()).collect::<Vec<_>>(), ["icmp", "isapi"]);
    let (_, checks) = text.split_once("\n\n").unwrap();
    assert_eq!(sitewarden_server::device::parse_checks(checks).unwrap().len(), 2);
}

#[test]
fn the_example_of_a_calendar_is_accepted_and_knows_the_notices() {
    let (_, text) = deploy("examples/office.toml");
    let office = sitewarden_server::calendar::file::read(&text).unwrap();
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    // The Saturday before the Spring Festival is worked, the Saturday after it is free.
    assert!(office.is_working(at("2026-02-14T09:00:00+08:00")));
    assert!(!office.is_working(at("2026-02-21T09:00:00+08:00")));
}

#[test]
fn the_units_start_the_programs_with_the_files_of_the_guide() {
    let (_, guide) = deploy("README.md");
    for (unit, start) in [
        ("sitewarden.service", "/usr/bin/sitewarden serve --config /etc/sitewarden/server.toml"),
        ("sitewarden-agent.service", "/usr/bin/sitewarden-agent run --config /etc/sitewarden/agent.toml"),
    ] {
        let (_, text) = deploy(&format!("systemd/{unit}"));
        assert!(text.contains(&format!("ExecStart={start}\n")), "{unit}");
        assert!(text.contains("NoNewPrivileges=yes\n") && text.contains("ProtectSystem=strict\n"), "{unit}");
        assert!(text.contains("Type=notify\n") && text.contains("\nRestart="), "{unit}");
        assert!(text.contains("\nWatchdogSec="), "{unit}");
        assert!(guide.contains(unit), "the guide does not speak of {unit}");
    }
}
