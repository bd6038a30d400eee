//! A camera's stream over RTSP (RFC 2326) behind Digest login, its packets interleaved: 25 frames a second of H.264 in name, three
//! slices each, a key frame a second (RFC 3550, RFC 6184). Nothing in them is a picture; whoever watches does not decode.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::clock::now_ms;
use super::device::{Device, Setup};
use super::digest::{Realm, Verdict};
use super::onvif::STREAM;
use super::trouble::Trouble;
use super::web::read_head;

const MOST_CONNECTIONS: usize = 64;
const FRAMES_PER_S: u32 = 25;
const SLICES: usize = 3;
/// Bytes of a slice of a key frame, and of another one.
const SLICE_BYTES: (usize, usize) = (1_100, 300);
/// Ticks of the clock of H.264 in a second.
const CLOCK_RATE: u32 = 90_000;
/// What its description gives to H.264.
const PAYLOAD_TYPE: u8 = 0x60;
/// Each so many packets one is lost while packets are lost.
const LOST_OF: u16 = 5;

/// A listening stream server.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    realm: Realm,
}

impl Server {
    /// Listens on `address`.
    pub async fn open(address: (Ipv4Addr, u16), setup: &Setup) -> Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, realm: Realm::of(address.0, setup) })
    }

    /// Accepts until it is dropped, which cuts every connection.
    pub async fn serve(self, device: &Arc<Device>) {
        let Self { listener, realm } = self;
        let realm = Arc::new(realm);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => {
                    if let Ok((stream, _)) = accepted {
                        connections.spawn(talk(Arc::clone(device), Arc::clone(&realm), stream));
                    }
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn talk(device: Arc<Device>, realm: Arc<Realm>, stream: TcpStream) {
    let (reader, mut writer) = stream.into_split();
    let mut asked = Box::pin(next(reader));
    let mut play: Option<Play> = None;
    loop {
        tokio::select! {
            (reader, head) = &mut asked => {
                let Some(head) = head else { return };
                device.think().await;
                let (answer, effect) = respond(&device, &realm, &head);
                if writer.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
                match effect {
                    Effect::Play => play = Some(Play::new()),
                    Effect::End => play = None,
                    Effect::Nothing => {}
                }
                asked = Box::pin(next(reader));
            }
            () = tick(play.as_mut()), if play.is_some() => {
                if let Some(play) = &mut play && play.send(&device, &mut writer).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// The next request, with what reads the one after it.
async fn next(mut reader: OwnedReadHalf) -> (OwnedReadHalf, Option<String>) {
    let head = read_head(&mut reader).await;
    (reader, head)
}

async fn tick(play: Option<&mut Play>) {
    if let Some(play) = play {
        play.frames.tick().await;
    }
}

/// What follows from an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Nothing,
    Play,
    End,
}

fn respond(device: &Device, realm: &Realm, head: &str) -> (String, Effect) {
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let header = |wanted: &str| {
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.trim())
    };
    let sequence = header("cseq").unwrap_or("0");
    let say = |status: &str, more: &str, body: &str| {
        format!("RTSP/1.0 {status}\r\nCSeq: {sequence}\r\nServer: sitewarden-sim\r\n{more}\r\n{body}")
    };
    if method == "OPTIONS" {
        let methods = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n";
        return (say("200 OK", methods, ""), Effect::Nothing);
    }
    let stale = match realm.judge(method, target, header("authorization"), now_ms()) {
        Verdict::Welcome => None,
        Verdict::Unasked | Verdict::Rejected => Some(false),
        Verdict::Stale => Some(true),
    };
    if let Some(stale) = stale {
        let challenge = format!("WWW-Authenticate: {}\r\n", realm.challenge(now_ms(), stale));
        return (say("401 Unauthorized", &challenge, ""), Effect::Nothing);
    }
    let session = "Session: 70912385;timeout=60\r\n";
    let no = |status: &str| (say(status, "", ""), Effect::Nothing);
    match method {
        "DESCRIBE" if device.has(Trouble::Renamed) || !target.contains(STREAM) => no("404 Stream Not Found"),
        "DESCRIBE" if device.has(Trouble::Source) => no("503 Service Unavailable"),
        "DESCRIBE" => {
            let body = description();
            let more = format!(
                "Content-Base: {}/\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n",
                target.trim_end_matches('/'),
                body.len()
            );
            (say("200 OK", &more, &body), Effect::Nothing)
        }
        "SETUP" if device.has(Trouble::Busy) => no("453 Not Enough Bandwidth"),
        "SETUP" => {
            let more = format!("{session}Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n");
            (say("200 OK", &more, ""), Effect::Nothing)
        }
        "PLAY" => (say("200 OK", session, ""), Effect::Play),
        "TEARDOWN" => (say("200 OK", "", ""), Effect::End),
        _ => no("501 Not Implemented"),
    }
}

fn description() -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=Simulated\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\n\
         a=rtpmap:96 H264/{CLOCK_RATE}\r\na=framerate:{FRAMES_PER_S}\r\na=fmtp:96 packetization-mode=1\r\na=control:track1\r\n"
    )
}

/// A stream that plays.
struct Play {
    frames: Interval,
    frame: u32,
    sequence: u16,
}

impl Play {
    fn new() -> Self {
        let mut frames = interval(Duration::from_secs(1) / FRAMES_PER_S);
        // What was late is sent at once, as a camera's queue does.
        frames.set_missed_tick_behavior(MissedTickBehavior::Burst);
        Self { frames, frame: 0, sequence: 0 }
    }

    /// Sends the slices of one frame.
    async fn send(&mut self, device: &Device, writer: &mut (impl AsyncWrite + Unpin)) -> std::io::Result<()> {
        let is_key = self.frame.is_multiple_of(FRAMES_PER_S) && !device.has(Trouble::KeyFrame);
        let time = self.frame.wrapping_mul(CLOCK_RATE / FRAMES_PER_S);
        self.frame = self.frame.wrapping_add(1);
        if device.has(Trouble::Stall) {
            return Ok(());
        }
        let mut pieces = Vec::new();
        for slice in 0..SLICES {
            self.sequence = self.sequence.wrapping_add(1);
            if device.has(Trouble::Loss) && self.sequence.is_multiple_of(LOST_OF) {
                continue;
            }
            let bytes = if is_key { SLICE_BYTES.0 } else { SLICE_BYTES.1 };
            let mark = if slice + 1 == SLICES { 0x80 } else { 0 };
            let length = (12 + bytes) as u16;
            pieces.extend_from_slice(&[b'$', 0]);
            pieces.extend_from_slice(&length.to_be_bytes());
            pieces.extend_from_slice(&[0x80, mark | PAYLOAD_TYPE]);
            pieces.extend_from_slice(&self.sequence.to_be_bytes());
            pieces.extend_from_slice(&time.to_be_bytes());
            pieces.extend_from_slice(&u32::from(device.address()).to_be_bytes());
            // nal_unit_type 5 is a slice of a key frame, 1 one of another.
            pieces.push(if is_key { 0x65 } else { 0x41 });
            pieces.resize(pieces.len() + bytes - 1, 0x5a);
        }
        writer.write_all(&pieces).await
    }
}
