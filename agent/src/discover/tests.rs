//! What real devices let everybody see, and what is made of it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use sitewarden_proto::wire::{Neighbour, SwitchPort, SwitchView};

use super::*;
use crate::config::Config;

fn snmp(object: &str, descr: &str, services: u32) -> Hints {
    Hints {
        sys_object: format!("1.3.6.1.4.1.{object}"),
        sys_descr: descr.to_owned(),
        sys_services: services,
        ..Hints::default()
    }
}

fn onvif(name: &str, hardware: &str) -> Hints {
    let (name, hardware) = (name.to_owned(), hardware.to_owned());
    let types = "dn:NetworkVideoTransmitter tds:Device".to_owned();
    Hints { discovery: Discovery { types, name, hardware, ..Discovery::default() }, ..Hints::default() }
}

fn served(head: &str) -> Hints {
    Hints { web: web(head.as_bytes()), ..Hints::default() }
}

#[track_caller]
fn is(hints: &Hints, maker: &str, class: &str, model: &str, certainty: Certainty) {
    let said = identify(hints);
    let told = (said.maker, said.class, said.model.as_str(), said.certainty);
    assert_eq!(told, (maker, class, model, certainty), "{said:#?}");
    assert!(said.certainty == Certainty::None || !said.why.is_empty(), "{said:#?}");
}

#[test]
fn cameras_and_recorders_are_known_by_what_they_say() {
    is(
        &onvif("HIKVISION DS-2CD2143G0-I", "DS-2CD2143G0-I"),
        "hikvision",
        "camera",
        "DS-2CD2143G0-I",
        Certainty::Certain,
    );
    is(
        &onvif("HIKVISION DS-7616NI-K2", "DS-7616NI-K2"),
        "hikvision",
        "nvr",
        "DS-7616NI-K2",
        Certainty::Certain,
    );
    is(&onvif("Dahua", "IPC-HFW2431S-S-S2"), "dahua", "camera", "IPC-HFW2431S-S-S2", Certainty::Certain);
    is(&onvif("Dahua", "DHI-NVR4216-16P-4KS2"), "dahua", "nvr", "DHI-NVR4216-16P-4KS2", Certainty::Certain);
    is(&onvif("UNIVIEW", "IPC2122LB-SF28-A"), "uniview", "camera", "IPC2122LB-SF28-A", Certainty::Certain);
    is(&onvif("UNIVIEW", "NVR301-08X"), "uniview", "nvr", "NVR301-08X", Certainty::Certain);
    is(&onvif("AXIS M3045-V", "M3045-V"), "axis", "camera", "M3045-V", Certainty::Certain);
    // The web page alone.
    let page = "HTTP/1.1 401 Unauthorized\r\nServer: App-webs/\r\nWWW-Authenticate: Digest realm=\"IP Camera(C1234)\"\r\n\r\n";
    is(&served(page), "hikvision", "camera", "", Certainty::Likely);
    let recorder = "HTTP/1.1 401 Unauthorized\r\nServer: DNVRS-Webs\r\nWWW-Authenticate: Digest realm=\"Embedded Net DVR\"\r\n\r\n";
    is(&served(recorder), "hikvision", "nvr", "", Certainty::Likely);
    let login = "RTSP/1.0 401 Unauthorized\r\nServer: Rtsp Server/3.0\r\nWWW-Authenticate: Digest realm=\"Login to 4E0123PAZ\"\r\n\r\n";
    let dahua = Hints { rtsp: web(login.as_bytes()), open: vec![554, 37777], ..Hints::default() };
    is(&dahua, "dahua", "camera", "", Certainty::Guess);
    let axis = Hints {
        certificate: "CN=axis-accc8e012345, O=Axis Communications AB".into(),
        open: vec![443, 554],
        ..Hints::default()
    };
    is(&axis, "axis", "camera", "", Certainty::Guess);
    // A camera of nobody that we know, and an address alone.
    is(&onvif("Nobody", "X-1"), "", "camera", "X-1", Certainty::Guess);
    let address = Hints { mac: Some([0x44, 0x19, 0xb6, 1, 2, 3]), ..Hints::default() };
    is(&address, "hikvision", "other", "", Certainty::Guess);
}

