//! What a customer asks for and no rule owes is planned by hand and lives beside the plan; each kind has a form of its
//! own, and a report that says what its form says.

use serde_json::{Value, json};
use sitewarden_tests::client::Client;
use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

use super::sheet::{item, report, send};
use super::{HEAD, act, another, away_until, kinds, line, lines, list, owed, quiet, refused, soon, told};

stories![
    what_is_asked_for_lives_beside_the_plan_and_is_never_doubled,
    one_that_is_moved_takes_its_days_along_and_one_that_nobody_came_for_is_missed,
    a_training_session_says_who_attended_and_for_how_long,
    a_phone_inspection_and_an_upgrade_need_no_visit,
    each_test_of_a_sample_stands_on_its_own,
];

/// Something that is asked for at the North Gate.
fn wish(w: &World, kind: &str, day: &str) -> Value {
    json!({ "site_id": w.site_id("North Gate"), "kind": kind, "day": day, "by": "Ms Zhou", "evidence": "call",
        "why": "new operators" })
}

fn with(mut body: Value, more: Value) -> Value {
    if let Value::Object(more) = more {
        body.as_object_mut().unwrap().extend(more);
    }
    body
}

async fn plan(by: &Client, body: Value) -> Value {
    let answer = by.post("/api/v1/inspections", &body).await;
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
    answer.json()
}

async fn no(by: &Client, body: Value) -> (u16, String) {
    let answer = by.post("/api/v1/inspections", &body).await;
    (answer.status.as_u16(), answer.code())
}

/// A rule whose name is a kind's word, so that only the row tells them apart.
fn owes_training() -> String {
    format!(
        "{HEAD}[[inspect]]\nname = \"training\"\nfrom = \"commissioned\"\nevery = \"1mo\"\nkind = \"training\"\n"
    )
}

