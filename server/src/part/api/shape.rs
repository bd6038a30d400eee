//! How parts look on the API.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::part::store::{Kind, MoveRow, PlaceRow};

/// A kind of part.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PartKind {
    /// Names it.
    pub id: String,
    /// Its number in our list.
    pub number: String,
    /// What it is called in English.
    pub name: String,
    /// What it is called in Chinese.
    pub name_zh: String,
    /// Whether each has a serial number and is moved alone.
    pub by_serial: bool,
    /// What one costs us, fen.
    pub price_fen: i64,
    /// At so many of ours in depots, or fewer, one orders.
    pub reorder_at: i64,
    /// How many days an order takes.
    pub lead_days: i64,
}

/// A kind of part as it is written. Its id stands in the path and is made by the writer.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPartKind {
    /// Its number in our list.
    pub number: String,
    /// What it is called in English.
    pub name: String,
    /// What it is called in Chinese.
    #[serde(default)]
    pub name_zh: String,
    /// Whether each has a serial number; that does not change any more.
    #[serde(default)]
    pub by_serial: bool,
    /// What one costs us, fen.
    #[serde(default)]
    pub price_fen: i64,
    /// At so many of ours in depots, or fewer, one orders.
    #[serde(default)]
    pub reorder_at: i64,
    /// How many days an order takes.
    #[serde(default)]
    pub lead_days: i64,
}

/// A place where parts lie.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PartPlace {
    /// Names it; `supplier`, `used`, `lost` and `workshop` are named by their word.
    pub id: String,
    /// `depot`, `van`, `site`, `workshop`, or the world outside: `supplier`, `used`, `lost`.
    pub kind: String,
    /// What it is called; empty where the person or the site says it.
    pub name: String,
    /// Whose van it is.
    pub account_id: Option<String>,
    /// The person's name.
    pub account: Option<String>,
    /// At which site it is.
    pub site_id: Option<String>,
    /// The site's name.
    pub site_name: Option<String>,
    /// The site's name in Chinese.
    pub site_name_zh: Option<String>,
}

/// A place as it is written. Its id stands in the path and is made by the writer.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPartPlace {
    /// `depot`, `van` or `site`.
    pub kind: String,
    /// What it is called.
    #[serde(default)]
    pub name: String,
    /// Whose van it is.
    pub account_id: Option<String>,
    /// At which site it is.
    pub site_id: Option<String>,
}

/// What lies at a place, of one kind and one owner.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PartStock {
    /// Where.
    pub place_id: String,
    /// Of which kind.
    pub kind_id: String,
    /// Whose, where it is a customer's.
    pub owner_id: Option<String>,
    /// The customer's name.
    pub owner: Option<String>,
    /// How many.
    pub quantity: i64,
    /// Their serial numbers, where the kind has any.
    pub serials: Vec<String>,
}

/// A movement. It is never changed; another one takes it back.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PartMove {
    /// Names it.
    pub id: String,
    /// Its place in the order of movements.
    pub seq: i64,
    /// Of which kind.
    pub kind_id: String,
    /// The kind's number.
    pub number: String,
    /// The kind's name in English.
    pub name: String,
    /// The kind's name in Chinese.
    pub name_zh: String,
    /// From where.
    pub from_id: String,
    /// To where.
    pub to_id: String,
    /// How many.
    pub quantity: i64,
    /// Which one; empty where the kind has no numbers.
    pub serial: String,
    /// Whose, where it is a customer's.
    pub owner_id: Option<String>,
    /// The customer's name.
    pub owner: Option<String>,
    /// What it was: `bought`, `sent_back`, `found`, `lost`, `taken_out`, `used`, `moved`, `lent`, `back`, `damaged`,
    /// `to_repair`, `refitted`, `scrapped`.
    pub why: String,
    /// In words.
    pub note: String,
    /// For which ticket.
    pub ticket_id: Option<String>,
    /// The ticket's number.
    pub ticket_number: Option<i64>,
    /// On which visit.
    pub visit_id: Option<String>,
    /// When it happened.
    pub occurred_at: i64,
    /// When the server heard of it.
    pub recorded_at: i64,
    /// Who.
    pub actor: String,
}

/// A movement to be made. Its id stands in the path and is made by the writer, so that it may be sent again.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPartMove {
    /// Of which kind.
    pub kind_id: String,
    /// From where; `supplier` where it was bought, `lost` where it was found by counting.
    pub from_id: String,
    /// To where; `lost` where it is missing.
    pub to_id: String,
    /// How many; one where nothing is given.
    pub quantity: Option<i64>,
    /// Which one.
    #[serde(default)]
    pub serial: String,
    /// Whose, where it is a customer's.
    pub owner_id: Option<String>,
    /// In words.
    #[serde(default)]
    pub note: String,
}

/// A part that was used on a visit. Its id stands in the path and is made by the phone, so that it may be sent again.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUse {
    /// Of which kind.
    pub kind_id: String,
    /// How many; one where nothing is given.
    pub quantity: Option<i64>,
    /// Which one.
    #[serde(default)]
    pub serial: String,
    /// From where; the sender's own van where nothing is given.
    pub from_id: Option<String>,
    /// Whose it was, where it was a customer's.
    pub owner_id: Option<String>,
    /// What it replaced, as the lineage of the device calls it; where nothing was replaced (cable, screws), empty.
    #[serde(default)]
    pub component: String,
    /// Its class, as the contract's warranty calls it.
    #[serde(default)]
    pub class: String,
    /// Whether the customer pays for it.
    #[serde(default)]
    pub paid: bool,
    /// Who consented for the customer; without it, whoever agreed to the plan.
    #[serde(default)]
    pub consent: String,
    /// When it happened, Unix ms, where a person says so.
    pub occurred_at: Option<i64>,
    /// What the clock of the phone showed, Unix ms.
    pub device_at: Option<i64>,
    /// What it shows while it sends.
    pub device_now: Option<i64>,
    /// How far it was ahead when the phone last heard of us before, ms.
    pub skew_before_ms: Option<i64>,
}

/// An owner as it is shown: nobody but us is nobody.
pub(super) fn owner(id: String) -> Option<String> {
    Some(id).filter(|id| !id.is_empty())
}

impl From<Kind> for PartKind {
    fn from(kind: Kind) -> Self {
        Self {
            id: kind.id,
            number: kind.number,
            name: kind.name,
            name_zh: kind.name_zh,
            by_serial: kind.by_serial == 1,
            price_fen: kind.price_fen,
            reorder_at: kind.reorder_at,
            lead_days: kind.lead_days,
        }
    }
}

impl From<PlaceRow> for PartPlace {
    fn from(row: PlaceRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            name: row.name,
            account_id: row.account_id,
            account: row.account,
            site_id: row.site_id,
            site_name: row.site_name,
            site_name_zh: row.site_name_zh,
        }
    }
}

impl From<MoveRow> for PartMove {
    fn from(row: MoveRow) -> Self {
        Self {
            id: row.id,
            seq: row.seq,
            kind_id: row.kind_id,
            number: row.number,
            name: row.name,
            name_zh: row.name_zh,
            from_id: row.from_id,
            to_id: row.to_id,
            quantity: row.quantity,
            serial: row.serial,
            owner_id: owner(row.owner_id),
            owner: row.owner,
            why: row.why,
            note: row.note,
            ticket_id: row.ticket_id,
            ticket_number: row.ticket_number,
            visit_id: row.visit_id,
            occurred_at: row.occurred_at,
            recorded_at: row.recorded_at,
            actor: row.actor,
        }
    }
}
