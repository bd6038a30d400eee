//! The sheet of an inspection: what measurement knows is there already, and what is wrong becomes a ticket.

use axum::http::Method;
use serde_json::{Value, json};
use sitewarden_tests::client::Client;
use sitewarden_tests::database::Engine;
use sitewarden_tests::paper;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

use super::{act, monthly, one, owed, told};

stories![
    a_sheet_is_prefilled_by_measurement_and_a_failed_item_becomes_a_ticket,
    a_report_says_what_was_looked_at_and_outlives_the_devices,
    answers_without_a_network_count_once_and_cover_nobody_elses,
];

pub(super) fn item<'s>(sheet: &'s Value, key: &str, device: &str) -> &'s Value {
    let all = sheet["items"].as_array().unwrap();
    all.iter().find(|item| item["key"] == key && item["device_id"] == device).unwrap()
}

pub(super) async fn send(by: &Client, path: &str, answers: Value) -> (u16, Value) {
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

const VISIT_STEPS: [&str; 3] = ["accepted", "arrived", "working"];

fn jpeg(shade: u8) -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    let picture =
        image::RgbImage::from_fn(640, 480, |x, y| image::Rgb([shade, (x / 4) as u8, (y / 4) as u8]));
    picture.write_to(&mut file, image::ImageFormat::Jpeg).unwrap();
    file.into_inner()
}

/// The report as PDF, and its words without the blanks that a broken line has.
pub(super) async fn report(by: &Client, one: &Value, lang: &str) -> (Vec<u8>, String) {
    let (kind, pdf) =
        by.file(&format!("/api/v1/inspections/{}/report.pdf?lang={lang}", text(one, "/id"))).await;
    assert_eq!(kind, "application/pdf");
    let words = paper::sheets(&pdf).concat().split_whitespace().collect();
    (pdf, words)
}

/// Leaves a paper in both languages to be looked at, where that is asked for.
pub(super) fn keep(name: &str, zh: &[u8], en: &[u8]) {
    if let Ok(folder) = std::env::var("SITEWARDEN_PAPERS") {
        std::fs::write(format!("{folder}/{name}-zh.pdf"), zh).unwrap();
        std::fs::write(format!("{folder}/{name}-en.pdf"), en).unwrap();
    }
}

