//! What a breach may cost: an estimate with its evidence, never a fact. A person approves it, the cap bounds it, and
//! losses beyond it are counted by hand.

use jiff::Timestamp;

use super::Contract;
use super::measure::Fen;
use super::remark::{Words, words};
use crate::calendar::DAY_S;

/// An estimate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// How much.
    pub fen: Fen,
    /// Whether the cap made it smaller.
    pub capped: bool,
    /// The clock or the event it is for.
    pub of: String,
    /// How it was worked out.
    pub how: Words,
    /// What proves it.
    pub evidence: Words,
    /// Who must approve it.
    pub approval: String,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The clock, or the event.
    pub of: String,
    /// When its time was up.
    pub from: Timestamp,
    /// When it was kept after all, or now.
    pub to: Timestamp,
}

/// What some breaches may cost together; the cap is for all of them, and for what was `granted` before.
pub fn estimate_breaches(contract: &Contract, breaches: &[Breach], granted: Fen) -> Vec<Estimate> {
    let Some(total) = contract.total else { return Vec::new() };
    let mut left = contract
        .penalties
        .cap_per_10_000
        .map_or(Fen(i64::MAX), |cap| Fen((total.share(cap).0 - granted.0).max(0)));
    let mut estimates = Vec::new();
    for breach in breaches {
        let of_breach = Some(breach.of.as_str());
        for rule in &contract.penalties.rules {
            if rule.clock.as_deref() != of_breach && rule.event.as_deref() != of_breach {
                continue;
            }
            let each = total.share(rule.per_10_000);
            let late_s = breach.to.as_second() - breach.from.as_second();
            // A day that has begun counts, and there is at least one.
            let count = if rule.per_started_day { ((late_s + DAY_S - 1) / DAY_S).max(1) } else { 1 };
            let wanted = each.times(count);
            let fen = wanted.min(left);
            left = Fen(left.0 - fen.0);
            let (unit, unit_zh) = if rule.per_started_day {
                ("started days", "天（不足一天按一天）")
            } else {
                ("case", "次")
            };
            let of = &breach.of;
            estimates.push(Estimate {
                fen,
                capped: fen < wanted,
                of: of.clone(),
                how: words(format!("{count} {unit} × {each}"), format!("{count} {unit_zh} × {each}")),
                evidence: evidence(contract, breach),
                approval: contract.penalties.approval.clone(),
            });
        }
    }
    estimates
}

/// What is seen of a breach, by the contract's name for it and the clock on its wall.
fn evidence(contract: &Contract, breach: &Breach) -> Words {
    let clock = contract.clocks.iter().find(|clock| clock.name == breach.of);
    let name = clock.map_or(breach.of.as_str(), |clock| clock.title.as_str());
    let local = |at: Timestamp| at.to_zoned(contract.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let (from, to) = (local(breach.from), local(breach.to));
    if clock.is_none() {
        return words(format!("{name}: {from}"), format!("{name}：{from}"));
    }
    words(
        format!("{name}: was due at {from} and not kept until {to}"),
        format!("{name}：应于 {from} 前完成，直至 {to} 仍未完成"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{document, template};

    fn breach(of: &str, from: &str, to: &str) -> Breach {
        Breach { of: of.into(), from: from.parse().unwrap(), to: to.parse().unwrap() }
    }

    #[test]
    fn a_started_day_counts_and_the_cap_bounds_all_of_them() {
        let contract = document::read(template::find("it-service").unwrap().text).contract.unwrap();
        // 1 % of 1,000,000 yuan is 10,000; a day and a second are two started days.
        let breaches = [
            breach("no_response", "2026-03-02T08:00:00Z", "2026-03-02T09:00:00Z"),
            breach("agreed", "2026-03-02T08:00:00Z", "2026-03-03T08:00:01Z"),
            breach("outage_after_inspection", "2026-03-02T08:00:00Z", "2026-03-02T08:00:00Z"),
            breach("remote", "2026-03-02T08:00:00Z", "2026-03-12T08:00:00Z"),
            breach("agreed", "2026-03-02T08:00:00Z", "2026-03-12T08:00:00Z"),
        ];
        let estimates = estimate_breaches(&contract, &breaches, Fen(0));
        let fen: Vec<_> = estimates.iter().map(|estimate| (estimate.fen.0, estimate.capped)).collect();
        // The cap is 100,000: 10 + 20 + 10 thousand are 40, so of the ten days' 100 only 60 are left.
        assert_eq!(fen, [(1_000_000, false), (2_000_000, false), (1_000_000, false), (6_000_000, true)]);
        assert!(estimates.iter().all(|estimate| estimate.approval == "manager"));
        assert_eq!(estimates[1].how.en, "2 started days × 10000.00");
        assert_eq!(
            estimates[2].evidence.en, "outage_after_inspection: 2026-03-02 16:00:00",
            "an event only happens"
        );
        // What was granted before leaves less of the cap.
        let granted = estimate_breaches(&contract, &breaches[..1], Fen(9_500_000));
        assert_eq!((granted[0].fen.0, granted[0].capped), (500_000, true));
    }
}
