//! Pages that would be sent: which of them a person's own quiet hours and limits would keep waiting, by the rule that
//! does it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{ForeseenPerson, Waits};
use crate::db::Conn;
use crate::escalation::store::people::Person;
use crate::page::hold::{Verdict, Waiting, judge};
use crate::page::step::send::wishes;
use crate::page::store::send::list_sent_since;

/// What has been sent, and would have been by now.
pub(super) struct Post {
    critical: bool,
    since: Timestamp,
    /// By the way, as it would be at each moment.
    sent: BTreeMap<String, Vec<i64>>,
}

impl Post {
    /// Of trouble that is critical or not, from `since` on.
    pub(super) fn new(critical: bool, since: Timestamp) -> Self {
        Self { critical, since, sent: BTreeMap::new() }
    }

    /// Sends a page to each way of each person at `at`; what people would see of it.
    pub(super) async fn send(
        &mut self,
        conn: &mut Conn,
        people: &[Person],
        at: Timestamp,
    ) -> sqlx::Result<Vec<ForeseenPerson>> {
        let mut seen = Vec::new();
        for person in people {
            let mut one = ForeseenPerson::from(person);
            for way in &person.ways {
                let wishes = wishes(conn, &way.account_id, &way.channel, &way.address).await?;
                let before = at.as_millisecond() - wishes.limit_minutes * 60_000;
                let mut sent =
                    list_sent_since(conn, &way.account_id, &way.channel, &way.address, before).await?;
                sent.retain(|sent| *sent < self.since.as_millisecond());
                let foreseen = self.sent.entry(way.contact_id.clone()).or_default();
                sent.extend(foreseen.iter().filter(|sent| **sent > before));
                sent.sort_unstable();
                let waiting = Waiting { critical: self.critical, was_held: false };
                let (reason, until) = match judge(&[waiting], &wishes, &sent, at).first() {
                    Some(Verdict::Quiet(until)) => ("quiet", *until),
                    Some(Verdict::Limit(until)) => ("limit", *until),
                    Some(Verdict::Alone | Verdict::Together) | None => {
                        foreseen.push(at.as_millisecond());
                        continue;
                    }
                };
                foreseen.push(until.as_millisecond());
                let (channel, reason) = (way.channel.clone(), reason.to_owned());
                one.waits.push(Waits { channel, reason, until: until.as_millisecond() });
            }
            seen.push(one);
        }
        Ok(seen)
    }
}
