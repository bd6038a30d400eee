//! Each trouble of a switch is one fault, what is not told is unknown, and counters survive wraps and restarts.

use super::*;

fn asked(more: &str) -> config::Switch {
    let text = format!("address = \"192.0.2.1\"\n[[check]]\nkind = \"switch\"\n{more}\n");
    match config::parse_device(&text, "t", "sw").unwrap().checks.remove(0).kind {
        config::Kind::Switch(asked) => asked,
        other => panic!("{other:?}"),
    }
}

/// One switch that is looked at again and again.
#[derive(Default)]
struct Bench {
    known: Known,
    counted: Counted,
    at_s: i64,
}

impl Bench {
    fn look(&mut self, seen: &Seen) -> Reading {
        self.look_for(seen, "")
    }

    fn look_for(&mut self, seen: &Seen, more: &str) -> Reading {
        self.at_s += 120;
        let now = Timestamp::from_second(1_700_000_000 + self.at_s).unwrap();
        let uptime_s = Some(seen.uptime_s.unwrap_or(9_000.0 + self.at_s as f64));
        let seen = Seen { uptime_s, ..seen.clone() };
        judge(&seen, &asked(more), (&mut self.known, &mut self.counted), now)
    }
}

fn port(number: u32) -> Port {
    Port {
        name: format!("Gi0/{number}"),
        is_up: Some(true),
        speed_mbps: Some(1_000),
        is_half: Some(false),
        errors: [Some(7), Some(0)],
        packets: [Some(Packets::Wide(1_000)), Some(Packets::Wide(1_000))],
        changed_at: Some(5_000),
        ..Port::default()
    }
}

fn switch(ports: Vec<Port>) -> Seen {
    let heat = Heat { part: "board".into(), degrees_c: 41.0, limit_c: None, is_hot: None };
    let part = |name: &str| Part { name: name.into(), state: PartState::Well };
    Seen {
        serial: Some("210235".into()),
        cpu_percent: Some(12.0),
        memory_percent: Some(40.0),
        heats: vec![heat],
        fans: vec![part("1"), part("2")],
        supplies: vec![part("1"), part("2")],
        ports: Some(ports),
        feeds: vec![Feed {
            port: "Gi0/1".into(),
            fault: None,
            is_told: true,
            power_w: Some(6.5),
            denied: Some(3),
        }],
        budgets: vec![Budget {
            name: "1".into(),
            power_w: Some(370.0),
            used_w: Some(81.0),
            is_faulty: Some(false),
        }],
        ..Seen::default()
    }
}

#[test]
fn each_trouble_is_one_fault_and_a_second_look_at_the_same_none() {
    let well = switch(vec![port(1), port(2)]);
    let mut bench = Bench::default();
    let first = bench.look(&well);
    assert_eq!(first.codes(), Vec::<&str>::new());
    assert_eq!(first.unseen(), ["port_errors", "port_flapping"], "counters need two looks");
    let second = bench.look(&well);
    assert_eq!((second.codes(), second.unseen().len()), (vec![], 0));

    let change = |what: &dyn Fn(&mut Seen)| {
        let mut seen = well.clone();
        what(&mut seen);
        seen
    };
    let ports = |what: &dyn Fn(&mut Port)| change(&|seen| what(&mut seen.ports.as_mut().unwrap()[0]));
    for (code, seen) in [
        ("switch_cpu_high", change(&|seen| seen.cpu_percent = Some(97.0))),
        ("switch_memory_high", change(&|seen| seen.memory_percent = Some(96.0))),
        ("temperature_high", change(&|seen| seen.heats[0].degrees_c = 85.0)),
        ("temperature_high", change(&|seen| seen.heats[0].is_hot = Some(true))),
        ("fan_failed", change(&|seen| seen.fans[1].state = PartState::Failed)),
        ("fan_failed", change(&|seen| seen.fans[1].state = PartState::Absent)),
        ("power_supply_failed", change(&|seen| seen.supplies[0].state = PartState::Failed)),
        ("device_swapped", change(&|seen| seen.serial = Some("another".into()))),
        ("poe_port_fault", change(&|seen| seen.feeds[0].fault = Some("short circuit"))),
        ("poe_supply_failed", change(&|seen| seen.budgets[0].is_faulty = Some(true))),
        ("poe_budget_high", change(&|seen| seen.budgets[0].used_w = Some(365.0))),
        ("poe_budget_high", change(&|seen| seen.feeds[0].denied = Some(9))),
        ("port_half_duplex", ports(&|port| port.is_half = Some(true))),
        ("port_slow", ports(&|port| port.speed_mbps = Some(100))),
        ("port_errors", ports(&|port| port.errors[0] = Some(400))),
    ] {
        let mut bench = Bench { known: bench.known.clone(), ..Bench::default() };
        bench.at_s = 240;
        bench.look(&well);
        let reading = bench.look(&seen);
        assert_eq!(reading.codes(), [code], "{seen:#?}");
        assert!(!reading.unseen().contains(&code));
        bench.look(&well);
        assert_eq!(bench.look(&well).codes(), Vec::<&str>::new(), "{code} clears");
    }
}

