//! The life of a contract: written down, accepted when the customer's file is complete, in service, written anew, over.
//! Two who write at once do not write over each other, another customer sees nothing, and what cannot be used is
//! refused with everything that is wrong with it.

use axum::http::Method;
use serde_json::{Value, json};
use sitewarden_server::contract::template;
use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

stories![
    a_contract_lives_from_its_registration_to_its_end,
    the_second_who_saves_is_told_who_was_first,
    another_customer_sees_nothing_of_it,
    what_cannot_be_used_is_refused_with_all_that_is_wrong,
    a_text_is_asked_without_being_kept,
    the_sites_lie_in_zones_that_the_contract_has,
    calendars_show_holidays_make_up_days_and_what_is_not_known,
    the_end_of_a_contract_is_announced_once_and_in_time,
];

const HOUR: i64 = 3_600_000;

/// A contract over working days, in zones, that needs a form before it is accepted.
fn document(number: &str, more: &str) -> String {
    let text =
        template::find("regional").unwrap().text.replace("id = \"regional\"", &format!("id = \"{number}\""));
    let head = "zone = \"Asia/Shanghai\"\n";
    let term = format!("{head}begins = \"2026-11-01\"\nends = \"2027-10-31\"\n");
    let life =
        "\n[life]\naccepted_needs = [\"customer_file\", \"completion_form\"]\nrenewal_reminder = \"2mo\"\n";
    text.replacen(head, &term, 1) + life + more
}

async fn register(w: &World, customer: &str, text_of: &str) -> Value {
    let new = json!({ "customer_id": customer, "text": text_of,
        "sites": [{ "site_id": w.site_id("North Gate"), "zone": "city" }] });
    w.admin.post("/api/v1/contracts", &new).await.ok()
}

async fn customer_of(w: &World, site: &str) -> String {
    text(&w.admin.get(&format!("/api/v1/sites/{}", w.site_id(site))).await.ok(), "/customer_id")
}

fn steps(contract: &Value) -> Vec<String> {
    let record = contract["record"].as_array().unwrap();
    record.iter().rev().map(|step| text(step, "/kind")).collect()
}

fn lacks(answer: &Value) -> Vec<String> {
    answer["lacks"].as_array().unwrap().iter().map(|lack| text(lack, "/code")).collect()
}

