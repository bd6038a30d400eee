//! Events for other programs: what stands and what ended, as Alertmanager takes it, as PagerDuty takes it, or as
//! JSON of our own under a signature.
//!
//! <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>,
//! <https://developer.pagerduty.com/docs/send-alert-event>

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Senders;
use super::answer::{Answer, Refusal, Sent, fetch};
use super::sign::{hex, hmac_sha256};

/// How long Alertmanager believes what it was told: three times as long as until it is told again.
const STANDS_FOR: SignedDuration = SignedDuration::from_mins(15);

/// The kinds of receiver.
pub const KINDS: &[&str] = &["alertmanager", "pagerduty", "webhook"];

/// What a receiver should know of one ticket.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "named as on the API")]
pub struct Event {
    pub key: String,
    /// `open`, `acked` or `closed`.
    pub state: String,
    pub number: i64,
    pub code: String,
    pub severity: String,
    /// The severity under which the receiver knows it; empty at first.
    pub told_severity: String,
    pub summary: String,
    pub site: String,
    pub customer: String,
    pub device: String,
    pub opened_at: i64,
    pub closed_at: Option<i64>,
    pub acked_by: String,
    pub link: String,
}

/// A receiver.
#[derive(Clone, Debug)]
pub struct Outlet {
    /// One of [`KINDS`].
    pub kind: String,
    /// Its base address, or for a webhook the whole.
    pub url: String,
    /// The routing key, the bearer token, or what the webhook is signed with; may be empty but for PagerDuty.
    pub secret: String,
}

impl Senders {
    /// Tells a receiver one event. Ends in time.
    pub async fn tell(&self, outlet: &Outlet, event: &Event, now: Timestamp) -> Sent {
        let told = async {
            let answer = fetch(self.request(outlet, event, now)).await?;
            judge(&outlet.kind, &answer)
        };
        match tokio::time::timeout(self.limit, told).await {
            Ok(sent) => sent,
            Err(_) => Err(Refusal::later(format!("no answer within {} s", self.limit.as_secs_f32()))),
        }
    }

    fn request(&self, outlet: &Outlet, event: &Event, now: Timestamp) -> reqwest::RequestBuilder {
        let base = outlet.url.trim_end_matches('/');
        match outlet.kind.as_str() {
            "alertmanager" => {
                let request = self.http.post(format!("{base}/api/v2/alerts")).json(&alerts(event, now));
                if outlet.secret.is_empty() { request } else { request.bearer_auth(&outlet.secret) }
            }
            "pagerduty" => self.http.post(format!("{base}/v2/enqueue")).json(&enqueue(event, &outlet.secret)),
            _ => {
                let body = plain(event).to_string();
                let timestamp = now.as_second().to_string();
                let tag = hmac_sha256(outlet.secret.as_bytes(), format!("{timestamp}.{body}").as_bytes());
                self.http
                    .post(&outlet.url)
                    .header("content-type", "application/json")
                    .header("idempotency-key", &event.key)
                    .header("x-sitewarden-timestamp", timestamp)
                    .header("x-sitewarden-signature", format!("v1={}", hex(&tag)))
                    .body(body)
            }
        }
    }
}

/// The alert, and its end under a severity that it no longer has: an alert is what its labels are.
fn alerts(event: &Event, now: Timestamp) -> Value {
    let rfc3339 = |ms| crate::clock::from_ms(ms).to_string();
    let alert = |severity: &str, ends_at: Timestamp| {
        json!({
            "labels": { "alertname": if event.code.is_empty() { "ticket" } else { &event.code }, "severity": severity,
                "ticket": event.number.to_string(), "site": event.site, "customer": event.customer,
                "device": event.device },
            "annotations": { "summary": event.summary, "acknowledged_by": event.acked_by },
            "startsAt": rfc3339(event.opened_at), "endsAt": ends_at.to_string(), "generatorURL": event.link,
        })
    };
    let ends_at = match event.state.as_str() {
        "closed" => event.closed_at.map_or(now, crate::clock::from_ms),
        _ => now.checked_add(STANDS_FOR).unwrap_or(now),
    };
    let mut alerts = vec![alert(&event.severity, ends_at)];
    if !event.told_severity.is_empty() && event.told_severity != event.severity {
        alerts.push(alert(&event.told_severity, now));
    }
    Value::Array(alerts)
}

