//! From nothing to a watched site: server, first login, customer, site, gateway, devices, people.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{ExitCode, ExitStatus};

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Stage;
use super::client::{Client, anonymous};
use super::process::Process;
use super::story::until;
use crate::sim::Announcement;

const ADMIN: &str = "admin";
const NOC: &str = "li.wei";
const HTTP_PORT: u16 = 8080;
const MQTT_PORT: u16 = 8883;
const HEARTBEAT_S: u32 = 10;

/// A demonstration that runs.
#[derive(Debug)]
pub struct Running {
    base: String,
    password: String,
    noc_password: String,
    client: Client,
    devices: BTreeMap<String, String>,
    server: Process,
    agent: Process,
    folder: TempDir,
}

/// Starts everything and waits until every device is seen.
pub async fn set_up(stage: &Stage, site: &Announcement) -> Result<Running> {
    let folder = tempfile::Builder::new().prefix("sitewarden-demo-").tempdir()?;
    let http = free_address(HTTP_PORT)?;
    let mqtt = free_address(MQTT_PORT)?;
    let base = format!("http://{http}");
    let config = folder.path().join("server.toml");
    std::fs::write(&config, server_config(folder.path(), http, mqtt, site)?)?;

    step("starting the server");
    let arguments = ["serve", "--config", &config.display().to_string()];
    let server = Process::start("server", &stage.server_bin, &arguments, folder.path().join("server.log"))?;
    let (server, first) = first_password(server, &base).await?;

    step("logging in for the first time and choosing a password");
    let password = new_password();
    let client = Client::log_in(&base, ADMIN, &first).await?;
    client.post("/me/password", &json!({ "old": first, "new": password })).await?;
    let client = Client::log_in(&base, ADMIN, &password).await?;

    step("registering a customer, a site and a gateway");
    let customer = client.post("/customers", &json!({ "name": "Harbour Property", "note": "" })).await?;
    let place = json!({
        "customer_id": customer["id"], "name": "Harbour office park", "name_zh": "海港办公园区",
        "address": "1 Harbour Road", "zone": "Asia/Shanghai", "datum": "gcj02", "lat": 31.2304, "lon": 121.4737,
        "contact_name": "Front desk", "contact_phone": "+86 21 5555 0100",
    });
    let place = client.post("/sites", &place).await?;
    let made =
        client.post("/gateways", &json!({ "site_id": place["id"], "name": "Harbour gateway" })).await?;
    let gateway = made["gateway"]["id"].as_str().context("the new gateway has no id")?.to_owned();
    let token = made["token"].as_str().context("the new gateway has no token")?;

    step("enrolling the gateway's agent");
    let agent = start_agent(stage, folder.path(), &base, token).await?;

    step(&format!("registering {} devices", site.devices.len() + 1));
    let devices = register(&client, &gateway, site).await?;

    step("saying who is paged, and how");
    let noc_password = new_password();
    people(&client, &noc_password, site).await?;

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
    Ok(Running { base, password, noc_password, client, devices, server, agent, folder })
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
        println!("  Sitewarden        {}/", self.base);
        println!("  login             {ADMIN}  {}", self.password);
        println!("  or, on duty       {NOC}  {}  (asks for a new password)", self.noc_password);
        println!("  break a device    {}", site.panel);
        println!("  logs              {}", self.folder.path().display());
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
            .env("SITEWARDEN_URL", &self.base)
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

/// The wanted port on loopback, or a free one when it is taken.
fn free_address(port: u16) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .context("no free port on loopback")?;
    Ok(listener.local_addr()?)
}

/// The embedded defaults, but for addresses, the folder, the mail server and a brisk heartbeat.
fn server_config(folder: &Path, http: SocketAddr, mqtt: SocketAddr, site: &Announcement) -> Result<String> {
    let smtp: SocketAddr = site.smtp.parse()?;
    Ok(format!(
        "data_dir = {:?}\n\n[http]\nlisten = \"{http}\"\npublic_url = \"http://{http}\"\n\n\
         [mqtt]\nlisten = \"{mqtt}\"\nheartbeat_s = {HEARTBEAT_S}\n\n\
         [smtp]\nhost = \"{}\"\nport = {}\ntls = \"none\"\nfrom = \"Sitewarden <sitewarden@demo.invalid>\"\n",
        folder.join("server").display().to_string(),
        smtp.ip(),
        smtp.port()
    ))
}

/// Waits until the server answers, and reads the password that it prints once.
async fn first_password(mut server: Process, base: &str) -> Result<(Process, String)> {
    let http = anonymous()?;
    let found = until("the server's first answer", async || {
        if let Some(status) = server.has_ended() {
            bail!("the server ended at once ({status}):\n{}", server.last_lines());
        }
        let healthy = http.get(format!("{base}/healthz")).send().await.is_ok_and(|a| a.status().is_success());
        Ok(if healthy { printed_password(&server.said()) } else { None })
    })
    .await
    .inspect_err(|_| eprintln!("the server said:\n{}", server.last_lines()))?;
    Ok((server, found))
}

/// The last word of the line that names login and password.
fn printed_password(said: &str) -> Option<String> {
    said.lines()
        .find(|line| line.starts_with("Login: ") && line.contains("password"))
        .and_then(|line| line.split_whitespace().next_back())
        .map(str::to_owned)
}

async fn start_agent(stage: &Stage, folder: &Path, base: &str, token: &str) -> Result<Process> {
    let data = folder.join("agent");
    let data_text = data.display().to_string();
    let arguments = ["enrol", "--server", base, "--token", token, "--data", &data_text];
    let mut enrolment = Process::start("enrolment", &stage.agent_bin, &arguments, folder.join("enrol.log"))?;
    let status = enrolment.wait().await?;
    if !status.success() {
        bail!("the agent could not enrol ({status}):\n{}", enrolment.last_lines());
    }
    let config = folder.join("agent.toml");
    std::fs::write(&config, format!("data_dir = {data_text:?}\n"))?;
    let arguments = ["run", "--config", &config.display().to_string()];
    Process::start("agent", &stage.agent_bin, &arguments, folder.join("agent.log"))
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

/// One person in the operations centre, reached by webhook and mail, on duty for every site.
async fn people(client: &Client, password: &str, site: &Announcement) -> Result<()> {
    let person = json!({
        "login": NOC, "name": "Li Wei", "role": "noc", "language": "en", "customer_id": null, "password": password,
    });
    let made = client.post("/users", &person).await?;
    let id = made["user"]["id"].as_str().context("the new person has no id")?;
    for (channel, address) in [("webhook", site.webhook.as_str()), ("email", "li.wei@demo.invalid")] {
        let contact = json!({ "channel": channel, "address": address, "template": "" });
        client.post(&format!("/users/{id}/contacts"), &contact).await?;
    }
    client.post("/duty", &json!({ "site_id": Value::Null, "account_id": id })).await?;
    Ok(())
}

fn new_password() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 15]>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_password_is_found() {
        let said = "First start. Change the password.\nLogin: admin  password (shown once): Xy-7\nmore\n";
        assert_eq!(printed_password(said).as_deref(), Some("Xy-7"));
        assert_eq!(printed_password("listening\n"), None);
    }
}
