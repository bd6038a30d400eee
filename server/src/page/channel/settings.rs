//! What each channel needs to be told once by an administrator, and what it needs of each person. Pure.
//!
//! Settings are texts by name. Those that are secret are sealed at rest, never shown again and absent from
//! `Debug`. A base URL can be changed, for private clouds and for tests.

use std::collections::BTreeMap;
use std::fmt;

use super::answer::Refusal;

/// One setting of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// It is never shown again.
    pub secret: bool,
    /// What it is when nothing was set; empty when it must be set.
    pub default: &'static str,
    /// It may stay empty.
    pub optional: bool,
}

/// What a person's address on a channel looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// `name@host`.
    Mail,
    /// `https://host/path`.
    Url,
    /// `+` and 7 to 15 digits (E.164).
    Phone,
    /// An id that the provider shows.
    Id,
    /// Whom to call by name in a group: a phone number, an id, or `all`.
    Mention,
    /// A topic name.
    Topic,
    /// What a browser gave: JSON with `endpoint` and `keys`.
    Subscription,
}

impl Address {
    /// The word on the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Url => "url",
            Self::Phone => "phone",
            Self::Id => "id",
            Self::Mention => "mention",
            Self::Topic => "topic",
            Self::Subscription => "subscription",
        }
    }
}

/// A channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name in the database and on the API.
    pub name: &'static str,
    /// What an address looks like.
    pub address: Address,
    /// What an administrator sets.
    pub fields: &'static [Field],
    /// How many pages a person gets on it in ten minutes unless set otherwise; 0 is no limit.
    pub limit: i64,
}

impl Kind {
    /// A push is shown by a phone that may not have been reached: never a person's only channel.
    pub fn is_push(&self) -> bool {
        matches!(self.name, "web_push" | "ntfy")
    }
}

const fn open(name: &'static str) -> Field {
    Field { name, secret: false, default: "", optional: false }
}

const fn preset(name: &'static str, default: &'static str) -> Field {
    Field { name, secret: false, default, optional: true }
}

const fn secret(name: &'static str) -> Field {
    Field { name, secret: true, default: "", optional: false }
}

const fn optional_secret(name: &'static str) -> Field {
    Field { name, secret: true, default: "", optional: true }
}

const fn kind(name: &'static str, address: Address, limit: i64, fields: &'static [Field]) -> Kind {
    Kind { name, address, fields, limit }
}

/// What an Aliyun template's variables are filled with unless set otherwise.
const OBJECT: &str = r#"{"number":"{{number}}","site":"{{site}}","what":"{{subject}}"}"#;
/// The same for Tencent Cloud, whose variables are numbered.
const LIST: &str = r#"["{{number}}","{{site}}","{{subject}}"]"#;

