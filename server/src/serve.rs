//! The running server: every part in one set of tasks, stopped in the order in which work flows.
//!
//! On a stop the gateways' door closes first, then ingest finishes what it has accepted, and everything else
//! ends beside it. A part that ends by itself takes the server down with it, so that the system restarts it:
//! half a server is worse than none. On a stop nobody is waited for longer than systemd waits: what was not
//! committed was not acknowledged, and is sent again.

mod http;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::http::Peers;
use crate::app::{App, Inner};
use crate::broker::{self, Door, Registry, UPSTREAM_LENGTH};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::engine::{self, Engine};
use crate::keys::{Keys, reserve_private};
use crate::live::{self, Live};
use crate::metrics::Metrics;
use crate::notify::{Notify as Systemd, Pulse};
use crate::paper::{FONT_REMEDY, Press};
use crate::tls::WebFiles;
use crate::user::login::Logins;
use crate::user::{self, Language, Role, password};
use crate::{gateway, ingest, router};

/// How long open requests may go on after a stop.
const GRACE: Duration = Duration::from_secs(5);
/// How long the parts may take to finish after a stop; the unit's TimeoutStopSec is longer.
const STOP_LIMIT: Duration = Duration::from_secs(25);
/// How long the database may take to be closed.
const CLOSE_LIMIT: Duration = Duration::from_secs(3);
const FIRST_LOGIN: &str = "admin";

/// The server's sockets, bound before anything else starts; tests bind port 0.
#[derive(Debug)]
pub struct Listeners {
    /// The page and the API.
    pub http: TcpListener,
    /// The gateways' door.
    pub mqtt: TcpListener,
}

impl Listeners {
    /// Binds the configured addresses.
    pub async fn bind(config: &Config) -> Result<Self> {
        let bind = async |address: SocketAddr, key: &str| {
            TcpListener::bind(address).await.with_context(|| {
                format!(
                    "cannot listen on {address}; choose another `{key}.listen`, or stop what listens there"
                )
            })
        };
        Ok(Self {
            http: bind(config.http.listen, "http").await?,
            mqtt: bind(config.mqtt.listen, "mqtt").await?,
        })
    }
}

/// Runs the server until `shutdown`.
pub async fn serve(config: Config, listeners: Listeners, shutdown: CancellationToken) -> Result<()> {
    let app = prepare(config, &listeners).await?;
    let now = app.clock.now();
    let hosts = [app.config.mqtt_host()];
    let door = |upstream| -> Result<Door> {
        Ok(Door {
            tls: app.keys.ca().wire_config(&hosts, now)?,
            registry: app.gateways.clone(),
            clock: app.clock.clone(),
            upstream,
            limits: app.config.limits,
        })
    };
    let (upstream, accepted) = mpsc::channel(UPSTREAM_LENGTH);
    let (door, engine) = (door(upstream)?, Engine::new(&app, now)?);
    let decisions = engine.pulse();
    let mut parts: JoinSet<&'static str> = JoinSet::new();
    let door_closed = CancellationToken::new();
    let (mqtt, stop, closed) = (listeners.mqtt, shutdown.clone(), door_closed.clone());
    parts.spawn(async move {
        broker::run(mqtt, door, stop).await;
        closed.cancel();
        "the gateways' door"
    });
    let part = app.clone();
    parts.spawn(async move {
        ingest::run(part, accepted, door_closed).await;
        "ingest"
    });
    let (part, stop) = (app.clone(), shutdown.clone());
    parts.spawn(async move {
        Box::pin(engine::run(part, engine, stop)).await;
        "the engine"
    });
    let (part, stop) = (app.clone(), shutdown.clone());
    parts.spawn(async move {
        live::run(part, stop).await;
        "the live stream"
    });
    let tls = web_tls(&app, &mut parts, &shutdown).await?;
    let (part, stop) = (app.clone(), shutdown.clone());
    parts.spawn(async move {
        if let Err(error) = serve_page(part, listeners.http, tls, stop).await {
            tracing::error!(error = format!("{error:#}"), "the page's server failed");
        }
        "the page"
    });
    announce(&app);
    let systemd = Arc::new(Systemd::from_env());
    systemd.ready();
    if let Some(every) = systemd.watchdog_every() {
        let (part, stop, systemd) = (app.clone(), shutdown.clone(), Arc::clone(&systemd));
        parts.spawn(async move {
            watch_over(&part, &decisions, &systemd, every, stop).await;
            "the watchdog"
        });
    }
    let stopping = async {
        shutdown.cancelled().await;
        systemd.stopping();
        tokio::time::sleep(STOP_LIMIT).await;
    };
    tokio::pin!(stopping);
    let mut failed = None;
    loop {
        let ended = tokio::select! {
            ended = parts.join_next() => ended,
            () = &mut stopping => {
                tracing::warn!(
                    limit_s = STOP_LIMIT.as_secs(),
                    "ending although not everything is done; gateways and pages keep what was not committed"
                );
                parts.shutdown().await;
                break;
            }
        };
        let Some(ended) = ended else { break };
        let part = match &ended {
            Ok(part) => *part,
            Err(error) => {
                tracing::error!(%error, "a part of the server failed");
                "a part that failed"
            }
        };
        if !shutdown.is_cancelled() {
            failed = Some(part);
            shutdown.cancel();
        }
    }
    let _ = tokio::time::timeout(CLOSE_LIMIT, app.db.close()).await;
    match failed {
        Some(part) => bail!("{part} ended by itself; the log says why"),
        None => Ok(()),
    }
}

