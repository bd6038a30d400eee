//! The file's format by example: what is read, and what a mistake is told.

use super::*;

#[test]
fn a_device_file_is_read_whole() {
    let text = r#"
name = "Gate camera 3"
class = "camera"
address = "10.20.7.11"
parent = "sw-1"
[[check]]
kind = "icmp"
every = "10s"
timeout = "1500ms"
[[check]]
kind = "http"
name = "web"
tls = true
auth = "digest"
user = "u"
password = "hunter2"
confirm = "1/1"
clear = 1
[[check]]
kind = "snmp"
version = "3"
user = "m"
auth = "sha256"
auth_password = "12345678"
privacy = "aes128"
privacy_password = "12345678"
get = [".1.3.6.1.2.1.1.3.0"]
"#;
    let device = parse_device(text, "cam-3.toml", "cam-3").unwrap();
    assert_eq!(device.id.as_str(), "cam-3");
    assert_eq!(device.class, Class::Camera);
    assert_eq!(device.checks[0].timeout, Duration::from_millis(1500));
    assert_eq!(device.checks[0].confirm, Confirm { bad: 2, of: 3 });
    let Kind::Http(http) = &device.find_check("web").unwrap().kind else { panic!("not http") };
    assert_eq!((http.port, http.expect_status), (443, 200));
    let Kind::Snmp(snmp) = &device.find_check("snmp").unwrap().kind else { panic!("not snmp") };
    assert_eq!(snmp.get, ["1.3.6.1.2.1.1.3.0"]);
    assert_eq!(snmp.walk.len(), 3);
    assert!(!format!("{device:?}").contains("hunter2"), "a secret shows itself");
}

#[test]
fn inline_checks_serve_too() {
    let text = "address = \"h.example\"\ncheck = [{ kind = \"icmp\" }, { kind = \"tcp\", port = 22 }]\n";
    assert_eq!(parse_device(text, "f", "d").unwrap().checks.len(), 2);
}

#[track_caller]
fn complaint(text: &str, line: usize, words: &[&str]) {
    let error = parse_device(text, "f.toml", "d").unwrap_err();
    let shown = error.to_string();
    assert_eq!(error.line, line, "{shown}");
    for word in words {
        assert!(shown.contains(word), "{word:?} is not in: {shown}");
    }
}

#[test]
fn a_mistake_is_told_with_line_key_and_remedy() {
    complaint("address = \"h\"\n[[check]]\nkind = \"tcp\"\nprot = 5\n", 2, &["`port`", "port = 554"]);
    complaint(
        "address = \"h\"\n[[check]]\nkind = \"icmp\"\ncuont = 5\n",
        4,
        &["`cuont`", "Did you mean `count`?"],
    );
    complaint(
        "address = \"h\"\n[[check]]\nkind = \"icmp\"\nport = 5\n",
        4,
        &["`port`", "a check of kind icmp takes: kind, count"],
    );
    complaint("address = \"h\"\n[[check]]\nkind = \"pnig\"\n", 3, &["`kind`", "icmp, tcp"]);
    complaint("address = \"h\"\n[[check]]\nkind = \"icmp\"\nevery = \"soon\"\n", 4, &["`every`", "\"30s\""]);
    complaint(
        "address = \"h\"\n[[check]]\nkind = \"icmp\"\nevery = 30\n",
        4,
        &["`every`", "integer", "every = \"30s\""],
    );
    complaint("address = \"h\"\n[[check]]\nkind = \"icmp\"\nconfirm = \"3/2\"\n", 4, &["`confirm`", "N/M"]);
    complaint("address = \"h\"\n[[check]]\nkind = \"icmp\"\nflap = 61\n", 4, &["`flap`", "from 0 to 60"]);
    complaint("address = \"h\"\n[[check]]\nkind = \"icmp\"\nflap = 1\n", 2, &["`flap = 1`", "flap = 0"]);
    complaint("address = \"h\"\n[[check]]\nkind = \"icmp\"\ncount = 0\n", 4, &["`count`", "from 1 to 20"]);
    complaint("address = \"http://h/\"\n[[check]]\nkind = \"icmp\"\n", 1, &["`address`", "without scheme"]);
    complaint("addres = \"h\"\n", 1, &["`address` is missing"]);
    complaint("address = \"h\"\n", 1, &["0 checks", "[[check]]"]);
    complaint(
        "address = \"h\"\n[[check]]\nkind = \"icmp\"\n[[check]]\nkind = \"icmp\"\n",
        4,
        &["twice", "`name`"],
    );
    complaint("address = \"h\"\nclass = \"toaster\"\n", 2, &["`class`", "camera, nvr"]);
    complaint("address = \"h\nclass = 1\n", 1, &["not TOML"]);
    complaint(
        "address = \"h\"\n[[check]]\nkind = \"snmp\"\nversion = \"3\"\nuser = \"u\"\nauth = \"md5\"\nauth_password = \"s3cret\"\n",
        7,
        &["`auth_password`", "8"],
    );
    complaint(
        "address = \"h\"\n[[check]]\nkind = \"snmp\"\nget = [\"sysUpTime\"]\n",
        4,
        &["`get`", "dotted numbers"],
    );
}

