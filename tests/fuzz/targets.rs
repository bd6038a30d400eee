//! What reads bytes that somebody else wrote, one function each. It may refuse them in any words; it must
//! come back, without a panic and without taking more memory than its bounds say.

use bytes::BytesMut;
use prost::Message as _;
use sitewarden_agent::picture::{Watch, decode_with_small, measure};
use sitewarden_agent::probe::dahua::said as lines;
use sitewarden_agent::probe::digest::Challenge;
use sitewarden_agent::probe::isapi::said;
use sitewarden_agent::probe::onvif::said as soap;
use sitewarden_agent::probe::rtsp::flow::{Codec, Flow};
use sitewarden_agent::probe::rtsp::{message, sdp};
use sitewarden_agent::probe::tree;
use sitewarden_proto::envelope::{decode, decode_message};
use sitewarden_proto::metrics;
use sitewarden_proto::wire::envelope::Body;
use sitewarden_proto::wire::{Ack, Command, DesiredConfig, MetricBlock, Session, SignedCommand};
use sitewarden_server::broker::read_packets;

/// A target: its name, which is its folder in the corpus, and itself.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 17] = [
    ("packet", packet),
    ("envelope", envelope),
    ("block", block),
    ("agent_config", agent_config),
    ("device_list", device_list),
    ("server_config", server_config),
    ("challenge", challenge),
    ("rtsp", rtsp),
    ("sdp", sdp),
    ("rtp", rtp),
    ("picture", picture),
    ("photo", photo),
    ("isapi", isapi),
    ("dahua", dahua),
    ("onvif", onvif),
    ("nut", nut),
    ("discover", discover),
];

/// MQTT packets, as the door reads them from the wire, whole and in two pieces.
fn packet(bytes: &[u8]) {
    let mut whole = BytesMut::from(bytes);
    let read = read_packets(&mut whole);
    let (first, rest) = bytes.split_at(bytes.len() / 2);
    let mut parts = BytesMut::from(first);
    let mut in_parts = read_packets(&mut parts);
    if in_parts.1.is_ok() {
        parts.extend_from_slice(rest);
        let more = read_packets(&mut parts);
        in_parts = (in_parts.0 + more.0, more.1);
    }
    assert_eq!(read, in_parts, "how bytes are cut must make no difference");
}

/// A photo of a phone.
fn photo(bytes: &[u8]) {
    if let Ok(photo) = sitewarden_server::visit::photo::look(bytes) {
        assert!(photo.width <= 1600 && photo.height <= 1600 && photo.small.starts_with(&[0xff, 0xd8]));
    }
}

/// Every message of the wire.
fn envelope(bytes: &[u8]) {
    if let Ok(envelope) = decode(bytes) {
        assert!(envelope.epoch != 0 && envelope.first_seq != 0 && envelope.count != 0);
        if let Some(Body::Metrics(block)) = &envelope.body {
            let _ = metrics::read(block);
        }
    }
    let _ = decode_message::<Session>(bytes);
    let _ = decode_message::<Ack>(bytes);
    let _ = decode_message::<DesiredConfig>(bytes);
    if let Ok(signed) = decode_message::<SignedCommand>(bytes) {
        let _ = Command::decode(&*signed.signed);
    }
}

/// A metric block: what is read can be built again and is then the same.
fn block(bytes: &[u8]) {
    let Ok(block) = MetricBlock::decode(bytes) else { return };
    let Ok(series) = metrics::read(&block) else { return };
    assert!(series.iter().flat_map(|series| &series.points).all(|(_, value)| value.is_finite()));
    let names: std::collections::BTreeSet<_> =
        series.iter().map(|series| (&series.device, &series.check, &series.metric)).collect();
    if names.len() < series.len() {
        return;
    }
    for form in [metrics::build, metrics::pack] {
        let again = form(&series).map(|block| metrics::read(&block));
        assert!(!matches!(again, Ok(Err(_))), "what was built cannot be read");
    }
}

/// The agent's own file.
fn agent_config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Err(error) = sitewarden_agent::config::Config::parse(&text, "agent.toml") {
        assert!(!error.to_string().is_empty());
    }
}

