//! `[[price]]` and `[prices]`: the price list, its rows and how they are read. Tiers are read as printed and checked side by side.

use jiff::SignedDuration;

use super::clock::Names;
use super::measure::{Fen, Length, duration};
use super::reader::{Found, Paper, Place, Table};
use super::remark::words;
use super::tier::{Band, Flaw, Of, Tiers, flaws};

/// A row of the price list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// What is charged.
    pub item: String,
    /// What people call it.
    pub title: String,
    /// Only in this zone.
    pub zone: Option<String>,
    /// What is counted.
    pub unit: Unit,
    /// How much.
    pub rate: Rate,
    /// At least so many units.
    pub least_units: i64,
    /// A person's visit counts again after so long.
    pub visit_most: SignedDuration,
    /// Free up to so many kilometres.
    pub free_km: i64,
    /// Whether the customer must consent first.
    pub consent: bool,
    /// Whether tax is included; `None` is as for the list.
    pub tax_included: Option<bool>,
}

/// What a price counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Cases, pieces, licences.
    Case,
    /// Started hours.
    Hour,
    /// Hours to the minute.
    ExactHour,
    /// People times days.
    PersonDay,
    /// People times visits of a limited length.
    PersonVisit,
    /// Trips.
    Trip,
    /// Kilometres.
    Km,
    /// Pieces times years.
    Year,
    /// Months.
    Month,
    /// The amount that is given on the line: parts at their actual price.
    Actual,
}

/// How much a unit costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rate {
    /// A fixed amount.
    Fixed(Fen),
    /// From … to …: a person names it.
    Between(Fen, Fen),
    /// By a count or a size.
    Tiered(Tiers),
    /// What it costs.
    Actual,
}

/// What holds for all prices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceTerms {
    /// Whether they include tax.
    pub tax_included: bool,
    /// Whether they are the least that is charged.
    pub are_minimum: bool,
    /// Until how long after the warranty's end they hold.
    pub held: Option<Length>,
    /// How often they are reviewed.
    pub review: Option<Length>,
}

const UNITS: [(&str, Unit); 11] = [
    ("case", Unit::Case),
    ("started_hour", Unit::Hour),
    ("hour", Unit::ExactHour),
    ("person_day", Unit::PersonDay),
    ("person_visit", Unit::PersonVisit),
    ("trip", Unit::Trip),
    ("km", Unit::Km),
    ("piece_year", Unit::Year),
    ("month", Unit::Month),
    ("actual", Unit::Actual),
    ("piece", Unit::Case),
];
/// How many times dearer than its neighbour a tier may be before somebody must look at it.
const LEAP: i64 = 5;

/// Reads one row of the list.
pub(super) fn read(mut table: Table<'_>, names: &Names<'_>) -> Option<(Price, Place)> {
    let item = table.required("item", "\"door_visit\"");
    let zone = table.text("zone", "\"urban\"");
    if let Some(item) = &item {
        let zone = zone.as_ref().map_or_else(String::new, |zone| format!(".{}", zone.value));
        table.rename(format!("price.{}{zone}", item.value));
    }
    if let Some(zone) = &zone
        && !names.zones.iter().any(|level| level.name == zone.value)
    {
        table.paper().refuse(
            "zone.unknown",
            &zone.place,
            words(format!("there is no zone {:?}", zone.value), format!("没有区域 {:?}", zone.value)),
            words("Name it under [[zone]]", "请在 [[zone]] 中声明"),
        );
    }
    let title = table.plain("title", "\"上门费\"");
    let unit = table.required_word("unit", &UNITS);
    let rate = rate(&mut table, unit);
    let least_units = table.number("least_units", 1, 1_000).unwrap_or(1);
    let visit_most = table
        .read("visit_most", "\"8h\"", duration)
        .map_or(SignedDuration::from_hours(8), |found| found.value);
    let free_km = table.number("free_km", 0, 100_000).unwrap_or(0);
    let consent = table.flag("consent").unwrap_or(false);
    let tax_included = table.word("tax", &[("included", true), ("excluded", false)]);
    let here = table.here();
    table.finish(("a price", "价目"));
    let item = item?.value;
    let price = Price {
        title: title.unwrap_or_else(|| item.clone()),
        item,
        zone: zone.map(|zone| zone.value),
        unit: unit?,
        rate: rate?,
        least_units,
        visit_most,
        free_km,
        consent,
        tax_included,
    };
    Some((price, here))
}

