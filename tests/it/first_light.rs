//! First light, with nothing faked: the real server on each database, the real agent, Net-SNMP's `snmpd` as
//! the device, a mail server and a web server as the people's ends. Everything is set up over HTTP by the
//! first password that the server prints. Then the device dies; on the way from the page to the all-clear the
//! server and the agent are killed once each, and nobody hears of anything twice.

use std::net::Ipv4Addr;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use sitewarden_server::clock::Clock;
use sitewarden_tests::binary;
use sitewarden_tests::database::{Database, ENGINES, Engine};
use sitewarden_tests::pager::{Pager, Received};
use sitewarden_tests::peer::Snmpd;
use sitewarden_tests::sim::demo::client::Client;
use sitewarden_tests::sim::demo::install::{Installation, Programs, Settings, free_address};
use sitewarden_tests::sim::demo::process::Process;
use sitewarden_tests::sim::demo::setup::{on_duty, premises};
use sitewarden_tests::sim::demo::story::{ack_link, look_at, press, until};
use sitewarden_tests::sim::sink::{self, Sink};
use sitewarden_tests::sim::smtp;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const DEVICE: &str = "Gate switch 7";
const MAIL: &str = "li.wei@demo.invalid";
const PERSON: &str = "li.wei";

/// The whole system, in the order in which it must end.
struct Scene {
    agent: Process,
    server: Process,
    snmpd: Snmpd,
    place: Installation,
    api: Client,
    gateway: String,
    device: String,
    mails: Arc<Sink>,
    webhooks: Pager,
    _mail_server: JoinSet<()>,
    _database: Database,
}

impl Drop for Scene {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for process in [&self.server, &self.agent] {
                eprintln!("--- the {} said last:\n{}", process.name(), process.last_lines());
            }
        }
    }
}

