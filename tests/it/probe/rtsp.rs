//! Streams: gst-rtsp-server, whose RTSP, RTP and Digest are not ours, and servers that say word by word what a test
//! gives them.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use sitewarden_agent::probe::Outcome;
use sitewarden_agent::probe::OutcomeState::{Bad, Good, Rejected, Silent};
use sitewarden_tests::peer::{RtspServer, free_tcp_port};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{codes, run, text, value};

/// A check that looks for a second and a half; `more` are further lines.
async fn look(port: u16, path: &str, more: &str) -> Outcome {
    run(&format!(
        "kind = \"rtsp\"\nport = {port}\npath = \"{path}\"\nlook = \"1500ms\"\ntimeout = \"8s\"\nevery = \"60s\"\n{more}"
    ))
    .await
}

#[tokio::test]
async fn each_way_in_which_a_stream_fails_has_its_code_and_no_other() {
    let server = RtspServer::start("open").await;
    for (path, code, evidence) in [
        ("/nothing", "rtsp_not_found", "status"),
        ("/dead", "rtsp_unavailable", "status"),
        ("/stalled", "rtsp_no_packets", "silent_ms"),
        ("/deltas", "rtsp_no_key_frame", "frames"),
        ("/lossy", "rtsp_loss_high", "lost"),
        ("/slow", "rtsp_fps_low", "fps"),
    ] {
        let outcome = look(server.port, path, "").await;
        assert_eq!((outcome.state, codes(&outcome)), (Bad, vec![code]), "{path}: {outcome:#?}");
        assert!(outcome.faults[0].evidence[evidence].as_f64().unwrap() > 0.0, "{path}: {outcome:#?}");
    }
    let black = look(server.port, "/black", "min_kbps = 200").await;
    assert_eq!((black.state, codes(&black)), (Bad, vec!["rtsp_bitrate_low"]), "{black:#?}");
    // Every session was given back, and the same server shows a good stream afterwards.
    assert_eq!(server.granted("play"), server.granted("teardown"));
    let live = look(server.port, "/live", "min_kbps = 20").await;
    assert_eq!((live.state, codes(&live)), (Good, vec![]), "{live:#?}");
}

#[tokio::test]
async fn a_live_stream_is_measured_whatever_its_format() {
    let server = RtspServer::start("open").await;
    for (path, codec) in [("/live", "H264"), ("/live265", "H265"), ("/jpeg", "JPEG"), ("/black", "H264")] {
        let outcome = look(server.port, path, "").await;
        assert_eq!((outcome.state, codes(&outcome)), (Good, vec![]), "{path}: {outcome:#?}");
        assert_eq!(outcome.facts["codec"], codec);
        assert!(outcome.facts["server"].starts_with("GStreamer"), "{outcome:#?}");
        assert!((10.0..60.0).contains(&value(&outcome, "fps")), "{path}: {outcome:#?}");
        assert!(value(&outcome, "kbps") > 0.0 && value(&outcome, "loss_percent") < 0.1, "{outcome:#?}");
    }
}

#[tokio::test]
async fn the_right_password_opens_the_stream_by_basic_and_by_digest() {
    for login in ["basic", "digest"] {
        let server = RtspServer::start(login).await;
        let right = format!("user = \"{}\"\npassword = \"{}\"", RtspServer::USER, RtspServer::PASSWORD);
        let outcome = look(server.port, "/live", &right).await;
        assert_eq!((outcome.state, codes(&outcome)), (Good, vec![]), "{login}: {outcome:#?}");
        assert_eq!((server.granted("play"), server.granted("teardown")), (1, 1));

        let wrong = format!("user = \"{}\"\npassword = \"wrong-password\"", RtspServer::USER);
        for credentials in [wrong.as_str(), ""] {
            let outcome = look(server.port, "/live", credentials).await;
            assert_eq!((outcome.state, codes(&outcome)), (Rejected, vec!["rtsp_auth_rejected"]), "{login}");
        }
        assert_eq!(server.granted("play"), 1);
    }
}

/// A server that answers the first requests in these words, one connection after the other, and then says nothing
/// more. The requests that it heard.
async fn scripted(answers: &[&str]) -> (u16, Arc<Mutex<Vec<String>>>, JoinSet<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
    let (mut serving, kept) = (JoinSet::new(), Arc::clone(&heard));
    serving.spawn(async move {
        let mut answers = answers.into_iter();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut said = Vec::new();
            while stream.read_buf(&mut said).await.is_ok_and(|read| read > 0) {
                while let Some(end) = said.windows(4).position(|window| window == b"\r\n\r\n") {
                    let request: Vec<u8> = said.drain(..end + 4).collect();
                    kept.lock().unwrap().push(String::from_utf8(request).unwrap());
                    if let Some(answer) = answers.next() {
                        let _ = stream.write_all(answer.as_bytes()).await;
                    }
                }
            }
        }
    });
    (port, heard, serving)
}

const OK: &str = "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n";
const SDP: &str = "RTSP/1.0 200 OK\r\nContent-Length: 78\r\n\r\n\
    v=0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:t1\r\n";
const SET_UP: &str =
    "RTSP/1.0 200 OK\r\nSession: 77;timeout=60\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n";
const CHALLENGE: &str = "RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"c\"\r\n\
    WWW-Authenticate: Digest realm=\"c\", nonce=\"first\"\r\n\r\n";