/// What a server sends as configuration, and the files of one device.
fn device_list(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Err(error) = sitewarden_agent::config::parse_devices(&text, "desired") {
        assert!(!error.to_string().is_empty());
    }
    let _ = sitewarden_agent::config::parse_device(&text, "cam.toml", "cam");
}

/// The server's file.
fn server_config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Err(error) = sitewarden_server::config::Config::parse(&text, "server.toml") {
        assert!(!error.to_string().is_empty());
    }
}

/// How a device asks for a login, several lines of it; whatever is answered fits into a header.
fn challenge(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(mut challenge) = Challenge::strongest(text.lines()) {
        let answer = challenge.answer("viewer", "secret", "GET", "/picture");
        assert!(answer.is_none_or(|answer| !answer.contains('\n') && !answer.contains("secret")));
    }
}

/// What a stream server says: how its bytes are cut makes no difference, and nothing is kept beyond the bounds.
fn rtsp(bytes: &[u8]) {
    let all = |pieces: &[&[u8]]| {
        let mut buffer = BytesMut::new();
        let mut heard = Vec::new();
        for piece in pieces {
            buffer.extend_from_slice(piece);
            loop {
                match message::take(&mut buffer) {
                    Ok(Some(one)) => heard.push(one),
                    Ok(None) => break,
                    Err(error) => return (heard, Some(error)),
                }
            }
        }
        (heard, None)
    };
    let (first, rest) = bytes.split_at(bytes.len() / 2);
    assert_eq!(all(&[bytes]), all(&[first, rest]), "how bytes are cut must make no difference");
}

/// What a stream says about itself, and the addresses in it.
fn sdp(bytes: &[u8]) {
    let said = sdp::parse(&String::from_utf8_lossy(bytes));
    if let Some(video) = said.video {
        assert!(video.clock_rate > 0 && video.fps.is_none_or(|fps| fps.is_finite() && fps > 0.0));
        let base = sdp::resolve("rtsp://192.0.2.7/live", said.control.as_deref());
        assert!(!sdp::resolve(&base, video.control.as_deref()).is_empty());
    }
}

/// A stream's packets, each with its length before it.
fn rtp(bytes: &[u8]) {
    for codec in [Codec::H264, Codec::H265, Codec::Other] {
        let mut flow = Flow::new(codec, 90_000);
        let (mut rest, mut at_ms) = (bytes, 0.0);
        while let Some((length, after)) = rest.split_first() {
            let (packet, after) = after.split_at(after.len().min(usize::from(*length)));
            flow.add(at_ms, packet);
            (rest, at_ms) = (after, at_ms + 40.0);
        }
        assert!(flow.key_frames <= flow.frames && flow.frames <= flow.packets);
        assert!(flow.lost() <= flow.expected() && (0.0..=100.0).contains(&flow.loss_percent()));
        assert!(flow.fps().is_none_or(f64::is_finite) && flow.kbps().is_none_or(f64::is_finite));
    }
}

/// A snapshot, and a file of what a camera has shown.
fn picture(bytes: &[u8]) {
    if let Ok((frame, small)) = decode_with_small(bytes) {
        assert_eq!(frame.luma.len(), frame.width * frame.height);
        assert!(small.width() <= 192 && frame.width * frame.height <= 400 * bytes.len());
        let _ = Watch::default().observe(measure(&frame), 1);
    }
    if let Ok(watch) = serde_json::from_slice::<Watch>(bytes) {
        let _ = watch.is_sound();
    }
}

