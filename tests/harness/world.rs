//! The whole system under a hand-turned clock: the real server on a fresh database, the real agent's mind
//! at each site, a real receiver of pages, people who use the public API. When a world ends, every page
//! that came must have been expected.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sitewarden_proto::id::GatewayId;
use sitewarden_proto::topic::Up;
use sitewarden_server::app::{App, Inner};
use sitewarden_server::broker::Registry;
use sitewarden_server::clock::Clock;
use sitewarden_server::config::Config;
use sitewarden_server::db::{Db, Engine as Database};
use sitewarden_server::engine::Engine;
use sitewarden_server::keys::Keys;
use sitewarden_server::live::Live;
use sitewarden_server::metrics::Metrics;
use sitewarden_server::paper::Press;
use sitewarden_server::user::login::Logins;
use sitewarden_server::{ingest, router, user};
use tempfile::TempDir;

use crate::client::Client;
use crate::database::Database as Fresh;
use crate::gateway::{Condition, Gateway};
use crate::pager::Pager;

mod killed;
mod long;

/// The password of everybody in a story.
pub const PASSWORD: &str = "copper otter lantern";
/// One step of a story's time.
const STEP: SignedDuration = SignedDuration::from_secs(5);

/// A world.
pub struct World {
    /// The server.
    pub app: App,
    /// What people receive.
    pub pager: Pager,
    /// The administrator.
    pub admin: Client,
    /// Nobody in particular.
    pub nobody: Client,
    engine: Engine,
    gateways: BTreeMap<String, Gateway>,
    devices: BTreeMap<String, (String, String)>,
    sites: BTreeMap<String, String>,
    database: Fresh,
    folder: TempDir,
}

impl World {
    /// A server with an administrator and nothing else, at 03:00 on a Thursday in Shanghai.
    pub async fn new(engine: Database) -> Self {
        // The programs do this in their main; a second time is no harm.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let database = Fresh::fresh(engine).await;
        let folder = tempfile::tempdir().expect("a folder");
        let start: Timestamp = "2026-11-18T19:00:00Z".parse().expect("a time");
        let config = Config { data_dir: folder.path().to_owned(), ..Config::default() };
        let db = Db::open(&database.url).await.expect("a database");
        let app = App::new(Inner {
            db,
            clock: Clock::manual(start),
            keys: Keys::open_or_create(folder.path(), start).expect("keys"),
            live: Live::new(),
            logins: Logins::default(),
            metrics: Metrics::default(),
            gateways: Registry::new(),
            wake: tokio::sync::Notify::new(),
            ingest: ingest::Memory::default(),
            press: Press::new(config.paper.font.clone()),
            config,
        });
        let mut tx = app.db.write().await.expect("a transaction");
        let new = user::store::NewAccount {
            login: "admin".into(),
            name: "chen.yu".into(),
            role: user::Role::Administrator,
            customer_id: None,
            password_hash: user::password::hash_now(PASSWORD).expect("a hash"),
            must_change: false,
            language: user::Language::En,
        };
        user::store::insert_account(&mut tx, &new, start).await.expect("an account");
        tx.commit().await.expect("a commit");
        let nobody = Client::nobody(router::router(app.clone()));
        let admin = nobody.sign_in("admin", PASSWORD).await;
        let engine = Engine::new(&app, start).expect("an engine");
        Self {
            pager: Pager::start().await,
            app,
            admin,
            nobody,
            engine,
            gateways: BTreeMap::new(),
            devices: BTreeMap::new(),
            sites: BTreeMap::new(),
            database,
            folder,
        }
    }

    /// The usual world: customer, the site North Gate with a gateway, `li.wei` of the NOC on duty.
    pub async fn usual(engine: Database) -> Self {
        let mut world = Self::new(engine).await;
        let customer = world.customer("Harbour Office").await;
        world.site(&customer, "North Gate", "北门站").await;
        world.gateway("North Gate").await;
        world.person("li.wei", "noc", None).await;
        world.duty("li.wei", None).await;
        world
    }

    /// The time in the story.
    pub fn now(&self) -> Timestamp {
        self.app.clock.now()
    }

    /// Adds a customer; its id.
    pub async fn customer(&self, name: &str) -> String {
        text(&self.admin.post("/api/v1/customers", &json!({ "name": name })).await.ok(), "/id")
    }

