//! Long stories: days that pass while sites are cut off, and a server that starts again in between.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use sitewarden_server::app::{App, Inner};
use sitewarden_server::backup::restore;
use sitewarden_server::broker::Registry;
use sitewarden_server::clock::Clock;
use sitewarden_server::db::Db;
use sitewarden_server::engine::Engine;
use sitewarden_server::keys::Keys;
use sitewarden_server::live::Live;
use sitewarden_server::metrics::Metrics;
use sitewarden_server::router;
use sitewarden_server::user::login::Logins;

use super::{PASSWORD, World};
use crate::database::Database;

/// A step of the sites while days pass.
const STRIDE: SignedDuration = SignedDuration::from_secs(10);
/// How often the server's engine looks meanwhile.
const LOOK: SignedDuration = SignedDuration::from_mins(5);

impl World {
    /// Turns the clock on by hours. The sites go on in small steps; the server, which hears nothing that is
    /// new to this story, looks every five minutes only.
    pub async fn pass_hours(&mut self, hours: i64) {
        let end = self.now() + SignedDuration::from_hours(hours);
        let mut look = self.now();
        while self.now() < end {
            let next = (self.now() + STRIDE).min(end);
            self.app.clock.set(next);
            self.exchange(50).await;
            if next >= look {
                look = next + LOOK;
                self.engine.cycle(&self.app, next).await;
            }
        }
        // Nobody stays signed in for days.
        self.admin = self.nobody.sign_in("admin", PASSWORD).await;
    }

    /// A site's uplink is back for as long as its queue and the server talk to and fro `rounds` times; then it
    /// breaks again.
    pub async fn reconnect_for(&mut self, site: &str, rounds: usize) {
        let now = self.now();
        self.gateway_mut(site).connect(now);
        self.exchange(rounds).await;
        self.cut(site).await;
        self.settle().await;
    }

    /// The agent of a site is killed and starts again; its connection is gone.
    pub async fn restart_agent(&mut self, site: &str) {
        let now = self.now();
        let gateway = self.gateway_mut(site);
        let linked = gateway.is_linked();
        let (id, will) = (gateway.id.clone(), gateway.restart(now));
        if linked {
            self.deliver(&id, sitewarden_proto::topic::Up::Session, &will).await;
        }
    }

    /// The server is killed and starts again on its database and its data folder. Every connection is gone;
    /// those gateways that were connected come back at once.
    pub async fn restart_server(&mut self) {
        let now = self.now();
        self.app.db.close().await;
        self.begin_again(now).await;
    }

    /// The server is lost, and what a backup holds takes its place in a new database and a new data folder.
    /// The gateways know nothing of it.
    pub async fn restore_server(&mut self, backup: &Path, passphrase: &str) {
        let now = self.now();
        let engine = self.app.db.engine();
        self.app.db.close().await;
        (self.database, self.folder) =
            (Database::fresh(engine).await, tempfile::tempdir().expect("a folder"));
        let restored = restore(backup, passphrase, self.folder.path(), &self.database.url).await;
        restored.expect("a backup that can be restored");
        self.begin_again(now).await;
        // A restore signs nobody in.
        self.admin = self.nobody.sign_in("admin", PASSWORD).await;
    }

    async fn begin_again(&mut self, now: Timestamp) {
        self.app = App::new(Inner {
            db: Db::open(&self.database.url).await.expect("a database"),
            clock: Clock::manual(now),
            keys: Keys::open_or_create(self.folder.path(), now).expect("keys"),
            live: Live::new(),
            logins: Logins::default(),
            metrics: Metrics::default(),
            gateways: Registry::new(),
            wake: tokio::sync::Notify::new(),
            ingest: sitewarden_server::ingest::Memory::default(),
            press: self.app.press.clone(),
            config: self.app.config.clone(),
        });
        self.engine = Engine::new(&self.app, now).expect("an engine");
        let router = router::router(self.app.clone());
        (self.admin, self.nobody) = (self.admin.at(router.clone()), self.nobody.at(router));
        for gateway in self.gateways.values_mut().filter(|gateway| gateway.is_linked()) {
            gateway.disconnect(now);
            gateway.connect(now);
        }
        self.settle().await;
    }
}
