//! Slack: an incoming webhook that calls the person by name.
//! <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>

use serde_json::json;

use super::answer::{Refusal, Sent, fetch};
use super::sign::clip;
use super::{Outgoing, chat_text};

/// What a text may have, bytes; Slack cuts at 40,000 characters.
const TEXT_MAX: usize = 30_000;

pub(super) async fn send(http: &reqwest::Client, page: &Outgoing) -> Sent {
    let url = page.settings.need("webhook_url")?;
    let call = match page.address.as_str() {
        "all" => "<!channel>".to_owned(),
        id => format!("<@{}>", plain(id)),
    };
    let text = format!("{call} {}", plain(&clip(&chat_text(page), TEXT_MAX)));
    let answer = fetch(http.post(url).json(&json!({ "text": text }))).await?;
    match (answer.status, answer.body.trim()) {
        (200, "ok") => Ok(answer.words()),
        (200, _) => Err(Refusal::later(format!("not an answer of Slack: {}", answer.words()))),
        _ => answer.by_status(),
    }
}

/// The three characters that Slack reads as its own.
fn plain(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
