//! kill -9 at each point between the decision to page somebody and the record of the provider's answer: every page
//! arrives at least once, what arrives again says so and carries the same key, and none is lost.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sitewarden_server::page::store::send as store;
use sitewarden_tests::database::Engine;
use sitewarden_tests::pager::Received;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

stories![
    before_the_decision_is_committed,
    after_the_decision_is_committed,
    after_the_page_is_claimed,
    after_the_request_before_the_answer,
    after_the_answer_before_its_record,
    several_pages_in_one_message_before_their_record,
    ten_kills_anywhere_lose_nothing,
];

/// The usual world, a moment before the server pages somebody about a camera.
async fn about_to_page(engine: Engine) -> World {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    w.device_goes_down("cam-3");
    w.until_a_page().await;
    w.pager.expect_nothing_else();
    w
}

fn is_repeat(page: &Received) -> bool {
    page.word("/repeat") == "true"
}

/// The one page came once and is no repeat; so does the end.
async fn once_and_to_the_end(mut w: World) {
    w.forward_minutes(5).await;
    let page = w.pager.expect("li.wei", &["#1001", "cam-3"]);
    assert!(!is_repeat(&page), "{page:?}");
    w.device_comes_back("cam-3");
    w.forward_minutes(5).await;
    assert!(!is_repeat(&w.pager.expect("li.wei", &["#1001", "over"])));
}

async fn before_the_decision_is_committed(engine: Engine) {
    let mut w = about_to_page(engine).await;
    // To get here the decision was made and taken back already.
    w.restart_server().await;
    once_and_to_the_end(w).await;
}

async fn after_the_decision_is_committed(engine: Engine) {
    let mut w = about_to_page(engine).await;
    w.decide_only().await;
    assert_eq!(w.story(1001).await, ["opened", "page_queued"]);
    w.restart_server().await;
    once_and_to_the_end(w).await;
}

async fn after_the_page_is_claimed(engine: Engine) {
    let mut w = about_to_page(engine).await;
    w.decide_only().await;
    let mut tx = w.app.db.write().await.unwrap();
    let claimed = store::claim(&mut tx, w.app.db.engine(), w.now(), 32).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(claimed.len(), 1);
    w.restart_server().await;
    w.forward_seconds(50).await;
    w.pager.expect_nothing_else();
    w.forward_seconds(20).await;
    // Nobody knows whether it was sent, so it says that it may have been.
    let page = w.pager.expect("li.wei", &["#1001"]);
    assert!(is_repeat(&page) && page.word("/key") == claimed[0].idem_key, "{page:?}");
    assert!(page.word("/text").contains("You may have received this message before"), "{page:?}");
    w.forward_minutes(10).await;
}

/// It came, and came again after the claim ran out, as a repeat under the same key; its ticket's record has it once.
async fn twice_and_says_so(mut w: World) {
    let first = w.pager.expect("li.wei", &["#1001", "cam-3"]);
    w.pager.expect_nothing_else();
    w.forward_seconds(70).await;
    let second = w.pager.expect("li.wei", &["#1001", "cam-3"]);
    assert_eq!((is_repeat(&first), is_repeat(&second)), (false, true));
    assert_eq!(first.word("/key"), second.word("/key"));
    w.forward_minutes(30).await;
    assert_eq!(w.story(1001).await, ["opened", "page_queued", "page_sent"]);
}

async fn after_the_request_before_the_answer(engine: Engine) {
    let mut w = about_to_page(engine).await;
    w.pager.hang(true);
    w.killed_at_arrival().await;
    w.pager.hang(false);
    twice_and_says_so(w).await;
}

async fn after_the_answer_before_its_record(engine: Engine) {
    let mut w = about_to_page(engine).await;
    w.killed_before_the_record().await;
    twice_and_says_so(w).await;
}

