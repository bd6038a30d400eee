//! Which devices a simulated site has, what they speak, and how they are to be checked.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use jiff::SignedDuration;

use super::device::{Blueprint, Service};
use super::onvif::{SNAPSHOT, STREAM};

/// The login that every simulated web server and SNMPv3 agent accepts until it is broken.
pub const USER: &str = "sitewarden";
/// The web password.
pub const WEB_PASSWORD: &str = "simulated-web-1";
/// The SNMPv3 authentication password, SHA-256.
pub const AUTH_PASSWORD: &str = "simulated-auth-1";
/// The SNMPv3 privacy password, AES-128.
pub const PRIVACY_PASSWORD: &str = "simulated-privacy-1";
/// The SNMPv2c community.
pub const COMMUNITY: &str = "simulated";

/// RTSP. All ports are above 1024, because the simulator runs without privileges, and below those
/// that the system gives to outgoing connections.
pub const RTSP_PORT: u16 = 18554;
/// Plain HTTP.
pub const WEB_PORT: u16 = 18080;
/// HTTPS.
pub const TLS_PORT: u16 = 18443;
/// NTP.
pub const NTP_PORT: u16 = 18123;
/// SNMP.
pub const SNMP_PORT: u16 = 18161;
/// Where a door controller's panel listens.
const PANEL_PORT: u16 = 4370;

/// The most devices one simulator may have; each camera takes two file descriptors.
pub const MOST_DEVICES: usize = 10_000;
const STANDARD: usize = 11;
const CAMERAS_PER_SWITCH: usize = 24;
/// What tells much takes long, and is not asked more often than this.
const LOOK_EVERY: &str = "15s";
const LOOK_EVERY_S: i64 = 15;
const LOOK_LIMIT: &str = "10s";
/// How far back recordings have to reach.
const KEEP_DAYS: u16 = 30;

/// A residential estate as one integrator took it over: floors' switches, recorders, cameras, doors.
const FLOOR_SWITCHES: usize = 18;
const RECORDERS: usize = 4;
const CAMERAS: usize = 117;
const DOORS: usize = 94;

/// Which devices a site has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// The standard eleven, and switches with cameras beyond them.
    #[default]
    Standard,
    /// 117 cameras, 94 door controllers and 4 recorders behind a core switch and 18 others, a power supply, a clock.
    Estate,
}

/// How a site is laid out.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The second octet of the devices' addresses, 127.N.0.0/16.
    pub network: u8,
    /// Which devices.
    pub layout: Layout,
    /// How many devices, at least the standard eleven; an estate has its own number.
    pub devices: usize,
    /// How often each check runs, a duration of the device file.
    pub every: String,
}

impl Default for Plan {
    fn default() -> Self {
        Self { network: 77, layout: Layout::Standard, devices: STANDARD, every: "5s".into() }
    }
}

impl Plan {
    /// The devices, parents before children.
    pub fn blueprints(&self) -> Vec<Blueprint> {
        let mut all = match self.layout {
            Layout::Standard => self.standard(),
            Layout::Estate => self.estate(),
        };
        for blueprint in &mut all {
            blueprint.checks = self.checks(blueprint.class, &blueprint.services);
        }
        all
    }

    /// A switch, a recorder, six cameras, an access controller, a UPS and a time server; beyond these, switches with 24
    /// cameras each.
    fn standard(&self) -> Vec<Blueprint> {
        let mut all = vec![self.switch(1, 2), self.recorder(1, 10)];
        for number in 1..=6 {
            all.push(self.camera(number, 10 + number, "sw-1"));
        }
        all.extend([self.door(1, 30, "sw-1"), self.supply(40), self.clock(50)]);
        let mut camera = 6;
        let mut switch = 1;
        while all.len() < self.devices.min(MOST_DEVICES) {
            switch += 1;
            let host = 256 + all.len();
            all.push(self.switch(switch, host));
            for _ in 0..CAMERAS_PER_SWITCH.min(self.devices.saturating_sub(all.len())) {
                camera += 1;
                let host = 256 + all.len();
                all.push(self.camera(camera, host, &format!("sw-{switch}")));
            }
        }
        all
    }

