//! The channels a page can leave by. Each says what the provider answered, or why it did not take it, and
//! whether it is any use to try again.

mod aliyun;
pub mod answer;
mod dingtalk;
mod email;
mod feishu;
pub mod heartbeat;
mod http;
mod ntfy;
pub mod outlet;
pub mod settings;
mod sign;
mod slack;
mod telegram;
mod tencent;
mod twilio;
pub mod web_push;
mod wecom;

use std::time::Duration;

use jiff::Timestamp;

pub use answer::{Refusal, Sent};
pub use settings::{KINDS, Settings};

use crate::config::Config;
use crate::text::Language;
use settings::Address;

/// A page, put together and ready to go.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// One of [`KINDS`] by its name.
    pub channel: String,
    /// Where the person is reached on it.
    pub address: String,
    /// For `http`: what to send, see [`check`].
    pub template: String,
    /// What an administrator has set for the channel.
    pub settings: Settings,
    /// Lets the receiver recognise a repeat.
    pub key: String,
    /// The language of the words.
    pub language: Language,
    /// It may ring through a silent phone.
    pub urgent: bool,
    /// The ticket, where pages about the same one should take each other's place; may be empty.
    pub ticket: String,
    /// The words.
    pub message: super::Message,
    /// Where a person takes the ticket; empty when there is nothing to take.
    pub link: String,
    /// The same for machines.
    pub payload: serde_json::Value,
}

/// The clients behind the channels, made once.
#[derive(Debug)]
pub struct Senders {
    email: Option<email::Mailer>,
    http: reqwest::Client,
    wecom: wecom::Tokens,
    limit: Duration,
}

impl Senders {
    /// The clients that the configuration calls for.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        Self::with_limit(config, super::SEND_TIMEOUT)
    }

    /// The same with another time that one attempt may take.
    pub fn with_limit(config: &Config, limit: Duration) -> anyhow::Result<Self> {
        Ok(Self {
            email: config.smtp.as_ref().map(email::Mailer::new).transpose()?,
            http: http::client(limit)?,
            wecom: wecom::Tokens::default(),
            limit,
        })
    }

    /// Sends one page; the provider's answer, or why it was not taken. Ends in time.
    pub async fn send(&self, page: &Outgoing, now: Timestamp) -> Sent {
        match tokio::time::timeout(self.limit, self.by_channel(page, now)).await {
            Ok(sent) => sent,
            Err(_) => Err(Refusal::later(format!("no answer within {} s", self.limit.as_secs_f32()))),
        }
    }

    async fn by_channel(&self, page: &Outgoing, now: Timestamp) -> Sent {
        let http = &self.http;
        match page.channel.as_str() {
            "email" => match &self.email {
                Some(mailer) => mailer.send(page).await,
                None => Err(Refusal::later(
                    "no mail relay is configured; add [smtp] with host and from to the configuration",
                )),
            },
            "webhook" => http::webhook(http, page).await,
            "http" => http::template(http, page).await,
            "wecom_app" => wecom::app(http, &self.wecom, page, now).await,
            "wecom_robot" => wecom::robot(http, page).await,
            "dingtalk" => dingtalk::send(http, page, now).await,
            "feishu" => feishu::send(http, page, now).await,
            "slack" => slack::send(http, page).await,
            "telegram" => telegram::send(http, page).await,
            "aliyun_sms" => aliyun::sms(http, page, now).await,
            "aliyun_voice" => aliyun::voice(http, page, now).await,
            "tencent_sms" => tencent::sms(http, page, now).await,
            "tencent_voice" => tencent::voice(http, page, now).await,
            "twilio_sms" => twilio::sms(http, page).await,
            "twilio_voice" => twilio::voice(http, page).await,
            "web_push" => web_push::send(http, page, now).await,
            "ntfy" => ntfy::send(http, page).await,
            other => Err(Refusal::Never(format!("channel `{other}` is unknown to this release"))),
        }
    }
}

/// Why an address or a template cannot be used on a channel, and what would do.
pub fn check(channel: &str, address: &str, template: &str) -> Result<(), String> {
    let Some(kind) = settings::find(channel) else {
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        return Err(format!("channel `{channel}` is unknown; use one of {}", names.join(", ")));
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.@+:".contains(c);
    match kind.address {
        Address::Mail => email::check(address),
        Address::Url if channel == "http" => {
            http::check_url(address).and_then(|()| http::check_template(template))
        }
        Address::Url => http::check_url(address),
        Address::Phone => {
            let digits = address.strip_prefix('+').unwrap_or_default();
            if (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
                Ok(())
            } else {
                Err(format!("`{address}` is not a number with its country code; write `+8613800000000`"))
            }
        }
        Address::Id | Address::Mention if address.chars().all(plain) && address.len() <= 128 => Ok(()),
        Address::Id => Err(format!("`{address}` is not an id; copy it from the provider's own page")),
        Address::Mention => Err(format!(
            "`{address}` is neither a phone number nor an id; write `all` to call everybody in the group"
        )),
        Address::Topic => {
            let fits = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
            if address.len() <= 64 && address.chars().all(fits) {
                Ok(())
            } else {
                Err(format!("`{address}` is not a topic; use 1 to 64 of A-Z a-z 0-9 _ -"))
            }
        }
        Address::Subscription => web_push::check(address),
    }
}

/// An address as people may read it.
pub fn shown(channel: &str, address: &str) -> String {
    if channel == "web_push" { web_push::shown(address) } else { address.to_owned() }
}

/// What stands in a chat.
fn chat_text(page: &Outgoing) -> String {
    format!("{}\n\n{}", page.message.subject, page.message.text)
}

/// What stands in a short message.
fn short_text(page: &Outgoing) -> String {
    format!("{} {}", page.message.subject, page.link).trim_end().to_owned()
}

/// What is read aloud: signs that would be spelt are left out.
fn spoken_text(page: &Outgoing) -> String {
    page.message.subject.replace(['#', '[', ']', '·', '_', '/'], " ")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_fits_its_channel() {
        for (channel, good, bad) in [
            ("email", "li.wei@example.com", "li.wei"),
            ("webhook", "https://x/y", "x/y"),
            ("aliyun_sms", "+8613800000000", "13800000000"),
            ("dingtalk", "all", "the whole group"),
            ("wecom_app", "LiWei", "Li Wei"),
            ("telegram", "-1001234567890", "@my channel"),
            ("ntfy", "north-gate_7", "north gate"),
        ] {
            assert_eq!(check(channel, good, ""), Ok(()), "{channel}");
            assert!(check(channel, bad, "").is_err(), "{channel}");
        }
        assert!(check("pigeon", "x", "").unwrap_err().contains("twilio_voice"));
    }
}
