//! One cause, one ticket: what hangs off the cause is listed under it, what does not hang off it is not hidden by it.

use axum::http::Method;
use serde_json::{Value, json};
use sitewarden_tests::database::Engine;
use sitewarden_tests::gateway::Condition;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, text};

stories![
    a_switch_with_its_cameras_is_one_ticket,
    a_chain_has_its_cause_at_the_top,
    a_power_cut_behind_one_ups_is_one_ticket,
    redundant_uplinks_cut_off_only_together,
    wrong_topology_and_other_faults_hide_nothing,
    a_cause_found_late_takes_its_symptoms_over,
    what_stays_down_after_its_cause_is_told_by_itself,
    a_recorder_with_its_channels_is_one_ticket_and_a_page_that_waits_is_withdrawn,
    a_silent_gateway_behind_a_dead_switch_is_its_symptom,
    parents_are_kept_and_loops_refused,
    a_loop_in_the_data_hides_no_fault,
    a_parent_that_is_rarely_asked_is_asked_when_its_child_fails,
];

/// Open incidents as `name` or `name<cause`.
async fn causes(w: &World) -> Vec<String> {
    let open = w.incidents("open").await;
    let name = |incident: &Value| {
        let device = text(incident, "/device_name");
        if device.is_empty() { text(incident, "/gateway_name") } else { device }
    };
    let mut told: Vec<String> = open
        .iter()
        .map(|incident| match incident["cause_id"].as_str() {
            Some(cause) => {
                let cause = open.iter().find(|other| other["id"] == cause).map(name).unwrap_or_default();
                format!("{}<{cause}", name(incident))
            }
            None => name(incident),
        })
        .collect();
    told.sort();
    told
}

/// A page about each of these has come, in any order.
fn expect_each(w: &World, words: &[&str]) {
    let mut subjects: Vec<String> =
        words.iter().map(|_| w.pager.expect("li.wei", &[]).word("/subject")).collect();
    for word in words {
        let at = subjects.iter().position(|subject| subject.contains(word));
        subjects.remove(at.unwrap_or_else(|| panic!("no page about {word}: {subjects:?}")));
    }
}

async fn a_switch_with_its_cameras_is_one_ticket(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.behind("North Gate", "sw-3", &["cam-1", "cam-2", "cam-3"]).await;
    for device in ["cam-1", "cam-2", "cam-3", "sw-3"] {
        w.device_goes_down(device);
    }
    w.forward_minutes(5).await;
    assert_eq!(causes(&w).await, ["cam-1<sw-3", "cam-2<sw-3", "cam-3<sw-3", "sw-3"]);
    w.pager.expect("li.wei", &["#1001", "sw-3"]);
    assert_eq!(w.tickets().await.len(), 1);
    let ticket = w.ticket(1001).await;
    assert_eq!(ticket["symptoms"], 3);
    let named: Vec<&Value> =
        ticket["events"].as_array().unwrap().iter().filter(|e| e["kind"] == "symptoms").collect();
    let count: i64 = named.iter().filter_map(|event| event["body"]["count"].as_i64()).sum();
    assert_eq!(count, 3, "{named:?}");
    // The start is the earliest of all: the last good sample and the first bad one.
    let firsts: Vec<i64> =
        w.incidents("open").await.iter().filter_map(|i| i["first_bad_at"].as_i64()).collect();
    assert_eq!(ticket["first_bad_at"].as_i64(), firsts.iter().min().copied());
    assert!(ticket["last_good_at"].as_i64() < ticket["first_bad_at"].as_i64());

    for device in ["sw-3", "cam-1", "cam-2", "cam-3"] {
        w.device_comes_back(device);
    }
    w.forward_minutes(5).await;
    w.pager.expect("li.wei", &["#1001", "over", "sw-3"]);
    assert!(w.incidents("open").await.is_empty());
    assert_eq!(w.tickets().await.len(), 1);
}

async fn a_chain_has_its_cause_at_the_top(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device_with("North Gate", "core", None).await;
    w.behind("North Gate", "core", &["sw-1", "sw-2"]).await;
    w.behind("North Gate", "sw-1", &["cam-1"]).await;
    w.behind("North Gate", "sw-2", &["cam-2"]).await;
    for device in ["cam-1", "cam-2", "sw-1", "sw-2", "core"] {
        w.device_goes_down(device);
    }
    w.forward_minutes(5).await;
    assert_eq!(causes(&w).await, ["cam-1<core", "cam-2<core", "core", "sw-1<core", "sw-2<core"]);
    w.pager.expect("li.wei", &["#1001", "core"]);
    // A part of it stays down: it has its own ticket, with what hangs off it.
    for device in ["core", "sw-1", "cam-1"] {
        w.device_comes_back(device);
    }
    w.forward_minutes(10).await;
    assert_eq!(causes(&w).await, ["cam-2<sw-2", "sw-2"]);
    expect_each(&w, &["#1002 critical · North Gate · sw-2", "#1001 over"]);
    assert_eq!(w.tickets().await.len(), 2);
}

