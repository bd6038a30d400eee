//! Each lie that a server under kills could tell is put into a record that is true, and the judge must say so.

use super::super::{Event, Incident, Page, Queue, Ticket, Watched};
use super::*;
use crate::soak::desk::Receipt;

/// One device that fails once and recovers, on one gateway: three records, one ticket, two pages.
fn well() -> (Truth, Record) {
    let at = 1_795_000_000_000;
    let (gateway, ticket) = ("gw-1".to_owned(), "ticket-1".to_owned());
    let changes = vec![Change { at, to: Mood::Refuses }, Change { at: at + 9_000, to: Mood::Well }];
    let receipt = |key: &str| Receipt { key: key.to_owned(), is_repeat: false, is_taken: true };
    let truth = Truth {
        devices: vec![Watched { id: "cam-1".into(), name: "cam-1".into(), changes }],
        receipts: vec![receipt("opened"), receipt("closed")],
        acked: vec![ticket.clone()],
        queues: vec![Queue { gateway: gateway.clone(), waiting: 0, head: 3 }],
        rested: None,
    };
    let event = |kind: &str, after: i64| Event {
        ticket_id: ticket.clone(),
        kind: kind.into(),
        recorded_at: at + after,
        body: "{}".into(),
    };
    let page = |purpose: &str| Page {
        idem_key: purpose.into(),
        ticket_id: ticket.clone(),
        purpose: purpose.into(),
        state: "sent".into(),
    };
    let facts = vec![("raised".to_owned(), at + 2_000), ("cleared".to_owned(), at + 11_000)];
    let record = Record {
        facts: BTreeMap::from([("cam-1".to_owned(), facts)]),
        tickets: vec![Ticket {
            id: ticket.clone(),
            device_id: Some("cam-1".into()),
            state: "closed".into(),
            acked_at: Some(at + 4_000),
        }],
        incidents: vec![Incident { device_id: Some("cam-1".into()), closed_at: Some(at + 11_000) }],
        events: vec![
            event("opened", 2_010),
            event("acked", 4_000),
            event("fault_cleared", 11_010),
            event("closed", 11_010),
        ],
        pages: vec![page("opened"), page("closed")],
        marks: vec![(gateway.clone(), "e".into(), 3)],
        numbers: (1..=3).map(|seq| (gateway.clone(), "e".to_owned(), seq)).collect(),
        ..Record::default()
    };
    (truth, record)
}

/// The one complaint about a doctored record.
#[track_caller]
fn says(words: &str, doctor: impl FnOnce(&mut Truth, &mut Record)) {
    let (mut truth, mut record) = well();
    doctor(&mut truth, &mut record);
    let complaints = Ledger::judge(&truth, &record).complaints;
    assert!(complaints.iter().any(|complaint| complaint.contains(words)), "{words}: {complaints:?}");
}

#[test]
fn a_true_record_has_no_complaint() {
    let (mut truth, record) = well();
    assert_eq!(Ledger::judge(&truth, &record).complaints, [""; 0]);
    // Its last words are committed, and it ended before it heard so.
    truth.rested = Some([("gw-1".to_owned(), 2)].into());
    truth.queues[0].waiting = 1;
    assert_eq!(Ledger::judge(&truth, &record).complaints, [""; 0]);
}

/// The server acknowledged before it committed, and was killed between the two: the agent has deleted what the
/// database never got.
#[test]
fn an_early_ack_is_noticed() {
    says("its head is 3, the server has 2", |_, record| {
        record.marks[0].2 = 2;
        record.numbers.pop();
    });
    says("1 facts for 2 changes", |_, record| {
        record.facts.get_mut("cam-1").unwrap().pop();
    });
    // The mark was committed, and the rows were not.
    says("without a row", |truth, record| {
        (record.marks[0].2, truth.queues[0].head) = (90, 90);
    });
    says("there are gaps", |_, record| {
        record.gaps.insert("gw-1".into());
    });
    says("2 epochs", |_, record| record.marks.push(("gw-1".into(), "f".into(), 1)));
    says("1 records wait", |truth, _| truth.queues[0].waiting = 1);
    // So is what it said before, when it rested, and what the server has not got.
    for (head, rested) in [(3, 3), (4, 2)] {
        says("1 records wait", |truth, _| {
            (truth.queues[0].waiting, truth.queues[0].head) = (1, head);
            truth.rested = Some([("gw-1".to_owned(), rested)].into());
        });
    }
}