#[test]
fn what_it_does_not_say_is_unknown() {
    let nothing = Bench::default().look(&Seen::default());
    assert_eq!(nothing.codes(), Vec::<&str>::new());
    for code in [
        "switch_cpu_high",
        "switch_memory_high",
        "temperature_high",
        "fan_failed",
        "power_supply_failed",
        "port_down",
        "port_errors",
        "port_half_duplex",
        "port_slow",
        "port_flapping",
        "poe_port_fault",
        "poe_supply_failed",
        "poe_budget_high",
        "device_swapped",
    ] {
        assert!(nothing.unseen().contains(&code), "{code}");
    }
    // A bay that never held a power supply is none, and half a table clears nothing.
    let mut seen = switch(vec![port(1)]);
    seen.supplies[1].state = PartState::Absent;
    seen.is_cut = true;
    let reading = Bench::default().look(&seen);
    assert_eq!(reading.codes(), Vec::<&str>::new());
    assert!(reading.unseen().contains(&"port_half_duplex"));
}

#[test]
fn counters_wrap_and_are_set_back() {
    let with = |errors: u32, packets: Packets| {
        switch(vec![Port { errors: [Some(errors), None], packets: [Some(packets), None], ..port(1) }])
    };
    let codes = |first: Seen, second: Seen| {
        let mut bench = Bench::default();
        bench.look(&first);
        let reading = bench.look(&second);
        reading.codes().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let (wide, narrow) = (Packets::Wide, Packets::Narrow);
    // 20 errors across the wrap in a million packets across the wrap are chance, in ten thousand they are not.
    assert!(codes(with(u32::MAX - 9, narrow(u32::MAX - 9)), with(10, narrow(999_990))).is_empty());
    assert_eq!(codes(with(u32::MAX - 9, narrow(u32::MAX)), with(10, narrow(9_999))), ["port_errors"]);
    assert_eq!(
        codes(with(0, wide(u64::from(u32::MAX))), with(90, wide(u64::from(u32::MAX) + 5_000))),
        ["port_errors"]
    );
    // Somebody cleared the counters.
    assert!(codes(with(900_000, wide(9_000_000)), with(0, wide(10))).is_empty());
    // It began anew: nothing is compared.
    let mut again = with(90, wide(100));
    again.uptime_s = Some(30.0);
    assert!(codes(with(0, wide(0)), again).is_empty());
}

#[test]
fn a_link_that_comes_and_goes_is_told_and_one_that_was_switched_is_not() {
    let mut bench = Bench::default();
    let at = |changed_at: u32| {
        let moving = Port { changed_at: Some(changed_at), alias: "gate".into(), ..port(1) };
        switch(vec![moving, port(2), port(3)])
    };
    assert!(bench.look(&at(1)).codes().is_empty());
    for change in 2..5 {
        assert!(bench.look(&at(change)).codes().is_empty(), "{change}");
    }
    let reading = bench.look(&at(5));
    assert_eq!(reading.codes(), ["port_flapping"]);
    assert_eq!(reading.proof("port_flapping", "ports").unwrap(), "Gi0/1 (gate) 4×");
    bench.at_s += FLAP_S;
    assert!(bench.look(&at(5)).codes().is_empty(), "an hour of quiet");
    // All at once: a module, or a switch whose times all move.
    let all = |changed_at| {
        switch((1..=6).map(|number| Port { changed_at: Some(changed_at), ..port(number) }).collect())
    };
    let mut bench = Bench::default();
    for change in 0..9 {
        assert!(bench.look(&all(change)).codes().is_empty());
    }
}

const FLAP_S: i64 = 3_600;

#[test]
fn ports_that_have_to_be_up_are_named_as_people_name_them() {
    let mut seen = switch(vec![
        Port { descr: "GigabitEthernet0/1".into(), alias: "to core".into(), ..port(1) },
        Port { is_up: Some(false), ..port(2) },
    ]);
    let mut bench = Bench::default();
    let up = |bench: &mut Bench, seen: &Seen, names: &str| {
        let reading = bench.look_for(seen, &format!("up = [{names}]"));
        reading.proof("port_down", "ports").and_then(|ports| ports.as_str().map(str::to_owned))
    };
    assert_eq!(up(&mut bench, &seen, "\"gigabitethernet0/1\", \"To Core\""), None);
    assert_eq!(up(&mut bench, &seen, "\"Gi0/1\", \"Gi0/2\""), Some("Gi0/2".into()));
    assert_eq!(up(&mut bench, &seen, "\"Gi0/48\""), Some("Gi0/48".into()), "there is no such port");
    seen.is_cut = true;
    let reading = bench.look_for(&seen, "up = [\"Gi0/48\"]");
    assert!(reading.codes().is_empty() && reading.unseen().contains(&"port_down"));
}

#[test]
fn an_uptime_survives_its_wrap_and_reboots_are_a_loop() {
    let mut bench = Bench::default();
    let well = |uptime_s: f64| Seen { uptime_s: Some(uptime_s), ..switch(vec![port(1)]) };
    bench.look(&well(WRAP_S - 60.0));
    let after = bench.look(&well(60.0));
    assert_eq!(after.codes(), Vec::<&str>::new());
    assert!(!after.unseen().contains(&"port_errors"), "it ran on, so counters are compared");
    assert_eq!(bench.known.device.reboots_s, Vec::<i64>::new());
    // And three real ones are a loop.
    for reboot in 1..=3 {
        bench.at_s += 1_200;
        let reading = bench.look(&well(30.0));
        assert_eq!(reading.codes(), if reboot < 3 { vec![] } else { vec!["reboot_loop"] });
    }
}
