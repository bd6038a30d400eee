//! Every echo of the gateway goes through one socket per address family, owned by one task.
//!
//! Whoever wants an echo puts an [`Ask`] into a bounded channel and gets exactly one [`Answer`]. An answer
//! counts for an echo only when identifier, sequence, token and source fit; what does not is counted as a
//! stray. Packets leave in batches, no faster than the pace allows, and at most [`OPEN_MAX`] echoes are
//! open at a time. Who asks while it is full waits in the channel.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, sleep_until};

use super::pace::Pace;
use super::packet::{self, Echo, Family, Heard, LENGTH, Why};
use super::socket::{BATCH, EchoSocket, Received, Sent};

/// Echoes that may wait for an answer at a time; further ones wait to be sent.
const OPEN_MAX: usize = 16_384;
/// Asks that may wait in the channel; who brings more waits.
const ASKS: usize = 256;
/// Pause when the kernel's queue is full.
const FULL_PAUSE: Duration = Duration::from_millis(1);
/// Batches read before something else gets its turn.
const ROUNDS: usize = 16;

/// What became of one echo.
#[derive(Debug)]
pub enum Answer {
    /// It came back.
    Echoed {
        /// From the moment it was sent.
        rtt: Duration,
    },
    /// A router, or the device's own network stack, says that it cannot be delivered.
    Refused {
        /// Who says so.
        by: IpAddr,
        /// What it says.
        why: Why,
    },
    /// Nothing was heard in time.
    Lost,
    /// This gateway could not send it.
    NotSent(io::Error),
}

/// One echo that somebody wants.
#[derive(Debug)]
pub(super) struct Ask {
    pub target: IpAddr,
    /// How long an answer may take, counted from the sending.
    pub wait: Duration,
    /// Given back with the answer.
    pub tag: usize,
    /// Takes the answer; it must have room for it, or the answer is lost.
    pub to: mpsc::Sender<(usize, Answer)>,
}

/// All echoes of a gateway. Opened when first needed; a failure is not remembered, so that an operator who
/// corrects a permission need not restart the agent.
#[derive(Debug)]
pub struct Engine {
    per_second: u32,
    v4: Mutex<Option<mpsc::Sender<Ask>>>,
    v6: Mutex<Option<mpsc::Sender<Ask>>>,
    strays: Arc<AtomicU64>,
}

impl Engine {
    /// Sends at most `per_second` echoes in a second, in bursts of no more than a twentieth of that; 0 is
    /// as fast as the machine can.
    pub fn new(per_second: u32) -> Self {
        Self { per_second, v4: Mutex::default(), v6: Mutex::default(), strays: Arc::default() }
    }

    /// Packets that looked like answers and fitted no open echo: late, doubled or forged ones.
    pub fn strays(&self) -> u64 {
        self.strays.load(Ordering::Relaxed)
    }

    /// Where to put asks for addresses of the target's family.
    pub(super) async fn asks(&self, target: IpAddr) -> io::Result<mpsc::Sender<Ask>> {
        let family = Family::of(target);
        let mut line = match family {
            Family::V4 => self.v4.lock().await,
            Family::V6 => self.v6.lock().await,
        };
        if let Some(asks) = line.as_ref().filter(|asks| !asks.is_closed()) {
            return Ok(asks.clone());
        }
        let socket = EchoSocket::open(family)?;
        let (sender, asks) = mpsc::channel(ASKS);
        let table = Table::new(family, self.per_second, Arc::clone(&self.strays), Instant::now());
        // It ends when nobody can ask any more.
        tokio::spawn(run(socket, table, asks));
        *line = Some(sender.clone());
        Ok(sender)
    }
}

async fn run(socket: EchoSocket, mut table: Table, mut asks: mpsc::Receiver<Ask>) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut full_until = None;
    loop {
        let now = Instant::now();
        table.expire(now);
        full_until = full_until.filter(|until| *until > now);
        let room = if full_until.is_some() { 0 } else { table.room(now).min(BATCH) };
        if room > 0 && !batch.is_empty() {
            full_until = table.send(&socket, &mut batch, room);
            // What answers at once need not wait for the next look at the socket.
            table.listen(&socket);
            continue;
        }
        let wake = table.wake(now, full_until, room == 0);
        tokio::select! {
            biased;
            ready = socket.ready() => match ready {
                Ok(()) => socket.read_ready(|| table.listen(&socket)),
                Err(_) => return,
            },
            taken = asks.recv_many(&mut batch, room), if room > 0 => {
                if taken == 0 {
                    return;
                }
            }
            () = sleep_until(wake) => {}
        }
    }
}

