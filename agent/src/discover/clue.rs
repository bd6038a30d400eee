//! What gives a maker away: words in what devices say, prefixes of network addresses, enterprise numbers, names of models.
//! Facts of the field, as data.

/// Where a clue is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// `Server` of HTTP.
    Server,
    /// `realm` of HTTP or RTSP.
    Realm,
    /// The page's title.
    Title,
    /// Where the page leads.
    LeadsTo,
    /// `Server` of RTSP.
    Rtsp,
    /// The certificate's subject.
    Certificate,
    /// What it says to WS-Discovery.
    Discovery,
    /// `sysDescr`.
    SysDescr,
}

/// A word that speaks for a maker, a class, or both; empty is neither. The weight is how much.
pub(super) type Clue = (At, &'static str, &'static str, &'static str, u32);

/// A class of its own: nothing that a site's contract watches.
pub(super) const PRINTER: &str = "printer";

pub(super) const CLUES: &[Clue] = &[
    (At::Server, "app-webs", "hikvision", "", 4),
    (At::Server, "dnvrs-webs", "hikvision", "", 5),
    (At::Server, "hikvision", "hikvision", "", 6),
    (At::LeadsTo, "/doc/page/login.asp", "hikvision", "", 4),
    (At::LeadsTo, "/doc/index.html", "hikvision", "", 3),
    (At::Realm, "ip camera(", "hikvision", "camera", 4),
    (At::Realm, "embedded net dvr", "hikvision", "nvr", 5),
    (At::Realm, "ds-", "hikvision", "", 5),
    (At::Discovery, "hikvision", "hikvision", "", 6),
    (At::Realm, "login to ", "dahua", "", 4),
    (At::Rtsp, "rtsp server/3.0", "dahua", "", 3),
    (At::Discovery, "dahua", "dahua", "", 6),
    (At::Certificate, "dahua", "dahua", "", 5),
    (At::Title, "web service", "dahua", "", 2),
    (At::Discovery, "uniview", "uniview", "", 6),
    (At::Realm, "uniview", "uniview", "", 6),
    (At::Title, "uniview", "uniview", "", 5),
    (At::Certificate, "uniview", "uniview", "", 5),
    (At::Realm, "axis_", "axis", "", 6),
    (At::Certificate, "axis-", "axis", "", 6),
    (At::Title, "axis", "axis", "", 4),
    (At::Discovery, "axis", "axis", "", 6),
    (At::LeadsTo, "/camera/index.html", "axis", "camera", 3),
    (At::Discovery, "networkvideotransmitter", "", "camera", 3),
    (At::Discovery, "networkvideostorage", "", "nvr", 5),
    (At::SysDescr, "huawei", "huawei", "", 5),
    (At::SysDescr, "h3c", "h3c", "", 5),
    (At::SysDescr, "comware", "h3c", "", 4),
    (At::SysDescr, "cisco", "cisco", "", 5),
    (At::SysDescr, "ruijie", "ruijie", "", 5),
    (At::SysDescr, "switch", "", "switch", 4),
    (At::SysDescr, "s5700", "", "switch", 3),
    (At::SysDescr, "catalyst", "cisco", "switch", 4),
    (At::SysDescr, "jetstream", "tplink", "switch", 5),
    (At::SysDescr, "hikvision", "hikvision", "", 5),
    (At::Title, "apc | log on", "apc", "ups", 6),
    (At::SysDescr, "apc web/snmp", "apc", "ups", 6),
    (At::Server, "zk web server", "zkteco", "access", 6),
    (At::Title, "zkteco", "zkteco", "access", 5),
    (At::Title, "huawei", "huawei", "", 3),
    (At::Title, "h3c", "h3c", "", 3),
    (At::Title, "ruijie", "ruijie", "", 3),
    (At::SysDescr, "jetdirect", "", PRINTER, 8),
    (At::SysDescr, "printer", "", PRINTER, 8),
    (At::SysDescr, "laserjet", "", PRINTER, 8),
    (At::Server, "hp http server", "", PRINTER, 6),
    (At::Title, "laserjet", "", PRINTER, 8),
    (At::Server, "ipp", "", PRINTER, 4),
];

/// IANA's enterprise numbers: the arc after 1.3.6.1.4.1, the maker, and the class of what speaks SNMP under it.
pub(super) const ENTERPRISES: &[(u32, &str, &str)] = &[
    (9, "cisco", ""),
    (43, "h3c", ""),
    (318, "apc", "ups"),
    (368, "axis", "camera"),
    (2011, "huawei", ""),
    (4881, "ruijie", ""),
    (11863, "tplink", ""),
    (25506, "h3c", ""),
    (39165, "hikvision", ""),
    (1_004_849, "dahua", ""),
    (11, "", ""),
    (1602, "", PRINTER),
    (2435, "", PRINTER),
    (1248, "", PRINTER),
    (1347, "", PRINTER),
];

/// IEEE's prefixes of the makers of the trade; a maker has more than these, so an unknown prefix says nothing.
pub(super) const PREFIXES: &[([u8; 3], &str)] = &[
    ([0x44, 0x19, 0xb6], "hikvision"),
    ([0xc0, 0x56, 0xe3], "hikvision"),
    ([0xbc, 0xad, 0x28], "hikvision"),
    ([0x4c, 0xbd, 0x8f], "hikvision"),
    ([0x28, 0x57, 0xbe], "hikvision"),
    ([0x54, 0xc4, 0x15], "hikvision"),
    ([0xa4, 0x14, 0x37], "hikvision"),
    ([0x64, 0xdb, 0x8b], "hikvision"),
    ([0xc4, 0x2f, 0x90], "hikvision"),
    ([0x18, 0x68, 0xcb], "hikvision"),
    ([0x8c, 0xe7, 0x48], "hikvision"),
    ([0xb4, 0xa3, 0x82], "hikvision"),
    ([0x3c, 0xef, 0x8c], "dahua"),
    ([0x90, 0x02, 0xa9], "dahua"),
    ([0x4c, 0x11, 0xbf], "dahua"),
    ([0xe0, 0x50, 0x8b], "dahua"),
    ([0xa0, 0xbd, 0x1d], "dahua"),
    ([0x9c, 0x14, 0x63], "dahua"),
    ([0x38, 0xaf, 0x29], "dahua"),
    ([0x14, 0xa7, 0x8b], "dahua"),
    ([0x48, 0xea, 0x63], "uniview"),
    ([0xc4, 0x79, 0x05], "uniview"),
    ([0x6c, 0xf1, 0x7e], "uniview"),
    ([0x00, 0x40, 0x8c], "axis"),
    ([0xac, 0xcc, 0x8e], "axis"),
    ([0xb8, 0xa4, 0x4f], "axis"),
    ([0xe8, 0x27, 0x25], "axis"),
    ([0x00, 0xe0, 0xfc], "huawei"),
    ([0x00, 0x25, 0x9e], "huawei"),
    ([0x28, 0x6e, 0xd4], "huawei"),
    ([0x00, 0x0f, 0xe2], "h3c"),
    ([0x3c, 0xe5, 0xa6], "h3c"),
    ([0x58, 0x66, 0xba], "h3c"),
    ([0x74, 0x25, 0x8a], "h3c"),
    ([0x00, 0x00, 0x0c], "cisco"),
    ([0x00, 0x1b, 0x54], "cisco"),
    ([0x00, 0xd0, 0xf8], "ruijie"),
    ([0x58, 0x69, 0x6c], "ruijie"),
    ([0x00, 0xc0, 0xb7], "apc"),
    ([0x28, 0x29, 0x86], "apc"),
    ([0x00, 0x17, 0x61], "zkteco"),
];

/// How names of models begin: (maker, beginning, class). Without a maker it serves all; the longest serves first.
pub(super) const MODELS: &[(&str, &str, &str)] = &[
    ("hikvision", "DS-2CD", "camera"),
    ("hikvision", "DS-2DE", "camera"),
    ("hikvision", "DS-2DF", "camera"),
    ("hikvision", "DS-2TD", "camera"),
    ("hikvision", "iDS-2", "camera"),
    ("hikvision", "iDS-T", "camera"),
    ("hikvision", "DS-7", "nvr"),
    ("hikvision", "DS-8", "nvr"),
    ("hikvision", "DS-9", "nvr"),
    ("hikvision", "iDS-7", "nvr"),
    ("hikvision", "iDS-9", "nvr"),
    ("hikvision", "DS-K", "access"),
    ("hikvision", "DS-3E", "switch"),
    ("dahua", "DH-IPC", "camera"),
    ("dahua", "DH-SD", "camera"),
    ("dahua", "DHI-NVR", "nvr"),
    ("dahua", "DHI-ASC", "access"),
    ("dahua", "DHI-ASI", "access"),
    ("dahua", "DH-XVR", "nvr"),
    ("", "IPC", "camera"),
    ("", "NVR", "nvr"),
    ("", "XVR", "nvr"),
    ("axis", "A1", "access"),
    ("axis", "A8", "access"),
    ("axis", "M", "camera"),
    ("axis", "P", "camera"),
    ("axis", "Q", "camera"),
    ("axis", "F", "camera"),
    ("axis", "V", "camera"),
    ("axis", "S", "nvr"),
    ("ruijie", "S", "switch"),
    ("huawei", "S", "switch"),
    ("h3c", "S", "switch"),
    ("cisco", "WS-C", "switch"),
];

/// Ports whose being open speaks for a maker or a class.
pub(super) const PORTS: &[(u16, &str, &str, u32)] = &[
    (37777, "dahua", "", 3),
    (8000, "hikvision", "", 1),
    (4370, "zkteco", "access", 3),
    (3493, "nut", "ups", 2),
    (9100, "", PRINTER, 4),
    (554, "", "camera", 1),
];