async fn a_power_cut_behind_one_ups_is_one_ticket(engine: Engine) {
    let mut w = World::usual(engine).await;
    for name in ["ups", "sw-3", "cam-1", "door-1"] {
        w.device_with("North Gate", name, None).await;
    }
    w.parents("sw-3", &[("ups", "power", "")]).await;
    w.parents("cam-1", &[("sw-3", "reach", ""), ("ups", "power", "")]).await;
    w.parents("door-1", &[("ups", "power", "")]).await;
    w.forward_minutes(3).await;
    for device in ["sw-3", "cam-1", "door-1", "ups"] {
        w.device_goes_down(device);
    }
    w.forward_minutes(5).await;
    assert_eq!(causes(&w).await, ["cam-1<ups", "door-1<ups", "sw-3<ups", "ups"]);
    w.pager.expect("li.wei", &["#1001", "ups"]);
}

async fn redundant_uplinks_cut_off_only_together(engine: Engine) {
    let mut w = World::usual(engine).await;
    for name in ["up-a", "up-b", "cam-1"] {
        w.device_with("North Gate", name, None).await;
    }
    w.parents("cam-1", &[("up-a", "reach", "uplinks"), ("up-b", "reach", "uplinks")]).await;
    w.forward_minutes(3).await;
    w.device_goes_down("up-a");
    w.device_goes_down("cam-1");
    w.forward_minutes(6).await;
    assert_eq!(causes(&w).await, ["cam-1", "up-a"], "the other way works: it is dead by itself");
    expect_each(&w, &["up-a", "cam-1"]);
    w.device_comes_back("cam-1");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["cam-1", "over"]);
    w.device_goes_down("up-b");
    w.device_goes_down("cam-1");
    w.forward_minutes(6).await;
    assert_eq!(causes(&w).await, ["cam-1<up-b", "up-a", "up-b"], "the last one to fail cut it off");
    w.pager.expect("li.wei", &["up-b"]);
}

async fn wrong_topology_and_other_faults_hide_nothing(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.behind("North Gate", "sw-3", &["cam-1", "cam-2"]).await;
    // The parent is down, the child answers: nothing is said of the child. What it says itself is its own.
    w.device_goes_down("sw-3");
    w.condition("cam-2", Condition::Faulty { check: "http".into(), code: "picture_black".into() });
    w.forward_minutes(5).await;
    assert_eq!(causes(&w).await, ["cam-2", "sw-3"]);
    assert_eq!(w.state("cam-1").await, "ok");
    expect_each(&w, &["sw-3", "cam-2"]);
    w.device_comes_back("sw-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["sw-3", "over"]);
    // The parent answers its gateway: the child is the cause, and nobody waits.
    w.device_goes_down("cam-1");
    w.forward_seconds(90).await;
    w.pager.expect("li.wei", &["cam-1"]);
    w.device_comes_back("cam-1");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["cam-1", "over"]);
    // Whether its power is there nobody has asked meanwhile: told once that had time to fail.
    w.device_with("North Gate", "ups-1", None).await;
    w.parents("cam-1", &[("sw-3", "reach", ""), ("ups-1", "power", "")]).await;
    w.forward_minutes(2).await;
    w.device_goes_down("cam-1");
    w.forward_seconds(90).await;
    let waiting = w.incidents("open").await.into_iter().find(|i| i["device_name"] == "cam-1").unwrap();
    assert!(
        waiting["ticket_id"].is_null() && waiting["waits_until"].as_i64() > Some(w.now().as_millisecond()),
        "{waiting}"
    );
    w.pager.expect_nothing_else();
    w.forward_minutes(2).await;
    let page = w.pager.expect("li.wei", &["cam-1"]);
    let number = page.payload["ticket"]["number"].as_i64().unwrap();
    let opened = w.ticket(number).await["events"][0].clone();
    assert!(opened["body"]["waited_s"].as_i64() > Some(0), "{opened}");
}

