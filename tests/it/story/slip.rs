//! The slip of a visit: what was done, put on paper in the customer's language, signed and filed.

use jiff::SignedDuration;
use serde_json::json;
use sitewarden_proto::arrival::step_at;
use sitewarden_server::user::Role;
use sitewarden_server::visit::arrival::code_in;
use sitewarden_tests::client::Client;
use sitewarden_tests::database::Engine;
use sitewarden_tests::desk::{Desk, PASSWORD};
use sitewarden_tests::paper;
use sitewarden_tests::promise::promise;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

stories![
    a_slip_says_what_was_done_in_either_language_and_copies_out_as_text,
    without_a_font_the_slip_says_what_to_install,
];

const VISIT: &str = "/api/v1/visits/5f0e0000-0000-4000-8000-000000000001";

async fn take(by: &Client, step: u64, body: &serde_json::Value) -> serde_json::Value {
    by.put(&format!("{VISIT}/steps/5f0e0000-0000-4000-8000-{step:012}"), body).await.ok()
}

/// A camera is down, `wang.min` is asked to go, under a contract whose arrival is proved.
async fn sent(engine: Engine) -> (World, Client) {
    let mut w = World::usual(engine).await;
    let wang = w.person("wang.min", "technician", None).await;
    let contract = "[contract]\nid = \"HT-7\"\nname = \"港区运维\"\nkind = \"annual\"\nzone = \"Asia/Shanghai\"\n\
         [[clock]]\nname = \"arrive\"\ntitle = \"到场 1 小时\"\nstart = \"reported\"\nstop = \"arrived\"\ntarget = \"1h\"\n\
         evidence = [\"gateway_code\"]\n\
         [[clock]]\nname = \"answer\"\ntitle = \"接单 5 分钟\"\nstart = \"reported\"\nstop = \"first_human_reply\"\ntarget = \"5m\"\n";
    let customers = items(&w.admin.get("/api/v1/customers").await.ok());
    promise(&w.app, &text(&customers[0], "/id"), &w.site_id("North Gate"), contract, w.now()).await;
    let li = w.as_person("li.wei").await;
    let new = json!({ "site_id": w.site_id("North Gate"), "title": "道闸杆弯了", "severity": "major" });
    assert_eq!(li.post("/api/v1/tickets", &new).await.ok()["number"], 1001);
    w.settle().await;
    w.pager.expect("li.wei", &["#1001"]);
    w.forward_minutes(6).await;
    for share in ["50 %", "75 %", "90 %", "overdue"] {
        w.pager.expect("li.wei", &["#1001", "接单 5 分钟", share]);
    }
    let visit = json!({ "ticket_id": "1001", "members": [wang], "purpose": "校直道闸杆" });
    li.put(VISIT, &visit).await.ok();
    let wang = w.as_person("wang.min").await;
    (w, wang)
}

fn code(w: &mut World) -> String {
    let at = w.now();
    let gateway = w.gateway_mut("North Gate").id.to_string();
    code_in(&w.app.keys.arrival_key(&gateway, None), &gateway, step_at(at.as_second()))
}

/// A line of words without the blanks that a broken line has.
fn tight(sheet: &str) -> String {
    sheet.split_whitespace().collect()
}

async fn slip(by: &Client, lang: &str) -> Vec<u8> {
    let (kind, pdf) = by.file(&format!("{VISIT}/slip.pdf?lang={lang}")).await;
    assert_eq!(kind, "application/pdf");
    pdf
}

