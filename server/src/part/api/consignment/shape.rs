//! How what is sent to customers' sites looks on the API.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::part::consignment::State as Stands;
use crate::part::store::consignment as rows;

/// Which ones.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ConsignmentQuery {
    /// Those that are over, too.
    #[serde(default)]
    pub all: bool,
}

/// For which site.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ProposalQuery {
    /// The site.
    pub site_id: String,
    /// For how many months.
    #[serde(default = "two_years")]
    pub months: i64,
}

fn two_years() -> i64 {
    24
}

/// What is sent to a site. Times are Unix ms.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Consignment {
    pub id: String,
    /// `spares` that lie at the site, or `parts` that replace what failed.
    pub purpose: String,
    /// `included` in the contract's price, `sale`, or `rental`.
    pub supply: String,
    pub site_id: String,
    pub site_name: String,
    pub site_name_zh: String,
    pub customer: String,
    pub ticket_id: Option<String>,
    pub ticket_number: Option<i64>,
    /// For how many months the spares are.
    pub months: i64,
    /// The day by which the customer has it; empty where none is promised.
    pub due_on: String,
    /// Whether that day is over.
    pub late: bool,
    pub note: String,
    /// `open`, `released`, `delivered`, `returned` or `dropped`.
    pub state: String,
    pub made_at: i64,
    pub made_by: String,
    /// The place it went from.
    pub from_id: Option<String>,
    pub waybill: String,
    pub carrier: String,
    pub released_at: Option<i64>,
    pub released_by: String,
    pub ended_at: Option<i64>,
    pub ended_by: String,
    /// Who of the customer took it.
    pub received_by: String,
    pub end_note: String,
    pub lines: Vec<ConsignmentLine>,
    pub packed: Vec<PackedPart>,
}

/// A line of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ConsignmentLine {
    pub kind_id: String,
    pub number: String,
    pub name: String,
    pub name_zh: String,
    /// How many are in use at the site.
    pub installed: i64,
    /// How many of them are replaced in a year, in 1/100 %.
    pub rate_bp: i64,
    pub quantity: i64,
    /// Of one, or of one in a month where it is rented, fen.
    pub price_fen: i64,
}

/// Something that is packed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PackedPart {
    /// Of which kind.
    pub kind_id: String,
    /// How many.
    pub quantity: i64,
    /// Which one, where the kind has serial numbers.
    #[serde(default)]
    pub serial: String,
}

/// A list as it is written. Its id stands in the path and is made by the writer.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConsignment {
    /// `spares` or `parts`.
    pub purpose: String,
    /// `included`, `sale` or `rental`.
    pub supply: String,
    /// To which site.
    pub site_id: String,
    /// With `parts`: for which ticket, by id or number.
    pub ticket_id: Option<String>,
    /// With `spares`: for how many months.
    #[serde(default)]
    pub months: i64,
    /// The day by which the customer has it.
    #[serde(default)]
    pub due_on: String,
    /// In words.
    #[serde(default)]
    pub note: String,
    /// What is sent.
    pub lines: Vec<NewConsignmentLine>,
}

/// A line of a list as it is written.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConsignmentLine {
    /// Of which kind.
    pub kind_id: String,
    /// How many are in use at the site.
    #[serde(default)]
    pub installed: i64,
    /// How many of them are replaced in a year, in 1/100 %.
    #[serde(default)]
    pub rate_bp: i64,
    /// How many are sent.
    pub quantity: i64,
    /// Of one, or of one in a month where it is rented, fen.
    #[serde(default)]
    pub price_fen: i64,
}

/// What was packed, and how it goes.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsignmentRelease {
    /// From which of our places.
    pub from_id: String,
    /// The waybill's number.
    pub waybill: String,
    /// Who carries it.
    #[serde(default)]
    pub carrier: String,
    /// What was packed, counted from the waybill and the boxes, not from the list.
    pub packed: Vec<PackedPart>,
}

/// How it ended.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsignmentEnd {
    /// `delivered`, `returned` or `dropped`.
    pub outcome: String,
    /// With `delivered`: who of the customer took it.
    #[serde(default)]
    pub received_by: String,
    /// In words; needed with `returned` and `dropped`.
    #[serde(default)]
    pub note: String,
}

/// A kind that is in use at a site, and how many spares of it that takes.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct SpareNeed {
    pub kind_id: String,
    pub number: String,
    pub name: String,
    pub name_zh: String,
    pub price_fen: i64,
    /// How many devices of this model are in use at the site.
    pub installed: i64,
    /// How many of those at all sites were replaced, as a rate for a year in 1/100 %; `null` where too little is known.
    pub rate_bp: Option<i64>,
    /// How many were used at all sites in the last year.
    pub used: i64,
    /// How many of the model are in use at all sites.
    pub everywhere: i64,
    /// How many are needed at that rate; 0 where it is unknown.
    pub quantity: i64,
}

/// One as it looks now.
pub(super) fn shown(
    row: rows::Row,
    lines: &[rows::Line],
    packed: &[rows::Packed],
    now: Timestamp,
) -> Consignment {
    let waits = matches!(Stands::parse(&row.state), Some(Stands::Open | Stands::Released));
    Consignment {
        late: waits && row.due_at.is_some_and(|due| due <= now.as_millisecond()),
        lines: lines.iter().filter(|one| one.consignment_id == row.id).map(line_shown).collect(),
        packed: packed.iter().filter(|one| one.consignment_id == row.id).map(packed_shown).collect(),
        id: row.id,
        purpose: row.purpose,
        supply: row.supply,
        site_id: row.site_id,
        site_name: row.site_name,
        site_name_zh: row.site_name_zh,
        customer: row.customer,
        ticket_id: row.ticket_id,
        ticket_number: row.ticket_number,
        months: row.months,
        due_on: row.due_on,
        note: row.note,
        state: row.state,
        made_at: row.made_at,
        made_by: row.made_by,
        from_id: row.from_id,
        waybill: row.waybill,
        carrier: row.carrier,
        released_at: row.released_at,
        released_by: row.released_by,
        ended_at: row.ended_at,
        ended_by: row.ended_by,
        received_by: row.received_by,
        end_note: row.end_note,
    }
}

fn line_shown(line: &rows::Line) -> ConsignmentLine {
    let line = line.clone();
    ConsignmentLine {
        kind_id: line.kind_id,
        number: line.number,
        name: line.name,
        name_zh: line.name_zh,
        installed: line.installed,
        rate_bp: line.rate_bp,
        quantity: line.quantity,
        price_fen: line.price_fen,
    }
}

fn packed_shown(one: &rows::Packed) -> PackedPart {
    PackedPart { kind_id: one.kind_id.clone(), quantity: one.quantity, serial: one.serial.clone() }
}
