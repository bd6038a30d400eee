//! The audit of the pager: what keeps people from being paged is looked for before somebody has to be. What is open
//! is looked at every minute, what is set up every ten, and the devices that lead to nobody once a night; what is
//! wrong, more often.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::db::Conn;
use crate::escalation::finding::{Finding, Kind};
use crate::escalation::plan::{Target, Trouble};
use crate::escalation::store::finding::{self, Place};
use crate::escalation::store::{people, plan as plans, zone};
use crate::rota;
use crate::user::store::contact;

const OPEN_EVERY: SignedDuration = SignedDuration::from_mins(1);
const SET_UP_EVERY: SignedDuration = SignedDuration::from_mins(10);
/// The hour at which the devices are gone through, where most of them stand.
const NIGHT: (&str, i8) = ("Asia/Shanghai", 2);

/// When what is looked at next.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    open: Option<Timestamp>,
    set_up: Option<Timestamp>,
    devices: Option<Timestamp>,
}

impl Watch {
    /// Whether there is something to look at.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.open.is_none_or(|due| now >= due)
    }

    /// Looks at what is due. It asks some things for each site and may take seconds on a large installation, so it only
    /// reads; what it found is written by [`Watch::record`].
    pub async fn look(&self, conn: &mut Conn, now: Timestamp) -> sqlx::Result<Looked> {
        let is_due = |due: Option<Timestamp>| due.is_none_or(|due| now >= due);
        let mut looked = Looked { open: finding::list_open(conn, now).await?, set_up: None, devices: None };
        if is_due(self.set_up) {
            looked.set_up = Some(set_up(conn, now).await?);
        }
        if is_due(self.devices) {
            looked.devices = Some(devices(conn, now).await?);
        }
        Ok(looked)
    }

    /// Writes what was found, says whether all is well as far as it is known, and when to look again.
    pub async fn record(&mut self, conn: &mut Conn, looked: &Looked, now: Timestamp) -> sqlx::Result<()> {
        let after = |every| now.checked_add(every).ok();
        finding::replace(conn, &Kind::OPEN, &looked.open, now).await?;
        if let Some(found) = &looked.set_up {
            finding::replace(conn, &Kind::SET_UP, found, now).await?;
            // What is wrong is looked at again soon: once it is mended the heartbeat leaves.
            self.set_up = after(if found.is_empty() { SET_UP_EVERY } else { OPEN_EVERY });
        }
        if let Some(found) = &looked.devices {
            finding::replace(conn, &[Kind::DeviceToNobody], found, now).await?;
            self.devices = if found.is_empty() { next_night(now) } else { after(SET_UP_EVERY) };
        }
        let passed = finding::count(conn).await?.is_empty();
        finding::set_audited(conn, passed, now).await?;
        self.open = after(OPEN_EVERY);
        Ok(())
    }
}

/// What was found; None was not due.
#[derive(Debug)]
pub struct Looked {
    open: Vec<Finding>,
    set_up: Option<Vec<Finding>>,
    devices: Option<Vec<Finding>>,
}

fn next_night(now: Timestamp) -> Option<Timestamp> {
    let zone = TimeZone::get(NIGHT.0).unwrap_or(TimeZone::UTC);
    let night =
        now.to_zoned(zone).with().hour(NIGHT.1).minute(0).second(0).subsec_nanosecond(0).build().ok()?;
    let next = if night.timestamp() > now { night } else { night.tomorrow().ok()? };
    Some(next.timestamp())
}

async fn set_up(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<Finding>> {
    let mut found = finding::list_failed_ways(conn).await?;
    found.extend(finding::list_gone_ways(conn).await?);
    found.extend(finding::list_contracts_without_rota(conn).await?);
    found.extend(contact::list_push_alone(conn).await?.into_iter().map(|(account, name)| Finding {
        kind: Kind::PushAlone,
        subject: account,
        label: name,
        detail: String::new(),
    }));
    for place in finding::list_sites(conn).await? {
        if !leads_to_somebody(conn, &place, now).await? {
            found.push(Finding {
                kind: Kind::SiteToNobody,
                subject: place.site_id,
                label: place.site,
                detail: String::new(),
            });
        }
    }
    for gap in rota::store::list_gaps(conn, now).await? {
        found.push(Finding {
            kind: Kind::RotaGap,
            subject: format!("{}/{}/{}", gap.rota_id, gap.layer, gap.from.as_millisecond()),
            label: gap.rota,
            detail: format!("{} – {}", gap.from, gap.to),
        });
    }
    Ok(found)
}

async fn devices(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<Finding>> {
    let mut found = Vec::new();
    for place in finding::list_classes(conn).await? {
        if !leads_to_somebody(conn, &place, now).await? {
            found.push(Finding {
                kind: Kind::DeviceToNobody,
                subject: format!("{}/{}", place.site_id, place.class),
                label: place.site,
                detail: format!("{} × {}", place.devices, place.class),
            });
        }
    }
    Ok(found)
}

/// Whether the gravest trouble at a place would page somebody before the administrators.
async fn leads_to_somebody(conn: &mut Conn, place: &Place, now: Timestamp) -> sqlx::Result<bool> {
    let trouble = Trouble {
        severity: "critical".to_owned(),
        class: place.class.clone(),
        customer_id: place.customer_id.clone(),
        site_id: place.site_id.clone(),
        zone: zone(&place.zone),
    };
    let plan = plans::applies(conn, &trouble, now).await?.plan;
    let manager = [Target::Manager {}];
    let steps = plan.steps.iter().map(|step| &step.targets[..]);
    for targets in steps.chain(plan.answer_s.map(|_| &manager[..])) {
        let people = people::resolve(conn, targets, &place.site_id, now).await?;
        if people.iter().any(people::Person::is_reachable) {
            return Ok(true);
        }
    }
    Ok(false)
}
