//! One customer never sees another's rows: a person of customer Alpha asks for everything that belongs
//! to customer Bravo, through every route that the server has. The list of routes is the server's own,
//! so a new route does not pass until a case for it is written here.

use axum::http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use sitewarden_proto::id::{DeviceId, GatewayId};
use sitewarden_server::contract::store::Shelf;
use sitewarden_server::router::routes;
use sitewarden_server::user::Role;
use sitewarden_server::{device, gateway, incident, inspection};
use sitewarden_tests::client::Client;
use sitewarden_tests::database::{ENGINES, Engine};
use sitewarden_tests::desk::Desk;
use sitewarden_tests::promise::promise;

/// What belongs to one customer.
struct Belongings {
    /// In every name of this customer and in no other.
    mark: &'static str,
    customer: String,
    site: String,
    gateway: String,
    device: String,
    incident: String,
    ticket: String,
    number: String,
    command: String,
    person: String,
    contact: String,
    duty: String,
    team: String,
    rota: String,
    contract: String,
    inspection: String,
    complaint: String,
    major: String,
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A contract whose name and clock tell whose it is.
fn text_of(mark: &str) -> String {
    format!(
        "[contract]\nid = \"{mark}-1\"\nname = \"{mark} Contract\"\nkind = \"annual\"\nzone = \"Asia/Shanghai\"\n\
         [[clock]]\nname = \"arrive\"\ntitle = \"{mark} arrival\"\nstart = \"reported\"\nstop = \"arrived\"\ntarget = \"4h\"\n\
         [[inspect]]\nname = \"{mark} round\"\nevery = \"1mo\"\n"
    )
}

async fn furnish(desk: &Desk, admin: &Client, mark: &'static str) -> Belongings {
    let post = async |path: &str, body: Value| admin.post(path, &body).await.ok();
    let customer = text(&post("/api/v1/customers", json!({ "name": mark })).await["id"]);
    let site = json!({ "customer_id": customer, "name": format!("{mark} Site"), "zone": "Asia/Shanghai" });
    let site = text(&post("/api/v1/sites", site).await["id"]);
    promise(&desk.app, &customer, &site, &text_of(mark), desk.app.clock.now()).await;
    let mut shelf = Shelf::default();
    inspection::step::look(&desk.app, &mut shelf, desk.app.clock.now()).await.unwrap();
    let owed = admin.get(&format!("/api/v1/inspections?site_id={site}")).await.ok();
    let inspection = text(&owed["items"][0]["id"]);
    let gateway = json!({ "site_id": site, "name": format!("{mark} Gateway") });
    let gateway = text(&post("/api/v1/gateways", gateway).await["gateway"]["id"]);
    let device = json!({ "gateway_id": gateway, "name": format!("{mark} Camera"), "class": "camera",
        "address": "10.0.0.7", "checks": "[[check]]\nkind = \"icmp\"\n" });
    let device = text(&post("/api/v1/devices", device).await["id"]);

    let person = json!({ "login": format!("{}.duty", mark.to_lowercase()), "name": format!("{mark} Guard"),
        "role": "technician" });
    let person = text(&post("/api/v1/users", person).await["user"]["id"]);
    let contact = json!({ "channel": "email", "address": format!("{mark}@example.com") });
    let contact = text(&post(&format!("/api/v1/users/{person}/contacts"), contact).await["id"]);
    let duty = text(&post("/api/v1/duty", json!({ "site_id": site, "account_id": person })).await["id"]);

    let team = json!({ "name": format!("{mark} Team"), "members": [person], "sites": [site] });
    let team = text(&post("/api/v1/teams", team).await["id"]);
    let layer = json!({ "name": "First line", "every": { "unit": "day", "count": 1 }, "handover": "08:00",
        "start": "2026-01-01", "order": [[person]] });
    let plan = json!({ "zone": "Asia/Shanghai", "layers": [layer] });
    let rota = json!({ "team_id": team, "name": format!("{mark} Rota"), "plan": plan });
    let rota = text(&post("/api/v1/rotas", rota).await["id"]);

    let promised = sitewarden_server::contract::template::find("regional").unwrap().text;
    let promised =
        promised.replace("name = \"Regional service", &format!("name = \"{mark} regional service"));
    let contract =
        json!({ "customer_id": customer, "text": promised, "sites": [{ "site_id": site, "zone": "city" }] });
    let contract = text(&post("/api/v1/contracts", contract).await["id"]);
    // Accepted, so that its customer may see it: that needs a complete file, which is another test's matter.
    let mut tx = desk.app.db.write().await.unwrap();
    let state = sitewarden_server::contract::life::Life::Accepted;
    sitewarden_server::contract::store::set_state(&mut tx, &contract, state, desk.app.clock.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let now = desk.app.clock.now();
    let incident = fault(desk, &gateway, &device, now).await;
    let ticket = json!({ "site_id": site, "device_id": device, "title": format!("{mark} gate stands open"),
        "severity": "critical", "note": format!("{mark} said so") });
    let ticket = post("/api/v1/tickets", ticket).await;
    let complaint = if mark == "Alpha" { 'a' } else { 'b' };
    let complaint = format!("c0a10000-0000-4000-8000-00000000000{complaint}");
    let said = json!({ "ticket_id": ticket["id"], "subject": "result", "channel": "phone", "who": format!("{mark} Boss"),
        "words": format!("{mark} is not content") });
    admin.put(&format!("/api/v1/complaints/{complaint}"), &said).await.ok();
    let major = complaint.replace("c0a1", "3a70");
    let asked = json!({ "ticket_id": ticket["id"], "kind": "serious", "cause": "unknown", "report": format!("{mark} stands still"),
        "plan": "Find out why" });
    admin.put(&format!("/api/v1/major-requests/{major}"), &asked).await.ok();
    let mut tx = desk.app.db.write().await.unwrap();
    sitewarden_server::sla::step::count_now(&mut tx, &text(&ticket["id"]), now).await.unwrap();
    tx.commit().await.unwrap();
    let command =
        "00000000-0000-7000-8000-".to_owned() + if mark == "Alpha" { "00000000000a" } else { "00000000000b" };
    let mut tx = desk.app.db.write().await.unwrap();
    let new = gateway::store::command::New {
        id: &command,
        gateway: &GatewayId::try_from(gateway.clone()).unwrap(),
        device_id: Some(&device),
        kind: "probe_now",
        body: b"",
        issued_at: now,
        expires_at: now + jiff::SignedDuration::from_secs(60),
        account_id: None,
    };
    gateway::store::command::insert(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    Belongings {
        mark,
        customer,
        site,
        gateway,
        device,
        incident,
        ticket: text(&ticket["id"]),
        number: text(&ticket["number"]),
        command,
        person,
        contact,
        duty,
        team,
        rota,
        contract,
        inspection,
        complaint,
        major,
    }
}

/// A fault with its event and its incident, as ingest would write them.
async fn fault(desk: &Desk, gateway: &str, device: &str, now: Timestamp) -> String {
    let mut tx = desk.app.db.write().await.unwrap();
    let event = device::store::Event {
        device: &DeviceId::try_from(device.to_owned()).unwrap(),
        gateway: &GatewayId::try_from(gateway.to_owned()).unwrap(),
        epoch: "1",
        seq: 1,
        code: "unreachable",
        transition: "raised",
        check: "icmp",
        evidence: "{}",
        at: now,
        last_good_at: None,
        first_bad_at: Some(now),
        received_at: now,
        clock_offset_ms: 0,
    };
    device::store::insert_event(&mut tx, &event).await.unwrap();
    let new = incident::store::New {
        gateway_id: gateway,
        device_id: Some(device),
        code: "unreachable",
        opened_at: now,
        last_good_at: None,
        first_bad_at: Some(now),
        evidence: "{}",
    };
    let id = incident::store::open(&mut tx, &new, now).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    id.to_string()
}

fn contract_body(of: &Belongings) -> Value {
    json!({ "customer_id": of.customer, "text": "", "base": 1, "note": "mine", "sites": [{ "site_id": of.site }],
        "accepted_on": "2026-03-10", "reason": "mine" })
}

/// Something to settle that would be obeyed on a ticket of one's own.
fn deal_body(path: &str) -> Value {
    match path.rsplit('/').next() {
        Some("answer") => json!({ "accepted": true, "by": "mine", "evidence": "call" }),
        Some("ruling") => json!({ "what": "coverage", "outcome": "free", "reason": "mine" }),
        _ => json!({ "what": "misdiagnosis", "reason": "mine" }),
    }
}

/// How to ask one route for somebody's rows: paths with their bodies. `None`: the route knows no rows.
fn case(method: &Method, path: &str, of: &Belongings) -> Option<Vec<(String, Value)>> {
    let fill = |id: &str| path.replacen("{id}", id, 1).replace("{cid}", &of.contact);
    let narrowed = |keys: &[(&str, &str)]| {
        let mut asks = vec![(path.to_owned(), json!({}))];
        asks.extend(keys.iter().map(|(key, value)| (format!("{path}?{key}={value}"), json!({}))));
        Some(asks)
    };
    // Bodies that would be obeyed if the row were one's own; elsewhere the guard speaks first.
    let body = if path.ends_with("/note") { json!({ "text": "mine now" }) } else { json!({}) };
    let body = if path.contains("/deal") { deal_body(path) } else { body };
    let body = if path.contains("/inspections/{id}") { json!({ "day": "2026-03-05" }) } else { body };
    let one = |id: &str| Some(vec![(fill(id), body.clone())]);
    let at_site = json!({ "site_id": of.site, "title": "mine", "severity": "minor" });
    let at_device =
        json!({ "site_id": of.site, "device_id": of.device, "title": "mine", "severity": "minor" });
    let rest = path.strip_prefix("/api/v1/").unwrap_or(path);
    let room = rest.split(['/', '?']).next().unwrap_or_default();
    match (method.as_str(), room, rest.contains("{id}")) {
        // No rows of any customer: one's own session, what everybody may read, doors with their own key.
        (_, "heartbeat" | "push-key", _) => None,
        (
            _,
            "session" | "me" | "faults" | "usual-checks" | "openapi.json" | "enrol" | "healthz" | "metrics",
            _,
        ) => None,
        (_, _, false)
            if path.starts_with("/a/")
                || path.starts_with("/c/")
                || path == "/healthz"
                || path == "/metrics" =>
        {
            None
        }
        (_, "customers", true) => one(&of.customer),
        (_, "sites", true) => one(&of.site),
        (_, "gateways", true) => one(&of.gateway),
        (_, "commands", true) => one(&of.command),
        (_, "devices", true) => one(&of.device),
        (_, "incidents", true) => one(&of.incident),
        (_, "tickets", true) => {
            let mut asks = one(&of.ticket).unwrap();
            asks.extend(one(&of.number).unwrap());
            Some(asks)
        }
        (_, "visits" | "parts" | "loaners" | "repairs" | "consignments", true) => one(&of.command),
        ("GET", "consignments", false) if path.ends_with("proposal") => narrowed(&[("site_id", &of.site)]),
        ("GET", "parts" | "loaners" | "repairs" | "consignments", false) => narrowed(&[]),
        (_, "complaints", true) => one(&of.complaint),
        ("GET", "complaints", false) => narrowed(&[("all", "true")]),
        ("GET", "complaint-figures", false) => narrowed(&[]),
        (_, "major-requests", true) => {
            let answer = json!({ "kind": "consent", "side": "customer" });
            Some(vec![(fill(&of.major).replace("{step}", &of.complaint), answer)])
        }
        ("GET", "major-requests", false) => narrowed(&[("all", "true")]),
        ("GET", "major-figures", false) => narrowed(&[]),
        ("GET", "visits", false) => narrowed(&[("mine", "true")]),
        ("GET", "briefing", false) => narrowed(&[]),
        ("GET", "knowledge", false) if path.ends_with("knowledge") => narrowed(&[("q", "plug")]),
        ("GET", "knowledge", false) => narrowed(&[]),
        // The manual is ours alone: no customer sees any of it.
        (_, "knowledge", _) => one(&of.command),
        ("GET", "call-backs", false) => narrowed(&[]),
        ("GET", "satisfaction", false) => narrowed(&[("month", "2026-11")]),
        ("PUT", "inspections", false) => {
            let body = json!({ "contract_id": of.contract, "site_id": of.site, "event": "commissioned", "day": "2026-01-31" });
            Some(vec![(path.to_owned(), body)])
        }
        ("POST", "inspections", false) => {
            let body = json!({ "site_id": of.site, "contract_id": of.contract, "kind": "training", "day": "2026-12-01",
                "by": "mine", "evidence": "call", "why": "mine" });
            Some(vec![(path.to_owned(), body)])
        }
        (_, "inspections", true) => one(&of.inspection),
        ("GET", "inspections", false) if path.ends_with("inspections") => narrowed(&[("site_id", &of.site)]),
        ("GET", "inspections", false) => narrowed(&[]),
        (_, "users", true) => one(&of.person),
        (_, "duty", true) => one(&of.duty),
        // What is sent how, and to whom outside: the installation's own, which no customer may look at.
        (_, "channels", false) if path.contains('{') => {
            Some(vec![(path.replace("{channel}", "slack"), body.clone())])
        }
        ("GET", "channels" | "deliveries" | "receivers", false) => narrowed(&[]),
        (_, "receivers", true) => one(&of.team),
        ("GET", "maintenance" | "topology", false) => narrowed(&[("site_id", &of.site)]),
        (_, "maintenance", true) => one(&of.ticket),
        ("POST", "topology", false) => {
            Some(vec![(path.to_owned(), json!({ "accept": [of.device], "dismiss": [of.ticket] }))])
        }
        (_, "teams", true) => one(&of.team),
        (_, "rotas", true) => one(&of.rota),
        // Who is on duty, and what happened on duty, is ours alone: no customer sees any of it.
        (_, "swaps" | "feeds" | "calls" | "duty_facts" | "handovers" | "statements" | "duty_terms", _) => {
            one(&of.rota)
        }
        ("GET", "teams" | "rotas", false) => narrowed(&[]),
        ("GET", "contracts", false) if path == "/api/v1/contracts" => {
            narrowed(&[("site_id", &of.site), ("customer_id", &of.customer)])
        }
        ("GET", "contracts", false) => narrowed(&[]),
        ("GET", "contracts", true) if path.ends_with("/difference") => {
            Some(vec![(format!("{}?before=1&after=1", fill(&of.contract)), body.clone())])
        }
        (_, "contracts", true) => {
            Some(vec![(fill(&of.contract).replace("{number}", "1"), contract_body(of))])
        }
        // What is asked of a text that is not kept knows no rows.
        ("POST", "contracts", false) if path != "/api/v1/contracts" => None,
        ("POST", "contracts", false) => Some(vec![(path.to_owned(), contract_body(of))]),
        ("GET", "calendars", false) if path.ends_with("/days") => {
            let days = "from=2026-02-01&to=2026-02-02&calendar=work";
            Some(vec![(format!("{path}?{days}&contract_id={}", of.contract), body.clone())])
        }
        ("GET", "calendars", false) => narrowed(&[]),
        (_, "escalation" | "pager", true) => one(&of.person),
        ("GET", "escalation" | "pager" | "skills", false) => {
            narrowed(&[("fault=unreachable&device_id", &of.device), ("site_id", &of.site)])
        }
        ("POST", "escalation" | "pager", false) => {
            let body =
                json!({ "site_id": of.site, "account_id": of.person, "kind": "manager", "name": "mine" });
            Some(vec![(path.to_owned(), body)])
        }
        ("GET", "devices", false) => {
            narrowed(&[("site_id", &of.site), ("gateway_id", &of.gateway), ("q", of.mark)])
        }
        ("GET", "incidents", false) => {
            narrowed(&[("site_id", &of.site), ("device_id", &of.device), ("state", "all")])
        }
        ("GET", "tickets", false) => {
            narrowed(&[("site_id", &of.site), ("device_id", &of.device), ("q", of.mark), ("q", &of.number)])
        }
        ("GET", "clocks", false) => narrowed(&[("site_id", &of.site)]),
        ("GET", "search", false) => Some(
            vec![of.mark, "10.0.0.7", of.number.as_str()]
                .into_iter()
                .map(|q| (format!("{path}?q={q}"), json!({})))
                .collect(),
        ),
        (
            "GET",
            "customers" | "sites" | "gateways" | "users" | "duty" | "audit" | "board" | "live" | "wire",
            false,
        ) => narrowed(&[("site_id", &of.site)]),
        ("POST", "tickets", false) => Some(vec![(path.to_owned(), at_site), (path.to_owned(), at_device)]),
        (
            "POST",
            "customers" | "sites" | "gateways" | "devices" | "users" | "duty" | "teams" | "rotas"
            | "maintenance" | "receivers",
            false,
        ) => {
            let body = json!({ "customer_id": of.customer, "site_id": of.site, "gateway_id": of.gateway,
                "account_id": of.person, "name": "mine", "zone": "UTC", "login": "mine", "role": "noc" });
            Some(vec![(path.to_owned(), body)])
        }
        (method, _, _) => panic!("write down how somebody would ask for another's rows: {method} {path}"),
    }
}

async fn nobody_sees_anothers_rows(engine: Engine) {
    let desk = Desk::open(engine).await;
    let admin = desk.person("root", Role::Administrator, None).await;
    let alpha = furnish(&desk, &admin, "Alpha").await;
    let bravo = furnish(&desk, &admin, "Bravo").await;
    let viewer = desk.person("alpha.boss", Role::Customer, Some(&alpha.customer)).await;
    let secret = [
        bravo.mark,
        &bravo.customer,
        &bravo.site,
        &bravo.gateway,
        &bravo.device,
        &bravo.incident,
        &bravo.ticket,
        &bravo.command,
        &bravo.person,
        &bravo.contact,
        &bravo.duty,
        &bravo.team,
        &bravo.rota,
        &bravo.contract,
        &bravo.inspection,
        &bravo.complaint,
        &bravo.major,
    ];
    let before = admin.get(&format!("/api/v1/tickets/{}", bravo.ticket)).await.ok();

    let mut asked = 0;
    for (method, path, _) in routes().table() {
        let Some(asks) = case(&method, path, &bravo) else { continue };
        let own = case(&method, path, &alpha).unwrap();
        for ((path_of_bravo, body), (own_path, _)) in asks.into_iter().zip(own) {
            asked += 1;
            let what = format!("{method} {path_of_bravo} {body}");
            if path == "/api/v1/live" {
                let (answer, stream) = viewer.open(&path_of_bravo).await;
                let snapshot = first_event(stream).await;
                assert_eq!(answer.status, 200);
                assert!(snapshot.contains("Alpha Camera"), "{snapshot}");
                for word in secret {
                    assert!(!snapshot.contains(word), "{what} shows `{word}`: {snapshot}");
                }
                continue;
            }
            let body = (method != Method::GET).then_some(&body);
            let answer = viewer.send(method.clone(), &path_of_bravo, body).await;
            if path.contains("{id}") || method != Method::GET {
                assert!(
                    matches!(answer.status.as_u16(), 403 | 404),
                    "{what}: {} {}",
                    answer.status,
                    answer.text
                );
            }
            // The request's own words may come back in a refusal; a row may not.
            let said = if answer.status.is_success() { answer.text.clone() } else { String::new() };
            for word in secret {
                assert!(!said.contains(word), "{what} shows `{word}`: {said}");
            }
            // The same question about one's own rows is answered, unless the role may not ask it at all.
            if method == Method::GET && answer.status != 403 {
                let mine = viewer.get(&own_path).await;
                assert_eq!(mine.status, 200, "GET {own_path}: {}", mine.text);
                let quiet = [
                    "/states",
                    "/history",
                    "/events",
                    "/maintenance",
                    "/proposals",
                    "/remedies",
                    "/topology",
                    "/difference",
                    "/days",
                    "/deal",
                    "/closures",
                ];
                let quiet = quiet.iter().any(|end| path.ends_with(end));
                assert!(
                    quiet || mine.text.contains(&alpha.device) || mine.text.contains("Alpha"),
                    "GET {own_path}: {}",
                    mine.text
                );
            }
        }
    }
    assert!(asked > 50, "only {asked} questions were asked");
    let after = admin.get(&format!("/api/v1/tickets/{}", bravo.ticket)).await.ok();
    assert_eq!(before, after, "Bravo's ticket was touched");

    // Within its own rows a customer may speak, and does not learn how the people who are paged are reached.
    let note = viewer
        .post(&format!("/api/v1/tickets/{}/note", alpha.ticket), &json!({ "text": "thanks" }))
        .await
        .ok();
    assert!(!note.to_string().contains("Alpha@example.com"), "{note}");
}

/// The first event of a stream.
async fn first_event(body: axum::body::Body) -> String {
    use futures_util::StreamExt as _;
    let mut stream = body.into_data_stream();
    let mut text = String::new();
    while !text.contains("\n\n") {
        match stream.next().await {
            Some(chunk) => text.push_str(&String::from_utf8_lossy(&chunk.unwrap())),
            None => break,
        }
    }
    text
}

#[tokio::test]
async fn one_customer_never_sees_anothers_rows() {
    for engine in ENGINES {
        nobody_sees_anothers_rows(engine).await;
    }
}