async fn a_contract_lives_from_its_registration_to_its_end(engine: Engine) {
    let mut w = World::usual(engine).await;
    let customer = customer_of(&w, "North Gate").await;
    let made = register(&w, &customer, &document("HT-2026-001", "")).await;
    let path = format!("/api/v1/contracts/{}", text(&made, "/id"));
    let ask = |step: &str| format!("{path}/{step}");
    assert_eq!((text(&made, "/state"), text(&made, "/number")), ("registered".into(), "HT-2026-001".into()));
    assert_eq!((text(&made, "/begins"), text(&made, "/ends")), ("2026-11-01".into(), "2027-10-31".into()));
    // The first day in Shanghai, and two months before the last one at nine there.
    assert_eq!(made["versions"][0]["valid_from"], 1_793_462_400_000_i64);
    assert_eq!(made["remind_at"], 1_819_674_000_000_i64);
    assert_eq!(lacks(&made), ["address", "contact", "devices"]);

    // Everything that is lacking is said at once, and nothing is half accepted.
    let acceptance = json!({ "accepted_on": "2026-11-10", "documents": [] });
    let refused = w.admin.post(&ask("accept"), &acceptance).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "file_incomplete".into()));
    assert_eq!(lacks(&refused.json()), ["address", "contact", "devices", "document"]);
    assert!(refused.text.contains("completion_form") && refused.text.contains("站点"), "{}", refused.text);
    assert_eq!(w.admin.post(&ask("serve"), &json!({})).await.status.as_u16(), 409);
    assert_eq!(w.admin.get(&path).await.ok()["state"], "registered");

    let site = format!("/api/v1/sites/{}", w.site_id("North Gate"));
    let change =
        json!({ "address": "1 Gate Road", "contact_name": "Zhao", "contact_phone": "+86 10 5555 0101" });
    w.admin.send(Method::PATCH, &site, Some(&change)).await.ok();
    w.device("North Gate", "cam-3").await;
    let form = json!([{ "kind": "completion_form", "number": "WG-17" }]);
    let ahead = json!({ "accepted_on": "2027-01-01", "documents": form });
    assert!(w.admin.post(&ask("accept"), &ahead).await.text.contains("lies ahead"));
    let acceptance = json!({ "accepted_on": "2026-11-10", "documents": form });
    let accepted = w.admin.post(&ask("accept"), &acceptance).await.ok();
    assert_eq!((text(&accepted, "/state"), lacks(&accepted)), ("accepted".into(), vec![]));
    assert_eq!(text(&accepted, "/record/0/detail/documents/0/number"), "WG-17");
    // What was complete then must be so still.
    let gone = json!({ "contact_phone": "" });
    w.admin.send(Method::PATCH, &site, Some(&gone)).await.ok();
    let refused = w.admin.post(&ask("serve"), &json!({})).await;
    assert_eq!(
        (refused.code(), lacks(&refused.json())),
        ("file_incomplete".into(), vec!["contact".to_owned()])
    );
    assert_eq!(w.admin.get(&path).await.ok()["state"], "accepted");
    w.admin.send(Method::PATCH, &site, Some(&change)).await.ok();
    let served = w.admin.post(&ask("serve"), &json!({})).await.ok();
    assert_eq!((text(&served, "/state"), &served["in_force"]), ("in_service".into(), &json!(1)));

    // A new version: the one before stays as it was, and says what it said until the new one holds.
    let later = w.now().as_millisecond() + 2 * HOUR;
    let shorter = document("HT-2026-001", "").replacen("target = \"4h\"", "target = \"2h\"", 1);
    let new = json!({ "text": shorter, "base": 1, "valid_from": later, "note": "agreed on the telephone" });
    let saved = w.admin.post(&ask("versions"), &new).await.ok();
    assert_eq!((&saved["version"], &saved["in_force"]), (&json!(2), &json!(1)));
    let past = json!({ "text": shorter, "base": 2, "valid_from": later - 3 * HOUR, "note": "earlier" });
    assert!(w.admin.post(&ask("versions"), &past).await.text.contains("it has passed"));
    let difference = items(&w.admin.get(&ask("difference?before=1&after=2")).await.ok());
    let changed: Vec<(String, String)> = difference
        .iter()
        .map(|row| (text(row, "/kind"), text(row, "/text")))
        .filter(|row| row.0 == "in" || row.0 == "out")
        .collect();
    let row = |kind: &str, words: &str| (kind.to_owned(), words.to_owned());
    assert_eq!(changed, [row("out", "target = \"4h\""), row("in", "target = \"2h\"")]);
    let first = w.admin.get(&ask("versions/1")).await.ok();
    assert_eq!(text(&first, "/text"), document("HT-2026-001", ""));
    assert_eq!(w.admin.get(&ask("versions/3")).await.status.as_u16(), 404);
    w.app.clock.set(w.now() + jiff::SignedDuration::from_hours(3));
    assert_eq!(w.admin.get(&path).await.ok()["in_force"], 2);

    w.restart_server().await;
    let ended = w.admin.post(&ask("end"), &json!({ "reason": "renewed as HT-2027-004" })).await.ok();
    assert_eq!(text(&ended, "/state"), "ended");
    assert_eq!(
        steps(&ended),
        ["registered", "sites", "accepted", "in_service", "version", "ended"],
        "every step is on the record"
    );
    let reason = json!({ "reason": "again" });
    for (step, body) in
        [("end", &reason), ("withdraw", &reason), ("serve", &json!({})), ("accept", &acceptance)]
    {
        assert_eq!(w.admin.post(&ask(step), body).await.status.as_u16(), 409, "{step}");
    }
    let late = json!({ "text": shorter, "base": 2, "note": "too late" });
    assert!(w.admin.post(&ask("versions"), &late).await.text.contains("has ended"));
    let audit = items(&w.admin.get("/api/v1/audit").await.ok());
    let acts: Vec<String> = audit.iter().map(|entry| text(entry, "/action")).collect();
    for act in ["contract.register", "contract.accept", "contract.serve", "contract.save", "contract.end"] {
        assert!(acts.iter().any(|done| done == act), "{act}: {acts:?}");
    }
}

