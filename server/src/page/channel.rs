//! The channels a page can leave by. Each says what the provider answered, or why it did not take it.

mod email;
mod http;

use crate::config::Config;

/// The channels of this release.
pub const CHANNELS: &[&str] = &["email", "webhook", "http"];

/// A page, put together and ready to go.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// One of [`CHANNELS`].
    pub channel: String,
    /// A mail address, or a URL.
    pub address: String,
    /// For `http`: what to send, see [`check`].
    pub template: String,
    /// Lets the receiver recognise a repeat.
    pub key: String,
    /// The words.
    pub message: super::Message,
    /// Where a person takes the ticket; empty when there is nothing to take.
    pub link: String,
    /// The same for machines.
    pub payload: serde_json::Value,
}

/// The clients behind the channels, made once.
#[derive(Clone, Debug)]
pub struct Senders {
    email: Option<email::Mailer>,
    http: reqwest::Client,
}

impl Senders {
    /// The clients that the configuration calls for.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        Ok(Self { email: config.smtp.as_ref().map(email::Mailer::new).transpose()?, http: http::client()? })
    }

    /// Sends one page; the provider's answer, or why it was not taken.
    pub async fn send(&self, page: &Outgoing) -> Result<String, String> {
        match page.channel.as_str() {
            "email" => match &self.email {
                Some(mailer) => mailer.send(page).await,
                None => {
                    Err("no mail relay is configured; add [smtp] with host and from to the configuration"
                        .into())
                }
            },
            "webhook" => http::webhook(&self.http, page).await,
            "http" => http::template(&self.http, page).await,
            other => Err(format!("channel `{other}` is unknown to this release")),
        }
    }
}

/// Why an address or a template cannot be used on a channel, and what would do.
pub fn check(channel: &str, address: &str, template: &str) -> Result<(), String> {
    match channel {
        "email" => email::check(address),
        "webhook" => http::check_url(address),
        "http" => http::check_url(address).and_then(|()| http::check_template(template)),
        other => Err(format!("channel `{other}` is unknown; use one of {}", CHANNELS.join(", "))),
    }
}

/// The causes of an error on one line: the outermost word alone rarely says what to mend.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        cause = inner.source();
    }
    words
}
