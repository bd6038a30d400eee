//! What the database promises, on either engine: it refuses what it cannot understand, forgets by rule
//! and nothing else, and lets a race have one winner.

use jiff::SignedDuration;
use sitewarden_server::db::{Db, Engine};
use sitewarden_server::retention;
use sitewarden_tests::database::Database;
use sitewarden_tests::stories;
use sitewarden_tests::world::World;
use sqlx::{AssertSqlSafe, Executor, Row as _};

stories![
    opening_twice_changes_nothing,
    a_newer_database_is_refused_with_a_word,
    old_rows_go_by_their_rule_and_the_standing_state_stays,
    a_rule_finds_what_is_too_old_without_reading_the_rest,
    an_hour_is_rolled_up_as_its_blocks_tell_it_and_again_when_one_comes_late,
    blocks_of_an_older_release_are_rolled_up_too,
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

async fn a_rule_finds_what_is_too_old_without_reading_the_rest(engine: Engine) {
    let w = World::usual(engine).await;
    let mut tx = w.app.db.write().await.unwrap();
    let (explain, column) = match engine {
        Engine::Sqlite => ("EXPLAIN QUERY PLAN", 3),
        Engine::Postgres => {
            // So small a table would be read whole; the question is whether it has to be.
            tx.execute("SET LOCAL enable_seqscan = off").await.unwrap();
            ("EXPLAIN", 0)
        }
    };
    for rule in retention::rules(&w.app.config.retention) {
        let text = rule.statement().replace("$1", "1000").replace("$2", "500");
        let rows = sqlx::query(AssertSqlSafe(format!("{explain} {text}"))).fetch_all(&mut *tx).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get::<String, _>(column)).collect();
        let whole = |line: &&String| {
            line.contains("Seq Scan") || line.trim_start().starts_with("SCAN") && !line.contains("USING")
        };
        assert!(!plan.iter().any(|line| whole(&line)), "{}: {plan:#?}", rule.table);
    }
}

async fn an_hour_is_rolled_up_as_its_blocks_tell_it_and_again_when_one_comes_late(engine: Engine) {
    use sitewarden_proto::envelope::{Codec, encode};
    use sitewarden_proto::topic::Up;
    use sitewarden_proto::wire::Envelope;
    use sitewarden_proto::wire::envelope::Body;
    use sitewarden_server::history::HOUR_MS;
    use sitewarden_server::history::store::day::list_hours;
    let mut w = World::usual(engine).await;
    let device = w.device("North Gate", "cam-3").await;
    let gateway = w.gateway_mut("North Gate").id.clone();
    let hour = w.now().as_millisecond().div_euclid(HOUR_MS) * HOUR_MS;
    let at = async |w: &World| {
        let mut conn = w.app.db.read().await.unwrap();
        let all = list_hours(&mut conn, gateway.as_str(), &device, hour, hour).await.unwrap();
        all[&("icmp".to_owned(), "rtt_ms".to_owned())][&hour]
    };
    w.forward_minutes(66).await;
    assert_eq!(count(&w.app.db, "device_day").await, 0, "its last block may still come");
    let from_blocks = at(&w).await;
    assert!(from_blocks.samples > 50, "{from_blocks:?}");
    w.forward_minutes(15).await;
    assert_eq!(count(&w.app.db, "device_day").await, 1);
    assert_eq!(at(&w).await, from_blocks, "the same, now from the day");

    let series = sitewarden_proto::metrics::Series {
        device: device.clone(),
        check: "icmp".to_owned(),
        metric: "rtt_ms".to_owned(),
        points: vec![(hour + 1_800_001, 99.5)],
    };
    let late = Envelope {
        epoch: 4242,
        first_seq: 1,
        count: 1,
        sent_at_ms: w.now().as_millisecond(),
        session_id: 1,
        body: Some(Body::Metrics(sitewarden_proto::metrics::build(&[series]).unwrap())),
        ..Envelope::default()
    };
    let late = encode(&late, Codec::Zstd).unwrap();
    sitewarden_server::ingest::receive(&w.app, &gateway, Up::Metrics, &late, w.now()).await.unwrap();
    let with_late = at(&w).await;
    assert_eq!((with_late.samples, with_late.max), (from_blocks.samples + 1, 99.5), "it is seen at once");
    let due = count(&w.app.db, "rollup_due").await;
    w.forward_minutes(12).await;
    assert!(count(&w.app.db, "rollup_due").await < due, "it was rolled up again");
    assert_eq!(at(&w).await, with_late);

    // A mark that was read before a block came does not take the block's mark away.
    let mut tx = w.app.db.write().await.unwrap();
    let list_due = sitewarden_server::history::store::day::list_due;
    let seen = list_due(&mut tx, i64::MAX, i64::MAX, 1).await.unwrap().remove(0);
    tx.execute("UPDATE rollup_due SET marked_at = marked_at + 1").await.unwrap();
    assert!(!sitewarden_server::history::store::day::settle(&mut tx, &seen).await.unwrap());
}

async fn blocks_of_an_older_release_are_rolled_up_too(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    w.forward_minutes(66).await;
    let hours = "SELECT hour_at FROM rollup_due ORDER BY hour_at";
    let mut tx = w.app.db.write().await.unwrap();
    let marked: Vec<i64> = sqlx::query_scalar(hours).fetch_all(&mut *tx).await.unwrap();
    assert_eq!(marked.len(), 2);
    tx.execute("DELETE FROM rollup_due").await.unwrap();
    let text = include_str!("../../server/migrations/sqlite/0002_day_rows.sql");
    let statement = text.split(';').find(|part| part.contains("INSERT INTO rollup_due")).unwrap();
    tx.execute(AssertSqlSafe(statement.to_owned())).await.unwrap();
    let again: Vec<i64> = sqlx::query_scalar(hours).fetch_all(&mut *tx).await.unwrap();
    assert_eq!(again, marked);
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