async fn the_second_who_saves_is_told_who_was_first(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.person("zhou.min", "administrator", None).await;
    let other = w.as_person("zhou.min").await;
    let customer = customer_of(&w, "North Gate").await;
    let made = register(&w, &customer, &document("HT-1", "")).await;
    let path = format!("/api/v1/contracts/{}/versions", text(&made, "/id"));
    let save =
        |note: &str| json!({ "text": document("HT-1", &format!("# {note}\n")), "base": 1, "note": note });
    other.post(&path, &save("mine first")).await.ok();
    let refused = w.admin.post(&path, &save("over it")).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "saved_over".into()));
    assert!(refused.text.contains("version 2 was saved by zhou.min"), "{}", refused.text);
    let stands = w.admin.get(path.trim_end_matches("/versions")).await.ok();
    assert_eq!((&stands["version"], stands["versions"].as_array().unwrap().len()), (&json!(2), 2));
    assert!(text(&stands, "/text").ends_with("# mine first\n"), "nothing was written over");
    // From the version that stands now it goes.
    let mut again = save("on top");
    again["base"] = json!(2);
    assert_eq!(w.admin.post(&path, &again).await.ok()["version"], 3);
    // Both at the same moment: one of them is first, the other is told.
    let (mut one, mut two) = (save("at once"), save("at once too"));
    (one["base"], two["base"]) = (json!(3), json!(3));
    let (one, two) = tokio::join!(w.admin.post(&path, &one), other.post(&path, &two));
    let mut both = [one.status.as_u16(), two.status.as_u16()];
    both.sort_unstable();
    assert_eq!(both, [201, 409]);
}

async fn another_customer_sees_nothing_of_it(engine: Engine) {
    let mut w = World::usual(engine).await;
    let own = customer_of(&w, "North Gate").await;
    let foreign = w.customer("Airport Road").await;
    w.person("boss.harbour", "customer", Some(&own)).await;
    w.person("boss.airport", "customer", Some(&foreign)).await;
    let (harbour, airport) = (w.as_person("boss.harbour").await, w.as_person("boss.airport").await);
    let made = register(&w, &own, &document("HT-1", "")).await;
    let supplier = template::find("supplier").unwrap().text;
    let owed = json!({ "customer_id": own, "text": supplier });
    let owed = text(&w.admin.post("/api/v1/contracts", &owed).await.ok(), "/id");
    let id = text(&made, "/id");
    let path = format!("/api/v1/contracts/{id}");
    let all = ["", "/versions/1", "/difference?before=1&after=1"].map(|end| format!("{path}{end}"));
    // Neither sees it while it is being written.
    for customer in [&harbour, &airport] {
        assert_eq!(items(&customer.get("/api/v1/contracts").await.ok()).len(), 0);
        for path in &all {
            assert_eq!(customer.get(path).await.status.as_u16(), 404, "{path}");
        }
    }
    for (id, state) in [(&id, "accepted"), (&owed, "accepted")] {
        let mut tx = w.app.db.write().await.unwrap();
        let state = sitewarden_server::contract::life::Life::parse(state).unwrap();
        sitewarden_server::contract::store::set_state(&mut tx, id, state, w.now()).await.unwrap();
        tx.commit().await.unwrap();
    }
    let seen = items(&harbour.get("/api/v1/contracts").await.ok());
    assert_eq!(
        seen.iter().map(|one| text(one, "/id")).collect::<Vec<_>>(),
        [id],
        "not what a supplier owes us"
    );
    for path in &all {
        harbour.get(path).await.ok();
        assert_eq!(airport.get(path).await.status.as_u16(), 404, "{path}");
    }
    assert_eq!(harbour.get(&format!("/api/v1/contracts/{owed}")).await.status.as_u16(), 404);
    assert_eq!(items(&airport.get("/api/v1/contracts").await.ok()).len(), 0);
    assert_eq!(items(&airport.get("/api/v1/calendars").await.ok()).len(), 0);
    let calendars = items(&harbour.get("/api/v1/calendars").await.ok());
    assert_eq!(calendars.len(), 1);
    // A contract covers its own customer's sites only.
    let theirs = w.site(&foreign, "Airport Road", "机场路").await;
    let steal = json!({ "sites": [{ "site_id": theirs, "zone": "city" }] });
    let refused = w.admin.put(&format!("{path}/sites"), &steal).await;
    assert!(
        refused.status.as_u16() == 404 && refused.text.contains("site of this customer"),
        "{}",
        refused.text
    );
}

