//! SQL for sending: claims, attempts, what waits for a limit or for the end of quiet hours.

use jiff::Timestamp;

use crate::db::Conn;
use crate::page::channel::{Refusal, Sent};
use crate::page::{ATTEMPTS_END, ATTEMPTS_MAX, CLAIM, Purpose, backoff};

/// A page that a sender holds.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Claimed {
    pub id: String,
    pub idem_key: String,
    pub ticket_id: String,
    pub account_id: String,
    pub channel: String,
    pub address: String,
    pub template: String,
    pub purpose: String,
    pub language: String,
    pub attempts: i64,
    pub repeat: i64,
    pub held: String,
    pub refused: i64,
    /// The clock that it is about, a JSON object; empty where it is about none.
    pub about: String,
}

const CLAIMED: &str = "id, idem_key, ticket_id, account_id, channel, address, template, purpose, language, attempts, repeat, \
     held, refused, about";
/// A refusal for good is tried so often: somebody may mend the setting meanwhile.
const REFUSED_MAX: i64 = 2;

/// Takes the pages that are due, in the order in which they were decided, and those whose sender did not come back. `attempts` counts this one.
pub async fn claim(
    conn: &mut Conn,
    engine: crate::db::Engine,
    now: Timestamp,
    limit: i64,
) -> sqlx::Result<Vec<Claimed>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "UPDATE page SET state = 'claimed', repeat = CASE WHEN state = 'claimed' THEN 1 ELSE repeat END, \
         claimed_until = $2, attempts = attempts + 1 WHERE id IN (SELECT id FROM page WHERE \
         (state = 'queued' AND due_at <= $1) OR (state = 'claimed' AND claimed_until <= $1) \
         ORDER BY created_at, id LIMIT $3 {}) RETURNING {CLAIMED}",
        crate::db::skip_locked(engine)
    )))
    .bind(now.as_millisecond())
    .bind(now.as_millisecond() + CLAIM.as_millis() as i64)
    .bind(limit)
    .fetch_all(conn)
    .await
}

/// Takes what else the limit holds back for the same address: it goes in one message.
pub async fn claim_held(
    conn: &mut Conn,
    engine: crate::db::Engine,
    like: &Claimed,
    now: Timestamp,
    limit: i64,
) -> sqlx::Result<Vec<Claimed>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "UPDATE page SET state = 'claimed', claimed_until = $5, attempts = attempts + 1 WHERE id IN (SELECT id FROM page \
         WHERE account_id = $1 AND channel = $2 AND address = $3 AND state = 'queued' AND held = 'limit' \
         ORDER BY created_at, id LIMIT $4 {}) RETURNING {CLAIMED}",
        crate::db::skip_locked(engine)
    )))
    .bind(&like.account_id)
    .bind(&like.channel)
    .bind(&like.address)
    .bind(limit)
    .bind(now.as_millisecond() + CLAIM.as_millis() as i64)
    .fetch_all(conn)
    .await
}

/// When messages went to a person's address since `since`, oldest first; what went in one message counts once.
pub async fn list_sent_since(
    conn: &mut Conn,
    account: &str,
    channel: &str,
    address: &str,
    since: i64,
) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar(
        "SELECT sent_at FROM page WHERE account_id = $1 AND channel = $2 AND sent_at > $4 AND address = $3 \
         AND state = 'sent' AND attempts > 0 AND (bundle_id IS NULL OR bundle_id = id) ORDER BY sent_at",
    )
    .bind(account)
    .bind(channel)
    .bind(address)
    .bind(since)
    .fetch_all(conn)
    .await
}

