//! The commands of `sitewarden`. Those that are not `serve` open the database themselves and work while the
//! server runs: it notices within seconds.

mod calendar;
mod clocks;
mod contract;
mod inspection;
mod page;
mod rota;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use serde_json::json;
use sitewarden_proto::id::GatewayId;
use tokio_util::sync::CancellationToken;

use crate::audit::{self, Entry};
use crate::backup;
use crate::clock::Clock;
use crate::config::Config;
use crate::customer::CustomerId;
use crate::db::Db;
use crate::gateway::{self, enrol};
use crate::ingest::effect;
use crate::keys::Keys;
use crate::serve::{Listeners, open_database, serve};
use crate::user::{self, AccountId, Language, Role, Scope, login_fault, password, password_fault};

use calendar::CalendarCommand;
use clocks::ClocksCommand;
use contract::ContractCommand;
use inspection::InspectionCommand;
use page::PageCommand;
use rota::RotaCommand;

/// Everything was printed; the program ends with this code.
#[derive(Debug, thiserror::Error)]
#[error("ends with code {0}")]
pub struct Exit(pub u8);

/// Watches the low-voltage systems of many sites, and pages people.
#[derive(Debug, Parser)]
#[command(name = "sitewarden", version)]
pub struct Cli {
    /// Configuration file; without it, the defaults.
    #[arg(long, global = true, env = "SITEWARDEN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data folder, instead of the configured one.
    #[arg(long, global = true, env = "SITEWARDEN_DATA", value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Database, instead of the configured one: `sqlite:PATH` or `postgres://…`.
    #[arg(long, global = true, env = "SITEWARDEN_DATABASE", value_name = "URL")]
    database: Option<String>,
    /// Log in JSON, one object a line.
    #[arg(long, global = true)]
    pub json_log: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the server.
    Serve(Serve),
    /// Brings the database up to date and ends.
    Migrate,
    /// Gateways: add, list, token, revoke.
    #[command(subcommand)]
    Gateway(Gateway),
    /// People: add, set a password.
    #[command(subcommand)]
    User(User),
    /// Writes everything, keys included, into one encrypted file.
    Backup(Backup),
    /// Puts a backup into an empty data folder and an empty database.
    Restore(Restore),
    /// The keys of the data folder.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// The clocks of tickets.
    #[command(subcommand)]
    Clocks(ClocksCommand),
    /// The pager: what it would do.
    #[command(subcommand)]
    Page(PageCommand),
    /// Calendars: what a file means, and holidays.
    #[command(subcommand)]
    Calendar(CalendarCommand),
    /// Contracts: check one, begin with a template, and what is due, free and charged.
    #[command(subcommand)]
    Contract(ContractCommand),
    /// Inspections: which a contract comes to.
    #[command(subcommand)]
    Inspection(InspectionCommand),
    /// Rotas: who is on duty, when, and where nobody is.
    #[command(subcommand)]
    Rota(RotaCommand),
    /// Prints the API's description.
    Openapi,
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Args)]
struct Serve {
    /// Address of the page and the API, instead of the configured one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    http: Option<SocketAddr>,
    /// Address of the gateways' door, instead of the configured one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    mqtt: Option<SocketAddr>,
}

#[derive(Debug, Subcommand)]
enum Gateway {
    /// Adds a gateway to a site and prints its token, once.
    Add {
        /// The site's id or its exact name.
        #[arg(long)]
        site: String,
        /// What people call the gateway.
        #[arg(long)]
        name: String,
    },
    /// Lists the gateways.
    List,
    /// Prints a new token for a gateway, once.
    Token {
        /// The gateway's id.
        id: String,
    },
    /// Voids the certificates of a gateway and ends its connection.
    Revoke {
        /// The gateway's id.
        id: String,
    },
}

