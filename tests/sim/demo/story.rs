//! The story of first light, told by what the public API and the receiving ends say: a contract is put in
//! service, a camera loses power, an incident opens, a ticket opens, the contract's clocks run, people are
//! paged, one takes it by the link in the page, somebody goes there and proves it by the gateway's code, the
//! camera comes back, the ticket is closed with every clock kept, and the visit signed. Then the contract's inspection.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Simulation;
use super::client::{Client, anonymous};
use super::contract;
use super::inspect;
use super::setup::Running;
use crate::sim::clock::now;
use crate::sim::trouble::Trouble;

const CAMERA: &str = "cam-3";
const PATIENCE: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Plays the story and prints each step with its time; an error is a step that was not observed.
pub async fn tell(running: &Running, simulation: &Simulation) -> Result<()> {
    let began = now();
    let camera = running.device_id(CAMERA)?;
    let api = running.client();
    say(began, "every device is seen and OK");
    let promised = contract::promise(api, now()).await?;
    say(began, &format!("contract {promised} is registered, accepted and in service"));

    simulation.site.break_device(CAMERA, Trouble::Unplug)?;
    say(began, &format!("{CAMERA} loses power"));

    let incident = until("an open incident of the camera", async || {
        let all = api.list(&format!("/incidents?state=open&device_id={camera}")).await?;
        Ok(all.into_iter().find(|incident| incident["code"] == "unreachable"))
    })
    .await?;
    say(began, &format!("incident: {} is {}", text(&incident, "device_name"), text(&incident, "code")));
    until("the camera shown as down", async || {
        let device = api.get(&format!("/devices/{camera}")).await?;
        Ok((device["state"] == "down").then_some(()))
    })
    .await?;
    say(began, "the camera is shown as down, with its fault and evidence");

    let ticket = until("an open ticket of the camera", async || {
        Ok(api.list(&format!("/tickets?state=open&device_id={camera}")).await?.into_iter().next())
    })
    .await?;
    let id = text(&ticket, "id").to_owned();
    let number = ticket["number"].to_string();
    say(began, &format!("ticket {number} is open"));
    say(began, &clocks(api, &id, ["running", "running", "running"]).await?);

    let sent = until("two pages sent", async || {
        let ticket = api.get(&format!("/tickets/{id}")).await?;
        let sent: Vec<Value> = pages(&ticket).into_iter().filter(|page| page["state"] == "sent").collect();
        Ok((sent.len() >= 2).then_some(sent))
    })
    .await?;
    for page in &sent {
        say(began, &format!("page by {} to {}: sent", text(page, "channel"), text(page, "account")));
    }
    let received = until("a mail and a webhook that name the ticket", async || {
        let pages = simulation.site.sink().pages();
        let named: Vec<_> =
            pages.into_iter().filter(|page| (page.subject.clone() + &page.text).contains(&number)).collect();
        let both =
            ["email", "webhook"].iter().all(|channel| named.iter().any(|page| page.channel == *channel));
        Ok(both.then_some(named))
    })
    .await?;
    say(
        began,
        &format!(
            "received at the other end: {}",
            received.iter().map(|p| p.channel).collect::<Vec<_>>().join(", ")
        ),
    );

    let link = received
        .iter()
        .find(|page| page.channel == "email")
        .and_then(|page| ack_link(&page.text))
        .context("the mail holds no link of the form http…/a/…")?;
    look_at(&link).await?;
    look_at(&link).await?;
    press(&link).await?;
    until("the ticket acked", async || {
        Ok((api.get(&format!("/tickets/{id}")).await?["state"] == "acked").then_some(()))
    })
    .await?;
    say(began, "the ticket is taken by the link in the mail, which looking at it did not do");
    say(began, &clocks(api, &id, ["met", "running", "running"]).await?);

    let visit = format!("/visits/{}", uuid::Uuid::new_v4());
    api.put(&visit, &json!({ "ticket_id": id, "purpose": "Look at the power" })).await?;
    for kind in ["accepted", "departed"] {
        step(api, &visit, &json!({ "kind": kind })).await?;
    }
    say(began, "a technician accepts the visit and leaves for the site");
    let code = digits(running).await?;
    let proof = json!({ "kind": "arrived", "evidence": [{ "kind": "gateway_code", "code": code }] });
    let there = step(api, &visit, &proof).await?;
    if there["level"] != "gateway_code" {
        bail!("the gateway's code proved nothing: {there}");
    }
    say(began, "the arrival is proved by the code that the gateway shows");
    say(began, &clocks(api, &id, ["met", "met", "running"]).await?);
    if step(api, &visit, &json!({ "kind": "done" })).await.is_ok() {
        bail!("the visit was done while the camera was still down, and nobody asked why");
    }
    say(began, "the visit is not done while the camera is down");

    simulation.site.mend_device(CAMERA)?;
    say(began, &format!("{CAMERA} has power again"));
    until("the camera OK", async || {
        Ok((api.get(&format!("/devices/{camera}")).await?["state"] == "ok").then_some(()))
    })
    .await?;
    say(began, "the camera is shown as OK");
    until("the incident closed", async || {
        let open = api.list(&format!("/incidents?state=open&device_id={camera}")).await?;
        Ok(open.is_empty().then_some(()))
    })
    .await?;
    say(began, "the incident is closed");
    let closed = until("the ticket closed", async || {
        let ticket = api.get(&format!("/tickets/{id}")).await?;
        Ok((ticket["state"] == "closed").then_some(ticket))
    })
    .await?;
    say(began, &format!("ticket {number} is closed: the gateway measured that the camera answers again"));
    say(began, &clocks(api, &id, ["met", "met", "met"]).await?);
    let written = json!({ "symptom": "no picture", "cause": "摄像机电源插头松动", "solution": "插紧并固定插头，图像恢复" });
    step(api, &visit, &json!({ "kind": "written", "fields": written })).await?;
    let photo = format!("{visit}/photos/{}", uuid::Uuid::new_v4());
    api.put_photo(&photo, picture()?).await?;
    step(api, &visit, &json!({ "kind": "done" })).await?;
    let signature = json!({ "width": 1000, "height": 400, "strokes": scrawl() });
    let signed = json!({ "kind": "signed", "who": "Ms Zhou", "satisfied": 5, "signature": signature });
    let signed = step(api, &visit, &signed).await?;
    say(began, &format!("the visit is {}, with a photo and a signature", text(&signed, "state")));
    say(began, &slip(api, &visit, &format!("{number}-{}", signed["number"])).await?);
    inspect::tell(running, began).await?;
    for event in closed["events"].as_array().into_iter().flatten() {
        println!("             its log: {:>2} {}", event["seq"].to_string(), text(event, "kind"));
    }
    Ok(())
}