    fn estate(&self) -> Vec<Blueprint> {
        let mut all = vec![self.switch(1, 2)];
        for number in 0..FLOOR_SWITCHES {
            all.push(Blueprint { parent: Some("sw-1".into()), ..self.switch(2 + number, 3 + number) });
        }
        for number in 1..=RECORDERS {
            all.push(self.recorder(number, 2 + FLOOR_SWITCHES + number));
        }
        all.extend([self.supply(40), self.clock(50)]);
        let floor = |number: usize| format!("sw-{}", 2 + number % FLOOR_SWITCHES);
        for number in 1..=CAMERAS {
            all.push(self.camera(number, 256 + number, &floor(number)));
        }
        for number in 1..=DOORS {
            all.push(self.door(number, 512 + number, &floor(number)));
        }
        all
    }

    fn recorder(&self, number: usize, host: usize) -> Blueprint {
        let name = if number == 1 { "Recorder".to_owned() } else { format!("Recorder {number}") };
        Blueprint {
            services: vec![
                Service::Web { port: WEB_PORT },
                Service::SecureWeb { port: TLS_PORT },
                Service::Rtsp { port: RTSP_PORT },
            ],
            ..self.blueprint(&format!("nvr-{number}"), &name, "nvr", host, "Control room", "SIM-NVR16")
        }
    }

    fn door(&self, number: usize, host: usize, switch: &str) -> Blueprint {
        let (name, place) = match number {
            1 => ("Door controller".to_owned(), "Lobby".to_owned()),
            _ => (format!("Door controller {number}"), format!("Entrance {number}")),
        };
        Blueprint {
            parent: Some(switch.to_owned()),
            services: vec![Service::Web { port: WEB_PORT }, Service::Tcp { port: PANEL_PORT }],
            ..self.blueprint(&format!("door-{number}"), &name, "access", host, &place, "SIM-DOOR2")
        }
    }

    fn supply(&self, host: usize) -> Blueprint {
        Blueprint {
            services: vec![Service::Snmp { port: SNMP_PORT, v3: false }],
            ..self.blueprint("ups-1", "UPS", "ups", host, "Control room", "SIM-UPS3000")
        }
    }

    fn clock(&self, host: usize) -> Blueprint {
        Blueprint {
            services: vec![Service::Time { port: NTP_PORT }],
            ..self.blueprint("time-1", "Time server", "server", host, "Control room", "SIM-TIME")
        }
    }

    fn switch(&self, number: usize, host: usize) -> Blueprint {
        let place = if number == 1 { "Control room".into() } else { format!("Riser {number}") };
        Blueprint {
            parent: None,
            services: vec![Service::Snmp { port: SNMP_PORT, v3: true }],
            ..self.blueprint(
                &format!("sw-{number}"),
                &format!("Switch {number}"),
                "switch",
                host,
                &place,
                "SIM-SW24P",
            )
        }
    }

    fn camera(&self, number: usize, host: usize, switch: &str) -> Blueprint {
        const PLACES: [&str; 6] =
            ["Main gate", "Car park", "Lobby", "Loading dock", "East stairs", "Roof terrace"];
        let place = PLACES[(number - 1) % PLACES.len()];
        let mut services = vec![Service::Rtsp { port: RTSP_PORT }, Service::Web { port: WEB_PORT }];
        if number <= 2 {
            services.push(Service::SecureWeb { port: TLS_PORT });
        }
        Blueprint {
            parent: Some(switch.to_owned()),
            services,
            ..self.blueprint(
                &format!("cam-{number}"),
                &format!("Camera {number} {}", place.to_lowercase()),
                "camera",
                host,
                place,
                "SIM-CAM4",
            )
        }
    }

    fn blueprint(
        &self,
        id: &str,
        name: &str,
        class: &'static str,
        host: usize,
        place: &str,
        model: &'static str,
    ) -> Blueprint {
        Blueprint {
            id: id.into(),
            name: name.into(),
            class,
            address: Ipv4Addr::new(127, self.network, (host / 256) as u8, (host % 256) as u8),
            parent: Some("sw-1".into()),
            place: place.into(),
            model,
            services: Vec::new(),
            checks: String::new(),
        }
    }

