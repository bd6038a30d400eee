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
    a_drawn_signature_is_looked_at_kept_and_never_overwritten,
    photos_are_sent_until_they_are_taken_and_stand_on_the_slip,
    a_photo_proves_an_arrival_where_the_contract_says_so,
];

const VISIT: &str = "/api/v1/visits/5f0e0000-0000-4000-8000-000000000001";

async fn take(by: &Client, step: u64, body: &serde_json::Value) -> serde_json::Value {
    by.put(&format!("{VISIT}/steps/5f0e0000-0000-4000-8000-{step:012}"), body).await.ok()
}

/// A camera is down, `wang.min` is asked to go, under a contract whose arrival is proved.
async fn sent(engine: Engine) -> (World, Client) {
    sent_under(engine, "gateway_code").await
}

async fn sent_under(engine: Engine, evidence: &str) -> (World, Client) {
    let mut w = World::usual(engine).await;
    let wang = w.person("wang.min", "technician", None).await;
    let contract = format!(
        "[contract]\nid = \"HT-7\"\nname = \"港区运维\"\nkind = \"annual\"\nzone = \"Asia/Shanghai\"\n\
         [[clock]]\nname = \"arrive\"\ntitle = \"到场 1 小时\"\nstart = \"reported\"\nstop = \"arrived\"\ntarget = \"1h\"\n\
         evidence = [\"{evidence}\"]\n\
         [[clock]]\nname = \"answer\"\ntitle = \"接单 5 分钟\"\nstart = \"reported\"\nstop = \"first_human_reply\"\ntarget = \"5m\"\n"
    );
    let customers = items(&w.admin.get("/api/v1/customers").await.ok());
    promise(&w.app, &text(&customers[0], "/id"), &w.site_id("North Gate"), &contract, w.now()).await;
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
    let part =
        json!({ "what": "replaced", "component": "接头 P-1", "with": "防水接头 P-2", "consent": "周女士" });
    wang.post("/api/v1/tickets/1001/deal", &part).await.ok();
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
        "2026-11-1903:20接头P-1防水接头P-2周女士客户免费",
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

/// A wave of so many points on a field of 1000 by 400.
fn wave(points: i64) -> serde_json::Value {
    let points: Vec<i64> =
        (0..points).flat_map(|n| [n * 800 / points + 100, 200 + (n % 7 - 3) * 40]).collect();
    json!({ "width": 1000, "height": 400, "strokes": [points, [950, 380]] })
}

async fn a_drawn_signature_is_looked_at_kept_and_never_overwritten(engine: Engine) {
    let (mut w, wang) = sent(engine).await;
    for (step, kind) in [(11, "accepted"), (12, "arrived"), (13, "working"), (14, "done")] {
        take(&wang, step, &json!({ "kind": kind })).await;
    }
    let sign =
        |who: &str, drawn: serde_json::Value| json!({ "kind": "signed", "who": who, "signature": drawn });
    let put = async |step: u64, body: &serde_json::Value| {
        wang.put(&format!("{VISIT}/steps/5f0e0000-0000-4000-8000-{step:012}"), body).await
    };
    for bad in [
        json!({ "width": 1000, "height": 400, "strokes": [] }),
        json!({ "width": 1000, "height": 400, "strokes": [[1, 2, 1001, 3]] }),
        json!({ "width": 1000, "height": 400, "strokes": [[1, 2, 900]] }),
        json!({ "width": 1000, "height": 9000, "strokes": [[1, 2, 900, 3]] }),
        wave(4001),
    ] {
        let refused = put(20, &sign("Ms Zhou", bad)).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
        assert!(refused.text.contains("signature"), "{}", refused.text);
    }
    let note = json!({ "kind": "written", "fields": { "cause": "x" }, "signature": wave(30) });
    assert_eq!(put(20, &note).await.status, 400, "only who signs draws");
    let mut first = sign("周女士", wave(600));
    first["satisfied"] = 4.into();
    first["fields"] = json!({ "opinion": "很快，谢谢" });
    first["seen"] = 0.into();
    let once = take(&wang, 21, &first).await;
    assert_eq!(take(&wang, 21, &first).await, once, "the same once more changes nothing");
    assert_eq!([text(&once, "/state"), text(&once, "/form/opinion/text")], ["signed", "很快，谢谢"]);
    // Another hand signs on the same phone: a second step, the first one stays.
    let other = put(21, &sign("Mr Qian", wave(20))).await;
    assert_eq!(other.code(), "other_step", "{}", other.text);
    let both = take(&wang, 22, &sign("Mr Qian", wave(20))).await;
    let signed: Vec<_> =
        both["events"].as_array().unwrap().iter().filter(|event| event["kind"] == "signed").collect();
    assert_eq!((signed.len(), &signed[0]["body"]["signature"]), (2, &wave(600)));
    let pdf = slip(&wang, "zh").await;
    let all = tight(&paper::sheets(&pdf).concat());
    for words in ["签字人：周女士", "签字人：MrQian", "满意度（1–5）：4/5", "客户意见很快，谢谢"]
    {
        assert!(all.contains(words), "{words}\n{all}");
    }
    if let Ok(folder) = std::env::var("SITEWARDEN_PAPERS") {
        std::fs::write(format!("{folder}/signed.pdf"), &pdf).unwrap();
    }
    w.forward_minutes(5).await;
}

fn jpeg(width: u32, height: u32, shade: u8) -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    let picture =
        image::RgbImage::from_fn(width, height, |x, y| image::Rgb([shade, (x / 4) as u8, (y / 4) as u8]));
    picture.write_to(&mut file, image::ImageFormat::Jpeg).unwrap();
    file.into_inner()
}

