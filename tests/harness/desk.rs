//! A server without gateways: the whole API on a fresh database, and people who sign in to it.

use std::sync::LazyLock;

use jiff::Timestamp;
use sitewarden_server::app::{App, Inner};
use sitewarden_server::broker::Registry;
use sitewarden_server::clock::Clock;
use sitewarden_server::config::Config;
use sitewarden_server::customer::CustomerId;
use sitewarden_server::db::Db;
use sitewarden_server::ingest::Memory;
use sitewarden_server::keys::Keys;
use sitewarden_server::live::Live;
use sitewarden_server::metrics::Metrics;
use sitewarden_server::paper::Press;
use sitewarden_server::router;
use sitewarden_server::user::login::Logins;
use sitewarden_server::user::store::{NewAccount, insert_account};
use sitewarden_server::user::{AccountId, Language, Role, password};
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::client::Client;
use crate::database::{Database, Engine};

/// Everybody's password.
pub const PASSWORD: &str = "copper otter lantern";

/// The server and what it stands on.
pub struct Desk {
    /// The server.
    pub app: App,
    /// Its front door.
    pub router: axum::Router,
    database: Database,
    _folder: TempDir,
}

impl Desk {
    /// An empty server. Its clock stands still until it is set.
    pub async fn open(engine: Engine) -> Self {
        Self::open_with(engine, |_| {}).await
    }

    /// The same with another configuration.
    pub async fn open_with(engine: Engine, configure: impl FnOnce(&mut Config)) -> Self {
        // Once per process; a second story finds it done.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let database = Database::fresh(engine).await;
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual("2026-03-02T08:00:00Z".parse::<Timestamp>().unwrap());
        let mut config = Config { data_dir: folder.path().to_owned(), ..Config::default() };
        configure(&mut config);
        let app = App::new(Inner {
            db: Db::open(&database.url).await.unwrap(),
            keys: Keys::open_or_create(folder.path(), clock.now()).unwrap(),
            clock,
            press: Press::new(config.paper.font.clone()),
            config,
            live: Live::new(),
            logins: Logins::default(),
            metrics: Metrics::default(),
            gateways: Registry::new(),
            wake: Notify::new(),
            ingest: Memory::default(),
        });
        Self { router: router::router(app.clone()), app, database, _folder: folder }
    }

    /// Adds an account whose password is [`PASSWORD`].
    pub async fn add(&self, login: &str, role: Role, customer: Option<&str>, must_change: bool) -> AccountId {
        static HASH: LazyLock<String> = LazyLock::new(|| password::hash_now(PASSWORD).unwrap());
        let new = NewAccount {
            login: login.to_owned(),
            name: format!("Name of {login}"),
            role,
            customer_id: customer.map(CustomerId::from),
            password_hash: HASH.clone(),
            must_change,
            language: Language::En,
        };
        let mut tx = self.app.db.write().await.unwrap();
        let id = insert_account(&mut tx, &new, self.app.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// Adds an account and signs it in.
    pub async fn person(&self, login: &str, role: Role, customer: Option<&str>) -> Client {
        self.add(login, role, customer, false).await;
        self.nobody().sign_in(login, PASSWORD).await
    }

    /// Somebody who is not signed in, on the server's own machine.
    pub fn nobody(&self) -> Client {
        Client::nobody(self.router.clone())
    }

    /// What `Db::open` takes, for another server on the same database.
    pub fn database_url(&self) -> &str {
        &self.database.url
    }

    /// Lets time pass.
    pub fn pass(&self, ms: i64) {
        let later = self.app.clock.now().as_millisecond() + ms;
        self.app.clock.set(Timestamp::from_millisecond(later).unwrap());
    }
}