/// What a recorder says of itself, in XML or JSON.
fn isapi(bytes: &[u8]) {
    let Ok(said) = tree::parse(bytes) else { return };
    assert!(said::disks(&said).is_none_or(|disks| disks.len() <= 1_024));
    assert!(said::proxies(&said).is_none_or(|list| list.len() <= 1_024));
    assert!(said::links(&said).is_none_or(|list| list.len() <= 1_024));
    assert!(said::work(&said).is_none_or(|(_, list)| list.len() <= 1_024));
    let listed = sitewarden_agent::probe::isapi::doors::work(&said);
    assert!(listed.is_none_or(|seen| seen.doors.len() <= 256 && seen.battery_v.is_none_or(f64::is_finite)));
    assert!(said::recorded_days(&said).is_none_or(|days| days.iter().all(|day| (1..=31).contains(day))));
    let noon = jiff::civil::date(2026, 11, 20).at(12, 0, 0, 0);
    let listed = said::stretches(&said, noon.date());
    let whole = |all: &[(u32, u32)]| all.iter().all(|(from, to)| from < to && *to <= 86_400);
    assert!(
        listed
            .is_none_or(|page| page.found.len() <= page.listed && page.listed <= 1_024 && whole(&page.found))
    );
    for track in said::tracks(&said).unwrap_or_default() {
        assert!(whole(&track.owed(noon.date())));
        assert_eq!(
            (track.is_due(noon).is_some(), track.is_daily().is_some()),
            (track.has_plan, track.has_plan)
        );
    }
    let uptime = said.word("deviceUpTime").and_then(said::uptime_s);
    assert!(uptime.is_none_or(|seconds| seconds.is_finite() && seconds >= 0.0));
}

/// What a camera answers in SOAP; whatever is taken from it fits into a request.
fn onvif(bytes: &[u8]) {
    let Ok(said) = tree::parse(bytes) else { return };
    let _ = (soap::fault(&said), soap::clock(&said));
    let found = [soap::services(&said), soap::capabilities(&said)].into_iter().flatten();
    let paths = found.flat_map(|services| [services.media, services.events]).flatten();
    let subscription = soap::subscription(&said);
    let paths = paths.chain(subscription.as_deref().and_then(soap::path));
    assert!(
        paths
            .into_iter()
            .all(|path| path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()))
    );
    assert!(subscription.as_deref().and_then(soap::port).is_none_or(|port| port != 0));
    assert!(soap::profiles(&said).is_none_or(|tokens| tokens.len() <= 256));
    assert!(soap::notices(&said).is_none_or(|notices| notices.len() <= 256));
    assert!(soap::uri(&said).is_none_or(|uri| uri.contains("://")));
}

/// What `upsd` says, line by line.
fn nut(bytes: &[u8]) {
    use sitewarden_agent::probe::nut::{seen, ups_name, variable};
    let text = String::from_utf8_lossy(bytes);
    assert!(text.lines().filter_map(ups_name).all(|name| !name.contains([' ', '\n', '"'])));
    let seen = seen(&text.lines().filter_map(variable).collect()).plausible();
    assert!(seen.charge_percent.is_none_or(|charge| (0.0..=100.0).contains(&charge)));
    assert!(seen.runtime_s.is_none_or(|runtime| runtime.is_finite() && runtime >= 0.0));
}

/// What a recorder says of itself in lines.
fn dahua(bytes: &[u8]) {
    assert!(lines::events(bytes).is_none_or(|channels| channels.len() <= 1_024));
    let Some(said) = lines::Table::parse(bytes) else { return };
    assert!(
        lines::disks(&said)
            .iter()
            .all(|disk| disk.free_mb.is_none_or(|free| free.is_finite() && free >= 0.0))
    );
    assert!(lines::cameras(&said).len() <= 1_024 && lines::titles(&said).len() <= 1_024);
    assert!(lines::modes(&said).len() <= 1_024);
    assert!(lines::files(&said).is_none_or(|(_, days)| days.len() <= 2_048));
    let _ = lines::door(&said);
}

/// What anybody in a network answers while it is looked at: whatever comes of it is short, and a file that the agent takes.
fn discover(bytes: &[u8]) {
    use sitewarden_agent::discover::{Hints, discovery, file, proposals, web};
    let hints = Hints {
        web: web(bytes),
        rtsp: web(bytes),
        discovery: discovery(bytes).unwrap_or_default(),
        sys_descr: String::from_utf8_lossy(bytes).split_whitespace().take(64).collect::<Vec<_>>().join(" "),
        ..Hints::default()
    };
    let seen = [("192.0.2.9".parse().expect("an address"), hints)].into();
    let text = file(&proposals(&seen, &std::collections::BTreeMap::new()));
    if let Err(error) = sitewarden_agent::config::parse_devices(&text, "found.toml") {
        panic!("{error}\n{text}");
    }
}