async fn a_slip_says_what_was_done_in_either_language_and_copies_out_as_text(engine: Engine) {
    let (mut w, wang) = sent(engine).await;
    take(&wang, 11, &json!({ "kind": "accepted" })).await;
    take(&wang, 12, &json!({ "kind": "departed" })).await;
    w.forward_minutes(14).await;
    let told = json!({ "kind": "arrived", "evidence": [{ "kind": "gateway_code", "code": "000000" }] });
    take(&wang, 13, &told).await;
    let proof = json!({ "kind": "arrived", "evidence": [{ "kind": "gateway_code", "code": code(&mut w) }] });
    take(&wang, 14, &proof).await;
    take(&wang, 15, &json!({ "kind": "working" })).await;
    let solution: Vec<String> = (1..=70).map(|n| format!("第{n}步：检查接头，new plug no. {n}。")).collect();
    let solution = solution.join("\n");
    let cause = "接头进水，导致供电电压下降；现场测得 52.1 V，更换后恢复到 53.9 V。".repeat(3);
    let fields = json!({ "symptom": "No picture & no power <PoE>", "cause": cause, "solution": solution });
    take(&wang, 16, &json!({ "kind": "written", "seen": 0, "fields": fields })).await;
    w.forward_minutes(10).await;
    take(&wang, 17, &json!({ "kind": "done" })).await;

    // The story began at 03:00 in Shanghai.
    let zh = paper::sheets(&slip(&wang, "zh").await);
    assert!(zh.len() > 1, "a long text goes on on the next sheet");
    let all = tight(&zh.concat());
    for words in [
        "技术服务联络单",
        "编号1001-1",
        "尚未验收",
        "HarbourOffice",
        "北门站",
        "HT-7、港区运维",
        "#1001",
        "道闸杆弯了",
        "校直道闸杆",
        "wang.min",
        "2026-11-1903:00",
        "2026-11-1903:20",
        "网关动态码（仅声称：当时该站点没有网关显示此码）",
        "到场1小时2026-11-1904:002026-11-1903:20按时",
        "接单5分钟2026-11-1903:05",
        "超时完成",
        "故障现象",
        "Nopicture&nopower<PoE>",
        "签字人：",
        "打印于2026-11-1903:30（Asia/Shanghai）",
    ] {
        assert!(all.contains(words), "{words}\n{}", zh.concat());
    }
    assert!(all.contains(&tight(&cause)), "a broken paragraph copies out whole\n{}", zh.concat());
    for n in 1..=70 {
        let step = format!("第{n}步：检查接头，newplugno.{n}。");
        assert!(zh.iter().any(|sheet| tight(sheet).contains(&step)), "{step}");
    }
    for (page, sheet) in zh.iter().enumerate() {
        let paging = format!("第{}页，共{}页", page + 1, zh.len());
        assert!(tight(sheet).contains(&paging) && sheet.contains("1001-1"), "{sheet}");
    }

    take(&wang, 18, &json!({ "kind": "unsigned", "reason": "nobody at the gate" })).await;
    let unsigned = tight(&paper::sheets(&slip(&wang, "en").await).concat());
    assert!(unsigned.contains("Notsigned:nobodyatthegate"), "{unsigned}");
    let at = (w.now() - SignedDuration::from_mins(1)).as_millisecond();
    let signed = json!({ "kind": "signed", "who": "周女士", "source": "paper", "occurred_at": at });
    take(&wang, 19, &signed).await;
    let pdf = slip(&wang, "en").await;
    let en = tight(&paper::sheets(&pdf).concat());
    for words in [
        "Serviceslip",
        "No.1001-1",
        "Arrived2026-11-1903:20",
        "Provedbythegateway'scode",
        "Signedby:周女士",
        "When:2026-11-1903:29",
        "Takenbywang.min",
        "Page1of",
    ] {
        assert!(en.contains(words), "{words}\n{}", paper::sheets(&pdf).concat());
    }
    assert!(!en.contains("Notaccepted"), "{en}");
    let fonts = paper::fonts(&pdf);
    assert!(
        fonts.len() == 1 && fonts[0].contains("NotoSansCJKsc") && fonts[0].contains("yes yes yes"),
        "one font, embedded, a subset, readable: {fonts:?}"
    );
    assert!(pdf.len() < 200_000, "{}", pdf.len());
    if let Ok(folder) = std::env::var("SITEWARDEN_PAPERS") {
        std::fs::write(format!("{folder}/slip-en.pdf"), &pdf).unwrap();
        std::fs::write(format!("{folder}/slip-zh.pdf"), slip(&wang, "zh").await).unwrap();
    }
    assert_eq!(wang.get(&format!("{VISIT}/slip.pdf?lang=fr")).await.status, 400);
    assert_eq!(wang.get(&format!("{VISIT}/slip.pdf?way=up")).await.status, 400);
    w.forward_minutes(5).await;
}

async fn without_a_font_the_slip_says_what_to_install(engine: Engine) {
    let desk = Desk::open_with(engine, |config| config.paper.font = "/nowhere/font.ttc".into()).await;
    desk.add("first", Role::Administrator, None, false).await;
    let admin = desk.nobody().sign_in("first", PASSWORD).await;
    let customer = admin.post("/api/v1/customers", &json!({ "name": "Alpha" })).await.ok();
    let site = json!({ "customer_id": customer["id"], "name": "Gate", "zone": "Asia/Shanghai" });
    let site = admin.post("/api/v1/sites", &site).await.ok();
    let new = json!({ "site_id": site["id"], "title": "Barrier arm bent", "severity": "minor" });
    let ticket = admin.post("/api/v1/tickets", &new).await.ok();
    admin.put(VISIT, &json!({ "ticket_id": ticket["id"] })).await.ok();
    let answer = admin.get(&format!("{VISIT}/slip.pdf")).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (503, "no_font".into()), "{}", answer.text);
    for words in ["/nowhere/font.ttc", "fonts-noto-cjk", "[paper]"] {
        assert!(answer.text.contains(words), "{words}: {}", answer.text);
    }
}