impl Scene {
    /// Everything runs, the device is watched, `li.wei` is on duty.
    async fn set(engine: Engine) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let programs = Programs { server: binary("sitewarden"), agent: binary("sitewarden-agent") };
        let (database, snmpd) = (Database::fresh(engine).await, Snmpd::start().await);
        let (mails, webhooks) = (Arc::new(Sink::default()), Pager::start().await);
        let relay = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let settings = Settings {
            http: free_address(lasting_port()).unwrap(),
            mqtt: free_address(lasting_port()).unwrap(),
            smtp: relay.local_addr().unwrap(),
            database: Some(database.url.clone()),
            heartbeat_s: 60,
        };
        let mut mail_server = JoinSet::new();
        mail_server.spawn(smtp::serve(relay, Arc::clone(&mails)));
        let place = Installation::prepare(programs, &settings).unwrap();
        let server = place.start_server().await.unwrap();
        let api = place.first_login(&server, "copper otter lantern").await.unwrap();
        let (gateway, token) = premises(&api).await.unwrap();
        place.enrol(&token).await.unwrap();
        let agent = place.start_agent().unwrap();
        let hook = webhooks.address(PERSON);
        let contacts = [("email", MAIL), ("webhook", hook.as_str())];
        on_duty(&api, "lantern otter copper", &contacts).await.unwrap();
        let device = register(&api, &gateway, snmpd.port).await;
        Self {
            agent,
            server,
            snmpd,
            place,
            api,
            gateway,
            device,
            mails,
            webhooks,
            _mail_server: mail_server,
            _database: database,
        }
    }

    /// Waits until the API shows the device in `state`.
    async fn device_is(&self, state: &str) -> Value {
        until(&format!("the device {state}"), async || {
            let device = self.api.get(&format!("/devices/{}", self.device)).await?;
            Ok((device["state"] == state).then_some(device))
        })
        .await
        .unwrap()
    }

    /// Waits until the API shows the gateway in `state`, heard of after `since`.
    async fn gateway_is(&self, state: &str, since: Timestamp) {
        until(&format!("the gateway {state}"), async || {
            let gateway = self.api.get(&format!("/gateways/{}", self.gateway)).await?;
            let heard = gateway["last_heard_at"].as_i64().is_some_and(|at| at > since.as_millisecond());
            Ok((gateway["state"] == state && heard).then_some(()))
        })
        .await
        .unwrap();
    }

    /// The only ticket there is, with its record, once `count` pages about it have been sent.
    async fn ticket(&self, count: usize) -> Value {
        let ticket = until(&format!("a ticket with {count} pages sent"), async || {
            let Some(ticket) = self.api.list("/tickets").await?.into_iter().next() else { return Ok(None) };
            let ticket = self.api.get(&format!("/tickets/{}", ticket["number"])).await?;
            let sent = ticket["pages"].as_array().into_iter().flatten().filter(|p| p["state"] == "sent");
            Ok((sent.count() == count).then_some(ticket))
        })
        .await
        .unwrap();
        assert_eq!(ticket["pages"].as_array().map(Vec::len), Some(count), "{ticket}");
        assert_eq!(self.api.list("/tickets").await.unwrap().len(), 1, "one cause, one ticket");
        assert_eq!(self.api.list("/incidents?state=all").await.unwrap().len(), 1, "and one incident");
        ticket
    }

    /// The mails so far, which are `count`.
    #[track_caller]
    fn mails(&self, count: usize) -> Vec<sink::Received> {
        let mails = self.mails.pages();
        assert_eq!(mails.len(), count, "{mails:#?}");
        mails
    }

    /// Has the agent probe the device by a command over the wire; it is done when the agent says so.
    async fn probe(&self) {
        let path = format!("/devices/{}/probe", self.device);
        let sent = self.api.post(&path, &json!({})).await.unwrap();
        let id = sent["command_id"].as_str().unwrap();
        until("the probe done", async || {
            Ok((self.api.get(&format!("/commands/{id}")).await?["state"] == "done").then_some(()))
        })
        .await
        .unwrap();
    }

    /// A power cut on the server, and its return on the same files and database.
    async fn server_dies_and_returns(&mut self) {
        self.server.kill().await.unwrap();
        let died_at = Clock::System.now();
        self.server = self.place.start_server().await.unwrap();
        self.gateway_is("online", died_at).await;
    }

    /// A power cut on the gateway, and its return.
    async fn agent_dies_and_returns(&mut self) {
        self.agent.kill().await.unwrap();
        let died_at = Clock::System.now();
        self.gateway_is("suspect", Timestamp::UNIX_EPOCH).await;
        self.agent = self.place.start_agent().unwrap();
        self.gateway_is("online", died_at).await;
    }

    /// Everybody goes home; whatever was still to be sent has been sent then.
    async fn end(self) -> (Arc<Sink>, Pager) {
        let (mails, webhooks) = (Arc::clone(&self.mails), self.webhooks.clone());
        for process in [&self.agent, &self.server] {
            process.ask_to_end().await.unwrap();
        }
        let mut scene = self;
        assert!(scene.agent.wait().await.unwrap().success(), "{}", scene.agent.last_lines());
        assert!(scene.server.wait().await.unwrap().success(), "{}", scene.server.last_lines());
        (mails, webhooks)
    }
}

/// A port outside of the range from which the system takes ports for connections: it is still free when a
/// killed server is started again.
fn lasting_port() -> u16 {
    rand::random_range(20_000..30_000)
}

/// Registers the snmpd as a device, by version 3 with authentication and privacy; its id.
async fn register(api: &Client, gateway: &str, port: u16) -> String {
    let checks = format!(
        "[[check]]\nkind = \"snmp\"\nport = {port}\nevery = \"2s\"\ntimeout = \"2s\"\nconfirm = \"2/3\"\nclear = 2\n\
         version = \"3\"\nuser = {:?}\nauth = \"sha256\"\nauth_password = {:?}\nprivacy = \"aes128\"\n\
         privacy_password = {:?}\nget = [\"1.3.6.1.2.1.1.3.0\", \"1.3.6.1.2.1.1.5.0\"]\nwalk = []\n",
        Snmpd::USER,
        Snmpd::AUTH_PASSWORD,
        Snmpd::PRIVACY_PASSWORD
    );
    let new = json!({ "gateway_id": gateway, "name": DEVICE, "class": "switch", "address": "127.0.0.1",
        "place": "North gate", "parent_id": null, "checks": checks });
    api.post("/devices", &new).await.unwrap()["id"].as_str().unwrap().to_owned()
}

/// How often each kind of event stands in a ticket's log.
fn count(ticket: &Value, kind: &str) -> usize {
    ticket["events"].as_array().into_iter().flatten().filter(|event| event["kind"] == kind).count()
}

