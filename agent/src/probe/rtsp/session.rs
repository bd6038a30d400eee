//! One conversation with a stream server: requests with their login, answers, and the packets between them.
//!
//! A 401 that answers our credentials is final. The exception, once in a conversation, is a nonce that ran out: the
//! device says so, or it has accepted the same credentials before and hands out another nonce.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::flow::Flow;
use super::message::{Heard, Malformed, Response, take};
use crate::config::Secret;
use crate::probe::digest::Challenge;

/// Most bytes that are taken in one conversation: 17 megabits a second for a quarter of a minute.
const TOTAL_MAX: u64 = 32 * 1024 * 1024;
const REFUSED: &str = "the device does not accept the user or the password";
const AGENT: &str = concat!("sitewarden-agent/", env!("CARGO_PKG_VERSION"));

/// A conversation.
#[derive(Debug)]
pub(super) struct Session<'a> {
    stream: TcpStream,
    buffer: BytesMut,
    taken: u64,
    began: Instant,
    sequence: u32,
    login: Option<(&'a str, &'a Secret)>,
    way: Way,
    is_accepted: bool,
    has_retried: bool,
    /// The device has answered something.
    pub(super) has_answered: bool,
    /// The stream's session id, once there is one.
    pub(super) id: Option<String>,
    /// The channel of the pictures, and what came on it.
    pub(super) picture: Option<(u8, Flow)>,
}

/// How requests are signed.
#[derive(Debug)]
enum Way {
    /// Nobody asked yet.
    Open,
    Basic,
    Digest(Challenge),
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The socket's words.
    Socket(io::Error),
    /// The device speaks something else.
    Malformed(Malformed),
    /// It poured more than anyone takes.
    TooMuch,
    /// It does not accept the login, or there is none.
    Rejected(&'static str),
}

impl<'a> Session<'a> {
    pub(super) async fn open(target: SocketAddr, login: Option<(&'a str, &'a Secret)>) -> io::Result<Self> {
        let stream = TcpStream::connect(target).await?;
        Ok(Self {
            stream,
            buffer: BytesMut::with_capacity(16 * 1024),
            taken: 0,
            began: Instant::now(),
            sequence: 0,
            login,
            way: Way::Open,
            is_accepted: false,
            has_retried: false,
            has_answered: false,
            id: None,
            picture: None,
        })
    }

    /// Milliseconds since the connection stood.
    pub(super) fn at_ms(&self) -> f64 {
        self.began.elapsed().as_secs_f64() * 1_000.0
    }

    /// Sends a request and waits for its answer, logging in where the device wants it.
    pub(super) async fn ask(&mut self, method: &str, url: &str, more: &str) -> Result<Response, Trouble> {
        loop {
            let is_signed = self.send(method, url, more).await?;
            let response = self.answer().await?;
            self.has_answered = true;
            if response.status != 401 {
                self.is_accepted |= is_signed;
                return Ok(response);
            }
            if self.login.is_none() {
                return Err(Trouble::Rejected(
                    "the device asks for a user and password, and the check has none",
                ));
            }
            let offered = response.headers("www-authenticate");
            let challenge = Challenge::strongest(offered);
            if is_signed {
                let is_fresh = challenge.as_ref().is_some_and(|new| {
                    let is_other = matches!(&self.way, Way::Digest(old) if old.nonce() != new.nonce());
                    is_other && (new.is_stale() || self.is_accepted)
                });
                if !is_fresh || std::mem::replace(&mut self.has_retried, true) {
                    return Err(Trouble::Rejected(REFUSED));
                }
            }
            let offers_basic = response
                .headers("www-authenticate")
                .any(|line| line.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic")));
            self.way = match challenge {
                Some(challenge) => Way::Digest(challenge),
                None if offers_basic => Way::Basic,
                None => return Err(Trouble::Rejected("the device offers no sign-in that is known here")),
            };
        }
    }

    /// Sends one request; whether it bears our credentials.
    pub(super) async fn send(&mut self, method: &str, url: &str, more: &str) -> Result<bool, Trouble> {
        self.sequence += 1;
        let mut text =
            format!("{method} {url} RTSP/1.0\r\nCSeq: {}\r\nUser-Agent: {AGENT}\r\n{more}", self.sequence);
        if let Some(id) = &self.id {
            let _ = write!(text, "Session: {id}\r\n");
        }
        let signed = match (&mut self.way, self.login) {
            (Way::Open, _) | (_, None) => None,
            (Way::Basic, Some((user, password))) => {
                Some(format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.reveal()))))
            }
            (Way::Digest(challenge), Some((user, password))) => Some(
                challenge
                    .answer(user, password.reveal(), method, url)
                    .ok_or(Trouble::Rejected("the device's Digest challenge cannot be answered"))?,
            ),
        };
        if let Some(signed) = &signed {
            let _ = write!(text, "Authorization: {signed}\r\n");
        }
        text.push_str("\r\n");
        self.stream.write_all(text.as_bytes()).await.map_err(Trouble::Socket)?;
        Ok(signed.is_some())
    }

    /// Waits for the next answer; packets that come before it are counted.
    pub(super) async fn answer(&mut self) -> Result<Response, Trouble> {
        loop {
            if let Heard::Response(response) = self.hear().await?
                && response.status >= 200
            {
                return Ok(response);
            }
        }
    }

    /// Waits for the next piece. May be dropped while it waits without losing anything.
    pub(super) async fn hear(&mut self) -> Result<Heard, Trouble> {
        loop {
            if let Some(heard) = take(&mut self.buffer).map_err(Trouble::Malformed)? {
                let at_ms = self.at_ms();
                if let (Heard::Packet { channel, bytes }, Some((pictures, flow))) =
                    (&heard, &mut self.picture)
                    && channel == pictures
                {
                    flow.add(at_ms, bytes);
                }
                return Ok(heard);
            }
            if self.taken >= TOTAL_MAX {
                return Err(Trouble::TooMuch);
            }
            let read = self.stream.read_buf(&mut self.buffer).await.map_err(Trouble::Socket)?;
            if read == 0 {
                return Err(Trouble::Socket(io::ErrorKind::UnexpectedEof.into()));
            }
            self.taken += read as u64;
        }
    }
}
