//! Mail by SMTP (RFC 5321) to the operator's relay.

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::AsyncSmtpTransport;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Address, AsyncTransport, Tokio1Executor};

use super::answer::{Refusal, Sent};
use super::{Outgoing, chain};
use crate::config::{Smtp, SmtpTls};

/// A connection to the mail relay.
#[derive(Clone, Debug)]
pub(super) struct Mailer {
    relay: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    /// A relay as configured; nothing is connected yet.
    pub(super) fn new(config: &Smtp) -> anyhow::Result<Self> {
        use anyhow::Context;
        let from = config.from.parse().with_context(|| {
            format!("[smtp] from = \"{}\" is not a mail address; write `Name <name@host>`", config.from)
        })?;
        let parameters =
            || TlsParameters::new(config.host.clone()).context("[smtp] host cannot be used for TLS");
        let (tls, port) = match config.tls {
            SmtpTls::None => (Tls::None, 25),
            SmtpTls::Starttls => (Tls::Required(parameters()?), 587),
            SmtpTls::Tls => (Tls::Wrapper(parameters()?), 465),
        };
        let mut relay = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
            .port(config.port.unwrap_or(port))
            .tls(tls)
            .timeout(Some(crate::page::SEND_TIMEOUT));
        if let Some(user) = &config.user {
            let password = match &config.password_file {
                Some(file) => std::fs::read_to_string(file).with_context(|| {
                    format!("[smtp] password_file = \"{}\" cannot be read", file.display())
                })?,
                None => String::new(),
            };
            relay = relay.credentials(Credentials::new(user.clone(), password.trim_end().to_owned()));
        }
        Ok(Self { relay: relay.build(), from })
    }

    /// The relay's answer. What it refuses for good (5xx) about this mail it refuses again.
    pub(super) async fn send(&self, page: &Outgoing) -> Sent {
        let to: Mailbox = page
            .address
            .parse()
            .map_err(|_| Refusal::Never(format!("`{}` is not a mail address", page.address)))?;
        let key = HeaderValue::new(
            HeaderName::new_from_ascii_str("X-Sitewarden-Key"),
            page.key.replace(|c: char| !c.is_ascii_graphic(), ""),
        );
        let mail = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(&page.message.subject)
            .header(ContentType::TEXT_PLAIN)
            .raw_header(key)
            .body(page.message.text.clone())
            .map_err(|error| Refusal::Never(chain(&error)))?;
        let answer = self.relay.send(mail).await.map_err(|error| {
            let is_final = error.is_permanent();
            let words = chain(&error);
            if is_final { Refusal::Never(words) } else { Refusal::later(words) }
        })?;
        Ok(format!("{} {}", answer.code(), answer.message().collect::<Vec<_>>().join(" ")))
    }
}

pub(super) fn check(address: &str) -> Result<(), String> {
    address
        .parse::<Address>()
        .map(drop)
        .map_err(|_| format!("`{address}` is not a mail address; write `name@host`"))
}