async fn what_cannot_be_used_is_refused_with_all_that_is_wrong(engine: Engine) {
    let w = World::usual(engine).await;
    let customer = customer_of(&w, "North Gate").await;
    let wrong = document("HT-1", "").replacen("target = \"4h\"", "target = \"24天\"", 1).replacen(
        "event = \"acceptance\"",
        "event = \"acceptence\"",
        1,
    ) + "[parts]\nfree_within = \"200.00\"\n[csat]\nscael = 5\n";
    let new = json!({ "customer_id": customer, "text": wrong });
    let refused = w.admin.post("/api/v1/contracts", &new).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (422, "contract_refused".into()));
    let told = refused.json();
    assert_eq!(told["error"]["message"], "the contract has 3 errors and 1 open question");
    let remarks = told["check"]["remarks"].as_array().unwrap();
    let codes: Vec<String> = remarks
        .iter()
        .filter(|remark| remark["weight"] != "decided")
        .map(|remark| text(remark, "/code"))
        .collect();
    assert_eq!(codes, ["target.form", "word", "parts.boundary", "unknown_key"]);
    let days = remarks.iter().find(|remark| remark["code"] == "target.form").unwrap();
    assert_eq!(days["column"], 10);
    assert!(
        text(days, "/remedy/zh").contains("小时") || text(days, "/problem/zh").contains("小时"),
        "{days}"
    );
    assert_eq!(items(&w.admin.get("/api/v1/contracts").await.ok()).len(), 0, "nothing was kept");
    // Half a mebibyte is the most that is read; eight are not even taken.
    let long = document("HT-1", &"# a comment that goes on\n".repeat(22_000));
    let refused = w.admin.post("/api/v1/contracts", &json!({ "customer_id": customer, "text": long })).await;
    assert_eq!(refused.status.as_u16(), 422);
    assert!(
        refused.text.contains("larger than 512 KiB") && refused.text.contains("512 KiB"),
        "{}",
        refused.text
    );
    let huge = json!({ "customer_id": customer, "text": "x".repeat(8 << 20) });
    let refused = w.admin.post("/api/v1/contracts", &huge).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (413, "too_large".into()));
    assert!(refused.text.contains("one mebibyte at most"), "{}", refused.text);
    // However much is wrong, the answer ends.
    let torn: String = (0..20_000).map(|number| format!("key{number} = 1\n")).collect::<Vec<_>>().concat();
    let checked = w.admin.post("/api/v1/contracts/check", &json!({ "text": torn })).await.ok();
    let remarks = checked["remarks"].as_array().unwrap();
    assert!(
        remarks.len() < 320 && remarks.iter().any(|remark| remark["code"] == "many"),
        "{}",
        remarks.len()
    );
}

async fn a_text_is_asked_without_being_kept(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.person("wang.min", "technician", None).await;
    let support = w.as_person("wang.min").await;
    let heads = items(&support.get("/api/v1/contracts/templates").await.ok());
    assert_eq!(heads.len(), 20);
    for head in &heads {
        let path = format!("/api/v1/contracts/templates/{}", text(head, "/name"));
        let body = json!({ "text": text(&support.get(&path).await.ok(), "/text") });
        let checked = support.post("/api/v1/contracts/check", &body).await.ok();
        assert_eq!(checked["verdict"], "usable", "{head}");
        assert!(!text(head, "/about").is_empty() && !text(head, "/title").is_empty(), "{head}");
    }
    // Friday 22:40 before the Spring Festival: Saturday is worked, then nothing until the 24th.
    let text_of = template::find("regional").unwrap().text;
    let ask = |zone: &str| json!({ "text": text_of, "at": "2026-02-13T22:40", "zone": zone });
    let told = support.post("/api/v1/contracts/preview", &ask("province")).await.ok();
    let due = |name: &str| {
        let promises = told["promises"].as_array().unwrap();
        promises.iter().find(|promise| promise["clock"] == name).unwrap().clone()
    };
    assert_eq!(due("respond")["due_at"], 1_771_048_800_000_i64, "Saturday 14:00");
    assert_eq!(due("arrive")["due_at"], 1_771_927_200_000_i64, "Tuesday 24 February 18:00");
    let ledger = due("respond")["ledger"].as_array().unwrap().clone();
    let whys: Vec<String> = ledger.iter().map(|entry| text(entry, "/why")).collect();
    assert_eq!(
        whys,
        ["closed", "working", "closed", "working"],
        "the night, the morning, lunch, half an hour"
    );
    assert_eq!(ledger.iter().map(|entry| entry["counted_s"].as_i64().unwrap()).sum::<i64>(), 14_400);
    let open = support.post("/api/v1/contracts/preview", &ask("")).await.ok();
    assert!(open.to_string().contains("choose one"), "{open}");
    let lost = support.post("/api/v1/contracts/preview", &ask("moon")).await;
    assert!(lost.status.as_u16() == 400 && lost.text.contains("city, province"), "{}", lost.text);

    let per_visit = template::find("per-visit").unwrap().text;
    let lines = json!({ "text": per_visit, "lines": [{ "item": "nothing" }] });
    let quote = support.post("/api/v1/contracts/quote", &lines).await.ok();
    assert_eq!((&quote["open"], &quote["charges"][0]["amount_fen"]), (&json!(true), &Value::Null));
    let wrong = json!({ "text": per_visit, "lines": [{ "item": "a", "time": "two hours" }] });
    let wrong = support.post("/api/v1/contracts/quote", &wrong).await;
    assert!(wrong.status.as_u16() == 400 && wrong.text.contains("2h30m"), "{}", wrong.text);
    assert_eq!(items(&w.admin.get("/api/v1/contracts").await.ok()).len(), 0);
}