/// Waits until the ticket's clocks stand so; what to tell of them.
async fn clocks(api: &Client, ticket: &str, states: [&str; 3]) -> Result<String> {
    let what = format!("the clocks {}", states.join(", "));
    Ok(format!(
        "its clocks: {}",
        until(&what, async || contract::clocks(api, ticket, states, now()).await).await?
    ))
}

/// Writes the visit's slip into a file that stays; what to tell of it.
async fn slip(api: &Client, visit: &str, number: &str) -> Result<String> {
    write(api, &format!("{visit}/slip.pdf?lang=zh"), &format!("slip-{number}")).await
}

/// Writes a paper into a file that stays; what to tell of it.
pub async fn write(api: &Client, path: &str, name: &str) -> Result<String> {
    let Some(pdf) = api.file(path, "no_font").await? else {
        return Ok(format!("no {name}: there is no font to print it with; install fonts-noto-cjk"));
    };
    if !pdf.starts_with(b"%PDF-") {
        bail!("{name} is no PDF");
    }
    let path = std::env::temp_dir().join(format!("sitewarden-{name}.pdf"));
    std::fs::write(&path, pdf).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(format!("written: {}", path.display()))
}

/// The digits that the gateway shows on its own page now.
pub async fn digits(running: &Running) -> Result<String> {
    until("six digits on the gateway's own page", async || {
        let shown =
            anonymous()?.get(format!("http://{}/", running.arrival_page)).send().await?.text().await?;
        Ok(arrival_code(&shown))
    })
    .await
}

