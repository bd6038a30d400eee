//! Snapshots: lighttpd hands out pictures made here, behind its own Digest, good ones and broken ones.

use std::path::Path;

use image::{Rgb, RgbImage};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sitewarden_agent::clock::Clock;
use sitewarden_agent::picture::WARM_UP;
use sitewarden_agent::probe::OutcomeState::{Bad, Good, Rejected, Silent};
use sitewarden_agent::probe::{self, Context, Outcome};
use sitewarden_tests::peer::{Lighttpd, free_tcp_port};
use sitewarden_tests::sim::picture::{SIDE, change, jpeg, yard};

use super::{codes, device, value};

/// A camera that hands out one file after the other.
struct Camera {
    server: Lighttpd,
    context: Context,
    password: &'static str,
    more: String,
}

impl Camera {
    async fn new(folder: &Path) -> Self {
        let server = Lighttpd::start("SHA-256").await;
        let context = Context::new(Clock::system(), 4).unwrap().with_pictures(folder.to_owned());
        Self { server, context, password: Lighttpd::PASSWORD, more: String::new() }
    }

    async fn shows(&self, file: &[u8]) -> Outcome {
        self.server.put("private/picture", file);
        let device = device(&format!(
            "kind = \"picture\"\nport = {}\npath = \"/private/picture\"\nuser = \"{}\"\npassword = \"{}\"\n{}",
            self.server.port,
            Lighttpd::USER,
            self.password,
            self.more
        ));
        probe::run(&device, &device.checks[0], &self.context).await
    }

    async fn learns(&self) {
        for moment in 0..u64::from(WARM_UP) {
            let outcome = self.shows(&jpeg(&yard(1, moment))).await;
            assert_eq!((outcome.state, codes(&outcome)), (Good, vec![]), "{outcome:#?}");
        }
    }
}

#[tokio::test]
async fn each_way_in_which_a_picture_is_wrong_has_its_code_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let camera = Camera::new(folder.path()).await;
    camera.learns().await;
    let plain = |colour| RgbImage::from_pixel(SIDE.0, SIDE.1, Rgb(colour));
    let mut snow = StdRng::seed_from_u64(9);
    let good = || yard(1, 500);
    for (code, picture) in [
        ("picture_black", plain([3, 3, 3])),
        ("picture_covered", plain([90, 90, 90])),
        ("picture_solid_colour", plain([0, 0, 255])),
        ("picture_white", plain([252, 252, 252])),
        ("picture_noise", change(good(), |_, channel| channel + snow.random_range(-60.0..60.0))),
        ("picture_blurred", image::imageops::blur(&good(), 2.5)),
        ("picture_colour_cast", change(good(), |index, channel| channel + [60.0, 0.0, -60.0][index])),
        (
            "picture_low_contrast",
            change(good(), |index, channel| 130.0 + (channel - 120.0) * 0.3 + [-4.0, 0.0, 8.0][index]),
        ),
        ("picture_scene_changed", yard(2, 500)),
    ] {
        let outcome = camera.shows(&jpeg(&picture)).await;
        assert_eq!((outcome.state, codes(&outcome)), (Bad, vec![code]), "{outcome:?}");
        let proof = outcome.faults[0].evidence["picture_jpeg"].as_str().unwrap();
        assert!(proof.starts_with("/9j/") && proof.len() < 3_600, "{code}: {} characters", proof.len());
        // The next good picture clears it, and nothing of it was learned.
        let healed = camera.shows(&jpeg(&yard(1, 600 + proof.len() as u64))).await;
        assert_eq!((healed.state, codes(&healed)), (Good, vec![]), "after {code}: {healed:#?}");
    }
    let again = camera.shows(&jpeg(&yard(1, 700))).await;
    assert!(again.state == Good && value(&again, "edges") > 0.0);
    let frozen = camera.shows(&jpeg(&yard(1, 700))).await;
    assert_eq!((frozen.state, codes(&frozen)), (Bad, vec!["picture_frozen"]));
}

#[tokio::test]
async fn what_a_camera_has_shown_outlives_a_restart_and_can_be_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut camera = Camera::new(folder.path()).await;
    camera.learns().await;
    camera.context = Context::new(Clock::system(), 4).unwrap().with_pictures(folder.path().to_owned());
    let turned = camera.shows(&jpeg(&yard(2, 1))).await;
    assert_eq!((turned.state, codes(&turned)), (Bad, vec!["picture_scene_changed"]));
    // Somebody turned it on purpose.
    camera.more = "baseline = 2".to_owned();
    let turned = camera.shows(&jpeg(&yard(2, 2))).await;
    assert_eq!((turned.state, codes(&turned)), (Good, vec![]));

    // A file that somebody spoilt is as good as none.
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        std::fs::write(entry.unwrap().path(), b"{\"normal\":{\"Day\":{\"pictures\":99}}}").unwrap();
    }
    camera.context = Context::new(Clock::system(), 4).unwrap().with_pictures(folder.path().to_owned());
    camera.more.clear();
    assert_eq!(camera.shows(&jpeg(&yard(2, 3))).await.state, Good);
}

#[tokio::test]
async fn what_is_no_picture_leaves_unknown_what_the_camera_sees() {
    let folder = tempfile::tempdir().unwrap();
    let mut camera = Camera::new(folder.path()).await;
    let half = jpeg(&yard(1, 1));
    let page = b"<html><body>Please log in to see the picture of this camera.</body></html>".repeat(4);
    for file in [&[][..], &page, &half[..200], &vec![0xff; 9 << 20]] {
        let outcome = camera.shows(file).await;
        assert_eq!((outcome.state, codes(&outcome)), (Bad, vec!["picture_missing"]), "{} bytes", file.len());
    }
    camera.password = "wrong-password";
    let outcome = camera.shows(&half).await;
    assert_eq!((outcome.state, codes(&outcome)), (Rejected, vec!["http_auth_rejected"]));

    for (check, state, code) in [
        (
            format!("kind = \"picture\"\nport = {}\npath = \"/nothing\"", camera.server.port),
            Bad,
            "picture_missing",
        ),
        (format!("kind = \"picture\"\nport = {}\npath = \"/x\"", free_tcp_port()), Silent, "http_silent"),
    ] {
        let outcome = super::run(&check).await;
        assert_eq!((outcome.state, codes(&outcome)), (state, vec![code]), "{outcome:#?}");
    }
}
