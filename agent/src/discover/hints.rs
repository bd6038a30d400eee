//! What a device at an address lets everybody see, and how its bytes are read. Pure, and bounded whatever is sent.

use crate::probe::tree;

/// Letters kept of one text of a device.
const TEXT_MAX: usize = 256;
/// Scopes kept of one answer to WS-Discovery.
const SCOPES_MAX: usize = 32;

/// Everything that was seen of one address; what was not seen is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// From the gateway's or a switch's ARP table.
    pub mac: Option<[u8; 6]>,
    /// What its web server says.
    pub web: Web,
    /// Subject of its certificate.
    pub certificate: String,
    /// What its RTSP server says.
    pub rtsp: Web,
    /// What it says to WS-Discovery.
    pub discovery: Discovery,
    /// `sysDescr` of RFC 3418.
    pub sys_descr: String,
    /// `sysObjectID`, as dotted numbers.
    pub sys_object: String,
    /// `sysName`.
    pub sys_name: String,
    /// `sysServices`; bit 1 is a bridge.
    pub sys_services: u32,
    /// Ports that accept, of those that were asked.
    pub open: Vec<u16>,
    /// It calls itself a NUT server.
    pub is_upsd: bool,
}

/// What a server's head and page say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Web {
    /// `Server`.
    pub server: String,
    /// `realm` of `WWW-Authenticate`.
    pub realm: String,
    /// The page's title.
    pub title: String,
    /// Where it sends the browser, by `Location` or by script.
    pub leads_to: String,
}

/// What an ONVIF device says of itself (WS-Discovery 2005/04 and the ONVIF core specification, chapter 7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// `Types`.
    pub types: String,
    /// The scope `name`.
    pub name: String,
    /// The scope `hardware`.
    pub hardware: String,
    /// Where its device service is.
    pub service: String,
}

/// A text of a device: bounded, in one line.
pub(crate) fn tame(text: &str) -> String {
    let one_line = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    let bounded: String = one_line.take(TEXT_MAX).collect();
    bounded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Reads a head and what came of the body, of HTTP or RTSP alike.
pub fn web(bytes: &[u8]) -> Web {
    let text = tree::text(bytes);
    let (head, body) = text.split_once("\r\n\r\n").or_else(|| text.split_once("\n\n")).unwrap_or((&text, ""));
    let field = |name: &str| {
        let find = |line: &str| {
            let (key, value) = line.split_once(':')?;
            key.trim().eq_ignore_ascii_case(name).then(|| tame(value))
        };
        head.lines().skip(1).find_map(find).unwrap_or_default()
    };
    let realm = {
        let said = field("www-authenticate");
        let at = said.to_ascii_lowercase().find("realm=").map_or(said.len(), |at| at + "realm=".len());
        let rest = said.get(at..).unwrap_or_default();
        let quoted = rest.strip_prefix('"').and_then(|rest| rest.split('"').next());
        quoted.or_else(|| rest.split(',').next()).unwrap_or_default().trim().to_owned()
    };
    let lower = body.to_ascii_lowercase();
    let title = between(body, &lower, "<title", "</title").and_then(|title| title.split_once('>'));
    let title = title.map(|(_, title)| tame(title)).unwrap_or_default();
    let mut leads_to = field("location");
    if leads_to.is_empty() {
        for opener in ["location.href", "location", "url="] {
            if let Some(after) = lower.find(opener).and_then(|at| body.get(at + opener.len()..)) {
                let path = after.trim_start_matches([' ', '=', '"', '\'', ';']);
                leads_to = tame(path.split(['"', '\'', '>', ';']).next().unwrap_or_default());
                break;
            }
        }
    }
    Web { server: field("server"), realm, title, leads_to }
}

/// What stands between two words, found in the lower-case copy of the text.
fn between<'t>(text: &'t str, lower: &str, from: &str, to: &str) -> Option<&'t str> {
    let begin = lower.find(from)? + from.len();
    let end = lower.get(begin..)?.find(to)? + begin;
    text.get(begin..end)
}