    /// Adds a site; its id.
    pub async fn site(&mut self, customer: &str, name: &str, name_zh: &str) -> String {
        let new = json!({ "customer_id": customer, "name": name, "name_zh": name_zh, "address": "",
            "zone": "Asia/Shanghai", "datum": "WGS-84", "contact_name": "", "contact_phone": "" });
        let id = text(&self.admin.post("/api/v1/sites", &new).await.ok(), "/id");
        self.sites.insert(name.to_owned(), id.clone());
        id
    }

    /// The id of a site.
    pub fn site_id(&self, name: &str) -> String {
        self.sites[name].clone()
    }

    /// Adds a gateway to a site and connects it. In stories a gateway is called by its site.
    pub async fn gateway(&mut self, site: &str) {
        self.gateway_behind(site, 0).await;
    }

    /// The same, with a clock that is so many milliseconds behind and that nothing corrects.
    pub async fn gateway_behind(&mut self, site: &str, behind_ms: i64) {
        let new = json!({ "site_id": self.sites[site], "name": format!("gw {site}") });
        let id = text(&self.admin.post("/api/v1/gateways", &new).await.ok(), "/gateway/id");
        let id = GatewayId::try_from(id).expect("a gateway id");
        let mut gateway =
            Gateway::new(id, self.app.keys.command_public_key().to_vec(), self.now(), behind_ms);
        gateway.connect(self.now());
        self.gateways.insert(site.to_owned(), gateway);
        self.settle().await;
    }

    /// A gateway of the story.
    pub fn gateway_mut(&mut self, site: &str) -> &mut Gateway {
        self.gateways.get_mut(site).expect("a gateway of this story")
    }

    /// Adds a device that is watched by ping and HTTP every 30 s, and waits until it is known to be fine.
    pub async fn device(&mut self, site: &str, name: &str) -> String {
        let id = self.device_with(site, name, None).await;
        self.forward_seconds(120).await;
        id
    }

    /// Adds a device; its id.
    pub async fn device_with(&mut self, site: &str, name: &str, parent: Option<&str>) -> String {
        let checks = "[[check]]\nkind = \"icmp\"\nevery = \"30s\"\nconfirm = \"2/3\"\nclear = 2\n\
                      [[check]]\nkind = \"http\"\nevery = \"30s\"\nconfirm = \"2/3\"\nclear = 2\n";
        self.device_of(site, name, "camera", parent, checks).await
    }

    /// Adds a device of any class with its whole text; its id.
    pub async fn device_of(
        &mut self,
        site: &str,
        name: &str,
        class: &str,
        parent: Option<&str>,
        checks: &str,
    ) -> String {
        let new = json!({ "gateway_id": self.gateways[site].id.as_str(), "name": name, "class": class,
            "address": "10.20.7.11", "parent_id": parent, "checks": checks });
        self.device_as(site, name, &new).await
    }

    /// Adds a device as a person would fill it in; its id.
    pub async fn device_as(&mut self, site: &str, name: &str, new: &Value) -> String {
        let id = text(&self.admin.post("/api/v1/devices", new).await.ok(), "/id");
        self.devices.insert(name.to_owned(), (site.to_owned(), id.clone()));
        // Down the wire, as the downlink would send it.
        let gateway = self.gateways.get_mut(site).expect("a gateway");
        if gateway.is_linked() {
            let mut conn = self.app.db.read().await.expect("a connection");
            let packet =
                sitewarden_server::gateway::desired::packet(&mut conn, &self.app.keys, &gateway.id).await;
            let now = self.app.clock.now();
            gateway.receive(now, sitewarden_proto::topic::Down::DesiredConfig, &packet.expect("a packet").1);
        }
        self.settle().await;
        id
    }

    /// Adds a site's switch with cameras behind it, all known to be fine; the names of the cameras.
    pub async fn behind(&mut self, site: &str, parent: &str, names: &[&str]) {
        let above = self.devices.get(parent).map(|(_, id)| id.clone());
        let above = match above {
            Some(id) => id,
            None => self.device_with(site, parent, None).await,
        };
        for name in names {
            self.device_with(site, name, Some(&above)).await;
        }
        self.forward_seconds(120).await;
    }

    /// Writes down what a device hangs off: (parent, `reach` or `power`, group).
    pub async fn parents(&self, device: &str, parents: &[(&str, &str, &str)]) {
        let list: Vec<Value> = parents
            .iter()
            .map(|(parent, kind, group)| json!({ "device_id": self.device_id(parent), "kind": kind, "group": group }))
            .collect();
        let path = format!("/api/v1/devices/{}", self.device_id(device));
        self.admin.send(axum::http::Method::PATCH, &path, Some(&json!({ "parents": list }))).await.ok();
    }

