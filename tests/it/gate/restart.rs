//! The server comes back, and with it every gateway at the same moment, all from one address.

use std::time::Instant;

use sitewarden_server::config::Limits;
use sitewarden_tests::crowd::rush;
use sitewarden_tests::database::Engine;
use sitewarden_tests::fleet::Fleet;
use sitewarden_tests::stories_in_parallel;

const GATEWAYS: usize = 200;

/// With fewer handshakes at once than gateways, the others wait: nobody is turned away and has to come again.
async fn every_gateway_is_seated_after_a_restart(engine: Engine) {
    super::allow_many_sockets();
    let fleet = Fleet::enrolled(engine, GATEWAYS, Limits::default()).await;
    let first = fleet.serve().await;
    let seated = rush(first.door, &fleet.passes).await;
    assert_eq!(seated.len(), GATEWAYS);
    drop((first, seated));
    let second = fleet.serve().await;
    let began = Instant::now();
    let seated = rush(second.door, &fleet.passes).await;
    println!("{GATEWAYS} gateways seated and their births answered in {:?}", began.elapsed());
    assert_eq!(seated.len(), GATEWAYS);
    let metrics =
        reqwest::get(format!("http://{}/metrics", second.http)).await.unwrap().text().await.unwrap();
    let says = |line: &str| assert!(metrics.lines().any(|l| l == line), "{line} is missing in\n{metrics}");
    says("sitewarden_door_refused_total{reason=\"too_many_from_address\"} 0");
    says("sitewarden_door_refused_total{reason=\"too_many_handshakes\"} 0");
    says(&format!("sitewarden_gateways_connected {GATEWAYS}"));
}

stories_in_parallel![every_gateway_is_seated_after_a_restart];
