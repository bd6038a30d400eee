//! What the gateways of a soak watch: web servers on loopback that are well, refuse, or fall silent when the
//! plan says so, and that remember it. A target knows how often its gateway has looked since the last change,
//! so it knows when the gateway must have written the change down: that makes the plan's truth exact.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use rand::Rng as _;
use rand::rngs::StdRng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;

use super::{Moment, now_ms};

/// Outcomes that confirm a change, both ways. With one, a busy machine that answers late would be a trouble.
const CONFIRM: u32 = 2;
/// Looks beyond the confirming one after which it is certainly on disk: the next probe starts only after the
/// commit, and one more may be the last word of a process that was killed.
const LOOKS_SPARE: u32 = 2;
/// A probe gives up sooner.
const HOLD: Duration = Duration::from_secs(5);

/// How a target behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Answers 200.
    Well,
    /// Answers 503.
    Refuses,
    /// Takes the connection and says nothing.
    Silent,
}

/// One change of mood.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// When, Unix milliseconds.
    pub at: i64,
    /// To what.
    pub to: Mood,
}

/// One watched web server.
#[derive(Debug)]
pub struct Target {
    /// The number of the gateway that watches it.
    pub gateway: usize,
    /// Its name.
    pub name: String,
    /// Its port on loopback.
    pub port: u16,
    state: Mutex<State>,
    moments: broadcast::Sender<Moment>,
}

#[derive(Debug)]
struct State {
    mood: Mood,
    changes: Vec<Change>,
    looks: u32,
}

impl Target {
    /// A target that is well, and the task that answers for it.
    pub async fn open(
        gateway: usize,
        name: String,
        moments: broadcast::Sender<Moment>,
        tasks: &mut JoinSet<()>,
    ) -> Result<Arc<Self>> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let state = Mutex::new(State { mood: Mood::Well, changes: Vec::new(), looks: 0 });
        let target = Arc::new(Self { gateway, name, port, state, moments });
        let answering = Arc::clone(&target);
        tasks.spawn(async move {
            let mut visits = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let target = Arc::clone(&answering);
                visits.spawn(async move { target.visit(stream).await });
                while visits.try_join_next().is_some() {}
            }
        });
        Ok(target)
    }

    /// Its only check, in the format of a device. `flap`: so many raises within half an hour are too many; 0 = none.
    pub fn checks(&self, flap: u8) -> String {
        let port = self.port;
        format!(
            "[[check]]\nkind = \"http\"\nport = {port}\nevery = \"1s\"\ntimeout = \"900ms\"\n\
             confirm = \"{CONFIRM}/{CONFIRM}\"\nclear = {CONFIRM}\nflap = {flap}\n"
        )
    }

    /// Changes its mood as the plan says.
    pub fn change(&self, to: Mood) {
        let mut state = self.lock();
        state.mood = to;
        state.looks = 0;
        state.changes.push(Change { at: now_ms(), to });
    }

    /// Its mood now.
    pub fn mood(&self) -> Mood {
        self.lock().mood
    }

    /// Everything that happened to it, in order.
    pub fn changes(&self) -> Vec<Change> {
        self.lock().changes.clone()
    }

    /// Its gateway died: what it saw may not be on disk.
    pub fn forget_looks(&self) {
        self.lock().looks = 0;
    }

    /// Its gateway has certainly written down how it is.
    pub fn is_on_record(&self) -> bool {
        self.lock().looks >= CONFIRM + LOOKS_SPARE
    }

    /// Changes mood at random, but only what is on record, until told to stop.
    pub async fn live(self: Arc<Self>, mut random: StdRng, mut stop: watch::Receiver<bool>) {
        loop {
            let rest = Duration::from_millis(random.random_range(50..1_500));
            let next = match self.mood() {
                Mood::Refuses | Mood::Silent => Mood::Well,
                Mood::Well if random.random_bool(0.5) => Mood::Silent,
                Mood::Well => Mood::Refuses,
            };
            tokio::select! {
                () = self.on_record_and_rested(rest) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            self.change(next);
        }
    }

    async fn on_record_and_rested(&self, rest: Duration) {
        while !self.is_on_record() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(rest).await;
    }

    async fn visit(&self, mut stream: TcpStream) {
        let (mood, changes) = {
            let state = self.lock();
            (state.mood, state.changes.len())
        };
        let mut head = [0_u8; 2048];
        let asked = tokio::time::timeout(HOLD, stream.read(&mut head)).await;
        if !matches!(asked, Ok(Ok(read)) if read > 0) {
            return;
        }
        let answer = match mood {
            Mood::Well => "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            Mood::Refuses => {
                "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            }
            Mood::Silent => {
                // Until the probe gives up.
                let _ = tokio::time::timeout(HOLD, stream.read(&mut head)).await;
                ""
            }
        };
        let _ = stream.write_all(answer.as_bytes()).await;
        let mut state = self.lock();
        // An answer of the mood before says nothing about this one.
        if state.changes.len() == changes {
            state.looks += 1;
            if state.looks == CONFIRM && changes > 0 {
                let _ = self.moments.send(Moment::Confirmed);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
