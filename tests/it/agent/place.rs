//! The gateway's place changes under it: its own address in the middle of a session, the server's address behind
//! its name, the space on its disk. It goes on by itself, and nothing is lost or counted twice.
//!
//! Real programs and sockets: every address of 127.0.0.0/8 is this machine's. The agent gets file systems of its
//! own in a namespace, for a hosts file that changes and for a disk that is full.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use sitewarden_tests::database::Engine;
use sitewarden_tests::disk::fill;
use sitewarden_tests::door::Door;
use sitewarden_tests::{stories_in_parallel, until};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::certificate::Scene;

stories_in_parallel![both_ends_move, a_disk_that_is_really_full];

const LIMIT: Duration = Duration::from_secs(90);
const NAME: &str = "watch.example";

async fn is(door: &Door, scene: &Scene, state: &str) {
    door.is(&scene.api, state, LIMIT).await;
}

/// It failed so often, says the record, and nothing of the gateway's numbers is missing.
async fn failed(door: &Door, scene: &Scene, times: usize) {
    let incidents = scene.api.list("/incidents?state=all").await.unwrap();
    let own: Vec<&Value> = incidents.iter().filter(|i| i["device_id"] == door.device.as_str()).collect();
    assert_eq!(own.len(), times, "{own:#?}");
    assert!(own.iter().all(|incident| incident["closed_at"].is_i64()), "{own:#?}");
    assert_eq!(wire(scene).await["gaps"], 0);
}

async fn wire(scene: &Scene) -> Value {
    let gateways = scene.api.list("/gateways").await.unwrap();
    gateways.into_iter().find(|one| one["id"] == scene.gateway.as_str()).expect("the gateway")["wire"].clone()
}

/// A way to the server that comes out at one address and leaves from another.
struct Way {
    moved: CancellationToken,
    /// Ends at the server of connections that the gateway has lost and the server still believes in.
    held: Arc<Mutex<Vec<TcpStream>>>,
    tasks: JoinSet<()>,
}

impl Way {
    async fn lay(at: SocketAddr, from: Ipv4Addr, server: SocketAddr) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        let (moved, held) = (CancellationToken::new(), Arc::new(Mutex::new(Vec::new())));
        let mut tasks = JoinSet::new();
        let (ends, holds) = (moved.clone(), Arc::clone(&held));
        tasks.spawn(async move {
            let mut carried = JoinSet::new();
            while let Some(Ok((mut near, _))) = ends.run_until_cancelled(listener.accept()).await {
                let socket = TcpSocket::new_v4().unwrap();
                socket.bind((from, 0).into()).unwrap();
                let Ok(mut far) = socket.connect(server).await else { continue };
                let (ends, holds) = (ends.clone(), Arc::clone(&holds));
                carried.spawn(async move {
                    let talk = tokio::io::copy_bidirectional(&mut near, &mut far);
                    if ends.run_until_cancelled(talk).await.is_none() {
                        holds.lock().unwrap().push(far);
                    }
                });
            }
            carried.join_all().await;
        });
        Self { moved, held, tasks }
    }

    /// It ends for the gateway; the server hears nothing of that.
    async fn vanish(&mut self) {
        self.moved.cancel();
        while self.tasks.join_next().await.is_some() {}
        assert!(!self.held.lock().unwrap().is_empty(), "a session was in the middle of it");
    }
}

async fn both_ends_move(engine: Engine) {
    let mut scene = Scene::set(engine).await;
    let port = free_port();
    let at = |host: u8| SocketAddr::from(([127, 0, 5, host], port));
    let hosts = scene.file("hosts");
    let name_is = |host: u8| std::fs::write(&hosts, format!("127.0.5.{host} {NAME}\n")).unwrap();
    name_is(1);
    scene.agent_speaks_to_name(&format!("{NAME}:{port}"));
    let mut way = Way::lay(at(1), Ipv4Addr::new(127, 0, 6, 1), scene.door()).await;
    let mut door = Door::watched(&scene.api, &scene.gateway).await;
    scene.start_agent_apart(&format!("mount --bind {:?} /etc/hosts", hosts.display().to_string()));
    scene.gateway_is("online", Timestamp::UNIX_EPOCH).await;
    is(&door, &scene, "ok").await;

    // The gateway gets another address; the server still holds its old session, which is taken over.
    way.vanish().await;
    door.closes();
    let mut moved = Way::lay(at(1), Ipv4Addr::new(127, 0, 6, 2), scene.door()).await;
    is(&door, &scene, "down").await;
    door.opens().await;
    is(&door, &scene, "ok").await;

    // The server gets another address behind the same name.
    moved.vanish().await;
    name_is(2);
    door.closes();
    let _elsewhere = Way::lay(at(2), Ipv4Addr::new(127, 0, 6, 2), scene.door()).await;
    is(&door, &scene, "down").await;
    door.opens().await;
    is(&door, &scene, "ok").await;
    failed(&door, &scene, 2).await;
}

async fn a_disk_that_is_really_full(engine: Engine) {
    let mut scene = Scene::set(engine).await;
    let mut door = Door::watched(&scene.api, &scene.gateway).await;
    let data = scene.file("agent").display().to_string();
    scene.start_agent_apart(&format!(
        "cp -a {data} {data}.kept && mount -t tmpfs -o size=2m,mode=700 tmpfs {data} && cp -a {data}.kept/. {data}/"
    ));
    scene.gateway_is("online", Timestamp::UNIX_EPOCH).await;
    is(&door, &scene, "ok").await;
    let filler = scene.file_inside("agent/filler");
    fill(&filler);
    let disk_is = async |word: Value| {
        until(&format!("the disk is {word}"), LIMIT, async || wire(&scene).await["disk_trouble"] == word)
            .await;
    };
    door.closes();
    disk_is("full".into()).await;
    is(&door, &scene, "down").await;
    let standing = async || {
        let open = scene.api.list("/incidents?state=open").await.unwrap();
        open.iter().any(|incident| incident["code"] == "gateway_disk")
    };
    until("it is an incident", LIMIT, &standing).await;
    door.opens().await;
    is(&door, &scene, "ok").await;

    std::fs::remove_file(&filler).unwrap();
    disk_is(Value::Null).await;
    until("the incident is over", LIMIT, async || !standing().await).await;
    door.closes();
    is(&door, &scene, "down").await;
    door.opens().await;
    is(&door, &scene, "ok").await;
    failed(&door, &scene, 2).await;
}

fn free_port() -> u16 {
    rand::random_range(20_000..30_000)
}
