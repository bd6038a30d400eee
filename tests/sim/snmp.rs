//! The SNMP agent of a device: the system group (RFC 3418), what a switch tells, and the battery, input and output of a
//! UPS (RFC 1628). Read-only.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use async_snmp::agent::Agent;
use async_snmp::handler::{
    BoxFuture, GetNextResult, GetResult, HandlerResult, MibHandler, OidTable, RequestContext,
};
use async_snmp::v3::{AuthoritativeEngine, PersistedAuthoritativeEngine};
use async_snmp::{AuthProtocol, Oid, PrivProtocol, Value, VarBind, oid};

use super::clock::now_ms;
use super::device::{Device, Setup};
use super::plan::{AUTH_PASSWORD, COMMUNITY, PRIVACY_PASSWORD, USER};
use super::switch;
use super::trouble::Trouble;

/// How long a table stands: a walk asks for hundreds of rows one after the other.
const TABLE_LIFE_MS: i64 = 200;
const RECEIVE_BUFFER: usize = 64 * 1024;

/// Binds an agent for `device`. With another password it knows the user, but not the key.
pub async fn open(device: &Arc<Device>, port: u16, v3: bool, setup: &Setup) -> Result<Agent> {
    let builder = Agent::builder()
        .bind(format!("{}:{port}", device.address()))
        .handler(oid!(1, 3, 6, 1), Arc::new(Mib { device: Arc::clone(device), table: Mutex::default() }))
        .without_builtin_handlers()
        .recv_buffer_size(Some(RECEIVE_BUFFER))
        .allow_all_access();
    let builder = if v3 {
        let engine = PersistedAuthoritativeEngine::new(
            [&[0x80, 0, 0, 0, 1][..], &device.address().octets()].concat(),
            device.next_boot(),
        )?;
        let auth = if setup.other_password { "changed-by-someone" } else { AUTH_PASSWORD };
        builder
            .authoritative_engine(AuthoritativeEngine::restart(engine, |_| Ok::<(), Infallible>(()))?)
            .usm_user(USER, |user| {
                user.auth_priv(AuthProtocol::Sha256, auth, PrivProtocol::Aes128, PRIVACY_PASSWORD)
            })?
    } else if setup.other_password {
        builder.community(b"changed-by-someone")
    } else {
        builder.community(COMMUNITY.as_bytes())
    };
    Ok(builder.build().await?)
}

/// What the agent knows, worked out anew when it is old.
struct Mib {
    device: Arc<Device>,
    table: Mutex<Option<(i64, Arc<OidTable<Value>>)>>,
}

impl Mib {
    fn table(&self) -> Arc<OidTable<Value>> {
        let now_ms = now_ms();
        let mut kept = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((made_ms, table)) if (0..TABLE_LIFE_MS).contains(&(now_ms - made_ms)) => Arc::clone(table),
            _ => {
                let table = Arc::new(table(&self.device));
                *kept = Some((now_ms, Arc::clone(&table)));
                table
            }
        }
    }
}

impl MibHandler for Mib {
    fn get<'a>(&'a self, _: &'a RequestContext, oid: &'a Oid) -> BoxFuture<'a, HandlerResult<GetResult>> {
        Box::pin(async move {
            self.device.think().await;
            Ok(self.table().get(oid).cloned().map_or(GetResult::NoSuchInstance, GetResult::Value))
        })
    }

    fn get_next<'a>(
        &'a self,
        _: &'a RequestContext,
        oid: &'a Oid,
    ) -> BoxFuture<'a, HandlerResult<GetNextResult>> {
        Box::pin(async move {
            self.device.think().await;
            Ok(self.table().get_next(oid).map_or(GetNextResult::EndOfMibView, |(next, value)| {
                GetNextResult::Value(VarBind::new(next.clone(), value.clone()))
            }))
        })
    }
}

/// A string as it stands in a table.
pub fn text(text: impl Into<String>) -> Value {
    Value::OctetString(text.into().into())
}

fn table(device: &Device) -> OidTable<Value> {
    let b = device.blueprint();
    let ticks = (device.uptime_ms() / 10).max(0) as u32;
    let mut rows = vec![
        (oid!(1, 3, 6, 1, 2, 1, 1, 1, 0), text(format!("{} simulated {}", b.model, b.class))),
        (oid!(1, 3, 6, 1, 2, 1, 1, 2, 0), Value::ObjectIdentifier(oid!(1, 3, 6, 1, 4, 1, 8072, 9999))),
        (oid!(1, 3, 6, 1, 2, 1, 1, 3, 0), Value::TimeTicks(ticks)),
        (oid!(1, 3, 6, 1, 2, 1, 1, 4, 0), text("nobody")),
        (oid!(1, 3, 6, 1, 2, 1, 1, 5, 0), text(&b.id)),
        (oid!(1, 3, 6, 1, 2, 1, 1, 6, 0), text(&b.place)),
        (oid!(1, 3, 6, 1, 2, 1, 1, 7, 0), Value::Integer(72)),
    ];
    match b.class {
        "switch" => rows.extend(switch::rows(device, ticks)),
        "ups" => battery(device.has(Trouble::Battery), &mut rows),
        _ => {}
    }
    rows.into_iter().collect()
}

fn battery(is_feeding: bool, rows: &mut Vec<(Oid, Value)>) {
    let source = if is_feeding { 5 } else { 3 };
    rows.extend([
        (oid!(1, 3, 6, 1, 2, 1, 33, 1, 1, 1, 0), text("Simulated")),
        (oid!(1, 3, 6, 1, 2, 1, 33, 1, 1, 2, 0), text("SIM-UPS3000")),
        (oid!(1, 3, 6, 1, 2, 1, 33, 1, 2, 1, 0), Value::Integer(2)), // battery normal
        (oid!(1, 3, 6, 1, 2, 1, 33, 1, 2, 2, 0), Value::Integer(0)), // seconds on battery
        (oid!(1, 3, 6, 1, 2, 1, 33, 1, 2, 3, 0), Value::Integer(42)), // minutes remaining
        (oid!(1, 3, 6, 1, 2, 1, 33, 1, 2, 4, 0), Value::Integer(100)), // charge, percent
        (oid!(1, 3, 6, 1, 2, 1, 33, 1, 2, 5, 0), Value::Integer(547)), // 0.1 V
        (oid!(1, 3, 6, 1, 2, 1, 33, 1, 2, 7, 0), Value::Integer(24)), // degrees
        (oid!(1, 3, 6, 1, 2, 1, 33, 1, 3, 3, 1, 3, 1), Value::Integer(230)), // input volts
        (oid!(1, 3, 6, 1, 2, 1, 33, 1, 4, 1, 0), Value::Integer(source)), // 3 normal, 5 battery
        (oid!(1, 3, 6, 1, 2, 1, 33, 1, 4, 4, 1, 5, 1), Value::Integer(31)), // load, percent
        (oid!(1, 3, 6, 1, 2, 1, 33, 1, 6, 1, 0), Value::Gauge32(0)), // alarms
    ]);
}
