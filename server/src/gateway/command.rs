//! Commands: what the server asks a gateway to do. Each is signed, names its gateway, and ends by itself.
//!
//! A command is a row first. [`super::step`] publishes it when the gateway is connected, and again while it
//! stays unanswered; the gateway knows the id and acts once.

use jiff::{SignedDuration, Timestamp};
use sitewarden_proto::envelope::{Codec, decode_message, encode_message};
use sitewarden_proto::id::{DeviceId, GatewayId};
use sitewarden_proto::limits::WATCH_MAX_S;
use sitewarden_proto::wire::command::Action as Wire;
use sitewarden_proto::wire::command_result::Status;
use sitewarden_proto::wire::remedy::Kind as WireKind;
use sitewarden_proto::wire::{
    Command, CommandResult, Discover, PoeCycle, ProbeNow, ReaddChannel, Reboot, Remedy, SignedCommand,
    WatchDevice,
};

use crate::db::Conn;
use crate::id::{id, uuid_v7};
use crate::keys::Keys;
use crate::user::AccountId;

use super::store::command as store;

id! {
    /// Names a command.
    CommandId
}

const PROBE_LIFE: SignedDuration = SignedDuration::from_mins(5);
/// It is under way for eight minutes at most, and no other begins meanwhile.
const DISCOVER_LIFE: SignedDuration = SignedDuration::from_mins(15);
/// The word of a look around among the kinds of commands.
pub const DISCOVER: &str = "discover";
/// A remedy that does not arrive soon is not wanted any more.
const REMEDY_LIFE: SignedDuration = SignedDuration::from_secs(90);

/// What a gateway is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Run every check of a device now and report at once.
    Probe {
        /// Which device.
        device: DeviceId,
    },
    /// Send the samples of a device at once for so many seconds, because somebody looks at it.
    Watch {
        /// Which device.
        device: DeviceId,
        /// For how long, at most [`WATCH_MAX_S`].
        seconds: u32,
    },
    /// Act on a device, within bounds.
    Remedy(RemedyAction),
    /// Look what hangs in a private network of the site.
    Discover {
        /// The network, such as `192.168.1.0/24`.
        net: String,
        /// The device that says how SNMP is asked; without one SNMP is not asked.
        snmp_like: Option<DeviceId>,
    },
}

/// A remedy for the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemedyAction {
    /// Whom it is to help.
    pub device: DeviceId,
    /// How many of this kind on this device within a day; the gateway's own bound holds, too.
    pub limit: u32,
    /// Until when pages wait for it: it is not begun later.
    pub until: Timestamp,
    /// What.
    pub deed: Deed,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A PoE port off and on.
    PoeCycle {
        /// The switch.
        switch: DeviceId,
        /// `pethPsePortGroupIndex`.
        group: u32,
        /// `pethPsePortIndex`.
        port: u32,
        /// The pause.
        off_s: u32,
    },
    /// Restart.
    Reboot,
    /// Take a channel up anew.
    ReaddChannel {
        /// From 1.
        channel: u32,
    },
}

impl Action {
    fn kind(&self) -> &'static str {
        match self {
            Self::Probe { .. } => "probe",
            Self::Watch { .. } => "watch",
            Self::Remedy(remedy) => match remedy.deed {
                Deed::PoeCycle { .. } => "poe_cycle",
                Deed::Reboot => "reboot",
                Deed::ReaddChannel { .. } => "readd_channel",
            },
            Self::Discover { .. } => DISCOVER,
        }
    }

    /// The device that it is about, if it is about one.
    fn device(&self) -> Option<&DeviceId> {
        match self {
            Self::Probe { device } | Self::Watch { device, .. } => Some(device),
            Self::Remedy(remedy) => Some(&remedy.device),
            Self::Discover { .. } => None,
        }
    }

    fn life(&self, now: Timestamp) -> SignedDuration {
        match self {
            Self::Probe { .. } => PROBE_LIFE,
            Self::Discover { .. } => DISCOVER_LIFE,
            Self::Remedy(remedy) => remedy.until.duration_since(now).min(REMEDY_LIFE),
            Self::Watch { seconds, .. } => SignedDuration::from_secs(i64::from((*seconds).min(WATCH_MAX_S))),
        }
    }

    fn wire(&self) -> Wire {
        match self {
            Self::Discover { net, snmp_like } => Wire::Discover(Discover {
                net: net.clone(),
                snmp_device_id: snmp_like.as_ref().map_or_else(String::new, ToString::to_string),
            }),
            Self::Probe { device } => Wire::ProbeNow(ProbeNow { device_id: device.to_string() }),
            Self::Watch { device, seconds } => Wire::Watch(WatchDevice {
                device_id: device.to_string(),
                seconds: (*seconds).min(WATCH_MAX_S),
            }),
            Self::Remedy(remedy) => Wire::Remedy(Remedy {
                device_id: remedy.device.to_string(),
                daily_limit: remedy.limit,
                kind: Some(match &remedy.deed {
                    Deed::PoeCycle { switch, group, port, off_s } => WireKind::PoeCycle(PoeCycle {
                        switch_id: switch.to_string(),
                        group: *group,
                        port: *port,
                        off_seconds: *off_s,
                    }),
                    Deed::Reboot => WireKind::Reboot(Reboot {}),
                    Deed::ReaddChannel { channel } => {
                        WireKind::ReaddChannel(ReaddChannel { channel: *channel })
                    }
                }),
            }),
        }
    }
}

