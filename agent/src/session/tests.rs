//! The stream against a server that loses, repeats and forgets.

use proptest::prelude::*;

use super::*;
use crate::clock::from_ms;

fn event(seq: u64) -> Record {
    let bytes = Event { device_id: format!("d{seq}"), ..Event::default() }.encode_to_vec();
    Record { seq, last: seq, kind: RecordKind::Event, at_ms: 0, clock: 1, bytes }
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
    session.ack(from_ms(0), &clocks(), &ack(tail - 1, 0));
    session
}

fn clocks() -> Clocks {
    let earlier = crate::timeline::Earlier { told_ms: Some(500), ..Default::default() };
    Clocks::new(1, 0, None, vec![earlier])
}

fn ranges(envelopes: &[Envelope]) -> Vec<(u64, u32)> {
    envelopes.iter().map(|e| (e.first_seq, e.count)).collect()
}

#[test]
fn events_travel_together_and_blocks_alone() {
    let mut session = up(1, 5);
    let records = [event(1), event(2), block(3), event(4), event(5)];
    assert_eq!(ranges(&session.take(from_ms(0), &clocks(), &records)), [(1, 2), (3, 1), (4, 2)]);
    assert_eq!(session.wants(), None);
    assert_eq!(session.ack(from_ms(1), &clocks(), &ack(3, 0)).delete_upto, Some(3));
    assert_eq!(session.range(), (4, 5));
    assert_eq!(session.ack(from_ms(1), &clocks(), &ack(3, 0)), Acked::default());
}

#[test]
fn only_what_is_committed_is_sent_and_only_while_connected() {
    let mut session = Session::new(7, 1, 0);
    session.committed(2);
    assert_eq!(session.wants(), None);
    assert!(session.take(from_ms(0), &clocks(), &[event(1)]).is_empty());
    session.connected(1);
    assert_eq!(session.wants(), None, "the server has not said how far it is");
    session.ack(from_ms(0), &clocks(), &ack(0, 0));
    assert_eq!(session.wants(), Some(1));
    assert_eq!(ranges(&session.take(from_ms(0), &clocks(), &[event(1), event(2), event(3)])), [(1, 2)]);
}

#[test]
fn a_silent_server_gets_everything_again() {
    let mut session = up(1, 2);
    session.take(from_ms(0), &clocks(), &[event(1), event(2)]);
    let due = session.next_due().unwrap();
    session.timeout(from_ms(1));
    assert_eq!(session.wants(), None);
    session.timeout(due);
    assert_eq!(session.wants(), Some(1));
    session.take(due, &clocks(), &[event(1), event(2)]);
    session.disconnected();
    session.connected(2);
    assert_eq!(session.wants(), Some(1));
}

#[test]
fn the_window_is_bounded() {
    let mut session = up(1, 100);
    let records: Vec<Record> = (1..=100).map(block).collect();
    assert_eq!(session.take(from_ms(0), &clocks(), &records).len(), WINDOW);
    assert_eq!(session.wants(), None);
    session.ack(from_ms(0), &clocks(), &ack(3, 0));
    assert_eq!(session.wants(), Some(WINDOW as u64 + 1));
}

#[test]
fn what_was_deleted_is_answered_with_a_gap() {
    let mut session = up(10, 12);
    let acked = session.ack(from_ms(0), &clocks(), &ack(4, 5));
    let gap = acked.gap.unwrap();
    assert_eq!((gap.first_seq, gap.count), (5, 5));
    assert_eq!(session.wants(), Some(10));
    assert_eq!(session.ack(from_ms(1), &clocks(), &ack(4, 5)), Acked::default(), "the same request twice");
}

#[test]
fn a_server_that_is_ahead_means_that_this_queue_is_an_old_copy() {
    for written in [0, 20] {
        let mut session = Session::new(7, 1, 3);
        // What is written meanwhile may have numbers that the server knows.
        session.committed(3 + written);
        session.connected(1);
        let queue: Vec<Record> = (1..=3 + written).map(event).collect();
        assert_eq!(ranges(&session.take(from_ms(0), &clocks(), &queue)), [(1, 3)]);
        assert_eq!(session.wants(), None);
        let acked = session.ack(from_ms(0), &clocks(), &ack(9, 0));
        assert_eq!((acked.is_ahead, acked.delete_upto), (true, Some(3)), "the server has the old ones");
        session.renumbered(8);
        assert_eq!(session.wants(), (written > 0).then_some(4));
        assert_eq!(
            session.ack(from_ms(0), &clocks(), &ack(9, 0)),
            Acked::default(),
            "an ack of the old epoch"
        );
    }
}

#[test]
fn a_hole_in_the_queue_is_declared() {
    let mut session = up(1, 5);
    let envelopes = session.take(from_ms(0), &clocks(), &[event(1), event(4), event(5)]);
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

#[test]
fn an_envelope_holds_records_of_one_clock_and_shows_its_time() {
    let mut session = up(1, 4);
    let earlier = |seq| Record { clock: 0, ..event(seq) };
    let records = [earlier(1), earlier(2), event(3), event(4)];
    let mut known = clocks();
    assert!(session.take(from_ms(9_000), &known, &records).is_empty(), "nobody knows the time yet");
    assert_eq!(session.wants(), None);
    known.hear(from_ms(9_000), from_ms(11_000));
    session.time_known();
    let envelopes = session.take(from_ms(9_000), &known, &records);
    assert_eq!(ranges(&envelopes), [(1, 2), (3, 2)]);
    let shown: Vec<(u32, i64)> = envelopes.iter().map(|e| (e.clock, e.sent_at_ms)).collect();
    assert_eq!(shown, [(0, 10_500), (1, 9_000)]);
}

#[test]
fn one_record_that_the_server_cannot_read_is_given_up_alone() {
    let mut session = up(1, 3);
    let records = [event(1), event(2), event(3)];
    let refused = |from| Ack { epoch: 7, upto: from - 1, refused_from: from, ..Ack::default() };
    assert_eq!(ranges(&session.take(from_ms(0), &clocks(), &records)), [(1, 3)]);
    let mut given_up = Vec::new();
    for round in 1..=12 {
        let now = from_ms(round * 31_000);
        // The server reads 1 and 3, never 2, and says so twice.
        let upto = session.range().0;
        let word = if upto == 1 && session.in_flight.front().is_some_and(|f| f.last == 1) {
            Ack { epoch: 7, upto: 1, ..Ack::default() }
        } else {
            refused(upto)
        };
        for _ in 0..2 {
            given_up.extend(session.ack(now, &clocks(), &word).refused);
        }
        if !given_up.is_empty() {
            break;
        }
        session.timeout(now);
        let queue: Vec<Record> = records.iter().filter(|r| r.seq >= session.range().0).cloned().collect();
        session.take(now, &clocks(), &queue);
    }
    assert_eq!(given_up, [(2, 2)]);
    assert_eq!(session.wants(), Some(2), "the gap goes in its place");
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
            for envelope in if session.wants().is_some() { session.take(from_ms(now), &clocks(), &queue) } else { Vec::new() } {
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
                let acked = session.ack(from_ms(now), &clocks(), &answer);
                prop_assert_eq!(acked.gap, None);
                prop_assert!(acked.delete_upto.unwrap_or(0) <= applied);
            }
        }
        prop_assert_eq!(applied, total);
        prop_assert_eq!(session.range(), (total + 1, total));
    }
}