#[test]
fn switches_power_supplies_and_doors_are_known_by_what_they_say() {
    is(
        &snmp("2011.2.23.276", "S5720-28P-PWR-LI-AC Huawei Versatile Routing Platform Software", 78),
        "huawei",
        "switch",
        "S5720-28P-PWR-LI-AC",
        Certainty::Certain,
    );
    is(
        &snmp("25506.1.578", "H3C Comware Platform Software, Software Version 5.20 H3C S5120-28P-SI", 78),
        "h3c",
        "switch",
        "S5120-28P-SI",
        Certainty::Certain,
    );
    is(
        &snmp("9.1.617", "Cisco IOS Software, C3560 Software (C3560-IPBASE-M), Version 12.2(35)SE5", 6),
        "cisco",
        "switch",
        "",
        Certainty::Certain,
    );
    is(
        &snmp(
            "4881.1.1.10.1.41",
            "Ruijie Gigabit Security & Intelligence Access Switch (S2928G-E) By Ruijie Network",
            7,
        ),
        "ruijie",
        "switch",
        "S2928G-E",
        Certainty::Certain,
    );
    is(
        &snmp("11863.5.86", "JetStream 24-Port Gigabit L2 Managed Switch", 3),
        "tplink",
        "switch",
        "",
        Certainty::Certain,
    );
    // A router of the same maker is no switch.
    is(&snmp("9.1.577", "Cisco IOS Software, 2801 Software", 4), "cisco", "other", "", Certainty::Guess);
    is(
        &snmp("318.1.3.27", "APC Web/SNMP Management Card (MB:v3.9.2 PF:v3.7.4)", 72),
        "apc",
        "ups",
        "",
        Certainty::Certain,
    );
    is(&Hints { is_upsd: true, open: vec![3493], ..Hints::default() }, "nut", "ups", "", Certainty::Certain);
    is(
        &Hints { mac: Some([0, 0x17, 0x61, 1, 2, 3]), open: vec![4370], ..Hints::default() },
        "zkteco",
        "access",
        "",
        Certainty::Likely,
    );
    is(&onvif("HIKVISION DS-K1T671M", "DS-K1T671M"), "hikvision", "access", "DS-K1T671M", Certainty::Certain);
}

#[test]
fn printers_and_strangers_are_not_proposed() {
    let printer =
        snmp("11.2.3.9.1", "HP ETHERNET MULTI-ENVIRONMENT,ROM none,JETDIRECT,JD153,EEPROM JSI24090012", 64);
    let brother = snmp("2435.2.3.9.1", "Brother NC-8300h, Firmware Ver.1.05", 72);
    let page = served(
        "HTTP/1.1 200 OK\r\nServer: HP HTTP Server; HP LaserJet 400\r\n\r\n<title>HP LaserJet 400</title>",
    );
    let computer = served("HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\n<title>Welcome to nginx!</title>");
    for (hints, noise) in
        [(printer, true), (brother, true), (page, true), (computer, false), (Hints::default(), false)]
    {
        let all = proposals(&BTreeMap::from([("192.0.2.9".parse().unwrap(), hints)]), &BTreeMap::new());
        assert_eq!((all[0].identity.is_noise, all[0].is_worth()), (noise, false), "{all:#?}");
        assert!(file(&all).lines().all(|line| line.is_empty() || line.starts_with('#')), "{}", file(&all));
    }
}

#[test]
fn what_is_proposed_is_a_file_that_the_agent_takes() {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let evil = "\"]\n[[device]] \u{7} '''";
    let seen = BTreeMap::from([
        (ip("192.0.2.1"), snmp("2011.2.23.276", "S5720-28P Huawei", 78)),
        (ip("192.0.2.2"), onvif("HIKVISION", "DS-2CD2143G0-I")),
        (ip("192.0.2.3"), onvif("HIKVISION", &hints::tame(&format!("DS-2CD{evil}")))),
        (ip("192.0.2.4"), Hints::default()),
    ]);
    let mac = vec![0x44, 0x19, 0xb6, 1, 2, 3];
    let port = |macs: Vec<Vec<u8>>, is_trunk| SwitchPort { macs, is_trunk, ..SwitchPort::default() };
    let view = SwitchView {
        ports: vec![port(vec![mac.clone(), vec![0; 6], vec![1; 6]], true), port(vec![mac.clone()], false)],
        arp: vec![Neighbour { address: "192.0.2.2".into(), mac }],
        ..SwitchView::default()
    };
    let all = proposals(&seen, &BTreeMap::from([(ip("192.0.2.1"), view)]));
    assert_eq!(all[1].parent, Some(ip("192.0.2.1")), "{:#?}", all[1]);
    let text = file(&all);
    let config = Config::parse(&format!("data_dir = \"/d\"\n{text}"), "found.toml");
    let config = config.unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(config.devices.len(), 3, "{text}");
    assert_eq!(
        config.devices[1].parent.as_ref().map(sitewarden_proto::id::DeviceId::as_str),
        Some("switch-192-0-2-1")
    );
    assert_eq!(list(&all)[1]["checks"], serde_json::json!(["icmp", "isapi", "rtsp", "picture"]));
    // Filled in as it says, the login serves.
    let filled = text.replace("# credentials = \"login\" ", "credentials = \"login\" ");
    let sets = "data_dir = \"/d\"\n[credentials.login]\nuser = \"u\"\npassword = \"p\"\n";
    let config = Config::parse(&format!("{sets}{filled}"), "found.toml").unwrap();
    assert_eq!(config.devices[1].checks.len(), 4, "{filled}");
}

#[test]
fn a_network_that_is_too_wide_is_refused_with_a_remedy() {
    let wish = Wish {
        net: "10.0.0.0/19".into(),
        snmp: None,
        rate: 100,
        limit: Duration::from_secs(1),
        ports: Ports::default(),
    };
    let waiting = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = waiting.block_on(look(&wish, &Found::default())).unwrap_err();
    assert!(error.to_string().contains("a /20"), "{error}");
}
