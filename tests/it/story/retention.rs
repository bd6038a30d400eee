//! What is forgotten when: each kind of row by its own rule over three years, and what is settled by is kept.
//! Forgetting a large backlog lets reports through between two of its small steps.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use sitewarden_proto::envelope::{Codec, encode};
use sitewarden_proto::topic::Up;
use sitewarden_proto::wire::envelope::Body;
use sitewarden_proto::wire::gap::Reason;
use sitewarden_proto::wire::{Envelope, Gap, Transition};
use sitewarden_proto::{metrics, wire};
use sitewarden_server::db::{Conn, Engine};
use sitewarden_server::device::store::topology;
use sitewarden_server::gateway::command::{self, Action};
use sitewarden_server::remedy::store::settings::{self, NewConsent};
use sitewarden_server::{history, ingest, remedy, retention};
use sitewarden_tests::stories;
use sitewarden_tests::world::World;
use sqlx::AssertSqlSafe;

stories![three_years, a_backlog_that_is_deleted_lets_reports_through];

const DAY_MS: i64 = 24 * 3_600_000;
/// Every so many days something happens.
const STRIDE: i64 = 25;

/// Table, its time, and for how many days it is kept by default; none = for ever.
const KEPT: [(&str, &str, Option<i64>); 14] = [
    ("metric_block", "end_at", Some(90)),
    ("device_day", "day_at", Some(1100)),
    ("device_event", "received_at", Some(1100)),
    ("record_gap", "received_at", Some(1100)),
    ("audit", "at", Some(1100)),
    ("command", "expires_at", Some(400)),
    ("remedy", "ended_at", Some(1100)),
    ("remedy_consent", "given_at", Some(1100)),
    ("port_seen", "seen_at", Some(1100)),
    ("page", "created_at", Some(400)),
    ("page_attempt", "at", Some(400)),
    ("ticket", "opened_at", None),
    ("ticket_event", "recorded_at", None),
    ("incident", "opened_at", None),
];

async fn three_years(engine: Engine) {
    let mut w = World::usual(engine).await;
    let device = w.device("North Gate", "cam-3").await;
    let gateway = w.gateway_mut("North Gate").id.clone();
    let start = w.now();
    let mut seq = 0;
    for round in 1..=1250 / STRIDE {
        w.app.clock.set(start + SignedDuration::from_hours(24 * STRIDE * round));
        let at = w.now().as_millisecond();
        let event = |transition: Transition| {
            let evidence_json = "{}".to_owned();
            let (device_id, fault_code) = (device.clone(), "unreachable".to_owned());
            let transition = transition.into();
            let event = wire::Event {
                device_id,
                fault_code,
                transition,
                at_ms: at,
                evidence_json,
                ..Default::default()
            };
            Body::Events(wire::EventBatch { events: vec![event] })
        };
        let series = metrics::Series {
            device: device.clone(),
            check: "icmp".to_owned(),
            metric: "rtt_ms".to_owned(),
            points: vec![(at - 2 * 3_600_000, 2.0)],
        };
        let block = Body::Metrics(metrics::build(&[series]).unwrap());
        for (up, body) in
            [(Up::Events, Some(event(Transition::Raised))), (Up::Events, None), (Up::Metrics, Some(block))]
        {
            seq += 1;
            let gap = Gap { from_seq: seq, to_seq: seq, reason: Reason::Corrupt.into() };
            let body = Some(body.unwrap_or(Body::Gap(gap)));
            let envelope = Envelope {
                epoch: 5555,
                first_seq: seq,
                count: 1,
                sent_at_ms: at,
                session_id: 1,
                body,
                ..Envelope::default()
            };
            let packet = encode(&envelope, Codec::Zstd).unwrap();
            ingest::receive(&w.app, &gateway, up, &packet, w.now()).await.unwrap();
        }
        w.settle().await;
        w.pager.expect("li.wei", &["cam-3"]);
        seq += 1;
        let body = Some(event(Transition::Cleared));
        let envelope = Envelope {
            epoch: 5555,
            first_seq: seq,
            count: 1,
            sent_at_ms: at,
            session_id: 1,
            body,
            ..Envelope::default()
        };
        let packet = encode(&envelope, Codec::Zstd).unwrap();
        ingest::receive(&w.app, &gateway, Up::Events, &packet, w.now()).await.unwrap();
        let probe = Action::Probe { device: device.as_str().try_into().unwrap() };
        let mut tx = w.app.db.write().await.unwrap();
        sqlx::query(
            "INSERT INTO audit (id, at, actor, action, subject_kind, subject_id, detail) \
             VALUES ($1, $2, 'chen.yu', 'device.probe', 'device', 'cam-3', '{}')",
        )
        .bind(format!("audit-{round}"))
        .bind(at)
        .execute(&mut *tx)
        .await
        .unwrap();
        command::issue(&mut tx, &w.app.keys, &gateway, &probe, None, w.now()).await.unwrap();
        remedies(&mut tx, (&w.site_id("North Gate"), &device), round, w.now()).await;
        tx.commit().await.unwrap();
        w.settle().await;
        w.pager.expect("li.wei", &["over"]);
        // An hour waits a little for its last blocks before it is rolled up.
        let settled = w.now() + SignedDuration::from_mins(20);
        while history::step::step(&w.app, settled).await.unwrap() {}
        while retention::step::step(&w.app, w.now()).await.unwrap() {}
        for (table, time, days) in KEPT {
            let (rows, oldest) = rows(&w, table, time).await;
            let age = oldest.map(|oldest| (w.now().as_millisecond() - oldest) / DAY_MS);
            let lived = round * STRIDE;
            let expected = days.unwrap_or(i64::MAX).min(lived);
            let is_right = age.is_some_and(|age| (expected - STRIDE - 2..=expected + 1).contains(&age));
            // The ones that the story began with are as old as the story.
            let began = lived + 1 >= expected && age == Some(lived);
            assert!(
                is_right || began,
                "{table} on day {lived}: {rows} rows, the oldest {age:?} days, kept {days:?}"
            );
        }
    }
    let (proposals, oldest) = rows(&w, "parent_proposal", "seen_at").await;
    let first_round = (start + SignedDuration::from_hours(24 * STRIDE)).as_millisecond();
    assert!(
        proposals == 1 && oldest > Some(first_round),
        "one that no switch shows any more goes: {oldest:?}"
    );
    let (tickets, _) = rows(&w, "ticket", "opened_at").await;
    assert_eq!(tickets, 1250 / STRIDE, "no ticket is ever forgotten");
    w.admin = w.nobody.sign_in("admin", sitewarden_tests::world::PASSWORD).await;
    let first = w.story(1001).await;
    assert!(first.contains(&"page_sent".to_owned()), "nor that somebody was paged for it: {first:?}");
}