#[test]
fn an_error_never_holds_a_secret() {
    let text = "address = \"h\"\n[[check]]\nkind = \"snmp\"\nversion = \"3\"\nuser = \"u\"\nauth = \"md5\"\nauth_password = \"s3cret\"\n";
    assert!(!parse_device(text, "f", "d").unwrap_err().to_string().contains("s3cret"));
}

#[test]
fn devices_are_checked_against_each_other() {
    let one = |id: &str, parent: &str| {
        let parent = if parent.is_empty() { String::new() } else { format!("parent = \"{parent}\"\n") };
        format!("[[device]]\nid = \"{id}\"\naddress = \"h\"\n{parent}check = [{{ kind = \"icmp\" }}]\n")
    };
    let of = |parts: &[String]| parse_devices(&parts.concat(), "f");
    assert_eq!(of(&[one("a", ""), one("b", "a")]).unwrap().len(), 2);
    assert!(of(&[one("a", ""), one("a", "")]).unwrap_err().to_string().contains("twice"));
    let missing = of(&[one("a", ""), one("b", "c")]).unwrap_err();
    assert!(missing.to_string().contains("no device here") && missing.line == 5, "{missing}");
    assert!(of(&[one("a", "b"), one("b", "a")]).unwrap_err().to_string().contains("back to itself"));
    assert!(of(&[one("a", "a")]).unwrap_err().to_string().contains("back to itself"));
    assert_eq!(of(&[]).unwrap(), []);
}

#[test]
fn the_agents_file_is_read() {
    let text = "data_dir = \"/d\"\nheartbeat = \"10s\"\n[queue]\nmax_mib = 2\n[[device]]\nid = \"a\"\naddress = \"h\"\n[[device.check]]\nkind = \"icmp\"\n";
    let config = Config::parse(text, "f").unwrap();
    assert_eq!(config.queue, Queue { max_age: Duration::from_hours(7 * 24), max_bytes: 2 << 20 });
    assert_eq!(config.heartbeat, Some(Duration::from_secs(10)));
    assert_eq!(config.devices.len(), 1);
    let error = Config::parse("data_dir = \"/d\"\n[queue]\nmax_days = 0\n", "f").unwrap_err();
    assert_eq!(error.line, 3);
    let error = Config::parse("data_dir = \"/d\"\nbroker = \"x\"\n", "f").unwrap_err();
    assert!(error.to_string().contains("`broker` is not a key of the agent's file"), "{error}");
    assert!(Config::parse("", "f").unwrap_err().to_string().contains("`data_dir` is missing"));
}

const SETS: &str = "data_dir = \"/d\"\n[credentials.cams]\nuser = \"viewer\"\npassword = \"hunter2\"\n\
                    [credentials.net]\ncommunity = \"reads\"\n";

fn local(device: &str) -> Result<Device, Error> {
    Config::parse(&format!("{SETS}[[device]]\nid = \"d\"\naddress = \"h\"\n{device}"), "f")
        .map(|mut config| config.devices.remove(0))
}

fn names(device: &Device) -> Vec<&str> {
    device.checks.iter().map(|check| check.name.as_str()).collect()
}

#[test]
fn a_few_lines_are_a_device_with_its_usual_checks() {
    let device = local("class = \"camera\"\nmaker = \"hikvision\"\ncredentials = \"cams\"\n").unwrap();
    assert_eq!(names(&device), ["icmp", "isapi", "rtsp", "picture"]);
    let Kind::Rtsp(rtsp) = &device.find_check("rtsp").unwrap().kind else { panic!("not rtsp") };
    assert_eq!(rtsp.path, "/Streaming/Channels/102");
    assert_eq!(
        rtsp.login.as_ref().map(|(user, word)| (user.as_str(), word.reveal())),
        Some(("viewer", "hunter2"))
    );
    let switch = local("class = \"switch\"\ncredentials = [\"cams\", \"net\"]\n").unwrap();
    assert_eq!(names(&switch), ["icmp", "switch", "topology"]);
    let Kind::Topology(snmp) = &switch.checks[2].kind else { panic!("not topology") };
    assert!(matches!(&snmp.security, Security::V2c { community } if community.reveal() == "reads"));
    // Without credentials it is watched as far as that goes, and says so.
    let bare = local("class = \"camera\"\nmaker = \"axis\"\n").unwrap();
    assert_eq!((names(&bare), bare.left_out.len()), (vec!["icmp", "onvif"], 2));
    assert_eq!(names(&parse_device("address = \"h\"\nclass = \"phone\"\n", "f", "d").unwrap()), ["icmp"]);
}

