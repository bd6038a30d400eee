//! Blocks of both forms: what goes in comes out, what lies is refused.

use proptest::prelude::*;

use super::*;

fn series(metric: &str, points: Vec<(i64, f64)>) -> Series {
    Series { device: "d".into(), check: "c".into(), metric: metric.into(), points }
}

#[test]
fn columns_share_one_axis() {
    let a = series("a", vec![(1000, 1.0), (2000, 2.5), (4000, -3.125)]);
    let b = series("b", vec![(2000, 1e15), (3000, 0.0)]);
    let block = build(&[a.clone(), b.clone(), series("none", vec![])]).unwrap();
    assert_eq!(block.axis_deltas_ms, [0, 1000, 1000, 1000]);
    assert_eq!(block.columns[0].present, [0b1011]);
    assert_eq!(block.columns[0].scale, 3);
    assert_eq!(read(&block).unwrap(), [a, b]);
}

#[test]
fn what_is_no_number_is_absent() {
    let block = build(&[series("a", vec![(1, f64::NAN), (2, f64::INFINITY), (3, 1e300), (4, 7.0)])]).unwrap();
    assert_eq!(read(&block).unwrap(), [series("a", vec![(4, 7.0)])]);
}

#[test]
fn fifty_devices_each_minute_stay_small() {
    let mut all = Vec::new();
    for device in 0..50_i64 {
        for metric in 0..6_i64 {
            let points =
                (0..5).map(|m| (m * 60_000 + device * 1000, ((device * 7 + metric + m) % 23) as f64 / 10.0));
            all.push(Series {
                device: format!("device-{device}"),
                check: format!("check-{}", metric / 2),
                metric: format!("metric_{metric}"),
                points: points.collect(),
            });
        }
    }
    let block = build(&all).unwrap();
    let packet = crate::envelope::encode_message(&block, crate::envelope::Codec::Zstd).unwrap();
    // 288 blocks of 5 minutes a day for 50 devices: 7 KiB a device and day is 1.2 KiB a block, plus
    // names, which cost most of it.
    assert!(packet.len() < 5_000, "{} bytes", packet.len());
}

#[test]
fn a_block_that_lies_is_refused() {
    let good =
        build(&[series("a", vec![(1, 1.0), (2, 2.0), (9, 3.0)]), series("b", vec![(2, 1.0)])]).unwrap();
    let refuse = |change: fn(&mut MetricBlock)| {
        let mut block = good.clone();
        change(&mut block);
        assert!(read(&block).is_err(), "{block:?}");
    };
    refuse(|b| b.axis_deltas_ms[0] = 1);
    refuse(|b| b.axis_deltas_ms[1] = 0);
    refuse(|b| b.axis_deltas_ms = vec![1; AXIS_MAX + 1]);
    refuse(|b| b.start_ms = i64::MAX);
    refuse(|b| b.columns[0].deltas.push(1));
    refuse(|b| b.columns[0].deltas.clear());
    refuse(|b| b.columns[0].deltas[0] = i64::MAX);
    refuse(|b| b.columns[0].scale = 400);
    refuse(|b| b.columns[1].present = vec![2, 0]);
    refuse(|b| b.columns[1].metric = "x".repeat(65));
    refuse(|b| b.columns = vec![Column::default(); COLUMNS_MAX + 1]);
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(raw in proptest::collection::vec(
        proptest::collection::btree_map(0_i64..100_000, -1_000_000_000_i64..1_000_000_000, 1..40), 1..8),
        scale in 0_i32..=6,
    ) {
        let all: Vec<Series> = raw.into_iter().enumerate().map(|(i, points)| series(
            &format!("m{i}"),
            points.into_iter().map(|(at, v)| (at, v as f64 / 10_f64.powi(scale))).collect(),
        )).collect();
        let back = read(&build(&all).unwrap()).unwrap();
        prop_assert_eq!(back.len(), all.len());
        for (a, b) in all.iter().zip(&back) {
            prop_assert_eq!(a.points.len(), b.points.len());
            for (p, q) in a.points.iter().zip(&b.points) {
                prop_assert_eq!(p.0, q.0);
                prop_assert!((p.1 - q.1).abs() <= 2e-6, "{} {}", p.1, q.1);
            }
        }
    }

    #[test]
    fn any_block_is_read_or_refused(start in any::<i64>(), axis in proptest::collection::vec(any::<u32>(), 0..20),
        deltas in proptest::collection::vec(any::<i64>(), 0..20), present in proptest::collection::vec(any::<u8>(), 0..4), scale in any::<u32>()) {
        let column = Column { scale, deltas, present, ..Column::default() };
        if let Ok(all) = read(&MetricBlock { start_ms: start, axis_deltas_ms: axis, columns: vec![column], ..MetricBlock::default() }) {
            prop_assert!(all.iter().flat_map(|s| &s.points).all(|(_, v)| v.is_finite()));
        }
    }
}

