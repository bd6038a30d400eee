//! What the database promises, on either engine: it refuses what it cannot understand, forgets by rule
//! and nothing else, and lets a race have one winner.

use jiff::SignedDuration;
use sitewarden_server::db::{Db, Engine};
use sitewarden_server::retention;
use sitewarden_tests::database::Database;
use sitewarden_tests::stories;
use sitewarden_tests::world::World;
use sqlx::{AssertSqlSafe, Executor};

stories![
    opening_twice_changes_nothing,
    a_newer_database_is_refused_with_a_word,
    old_rows_go_by_their_rule_and_the_standing_state_stays,
    a_gateway_has_one_open_incident_of_a_code_whoever_comes_first,
    a_block_that_names_a_series_twice_is_taken_once_and_for_all,
];

async fn opening_twice_changes_nothing(engine: Engine) {
    let database = Database::fresh(engine).await;
    for _ in 0..2 {
        let db = Db::open(&database.url).await.unwrap();
        let tables: i64 = count(&db, "_sqlx_migrations").await;
        assert!(tables >= 1);
        db.close().await;
    }
}

async fn a_newer_database_is_refused_with_a_word(engine: Engine) {
    let database = Database::fresh(engine).await;
    let db = Db::open(&database.url).await.unwrap();
    let mut tx = db.write().await.unwrap();
    tx.execute(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         SELECT 9999, 'from the future', success, checksum, execution_time FROM _sqlx_migrations WHERE version = 1",
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    db.close().await;
    let refused = Db::open(&database.url).await.unwrap_err().to_string();
    assert!(refused.contains("9999") && refused.contains("newer release"), "{refused}");
}

async fn old_rows_go_by_their_rule_and_the_standing_state_stays(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    w.forward_minutes(12).await;
    let before = count(&w.app.db, "metric_block").await;
    assert!(before >= 2, "blocks came: {before}");
    assert!(count(&w.app.db, "rollup_due").await >= 1, "the hour is not over");
    assert_eq!(count(&w.app.db, "device_event").await, 1);

    w.forward_minutes(80).await;
    assert_eq!(count(&w.app.db, "device_day").await, 1, "the hour was rolled up");
    let keep = w.app.config.retention;
    let blocks_end = w.now() + SignedDuration::from_hours(i64::from(keep.blocks_days + 1) * 24);
    while retention::step::step(&w.app, blocks_end).await.unwrap() {}
    assert_eq!(count(&w.app.db, "metric_block").await, 0);
    assert_eq!(count(&w.app.db, "device_day").await, 1, "rollups live longer than blocks");

    let all_end = w.now() + SignedDuration::from_hours(24 * 365 * 20);
    while retention::step::step(&w.app, all_end).await.unwrap() {}
    assert_eq!(count(&w.app.db, "device_day").await, 0);
    assert_eq!(count(&w.app.db, "device_event").await, 0);
    assert_eq!(count(&w.app.db, "device_state").await, 1, "the state that stands is never forgotten");
    assert_eq!(count(&w.app.db, "device").await, 1);
}

async fn a_gateway_has_one_open_incident_of_a_code_whoever_comes_first(engine: Engine) {
    use sitewarden_server::incident::store::{New, open};
    let mut w = World::usual(engine).await;
    let gateway = w.gateway_mut("North Gate").id.to_string();
    let now = w.now();
    let attempts = (0..8).map(|_| {
        let (app, gateway) = (w.app.clone(), gateway.clone());
        tokio::spawn(async move {
            let mut tx = app.db.write().await.unwrap();
            let new = New {
                gateway_id: &gateway,
                device_id: None,
                code: "gateway_silent",
                opened_at: now,
                last_good_at: None,
                first_bad_at: None,
                evidence: "{}",
            };
            let opened = open(&mut tx, &new, now).await.unwrap();
            tx.commit().await.unwrap();
            opened.is_some()
        })
    });
    let opened = futures_util::future::join_all(attempts).await;
    assert_eq!(opened.into_iter().filter(|won| *won.as_ref().unwrap()).count(), 1);
}

async fn a_block_that_names_a_series_twice_is_taken_once_and_for_all(engine: Engine) {
    use sitewarden_proto::envelope::{Codec, decode_message, encode};
    use sitewarden_proto::topic::Up;
    use sitewarden_proto::wire::envelope::Body;
    use sitewarden_proto::wire::{Ack, Envelope};
    let mut w = World::usual(engine).await;
    let device = w.device("North Gate", "cam-3").await;
    let now = w.now().as_millisecond();
    let (check, metric) = ("icmp".to_owned(), "rtt_ms".to_owned());
    let points = vec![(now - 120_000, 2.0), (now - 60_000, 4.0)];
    let one = sitewarden_proto::metrics::Series { device, check, metric, points };
    let mut block = sitewarden_proto::metrics::build(&[one]).unwrap();
    block.columns.push(block.columns[0].clone());
    let envelope = Envelope {
        epoch: 4242,
        first_seq: 1,
        count: 1,
        sent_at_ms: now,
        session_id: 1,
        body: Some(Body::Metrics(block)),
        ..Envelope::default()
    };
    let packet = encode(&envelope, Codec::Zstd).unwrap();
    let gateway = w.gateway_mut("North Gate").id.clone();
    let replies =
        sitewarden_server::ingest::receive(&w.app, &gateway, Up::Metrics, &packet, w.now()).await.unwrap();
    let ack: Ack = decode_message(&replies[0].1).unwrap();
    assert_eq!((ack.epoch, ack.upto, ack.resend_from), (4242, 1, 0), "it is not sent again for ever");
}

async fn count(db: &Db, table: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(format!("SELECT CAST(COUNT(*) AS BIGINT) FROM {table}")))
        .fetch_one(&mut *db.read().await.unwrap())
        .await
        .unwrap()
}
