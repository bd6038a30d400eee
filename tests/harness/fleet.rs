//! A server with any number of enrolled gateways, to be reached over real TLS: in this process or as the
//! program of its own.

use std::net::SocketAddr;
use std::path::PathBuf;

use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use sitewarden_proto::id::GatewayId;
use sitewarden_server::clock::Clock;
use sitewarden_server::config::{Config, Limits};
use sitewarden_server::gateway::store;
use sitewarden_server::serve::{Listeners, serve};
use sitewarden_server::user::Role;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::database::Engine;
use crate::desk::Desk;
use crate::peer::free_tcp_port;
use crate::raw::{Pass, SOON};
use crate::sim::demo::process::Process;
use crate::{binary, until};

/// The server's folder and database, and its gateways.
pub struct Fleet {
    /// A second way into the same database, to prepare and to look.
    pub desk: Desk,
    /// One for each gateway.
    pub passes: Vec<Pass>,
    /// A device of the first gateway.
    pub device: String,
    config: Config,
}

/// A server that runs in this process until this is dropped.
pub struct Running {
    /// The gateways' door.
    pub door: SocketAddr,
    /// The page and the API.
    pub http: SocketAddr,
    stop: CancellationToken,
}

/// A server with a process of its own, until this is dropped.
pub struct Started {
    /// The process.
    pub process: Process,
    /// The gateways' door.
    pub door: SocketAddr,
    /// The page and the API.
    pub http: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Fleet {
    /// `count` gateways of one site, with certificates that begin now.
    pub async fn enrolled(engine: Engine, count: usize, limits: Limits) -> Self {
        let desk = Desk::open_with(engine, |config| {
            config.http.listen.set_port(0);
            config.mqtt.listen = SocketAddr::from(([127, 0, 0, 1], 0));
            config.limits = limits;
        })
        .await;
        let (app, now) = (&desk.app, Clock::System.now());
        app.clock.set(now);
        let admin = desk.person("admin", Role::Administrator, None).await;
        let customer = admin.post("/api/v1/customers", &json!({ "name": "Harbour Office" })).await.ok();
        let site = json!({ "customer_id": customer["id"], "name": "North Gate", "name_zh": "", "address": "",
            "zone": "Asia/Shanghai", "datum": "WGS-84", "contact_name": "", "contact_phone": "" });
        let site = admin.post("/api/v1/sites", &site).await.ok();
        let site = site["id"].as_str().unwrap();
        // One key for all saves time; what tells gateways apart is the name in the certificate.
        let key = KeyPair::generate().unwrap();
        let request = CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
        let (key, ca) = (key.serialize_pem(), app.keys.ca());
        let mut passes = Vec::with_capacity(count);
        let mut tx = app.db.write().await.unwrap();
        for number in 0..count {
            let id: GatewayId = format!("gw-{number:010}").parse().unwrap();
            let issued = ca.sign_gateway(&request, &id, now).unwrap();
            store::insert(&mut tx, &id, site, id.as_str(), 60, now).await.unwrap();
            store::record_enrolment(&mut tx, &id, &issued, now).await.unwrap();
            passes.push(Pass::new(id, &issued.pem, &key, ca.pem()));
        }
        tx.commit().await.unwrap();
        let device = json!({ "gateway_id": passes[0].id.as_str(), "name": "cam-3", "class": "camera",
            "address": "10.20.7.11", "parent_id": null,
            "checks": "[[check]]\nkind = \"http\"\nevery = \"30s\"\nconfirm = \"2/3\"\nclear = 2\n" });
        let device = admin.post("/api/v1/devices", &device).await.ok();
        let device = device["id"].as_str().unwrap().to_owned();
        let config = Config { database: Some(desk.database_url().to_owned()), ..app.config.clone() };
        Self { desk, passes, device, config }
    }

    /// Runs the server in this process.
    pub async fn serve(&self) -> Running {
        let listeners = Listeners::bind(&self.config).await.unwrap();
        let (door, http) = (listeners.mqtt.local_addr().unwrap(), listeners.http.local_addr().unwrap());
        let stop = CancellationToken::new();
        let ended = serve(self.config.clone(), listeners, stop.clone());
        tokio::spawn(async move { ended.await.expect("the server runs until it is stopped") });
        Running { door, http, stop }
    }

    /// Runs the server as the program of its own, until this is dropped.
    pub async fn start(&self) -> Started {
        let [http, door] = [free_tcp_port(), free_tcp_port()].map(|port| ([127, 0, 0, 1], port).into());
        let config = self.config_file(http, door).display().to_string();
        let log = self.config.data_dir.join("server.log");
        let process = Process::start("server", &binary("sitewarden"), &["serve", "--config", &config], log);
        let mut process = process.unwrap();
        until("the door is open", SOON, async || {
            if let Some(status) = process.has_ended() {
                panic!("the server ended at once ({status}):\n{}", process.last_lines());
            }
            TcpStream::connect(door).await.is_ok()
        })
        .await;
        Started { process, door, http }
    }

    /// The configuration file for the program, with the ports that it shall take.
    pub fn config_file(&self, http: SocketAddr, door: SocketAddr) -> PathBuf {
        let Config { data_dir, database, limits, .. } = &self.config;
        let text = format!(
            "data_dir = {:?}\ndatabase = {:?}\n[http]\nlisten = \"{http}\"\n[mqtt]\nlisten = \"{door}\"\n\
             [limits]\ngateways = {}\nhandshakes = {}\nhandshakes_per_address = {}\n\
             gateway_bytes_per_s = {}\ngateway_packets_per_s = {}\ngateway_refusals_per_min = {}\n",
            data_dir.display().to_string(),
            database.clone().unwrap_or_default(),
            limits.gateways,
            limits.handshakes,
            limits.handshakes_per_address,
            limits.gateway_bytes_per_s,
            limits.gateway_packets_per_s,
            limits.gateway_refusals_per_min,
        );
        let path = data_dir.join("server.toml");
        std::fs::write(&path, text).unwrap();
        path
    }
}
