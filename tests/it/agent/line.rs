//! The real agent and the real server over a line that loses one segment in a hundred, and one that loses three in
//! ten and is cut again and again: everything arrives, once.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use sitewarden_tests::database::Engine;
use sitewarden_tests::line::Line;
use sitewarden_tests::{stories_in_parallel, until};
use tokio::net::TcpListener;

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
    let target = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = target.local_addr().unwrap();
    let checks = format!(
        "[[check]]\nkind = \"tcp\"\nport = {}\nevery = \"1s\"\ntimeout = \"1s\"\nconfirm = \"1/1\"\nclear = 1\n",
        address.port()
    );
    let new = json!({ "gateway_id": scene.gateway, "name": "door 4", "class": "access", "address": "127.0.0.1",
        "place": "", "parent_id": null, "checks": checks });
    let device = scene.api.post("/devices", &new).await.unwrap()["id"].as_str().unwrap().to_owned();
    scene.start_agent();
    scene.gateway_is("online", Timestamp::UNIX_EPOCH).await;
    let is = async |state: &str| {
        until(&format!("the device is {state} (seed {seed})"), LIMIT, async || {
            let device = scene.api.get(&format!("/devices/{device}")).await;
            device.is_ok_and(|device| device["state"] == state)
        })
        .await;
    };
    is("ok").await;
    let mut target = Some(target);
    for _ in 0..2 {
        drop(target.take());
        is("down").await;
        target = Some(TcpListener::bind(address).await.unwrap());
        is("ok").await;
    }
    let incidents = scene.api.list("/incidents?state=all").await.unwrap();
    let of_device = incidents.iter().filter(|incident| incident["device_id"] == device.as_str()).count();
    assert_eq!(of_device, 2, "seed {seed}, {} cuts: {incidents:#?}", line.cuts());
}