fn rate(table: &mut Table<'_>, unit: Option<Unit>) -> Option<Rate> {
    let was_there = table.has("amount");
    let amount = table.money("amount");
    let (least, most) = (table.money("least"), table.money("most"));
    let by = table.word("tier_by", &[("count", Of::Count), ("size", Of::Size)]);
    let marginal = table.word("tier_applies", &[("all", false), ("marginal", true)]);
    let asked_marginal = table.has("tier_applies");
    let tiers = table.tables("tier");
    if !tiers.is_empty() {
        let marginal_unsaid = marginal.is_none() && !asked_marginal && by == Some(Of::Count);
        if marginal_unsaid {
            table.paper().ask(
                "tier.applies",
                &table.here(),
                words(
                    "does a tier's price hold for all pieces, or only for those beyond its beginning?",
                    "阶梯价适用于全部数量，还是只适用于超出部分？",
                ),
                words(
                    "Add tier_applies = \"all\" or \"marginal\"",
                    "请加 tier_applies = \"all\" 或 \"marginal\"",
                ),
            );
        }
        return self::tiers(table, tiers, by, marginal.unwrap_or(false)).map(Rate::Tiered);
    }
    match (amount, least, most) {
        (Some(amount), None, None) => {
            if amount.value == Fen(0) {
                zero(table.paper(), &amount);
            }
            Some(Rate::Fixed(amount.value))
        }
        (None, Some(least), Some(most)) if least.value <= most.value => {
            Some(Rate::Between(least.value, most.value))
        }
        (None, None, None) if unit == Some(Unit::Actual) => Some(Rate::Actual),
        (None, None, None) if was_there => None,
        _ => {
            table.paper().refuse(
                "price.amount",
                &table.here(),
                words(
                    "a price is one amount, or least and most, or tiers",
                    "价格须为一个金额，或上下限，或阶梯",
                ),
                words(
                    "Write amount = \"400.00\", or least and most, or [[price.tier]]",
                    "请写 amount = \"400.00\"，或 least 与 most，或 [[price.tier]]",
                ),
            );
            None
        }
    }
}

fn zero(paper: &Paper<'_>, amount: &Found<Fen>) {
    paper.ask(
        "price.zero",
        &amount.place,
        words("the price is zero", "价格为零"),
        words(
            "Leave the row out if it is free, or decide it under [[decided]]",
            "若免费请删去此行，或在 [[decided]] 里确认",
        ),
    );
}

fn tiers(table: &Table<'_>, rows: Vec<Table<'_>>, by: Option<Of>, marginal: bool) -> Option<Tiers> {
    let paper = table.paper();
    let Some(of) = by else {
        paper.refuse(
            "tier.by",
            &table.here(),
            words("what is the number of a tier?", "阶梯按什么计？"),
            words(
                "Add tier_by = \"count\" (pieces) or \"size\" (ports, watts)",
                "请加 tier_by = \"count\"（数量）或 \"size\"（端口、瓦数）",
            ),
        );
        return None;
    };
    let zero = i64::from(of == Of::Count);
    let (mut bands, mut fens, mut places, mut sound) = (Vec::new(), Vec::new(), Vec::new(), true);
    for mut row in rows {
        let band = row.read("band", "\"1-5\"", |text| Band::parse(text, zero));
        let amount = row.money("amount");
        row.finish(("a tier", "阶梯"));
        match (band, amount) {
            (Some(band), Some(amount)) => {
                bands.push(band.value);
                places.push(band.place);
                fens.push(amount);
            }
            _ => sound = false,
        }
    }
    if !sound {
        return None;
    }
    for (index, flaw) in flaws(&bands, zero) {
        sound = false;
        let (code, problem) = match flaw {
            Flaw::Overlap(from, to) => {
                let range = match to {
                    Some(to) if to == from => from.to_string(),
                    Some(to) => format!("{from}–{to}"),
                    None => format!("{from}…"),
                };
                ("tier.overlap", words(format!("{range} falls in two tiers"), format!("{range} 落入两档")))
            }
            Flaw::Gap(from, to) => {
                let range = if from == to { from.to_string() } else { format!("{from}–{to}") };
                ("tier.gap", words(format!("{range} falls in no tier"), format!("{range} 不属于任何一档")))
            }
        };
        paper.refuse(
            code,
            &places[index],
            problem,
            words(
                "Ask which tier is meant and write half-open bands: 1..6, 6..11, 11..",
                "请问清归哪一档，并写成半开区间：1..6、6..11、11..",
            ),
        );
    }
    check_slope(paper, of, &bands, &fens);
    let mut steps: Vec<(i64, Fen)> =
        bands.iter().zip(&fens).map(|(band, fen)| (band.from, fen.value)).collect();
    steps.sort_unstable();
    let open = bands.iter().any(|band| band.to.is_none());
    let end = if open { None } else { bands.iter().filter_map(|band| band.to).max() };
    sound.then_some(Tiers { of, marginal, steps, end })
}

