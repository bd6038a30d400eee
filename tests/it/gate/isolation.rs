//! The matrix: whatever gateway A sends, nothing of gateway B is written, read, subscribed to or willed, and
//! every attempt is counted.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DnType, KeyPair, SigningKey as _};
use serde_json::{Value, json};
use sitewarden_proto::id::{DeviceId, GatewayId};
use sitewarden_proto::metrics::{Series, build};
use sitewarden_proto::topic::{Down, Up};
use sitewarden_proto::wire::Transition::{Baseline, Cleared, FlapBegan, FlapEnded, Raised};
use sitewarden_proto::wire::envelope::Body;
use sitewarden_proto::wire::{
    CommandResult, DiscoveredDevices, Event, EventBatch, Gap, ReportedConfig, Transition,
};
use sitewarden_server::clock::Clock;
use sitewarden_server::config::Limits;
use sitewarden_server::gateway::command::{self, Action};
use sitewarden_server::tls::read_identity;
use sitewarden_tests::crowd::Honest;
use sitewarden_tests::database::Engine;
use sitewarden_tests::fleet::{Fleet, Running};
use sitewarden_tests::raw::{Pass, Raw, SOON, birth, connect, envelope, publish, subscribe};
use sitewarden_tests::rows::all_rows;
use sitewarden_tests::world::World;
use sitewarden_tests::{stories, stories_in_parallel, until};

/// A server with gateway B, which has a device, a fault, an incident and a command; and gateway A's pass.
struct Scene {
    engine: Engine,
    fleet: Fleet,
    server: Running,
    command: String,
    before: BTreeSet<String>,
    _b: Honest,
}

/// Sends B commands until a whole round of the server's engine lies between two and has changed nothing: what B reported
/// has had all its effects. The last command, and every row.
async fn settled(fleet: &Fleet, engine: Engine) -> (String, BTreeSet<String>) {
    let app = &fleet.desk.app;
    let others = |rows: &BTreeSet<String>| -> BTreeSet<String> {
        rows.iter().filter(|row| !row.starts_with("command ")).cloned().collect()
    };
    let mut earlier = BTreeSet::new();
    for _ in 0..20 {
        let action = Action::Probe { device: DeviceId::try_from(fleet.device.clone()).unwrap() };
        let mut tx = app.db.write().await.unwrap();
        let issued =
            command::issue(&mut tx, &app.keys, &fleet.passes[0].id, &action, None, Clock::System.now()).await;
        tx.commit().await.unwrap();
        let command = issued.unwrap().to_string();
        until("the command is sent", SOON, async || {
            let rows = all_rows(&app.db, engine).await;
            rows.iter().any(|row| {
                row.starts_with("command ") && row.contains(&command) && row.contains("state=sent")
            })
        })
        .await;
        let rows = all_rows(&app.db, engine).await;
        if others(&rows) == earlier {
            return (command, rows);
        }
        earlier = others(&rows);
    }
    panic!("the server goes on changing rows with nothing to do");
}

impl Scene {
    async fn set(engine: Engine) -> Self {
        // How many refusals end a connection is another test's business.
        let limits = Limits { gateway_refusals_per_min: 10_000, ..Limits::default() };
        let fleet = Fleet::enrolled(engine, 2, limits).await;
        let server = fleet.serve().await;
        let mut b = Honest::connect(server.door, &fleet.passes[0], &fleet.device).await;
        b.report().await;
        let (command, before) = settled(&fleet, engine).await;
        Self { engine, fleet, server, command, before, _b: b }
    }

    fn a(&self) -> &Pass {
        &self.fleet.passes[1]
    }

    fn b(&self) -> &GatewayId {
        &self.fleet.passes[0].id
    }

    /// Every row that came or went is A's own.
    async fn nothing_of_b_has_changed(&self) {
        let after = all_rows(&self.fleet.desk.app.db, self.engine).await;
        let strange: Vec<&String> = self
            .before
            .symmetric_difference(&after)
            .filter(|row| !row.contains(self.a().id.as_str()))
            .collect();
        assert!(strange.is_empty(), "{strange:#?}");
    }