async fn the_sites_lie_in_zones_that_the_contract_has(engine: Engine) {
    let mut w = World::usual(engine).await;
    let customer = customer_of(&w, "North Gate").await;
    w.site(&customer, "South Gate", "南门站").await;
    let made = register(&w, &customer, &document("HT-1", "")).await;
    let path = format!("/api/v1/contracts/{}", text(&made, "/id"));
    let cover = |zone: &str| {
        json!({ "sites": [{ "site_id": w.site_id("North Gate"), "zone": "city" },
            { "site_id": w.site_id("South Gate"), "zone": zone }] })
    };
    let refused = w.admin.put(&format!("{path}/sites"), &cover("suburb")).await;
    assert!(refused.status.as_u16() == 400 && refused.text.contains("city, province"), "{}", refused.text);
    let covered = w.admin.put(&format!("{path}/sites"), &cover("province")).await.ok();
    assert_eq!((covered["covered"].as_array().unwrap().len(), &covered["sites"]), (2, &json!(2)));
    // A version that forgets a zone in which a site lies would leave that site without a promise.
    let renamed = document("HT-1", "").replace("province", "countryside");
    let new = json!({ "text": renamed, "base": 1, "note": "other words" });
    let refused = w.admin.post(&format!("{path}/versions"), &new).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "zone_in_use".into()));
    assert!(refused.text.contains("South Gate lies in the zone `province`"), "{}", refused.text);
    assert_eq!(w.admin.get(&path).await.ok()["version"], 1);
}

async fn calendars_show_holidays_make_up_days_and_what_is_not_known(engine: Engine) {
    let mut w = World::usual(engine).await;
    let customer = customer_of(&w, "North Gate").await;
    let made = register(&w, &customer, &document("HT-1", "")).await;
    let days = async |more: &str| w.admin.get(&format!("/api/v1/calendars/days?{more}")).await;
    let told = days("from=2026-02-13&to=2026-02-28").await.ok();
    let day = |told: &Value, date: &str| {
        told["days"].as_array().unwrap().iter().find(|day| day["date"] == date).unwrap().clone()
    };
    assert_eq!(day(&told, "2026-02-14")["public"], "make_up");
    assert_eq!(day(&told, "2026-02-17")["public"], "holiday");
    assert_eq!(day(&told, "2026-02-23")["public"], "day_off");
    assert_eq!(day(&told, "2026-02-13")["public"], "");
    assert!(!text(&day(&told, "2026-02-17"), "/name_zh").is_empty());
    let until = text(&told, "/known_until");
    let next = days("from=2027-02-01&to=2027-02-02").await.ok();
    assert!(until.starts_with("2026-") && next["days"][0]["provisional"] == true, "{until}");

    let own = format!("contract_id={}&calendar=work", text(&made, "/id"));
    let told =
        days(&format!("{own}&from=2026-02-13&to=2026-02-28&site_id={}", w.site_id("North Gate"))).await.ok();
    let hours = json!(["08:30-12:00", "13:30-18:00"]);
    assert_eq!((&told["time_zone"], &told["has_hours"]), (&json!("Asia/Shanghai"), &json!(true)));
    assert_eq!(day(&told, "2026-02-14")["spans"], hours, "a Saturday that is worked");
    assert_eq!(day(&told, "2026-02-17")["spans"], json!([]));
    let lost =
        days(&format!("contract_id={}&calendar=nights&from=2026-02-13&to=2026-02-13", text(&made, "/id")))
            .await;
    assert!(lost.status.as_u16() == 404 && lost.text.contains("it has: work"), "{}", lost.text);
    let long = days("from=2026-01-01&to=2036-01-01").await;
    assert!(long.status.as_u16() == 400 && long.text.contains("400 days"), "{}", long.text);
    let listed = items(&w.admin.get("/api/v1/calendars").await.ok());
    assert_eq!(listed.len(), 1);
    assert_eq!(text(&listed[0], "/sites/0/name"), "North Gate");
    w.forward_seconds(5).await;
}

