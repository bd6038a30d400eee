//! What does a camera show? A snapshot over HTTP, judged by [`crate::picture`] against what this camera has shown before.
//!
//! Only a picture that was seen can be wrong. A page in its place, a refusal or a broken file leaves unknown what the
//! camera sees. The picture that proves a fault travels with it, small enough for a record.

mod album;

use std::sync::Arc;

use reqwest::StatusCode;
use serde_json::Value;
use tokio::time::Instant;

pub(crate) use self::album::Album;
use self::album::{Judged, Subject};
use super::OutcomeState::{Bad, Rejected};
use super::http::{Answer, Http, ask, unanswered, url};
use super::{Reading, clip, resolve};
use crate::config;
use crate::picture::{FILE_MAX, Finding};

/// Takes a picture and judges it; `device` and `check` name the camera's own measure.
///
/// Values: `response_ms`, `brightness`, `contrast`, `edges`, `noise`. Faults: `picture_*` of the catalogue,
/// `http_silent`, `http_auth_rejected`.
pub(crate) async fn read(
    (device, check, address): (&str, &str, &str),
    asked: &config::Picture,
    http: &Http,
    album: &Arc<Album>,
) -> Reading {
    let target = match resolve(address, asked.http.port).await {
        Ok(target) => target,
        Err(failure) => return failure.into_reading("http_silent"),
    };
    let began = Instant::now();
    let url = url(address, &asked.http);
    let mut response = match ask(&url, &asked.http, http).await {
        Ok(Answer::Page(response)) => response,
        Ok(Answer::Refused { response, text }) => {
            let status = Value::from(response.status().as_u16());
            return Reading::good().fault(Rejected, "http_auth_rejected", text, [("status", status)]);
        }
        Err(error) => return unanswered(&error, target),
    };
    let status = response.status();
    if status != StatusCode::OK {
        let text = format!("the device answered with status {status}");
        return missing(&text, status, 0);
    }
    let mut file: Vec<u8> = Vec::new();
    while file.len() <= FILE_MAX {
        match response.chunk().await {
            Ok(Some(chunk)) => file.extend_from_slice(&chunk[..chunk.len().min(FILE_MAX + 1 - file.len())]),
            Ok(None) => break,
            Err(error) => return missing(&format!("it broke off: {error}"), status, file.len()),
        }
    }
    let reading = Reading::good().value("response_ms", began.elapsed().as_secs_f64() * 1_000.0);
    let subject =
        Subject { device: device.to_owned(), check: check.to_owned(), source: url, baseline: asked.baseline };
    let (album_turn, album, bytes) = (Arc::clone(album), Arc::clone(album), file.len());
    let _turn = album_turn.turn.0.acquire().await.ok();
    // Decoding takes milliseconds of a processor, and what is learned goes to the disk.
    match tokio::task::spawn_blocking(move || album.judge(&subject, &file)).await {
        Ok(Ok(judged)) => told(reading, &judged),
        Ok(Err(error)) => missing(&error.to_string(), status, bytes),
        Err(_) => missing("it could not be judged", status, bytes),
    }
}

fn missing(text: &str, status: StatusCode, bytes: usize) -> Reading {
    let evidence = [("status", Value::from(status.as_u16())), ("bytes", Value::from(bytes))];
    Reading::good().fault(Bad, "picture_missing", &clip(text), evidence)
}

fn told(mut reading: Reading, judged: &Judged) -> Reading {
    let measures = &judged.measures;
    let numbers = [
        ("brightness", measures.mean),
        ("contrast", measures.deviation),
        ("edges", measures.edges),
        ("noise", measures.noise),
    ];
    for (name, value) in numbers {
        reading = reading.value(name, value);
    }
    let text = format!(
        "brightness {:.0} ± {:.0} of 255, edges {:.0}, noise {:.1}",
        measures.mean, measures.deviation, measures.edges, measures.noise
    );
    for finding in &judged.seen.suspects {
        let evidence = numbers.map(|(name, value)| (name, Value::from((value * 10.0).round() / 10.0)));
        reading = reading.fault(Bad, Finding::code(*finding), &text, evidence);
    }
    match &judged.proof {
        Some(jpeg) => reading.picture(jpeg),
        None => reading,
    }
}
