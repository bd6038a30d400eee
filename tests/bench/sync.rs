//! Five hundred technicians come out of the cellar at once: each phone sends what it kept of a whole day without a network, in
//! its order and one after the other, as the page does, to the real program over HTTP. Then every phone sends the whole day
//! once more, because it did not hear the answers: nothing may be doubled.
//!
//! Measured is how long it takes until the last phone is done, beside what the disk allows: as many rows written one by one,
//! each committed, in the same run. On both databases, which keep their promises to the disk.
//! `cargo bench -p sitewarden-tests --bench sync [-- sqlite|postgres] [number of technicians]`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sitewarden_server::clock::Clock;
use sitewarden_server::config::Limits;
use sitewarden_server::user::Role;
use sitewarden_tests::client::Client;
use sitewarden_tests::database::{ENGINES, Engine, be_durable};
use sitewarden_tests::desk::PASSWORD;
use sitewarden_tests::fleet::Fleet;
use sitewarden_tests::meter::cpu_s;
use sitewarden_tests::sim::picture::jpeg;
use tokio::task::JoinSet;

const TECHNICIANS: u64 = 500;
/// Photos of a day, as small as the page makes them.
const PHOTOS: u64 = 4;
const HOUR_MS: i64 = 3_600_000;

#[tokio::main]
async fn main() {
    be_durable();
    let said: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let count = said.iter().find_map(|word| word.parse().ok()).unwrap_or(TECHNICIANS);
    let wanted = |name: &str| {
        said.iter().all(|word| word.parse::<u64>().is_ok()) || said.iter().any(|word| word == name)
    };
    for engine in ENGINES {
        let name = format!("{engine:?}").to_lowercase();
        if wanted(&name) {
            run(engine, &name, count).await;
        }
    }
}

/// The id of the nth thing of a kind that a technician's phone makes.
fn made(kind: u64, technician: u64, n: u64) -> String {
    format!("5f0e{kind:04}-0000-4000-8000-{technician:06}{n:06}")
}

async fn run(engine: Engine, name: &str, count: u64) {
    let fleet = Fleet::enrolled(engine, 1, Limits::default()).await;
    let admin = fleet.desk.nobody().sign_in("admin", PASSWORD).await;
    let sites = admin.get("/api/v1/sites").await.ok();
    let phones = prepare(&fleet, &admin, &sites["items"][0]["id"], count).await;
    let bare = bare_commits(&fleet, 500).await;
    let server = fleet.start().await;
    let picture = photo();
    let of_day = steps(0).len() as u64 + PHOTOS;
    println!(
        "{name}: {count} days of {of_day} requests, {PHOTOS} of them photos of {} kB",
        picture.len() / 1000
    );
    let rows = rows(&fleet).await;
    let (mut told, end) = (Vec::new(), Clock::System.now().as_millisecond());
    for round in ["the day", "the same day once more"] {
        let process = server.process.id().unwrap_or(0);
        let (its, began) = (cpu_s(process), Instant::now());
        let mut sending = JoinSet::new();
        for (number, phone) in phones.iter().enumerate() {
            let (url, signs) = (format!("http://{}/api/v1/visits", server.http), phone.signs());
            sending.spawn(send_day(url, signs, number as u64, end, picture.clone()));
        }
        let mut waits: Vec<Duration> = Vec::new();
        while let Some(done) = sending.join_next().await {
            waits.extend(done.expect("a phone sends its day"));
        }
        let all = began.elapsed();
        waits.sort();
        let at = |share: usize| waits.get(waits.len() * share / 100).copied().unwrap_or_default();
        let each = all.as_secs_f64() / waits.len() as f64;
        println!(
            "{name}: {round}: {} requests in {all:.1?}, {:.0} a second; half are answered in {:.0?}, 99 of 100 in {:.0?}, the last \
             in {:.0?}; {:.1} s of the server's processor",
            waits.len(),
            waits.len() as f64 / all.as_secs_f64(),
            at(50),
            at(99),
            waits.last().copied().unwrap_or_default(),
            cpu_s(process) - its,
        );
        println!(
            "{name}: {round}: {:.2} ms a request; one row written and committed takes {:.2} ms; ratio {:.1}",
            each * 1000.0,
            bare * 1000.0,
            each / bare
        );
        told.push(self::rows(&fleet).await);
    }
    assert_eq!(told[0].0 - rows.0, (of_day * count) as i64, "every step stands on its record once");
    assert_eq!(told[0].1 - rows.1, (PHOTOS * count) as i64, "every photo is kept once");
    assert_eq!(told[0], told[1], "the second time changes nothing");
}

/// Technicians with a ticket and a planned visit each.
async fn prepare(fleet: &Fleet, admin: &Client, site: &Value, count: u64) -> Vec<Client> {
    let mut phones = Vec::new();
    for number in 0..count {
        let login = format!("tech.{number:04}");
        let phone = fleet.desk.person(&login, Role::Technician, None).await;
        let me = phone.get("/api/v1/me").await.ok();
        let id = me["id"].as_str().expect("an id").to_owned();
        let new = json!({ "site_id": site, "title": "Barrier arm bent", "severity": "minor" });
        let ticket = admin.post("/api/v1/tickets", &new).await.ok();
        let visit = json!({ "ticket_id": ticket["id"], "members": [id], "purpose": "Straighten it" });
        admin.put(&format!("/api/v1/visits/{}", made(0, number, 0)), &visit).await.ok();
        phones.push(phone);
    }
    phones
}

