//! The year in an annual report. Every rate stands with what it is of and with how much of the time anything was known.

use std::collections::BTreeMap;

use crate::inspection::year::{Class, Inspections, Uptime, Year, classes, share};
use crate::paper::Part;
use crate::paper::scribe::Scribe;

const HOUR_TENTHS_MS: i64 = 360_000;

/// The year in figures: devices and how long they worked, faults and tickets, parts, inspections.
pub fn parts(scribe: &Scribe, year: &Year) -> Vec<Part> {
    let teller = Teller { scribe, year };
    let heading = |key: &str| Part::Heading(scribe.word(key));
    let days = [("from", year.first.to_string()), ("to", year.last.to_string())];
    let days: Vec<(&str, &str)> = days.iter().map(|(key, day)| (*key, day.as_str())).collect();
    let mut parts = vec![Part::Heading(scribe.say("paper.year", &days))];
    parts.extend(teller.devices());
    parts.extend([heading("paper.year.faults"), teller.faults()]);
    if !year.worst.is_empty() {
        parts.extend([heading("paper.year.worst"), teller.worst()]);
    }
    parts.extend([heading("paper.year.parts"), teller.parts()]);
    parts.extend([heading("paper.year.inspections"), teller.inspections()]);
    parts
}

struct Teller<'a> {
    scribe: &'a Scribe,
    year: &'a Year,
}