    /// Writes down that a site's gateway hangs off a device.
    pub async fn gateway_hangs_off(&self, site: &str, device: &str) {
        let path = format!("/api/v1/gateways/{}/parents", self.gateways[site].id);
        let parents = json!({ "parents": [{ "device_id": self.device_id(device) }] });
        self.admin.send(axum::http::Method::PUT, &path, Some(&parents)).await.ok();
    }

    /// Adds a person and a webhook by which the person is paged.
    pub async fn person(&mut self, login: &str, role: &str, customer: Option<&str>) -> String {
        let new = json!({ "login": login, "name": login, "role": role, "customer_id": customer, "language": "en",
            "password": PASSWORD });
        let id = text(&self.admin.post("/api/v1/users", &new).await.ok(), "/user/id");
        let contact = json!({ "channel": "webhook", "address": self.pager.address(login), "template": "" });
        self.admin.post(&format!("/api/v1/users/{id}/contacts"), &contact).await.ok();
        let signed = self.nobody.sign_in(login, PASSWORD).await;
        let new = format!("{PASSWORD} again");
        signed.post("/api/v1/me/password", &json!({ "old": PASSWORD, "new": new })).await.ok();
        id
    }

    /// Signs a person in.
    pub async fn as_person(&self, login: &str) -> Client {
        self.nobody.sign_in(login, &format!("{PASSWORD} again")).await
    }

    /// Puts a person on duty for a site, or for every site without its own duty.
    pub async fn duty(&self, login: &str, site: Option<&str>) {
        let users = self.admin.get("/api/v1/users").await.ok();
        let user = users["items"].as_array().into_iter().flatten().find(|user| user["login"] == login);
        let account = text(user.expect("a person of this story"), "/id");
        let duty = json!({ "site_id": site.map(|site| &self.sites[site]), "account_id": account });
        self.admin.post("/api/v1/duty", &duty).await.ok();
    }

    /// From now on a device answers like this.
    pub fn condition(&mut self, device: &str, condition: Condition) {
        let (site, id) = self.devices[device].clone();
        self.gateway_mut(&site).set(&id, condition);
    }

    /// Nothing of the device answers any more.
    pub fn device_goes_down(&mut self, device: &str) {
        self.condition(device, Condition::Dead);
    }

    /// The device answers again.
    pub fn device_comes_back(&mut self, device: &str) {
        self.condition(device, Condition::Fine);
    }

    /// The site loses its uplink: the gateway goes on watching and writes down what it sees.
    pub async fn cut(&mut self, site: &str) {
        let now = self.now();
        let gateway = self.gateway_mut(site);
        let (id, will) = (gateway.id.clone(), gateway.disconnect(now));
        self.deliver(&id, Up::Session, &will).await;
    }

    /// The site's gateway hears what it is ordered to do; before it can answer, the uplink is lost.
    pub async fn cut_after_orders(&mut self, site: &str) {
        let now = self.now();
        Box::pin(self.engine.cycle(&self.app, now)).await;
        Box::pin(self.command()).await;
        self.gateway_mut(site).work(now);
        self.cut(site).await;
    }

    /// Nothing gets through the site's uplink although the connection stands, or it does again.
    pub fn stall(&mut self, site: &str, stalled: bool) {
        self.gateway_mut(site).stall(stalled);
    }

    /// The uplink is back.
    pub async fn reconnect(&mut self, site: &str) {
        let now = self.now();
        self.gateway_mut(site).connect(now);
        self.settle().await;
    }

    /// Turns the clock on, step by step; everything that is due on the way happens in its time.
    pub async fn forward_seconds(&mut self, seconds: i64) {
        let end = self.now() + SignedDuration::from_secs(seconds);
        while self.now() < end {
            let next = (self.now() + STEP).min(end);
            self.app.clock.set(next);
            self.settle().await;
        }
    }

    /// The same in minutes.
    pub async fn forward_minutes(&mut self, minutes: i64) {
        self.forward_seconds(minutes * 60).await;
    }

