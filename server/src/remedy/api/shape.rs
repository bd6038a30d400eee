//! How remedies look on the API.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::remedy::store::Row;
use crate::remedy::store::settings::{self, Settings};
use crate::remedy::{Kind, Rule};

/// What a site allows. Times are Unix ms.
#[derive(Debug, Serialize, ToSchema)]
pub struct SiteRemedies {
    /// Remedies at all.
    pub enabled: bool,
    /// Whether the customer is asked: `none`, `standing` or `each`.
    pub consent: String,
    /// From which minute of the site's day.
    pub from_minute: i64,
    /// To which; the same = always.
    pub to_minute: i64,
    /// What is allowed, per class and kind.
    pub rules: Vec<RemedyRule>,
    /// Standing consents, newest first.
    pub consents: Vec<Consent>,
    /// What each kind may be allowed for.
    pub kinds: Vec<RemedyKind>,
    /// When this was last changed; 0 = never.
    pub changed_at: i64,
    /// By whom.
    pub changed_by: String,
}

/// A kind of remedy.
#[derive(Debug, Serialize, ToSchema)]
pub struct RemedyKind {
    /// `poe_cycle`, `reboot` or `readd_channel`.
    pub kind: String,
    /// The classes it may be allowed for.
    pub classes: Vec<String>,
    /// Those of them for which it may act by itself.
    pub automatic: Vec<String>,
}

/// What is allowed for one class of device.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemedyRule {
    /// For which class.
    pub class: String,
    /// `poe_cycle`, `reboot` or `readd_channel`.
    pub kind: String,
    /// By itself, when a fault of `codes` opens.
    pub automatic: bool,
    /// Fault codes that it may be tried for by itself.
    pub codes: Vec<String>,
    /// So many on one device and day.
    pub daily_limit: i64,
    /// How long pages wait for it, seconds.
    pub wait_s: i64,
    /// A device that needed one on so many days in a row is paged for at once; 0 = no such bound.
    pub days_limit: i64,
}

impl RemedyRule {
    /// The rule behind it.
    pub fn parse(self) -> Result<Rule, ApiError> {
        let Some(kind) = Kind::parse(&self.kind) else {
            let hint = "use poe_cycle, reboot or readd_channel";
            return Err(ApiError::bad_request("rules.kind", format!("`{}` is unknown", self.kind), hint));
        };
        if let Some(code) = self.codes.iter().find(|code| sitewarden_proto::fault::find(code).is_none()) {
            let hint = "use codes of the fault catalogue";
            return Err(ApiError::bad_request("rules.codes", format!("`{code}` is unknown"), hint));
        }
        Ok(Rule {
            class: self.class,
            kind,
            automatic: self.automatic,
            codes: self.codes,
            daily_limit: self.daily_limit,
            wait_s: self.wait_s,
            days_limit: self.days_limit,
        })
    }
}

impl From<Rule> for RemedyRule {
    fn from(rule: Rule) -> Self {
        Self {
            class: rule.class,
            kind: rule.kind.as_str().to_owned(),
            automatic: rule.automatic,
            codes: rule.codes,
            daily_limit: rule.daily_limit,
            wait_s: rule.wait_s,
            days_limit: rule.days_limit,
        }
    }
}

/// A standing consent. Times are Unix ms.
#[derive(Debug, Serialize, ToSchema)]
pub struct Consent {
    /// Names it.
    pub id: String,
    /// Who agreed.
    pub given_by: String,
    /// In which words.
    pub words: String,
    /// When it was recorded.
    pub given_at: i64,
    /// Until when; `null` = until it is taken back.
    pub until_at: Option<i64>,
    /// Who recorded it.
    pub recorded_by: String,
    /// When it was taken back.
    pub revoked_at: Option<i64>,
    /// It holds now.
    pub holds: bool,
}