/// Prices by count fall or rise one way; prices by size never fall.
fn check_slope(paper: &Paper<'_>, of: Of, bands: &[Band], fens: &[Found<Fen>]) {
    let mut order: Vec<usize> = (0..bands.len()).collect();
    order.sort_by_key(|index| (bands[*index].from, bands[*index].to.unwrap_or(i64::MAX)));
    let falls = |pair: &&[usize]| fens[pair[1]].value < fens[pair[0]].value;
    let rises = |pair: &&[usize]| fens[pair[1]].value > fens[pair[0]].value;
    let wrong = match of {
        Of::Size => order.windows(2).find(falls),
        Of::Count if order.windows(2).any(|pair| rises(&pair)) => order.windows(2).find(falls),
        Of::Count => None,
    };
    if let Some(pair) = wrong {
        let (before, odd) = (&fens[pair[0]], &fens[pair[1]]);
        paper.refuse(
            "tier.slope",
            &odd.place,
            words(
                format!("{} after {}: the prices go up and down; was a digit lost?", odd.value, before.value),
                format!("{} 排在 {} 之后：价格忽高忽低，是否漏印了一位数字？", odd.value, before.value),
            ),
            words("Ask for the price and write it", "请问清价格后填写"),
        );
    }
    for pair in order.windows(2) {
        let (low, high) =
            (fens[pair[0]].value.min(fens[pair[1]].value), fens[pair[0]].value.max(fens[pair[1]].value));
        if low.0 > 0 && high.0 >= low.0 * LEAP {
            paper.ask(
                "tier.leap",
                &fens[pair[1]].place,
                words(
                    format!("from {low} to {high} is a large step"),
                    format!("从 {low} 到 {high} 跨度过大"),
                ),
                words("Correct it, or decide it under [[decided]]", "请改正，或在 [[decided]] 里确认"),
            );
        }
    }
}

/// Two rows for the same thing in the same zone cannot both hold.
pub(super) fn check_rows(paper: &Paper<'_>, rows: &[(Price, Place)]) {
    for (index, (row, place)) in rows.iter().enumerate() {
        if rows[..index].iter().any(|(before, _)| before.item == row.item && before.zone == row.zone) {
            paper.refuse(
                "price.twice",
                place,
                words(format!("`{}` is priced twice", row.item), format!("`{}` 有两个价格", row.item)),
                words("Keep one of the two", "请保留其一"),
            );
        }
    }
}

/// Reads what holds for the whole list.
pub(super) fn terms(mut table: Table<'_>) -> PriceTerms {
    let tax_included = table.required_word("tax", &[("included", true), ("excluded", false)]);
    let are_minimum = table.flag("are_minimum").unwrap_or(false);
    let held = table.read("held", "\"5y\"", Length::parse).map(|found| found.value);
    let review = table.read("review", "\"1y\"", Length::parse).map(|found| found.value);
    table.plain("review_by", "\"after_sales\"");
    table.plain("then", "\"company_price_list\"");
    table.read("parts_at_most_deal_price", "\"10y\"", Length::parse);
    table.read("end_of_production_notice", "\"12mo\"", Length::parse);
    table.plain_texts("payment", "[\"cash\", \"transfer\"]");
    table.flag("published");
    table.flag("itemised");
    table.flag("extras_separate");
    table.plain("overtime", "\"actual_hours\"");
    table.plain("use_reported", "\"yearly\"");
    table.finish(("what holds for prices", "价格条款"));
    PriceTerms { tax_included: tax_included.unwrap_or(false), are_minimum, held, review }
}
