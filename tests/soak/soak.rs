//! The soak: the real server and several real agents under load, killed at random moments again and again,
//! and at the end the record is compared with what really happened.
//!
//! Between the kills the database gets into trouble, where the plan wants it: PostgreSQL crashes and is
//! started again, SQLite is locked by another writer, the disk is full.
//!
//! [`target`] is what is watched and knows the truth, [`desk`] receives the pages, [`scene`] is the
//! installation, [`kill`] says who dies when, [`ledger`] compares. All that is random comes from one seed.

mod desk;
mod kill;
mod ledger;
mod scene;
mod target;
mod trouble;

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::database::{Database, Engine};

pub use ledger::Ledger;
use scene::Scene;

/// How long everything may take to come to rest after the last kill.
const REST_LIMIT: Duration = Duration::from_secs(180);

/// What is played.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where all that is random comes from.
    pub seed: u64,
    /// The database.
    pub engine: Engine,
    /// How often an agent is killed.
    pub agent_kills: u32,
    /// How often the server is killed.
    pub server_kills: u32,
    /// How often the database gets into trouble.
    pub troubles: u32,
    /// Gateways, each a process.
    pub gateways: usize,
    /// Devices of each gateway.
    pub devices: usize,
    /// The minute after which a page is sent again whose sender died is not waited for: its claim is
    /// made to run out.
    pub in_a_hurry: bool,
}

/// Something that happened, after which a kill hits a narrow place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// A gateway has seen enough to report a change.
    Confirmed,
    /// A page has arrived and is not answered yet.
    Paged,
}

/// What came out.
#[derive(Debug)]
pub struct Verdict {
    /// The plan.
    pub plan: Plan,
    /// Figures of the record.
    pub ledger: Ledger,
    /// What the programs said last; for when something is wrong.
    pub last_words: String,
}

impl Verdict {
    /// Nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.ledger.complaints.is_empty()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for complaint in &self.ledger.complaints {
            writeln!(f, "  {complaint}")?;
        }
        let Plan { seed, engine, agent_kills, server_kills, troubles, .. } = &self.plan;
        write!(
            f,
            "{} · seed {seed} · {engine:?} · {agent_kills} agent kills, {server_kills} server kills, \
             {troubles} database troubles · {}",
            if self.is_clean() { "PASSED" } else { "FAILED" },
            self.ledger
        )
    }
}

/// Plays a plan from an empty folder to the verdict.
pub async fn play(plan: Plan) -> Result<Verdict> {
    let began = tokio::time::Instant::now();
    let say = |words: &str| println!("soak: {:3} s  {words}", began.elapsed().as_secs());
    say(&format!("{plan:?}"));
    let database = match plan.troubles {
        0 => Database::fresh(plan.engine).await,
        _ => Database::apart(plan.engine).await,
    };
    let mut random = StdRng::seed_from_u64(plan.seed);
    let mut scene = Scene::set(&plan, database, &mut random).await?;
    say("everything runs");
    kill::rounds(&mut scene, &plan, &mut random, &say).await?;
    say("nobody is killed any more");
    scene.everybody_rests().await?;
    say("every target is well");
    let mut ledger = Ledger::default();
    let deadline = tokio::time::Instant::now() + REST_LIMIT;
    let mut hurried = false;
    loop {
        scene.nobody_has_died()?;
        ledger.compare(&scene).await?;
        if ledger.complaints.is_empty() || tokio::time::Instant::now() > deadline {
            break;
        }
        if plan.in_a_hurry && !hurried {
            hurried = true;
            scene.let_claims_run_out().await?;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    say("everything has come to rest, or will not");
    let last_words = scene.last_words();
    // Whoever has nothing to do ends at once and in order; what stands then is the record.
    if ledger.complaints.is_empty() {
        scene.end().await?;
        ledger.compare(&scene).await?;
    }
    Ok(Verdict { plan, ledger, last_words })
}

/// Unix milliseconds.
fn now_ms() -> i64 {
    sitewarden_server::clock::Clock::System.now().as_millisecond()
}