    /// How often the running server has refused something, by its own scrape.
    async fn refused(&self, family: &str, reason: &str) -> u64 {
        let text = reqwest::get(format!("http://{}/metrics", self.server.http)).await.unwrap();
        let text = text.text().await.unwrap();
        let name = format!("sitewarden_{family}_total{{reason=\"{reason}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
    }

    async fn connected(&self) -> Raw {
        let mut raw = self.a().dial(self.server.door).await;
        assert!(raw.greet(60, None).await);
        raw
    }
}

/// Every topic of `b` and everything that might be read as one.
fn foreign(a: &GatewayId, b: &GatewayId) -> Vec<String> {
    let mut topics: Vec<String> = Up::ALL.iter().map(|up| up.topic(b)).collect();
    topics.extend(Down::ALL.iter().map(|down| down.topic(b)));
    for form in [
        "#",
        "+/#",
        "v1/#",
        "v1/+/#",
        "v1/+/s",
        "v1/+/u/e",
        "v1/+/d/k",
        "v1/B/#",
        "v1/B/+",
        "v1/B/u/+",
        "v1/B/d/+",
        "v1/B",
        "v1/B/",
        "/v1/B/s",
        "v1//B/s",
        "v1/B/s/",
        "V1/B/s",
        "v1/A/../B/s",
        "v1/A/s/../../B/s",
        "v1/A+B/s",
        "v1/A/u/e\u{0}v1/B/u/e",
        "v1/A,B/u/e",
        "$share/g/v1/B/d/c",
        "$SYS/#",
        "$queue/v1/B/d/c",
        "v1/ B/s",
        "v1/B /s",
        "v2/B/s",
        "v1/*/s",
        "",
    ] {
        topics.push(form.replace('A', a.as_str()).replace('B', b.as_str()));
    }
    topics
}

async fn no_topic_of_another_gateway_is_open(engine: Engine) {
    let scene = Scene::set(engine).await;
    let now_ms = Clock::System.now().as_millisecond();
    let topics = foreign(&scene.a().id, scene.b());
    let mut raw = scene.connected().await;
    // What would do harm if it passed: B's next report, in B's own epoch.
    let harm = Event {
        device_id: scene.fleet.device.clone(),
        transition: Baseline.into(),
        at_ms: now_ms,
        ..Event::default()
    };
    let harm = envelope(2, now_ms, Body::Events(EventBatch { events: vec![harm] }));
    for topic in &topics {
        raw.send(&publish(topic.as_bytes(), &harm, 1, 3, false)).await;
        assert_eq!(raw.answer().await[..5], [0x40, 3, 0, 3, 0x87], "PUBACK, not authorized: {topic:?}");
    }
    let mut expected = topics.len() as u64;
    assert_eq!(scene.refused("door_refused", "topic").await, expected);
    for topic in topics.iter().step_by(5) {
        raw.send(&publish(topic.as_bytes(), &harm, 0, 0, false)).await;
        assert_eq!(raw.answer().await[..2], [0xe0, 0x87], "DISCONNECT, not authorized: {topic:?}");
        raw = scene.connected().await;
        expected += 1;
    }
    assert_eq!(scene.refused("door_refused", "topic").await, expected);
    for topic in &topics {
        raw.send(&subscribe(topic, 1)).await;
        let answer = raw.answer().await;
        let code = *answer.last().unwrap();
        assert!(answer[0] == 0x90 && [0x87, 0x9e].contains(&code), "SUBACK {code:x} for {topic:?}");
    }
    assert_eq!(scene.refused("door_refused", "filter").await, topics.len() as u64);
    for topic in &topics {
        let mut raw = scene.a().dial(scene.server.door).await;
        raw.send(&connect(scene.a().id.as_str(), 60, Some((topic.clone(), &harm)))).await;
        assert_eq!(raw.answer().await[3], 0x90, "CONNACK, topic name invalid: {topic:?}");
    }
    assert_eq!(scene.refused("door_refused", "will").await, topics.len() as u64);
    for client in [scene.b().as_str(), "", "+", "#"] {
        let mut raw = scene.a().dial(scene.server.door).await;
        raw.send(&connect(client, 60, None)).await;
        assert_eq!(raw.answer().await[3], 0x85, "CONNACK, client identifier not valid: {client:?}");
    }
    assert_eq!(scene.refused("door_refused", "client_id").await, 4);
    assert_eq!(scene.refused("door_refused", "taken_over").await, 0, "B sits where it sat");
    scene.nothing_of_b_has_changed().await;
}

async fn what_a_gateway_says_about_another_is_not_believed(engine: Engine) {
    let scene = Scene::set(engine).await;
    let now_ms = Clock::System.now().as_millisecond();
    let mut raw = scene.connected().await;
    raw.send(&subscribe(&format!("v1/{}/d/+", raw.id), 0)).await;
    // It claims B's session and B's epoch for itself, then says that session is over.
    raw.publish("s", &birth(1, now_ms)).await;
    let device = scene.fleet.device.clone();
    let event = |transition: Transition| Event {
        device_id: device.clone(),
        fault_code: "http_silent".into(),
        transition: transition.into(),
        at_ms: now_ms,
        check: "http".into(),
        evidence_json: "{}".into(),
        ..Event::default()
    };
    let events = [Raised, Cleared, FlapBegan, FlapEnded, Baseline].map(event);
    let series = Series {
        device: device.clone(),
        check: "http".into(),
        metric: "rtt_ms".into(),
        points: vec![(now_ms - 1000, 1.0), (now_ms, 2.0)],
    };
    let result = |status: i32| CommandResult {
        command_id: scene.command.clone(),
        status,
        at_ms: now_ms,
        result_json: "{\"state\":\"ok\"}".into(),
        error: String::new(),
    };
    let mut seq = 1;
    for (suffix, body, records) in [
        ("u/e", Body::Events(EventBatch { events: events.to_vec() }), 5),
        ("u/m", Body::Metrics(build(&[series]).unwrap()), 1),
        ("u/r", Body::CommandResult(result(1)), 1),
        ("u/r", Body::CommandResult(result(2)), 1),
        ("u/r", Body::CommandResult(result(3)), 1),
        ("u/r", Body::CommandResult(result(6)), 1),
        ("u/d", Body::Discovered(DiscoveredDevices::default()), 1),
        ("u/e", Body::Gap(Gap { from_seq: 12, to_seq: 4000, reason: 1 }), 3989),
    ] {
        raw.publish(suffix, &envelope(seq, now_ms, body)).await;
        seq += records;
        raw.committed(seq - 1).await;
    }
    let report = ReportedConfig { version: 1 << 40, status: 1, ..ReportedConfig::default() };
    raw.publish("u/g", &envelope(seq, now_ms, Body::ReportedConfig(report))).await;
    raw.committed(seq).await;
    assert_eq!(scene.refused("refused", "foreign_device").await, 6);
    scene.nothing_of_b_has_changed().await;
}

/// A box that holds A's certificate and key gets nothing of B's by asking for a certificate.
async fn no_certificate_of_another_gateway_is_given(engine: Engine) {
    let mut world = World::new(engine).await;
    let customer = world.customer("Harbour Office").await;
    let site = world.site(&customer, "North Gate", "北门站").await;
    let request = |name: &str, key: &KeyPair| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.serialize_request(key).unwrap().pem().unwrap()
    };
    let (mut boxes, mut tokens) = (Vec::new(), Vec::new());
    for name in ["gate box A", "gate box B"] {
        let made = world.admin.post("/api/v1/gateways", &json!({ "site_id": site, "name": name })).await.ok();
        let text = |path: &str| made.pointer(path).and_then(Value::as_str).unwrap().to_owned();
        let (id, token, key) = (text("/gateway/id"), text("/token"), KeyPair::generate().unwrap());
        let body = json!({ "token": token, "csr_pem": request(&id, &key) });
        let got = world.nobody.post("/api/v1/enrol", &body).await.ok();
        tokens.push(world.admin.post(&format!("/api/v1/gateways/{id}/token"), &json!({})).await.ok());
        boxes.push((id, key, got["cert_pem"].as_str().unwrap().to_owned()));
    }
    let [(a, a_key, a_cert), (b, _, b_cert)] = &boxes[..] else { unreachable!() };
    let before = all_rows(&world.app.db, engine).await;
    let fresh = KeyPair::generate().unwrap();
    let csr = request(b, &fresh);
    let renew = async |cert: &str, signed: &str| {
        let signature = STANDARD.encode(a_key.sign(signed.as_bytes()).unwrap());
        let body = json!({ "csr_pem": csr, "cert_pem": cert, "signature": signature });
        world.nobody.post("/api/v1/enrol/renew", &body).await
    };
    // B's certificate with A's signature; both in one text; A's signature under another request.
    for cert in [b_cert.clone(), format!("{b_cert}{a_cert}")] {
        assert_eq!(renew(&cert, &csr).await.status, 403);
    }
    assert_eq!(renew(a_cert, &request(a, &fresh)).await.status, 403);
    // A's own renewal asks for B's name and gets A's.
    let got = renew(a_cert, &csr).await.ok();
    assert_eq!(got["gateway_id"], a.as_str());
    let der = <rustls_pki_types::CertificateDer as rustls_pki_types::pem::PemObject>::from_pem_slice(
        got["cert_pem"].as_str().unwrap().as_bytes(),
    );
    assert_eq!(read_identity(&der.unwrap()).unwrap().gateway.as_str(), a);
    // B's token is not used up by any of this.
    let after = all_rows(&world.app.db, engine).await;
    let strange: Vec<&String> = before.symmetric_difference(&after).filter(|row| !row.contains(a)).collect();
    assert!(strange.is_empty(), "{strange:#?}");
    let body = json!({ "token": tokens[1]["token"], "csr_pem": csr });
    assert_eq!(world.nobody.post("/api/v1/enrol", &body).await.ok()["gateway_id"], b.as_str());
}

stories_in_parallel![no_topic_of_another_gateway_is_open, what_a_gateway_says_about_another_is_not_believed];
stories![no_certificate_of_another_gateway_is_given];
