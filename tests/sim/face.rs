//! What a simulated recorder, camera or door controller says of itself over ISAPI: the bodies of the field, each trouble a switch.

use super::clock::now;
use super::device::{CLOCK_ERROR, Device};
use super::trouble::Trouble;
use crate::field::doors::Controller;
use crate::field::isapi::{self, Bodies};

/// Everything it answers at this moment; None for a device that has no such interface.
pub fn bodies(device: &Device) -> Option<Bodies> {
    let now = now();
    let uptime_s = device.uptime_ms().max(0).unsigned_abs() / 1_000;
    let serial = device.serial();
    match device.blueprint().class {
        "nvr" => {
            let mut recorder = isapi::Device { serial, uptime_s, ..isapi::Device::recorder(now) };
            if device.has(Trouble::Disk) {
                recorder.disks[1].status = "error";
            }
            if device.has(Trouble::Channel) {
                (recorder.channels[2].online, recorder.channels[2].why) = (false, "netError");
                recorder.channels[2].records = false;
            }
            if device.has(Trouble::Recording) {
                recorder.channels[0].records = false;
            }
            if device.has(Trouble::Schedule) {
                (recorder.channels[3].scheduled, recorder.channels[3].records) = (false, false);
            }
            if device.has(Trouble::Clock) {
                recorder.ahead_s = CLOCK_ERROR.as_secs().cast_signed();
            }
            Some(recorder.bodies(now))
        }
        "camera" => {
            let mut camera = isapi::Device { serial, uptime_s, ..isapi::Device::camera(now) };
            camera.model = device.blueprint().model;
            if device.has(Trouble::Clock) {
                camera.ahead_s = CLOCK_ERROR.as_secs().cast_signed();
            }
            Some(camera.bodies(now))
        }
        "access" => {
            let mut controller = Controller::new(now);
            (controller.device.uptime_s, controller.device.serial) = (uptime_s, serial);
            if device.has(Trouble::Battery) {
                (controller.supply, controller.battery) = ("BatteryPowerSupply", 124);
            }
            if device.has(Trouble::Tamper) {
                controller.case = "open";
            }
            if device.has(Trouble::Reader) {
                controller.readers = "[1]";
            }
            if device.has(Trouble::Ajar) {
                controller.contacts[1] = 1;
            }
            if device.has(Trouble::Fire) {
                controller.fire = "break";
            }
            Some(controller.bodies(now))
        }
        _ => None,
    }
}
