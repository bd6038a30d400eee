//! HTTP against lighttpd, whose Digest is not ours.

use sitewarden_agent::probe::OutcomeState::{Bad, Good, Rejected, Silent};
use sitewarden_tests::peer::{Lighttpd, TlsPort, free_tcp_port};

use super::{codes, run, text};

fn digest(port: u16, password: &str) -> String {
    format!(
        "kind = \"http\"\nport = {port}\npath = \"/private/index.html\"\nauth = \"digest\"\nuser = \"{}\"\n\
         password = \"{password}\"",
        Lighttpd::USER
    )
}

#[tokio::test]
async fn the_right_password_opens_the_page_by_either_algorithm() {
    for algorithm in ["MD5", "SHA-256"] {
        let server = Lighttpd::start(algorithm).await;
        let check =
            format!("{}\nexpect_text = \"<model>DS-2CD</model>\"", digest(server.port, Lighttpd::PASSWORD));
        let outcome = run(&check).await;
        assert_eq!(outcome.state, Good, "{algorithm}: {outcome:#?}");
        assert!(outcome.facts["server"].starts_with("lighttpd"));
        assert_eq!(server.statuses("/private/index.html").await, [401, 200]);
    }
}

#[tokio::test]
async fn a_wrong_password_is_sent_exactly_once() {
    let server = Lighttpd::start("MD5").await;
    let outcome = run(&digest(server.port, "wrong-password")).await;
    assert_eq!((outcome.state, codes(&outcome)), (Rejected, vec!["http_auth_rejected"]));
    // The first 401 hands out the nonce, the second answers our credentials. There is no third.
    assert_eq!(server.statuses("/private/index.html").await, [401, 401]);
}

#[tokio::test]
async fn a_page_that_wants_a_password_is_not_called_broken() {
    let server = Lighttpd::start("MD5").await;
    let check = format!("kind = \"http\"\nport = {}\npath = \"/private/index.html\"", server.port);
    let outcome = run(&check).await;
    assert_eq!((outcome.state, codes(&outcome)), (Rejected, vec!["http_auth_rejected"]));
    assert_eq!(run(&format!("{check}\nexpect_status = 401")).await.state, Good);
}

#[tokio::test]
async fn a_wrong_status_and_a_missing_text_are_two_things() {
    let server = Lighttpd::start("MD5").await;
    let check = format!("kind = \"http\"\nport = {}", server.port);
    let missing = run(&format!("{check}\npath = \"/no-such-page\"")).await;
    assert_eq!((missing.state, codes(&missing)), (Bad, vec!["http_status"]));
    assert_eq!(missing.faults[0].evidence["status"], 404);
    let other = run(&format!("{check}\nexpect_text = \"recording\"")).await;
    assert_eq!((other.state, codes(&other)), (Bad, vec!["http_text_missing"]));
    assert_eq!(other.faults[0].evidence["page_start"], "open to everybody");
}

#[tokio::test]
async fn nobody_listening_is_silence() {
    let outcome = run(&format!("kind = \"http\"\nport = {}", free_tcp_port())).await;
    assert_eq!((outcome.state, codes(&outcome)), (Silent, vec!["http_silent"]));
    assert_eq!(outcome.faults[0].evidence["reason"], "refused");
}

#[tokio::test]
async fn https_with_a_certificate_nobody_signed_is_read_and_its_facts_kept() {
    let device = TlsPort::until("2036-01-01T00:00:00Z".parse().unwrap()).await;
    let check = format!("kind = \"http\"\ntls = true\nport = {}\nexpect_text = \"ok\"", device.port);
    let outcome = run(&check).await;
    assert_eq!(outcome.state, Good, "{outcome:#?}");
    assert_eq!(outcome.facts["not_after"], "2036-01-01T00:00:00Z");

    let old = TlsPort::obsolete().await;
    let outcome = run(&format!("kind = \"http\"\ntls = true\nport = {}", old.port)).await;
    assert_eq!(codes(&outcome), ["tls_obsolete"], "{outcome:#?}");

    let plain = TlsPort::plain().await;
    let outcome = run(&format!("kind = \"http\"\ntls = true\nport = {}", plain.port)).await;
    assert_eq!((outcome.state, codes(&outcome)), (Bad, vec!["http_silent"]), "{}", text(&outcome));
}
