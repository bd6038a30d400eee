//! The echo socket: many packets per system call, and nothing in it that is not meant for us.
//!
//! Linux lets a process without privileges send echoes through a datagram socket when its group lies within
//! `net.ipv4.ping_group_range`; the kernel then gives the identifier and hands over our answers alone, with
//! errors in a queue of their own. Otherwise a raw socket is opened, which needs CAP_NET_RAW, sees every ICMP
//! packet of the machine, and is therefore given a filter in the kernel.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, recvmsg, sendmmsg, setsockopt,
    sockopt,
};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::packet::{self, Family, Heard, LENGTH, Quoted, Why};

/// Packets per system call.
pub(super) const BATCH: usize = 64;
/// Bytes of a packet that matter: an IPv6 error with its quoted header and request, with room for options.
const RECEIVED: usize = 192;
/// Asked for as receive buffer; the kernel gives what `net.core.rmem_max` allows.
const BUFFER: usize = 4 << 20;

/// A socket for echoes of one family.
#[derive(Debug)]
pub(super) struct EchoSocket {
    /// tokio waits for it as for a UDP socket; everything else is done by system calls of our own.
    socket: UdpSocket,
    family: Family,
    raw: bool,
    /// Our identifier on a raw socket; a datagram socket has the kernel's.
    id: u16,
}

/// One packet that concerns an echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Received {
    pub from: IpAddr,
    pub heard: Heard,
}

/// What came of a batch.
#[derive(Debug)]
pub(super) enum Sent {
    /// So many of the first packets are out.
    Out(usize),
    /// The kernel's queue is full; try again in a moment.
    Full,
    /// The first packet cannot be sent.
    Refused(io::Error),
}

impl EchoSocket {
    /// A datagram socket where that is allowed, else a raw one.
    pub(super) fn open(family: Family) -> io::Result<Self> {
        let (domain, protocol) = match family {
            Family::V4 => (Domain::IPV4, Protocol::ICMPV4),
            Family::V6 => (Domain::IPV6, Protocol::ICMPV6),
        };
        let datagram = Socket::new(domain, Type::DGRAM, Some(protocol));
        let raw = datagram.is_err();
        let socket = datagram.or_else(|_| Socket::new(domain, Type::RAW, Some(protocol)))?;
        let id = rand::random();
        socket.set_nonblocking(true)?;
        // A smaller buffer than asked for is no reason to do without.
        let _ = socket.set_recv_buffer_size(BUFFER);
        if raw {
            socket.attach_filter(&filter(family, id))?;
        } else {
            match family {
                Family::V4 => setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?,
                Family::V6 => setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?,
            }
        }
        Ok(Self { socket: UdpSocket::from_std(socket.into())?, family, raw, id })
    }

    /// Waits until there may be something to read.
    pub(super) async fn ready(&self) -> io::Result<()> {
        self.socket.ready(Interest::READABLE | Interest::ERROR).await.map(drop)
    }

