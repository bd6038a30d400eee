//! Each channel against a provider that was not written with it: what is sent is judged by the provider's published
//! algorithm, what is answered is what the real one answers, in each of its moods.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use sitewarden_server::config::Config;
use sitewarden_server::page::Message;
use sitewarden_server::page::channel::outlet::{Event, Outlet};
use sitewarden_server::page::channel::{KINDS, Outgoing, Refusal, Senders, Settings, web_push};
use sitewarden_server::text::Language;
use sitewarden_tests::peer::Providers;

const PHONE: &str = "+8613800000000";

/// A channel, the provider that it speaks to, its address and settings; what makes a secret wrong.
struct Case {
    channel: &'static str,
    provider: &'static str,
    address: String,
    values: BTreeMap<String, String>,
    secret: (&'static str, &'static str),
}

fn case(
    channel: &'static str,
    provider: &'static str,
    address: &str,
    values: &[(&str, &str)],
    secret: (&'static str, &'static str),
) -> Case {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Case { channel, provider, address: address.to_owned(), values, secret }
}

async fn cases(providers: &Providers) -> Vec<Case> {
    let base = &providers.base;
    let at = |path: &str| format!("{base}/{path}");
    let key = web_push::new_key().unwrap();
    let tencent = [
        ("base_url", base.as_str()),
        ("secret_id", "AKID"),
        ("secret_key", "tc-secret"),
        ("sdk_app_id", "1400006666"),
        ("sign_name", "腾讯云"),
        ("template_id", "449739"),
    ];
    let aliyun = [
        ("base_url", base.as_str()),
        ("access_key_id", "ali-id"),
        ("access_key_secret", "ali-secret"),
        ("sign_name", "阿里云"),
        ("template_code", "SMS_1"),
        ("tts_code", "TTS_1"),
    ];
    let twilio_at = at("twilio");
    let twilio = [
        ("base_url", twilio_at.as_str()),
        ("account_sid", "AC1"),
        ("auth_token", "tw-token"),
        ("from", "+15005550006"),
    ];
    vec![
        case(
            "wecom_app",
            "wecom",
            "LiWei",
            &[("base_url", &at("wecom")), ("corp_id", "ww1"), ("agent_id", "1000002"), ("secret", "s3cret")],
            ("secret", "x"),
        ),
        case(
            "wecom_robot",
            "wecom",
            PHONE,
            &[("base_url", &at("wecom")), ("key", "robot-key")],
            ("key", "x"),
        ),
        case(
            "dingtalk",
            "dingtalk",
            PHONE,
            &[("base_url", &at("dingtalk")), ("access_token", "ding-token"), ("secret", "SECding")],
            ("secret", "x"),
        ),
        case(
            "feishu",
            "feishu",
            "ou_1",
            &[("base_url", &at("feishu")), ("token", "fs-token"), ("secret", "fs-secret")],
            ("secret", "x"),
        ),
        case(
            "slack",
            "slack",
            "U012",
            &[("webhook_url", &at("slack/services/T0/B0/x"))],
            ("webhook_url", "slack/services/T0/B0/y"),
        ),
        case(
            "telegram",
            "telegram",
            "4711",
            &[("base_url", &at("telegram")), ("token", "7:AAx")],
            ("token", "7:AAy"),
        ),
        case("aliyun_sms", "acs3", PHONE, &aliyun, ("access_key_secret", "x")),
        case("aliyun_voice", "acs3", PHONE, &aliyun, ("access_key_secret", "x")),
        case("tencent_sms", "tc3", PHONE, &tencent, ("secret_key", "x")),
        case("tencent_voice", "tc3", PHONE, &tencent, ("secret_key", "x")),
        case("twilio_sms", "twilio", PHONE, &twilio, ("auth_token", "x")),
        case("twilio_voice", "twilio", PHONE, &twilio, ("auth_token", "x")),
        case(
            "web_push",
            "push",
            &providers.subscription().await,
            &[("subject", "mailto:ops@example.com"), ("private_key", &key)],
            ("subject", "ops"),
        ),
        case("ntfy", "ntfy", "north-gate", &[("base_url", base), ("token", "tk_x")], ("token", "tk_y")),
    ]
}

