//! A door controller of Hikvision in its own JSON: 126 entries for two doors, as the firmware of real ones gives them.

use super::isapi::{Bodies, Device};
use jiff::Timestamp;

/// A controller as it stands; the rest of it is a device like any other.
#[derive(Clone, Debug)]
pub struct Controller {
    /// What it is.
    pub device: Device,
    /// Names of its doors.
    pub doors: Vec<&'static str>,
    /// `doorLockStatus`: 0 holds, 1 is open.
    pub locks: Vec<u8>,
    /// `magneticStatus`: 0 closed, 1 open.
    pub contacts: Vec<u8>,
    /// `doorStatus`: 2 stays open, 4 ordinary.
    pub modes: Vec<u8>,
    /// `cardReaderOnlineStatus`, as JSON.
    pub readers: &'static str,
    /// `powerSupplyStatus`.
    pub supply: &'static str,
    /// `batteryVoltage`, tenths of a volt.
    pub battery: u16,
    /// `hostAntiDismantleStatus`.
    pub case: &'static str,
    /// `fireAlarmStatus`.
    pub fire: &'static str,
}

impl Controller {
    /// One of two doors, in order.
    pub fn new(now: Timestamp) -> Self {
        let mut device = Device::recorder(now);
        (device.sort, device.model, device.disks, device.channels) =
            ("ACS", "DS-K2702WX", Vec::new(), Vec::new());
        "DS-K2702WX20230101V010704CNFA1234567".clone_into(&mut device.serial);
        let doors = vec!["大门", "Server room"];
        let (locks, contacts, modes) = (vec![0; 2], vec![0; 2], vec![4; 2]);
        let (readers, supply, battery, case, fire) = ("[1, 2]", "ACPowerSupply", 136, "close", "normal");
        Self { device, doors, locks, contacts, modes, readers, supply, battery, case, fire }
    }

    /// Everything it answers.
    pub fn bodies(&self, now: Timestamp) -> Bodies {
        let wanted = ["Security/userCheck", "System/deviceInfo", "System/status", "System/time"];
        let mut bodies = self.device.bodies(now);
        bodies.retain(|(path, _)| wanted.contains(&path.as_str()));
        let long = |told: &[u8], rest: u8| {
            let all: Vec<String> = told
                .iter()
                .copied()
                .chain(std::iter::repeat(rest))
                .take(126)
                .map(|one| one.to_string())
                .collect();
            format!("[{}]", all.join(", "))
        };
        bodies.push((
            "AccessControl/AcsWorkStatus".to_owned(),
            format!(
                "{{\"AcsWorkStatus\": {{\"doorLockStatus\": {}, \"doorStatus\": {}, \"magneticStatus\": {}, \"caseStatus\": [0, 0], \
                 \"batteryVoltage\": {}, \"batteryLowVoltage\": false, \"powerSupplyStatus\": \"{}\", \"multiDoorInterlockStatus\": \"close\", \
                 \"antiSneakStatus\": \"close\", \"hostAntiDismantleStatus\": \"{}\", \"indicatorLightStatus\": \"offLine\", \
                 \"cardReaderOnlineStatus\": {}, \"cardReaderAntiDismantleStatus\": [0, 0], \"cardReaderVerifyMode\": [3, 3], \
                 \"setupAlarmStatus\": [], \"alarmInStatus\": [], \"alarmOutStatus\": [0], \"cardNum\": 12, \"fireAlarmStatus\": \"{}\"}}}}",
                long(&self.locks, 0),
                long(&self.modes, 4),
                long(&self.contacts, 1),
                self.battery,
                self.supply,
                self.case,
                self.readers,
                self.fire
            ),
        ));
        for (index, name) in self.doors.iter().enumerate() {
            let body = format!(
                "<DoorParam version=\"2.0\"><doorNo>{}</doorNo><doorName>{name}</doorName><openDuration>5</openDuration></DoorParam>",
                index + 1
            );
            bodies.push((format!("AccessControl/Door/param/{}", index + 1), body));
        }
        bodies
    }
}