async fn the_end_of_a_contract_is_announced_once_and_in_time(engine: Engine) {
    let mut w = World::new(engine).await;
    let customer = w.customer("Harbour Office").await;
    w.site(&customer, "North Gate", "北门站").await;
    w.person("li.wei", "noc", None).await;
    w.duty("li.wei", None).await;
    let site = format!("/api/v1/sites/{}", w.site_id("North Gate"));
    let change =
        json!({ "address": "1 Gate Road", "contact_name": "Zhao", "contact_phone": "+86 10 5555 0101" });
    w.admin.send(Method::PATCH, &site, Some(&change)).await.ok();
    // Two months before 19 January is today; it is three in the morning.
    let works = "\n[scope]\nwork_items = [\"upkeep\"]\n";
    let ends = document("HT-1", works)
        .replace("2027-10-31", "2027-01-19")
        .replace("\"completion_form\"", "\"customer_file\"");
    let made = register(&w, &customer, &ends).await;
    let path = format!("/api/v1/contracts/{}", text(&made, "/id"));
    w.admin.post(&format!("{path}/accept"), &json!({ "accepted_on": "2026-11-10" })).await.ok();
    let nine: jiff::Timestamp = "2026-11-19T01:00:00Z".parse().unwrap();
    // Before it is in service nobody is told.
    w.app.clock.set(nine + jiff::SignedDuration::from_mins(5));
    w.settle().await;
    w.pager.expect_nothing_else();
    assert_eq!(w.tickets().await.len(), 0);
    w.admin.post(&format!("{path}/serve"), &json!({})).await.ok();
    w.settle().await;
    let titles = async |w: &World| {
        let tickets = w.tickets().await;
        tickets.iter().map(|ticket| text(ticket, "/title")).collect::<Vec<_>>()
    };
    let found = titles(&w).await;
    assert!(
        found.len() == 1 && found[0].starts_with("HT-1 ") && found[0].contains("2027-01-19"),
        "{found:?}"
    );
    // It lies in the list of tickets; it wakes nobody, and no clock runs on it.
    assert_eq!(w.story(1001).await, ["renewal_due", "not_paged"]);
    w.restart_server().await;
    w.forward_minutes(2).await;
    let told = w.admin.get(&path).await.ok();
    assert_eq!(
        (text(&told, "/record/0/kind"), &told["record"][0]["detail"]["ticket"]),
        ("renewal".into(), &json!(1001))
    );
    // A version that ends on the same day announces nothing again; one that ends earlier does, at once where it is late.
    let save = |base: i64, text_of: &str| json!({ "text": text_of, "base": base, "note": "another end" });
    let versions = format!("{path}/versions");
    w.admin.post(&versions, &save(1, &format!("{ends}# again\n"))).await.ok();
    w.forward_minutes(2).await;
    assert_eq!(titles(&w).await.len(), 1);
    w.admin.post(&versions, &save(2, &ends.replace("2027-01-19", "2026-12-19"))).await.ok();
    w.settle().await;
    assert_eq!(titles(&w).await.len(), 2);
    w.admin.post(&format!("{path}/end"), &json!({ "reason": "not renewed" })).await.ok();
    w.forward_minutes(2).await;
    assert_eq!(titles(&w).await.len(), 2);
}
