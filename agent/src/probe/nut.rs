//! How is a power supply behind `upsd`? The protocol of the Network UPS Tools over TCP: `LIST UPS`, `LIST VAR`, `LOGOUT`.
//!
//! Nothing but questions; no login is made, since reading needs none.
//! Source: Network UPS Tools, *Network protocol information*; names of variables and of `ups.status` from its developer guide.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::{Failure, OutcomeState, Reading, clip, resolve};
use crate::config;
use crate::model::ups::{Seen, judge};

/// Bytes of one conversation.
const BYTES_MAX: u64 = 128 * 1024;
/// Lines of one answer.
const LINES_MAX: usize = 2_000;

/// Asks for the names and then for all variables of one.
///
/// Values: `charge_percent`, `runtime_s`, `load_percent`, `temperature_c`, `input_v`. Faults: those of
/// [`crate::model::ups`], `ups_link_lost`, `health_unclear`, `nut_silent`.
pub(crate) async fn read(address: &str, asked: &config::Nut) -> Reading {
    let target = match resolve(address, asked.port).await {
        Ok(target) => target,
        Err(failure) => return failure.into_reading("nut_silent"),
    };
    match talk(target, asked.ups.as_deref()).await {
        Err(error) => Failure::from_io(&error, target).into_reading("nut_silent"),
        Ok(Heard::Variables(variables)) => {
            let seen = seen(&variables).plausible();
            let reading = judge(&seen, asked.min_runtime_s);
            if seen.is_anything() { reading } else { unclear(reading, "it tells no status") }
        }
        // The server lives and has lost what it watches; the state of the power supply is not known.
        Ok(Heard::Refused(word)) if matches!(word.as_str(), "DATA-STALE" | "DRIVER-NOT-CONNECTED") => {
            let text = format!("upsd has lost its power supply: {word}");
            let reading = judge(&Seen::default(), asked.min_runtime_s);
            reading.fault(OutcomeState::Bad, "ups_link_lost", &text, [("word", word.into())])
        }
        Ok(Heard::Refused(word)) => unclear(judge(&Seen::default(), asked.min_runtime_s), &word),
    }
}

fn unclear(reading: Reading, why: &str) -> Reading {
    let text = format!("upsd answers, and not with the state of a power supply: {why}");
    reading.fault(OutcomeState::Bad, "health_unclear", &text, [("why", Value::from(why))])
}

/// What a conversation came to.
enum Heard {
    Variables(BTreeMap<String, String>),
    /// The word behind `ERR`, or that it is no such server.
    Refused(String),
}

async fn talk(target: SocketAddr, wanted: Option<&str>) -> std::io::Result<Heard> {
    let stream = TcpStream::connect(target).await?;
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read.take(BYTES_MAX));
    let name = match wanted {
        Some(name) => name.to_owned(),
        None => {
            write.write_all(b"LIST UPS\n").await?;
            match list(&mut lines).await? {
                Ok(rows) => match rows.iter().find_map(|row| ups_name(row)) {
                    Some(name) => name,
                    None => return Ok(Heard::Refused("no power supply is set up".to_owned())),
                },
                Err(word) => return Ok(Heard::Refused(word)),
            }
        }
    };
    write.write_all(format!("LIST VAR {name}\n").as_bytes()).await?;
    let heard = match list(&mut lines).await? {
        Ok(rows) => Heard::Variables(rows.iter().filter_map(|row| variable(row)).collect()),
        Err(word) => Heard::Refused(word),
    };
    // It is polite to say so, and no matter if it is not heard.
    let _ = write.write_all(b"LOGOUT\n").await;
    Ok(heard)
}

