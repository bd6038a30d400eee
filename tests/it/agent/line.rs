//! The real agent and the real server over a line that loses one segment in a hundred, and one that loses three in
//! ten and is cut again and again: everything arrives, once.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;
use sitewarden_tests::database::Engine;
use sitewarden_tests::door::Door;
use sitewarden_tests::line::Line;
use sitewarden_tests::stories_in_parallel;

use super::certificate::Scene;

stories_in_parallel![one_segment_in_a_hundred_is_lost, three_segments_in_ten_are_lost];

const LIMIT: Duration = Duration::from_secs(90);

async fn one_segment_in_a_hundred_is_lost(engine: Engine) {
    everything_arrives_once(engine, 0.01).await;
}

async fn three_segments_in_ten_are_lost(engine: Engine) {
    everything_arrives_once(engine, 0.3).await;
}

async fn everything_arrives_once(engine: Engine, loss: f64) {
    let seed: u64 = rand::random();
    eprintln!("seed {seed}");
    let mut scene = Scene::set(engine).await;
    let door: SocketAddr = scene.door();
    let line = Line::to(door, loss, seed).await;
    scene.agent_speaks_to(line.address);
    let mut target = Door::watched(&scene.api, &scene.gateway).await;
    scene.start_agent();
    scene.gateway_is("online", Timestamp::UNIX_EPOCH).await;
    target.is(&scene.api, "ok", LIMIT).await;
    for _ in 0..2 {
        target.closes();
        target.is(&scene.api, "down", LIMIT).await;
        target.opens().await;
        target.is(&scene.api, "ok", LIMIT).await;
    }
    let incidents = scene.api.list("/incidents?state=all").await.unwrap();
    let of_device =
        incidents.iter().filter(|incident| incident["device_id"] == target.device.as_str()).count();
    assert_eq!(of_device, 2, "seed {seed}, {} cuts: {incidents:#?}", line.cuts());
}
