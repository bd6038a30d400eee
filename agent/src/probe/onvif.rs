//! How is a camera, by its own word? ONVIF over SOAP 1.2: its clock, its identity, its profiles, and what its events tell.
//!
//! The clock is asked for without a login, as the standard wants it, and the login is then dated by it. A device that wants
//! HTTP Digest instead gets that. The host in addresses that a device gives is not believed, since it is
//! often one of another network; path and port are. Events are asked for by a subscription of a minute, which is given back
//! each time: small cameras have four.
//!
//! Sources: ONVIF Core, Media and Event Service Specifications; OASIS WS-BaseNotification 1.3.

pub mod said;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::Instant;

use super::memory::Whose;
use super::tree::Node;
use super::web::{Ended, Part, Soap, Web};
use super::wsse::{envelope, escaped, token};
use super::{Context, OutcomeState, Reading};
use crate::config::{self, HttpAuth};
use crate::model::camera::{self, Seen};
use crate::model::health::{Past, Shown};
use said::Services;

/// Of the check's time limit, so that what came in is kept.
const SHARE: f64 = 0.9;
/// Left at least when events are asked for: to subscribe, to wait, to unsubscribe.
const FOR_EVENTS: Duration = Duration::from_secs(5);
/// What every reading of messages may hold.
const MESSAGES: u32 = 100;

const DEVICE: &str = "http://www.onvif.org/ver10/device/wsdl";
const MEDIA: &str = "http://www.onvif.org/ver10/media/wsdl";
const EVENTS: &str = "http://www.onvif.org/ver10/events/wsdl";
const NOTIFY: &str = "http://docs.oasis-open.org/wsn/b-2";
/// Actions of the event service do not follow its namespace.
const PULL: &str = "http://www.onvif.org/ver10/events/wsdl/PullPointSubscription/PullMessagesRequest";
const CREATE: &str =
    "http://www.onvif.org/ver10/events/wsdl/EventPortType/CreatePullPointSubscriptionRequest";
const UNSUBSCRIBE: &str = "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager/UnsubscribeRequest";

/// Asks; `device` and `check` name what is remembered.
///
/// Values: `parts_unknown`, `clock_offset_ms`, `profiles`. Facts: maker, model, firmware, serial, stream, snapshot. Faults:
/// `clock_offset`, `device_swapped`, `camera_no_profile`, `camera_tampered`, `channel_no_signal`, `disk_failed`,
/// `device_defective`, `http_silent`, `http_auth_rejected`, `health_unclear`.
pub(crate) async fn read(
    (device, check, address): (&str, &str, &str),
    asked: &config::Onvif,
    limit: Duration,
    context: &Context,
) -> Reading {
    let whose = Whose { device: device.to_owned(), check: check.to_owned(), baseline: asked.baseline };
    let mut past: Past = context.memory().recall(&whose);
    let deadline = Instant::now() + limit.mul_f64(SHARE);
    let auth = match &asked.login {
        Some((user, password)) => HttpAuth::Digest { user: user.clone(), password: password.clone() },
        None => HttpAuth::None,
    };
    let web = match Web::new((address, asked.port, asked.tls), &auth, context.http(), deadline).await {
        Ok(web) => web,
        Err(Ended(reading)) => return *reading,
    };
    let mut look = Look {
        web,
        asked,
        context,
        seen: Seen::default(),
        ahead: SignedDuration::ZERO,
        answered: 0,
        deadline,
    };
    if let Err(Ended(reading)) = look.all().await {
        return if reading.state == OutcomeState::Rejected {
            camera::refused(&look.seen, asked, *reading, context.clock().now())
        } else {
            *reading
        };
    }
    let reading = camera::judge(&look.seen, asked, &mut past);
    if look.answered == 0 {
        let why: Vec<String> = look.seen.unknown.iter().map(|(part, why)| format!("{part}: {why}")).collect();
        let text = "the device answers, and none of what was asked";
        let why = [("why", Value::from(why.join("; ")))];
        return reading.fault(OutcomeState::Bad, "health_unclear", text, why);
    }
    context.memory().keep(&whose, &past);
    reading
}

/// One question: where it goes, what it is.
struct Ask<'q> {
    port: Option<u16>,
    path: &'q str,
    action: &'q str,
    header: &'q str,
    body: &'q str,
}

/// One run over a camera.
struct Look<'a> {
    web: Web<'a>,
    asked: &'a config::Onvif,
    context: &'a Context,
    seen: Seen,
    /// The camera's clock, as it is and without any zone folded out: its login is dated by it.
    ahead: SignedDuration,
    answered: u32,
    deadline: Instant,
}

