//! `sitewarden clocks`: the clocks of all tickets, made again from what happened.

use anyhow::Result;
use clap::Subcommand;
use jiff::Timestamp;

use crate::db::Db;
use crate::sla::step::rebuild;

#[derive(Debug, Subcommand)]
pub(super) enum ClocksCommand {
    /// Throws all clocks away and makes them again from the tickets' records, the contracts and the calendars. What
    /// was told of them stays, and nobody is paged. May run while the server does.
    Rebuild,
}

impl ClocksCommand {
    pub(super) async fn run(self, db: &Db, now: Timestamp) -> Result<()> {
        let Self::Rebuild = self;
        let (tickets, clocks) = rebuild(db, now).await?;
        println!("Made {clocks} clocks of {tickets} tickets again.");
        Ok(())
    }
}