/// Reads an answer to a WS-Discovery probe; None when it is none.
pub fn discovery(bytes: &[u8]) -> Option<Discovery> {
    let answer = tree::parse(bytes).ok()?;
    let found = answer.find("ProbeMatch")?;
    let mut read = Discovery { types: tame(found.word("Types")?), ..Discovery::default() };
    read.service =
        tame(found.word("XAddrs").unwrap_or_default().split_whitespace().next().unwrap_or_default());
    for scope in found.word("Scopes").unwrap_or_default().split_whitespace().take(SCOPES_MAX) {
        let Some(path) = scope.split_once("onvif.org/").map(|(_, path)| path) else { continue };
        let Some((key, value)) = path.split_once('/') else { continue };
        let place = match key {
            "name" => &mut read.name,
            "hardware" => &mut read.hardware,
            _ => continue,
        };
        *place = tame(&unescape(value));
    }
    Some(read)
}

/// `%20` and its like.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = (*first == b'%')
            .then(|| {
                after.get(..2).and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok())
            })
            .flatten();
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_and_pages_are_read() {
        let read =
            web(b"HTTP/1.1 401 Unauthorized\r\nServer: App-webs/\r\nWWW-Authenticate: Digest qop=\"auth\", \
            realm=\"IP Camera(C1234)\", nonce=\"1\"\r\n\r\n<html><head><TITLE>Document Error</TITLE></head>");
        assert_eq!(
            (read.server.as_str(), read.realm.as_str(), read.title.as_str()),
            ("App-webs/", "IP Camera(C1234)", "Document Error")
        );
        let read =
            web(b"HTTP/1.1 200 OK\r\n\r\n<script>window.location.href = '/doc/page/login.asp?_1';</script>");
        assert_eq!(read.leads_to, "/doc/page/login.asp?_1");
        assert_eq!(web(b"RTSP/1.0 200 OK\r\nServer: Rtsp Server/3.0\r\n\r\n").server, "Rtsp Server/3.0");
    }

    #[test]
    fn answers_to_discovery_are_read() {
        let answer = "<s:Envelope xmlns:s=\"x\"><s:Body><d:ProbeMatches><d:ProbeMatch><d:Types>dn:NetworkVideoTransmitter tds:Device</d:Types>\
            <d:Scopes>onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/name/HIKVISION%20DS-2CD2143G0-I \
            onvif://www.onvif.org/hardware/DS-2CD2143G0-I onvif://www.onvif.org/location/city/hangzhou</d:Scopes>\
            <d:XAddrs>http://192.0.2.9/onvif/device_service http://[fe80::1]/onvif/device_service</d:XAddrs></d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>";
        let read = discovery(answer.as_bytes()).unwrap();
        assert_eq!(
            (read.name.as_str(), read.hardware.as_str()),
            ("HIKVISION DS-2CD2143G0-I", "DS-2CD2143G0-I")
        );
        assert_eq!(read.service, "http://192.0.2.9/onvif/device_service");
    }

    #[test]
    fn whatever_is_sent_is_bounded() {
        let many = vec![b'<'; 70_000];
        for bytes in [&b""[..], b"\xff\xfe\0", b"<ProbeMatch><Types>", b"HTTP", b"<a>%", &many] {
            assert_eq!(discovery(bytes), None);
            let _ = web(bytes);
        }
        let long = format!(
            "HTTP/1.1 200 OK\r\nServer: {}\r\n\r\n<title>{}</title>",
            "x".repeat(9000),
            "y\n".repeat(9000)
        );
        let read = web(long.as_bytes());
        assert!(read.server.len() <= TEXT_MAX && read.title.len() <= TEXT_MAX);
        assert_eq!(unescape("a%2"), "a%2");
        assert_eq!(unescape("%E5%8D%97%20%"), "南 %");
    }
}
