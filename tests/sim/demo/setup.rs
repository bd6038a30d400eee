//! From nothing to a watched site: server, first login, customer, site, gateway, devices, people.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{ExitCode, ExitStatus};

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Stage;
use super::client::Client;
use super::install::{ADMIN, Installation, Programs, Settings, free_address};
use super::process::Process;
use super::story::until;
use crate::sim::Announcement;

const NOC: &str = "li.wei";
const ARRIVAL_PORT: u16 = 8480;
const HTTP_PORT: u16 = 8080;
const MQTT_PORT: u16 = 8883;
const HEARTBEAT_S: u32 = 10;

/// A demonstration that runs.
#[derive(Debug)]
pub struct Running {
    password: String,
    noc_password: String,
    client: Client,
    devices: BTreeMap<String, String>,
    /// Where the gateway shows its arrival codes.
    pub arrival_page: SocketAddr,
    server: Process,
    agent: Process,
    place: Installation,
}

/// Starts everything and waits until every device is seen.
pub async fn set_up(stage: &Stage, site: &Announcement) -> Result<Running> {
    let settings = Settings {
        http: free_address(HTTP_PORT)?,
        mqtt: free_address(MQTT_PORT)?,
        smtp: site.smtp.parse()?,
        database: None,
        heartbeat_s: HEARTBEAT_S,
    };
    let programs = Programs { server: stage.server_bin.clone(), agent: stage.agent_bin.clone() };
    let place = Installation::prepare(programs, &settings)?;

    step("starting the server");
    let server = place.start_server().await?;

    step("logging in for the first time and choosing a password");
    let password = new_password();
    let client = place.first_login(&server, &password).await?;

    step("registering a customer, a site and a gateway");
    let (gateway, token) = premises(&client).await?;

    step("enrolling the gateway's agent");
    place.enrol(&token).await?;
    let arrival_page = free_address(ARRIVAL_PORT)?;
    place.configure_agent("agent", &format!("arrival_page = \"{arrival_page}\"\n"))?;
    let agent = place.start_agent()?;

    step(&format!("registering {} devices", site.devices.len() + 1));
    let devices = register(&client, &gateway, site).await?;

    step("saying who is paged, and how");
    let noc_password = new_password();
    let contacts = [("webhook", site.webhook.as_str()), ("email", "li.wei@demo.invalid")];
    on_duty(&client, &noc_password, &contacts).await?;

    step("waiting until every device is seen");
    until("every simulated device OK", async || {
        let all = client.list(&format!("/devices?gateway_id={gateway}")).await?;
        let well: Vec<&str> = all
            .iter()
            .filter(|device| device["state"] == "ok")
            .filter_map(|device| device["id"].as_str())
            .collect();
        Ok(devices.values().all(|id| well.contains(&id.as_str())).then_some(()))
    })
    .await
    .inspect_err(|_| eprintln!("{}\n{}", server.last_lines(), agent.last_lines()))?;
    Ok(Running { password, noc_password, client, devices, arrival_page, server, agent, place })
}

impl Running {
    /// The administrator's session.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The server's id of a simulated device.
    pub fn device_id(&self, simulated: &str) -> Result<&str> {
        self.devices
            .get(simulated)
            .map(String::as_str)
            .with_context(|| format!("there is no device `{simulated}`"))
    }

    /// Tells a person where to look.
    pub fn print(&self, site: &Announcement) {
        println!();
        println!("  Sitewarden        {}/", self.place.base());
        println!("  login             {ADMIN}  {}", self.password);
        println!("  or, on duty       {NOC}  {}  (asks for a new password)", self.noc_password);
        println!("  break a device    {}", site.panel);
        println!("  logs              {}", self.place.folder().display());
        println!();
        println!("  Ctrl-C ends everything and removes the folder.");
    }

    /// Waits for a program of ours to end, which it should not.
    pub async fn first_to_die(&mut self) -> Result<ExitCode> {
        let (name, status) = tokio::select! {
            status = self.server.wait() => (self.server.name(), status?),
            status = self.agent.wait() => (self.agent.name(), status?),
        };
        bail!("the {name} ended by itself: {status}")
    }

