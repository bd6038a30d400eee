//! A simulated site: devices that answer the real protocols on loopback and break on command.
//!
//! Each device has its own address out of 127.0.0.0/8 (Linux answers on all of it), so a device is
//! unplugged by closing its sockets and nothing else of the machine is touched. [`plan`] says which
//! devices a site has and how they are checked, [`device`] is one of them with what is wrong with it,
//! the protocol files answer, [`panel`] is where a person breaks things, and [`sink`] receives the
//! pages that the server sends.

mod clock;
pub mod demo;
pub mod device;
pub mod digest;
mod face;
pub mod ntp;
pub mod onvif;
pub mod panel;
pub mod picture;
pub mod plan;
pub mod rtsp;
pub mod sink;
pub mod smtp;
pub mod snmp;
mod switch;
pub mod trouble;
pub mod web;

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde::Serialize;
use tokio::task::JoinSet;

use device::Device;
use plan::Plan;
use sink::Sink;
use trouble::Trouble;

/// A running site. Dropping it unplugs everything.
#[derive(Debug)]
pub struct Site {
    devices: Vec<Arc<Device>>,
    sink: Arc<Sink>,
    tasks: JoinSet<()>,
}

/// What a program needs to know to watch a site: one JSON line on standard output.
#[derive(Debug, Serialize)]
pub struct Announcement {
    /// Where a person breaks things, `http://host:port/`.
    pub panel: String,
    /// Where webhook pages may be sent.
    pub webhook: String,
    /// Where mail may be sent by SMTP, `host:port`, without TLS or login.
    pub smtp: String,
    /// Every device, parents before children.
    pub devices: Vec<Listing>,
}

/// A device as it would be registered.
#[derive(Clone, Debug, Serialize)]
pub struct Listing {
    /// The simulator's own name of it, `cam-3`.
    pub id: String,
    /// For people.
    pub name: String,
    /// The device class of the device file.
    pub class: &'static str,
    /// A loopback address.
    pub address: Ipv4Addr,
    /// The simulator's id of the device it hangs off.
    pub parent: Option<String>,
    /// Where it hangs.
    pub place: String,
    /// What is printed on its label.
    pub model: &'static str,
    /// `[[check]]` tables in TOML.
    pub checks: String,
}

impl Site {
    /// Opens every socket of every device of `plan`; fails if one of them is taken.
    pub async fn start(plan: &Plan) -> Result<Self> {
        let devices: Vec<Arc<Device>> =
            plan.blueprints().into_iter().map(|blueprint| Arc::new(Device::new(blueprint))).collect();
        let mut tasks = JoinSet::new();
        for device in &devices {
            for service in device.services() {
                let open = device.open(service, &device.setup()).await.with_context(|| {
                    format!(
                        "the simulated device {} cannot listen on {}:{}; choose another --network",
                        device.id(),
                        device.address(),
                        service.port()
                    )
                })?;
                tasks.spawn(Arc::clone(device).keep(service.clone(), open));
            }
        }
        Ok(Self { devices, sink: Arc::new(Sink::default()), tasks })
    }

    /// The devices, parents before children.
    pub fn devices(&self) -> &[Arc<Device>] {
        &self.devices
    }

    /// One device by the simulator's id.
    pub fn device(&self, id: &str) -> Option<&Arc<Device>> {
        self.devices.iter().find(|device| device.id() == id)
    }

    /// Where pages arrive.
    pub fn sink(&self) -> &Arc<Sink> {
        &self.sink
    }

    /// How many service tasks run; for the panel's foot line.
    pub fn services(&self) -> usize {
        self.tasks.len()
    }

    /// Breaks a device. What hangs off an unplugged device is cut off with it, and a switch whose
    /// port is down cuts off the first device behind it.
    ///
    /// Fails when there is no such device or it cannot fail that way.
    pub fn break_device(&self, id: &str, trouble: Trouble) -> Result<()> {
        let device = self.device(id).with_context(|| format!("there is no device `{id}`"))?;
        device.add(trouble)?;
        self.spread();
        Ok(())
    }

    /// Takes every trouble off a device.
    pub fn mend_device(&self, id: &str) -> Result<()> {
        let device = self.device(id).with_context(|| format!("there is no device `{id}`"))?;
        device.mend();
        self.spread();
        Ok(())
    }

    /// Works out, parents first, who is cut off by whom.
    fn spread(&self) {
        for device in &self.devices {
            let cut = device.parent().and_then(|id| self.device(id)).is_some_and(|parent| {
                let first = self.devices.iter().find(|child| child.parent() == Some(parent.id()));
                parent.is_off()
                    || (parent.troubles().into_iter().any(Trouble::cuts_first_port)
                        && first.is_some_and(|first| first.id() == device.id()))
            });
            device.cut_off(cut);
        }
        for device in &self.devices {
            let ports = self.devices.iter().filter(|child| child.parent() == Some(device.id()));
            device.set_links(ports.map(|child| !child.is_off()).collect());
        }
    }

    /// Every device as it would be registered, parents before children.
    pub fn listings(&self) -> Vec<Listing> {
        self.devices.iter().map(|device| device.listing()).collect()
    }
}
