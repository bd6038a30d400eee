//! What people do with inspections: move one with the customer's consent, do without one, say what was looked at.

use axum::http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use sitewarden_tests::database::Engine;
use sitewarden_tests::promise::promise;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

use super::{act, away_until, kinds, line, lines, list, monthly, one, owed, quiet, refused, soon, told};

stories![
    the_customer_moves_a_day_and_no_other_moves,
    a_day_suits_on_which_somebody_is_near_anyway,
    one_that_is_waived_leaves_its_guests_to_another_visit,
    devices_that_were_looked_at_are_counted_by_the_month,
];

async fn the_customer_moves_a_day_and_no_other_moves(engine: Engine) {
    let mut w = quiet(engine).await;
    let customers = items(&w.admin.get("/api/v1/customers").await.ok());
    w.person("zhou", "customer", Some(&text(&customers[0], "/id"))).await;
    let contract = owed(&mut w, &monthly("change_notice = \"1mo\"\n"), "2026-12-01").await;
    let first = one(&w, &contract, "m", 1).await;
    assert_eq!(text(&first, "/tell_by"), "2026-11-01");
    let (li, zhou) = (w.as_person("li.wei").await, w.as_person("zhou").await);
    let to = |day: &str| json!({ "day": day, "by": "Ms Zhou", "evidence": "mail", "reason": "stocktaking" });
    assert_eq!(refused(&li, &first, "move", json!({ "day": "2026-12-08" })).await, "bad_request");
    assert_eq!(refused(&li, &first, "move", to("2026-11-01")).await, "bad_request");
    let moved = act(&li, &first, "move", to("2026-12-08")).await;
    assert_eq!(
        (text(&moved, "/state"), text(&moved, "/day"), text(&moved, "/planned")),
        ("moved".into(), "2026-12-08".into(), "2026-12-01".into())
    );
    let event = moved["events"].as_array().unwrap().last().unwrap();
    // Told later than the contract allows: written down, not refused.
    assert_eq!((&event["body"]["was"], &event["body"]["late_notice"]), (&json!("2026-12-01"), &json!(true)));
    // Her own word needs no other proof; the visit stays the same one.
    let again = act(&zhou, &first, "move", json!({ "day": "2026-12-15" })).await;
    assert_eq!((&again["visit_id"], &again["ticket_number"]), (&moved["visit_id"], &moved["ticket_number"]));
    let event = again["events"].as_array().unwrap().last().unwrap();
    assert_eq!((text(event, "/body/by"), text(event, "/body/evidence")), ("zhou".into(), "account".into()));
    let visit = w.admin.get(&format!("/api/v1/visits/{}", text(&again, "/visit_id"))).await.ok();
    assert_eq!(visit["planned_at"], "2026-12-15T01:00:00Z".parse::<Timestamp>().unwrap().as_millisecond());
    let waiver = json!({ "by": "Ms Zhou", "evidence": "mail", "reason": "closed anyway" });
    assert_eq!(refused(&li, &first, "waive", waiver).await, "has_visit");
    let all = lines(&w, &contract).await;
    assert_eq!(
        all,
        [
            "m 1 moved 2026-12-15 (2026-12-01 to 2026-12-31)",
            "m 2 due 2027-01-01 (2027-01-01 to 2027-01-31)",
            "m 3 due 2027-02-01 (2027-02-01 to 2027-02-28)",
        ]
    );
    away_until(&mut w, "2026-12-10T02:00:00Z").await;
    assert_eq!(lines(&w, &contract).await[0], all[0]);

    // Nobody came: it is missed when its month is over, and may still be made good.
    away_until(&mut w, "2027-01-04T02:00:00Z").await;
    assert_eq!(text(&one(&w, &contract, "m", 1).await, "/state"), "missed");
    let li = w.as_person("li.wei").await;
    let late = act(&li, &first, "done", json!({ "on": "2027-01-04", "note": "after the stocktaking" })).await;
    assert_eq!(
        (text(&late, "/state"), &late["late"], text(&late, "/done_on")),
        ("done".into(), &json!(true), "2027-01-04".into())
    );
    assert_eq!(kinds(&late)[..], ["planned", "proposed", "moved", "moved", "missed", "done"]);
}

