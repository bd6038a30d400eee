//! Which devices a simulated site has, what they speak, and how they are to be checked.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use super::device::{Blueprint, Service};

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

/// The most devices one simulator may have; each camera takes two file descriptors.
pub const MOST_DEVICES: usize = 10_000;
const STANDARD: usize = 11;
const CAMERAS_PER_SWITCH: usize = 24;

/// How a site is laid out.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The second octet of the devices' addresses, 127.N.0.0/16.
    pub network: u8,
    /// How many devices, at least the standard eleven.
    pub devices: usize,
    /// How often each check runs, a duration of the device file.
    pub every: String,
}

impl Default for Plan {
    fn default() -> Self {
        Self { network: 77, devices: STANDARD, every: "5s".into() }
    }
}

impl Plan {
    /// The devices, parents before children: a switch, a recorder, six cameras, an access controller,
    /// a UPS and a time server; beyond these, switches with 24 cameras each.
    pub fn blueprints(&self) -> Vec<Blueprint> {
        let mut all = vec![self.switch(1, 2)];
        all.push(Blueprint {
            services: vec![
                Service::Web { port: WEB_PORT },
                Service::SecureWeb { port: TLS_PORT },
                Service::Rtsp { port: RTSP_PORT },
            ],
            ..self.blueprint("nvr-1", "Recorder", "nvr", 10, "Control room", "SIM-NVR16")
        });
        for number in 1..=6 {
            all.push(self.camera(number, 10 + number, "sw-1"));
        }
        all.push(Blueprint {
            services: vec![Service::Web { port: WEB_PORT }, Service::Rtsp { port: 4370 }],
            ..self.blueprint("door-1", "Door controller", "access", 30, "Lobby", "SIM-DOOR2")
        });
        all.push(Blueprint {
            services: vec![Service::Snmp { port: SNMP_PORT, v3: false }],
            ..self.blueprint("ups-1", "UPS", "ups", 40, "Control room", "SIM-UPS3000")
        });
        all.push(Blueprint {
            services: vec![Service::Time { port: NTP_PORT }],
            ..self.blueprint("time-1", "Time server", "server", 50, "Control room", "SIM-TIME")
        });
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
        for blueprint in &mut all {
            blueprint.checks = self.checks(blueprint.class, &blueprint.services);
        }
        all
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
        let (mut text, every) = (String::new(), &self.every);
        let mut add = |body: &str| {
            let _ = write!(
                text,
                "[[check]]\n{body}every = \"{every}\"\ntimeout = \"2s\"\nconfirm = \"2/3\"\nclear = 2\n\n"
            );
        };
        for service in services {
            let body = match service {
                Service::Rtsp { port } => {
                    let name = if *port == RTSP_PORT { "stream" } else { "panel" };
                    format!("kind = \"tcp\"\nname = \"{name}\"\nport = {port}\n")
                }
                Service::Web { port } => format!(
                    "kind = \"http\"\nname = \"web\"\nport = {port}\npath = \"/ISAPI/System/deviceInfo\"\nauth = \"digest\"\n\
                     user = \"{USER}\"\npassword = \"{WEB_PASSWORD}\"\nexpect_text = \"<model>\"\n"
                ),
                Service::SecureWeb { port } => {
                    format!("kind = \"tls\"\nname = \"certificate\"\nport = {port}\nwarn_days = 30\n")
                }
                Service::Time { port } => {
                    format!("kind = \"ntp\"\nname = \"time\"\nport = {port}\nmax_offset_ms = 60000\n")
                }
                Service::Snmp { port, v3: true } => format!(
                    "kind = \"snmp\"\nname = \"snmp\"\nport = {port}\nversion = \"3\"\nuser = \"{USER}\"\nauth = \"sha256\"\n\
                     auth_password = \"{AUTH_PASSWORD}\"\nprivacy = \"aes128\"\nprivacy_password = \"{PRIVACY_PASSWORD}\"\n"
                ),
                Service::Snmp { port, v3: false } => format!(
                    "kind = \"snmp\"\nname = \"snmp\"\nport = {port}\nversion = \"2c\"\ncommunity = \"{COMMUNITY}\"\n"
                ),
            };
            add(&body);
            // What its class says of itself, besides that it answers.
            match (class, service) {
                ("nvr" | "access", Service::Web { port }) => add(&format!(
                    "kind = \"isapi\"\nname = \"health\"\nport = {port}\nuser = \"{USER}\"\npassword = \"{WEB_PASSWORD}\"\n"
                )),
                ("ups", Service::Snmp { port, .. }) => add(&format!(
                    "kind = \"ups\"\nname = \"health\"\nport = {port}\nversion = \"2c\"\ncommunity = \"{COMMUNITY}\"\nmin_runtime = \"10m\"\n"
                )),
                _ => {}
            }
        }
        text
    }
}