async fn what_is_asked_for_lives_beside_the_plan_and_is_never_doubled(engine: Engine) {
    let mut w = quiet(engine).await;
    w.person("wang.min", "technician", None).await;
    let customers = items(&w.admin.get("/api/v1/customers").await.ok());
    w.person("zhou", "customer", Some(&text(&customers[0], "/id"))).await;
    let li = w.as_person("li.wei").await;
    let training = wish(&w, "training", "2026-12-01");
    assert_eq!(no(&li, training.clone()).await, (409, "no_contract".into()));
    let contract = owed(&mut w, &owes_training(), "2026-12-01").await;
    let plan_alone = lines(&w, &contract).await;
    assert_eq!(plan_alone[0], "training 1 proposed 2026-12-01 (2026-12-01 to 2026-12-31)");
    for role in ["wang.min", "zhou"] {
        let by = w.as_person(role).await;
        assert_eq!(no(&by, training.clone()).await.0, 403, "{role}");
    }
    for (wrong, field) in [
        (json!({ "kind": "party" }), "kind"),
        (json!({ "kind": "resident" }), "kind"),
        (json!({ "day": "2026-11-18" }), "day"),
        (json!({ "until": "2026-11-30" }), "until"),
        (json!({ "by": " " }), "by"),
        (json!({ "why": "" }), "why"),
        (json!({ "way": "resident" }), "way"),
    ] {
        let answer = li.post("/api/v1/inspections", &with(training.clone(), wrong.clone())).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "bad_request".into()), "{wrong}");
        assert!(answer.text.contains(field), "{wrong}: {}", answer.text);
    }
    assert_eq!(no(&li, with(training.clone(), json!({ "site_id": "none" }))).await.0, 404);
    assert_eq!(no(&li, with(training.clone(), json!({ "contract_id": "none" }))).await.0, 404);

    let first = plan(&li, training.clone()).await;
    assert_eq!(
        (text(&first, "/state"), &first["n"], &first["visit_id"]),
        ("proposed".into(), &json!(1), &Value::Null)
    );
    assert_eq!(
        first["by_hand"],
        json!({ "made_by": "li.wei", "asked_by": "Ms Zhou", "asked_how": "call", "why": "new operators" })
    );
    // The customer asked for that day: it is agreed, and a visit is planned on a ticket that wakes nobody.
    let second = plan(&li, with(training.clone(), json!({ "agreed": true }))).await;
    assert_eq!((text(&second, "/state"), &second["n"]), ("agreed".into(), &json!(2)));
    assert_eq!(kinds(&second), ["asked", "agreed"]);
    let ticket = w.ticket(second["ticket_number"].as_i64().unwrap()).await;
    assert!(text(&ticket, "/title").contains("培训 training 2"), "{ticket}");

    // Days pass, the contract is written anew without the rule, and back: the plan's own rows follow, these do not.
    let mine = |all: &[Value]| -> Vec<String> {
        all.iter().filter(|one| !one["by_hand"].is_null()).map(line).collect()
    };
    let stand = [
        "training 1 proposed 2026-12-01 (2026-12-01 to 2026-12-01)",
        "training 2 agreed 2026-12-01 (2026-12-01 to 2026-12-01)",
    ];
    for then in ["2026-11-20T04:00:00Z", "2026-11-25T04:00:00Z"] {
        away_until(&mut w, then).await;
        let all = list(&w, "").await;
        assert_eq!(mine(&all), stand);
        let owed: Vec<String> = all.iter().filter(|one| one["by_hand"].is_null()).map(line).collect();
        assert_eq!(owed[..plan_alone.len()], plan_alone, "what the plan owes is what it owed");
    }
    another(&w.app, &contract, &format!("{HEAD}[[inspect]]\nname = \"y\"\nevery = \"1mo\"\n"), w.now()).await;
    soon(&mut w).await;
    let all = list(&w, "").await;
    assert_eq!(mine(&all), stand);
    assert!(all.iter().all(|one| !one["by_hand"].is_null() || one["rule"] == "y"), "{all:?}");

    // Planned by mistake: taken back with a reason, by those who plan, and not what the contract owes.
    let li = w.as_person("li.wei").await;
    let wang = w.as_person("wang.min").await;
    assert_eq!(refused(&wang, &first, "withdraw", json!({ "reason": "x" })).await, "not_permitted");
    assert_eq!(refused(&li, &first, "withdraw", json!({ "reason": "" })).await, "bad_request");
    assert_eq!(refused(&li, &second, "withdraw", json!({ "reason": "x" })).await, "has_visit");
    let owed = all.iter().find(|one| one["rule"] == "y").unwrap();
    assert_eq!(refused(&li, owed, "withdraw", json!({ "reason": "x" })).await, "not_by_hand");
    let back = act(&li, &first, "withdraw", json!({ "reason": "the wrong site" })).await;
    assert_eq!(
        (text(&back, "/state"), kinds(&back)),
        ("dropped".into(), vec!["asked".to_owned(), "withdrawn".into()])
    );
    assert_eq!(refused(&li, &first, "withdraw", json!({ "reason": "x" })).await, "not_possible");
    soon(&mut w).await;
    assert_eq!(mine(&list(&w, "").await), stand[1..]);
    // The next one gets a number of its own.
    let third = plan(&li, with(training, json!({ "day": "2026-12-02" }))).await;
    assert_eq!(third["n"], 3);
    let zhou = w.as_person("zhou").await;
    assert_eq!(items(&zhou.get("/api/v1/inspections").await.ok()).len(), list(&w, "").await.len());
    let asked = zhou.get(&format!("/api/v1/inspections/{}", text(&third, "/id"))).await.ok();
    assert_eq!(text(&asked, "/events/0/body/reason"), "new operators");
}