/// Gives a page back untried, as if it had not been claimed.
pub async fn give_back(conn: &mut Conn, page: &Claimed) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE page SET state = 'queued', attempts = attempts - 1, claimed_until = NULL \
         WHERE id = $1 AND state = 'claimed' AND attempts = $2",
    )
    .bind(&page.id)
    .bind(page.attempts)
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives a page back untried that waits for `until`.
pub async fn hold(conn: &mut Conn, page: &Claimed, why: &str, until: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE page SET state = 'queued', attempts = attempts - 1, claimed_until = NULL, held = $3, due_at = $4 \
         WHERE id = $1 AND state = 'claimed' AND attempts = $2",
    )
    .bind(&page.id)
    .bind(page.attempts)
    .bind(why)
    .bind(until.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The provider took it.
    Sent,
    /// It will be tried again.
    Again,
    /// It does not get through: it will be tried again, but others must be told.
    Stuck,
    /// It was refused for good, or its address is gone: others must be told.
    Refused,
    /// It was tried as often as allowed.
    Failed,
    /// It is over, so it will not be tried again.
    Withheld,
}

impl Outcome {
    fn of(page: &Claimed, result: &Sent, ticket: &str) -> Self {
        let is_opened = page.purpose == Purpose::Opened.as_str();
        let is_over =
            matches!(Purpose::parse(&page.purpose), Purpose::Opened | Purpose::AtRisk | Purpose::Breached);
        // Who has the ticket knows of it.
        let last = if is_opened && ticket == "open" { ATTEMPTS_END } else { ATTEMPTS_MAX };
        match result {
            Ok(_) => Self::Sent,
            Err(_) if is_over && ticket == "closed" => Self::Withheld,
            Err(Refusal::Gone(_)) => Self::Refused,
            Err(Refusal::Never(_)) if page.refused + 1 >= REFUSED_MAX => Self::Failed,
            Err(Refusal::Never(_)) => Self::Stuck,
            Err(Refusal::Later { .. }) if page.attempts >= last => Self::Failed,
            Err(Refusal::Later { .. }) if page.attempts == ATTEMPTS_MAX => Self::Stuck,
            Err(Refusal::Later { .. }) => Self::Again,
        }
    }
}

