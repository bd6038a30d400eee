//! What an operator may say. Everything has a default, so an empty file (or none) is a working server.
//!
//! The file is TOML; a key that is not known is an error, because a misspelt key that is silently
//! ignored is how a limit fails to hold. Secrets are never in the file: it names files that hold them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sitewarden_proto::limits::HEARTBEAT_S;

/// The whole configuration of a server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folder for keys, the certificate authority and, with SQLite, the database.
    pub data_dir: PathBuf,
    /// `sqlite:PATH` or `postgres://user@host/name`; without it, `sitewarden.db` in the data folder.
    pub database: Option<String>,
    /// The web page and the API.
    pub http: Http,
    /// The gateways' door.
    pub mqtt: Mqtt,
    /// Where mail leaves; without it the e-mail channel says so on every page it cannot send.
    pub smtp: Option<Smtp>,
    /// How long each kind of row is kept.
    pub retention: Retention,
    /// Who may read `/metrics`.
    pub metrics: MetricsAccess,
    /// What is printed.
    pub paper: Papers,
    /// Bounds.
    pub limits: Limits,
}

/// The web page and the API.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address and port. Plain HTTP is served on loopback only, or to the named proxies.
    pub listen: SocketAddr,
    /// The address people use, for links in pages: `https://watch.example.com`.
    pub public_url: Option<String>,
    /// Certificate chain, PEM; read again when the file changes.
    pub certificate: Option<PathBuf>,
    /// The certificate's private key, PEM.
    pub key: Option<PathBuf>,
    /// Serve HTTPS with a certificate of the server's own authority (browsers will warn, gateways will not).
    pub own_certificate: bool,
    /// Proxies that end TLS in front of this server; their `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
}

/// The gateways' door: MQTT 5 over TLS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mqtt {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// `host:port` that gateways are told at enrolment; without it, the listening address.
    pub advertise: Option<String>,
    /// Seconds between heartbeats of a gateway; it is silent after three missed ones.
    pub heartbeat_s: u32,
}

/// A mail relay.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    /// Host name or address of the relay.
    pub host: String,
    /// 587, 465 or 25 by `tls` when it is not given.
    pub port: Option<u16>,
    /// How the connection is protected.
    #[serde(default)]
    pub tls: SmtpTls,
    /// Login name, when the relay wants one.
    pub user: Option<String>,
    /// File with the password; its last line break is not part of it.
    pub password_file: Option<PathBuf>,
    /// Sender: `Sitewarden <watch@example.com>`.
    pub from: String,
}

/// How a connection to a mail relay is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// Not at all: only for a relay on this machine.
    None,
    /// RFC 3207, required.
    #[default]
    Starttls,
    /// TLS from the first byte (RFC 8314).
    Tls,
}

/// How long rows are kept, in days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Metric blocks: one value a minute.
    pub blocks_days: u32,
    /// Hourly rollups.
    pub rollups_days: u32,
    /// Device events and states.
    pub events_days: u32,
    /// Audit rows.
    pub audit_days: u32,
    /// Sent pages and finished commands.
    pub pages_days: u32,
}

/// Who may read `/metrics`: loopback always, others with this token.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsAccess {
    /// File with the bearer token.
    pub token_file: Option<PathBuf>,
}

/// What is printed: slips as PDF.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Papers {
    /// A font with Chinese: a file, or a collection that holds a face for simplified Chinese.
    pub font: PathBuf,
}

/// Bounds that an operator may move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Gateways connected at once.
    pub gateways: usize,
    /// TLS handshakes under way at once, from everywhere.
    pub handshakes: usize,
    /// TLS handshakes under way at once, from one address. More of them wait for their turn.
    pub handshakes_per_address: usize,
    /// Bytes a second of one gateway; ten seconds' worth may come at once. What is faster is slowed down.
    pub gateway_bytes_per_s: u32,
    /// Packets a second of one gateway; ten seconds' worth may come at once. What is faster is slowed down.
    pub gateway_packets_per_s: u32,
    /// Packets of one gateway that may be refused in a minute; more, and it is locked out for a while.
    pub gateway_refusals_per_min: u32,
    /// Seconds in which what has begun must be whole: a packet, and before it the handshake and the greeting.
    pub packet_s: u32,
    /// Connections to the page and the API at once; more are closed at once.
    pub http_connections: usize,
    /// Seconds after which a connection to the page ends to which nothing could be written.
    pub http_idle_s: u32,
    /// Seconds that a gateway's clock may be off before that counts as a fault of the gateway.
    pub clock_offset_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("/var/lib/sitewarden"),
            database: None,
            http: Http::default(),
            mqtt: Mqtt::default(),
            smtp: None,
            retention: Retention::default(),
            metrics: MetricsAccess::default(),
            paper: Papers::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            public_url: None,
            certificate: None,
            key: None,
            own_certificate: false,
            trusted_proxies: Vec::new(),
        }
    }
}