/// What a phone's camera might see.
pub fn picture() -> Result<Vec<u8>> {
    let mut file = std::io::Cursor::new(Vec::new());
    let sight = |x: u32, y: u32| image::Rgb([(x / 4) as u8, (y / 3) as u8, 120]);
    image::RgbImage::from_fn(800, 600, sight).write_to(&mut file, image::ImageFormat::Jpeg)?;
    Ok(file.into_inner())
}

/// What a finger might draw.
pub fn scrawl() -> Value {
    let points: Vec<i64> = (0..60_i64).flat_map(|n| [150 + n * 11, 200 + (n * n * 7 % 180) - 90]).collect();
    json!([points, [860, 320]])
}

/// Takes a step of a visit; the visit.
pub async fn step(api: &Client, visit: &str, body: &Value) -> Result<Value> {
    api.put(&format!("{visit}/steps/{}", uuid::Uuid::new_v4()), body).await
}

/// The digits on a gateway's page.
fn arrival_code(page: &str) -> Option<String> {
    let (_, rest) = page.split_once("class=\"code\">")?;
    let digits: String = rest.split('<').next()?.chars().filter(char::is_ascii_digit).collect();
    (digits.len() == 6).then_some(digits)
}

/// Opens the link of a page, as a person or a scanner of mail does; what it shows. Takes nothing.
pub async fn look_at(link: &str) -> Result<String> {
    let shown = anonymous()?.get(link).send().await?;
    if !shown.status().is_success() {
        bail!("looking at the link in the mail was answered {}", shown.status());
    }
    Ok(shown.text().await?)
}

/// Presses the button behind the link of a page: the ticket is taken.
pub async fn press(link: &str) -> Result<()> {
    let pressed = anonymous()?.post(link).send().await?.status();
    if !pressed.is_success() && !pressed.is_redirection() {
        bail!("pressing the button behind the link in the mail was answered {pressed}");
    }
    Ok(())
}

/// The link in a mail.
pub fn ack_link(text: &str) -> Option<String> {
    text.split(|c: char| c.is_whitespace() || "<>\"'()".contains(c))
        .find(|word| word.starts_with("http") && word.contains("/a/"))
        .map(str::to_owned)
}

fn pages(ticket: &Value) -> Vec<Value> {
    ticket["pages"].as_array().cloned().unwrap_or_default()
}

/// A text field, empty where there is none.
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or("")
}

/// Asks again and again until there is an answer, or for a minute and a half.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let looking = async {
        loop {
            if let Some(found) = look().await? {
                return anyhow::Ok(found);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    match tokio::time::timeout(PATIENCE, looking).await {
        Ok(found) => found.with_context(|| format!("while waiting for {what}")),
        Err(_) => bail!("{what}: not seen within {} s", PATIENCE.as_secs()),
    }
}

/// Prints one step with the time since the story began and the time of day.
pub fn say(began: Timestamp, step: &str) {
    let now = now();
    let zone = jiff::tz::TimeZone::system();
    let seconds = (now.as_millisecond() - began.as_millisecond()) as f64 / 1000.0;
    println!("  +{seconds:5.1} s  {}  {step}", now.to_zoned(zone).strftime("%H:%M:%S"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_are_found_on_a_page() {
        assert_eq!(arrival_code("<p class=\"code\">402 117</p>").as_deref(), Some("402117"));
        assert_eq!(arrival_code("<p>no key yet</p>"), None);
    }

    #[test]
    fn the_link_is_found_in_a_mail() {
        let mail = "Camera 3 is unreachable.\nTake it: http://127.0.0.1:8080/a/abc-_x\n";
        assert_eq!(ack_link(mail).as_deref(), Some("http://127.0.0.1:8080/a/abc-_x"));
        assert_eq!(ack_link("nothing here"), None);
    }
}
