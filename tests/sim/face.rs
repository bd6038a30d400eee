//! What a simulated recorder or door controller says of itself over ISAPI: the bodies of the field, each trouble a switch.

use super::clock::now;
use super::device::{Device, Trouble};
use crate::field::doors::Controller;
use crate::field::isapi::{self, Bodies};

/// Everything it answers at this moment; None for a device that has no such interface.
pub fn bodies(device: &Device) -> Option<Bodies> {
    let now = now();
    let uptime_s = device.uptime_ms().max(0).unsigned_abs() / 1_000;
    let serial = format!("SIM{:08X}", u32::from(device.address()));
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
            Some(recorder.bodies(now))
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
            Some(controller.bodies(now))
        }
        _ => None,
    }
}
