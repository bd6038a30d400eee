//! A fresh database for every story, on either engine. PostgreSQL is started once per test program, as an
//! unprivileged user, and dies with it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use sitewarden_server::db::Db;
use sqlx::{Connection, Executor};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// The engine a story runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// One file.
    Sqlite,
    /// A server of its own.
    Postgres,
}

/// The url of a fresh, empty-but-migrated database; SQLite's lies in `folder`.
pub async fn fresh(backend: Backend, folder: &Path) -> String {
    match backend {
        Backend::Sqlite => format!("sqlite:{}", folder.join("sitewarden.db").display()),
        Backend::Postgres => {
            static TEMPLATE: OnceCell<()> = OnceCell::const_new();
            static NUMBER: AtomicU64 = AtomicU64::new(1);
            let server = postgres();
            TEMPLATE
                .get_or_init(|| async {
                    create(server, "CREATE DATABASE migrated").await;
                    let db = Db::open(&server.url("migrated")).await.expect("the migrations apply");
                    db.close().await;
                })
                .await;
            let name = format!("story_{}", NUMBER.fetch_add(1, Ordering::SeqCst));
            create(server, &format!("CREATE DATABASE {name} TEMPLATE migrated")).await;
            server.url(&name)
        }
    }
}

/// The url of a database without any table, for what migrates itself.
pub async fn blank(backend: Backend, folder: &Path) -> String {
    match backend {
        Backend::Sqlite => format!("sqlite:{}", folder.join("blank.db").display()),
        Backend::Postgres => {
            static NUMBER: AtomicU64 = AtomicU64::new(1);
            let server = postgres();
            let name = format!("blank_{}", NUMBER.fetch_add(1, Ordering::SeqCst));
            create(server, &format!("CREATE DATABASE {name}")).await;
            server.url(&name)
        }
    }
}

async fn create(server: &Server, statement: &str) {
    // One at a time: a template cannot be copied while somebody is connected to it.
    static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _one = ONE.lock().await;
    sqlx::any::install_default_drivers();
    let mut conn = sqlx::AnyConnection::connect(&server.url("postgres")).await.expect("PostgreSQL answers");
    conn.execute(sqlx::AssertSqlSafe(statement.to_owned())).await.expect("a database can be made");
    conn.close().await.expect("the connection closes");
}

struct Server {
    port: u16,
    _folder: TempDir,
}

impl Server {
    fn url(&self, database: &str) -> String {
        format!("postgres://sitewarden@127.0.0.1:{}/{database}", self.port)
    }
}

fn postgres() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        // The kernel ends the server when the thread that started it ends: this one ends with the program.
        let (ready, started) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            ready.send(start()).expect("somebody waits for the server");
            loop {
                std::thread::park();
            }
        });
        started.recv().expect("PostgreSQL starts")
    })
}

fn start() -> Server {
    let programs = programs();
    let folder = tempfile::Builder::new().prefix("sitewarden-pg-").tempdir().expect("a folder for PostgreSQL");
    let cluster = folder.path().join("cluster");
    let user = unprivileged();
    if user.is_some() {
        run(Command::new("chown").arg("postgres").arg(folder.path()));
    }
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
    run(as_user(user, &programs.join("initdb"), false)
        .args(["--auth=trust", "--username=sitewarden", "--encoding=UTF8", "--no-sync", "--locale=C", "-D"])
        .arg(&cluster)
        .stdout(Stdio::null()));
    let log = std::fs::File::create(folder.path().join("log")).expect("a log file");
    as_user(user, &programs.join("postgres"), true)
        .arg("-D")
        .arg(&cluster)
        .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"])
        .args(["-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "full_page_writes=off"])
        .args(["-c", "synchronous_commit=off"])
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("PostgreSQL can be started");
    let ready = || {
        Command::new(programs.join("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string(), "-U", "sitewarden", "-d", "postgres"])
            .status()
            .is_ok_and(|status| status.success())
    };
    // Each question costs a process, which is pause enough.
    for _ in 0..2000 {
        if ready() {
            return Server { port, _folder: folder };
        }
    }
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    panic!("PostgreSQL did not start:\n{log}");
}

/// Debian keeps the server's programs outside of PATH, by version.
fn programs() -> PathBuf {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    versions.retain(|folder| folder.join("initdb").exists());
    versions.sort();
    versions.pop().expect("PostgreSQL is not installed: apt-get install postgresql")
}

/// PostgreSQL refuses to run as root; then it runs as the user that its package made.
fn unprivileged() -> Option<&'static str> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().next()?;
    (uid == "0").then_some("postgres")
}

fn as_user(user: Option<&str>, program: &Path, dies_with_us: bool) -> Command {
    let mut command = Command::new("setpriv");
    if let Some(user) = user {
        command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--init-groups"]);
    }
    if dies_with_us {
        command.arg("--pdeathsig=KILL");
    }
    command.arg("--").arg(program).current_dir("/").env_remove("PGDATABASE");
    command
}

fn run(command: &mut Command) {
    let output = command.output().expect("the program can be run");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