#[track_caller]
fn names_the_device(webhook: &Received, purpose: &str) {
    assert_eq!((webhook.word("/device").as_str(), webhook.word("/purpose").as_str()), (DEVICE, purpose));
    assert_eq!(webhook.word("/repeat"), "false");
}

async fn a_real_device_fails_and_a_person_is_told_once(engine: Engine) {
    let mut scene = Scene::set(engine).await;
    let device = scene.device_is("ok").await;
    assert!(device["faults"].as_array().is_some_and(Vec::is_empty), "{device}");
    assert_eq!(scene.api.list("/tickets").await.unwrap().len(), 0);

    scene.snmpd.kill();
    let down = scene.device_is("down").await;
    assert_eq!(down["faults"][0]["code"], "unreachable", "{down}");
    let opened = scene.ticket(2).await;
    assert_eq!((&opened["state"], &opened["device_name"]), (&json!("open"), &json!(DEVICE)));
    let number = format!("#{}", opened["number"]);
    let mail = scene.mails(1).remove(0);
    assert_eq!(mail.to, MAIL);
    for word in [number.as_str(), "critical", DEVICE] {
        assert!(mail.subject.contains(word), "`{word}` is not in the subject `{}`", mail.subject);
    }
    assert!(mail.text.contains(DEVICE), "{}", mail.text);
    let hook = scene.webhooks.expect(PERSON, &[&number, "critical", DEVICE]);
    names_the_device(&hook, "opened");

    // A scanner of mail opens every link it sees.
    let link = ack_link(&mail.text).expect("a link in the mail");
    for _ in 0..2 {
        assert!(look_at(&link).await.unwrap().contains(DEVICE));
    }
    assert_eq!(scene.ticket(2).await["state"], "open", "looking takes nothing");

    scene.server_dies_and_returns().await;
    let still = scene.ticket(2).await;
    assert_eq!((&still["id"], &still["state"]), (&opened["id"], &json!("open")));
    scene.device_is("down").await;
    // The link was signed by the server that died.
    press(&link).await.unwrap();
    let acked = scene.ticket(2).await;
    assert_eq!((&acked["state"], &acked["acked_by"]), (&json!("acked"), &json!("Li Wei")));

    scene.agent_dies_and_returns().await;
    // Two of three outcomes would raise the fault anew, had the agent forgotten it.
    for _ in 0..3 {
        scene.probe().await;
    }
    scene.device_is("down").await;
    assert_eq!(scene.ticket(2).await["state"], "acked");

    scene.snmpd.start_again().await;
    let well = scene.device_is("ok").await;
    assert!(well["faults"].as_array().is_some_and(Vec::is_empty), "{well}");
    let closed = scene.ticket(4).await;
    assert_eq!((&closed["id"], &closed["state"]), (&opened["id"], &json!("closed")));
    assert_eq!(scene.api.list("/incidents?state=open").await.unwrap().len(), 0);
    for (kind, times) in
        [("opened", 1), ("fault_raised", 0), ("acked", 1), ("fault_cleared", 1), ("closed", 1)]
    {
        assert_eq!(count(&closed, kind), times, "{kind} in {closed}");
    }
    let over = scene.mails(2).remove(1);
    for word in [number.as_str(), "over", DEVICE] {
        assert!(over.subject.contains(word), "`{word}` is not in the subject `{}`", over.subject);
    }
    assert_eq!(ack_link(&over.text), None, "there is nothing left to take");
    let over = scene.webhooks.expect(PERSON, &[&number, "over", DEVICE]);
    names_the_device(&over, "closed");
    assert_ne!(hook.word("/key"), over.word("/key"));

    let (mails, webhooks) = scene.end().await;
    assert_eq!(mails.pages().len(), 2, "{:#?}", mails.pages());
    webhooks.expect_nothing_else();
}

mod a_real_device_fails_and_a_person_is_told_once {
    use super::ENGINES;

    #[tokio::test(flavor = "multi_thread")]
    async fn sqlite() {
        super::a_real_device_fails_and_a_person_is_told_once(ENGINES[0]).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn postgres() {
        super::a_real_device_fails_and_a_person_is_told_once(ENGINES[1]).await;
    }
}