/// Records an attempt and what follows from it. What was refused is not tried again once the ticket has been
/// closed meanwhile. `bundle` is the page in whose message this one went.
pub async fn record(
    conn: &mut Conn,
    page: &Claimed,
    result: &Sent,
    bundle: Option<&str>,
    now: Timestamp,
) -> sqlx::Result<Outcome> {
    let answer = match result {
        Ok(answer) => answer,
        Err(refusal) => refusal.words(),
    };
    let answer: String = answer.chars().take(500).collect();
    sqlx::query(
        "INSERT INTO page_attempt (page_id, attempt, at, ok, answer) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(&page.id)
    .bind(page.attempts)
    .bind(now.as_millisecond())
    .bind(i64::from(result.is_ok()))
    .bind(&answer)
    .execute(&mut *conn)
    .await?;
    let ticket = lock_ticket(&mut *conn, &page.ticket_id).await?;
    let outcome = Outcome::of(page, result, &ticket);
    let (state, sent_at) = match outcome {
        Outcome::Sent => ("sent", Some(now.as_millisecond())),
        Outcome::Again | Outcome::Stuck => ("queued", None),
        Outcome::Failed | Outcome::Refused => ("failed", None),
        Outcome::Withheld => ("withheld", None),
    };
    sqlx::query(
        "UPDATE page SET state = $2, sent_at = COALESCE($3, sent_at), due_at = $4, claimed_until = NULL, \
         last_answer = $5, refused = refused + $6, bundle_id = COALESCE($7, bundle_id) WHERE id = $1",
    )
    .bind(&page.id)
    .bind(state)
    .bind(sent_at)
    .bind(now.as_millisecond() + wait_ms(page, result))
    .bind(answer)
    .bind(i64::from(matches!(result, Err(Refusal::Never(_)))))
    .bind(bundle)
    .execute(conn)
    .await?;
    Ok(outcome)
}

/// How long until the next attempt: no sooner than the provider asked for, and up to a quarter more, different
/// for each page, so that a provider that comes back is not stormed.
fn wait_ms(page: &Claimed, result: &Sent) -> i64 {
    let usual = backoff(page.attempts);
    let wait = match result {
        Err(Refusal::Later { after: Some(after), .. }) => usual.max(*after),
        Err(Refusal::Never(_)) => backoff(ATTEMPTS_MAX),
        Ok(_) | Err(Refusal::Later { .. } | Refusal::Gone(_)) => usual,
    };
    let wait = wait.as_millis() as i64;
    wait + i64::from(page.id.bytes().fold(0_u8, u8::wrapping_add)) * wait / 1024
}

/// The state of a ticket, which nobody changes until the transaction ends: a page that goes back into the
/// queue is seen by whoever closes the ticket.
async fn lock_ticket(conn: &mut Conn, ticket: &str) -> sqlx::Result<String> {
    sqlx::query_scalar("UPDATE ticket SET changed_at = changed_at WHERE id = $1 RETURNING state")
        .bind(ticket)
        .fetch_one(conn)
        .await
}

/// One attempt to deliver a page.
#[derive(Clone, Debug, sqlx::FromRow, serde::Serialize, utoipa::ToSchema)]
pub struct Delivery {
    /// The ticket's number.
    pub number: i64,
    /// Who was to be reached.
    pub account: String,
    /// On which channel.
    pub channel: String,
    /// `opened` or `closed`.
    pub purpose: String,
    /// Which attempt it was, from 1.
    pub attempt: i64,
    /// When, Unix milliseconds.
    pub at: i64,
    /// 1 when the provider took it.
    #[serde(serialize_with = "crate::user::store::as_bool")]
    #[schema(value_type = bool)]
    pub ok: i64,
    /// The provider's words.
    pub answer: String,
    /// What has become of the page since.
    pub state: String,
}

/// The newest attempts, of one channel or of all, all of them or only those that failed; at most 200.
pub async fn list_deliveries(
    conn: &mut Conn,
    channel: Option<&str>,
    failed: bool,
) -> sqlx::Result<Vec<Delivery>> {
    sqlx::query_as(
        "SELECT t.number, a.name AS account, p.channel, p.purpose, d.attempt, d.at, d.ok, d.answer, p.state \
         FROM page_attempt d JOIN page p ON p.id = d.page_id JOIN ticket t ON t.id = p.ticket_id \
         JOIN account a ON a.id = p.account_id WHERE (CAST($1 AS TEXT) IS NULL OR p.channel = $1) AND d.ok <= $2 \
         ORDER BY d.at DESC, d.page_id DESC LIMIT 200",
    )
    .bind(channel)
    .bind(i64::from(!failed))
    .fetch_all(conn)
    .await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn page(attempts: i64, refused: i64) -> Claimed {
        Claimed {
            id: String::new(),
            idem_key: String::new(),
            ticket_id: String::new(),
            account_id: String::new(),
            channel: "slack".into(),
            address: "all".into(),
            template: String::new(),
            purpose: "opened".into(),
            language: "en".into(),
            attempts,
            repeat: 0,
            held: String::new(),
            refused,
            about: String::new(),
        }
    }

    #[test]
    fn what_is_refused_for_good_is_tried_once_more_and_told_to_others_at_once() {
        let never: Sent = Err(Refusal::Never("wrong key".into()));
        assert_eq!(Outcome::of(&page(1, 0), &never, "open"), Outcome::Stuck);
        assert_eq!(Outcome::of(&page(2, 1), &never, "open"), Outcome::Failed);
        assert_eq!(wait_ms(&page(1, 0), &never), 1_800_000);
        let gone: Sent = Err(Refusal::Gone("410".into()));
        assert_eq!(Outcome::of(&page(1, 0), &gone, "open"), Outcome::Refused);
        assert_eq!(Outcome::of(&page(1, 0), &gone, "closed"), Outcome::Withheld);
    }

    #[test]
    fn a_provider_that_asks_for_time_gets_it() {
        let after = Some(Duration::from_secs(90));
        let later = |after| -> Sent { Err(Refusal::Later { words: "slow down".into(), after }) };
        assert_eq!(wait_ms(&page(1, 0), &later(after)), 90_000);
        assert_eq!(wait_ms(&page(9, 0), &later(after)), 300_000, "never sooner than without");
        assert_eq!(wait_ms(&page(1, 0), &later(None)), 5_000);
    }
}