fn enqueue(event: &Event, routing_key: &str) -> Value {
    let action = match event.state.as_str() {
        "closed" => "resolve",
        "acked" => "acknowledge",
        _ => "trigger",
    };
    let severity = match event.severity.as_str() {
        "critical" => "critical",
        "major" => "error",
        "minor" => "warning",
        _ => "info",
    };
    json!({
        "routing_key": routing_key, "event_action": action, "dedup_key": format!("sitewarden-{}", event.number),
        "client": "Sitewarden", "client_url": event.link,
        "payload": { "summary": event.summary.chars().take(1024).collect::<String>(), "source": event.site,
            "severity": severity, "timestamp": crate::clock::from_ms(event.opened_at).to_string(),
            "component": event.device, "group": event.customer, "class": event.code },
    })
}

fn plain(event: &Event) -> Value {
    json!({
        "key": event.key, "event": match event.state.as_str() { "open" => "opened", other => other },
        "ticket": { "number": event.number, "state": event.state, "severity": event.severity, "code": event.code,
            "summary": event.summary, "opened_at": event.opened_at, "closed_at": event.closed_at,
            "acked_by": event.acked_by, "link": event.link },
        "site": event.site, "customer": event.customer, "device": event.device,
    })
}

fn judge(kind: &str, answer: &Answer) -> Sent {
    match (kind, answer.status) {
        ("pagerduty", 202) if answer.json()["status"] == "success" => Ok(answer.words()),
        ("pagerduty", 429) => Err(answer.later(Some(Duration::from_mins(1)))),
        ("pagerduty", 200..=299) => {
            Err(Refusal::later(format!("not an answer of PagerDuty: {}", answer.words())))
        }
        // A proxy before the receiver may refuse with any status for a moment.
        ("webhook", 300..=499) => Err(answer.later(None)),
        _ => answer.by_status(),
    }
}

/// Why a receiver cannot be used, and what would do.
pub fn check(outlet: &Outlet) -> Result<(), String> {
    if !KINDS.contains(&outlet.kind.as_str()) {
        return Err(format!("kind `{}` is unknown; use one of {}", outlet.kind, KINDS.join(", ")));
    }
    if outlet.kind != "alertmanager" && outlet.secret.is_empty() {
        return Err(match outlet.kind.as_str() {
            "pagerduty" => "the integration's routing key is missing",
            _ => "a secret is missing; the receiver checks the signature with it",
        }
        .into());
    }
    super::http::check_url(&outlet.url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(state: &str) -> Event {
        Event {
            key: "o/t/1".into(),
            state: state.into(),
            number: 1042,
            code: "unreachable".into(),
            severity: "critical".into(),
            told_severity: "major".into(),
            summary: "#1042 cam-3".into(),
            site: "North Gate".into(),
            customer: "Harbour".into(),
            device: "cam-3".into(),
            opened_at: 1_800_000_000_000,
            closed_at: (state == "closed").then_some(1_800_000_060_000),
            acked_by: String::new(),
            link: "https://noc/t/1042".into(),
        }
    }

    #[test]
    fn an_alert_ends_under_the_severity_that_it_no_longer_has() {
        let now = crate::clock::from_ms(1_800_000_030_000);
        let alerts = alerts(&event("open"), now);
        assert_eq!(alerts[0]["labels"]["severity"], "critical");
        assert_eq!(alerts[0]["endsAt"], "2027-01-15T08:15:30Z");
        assert_eq!(
            (&alerts[1]["labels"]["severity"], &alerts[1]["endsAt"]),
            (&json!("major"), &json!("2027-01-15T08:00:30Z"))
        );
        let closed = super::alerts(&Event { told_severity: "critical".into(), ..event("closed") }, now);
        assert_eq!(
            (closed.as_array().map(Vec::len), &closed[0]["endsAt"]),
            (Some(1), &json!("2027-01-15T08:01:00Z"))
        );
    }

    #[test]
    fn pagerduty_is_told_by_one_key_from_trigger_to_resolve() {
        for (state, action) in [("open", "trigger"), ("acked", "acknowledge"), ("closed", "resolve")] {
            let body = enqueue(&event(state), "R0");
            assert_eq!(
                (&body["event_action"], &body["dedup_key"]),
                (&json!(action), &json!("sitewarden-1042"))
            );
            assert_eq!(body["payload"]["severity"], "critical");
        }
    }
}
