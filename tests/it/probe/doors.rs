//! Door controllers that speak ISAPI, behind lighttpd's own Digest, with the answer of a real firmware: 126 doors of which
//! there are two.

use jiff::{Span, Timestamp};
use sitewarden_agent::clock::Clock;
use sitewarden_agent::probe::OutcomeState::{Bad, Good};
use sitewarden_agent::probe::{self, Context, Outcome};
use sitewarden_tests::field::doors::Controller;
use sitewarden_tests::peer::{IsapiPeer, Lighttpd};

use super::{codes, device, value};

/// How to break a controller, the fault that comes of it, and what its evidence says under which key.
type Break = (fn(&mut Controller), &'static str, &'static str, &'static str);

struct Site {
    peer: IsapiPeer,
    context: Context,
    clock: Clock,
    controller: Controller,
    more: &'static str,
}

impl Site {
    async fn new() -> Self {
        let now: Timestamp = "2026-11-20T04:30:00Z".parse().unwrap();
        let clock = Clock::manual(now);
        let context = Context::new(clock.clone(), 4).unwrap();
        Self {
            peer: IsapiPeer::start("SHA-256").await,
            context,
            clock,
            controller: Controller::new(now),
            more: "",
        }
    }

    /// Asks it so many minutes later.
    async fn look(&self, minutes: i64) -> Outcome {
        self.clock.set(self.clock.now() + Span::new().minutes(minutes));
        self.peer.show(&self.controller.bodies(self.clock.now()));
        self.look_again().await
    }

    async fn look_again(&self) -> Outcome {
        let (port, user, password, more) = (self.peer.port(), Lighttpd::USER, Lighttpd::PASSWORD, self.more);
        let check =
            format!("kind = \"isapi\"\nport = {port}\nuser = \"{user}\"\npassword = \"{password}\"\n{more}");
        let device = device(&check);
        probe::run(&device, &device.checks[0], &self.context).await
    }
}

#[tokio::test]
async fn a_controller_in_order_is_well_and_its_doors_are_counted_once() {
    let site = Site::new().await;
    let outcome = site.look(0).await;
    assert_eq!((outcome.state, codes(&outcome)), (Good, vec![]), "{outcome:#?}");
    for code in [
        "door_ajar",
        "door_held_open",
        "access_on_battery",
        "access_tampered",
        "reader_offline",
        "fire_input_fault",
    ] {
        assert!(!outcome.blind.contains(&code), "{code}: {outcome:#?}");
    }
    assert!(
        (value(&outcome, "doors") - 2.0).abs() < 1e-9 && (value(&outcome, "battery_v") - 13.6).abs() < 1e-9
    );
    let asked = site.peer.asked();
    assert!(asked.iter().all(|line| line.starts_with("GET /ISAPI/")), "{asked:#?}");
    assert!(!asked.iter().any(|line| line.contains("Storage") || line.contains("InputProxy")), "{asked:#?}");
    site.look(1).await;
    let again = &site.peer.asked()[asked.len()..];
    assert!(!again.iter().any(|line| line.contains("Door/param")), "{again:#?}");
    assert_eq!(site.peer.most_at_once(), 1);
}

#[tokio::test]
async fn each_trouble_is_one_fault_and_its_repair_the_end() {
    let mut site = Site::new().await;
    assert_eq!(codes(&site.look(0).await), Vec::<&str>::new());
    let well = site.controller.clone();
    let breaks: [Break; 9] = [
        (|c| c.supply = "BatteryPowerSupply", "access_on_battery", "text", "battery"),
        (|c| c.battery = 109, "access_battery_low", "battery_v", "10.9"),
        (|c| c.case = "open", "access_tampered", "opened", "controller"),
        (|c| c.fire = "break", "fire_input_fault", "word", "break"),
        (|c| c.fire = "shortCircuit", "fire_input_fault", "word", "shortCircuit"),
        (|c| c.readers = "[1]", "reader_offline", "readers", "2"),
        (|c| c.readers = "[0, 1]", "reader_offline", "readers", "1"),
        // The second door stands open while its lock is told to hold.
        (|c| c.contacts[1] = 1, "door_ajar", "doors", "2 Server room"),
        (|c| (c.contacts[0], c.locks[0]) = (1, 1), "door_held_open", "doors", "1 大门 (15 min)"),
    ];
    for (break_it, code, key, words) in breaks {
        break_it(&mut site.controller);
        // Somebody may just be walking through.
        site.look(1).await;
        let minutes = if code == "door_held_open" { 15 } else { 1 };
        let outcome = site.look(minutes).await;
        assert_eq!((outcome.state, codes(&outcome)), (Bad, vec![code]), "{outcome:#?}");
        let said = outcome.faults[0].evidence[key].to_string();
        assert!(said.contains(words), "{code}: {words} in {said}");
        site.controller = well.clone();
        assert_eq!(codes(&site.look(1).await), Vec::<&str>::new(), "after {code}");
    }
}

#[tokio::test]
async fn what_is_no_trouble_is_none() {
    // A door without a contact says open for ever.
    let mut site = Site::new().await;
    site.controller.contacts = vec![0, 1];
    for _ in 0..3 {
        assert_eq!(codes(&site.look(20).await), Vec::<&str>::new());
    }
    // Open by order.
    site.controller.contacts = vec![1, 1];
    site.controller.modes = vec![2, 4];
    for _ in 0..3 {
        assert_eq!(codes(&site.look(20).await), Vec::<&str>::new());
    }
    // A lobby that may stand open for an hour, and a moment of it.
    site.controller.modes = vec![4, 4];
    site.controller.locks = vec![1, 0];
    site.more = "held_open = \"1h\"";
    assert_eq!(codes(&site.look(1).await), Vec::<&str>::new());
    assert_eq!(codes(&site.look(40).await), Vec::<&str>::new());
    assert_eq!(codes(&site.look(40).await), ["door_held_open"]);
}

#[tokio::test]
async fn what_is_not_answered_is_unknown() {
    let mut site = Site::new().await;
    site.controller.case = "open";
    assert_eq!(codes(&site.look(0).await), ["access_tampered"]);
    let refusal = r#"{"statusCode": 4, "statusString": "Invalid Operation", "subStatusCode": "notSupport"}"#;
    let path = "AccessControl/AcsWorkStatus";
    for (status, body) in
        [(403, refusal), (200, refusal), (200, "{\"AcsWorkStatus\": {\"doorLock"), (404, "")]
    {
        site.peer.refuses(path, status, body);
        let outcome = site.look_again().await;
        assert_eq!((outcome.state, codes(&outcome)), (Good, vec![]), "{status} {body}: {outcome:#?}");
        for code in ["access_tampered", "door_ajar", "access_on_battery", "reader_offline"] {
            assert!(outcome.blind.contains(&code), "{status} {body}: {code}");
        }
    }
    // Who it is, is not told either: what stood goes on standing.
    site.peer.refuses("System/deviceInfo", 403, "");
    assert!(site.look_again().await.blind.contains(&"access_tampered"));
}
