//! Does a stream flow? RTSP (RFC 2326) over one TCP connection, its packets interleaved; nothing is decoded.
//!
//! A camera that answers every ping may show nothing: its encoder hangs, its sessions are used up, its stream has another
//! name since an update. So the stream is asked for and set up, looked at for some seconds, and given back. What is
//! said of its packets is in [`flow`]; a stream of black frames flows well, and only a picture tells.
//!
//! One thing is wrong at a time: what follows from the first is not told besides. What a device refuses for
//! reasons that say nothing about its picture (403, no TCP transport) leaves the picture unknown.

pub mod flow;
pub mod message;
pub mod sdp;
mod session;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use self::flow::{Codec, Flow};
use self::message::Response;
use self::session::{Session, Trouble};
use super::OutcomeState::{Bad, Rejected, Silent};
use super::{Failure, Reading, resolve};
use crate::config::Rtsp;

/// A stream that was silent for so long at the end has stopped; less if it was looked at for less.
const STOPPED: Duration = Duration::from_secs(2);
/// A camera slows down at night; this part of the declared frames is far too few by any light.
const FPS_PART: f64 = 0.4;
/// Packets of which a part may be lost; fewer say nothing.
const LOSS_MIN: u64 = 50;

/// Looks at a stream.
///
/// Values: `connect_ms`, `first_packet_ms`, `fps`, `kbps`, `loss_percent`. Facts: `server`, `codec`, `declared_fps`.
/// Faults: `rtsp_*` of the catalogue.
pub(crate) async fn read(address: &str, asked: &Rtsp, limit: Duration) -> Reading {
    let began = Instant::now();
    // What is known when the time is up is told, instead of nothing.
    let deadline = began + limit - (limit / 8).min(Duration::from_millis(500));
    let target = match resolve(address, asked.port).await {
        Ok(target) => target,
        Err(failure) => return failure.into_reading("rtsp_silent"),
    };
    let login = asked.login.as_ref().map(|(user, password)| (user.as_str(), password));
    let mut session = match Session::open(target, login).await {
        Ok(session) => session,
        Err(error) => return Failure::from_io(&error, target).into_reading("rtsp_silent"),
    };
    let reading = Reading::good().value("connect_ms", began.elapsed().as_secs_f64() * 1_000.0);
    let url = url(address, asked);
    let found = match timeout_at(deadline, open(&mut session, &url, reading)).await {
        Ok(Ok((stream, reading))) => Ok((stream, reading)),
        Ok(Err(stopped)) => Err(stopped),
        Err(_) => Err(Stopped::Late),
    };
    match found {
        Ok((stream, reading)) => {
            let ended = watch(&mut session, Instant::now() + asked.look, deadline).await;
            let until_ms = session.at_ms();
            give_back(&mut session, &stream.base).await;
            match session.picture.take() {
                Some((_, flow)) => judge(reading, &flow, &stream, asked, until_ms, ended.as_ref()),
                None => reading,
            }
        }
        Err(stopped) => {
            if session.id.is_some() {
                give_back(&mut session, &url).await;
            }
            stopped.into_reading(target, session.has_answered)
        }
    }
}

/// A stream that plays.
struct Stream {
    /// What its session is about.
    base: String,
    declared_fps: Option<f64>,
    playing_ms: f64,
}