async fn a_day_suits_on_which_somebody_is_near_anyway(engine: Engine) {
    let mut w = quiet(engine).await;
    w.person("wang.min", "technician", None).await;
    let customer = text(&items(&w.admin.get("/api/v1/customers").await.ok())[0], "/id");
    w.site(&customer, "South Gate", "南门站").await;
    w.site(&customer, "Island", "海岛站").await;
    let place = async |w: &World, site: &str, lat: f64| {
        let at = json!({ "lat": lat, "lon": 113.571, "datum": "wgs84" });
        let site = format!("/api/v1/sites/{}", w.site_id(site));
        w.admin.send(Method::PATCH, &site, Some(&at)).await.ok();
    };
    let north = owed(
        &mut w,
        &monthly("calendar = \"week\"\n[calendar.week]\nworkdays = [\"09:00-17:00\"]\n"),
        "2026-12-01",
    )
    .await;
    let first = one(&w, &north, "m", 1).await;
    let days = async |w: &World| {
        let told = w.admin.get(&format!("/api/v1/inspections/{}/days", text(&first, "/id"))).await.ok();
        let line = |day: &Value| {
            let near: Vec<String> = day["near"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| format!("{} {} {}", text(one, "/site_name"), one["km"], text(one, "/what")))
                .collect();
            format!("{} {} [{}]", text(day, "/day"), day["visits"], near.join(", "))
        };
        (told["placed"] == true, told["technicians"] == 1, items(&told).iter().map(line).collect::<Vec<_>>())
    };
    // Nothing else is planned: the day that stands, then those around it that are worked.
    let plain =
        ["2026-12-01 0 []", "2026-12-02 0 []", "2026-12-03 0 []", "2026-12-04 0 []", "2026-12-07 0 []"];
    assert_eq!(days(&w).await, (false, true, plain.map(str::to_owned).to_vec()));

    // Others are agreed: the one near by draws, the one far away does not, and the days of both are busier.
    for (site, lat) in [("North Gate", 22.27), ("South Gate", 22.18), ("Island", 21.27)] {
        place(&w, site, lat).await;
    }
    let li = w.as_person("li.wei").await;
    for (site, on) in [("South Gate", "2026-12-09"), ("Island", "2026-12-01")] {
        let contract = promise(&w.app, &customer, &w.site_id(site), &monthly(""), w.now()).await;
        soon(&mut w).await;
        let body = json!({ "contract_id": contract, "site_id": w.site_id(site), "event": "commissioned", "day": "2026-12-01" });
        w.admin.put("/api/v1/inspections/anchors", &body).await.ok();
        let other = one(&w, &contract, "m", 1).await;
        let to = json!({ "day": on, "by": "Ms Zhou", "evidence": "mail", "reason": "" });
        act(&li, &other, "move", to).await;
    }
    let drawn = [
        "2026-12-09 1 [South Gate 10.0 visit]",
        "2026-12-02 0 []",
        "2026-12-03 0 []",
        "2026-12-04 0 []",
        "2026-12-07 0 []",
    ];
    assert_eq!(days(&w).await, (true, true, drawn.map(str::to_owned).to_vec()));
    // Saturdays and Sundays are not worked, and a closed site is not visited.
    let shut = json!({ "from": "2026-12-09", "to": "2026-12-09", "reason": "stocktaking" });
    w.admin.post(&format!("/api/v1/sites/{}/closures", w.site_id("North Gate")), &shut).await.ok();
    assert_eq!(days(&w).await.2[0], "2026-12-02 0 []");
}

async fn one_that_is_waived_leaves_its_guests_to_another_visit(engine: Engine) {
    let mut w = quiet(engine).await;
    let rules = monthly("[[inspect]]\nname = \"q\"\nfrom = \"commissioned\"\nevery = \"3mo\"\n");
    let contract = owed(&mut w, &rules, "2026-12-01").await;
    let li = w.as_person("li.wei").await;
    let host = one(&w, &contract, "m", 3).await;
    let waiver = json!({ "by": "Ms Zhou", "evidence": "mail", "reason": "the building is empty" });
    assert_eq!(
        refused(&li, &host, "waive", json!({ "by": "Ms Zhou", "evidence": "mail" })).await,
        "bad_request"
    );
    let waived = act(&li, &host, "waive", waiver.clone()).await;
    let event = waived["events"].as_array().unwrap().last().unwrap();
    assert_eq!((text(&waived, "/state"), text(event, "/body/approver")), ("waived".into(), "li.wei".into()));
    let quarter = one(&w, &contract, "q", 1).await;
    assert_eq!((text(&quarter, "/state"), text(&quarter, "/day")), ("merged".into(), "2026-12-01".into()));
    // Without any visit left in its quarter it has one of its own.
    for n in [1, 2] {
        act(&li, &one(&w, &contract, "m", n).await, "waive", waiver.clone()).await;
    }
    let quarter = one(&w, &contract, "q", 1).await;
    assert_eq!(line(&quarter), "q 1 proposed 2026-12-01 (2026-12-01 to 2027-02-28)");
    let story = told(&w, &quarter).await;
    assert_eq!(kinds(&story), ["planned", "merged", "merged", "merged", "apart", "proposed"]);
    // The contract ends: what nobody agreed to is owed no more, and what was said stays.
    let mut tx = w.app.db.write().await.unwrap();
    let ended = sitewarden_server::contract::life::Life::Ended;
    sitewarden_server::contract::store::set_state(&mut tx, &contract, ended, w.now()).await.unwrap();
    tx.commit().await.unwrap();
    soon(&mut w).await;
    let states: Vec<String> =
        list(&w, &format!("?contract_id={contract}")).await.iter().map(|one| text(one, "/state")).collect();
    assert_eq!(states, ["waived", "waived", "waived"]);
}

async fn devices_that_were_looked_at_are_counted_by_the_month(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    w.device("North Gate", "cam-4").await;
    let contract = owed(&mut w, &monthly(""), "2026-11-19").await;
    let li = w.as_person("li.wei").await;
    let first = one(&w, &contract, "m", 1).await;
    let count = async || -> Value {
        let told = w.admin.get("/api/v1/inspections/coverage?month=2026-11").await.ok();
        let row = &items(&told)[0];
        json!([row["devices"], row["checked"], row["unknown"], row["done"], row["unstated"]])
    };
    assert_eq!(count().await, json!([2, 0, 0, 0, 0]));
    let cam = json!({ "devices": [w.device_id("cam-3")] });
    assert_eq!(refused(&li, &first, "devices", cam.clone()).await, "not_done");
    assert_eq!(refused(&li, &first, "done", json!({ "on": "2026-11-20" })).await, "bad_request");
    act(&li, &first, "done", json!({ "on": "2026-11-19" })).await;
    // Done without a word on devices: nobody knows which were looked at.
    assert_eq!(count().await, json!([2, 0, 0, 1, 1]));
    let some = act(&li, &first, "devices", cam).await;
    assert_eq!(some["devices"], 1);
    assert_eq!(count().await, json!([2, 1, 0, 1, 0]));
    act(&li, &first, "devices", json!({})).await;
    assert_eq!(count().await, json!([2, 2, 0, 1, 0]));
    assert_eq!(w.admin.get("/api/v1/inspections/coverage?month=2026-13").await.status.as_u16(), 400);
}
