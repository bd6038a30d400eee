//! What the live page is made of. Times are Unix milliseconds.

use serde::Serialize;
use utoipa::ToSchema;

use crate::incident::api::Incident;
use crate::ticket::api::Ticket;
use crate::user::Scope;

/// Everything the live page shows, as far as its viewer may see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Board {
    /// When it was read.
    pub at: i64,
    /// The number of the last delta that is contained in it.
    pub seq: u64,
    /// The strip on top.
    pub counts: Counts,
    /// Every site with its gateways and devices, by name.
    pub sites: Vec<BoardSite>,
    /// The incidents that stand and are causes of their own, as far as it is known, newest first.
    pub incidents: Vec<Incident>,
    /// The ids of those that stand under a cause, newest first.
    pub symptoms: Vec<String>,
    /// The tickets that are not closed, highest number first.
    pub tickets: Vec<Ticket>,
    /// The latest events, newest first, 20 at most.
    pub latest: Vec<Latest>,
}

/// The strip on top.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Counts {
    /// Sites.
    pub sites: usize,
    /// Devices.
    pub devices: usize,
    /// Devices by state.
    pub by_state: ByState,
    /// Incidents that stand.
    pub incidents_open: i64,
    /// Tickets that are not closed.
    pub tickets_open: i64,
    /// Tickets that nobody has taken.
    pub tickets_unacked: i64,
    /// Gateways that are not revoked.
    pub gateways: usize,
    /// Gateways that report.
    pub gateways_online: usize,
    /// Sites for which nobody would be paged.
    pub leads_to_nobody: usize,
}

/// A number of devices by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ByState {
    /// Fine.
    pub ok: usize,
    /// Working in part.
    pub degraded: usize,
    /// Not working.
    pub down: usize,
    /// Nobody can say.
    pub unknown: usize,
    /// In a maintenance window.
    pub maintenance: usize,
}

/// One site on the live page.
#[derive(Debug, Serialize, ToSchema)]
pub struct BoardSite {
    /// Names it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its name in Chinese; may be empty.
    pub name_zh: String,
    /// Whose.
    pub customer_id: String,
    /// IANA time zone.
    pub zone: String,
    /// The worst state of its devices.
    pub worst: String,
    /// Its devices by state.
    pub counts: ByState,
    /// True when nobody would be paged for it.
    pub leads_to_nobody: bool,
    /// Its gateways.
    pub gateway: Vec<BoardGateway>,
    /// Its devices, each as `[id, name, class, state, state_since, parent_id or null, position]`.
    #[schema(value_type = Vec<Vec<serde_json::Value>>)]
    pub devices: Vec<BoardDevice>,
}

/// A device in a snapshot; an array keeps ten thousand of them small.
pub type BoardDevice = (String, String, String, String, i64, Option<String>, i64);

/// A gateway on the live page.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BoardGateway {
    /// Names it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `never`, `online`, `suspect`, `silent` or `revoked`.
    pub state: String,
    /// Since when.
    pub state_since: i64,
    /// When it was last heard.
    pub last_heard_at: Option<i64>,
}

/// One of the latest events.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Latest {
    /// Names the event.
    pub id: String,
    /// When it happened.
    pub at: i64,
    /// Where.
    pub site_id: String,
    /// On which device.
    pub device_id: String,
    /// The fault code whose title says what.
    pub text_code: String,
    /// `raised` or `cleared`, and what else a gateway reports.
    pub transition: String,
    /// The device's name.
    pub name: String,
}

/// A device's new state.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceDelta {
    /// Names it.
    pub id: String,
    /// Where.
    pub site_id: String,
    /// Its state.
    pub state: String,
    /// Since when.
    pub state_since: i64,
}

/// A gateway's new state.
#[derive(Debug, Serialize, ToSchema)]
pub struct GatewayDelta {
    /// Names it.
    pub id: String,
    /// Where.
    pub site_id: String,
    /// Its state.
    pub state: String,
    /// Since when.
    pub state_since: i64,
    /// When it was last heard.
    pub last_heard_at: Option<i64>,
}

/// A symptom as a delta tells it, in a list to keep it short, for a storm has thousands: its id, its device, its ticket,
/// and whether it is over.
pub type SymptomDelta = (String, Option<String>, Option<String>, bool);

