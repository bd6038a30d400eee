//! How this gateway pages people by itself while the server cannot be reached, `[local_page]`, and the key of the codes
//! that it shows, `[arrival]`. Only the server sends them.

use std::collections::BTreeMap;
use std::time::Duration;

use sitewarden_proto::fault::Severity;

use super::Secret;
use super::reader::{Error, Table};

/// The words of `severity`.
const SEVERITIES: &[(&str, Severity)] =
    &[("critical", Severity::Critical), ("major", Severity::Major), ("minor", Severity::Minor)];
/// So many people at most.
const PEOPLE_MAX: usize = 32;

/// The way out of the site that needs no server: a modem for text messages, a webhook on the LAN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalPage {
    /// Where requests go.
    pub url: String,
    /// What a request holds: TOML with `method`, `body` and `[headers]`; empty is JSON of ours.
    pub template: Secret,
    /// Faults from this severity on.
    pub severity: Severity,
    /// So long after the server was last heard.
    pub after: Duration,
    /// The site's name, in English and in Chinese.
    pub site: (String, String),
    /// The site's zone.
    pub zone: String,
    /// Whom to page.
    pub people: Vec<Person>,
}

/// Somebody to page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The account on the server.
    pub id: String,
    /// The name.
    pub name: String,
    /// What the local channel takes as an address.
    pub address: String,
    /// `en` or `zh`.
    pub language: String,
}

/// What a template describes. In `body` and in header values `{{to}}`, `{{name}}`, `{{subject}}`, `{{text}}` and
/// `{{key}}` stand for the page's words.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Template {
    /// POST unless named.
    pub method: String,
    /// Names and values.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

/// Takes `[arrival]` out of a configuration: the key of the codes that the gateway shows.
pub(super) fn arrival_key(top: &mut Table<'_>) -> Result<Option<Secret>, Error> {
    let Some(mut table) = top.table("arrival")? else { return Ok(None) };
    let key = table.required_text("key", "\"32 bytes in base64\"")?;
    table.finish("[arrival]")?;
    Ok(Some(Secret::new(key.value)))
}

/// Takes `[local_page]` out of a configuration.
pub(super) fn local_page(top: &mut Table<'_>) -> Result<Option<LocalPage>, Error> {
    let Some(mut table) = top.table("local_page")? else { return Ok(None) };
    let text = |table: &mut Table<'_>, key| -> Result<String, Error> {
        Ok(table.text(key, "\"text\"")?.map(|found| found.value).unwrap_or_default())
    };
    let url = table.required_text("url", "\"http://10.20.7.5/sms\"")?.value;
    let template = table.text("template", "\"body = '{{text}}'\"")?;
    if let Some(found) = &template
        && toml::from_str::<Template>(&found.value).is_err()
    {
        return Err(table.error(
            found.at.clone(),
            "`template` is not a template".into(),
            "Write `method`, `body` and `[headers]`",
        ));
    }
    let minutes: u32 = table.number("after_minutes", 1..=1440, 10)?;
    let severity = table.word("severity", SEVERITIES)?.map_or(Severity::Major, |found| found.value);
    let site = (text(&mut table, "site")?, text(&mut table, "site_zh")?);
    let zone = text(&mut table, "zone")?;
    let mut people = Vec::new();
    for mut person in table.tables("person")?.into_iter().take(PEOPLE_MAX) {
        people.push(Person {
            id: person.required_text("id", "\"0190…\"")?.value,
            name: person.required_text("name", "\"Li Wei\"")?.value,
            address: person.required_text("address", "\"+8613800000000\"")?.value,
            language: text(&mut person, "language")?,
        });
        person.finish("[[local_page.person]]")?;
    }
    table.finish("[local_page]")?;
    Ok(Some(LocalPage {
        url,
        template: Secret::new(template.map(|found| found.value).unwrap_or_default()),
        severity,
        after: Duration::from_secs(u64::from(minutes) * 60),
        site,
        zone,
        people,
    }))
}