impl Case {
    fn page(&self) -> Outgoing {
        Outgoing {
            channel: self.channel.into(),
            address: self.address.clone(),
            template: String::new(),
            settings: Settings::new(self.channel, self.values.clone()),
            key: "t1/0/opened/critical/c1".into(),
            language: Language::Zh,
            urgent: true,
            ticket: "t1".into(),
            message: Message {
                subject: "#1042 严重 北门站 <cam-3> & 离线".into(),
                text: "设备不可达\n\n请到现场".into(),
            },
            link: "https://noc.example/a/x".into(),
            payload: json!({ "ticket": { "number": 1042, "severity": "critical" }, "site": { "name": "North Gate" } }),
        }
    }

    fn with(&self, name: &str, value: &str, base: &str) -> Outgoing {
        let mut values = self.values.clone();
        let value = if name.ends_with("_url") { format!("{base}/{value}") } else { value.to_owned() };
        values.insert(name.to_owned(), value);
        Outgoing { settings: Settings::new(self.channel, values), ..self.page() }
    }
}

fn senders(limit: Duration) -> Senders {
    Senders::with_limit(&Config::default(), limit).unwrap()
}

fn now() -> Timestamp {
    "2026-11-26T08:00:00Z".parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_provider_takes_a_page_and_refuses_a_wrong_secret_for_good() {
    let providers = Providers::start().await;
    let cases = cases(&providers).await;
    let tried: Vec<&str> =
        cases.iter().map(|case| case.channel).chain(["email", "webhook", "http"]).collect();
    for kind in KINDS {
        assert!(tried.contains(&kind.name), "{} is not tried against a provider", kind.name);
    }
    for case in &cases {
        providers.moods(&[]).await;
        let senders = senders(Duration::from_secs(15));
        let answer = senders.send(&case.page(), now()).await;
        let words = answer.unwrap_or_else(|refusal| panic!("{}: {refusal:?}", case.channel));
        assert!(words.starts_with("HTTP 2"), "{}: {words}", case.channel);
        let seen = providers.seen().await;
        let got = seen.last().unwrap_or_else(|| panic!("{} was not seen", case.channel));
        assert_eq!(got["provider"], case.channel, "{seen:?}");
        let text = got["text"].as_str().unwrap();
        assert!(text.contains("1042") && text.contains("北门站"), "{}: {text}", case.channel);
        let wrong = case.with(case.secret.0, case.secret.1, &providers.base);
        let refusal = senders.send(&wrong, now()).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Never(_)), "{}: {refusal:?}", case.channel);
        for secret in ["s3cret", "tc-secret", "ali-secret", "tw-token", "SECding", "fs-secret"] {
            assert!(!refusal.words().contains(secret), "{}: {refusal:?}", case.channel);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_strange_answers_are_tried_again_and_gone_addresses_are_told() {
    let providers = Providers::start().await;
    let cases = cases(&providers).await;
    for case in &cases {
        let senders = senders(Duration::from_secs(15));
        providers.moods(&[(case.provider, "limit")]).await;
        match senders.send(&case.page(), now()).await {
            Err(Refusal::Later { after, .. }) => match case.channel {
                "slack" => assert_eq!(after, Some(Duration::from_secs(37))),
                "telegram" => assert_eq!(after, Some(Duration::from_secs(41))),
                "web_push" => assert_eq!(after, Some(Duration::from_secs(53))),
                "twilio_sms" | "twilio_voice" | "ntfy" => assert_eq!(after, None),
                _ => assert!(after >= Some(Duration::from_mins(1)), "{}", case.channel),
            },
            other => panic!("{}: {other:?}", case.channel),
        }
        providers.moods(&[(case.provider, "garbage")]).await;
        let strange = senders.send(&case.page(), now()).await;
        if case.channel != "web_push" {
            assert!(matches!(strange, Err(Refusal::Later { .. })), "{}: {strange:?}", case.channel);
        }
        if ["telegram", "twilio_sms", "web_push"].contains(&case.channel) {
            providers.moods(&[(case.provider, "gone")]).await;
            let gone = senders.send(&case.page(), now()).await;
            assert!(matches!(gone, Err(Refusal::Gone(_))), "{}: {gone:?}", case.channel);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_a_provider_does_not_know_is_refused_for_good() {
    let providers = Providers::start().await;
    providers.moods(&[]).await;
    let senders = senders(Duration::from_secs(15));
    for case in cases(&providers).await {
        let address = match case.channel {
            "wecom_app" => "NoBody",
            "telegram" => "4712",
            "ntfy" => "south-gate",
            channel
                if channel.starts_with("aliyun")
                    || channel.starts_with("tencent")
                    || channel.starts_with("twilio") =>
            {
                "+8613900000000"
            }
            _ => continue,
        };
        let refusal =
            senders.send(&Outgoing { address: address.into(), ..case.page() }, now()).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Never(_)), "{}: {refusal:?}", case.channel);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_does_not_answer_costs_a_bounded_time() {
    let providers = Providers::start().await;
    let cases = cases(&providers).await;
    let moods: Vec<(&str, &str)> = cases.iter().map(|case| (case.provider, "slow")).collect();
    providers.moods(&moods).await;
    let senders = senders(Duration::from_millis(500));
    for case in &cases {
        let refusal = senders.send(&case.page(), now()).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Later { .. }), "{}: {refusal:?}", case.channel);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ended_early_is_replaced_and_one_that_stands_is_kept() {
    let providers = Providers::start().await;
    let case = cases(&providers).await.remove(0);
    let senders = senders(Duration::from_secs(15));
    providers.moods(&[]).await;
    for _ in 0..3 {
        senders.send(&case.page(), now()).await.unwrap();
    }
    let count =
        |seen: &[serde_json::Value], name: &str| seen.iter().filter(|one| one["provider"] == name).count();
    let seen = providers.seen().await;
    assert_eq!((count(&seen, "wecom_token"), count(&seen, "wecom_app")), (1, 3));
    providers.moods(&[("wecom", "expired")]).await;
    senders.send(&case.page(), now()).await.unwrap();
    let seen = providers.seen().await;
    assert_eq!((count(&seen, "wecom_token"), count(&seen, "wecom_app")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_of_events_get_what_their_kind_expects() {
    let providers = Providers::start().await;
    let senders = senders(Duration::from_secs(15));
    let routing_key = "R".repeat(32);
    for (kind, path, secret, mood) in [
        ("alertmanager", "alertmanager", "", Some("limit")),
        ("pagerduty", "pagerduty", routing_key.as_str(), Some("limit")),
        ("webhook", "signed/hook", "hook-secret", None),
    ] {
        providers.moods(&[]).await;
        let outlet =
            Outlet { kind: kind.into(), url: format!("{}/{path}", providers.base), secret: secret.into() };
        for state in ["open", "acked", "closed"] {
            senders.tell(&outlet, &event(state), now()).await.unwrap();
        }
        let seen = providers.seen().await;
        assert_eq!(seen.len(), 3, "{seen:?}");
        match kind {
            "alertmanager" => {
                assert_eq!(seen[2]["alerts"][0]["endsAt"], "2026-11-26T07:59:00Z");
                assert_eq!(seen[0]["alerts"][0]["labels"]["site"], "North Gate");
            }
            "pagerduty" => assert_eq!(
                (&seen[1]["action"], &seen[2]["action"]),
                (&json!("acknowledge"), &json!("resolve"))
            ),
            _ => assert_eq!((&seen[0]["event"], &seen[2]["number"]), (&json!("opened"), &json!(1042))),
        }
        if let Some(mood) = mood {
            providers.moods(&[(path, mood)]).await;
            let later = senders.tell(&outlet, &event("open"), now()).await;
            assert!(matches!(later, Err(Refusal::Later { .. })), "{kind}: {later:?}");
        }
    }
    providers.moods(&[]).await;
    let wrong =
        Outlet { kind: "pagerduty".into(), url: format!("{}/pagerduty", providers.base), secret: "x".into() };
    assert!(matches!(senders.tell(&wrong, &event("open"), now()).await, Err(Refusal::Never(_))));
}

fn event(state: &str) -> Event {
    let at = now().as_millisecond();
    Event {
        key: format!("o1/t1/{state}"),
        state: state.into(),
        number: 1042,
        code: "unreachable".into(),
        severity: "critical".into(),
        told_severity: String::new(),
        summary: "#1042 North Gate: cam-3: 离线".into(),
        site: "North Gate".into(),
        customer: "Harbour Office".into(),
        device: "cam-3".into(),
        opened_at: at - 600_000,
        closed_at: (state == "closed").then_some(at - 60_000),
        acked_by: if state == "open" { String::new() } else { "li.wei".into() },
        link: "https://noc.example/tickets/1042".into(),
    }
}
