//! Reads the tables of a switch that tell who hangs on its ports. A switch lacks some of them; that is no fault.

use std::time::Duration;

use async_snmp::{Oid, Value, WalkOptions};
use sitewarden_proto::limits::VIEW_MACS_MAX;
use sitewarden_proto::wire::Neighbour;
use tokio::time::{Instant, timeout_at};

use super::snmp::{Denied, Session, Sessions, open};
use super::{OutcomeState, Reading};
use crate::config::Snmp;
use crate::topology::{Cell, Row, Tables, view};

const ROWS_PER_REQUEST: u32 = 25;
/// What is kept for the walks of the check's timeout.
const SHARE: f64 = 0.95;
/// `lldpLocChassisId` and its subtype, 4 for a MAC.
const CHASSIS: [u32; 11] = [1, 0, 8802, 1, 1, 2, 1, 3, 2, 0, 0];

/// Walks the tables. Values: `ports`, `addresses`. Faults: those of SNMP.
pub(crate) async fn read(address: &str, asked: &Snmp, limit: Duration, sessions: &Sessions) -> Reading {
    let deadline = Instant::now() + limit.mul_f64(SHARE);
    let session = match open(address, asked.port, &asked.security, limit.mul_f64(0.3), sessions).await {
        Ok((session, _)) => session,
        Err(denied) => return refused(&denied),
    };
    let mut tables = Tables::default();
    // Something must be answered before tables that are not there can mean anything.
    let first = walk(&session, &[1, 3, 6, 1, 2, 1, 2, 2, 1, 2], deadline, &mut tables.truncated).await;
    match first {
        Some(rows) => tables.if_descr = rows,
        None => {
            return Reading::of(OutcomeState::Silent, "snmp_silent", "the switch does not answer over SNMP");
        }
    }
    macro_rules! columns {
        ($($field:ident = $oid:expr;)*) => {
            $(tables.$field = walk(&session, &$oid, deadline, &mut tables.truncated).await.unwrap_or_default();)*
        };
    }
    columns! {
        if_name = [1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1];
        base_port_if_index = [1, 3, 6, 1, 2, 1, 17, 1, 4, 1, 2];
        q_fdb_port = [1, 3, 6, 1, 2, 1, 17, 7, 1, 2, 2, 1, 2];
        fdb_port = [1, 3, 6, 1, 2, 1, 17, 4, 3, 1, 2];
        lldp_local_port = [1, 0, 8802, 1, 1, 2, 1, 3, 7, 1, 3];
        lldp_chassis_subtype = [1, 0, 8802, 1, 1, 2, 1, 4, 1, 1, 4];
        lldp_chassis = [1, 0, 8802, 1, 1, 2, 1, 4, 1, 1, 5];
        lldp_port_subtype = [1, 0, 8802, 1, 1, 2, 1, 4, 1, 1, 6];
        lldp_port = [1, 0, 8802, 1, 1, 2, 1, 4, 1, 1, 7];
        lldp_name = [1, 0, 8802, 1, 1, 2, 1, 4, 1, 1, 9];
        lldp_caps = [1, 0, 8802, 1, 1, 2, 1, 4, 1, 1, 12];
        cdp_name = [1, 3, 6, 1, 4, 1, 9, 9, 23, 1, 2, 1, 1, 6];
        cdp_caps = [1, 3, 6, 1, 4, 1, 9, 9, 23, 1, 2, 1, 1, 9];
        poe_admin = [1, 3, 6, 1, 2, 1, 105, 1, 1, 1, 3];
        arp = [1, 3, 6, 1, 2, 1, 4, 22, 1, 2];
    }
    tables.chassis = chassis(&session, deadline).await.unwrap_or_default();
    let mut view = view(&tables);
    view.arp.extend(own_neighbours());
    let addresses: usize = view.ports.iter().map(|port| port.macs.len()).sum();
    let mut reading = Reading::good()
        .value("ports", f64::from(u32::try_from(view.ports.len()).unwrap_or(u32::MAX)))
        .value("addresses", f64::from(u32::try_from(addresses).unwrap_or(u32::MAX)));
    if view.truncated {
        reading = reading.note("tables_truncated", "not every row was read");
    }
    reading.view(view)
}

fn refused(denied: &Denied) -> Reading {
    if denied.unauthorized {
        Reading::of(OutcomeState::Rejected, "snmp_wrong_key", &denied.text)
    } else {
        Reading::of(OutcomeState::Silent, "snmp_silent", &denied.text)
    }
}

/// The rows of one column; None when the switch did not answer at all.
async fn walk(
    session: &Session,
    column: &[u32],
    deadline: Instant,
    truncated: &mut bool,
) -> Option<Vec<Row>> {
    let options = WalkOptions {
        max_repetitions: ROWS_PER_REQUEST,
        result_limit: Some(VIEW_MACS_MAX),
        ..WalkOptions::default()
    };
    let mut found = Vec::new();
    let mut rows = session.walk_with(Oid::new(column.iter().copied()), options).ok()?;
    loop {
        match timeout_at(deadline, rows.next()).await {
            Ok(Some(Ok(row))) => {
                let index = row.oid.arcs().get(column.len()..).unwrap_or_default().to_vec();
                let cell = match row.value {
                    Value::Integer(number) => Cell::Number(number.into()),
                    Value::Gauge32(number) | Value::Counter32(number) | Value::UInteger32(number) => {
                        Cell::Number(number.into())
                    }
                    Value::OctetString(bytes) | Value::Opaque(bytes) => Cell::Bytes(bytes.to_vec()),
                    _ => continue,
                };
                found.push((index, cell));
            }
            Ok(None) => {
                *truncated |= found.len() >= VIEW_MACS_MAX;
                return Some(found);
            }
            Ok(Some(Err(_))) | Err(_) => {
                *truncated |= !found.is_empty();
                return (!found.is_empty()).then_some(found);
            }
        }
    }
}

async fn chassis(session: &Session, deadline: Instant) -> Option<Vec<u8>> {
    let scalar = |last: u32| {
        let mut arcs = CHASSIS;
        arcs[9] = last;
        Oid::new(arcs)
    };
    let get = async {
        let subtype = session.get(&scalar(1)).await.ok()?;
        let id = session.get(&scalar(2)).await.ok()?;
        match (&subtype.varbinds.first()?.value, &id.varbinds.first()?.value) {
            (Value::Integer(4), Value::OctetString(bytes)) if bytes.len() == 6 => Some(bytes.to_vec()),
            _ => None,
        }
    };
    timeout_at(deadline, get).await.ok().flatten()
}

/// The gateway's own neighbours: `address hwtype flags mac mask device`, a line each.
pub(crate) fn own_neighbours() -> Vec<Neighbour> {
    let text = std::fs::read_to_string("/proc/net/arp").unwrap_or_default();
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        let address = words.next()?.to_owned();
        let mac = words.nth(2)?;
        let mac: Vec<u8> =
            mac.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect::<Option<_>>()?;
        (mac.len() == 6 && mac.iter().any(|byte| *byte != 0)).then_some(Neighbour { address, mac })
    };
    text.lines().skip(1).filter_map(row).take(VIEW_MACS_MAX).collect()
}
