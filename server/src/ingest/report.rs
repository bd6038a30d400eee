//! What each kind of report does to the record.

use std::collections::BTreeSet;

use sitewarden_proto::id::DeviceId;
use sitewarden_proto::wire::envelope::Body;
use sitewarden_proto::wire::reported_config::Status;
use sitewarden_proto::wire::{Envelope, Event, Gap, Transition};

use super::batch::Done;
use super::devices::Own;
use super::{Sender, effect};
use crate::app::Touched;
use crate::db::Conn;
use crate::{device, gateway, history};

/// Applies the records of an envelope after `upto`. `own` are the sender's devices.
pub(super) async fn apply(
    conn: &mut Conn,
    done: &mut Done,
    sender: &Sender<'_>,
    own: &Own,
    envelope: &Envelope,
    first: i64,
    upto: i64,
) -> sqlx::Result<Touched> {
    match &envelope.body {
        Some(Body::Events(batch)) => {
            let mut touched = Touched::default();
            for (seq, event) in (first..).zip(&batch.events) {
                if seq <= upto {
                    continue;
                }
                match own.get(&event.device_id) {
                    Some(in_service) => {
                        touched.add(one_event(conn, sender, seq, event, *in_service).await?);
                        done.count("event", 1);
                    }
                    None => done.turn_away("foreign_device", 1),
                }
            }
            Ok(touched)
        }
        Some(Body::CommandResult(result)) => {
            gateway::command::record_result(conn, sender.id, result, sender.now).await?;
            done.count("command_result", 1);
            Ok(Touched::default())
        }
        Some(Body::ReportedConfig(report)) => {
            let status = match report.status() {
                Status::Applied => "applied",
                Status::Rejected => "rejected",
                Status::Reverted => "reverted",
                Status::Unspecified => "unknown",
            };
            gateway::store::record_config(conn, sender.id, report.version, status, &report.error).await?;
            done.count("config", 1);
            Ok(Touched { gateways: BTreeSet::from([sender.id.to_string()]), ..Touched::default() })
        }
        Some(Body::Gap(gap)) => {
            // What is committed already is not lost: a gap may have grown over it before it was acknowledged.
            let gap = Gap { from_seq: gap.from_seq.max(upto.unsigned_abs() + 1), ..*gap };
            record_gap(conn, sender, &gap).await?;
            done.count("gap", gap.to_seq.saturating_sub(gap.from_seq).saturating_add(1));
            Ok(Touched::default())
        }
        Some(Body::Discovered(_)) => {
            done.count("discovered", 1);
            Ok(Touched::default())
        }
        // Blocks are stored as they came, by their batch; an envelope without a body is not read.
        Some(Body::Metrics(_)) | None => Ok(Touched::default()),
    }
}

/// One change of a device. A device that was taken out of service meanwhile keeps its history; nothing is raised.
async fn one_event(
    conn: &mut Conn,
    sender: &Sender<'_>,
    seq: i64,
    wire: &Event,
    in_service: bool,
) -> sqlx::Result<Touched> {
    let Ok(id) = DeviceId::try_from(wire.device_id.clone()) else { return Ok(Touched::default()) };
    let transition = Transition::try_from(wire.transition).unwrap_or(Transition::Unspecified);
    let at = sender.time(wire.at_ms).unwrap_or(sender.now);
    let evidence = if serde_json::from_str::<serde_json::Value>(&wire.evidence_json).is_ok() {
        wire.evidence_json.as_str()
    } else {
        "{}"
    };
    let event = device::store::Event {
        device: &id,
        gateway: sender.id,
        epoch: &sender.epoch,
        seq,
        code: &wire.fault_code,
        transition: word(transition),
        check: &wire.check,
        evidence,
        at,
        last_good_at: sender.time(wire.last_good_at_ms),
        first_bad_at: sender.time(wire.first_bad_at_ms),
        received_at: sender.now,
        clock_offset_ms: sender.offset_ms,
    };
    device::store::insert_event(conn, &event).await?;
    if !in_service {
        return Ok(Touched::default());
    }
    device::store::set_known(conn, id.as_str(), at).await?;
    let mut touched = match transition {
        Transition::Raised => effect::fault_raised(conn, &event).await?,
        Transition::Cleared => {
            effect::fault_cleared(conn, sender.id, id.as_str(), event.code, at, sender.now).await?
        }
        Transition::FlapBegan | Transition::FlapEnded => {
            device::store::set_flapping(conn, id.as_str(), event.code, transition == Transition::FlapBegan)
                .await?;
            Touched::default()
        }
        Transition::Baseline => {
            let mut touched = Touched::default();
            for fault in device::store::list_faults(conn, id.as_str()).await? {
                touched.add(
                    effect::fault_cleared(conn, sender.id, id.as_str(), &fault.code, at, sender.now).await?,
                );
            }
            touched
        }
        Transition::Unspecified => Touched::default(),
    };
    device::store::refresh_state(conn, id.as_str(), sender.current, at).await?;
    touched.devices.insert(id.to_string());
    Ok(touched)
}

fn word(transition: Transition) -> &'static str {
    match transition {
        Transition::Raised => "raised",
        Transition::Cleared => "cleared",
        Transition::FlapBegan => "flap_began",
        Transition::FlapEnded => "flap_ended",
        Transition::Baseline => "baseline",
        Transition::Unspecified => "unknown",
    }
}

async fn record_gap(conn: &mut Conn, sender: &Sender<'_>, gap: &Gap) -> sqlx::Result<()> {
    use sitewarden_proto::wire::gap::Reason;
    let reason = match Reason::try_from(gap.reason).unwrap_or(Reason::Unspecified) {
        Reason::QueueFull => "queue_full",
        Reason::TooOld => "too_old",
        Reason::Corrupt => "corrupt",
        Reason::AlreadyDeleted => "already_deleted",
        Reason::Refused => "refused",
        Reason::Unspecified => "unknown",
    };
    let number = |seq| i64::try_from(seq).unwrap_or(i64::MAX);
    history::store::insert_gap(conn, sender, number(gap.from_seq), number(gap.to_seq), reason).await
}