/// Signs `action` and puts it into the outbox. Asking twice while the first may still be carried out gives
/// the first one's id: a person who presses a button often must not make a gateway work often.
pub async fn issue(
    conn: &mut Conn,
    keys: &Keys,
    gateway: &GatewayId,
    action: &Action,
    account: Option<&AccountId>,
    now: Timestamp,
) -> anyhow::Result<CommandId> {
    let device = action.device().map(AsRef::as_ref);
    if let Some(pending) = store::find_pending(conn, gateway, device, action.kind(), now).await? {
        return Ok(CommandId::from(pending));
    }
    let (id, expires_at) = (CommandId::from(uuid_v7(now)), now + action.life(now));
    let body = sign(keys, gateway, action, &id, now, expires_at)?;
    let new = store::New {
        id: id.as_str(),
        gateway,
        device_id: device,
        kind: action.kind(),
        body: &body,
        issued_at: now,
        expires_at,
        account_id: account.map(AccountId::as_str),
    };
    store::insert(conn, &new).await?;
    Ok(id)
}

/// Takes down what a gateway answered; false when nobody had asked.
pub async fn record_result(
    conn: &mut Conn,
    gateway: &GatewayId,
    result: &CommandResult,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let state = match result.status() {
        Status::Unspecified => return Ok(false),
        Status::Accepted => "accepted",
        Status::Running => "running",
        Status::Done => "done",
        Status::Rejected => "rejected",
        Status::Expired => "expired",
        Status::Failed => "failed",
    };
    let text = both(&result.result_json, &result.error);
    store::record_result(conn, gateway, &result.command_id, state, &text, now).await
}

/// The result as one text: the object with the error in it, or whichever of the two there is.
fn both(result: &str, error: &str) -> String {
    match serde_json::from_str(result) {
        Ok(serde_json::Value::Object(mut object)) if !error.is_empty() => {
            object.insert("error".to_owned(), error.into());
            serde_json::Value::Object(object).to_string()
        }
        Ok(_) | Err(_) if error.is_empty() => result.to_owned(),
        Ok(_) | Err(_) => error.to_owned(),
    }
}

/// The network that a look around was ordered for.
pub fn network_of(body: &[u8]) -> Option<String> {
    use prost::Message as _;
    let signed: SignedCommand = decode_message(body).ok()?;
    match Command::decode(signed.signed.as_slice()).ok()?.action? {
        Wire::Discover(discover) => Some(discover.net),
        Wire::ProbeNow(_) | Wire::Watch(_) | Wire::Remedy(_) => None,
    }
}

fn sign(
    keys: &Keys,
    gateway: &GatewayId,
    action: &Action,
    id: &CommandId,
    issued_at: Timestamp,
    expires_at: Timestamp,
) -> anyhow::Result<Vec<u8>> {
    use prost::Message as _;
    let signed = Command {
        id: id.as_str().to_owned(),
        gateway_id: gateway.to_string(),
        issued_at_ms: issued_at.as_millisecond(),
        expires_at_ms: expires_at.as_millisecond(),
        action: Some(action.wire()),
    }
    .encode_to_vec();
    let signature = keys.sign_command(&signed);
    Ok(encode_message(&SignedCommand { signed, signature }, Codec::None)?)
}
