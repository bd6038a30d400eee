//! The annual report: beside what was looked at it holds the site's year in figures, and what nobody knows is in none of
//! them.

use jiff::Timestamp;
use serde_json::{Value, json};
use sitewarden_tests::client::Client;
use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

use super::sheet::{keep, report, send};
use super::{HEAD, act, away_until, one, owed};

stories![an_annual_report_holds_the_year_of_the_site];

const TENTH_MS: i64 = 360_000;

/// The id of the nth thing that somebody makes.
fn made(n: u64) -> String {
    format!("9a260000-0000-4000-8000-{n:012}")
}

/// Two power supplies in the van of `wang.min`.
async fn stock(w: &World, account: &str) {
    let kind =
        json!({ "number": "PSU-12V5A", "name": "Power supply", "name_zh": "电源", "price_fen": 8_800 });
    w.admin.put(&format!("/api/v1/parts/kinds/{}", made(1)), &kind).await.ok();
    let van = json!({ "kind": "van", "account_id": account });
    w.admin.put(&format!("/api/v1/parts/places/{}", made(2)), &van).await.ok();
    let bought = json!({ "kind_id": made(1), "from_id": "supplier", "to_id": made(2), "quantity": 5 });
    w.admin.put(&format!("/api/v1/parts/moves/{}", made(3)), &bought).await.ok();
}

/// How long a device was in a state until now, by its own record.
async fn spent(w: &World, device: &str, state: &str, since: Timestamp) -> i64 {
    let (from, to) = (since.as_millisecond(), w.now().as_millisecond());
    let path = format!("/api/v1/devices/{}/states?from={from}&to={to}", w.device_id(device));
    let all = items(&w.admin.get(&path).await.ok());
    let at = |n: usize| all.get(n).map_or(w.now().as_millisecond(), |one| one["at"].as_i64().unwrap());
    let each = all.iter().enumerate().filter(|(_, one)| text(one, "/state") == state);
    each.map(|(n, _)| at(n + 1) - at(n)).sum()
}

fn hours(ms: i64) -> String {
    format!("{}.{}", ms / TENTH_MS / 10, ms / TENTH_MS % 10)
}

fn rate(part: i64, of: i64) -> String {
    let share = part * 10_000 / of;
    format!("{}.{:02}%（{}/{}h）", share / 100, share % 100, hours(part), hours(of))
}

async fn work(w: &World, by: &Client, number: i64, account: &str) {
    let visit = format!("/api/v1/visits/{}", made(10));
    let plan = json!({ "ticket_id": number.to_string(), "members": [account] });
    w.admin.put(&visit, &plan).await.ok();
    for (n, kind) in ["accepted", "departed", "arrived", "working"].into_iter().enumerate() {
        by.put(&format!("{visit}/steps/{}", made(20 + n as u64)), &json!({ "kind": kind })).await.ok();
    }
    let part = json!({ "kind_id": made(1), "quantity": 2, "consent": "Ms Zhou" });
    by.put(&format!("{visit}/parts/{}", made(30)), &part).await.ok();
}