#[derive(Debug, Subcommand)]
enum User {
    /// Adds a person.
    Add {
        /// What the person types to sign in.
        login: String,
        /// What others read; the login when it is not given.
        #[arg(long)]
        name: Option<String>,
        /// `administrator`, `noc`, `technician` or `customer`.
        #[arg(long, default_value = "noc")]
        role: String,
        /// Whose sites a customer sees: the customer's id.
        #[arg(long)]
        customer: Option<String>,
        /// `en` or `zh`.
        #[arg(long, default_value = "en")]
        language: String,
        /// File with the password; without it one is made, printed, and must be changed.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Sets a person's password and ends the person's sessions.
    Passwd {
        /// Whose.
        login: String,
        /// File with the password; without it one is made, printed, and must be changed.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
struct Backup {
    /// The file to write; it must not exist.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// File with the passphrase that encrypts the backup.
    #[arg(long, value_name = "FILE")]
    passphrase_file: PathBuf,
}

#[derive(Debug, Args)]
struct Restore {
    /// The backup.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// File with the passphrase that encrypted it.
    #[arg(long, value_name = "FILE")]
    passphrase_file: PathBuf,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Makes a new master key and seals every device's credentials with it.
    Rotate,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Reads the configuration and says what is wrong with it.
    Check,
}

impl Cli {
    /// Does what was asked for.
    pub async fn run(self) -> Result<()> {
        let mut config = match &self.config {
            Some(path) => Config::read(path)?,
            None => Config::default(),
        };
        config.data_dir = self.data.unwrap_or(config.data_dir);
        config.database = self.database.or(config.database);
        match self.command {
            Command::Serve(flags) => {
                config.http.listen = flags.http.unwrap_or(config.http.listen);
                config.mqtt.listen = flags.mqtt.unwrap_or(config.mqtt.listen);
                config.check("the command line")?;
                let listeners = Listeners::bind(&config).await?;
                serve(config, listeners, stop_signal()?).await
            }
            Command::Migrate => {
                open_database(&config).await?.close().await;
                println!("The database is up to date.");
                Ok(())
            }
            Command::Gateway(command) => Offline::open(config).await?.gateway(command).await,
            Command::User(command) => Offline::open(config).await?.user(command).await,
            Command::Backup(flags) => {
                let passphrase = read_secret(&flags.passphrase_file, "passphrase")?;
                let offline = Offline::open(config).await?;
                let now = offline.clock.now();
                let rows = backup::write(&offline.db, &offline.keys, &flags.out, &passphrase, now).await?;
                println!("{}: the keys and {rows} rows.", flags.out.display());
                Ok(())
            }
            Command::Restore(flags) => {
                let passphrase = read_secret(&flags.passphrase_file, "passphrase")?;
                let url = config.database_url();
                let rows = backup::restore(&flags.from, &passphrase, &config.data_dir, &url).await?;
                println!("{}: the keys and {rows} rows are back.", config.data_dir.display());
                Ok(())
            }
            Command::Keys(KeysCommand::Rotate) => {
                let offline = Offline::open(config).await?;
                let count = gateway::reseal::rotate(&offline.db, &offline.keys).await?;
                println!("Sealed {count} devices with master key {}.", offline.keys.current_master());
                Ok(())
            }
            Command::Page(command) => {
                let db = open_database(&config).await?;
                let done = command.run(&db, Clock::System.now()).await;
                db.close().await;
                done
            }
            Command::Calendar(command) => command.run(),
            Command::Clocks(command) => {
                let db = open_database(&config).await?;
                let done = command.run(&db, Clock::System.now()).await;
                db.close().await;
                done
            }
            Command::Contract(command) => command.run(),
            Command::Inspection(command) => command.run(),
            Command::Rota(command) => {
                let offline = Offline::open(config).await?;
                command.run(&offline.db, offline.clock.now()).await
            }
            Command::Openapi => {
                println!("{}", crate::openapi::text().trim_end());
                Ok(())
            }
            Command::Config(ConfigCommand::Check) => {
                println!("The configuration is good. Page: {}", config.public_url());
                println!("Gateways are told: {}", config.mqtt_advertised());
                Ok(())
            }
        }
    }
}

/// The database and the keys, without the server.
struct Offline {
    db: Db,
    keys: Keys,
    clock: Clock,
    config: Config,
}

impl Offline {
    async fn open(config: Config) -> Result<Self> {
        let clock = Clock::System;
        let keys = Keys::open_or_create(&config.data_dir, clock.now())?;
        Ok(Self { db: open_database(&config).await?, keys, clock, config })
    }

    async fn gateway(self, command: Gateway) -> Result<()> {
        let now = self.clock.now();
        match command {
            Gateway::Add { site, name } => {
                let mut tx = self.db.write().await?;
                let sites = crate::site::store::list(&mut tx, &Scope::All, None).await?;
                let mut fitting = sites.into_iter().filter(|row| row.id.as_str() == site || row.name == site);
                let (Some(site), None) = (fitting.next(), fitting.next()) else {
                    bail!("there is no site `{site}`, or more than one; add it on the page, or give its id");
                };
                let id = gateway::new_id(now);
                let heartbeat_s = self.config.mqtt.heartbeat_s;
                gateway::store::insert(&mut tx, &id, site.id.as_str(), &name, heartbeat_s, now).await?;
                let token = enrol::make_token(&mut tx, &self.keys, &id, now).await?;
                let detail = json!({ "name": name, "site": site.name });
                audit::store::insert(&mut tx, &Entry::at_console(now, "gateway.create", id.as_str(), detail))
                    .await?;
                tx.commit().await?;
                println!("Gateway {id} at {}. On the gateway, within 24 hours:", site.name);
                println!("  {}", enrol::command_line(&self.config.public_url(), &token));
            }
            Gateway::List => {
                let mut conn = self.db.read().await?;
                for row in gateway::store::list(&mut conn, &Scope::All, None).await? {
                    println!("{}\t{}\t{}\t{}", row.id, row.state, row.site_name, row.name);
                }
            }
            Gateway::Token { id } => {
                let mut tx = self.db.write().await?;
                let id = known(&mut tx, &id).await?;
                let token = enrol::make_token(&mut tx, &self.keys, &id, now).await?;
                let entry = Entry::at_console(now, "gateway.token", id.as_str(), json!({}));
                audit::store::insert(&mut tx, &entry).await?;
                tx.commit().await?;
                println!("On the gateway, within 24 hours:");
                println!("  {}", enrol::command_line(&self.config.public_url(), &token));
            }
            Gateway::Revoke { id } => {
                let mut tx = self.db.write().await?;
                let id = known(&mut tx, &id).await?;
                let changed = gateway::store::revoke(&mut tx, &id, now).await?;
                effect::gateway_revoked(&mut tx, &id, now).await?;
                let entry = Entry::at_console(now, "gateway.revoke", id.as_str(), json!({}));
                audit::store::insert(&mut tx, &entry).await?;
                tx.commit().await?;
                println!("Gateway {id} {}.", if changed { "is revoked" } else { "was revoked already" });
            }
        }
        Ok(())
    }

    async fn user(self, command: User) -> Result<()> {
        let now = self.clock.now();
        match command {
            User::Add { login, name, role, customer, language, password_file } => {
                let role = Role::parse(&role).with_context(|| {
                    format!("role `{role}`: use administrator, noc, technician or customer")
                })?;
                if let Some(fault) = login_fault(&login) {
                    bail!("login `{login}`: {fault}");
                }
                if (role == Role::Customer) != customer.is_some() {
                    bail!("the role customer and --customer ID go together");
                }
                if !["en", "zh"].contains(&language.as_str()) {
                    bail!("language `{language}`: use en or zh");
                }
                let (secret, chosen) = choose(password_file.as_deref(), &login)?;
                let mut tx = self.db.write().await?;
                if let Some(id) = &customer {
                    let found = crate::customer::store::find(&mut tx, &Scope::All, id).await?;
                    found.with_context(|| format!("there is no customer `{id}`"))?;
                }
                let new = user::store::NewAccount {
                    name: name.unwrap_or_else(|| login.clone()),
                    role,
                    customer_id: customer.map(CustomerId::from),
                    password_hash: password::hash_now(&secret)?,
                    must_change: !chosen,
                    language: Language::parse(&language),
                    login,
                };
                let id = user::store::insert_account(&mut tx, &new, now).await.map_err(|error| {
                    if crate::db::is_conflict(&error) {
                        anyhow::anyhow!("the login `{}` is taken; choose another", new.login)
                    } else {
                        error.into()
                    }
                })?;
                let detail = json!({ "login": new.login, "role": role.as_str() });
                audit::store::insert(&mut tx, &Entry::at_console(now, "user.create", id.as_str(), detail))
                    .await?;
                tx.commit().await?;
                report(&new.login, &secret, chosen);
            }
            User::Passwd { login, password_file } => {
                let (secret, chosen) = choose(password_file.as_deref(), &login)?;
                let mut tx = self.db.write().await?;
                let account = user::store::find_by_login(&mut tx, &login).await?;
                let account = account.with_context(|| format!("there is no login `{login}`"))?;
                let hash = password::hash_now(&secret)?;
                let id: &AccountId = &account.id;
                user::store::set_password(&mut tx, id, &hash, !chosen, now).await?;
                user::store::delete_sessions(&mut tx, id, "").await?;
                let detail = json!({ "login": login });
                audit::store::insert(&mut tx, &Entry::at_console(now, "user.password", id.as_str(), detail))
                    .await?;
                tx.commit().await?;
                report(&login, &secret, chosen);
            }
        }
        Ok(())
    }
}

async fn known(conn: &mut crate::db::Conn, id: &str) -> Result<GatewayId> {
    let typed: GatewayId = id.parse().with_context(|| format!("`{id}` is not a gateway id"))?;
    let found = gateway::store::find(conn, &typed).await?;
    found.with_context(|| format!("there is no gateway `{id}`; see `sitewarden gateway list`"))?;
    Ok(typed)
}

/// The password of a file, or a new one; true when a person chose it.
fn choose(file: Option<&Path>, login: &str) -> Result<(String, bool)> {
    let Some(file) = file else { return Ok((password::invent(), false)) };
    let secret = read_secret(file, "password")?;
    if let Some(fault) = password_fault(&secret, login) {
        bail!("the password in {}: {fault}", file.display());
    }
    Ok((secret, true))
}

fn report(login: &str, secret: &str, chosen: bool) {
    if chosen {
        println!("The password of {login} is set.");
    } else {
        println!("Login: {login}  password (shown once, to be changed at first login): {secret}");
    }
}

fn read_secret(path: &Path, what: &str) -> Result<String> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the {what} from {}", path.display()))?;
    let secret = text.trim_end_matches(['\r', '\n']).to_owned();
    if secret.is_empty() {
        bail!("{} is empty; write the {what} into it", path.display());
    }
    Ok(secret)
}

/// Cancelled by Ctrl-C or by the system's stop.
fn stop_signal() -> Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let stop = CancellationToken::new();
    let guard = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        guard.cancel();
    });
    Ok(stop)
}
