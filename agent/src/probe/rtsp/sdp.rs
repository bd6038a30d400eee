//! What a stream says about itself: the session description (SDP, RFC 4566) of an RTSP `DESCRIBE`, so far as it is
//! about the picture. Pure.

/// A description.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Description {
    /// `a=control` of the whole.
    pub control: Option<String>,
    /// The first video in it.
    pub video: Option<Video>,
}

/// A video.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Video {
    /// `a=control`: what to set up.
    pub control: Option<String>,
    /// The payload type of its packets.
    pub payload_type: u8,
    /// Its encoding in capital letters, such as `H264`; empty when it is not said.
    pub codec: String,
    /// Ticks a second of its timestamps.
    pub clock_rate: u32,
    /// Frames a second that it declares.
    pub fps: Option<f64>,
    /// Its packets carry decoding order numbers, which take the place of what we would look at.
    pub has_don: bool,
}

/// The clock of every video format in RFC 3551 and its successors.
const USUAL_CLOCK: u32 = 90_000;

/// Reads a description; lines that it does not know are passed over.
pub fn parse(text: &str) -> Description {
    let mut description = Description::default();
    // In the part before the first medium, in the first video, or in anything else.
    let (mut in_head, mut in_video) = (true, false);
    for line in text.lines().map(str::trim) {
        let Some((kind, value)) = line.split_once('=') else { continue };
        if kind == "m" {
            in_video = value.starts_with("video") && description.video.is_none();
            in_head = false;
            if in_video {
                let payload_type = value.split_whitespace().nth(3).and_then(|word| word.parse().ok());
                let payload_type = payload_type.unwrap_or_default();
                // RFC 3551: type 26 is JPEG without further words.
                let codec = if payload_type == 26 { "JPEG".to_owned() } else { String::new() };
                let clock_rate = USUAL_CLOCK;
                description.video = Some(Video { payload_type, codec, clock_rate, ..Video::default() });
            }
            continue;
        }
        let Some((name, value)) = (kind == "a").then(|| value.split_once(':')).flatten() else { continue };
        let value = value.trim();
        match (&mut description.video, in_head, in_video) {
            (_, true, _) if name == "control" => description.control = Some(value.to_owned()),
            (Some(video), false, true) => video.attribute(name, value),
            (Some(_) | None, _, _) => {}
        }
    }
    description
}

impl Video {
    fn attribute(&mut self, name: &str, value: &str) {
        match name {
            "control" => self.control = Some(value.to_owned()),
            "framerate" | "x-framerate" => {
                self.fps =
                    value.parse().ok().filter(|fps: &f64| fps.is_finite() && (0.0..=1_000.0).contains(fps));
                self.fps = self.fps.filter(|fps| *fps > 0.0);
            }
            "rtpmap" => {
                let Some((number, format)) = value.split_once(' ') else { return };
                if number.parse() != Ok(self.payload_type) {
                    return;
                }
                let mut words = format.trim().split('/');
                self.codec = words.next().unwrap_or_default().to_ascii_uppercase();
                let rate = words.next().and_then(|word| word.parse().ok()).filter(|rate| *rate > 0);
                self.clock_rate = rate.unwrap_or(USUAL_CLOCK);
            }
            "fmtp" => {
                let is_set = |word: &str| {
                    let (key, number) = word.split_once('=').unwrap_or((word, ""));
                    key.trim().eq_ignore_ascii_case("sprop-max-don-diff") && number.trim() != "0"
                };
                self.has_don |= value.split([';', ' ']).any(is_set);
            }
            _ => {}
        }
    }
}

/// The address that a `control` names: RFC 2326 appendix C.1.1, joined as devices expect it and not as addresses of web
/// pages are.
pub fn resolve(base: &str, control: Option<&str>) -> String {
    match control.map(str::trim) {
        None | Some("" | "*") => base.to_owned(),
        Some(whole) if whole.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("rtsp://")) => {
            whole.to_owned()
        }
        Some(part) => format!("{}/{}", base.trim_end_matches('/'), part.trim_start_matches('/')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_video_is_described() {
        let said = parse(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\na=control:*\r\nm=audio 0 RTP/AVP 8\r\na=control:trackID=2\r\n\
             m=video 0 RTP/AVP 96\r\na=rtpmap:96 h264/90000\r\na=framerate:12.5\r\na=control:stream=0\r\n\
             m=video 0 RTP/AVP 97\r\na=control:stream=1\r\n",
        );
        let video = said.video.unwrap();
        assert_eq!((said.control.as_deref(), video.control.as_deref()), (Some("*"), Some("stream=0")));
        assert_eq!((video.codec.as_str(), video.clock_rate, video.fps), ("H264", 90_000, Some(12.5)));
        assert_eq!(parse("v=0\r\nm=audio 0 RTP/AVP 0\r\n").video, None);
        assert_eq!(parse("m=video 0 RTP/AVP 26\na=framerate:0\n").video.unwrap().codec, "JPEG");
    }

    #[test]
    fn controls_are_joined() {
        assert_eq!(resolve("rtsp://c/live/", Some("stream=0")), "rtsp://c/live/stream=0");
        assert_eq!(resolve("rtsp://c/live", Some("stream=0")), "rtsp://c/live/stream=0");
        assert_eq!(resolve("rtsp://c/live", Some("rtsp://d/x")), "rtsp://d/x");
        assert_eq!(resolve("rtsp://c/live", Some("*")), "rtsp://c/live");
    }
}