async fn an_annual_report_holds_the_year_of_the_site(engine: Engine) {
    let mut w = World::usual(engine).await;
    let wang_id = {
        w.person("wang.min", "technician", None).await;
        let users = items(&w.admin.get("/api/v1/users").await.ok());
        text(users.iter().find(|user| user["login"] == "wang.min").unwrap(), "/id")
    };
    stock(&w, &wang_id).await;
    let rules = format!(
        "{HEAD}[[inspect]]\nname = \"annual\"\nfrom = \"commissioned\"\nmonth = 12\nkind = \"annual\"\n\
         report = \"annual_test_report\"\n[[inspect]]\nname = \"weekly\"\nfrom = \"commissioned\"\nevery = \"1w\"\n\
         mode = \"phone\"\n"
    );
    let contract = owed(&mut w, &rules, "2025-12-10").await;
    let born = w.now();
    w.device("North Gate", "cam-3").await;
    let next = w.now();
    w.device("North Gate", "cam-4").await;
    // A recorder behind a gateway that never spoke: nobody knows anything of it.
    let gateway = json!({ "site_id": w.site_id("North Gate"), "name": "gw cellar" });
    let gateway = text(&w.admin.post("/api/v1/gateways", &gateway).await.ok(), "/gateway/id");
    let nvr = json!({ "gateway_id": gateway, "name": "nvr-1", "class": "nvr", "address": "10.20.7.12",
        "checks": "[[check]]\nkind = \"icmp\"\nevery = \"30s\"\n" });
    w.admin.post("/api/v1/devices", &nvr).await.ok();
    w.pass_hours(2).await;
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "cam-3"]);
    let (li, wang) = (w.as_person("li.wei").await, w.as_person("wang.min").await);
    li.post("/api/v1/tickets/1001/ack", &json!({})).await.ok();
    work(&w, &wang, 1001, &wang_id).await;
    w.pass_hours(1).await;

    let (li, wang) = (w.as_person("li.wei").await, w.as_person("wang.min").await);
    let annual = one(&w, &contract, "annual", 1).await;
    let (_, before) = report(&li, &annual, "en").await;
    assert!(before.contains("Annualtestreport") && before.contains("Notfinished"), "{before}");
    let path = format!("/api/v1/inspections/{}/sheet", text(&annual, "/id"));
    let sheet = wang.get(&path).await.ok();
    let cam = w.device_id("cam-3");
    let mut answers: Vec<Value> = sheet["items"]
        .as_array()
        .unwrap()
        .iter()
        // Nobody looks at the recorder.
        .filter(|item| item["device"] != "nvr-1")
        .map(|item| json!({ "key": item["key"], "device_id": item["device_id"], "answer": "ok" }))
        .collect();
    for answer in &mut answers {
        match answer["key"].as_str().unwrap() {
            "annual.forecast" => answer["value"] = "夏季雷雨，南侧无避雷".into(),
            "annual.proposals" => answer["value"] = "两台摄像机更换防雷器".into(),
            "state" if answer["device_id"] == json!(cam) => {
                answer["answer"] = "bad".into();
                answer["note"] = "不通电".into();
            }
            _ => {}
        }
    }
    let (status, sheet) = send(&wang, &path, answers.into()).await;
    assert_eq!(status, 200, "{sheet}");
    act(&wang, &annual, "done", json!({ "on": "2026-11-19" })).await;
    let up = spent(&w, "cam-3", "ok", born).await + spent(&w, "cam-4", "ok", next).await;
    let down = spent(&w, "cam-3", "down", born).await;
    assert!(down > 3_600_000 && up > 5 * 3_600_000, "{up} {down}");
    let whole = w.now().duration_since(born).as_millis() + w.now().duration_since(next).as_millis();
    let whole = i64::try_from(whole).unwrap();
    let (pdf, zh) = report(&li, &annual, "zh").await;
    let cameras = format!("摄像机2210{}{}", rate(up, up + down), rate(up + down, whole));
    for words in [
        "年检系统测试报告",
        "年度统计2025-11-20–2026-11-19",
        &cameras,
        // Unknown is not OK: no rate without a minute of knowledge, and the recorder counts as unknown.
        "录像机1001无数据0.00%",
        "夏季雷雨，南侧无避雷",
        "两台摄像机更换防雷器",
        "PSU-12V5A电源21",
        "annual110000",
        "故障最多的设备设备类别次数未消除小时在线率cam-3摄像机",
        "不计入任何比率",
    ] {
        assert!(zh.contains(words), "{words}\n{zh}");
    }
    // One fault of the camera, which stands, and its ticket, which is open.
    let standing = format!("11{}10", hours(down));
    assert!(zh.contains(&standing), "{standing}\n{zh}");
    let (en_pdf, en) = report(&li, &annual, "en").await;
    for words in [
        "Annualtestreport",
        "Theyear2025-11-20–2026-11-19",
        "nothingisknown",
        "Partsthatwereused",
        "notanswered",
    ] {
        assert!(en.contains(words), "{words}\n{en}");
    }
    keep("annual", &pdf, &en_pdf);

    // Half a year later the year is the same one: it ends with the day on which it was done. That the gateway has been
    // silent since is another story.
    w.cut("North Gate").await;
    away_until(&mut w, "2027-05-20T04:00:00Z").await;
    let li = w.as_person("li.wei").await;
    let (_, later) = report(&li, &annual, "zh").await;
    assert!(later.contains("年度统计2025-11-20–2026-11-19") && later.contains("annual110000"), "{later}");
    w.pager.take_all();
}