async fn one_that_is_moved_takes_its_days_along_and_one_that_nobody_came_for_is_missed(engine: Engine) {
    let mut w = quiet(engine).await;
    owed(&mut w, HEAD, "").await;
    let li = w.as_person("li.wei").await;
    let watch = with(wish(&w, "event_watch", "2026-12-01"), json!({ "until": "2026-12-03", "agreed": true }));
    let watch = plan(&li, watch).await;
    assert_eq!(line(&watch), "event_watch 1 agreed 2026-12-01 (2026-12-01 to 2026-12-03)");
    let moved = json!({ "day": "2026-12-10", "by": "Ms Zhou", "evidence": "mail", "reason": "rain" });
    let watch = act(&li, &watch, "move", moved).await;
    assert_eq!(line(&watch), "event_watch 1 moved 2026-12-10 (2026-12-10 to 2026-12-12)");
    assert_eq!((&watch["outside"], &watch["late"]), (&json!(false), &json!(false)));
    let visit = w.admin.get(&format!("/api/v1/visits/{}", text(&watch, "/visit_id"))).await.ok();
    let nine = "2026-12-10T01:00:00Z".parse::<jiff::Timestamp>().unwrap();
    assert_eq!(visit["planned_at"], nine.as_millisecond());
    let phone = plan(&li, wish(&w, "phone", "2026-11-20")).await;

    // It goes on until the end of its last day at the site, and is missed a minute later.
    away_until(&mut w, "2026-12-12T15:59:00Z").await;
    assert_eq!(text(&told(&w, &watch).await, "/state"), "moved");
    assert_eq!(text(&told(&w, &phone).await, "/state"), "missed");
    away_until(&mut w, "2026-12-12T16:00:30Z").await;
    let over = told(&w, &watch).await;
    assert_eq!(
        (text(&over, "/state"), kinds(&over)),
        ("missed".into(), vec!["asked".into(), "agreed".into(), "moved".into(), "missed".to_owned()])
    );
    soon(&mut w).await;
    assert_eq!(told(&w, &watch).await, over, "it is missed once");
    // It may be made good, and that it was late stays.
    let li = w.as_person("li.wei").await;
    let done = act(&li, &watch, "done", json!({ "on": "2026-12-13", "note": "watched afterwards" })).await;
    assert_eq!((text(&done, "/state"), &done["late"]), ("done".into(), &json!(true)));
    let waiver = json!({ "by": "Ms Zhou", "evidence": "call", "reason": "spoken to meanwhile" });
    assert_eq!(text(&act(&li, &phone, "waive", waiver).await, "/state"), "waived");
}

fn answer(key: &str, value: &str) -> Value {
    json!({ "key": key, "answer": "ok", "value": value })
}

