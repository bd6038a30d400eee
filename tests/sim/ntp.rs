//! An NTP server (RFC 5905, mode 4) whose clock is the device's, right or wrong.

use std::sync::Arc;

use tokio::net::UdpSocket;

use super::device::Device;

const PACKET: usize = 48;
const UNIX_EPOCH_IN_NTP: u64 = 2_208_988_800;

/// Answers client packets until it is dropped.
pub async fn serve(device: &Arc<Device>, socket: UdpSocket) {
    let mut buffer = [0; 512];
    loop {
        let Ok((size, peer)) = socket.recv_from(&mut buffer).await else { continue };
        let received = ntp_time(device.clock().as_millisecond());
        device.think().await;
        if let Some(answer) = answer(&buffer[..size], received, ntp_time(device.clock().as_millisecond())) {
            let _ = socket.send_to(&answer, peer).await;
        }
    }
}

/// The answer to a mode 3 packet; anything else gets none.
fn answer(request: &[u8], received: u64, sent: u64) -> Option<[u8; PACKET]> {
    if request.len() < PACKET || request[0] & 0b111 != 3 {
        return None;
    }
    let version = (request[0] >> 3) & 0b111;
    let mut packet = [0; PACKET];
    packet[0] = (version << 3) | 4;
    packet[1] = 2; // stratum: it follows a primary server
    packet[2] = 6; // poll, 2^6 s
    packet[3] = 0xec; // precision, 2^-20 s
    packet[7] = 0x10; // root delay, 2^-12 s
    packet[11] = 0x10; // root dispersion
    packet[12..16].copy_from_slice(&[127, 127, 1, 0]);
    packet[16..24].copy_from_slice(&received.to_be_bytes());
    packet[24..32].copy_from_slice(&request[40..48]);
    packet[32..40].copy_from_slice(&received.to_be_bytes());
    packet[40..48].copy_from_slice(&sent.to_be_bytes());
    Some(packet)
}

/// Unix milliseconds as 32.32 fixed point seconds since 1900.
fn ntp_time(ms: i64) -> u64 {
    let ms = ms.max(0).unsigned_abs();
    ((ms / 1000 + UNIX_EPOCH_IN_NTP) << 32) | (((ms % 1000) << 32) / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_client_is_answered_and_its_transmit_time_comes_back_as_origin() {
        let mut request = [0; PACKET];
        request[0] = (4 << 3) | 3;
        request[40..48].copy_from_slice(&7u64.to_be_bytes());
        let packet = answer(&request, ntp_time(1_000), ntp_time(1_500)).unwrap();
        assert_eq!(packet[0] & 0b111, 4);
        assert_eq!(packet[24..32], 7u64.to_be_bytes());
        assert_eq!(packet[40..44], (UNIX_EPOCH_IN_NTP as u32 + 1).to_be_bytes());
        assert_eq!(packet[44..48], 0x8000_0000u32.to_be_bytes());
        request[0] = (4 << 3) | 4;
        assert!(answer(&request, 0, 0).is_none());
        assert!(answer(&request[..40], 0, 0).is_none());
    }
}
