//! What was sent to people: the end of the line for webhook and mail pages, kept for the panel.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::clock::now_ms;

const KEPT: usize = 500;

/// One page as it arrived.
#[derive(Clone, Debug, Serialize)]
pub struct Received {
    /// Unix milliseconds.
    pub at: i64,
    /// `webhook` or `email`.
    pub channel: &'static str,
    /// Who it was for: the mail's recipients, or the webhook's path.
    pub to: String,
    /// The mail's subject; empty for a webhook.
    pub subject: String,
    /// The mail's text, or the webhook's body.
    pub text: String,
}

/// The newest pages; the oldest make room.
#[derive(Debug, Default)]
pub struct Sink(Mutex<VecDeque<Received>>);

impl Sink {
    /// Keeps one page.
    pub fn push(&self, channel: &'static str, to: String, subject: String, text: String) {
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pages.len() == KEPT {
            pages.pop_front();
        }
        pages.push_back(Received { at: now_ms(), channel, to, subject, text });
    }

    /// All that are kept, oldest first.
    pub fn pages(&self) -> Vec<Received> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
