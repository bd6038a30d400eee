//! A fresh database for each test, on either engine.
//!
//! SQLite is a file in a folder of its own. PostgreSQL is one private server for the whole test
//! process, reached over a socket in its own folder, with a new database per test; it runs as an
//! unprivileged user because it refuses root, and ends when the test process ends, however that
//! happens. `SITEWARDEN_TEST_POSTGRES` may name another server, as `postgres://user@host`. A test that
//! breaks its PostgreSQL gets a server of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tempfile::TempDir;
use tokio::sync::OnceCell;

pub use sitewarden_server::db::Engine;

/// Both engines; a story runs on each.
pub const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

/// A database that nobody else uses.
#[derive(Debug)]
pub struct Database {
    /// What `Db::open` takes.
    pub url: String,
    _folder: Option<TempDir>,
    own: Option<Server>,
}

impl Database {
    /// An empty one whose server, where it has one, can be broken.
    pub async fn apart(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => Self::fresh(engine).await,
            Engine::Postgres => {
                let server = tokio::task::spawn_blocking(start).await.unwrap();
                server.answers().await;
                let url = server.address().url("postgres");
                Self { url, _folder: None, own: Some(server) }
            }
        }
    }

    /// The PostgreSQL of [`Database::apart`] ends at once, as by a power cut, with whatever it was doing.
    pub fn crash(&mut self) {
        self.own.as_mut().expect("a server of its own").order("crash");
    }

    /// It is started again.
    pub fn start_again(&mut self) {
        self.own.as_mut().expect("a server of its own").order("start");
    }

    /// The file of an SQLite database.
    pub fn file(&self) -> Option<&Path> {
        self.url.strip_prefix("sqlite:").map(Path::new)
    }

    /// An empty one.
    pub async fn fresh(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let url = format!("sqlite:{}", folder.path().join("sitewarden.db").display());
                Self { url, _folder: Some(folder), own: None }
            }
            Engine::Postgres => {
                static COUNT: AtomicU32 = AtomicU32::new(0);
                static SERVER: OnceCell<Address> = OnceCell::const_new();
                let server = SERVER.get_or_init(server).await;
                let name = format!("t{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
                sqlx::any::install_default_drivers();
                let mut conn = sqlx::AnyConnection::connect(&server.url("postgres")).await.unwrap();
                conn.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
                conn.close().await.unwrap();
                Self { url: server.url(&name), _folder: None, own: None }
            }
        }
    }
}

/// PostgreSQL keeps its promises from now on, as an operator's does. Said before the first database is made;
/// tests go without, because no test cuts the power.
pub fn be_durable() {
    DURABLE.store(true, Ordering::Relaxed);
}

static DURABLE: AtomicBool = AtomicBool::new(false);

/// Where PostgreSQL listens.
#[derive(Debug)]
struct Address {
    base: String,
    query: String,
}

impl Address {
    fn url(&self, database: &str) -> String {
        format!("{}/{database}{}", self.base, self.query)
    }
}

async fn server() -> Address {
    if let Ok(base) = std::env::var("SITEWARDEN_TEST_POSTGRES") {
        return Address { base: base.trim_end_matches('/').to_owned(), query: String::new() };
    }
    let server = tokio::task::spawn_blocking(start).await.unwrap();
    server.answers().await;
    let address = server.address();
    // Never dropped: the pipe stays open as long as this process lives.
    std::mem::forget(server);
    address
}

/// A PostgreSQL and the shell that minds it. Dropping it ends both and removes the folder.
#[derive(Debug)]
struct Server {
    folder: PathBuf,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    shell: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.orders.take();
        let _ = self.shell.wait();
    }
}

impl Server {
    fn address(&self) -> Address {
        Address {
            base: "postgres://postgres@localhost".to_owned(),
            query: format!("?host={}", self.folder.display()),
        }
    }

    async fn answers(&self) {
        let url = self.address().url("postgres");
        crate::until("PostgreSQL answers", Duration::from_secs(60), async || {
            sqlx::any::install_default_drivers();
            match sqlx::AnyConnection::connect(&url).await {
                Ok(conn) => conn.close().await.is_ok(),
                Err(_) => false,
            }
        })
        .await;
    }

    fn order(&mut self, word: &str) {
        writeln!(self.orders.as_mut().unwrap(), "{word}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        assert_eq!(line, "done\n", "{word}");
    }
}

/// Starts a server in a folder of its own. A shell beside it takes orders from the pipe that this process
/// holds; at its end it stops the server and removes the folder.
fn start() -> Server {
    let folder = tempfile::Builder::new().prefix("sitewarden-pg-").tempdir().unwrap().keep();
    let careless = if DURABLE.load(Ordering::Relaxed) { "" } else { "-c fsync=off -c full_page_writes=off" };
    let script = format!(
        "set -e; PATH=$PATH:{bin}; export PATH\n\
         initdb --pgdata={f}/data --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync >{f}/log 2>&1\n\
         begin() {{ postgres -D {f}/data -k {f} -c listen_addresses= {careless} -c max_connections=300 >>{f}/log 2>&1 & \
           server=$!; }}\n\
         begin\n\
         echo started\n\
         while read -r order; do\n\
           case $order in crash) kill -QUIT $server; wait $server || true;; start) begin;; esac\n\
           echo done\n\
         done\n\
         kill -INT $server; wait $server || true\n\
         rm -rf {f}/data {f}/log",
        bin = programs().display(),
        f = folder.display(),
    );
    let mut shell = if is_root() {
        let done = Command::new("chown").arg("postgres:").arg(&folder).status().unwrap();
        assert!(done.success(), "there is no user `postgres`; install the packages in tests/packages.txt");
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "sh", "-c", &script]);
        command
    } else {
        let mut command = Command::new("sh");
        command.args(["-c", &script]);
        command
    };
    // A process group of its own: Ctrl-C in the terminal must not kill the shell before the server.
    std::os::unix::process::CommandExt::process_group(&mut shell, 0);
    let mut child = shell
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the shell that starts PostgreSQL");
    let mut line = String::new();
    let mut answers = BufReader::new(child.stdout.take().unwrap());
    answers.read_line(&mut line).unwrap();
    let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    assert_eq!(line, "started\n", "PostgreSQL did not start: {}", log());
    Server { folder, orders: child.stdin.take(), answers, shell: child }
}

/// The folder of the newest PostgreSQL; Debian keeps `initdb` off the path.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .map(|version| version.path())
        .max_by_key(|path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()));
    newest.map_or_else(|| Path::new("/usr/bin").to_owned(), |path| path.join("bin"))
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