impl SiteRemedies {
    /// Everything about a site.
    pub fn new(
        settings: Settings,
        rules: Vec<Rule>,
        consents: Vec<settings::Consent>,
        now: Timestamp,
    ) -> Self {
        let now = now.as_millisecond();
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
        Self {
            enabled: settings.enabled,
            consent: settings.consent.as_str().to_owned(),
            from_minute: settings.hours.0,
            to_minute: settings.hours.1,
            rules: rules.into_iter().map(RemedyRule::from).collect(),
            consents: consents
                .into_iter()
                .map(|row| Consent {
                    holds: row.revoked_at.is_none() && row.until_at.is_none_or(|until| until > now),
                    id: row.id,
                    given_by: row.given_by,
                    words: row.words,
                    given_at: row.given_at,
                    until_at: row.until_at,
                    recorded_by: row.recorded_by,
                    revoked_at: row.revoked_at,
                })
                .collect(),
            kinds: Kind::ALL
                .into_iter()
                .map(|kind| RemedyKind {
                    kind: kind.as_str().to_owned(),
                    classes: words(kind.classes()),
                    automatic: words(kind.classes())
                        .into_iter()
                        .filter(|class| kind.may_be_automatic(class))
                        .collect(),
                })
                .collect(),
            changed_at: settings.changed_at,
            changed_by: settings.changed_by,
        }
    }
}

/// What a device's page shows about remedies.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceRemedies {
    /// What its site allows for it.
    pub offers: Vec<Offer>,
    /// What was done, newest first.
    pub record: Vec<Remedy>,
}

/// Something that its site allows for a device.
#[derive(Debug, Serialize, ToSchema)]
pub struct Offer {
    /// `poe_cycle`, `reboot` or `readd_channel`.
    pub kind: String,
    /// Why it cannot be done now; `null` = it can.
    pub no: Option<String>,
    /// The customer is asked each time: who agreed, and in which words, goes with it.
    pub needs_consent: bool,
    /// How many there were today.
    pub today: i64,
    /// How many a day.
    pub daily_limit: i64,
    /// The switch whose port it would cycle.
    pub switch: Option<String>,
    /// That port.
    pub port: Option<String>,
}

/// A remedy on record. Times are Unix ms.
#[derive(Debug, Serialize, ToSchema)]
pub struct Remedy {
    /// Names it.
    pub id: String,
    /// `poe_cycle`, `reboot` or `readd_channel`.
    pub kind: String,
    /// What it acted on: switch and port, or channel.
    #[schema(value_type = Object)]
    pub target: Value,
    /// Its ticket.
    pub ticket_id: Option<String>,
    /// That ticket's number.
    pub ticket_number: Option<i64>,
    /// The fault that it was for; empty when a person pressed.
    pub code: String,
    /// It began by itself.
    pub automatic: bool,
    /// Who pressed; empty when nobody did.
    pub actor: String,
    /// Who agreed.
    pub consent_by: Option<String>,
    /// `asked`, `sent`, `running` and `done` while it is open; then `healed`, `not_healed`, `done`, `failed`, `refused`
    /// or `not_needed`.
    pub state: String,
    /// A word for why, where there is one.
    pub reason: String,
    /// When it was asked for.
    pub asked_at: i64,
    /// When the gateway began.
    pub begun_at: Option<i64>,
    /// When it was done.
    pub done_at: Option<i64>,
    /// When it was over.
    pub ended_at: Option<i64>,
    /// What the gateway said of it.
    #[schema(value_type = Object)]
    pub result: Value,
}

impl From<Row> for Remedy {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            target: serde_json::from_str(&row.target).unwrap_or_default(),
            ticket_id: row.ticket_id,
            ticket_number: row.ticket_number,
            code: row.code,
            automatic: row.automatic == 1,
            actor: row.actor,
            consent_by: row.consent_by,
            state: row.state,
            reason: row.reason,
            asked_at: row.asked_at,
            begun_at: row.begun_at,
            done_at: row.done_at,
            ended_at: row.ended_at,
            result: serde_json::from_str(&row.result).unwrap_or_default(),
        }
    }
}
