//! What a gateway may ask for. Pure: a packet's fields in, an answer out.

use sitewarden_proto::id::GatewayId;
use sitewarden_proto::topic::{Down, Up};

use crate::tls::Identity;

use super::codec::{
    ConnectReturnCode, DisconnectReasonCode, Filter, LastWill, PubAckReason, QoS, SubscribeReasonCode,
};
use super::{Refusal, Standing};

/// Keep-alive when the client asks for none, and the longest one, seconds.
const KEEP_ALIVE_MAX_S: u16 = 600;
/// The shortest keep-alive, seconds.
const KEEP_ALIVE_MIN_S: u16 = 5;

/// The keep-alive that the server enforces.
pub(super) fn keep_alive_s(asked: u16) -> u16 {
    if asked == 0 { KEEP_ALIVE_MAX_S } else { asked.clamp(KEEP_ALIVE_MIN_S, KEEP_ALIVE_MAX_S) }
}

/// Whether the holder of a certificate may connect under `client_id` with that will.
pub(super) fn connect(
    identity: &Identity,
    standing: Option<Standing>,
    client_id: &str,
    will: Option<&LastWill>,
) -> Result<(), Refusal> {
    if client_id != identity.gateway.as_ref() {
        return Err(Refusal::ClientId);
    }
    match standing {
        None => return Err(Refusal::UnknownGateway),
        Some(standing) if !standing.accepts(identity.not_before) => return Err(Refusal::Revoked),
        Some(_) => {}
    }
    match will {
        Some(will) if will.retain || will.qos == QoS::ExactlyOnce => Err(Refusal::Will),
        Some(will) if topic(&will.topic, &identity.gateway) != Ok(Up::Session) => Err(Refusal::Will),
        Some(_) | None => Ok(()),
    }
}

/// Which of the gateway's topics a PUBLISH names.
pub(super) fn topic(topic: &[u8], gateway: &GatewayId) -> Result<Up, Refusal> {
    let text = std::str::from_utf8(topic).map_err(|_| Refusal::Topic)?;
    Up::parse(text, gateway).map_err(|_| Refusal::Topic)
}

/// Which of the gateway's topics a subscription names: one of them, or `v1/<aid>/d/+` for all.
pub(super) fn subscribe(filter: &Filter, gateway: &GatewayId) -> Result<Vec<Down>, SubscribeReasonCode> {
    if filter.path.starts_with("$share/") {
        return Err(SubscribeReasonCode::SharedSubscriptionsNotSupported);
    }
    if filter.path.strip_suffix("/d/+").and_then(|rest| rest.strip_prefix("v1/")) == Some(gateway.as_ref()) {
        return Ok(Down::ALL.to_vec());
    }
    Down::parse(&filter.path, gateway).map(|down| vec![down]).map_err(|_| SubscribeReasonCode::NotAuthorized)
}

/// How a refused CONNECT is answered; `None` closes without a word.
pub(super) fn connect_answer(refusal: Refusal) -> Option<ConnectReturnCode> {
    match refusal {
        Refusal::TooManyGateways => Some(ConnectReturnCode::ServerBusy),
        Refusal::LockedOut | Refusal::Quota => Some(ConnectReturnCode::QuotaExceeded),
        Refusal::ClientId => Some(ConnectReturnCode::ClientIdentifierNotValid),
        Refusal::Revoked => Some(ConnectReturnCode::Banned),
        Refusal::UnknownGateway => Some(ConnectReturnCode::NotAuthorized),
        Refusal::Will => Some(ConnectReturnCode::TopicNameInvalid),
        Refusal::Malformed | Refusal::Panic => Some(ConnectReturnCode::MalformedPacket),
        Refusal::TooLarge => Some(ConnectReturnCode::PacketTooLarge),
        Refusal::TooManyHandshakes
        | Refusal::TooManyFromAddress
        | Refusal::HandshakeLate
        | Refusal::HandshakeFailed
        | Refusal::Certificate
        | Refusal::ConnectLate
        | Refusal::ConnectOrder
        | Refusal::Topic
        | Refusal::Filter
        | Refusal::Quality
        | Refusal::Retain
        | Refusal::Alias
        | Refusal::KeepAlive
        | Refusal::SlowReader
        | Refusal::DownstreamDropped
        | Refusal::NotSubscribed
        | Refusal::TakenOver
        | Refusal::PacketLate
        | Refusal::Slowed => None,
    }
}

