//! A PoE port off and on again, over SNMP: `pethPsePortAdminEnable` of the Power Ethernet MIB (RFC 3621), 1 is on
//! and 2 is off.
//!
//! A port that somebody has switched off stays off: first it is looked at. Every SET is read back. "On" is tried
//! several times here, and again for ever by whoever keeps the books.

use std::time::Duration;

use async_snmp::{Oid, Value};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::{End, Report};
use crate::config::SnmpWrite;
use crate::probe::Context;
use crate::probe::snmp::{Denied, Session, deny, open};

/// `pethPsePortAdminEnable` and `pethPsePortDetectionStatus`, before group and port.
const ADMIN_ENABLE: [u32; 11] = [1, 3, 6, 1, 2, 1, 105, 1, 1, 1, 3];
const DETECTION: [u32; 11] = [1, 3, 6, 1, 2, 1, 105, 1, 1, 1, 6];
const ON: i32 = 1;
const OFF: i32 = 2;
/// For one try of one request.
const WAIT: Duration = Duration::from_secs(3);
const ON_TRIES: u32 = 4;
const ON_PAUSE: Duration = Duration::from_secs(2);

/// A PoE port of a switch, with the right to write to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The switch's host name or address.
    pub address: String,
    /// How to write.
    pub access: SnmpWrite,
    /// `pethPsePortGroupIndex`.
    pub group: u32,
    /// `pethPsePortIndex`.
    pub port: u32,
}

impl Place {
    fn object(&self, column: [u32; 11]) -> Oid {
        Oid::new(column.into_iter().chain([self.group, self.port]))
    }
}

/// Is the port there, and on?
pub(super) async fn look(place: &Place, context: &Context) -> Report {
    let admin = match Line::open(place, context).await {
        Ok(line) => line.get(ADMIN_ENABLE).await,
        Err(denied) => Err(denied),
    };
    match admin {
        Ok(Some(ON)) => Report::new(End::Ready),
        Ok(Some(OFF)) => Report::failed(format!(
            "port {}.{} is switched off already: somebody did that, and it stays so",
            place.group, place.port
        ))
        .with("reason", "port_off_before"),
        Ok(Some(other)) => Report::failed(format!("the switch says {other} where only 1 or 2 has a meaning"))
            .with("reason", "wrong_answer"),
        Ok(None) => {
            let (group, port) = (place.group, place.port);
            Report::failed(format!("the switch has no PoE port {group}.{port}"))
                .with("reason", "no_such_port")
        }
        Err(denied) => from(denied),
    }
}

/// Off, a pause, on.
pub(super) async fn cycle(
    place: &Place,
    off: Duration,
    context: &Context,
    mut hurry: watch::Receiver<bool>,
) -> Report {
    let line = match Line::open(place, context).await {
        Ok(line) => line,
        Err(denied) => return from(denied),
    };
    let before = line.get(DETECTION).await.ok().flatten();
    if let Err(denied) = line.set(OFF).await {
        // A switch that did not answer may have obeyed all the same.
        let mut report = switch_on(place, context).await;
        if report.end == End::Done {
            report = from(denied);
        }
        return report;
    }
    // An agent that ends does not wait.
    let _ = timeout(off, hurry.wait_for(|hurry| *hurry)).await;
    let mut report = switch_on(place, context).await;
    if let Some(before) = before {
        report = report.with("power_before", detection(before));
    }
    report.with("off_s", off.as_secs())
}

/// On, several times if need be, until the switch says that it is.
pub(super) async fn switch_on(place: &Place, context: &Context) -> Report {
    let mut error = String::new();
    for tried in 0..ON_TRIES {
        if tried > 0 {
            sleep(ON_PAUSE).await;
        }
        let done = match Line::open(place, context).await {
            Ok(line) => line.set(ON).await,
            Err(denied) => Err(denied),
        };
        match done {
            Ok(()) => return Report::new(End::Done).with("port", format!("{}.{}", place.group, place.port)),
            Err(denied) => error = denied.text,
        }
    }
    let (group, port) = (place.group, place.port);
    let error =
        format!("port {group}.{port} may be off and could not be switched on: {error}. Switch it on by hand");
    Report { error, ..Report::new(End::PortOff) }
}

/// A session with the switch.
struct Line<'a> {
    place: &'a Place,
    session: Session,
    target: std::net::SocketAddr,
}

impl<'a> Line<'a> {
    async fn open(place: &'a Place, context: &Context) -> Result<Self, Denied> {
        let access = &place.access;
        let (session, target) =
            open(&place.address, access.port, &access.security, WAIT, context.snmp()).await?;
        Ok(Self { place, session, target })
    }

    async fn get(&self, column: [u32; 11]) -> Result<Option<i32>, Denied> {
        match self.session.get(&self.place.object(column)).await {
            Ok(answer) => Ok(answer.varbinds.iter().find_map(|row| match row.value {
                Value::Integer(number) => Some(number),
                _ => None,
            })),
            Err(error) => Err(deny(&error, &self.place.access.security, self.target)),
        }
    }

    /// Sets the port and reads it back.
    async fn set(&self, to: i32) -> Result<(), Denied> {
        let object = self.place.object(ADMIN_ENABLE);
        if let Err(error) = self.session.set(&object, Value::Integer(to)).await {
            return Err(deny(&error, &self.place.access.security, self.target));
        }
        match self.get(ADMIN_ENABLE).await? {
            Some(now) if now == to => Ok(()),
            now => {
                let now = now.map_or("nothing".to_owned(), |now| now.to_string());
                let text = format!("the switch took {to} and then says {now}");
                Err(Denied { unauthorized: false, text })
            }
        }
    }
}

fn from(denied: Denied) -> Report {
    if denied.unauthorized { Report::unauthorized(denied.text) } else { Report::failed(denied.text) }
}

/// The words of `pethPsePortDetectionStatus`.
fn detection(number: i32) -> &'static str {
    match number {
        1 => "disabled",
        2 => "searching",
        3 => "delivering_power",
        4 => "fault",
        5 => "test",
        6 => "other_fault",
        _ => "unknown",
    }
}
