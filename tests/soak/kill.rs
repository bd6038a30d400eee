//! Who dies when. Half of the kills come at any time; the others a few milliseconds after something that
//! makes the narrow places likely: between a probe's answer and the disk, between the disk and the wire,
//! between the commit and the ack, between a page's delivery and its record. One in six is no kill but an
//! orderly stop, which must be done in time.

use std::time::Duration;

use anyhow::Result;
use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

use super::scene::Scene;
use super::{Moment, Plan, trouble};

/// A moment that does not come is not waited for longer.
const MOMENT_LIMIT: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug)]
enum Victim {
    Agent(usize),
    Server,
    Database,
}

/// Plays all the kills of the plan, in an order that the seed gives.
pub(super) async fn rounds(
    scene: &mut Scene,
    plan: &Plan,
    random: &mut StdRng,
    say: &impl Fn(&str),
) -> Result<()> {
    let agents = (0..plan.agent_kills).map(|n| Victim::Agent(n as usize % plan.gateways));
    let servers = (0..plan.server_kills).map(|_| Victim::Server);
    let troubles = (0..plan.troubles).map(|_| Victim::Database);
    let mut victims: Vec<Victim> = agents.chain(servers).chain(troubles).collect();
    victims.shuffle(random);
    let all = victims.len();
    for (round, victim) in victims.into_iter().enumerate() {
        rest(random, 100..900).await;
        let after = match (victim, random.random_range(0..4)) {
            (_, 0 | 1) => None,
            (Victim::Server, 2) => Some(Moment::Paged),
            (Victim::Server | Victim::Agent(_) | Victim::Database, _) => Some(Moment::Confirmed),
        };
        if let Some(moment) = after {
            wait_for(scene, moment).await;
            rest(random, 0..60).await;
        }
        // Most come back at once, as under systemd; some take a while.
        let away = if random.random_bool(0.2) { 500..1_500 } else { 0..200 };
        let is_orderly = random.random_range(0..6) == 0;
        match victim {
            Victim::Server => {
                if is_orderly {
                    scene.stop_server().await?;
                } else {
                    scene.kill_server().await?;
                }
                rest(random, away).await;
                scene.start_server()?;
            }
            Victim::Agent(number) => {
                if is_orderly {
                    scene.stop_agent(number).await?;
                } else {
                    scene.kill_agent(number).await?;
                }
                rest(random, away).await;
                scene.start_agent(number)?;
            }
            Victim::Database => trouble::strike(scene, random, say).await?,
        }
        if (round + 1) % 50 == 0 {
            say(&format!("{} of {all} kills", round + 1));
        }
    }
    Ok(())
}

async fn wait_for(scene: &Scene, wanted: Moment) {
    let mut moments = scene.moments.subscribe();
    let coming = async {
        loop {
            match moments.recv().await {
                Ok(moment) if moment == wanted => return,
                // Moments that were missed because there were too many are no loss.
                Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
            }
        }
    };
    let _ = tokio::time::timeout(MOMENT_LIMIT, coming).await;
}

async fn rest(random: &mut StdRng, ms: std::ops::Range<u64>) {
    tokio::time::sleep(Duration::from_millis(random.random_range(ms))).await;
}