/// The rows between `BEGIN LIST` and `END LIST`; the word of a refusal.
async fn list(
    lines: &mut BufReader<tokio::io::Take<tokio::net::tcp::OwnedReadHalf>>,
) -> std::io::Result<Result<Vec<String>, String>> {
    let (mut rows, mut has_begun) = (Vec::new(), false);
    for _ in 0..LINES_MAX {
        let mut line = Vec::new();
        if lines.read_until(b'\n', &mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        match line.split_whitespace().next() {
            Some("BEGIN") if !has_begun => has_begun = true,
            Some("END") if has_begun => return Ok(Ok(rows)),
            Some("ERR") if !has_begun => {
                return Ok(Err(line.split_whitespace().nth(1).unwrap_or("ERR").to_owned()));
            }
            Some("UPS" | "VAR") if has_begun => rows.push(line),
            Some(_) | None => return Ok(Err(format!("no answer of upsd: {}", clip(&line)))),
        }
    }
    Ok(Err("the answer is too long".to_owned()))
}

/// `UPS rack "Rack in the basement"`.
pub fn ups_name(row: &str) -> Option<String> {
    let name = row.strip_prefix("UPS ")?.split_whitespace().next()?;
    name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"').then(|| name.to_owned())
}

/// `VAR rack ups.status "OB DISCHRG"`, with `\"` and `\\` in the value.
pub fn variable(row: &str) -> Option<(String, String)> {
    let mut parts = row.strip_prefix("VAR ")?.splitn(3, ' ');
    let (_, key, value) = (parts.next()?, parts.next()?, parts.next()?);
    let value = value.trim().strip_prefix('"')?.strip_suffix('"')?;
    let mut plain = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        plain.push(if letter == '\\' { letters.next()? } else { letter });
    }
    Some((key.to_owned(), plain))
}

/// `ups.status` in words: OL on line, OB on battery, LB low, RB replace, OVER overload, BYPASS, OFF, FSD forced shutdown, CAL
/// calibration, which runs from the battery on purpose.
pub fn seen(variables: &BTreeMap<String, String>) -> Seen {
    let number =
        |key: &str| variables.get(key)?.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    let words: Option<Vec<&str>> =
        variables.get("ups.status").map(|status| status.split_whitespace().collect());
    let is = |wanted: &[&str]| words.as_ref().map(|words| words.iter().any(|word| wanted.contains(word)));
    let is_known = is(&["OL", "OB", "OFF", "BYPASS", "LB", "FSD"]) == Some(true);
    let told = |yes: Option<bool>| yes.filter(|_| is_known);
    let model = [variables.get("ups.mfr"), variables.get("ups.model")];
    let model: Vec<&str> = model.into_iter().flatten().map(String::as_str).collect();
    Seen {
        model: (!model.is_empty()).then(|| model.join(" ")),
        on_battery: told(is(&["OB"])).map(|on| on && is(&["CAL"]) != Some(true)),
        is_low: told(is(&["LB", "FSD"])),
        is_worn: told(is(&["RB"])),
        is_overloaded: told(is(&["OVER"])),
        on_bypass: told(is(&["BYPASS"])),
        is_off: told(is(&["OFF"])),
        is_defective: None,
        charge_percent: number("battery.charge"),
        runtime_s: number("battery.runtime"),
        load_percent: number("ups.load"),
        temperature_c: number("battery.temperature").or_else(|| number("ups.temperature")),
        input_v: number("input.voltage"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_with_their_quotes() {
        assert_eq!(ups_name("UPS rack \"Rack 1\""), Some("rack".to_owned()));
        assert_eq!(ups_name("VAR rack x"), None);
        let row = "VAR rack ups.model \"Smart \\\"X\\\" \\\\ 1\"";
        assert_eq!(variable(row), Some(("ups.model".to_owned(), "Smart \"X\" \\ 1".to_owned())));
        for row in ["VAR rack ups.model", "VAR rack ups.model \"", "VAR", "VAR a b \"x\\\"", ""] {
            assert_eq!(variable(row), None, "{row}");
        }
    }

    #[test]
    fn words_of_the_status_are_told_apart() {
        let codes = |status: &str| {
            let variables = BTreeMap::from([("ups.status".to_owned(), status.to_owned())]);
            let reading = judge(&seen(&variables), 0);
            reading.codes().iter().map(|code| (*code).to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(codes("OL CHRG"), Vec::<String>::new());
        assert_eq!(codes("OB DISCHRG LB"), ["ups_on_battery", "ups_battery_low"]);
        assert_eq!(codes("OL RB"), ["ups_battery_worn"]);
        assert_eq!(codes("OL OVER"), ["ups_overload"]);
        assert_eq!(codes("OL BYPASS"), ["ups_bypass"]);
        assert_eq!(codes("OFF"), ["ups_output_off"]);
        assert_eq!(codes("CAL OB DISCHRG"), Vec::<String>::new(), "on purpose");
        assert!(!seen(&BTreeMap::from([("ups.status".to_owned(), "WAIT".to_owned())])).is_anything());
    }
}