/// Tells systemd that the server lives, as long as its work gets done.
async fn watch_over(
    app: &App,
    decisions: &Pulse,
    systemd: &Systemd,
    every: Duration,
    stop: CancellationToken,
) {
    let mut said = false;
    loop {
        let now = app.clock.now();
        let still = [("the engine", decisions), ("ingest", &app.ingest.pulse)]
            .into_iter()
            .find(|(_, pulse)| pulse.stands_still(now));
        match still {
            None => systemd.alive(),
            Some((part, _)) if !said => {
                tracing::error!(part, "no work reaches the database; look whether it answers, and its disk");
            }
            Some(_) => {}
        }
        said = still.is_some();
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
    }
}

/// Opens keys and database, and makes the first administrator where there is nobody.
async fn prepare(mut config: Config, listeners: &Listeners) -> Result<App> {
    config.http.listen = listeners.http.local_addr()?;
    config.mqtt.listen = listeners.mqtt.local_addr()?;
    let clock = Clock::System;
    let keys = Keys::open_or_create(&config.data_dir, clock.now())?;
    let db = open_database(&config).await?;
    let press = Press::new(config.paper.font.clone());
    if let Err(why) = press.check() {
        tracing::warn!(%why, remedy = FONT_REMEDY, "slips cannot be printed");
    }
    let app = App::new(Inner {
        db,
        clock,
        keys,
        press,
        config,
        live: Live::new(),
        logins: Logins::default(),
        metrics: Metrics::default(),
        gateways: Registry::new(),
        wake: Notify::new(),
        ingest: ingest::Memory::default(),
    });
    if let Some(secret) = first_administrator(&app).await? {
        println!("First start. Until the password is changed, only this machine may sign in.");
        println!("Login: {FIRST_LOGIN}  password (shown once): {secret}");
    }
    gateway::step::admit(&app, &mut *app.db.read().await?).await?;
    Ok(app)
}

/// Opens the configured database; its file, where it is one, is for this user alone.
pub async fn open_database(config: &Config) -> Result<Db> {
    if let Some(file) = config.database_file() {
        reserve_private(&file)?;
    }
    Db::open(&config.database_url()).await
}

/// Makes an administrator with a random password when there is no account at all.
async fn first_administrator(app: &App) -> Result<Option<String>> {
    // A look first: a start must not wait for a database that another program holds.
    if user::store::count_accounts(&mut *app.db.read().await?).await? > 0 {
        return Ok(None);
    }
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    if user::store::count_accounts(&mut tx).await? > 0 {
        return Ok(None);
    }
    let secret = password::invent();
    let new = user::store::NewAccount {
        login: FIRST_LOGIN.to_owned(),
        name: FIRST_LOGIN.to_owned(),
        role: Role::Administrator,
        customer_id: None,
        password_hash: password::hash_now(&secret)?,
        must_change: true,
        language: Language::En,
    };
    match user::store::insert_account(&mut tx, &new, now).await {
        Ok(_) => {}
        // Another server on the same database was faster; it printed the password.
        Err(error) if crate::db::is_conflict(&error) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    tx.commit().await?;
    Ok(Some(secret))
}

/// The page's TLS, and the task that reads the files again; nothing for plain HTTP.
async fn web_tls(
    app: &App,
    parts: &mut JoinSet<&'static str>,
    shutdown: &CancellationToken,
) -> Result<Option<RustlsConfig>> {
    let http = &app.config.http;
    if http.own_certificate {
        let public = app.config.public_url();
        let host = public.split("://").nth(1).unwrap_or_default();
        let host = host.split(['/', ':']).next().unwrap_or_default();
        let hosts = [http.listen.ip().to_string(), host.to_owned()];
        let named: Vec<String> = hosts.into_iter().filter(|host| !host.is_empty()).collect();
        return Ok(Some(app.keys.ca().web_config(&named, app.clock.now())?));
    }
    let (Some(certificate), Some(key)) = (&http.certificate, &http.key) else { return Ok(None) };
    let files = WebFiles { certificate: certificate.clone(), key: key.clone() };
    let config = files.load().await?;
    let (fresh, stop) = (config.clone(), shutdown.clone());
    parts.spawn(async move {
        files.reload(fresh, stop).await;
        "the certificate's watch"
    });
    Ok(Some(config))
}

async fn serve_page(
    app: App,
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    stop: CancellationToken,
) -> Result<()> {
    let handle = Handle::new();
    let proxies = tls.is_none().then(|| Arc::from(app.config.http.trusted_proxies.clone()));
    let peers = Peers::new(proxies, &app.config.limits, app.metrics.clone());
    let service = router::router(app).into_make_service_with_connect_info::<SocketAddr>();
    let server: Server<SocketAddr> = axum_server::from_tcp(listener.into_std()?)?.handle(handle.clone());
    let ending = async {
        stop.cancelled().await;
        handle.graceful_shutdown(Some(GRACE));
        // The server's own future ends when the last request has.
        std::future::pending::<io::Result<()>>().await
    };
    let serving = async {
        match tls {
            Some(config) => server.acceptor(RustlsAcceptor::new(config).acceptor(peers)).serve(service).await,
            None => server.acceptor(peers).serve(service).await,
        }
    };
    tokio::select! {
        done = serving => Ok(done?),
        done = ending => Ok(done?),
    }
}

fn announce(app: &App) {
    println!("Page:     {}", app.config.public_url());
    println!("Gateways: {} (MQTT 5 over TLS)", app.config.mqtt_advertised());
    tracing::info!(page = app.config.public_url(), gateways = %app.config.mqtt.listen, "the server runs");
}