const LOGIN: &str = "user = \"viewer\"\npassword = \"secret\"";

fn first_words(heard: &Mutex<Vec<String>>) -> Vec<String> {
    let heard = heard.lock().unwrap();
    heard.iter().map(|request| request.split_whitespace().next().unwrap().to_owned()).collect()
}

fn logins(heard: &Mutex<Vec<String>>) -> usize {
    heard.lock().unwrap().iter().filter(|request| request.contains("Authorization:")).count()
}

#[tokio::test]
async fn a_wrong_password_is_sent_exactly_once() {
    let (port, heard, _serving) = scripted(&[CHALLENGE, &CHALLENGE.replace("first", "second"), OK, OK]).await;
    let outcome = look(port, "/live", LOGIN).await;
    assert_eq!((outcome.state, codes(&outcome)), (Rejected, vec!["rtsp_auth_rejected"]), "{outcome:#?}");
    assert_eq!(logins(&heard), 1, "a second try could lock the account: {heard:?}");
    let all = heard.lock().unwrap().join("\n");
    assert!(all.contains("Digest username=\"viewer\"") && !all.contains("Basic "), "{all}");
    assert!(!all.contains("algorithm") && !all.contains("secret"), "{all}");
}

#[tokio::test]
async fn a_nonce_that_ran_out_is_answered_once_and_no_more() {
    let stale = CHALLENGE.replace("first\"", "second\", stale=true");
    let again = CHALLENGE.replace("first\"", "third\", stale=true");
    let (port, heard, _serving) = scripted(&[OK, CHALLENGE, &stale, SDP, SET_UP, &again]).await;
    let outcome = look(port, "/live", LOGIN).await;
    assert_eq!((outcome.state, codes(&outcome)), (Rejected, vec!["rtsp_auth_rejected"]), "{outcome:#?}");
    // The session that had been set up is given back all the same.
    let words = ["OPTIONS", "DESCRIBE", "DESCRIBE", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN"];
    assert_eq!(first_words(&heard), words);
    assert_eq!(logins(&heard), 5);
}

#[tokio::test]
async fn what_says_play_and_sends_nothing_is_down_and_its_session_given_back() {
    for set_up in [SET_UP, "RTSP/1.0 200 OK\r\n\r\n"] {
        let (port, heard, _serving) = scripted(&[OK, SDP, set_up, OK]).await;
        let outcome = look(port, "/live", "").await;
        assert_eq!((outcome.state, codes(&outcome)), (Bad, vec!["rtsp_no_packets"]), "{outcome:#?}");
        assert_eq!(outcome.faults[0].evidence["packets"], 0);
        assert_eq!(first_words(&heard), ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN"]);
    }
}

#[tokio::test]
async fn what_says_nothing_about_the_picture_is_unclear_and_no_fault_of_the_stream() {
    let only_sound = SDP.replace("m=video", "m=audio");
    let over_udp = SET_UP.replace("RTP/AVP/TCP;interleaved=0-1", "RTP/AVP;unicast;server_port=1-2");
    for (answers, code) in [
        (vec![OK, "RTSP/1.0 403 Forbidden\r\n\r\n"], "rtsp_unclear"),
        (vec![OK, "RTSP/1.0 551 Option not supported\r\n\r\n"], "rtsp_unclear"),
        (vec![OK, SDP, "RTSP/1.0 461 Unsupported Transport\r\n\r\n"], "rtsp_unclear"),
        (vec![OK, &only_sound], "rtsp_unclear"),
        (vec![OK, SDP, &over_udp], "rtsp_unclear"),
        (
            vec!["RTSP/1.0 501 Not Implemented\r\n\r\n", SDP, "RTSP/1.0 453 Not Enough Bandwidth\r\n\r\n"],
            "rtsp_busy",
        ),
    ] {
        let (port, _heard, _serving) = scripted(&answers).await;
        let outcome = look(port, "/live", "").await;
        assert_eq!((outcome.state, codes(&outcome)), (Bad, vec![code]), "{answers:?}: {outcome:#?}");
        let effect = sitewarden_proto::fault::find(code).unwrap().effect;
        assert_eq!(effect, sitewarden_proto::fault::Effect::Unknown);
    }
}

#[tokio::test]
async fn nobody_listening_is_silence_and_nonsense_is_an_answer_without_sense() {
    let outcome = look(free_tcp_port(), "/live", "").await;
    assert_eq!((outcome.state, codes(&outcome)), (Silent, vec!["rtsp_silent"]));
    assert_eq!(outcome.faults[0].evidence["reason"], "refused");

    let endless = format!("RTSP/1.0 200 OK\r\n{}", "X-Endless: header\r\n".repeat(4_000));
    let huge = "RTSP/1.0 200 OK\r\nContent-Length: 8388608\r\n\r\n".to_owned();
    for nonsense in [endless, huge, "HTTP/1.1 400 Bad Request\r\n\r\n".to_owned()] {
        let (port, heard, _serving) = scripted(&[&nonsense]).await;
        let outcome = look(port, "/live", "").await;
        assert_eq!((outcome.state, codes(&outcome)), (Bad, vec!["rtsp_silent"]), "{}", text(&outcome));
        assert_eq!(first_words(&heard), ["OPTIONS"]);
    }
}
