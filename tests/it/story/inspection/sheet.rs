//! The sheet of an inspection: what measurement knows is there already, and what is wrong becomes a ticket.

use serde_json::{Value, json};
use sitewarden_tests::client::Client;
use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

use super::{monthly, one, owed, told};

stories![a_sheet_is_prefilled_by_measurement_and_a_failed_item_becomes_a_ticket];

fn item<'s>(sheet: &'s Value, key: &str, device: &str) -> &'s Value {
    let all = sheet["items"].as_array().unwrap();
    all.iter().find(|item| item["key"] == key && item["device_id"] == device).unwrap()
}

async fn send(by: &Client, path: &str, answers: Value) -> (u16, Value) {
    let answer = by.put(path, &json!({ "answers": answers })).await;
    (answer.status.as_u16(), answer.json())
}

async fn a_sheet_is_prefilled_by_measurement_and_a_failed_item_becomes_a_ticket(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.person("wang.min", "technician", None).await;
    w.device("North Gate", "cam-3").await;
    w.device("North Gate", "cam-4").await;
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "cam-3"]);
    let contract = owed(&mut w, &monthly(""), "2026-11-19").await;
    let first = one(&w, &contract, "m", 1).await;
    let path = format!("/api/v1/inspections/{}/sheet", text(&first, "/id"));
    let (bad_cam, good_cam) = (w.device_id("cam-3"), w.device_id("cam-4"));
    let wang = w.as_person("wang.min").await;

    // Six items of the site, and of each camera whether it works, its clock and its picture.
    let sheet = wang.get(&path).await.ok();
    assert_eq!(
        (&sheet["number"], sheet["items"].as_array().unwrap().len(), &sheet["open"]),
        (&Value::Null, 12, &json!(12))
    );
    let fine = &item(&sheet, "state", &good_cam)["proposed"];
    assert_eq!((&fine["answer"], &fine["evidence"]), (&json!("ok"), &json!({ "state": "ok" })));
    let wrong = &item(&sheet, "state", &bad_cam)["proposed"];
    assert_eq!((&wrong["answer"], &wrong["evidence"]["state"]), (&json!("bad"), &json!("down")));
    assert!(wrong["at"].as_i64() > Some(w.now().as_millisecond() - 4 * 60_000));
    // Nothing looks at clocks and pictures here, and nobody measures the mains.
    for (key, device) in [("clock", good_cam.as_str()), ("picture", &good_cam), ("power", "")] {
        assert_eq!(item(&sheet, key, device)["proposed"], Value::Null, "{key}");
    }

    let failed = json!({ "key": "state", "device_id": bad_cam, "answer": "bad", "ticket": true });
    assert_eq!(send(&wang, &path, json!([failed])).await.0, 400, "nobody said what is wrong");
    let unknown = json!({ "key": "state", "device_id": "none", "answer": "ok" });
    assert_eq!(send(&wang, &path, json!([unknown])).await.0, 404);
    let answers = json!([
        { "key": "state", "device_id": good_cam, "answer": "ok" },
        { "key": "state", "device_id": bad_cam, "answer": "bad", "note": "fuse blown", "ticket": true },
        { "key": "power", "answer": "ok", "value": "228 V, 3.1 A" },
    ]);
    let (status, sheet) = send(&wang, &path, answers).await;
    assert_eq!(status, 200, "{sheet}");
    assert_eq!(
        (text(&sheet, "/number"), &sheet["open"], &sheet["bad"]),
        ("XJ-2026-0001".into(), &json!(9), &json!(1))
    );
    let answer = &item(&sheet, "state", &bad_cam)["answer"];
    assert_eq!((text(answer, "/by"), &answer["ticket_number"]), ("wang.min".into(), &json!(1002)));
    // What was measured when somebody confirmed it stays with the answer.
    assert_eq!(item(&sheet, "state", &good_cam)["answer"]["proposed"]["evidence"], json!({ "state": "ok" }));
    assert_eq!(text(item(&sheet, "power", ""), "/answer/value"), "228 V, 3.1 A");
    let ticket = w.ticket(1002).await;
    assert_eq!((text(&ticket, "/device_name"), text(&ticket, "/severity")), ("cam-3".into(), "minor".into()));
    assert!(text(&ticket, "/title").contains("fuse blown"), "{ticket}");
    let covered = w.admin.get("/api/v1/inspections/coverage?month=2026-11").await.ok();
    assert_eq!(items(&covered)[0]["checked"], 2);

    // It was put right at once: the later answer holds, and the number stays.
    let (_, sheet) = send(
        &wang,
        &path,
        json!([{ "key": "state", "device_id": bad_cam, "answer": "ok", "note": "fuse replaced" }]),
    )
    .await;
    assert_eq!(
        (text(&sheet, "/number"), &sheet["open"], &sheet["bad"]),
        ("XJ-2026-0001".into(), &json!(9), &json!(0))
    );
    let record = told(&w, &first).await;
    let kinds: Vec<&str> =
        record["events"].as_array().unwrap().iter().filter_map(|event| event["kind"].as_str()).collect();
    assert_eq!(kinds, ["planned", "proposed", "sheet"]);
}
