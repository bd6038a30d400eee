//! The person who is paged in a soak: a web server that takes pages slowly, refuses some, remembers every one,
//! and presses the button behind some of the links.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinSet;

use super::Moment;
use crate::sim::demo::client::anonymous;

/// A page as it arrived.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Its idempotency key.
    pub key: String,
    /// It said that it may be a repeat.
    pub is_repeat: bool,
    /// It was answered with 200; a refused one does not count as received.
    pub is_taken: bool,
}

/// The receiving end.
#[derive(Clone, Debug)]
pub struct Desk {
    inner: Arc<Mutex<Inner>>,
    moments: broadcast::Sender<Moment>,
    /// Where it is reached.
    pub address: String,
}

#[derive(Debug)]
struct Inner {
    random: StdRng,
    is_patient: bool,
    receipts: Vec<Receipt>,
    /// Tickets whose button was pressed, and the server said yes.
    acked: Vec<String>,
    presses: JoinSet<Option<String>>,
}

impl Desk {
    /// Opens it on a free port.
    pub async fn open(
        seed: u64,
        moments: broadcast::Sender<Moment>,
        tasks: &mut JoinSet<()>,
    ) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let inner = Inner {
            random: StdRng::seed_from_u64(seed),
            is_patient: false,
            receipts: Vec::new(),
            acked: Vec::new(),
            presses: JoinSet::new(),
        };
        let address = format!("http://{}/pages", listener.local_addr()?);
        let desk = Self { inner: Arc::new(Mutex::new(inner)), moments, address };
        let app = axum::Router::new().route("/pages", axum::routing::post(take)).with_state(desk.clone());
        tasks.spawn(async move {
            let _ = axum::serve(listener, app).await;
        });
        Ok(desk)
    }

    /// From now on every page is taken at once.
    pub fn calm_down(&self) {
        self.lock().is_patient = true;
    }

    /// Everything that arrived, in order.
    pub fn receipts(&self) -> Vec<Receipt> {
        self.lock().receipts.clone()
    }

    /// The tickets that were taken by their link, as far as the server said yes.
    pub fn acked(&self) -> Vec<String> {
        let mut inner = self.lock();
        while let Some(pressed) = inner.presses.try_join_next() {
            inner.acked.extend(pressed.ok().flatten());
        }
        inner.acked.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a page; how long to think about it.
    fn note(&self, payload: &Value, key: &str) -> (bool, Duration) {
        let mut inner = self.lock();
        let is_taken = inner.is_patient || inner.random.random_bool(0.93);
        let think = Duration::from_millis(inner.random.random_range(0..60));
        let presses = inner.random.random_bool(0.3);
        inner.receipts.push(Receipt { key: key.to_owned(), is_repeat: payload["repeat"] == true, is_taken });
        if let (true, true, Some(link), Some(ticket)) =
            (is_taken, presses, payload["link"].as_str(), payload["ticket"]["id"].as_str())
            && !link.is_empty()
        {
            let (link, ticket) = (link.to_owned(), ticket.to_owned());
            inner.presses.spawn(async move {
                let pressed = anonymous().ok()?.post(link).send().await.ok()?;
                pressed.status().is_success().then_some(ticket)
            });
        }
        (is_taken, think)
    }
}

async fn take(State(desk): State<Desk>, headers: HeaderMap, Json(payload): Json<Value>) -> StatusCode {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or_default();
    let (is_taken, think) = desk.note(&payload, key);
    let _ = desk.moments.send(Moment::Paged);
    tokio::time::sleep(think).await;
    if is_taken { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}