/// What a gateway is told when the server ends its connection.
pub(super) fn goodbye(refusal: Refusal) -> DisconnectReasonCode {
    match refusal {
        Refusal::ConnectOrder => DisconnectReasonCode::ProtocolError,
        Refusal::Malformed | Refusal::Panic => DisconnectReasonCode::MalformedPacket,
        Refusal::TooLarge => DisconnectReasonCode::PacketTooLarge,
        Refusal::KeepAlive => DisconnectReasonCode::KeepAliveTimeout,
        Refusal::TakenOver => DisconnectReasonCode::SessionTakenOver,
        Refusal::Revoked => DisconnectReasonCode::AdministrativeAction,
        Refusal::Topic | Refusal::Filter => DisconnectReasonCode::NotAuthorized,
        Refusal::Quality => DisconnectReasonCode::QoSNotSupported,
        Refusal::Retain => DisconnectReasonCode::RetainNotSupported,
        Refusal::Alias => DisconnectReasonCode::TopicAliasInvalid,
        Refusal::TooManyGateways => DisconnectReasonCode::ServerBusy,
        Refusal::Quota | Refusal::LockedOut => DisconnectReasonCode::QuotaExceeded,
        Refusal::TooManyHandshakes
        | Refusal::TooManyFromAddress
        | Refusal::HandshakeLate
        | Refusal::HandshakeFailed
        | Refusal::Certificate
        | Refusal::ConnectLate
        | Refusal::ClientId
        | Refusal::UnknownGateway
        | Refusal::Will
        | Refusal::SlowReader
        | Refusal::DownstreamDropped
        | Refusal::NotSubscribed
        | Refusal::PacketLate
        | Refusal::Slowed => DisconnectReasonCode::UnspecifiedError,
    }
}

/// How a PUBLISH with quality 1 on a foreign topic is answered.
pub(super) const FOREIGN_TOPIC: PubAckReason = PubAckReason::NotAuthorized;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::codec::RetainForwardRule;
    use jiff::Timestamp;

    fn me() -> Identity {
        Identity {
            gateway: "gw-0123456789".parse().unwrap(),
            serial: "01".to_owned(),
            not_before: Timestamp::UNIX_EPOCH,
            not_after: Timestamp::MAX,
        }
    }

    fn will(topic: &'static str) -> LastWill {
        LastWill { topic: topic.into(), message: "x".into(), qos: QoS::AtLeastOnce, retain: false }
    }

    #[track_caller]
    fn check_connect(client_id: &str, will: Option<&LastWill>, expected: Result<(), Refusal>) {
        let standing = Standing { revoked: false, since: Timestamp::UNIX_EPOCH };
        assert_eq!(connect(&me(), Some(standing), client_id, will), expected);
    }

    #[test]
    fn a_gateway_is_its_certificate() {
        check_connect("gw-0123456789", None, Ok(()));
        check_connect("gw-0123456789", Some(&will("v1/gw-0123456789/s")), Ok(()));
        check_connect("gw-0123456788", None, Err(Refusal::ClientId));
        check_connect("", None, Err(Refusal::ClientId));
        check_connect("gw-0123456789", Some(&will("v1/gw-0123456788/s")), Err(Refusal::Will));
        check_connect("gw-0123456789", Some(&will("v1/gw-0123456789/u/e")), Err(Refusal::Will));
        check_connect("gw-0123456789", Some(&will("é/x")), Err(Refusal::Will));
        let retained = LastWill { retain: true, ..will("v1/gw-0123456789/s") };
        check_connect("gw-0123456789", Some(&retained), Err(Refusal::Will));
        assert_eq!(connect(&me(), None, "gw-0123456789", None), Err(Refusal::UnknownGateway));
        let revoked = Standing { revoked: true, since: Timestamp::UNIX_EPOCH };
        assert_eq!(connect(&me(), Some(revoked), "gw-0123456789", None), Err(Refusal::Revoked));
    }

    #[test]
    fn subscriptions_are_its_own_and_exact() {
        let gateway = me().gateway;
        let ask = |path: &str| {
            let filter = Filter {
                path: path.to_owned(),
                qos: QoS::AtMostOnce,
                nolocal: false,
                preserve_retain: false,
                retain_forward_rule: RetainForwardRule::Never,
            };
            subscribe(&filter, &gateway)
        };
        assert_eq!(ask("v1/gw-0123456789/d/k"), Ok(vec![Down::Ack]));
        assert_eq!(ask("v1/gw-0123456789/d/+"), Ok(Down::ALL.to_vec()));
        for foreign in
            ["#", "v1/+/d/k", "v1/gw-0123456788/d/k", "v1/gw-0123456789/#", "v1/gw-0123456789/u/e", "$SYS/#"]
        {
            assert_eq!(ask(foreign), Err(SubscribeReasonCode::NotAuthorized), "{foreign}");
        }
        let shared = ask("$share/a/v1/gw-0123456789/d/k");
        assert_eq!(shared, Err(SubscribeReasonCode::SharedSubscriptionsNotSupported));
    }

    #[test]
    fn a_keep_alive_is_always_enforced() {
        assert_eq!(keep_alive_s(0), 600);
        assert_eq!(keep_alive_s(1), 5);
        assert_eq!(keep_alive_s(60), 60);
        assert_eq!(keep_alive_s(u16::MAX), 600);
    }
}