async fn a_report_says_what_was_looked_at_and_outlives_the_devices(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.person("wang.min", "technician", None).await;
    let customers = items(&w.admin.get("/api/v1/customers").await.ok());
    w.person("zhou", "customer", Some(&text(&customers[0], "/id"))).await;
    w.device("North Gate", "cam-3").await;
    w.device("North Gate", "cam-4").await;
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "cam-3"]);
    let contract = owed(&mut w, &monthly(""), "2026-11-19").await;
    let first = one(&w, &contract, "m", 1).await;
    let (li, wang, zhou) =
        (w.as_person("li.wei").await, w.as_person("wang.min").await, w.as_person("zhou").await);
    let (_, before) = report(&zhou, &first, "en").await;
    for words in
        ["Inspectionreport", "No.m1", "Notfinished", "Itemswithoutananswer:12", "notanswered", "Signedby:"]
    {
        assert!(before.contains(words), "{words}\n{before}");
    }
    let agreed =
        act(&li, &first, "agree", json!({ "day": "2026-11-19", "by": "周女士", "evidence": "call" })).await;
    let visit = format!("/api/v1/visits/{}", text(&agreed, "/visit_id"));
    let step = async |by: &Client, n: u64, body: Value| {
        by.put(&format!("{visit}/steps/5f0e0000-0000-4000-8000-{n:012}"), &body).await.ok()
    };
    let me = text(&wang.get("/api/v1/me").await.ok(), "/id");
    step(&li, 1, json!({ "kind": "assigned", "members": [me] })).await;
    for (n, kind) in VISIT_STEPS.into_iter().enumerate() {
        step(&wang, 10 + n as u64, json!({ "kind": kind })).await;
    }
    let (bad_cam, good_cam) = (w.device_id("cam-3"), w.device_id("cam-4"));
    let path = format!("/api/v1/inspections/{}/sheet", text(&first, "/id"));
    let sheet = wang.get(&path).await.ok();
    let mut answers: Vec<Value> = sheet["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| json!({ "key": item["key"], "device_id": item["device_id"], "answer": "ok" }))
        .collect();
    for answer in &mut answers {
        if answer["key"] == "power" {
            answer["value"] = "交流 228 V, 3.1 A".into();
        }
        if answer["key"] == "state" && answer["device_id"] == json!(bad_cam) {
            answer["answer"] = "bad".into();
            answer["note"] = "电源保险丝熔断 fuse blown".into();
            answer["ticket"] = true.into();
        }
    }
    assert_eq!(send(&wang, &path, answers.into()).await.0, 200);
    w.settle().await;
    let photo = format!("{visit}/photos/5f0e0000-0000-4000-9000-000000000001");
    wang.put_file(&format!("{photo}?item=state&device_id={bad_cam}"), "image/jpeg", &jpeg(200)).await.ok();
    wang.put_file(&format!("{photo}?item=state&device_id={bad_cam}"), "image/jpeg", &jpeg(200)).await.ok();
    let other =
        wang.put_file(&format!("{photo}?item=clock&device_id={bad_cam}"), "image/jpeg", &jpeg(200)).await;
    assert_eq!(other.code(), "other_photo", "{}", other.text);
    let shown = wang.get(&path).await.ok();
    assert_eq!(item(&shown, "state", &bad_cam)["photos"], json!(["5f0e0000-0000-4000-9000-000000000001"]));
    assert_eq!(item(&shown, "state", &good_cam)["photos"], json!([]));
    step(&wang, 20, json!({ "kind": "done" })).await;
    let drawn = json!({ "width": 1000, "height": 400, "strokes": [[100, 200, 300, 90, 500, 310, 800, 150]] });
    step(&wang, 21, json!({ "kind": "signed", "who": "周女士", "satisfied": 5, "signature": drawn })).await;
    super::soon(&mut w).await;
    let (pdf, zh) = report(&zhou, &first, "zh").await;
    for words in [
        "巡检报告",
        "编号XJ-2026-0001",
        "HarbourOffice",
        "北门站",
        "HT-9、Everyday",
        "已检查12/12项，异常1项",
        "电源保险丝熔断fuseblown",
        "#1003",
        "未接手",
        "交流228V,3.1A",
        "cam-4·运行正常",
        "正常、2026-11-19",
        "wang.min",
        "签字人：周女士",
        "现场照片",
        "wang.min、cam-3·运行正常",
    ] {
        assert!(zh.contains(words), "{words}\n{zh}");
    }
    assert!(!zh.contains("尚未完成") && !zh.contains("未检查的项"), "{zh}");
    assert_eq!(paper::pictures(&pdf), 1);

    // Both cameras are taken down later: what was found at them stays found, and November had them.
    for device in [&bad_cam, &good_cam] {
        w.admin.send(Method::DELETE, &format!("/api/v1/devices/{device}"), None).await.ok();
    }
    let sheet = wang.get(&path).await.ok();
    assert_eq!(
        (&sheet["items"].as_array().unwrap().len(), &sheet["open"], &sheet["bad"]),
        (&12, &json!(0), &json!(1))
    );
    assert_eq!(text(item(&sheet, "state", &bad_cam), "/answer/note"), "电源保险丝熔断 fuse blown");
    let (en_pdf, en) = report(&li, &first, "en").await;
    for words in ["Inspectionreport", "12of12answered,1wrong", "cam-3·Works", "Signedby:周女士"] {
        assert!(en.contains(words), "{words}\n{en}");
    }
    let month = async |name: &str| {
        let told = w.admin.get(&format!("/api/v1/inspections/coverage?month={name}")).await.ok();
        let row = &items(&told)[0];
        json!([row["devices"], row["checked"]])
    };
    assert_eq!(month("2026-11").await, json!([2, 2]));
    assert_eq!((month("2026-10").await, month("2026-12").await), (json!([0, 0]), json!([0, 0])));
    keep("inspection", &pdf, &en_pdf);
    assert_eq!(wang.get(&format!("{}?lang=fr", path.replace("sheet", "report.pdf"))).await.status, 400);
}

