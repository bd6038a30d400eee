//! A server that is killed in the middle of its work: what it was doing is dropped where it stands, its transactions
//! are gone, its connections too, and another one starts on the same database.

use std::task::Poll;

use sitewarden_server::{escalation, incident, maintenance};

use super::World;

/// So many steps of a story's time bring whatever a story waits for.
const STEPS_MAX: usize = 120;

impl World {
    /// Turns the clock on until the server would page somebody in its next cycle, and leaves that cycle undone.
    pub async fn until_a_page(&mut self) {
        for _ in 0..STEPS_MAX {
            let next = self.now() + super::STEP;
            self.app.clock.set(next);
            self.exchange(50).await;
            if self.would_page().await {
                return;
            }
            Box::pin(self.settle()).await;
        }
        panic!("nobody would be paged after {STEPS_MAX} steps");
    }

    /// Decides as the engine does, looks whether a page waits then, and takes the decision back.
    async fn would_page(&self) -> bool {
        let now = self.now();
        let mut tx = self.app.db.write_in_turn().await.expect("a transaction");
        incident::step::settle(&mut tx, now).await.expect("causes are settled");
        maintenance::step::step(&mut tx, now).await.expect("windows are settled");
        escalation::step::step(&mut tx, now).await.expect("escalations go on");
        let waiting: i64 = sqlx::query_scalar(
            "SELECT CAST(COUNT(*) AS BIGINT) FROM page WHERE state = 'queued' AND due_at <= $1",
        )
        .bind(now.as_millisecond())
        .fetch_one(&mut *tx)
        .await
        .expect("the pages that wait");
        tx.rollback().await.expect("it is taken back");
        waiting > 0
    }

    /// Decides as the engine does, and leaves the rest undone.
    pub async fn decide_only(&mut self) {
        let now = self.now();
        let mut tx = self.app.db.write_in_turn().await.expect("a transaction");
        incident::step::settle(&mut tx, now).await.expect("causes are settled");
        maintenance::step::step(&mut tx, now).await.expect("windows are settled");
        escalation::step::step(&mut tx, now).await.expect("escalations go on");
        tx.commit().await.expect("a commit");
    }

    /// Runs the server's next cycle, and how often it had to wait for something.
    pub async fn count_waits(&mut self) -> usize {
        self.cycle_for(usize::MAX).await
    }

    /// Runs the server's next cycle until it waits for the `waits`-th time, kills it there and starts another one;
    /// how often it did wait.
    pub async fn killed_after(&mut self, waits: usize) -> usize {
        let done = self.cycle_for(waits).await;
        self.restart_server().await;
        done
    }

    async fn cycle_for(&mut self, waits: usize) -> usize {
        let (app, now) = (self.app.clone(), self.now());
        let mut cycle = Box::pin(self.engine.cycle(&app, now));
        let mut done = 0;
        std::future::poll_fn(|context| {
            if done >= waits {
                return Poll::Ready(());
            }
            done += 1;
            cycle.as_mut().poll(context)
        })
        .await;
        done
    }

    /// Runs the server's next cycle until a page has arrived at somebody, and kills it there.
    pub async fn killed_at_arrival(&mut self) {
        let (app, now, pager) = (self.app.clone(), self.now(), self.pager.clone());
        let cycle = Box::pin(self.engine.cycle(&app, now));
        tokio::select! {
            () = pager.arrival() => {}
            () = cycle => panic!("the cycle was over before a page arrived"),
        }
        self.restart_server().await;
    }

    /// Runs the server's next cycle while the record of attempts cannot be written, and kills it then: whatever the
    /// provider answered, it was not committed.
    pub async fn killed_before_the_record(&mut self) {
        let rename = async |world: &Self, from: &str, to: &str| {
            let mut tx = world.app.db.write().await.expect("a transaction");
            let text = format!("ALTER TABLE {from} RENAME TO {to}");
            sqlx::query(sqlx::AssertSqlSafe(text)).execute(&mut *tx).await.expect("a table is renamed");
            tx.commit().await.expect("a commit");
        };
        rename(self, "page_attempt", "page_attempt_away").await;
        self.cycle_for(usize::MAX).await;
        rename(self, "page_attempt_away", "page_attempt").await;
        self.restart_server().await;
    }
}
