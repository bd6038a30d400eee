//! A metric block on its way to where it is stored: what of it is its sender's own, and when it was. Pure.

use super::Sender;
use super::batch::Done;
use super::devices::Own;
use super::read::{Cover, Packet};
use crate::history::store::Block;

/// A block as it is to be stored; nothing when it cannot be read or speaks of no device of its sender.
pub(super) fn stored(
    done: &mut Done,
    own: &Own,
    sender: &Sender<'_>,
    seq: i64,
    cover: &Cover,
    packet: &Packet,
) -> Option<Block> {
    let Some(stretches) = cover else {
        // Its number is used up; what cannot be read now cannot be read later either.
        done.turn_away("metric_block", 1);
        return None;
    };
    done.count("block", 1);
    let (ours, foreign): (Vec<_>, Vec<_>) =
        stretches.iter().partition(|stretch| own.contains_key(&stretch.device));
    done.turn_away("foreign_device", foreign.len() as u64);
    let start = ours.iter().map(|stretch| stretch.start).min()?;
    let end = ours.iter().map(|stretch| stretch.end).max()?;
    Some(Block {
        gateway_id: sender.id.to_string(),
        epoch: sender.epoch.clone(),
        seq,
        start_at: start.saturating_add(sender.offset_ms),
        end_at: end.saturating_add(sender.offset_ms),
        shift_ms: sender.offset_ms,
        received_at: packet.received_at.as_millisecond(),
        samples: ours.iter().map(|stretch| stretch.samples).sum(),
        body: packet.bytes.clone(),
    })
}
