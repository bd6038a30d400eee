//! What the gateway believes of a message: a command that the server signed for this gateway, a
//! configuration whose digest matches. Pure.

use jiff::Timestamp;
use prost::Message;
use ring::signature::{ED25519, UnparsedPublicKey};
use sitewarden_proto::id::GatewayId;
use sitewarden_proto::limits::{COMMAND_LIFE_MAX_S, CONFIG_MAX};
use sitewarden_proto::wire::{Command, DesiredConfig, SignedCommand};

/// Why a message is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no key to verify with, or the signature is wrong.
    #[error("the command is not signed by the server that enrolled this gateway")]
    Signature,
    /// It is no command.
    #[error("the command cannot be read")]
    Unreadable,
    /// It is meant for another gateway.
    #[error("the command is for another gateway")]
    OtherGateway,
    /// Its time is over, or its life is longer than allowed.
    #[error("the command has expired")]
    Expired,
    /// The body is not what the digest says.
    #[error("the configuration does not match its digest")]
    Digest,
    /// The body is too large.
    #[error("the configuration is larger than {CONFIG_MAX} bytes")]
    TooLarge,
}

/// Opens a signed command. `Expired` comes last, so that an expired command can be answered.
pub fn open_command(
    now: Timestamp,
    gateway: &GatewayId,
    key: &[u8],
    signed: &SignedCommand,
) -> Result<Command, (Refused, Option<Box<Command>>)> {
    UnparsedPublicKey::new(&ED25519, key)
        .verify(&signed.signed, &signed.signature)
        .map_err(|_| (Refused::Signature, None))?;
    let command = Command::decode(signed.signed.as_slice()).map_err(|_| (Refused::Unreadable, None))?;
    if command.gateway_id != gateway.as_str() {
        return Err((Refused::OtherGateway, None));
    }
    if command.id.is_empty() || command.id.len() > 64 {
        return Err((Refused::Unreadable, None));
    }
    let life_ms = command.expires_at_ms.saturating_sub(command.issued_at_ms);
    if command.expires_at_ms <= now.as_millisecond() || life_ms > COMMAND_LIFE_MAX_S * 1000 {
        return Err((Refused::Expired, Some(Box::new(command))));
    }
    Ok(command)
}

/// Opens a desired configuration: its TOML text.
pub fn open_config(config: &DesiredConfig) -> Result<String, Refused> {
    let mut text = String::new();
    for (body, sha256) in [
        (&config.body, &config.sha256),
        (&config.more, &config.more_sha256),
        (&config.alone, &config.alone_sha256),
        (&config.arrival, &config.arrival_sha256),
    ] {
        if text.len() + body.len() > CONFIG_MAX {
            return Err(Refused::TooLarge);
        }
        if !body.is_empty() || !sha256.is_empty() {
            if ring::digest::digest(&ring::digest::SHA256, body).as_ref() != sha256.as_slice() {
                return Err(Refused::Digest);
            }
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(std::str::from_utf8(body).map_err(|_| Refused::Unreadable)?);
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;
    use crate::clock::from_ms;

    #[test]
    fn only_the_servers_own_fresh_word_to_us_is_believed() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let key = pair.public_key().as_ref();
        let me: GatewayId = "gw-0123456789".parse().unwrap();
        let command = Command {
            id: "1".into(),
            gateway_id: me.to_string(),
            issued_at_ms: 0,
            expires_at_ms: 1000,
            action: None,
        };
        let sign = |command: &Command| {
            let signed = command.encode_to_vec();
            let signature = pair.sign(&signed).as_ref().to_vec();
            SignedCommand { signed, signature }
        };
        let open = |at, signed: &SignedCommand| open_command(from_ms(at), &me, key, signed).map_err(|e| e.0);
        assert_eq!(open(1, &sign(&command)).unwrap(), command);
        assert_eq!(open(1000, &sign(&command)), Err(Refused::Expired));
        let mut forged = sign(&command);
        forged.signed[0] ^= 1;
        assert_eq!(open(1, &forged), Err(Refused::Signature));
        let other = Command { gateway_id: "gw-other-12345".into(), ..command.clone() };
        assert_eq!(open(1, &sign(&other)), Err(Refused::OtherGateway));
        let eternal = Command { expires_at_ms: i64::MAX, ..command };
        assert_eq!(open(1, &sign(&eternal)), Err(Refused::Expired));
    }
}
