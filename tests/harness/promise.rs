//! What was promised: a contract in service, as a story needs it before the first ticket.

use jiff::Timestamp;
use sitewarden_server::app::App;
use sitewarden_server::contract::document;
use sitewarden_server::contract::life::Life;
use sitewarden_server::contract::store::{self, Covered};

/// Puts a contract into service that covers one site from `valid_from` on; its id.
pub async fn promise(app: &App, customer: &str, site: &str, text: &str, valid_from: Timestamp) -> String {
    usable(text);
    let now = app.clock.now();
    let mut tx = app.db.write().await.expect("a transaction");
    let id = store::add(&mut tx, customer, "Everyday", now).await.expect("a contract");
    let by = ("chen.yu", "");
    store::add_version(&mut tx, id.as_str(), text, valid_from, by, now).await.expect("a version");
    let sites = [Covered { site_id: site.to_owned(), zone: String::new() }];
    store::set_sites(&mut tx, id.as_str(), &sites, now).await.expect("its sites");
    for state in [Life::Accepted, Life::InService] {
        store::set_state(&mut tx, id.as_str(), state, now).await.expect("a state");
    }
    tx.commit().await.expect("a commit");
    id.to_string()
}

/// Writes down another version of a contract; its number.
pub async fn another(app: &App, contract: &str, text: &str, valid_from: Timestamp) -> i64 {
    usable(text);
    let now = app.clock.now();
    let mut tx = app.db.write().await.expect("a transaction");
    let by = ("chen.yu", "");
    let number = store::add_version(&mut tx, contract, text, valid_from, by, now).await.expect("a version");
    tx.commit().await.expect("a commit");
    number
}

fn usable(text: &str) {
    let read = document::read(text);
    assert!(read.contract.is_some(), "{:#?}", read.remarks);
}