/// Nobody knew what the camera hangs off; then somebody writes it down.
async fn a_cause_found_late_takes_its_symptoms_over(engine: Engine) {
    let mut w = World::usual(engine).await;
    for name in ["sw-3", "cam-1", "cam-2"] {
        w.device_with("North Gate", name, None).await;
    }
    w.forward_minutes(2).await;
    w.device_goes_down("cam-1");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "cam-1"]);
    w.device_goes_down("sw-3");
    w.device_goes_down("cam-2");
    w.forward_minutes(3).await;
    expect_each(&w, &["sw-3", "cam-2"]);
    let number = |tickets: &[Value], name: &str| {
        tickets.iter().find(|t| t["device_name"] == name).and_then(|t| t["number"].as_i64()).unwrap()
    };
    let tickets = w.tickets().await;
    let (switch, camera) = (number(&tickets, "sw-3"), number(&tickets, "cam-2"));
    let path = format!("/api/v1/tickets/{camera}/ack");
    w.admin.post(&path, &json!({})).await.ok();
    for name in ["cam-1", "cam-2"] {
        w.parents(name, &[("sw-3", "reach", "")]).await;
    }
    w.forward_minutes(1).await;
    // cam-1 was down while the switch still answered: it has a cause of its own.
    assert_eq!(causes(&w).await, ["cam-1", "cam-2<sw-3", "sw-3"]);
    let (of_camera, of_switch) = (w.ticket(camera).await, w.ticket(switch).await);
    assert_eq!(of_camera["state"], "closed");
    let last = of_camera["events"].as_array().unwrap().last().unwrap();
    assert_eq!((text(last, "/kind"), last["body"]["into"].as_i64()), ("merged".into(), Some(switch)));
    let merged = of_switch["events"].as_array().unwrap().iter().find(|e| e["kind"] == "merged").unwrap();
    assert_eq!(merged["body"]["from"].as_i64(), Some(camera));
    assert_eq!(of_switch["symptoms"], 1);
    // What is over with the symptom is over on the cause's ticket.
    for name in ["sw-3", "cam-2"] {
        w.device_comes_back(name);
    }
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &[&format!("#{switch}"), "over"]);
    w.restart_server().await;
    w.forward_minutes(2).await;
}

async fn what_stays_down_after_its_cause_is_told_by_itself(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.behind("North Gate", "sw-3", &["cam-1", "cam-2"]).await;
    for device in ["cam-1", "cam-2", "sw-3"] {
        w.device_goes_down(device);
    }
    w.forward_minutes(5).await;
    w.pager.expect("li.wei", &["#1001", "sw-3"]);
    w.device_comes_back("sw-3");
    w.device_comes_back("cam-1");
    w.forward_minutes(2).await;
    w.pager.expect_nothing_else();
    w.restart_server().await;
    w.forward_minutes(4).await;
    expect_each(&w, &["#1002 critical · North Gate · cam-2", "#1001 over"]);
    assert_eq!(causes(&w).await, ["cam-2"]);
    assert_eq!(w.ticket(1002).await["events"][0]["body"]["left"].as_i64(), Some(1001));
}

/// Every page is refused at first, so those about the channels wait when it turns out what they hang off.
async fn a_recorder_with_its_channels_is_one_ticket_and_a_page_that_waits_is_withdrawn(engine: Engine) {
    let mut w = World::usual(engine).await;
    for name in ["nvr-1", "ch-1", "ch-2"] {
        w.device_with("North Gate", name, None).await;
    }
    w.forward_minutes(2).await;
    w.pager.refuse(true);
    for name in ["ch-1", "ch-2", "nvr-1"] {
        w.device_goes_down(name);
    }
    w.forward_minutes(3).await;
    assert_eq!(causes(&w).await, ["ch-1", "ch-2", "nvr-1"]);
    for name in ["ch-1", "ch-2"] {
        w.parents(name, &[("nvr-1", "reach", "")]).await;
    }
    w.forward_seconds(5).await;
    w.pager.refuse(false);
    w.forward_minutes(20).await;
    assert_eq!(causes(&w).await, ["ch-1<nvr-1", "ch-2<nvr-1", "nvr-1"]);
    let mut merged = 0;
    for ticket in w.tickets().await {
        let story = w.story(ticket["number"].as_i64().unwrap()).await;
        if ticket["state"] == "closed" {
            assert!(
                story.contains(&"merged".to_owned()) && story.contains(&"not_paged".to_owned()),
                "{story:?}"
            );
            merged += 1;
        }
    }
    assert_eq!(merged, 2);
    w.pager.expect("li.wei", &["nvr-1"]);
}

async fn a_silent_gateway_behind_a_dead_switch_is_its_symptom(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.behind("North Gate", "core", &["cam-1"]).await;
    w.gateway_hangs_off("North Gate", "core").await;
    w.device_goes_down("core");
    w.device_goes_down("cam-1");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "core"]);
    w.cut("North Gate").await;
    w.forward_minutes(5).await;
    assert_eq!(causes(&w).await, ["cam-1<core", "core", "gw North Gate<core"]);
    assert_eq!(w.state("cam-1").await, "unknown");
    w.device_comes_back("core");
    w.device_comes_back("cam-1");
    w.forward_minutes(2).await;
    w.reconnect("North Gate").await;
    w.forward_minutes(5).await;
    w.pager.expect("li.wei", &["#1001", "over"]);
    // With nothing else wrong a silent gateway is a cause of its own.
    w.cut("North Gate").await;
    w.forward_minutes(8).await;
    w.pager.expect("li.wei", &["#1002", "gw North Gate"]);
}