async fn photos_are_sent_until_they_are_taken_and_stand_on_the_slip(engine: Engine) {
    let (mut w, wang) = sent(engine).await;
    w.person("zhao.lei", "technician", None).await;
    let zhao = w.as_person("zhao.lei").await;
    let path = |n: u64| format!("{VISIT}/photos/5f0e0000-0000-4000-9000-{n:012}");
    let (wide, high) = (jpeg(800, 600, 200), jpeg(600, 800, 40));
    // The phone is eleven minutes fast and has no network for an hour.
    let fast = 11 * 60_000;
    let taken_at = w.now().as_millisecond();
    w.forward_minutes(24).await;
    w.pager.expect("li.wei", &["#1001", "到场 1 小时", "50 %"]);
    let said = |n: u64, now: i64| {
        format!(
            "{}?device_at={}&device_now={}&caption=%E6%8E%A5%E5%A4%B4",
            path(n),
            taken_at + fast,
            now + fast
        )
    };
    let now = w.now().as_millisecond();
    let strange = zhao.put_file(&said(1, now), "image/jpeg", &wide).await;
    assert_eq!(strange.code(), "not_yours", "{}", strange.text);
    let once = wang.put_file(&said(1, now), "image/jpeg", &wide).await.ok();
    let again = wang.put_file(&said(1, now + 5), "image/jpeg", &wide).await.ok();
    assert_eq!((&once, &once["photos"]), (&again, &json!(1)), "sent twice, kept once");
    let event = once["events"].as_array().unwrap().last().unwrap();
    assert_eq!(
        [
            &event["kind"],
            &event["occurred_at"],
            &event["device_at"],
            &event["body"]["text"],
            &event["body"]["width"]
        ],
        [&json!("photo"), &json!(taken_at), &json!(taken_at + fast), &json!("接头"), &json!(800)],
        "{event}"
    );
    let other = wang.put_file(&said(1, now), "image/jpeg", &high).await;
    assert_eq!(other.code(), "other_photo", "{}", other.text);
    for (bad, why) in [
        (b"%PDF-1.7 nothing".to_vec(), "no whole JPEG"),
        (wide[..wide.len() / 2].to_vec(), "no whole JPEG"),
        (jpeg(1601, 20, 1), "1601 by 20"),
        ([wide.clone(), vec![0; 400 << 10], vec![0xff, 0xd9]].concat(), "the limit is"),
    ] {
        let refused = wang.put_file(&path(2), "image/jpeg", &bad).await;
        assert!(refused.status == 400 && refused.text.contains(why), "{why}: {}", refused.text);
    }
    wang.put_file(&path(2), "image/jpeg", &high).await.ok();
    assert_eq!(wang.file(&path(1)).await, ("image/jpeg".into(), wide));
    let (kind, small) = wang.file(&format!("{}?size=small", path(2))).await;
    assert!(
        kind == "image/jpeg" && small.len() < 40_000 && small.starts_with(&[0xff, 0xd8]),
        "{}",
        small.len()
    );
    assert_eq!(wang.get(&path(3)).await.status, 404);
    for n in 10..28 {
        wang.put_file(&path(n), "image/jpeg", &jpeg(32, 32, n as u8)).await.ok();
    }
    let full = wang.put_file(&path(28), "image/jpeg", &jpeg(32, 32, 99)).await;
    assert_eq!(full.code(), "too_many_photos", "{}", full.text);
    let pdf = slip(&wang, "zh").await;
    let all = tight(&paper::sheets(&pdf).concat());
    assert!(all.contains("现场照片") && all.contains("2026-11-1903:06、wang.min、接头"), "{all}");
    assert_eq!(paper::pictures(&pdf), 20);
    if let Ok(folder) = std::env::var("SITEWARDEN_PAPERS") {
        std::fs::write(format!("{folder}/photos.pdf"), &pdf).unwrap();
    }
    let li = w.as_person("li.wei").await;
    let off = json!({ "kind": "cancelled", "reason": "the builder does it" });
    li.put(&format!("{VISIT}/steps/5f0e0000-0000-4000-8000-000000000090"), &off).await.ok();
    let late = wang.put_file(&path(29), "image/jpeg", &jpeg(32, 32, 7)).await;
    assert_eq!(late.code(), "not_possible", "{}", late.text);
    w.forward_minutes(3).await;
}