/// Hours with a tenth.
fn hours(ms: i64) -> String {
    let tenths = ms / HOUR_TENTHS_MS;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// `99.18 %`.
fn per_cent(share: i64) -> String {
    format!("{}.{:02} %", share / 100, share % 100)
}

impl Teller<'_> {
    fn word(&self, key: &str) -> String {
        self.scribe.word(key)
    }

    fn table(&self, widths: &[f32], heads: &[&str], rows: Vec<Vec<String>>) -> Part {
        let heads = heads.iter().map(|key| self.word(key)).collect();
        Part::Table { widths: widths.to_vec(), heads, rows }
    }

    /// A share with what it is of, in hours; a word where nothing is known.
    fn rate(&self, part: i64, of: i64) -> String {
        match share(part, of) {
            Some(rate) => self.scribe.say(
                "paper.year.rate",
                &[("rate", &per_cent(rate)), ("part", &hours(part)), ("of", &hours(of))],
            ),
            None => self.word("paper.year.nothing_known"),
        }
    }

    fn devices(&self) -> Vec<Part> {
        let all: BTreeMap<String, Class> = classes(self.year.stretch, &self.year.devices);
        if all.is_empty() {
            return vec![Part::Words(self.word("paper.year.no_devices"))];
        }
        let row = |name: String, class: &Class| {
            let Uptime { online, whole, .. } = class.uptime;
            let known = class.uptime.known();
            vec![
                name,
                class.devices.to_string(),
                class.looked_at.to_string(),
                class.wrong.to_string(),
                class.unknown.to_string(),
                self.rate(online, known),
                self.rate(known, whole),
            ]
        };
        let mut rows: Vec<Vec<String>> =
            all.iter().map(|(class, of)| row(self.scribe.of("class", class), of)).collect();
        let sum = all.values().fold(Class::default(), |sum, one| Class {
            devices: sum.devices + one.devices,
            looked_at: sum.looked_at + one.looked_at,
            wrong: sum.wrong + one.wrong,
            unknown: sum.unknown + one.unknown,
            uptime: sum.uptime.and(one.uptime),
        });
        rows.push(row(self.word("paper.year.all"), &sum));
        let heads = [
            "paper.year.class",
            "paper.year.devices",
            "paper.year.looked_at",
            "paper.year.wrong",
            "paper.year.unknown",
            "paper.year.online",
            "paper.year.known",
        ];
        let widths = [14.0, 9.0, 9.0, 9.0, 11.0, 24.0, 24.0];
        let gone = self.year.devices.iter().filter(|one| !one.0.stays(self.year.stretch)).count();
        let unwatched = hours(sum.uptime.maintenance);
        let mut said = vec![self.scribe.say("paper.year.how", &[("maintenance", &unwatched)])];
        if gone > 0 {
            said.push(self.scribe.say("paper.year.gone", &[("n", &gone.to_string())]));
        }
        vec![self.table(&widths, &heads, rows), Part::Words(said.join(" "))]
    }

    fn fault(&self, code: &str) -> String {
        let fault = sitewarden_proto::fault::find(code);
        let title = fault.map(|one| one.title.get(self.scribe.language.as_str()).to_owned());
        title.unwrap_or_else(|| code.to_owned())
    }

    /// Faults with the tickets of their code, then the tickets that people opened.
    fn faults(&self) -> Part {
        let Year { faults, tickets, .. } = self.year;
        let mut rows: Vec<Vec<String>> = Vec::new();
        let count = |of: &str| {
            let of_code = || tickets.iter().filter(|one| one.code == of);
            (of_code().map(|one| one.opened).sum::<i64>(), of_code().map(|one| one.closed).sum::<i64>())
        };
        for one in faults {
            let (opened, closed) = count(&one.of);
            rows.push(vec![
                self.fault(&one.of),
                one.count.to_string(),
                one.standing.to_string(),
                hours(one.ms),
                opened.to_string(),
                closed.to_string(),
            ]);
        }
        let others = tickets.iter().filter(|one| !faults.iter().any(|fault| fault.of == one.code));
        for one in others {
            let name = if one.code.is_empty() {
                self.scribe.of("paper.year.origin", &one.origin)
            } else {
                self.fault(&one.code)
            };
            let none = String::new;
            rows.push(vec![name, none(), none(), none(), one.opened.to_string(), one.closed.to_string()]);
        }
        if rows.is_empty() {
            return Part::Words(self.word("paper.year.no_faults"));
        }
        let heads = [
            "paper.year.fault",
            "paper.year.count",
            "paper.year.standing",
            "paper.year.hours",
            "paper.year.tickets",
            "paper.year.closed",
        ];
        self.table(&[36.0, 12.0, 14.0, 14.0, 12.0, 12.0], &heads, rows)
    }

    fn worst(&self) -> Part {
        let rows = self.year.worst.iter().map(|one| {
            let device = self.year.devices.iter().find(|device| device.0.id == one.of);
            let name = device.map_or_else(|| one.of.clone(), |device| device.0.name.clone());
            let class = device.map(|device| self.scribe.of("class", &device.0.class)).unwrap_or_default();
            let rate = device.map(|device| self.rate(device.1.online, device.1.known())).unwrap_or_default();
            vec![name, class, one.count.to_string(), one.standing.to_string(), hours(one.ms), rate]
        });
        let heads = [
            "paper.year.device",
            "paper.year.class",
            "paper.year.count",
            "paper.year.standing",
            "paper.year.hours",
            "paper.year.online",
        ];
        self.table(&[23.0, 14.0, 11.0, 13.0, 13.0, 26.0], &heads, rows.collect())
    }

    fn parts(&self) -> Part {
        let rows: Vec<Vec<String>> = self
            .year
            .parts
            .iter()
            .map(|one| {
                let name = self.scribe.name(&one.name, &one.name_zh).to_owned();
                vec![one.number.clone(), name, one.quantity.to_string(), one.tickets.to_string()]
            })
            .collect();
        if rows.is_empty() {
            return Part::Words(self.word("paper.year.no_parts"));
        }
        let heads = ["paper.year.part", "paper.year.part_name", "paper.year.quantity", "paper.year.tickets"];
        self.table(&[24.0, 46.0, 14.0, 16.0], &heads, rows)
    }

    fn inspections(&self) -> Part {
        let row = |name: String, one: &Inspections| {
            let figures = [one.owed, one.done, one.late, one.missed, one.waived];
            let ahead = one.owed - one.done - one.missed - one.waived;
            let figures = figures.into_iter().chain([ahead]).map(|n| n.to_string());
            [name].into_iter().chain(figures).collect::<Vec<_>>()
        };
        let name = |one: &Inspections| {
            if !one.by_hand {
                return one.rule.clone();
            }
            let kind = self.scribe.of("inspection.kind", &one.rule);
            self.scribe.say("paper.year.by_hand", &[("kind", &kind)])
        };
        let rows: Vec<Vec<String>> = self.year.inspections.iter().map(|one| row(name(one), one)).collect();
        let heads = [
            "paper.year.rule",
            "paper.year.owed",
            "paper.year.done",
            "paper.year.late",
            "paper.year.missed",
            "paper.year.waived",
            "paper.year.ahead",
        ];
        self.table(&[34.0, 11.0, 11.0, 11.0, 11.0, 11.0, 11.0], &heads, rows)
    }
}
