//! Changes bytes in the ways in which readers break: flipped bits, lengths that lie, pieces that are missing,
//! doubled or of another file.

use rand::Rng as _;
use rand::rngs::StdRng;

/// Values at which counters and lengths turn over.
const EDGES: [u8; 8] = [0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff, 0x10, 0x11];
/// No input grows beyond this, bytes.
const LENGTH_MAX: usize = 64 * 1024;

/// A changed copy of `seed`; `other` lends pieces.
pub fn mutate(seed: &[u8], other: &[u8], random: &mut StdRng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..random.random_range(1..=4) {
        one(&mut bytes, other, random);
        bytes.truncate(LENGTH_MAX);
    }
    bytes
}

fn one(bytes: &mut Vec<u8>, other: &[u8], random: &mut StdRng) {
    if bytes.is_empty() {
        bytes.extend_from_slice(other);
        return;
    }
    let at = random.random_range(0..bytes.len());
    let span = random.random_range(1..=32).min(bytes.len() - at);
    match random.random_range(0..8) {
        0 => bytes[at] ^= 1 << random.random_range(0..8),
        1 => bytes[at] = EDGES[random.random_range(0..EDGES.len())],
        2 => bytes[at] = random.random(),
        // A length that lies: one more, one less, or anything in two bytes.
        3 => bytes[at] = if random.random() { bytes[at].wrapping_add(1) } else { bytes[at].wrapping_sub(1) },
        4 => bytes.truncate(at),
        5 => drop(bytes.drain(at..at + span)),
        6 => {
            let piece = bytes[at..at + span].to_vec();
            let times = random.random_range(1..=16);
            bytes.splice(at..at, piece.repeat(times));
        }
        _ => {
            let from = random.random_range(0..=other.len());
            let to = random.random_range(from..=other.len());
            bytes.splice(at..at + span, other[from..to].iter().copied());
        }
    }
}
