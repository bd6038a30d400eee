//! The stream against a server that loses, repeats and forgets.

use proptest::prelude::*;

use super::*;
use crate::clock::from_ms;

fn event(seq: u64) -> Record {
    let bytes = Event { device_id: format!("d{seq}"), ..Event::default() }.encode_to_vec();
    Record { seq, last: seq, kind: RecordKind::Event, at_ms: 0, bytes }
}

fn block(seq: u64) -> Record {
    Record { kind: RecordKind::Metrics, bytes: MetricBlock::default().encode_to_vec(), ..event(seq) }
}

fn ack(upto: u64, resend_from: u64) -> Ack {
    Ack { epoch: 7, upto, resend_from, ..Ack::default() }
}

fn up(tail: u64, head: u64) -> Session {
    let mut session = Session::new(7, tail, head);
    session.connected(1);
    session
}

fn ranges(envelopes: &[Envelope]) -> Vec<(u64, u32)> {
    envelopes.iter().map(|e| (e.first_seq, e.count)).collect()
}

#[test]
fn events_travel_together_and_blocks_alone() {
    let mut session = up(1, 5);
    let records = [event(1), event(2), block(3), event(4), event(5)];
    assert_eq!(ranges(&session.take(from_ms(0), &records)), [(1, 2), (3, 1), (4, 2)]);
    assert_eq!(session.wants(), None);
    assert_eq!(session.ack(from_ms(1), &ack(3, 0)).delete_upto, Some(3));
    assert_eq!(session.range(), (4, 5));
    assert_eq!(session.ack(from_ms(1), &ack(3, 0)), Acked::default());
}

#[test]
fn only_what_is_committed_is_sent_and_only_while_connected() {
    let mut session = Session::new(7, 1, 0);
    session.committed(2);
    assert_eq!(session.wants(), None);
    assert!(session.take(from_ms(0), &[event(1)]).is_empty());
    session.connected(1);
    assert_eq!(session.wants(), Some(1));
    assert_eq!(ranges(&session.take(from_ms(0), &[event(1), event(2), event(3)])), [(1, 2)]);
}

#[test]
fn a_silent_server_gets_everything_again() {
    let mut session = up(1, 2);
    session.take(from_ms(0), &[event(1), event(2)]);
    let due = session.next_due().unwrap();
    session.timeout(from_ms(1));
    assert_eq!(session.wants(), None);
    session.timeout(due);
    assert_eq!(session.wants(), Some(1));
    session.take(due, &[event(1), event(2)]);
    session.disconnected();
    session.connected(2);
    assert_eq!(session.wants(), Some(1));
}

#[test]
fn the_window_is_bounded() {
    let mut session = up(1, 100);
    let records: Vec<Record> = (1..=100).map(block).collect();
    assert_eq!(session.take(from_ms(0), &records).len(), WINDOW);
    assert_eq!(session.wants(), None);
    session.ack(from_ms(0), &ack(3, 0));
    assert_eq!(session.wants(), Some(WINDOW as u64 + 1));
}

#[test]
fn what_was_deleted_is_answered_with_a_gap() {
    let mut session = up(10, 12);
    let acked = session.ack(from_ms(0), &ack(4, 5));
    let gap = acked.gap.unwrap();
    assert_eq!((gap.first_seq, gap.count), (5, 5));
    assert_eq!(session.wants(), Some(10));
    assert_eq!(session.ack(from_ms(1), &ack(4, 5)), Acked::default(), "the same request twice");
}

#[test]
fn a_server_that_is_ahead_means_that_this_queue_is_an_old_copy() {
    let mut session = up(1, 3);
    assert!(session.ack(from_ms(0), &ack(9, 0)).is_ahead);
    session.renumbered(8);
    assert_eq!(session.wants(), Some(1));
    assert_eq!(session.ack(from_ms(0), &ack(9, 0)), Acked::default(), "an ack of the old epoch");
}

#[test]
fn a_hole_in_the_queue_is_declared() {
    let mut session = up(1, 5);
    let envelopes = session.take(from_ms(0), &[event(1), event(4), event(5)]);
    assert_eq!(ranges(&envelopes), [(1, 1), (2, 2), (4, 2)]);
    assert!(matches!(envelopes[1].body, Some(Body::Gap(_))));
    assert!(
        envelopes.iter().all(|e| sitewarden_proto::envelope::encode(
            e,
            sitewarden_proto::envelope::Codec::None
        )
        .is_ok())
    );
}

proptest! {
    /// Whatever is lost on the way, each record is applied exactly once and in order, and nothing is deleted
    /// that the server does not have.
    #[test]
    fn every_record_arrives_once(total in 1_u64..60, chances in proptest::collection::vec(0_u8..10, 400)) {
        let mut session = up(1, 0);
        let mut applied = 0_u64;
        let mut now = 0;
        for (step, chance) in chances.iter().chain(std::iter::repeat_n(&9, 200)).enumerate() {
            now += 11_000;
            session.committed((step as u64 / 2 + 1).min(total));
            session.timeout(from_ms(now));
            if *chance == 0 {
                session.disconnected();
                session.connected(step as u64 + 2);
            }
            let (tail, head) = session.range();
            let queue: Vec<Record> = (tail..=head).map(|seq| if seq % 5 == 0 { block(seq) } else { event(seq) }).collect();
            let mut answer = Ack { epoch: 7, upto: applied, ..Ack::default() };
            for envelope in if session.wants().is_some() { session.take(from_ms(now), &queue) } else { Vec::new() } {
                if *chance < 4 { continue; }
                let last = envelope.first_seq + u64::from(envelope.count) - 1;
                if envelope.first_seq > applied + 1 {
                    answer.resend_from = applied + 1;
                } else {
                    applied = applied.max(last);
                }
            }
            answer.upto = applied;
            if *chance > 2 {
                let acked = session.ack(from_ms(now), &answer);
                prop_assert_eq!(acked.gap, None);
                prop_assert!(acked.delete_upto.unwrap_or(0) <= applied);
            }
        }
        prop_assert_eq!(applied, total);
        prop_assert_eq!(session.range(), (total + 1, total));
    }
}