/// Why nothing plays.
enum Stopped {
    /// No answer.
    Trouble(Trouble),
    /// An answer that is no yes.
    Status { step: &'static str, response: Box<Response> },
    /// There is nothing here that this check can look at.
    Unclear(&'static str),
    /// The time ran out.
    Late,
}

impl From<Trouble> for Stopped {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// Describes, sets up and plays the picture.
async fn open(
    session: &mut Session<'_>,
    url: &str,
    mut reading: Reading,
) -> Result<(Stream, Reading), Stopped> {
    // Some devices do not know OPTIONS for a stream; that they answer is enough.
    let options = session.ask("OPTIONS", url, "").await?;
    let described = granted(session, "DESCRIBE", url, "Accept: application/sdp\r\n").await?;
    if let Some(server) = described.header("server").or_else(|| options.header("server")) {
        reading = reading.fact("server", server);
    }
    let base = described.header("content-base").or_else(|| described.header("content-location"));
    let base = base.filter(|base| base.starts_with("rtsp://") && is_one_word(base)).unwrap_or(url).to_owned();
    let said = sdp::parse(&String::from_utf8_lossy(&described.body));
    let video = said.video.ok_or(Stopped::Unclear("the stream describes no video"))?;
    reading = reading.fact("codec", &video.codec);
    if let Some(fps) = video.fps {
        reading = reading.fact("declared_fps", &fps.to_string());
    }
    let codec = match video.codec.as_str() {
        _ if video.has_don => Codec::Other,
        "H264" => Codec::H264,
        "H265" | "HEVC" => Codec::H265,
        _ => Codec::Other,
    };
    let control = sdp::resolve(&base, video.control.as_deref());
    let aggregate = sdp::resolve(&base, said.control.as_deref());
    if !is_one_word(&control) || !is_one_word(&aggregate) {
        return Err(Stopped::Unclear("the stream's address in its description is no address"));
    }
    session.picture = Some((0, Flow::new(codec, video.clock_rate)));
    let transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
    let set_up = granted(session, "SETUP", &control, transport).await?;
    // Some devices name no session and want none.
    let id = set_up.header("session").and_then(|id| id.split(';').next()).map(str::trim);
    session.id = id.filter(|id| !id.is_empty() && is_one_word(id)).map(str::to_owned);
    let transport = set_up.header("transport").unwrap_or_default();
    match (channel(transport), transport.contains("TCP") || transport.is_empty()) {
        (Some(channel), _) => {
            if let Some((pictures, _)) = &mut session.picture {
                *pictures = channel;
            }
        }
        (None, true) => {}
        (None, false) => return Err(Stopped::Unclear("the device sends the stream over UDP only")),
    }
    granted(session, "PLAY", &aggregate, "Range: npt=0.000-\r\n").await?;
    Ok((Stream { base: aggregate, declared_fps: video.fps, playing_ms: session.at_ms() }, reading))
}

async fn granted(
    session: &mut Session<'_>,
    step: &'static str,
    url: &str,
    more: &str,
) -> Result<Response, Stopped> {
    let response = session.ask(step, url, more).await?;
    if response.status == 200 {
        Ok(response)
    } else {
        Err(Stopped::Status { step, response: Box::new(response) })
    }
}

/// What goes into a request's head must not end it.
fn is_one_word(text: &str) -> bool {
    text.len() <= 2_048 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The first number of `interleaved=0-1`.
fn channel(transport: &str) -> Option<u8> {
    let (_, rest) = transport.split_once("interleaved=")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Listens until `enough`, and until the deadline for a first packet and a first key frame. The device's own end of it.
async fn watch(session: &mut Session<'_>, enough: Instant, deadline: Instant) -> Option<Trouble> {
    for until in [enough.min(deadline), deadline] {
        let has_all = |session: &Session<'_>| {
            session.picture.as_ref().is_some_and(|(_, flow)| {
                flow.packets > 0 && (flow.key_frames > 0 || !flow.tells_key_frames())
            })
        };
        if until == deadline && Instant::now() >= enough && has_all(session) {
            break;
        }
        loop {
            match timeout_at(until, session.hear()).await {
                Ok(Ok(_)) if Instant::now() >= enough && has_all(session) => return None,
                Ok(Ok(_)) => {}
                Ok(Err(trouble)) => return Some(trouble),
                Err(_) => break,
            }
        }
    }
    None
}

/// Ends the session. Its answer is waited for, because a connection that is closed with packets unread may take the
/// request with it.
async fn give_back(session: &mut Session<'_>, url: &str) {
    let until = Instant::now() + Duration::from_millis(300);
    let _ = timeout_at(until, async {
        if session.send("TEARDOWN", url, "").await.is_ok() {
            let _ = session.answer().await;
        }
    })
    .await;
}

impl Stopped {
    fn into_reading(self, target: SocketAddr, has_answered: bool) -> Reading {
        let good = Reading::good();
        match self {
            Self::Trouble(Trouble::Rejected(text)) => good.fault(Rejected, "rtsp_auth_rejected", text, []),
            Self::Trouble(Trouble::Socket(error)) => {
                let failure = Failure::from_io(&error, target);
                let evidence = [("reason", Value::from(failure.reason))];
                good.fault(if has_answered { Bad } else { Silent }, "rtsp_silent", &failure.text, evidence)
            }
            Self::Trouble(Trouble::Malformed(malformed)) => {
                let text = format!("{target} answered, but {malformed}");
                good.fault(Bad, "rtsp_silent", &text, [("reason", Value::from("invalid"))])
            }
            Self::Trouble(Trouble::TooMuch) => {
                let text = format!("{target} sends without end and answers nothing");
                good.fault(Bad, "rtsp_silent", &text, [("reason", Value::from("invalid"))])
            }
            Self::Late => {
                let text = format!("{target} did not answer in time");
                let state = if has_answered { Bad } else { Silent };
                good.fault(state, "rtsp_silent", &text, [("reason", Value::from("timeout"))])
            }
            Self::Unclear(text) => {
                good.fault(Bad, "rtsp_unclear", text, [("step", "DESCRIBE".into()), ("status", 200.into())])
            }
            Self::Status { step, response } => {
                let code = match response.status {
                    404 | 410 => "rtsp_not_found",
                    453 => "rtsp_busy",
                    500 | 502..=504 => "rtsp_unavailable",
                    _ => "rtsp_unclear",
                };
                let said = [("step", Value::from(step)), ("status", Value::from(response.status))];
                let text = format!("it answered {} {} to {step}", response.status, response.reason);
                good.fault(Bad, code, &text, said)
            }
        }
    }
}

/// One decimal place is what anybody reads.
fn round(number: f64) -> Value {
    Value::from((number * 10.0).round() / 10.0)
}

/// What the packets prove.
fn judge(
    mut reading: Reading,
    flow: &Flow,
    stream: &Stream,
    asked: &Rtsp,
    until_ms: f64,
    ended: Option<&Trouble>,
) -> Reading {
    let looked_ms = until_ms - stream.playing_ms;
    let has_poured = matches!(ended, Some(Trouble::TooMuch));
    let silent_ms = until_ms - flow.times_ms().map_or(stream.playing_ms, |(_, last)| last);
    let stopped_ms = STOPPED.min(asked.look / 2).as_secs_f64() * 1_000.0;
    if let Some((first_ms, _)) = flow.times_ms() {
        reading = reading
            .value("first_packet_ms", (first_ms - stream.playing_ms).max(0.0))
            .value("loss_percent", flow.loss_percent());
    }
    for (name, value) in [("fps", flow.fps()), ("kbps", flow.kbps())] {
        if let Some(value) = value {
            reading = reading.value(name, value);
        }
    }
    if flow.packets == 0 || silent_ms > stopped_ms || (ended.is_some() && !has_poured) {
        let text = if flow.packets == 0 {
            format!("it said that the stream plays, and no packet came within {looked_ms:.0} ms")
        } else if ended.is_some() {
            format!("the stream broke off after {} packets", flow.packets)
        } else {
            format!("the stream stopped after {} packets", flow.packets)
        };
        let evidence = [
            ("packets", Value::from(flow.packets)),
            ("looked_ms", Value::from(looked_ms.round())),
            ("silent_ms", Value::from(silent_ms.round())),
        ];
        return reading.fault(Bad, "rtsp_no_packets", &text, evidence);
    }
    let limit = f64::from(asked.max_loss_percent);
    if flow.expected() >= LOSS_MIN && flow.loss_percent() > limit {
        let text = format!("{} of {} packets were lost", flow.lost(), flow.expected());
        let evidence = [
            ("lost", Value::from(flow.lost())),
            ("expected", Value::from(flow.expected())),
            ("percent", round(flow.loss_percent())),
            ("limit_percent", round(limit)),
        ];
        return reading.fault(Bad, "rtsp_loss_high", &text, evidence);
    }
    if flow.tells_key_frames() && flow.key_frames == 0 {
        let text = format!("{} frames in {looked_ms:.0} ms, and none of them is a key frame", flow.frames);
        let evidence = [("frames", Value::from(flow.frames)), ("looked_ms", Value::from(looked_ms.round()))];
        return reading.fault(Bad, "rtsp_no_key_frame", &text, evidence);
    }
    let least = asked.min_fps.map(f64::from).or_else(|| stream.declared_fps.map(|fps| fps * FPS_PART));
    if let (Some(fps), Some(least)) = (flow.fps(), least)
        && fps < least
    {
        let text = format!("{fps:.1} frames a second, at least {least:.1} should be");
        let evidence =
            [("fps", round(fps)), ("min_fps", round(least)), ("declared_fps", stream.declared_fps.into())];
        return reading.fault(Bad, "rtsp_fps_low", &text, evidence);
    }
    if let (Some(kbps), Some(least)) = (flow.kbps(), asked.min_kbps)
        && kbps < f64::from(least)
    {
        let text = format!("{kbps:.0} kbit/s, at least {least} should be");
        return reading.fault(
            Bad,
            "rtsp_bitrate_low",
            &text,
            [("kbps", round(kbps)), ("min_kbps", least.into())],
        );
    }
    reading
}

fn url(address: &str, asked: &Rtsp) -> String {
    let host = if address.contains(':') && !address.starts_with('[') {
        format!("[{address}]")
    } else {
        address.to_owned()
    };
    format!("rtsp://{host}:{}{}", asked.port, asked.path)
}