async fn a_photo_proves_an_arrival_where_the_contract_says_so(engine: Engine) {
    let (mut w, wang) = sent_under(engine, "photo").await;
    let clock = async |w: &World| {
        let clocks = w.admin.get("/api/v1/tickets/1001/clocks").await.ok()["clocks"].clone();
        text(clocks.as_array().unwrap().iter().find(|clock| clock["name"] == "arrive").unwrap(), "/state")
    };
    take(&wang, 11, &json!({ "kind": "accepted" })).await;
    let (mine, others) = ("5f0e0000-0000-4000-9000-000000000001", "5f0e0000-0000-4000-9000-000000000002");
    let li = w.as_person("li.wei").await;
    wang.put_file(&format!("{VISIT}/photos/{mine}"), "image/jpeg", &jpeg(64, 64, 9)).await.ok();
    li.put_file(&format!("{VISIT}/photos/{others}"), "image/jpeg", &jpeg(64, 64, 8)).await.ok();
    let shown = |photo: &str| json!({ "kind": "arrived", "evidence": [{ "kind": "photo", "code": photo }] });
    // Another's photo proves nothing for him, and one of an hour ago nothing at all.
    let told = take(&wang, 12, &shown(others)).await;
    assert_eq!(
        text(told["events"].as_array().unwrap().last().unwrap(), "/body/evidence/0/doubt"),
        "no_photo"
    );
    assert_eq!((text(&told, "/level"), clock(&w).await), ("claimed".into(), "running".into()));
    w.forward_minutes(24).await;
    w.pager.expect("wang.min", &["#1001", "到场 1 小时", "50 %"]);
    w.forward_minutes(7).await;
    let old = take(&wang, 13, &shown(mine)).await;
    assert_eq!(
        text(old["events"].as_array().unwrap().last().unwrap(), "/body/evidence/0/doubt"),
        "other_time"
    );
    assert_eq!(clock(&w).await, "running");
    let fresh = "5f0e0000-0000-4000-9000-000000000003";
    wang.put_file(&format!("{VISIT}/photos/{fresh}"), "image/jpeg", &jpeg(64, 64, 7)).await.ok();
    let there = take(&wang, 14, &shown(fresh)).await;
    assert_eq!((text(&there, "/level"), clock(&w).await), ("photo".into(), "met".into()));
    w.forward_minutes(5).await;
}
