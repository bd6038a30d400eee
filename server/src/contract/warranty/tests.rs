//! Rights to the day, through replacements, and claims that a person must decide.

use super::*;
use crate::contract::{document, template};

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn named(name: &str) -> Contract {
    document::read(template::find(name).unwrap().text).contract.unwrap()
}

fn moment(on: &str, what: &str) -> Moment {
    Moment { on: day(on), what: what.into(), ..Moment::default() }
}

fn replaced(on: &str, component: &str, with: &str) -> Moment {
    Moment { component: component.into(), with: Some(with.into()), ..moment(on, "replaced") }
}

fn claim(on: &str, component: &str, cause: &str) -> Claim {
    Claim {
        on: day(on),
        component: component.into(),
        service: "repair".into(),
        cause: cause.into(),
        ..Claim::default()
    }
}

#[track_caller]
fn check(contract: &Contract, moments: &[Moment], claim: &Claim, outcome: Outcome, code: &str) -> Decision {
    let decision = decide(contract, &[], moments, claim);
    assert_eq!((decision.outcome, decision.code), (outcome, code), "{decision:#?}");
    decision
}

#[test]
fn a_year_ends_with_the_day_of_the_same_date() {
    let highway = named("highway-cctv");
    let accepted = [moment("2025-03-10", "acceptance")];
    // Day 365 after the acceptance is 10 March 2026; the day after it is at cost for three years.
    check(&highway, &accepted, &claim("2026-03-10", "camera", "quality"), Outcome::Free, "in_term");
    let after =
        check(&highway, &accepted, &claim("2026-03-11", "camera", "quality"), Outcome::Chargeable, "stage");
    assert_eq!(after.bases, [Basis::Cost; 3]);
    let late =
        check(&highway, &accepted, &claim("2029-03-11", "camera", "quality"), Outcome::Chargeable, "stage");
    assert_eq!(late.bases, [Basis::List; 3]);
    // Begun the day after, it ends on the same day.
    let maker = named("manufacturer");
    let final_acceptance = [moment("2025-03-10", "final_acceptance")];
    check(&maker, &final_acceptance, &claim("2026-03-10", "board", "quality"), Outcome::Free, "in_term");
    check(&maker, &final_acceptance, &claim("2026-03-11", "board", "quality"), Outcome::Chargeable, "stage");
    // From the leap day to the end of February.
    let leap = [moment("2028-02-29", "acceptance")];
    check(&highway, &leap, &claim("2029-02-28", "camera", "quality"), Outcome::Free, "in_term");
    check(&highway, &leap, &claim("2029-03-01", "camera", "quality"), Outcome::Chargeable, "stage");
}

#[test]
fn replaced_on_the_last_day_and_again_under_other_rules() {
    let (old, new) = (named("intelligent-building"), named("highway-cctv"));
    let signed =
        Moment { evidence: vec!["completion_form".into()], ..moment("2023-03-10", "completion_form_signed") };
    // 36 months end on 10 March 2026; on that day the disk is replaced, which begins 36 months of its own.
    let moments =
        [signed, replaced("2026-03-10", "disk-1", "disk-2"), replaced("2028-06-01", "disk-2", "disk-3")];
    // On 1 June 2028 a renewed contract says nothing of replacements: the rest of the term, until 10 March 2029.
    let versions =
        [(Date::MIN, old.warranty.as_ref().unwrap()), (day("2027-01-01"), new.warranty.as_ref().unwrap())];
    let (rights, missing) = rights(&versions, &moments, "disk-3");
    let told: Vec<_> = rights.iter().map(|right| (right.component.as_str(), right.until)).collect();
    let (first, last) = (Some(day("2026-03-10")), Some(day("2029-03-10")));
    assert_eq!(told, [("disk-1", first), ("disk-2", last), ("disk-3", last)]);
    assert!(missing.is_empty());
    // And the cause is found to be lightning: excluded, and no charge was agreed.
    let decision = check(
        &old,
        &moments,
        &claim("2028-07-01", "disk-3", "natural_disaster"),
        Outcome::NeedsPerson,
        "excluded",
    );
    assert_eq!(decision.rights.len(), 3);
    check(&old, &moments, &claim("2028-07-01", "disk-3", "unknown"), Outcome::NeedsPerson, "cause_unknown");
    let misuse =
        check(&old, &moments, &claim("2028-07-01", "disk-3", "misuse"), Outcome::Chargeable, "excluded");
    assert_eq!(misuse.bases, [Basis::Cost; 3]);
}