/// The echoes that are open.
struct Table {
    family: Family,
    open: HashMap<u16, Open>,
    due: BTreeSet<(Instant, u16)>,
    next: u16,
    pace: Pace,
    strays: Arc<AtomicU64>,
    received: Vec<Received>,
}

struct Open {
    ask: Ask,
    token: u64,
    sent_at: Instant,
}

impl Table {
    fn new(family: Family, per_second: u32, strays: Arc<AtomicU64>, now: Instant) -> Self {
        Self {
            family,
            open: HashMap::new(),
            due: BTreeSet::new(),
            next: rand::random(),
            pace: Pace::new(per_second, now),
            strays,
            received: Vec::with_capacity(BATCH),
        }
    }

    /// How many echoes may be sent now.
    fn room(&mut self, now: Instant) -> usize {
        self.pace.allowed(now).min(OPEN_MAX.saturating_sub(self.open.len()))
    }

    /// When there is something to do that nobody else brings.
    fn wake(&self, now: Instant, full_until: Option<Instant>, held: bool) -> Instant {
        let due = self.due.first().map(|(at, _)| *at);
        let paced = (held && full_until.is_none() && self.open.len() < OPEN_MAX).then(|| self.pace.next());
        let idle = now + Duration::from_hours(1);
        [due, paced, full_until].into_iter().flatten().min().unwrap_or(idle)
    }

    /// Sends up to `room` asks; those that did not get out stay in `batch`. The answer is when to try again
    /// if the kernel's queue is full.
    fn send(&mut self, socket: &EchoSocket, batch: &mut Vec<Ask>, room: usize) -> Option<Instant> {
        let echoes: Vec<Echo> = batch.iter().take(room).map(|_| self.draw(socket.id())).collect();
        let packets: Vec<(IpAddr, [u8; LENGTH])> = batch
            .iter()
            .zip(&echoes)
            .map(|(ask, echo)| (ask.target, packet::request(self.family, *echo)))
            .collect();
        let now = Instant::now();
        let mut sent = socket.send(&packets);
        if matches!(sent, Sent::Refused(_)) {
            // A datagram socket also tells here of an error that an earlier echo met, and tells it once.
            self.listen(socket);
            sent = socket.send(&packets);
        }
        match sent {
            Sent::Out(count) => {
                self.pace.spend(count);
                for (ask, echo) in batch.drain(..count).zip(echoes) {
                    self.insert(ask, echo, now);
                }
                None
            }
            Sent::Full => Some(now + FULL_PAUSE),
            Sent::Refused(error) => {
                let ask = batch.remove(0);
                let _ = ask.to.try_send((ask.tag, Answer::NotSent(error)));
                None
            }
        }
    }

    /// A sequence number that no open echo has, and a token that nobody can guess. Numbers are given out in
    /// turn, at most [`OPEN_MAX`] of 65,536 are taken, so a free one is near.
    fn draw(&mut self, id: u16) -> Echo {
        while self.open.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let seq = self.next;
        self.next = self.next.wrapping_add(1);
        Echo { id, seq, token: rand::random() }
    }

    fn insert(&mut self, ask: Ask, echo: Echo, sent_at: Instant) {
        self.due.insert((sent_at + ask.wait, echo.seq));
        self.open.insert(echo.seq, Open { ask, token: echo.token, sent_at });
    }

    /// Reads what has come in; true when nothing is left.
    fn listen(&mut self, socket: &EchoSocket) -> bool {
        let mut received = std::mem::take(&mut self.received);
        let drained = (0..ROUNDS).any(|_| !socket.receive(&mut received))
            & (0..ROUNDS * BATCH).any(|_| !socket.receive_error(&mut received));
        let now = Instant::now();
        for packet in received.drain(..) {
            self.take(packet, now, |id| socket.is_ours(id));
        }
        self.received = received;
        drained
    }