    /// What a command of the server's program prints about this world's database, or complains of.
    pub fn sitewarden(&self, arguments: &[&str]) -> String {
        let mut program = std::process::Command::new(crate::binary::binary("sitewarden"));
        program.arg("--data").arg(self.folder.path()).args(["--database", &self.database.url]);
        let done = program.args(arguments).output().expect("the program runs");
        let said = if done.status.success() { done.stdout } else { done.stderr };
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Lets everything that is due now happen.
    pub async fn settle(&mut self) {
        self.exchange(50).await;
        self.engine.cycle(&self.app, self.now()).await;
        if Box::pin(self.command()).await {
            Box::pin(self.exchange(50)).await;
            Box::pin(self.engine.cycle(&self.app, self.now())).await;
        }
    }

    /// Brings the commands that wait to gateways that are linked, as the downlink would; whether there were any.
    async fn command(&mut self) -> bool {
        use sitewarden_server::gateway::store::command;
        let now = self.now();
        let mut conn = self.app.db.read().await.expect("a connection");
        let waiting = command::list_waiting(&mut conn, now).await.expect("the commands that wait");
        drop(conn);
        let mut any = false;
        for order in waiting {
            let to = self.gateways.values_mut().find(|gateway| gateway.id.as_str() == order.gateway_id);
            let Some(gateway) = to.filter(|gateway| gateway.is_linked()) else { continue };
            gateway.receive(now, sitewarden_proto::topic::Down::Command, &order.body);
            let mut tx = self.app.db.write().await.expect("a transaction");
            command::record_sent(&mut tx, &order.id, now).await.expect("it is noted");
            tx.commit().await.expect("a commit");
            any = true;
        }
        any
    }

    /// Gateways and server talk to and fro, `rounds` times at most.
    pub async fn exchange(&mut self, rounds: usize) {
        let now = self.now();
        for _ in 0..rounds {
            let mut quiet = true;
            let names: Vec<String> = self.gateways.keys().cloned().collect();
            for name in names {
                let gateway = self.gateways.get_mut(&name).expect("it is there");
                let packets = gateway.work(now);
                if !gateway.is_linked() {
                    continue;
                }
                let id = gateway.id.clone();
                for (up, bytes) in packets {
                    quiet = false;
                    for (down, answer) in self.deliver(&id, up, &bytes).await {
                        self.gateway_mut(&name).receive(now, down, &answer);
                    }
                }
            }
            if quiet {
                break;
            }
        }
    }

    async fn deliver(&self, id: &GatewayId, up: Up, bytes: &[u8]) -> ingest::Replies {
        ingest::receive(&self.app, id, up, bytes, self.now()).await.expect("the server takes the packet")
    }

    /// A device as the API shows it.
    pub async fn look(&self, device: &str) -> Value {
        self.admin.get(&format!("/api/v1/devices/{}", self.devices[device].1)).await.ok()
    }

    /// The state of a device.
    pub async fn state(&self, device: &str) -> String {
        text(&self.look(device).await, "/state")
    }

    /// The id of a device.
    pub fn device_id(&self, device: &str) -> String {
        self.devices[device].1.clone()
    }

    /// Incidents: `open`, `closed` or `all`.
    pub async fn incidents(&self, state: &str) -> Vec<Value> {
        items(&self.admin.get(&format!("/api/v1/incidents?state={state}")).await.ok())
    }

    /// Tickets, highest number first.
    pub async fn tickets(&self) -> Vec<Value> {
        items(&self.admin.get("/api/v1/tickets").await.ok())
    }

    /// A ticket with its story.
    pub async fn ticket(&self, number: i64) -> Value {
        self.admin.get(&format!("/api/v1/tickets/{number}")).await.ok()
    }

    /// The kinds of a ticket's events in order.
    pub async fn story(&self, number: i64) -> Vec<String> {
        let ticket = self.ticket(number).await;
        ticket["events"].as_array().into_iter().flatten().map(|event| text(event, "/kind")).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.pager.expect_nothing_else();
        }
    }
}

/// A text of a JSON value by its pointer; empty when it is none.
pub fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The items of a list.
pub fn items(list: &Value) -> Vec<Value> {
    list["items"].as_array().cloned().unwrap_or_default()
}

/// Makes two tests of each story, one on each engine. A story is a function that takes the engine.
#[macro_export]
macro_rules! stories {
    ($($name:ident),* $(,)?) => {
        $(mod $name {
            #[tokio::test]
            async fn sqlite() {
                super::$name($crate::database::Engine::Sqlite).await;
            }
            #[tokio::test]
            async fn postgres() {
                super::$name($crate::database::Engine::Postgres).await;
            }
        })*
    };
}

/// The same for tests that use more than one thread, because real peers are at work.
#[macro_export]
macro_rules! stories_in_parallel {
    ($($name:ident),* $(,)?) => {
        $(mod $name {
            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                super::$name($crate::database::Engine::Sqlite).await;
            }
            #[tokio::test(flavor = "multi_thread")]
            async fn postgres() {
                super::$name($crate::database::Engine::Postgres).await;
            }
        })*
    };
}
