//! A look around that the server asked for: only in a private network, one at a time, and its answer small enough for a record.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sitewarden_proto::limits::DISCOVERY_MAX;
use sitewarden_proto::network::{ADDRESSES_MAX, is_private};

use super::{Found, Ports, Proposal, Wish, list, look};
use crate::config::Security;
use crate::probe::icmp::addresses;

/// For all of it.
const LIMIT: Duration = Duration::from_mins(8);
/// Pings in a second: a site's switches do not notice so few.
const RATE: u32 = 100;
/// Reasons that are told of each device.
const WHY_MAX: usize = 3;

/// Takes an order: what is to be looked at, or why not.
pub(crate) fn wish(net: &str, snmp: Option<Security>) -> Result<Wish, String> {
    let all = addresses(net)?;
    if all.len() > ADDRESSES_MAX {
        return Err(format!("{net} has {} addresses; {} at most, a /20", all.len(), ADDRESSES_MAX));
    }
    // The whole network is private when both its ends are.
    if !all.first().into_iter().chain(all.last()).all(|address| is_private(*address)) {
        return Err(format!("{net} is no private network, and others are not looked at for the server"));
    }
    Ok(Wish { net: net.to_owned(), snmp, rate: RATE, limit: LIMIT, ports: Ports::default() })
}

/// Looks, and tells what was found until its time was over; or why nothing can be told.
pub(crate) async fn carry_out(wish: &Wish, found: &Arc<Found>) -> Result<Value, String> {
    let complete = match tokio::time::timeout(wish.limit, look(wish, found)).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => false,
    };
    Ok(told(wish, found.steps().1 / 2, complete, &found.proposals()))
}

/// `{"network", "addresses", "complete", "found": […], "left_out"}`: what is worth watching first, and as many as fit.
pub(crate) fn told(wish: &Wish, addresses: usize, complete: bool, all: &[Proposal]) -> Value {
    let mut rows = list(all);
    rows.sort_by_key(|row| row["is_proposed"] != true);
    let mut size = 0;
    let mut found = Vec::new();
    for mut row in rows {
        if let Some(row) = row.as_object_mut() {
            row.remove("toml");
            if let Some(why) = row.get_mut("why").and_then(Value::as_array_mut) {
                why.truncate(WHY_MAX);
            }
        }
        size += row.to_string().len() + 1;
        if size > DISCOVERY_MAX {
            break;
        }
        found.push(row);
    }
    let left_out = all.len() - found.len();
    json!({ "network": wish.net, "addresses": addresses, "complete": complete, "found": found, "left_out": left_out })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::IpAddr;

    use super::super::{Hints, proposals};
    use super::*;

    #[test]
    fn only_private_networks_are_looked_at() {
        for net in ["10.1.2.0/24", "192.168.4.0/22", "172.16.0.0/20", "100.64.0.0/24", "fd00::/120"] {
            assert!(wish(net, None).is_ok(), "{net}");
        }
        for net in ["8.8.8.0/24", "172.32.0.0/24", "2001:db8::/120"] {
            assert!(wish(net, None).unwrap_err().contains("no private network"), "{net}");
        }
        assert!(wish("10.0.0.0/8", None).is_err());
        assert!(wish("the hall", None).unwrap_err().contains("no range"));
    }

    #[test]
    fn the_answer_fits_into_a_record_and_says_what_it_left_out() {
        let hints = Hints { open: vec![80, 554, 37777], ..Hints::default() };
        let seen: BTreeMap<_, _> = (0..4_000_u32)
            .map(|at| (IpAddr::from((0x0a00_0000 + at).to_be_bytes()), hints.clone()))
            .collect();
        let all = proposals(&seen, &BTreeMap::new());
        let said = told(&wish("10.0.0.0/20", None).unwrap(), 4_094, true, &all);
        assert!(said.to_string().len() < DISCOVERY_MAX + 1_000);
        let (found, left) = (said["found"].as_array().unwrap().len(), said["left_out"].as_u64().unwrap());
        assert!(found > 200, "{found}");
        assert_eq!(found as u64 + left, 4_000);
    }
}