async fn parents_are_kept_and_loops_refused(engine: Engine) {
    let mut w = World::usual(engine).await;
    for name in ["core", "sw-1", "cam-1"] {
        w.device_with("North Gate", name, None).await;
    }
    w.parents("sw-1", &[("core", "reach", "")]).await;
    w.parents("cam-1", &[("sw-1", "reach", "uplinks"), ("core", "reach", "uplinks"), ("core", "power", "")])
        .await;
    let cam = w.look("cam-1").await;
    let kept: Vec<(String, String, String)> = cam["parents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (text(p, "/name"), text(p, "/kind"), text(p, "/group")))
        .collect();
    let word = |name: &str, kind: &str, group: &str| (name.to_owned(), kind.to_owned(), group.to_owned());
    assert_eq!(
        kept,
        [word("core", "reach", "uplinks"), word("sw-1", "reach", "uplinks"), word("core", "power", "")]
    );
    assert_eq!(text(&cam, "/parent_id"), w.device_id("sw-1"), "the first one for reach");
    for (device, parent) in [("core", "cam-1"), ("core", "core"), ("sw-1", "cam-1")] {
        let parents = json!({ "parents": [{ "device_id": w.device_id(parent), "kind": "power" }] });
        let path = format!("/api/v1/devices/{}", w.device_id(device));
        let answer = w.admin.send(Method::PATCH, &path, Some(&parents)).await;
        assert_eq!(answer.status.as_u16(), 400, "{device} {parent} {}", answer.text);
    }
    // Out of service: what hung off it hangs off what it hung off.
    let path = format!("/api/v1/devices/{}", w.device_id("sw-1"));
    assert!(w.admin.send(Method::DELETE, &path, None).await.status.is_success());
    let cam = w.look("cam-1").await;
    assert_eq!(cam["parents"].as_array().unwrap().len(), 2, "{cam}");
    assert_eq!(text(&cam, "/parent_id"), w.device_id("core"));
}

/// A restored or raced database may hold what the API refuses.
async fn a_loop_in_the_data_hides_no_fault(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.behind("North Gate", "sw-a", &["sw-b", "cam-1"]).await;
    let mut tx = w.app.db.write().await.unwrap();
    sqlx::query("INSERT INTO device_parent (device_id, parent_id, kind, group_name, source) VALUES ($1, $2, 'reach', '', 'learned')")
        .bind(w.device_id("sw-a"))
        .bind(w.device_id("sw-b"))
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    for device in ["sw-a", "sw-b", "cam-1"] {
        w.device_goes_down(device);
    }
    w.forward_minutes(5).await;
    assert_eq!(causes(&w).await, ["cam-1<sw-a", "sw-a", "sw-b"]);
    expect_each(&w, &["sw-a", "sw-b"]);
}

async fn a_parent_that_is_rarely_asked_is_asked_when_its_child_fails(engine: Engine) {
    let mut w = World::usual(engine).await;
    let rarely = "[[check]]\nkind = \"icmp\"\nevery = \"20m\"\nconfirm = \"1/1\"\nclear = 1\n";
    let often = "[[check]]\nkind = \"icmp\"\nevery = \"30s\"\nconfirm = \"2/3\"\nclear = 2\n";
    let switch = w.device_of("North Gate", "sw-3", "switch", None, rarely).await;
    w.device_of("North Gate", "cam-1", "camera", Some(&switch), often).await;
    w.device_of("North Gate", "cam-2", "camera", Some(&switch), often).await;
    w.forward_minutes(3).await;
    // The camera alone: the switch answers, so nobody waits forty minutes for what it may turn out to be.
    w.device_goes_down("cam-1");
    w.forward_minutes(2).await;
    w.pager.expect("li.wei", &["#1001", "cam-1"]);
    assert_eq!(text(&w.ticket(1001).await, "/events/0/body/evidence/parent_answered"), switch);
    w.device_comes_back("cam-1");
    w.forward_minutes(20).await;
    w.pager.expect("li.wei", &["#1001 over"]);
    // The switch: it is the cause before its own turn comes.
    for device in ["cam-1", "cam-2", "sw-3"] {
        w.device_goes_down(device);
    }
    w.forward_minutes(3).await;
    assert_eq!(causes(&w).await, ["cam-1<sw-3", "cam-2<sw-3", "sw-3"]);
    w.pager.expect("li.wei", &["#1002", "sw-3"]);
    for device in ["sw-3", "cam-1", "cam-2"] {
        w.device_comes_back(device);
    }
    w.forward_minutes(25).await;
    w.pager.expect("li.wei", &["#1002 over"]);
}
