//! Who may do what, cell by cell: every route of the server, asked by every role and by nobody, through
//! the real router. The table below is written by hand and is not derived from the one in the server:
//! a new route does not pass until somebody has written down who may use it.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::json;
use sitewarden_server::router::routes;
use sitewarden_server::user::Role;
use sitewarden_tests::client::Answer;
use sitewarden_tests::database::{ENGINES, Engine};
use sitewarden_tests::desk::Desk;

/// Route, and who may: `A`dministrator, `N`OC, `T`echnician, `C`ustomer, `-` somebody not signed in.
const TABLE: &[(&str, &str)] = &[
    ("POST /api/v1/session", "ANTC-"),
    ("DELETE /api/v1/session", "ANTC"),
    ("GET /api/v1/me", "ANTC"),
    ("PATCH /api/v1/me", "ANTC"),
    ("POST /api/v1/me/password", "ANTC"),
    ("GET /api/v1/users", "ANT"),
    ("POST /api/v1/users", "A"),
    ("PATCH /api/v1/users/{id}", "A"),
    ("GET /api/v1/users/{id}/contacts", "ANT"),
    ("POST /api/v1/users/{id}/contacts", "ANT"),
    ("PATCH /api/v1/users/{id}/contacts/{cid}", "ANT"),
    ("DELETE /api/v1/users/{id}/contacts/{cid}", "ANT"),
    ("POST /api/v1/users/{id}/contacts/{cid}/test", "ANT"),
    ("GET /api/v1/duty", "ANT"),
    ("POST /api/v1/duty", "AN"),
    ("DELETE /api/v1/duty/{id}", "AN"),
    ("GET /api/v1/teams", "ANT"),
    ("POST /api/v1/teams", "AN"),
    ("PATCH /api/v1/teams/{id}", "AN"),
    ("GET /api/v1/rotas", "ANT"),
    ("POST /api/v1/rotas", "AN"),
    ("POST /api/v1/rotas/preview", "AN"),
    ("GET /api/v1/rotas/{id}", "ANT"),
    ("PATCH /api/v1/rotas/{id}", "AN"),
    ("PUT /api/v1/rotas/{id}/plan", "AN"),
    ("GET /api/v1/rotas/{id}/shifts", "ANT"),
    ("GET /api/v1/rotas/{id}/on_duty", "ANT"),
    ("POST /api/v1/rotas/{id}/overrides", "AN"),
    ("DELETE /api/v1/rotas/{id}/overrides/{cid}", "AN"),
    ("GET /api/v1/swaps", "ANT"),
    ("POST /api/v1/rotas/{id}/swaps", "ANT"),
    ("POST /api/v1/swaps/{id}/accept", "ANT"),
    ("POST /api/v1/swaps/{id}/decline", "ANT"),
    ("POST /api/v1/swaps/{id}/withdraw", "ANT"),
    ("GET /api/v1/feeds", "ANT"),
    ("POST /api/v1/feeds", "ANT"),
    ("DELETE /api/v1/feeds/{id}", "ANT"),
    ("GET /c/{token}", "ANTC-"),
    ("GET /api/v1/calls", "ANT"),
    ("POST /api/v1/calls", "ANT"),
    ("POST /api/v1/calls/{id}/correct", "ANT"),
    ("GET /api/v1/duty_facts", "ANT"),
    ("POST /api/v1/duty_facts", "ANT"),
    ("POST /api/v1/duty_facts/{id}/withdraw", "ANT"),
    ("GET /api/v1/handovers", "ANT"),
    ("GET /api/v1/handovers/draft", "ANT"),
    ("POST /api/v1/handovers", "ANT"),
    ("GET /api/v1/handovers/{id}", "ANT"),
    ("POST /api/v1/handovers/{id}/accept", "ANT"),
    ("DELETE /api/v1/handovers/{id}", "ANT"),
    ("GET /api/v1/duty_terms", "A"),
    ("POST /api/v1/duty_terms", "A"),
    ("GET /api/v1/statements", "ANT"),
    ("POST /api/v1/statements/{id}/close", "A"),
    ("GET /api/v1/audit", "A"),
    ("GET /api/v1/customers", "ANT"),
    ("POST /api/v1/customers", "A"),
    ("GET /api/v1/customers/{id}", "ANT"),
    ("PATCH /api/v1/customers/{id}", "A"),
    ("GET /api/v1/sites", "ANTC"),
    ("POST /api/v1/sites", "A"),
    ("GET /api/v1/sites/{id}", "ANTC"),
    ("PATCH /api/v1/sites/{id}", "A"),
    ("GET /api/v1/gateways", "ANT"),
    ("POST /api/v1/gateways", "A"),
    ("GET /api/v1/gateways/{id}", "ANT"),
    ("GET /api/v1/gateways/{id}/gaps", "ANT"),
    ("GET /api/v1/wire", "ANT"),
    ("POST /api/v1/gateways/{id}/token", "A"),
    ("POST /api/v1/gateways/{id}/revoke", "A"),
    ("GET /api/v1/commands/{id}", "ANT"),
    ("POST /api/v1/enrol", "ANTC-"),
    ("POST /api/v1/enrol/renew", "ANTC-"),
    ("GET /api/v1/devices", "ANTC"),
    ("POST /api/v1/devices", "AN"),
    ("GET /api/v1/usual-checks", "ANTC"),
    ("GET /api/v1/devices/{id}", "ANTC"),
    ("PATCH /api/v1/devices/{id}", "AN"),
    ("DELETE /api/v1/devices/{id}", "AN"),
    ("POST /api/v1/devices/{id}/probe", "ANT"),
    ("GET /api/v1/devices/{id}/remedies", "ANTC"),
    ("POST /api/v1/devices/{id}/remedies", "ANT"),
    ("GET /api/v1/devices/{id}/topology", "ANTC"),
    ("PUT /api/v1/devices/{id}/port", "AN"),
    ("DELETE /api/v1/devices/{id}/port", "AN"),
    ("GET /api/v1/topology/proposals", "ANTC"),
    ("POST /api/v1/topology/proposals", "AN"),
    ("GET /api/v1/sites/{id}/remedies", "ANTC"),
    ("PUT /api/v1/sites/{id}/remedies", "A"),
    ("POST /api/v1/sites/{id}/remedies/consents", "A"),
    ("DELETE /api/v1/sites/{id}/remedies/consents/{consent}", "A"),
    ("GET /api/v1/devices/{id}/events", "ANTC"),
    ("GET /api/v1/devices/{id}/states", "ANTC"),
    ("GET /api/v1/devices/{id}/history", "ANTC"),
    ("GET /api/v1/gateways/{id}/parents", "ANT"),
    ("PUT /api/v1/gateways/{id}/parents", "AN"),
    ("GET /api/v1/maintenance", "ANTC"),
    ("POST /api/v1/maintenance", "ANT"),
    ("POST /api/v1/maintenance/{id}/end", "ANT"),
    ("POST /api/v1/maintenance/{id}/extend", "ANT"),
    ("POST /api/v1/maintenance/{id}/arrive", "ANT"),
    ("GET /api/v1/incidents", "ANTC"),
    ("GET /api/v1/incidents/{id}", "ANTC"),
    ("GET /api/v1/tickets", "ANTC"),
    ("POST /api/v1/tickets", "ANTC"),
    ("GET /api/v1/tickets/{id}", "ANTC"),
    ("POST /api/v1/tickets/{id}/ack", "ANT"),
    ("POST /api/v1/tickets/{id}/note", "ANTC"),
    ("POST /api/v1/tickets/{id}/assign", "AN"),
    ("POST /api/v1/tickets/{id}/close", "ANT"),
    ("POST /api/v1/tickets/{id}/reopen", "ANT"),
    ("GET /api/v1/calendars", "ANTC"),
    ("GET /api/v1/calendars/days", "ANTC"),
    ("GET /api/v1/contracts", "ANTC"),
    ("POST /api/v1/contracts", "A"),
    ("POST /api/v1/contracts/check", "ANT"),
    ("POST /api/v1/contracts/compare", "ANT"),
    ("POST /api/v1/contracts/preview", "ANT"),
    ("POST /api/v1/contracts/quote", "ANT"),
    ("GET /api/v1/contracts/templates", "ANT"),
    ("GET /api/v1/contracts/templates/{name}", "ANT"),
    ("GET /api/v1/contracts/{id}", "ANTC"),
    ("POST /api/v1/contracts/{id}/versions", "A"),
    ("GET /api/v1/contracts/{id}/versions/{number}", "ANTC"),
    ("GET /api/v1/contracts/{id}/difference", "ANTC"),
    ("PUT /api/v1/contracts/{id}/sites", "A"),
    ("POST /api/v1/contracts/{id}/accept", "A"),
    ("POST /api/v1/contracts/{id}/withdraw", "A"),
    ("POST /api/v1/contracts/{id}/serve", "A"),
    ("POST /api/v1/contracts/{id}/end", "A"),
    ("GET /api/v1/tickets/{id}/clocks", "ANTC"),
    ("POST /api/v1/tickets/{id}/facts", "ANT"),
    ("POST /api/v1/tickets/{id}/ruling", "AN"),
    ("GET /api/v1/tickets/{id}/deal", "ANTC"),
    ("POST /api/v1/tickets/{id}/deal", "ANT"),
    ("POST /api/v1/tickets/{id}/deal/answer", "ANTC"),
    ("POST /api/v1/tickets/{id}/deal/ruling", "AN"),
    ("GET /api/v1/clocks", "ANTC"),
    ("GET /api/v1/tickets/{id}/visits", "ANT"),
    ("GET /api/v1/tickets/{id}/dispatch", "AN"),
    ("GET /api/v1/tickets/{id}/knowledge", "ANT"),
    ("GET /api/v1/tickets/{id}/repeats", "ANT"),
    ("GET /api/v1/knowledge", "ANT"),
    ("GET /api/v1/knowledge/proposals", "ANT"),
    ("GET /api/v1/knowledge/items", "ANT"),
    ("POST /api/v1/knowledge/items", "AN"),
    ("PUT /api/v1/knowledge/items/{id}", "AN"),
    ("DELETE /api/v1/knowledge/items/{id}", "AN"),
    ("GET /api/v1/visits", "ANT"),
    ("GET /api/v1/briefing", "ANT"),
    ("GET /api/v1/visits/{id}", "ANT"),
    ("GET /api/v1/visits/{id}/slip.pdf", "ANT"),
    ("GET /api/v1/visits/{id}/photos/{photo}", "ANT"),
    ("PUT /api/v1/visits/{id}/photos/{photo}", "ANT"),
    ("PUT /api/v1/visits/{id}", "ANT"),
    ("PUT /api/v1/visits/{id}/steps/{step}", "ANT"),
    ("GET /api/v1/parts", "ANT"),
    ("GET /api/v1/parts/kinds", "ANT"),
    ("PUT /api/v1/parts/kinds/{id}", "AN"),
    ("GET /api/v1/parts/places", "ANT"),
    ("PUT /api/v1/parts/places/{id}", "AN"),
    ("GET /api/v1/parts/moves", "ANT"),
    ("PUT /api/v1/parts/moves/{id}", "ANT"),
    ("PUT /api/v1/visits/{id}/parts/{part}", "ANT"),
    ("GET /api/v1/parts/reorder", "ANT"),
    ("GET /api/v1/repairs", "ANT"),
    ("PUT /api/v1/repairs/{id}", "ANT"),
    ("POST /api/v1/repairs/{id}/steps", "ANT"),
    ("GET /api/v1/consignments", "ANT"),
    ("GET /api/v1/consignments/proposal", "AN"),
    ("PUT /api/v1/consignments/{id}", "AN"),
    ("POST /api/v1/consignments/{id}/release", "AN"),
    ("POST /api/v1/consignments/{id}/end", "ANT"),
    ("GET /api/v1/loaners", "ANT"),
    ("PUT /api/v1/loaners/{id}", "ANT"),
    ("POST /api/v1/loaners/{id}/due", "AN"),
    ("POST /api/v1/loaners/{id}/end", "ANT"),
    ("GET /api/v1/call-backs", "ANT"),
    ("GET /api/v1/visits/{id}/call-backs", "ANT"),
    ("PUT /api/v1/visits/{id}/call-backs/{call}", "AN"),
    ("GET /api/v1/satisfaction", "ANT"),
    ("GET /api/v1/complaints", "ANC"),
    ("GET /api/v1/complaints/{id}", "ANC"),
    ("PUT /api/v1/complaints/{id}", "AN"),
    ("PUT /api/v1/complaints/{id}/steps/{step}", "AN"),
    ("GET /api/v1/complaint-figures", "ANC"),
    ("GET /api/v1/major-requests", "ANTC"),
    ("GET /api/v1/major-requests/{id}", "ANTC"),
    ("PUT /api/v1/major-requests/{id}", "ANT"),
    ("PUT /api/v1/major-requests/{id}/answers/{step}", "ANC"),
    ("PUT /api/v1/major-requests/{id}/work/{step}", "ANT"),
    ("GET /api/v1/major-figures", "ANTC"),
    ("GET /api/v1/inspections", "ANTC"),
    ("POST /api/v1/inspections", "AN"),
    ("GET /api/v1/inspections/plans", "ANTC"),
    ("GET /api/v1/inspections/coverage", "ANTC"),
    ("PUT /api/v1/inspections/anchors", "AN"),
    ("GET /api/v1/inspections/{id}", "ANTC"),
    ("GET /api/v1/inspections/{id}/days", "AN"),
    ("POST /api/v1/inspections/{id}/agree", "ANTC"),
    ("POST /api/v1/inspections/{id}/move", "ANTC"),
    ("POST /api/v1/inspections/{id}/waive", "AN"),
    ("POST /api/v1/inspections/{id}/withdraw", "AN"),
    ("POST /api/v1/inspections/{id}/done", "ANT"),
    ("POST /api/v1/inspections/{id}/devices", "ANT"),
    ("GET /api/v1/inspections/{id}/sheet", "ANTC"),
    ("GET /api/v1/inspections/{id}/report.pdf", "ANTC"),
    ("PUT /api/v1/inspections/{id}/sheet", "ANT"),
    ("GET /api/v1/sites/{id}/closures", "ANTC"),
    ("POST /api/v1/sites/{id}/closures", "AN"),
    ("DELETE /api/v1/sites/{id}/closures/{closure}", "AN"),
    ("GET /api/v1/sites/{id}/tags", "ANT"),
    ("GET /api/v1/sites/{id}/tags.pdf", "A"),
    ("POST /api/v1/sites/{id}/tags", "A"),
    ("DELETE /api/v1/sites/{id}/tags/{tag}", "A"),
    ("POST /api/v1/tickets/{id}/hand-back", "ANT"),
    ("POST /api/v1/tickets/{id}/take-over", "ANT"),
    ("POST /api/v1/tickets/{id}/reroute", "ANT"),
    ("POST /api/v1/tickets/{id}/experts", "ANT"),
    ("GET /api/v1/users/{id}/skills", "A"),
    ("PUT /api/v1/users/{id}/skills", "A"),
    ("GET /api/v1/skills", "ANT"),
    ("GET /api/v1/escalation/plans", "ANT"),
    ("POST /api/v1/escalation/plans", "AN"),
    ("PUT /api/v1/escalation/plans/{id}", "AN"),
    ("DELETE /api/v1/escalation/plans/{id}", "AN"),
    ("POST /api/v1/escalation/check", "ANT"),
    ("GET /api/v1/escalation/people", "ANT"),
    ("POST /api/v1/escalation/people", "AN"),
    ("DELETE /api/v1/escalation/people/{id}", "AN"),
    ("GET /api/v1/escalation/forecast", "ANT"),
    ("GET /api/v1/pager", "ANT"),
    ("POST /api/v1/pager/heartbeats", "A"),
    ("DELETE /api/v1/pager/heartbeats/{id}", "A"),
    ("POST /api/v1/pager/peers", "A"),
    ("DELETE /api/v1/pager/peers/{id}", "A"),
    // Whoever speaks here proves it with the token of the installation.
    ("GET /api/v1/heartbeat", "ANTC-"),
    ("POST /api/v1/heartbeat", "ANTC-"),
    ("GET /api/v1/channels", "ANT"),
    ("PUT /api/v1/channels/{channel}", "A"),
    ("DELETE /api/v1/channels/{channel}", "A"),
    ("GET /api/v1/push-key", "ANT"),
    ("GET /api/v1/deliveries", "AN"),
    ("GET /api/v1/receivers", "A"),
    ("POST /api/v1/receivers", "A"),
    ("PATCH /api/v1/receivers/{id}", "A"),
    ("DELETE /api/v1/receivers/{id}", "A"),
    ("POST /api/v1/receivers/{id}/test", "A"),
    ("GET /api/v1/gateways/{id}/local-page", "A"),
    ("PUT /api/v1/gateways/{id}/local-page", "A"),
    ("DELETE /api/v1/gateways/{id}/local-page", "A"),
    ("GET /api/v1/gateways/{id}/discoveries", "AN"),
    ("POST /api/v1/gateways/{id}/discoveries", "AN"),
    ("GET /a/{token}", "ANTC-"),
    ("POST /a/{token}", "ANTC-"),
    ("GET /api/v1/board", "ANTC"),
    ("GET /api/v1/live", "ANTC"),
    ("GET /api/v1/faults", "ANTC"),
    ("GET /api/v1/search", "ANTC"),
    ("GET /api/v1/openapi.json", "ANTC-"),
    ("GET /healthz", "ANTC-"),
    // A scraper on this machine needs no account; elsewhere it needs a token (see people.rs).
    ("GET /metrics", "ANTC-"),
];