    /// Lets `read` read; when it says that nothing is left, [`EchoSocket::ready`] waits for more. Each kind
    /// of readiness is cleared by itself: tokio 1.54 takes two in one for none.
    pub(super) fn read_ready(&self, mut read: impl FnMut() -> bool) {
        for kind in [Interest::READABLE, Interest::ERROR] {
            let _ = self
                .socket
                .try_io(kind, || if read() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) });
        }
    }

    /// The identifier to write into requests, and to expect in answers where the kernel does not see to it.
    pub(super) fn id(&self) -> u16 {
        self.id
    }

    /// True when the answer's identifier is ours.
    pub(super) fn is_ours(&self, id: u16) -> bool {
        !self.raw || id == self.id
    }

    /// Sends packets, at most [`BATCH`] of them.
    pub(super) fn send(&self, packets: &[(IpAddr, [u8; LENGTH])]) -> Sent {
        let packets = &packets[..packets.len().min(BATCH)];
        let targets: Vec<Option<SockaddrStorage>> = packets
            .iter()
            .map(|(target, _)| Some(SockaddrStorage::from(SocketAddr::new(*target, 0))))
            .collect();
        let slices: Vec<[IoSlice<'_>; 1]> =
            packets.iter().map(|(_, packet)| [IoSlice::new(packet)]).collect();
        let mut headers = MultiHeaders::preallocate(packets.len(), None);
        let sent = sendmmsg(self.fd(), &mut headers, &slices, &targets, [], MsgFlags::MSG_DONTWAIT);
        match sent {
            Ok(results) => Sent::Out(results.count()),
            Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::EINTR) => Sent::Full,
            Err(error) => Sent::Refused(error.into()),
        }
    }

    /// Reads up to [`BATCH`] packets and adds what concerns echoes. The answer is false when nothing was
    /// there any more.
    pub(super) fn receive(&self, into: &mut Vec<Received>) -> bool {
        let mut buffers = [[0_u8; RECEIVED]; BATCH];
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
        let Ok(results) = recvmmsg(self.fd(), &mut headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)
        else {
            return false;
        };
        let mut count = 0;
        for result in results {
            count += 1;
            let (Some(from), Some(bytes)) = (result.address.as_ref().and_then(ip), result.iovs().next())
            else {
                continue;
            };
            let icmp = if self.raw && self.family == Family::V4 {
                packet::without_ipv4_header(bytes)
            } else {
                Some(bytes)
            };
            if let Some(heard) = icmp.and_then(|icmp| packet::read(self.family, icmp)) {
                into.push(Received { from, heard });
            }
        }
        count == BATCH
    }

    /// Reads one message from the error queue that a datagram socket has. The answer is false when nothing
    /// was there any more.
    pub(super) fn receive_error(&self, into: &mut Vec<Received>) -> bool {
        if self.raw {
            return false;
        }
        let mut buffer = [0_u8; RECEIVED];
        let mut space = nix::cmsg_space!(nix::libc::sock_extended_err, nix::libc::sockaddr_in6);
        let mut slices = [IoSliceMut::new(&mut buffer)];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_ERRQUEUE;
        let Ok(message) = recvmsg::<SockaddrStorage>(self.fd(), &mut slices, Some(&mut space), flags) else {
            return false;
        };
        let told = message.cmsgs().ok().and_then(|mut messages| messages.find_map(|message| told(&message)));
        let target = message.address.as_ref().and_then(ip);
        let request = message.iovs().next();
        if let (Some((by, kind, code)), Some(target), Some(request)) = (told, target, request)
            && let Some(quoted) = packet::quoted(self.family, target, request)
        {
            let heard =
                Heard::Refused { quoted: Quoted { target, ..quoted }, why: Why::of(self.family, kind, code) };
            into.push(Received { from: by, heard });
        }
        true
    }

    fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// Who reported an ICMP error, and its type and code; an error of our own machine has no reporter.
fn told(message: &ControlMessageOwned) -> Option<(IpAddr, u8, u8)> {
    let ControlMessageOwned::Ipv4RecvErr(error, Some(by)) = message else {
        let ControlMessageOwned::Ipv6RecvErr(error, Some(by)) = message else { return None };
        let by = std::net::Ipv6Addr::from(by.sin6_addr.s6_addr);
        return (error.ee_origin == nix::libc::SO_EE_ORIGIN_ICMP6).then_some((
            IpAddr::V6(by),
            error.ee_type,
            error.ee_code,
        ));
    };
    let by = std::net::Ipv4Addr::from(u32::from_be(by.sin_addr.s_addr));
    (error.ee_origin == nix::libc::SO_EE_ORIGIN_ICMP).then_some((
        IpAddr::V4(by),
        error.ee_type,
        error.ee_code,
    ))
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
}

/// Lets through replies with our identifier and the errors that may end an echo (classic BPF; a raw IPv4
/// socket is shown the IP header, a raw IPv6 socket is not).
fn filter(family: Family, id: u16) -> [SockFilter; 10] {
    const LENGTH_OF_IP: u16 = 0xb1; // x = 4 * (packet[k] & 0x0f)
    const ZERO: u16 = 0x01; // x = k
    const BYTE: u16 = 0x50; // a = packet[x + k]
    const HALF: u16 = 0x48; // a = packet[x + k], two bytes
    const EQUAL: u16 = 0x15;
    const END: u16 = 0x06;
    let load = |code, k| SockFilter::new(code, 0, 0, k);
    let equal = |k: u32, yes, no| SockFilter::new(EQUAL, yes, no, k);
    let [unreachable, exceeded, parameter] = family.error_types().map(u32::from);
    [
        match family {
            Family::V4 => load(LENGTH_OF_IP, 0),
            Family::V6 => load(ZERO, 0),
        },
        load(BYTE, 0),
        equal(family.reply_type().into(), 0, 2),
        load(HALF, 4),
        equal(id.into(), 3, 4),
        equal(unreachable, 2, 0),
        equal(exceeded, 1, 0),
        equal(parameter, 0, 1),
        load(END, 0xffff),
        load(END, 0),
    ]
}
