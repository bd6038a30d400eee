//! What comes and goes is told as that: its pages wait until it has kept still, and then the difference is said once.

use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::World;

stories![
    a_device_that_flaps_is_held_and_told_once,
    a_device_that_flapped_and_is_fine_ends_with_one_word,
    a_gateway_that_comes_and_goes_is_one_trouble,
    a_switch_and_a_gateway_before_117_cameras_die_flap_and_return,
];

/// Three troubles that are told, then a fourth that is known to be flapping.
async fn flapping(w: &mut World, device: &str) {
    for round in 1..=3 {
        w.device_goes_down(device);
        w.forward_minutes(3).await;
        w.pager.expect("li.wei", &[&format!("#100{round}"), device]);
        w.device_comes_back(device);
        w.forward_minutes(3).await;
        w.pager.expect("li.wei", &[&format!("#100{round}"), "over"]);
    }
    w.device_goes_down(device);
    w.forward_minutes(3).await;
}

async fn a_device_that_flaps_is_held_and_told_once(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    flapping(&mut w, "cam-3").await;
    w.pager.expect_nothing_else();
    assert_eq!(w.story(1004).await, ["opened", "withheld"]);
    for _ in 0..3 {
        w.device_comes_back("cam-3");
        w.forward_minutes(3).await;
        w.device_goes_down("cam-3");
        w.forward_minutes(3).await;
    }
    w.restart_server().await;
    assert_eq!(w.tickets().await.len(), 4, "one ticket while it flaps");
    w.forward_minutes(25).await;
    w.pager.expect_nothing_else();
    w.forward_minutes(15).await;
    w.pager.expect("li.wei", &["#1004", "cam-3"]);
    w.restart_server().await;
    w.forward_minutes(10).await;
}

async fn a_device_that_flapped_and_is_fine_ends_with_one_word(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    flapping(&mut w, "cam-3").await;
    w.device_comes_back("cam-3");
    w.forward_minutes(3).await;
    assert_eq!(w.ticket(1004).await["state"], "open");
    let fine = w.now().as_millisecond();
    w.forward_minutes(40).await;
    // The people were told last that it is over, and it is.
    w.pager.expect_nothing_else();
    let ticket = w.ticket(1004).await;
    assert_eq!(ticket["state"], "closed");
    assert!(ticket["closed_at"].as_i64() <= Some(fine), "it ended when the fault did: {ticket}");
    assert_eq!(w.story(1004).await, ["opened", "withheld", "fault_cleared", "released", "closed"]);
}

async fn a_gateway_that_comes_and_goes_is_one_trouble(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    for round in 1..=3 {
        w.cut("North Gate").await;
        w.forward_minutes(4).await;
        w.pager.expect("li.wei", &[&format!("#100{round}"), "gw North Gate"]);
        w.reconnect("North Gate").await;
        w.forward_minutes(2).await;
        w.pager.expect("li.wei", &[&format!("#100{round}"), "over"]);
    }
    for _ in 0..3 {
        w.cut("North Gate").await;
        w.forward_minutes(4).await;
        w.reconnect("North Gate").await;
        w.forward_minutes(2).await;
    }
    w.restart_server().await;
    w.pager.expect_nothing_else();
    assert_eq!(w.tickets().await.len(), 4);
    assert_eq!(w.ticket(1004).await["holds"][0]["reason"], "flapping");
    w.forward_minutes(40).await;
    assert_eq!(w.ticket(1004).await["state"], "closed");
}

/// The storm: everything behind one core switch dies, the gateway with it; the switch flickers, the gateway's line comes
/// and goes, the server starts again in the middle, and all of it returns.
async fn a_switch_and_a_gateway_before_117_cameras_die_flap_and_return(engine: Engine) {
    let mut w = World::usual(engine).await;
    let names: Vec<String> = (1..=117).map(|n| format!("cam-{n}")).collect();
    let list: Vec<&str> = names.iter().map(String::as_str).collect();
    w.behind("North Gate", "core", &list).await;
    w.gateway_hangs_off("North Gate", "core").await;
    w.forward_minutes(2).await;

    let died = w.now().as_millisecond();
    for name in &list {
        w.device_goes_down(name);
    }
    w.device_goes_down("core");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "core"]);
    for _ in 0..3 {
        // The line is away for longer than the gateway is waited for; the switch answers once in between.
        w.cut("North Gate").await;
        w.device_comes_back("core");
        w.forward_seconds(25).await;
        w.device_goes_down("core");
        w.forward_minutes(3).await;
        w.restart_server().await;
        w.reconnect("North Gate").await;
        w.forward_minutes(1).await;
    }
    w.pager.expect_nothing_else();
    let ticket = w.ticket(1001).await;
    assert_eq!(ticket["state"], "open");
    let returned = w.now().as_millisecond();
    w.device_comes_back("core");
    for name in &list {
        w.device_comes_back(name);
    }
    w.forward_minutes(5).await;
    w.pager.expect("li.wei", &["#1001", "over", "core"]);

    assert_eq!(w.tickets().await.len(), 1, "one ticket");
    let ticket = w.ticket(1001).await;
    assert!((117..=125).contains(&ticket["symptoms"].as_i64().unwrap()), "{}", ticket["symptoms"]);
    let (first, end) = (ticket["first_bad_at"].as_i64().unwrap(), ticket["closed_at"].as_i64().unwrap());
    assert!((died..died + 60_000).contains(&first), "{died} {first}");
    assert!(ticket["last_good_at"].as_i64() < Some(first));
    assert!((returned..=returned + 120_000).contains(&end), "{returned} {end}");
    assert!(w.incidents("open").await.is_empty());
    w.forward_minutes(10).await;
}
