//! Many faults raised at once, such as those of a switch and of all that hangs off it, or of many sites behind one power
//! cut: the same effects as one by one, in a few statements for all of them.

use std::collections::{BTreeMap, BTreeSet};

use sitewarden_proto::id::DeviceId;
use sitewarden_proto::wire::{Envelope, Event as Wire, Transition};

use super::devices::Own;
use super::read::Head;
use super::{Sender, effect, report};
use crate::app::Touched;
use crate::db::Conn;
use crate::device::store::{Event, many};
use crate::gateway;
use crate::incident::{self, cause};

/// Faults that several gateways have raised in one batch, each device once.
#[derive(Default)]
pub(super) struct Raises<'p> {
    senders: Vec<Sender<'p>>,
    /// Whose of the senders, the device, the record's number, what it says.
    told: Vec<(usize, DeviceId, i64, &'p Wire)>,
    devices: BTreeSet<&'p str>,
}

impl<'p> Raises<'p> {
    /// True when these records can be taken in together with others': all of them raise faults, on different devices
    /// that are in service and in no record that was taken in before.
    pub(super) fn fits(&self, own: &Own, records: &[(i64, &'p Wire)]) -> bool {
        let mut devices = BTreeSet::new();
        records.iter().all(|(_, event)| {
            event.transition() == Transition::Raised
                && own.get(&event.device_id) == Some(&true)
                && !self.devices.contains(event.device_id.as_str())
                && devices.insert(event.device_id.as_str())
        })
    }

    /// Takes records in that fit.
    pub(super) fn add(&mut self, sender: Sender<'p>, records: &[(i64, &'p Wire)]) {
        let place = self.senders.len();
        self.senders.push(sender);
        for (seq, event) in records {
            // It is a device in service, so its id is one.
            let Ok(device) = DeviceId::try_from(event.device_id.clone()) else { continue };
            self.devices.insert(&event.device_id);
            self.told.push((place, device, *seq, event));
        }
    }

    /// Applies them.
    pub(super) async fn apply(&self, conn: &mut Conn) -> sqlx::Result<Touched> {
        let told = self.told.iter().filter_map(|(place, device, seq, event)| {
            Some(report::told(self.senders.get(*place)?, device, *seq, event))
        });
        raised(conn, &told.collect::<Vec<_>>(), true).await
    }
}

/// The events of an envelope after `upto`, each with its number.
pub(super) fn new_events<'p>(head: &Head, envelope: &'p Envelope, upto: i64) -> Vec<(i64, &'p Wire)> {
    use sitewarden_proto::wire::envelope::Body;
    match &envelope.body {
        Some(Body::Events(batch)) => {
            (head.first..).zip(&batch.events).filter(|(seq, _)| *seq > upto).collect()
        }
        _ => Vec::new(),
    }
}

/// Applies faults that were raised on different devices, in the order in which they are told.
pub(super) async fn raised(conn: &mut Conn, events: &[Event<'_>], is_current: bool) -> sqlx::Result<Touched> {
    let Some(now) = events.first().map(|event| event.received_at) else { return Ok(Touched::default()) };
    let mut touched = Touched::default();
    many::insert_events(conn, events).await?;
    let ids: Vec<&str> = events.iter().map(|event| event.device.as_str()).collect();
    let mut standing = many::list_standing(conn, &ids).await?;
    let stands = |event: &Event<'_>| {
        standing.get(event.device.as_str()).is_some_and(|codes| codes.iter().any(|code| code == event.code))
    };
    let fresh: Vec<&Event<'_>> = events.iter().filter(|event| !stands(event)).collect();
    many::raise(conn, &fresh).await?;
    for event in &fresh {
        standing.entry(event.device.to_string()).or_default().push(event.code.to_owned());
    }
    for codes in standing.values_mut() {
        codes.sort_unstable();
    }
    let alone = incident::store::many::list_alone(conn, &ids).await?;
    let is_judged =
        |event: &Event<'_>| cause::is_silence(event.code) && !alone.contains(event.device.as_str());
    let gateways: BTreeSet<&str> = events.iter().map(|event| event.gateway.as_str()).collect();
    let sites = gateway::store::batch::list_sites(conn, &gateways).await?;
    let new: Vec<_> = fresh
        .iter()
        .filter_map(|event| {
            let site = sites.get(event.gateway.as_str())?;
            let new = effect::incident_of(event);
            Some(incident::store::many::Opening { site, new, is_judged: is_judged(event) })
        })
        .collect();
    let opened = incident::store::many::open(conn, &new, now).await?;
    for (opening, id) in new.iter().zip(&opened) {
        let Some(id) = id else { continue };
        touched.incidents.insert(id.clone());
        if !opening.is_judged {
            touched.add(effect::has_ticket(conn, id, &opening.new, now).await?);
        }
    }
    let reports: BTreeMap<_, _> = events.iter().map(|event| (event.device.as_str(), event.at)).collect();
    many::refresh_states(conn, &reports, &standing, is_current).await?;
    touched.devices.extend(ids.into_iter().map(str::to_owned));
    Ok(touched)
}