impl Default for Mqtt {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8883)), advertise: None, heartbeat_s: 60 }
    }
}

impl Default for Papers {
    fn default() -> Self {
        Self { font: PathBuf::from("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc") }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { blocks_days: 90, rollups_days: 1100, events_days: 1100, audit_days: 1100, pages_days: 400 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            gateways: 4096,
            handshakes: 256,
            handshakes_per_address: 16,
            gateway_bytes_per_s: 1 << 20,
            gateway_packets_per_s: 200,
            gateway_refusals_per_min: 60,
            packet_s: 60,
            http_connections: 2048,
            http_idle_s: 60,
            clock_offset_s: 60,
        }
    }
}

/// Why a configuration was refused: where, what, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not there or not readable.
    #[error(
        "cannot read the configuration {path}: {reason}; name another file with --config, or leave it out"
    )]
    Unreadable {
        /// Which file.
        path: String,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The text is not TOML, or a key or value is not known.
    #[error("{path}, line {line}: {reason}; correct or remove that line")]
    Malformed {
        /// Which file.
        path: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong, with the keys that are known.
        reason: String,
    },
    /// A value that cannot work.
    #[error("{path}: `{key}` {reason}")]
    Value {
        /// Which file.
        path: String,
        /// The key, dotted.
        key: &'static str,
        /// What is wrong and what to write instead.
        reason: String,
    },
}

impl Config {
    /// Reads `path`.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|reason| Error::Unreadable { path: name.clone(), reason })?;
        Self::parse(&text, &name)
    }

    /// Reads `text`; `path` is only named in errors.
    pub fn parse(text: &str, path: &str) -> Result<Self, Error> {
        let config: Self = toml::from_str(text).map_err(|error| Error::Malformed {
            path: path.to_owned(),
            line: error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1),
            reason: error.message().replace('\n', " "),
        })?;
        config.check(path)?;
        Ok(config)
    }

    /// Refuses values that parse but cannot work. Called again after flags have been applied.
    pub fn check(&self, path: &str) -> Result<(), Error> {
        let refuse =
            |key, reason: &str| Err(Error::Value { path: path.to_owned(), key, reason: reason.to_owned() });
        if self.http.certificate.is_some() != self.http.key.is_some() {
            return refuse("http.certificate", "and `http.key` go together: name both files or neither");
        }
        if self.http.certificate.is_some() && self.http.own_certificate {
            return refuse("http.own_certificate", "and `http.certificate` exclude each other: keep one");
        }
        if !self.http_is_tls() && !self.http.listen.ip().is_loopback() && self.http.trusted_proxies.is_empty()
        {
            return refuse(
                "http.listen",
                "would serve passwords in clear: set `http.certificate` and `http.key`, or \
                 `http.own_certificate = true`, or name the proxy in `http.trusted_proxies`, or listen on 127.0.0.1",
            );
        }
        if let Some(url) = &self.http.public_url
            && !(url.starts_with("https://") || url.starts_with("http://"))
        {
            return refuse("http.public_url", "must begin with `https://` (or `http://` on one machine)");
        }
        if let Some(advertise) = &self.mqtt.advertise
            && split_host_port(advertise).is_none()
        {
            return refuse("mqtt.advertise", "must be `host:port`, for example `watch.example.com:8883`");
        }
        if !HEARTBEAT_S.contains(&self.mqtt.heartbeat_s) {
            return refuse("mqtt.heartbeat_s", "must lie between 5 and 900 seconds");
        }
        if let Some(smtp) = &self.smtp
            && smtp.user.is_some() != smtp.password_file.is_some()
        {
            return refuse("smtp.user", "and `smtp.password_file` go together: name both or neither");
        }
        if let Some(url) = &self.database
            && !["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme))
        {
            return refuse("database", "must begin with `sqlite:` or `postgres://`");
        }
        let days = self.retention;
        if [days.blocks_days, days.rollups_days, days.events_days, days.audit_days, days.pages_days]
            .contains(&0)
        {
            return refuse("retention", "must keep at least one day of everything");
        }
        let limits = self.limits;
        let counts =
            [limits.gateways, limits.handshakes, limits.handshakes_per_address, limits.http_connections];
        if counts.contains(&0) || [limits.packet_s, limits.gateway_refusals_per_min].contains(&0) {
            return refuse("limits", "of zero would let nobody in: write at least 1");
        }
        if limits.http_idle_s <= 30 {
            return refuse(
                "limits.http_idle_s",
                "would end requests that may take 30 seconds: write at least 31",
            );
        }
        if limits.gateway_bytes_per_s < 4096 || limits.gateway_packets_per_s == 0 {
            return refuse(
                "limits",
                "would slow a gateway down to nothing: write `gateway_bytes_per_s` of at least 4096 and \
                 `gateway_packets_per_s` of at least 1",
            );
        }
        if limits.clock_offset_s < 10 {
            return refuse("limits.clock_offset_s", "below 10 s would count slow links as wrong clocks");
        }
        Ok(())
    }

    /// The database's url.
    pub fn database_url(&self) -> String {
        self.database
            .clone()
            .unwrap_or_else(|| format!("sqlite:{}", self.data_dir.join("sitewarden.db").display()))
    }

    /// The file of the database, where it is the default one in the data folder.
    pub fn database_file(&self) -> Option<PathBuf> {
        self.database.is_none().then(|| self.data_dir.join("sitewarden.db"))
    }

    /// True when this server itself speaks HTTPS.
    pub fn http_is_tls(&self) -> bool {
        self.http.certificate.is_some() || self.http.own_certificate
    }

    /// True when people reach the page over HTTPS, here or at a proxy: cookies are then marked Secure.
    pub fn is_secure(&self) -> bool {
        self.http_is_tls() || self.public_url().starts_with("https://")
    }

    /// The address people use, without a slash at the end.
    pub fn public_url(&self) -> String {
        match &self.http.public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => {
                let scheme = if self.http_is_tls() { "https" } else { "http" };
                format!("{scheme}://{}", reachable(self.http.listen))
            }
        }
    }

    /// `host:port` that gateways connect to.
    pub fn mqtt_advertised(&self) -> String {
        self.mqtt.advertise.clone().unwrap_or_else(|| reachable(self.mqtt.listen).to_string())
    }

    /// The host part of [`Config::mqtt_advertised`]: the name in the wire's server certificate.
    pub fn mqtt_host(&self) -> String {
        let advertised = self.mqtt_advertised();
        split_host_port(&advertised).map_or(advertised.clone(), |(host, _)| host.to_owned())
    }
}