    /// Runs `program` in a shell with our addresses in its environment; its exit code is ours.
    pub async fn accompany(&self, program: &str, site: &Announcement) -> Result<ExitCode> {
        let status: ExitStatus = tokio::process::Command::new("sh")
            .args(["-c", program])
            .env("SITEWARDEN_URL", self.place.base())
            .env("SITEWARDEN_LOGIN", NOC)
            .env("SITEWARDEN_PASSWORD", &self.noc_password)
            .env("SITEWARDEN_ADMIN_LOGIN", ADMIN)
            .env("SITEWARDEN_ADMIN_PASSWORD", &self.password)
            .env("SIM_PANEL", &site.panel)
            .kill_on_drop(true)
            .status()
            .await?;
        let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
        if code != 0 {
            self.print_ends_of_logs();
        }
        Ok(ExitCode::from(code))
    }

    /// What the programs said last, when something went wrong.
    pub fn print_ends_of_logs(&self) {
        for process in [&self.server, &self.agent] {
            eprintln!("--- the {} said last:\n{}", process.name(), process.last_lines());
        }
    }

    /// Ends the programs, agent first, and removes the folder.
    pub async fn stop(self) {
        self.agent.stop().await;
        self.server.stop().await;
    }
}

fn step(text: &str) {
    println!("· {text}");
}

/// A customer, a site and a gateway on paper; the gateway's id and the token that admits it.
pub async fn premises(client: &Client) -> Result<(String, String)> {
    let customer = client.post("/customers", &json!({ "name": "Harbour Property", "note": "" })).await?;
    let place = json!({
        "customer_id": customer["id"], "name": "Harbour office park", "name_zh": "海港办公园区",
        "address": "1 Harbour Road", "zone": "Asia/Shanghai", "datum": "gcj02", "lat": 31.2304, "lon": 121.4737,
        "contact_name": "Front desk", "contact_phone": "+86 21 5555 0100",
    });
    let place = client.post("/sites", &place).await?;
    let made =
        client.post("/gateways", &json!({ "site_id": place["id"], "name": "Harbour gateway" })).await?;
    let gateway = made["gateway"]["id"].as_str().context("the new gateway has no id")?;
    let token = made["token"].as_str().context("the new gateway has no token")?;
    Ok((gateway.to_owned(), token.to_owned()))
}

async fn register(client: &Client, gateway: &str, site: &Announcement) -> Result<BTreeMap<String, String>> {
    let mut ids = BTreeMap::new();
    let own = json!({
        "gateway_id": gateway, "name": "Harbour gateway itself", "class": "gateway", "address": "127.0.0.1",
        "place": "Control room", "model": "", "serial": "", "firmware": "", "parent_id": null,
        "checks": "[[check]]\nkind = \"host\"\nevery = \"30s\"\n",
    });
    client.post("/devices", &own).await?;
    for device in &site.devices {
        let parent = device.parent.as_ref().and_then(|parent| ids.get(parent));
        let body = json!({
            "gateway_id": gateway, "name": device.name, "class": device.class, "address": device.address,
            "place": device.place, "model": device.model, "serial": "", "firmware": "", "parent_id": parent,
            "checks": device.checks,
        });
        let made = client.post("/devices", &body).await?;
        let id = made["id"].as_str().context("the new device has no id")?;
        ids.insert(device.id.clone(), id.to_owned());
    }
    Ok(ids)
}

/// One person in the operations centre, reached by `contacts` (channel and address), on duty for every site.
pub async fn on_duty(client: &Client, password: &str, contacts: &[(&str, &str)]) -> Result<()> {
    let person = json!({
        "login": NOC, "name": "Li Wei", "role": "noc", "language": "en", "customer_id": null, "password": password,
    });
    let made = client.post("/users", &person).await?;
    let id = made["user"]["id"].as_str().context("the new person has no id")?;
    for (channel, address) in contacts {
        let contact = json!({ "channel": channel, "address": address, "template": "" });
        client.post(&format!("/users/{id}/contacts"), &contact).await?;
    }
    client.post("/duty", &json!({ "site_id": Value::Null, "account_id": id })).await?;
    Ok(())
}

fn new_password() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 15]>())
}
