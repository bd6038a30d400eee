//! The devices of gateways, remembered so that a block does not ask for them.
//!
//! A gateway's devices change only together with its configuration version, which is read with every batch:
//! what is remembered under another version is read anew. At most [`IDS_MAX`] devices are remembered; when
//! more come, all are forgotten and read again as they are needed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sitewarden_proto::id::GatewayId;

/// Names of devices over all gateways, about 100 bytes each.
const IDS_MAX: usize = 400_000;

/// A gateway's devices by id; false for those that were taken out of service.
pub type Own = HashMap<String, bool>;

/// The devices of gateways.
#[derive(Debug, Default)]
pub struct Devices(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    gateways: HashMap<GatewayId, (i64, Arc<Own>)>,
    ids: usize,
}

impl Devices {
    /// The devices of a gateway under a configuration version, if they are remembered.
    pub fn find(&self, gateway: &GatewayId, version: i64) -> Option<Arc<Own>> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, own) = inner.gateways.get(gateway)?;
        (*known == version).then(|| Arc::clone(own))
    }

    /// Remembers the devices of a gateway, read after its version was.
    pub fn keep(&self, gateway: &GatewayId, version: i64, own: Own) -> Arc<Own> {
        let own = Arc::new(own);
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.ids + own.len() > IDS_MAX {
            *inner = Inner::default();
        }
        inner.ids += own.len();
        let before = inner.gateways.insert(gateway.clone(), (version, Arc::clone(&own)));
        inner.ids -= before.map_or(0, |(_, own)| own.len());
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(count: usize) -> Own {
        (0..count).map(|number| (format!("d{number}"), true)).collect()
    }

    #[test]
    fn a_new_version_is_read_anew() {
        let (devices, gateway) = (Devices::default(), "gw-devices-1".parse::<GatewayId>().unwrap());
        devices.keep(&gateway, 3, own(2));
        assert_eq!(devices.find(&gateway, 3).unwrap().len(), 2);
        assert!(devices.find(&gateway, 4).is_none());
    }

    #[test]
    fn too_many_are_forgotten() {
        let devices = Devices::default();
        let gateway = |number: usize| format!("gw-devices-{number}").parse::<GatewayId>().unwrap();
        for number in 0..4 {
            devices.keep(&gateway(number), 1, own(IDS_MAX / 3));
            devices.keep(&gateway(number), 2, own(IDS_MAX / 3));
        }
        let inner = devices.0.lock().unwrap();
        assert_eq!(inner.ids, inner.gateways.values().map(|(_, own)| own.len()).sum::<usize>());
        assert!(inner.ids <= IDS_MAX);
        drop(inner);
        assert!(devices.find(&gateway(0), 2).is_none() && devices.find(&gateway(3), 2).is_some());
    }
}