/// Splits `host:port` or `[v6]:port`.
fn split_host_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    (!host.is_empty()).then_some((host, port.parse().ok()?))
}

/// An unspecified address is no address to connect to: on one machine loopback is.
fn reachable(listen: SocketAddr) -> SocketAddr {
    if listen.ip().is_unspecified() { SocketAddr::from((Ipv4Addr::LOCALHOST, listen.port())) } else { listen }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_error(text: &str, expected: &str) {
        let error = Config::parse(text, "c.toml").unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn nothing_is_a_working_configuration() {
        let config = Config::parse("", "c.toml").unwrap();
        assert_eq!(config.public_url(), "http://127.0.0.1:8080");
        assert_eq!(config.mqtt_advertised(), "127.0.0.1:8883");
        assert_eq!(config.database_url(), "sqlite:/var/lib/sitewarden/sitewarden.db");
    }

    #[test]
    fn an_error_names_line_key_and_remedy() {
        check_error(
            "[http]\nlisten = \"127.0.0.1:1\"\nlissten = 1\n",
            "c.toml, line 3: unknown field `lissten`",
        );
        check_error("[mqtt]\nheartbeat_s = \"x\"\n", "line 2");
        check_error("[http]\nlisten = \"0.0.0.0:80\"\n", "would serve passwords in clear");
        check_error("[http]\ncertificate = \"a\"\n", "go together");
        check_error("database = \"mysql://x\"\n", "sqlite:");
        check_error("[mqtt]\nadvertise = \"here\"\n", "host:port");
        check_error("[mqtt]\nheartbeat_s = 1\n", "between 5 and 900");
        check_error("[limits]\nhandshakes = 0\n", "let nobody in");
        check_error("[limits]\ngateway_bytes_per_s = 100\n", "at least 4096");
    }

    #[test]
    fn an_advertised_host_loses_its_brackets() {
        let config = Config::parse("[mqtt]\nadvertise = \"[fd00::1]:8883\"\n", "c.toml").unwrap();
        assert_eq!(config.mqtt_host(), "fd00::1");
    }
}
