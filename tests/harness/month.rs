//! A gateway's life in fast motion: 50 devices that fail now and then, a line that is cut every few hours, and a
//! server that acknowledges. What is looked at is how much the agent's mind holds: the length of its own
//! description, which grows with every entry of every map in it.

use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sitewarden_proto::envelope::{Codec, decode, decode_message, encode_message};
use sitewarden_proto::topic::{Down, Up};
use sitewarden_proto::wire::{Ack, DesiredConfig, Session};

use crate::gateway::{Condition, Gateway};

const DEVICES: usize = 50;
const STEP: SignedDuration = SignedDuration::from_secs(10);

/// What the mind held at the end of each day, in characters, and how many records waited then.
pub fn play(days: usize, seed: u64) -> Vec<(usize, usize)> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut now: Timestamp = "2026-11-18T19:00:00Z".parse().expect("a time");
    let id = "gw-0123456789".parse().expect("an id");
    let mut gateway = Gateway::new(id, Vec::new(), now, 0);
    gateway.connect(now);
    let body: String = (0..DEVICES).map(device).collect();
    let digest = ring::digest::digest(&ring::digest::SHA256, body.as_bytes());
    let config = DesiredConfig {
        version: 1,
        sha256: digest.as_ref().to_vec(),
        body: body.into_bytes(),
        ..DesiredConfig::default()
    };
    let packet = encode_message(&config, Codec::Zstd).expect("a packet");
    gateway.receive(now, Down::DesiredConfig, &packet);
    let mut held = Vec::new();
    for _ in 0..days {
        for step in 0..8_640 {
            // Cut for an hour, four times a day.
            match step % 2_160 {
                1_000 => drop(gateway.disconnect(now)),
                1_360 => gateway.connect(now),
                _ => {}
            }
            if random.random_bool(0.01) {
                let device = format!("cam-{}", random.random_range(0..DEVICES));
                let condition = if random.random_bool(0.4) { Condition::Dead } else { Condition::Fine };
                gateway.set(&device, condition);
            }
            now += STEP;
            serve(&mut gateway, now);
        }
        held.push((gateway.mind(), gateway.waiting()));
    }
    held
}

fn device(number: usize) -> String {
    let checks = "check = [{ kind = \"icmp\", every = \"60s\" }, { kind = \"http\", every = \"60s\" }]";
    format!("[[device]]\nid = \"cam-{number}\"\naddress = \"h\"\n{checks}\n")
}

/// Everything that is sent is acknowledged at once.
fn serve(gateway: &mut Gateway, now: Timestamp) {
    loop {
        let packets = gateway.work(now);
        if packets.is_empty() || !gateway.is_linked() {
            return;
        }
        for (up, bytes) in packets {
            let (epoch, upto) = if up == Up::Session {
                let birth: Session = decode_message(&bytes).expect("a session");
                (birth.epoch, birth.tail_seq - 1)
            } else {
                let envelope = decode(&bytes).expect("an envelope");
                (envelope.epoch, envelope.first_seq + u64::from(envelope.count) - 1)
            };
            let ack = Ack { epoch, upto, server_at_ms: now.as_millisecond(), ..Ack::default() };
            gateway.receive(now, Down::Ack, &encode_message(&ack, Codec::None).expect("a packet"));
        }
    }
}