impl Look<'_> {
    async fn all(&mut self) -> Result<(), Ended> {
        self.clock().await?;
        if self.asked.login.is_none() {
            return Ok(());
        }
        self.identity().await?;
        let Some(services) = self.services().await? else { return Ok(()) };
        self.media(services.media.as_deref().unwrap_or(&self.asked.path)).await?;
        if self.asked.events
            && self.deadline.saturating_duration_since(Instant::now()) >= FOR_EVENTS
            && let Some(path) = services.events
        {
            self.events(&path).await?;
        }
        Ok(())
    }

    /// Asks with a login. A fault is no answer; one about the login ends the run.
    async fn ask(&mut self, part: &'static str, ask: &Ask<'_>) -> Result<Option<Node>, Ended> {
        let login = match &self.asked.login {
            // A device that wants Digest looks at that alone.
            Some((user, password)) if !self.web.uses_digest() => {
                let created = self.context.clock().now().saturating_add(self.ahead).unwrap_or_default();
                token(user, password.reveal(), &rand::random::<[u8; 20]>(), created)
            }
            Some(_) | None => String::new(),
        };
        let body = envelope(&format!("{login}{}", ask.header), ask.body);
        let question =
            Soap { port: ask.port, path: ask.path, action: ask.action, body: &body, logs_in: true };
        self.understand(part, question).await
    }

    async fn understand(&mut self, part: &'static str, question: Soap<'_>) -> Result<Option<Node>, Ended> {
        let why = match self.web.soap(&question).await? {
            Part::Said(said) => match said::fault(&said) {
                None => return Ok(Some(said)),
                Some(fault) if fault.is_login && question.logs_in => {
                    let text = format!("the device does not accept the login: {}", fault.text);
                    let said = [("said", Value::from(fault.text))];
                    return Err(Ended(Box::new(Reading::good().fault(
                        OutcomeState::Rejected,
                        "http_auth_rejected",
                        &text,
                        said,
                    ))));
                }
                Some(fault) => fault.text,
            },
            Part::Unknown(why) => why,
        };
        self.seen.unknown.insert(part, why);
        Ok(None)
    }

    /// Whether an answer was one to the question.
    fn understood<T>(&mut self, part: &'static str, answer: Option<T>) -> Option<T> {
        if answer.is_some() {
            self.answered += 1;
            self.seen.unknown.remove(part);
        } else {
            self.seen.unknown.insert(part, "the answer is to another question".to_owned());
        }
        answer
    }

    async fn clock(&mut self) -> Result<(), Ended> {
        let body = format!("<GetSystemDateAndTime xmlns=\"{DEVICE}\"/>");
        let action = format!("{DEVICE}/GetSystemDateAndTime");
        let plain = envelope("", &body);
        let question =
            Soap { port: None, path: &self.asked.path, action: &action, body: &plain, logs_in: false };
        let mut began = self.context.clock().now();
        let mut answer = self.understand("clock", question).await?;
        if answer.is_none() && self.asked.login.is_some() {
            // Against the standard, some want a login for this, too.
            began = self.context.clock().now();
            let path = self.asked.path.clone();
            answer = self
                .ask("clock", &Ask { port: None, path: &path, action: &action, header: "", body: &body })
                .await?;
        }
        let ended = self.context.clock().now();
        let Some(said) = answer else { return Ok(()) };
        let Some((at, follows)) = self.understood("clock", said::clock(&said)) else { return Ok(()) };
        // The device tells whole seconds, so on the average it is half of one ahead of what it says.
        let middle_ms = i64::midpoint(began.as_millisecond(), ended.as_millisecond()).saturating_sub(500);
        let Ok(middle) = Timestamp::from_millisecond(middle_ms) else { return Ok(()) };
        self.ahead = at.duration_since(middle);
        // A device that calls its local time UTC is a whole number of quarter hours off.
        let shown = Shown { at, wall: at.to_zoned(jiff::tz::TimeZone::UTC).datetime(), names_zone: false };
        self.seen.offset_ms = Some(shown.offset_ms(middle, i64::from(self.asked.max_offset_ms)));
        self.seen.follows = follows;
        Ok(())
    }

    async fn device(
        &mut self,
        part: &'static str,
        operation: &str,
        inner: &str,
    ) -> Result<Option<Node>, Ended> {
        let path = self.asked.path.clone();
        self.call(part, (DEVICE, &path), operation, inner).await
    }

    async fn call(
        &mut self,
        part: &'static str,
        (namespace, path): (&str, &str),
        operation: &str,
        inner: &str,
    ) -> Result<Option<Node>, Ended> {
        let body = format!("<{operation} xmlns=\"{namespace}\">{inner}</{operation}>");
        let action = format!("{namespace}/{operation}");
        self.ask(part, &Ask { port: None, path, action: &action, header: "", body: &body }).await
    }

    async fn identity(&mut self) -> Result<(), Ended> {
        let Some(said) = self.device("identity", "GetDeviceInformation", "").await? else { return Ok(()) };
        let answer = said.find("GetDeviceInformationResponse");
        if let Some(said) = self.understood("identity", answer) {
            let word = |name: &str| said.word(name).map(str::to_owned);
            (self.seen.maker, self.seen.model) = (word("Manufacturer"), word("Model"));
            (self.seen.firmware, self.seen.serial) = (word("FirmwareVersion"), word("SerialNumber"));
        }
        Ok(())
    }

    async fn services(&mut self) -> Result<Option<Services>, Ended> {
        let inner = "<IncludeCapability>false</IncludeCapability>";
        if let Some(said) = self.device("services", "GetServices", inner).await?
            && let Some(services) = self.understood("services", said::services(&said))
        {
            return Ok(Some(services));
        }
        let said = self.device("services", "GetCapabilities", "<Category>All</Category>").await?;
        let Some(said) = said else { return Ok(None) };
        Ok(self.understood("services", said::capabilities(&said)))
    }

    async fn media(&mut self, path: &str) -> Result<(), Ended> {
        let Some(said) = self.call("profiles", (MEDIA, path), "GetProfiles", "").await? else {
            return Ok(());
        };
        let Some(profiles) = self.understood("profiles", said::profiles(&said)) else { return Ok(()) };
        self.seen.profiles = Some(profiles.len());
        let Some(first) = profiles.first() else { return Ok(()) };
        let profile = format!("<ProfileToken>{}</ProfileToken>", escaped(first));
        let setup = "<StreamSetup><Stream xmlns=\"http://www.onvif.org/ver10/schema\">RTP-Unicast</Stream>\
                     <Transport xmlns=\"http://www.onvif.org/ver10/schema\"><Protocol>RTSP</Protocol></Transport></StreamSetup>";
        if let Some(said) =
            self.call("stream", (MEDIA, path), "GetStreamUri", &format!("{setup}{profile}")).await?
        {
            self.seen.stream = self.understood("stream", said::uri(&said));
        }
        if let Some(said) = self.call("snapshot", (MEDIA, path), "GetSnapshotUri", &profile).await? {
            self.seen.snapshot = self.understood("snapshot", said::uri(&said));
        }
        Ok(())
    }

    /// Subscribes, reads what each property is, unsubscribes.
    async fn events(&mut self, path: &str) -> Result<(), Ended> {
        let addressed = |action: &str, to: &str| {
            format!(
                "<Action xmlns=\"http://www.w3.org/2005/08/addressing\" s:mustUnderstand=\"1\">{action}</Action>\
                 <To xmlns=\"http://www.w3.org/2005/08/addressing\" s:mustUnderstand=\"1\">{}</To>",
                escaped(to)
            )
        };
        let body = format!(
            "<CreatePullPointSubscription xmlns=\"{EVENTS}\"><InitialTerminationTime>PT60S</InitialTerminationTime>\
             </CreatePullPointSubscription>"
        );
        let create = Ask { port: None, path, action: CREATE, header: "", body: &body };
        let Some(said) = self.ask("events", &create).await? else { return Ok(()) };
        let Some(address) = self.understood("events", said::subscription(&said)) else { return Ok(()) };
        let (port, path) = (said::port(&address), said::path(&address).unwrap_or_else(|| "/".to_owned()));
        let body = format!(
            "<PullMessages xmlns=\"{EVENTS}\"><Timeout>PT2S</Timeout><MessageLimit>{MESSAGES}</MessageLimit></PullMessages>"
        );
        let header = addressed(PULL, &address);
        let pull = Ask { port, path: &path, action: PULL, header: &header, body: &body };
        let pulled = self.ask("events", &pull).await;
        // Whatever came of it, the place is given back.
        let body = format!("<Unsubscribe xmlns=\"{NOTIFY}\"/>");
        let header = addressed(UNSUBSCRIBE, &address);
        let unsubscribe = Ask { port, path: &path, action: UNSUBSCRIBE, header: &header, body: &body };
        let said = match pulled {
            Ok(said) => said,
            // After a refusal nothing more is asked; the place is free in a minute.
            Err(ended) => return Err(ended),
        };
        self.ask("unsubscribe", &unsubscribe).await?;
        if let Some(said) = said {
            self.seen.notices = self.understood("events", said::notices(&said));
        }
        Ok(())
    }
}
