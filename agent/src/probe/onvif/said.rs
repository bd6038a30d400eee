//! What ONVIF devices answer, read into what a camera is. Pure.
//!
//! Sources: ONVIF Core Specification (device and event service), ONVIF Media Service Specification (version 10), WS-BaseNotification 1.3;
//! the quirks are those of cameras in the field.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::super::tree::Node;

const LIST_MAX: usize = 256;

/// A SOAP fault, which comes with any status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The login is not accepted.
    pub is_login: bool,
    /// What the device says of it.
    pub text: String,
}

/// The fault in an answer, if it is one.
pub fn fault(said: &Node) -> Option<Fault> {
    let fault = said.find("Fault")?;
    let mut words: Vec<&str> = fault.all("Value").iter().map(|value| value.text.as_str()).collect();
    words.extend(fault.all("faultcode").iter().map(|code| code.text.as_str()));
    let refused = ["NotAuthorized", "FailedAuthentication", "InvalidSecurity"];
    let is_login = words.iter().any(|word| refused.iter().any(|refused| word.ends_with(refused)));
    let text = fault.word("Text").or(fault.word("faultstring")).unwrap_or("a fault").to_owned();
    Some(Fault { is_login, text })
}

/// `GetSystemDateAndTime`: `UTCDateTime`, and whether it follows NTP.
pub fn clock(said: &Node) -> Option<(Timestamp, Option<bool>)> {
    let answer = said.find("SystemDateAndTime")?;
    let utc = answer.find("UTCDateTime").or_else(|| answer.find("LocalDateTime"))?;
    let number = |name: &str| utc.word(name)?.parse::<i16>().ok();
    let small = |name: &str| i8::try_from(number(name)?).ok();
    let day = Date::new(number("Year")?, small("Month")?, small("Day")?).ok()?;
    let time = Time::new(small("Hour")?, small("Minute")?, small("Second")?.min(59), 0).ok()?;
    let at = day.to_datetime(time).to_zoned(TimeZone::UTC).ok()?.timestamp();
    let follows = match answer.word("DateTimeType")? {
        "NTP" => Some(true),
        "Manual" => Some(false),
        _ => None,
    };
    Some((at, follows))
}

/// Where a device's services are: paths only, because the host in them is often one of another network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    /// The media service, version 10.
    pub media: Option<String>,
    /// The event service.
    pub events: Option<String>,
}

/// `GetServices`, whose namespaces carry a version that has to match: many devices list version 20 first.
pub fn services(said: &Node) -> Option<Services> {
    let answer = said.find("GetServicesResponse")?;
    let of = |namespace: &str| {
        let found = answer.children.iter().find(|service| service.word("Namespace") == Some(namespace))?;
        path(found.word("XAddr")?)
    };
    Some(Services {
        media: of("http://www.onvif.org/ver10/media/wsdl"),
        events: of("http://www.onvif.org/ver10/events/wsdl"),
    })
}

/// `GetCapabilities`, of devices that do not have `GetServices`.
pub fn capabilities(said: &Node) -> Option<Services> {
    let answer = said.find("Capabilities")?;
    let of = |name: &str| path(answer.child(name)?.word("XAddr")?);
    Some(Services { media: of("Media"), events: of("Events") })
}

/// The path and query of an address.
pub fn path(address: &str) -> Option<String> {
    let (_, rest) = address.split_once("://")?;
    let path = rest.find('/').map_or("/", |at| &rest[at..]);
    path.bytes().all(|byte| byte.is_ascii_graphic()).then(|| path.to_owned())
}

/// The port of an address; None where it names none.
pub fn port(address: &str) -> Option<u16> {
    let (_, rest) = address.split_once("://")?;
    let host = rest.split('/').next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let (_, port) = host.rsplit_once(':')?;
    port.parse().ok().filter(|port| *port != 0)
}

/// `GetProfiles`: their tokens. None when it is no such answer.
pub fn profiles(said: &Node) -> Option<Vec<String>> {
    let answer = said.find("GetProfilesResponse")?;
    let tokens = answer.children.iter().filter(|child| child.name == "Profiles");
    let mut tokens: Vec<String> =
        tokens.map(|profile| profile.attribute("token").unwrap_or_default().to_owned()).collect();
    tokens.truncate(LIST_MAX);
    Some(tokens)
}

/// `GetStreamUri` and `GetSnapshotUri`: the address, without a login that some devices put into it.
pub fn uri(said: &Node) -> Option<String> {
    let uri = said.word("Uri")?;
    let (scheme, rest) = uri.split_once("://")?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit('@').next().unwrap_or_default();
    Some(format!("{scheme}://{host}{path}"))
}

/// `CreatePullPointSubscription`: the address at which its messages are to be asked for. A termination time that has passed
/// already is no reason not to ask.
pub fn subscription(said: &Node) -> Option<String> {
    said.find("SubscriptionReference")?.word("Address").map(str::to_owned)
}

/// One property that a device tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The topic without prefixes: `VideoSource/GlobalSceneChange/ImagingService`.
    pub topic: String,
    /// Which of several sources.
    pub source: String,
    /// Yes or no; None where it tells neither.
    pub state: Option<bool>,
}

/// `PullMessages`; the last word on each property counts. None when it is no such answer.
pub fn notices(said: &Node) -> Option<Vec<Notice>> {
    let answer = said.find("PullMessagesResponse")?;
    let mut notices: Vec<Notice> = Vec::new();
    for message in answer.all("NotificationMessage").into_iter().take(LIST_MAX) {
        let Some(topic) = message.word("Topic") else { continue };
        let segments: Vec<&str> =
            topic.split('/').map(|part| part.rsplit(':').next().unwrap_or(part)).collect();
        let item = |part: &str| {
            let part = message.find(part)?;
            let item = part.find("SimpleItem")?;
            item.attribute("Value").map(|value| value.trim().to_owned())
        };
        let state = item("Data").and_then(|value| match value.to_ascii_lowercase().as_str() {
            "true" | "1" | "active" => Some(true),
            "false" | "0" | "inactive" => Some(false),
            _ => None,
        });
        let one = Notice { topic: segments.join("/"), source: item("Source").unwrap_or_default(), state };
        notices.retain(|other| other.topic != one.topic || other.source != one.source);
        notices.push(one);
    }
    Some(notices)
}

#[cfg(test)]
mod tests;
