//! What switches show of who hangs on their ports: told when it changed, and now and then when it did not, so that
//! "seen three minutes ago" stays true without telling the same again and again.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use prost::Message;
use sitewarden_proto::id::DeviceId;
use sitewarden_proto::limits::RECORD_MAX;
use sitewarden_proto::wire::{DiscoveredDevices, SwitchView};

use super::Core;
use crate::clock::after;
use crate::session::RecordKind;

/// An unchanged view is told again after this.
const AGAIN: Duration = Duration::from_mins(15);

/// What was told last, of each switch.
#[derive(Debug, Default)]
pub(super) struct Sights(BTreeMap<DeviceId, (Timestamp, SwitchView)>);

impl Core {
    pub(super) fn record_view(&mut self, now: Timestamp, device: &DeviceId, view: Option<Box<SwitchView>>) {
        let Some(view) = view else { return };
        let told = self.sights.0.get(device);
        if told.is_some_and(|(at, told)| *told == *view && after(*at, AGAIN) > now) {
            return;
        }
        // Devices that left the configuration are forgotten with the next change.
        let known: Vec<DeviceId> = self.desired.devices().iter().map(|device| device.id.clone()).collect();
        self.sights.0.retain(|id, _| known.contains(id));
        self.sights.0.insert(device.clone(), (now, (*view).clone()));
        let mut view = SwitchView { device_id: device.to_string(), at_ms: now.as_millisecond(), ..*view };
        while view.encoded_len() > RECORD_MAX {
            view.truncated = true;
            view.ports.pop();
            view.arp.truncate(view.arp.len() / 2);
        }
        let found = DiscoveredDevices { devices: Vec::new(), switches: vec![view] };
        self.record(now, RecordKind::Discovered, found.encode_to_vec());
    }
}