/// A remedy with its consent, the next port that the device hangs on, a proposal that was refused.
async fn remedies(tx: &mut Conn, (site, device): (&str, &str), round: i64, now: Timestamp) {
    let consent = NewConsent {
        site_id: site,
        standing: false,
        given_by: "guard Wu",
        words: "yes",
        until_at: None,
        recorded_by: "chen.yu",
    };
    let consent = settings::insert_consent(tx, &consent, now).await.unwrap();
    let new = remedy::store::New {
        site_id: site,
        device_id: device,
        kind: remedy::Kind::Reboot,
        target: &serde_json::Value::Null,
        ticket_id: None,
        code: "",
        automatic: false,
        actor: "chen.yu",
        consent_id: Some(&consent),
        until: now,
    };
    let id = remedy::store::insert(tx, &new, now).await.unwrap();
    remedy::store::end(tx, id.as_str(), "done", "", None, now).await.unwrap();
    let seen = topology::Sighting {
        device_id: device,
        switch_id: device,
        if_index: round,
        name: "GE0/7",
        poe_group: 1,
        poe_port: round,
        mac: "00:11:22:33:44:55",
        macs: 1,
        trunk: false,
    };
    topology::see(tx, &seen, now.as_millisecond()).await.unwrap();
    sqlx::query(
        "INSERT INTO parent_proposal (id, device_id, switch_id, port, state, created_at, seen_at, decided_by) \
         VALUES ($1, $2, $3, 'GE0/7', 'refused', $4, $4, '') ON CONFLICT (device_id, switch_id) DO NOTHING",
    )
    .bind(format!("proposal-{round}"))
    .bind(device)
    .bind(device)
    .bind(now.as_millisecond())
    .execute(tx)
    .await
    .unwrap();
}

async fn rows(w: &World, table: &str, time: &str) -> (i64, Option<i64>) {
    let sql = format!("SELECT CAST(COUNT(*) AS BIGINT), MIN({time}) FROM {table}");
    let mut conn = w.app.db.read().await.unwrap();
    sqlx::query_as(AssertSqlSafe(sql)).fetch_one(&mut *conn).await.unwrap()
}

async fn a_backlog_that_is_deleted_lets_reports_through(engine: Engine) {
    let mut w = World::usual(engine).await;
    let gateway = w.gateway_mut("North Gate").id.clone();
    let mut tx = w.app.db.write().await.unwrap();
    sqlx::query(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) \
         INSERT INTO record_gap (gateway_id, epoch, from_seq, to_seq, reason, received_at) \
         SELECT $1, 'old', i, i, 'corrupt', 1 FROM n",
    )
    .bind(gateway.as_str())
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();

    // Who waits for the writer waits in a row: the sweep first, then the report.
    let order: Arc<Mutex<Vec<&str>>> = Arc::default();
    let note = |what| {
        let order = Arc::clone(&order);
        move || order.lock().unwrap().push(what)
    };
    let (swept, reported) = (note("chunk"), note("report"));
    let now = w.now();
    let app = w.app.clone();
    let sweep = async {
        while retention::step::step(&app, now).await.unwrap() {
            swept();
        }
        swept();
    };
    let gap = Gap { from_seq: 1, to_seq: 1, reason: Reason::Corrupt.into() };
    let envelope = Envelope {
        epoch: 8,
        first_seq: 1,
        count: 1,
        sent_at_ms: now.as_millisecond(),
        session_id: 1,
        body: Some(Body::Gap(gap)),
        ..Envelope::default()
    };
    let packet = encode(&envelope, Codec::None).unwrap();
    let report = async {
        ingest::receive(&w.app, &gateway, Up::Events, &packet, now).await.unwrap();
        reported();
    };
    tokio::join!(sweep, report);
    let order = order.lock().unwrap().clone();
    let (at, chunks) = (order.iter().position(|what| *what == "report").unwrap(), order.len() - 1);
    assert!(chunks >= 10, "small steps: {order:?}");
    assert!(at <= chunks / 2, "the report waits for a step, not for the whole: {order:?}");
}