/// A day's steps, as the phone kept them until `end`, by its clock.
fn steps(end: i64) -> Vec<Value> {
    let kept = [
        json!({ "kind": "accepted" }),
        json!({ "kind": "called", "who": "Ms Zhou", "note": "at the side gate" }),
        json!({ "kind": "departed" }),
        json!({ "kind": "arrived", "evidence": [{ "kind": "geofence", "lat": 29.93, "lon": 121.87, "accuracy_m": 12.0, "datum": "wgs84" }] }),
        json!({ "kind": "working" }),
        json!({ "kind": "written", "fields": { "symptom": "the arm does not close" } }),
        json!({ "kind": "paused", "reason": "parts", "note": "the plug is in the van" }),
        json!({ "kind": "working" }),
        json!({ "kind": "written", "fields": { "cause": "water in the plug" } }),
        json!({ "kind": "written", "fields": { "solution": "new plug" } }),
        json!({ "kind": "written", "fields": { "readings": "52.1 V" } }),
        json!({ "kind": "done" }),
        json!({ "kind": "signed", "who": "Ms Zhou" }),
    ];
    let count = kept.len() as i64;
    let mut steps = Vec::new();
    for (place, mut step) in (0..).zip(kept) {
        let at = end - HOUR_MS * 8 + HOUR_MS * 7 * place / count;
        step["source"] = "phone".into();
        step["device_at"] = at.into();
        steps.push(step);
    }
    steps
}

/// Sends a day; how long each answer took.
async fn send_day(
    url: String,
    signs: [(&'static str, String); 2],
    number: u64,
    end: i64,
    picture: Vec<u8>,
) -> Vec<Duration> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(120)).build().expect("a client");
    let visit = format!("{url}/{}", made(0, number, 0));
    let now = Clock::System.now().as_millisecond();
    let mut waits = Vec::new();
    let mut requests = Vec::new();
    for (place, mut step) in (1..).zip(steps(end)) {
        step["device_now"] = now.into();
        let one = client.put(format!("{visit}/steps/{}", made(1, number, place))).json(&step);
        // Photos are taken while somebody works.
        if step["kind"] == "done" {
            for photo in 1..=PHOTOS {
                let to = format!(
                    "{visit}/photos/{}?device_at={}&device_now={now}",
                    made(2, number, photo),
                    end - HOUR_MS * 2
                );
                requests.push(client.put(to).header("content-type", "image/jpeg").body(picture.clone()));
            }
        }
        requests.push(one);
    }
    for request in requests {
        let [(cookie, its), (csrf, token)] = &signs;
        let began = Instant::now();
        let answer = request.header(*cookie, its).header(*csrf, token).send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("all of it");
        assert!(status.is_success(), "{number}: {status}: {text}");
        waits.push(began.elapsed());
    }
    waits
}

/// Steps and photos that stand.
async fn rows(fleet: &Fleet) -> (i64, i64) {
    let mut conn = fleet.desk.app.db.read().await.expect("a connection");
    sqlx::query_as(
        "SELECT (SELECT CAST(COUNT(*) AS BIGINT) FROM visit_event WHERE kind <> 'planned'), \
         (SELECT CAST(COUNT(*) AS BIGINT) FROM visit_photo)",
    )
    .fetch_one(&mut *conn)
    .await
    .expect("counts")
}

/// How long it takes to write one row and to commit it, in seconds, one after the other.
async fn bare_commits(fleet: &Fleet, count: u32) -> f64 {
    let db = &fleet.desk.app.db;
    let mut tx = db.write().await.expect("a transaction");
    sqlx::query("CREATE TABLE bare (n BIGINT PRIMARY KEY)").execute(&mut *tx).await.expect("a table");
    tx.commit().await.expect("a commit");
    let began = Instant::now();
    for n in 0..i64::from(count) {
        let mut tx = db.write().await.expect("a transaction");
        sqlx::query("INSERT INTO bare (n) VALUES ($1)").bind(n).execute(&mut *tx).await.expect("a row");
        tx.commit().await.expect("a commit");
    }
    let each = began.elapsed().as_secs_f64() / f64::from(count);
    let mut tx = db.write().await.expect("a transaction");
    sqlx::query("DROP TABLE bare").execute(&mut *tx).await.expect("no table");
    tx.commit().await.expect("a commit");
    each
}

/// A photo as large as the page sends them.
fn photo() -> Vec<u8> {
    let mut seed = 7_u32;
    let picture = image::RgbImage::from_fn(1280, 960, |x, y| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (seed >> 29) as u8;
        image::Rgb([(x / 8) as u8 ^ noise, (y / 6) as u8 ^ noise, ((x + y) / 16) as u8])
    });
    jpeg(&picture)
}