    fn take(&mut self, packet: Received, now: Instant, is_ours: impl Fn(u16) -> bool) {
        let (seq, id) = match packet.heard {
            Heard::Reply(echo) => (echo.seq, echo.id),
            Heard::Refused { quoted, .. } => (quoted.seq, quoted.id),
        };
        if !is_ours(id) {
            return;
        }
        let fits = self.open.get(&seq).is_some_and(|open| match packet.heard {
            Heard::Reply(echo) => echo.token == open.token && packet.from == open.ask.target,
            Heard::Refused { quoted, .. } => {
                quoted.target == open.ask.target && quoted.token.is_none_or(|token| token == open.token)
            }
        });
        let Some(open) = fits.then(|| self.close(seq)).flatten() else {
            self.strays.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let answer = match packet.heard {
            Heard::Reply(_) => Answer::Echoed { rtt: now.saturating_duration_since(open.sent_at) },
            Heard::Refused { why, .. } => Answer::Refused { by: packet.from, why },
        };
        let _ = open.ask.to.try_send((open.ask.tag, answer));
    }

    fn expire(&mut self, now: Instant) {
        while let Some((at, seq)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, seq));
            if let Some(open) = self.open.remove(&seq) {
                let _ = open.ask.to.try_send((open.ask.tag, Answer::Lost));
            }
        }
    }

    fn close(&mut self, seq: u16) -> Option<Open> {
        let open = self.open.remove(&seq)?;
        self.due.remove(&(open.sent_at + open.ask.wait, seq));
        Some(open)
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::Quoted;
    use super::*;

    const TARGET: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 8));
    const WAIT: Duration = Duration::from_secs(1);

    struct Play {
        table: Table,
        answers: mpsc::Receiver<(usize, Answer)>,
        to: mpsc::Sender<(usize, Answer)>,
        now: Instant,
    }

    fn play() -> Play {
        let (to, answers) = mpsc::channel(8);
        let now = Instant::now();
        Play { table: Table::new(Family::V4, 0, Arc::default(), now), answers, to, now }
    }

    impl Play {
        fn sent(&mut self, tag: usize) -> Echo {
            let echo = self.table.draw(5);
            let ask = Ask { target: TARGET, wait: WAIT, tag, to: self.to.clone() };
            self.table.insert(ask, echo, self.now);
            echo
        }

        fn hears(&mut self, from: IpAddr, heard: Heard) -> Option<(usize, Answer)> {
            let later = self.now + Duration::from_millis(3);
            self.table.take(Received { from, heard }, later, |id| id == 5);
            self.answers.try_recv().ok()
        }

        fn strays(&self) -> u64 {
            self.table.strays.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn an_answer_counts_once_and_only_with_its_token_and_from_its_source() {
        let mut play = play();
        let echo = play.sent(1);
        for (from, lie) in [
            (TARGET, Echo { token: echo.token ^ 1, ..echo }),
            (TARGET, Echo { seq: echo.seq.wrapping_add(1), ..echo }),
            (OTHER, echo),
        ] {
            assert!(play.hears(from, Heard::Reply(lie)).is_none(), "{lie:?} from {from}");
        }
        assert!(play.hears(TARGET, Heard::Reply(Echo { id: 6, ..echo })).is_none(), "another program's");
        assert_eq!(play.strays(), 3, "what was for another program is none of our strays");
        let answer = play.hears(TARGET, Heard::Reply(echo));
        assert!(
            matches!(answer, Some((1, Answer::Echoed { rtt })) if rtt == Duration::from_millis(3)),
            "{answer:?}"
        );
        assert!(play.hears(TARGET, Heard::Reply(echo)).is_none(), "a doubled answer");
        assert_eq!((play.strays(), play.table.due.len()), (4, 0));
    }

    #[test]
    fn a_late_answer_is_not_one_for_the_next_echo() {
        let mut play = play();
        let first = play.sent(1);
        play.table.expire(play.now + WAIT);
        assert!(matches!(play.answers.try_recv(), Ok((1, Answer::Lost))));
        play.table.next = first.seq;
        let second = play.sent(2);
        assert_eq!(first.seq, second.seq);
        assert!(play.hears(TARGET, Heard::Reply(first)).is_none());
        assert!(matches!(play.hears(TARGET, Heard::Reply(second)), Some((2, Answer::Echoed { .. }))));
    }

    #[test]
    fn a_router_is_believed_when_it_quotes_our_request() {
        let mut play = play();
        let echo = play.sent(1);
        let quoted = Quoted { target: TARGET, id: 5, seq: echo.seq, token: None };
        let says = |quoted| Heard::Refused { quoted, why: Why::NoHost };
        assert!(play.hears(OTHER, says(Quoted { target: OTHER, ..quoted })).is_none(), "another target");
        assert!(play.hears(OTHER, says(Quoted { token: Some(1), ..quoted })).is_none(), "a wrong token");
        let answer = play.hears(OTHER, says(quoted));
        assert!(matches!(answer, Some((1, Answer::Refused { by: OTHER, why: Why::NoHost }))), "{answer:?}");
    }

    #[test]
    fn open_echoes_are_bounded_and_their_numbers_differ() {
        let mut play = play();
        for tag in 0..OPEN_MAX {
            play.sent(tag);
        }
        assert_eq!((play.table.open.len(), play.table.room(play.now)), (OPEN_MAX, 0));
        assert_eq!(play.table.wake(play.now, None, true), play.now + WAIT, "room comes with the first loss");
        play.table.expire(play.now + WAIT);
        assert_eq!(play.table.room(play.now), OPEN_MAX);
    }
}