#[test]
fn what_is_written_goes_before_what_is_usual() {
    let text = "class = \"camera\"\nmaker = \"hikvision\"\ncredentials = \"cams\"\n\
                [[device.check]]\nname = \"icmp\"\nevery = \"10s\"\n\
                [[device.check]]\nname = \"picture\"\noff = true\n\
                [[device.check]]\nkind = \"rtsp\"\npath = \"/live\"\n\
                [[device.check]]\nkind = \"isapi\"\nname = \"second\"\nuser = \"u\"\npassword = \"own\"\n";
    let device = local(text).unwrap();
    assert_eq!(names(&device), ["icmp", "isapi", "rtsp", "second"]);
    assert_eq!(device.checks[0].every, Duration::from_secs(10));
    let Kind::Rtsp(rtsp) = &device.checks[2].kind else { panic!("not rtsp") };
    assert!(rtsp.path == "/live" && rtsp.login.is_some(), "{rtsp:?}");
    let Kind::Isapi(own) = &device.checks[3].kind else { panic!("not isapi") };
    assert!(matches!(&own.auth, HttpAuth::Digest { user, .. } if user == "u"), "{own:?}");
    // Checks alone are all the checks, as ever.
    let plain = local("class = \"camera\"\n[[device.check]]\nkind = \"icmp\"\n").unwrap();
    assert_eq!(names(&plain), ["icmp"]);
}

#[test]
fn a_mistake_in_a_short_device_is_told_with_line_key_and_remedy() {
    let wrong = |device: &str, line: usize, words: &[&str]| {
        let error = local(device).unwrap_err();
        assert_eq!(error.line, line, "{error}");
        for word in words {
            assert!(error.to_string().contains(word), "{word:?} is not in: {error}");
        }
    };
    wrong("class = \"camera\"\nmaker = \"hikvison\"\n", 11, &["`maker`", "hikvision, dahua"]);
    wrong("class = \"camera\"\ncredentials = \"cam\"\n", 11, &["`credentials`", "Use one of: cams, net"]);
    wrong("class = \"camera\"\ncredentials = [\"cams\", \"cams\"]\n", 11, &["second set"]);
    wrong("maker = \"axis\"\n", 7, &["`class` is missing"]);
    let strange = "class = \"ups\"\n[[device.check]]\nname = \"isapi\"\nevery = \"1m\"\n";
    wrong(strange, 11, &["`isapi` is no usual check", "icmp, ups"]);
    wrong("class = \"ups\"\n[[device.check]]\nname = \"icmp\"\nevry = \"1m\"\n", 13, &["`every`"]);
    let sets =
        |text: &str| Config::parse(&format!("data_dir = \"/d\"\n[credentials.a]\n{text}"), "f").unwrap_err();
    assert!(sets("user = \"u\"\n").to_string().contains("neither `password` nor `community`"));
    let short = sets("version = \"3\"\nuser = \"u\"\nauth = \"md5\"\nauth_password = \"s3cret\"\n");
    assert!(short.line == 6 && !short.to_string().contains("s3cret"), "{short}");
}

#[test]
fn everything_that_is_usual_is_a_device() {
    use sitewarden_proto::usual;
    let full = usual::Credentials { login: Some(("viewer", "a\"b")), community: Some("reads") };
    for row in usual::all() {
        let (checks, lacking) = usual::text(&row.class, &row.maker, full);
        let device = parse_device(&format!("address = \"h\"\nclass = \"{}\"\n{checks}", row.class), "f", "d");
        let device = device.unwrap_or_else(|error| panic!("{error}\n{checks}"));
        assert_eq!((device.checks.len(), lacking.len()), (row.checks.len(), 0), "{checks}");
        let short = format!(
            "class = \"{}\"\n{}credentials = [\"cams\", \"net\"]\n",
            row.class,
            if row.maker.is_empty() { String::new() } else { format!("maker = \"{}\"\n", row.maker) }
        );
        assert_eq!(names(&local(&short).unwrap()), names(&device), "{short}");
    }
}

#[test]
fn recordings_are_counted_where_they_can_be() {
    let device = |kind: &str, more: &str| {
        format!(
            "[[device]]\nid = \"nvr-1\"\naddress = \"10.0.0.4\"\n[[device.check]]\nkind = \"{kind}\"\nuser = \"u\"\npassword = \"p\"\n{more}"
        )
    };
    let counted = "keep_days = 30\nmin_integrity_percent = 95\n";
    let devices = parse_devices(&device("isapi", counted), "f").unwrap();
    assert!(matches!(&devices[0].checks[0].kind, Kind::Isapi(asked) if asked.min_integrity_percent == 95));
    let alone = parse_devices(&device("isapi", "min_integrity_percent = 95\n"), "f").unwrap_err().to_string();
    assert!(alone.contains("without `keep_days`") && alone.contains("how many days"), "{alone}");
    let other = parse_devices(&device("dahua", counted), "f").unwrap_err().to_string();
    assert!(other.contains("min_integrity_percent"), "{other}");
}
