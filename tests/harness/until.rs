//! Waiting for the real world: ask again until it is so, within a limit.

use std::time::Duration;

use tokio::time::Instant;

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks `is_so` again and again until it says yes. Panics with `what` when `limit` has passed.
pub async fn until(what: &str, limit: Duration, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !is_so().await {
        assert!(Instant::now() < deadline, "waited {limit:?} in vain until {what}");
        tokio::time::sleep(PAUSE).await;
    }
}