async fn several_pages_in_one_message_before_their_record(engine: Engine) {
    let mut w = World::usual(engine).await;
    for n in 1..=4 {
        w.device_with("North Gate", &format!("cam-{n}"), None).await;
    }
    w.forward_minutes(2).await;
    let li = super::escalation::account(&w, "li.wei").await;
    let path = format!("/api/v1/users/{li}/contacts");
    let id = text(&items(&w.admin.get(&path).await.ok())[0], "/id");
    let limit = serde_json::json!({ "limit_pages": 1, "limit_minutes": 10 });
    w.admin.send(axum::http::Method::PATCH, &format!("{path}/{id}"), Some(&limit)).await.ok();
    for n in 1..=4 {
        w.device_goes_down(&format!("cam-{n}"));
    }
    w.until_a_page().await;
    w.killed_before_the_record().await;
    let first = w.pager.take_all();
    w.forward_minutes(45).await;
    let all: Vec<Received> = first.iter().cloned().chain(w.pager.take_all()).collect();
    let told = |page: &Received| match page.payload["pages"].as_array() {
        Some(pages) => pages.iter().map(|page| text(page, "/key")).collect(),
        None => vec![page.word("/key")],
    };
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for page in &all {
        let keys = told(page);
        let was_told = keys.iter().any(|key| times.contains_key(key));
        assert!(!was_told || is_repeat(page), "a message with a page that came before says so: {page:?}");
        for key in keys {
            *times.entry(key).or_default() += 1;
        }
    }
    assert_eq!(times.len(), 4, "each of the four came: {all:?}");
    let killed: Vec<String> = first.iter().flat_map(told).collect();
    for (key, count) in times {
        assert_eq!(count, if killed.contains(&key) { 2 } else { 1 }, "{key}");
    }
}

/// Ten servers that die at a moment a seed picks, spread over all that happens between a trouble (or its end) and
/// the record of the provider's answer.
async fn ten_kills_anywhere_lose_nothing(engine: Engine) {
    const SEED: u64 = 20_261_126;
    let mut random = StdRng::seed_from_u64(SEED);
    let mut w = World::usual(engine).await;
    for n in 0..=10 {
        w.device_with("North Gate", &format!("cam-{n}"), None).await;
    }
    w.forward_minutes(2).await;
    // How long the way is, measured once undisturbed.
    w.device_goes_down("cam-0");
    w.until_a_page().await;
    let way = w.count_waits().await;
    let undisturbed = w.pager.expect("li.wei", &["cam-0"]);
    let mut places = Vec::new();
    for n in 1..=10_usize {
        let camera = format!("cam-{n}");
        // Every other one dies while the end is told.
        if n % 2 == 1 {
            w.device_goes_down(&camera);
            w.until_a_page().await;
        } else {
            w.device_goes_down(&camera);
            w.forward_minutes(3).await;
            w.device_comes_back(&camera);
            w.until_a_page().await;
        }
        let at = (way * (n - 1) + random.random_range(0..way)) / 10;
        places.push(w.killed_after(at.max(1)).await);
        w.forward_minutes(3).await;
    }
    for n in 0..=10 {
        w.device_comes_back(&format!("cam-{n}"));
    }
    w.forward_minutes(10).await;
    let mut came: BTreeMap<String, Vec<bool>> = BTreeMap::new();
    for page in std::iter::once(undisturbed).chain(w.pager.take_all()) {
        came.entry(page.word("/key")).or_default().push(is_repeat(&page));
    }
    let mut conn = w.app.db.read().await.unwrap();
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT idem_key, state FROM page ORDER BY created_at, id")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    drop(conn);
    let story = format!("seed {SEED}, killed after {places:?} of {way} waits");
    assert_eq!(rows.len(), 22, "eleven troubles and eleven ends; {story}: {rows:?}");
    for (key, state) in rows {
        assert_eq!(state, "sent", "{key}; {story}");
        let repeats = came.remove(&key).unwrap_or_default();
        assert!(!repeats.is_empty(), "{key} is on record as sent and never came; {story}");
        assert!(
            repeats.iter().skip(1).all(|repeat| *repeat),
            "{key} came again and does not say so; {story}"
        );
    }
    assert!(came.is_empty(), "pages without a record: {came:?}; {story}");
}
