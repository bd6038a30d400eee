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
use crate::{device, gateway, history, remedy};

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
            let mut run: Vec<(i64, &Event)> = Vec::new();
            for (seq, event) in (first..).zip(&batch.events) {
                if seq <= upto {
                    continue;
                }
                let Some(in_service) = own.get(&event.device_id) else {
                    done.turn_away("foreign_device", 1);
                    continue;
                };
                done.count("event", 1);
                let is_raise = *in_service && event.transition() == Transition::Raised;
                if !is_raise || run.iter().any(|(_, other)| other.device_id == event.device_id) {
                    touched.add(raises(conn, sender, &std::mem::take(&mut run)).await?);
                }
                if is_raise {
                    run.push((seq, event));
                } else {
                    touched.add(one_event(conn, sender, seq, event, *in_service).await?);
                }
            }
            touched.add(raises(conn, sender, &run).await?);
            Ok(touched)
        }
        Some(Body::CommandResult(result)) => {
            done.count("command_result", 1);
            if !gateway::command::record_result(conn, sender.id, result, sender.now).await? {
                return Ok(Touched::default());
            }
            let at = sender.time(result.at_ms).unwrap_or(sender.now);
            remedy::step::answer::answered(conn, &result.command_id, at, sender.now).await
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
        Some(Body::Discovered(found)) => {
            done.count("discovered", 1);
            super::topology::apply(conn, done, sender, own, found).await
        }
        // Blocks are stored as they came, by their batch; an envelope without a body is not read.
        Some(Body::Metrics(_)) | None => Ok(Touched::default()),
    }
}

/// Faults raised one after the other on different devices in service.
async fn raises(conn: &mut Conn, sender: &Sender<'_>, run: &[(i64, &Event)]) -> sqlx::Result<Touched> {
    match run {
        [] => Ok(Touched::default()),
        [(seq, event)] => one_event(conn, sender, *seq, event, true).await,
        run => {
            let ids: Vec<DeviceId> = run
                .iter()
                .filter_map(|(_, event)| DeviceId::try_from(event.device_id.clone()).ok())
                .collect();
            // They are devices in service, so each of their ids is one.
            let events: Vec<_> =
                ids.iter().zip(run).map(|(id, (seq, event))| told(sender, id, *seq, event)).collect();
            super::raise::raised(conn, &events, sender.current).await
        }
    }
}

/// A change as the wire tells it, on the server's clock.
pub(super) fn told<'e>(
    sender: &'e Sender<'_>,
    id: &'e DeviceId,
    seq: i64,
    wire: &'e Event,
) -> device::store::Event<'e> {
    let evidence = if serde_json::from_str::<serde_json::Value>(&wire.evidence_json).is_ok() {
        wire.evidence_json.as_str()
    } else {
        "{}"
    };
    device::store::Event {
        device: id,
        gateway: sender.id,
        epoch: &sender.epoch,
        seq,
        code: &wire.fault_code,
        transition: word(wire.transition()),
        check: &wire.check,
        evidence,
        at: sender.time(wire.at_ms).unwrap_or(sender.now),
        last_good_at: sender.time(wire.last_good_at_ms),
        first_bad_at: sender.time(wire.first_bad_at_ms),
        received_at: sender.now,
        clock_offset_ms: sender.offset_ms,
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
    let event = told(sender, &id, seq, wire);
    let (at, transition) = (event.at, wire.transition());
    device::store::insert_event(conn, &event).await?;
    if !in_service {
        return Ok(Touched::default());
    }
    device::store::set_known(conn, id.as_str(), at).await?;
    let mut touched = match transition {
        Transition::Raised => effect::fault_raised(conn, &event).await?,
        Transition::Cleared => {
            let mut touched =
                effect::fault_cleared(conn, sender.id, id.as_str(), event.code, at, sender.now).await?;
            touched.add(effect::works_again(conn, id.as_str(), at, sender.now).await?);
            touched
        }
        Transition::FlapBegan | Transition::FlapEnded => {
            effect::flaps(conn, &event, transition == Transition::FlapBegan).await?
        }
        Transition::Baseline => {
            let mut touched = Touched::default();
            let faults = device::store::list_faults(conn, id.as_str()).await?;
            let had_any = !faults.is_empty();
            for fault in faults {
                touched.add(
                    effect::fault_cleared(conn, sender.id, id.as_str(), &fault.code, at, sender.now).await?,
                );
            }
            if had_any {
                touched.add(effect::works_again(conn, id.as_str(), at, sender.now).await?);
            }
            touched
        }
        Transition::Told => effect::told_alone(conn, &event).await?,
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
        Transition::Told => "told",
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
