//! A quote: what each line of work costs by the price list, in whole fen, worked out so that anyone can check it.
//!
//! An hour that has begun is charged, a person's visit counts again after its longest length, distance is free up to
//! its limit. What needs the customer's consent, or a person to name the amount, is said and not assumed.

use jiff::SignedDuration;

use super::measure::Fen;
use super::remark::{Words, words};
use super::{Contract, Price, Rate, Unit};

/// A line of work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The item of the price list.
    pub item: String,
    /// The zone of the site.
    pub zone: Option<String>,
    /// Pieces, cases, trips or visits; 1 where nothing is said.
    pub count: Option<i64>,
    /// Ports, watts.
    pub size: Option<i64>,
    /// People.
    pub persons: Option<i64>,
    /// Days, of training.
    pub days: Option<i64>,
    /// How long it took.
    pub time: Option<SignedDuration>,
    /// Kilometres.
    pub km: Option<i64>,
    /// Months or years.
    pub periods: Option<i64>,
    /// What a part costs, or what a person names between the list's limits.
    pub amount: Option<Fen>,
    /// Who consented for the customer.
    pub consent: Option<String>,
    /// Why it is not charged.
    pub free: Option<String>,
}

/// A charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The item.
    pub item: String,
    /// What people call it.
    pub title: String,
    /// How much; `None` where a person must decide first.
    pub fen: Option<Fen>,
    /// How it was worked out.
    pub how: Words,
    /// Whether tax is included.
    pub tax_included: bool,
    /// What must be done before it may be charged.
    pub needs: Vec<Words>,
}

/// A quote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Its lines.
    pub charges: Vec<Charge>,
    /// Their sum, as far as all are decided.
    pub total: Option<Fen>,
}

impl Quote {
    /// Whether something must be done before it may be charged.
    pub fn is_open(&self) -> bool {
        self.total.is_none() || self.charges.iter().any(|charge| !charge.needs.is_empty())
    }
}

/// Quotes some lines.
pub fn quote(contract: &Contract, lines: &[Line]) -> Quote {
    let charges: Vec<Charge> = lines.iter().map(|line| charge(contract, line)).collect();
    let sum = charges.iter().map(|charge| charge.fen.map(|fen| fen.0)).sum::<Option<i64>>();
    Quote { charges, total: sum.map(Fen) }
}

/// The row for a line: that of its zone, or the one for all zones.
fn row<'c>(contract: &'c Contract, line: &Line) -> Option<&'c Price> {
    let mut rows = contract.prices.iter().filter(|price| price.item == line.item);
    let own = rows.clone().find(|price| price.zone.is_some() && price.zone == line.zone);
    own.or_else(|| rows.find(|price| price.zone.is_none()))
}

fn charge(contract: &Contract, line: &Line) -> Charge {
    let open = |how: Words, need: Words| Charge {
        item: line.item.clone(),
        title: line.item.clone(),
        fen: None,
        how,
        tax_included: contract.price_terms.tax_included,
        needs: vec![need],
    };
    let Some(price) = row(contract, line) else {
        let zones = contract.prices.iter().filter(|price| price.item == line.item).count();
        return if zones > 0 {
            open(words("the price depends on the zone", "价格取决于区域"), words("zone", "区域"))
        } else {
            open(
                words("the price list has no such item", "价目表没有此项"),
                words("a price agreed with the customer", "与客户商定价格"),
            )
        };
    };
    let counted = count(price, line);
    let mut needs = Vec::new();
    let worked = match (&counted, &price.rate) {
        (Err(lacking), _) => Err(lacking.clone()),
        (Ok((units, said)), Rate::Fixed(fen)) => Ok(by_rate(price, *units, *fen, said)),
        (Ok((units, said)), Rate::Between(least, most)) => match line.amount {
            Some(fen) if (*least..=*most).contains(&fen) => Ok(by_rate(price, *units, fen, said)),
            Some(fen) => Err(words(
                format!("{fen} lies outside of {least} to {most}"),
                format!("{fen} 不在 {least} 至 {most} 之间"),
            )),
            None => Err(words(
                format!("a person names the amount, {least} to {most}"),
                format!("由人在 {least} 至 {most} 之间定价"),
            )),
        },
        (Ok((units, said)), Rate::Tiered(tiers)) => {
            let periods = if price.unit == Unit::Year { line.periods.unwrap_or(1) } else { 1 };
            match tiers.price(*units / periods.max(1), line.size) {
                Some((fen, how)) => {
                    let how = if periods > 1 { format!("({how}) × {periods}") } else { how };
                    Ok((fen.times(periods), Words::same(how)))
                }
                None => Err(words(
                    format!("no tier holds {}: give the size, or agree on a price", said.en),
                    format!("没有档位包含 {}：请写明规模，或商定价格", said.zh),
                )),
            }
        }
        (Ok((units, _)), Rate::Actual) => match line.amount {
            Some(fen) => {
                let how = words(
                    format!("{units} × {fen}, the actual price"),
                    format!("{units} × {fen}，按实际价格"),
                );
                Ok((fen.times(*units), how))
            }
            None => Err(words("the actual price is not given", "没有写实际价格")),
        },
    };
    let consents = contract.consent_to("charged_repair");
    let parts = price.unit == Unit::Actual && !contract.consent_to("replace_part").is_empty();
    if line.consent.is_none() && line.free.is_none() && (price.consent || parts || !consents.is_empty()) {
        needs.push(words("the customer's consent", "客户同意"));
    }
    let (fen, how) = match (worked, &line.free) {
        (Ok((_, how)) | Err(how), Some(why)) => {
            let how = words(format!("{}; not charged: {why}", how.en), format!("{}；不收费：{why}", how.zh));
            (Some(Fen(0)), how)
        }
        (Ok((fen, how)), None) => (Some(fen), how),
        (Err(lacking), None) => {
            needs.push(lacking.clone());
            (None, lacking)
        }
    };
    Charge {
        item: price.item.clone(),
        title: price.title.clone(),
        fen,
        how,
        tax_included: price.tax_included.unwrap_or(contract.price_terms.tax_included),
        needs,
    }
}