async fn a_training_session_says_who_attended_and_for_how_long(engine: Engine) {
    let mut w = quiet(engine).await;
    w.person("wang.min", "technician", None).await;
    owed(&mut w, HEAD, "").await;
    let li = w.as_person("li.wei").await;
    let own = json!({ "agreed": true, "checklist": ["room and projector"] });
    let one = plan(&li, with(wish(&w, "training", "2026-11-19"), own)).await;
    let path = format!("/api/v1/inspections/{}/sheet", text(&one, "/id"));
    let wang = w.as_person("wang.min").await;
    let sheet = wang.get(&path).await.ok();
    let all = sheet["items"].as_array().unwrap();
    assert_eq!(
        (text(&all[0], "/key"), all.len(), &sheet["open"]),
        ("own.room and projector".into(), 13, &json!(13))
    );
    let how = |key: &str| text(item(&sheet, key, ""), "/kind");
    assert_eq!(
        ["training.goal_operator", "training.theory", "training.attendance", "training.hours"].map(how),
        ["text", "check", "people", "number"]
    );
    for wrong in [
        json!({ "key": "training.attendance", "answer": "ok", "value": " ,、" }),
        json!({ "key": "training.hours", "answer": "ok", "value": "two" }),
        json!({ "key": "training.goal_operator", "answer": "ok" }),
        json!({ "key": "training.goal_operator", "answer": "bad", "note": "none" }),
        json!({ "key": "training.theory", "answer": "bad" }),
    ] {
        assert_eq!(send(&wang, &path, json!([wrong])).await.0, 400, "{wrong}");
    }
    let untouched = wang.get(&path).await.ok();
    assert_eq!(
        (&untouched["number"], &untouched["open"]),
        (&Value::Null, &json!(13)),
        "what is refused leaves nothing"
    );
    let answers = json!([
        answer("training.form", "现场培训"),
        answer("training.goal_operator", "能独立调看录像"),
        { "key": "training.theory", "answer": "ok" },
        { "key": "training.practice", "answer": "bad", "note": "一台终端不能登录", "ticket": true },
        answer("training.attendance", "王芳，李伟, 王芳; 赵强"),
        answer("training.hours", "2.5"),
        answer("training.material", "操作手册三册、教学视频一套"),
        { "key": "training.goal_administrator", "answer": "none" },
    ]);
    let (status, sheet) = send(&wang, &path, answers).await;
    assert_eq!((status, &sheet["open"], &sheet["bad"]), (200, &json!(5), &json!(1)), "{sheet}");
    assert_eq!(text(item(&sheet, "training.attendance", ""), "/answer/value"), "王芳、李伟、赵强");
    w.settle().await;
    act(&wang, &one, "done", json!({ "on": "2026-11-19" })).await;
    let (pdf, zh) = report(&w.admin, &one, "zh").await;
    for words in [
        "培训记录",
        "提出人MsZhou、电话",
        "安排人li.wei",
        "newoperators",
        "王芳、李伟、赵强（3人）",
        "学时2.5",
        "不正常、一台终端不能登录",
        "roomandprojector",
        "不适用",
        "签字人：",
    ] {
        assert!(zh.contains(words), "{words}\n{zh}");
    }
    assert!(!zh.contains("年度统计"), "a year stands in an annual report only");
    let (en_pdf, en) = report(&w.admin, &one, "en").await;
    for words in ["Trainingrecord", "Askedfor", "王芳,李伟,赵强(3)", "training1", "notanswered"] {
        assert!(en.contains(words), "{words}\n{en}");
    }
    super::sheet::keep("training", &pdf, &en_pdf);
}

async fn a_phone_inspection_and_an_upgrade_need_no_visit(engine: Engine) {
    let mut w = quiet(engine).await;
    let rule = format!(
        "{HEAD}[[inspect]]\nname = \"call\"\nfrom = \"commissioned\"\nevery = \"1mo\"\nmode = \"phone\"\n"
    );
    let contract = owed(&mut w, &rule, "2026-11-19").await;
    let li = w.as_person("li.wei").await;
    let call = super::one(&w, &contract, "call", 1).await;
    assert_eq!((text(&call, "/way"), &call["kinds"]), ("phone".into(), &json!(["phone"])));
    let agreed = act(&li, &call, "agree", json!({ "by": "Ms Zhou", "evidence": "call" })).await;
    assert_eq!((&agreed["ticket_id"], &agreed["visit_id"]), (&Value::Null, &Value::Null));
    let path = format!("/api/v1/inspections/{}/sheet", text(&call, "/id"));
    let answers = json!([
        answer("phone.whom", "周女士"),
        { "key": "phone.runs", "answer": "bad", "note": "大门摄像机夜间模糊", "ticket": true },
        answer("phone.needs", "增加一路录像"),
        { "key": "phone.left_over", "answer": "ok" },
        answer("phone.next", "2026-12-17 电话"),
    ]);
    let (status, sheet) = send(&li, &path, answers).await;
    assert_eq!((status, &sheet["open"], &sheet["bad"]), (200, &json!(0), &json!(1)), "{sheet}");
    let number = item(&sheet, "phone.runs", "")["answer"]["ticket_number"].as_i64().unwrap();
    assert!(text(&w.ticket(number).await, "/title").contains("大门摄像机夜间模糊"));
    act(&li, &call, "done", json!({ "on": "2026-11-19" })).await;
    let (_, zh) = report(&li, &call, "zh").await;
    for words in ["电话询检记录", "通话人周女士（1人）", "增加一路录像", "2026-12-17电话"]
    {
        assert!(zh.contains(words), "{words}\n{zh}");
    }

    let upgrade = plan(&li, with(wish(&w, "upgrade", "2026-11-19"), json!({ "agreed": true }))).await;
    assert_eq!((text(&upgrade, "/way"), &upgrade["visit_id"]), ("remote".into(), &Value::Null));
    let path = format!("/api/v1/inspections/{}/sheet", text(&upgrade, "/id"));
    let answers = json!([
        answer("upgrade.before", "4.1.3"), answer("upgrade.after", "4.2.0"), answer("upgrade.consent", "周女士"),
        { "key": "upgrade.backup", "answer": "ok" }, answer("upgrade.way_back", "restore 4.1.3 from the backup"),
    ]);
    assert_eq!(send(&li, &path, answers).await.0, 200);
    let (_, en) = report(&li, &upgrade, "en").await;
    for words in ["Upgraderecord", "4.1.3", "4.2.0", "Notfinished", "Itemswithoutananswer:3"] {
        assert!(en.contains(words), "{words}\n{en}");
    }
}