/// Every channel.
pub const KINDS: &[Kind] = &[
    kind("email", Address::Mail, 10, &[]),
    kind("webhook", Address::Url, 0, &[]),
    kind("http", Address::Url, 0, &[]),
    kind(
        "wecom_app",
        Address::Id,
        10,
        &[
            preset("base_url", "https://qyapi.weixin.qq.com"),
            open("corp_id"),
            open("agent_id"),
            secret("secret"),
        ],
    ),
    kind(
        "wecom_robot",
        Address::Mention,
        10,
        &[preset("base_url", "https://qyapi.weixin.qq.com"), secret("key")],
    ),
    kind(
        "dingtalk",
        Address::Mention,
        10,
        &[preset("base_url", "https://oapi.dingtalk.com"), secret("access_token"), optional_secret("secret")],
    ),
    kind(
        "feishu",
        Address::Mention,
        10,
        &[preset("base_url", "https://open.feishu.cn"), secret("token"), optional_secret("secret")],
    ),
    kind("slack", Address::Mention, 10, &[secret("webhook_url")]),
    kind("telegram", Address::Id, 10, &[preset("base_url", "https://api.telegram.org"), secret("token")]),
    kind(
        "aliyun_sms",
        Address::Phone,
        10,
        &[
            preset("base_url", "https://dysmsapi.aliyuncs.com"),
            open("access_key_id"),
            secret("access_key_secret"),
            open("sign_name"),
            open("template_code"),
            preset("params", OBJECT),
        ],
    ),
    kind(
        "aliyun_voice",
        Address::Phone,
        10,
        &[
            preset("base_url", "https://dyvmsapi.aliyuncs.com"),
            open("access_key_id"),
            secret("access_key_secret"),
            preset("called_show_number", ""),
            open("tts_code"),
            preset("params", OBJECT),
        ],
    ),
    kind(
        "tencent_sms",
        Address::Phone,
        10,
        &[
            preset("base_url", "https://sms.tencentcloudapi.com"),
            preset("region", "ap-guangzhou"),
            open("secret_id"),
            secret("secret_key"),
            open("sdk_app_id"),
            open("sign_name"),
            open("template_id"),
            preset("params", LIST),
        ],
    ),
    kind(
        "tencent_voice",
        Address::Phone,
        10,
        &[
            preset("base_url", "https://vms.tencentcloudapi.com"),
            preset("region", "ap-guangzhou"),
            open("secret_id"),
            secret("secret_key"),
            open("sdk_app_id"),
            open("template_id"),
            preset("params", LIST),
        ],
    ),
    kind(
        "twilio_sms",
        Address::Phone,
        10,
        &[
            preset("base_url", "https://api.twilio.com"),
            open("account_sid"),
            secret("auth_token"),
            open("from"),
        ],
    ),
    kind(
        "twilio_voice",
        Address::Phone,
        10,
        &[
            preset("base_url", "https://api.twilio.com"),
            open("account_sid"),
            secret("auth_token"),
            open("from"),
        ],
    ),
    kind("web_push", Address::Subscription, 10, &[open("subject"), optional_secret("private_key")]),
    kind("ntfy", Address::Topic, 10, &[preset("base_url", "https://ntfy.sh"), optional_secret("token")]),
];

/// The channel of that name.
pub fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// What an administrator has set for a channel.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings {
    channel: String,
    values: BTreeMap<String, String>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("channel", &self.channel).finish_non_exhaustive()
    }
}

impl Settings {
    /// The settings of `channel`.
    pub fn new(channel: &str, values: BTreeMap<String, String>) -> Self {
        Self { channel: channel.to_owned(), values }
    }

    /// All values, for sealing.
    pub fn values(&self) -> &BTreeMap<String, String> {
        &self.values
    }

    /// A value, or its default; empty when there is none.
    pub fn get(&self, name: &str) -> &str {
        let set = self.values.get(name).map(String::as_str).filter(|value| !value.is_empty());
        set.or_else(|| {
            find(&self.channel)?.fields.iter().find(|field| field.name == name).map(|field| field.default)
        })
        .unwrap_or_default()
    }

    /// A value without which nothing can be sent.
    pub(super) fn need(&self, name: &str) -> Result<&str, Refusal> {
        match self.get(name) {
            "" => Err(Refusal::Never(format!(
                "the channel {} is not set up: `{name}` is missing; an administrator sets it on the page Channels",
                self.channel
            ))),
            value => Ok(value),
        }
    }

    /// A base URL without the slash at its end.
    pub(super) fn base(&self) -> Result<&str, Refusal> {
        self.need("base_url").map(|url| url.trim_end_matches('/'))
    }

    /// What is missing.
    pub fn missing(&self) -> Vec<&'static str> {
        let fields = find(&self.channel).map(|kind| kind.fields).unwrap_or_default();
        let lacks = |field: &&Field| !field.optional && self.get(field.name).is_empty();
        fields.iter().filter(lacks).map(|field| field.name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_has_its_default_or_is_missing() {
        let values =
            BTreeMap::from([("key".to_owned(), "k".to_owned()), ("base_url".to_owned(), String::new())]);
        let settings = Settings::new("wecom_robot", values);
        assert_eq!((settings.base(), settings.get("key")), (Ok("https://qyapi.weixin.qq.com"), "k"));
        assert!(settings.missing().is_empty());
        assert_eq!(Settings::new("slack", BTreeMap::new()).missing(), ["webhook_url"]);
        let refusal = Settings::new("slack", BTreeMap::new()).need("webhook_url").unwrap_err();
        assert!(refusal.words().contains("`webhook_url`"), "{refusal:?}");
        assert!(!format!("{settings:?}").contains('k') || !format!("{settings:?}").contains("\"k\""));
    }

    #[test]
    fn every_channel_has_its_own_name() {
        let mut names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KINDS.len());
    }
}