#[test]
fn the_table_names_every_route() {
    let routed: BTreeSet<String> =
        routes().table().iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    let named: BTreeSet<String> = TABLE.iter().map(|(route, _)| (*route).to_owned()).collect();
    assert_eq!(named.len(), TABLE.len(), "a route is named twice");
    assert_eq!(routed.symmetric_difference(&named).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// Whether the guard let the request through; what the handler then made of it does not matter here.
fn passed(answer: &Answer) -> bool {
    let code = answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
    match code.as_str() {
        "not_permitted" => assert_eq!(answer.status, 403),
        "not_signed_in" => assert_eq!(answer.status, 401),
        _ => return true,
    }
    false
}

async fn every_cell(engine: Engine) {
    let desk = Desk::open(engine).await;
    desk.add("first", Role::Administrator, None, false).await;
    let admin = desk.nobody().sign_in("first", sitewarden_tests::desk::PASSWORD).await;
    let customer = admin.post("/api/v1/customers", &json!({ "name": "Alpha" })).await.ok();
    let customer = customer["id"].as_str();

    for (letter, role) in [
        ('A', Some(Role::Administrator)),
        ('N', Some(Role::Noc)),
        ('T', Some(Role::Technician)),
        ('C', Some(Role::Customer)),
        ('-', None),
    ] {
        let who = match role {
            Some(role) => {
                desk.person(&format!("p.{}", role.as_str()), role, customer.filter(|_| letter == 'C')).await
            }
            None => desk.nobody(),
        };
        // Signing out comes last: it takes the session with it.
        let (last, first): (Vec<_>, Vec<_>) =
            TABLE.iter().partition(|(route, _)| *route == "DELETE /api/v1/session");
        for (route, may) in first.into_iter().chain(last) {
            let (method, path) = route.split_once(' ').unwrap();
            let path = path.replace("{id}", "none").replace("{cid}", "none").replace("{token}", "none");
            let method: Method = method.parse().unwrap();
            let body = json!({});
            let answer = if path == "/api/v1/live" {
                who.open(&path).await.0
            } else {
                who.send(method.clone(), &path, (method != Method::GET).then_some(&body)).await
            };
            let expected = may.contains(letter);
            assert_eq!(
                passed(&answer),
                expected,
                "{route} asked by {letter}: {} {}",
                answer.status,
                answer.text
            );
            assert_ne!(answer.status, 500, "{route} asked by {letter}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn every_cell_of_the_permission_table() {
    for engine in ENGINES {
        every_cell(engine).await;
    }
}