fn by_rate(price: &Price, units: i64, fen: Fen, said: &Words) -> (Fen, Words) {
    let how = said.map(|said| format!("{said} × {fen}"));
    if price.unit == Unit::ExactHour {
        // Units are seconds here; half a fen counts.
        let exact = (i128::from(fen.0) * i128::from(units) + 1_800) / 3_600;
        return (Fen(i64::try_from(exact).unwrap_or(i64::MAX)), how);
    }
    (fen.times(units), how)
}

/// How many units a line is, with how they were counted, or what is lacking.
fn count(price: &Price, line: &Line) -> Result<(i64, Words), Words> {
    let pieces = line.count.unwrap_or(1).max(0);
    let time_s = || {
        line.time
            .map(|time| time.as_secs().max(0))
            .ok_or_else(|| words("the time is not given", "没有写时长"))
    };
    let up = |value: i64, of: i64| (value + of - 1) / of;
    let least = |units: i64, en: &str, zh: &str| {
        let charged = units.max(price.least_units);
        let said = words(format!("{charged} {en}"), format!("{charged} {zh}"));
        if units < price.least_units {
            let floor =
                words(format!("{}, the least that is charged", said.en), format!("{}（最低收费）", said.zh));
            (charged, floor)
        } else {
            (charged, said)
        }
    };
    Ok(match price.unit {
        Unit::Case => least(pieces, "pieces", "件"),
        Unit::Actual => (pieces, words(format!("{pieces} pieces"), format!("{pieces} 件"))),
        Unit::Trip => least(pieces, "trips", "趟"),
        Unit::Month => {
            let months = line.periods.unwrap_or(1);
            least(months * pieces, "months", "个月")
        }
        Unit::Year => {
            let years = line.periods.unwrap_or(1);
            (
                pieces * years,
                words(format!("{pieces} pieces × {years} years"), format!("{pieces} 件 × {years} 年")),
            )
        }
        Unit::Hour => least(
            up(time_s()?, 3_600) * line.persons.unwrap_or(1),
            "started hours",
            "小时（不足一小时按一小时）",
        ),
        Unit::ExactHour => {
            let seconds = time_s()?.max(price.least_units * 3_600 * i64::from(price.least_units > 1));
            let time = format!("{:#}", SignedDuration::from_secs(seconds));
            (seconds * line.persons.unwrap_or(1), Words::same(time))
        }
        Unit::PersonDay => {
            let (persons, days) = (line.persons.unwrap_or(1), line.days.unwrap_or(1));
            least(persons * days, "person-days", "人天")
        }
        Unit::PersonVisit => {
            let persons = line.persons.unwrap_or(1);
            let each =
                line.time.map_or(1, |time| up(time.as_secs(), price.visit_most.as_secs().max(1)).max(1));
            least(persons * each * pieces, "person-visits", "人次")
        }
        Unit::Km => {
            let km = line.km.ok_or_else(|| words("the distance is not given", "没有写里程"))?;
            let charged = (km - price.free_km).max(0);
            let free = price.free_km.min(km);
            let said = words(
                format!("{charged} km ({km} less {free} free)"),
                format!("{charged} 公里（{km} 公里减免费 {free} 公里）"),
            );
            (charged, said)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{document, template};

    fn named(name: &str) -> Contract {
        document::read(template::find(name).unwrap().text).contract.unwrap()
    }

    fn line(item: &str) -> Line {
        Line { item: item.into(), ..Line::default() }
    }

    #[track_caller]
    fn fen(contract: &Contract, line: Line) -> i64 {
        let quote = quote(contract, &[line]);
        quote.total.unwrap_or_else(|| panic!("{quote:?}")).0
    }

    #[test]
    fn every_fee_by_the_case_and_by_the_visit() {
        let list = named("per-visit");
        let hours = |hours: f64| Some(SignedDuration::from_secs_f64(hours * 3_600.0));
        let yuan = |item: &str, more: Line| fen(&list, Line { item: item.into(), ..more }) / 100;
        let urban = || Line { zone: Some("urban".into()), ..Line::default() };
        let outside = || Line { zone: Some("outside".into()), ..Line::default() };
        for (item, more, wanted) in [
            ("diagnosis", Line::default(), 100),
            // An hour that has begun: 2 h 1 min are three hours.
            ("onsite_labour", Line { time: hours(2.0 + 1.0 / 60.0), ..Line::default() }, 600),
            ("onsite_labour", Line { time: hours(2.0), ..Line::default() }, 400),
            ("phone_hard", Line::default(), 50),
            ("remote_software", Line::default(), 100),
            ("remote_system", Line { count: Some(2), ..Line::default() }, 400),
            ("training_basic", Line { persons: Some(3), days: Some(2), ..Line::default() }, 3_000),
            ("training_advanced", Line::default(), 800),
            // Ten kilometres are free, the eleventh is not.
            ("door", Line { km: Some(10), ..Line::default() }, 0),
            ("door", Line { km: Some(25), ..Line::default() }, 45),
            // Eight hours are one visit, a second more is another.
            ("visit", Line { time: hours(8.0), ..urban() }, 400),
            ("visit", Line { time: Some(SignedDuration::from_secs(28_801)), ..urban() }, 800),
            ("visit", Line { persons: Some(2), ..outside() }, 1_200),
            ("second_visit", urban(), 320),
            ("second_visit", outside(), 480),
            ("vehicle", urban(), 200),
            ("vehicle", Line { count: Some(2), ..outside() }, 700),
        ] {
            assert_eq!(yuan(item, more.clone()), wanted, "{item} {more:?}");
        }
    }

    #[test]
    fn every_device_by_the_year() {
        let list = named("annual-per-device");
        let year = |item: &str, count: i64, size: Option<i64>| {
            fen(&list, Line { count: Some(count), size, ..line(item) }) / 100
        };
        for (item, each) in [
            ("network_point", 50),
            ("server", 800),
            ("pc", 80),
            ("voice_point", 50),
            ("billing_software", 380),
            ("speaker", 40),
            ("cctv_terminal", 150),
            ("cctv_host", 800),
            ("cctv_auxiliary", 80),
            ("intrusion_detector", 60),
            ("intrusion_host", 500),
            ("attendance", 800),
            ("access_terminal", 300),
            ("canteen_pos", 800),
            ("onecard_software", 800),
        ] {
            assert_eq!(year(item, 3, None), 3 * each, "{item}");
        }
        // Switches: five are 5 × 400, six 6 × 360, ten 10 × 360, eleven 11 × 320.
        let switches: Vec<i64> = [5, 6, 10, 11].map(|count| year("network_switch", count, None)).into();
        assert_eq!(switches, [2_000, 2_160, 3_600, 3_520]);
        let exchanges = [50, 100, 150, 200, 300, 301].map(|ports| year("pbx", 1, Some(ports)));
        assert_eq!(exchanges, [600, 1_000, 1_000, 1_500, 1_800, 3_000]);
        let amplifiers = [800, 801, 1_500, 1_501].map(|watts| year("amplifier", 2, Some(watts)));
        assert_eq!(amplifiers, [900, 1_200, 1_200, 1_600]);
        assert_eq!(fen(&list, Line { count: Some(6), periods: Some(2), ..line("network_switch") }), 432_000);
        assert_eq!(
            fen(&named("cctv-117"), Line { periods: Some(12), ..line("maintenance_month") }),
            30_000_000
        );
    }

    #[test]
    fn what_needs_a_person_says_so() {
        let list = named("per-visit");
        let needs = |contract: &Contract, line: Line| {
            let quote = quote(contract, &[line]);
            assert!(quote.is_open());
            let needs: Vec<&str> = quote.charges[0].needs.iter().map(|need| need.en.as_str()).collect();
            assert!(quote.charges[0].needs.iter().all(|need| !need.zh.is_ascii()), "{quote:?}");
            (quote.total.map(|fen| fen.0), needs.join("; "))
        };
        let part = Line { amount: Some(Fen(12_345)), count: Some(2), ..line("part") };
        assert_eq!(needs(&list, part.clone()), (Some(24_690), "the customer's consent".into()));
        let agreed = quote(&list, &[Line { consent: Some("chen.yu".into()), ..part }]);
        assert!(!agreed.is_open() && !agreed.charges[0].tax_included);
        assert_eq!(needs(&list, line("visit")), (None, "zone".into()));
        assert_eq!(needs(&list, line("unheard_of")).1, "a price agreed with the customer");
        assert_eq!(needs(&list, line("onsite_labour")).1, "the time is not given");
        let range = named("elv-standard");
        assert_eq!(needs(&range, line("fault_clearing")).1, "a person names the amount, 100.00 to 500.00");
        let named_by_a_person = Line { amount: Some(Fen(30_000)), ..line("fault_clearing") };
        assert_eq!(fen(&range, named_by_a_person), 30_000);
        assert_eq!(needs(&range, Line { amount: Some(Fen(50_001)), ..line("fault_clearing") }).0, None);
        // A misdiagnosis is our own cost.
        let ours = Line { free: Some("our misdiagnosis".into()), ..line("diagnosis") };
        assert_eq!(fen(&list, ours), 0);
    }
}