#[test]
fn a_replacement_never_shortens_what_was_there() {
    let parts = named("pc-parts");
    let sold = |evidence: &[&str]| Moment {
        evidence: evidence.iter().map(|text| (*text).to_owned()).collect(),
        ..moment("2025-01-10", "sold")
    };
    let disk = Moment {
        component: "disk-1".into(),
        class: Some("disk".into()),
        ..moment("2025-01-10", "installed")
    };
    let paid = Moment { paid: true, ..replaced("2027-12-20", "disk-1", "disk-2") };
    let moments = [sold(&["invoice"]), disk, moment("2024-06-01", "produced"), paid];
    let serial = |on: &str, component: &str| Claim {
        evidence: vec!["serial_matches".into()],
        ..claim(on, component, "quality")
    };
    // Three years for a disk end on 10 January 2028; three months of a paid repair on 20 March.
    check(&parts, &moments, &serial("2028-03-20", "disk-2"), Outcome::Free, "in_term");
    check(&parts, &moments, &serial("2028-03-21", "disk-2"), Outcome::Chargeable, "stage");
    // Without an invoice it runs from production: until 1 June 2027.
    let unproved = [sold(&[]), moments[1].clone(), moments[2].clone()];
    check(&parts, &unproved, &serial("2027-06-01", "disk-1"), Outcome::Free, "in_term");
    let over = check(&parts, &unproved, &serial("2027-06-02", "disk-1"), Outcome::Chargeable, "stage");
    assert_eq!(over.missing, ["sold: invoice", "sold: voucher"]);
    check(
        &parts,
        &moments,
        &claim("2026-01-01", "disk-1", "quality"),
        Outcome::Chargeable,
        "evidence_missing",
    );
}

#[test]
fn return_exchange_repair_by_the_day_and_the_same_fault_again() {
    let retail = named("retail");
    let handed = Moment { evidence: vec!["acceptance".into()], ..moment("2026-03-01", "handed_over") };
    let shown = |on: &str| Claim {
        evidence: vec!["voucher".into(), "serial_matches".into()],
        fault: Some("no picture".into()),
        ..claim(on, "dome", "quality")
    };
    let repaired = Moment {
        component: "dome".into(),
        fault: Some("no picture".into()),
        ..moment("2026-09-01", "repaired")
    };
    let moments = [handed, repaired];
    // Day 7 is 8 March, day 8 the 9th, day 30 the 31st, day 31 the first of April.
    for (on, right) in [
        ("2026-03-08", "return"),
        ("2026-03-09", "exchange"),
        ("2026-03-31", "exchange"),
        ("2026-04-01", "repair"),
    ] {
        let decision = check(&retail, &moments, &shown(on), Outcome::Free, "in_term");
        assert_eq!(decision.window, Some((right.to_owned(), "after_sales_engineer".to_owned())), "{on}");
    }
    check(&retail, &moments, &shown("2027-08-01"), Outcome::Free, "repeat_fault");
    let other = Claim { fault: Some("no sound".into()), ..shown("2027-08-01") };
    check(&retail, &moments, &other, Outcome::Chargeable, "stage");
}

#[test]
fn a_part_of_exactly_two_hundred_yuan_and_a_card_that_never_came() {
    let cctv = named("cctv-117");
    let priced = |fen: i64| Claim { part_price: Some(Fen(fen)), ..claim("2026-03-01", "power", "quality") };
    let bases = |fen| decide(&cctv, &[], &[], &priced(fen)).bases[0];
    assert_eq!((bases(20_000), bases(20_001)), (Basis::Free, Basis::Cost));
    let supplier = named("supplier");
    let sold = moment("2025-01-10", "sold");
    let late = claim("2027-01-10", "battery", "quality");
    check(&supplier, std::slice::from_ref(&sold), &late, Outcome::Chargeable, "not_registered");
    let card = moment("2025-02-10", "registered");
    let kept = check(&supplier, &[sold.clone(), card], &late, Outcome::Chargeable, "stage");
    assert_eq!(kept.bases, [Basis::Cost; 3]);
    check(
        &supplier,
        &[sold, moment("2025-02-11", "registered")],
        &late,
        Outcome::Chargeable,
        "not_registered",
    );
    check(&supplier, &[], &late, Outcome::NeedsPerson, "anchor_missing");
}