    /// The `[[check]]` tables that watch `services` of a device of this class, with the right credentials.
    fn checks(&self, class: &str, services: &[Service]) -> String {
        let (mut text, every) = (String::new(), self.every.as_str());
        let login = format!("user = \"{USER}\"\npassword = \"{WEB_PASSWORD}\"\n");
        let v3 = format!(
            "version = \"3\"\nuser = \"{USER}\"\nauth = \"sha256\"\nauth_password = \"{AUTH_PASSWORD}\"\nprivacy = \"aes128\"\n\
             privacy_password = \"{PRIVACY_PASSWORD}\"\n"
        );
        let v2 = format!("version = \"2c\"\ncommunity = \"{COMMUNITY}\"\n");
        // Often, that it answers; more seldom, what its class says of itself.
        let mut add = |body: &str, every: &str, limit: &str| {
            let _ = write!(
                text,
                "[[check]]\n{body}every = \"{every}\"\ntimeout = \"{limit}\"\nconfirm = \"2/3\"\nclear = 2\n\n"
            );
        };
        let seldom = match every.parse::<SignedDuration>() {
            Ok(every_s) if every_s.as_secs() >= LOOK_EVERY_S => every,
            Ok(_) | Err(_) => LOOK_EVERY,
        };
        let (brief, long) = ((every, "2s"), (seldom, LOOK_LIMIT));
        for service in services {
            let port = service.port();
            let (body, (every, limit)): (String, (&str, &str)) = match service {
                Service::Tcp { .. } => ("kind = \"tcp\"\nname = \"panel\"\n".to_owned(), brief),
                Service::Rtsp { .. } => (
                    format!(
                        "kind = \"rtsp\"\nname = \"stream\"\npath = \"{STREAM}\"\nlook = \"900ms\"\n{login}"
                    ),
                    brief,
                ),
                Service::Web { .. } => (
                    format!(
                        "kind = \"http\"\nname = \"web\"\npath = \"/ISAPI/System/deviceInfo\"\nauth = \"digest\"\n{login}\
                         expect_text = \"<model>\"\n"
                    ),
                    brief,
                ),
                Service::SecureWeb { .. } => {
                    ("kind = \"tls\"\nname = \"certificate\"\nwarn_days = 30\n".to_owned(), brief)
                }
                Service::Time { .. } => {
                    ("kind = \"ntp\"\nname = \"time\"\nmax_offset_ms = 60000\n".to_owned(), brief)
                }
                Service::Snmp { v3: true, .. } => (format!("kind = \"snmp\"\nname = \"snmp\"\n{v3}"), brief),
                Service::Snmp { v3: false, .. } => (format!("kind = \"snmp\"\nname = \"snmp\"\n{v2}"), brief),
            };
            add(&format!("{body}port = {port}\n"), every, limit);
            let asked = match (class, service) {
                ("nvr", Service::Web { .. }) => {
                    vec![format!("kind = \"isapi\"\nname = \"health\"\nkeep_days = {KEEP_DAYS}\n{login}")]
                }
                ("access", Service::Web { .. }) => {
                    vec![format!("kind = \"isapi\"\nname = \"health\"\n{login}")]
                }
                ("camera", Service::Web { .. }) => vec![
                    format!("kind = \"onvif\"\nname = \"health\"\n{login}"),
                    format!("kind = \"picture\"\nname = \"picture\"\npath = \"{SNAPSHOT}\"\n{login}"),
                ],
                ("switch", Service::Snmp { .. }) => {
                    vec![format!("kind = \"switch\"\nname = \"health\"\n{v3}")]
                }
                ("ups", Service::Snmp { .. }) => {
                    vec![format!("kind = \"ups\"\nname = \"health\"\n{v2}min_runtime = \"10m\"\n")]
                }
                _ => Vec::new(),
            };
            for body in asked {
                add(&format!("{body}port = {port}\n"), long.0, long.1);
            }
        }
        text
    }
}