fn of(device: &str, check: &str, metric: &str, points: Vec<(i64, f64)>) -> Series {
    Series { device: device.into(), check: check.into(), metric: metric.into(), points }
}

/// Sorted, because groups tell their series in an order of their own.
fn sorted(mut all: Vec<Series>) -> Vec<Series> {
    all.sort_by(|a, b| (&a.device, &a.check, &a.metric).cmp(&(&b.device, &b.check, &b.metric)));
    all
}

const ID: &str = "019c0a01-2b3c-7d4e-8f50-0123456789ab";

#[test]
fn what_many_devices_measure_alike_is_one_group() {
    let mut all = Vec::new();
    for device in [ID, "cam-3", "019c0a01-2b3c-7d4e-8f50-0123456789AB"] {
        all.push(of(device, "icmp", "loss_percent", vec![(1_000, 0.0), (61_000, 100.0)]));
        // The second echo was lost: no round trip.
        all.push(of(device, "icmp", "rtt_ms", vec![(1_000, 0.25)]));
    }
    all.push(of(ID, "snmp", "octets", vec![(61_000, 4e15)]));
    all.push(of("cam-3", "snmp", "octets", vec![(61_000, 0.125)]));
    let block = pack(&all).unwrap();
    // An id that would come back with other letters is a name.
    assert_eq!((block.uuids.len(), block.names.len(), block.columns.len()), (16, 2, 0));
    // What is large costs its neighbour no decimal places.
    let rows: Vec<_> =
        block.groups.iter().map(|g| (g.devices.len(), g.measures[0].metric.as_str())).collect();
    assert_eq!(rows, [(3, "loss_percent"), (3, "rtt_ms"), (1, "octets"), (1, "octets")]);
    assert_eq!(block.groups[0].devices, [0, 1, 1]);
    assert!(block.groups[0].present.is_empty());
    assert_eq!(sorted(read(&block).unwrap()), sorted(all));
}

#[test]
fn groups_that_lie_are_refused() {
    let good = pack(&[
        of(ID, "icmp", "rtt_ms", vec![(1, 1.0), (2, 2.0), (9, 3.0)]),
        of("cam-3", "icmp", "rtt_ms", vec![(2, 1.0)]),
    ])
    .unwrap();
    assert!(read(&good).is_ok());
    let refuse = |change: fn(&mut MetricBlock)| {
        let mut block = good.clone();
        change(&mut block);
        assert!(read(&block).is_err(), "{block:?}");
    };
    refuse(|b| b.uuids.truncate(15));
    refuse(|b| b.names[0] = "x".repeat(65));
    refuse(|b| b.names = vec![String::new(); COLUMNS_MAX]);
    refuse(|b| b.groups[0].check = "x".repeat(65));
    refuse(|b| b.groups[0].measures[0].metric = "x".repeat(65));
    refuse(|b| b.groups[0].measures[0].scale = 400);
    refuse(|b| b.groups[0].measures[0].deltas.push(1));
    refuse(|b| b.groups[0].measures[0].deltas.truncate(3));
    refuse(|b| b.groups[0].measures[0].deltas[0] = i64::MAX);
    refuse(|b| b.groups[0].devices[1] = 2);
    refuse(|b| b.groups[0].devices[1] = u32::MAX);
    refuse(|b| b.groups[0].present.truncate(1));
    refuse(|b| b.groups[0].present.push(0));
    refuse(|b| b.groups[0].present.clear());
    refuse(|b| b.groups[0].devices = vec![0; COLUMNS_MAX + 1]);
    refuse(|b| b.groups[0].measures.clear());
}

proptest! {
    #[test]
    fn groups_hold_what_columns_hold(raw in proptest::collection::vec(
        (0_usize..4, 0_usize..3, 0_usize..3, proptest::collection::btree_map(0_i64..6, -1e9_f64..1e9, 1..6)), 1..30),
    ) {
        let devices = [ID, "cam-3", "019c0a01-2b3c-7d4e-8f50-0123456789ac", "x"];
        let mut seen = std::collections::BTreeSet::new();
        let all: Vec<Series> = raw.into_iter().filter(|(d, c, m, _)| seen.insert((*d, *c, *m))).map(|(d, c, m, points)| of(
            devices[d], &format!("c{c}"), &format!("m{m}"),
            points.into_iter().map(|(at, value)| (at * 1000, (value * 1e3).round() / 1e3)).collect(),
        )).collect();
        let (groups, columns) = (pack(&all).unwrap(), build(&all).unwrap());
        prop_assert_eq!(sorted(read(&groups).unwrap()), sorted(read(&columns).unwrap()));
    }
}
