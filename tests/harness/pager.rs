//! What the people in a story receive. A real web server takes the pages of the webhook channel; a story
//! says which ones it expects, and nothing else may have come.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::Value;
use tokio::sync::Notify;

/// One page as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// To whom.
    pub person: String,
    /// What.
    pub payload: Value,
}

impl Received {
    /// A text of the payload by its JSON pointer.
    pub fn word(&self, pointer: &str) -> String {
        let value = self.payload.pointer(pointer).cloned().unwrap_or_default();
        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
    }

    /// The link by which the person takes the ticket.
    pub fn link(&self) -> String {
        self.word("/link")
    }
}

/// A receiver of pages.
#[derive(Clone, Debug)]
pub struct Pager {
    base: String,
    inbox: Arc<Mutex<Inbox>>,
    arrived: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Inbox {
    pages: VecDeque<Received>,
    refusing: bool,
    /// Takes pages and never answers.
    hanging: bool,
    /// Who does not take pages.
    away: BTreeSet<String>,
    refused: u32,
    beats: Vec<String>,
}

impl Pager {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let pager = Self { base, inbox: Arc::default(), arrived: Arc::default() };
        let app = axum::Router::new()
            .route("/{person}", axum::routing::post(take))
            .route("/beats/{name}", axum::routing::get(beat))
            .with_state(pager.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        pager
    }

    /// The address at which `person` is reached.
    pub fn address(&self, person: &str) -> String {
        format!("{}/{person}", self.base)
    }

    /// The address to which heartbeats of that name go.
    pub fn beats_at(&self, name: &str) -> String {
        format!("{}/beats/{name}", self.base)
    }

    /// Takes one heartbeat of that name; `false` when there is none left.
    pub fn beat(&self, name: &str) -> bool {
        let beats = &mut self.lock().beats;
        let at = beats.iter().position(|beat| beat == name);
        at.map(|at| beats.remove(at)).is_some()
    }

    /// From now on pages are refused with 503, or taken again.
    pub fn refuse(&self, refusing: bool) {
        self.lock().refusing = refusing;
    }

    /// From now on pages for one person are refused, or taken again.
    pub fn refuse_for(&self, person: &str, refusing: bool) {
        let away = &mut self.lock().away;
        if refusing {
            away.insert(person.to_owned());
        } else {
            away.remove(person);
        }
    }

    /// From now on pages are taken and never answered, or answered again.
    pub fn hang(&self, hanging: bool) {
        self.lock().hanging = hanging;
    }

    /// Waits for a page to arrive; one that came since the last call counts.
    pub async fn arrival(&self) {
        self.arrived.notified().await;
    }

    /// Everything that has come, in its order.
    pub fn take_all(&self) -> Vec<Received> {
        self.lock().pages.drain(..).collect()
    }

    /// How many were refused so far.
    pub fn refused(&self) -> u32 {
        self.lock().refused
    }

    /// The next page for `person`; its subject must hold every one of `words`.
    #[track_caller]
    pub fn expect(&self, person: &str, words: &[&str]) -> Received {
        let mut inbox = self.lock();
        let at = inbox.pages.iter().position(|page| page.person == person);
        let page = at.and_then(|at| inbox.pages.remove(at));
        let Some(page) = page else {
            panic!("no page came for {person} with {words:?}; there are {:#?}", inbox.pages);
        };
        let subject = page.word("/subject");
        for word in words {
            assert!(subject.contains(word), "`{word}` is not in the page's subject `{subject}`");
        }
        page
    }

    /// Nothing else was sent.
    #[track_caller]
    pub fn expect_nothing_else(&self) {
        let pages = &self.lock().pages;
        assert!(pages.is_empty(), "pages that nobody expected: {pages:#?}");
    }

    /// Keeps a page; `false` when it is refused.
    fn keep(&self, person: String, payload: Value) -> bool {
        let mut inbox = self.lock();
        let refused = inbox.refusing || inbox.away.contains(&person);
        if refused {
            inbox.refused += 1;
        } else {
            inbox.pages.push_back(Received { person, payload });
        }
        !refused
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn beat(State(pager): State<Pager>, Path(name): Path<String>) -> StatusCode {
    pager.lock().beats.push(name);
    StatusCode::OK
}

async fn take(
    State(pager): State<Pager>,
    Path(person): Path<String>,
    Json(payload): Json<Value>,
) -> StatusCode {
    if !pager.keep(person, payload) {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    pager.arrived.notify_one();
    if pager.lock().hanging {
        std::future::pending::<()>().await;
    }
    StatusCode::OK
}