fn phone_id(n: u64) -> String {
    format!("7a1e0000-0000-4000-8000-{n:012}")
}

async fn answers_without_a_network_count_once_and_cover_nobody_elses(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.person("wang.min", "technician", None).await;
    w.device("North Gate", "cam-3").await;
    let contract = owed(&mut w, &monthly(""), "2026-11-19").await;
    let first = one(&w, &contract, "m", 1).await;
    let path = format!("/api/v1/inspections/{}/sheet", text(&first, "/id"));
    let (li, wang) = (w.as_person("li.wei").await, w.as_person("wang.min").await);
    let cam = w.device_id("cam-3");
    let lines = async |w: &World| {
        let sheet = w.admin.get(&path).await.ok();
        let all = sheet["items"].as_array().unwrap().clone();
        all.into_iter().filter(|item| item["answer"] != Value::Null).count()
    };

    // In the cellar: the picture is wrong, then the mains; the second reading corrects the first.
    let picture = json!({ "id": phone_id(1), "seen": 0, "key": "picture", "device_id": cam, "answer": "bad",
        "note": "lens fogged", "ticket": true });
    let mains = json!({ "id": phone_id(2), "seen": 0, "key": "power", "answer": "ok", "value": "221 V" });
    let better = json!({ "id": phone_id(3), "seen": 0, "over": phone_id(2), "key": "power", "answer": "ok", "value": "228 V" });
    let fine = json!({ "id": phone_id(4), "seen": 0, "key": "state", "device_id": cam, "answer": "ok" });
    // Meanwhile a colleague with a network says that the camera does not work.
    let theirs =
        json!([{ "key": "state", "device_id": cam, "answer": "bad", "note": "no picture at the recorder" }]);
    assert_eq!(send(&li, &path, theirs).await.0, 200);

    // Later there is a network, and every answer's answer is lost once.
    w.forward_minutes(40).await;
    for said in [&picture, &picture, &mains, &mains, &better, &better, &mains, &picture] {
        let (status, sheet) = send(&wang, &path, json!([said])).await;
        assert_eq!(status, 200, "{sheet}");
    }
    let sheet = wang.get(&path).await.ok();
    assert_eq!(text(item(&sheet, "power", ""), "/answer/value"), "228 V", "the correction holds");
    assert_eq!(item(&sheet, "picture", &cam)["answer"]["ticket_number"], 1001);
    assert_eq!(w.admin.get("/api/v1/tickets").await.ok()["items"].as_array().unwrap().len(), 1, "one ticket");
    assert_eq!(lines(&w).await, 3);

    // What the colleague said is not covered: the phone is told, and its owner has to look.
    for _ in 0..2 {
        let (status, why) = send(&wang, &path, json!([fine])).await;
        assert_eq!((status, text(&why, "/error/code")), (409, "answered_meanwhile".into()), "{why}");
    }
    let stands = &item(&sheet, "state", &cam)["answer"];
    assert_eq!((text(stands, "/answer"), text(stands, "/by")), ("bad".into(), "li.wei".into()));
    // Having looked, it is answered on purpose; once, though both were sent together and again.
    let looked = json!({ "id": phone_id(5), "seen": stands["seq"], "key": "state", "device_id": cam, "answer": "ok",
        "note": "recorder restarted" });
    for _ in 0..2 {
        assert_eq!(send(&wang, &path, json!([looked, looked])).await.0, 200);
    }
    let sheet = wang.get(&path).await.ok();
    let now = &item(&sheet, "state", &cam)["answer"];
    assert_eq!(
        (text(now, "/by"), now["seq"].as_i64()),
        ("wang.min".into(), stands["seq"].as_i64().map(|seq| seq + 4))
    );

    // An id names one answer, and is one.
    let other = json!({ "id": phone_id(5), "key": "power", "answer": "ok", "value": "1 V" });
    assert_eq!(send(&wang, &path, json!([other])).await.1["error"]["code"], "other_answer");
    let none = json!({ "id": "five", "key": "power", "answer": "ok", "value": "1 V" });
    assert_eq!(send(&wang, &path, json!([none])).await.0, 400);
    w.forward_seconds(30).await;
}