async fn each_test_of_a_sample_stands_on_its_own(engine: Engine) {
    let mut w = quiet(engine).await;
    owed(&mut w, HEAD, "").await;
    let li = w.as_person("li.wei").await;
    let one = plan(&li, wish(&w, "sample_test", "2026-11-19")).await;
    let path = format!("/api/v1/inspections/{}/sheet", text(&one, "/id"));
    let test = |key: &str, answer: &str, what: &str, wanted: &str, value: &str, note: &str| {
        json!({ "key": key, "answer": answer, "what": what, "wanted": wanted, "value": value, "note": note,
            "ticket": answer == "bad" })
    };
    let key = "sample_test.test";
    let without = test(key, "ok", "resolution", "", "620", "");
    assert_eq!(send(&li, &path, json!([without])).await.0, 400, "nobody said what was wanted");
    let third = test("sample_test.test.3", "ok", "x", "1", "1", "");
    assert_eq!(send(&li, &path, json!([third])).await.0, 404, "there is no second one yet");
    let both = json!([
        answer("sample_test.demanded", "监理 陈工"),
        test(key, "ok", "清晰度", "600 线", "620 线", ""),
        test("sample_test.test.2", "bad", "帧率", "25", "18", "低于要求"),
    ]);
    let (status, sheet) = send(&li, &path, both).await;
    assert_eq!((status, &sheet["open"], &sheet["bad"]), (200, &json!(2), &json!(1)), "{sheet}");
    let spare = item(&sheet, "sample_test.test.3", "");
    assert_eq!((&spare["spare"], &spare["answer"]), (&json!(true), &Value::Null));
    let number = item(&sheet, "sample_test.test.2", "")["answer"]["ticket_number"].as_i64().unwrap();
    let ticket = w.ticket(number).await;
    assert!(text(&ticket, "/title").contains("帧率: 低于要求"), "{ticket}");
    // The second is measured again: the later answer holds, and no third one appears.
    let again = test("sample_test.test.2", "ok", "帧率", "25", "25", "");
    let (_, sheet) = send(&li, &path, json!([again])).await;
    assert_eq!((&sheet["bad"], sheet["items"].as_array().unwrap().len()), (&json!(0), 6));
    act(&li, &one, "done", json!({ "on": "2026-11-19" })).await;
    let (pdf, zh) = report(&li, &one, "zh").await;
    for words in ["抽测报告", "监理陈工", "指标要求值实测值结果", "清晰度600线620线合格", "帧率2525合格"]
    {
        assert!(zh.contains(words), "{words}\n{zh}");
    }
    assert!(!zh.contains("再测"), "the spare row is not printed");
    let (en_pdf, en) = report(&li, &one, "en").await;
    assert!(en.contains("Sampletestreport") && en.contains("passed"), "{en}");
    super::sheet::keep("sample", &pdf, &en_pdf);
}