/// A report was applied twice.
#[test]
fn what_counts_twice_is_noticed() {
    says("3 facts for 2 changes", |_, record| {
        let facts = record.facts.get_mut("cam-1").unwrap();
        facts.insert(1, facts[0].clone());
    });
    says("4 rows with 3 numbers", |_, record| record.numbers.push(record.numbers[0].clone()));
    says("up to Some(4) of 3", |_, record| record.numbers[2].2 = 4);
}

#[test]
fn a_doubled_ticket_is_noticed() {
    says("1 troubles, 2 tickets", |_, record| {
        record.tickets.push(Ticket { id: "ticket-2".into(), ..record.tickets[0].clone() });
    });
    says("2 incidents", |_, record| record.incidents.push(record.incidents[0].clone()));
    says("of which 1 open", |_, record| record.tickets[0].state = "open".into());
    says("1 faults stand", |_, record| record.standing_faults = 1);
    says("about no device", |_, record| record.tickets[0].device_id = None);
    says("2 times opened", |_, record| record.events.push(record.events[0].clone()));
    says("1 times reopened", |_, record| record.events[1].kind = "reopened".into());
}

#[test]
fn a_lost_page_is_noticed() {
    says("sent and never came", |truth, _| {
        truth.receipts.remove(0);
    });
    says("is claimed", |_, record| record.pages[0].state = "claimed".into());
    says("stood for 9000 ms and was never paged", |truth, record| {
        record.pages.clear();
        truth.receipts.clear();
    });
    says("nobody was told that it is over", |truth, record| {
        record.pages.pop();
        truth.receipts.pop();
    });
    says("does not say why", |truth, record| {
        record.pages[0].state = "withheld".into();
        truth.receipts.remove(0);
    });
    says("forgot it", |_, record| {
        record.events.remove(1);
    });
}

#[test]
fn a_page_too_many_is_noticed() {
    says("did not say so", |truth, _| truth.receipts.push(truth.receipts[0].clone()));
    says("not on record", |truth, _| truth.receipts[0].key = "another".into());
    says("2 pages sent that say opened", |truth, record| {
        record.pages.push(Page { idem_key: "again".into(), ..record.pages[0].clone() });
        truth.receipts.push(Receipt { key: "again".into(), ..truth.receipts[0].clone() });
    });
}

#[test]
fn a_time_that_is_not_true_is_noticed() {
    says("but it happened between", |_, record| record.facts.get_mut("cam-1").unwrap()[0].1 -= 2_100);
    says("but it happened between", |_, record| record.facts.get_mut("cam-1").unwrap()[0].1 += 7_100);
}

/// Trouble that is told in a history may end unpaged, when the record says that it was history.
#[test]
fn history_is_an_excuse_that_has_an_end() {
    let (mut truth, mut record) = well();
    record.pages.clear();
    truth.receipts.clear();
    let body = r#"{"reason":"replay"}"#.to_owned();
    let opened = record.events[0].clone();
    record.events.push(Event { kind: "withheld".into(), body, ..opened });
    assert_eq!(Ledger::judge(&truth, &record).complaints, [""; 0]);
    record.events[3].recorded_at += HELD_MS;
    assert_eq!(Ledger::judge(&truth, &record).complaints.len(), 1);
}

/// A fault that came too often: its ticket stays open, says why, and takes up what follows.
#[test]
fn what_flaps_is_one_open_ticket_that_says_so() {
    let flap = |truth: &mut Truth, record: &mut Record| {
        let (device, facts) = (&mut truth.devices[0], record.facts.get_mut("cam-1").unwrap());
        for index in 0..2 {
            let (mut change, mut fact) = (device.changes[index], facts[index].clone());
            change.at += 60_000;
            fact.1 += 60_000;
            device.changes.push(change);
            facts.push(fact);
        }
        record.incidents.push(record.incidents[0].clone());
        record.flapping.insert("cam-1".into(), Flapping { tickets: 1, further: 1 });
        record.tickets[0].state = "open".into();
        record.events[3].kind = "withheld".into();
        record.events[3].body = "{\"reason\":\"flapping\"}".into();
        record.pages.pop();
        truth.receipts.pop();
    };
    let (mut truth, mut record) = well();
    flap(&mut truth, &mut record);
    assert_eq!(Ledger::judge(&truth, &record).complaints, [""; 0]);
    says("2 troubles, 1 tickets of which 0 open", |truth, record| {
        flap(truth, record);
        record.tickets[0].state = "closed".into();
    });
    says("does not say why", |truth, record| {
        flap(truth, record);
        record.events[3].body = "{}".into();
    });
    says("2 troubles, 1 tickets of which 1 open", |truth, record| {
        flap(truth, record);
        record.flapping.clear();
    });
}