/// What changed, each row with the customer it belongs to.
#[derive(Debug, Default)]
pub struct Delta {
    /// When it was read.
    pub at: i64,
    /// Devices.
    pub devices: Vec<(String, DeviceDelta)>,
    /// Gateways.
    pub gateways: Vec<(String, GatewayDelta)>,
    /// Incidents that are causes of their own, as far as it is known.
    pub incidents: Vec<(String, Incident)>,
    /// Incidents under a cause.
    pub symptoms: Vec<(String, SymptomDelta)>,
    /// Tickets.
    pub tickets: Vec<(String, Ticket)>,
    /// Events.
    pub latest: Vec<(String, Latest)>,
    /// Fingerprints of the devices and gateways in it; not sent.
    pub shapes: Vec<(String, u64)>,
}

/// The part of a delta that one viewer may see.
#[derive(Serialize)]
struct Seen<'a> {
    seq: u64,
    at: i64,
    devices: Vec<&'a DeviceDelta>,
    gateways: Vec<&'a GatewayDelta>,
    incidents: Vec<&'a Incident>,
    symptoms: Vec<&'a SymptomDelta>,
    tickets: Vec<&'a Ticket>,
    latest: Vec<&'a Latest>,
}

impl Delta {
    /// Whether anything in it belongs to `customer`.
    pub fn concerns(&self, customer: &str) -> bool {
        fn any<T>(rows: &[(String, T)], customer: &str) -> bool {
            rows.iter().any(|(owner, _)| owner == customer)
        }
        any(&self.devices, customer)
            || any(&self.gateways, customer)
            || any(&self.incidents, customer)
            || any(&self.symptoms, customer)
            || any(&self.tickets, customer)
            || any(&self.latest, customer)
    }

    /// What a viewer may see of it.
    pub fn json(&self, scope: &Scope, seq: u64) -> String {
        fn part<'a, T>(rows: &'a [(String, T)], scope: &Scope) -> Vec<&'a T> {
            rows.iter().filter(|(owner, _)| scope.covers(owner)).map(|(_, row)| row).collect()
        }
        let seen = Seen {
            seq,
            at: self.at,
            devices: part(&self.devices, scope),
            gateways: part(&self.gateways, scope),
            incidents: part(&self.incidents, scope),
            symptoms: part(&self.symptoms, scope),
            tickets: part(&self.tickets, scope),
            latest: part(&self.latest, scope),
        };
        serde_json::to_string(&seen).unwrap_or_default()
    }
}

impl ByState {
    /// Counts one device.
    pub fn add(&mut self, state: &str) {
        match state {
            "ok" => self.ok += 1,
            "degraded" => self.degraded += 1,
            "down" => self.down += 1,
            "maintenance" => self.maintenance += 1,
            // A state of a newer release is not known here.
            _ => self.unknown += 1,
        }
    }

    /// Counts all of `other`.
    pub fn add_all(&mut self, other: Self) {
        self.ok += other.ok;
        self.degraded += other.degraded;
        self.down += other.down;
        self.unknown += other.unknown;
        self.maintenance += other.maintenance;
    }

    /// The worst state that at least one device has.
    pub fn worst(self) -> &'static str {
        let order = [
            ("down", self.down),
            ("degraded", self.degraded),
            ("unknown", self.unknown),
            ("maintenance", self.maintenance),
        ];
        order.into_iter().find(|(_, count)| *count > 0).map_or("ok", |(state, _)| state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(customer: &str, id: &str) -> (String, DeviceDelta) {
        let row = DeviceDelta { id: id.into(), site_id: "s".into(), state: "down".into(), state_since: 1 };
        (customer.into(), row)
    }

    #[test]
    fn a_delta_shows_each_viewer_its_own_rows() {
        let delta = Delta { devices: vec![change("a", "cam-a"), change("b", "cam-b")], ..Delta::default() };
        let own = Scope::Customer("a".into());
        assert!(delta.concerns("a") && !delta.concerns("c"));
        let json = delta.json(&own, 7);
        assert!(json.contains("cam-a") && !json.contains("cam-b") && json.contains("\"seq\":7"), "{json}");
        assert!(delta.json(&Scope::All, 7).contains("cam-b"));
    }

    #[test]
    fn the_worst_state_names_a_site() {
        let mut states = ByState::default();
        assert_eq!(states.worst(), "ok");
        for (state, worst) in
            [("ok", "ok"), ("unknown", "unknown"), ("degraded", "degraded"), ("down", "down")]
        {
            states.add(state);
            assert_eq!(states.worst(), worst);
        }
    }
}
